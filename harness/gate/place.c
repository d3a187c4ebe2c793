// SPDX-License-Identifier: GPL-2.0-or-later
/* What night, accept and show begin with: store, records, profile, arms, series. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uuid.h>
#include "base/file.h"
#include "gate/environ.h"
#include "gate/night.h"
#include "gate/reference.h"
#include "host/host.h"

struct gate_rule gate_rule_of(const struct profile *p, size_t series)
{
	unsigned blocks = (unsigned)profile_u64(p, K_GATE_BLOCKS); /* 0: auto */
	unsigned confirm = (unsigned)profile_u64(p, K_GATE_CONFIRM);

	return (struct gate_rule){.blocks = blocks ? blocks : GATE_BLOCKS,
				  .confirm = confirm ? confirm : GATE_CONFIRM,
				  .must_see = profile_share(p, K_GATE_SEE),
				  .rate = profile_share(p, K_GATE_RATE),
				  .series = series};
}

void gate_uuid(char out[37])
{
	uuid_t u;

	uuid_generate_random(u);
	uuid_unparse_lower(u, out);
}

int gate_place_open(const struct gate_opts *o, struct gate_place *out, struct err *e)
{
	int rc;

	*out = (struct gate_place){.data = store_data_dir()};
	rc = profile_load(o->path, o->sets, o->nsets, &out->plain, e);
	if (!rc)
		rc = host_id(out->host, e);
	/* before the store is made in it: QEMU's user must get in, too */
	if (!rc)
		rc = dir_make(out->data, geteuid() ? 0700 : 0755, e);
	if (!rc)
		rc = store_open(o->db, true, &out->store, e);
	if (!rc)
		rc = gate_place_read(out, e);
	if (rc)
		gate_place_close(out);
	return rc;
}

int gate_place_read(struct gate_place *p, struct err *e)
{
	store_gates_free(p->records, p->nrecords);
	return store_gates(p->store, p->host, p->plain->name, &p->records, &p->nrecords, e);
}

void gate_place_close(struct gate_place *p)
{
	store_gates_free(p->records, p->nrecords);
	store_close(p->store);
	profile_free(p->plain);
	free(p->data);
	*p = (struct gate_place){0};
}

json_t *gate_environment(void)
{
	const char *none[] = {NULL};
	json_t *facts = host_facts(NULL, none), *out = environ_of(facts);

	json_decref(facts);
	return out;
}

json_t *gate_doc(const struct store_gate *g)
{
	json_t *doc = json_loads(g->doc_json ? g->doc_json : "{}", 0, NULL);

	if (json_is_object(doc))
		return doc;
	json_decref(doc);
	return json_object();
}

char *gate_doc_text(const struct store_gate *g, const char *key)
{
	json_t *doc = gate_doc(g);
	char *out = xstrdup(json_string_value(json_object_get(doc, key)));

	json_decref(doc);
	return out;
}

bool gate_record_injected(const struct store_gate *g)
{
	json_t *doc = gate_doc(g);
	bool some = json_array_size(json_object_get(doc, "injected")) > 0;

	json_decref(doc);
	return some;
}

const struct store_gate *gate_accepted(const struct store_gate *g, size_t n)
{
	while (n--)
		if (!strcmp(g[n].kind, GATE_ACCEPT))
			return &g[n];
	return NULL;
}

size_t gate_anchor(const struct store_gate *g, size_t n, const struct store_gate **out)
{
	const struct store_gate *a = gate_accepted(g, n);
	json_t *doc = a ? gate_doc(a) : NULL;
	int64_t from = json_integer_value(json_object_get(doc, "anchor_from"));
	size_t k = 0, i;

	for (i = 0; a && i < n && k < GATE_ANCHOR; i++)
		if (!strcmp(g[i].kind, GATE_NIGHT) && g[i].begun >= from &&
		    !strcmp(g[i].state, "green") && g[i].reference && a->reference &&
		    !strcmp(g[i].reference, a->reference) && !gate_record_injected(&g[i]))
			out[k++] = &g[i];
	json_decref(doc);
	return k;
}

/* A set of that key, "guest.qemu=..."? */
static bool sets_key(const char *set, const char *key)
{
	size_t n = strlen(key);

	while (*set == ' ')
		set++;
	return !strncmp(set, key, n) && (set[n] == '=' || set[n] == ' ');
}

/* The user's sets, some of them taken out, and room for more behind them. */
static const char **copy_sets(const struct gate_opts *o, bool builds, size_t *n)
{
	const char **out = xcalloc(o->nsets + 8, sizeof(*out));
	size_t i;

	*n = 0;
	for (i = 0; i < o->nsets; i++)
		if (builds ||
		    (!sets_key(o->sets[i], "guest.qemu") && !sets_key(o->sets[i], "guest.kernel")))
			out[(*n)++] = o->sets[i];
	return out;
}

int gate_load_arms(const struct gate_opts *o, const char *folder, unsigned blocks,
		   struct profile **out, struct err *e)
{
	size_t n;
	const char **sets = copy_sets(o, true, &n);
	char *count = xasprintf("run.blocks=%u", blocks), *label = NULL, *base[2];
	int rc;

	reference_sets(folder, base);
	sets[n++] = count;
	/* a night's size is fixed: what it can see is said before it begins */
	sets[n++] = "run.decide=none";
	sets[n++] = "run.precision=none";
	if (o->label) {
		label = xasprintf("run.label=%s", o->label);
		sets[n++] = label;
	}
	rc = profile_load_arms(o->path, sets, n, (const char *const *)base, 2, o->inject,
			       o->ninject, out, e);
	if (!rc && !(*out)->npairs) {
		rc = err_input(e, "%s: no cell of it can be compared between two builds", o->path);
		profile_free(*out);
		*out = NULL;
	}
	free(sets);
	free(count);
	free(label);
	free(base[0]);
	free(base[1]);
	return rc;
}

/* Without the name of its arm, which all cells of it share. */
static const char *without_arm(const char *label)
{
	static const char arm[] = "change";
	size_t n = strlen(arm);

	if (strncmp(label, arm, n) || (label[n] && label[n] != ' '))
		return label;
	return label[n] ? label + n + 1 : "";
}

static void make_one(struct gate_series *x, const struct profile *arms,
		     const struct profile_pair *pair, const struct cell *stable,
		     const struct workload *w, const struct metric_row *metric)
{
	const struct cell *a = &arms->cells[pair->base], *b = &arms->cells[pair->change];
	const char *label = without_arm(stable->label);

	*x = (struct gate_series){
		.key = xasprintf("%s/%s/%s/%s", w->name, w->id, stable->id, metric->id),
		.name = xasprintf("%s%s%s", w->name, *label ? ", " : "", label),
		.workload = xstrdup(w->name),
		.base_label = xstrdup(a->label),
		.change_label = xstrdup(b->label),
		.metric = metric,
		.p = NAN,
		.sd = NAN,
		.seen80 = NAN,
		.seen90 = NAN,
		.limits = {NAN, NAN}};
	memcpy(x->base_id, a->id, sizeof(x->base_id));
	memcpy(x->change_id, b->id, sizeof(x->change_id));
}

int gate_series_make(const struct gate_opts *o, const struct profile *arms,
		     struct gate_series **out, size_t *n, struct err *e)
{
	size_t nsets, i, k;
	const char **sets = copy_sets(o, false, &nsets);
	char *qemu = xasprintf("guest.qemu=%s", profile_keys[K_QEMU].def);
	char *kernel = xasprintf("guest.kernel=%s", profile_keys[K_KERNEL].def);
	struct profile *stable = NULL;
	int rc;

	*out = NULL;
	*n = 0;
	sets[nsets++] = qemu;
	sets[nsets++] = kernel;
	rc = profile_load_arms(o->path, sets, nsets, NULL, 0, NULL, 0, &stable, e);
	if (!rc && stable->npairs != arms->npairs)
		rc = err_input(
			e,
			"%s: with what was injected it has %zu pairs of cells instead of %zu; "
			"inject a key that means something in each cell",
			o->path, arms->npairs, stable->npairs);
	for (i = 0; !rc && i < arms->npairs; i++)
		for (k = 0; !rc && k < arms->nworkloads; k++) {
			const struct metric_row *m;

			rc = gate_metric(arms, &arms->workloads[k], &m, e);
			if (rc)
				break;
			*out = xrealloc(*out, *n + 1, sizeof(**out));
			make_one(&(*out)[(*n)++], arms, &arms->pairs[i],
				 &stable->cells[stable->pairs[i].change], &arms->workloads[k], m);
		}
	profile_free(stable);
	free(sets);
	free(qemu);
	free(kernel);
	return rc;
}

void gate_series_free(struct gate_series *x)
{
	gate_points_free(&x->screened);
	gate_points_free(&x->confirmed);
	free(x->key);
	free(x->name);
	free(x->workload);
	free(x->base_label);
	free(x->change_label);
	free(x->why);
	free(x->remedy);
}
