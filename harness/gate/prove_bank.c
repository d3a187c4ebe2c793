// SPDX-License-Identifier: GPL-2.0-or-later
/* The bank of real A/A blocks, from the store. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/file.h"
#include "gate/prove_arms.h"
#include "gate/prove_bank.h"
#include "host/host.h"
#include "stats/stats.h"
#include "store/store.h"

/* Two arms without any change in either. */
static bool equal_arms(const struct store_run *r)
{
	json_t *meta = json_loads(r->meta_json ? r->meta_json : "{}", 0, NULL);
	const json_t *vs = json_object_get(meta, "vs");
	bool is = json_is_object(vs) && json_array_size(json_object_get(vs, "pairs")) > 0 &&
		  !json_array_size(json_object_get(vs, "change")) &&
		  !json_array_size(json_object_get(vs, "base"));

	json_decref(meta);
	return is;
}

static bool in_bank(const struct store_run *r, const char *host, const char *profile)
{
	return r->label && !strcmp(r->label, BANK_LABEL) && !strcmp(r->host_id, host) &&
	       r->profile_name && !strcmp(r->profile_name, profile) && equal_arms(r);
}

/* The base cell's id holds all keys that differ from the defaults; the workload's text what it
 * does. */
static char *series_key(const struct model *m, const struct model_vs *v)
{
	const struct model_workload *w = &m->workloads[v->workload];

	return xasprintf("%s %s %s %s", m->cells[v->base].id, w->name, v->metric->id,
			 w->describe ? w->describe : "");
}

static bool is_ratio(const struct model_vs *v)
{
	return v->metric && v->metric->scale == SCALE_RATIO;
}

static void take_series(struct bank_store *b, const struct model *m)
{
	b->series = xcalloc(m->nvs + 1, sizeof(*b->series));
	for (size_t i = 0; i < m->nvs; i++) {
		struct bank_series *s = &b->series[b->nseries];

		if (!is_ratio(&m->vs[i])) {
			b->apart++;
			continue;
		}
		s->key = series_key(m, &m->vs[i]);
		s->name = arms_name(m, &m->vs[i]);
		s->metric = m->vs[i].metric->id;
		b->nseries++;
	}
	b->bank.nseries = b->nseries;
	b->bank.d = xcalloc(b->nseries + 1, sizeof(*b->bank.d));
}

/* Which of the run's pairs is that series; NULL: none. */
static const struct model_vs *find_series(const struct model *m, const char *key)
{
	const struct model_vs *found = NULL;

	for (size_t i = 0; !found && i < m->nvs; i++) {
		char *k = is_ratio(&m->vs[i]) ? series_key(m, &m->vs[i]) : NULL;

		if (k && !strcmp(k, key))
			found = &m->vs[i];
		free(k);
	}
	return found;
}

/* Blocks from 0 up to the last in which any pair was measured: an interrupted run has fewer than
 * were planned. */
static size_t blocks_of(const struct model *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->nvs; i++)
		for (size_t k = n; k < m->blocks_planned; k++)
			if (isfinite(arms_harm(&m->vs[i], k)))
				n = k + 1;
	return n;
}

static void add_run(struct bank_store *b, const struct model *m, const struct store_run *r)
{
	size_t blocks = blocks_of(m), had = b->bank.nblocks, k;
	const struct model_vs **v = xcalloc(b->nseries + 1, sizeof(*v));

	for (size_t i = 0; i < b->nseries; i++) {
		v[i] = find_series(m, b->series[i].key);
		if (!v[i] || !blocks) {
			b->other++;
			free(v);
			return;
		}
	}
	for (size_t i = 0; i < b->nseries; i++) {
		double *d = xrealloc(b->bank.d[i], had + blocks, sizeof(*d));

		b->bank.d[i] = d;
		for (k = 0; k < blocks; k++) {
			d[had + k] = arms_harm(v[i], k);
			b->series[i].pairs += isfinite(d[had + k]);
			b->series[i].missing += !isfinite(d[had + k]);
		}
	}
	free(v);
	b->bank.session = xrealloc(b->bank.session, had + blocks, sizeof(*b->bank.session));
	for (k = 0; k < blocks; k++)
		b->bank.session[had + k] = (unsigned)b->runs;
	b->bank.nblocks += blocks;
	b->runs++;
	b->first = b->first ? b->first : r->begun;
	b->last = r->begun;
}

static long day_of(int64_t ns)
{
	time_t t = (time_t)(ns / 1000000000);
	struct tm tm;

	localtime_r(&t, &tm);
	return tm.tm_year * 1000L + tm.tm_yday;
}

/* Within runs: that the level of an arm differs between runs is no noise of a pair. */
static void find_spread(struct bank_store *b)
{
	for (size_t i = 0; i < b->nseries; i++) {
		double ss = 0, df = 0;
		size_t from = 0, to;

		for (; from < b->bank.nblocks; from = to) {
			struct interval x;

			for (to = from;
			     to < b->bank.nblocks && b->bank.session[to] == b->bank.session[from];)
				to++;
			x = diff_interval(NULL, b->bank.d[i] + from, to - from, 0.95);
			if (x.n < 2)
				continue;
			ss += x.sd * x.sd * (double)(x.n - 1);
			df += (double)(x.n - 1);
		}
		b->series[i].sd = df > 0 ? sqrt(ss / df / 2) : NAN;
	}
}

static int read_runs(struct store *s, const char *host, const char *profile, struct bank_store *b,
		     struct err *e)
{
	struct store_run *runs = NULL;
	size_t n = 0, newest = SIZE_MAX;
	int rc = store_runs(s, &runs, &n, e);
	struct model *m;
	long day = -1;

	for (size_t i = 0; !rc && newest == SIZE_MAX && i < n; i++) {
		if (!in_bank(&runs[i], host, profile))
			continue;
		rc = model_make(s, runs[i].uuid, &m, e);
		if (rc)
			break;
		take_series(b, m);
		model_free(m);
		newest = i;
	}
	/* oldest first */
	for (size_t i = n; !rc && newest != SIZE_MAX && i-- > newest;) {
		size_t had = b->runs;

		if (!in_bank(&runs[i], host, profile))
			continue;
		rc = model_make(s, runs[i].uuid, &m, e);
		if (rc)
			break;
		add_run(b, m, &runs[i]);
		model_free(m);
		if (b->runs > had && day_of(runs[i].begun) != day) {
			day = day_of(runs[i].begun);
			b->days++;
		}
	}
	store_runs_free(runs, n);
	return rc;
}

int bank_read(const char *db, const char *profile, struct bank_store *out, struct err *e)
{
	struct store *s = NULL;
	char host[65];
	int rc;

	*out = (struct bank_store){0};
	if (!path_exists(db))
		return 0;
	rc = host_id(host, e);
	if (!rc)
		rc = store_open(db, false, &s, e);
	if (!rc)
		rc = read_runs(s, host, profile, out, e);
	store_close(s);
	if (!rc)
		find_spread(out);
	else
		bank_free(out);
	return rc;
}

bool bank_enough(const struct bank_store *b)
{
	return b->bank.nblocks >= BANK_ENOUGH && b->days >= BANK_DAYS;
}

void bank_free(struct bank_store *b)
{
	for (size_t i = 0; i < b->nseries; i++) {
		free(b->series[i].key);
		free(b->series[i].name);
		free(b->bank.d[i]);
	}
	free(b->series);
	free(b->bank.d);
	free(b->bank.session);
	*b = (struct bank_store){0};
}
