// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs a profile in two arms and reads its pairs back. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gate/prove_arms.h"
#include "profile/profile.h"
#include "run/run.h"
#include "store/store.h"

void set_list_add(struct set_list *l, const char *text)
{
	l->text = xrealloc(l->text, l->n + 1, sizeof(*l->text));
	l->text[l->n++] = text;
}

void set_list_free(struct set_list *l)
{
	free(l->text);
	*l = (struct set_list){0};
}

static int read_back(const char *db, struct arms_run *out, struct err *e)
{
	struct store *s = NULL;
	int rc = store_open(db, false, &s, e);

	if (!rc)
		rc = model_make(s, out->uuid, &out->model, e);
	store_close(s);
	return rc;
}

static int measure(const struct arms_opts *o, const struct profile *p, struct arms_run *out,
		   struct err *e)
{
	struct run_opts ro = {.db = o->db,
			      .command = o->command,
			      .wait = o->wait,
			      .quiet = o->quiet,
			      .stop_fd = o->stop_fd};
	struct run_outcome end;
	struct err late = {0};
	int rc = run_profile(p, &ro, &end, e), read = 0;

	memcpy(out->uuid, end.uuid, sizeof(out->uuid));
	out->ok = end.ok;
	out->failed = end.failed + end.limited;
	if (end.folder && out->ok)
		read = read_back(o->db, out, &late);
	free(end.folder);
	free(end.page);
	if (rc || !read)
		return rc;
	*e = late;
	return read;
}

int arms_measure(const struct arms_opts *o, const char *label, unsigned blocks,
		 const struct set_list *base, const struct set_list *change, struct arms_run *out,
		 struct err *e)
{
	char *count = xasprintf("run.blocks=%u", blocks), *name = xasprintf("run.label=%s", label);
	struct set_list sets = {0};
	struct profile *p = NULL;
	int rc;

	*out = (struct arms_run){0};
	/* each of several runs is to have an order and addresses of its own, unless --set says more
	 */
	set_list_add(&sets, "run.seed=random");
	for (size_t i = 0; i < o->sets.n; i++)
		set_list_add(&sets, o->sets.text[i]);
	set_list_add(&sets, "run.decide=none");
	set_list_add(&sets, "run.precision=none");
	set_list_add(&sets, count);
	set_list_add(&sets, name);
	rc = profile_load_arms(o->profile, sets.text, sets.n, base->text, base->n, change->text,
			       change->n, &p, e);
	if (!rc)
		rc = measure(o, p, out, e);
	profile_free(p);
	set_list_free(&sets);
	free(count);
	free(name);
	return rc;
}

void arms_free(struct arms_run *r)
{
	if (r->model)
		model_free(r->model);
	*r = (struct arms_run){0};
}

double arms_harm(const struct model_vs *v, size_t block)
{
	double a = v->base_points[block], b = v->change_points[block], d;

	if (!v->metric || !isfinite(a) || !isfinite(b))
		return NAN;
	if (v->metric->scale == SCALE_DIFFERENCE)
		d = b - a;
	else if (a > 0 && b > 0)
		d = log(b / a);
	else
		return NAN;
	return v->metric->better == HIGHER_IS_BETTER ? -d : d;
}

size_t arms_harms(const struct model *m, const struct model_vs *v, double *harm)
{
	size_t n = 0;

	for (size_t k = 0; k < m->blocks_planned; k++) {
		harm[k] = arms_harm(v, k);
		n += isfinite(harm[k]);
	}
	return n;
}

double arms_effect(const struct model_vs *v, double min_effect)
{
	if (v->metric && v->metric->scale == SCALE_DIFFERENCE)
		return min_effect;
	return log1p(min_effect);
}

char *arms_name(const struct model *m, const struct model_vs *v)
{
	return xasprintf("%s, %s", m->workloads[v->workload].name, v->label);
}
