/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fixed-blocks policy: complete blocks, a fresh order in each, everything a function of the
 * seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "run/policy.h"

/* First outputs of the reference implementation for seed 1234567 (widely published test vector of
 * SplitMix64). */
static void splitmix_equals_the_published_stream(void **state)
{
	uint64_t s = 1234567;

	(void)state;
	assert_true(splitmix64(&s) == 6457827717110365317ull);
	assert_true(splitmix64(&s) == 3203168211198807973ull);
	assert_true(splitmix64(&s) == 9817491932198370423ull);
	assert_true(splitmix64(&s) == 4593380528125082431ull);
	assert_true(splitmix64(&s) == 16408922859458223821ull);
}

enum { BLOCKS = 20, CELLS = 3, WORKLOADS = 2, PER = CELLS * WORKLOADS };

static unsigned walk(uint64_t seed, struct order *out)
{
	struct policy *p = policy_fixed(seed, BLOCKS, CELLS, WORKLOADS);
	unsigned n = 0;
	struct order o;

	while (p->ask(p, &o)) {
		struct outcome told = {.order = o, .ok = n % 7 != 0};

		if (n < BLOCKS * PER)
			out[n] = o;
		n++;
		p->tell(p, &told);
	}
	assert_int_equal(p->total(p), BLOCKS * PER);
	p->free(p);
	return n;
}

static void every_block_holds_every_trial_once(void **state)
{
	struct order o[BLOCKS * PER];
	unsigned i, b;

	(void)state;
	assert_int_equal(walk(42, o), BLOCKS * PER);
	for (b = 0; b < BLOCKS; b++) {
		unsigned seen[PER] = {0};

		for (i = 0; i < PER; i++) {
			const struct order *x = &o[b * PER + i];

			assert_int_equal(x->seq, b * PER + i);
			assert_int_equal(x->block, b);
			assert_int_equal(x->place, i);
			assert_in_range(x->cell, 0, CELLS - 1);
			assert_in_range(x->workload, 0, WORKLOADS - 1);
			seen[x->cell * WORKLOADS + x->workload]++;
		}
		for (i = 0; i < PER; i++)
			assert_int_equal(seen[i], 1);
	}
}

static void seed_of_fio_is_equal_within_a_block_and_differs_between(void **state)
{
	struct order o[BLOCKS * PER];
	unsigned i, k;

	(void)state;
	walk(42, o);
	for (i = 0; i < BLOCKS * PER; i++) {
		assert_true(o[i].randseed >= 1 && o[i].randseed <= 0x7fffffff);
		for (k = 0; k < i; k++)
			assert_int_equal(o[i].randseed == o[k].randseed, o[i].block == o[k].block);
	}
}

static void same_seed_same_schedule_other_seed_another(void **state)
{
	struct order a[BLOCKS * PER], b[BLOCKS * PER], c[BLOCKS * PER];
	unsigned i, differ = 0, orders = 0;

	(void)state;
	memset(a, 0, sizeof(a));
	memset(b, 0, sizeof(b));
	walk(7, a);
	walk(7, b);
	walk(8, c);
	for (i = 0; i < BLOCKS * PER; i++) {
		assert_int_equal(a[i].cell, b[i].cell);
		assert_int_equal(a[i].workload, b[i].workload);
		assert_int_equal(a[i].randseed, b[i].randseed);
		differ += a[i].cell != c[i].cell || a[i].workload != c[i].workload;
	}
	assert_true(differ > 0);
	/* drawn afresh: 20 blocks of 6 in one order would be chance of 720^-19 */
	for (i = PER; i < BLOCKS * PER; i++)
		orders += a[i].cell != a[i % PER].cell;
	assert_true(orders > 0);
}

/* Asking twice without an answer is the same question: a killed trial is asked for again. */
static void asking_again_gives_the_same_trial(void **state)
{
	struct policy *p = policy_fixed(3, BLOCKS, CELLS, WORKLOADS);
	struct order a, b;

	(void)state;
	assert_true(p->ask(p, &a));
	assert_true(p->ask(p, &b));
	assert_int_equal(a.seq, b.seq);
	assert_int_equal(a.cell, b.cell);
	p->free(p);
}

/* Of 6 things, each is first in a block about as often as any other: chi-square, 5 df, 99.99 %
 * point 25.7. */
static void first_place_is_not_biased(void **state)
{
	enum { N = 6000 };
	struct policy *p = policy_fixed(99, N, CELLS, WORKLOADS);
	double first[PER] = {0}, chi = 0;
	struct order o;
	int i;

	(void)state;
	while (p->ask(p, &o)) {
		struct outcome told = {.order = o, .ok = true};

		if (!o.place)
			first[o.cell * WORKLOADS + o.workload]++;
		p->tell(p, &told);
	}
	for (i = 0; i < PER; i++)
		chi += (first[i] - N / 6.0) * (first[i] - N / 6.0) / (N / 6.0);
	assert_true(chi < 25.7);
	p->free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splitmix_equals_the_published_stream),
		cmocka_unit_test(every_block_holds_every_trial_once),
		cmocka_unit_test(seed_of_fio_is_equal_within_a_block_and_differs_between),
		cmocka_unit_test(same_seed_same_schedule_other_seed_another),
		cmocka_unit_test(asking_again_gives_the_same_trial),
		cmocka_unit_test(first_place_is_not_biased),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
