// SPDX-License-Identifier: GPL-2.0-or-later
/* `vbench slim IMAGE -o OUT`. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include "base/units.h"
#include "base/term.h"
#include "cmd/cmd.h"
#include "slim/slim.h"
#include "slim/study.h"
#include "store/store.h"

static const char usage[] =
	"usage: vbench slim [OPTION...] IMAGE -o OUT\n"
	"       vbench slim [OPTION...] --in-place IMAGE\n"
	"       vbench slim --study [--size SIZE]\n"
	"Makes a disk image small. The small guest looks into an overlay of IMAGE, trims the free space\n"
	"of its file systems (ext2-4, xfs, btrfs, vfat, swap), and the rest is converted to OUT (qcow2).\n"
	"The content of every file is summed before and after, and in OUT. What is not understood (LVM,\n"
	"LUKS, MD, NTFS, ...) is named and left alone. IMAGE itself is only read; its guest must be off.\n"
	"Images that have IMAGE as their backing file keep fitting to IMAGE, not to OUT: do not use --in-place\n"
	"on it.\n\n"
	"  -o, --output OUT      where the result goes; must not exist\n"
	"      --force           an existing OUT is replaced\n"
	"      --in-place        IMAGE (qcow2) is replaced by the result, once that is verified\n"
	"      --compress HOW    compress the data: zlib (every QEMU), zstd (QEMU 5.1, faster)\n"
	"      --trim            trim free space; fails where a file system cannot be trimmed\n"
	"      --zero            fill free space with zeroes instead\n"
	"      --keep            leave free space as it is: only convert\n"
	"                        (default: trim, and zero where that does not work)\n"
	"      --skip VOLUME     leave that one alone (vda1); may be repeated\n"
	"      --format FORMAT   of IMAGE, where its first bytes must not be trusted\n"
	"      --free SIZE       what stays free on OUT's file system (default: max(10 %, 10 GiB))\n"
	"      --accel HOW       auto, kvm, tcg (default: auto)\n"
	"      --qemu PROGRAM    QEMU to use (default: the profiles')\n"
	"      --study           on a file system of its own: how small each recipe makes it, when it is\n"
	"                        fresh, and when half of it was deleted, zeroed, trimmed (some minutes)\n"
	"      --size SIZE       of the study's file system (default: 256M)\n"
	"      --json            print the result as JSON\n"
	"  -q, --quiet           no progress\n"
	"  -h, --help            this text\n";

#define SKIPS 64

struct args {
	struct slim_opts o;
	const char *skips[SKIPS + 1];
	size_t nskips;
	uint64_t size; /* of the study */
	bool study, json, help;
};

static int one_of(const char *option, const char *value, const char *a, const char *b,
		  const char *c, struct err *e)
{
	if (!strcmp(value, a) || !strcmp(value, b) || (c && !strcmp(value, c)))
		return 0;
	return err_input(e, "--%s: \"%s\" is not one of %s, %s%s%s", option, value, a, b,
			 c ? ", " : "", c ? c : "");
}

static int set_how(struct args *a, enum slim_how how, struct err *e)
{
	if (a->o.how != SLIM_AUTO && a->o.how != how)
		return err_input(e, "--trim, --zero and --keep exclude each other");
	a->o.how = how;
	return 0;
}

static int take(struct args *a, int c, struct err *e)
{
	switch (c) {
	case 'o':
		a->o.out = optarg;
		return 0;
	case 'F':
		a->o.force = true;
		return 0;
	case 'i':
		a->o.in_place = true;
		return 0;
	case 'c':
		a->o.compress = optarg;
		return one_of("compress", optarg, "zlib", "zstd", NULL, e);
	case 't':
		return set_how(a, SLIM_TRIM, e);
	case 'z':
		return set_how(a, SLIM_ZERO, e);
	case 'k':
		return set_how(a, SLIM_KEEP, e);
	case 's':
		if (a->nskips == SKIPS)
			return err_input(e, "more than %d --skip", SKIPS);
		a->skips[a->nskips++] = optarg;
		return 0;
	case 'f':
		a->o.format = optarg;
		return 0;
	case 'S':
		if (units_size(optarg, &a->o.keep) || !a->o.keep)
			return err_input(e, "--free: \"%s\" is not a size; write 20G or 512M",
					 optarg);
		return 0;
	case 'a':
		a->o.accel = optarg;
		return one_of("accel", optarg, "auto", "kvm", "tcg", e);
	case 'Q':
		a->o.qemu = optarg;
		return 0;
	case 'Y':
		a->study = true;
		return 0;
	case 'Z':
		if (units_size(optarg, &a->size) || a->size < 64 << 20 || a->size > 1ull << 40)
			return err_input(e, "--size: \"%s\" is not a size from 64M to 1T", optarg);
		return 0;
	case 'j':
		a->json = true;
		return 0;
	case 'q':
		a->o.quiet = true;
		return 0;
	case 'h':
		a->help = true;
		return 0;
	default:
		return err_input(e, "see `vbench slim --help`");
	}
}

static int parse(int argc, char **argv, struct args *a, struct err *e)
{
	static const struct option options[] = {
		{"output", required_argument, NULL, 'o'},
		{"force", no_argument, NULL, 'F'},
		{"in-place", no_argument, NULL, 'i'},
		{"compress", required_argument, NULL, 'c'},
		{"trim", no_argument, NULL, 't'},
		{"zero", no_argument, NULL, 'z'},
		{"keep", no_argument, NULL, 'k'},
		{"skip", required_argument, NULL, 's'},
		{"format", required_argument, NULL, 'f'},
		{"free", required_argument, NULL, 'S'},
		{"accel", required_argument, NULL, 'a'},
		{"qemu", required_argument, NULL, 'Q'},
		{"study", no_argument, NULL, 'Y'},
		{"size", required_argument, NULL, 'Z'},
		{"json", no_argument, NULL, 'j'},
		{"quiet", no_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c, rc = 0;

	optind = 0; /* glibc: start afresh, whoever used getopt before */
	while (!rc && (c = getopt_long(argc, argv, "o:qh", options, NULL)) != -1)
		rc = take(a, c, e);
	if (rc || a->help)
		return rc;
	if (a->study && (optind < argc || a->o.out || a->o.in_place || a->o.compress))
		return err_input(e, "--study makes its own images; see `vbench slim --help`");
	if (a->study)
		return 0;
	if (optind == argc)
		return err_input(e, "which image? See `vbench slim --help`");
	a->o.image = argv[optind++];
	if (optind < argc)
		return err_input(e, "one image at a time; \"%s\" is one too many", argv[optind]);
	if (a->o.in_place == !!a->o.out)
		return err_input(e, a->o.out ? "-o and --in-place exclude each other"
					     : "where to? -o OUT, or --in-place");
	a->o.skip = a->skips;
	return 0;
}

static void put(json_t *j)
{
	json_dumpf(j, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(j);
}

static int study(const struct args *a)
{
	struct study y;
	struct err e = {0};

	if (slim_study(&a->o, a->size, &y, &e))
		return err_exit(&e);
	if (a->json)
		put(slim_study_json(&y));
	else
		slim_study_print(&y, stdout);
	return VB_OK;
}

int cmd_slim(int argc, char **argv)
{
	struct args a = {.o = {.accel = "auto", .stop_fd = -1}, .size = 256 << 20};
	struct slim_result r = {0};
	struct err e = {0};
	char *data;
	int status = VB_OK;

	if (parse(argc, argv, &a, &e))
		return err_exit(&e);
	if (a.help)
		return fputs(usage, stdout) < 0 ? VB_NOT_MEASURED : VB_OK;
	data = store_data_dir();
	a.o.data = data;
	a.o.stop_fd = term_stop_fd();
	if (a.study)
		status = study(&a);
	else if (slim_run(&a.o, &r, &e))
		status = err_exit(&e);
	else if (a.json)
		put(slim_json(&r));
	else
		slim_print(&r, stdout);
	slim_result_free(&r);
	free(data);
	return status;
}
