/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vbench revert: takes back what vbench apply did. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include "apply/apply.h"
#include "base/err.h"
#include "cmd/cmd.h"
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

static int revert(const char *id, bool force, bool json)
{
	struct lines l = {.list = json ? json_array() : NULL};
	char *data = store_data_dir(), *dir = xasprintf("%s/changes", data);
	struct err e = {0};
	int rc = changes_revert(dir, id, force, line, &l, &e);

	free(data);
	free(dir);
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
