/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vbench host: what this machine is and how it is set up; to look at, or to keep in a file. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include "cmd/cmd.h"
#include "base/err.h"
#include "host/host.h"
#include "host/snapshot.h"
#include "host/summary.h"
#include "place/place.h"
#include "store/store.h"

enum { DIRS_MAX = 32 };

static const char usage[] =
	"usage: vbench host [--json | --topology] [--dir DIR]... [--qemu PATH]\n"
	"       vbench host --save FILE\n"
	"       vbench host --snapshot FILE [--json | --topology]\n"
	"\n"
	"Says what this machine is and how it is set up, as it is kept with every run.\n"
	"\n"
	"  --json           all facts as JSON\n"
	"  --topology       hwloc's XML of packages, cores, caches and memory (without names and serial numbers)\n"
	"  --dir DIR        a folder whose storage is wanted (again for more; default: where runs are kept)\n"
	"  --qemu PATH      the QEMU to name\n"
	"  --save FILE      keeps topology, processor and settings in a file, for --snapshot of this and of\n"
	"                   audit, plan and tune --dry-run: advice on another machine than this one. No names, no\n"
	"                   addresses and no serial numbers are in it\n"
	"  --snapshot FILE  looks at such a file in the place of this machine\n";

struct wish {
	const char *dirs[DIRS_MAX + 1], *qemu, *save, *snapshot;
	size_t ndirs;
	bool json, topology;
};

static void print_facts(const json_t *facts, bool json)
{
	if (json) {
		json_dumpf(facts, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		host_summary(stdout, facts);
	}
}

/* Packages, nodes, caches and cores as a picture. */
static void draw(const struct snapshot *s)
{
	struct place_host h;

	place_host_make(s, &h);
	putchar('\n');
	place_draw(&h, NULL, stdout);
	place_host_free(&h);
}

static int save(const char *file)
{
	struct err e = {0};
	struct snapshot *s;
	int rc = snapshot_take(&s, &e);

	if (rc == 0) {
		rc = snapshot_save(s, file, &e);
		snapshot_free(s);
	}
	return rc < 0 ? err_exit(&e) : VB_OK;
}

static int show(const struct wish *w)
{
	struct err e = {0};
	struct snapshot *s;
	int rc = w->snapshot ? snapshot_load(w->snapshot, &s, &e) : snapshot_take(&s, &e);
	json_t *facts;

	if (rc < 0)
		return err_exit(&e);
	if (w->topology) {
		fputs(snapshot_xml(s), stdout);
	} else {
		facts = w->snapshot ? json_incref((json_t *)snapshot_facts(s))
				    : host_facts(w->qemu, w->dirs);
		print_facts(facts, w->json);
		if (!w->json)
			draw(s);
		json_decref(facts);
	}
	snapshot_free(s);
	return VB_OK;
}

/* NULL, or what is wrong with the options. */
static const char *contradiction(const struct wish *w)
{
	if (w->json && w->topology)
		return "--json or --topology, not both";
	if (w->save && (w->json || w->topology || w->snapshot || w->ndirs || w->qemu))
		return "--save stands alone";
	if (w->snapshot && (w->ndirs || w->qemu))
		return "--dir and --qemu are of this machine, not of a snapshot";
	return NULL;
}

int cmd_host(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},	{"topology", no_argument, NULL, 't'},
		{"dir", required_argument, NULL, 'd'},	{"qemu", required_argument, NULL, 'q'},
		{"save", required_argument, NULL, 's'}, {"snapshot", required_argument, NULL, 'S'},
		{"help", no_argument, NULL, 'h'},	{0},
	};
	struct wish w = {0};
	const char *wrong;
	char *db, *runs;
	int c, status;

	optind = 0;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'j')
			w.json = true;
		else if (c == 't')
			w.topology = true;
		else if (c == 'd' && w.ndirs < DIRS_MAX)
			w.dirs[w.ndirs++] = optarg;
		else if (c == 'q')
			w.qemu = optarg;
		else if (c == 's')
			w.save = optarg;
		else if (c == 'S')
			w.snapshot = optarg;
		else if (c == 'h')
			return fputs(usage, stdout) < 0 ? VB_NOT_MEASURED : VB_OK;
		else
			return fputs(usage, stderr), VB_BAD_INPUT;
	}
	wrong = optind < argc ? "takes options only" : contradiction(&w);
	if (wrong) {
		fprintf(stderr, "vbench host: %s\n%s", wrong, usage);
		return VB_BAD_INPUT;
	}
	if (w.save)
		return save(w.save);
	db = store_default_db();
	runs = store_runs_dir(db);
	if (!w.ndirs)
		w.dirs[0] = runs;
	status = show(&w);
	free(runs);
	free(db);
	return status;
}
