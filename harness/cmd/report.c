/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vbench report`: a stored run once more, as a page, a table or JSON. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "cmd/cmd.h"
#include "analysis/model.h"
#include "base/err.h"
#include "cmd/cmd.h"
#include "reports/report.h"
#include "store/store.h"

static const char usage[] =
	"Usage: vbench report [RUN] [--json | --text] [-o FILE] [--db FILE]\n"
	"\n"
	"Writes the page of a run and prints where it is. RUN is last (default), last~N, a run's id or the\n"
	"beginning of one, or a label (its newest run).\n"
	"\n"
	"      --json      the whole analysis as JSON on stdout instead of a page\n"
	"      --text      the tables for a terminal on stdout instead of a page\n"
	"  -o, --out FILE  write to FILE; without it the page is report.html in the run's folder\n"
	"      --db FILE   another store than your own\n"
	"  -h, --help      this text\n";

enum form { FORM_PAGE, FORM_TEXT, FORM_JSON };

struct args {
	const char *run, *out, *db;
	enum form form;
	bool help;
};

static int args_read(int argc, char **argv, struct args *a, struct err *e)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},      {"text", no_argument, NULL, 't'},
		{"out", required_argument, NULL, 'o'}, {"db", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},      {NULL, 0, NULL, 0}};
	bool given = false;
	int c;

	*a = (struct args){.run = "last"};
	optind = 0; /* glibc: begin anew, main() may have read options of its own */
	opterr = 0;
	while ((c = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		if ((c == 'j' || c == 't') && given)
			return err_input(e, "report: --json and --text exclude each other");
		given |= c == 'j' || c == 't';
		if (c == 'j')
			a->form = FORM_JSON;
		else if (c == 't')
			a->form = FORM_TEXT;
		else if (c == 'o')
			a->out = optarg;
		else if (c == 'd')
			a->db = optarg;
		else if (c == 'h')
			a->help = true;
		else
			return err_input(
				e,
				"report: %s is not an option of it, or lacks its value; see vbench report --help",
				optind > 0 && optind <= argc ? argv[optind - 1] : "that");
	}
	if (argc - optind > 1)
		return err_input(e, "report: one RUN at a time, not also \"%s\"", argv[optind + 1]);
	if (optind < argc)
		a->run = argv[optind];
	return 0;
}

static int terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
		return w.ws_col;
	if (columns && atoi(columns) > 0)
		return atoi(columns);
	return 100;
}

static int put_text(const struct model *m, FILE *f, bool terminal)
{
	const char *no = getenv("NO_COLOR"); /* no-color.org */

	return report_text(m, f, terminal && !(no && *no), terminal ? terminal_width() : 100);
}

/* JSON and text go to -o or stdout; what can't be written to the end is an error. */
static int put_plain(const struct model *m, const struct args *a, struct err *e)
{
	FILE *f = a->out ? fopen(a->out, "we") : stdout;
	const char *name = a->out ? a->out : "stdout";
	int rc = 0;

	if (!f)
		return err_input(e, "%s cannot be written: %s", name, strerror(errno));
	if (a->form == FORM_JSON) {
		json_t *j = model_json(m);

		rc = json_dumpf(j, f, JSON_INDENT(2)) == 0 && fputc('\n', f) != EOF ? 0 : -EIO;
		json_decref(j);
	} else {
		rc = put_text(m, f, !a->out && isatty(STDOUT_FILENO));
	}
	if ((a->out ? fclose(f) : fflush(f)) != 0)
		rc = -errno;
	return rc < 0 ? err_set(e, rc, "%s cannot be written: %s", name, strerror(-rc)) : 0;
}

static int put_page(const struct model *m, const struct store_run *r, const struct args *a,
		    struct err *e)
{
	char *path;
	int rc;

	if (!a->out && (!r->folder || access(r->folder, W_OK) != 0))
		return err_input(
			e,
			"report: the run's folder %s is not there or cannot be written; name a file with -o",
			r->folder ? r->folder : "(none)");
	path = a->out ? xstrdup(a->out) : xasprintf("%s/report.html", r->folder);
	rc = report_html(m, path, e);
	if (rc == 0 && (puts(path) == EOF || fflush(stdout) != 0))
		rc = err_set(e, -EIO, "stdout cannot be written");
	free(path);
	return rc;
}

static int report(const struct args *a, struct err *e)
{
	char *db = a->db ? xstrdup(a->db) : store_default_db();
	struct store *s = NULL;
	struct store_run r = {0};
	struct model *m = NULL;
	int rc = store_open(db, false, &s, e);

	if (rc == 0)
		rc = store_run_find(s, a->run, &r, e);
	if (rc == 0)
		rc = model_make(s, r.uuid, &m, e);
	if (rc == 0)
		rc = a->form == FORM_PAGE ? put_page(m, &r, a, e) : put_plain(m, a, e);
	model_free(m);
	store_run_free(&r);
	store_close(s);
	free(db);
	return rc;
}

int cmd_report(int argc, char **argv)
{
	struct err e = {0};
	struct args a;
	int rc = args_read(argc, argv, &a, &e);

	if (rc == 0 && a.help) {
		fputs(usage, stdout);
		return VB_OK;
	}
	if (rc == 0)
		rc = report(&a, &e);
	if (rc == 0)
		return VB_OK;
	fprintf(stderr, "vbench: %s\n", e.text);
	return e.status;
}
