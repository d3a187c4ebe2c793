/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A profile of listed cells: a few settings of one profile, each with a name, and who is compared
 * with whom. */
#include <stdlib.h>
#include <string.h>
#include "profile/internal.h"

/* One listed cell alone: the profile with its sets besides. */
static int parse_one(const char *text, size_t len, const char *path, const char *const *sets,
		     size_t nsets, const struct profile_listed *l, struct profile **out,
		     struct err *e)
{
	/* how a run stops is of its comparisons, and one cell has none */
	static const char *const plain[] = {"run.decide=none", "run.precision=none"};
	const char **all = xcalloc(nsets + l->nsets + 2, sizeof(*all));
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < nsets; i++)
		all[n++] = sets[i];
	for (size_t i = 0; i < l->nsets; i++)
		all[n++] = l->sets[i];
	all[n++] = plain[0];
	all[n++] = plain[1];
	rc = profile_parse(text, len, path, all, n, out, e);
	free(all);
	if (rc)
		return rc;
	if ((*out)->ncells == 1 && !(*out)->nrungs)
		return 0;
	rc = err_input(e, "%s: %s is %zu cells; give each axis one value", path, l->name,
		       (*out)->ncells);
	profile_free(*out);
	*out = NULL;
	return rc;
}

static void keep(struct profile *p, const struct profile_listed *l)
{
	struct profile_listed *x;
	char **sets = xcalloc(l->nsets + 1, sizeof(*sets));

	for (size_t i = 0; i < l->nsets; i++)
		sets[i] = xstrdup(l->sets[i]);
	p->listed = xrealloc(p->listed, p->nlisted + 1, sizeof(*p->listed));
	x = &p->listed[p->nlisted++];
	*x = (struct profile_listed){xstrdup(l->name), sets, l->nsets};
}

/* Moves the cell of one into p. */
static int take(struct profile *p, struct profile *one, const struct profile_listed *l,
		struct err *e)
{
	struct cell *c = &one->cells[0];
	int rc = 0;

	for (size_t i = 0; !rc && i < p->ncells; i++)
		if (!strcmp(p->cells[i].id, c->id))
			rc = err_input(e, "%s: %s is the same as %s", p->path, l->name,
				       p->cells[i].label);
	if (rc)
		return rc;
	free(c->label);
	c->label = xstrdup(l->name);
	profile_take_cell(p, c);
	one->ncells = 0;
	keep(p, l);
	return 0;
}

static void keep_name(char ***list, size_t *n, const char *name)
{
	*list = xcalloc(1, sizeof(**list));
	(*list)[0] = xstrdup(name);
	*n = 1;
}

static int take_pairs(struct profile *p, const struct profile_pair *pairs, size_t n, struct err *e)
{
	p->pairs = xcalloc(n + 1, sizeof(*p->pairs));
	for (size_t i = 0; i < n; i++) {
		if (pairs[i].base >= p->ncells || pairs[i].change >= p->ncells ||
		    pairs[i].base == pairs[i].change)
			return err_input(e, "%s: pair %zu names no two of the listed cells",
					 p->path, i + 1);
		p->pairs[p->npairs++] = pairs[i];
	}
	/* what reports call the two sides */
	if (n) {
		keep_name(&p->vs_base, &p->nvs_base, p->cells[pairs[0].base].label);
		keep_name(&p->vs_change, &p->nvs_change, p->cells[pairs[0].change].label);
	}
	return 0;
}

/* How it stops is said by the sets alone: what the profile has is of its own cells. */
static int take_stop(struct profile *p, const char *const *sets, size_t nsets, struct err *e)
{
	static const enum key_id keys[] = {K_DECIDE, K_PRECISION};
	char name[64], where[80];
	int rc = 0;

	for (size_t i = 0; !rc && i < nsets; i++)
		for (size_t k = 0; !rc && k < 2; k++) {
			const struct key_row *row = &profile_keys[keys[k]];
			size_t n = strlen(key_full_name(row, name, sizeof(name)));
			char *value;

			if (strncmp(sets[i], name, n) || sets[i][n] != '=')
				continue;
			snprintf(where, sizeof(where), "--set %s", name);
			rc = value_parse(row, sets[i] + n + 1, where, &value, e);
			if (rc)
				break;
			free(p->val[keys[k]]);
			p->val[keys[k]] = value;
		}
	return rc ? rc : run_check(p, e);
}

int profile_parse_cells(const char *text, size_t len, const char *path, const char *const *sets,
			size_t nsets, const struct profile_listed *cells, size_t ncells,
			const struct profile_pair *pairs, size_t npairs, struct profile **out,
			struct err *e)
{
	struct profile *p = NULL;
	int rc = 0;

	*out = NULL;
	if (!ncells)
		return err_input(e, "%s: no cell is listed", path);
	for (size_t i = 0; !rc && i < ncells; i++) {
		struct profile *one = NULL;

		rc = parse_one(text, len, path, sets, nsets, &cells[i], &one, e);
		if (rc)
			break;
		if (i) {
			rc = take(p, one, &cells[i], e);
			profile_free(one);
			continue;
		}
		p = one;
		free(p->cells[0].label);
		p->cells[0].label = xstrdup(cells[0].name);
		keep(p, &cells[0]);
	}
	if (!rc)
		rc = take_pairs(p, pairs, npairs, e);
	/* of the first cell's sets only those that hold for all are the profile's */
	while (p && p->nsets > nsets)
		free(p->sets[--p->nsets]);
	if (!rc)
		rc = take_stop(p, sets, nsets, e);
	if (rc)
		profile_free(p);
	else
		*out = p;
	return rc;
}

void profile_listed_free(struct profile *p)
{
	for (size_t i = 0; i < p->nlisted; i++) {
		for (size_t k = 0; k < p->listed[i].nsets; k++)
			free(p->listed[i].sets[k]);
		free(p->listed[i].sets);
		free(p->listed[i].name);
	}
	free(p->listed);
}
