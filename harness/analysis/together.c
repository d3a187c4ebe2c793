// SPDX-License-Identifier: GPL-2.0-or-later
/* Several guests at once: what to know of their start, and of CPUs that pins make them share. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"

#define CPUS_MAX 4096

static json_t *guests_of(const struct store_trial *t, json_t **facts)
{
	*facts = t->facts_json ? json_loads(t->facts_json, 0, NULL) : NULL;
	return json_object_get(*facts, "guests");
}

/* How far apart they began, and how much of it they did at the same time: below 95 % a trial failed
 * (run/measure.c). */
static void warn_skew(struct build *b)
{
	double *spread = xcalloc(b->ntrials + 1, sizeof(*spread)), least = 1;
	size_t n = 0;

	for (size_t i = 0; i < b->ntrials; i++) {
		json_t *facts, *g = guests_of(&b->trials[i], &facts);
		double overlap = json_number_value(json_object_get(g, "overlap"));
		json_int_t ns = json_integer_value(json_object_get(g, "spread_ns"));

		if (b->trials[i].ok && json_integer_value(json_object_get(g, "count")) > 1 &&
		    ns >= 0 && overlap > 0 && overlap <= 1) {
			spread[n++] = (double)ns;
			least = fmin(least, overlap);
		}
		json_decref(facts);
	}
	if (n) {
		double most = 0;

		for (size_t i = 0; i < n; i++)
			most = fmax(most, spread[i]);
		model_warn(
			b->m,
			"Guests at once are let go together and start apart all the same: by %.0f ms "
			"in the median trial, %.0f ms at most. They measured together for %.1f %% of "
			"the time at least (below 95 %% a trial fails).",
			median(spread, n) / 1e6, most / 1e6, 100 * least);
	}
	free(spread);
}

/* CPUs of "4-7/2+3/0-1"'s first part, the vCPUs'; 0: it names none. */
static unsigned pinned_cpus(const char *pin)
{
	bool in[CPUS_MAX] = {false};
	unsigned n = 0;

	while (pin && *pin >= '0' && *pin <= '9') {
		char *end;
		unsigned long lo = strtoul(pin, &end, 10), hi = lo;

		if (*end == '-')
			hi = strtoul(end + 1, &end, 10);
		for (unsigned long c = lo; c <= hi && c < CPUS_MAX; c++) {
			n += !in[c];
			in[c] = true;
		}
		if (*end != '+' && *end != ',')
			break;
		pin = end + 1;
	}
	return n;
}

/* An explicit pin is every guest's: they share those CPUs, however many the host has. */
static void warn_shared(struct build *b)
{
	struct model *m = b->m;

	for (size_t i = 0; i < b->ntrials; i++) {
		long c = b->cell_of[i];
		const char *pin = c < 0 ? NULL : cell_value(&m->cells[c], "guest.pin");
		json_t *facts, *g = guests_of(&b->trials[i], &facts);
		json_int_t n = json_integer_value(json_object_get(g, "count")),
			   v = json_integer_value(json_object_get(g, "vcpus")),
			   cpus = json_integer_value(json_object_get(g, "cpus"));
		unsigned on = pinned_cpus(pin);

		if (n > 1 && on && v > 0 && n * v < 1 << 20 && cpus > 0)
			model_warn(
				m,
				"%s: guest.pin = %s put the vCPUs of all %lld guests on the same %u "
				"CPU%s: %.3g vCPUs a CPU there, where the ratio of %.3g is to the %lld "
				"CPUs of this host. guest.pin = plan gives each guest CPUs of its own.",
				m->cells[c].label, pin, (long long)n, on, on == 1 ? "" : "s",
				(double)(n * v) / on, (double)(n * v) / (double)cpus,
				(long long)cpus);
		json_decref(facts);
	}
}

void warn_together(struct build *b)
{
	warn_skew(b);
	warn_shared(b);
}
