/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a ladder says in sentences: which layers cost what, and what its figures are good for. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"

/* "+1.20 us", "-35.0 ns" */
static char *signed_ns(double ns, char *buf, size_t size)
{
	static const struct metric_row time = {.id = "ns_per_io", .unit = "ns"};
	char n[48];

	snprintf(buf, size, "%s%s",
		 ns > 0	  ? "+"
		 : ns < 0 ? "-"
			  : "",
		 metric_text(&time, fabs(ns), n, sizeof(n)));
	return buf;
}

/* "virtio-scsi over virtio-blk" */
static void say_step(char **s, const struct model_rung *r)
{
	text_add(s, "%s over %s", r->name, r->over ? r->over : "nothing");
}

static void say_unlike(char **s, const struct model *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->nrungs; i++) {
		if (!m->rungs[i].unlike)
			continue;
		text_add(s, "%s", n++ ? "; " : "");
		say_step(s, &m->rungs[i]);
	}
}

static void warn_places(struct model *m)
{
	bool native = false, emulated = false;
	char *steps = NULL;

	for (size_t i = 0; i < m->nrungs; i++) {
		native |= m->rungs[i].cell >= 0 && strcmp(m->rungs[i].place, "tcg");
		emulated |= m->rungs[i].cell >= 0 && !strcmp(m->rungs[i].place, "tcg");
	}
	if (!emulated)
		return;
	say_unlike(&steps, m);
	if (!native)
		model_warn(m,
			   "Measured under TCG (QEMU's emulation): layers are good for comparison "
			   "with each other, no figure is what guests under KVM pay.");
	else
		model_warn(
			m,
			"Guest rungs ran under TCG (QEMU's emulation), the others did not: figures of "
			"guest rungs are good for comparison among themselves only%s%s%s.",
			steps ? ", and a step between the two kinds holds the emulation, too, and says "
				"nothing of KVM ("
			      : "",
			steps ? steps : "", steps ? ")" : "");
	free(steps);
}

static void warn_disagree(struct model *m)
{
	for (size_t w = 0; w < m->nworkloads; w++)
		for (size_t i = 0; i < m->nrungs; i++)
			if (m->workloads[w].steps[i].of[STEP_NS].disagree)
				model_warn(m,
					   "%s, %s over %s: mean and median of the pairs tell "
					   "different stories; look for outliers among the points.",
					   m->workloads[w].name, m->rungs[i].name,
					   m->rungs[i].over);
}

void ladder_warn(struct model *m)
{
	warn_places(m);
	warn_disagree(m);
}

struct tally {
	unsigned layers, costs, saves, undecided, none;
	unsigned relative; /* of unlike places: they hold the emulation, so they count as no word */
	long dearest;	   /* among those that cost; of like places only */
};

static struct tally tally_of(const struct model *m, const struct model_workload *w)
{
	struct tally t = {.dearest = -1};

	for (size_t i = 0; i < m->nrungs; i++) {
		const struct model_layer *l = &w->steps[i].of[STEP_NS];

		if (m->rungs[i].below < 0)
			continue;
		t.layers++;
		if (m->rungs[i].unlike && l->word) {
			t.relative++;
			continue;
		}
		t.costs += l->word == LAYER_COSTS;
		t.saves += l->word == LAYER_SAVES;
		t.undecided += l->word == LAYER_UNDECIDED;
		t.none += l->word == LAYER_NONE;
		if (l->word == LAYER_COSTS &&
		    (t.dearest < 0 || l->layer.mid > w->steps[t.dearest].of[STEP_NS].layer.mid))
			t.dearest = i;
	}
	return t;
}

/* words: with those of the profile, too; they may be long. */
static void say_dearest(char **s, const struct model *m, const struct model_workload *w, long i,
			bool words)
{
	const struct model_rung *r = &m->rungs[i];
	const struct model_layer *l = &w->steps[i].of[STEP_NS];
	char a[64], b[64], c[64];

	text_add(s, "the dearest layer is ");
	say_step(s, r);
	text_add(s, ": %s per I/O (95 %% interval %s to %s, %zu blocks)",
		 signed_ns(l->layer.mid, a, sizeof(a)), signed_ns(l->layer.lo, b, sizeof(b)),
		 signed_ns(l->layer.hi, c, sizeof(c)), l->layer.n);
	if (words && r->adds)
		text_add(s, ", for %s", r->adds);
}

char *ladder_answer(const struct model *m, const struct model_workload *w)
{
	struct tally t = tally_of(m, w);
	char *s = NULL;

	text_add(&s, "%s: of %u layer%s, %u cost time, %u save%s some, %u undecided", w->name,
		 t.layers, t.layers == 1 ? "" : "s", t.costs, t.saves, t.saves == 1 ? "s" : "",
		 t.undecided);
	if (t.relative)
		text_add(&s, ", %u relative only", t.relative);
	if (t.none)
		text_add(&s, ", %u without a figure", t.none);
	if (t.dearest >= 0) {
		text_add(&s, "; ");
		say_dearest(&s, m, w, t.dearest, true);
	}
	text_add(&s, ".");
	return s;
}

char *ladder_headline(const struct model *m)
{
	bool emulated = false;
	char *s = NULL;

	for (size_t i = 0; i < m->nworkloads; i++) {
		struct tally t = tally_of(m, &m->workloads[i]);

		text_add(&s, "%s%s: ", i ? " " : "", m->workloads[i].name);
		if (t.dearest >= 0)
			say_dearest(&s, m, &m->workloads[i], t.dearest, false);
		else if (t.none == t.layers)
			text_add(&s, "no layer could be measured");
		else
			text_add(&s, "no layer between like places was shown to cost time");
		text_add(&s, ".");
	}
	for (size_t i = 0; i < m->nrungs; i++)
		emulated |= m->rungs[i].cell >= 0 && !strcmp(m->rungs[i].place, "tcg");
	if (emulated)
		text_add(&s, " Guest rungs are relative only: measured under TCG.");
	return s ? s : xstrdup("Not measured: the profile has no workload.");
}
