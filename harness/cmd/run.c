// SPDX-License-Identifier: GPL-2.0-or-later
/* `vbench run [PROFILE]`. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "analysis/model.h"
#include "base/units.h"
#include "base/term.h"
#include "cmd/cmd.h"
#include "guest/assets.h"
#include "guest/machine.h"
#include "reports/report.h"
#include "run/run.h"

static const char usage[] =
	"usage: vbench run [OPTION...] [PROFILE]\n"
	"Measures PROFILE (a file, the name of a ready profile, or - for standard input) on fresh guests,\n"
	"or with fio on the host where its cells say so (guest.site = host), and reports.\n"
	"Without PROFILE: lists the ready profiles and their questions.\n\n"
	"      --set KEY=VALUE   override a key: disk.bus=nvme, workload.bs=8k, \"workload NAME.rw\"=read\n"
	"      --vs KEY=VALUE    measure each cell once more with this change, interleaved in one run:\n"
	"                        disk.ring=packed, guest.qemu=PATH; several --vs are one change\n"
	"      --for TIME        as many blocks as fit into TIME (30m, 2h)\n"
	"      --dry-run         print cells, skipped combinations, schedule, cost and every\n"
	"                        command line; start nothing\n"
	"      --resume[=RUN]    go on with an unfinished run (default: this host's newest)\n"
	"      --label TEXT      name of what is measured (a build); same as --set run.label=TEXT\n"
	"      --consent DEVICE  overwrite this block device, which the profile names in disk.device;\n"
	"                        twice for one that holds partitions, a file system or the like;\n"
	"                        who only reads it is not looked for, and without root the\n"
	"                        open files of other users are not seen\n"
	"      --consent host    change the settings of this host that [knob] names, for the trials\n"
	"                        that want them; they are put back\n"
	"      --wait            wait while another measuring run of this host goes on\n"
	"      --json            print the result as JSON on stdout instead of tables\n"
	"      --no-report       write no HTML page\n"
	"      --db FILE         database (default: in the data folder)\n"
	"  -q, --quiet           no progress\n"
	"  -h, --help            this text\n";

struct args {
	const char *profile, *resume, *db;
	const char *sets[256];
	size_t nsets;
	const char *vs[64];
	size_t nvs;
	const char *consents[64];
	size_t nconsents;
	char *label_set;
	uint64_t budget;
	bool dry, wait, json, quiet, no_report, help;
};

static int add_set(struct args *a, const char *set, struct err *e)
{
	if (a->nsets == sizeof(a->sets) / sizeof(*a->sets))
		return err_input(e, "more than %zu --set", a->nsets);
	a->sets[a->nsets++] = set;
	return 0;
}

static int add_vs(struct args *a, const char *set, struct err *e)
{
	if (a->nvs == sizeof(a->vs) / sizeof(*a->vs))
		return err_input(e, "more than %zu --vs", a->nvs);
	a->vs[a->nvs++] = set;
	return 0;
}

static int add_consent(struct args *a, const char *device, struct err *e)
{
	if (a->nconsents == sizeof(a->consents) / sizeof(*a->consents))
		return err_input(e, "more than %zu --consent", a->nconsents);
	a->consents[a->nconsents++] = device;
	return 0;
}

static int parse(int argc, char **argv, struct args *a, struct err *e)
{
	static const struct option options[] = {
		{"set", required_argument, NULL, 's'},	   {"vs", required_argument, NULL, 'v'},
		{"for", required_argument, NULL, 'f'},	   {"dry-run", no_argument, NULL, 'n'},
		{"resume", optional_argument, NULL, 'r'},  {"label", required_argument, NULL, 'l'},
		{"wait", no_argument, NULL, 'w'},	   {"json", no_argument, NULL, 'j'},
		{"no-report", no_argument, NULL, 'R'},	   {"db", required_argument, NULL, 'd'},
		{"quiet", no_argument, NULL, 'q'},	   {"help", no_argument, NULL, 'h'},
		{"consent", required_argument, NULL, 'c'}, {NULL, 0, NULL, 0},
	};
	int c, rc = 0;

	optind = 0; /* glibc: start afresh, whoever used getopt before */
	while (!rc && (c = getopt_long(argc, argv, "s:qh", options, NULL)) != -1) {
		switch (c) {
		case 's':
			rc = add_set(a, optarg, e);
			break;
		case 'v':
			rc = add_vs(a, optarg, e);
			break;
		case 'f':
			if (units_time(optarg, &a->budget) || !a->budget)
				rc = err_input(e, "--for: \"%s\" is not a time; write 30m or 2h",
					       optarg);
			break;
		case 'n':
			a->dry = true;
			break;
		case 'r':
			a->resume = optarg ? optarg : "";
			break;
		case 'l':
			free(a->label_set);
			a->label_set = xasprintf("run.label=%s", optarg);
			rc = add_set(a, a->label_set, e);
			break;
		case 'c':
			rc = add_consent(a, optarg, e);
			break;
		case 'w':
			a->wait = true;
			break;
		case 'j':
			a->json = true;
			break;
		case 'R':
			a->no_report = true;
			break;
		case 'd':
			a->db = optarg;
			break;
		case 'q':
			a->quiet = true;
			break;
		case 'h':
			a->help = true;
			break;
		default:
			rc = err_input(e, "see `vbench run --help`");
		}
	}
	if (rc || a->help)
		return rc;
	if (optind < argc)
		a->profile = argv[optind++];
	/* `--resume RUN` as two words, as people type it */
	if (a->resume && !*a->resume && a->profile) {
		a->resume = a->profile;
		a->profile = NULL;
	}
	if (optind < argc)
		return err_input(e, "one profile at a time; \"%s\" is one too many", argv[optind]);
	if (a->resume && (a->profile || a->nsets || a->nvs || a->budget || a->dry))
		return err_input(
			e,
			"--resume goes on as the run was begun: it takes no profile, --set, --vs, --for or --dry-run");
	if (a->nvs && !a->profile)
		return err_input(e, "--vs needs a profile; `vbench run` lists the ready ones");
	return 0;
}

static int width(void)
{
	struct winsize ws;

	return isatty(1) && !ioctl(1, TIOCGWINSZ, &ws) && ws.ws_col >= 60 ? ws.ws_col : 100;
}

static int show(const struct args *a, const char *db, const struct run_outcome *out)
{
	struct err e = {0};
	struct store *s = NULL;
	struct model *m = NULL;
	const char *page;
	int rc;

	term_stop_release();
	rc = store_open(db, false, &s, &e);

	if (!rc)
		rc = model_make(s, out->uuid, &m, &e);
	if (rc) {
		store_close(s);
		return err_exit(&e);
	}
	if (a->json) {
		json_t *j = model_json(m);

		json_dumpf(j, stdout, JSON_INDENT(1) | JSON_SORT_KEYS);
		putchar('\n');
		json_decref(j);
	} else {
		report_text(m, stdout, isatty(1), width());
	}
	page = out->page;
	if (!a->no_report) {
		rc = report_html(m, page, &e);
		if (!rc)
			fprintf(a->json ? stderr : stdout,
				"\nreport: %s\n        open it with: xdg-open '%s'\n", page, page);
	}
	model_free(m);
	store_close(s);
	return rc ? err_exit(&e) : 0;
}

static int execute(struct args *a, const struct profile *p, const struct run_opts *o)
{
	struct run_outcome out = {0};
	struct err e = {0};
	int rc = a->resume ? run_resume(a->resume, o, &out, &e) : run_profile(p, o, &out, &e),
	    status = 0;
	unsigned trials = out.ok + out.failed + out.limited;

	if (rc)
		status = err_exit(&e);
	if (rc == -EINTR) {
		status = VB_INTERRUPTED;
		if (out.folder)
			fprintf(stderr,
				"vbench: %u trials are stored; go on with: vbench run --resume=%.8s\n",
				trials, out.uuid);
	} else if (out.folder && trials) {
		int shown = show(a, o->db, &out);

		if (!status)
			status = shown;
	}
	if (!status && out.failed) {
		fprintf(stderr, "vbench: %u of %u trials failed: their causes are in the report\n",
			out.failed, trials);
		status = VB_NOT_MEASURED;
	}
	free(out.folder);
	free(out.page);
	return status;
}

int cmd_run(int argc, char **argv)
{
	struct args a = {0};
	struct err e = {0};
	struct profile *p = NULL;
	char *share = assets_share_dir(), *path = NULL, *db = NULL,
	     *command = argv_command("vbench", argv);
	int status = VB_OK;

	if (parse(argc, argv, &a, &e)) {
		status = err_exit(&e);
		goto out;
	}
	if (a.help || (!a.profile && !a.resume)) {
		if (a.help)
			fputs(usage, stdout);
		else
			profile_list(stdout, share);
		goto out;
	}
	if (a.profile) {
		path = strcmp(a.profile, "-") ? profile_find(a.profile, share) : xstrdup("-");
		if (!path) {
			err_input(
				&e,
				"no profile \"%s\": no such file, and no ready profile of that name; `vbench run` lists them",
				a.profile);
			status = err_exit(&e);
			goto out;
		}
		if (a.nvs ? profile_load_arms(path, a.sets, a.nsets, NULL, 0, a.vs, a.nvs, &p, &e)
			  : profile_load(path, a.sets, a.nsets, &p, &e)) {
			status = err_exit(&e);
			goto out;
		}
	}
	db = a.db ? xstrdup(a.db) : store_default_db();
	{
		struct run_opts o = {.db = db,
				     .command = command,
				     .budget_ns = a.budget,
				     .wait = a.wait,
				     .quiet = a.quiet,
				     .consents = a.consents,
				     .nconsents = a.nconsents,
				     .stop_fd = -1};

		if (a.dry) {
			status = run_dry(p, &o, stdout, &e) ? err_exit(&e) : VB_OK;
		} else {
			o.stop_fd = term_stop_fd();
			status = execute(&a, p, &o);
		}
	}
out:
	profile_free(p);
	free(a.label_set);
	free(share);
	free(path);
	free(db);
	free(command);
	return status;
}
