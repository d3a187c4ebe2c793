/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vbench host: what this machine is and how it is set up. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include "cmd/cmd.h"
#include "base/err.h"
#include "cmd/cmd.h"
#include "host/host.h"
#include "host/summary.h"
#include "store/store.h"

enum { DIRS_MAX = 32 };

static const char usage[] =
	"usage: vbench host [--json | --topology] [--dir DIR]... [--qemu PATH]\n"
	"\n"
	"Says what this machine is and how it is set up, as it is kept with every run.\n"
	"\n"
	"  --json       all facts as JSON\n"
	"  --topology   hwloc's XML of packages, cores, caches and memory (without names and serial numbers)\n"
	"  --dir DIR    a folder whose storage is wanted (again for more; default: where runs are kept)\n"
	"  --qemu PATH  the QEMU to name\n";

static int print_topology(void)
{
	struct err e = {0};
	char *xml = host_topology_xml(&e);

	if (!xml) {
		fprintf(stderr, "vbench host: %s\n", e.text);
		return VB_NOT_MEASURED;
	}
	fputs(xml, stdout);
	free(xml);
	return VB_OK;
}

static void print_facts(const char *qemu, const char *const *dirs, bool json)
{
	json_t *facts = host_facts(qemu, dirs);

	if (json) {
		json_dumpf(facts, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		host_summary(stdout, facts);
	}
	json_decref(facts);
}

int cmd_host(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},      {"topology", no_argument, NULL, 't'},
		{"dir", required_argument, NULL, 'd'}, {"qemu", required_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},      {0},
	};
	const char *dirs[DIRS_MAX + 1] = {NULL}, *qemu = NULL;
	bool json = false, topology = false;
	char *db, *runs;
	size_t n = 0;
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'j')
			json = true;
		else if (c == 't')
			topology = true;
		else if (c == 'd' && n < DIRS_MAX)
			dirs[n++] = optarg;
		else if (c == 'q')
			qemu = optarg;
		else if (c == 'h')
			return fputs(usage, stdout) < 0 ? VB_NOT_MEASURED : VB_OK;
		else
			return fputs(usage, stderr), VB_BAD_INPUT;
	}
	if (optind < argc || (json && topology)) {
		fprintf(stderr, "vbench host: %s\n%s",
			optind < argc ? "takes options only" : "--json or --topology, not both",
			usage);
		return VB_BAD_INPUT;
	}
	if (topology)
		return print_topology();
	db = store_default_db();
	runs = store_runs_dir(db);
	if (!n)
		dirs[n++] = runs;
	print_facts(qemu, dirs, json);
	free(runs);
	free(db);
	return VB_OK;
}
