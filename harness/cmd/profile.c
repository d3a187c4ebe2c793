// SPDX-License-Identifier: GPL-2.0-or-later
/* `vbench profile TARGET`: a profile of an existing machine. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <hwloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/err.h"
#include "base/file.h"
#include "cmd/cmd.h"
#include "host/snapshot.h"
#include "vm/read.h"

static const char usage[] =
	"usage: vbench profile [OPTION...] TARGET\n"
	"Writes a profile that measures a machine like TARGET on scratch images beside its own; the\n"
	"machine itself is looked at and not touched.\n\n"
	"TARGET is libvirt:NAME, libvirt:URI#NAME, pid:N, qm:ID, a file (libvirt's domain XML, a QEMU\n"
	"command line, a profile), or - for standard input.\n\n"
	"  -o, --output FILE     write there and not to standard output; a file that is there is kept\n"
	"      --snapshot FILE   hold the machine against that host, not this one\n"
	"      --json            print the facts that were read, with their places, and no profile\n"
	"  -h, --help            this text\n\n"
	"  vbench profile libvirt:vm101 | vbench run -\n";

struct args {
	const char *target, *output, *snapshot;
	bool json, help;
};

static int parse(int argc, char **argv, struct args *a, struct err *e)
{
	static const struct option options[] = {
		{"output", required_argument, NULL, 'o'},
		{"snapshot", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		if (c == 'o')
			a->output = optarg;
		else if (c == 's')
			a->snapshot = optarg;
		else if (c == 'j')
			a->json = true;
		else if (c == 'h')
			a->help = true;
		else
			return err_input(e, "see `vbench profile --help`");
	}
	if (a->help)
		return 0;
	if (optind + 1 != argc)
		return err_input(e, "%s; see `vbench profile --help`",
				 optind == argc ? "no TARGET" : "one TARGET at a time");
	a->target = argv[optind];
	return 0;
}

/* What the host that it shall run on cannot give. */
static int hold_against(struct vm *vm, const char *file, struct err *e)
{
	struct snapshot *s = NULL;
	uint64_t n;
	int rc = snapshot_load(file, &s, e), cpus;

	if (rc)
		return rc;
	cpus = hwloc_get_nbobjs_by_type(snapshot_topology(s), HWLOC_OBJ_PU);
	if (vm_number(vm, VM_ASKED, &n, "vcpus") && cpus > 0 && n > (uint64_t)cpus)
		vm_note(vm, "%s: has %d CPUs, fewer than the machine has vCPUs", snapshot_name(s),
			cpus);
	snapshot_free(s);
	return 0;
}

static int put(const struct vm *vm, const struct args *a, struct err *e)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int rc = 0, fd = STDOUT_FILENO;

	if (!f)
		return err_set(e, -ENOMEM, "no memory for a profile");
	if (a->json) {
		json_t *j = vm_json(vm);

		json_dumpf(j, f, JSON_INDENT(2) | JSON_SORT_KEYS);
		putc('\n', f);
		json_decref(j);
	} else {
		rc = vm_write_profile(vm, f, e);
	}
	fclose(f);
	if (!rc && a->output) {
		fd = open(a->output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (fd < 0)
			rc = err_input(e, "%s: %s; name another file with -o", a->output,
				       strerror(errno));
	}
	if (!rc) {
		fflush(stdout);
		rc = file_put(fd, text, len);
		if (rc)
			err_set(e, rc, "the profile could not be written: %s", strerror(-rc));
	}
	if (fd > STDERR_FILENO && close(fd) && !rc)
		rc = err_set(e, -errno, "%s: %s", a->output, strerror(errno));
	free(text);
	return rc;
}

int cmd_profile(int argc, char **argv)
{
	struct args a = {0};
	struct err e = {0};
	struct vm *vm = NULL;
	int rc = parse(argc, argv, &a, &e);

	if (!rc && a.help)
		return fputs(usage, stdout) < 0 ? VB_NOT_MEASURED : VB_OK;
	if (!rc)
		rc = vm_open(a.target, &vm, &e);
	if (!rc && a.snapshot)
		rc = hold_against(vm, a.snapshot, &e);
	if (!rc)
		rc = put(vm, &a, &e);
	vm_free(vm);
	return rc ? err_exit(&e) : VB_OK;
}
