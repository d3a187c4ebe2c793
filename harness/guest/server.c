// SPDX-License-Identifier: GPL-2.0-or-later
/* Starting, watching and ending a vhost-user back end or an NBD server, and the socket between it
 * and its driver. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "base/file.h"
#include "base/term.h"
#include "guest/machine.h"
#include "guest/server.h"
#include "guest/sink.h"

enum {
	SERVER_SETTLE_MS = 50,	/* in which one that refuses its options has ended: a process starts
				   in less */
	SERVER_GRACE_MS = 3000, /* between SIGTERM and SIGKILL: time for its last report */
	SERVER_REPORT_MAX = 1 << 20,
};

struct server {
	struct child child;
	struct journal *journal;
	pid_t pid;	/* stays when the child has been reaped */
	uint64_t began; /* start time of that pid, for the journal */
	const char *what;
	int status; /* wait status, once it has ended */
	bool ended;
	int sock;      /* the driver's end, -1 once it is given away */
	char *folder;  /* where its last report is kept, NULL: nowhere */
	char *scratch; /* folder that the server may write to, NULL: none */
	char *report;
	struct sink log;
	uint64_t cpu; /* last seen */
};

char *server_text(const char *text, int sock, const char *report)
{
	char *out = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);

	while (f && *text) {
		if (!strncmp(text, "{sock}", 6)) {
			fprintf(f, "%d", sock);
			text += 6;
		} else if (report && !strncmp(text, "{report}", 8)) {
			fputs(report, f);
			text += 8;
		} else {
			fputc(*text++, f);
		}
	}
	if (!f || fclose(f)) {
		free(out);
		return NULL;
	}
	return out;
}

void server_scratch_end(char *path, struct journal *journal)
{
	if (path && !dir_remove(path, NULL) && journal)
		journal_done_path(journal, path);
	free(path);
}

char *server_scratch(const char *folder, const char *name, const struct child_user *user,
		     struct journal *journal, struct err *e)
{
	char *path = xasprintf("%s/%s", folder, name);
	int fd = -1, rc = 0;

	if (journal && journal_path(journal, path, e)) {
		free(path);
		return NULL;
	}
	if (mkdir(path, 0700))
		rc = -errno;
	else
		fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (!rc && fd < 0)
		rc = -errno;
	/* by descriptor, so that nobody who may write above redirects root's chown */
	if (!rc && user && user->uid != (uid_t)-1 && !geteuid() && fchown(fd, user->uid, user->gid))
		rc = -errno;
	if (fd >= 0)
		close(fd);
	if (rc) {
		err_set(e, rc, "%s: %s", path, strerror(-rc));
		server_scratch_end(path, journal);
		return NULL;
	}
	return path;
}

/* The folder is another user's: whatever lies there is not opened unless it is a plain file. */
static char *read_plain(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	char *text = NULL;
	size_t n = 0;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    st.st_size <= SERVER_REPORT_MAX) {
		text = xcalloc(1, (size_t)st.st_size);
		while (n < (size_t)st.st_size) {
			ssize_t got = read(fd, text + n, (size_t)st.st_size - n);

			if (got <= 0)
				break;
			n += (size_t)got;
		}
	}
	close(fd);
	*len = n;
	return text;
}

json_t *server_json(const char *path)
{
	int tries;

	/* it may just be writing: what is not whole yet is looked at again */
	for (tries = 0; path && tries < 5; tries++) {
		size_t len = 0;
		char *text = read_plain(path, &len);
		json_t *v = text ? json_loadb(text, len, 0, NULL) : NULL;

		free(text);
		if (json_is_object(v))
			return v;
		json_decref(v);
		if (!text && access(path, F_OK))
			break;
		poll(NULL, 0, 10);
	}
	return NULL;
}

/*
 * A listening socket for a server that can only accept, with our connection already waiting in its
 * queue. Its name lives, in a folder that nobody else may enter, between bind and connect.
 */
static int listen_pair(struct journal *journal, int *theirs, int *ours, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char *dir;
	int rc;

	*theirs = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*ours = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*theirs < 0 || *ours < 0)
		return err_set(e, -errno, "socket: %s", strerror(errno));
	rc = journal_folder(journal, "/tmp/vbench-", &dir, e);
	if (rc)
		return rc;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", dir);
	/* connect() does not wait for accept() (unix(7)) */
	if (bind(*theirs, (struct sockaddr *)&a, sizeof(a)) || listen(*theirs, 1) ||
	    connect(*ours, (struct sockaddr *)&a, sizeof(a)))
		rc = err_set(e, -errno, "%s: %s", a.sun_path, strerror(errno));
	unlink(a.sun_path);
	if (!rmdir(dir) && journal)
		journal_done_path(journal, dir);
	free(dir);
	return rc;
}

static int make_sockets(struct journal *journal, bool listens, int *theirs, int *ours,
			struct err *e)
{
	int sv[2];

	if (listens)
		return listen_pair(journal, theirs, ours, e);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		return err_set(e, -errno, "socketpair: %s", strerror(errno));
	*theirs = sv[0];
	*ours = sv[1];
	return 0;
}

static void command_artefact(const char *folder, char *const *argv)
{
	char *shell = argv_shell(argv), *path = xasprintf("%s/server.txt", folder);
	FILE *f = fopen(path, "we");

	if (f) {
		fprintf(f, "%s\n", shell);
		fclose(f);
	}
	free(path);
	free(shell);
}

/* argv of the plan with its words filled in; argv_free. */
static char **fill_argv(const struct disk_server *plan, int sock, const char *report)
{
	size_t n = 0, i;
	char **argv;

	while (plan->argv[n])
		n++;
	argv = xcalloc(n + 1, sizeof(*argv));
	for (i = 0; i < n; i++)
		argv[i] = server_text(plan->argv[i], sock, report);
	return argv;
}

static int spawn(struct server *s, const struct disk_server *plan, const struct child_user *user,
		 const char *folder, int theirs, struct err *e)
{
	char *log = folder ? xasprintf("%s/server.log", folder) : NULL;
	char **argv = fill_argv(plan, theirs, s->report);
	int out[2], rc;

	if (folder)
		command_artefact(folder, argv);
	if (pipe2(out, O_CLOEXEC)) {
		rc = err_set(e, -errno, "pipe: %s", strerror(errno));
	} else {
		struct child_opts o = {.argv = (const char *const *)argv,
				       .in = -1,
				       .out = out[1],
				       .err = out[1],
				       .keep = &theirs,
				       .nkeep = 1,
				       .user = user,
				       .own_group = true};

		if (plan->activated) {
			o.activate = theirs;
			o.nkeep = 0;
		}
		/* one that floods its log loses words; it never waits for us to read them */
		fcntl(out[1], F_SETFL, O_NONBLOCK);
		rc = sink_open(&s->log, out[0], log, e);
		if (!rc)
			rc = child_start(&s->child, &o, e);
		close(out[1]);
	}
	argv_free(argv);
	free(log);
	if (rc)
		return rc;
	s->pid = s->child.pid;
	s->began = s->child.start;
	return s->journal ? journal_pid(s->journal, s->pid, e) : 0;
}

/* Notices its end. */
static bool reap(struct server *s)
{
	if (!s->ended && !child_wait(&s->child, 0, &s->status))
		s->ended = true;
	return s->ended;
}

int server_check(struct server *s, struct err *e)
{
	char how[64], *tail;

	sink_drain(&s->log);
	if (!reap(s) || (!s->status && s->sock < 0))
		return 0;
	/* its last words may have come between the two */
	sink_drain(&s->log);
	tail = sink_tail(&s->log, 600);
	err_set(e, -ECONNRESET, "%s, which serves the disk, ended by itself (%s)%s%s", s->what,
		child_status_text(s->status, how, sizeof(how)), *tail ? ": " : "", tail);
	free(tail);
	return -ECONNRESET;
}

static int settle(struct server *s, struct err *e)
{
	struct pollfd p = {.fd = s->child.pidfd, .events = POLLIN};

	poll(&p, 1, SERVER_SETTLE_MS);
	return server_check(s, e);
}

int server_start(struct server **out, const struct disk_server *plan, const struct child_user *user,
		 struct journal *journal, const char *folder, struct err *e)
{
	struct server *s = xcalloc(1, sizeof(*s));
	int theirs = -1, rc;

	*out = NULL;
	s->child.pidfd = s->sock = s->log.fd = s->log.file = -1;
	s->journal = journal;
	s->what = plan->what;
	rc = make_sockets(journal, plan->listens || plan->activated, &theirs, &s->sock, e);
	s->folder = xstrdup(folder);
	if (!rc && plan->reports && folder) {
		s->scratch = server_scratch(folder, "server", user, journal, e);
		if (s->scratch)
			s->report = xasprintf("%s/report.json", s->scratch);
		else
			rc = e && e->rc ? e->rc : -EIO;
	}
	if (!rc)
		rc = spawn(s, plan, user, folder, theirs, e);
	if (theirs >= 0)
		close(theirs);
	if (!rc)
		rc = settle(s, e);
	if (rc) {
		server_stop(s);
		return rc;
	}
	*out = s;
	return 0;
}

int server_sock(const struct server *s)
{
	return s->sock;
}

void server_sock_given(struct server *s)
{
	if (s->sock >= 0)
		close(s->sock);
	s->sock = -1;
}

int server_pidfd(const struct server *s)
{
	return s->child.pidfd;
}

pid_t server_pid(const struct server *s)
{
	return s->pid;
}

bool server_alive(const struct server *s)
{
	struct pollfd p = {.fd = s->child.pidfd, .events = POLLIN};

	return !s->ended && poll(&p, 1, 0) == 0;
}

uint64_t server_cpu(const struct server *s)
{
	struct server *keep = (struct server *)s;
	struct timespec ts;
	clockid_t clock;

	if (!s->ended && !clock_getcpuclockid(s->pid, &clock) && !clock_gettime(clock, &ts))
		keep->cpu = (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
	return s->cpu;
}

json_t *server_report(const struct server *s)
{
	return server_json(s->report);
}

/* What it said at its very end is for people only. */
static void keep_report(const struct server *s)
{
	json_t *v = s->folder ? server_report(s) : NULL;
	char *path = v ? xasprintf("%s/server.json", s->folder) : NULL;

	if (v)
		json_dump_file(v, path, JSON_INDENT(1) | JSON_SORT_KEYS);
	json_decref(v);
	free(path);
}

void server_stop(struct server *s)
{
	if (!s)
		return;
	server_sock_given(s);
	if (!s->ended)
		child_end(&s->child, SERVER_GRACE_MS, NULL);
	/* one that hangs in the kernel stays on the list, for the next start to try again */
	if (s->journal && s->pid && (s->ended || child_start_time(s->pid) != s->began))
		journal_done_pid(s->journal, s->pid);
	sink_drain(&s->log);
	sink_close(&s->log);
	keep_report(s);
	server_scratch_end(s->scratch, s->journal);
	free(s->folder);
	free(s->report);
	free(s);
}
