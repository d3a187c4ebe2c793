// SPDX-License-Identifier: GPL-2.0-or-later
/* The ends' check, and one step. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "bisect/bisect.h"
#include "bisect/record.h"
#include "stats/power.h"
#include "stats/stats.h"

void bisect_ends_free(struct bisect_ends *x)
{
	free(x->workload);
	free(x->label);
	free(x->metric);
	free(x->why);
	*x = (struct bisect_ends){0};
}

void bisect_step_free(struct bisect_step *x)
{
	free(x->why);
	*x = (struct bisect_step){0};
}

char *bisect_harm_text(const struct bisect_ends *x, double harm)
{
	const struct metric_row *m = x->metric ? metric_find(x->metric) : NULL;

	if (x->difference)
		return xasprintf("%+.3g %s", harm, m ? m->unit : "");
	return xasprintf("%+.1f %%", 100 * expm1(harm));
}

static void say(const struct bisect_opts *o, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void say(const struct bisect_opts *o, const char *fmt, ...)
{
	va_list ap;

	if (!o->say)
		return;
	va_start(ap, fmt);
	vfprintf(o->say, fmt, ap);
	va_end(ap);
	fputc('\n', o->say);
	fflush(o->say);
}

/* One series of the ends' check. */
struct end_series {
	const struct model_vs *v;
	struct interval i; /* of harms */
	double p, effect;  /* Holm over all series; the smallest effect that matters */
	bool shown;
};

/* How sharply it tells the ends apart. */
static double sharpness(const struct end_series *s)
{
	return s->i.sd > 0 ? fabs(s->i.mid) / s->i.sd : INFINITY;
}

static bool wanted(const struct bisect_opts *o, const struct model *m, const struct model_vs *v)
{
	char *name = arms_name(m, v);
	bool is = !o->series || !strcmp(o->series, name);

	free(name);
	return is;
}

static size_t judge_series(const struct bisect_opts *o, const struct model *m, struct end_series *s)
{
	double *harm = xcalloc(m->blocks_planned + 1, sizeof(*harm));
	double *p = xcalloc(m->nvs + 1, sizeof(*p));
	size_t n = 0;

	for (size_t i = 0; i < m->nvs; i++) {
		const struct model_vs *v = &m->vs[i];
		double floor;

		if (!v->metric || v->too_many_failed || !wanted(o, m, v))
			continue;
		arms_harms(m, v, harm);
		s[n].v = v;
		s[n].i = diff_interval(NULL, harm, m->blocks_planned, 0.95);
		/* equal readings of a percentile say that its bins are wide */
		floor = v->metric->scale == SCALE_RATIO ? metric_sd_floor(v->metric) : 0;
		if (s[n].i.sd < floor)
			s[n].i = t_interval_of(s[n].i.mid, floor, s[n].i.n, 0.95);
		s[n].effect = arms_effect(v, isfinite(o->min_effect) &&
							     v->metric->scale != SCALE_DIFFERENCE
						     ? o->min_effect
						     : v->metric->min_effect);
		p[n] = s[n].i.n < 2	 ? NAN
		       : s[n].i.sd > 0	 ? diff_p(&s[n].i)
		       : s[n].i.mid == 0 ? 1
					 : 0;
		n++;
	}
	holm(p, n);
	for (size_t i = 0; i < n; i++) {
		s[i].p = p[i];
		s[i].shown = p[i] < 0.05 && fabs(s[i].i.mid) >= s[i].effect;
	}
	free(harm);
	free(p);
	return n;
}

static void take(struct bisect_ends *x, const struct model *m, const struct end_series *s)
{
	x->workload = xstrdup(m->workloads[s->v->workload].name);
	x->label = xstrdup(s->v->label);
	memcpy(x->cell, m->cells[s->v->base].id, sizeof(x->cell));
	x->metric = xstrdup(s->v->metric->id);
	x->difference = s->v->metric->scale == SCALE_DIFFERENCE;
	x->delta = s->i.mid;
	x->lo = s->i.lo;
	x->hi = s->i.hi;
	x->sd = s->i.sd;
	x->pairs = (unsigned)s->i.n;
}

/* Why there is nothing to bisect: what was seen of the sharpest series, and what would have been.
 */
static char *not_shown(const struct bisect_opts *o, const struct bisect_ends *x,
		       const struct end_series *s)
{
	char *mid = bisect_harm_text(x, s->i.mid), *lo = bisect_harm_text(x, s->i.lo);
	char *hi = bisect_harm_text(x, s->i.hi), *min = bisect_harm_text(x, s->effect), *why;
	double seen = effect_seen(s->i.sd / sqrt(2), (unsigned)s->i.n, 0.05, false, 0.8);

	if (s->p < 0.05)
		why = xasprintf(
			"they differ, but by less than what matters (%s): %s, %s by %s [%s .. %s] "
			"in %zu pairs; --min-effect says what matters",
			min, x->workload, x->label, mid, lo, hi, s->i.n);
	else if (x->difference)
		why = xasprintf(
			"no difference is shown: %s, %s by %s [%s .. %s] in %zu pairs; raise "
			"--end-pairs (now %u)",
			x->workload, x->label, mid, lo, hi, s->i.n, o->end_pairs);
	else
		why = xasprintf(
			"no difference is shown: %s, %s by %s [%s .. %s] in %zu pairs, which find "
			"%.1f %% four times in five; raise --end-pairs (now %u)",
			x->workload, x->label, mid, lo, hi, s->i.n, 100 * seen, o->end_pairs);
	free(mid);
	free(lo);
	free(hi);
	free(min);
	return why;
}

static int no_series(const struct bisect_opts *o, const struct arms_run *r, struct bisect_ends *out,
		     struct err *e)
{
	if (o->series && r->model && r->model->nvs) {
		char *first = arms_name(r->model, &r->model->vs[0]);
		int rc = err_input(e,
				   "--series: the profile has no \"%s\", or too many of its trials "
				   "failed; the first series is \"%s\"",
				   o->series, first);

		free(first);
		return rc;
	}
	out->why = xasprintf(
		"%u of %u trials failed, and no series is left to go by; see `vbench report "
		"%.8s`",
		r->failed, r->ok + r->failed, r->uuid);
	return 0;
}

static int judge_ends(const struct bisect_opts *o, const struct arms_run *r,
		      struct bisect_ends *out, struct err *e)
{
	const struct model *m = r->model;
	struct end_series *s = xcalloc((m ? m->nvs : 0) + 1, sizeof(*s)), *best = NULL;
	size_t n = m ? judge_series(o, m, s) : 0;
	int rc = 0;

	memcpy(out->uuid, r->uuid, sizeof(out->uuid));
	for (size_t i = 0; i < n; i++) {
		if (s[i].i.n < 2)
			continue;
		if (!best || s[i].shown > best->shown ||
		    (s[i].shown == best->shown && sharpness(&s[i]) > sharpness(best)))
			best = &s[i];
	}
	if (!best) {
		rc = no_series(o, r, out, e);
	} else {
		take(out, m, best);
		out->cells = m->nworkloads ? m->nvs / m->nworkloads : 1;
		out->shown = best->shown;
		if (!out->shown)
			out->why = not_shown(o, out, best);
	}
	free(s);
	return rc;
}

int bisect_ends(const struct bisect_opts *o, const struct set_list *good,
		const struct set_list *bad, struct bisect_ends *out, struct err *e)
{
	char *of = bisect_record_of(o, good, bad, e);
	struct arms_run run;
	int rc;

	*out = (struct bisect_ends){0};
	if (!of)
		return e->rc;
	if (!o->again && !bisect_record_read(of, out)) {
		free(of);
		return 0;
	}
	say(o, "ends: measuring %u pairs of the good and the bad end", o->end_pairs);
	rc = arms_measure(&o->arms, BISECT_LABEL, o->end_pairs, good, bad, &run, e);
	if (!rc)
		rc = judge_ends(o, &run, out, e);
	/* ends that could not be measured may be mended; only figures are kept */
	if (!rc && out->metric)
		rc = bisect_record_write(of, out, e);
	if (rc)
		bisect_ends_free(out);
	arms_free(&run);
	free(of);
	return rc;
}

static const struct model_vs *find(const struct model *m, const struct bisect_ends *x)
{
	for (size_t i = 0; m && i < m->nvs; i++) {
		const struct model_vs *v = &m->vs[i];

		if (v->metric && !strcmp(v->metric->id, x->metric) &&
		    !strcmp(m->workloads[v->workload].name, x->workload) &&
		    !strcmp(m->cells[v->base].id, x->cell))
			return v;
	}
	return NULL;
}

/* Tells Wald's test the pairs of a run; how many there were. */
static unsigned tell(struct wald *w, const struct arms_run *r, const struct bisect_ends *x)
{
	const struct model_vs *v = find(r->model, x);
	unsigned n = 0;

	for (size_t k = 0; v && k < r->model->blocks_planned; k++) {
		double d = arms_harm(v, k);

		n += isfinite(d);
		wald_add(w, d);
	}
	return n;
}

/* Pairs of the next run: few at first, then as many again as there are. */
static unsigned batch(const struct wald *w)
{
	unsigned more = w->n < WALD_MIN_PAIRS ? WALD_MIN_PAIRS : w->n;

	return more < w->cap - w->n ? more : w->cap - w->n;
}

static void end_step(const struct wald *w, const struct bisect_ends *x, struct bisect_step *out)
{
	out->answer = w->answer == WALD_MORE ? WALD_UNDECIDED : w->answer;
	out->pairs = w->n;
	out->harm = w->n ? w->sum / w->n : NAN;
	out->sd =
		w->n > 1 ? sqrt(fmax(0, w->sum2 - w->n * out->harm * out->harm) / (w->n - 1)) : NAN;
	if (out->answer == WALD_UNDECIDED && !out->why) {
		char *mid = bisect_harm_text(x, out->harm), *bad = bisect_harm_text(x, x->delta);

		out->why = xasprintf(
			"after %u pairs it is neither as good as the good end nor as bad as the "
			"bad one (%s; bad: %s); raise --cap",
			w->n, mid, bad);
		free(mid);
		free(bad);
	}
}

int bisect_step(const struct bisect_opts *o, const struct bisect_ends *ends,
		const struct set_list *good, const struct set_list *candidate,
		struct bisect_step *out, struct err *e)
{
	char *only = ends->cells > 1 ? xasprintf("run.only=%s", ends->cell) : NULL;
	struct arms_opts arms = o->arms;
	struct wald w;
	int rc = 0;

	*out = (struct bisect_step){.harm = NAN, .sd = NAN};
	arms.sets = (struct set_list){0};
	for (size_t i = 0; i < o->arms.sets.n; i++)
		set_list_add(&arms.sets, o->arms.sets.text[i]);
	if (only)
		set_list_add(&arms.sets, only);
	wald_begin(&w, ends->delta, ends->sd, ends->pairs - 1.0,
		   wald_step_error(o->error, o->among), WALD_MIN_PAIRS, o->cap);
	while (!rc && w.answer == WALD_MORE) {
		struct arms_run run;
		unsigned pairs;

		rc = arms_measure(&arms, BISECT_LABEL, batch(&w), good, candidate, &run, e);
		out->runs++;
		out->failed += run.failed;
		pairs = rc ? 0 : tell(&w, &run, ends);
		if (!rc && !pairs) {
			out->why = xasprintf(
				"it could not be measured: %u of %u trials failed; see `vbench "
				"report %.8s`",
				run.failed, run.ok + run.failed, run.uuid);
			w.answer = WALD_UNDECIDED;
		}
		arms_free(&run);
	}
	/* whatever keeps a build from being measured is no verdict on it; nor is what would keep
	 * every build from it */
	if (rc && rc != -EINTR && rc != -EBUSY && rc != -ENOSPC) {
		out->why = xasprintf("it could not be measured: %s", e->text);
		rc = 0;
	}
	if (!rc)
		end_step(&w, ends, out);
	set_list_free(&arms.sets);
	free(only);
	return rc;
}
