/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All that a run holds while it goes on: folders, rights, machines, store, site, policy. Private to
 * run/. */
#ifndef VB_RUN_CONTEXT_H
#define VB_RUN_CONTEXT_H

#include "base/journal.h"
#include "guest/machine.h"
#include "guest/small.h"
#include "host/host.h"
#include "run/able.h"
#include "run/device.h"
#include "run/policy.h"
#include "run/run.h"
#include "run/tools.h"

/* A QEMU binary with a machine type, as some cells name it. */
struct run_qemu {
	const char *qemu, *machine; /* as in the profile */
	struct qemu_info info;
	bool asked; /* what it is able to do */
	struct qemu_able able;
};

/* Which accelerator a kind of cell got: per QEMU, machine, cpu, ... as asked. */
struct run_accel {
	char key[17]; /* machine_hash of the KVM machine */
	char accel[4];
	char reason[760];
};

/* An initramfs for a guest kernel. */
struct run_kernel {
	char *asked; /* guest.kernel */
	char *version, *vmlinuz, *initramfs, hash[65];
};

/* A block device that cells write to, as it was when the run was begun. */
struct run_device {
	const char *path; /* disk.device, borrowed */
	dev_t dev;
};

struct run {
	const struct profile *profile;
	struct profile *kept; /* NULL, or profile: the whole one without the cells that cannot be
				 had here (able.h) */
	const struct profile *whole;
	const struct run_opts *opts;
	struct term term;
	char uuid[37];
	uint64_t seed;
	unsigned blocks;
	bool strict;

	char *data;	  /* data folder */
	char *folder;	  /* of this run */
	char *images_sub; /* name of this run's folder within each image folder */
	struct child_user user;
	struct journal *journal;
	uint64_t keep_free; /* 0: the rule's default */

	struct run_qemu *qemus;
	size_t nqemus;
	struct run_kernel *kernels;
	size_t nkernels;
	struct run_accel *accels;
	size_t naccels;
	struct run_tool tools[TOOL_COUNT];
	struct run_daemon *daemons;
	size_t ndaemons;
	char fio_version[64]; /* of the host's */
	struct run_device *devices;
	size_t ndevices;

	const struct cell *knobs; /* whose knobs are in force; NULL: none (knobs.c) */
	char knobs_id[20];
	struct run_pins *pins; /* pins.c */
	size_t npins;
	struct place_host *place; /* pins.c: what the planner sees; NULL: not looked yet */

	struct store *store;
	struct site *guests, *host; /* NULL where no cell wants one */
	/* Several guests at once: NULL, or the site of all guest cells, whose first guest is
	 * `guests`, so that one guest is measured as several are. */
	struct site *many;
	struct site *site; /* one of the three: the current trial's */
	struct policy *policy;
	struct run_search search; /* visits 0: none. Its workload is in search_workload */
	char *search_workload;

	char *image_dirs[64]; /* resolved disk.dir values, one per value */
	const char *image_dir_names[64];
	size_t nimage_dirs;

	struct child dropping; /* removes the last trial's image */

	/* the current trial */
	const char *watch_dir; /* folder whose free space is watched */
	unsigned done, total, ok, failed, limited;
	uint64_t begun_ns;     /* monotonic */
	uint64_t ns_per_trial; /* estimate */
	unsigned session_trials;
	char now[160]; /* shown in the bar */
};

/* Looks everything up that the profile names: rights, QEMUs, kernels, programs, folders. Writes
 * nothing. */
int run_setup(struct run *r, const struct profile *p, const struct run_opts *o, struct err *e);
/* Makes what the guests need: kernel and initramfs in the data folder, image folders (journalled).
 */
int run_prepare(struct run *r, struct err *e);
int run_prepare_kernels(struct run *r, struct err *e);
void run_teardown(struct run *r);

/* Cells on that site. */
unsigned run_cells_on(const struct run *r, bool host);

/* The QEMU and the guest kernel that a cell names; NULL before run_setup, and for cells on the
 * host. */
struct run_qemu *run_qemu_of(struct run *r, const struct cell *c);
struct run_kernel *run_kernel_of(struct run *r, const struct cell *c);

/* A guest cell's machine, accelerator resolved. For --dry-run "auto" that was not probed is shown
 * as kvm.
 */
int run_machine(void *run, const struct cell *c, struct machine *out, const char **kernel,
		struct err *e);

/* Folder for a cell's image; NULL for a back end without one. */
const char *run_image_dir(const struct run *r, const struct cell *c);
int run_plan(const struct run *r, const struct cell *c, struct disk_plan *out, struct err *e);
/* The same with its images in another folder (guests.h). */
int run_plan_in(const struct run *r, const struct cell *c, const char *dir, struct disk_plan *out,
		struct err *e);

struct accel_answer;
/* Tries KVM for a cell; see accel_probe. */
int run_probe_cell(struct run *r, const struct cell *c, bool remember, struct accel_answer *out,
		   struct err *e);

/*
 * For --dry-run: what accel = auto will come to as far as it can be told without booting; NULL, or
 * why it will be TCG (borrowed).
 */
const char *run_accels_guess(struct run *r);

/* Resolves the accelerators of all cells, loudly. */
int run_accels(struct run *r, struct err *e);

/* The text that must be the same when a run is resumed: QEMU, kernel, accelerators, the host's
 * programs. Caller frees. */
char *run_fingerprint(struct run *r);

/* How many disks a cell has. */
unsigned run_disks(const struct cell *c);

/* What the run will cost. */
struct run_cost {
	uint64_t ns;		 /* time */
	uint64_t ns_per_trial;	 /* mean */
	uint64_t image_bytes;	 /* written by creating and filling images, all trials */
	uint64_t image_peak;	 /* largest image */
	uint64_t template_bytes; /* states of one block, at most */
	uint64_t memory; /* of the largest guest; of a server that keeps its disk there; of fio's
			    buffers and rings on the host */
	const char *memory_keys; /* what it is made of, in the profile's words; NULL without any */
	unsigned disks;		 /* in one guest, at most */
	unsigned guests;	    /* at once, at most */
	unsigned trials, templates; /* templates: per block */
	uint64_t write_ns;	    /* time spent in workloads that write */
};
/* Resolves run.seed, and run.blocks or --for, into r; fills the cost. */
int run_seed_and_blocks(struct run *r, struct run_cost *out, struct err *e);
int run_cost(struct run *r, unsigned blocks, struct run_cost *out, struct err *e);
void run_cost_print(const struct run *r, const struct run_cost *c, FILE *out);

/* All checks and preparations before the first guest, the cheap and harmless ones first. */
int run_preflight(struct run *r, const struct run_cost *cost, struct err *e);

/* One trial from plan to samples; never fails as a function: what went wrong is in *t. -EINTR when
 * stopped, -ENOSPC when room is gone. */
int run_trial(struct run *r, const struct order *o, struct store_trial *t, struct err *e);
void run_trial_free(struct store_trial *t);

/* Draws the bar; p (may be NULL) with live figures, run a struct run. */
void run_show(const struct job_progress *p, void *run);

/* A line on stderr that --quiet does not silence. */
void run_warn(struct run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
