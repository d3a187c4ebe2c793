// SPDX-License-Identifier: GPL-2.0-or-later
/* The steps: search, proof in fresh blocks with each setting undone, confirmation of what is left.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "run/run.h"
#include "store/store.h"
#include "tune/tune.h"

#define SETTINGS_MAX 24

static int step(json_t *state, const char *phase, struct err *e)
{
	json_object_set_new(state, "phase", json_string(phase));
	return tune_save(state, e);
}

static const json_t *axes_of(const json_t *state)
{
	return json_object_get(state, "axes");
}

static const char *key_at(const json_t *state, size_t i)
{
	return tune_str(json_array_get(axes_of(state), i), "key");
}

static const char *start_at(const json_t *state, size_t i)
{
	return json_string_value(
		json_array_get(json_object_get(json_array_get(axes_of(state), i), "values"), 0));
}

/* --- one run: begun, gone on with, or there already --- */

static const char *status_of(const char *db, const char *uuid, char **folder)
{
	struct store_run r = {0};
	struct store *s = NULL;
	const char *status = NULL;

	*folder = NULL;
	if (!path_exists(db) || store_open(db, false, &s, NULL))
		return NULL;
	if (!store_run_find(s, uuid, &r, NULL) && !strcmp(r.uuid, uuid)) {
		status = !strcmp(r.status, "complete") ? "complete" : "interrupted";
		*folder = xstrdup(r.folder);
	}
	store_run_free(&r);
	store_close(s);
	return status;
}

/* Runs the profile as the run of that id, unless it is complete. *folder is the caller's. */
static int run_once(const struct profile *p, const char *uuid, const struct run_search *search,
		    const struct tune_opts *o, char **folder, struct err *e)
{
	struct run_opts ro = {.db = o->db,
			      .command = o->command,
			      .wait = o->wait,
			      .quiet = o->quiet,
			      .consents = o->consents,
			      .nconsents = o->nconsents,
			      .stop_fd = o->stop_fd,
			      .uuid = uuid,
			      .search = search,
			      .decide_anyway = true};
	struct run_outcome out = {0};
	const char *status = status_of(o->db, uuid, folder);
	int rc;

	if (status && !strcmp(status, "complete"))
		return 0;
	free(*folder);
	rc = status ? run_resume(uuid, &ro, &out, e) : run_profile(p, &ro, &out, e);
	*folder = out.folder;
	free(out.page);
	return rc;
}

/* --- the search --- */

static int read_search(json_t *state, const char *folder, struct err *e)
{
	char *file = xasprintf("%s/search.json", folder), *text = NULL;
	size_t len = 0;
	json_t *found = NULL;
	int rc = file_read(file, 16u << 20, &text, &len);

	if (!rc)
		found = json_loadb(text, len, 0, NULL);
	if (!tune_str(found, "winner"))
		rc = err_set(e, -EIO, "%s: what the search found is not there", file);
	else
		json_object_set(state, "search", found);
	json_decref(found);
	free(text);
	free(file);
	return rc;
}

/* "winner": the values of all axes; an axis that means nothing in the winner stays as in the start.
 */
static int take_winner(json_t *state, const struct profile *p, struct err *e)
{
	const char *id = tune_str(json_object_get(state, "search"), "winner");
	json_t *values = json_array();
	const struct cell *c = NULL;

	for (size_t i = 0; i < p->ncells; i++)
		if (!strcmp(p->cells[i].id, id))
			c = &p->cells[i];
	for (size_t i = 0; c && i < json_array_size(axes_of(state)); i++) {
		char *v = tune_value(c, key_at(state, i));

		json_array_append_new(values, json_string(v ? v : start_at(state, i)));
		free(v);
	}
	json_object_set_new(state, "winner", values);
	return c ? 0 : err_set(e, -EIO, "the search's winner %s is not in the space", id);
}

static int do_search(json_t *state, const struct tune_opts *o, struct err *e)
{
	struct run_search s = {
		.visits = (unsigned)json_integer_value(json_object_get(state, "visits")),
		.workload = tune_str(state, "workload")};
	struct profile *p = NULL;
	char *folder = NULL;
	int rc = tune_search_profile(state, &p, e);

	snprintf(s.start, sizeof(s.start), "%s", tune_str(state, "start"));
	if (!rc)
		rc = run_once(p, tune_str(state, "search_run"), &s, o, &folder, e);
	if (!rc)
		rc = read_search(state, folder, e);
	if (!rc)
		rc = take_winner(state, p, e);
	free(folder);
	profile_free(p);
	return rc ? rc : step(state, "final", e);
}

/* --- listed cells --- */

struct list {
	struct profile_listed cells[SETTINGS_MAX + 2];
	struct profile_pair pairs[SETTINGS_MAX + 2];
	char *ids[SETTINGS_MAX + 2];
	size_t n, npairs;
};

static void list_free(struct list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		for (size_t k = 0; k < l->cells[i].nsets; k++)
			free(l->cells[i].sets[k]);
		free(l->cells[i].sets);
		free(l->cells[i].name);
		free(l->ids[i]);
	}
}

/*
 * Adds the cell with these values of the axes, unless it is there; its index. SIZE_MAX: it cannot
 * be, *why says it (new).
 */
static size_t list_add(const json_t *state, struct list *l, const char *name,
		       const char *const *values, char **why)
{
	size_t n = json_array_size(axes_of(state));
	struct profile_listed *c = &l->cells[l->n];
	struct profile *p = NULL;
	struct err e = {0};

	if (tune_one_cell(state, values, &p, &e)) {
		*why = xstrdup(e.text);
		return SIZE_MAX;
	}
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->ids[i], p->cells[0].id)) {
			profile_free(p);
			return i;
		}
	l->ids[l->n] = xstrdup(p->cells[0].id);
	profile_free(p);
	*c = (struct profile_listed){xstrdup(name), xcalloc(n + 1, sizeof(*c->sets)), n};
	for (size_t i = 0; i < n; i++)
		c->sets[i] = xasprintf("%s=%s", key_at(state, i),
				       values[i] ? values[i] : start_at(state, i));
	return l->n++;
}

static void list_pair(struct list *l, size_t base, size_t change)
{
	if (base != change)
		l->pairs[l->npairs++] = (struct profile_pair){base, change};
}

static int run_listed(json_t *state, struct list *l, const char *what, const char *run_key,
		      const struct tune_opts *o, struct err *e)
{
	const char *text = tune_str(state, "text");
	int blocks = (int)json_integer_value(json_object_get(state, "blocks"));
	char *label = xasprintf("run.label=%s: %s", tune_str(state, "label"), what);
	char *stop =
		blocks ? xasprintf("run.blocks=%d", blocks)
		       : xasprintf("run.max-blocks=%d",
				   (int)json_integer_value(json_object_get(state, "max_blocks")));
	char *decide =
		blocks ? xstrdup("run.decide=none")
		       : xasprintf("run.decide=%.4g%%",
				   100 * json_number_value(json_object_get(state, "min_effect")));
	size_t n;
	const char **sets = tune_sets(state, 5, &n);
	struct profile *p = NULL;
	char *folder = NULL, *seed = tune_fresh_seed(state, run_key);
	int rc;

	if (seed)
		sets[n++] = seed;
	sets[n++] = label;
	sets[n++] = stop;
	sets[n++] = decide;
	sets[n++] = "run.precision=none";
	rc = profile_parse_cells(text, strlen(text), tune_str(state, "path"), sets, n, l->cells,
				 l->n, l->pairs, l->npairs, &p, e);
	if (!rc)
		rc = run_once(p, tune_str(state, run_key), NULL, o, &folder, e);
	profile_free(p);
	free(sets);
	free(seed);
	free(label);
	free(stop);
	free(decide);
	free(folder);
	return rc;
}

static const char **values_of(const json_t *state, const char *key)
{
	const json_t *list = json_object_get(state, key);
	size_t n = json_array_size(axes_of(state));
	const char **v = xcalloc(n + 1, sizeof(*v));

	for (size_t i = 0; i < n; i++)
		v[i] = key ? json_string_value(json_array_get(list, i)) : start_at(state, i);
	return v;
}

/* Ids of the rules that advise a value; new. */
static json_t *advice_of(const json_t *state, size_t axis, const char *value)
{
	json_t *ids = json_object_get(
		json_object_get(json_array_get(axes_of(state), axis), "advice"), value);

	return ids ? json_incref(ids) : json_array();
}

/* Start, winner, and the winner with each setting undone; "settings" of the state names them. */
static int list_final(json_t *state, struct list *l, struct err *e)
{
	const char **start = values_of(state, NULL), **win = values_of(state, "winner");
	json_t *settings = json_array();
	char *why = NULL;
	size_t a = list_add(state, l, "start", start, &why), b;
	int rc = a == SIZE_MAX ? err_input(e, "start: %s", why) : 0;

	b = rc ? SIZE_MAX : list_add(state, l, "winner", win, &why);
	if (!rc && b == SIZE_MAX)
		rc = err_input(e, "winner: %s", why);
	if (!rc)
		list_pair(l, a, b);
	for (size_t i = 0; !rc && i < json_array_size(axes_of(state)); i++) {
		const char *key = key_at(state, i), *is = win[i];
		char *name;
		size_t u;
		json_t *x;

		if (!strcmp(is, start[i]) || l->n > SETTINGS_MAX)
			continue;
		name = xasprintf("winner less %s=%s", strchr(key, '.') + 1, is);
		win[i] = start[i];
		free(why);
		why = NULL;
		u = list_add(state, l, name, win, &why);
		win[i] = is;
		x = json_pack("{s:s, s:s, s:s, s:i, s:o, s:o}", "key", key, "from", start[i], "to",
			      is, "axis", (int)i, "advised", advice_of(state, i, is), "against",
			      advice_of(state, i, start[i]));
		if (u == SIZE_MAX)
			json_object_set_new(x, "alone", json_string(why));
		else
			json_object_set_new(x, "cell", json_string(l->cells[u].name));
		json_array_append_new(settings, x);
		if (u != SIZE_MAX && u != a)
			list_pair(l, u, b);
		free(name);
	}
	json_object_set_new(state, "settings", settings);
	free(why);
	free(start);
	free(win);
	return rc;
}

static int do_final(json_t *state, const struct tune_opts *o, struct err *e)
{
	struct list l = {0};
	json_t *judged = NULL;
	int rc;

	if (!strcmp(tune_str(json_object_get(state, "search"), "winner"),
		    tune_str(state, "start"))) {
		json_object_set_new(state, "settings", json_array());
		tune_recommend(
			state, "start",
			tune_blind(state)
				? "trials of the start failed in the search, so that nothing can be said"
				: "the search found nothing that looks better, so that there was "
				  "nothing to prove");
		return step(state, "check", e);
	}
	rc = list_final(state, &l, e);
	if (!rc)
		rc = run_listed(state, &l, "proof", "final_run", o, e);
	if (!rc)
		rc = tune_judge(state, tune_str(state, "final_run"), o, &judged, e);
	list_free(&l);
	if (rc) {
		json_decref(judged);
		return rc;
	}
	json_object_set_new(state, "final", judged);
	return step(state, tune_settle_proof(state, judged), e);
}

static int do_confirm(json_t *state, const struct tune_opts *o, struct err *e)
{
	const char **start = values_of(state, NULL), **win = values_of(state, "winner"),
		   **lean = values_of(state, "lean");
	struct list l = {0};
	json_t *judged = NULL;
	char *why = NULL;
	size_t a = list_add(state, &l, "start", start, &why);
	size_t c = a == SIZE_MAX ? a : list_add(state, &l, "lean", lean, &why), b;
	int rc = 0;

	if (c == SIZE_MAX || c == a) {
		tune_recommend(
			state, "winner",
			c == a ? "no setting alone was shown to be worth having, but all together were"
			       : "what was not shown to be worth having cannot be left out together");
		goto out;
	}
	b = list_add(state, &l, "winner", win, &why);
	list_pair(&l, a, c);
	if (b != SIZE_MAX)
		list_pair(&l, b, c);
	rc = run_listed(state, &l, "confirmation", "confirm_run", o, e);
	if (!rc)
		rc = tune_judge(state, tune_str(state, "confirm_run"), o, &judged, e);
	if (rc)
		goto out;
	json_object_set(state, "confirm", judged);
	tune_settle_confirmation(state, judged);
out:
	json_decref(judged);
	free(why);
	list_free(&l);
	free(start);
	free(win);
	free(lean);
	return rc ? rc : step(state, "check", e);
}

const char **tune_recommended(const json_t *state)
{
	const char *which = tune_str(state, "recommended");

	return values_of(state, !which || !strcmp(which, "start") ? NULL : which);
}

int tune_run_all(const struct profile *p, const char *uuid, const struct tune_opts *o,
		 struct err *e)
{
	char *folder = NULL;
	int rc = run_once(p, uuid, NULL, o, &folder, e);

	free(folder);
	return rc;
}

int tune_go(json_t *state, const struct tune_opts *o, struct err *e)
{
	static const struct {
		const char *phase;
		int (*go)(json_t *state, const struct tune_opts *o, struct err *e);
	} steps[] = {{"search", do_search},
		     {"final", do_final},
		     {"confirm", do_confirm},
		     {"check", tune_check},
		     {"keep", tune_keep}};
	int rc = tune_save(state, e);

	/* asked for after all: of a tuning that is done */
	if (!rc && o->keep && !strcmp(tune_str(state, "phase"), "done"))
		rc = step(state, "keep", e);

	for (size_t i = 0; !rc && i < sizeof(steps) / sizeof(*steps); i++)
		if (!strcmp(tune_str(state, "phase"), steps[i].phase))
			rc = steps[i].go(state, o, e);
	return rc;
}
