/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The proof program: what the statistics promise, simulated with the product's own functions. Each
 * figure is a line `NAME VALUE BOUND ok|not` (or a line of TAP); seeds are made of names, so that a
 * figure does not depend on which others run, in which order, or in how many threads.
 */
#ifndef VB_PROVE_H
#define VB_PROVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- figures: names have no blanks --- */

/*
 * A figure with standard error se (0: exact) holds when its 99 % interval lies wholly on the good
 * side of the bound. A value that is not finite never holds.
 */
void prove_figure(const char *name, double value, double bound, bool at_most, double se);

/* A reproduction holds when it is within tolerance of the reference. */
void prove_near(const char *name, double value, double reference, double tolerance);

/*
 * The same for simulations: within the reference's own error (rounding and noise, as it is printed)
 * and 3.5 standard errors of ours; the distance in standard errors is printed.
 */
void prove_agrees(const char *name, double value, double se, double reference, double ref_error);

/* A deliberately wrong method: holds when its 99 % interval lies wholly on the *bad* side. */
void prove_twin(const char *name, double value, double bound, bool at_most, double se);

/*
 * A rate that is to be at most nominal, and is nominal exactly where the method is exact: no
 * simulation shows that it is not above. The bound is the nominal rate and a tenth of it (short
 * form: a quarter).
 */
struct prove_stat;
void prove_nominal(const char *name, const struct prove_stat *rate, double nominal);

/* A fact that is either so or not (an exact size, a rule). */
void prove_equal(const char *name, double value, double reference);

/* Whether figures that begin so are asked for: a simulation asks before it spends its time. */
bool prove_wanted(const char *prefix);

/* Replications: the long form's, or the short form's. */
size_t prove_reps(size_t long_form, size_t short_form);
bool prove_is_short(void);

/* --- random numbers: xoshiro256++ [Blackman & Vigna 2021], normal deviates by Marsaglia's polar
 * method --- */

struct prove_rng {
	uint64_t s[4];
	double spare; /* the second normal deviate of a pair, NAN: none */
};

void prove_seed(struct prove_rng *g, const char *name, uint64_t stream);
uint64_t prove_u64(struct prove_rng *g);
double prove_uniform(struct prove_rng *g); /* 0 < u < 1 */
size_t prove_below(struct prove_rng *g, size_t n);
double prove_normal(struct prove_rng *g);
double prove_exponential(struct prove_rng *g);

/* --- simulations --- */

/* One replication: writes k results, NAN for "no value". No state but its own. */
typedef void prove_body(struct prove_rng *g, const void *arg, double *out);

/*
 * Runs n replications in all threads. Replication i has the stream (name, i). Returns values
 * [n][k], to be freed by the caller; never NULL (out of memory ends the program).
 */
double *prove_run(const char *name, size_t n, size_t k, prove_body *body, const void *arg);

struct prove_stat {
	double value, se;
	size_t n;
};

/* Of column c, NAN left out. prove_rate: of values 0 and 1; its se is never 0 [Agresti & Coull
 * 1998]. */
struct prove_stat prove_mean(const double *v, size_t n, size_t k, size_t c);
struct prove_stat prove_rate(const double *v, size_t n, size_t k, size_t c);

/* Percentile of column c, INFINITY allowed; its se from the order statistics one standard error of
 * the rank to either side. */
struct prove_stat prove_percentile(const double *v, size_t n, size_t k, size_t c, double p);

/* printf into a name that lives until the 32nd call after it. */
const char *prove_name(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* --- groups of figures: each file has its own --- */

void prove_part1(void);	       /* templates */
void prove_part2(void);	       /* estimates, intervals */
void prove_part3(void);	       /* main effects */
void prove_part4(void);	       /* verdicts, forecasts */
void prove_part5(void);	       /* sizes */
void prove_part6(void);	       /* run until decided */
void prove_part7(void);	       /* many comparisons */
void prove_part8(void);	       /* components of variance */
void prove_part9(void);	       /* percentiles */
void prove_part10(void);       /* levels: templates, runs, baselines */
void prove_part11(void);       /* the gate's two stages */
void prove_part12(void);       /* change points */
void prove_part13(void);       /* exact limits of shares */
void prove_part14(void);       /* bisection */
void prove_part15(void);       /* the tuner's search */
void prove_part16(void);       /* the knee of overcommit */
void prove_bank_figures(void); /* of part 13 */

#endif
