/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gate: threads of fio that are set up and wait, so that several guests begin at the same
 * moment. fio runs exec_prerun, by /bin/sh, when a thread has all that it needs and its clock has
 * not begun (backend.c, thread_main). There is no shell in the guest: /bin/sh is this program.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "guest-agent/agent.h"

#define GATE_READY "/tmp/gate.ready"
#define GATE_GO "/tmp/gate.go"

int gate_wait(void)
{
	/* without a gate there is nobody to read it, and that is an error at once */
	int fd = open(GATE_READY, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || write(fd, "r", 1) != 1)
		return 1;
	/* blocks until there is a writer: a FIFO's open is the gate (fifo(7)) */
	if (open(GATE_GO, O_RDONLY | O_CLOEXEC) < 0)
		return 1;
	return write(fd, "p", 1) != 1;
}

static int gate_make(const char *path)
{
	return unlink(path) && errno != ENOENT ? -errno : mkfifo(path, 0600) ? -errno : 0;
}

int gate_set(struct gate *g, unsigned want)
{
	int rc;

	*g = (struct gate){.want = want, .ready_fd = -1, .go_fd = -1};
	if (!want)
		return 0;
	rc = gate_make(GATE_READY);
	if (!rc)
		rc = gate_make(GATE_GO);
	if (rc)
		return rc;
	/* a writer of our own, or poll would say POLLHUP between two threads */
	g->ready_fd = open(GATE_READY, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return g->ready_fd < 0 ? -errno : 0;
}

bool gate_count(struct gate *g)
{
	char buf[256];
	ssize_t n;

	while (g->ready_fd >= 0 && (n = read(g->ready_fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			g->come += buf[i] == 'r';
			g->passed += buf[i] == 'p';
		}
		if (g->passed && !g->first_ns)
			g->first_ns = sys_mono_ns();
		if (g->passed == g->want && !g->last_ns)
			g->last_ns = sys_mono_ns();
	}
	if (!g->want || g->told || g->come < g->want)
		return false;
	g->told = true;
	return true;
}

/* It stays open until the job's end: a thread that was counted may be on its way from the one FIFO
 * to the other. */
int gate_open(struct gate *g)
{
	if (!g->open_ns)
		g->open_ns = sys_mono_ns();
	if (g->go_fd < 0)
		g->go_fd = open(GATE_GO, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return g->go_fd < 0 ? -errno : 0;
}

json_t *gate_json(const struct gate *g)
{
	json_t *j = json_object();

	json_object_set_new(j, "open_ns", json_integer((json_int_t)g->open_ns));
	json_object_set_new(j, "first_ns", json_integer((json_int_t)g->first_ns));
	json_object_set_new(j, "last_ns", json_integer((json_int_t)g->last_ns));
	return j;
}

void gate_end(struct gate *g)
{
	if (g->want && g->ready_fd >= 0)
		close(g->ready_fd);
	if (g->want && g->go_fd >= 0)
		close(g->go_fd);
	if (g->want) {
		unlink(GATE_READY);
		unlink(GATE_GO);
	}
	*g = (struct gate){.ready_fd = -1, .go_fd = -1};
}
