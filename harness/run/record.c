// SPDX-License-Identifier: GPL-2.0-or-later
/* Profile, machine and schedule of a run -> rows and files; and back again for --resume. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/units.h"
#include "run/decide.h"
#include "run/record.h"

#ifndef VB_VERSION
#define VB_VERSION "unknown"
#endif

static char *dump(json_t *v)
{
	char *t = json_dumps(v, JSON_COMPACT);

	json_decref(v);
	return t;
}

static char *axes_json(const struct profile *p)
{
	json_t *out = json_array();
	size_t i, k;

	for (i = 0; i < p->naxes; i++) {
		json_t *values = json_array();

		for (k = 0; k < p->axes[i].nvalues; k++)
			json_array_append_new(values, json_string(p->axes[i].values[k]));
		json_array_append_new(
			out, json_pack("{s:s, s:o}", "key", p->axes[i].key, "values", values));
	}
	return dump(out);
}

/* Values of the keys of the given sections, and the pass-through ones under prefix. */
static char *keys_json(char *const *val, const struct extra *extras, size_t nextras,
		       const char *prefix, bool of_cells)
{
	json_t *out = json_object();
	char name[64];
	size_t i;

	for (i = 0; i < K_COUNT; i++) {
		const struct key_row *row = &profile_keys[i];

		if (of_cells ? !section_of_cells(row->section) : row->section != SEC_WORKLOAD)
			continue;
		json_object_set_new(out, key_full_name(row, name, sizeof(name)),
				    val[i] ? json_string(val[i]) : json_null());
	}
	for (i = 0; i < nextras; i++) {
		char *key = xasprintf("%s%s", prefix, extras[i].key);

		json_object_set_new(out, key, json_string(extras[i].value));
		free(key);
	}
	return dump(out);
}

/* The engine is the workload's only where no cell brings its own. */
static char *describe(const struct profile *p, const struct workload *w)
{
	char bs[32], run[32], ramp[32];
	bool own = false;

	for (size_t i = 0; i < p->ncells; i++)
		own |= cell_has_engine(&p->cells[i]);
	return xasprintf("%s %s, QD %s, %s job%s, %s after %s of ramp%s%s", workload_get(w, K_RW),
			 units_size_spell(workload_u64(w, K_BS), bs, sizeof(bs)),
			 workload_get(w, K_IODEPTH), workload_get(w, K_NUMJOBS),
			 workload_u64(w, K_NUMJOBS) == 1 ? "" : "s",
			 units_time_text(workload_u64(w, K_RUNTIME), run, sizeof(run)),
			 units_time_text(workload_u64(w, K_RAMP), ramp, sizeof(ramp)),
			 own ? "" : ", ", own ? "" : workload_get(w, K_IOENGINE));
}

/* Named by the profile; and where that metric decides when to stop, whether named or not. */
static char *primary_json(const struct run *r)
{
	const struct profile *p = r->profile;
	const char *metric = profile_get(p, K_PRIMARY);
	json_t *out = json_object();
	size_t i;

	for (i = 0; i < p->nworkloads; i++) {
		const struct metric_row *m = run_is_sequential(r) ? run_primary(r, i) : NULL;

		if (m || (metric && strcmp(metric, "auto")))
			json_object_set_new(out, p->workloads[i].name,
					    json_string(m ? m->id : metric));
	}
	return dump(out);
}

/* "listed": [{"name", "sets"}], so that a run of listed cells can be parsed again. */
static void listed_json(const struct profile *p, json_t *meta)
{
	json_t *all = json_array(), *pairs = json_array();

	for (size_t i = 0; i < p->nlisted; i++) {
		json_t *sets = json_array();

		for (size_t k = 0; k < p->listed[i].nsets; k++)
			json_array_append_new(sets, json_string(p->listed[i].sets[k]));
		json_array_append_new(
			all, json_pack("{s:s, s:o}", "name", p->listed[i].name, "sets", sets));
	}
	for (size_t i = 0; i < p->npairs; i++)
		json_array_append_new(pairs, json_pack("[I, I]", (json_int_t)p->pairs[i].base,
						       (json_int_t)p->pairs[i].change));
	if (p->nlisted) {
		json_object_set(meta, "listed", all);
		json_object_set(meta, "listed_pairs", pairs);
	}
	json_decref(all);
	json_decref(pairs);
}

static char *meta_json(struct run *r)
{
	const struct profile *p = r->profile;
	char *fingerprint = run_fingerprint(r);
	json_t *accels = json_array(), *vs = run_vs_json(p), *decide, *out;
	const char *rule = NULL;
	size_t i;

	for (i = 0; i < r->naccels; i++)
		json_array_append_new(accels, json_pack("{s:s, s:s}", "accel", r->accels[i].accel,
							"reason", r->accels[i].reason));
	out = json_pack("{s:s?, s:s?, s:s?, s:s?, s:s, s:o, s:I}", "title", profile_get(p, K_TITLE),
			"question", profile_get(p, K_QUESTION), "source", profile_get(p, K_SOURCE),
			"profile_path", p->path, "fingerprint", fingerprint, "accels", accels,
			"budget_ns", (json_int_t)r->opts->budget_ns);
	if (vs)
		json_object_set_new(out, "vs", vs);
	listed_json(p, out);
	if (r->search.visits)
		json_object_set_new(out, "search", run_search_json(r));
	decide = run_decide_json(r, &rule);
	if (decide)
		json_object_set_new(out, rule, decide);
	free(fingerprint);
	return dump(out);
}

static char *sets_json(const struct profile *p)
{
	json_t *out = json_array();
	size_t i;

	for (i = 0; i < p->nsets; i++)
		json_array_append_new(out, json_string(p->sets[i]));
	return dump(out);
}

static char *host_json(struct run *r)
{
	const char *dirs[65] = {NULL};
	json_t *facts;
	size_t i, n = 0;

	for (i = 0; i < r->nimage_dirs && n < 64; i++)
		dirs[n++] = r->image_dirs[i];
	dirs[n] = NULL;
	facts = host_facts(r->nqemus ? r->qemus[0].info.path : NULL, dirs);
	return dump(facts ? facts : json_object());
}

static void save(struct run *r, const char *name, const char *text, size_t len)
{
	char *path = xasprintf("%s/%s", r->folder, name);

	file_write(path, text, len, 0644, NULL);
	free(path);
}

static int store_rows(struct run *r, const struct store_run *row, struct err *e)
{
	const struct profile *p = r->profile;
	struct store_cell *cells = xcalloc(p->ncells + 1, sizeof(*cells));
	struct store_workload *ws = xcalloc(p->nworkloads + 1, sizeof(*ws));
	size_t i;
	int rc;

	for (i = 0; i < p->ncells; i++) {
		const struct cell *c = &p->cells[i];

		memcpy(cells[i].id, c->id, sizeof(cells[i].id));
		cells[i].index = c->index;
		cells[i].label = c->label;
		cells[i].keys_json =
			keys_json(c->val, c->extras, c->nextras, "disk.blockdev.", true);
	}
	for (i = 0; i < p->nworkloads; i++) {
		const struct workload *w = &p->workloads[i];

		memcpy(ws[i].id, w->id, sizeof(ws[i].id));
		ws[i].index = (unsigned)i;
		ws[i].name = w->name;
		ws[i].describe = describe(p, w);
		ws[i].keys_json = keys_json(w->val, w->extras, w->nextras, "workload.fio.", false);
	}
	rc = store_run_begin(r->store, row, cells, p->ncells, ws, p->nworkloads, e);
	for (i = 0; i < p->ncells; i++)
		free(cells[i].keys_json);
	for (i = 0; i < p->nworkloads; i++) {
		free(ws[i].describe);
		free(ws[i].keys_json);
	}
	free(cells);
	free(ws);
	return rc;
}

int record_begin(struct run *r, struct err *e)
{
	const struct profile *p = r->profile;
	struct store_run row = {.seed = r->seed, .blocks = r->blocks};
	char *xml;
	/* until the store knows of the run, its folder is a left-over */
	int rc = journal_path(r->journal, r->folder, e);

	if (!rc)
		rc = dir_make(r->folder, 0755, e);
	if (!rc)
		rc = store_open(r->opts->db, true, &r->store, e);
	if (!rc)
		rc = host_id(row.host_id, e);
	if (rc)
		return rc;
	memcpy(row.uuid, r->uuid, sizeof(row.uuid));
	row.label = xstrdup(profile_get(p, K_LABEL) ? profile_get(p, K_LABEL) : "");
	row.profile_name = xstrdup(p->name);
	row.profile_text = xstrdup(p->text);
	row.sets_json = sets_json(p);
	row.command = xstrdup(r->opts->command);
	row.version = xstrdup(VB_VERSION);
	row.folder = xstrdup(r->folder);
	row.host_json = host_json(r);
	row.axes_json = axes_json(p);
	row.skipped_json = dump(skipped_json(p->skipped, p->nskipped));
	row.primary_json = primary_json(r);
	row.meta_json = meta_json(r);
	row.trials = r->search.visits ? run_search_trials(r)
				      : r->blocks * (unsigned)(p->ncells * p->nworkloads);
	row.begun = (int64_t)clock_real_ns();
	row.status = xstrdup("running");
	save(r, "profile.ini", p->text, p->text_len);
	save(r, "host.json", row.host_json, strlen(row.host_json));
	xml = host_topology_xml(NULL);
	if (xml)
		save(r, "topology.xml", xml, strlen(xml));
	free(xml);
	rc = store_rows(r, &row, e);
	if (!rc)
		journal_done_path(r->journal, r->folder);
	store_run_free(&row);
	return rc;
}

/* The newest run of this host that has not come to its end. */
static int find_unfinished(struct run *r, struct store_run *out, struct err *e)
{
	struct store_run *runs = NULL;
	char host[65], uuid[37] = "";
	size_t n = 0, i;
	int rc = host_id(host, e);

	if (!rc)
		rc = store_runs(r->store, &runs, &n, e);
	if (rc)
		return rc;
	for (i = 0; i < n && !*uuid; i++)
		if (!strcmp(runs[i].host_id, host) && strcmp(runs[i].status, "complete"))
			memcpy(uuid, runs[i].uuid, sizeof(uuid));
	store_runs_free(runs, n);
	if (!*uuid)
		return err_input(
			e, "no unfinished run of this host in %s; `vbench runs` lists them all",
			r->opts->db);
	return store_run_find(r->store, uuid, out, e);
}

/* Texts of an array, borrowed; the array is the caller's. */
static const char **texts(const json_t *list, size_t *n)
{
	const char **out;

	*n = json_array_size(list);
	out = xcalloc(*n + 1, sizeof(*out));
	for (size_t i = 0; i < *n; i++) {
		out[i] = json_string_value(json_array_get(list, i));
		if (!out[i])
			out[i] = "";
	}
	return out;
}

/* The listed cells; their pairs are indices among them. */
static int parse_listed(const struct store_run *row, const char *path, const char *const *sets,
			size_t nsets, const json_t *meta, struct profile **p, struct err *e)
{
	const json_t *all = json_object_get(meta, "listed"),
		     *at = json_object_get(meta, "listed_pairs");
	size_t n = json_array_size(all), npairs = json_array_size(at);
	struct profile_listed *list = xcalloc(n + 1, sizeof(*list));
	struct profile_pair *pairs = xcalloc(npairs + 1, sizeof(*pairs));
	int rc;

	for (size_t i = 0; i < n; i++) {
		const json_t *x = json_array_get(all, i);
		const char *name = json_string_value(json_object_get(x, "name"));

		list[i].sets = (char **)texts(json_object_get(x, "sets"), &list[i].nsets);
		list[i].name = (char *)(name ? name : "");
	}
	for (size_t i = 0; i < npairs; i++) {
		const json_t *x = json_array_get(at, i);

		pairs[i] = (struct profile_pair){(size_t)json_integer_value(json_array_get(x, 0)),
						 (size_t)json_integer_value(json_array_get(x, 1))};
	}
	rc = profile_parse_cells(row->profile_text, strlen(row->profile_text), path, sets, nsets,
				 list, n, pairs, npairs, p, e);
	for (size_t i = 0; i < n; i++)
		free(list[i].sets);
	free(list);
	free(pairs);
	return rc;
}

static int parse_again(const struct store_run *row, struct profile **p, struct err *e)
{
	json_t *sets = json_loads(row->sets_json ? row->sets_json : "[]", 0, NULL);
	json_t *meta = json_loads(row->meta_json ? row->meta_json : "{}", 0, NULL);
	const char *path = json_string_value(json_object_get(meta, "profile_path"));
	json_t *vs = json_object_get(meta, "vs");
	size_t n, nbase, nchange, len = strlen(row->profile_text);
	const char **v = texts(sets, &n);
	const char **base = texts(json_object_get(vs, "base"), &nbase);
	const char **change = texts(json_object_get(vs, "change"), &nchange);
	int rc;

	if (!path)
		path = row->profile_name;
	if (json_object_get(meta, "listed"))
		rc = parse_listed(row, path, v, n, meta, p, e);
	else if (vs)
		rc = profile_parse_arms(row->profile_text, len, path, v, n, base, nbase, change,
					nchange, p, e);
	else
		rc = profile_parse(row->profile_text, len, path, v, n, p, e);
	free(v);
	free(base);
	free(change);
	json_decref(sets);
	json_decref(meta);
	return rc;
}

int record_reopen(struct run *r, const struct run_opts *o, const char *what, struct store_run *row,
		  struct profile **p, struct err *e)
{
	json_t *meta;
	char host[65];
	int rc;

	r->opts = o;
	rc = store_open(o->db, false, &r->store, e);
	if (!rc)
		rc = *what ? store_run_find(r->store, what, row, e) : find_unfinished(r, row, e);
	if (!rc)
		rc = host_id(host, e);
	if (rc)
		return rc;
	if (strcmp(host, row->host_id))
		return err_input(e,
				 "run %.8s was begun on another host; it can only be resumed there",
				 row->uuid);
	if (!strcmp(row->status, "complete"))
		return err_input(e, "run %.8s is complete; begin a new one, or raise run.blocks",
				 row->uuid);
	memcpy(r->uuid, row->uuid, sizeof(r->uuid));
	r->seed = row->seed;
	r->blocks = row->blocks;
	r->folder = xstrdup(row->folder);
	meta = json_loads(row->meta_json ? row->meta_json : "{}", 0, NULL);
	run_search_read(r, json_object_get(meta, "search"));
	json_decref(meta);
	return parse_again(row, p, e);
}

/* Lines of one that are not in the other, with "; " between; new, "" for none. */
static char *lines_not_in(const char *of, const char *other)
{
	char *copy = xstrdup(of), *save = NULL, *out = xstrdup("");
	char *all = xasprintf("\n%s\n", other);

	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		char *line = xasprintf("\n%s\n", l), *longer;

		if (!strstr(all, line)) {
			longer = xasprintf("%s%s%s", out, *out ? "; " : "", l);
			free(out);
			out = longer;
		}
		free(line);
	}
	free(copy);
	free(all);
	return out;
}

int record_same(struct run *r, const struct store_run *row, struct err *e)
{
	json_t *meta = json_loads(row->meta_json ? row->meta_json : "{}", 0, NULL);
	const char *then = json_string_value(json_object_get(meta, "fingerprint"));
	char *now = run_fingerprint(r), *was, *is;
	int rc = 0;

	if (!then || strcmp(then, now)) {
		was = lines_not_in(then ? then : "", now);
		is = lines_not_in(now, then ? then : "");
		rc = err_input(
			e,
			"run %.8s was begun with another QEMU, guest, accelerator, fio, engine or pins than are here now "
			"(then %s; now %s); begin a new run, so that one run compares like with like",
			row->uuid, *was ? was : "nothing else", *is ? is : "nothing else");
		free(was);
		free(is);
	}
	free(now);
	json_decref(meta);
	return rc;
}
