/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal of what must vanish. One line an entry, appended and synced:
 *
 *	vbench-journal 1 MACHINE BOOT
 *	+path /a%20b		-path /a%20b
 *	+pid 1234 567890	-pid 1234 567890
 *
 * A last line without newline was torn by the end of its writer and does not count: what it
 * announces had not come into being.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <linux/openat2.h>
#include <unistd.h>
#include "base/child.h"
#include "base/file.h"
#include "base/journal.h"
#include "base/term.h"

#define JOURNAL_MAGIC "vbench-journal 1 "
#define JOURNAL_SUFFIX ".journal"

enum {
	JOURNAL_MAX = 16 << 20, /* bytes of a journal that a sweep reads */
	JOURNAL_KILL_MS = 5000,
};

struct entry {
	char *path; /* NULL: a process */
	pid_t pid;
	uint64_t start;
	bool live;
};

struct journal {
	int fd;
	char *file;
	bool same_boot; /* the entries' pids are of this boot */
	struct entry *list;
	size_t n, room;
};

struct journal_ears {
	void (*told)(const char *what, void *arg);
	void *arg;
	int removed;
};

/* Machine and boot, as they stand in the first line. A home on NFS is seen by several machines. */
static void journal_where(char machine[65], char boot[65])
{
	struct utsname u;

	if (file_line("/etc/machine-id", machine, 65) || !*machine) {
		memset(&u, 0, sizeof(u));
		uname(&u);
		snprintf(machine, 65, "%.64s", *u.nodename ? u.nodename : "?");
	}
	if (file_line("/proc/sys/kernel/random/boot_id", boot, 65) || !*boot)
		snprintf(boot, 65, "?");
	for (char *s = machine; *s; s++) {
		if (*s == ' ')
			*s = '_';
	}
}

static char *journal_escape(const char *path)
{
	char *out = xcalloc(strlen(path) * 3 + 1, 1), *o = out;

	for (const unsigned char *s = (const unsigned char *)path; *s; s++) {
		if (*s > ' ' && *s < 0x7f && *s != '%')
			*o++ = (char)*s;
		else
			o += sprintf(o, "%%%02x", *s);
	}
	return out;
}

static int journal_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* In place. Whether it was well-formed. */
static bool journal_unescape(char *text)
{
	char *o = text;

	for (char *s = text; *s; s++) {
		if (*s == '%') {
			int hi = journal_hex(s[1]);
			int lo = hi < 0 ? -1 : journal_hex(s[2]);

			if (lo < 0 || hi * 16 + lo == 0)
				return false;
			*o++ = (char)(hi * 16 + lo);
			s += 2;
		} else {
			*o++ = *s;
		}
	}
	*o = '\0';
	return true;
}

/* Absolute, at least two levels deep, no empty, "." or ".." parts: anything else is not ours. */
static bool journal_path_sane(const char *path)
{
	unsigned depth = 0;

	if (strlen(path) >= 4096)
		return false;
	while (*path == '/') {
		size_t n = strcspn(++path, "/");

		if (!n || (n == 1 && *path == '.') || (n == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += n;
		depth++;
	}
	return !*path && depth >= 2;
}

/*
 * Absolute, with the links in its folder (not in its last part) resolved as far as they exist now,
 * so that the sweep can refuse any link there. Caller frees; NULL for what cannot be recorded.
 */
static char *journal_absolute(const char *path)
{
	char *whole, *real = NULL, *cwd = NULL, *cut;
	char *rest = xstrdup("");

	if (*path != '/')
		cwd = getcwd(NULL, 0);
	whole = *path == '/' ? xstrdup(path) : xasprintf("%s/%s", cwd ? cwd : "", path);
	free(cwd);
	while (strlen(whole) > 1 && whole[strlen(whole) - 1] == '/')
		whole[strlen(whole) - 1] = '\0';
	while (!real && (cut = strrchr(whole, '/'))) {
		char *more = xasprintf("%s%s", cut, rest);

		free(rest);
		rest = more;
		*cut = '\0';
		real = realpath(*whole ? whole : "/", NULL);
	}
	free(whole);
	if (real) {
		whole = xasprintf("%s%s", strcmp(real, "/") ? real : "", rest);
		free(real);
	} else {
		whole = NULL;
	}
	free(rest);
	if (whole && !journal_path_sane(whole)) {
		free(whole);
		whole = NULL;
	}
	return whole;
}

static void journal_add(struct journal *j, char *path, pid_t pid, uint64_t start)
{
	if (j->n == j->room) {
		j->room = j->room ? j->room * 2 : 16;
		j->list = xrealloc(j->list, j->room, sizeof(*j->list));
	}
	j->list[j->n++] = (struct entry){.path = path, .pid = pid, .start = start, .live = true};
}

/* The last live entry of that name: struck out. path NULL: the process. */
static struct entry *journal_strike(struct journal *j, const char *path, pid_t pid)
{
	for (size_t i = j->n; i-- > 0;) {
		struct entry *en = &j->list[i];

		if (en->live &&
		    (path ? en->path && !strcmp(en->path, path) : !en->path && en->pid == pid)) {
			en->live = false;
			return en;
		}
	}
	return NULL;
}

static void journal_free(struct journal *j)
{
	for (size_t i = 0; i < j->n; i++)
		free(j->list[i].path);
	free(j->list);
	if (j->fd >= 0)
		close(j->fd);
	free(j->file);
	free(j);
}

/* One write, so that a kill tears at most the last line. */
static int journal_append(struct journal *j, const char *line, struct err *e)
{
	size_t len = strlen(line);
	ssize_t n;
	int rc = 0;

	do {
		n = write(j->fd, line, len);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		rc = -errno;
	else if ((size_t)n != len)
		rc = -ENOSPC;
	else if (fdatasync(j->fd) < 0 && errno != EINVAL)
		rc = -errno;
	/* The next entry must not be glued to half of this one. */
	if (n > 0 && rc == -ENOSPC && write(j->fd, "\n", 1) < 0)
		rc = -errno;
	if (rc)
		return err_set(e, rc, "%s: cannot be written: %s", j->file, strerror(-rc));
	return 0;
}

/* Opens a new file and locks it. -EAGAIN: a sweep took it for an orphan in between; try again. */
static int journal_create(struct journal *j, const char *dir)
{
	struct stat mine, there;

	free(j->file);
	j->file = xasprintf("%s/%d-%" PRIx64 JOURNAL_SUFFIX, dir, (int)getpid(), clock_real_ns());
	j->fd = open(j->file, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (j->fd < 0)
		return errno == EEXIST ? -EAGAIN : -errno;
	while (flock(j->fd, LOCK_EX) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	if (!fstat(j->fd, &mine) && !lstat(j->file, &there) && mine.st_ino == there.st_ino &&
	    mine.st_dev == there.st_dev)
		return 0;
	close(j->fd);
	j->fd = -1;
	return -EAGAIN;
}

int journal_open(const char *dir, struct journal **out, struct err *e)
{
	char machine[65], boot[65], *line;
	struct journal *j;
	int rc = dir_make(dir, 0700, e);

	*out = NULL;
	if (rc)
		return rc;
	j = xcalloc(1, sizeof(*j));
	j->fd = -1;
	j->same_boot = true;
	for (int i = 0; i < 100; i++) {
		rc = journal_create(j, dir);
		if (rc != -EAGAIN)
			break;
	}
	if (rc) {
		err_set(e, rc, "%s: cannot be made: %s", j->file, strerror(-rc));
	} else {
		journal_where(machine, boot);
		line = xasprintf(JOURNAL_MAGIC "%s %s\n", machine, boot);
		rc = journal_append(j, line, e);
		free(line);
	}
	if (rc) {
		if (j->fd >= 0)
			unlink(j->file);
		journal_free(j);
		return rc;
	}
	*out = j;
	return 0;
}

int journal_path(struct journal *j, const char *path, struct err *e)
{
	char *whole = journal_absolute(path), *text, *line;
	int rc;

	if (!whole)
		return err_set(e, -EINVAL, "%s: is not a path that may be removed later", path);
	text = journal_escape(whole);
	line = xasprintf("+path %s\n", text);
	rc = journal_append(j, line, e);
	free(line);
	free(text);
	if (rc)
		free(whole);
	else
		journal_add(j, whole, 0, 0);
	return rc;
}

int journal_folder(struct journal *j, const char *prefix, char **out, struct err *e)
{
	uint64_t random;
	char *path;
	int rc = 0;

	*out = NULL;
	/* not to be guessed: nobody else has such a name, and what is swept is our own */
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return err_set(e, -EIO, "no random number: %s", strerror(errno));
	path = xasprintf("%s%016" PRIx64, prefix, random);
	if (j)
		rc = journal_path(j, path, e);
	if (!rc && mkdir(path, 0700)) {
		rc = err_set(e, -errno, "%s: cannot be made: %s", path, strerror(errno));
		if (j)
			journal_done_path(j, path);
	}
	if (rc)
		free(path);
	else
		*out = path;
	return rc;
}

int journal_pid(struct journal *j, pid_t pid, struct err *e)
{
	uint64_t start = child_start_time(pid);
	char *line;
	int rc;

	if (!start || pid <= 1)
		return err_set(e, -ESRCH, "process %d: there is none such", (int)pid);
	line = xasprintf("+pid %d %" PRIu64 "\n", (int)pid, start);
	rc = journal_append(j, line, e);
	free(line);
	if (!rc)
		journal_add(j, NULL, pid, start);
	return rc;
}

void journal_done_path(struct journal *j, const char *path)
{
	char *whole = journal_absolute(path);
	/* The folder it lay in may be gone, and with it what links in it meant: try it as given. */
	struct entry *en = whole ? journal_strike(j, whole, 0) : NULL;

	if (!en)
		en = journal_strike(j, path, 0);
	if (en) {
		char *text = journal_escape(en->path);
		char *line = xasprintf("-path %s\n", text);

		/* A failure here only makes the sweep look for what is not there. */
		journal_append(j, line, NULL);
		free(line);
		free(text);
	}
	free(whole);
}

void journal_done_pid(struct journal *j, pid_t pid)
{
	struct entry *en = journal_strike(j, NULL, pid);
	char *line;

	if (!en)
		return;
	line = xasprintf("-pid %d %" PRIu64 "\n", (int)pid, en->start);
	journal_append(j, line, NULL);
	free(line);
}

static void journal_tell(struct journal_ears *ears, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void journal_tell(struct journal_ears *ears, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (!ears->told)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ears->told(text, ears->arg);
}

/* Kills the process if it is still the one recorded. 0 also when it is gone. */
static int journal_kill(const struct entry *en, struct journal_ears *ears)
{
	struct pollfd p = {.events = POLLIN};
	int rc = 0, n;

	/* Opened first, compared then: from here on the number can't come to mean another one. */
	p.fd = pidfd_open(en->pid, 0);
	if (p.fd < 0)
		return errno == ESRCH ? 0 : -errno;
	if (child_start_time(en->pid) != en->start) {
		close(p.fd);
		return 0;
	}
	/* Ended already, and only not waited for by its parent. */
	if (poll(&p, 1, 0) > 0) {
		close(p.fd);
		return 0;
	}
	if (pidfd_send_signal(p.fd, SIGKILL, NULL, 0) < 0) {
		rc = errno == ESRCH ? 0 : -errno;
	} else {
		do {
			n = poll(&p, 1, JOURNAL_KILL_MS);
		} while (n < 0 && errno == EINTR);
		rc = n > 0 ? 0 : -ETIMEDOUT;
	}
	close(p.fd);
	if (rc) {
		journal_tell(ears, "left-over process %d cannot be ended: %s", (int)en->pid,
			     strerror(-rc));
	} else {
		ears->removed++;
		journal_tell(ears, "ended left-over process %d", (int)en->pid);
	}
	return rc;
}

/* The folder of path, without following any link in it: it had none when it was recorded. */
static int journal_open_parent(const char *path, const char **name)
{
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
			       .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	const char *slash = strrchr(path, '/');
	char *dir = xasprintf("%.*s", slash == path ? 1 : (int)(slash - path), path);
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, dir, &how, sizeof(how));

	if (fd < 0)
		fd = -errno;
	free(dir);
	*name = slash + 1;
	return fd;
}

static int journal_remove(const struct entry *en, struct journal_ears *ears)
{
	const char *name;
	struct stat st;
	struct err e = {0};
	int fd = journal_open_parent(en->path, &name);
	int rc;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd < 0) {
		journal_tell(ears, "left-over %s: its folder cannot be entered: %s", en->path,
			     strerror(-fd));
		return fd;
	}
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT) {
		close(fd);
		return 0;
	}
	rc = dir_remove_at(fd, name, &e);
	close(fd);
	if (rc) {
		journal_tell(ears, "left-over %s cannot be removed: %s", en->path, e.text);
	} else {
		ears->removed++;
		journal_tell(ears, "removed left-over %s", en->path);
	}
	return rc;
}

/* Processes first, since they hold the files; then what came last goes first. The file stays on
 * failure. */
static int journal_undo(struct journal *j, struct journal_ears *ears)
{
	int rc = 0;

	for (size_t i = j->n; i-- > 0;) {
		const struct entry *en = &j->list[i];
		int one = en->live && !en->path && j->same_boot ? journal_kill(en, ears) : 0;

		rc = rc ? rc : one;
	}
	for (size_t i = j->n; i-- > 0;) {
		const struct entry *en = &j->list[i];
		int one = en->live && en->path ? journal_remove(en, ears) : 0;

		rc = rc ? rc : one;
	}
	if (!rc && unlink(j->file) < 0 && errno != ENOENT)
		rc = -errno;
	return rc;
}

void journal_close(struct journal *j)
{
	struct journal_ears deaf = {0};

	if (!j)
		return;
	journal_undo(j, &deaf);
	journal_free(j);
}

/* One entry from a line; false if it is none. */
static bool journal_parse_line(struct journal *j, char *line)
{
	unsigned long long start;
	int pid, end = 0;
	bool plus = *line == '+';

	if (*line != '+' && *line != '-')
		return false;
	line++;
	if (!strncmp(line, "path ", 5)) {
		line += 5;
		if (!journal_unescape(line) || !journal_path_sane(line))
			return false;
		if (plus)
			journal_add(j, xstrdup(line), 0, 0);
		else
			journal_strike(j, line, 0);
		return true;
	}
	if (sscanf(line, "pid %9d %20llu%n", &pid, &start, &end) != 2 || line[end] || pid <= 1)
		return false;
	if (plus)
		journal_add(j, NULL, pid, start);
	else
		journal_strike(j, NULL, pid);
	return true;
}

/* Whether the journal is of this machine; other machines' journals on a shared home are theirs. */
static bool journal_parse_head(struct journal *j, const char *line)
{
	char machine[65], boot[65], want[200];

	journal_where(machine, boot);
	snprintf(want, sizeof(want), JOURNAL_MAGIC "%s ", machine);
	if (strncmp(line, want, strlen(want)))
		return false;
	j->same_boot = strcmp(boot, "?") && !strcmp(line + strlen(want), boot);
	return true;
}

/* 1: to be undone; 0: not ours to touch. */
static int journal_parse(struct journal *j, char *text, struct journal_ears *ears)
{
	bool first = true;
	unsigned bad = 0;

	for (char *line = text, *nl; (nl = strchr(line, '\n')); line = nl + 1) {
		*nl = '\0';
		if (first && !journal_parse_head(j, line))
			return 0;
		if (!first && *line && !journal_parse_line(j, line))
			bad++;
		first = false;
	}
	if (bad)
		journal_tell(ears, "%s: %u lines are not understood and were passed over", j->file,
			     bad);
	return 1;
}

/* Locks the journal if it is a plain private file of ours and its owner is gone: an fd, else
 * negative. */
static int journal_seize(const char *file)
{
	struct stat st, there;
	int fd = open(file, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	    !(st.st_mode & 022) && st.st_nlink == 1 && !flock(fd, LOCK_EX | LOCK_NB) &&
	    !lstat(file, &there) && there.st_ino == st.st_ino && there.st_dev == st.st_dev)
		return fd;
	close(fd);
	return -EBUSY;
}

static void journal_sweep_one(const char *dir, const char *name, struct journal_ears *ears)
{
	struct journal *j = xcalloc(1, sizeof(*j));
	char *text = NULL, fd_path[40];

	j->file = xasprintf("%s/%s", dir, name);
	j->fd = journal_seize(j->file);
	if (j->fd >= 0) {
		snprintf(fd_path, sizeof(fd_path), "/proc/self/fd/%d", j->fd);
		if (file_read(fd_path, JOURNAL_MAX, &text, NULL))
			journal_tell(ears, "%s: cannot be read and is left alone", j->file);
		else if (!*text)
			unlink(j->file); /* its owner ended before the first entry */
		else if (journal_parse(j, text, ears))
			journal_undo(j, ears);
		free(text);
	}
	journal_free(j);
}

int journal_sweep(const char *dir, void (*told)(const char *what, void *arg), void *arg,
		  struct err *e)
{
	struct journal_ears ears = {.told = told, .arg = arg};
	struct dirent *de;
	DIR *d = opendir(dir);

	if (!d) {
		int rc = -errno;

		return rc == -ENOENT ? 0 : err_set(e, rc, "%s: %s", dir, strerror(-rc));
	}
	while ((de = readdir(d))) {
		size_t len = strlen(de->d_name);
		size_t tail = strlen(JOURNAL_SUFFIX);

		if (len > tail && !strcmp(de->d_name + len - tail, JOURNAL_SUFFIX))
			journal_sweep_one(dir, de->d_name, &ears);
	}
	closedir(d);
	return ears.removed;
}
