/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fio engine `vring` from inside: its options, the connection that jobs share, and the queue
 * that each job has. vring.c is fio's side of it, vring_conn.c the connection, vring_plan.c who
 * gets which queue and memory, vring_queue.c a job's queue on it, vring_submit.c and
 * vring_complete.c the way there and back, vring_watch.c a kick that does not come back,
 * vring_report.c the counters.
 */
#ifndef VB_ENGINES_VRING_H
#define VB_ENGINES_VRING_H

#include <stdatomic.h>
#include "fio.h"
#include "engines/drv.h"
#include "engines/vhost_front.h"
#include "engines/worker.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define VRING_DEVICE_POLL_NS 50000 /* default of device_poll_ns */

enum vring_transport { VRING_VHOST_USER, VRING_LOOP };
enum vring_trim { VRING_DISCARD, VRING_WRITE_ZEROES };

/* fio fills it from the job file; the last ones are the engine's own. */
struct vring_options {
	void *pad; /* fio: no option at offset 0 */
	unsigned transport;
	char *path;
	unsigned packed, queue_size, event_idx, indirect;
	unsigned wait; /* enum ring_wait */
	unsigned long long poll_ns;
	unsigned io_timeout; /* seconds, 0: never */
	unsigned hugepages;
	unsigned trim;
	unsigned rewrite;
	char *report;
	/* loop: the device in this process */
	unsigned serves; /* enum blk_kind */
	char *serve_path;
	unsigned long long serve_size, latency_ns, device_poll_ns;
	unsigned device_wait;
	int device_cpu;

	struct vring_conn *conn;
	struct vring_place *place;
	unsigned refused; /* why was said already */
};

extern struct fio_option vring_fio_options[];

/*
 * What a request has beside its data, a line of its own for each: the device takes it over once, to
 * read the header and to write the status, and gives it back once.
 */
struct vring_slot {
	struct virtio_blk_outhdr header;
	struct virtio_blk_discard_write_zeroes discard;
	uint8_t status;
} __attribute__((aligned(64)));

/* --- who gets what (vring_plan.c) --- */

/* A job's part of the device and of the shared memory: offsets into it, page-aligned. */
struct vring_place {
	unsigned job;	/* fio's number of it, from 0 */
	unsigned queue; /* of the device */
	unsigned depth; /* requests that it can have in flight */
	/* Requests may have more than one data segment where the device bounds them. */
	unsigned segs;	   /* of the longest request, header and status among them */
	uint32_t seg_size; /* bytes of a data segment at most */
	bool copies;	   /* two descriptors a request, and data goes through a buffer of ours */
	uint64_t max_bs;   /* bytes */
	size_t ring, slots, bounce, buffers; /* where they start */
	size_t buffers_size, end;
	size_t stride; /* of bounce buffers */
};

/*
 * Jobs that run at the same time on one connection get a queue each; jobs that a stonewall keeps
 * apart have the same queues and memory in turn.
 */
struct vring_plan {
	struct vring_place *place;
	unsigned n, queues; /* places; queues used at the same time */
	size_t size;	    /* of the memory for all */
};

/* Whether the options go together, before a device is looked for. -EINVAL with a sentence. */
int vring_plan_options(const struct vring_options *o, struct err *e);
/* Whether a and b describe the same device, and why not if they cannot share it. */
bool vring_same(const struct vring_options *a, const struct vring_options *b);
int vring_plan_make(struct vring_plan *p, struct thread_data *td, const struct vring_conn *c,
		    struct err *e);
/* Bytes of fio's data buffers for one job: what its backend.c and memory.c ask for. */
size_t vring_buffer_bytes(struct thread_data *td);

/* --- the connection (vring_conn.c) --- */

struct vring_record; /* whether a place is in use, and its counters at the end (vring_report.c) */

struct vring_conn {
	struct ring_opts ring;
	enum vring_transport transport;
	char *name; /* "vhost-user /path", "loop" */
	uint64_t offered, features;
	struct vhost_front_blk blk;
	unsigned device_queues;
	struct vring_plan plan;
	unsigned left; /* jobs that have not ended */
	bool copies;

	int memfd;
	char *memory;
	size_t size;
	uint64_t guest; /* address of memory as descriptors have it */

	struct vhost_front *front; /* vhost-user */
	struct blkdev *dev;	   /* loop */
	struct mem mem;		   /* loop: the device's view */

	struct vring_record *records; /* plan.n of them, shared with forked jobs */
	cpu_set_t cpus;		      /* that loop's device may use: the process's at setup */
	bool has_cpus;
};

/* Finds or makes the connection of td's job and its place in there (in options). Reports by itself;
 * 0 or -errno. */
int vring_conn_get(struct thread_data *td);
/* The job has ended; with the last one the connection goes. */
void vring_conn_put(struct thread_data *td);

/* --- a job's queue --- */

struct vring_queue {
	/* what each request touches */
	struct drv_vq *vq;
	struct vring_slot *slots;
	struct io_u **ios; /* by slot, which is fio's index of the io_u */
	char *memory;
	uint64_t guest; /* of memory */
	uintptr_t data; /* fio's buffers */
	size_t data_size;
	uint64_t slots_at; /* as descriptors have it */
	uint32_t mask;	   /* of offsets and lengths: what must be 0 */
	uint32_t seg_size;
	bool plain; /* three segments always, nothing copied */
	bool can_flush;
	bool sets_time;
	int dead; /* errno for whatever is still asked */

	struct io_u **pending; /* first nadded that are in the ring, to be published, then those
				* that wait for room in it */
	unsigned nadded, npending;
	struct drv_done *done; /* harvested, not handed out: [given, ndone) */
	unsigned given, ndone;
	struct io_u **events; /* handed out by the last getevents */
	unsigned nevents;

	struct vring_conn *conn;
	struct vring_place *place;
	const struct vring_options *o;
	struct drv_seg *segs;
	uint32_t trim_type, trim_flags;
	uint32_t *length; /* copies: bytes of data in each slot's bounce buffer */
	struct vhost_front_fds fds;
	int sock;  /* to be watched, or -1 */
	int epoll; /* edges of call and err, and of the socket's end */
	bool fds_open, started, holds, refilling, said;
	struct dev_vq *dev_vq; /* loop */
	struct worker *worker;
	uint64_t interrupts, sleeps;

	/* Kicks begun and ended: odd while one is being written. The watch reads it. */
	atomic_uint kicking;
	struct vring_watch *watch;
};

/* Sets the queue of a job up and starts the device on it. Reports by itself. */
int vring_queue_start(struct vring_queue *q, struct thread_data *td);
/* Stops the device and frees what start made. A device that cannot be stopped, or is dead, costs
 * the connection: it may still have requests of ours, so this memory is never used again. */
void vring_queue_stop(struct vring_queue *q);
/* 0, or the errno with which the device is lost: checks socket, error descriptor, worker. */
int vring_queue_check(struct vring_queue *q);

/* --- requests: fio's queue, commit, getevents, event (vring_submit.c, vring_complete.c) --- */

enum fio_q_status vring_submit(struct thread_data *td, struct io_u *io_u);
int vring_commit(struct thread_data *td);
/* Adds and publishes what waits for room, as far as there is some. */
void vring_refill(struct thread_data *td);
/* The device is lost: what is in flight and was not harvested ends with this errno, and whatever is
 * asked after. */
void vring_die(struct vring_queue *q, int error);
int vring_getevents(struct thread_data *td, unsigned int min, unsigned int max,
		    const struct timespec *t);
struct io_u *vring_event(struct thread_data *td, int event);

/*
 * --- the watch over kicks (vring_watch.c) ---
 *
 * O_NONBLOCK belongs to the eventfd that both sides have open, so a hostile device can take it away
 * and fill the counter, and our write would never return. A thread looks once in a while, and
 * signals the job's when the same kick is still being written.
 */

/* For the calling thread's queue. 0 or -errno. */
int vring_watch_start(struct vring_queue *q, struct err *e);
void vring_watch_stop(struct vring_queue *q);
/* Whether the kick that EINTR ended has lasted too long. */
bool vring_watch_expired(const struct vring_queue *q);

/* --- counters (vring_report.c) --- */

/* NULL with errno. */
struct vring_record *vring_records_make(unsigned n);
void vring_records_free(struct vring_record *r, unsigned n);
/* Marks the place as one whose queue and memory the device may be using; clears it. */
void vring_record_hold(struct vring_conn *c, const struct vring_place *p, bool held);
/* Whether the device may still be using p's queue or memory, for whichever job it was. */
bool vring_record_is_held(const struct vring_conn *c, const struct vring_place *p);
/* Keeps the queue's counters, prints them, writes the job's report=. */
void vring_report(struct vring_queue *q, struct thread_data *td);
/* One line for the user, where it cannot spoil machine-readable results. */
void vring_say(const char *line);
/* The line about what was negotiated; text of at least 512 bytes. */
void vring_describe(const struct vring_conn *c, char *text, size_t size);

#endif
