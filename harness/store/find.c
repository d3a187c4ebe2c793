/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One run by what people call it. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "store/db.h"

#define PREFIX_MIN 4
#define SHOWN 8 /* matches of an ambiguous prefix */

/* 1 and *out filled, 0 when there is none, or -errno. text NULL: no parameter but the offset. */
static int find_one(struct store *s, const char *sql, const char *text, int64_t offset,
		    struct store_run *out, struct err *e)
{
	struct stmt q = {0};
	int rc;

	rc = stmt_new(&q, s, sql, e);
	if (!rc) {
		if (text)
			stmt_text(&q, text);
		stmt_int(&q, offset);
		rc = stmt_step(&q, "looking for a run", e);
	}
	if (rc > 0)
		db_read_run(&q, out);
	stmt_end(&q);
	return rc;
}

/* "last" is 0, "last~3" is 3; -1 when it is no such name, -2 when the number is none. */
static int64_t last_offset(const char *what)
{
	int64_t n = 0;
	const char *p;

	if (strncmp(what, "last", 4) || (what[4] && what[4] != '~'))
		return -1;
	if (!what[4])
		return 0;
	for (p = what + 5; isdigit((unsigned char)*p) && n < 1000000000; p++)
		n = n * 10 + (*p - '0');
	return *p || p == what + 5 ? -2 : n;
}

static int find_last(struct store *s, const char *what, int64_t offset, struct store_run *out,
		     struct err *e)
{
	int64_t have;
	int rc;

	if (offset < 0)
		return err_input(e, "\"%s\": after last~ comes a number, as in last~1", what);
	rc = find_one(s, "SELECT " RUN_COLUMNS " FROM run" NEWEST_FIRST " LIMIT 1 OFFSET ?", NULL,
		      offset, out, e);
	if (rc)
		return rc < 0 ? rc : 0;
	rc = db_number(s, "SELECT count(*) FROM run", &have, e);
	if (rc)
		return rc;
	return db_input(e, -ENOENT, "%s: there is no run \"%s\", since the store holds %lld; %s",
			s->path, what, (long long)have,
			have ? "`vbench runs` lists them" : "`vbench run` makes the first");
}

/* Lower-case copy when it may be the beginning of a uuid, else NULL. */
static char *uuid_prefix(const char *what)
{
	size_t len = strlen(what), digits = 0, i;
	char *p;

	if (len > 36)
		return NULL;
	for (i = 0; i < len; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? what[i] != '-' : !isxdigit((unsigned char)what[i]))
			return NULL;
		digits += !dash;
	}
	if (digits < PREFIX_MIN)
		return NULL;
	p = xstrdup(what);
	for (i = 0; i < len; i++)
		p[i] = (char)tolower((unsigned char)p[i]);
	return p;
}

static void add_match(char *list, size_t size, struct stmt *q)
{
	size_t len = strlen(list);
	int64_t begun = stmt_col_int(q, 2);
	time_t t = (time_t)(begun / 1000000000);
	char when[32] = "?", label[64];
	struct tm tm;

	stmt_col_buf(q, 1, label, sizeof(label));
	if (localtime_r(&t, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
	snprintf(list + len, size - len, "%s%s (%s%s%s)", len ? ", " : "",
		 (const char *)sqlite3_column_text(q->st, 0), label, *label ? ", " : "", when);
}

/* 1 found, 0 none, -ENOTUNIQ with the matches. */
static int find_prefix(struct store *s, const char *what, const char *prefix, struct store_run *out,
		       struct err *e)
{
	char list[1200] = "";
	struct stmt q = {0};
	int rc, n = 0;

	rc = stmt_new(
		&q, s,
		"SELECT uuid, label, begun FROM run WHERE substr(uuid, 1, length(?1)) = ?1" NEWEST_FIRST,
		e);
	if (!rc)
		stmt_text(&q, prefix);
	while (!rc && (rc = stmt_step(&q, "looking for a run", e)) > 0) {
		if (n++ < SHOWN)
			add_match(list, sizeof(list), &q);
		rc = 0;
	}
	stmt_end(&q);
	if (rc)
		return rc;
	if (n > 1)
		return db_input(e, -ENOTUNIQ,
				"\"%s\" is the beginning of %d runs: %s%s; give more digits", what,
				n, list, n > SHOWN ? ", ..." : "");
	if (!n)
		return 0;
	return find_one(s,
			"SELECT " RUN_COLUMNS
			" FROM run WHERE substr(uuid, 1, length(?1)) = ?1 LIMIT 1 OFFSET ?2",
			prefix, 0, out, e);
}

int store_run_find(struct store *s, const char *what, struct store_run *out, struct err *e)
{
	int64_t offset = last_offset(what);
	char *prefix;
	int rc;

	memset(out, 0, sizeof(*out));
	if (offset != -1)
		return find_last(s, what, offset, out, e);
	/* A whole uuid goes before labels: those of imported runs may be anything, even another's
	 * uuid. */
	rc = find_one(s, "SELECT " RUN_COLUMNS " FROM run WHERE uuid = lower(?) LIMIT 1 OFFSET ?",
		      what, 0, out, e);
	if (!rc)
		rc = find_one(s,
			      "SELECT " RUN_COLUMNS " FROM run WHERE label = ?" NEWEST_FIRST
			      " LIMIT 1 OFFSET ?",
			      what, 0, out, e);
	prefix = rc ? NULL : uuid_prefix(what);
	if (prefix)
		rc = find_prefix(s, what, prefix, out, e);
	free(prefix);
	if (rc)
		return rc < 0 ? rc : 0;
	return db_input(
		e, -ENOENT,
		"%s: there is no run \"%s\"; a run is last, last~1, a label, or the first %d or more "
		"digits of an id that `vbench runs` lists",
		s->path, what, PREFIX_MIN);
}
