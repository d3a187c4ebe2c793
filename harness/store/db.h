/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the store room only: the connection, its statements and the schema's ladder. */
#ifndef VB_STORE_DB_H
#define VB_STORE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "store/store.h"

#define STORE_APP_ID 0x76626e63 /* "vbnc", SQLite's application_id */
#define STORE_VERSION 2		/* user_version of a store written by this program */

struct store {
	sqlite3 *db;
	char *path; /* for sentences */
};

/* A prepared statement. Binding goes from left to right; the first failure is kept until the step.
 */
struct stmt {
	struct store *s;
	sqlite3_stmt *st;
	int bound;
	int rc; /* SQLite's */
};

int stmt_new(struct stmt *q, struct store *s, const char *sql, struct err *e);
void stmt_end(struct stmt *q);
void stmt_text(struct stmt *q,
	       const char *text); /* NULL binds NULL; bytes that are not UTF-8 are replaced */
void stmt_int(struct stmt *q, int64_t v);
void stmt_real(struct stmt *q, double v);
void stmt_blob(struct stmt *q, const void *p, size_t len);
void stmt_value(struct stmt *q, sqlite3_value *v);

/* 1: a row, 0: done, or -errno. "doing" completes "no space left while ...". */
int stmt_step(struct stmt *q, const char *doing, struct err *e);

/* Runs a statement without rows to its end and makes it ready to be bound again. 0 or -errno. */
int stmt_run(struct stmt *q, const char *doing, struct err *e);

/* Column of the current row: a copy (caller frees), NULL for NULL; always UTF-8. */
char *stmt_col_text(struct stmt *q, int col);
void stmt_col_buf(struct stmt *q, int col, char *buf, size_t size);
int64_t stmt_col_int(struct stmt *q, int col);

/* Opens path (NULL: a new database in memory) with the guards every connection has. */
int db_connect(const char *path, int flags, struct store **out, struct err *e);

int db_exec(struct store *s, const char *sql, const char *doing, struct err *e);
int db_begin(struct store *s, const char *doing, struct err *e); /* for writing */
int db_commit(struct store *s, const char *doing, struct err *e);
void db_rollback(struct store *s);

/* One number. */
int db_number(struct store *s, const char *sql, int64_t *out, struct err *e);

/* Turns SQLite's last error on this connection into a code and a sentence. */
int db_fail(struct store *s, int rc, const char *doing, struct err *e);

/* The columns of a run in the order in which db_read_run reads them, and the order of lists. */
#define RUN_COLUMNS                                                                                   \
	"uuid, host, label, profile, profile_text, sets, command, version, folder, host_facts, axes," \
	" skipped, primary_metrics, meta, seed, blocks, trials, begun, ended, status"
#define RUN_FOLDER 8 /* its place in them */
#define NEWEST_FIRST " ORDER BY begun DESC, id DESC"
void db_read_run(struct stmt *q, struct store_run *r);

/* Row id of a run; -ENOENT with a sentence. */
int db_run_id(struct store *s, const char *uuid, int64_t *id, struct err *e);

/* 36 characters, lower-case hex and dashes in their places. */
bool db_uuid_ok(const char *text);

/* A relative path of plain names: no "..", ".", empty or overlong parts, no control characters. */
bool db_path_ok(const char *path);

/* False on file systems where WAL's shared memory cannot be trusted: those with other writers
 * elsewhere. */
bool db_wal_ok(long f_type);

/* WAL, or a rollback journal; either way a commit survives power loss. */
int db_journal(struct store *s, bool wal, struct err *e);

/* err_set for what the user can mend (exit status 2), keeping rc. */
int db_input(struct err *e, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Is all of it UTF-8 without a NUL? */
bool text_ok(const char *text, size_t len);

/* A copy in which each ill-formed part, and each NUL, became U+FFFD. Caller frees. */
char *text_clean(const char *text, size_t len);

/* Whose file is this? *version receives the schema's version, 0 for an empty file. -EINVAL: not
 * ours, or newer. */
int schema_identify(struct store *s, int *version, struct err *e);

/* Climbs from what is there to version `to`, in one transaction. */
int schema_migrate(struct store *s, int to, struct err *e);

/* 0 when the schema is to the letter that of its version, else -EINVAL and what is odd. */
int schema_exact(struct store *s, int version, struct err *e);

/*
 * A run's rows, whole: copied between stores (both may be in memory), or compared. folder replaces
 * the run's folder in the copy; folders are not compared. rows_equal: 1 equal, 0 different, or
 * -errno.
 */
int rows_copy(struct store *from, int64_t from_run, struct store *to, const char *folder,
	      struct err *e);
int rows_text_ok(struct store *s, struct err *e); /* every text in it is UTF-8 without NULs */
int rows_equal(struct store *a, int64_t run_a, struct store *b, int64_t run_b, struct err *e);

/* A bundle's parts and bounds, the same for writing and for reading. */
#define BUNDLE_FORMAT 1
#define BUNDLE_MANIFEST "manifest.json"
#define BUNDLE_DB "run.db"
#define BUNDLE_ARTEFACTS "artefacts/"
#define BUNDLE_MAX_MANIFEST (1u << 20)
#define BUNDLE_MAX_DB (512ull << 20)
#define BUNDLE_MAX_FILE (64ull << 20)
#define BUNDLE_MAX_TOTAL (4ull << 30)
#define BUNDLE_MAX_ENTRIES 500000u
#define BUNDLE_MAX_PATH 1024u
#define BUNDLE_MAX_DEPTH 16u

/* What a bundle held beside its artefacts. */
struct bundle {
	char uuid[37]; /* as its manifest says */
	void *db;      /* of sqlite3_malloc64 */
	size_t db_len;
};

/*
 * Reads a bundle: manifest and database into *b (freed with bundle_free), artefacts into the empty
 * folder dirfd. Anything unexpected in it is refused.
 */
int bundle_unpack(const char *file, int dirfd, struct bundle *b, struct err *e);
void bundle_free(struct bundle *b);

#endif
