// SPDX-License-Identifier: GPL-2.0-or-later
/* What a history says, in sentences. */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include "reports/history.h"
#include "reports/page.h"

struct speaker {
	history_say *say;
	void *to;
};

static void tell(const struct speaker *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void tell(const struct speaker *s, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) >= 0)
		s->say(s->to, text);
	va_end(ap);
	free(text);
}

char *history_date(int64_t ns, char buf[16])
{
	time_t t = (time_t)(ns / 1000000000);
	struct tm tm;

	snprintf(buf, 16, "-");
	if (ns > 0 && localtime_r(&t, &tm))
		strftime(buf, 16, "%Y-%m-%d", &tm);
	return buf;
}

static char *amount(const struct history_series *s, double step, char *buf, size_t size)
{
	char n[48];

	if (s->metric->scale == SCALE_RATIO)
		return num_percent(exp(step), NUM_ASCII, buf, size);
	snprintf(buf, size, "%s%s", step < 0 ? "-" : "+",
		 metric_text(s->metric, fabs(step), n, sizeof(n)));
	return buf;
}

static void say_change(const struct speaker *to, const struct history *h,
		       const struct history_series *s, const struct history_change *c)
{
	char step[64], found[16], *builds = history_builds(h, c->c.set_lo, c->c.set_hi);
	const char *state =
		"provisional: one night, or the size of a few, speaks for it; fresh blocks or more nights will tell";

	if (c->by_reference)
		state = "confirmed by fresh blocks against the reference build";
	else if (c->confirmed)
		state = "confirmed by more than one night";
	else if (c->c.withdrawn)
		state = "withdrawn: the nights after it did not bear it out";
	tell(to, "%s %s since %s, found %s; %s%s", amount(s, c->c.step, step, sizeof(step)),
	     c->better ? "better" : "worse", builds,
	     history_date(h->nights[c->c.found].begun, found), state,
	     !s->by_ratio && c->surroundings
		     ? ". Host, QEMU or tools changed there too: the series alone cannot tell which it was"
		     : "");
	free(builds);
}

static void say_drift(const struct speaker *to, const struct history *h,
		      const struct history_series *s)
{
	bool better = (s->drift_step > 0) == (s->metric->better == HIGHER_IS_BETTER);
	char step[64], a[16], b[16];

	if (isnan(s->drift_step))
		return;
	history_date(h->nights[s->anchor_lo].begun, a);
	history_date(h->nights[s->anchor_hi - 1].begun, b);
	amount(s, s->drift_step, step, sizeof(step));
	if (s->drifts)
		tell(to,
		     "DRIFT: the last %d nights are %s %s than the anchor (%s .. %s), without a step",
		     CHANGE_DRIFT_NIGHTS, step, better ? "better" : "worse", a, b);
	else if (isnan(s->drift_p))
		tell(to, "the last %d nights against the anchor (%s .. %s): %s",
		     CHANGE_DRIFT_NIGHTS, a, b, step);
	else
		tell(to, "no drift shown against the anchor (%s .. %s): %s, p = %.2g", a, b, step,
		     s->drift_p);
}

/* A series that was there and is no more, or began late, is as loud as a bad one. */
static void say_missing(const struct speaker *to, const struct history *h,
			const struct history_series *s)
{
	size_t i, missing = 0, first = h->nnights, last = 0;
	char date[16];

	for (i = 0; i < h->nnights; i++)
		if (isfinite(s->points[i].value)) {
			first = first < i ? first : i;
			last = i;
		}
	for (i = first; i < last; i++)
		missing += !isfinite(s->points[i].value);
	if (first < h->nnights && last + 1 < h->nnights)
		tell(to, "MISSING since %s: the %zu newest nights have no value",
		     history_date(h->nights[last + 1].begun, date), h->nnights - 1 - last);
	if (missing)
		tell(to, "%zu nights between the first and the last have no value", missing);
}

void history_sentences(const struct history *h, const struct history_series *s, history_say *say,
		       void *to)
{
	const struct speaker sp = {say, to};
	size_t i;

	say_missing(&sp, h, s);
	for (i = 0; i < s->nchanges; i++)
		say_change(&sp, h, s, &s->changes[i]);
	if (!s->nchanges && s->there >= CHANGE_QUIET)
		tell(&sp, "no change point");
	say_drift(&sp, h, s);
	if (!s->by_ratio && s->there >= CHANGE_QUIET)
		tell(&sp,
		     "judged from the bare series: the host's kernel, firmware and neighbours are in it; nights of `vbench gate` compare with a reference build");
	if (s->unsaid)
		tell(&sp, "not said: %s", s->unsaid);
}

void history_general(const struct history *h, history_say *say, void *to)
{
	const struct speaker sp = {say, to};
	char a[16], b[16];
	size_t i;

	for (i = 0; i < h->ngaps; i++)
		tell(&sp, "GAP: %u night%s without a run between %s and %s", h->gaps[i].missing,
		     h->gaps[i].missing == 1 ? "" : "s",
		     history_date(h->nights[h->gaps[i].after].begun, a),
		     h->gaps[i].after + 1 < h->nnights
			     ? history_date(h->nights[h->gaps[i].after + 1].begun, b)
			     : "now");
	if (h->unsaid)
		tell(&sp, "not said: %s", h->unsaid);
	else if (!h->nightly)
		tell(&sp, "not said: gaps; runs do not come nightly");
	if (h->nnights >= CHANGE_QUIET)
		tell(&sp,
		     "error rates: a series without a change has a false change point in at most 1 of 100 stretches of 90 nights when its nights are independent, in 5 of 100 when each hangs on the one before (autocorrelation 0.6); each of the %zu here on its own. Drift: 3 of 100, and 10 of 100 at that autocorrelation. Heavy tails make provisional points, seldom confirmed ones",
		     h->nseries);
}
