/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bundle into a store: unpacked aside, judged, then folder and rows together or not at all. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "store/db.h"

#define STAGE_PREFIX ".import-"

/* Columns that hold JSON; a damaged one would make every later report stumble. */
static const char *const json_checks[] = {
	"SELECT count(*) FROM run WHERE NOT (json_valid(coalesce(sets, '0')) AND"
	" json_valid(coalesce(host_facts, '0')) AND json_valid(coalesce(axes, '0')) AND"
	" json_valid(coalesce(skipped, '0')) AND json_valid(coalesce(primary_metrics, '0')) AND"
	" json_valid(coalesce(meta, '0')))",
	"SELECT count(*) FROM cell WHERE NOT json_valid(coalesce(keys, '0'))",
	"SELECT count(*) FROM workload WHERE NOT json_valid(coalesce(keys, '0'))",
	"SELECT count(*) FROM trial WHERE NOT (json_valid(coalesce(phases, '0')) AND"
	" json_valid(coalesce(noise, '0')) AND json_valid(coalesce(facts, '0')))",
};

/* 0 when the statement's first value is `want` (NULL: when it has no row). */
static int expect(struct store *mem, const char *sql, const char *want, const char *else_say,
		  struct err *e)
{
	struct stmt q = {0};
	char got[64];
	int rc;

	rc = stmt_new(&q, mem, sql, e);
	if (!rc)
		rc = stmt_step(&q, "checking its database", e);
	if (rc > 0) {
		stmt_col_buf(&q, 0, got, sizeof(got));
		rc = want && !strcmp(got, want) ? 0 : err_input(e, "%s", else_say);
	} else if (!rc && want) {
		rc = err_input(e, "%s", else_say);
	}
	stmt_end(&q);
	return rc;
}

/* Texts are UTF-8 and names of folders stay below the run's: later readers join them to paths. */
static int check_texts(struct store *mem, struct err *e)
{
	struct stmt q = {0};
	char *folder;
	int rc;

	rc = rows_text_ok(mem, e);
	if (!rc)
		rc = stmt_new(&q, mem, "SELECT folder FROM trial WHERE folder <> ''", e);
	while (!rc && (rc = stmt_step(&q, "checking its database", e)) > 0) {
		folder = stmt_col_text(&q, 0);
		rc = db_path_ok(folder)
			     ? 0
			     : err_input(e, "a trial's folder is outside the run's (\"%s\")",
					 folder);
		free(folder);
	}
	stmt_end(&q);
	return rc;
}

static int check_schema(struct store *mem, struct err *e)
{
	int version, rc;

	rc = schema_identify(mem, &version, e);
	if (!rc && !version)
		rc = err_input(e, "its database is empty");
	if (!rc)
		rc = schema_exact(mem, version, e);
	if (!rc)
		rc = expect(mem, "PRAGMA integrity_check(1)", "ok", "its database is damaged", e);
	if (!rc && version < STORE_VERSION)
		rc = schema_migrate(mem, STORE_VERSION, e);
	return rc;
}

static int check_content(struct store *mem, const char *uuid, struct err *e)
{
	char have[40];
	struct stmt q = {0};
	size_t i;
	int rc;

	rc = expect(mem, "PRAGMA foreign_key_check", NULL,
		    "its database has rows that belong to nothing", e);
	if (!rc)
		rc = expect(mem, "SELECT count(*) FROM run", "1",
			    "its database does not hold exactly one run", e);
	if (!rc)
		rc = stmt_new(&q, mem, "SELECT uuid FROM run", e);
	if (!rc)
		rc = stmt_step(&q, "checking its database", e);
	if (rc > 0) {
		stmt_col_buf(&q, 0, have, sizeof(have));
		rc = strcmp(have, uuid)
			     ? err_input(e, "its manifest names another run than its database")
			     : 0;
	}
	stmt_end(&q);
	if (!rc)
		rc = check_texts(mem, e);
	for (i = 0; !rc && i < sizeof(json_checks) / sizeof(json_checks[0]); i++)
		rc = expect(mem, json_checks[i], "0", "its database holds damaged JSON", e);
	return rc;
}

/* The bundle's database in memory, judged. On success *b has given its bytes away. */
static int bundle_open(const char *file, struct bundle *b, struct store **out, struct err *e)
{
	struct store *mem = NULL;
	int rc;

	*out = NULL;
	rc = db_connect(NULL, 0, &mem, e);
	if (rc)
		return rc;
	free(mem->path);
	mem->path = xasprintf("%s in %s", BUNDLE_DB, file);
	/* Frees the bytes on failure too. */
	if (sqlite3_deserialize(
		    mem->db, "main", b->db, (sqlite3_int64)b->db_len, (sqlite3_int64)b->db_len,
		    SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) != SQLITE_OK)
		rc = err_input(e, "its database cannot be opened");
	b->db = NULL;
	if (!rc)
		rc = check_schema(mem, e);
	if (!rc)
		rc = check_content(mem, b->uuid, e);
	if (rc) {
		/* What SQLite says of a store, and its remedies, do not fit a bundle. */
		if (rc != -EINVAL && rc != -ENOMEM)
			rc = err_input(e, "its database is damaged");
		err_prefix(e, "%s: nothing was imported", file);
		store_close(mem);
		return rc;
	}
	*out = mem;
	return 0;
}

/*
 * Stages of imports that were killed: a living one holds a lock on its own. The lock on the runs
 * folder keeps two imports from taking each other's new stage for a dead one.
 */
static void stage_sweep(int runs, const char *runs_dir)
{
	DIR *d = opendir(runs_dir);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		char *path;
		int fd;

		if (strncmp(de->d_name, STAGE_PREFIX, strlen(STAGE_PREFIX)))
			continue;
		fd = openat(runs, de->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!flock(fd, LOCK_EX | LOCK_NB)) {
			path = xasprintf("%s/%s", runs_dir, de->d_name);
			dir_remove(path, NULL);
			free(path);
		}
		close(fd);
	}
	if (d)
		closedir(d);
}

struct stage {
	char *path;
	int fd;
};

static int stage_make(const char *runs_dir, struct stage *st, struct err *e)
{
	int runs, rc;

	st->fd = -1;
	st->path = NULL;
	rc = dir_make(runs_dir, geteuid() ? 0700 : 0755, e);
	if (rc) {
		if (e)
			e->status = VB_BAD_INPUT;
		return rc;
	}
	runs = open(runs_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (runs < 0)
		return db_input(e, -errno, "%s: %s", runs_dir, strerror(errno));
	if (!flock(runs, LOCK_EX))
		stage_sweep(runs, runs_dir);
	st->path = xasprintf("%s/" STAGE_PREFIX "XXXXXX", runs_dir);
	if (mkdtemp(st->path))
		st->fd = open(st->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (st->fd < 0) {
		rc = db_input(e, -errno, "%s: no folder can be made there: %s", runs_dir,
			      strerror(errno));
		free(st->path);
		st->path = NULL;
	} else {
		flock(st->fd, LOCK_EX | LOCK_NB);
	}
	close(runs);
	return rc;
}

static void stage_end(struct stage *st)
{
	if (st->path)
		dir_remove(st->path, NULL);
	if (st->fd >= 0)
		close(st->fd);
	free(st->path);
}

/* Gives the stage its name: the uuid, or with a number when another store's import has that. */
static int stage_settle(struct stage *st, const char *runs_dir, const char *uuid, char **folder,
			struct err *e)
{
	char *to = NULL;
	int i, rc = -EEXIST;

	fchmod(st->fd, 0755);
	if (syncfs(st->fd))
		return err_set(e, -errno, "%s: %s", runs_dir, strerror(errno));
	for (i = 1; i < 100 && rc == -EEXIST; i++) {
		free(to);
		to = i == 1 ? xasprintf("%s/%s", runs_dir, uuid)
			    : xasprintf("%s/%s.%d", runs_dir, uuid, i);
		if (path_exists(to))
			continue;
		/* Onto a name that has just come into being this fails, since that is no empty
		 * folder. */
		rc = rename(st->path, to) ? -errno : 0;
		if (rc == -ENOTEMPTY || rc == -ENOTDIR)
			rc = -EEXIST;
	}
	if (rc) {
		free(to);
		return err_set(e, rc, "%s: the artefacts could not be put there: %s", runs_dir,
			       strerror(-rc));
	}
	free(st->path);
	st->path = xstrdup(to); /* still ours to remove until the rows are committed */
	*folder = to;
	return 0;
}

/* In s's transaction: 1 when the run is there and equal, 0 when it was added, or -errno. */
static int import_rows(struct store *s, struct store *mem, const char *uuid, struct stage *st,
		       const char *runs_dir, struct err *e)
{
	struct err none = {0};
	int64_t ours = 0, theirs = 0;
	char *folder = NULL;
	int rc;

	rc = db_run_id(mem, uuid, &theirs, e);
	if (rc)
		return rc;
	rc = db_run_id(s, uuid, &ours, &none);
	if (!rc) {
		rc = rows_equal(s, ours, mem, theirs, e);
		if (!rc)
			return db_input(
				e, -EEXIST,
				"%s: holds run %s with other content than the bundle; import that "
				"into another store with --db FILE",
				s->path, uuid);
		return rc;
	}
	if (rc != -ENOENT) {
		if (e)
			*e = none;
		return rc;
	}
	rc = stage_settle(st, runs_dir, uuid, &folder, e);
	if (!rc)
		rc = rows_copy(mem, theirs, s, folder, e);
	free(folder);
	return rc;
}

int store_import(struct store *s, const char *file, const char *runs_dir, char uuid[37],
		 struct err *e)
{
	struct stage st = {0};
	struct bundle b = {0};
	struct store *mem = NULL;
	int rc;

	uuid[0] = 0;
	rc = stage_make(runs_dir, &st, e);
	if (rc)
		return rc;
	rc = bundle_unpack(file, st.fd, &b, e);
	if (!rc)
		rc = bundle_open(file, &b, &mem, e);
	if (!rc)
		rc = db_begin(s, "importing a run", e);
	if (!rc) {
		rc = import_rows(s, mem, b.uuid, &st, runs_dir, e);
		if (!rc)
			rc = db_commit(s, "importing a run", e);
		if (!rc) {
			free(st.path);
			st.path = NULL;
		}
		db_rollback(s);
	}
	if (rc >= 0)
		memcpy(uuid, b.uuid, sizeof(b.uuid));
	stage_end(&st);
	bundle_free(&b);
	store_close(mem);
	return rc;
}
