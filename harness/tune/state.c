// SPDX-License-Identifier: GPL-2.0-or-later
/* The state of a tuning: begun, saved before each step, found again. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uuid.h>
#include "base/file.h"
#include "base/units.h"
#include "host/host.h"
#include "run/run.h"
#include "store/metric.h"
#include "store/store.h"
#include "tune/tune.h"

#define FORMAT "vbench-tune-1"
#define STATE_MAX (16u << 20)
#define VISITS_MIN 16
#define VISITS_MAX 200

static char *state_dir(void)
{
	char *data = store_data_dir(), *dir = xasprintf("%s/tune", data);

	free(data);
	return dir;
}

static char *state_file(const char *id)
{
	char *dir = state_dir(), *file = xasprintf("%s/%s.json", dir, id);

	free(dir);
	return file;
}

int tune_save(const json_t *state, struct err *e)
{
	char *dir = state_dir(), *file = state_file(tune_str(state, "id"));
	char *text = json_dumps(state, JSON_INDENT(1));
	int rc = dir_make(dir, 0755, e);

	if (!rc)
		rc = file_write(file, text, strlen(text), 0644, e);
	free(dir);
	free(file);
	free(text);
	return rc;
}

/* NULL and a reason, when it is no state of a tuning. */
static json_t *load(const char *file, char why[80])
{
	char *text = NULL;
	const char *field;
	size_t len = 0;
	json_t *s = NULL;

	if (!file_read(file, STATE_MAX, &text, &len))
		s = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	if (!tune_str(s, "format") || strcmp(tune_str(s, "format"), FORMAT))
		field = "format";
	else
		field = tune_invalid(s);
	/* it is found by its id, and saved under it */
	if (!field &&
	    (strlen(file) < 41 || strncmp(file + strlen(file) - 41, tune_str(s, "id"), 36)))
		field = "id";
	if (!field)
		return s;
	snprintf(why, 80, "\"%s\" is not as a tuning writes it", field);
	json_decref(s);
	return NULL;
}

/* A proof on another host than the search's would be of another machine's choice. One that is done
 * can be looked at anywhere. */
static int same_host(const json_t *state, struct err *e)
{
	const char *then = tune_str(state, "host");
	char now[65];
	int rc;

	if (!then || !strcmp(tune_str(state, "phase"), "done"))
		return 0;
	rc = host_id(now, e);
	if (!rc && strcmp(then, now))
		rc = err_input(
			e, "tuning %.8s was begun on another host; it can only be resumed there",
			tune_str(state, "id"));
	return rc;
}

int tune_reopen(const char *what, json_t **state, struct err *e)
{
	char *dir = state_dir(), why[80];
	DIR *d = opendir(dir);
	const struct dirent *f;
	int rc = 0;

	*state = NULL;
	while (d && !rc && (f = readdir(d)) != NULL) {
		size_t n = strlen(f->d_name);
		char *file;
		json_t *s;

		if (n < 6 || strcmp(f->d_name + n - 5, ".json") ||
		    strncmp(f->d_name, what, strlen(what)))
			continue;
		file = xasprintf("%s/%s", dir, f->d_name);
		s = load(file, why);
		if (!s && *what)
			rc = err_input(e, "%s was edited or is broken: %s; begin anew", file, why);
		free(file);
		if (s && (*what || (strcmp(tune_str(s, "phase"), "done") && !same_host(s, NULL))) &&
		    (!*state || json_integer_value(json_object_get(s, "begun")) >
					json_integer_value(json_object_get(*state, "begun")))) {
			json_decref(*state);
			*state = s;
			s = NULL;
		}
		json_decref(s);
	}
	if (d)
		closedir(d);
	if (!rc && !*state)
		rc = err_input(e, "no %s in %s", *what ? "tuning of that id" : "unfinished tuning",
			       dir);
	if (!rc)
		rc = same_host(*state, e);
	if (rc) {
		json_decref(*state);
		*state = NULL;
	}
	free(dir);
	return rc;
}

static void new_id(json_t *state, const char *key)
{
	char text[37];
	uuid_t u;

	uuid_generate_random(u);
	uuid_unparse_lower(u, text);
	json_object_set_new(state, key, json_string(text));
}

/* Visits of the search: a fifth of what exhaustive search takes, which is one for each cell. */
static unsigned visits_of(const struct tune_opts *o, size_t cells, uint64_t ns_per_visit)
{
	uint64_t n = o->visits;

	if (!n && o->budget_ns && ns_per_visit)
		/* the proof takes about as long as the search */
		n = o->budget_ns / 2 / ns_per_visit;
	else if (!n)
		n = cells < VISITS_MIN ? VISITS_MIN : cells > VISITS_MAX ? VISITS_MAX : cells;
	/* of a very small space: no more than all of it five times */
	if (!o->visits && n > cells * 5)
		n = cells * 5;
	return n < 4 ? 4 : n > 100000 ? 100000 : (unsigned)n;
}

/* "objective": {workload: metric} of those that count; "notes": what cannot be better by it. */
static void objective(json_t *state, const struct tune_opts *o, const struct profile *p)
{
	json_t *by = json_object(), *notes = json_array();

	for (size_t w = 0; w < p->nworkloads; w++) {
		const struct workload *k = &p->workloads[w];
		const struct metric_row *m = run_primary_of(p, w);
		const char *rate = workload_get(k, K_RATE);

		if (!m || (o->workload && strcmp(o->workload, k->name)))
			continue;
		json_object_set_new(by, k->name, json_string(m->id));
		if (rate && strcmp(rate, "none") && m->better == HIGHER_IS_BETTER)
			json_array_append_new(
				notes,
				json_sprintf("%s asks for a fixed rate, so that its %s cannot get "
					     "better; --set run.primary=%s.lat.p99 would tell",
					     k->name, m->id,
					     strncmp(m->id, "write", 5) ? "read" : "write"));
	}
	json_object_set_new(state, "objective", by);
	json_object_set_new(state, "notes", notes);
}

static const char *last_reason(const json_t *state)
{
	const json_t *all = json_object_get(state, "skipped");
	const char *why = tune_str(json_array_get(all, json_array_size(all) - 1), "reason");

	return why ? why : "all values are of one cell";
}

static int price(json_t *state, const struct tune_opts *o, struct err *e)
{
	struct run_search s = {.visits = 1000, .workload = o->workload};
	struct run_opts ro = {.db = o->db,
			      .command = o->command,
			      .consents = o->consents,
			      .nconsents = o->nconsents,
			      .stop_fd = -1,
			      .search = &s};
	size_t cells = (size_t)json_integer_value(json_object_get(state, "cells"));
	struct run_price p = {0};
	struct profile *all = NULL;
	unsigned visits;
	int rc = tune_search_profile(state, &all, e);

	snprintf(s.start, sizeof(s.start), "%s", tune_str(state, "start"));
	if (!rc)
		rc = run_price(all, &ro, &p, e);
	if (!rc) {
		objective(state, o, all);
		/* what this host or its QEMU cannot do is in no search, exhaustive or not */
		cells = p.cells;
		json_object_set_new(state, "cells", json_integer((json_int_t)cells));
		json_array_extend(json_object_get(state, "skipped"), p.unable);
		json_decref(p.unable);
	}
	if (!rc && cells < 2)
		rc = err_input(
			e,
			"%s: nothing but the start can be had here (%s): there is nothing to vary",
			tune_str(state, "path"), last_reason(state));
	if (!rc) {
		size_t w = o->workload ? 1 : all->nworkloads;
		uint64_t per = p.trials ? p.ns / p.trials * w : 0;

		visits = s.visits = visits_of(o, cells, per);
		rc = run_price(all, &ro, &p, e);
		json_decref(p.unable);
		json_object_set_new(state, "visits", json_integer(visits));
		json_object_set_new(state, "price",
				    json_pack("{s:I, s:I, s:i, s:I, s:I}", "search_ns",
					      (json_int_t)p.ns, "search_bytes", (json_int_t)p.bytes,
					      "search_trials", (int)p.trials, "visit_ns",
					      (json_int_t)per, "exhaustive_trials",
					      (json_int_t)(cells * 5 * w)));
	}
	profile_free(all);
	return rc;
}

static int make_state(json_t *s, const struct tune_opts *o, struct err *e)
{
	int rc = tune_space(s, o, e);

	if (!rc)
		rc = price(s, o, e);
	new_id(s, "id");
	new_id(s, "search_run");
	new_id(s, "final_run");
	new_id(s, "confirm_run");
	new_id(s, "exhaustive_run");
	return rc;
}

/* The database, and the host: what a resumed tuning must find again. */
static void put_place(json_t *s, const struct tune_opts *o)
{
	char host[65], *cwd = *o->db == '/' ? NULL : getcwd(NULL, 0);
	char *db = cwd ? xasprintf("%s/%s", cwd, o->db) : xstrdup(o->db);

	json_object_set_new(s, "db", json_string(db));
	if (!host_id(host, NULL))
		json_object_set_new(s, "host", json_string(host));
	free(cwd);
	free(db);
}

int tune_begin(const char *path, const struct tune_opts *o, json_t **state, struct err *e)
{
	struct profile *p = NULL;
	json_t *s, *sets = json_array();
	int rc = profile_load(path, o->sets, o->nsets, &p, e);

	*state = NULL;
	for (size_t i = 0; i < o->nsets; i++)
		json_array_append_new(sets, json_string(o->sets[i]));
	if (rc) {
		json_decref(sets);
		return rc;
	}
	s = json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:o, s:s?, s:f, s:i, s:i, s:b, s:b, s:s?}",
		      "format", FORMAT, "phase", "search", "begun", (json_int_t)clock_real_ns(),
		      "path", p->path, "text", p->text, "label",
		      o->label			? o->label
		      : profile_get(p, K_LABEL) ? profile_get(p, K_LABEL)
						: p->name,
		      "sets", sets, "workload", o->workload, "min_effect",
		      o->min_effect > 0 ? o->min_effect : 0.02, "max_blocks",
		      (int)(o->max_blocks ? o->max_blocks : 20), "blocks", (int)o->blocks,
		      "exhaustive", o->exhaustive, "keep", o->keep, "command", o->command);
	profile_free(p);
	if (!s)
		return err_set(e, -EINVAL, "%s: the profile's text is not UTF-8", path);
	put_place(s, o);
	rc = make_state(s, o, e);
	if (rc)
		json_decref(s);
	else
		*state = s;
	return rc;
}
