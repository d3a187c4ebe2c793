// SPDX-License-Identifier: GPL-2.0-or-later
/* Screening: choice of cells, ridge regression in its dual form, prediction of all cells. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "stats/screen.h"

/* The prior by which cells are chosen, in units of a main effect's variance. */
#define PRIOR_INTER 0.25
#define PRIOR_NOISE 0.25
#define EXCHANGES_MAX 64

/*
 * How alike two cells are on one axis: 1 on the same level, -1/(k-1) on another of k, so that
 * effects sum to zero over the levels; nothing is shared where the axis means nothing. Inner
 * product of the rows of an orthogonal coding, so ridge regression on that coding is a regression
 * with this kernel.
 */
static double alike(unsigned levels, unsigned a, unsigned b)
{
	if (a == SCREEN_NONE || b == SCREEN_NONE)
		return 0;
	return a == b ? 1 : -1.0 / (levels - 1.0);
}

/* Sums over axes, and over pairs of axes. */
static void kernel(const struct screen_space *s, size_t a, size_t b, double *main, double *inter)
{
	double sum = 0, squares = 0;

	for (size_t i = 0; i < s->axes; i++) {
		double k =
			alike(s->levels[i], s->level[a * s->axes + i], s->level[b * s->axes + i]);

		sum += k;
		squares += k * k;
	}
	*main = sum;
	*inter = (sum * sum - squares) / 2;
}

static double prior(const struct screen_space *s, size_t a, size_t b)
{
	double main, inter;

	kernel(s, a, b, &main, &inter);
	/* the blocks' levels are not known: a common part that nothing is learnt from */
	return 1 + main + PRIOR_INTER * inter;
}

/* --- small dense algebra, row-major --- */

/* Lower triangle of a symmetric positive matrix, in place; false: it is not. */
static bool cholesky(double *a, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j <= i; j++) {
			double sum = a[i * n + j];

			for (size_t k = 0; k < j; k++)
				sum -= a[i * n + k] * a[j * n + k];
			if (i != j)
				a[i * n + j] = sum / a[j * n + j];
			else if (sum > 0)
				a[i * n + i] = sqrt(sum);
			else
				return false;
		}
	}
	return true;
}

/* x = L^-1 x, and x = L'^-1 x. */
static void forward(const double *l, size_t n, double *x)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < i; k++)
			x[i] -= l[i * n + k] * x[k];
		x[i] /= l[i * n + i];
	}
}

static void backward(const double *l, size_t n, double *x)
{
	for (size_t i = n; i-- > 0;) {
		for (size_t k = i + 1; k < n; k++)
			x[i] -= l[k * n + i] * x[k];
		x[i] /= l[i * n + i];
	}
}

static double dot(const double *a, const double *b, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

/* --- which cells --- */

struct choice {
	const struct screen_space *s;
	const size_t *order;
	size_t n, *out;
	bool *in;
	double *inverse; /* [n][n] of the chosen cells' covariance with noise */
	double *w, *k;	 /* [n] */
};

static bool invert(struct choice *c)
{
	size_t n = c->n;
	double *l = malloc(n * n * sizeof(*l));
	bool ok;

	if (!l)
		return false;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			l[i * n + j] =
				prior(c->s, c->out[i], c->out[j]) + (i == j ? PRIOR_NOISE : 0);
	ok = cholesky(l, n);
	for (size_t i = 0; ok && i < n; i++) {
		double *row = &c->inverse[i * n];

		memset(row, 0, n * sizeof(*row));
		row[i] = 1;
		forward(l, n, row);
		backward(l, n, row);
	}
	free(l);
	return ok;
}

/* The cell that is least known, given those chosen; each once. Greedy, by growing the factor. */
static bool grow(struct choice *c, size_t start)
{
	size_t cells = c->s->cells, want = c->n, n = 0;
	double *left = malloc(cells * sizeof(*left)), *rows = malloc(cells * want * sizeof(*rows));
	bool ok = left && rows;

	for (size_t i = 0; ok && i < cells; i++)
		left[i] = prior(c->s, i, i) + PRIOR_NOISE;
	while (ok && n < want) {
		size_t best = n ? cells : start;
		double root;

		for (size_t i = 0; n && i < cells; i++) {
			size_t cell = c->order[i];

			if (!c->in[cell] && (best == cells || left[cell] > left[best] + 1e-9))
				best = cell;
		}
		c->in[best] = true;
		c->out[n] = best;
		root = sqrt(left[best]);
		for (size_t i = 0; i < cells; i++) {
			double v =
				prior(c->s, i, best) - dot(&rows[i * want], &rows[best * want], n);

			if (i == best)
				v = left[best];
			rows[i * want + n] = v / root;
		}
		for (size_t i = 0; i < cells; i++)
			left[i] -= rows[i * want + n] * rows[i * want + n];
		n++;
	}
	free(left);
	free(rows);
	return ok;
}

/*
 * Puts the one cell in another's place that adds most: the determinant grows by the factor
 * M_ii v_c + (M k_c)_i^2, where M is the inverse, and v_c what is not known of c. false: none does.
 */
static bool exchange(struct choice *c, size_t start)
{
	size_t n = c->n, from = n, to = 0;
	double most = 1 + 1e-6;

	if (!invert(c))
		return false;
	for (size_t o = 0; o < c->s->cells; o++) {
		size_t cell = c->order[o];
		double v;

		if (c->in[cell])
			continue;
		for (size_t i = 0; i < n; i++)
			c->k[i] = prior(c->s, c->out[i], cell);
		for (size_t i = 0; i < n; i++)
			c->w[i] = dot(&c->inverse[i * n], c->k, n);
		v = prior(c->s, cell, cell) + PRIOR_NOISE - dot(c->w, c->k, n);
		for (size_t i = 0; i < n; i++) {
			double gain = c->inverse[i * n + i] * v + c->w[i] * c->w[i];

			if (gain > most && c->out[i] != start) {
				most = gain;
				from = i;
				to = cell;
			}
		}
	}
	if (from == n)
		return false;
	c->in[c->out[from]] = false;
	c->in[to] = true;
	c->out[from] = to;
	return true;
}

size_t screen_choose(const struct screen_space *s, size_t n, size_t start, const size_t *order,
		     size_t *out)
{
	struct choice c = {.s = s, .order = order, .n = n < s->cells ? n : s->cells, .out = out};
	size_t swaps = EXCHANGES_MAX;
	bool ok = false;

	if (!c.n || start >= s->cells)
		return 0;
	/* large spaces: an exchange looks at cells x n x n products */
	if ((double)s->cells * (double)c.n * (double)c.n > 2e7)
		swaps = 4;
	c.in = calloc(s->cells, sizeof(*c.in));
	c.inverse = malloc(c.n * c.n * sizeof(*c.inverse));
	c.w = malloc(c.n * sizeof(*c.w));
	c.k = malloc(c.n * sizeof(*c.k));
	if (c.in && c.inverse && c.w && c.k)
		ok = grow(&c, start);
	while (ok && swaps-- && c.n < s->cells && exchange(&c, start))
		;
	free(c.in);
	free(c.inverse);
	free(c.w);
	free(c.k);
	return ok ? c.n : 0;
}

/* --- what they say --- */

struct model {
	size_t n, p;
	double *main, *inter, *same; /* [n][n] kernels; same: of equal cells */
	double *x;		     /* [p][n] indicator of each block */
	double *y;		     /* [n] */
	/* of the newest likelihood */
	double *l;   /* [n][n] factor of the covariance */
	double *lx;  /* [p][n] L^-1 X */
	double *ly;  /* [n] L^-1 y */
	double *xx;  /* [p][p] factor of X' V^-1 X */
	double *b;   /* [p] */
	double rss;  /* y' P y */
	double *all; /* the memory of all of these */
};

static bool model_alloc(struct model *m)
{
	size_t n = m->n, p = m->p;
	double *at = m->all = calloc(4 * n * n + 2 * p * n + 2 * n + p * p + p, sizeof(*at));

	if (!at)
		return false;
	m->main = at;
	m->inter = m->main + n * n;
	m->same = m->inter + n * n;
	m->l = m->same + n * n;
	m->x = m->l + n * n;
	m->lx = m->x + p * n;
	m->y = m->lx + p * n;
	m->ly = m->y + n;
	m->xx = m->ly + n;
	m->b = m->xx + p * p;
	return true;
}

/* Blocks with a single observation say nothing: their level takes it up. They are left out. */
static size_t blocks_of(const struct screen_obs *obs, size_t n, unsigned *block, bool *used,
			size_t *nused)
{
	size_t p = 0;

	*nused = 0;
	for (size_t i = 0; i < n; i++) {
		size_t same = 0, k;

		for (k = 0; k < n; k++)
			same += obs[k].block == obs[i].block;
		used[i] = same > 1;
		*nused += used[i];
		for (k = 0; k < p && block[k] != obs[i].block; k++)
			;
		if (used[i] && k == p)
			block[p++] = obs[i].block;
	}
	return p;
}

/*
 * -2 log of the restricted likelihood, noise's variance profiled out, up to a constant. V = I +
 * main Km + inter Ki + rest Ks.
 */
static double reml(struct model *m, double main, double inter, double rest)
{
	size_t n = m->n, p = m->p;
	double logs = 0;

	for (size_t i = 0; i < n * n; i++)
		m->l[i] = main * m->main[i] + inter * m->inter[i] + rest * m->same[i];
	for (size_t i = 0; i < n; i++)
		m->l[i * n + i] += 1;
	if (!cholesky(m->l, n))
		return INFINITY;
	memcpy(m->lx, m->x, p * n * sizeof(*m->x));
	memcpy(m->ly, m->y, n * sizeof(*m->y));
	forward(m->l, n, m->ly);
	for (size_t k = 0; k < p; k++)
		forward(m->l, n, &m->lx[k * n]);
	for (size_t i = 0; i < p; i++) {
		m->b[i] = dot(&m->lx[i * n], m->ly, n);
		for (size_t j = 0; j < p; j++)
			m->xx[i * p + j] = dot(&m->lx[i * n], &m->lx[j * n], n);
	}
	if (!cholesky(m->xx, p))
		return INFINITY;
	forward(m->xx, p, m->b);
	m->rss = dot(m->ly, m->ly, n) - dot(m->b, m->b, p);
	if (!(m->rss > 0))
		m->rss = 1e-300;
	for (size_t i = 0; i < n; i++)
		logs += log(m->l[i * n + i]);
	for (size_t i = 0; i < p; i++)
		logs += log(m->xx[i * p + i]);
	return (double)(n - p) * log(m->rss / (double)(n - p)) + 2 * logs;
}

#define MAINS 9
#define SHARES 6

/* Uphill on a grid, from the middle of what settings usually do. */
static void best_shrinkage(struct model *m, double rest, double *main, double *inter)
{
	static const double mains[MAINS] = {0.01, 0.1, 0.3, 1, 3, 10, 30, 100, 1000};
	static const double shares[SHARES] = {0.001, 0.01, 0.03, 0.1, 0.3, 1};
	static const int step[4][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};
	bool tried[MAINS][SHARES] = {{0}};
	int at[2] = {5, 3};
	double least = reml(m, mains[at[0]], mains[at[0]] * shares[at[1]], rest);
	bool moved = true;

	tried[at[0]][at[1]] = true;
	while (moved) {
		int from[2] = {at[0], at[1]};

		moved = false;
		for (int d = 0; d < 4; d++) {
			int i = from[0] + step[d][0], k = from[1] + step[d][1];
			double v;

			if (i < 0 || k < 0 || i == MAINS || k == SHARES || tried[i][k])
				continue;
			tried[i][k] = true;
			v = reml(m, mains[i], mains[i] * shares[k], rest);
			if (!(v < least - 1e-9))
				continue;
			least = v;
			at[0] = i;
			at[1] = k;
			moved = true;
		}
	}
	*main = mains[at[0]];
	*inter = mains[at[0]] * shares[at[1]];
}

static void fill(struct model *m, const struct screen_space *s, const struct screen_obs *obs,
		 size_t n, const bool *used, const unsigned *block, size_t *cell)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if (!used[i])
			continue;
		cell[at] = obs[i].cell;
		m->y[at] = obs[i].y;
		for (size_t k = 0; k < m->p; k++)
			m->x[k * m->n + at] = block[k] == obs[i].block;
		at++;
	}
	for (size_t i = 0; i < m->n; i++)
		for (size_t k = 0; k < m->n; k++) {
			kernel(s, cell[i], cell[k], &m->main[i * m->n + k],
			       &m->inter[i * m->n + k]);
			m->same[i * m->n + k] = cell[i] == cell[k];
		}
}

/* k' V^-1 (y - X b) for each cell. */
static void predict(struct model *m, const struct screen_space *s, const size_t *cell, double main,
		    double inter, double rest, double *mid)
{
	size_t n = m->n, p = m->p;

	backward(m->xx, p, m->b);
	for (size_t k = 0; k < p; k++)
		for (size_t i = 0; i < n; i++)
			m->ly[i] -= m->b[k] * m->lx[k * n + i];
	backward(m->l, n, m->ly);
	for (size_t c = 0; c < s->cells; c++) {
		mid[c] = 0;
		for (size_t i = 0; i < n; i++) {
			double km, ki;

			kernel(s, c, cell[i], &km, &ki);
			mid[c] += (main * km + inter * ki + (c == cell[i] ? rest : 0)) * m->ly[i];
		}
	}
}

bool screen_predict(const struct screen_space *s, const struct screen_obs *obs, size_t n,
		    double rest, double *mid, struct screen_fit *fit)
{
	struct model m = {0};
	unsigned *block = malloc((n + 1) * sizeof(*block));
	bool *used = malloc((n + 1) * sizeof(*used)), ok = false;
	size_t *cell = malloc((n + 1) * sizeof(*cell));

	*fit = (struct screen_fit){.main = NAN, .inter = NAN, .noise_sd = NAN};
	memset(mid, 0, s->cells * sizeof(*mid));
	if (block && used && cell && n <= SCREEN_OBS_MAX)
		m.p = blocks_of(obs, n, block, used, &m.n);
	if (m.n > m.p && m.p && model_alloc(&m)) {
		fill(&m, s, obs, n, used, block, cell);
		best_shrinkage(&m, rest, &fit->main, &fit->inter);
		ok = isfinite(reml(&m, fit->main, fit->inter, rest));
	}
	if (ok) {
		fit->noise_sd = sqrt(m.rss / (double)(m.n - m.p));
		predict(&m, s, cell, fit->main, fit->inter, rest, mid);
		fit->used = m.n;
		fit->blocks = m.p;
	}
	free(m.all);
	free(block);
	free(used);
	free(cell);
	return ok;
}
