// SPDX-License-Identifier: GPL-2.0-or-later
/* The search's schedule: budget, start in every race block, failures, replay. The truth is made up,
 * without noise, so the best cell is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "run/policy_tune.h"

#define CELLS 32
static const unsigned levels[] = {2, 2, 2, 2, 2};

static void fill(unsigned char level[CELLS][5])
{
	for (unsigned c = 0; c < CELLS; c++)
		for (unsigned i = 0; i < 5; i++)
			level[c][i] = c >> i & 1;
}

static struct policy *make(unsigned visits, unsigned workloads, const signed char *turn)
{
	static unsigned char level[CELLS][5];
	struct tune_rule rule = {{CELLS, 5, levels, &level[0][0]}, 0, visits, turn};

	fill(level);
	return policy_tune(42, workloads, &rule);
}

/* Cell 22 = 10110b is the best: each right bit is worth 10 %. */
static double cost(unsigned cell)
{
	return 100 * pow(1.1, __builtin_popcount(cell ^ 22));
}

static void same(const struct order *a, const struct order *b)
{
	assert_int_equal(a->seq, b->seq);
	assert_int_equal(a->block, b->block);
	assert_int_equal(a->place, b->place);
	assert_int_equal(a->cell, b->cell);
	assert_int_equal(a->workload, b->workload);
	assert_true(a->randseed == b->randseed);
}

struct seen {
	unsigned n, blocks, cells[400], block[400];
};

static size_t run(struct policy *p, int fails, double power, struct seen *s)
{
	struct order o, again;
	size_t winner;

	memset(s, 0, sizeof(*s));
	while (p->ask(p, &o)) {
		struct outcome told = {.order = o, .ok = (int)o.cell != fails};

		assert_true(p->ask(p, &again)); /* asking twice gives the same */
		same(&o, &again);
		assert_true(p->takes_part(p, o.cell));
		assert_int_equal(o.seq, s->n);
		told.primary = pow(cost(o.cell), power) * (1 + o.block);
		s->cells[s->n] = o.cell;
		s->block[s->n++] = o.block;
		s->blocks = o.block + 1;
		p->tell(p, &told);
	}
	winner = policy_tune_state(p)->winner;
	assert_int_equal(policy_tune_state(p)->phase, TUNE_DONE);
	assert_int_equal(p->total(p), s->n);
	return winner;
}

static void finds_the_best(void **state)
{
	struct policy *p = make(40, 1, NULL);
	struct seen s;
	unsigned most = p->total(p);

	(void)state;
	assert_int_equal(run(p, -1, 1, &s), 22);
	assert_true(s.n <= 40);
	assert_int_equal(s.n, most);
	assert_true(fabs(policy_tune_state(p)->gain - 3 * log(1.1)) < 0.02); /* 22 has three bits */
	p->free(p);
}

static void start_in_every_race_block(void **state)
{
	struct policy *p = make(60, 1, NULL);
	unsigned first, with[60] = {0};
	struct seen s;

	(void)state;
	run(p, -1, 1, &s);
	first = policy_tune_state(p)->race_first;
	for (unsigned i = 0; i < s.n; i++)
		with[s.block[i]] += s.cells[i] == 0;
	assert_true(first > 0 && first < s.blocks);
	for (unsigned b = first; b < s.blocks; b++)
		assert_int_equal(with[b], 1);
	p->free(p);
}

static void failed_cells_leave(void **state)
{
	struct policy *p = make(60, 1, NULL);
	struct seen s;
	unsigned n = 0, last = 0;

	(void)state;
	assert_int_not_equal(run(p, 22, 1, &s), 22);
	for (unsigned i = 0; i < s.n; i++)
		if (s.cells[i] == 22) {
			n++;
			last = s.block[i];
		}
	/* once in the screening, or through the round of the race in which it failed */
	assert_true(!n || policy_tune_state(p)->failed[22]);
	assert_true(last + 1 < s.blocks);
	p->free(p);
}

static void direction(void **state)
{
	static const signed char less_is_worse[] = {-1};
	struct policy *p = make(40, 1, less_is_worse);
	struct seen s;

	(void)state;
	/* power -1: the best cell has the largest value */
	assert_int_equal(run(p, -1, -1, &s), 22);
	p->free(p);
}

static void workloads_that_do_not_count(void **state)
{
	static const signed char turn[] = {0, 1, -1};
	struct policy *p = make(40, 3, turn);
	struct order o;
	unsigned n[3] = {0};

	(void)state;
	while (p->ask(p, &o)) {
		struct outcome told = {.order = o, .ok = true};

		told.primary = pow(cost(o.cell), turn[o.workload]);
		n[o.workload]++;
		p->tell(p, &told);
	}
	assert_int_equal(n[0], 0);
	assert_int_equal(n[1], n[2]);
	assert_true(n[1] <= 40);
	assert_int_equal(policy_tune_state(p)->winner, 22);
	p->free(p);
}

/* Told the same again, it asks the same again, wherever it was cut. */
static void replays(void **state)
{
	struct policy *p = make(60, 1, NULL), *q = make(60, 1, NULL);
	struct order o, r;

	(void)state;
	while (p->ask(p, &o)) {
		struct outcome told = {.order = o, .ok = o.seq % 7 != 3};

		assert_true(q->ask(q, &r));
		same(&o, &r);
		told.primary = cost(o.cell);
		p->tell(p, &told);
		q->tell(q, &told);
	}
	assert_false(q->ask(q, &r));
	p->free(p);
	q->free(q);
}

/* Nothing better than the start: it stays. */
static void start_wins_ties(void **state)
{
	struct policy *p = make(40, 1, NULL);
	struct order o;

	(void)state;
	while (p->ask(p, &o)) {
		struct outcome told = {.order = o, .ok = true, .primary = 100};

		p->tell(p, &told);
	}
	assert_int_equal(policy_tune_state(p)->winner, 0);
	p->free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_best),
		cmocka_unit_test(start_in_every_race_block),
		cmocka_unit_test(failed_cells_leave),
		cmocka_unit_test(direction),
		cmocka_unit_test(workloads_that_do_not_count),
		cmocka_unit_test(replays),
		cmocka_unit_test(start_wins_ties),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
