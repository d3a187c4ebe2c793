// SPDX-License-Identifier: GPL-2.0-or-later
/* What `gate prove` found, for people and as JSON. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "gate/prove.h"
#include "store/metric.h"

/* "0.015 %", "99.82 %": two digits that say something, without an exponent. Into buf. */
static char *percent(double share, char *buf, size_t size)
{
	double p = 100 * share, near = p > 90 && p < 100 ? 100 - p : p;
	int digits = near == 0 || !isfinite(p) ? 0 : 1 - (int)floor(log10(fabs(near)));

	snprintf(buf, size, "%.*f %%", digits < 0 ? 0 : digits > 6 ? 6 : digits, p);
	return buf;
}

static void day(int64_t ns, char *buf, size_t size)
{
	time_t t = (time_t)(ns / 1000000000);
	struct tm tm;

	localtime_r(&t, &tm);
	strftime(buf, size, "%Y-%m-%d", &tm);
}

static void say_rate(const struct night_rate *r, FILE *out)
{
	char a[32], b[32], c[32];

	fprintf(out, "%s [%s .. %s]", percent(r->share, a, sizeof(a)), percent(r->lo, b, sizeof(b)),
		percent(r->hi, c, sizeof(c)));
}

static void say_bank(const struct prove *p, FILE *out)
{
	const struct bank_store *b = &p->bank;
	struct night_shape shape = {.first = p->rule.blocks, .second = p->rule.confirm};
	char first[16], last[16], bound[32];
	size_t disjoint;

	if (!b->bank.nblocks) {
		fprintf(out,
			"bank: empty; `vbench gate prove %s --bank --blocks 50`, several times over several "
			"days, fills it\n",
			p->profile);
		return;
	}
	day(b->first, first, sizeof(first));
	day(b->last, last, sizeof(last));
	fprintf(out, "bank: %zu A/A blocks in %zu run%s of %zu day%s (%s .. %s), %zu series\n",
		b->bank.nblocks, b->runs, b->runs == 1 ? "" : "s", b->days, b->days == 1 ? "" : "s",
		first, last, b->nseries);
	if (b->other)
		fprintf(out,
			"  %zu runs hold other series (the profile was changed) and are left out\n",
			b->other);
	if (b->apart)
		fprintf(out, "  %zu series are no ratios and are left out\n", b->apart);
	disjoint = prove_disjoint(&b->bank, &shape);
	fprintf(out,
		"  it holds %zu night%s without a block twice; had none of them been red, that alone would "
		"bound the\n  false nights at %s (10 clean nights: 26 %%, 60: 5 %%, 299: 1 %%)\n",
		disjoint, disjoint == 1 ? "" : "s",
		percent(prove_none_of(disjoint), bound, sizeof(bound)));
	if (b->bank.crosses)
		fprintf(out,
			"  no run of it is as long as a night, so nights go on from one run into the next: "
			"use --blocks %u or more\n",
			p->rule.blocks + p->rule.confirm);
	if (!bank_enough(b) && b->bank.nblocks >= BANK_ENOUGH)
		fprintf(out,
			"  all %zu blocks are of one day: what differs between days is in no figure below, and %d days or\n"
			"  more are asked for (add with --bank on another day)\n",
			b->bank.nblocks, BANK_DAYS);
	else if (!bank_enough(b))
		fprintf(out,
			"  that is no evidence yet: it takes %d blocks or more, of %d days or more (add with "
			"--bank)\n",
			BANK_ENOUGH, BANK_DAYS);
}

static void say_series(const struct prove *p, FILE *out)
{
	for (size_t i = 0; i < p->bank.nseries; i++) {
		const struct bank_series *s = &p->bank.series[i];
		double mid, lo, hi;
		char a[32], b[32];

		prove_bias(&p->bank.bank, i, &mid, &lo, &hi);
		fprintf(out, "  %-40s %s: a trial varies by %s, 80 %% of nights find %s", s->name,
			s->metric, percent(s->sd, a, sizeof(a)),
			percent(gate_seen(&p->rule, s->sd, 0.8), b, sizeof(b)));
		if (s->missing)
			fprintf(out, ", %zu of %zu pairs missing", s->missing,
				s->pairs + s->missing);
		fputc('\n', out);
		/* one in twenty is to be expected */
		if (lo > 0 || hi < 0)
			fprintf(out,
				"  %-40s one arm was slower by %.2f %% [%.2f .. %.2f] over the whole "
				"bank, though nothing differs\n",
				"", 100 * expm1(mid), 100 * expm1(lo), 100 * expm1(hi));
	}
}

static void say_rates(const struct prove *p, FILE *out)
{
	char a[32], b[32], c[32];

	fprintf(out, "false alarms: %zu of %zu drawn nights, ", p->false_nights.hits,
		p->false_nights.nights);
	say_rate(&p->false_nights, out);
	fprintf(out, " a night;\n  %s [%s .. %s] per profile and %d nights (asked: at most %s)\n",
		percent(p->false_90, a, sizeof(a)), percent(p->false_90_lo, b, sizeof(b)),
		percent(p->false_90_hi, c, sizeof(c)), GATE_NIGHTS,
		percent(p->rule.rate, (char[32]){0}, 32));
	fprintf(out, "found on the first night, of %zu drawn nights each:\n",
		p->neffects ? p->effects[0].worst.nights : 0);
	for (size_t i = 0; i < p->neffects; i++) {
		const struct prove_effect *x = &p->effects[i];

		fprintf(out, "  %5.3g %% slower: ", 100 * x->effect);
		say_rate(&x->worst, out);
		if (p->bank.nseries > 1)
			fprintf(out, " in the worst series (%s), %s on average",
				p->bank.series[x->worst_series].name,
				percent(x->mean, a, sizeof(a)));
		fputc('\n', out);
	}
	fprintf(out, "limits are exact ones of the drawing, given this bank\n");
}

static const struct prove_effect *must_see(const struct prove *p)
{
	for (size_t i = 0; i < p->neffects; i++)
		if (fabs(p->effects[i].effect - p->rule.must_see) < 1e-9)
			return &p->effects[i];
	return NULL;
}

/* The one sentence. */
static void say_answer(const struct prove *p, FILE *out)
{
	const struct prove_effect *x = must_see(p);
	char a[32], b[32], c[32];

	if (!bank_enough(&p->bank)) {
		fprintf(out,
			p->bank.bank.nblocks >= BANK_ENOUGH
				? "\nNo answer yet: all blocks are of one day, and the rates above are "
				  "that day's.\n"
				: "\nNo answer yet: figures of a small bank say little of other "
				  "nights.\n");
		return;
	}
	if (!x)
		return;
	fprintf(out, "\n%g %% is found on the first night in ", 100 * x->effect);
	say_rate(&x->worst, out);
	fprintf(out, " of nights, false alarms %s [%s .. %s] per profile and %d nights",
		percent(p->false_90, a, sizeof(a)), percent(p->false_90_lo, b, sizeof(b)),
		percent(p->false_90_hi, c, sizeof(c)), GATE_NIGHTS);
	fprintf(out, ".\n");
	if (prove_status(p) != VB_WORSE)
		return;
	if (p->false_90_lo > p->rule.rate)
		fprintf(out,
			"The gate does not keep its word: more false alarms than gate.rate allows. Do "
			"the arms of the bank differ, or its blocks depend on each other?\n");
	else
		fprintf(out,
			"The gate does not keep its word: what it must see goes by unseen on more than "
			"one night in five. Raise gate.blocks and gate.confirm, lengthen the trials, or "
			"raise gate.must-see.\n");
}

static void say_injected(const struct prove *p, FILE *out)
{
	fprintf(out,
		"\ninjected into real runs: %.0f us of latency in both arms, measured %.0f us; a step in "
		"one arm\n",
		(double)p->latency_base_ns / 1e3, p->latency_ns / 1e3);
	for (size_t i = 0; i < p->ninjected; i++) {
		const struct inject_step *s = &p->injected[i];

		fprintf(out, "  %g %% = %.1f us (run %.8s%s)\n", 100 * s->effect,
			(double)s->step_ns / 1e3, s->uuid, s->failed ? ", with failed trials" : "");
		for (size_t k = 0; k < s->nseries; k++) {
			const struct injected *x = &s->series[k];

			fprintf(out,
				"    %-40s asked %+.1f %%, got %+.1f %% [%.1f .. %.1f] in %zu blocks; "
				"the night of %u + %u blocks %s (%s %+.1f %%)\n",
				x->name, 100 * x->asked, 100 * x->got, 100 * x->got_lo,
				100 * x->got_hi, x->long_blocks, p->rule.blocks, p->rule.confirm,
				x->red	     ? "found it"
				: x->suspect ? "suspected it, and did not confirm"
					     : "did not see it",
				x->metric, 100 * x->night);
		}
	}
}

void prove_text(const struct prove *p, FILE *out)
{
	fprintf(out, "gate: %u blocks, then %u of the suspects%s; %zu series\n", p->rule.blocks,
		p->rule.confirm, p->planned ? ", planned from the bank's spread" : "",
		p->rule.series);
	say_bank(p, out);
	say_series(p, out);
	if (p->rates)
		say_rates(p, out);
	else if (p->bank.bank.nblocks)
		fprintf(out, "no rates: the bank is shorter than one night (%u blocks)\n",
			p->rule.blocks + p->rule.confirm);
	if (p->ninjected)
		say_injected(p, out);
	if (p->rates)
		say_answer(p, out);
}

static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static json_t *rate_json(const struct night_rate *r)
{
	return json_pack("{s:I, s:I, s:o, s:o, s:o}", "hits", (json_int_t)r->hits, "nights",
			 (json_int_t)r->nights, "share", number(r->share), "lo", number(r->lo),
			 "hi", number(r->hi));
}

static json_t *bank_json(const struct prove *p)
{
	const struct bank_store *b = &p->bank;
	struct night_shape shape = {.first = p->rule.blocks, .second = p->rule.confirm};
	json_t *series = json_array();

	for (size_t i = 0; i < b->nseries; i++) {
		double mid, lo, hi;

		prove_bias(&b->bank, i, &mid, &lo, &hi);
		json_array_append_new(series,
				      json_pack("{s:s, s:s, s:o, s:I, s:I, s:o, s:o, s:o}", "name",
						b->series[i].name, "metric", b->series[i].metric,
						"sd", number(b->series[i].sd), "pairs",
						(json_int_t)b->series[i].pairs, "missing",
						(json_int_t)b->series[i].missing, "seen",
						number(gate_seen(&p->rule, b->series[i].sd, 0.8)),
						"bias_lo", number(lo), "bias_hi", number(hi)));
	}
	return json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:o}", "blocks", (json_int_t)b->bank.nblocks,
		"runs", (json_int_t)b->runs, "days", (json_int_t)b->days, "disjoint",
		(json_int_t)prove_disjoint(&b->bank, &shape), "left_out", (json_int_t)b->other,
		"crosses", b->bank.crosses, "enough", bank_enough(b), "series", series);
}

static json_t *injected_json(const struct prove *p)
{
	json_t *all = json_array();

	for (size_t i = 0; i < p->ninjected; i++) {
		const struct inject_step *s = &p->injected[i];
		json_t *series = json_array();

		for (size_t k = 0; k < s->nseries; k++) {
			const struct injected *x = &s->series[k];

			json_array_append_new(
				series,
				json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:b, s:b, s:o}",
					  "name", x->name, "metric", x->metric, "asked",
					  number(x->asked), "got", number(x->got), "got_lo",
					  number(x->got_lo), "got_hi", number(x->got_hi), "blocks",
					  (json_int_t)x->long_blocks, "suspect", x->suspect, "red",
					  x->red, "night", number(x->night)));
		}
		json_array_append_new(all,
				      json_pack("{s:f, s:I, s:I, s:s, s:I, s:o}", "effect",
						s->effect, "base_ns", (json_int_t)s->base_ns,
						"step_ns", (json_int_t)s->step_ns, "run", s->uuid,
						"failed", (json_int_t)s->failed, "series", series));
	}
	return all;
}

json_t *prove_json(const struct prove *p)
{
	json_t *effects = json_array(), *rates = json_null();

	for (size_t i = 0; i < p->neffects; i++) {
		const struct prove_effect *x = &p->effects[i];

		json_array_append_new(
			effects,
			json_pack("{s:f, s:o, s:o, s:o}", "effect", x->effect, "worst",
				  p->rates ? rate_json(&x->worst) : json_null(), "worst_series",
				  p->rates ? json_string(p->bank.series[x->worst_series].name)
					   : json_null(),
				  "mean", number(p->rates ? x->mean : NAN)));
	}
	if (p->rates)
		rates = json_pack("{s:o, s:o, s:o, s:o, s:i}", "night", rate_json(&p->false_nights),
				  "share", number(p->false_90), "lo", number(p->false_90_lo), "hi",
				  number(p->false_90_hi), "per_nights", GATE_NIGHTS);
	return json_pack("{s:s, s:{s:i, s:i, s:f, s:f, s:I}, s:o, s:o, s:o, s:o, s:o}", "profile",
			 p->profile, "gate", "blocks", (int)p->rule.blocks, "confirm",
			 (int)p->rule.confirm, "must_see", p->rule.must_see, "rate", p->rule.rate,
			 "series", (json_int_t)p->rule.series, "bank", bank_json(p), "false_alarms",
			 rates, "found", effects, "latency_ns", number(p->latency_ns), "injected",
			 injected_json(p));
}
