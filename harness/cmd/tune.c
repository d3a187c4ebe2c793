// SPDX-License-Identifier: GPL-2.0-or-later
/* `vbench tune PROFILE`. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/term.h"
#include "base/units.h"
#include "cmd/cmd.h"
#include "guest/assets.h"
#include "guest/machine.h"
#include "analysis/model.h"
#include "reports/report.h"
#include "store/store.h"
#include "tune/tune.h"

#define LIST 128

static const char usage[] =
	"usage: vbench tune [OPTION...] PROFILE|-\n"
	"Searches the settings of a profile's guest for a better configuration than the profile's own (lists: than\n"
	"their first values), and proves it: search of a part of the space, winner against start in fresh blocks, and\n"
	"each setting of the winner undone in turn. Settings that drop the guest's flushes are never tried.\n\n"
	"      --space KEY=V,V    try these values (disk.ring=split,packed)\n"
	"      --fix KEY          leave this setting as it is\n"
	"      --no-rules         only the profile's lists and --space, not what documented practice advises\n"
	"      --budget N|TIME    visits of the search (one measures a cell once), or time for all\n"
	"      --workload NAME    the workload that counts; default: the geometric mean of all\n"
	"      --min-effect PCT   smallest difference that matters (default 2%)\n"
	"      --max-blocks N     of the proof, which stops when decided (default 20)\n"
	"      --blocks N         fixed blocks in its place\n"
	"      --check-exhaustive measure all cells five times at the end, to see how near it came\n"
	"      --export FORMAT    print the final configuration: libvirt, virsh, qemu, qm, ovirt, nova, profile,\n"
	"                         plan (for vbench apply)\n"
	"      --export-dir DIR   write domain.xml, qemu.txt and tuned.ini there\n"
	"      --set KEY=VALUE    override a key of the profile\n"
	"      --label TEXT       of the runs (default: the profile's name)\n"
	"      --dry-run          print space, what is left out and the cost; start nothing\n"
	"      --snapshot FILE    with --dry-run: what practice advises on another machine (vbench host --save FILE)\n"
	"      --resume[=ID]      go on with an unfinished tuning (default: the newest)\n"
	"      --consent WHAT     as of vbench run: a device; host: settings of this host may be tried, and are put back\n"
	"      --keep             leave those of the host that are recommended in force (vbench revert takes them back)\n"
	"      --wait  --json  --no-report  --db FILE  -q, --quiet  -h, --help\n\n"
	"Exit status: 0 a gain is shown, or nothing better was found; 2 bad input; 3 undecided; 4 could not\n"
	"measure; 130 stopped.\n";

struct args {
	const char *profile, *resume, *db, *export, *export_dir;
	const char *sets[LIST], *spaces[LIST], *fixed[LIST], *consents[LIST];
	struct tune_opts o;
	bool dry, json, no_report, help;
};

static int keep(const char **list, size_t *n, const char *text, struct err *e)
{
	if (*n == LIST)
		return err_input(e, "more than %d of one option", LIST);
	list[(*n)++] = text;
	return 0;
}

static int number(const char *name, const char *text, unsigned max, unsigned *out, struct err *e)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || !n || n > max)
		return err_input(e, "--%s: \"%s\" is not a number from 1 to %u", name, text, max);
	*out = (unsigned)n;
	return 0;
}

static int budget(struct args *a, const char *text, struct err *e)
{
	if (!text[strspn(text, "0123456789")])
		return number("budget", text, 100000, &a->o.visits, e);
	if (units_time(text, &a->o.budget_ns) || !a->o.budget_ns)
		return err_input(
			e, "--budget: \"%s\" is neither a number of visits nor a time (30m)", text);
	return 0;
}

static int effect(struct args *a, const char *text, struct err *e)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || (strcmp(end, "%") && *end) || !(v > 0))
		return err_input(e, "--min-effect: \"%s\" is not a share; write 2%%", text);
	a->o.min_effect = *end ? v / 100 : v;
	if (a->o.min_effect < 0.001 || a->o.min_effect > 0.5)
		return err_input(e, "--min-effect: from 0.1%% to 50%%");
	return 0;
}

static int option(struct args *a, int c, struct err *e)
{
	switch (c) {
	case 'S':
		return keep(a->spaces, &a->o.nspaces, optarg, e);
	case 'F':
		return keep(a->fixed, &a->o.nfixed, optarg, e);
	case 'N':
		return a->o.no_rules = true, 0;
	case 'b':
		return budget(a, optarg, e);
	case 'W':
		return a->o.workload = optarg, 0;
	case 'm':
		return effect(a, optarg, e);
	case 'M':
		return number("max-blocks", optarg, 100, &a->o.max_blocks, e);
	case 'B':
		return number("blocks", optarg, 10000, &a->o.blocks, e);
	case 'x':
		return a->o.exhaustive = true, 0;
	case 'E':
		return a->export = optarg, 0;
	case 'D':
		return a->export_dir = optarg, 0;
	case 's':
		return keep(a->sets, &a->o.nsets, optarg, e);
	case 'l':
		return a->o.label = optarg, 0;
	case 'n':
		return a->dry = true, 0;
	case 'H':
		return a->o.snapshot = optarg, 0;
	case 'r':
		return a->resume = optarg ? optarg : "", 0;
	case 'c':
		return keep(a->consents, &a->o.nconsents, optarg, e);
	case 'k':
		return a->o.keep = true, 0;
	case 'w':
		return a->o.wait = true, 0;
	case 'j':
		return a->json = true, 0;
	case 'R':
		return a->no_report = true, 0;
	case 'd':
		return a->db = optarg, 0;
	case 'q':
		return a->o.quiet = true, 0;
	case 'h':
		return a->help = true, 0;
	default:
		return err_input(e, "see `vbench tune --help`");
	}
}

/* Options that only the beginning of a tuning can have: in the middle they would change the rule.
 */
static bool begins(const struct tune_opts *o)
{
	return o->no_rules || o->visits || o->budget_ns || o->workload || o->label ||
	       o->min_effect > 0 || o->max_blocks || o->blocks || o->exhaustive;
}

static int parse(int argc, char **argv, struct args *a, struct err *e)
{
	static const struct option options[] = {{"space", required_argument, NULL, 'S'},
						{"fix", required_argument, NULL, 'F'},
						{"no-rules", no_argument, NULL, 'N'},
						{"budget", required_argument, NULL, 'b'},
						{"workload", required_argument, NULL, 'W'},
						{"min-effect", required_argument, NULL, 'm'},
						{"max-blocks", required_argument, NULL, 'M'},
						{"blocks", required_argument, NULL, 'B'},
						{"check-exhaustive", no_argument, NULL, 'x'},
						{"export", required_argument, NULL, 'E'},
						{"export-dir", required_argument, NULL, 'D'},
						{"set", required_argument, NULL, 's'},
						{"label", required_argument, NULL, 'l'},
						{"dry-run", no_argument, NULL, 'n'},
						{"snapshot", required_argument, NULL, 'H'},
						{"resume", optional_argument, NULL, 'r'},
						{"consent", required_argument, NULL, 'c'},
						{"keep", no_argument, NULL, 'k'},
						{"wait", no_argument, NULL, 'w'},
						{"json", no_argument, NULL, 'j'},
						{"no-report", no_argument, NULL, 'R'},
						{"db", required_argument, NULL, 'd'},
						{"quiet", no_argument, NULL, 'q'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int c, rc = 0;

	optind = 0; /* glibc: start afresh, whoever used getopt before */
	while (!rc && (c = getopt_long(argc, argv, "s:qh", options, NULL)) != -1)
		rc = option(a, c, e);
	if (rc || a->help)
		return rc;
	if (optind < argc)
		a->profile = argv[optind++];
	if (a->resume && !*a->resume && a->profile) {
		a->resume = a->profile;
		a->profile = NULL;
	}
	if (optind < argc)
		return err_input(e, "one profile at a time; \"%s\" is one too many", argv[optind]);
	if (a->resume &&
	    (a->profile || a->o.nsets || a->o.nspaces || a->o.nfixed || a->dry || begins(&a->o)))
		return err_input(
			e, "--resume goes on as the tuning was begun: it takes no profile, "
			   "--set, --space, --fix, --no-rules, --budget, --workload, "
			   "--min-effect, --max-blocks, --blocks, --check-exhaustive, --label or "
			   "--dry-run");
	if (a->o.snapshot && !a->dry)
		return err_input(
			e, "--snapshot is of another machine, and what is measured is this one: "
			   "it goes with --dry-run");
	if (!a->resume && !a->profile)
		return err_input(e, "name a profile; `vbench run` lists the ready ones");
	if (a->export && a->json)
		return err_input(e, "--json or --export, not both; --export-dir goes with either");
	if (a->export && !tune_export_known(a->export))
		return tune_export(NULL, a->export, stdout, e);
	a->o.sets = a->sets;
	a->o.spaces = a->spaces;
	a->o.fixed = a->fixed;
	a->o.consents = a->consents;
	return 0;
}

/* The page of the run that proves it. */
static void page(const json_t *state, const struct args *a)
{
	const char *which = tune_str(state, "recommended");
	const char *uuid =
		tune_str(state, which && !strcmp(which, "lean") ? "confirm_run" : "final_run");
	struct store_run run = {0};
	struct store *s = NULL;
	struct model *m = NULL;
	char *path = NULL;

	if (a->no_report || store_open(a->o.db, false, &s, NULL))
		return;
	/* nothing was proven where the search found nothing: its own page then */
	if (store_run_find(s, uuid, &run, NULL)) {
		store_run_free(&run);
		run = (struct store_run){0};
		uuid = tune_str(state, "search_run");
	}
	if ((*run.uuid || !store_run_find(s, uuid, &run, NULL)) &&
	    !model_make(s, run.uuid, &m, NULL)) {
		path = xasprintf("%s/report.html", run.folder);
		if (!report_html(m, path, NULL))
			fprintf(a->json || a->export ? stderr : stdout, "\nreport: %s\n", path);
	}
	model_free(m);
	store_run_free(&run);
	store_close(s);
	free(path);
}

static int show(const json_t *state, const struct args *a, struct err *e)
{
	int rc = 0;

	if (a->json) {
		json_dumpf(state, stdout, JSON_INDENT(1) | JSON_SORT_KEYS);
		putchar('\n');
	} else {
		tune_text(state, a->export ? stderr : stdout); /* stdout is the export alone */
	}
	if (a->export)
		rc = tune_export(state, a->export, stdout, e);
	if (!rc && a->export_dir)
		rc = tune_export_all(state, a->export_dir, e);
	page(state, a);
	return rc;
}

static int begin(struct args *a, json_t **state, struct err *e)
{
	char *share = assets_share_dir(), *path;
	int rc;

	path = strcmp(a->profile, "-") ? profile_find(a->profile, share) : xstrdup("-");
	if (path)
		rc = tune_begin(path, &a->o, state, e);
	else
		rc = err_input(
			e,
			"no profile \"%s\": no such file, and no ready profile of that name; "
			"`vbench run` lists them",
			a->profile);
	free(path);
	free(share);
	return rc;
}

static int go(struct args *a, json_t **state, struct err *e)
{
	int rc = a->resume ? tune_reopen(a->resume, state, e) : begin(a, state, e);

	if (rc)
		return err_exit(e);
	/* where it was begun its runs are: elsewhere they would begin anew */
	if (a->resume && !a->db && tune_str(*state, "db"))
		a->o.db = tune_str(*state, "db");
	if (a->dry || !a->o.quiet)
		tune_plan_text(*state, a->dry ? stdout : stderr);
	if (a->dry)
		return VB_OK;
	a->o.stop_fd = term_stop_fd();
	rc = tune_go(*state, &a->o, e);
	/* the signal that ended it is still pending, and would end us before we have said how to go
	 * on */
	if (rc != -EINTR)
		term_stop_release();
	if (rc) {
		int status = err_exit(e);

		fprintf(stderr, "vbench: go on with: vbench tune --resume=%.8s\n",
			tune_str(*state, "id"));
		return rc == -EINTR ? VB_INTERRUPTED : status;
	}
	return show(*state, a, e) ? err_exit(e) : tune_status(*state);
}

int cmd_tune(int argc, char **argv)
{
	struct args a = {.o = {.stop_fd = -1}};
	struct err e = {0};
	json_t *state = NULL;
	char *command = argv_command("vbench", argv), *db;
	int status;

	if (parse(argc, argv, &a, &e)) {
		free(command);
		return err_exit(&e);
	}
	db = a.db ? xstrdup(a.db) : store_default_db();
	a.o.db = db;
	a.o.command = command;
	if (a.help) {
		fputs(usage, stdout);
		status = VB_OK;
	} else {
		status = go(&a, &state, &e);
	}
	json_decref(state);
	free(db);
	free(command);
	return status;
}
