/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting, awaiting and ending child processes. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/child.h"
#include "base/file.h"
#include "base/term.h"

enum {
	CHILD_OUTPUT_MAX = 4 << 20, /* bytes kept of what child_run's command prints */
	CHILD_TAIL = 600,	    /* bytes of it shown in a sentence */
	CHILD_KILL_MS = 10000, /* a killed process can still sit in the kernel, on a dead NFS say */
	CHILD_LISTEN_FD = 3,   /* SD_LISTEN_FDS_START of sd_listen_fds(3) */
};

/* What the child tells through the pipe when it cannot become the command. */
struct child_failure {
	int error;
	char step[60];
};

struct child_output {
	int fd;
	char *data;
	size_t len;
};

static void child_fail(int report, const char *step) __attribute__((noreturn));
static void child_fail(int report, const char *step)
{
	struct child_failure f = {.error = errno ? errno : EIO};

	strncpy(f.step, step, sizeof(f.step) - 1);
	if (write(report, &f, sizeof(f)) < 0)
		_exit(126);
	_exit(127);
}

/* A handler of ours must not run in the child; an ignored signal would stay ignored through exec.
 */
static void child_reset_signals(void)
{
	struct sigaction sa = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &sa, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* fd for slot 0, 1 or 2, first moved out of their way. */
static int child_lift(int report, int fd, int flags)
{
	int up;

	if (fd >= 0) {
		up = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	} else {
		int null = open("/dev/null", flags | O_CLOEXEC);

		if (null < 0)
			child_fail(report, "opening /dev/null");
		up = null < 3 ? fcntl(null, F_DUPFD_CLOEXEC, 3) : null;
	}
	if (up < 0)
		child_fail(report, "passing file descriptors");
	return up;
}

/* sd_listen_fds(3): the number is fixed, and the pid must be that of the one who listens. */
static void child_activate(int report, int fd)
{
	char pid[16];

	if (fd != CHILD_LISTEN_FD && dup2(fd, CHILD_LISTEN_FD) < 0)
		child_fail(report, "passing the listening socket");
	if (fcntl(CHILD_LISTEN_FD, F_SETFD, 0) < 0)
		child_fail(report, "passing the listening socket");
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (setenv("LISTEN_PID", pid, 1) || setenv("LISTEN_FDS", "1", 1) ||
	    unsetenv("LISTEN_FDNAMES"))
		child_fail(report, "setting LISTEN_PID");
}

static void child_arrange_fds(int report, const struct child_opts *o)
{
	int in = child_lift(report, o->in, O_RDONLY);
	int out = child_lift(report, o->out, O_WRONLY);
	int err = child_lift(report, o->err, O_WRONLY);

	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		child_fail(report, "passing file descriptors");
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		child_fail(report, "closing file descriptors");
	for (size_t i = 0; i < o->nkeep; i++) {
		if (fcntl(o->keep[i], F_SETFD, 0) < 0)
			child_fail(report, "keeping file descriptors");
	}
	if (o->activate)
		child_activate(report, o->activate);
}

static void child_drop_rights(int report, const struct child_user *u)
{
	uid_t r, e, s;

	if (!u || u->uid == (uid_t)-1)
		return;
	/* Only root may change groups; whoever asks for what it already is needs nothing. */
	if (geteuid() != 0 && u->uid == geteuid() && u->gid == getegid())
		return;
	if (setgroups(u->ngroups, u->groups) < 0)
		child_fail(report, "setting supplementary groups");
	if (setresgid(u->gid, u->gid, u->gid) < 0)
		child_fail(report, "changing the group");
	if (setresuid(u->uid, u->uid, u->uid) < 0)
		child_fail(report, "changing the user");
	if (getresuid(&r, &e, &s) < 0 || r != u->uid || e != u->uid || s != u->uid ||
	    (u->uid != 0 && setuid(0) == 0)) {
		errno = EPERM;
		child_fail(report, "giving up rights for good");
	}
}

static void child_become(int report, pid_t parent, const struct child_opts *o)
	__attribute__((noreturn));
static void child_become(int report, pid_t parent, const struct child_opts *o)
{
	child_reset_signals();
	if (o->own_group && setpgid(0, 0) < 0)
		child_fail(report, "making a process group");
	child_arrange_fds(report, o);
	if (o->cwd && chdir(o->cwd) < 0)
		child_fail(report, "entering the working folder");
	child_drop_rights(report, o->user);
	/* Behind the change of credentials, which clears it (prctl(2)). */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		child_fail(report, "binding its life to ours");
	/* The parent may have died before that took hold. */
	if (getppid() != parent)
		_exit(127);
	execvp(o->argv[0], (char *const *)o->argv);
	child_fail(report, "");
}

/* Reads what the child reports until exec closes the pipe. 0, or a positive errno. */
static int child_hear(int fd, struct child_failure *f)
{
	size_t got = 0;

	while (got < sizeof(*f)) {
		ssize_t n = read(fd, (char *)f + got, sizeof(*f) - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	if (got < sizeof(*f))
		return 0;
	f->step[sizeof(f->step) - 1] = '\0';
	return f->error > 0 ? f->error : EIO;
}

static int child_check_opts(const struct child_opts *o, struct err *e)
{
	if (!o->argv || !o->argv[0] || !*o->argv[0])
		return err_set(e, -EINVAL, "no command given");
	for (size_t i = 0; i < o->nkeep; i++) {
		if (o->keep[i] < 3 || (o->activate && o->keep[i] == CHILD_LISTEN_FD))
			return err_set(e, -EINVAL,
				       "%s: file descriptor %d cannot be passed as it is",
				       o->argv[0], o->keep[i]);
	}
	/* 0 to 2 become the child's own before it is looked at; 0 says that there is none */
	if (o->activate && o->activate < 3)
		return err_set(e, -EINVAL, "%s: file descriptor %d cannot be passed as it is",
			       o->argv[0], o->activate);
	if (o->user && o->user->ngroups > sizeof(o->user->groups) / sizeof(o->user->groups[0]))
		return err_set(e, -EINVAL, "%s: too many supplementary groups", o->argv[0]);
	return 0;
}

/* fork with every signal blocked, so that none of our handlers runs in the child. */
static pid_t child_fork(const struct child_opts *o, int report[2])
{
	pid_t parent = getpid(), pid;
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	pid = fork();
	if (pid == 0)
		child_become(report[1], parent, o);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (pid < 0)
		pid = -errno;
	close(report[1]);
	return pid;
}

int child_start(struct child *c, const struct child_opts *o, struct err *e)
{
	struct child_failure f;
	int report[2], rc;
	pid_t pid;

	*c = (struct child){.pidfd = -1};
	rc = child_check_opts(o, e);
	if (rc)
		return rc;
	if (pipe2(report, O_CLOEXEC) < 0)
		return err_set(e, -errno, "%s: cannot be started: %s", o->argv[0], strerror(errno));
	/* Out of the way of 0, 1 and 2, and of what the child may get as 3. */
	if (report[1] <= CHILD_LISTEN_FD) {
		int up = fcntl(report[1], F_DUPFD_CLOEXEC, CHILD_LISTEN_FD + 1);

		close(report[1]);
		report[1] = up;
		if (up < 0) {
			close(report[0]);
			return err_set(e, -EMFILE, "%s: cannot be started: too many open files",
				       o->argv[0]);
		}
	}
	pid = child_fork(o, report);
	if (pid < 0) {
		close(report[0]);
		return err_set(e, pid, "%s: cannot be started: %s", o->argv[0], strerror(-pid));
	}
	rc = child_hear(report[0], &f);
	close(report[0]);
	if (rc) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return err_set(e, -rc, "%s: cannot be started: %s%s%s", o->argv[0], f.step,
			       *f.step ? ": " : "", strerror(rc));
	}
	c->pidfd = pidfd_open(pid, 0);
	if (c->pidfd < 0) {
		rc = -errno;
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return err_set(e, rc, "%s: cannot be watched: pidfd_open: %s", o->argv[0],
			       strerror(-rc));
	}
	c->pid = pid;
	c->start = child_start_time(pid);
	return 0;
}

static void child_forget(struct child *c)
{
	if (c->pidfd >= 0)
		close(c->pidfd);
	*c = (struct child){.pidfd = -1};
}

static int child_reap(struct child *c, int *wstatus)
{
	int status = 0, rc = 0;

	while (waitpid(c->pid, &status, 0) < 0) {
		if (errno == EINTR)
			continue;
		rc = -errno;
		break;
	}
	child_forget(c);
	if (wstatus)
		*wstatus = status;
	return rc;
}

/* ms left until deadline (of clock_mono_ns), rounded up; -1 for none, 0 when it has passed. */
static int child_left_ms(uint64_t deadline)
{
	uint64_t now = clock_mono_ns();
	uint64_t ms;

	if (deadline == UINT64_MAX)
		return -1;
	if (now >= deadline)
		return 0;
	ms = (deadline - now + 999999) / 1000000;
	return ms > 1000000 ? 1000000 : (int)ms;
}

static uint64_t child_deadline(int timeout_ms)
{
	if (timeout_ms < 0)
		return UINT64_MAX;
	return clock_mono_ns() + (uint64_t)timeout_ms * 1000000;
}

int child_wait(struct child *c, int timeout_ms, int *wstatus)
{
	uint64_t deadline = child_deadline(timeout_ms);
	struct pollfd p = {.fd = c->pidfd, .events = POLLIN};

	if (!c->pid)
		return -ECHILD;
	for (;;) {
		int left = child_left_ms(deadline);
		int n = poll(&p, 1, left);

		if (n > 0)
			return child_reap(c, wstatus);
		if (n < 0)
			return -errno;
		if (!left)
			return -ETIMEDOUT;
	}
}

/* child_wait that no signal handler of ours cuts short. */
static int child_wait_on(struct child *c, int timeout_ms, int *wstatus)
{
	uint64_t deadline = child_deadline(timeout_ms);
	int rc;

	do {
		rc = child_wait(c, child_left_ms(deadline), wstatus);
	} while (rc == -EINTR);
	return rc;
}

void child_end(struct child *c, int grace_ms, int *wstatus)
{
	if (wstatus)
		*wstatus = 0;
	if (!c->pid)
		return;
	if (grace_ms > 0) {
		pidfd_send_signal(c->pidfd, SIGTERM, NULL, 0);
		if (child_wait_on(c, grace_ms, wstatus) != -ETIMEDOUT)
			return;
	}
	pidfd_send_signal(c->pidfd, SIGKILL, NULL, 0);
	if (child_wait_on(c, CHILD_KILL_MS, wstatus) == -ETIMEDOUT)
		child_forget(c);
}

/* Reads what is there. Whether the writers have all gone. */
static bool child_drain(struct child_output *o)
{
	char buf[16384];

	for (;;) {
		ssize_t n = read(o->fd, buf, sizeof(buf));
		size_t take;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno != EAGAIN;
		if (n == 0)
			return true;
		/* What is over the limit is read all the same, so that the command never blocks on
		 * it. */
		take = CHILD_OUTPUT_MAX - o->len;
		if (take > (size_t)n)
			take = (size_t)n;
		o->data = xrealloc(o->data, o->len + take + 1, 1);
		memcpy(o->data + o->len, buf, take);
		o->len += take;
	}
}

static int child_collect(struct child *c, struct child_output o[2], int timeout_ms, int *wstatus)
{
	uint64_t deadline = child_deadline(timeout_ms);
	struct pollfd p[3];

	for (int i = 0; i < 2; i++)
		p[i] = (struct pollfd){.fd = o[i].fd, .events = POLLIN};
	p[2] = (struct pollfd){.fd = c->pidfd, .events = POLLIN};
	for (;;) {
		int left = child_left_ms(deadline);
		int n = poll(p, 3, left);

		if (n < 0)
			return -errno;
		if (n == 0 && !left)
			return -ETIMEDOUT;
		for (int i = 0; i < 2; i++) {
			if (p[i].revents && child_drain(&o[i]))
				p[i].fd = -1;
		}
		/* A grandchild may hold the pipes for ever: the command's own end is the end. */
		if (p[2].revents) {
			for (int i = 0; i < 2; i++)
				child_drain(&o[i]);
			return child_reap(c, wstatus);
		}
	}
}

/* The last bytes of text without trailing blanks, from the start of a line if that is near. */
static char *child_tail(const char *text)
{
	size_t len = strlen(text);
	const char *from = text;

	while (len && strchr(" \t\r\n", text[len - 1]))
		len--;
	if (len > CHILD_TAIL) {
		const char *line;

		from = text + len - CHILD_TAIL;
		line = memchr(from, '\n', CHILD_TAIL / 2);
		from = line ? line + 1 : from;
	}
	return xasprintf("%.*s", (int)(text + len - from), from);
}

static char *child_command_text(const char *const *argv)
{
	char *all = xstrdup(argv[0]);

	for (size_t i = 1; argv[i]; i++) {
		char *more = xasprintf("%s %s", all, argv[i]);

		free(all);
		all = more;
	}
	return all;
}

static int child_judge(const char *const *argv, int rc, int wstatus, int timeout_ms,
		       const char *text, struct err *e)
{
	char *command, *tail, how[64];

	if (!rc && WIFEXITED(wstatus) && !WEXITSTATUS(wstatus))
		return 0;
	if (rc == -ETIMEDOUT)
		snprintf(how, sizeof(how), "not done within %d ms and stopped", timeout_ms);
	else if (rc == -EINTR)
		snprintf(how, sizeof(how), "interrupted");
	else if (rc)
		snprintf(how, sizeof(how), "%s", strerror(-rc));
	else
		child_status_text(wstatus, how, sizeof(how));
	command = child_command_text(argv);
	tail = child_tail(text);
	rc = err_set(e, rc ? rc : -EIO, "%.1000s: %s%s%s", command, how, *tail ? ": " : "", tail);
	free(tail);
	free(command);
	return rc;
}

/* Both pipes read by us without blocking; the child's ends in w. */
static int child_pipes(struct child_output o[2], int w[2])
{
	for (int i = 0; i < 2; i++) {
		int p[2];

		if (pipe2(p, O_CLOEXEC) < 0) {
			int rc = -errno;

			if (i) {
				close(o[0].fd);
				close(w[0]);
			}
			return rc;
		}
		fcntl(p[0], F_SETFL, O_NONBLOCK);
		o[i] = (struct child_output){.fd = p[0]};
		w[i] = p[1];
	}
	return 0;
}

/* stdout, and stderr behind it, as one string; the limit holds for both together. */
static char *child_join(struct child_output o[2])
{
	size_t room = CHILD_OUTPUT_MAX - o[0].len;
	size_t more = o[1].len < room ? o[1].len : room;
	char *all = xrealloc(o[0].data, o[0].len + more + 1, 1);

	if (more)
		memcpy(all + o[0].len, o[1].data, more);
	all[o[0].len + more] = '\0';
	free(o[1].data);
	return all;
}

int child_run(const char *const *argv, const struct child_user *user, int timeout_ms, char **out,
	      struct err *e)
{
	struct child_output o[2];
	struct child c;
	int w[2], rc, status = 0;
	char *text;

	if (out)
		*out = NULL;
	rc = child_pipes(o, w);
	if (rc)
		return err_set(e, rc, "%s: cannot be started: %s", argv[0], strerror(-rc));
	rc = child_start(&c,
			 &(struct child_opts){
				 .argv = argv, .in = -1, .out = w[0], .err = w[1], .user = user},
			 e);
	close(w[0]);
	close(w[1]);
	if (!rc) {
		rc = child_collect(&c, o, timeout_ms, &status);
		/* Runs also for a command that will not stop: it must not outlive the call. */
		child_end(&c, 1000, rc ? &status : NULL);
		text = child_join(o);
		rc = child_judge(argv, rc, status, timeout_ms, text, e);
		if (!rc && out)
			*out = text;
		else
			free(text);
	}
	close(o[0].fd);
	close(o[1].fd);
	return rc;
}

const char *child_status_text(int wstatus, char *buf, size_t size)
{
	if (WIFEXITED(wstatus)) {
		snprintf(buf, size, "exit status %d", WEXITSTATUS(wstatus));
	} else if (WIFSIGNALED(wstatus)) {
		const char *name = sigabbrev_np(WTERMSIG(wstatus));

		if (name)
			snprintf(buf, size, "killed by SIG%s", name);
		else
			snprintf(buf, size, "killed by signal %d", WTERMSIG(wstatus));
	} else {
		snprintf(buf, size, "wait status 0x%x", (unsigned)wstatus);
	}
	return buf;
}

uint64_t child_start_time(pid_t pid)
{
	char path[40], *text, *s;
	unsigned long long start = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (pid <= 0 || file_read(path, 65536, &text, NULL))
		return 0;
	/* The name in parentheses may hold anything, also ") "; behind the last one stands field 3.
	 */
	s = strrchr(text, ')');
	for (int field = 2; s && field < 22; field++)
		s = strchr(s + 1, ' ');
	if (s)
		start = strtoull(s + 1, NULL, 10);
	free(text);
	return start;
}
