/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Child processes that never outlive us: parent-death signal, deadlines, dropped rights, passed
 * fds. */
#ifndef VB_BASE_CHILD_H
#define VB_BASE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"

struct child {
	pid_t pid;	/* 0 when none is running */
	int pidfd;	/* readable when it has ended; -1 when none */
	uint64_t start; /* start time in clock ticks after boot (field 22 of /proc/PID/stat) */
};

/* Whose rights a child shall have; a uid of (uid_t)-1 means ours. */
struct child_user {
	uid_t uid;
	gid_t gid;
	gid_t groups[8]; /* supplementary groups kept, e.g. kvm */
	size_t ngroups;
};

struct child_opts {
	const char *const *argv; /* NULL-terminated; argv[0] is searched in PATH */
	int in, out, err;	 /* fds for 0, 1, 2; -1 means /dev/null */
	const int *keep;	 /* further fds that the child inherits under the same number */
	size_t nkeep;
	const struct child_user *user; /* NULL: ours */
	const char *cwd;	       /* NULL: ours */
	bool own_group; /* its own process group, so that ^C on the terminal does not reach it */
	/*
	 * A listening socket handed over as systemd does it (sd_listen_fds(3)): the child has it as
	 * fd 3, with LISTEN_FDS=1 and its own pid in LISTEN_PID. 0: none; else at least 3, as those of
	 * keep, among which 3 cannot be then.
	 */
	int activate;
};

/* Starts it, with PR_SET_PDEATHSIG = SIGKILL set after dropping rights. 0 or -errno (also of exec).
 */
int child_start(struct child *c, const struct child_opts *o, struct err *e);

/* Waits up to timeout_ms (-1: for ever). 0 and the wait status, or -ETIMEDOUT, or -errno. Reaps. */
int child_wait(struct child *c, int timeout_ms, int *wstatus);

/* SIGTERM, wait grace_ms, SIGKILL, reap. Nothing happens if it is not running. */
void child_end(struct child *c, int grace_ms, int *wstatus);

/*
 * Runs argv to its end under a deadline and collects what it prints (stdout, and stderr behind it;
 * at most 4 MiB, NUL-terminated, caller frees; out may be NULL). 0 when it exits with 0; else a
 * negative code and a sentence with the command, its exit and the tail of its output.
 */
int child_run(const char *const *argv, const struct child_user *user, int timeout_ms, char **out,
	      struct err *e);

/* "exit status 3" or "killed by SIGSEGV", into buf. */
const char *child_status_text(int wstatus, char *buf, size_t size);

/* Start time of any process in clock ticks after boot, 0 if there is none such. Identifies a pid
 * for good. */
uint64_t child_start_time(pid_t pid);

#endif
