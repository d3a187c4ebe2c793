// SPDX-License-Identifier: GPL-2.0-or-later
/* The gate's records: written and read, each whole or not at all. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "store/db.h"
#include "store/gate.h"

#define GATE_COLUMNS                                                                      \
	"uuid, host, profile, kind, state, begun, ended, label, build, reference, joins," \
	" screen_run, confirm_run, who, why, doc"

static void bind_gate(struct stmt *q, const struct store_gate *g)
{
	stmt_text(q, g->uuid);
	stmt_text(q, g->host_id);
	stmt_text(q, g->profile);
	stmt_text(q, g->kind);
	stmt_text(q, g->state);
	stmt_int(q, g->begun);
	stmt_int(q, g->ended);
	stmt_text(q, g->label);
	stmt_text(q, g->build ? g->build : "");
	stmt_text(q, g->reference);
	stmt_text(q, g->joins);
	stmt_text(q, g->screen_run);
	stmt_text(q, g->confirm_run);
	stmt_text(q, g->who);
	stmt_text(q, g->why);
	stmt_text(q, g->doc_json ? g->doc_json : "{}");
}

/* SQLite keeps NAN as NULL, and that is what it shall be. */
static int put_series(struct store *s, int64_t gate, const struct store_gate *g, struct err *e)
{
	struct stmt q = {0};
	size_t i;
	int rc = stmt_new(&q, s,
			  "INSERT INTO gate_series (gate, idx, key, name, metric, state, stage, n,"
			  " ratio, lo, hi, sd, p, seen) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
			  e);

	for (i = 0; !rc && i < g->nseries; i++) {
		const struct store_gate_series *x = &g->series[i];

		stmt_int(&q, gate);
		stmt_int(&q, (int64_t)i);
		stmt_text(&q, x->key);
		stmt_text(&q, x->name);
		stmt_text(&q, x->metric ? x->metric : "");
		stmt_text(&q, x->state);
		stmt_int(&q, x->stage);
		stmt_int(&q, x->n);
		stmt_real(&q, x->ratio);
		stmt_real(&q, x->lo);
		stmt_real(&q, x->hi);
		stmt_real(&q, x->sd);
		stmt_real(&q, x->p);
		stmt_real(&q, x->seen);
		rc = stmt_run(&q, "storing a night's series", e);
	}
	stmt_end(&q);
	return rc;
}

static int put_gate(struct store *s, const struct store_gate *g, struct err *e)
{
	struct stmt q = {0};
	int rc = stmt_new(
		&q, s,
		"INSERT INTO gate (" GATE_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", e);

	if (!rc) {
		bind_gate(&q, g);
		rc = stmt_run(&q, "storing a record of the gate", e);
	}
	stmt_end(&q);
	return rc ? rc : put_series(s, sqlite3_last_insert_rowid(s->db), g, e);
}

static int gate_row(struct store *s, const char *uuid, int64_t *id, struct err *e)
{
	struct stmt q = {0};
	int rc = stmt_new(&q, s, "SELECT id FROM gate WHERE uuid = ?", e);

	if (!rc) {
		stmt_text(&q, uuid);
		rc = stmt_step(&q, "looking for a record of the gate", e);
	}
	if (rc > 0)
		*id = stmt_col_int(&q, 0);
	stmt_end(&q);
	return rc;
}

static int replace_gate(struct store *s, const struct store_gate *g, struct err *e)
{
	struct stmt q = {0}, del = {0};
	int64_t id = 0;
	int rc = gate_row(s, g->uuid, &id, e);

	if (rc <= 0)
		return rc ? rc
			  : db_input(e, -ENOENT, "%s: holds no record %s of the gate", s->path,
				     g->uuid);
	rc = stmt_new(&del, s, "DELETE FROM gate_series WHERE gate = ?", e);
	if (!rc) {
		stmt_int(&del, id);
		rc = stmt_run(&del, "storing a record of the gate", e);
	}
	if (!rc)
		rc = stmt_new(&q, s,
			      "UPDATE gate SET (" GATE_COLUMNS
			      ") = (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) WHERE id = ?",
			      e);
	if (!rc) {
		bind_gate(&q, g);
		stmt_int(&q, id);
		rc = stmt_run(&q, "storing a record of the gate", e);
	}
	stmt_end(&del);
	stmt_end(&q);
	return rc ? rc : put_series(s, id, g, e);
}

static int gate_check(const struct store_gate *g, struct err *e)
{
	if (!db_uuid_ok(g->uuid) || !g->profile || !g->kind || !g->state)
		return err_set(e, -EINVAL,
			       "a record of the gate needs a uuid, a profile, a kind and a state");
	return 0;
}

int store_gate_put(struct store *s, const struct store_gate *g, struct err *e)
{
	static const char doing[] = "storing a record of the gate";
	int64_t id;
	int rc = gate_check(g, e);

	if (!rc)
		rc = db_begin(s, doing, e);
	if (rc)
		return rc;
	rc = gate_row(s, g->uuid, &id, e);
	if (rc > 0)
		rc = err_set(e, -EEXIST, "%s: record %s of the gate is there already", s->path,
			     g->uuid);
	if (!rc)
		rc = put_gate(s, g, e);
	if (!rc)
		rc = db_commit(s, doing, e);
	if (rc)
		db_rollback(s);
	return rc;
}

int store_gate_update(struct store *s, const struct store_gate *g, struct err *e)
{
	static const char doing[] = "storing a record of the gate";
	int rc = gate_check(g, e);

	if (!rc)
		rc = db_begin(s, doing, e);
	if (rc)
		return rc;
	rc = replace_gate(s, g, e);
	if (!rc)
		rc = db_commit(s, doing, e);
	if (rc)
		db_rollback(s);
	return rc;
}

static double col_real(struct stmt *q, int col)
{
	return sqlite3_column_type(q->st, col) == SQLITE_NULL ? NAN
							      : sqlite3_column_double(q->st, col);
}

static void read_gate(struct stmt *q, struct store_gate *g)
{
	*g = (struct store_gate){0};
	stmt_col_buf(q, 0, g->uuid, sizeof(g->uuid));
	stmt_col_buf(q, 1, g->host_id, sizeof(g->host_id));
	g->profile = stmt_col_text(q, 2);
	g->kind = stmt_col_text(q, 3);
	g->state = stmt_col_text(q, 4);
	g->begun = stmt_col_int(q, 5);
	g->ended = stmt_col_int(q, 6);
	g->label = stmt_col_text(q, 7);
	g->build = stmt_col_text(q, 8);
	g->reference = stmt_col_text(q, 9);
	g->joins = stmt_col_text(q, 10);
	g->screen_run = stmt_col_text(q, 11);
	g->confirm_run = stmt_col_text(q, 12);
	g->who = stmt_col_text(q, 13);
	g->why = stmt_col_text(q, 14);
	g->doc_json = stmt_col_text(q, 15);
}

static int read_series(struct store *s, struct store_gate *g, int64_t id, struct err *e)
{
	struct stmt q = {0};
	int rc = stmt_new(&q, s,
			  "SELECT key, name, metric, state, stage, n, ratio, lo, hi, sd, p, seen"
			  " FROM gate_series WHERE gate = ? ORDER BY idx",
			  e);

	if (!rc)
		stmt_int(&q, id);
	while (!rc && (rc = stmt_step(&q, "reading a night's series", e)) > 0) {
		struct store_gate_series *x;

		g->series = xrealloc(g->series, g->nseries + 1, sizeof(*g->series));
		x = &g->series[g->nseries++];
		*x = (struct store_gate_series){
			.key = stmt_col_text(&q, 0),
			.name = stmt_col_text(&q, 1),
			.metric = stmt_col_text(&q, 2),
			.state = stmt_col_text(&q, 3),
			.stage = (unsigned)stmt_col_int(&q, 4),
			.n = (unsigned)stmt_col_int(&q, 5),
			.ratio = col_real(&q, 6),
			.lo = col_real(&q, 7),
			.hi = col_real(&q, 8),
			.sd = col_real(&q, 9),
			.p = col_real(&q, 10),
			.seen = col_real(&q, 11),
		};
		rc = 0;
	}
	stmt_end(&q);
	return rc;
}

int store_gates(struct store *s, const char *host, const char *profile, struct store_gate **out,
		size_t *n, struct err *e)
{
	struct stmt q = {0};
	int rc = stmt_new(&q, s,
			  "SELECT " GATE_COLUMNS ", id FROM gate WHERE (?1 IS NULL OR host = ?1)"
			  " AND (?2 IS NULL OR profile = ?2) ORDER BY begun, id",
			  e);

	*out = NULL;
	*n = 0;
	if (!rc) {
		stmt_text(&q, host);
		stmt_text(&q, profile);
	}
	while (!rc && (rc = stmt_step(&q, "reading the gate's records", e)) > 0) {
		*out = xrealloc(*out, *n + 1, sizeof(**out));
		read_gate(&q, &(*out)[(*n)++]);
		rc = read_series(s, &(*out)[*n - 1], stmt_col_int(&q, 16), e);
	}
	stmt_end(&q);
	if (rc) {
		store_gates_free(*out, *n);
		*out = NULL;
		*n = 0;
	}
	return rc;
}

void store_gate_free(struct store_gate *g)
{
	size_t i;

	for (i = 0; i < g->nseries; i++) {
		free(g->series[i].key);
		free(g->series[i].name);
		free(g->series[i].metric);
		free(g->series[i].state);
	}
	free(g->series);
	free(g->profile);
	free(g->kind);
	free(g->state);
	free(g->label);
	free(g->build);
	free(g->reference);
	free(g->joins);
	free(g->screen_run);
	free(g->confirm_run);
	free(g->who);
	free(g->why);
	free(g->doc_json);
	*g = (struct store_gate){0};
}

void store_gates_free(struct store_gate *g, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		store_gate_free(&g[i]);
	free(g);
}
