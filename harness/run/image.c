// SPDX-License-Identifier: GPL-2.0-or-later
/* Making and removing the images of a trial. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "guest/evidence.h"
#include "run/device.h"
#include "run/image.h"
#include "run/source.h"
#include "run/space.h"

#define NS_PER_S 1000000000ull
#define LUKS_TRIES 20 /* one that fails is over at once */

/* One image step under a deadline that ^C can end. */
static int step_once(struct run *r, const struct disk_plan *p, const struct disk_step *s,
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

/*
 * qemu-img calibrates a LUKS key by its own CPU time, which a host that counts that by ticks may
 * not have moved yet: then it says so, and the next try is another draw.
 */
static int image_step(struct run *r, const struct disk_plan *p, const struct disk_step *s,
		      struct err *e)
{
	struct err why = {0};
	int tries = LUKS_TRIES, rc;

	do {
		rc = step_once(r, p, s, &why);
	} while (rc == -EIO && strstr(why.text, "accurate CPU usage") && --tries);
	return rc ? err_set(e, rc, "%s", why.text) : 0;
}

/* Of a device nothing is told but its size: what lies on it is no file. */
static json_t *device_evidence(const struct disk_plan *p)
{
	const char *slash = strrchr(p->image, '/');
	uint64_t bytes = 0;
	int fd = open(p->image, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0) {
		if (ioctl(fd, BLKGETSIZE64, &bytes))
			bytes = 0;
		close(fd);
	}
	return json_pack("{s:I, s:s, s:n, s:n, s:n, s:n, s:n, s:n}", "size", (json_int_t)bytes,
			 "device", slash ? slash + 1 : p->image, "allocated", "extents",
			 "unwritten", "mapped_bytes", "unwritten_bytes", "info");
}

json_t *image_evidence(const struct run *r, const struct cell *c, const struct disk_plan *p)
{
	const char *img = r->tools[TOOL_IMG].path ? r->tools[TOOL_IMG].path : "qemu-img";
	json_t *out;
	size_t i;

	if (p->device)
		return device_evidence(p);
	for (i = 0; i < r->nqemus; i++)
		if (cell_get(c, K_QEMU) && !strcmp(r->qemus[i].qemu, cell_get(c, K_QEMU)))
			img = r->qemus[i].info.img;
	out = evidence_image(p->image, img, &r->user);
	/* the plan has the file first that really holds the data */
	if (p->nfiles && json_is_object(out)) {
		json_t *data = evidence_image(p->files[0], img, &r->user);

		json_object_del(data, "info");
		json_object_set_new(out, "data", data);
	}
	return out;
}

static void add_time(struct image_time times[IMAGE_TIMES], const char *metric, uint64_t ns)
{
	size_t i;

	for (i = 0; metric && i < IMAGE_TIMES; i++) {
		if (times[i].metric && strcmp(times[i].metric, metric))
			continue;
		times[i].metric = metric;
		times[i].ns += ns;
		return;
	}
}

static int source_tick(void *arg, struct err *e)
{
	struct run *r = arg;
	struct pollfd stop = {.fd = r->opts->stop_fd, .events = POLLIN};

	if (poll(&stop, 1, 0) > 0)
		return err_set(e, -EINTR, "interrupted");
	return space_check(r->watch_dir, 0, r->keep_free, e);
}

/* A source stays for the run: it is removed with the run's image folder, which is in the journal.
 */
static int make_source(struct run *r, const struct disk_step *s, struct err *e)
{
	struct stat st;
	int rc = 0;

	if (lstat(s->source, &st))
		rc = space_check(r->watch_dir, s->source_bytes, r->keep_free, e);
	if (!rc)
		rc = source_make(s->source, s->content, s->source_bytes, r->seed, &r->user, source_tick, r, e);
	return rc;
}

int image_make(struct run *r, const struct cell *c, const struct disk_plan *p,
	       struct image_time times[IMAGE_TIMES], enum cause *cause, struct err *e)
{
	size_t i;
	int rc = 0;

	memset(times, 0, IMAGE_TIMES * sizeof(*times));
	if (p->device) {
		*cause = CAUSE_PLAN;
		return device_check(r, c, false, e);
	}
	r->watch_dir = p->image ? run_image_dir(r, c) : NULL;
	*cause = CAUSE_DISK_FULL;
	/* the source first: what is left then is for the images */
	for (i = 0; i < p->nsteps && !rc; i++)
		if (!p->steps[i].argv)
			rc = make_source(r, &p->steps[i], e);
	if (!rc && p->image)
		rc = space_check(r->watch_dir, p->peak_bytes, r->keep_free, e);
	/* the time that the steps take is a sample: not beside the removal of the last images */
	if (!rc && p->nsteps)
		image_dropped(r);
	for (i = 0; i < p->nsteps && !rc; i++) {
		uint64_t t0 = clock_mono_ns();

		if (!p->steps[i].argv)
			continue;
		rc = image_step(r, p, &p->steps[i], e);
		add_time(times, p->steps[i].metric, clock_mono_ns() - t0);
	}
	*cause = rc == -EINTR ? CAUSE_INTERRUPTED : rc == -ENOSPC ? CAUSE_DISK_FULL : CAUSE_PLAN;
	return rc;
}

/* All files of a plan: of a cell on the host, and of vhost-user disks, the one of the plan. */
static size_t plan_files(const struct disk_plan *p)
{
	return p->device || !p->image ? 0 : (p->nunits ? p->nunits : 1) + p->nfiles;
}

static const char *plan_file(const struct disk_plan *p, size_t i)
{
	size_t images = p->nunits ? p->nunits : 1;

	if (i >= images)
		return p->files[i - images];
	return p->nunits && p->units[i].image ? p->units[i].image : p->image;
}

uint64_t image_bytes(const struct disk_plan *p)
{
	uint64_t sum = 0;
	struct stat st;
	size_t i;

	for (i = 0; i < plan_files(p); i++)
		if (!lstat(plan_file(p, i), &st) && S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_blocks * 512;
	return sum;
}

/*
 * Freeing a fragmented image takes a file system up to a second (extents, discard). It goes on
 * beside the next trial's images and guest, and is waited for before anything is measured.
 */
void image_drop(struct run *r, const struct disk_plan *p)
{
	size_t n = plan_files(p), k = 0, i;
	char **argv;

	image_dropped(r);
	if (!n)
		return;
	argv = xcalloc(n + 4, sizeof(*argv));
	argv[k++] = xstrdup("rm");
	argv[k++] = xstrdup("-f");
	argv[k++] = xstrdup("--");
	for (i = 0; i < n; i++) {
		argv[k] = xasprintf("%s.old", plan_file(p, i));
		if (rename(plan_file(p, i), argv[k]))
			free(argv[k]);
		else
			k++;
	}
	argv[k] = NULL;
	if (k > 3) {
		struct child_opts o = {.argv = (const char *const *)argv,
				       .in = -1,
				       .out = -1,
				       .err = -1,
				       .own_group = true};

		if (child_start(&r->dropping, &o, NULL))
			for (i = 3; i < k; i++)
				unlink(argv[i]);
	}
	argv_free(argv);
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
