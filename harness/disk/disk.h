/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pure tables of buses, formats, modes and back ends: a cell goes in, a plan comes out; evidence
 * goes in, what is in force comes out. Nothing here runs anything.
 */
#ifndef VB_DISK_DISK_H
#define VB_DISK_DISK_H

#include <jansson.h>
#include "profile/profile.h"

enum qspec_kind { Q_OBJECT, Q_CHARDEV, Q_BLOCKDEV, Q_DEVICE };

/* One thing to be made in QEMU, as QMP arguments; the same JSON serves -object/-blockdev/-device.
 */
struct qspec {
	enum qspec_kind kind;
	json_t *args;
};

/* A command to be run on the host before plugging, as QEMU's user. */
struct disk_step {
	char **argv;	  /* NULL-terminated, owned */
	const char *what; /* "create image" */
};

/*
 * A vhost-user back end that has to run beside the trial, as QEMU's user. In argv the text {sock}
 * stands for the number of an inherited socket, {report} for a file that it may write (JSON).
 */
struct disk_server {
	char **argv;	  /* NULL-terminated, owned; NULL: none is needed */
	const char *what; /* "qemu-storage-daemon" */
	bool listens;	  /* {sock} is to be a listening socket; else a connected one */
	bool reports;	  /* writes {report} */
	char *version;	  /* of its program, owned; NULL: not known. Kept in the evidence */
};

struct disk_env {
	const char *image_dir;		    /* where the trial's image lies */
	const char *qemu_img;		    /* binary */
	const char *storage_daemon;	    /* qemu-storage-daemon; NULL: there is none */
	const char *storage_daemon_version; /* "7.2.22", or NULL */
	const char *vhost_blk;		    /* vbench's own device; NULL: there is none */
	const char *engine;		    /* vring.so; NULL: there is none */
	unsigned index; /* disk number, from 0: names and the port it is plugged into */
	unsigned vcpus;
};

struct disk_plan {
	struct disk_step *steps;
	size_t nsteps;
	struct qspec *specs; /* in the order in which they are to be made */
	size_t nspecs;
	char serial[21]; /* by which the guest finds the disk; "": it has none, look for it by the
			    PCI address that device_id got */
	char device_id[24]; /* id of the -device that is the disk ("vb0") */
	char file_node[24]; /* node name of the protocol layer */
	char fmt_node[24];  /* node name of the format layer, which the device uses as its drive */
	char virtio_path[64]; /* QOM path for x-query-virtio-queue-status, "" when the bus has no
				 virtio device */
	char iothread[24];    /* id of its iothread, "" if none */
	char *image;	      /* path, NULL for a null back end */
	struct disk_server server;
	bool vhost;	    /* served by vhost-user: its queues must not be asked for by
			       x-query-virtio-queue-status (that stops them) */
	char sock_name[24]; /* name under which QEMU gets the connected socket (getfd), before specs
			     */
	/*
	 * On a host site: fio's lines for this disk instead of ioengine= ("ioengine=external:...",
	 * ring=, ...), {sock} and {report} as above; NULL: the workload's own engine on the image.
	 */
	char *engine;
	uint64_t size;	     /* virtual size in bytes */
	uint64_t peak_bytes; /* how large the image can become on the host */
};

/* Builds the plan for a cell. 0, or -EINVAL with a sentence. Caller frees with disk_plan_free. */
int disk_plan_make(const struct cell *c, const struct disk_env *env, struct disk_plan *out,
		   struct err *e);
void disk_plan_free(struct disk_plan *p);

/* The QMP command name for a spec ("blockdev-add"), and its command-line option ("-blockdev"). */
const char *qspec_command(enum qspec_kind k);
const char *qspec_option(enum qspec_kind k);

/* Kernel modules that the guest needs for all buses of the table; NULL-terminated, without order.
 */
extern const char *const disk_guest_modules[];

/*
 * Asked against got. Evidence is one JSON object, gathered by the site after plugging ("before")
 * and again after the workload ("after"); its shape is documented in HACKING.md, "Evidence", and it
 * is kept as an artefact.
 */
enum got_state { GOT_MATCH, GOT_DIFFER, GOT_UNKNOWN };

struct asked_got {
	char key[48];	/* "disk.ring" */
	char asked[96]; /* canonical values as people write them */
	char got[160];	/* what was read; for GOT_UNKNOWN why it cannot be told */
	char from[16];	/* "guest", "host" or "both": which side said so */
	enum got_state state;
};

/*
 * Holds every key of [disk] that can be read back against the evidence. Writes at most max rows,
 * returns how many. Either evidence may be NULL (then what needs it is unknown).
 */
size_t disk_asked_got(const struct cell *c, const struct disk_plan *p, const json_t *before,
		      const json_t *after, struct asked_got *out, size_t max);

/* What still differs between buses beside the axis (max_segments, nr_requests, ...): JSON object of
 * facts, new reference. */
json_t *disk_side_facts(const json_t *evidence);

#endif
