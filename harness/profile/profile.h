/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An INI profile -> axes, cells and workloads. The table of keys (keys.c) drives everything. */
#ifndef VB_PROFILE_PROFILE_H
#define VB_PROFILE_PROFILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/err.h"

enum section {
	SEC_PROFILE,
	SEC_HOST,
	SEC_GUEST,
	SEC_DISK,
	SEC_KNOB,
	SEC_WORKLOAD,
	SEC_RUN,
	SEC_GATE,
	SEC_COUNT,
};

enum key_type {
	KT_STRING,
	KT_PATH,
	KT_ENUM,    /* one of values */
	KT_BOOL,    /* on/off (yes/no, true/false, 1/0 are taken too) -> "on" / "off" */
	KT_INT,	    /* decimal, between min and max */
	KT_SIZE,    /* canonical: bytes in decimal */
	KT_TIME,    /* canonical: nanoseconds in decimal */
	KT_PERCENT, /* "5%" or "0.05" -> "0.05", at most six digits; bounds in millionths */
	KT_RATIO,   /* "1.5": as KT_PERCENT, and shown as it is */
};

/* One id per row of the table; the order is the order of `vbench help profile`. */
enum key_id {
	/* [profile] */
	K_TITLE,
	K_QUESTION,
	K_SOURCE,
	/* [host] */
	K_HOST_USER,
	K_HOST_FREE,
	K_HOST_BUSY,
	/* [guest] */
	K_SITE,
	K_VCPUS,
	K_MEMORY,
	K_ACCEL,
	K_CPU,
	K_MACHINE,
	K_SCHEDULER,
	K_SANDBOX,
	K_KERNEL,
	K_QEMU,
	K_START,
	K_ARM,
	K_POLL_QUEUES,
	K_GUESTS, /* guest.count */
	K_OVERCOMMIT,
	K_PIN,
	K_PAGES,
	K_NODES,
	K_MEMORY_MODE,
	/* [disk] */
	K_DIR,
	K_DRIVER,
	K_BUS,
	K_DISKS, /* disk.count */
	K_CONTROLLERS,
	K_SLOTS,
	K_RING,
	K_EVENT_IDX,
	K_INDIRECT,
	K_FORMAT,
	K_MODE,
	K_CLUSTER,
	K_EXTENDED_L2,
	K_LAZY_REFCOUNTS,
	K_COMPAT,
	K_L2_CACHE,
	K_CONTENT,
	K_BACKING,
	K_COMPRESSION,
	K_DATA_FILE,
	K_SIZE,
	K_CACHE,
	K_AIO,
	K_DETECT_ZEROES,
	K_DISCARD,
	K_THROTTLE_IOPS,
	K_THROTTLE_BPS,
	K_THROTTLE_IOPS_MAX,
	K_THROTTLE_BPS_MAX,
	K_THROTTLE_BURST,
	K_IOTHREAD,
	K_IOTHREADS,
	K_MAPPING,
	K_POLL_MAX,
	K_IOEVENTFD,
	K_QUEUES,
	K_QUEUE_SIZE,
	K_WAIT,
	K_POLL,
	K_BACKEND,
	K_DEVICE,
	K_NBD,
	K_NBDKIT,
	K_SERVER,
	K_SERVES,
	K_SERVER_WAIT,
	K_SERVER_POLL,
	K_LATENCY,
	K_PRECONDITION,
	/* [knob] */
	K_KNOB_GOVERNOR,
	K_KNOB_THP,
	K_KNOB_THP_DEFRAG,
	K_KNOB_KSM,
	K_KNOB_HALT_POLL,
	K_KNOB_BALANCING,
	K_KNOB_SWAPPINESS,
	/* [workload NAME] */
	K_RW,
	K_BS,
	K_IODEPTH,
	K_NUMJOBS,
	K_RUNTIME,
	K_RAMP,
	K_RATE,
	K_WSIZE,
	K_FSYNC,
	K_FDATASYNC,
	K_DIRECT,
	K_VERIFY,
	K_IOENGINE,
	K_WDISKS,
	K_WPRECONDITION,
	K_CPU_LOAD,
	/* [run] */
	K_BLOCKS,
	K_SEED,
	K_LABEL,
	K_STRICT,
	K_OUT,
	K_PRIMARY,
	K_ONLY,
	K_DECIDE,
	K_MAX_BLOCKS,
	K_PRECISION,
	/* [gate] */
	K_GATE_BLOCKS,
	K_GATE_CONFIRM,
	K_GATE_SEE,
	K_GATE_RATE,
	K_COUNT
};

struct cell;

struct key_row {
	enum key_id id;
	enum section section;
	const char *name; /* as in the file: "queue-size" */
	enum key_type type;
	const char *values;  /* KT_ENUM: "split,packed" */
	const char *aliases; /* "dynamic=metadata,prealloc=full", or NULL */
	const char *def;     /* default as one would write it; NULL: none */
	uint64_t min, max;   /* KT_INT, KT_SIZE, KT_TIME, KT_PERCENT, KT_RATIO; max 0: unbounded.
				KT_STRING, KT_PATH: longest, max 0: 200 */
	uint64_t step;	     /* numbers: must be a multiple of it; 0: any */
	const char *words;   /* words taken beside a number or a path: "auto", "all"; canonical as
				they are, as a number 0 */
	/* KT_ENUM: "zvhd,zvhd2=why it cannot be; what to do", entries parted by |: values that
	 * people may ask for and get an answer of their own; NULL: none */
	const char *refused;
	bool axis;	    /* may hold a list */
	bool bare;	    /* labels show its value without its name ("packed") */
	const char *counts; /* labels say what it counts ("4 guests"); NULL: nothing */
	const char *help;   /* one line */
	/* NULL, or says why a well-formed canonical value will not do ("must be a power of two"),
	 * else NULL. */
	const char *(*check)(const char *canonical);
	/*
	 * NULL, or says why this key means nothing in this cell ("raw images have no mode"), else
	 * NULL. A key that does not apply loses its value there, and cells that become equal are
	 * folded into one.
	 */
	const char *(*applies)(const struct cell *c);
	/*
	 * NULL, or says why this cell cannot be ("aio=native needs cache none or directsync"), else
	 * NULL. Such a cell is skipped with the reason listed.
	 */
	const char *(*conflict)(const struct cell *c);
};

extern const struct key_row profile_keys[K_COUNT];
extern const char *const section_names[SEC_COUNT];

/* A pass-through option: blockdev.KEY (disk) or fio.KEY (workload). */
struct extra {
	char *key; /* without the prefix */
	char *value;
};

/*
 * One combination of axis values. val[k] is canonical text for keys of [guest], [disk] and [knob],
 * NULL where the key does not apply (and for keys of other sections). Owned by the profile.
 */
struct cell {
	char id[17];	/* 16 hex digits: hash of the keys that differ from the defaults */
	char *label;	/* axis values only, for people: "virtio-blk packed qcow2 full"; "default"
			   without axes */
	unsigned index; /* in profile order */
	char *val[K_COUNT];
	struct extra *extras; /* blockdev.KEY */
	size_t nextras;
};

struct workload {
	char *name;
	char id[17];
	char *val[K_COUNT];   /* keys of [workload] */
	struct extra *extras; /* fio.KEY */
	size_t nextras;
};

/* A key that varies. key is "disk.bus" or "disk.blockdev.KEY"; values are canonical. */
struct axis {
	const struct key_row *row; /* NULL for a pass-through key */
	char *key;
	char **values;
	size_t nvalues;
};

/*
 * A [rung NAME] section: one named cell, made of the plain values of [guest] and [disk] and its own
 * assignments ("disk.bus = nvme"). A profile with rungs is a ladder: its cells are the rungs, in
 * the order of the file, and no other key may hold a list.
 */
struct rung {
	char *name;    /* also the label of its cell */
	char *over;    /* the rung below, from which it differs by one layer; NULL: stands on the
			  ground */
	char *adds;    /* what that layer is, in words; NULL on the ground */
	size_t cell;   /* index into cells; SIZE_MAX: skipped (the reason is in skipped) */
	unsigned line; /* in the file */
};

struct skipped {
	char *what; /* "aio=native cache=writeback (6 combinations)" */
	char *reason;
	bool folded; /* true: the combination equals a cell that is measured */
};

/* skips.c. What is not folded, in lines that a reader can take in: cells that share a reason share
 * a line, which counts them and names what they have in common: "3 cells with pages=2M". */
struct skipped_line {
	char *what;	    /* own; of one cell its own words */
	const char *reason; /* the cells' */
	size_t *cell;	    /* which of all; own */
	size_t ncell;
};
/* In the order of their first cells. Free with skipped_lines_free. */
struct skipped_line *skipped_lines(const struct skipped *all, size_t n, size_t *nlines);
void skipped_lines_free(struct skipped_line *lines, size_t n);
/* The lines, each behind before: "3 cells with pages=2M: needs ...". */
void skipped_print(const struct skipped *all, size_t n, const char *before, FILE *out);
/* What is folded, each in a line, then the lines: "folded: ...", "skipped: ...". */
void skipped_print_all(const struct skipped *all, size_t n, const char *indent, FILE *out);

/* As the store has it: [{"what", "reason", "folded"}]. New reference. */
json_t *skipped_json(const struct skipped *all, size_t n);
/* The reverse; what lacks a text is left out. Texts stay the list's; free the array alone. */
struct skipped *skipped_of(const json_t *list, size_t *n);

/* With run.precision the first look comes after this block: an interval that may end the run at n =
 * 3 covers 90 % in the place of 95 [Chow & Robbins 1965; statistics.md, part 6]. */
#define PRECISION_FIRST 10

/* A cell of each arm, alike but for what the arms say; one may stand in several pairs, where keys
 * that tell cells of its partner's arm apart mean nothing in it. */
struct profile_pair {
	size_t base, change; /* indices into cells */
};

/* A cell that is named and spelt out (profile_parse_cells). */
struct profile_listed {
	char *name;
	char **sets;
	size_t nsets;
};

struct profile {
	char *path; /* as given */
	char *name; /* file name without folder and .ini */
	char *text; /* the file, byte for byte */
	size_t text_len;
	char *val[K_COUNT]; /* keys of [profile], [host], [run], [gate] */
	char **sets;	    /* --set arguments, in order */
	size_t nsets;
	struct axis *axes;
	size_t naxes;
	struct cell *cells;
	size_t ncells;
	struct workload *workloads;
	size_t nworkloads;
	struct rung *rungs; /* a ladder has some */
	size_t nrungs;
	struct skipped *skipped;
	size_t nskipped;
	/* With two arms: all cells of arm "base" come first, then all of "change" (guest.arm);
	 * every cell is in a pair. */
	struct profile_pair *pairs;
	size_t npairs;		     /* 0: the profile has no arms */
	char **vs_base, **vs_change; /* what each arm says, "disk.ring=packed" as given */
	size_t nvs_base, nvs_change;
	struct profile_listed *listed; /* see profile_parse_cells: one a cell, in order */
	size_t nlisted;
	bool shared; /* see profile_shared_memory; holds for cells that run.only has left out, too
		      */
};

/*
 * Reads and checks a profile; path "-" is standard input. sets are "section.key=value" or "workload
 * NAME.key=value" overrides (a workload key without a name, "workload.bs=8k", goes to all). On bad
 * input: -EINVAL and "PATH:LINE: ... remedy", exit status 2. Caller frees with profile_free.
 */
int profile_load(const char *path, const char *const *sets, size_t nsets, struct profile **out,
		 struct err *e);

/* The same from memory; path is only shown in messages. */
int profile_parse(const char *text, size_t len, const char *path, const char *const *sets,
		  size_t nsets, struct profile **out, struct err *e);

/*
 * The same with two arms: each cell is made twice, as the profile and the sets have it, once with
 * what base says besides and once with what change says (either may be empty: an A/A run). Arms
 * speak of keys of [guest], [disk] and [knob], one value each, that are no axes of the profile.
 * They are told apart by guest.arm, the first axis, so that equal cells have ids and templates of
 * their own. A combination that cannot be in one arm is left out of the other, and so is one in
 * which nothing of what the arms say means anything while it does in others; the reason is in
 * skipped. A ladder has no arms.
 */
int profile_load_arms(const char *path, const char *const *sets, size_t nsets,
		      const char *const *base, size_t nbase, const char *const *change,
		      size_t nchange, struct profile **out, struct err *e);
int profile_parse_arms(const char *text, size_t len, const char *path, const char *const *sets,
		       size_t nsets, const char *const *base, size_t nbase,
		       const char *const *change, size_t nchange, struct profile **out,
		       struct err *e);

/*
 * A few cells of one profile, each with a name and what is set for it besides ("disk.ring=packed"),
 * and who is compared with whom. Every axis must have one value in each. Names become labels; equal
 * settings under two names are refused. How the run stops (run.decide, run.precision) is taken from
 * sets alone.
 */
int profile_parse_cells(const char *text, size_t len, const char *path, const char *const *sets,
			size_t nsets, const struct profile_listed *cells, size_t ncells,
			const struct profile_pair *pairs, size_t npairs, struct profile **out,
			struct err *e);

void profile_free(struct profile *p);

/* Whether two cells differ in more than the name of their arm. */
bool profile_cells_differ(const struct cell *a, const struct cell *b);

/* Values of a cell / workload / profile: canonical text or NULL (does not apply); numbers 0, false
 * if NULL. */
const char *cell_get(const struct cell *c, enum key_id k);
uint64_t cell_u64(const struct cell *c, enum key_id k);
bool cell_on(const struct cell *c, enum key_id k);
bool cell_is(const struct cell *c, enum key_id k, const char *canonical); /* false if NULL */
const char *workload_get(const struct workload *w, enum key_id k);
uint64_t workload_u64(const struct workload *w, enum key_id k);
const char *profile_get(const struct profile *p, enum key_id k);
uint64_t profile_u64(const struct profile *p, enum key_id k);
bool profile_on(const struct profile *p, enum key_id k);
/* A key of type KT_PERCENT as a share (0.05); NAN where there is none. */
double profile_share(const struct profile *p, enum key_id k);

/*
 * Where a cell's I/O goes. On the host (else in a guest); through the vring driver within fio (else
 * the workload's own engine); to a vhost-user server, which on the host may be a thread of fio
 * (server = loop); to an image; through QEMU's block layer (QEMU itself or qemu-storage-daemon).
 */
bool cell_on_host(const struct cell *c);
bool cell_uses_vring(const struct cell *c);
bool cell_uses_vhost(const struct cell *c);
bool cell_has_image(const struct cell *c);
bool cell_has_engine(const struct cell *c); /* fio's engine is the cell's, not the workload's */
bool cell_in_qemu(const struct cell *c);
bool cell_on_device(const struct cell *c); /* backend = block: a block device of the host */
bool cell_uses_nbd(const struct cell *c);  /* backend = nbd: a server of its own has the image */
/* Whether the image is converted from data (disk.content), and what share of the disk that takes:
 * "data" is all of it; of the others a quarter is in use, and "deleted" has stale data in the half
 * behind it. */
bool cell_has_data(const struct cell *c);
double cell_data_share(const struct cell *c);
/* Whether writing the whole disk once leaves something behind (an image, a device, the memory of an
 * NBD server), so that disk.precondition means something. */
bool cell_can_fill(const struct cell *c);
/*
 * Whether its guests are several, or could be: guest.count over 1, or guest.overcommit, of which
 * the host's CPUs make a number (run/guests.h). 0 for cell_overcommit: the cell has none.
 */
bool cell_counts_guests(const struct cell *c);
double cell_overcommit(const struct cell *c);
/* Whether it sets anything host-wide ([knob]), which wants consent. */
bool cell_turns_knobs(const struct cell *c);
/* Bytes of the huge pages that its guests' memory is to be of; 0: whatever comes. */
uint64_t cell_page(const struct cell *c);
/* Whether keys of the section belong to cells. */
bool section_of_cells(enum section s);
/* Not hot-pluggable: its devices stand on QEMU's command line, in its template with blank disks. */
bool cell_is_cold(const struct cell *c);

/*
 * Whether any guest of the profile has a vhost-user disk: its memory must then be shared with the
 * server, and so must that of all guests that it is compared with (struct machine.shared).
 */
bool profile_shared_memory(const struct profile *p);

/* "disk.queue-size" of a row, into buf. */
const char *key_full_name(const struct key_row *row, char *buf, size_t size);

/* A canonical value as people write it ("4k" for "4096", "700ms"); into buf. row NULL: as it is. */
const char *key_value_text(const struct key_row *row, const char *canonical, char *buf,
			   size_t size);

/*
 * fio's job file for a workload on a target in a cell (caller frees). randseed: the block's. fio
 * options always set: lat_percentiles, group_reporting, time_based, randseed, thread-safe names;
 * extras after them, so they win, but not over a host site's engine, which comes last. target is
 * the disk's path where fio runs. engine: NULL, or lines that stand in the place of ioengine= (and
 * of filename=, when target is NULL): a host site's own engine. See fiojob.c for what is fixed and
 * why.
 */
char *workload_fio_job(const struct workload *w, const struct cell *c, const char *target,
		       const char *engine, uint64_t randseed);

/*
 * The same for the disks of a guest (disk.count), whose targets are their paths in plug order; NULL
 * too when there is none. workload.disks says how they are driven:
 *   each: a section "[vbench-NAME-N]" of numjobs jobs for every disk, iodepth requests each.
 *   round: one section of numjobs jobs, each of which goes round all disks, request by request
 *     (file_service_type=roundrobin); its iodepth requests are spread over them, and fio's memory
 *     does not grow with the disks.
 * workload.size is of each disk in both. Either way fio makes one group of all jobs, so that its
 * result has one entry: its IOPS and bandwidth are the requests and bytes of all jobs and disks
 * over the one window of runtime that they share (fio lets go of all jobs at once, and time_based
 * ends each after the same ramp and runtime), and its latencies are of all requests. The older
 * charts of several disks (M. Polednik, 2017) came from a fixed amount of work for each job, where
 * a sum over jobs that end at different times depends on whether bytes are divided by the longest
 * time or rates are added up. One target gives the same job as workload_fio_job.
 */
char *workload_fio_job_disks(const struct workload *w, const struct cell *c, char *const *targets,
			     size_t ntargets, uint64_t randseed);

/* How many jobs (threads) that makes in all, on a cell's disks. */
uint64_t workload_jobs(const struct workload *w, const struct cell *c);

/* The same with those of cpu-load: threads of fio in one guest. */
uint64_t workload_threads(const struct workload *w, const struct cell *c);

/* The section that keeps vCPUs busy: its entry in fio's result is no I/O. */
#define CPU_LOAD_JOB "cpu-load"

/*
 * The same for one of several guests (from one target on): every thread waits, ready to go, until
 * the host opens the gate (WIRE_GO).
 */
char *workload_fio_job_gated(const struct workload *w, const struct cell *c, char *const *targets,
			     size_t ntargets, uint64_t randseed);

/* Whether a trial of this workload on this cell begins with filling each disk: the workload's word,
 * else the disk's. And whether it then writes all of it once more, in random order. */
bool workload_fills(const struct workload *w, const struct cell *c);
bool workload_randomizes(const struct workload *w, const struct cell *c);

/* The job that fills the whole target once (precondition = fill), and the one that comes after it
 * with precondition = random. New; NULL: no memory. */
char *precondition_fio_job(const struct cell *c, const char *target, uint64_t randseed);
char *precondition_random_fio_job(const struct cell *c, const char *target, uint64_t randseed);

/* `vbench help profile`: sections and keys with type, values, default and help. */
void profile_help(FILE *out);

/* Looks NAME or NAME.ini up in ., $XDG_CONFIG_HOME/vbench/profiles and
 * PREFIX/share/vbench/profiles; caller frees; NULL: none. */
char *profile_find(const char *name, const char *share_dir);

/* Lists the ready profiles (name, question) of those folders. */
void profile_list(FILE *out, const char *share_dir);

#endif
