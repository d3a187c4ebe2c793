/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this room share: the rows of its tables. */
#ifndef VB_DISK_INTERNAL_H
#define VB_DISK_INTERNAL_H

#include "disk/disk.h"

/* How a disk is attached. plug adds the devices; the drive is p->fmt_node, the port rpN. */
struct bus_row {
	const char *name;
	const char *driver;    /* in the guest's facts: "virtio_blk" */
	const char *transport; /* driver of the virtio device between disk and PCI, or NULL */
	const char
		*virtio_id; /* of the virtio device, without the disk number; NULL: there is none */
	bool wce_honest;    /* the guest's write_cache follows write-cache= */
	void (*plug)(const struct cell *c, const struct disk_env *env, struct disk_plan *p);
};

const struct bus_row *bus_find(const char *name);

/* QEMU's cache= as its three parts (qemu(1), -drive, cache). */
struct cache_row {
	const char *name;
	bool direct, no_flush, write_cache;
};

const struct cache_row *cache_find(const char *name);

/* Of a null back end: as cache=none. */
const struct cache_row *cell_cache(const struct cell *c);

/* Adds a spec; takes the reference. */
void plan_add(struct disk_plan *p, enum qspec_kind kind, json_t *args);

/*
 * image.c: the image with its step, where the cell has one, and size and peak of the plan. Then the
 * two block nodes, protocol and format, new, for QEMU or qemu-storage-daemon.
 */
void image_plan(const struct cell *c, const struct disk_env *env, struct disk_plan *p);
void image_nodes(const struct cell *c, const struct disk_plan *p, json_t **file, json_t **fmt);

/* vhost.c: the server's command line; how a guest sees it; and fio's lines on the host. */
int server_plan(const struct cell *c, const struct disk_env *env, struct disk_plan *p,
		struct err *e);
void plug_vhost(const struct cell *c, const struct disk_env *env, struct disk_plan *p);
int engine_plan(const struct cell *c, const struct disk_env *env, struct disk_plan *p,
		struct err *e);

/* bus.c: adds what virtio devices have in common to a device's properties. */
void virtio_common(const struct cell *c, const struct disk_env *env, json_t *device);

/* Asked against got, one key: fills got, from and state; asked is there already. */
struct evidence {
	const struct cell *cell;
	const struct disk_plan *plan;
	const json_t *before, *after;
};

void got_set(struct asked_got *r, enum got_state state, const char *from, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The first of the two evidences that has the path ("guest/disk/features"); NULL if neither has. */
const json_t *ev_get(const struct evidence *ev, const char *path);
const json_t *json_at(const json_t *from, const char *path);

/* A negotiated feature bit in a string of 0 and 1 (character i is bit i): 1, 0, or -1: not told. */
int feature_bit(const json_t *features, unsigned bit);

/* Which process has the disk open: "host" (QEMU; on a host site fio or the server), or
 * "server_process". path within it, into buf. */
const char *disk_process(const struct evidence *ev, const char *path, char buf[96]);

/* Before the workload a host site's server may not have opened its image yet: what it lacks then is
 * no difference. */
bool image_not_yet(const struct evidence *ev, const json_t *fds);

/* A whole number at path against the one that was asked for. */
void compare_number(const struct evidence *ev, struct asked_got *r, const char *path,
		    const char *from, uint64_t asked, const char *unknown);
/* A word against the one that was asked for; NULL: unknown. */
void compare_word(struct asked_got *r, const char *from, const char *asked, const char *got,
		  const char *unknown);

/* probe_vhost.c: keys of vhost-user servers and of the vring driver. */
void probe_driver(const struct evidence *ev, struct asked_got *r);
void probe_event_idx(const struct evidence *ev, struct asked_got *r);
void probe_indirect(const struct evidence *ev, struct asked_got *r);
void probe_wait(const struct evidence *ev, struct asked_got *r);
void probe_server(const struct evidence *ev, struct asked_got *r);
void probe_serves(const struct evidence *ev, struct asked_got *r);
void probe_server_wait(const struct evidence *ev, struct asked_got *r);
void probe_poll(const struct evidence *ev, struct asked_got *r);
void probe_server_poll(const struct evidence *ev, struct asked_got *r);
void probe_server_latency(const struct evidence *ev, struct asked_got *r);

/* probe_image.c, probe_effect.c */
void probe_format(const struct evidence *ev, struct asked_got *r);
void probe_mode(const struct evidence *ev, struct asked_got *r);
void probe_cache(const struct evidence *ev, struct asked_got *r);
void probe_aio(const struct evidence *ev, struct asked_got *r);
void probe_iothread(const struct evidence *ev, struct asked_got *r);
void probe_backend(const struct evidence *ev, struct asked_got *r);
void probe_latency(const struct evidence *ev, struct asked_got *r);

/* probe_guest.c */
void probe_bus(const struct evidence *ev, struct asked_got *r);
void probe_ring(const struct evidence *ev, struct asked_got *r);
void probe_size(const struct evidence *ev, struct asked_got *r);
void probe_queues(const struct evidence *ev, struct asked_got *r);
void probe_queue_size(const struct evidence *ev, struct asked_got *r);

#endif
