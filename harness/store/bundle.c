/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A run into one file: manifest, its rows as a small database, its folder. */
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "store/db.h"

/* The name decides the compression. */
static const struct {
	const char *suffix;
	int (*filter)(struct archive *);
} names[] = {
	{".tar.zst", archive_write_add_filter_zstd}, {".tzst", archive_write_add_filter_zstd},
	{".tar.gz", archive_write_add_filter_gzip},  {".tgz", archive_write_add_filter_gzip},
	{".tar.xz", archive_write_add_filter_xz},    {".txz", archive_write_add_filter_xz},
	{".tar", archive_write_add_filter_none},
};

/* The run's folder is walked twice: to list what is left out, which the manifest says first, and to
 * write. */
struct walk {
	struct archive *to; /* NULL: only count */
	const char *file;
	json_t *left_out;
	uint64_t total;
	unsigned entries;
};

struct export
{
	struct store_run run;
	unsigned char *db; /* of sqlite3_serialize */
	sqlite3_int64 db_len;
	json_t *left_out;
	const char *file;
	struct archive *a;
};

static int write_fail(struct archive *a, const char *file, struct err *e)
{
	int sys = archive_errno(a);

	if (sys == ENOSPC || sys == EDQUOT)
		return err_set(e, -ENOSPC,
			       "%s: no space left on its file system while exporting; choose "
			       "another place with -o FILE",
			       file);
	return err_set(e, sys > 0 ? -sys : -EIO, "%s: cannot be written: %s", file,
		       archive_error_string(a) ? archive_error_string(a) : "unknown error");
}

/* Times and owners are left out: equal runs give equal bundles. */
static int put_header(struct archive *a, const char *file, const char *path, bool folder,
		      uint64_t size, struct err *e)
{
	struct archive_entry *en = archive_entry_new();
	int rc;

	archive_entry_set_pathname(en, path);
	archive_entry_set_filetype(en, folder ? AE_IFDIR : AE_IFREG);
	archive_entry_set_perm(en, folder ? 0755 : 0644);
	archive_entry_set_mtime(en, 0, 0);
	archive_entry_set_size(en, folder ? 0 : (la_int64_t)size);
	rc = archive_write_header(a, en);
	archive_entry_free(en);
	/* A warning is about a name outside the locale: it is written as the bytes it has. */
	return rc == ARCHIVE_OK || rc == ARCHIVE_WARN ? 0 : write_fail(a, file, e);
}

static int put_bytes(struct archive *a, const char *file, const char *path, const void *data,
		     size_t len, struct err *e)
{
	int rc = put_header(a, file, path, false, len, e);

	if (rc)
		return rc;
	return archive_write_data(a, data, len) == (la_ssize_t)len ? 0 : write_fail(a, file, e);
}

static int put_file(struct walk *w, int fd, const char *path, uint64_t size, struct err *e)
{
	char buf[65536];
	int rc = put_header(w->to, w->file, path, false, size, e);

	while (!rc && size) {
		ssize_t n = read(fd, buf, size < sizeof(buf) ? (size_t)size : sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(e, -EIO,
				       "%s: could not be read to its end while exporting (%s); "
				       "export again when the run has ended",
				       path, n ? strerror(errno) : "it became shorter");
		if (archive_write_data(w->to, buf, (size_t)n) != n)
			return write_fail(w->to, w->file, e);
		size -= (uint64_t)n;
	}
	return rc;
}

static void leave_out(struct walk *w, const char *path)
{
	char *clean = text_clean(path, strlen(path));

	if (!w->to)
		json_array_append_new(w->left_out, json_string(clean));
	free(clean);
}

static int walk_folder(struct walk *w, int fd, const char *prefix, struct err *e);

static int count_entry(struct walk *w, uint64_t size, struct err *e)
{
	w->total += size;
	if (++w->entries > BUNDLE_MAX_ENTRIES || w->total > BUNDLE_MAX_TOTAL)
		return err_set(
			e, -EFBIG,
			"%s: the run's folder holds more than the %u files or %llu GiB that a bundle "
			"may; remove what is not needed from it",
			w->file, BUNDLE_MAX_ENTRIES, BUNDLE_MAX_TOTAL >> 30);
	return 0;
}

/*
 * One name. Every step goes by file descriptor and follows no link: parts of the folder may belong
 * to the user QEMU ran as, who must not be able to make root pack another file.
 */
static int walk_entry(struct walk *w, int dir, const char *name, const char *path, struct err *e)
{
	struct stat st;
	int fd, rc = 0;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : err_set(e, -errno, "%s: %s", path, strerror(errno));
	if (!db_path_ok(path) || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) ||
	    (S_ISREG(st.st_mode) && (uint64_t)st.st_size > BUNDLE_MAX_FILE)) {
		leave_out(w, path);
		return 0;
	}
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		rc = err_set(e, -errno, "%s: cannot be read for the bundle: %s", path,
			     strerror(errno));
	} else if (S_ISDIR(st.st_mode)) {
		rc = count_entry(w, 0, e);
		if (!rc && w->to) {
			char *slashed = xasprintf("%s/", path);

			rc = put_header(w->to, w->file, slashed, true, 0, e);
			free(slashed);
		}
		if (!rc)
			rc = walk_folder(w, fd, path, e);
	} else if (S_ISREG(st.st_mode) && (uint64_t)st.st_size <= BUNDLE_MAX_FILE) {
		rc = count_entry(w, (uint64_t)st.st_size, e);
		if (!rc && w->to)
			rc = put_file(w, fd, path, (uint64_t)st.st_size, e);
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_dots(const struct dirent *d)
{
	return strcmp(d->d_name, ".") && strcmp(d->d_name, "..");
}

static int walk_folder(struct walk *w, int fd, const char *prefix, struct err *e)
{
	struct dirent **list;
	int n, i, rc = 0;

	n = scandirat(fd, ".", &list, not_dots, by_name);
	if (n < 0)
		return err_set(e, -errno, "%s: cannot be listed for the bundle: %s", prefix,
			       strerror(errno));
	for (i = 0; i < n; i++) {
		if (!rc) {
			char *path = xasprintf("%s/%s", prefix, list[i]->d_name);

			rc = walk_entry(w, fd, list[i]->d_name, path, e);
			free(path);
		}
		free(list[i]);
	}
	free(list);
	return rc;
}

/* A run without a folder (imported without artefacts, or removed by hand) is still worth a bundle.
 */
static int walk_run(struct export *x, struct archive *to, struct err *e)
{
	struct walk w = {.to = to, .file = x->file, .left_out = x->left_out};
	int fd, rc;

	if (!x->run.folder || !*x->run.folder)
		return 0;
	fd = open(x->run.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_set(e, -errno, "%s: the run's folder cannot be read: %s", x->run.folder,
			       strerror(errno));
	/* The trailing slash of BUNDLE_ARTEFACTS comes with each name. */
	rc = walk_folder(&w, fd, "artefacts", e);
	close(fd);
	return rc;
}

/* The run's rows as the bytes of a database file. */
static int export_db(struct store *s, struct export *x, struct err *e)
{
	struct store *mem = NULL;
	int64_t id = 0;
	int rc;

	rc = db_connect(NULL, 0, &mem, e);
	if (!rc)
		rc = schema_migrate(mem, STORE_VERSION, e);
	if (!rc)
		rc = db_begin(mem, "copying a run", e);
	if (!rc)
		rc = db_run_id(s, x->run.uuid, &id, e);
	if (!rc)
		rc = rows_copy(s, id, mem, NULL, e);
	if (!rc)
		rc = db_commit(mem, "copying a run", e);
	if (!rc) {
		x->db = sqlite3_serialize(mem->db, "main", &x->db_len, 0);
		if (!x->db)
			rc = err_set(e, -ENOMEM, "run %.8s: out of memory while exporting",
				     x->run.uuid);
		else if ((uint64_t)x->db_len > BUNDLE_MAX_DB)
			rc = err_set(e, -EFBIG,
				     "run %.8s: its rows take more than the %llu MiB that a "
				     "bundle may",
				     x->run.uuid, BUNDLE_MAX_DB >> 20);
	}
	store_close(mem);
	return rc;
}

static int export_parts(struct export *x, struct err *e)
{
	json_t *manifest;
	char *text;
	int rc;

	manifest = json_pack("{s:s, s:i, s:s, s:s*, s:O}", "kind", "vbench run", "format",
			     BUNDLE_FORMAT, "uuid", x->run.uuid, "vbench", x->run.version,
			     "left_out", x->left_out);
	text = manifest ? json_dumps(manifest, JSON_INDENT(2)) : NULL;
	json_decref(manifest);
	if (!text)
		return err_set(e, -ENOMEM, "%s: out of memory while exporting", x->file);
	if (strlen(text) > BUNDLE_MAX_MANIFEST)
		rc = err_set(e, -EFBIG,
			     "%s: too many things in the run's folder cannot be exported",
			     x->run.folder);
	else
		rc = put_bytes(x->a, x->file, BUNDLE_MANIFEST, text, strlen(text), e);
	free(text);
	if (!rc)
		rc = put_bytes(x->a, x->file, BUNDLE_DB, x->db, (size_t)x->db_len, e);
	if (!rc)
		rc = walk_run(x, x->a, e);
	return rc;
}

static int export_write(struct export *x, int fd, int (*filter)(struct archive *), struct err *e)
{
	int rc = 0;

	x->a = archive_write_new();
	if (archive_write_set_format_pax_restricted(x->a) != ARCHIVE_OK ||
	    filter(x->a) < ARCHIVE_WARN || archive_write_open_fd(x->a, fd) != ARCHIVE_OK)
		rc = write_fail(x->a, x->file, e);
	if (!rc)
		rc = export_parts(x, e);
	if (!rc && archive_write_close(x->a) != ARCHIVE_OK)
		rc = write_fail(x->a, x->file, e);
	archive_write_free(x->a);
	if (!rc && fsync(fd))
		rc = err_set(e, -errno, "%s: %s", x->file, strerror(errno));
	return rc;
}

/* Whole or not at all: written beside its place, then linked to it, which never replaces anything.
 */
static int export_file(struct export *x, int (*filter)(struct archive *), struct err *e)
{
	char *part = xasprintf("%s.part-%d", x->file, (int)getpid());
	int fd, rc;

	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0) {
		rc = db_input(e, -errno,
			      "%s: cannot be made: %s; choose another place with -o FILE", part,
			      strerror(errno));
		free(part);
		return rc;
	}
	rc = export_write(x, fd, filter, e);
	close(fd);
	if (!rc && link(part, x->file)) {
		if (errno == EEXIST || path_exists(x->file))
			rc = db_input(
				e, -EEXIST,
				"%s: exists already; remove it, or choose another name with -o FILE",
				x->file);
		else if (rename(part, x->file)) /* a file system without links */
			rc = err_set(e, -errno, "%s: %s", x->file, strerror(errno));
	}
	unlink(part);
	free(part);
	return rc;
}

static int find_filter(const char *file, int (**filter)(struct archive *), struct err *e)
{
	size_t i, len = strlen(file), n;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		n = strlen(names[i].suffix);
		if (len > n && !strcmp(file + len - n, names[i].suffix)) {
			*filter = names[i].filter;
			return 0;
		}
	}
	return err_input(e, "%s: the name of a bundle ends in .tar.zst, .tar.gz, .tar.xz or .tar",
			 file);
}

int store_export(struct store *s, const char *uuid, const char *file, struct err *e)
{
	struct export x = {.file = file};
	int (*filter)(struct archive *) = NULL;
	int rc;

	rc = find_filter(file, &filter, e);
	if (!rc && path_exists(file))
		rc = db_input(e, -EEXIST,
			      "%s: exists already; remove it, or choose another name with -o FILE",
			      file);
	if (rc)
		return rc;
	x.left_out = json_array();
	/* One snapshot of the rows, even while the run goes on. */
	rc = db_exec(s, "BEGIN", "exporting", e);
	if (!rc)
		rc = store_run_find(s, uuid, &x.run, e);
	if (!rc)
		rc = export_db(s, &x, e);
	db_rollback(s);
	if (!rc)
		rc = walk_run(&x, NULL, e);
	if (!rc)
		rc = export_file(&x, filter, e);
	json_decref(x.left_out);
	sqlite3_free(x.db);
	store_run_free(&x.run);
	return rc;
}
