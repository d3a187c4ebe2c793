/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this room share: the rows of its tables. */
#ifndef VB_DISK_INTERNAL_H
#define VB_DISK_INTERNAL_H

#include "disk/disk.h"

/* How disks are attached. */
struct bus_row {
	const char *name;
	const char *driver;    /* in the guest's facts: "virtio_blk" */
	const char *transport; /* driver of the host adapter between disk and bus, or NULL */
	/* QOM id of the virtio device, without its number, and what follows it; NULL: there is none
	 */
	const char *virtio_id, *virtio_child;
	bool wce_honest; /* the guest's write_cache follows write-cache= */
	bool pci;	 /* the guest finds it on PCI */
	/* Adds the devices of all p->units, controllers first; each disk's drive is its fmt_node.
	 */
	void (*plug)(const struct cell *c, const struct disk_env *env, struct disk_plan *p);
};

const struct bus_row *bus_find(const char *name);

/*
 * bus.c. How many disks a cell has (on the host one), and what of a unit's names depends on its bus: virtio_path and iothread.
 */
unsigned disk_count(const struct cell *c);
void bus_name_unit(const struct cell *c, const struct disk_env *env, unsigned i,
		   struct disk_unit *u);

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

/* A NULL-terminated argv that grows; word takes the string. plan.c */
struct words {
	char **v;
	size_t n;
};
void word(struct words *w, char *owned);

/* format.c: what of an image's format is not said by its key; a row each. */
struct format_row {
	const char *name;
	bool preallocation; /* qemu-img takes preallocation= for it */
	bool key;	    /* a secret opens it */
	bool fixed_file;    /* works in a file that cannot grow, if it is large enough: over NBD */
	const char *create; /* further options of qemu-img create, or NULL */
	/* The most that a full image takes beside its data: size / share + fixed bytes. */
	uint64_t share, fixed;
};

/* Opens images with `key`: it is no secret, for nothing but benchmark data is in them. */
#define IMAGE_PASSPHRASE "vbench"

const struct format_row *format_find(const char *name);

/*
 * image.c: p->size; then for each of p->units, whose names are there already, the image's path
 * (units[0]'s in p->image, too), and all steps, files and the peak of them together.
 */
void image_units(const struct cell *c, const struct disk_env *env, struct disk_plan *p);

/* The image without its overlays: units[i].image itself where there are none. Caller frees. */
char *image_layer(const struct cell *c, const struct disk_unit *u, unsigned layer);
/* qcow2's raw data file of the lowest layer; NULL: it has none. Caller frees. */
char *image_data_file(const struct cell *c, const struct disk_unit *u);
/* What images of that size are converted from (struct disk_step). Caller frees. */
char *image_source(const struct cell *c, const struct disk_env *env, uint64_t size);
/* How many layers there are: disk.backing + 1. */
unsigned image_layers(const struct cell *c);

/*
 * nodes.c: adds to specs all objects and block nodes of one disk (secret, throttle group, protocol,
 * format, overlays, throttle filter), lowest first. u->fmt_node is the uppermost: what a device or
 * an export uses. The same serves qemu-storage-daemon's --object and --blockdev. blank: a null
 * device of the same size under the same two names, for a template. A path that is not UTF-8 leaves
 * a spec with args NULL.
 */
void image_specs(const struct cell *c, const struct disk_plan *p, const struct disk_unit *u,
		 bool blank, struct qspec **specs, size_t *n);

/* Name of the disk's node for a format, which is u->fmt_node unless a throttle filter is on it. */
const char *node_of_format(const struct cell *c, const char *fmt_node, char buf[32]);
/* Has the cell a limit that QEMU is to keep? */
bool node_throttled(const struct cell *c);

/*
 * nbd.c: the NBD server of a cell with backend = nbd, with p->sock_name, after image_units. -EINVAL
 * with a sentence: there is no such program; the disk is cold; there are several disks.
 */
int nbd_plan(const struct cell *c, const struct disk_env *env, struct disk_plan *p, struct err *e);

/* vhost.c: the server's command line; how a guest sees it; and fio's lines on the host. */
int server_plan(const struct cell *c, const struct disk_env *env, struct disk_plan *p,
		struct err *e);
void plug_vhost(const struct cell *c, const struct disk_env *env, struct disk_plan *p);
int engine_plan(const struct cell *c, const struct disk_env *env, struct disk_plan *p,
		struct err *e);

/* bus.c: adds what virtio devices on PCI have in common to the properties of the one with that
 * number (its place, and ring features). */
void virtio_common(const struct cell *c, unsigned n, json_t *device);

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

/* probe_node.c: qcow2's options, throttling, and what is beside a file */
void probe_cluster(const struct evidence *ev, struct asked_got *r);
void probe_extended_l2(const struct evidence *ev, struct asked_got *r);
void probe_lazy_refcounts(const struct evidence *ev, struct asked_got *r);
void probe_compat(const struct evidence *ev, struct asked_got *r);
void probe_l2_cache(const struct evidence *ev, struct asked_got *r);
void probe_content(const struct evidence *ev, struct asked_got *r);
void probe_backing(const struct evidence *ev, struct asked_got *r);
void probe_compression(const struct evidence *ev, struct asked_got *r);
void probe_data_file(const struct evidence *ev, struct asked_got *r);
void probe_detect_zeroes(const struct evidence *ev, struct asked_got *r);
void probe_discard(const struct evidence *ev, struct asked_got *r);
void probe_throttle_iops(const struct evidence *ev, struct asked_got *r);
void probe_throttle_bps(const struct evidence *ev, struct asked_got *r);
void probe_throttle_iops_max(const struct evidence *ev, struct asked_got *r);
void probe_throttle_bps_max(const struct evidence *ev, struct asked_got *r);
void probe_throttle_burst(const struct evidence *ev, struct asked_got *r);
void probe_device(const struct evidence *ev, struct asked_got *r);
void probe_nbd(const struct evidence *ev, struct asked_got *r);
void probe_nbdkit(const struct evidence *ev, struct asked_got *r);

/* The node of that name in query-named-block-nodes; the medium whose root is the plan's uppermost
 * node in query-block. NULL: not listed. */
const json_t *node_find(const struct evidence *ev, const char *name);
const json_t *inserted_find(const struct evidence *ev);

/* probe_bus.c */
void probe_bus(const struct evidence *ev, struct asked_got *r);
void probe_count(const struct evidence *ev, struct asked_got *r);
void probe_controllers(const struct evidence *ev, struct asked_got *r);
void probe_slots(const struct evidence *ev, struct asked_got *r);
void probe_iothreads(const struct evidence *ev, struct asked_got *r);
void probe_mapping(const struct evidence *ev, struct asked_got *r);
void probe_poll_max(const struct evidence *ev, struct asked_got *r);
void probe_ioeventfd(const struct evidence *ev, struct asked_got *r);
void probe_poll_queues(const struct evidence *ev, struct asked_got *r);

/* probe_guest.c */
void probe_ring(const struct evidence *ev, struct asked_got *r);
void probe_size(const struct evidence *ev, struct asked_got *r);
void probe_queues(const struct evidence *ev, struct asked_got *r);
void probe_queue_size(const struct evidence *ev, struct asked_got *r);

#endif
