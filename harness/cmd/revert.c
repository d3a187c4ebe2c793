/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vbench revert: takes back what vbench apply did. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "apply/apply.h"
#include "base/err.h"
#include "cmd/cmd.h"
#include "run/lock.h"
#include "store/store.h"

static const char usage[] =
	"usage: vbench revert [ID] [--force] [--json]\n"
	"\n"
	"Takes back what `vbench apply` (or a run that changed host settings) did, newest first: the record ID\n"
	"(its beginning is enough; `vbench apply --list` shows them), or all. Also after a kill in the middle.\n"
	"\n"
	"A value that someone else changed since is left alone and named; its record stays, and the exit status\n"
	"is 1. What ended with its process, or with a reboot, is said. Of memory, each node gets its share back;\n"
	"which page was on which node is not known.\n"
	"\n"
	"  --force   put back the value from before also where someone else changed it since\n"
	"  --json    print JSON\n";

struct lines {
	json_t *list; /* NULL: as text */
	size_t n;
};

static void line(bool ok, const char *what, void *arg)
{
	struct lines *l = arg;

	l->n++;
	if (l->list)
		json_array_append_new(l->list, json_pack("{s:b, s:s}", "ok", ok, "what", what));
	else
		printf("%s  %s\n", ok ? "ok" : "NO", what);
}

/* A record of a run's is wanted: the one named, or, without a name, any there are. */
static bool of_run(const char *dir, const char *id)
{
	json_t *all = changes_json(dir), *j;
	bool hit = false;
	size_t i;

	json_array_foreach(all, i, j)
	{
		const char *name = json_string_value(json_object_get(j, "id"));

		hit |= name && !strncmp(name, id, strlen(id));
	}
	json_decref(all);
	return hit;
}

/* Records of a run that goes on are no left-overs: it puts them back itself. */
static int revert_run(const char *dir, const char *id, bool force, struct lines *l, struct err *e)
{
	int rc = run_lock_take(false, e);

	if (rc) {
		err_prefix(e, "settings of the host that a run turned go back when it ends");
		return rc;
	}
	rc = changes_revert(dir, id, force, line, l, e);
	run_lock_release();
	return rc;
}

static int revert_both(const char *id, bool force, struct lines *l, struct err *e)
{
	char *data = store_data_dir(), *dir = xasprintf("%s/changes", data),
	     *run_dir = xasprintf("%s/knobs", data);
	bool run = of_run(run_dir, id);
	int rc = 0, more;

	if (*id && of_run(dir, id))
		run = false; /* those of `vbench apply` come first */
	if (!*id || !run)
		rc = changes_revert(dir, id, force, line, l, e);
	if (run) {
		struct err why = {0};

		more = revert_run(run_dir, id, force, l, &why);
		if (more && (!rc || rc == -ESTALE)) {
			rc = more;
			*e = why;
		}
	}
	free(data);
	free(dir);
	free(run_dir);
	return rc;
}

static int revert(const char *id, bool force, bool json)
{
	struct lines l = {.list = json ? json_array() : NULL};
	struct err e = {0};
	int rc = revert_both(id, force, &l, &e);

	if (json) {
		json_t *j = json_pack("{s:b, s:o}", "ok", !rc, "lines", l.list);

		json_dumpf(j, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(j);
	} else if (!rc && !l.n) {
		puts("nothing to take back");
	}
	if (rc == -ESTALE)
		return VB_WORSE;
	if (rc)
		fprintf(stderr, "vbench revert: %s\n", e.text);
	return rc ? e.status ? e.status : VB_NOT_MEASURED : VB_OK;
}

int cmd_revert(int argc, char **argv)
{
	static const struct option options[] = {
		{"force", no_argument, NULL, 'f'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	bool force = false, json = false;
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'f')
			force = true;
		else if (c == 'j')
			json = true;
		else if (c == 'h')
			return fputs(usage, stdout) < 0 ? VB_NOT_MEASURED : VB_OK;
		else
			return fputs("see vbench revert --help\n", stderr), VB_BAD_INPUT;
	}
	if (argc - optind > 1) {
		fputs("vbench revert: one ID, or none for all; see --help\n", stderr);
		return VB_BAD_INPUT;
	}
	return revert(optind < argc ? argv[optind] : "", force, json);
}
