// SPDX-License-Identifier: GPL-2.0-or-later
/* Policy "search": screening in incomplete blocks, then successive halving in complete ones. */
#include "run/policy_tune.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"

#define SCREEN_BLOCK 12 /* visits of a block, about: each has its own templates */
/*
 * Share of the visits that the screening has. In the table's space (make prove-statistics, part 15)
 * a half leaves strong interactions unseen when the budget is small: 44 trials, interactions of 8
 * %: 91 % within 3 % of the best, against 97 %; with 96 trials there is no difference.
 */
#define SCREEN_TENTHS 6
/*
 * A cell's own effect in the race's model, as a share of noise's variance: what main effects and
 * pairs of them do not explain. Small, so that the race goes on learning from all trials; not 0, so
 * that a cell's own blocks can speak against the model.
 */
#define RACE_REST 0.3
#define ROUNDING 1e-9 /* below this, predictions are equal */
/* Blocks whose streams draw what is no block: the order of cells of equal worth, and of the
 * screening. */
#define DRAW_TIES 0xfffffffeu
#define DRAW_SCREEN 0xfffffffdu

struct search {
	struct policy policy;
	struct tune_state state;
	uint64_t seed;
	size_t start;
	unsigned workloads, counted; /* counted: those that count */
	struct screen_space space;   /* its arrays are ours */
	unsigned *levels;
	unsigned char *level;
	signed char *turn;
	bool *failed;	/* [cells] have left */
	bool *told;	/* [cells] in this block */
	size_t *screen; /* cells of the screening, in the order in which they are measured */
	struct screen_obs *obs;
	size_t nobs;
	double *predicted;	  /* [cells] */
	struct race_cell *racing; /* without the start; the first `live` are still in */
	size_t nracing, live;
	double *sum;	/* [cells] over blocks of the race */
	unsigned *n;	/* [cells] how many */
	unsigned left;	/* visits of the race */
	unsigned round; /* blocks left of its round */
	unsigned seq, place;
	unsigned *order; /* of the block: place -> cell * workloads + workload */
	unsigned norder;
	double *got;	/* [cells] sum over workloads in this block */
	unsigned *ngot; /* [cells] of how many */
};

static unsigned screen_blocks(unsigned visits)
{
	return (visits + SCREEN_BLOCK - 1) / SCREEN_BLOCK;
}

/* No cell twice; none where all cells can race. */
static unsigned screen_visits(const struct tune_rule *r)
{
	unsigned n = r->visits * SCREEN_TENTHS / 10;

	if (r->space.cells <= RACE_BEST + 1)
		return 0;
	if (n > r->space.cells)
		n = (unsigned)r->space.cells;
	return n > SCREEN_OBS_MAX / 2 ? SCREEN_OBS_MAX / 2 : n;
}

static unsigned changes(const struct search *s, size_t cell)
{
	const unsigned char *a = &s->level[cell * s->space.axes];
	const unsigned char *b = &s->level[s->start * s->space.axes];
	unsigned n = 0;

	for (size_t i = 0; i < s->space.axes; i++)
		n += a[i] != b[i];
	return n;
}

/* --- blocks --- */

static void take(struct search *s, size_t cell)
{
	for (unsigned w = 0; w < s->workloads; w++)
		if (s->turn[w])
			s->order[s->norder++] = (unsigned)cell * s->workloads + w;
	s->got[cell] = 0;
	s->ngot[cell] = 0;
}

/* Blocks differ in size by one visit at most. */
static void take_screen_block(struct search *s)
{
	unsigned blocks = screen_blocks(s->state.screen), b = s->state.blocks;
	unsigned from = s->state.screen * b / blocks, to = s->state.screen * (b + 1) / blocks;

	for (unsigned i = from; i < to; i++)
		take(s, s->screen[i]);
}

/* As the race's model has it; without one, the mean over the race's blocks. NAN: failed, or not
 * measured. */
static double worth(const struct search *s, size_t cell)
{
	if (s->failed[cell] || !s->n[cell])
		return NAN;
	return s->state.fit.used ? s->predicted[cell] : s->sum[cell] / s->n[cell];
}

static void finish(struct search *s)
{
	const struct race_cell *best = s->nracing ? &s->racing[0] : NULL;
	double start = worth(s, s->start);

	s->state.phase = TUNE_DONE;
	s->norder = 0;
	s->state.winner = s->start;
	s->state.gain = 0;
	/* what is no better stays as it is */
	if (best && !isnan(best->mean) && !(best->mean >= start - ROUNDING)) {
		s->state.winner = best->cell;
		s->state.gain = start - best->mean;
	}
}

static void take_race_block(struct search *s)
{
	if (!s->round && s->live)
		s->round = race_blocks(s->live, s->left);
	if (!s->round) {
		finish(s);
		return;
	}
	s->round--;
	take(s, s->start);
	for (size_t i = 0; i < s->live; i++)
		take(s, s->racing[i].cell);
	s->left -= (unsigned)s->live + 1;
}

static void begin_block(struct search *s)
{
	s->norder = s->place = 0;
	if (s->state.phase == TUNE_SCREEN)
		take_screen_block(s);
	else if (s->state.phase == TUNE_RACE)
		take_race_block(s);
	policy_shuffle(s->seed, s->state.blocks, s->order, s->norder);
}

/* --- the race --- */

static void begin_race(struct search *s)
{
	struct race_cell *all = xcalloc(s->space.cells + 1, sizeof(*all));
	size_t n = 0, most = race_cells(s->left);

	for (size_t i = 0; i < s->space.cells; i++)
		if (i != s->start && !s->failed[i])
			all[n++] = (struct race_cell){i, s->predicted[i], changes(s, i),
						      s->predicted[i]};
	race_sort(all, n);
	s->nracing = s->live = n < most ? n : most;
	memcpy(s->racing, all, s->nracing * sizeof(*all));
	free(all);
	s->state.phase = TUNE_RACE;
	s->state.race_first = s->state.blocks;
	s->state.racing = s->racing;
	s->state.nracing = s->nracing;
}

static void fit(struct search *s, double rest)
{
	screen_predict(&s->space, s->obs, s->nobs, rest, s->predicted, &s->state.fit);
	s->state.predicted = s->state.fit.used ? s->predicted : NULL;
}

static void end_round(struct search *s)
{
	fit(s, RACE_REST);
	for (size_t i = 0; i < s->live; i++)
		s->racing[i].mean = worth(s, s->racing[i].cell);
	race_sort(s->racing, s->live);
	s->live = race_keep(s->live);
	while (s->live && isnan(s->racing[s->live - 1].mean))
		s->live--;
	/* one that is left has won, unless it was alone from the beginning */
	if (s->live <= 1)
		s->live = 0;
}

static void end_screen(struct search *s)
{
	fit(s, 0);
	begin_race(s);
}

static void end_visit(struct search *s, size_t cell)
{
	s->told[cell] = false;
	s->state.visits++;
	if (s->ngot[cell] < s->counted) {
		s->failed[cell] = true;
		return;
	}
	s->state.measured++;
	s->obs[s->nobs++] = (struct screen_obs){cell, s->state.blocks, s->got[cell] / s->counted};
	if (s->state.phase == TUNE_RACE) {
		s->sum[cell] += s->got[cell] / s->counted;
		s->n[cell]++;
	}
}

static void end_block(struct search *s)
{
	for (unsigned i = 0; i < s->norder; i++)
		if (s->told[s->order[i] / s->workloads])
			end_visit(s, s->order[i] / s->workloads);
	s->state.blocks++;
	if (s->state.phase == TUNE_SCREEN && s->state.blocks == screen_blocks(s->state.screen))
		end_screen(s);
	else if (s->state.phase == TUNE_RACE && !s->round)
		end_round(s);
	begin_block(s);
}

/* --- the policy --- */

static bool search_ask(struct policy *p, struct order *out)
{
	struct search *s = (struct search *)p;

	if (!s->norder)
		return false;
	*out = (struct order){.seq = s->seq,
			      .block = s->state.blocks,
			      .place = s->place,
			      .cell = s->order[s->place] / s->workloads,
			      .workload = s->order[s->place] % s->workloads,
			      .randseed = policy_randseed(s->seed, s->state.blocks)};
	return true;
}

static void search_tell(struct policy *p, const struct outcome *r)
{
	struct search *s = (struct search *)p;
	unsigned cell, w;

	if (!s->norder) /* nothing was asked */
		return;
	cell = s->order[s->place] / s->workloads;
	w = s->order[s->place] % s->workloads;
	s->told[cell] = true;
	if (r->ok && isfinite(r->primary) && r->primary > 0) {
		s->got[cell] += s->turn[w] * log(r->primary);
		s->ngot[cell]++;
	}
	s->seq++;
	if (++s->place == s->norder)
		end_block(s);
}

/* Visits of a race of `live` cells that begins now. */
static unsigned race_visits(size_t live, unsigned left)
{
	unsigned n = 0;

	while (live) {
		unsigned visits = race_blocks(live, left) * (unsigned)(live + 1);

		n += visits;
		left -= visits;
		live = visits ? race_keep(live) : 0;
		if (live == 1)
			live = 0;
	}
	return n;
}

static unsigned search_total(const struct policy *p)
{
	const struct search *s = (const struct search *)p;
	unsigned left = s->norder - s->place, visits;

	if (s->state.phase == TUNE_DONE)
		return s->seq;
	if (s->state.phase == TUNE_SCREEN) {
		visits = s->state.screen * (s->state.blocks + 1) / screen_blocks(s->state.screen);
		visits = s->state.screen - visits + race_visits(race_cells(s->left), s->left);
	} else {
		unsigned round = s->round * (unsigned)(s->live + 1);
		size_t next = race_keep(s->live);

		visits = round + race_visits(next > 1 ? next : 0, s->left - round);
	}
	return s->seq + left + visits * s->counted;
}

static bool search_takes_part(const struct policy *p, unsigned cell)
{
	const struct search *s = (const struct search *)p;

	for (unsigned i = 0; i < s->norder; i++)
		if (s->order[i] / s->workloads == cell)
			return true;
	return false;
}

static unsigned search_open(const struct policy *p)
{
	(void)p;
	return 0;
}

static void search_free(struct policy *p)
{
	struct search *s = (struct search *)p;

	free(s->levels);
	free(s->level);
	free(s->turn);
	free(s->failed);
	free(s->told);
	free(s->screen);
	free(s->obs);
	free(s->predicted);
	free(s->racing);
	free(s->sum);
	free(s->n);
	free(s->order);
	free(s->got);
	free(s->ngot);
	free(s);
}

static void copy_rule(struct search *s, const struct tune_rule *r)
{
	size_t cells = r->space.cells, axes = r->space.axes;

	s->levels = xcalloc(axes + 1, sizeof(*s->levels));
	s->level = xcalloc(cells * axes + 1, sizeof(*s->level));
	if (axes) {
		memcpy(s->levels, r->space.levels, axes * sizeof(*s->levels));
		memcpy(s->level, r->space.level, cells * axes);
	}
	s->space = (struct screen_space){cells, axes, s->levels, s->level};
	s->start = r->start;
	s->turn = xcalloc(s->workloads + 1, sizeof(*s->turn));
	for (unsigned w = 0; w < s->workloads; w++) {
		s->turn[w] = r->turn ? r->turn[w] : 1;
		s->counted += s->turn[w] != 0;
	}
}

static void alloc(struct search *s, unsigned visits)
{
	size_t cells = s->space.cells;

	s->failed = xcalloc(cells + 1, sizeof(*s->failed));
	s->told = xcalloc(cells + 1, sizeof(*s->told));
	s->screen = xcalloc(cells + 1, sizeof(*s->screen));
	s->obs = xcalloc(visits + 1ul, sizeof(*s->obs));
	s->predicted = xcalloc(cells + 1, sizeof(*s->predicted));
	s->racing = xcalloc(cells + 1, sizeof(*s->racing));
	s->sum = xcalloc(cells + 1, sizeof(*s->sum));
	s->n = xcalloc(cells + 1, sizeof(*s->n));
	s->got = xcalloc(cells + 1, sizeof(*s->got));
	s->ngot = xcalloc(cells + 1, sizeof(*s->ngot));
	s->order = xcalloc(cells * s->workloads + 1, sizeof(*s->order));
}

/* Which cells, by their information; in which block, by chance. */
static void choose(struct search *s)
{
	size_t cells = s->space.cells, *ties = xcalloc(cells + 1, sizeof(*ties)), n;
	size_t *chosen = xcalloc(cells + 1, sizeof(*chosen));
	unsigned *draw = xcalloc(cells + 1, sizeof(*draw));

	for (size_t i = 0; i < cells; i++)
		draw[i] = (unsigned)i;
	policy_shuffle(s->seed, DRAW_TIES, draw, (unsigned)cells);
	for (size_t i = 0; i < cells; i++)
		ties[i] = draw[i];
	n = screen_choose(&s->space, s->state.screen, s->start, ties, chosen);
	/* without memory to choose: by chance */
	for (; n < s->state.screen; n++)
		chosen[n] = ties[n];
	for (size_t i = 0; i < n; i++)
		draw[i] = (unsigned)i;
	policy_shuffle(s->seed, DRAW_SCREEN, draw, (unsigned)n);
	for (size_t i = 0; i < n; i++)
		s->screen[i] = chosen[draw[i]];
	free(ties);
	free(chosen);
	free(draw);
}

struct policy *policy_tune(uint64_t seed, unsigned workloads, const struct tune_rule *rule)
{
	struct search *s = xcalloc(1, sizeof(*s));

	s->policy = (struct policy){.name = "search",
				    .ask = search_ask,
				    .tell = search_tell,
				    .total = search_total,
				    .takes_part = search_takes_part,
				    .open = search_open,
				    .free = search_free};
	s->seed = seed;
	s->workloads = workloads;
	copy_rule(s, rule);
	alloc(s, rule->visits);
	s->state.winner = s->start;
	s->state.failed = s->failed;
	s->state.screen = screen_visits(rule);
	s->state.fit = (struct screen_fit){NAN, NAN, NAN, 0, 0};
	s->left = rule->visits - s->state.screen;
	if (!s->counted || s->start >= s->space.cells)
		s->state.phase = TUNE_DONE;
	else if (s->state.screen)
		choose(s);
	else
		begin_race(s);
	begin_block(s);
	return &s->policy;
}

const struct tune_state *policy_tune_state(const struct policy *p)
{
	return &((const struct search *)p)->state;
}

/* Blocks of a whole search, or its visits. */
static unsigned planned(const struct tune_rule *rule, bool visits)
{
	unsigned screen = screen_visits(rule), left = rule->visits - screen;
	unsigned n = visits ? screen : screen_blocks(screen);
	size_t live = race_cells(left);

	if (live >= rule->space.cells)
		live = rule->space.cells - 1;
	while (live) {
		unsigned blocks = race_blocks(live, left);

		n += visits ? blocks * (unsigned)(live + 1) : blocks;
		left -= blocks * (unsigned)(live + 1);
		live = blocks ? race_keep(live) : 0;
		if (live == 1)
			live = 0;
	}
	return n;
}

unsigned policy_tune_blocks(const struct tune_rule *rule)
{
	return planned(rule, false);
}

unsigned policy_tune_visits(const struct tune_rule *rule)
{
	return planned(rule, true);
}
