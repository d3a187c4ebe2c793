// SPDX-License-Identifier: GPL-2.0-or-later
/* `vbench history`: a profile's nights, and when it changed. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/err.h"
#include "base/term.h"
#include "cmd/cmd.h"
#include "history/history.h"
#include "host/host.h"
#include "reports/history.h"
#include "store/store.h"

static const char usage[] =
	"Usage: vbench history [PROFILE] [--metric ID] [--cell LABEL] [--json | --html FILE] [--db FILE]\n"
	"\n"
	"The complete runs of a profile on this host, night by night (default: the newest run's profile):\n"
	"when a series changed and among which builds, slow drift against the anchor, nights that are\n"
	"missing. Nights of `vbench gate` are compared with the reference build that ran with them.\n"
	"8 nights say something, change points take 30.\n"
	"\n"
	"      --metric ID   this metric instead of each workload's primary one, as read.lat.p99\n"
	"      --cell LABEL  only this cell: its label, or the beginning of its id\n"
	"      --json        all of it as JSON on stdout\n"
	"      --html FILE   a page\n"
	"      --db FILE     another store than your own\n"
	"  -h, --help        this text\n"
	"\n"
	"Exit status: 1 when the newest confirmed change, or drift, is for the worse.\n";

struct args {
	const char *profile, *metric, *cell, *html, *db;
	bool json, help;
};

static int args_read(int argc, char **argv, struct args *a, struct err *e)
{
	static const struct option options[] = {{"metric", required_argument, NULL, 'm'},
						{"cell", required_argument, NULL, 'c'},
						{"html", required_argument, NULL, 'H'},
						{"db", required_argument, NULL, 'd'},
						{"json", no_argument, NULL, 'j'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int c;

	*a = (struct args){0};
	optind = 0; /* glibc: begin anew, main() may have read options of its own */
	opterr = 0;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'm')
			a->metric = optarg;
		else if (c == 'c')
			a->cell = optarg;
		else if (c == 'H')
			a->html = optarg;
		else if (c == 'd')
			a->db = optarg;
		else if (c == 'j')
			a->json = true;
		else if (c == 'h')
			a->help = true;
		else
			return err_input(
				e,
				"history: %s is not an option of it, or lacks its value; see vbench history --help",
				optind > 0 && optind <= argc ? argv[optind - 1] : "that");
	}
	if (a->json && a->html)
		return err_input(e, "history: --json and --html exclude each other");
	if (argc - optind > 1)
		return err_input(e, "history: one PROFILE at a time, not also \"%s\"",
				 argv[optind + 1]);
	if (optind < argc)
		a->profile = argv[optind];
	return 0;
}

static int terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
		return w.ws_col;
	return columns && atoi(columns) > 0 ? atoi(columns) : 100;
}

/* "profiles/nightly.ini" and "nightly" name the same profile, whose name the store has. */
static char *profile_name(const char *typed)
{
	const char *slash = typed ? strrchr(typed, '/') : NULL;
	char *name = xstrdup(slash ? slash + 1 : typed);
	size_t n = name ? strlen(name) : 0;

	if (n > 4 && !strcmp(name + n - 4, ".ini"))
		name[n - 4] = 0;
	return name;
}

static int show(const struct history *h, const struct args *a, struct err *e)
{
	json_t *j;
	int rc;

	if (a->html) {
		rc = report_history_html(h, a->html, e);
		return rc ? rc : printf("%s\n", a->html) < 0 ? err_set(e, -EIO, "stdout") : 0;
	}
	if (!a->json)
		return report_history_text(h, stdout, terminal_width());
	j = history_json(h);
	rc = json_dumpf(j, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(j);
	return rc ? err_set(e, -EIO, "stdout cannot be written") : 0;
}

static int history(const struct args *a, bool *alarms, struct err *e)
{
	char *db = a->db ? xstrdup(a->db) : store_default_db(), *name = profile_name(a->profile);
	struct history *h = NULL;
	struct store *s = NULL;
	char host[65];
	int rc = host_id(host, e);
	struct history_ask ask = {
		.profile = name, .host = host, .metric = a->metric, .cell = a->cell,
		.now = (int64_t)clock_real_ns()};

	if (!rc)
		rc = store_open(db, false, &s, e);
	if (!rc)
		rc = history_make(s, &ask, &h, e);
	if (!rc)
		rc = show(h, a, e);
	*alarms = !rc && history_alarms(h);
	history_free(h);
	store_close(s);
	free(name);
	free(db);
	return rc;
}

int cmd_history(int argc, char **argv)
{
	struct err e = {0};
	bool alarms = false;
	struct args a;
	int rc = args_read(argc, argv, &a, &e);

	if (rc == 0 && a.help) {
		fputs(usage, stdout);
		return VB_OK;
	}
	if (rc == 0)
		rc = history(&a, &alarms, &e);
	if (rc == 0)
		return alarms ? VB_WORSE : VB_OK;
	fputs("vbench: ", stderr);
	report_history_line(stderr, e.text);
	return e.status ? e.status : VB_NOT_MEASURED;
}
