// SPDX-License-Identifier: GPL-2.0-or-later
/* Profile -> policy: which cells are compared, by which metric, until when. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "host/host.h"
#include "run/decide.h"
#include "stats/sequential.h"

/* Degrees of freedom below which a spread of earlier is no ground to refuse anything: its 95 %
 * range is then wider than 0.69 to 1.83 times itself. */
#define DF_ENOUGH 10

bool run_is_sequential(const struct run *r)
{
	return !isnan(profile_share(r->profile, K_DECIDE)) ||
	       !isnan(profile_share(r->profile, K_PRECISION));
}

unsigned run_first_look(const struct run *r)
{
	if (!isnan(profile_share(r->profile, K_PRECISION)))
		return PRECISION_FIRST;
	return run_is_sequential(r) ? SEQ_FIRST : 1;
}

const struct metric_row *run_primary_of(const struct profile *p, size_t workload)
{
	const struct workload *w = &p->workloads[workload];
	const char *asked = profile_get(p, K_PRIMARY), *rw = workload_get(w, K_RW);
	bool one = workload_u64(w, K_IODEPTH) * workload_u64(w, K_NUMJOBS) == 1;
	bool mixed = !strcmp(rw, "rw") || !strcmp(rw, "randrw");
	char id[40];

	if (asked && strcmp(asked, "auto"))
		return metric_find(asked);
	if (mixed && !one)
		return metric_find("iops");
	snprintf(id, sizeof(id), "%s.%s", strstr(rw, "write") ? "write" : "read",
		 one ? "lat.mean" : "iops");
	return metric_find(id);
}

const struct metric_row *run_primary(const struct run *r, size_t workload)
{
	return run_primary_of(r->profile, workload);
}

double run_primary_value(const struct run *r, size_t workload, const struct store_sample *s,
			 size_t n)
{
	const struct metric_row *m = run_primary(r, workload);

	for (size_t i = 0; m && i < n; i++)
		if (!strcmp(s[i].metric, m->id))
			return s[i].value;
	return NAN;
}

/* With two arms each cell against its other self, else each against the first. */
static struct policy_pair *pairs_of(const struct profile *p, size_t *n)
{
	struct policy_pair *out;

	*n = p->npairs ? p->npairs : p->ncells - 1;
	out = xcalloc(*n + 1, sizeof(*out));
	for (size_t i = 0; i < *n; i++)
		out[i] = p->npairs ? (struct policy_pair){(unsigned)p->pairs[i].base,
							  (unsigned)p->pairs[i].change}
				   : (struct policy_pair){0, (unsigned)i + 1};
	return out;
}

struct policy *run_policy(const struct run *r)
{
	const struct profile *p = r->profile;
	double decide = profile_share(p, K_DECIDE), precision = profile_share(p, K_PRECISION);
	struct policy_rule rule = {.precision = !isnan(precision),
				   .one_family = p->npairs != 0,
				   .width = isnan(precision) ? decide : precision,
				   .max_blocks = r->blocks};
	struct policy_pair *pairs;
	struct policy *out;
	double *floors;

	if (r->search.visits)
		return run_search_policy(r);
	if (!run_is_sequential(r))
		return policy_fixed(r->seed, r->blocks, (unsigned)p->ncells,
				    (unsigned)p->nworkloads);
	floors = xcalloc(p->nworkloads + 1, sizeof(*floors));
	for (size_t i = 0; i < p->nworkloads; i++) {
		const struct metric_row *m = run_primary(r, i);

		floors[i] = m ? metric_sd_floor(m) : 0;
	}
	rule.pairs = pairs = pairs_of(p, &rule.npairs);
	rule.sd_floor = floors;
	out = policy_decide(r->seed, (unsigned)p->ncells, (unsigned)p->nworkloads, &rule);
	free(pairs);
	free(floors);
	return out;
}

static json_t *texts(char *const *list, size_t n)
{
	json_t *out = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(out, json_string(list[i]));
	return out;
}

json_t *run_vs_json(const struct profile *p)
{
	json_t *pairs;

	if (!p->npairs)
		return NULL;
	pairs = json_array();
	for (size_t i = 0; i < p->npairs; i++)
		json_array_append_new(pairs, json_pack("[s, s]", p->cells[p->pairs[i].base].id,
						       p->cells[p->pairs[i].change].id));
	return json_pack("{s:o, s:o, s:o}", "base", texts(p->vs_base, p->nvs_base), "change",
			 texts(p->vs_change, p->nvs_change), "pairs", pairs);
}

json_t *run_decide_json(const struct run *r, const char **name)
{
	double decide = profile_share(r->profile, K_DECIDE);
	double precision = profile_share(r->profile, K_PRECISION);

	if (!isnan(decide)) {
		*name = "decide";
		return json_pack("{s:i, s:f}", "max_blocks", (int)r->blocks, "min_effect", decide);
	}
	if (!isnan(precision)) {
		*name = "precision";
		return json_pack("{s:i, s:f}", "max_blocks", (int)r->blocks, "width", precision);
	}
	return NULL;
}

static int check_metric(const struct run *r, size_t workload, struct err *e)
{
	const struct metric_row *m = run_primary(r, workload);
	const char *key = isnan(profile_share(r->profile, K_DECIDE)) ? "precision" : "decide";

	if (!m)
		return err_input(e,
				 "run.%s: run.primary = %s is no metric; `vbench run --json` names "
				 "those of a run, or leave it out",
				 key, profile_get(r->profile, K_PRIMARY));
	if (m->scale != SCALE_RATIO)
		return err_input(
			e,
			"run.%s is a share, and %s (run.primary) has none: it can be 0, or "
			"does not vary; name another primary metric, or measure fixed blocks",
			key, m->id);
	if (m->percentile && profile_share(r->profile, K_DECIDE) <= METRIC_BIN)
		return err_input(
			e,
			"run.decide: %s (run.primary) is read from bins 1/64 wide, and %.3g %% "
			"is less than one; use run.decide = 2%% or more, or another primary metric",
			m->id, profile_share(r->profile, K_DECIDE) * 100);
	return 0;
}

/* Trials of an earlier run, for one workload's spread. */
struct past {
	struct store_cell *cells;
	struct store_trial *trials;
	size_t ncells, ntrials;
	unsigned blocks;
};

/* What one trial varies by once cell and block are taken out, on the log scale; NAN: not known. */
static double past_sd(const struct run *r, const struct past *past, size_t workload)
{
	size_t n = past->ncells * past->blocks;
	double *x = xcalloc(n + 1, sizeof(*x));
	struct two_way fit;

	for (size_t i = 0; i < n; i++)
		x[i] = NAN;
	for (size_t i = 0; i < past->ntrials; i++) {
		const struct store_trial *t = &past->trials[i];
		double v = t->ok ? run_primary_value(r, workload, t->samples, t->nsamples) : NAN;
		size_t c = 0;

		while (c < past->ncells && strcmp(past->cells[c].id, t->cell))
			c++;
		if (v > 0 && isfinite(v) && c < past->ncells && t->block < past->blocks &&
		    !strcmp(t->workload, r->profile->workloads[workload].name))
			x[c * past->blocks + t->block] = log(v);
	}
	fit = two_way_fit(x, past->ncells, past->blocks);
	free(x);
	return fit.df >= DF_ENOUGH ? fit.residual_sd : NAN;
}

/* The newest complete run of this profile on this host; false: none. */
static bool find_past(const struct run *r, struct store *s, struct past *out, char uuid[37])
{
	struct store_run *runs = NULL;
	char host[65];
	size_t n = 0, i;

	if (host_id(host, NULL) || store_runs(s, &runs, &n, NULL))
		return false;
	for (i = 0; i < n; i++)
		if (!strcmp(runs[i].host_id, host) && !strcmp(runs[i].status, "complete") &&
		    !strcmp(runs[i].profile_name, r->profile->name) && runs[i].blocks <= 10000)
			break;
	*out = (struct past){0};
	if (i < n) {
		memcpy(uuid, runs[i].uuid, 37);
		out->blocks = runs[i].blocks;
	}
	store_runs_free(runs, n);
	return out->blocks && !store_cells(s, uuid, &out->cells, &out->ncells, NULL) &&
	       !store_trials(s, uuid, &out->trials, &out->ntrials, NULL);
}

/* Half a 95 % interval of n pairs, as a ratio less 1: the smallest difference that they show. */
static double shown_by(double sd, unsigned n)
{
	return expm1(t_quantile(0.975, n - 1.0) * sqrt(2.0 / n) * sd);
}

static int check_spread(struct run *r, const struct past *past, const char *uuid, struct err *e)
{
	double decide = profile_share(r->profile, K_DECIDE), least = INFINITY, sd = NAN;

	for (size_t i = 0; i < r->profile->nworkloads; i++) {
		double s = past_sd(r, past, i);

		if (isnan(s))
			return 0;
		if (shown_by(s, r->blocks) < least) {
			least = shown_by(s, r->blocks);
			sd = s;
		}
	}
	if (decide >= 2 * least || r->opts->decide_anyway)
		return 0;
	return err_input(
		e,
		"run.decide = %.3g%%: %u blocks show differences of %.3g%% at the best here "
		"(run %.8s: trials vary by %.3g%%), and half of run.decide must show; take "
		"%.3g%% or more, raise run.max-blocks, or lengthen the workloads' runtime",
		decide * 100, r->blocks, least * 100, uuid, sd * 100, ceil(2000 * least) / 10);
}

int run_decide_check(struct run *r, struct err *e)
{
	struct past past = {0};
	struct store *s = NULL;
	char uuid[37] = "";
	int rc = 0;

	if (!run_is_sequential(r))
		return 0;
	for (size_t i = 0; !rc && i < r->profile->nworkloads; i++)
		rc = check_metric(r, i, e);
	if (rc || isnan(profile_share(r->profile, K_DECIDE)) ||
	    store_open(r->opts->db, false, &s, NULL))
		return rc;
	if (find_past(r, s, &past, uuid))
		rc = check_spread(r, &past, uuid, e);
	store_cells_free(past.cells, past.ncells);
	store_trials_free(past.trials, past.ntrials);
	store_close(s);
	return rc;
}
