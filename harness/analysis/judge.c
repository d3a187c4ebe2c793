// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One comparison: the interval of two series of blocks, its p, and the word that is said of it
 * (statistics.md, parts 2, 4, 6, 7, 9). Everything in the model that is compared comes through
 * here.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"
#include "stats/sequential.h"

static double share_of(const json_t *meta, const char *of, const char *what)
{
	const json_t *v = json_object_get(json_object_get(meta, of), what);
	double x = json_is_number(v) ? json_number_value(v) : NAN;

	return x > 0 && x < 1 ? x : NAN;
}

/* Cells that were decided leave later blocks, so a block need not hold them all. */
static void count_blocks(struct build *b)
{
	struct model *m = b->m;
	unsigned used = 0;

	for (size_t i = 0; i < b->ntrials; i++)
		if (b->cell_of[i] >= 0 && b->trials[i].block >= used)
			used = b->trials[i].block + 1;
	if (strcmp(m->status, "complete") || used < m->blocks_done)
		return;
	m->blocks_done = used;
	m->stopped_early = used < m->blocks_planned;
}

void judge_begin(struct build *b)
{
	struct model *m = b->m;
	json_int_t max = json_integer_value(
		json_object_get(json_object_get(b->meta, "decide"), "max_blocks"));

	m->decide = share_of(b->meta, "decide", "min_effect");
	m->precision = share_of(b->meta, "precision", "width");
	if (json_object_get(b->meta, "decide") || !isnan(m->precision))
		count_blocks(b);
	if (!json_object_get(b->meta, "decide"))
		return;
	if (max >= SEQ_FIRST && max <= SEQ_MAX)
		m->seq_max = max;
	else
		model_warn(
			m,
			"The store holds no usable number of blocks up to which this run was to decide: intervals are Student's, and too narrow after an early stop.");
}

double judge_floor(const struct metric_row *m)
{
	return metric_sd_floor(m);
}

double judge_min_effect(const struct model_workload *w, const struct metric_row *metric)
{
	return metric == w->primary ? w->min_effect : metric->min_effect;
}

void judge_floored(const struct metric_row *metric, struct interval *r)
{
	double floor = judge_floor(metric), half;

	if (r->n < 2 || !(r->sd < floor))
		return;
	r->sd = floor;
	half = t_quantile(0.5 + LEVEL / 2, r->n - 1.0) * floor / sqrt(r->n);
	r->lo = r->mid * exp(-half);
	r->hi = r->mid * exp(half);
}

/* What the repeated interval is wider by than Student's. */
static double widening(const struct model *m, size_t n)
{
	if (n < 2 || n > m->seq_max)
		return NAN;
	return seq_factor(m->seq_max, n) / t_quantile(0.5 + LEVEL / 2, n - 1.0);
}

/*
 * A run that was looked at after each block: the repeated interval in place of Student's, and a p
 * that is below 5 % exactly when that interval excludes equality: of t divided by what the interval
 * was widened by. At smaller p (Holm's steps) that is a little on the careful side.
 */
static double repeat_interval(const struct model *m, struct interval *r, bool ratio)
{
	double wide = widening(m, r->n), half;
	struct interval like = *r;

	if (isnan(wide)) {
		r->lo = r->hi = NAN;
		return NAN;
	}
	if (isinf(wide)) { /* before the first look */
		r->lo = ratio ? 0 : -INFINITY;
		r->hi = INFINITY;
		return NAN;
	}
	half = seq_factor(m->seq_max, r->n) * r->sd / sqrt(r->n);
	r->lo = ratio ? r->mid * exp(-half) : r->mid - half;
	r->hi = ratio ? r->mid * exp(half) : r->mid + half;
	like.sd *= wide;
	return ratio ? ratio_p(&like) : diff_p(&like);
}

double judge_ratio(const struct model *m, struct interval *r)
{
	return m->seq_max ? repeat_interval(m, r, true) : ratio_p(r);
}

double judge_diff(const struct model *m, struct interval *r)
{
	return m->seq_max ? repeat_interval(m, r, false) : diff_p(r);
}

static struct forecast more_blocks(const struct model *m, double mid, double s, size_t n,
				   double margin, double level)
{
	if (n < m->seq_max)
		return verdict_forecast_seq(mid, s, n, margin, 0, m->seq_max);
	return verdict_forecast(mid, s, n, margin, 0, level);
}

enum verdict judge_word(const struct model *m, const struct metric_row *metric,
			const struct interval *r, double p, double min_effect, size_t family,
			struct forecast *more)
{
	bool higher = metric->better == HIGHER_IS_BETTER;
	bool diff = metric->scale == SCALE_DIFFERENCE;
	enum verdict v =
		diff ? verdict_diff(r, higher, min_effect) : verdict_ratio(r, higher, min_effect);
	bool alone = v == VERDICT_WORSE || v == VERDICT_BETTER;

	*more = (struct forecast){false, 0, 0};
	if (alone && !(p < ALPHA)) /* shown alone, but not among so many comparisons */
		v = VERDICT_UNDECIDED;
	if (v == VERDICT_UNDECIDED && r->n >= 2)
		*more = more_blocks(m, diff ? r->mid : log(r->mid), r->sd, r->n,
				    diff ? min_effect : log1p(min_effect),
				    alone && family > 1 ? 1 - ALPHA / family : LEVEL);
	if (more->known && !more->lo && !more->hi) /* a rule beside the interval keeps it open */
		more->known = false;
	return v;
}

/* Hodges-Lehmann on the log differences, back on the ratio scale; and whether it tells another
 * story than the mean. */
static void robust_ratio(struct model_value *v, const double *a, const double *b, size_t n)
{
	double *d = xcalloc(n + 1, sizeof(*d)), half;
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		if (a[i] > 0 && b[i] > 0)
			d[k++] = log(b[i]) - log(a[i]);
	v->robust = hodges_lehmann(d, k, LEVEL);
	v->robust.mid = exp(v->robust.mid);
	v->robust.lo = exp(v->robust.lo);
	v->robust.hi = exp(v->robust.hi);
	/* Half of Student's half-width, however wide the interval is that is shown; the 1e-9 is for
	 * pairs that are all alike. */
	half = k < 2 ? NAN : t_quantile(0.5 + LEVEL / 2, k - 1.0) * v->ratio.sd / sqrt(k);
	v->disagree = fabs(log(v->robust.mid / v->ratio.mid)) > half / 2 + 1e-9;
	free(d);
}

/* Both constant: compared exactly, p is 0 or 1. Anything else has noise after all, and is judged as
 * a ratio or difference. */
static bool compare_exact(struct model_value *v, const struct model_value *ref)
{
	double a = ref->abs.mid, b = v->abs.mid, r;

	if (!v->abs.n || !ref->abs.n || ref->abs.lo != ref->abs.hi || v->abs.lo != v->abs.hi)
		return false;
	r = a == b ? 1 : a > 0 && b > 0 ? b / a : NAN;
	v->ratio = (struct interval){r, r, r, v->abs.n < ref->abs.n ? v->abs.n : ref->abs.n, 0};
	v->p = a == b ? 1 : 0;
	v->same = a == b;
	return true;
}

void judge_compare(const struct model *m, struct model_value *v, const struct model_value *ref,
		   size_t n)
{
	const struct metric_row *row = v->metric;

	if (row->scale == SCALE_EXACT && compare_exact(v, ref))
		return;
	if (row->scale == SCALE_DIFFERENCE) {
		v->ratio = diff_interval(ref->points, v->points, n, LEVEL);
		v->p = judge_diff(m, &v->ratio);
		return;
	}
	v->ratio = ratio_interval(ref->points, v->points, n, LEVEL, judge_floor(row));
	if (row->scale == SCALE_RATIO)
		robust_ratio(v, ref->points, v->points, n);
	v->p = judge_ratio(m, &v->ratio);
	/* Interpolation inside a bin is a guess: a median that moved by less than a bin has not
	 * been seen to move. */
	if (strstr(row->id, ".p50") && fabs(log(v->ratio.mid)) < METRIC_BIN)
		v->p = fmax(v->p, 1);
}

void judge_mark(const struct model *m, struct model_value *v, double min_effect, size_t family)
{
	if (v->metric->scale == SCALE_EXACT && v->ratio.lo == v->ratio.hi && v->ratio.sd == 0) {
		/* constant in both: no margin, and p is 0 or 1 */
		v->verdict = v->same ? VERDICT_SAME
			     : (v->metric->better == HIGHER_IS_BETTER) == (v->ratio.mid > 1)
				     ? VERDICT_BETTER
				     : VERDICT_WORSE;
		if (!v->same && !(v->p < ALPHA))
			v->verdict = VERDICT_UNDECIDED;
	} else {
		v->verdict =
			judge_word(m, v->metric, &v->ratio, v->p, min_effect, family, &v->more);
	}
	v->same = v->verdict == VERDICT_SAME;
	v->differs = v->verdict == VERDICT_BETTER || v->verdict == VERDICT_WORSE;
	v->better = v->verdict == VERDICT_BETTER;
}
