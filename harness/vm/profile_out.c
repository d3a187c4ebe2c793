// SPDX-License-Identifier: GPL-2.0-or-later
/* `vbench profile`: facts of a machine as an INI profile that measures one like it on scratch
 * images. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/units.h"
#include "vm/internal.h"
#include "vm/profile_out.h"

/* What of a machine its storage does not feel, or what a scratch guest cannot have. */
static const char *const beside[] = {
	"uuid",	     "os",	   "qemu.version",   "arch",	   "firmware",
	"vcpus.max", "memory.max", "memory.current", "balloon*",   "net.*",
	"clock.*",   "rng",	   "agent",	     "graphics",   "video",
	"sound",     "usb*",	   "smartcard",	     "hostdevs",   "watchdog",
	"tpm",	     "headless",   "debug-threads",  "migratable", "placement",
};

const char *profile_subject(const struct vm *vm, unsigned *disk)
{
	const char *arch = vm_get(vm, VM_ASKED, "arch");
	unsigned n = vm_count(vm, "disk"), any = n;

	if (arch && strcmp(arch, "x86_64"))
		return "its architecture is not x86_64, which the small guest is made for";
	for (unsigned i = n; i-- > 0;) {
		if (!vm_get(vm, VM_ASKED, "disk.%u.bus", i) &&
		    !vm_get(vm, VM_GOT, "disk.%u.bus", i))
			continue;
		any = i;
		/* the first that can be written and is a disk by itself */
		if (!vm_is(vm, VM_ASKED, "on", "disk.%u.readonly", i) &&
		    !vm_is(vm, VM_ASKED, "lun", "disk.%u.kind", i))
			*disk = i;
	}
	if (any == n)
		return "it has no disk whose bus is known";
	if (*disk >= n)
		*disk = any;
	return NULL;
}

void profile_remark(struct told *t, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	fputs("# ", t->out);
	if (strlen(text) > 400) /* a profile's lines have a bound */
		strcpy(text + 397, "...");
	vm_put_comment(t->out, text);
	putc('\n', t->out);
	free(text);
}

void profile_key(struct told *t, const char *key, const char *value)
{
	bool plain = value && *value && strlen(value) <= 200;

	if (!value)
		return;
	for (const char *s = value; plain && *s; s++)
		plain = !iscntrl((unsigned char)*s);
	if (plain)
		fprintf(t->out, "%s = %s\n", key, value);
	else
		profile_remark(t, "%s: what it has is not text that a profile can hold", key);
}

void profile_size(struct told *t, const char *key, uint64_t bytes)
{
	char buf[40];

	profile_key(t, key, units_size_spell(bytes, buf, sizeof(buf)));
}

/* A name for titles: no more than fits, nothing that is not text. */
static char *shown_name(const struct vm *vm)
{
	char *clean = vm_clean_text(vm->name, strlen(vm->name)), *out;
	size_t n = strlen(clean) > 80 ? 80 : strlen(clean);

	while (n && n < strlen(clean) && ((unsigned char)clean[n] & 0xc0) == 0x80)
		n--; /* not in the middle of a UTF-8 sequence */
	out = xasprintf("%.*s", (int)n, clean);
	free(clean);
	return out;
}

static void write_head(struct told *t, unsigned disk)
{
	const char *name = told_get(t, "disk.%u.name", disk);
	char *vm = shown_name(t->vm);

	profile_remark(
		t,
		"%s, read from %s, as far as a profile can say it. It is measured on scratch images in a "
		"guest of vbench's own; the machine itself is not touched.",
		vm, t->vm->from);
	fputs("[profile]\n", t->out);
	fprintf(t->out, "title = %s as it is\n", vm);
	fprintf(t->out, "question = Would %s gain from other settings of its disk?\n\n", vm);
	profile_remark(t, "Of its disks this is disk %u%s%s.", disk, name ? ", " : "",
		       name ? name : "");
	free(vm);
}

static void write_workloads(FILE *out)
{
	static const struct {
		const char *name, *rw, *bs;
		unsigned depth;
	} loads[] = {{"randread-1", "randread", "4k", 1},
		     {"randread-32", "randread", "4k", 32},
		     {"randwrite-32", "randwrite", "4k", 32},
		     {"read-64k", "read", "64k", 8}};

	fputs("\n# What it runs itself is not known: reads one at a time and many at once, writes, a stream.\n",
	      out);
	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
		fprintf(out, "[workload %s]\nrw = %s\nbs = %s\niodepth = %u\n\n", loads[i].name,
			loads[i].rw, loads[i].bs, loads[i].depth);
}

static void say_left(FILE *out, const struct vm_fact *f)
{
	char *text = xasprintf("%s = %.120s%s%.160s%s", f->key, f->value, *f->where ? " (" : "",
			       f->where, *f->where ? ")" : "");

	fputs("#   ", out);
	vm_put_comment(out, text);
	putc('\n', out);
	free(text);
}

static void write_rest(struct told *t)
{
	for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++)
		told_skip(t, beside[i]);
	fputs("# Of the machine, but not of this profile:\n", t->out);
	told_left(t, say_left);
	for (size_t i = 0; i < t->vm->nnotes && i < 40; i++) {
		fputs("#   ", t->out);
		vm_put_comment(t->out, t->vm->notes[i]);
		putc('\n', t->out);
	}
}

/* What was written has to be a profile with a cell to measure. */
static int check(const char *text, size_t len, const struct vm *vm, struct err *e)
{
	struct profile *p = NULL;
	struct err why = {0};
	int rc = profile_parse(text, len, "the profile of this machine", NULL, 0, &p, &why);

	profile_free(p);
	return rc ? err_set(e, rc, "%s: no profile can be made of it: %s", vm->from, why.text) : 0;
}

int vm_write_profile(const struct vm *vm, FILE *out, struct err *e)
{
	unsigned disk = UINT32_MAX;
	const char *why = profile_subject(vm, &disk);
	char *text = NULL;
	size_t len = 0;
	struct told t;
	FILE *f;
	int rc;

	if (why)
		return err_input(e, "%s: no profile can be made of it: %s", vm->from, why);
	f = open_memstream(&text, &len);
	if (!f)
		return err_set(e, -ENOMEM, "no memory for a profile");
	told_begin(&t, f, vm);
	write_head(&t, disk);
	profile_guest(&t, disk);
	profile_disk(&t, disk);
	write_workloads(f);
	write_rest(&t);
	rc = told_end(&t, e);
	fclose(f);
	if (!rc)
		rc = check(text, len, vm, e);
	if (!rc && fwrite(text, 1, len, out) < len)
		rc = err_set(e, -EIO, "the profile could not be written: %s", strerror(errno));
	free(text);
	return rc;
}
