/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The schema as a ladder: one step a version, climbed in a transaction. A released step is never
 * edited. */
#include <errno.h>
#include <string.h>
#include "store/db.h"

/*
 * A run is self-contained: its metrics are copied beside it, so that a store merged from several
 * versions of this program still explains itself. Unsigned 64-bit numbers (seeds) lie in SQLite's
 * signed integers bit by bit. The profile is a BLOB because it is kept byte for byte, whatever its
 * encoding.
 */
static const char v1[] =
	"CREATE TABLE run (\n"
	"  id INTEGER PRIMARY KEY,\n"
	"  uuid TEXT NOT NULL UNIQUE CHECK (length(uuid) = 36),\n"
	"  host TEXT NOT NULL CHECK (length(host) <= 64),\n"
	"  label TEXT,\n"
	"  profile TEXT,\n"
	"  profile_text BLOB,\n"
	"  sets TEXT,\n"
	"  command TEXT,\n"
	"  version TEXT,\n"
	"  folder TEXT,\n"
	"  host_facts TEXT,\n"
	"  axes TEXT,\n"
	"  skipped TEXT,\n"
	"  primary_metrics TEXT,\n"
	"  meta TEXT,\n"
	"  seed INTEGER NOT NULL,\n"
	"  blocks INTEGER NOT NULL CHECK (blocks BETWEEN 0 AND 4294967295),\n"
	"  trials INTEGER NOT NULL CHECK (trials BETWEEN 0 AND 4294967295),\n"
	"  begun INTEGER NOT NULL,\n"
	"  ended INTEGER NOT NULL,\n"
	"  status TEXT NOT NULL CHECK (status IN ('running', 'complete', 'interrupted'))\n"
	") STRICT;\n"
	"CREATE INDEX run_by_time ON run (begun);\n"
	"CREATE INDEX run_by_label ON run (label, begun);\n"
	"CREATE TABLE cell (\n"
	"  run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,\n"
	"  id TEXT NOT NULL CHECK (length(id) BETWEEN 1 AND 16),\n"
	"  idx INTEGER NOT NULL CHECK (idx BETWEEN 0 AND 4294967295),\n"
	"  label TEXT,\n"
	"  keys TEXT,\n"
	"  PRIMARY KEY (run, id),\n"
	"  UNIQUE (run, idx)\n"
	") STRICT, WITHOUT ROWID;\n"
	"CREATE TABLE workload (\n"
	"  run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,\n"
	"  name TEXT NOT NULL,\n"
	"  id TEXT NOT NULL CHECK (length(id) <= 16),\n"
	"  idx INTEGER NOT NULL CHECK (idx BETWEEN 0 AND 4294967295),\n"
	"  keys TEXT,\n"
	"  describe TEXT,\n"
	"  PRIMARY KEY (run, name),\n"
	"  UNIQUE (run, idx)\n"
	") STRICT, WITHOUT ROWID;\n"
	"CREATE TABLE metric (\n"
	"  run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,\n"
	"  id TEXT NOT NULL CHECK (length(id) BETWEEN 1 AND 39),\n"
	"  title TEXT NOT NULL,\n"
	"  unit TEXT NOT NULL,\n"
	"  better TEXT NOT NULL CHECK (better IN ('higher', 'lower')),\n"
	"  scale TEXT NOT NULL CHECK (scale IN ('ratio', 'difference', 'exact')),\n"
	"  min_effect REAL NOT NULL,\n"
	"  PRIMARY KEY (run, id)\n"
	") STRICT, WITHOUT ROWID;\n"
	"CREATE TABLE trial (\n"
	"  run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,\n"
	"  seq INTEGER NOT NULL CHECK (seq BETWEEN 0 AND 4294967295),\n"
	"  block INTEGER NOT NULL CHECK (block BETWEEN 0 AND 4294967295),\n"
	"  place INTEGER NOT NULL CHECK (place BETWEEN 0 AND 4294967295),\n"
	"  cell TEXT NOT NULL,\n"
	"  workload TEXT NOT NULL,\n"
	"  site TEXT,\n"
	"  fresh INTEGER NOT NULL CHECK (fresh IN (0, 1)),\n"
	"  template TEXT NOT NULL CHECK (length(template) <= 39),\n"
	"  randseed INTEGER NOT NULL,\n"
	"  ok INTEGER NOT NULL CHECK (ok IN (0, 1)),\n"
	"  cause TEXT CHECK ((cause IS NULL) = ok),\n"
	"  detail TEXT,\n"
	"  begun INTEGER NOT NULL,\n"
	"  ended INTEGER NOT NULL,\n"
	"  phases TEXT,\n"
	"  noise TEXT,\n"
	"  facts TEXT,\n"
	"  folder TEXT,\n"
	"  PRIMARY KEY (run, seq),\n"
	"  FOREIGN KEY (run, cell) REFERENCES cell (run, id),\n"
	"  FOREIGN KEY (run, workload) REFERENCES workload (run, name)\n"
	") STRICT;\n"
	"CREATE TABLE sample (\n"
	"  run INTEGER NOT NULL,\n"
	"  seq INTEGER NOT NULL,\n"
	"  metric TEXT NOT NULL,\n"
	"  value REAL NOT NULL,\n"
	"  PRIMARY KEY (run, seq, metric),\n"
	"  FOREIGN KEY (run, seq) REFERENCES trial (run, seq) ON DELETE CASCADE,\n"
	"  FOREIGN KEY (run, metric) REFERENCES metric (run, id)\n"
	") STRICT, WITHOUT ROWID;\n"
	"CREATE TABLE asked_got (\n"
	"  run INTEGER NOT NULL,\n"
	"  seq INTEGER NOT NULL,\n"
	"  idx INTEGER NOT NULL,\n"
	"  key TEXT NOT NULL,\n"
	"  asked TEXT,\n"
	"  got TEXT,\n"
	"  source TEXT,\n"
	"  state INTEGER NOT NULL CHECK (state IN (0, 1, 2)),\n"
	"  PRIMARY KEY (run, seq, idx),\n"
	"  FOREIGN KEY (run, seq) REFERENCES trial (run, seq) ON DELETE CASCADE\n"
	") STRICT, WITHOUT ROWID;\n";

/*
 * The nightly gate's memory: what each night found, series by series, and what people accepted.
 * Runs are named by uuid without a foreign key: a night stays what it was when its runs live
 * elsewhere.
 */
static const char v2[] = "CREATE TABLE gate (\n"
			 "  id INTEGER PRIMARY KEY,\n"
			 "  uuid TEXT NOT NULL UNIQUE CHECK (length(uuid) = 36),\n"
			 "  host TEXT NOT NULL CHECK (length(host) <= 64),\n"
			 "  profile TEXT NOT NULL,\n"
			 "  kind TEXT NOT NULL CHECK (kind IN ('night', 'accept')),\n"
			 "  state TEXT NOT NULL,\n"
			 "  begun INTEGER NOT NULL,\n"
			 "  ended INTEGER NOT NULL,\n"
			 "  label TEXT,\n"
			 "  build TEXT NOT NULL,\n"
			 "  reference TEXT,\n"
			 "  joins TEXT,\n"
			 "  screen_run TEXT,\n"
			 "  confirm_run TEXT,\n"
			 "  who TEXT,\n"
			 "  why TEXT,\n"
			 "  doc TEXT NOT NULL\n"
			 ") STRICT;\n"
			 "CREATE INDEX gate_by_key ON gate (host, profile, begun);\n"
			 "CREATE TABLE gate_series (\n"
			 "  gate INTEGER NOT NULL REFERENCES gate (id) ON DELETE CASCADE,\n"
			 "  idx INTEGER NOT NULL CHECK (idx BETWEEN 0 AND 4294967295),\n"
			 "  key TEXT NOT NULL,\n"
			 "  name TEXT NOT NULL,\n"
			 "  metric TEXT NOT NULL,\n"
			 "  state TEXT NOT NULL,\n"
			 "  stage INTEGER NOT NULL CHECK (stage IN (0, 1, 2)),\n"
			 "  n INTEGER NOT NULL CHECK (n BETWEEN 0 AND 4294967295),\n"
			 "  ratio REAL,\n"
			 "  lo REAL,\n"
			 "  hi REAL,\n"
			 "  sd REAL,\n"
			 "  p REAL,\n"
			 "  seen REAL,\n"
			 "  PRIMARY KEY (gate, idx),\n"
			 "  UNIQUE (gate, key)\n"
			 ") STRICT, WITHOUT ROWID;\n";

static const char *const ladder[STORE_VERSION] = {v1, v2};

int schema_identify(struct store *s, int *version, struct err *e)
{
	int64_t app, user, objects;
	int rc;

	*version = 0;
	rc = db_number(s, "PRAGMA application_id", &app, e);
	if (rc)
		return rc;
	rc = db_number(s, "PRAGMA user_version", &user, e);
	if (rc)
		return rc;
	rc = db_number(s, "SELECT count(*) FROM sqlite_schema", &objects, e);
	if (rc)
		return rc;
	if (!app && !user && !objects)
		return 0;
	if (app != STORE_APP_ID)
		return err_input(e,
				 "%s: is an SQLite database, but not a store of vbench "
				 "(application_id 0x%llx); give another file with --db FILE",
				 s->path, (unsigned long long)app);
	if (user > STORE_VERSION)
		return err_input(
			e,
			"%s: was written by a newer vbench (schema %lld, this one knows up "
			"to %d); use that vbench, or another store with --db FILE",
			s->path, (long long)user, STORE_VERSION);
	if (user < 1)
		return err_input(e, "%s: names schema %lld, which never was; the file is damaged",
				 s->path, (long long)user);
	*version = (int)user;
	return 0;
}

/* Inside the transaction, since another process may be climbing the same ladder. */
static int schema_climb(struct store *s, int to, struct err *e)
{
	char sql[96];
	int version, rc;

	rc = schema_identify(s, &version, e);
	if (rc)
		return rc;
	if (version >= to)
		return 0;
	for (; version < to; version++) {
		rc = db_exec(s, ladder[version], "making its tables", e);
		if (rc)
			return rc;
	}
	sqlite3_snprintf(sizeof(sql), sql, "PRAGMA application_id = %d; PRAGMA user_version = %d",
			 STORE_APP_ID, to);
	return db_exec(s, sql, "marking its version", e);
}

int schema_migrate(struct store *s, int to, struct err *e)
{
	int rc = db_begin(s, "making its tables", e);

	if (rc)
		return rc;
	rc = schema_climb(s, to, e);
	if (!rc)
		rc = db_commit(s, "making its tables", e);
	if (rc)
		db_rollback(s);
	return rc;
}

static bool same_text(struct stmt *a, struct stmt *b, int col)
{
	const char *ta = (const char *)sqlite3_column_text(a->st, col);
	const char *tb = (const char *)sqlite3_column_text(b->st, col);

	if (!ta || !tb)
		return !ta && !tb;
	return !strcmp(ta, tb);
}

static int schema_compare(struct stmt *have, struct stmt *want, struct err *e)
{
	bool same = true;
	int rh, rw, i;

	do {
		rh = stmt_step(have, "reading its schema", e);
		rw = stmt_step(want, "reading the schema", e);
		if (rh < 0 || rw < 0)
			return rh < 0 ? rh : rw;
		same = rh == rw;
		for (i = 0; same && rh && i < 4; i++)
			same = same_text(have, want, i);
	} while (same && rh);
	if (same)
		return 0;
	return err_input(
		e, "its database's schema is not that of a store (tables, columns, indexes, views "
		   "or triggers differ)");
}

int schema_exact(struct store *s, int version, struct err *e)
{
	static const char sql[] =
		"SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name";
	struct store *model = NULL;
	struct stmt have = {0}, want = {0};
	int rc;

	rc = db_connect(NULL, 0, &model, e);
	if (!rc)
		rc = schema_migrate(model, version, e);
	if (!rc)
		rc = stmt_new(&have, s, sql, e);
	if (!rc)
		rc = stmt_new(&want, model, sql, e);
	if (!rc)
		rc = schema_compare(&have, &want, e);
	stmt_end(&have);
	stmt_end(&want);
	store_close(model);
	return rc;
}
