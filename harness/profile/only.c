/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run.only: of the cells that a profile makes, the few that are named, each as it would have been
 * among the others. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "profile/internal.h"

#define BLANKS " \t"

/* With two arms "packed" means "base packed" and "change packed". */
static bool names_in_arm(const struct profile *p, const struct cell *c, const char *name)
{
	size_t n = p->npairs ? strcspn(c->label, " ") : 0;

	return n && c->label[n] && !strcmp(c->label + n + 1, name);
}

/* Cells of that label or id, and with arms their partners; marks them. */
static size_t mark(const struct profile *p, const char *name, bool *keep)
{
	size_t n = 0;

	for (size_t i = 0; i < p->ncells; i++) {
		const struct cell *c = &p->cells[i];

		if (strcmp(c->label, name) && strcmp(c->id, name) && !names_in_arm(p, c, name))
			continue;
		keep[i] = true;
		for (size_t k = 0; k < p->npairs; k++)
			if (p->pairs[k].base == i || p->pairs[k].change == i)
				keep[p->pairs[k].base] = keep[p->pairs[k].change] = true;
		n++;
	}
	return n;
}

static int unknown(const struct profile *p, const char *name, const char *where, struct err *e)
{
	const char **labels = xcalloc(p->ncells + 1, sizeof(*labels)), *hint;
	char *all = NULL, buf[64];
	int rc;

	for (size_t i = 0; i < p->ncells; i++) {
		labels[i] = p->cells[i].label;
		if (!all || strlen(all) < 1000)
			text_append(&all, ", ", p->cells[i].label);
		else if (i == p->ncells - 1)
			text_append(&all, ", ", "...");
	}
	hint = nearest_in_array(name, labels);
	rc = err_input(e, "%s: there is no cell \"%s\"%s%s%s; there are: %.1200s", where,
		       show(name, buf), hint ? "; did you mean \"" : "", hint ? hint : "",
		       hint ? "\"?" : "", all);
	free(all);
	free(labels);
	return rc;
}

/* A list of names; a label that itself holds a comma is known by its id. */
static int read_names(const struct profile *p, const char *text, const char *where, bool *keep,
		      struct err *e)
{
	int rc = 0;

	while (!rc) {
		size_t len = strcspn(text, ","), a = strspn(text, BLANKS), b = len;
		char *name;

		while (b > a && strchr(BLANKS, text[b - 1]))
			b--;
		if (b <= a)
			return err_input(
				e, "%s: a name of the list is empty; take the stray comma out",
				where);
		name = strndup(text + a, b - a);
		if (!mark(p, name, keep))
			rc = unknown(p, name, where, e);
		free(name);
		if (!text[len])
			break;
		text += len + 1;
	}
	return rc;
}

static void forget_value(struct axis *a, size_t at)
{
	free(a->values[at]);
	memmove(&a->values[at], &a->values[at + 1], (a->nvalues - at - 1) * sizeof(*a->values));
	a->nvalues--;
}

static bool value_used(const struct profile *p, const struct axis *a, const char *value)
{
	for (size_t i = 0; i < p->ncells; i++) {
		const struct cell *c = &p->cells[i];

		if (a->row && c->val[a->row->id] && !strcmp(c->val[a->row->id], value))
			return true;
		for (size_t k = 0; !a->row && k < c->nextras; k++)
			if (!strcmp(c->extras[k].key, a->key + strlen("disk.blockdev.")) &&
			    !strcmp(c->extras[k].value, value))
				return true;
	}
	return false;
}

/* An axis of which one value is left does not vary any more. */
static void prune_axes(struct profile *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->naxes; i++) {
		struct axis *a = &p->axes[i];

		for (size_t k = a->nvalues; k-- > 0;)
			if (!value_used(p, a, a->values[k]))
				forget_value(a, k);
		if (a->nvalues > 1) {
			p->axes[n++] = *a;
			continue;
		}
		text_list_free(a->values, a->nvalues);
		free(a->key);
	}
	p->naxes = n;
}

/* A pair of which one cell is gone is none. */
static void keep_pairs(struct profile *p, const size_t *now)
{
	size_t n = 0;

	for (size_t i = 0; i < p->npairs; i++) {
		struct profile_pair k = {now[p->pairs[i].base], now[p->pairs[i].change]};

		if (k.base != SIZE_MAX && k.change != SIZE_MAX)
			p->pairs[n++] = k;
	}
	p->npairs = n;
}

void profile_keep(struct profile *p, const bool *keep)
{
	size_t *now = xcalloc(p->ncells + 1, sizeof(*now)), n = 0;

	for (size_t i = 0; i < p->ncells; i++) {
		now[i] = keep[i] ? n : SIZE_MAX;
		if (!keep[i]) {
			cell_clear(&p->cells[i]);
			continue;
		}
		p->cells[n] = p->cells[i];
		p->cells[n].index = (unsigned)n;
		n++;
	}
	for (size_t i = 0; i < p->nrungs; i++)
		if (p->rungs[i].cell != SIZE_MAX)
			p->rungs[i].cell = now[p->rungs[i].cell];
	keep_pairs(p, now);
	p->ncells = n;
	free(now);
	prune_axes(p);
}

/* What run.only leaves out is told. */
static void tell(struct profile *p, const bool *keep)
{
	size_t gone = 0;

	for (size_t i = 0; i < p->nrungs; i++)
		if (p->rungs[i].cell != SIZE_MAX && !keep[p->rungs[i].cell])
			profile_add_skipped(p, xasprintf("rung %s", p->rungs[i].name),
					    "run.only does not name it", false);
	for (size_t i = 0; i < p->ncells; i++)
		gone += !keep[i];
	if (!p->nrungs && gone)
		profile_add_skipped(p, xasprintf("%zu cell%s", gone, gone == 1 ? "" : "s"),
				    "run.only does not name them", false);
}

int profile_only(struct profile *p, const char *where, struct err *e)
{
	bool *keep = xcalloc(p->ncells + 1, sizeof(*keep));
	int rc = read_names(p, p->val[K_ONLY], where, keep, e);

	/* a guest among others whose memory is shared has shared memory when it is alone, too */
	p->shared = profile_shared_memory(p);
	if (!rc) {
		tell(p, keep);
		profile_keep(p, keep);
	}
	free(keep);
	return rc;
}
