// SPDX-License-Identifier: GPL-2.0-or-later
/* `vbench gate PROFILE`, `gate accept`, `gate show`, `gate prove`. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/term.h"
#include "cmd/cmd.h"
#include "gate/gate.h"
#include "gate/prove.h"
#include "guest/assets.h"
#include "guest/machine.h"
#include "profile/profile.h"

static const char usage[] =
	"usage: vbench gate [OPTION...] PROFILE\n"
	"       vbench gate accept PROFILE --why TEXT [--from NIGHT|now] [--environment | --anchor]\n"
	"       vbench gate show [PROFILE]\n"
	"       vbench gate prove ...\n"
	"Measures tonight's QEMU and guest kernel, interleaved with a kept reference build, and says in\n"
	"TAP which series of the profile are worse: screened on gate.blocks, suspects confirmed on\n"
	"gate.confirm fresh blocks; both are planned from the spread of earlier nights unless the profile\n"
	"says how many. From the 27th night on, slow drift against the anchor is told, too. A re-run of a\n"
	"red build adds to its record.\n"
	"Exit: 0 green; 1 a series is worse, or drifts; 3 blind (gate.must-see could have gone by unseen);\n"
	"4 missing, failed or mismatched trials, changed environment or series; 2 bad input.\n\n"
	"      --set KEY=VALUE     override a key, in both arms\n"
	"      --inject KEY=VALUE  change tonight's arm alone, to see the gate find it: disk.latency=330us;\n"
	"                          such a night is kept apart\n"
	"      --label TEXT        name of the build; same as --set run.label=TEXT\n"
	"      --init              without a reference: keep the present build as one, and go on\n"
	"      --junit FILE        the night as a JUnit file, too\n"
	"      --consent DEVICE    as in `vbench run`\n"
	"      --wait              wait while another measuring run of this host goes on\n"
	"      --db FILE           database (default: in the data folder)\n"
	"  -q, --quiet             no progress\n"
	"  -h, --help              this text\n"
	"accept:\n"
	"      --why TEXT          for those who come after; recorded with who and when\n"
	"      --from NIGHT|now    the build of that night, if it is still here (last, or its id)\n"
	"      --environment       accept this host's set-up and the profile's series; the reference\n"
	"                          build stays\n"
	"      --anchor            make the last 20 green nights the anchor\n";

struct args {
	struct gate_opts o;
	const char *sets[256], *inject[64], *consents[64];
	const char *why, *from;
	bool environment, anchor, help;
};

static int add(const char **list, size_t *n, size_t max, const char *what, const char *value,
	       struct err *e)
{
	if (*n == max)
		return err_input(e, "more than %zu --%s", max, what);
	list[(*n)++] = value;
	return 0;
}

#define ADD(list, n, what) add(list, &(n), sizeof(list) / sizeof(*(list)), what, optarg, e)

static int parse_one(int c, struct args *a, struct err *e)
{
	switch (c) {
	case 's':
		return ADD(a->sets, a->o.nsets, "set");
	case 'i':
		return ADD(a->inject, a->o.ninject, "inject");
	case 'c':
		return ADD(a->consents, a->o.nconsents, "consent");
	case 'l':
		a->o.label = optarg;
		return 0;
	case 'I':
		a->o.init = true;
		return 0;
	case 'J':
		a->o.junit = optarg;
		return 0;
	case 'w':
		a->o.wait = true;
		return 0;
	case 'd':
		a->o.db = optarg;
		return 0;
	case 'q':
		a->o.quiet = true;
		return 0;
	case 'y':
		a->why = optarg;
		return 0;
	case 'f':
		a->from = optarg;
		return 0;
	case 'E':
		a->environment = true;
		return 0;
	case 'A':
		a->anchor = true;
		return 0;
	case 'h':
		a->help = true;
		return 0;
	default:
		return err_input(e, "see `vbench gate --help`");
	}
}

static int parse(int argc, char **argv, struct args *a, struct err *e)
{
	static const struct option options[] = {
		{"set", required_argument, NULL, 's'},
		{"inject", required_argument, NULL, 'i'},
		{"label", required_argument, NULL, 'l'},
		{"init", no_argument, NULL, 'I'},
		{"junit", required_argument, NULL, 'J'},
		{"consent", required_argument, NULL, 'c'},
		{"wait", no_argument, NULL, 'w'},
		{"db", required_argument, NULL, 'd'},
		{"quiet", no_argument, NULL, 'q'},
		{"why", required_argument, NULL, 'y'},
		{"from", required_argument, NULL, 'f'},
		{"environment", no_argument, NULL, 'E'},
		{"anchor", no_argument, NULL, 'A'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c, rc = 0;

	optind = 0; /* glibc: start afresh, whoever used getopt before */
	while (!rc && (c = getopt_long(argc, argv, "s:qh", options, NULL)) != -1)
		rc = parse_one(c, a, e);
	if (rc || a->help)
		return rc;
	if (optind < argc)
		a->o.path = argv[optind++];
	if (optind < argc)
		return err_input(e, "one profile at a time; \"%s\" is one too many", argv[optind]);
	return 0;
}

/* The profile's file, as `vbench run` finds it; new. */
static char *find_profile(const char *name, struct err *e)
{
	char *share = assets_share_dir(), *path = name ? profile_find(name, share) : NULL;

	free(share);
	if (!name)
		err_input(e, "gate: which profile? see `vbench gate --help`");
	else if (!path)
		err_input(
			e,
			"no profile \"%s\": no such file, and no ready profile of that name; `vbench "
			"run` lists them",
			name);
	return path;
}

/* A night that could not go on, as JUnit: last night's file must not be taken for tonight's. */
static void junit_bail(const struct args *a, struct gate_night *n, const struct err *e)
{
	struct err lost = {0};

	if (!a->o.junit)
		return;
	if (!n->profile)
		n->profile = xstrdup(a->o.path);
	if (n->ended < n->begun)
		n->ended = n->begun;
	gate_check_add(n, "gate", false, xstrdup(e->text),
		       xstrdup("mend what it names, and run the gate again"));
	gate_judge_rest(n);
	if (gate_junit(n, a->o.junit, &lost))
		err_exit(&lost);
}

static int night(struct args *a, struct err *e)
{
	struct gate_night n;
	int status, rc;

	if (a->why || a->from || a->environment || a->anchor)
		return err_input(e,
				 "--why, --from, --environment and --anchor are of `gate accept`"),
		       err_exit(e);
	a->o.stop_fd = term_stop_fd();
	rc = gate_night_run(&a->o, &n, e);
	if (rc) {
		/* TAP's word for a test that could not go on: a CI must not take silence for green
		 */
		printf("TAP version 13\nBail out! %.*s\n", (int)strcspn(e->text, "\n"), e->text);
		junit_bail(a, &n, e);
		gate_night_free(&n);
		return rc == -EINTR ? VB_INTERRUPTED : err_exit(e);
	}
	gate_tap(&n, stdout);
	status = gate_status(&n);
	if (a->o.junit && gate_junit(&n, a->o.junit, e)) {
		int lost = err_exit(e);

		status = status ? status : lost;
	}
	gate_night_free(&n);
	return status;
}

static int accept(struct args *a, struct err *e)
{
	enum gate_accept what = a->environment ? ACCEPT_ENVIRONMENT
				: a->anchor    ? ACCEPT_ANCHOR
					       : ACCEPT_REFERENCE;
	char *said;
	int rc;

	if (a->environment + a->anchor + (a->from != NULL) > 1)
		return err_input(e, "--from, --environment and --anchor exclude each other"),
		       err_exit(e);
	rc = gate_accept(&a->o, what, a->from, a->why, &said, e);
	if (!rc)
		puts(said);
	free(said);
	return rc ? err_exit(e) : VB_OK;
}

/* A profile is named as in a night, or as the records have it. */
static int show(struct args *a, const char *db, struct err *e)
{
	const char *slash = a->o.path ? strrchr(a->o.path, '/') : NULL;
	char *name = xstrdup(slash ? slash + 1 : a->o.path);
	size_t n = name ? strlen(name) : 0;
	int rc;

	if (n > 4 && !strcmp(name + n - 4, ".ini"))
		name[n - 4] = 0;
	rc = gate_show(db, name, stdout, e);
	free(name);
	return rc ? err_exit(e) : VB_OK;
}

int cmd_gate(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	bool accepts = !strcmp(verb, "accept"), shows = !strcmp(verb, "show");
	char *path = NULL, *db = NULL, *command;
	struct args a = {.o = {.stop_fd = -1}};
	struct err e = {0};
	int status;

	if (!strcmp(verb, "prove"))
		return gate_prove(argc - 1, argv + 1);
	command = argv_command("vbench", argv);
	if (parse(accepts || shows ? argc - 1 : argc, accepts || shows ? argv + 1 : argv, &a, &e)) {
		status = err_exit(&e);
		goto out;
	}
	if (a.help) {
		fputs(usage, stdout);
		status = VB_OK;
		goto out;
	}
	a.o.sets = a.sets;
	a.o.inject = a.inject;
	a.o.consents = a.consents;
	a.o.command = command;
	db = a.o.db ? xstrdup(a.o.db) : store_default_db();
	a.o.db = db;
	if (shows) {
		status = show(&a, db, &e);
		goto out;
	}
	path = find_profile(a.o.path, &e);
	if (!path) {
		status = err_exit(&e);
		goto out;
	}
	a.o.path = path;
	status = accepts ? accept(&a, &e) : night(&a, &e);
out:
	free(path);
	free(db);
	free(command);
	return status;
}
