/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vbench compare`: two stored runs, or two labels, beside each other. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/err.h"
#include "cmd/cmd.h"
#include "compare/compare.h"
#include "store/store.h"

static const char usage[] =
	"Usage: vbench compare A B [--json | --md] [--db FILE]\n"
	"\n"
	"Two stored runs beside each other: first what differs around them, then B's figures against A's. A and\n"
	"B are last, last~N, a run's id or the beginning of one, or a label, which stands for all its runs.\n"
	"\n"
	"Runs differ among themselves, by the hour and by what else the host does. So a verdict is given only\n"
	"where at least 8 comparable runs (same host, profile, blocks and surroundings) tell by how much, or with\n"
	"3 runs a side and 8 in all; else it is undecided, and `vbench run PROFILE --vs KEY=VALUE`, which has both\n"
	"in one run, is the way to decide. The exit status says nothing about the verdict: this is no gate.\n"
	"\n"
	"      --json     the whole comparison as JSON\n"
	"      --md       as Markdown\n"
	"      --db FILE  another store than your own\n"
	"  -h, --help     this text\n";

enum form { FORM_TEXT, FORM_JSON, FORM_MD };

struct args {
	const char *a, *b, *db;
	enum form form;
	bool help;
};

static int args_read(int argc, char **argv, struct args *a, struct err *e)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'},
						{"md", no_argument, NULL, 'm'},
						{"db", required_argument, NULL, 'd'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int c;

	*a = (struct args){.form = FORM_TEXT};
	optind = 0; /* glibc: begin anew */
	opterr = 0;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if ((c == 'j' || c == 'm') && a->form != FORM_TEXT)
			return err_input(e, "compare: --json and --md exclude each other");
		if (c == 'j')
			a->form = FORM_JSON;
		else if (c == 'm')
			a->form = FORM_MD;
		else if (c == 'd')
			a->db = optarg;
		else if (c == 'h')
			a->help = true;
		else
			return err_input(
				e,
				"compare: %s is not an option of it, or lacks its value; see vbench compare --help",
				optind > 0 && optind <= argc ? argv[optind - 1] : "that");
	}
	if (a->help)
		return 0;
	if (argc - optind != 2)
		return err_input(e,
				 "compare: two runs or labels, as in `vbench compare last~1 last`; "
				 "`vbench runs` lists them");
	a->a = argv[optind];
	a->b = argv[optind + 1];
	return 0;
}

static int put(const struct compare *c, const struct args *a, struct err *e)
{
	const char *no = getenv("NO_COLOR"); /* no-color.org */
	int rc;

	if (a->form == FORM_JSON) {
		json_t *j = compare_json(c);

		rc = json_dumpf(j, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF ? 0 : -EIO;
		json_decref(j);
	} else if (a->form == FORM_MD) {
		rc = compare_markdown(c, stdout);
	} else {
		rc = compare_text(c, stdout, isatty(STDOUT_FILENO) && !(no && *no));
	}
	if (!rc && fflush(stdout))
		rc = -errno;
	return rc ? err_set(e, rc, "stdout cannot be written: %s", strerror(-rc)) : 0;
}

int cmd_compare(int argc, char **argv)
{
	struct err e = {0};
	struct args a;
	struct store *s = NULL;
	struct compare c = {.nrows = 0};
	char *db = NULL;
	int rc = args_read(argc, argv, &a, &e);

	if (!rc && a.help) {
		fputs(usage, stdout);
		return VB_OK;
	}
	if (!rc) {
		db = a.db ? xstrdup(a.db) : store_default_db();
		rc = store_open(db, false, &s, &e);
	}
	if (!rc)
		rc = compare_make(s, a.a, a.b, &c, &e);
	if (!rc)
		rc = put(&c, &a, &e);
	compare_free(&c);
	store_close(s);
	free(db);
	if (!rc)
		return VB_OK;
	fprintf(stderr, "vbench: %s\n", e.text);
	return e.status;
}
