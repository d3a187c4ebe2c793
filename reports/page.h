/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this room share: cleaned text, numbers for people, plots and the parts of the
 * page. */
#ifndef VB_REPORTS_PAGE_H
#define VB_REPORTS_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "analysis/model.h"

/* ---- page.c ---- */

/* page.css, put into the program by the Makefile. */
extern const unsigned char embed_page_css[];
extern const size_t embed_page_css_len;

/* SHA-256 of the style sheet in base64, as a content security policy names it [CSP level 3, 2.3.1];
 * returns text. */
const char *page_css_hash(char text[64]);

/* ---- clean.c: text from elsewhere ---- */

/*
 * Decodes one character of s (NUL-terminated) into *cp and returns how many bytes it took, at least
 * 1 unless at the end. What is not UTF-8 (RFC 3629) gives U+FFFD for each maximal wrong part.
 */
size_t clean_next(const char *s, uint32_t *cp);

/* A character that must not be shown as it is: controls, direction overrides, invisible tags,
 * noncharacters. */
bool clean_hidden(uint32_t cp);

/* Escaped for HTML content and quoted attributes; hidden characters, also newlines, as U+FFFD. NULL
 * is "". */
void html_text(FILE *f, const char *s);

/* The same for <pre>: newlines and tabs stay. */
void html_block(FILE *f, const char *s);

/*
 * printf of markup in which everything that is put in is escaped: "%s" goes through html_text, "%u"
 * and "%zu" are numbers, "%%" a per cent sign. There is no other conversion, so nothing gets in
 * raw.
 */
void html(FILE *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Writes s for a terminal, hidden characters as '?', at most max columns (0: no limit); returns the
 * columns. */
int term_text(FILE *f, const char *s, int max);

/* Columns that s takes on a terminal when written by term_text. */
int term_columns(const char *s);

/* ---- number.c: numbers for people ---- */

enum num_style { NUM_ASCII, NUM_HTML }; /* HTML has a real minus and spaces that do not break */

/*
 * What the metric's `ratio` interval says: "+18 % [+12, +25]", "x12.3 [10.1, 14.9]" from tenfold
 * on, "+1.2 us [+0.8, +1.6]" for differences, "n/a" when it cannot be said. Into buf, which is
 * returned.
 */
char *num_ratio(const struct metric_row *m, const struct interval *i, enum num_style s, char *buf,
		size_t size);

/* "45.1k IOPS [43.9k, 46.2k]"; "n/a" without a middle, no brackets without an interval; "45.1k IOPS
 * [>1000-fold]" where its ends are that far apart. */
char *num_value(const struct metric_row *m, const struct interval *i, enum num_style s, char *buf,
		size_t size);

/* One ratio as a difference in per cent with as few digits as it needs: "-20 %", "0", "x15". */
char *num_percent(double ratio, enum num_style s, char *buf, size_t size);

/* Three significant digits: "0.0123", "1.23", "123", "1230". */
char *num_3(double v, char *buf, size_t size);

/* A point in time as "2024-05-31 12:00:00 UTC" and a stretch as "3 min 20 s"; "" when ns <= 0. */
char *num_date(int64_t ns, char *buf, size_t size);

/* ---- query.c: what several parts ask of a model ---- */

/* The row's value of a metric, NULL if it has none. */
const struct model_value *row_value(const struct model_row *r, const struct metric_row *m);
const struct model_value *row_primary(const struct model_workload *w, const struct model_row *r);

/* The row of the first cell, to which all are compared; NULL if there is none. */
const struct model_row *workload_first(const struct model_workload *w);

/* The label of a row's cell, never NULL. */
const char *row_label(const struct model *m, const struct model_row *r);

/* "better", "worse", "failed", "same", "limit" (there is no such cell: no room for its disks) or ""
 * (nothing was shown). */
enum mark { MARK_NONE, MARK_BETTER, MARK_WORSE, MARK_FAILED, MARK_SAME, MARK_LIMIT };
enum mark row_mark(const struct model_row *r, const struct model_value *v);
const char *mark_word(enum mark k);

const char *mark_sign(enum mark k);

/* The word of a row's mark, or "undecided" where there is an interval but nothing was shown; then
 * with what would decide: "undecided, 8 to 30 more blocks". Never coloured. Into buf, which is
 * returned. */
char *row_word(const struct model_row *r, const struct model_value *v, char *buf, size_t size);

/* The same of any verdict and its forecast, with its mark. */
enum mark verdict_mark(enum verdict v);
char *verdict_text(enum verdict v, const struct forecast *more, char *buf, size_t size);

/* Why a row with MARK_LIMIT has no figures, in the words of its first trial. Never NULL. */
const char *row_limit(const struct model_row *r);

/* "first write" or "steady" where a workload's own precondition says so, else "". */
const char *workload_pass(const struct model_workload *w);

/* Length of every `points`. */
size_t model_points(const struct model *m);

/* Whether the set of best cells says anything: some are in it, some not. */
bool workload_best_told(const struct model_workload *w);

/* How many rows of a workload were shown to differ from the first in a metric. */
size_t workload_differing(const struct model_workload *w, const struct metric_row *m);

/* ---- query_tune.c: the record of a tuning, whatever is in it ---- */

/* Never NULL; 0 where there is no number. */
const char *tuning_text(const json_t *o, const char *key);
long long tuning_number(const json_t *o, const char *key);
/* "+12.0 % [+8.1, +16.0], 6 blocks" of a pair of the proof, "n/a" without; into buf, which is
 * returned. */
char *tuning_speed(const json_t *pair, char *buf, size_t size);
/* "BLK-05, BLK-06", new. */
char *tuning_ids(const json_t *list);
/* Of an axis in "start", "winner" or "lean"; "" where there is none. */
const char *tuning_value(const struct model *m, const char *which, size_t axis);
/* What it cost; how near it came to the best, NULL: was not asked for. New. */
char *tuning_spent(const struct model *m);
char *tuning_near(const struct model *m);
extern const char *const tuning_safety, *const search_note;
/* query_tuned.c: what was shown, how surely, and at what cost; as many as there are, new. */
#define TUNING_SENTENCES 10
size_t tuning_sentences(const struct model *m, char **out);

/* ---- query_curve.c: several guests at once ---- */

enum curve_column {
	CURVE_RATIO,
	CURVE_GUESTS,
	CURVE_ALL,
	CURVE_EACH,
	CURVE_LATENCY,
	CURVE_WAIT,
	CURVE_STEAL,
	CURVE_HOST,
	CURVE_FAIR,
	CURVE_COLUMNS
};

/* A column's head; what stands in it at point i ("-": nothing; into buf, which is returned);
 * whether it has anything at all. */
const char *curve_title(enum curve_column c);
char *curve_text(const struct model *m, const struct model_curve *c, size_t i,
		 enum curve_column col, char *buf, size_t size);
bool curve_has(const struct model *m, const struct model_curve *c, enum curve_column col);

/* "IOPS per guest"; "knee at 1.9 [1.7, 2.1] vCPUs a CPU (...)", into buf, which is returned. */
const char *curve_figure_word(enum curve_figure f);
char *knee_text(const struct model_knee *k, char *buf, size_t size);

/* The host's CPUs at 1:1 and at a rule's ratio beside what its source says, into buf, of at least
 * 256 bytes; "" where they are not known. Returns buf. */
char *rule_load_text(const struct model_rule *r, char *buf, size_t size);

/* ---- query_vs.c: the two arms of a run ---- */

/* What an arm was given: "disk.ring=packed", "the profile as it is". New. */
char *vs_arm(char *const *sets, size_t n);

/* Figure, interval and reason of one pair: "-12 % [-14, -10]", "failed", "n/a". Into buf, which is
 * returned. */
char *vs_ratio(const struct model_vs *x, enum num_style s, char *buf, size_t size);

/* Its mark: MARK_FAILED with too many failed trials, else the verdict's. */
enum mark vs_mark(const struct model_vs *x);

/* Its word: "worse", "undecided, 8 to 30 more blocks", "same: differs, but by less than 2 %"
 * (brief: "same, below 2 %"). Into buf, which is returned. */
char *vs_word(const struct model *m, const struct model_vs *x, bool brief, char *buf, size_t size);

/* Name of its workload and label; never NULL. */
const char *vs_workload(const struct model *m, const struct model_vs *x);
const char *vs_label(const struct model_vs *x);

/* ---- query_disks.c ---- */

#define ASIDE_MAX 3

enum aside_kind { ASIDE_IMAGE, ASIDE_DISKS, ASIDE_KINDS };

/* Figures that stand in a short table of their own: what making images took, or many disks. */
struct aside {
	const char *title;
	const struct metric_row *metric[ASIDE_MAX];
	const char *name[ASIDE_MAX]; /* short ones */
	size_t n;
};

/* false: the run is not about such, or the workload has no such figures. */
bool workload_aside(const struct model *m, const struct model_workload *w, enum aside_kind kind,
		    struct aside *a);

/* ---- query_ladder.c ---- */

/* A step's figure as a metric to print it by: "time per I/O", in ns, compared by difference. */
const struct metric_row *step_metric(enum step_figure f);

/* "costs", "saves", "undecided" or "". */
const char *layer_text(enum layer_word w);

/* Better: it saves; worse: it costs; undecided has no mark, and so no colour. Nor has a layer
 * between unlike places, whatever was shown of it: the emulation is in it. */
enum mark layer_mark(const struct model_rung *r, enum layer_word w);

/* Whether any rung of the workload has that figure. */
bool steps_have(const struct model *m, const struct model_workload *w, enum step_figure f);

/* The rungs of a stack, from the ground up to rung i, and how many; at most max of the uppermost.
 */
size_t rung_stack(const struct model *m, size_t i, size_t *stack, size_t max);

/* Nothing stands on this rung. */
bool rung_is_top(const struct model *m, size_t i);

/* ---- plot.c, svg.c ---- */

struct plots {
	char **wide, **narrow; /* [nworkloads] SVG to put into the page, NULL where there is nothing
				  to plot */
	size_t n;
	char **curve_wide, **curve_narrow; /* [ncurves], the same of guests at once */
	size_t ncurves;
	char trouble[512]; /* why there are none, "" if there was no trouble */
};

/* Draws a plot of each workload with gnuplot, all in one child process. Always succeeds: see
 * trouble. */
void plots_make(const struct model *m, struct plots *p);
void plots_free(struct plots *p);

/* What stands for text in what gnuplot draws: gnuplot is given "L3", the page shows text[3]. */
struct svg_text {
	char letter;
	char **text;
	size_t n;
};

/*
 * Takes over what gnuplot has drawn: only known elements and attributes pass, ids get the prefix,
 * style attributes become plain ones (the page's policy forbids inline styles), stand-in colours
 * become the page's, stand-in texts the true ones. title and desc are for people who do not see it.
 * Caller frees; NULL if it is no SVG.
 */
char *svg_adopt(const char *svg, const char *prefix, const char *title, const char *desc,
		const struct svg_text *texts, size_t ntexts);

/* ---- html_*.c ---- */

void part_head(FILE *f, const struct model *m);
void part_workload(FILE *f, const struct model *m, size_t w, const struct plots *p);
void part_tuning(FILE *f, const struct model *m);
void part_search(FILE *f, const struct model *m);
void part_vs(FILE *f, const struct model *m);
void part_spread(FILE *f, const struct model_workload *w);
void part_methods(FILE *f);
void part_rungs(FILE *f, const struct model *m);
void part_layers(FILE *f, const struct model *m, const struct model_workload *w);
void part_asides(FILE *f, const struct model *m, const struct model_workload *w);
void part_claims(FILE *f, const struct model *m);
void part_curves(FILE *f, const struct model *m, size_t w, const struct plots *p);
void part_rules(FILE *f, const struct model *m);
void part_side(FILE *f, const struct model *m);
void part_checks(FILE *f, const struct model *m);
void part_failures(FILE *f, const struct model *m);
void part_skipped(FILE *f, const struct model *m);
void part_repeat(FILE *f, const struct model *m);
void part_facts(FILE *f, const struct model *m);
void part_time(FILE *f, const struct model *m);
void part_method(FILE *f, const struct model *m);
void part_provenance(FILE *f, const struct model *m);

/* A folded-out text under its title; nothing without text. */
void code_part(FILE *f, const char *title, const char *text);

/* Writes what put writes as the file path, in one piece. 0 or -errno. */
int page_save(const char *path, void (*put)(FILE *f, const void *what), const void *what,
	      struct err *e);

#endif
