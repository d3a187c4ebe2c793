/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bundle's file, read as an enemy's: bounded, in a fixed order, nothing but plain files and
 * folders. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "store/db.h"

struct unpack {
	const char *file;
	struct archive *a;
	int dir; /* artefacts go below it */
	unsigned entries;
	uint64_t total;
	struct bundle *b;
};

static int refuse(struct unpack *u, struct err *e, const char *why, const char *name)
{
	char *clean = name ? text_clean(name, strnlen(name, 200)) : NULL;
	int rc;

	rc = err_input(
		e,
		"%s: %s%s%s%s; nothing was imported. Get the bundle again from where it was exported",
		u->file, why, clean ? " (\"" : "", clean ? clean : "", clean ? "\")" : "");
	free(clean);
	return rc;
}

static int unpack_write_fail(struct unpack *u, const char *name, struct err *e)
{
	int sys = errno;

	if (sys == ENOSPC || sys == EDQUOT)
		return err_set(
			e, -ENOSPC,
			"%s: no space left for its artefacts; nothing was imported. Make room in the "
			"runs folder and import again",
			u->file);
	return err_set(e, -sys, "%s: %s could not be unpacked: %s; nothing was imported", u->file,
		       name, strerror(sys));
}

/* The whole of a small entry, NUL-terminated, of sqlite3_malloc64. */
static int read_whole(struct unpack *u, const char *name, uint64_t size, void **out, struct err *e)
{
	char *p = sqlite3_malloc64(size + 1);
	uint64_t got = 0;

	if (!p)
		return err_set(e, -ENOMEM, "%s: out of memory for %s", u->file, name);
	while (got < size) {
		la_ssize_t n = archive_read_data(u->a, p + got, (size_t)(size - got));

		if (n <= 0) {
			sqlite3_free(p);
			return refuse(u, e, "ends in the middle, or is damaged", name);
		}
		got += (uint64_t)n;
	}
	p[size] = 0;
	*out = p;
	return 0;
}

static int read_manifest(struct unpack *u, uint64_t size, struct err *e)
{
	const char *kind = NULL, *uuid = NULL;
	void *text = NULL;
	json_t *root;
	int format = 0, rc;

	rc = read_whole(u, BUNDLE_MANIFEST, size, &text, e);
	if (rc)
		return rc;
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	sqlite3_free(text);
	if (!root ||
	    json_unpack(root, "{s:s, s:i, s:s}", "kind", &kind, "format", &format, "uuid", &uuid) ||
	    strcmp(kind, "vbench run"))
		rc = refuse(u, e, "is no bundle of vbench: its manifest is not one", NULL);
	else if (format > BUNDLE_FORMAT)
		rc = err_input(
			e,
			"%s: was exported by a newer vbench (bundle format %d, this one knows up to "
			"%d); import it with that one",
			u->file, format, BUNDLE_FORMAT);
	else if (format < 1 || !db_uuid_ok(uuid))
		rc = refuse(u, e, "its manifest names no run", NULL);
	else
		memcpy(u->b->uuid, uuid, sizeof(u->b->uuid));
	json_decref(root);
	return rc;
}

/* Opens the folder `parts` levels down, making what is missing; links are never followed. */
static int open_parent(int dir, const char *path, struct err *e, struct unpack *u)
{
	int at = dup(dir), next;
	char part[256];
	const char *slash;

	while (at >= 0 && (slash = strchr(path, '/'))) {
		memcpy(part, path, (size_t)(slash - path));
		part[slash - path] = 0;
		if (mkdirat(at, part, 0755) && errno != EEXIST) {
			unpack_write_fail(u, path, e);
			close(at);
			return -1;
		}
		next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			refuse(u, e, "uses a file as a folder", path);
		close(at);
		at = next;
		path = slash + 1;
	}
	return at;
}

static int copy_out(struct unpack *u, int fd, const char *name, uint64_t size, struct err *e)
{
	char buf[65536];
	uint64_t got = 0;

	while (got < size) {
		la_ssize_t n = archive_read_data(u->a, buf, sizeof(buf));
		la_ssize_t done = 0;

		if (n <= 0 || (uint64_t)n > size - got)
			return refuse(u, e, "ends in the middle, or is damaged", name);
		while (done < n) {
			ssize_t w = write(fd, buf + done, (size_t)(n - done));

			if (w < 0 && errno == EINTR)
				continue;
			if (w < 0)
				return unpack_write_fail(u, name, e);
			done += w;
		}
		got += (uint64_t)n;
	}
	return 0;
}

static int unpack_file(struct unpack *u, const char *path, uint64_t size, struct err *e)
{
	const char *name = strrchr(path, '/');
	int parent = open_parent(u->dir, path, e, u), fd, rc;

	if (parent < 0)
		return -EINVAL;
	fd = openat(parent, name ? name + 1 : path,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0) {
		rc = errno == EEXIST ? refuse(u, e, "holds one name twice", path)
				     : unpack_write_fail(u, path, e);
	} else {
		rc = copy_out(u, fd, path, size, e);
		close(fd);
	}
	close(parent);
	return rc;
}

static int unpack_artefact(struct unpack *u, char *path, bool folder, uint64_t size, struct err *e)
{
	size_t len = strlen(path), skip = strlen(BUNDLE_ARTEFACTS);
	int fd;

	if (folder && len && path[len - 1] == '/')
		path[--len] = 0;
	if (folder && !strcmp(path, "artefacts"))
		return 0;
	if (strncmp(path, BUNDLE_ARTEFACTS, skip))
		return refuse(u, e, "holds something that is not part of a bundle", path);
	path += skip;
	if (!db_path_ok(path))
		return refuse(u, e, "holds a name that leaves its folder or is no plain name",
			      path);
	if (!folder)
		return unpack_file(u, path, size, e);
	path = xasprintf("%s/", path);
	fd = open_parent(u->dir, path, e, u);
	free(path);
	if (fd < 0)
		return -EINVAL;
	close(fd);
	return 0;
}

static int unpack_bounds(struct unpack *u, struct archive_entry *en, uint64_t *size, uint64_t max,
			 const char *path, struct err *e)
{
	la_int64_t n = archive_entry_size(en);

	if (n < 0 || (uint64_t)n > max)
		return refuse(u, e, "holds something far larger than it can be", path);
	*size = (uint64_t)n;
	u->total += *size;
	if (++u->entries > BUNDLE_MAX_ENTRIES + 2 || u->total > BUNDLE_MAX_TOTAL + BUNDLE_MAX_DB)
		return refuse(u, e, "unpacks to far more than a run holds", NULL);
	return 0;
}

static int unpack_entry(struct unpack *u, struct archive_entry *en, struct err *e)
{
	const char *expect = u->entries == 0 ? BUNDLE_MANIFEST : u->entries == 1 ? BUNDLE_DB : NULL;
	uint64_t max = u->entries == 0	 ? BUNDLE_MAX_MANIFEST
		       : u->entries == 1 ? BUNDLE_MAX_DB
					 : BUNDLE_MAX_FILE;
	const char *name = archive_entry_pathname(en);
	bool folder = archive_entry_filetype(en) == AE_IFDIR;
	uint64_t size = 0;
	char *path;
	int rc;

	if (!name)
		return refuse(u, e, "holds a name that cannot be read", NULL);
	if (archive_entry_hardlink(en) || archive_entry_symlink(en) ||
	    (!folder && archive_entry_filetype(en) != AE_IFREG))
		return refuse(u, e, "holds a link, a device or another thing that is no plain file",
			      name);
	if (expect && (folder || strcmp(name, expect)))
		return refuse(
			u, e,
			"is no bundle of vbench: it does not begin with a manifest and a database",
			name);
	rc = unpack_bounds(u, en, &size, max, name, e);
	if (rc)
		return rc;
	if (u->entries == 1)
		return read_manifest(u, size, e);
	if (u->entries == 2) {
		u->b->db_len = size;
		return read_whole(u, BUNDLE_DB, size, &u->b->db, e);
	}
	path = xstrdup(name);
	rc = unpack_artefact(u, path, folder, size, e);
	free(path);
	return rc;
}

static int unpack_all(struct unpack *u, struct err *e)
{
	struct archive_entry *en;
	int r, rc;

	while ((r = archive_read_next_header(u->a, &en)) != ARCHIVE_EOF) {
		/* A warning is about a name outside the locale: its bytes are checked like all
		 * others. */
		if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
			return refuse(u, e, "is no bundle of vbench, or damaged",
				      archive_error_string(u->a));
		rc = unpack_entry(u, en, e);
		if (rc)
			return rc;
	}
	if (u->entries < 2)
		return refuse(u, e, "is no bundle of vbench: it lacks a manifest or a database",
			      NULL);
	return 0;
}

int bundle_unpack(const char *file, int dirfd, struct bundle *b, struct err *e)
{
	struct unpack u = {.file = file, .dir = dirfd, .b = b};
	struct stat st;
	int fd, rc;

	memset(b, 0, sizeof(*b));
	fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return db_input(e, -errno, "%s: %s", file, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_input(e, "%s: is not a regular file", file);
	}
	u.a = archive_read_new();
	archive_read_support_filter_gzip(u.a);
	archive_read_support_filter_xz(u.a);
	archive_read_support_filter_zstd(u.a);
	archive_read_support_format_tar(u.a);
	if (archive_read_open_fd(u.a, fd, 65536) != ARCHIVE_OK)
		rc = refuse(&u, e, "is no bundle of vbench, or damaged", archive_error_string(u.a));
	else
		rc = unpack_all(&u, e);
	archive_read_free(u.a);
	close(fd);
	if (rc)
		bundle_free(b);
	return rc;
}

void bundle_free(struct bundle *b)
{
	sqlite3_free(b->db);
	b->db = NULL;
}
