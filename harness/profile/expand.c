/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Axes -> cells: every combination once, what makes no sense skipped with its reason, equal ones
 * folded. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "profile/internal.h"

/* Combinations left out for one reason, and which axis values they had. */
struct group {
	char *reason;
	bool folded;
	size_t n;
	bool *seen; /* of every value of every axis, one axis behind the other */
};

struct expansion {
	struct profile *p;
	const struct settings *said;
	const struct arms *arms; /* NULL: none; else the first axis is guest.arm */
	size_t *of_combo;	 /* the cell that each combination is, SIZE_MAX: none */
	size_t ncombos;
	char **identity; /* of each cell: what must differ between two */
	struct group *groups;
	size_t ngroups;
	size_t nvalues; /* of all axes */
};

/* "packed", "iothread=on", "size=64M" */
static char *value_label(const struct axis *a, const char *value)
{
	char buf[64];

	if (!a->row)
		return xasprintf("%s=%s", a->key + strlen("disk.blockdev."), value);
	if (strlen(value) < 32) /* paths are never respelled */
		value = key_value_text(a->row, value, buf, sizeof(buf));
	if (a->row->counts)
		return xasprintf("%s %s%s", value, a->row->counts, strcmp(value, "1") ? "s" : "");
	return a->row->bare ? xstrdup(value) : xasprintf("%s=%s", a->row->name, value);
}

/* The value of an axis in a cell, NULL where it does not apply. */
static const char *axis_value(const struct axis *a, const struct cell *c)
{
	if (a->row)
		return c->val[a->row->id];
	for (size_t i = 0; i < c->nextras; i++)
		if (!strcmp(c->extras[i].key, a->key + strlen("disk.blockdev.")))
			return c->extras[i].value;
	return NULL;
}

static char *cell_label(const struct profile *p, const struct cell *c)
{
	char *label = NULL;

	for (size_t i = 0; i < p->naxes; i++) {
		const char *v = axis_value(&p->axes[i], c);
		char *word = v ? value_label(&p->axes[i], v) : NULL;

		if (word)
			text_append(&label, " ", word);
		free(word);
	}
	return label ? label : xstrdup("default");
}

static void make_axes(struct profile *p, const struct settings *said)
{
	for (size_t i = 0; i < said->n; i++) {
		const struct setting *s = &said->s[i];
		struct axis *a;

		if (s->n < 2)
			continue;
		p->axes = xrealloc(p->axes, p->naxes + 1, sizeof(*p->axes));
		a = &p->axes[p->naxes++];
		*a = (struct axis){.row = s->row, .key = xstrdup(s->key), .nvalues = s->n};
		a->values = xcalloc(s->n, sizeof(*a->values));
		for (size_t k = 0; k < s->n; k++)
			a->values[k] = xstrdup(s->values[k]);
	}
}

/* Why the axes without a value in this cell have none, each reason once. */
static char *fold_reason(const struct profile *p, const struct cell *c)
{
	char *text = NULL;

	for (size_t i = 0; i < p->naxes; i++) {
		const struct key_row *row = p->axes[i].row;
		const char *why = row && !c->val[row->id] && row->applies ? row->applies(c) : NULL;

		if (why && (!text || !strstr(text, why)))
			text_append(&text, "; ", why);
	}
	return text ? text : xstrdup("equal to another cell");
}

static void leave_out(struct expansion *x, const size_t *digit, const char *reason, bool folded)
{
	struct group *g = NULL;
	size_t at = 0;

	for (size_t i = 0; !g && i < x->ngroups; i++)
		if (x->groups[i].folded == folded && !strcmp(x->groups[i].reason, reason))
			g = &x->groups[i];
	if (!g) {
		x->groups = xrealloc(x->groups, x->ngroups + 1, sizeof(*x->groups));
		g = &x->groups[x->ngroups++];
		*g = (struct group){.reason = xstrdup(reason), .folded = folded};
		g->seen = xcalloc(x->nvalues + 1, sizeof(*g->seen));
	}
	g->n++;
	for (size_t i = 0; i < x->p->naxes; i++) {
		g->seen[at + digit[i]] = true;
		at += x->p->axes[i].nvalues;
	}
}

/* The cell that is the same already; SIZE_MAX: none. */
static size_t known(const struct expansion *x, const char *identity)
{
	for (size_t i = 0; i < x->p->ncells; i++)
		if (!strcmp(x->identity[i], identity))
			return i;
	return SIZE_MAX;
}

static void take_cell(struct expansion *x, struct cell *c, char *identity)
{
	struct profile *p = x->p;

	c->label = cell_label(p, c);
	x->identity = xrealloc(x->identity, p->ncells + 1, sizeof(*x->identity));
	x->identity[p->ncells] = identity;
	profile_take_cell(p, c);
}

/* The cell with those axis values. */
static void make_cell(const struct expansion *x, const size_t *digit, struct cell *c)
{
	size_t axis = 0;

	cell_start(c);
	for (size_t i = 0; i < x->said->n; i++) {
		const struct setting *s = &x->said->s[i];

		cell_put(c, s, s->n < 2 ? 0 : digit[axis++]);
	}
	for (size_t i = 0; x->arms && i < x->arms->said[digit[0]].n; i++)
		cell_put(c, &x->arms->said[digit[0]].s[i], 0);
	cell_settle(c);
}

static void try_combination(struct expansion *x, const size_t *digit)
{
	struct cell c;
	const char *why;
	char *identity, *reason;
	size_t same;

	make_cell(x, digit, &c);
	why = cell_conflict(&c);
	identity = cell_identity(&c);
	same = why ? SIZE_MAX : known(x, identity);
	x->of_combo[x->ncombos++] = !why && same == SIZE_MAX ? x->p->ncells : same;
	if (!why && same == SIZE_MAX) {
		take_cell(x, &c, identity);
		return;
	}
	reason = why ? xstrdup(why) : fold_reason(x->p, &c);
	leave_out(x, digit, reason, !why);
	free(reason);
	free(identity);
	cell_clear(&c);
}

void profile_add_skipped(struct profile *p, char *what, const char *reason, bool folded)
{
	p->skipped = xrealloc(p->skipped, p->nskipped + 1, sizeof(*p->skipped));
	p->skipped[p->nskipped++] =
		(struct skipped){.what = what, .reason = xstrdup(reason), .folded = folded};
}

/* "bus=nvme ring=packed (2 combinations)": the axes of which the group has not every value. */
static char *group_what(const struct profile *p, const struct group *g)
{
	char *text = NULL, *what, buf[64];
	size_t at = 0;

	for (size_t i = 0; i < p->naxes; i++) {
		const struct axis *a = &p->axes[i];
		char *values = NULL;
		size_t n = 0;

		for (size_t k = 0; k < a->nvalues; k++) {
			if (!g->seen[at + k])
				continue;
			text_append(&values, "|",
				    strlen(a->values[k]) < 32
					    ? key_value_text(a->row, a->values[k], buf, sizeof(buf))
					    : a->values[k]);
			n++;
		}
		if (n && n < a->nvalues) {
			text_append(&text, " ", a->row ? a->row->name : a->key + strlen("disk."));
			text_append(&text, "=", values);
		}
		free(values);
		at += a->nvalues;
	}
	what = xasprintf("%s (%zu combination%s)", text ? text : "all", g->n, g->n == 1 ? "" : "s");
	free(text);
	return what;
}

/* A key that was written down but means nothing in any cell is told, too. */
void profile_list_idle(struct profile *p, const struct settings *said)
{
	char buf[4096];

	for (size_t i = 0; i < said->n; i++) {
		const struct setting *s = &said->s[i];
		bool used = !s->row || !s->row->applies || s->n > 1;

		for (size_t k = 0; !used && k < p->ncells; k++)
			used = p->cells[k].val[s->row->id] != NULL;
		if (!used && p->ncells)
			profile_add_skipped(
				p,
				xasprintf("%s=%s", s->row->name,
					  key_value_text(s->row, s->values[0], buf, sizeof(buf))),
				s->row->applies(&p->cells[0]), true);
	}
}

static bool next(const struct profile *p, size_t *digit)
{
	for (size_t i = p->naxes; i-- > 0;) {
		if (++digit[i] < p->axes[i].nvalues)
			return true;
		digit[i] = 0;
	}
	return false;
}

static int too_many(const struct profile *p, struct err *e)
{
	size_t n = 1;

	for (size_t i = 0; i < p->naxes; i++) {
		if (p->axes[i].nvalues > PROFILE_MAX_CELLS / n)
			return err_input(
				e, "%s:1: the axes make more than %u combinations; shorten a list",
				p->path, PROFILE_MAX_CELLS);
		n *= p->axes[i].nvalues;
	}
	return 0;
}

static void expansion_free(struct expansion *x, size_t ncells)
{
	for (size_t i = 0; i < x->ngroups; i++) {
		free(x->groups[i].reason);
		free(x->groups[i].seen);
	}
	text_list_free(x->identity, ncells);
	free(x->groups);
	free(x->of_combo);
}

int profile_expand(struct profile *p, const struct settings *said, const struct arms *arms,
		   struct err *e)
{
	struct expansion x = {.p = p, .said = said, .arms = arms};
	size_t *digit, all = 1, made;
	int rc = 0;

	make_axes(p, said);
	if (too_many(p, e))
		return -EINVAL;
	for (size_t i = 0; i < p->naxes; i++)
		x.nvalues += p->axes[i].nvalues;
	for (size_t i = 0; i < p->naxes; i++)
		all *= p->axes[i].nvalues;
	x.of_combo = xcalloc(all, sizeof(*x.of_combo));
	digit = xcalloc(p->naxes + 1, sizeof(*digit));
	do
		try_combination(&x, digit);
	while (next(p, digit));
	for (size_t i = 0; i < x.ngroups; i++)
		profile_add_skipped(p, group_what(p, &x.groups[i]), x.groups[i].reason,
				    x.groups[i].folded);
	profile_list_idle(p, said);
	if (!p->ncells)
		rc = err_input(e, "%s:1: no combination makes sense: %s", p->path,
			       x.ngroups ? x.groups[0].reason : "there is none");
	made = p->ncells;
	if (!rc && arms)
		rc = arms_pair(p, arms, x.of_combo, all / 2, e);
	expansion_free(&x, made);
	free(digit);
	return rc;
}
