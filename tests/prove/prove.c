// SPDX-License-Identifier: GPL-2.0-or-later
/* Figures, random numbers and threads of the proof program. */
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "prove.h"
#include "prove_main.h"

#define Z99 2.5758293035489004 /* two-sided 99 % */
#define ZNEAR 3.5	       /* hundreds of figures: 1 in 10 proofs would miss one by chance */

/* The program's one piece of state: options, set before any figure, and the tally. */
static struct prove_main *prove;

void prove_begin(struct prove_main *m)
{
	prove = m;
}

static bool named(const char *name)
{
	size_t n = prove->only ? strlen(prove->only) : 0, m = strlen(name);

	/* A prefix on either side: "part2" asks for all of its figures, one figure for its part. */
	return !prove->only || !strncmp(name, prove->only, n < m ? n : m);
}

bool prove_wanted(const char *prefix)
{
	return named(prefix);
}

bool prove_is_short(void)
{
	return prove->short_form;
}

size_t prove_reps(size_t long_form, size_t short_form)
{
	return prove->short_form ? short_form : long_form;
}

static void say(const char *name, double value, const char *bound, bool ok, const char *more)
{
	if (!named(name))
		return;
	prove->figures++;
	prove->failed += !ok;
	if (prove->tap)
		printf("%s %zu - %s %.5g %s%s%s\n", ok ? "ok" : "not ok", prove->figures, name,
		       value, bound, *more ? " " : "", more);
	else
		printf("%-48s %10.5g %-12s %-3s%s%s\n", name, value, bound, ok ? "ok" : "not",
		       *more ? "  " : "", more);
	fflush(stdout);
}

static void side(char *bound, size_t n, double value, bool at_most)
{
	snprintf(bound, n, "%s%.5g", at_most ? "<=" : ">=", value);
}

static void show_se(char *more, size_t n, const char *what, double se)
{
	more[0] = '\0';
	if (se > 0)
		snprintf(more, n, "%sse %.2g", what, se);
	else if (*what)
		snprintf(more, n, "%s", what);
}

void prove_figure(const char *name, double value, double bound, bool at_most, double se)
{
	char text[32], more[64];
	bool ok = at_most ? value + Z99 * se <= bound : value - Z99 * se >= bound;

	side(text, sizeof(text), bound, at_most);
	show_se(more, sizeof(more), "", se);
	say(name, value, text, ok && isfinite(value) && isfinite(se), more);
}

void prove_nominal(const char *name, const struct prove_stat *rate, double nominal)
{
	prove_figure(name, rate->value, nominal * (prove->short_form ? 1.25 : 1.1), true, rate->se);
}

void prove_twin(const char *name, double value, double bound, bool at_most, double se)
{
	char text[32], more[64];
	bool fails = at_most ? value - Z99 * se > bound : value + Z99 * se < bound;

	side(text, sizeof(text), bound, at_most);
	show_se(more, sizeof(more), fails ? "twin, fails as it must " : "twin, should fail ", se);
	say(name, value, text, fails, more);
}

void prove_near(const char *name, double value, double reference, double tolerance)
{
	char text[32], more[64];

	snprintf(text, sizeof(text), "=%.5g", reference);
	snprintf(more, sizeof(more), "within %.2g", tolerance);
	say(name, value, text, fabs(value - reference) <= tolerance, more);
}

void prove_agrees(const char *name, double value, double se, double reference, double ref_error)
{
	char text[32], more[64];
	double off = fmax(0, fabs(value - reference) - ref_error);

	snprintf(text, sizeof(text), "=%.5g", reference);
	snprintf(more, sizeof(more), "+-%.2g, se %.2g: %.1f se beyond it", ref_error, se,
		 off > 0 ? off / se : 0);
	say(name, value, text, off <= ZNEAR * se, more);
}

void prove_equal(const char *name, double value, double reference)
{
	char text[32];

	snprintf(text, sizeof(text), "==%.5g", reference);
	say(name, value, text, value == reference, "");
}

const char *prove_name(const char *fmt, ...)
{
	static __thread char text[32][128];
	static __thread unsigned at;
	char *s = text[at++ % 32];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s, sizeof(text[0]), fmt, ap);
	va_end(ap);
	return s;
}

/* --- random numbers --- */

static uint64_t splitmix(uint64_t *s)
{
	uint64_t z = (*s += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

void prove_seed(struct prove_rng *g, const char *name, uint64_t stream)
{
	uint64_t s = 0xcbf29ce484222325; /* FNV-1a of the name */

	for (; *name; name++)
		s = (s ^ (unsigned char)*name) * 0x100000001b3;
	s ^= prove->seed * 0xd6e8feb86659fd93;
	/* The stream is stirred in by itself: s + stream would overlap with another name's. */
	s = splitmix(&s) ^ (stream * 0x9e3779b97f4a7c15);
	for (int i = 0; i < 4; i++)
		g->s[i] = splitmix(&s);
	g->spare = NAN;
}

static uint64_t rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

uint64_t prove_u64(struct prove_rng *g)
{
	uint64_t *s = g->s, r = rotl(s[0] + s[3], 23) + s[0], t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return r;
}

double prove_uniform(struct prove_rng *g)
{
	return ((prove_u64(g) >> 11) + 0.5) * 0x1p-53;
}

size_t prove_below(struct prove_rng *g, size_t n)
{
	return prove_uniform(g) * n;
}

double prove_normal(struct prove_rng *g)
{
	double u, v, s = g->spare;

	if (!isnan(s)) {
		g->spare = NAN;
		return s;
	}
	do {
		u = 2 * prove_uniform(g) - 1;
		v = 2 * prove_uniform(g) - 1;
		s = u * u + v * v;
	} while (s >= 1 || s == 0);
	s = sqrt(-2 * log(s) / s);
	g->spare = v * s;
	return u * s;
}

double prove_exponential(struct prove_rng *g)
{
	return -log(prove_uniform(g));
}

/* --- simulations --- */

#define CHUNK 256

struct job {
	const char *name;
	size_t n, k;
	prove_body *body;
	const void *arg;
	double *values;
	size_t next; /* the first replication that nobody has taken: atomic */
};

static void *work(void *p)
{
	struct job *j = p;
	struct prove_rng g;
	size_t from;

	while ((from = __atomic_fetch_add(&j->next, CHUNK, __ATOMIC_RELAXED)) < j->n)
		for (size_t i = from; i < j->n && i < from + CHUNK; i++) {
			prove_seed(&g, j->name, i);
			j->body(&g, j->arg, j->values + i * j->k);
		}
	return NULL;
}

double *prove_run(const char *name, size_t n, size_t k, prove_body *body, const void *arg)
{
	struct job j = {name, n, k, body, arg, calloc(n + 1, k * sizeof(double)), 0};
	pthread_t id[16];
	unsigned threads = 0;

	if (!j.values) {
		fprintf(stderr, "no memory for %zu replications of %s\n", n, name);
		exit(2);
	}
	/* A thread that does not start is no loss: this one does the work of all. */
	while (threads + 1 < prove->threads && threads < 16 &&
	       !pthread_create(&id[threads], NULL, work, &j))
		threads++;
	work(&j);
	while (threads)
		pthread_join(id[--threads], NULL);
	return j.values;
}

struct prove_stat prove_mean(const double *v, size_t n, size_t k, size_t c)
{
	struct prove_stat r = {NAN, NAN, 0};
	double sum = 0, sum2 = 0;

	for (size_t i = 0; i < n; i++) {
		if (isnan(v[i * k + c]))
			continue;
		sum += v[i * k + c];
		r.n++;
	}
	if (r.n < 2)
		return r;
	r.value = sum / r.n;
	for (size_t i = 0; i < n; i++)
		if (!isnan(v[i * k + c]))
			sum2 += (v[i * k + c] - r.value) * (v[i * k + c] - r.value);
	r.se = sqrt(sum2 / (r.n - 1) / r.n);
	return r;
}

struct prove_stat prove_rate(const double *v, size_t n, size_t k, size_t c)
{
	struct prove_stat r = prove_mean(v, n, k, c);
	double p = (r.value * r.n + Z99 * Z99 / 2) / (r.n + Z99 * Z99);

	r.se = sqrt(p * (1 - p) / (r.n + Z99 * Z99));
	return r;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct prove_stat prove_percentile(const double *v, size_t n, size_t k, size_t c, double p)
{
	struct prove_stat r = {NAN, NAN, 0};
	double *s = malloc((n ? n : 1) * sizeof(*s)), half;

	if (!s)
		return r;
	for (size_t i = 0; i < n; i++)
		if (!isnan(v[i * k + c]))
			s[r.n++] = v[i * k + c];
	if (r.n) {
		qsort(s, r.n, sizeof(*s), by_value);
		half = sqrt(p * (1 - p) * r.n);
		r.value = s[(size_t)(p * (r.n - 1) + 0.5)];
		r.se = (s[(size_t)fmin(r.n - 1, p * r.n + half)] -
			s[(size_t)fmax(0, p * r.n - half - 1)]) /
		       2;
	}
	free(s);
	return r;
}
