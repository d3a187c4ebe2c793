/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a gate would have said of nights that a bank of A/A blocks holds: pure, no I/O. A night of
 * the gate's shape is made of two whole stretches of blocks that stood one after another in one
 * session of the bank [Kunsch 1989: the dependence of neighbouring blocks is kept], the same blocks
 * for all series, the second stretch clear of the first.
 */
#ifndef VB_GATE_PROVE_RATE_H
#define VB_GATE_PROVE_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * d[series][block]: log (or plain) differences of pairs, worse positive, NAN where a pair is
 * missing. session[block]: a number for each run of the bank, blocks of a run next to each other.
 */
struct bank {
	size_t nseries, nblocks;
	double **d;
	unsigned *session;
	bool crosses; /* out: no session is long enough, so stretches go on into the next */
};

/*
 * Judges one night: red[series] is set for what stays red after both stages. second may only be
 * used for the suspects of first.
 */
typedef void prove_judge(const double *const *first, size_t nfirst, const double *const *second,
			 size_t nsecond, size_t nseries, bool *red, void *arg);

struct night_shape {
	size_t first, second; /* blocks of the two stages */
	prove_judge *judge;
	void *arg;
};

/* A share of drawn nights with its exact 95 % limits [Clopper & Pearson 1934], given the bank. */
struct night_rate {
	size_t hits, nights;
	double share, lo, hi;
};

/*
 * Share of nights on which any series is red although nothing was changed. Which of two equal arms
 * is called the change is a convention, so each night is judged both ways round. -EINVAL when the
 * bank is shorter than a night.
 */
int prove_false_nights(struct bank *b, const struct night_shape *s, size_t nights, uint64_t seed,
		       struct night_rate *out);

/* Share of nights on which that series is red with shift added to all its differences. */
int prove_found_nights(struct bank *b, const struct night_shape *s, size_t series, double shift,
		       size_t nights, uint64_t seed, struct night_rate *out);

/* One chance a night, over so many nights. */
double prove_over_nights(double share, unsigned nights);

/* Nights of that shape that the bank holds without any block twice. */
size_t prove_disjoint(const struct bank *b, const struct night_shape *s);

/* Upper 95 % (one-sided) limit of a share when none of n was hit: 1 - 0.05^(1/n). */
double prove_none_of(size_t n);

/* Mean of a series over the whole bank with its 95 % interval: whether the machinery itself favours
 * an arm. */
void prove_bias(const struct bank *b, size_t series, double *mid, double *lo, double *hi);

#endif
