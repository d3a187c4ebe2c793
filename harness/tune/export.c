// SPDX-License-Identifier: GPL-2.0-or-later
/* The recommended configuration in the tongues of those who run virtual machines, and as a profile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "tune/tune.h"
#include "vm/read.h"
#include "vm/write.h"

/* What the settings would be given to `vbench run` as. */
static void write_sets(const json_t *state, FILE *out)
{
	const char **values = tune_recommended(state);
	const json_t *axes = json_object_get(state, "axes"), *a;
	size_t i;

	fprintf(out, "# vbench run %s", tune_str(state, "path"));
	json_array_foreach(axes, i, a) if (values[i])
		fprintf(out, " --set %s=%s", tune_str(a, "key"), values[i]);
	fprintf(out, "\n");
	free(values);
}

/* As `vbench apply` takes it. */
static int write_plan(const json_t *plan, FILE *out, struct err *e)
{
	if (!plan)
		return err_input(e,
				 "--export plan: nothing of what is recommended is placed by the "
				 "planner (guest.pin = plan, guest.nodes = plan)");
	json_dumpf(plan, out, JSON_INDENT(2));
	fputc('\n', out);
	return 0;
}

static int format_of(const char *name)
{
	int i = 0;

	while (i < VM_FORMATS && strcmp(name, vm_format_names[i]))
		i++;
	return i;
}

bool tune_export_known(const char *format)
{
	return format_of(format) < VM_FORMATS || !strcmp(format, "profile") ||
	       !strcmp(format, "plan");
}

int tune_export(const json_t *state, const char *format, FILE *out, struct err *e)
{
	const char **values;
	int which = format_of(format), rc;
	struct profile *p = NULL;
	struct vm *vm = NULL;
	json_t *plan = NULL;

	if (!tune_export_known(format))
		return err_input(
			e,
			"--export %.40s: there are libvirt, virsh, qemu, qm, ovirt, nova, profile, plan",
			format);
	values = tune_recommended(state);
	rc = tune_one_cell(state, values, &p, e);
	free(values);
	if (!rc)
		rc = vm_read_cell(p, &p->cells[0], &vm, e);
	if (!rc)
		rc = tune_place(p, &p->cells[0], vm, &plan, e);
	if (!rc && !strcmp(format, "plan")) {
		rc = write_plan(plan, out, e);
	} else if (!rc && which < VM_FORMATS) {
		rc = vm_write(out, (enum vm_format)which, vm, e);
	} else if (!rc) {
		write_sets(state, out);
		rc = vm_write_profile(vm, out, e);
	}
	json_decref(plan);
	vm_free(vm);
	profile_free(p);
	return rc;
}

int tune_export_all(const json_t *state, const char *dir, struct err *e)
{
	static const struct {
		const char *format, *file;
	} files[] = {{"libvirt", "domain.xml"}, {"qemu", "qemu.txt"}, {"profile", "tuned.ini"}};
	int rc = dir_make(dir, 0755, e);

	for (size_t i = 0; !rc && i < sizeof(files) / sizeof(*files); i++) {
		char *path = xasprintf("%s/%s", dir, files[i].file), *text = NULL;
		size_t len = 0;
		FILE *f = open_memstream(&text, &len);

		rc = tune_export(state, files[i].format, f, e);
		fclose(f);
		if (!rc)
			rc = file_write(path, text, len, 0644, e);
		free(text);
		free(path);
	}
	return rc;
}
