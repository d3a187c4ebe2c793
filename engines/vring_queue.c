// SPDX-License-Identifier: GPL-2.0-or-later
/* A job's queue on the connection: its memory, its ring, and the device started on it. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include "engines/vring.h"

/* --- memory --- */

static void queue_lay_out(struct vring_queue *q, struct thread_data *td)
{
	const struct vring_place *p = q->place;
	struct vring_conn *c = q->conn;

	q->memory = c->memory;
	q->guest = c->guest;
	q->slots = (void *)(c->memory + p->slots);
	q->slots_at = c->guest + p->slots;
	q->seg_size = p->seg_size;
	q->plain = p->segs == 3 && !p->copies;
	q->mask = c->blk.block_size - 1;
	q->can_flush = c->features >> VIRTIO_BLK_F_FLUSH & 1;
	q->sets_time = fio_fill_issue_time(td);
	q->trim_type = htole32(q->o->trim == VRING_DISCARD ? VIRTIO_BLK_T_DISCARD
							   : VIRTIO_BLK_T_WRITE_ZEROES);
	if (q->o->trim == VRING_WRITE_ZEROES && c->blk.may_unmap)
		q->trim_flags = htole32(VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP);
	q->ios = xcalloc(p->depth, sizeof(*q->ios));
	q->pending = xcalloc(p->depth, sizeof(*q->pending));
	q->events = xcalloc(p->depth, sizeof(*q->events));
	q->done = xcalloc(p->depth, sizeof(*q->done));
	q->segs = xcalloc(p->segs, sizeof(*q->segs));
	if (p->copies)
		q->length = xcalloc(p->depth, sizeof(*q->length));
}

static void queue_free(struct vring_queue *q)
{
	drv_free(q->vq);
	q->vq = NULL;
	free(q->ios);
	free(q->pending);
	free(q->events);
	free(q->done);
	free(q->segs);
	free(q->length);
}

/* --- the device --- */

/* The job's own affinity is for the job: on the same processor, two that poll take turns. */
static void queue_say_cpus(const struct vring_queue *q, const cpu_set_t *job,
			   const cpu_set_t *device)
{
	char text[512];

	if (CPU_COUNT(job) != 1 || !CPU_EQUAL(job, device))
		return;
	snprintf(text, sizeof(text),
		 "%s: the device's thread has no processor but the job's, so that they take turns: "
		 "device_cpu=, or another cpus_allowed=",
		 q->conn->name);
	vring_say(text);
}

/* A new thread has its creator's affinity: worker_start comes with the one that is meant for it. */
static int queue_start_worker(struct vring_queue *q, const struct worker_opts *w, struct err *e)
{
	struct vring_conn *c = q->conn;
	cpu_set_t job, device = c->cpus;
	bool moved = c->has_cpus && !sched_getaffinity(0, sizeof(job), &job);
	int rc;

	if (moved && w->cpu >= 0 && w->cpu < CPU_SETSIZE) {
		CPU_ZERO(&device);
		CPU_SET(w->cpu, &device);
	}
	if (moved)
		queue_say_cpus(q, &job, &device);
	moved = moved && w->cpu < 0 && !sched_setaffinity(0, sizeof(device), &device);
	rc = worker_start(&q->worker, c->dev, q->dev_vq, w, e);
	if (moved && sched_setaffinity(0, sizeof(job), &job) && !rc)
		rc = err_set(e, -errno, "the job's affinity: %s", strerror(errno));
	return rc;
}

static int queue_start_loop(struct vring_queue *q, const struct ring_areas *areas, struct err *e)
{
	struct vring_conn *c = q->conn;
	struct worker_opts w = {
		.wait = q->o->device_wait,
		.poll_ns = q->o->device_poll_ns,
		.cpu = q->o->device_cpu,
	};
	int rc;

	rc = vhost_front_fds_make(&q->fds, e);
	if (rc)
		return rc;
	q->fds_open = true;
	w.kick = q->fds.kick;
	w.call = q->fds.call;
	rc = dev_make(&q->dev_vq, &c->ring, areas, c->ring.packed ? 0x80008000u : 0, &c->mem, e);
	return rc ? rc : queue_start_worker(q, &w, e);
}

/* Edge-triggered: the counter of an eventfd need not be read to be seen rising again. */
static int queue_watch(struct vring_queue *q, struct err *e)
{
	const struct {
		int fd;
		uint32_t events;
	} w[] = {{q->fds.call, EPOLLIN}, {q->fds.err, EPOLLIN}, {q->sock, EPOLLRDHUP}};

	q->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (q->epoll < 0)
		return err_set(e, -errno, "epoll: %s", strerror(errno));
	for (int i = 0; i < 3; i++) {
		struct epoll_event ev = {.events = w[i].events | EPOLLET, .data.fd = w[i].fd};

		if (w[i].fd >= 0 && epoll_ctl(q->epoll, EPOLL_CTL_ADD, w[i].fd, &ev))
			return err_set(e, -errno, "epoll: %s", strerror(errno));
	}
	return 0;
}

/* The first touch of the job's memory, by the job: that decides on which node it lies. */
static int queue_populate(const struct vring_queue *q, struct err *e)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	volatile char *at = q->memory + q->place->ring;
	size_t n = q->place->end - q->place->ring;

#ifdef MADV_POPULATE_WRITE
	if (!madvise((void *)at, n, MADV_POPULATE_WRITE))
		return 0;
	/* EINVAL: a kernel before 5.14. */
	if (errno != EINVAL)
		return err_set(e, -errno, "%zu bytes of shared memory: %s", n, strerror(errno));
#endif
	for (size_t i = 0; i < n; i += page)
		at[i] = at[i];
	return 0;
}

static int queue_start_device(struct vring_queue *q, struct err *e)
{
	struct vring_conn *c = q->conn;
	struct ring_areas areas;
	int rc;

	drv_areas(q->vq, &areas);
	if (!c->front)
		return queue_start_loop(q, &areas, e);
	q->sock = vhost_front_fd(c->front);
	rc = vhost_front_start(c->front, q->place->queue, &c->ring, &areas, &q->fds, e);
	q->fds_open = !rc;
	return rc ? rc : vring_watch_start(q, e);
}

static int queue_start(struct vring_queue *q, struct err *e)
{
	struct vring_conn *c = q->conn;
	struct vring_place *p = q->place;
	int rc;

	if (vring_record_is_held(c, p))
		return err_set(e, -EBUSY,
			       "%s: queue %u was left behind by a job that ended without stopping "
			       "it: the device may still work on that job's requests in this "
			       "memory; start fio anew",
			       c->name, p->queue);
	vring_record_hold(c, p, true);
	q->holds = true;
	rc = queue_populate(q, e);
	if (rc)
		return rc;
	/* Another job may have had this memory before. */
	memset(c->memory + p->ring, 0, p->slots - p->ring);
	rc = drv_make(&q->vq, &c->ring, p->segs, c->memory + p->ring, c->guest + p->ring, e);
	if (rc)
		return rc;
	drv_suppress(q->vq);
	drv_rewrite(q->vq, q->o->rewrite);
	rc = queue_start_device(q, e);
	return rc ? rc : queue_watch(q, e);
}

int vring_queue_start(struct vring_queue *q, struct thread_data *td)
{
	const struct vring_options *o = td->eo;
	struct err e = {0};
	int rc;

	q->o = o;
	q->conn = o->conn;
	q->place = o->place;
	q->sock = q->epoll = -1;
	if (td->o.iodepth > q->place->depth || vring_buffer_bytes(td) > q->place->buffers_size) {
		log_err("vring: %s: the job needs more memory than was planned for it "
			"(read_iolog?): set iodepth= and bs= to the largest\n",
			td->o.name);
		return -EINVAL;
	}
	queue_lay_out(q, td);
	rc = queue_start(q, &e);
	if (rc)
		log_err("vring: %s: %s\n", td->o.name, e.text);
	q->started = !rc;
	return rc;
}

/* Whether the device has given everything back, so that it has no business in the memory. */
static bool queue_is_empty(struct vring_queue *q)
{
	if (!q->vq)
		return true;
	while (drv_harvest(q->vq, q->done, q->place->depth) > 0)
		;
	return !drv_outstanding(q->vq);
}

/*
 * Stops the device. A device behind a socket that was given up, that does not say that it has
 * stopped, or that has stopped with requests of ours (qemu-storage-daemon answers GET_VRING_BASE
 * without waiting for them) loses the connection, and nobody gets this memory again.
 */
static bool queue_stop_device(struct vring_queue *q)
{
	struct vhost_front *front = q->conn->front;
	struct err e = {0};

	if (!front) {
		worker_stop(q->worker);
		q->worker = NULL;
		dev_free(q->dev_vq);
		q->dev_vq = NULL;
		return queue_is_empty(q);
	}
	if (q->dead || !q->started) {
		vhost_front_lose(front);
		return false;
	}
	if (vhost_front_stop(front, q->place->queue, NULL, &e)) {
		log_err("vring: %s\n", e.text);
		vhost_front_lose(front);
		return false;
	}
	if (queue_is_empty(q))
		return true;
	log_err("vring: %s: queue %u: the device stopped with %u requests in flight\n",
		q->conn->name, q->place->queue, drv_outstanding(q->vq));
	vhost_front_lose(front);
	return false;
}

void vring_queue_stop(struct vring_queue *q)
{
	vring_watch_stop(q);
	if (q->holds)
		vring_record_hold(q->conn, q->place, !queue_stop_device(q));
	if (q->epoll >= 0)
		close(q->epoll);
	if (q->fds_open)
		vhost_front_fds_close(&q->fds);
	queue_free(q);
}

/* Once: a dead device is looked at again, for what it finished before. */
static int queue_lost(struct vring_queue *q, int error, const char *how)
{
	if (!q->said)
		log_err("vring: %s: queue %u: %s\n", q->conn->name, q->place->queue, how);
	q->said = true;
	return error;
}

int vring_queue_check(struct vring_queue *q)
{
	struct pollfd p[2] = {{.fd = q->sock, .events = POLLRDHUP},
			      {.fd = q->fds.err, .events = POLLIN}};
	const char *why;

	if (q->worker) {
		why = worker_broken(q->worker);
		return why ? queue_lost(q, EIO, why) : 0;
	}
	if (poll(p, 2, 0) <= 0)
		return 0;
	if (p[0].revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL))
		return queue_lost(q, ECONNRESET, "the device hung up");
	if (p[1].revents & POLLIN)
		return queue_lost(q, EIO, "the device gave the queue up (error descriptor)");
	return 0;
}
