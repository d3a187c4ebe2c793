/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Published rules on vCPUs to CPUs, held against the knees that were found. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"

/* load: of the host's CPUs at 1:1 and at the ratio, and above which it is busy; 0: none is told. */
static const struct rule {
	const char *id, *what, *source;
	double ratio, load[2], busy;
} rules[] = {
	{"CPU-04",
	 "at most 2 vCPUs for each logical CPU of the host",
	 "Sangfor: fleets keep CPUs below about 20 %, so 40 % at 2:1, with room for peaks",
	 2,
	 {0.2, 0.4},
	 0.5},
	{.id = "Nova",
	 .what = "4 vCPUs for each CPU",
	 .source = "OpenStack Nova: initial_cpu_allocation_ratio = 4.0",
	 .ratio = 4},
	{.id = "RHEL",
	 .what = "5 vCPUs for each CPU, each below full load",
	 .source = "Red Hat Enterprise Linux 10, virtualization guide",
	 .ratio = 5},
};

/* The host's CPUs under a curve, at the nearest level that is not above a ratio. */
static struct model_load load_at(const struct model *m, const struct model_curve *c, double ratio,
				 double says)
{
	struct model_load l = {
		.says = says > 0 ? says : NAN, .ratio = NAN, .was = {NAN, NAN, NAN, 0, NAN}};
	const struct model_workload *w = &m->workloads[c->workload];

	for (size_t i = 0; i < c->npoints && c->at[i].ratio <= ratio + 1e-9; i++)
		for (size_t k = 0; k < w->nrows; k++) {
			const struct model_value *v = row_metric(&w->rows[k], "host.cpu");

			if (w->rows[k].cell != c->at[i].cell || !v || !isfinite(v->abs.mid))
				continue;
			l.ratio = c->at[i].ratio;
			l.was = v->abs;
		}
	return l;
}

enum beside { LIGHTER, AS_SAID, HEAVIER, UNKNOWN };

/* The load that the guests had, beside the one that a rule is of, if it is of one. A level below
 * 1:1 says it for its ratio. */
static enum beside load_beside(const struct model *m, const struct model_curve *c,
			       const struct rule *r)
{
	struct model_load l = load_at(m, c, 1, r->load[0]);
	double share = l.was.mid / l.ratio / r->load[0];

	if (!(r->load[0] > 0))
		return AS_SAID;
	if (!isfinite(share))
		return UNKNOWN;
	return share < RULE_LOAD_LEAST ? LIGHTER : share > RULE_LOAD_MOST ? HEAVIER : AS_SAID;
}

static void say_load(const struct model *m, const struct model_curve *c, const struct rule *r,
		     char **why)
{
	struct model_load l = load_at(m, c, 1, r->load[0]);
	const char *name = m->workloads[c->workload].name;

	if (isfinite(l.was.mid))
		text_add(why,
			 "%s%s: the host's CPUs are busy by %.0f %% at %.3g, and the rule is of "
			 "guests that make it about %.0f %% at 1",
			 *why ? "; " : "", name, 100 * l.was.mid, l.ratio, 100 * r->load[0]);
	else
		text_add(why, "%s%s: how busy the host's CPUs were at 1 is not known",
			 *why ? "; " : "", name);
}

/* By how much a figure is worse at the rule's ratio than at 1:1 (the nearest measured ones not
 * above them), as a ratio over 1; false: there are not two such levels. */
static bool worse_at(const struct model *m, const struct model_curve *c, enum curve_figure f,
		     double ratio, struct interval *out)
{
	const struct model_knee *k = &c->of[f];
	size_t nb = m->blocks_planned, i, one = SIZE_MAX, at = SIZE_MAX;
	const double *a, *b;

	for (i = 0; i < c->npoints; i++) {
		if (!isfinite(k->abs[i].mid))
			continue;
		if (c->at[i].ratio <= 1 + 1e-9)
			one = i;
		if (c->at[i].ratio <= ratio + 1e-9)
			at = i;
	}
	if (one == SIZE_MAX || at == SIZE_MAX || at == one)
		return false;
	a = k->points + one * nb;
	b = k->points + at * nb;
	*out = f == CURVE_SHARE ? ratio_interval(b, a, nb, LEVEL, 0)
				: ratio_interval(a, b, nb, LEVEL, 0);
	return isfinite(out->lo);
}

static const char *figure_word(enum curve_figure f)
{
	return f == CURVE_SHARE ? "IOPS per guest" : "p99";
}

enum side { BEYOND, BEFORE, OPEN }; /* of the knee, as the rule's ratio sees it */

static void say_knee(const struct model_knee *k, const char *name, enum curve_figure f, char **why)
{
	text_add(why, "%s%s, %s: knee between %.2g%s and %.2g%s", *why ? "; " : "", name,
		 figure_word(f), k->wide.lo, k->wide.lo_open ? " or less" : "", k->wide.hi,
		 k->wide.hi_open ? " or more" : "");
}

/* The level that worse_at took: the greatest measured one not above the ratio. */
static double level_at(const struct model_curve *c, const struct model_knee *k, double ratio)
{
	double at = NAN;

	for (size_t i = 0; i < c->npoints; i++)
		if (isfinite(k->abs[i].mid) && c->at[i].ratio <= ratio + 1e-9)
			at = c->at[i].ratio;
	return at;
}

/* Without a level at 1:1 the one below it stands for it, and is named. */
static void say_worse(const struct model_curve *c, const struct model_knee *k,
		      const struct interval *worse, double ratio, char **why)
{
	double one = level_at(c, k, 1), at = level_at(c, k, ratio);

	if (fabs(one - 1) < 1e-9)
		text_add(why, ", and at %.3g it is %.2f times as bad as at 1:1 [%.2f, %.2f]", at,
			 worse->mid, worse->lo, worse->hi);
	else
		text_add(
			why,
			", and at %.3g it is %.2f times as bad as at %.3g [%.2f, %.2f] (there is no "
			"level at 1:1)",
			at, worse->mid, one, worse->lo, worse->hi);
}

/* Before the ratio: that is against the rule only where it is worse there, under such a load. */
static enum side before(const struct model *m, const struct model_curve *c, enum curve_figure f,
			const struct rule *r, const struct interval *worse, char **why)
{
	const struct model_knee *k = &c->of[f];

	say_knee(k, m->workloads[c->workload].name, f, why);
	if (worse)
		say_worse(c, k, worse, r->ratio, why);
	else
		text_add(why, ", and how much worse it is at %.3g than at 1:1 was not measured",
			 r->ratio);
	if (!worse || worse->lo <= RULE_LITTLE_WORSE)
		return OPEN;
	/* what bends under a lighter load bends under a heavier one */
	if (load_beside(m, c, r) == LIGHTER || load_beside(m, c, r) == AS_SAID)
		return BEFORE;
	say_load(m, c, r, why);
	return OPEN;
}

/* One knee against a rule; a sentence's part is added to why where it says something. */
static enum side side_of(const struct model *m, const struct model_curve *c, enum curve_figure f,
			 const struct rule *r, char **why)
{
	const struct model_knee *k = &c->of[f];
	const char *name = m->workloads[c->workload].name;
	struct interval worse = {NAN, NAN, NAN, 0, NAN};
	bool known = worse_at(m, c, f, r->ratio, &worse);
	bool shown = k->fit.word == KNEE_SHOWN_AT;
	double last = c->at[c->npoints - 1].ratio;

	if (shown && !k->wide.hi_open && k->wide.hi < r->ratio)
		return before(m, c, f, r, known ? &worse : NULL, why);
	if (last < r->ratio - 1e-9) {
		text_add(why, "%s%s, %s: measured up to %.3g only", *why ? "; " : "", name,
			 figure_word(f), last);
		return OPEN;
	}
	if ((shown && !k->wide.lo_open && k->wide.lo >= r->ratio &&
	     !(known && worse.lo > RULE_MUCH_WORSE)) ||
	    (k->fit.word == KNEE_STRAIGHT && known && worse.hi < RULE_LITTLE_WORSE)) {
		/* what holds under a heavier load holds under a lighter one */
		if (load_beside(m, c, r) == HEAVIER || load_beside(m, c, r) == AS_SAID)
			return BEYOND;
		say_load(m, c, r, why);
		return OPEN;
	}
	if (shown)
		say_knee(k, name, f, why);
	else
		text_add(why, "%s%s, %s: %s", *why ? "; " : "", name, figure_word(f),
			 !known && k->fit.why ? k->fit.why : "no knee shown");
	if (known)
		say_worse(c, k, &worse, r->ratio, why);
	return OPEN;
}

/* The load beside the verdict is that of the first curve which is judged. */
static void loads(const struct model *m, bool steady, const struct rule *from, struct model_rule *r)
{
	r->busy = from->busy > 0 ? from->busy : NAN;
	for (size_t i = 0; i < m->ncurves; i++) {
		if (steady && !m->curves[i].steady)
			continue;
		r->one = load_at(m, &m->curves[i], 1, from->load[0]);
		r->at = load_at(m, &m->curves[i], from->ratio, from->load[1]);
		return;
	}
}

static void judge(const struct model *m, const struct rule *from, struct model_rule *r)
{
	char *against = NULL, *open = NULL;
	size_t n[3] = {0};
	bool steady = false;

	/* the rules are of guests with a load of their own; one that takes all it gets has its knee
	 * where the host is full, at any rule */
	for (size_t i = 0; i < m->ncurves; i++)
		steady |= m->curves[i].steady;
	loads(m, steady, from, r);

	for (size_t i = 0; i < m->ncurves; i++)
		for (int f = 0; f < CURVE_FIGURES; f++) {
			char *why = NULL;
			enum side s;

			if (steady && !m->curves[i].steady)
				continue;
			/* IOPS at a fixed rate say little: latency is what shows a host that is
			 * full */
			if (!m->curves[i].of[f].metric) {
				n[OPEN]++;
				text_add(&open, "%s%s, %s: not measured", open ? "; " : "",
					 m->workloads[m->curves[i].workload].name, figure_word(f));
				continue;
			}
			s = side_of(m, &m->curves[i], f, from, &why);
			n[s]++;
			if (why)
				text_add(s == BEFORE ? &against : &open, "%s%s",
					 (s == BEFORE ? against : open) ? "; " : "", why);
			free(why);
		}
	r->word = n[BEFORE]		  ? CLAIM_REFUTED
		  : n[OPEN] || !n[BEYOND] ? CLAIM_UNDECIDED
					  : CLAIM_CONFIRMED;
	if (n[BEFORE])
		r->why = against;
	else if (n[OPEN])
		r->why = open;
	else
		r->why = xstrdup("no knee before it in any curve");
	if (r->why != against)
		free(against);
	if (r->why != open)
		free(open);
}

void curve_headline(struct model *m)
{
	char *s = NULL;

	for (size_t i = 0; i < m->nrules; i++)
		text_add(&s, "%s%s (%s) is %s here", i ? "; " : "", m->rules[i].id,
			 m->rules[i].what, claim_text(m->rules[i].word));
	if (!s)
		return;
	text_add(&s, ".%s",
		 m->relative_only
			 ? " Relative only: measured under TCG, where a vCPU needs several times "
			   "the CPU for the same work, so that knees come sooner than under KVM."
			 : "");
	free(m->headline);
	m->headline = s;
}

void curve_rules(struct model *m)
{
	size_t n = sizeof(rules) / sizeof(*rules);

	m->rules = xcalloc(n, sizeof(*m->rules));
	for (size_t i = 0; i < n; i++) {
		struct model_rule *r = &m->rules[m->nrules++];

		*r = (struct model_rule){.id = rules[i].id,
					 .what = rules[i].what,
					 .source = rules[i].source,
					 .ratio = rules[i].ratio};
		judge(m, &rules[i], r);
	}
}
