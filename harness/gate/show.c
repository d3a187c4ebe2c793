// SPDX-License-Identifier: GPL-2.0-or-later
/* `vbench gate show`: reference, anchor, nights, and what they could see. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "gate/night.h"
#include "host/host.h"

#define SHOWN 20 /* nights */

static void when_text(int64_t ns, char *buf, size_t size)
{
	time_t t = (time_t)(ns / 1000000000);
	struct tm tm;

	snprintf(buf, size, "?");
	if (localtime_r(&t, &tm))
		strftime(buf, size, "%Y-%m-%d %H:%M", &tm);
}

/* Texts of the store may be anybody's. */
static const char *clean(char *text)
{
	char *p;

	for (p = text; p && *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
		else if ((unsigned char)*p == 0xc2 && (unsigned char)p[1] >= 0x80 &&
			 (unsigned char)p[1] < 0xa0) /* C1: U+009B begins a sequence, too */
			p[0] = p[1] = '?';
	return text ? text : "";
}

static void show_accept(struct store_gate *g, FILE *out)
{
	char when[32], *text = gate_doc_text(g, "text"), *folder = gate_doc_text(g, "folder");

	when_text(g->begun, when, sizeof(when));
	fprintf(out, "  reference  %s\n             kept in %s\n", clean(text), clean(folder));
	fprintf(out, "  accepted   %s (%s) by %s: %s\n", when, clean(g->state), clean(g->who),
		clean(g->why));
	free(text);
	free(folder);
}

static void show_anchor(const struct store_gate *g, size_t n, FILE *out)
{
	const struct store_gate *nights[GATE_ANCHOR];
	size_t k = gate_anchor(g, n, nights);
	char a[32], b[32];

	if (!k) {
		fprintf(out, "  anchor     no green night yet, of %d\n", GATE_ANCHOR);
		return;
	}
	when_text(nights[0]->begun, a, sizeof(a));
	when_text(nights[k - 1]->begun, b, sizeof(b));
	fprintf(out, "  anchor     %zu of %d nights, %s to %s%s\n", k, GATE_ANCHOR, a, b,
		k < GATE_ANCHOR ? "; it is growing" : "");
}

static double noisiest(const struct store_gate *g)
{
	double v = NAN;
	size_t i;

	for (i = 0; i < g->nseries; i++)
		if (isfinite(g->series[i].seen))
			v = isnan(v) ? g->series[i].seen : fmax(v, g->series[i].seen);
	return v;
}

/* What else kept the night from being green: a drift, a changed environment. */
static void show_checks(const struct store_gate *g, const char *sep, FILE *out)
{
	json_t *doc = gate_doc(g), *c;
	const char *name;
	size_t i;

	json_array_foreach(json_object_get(doc, "checks"), i, c)
	{
		name = json_string_value(json_object_get(c, "name"));
		if (!name || !json_is_false(json_object_get(c, "ok")))
			continue;
		fprintf(out, "%s%s", sep, clean((char *)name));
		sep = "; ";
	}
	json_decref(doc);
}

static void show_night(struct store_gate *g, FILE *out)
{
	char when[32], seen[32] = "";
	const char *sep = "  ";
	double v = noisiest(g);
	size_t i;

	when_text(g->begun, when, sizeof(when));
	if (isfinite(v))
		snprintf(seen, sizeof(seen), "sees %.1f %%", 100 * v);
	fprintf(out, "  %.8s  %s  %-11s %-12s %s%s", g->uuid, when,
		strcmp(g->state, "begun") ? clean(g->state) : "not ended", seen, clean(g->label),
		gate_record_injected(g) ? " (harm injected)" : "");
	if (g->joins)
		fprintf(out, "  joins %.8s", clean(g->joins));
	for (i = 0; i < g->nseries; i++) {
		if (!strcmp(g->series[i].state, "same"))
			continue;
		fprintf(out, "%s%s %s", sep, clean(g->series[i].name), clean(g->series[i].state));
		if (isfinite(g->series[i].ratio))
			fprintf(out, " %+.1f %%", 100 * (g->series[i].ratio - 1));
		sep = "; ";
	}
	show_checks(g, sep, out);
	fputc('\n', out);
}

static void show_rate(const struct store_gate *g, FILE *out)
{
	json_t *doc = gate_doc(g);
	struct gate_rule r = {
		.blocks = (unsigned)json_integer_value(json_object_get(doc, "blocks")),
		.confirm = (unsigned)json_integer_value(json_object_get(doc, "confirm")),
		.must_see = json_number_value(json_object_get(doc, "must_see")),
		.rate = json_number_value(json_object_get(doc, "rate")),
		.series = (size_t)json_integer_value(json_object_get(doc, "series"))};

	json_decref(doc);
	if (!r.series || !r.blocks || !(r.rate > 0))
		return;
	fprintf(out,
		"  rates      at most %.2g %% false alarms in %d nights over %zu series: screen 10 %% on "
		"%u blocks, Holm at %.2g %% on %u fresh ones; must see %.1f %%\n",
		100 * gate_rate_bound(&r), GATE_NIGHTS, r.series, r.blocks, 100 * gate_level(&r),
		r.confirm, 100 * r.must_see);
}

/* All of one profile, on one host. */
static void show_profile(struct store_gate *g, size_t n, const char *host, FILE *out)
{
	const struct store_gate *a = gate_accepted(g, n), *last = NULL;
	size_t nights = 0, i, skip;

	fprintf(out, "%s%s\n", clean(g->profile),
		strcmp(g->host_id, host) ? " (nights of another host)" : "");
	if (a)
		show_accept((struct store_gate *)a, out);
	else
		fputs("  reference  none\n", out);
	show_anchor(g, n, out);
	for (i = 0; i < n; i++)
		if (!strcmp(g[i].kind, GATE_NIGHT)) {
			last = &g[i];
			nights++;
		}
	if (last)
		show_rate(last, out);
	fprintf(out, "  nights     %zu\n", nights);
	skip = nights > SHOWN ? nights - SHOWN : 0;
	for (i = 0; i < n; i++)
		if (!strcmp(g[i].kind, GATE_NIGHT)) {
			if (skip)
				skip--;
			else
				show_night(&g[i], out);
		}
}

static int by_profile(const void *a, const void *b)
{
	const struct store_gate *x = a, *y = b;
	int c = strcmp(x->profile, y->profile);

	if (!c)
		c = strcmp(x->host_id, y->host_id);
	return c ? c : x->begun < y->begun ? -1 : x->begun > y->begun;
}

int gate_show(const char *db, const char *profile, FILE *out, struct err *e)
{
	struct store_gate *g = NULL;
	struct store *s = NULL;
	char host[65];
	size_t n = 0, i, k;
	int rc = store_open(db, false, &s, e);

	if (!rc)
		rc = host_id(host, e);
	if (!rc)
		rc = store_gates(s, NULL, profile, &g, &n, e);
	if (!rc && !n && profile)
		rc = err_input(
			e,
			"profile %s has no nights and no reference; keep the present build with: "
			"vbench gate accept %s --why TEXT",
			profile, profile);
	else if (!rc && !n)
		fputs("no profile has a reference yet; begin with: vbench gate accept PROFILE --why "
		      "TEXT\n",
		      out);
	if (n)
		qsort(g, n, sizeof(*g), by_profile);
	for (i = 0; !rc && i < n; i = k) {
		for (k = i; k < n && !strcmp(g[k].profile, g[i].profile) &&
			    !strcmp(g[k].host_id, g[i].host_id);
		     k++)
			;
		show_profile(&g[i], k - i, host, out);
	}
	store_gates_free(g, n);
	store_close(s);
	return rc;
}
