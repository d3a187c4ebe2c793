/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs, cells, workloads and trials out of the store. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "store/db.h"

/* The profile is kept byte for byte, so not as text. */
static char *col_bytes(struct stmt *q, int col)
{
	const void *p = sqlite3_column_blob(q->st, col);
	size_t len = (size_t)sqlite3_column_bytes(q->st, col);
	char *copy;

	if (sqlite3_column_type(q->st, col) == SQLITE_NULL)
		return NULL;
	copy = xcalloc(len + 1, 1);
	if (len)
		memcpy(copy, p, len);
	return copy;
}

void db_read_run(struct stmt *q, struct store_run *r)
{
	memset(r, 0, sizeof(*r));
	stmt_col_buf(q, 0, r->uuid, sizeof(r->uuid));
	stmt_col_buf(q, 1, r->host_id, sizeof(r->host_id));
	r->label = stmt_col_text(q, 2);
	r->profile_name = stmt_col_text(q, 3);
	r->profile_text = col_bytes(q, 4);
	r->sets_json = stmt_col_text(q, 5);
	r->command = stmt_col_text(q, 6);
	r->version = stmt_col_text(q, 7);
	r->folder = stmt_col_text(q, 8);
	r->host_json = stmt_col_text(q, 9);
	r->axes_json = stmt_col_text(q, 10);
	r->skipped_json = stmt_col_text(q, 11);
	r->primary_json = stmt_col_text(q, 12);
	r->meta_json = stmt_col_text(q, 13);
	r->seed = (uint64_t)stmt_col_int(q, 14);
	r->blocks = (unsigned)stmt_col_int(q, 15);
	r->trials = (unsigned)stmt_col_int(q, 16);
	r->begun = stmt_col_int(q, 17);
	r->ended = stmt_col_int(q, 18);
	r->status = stmt_col_text(q, 19);
}

/* One growing array for all lists: room for another element, zeroed. */
static void *grow(void *array, size_t n, size_t size)
{
	char *p = array;

	/* Doubling: n is full when it is 0 or a power of two from 16 on. */
	if (!n || (n >= 16 && !(n & (n - 1))))
		p = xrealloc(array, n ? n * 2 : 16, size);
	memset(p + n * size, 0, size);
	return p;
}

/* A list: its statement (one parameter: the run, unless uuid is NULL) and what makes an element of
 * a row. */
struct list {
	const char *sql, *doing;
	size_t size;
	void (*read)(struct stmt *q, void *element);
};

static int list_read(struct store *s, const char *uuid, const struct list *l, void **out, size_t *n,
		     struct err *e)
{
	struct stmt q = {0};
	int64_t run = 0;
	int rc = 0;

	if (uuid)
		rc = db_run_id(s, uuid, &run, e);
	if (!rc)
		rc = stmt_new(&q, s, l->sql, e);
	if (!rc && uuid)
		stmt_int(&q, run);
	while (!rc && (rc = stmt_step(&q, l->doing, e)) > 0) {
		*out = grow(*out, *n, l->size);
		l->read(&q, (char *)*out + *n * l->size);
		++*n;
		rc = 0;
	}
	stmt_end(&q);
	return rc;
}

static void row_run(struct stmt *q, void *element)
{
	db_read_run(q, element);
}

int store_runs(struct store *s, struct store_run **out, size_t *n, struct err *e)
{
	static const struct list l = {"SELECT " RUN_COLUMNS " FROM run" NEWEST_FIRST,
				      "reading the runs", sizeof(struct store_run), row_run};
	void *a = NULL;
	int rc;

	*n = 0;
	rc = list_read(s, NULL, &l, &a, n, e);
	*out = a;
	if (rc) {
		store_runs_free(*out, *n);
		*out = NULL;
		*n = 0;
	}
	return rc;
}

static void row_cell(struct stmt *q, void *element)
{
	struct store_cell *c = element;

	stmt_col_buf(q, 0, c->id, sizeof(c->id));
	c->index = (unsigned)stmt_col_int(q, 1);
	c->label = stmt_col_text(q, 2);
	c->keys_json = stmt_col_text(q, 3);
}

int store_cells(struct store *s, const char *uuid, struct store_cell **out, size_t *n,
		struct err *e)
{
	static const struct list l = {
		"SELECT id, idx, label, keys FROM cell WHERE run = ? ORDER BY idx",
		"reading the cells", sizeof(struct store_cell), row_cell};
	void *a = NULL;
	int rc;

	*n = 0;
	rc = list_read(s, uuid, &l, &a, n, e);
	*out = a;
	if (rc) {
		store_cells_free(*out, *n);
		*out = NULL;
		*n = 0;
	}
	return rc;
}

static void row_workload(struct stmt *q, void *element)
{
	struct store_workload *w = element;

	w->name = stmt_col_text(q, 0);
	stmt_col_buf(q, 1, w->id, sizeof(w->id));
	w->index = (unsigned)stmt_col_int(q, 2);
	w->keys_json = stmt_col_text(q, 3);
	w->describe = stmt_col_text(q, 4);
}

int store_workloads(struct store *s, const char *uuid, struct store_workload **out, size_t *n,
		    struct err *e)
{
	static const struct list l = {
		"SELECT name, id, idx, keys, describe FROM workload WHERE run = ? ORDER BY idx",
		"reading the workloads", sizeof(struct store_workload), row_workload};
	void *a = NULL;
	int rc;

	*n = 0;
	rc = list_read(s, uuid, &l, &a, n, e);
	*out = a;
	if (rc) {
		store_workloads_free(*out, *n);
		*out = NULL;
		*n = 0;
	}
	return rc;
}

static void row_trial(struct stmt *q, void *element)
{
	struct store_trial *t = element;

	t->seq = (unsigned)stmt_col_int(q, 0);
	t->block = (unsigned)stmt_col_int(q, 1);
	t->place = (unsigned)stmt_col_int(q, 2);
	stmt_col_buf(q, 3, t->cell, sizeof(t->cell));
	t->workload = stmt_col_text(q, 4);
	t->site = stmt_col_text(q, 5);
	t->fresh = stmt_col_int(q, 6);
	stmt_col_buf(q, 7, t->template_id, sizeof(t->template_id));
	t->randseed = (uint64_t)stmt_col_int(q, 8);
	t->ok = stmt_col_int(q, 9);
	t->cause = stmt_col_text(q, 10);
	t->detail = stmt_col_text(q, 11);
	t->begun = stmt_col_int(q, 12);
	t->ended = stmt_col_int(q, 13);
	t->phases_json = stmt_col_text(q, 14);
	t->noise_json = stmt_col_text(q, 15);
	t->facts_json = stmt_col_text(q, 16);
	t->folder = stmt_col_text(q, 17);
}

/* A sample or a check on its way to its trial. */
struct part {
	unsigned seq;
	struct store_sample sample;
	struct store_check check;
};

static void row_sample(struct stmt *q, void *element)
{
	struct part *p = element;

	p->seq = (unsigned)stmt_col_int(q, 0);
	stmt_col_buf(q, 1, p->sample.metric, sizeof(p->sample.metric));
	p->sample.value = sqlite3_column_double(q->st, 2);
}

static void row_check(struct stmt *q, void *element)
{
	struct part *p = element;

	p->seq = (unsigned)stmt_col_int(q, 0);
	p->check.key = stmt_col_text(q, 1);
	p->check.asked = stmt_col_text(q, 2);
	p->check.got = stmt_col_text(q, 3);
	p->check.from = stmt_col_text(q, 4);
	p->check.state = (int)stmt_col_int(q, 5);
}

/* Both lists are in order of seq, so one walk hands the parts out. */
static void give_samples(struct store_trial *t, size_t nt, const struct part *p, size_t np)
{
	size_t i, k, from = 0;

	for (i = 0; i < nt; i++) {
		for (k = from; k < np && p[k].seq == t[i].seq;)
			k++;
		t[i].nsamples = k - from;
		t[i].samples = xcalloc(k - from + 1, sizeof(*t[i].samples));
		for (k = 0; k < t[i].nsamples; k++)
			t[i].samples[k] = p[from++].sample;
	}
}

static void give_checks(struct store_trial *t, size_t nt, const struct part *p, size_t np)
{
	size_t i, k, from = 0;

	for (i = 0; i < nt; i++) {
		for (k = from; k < np && p[k].seq == t[i].seq;)
			k++;
		t[i].nchecks = k - from;
		t[i].checks = xcalloc(k - from + 1, sizeof(*t[i].checks));
		for (k = 0; k < t[i].nchecks; k++)
			t[i].checks[k] = p[from++].check;
	}
}

static void check_free(struct store_check *c)
{
	free(c->key);
	free(c->asked);
	free(c->got);
	free(c->from);
}

static int read_trials(struct store *s, const char *uuid, void **trials, size_t *n, struct err *e)
{
	static const struct list lt = {
		"SELECT seq, block, place, cell, workload, site, fresh, template, randseed, ok, cause,"
		" detail, begun, ended, phases, noise, facts, folder FROM trial WHERE run = ? ORDER BY seq",
		"reading the trials", sizeof(struct store_trial), row_trial};
	static const struct list ls = {
		"SELECT seq, metric, value FROM sample WHERE run = ? ORDER BY seq, metric",
		"reading the samples", sizeof(struct part), row_sample};
	static const struct list lc = {"SELECT seq, key, asked, got, source, state FROM asked_got"
				       " WHERE run = ? ORDER BY seq, idx",
				       "reading what was asked and got", sizeof(struct part),
				       row_check};
	void *samples = NULL, *checks = NULL;
	size_t ns = 0, nc = 0, i;
	int rc;

	rc = list_read(s, uuid, &lt, trials, n, e);
	if (!rc)
		rc = list_read(s, uuid, &ls, &samples, &ns, e);
	if (!rc)
		rc = list_read(s, uuid, &lc, &checks, &nc, e);
	if (!rc) {
		give_samples(*trials, *n, samples, ns);
		give_checks(*trials, *n, checks, nc);
	} else {
		for (i = 0; i < nc; i++)
			check_free(&((struct part *)checks)[i].check);
	}
	free(samples);
	free(checks);
	return rc;
}

int store_trials(struct store *s, const char *uuid, struct store_trial **out, size_t *n,
		 struct err *e)
{
	bool own = sqlite3_get_autocommit(s->db);
	void *a = NULL;
	int rc = 0;

	*n = 0;
	/* One snapshot: a run in progress may store a trial between the three reads. */
	if (own)
		rc = db_exec(s, "BEGIN", "reading the trials", e);
	if (!rc)
		rc = read_trials(s, uuid, &a, n, e);
	if (own)
		db_rollback(s);
	*out = a;
	if (rc) {
		store_trials_free(*out, *n);
		*out = NULL;
		*n = 0;
	}
	return rc;
}

int store_trial_counts(struct store *s, const char *uuid, unsigned *ok, unsigned *failed,
		       unsigned *limited, struct err *e)
{
	struct stmt q = {0};
	int64_t run = 0;
	int rc;

	*ok = *failed = *limited = 0;
	rc = db_run_id(s, uuid, &run, e);
	if (!rc)
		rc = stmt_new(&q, s,
			      "SELECT sum(ok), count(*), sum(NOT ok AND cause IS 'limit') "
			      "FROM trial WHERE run = ?",
			      e);
	if (!rc) {
		stmt_int(&q, run);
		rc = stmt_step(&q, "counting the trials", e);
	}
	if (rc > 0) {
		*ok = (unsigned)stmt_col_int(&q, 0);
		*limited = (unsigned)stmt_col_int(&q, 2);
		*failed = (unsigned)stmt_col_int(&q, 1) - *ok - *limited;
	}
	stmt_end(&q);
	return rc < 0 ? rc : 0;
}

void store_run_free(struct store_run *r)
{
	free(r->label);
	free(r->profile_name);
	free(r->profile_text);
	free(r->sets_json);
	free(r->command);
	free(r->version);
	free(r->folder);
	free(r->host_json);
	free(r->axes_json);
	free(r->skipped_json);
	free(r->primary_json);
	free(r->meta_json);
	free(r->status);
	memset(r, 0, sizeof(*r));
}

void store_runs_free(struct store_run *r, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		store_run_free(&r[i]);
	free(r);
}

void store_cells_free(struct store_cell *c, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(c[i].label);
		free(c[i].keys_json);
	}
	free(c);
}

void store_workloads_free(struct store_workload *w, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(w[i].name);
		free(w[i].keys_json);
		free(w[i].describe);
	}
	free(w);
}

void store_trials_free(struct store_trial *t, size_t n)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		for (k = 0; k < t[i].nchecks; k++)
			check_free(&t[i].checks[k]);
		free(t[i].checks);
		free(t[i].samples);
		free(t[i].workload);
		free(t[i].site);
		free(t[i].cause);
		free(t[i].detail);
		free(t[i].phases_json);
		free(t[i].noise_json);
		free(t[i].facts_json);
		free(t[i].folder);
	}
	free(t);
}
