/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store: one SQLite database of runs, cells, trials and samples (STRICT tables, schema
 * versioned by user_version). A trial is one transaction, committed before the next begins. Times
 * are CLOCK_REALTIME ns. Texts handed out live until the result is freed. Nothing outside this room
 * speaks SQL.
 */
#ifndef VB_STORE_STORE_H
#define VB_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"

struct store;

/* Opens (create: makes) the database. WAL, except on network file systems. A newer schema is
 * refused, an older one migrated. */
int store_open(const char *path, bool create, struct store **out, struct err *e);
void store_close(struct store *s);

struct store_run {
	char uuid[37];
	char host_id[65]; /* stable id of the machine, not its name */
	char *label;
	char *profile_name;
	char *profile_text; /* with which it was begun, byte for byte */
	char *sets_json;    /* array of --set arguments */
	char *command;	    /* as typed */
	char *version;	    /* of vbench */
	char *folder;	    /* raw artefacts */
	char *host_json;    /* host facts, once per run */
	char *axes_json;    /* [{"key","values":[...]}], in profile order */
	char *skipped_json; /* [{"what","reason","folded"}] */
	char *primary_json; /* {"workload name": "metric id"} */
	char *meta_json;    /* title, question, source, quantities fixed at the start */
	uint64_t seed;
	unsigned blocks;      /* planned */
	unsigned trials;      /* planned */
	int64_t begun, ended; /* ended 0: not yet */
	char *status;	      /* "running", "complete", "interrupted" */
};

struct store_cell {
	char id[17];
	unsigned index;
	char *label;
	char *keys_json; /* {"disk.bus":"virtio-blk",...,"disk.mode":null} canonical values */
};

struct store_workload {
	char *name;
	char id[17];
	unsigned index;
	char *keys_json;
	char *describe; /* "randread 4k, QD 8, 700 ms" */
};

struct store_sample {
	char metric[40];
	double value;
};

struct store_check { /* one asked/got row */
	char *key, *asked, *got, *from;
	int state; /* enum got_state's value: 0 match, 1 differ, 2 unknown */
};

struct store_trial {
	unsigned seq;	       /* place in the schedule, from 0; unique within a run */
	unsigned block, place; /* place: order within the block */
	char cell[17];
	char *workload;
	char *site; /* "small guest" */
	bool fresh;
	char template_id[40]; /* "" for a cold boot */
	uint64_t randseed;
	bool ok;
	char *cause;  /* NULL if ok; else one word: mismatch, qemu, guest, agent, fio, disk-full,
			 timeout, plan */
	char *detail; /* sentence(s), and the console's tail */
	int64_t begun, ended;
	char *phases_json; /* {"open_ns":..,"image_ns":..,"plug_ns":..,"check_ns":..,"fill_ns":..,"work_ns":..,"close_ns":..}
			    */
	char *noise_json; /* host counters around the trial */
	char *facts_json; /* guest and disk facts */
	char *folder;	  /* of its artefacts, relative to the run's */
	struct store_sample *samples;
	size_t nsamples;
	struct store_check *checks;
	size_t nchecks;
};

/*
 * Writing. All return 0 or -errno with a sentence (disk full is named as such: -ENOSPC). Texts that
 * are not UTF-8 are mended with U+FFFD, except the profile's. A trial's cell, workload and metrics
 * must be the run's; a sample that is NAN is left out; a seq that is there already is -EEXIST.
 */
int store_run_begin(struct store *s, const struct store_run *r, const struct store_cell *cells,
		    size_t ncells, const struct store_workload *w, size_t nw, struct err *e);
int store_run_status(struct store *s, const char *uuid, const char *status, int64_t ended,
		     struct err *e);
int store_trial_put(struct store *s, const char *uuid, const struct store_trial *t, struct err *e);

/*
 * Finds a run: "last", "last~N" (N runs before it), a uuid, a label (its newest run), or a unique
 * prefix of at least 4 digits of a uuid; in this order. -ENOENT with the remedy when there is none,
 * -ENOTUNIQ with the matches when a prefix has several.
 */
int store_run_find(struct store *s, const char *what, struct store_run *out, struct err *e);
void store_run_free(struct store_run *r);

/* Lists, newest first / in order. Arrays are the caller's, freed by the matching *_free with their
 * count. */
int store_runs(struct store *s, struct store_run **out, size_t *n, struct err *e);
int store_cells(struct store *s, const char *uuid, struct store_cell **out, size_t *n,
		struct err *e);
int store_workloads(struct store *s, const char *uuid, struct store_workload **out, size_t *n,
		    struct err *e);
int store_trials(struct store *s, const char *uuid, struct store_trial **out, size_t *n,
		 struct err *e);
/* Trials that succeeded, that failed, and that ended at a limit of QEMU or the guest, which is a
 * finding and no failure. */
int store_trial_counts(struct store *s, const char *uuid, unsigned *ok, unsigned *failed,
		       unsigned *limited, struct err *e);
void store_runs_free(struct store_run *r, size_t n);
void store_cells_free(struct store_cell *c, size_t n);
void store_workloads_free(struct store_workload *w, size_t n);
void store_trials_free(struct store_trial *t, size_t n);

/*
 * Bundle: one .tar.zst (or whatever libarchive makes of the name) with the run's rows as a small
 * SQLite database and its artefact folder. Import refuses a run that is already there with other
 * content, and is a no-op for an equal one; paths in a bundle never leave the destination folder.
 * Export leaves an existing file alone (-EEXIST). Import returns 0, or 1 when an equal run was
 * there already; uuid is filled in both cases.
 */
int store_export(struct store *s, const char *uuid, const char *file, struct err *e);
int store_import(struct store *s, const char *file, const char *runs_dir, char uuid[37],
		 struct err *e);

/*
 * Default places: data folder ($XDG_DATA_HOME/vbench, else /var/lib/vbench for root, else
 * ~/.local/share/vbench), the database in it, and the folder for runs beside a database (so for the
 * default one, runs/ in the data folder). Caller frees.
 */
char *store_data_dir(void);
char *store_default_db(void);
char *store_runs_dir(const char *db);

#endif
