// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * make prove-statistics: each figure that the methods promise, by the product's own functions.
 *
 *     statistics [--short] [--tap] [--threads N] [--seed N] [--only NAME-OR-BEGINNING]
 *     statistics --judging
 *
 * --judging judges values that are made up, half of which must not pass: what `ok` is worth.
 * Exit status 0: every figure holds; 1: some do not; 2: wrong options.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "prove.h"
#include "prove_main.h"

static const struct {
	const char *name;
	void (*prove)(void);
} parts[] = {
	{"part1.", prove_part1},   {"part2.", prove_part2},   {"part3.", prove_part3},
	{"part4.", prove_part4},   {"part5.", prove_part5},   {"part6.", prove_part6},
	{"part7.", prove_part7},   {"part8.", prove_part8},   {"part9.", prove_part9},
	{"part10.", prove_part10}, {"part11.", prove_part11}, {"part12.", prove_part12},
	{"part13.", prove_part13}, {"part14.", prove_part14},
	{"part15.", prove_part15}, {"part16.", prove_part16},
};

static int usage(const char *what)
{
	fprintf(stderr,
		"statistics: %s\nusage: statistics [--short] [--tap] [--threads N] [--seed N] "
		"[--only NAME] | --judging\n",
		what);
	return 2;
}

/* Sides of a bound, in pairs: the first holds, the second must not. */
static void judging(void)
{
	prove_figure("at-most.below", 0.04, 0.05, true, 0.003);
	prove_figure("at-most.too-near", 0.04, 0.05, true, 0.004); /* 2.576 * 0.004 > 0.01 */
	prove_figure("at-least.above", 0.95, 0.93, false, 0.007);
	prove_figure("at-least.too-near", 0.95, 0.93, false, 0.008);
	prove_figure("exact.on-the-bound", 3, 3, true, 0);
	prove_figure("exact.beyond", 3.001, 3, true, 0);
	prove_twin("twin.fails", 0.27, 0.05, true, 0.01);
	prove_twin("twin.may-be-right", 0.07, 0.05, true, 0.01);
	prove_near("near.within", 1.01, 1, 0.02);
	prove_near("near.outside", 1.03, 1, 0.02);
	prove_agrees("agrees.within", 1.13, 0.01, 1, 0.1);
	prove_agrees("agrees.outside", 1.14, 0.01, 1, 0.1);
	prove_equal("equal.is", 5, 5);
	prove_equal("equal.is-not", 5, 6);
	prove_figure("finite", 0, 1, true, 0.01);
	prove_figure("not-finite", 0.0 / 0.0, 1, true, 0.01);
}

static bool number(const char *text, unsigned long max, unsigned long *n)
{
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	*n = strtoul(text, &end, 10);
	return !*end && *n <= max;
}

static const char *options(struct prove_main *m, char **argv, bool *made_up)
{
	for (; *argv; argv++) {
		unsigned long n;

		if (!strcmp(*argv, "--short")) {
			m->short_form = true;
		} else if (!strcmp(*argv, "--tap")) {
			m->tap = true;
		} else if (!strcmp(*argv, "--judging")) {
			*made_up = true;
		} else if (!strcmp(*argv, "--threads")) {
			if (!number(*++argv, 16, &n) || !n)
				return "--threads takes 1 to 16";
			m->threads = n;
		} else if (!strcmp(*argv, "--seed")) {
			if (!number(*++argv, ~0UL >> 1, &n))
				return "--seed takes a number";
			m->seed = n;
		} else if (!strcmp(*argv, "--only")) {
			if (!*++argv)
				return "--only takes a figure's name or its beginning";
			m->only = *argv;
		} else {
			return "no such option";
		}
	}
	return NULL;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct prove_main m = {.threads = 2};
	bool made_up = false;
	const char *wrong = argc ? options(&m, argv + 1, &made_up) : NULL;

	if (wrong)
		return usage(wrong);
	prove_begin(&m);
	if (made_up)
		judging();
	for (size_t i = 0; !made_up && i < sizeof(parts) / sizeof(*parts); i++) {
		double start = seconds();

		if (!prove_wanted(parts[i].name))
			continue;
		parts[i].prove();
		printf("# %s %.1f s\n", parts[i].name, seconds() - start);
	}
	if (m.tap)
		printf("1..%zu\n", m.figures);
	printf("# %zu figures, %zu do not hold\n", m.figures, m.failed);
	if (!m.figures)
		return usage("no figure has such a name");
	return m.failed ? 1 : 0;
}
