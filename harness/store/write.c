/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs and trials into the store, each whole or not at all. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "store/db.h"
#include "store/metric.h"

static int put_run(struct store *s, const struct store_run *r, int64_t *id, struct err *e)
{
	struct stmt q = {0};
	int rc;

	rc = stmt_new(
		&q, s,
		"INSERT INTO run (uuid, host, label, profile, profile_text, sets, command, version,"
		" folder, host_facts, axes, skipped, primary_metrics, meta, seed, blocks, trials,"
		" begun, ended, status) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
		e);
	if (rc)
		return rc;
	stmt_text(&q, r->uuid);
	stmt_text(&q, r->host_id);
	stmt_text(&q, r->label);
	stmt_text(&q, r->profile_name);
	stmt_blob(&q, r->profile_text, r->profile_text ? strlen(r->profile_text) : 0);
	stmt_text(&q, r->sets_json);
	stmt_text(&q, r->command);
	stmt_text(&q, r->version);
	stmt_text(&q, r->folder);
	stmt_text(&q, r->host_json);
	stmt_text(&q, r->axes_json);
	stmt_text(&q, r->skipped_json);
	stmt_text(&q, r->primary_json);
	stmt_text(&q, r->meta_json);
	stmt_int(&q, (int64_t)r->seed);
	stmt_int(&q, r->blocks);
	stmt_int(&q, r->trials);
	stmt_int(&q, r->begun);
	stmt_int(&q, r->ended);
	stmt_text(&q, r->status ? r->status : "running");
	rc = stmt_run(&q, "beginning a run", e);
	stmt_end(&q);
	*id = sqlite3_last_insert_rowid(s->db);
	return rc;
}

static int put_cells(struct store *s, int64_t run, const struct store_cell *c, size_t n,
		     struct err *e)
{
	struct stmt q = {0};
	size_t i;
	int rc;

	rc = stmt_new(&q, s, "INSERT INTO cell (run, id, idx, label, keys) VALUES (?,?,?,?,?)", e);
	for (i = 0; !rc && i < n; i++) {
		stmt_int(&q, run);
		stmt_text(&q, c[i].id);
		stmt_int(&q, c[i].index);
		stmt_text(&q, c[i].label);
		stmt_text(&q, c[i].keys_json);
		rc = stmt_run(&q, "storing the cells", e);
		if (rc == -EINVAL)
			err_prefix(e, "cell %s", c[i].id);
	}
	stmt_end(&q);
	return rc;
}

static int put_workloads(struct store *s, int64_t run, const struct store_workload *w, size_t n,
			 struct err *e)
{
	struct stmt q = {0};
	size_t i;
	int rc;

	rc = stmt_new(
		&q, s,
		"INSERT INTO workload (run, name, id, idx, keys, describe) VALUES (?,?,?,?,?,?)",
		e);
	for (i = 0; !rc && i < n; i++) {
		stmt_int(&q, run);
		stmt_text(&q, w[i].name);
		stmt_text(&q, w[i].id);
		stmt_int(&q, w[i].index);
		stmt_text(&q, w[i].keys_json);
		stmt_text(&q, w[i].describe);
		rc = stmt_run(&q, "storing the workloads", e);
		if (rc == -EINVAL)
			err_prefix(e, "workload %s", w[i].name ? w[i].name : "without a name");
	}
	stmt_end(&q);
	return rc;
}

static int put_metrics(struct store *s, int64_t run, struct err *e)
{
	static const char *const scale[] = {"ratio", "difference", "exact"};
	struct stmt q = {0};
	size_t i;
	int rc;

	rc = stmt_new(&q, s,
		      "INSERT INTO metric (run, id, title, unit, better, scale, min_effect)"
		      " VALUES (?,?,?,?,?,?,?)",
		      e);
	for (i = 0; !rc && i < nmetrics; i++) {
		stmt_int(&q, run);
		stmt_text(&q, metrics[i].id);
		stmt_text(&q, metrics[i].title);
		stmt_text(&q, metrics[i].unit);
		stmt_text(&q, metrics[i].better == HIGHER_IS_BETTER ? "higher" : "lower");
		stmt_text(&q, scale[metrics[i].scale]);
		stmt_real(&q, metrics[i].min_effect);
		rc = stmt_run(&q, "storing the metrics", e);
	}
	stmt_end(&q);
	return rc;
}

static bool run_known(struct store *s, const char *uuid)
{
	struct err none = {0};
	int64_t id;

	return !db_run_id(s, uuid, &id, &none);
}

int store_run_begin(struct store *s, const struct store_run *r, const struct store_cell *cells,
		    size_t ncells, const struct store_workload *w, size_t nw, struct err *e)
{
	int64_t run = 0;
	int rc;

	if (!db_uuid_ok(r->uuid))
		return err_set(e, -EINVAL, "\"%s\" is not a lower-case UUID; the run was not begun",
			       r->uuid);
	rc = db_begin(s, "beginning a run", e);
	if (rc)
		return rc;
	if (run_known(s, r->uuid))
		rc = err_set(e, -EEXIST, "%s: holds a run %s already; a run is begun only once",
			     s->path, r->uuid);
	if (!rc)
		rc = put_run(s, r, &run, e);
	if (!rc)
		rc = put_cells(s, run, cells, ncells, e);
	if (!rc)
		rc = put_workloads(s, run, w, nw, e);
	if (!rc)
		rc = put_metrics(s, run, e);
	if (!rc)
		rc = db_commit(s, "beginning a run", e);
	if (rc)
		db_rollback(s);
	return rc;
}

int store_run_status(struct store *s, const char *uuid, const char *status, int64_t ended,
		     struct err *e)
{
	struct stmt q = {0};
	int rc;

	rc = stmt_new(&q, s, "UPDATE run SET status = ?, ended = ? WHERE uuid = ?", e);
	if (!rc) {
		stmt_text(&q, status);
		stmt_int(&q, ended);
		stmt_text(&q, uuid);
		rc = stmt_run(&q, "storing how the run ended", e);
	}
	stmt_end(&q);
	if (!rc && !sqlite3_changes(s->db))
		rc = db_input(e, -ENOENT, "%s: holds no run %s; `vbench runs` lists them", s->path,
			      uuid);
	return rc;
}

static int put_trial(struct store *s, int64_t run, const struct store_trial *t, struct err *e)
{
	struct stmt q = {0};
	int rc;

	rc = stmt_new(
		&q, s,
		"INSERT INTO trial (run, seq, block, place, cell, workload, site, fresh, template,"
		" randseed, ok, cause, detail, begun, ended, phases, noise, facts, folder)"
		" VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
		e);
	if (rc)
		return rc;
	stmt_int(&q, run);
	stmt_int(&q, t->seq);
	stmt_int(&q, t->block);
	stmt_int(&q, t->place);
	stmt_text(&q, t->cell);
	stmt_text(&q, t->workload);
	stmt_text(&q, t->site);
	stmt_int(&q, t->fresh);
	stmt_text(&q, t->template_id);
	stmt_int(&q, (int64_t)t->randseed);
	stmt_int(&q, t->ok);
	stmt_text(&q, t->cause);
	stmt_text(&q, t->detail);
	stmt_int(&q, t->begun);
	stmt_int(&q, t->ended);
	stmt_text(&q, t->phases_json);
	stmt_text(&q, t->noise_json);
	stmt_text(&q, t->facts_json);
	stmt_text(&q, t->folder);
	rc = stmt_run(&q, "storing a trial", e);
	stmt_end(&q);
	return rc;
}

static int put_samples(struct store *s, int64_t run, const struct store_trial *t, struct err *e)
{
	struct stmt q = {0};
	size_t i;
	int rc;

	rc = stmt_new(&q, s, "INSERT INTO sample (run, seq, metric, value) VALUES (?,?,?,?)", e);
	for (i = 0; !rc && i < t->nsamples; i++) {
		if (isnan(t->samples[i].value))
			continue; /* "cannot be said" is no sample */
		if (isinf(t->samples[i].value)) {
			rc = err_set(e, -EINVAL, "metric %s is infinite", t->samples[i].metric);
			break;
		}
		stmt_int(&q, run);
		stmt_int(&q, t->seq);
		stmt_text(&q, t->samples[i].metric);
		stmt_real(&q, t->samples[i].value);
		rc = stmt_run(&q, "storing a trial's samples", e);
		if (rc == -EINVAL)
			err_prefix(e, "metric %s", t->samples[i].metric);
	}
	stmt_end(&q);
	return rc;
}

static int put_checks(struct store *s, int64_t run, const struct store_trial *t, struct err *e)
{
	struct stmt q = {0};
	size_t i;
	int rc;

	rc = stmt_new(&q, s,
		      "INSERT INTO asked_got (run, seq, idx, key, asked, got, source, state)"
		      " VALUES (?,?,?,?,?,?,?,?)",
		      e);
	for (i = 0; !rc && i < t->nchecks; i++) {
		stmt_int(&q, run);
		stmt_int(&q, t->seq);
		stmt_int(&q, (int64_t)i);
		stmt_text(&q, t->checks[i].key);
		stmt_text(&q, t->checks[i].asked);
		stmt_text(&q, t->checks[i].got);
		stmt_text(&q, t->checks[i].from);
		stmt_int(&q, t->checks[i].state);
		rc = stmt_run(&q, "storing what was asked and got", e);
		if (rc == -EINVAL)
			err_prefix(e, "key %s",
				   t->checks[i].key ? t->checks[i].key : "without a name");
	}
	stmt_end(&q);
	return rc;
}

/* 1 if the run holds that trial already. Nobody else can write between this and the insertion. */
static int trial_known(struct store *s, int64_t run, unsigned seq, struct err *e)
{
	struct stmt q = {0};
	int rc;

	rc = stmt_new(&q, s, "SELECT 1 FROM trial WHERE run = ? AND seq = ?", e);
	if (!rc) {
		stmt_int(&q, run);
		stmt_int(&q, seq);
		rc = stmt_step(&q, "looking for a trial", e);
	}
	stmt_end(&q);
	return rc;
}

static int put_whole_trial(struct store *s, const char *uuid, const struct store_trial *t,
			   struct err *e)
{
	int64_t run = 0;
	int rc;

	rc = db_run_id(s, uuid, &run, e);
	if (rc)
		return rc;
	rc = trial_known(s, run, t->seq, e);
	if (rc < 0)
		return rc;
	if (rc)
		return err_set(
			e, -EEXIST,
			"%s: run %.8s holds a trial %u already; is another vbench resuming it?",
			s->path, uuid, t->seq);
	rc = put_trial(s, run, t, e);
	if (!rc)
		rc = put_samples(s, run, t, e);
	if (!rc)
		rc = put_checks(s, run, t, e);
	return rc;
}

int store_trial_put(struct store *s, const char *uuid, const struct store_trial *t, struct err *e)
{
	int rc;

	if (t->ok != !t->cause)
		return err_set(e, -EINVAL,
			       "trial %u: a failed trial needs a cause, a good one has none",
			       t->seq);
	rc = db_begin(s, "storing a trial", e);
	if (rc)
		return rc;
	rc = put_whole_trial(s, uuid, t, e);
	if (!rc)
		rc = db_commit(s, "storing a trial", e);
	if (rc) {
		db_rollback(s);
		if (rc == -EINVAL)
			err_prefix(e, "trial %u", t->seq);
	}
	return rc;
}
