/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Published rules on vCPUs to CPUs, held against the knees that were found. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"

/* Worse than at 1 vCPU a CPU by more than this, and a rule does not hold although the knee is
 * behind it; without a knee, worse by less than that shows that it holds. */
#define MUCH_WORSE 1.5
#define LITTLE_WORSE 1.1

static const struct {
	const char *id, *what, *source;
	double ratio;
} rules[] = {
	{"CPU-04", "at most 2 vCPUs for each logical CPU of the host",
	 "Sangfor: fleets keep CPUs below about 20 %, so 40 % at 2:1, with room for peaks", 2},
	{"Nova", "4 vCPUs for each CPU", "OpenStack Nova: initial_cpu_allocation_ratio = 4.0", 4},
	{"RHEL", "5 vCPUs for each CPU, each below full load",
	 "Red Hat Enterprise Linux 10, virtualization guide", 5},
};

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

/* One knee against a ratio; a sentence's part is added to why where it says something. */
static enum side side_of(const struct model *m, const struct model_curve *c, enum curve_figure f,
			 double ratio, char **why)
{
	const struct model_knee *k = &c->of[f];
	const char *name = m->workloads[c->workload].name;
	struct interval worse = {0}; /* gcc does not see that known says whether it is set */
	bool known = worse_at(m, c, f, ratio, &worse);
	double last = c->at[c->npoints - 1].ratio;

	if (k->fit.word == KNEE_SHOWN_AT && !k->wide.hi_open && k->wide.hi < ratio) {
		text_add(why, "%s%s, %s: knee at %.2g, no later than %.2g", *why ? "; " : "", name,
			 figure_word(f), k->fit.at, k->wide.hi);
		return BEFORE;
	}
	if (last < ratio - 1e-9) {
		text_add(why, "%s%s, %s: measured up to %.3g only", *why ? "; " : "", name,
			 figure_word(f), last);
		return OPEN;
	}
	if (k->fit.word == KNEE_SHOWN_AT && !k->wide.lo_open && k->wide.lo >= ratio &&
	    !(known && worse.lo > MUCH_WORSE))
		return BEYOND;
	if (k->fit.word == KNEE_STRAIGHT && known && worse.hi < LITTLE_WORSE)
		return BEYOND;
	if (k->fit.word == KNEE_SHOWN_AT)
		text_add(why, "%s%s, %s: knee between %.2g%s and %.2g%s", *why ? "; " : "", name,
			 figure_word(f), k->wide.lo, k->wide.lo_open ? " or less" : "", k->wide.hi,
			 k->wide.hi_open ? " or more" : "");
	else if (known)
		text_add(
			why,
			"%s%s, %s: no knee shown, and at %.3g it is %.2f times as bad as at 1:1 [%.2f, %.2f]",
			*why ? "; " : "", name, figure_word(f), ratio, worse.mid, worse.lo,
			worse.hi);
	else
		text_add(why, "%s%s, %s: %s", *why ? "; " : "", name, figure_word(f),
			 k->fit.why ? k->fit.why : "no knee shown");
	return OPEN;
}

static void judge(const struct model *m, struct model_rule *r)
{
	char *before = NULL, *open = NULL;
	size_t n[3] = {0};
	bool steady = false;

	/* the rules are of guests with a load of their own; one that takes all it gets has its knee
	 * where the host is full, at any rule */
	for (size_t i = 0; i < m->ncurves; i++)
		steady |= m->curves[i].steady;

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
			s = side_of(m, &m->curves[i], f, r->ratio, &why);
			n[s]++;
			if (why)
				text_add(s == BEFORE ? &before : &open, "%s%s",
					 (s == BEFORE ? before : open) ? "; " : "", why);
			free(why);
		}
	r->word = n[BEFORE]		  ? CLAIM_REFUTED
		  : n[OPEN] || !n[BEYOND] ? CLAIM_UNDECIDED
					  : CLAIM_CONFIRMED;
	if (n[BEFORE])
		r->why = before;
	else if (n[OPEN])
		r->why = open;
	else
		r->why = xstrdup("no knee before it in any curve");
	if (r->why != before)
		free(before);
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
		judge(m, r);
	}
}
