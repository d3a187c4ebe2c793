// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Running until decided: which trials are asked for, which cells leave, when it ends; replay; and
 * the error over all looks, by simulation with the policy itself.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "run/policy.h"

/* Trials of a block by cell and workload, of up to 100 blocks. */
struct walk {
	unsigned blocks, trials, open;
	unsigned in[100][4][2]; /* [block][cell][workload] */
	struct order order[2000];
};

/* A made-up value: what a cell gives in a block, and whether the trial is good. */
typedef double (*value_fn)(unsigned cell, unsigned workload, unsigned block, bool *ok);

static void tell(struct policy *p, const struct order *o, value_fn f)
{
	struct outcome told = {.order = *o, .ok = true};

	told.primary = f(o->cell, o->workload, o->block, &told.ok);
	p->tell(p, &told);
}

static void assert_order(const struct order *a, const struct order *b)
{
	assert_int_equal(a->seq, b->seq);
	assert_int_equal(a->block, b->block);
	assert_int_equal(a->place, b->place);
	assert_int_equal(a->cell, b->cell);
	assert_int_equal(a->workload, b->workload);
	assert_true(a->randseed == b->randseed);
}

static void walk(struct policy *p, value_fn f, struct walk *out)
{
	struct order o, again;

	memset(out, 0, sizeof(*out));
	while (p->ask(p, &o)) {
		assert_true(p->ask(p, &again));
		assert_order(&o, &again);
		assert_int_equal(o.seq, out->trials);
		assert_true(o.block < 100 && o.cell < 4 && o.workload < 2 && out->trials < 2000);
		assert_true(p->takes_part(p, o.cell));
		assert_true(p->total(p) > out->trials);
		out->in[o.block][o.cell][o.workload]++;
		out->order[out->trials++] = o;
		out->blocks = o.block + 1;
		tell(p, &o, f);
	}
	out->open = p->open(p);
	assert_int_equal(p->total(p), out->trials);
	p->free(p);
}

/* 1 % of noise that is a function of cell and block. */
static double noise(unsigned cell, unsigned block)
{
	uint64_t s = cell * 1000003ull + block;

	splitmix64(&s);
	return ((double)(splitmix64(&s) >> 11) / 9007199254740992.0 - 0.5) * 0.02;
}

/*
 * Cell 0 is the reference; 1 is twice as slow in workload 0 and equal in 1; 2 is equal in 0 and, of
 * a sawtooth that never settles, undecided in 1; 3 is equal in both.
 */
static double known_cells(unsigned cell, unsigned workload, unsigned block, bool *ok)
{
	double x = 1000 * exp(noise(cell + 10 * workload, block));

	(void)ok;
	if (cell == 1 && !workload)
		return x * 2;
	if (cell == 2 && workload)
		return x * (block % 2 ? 1.5 : 0.7);
	return x;
}

static const struct policy_pair star[] = {{0, 1}, {0, 2}, {0, 3}};

static struct policy *star_policy(uint64_t seed, bool precision, double width, unsigned max)
{
	struct policy_rule rule = {.precision = precision,
				   .width = width,
				   .max_blocks = max,
				   .pairs = star,
				   .npairs = 3};

	return policy_decide(seed, 4, 2, &rule);
}

static void cells_leave_as_they_are_decided(void **state)
{
	static struct walk w;
	unsigned b;

	(void)state;
	walk(star_policy(5, false, 0.1, 30), known_cells, &w);
	/* nothing is looked at before the fourth block */
	for (b = 0; b < 4; b++)
		for (unsigned c = 0; c < 4; c++)
			for (unsigned k = 0; k < 2; k++)
				assert_int_equal(w.in[b][c][k], 1);
	/* a factor of 2 with 1 % of noise is beyond doubt then: worse */
	assert_int_equal(w.in[4][1][0], 0);
	/* no cell is open in workload 0 for long, and then the reference is of no use there either
	 */
	assert_int_equal(w.in[29][0][0], 0);
	for (b = 4; b < 30; b++) {
		/* the sawtooth stays to the end, and its reference with it */
		assert_int_equal(w.in[b][2][1], 1);
		assert_int_equal(w.in[b][0][1], 1);
		/* who has left does not come back */
		for (unsigned c = 0; c < 4; c++)
			for (unsigned k = 0; k < 2; k++)
				assert_true(w.in[b][c][k] <= w.in[b - 1][c][k]);
	}
	assert_int_equal(w.in[29][1][1], 0);
	assert_int_equal(w.in[29][3][0], 0);
	assert_int_equal(w.in[29][3][1], 0);
	assert_int_equal(w.blocks, 30);
	assert_int_equal(w.open, 1);
}

static double all_equal(unsigned cell, unsigned workload, unsigned block, bool *ok)
{
	(void)ok;
	return 1000 * exp(noise(cell + 10 * workload, block));
}

/* While nothing is decided its blocks are those of policy_fixed: the same seed, the same order. */
static void blocks_are_drawn_as_ever(void **state)
{
	struct policy *p = star_policy(42, false, 0.1, 30), *fixed = policy_fixed(42, 4, 4, 2);
	struct order a, b;
	unsigned n = 0;

	(void)state;
	assert_int_equal(p->total(p), 30 * 8);
	while (fixed->ask(fixed, &b)) {
		struct outcome told = {.order = b, .ok = true, .primary = 1};

		assert_true(p->ask(p, &a));
		assert_order(&a, &b);
		fixed->tell(fixed, &told);
		p->tell(p, &told);
		n++;
	}
	assert_int_equal(n, 32);
	/* all equal and without noise: the same, at the first look */
	assert_false(p->ask(p, &a));
	assert_int_equal(p->open(p), 0);
	assert_int_equal(p->total(p), 32);
	p->free(p);
	fixed->free(fixed);
}

/* Told the same outcomes, up to any instant, it goes on in the same way: resume. */
static void replay_gives_the_same_schedule(void **state)
{
	static struct walk w, again;

	(void)state;
	walk(star_policy(5, false, 0.1, 30), known_cells, &w);
	for (unsigned cut = 0; cut <= w.trials; cut += 7) {
		struct policy *p = star_policy(5, false, 0.1, 30);
		struct order o;

		for (unsigned i = 0; i < cut; i++) {
			assert_true(p->ask(p, &o));
			assert_order(&o, &w.order[i]);
			tell(p, &w.order[i], known_cells);
		}
		if (!p->ask(p, &o)) {
			assert_int_equal(cut, w.trials);
			p->free(p);
			continue;
		}
		assert_order(&o, &w.order[cut]);
		p->free(p);
	}
	walk(star_policy(5, false, 0.1, 30), known_cells, &again);
	assert_int_equal(again.trials, w.trials);
	for (unsigned i = 0; i < w.trials; i++)
		assert_order(&again.order[i], &w.order[i]);
}

static void pairs_without_a_common_cell_end_apart(void **state)
{
	static const struct policy_pair pairs[] = {{0, 2}, {1, 3}};
	struct policy_rule rule = {.width = 0.1, .max_blocks = 20, .pairs = pairs, .npairs = 2};
	static struct walk w;

	(void)state;
	/* 1 and 3 differ by a factor of 2; 0 and 2 by a sawtooth in workload 1 alone */
	walk(policy_decide(9, 4, 2, &rule), known_cells, &w);
	assert_int_equal(w.in[4][1][0], 0);
	assert_int_equal(w.in[4][3][0], 0);
	assert_int_equal(w.in[19][0][1], 1);
	assert_int_equal(w.in[19][2][1], 1);
	assert_int_equal(w.in[19][1][1], 0);
	assert_int_equal(w.open, 1);
}

/* Cell 1 never works; cell 2 fails in the first two blocks and is a factor of 2 slower then. */
static double failing(unsigned cell, unsigned workload, unsigned block, bool *ok)
{
	*ok = cell != 1 && (cell != 2 || block > 1);
	return *ok ? (cell == 2 ? 2 : 1) * 1000 * exp(noise(cell + 10 * workload, block)) : NAN;
}

static void failed_trials_are_no_values(void **state)
{
	static struct walk w;

	(void)state;
	walk(star_policy(5, false, 0.1, 30), failing, &w);
	/* given up: without a single trial in four blocks there will be none in the fifth */
	assert_int_equal(w.in[3][1][0], 1);
	assert_int_equal(w.in[4][1][0], 0);
	/* two of its blocks are left out, so that the first look is two blocks later */
	assert_int_equal(w.in[5][2][0], 1);
	assert_int_equal(w.in[6][2][0], 0);
	assert_true(w.blocks < 30);
	assert_int_equal(w.open, 0);
}

static double never(unsigned cell, unsigned workload, unsigned block, bool *ok)
{
	(void)cell;
	(void)workload;
	(void)block;
	*ok = false;
	return NAN;
}

static double odd_values(unsigned cell, unsigned workload, unsigned block, bool *ok)
{
	static const double odd[] = {NAN, 0, -1, INFINITY, 1e300, 5e-324};

	(void)ok;
	return odd[(cell + workload + block) % 6];
}

static void it_ends_whatever_is_told(void **state)
{
	static struct walk w;

	(void)state;
	walk(star_policy(5, false, 0.1, 30), never, &w);
	assert_int_equal(w.blocks, 4);
	walk(star_policy(5, false, 0.1, 30), odd_values, &w);
	assert_true(w.blocks <= 30);
	walk(star_policy(5, true, 0.1, 30), odd_values, &w);
	assert_true(w.blocks <= 30);
}

/*
 * Half-width of the t interval of n pairs that alternate between +d and -d on the log scale: t(n-1)
 * * s / sqrt(n), s = d * sqrt(n/(n-1)) for even n. d = 0.05: n = 10: 2.262 * 0.0527 / 3.162 =
 * 0.0377, n = 11 (mean 0.0045, s = 0.0522): 2.228 * 0.0522 / 3.317 = 0.0351 (expm1: 0.0357), n =
 * 14: 2.160 * 0.0519 / 3.742 = 0.0300 (expm1: 0.0304), n = 15 (mean 0.0033, s = 0.0516): 2.145 *
 * 0.0516 / 3.873 = 0.0286 (0.0290).
 */
static double alternating(unsigned cell, unsigned workload, unsigned block, bool *ok)
{
	(void)workload;
	(void)ok;
	return cell ? 1000 * exp(block % 2 ? -0.05 : 0.05) : 1000;
}

static unsigned blocks_of(bool precision, double width, value_fn f)
{
	static const struct policy_pair one[] = {{0, 1}};
	struct policy_rule rule = {.precision = precision,
				   .width = width,
				   .max_blocks = 40,
				   .pairs = one,
				   .npairs = 1};
	static struct walk w;

	walk(policy_decide(1, 2, 1, &rule), f, &w);
	return w.blocks;
}

static void precision_is_half_a_width(void **state)
{
	(void)state;
	assert_int_equal(blocks_of(true, 0.03, alternating), 15);
	/* 0.0377 is expm1: 0.0384 */
	assert_int_equal(blocks_of(true, 0.0385, alternating), 10);
	assert_int_equal(blocks_of(true, 0.0383, alternating), 11);
	/* never before the tenth, however sure */
	assert_int_equal(blocks_of(true, 0.5, all_equal), 10);
	assert_int_equal(blocks_of(true, 0.001, alternating), 40);
}

/* statistics.md, part 9: of a percentile no spread below a bin's is believed. */
static void a_floor_keeps_it_open(void **state)
{
	static const struct policy_pair one[] = {{0, 1}};
	const double floor = 1.0 / 64 / sqrt(12);
	struct policy_rule rule = {
		.width = 0.01, .max_blocks = 40, .pairs = one, .npairs = 1, .sd_floor = &floor};
	struct policy *p = policy_decide(1, 2, 1, &rule);
	unsigned n = 0;
	struct order o;

	(void)state;
	while (p->ask(p, &o)) {
		struct outcome told = {.order = o, .ok = true, .primary = 7};

		p->tell(p, &told);
		n = o.block + 1;
	}
	p->free(p);
	/*
	 * 4.6 * 0.00451 / sqrt(8) = 0.0073 < ln 1.01 = 0.00995: the table of part 6 for 40 at n =
	 * 8; at n = 5: 6.9 * 0.00451 / sqrt(5) = 0.0139: not yet.
	 */
	assert_in_range(n, 6, 8);
}

/* Sum of 12 uniforms less 6: normal enough. */
static double normal(uint64_t *s)
{
	double x = -6;

	for (unsigned i = 0; i < 12; i++)
		x += (double)(splitmix64(s) >> 11) / 9007199254740992.0;
	return x;
}

/* One run of a pair with trial sd 2 %; the blocks it took, and whether it ended in a difference. */
static bool one_run(uint64_t *s, double effect, double width, unsigned *blocks)
{
	static const struct policy_pair one[] = {{0, 1}};
	struct policy_rule rule = {.width = width, .max_blocks = 40, .pairs = one, .npairs = 1};
	struct policy *p = policy_decide(splitmix64(s), 2, 1, &rule);
	double sum = 0;
	bool open;
	struct order o;

	while (p->ask(p, &o)) {
		double x = 0.02 * normal(s) + (o.cell ? effect : 0);
		struct outcome told = {.order = o, .ok = true, .primary = exp(x)};

		sum += o.cell ? x : -x;
		p->tell(p, &told);
		*blocks = o.block + 1;
	}
	open = p->open(p) != 0;
	p->free(p);
	/* closed without lying inside +-width: a difference was claimed */
	return !open && fabs(sum / *blocks) > log1p(width) / 2;
}

/*
 * statistics.md, part 6, max 40, min_effect 5 %, sd 2 %: mean blocks to a verdict 8.5 at no
 * effect, 9.4 to 10.5 at 3 %, 4.9 at 10 %. With 2000 runs the standard error of these means is
 * below 0.1; a tenth is allowed besides. False differences: at most 5 %, which 2000 runs show to
 * within 1.5 (three errors).
 */
static void blocks_are_those_of_part_6(void **state)
{
	static const struct {
		double effect, blocks;
	} rows[] = {{0, 8.5}, {0.03, 10.5}, {0.05, 7.6}, {0.10, 4.9}};
	uint64_t s = 20240229;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double all = 0;
		unsigned claimed = 0;

		for (unsigned k = 0; k < 2000; k++) {
			unsigned n = 0;

			claimed += one_run(&s, log1p(rows[i].effect), 0.05, &n);
			all += n;
		}
		if (fabs(all / 2000 - rows[i].blocks) > 0.1 * rows[i].blocks)
			print_error("effect %g: %g blocks, %g expected\n", rows[i].effect,
				    all / 2000, rows[i].blocks);
		assert_true(fabs(all / 2000 - rows[i].blocks) <= 0.1 * rows[i].blocks);
		if (!rows[i].effect)
			assert_true(claimed <= 2000 * 0.05 + 30);
	}
}

/* Cell 1 differs a little less than would show alone at block 4 by a wide margin; see below. */
static double step_of(unsigned cell, unsigned block, double step)
{
	return 1000 * exp(cell ? step + (block % 2 ? 0.01 : -0.01) : 0);
}

static unsigned first_block_without(const struct policy_rule *rule, unsigned cells, double step)
{
	struct policy *p = policy_decide(1, cells, 1, rule);
	unsigned left = 0;
	struct order o;

	while (p->ask(p, &o)) {
		/* only cell 1 has the step; the others are the reference's equals, with the noise
		 */
		struct outcome told = {.order = o, .ok = true};

		told.primary = o.cell > 1 ? 1000 * exp(o.block % 2 ? 0.03 : -0.03)
					  : step_of(o.cell, o.block, step);
		p->tell(p, &told);
		left = o.cell == 1 ? o.block + 1 : left;
	}
	p->free(p);
	return left;
}

/*
 * +-1 % around a step, max 40: at n = 4 s = 0.01 * sqrt(4/3) = 0.01155, and the repeated interval
 * reaches 7.4 * 0.01155 / 2 = 0.0427. A step of 0.05 is beyond it: alone it is decided after 4
 * blocks, p = 2 * (1 - T3(0.05 / 0.0427 * 3.182)) = 0.034. With three comparisons in its family
 * Holm wants 0.0167, a t of 4.86 rather than 3.182: 0.05 * sqrt(n) / s * t(n-1) / c must reach that
 * of 3 df; at n = 5 (mean 0.048, s = 0.011, c = 6.9) 0.048 * sqrt(5) / 0.011 / 6.9 = 1.41 times
 * t(4) = 2.776, 3.93, p = 0.017: not yet, or barely; n = 6 (s = 0.011, c = 5.7) 1.95 times 2.571
 * = 5.02, p = 0.004: then.
 */
static void a_family_is_judged_as_one(void **state)
{
	static const struct policy_pair pairs[] = {{0, 1}, {0, 2}, {0, 3}};
	struct policy_rule rule = {.width = 0.001, .max_blocks = 40, .pairs = pairs, .npairs = 1};

	(void)state;
	assert_int_equal(first_block_without(&rule, 2, 0.05), 4);
	rule.npairs = 3;
	assert_in_range(first_block_without(&rule, 4, 0.05), 5, 6);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells_leave_as_they_are_decided),
		cmocka_unit_test(blocks_are_drawn_as_ever),
		cmocka_unit_test(replay_gives_the_same_schedule),
		cmocka_unit_test(pairs_without_a_common_cell_end_apart),
		cmocka_unit_test(failed_trials_are_no_values),
		cmocka_unit_test(it_ends_whatever_is_told),
		cmocka_unit_test(precision_is_half_a_width),
		cmocka_unit_test(a_floor_keeps_it_open),
		cmocka_unit_test(blocks_are_those_of_part_6),
		cmocka_unit_test(a_family_is_judged_as_one),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
