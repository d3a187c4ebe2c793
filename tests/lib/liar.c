// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * LD_PRELOAD library for tests: sits between a QEMU and its control socket, and rewrites what QEMU
 * is told, so that a guest gets something else than was asked for without anybody saying so.
 *
 * LIAR=FROM=>TO[|FROM=>TO...]: texts to be replaced in QMP commands. Any other program is left
 * alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_MAX_BYTES (1 << 20)
#define RULES_MAX 8

struct liar {
	int host, qemu; /* the real socket, and our end of the one that QEMU has in its place */
	char *from[RULES_MAX], *to[RULES_MAX];
	int rules;
	char *line;
	size_t len;
};

/* fd of "-chardev socket,id=qmp,fd=N" on our own command line, -1 if there is none: then this is no
 * guest. */
static int liar_qmp_fd(void)
{
	static const char option[] = "socket,id=qmp,fd=";
	static char args[1 << 16];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, args, sizeof(args) - 1);

	if (fd >= 0)
		close(fd);
	for (char *p = args; n > 0 && p < args + n; p += strlen(p) + 1)
		if (!strncmp(p, option, sizeof(option) - 1))
			return atoi(p + sizeof(option) - 1);
	return -1;
}

/* Replaces every occurrence in the line, which has room for it. */
static void liar_replace(struct liar *l, const char *from, const char *to)
{
	char *at = l->line;

	while ((at = strstr(at, from)) && l->len + strlen(to) < LINE_MAX_BYTES) {
		memmove(at + strlen(to), at + strlen(from), strlen(at + strlen(from)) + 1);
		memcpy(at, to, strlen(to));
		at += strlen(to);
		l->len = strlen(l->line);
	}
}

/* Whether what has come so far is whole commands: every brace outside of strings is closed. */
static int liar_whole(const struct liar *l)
{
	int depth = 0, quoted = 0;

	for (size_t i = 0; i < l->len; i++) {
		char c = l->line[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted)
			depth += (c == '{') - (c == '}');
	}
	return !depth && !quoted;
}

static int send_whole(int fd, const char *data, size_t len, const struct msghdr *with)
{
	while (len) {
		struct iovec iov = {.iov_base = (char *)data, .iov_len = len};
		struct msghdr m = with ? *with : (struct msghdr){0};
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		ssize_t n;

		m.msg_iov = &iov;
		m.msg_iovlen = 1;
		n = sendmsg(fd, &m, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -1;
		if (n < 0) {
			poll(&p, 1, 100);
			continue;
		}
		with = NULL;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* What vbench says, command by command; a file descriptor that comes along goes along. */
static int liar_commands(struct liar *l)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char data[4096];
	struct iovec iov = {.iov_base = data, .iov_len = sizeof(data)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.buf,
			   .msg_controllen = sizeof(control.buf)};
	ssize_t n = recvmsg(l->host, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
	if (l->len + (size_t)n >= LINE_MAX_BYTES)
		return -1;
	memcpy(l->line + l->len, data, (size_t)n);
	l->len += (size_t)n;
	l->line[l->len] = 0;
	if (!liar_whole(l))
		return m.msg_controllen ? -1
					: 0; /* a descriptor comes with a command that is short */
	for (int i = 0; i < l->rules; i++)
		liar_replace(l, l->from[i], l->to[i]);
	n = send_whole(l->qemu, l->line, l->len, m.msg_controllen ? &m : NULL);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		close(*(int *)CMSG_DATA(c));
	l->len = 0;
	return n;
}

static int liar_answers(struct liar *l)
{
	char data[65536];
	ssize_t n = recv(l->qemu, data, sizeof(data), MSG_DONTWAIT);

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
	return send_whole(l->host, data, (size_t)n, NULL);
}

static void *liar_relay(void *arg)
{
	struct liar *l = arg;
	struct pollfd p[2] = {{.fd = l->host, .events = POLLIN}, {.fd = l->qemu, .events = POLLIN}};
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	while (poll(p, 2, -1) >= 0 || errno == EINTR)
		if ((p[0].revents && liar_commands(l)) || (p[1].revents && liar_answers(l)))
			break;
	shutdown(l->host, SHUT_RDWR);
	shutdown(l->qemu, SHUT_RDWR);
	return NULL;
}

__attribute__((constructor)) static void liar_start(void)
{
	static struct liar l;
	const char *rules = getenv("LIAR");
	int fd = liar_qmp_fd(), sv[2];
	char *save = NULL, *rule, *arrow;
	pthread_t thread;

	if (!rules || fd < 0)
		return;
	for (rule = strtok_r(strdup(rules), "|", &save); rule && l.rules < RULES_MAX;
	     rule = strtok_r(NULL, "|", &save)) {
		arrow = strstr(rule, "=>");
		if (!arrow)
			abort();
		*arrow = 0;
		l.from[l.rules] = rule;
		l.to[l.rules++] = arrow + 2;
	}
	l.line = malloc(LINE_MAX_BYTES);
	l.host = fcntl(fd, F_DUPFD_CLOEXEC, 500);
	if (!l.line || l.host < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		abort();
	l.qemu = fcntl(sv[1], F_DUPFD_CLOEXEC, 500);
	if (l.qemu < 0 || dup2(sv[0], fd) < 0)
		abort();
	close(sv[0]);
	close(sv[1]);
	if (pthread_create(&thread, NULL, liar_relay, &l))
		abort();
	pthread_detach(thread);
}
