/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the terminal's report share: tables whose columns fit, and folded sentences. */
#ifndef VB_REPORTS_TEXT_H
#define VB_REPORTS_TEXT_H

#include "reports/page.h"

#define FIELD 128

struct text {
	FILE *out;
	bool colour;
	int width;
};

/* One line of a table: number, name, value, ratio, word. */
struct line {
	char number[16];
	const char *name;
	char value[FIELD], ratio[FIELD], word[64];
	enum mark mark;
};

/* Writes lines with columns as wide as they need; where that is too much, each over 2 or 3 lines.
 */
void text_table(const struct text *t, const struct line *lines, size_t n);

/* first as it is, then the words of s folded at the width, later lines indented; ends the line. */
void text_wrapped(const struct text *t, const char *first, const char *s, int indent);

/* "undecided, 8 to 30 more": a verdict as a table holds it, without the word "blocks" at its end.
 */
void text_verdict(struct line *l, enum verdict v, const struct forecast *more);

/* Says what that "more" is, if any of the lines has it. */
void text_more(const struct text *t, const struct line *lines, size_t n);

/* text_vs.c: the two arms of a run on top, with the commands that repeat them; where the noise of a
 * workload comes from. Nothing without such. */
void text_vs(const struct text *t, const struct model *m);
void text_spread(const struct text *t, const struct model_workload *w);

/* text_disks.c: what images or many disks take. Nothing without such figures. */
void text_aside(const struct text *t, const struct model *m, const struct model_workload *w,
		enum aside_kind kind);

/* text_ladder.c: the rungs once, each workload's layers, published figures. Nothing without them.
 */
void text_rungs(const struct text *t, const struct model *m);
void text_ladder(const struct text *t, const struct model *m, const struct model_workload *w);
void text_claims(const struct text *t, const struct model *m);

/* text_tune.c: the tuning that this run is part of; the cells of a search by rank. Nothing without
 * them. */
void text_tuning(const struct text *t, const struct model *m);
void text_search(const struct text *t, const struct model *m);

/* text_curve.c: several guests at once under a workload; rules, once. Nothing without them. */
void text_curves(const struct text *t, const struct model *m, const struct model_workload *w);
void text_rules(const struct text *t, const struct model *m);

#endif
