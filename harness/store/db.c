/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connection to SQLite: guards, statements, transactions, and its errors as sentences. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include "store/db.h"

#define BUSY_MS 10000

int db_input(struct err *e, int rc, const char *fmt, ...)
{
	char text[sizeof(e->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_set(e, rc, "%s", text);
	if (e)
		e->status = VB_BAD_INPUT;
	return rc;
}

/*
 * Nearly no space left beside the store? An I/O error of SQLite's shared memory or journal does not
 * always carry the errno, and "disk full" needs another remedy than "disk broken".
 */
static bool space_is_out(const char *path)
{
	struct statvfs v;
	char *folder, *slash;
	bool out;

	folder = xstrdup(path);
	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = 0;
	out = !statvfs(slash ? folder : ".", &v) && v.f_bavail * v.f_frsize < 128 * 1024;
	free(folder);
	return out;
}

static int fail_space(struct store *s, const char *doing, struct err *e)
{
	return err_set(
		e, -ENOSPC,
		"%s: no space left on its file system while %s; what was stored before is safe. "
		"Make room there and go on with `vbench run --resume`",
		s->path, doing);
}

int db_fail(struct store *s, int rc, const char *doing, struct err *e)
{
	int sys = sqlite3_system_errno(s->db);
	const char *why = sqlite3_errmsg(s->db);

	switch (rc & 0xff) {
	case SQLITE_FULL:
		return fail_space(s, doing, e);
	case SQLITE_IOERR:
		if (sys == ENOSPC || sys == EDQUOT || space_is_out(s->path))
			return fail_space(s, doing, e);
		return err_set(
			e, -EIO,
			"%s: input/output error while %s (%s%s%s); look at the kernel's log for "
			"the disk under it",
			s->path, doing, why, sys ? ": " : "", sys ? strerror(sys) : "");
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return db_input(
			e, -EBADMSG,
			"%s: is damaged or no SQLite database (%s, while %s). It was left as it "
			"is: put a copy of it back, move it away to begin a new store, or give "
			"another with --db FILE",
			s->path, why, doing);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(
			e, -EBUSY,
			"%s: another process kept it locked for %d s while %s; wait for it to end",
			s->path, BUSY_MS / 1000, doing);
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return db_input(
			e, -EACCES,
			"%s: may not be written (%s, while %s); mend its rights or those of its "
			"folder, or give another with --db FILE",
			s->path, why, doing);
	case SQLITE_CANTOPEN:
		return db_input(
			e, sys ? -sys : -EACCES,
			"%s: cannot be opened (%s); check that the folder exists and that you "
			"may read and write there, or give another with --db FILE",
			s->path, sys ? strerror(sys) : why);
	case SQLITE_NOMEM:
		return err_set(e, -ENOMEM, "%s: out of memory while %s", s->path, doing);
	case SQLITE_TOOBIG:
		return err_set(e, -EFBIG, "%s: a text is too long to be stored, while %s", s->path,
			       doing);
	case SQLITE_CONSTRAINT:
		return err_set(e, -EINVAL,
			       "%s: what was to be stored breaks a rule of the store, "
			       "while %s (%s)",
			       s->path, doing, why);
	default:
		return err_set(e, -EIO, "%s: SQLite failed while %s (%s)", s->path, doing, why);
	}
}

int db_exec(struct store *s, const char *sql, const char *doing, struct err *e)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_fail(s, rc, doing, e);
}

int db_begin(struct store *s, const char *doing, struct err *e)
{
	return db_exec(s, "BEGIN IMMEDIATE", doing, e);
}

int db_commit(struct store *s, const char *doing, struct err *e)
{
	return db_exec(s, "COMMIT", doing, e);
}

void db_rollback(struct store *s)
{
	/* Some errors (full, I/O) have rolled back already. */
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

int db_number(struct store *s, const char *sql, int64_t *out, struct err *e)
{
	struct stmt q = {0};
	int rc;

	*out = 0;
	rc = stmt_new(&q, s, sql, e);
	if (!rc)
		rc = stmt_step(&q, "reading", e);
	if (rc > 0)
		*out = stmt_col_int(&q, 0);
	stmt_end(&q);
	return rc < 0 ? rc : 0;
}

int stmt_new(struct stmt *q, struct store *s, const char *sql, struct err *e)
{
	int rc;

	*q = (struct stmt){.s = s};
	rc = sqlite3_prepare_v2(s->db, sql, -1, &q->st, NULL);
	return rc == SQLITE_OK ? 0 : db_fail(s, rc, "preparing a statement", e);
}

void stmt_end(struct stmt *q)
{
	sqlite3_finalize(q->st);
	q->st = NULL;
}

static void bound(struct stmt *q, int rc)
{
	if (q->rc == SQLITE_OK)
		q->rc = rc;
}

void stmt_text(struct stmt *q, const char *text)
{
	size_t len;
	char *clean;

	q->bound++;
	if (!text) {
		bound(q, sqlite3_bind_null(q->st, q->bound));
		return;
	}
	len = strlen(text);
	if (text_ok(text, len)) {
		bound(q, sqlite3_bind_text64(q->st, q->bound, text, len, SQLITE_TRANSIENT,
					     SQLITE_UTF8));
		return;
	}
	clean = text_clean(text, len);
	bound(q, sqlite3_bind_text64(q->st, q->bound, clean, strlen(clean), free, SQLITE_UTF8));
}

void stmt_int(struct stmt *q, int64_t v)
{
	bound(q, sqlite3_bind_int64(q->st, ++q->bound, v));
}

void stmt_real(struct stmt *q, double v)
{
	bound(q, sqlite3_bind_double(q->st, ++q->bound, v));
}

void stmt_blob(struct stmt *q, const void *p, size_t len)
{
	q->bound++;
	if (p)
		bound(q, sqlite3_bind_blob64(q->st, q->bound, p, len, SQLITE_TRANSIENT));
	else
		bound(q, sqlite3_bind_null(q->st, q->bound));
}

void stmt_value(struct stmt *q, sqlite3_value *v)
{
	bound(q, sqlite3_bind_value(q->st, ++q->bound, v));
}

int stmt_step(struct stmt *q, const char *doing, struct err *e)
{
	int rc;

	if (q->rc != SQLITE_OK)
		return db_fail(q->s, q->rc, doing, e);
	rc = sqlite3_step(q->st);
	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	return db_fail(q->s, rc, doing, e);
}

int stmt_run(struct stmt *q, const char *doing, struct err *e)
{
	int rc = stmt_step(q, doing, e);

	sqlite3_reset(q->st);
	sqlite3_clear_bindings(q->st);
	q->bound = 0;
	q->rc = SQLITE_OK;
	return rc < 0 ? rc : 0;
}

char *stmt_col_text(struct stmt *q, int col)
{
	const void *p = sqlite3_column_blob(q->st, col);
	size_t len = (size_t)sqlite3_column_bytes(q->st, col);
	char *text;

	if (sqlite3_column_type(q->st, col) == SQLITE_NULL)
		return NULL;
	if (!text_ok(p, len))
		return text_clean(p, len);
	text = xcalloc(len + 1, 1);
	if (len)
		memcpy(text, p, len);
	return text;
}

void stmt_col_buf(struct stmt *q, int col, char *buf, size_t size)
{
	char *text = stmt_col_text(q, col);

	snprintf(buf, size, "%s", text ? text : "");
	free(text);
}

int64_t stmt_col_int(struct stmt *q, int col)
{
	return sqlite3_column_int64(q->st, col);
}

/*
 * What every connection has: schemas and statements of a hostile file can do nothing (defensive,
 * untrusted, no triggers or views), keys hold, others are waited for.
 */
static int db_guard(struct store *s, struct err *e)
{
	sqlite3 *db = s->db;
	int rc;

	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, BUSY_MS);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 256 << 20);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	rc = db_exec(s, "PRAGMA foreign_keys = ON", "opening it", e);
	if (!rc)
		rc = db_exec(s, "PRAGMA cell_size_check = ON", "opening it", e);
	if (!rc)
		rc = db_exec(s, "PRAGMA mmap_size = 0", "opening it", e);
	return rc;
}

int db_connect(const char *path, int flags, struct store **out, struct err *e)
{
	struct store *s = xcalloc(1, sizeof(*s));
	int rc;

	*out = NULL;
	s->path = xstrdup(path ? path : "memory");
	if (!path)
		flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	rc = sqlite3_open_v2(path ? path : ":memory:", &s->db, flags, NULL);
	if (rc != SQLITE_OK)
		rc = s->db ? db_fail(s, rc, "opening it", e) : err_set(e, -ENOMEM, "out of memory");
	else
		rc = db_guard(s, e);
	if (rc) {
		store_close(s);
		return rc;
	}
	*out = s;
	return 0;
}

int db_run_id(struct store *s, const char *uuid, int64_t *id, struct err *e)
{
	struct stmt q = {0};
	int rc;

	rc = stmt_new(&q, s, "SELECT id FROM run WHERE uuid = ?", e);
	if (!rc) {
		stmt_text(&q, uuid);
		rc = stmt_step(&q, "looking for a run", e);
	}
	if (rc > 0)
		*id = stmt_col_int(&q, 0);
	stmt_end(&q);
	if (!rc)
		return db_input(e, -ENOENT, "%s: holds no run %s; `vbench runs` lists them",
				s->path, uuid);
	return rc < 0 ? rc : 0;
}
