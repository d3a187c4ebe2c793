/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The small guest's machine: which QEMU, with which command line, under whose rights. */
#ifndef VB_GUEST_MACHINE_H
#define VB_GUEST_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/child.h"
#include "base/err.h"
#include "disk/disk.h"
#include "guest/assets.h"
#include "profile/profile.h"

/*
 * Slots 4 to 30 of q35's root bus with 8 ports each, and two before them. Tried with QEMU 7.2 and
 * Linux 6.1: 128, 160 and 218 virtio-blk disks behind as many ports are there and read, with 2
 * vCPUs and 1 GiB of memory; so the slots are the limit, as long as ports take no interrupt vectors
 * (PORT_NO_MSI: with theirs it was between 100 and 160 disks, and one vCPU did not even boot with
 * 200 ports).
 */
#define MACHINE_PORTS_MAX 218

/* What a QEMU binary says of itself. */
struct qemu_info {
	char *path;    /* absolute, as it is executed */
	char *exe;     /* what then runs: path itself, or what a wrapper script executes */
	char *build;   /* tells builds of one version apart: size, mtime and inode of exe */
	char *img;     /* qemu-img beside it, else in PATH */
	char *version; /* "7.2.22" with the package's suffix */
	char *machine; /* what the asked machine's alias stands for here: "pc-q35-7.2" */
	bool kvm_built;
	unsigned tsc_khz; /* of this host, which emulated guests see; 0: not known */
};

/*
 * Starts that QEMU with no machine (-M none), lets talk ask it by QMP, and ends it. pid is its
 * process. talk returns 0 or -errno with a sentence, before which the program's path is put.
 */
struct qmp;
typedef int qemu_talk_fn(struct qmp *q, pid_t pid, void *arg, struct err *e);
int qemu_talk(const char *path, qemu_talk_fn *talk, void *arg, struct err *e);

/* Asks the binary through QMP (about 0.1 s). machine: as in the profile. -EINVAL with the remedy if
 * it is too old or none. */
int qemu_info_get(const char *qemu, const char *machine, struct qemu_info *out, struct err *e);
void qemu_info_free(struct qemu_info *i);

/* The user as whom QEMU runs: ours, or when we are root the one named ("auto": vbench if it exists,
 * else nobody), with group kvm. */
int qemu_user(const char *name, struct child_user *out, struct err *e);

/* One row per target; everything that is particular to an architecture stands here. */
struct target_row {
	const char *arch, *qemu, *console;
	const char *serial_args; /* kernel command line for the console */
	const char *tcg_args;	 /* what it needs besides under emulation */
};

struct pin; /* guest/pin.h */

struct machine {
	struct qemu_info qemu;
	const char *accel; /* "kvm" or "tcg", resolved */
	const char *cpu;   /* resolved: "host", "max" or what was named */
	unsigned vcpus;
	unsigned long long memory; /* bytes */
	bool sandbox;
	bool shared; /* memory that a vhost-user server can map; false from machine_make */
	unsigned long long page; /* of guest memory, huge pages; 0: whatever comes */
	/* NUMA nodes of guest memory, a list ("0,2", "0+2"), and QEMU's policy for it; NULL: none.
	 */
	const char *nodes, *policy;
	const struct pin *pin; /* of its threads; NULL from machine_make. Borrowed */
	bool mmio;	       /* no PCI: virtio devices on the board, "microvm" */
	bool no_ioeventfd;     /* of the board's virtio devices */
	unsigned ports;	       /* PCI Express root ports, "rp0" and on */
	unsigned poll_queues;  /* of the guest's virtio_blk driver; 0: its default, none */
	/* Disks that are there from the start; NULL from machine_make. Borrowed: a plan's specs, or
	 * its blank ones in a template. */
	const struct qspec *cold;
	size_t ncold;
	const char *vmlinuz, *initramfs;
	const char *arm; /* guest.arm; NULL: none. Only makes its template another one */
};

/* fd numbers that the command line shall name; -1 shows a placeholder (--dry-run). */
struct machine_fds {
	int qmp, agent, console, incoming; /* incoming -1: cold boot */
};

/*
 * Fills a machine for a cell. accel is the resolved accelerator. Strings are borrowed from cell,
 * info and the caller; nothing to free. With profile_shared_memory() the caller sets m->shared, for
 * all guests of the run alike: memory that is mapped otherwise would be a difference beside the
 * axis.
 */
void machine_make(struct machine *m, const struct cell *c, const struct qemu_info *info,
		  const char *accel, const char *vmlinuz, const char *initramfs);

/* NULL-terminated argv (each string and the array are the caller's: argv_free). show: placeholders
 * for fds. */
char **machine_argv(const struct machine *m, const struct machine_fds *fds, bool show);
void argv_free(char **argv);

/* argv as one shell command; caller frees. */
char *argv_shell(char *const *argv);

/* The same behind the words of a program: as typed, for the record. Caller frees. */
char *argv_command(const char *program, char *const *argv);

/* Text over everything that a template depends on: equal text, equal template. Caller frees. */
char *machine_key(const struct machine *m);

#endif
