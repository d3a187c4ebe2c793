/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening a store: where it lies, whose it is, and how it survives power loss on that file system.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "base/file.h"
#include "store/db.h"

#define ROOT_DATA "/var/lib/vbench"

/*
 * statfs(2)'s f_type of file systems that other machines (or a process behind FUSE) may write to as
 * well: WAL needs memory shared by all its readers and writers [sqlite.org/wal.html]. Numbers
 * without a name in linux/magic.h are those that statfs(2) and GNU stat list.
 */
bool db_wal_ok(long f_type)
{
	switch ((unsigned long)f_type & 0xffffffff) {
	case NFS_SUPER_MAGIC:
	case SMB_SUPER_MAGIC:
	case CIFS_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case FUSE_SUPER_MAGIC:
	case V9FS_MAGIC:
	case CEPH_SUPER_MAGIC:
	case AFS_SUPER_MAGIC:
	case AFS_FS_MAGIC:
	case CODA_SUPER_MAGIC:
	case NCP_SUPER_MAGIC:
	case OCFS2_SUPER_MAGIC:
	case 0x0bd00bd0: /* Lustre */
	case 0x47504653: /* GPFS */
	case 0x01161970: /* GFS2 */
	case 0x19830326: /* BeeGFS (fhgfs) */
	case 0xaad7aaea: /* PanFS */
	case 0x786f4256: /* VirtualBox shared folder */
	case 0xbacbacbc: /* VMware shared folder */
	case 0x7c7c6013: /* Parallels shared folder */
	case 0x20030528: /* OrangeFS (PVFS2) */
		return false;
	default:
		return true;
	}
}

char *store_data_dir(void)
{
	const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	struct passwd *pw;

	/* A relative path there is to be ignored [XDG Base Directory Specification]. */
	if (xdg && xdg[0] == '/')
		return xasprintf("%s/vbench", xdg);
	if (geteuid() == 0)
		return xstrdup(ROOT_DATA);
	if (!home || home[0] != '/') {
		pw = getpwuid(geteuid());
		home = pw && pw->pw_dir ? pw->pw_dir : "/";
	}
	return xasprintf("%s/.local/share/vbench", strcmp(home, "/") ? home : "");
}

char *store_default_db(void)
{
	char *dir = store_data_dir(), *db = xasprintf("%s/vbench.db", dir);

	free(dir);
	return db;
}

char *store_runs_dir(const char *db)
{
	char *folder = path_folder(db), *dir = xasprintf("%s/runs", folder);

	free(folder);
	return dir;
}

/* A new file's name survives a power cut only once its folder is on disk. */
static void folder_sync(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

static int folder_make(const char *path, struct err *e)
{
	char *folder = path_folder(path), *parent;
	size_t n = strlen(ROOT_DATA);
	bool shared = !strncmp(folder, ROOT_DATA, n) && (!folder[n] || folder[n] == '/');
	int rc = 0;

	if (!path_exists(folder)) {
		/* QEMU runs as another user below root's folder; a user's own results are nobody
		 * else's. */
		rc = dir_make(folder, shared ? 0755 : 0700, e);
		if (rc && e)
			e->status = VB_BAD_INPUT;
		parent = path_folder(folder);
		folder_sync(parent);
		free(parent);
	}
	free(folder);
	return rc;
}

/* SQLite gives some names a meaning (":memory:", "file:..."); a path with a slash has none. */
static char *plain_path(const char *path)
{
	return strchr(path, '/') && strncmp(path, "file:", 5) ? xstrdup(path)
							      : xasprintf("./%s", path);
}

static bool file_is_new(const char *path, bool create, int *rc, struct err *e)
{
	struct stat st;

	*rc = 0;
	if (!stat(path, &st)) {
		if (!S_ISREG(st.st_mode))
			*rc = err_input(e, "%s: is not a regular file; give a store with --db FILE",
					path);
		return !st.st_size;
	}
	if (errno != ENOENT)
		*rc = db_input(e, -errno, "%s: %s; give another store with --db FILE", path,
			       strerror(errno));
	else if (!create)
		*rc = db_input(
			e, -ENOENT,
			"%s: there is no such store yet; `vbench run` makes it, --db FILE names "
			"another",
			path);
	return true;
}

/*
 * WAL where it is safe, else a rollback journal. The lock mode keeps SQLite from mapping shared
 * memory when a WAL store was copied to a network file system. A store that others hold open keeps
 * its mode for this time.
 */
int db_journal(struct store *s, bool wal, struct err *e)
{
	static const char doing[] = "choosing its journal";
	int rc, mode;

	if (wal) {
		mode = sqlite3_exec(s->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
		rc = mode == SQLITE_OK || (mode & 0xff) == SQLITE_BUSY ? 0
								       : db_fail(s, mode, doing, e);
	} else {
		rc = db_exec(s,
			     "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; "
			     "PRAGMA locking_mode = NORMAL; SELECT count(*) FROM sqlite_schema",
			     doing, e);
	}
	/*
	 * EXTRA is FULL, and where there is no WAL it makes the removal of the journal durable too:
	 * else a power cut could bring the journal back, and with it undo a committed trial.
	 */
	return rc ? rc : db_exec(s, "PRAGMA synchronous = EXTRA", doing, e);
}

static bool wal_here(const char *path)
{
	char *folder = path_folder(path);
	struct statfs fs;
	bool wal = statfs(folder, &fs) || db_wal_ok((long)fs.f_type);

	free(folder);
	return wal;
}

/*
 * A WAL store in a folder we may not write to, with nobody having it open: SQLite cannot make the
 * shared memory it wants, but then the file alone is the whole truth.
 */
static int open_immutable(const char *path, struct store **out, struct err *e)
{
	char *wal = xasprintf("%s-wal", path), *uri, *w;
	const char *p;
	struct stat st;
	bool pending = !stat(wal, &st) && st.st_size > 0;
	int rc;

	free(wal);
	if (pending)
		return db_input(
			e, -EACCES,
			"%s: is being written and you may not write to its folder; read it as "
			"its owner, or export the run there",
			path);
	uri = xcalloc(strlen(path) + 16, 3);
	w = uri + sprintf(uri, "file:");
	for (p = path; *p; p++) {
		if (strchr("%?#", *p))
			w += sprintf(w, "%%%02X", *p);
		else
			*w++ = *p;
	}
	sprintf(w, "?immutable=1");
	rc = db_connect(uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, out, e);
	free(uri);
	if (!rc) {
		free((*out)->path);
		(*out)->path = xstrdup(path);
	}
	return rc;
}

static int store_prepare(struct store *s, bool create, struct err *e)
{
	bool wal = wal_here(s->path);
	int version, rc = 0;

	/* Before the first page is read, since reading is what maps the shared memory. */
	if (!wal)
		rc = db_exec(s, "PRAGMA locking_mode = EXCLUSIVE", "opening it", e);
	if (!rc)
		rc = schema_identify(s, &version, e);
	if (rc)
		return rc;
	if (!version && !create)
		return db_input(e, -ENOENT,
				"%s: is empty; `vbench run` fills it, --db FILE names another",
				s->path);
	if (sqlite3_db_readonly(s->db, "main") == 1) {
		if (create || version < STORE_VERSION)
			return db_input(
				e, -EACCES,
				"%s: may not be written; mend its rights, or give another with "
				"--db FILE",
				s->path);
		return 0;
	}
	rc = db_journal(s, wal, e);
	if (!rc && version < STORE_VERSION)
		rc = schema_migrate(s, STORE_VERSION, e);
	return rc;
}

static int store_try(const char *path, bool create, struct store **out, struct err *e)
{
	struct err first = {0};
	int version, rc;

	rc = db_connect(path, SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0), out, e);
	if (rc || create || sqlite3_db_readonly((*out)->db, "main") != 1)
		return rc;
	rc = schema_identify(*out, &version, &first);
	if (rc != -EACCES && rc != -ENOENT && rc != -EROFS)
		return 0; /* store_prepare asks again and tells */
	store_close(*out);
	*out = NULL;
	return open_immutable(path, out, e);
}

int store_open(const char *path, bool create, struct store **out, struct err *e)
{
	struct store *s = NULL;
	char *plain;
	bool fresh;
	int rc;

	*out = NULL;
	if (!path || !*path)
		return err_input(e, "the store's name is empty; give one with --db FILE");
	plain = plain_path(path);
	fresh = file_is_new(plain, create, &rc, e);
	if (!rc && fresh && create)
		rc = folder_make(plain, e);
	if (!rc)
		rc = store_try(plain, create, &s, e);
	if (!rc)
		rc = store_prepare(s, create, e);
	if (!rc && fresh) {
		char *folder = path_folder(plain);

		folder_sync(folder);
		free(folder);
	}
	free(plain);
	if (rc) {
		store_close(s);
		return rc;
	}
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	sqlite3_close(s->db);
	free(s->path);
	free(s);
}
