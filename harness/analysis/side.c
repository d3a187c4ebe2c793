/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between cells beside the axes: what a bus or a driver brings along unasked
 * (max_segments, scheduler, ...). A main effect holds it too, so a reader must see it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"

#define SIDE_MAX 64 /* facts; disk/ takes far fewer, but the rows may come from elsewhere */
#define VALUES_MAX 8
#define LABELS_MAX 3
#define NAME_MAX_BYTES 64
#define LENGTH_MAX 200 /* bytes of a value */

#define VARIES "differs from trial to trial"
#define ABSENT "none"

/* A fact as text, quoted where the guest could pass it off as more than one value. */
static char *fact_text(const json_t *v)
{
	char buf[64];
	const char *s = json_text(v, buf, sizeof(buf));

	if (!s || !*s)
		return xstrdup(ABSENT);
	if (strlen(s) > LENGTH_MAX)
		return xstrdup("too long to show");
	return strpbrk(s, "(),;\"") ? xasprintf("\"%s\"", s) : xstrdup(s);
}

/* Notes what a cell says of one fact: {"0": "254", "1": "126"}, by cell index. */
static void take(json_t *of, size_t cell, const char *text)
{
	json_t *was;
	char at[24];

	snprintf(at, sizeof(at), "%zu", cell);
	was = json_object_get(of, at);
	if (!was)
		json_object_set_new(of, at, json_string(text));
	else if (strcmp(json_string_value(was), text))
		json_object_set_new(of, at, json_string(VARIES));
}

/* Two passes, so that a fact that a trial lacks counts as absent there, whichever came first. */
static json_t *gather(const struct build *b)
{
	json_t *all = json_object(), **side = xcalloc(b->ntrials + 1, sizeof(json_t *)), *v;
	const char *name;

	for (size_t i = 0; i < b->ntrials; i++) {
		const struct store_trial *t = &b->trials[i];
		json_t *facts;

		if (b->cell_of[i] < 0 || !t->ok || !t->facts_json)
			continue;
		facts = json_loads(t->facts_json, 0, NULL); /* broken ones: cells.c says so */
		v = json_object_get(facts, "side");
		side[i] = json_is_object(v) ? json_incref(v) : NULL;
		json_decref(facts);
		json_object_foreach(side[i], name, v)
		{
			if (json_object_size(all) < SIDE_MAX && strlen(name) <= NAME_MAX_BYTES &&
			    !json_object_get(all, name))
				json_object_set_new(all, name, json_object());
		}
	}
	json_object_foreach(all, name, v)
	{
		for (size_t i = 0; i < b->ntrials; i++) {
			char *text;

			if (!side[i])
				continue;
			text = fact_text(json_object_get(side[i], name));
			take(v, b->cell_of[i], text);
			free(text);
		}
	}
	for (size_t i = 0; i < b->ntrials; i++)
		json_decref(side[i]);
	free(side);
	return all;
}

/* One fact over the cells; value[c] is NULL where no trial told. Borrowed. */
struct fact {
	const struct model *m;
	const char **value;
};

static bool same_text(const char *a, const char *b)
{
	return !strcmp(a, b);
}

/* Is there more than one value, or one that no trial can be held to? */
static bool fact_differs(const struct fact *f)
{
	const char *first = NULL;

	for (size_t c = 0; c < f->m->ncells; c++) {
		if (!f->value[c])
			continue;
		if (same_text(f->value[c], VARIES) || (first && !same_text(first, f->value[c])))
			return true;
		first = f->value[c];
	}
	return false;
}

/* The fact is the axis itself, read back: queues = 4 was asked for, and 4 are there. */
static bool fact_is_axis(const struct fact *f, const char *name)
{
	for (size_t i = 0; i < json_array_size(f->m->axes); i++) {
		const char *key = axis_key(f->m, i);
		bool all = key && same_text(key_short(key), name);

		for (size_t c = 0; c < f->m->ncells && all; c++) {
			const char *v = cell_value(&f->m->cells[c], key);

			all = !f->value[c] || (v && same_text(v, f->value[c]));
		}
		if (all)
			return true;
	}
	return false;
}

/* Does the value follow from the level of this axis alone? */
static bool fact_follows(const struct fact *f, const char *key)
{
	for (size_t a = 0; a < f->m->ncells; a++) {
		const char *la = cell_value(&f->m->cells[a], key);

		if (!f->value[a])
			continue;
		if (!la || same_text(f->value[a], VARIES))
			return false;
		for (size_t c = 0; c < a; c++) {
			const char *lc = cell_value(&f->m->cells[c], key);

			if (f->value[c] && lc && same_text(la, lc) &&
			    !same_text(f->value[a], f->value[c]))
				return false;
		}
	}
	return true;
}

/* Where a value was seen: the cell, or the level of the axis from which it follows. New. */
static char *where_text(const struct fact *f, const char *key, size_t c)
{
	char *level, *label;

	if (!key)
		return xstrdup(f->m->cells[c].label);
	level = level_text(key, cell_value(&f->m->cells[c], key));
	label = level_label(key, level);
	free(level);
	return label;
}

/* Is this the first cell with its value (and, within that, with its level of the axis)? */
static bool first_of(const struct fact *f, const char *key, size_t c, bool level)
{
	for (size_t a = 0; a < c; a++)
		if (f->value[a] && same_text(f->value[a], f->value[c]) &&
		    (!level || (key && same_text(cell_value(&f->m->cells[a], key),
						 cell_value(&f->m->cells[c], key)))))
			return false;
	return true;
}

/* "254 (virtio-blk), 126 (virtio-scsi)" */
static char *fact_groups(const struct fact *f, const char *key)
{
	char *s = NULL;
	size_t values = 0;

	for (size_t c = 0; c < f->m->ncells; c++) {
		size_t places = 0;

		if (!f->value[c] || !first_of(f, key, c, false) || ++values > VALUES_MAX)
			continue;
		text_add(&s, "%s%s (", s ? ", " : "", f->value[c]);
		for (size_t a = c; a < f->m->ncells; a++) {
			char *where;

			if (!f->value[a] || !same_text(f->value[a], f->value[c]) ||
			    !first_of(f, key, a, true) || ++places > LABELS_MAX)
				continue;
			where = where_text(f, key, a);
			text_add(&s, "%s%s", places > 1 ? ", " : "", where);
			free(where);
		}
		if (places > LABELS_MAX)
			text_add(&s, " and %zu more", places - LABELS_MAX);
		text_add(&s, ")");
	}
	if (values > VALUES_MAX)
		text_add(&s, " and %zu more values", values - VALUES_MAX);
	return s;
}

static void side_add(struct model *m, const char *name, const struct fact *f)
{
	const char *by = NULL;
	struct model_side *x;

	if (!fact_differs(f) || fact_is_axis(f, name))
		return;
	for (size_t i = 0; i < json_array_size(m->axes) && !by; i++)
		if (axis_key(m, i) && fact_follows(f, axis_key(m, i)))
			by = axis_key(m, i);
	m->side = array_add(m->side, &m->nside, sizeof(*m->side));
	x = &m->side[m->nside - 1];
	x->name = xstrdup(name);
	x->values = fact_groups(f, by);
}

void build_side(struct build *b)
{
	struct fact f = {b->m, xcalloc(b->m->ncells + 1, sizeof(*f.value))};
	json_t *all = gather(b), *of;
	const char *name;

	json_object_foreach(all, name, of)
	{
		for (size_t c = 0; c < b->m->ncells; c++) {
			char at[24];

			snprintf(at, sizeof(at), "%zu", c);
			f.value[c] = json_string_value(json_object_get(of, at));
		}
		side_add(b->m, name, &f);
	}
	json_decref(all);
	free(f.value);
}
