// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages of a running process to other nodes, by move_pages(2): the kernel copies them while the
 * guest runs. Which page goes is not chosen; how many bytes lie where is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "apply/internal.h"

/* include/uapi/linux/mempolicy.h */
enum { MOVE_OWN = 1 << 1, MOVE_SHARED = 1 << 2 };

enum { BATCH = 1 << 16, CALLS = 50, PASSES = 4 };

struct mover {
	pid_t pid;
	bool all; /* pages that other processes map too (a vhost-user server): with CAP_SYS_NICE */
	int rc, stop;
	int64_t need[NODES_MAX]; /* bytes: to come (positive), to go (negative) */
	uint64_t moved;		 /* pages, in this pass */
	uint64_t page;		 /* size of those in addr */
	unsigned long n;	 /* of them */
	void *addr[BATCH];
	int status[BATCH], to[BATCH];
};

/* The next node that lacks a page of that size; -1: none. */
static int taker(const struct mover *v, uint64_t page)
{
	for (int i = 0; i < NODES_MAX; i++)
		if (v->need[i] >= (int64_t)page)
			return i;
	return -1;
}

/* n pages from the at-th on: where they are (to NULL), or to the nodes of to. 0 or -errno. */
static int pages(struct mover *v, unsigned long at, unsigned long n, const int *to)
{
	/* without MOVE_SHARED, pages of shared guest memory are passed over one by one, with
	 * -EACCES */
	int flags = !to ? 0 : v->all ? MOVE_SHARED : MOVE_OWN;

	if (syscall(SYS_move_pages, v->pid, n, v->addr + at, to, v->status + at, flags) >= 0)
		return 0;
	if (errno == EPERM && to && v->all) {
		v->all = false;
		return pages(v, at, n, to);
	}
	return errno == ENOENT ? 0 : -errno; /* none of them there, or all there already */
}

/*
 * Since Linux 4.17 the call ends at the first group with a page that does not move (in use just
 * then), and says nothing of those behind it. So what is not there afterwards is tried again,
 * without the first few when nothing moved. Calls are few and large: each of them makes all CPUs
 * give up their lists of pages.
 */
static int some(struct mover *v, unsigned long n)
{
	unsigned long at = 0;

	for (int calls = 0; n && calls < CALLS; calls++) {
		unsigned long left = 0;
		int rc = pages(v, at, n, v->to + at);

		if (!rc)
			rc = pages(v, at, n, NULL);
		if (rc)
			return rc;
		for (unsigned long i = at; i < at + n; i++) {
			if (v->status[i] < 0 || v->status[i] == v->to[i])
				continue;
			v->addr[at + left] = v->addr[i];
			v->to[at + left++] = v->to[i];
		}
		v->moved += n - left;
		if (left == n) {
			at += n / 8 + 1;
			left -= n / 8 + 1;
		}
		n = left;
	}
	return 0;
}

/* Where each page of the batch is; then those that are too many where they are go on. -errno. */
static int flush(struct mover *v)
{
	unsigned long n = v->n, m = 0;
	int rc = n ? pages(v, 0, n, NULL) : 0;

	v->n = 0;
	if (rc)
		return rc;
	for (unsigned long i = 0; i < n; i++) {
		int from = v->status[i], to;

		if (from < 0 || from >= NODES_MAX || v->need[from] > -(int64_t)v->page)
			continue;
		to = taker(v, v->page);
		if (to < 0)
			break;
		v->need[from] += (int64_t)v->page;
		v->need[to] -= (int64_t)v->page;
		v->addr[m] = v->addr[i];
		v->to[m++] = to;
	}
	return some(v, m);
}

static bool wanted(const struct mover *v, const struct mapping *m)
{
	for (int i = 0; i < NODES_MAX; i++)
		if (m->node[i] && v->need[i] <= -(int64_t)m->page)
			return taker(v, m->page) >= 0;
	return false;
}

static int mapping_move(const struct mapping *m, void *arg)
{
	struct mover *v = arg;

	if (m->page != v->page) {
		v->rc = flush(v);
		v->page = m->page;
	}
	for (uint64_t at = m->start; at < m->end && !v->rc && wanted(v, m);) {
		for (; v->n < BATCH && at < m->end; at += m->page)
			v->addr[v->n++] = (void *)(uintptr_t)at;
		if (v->n == BATCH) {
			v->rc = flush(v);
			if (!v->rc)
				v->rc = stop_asked(v->stop, NULL);
		}
	}
	return v->rc;
}

/* What is still to do: want's shares of what is there now. */
static int needs(pid_t pid, const uint64_t *want, struct mover *v, struct err *e)
{
	struct memory *now = xcalloc(1, sizeof(*now));
	double sum = 0;
	int rc = memory_read(pid, NULL, now, e);

	for (int i = 0; i < NODES_MAX; i++)
		sum += (double)want[i];
	for (int i = 0; i < NODES_MAX; i++)
		v->need[i] = sum > 0 ? (int64_t)((double)want[i] / sum * (double)now->total) -
					       (int64_t)now->node[i]
				     : 0;
	free(now);
	return rc;
}

int memory_move(pid_t pid, const uint64_t *want, int stop, struct err *e)
{
	struct mover *v = xcalloc(1, sizeof(*v));
	int rc = 0;

	v->pid = pid;
	v->stop = stop;
	v->all = true;
	/* The guest touches pages meanwhile, and transparent huge pages go as one: looked at again.
	 */
	for (int i = 0; !rc && i < PASSES; i++) {
		v->moved = 0;
		rc = needs(pid, want, v, e);
		if (!rc)
			rc = memory_each(pid, mapping_move, v, e);
		if (!rc)
			rc = v->rc = flush(v);
		if (!v->moved)
			break;
	}
	if (v->rc == -EINTR)
		stop_asked(stop, e);
	else if (v->rc == -ESRCH)
		err_set(e, -ESRCH, "process %d: it has ended", (int)pid);
	else if (v->rc)
		err_set(e, v->rc, "memory of process %d cannot be moved: %s%s", (int)pid,
			strerror(-v->rc),
			v->rc == -EPERM	   ? "; be the process's user, or root"
			: v->rc == -EACCES ? ": its cpuset, or ours, does not have those nodes"
			: v->rc == -ENODEV ? ": such a node is not online"
					   : "");
	free(v);
	return rc;
}
