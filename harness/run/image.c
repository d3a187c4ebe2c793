// SPDX-License-Identifier: GPL-2.0-or-later
/* Making and removing the image of a trial. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "guest/evidence.h"
#include "run/image.h"
#include "run/space.h"

#define NS_PER_S 1000000000ull

/* One image step under a deadline that ^C can end. */
static int image_step(struct run *r, const struct disk_plan *p, const struct disk_step *s,
		      struct err *e)
{
	int pipefd[2], status = 0, rc;
	/* 10 minutes, and the time that the image takes at 4 MiB/s */
	uint64_t begun = clock_mono_ns(),
		 deadline = begun + (600 + p->size / (4u << 20)) * NS_PER_S;
	struct child c = {.pidfd = -1};
	char out[1024], why[64];
	size_t n = 0;

	if (pipe2(pipefd, O_CLOEXEC))
		return err_set(e, -errno, "pipe: %s", strerror(errno));
	{
		struct child_opts o = {.argv = (const char *const *)s->argv,
				       .in = -1,
				       .out = pipefd[1],
				       .err = pipefd[1],
				       .user = &r->user,
				       .own_group = true};

		rc = child_start(&c, &o, e);
	}
	close(pipefd[1]);
	while (!rc) {
		struct pollfd pfd[2] = {{.fd = pipefd[0], .events = POLLIN},
					{.fd = r->opts->stop_fd, .events = POLLIN}};

		if (poll(pfd, 2, 250) < 0 && errno != EINTR)
			rc = err_set(e, -errno, "poll: %s", strerror(errno));
		else if (pfd[1].revents)
			rc = err_set(e, -EINTR, "interrupted");
		else if (clock_mono_ns() > deadline)
			rc = err_set(e, -ETIMEDOUT, "%s took more than %.0f s", s->what,
				     (double)(deadline - begun) / 1e9);
		else
			rc = space_check(r->watch_dir, 0, r->keep_free, e);
		if (!rc && pfd[0].revents) {
			char sink[512];
			ssize_t got = read(pipefd[0], sink, sizeof(sink));

			if (got <= 0)
				break;
			if (n + (size_t)got < sizeof(out)) {
				memcpy(out + n, sink, (size_t)got);
				n += (size_t)got;
			}
		}
	}
	close(pipefd[0]);
	out[n] = 0;
	if (rc) {
		child_end(&c, 0, NULL);
		return rc;
	}
	child_wait(&c, 10000, &status);
	child_end(&c, 0, NULL);
	if (!status)
		return 0;
	rc = strstr(out, "No space left") ? -ENOSPC : -EIO;
	return err_set(e, rc, "%s: %s %s: %s", s->what, s->argv[0],
		       child_status_text(status, why, sizeof(why)), out);
}

json_t *image_evidence(const struct run *r, const struct cell *c, const struct disk_plan *p)
{
	const char *img = r->tools[TOOL_IMG].path ? r->tools[TOOL_IMG].path : "qemu-img";
	size_t i;

	for (i = 0; i < r->nqemus; i++)
		if (cell_get(c, K_QEMU) && !strcmp(r->qemus[i].qemu, cell_get(c, K_QEMU)))
			img = r->qemus[i].info.img;
	return evidence_image(p->image, img, &r->user);
}

int image_make(struct run *r, const struct cell *c, const struct disk_plan *p, enum cause *cause,
	       struct err *e)
{
	size_t i;
	int rc;

	r->watch_dir = p->image ? run_image_dir(r, c) : NULL;
	*cause = CAUSE_DISK_FULL;
	rc = p->image ? space_check(r->watch_dir, p->peak_bytes, r->keep_free, e) : 0;
	if (rc)
		return rc;
	for (i = 0; i < p->nsteps && !rc; i++)
		rc = image_step(r, p, &p->steps[i], e);
	*cause = rc == -EINTR ? CAUSE_INTERRUPTED : rc == -ENOSPC ? CAUSE_DISK_FULL : CAUSE_PLAN;
	return rc;
}

/*
 * Freeing a fragmented image takes a file system up to a second (extents, discard). It goes on
 * beside the next trial's image and guest, and is waited for before anything is measured.
 */
void image_drop(struct run *r, const struct disk_plan *p)
{
	char *dead;

	image_dropped(r);
	if (!p->image)
		return;
	dead = xasprintf("%s.old", p->image);
	if (!rename(p->image, dead)) {
		const char *argv[] = {"rm", "-f", "--", dead, NULL};
		struct child_opts o = {
			.argv = argv, .in = -1, .out = -1, .err = -1, .own_group = true};

		if (child_start(&r->dropping, &o, NULL))
			unlink(dead);
	}
	free(dead);
}

void image_dropped(struct run *r)
{
	int i;

	/* a dead network file system must not hold the run for ever, nor make it deaf to ^C */
	for (i = 0; i < 600 && r->dropping.pid; i++) {
		struct pollfd pfd[2] = {{.fd = r->dropping.pidfd, .events = POLLIN},
					{.fd = r->opts->stop_fd, .events = POLLIN}};

		poll(pfd, 2, 100);
		if (pfd[0].revents)
			child_wait(&r->dropping, 1000, NULL);
		else if (pfd[1].revents)
			break;
	}
	child_end(&r->dropping, 0, NULL);
	r->dropping.pid = 0;
}
