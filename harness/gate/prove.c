// SPDX-License-Identifier: GPL-2.0-or-later
/* `vbench gate prove`: what the gate finds and how often it cries for nothing. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/term.h"
#include "gate/night.h"
#include "gate/prove.h"
#include "gate/prove_night.h"
#include "guest/assets.h"
#include "guest/machine.h"
#include "store/store.h"

static const char usage[] =
	"usage: vbench gate prove PROFILE [--bank [--blocks N]] [--inject] [OPTION...]\n"
	"Shows what the gate of PROFILE can do on this host: how often it would be red although nothing was\n"
	"changed, and how often it would find a slow-down on the first night. Both are drawn from a bank of\n"
	"A/A blocks (equal arms, interleaved as on a night), by the gate's own two stages.\n\n"
	"      --bank            measure blocks for the bank; several times, over several days: they add up\n"
	"      --blocks N        that many (default 50)\n"
	"      --inject          put real slow-downs into runs: latency of a null back end, by shares of the\n"
	"                        measured latency; read back, and judged as a night\n"
	"      --effects LIST    slow-downs in percent (default 2,3,5,10)\n"
	"      --nights N        nights drawn from the bank (default 40000; a tenth for each slow-down)\n"
	"      --seed N          of the drawing (default 1)\n"
	"      --set KEY=VALUE   override a key of the profile\n"
	"      --wait            wait while another measuring run of this host goes on\n"
	"      --json            the result as JSON on stdout\n"
	"      --db FILE         database (default: in the data folder)\n"
	"  -q, --quiet           no progress\n"
	"  -h, --help            this text\n\n"
	"Exit status: 0 the gate keeps its word, 1 it does not (false alarms above gate.rate, or gate.must-see\n"
	"found on less than 80 % of nights, beyond the error of either), 3 the bank is too small to say (0 with\n"
	"--bank and --inject, which add to what is known).\n";

struct args {
	struct arms_opts o;
	char *path;
	double effects[PROVE_EFFECTS];
	size_t neffects;
	unsigned long blocks, nights, seed;
	bool bank, inject, json, help;
	const char *profile, *db;
};

static int read_number(const char *option, const char *text, unsigned long max, unsigned long *out,
		       struct err *e)
{
	char *end;

	errno = 0;
	*out = strtoul(text, &end, 10);
	if (errno || *end || *text < '0' || *text > '9' || !*out || *out > max)
		return err_input(e, "%s: \"%.40s\" is no number from 1 to %lu", option, text, max);
	return 0;
}

static int read_effects(const char *text, struct args *a, struct err *e)
{
	const char *at = text;
	char *end = NULL;

	a->neffects = 0;
	do {
		double v = strtod(at, &end);

		if (end == at || !(v > 0 && v <= 100) || (*end && *end != ','))
			return err_input(
				e,
				"--effects: \"%.80s\": write percents parted by commas, each "
				"above 0 and at most 100, for instance 2,3,5,10",
				text);
		if (a->neffects == PROVE_EFFECTS)
			return err_input(e, "--effects: more than %d", PROVE_EFFECTS);
		a->effects[a->neffects++] = v / 100;
		at = end + 1;
	} while (*end);
	return 0;
}

static int take_option(int c, struct args *a, struct err *e)
{
	switch (c) {
	case 'B':
		a->bank = true;
		return 0;
	case 'b':
		return read_number("--blocks", optarg, 1000, &a->blocks, e);
	case 'i':
		a->inject = true;
		return 0;
	case 'e':
		return read_effects(optarg, a, e);
	case 'n':
		return read_number("--nights", optarg, 10000000, &a->nights, e);
	case 'r':
		return read_number("--seed", optarg, 1000000000, &a->seed, e);
	case 's':
		set_list_add(&a->o.sets, optarg);
		return 0;
	case 'w':
		a->o.wait = true;
		return 0;
	case 'j':
		a->json = true;
		return 0;
	case 'd':
		a->db = optarg;
		return 0;
	case 'q':
		a->o.quiet = true;
		return 0;
	case 'h':
		a->help = true;
		return 0;
	default:
		return err_input(e, "see `vbench gate prove --help`");
	}
}

static int parse(int argc, char **argv, struct args *a, struct err *e)
{
	static const struct option options[] = {
		{"bank", no_argument, NULL, 'B'},
		{"blocks", required_argument, NULL, 'b'},
		{"inject", no_argument, NULL, 'i'},
		{"effects", required_argument, NULL, 'e'},
		{"nights", required_argument, NULL, 'n'},
		{"seed", required_argument, NULL, 'r'},
		{"set", required_argument, NULL, 's'},
		{"wait", no_argument, NULL, 'w'},
		{"json", no_argument, NULL, 'j'},
		{"db", required_argument, NULL, 'd'},
		{"quiet", no_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c, rc = 0;

	*a = (struct args){.effects = {0.02, 0.03, 0.05, 0.10},
			   .neffects = 4,
			   .nights = PROVE_NIGHTS,
			   .seed = 1};
	optind = 0; /* glibc: begin anew, the caller may have read options of its own */
	while (!rc && (c = getopt_long(argc, argv, "s:qh", options, NULL)) != -1)
		rc = take_option(c, a, e);
	if (rc || a->help)
		return rc;
	if (optind >= argc)
		return err_input(e, "which profile? see `vbench gate prove --help`");
	a->profile = argv[optind++];
	if (optind < argc)
		return err_input(e, "one profile at a time; \"%s\" is one too many", argv[optind]);
	if (a->blocks && !a->bank)
		return err_input(e, "--blocks goes with --bank");
	if (!a->blocks)
		a->blocks = 50;
	return 0;
}

/* What must not go by unseen is always among the slow-downs tried. */
static void add_effects(struct prove *p, const struct args *a)
{
	bool there = !isfinite(p->rule.must_see);

	for (size_t i = 0; i < a->neffects; i++) {
		p->effects[p->neffects++].effect = a->effects[i];
		there |= fabs(a->effects[i] - p->rule.must_see) < 1e-9;
	}
	if (!there && p->neffects < PROVE_EFFECTS)
		p->effects[p->neffects++].effect = p->rule.must_see;
}

static int found_rate(struct prove *p, const struct night_shape *shape, struct prove_effect *x,
		      size_t nights, uint64_t seed)
{
	double sum = 0;

	for (size_t i = 0; i < p->bank.nseries; i++) {
		struct night_rate r;
		int rc = prove_found_nights(&p->bank.bank, shape, i, log1p(x->effect), nights, seed,
					    &r);

		if (rc)
			return rc;
		sum += r.share;
		if (i && r.share >= x->worst.share)
			continue;
		x->worst = r;
		x->worst_series = i;
	}
	x->mean = sum / (double)p->bank.nseries;
	return 0;
}

int prove_rates(struct prove *p, size_t nights, uint64_t seed, struct err *e)
{
	struct night_shape shape = {.first = p->rule.blocks,
				    .second = p->rule.confirm,
				    .judge = prove_gate,
				    .arg = &p->rule};
	int rc;

	if (p->bank.bank.nblocks < shape.first + shape.second || !p->bank.nseries)
		return 0;
	rc = prove_false_nights(&p->bank.bank, &shape, nights, seed, &p->false_nights);
	for (size_t i = 0; !rc && i < p->neffects; i++)
		rc = found_rate(p, &shape, &p->effects[i], nights / 10 ? nights / 10 : 1, seed);
	if (rc)
		return err_set(e, rc, "the bank cannot be drawn from");
	p->false_90 = prove_over_nights(p->false_nights.share, GATE_NIGHTS);
	p->false_90_lo = prove_over_nights(p->false_nights.lo, GATE_NIGHTS);
	p->false_90_hi = prove_over_nights(p->false_nights.hi, GATE_NIGHTS);
	p->rates = true;
	return 0;
}

enum vb_status prove_status(const struct prove *p)
{
	if (!p->rates || !bank_enough(&p->bank))
		return VB_UNDECIDED;
	if (p->false_90_lo > p->rule.rate)
		return VB_WORSE;
	for (size_t i = 0; i < p->neffects; i++)
		if (fabs(p->effects[i].effect - p->rule.must_see) < 1e-9 &&
		    p->effects[i].worst.hi < 0.8)
			return VB_WORSE;
	return VB_OK;
}

void prove_free(struct prove *p)
{
	for (size_t i = 0; i < p->ninjected; i++)
		inject_free(&p->injected[i]);
	free(p->injected);
	bank_free(&p->bank);
}

static int fill_bank(const struct args *a, struct err *e)
{
	const struct set_list none = {0};
	struct arms_run run;
	int rc = arms_measure(&a->o, BANK_LABEL, (unsigned)a->blocks, &none, &none, &run, e);

	if (!rc && !a->o.quiet)
		fprintf(stderr, "run %.8s: %u trials for the bank, %u failed\n", run.uuid, run.ok,
			run.failed);
	arms_free(&run);
	return rc;
}

static int inject(const struct args *a, const struct profile *profile, struct prove *p,
		  struct err *e)
{
	int rc = inject_check(profile, e);

	if (!rc)
		rc = inject_calibrate(&a->o, profile, &p->latency_base_ns, &p->latency_ns, e);
	if (rc)
		return rc;
	p->injected = xcalloc(a->neffects + 1, sizeof(*p->injected));
	for (size_t i = 0; !rc && i < a->neffects; i++) {
		rc = inject_run(&a->o, &p->rule, a->effects[i], p->latency_base_ns, p->latency_ns,
				&p->injected[i], e);
		p->ninjected = i + 1;
	}
	return rc;
}

/* gate.blocks = auto: as a gate would whose nights vary as the bank does. */
static void plan_by_bank(struct prove *p, const struct profile *profile)
{
	bool blocks = !profile_u64(profile, K_GATE_BLOCKS);
	bool confirm = !profile_u64(profile, K_GATE_CONFIRM);
	double sd = NAN;

	for (size_t i = 0; i < p->bank.nseries; i++) {
		const struct bank_series *s = &p->bank.series[i];

		if (!isfinite(s->sd) || s->pairs < p->bank.runs + GATE_PLAN_DF)
			return;
		sd = fmax(isnan(sd) ? 0 : sd, s->sd);
	}
	if (isnan(sd) || !(blocks || confirm))
		return;
	gate_plan(&p->rule, sd, blocks, confirm);
	p->planned = true;
}

static int execute(const struct args *a, const struct profile *profile, int *status, struct err *e)
{
	struct prove p = {.profile = profile->name, .latency_ns = NAN};
	int rc = 0;

	p.rule = gate_rule_of(profile, profile->ncells * profile->nworkloads);
	add_effects(&p, a);
	if (a->bank)
		rc = fill_bank(a, e);
	if (!rc)
		rc = bank_read(a->o.db, profile->name, &p.bank, e);
	if (!rc && p.bank.nseries)
		p.rule.series = p.bank.nseries;
	if (!rc)
		plan_by_bank(&p, profile);
	if (!rc && a->inject)
		rc = inject(a, profile, &p, e);
	if (!rc)
		rc = prove_rates(&p, a->nights, a->seed, e);
	if (!rc) {
		if (a->json) {
			json_t *j = prove_json(&p);

			json_dumpf(j, stdout, JSON_INDENT(1) | JSON_SORT_KEYS);
			putchar('\n');
			json_decref(j);
		} else {
			prove_text(&p, stdout);
		}
		*status = prove_status(&p);
		/* to have added to it was all that was asked for */
		if (*status == VB_UNDECIDED && (a->bank || a->inject))
			*status = VB_OK;
	}
	prove_free(&p);
	return rc;
}

int gate_prove(int argc, char **argv)
{
	char *share = assets_share_dir(), *command = argv_command("vbench gate", argv),
	     *path = NULL, *db = NULL;
	struct profile *profile = NULL;
	int rc, status = VB_OK;
	struct err e = {0};
	struct args a;

	rc = parse(argc, argv, &a, &e);
	if (!rc && a.help) {
		fputs(usage, stdout);
		goto out;
	}
	if (!rc) {
		path = profile_find(a.profile, share);
		if (!path)
			rc = err_input(
				&e,
				"no profile \"%s\": no such file, and no ready profile of that "
				"name; `vbench run` lists them",
				a.profile);
	}
	if (!rc)
		rc = profile_load(path, a.o.sets.text, a.o.sets.n, &profile, &e);
	if (!rc) {
		db = a.db ? xstrdup(a.db) : store_default_db();
		a.o.profile = path;
		a.o.db = db;
		a.o.command = command;
		a.o.stop_fd = a.bank || a.inject ? term_stop_fd() : -1;
		rc = execute(&a, profile, &status, &e);
		if (a.o.stop_fd >= 0)
			close(a.o.stop_fd);
	}
	if (rc)
		status = err_exit(&e);
out:
	set_list_free(&a.o.sets);
	profile_free(profile);
	free(share);
	free(command);
	free(path);
	free(db);
	return status;
}
