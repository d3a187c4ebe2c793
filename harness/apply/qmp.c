// SPDX-License-Identifier: GPL-2.0-or-later
/* Thread ids as QEMU names them itself, over a control socket that somebody else may hold the other
 * end of. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "apply/internal.h"
#include "base/term.h"
#include "guest/qmp.h"

#define ANSWER_NS 10000000000ull

/* The socket's other end must be the process meant, where the kernel can tell. */
static int socket_open(const char *path, pid_t pid, int *out, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(struct ucred);
	struct ucred peer = {0};
	int fd, rc;

	if (strlen(path) >= sizeof(a.sun_path))
		return err_input(e, "%s: too long for a socket's path", path);
	strcpy(a.sun_path, path);
	/* non-blocking: a listener with a full queue must not hold us */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(e, -errno, "no socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		rc = -errno;
		close(fd);
		err_set(e, rc, "%s: %s; a QMP socket serves one client at a time", path,
			strerror(-rc));
		if (e)
			e->status = VB_BAD_INPUT;
		return rc;
	}
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) && peer.pid > 0 &&
	    peer.pid != pid) {
		close(fd);
		return err_input(e, "%s: is the socket of process %d, not of %d", path,
				 (int)peer.pid, (int)pid);
	}
	*out = fd;
	return 0;
}

static bool tid_of(const json_t *one, pid_t *out)
{
	const json_t *v = json_object_get(one, "thread-id");
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || n < 2 || n > INT32_MAX)
		return false;
	*out = (pid_t)n;
	return true;
}

static int vcpus_take(const json_t *list, const char *socket, pid_t *vcpu, unsigned n,
		      struct err *e)
{
	const json_t *one;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) != n)
		return err_input(e, "%s: QEMU has %zu vCPUs, the plan %u: it is another machine's",
				 socket, json_array_size(list), n);
	json_array_foreach(list, i, one)
	{
		const json_t *index = json_object_get(one, "cpu-index");
		json_int_t at = json_integer_value(index);

		if (!json_is_integer(index) || at < 0 || at >= n || vcpu[at] ||
		    !tid_of(one, &vcpu[at]))
			return err_set(e, -EPROTO, "%s: query-cpus-fast answers nonsense", socket);
	}
	return 0;
}

static int up(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return x < y ? -1 : x > y;
}

/* QEMU lists them in no order; they are started in that of the command line. */
static int iothreads_take(const json_t *list, const char *socket, pid_t *iothread, unsigned n,
			  struct err *e)
{
	const json_t *one;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) != n)
		return err_input(e,
				 "%s: QEMU has %zu iothreads, the plan %u: it is another machine's",
				 socket, json_array_size(list), n);
	json_array_foreach(list, i, one)
	{
		if (!tid_of(one, &iothread[i]))
			return err_set(e, -EPROTO, "%s: query-iothreads answers nonsense", socket);
	}
	if (n)
		qsort(iothread, n, sizeof(*iothread), up);
	return 0;
}

int threads_qmp(const char *path, pid_t pid, pid_t *vcpu, unsigned nvcpus, pid_t *iothread,
		unsigned niothreads, struct err *e)
{
	uint64_t deadline = clock_mono_ns() + ANSWER_NS;
	json_t *cpus = NULL, *io = NULL;
	struct qmp q;
	int fd = -1, rc = socket_open(path, pid, &fd, e);

	if (rc)
		return rc;
	qmp_init(&q, fd);
	rc = qmp_greet(&q, deadline, e);
	if (!rc)
		rc = qmp_call(&q, "query-cpus-fast", NULL, -1, deadline, &cpus, e);
	if (!rc)
		rc = qmp_call(&q, "query-iothreads", NULL, -1, deadline, &io, e);
	if (rc)
		err_prefix(e, "%s", path);
	if (!rc)
		rc = vcpus_take(cpus, path, vcpu, nvcpus, e);
	if (!rc)
		rc = iothreads_take(io, path, iothread, niothreads, e);
	json_decref(cpus);
	json_decref(io);
	qmp_free(&q);
	return rc;
}
