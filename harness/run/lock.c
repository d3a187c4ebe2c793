/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One measuring run per host: flock(2) on a file that every user can open. The file lies in a
 * folder where anyone may put anything, so it is opened with distrust, only written to where its
 * content is anyone's to write anyway, and what it says is shown as data. It is never removed: a
 * lock on a removed file locks nothing.
 */
#include "run/lock.h"
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 250, TEXT_MAX = 256, OPEN_TRIES = 20, BUSY_TRIES = 4 };

static const char *const host_places[RUN_LOCK_PLACES] = {"/run/lock/vbench.lock",
							 "/tmp/vbench.lock"};

/* The lock is one per process, as it is one per host. */
static struct run_lock process_lock = {.fd = {-1, -1}};

static void nap(long ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/*
 * Opens or makes the file; -errno. In a sticky folder fs.protected_regular refuses O_CREAT on a
 * file of someone else, even to root: so the existing file is opened without O_CREAT, and a new one
 * made with O_EXCL. Reading is enough for flock; whoever finds the file between its making and its
 * chmod tries again.
 */
static int place_open(const char *path)
{
	const int flags = O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int fd = -1, rc = 0;

	for (int i = 0; i < OPEN_TRIES; i++) {
		fd = open(path, O_RDWR | flags);
		if (fd < 0 && (errno == EACCES || errno == EROFS))
			fd = open(path, O_RDONLY | flags);
		if (fd >= 0)
			return fd;
		rc = -errno;
		if (rc == -EACCES && access(path, F_OK) == 0) {
			nap(5);
			continue;
		}
		if (rc != -ENOENT)
			return rc;
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | flags, 0666);
		if (fd >= 0) {
			if (fchmod(fd, 0666) == 0) /* whatever the umask */
				return fd;
			rc = -errno;
			close(fd);
			return rc;
		}
		rc = -errno;
		if (rc != -EEXIST)
			return rc;
	}
	return rc;
}

/*
 * A regular file with one name. Writing is for files that are ours or that everyone may write: a
 * link or a moved file must not make us (root, perhaps) write into what someone else guards.
 */
static int place_judge(int fd, bool *writable)
{
	int mode = fcntl(fd, F_GETFL) & O_ACCMODE;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_nlink > 1)
		return -EPERM;
	*writable = mode == O_RDWR && (st.st_uid == geteuid() || (st.st_mode & 0777) == 0666);
	return 0;
}

/* What the holder wrote, fit for a terminal; "" if nothing. */
static void place_read(int fd, char text[TEXT_MAX])
{
	ssize_t n = pread(fd, text, TEXT_MAX - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
}

static void place_write(int fd, const char *run)
{
	const struct passwd *pw = getpwuid(getuid());
	char text[TEXT_MAX];
	int n;

	n = snprintf(text, sizeof(text), "process %d of user %s%s%s\n", (int)getpid(),
		     pw ? pw->pw_name : "?", run ? ", run " : "", run ? run : "");
	if (n >= (int)sizeof(text)) {
		n = sizeof(text) - 1;
		text[n - 1] = '\n';
	}
	/* Only a message: where it can't be written, others just learn less. */
	if (ftruncate(fd, 0) == 0 && pwrite(fd, text, n, 0) < 0)
		return;
}

static bool asked_to_stop(void)
{
	sigset_t s;

	return sigpending(&s) == 0 &&
	       (sigismember(&s, SIGINT) == 1 || sigismember(&s, SIGTERM) == 1);
}

static int stopped(struct err *e)
{
	err_set(e, -EINTR, "interrupted while waiting for another measuring run to end");
	if (e)
		e->status = VB_INTERRUPTED;
	return -EINTR;
}

static int place_lock(int fd, const char *path, bool wait, struct err *e)
{
	char text[TEXT_MAX];
	int tries = 0;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		struct timespec t = {.tv_nsec = POLL_MS * 1000000L};

		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return err_set(e, -errno, "cannot lock %s: %s", path, strerror(errno));
		/* A doctor that looks has it for a moment (run_lock_check): that is nobody
		 * measuring. */
		if (!wait && ++tries < BUSY_TRIES) {
			nap(10);
			continue;
		}
		if (!wait) {
			place_read(fd, text);
			return err_set(
				e, -EBUSY,
				"another vbench is measuring on this host (%s; lock %s), and two at once "
				"would measure each other; wait for it with --wait",
				*text ? text : "by whom is not known", path);
		}
		if (asked_to_stop() || (nanosleep(&t, NULL) < 0 && errno == EINTR))
			return stopped(e);
	}
	return 0;
}

int run_lock_take_at(struct run_lock *l, const char *const places[RUN_LOCK_PLACES], bool wait,
		     struct err *e)
{
	int rc = 0, why = 0, have = 0;

	*l = (struct run_lock){.fd = {-1, -1}};
	for (int i = 0; i < RUN_LOCK_PLACES; i++) {
		int fd = places[i] ? place_open(places[i]) : -ENOENT;

		if (fd >= 0)
			rc = place_judge(fd, &l->ours[i]);
		if (fd < 0 || rc < 0) {
			why = fd < 0 ? fd : rc;
			if (fd >= 0)
				close(fd);
			continue;
		}
		rc = place_lock(fd, places[i], wait, e);
		if (rc < 0) {
			close(fd);
			run_lock_release_at(l);
			return rc;
		}
		l->fd[i] = fd;
		have++;
		if (l->ours[i])
			place_write(fd, NULL);
	}
	if (!have)
		return err_set(
			e, why,
			"no lock file can be opened that all users of this host share (%s, %s: %s); make "
			"one of the folders writable for all, with the sticky bit: chmod 1777",
			places[0], places[1] ? places[1] : "-", strerror(-why));
	l->held = true;
	return 0;
}

void run_lock_note_at(struct run_lock *l, const char *run)
{
	for (int i = 0; i < RUN_LOCK_PLACES; i++)
		if (l->held && l->fd[i] >= 0 && l->ours[i])
			place_write(l->fd[i], run);
}

void run_lock_release_at(struct run_lock *l)
{
	for (int i = RUN_LOCK_PLACES - 1; i >= 0; i--) {
		if (l->fd[i] < 0)
			continue;
		/* Emptied while still locked, so that nobody else's words go. */
		if (l->ours[i] && ftruncate(l->fd[i], 0) < 0)
			l->ours[i] = false;
		close(l->fd[i]);
		l->fd[i] = -1;
	}
	l->held = false;
}

int run_lock_take(bool wait, struct err *e)
{
	if (process_lock.held)
		return 0;
	return run_lock_take_at(&process_lock, host_places, wait, e);
}

void run_lock_note(const char *run)
{
	run_lock_note_at(&process_lock, run);
}

void run_lock_release(void)
{
	run_lock_release_at(&process_lock);
}

/* Looks at existing files only: the doctor leaves nothing behind, and a file that is not there is
 * not locked. */
int run_lock_check(struct err *e)
{
	for (int i = 0; i < RUN_LOCK_PLACES; i++) {
		bool writable;
		int fd = open(host_places[i],
			      O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY),
		    rc;

		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			return err_set(e, -errno, "cannot open %s: %s", host_places[i],
				       strerror(errno));
		rc = place_judge(fd, &writable);
		if (rc < 0)
			err_set(e, rc, "%s is not a plain file with one name: remove it",
				host_places[i]);
		else if (!process_lock.held)
			rc = place_lock(fd, host_places[i], false, e);
		close(fd);
		if (rc < 0)
			return rc;
	}
	return 0;
}
