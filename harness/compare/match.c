// SPDX-License-Identifier: GPL-2.0-or-later
/* Cells of one run to cells of another, and the command that would settle what two runs cannot. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "compare/compare.h"

const char *compare_key(const struct model_cell *cell, const char *key)
{
	return json_string_value(json_object_get(cell->keys, key));
}

const struct model_row *compare_row_of(const struct model *m, const char *cell_id,
				       const char *workload, const struct model_workload **w)
{
	for (size_t i = 0; i < m->nworkloads; i++) {
		*w = &m->workloads[i];
		if (strcmp((*w)->name, workload))
			continue;
		for (size_t r = 0; r < (*w)->nrows; r++)
			if ((*w)->rows[r].cell < m->ncells &&
			    !strcmp(m->cells[(*w)->rows[r].cell].id, cell_id))
				return &(*w)->rows[r];
	}
	*w = NULL;
	return NULL;
}

static bool equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* The one value that all cells of a run have; false: they differ, or a cell does not know the key.
 */
static bool common_value(const struct model *m, const char *key, const char **value)
{
	for (size_t i = 0; i < m->ncells; i++) {
		json_t *v = json_object_get(m->cells[i].keys, key);

		if (!v)
			return false;
		if (i && !equal(json_string_value(v), *value))
			return false;
		*value = json_string_value(v);
	}
	return m->ncells > 0;
}

/* Keys that are constant in each run and differ between the two: what one run has and the other has
 * not. */
static void find_keys(struct compare *c)
{
	const struct model *a = c->a.runs[0].model, *b = c->b.runs[0].model;
	const char *key;
	json_t *v;

	if (!a->ncells || !b->ncells)
		return;
	json_object_foreach(a->cells[0].keys, key, v)
	{
		const char *x = NULL, *y = NULL;
		size_t n = c->nkeys;

		if (!common_value(a, key, &x) || !common_value(b, key, &y) || equal(x, y))
			continue;
		c->keys = compare_add(c->keys, &c->nkeys, sizeof(*c->keys));
		c->keys[n] = xstrdup(key);
		c->key_a = xrealloc(c->key_a, n + 1, sizeof(*c->key_a));
		c->key_b = xrealloc(c->key_b, n + 1, sizeof(*c->key_b));
		c->key_a[n] = xstrdup(x);
		c->key_b[n] = xstrdup(y);
	}
}

static bool given(const struct compare *c, const char *key)
{
	for (size_t i = 0; i < c->nkeys; i++)
		if (!strcmp(c->keys[i], key))
			return true;
	return false;
}

/* Equal but for the keys that differ throughout; a key that one side does not know (another version
 * of vbench) does not part them. */
static bool like(const struct compare *c, const struct model_cell *x, const struct model_cell *y)
{
	const char *key;
	json_t *v, *w;

	json_object_foreach(x->keys, key, v)
	{
		w = json_object_get(y->keys, key);
		if (w && !given(c, key) && !equal(json_string_value(v), json_string_value(w)))
			return false;
	}
	return json_object_size(x->keys) > 0;
}

static void alone(struct compare *c, bool of_b, bool workload, const char *label, const char *why)
{
	struct compare_alone *x;

	c->alone = compare_add(c->alone, &c->nalone, sizeof(*c->alone));
	x = &c->alone[c->nalone - 1];
	x->of_b = of_b;
	x->workload = workload;
	x->label = xstrdup(label ? label : "?");
	x->why = xstrdup(why);
}

static const struct interval none = {NAN, NAN, NAN, 0, NAN};

static struct interval abs_of(const struct model_row *r, const struct metric_row *m)
{
	for (size_t i = 0; r && m && i < r->nvalues; i++)
		if (r->values[i].metric == m)
			return r->values[i].abs;
	return none;
}

/* Why a row of a run has no value to compare, or NULL. New. */
static char *missing(const struct compare_side *s, const struct model_row *r,
		     const struct metric_row *m)
{
	struct interval i = abs_of(r, m);

	if (!r)
		return xasprintf("not measured in %s", s->name);
	if (r->too_many_failed)
		return xasprintf("failed in %s: %u of %u trials", s->name, r->failed,
				 r->ok + r->failed);
	if (!isfinite(i.mid))
		return xasprintf("no value in %s", s->name);
	return NULL;
}

static void add_row(struct compare *c, size_t a, size_t b, const struct model_workload *wa)
{
	const struct model *ma = c->a.runs[0].model, *mb = c->b.runs[0].model;
	const struct model_workload *w, *wb;
	const struct model_row *ra = compare_row_of(ma, ma->cells[a].id, wa->name, &w);
	const struct model_row *rb = compare_row_of(mb, mb->cells[b].id, wa->name, &wb);
	struct compare_row *row;

	if (!wa->primary)
		return;
	c->rows = compare_add(c->rows, &c->nrows, sizeof(*c->rows));
	row = &c->rows[c->nrows - 1];
	row->a = a;
	row->b = b;
	row->label = xstrdup(mb->cells[b].label ? mb->cells[b].label : mb->cells[b].id);
	row->workload = xstrdup(wa->name);
	row->metric = wa->primary;
	row->abs_a = abs_of(ra, row->metric);
	row->abs_b = abs_of(rb, row->metric);
	row->why = missing(&c->a, ra, row->metric);
	if (!row->why)
		row->why = missing(&c->b, rb, row->metric);
}

static const struct model_workload *workload_named(const struct model *m, const char *name)
{
	for (size_t i = 0; i < m->nworkloads; i++)
		if (!strcmp(m->workloads[i].name, name))
			return &m->workloads[i];
	return NULL;
}

/* The same work, judged by the same metric? If not, says so. */
static bool workload_same(const struct compare *c, const struct model_workload *x, char **why)
{
	const struct model_workload *y = workload_named(c->b.runs[0].model, x->name);

	*why = NULL;
	if (!y)
		return false;
	if (!equal(x->describe, y->describe))
		*why = xasprintf("%s here, %s there", x->describe ? x->describe : "?",
				 y->describe ? y->describe : "?");
	else if (x->primary != y->primary)
		*why = xasprintf("judged by %s here, by %s there",
				 x->primary ? x->primary->id : "nothing",
				 y->primary ? y->primary->id : "nothing");
	return !*why;
}

/* Workloads that both have; the others are listed, of the first side where they differ in what they
 * do. */
static bool *match_workloads(struct compare *c)
{
	const struct model *a = c->a.runs[0].model, *b = c->b.runs[0].model;
	bool *use = xcalloc(a->nworkloads + 1, sizeof(*use));

	for (size_t i = 0; i < a->nworkloads; i++) {
		char *why;

		use[i] = workload_same(c, &a->workloads[i], &why);
		if (!use[i])
			alone(c, false, true, a->workloads[i].name, why);
		free(why);
	}
	for (size_t i = 0; i < b->nworkloads; i++)
		if (!workload_named(a, b->workloads[i].name))
			alone(c, true, true, b->workloads[i].name, NULL);
	return use;
}

/* partner[i]: cell of b for cell i of a, or -1. By id first: ids are made of all keys. */
static long *match_cells(const struct compare *c, bool *taken)
{
	const struct model *a = c->a.runs[0].model, *b = c->b.runs[0].model;
	long *partner = xcalloc(a->ncells + 1, sizeof(*partner));

	for (size_t i = 0; i < a->ncells; i++) {
		partner[i] = -1;
		for (size_t k = 0; k < b->ncells; k++)
			if (!taken[k] && !strcmp(a->cells[i].id, b->cells[k].id)) {
				partner[i] = (long)k;
				taken[k] = true;
				break;
			}
	}
	for (size_t i = 0; i < a->ncells; i++)
		for (size_t k = 0; k < b->ncells && partner[i] < 0; k++)
			if (!taken[k] && like(c, &a->cells[i], &b->cells[k])) {
				partner[i] = (long)k;
				taken[k] = true;
			}
	return partner;
}

void compare_match(struct compare *c)
{
	const struct model *a = c->a.runs[0].model, *b = c->b.runs[0].model;
	bool *taken = xcalloc(b->ncells + 1, sizeof(*taken)), *use;
	long *partner;

	find_keys(c);
	use = match_workloads(c);
	partner = match_cells(c, taken);
	for (size_t i = 0; i < a->ncells; i++) {
		if (partner[i] < 0)
			alone(c, false, false, a->cells[i].label, NULL);
		for (size_t w = 0; w < a->nworkloads && partner[i] >= 0; w++)
			if (use[w])
				add_row(c, i, (size_t)partner[i], &a->workloads[w]);
	}
	for (size_t k = 0; k < b->ncells; k++)
		if (!taken[k])
			alone(c, true, false, b->cells[k].label, NULL);
	free(taken);
	free(use);
	free(partner);
}

/* Quoted for a shell if it has to be. New. */
static char *quoted(const char *s)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";
	char *out, *o;

	if (*s && strspn(s, plain) == strlen(s))
		return xstrdup(s);
	out = o = xcalloc(strlen(s) * 4 + 3, 1);
	*o++ = '\'';
	for (; *s; s++) {
		if (*s == '\'') {
			memcpy(o, "'\\''", 4);
			o += 4;
		} else {
			*o++ = *s;
		}
	}
	*o = '\'';
	return out;
}

static void append(char **s, const char *word, const char *value)
{
	char *q = quoted(value), *all = xasprintf("%s %s%s%s", *s, word, *word ? " " : "", q);

	free(q);
	free(*s);
	*s = all;
}

/* Is the set "KEY=VALUE" of one of the keys that differ, or of what another run chooses anew? */
static bool set_dropped(const struct compare *c, const char *set)
{
	static const char *const own[] = {"run.label", "run.seed"};
	size_t len = strcspn(set, "=");

	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (len == strlen(own[i]) && !strncmp(set, own[i], len))
			return true;
	for (size_t i = 0; i < c->nkeys; i++)
		if (len == strlen(c->keys[i]) && !strncmp(set, c->keys[i], len))
			return true;
	return false;
}

static void append_sets(const struct compare *c, char **s)
{
	json_t *sets = json_loads(c->a.runs[0].row.sets_json ? c->a.runs[0].row.sets_json : "[]", 0,
				  NULL),
	       *v;
	size_t i;

	json_array_foreach(sets, i, v)
	{
		const char *set = json_string_value(v);

		if (set && !set_dropped(c, set))
			append(s, "--set", set);
	}
	json_decref(sets);
	for (i = 0; i < c->nkeys; i++) {
		char *set = xasprintf("%s=%s", c->keys[i], c->key_a[i]);

		append(s, "--set", set);
		free(set);
	}
}

/*
 * One run with both sides in it, when they differ in keys that have a value on both sides. The
 * first side is pinned by --set, so that the profile need not hold it.
 */
void compare_command(struct compare *c)
{
	json_t *meta =
		json_loads(c->a.runs[0].row.meta_json ? c->a.runs[0].row.meta_json : "{}", 0, NULL);
	const char *path = json_string_value(json_object_get(meta, "profile_path"));
	const char *name = c->a.runs[0].row.profile_name;
	bool can = c->nkeys > 0 && c->nrows > 0 && !c->other_host && (path || name) &&
		   equal(name, c->b.runs[0].row.profile_name);

	for (size_t i = 0; i < c->nkeys; i++)
		can &= c->key_a[i] && c->key_b[i];
	if (can) {
		c->command = xstrdup("vbench run");
		append(&c->command, "", path && *path ? path : name);
		append_sets(c, &c->command);
		for (size_t i = 0; i < c->nkeys; i++) {
			char *set = xasprintf("%s=%s", c->keys[i], c->key_b[i]);

			append(&c->command, "--vs", set);
			free(set);
		}
	}
	json_decref(meta);
}

int compare_make(struct store *s, const char *a, const char *b, struct compare *out, struct err *e)
{
	int rc;

	memset(out, 0, sizeof(*out));
	rc = compare_sides(s, a, b, out, e);
	if (rc)
		return rc;
	compare_match(out);
	if (!out->nrows && !out->nalone)
		return err_input(e, "neither %s nor %s has measured anything", a, b);
	compare_env_diff(out);
	compare_judge(out);
	compare_command(out);
	return 0;
}

static void texts_free(char **s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(s[i]);
	free(s);
}

void compare_free(struct compare *c)
{
	compare_side_free(&c->a);
	compare_side_free(&c->b);
	for (size_t i = 0; i < c->ndiffs; i++) {
		free(c->diffs[i].group);
		free(c->diffs[i].name);
		free(c->diffs[i].a);
		free(c->diffs[i].b);
	}
	for (size_t i = 0; i < c->nrows; i++) {
		free(c->rows[i].label);
		free(c->rows[i].workload);
		free(c->rows[i].why);
	}
	for (size_t i = 0; i < c->nalone; i++) {
		free(c->alone[i].label);
		free(c->alone[i].why);
	}
	texts_free(c->keys, c->nkeys);
	texts_free(c->key_a, c->nkeys);
	texts_free(c->key_b, c->nkeys);
	texts_free(c->warnings, c->nwarnings);
	free(c->diffs);
	free(c->rows);
	free(c->alone);
	free(c->command);
	memset(c, 0, sizeof(*c));
}
