// SPDX-License-Identifier: GPL-2.0-or-later
/* A night from its reference to its record: measured in two stages, judged, stored. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/term.h"
#include "gate/environ.h"
#include "gate/night.h"
#include "gate/reference.h"
#include "run/run.h"

/* What is held while a night goes on. */
struct work {
	const struct gate_opts *o;
	struct gate_place place;
	struct gate_build build;
	const struct store_gate *accepted; /* in place.records */
	char *folder;			   /* of the reference */
	struct gate_night *n;
	bool recorded;
};

static void cannot_be(struct gate_night *n, const char *name, const struct err *why,
		      const char *remedy)
{
	gate_check_add(n, name, false, xstrdup(why->text), xstrdup(remedy));
}

/* Is anything at hand to compare with? 1: yes; 0: no, and a check says why; or -errno. */
static int find_reference(struct work *w, struct err *e)
{
	struct store_gate *others = NULL;
	size_t n = 0;
	char *said = NULL;
	int rc = 0;

	if (!gate_accepted(w->place.records, w->place.nrecords) && w->o->init) {
		rc = gate_accept(w->o, ACCEPT_REFERENCE, NULL, "--init: the first night", &said, e);
		if (!rc && !w->o->quiet)
			fprintf(stderr, "vbench: %s\n", said);
		free(said);
		if (!rc)
			rc = gate_place_read(&w->place, e);
		if (rc)
			return rc;
	}
	w->accepted = gate_accepted(w->place.records, w->place.nrecords);
	if (w->accepted) {
		w->folder = gate_doc_text(w->accepted, "folder");
		return 1;
	}
	rc = store_gates(w->place.store, NULL, w->place.plain->name, &others, &n, e);
	store_gates_free(others, n);
	if (rc)
		return rc;
	if (!n)
		return err_input(
			e,
			"profile %s has no reference build on this host; keep the present one with: "
			"vbench gate accept %s --why TEXT (or begin with: vbench gate --init %s)",
			w->place.plain->name, w->o->path, w->o->path);
	gate_check_add(
		w->n, "host", false,
		xasprintf("the store's nights of this profile are of another host, and this one "
			  "(%.8s) has no reference build: what a baseline holds for is its host",
			  w->place.host),
		xasprintf("vbench gate accept %s --why TEXT", w->o->path));
	return 0;
}

static void check_environment(struct work *w)
{
	json_t *doc = gate_doc(w->accepted), *now = gate_environment();
	char *diff = environ_diff(json_object_get(doc, "environment"), now);

	if (diff)
		gate_check_add(w->n, "environment", false,
			       xasprintf("this host is not set up as it was accepted:\n%s", diff),
			       xasprintf("undo it; or, if it shall be so: vbench gate accept %s "
					 "--environment --why TEXT",
					 w->o->path));
	else
		gate_check_add(
			w->n, "environment", true,
			xstrdup("kernel, microcode, mitigations, CPU and knobs are as accepted"),
			NULL);
	free(diff);
	json_decref(doc);
	json_decref(now);
}

/* A label names one build, or history would show two as one. */
static void check_label(struct work *w)
{
	const struct store_gate *g = w->place.records;
	size_t i;

	for (i = 0; w->n->label && i < w->place.nrecords; i++)
		if (!strcmp(g[i].kind, GATE_NIGHT) && g[i].label &&
		    !strcmp(g[i].label, w->n->label) && strcmp(g[i].build, w->build.fingerprint) &&
		    !gate_record_injected(&g[i])) {
			gate_check_add(
				w->n, "label", false,
				xasprintf("\"%s\" was another build on an earlier night "
					  "(%.12s, and now %.12s): QEMU or the guest changed "
					  "under the same name",
					  w->n->label, g[i].build, w->build.fingerprint),
				xstrdup("give each build a --label of its own"));
			return;
		}
}

/* 1: the reference is whole and the builds are known; 0: a check says why not; or -errno. */
static int check_builds(struct work *w, struct err *e)
{
	struct err why = {0};
	int rc;

	if (!w->folder || reference_verify(w->folder, &why)) {
		if (!w->folder)
			err_set(&why, -EIO, "the record of what was accepted is damaged");
		cannot_be(w->n, "reference build", &why,
			  "bring the file back from a backup, or accept a build anew: `vbench gate "
			  "accept PROFILE --why TEXT`");
		return 0;
	}
	w->n->reference = gate_doc_text(w->accepted, "text");
	gate_check_add(w->n, "reference build", true,
		       xasprintf("whole: %s", w->n->reference ? w->n->reference : ""), NULL);
	rc = gate_build_of(w->place.plain, w->place.data, &w->build, e);
	if (rc)
		return rc;
	w->n->build = xstrdup(w->build.text);
	w->n->same_build = !strcmp(w->build.fingerprint, w->accepted->build);
	check_label(w);
	return 1;
}

static char *doc_text(const struct work *w)
{
	const struct gate_night *n = w->n;
	json_t *checks = json_array(), *injected = json_array(), *doc;
	char *text;
	size_t i;

	for (i = 0; i < n->nchecks; i++)
		json_array_append_new(checks,
				      json_pack("{s:s, s:b, s:s}", "name", n->checks[i].name, "ok",
						n->checks[i].ok, "text", n->checks[i].text));
	for (i = 0; i < w->o->ninject; i++)
		json_array_append_new(injected, json_string(w->o->inject[i]));
	doc = json_pack("{s:s?, s:s?, s:i, s:i, s:f, s:f, s:I, s:o, s:o, s:s?}", "text", n->build,
			"reference_text", n->reference, "blocks", (int)n->rule.blocks, "confirm",
			(int)n->rule.confirm, "must_see", n->rule.must_see, "rate", n->rule.rate,
			"series", (json_int_t)n->rule.series, "checks", checks, "injected",
			injected, "command", w->o->command);
	if (n->plan)
		json_object_set_new(doc, "plan", json_string(n->plan));
	if (isfinite(n->trial_seconds))
		json_object_set_new(doc, "trial_seconds", json_real(n->trial_seconds));
	text = json_dumps(doc, JSON_COMPACT);
	json_decref(doc);
	return text;
}

/* Ratios as the metric has them: of a harm h, exp(h) or exp(-h). */
static void record_series(const struct gate_series *x, struct store_gate_series *out)
{
	const struct gate_stage *s = x->tested ? &x->confirm : &x->screen;
	double sign = x->metric && x->metric->better == HIGHER_IS_BETTER ? -1 : 1;
	double lo = exp(sign * x->limits.lo), hi = exp(sign * x->limits.hi);

	*out = (struct store_gate_series){.key = x->key,
					  .name = x->name,
					  .metric = (char *)(x->metric ? x->metric->id : ""),
					  .state = (char *)gate_word(x->state),
					  .stage = x->tested ? 2
						   : s->n    ? 1
							     : 0,
					  .n = (unsigned)s->n,
					  .ratio = s->n ? exp(sign * s->harm) : NAN,
					  .lo = fmin(lo, hi),
					  .hi = fmax(lo, hi),
					  .sd = x->sd,
					  .p = x->p,
					  .seen = x->seen80};
}

static int record(struct work *w, const char *state, struct err *e)
{
	struct gate_night *n = w->n;
	struct store_gate g = {
		.profile = n->profile,
		.kind = (char *)GATE_NIGHT,
		.state = (char *)state,
		.begun = n->begun,
		.ended = n->ended,
		.label = n->label,
		.build = w->build.fingerprint,
		.reference = w->accepted ? w->accepted->reference : NULL,
		.joins = n->joins,
		.screen_run = *n->screen_run ? n->screen_run : NULL,
		.confirm_run = *n->confirm_run ? n->confirm_run : NULL,
		.doc_json = doc_text(w),
		.series = xcalloc(n->nseries + 1, sizeof(struct store_gate_series)),
		.nseries = n->nseries,
	};
	size_t i;
	int rc;

	memcpy(g.uuid, n->uuid, sizeof(g.uuid));
	memcpy(g.host_id, w->place.host, sizeof(g.host_id));
	for (i = 0; i < n->nseries; i++)
		record_series(&n->series[i], &g.series[i]);
	rc = w->recorded ? store_gate_update(w->place.store, &g, e)
			 : store_gate_put(w->place.store, &g, e);
	w->recorded |= !rc;
	free(g.doc_json);
	free(g.series);
	return rc;
}

/*
 * Measures; the run's uuid goes to `run`. What could not be measured is for the judgement of what
 * is stored, unless nothing is: then a check says so, and the result is 1.
 */
static int measure(struct work *w, const struct profile *p, bool first, char run[37], struct err *e)
{
	struct run_opts o = {.db = w->o->db,
			     .command = w->o->command,
			     .wait = w->o->wait || !first, /* of the same night */
			     .quiet = w->o->quiet,
			     .consents = w->o->consents,
			     .nconsents = w->o->nconsents,
			     .stop_fd = w->o->stop_fd};
	struct run_outcome out = {0};
	struct err why = {0};
	int rc = run_profile(p, &o, &out, &why);

	memcpy(run, out.uuid, sizeof(out.uuid));
	free(out.folder);
	free(out.page);
	if (rc == -EINTR || (rc && why.status == VB_INTERRUPTED))
		return err_set(e, -EINTR, "interrupted; the night was not finished");
	if (!*run) {
		if (!rc)
			err_set(&why, -EIO, "the run left no record");
		cannot_be(w->n, "measuring", &why, "mend what it names, and run the gate again");
		return 1;
	}
	if (rc)
		cannot_be(w->n, "measuring", &why, "see `vbench report` of the run");
	return 0;
}

/* What only the suspects need: their pairs of cells, and their workloads. A shallow copy; the
 * arrays are the caller's. */
static void only_suspects(const struct profile *p, const struct gate_night *n, struct profile *out)
{
	size_t *now = xcalloc(p->ncells + 1, sizeof(*now)), i, k;
	bool *cell = xcalloc(p->ncells + 1, sizeof(*cell));

	*out = *p;
	out->cells = xcalloc(p->ncells + 1, sizeof(*out->cells));
	out->workloads = xcalloc(p->nworkloads + 1, sizeof(*out->workloads));
	out->pairs = xcalloc(p->npairs + 1, sizeof(*out->pairs));
	out->ncells = out->nworkloads = out->npairs = 0;
	for (i = 0; i < p->npairs; i++)
		for (k = 0; k < p->nworkloads; k++)
			if (n->series[i * p->nworkloads + k].suspect)
				cell[p->pairs[i].base] = cell[p->pairs[i].change] = true;
	for (i = 0; i < p->ncells; i++) {
		if (!cell[i])
			continue;
		now[i] = out->ncells;
		out->cells[out->ncells] = p->cells[i];
		out->cells[out->ncells].index = (unsigned)out->ncells;
		out->ncells++;
	}
	for (i = 0; i < p->npairs; i++)
		if (cell[p->pairs[i].base] && cell[p->pairs[i].change])
			out->pairs[out->npairs++] = (struct profile_pair){now[p->pairs[i].base],
									  now[p->pairs[i].change]};
	for (k = 0; k < p->nworkloads; k++)
		for (i = 0; i < p->npairs; i++)
			if (n->series[i * p->nworkloads + k].suspect) {
				out->workloads[out->nworkloads++] = p->workloads[k];
				break;
			}
	free(now);
	free(cell);
}

static int measure_suspects(struct work *w, struct err *e)
{
	struct profile *p = NULL, few;
	int rc = gate_load_arms(w->o, w->folder, w->n->rule.confirm, &p, e);

	if (rc)
		return rc;
	only_suspects(p, w->n, &few);
	rc = measure(w, &few, false, w->n->confirm_run, e);
	free(few.cells);
	free(few.workloads);
	free(few.pairs);
	profile_free(p);
	return rc;
}

static unsigned suspects(const struct gate_night *n)
{
	unsigned k = 0;
	size_t i;

	for (i = 0; i < n->nseries; i++)
		k += n->series[i].suspect != 0;
	return k;
}

/* A new test: all series screened, the suspects confirmed. */
static int new_night(struct work *w, const struct profile *arms, struct err *e)
{
	struct gate_night *n = w->n;
	int rc = measure(w, arms, true, n->screen_run, e);

	if (rc)
		return rc < 0 ? rc : 0;
	rc = gate_judge_screen(w->place.store, n, e);
	if (rc || !suspects(n))
		return rc;
	if (!w->o->quiet)
		fprintf(stderr,
			"vbench: %u of %zu series are suspected; confirming on %u fresh blocks\n",
			suspects(n), n->nseries, n->rule.confirm);
	rc = record(w, "begun", e);
	if (!rc)
		rc = measure_suspects(w, e);
	if (rc)
		return rc < 0 ? rc : 0;
	return gate_judge_confirm(w->place.store, n, e);
}

/* The red night whose record a re-run of this build joins, or NULL. */
static const struct store_gate *red_before(const struct work *w)
{
	const struct store_gate *g = w->place.records;
	size_t i, k;

	if (w->o->ninject)
		return NULL;
	for (i = w->place.nrecords; i--;) {
		if (!strcmp(g[i].kind, GATE_ACCEPT))
			return NULL;
		if (strcmp(g[i].build, w->build.fingerprint) || gate_record_injected(&g[i]))
			continue;
		if (!strcmp(g[i].state, "green") || !strcmp(g[i].state, "cleared"))
			return NULL;
		if (strcmp(g[i].state, "red"))
			continue;
		for (k = 0; g[i].joins && k < w->place.nrecords; k++)
			if (!strcmp(g[k].uuid, g[i].joins))
				return &g[k];
		return g[i].joins ? NULL : &g[i];
	}
	return NULL;
}

/* Leaves the series that were found worse that night. 0: none of them is there any more. */
static size_t keep_red(struct gate_night *n, const struct store_gate *red)
{
	size_t i, k, left = 0;

	for (i = 0; i < n->nseries; i++) {
		bool was = false;

		for (k = 0; k < red->nseries && !was; k++)
			was = !strcmp(red->series[k].key, n->series[i].key) &&
			      !strcmp(red->series[k].state, gate_word(GATE_WORSE));
		n->series[i].suspect = was;
		left += was;
	}
	return left;
}

static void drop_others(struct gate_night *n)
{
	size_t i, k = 0;

	for (i = 0; i < n->nseries; i++) {
		if (n->series[i].suspect)
			n->series[k++] = n->series[i];
		else
			gate_series_free(&n->series[i]);
	}
	n->nseries = k;
}

/* No new test: the record's stage 2 gets more blocks, and all of them are judged by a sequence. */
static int join_night(struct work *w, const struct store_gate *red, struct err *e)
{
	const struct store_gate *g = w->place.records;
	const char **runs = xcalloc(w->place.nrecords + 2, sizeof(*runs));
	size_t n = 0, i;
	int rc;

	w->n->joins = xstrdup(red->uuid);
	if (!w->o->quiet)
		fprintf(stderr,
			"vbench: this build was red on an earlier night: %u blocks more for its record "
			"%.8s\n",
			w->n->rule.confirm, red->uuid);
	rc = measure_suspects(w, e);
	drop_others(w->n);
	for (i = 0; i < w->place.nrecords && !rc; i++)
		if (g[i].confirm_run &&
		    (!strcmp(g[i].uuid, red->uuid) ||
		     (g[i].joins && !strcmp(g[i].joins, red->uuid))) &&
		    strcmp(g[i].state, "begun"))
			runs[n++] = g[i].confirm_run;
	if (!rc) {
		runs[n++] = w->n->confirm_run;
		rc = gate_judge_joined(w->place.store, w->n, runs, n, e);
	}
	free(runs);
	return rc > 0 ? 0 : rc;
}

/* QEMU or guest exchanged while the night measured: its trials are not of one build. */
static void check_same_build(struct work *w)
{
	struct gate_build now;
	struct err why = {0};

	if (gate_build_of(w->place.plain, w->place.data, &now, &why)) {
		cannot_be(w->n, "build under test", &why,
			  "do not change a build while it is measured");
		return;
	}
	if (strcmp(now.fingerprint, w->build.fingerprint))
		gate_check_add(
			w->n, "build under test", false,
			xasprintf("it changed during the night: %s, and then %s", w->build.text,
				  now.text),
			xstrdup("keep package upgrades away from measuring, and run the gate "
				"again"));
	else
		gate_check_add(w->n, "build under test", true,
			       xasprintf("%s%s", w->build.text,
					 w->n->same_build ? " (the reference build itself)" : ""),
			       NULL);
	gate_build_free(&now);
}

static int measure_and_judge(struct work *w, struct err *e)
{
	struct gate_night *n = w->n;
	const struct store_gate *red;
	struct profile *arms = NULL;
	int rc = gate_load_arms(w->o, w->folder, n->rule.blocks, &arms, e);

	if (!rc)
		rc = gate_series_make(w->o, arms, &n->series, &n->nseries, e);
	if (rc)
		goto out;
	n->cells = arms->npairs;
	n->rule.series = n->nseries;
	gate_plan_night(n, w->place.records, w->place.nrecords);
	if (n->plan) {
		if (!w->o->quiet)
			fprintf(stderr, "vbench: blocks: %s\n", n->plan);
		profile_free(arms);
		arms = NULL;
		rc = gate_load_arms(w->o, w->folder, n->rule.blocks, &arms, e);
	}
	if (!rc)
		rc = record(w, "begun", e);
	if (rc)
		goto out;
	red = red_before(w);
	if (red && keep_red(n, red)) {
		rc = join_night(w, red, e);
	} else {
		rc = new_night(w, arms, e);
		if (!rc)
			gate_judge_known(n, w->accepted);
	}
	if (!rc) {
		gate_judge_rest(n);
		if (!n->joins)
			gate_judge_drift(n, w->place.records, w->place.nrecords);
		check_same_build(w);
	}
out:
	profile_free(arms);
	return rc;
}

static void fill_night(struct work *w)
{
	struct gate_night *n = w->n;
	const struct profile *p = w->place.plain;

	gate_uuid(n->uuid);
	n->profile = xstrdup(p->name);
	n->label = xstrdup(w->o->label ? w->o->label : profile_get(p, K_LABEL));
	if (n->label && !*n->label) {
		free(n->label);
		n->label = NULL;
	}
	n->command = xstrdup(w->o->command);
	memcpy(n->host, w->place.host, sizeof(n->host));
	n->injected = w->o->ninject > 0;
	n->trial_seconds = NAN;
	n->rule = gate_rule_of(p, 1);
	n->plan_blocks = !profile_u64(p, K_GATE_BLOCKS);
	n->plan_confirm = !profile_u64(p, K_GATE_CONFIRM);
}

int gate_night_run(const struct gate_opts *o, struct gate_night *out, struct err *e)
{
	struct work w = {.o = o, .n = out};
	int rc, late;

	*out = (struct gate_night){.begun = (int64_t)clock_real_ns()};
	rc = gate_place_open(o, &w.place, e);
	if (rc)
		return rc;
	fill_night(&w);
	rc = find_reference(&w, e);
	if (rc > 0) {
		check_environment(&w);
		rc = check_builds(&w, e);
	}
	if (rc > 0)
		rc = measure_and_judge(&w, e);
	out->ended = (int64_t)clock_real_ns();
	if (!rc || w.recorded) {
		struct err lost = {0};

		late = record(&w,
			      rc == -EINTR ? "interrupted"
			      : rc	   ? "unmeasured"
					   : gate_night_word(out),
			      &lost);
		if (late && !rc)
			rc = err_set(e, late, "%s", lost.text);
	}
	gate_build_free(&w.build);
	gate_place_close(&w.place);
	free(w.folder);
	return rc;
}

void gate_check_add(struct gate_night *n, const char *name, bool ok, char *text, char *remedy)
{
	n->checks = xrealloc(n->checks, n->nchecks + 1, sizeof(*n->checks));
	n->checks[n->nchecks++] = (struct gate_check){
		.name = xstrdup(name), .ok = ok, .text = text, .remedy = remedy};
}

void gate_night_free(struct gate_night *n)
{
	size_t i;

	for (i = 0; i < n->nchecks; i++) {
		free(n->checks[i].name);
		free(n->checks[i].text);
		free(n->checks[i].remedy);
	}
	for (i = 0; i < n->nseries; i++)
		gate_series_free(&n->series[i]);
	free(n->checks);
	free(n->series);
	free(n->profile);
	free(n->label);
	free(n->command);
	free(n->build);
	free(n->reference);
	free(n->joins);
	free(n->plan);
	*n = (struct gate_night){0};
}
