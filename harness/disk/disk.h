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

/*
 * What is done on the host before plugging, as QEMU's user: a command, or (argv NULL) the file
 * `source` of `source_bytes` is to be there, full of data that compresses to about half. All cells
 * of a run may share a source: it is kept until the run's end.
 */
struct disk_step {
	char **argv;	    /* NULL-terminated, owned */
	const char *what;   /* "create image" */
	const char *metric; /* the time it takes is a sample of this metric; NULL: of none */
	char *source;	    /* absolute path, owned */
	const char *content; /* of the source: disk.content, borrowed from the cell */
	uint64_t source_bytes;
};

/* One of disk.count disks; the first one's names stand in the plan itself, too. */
struct disk_unit {
	char serial[21], device_id[24], file_node[24], fmt_node[24], iothread[24];
	char virtio_path[64];
	char *image; /* path, NULL: none */
};

/*
 * A vhost-user back end or an NBD server that has to run beside the trial, as QEMU's user. In argv
 * the text {sock} stands for the number of an inherited socket, {report} for a file that it may
 * write (JSON).
 */
struct disk_server {
	char **argv;	  /* NULL-terminated, owned; NULL: none is needed */
	const char *what; /* "qemu-storage-daemon" */
	bool listens;	  /* {sock} is to be a listening socket; else a connected one */
	bool activated;	  /* the listening socket is handed over as systemd does it (fd 3,
			     LISTEN_FDS=1, LISTEN_PID): NBD servers */
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
	const char *qemu_nbd, *nbdkit;	    /* binaries; NULL: there is none */
	const char *source_dir;		    /* where sources lie; NULL: image_dir */
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
	char *image;	      /* path, NULL for a null back end; a block device's path with `device`
			       */
	bool device;	      /* image is a device of the host: never made, measured or removed */
	uint64_t device_number; /* st_rdev of the one that was looked at and agreed to, 0: none was
				 */
	/* What else the steps leave on the host (overlays' bases, data files): removed with the
	 * image. */
	char **files;
	size_t nfiles;
	struct disk_unit *units; /* disk.count of them; units[0] is the one above */
	size_t nunits;
	/*
	 * Cold: specs stand on QEMU's command line (qspec_option), where they are read in the same
	 * order. The template has `blank` there instead: equal devices and node names over null-co
	 * of the same size, so that equal devices share a template whatever their images.
	 */
	bool cold;
	struct qspec *blank;
	size_t nblank;
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
	uint64_t size;	     /* virtual size in bytes, of each disk */
	uint64_t peak_bytes; /* how large all images of the plan can become on the host, sources
				not counted */
};

/* Builds the plan for a cell. 0, or -EINVAL with a sentence. Caller frees with disk_plan_free. */
int disk_plan_make(const struct cell *c, const struct disk_env *env, struct disk_plan *out,
		   struct err *e);
void disk_plan_free(struct disk_plan *p);

/*
 * What a machine must have for a cell's disks, beside the disks: PCI Express root ports, and how
 * they are put on the root bus. QEMU's q35 has 32 slots there, of which the host bridge, the ISA
 * bridge and our own devices take some; 8 ports share one as functions. See guest/machine.h.
 */
unsigned disk_root_ports(const struct cell *c);

/* How many iothreads a cell's disks share ("io0" up); 0: none. */
unsigned disk_iothreads(const struct cell *c);

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
