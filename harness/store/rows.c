/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A run's rows as a whole: copied from one store to another, or compared. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "store/db.h"

/* In the order in which foreign keys allow insertion; key is the column that names the run. */
static const struct table {
	const char *name, *key, *columns, *order;
	int folder; /* the column that is local to a machine: set by the copier, never compared; -1:
		       none */
} tables[] = {
	{"run", "id", RUN_COLUMNS, "id", RUN_FOLDER},
	{"cell", "run", "id, idx, label, keys", "id", -1},
	{"workload", "run", "name, id, idx, keys, describe", "name", -1},
	{"metric", "run", "id, title, unit, better, scale, min_effect", "id", -1},
	{"trial", "run",
	 "seq, block, place, cell, workload, site, fresh, template, randseed, ok, cause, detail, begun,"
	 " ended, phases, noise, facts, folder",
	 "seq", -1},
	{"sample", "run", "seq, metric, value", "seq, metric", -1},
	{"asked_got", "run", "seq, idx, key, asked, got, source, state", "seq, idx", -1},
};

#define NTABLES (sizeof(tables) / sizeof(tables[0]))

static int rows_select(struct stmt *q, struct store *s, const struct table *t, int64_t run,
		       struct err *e)
{
	char *sql = xasprintf("SELECT %s FROM %s WHERE %s = ? ORDER BY %s", t->columns, t->name,
			      t->key, t->order);
	int rc = stmt_new(q, s, sql, e);

	free(sql);
	if (!rc)
		stmt_int(q, run);
	return rc;
}

/* The row of the run itself gets a new id, all others name it. */
static int rows_insert(struct stmt *q, struct store *s, const struct table *t, int columns,
		       struct err *e)
{
	bool head = t == &tables[0];
	char marks[128] = "?";
	char *sql;
	int i, rc;

	for (i = head ? 1 : 0; i < columns; i++)
		strcat(marks, ",?");
	sql = xasprintf("INSERT INTO %s (%s%s) VALUES (%s)", t->name, head ? "" : "run, ",
			t->columns, marks);
	rc = stmt_new(q, s, sql, e);
	free(sql);
	return rc;
}

static int table_copy(struct store *from, int64_t from_run, struct store *to, int64_t *to_run,
		      const struct table *t, const char *folder, struct err *e)
{
	struct stmt in = {0}, out = {0};
	int columns = 0, i, rc;

	rc = rows_select(&in, from, t, from_run, e);
	if (!rc) {
		columns = sqlite3_column_count(in.st);
		rc = rows_insert(&out, to, t, columns, e);
	}
	while (!rc && (rc = stmt_step(&in, "reading a run", e)) > 0) {
		if (t != &tables[0])
			stmt_int(&out, *to_run);
		for (i = 0; i < columns; i++) {
			if (i == t->folder)
				stmt_text(&out, folder);
			else
				stmt_value(&out, sqlite3_column_value(in.st, i));
		}
		rc = stmt_run(&out, "copying a run", e);
		if (t == &tables[0])
			*to_run = sqlite3_last_insert_rowid(to->db);
	}
	stmt_end(&in);
	stmt_end(&out);
	return rc;
}

int rows_copy(struct store *from, int64_t from_run, struct store *to, const char *folder,
	      struct err *e)
{
	int64_t to_run = 0;
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < NTABLES; i++)
		rc = table_copy(from, from_run, to, &to_run, &tables[i], folder, e);
	return rc;
}

static bool value_equal(struct stmt *a, struct stmt *b, int col)
{
	int type = sqlite3_column_type(a->st, col), len;
	const void *pa, *pb;

	if (type != sqlite3_column_type(b->st, col))
		return false;
	switch (type) {
	case SQLITE_NULL:
		return true;
	case SQLITE_INTEGER:
		return sqlite3_column_int64(a->st, col) == sqlite3_column_int64(b->st, col);
	case SQLITE_FLOAT:
		return sqlite3_column_double(a->st, col) == sqlite3_column_double(b->st, col);
	default:
		pa = sqlite3_column_blob(a->st, col);
		pb = sqlite3_column_blob(b->st, col);
		len = sqlite3_column_bytes(a->st, col);
		return len == sqlite3_column_bytes(b->st, col) &&
		       (!len || !memcmp(pa, pb, (size_t)len));
	}
}

/* 1 equal, 0 different, or -errno. */
static int table_equal(struct stmt *a, struct stmt *b, const struct table *t, struct err *e)
{
	int columns = sqlite3_column_count(a->st), ra, rb, i;

	for (;;) {
		ra = stmt_step(a, "comparing a run", e);
		if (ra < 0)
			return ra;
		rb = stmt_step(b, "comparing a run", e);
		if (rb < 0)
			return rb;
		if (!ra || !rb)
			return ra == rb;
		for (i = 0; i < columns; i++)
			if (i != t->folder && !value_equal(a, b, i))
				return 0;
	}
}

int rows_equal(struct store *a, int64_t run_a, struct store *b, int64_t run_b, struct err *e)
{
	struct stmt qa = {0}, qb = {0};
	size_t i;
	int rc = 1;

	for (i = 0; rc == 1 && i < NTABLES; i++) {
		rc = rows_select(&qa, a, &tables[i], run_a, e);
		if (!rc)
			rc = rows_select(&qb, b, &tables[i], run_b, e);
		if (!rc)
			rc = table_equal(&qa, &qb, &tables[i], e);
		stmt_end(&qa);
		stmt_end(&qb);
	}
	return rc;
}

static int table_text_ok(struct stmt *q, const struct table *t, struct err *e)
{
	int columns = sqlite3_column_count(q->st), i, rc;

	while ((rc = stmt_step(q, "checking its texts", e)) > 0) {
		for (i = 0; i < columns; i++) {
			const void *p;

			if (sqlite3_column_type(q->st, i) != SQLITE_TEXT)
				continue;
			p = sqlite3_column_blob(q->st, i);
			if (!text_ok(p, (size_t)sqlite3_column_bytes(q->st, i)))
				return err_input(e, "its table %s holds a text that is not UTF-8",
						 t->name);
		}
	}
	return rc;
}

int rows_text_ok(struct store *s, struct err *e)
{
	struct stmt q = {0};
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < NTABLES; i++) {
		char *sql = xasprintf("SELECT %s FROM %s", tables[i].columns, tables[i].name);

		rc = stmt_new(&q, s, sql, e);
		free(sql);
		if (!rc)
			rc = table_text_ok(&q, &tables[i], e);
		stmt_end(&q);
	}
	return rc;
}
