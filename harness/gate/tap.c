// SPDX-License-Identifier: GPL-2.0-or-later
/* A night as words: TAP on stdout, figures, what could have been seen, exit status. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/units.h"
#include "gate/gate.h"

static unsigned count(const struct gate_night *n, enum gate_state s)
{
	unsigned k = 0;
	size_t i;

	for (i = 0; i < n->nseries; i++)
		k += n->series[i].state == s;
	return k;
}

enum vb_status gate_status(const struct gate_night *n)
{
	size_t i;
	bool bad = count(n, GATE_MISSING) || count(n, GATE_FAILED) || count(n, GATE_MISMATCHED) ||
		   count(n, GATE_RENAMED),
	     red = count(n, GATE_WORSE);

	for (i = 0; i < n->nchecks; i++) {
		bad |= !n->checks[i].ok;
		red |= !n->checks[i].ok && n->checks[i].red;
	}
	if (red)
		return VB_WORSE;
	if (bad || !n->nseries)
		return VB_NOT_MEASURED;
	return count(n, GATE_BLIND) ? VB_UNDECIDED : VB_OK;
}

const char *gate_night_word(const struct gate_night *n)
{
	switch (gate_status(n)) {
	case VB_WORSE:
		return "red";
	case VB_OK:
		return n->joins ? "cleared" : "green";
	case VB_UNDECIDED:
		return "blind";
	default:
		return "unmeasured";
	}
}

/* A harm as the metric's own change: +5 % harm of IOPS is -4.8 %. */
static double change_of(const struct gate_series *x, double harm)
{
	return 100 * expm1(x->metric && x->metric->better == HIGHER_IS_BETTER ? -harm : harm);
}

char *gate_figures(const struct gate_series *x)
{
	const struct gate_stage *s = x->tested ? &x->confirm : &x->screen;
	double a = change_of(x, x->limits.lo), b = change_of(x, x->limits.hi);

	if (!s->n)
		return xstrdup("not measured");
	if (!isfinite(a) || !isfinite(b))
		return xasprintf("%+.1f %% (no interval), %zu block%s", change_of(x, s->harm), s->n,
				 s->n == 1 ? "" : "s");
	return xasprintf("%+.1f %% (%s %+.1f to %+.1f %%), %zu %sblocks", change_of(x, s->harm),
			 x->joined ? "sequence:" : "95 %:", fmin(a, b), fmax(a, b), s->n,
			 x->joined   ? "confirming "
			 : x->tested ? "fresh "
				     : "");
}

/* Where TAP would read a directive or the end of a line. */
static void put_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '#' || c == '\\')
			fputc('\\', out);
		fputc(c < 0x20 || c == 0x7f ? ' ' : c, out);
	}
}

/* A double-quoted scalar of YAML 1.2 (7.3.1). */
static void put_yaml(FILE *out, const char *key, const char *text)
{
	fprintf(out, "  %s: \"", key);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c == '\n')
			fputs("\\n", out);
		else if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\x%02x", c);
		else
			fputc(c, out);
	}
	fputs("\"\n", out);
}

static void put_number(FILE *out, const char *key, double v, const char *fmt)
{
	fprintf(out, "  %s: ", key);
	if (isfinite(v))
		fprintf(out, fmt, v);
	else
		fputs("null", out);
	fputc('\n', out);
}

static void put_comment(FILE *out, const char *text)
{
	size_t n;

	for (; *text; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		fprintf(out, "# %.*s\n", (int)n, text);
	}
}

static void put_check(const struct gate_check *c, unsigned i, FILE *out)
{
	const char *nl = strchr(c->text, '\n');
	char *first = xasprintf("%.*s", nl ? (int)(nl - c->text) : (int)strlen(c->text), c->text);

	fprintf(out, "%sok %u - ", c->ok ? "" : "not ", i);
	put_escaped(out, c->name);
	fputs(": ", out);
	put_escaped(out, first);
	fputc('\n', out);
	free(first);
	if (c->ok)
		return;
	fputs("  ---\n", out);
	put_yaml(out, "message", c->text);
	put_yaml(out, "remedy", c->remedy ? c->remedy : "");
	fputs("  ...\n", out);
}

static void put_series(const struct gate_series *x, unsigned i, FILE *out)
{
	char *figures = gate_figures(x);

	fprintf(out, "%sok %u - ", gate_fails(x->state) ? "not " : "", i);
	put_escaped(out, x->name);
	fprintf(out, ": %s, ", gate_word(x->state));
	put_escaped(out, figures);
	fputc('\n', out);
	free(figures);
	fputs("  ---\n", out);
	if (gate_fails(x->state)) {
		put_yaml(out, "message", x->why ? x->why : "");
		put_yaml(out, "remedy", x->remedy ? x->remedy : "");
	}
	put_yaml(out, "verdict", gate_word(x->state));
	put_yaml(out, "metric", x->metric ? x->metric->id : "");
	fprintf(out, "  suspected: %s\n",
		x->suspect > 0	 ? "worse"
		: x->suspect < 0 ? "better"
				 : "no");
	put_number(out, x->tested ? "p_holm" : "p_screen", x->p, "%.3g");
	put_number(out, "sd_of_a_trial_percent", 100 * x->sd, "%.2f");
	put_number(out, "seen_80_percent", 100 * x->seen80, "%.2f");
	put_number(out, "seen_90_percent", 100 * x->seen90, "%.2f");
	fputs("  ...\n", out);
}

static double extreme(const struct gate_night *n, bool most,
		      double (*of)(const struct gate_series *))
{
	double v = NAN;
	size_t i;

	for (i = 0; i < n->nseries; i++) {
		double x = of(&n->series[i]);

		if (isfinite(x))
			v = isnan(v) ? x : most ? fmax(v, x) : fmin(v, x);
	}
	return v;
}

static double sd_of(const struct gate_series *x)
{
	return 100 * x->sd;
}

static double seen_of(const struct gate_series *x)
{
	return 100 * x->seen80;
}

static double seen90_of(const struct gate_series *x)
{
	return 100 * x->seen90;
}

static unsigned suspects_of(const struct gate_night *n)
{
	unsigned k = 0;
	size_t i;

	for (i = 0; i < n->nseries; i++)
		k += n->series[i].suspect != 0;
	return k;
}

char *gate_summary(const struct gate_night *n)
{
	char wall[32], *out = NULL;
	size_t len, i;
	FILE *f = open_memstream(&out, &len);

	units_time_text((uint64_t)(n->ended > n->begun ? n->ended - n->begun : 0), wall,
			sizeof(wall));
	fprintf(f, "%zu pair%s of cells, %zu series, %u blocks; ", n->cells,
		n->cells == 1 ? "" : "s", n->nseries, n->rule.blocks);
	if (n->joins)
		fprintf(f, "joined record %.8s: %u runs of %u blocks", n->joins, n->joined_runs,
			n->rule.confirm);
	else if (suspects_of(n))
		fprintf(f, "%u suspected, confirmed on %u fresh blocks", suspects_of(n),
			n->rule.confirm);
	else
		fputs("none suspected", f);
	if (isfinite(n->trial_seconds))
		fprintf(f, "; %.1f s a trial", n->trial_seconds);
	fprintf(f, "; %s in all\n", wall);
	if (n->plan)
		fprintf(f, "blocks: %s\n", n->plan);
	if (isfinite(extreme(n, true, sd_of)))
		fprintf(f, "spread of a trial: sd %.1f to %.1f %%\n", extreme(n, false, sd_of),
			extreme(n, true, sd_of));
	if (isfinite(extreme(n, true, seen_of)))
		fprintf(f,
			"tonight could see a harm of %.1f %% in its quietest and %.1f %% in its "
			"noisiest series (80 %% power; 90 %%: %.1f and %.1f %%); gate.must-see is "
			"%.1f %%\n",
			extreme(n, false, seen_of), extreme(n, true, seen_of),
			extreme(n, false, seen90_of), extreme(n, true, seen90_of),
			100 * n->rule.must_see);
	fprintf(f,
		"false alarms: at most %.2g %% a profile and %d nights, over all %zu series (screen "
		"10 %% one-sided, then Holm at %.2g %% over the suspects of a night)\n",
		100 * gate_rate_bound(&n->rule), GATE_NIGHTS, n->rule.series,
		100 * gate_level(&n->rule));
	for (i = 0; i < n->nchecks; i++)
		if (!strcmp(n->checks[i].name, GATE_DRIFT))
			fprintf(f,
				"drift: read nightly, at most %.2g %% false alarms a profile and %d nights "
				"beside those\n",
				100 * GATE_DRIFT_RATE, GATE_NIGHTS);
	fclose(f);
	return out;
}

void gate_tap(const struct gate_night *n, FILE *out)
{
	char *text = gate_summary(n);
	unsigned k = 0;
	size_t i;

	fprintf(out, "TAP version 13\n1..%zu\n", n->nchecks + n->nseries);
	fputs("# gate ", out);
	put_escaped(out, n->profile);
	fputs(n->label ? ", " : "", out);
	put_escaped(out, n->label ? n->label : "");
	fprintf(out, ": night %.8s", n->uuid);
	if (*n->screen_run)
		fprintf(out, ", run %.8s", n->screen_run);
	if (*n->confirm_run)
		fprintf(out, ", confirmed by run %.8s", n->confirm_run);
	fputs(n->injected ? "; harm was injected\n" : "\n", out);
	for (i = 0; i < n->nchecks; i++)
		put_check(&n->checks[i], ++k, out);
	for (i = 0; i < n->nseries; i++)
		put_series(&n->series[i], ++k, out);
	put_comment(out, text);
	fprintf(out, "# %s\n", gate_night_word(n));
	free(text);
}
