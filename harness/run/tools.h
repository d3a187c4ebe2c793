/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The programs beside QEMU that cells need on the host: fio, its engine, vhost-user servers,
 * qemu-img. Private to run/. */
#ifndef VB_RUN_TOOLS_H
#define VB_RUN_TOOLS_H

#include <stdio.h>
#include "base/err.h"
#include "profile/profile.h"

struct run;

enum tool {
	TOOL_FIO,
	TOOL_VRING,
	TOOL_VHOST_BLK,
	TOOL_DAEMON,
	TOOL_NBD,    /* qemu-nbd */
	TOOL_NBDKIT, /* of its package */
	TOOL_IMG,
	TOOL_COUNT
};

struct run_tool {
	char *source;  /* where it was found; NULL: no cell needs it, or (daemon, image tool) it is
			  looked for beside each cell's QEMU */
	char *path;    /* what is run: a copy in the data folder, or source itself */
	char hash[65]; /* of its content; for programs of packages their size, mtime and inode */
};

/* A qemu-storage-daemon or qemu-nbd that cells need: each build of QEMU has its own. */
struct run_daemon {
	const char *name; /* "qemu-storage-daemon" */
	char *path;
	char hash[65];	  /* as of a package's program */
	char version[32]; /* "7.2.22"; "" before tools_prepare, and when it does not tell */
};

/* Finds what the cells need. -EINVAL with the remedy when something is missing. Writes nothing. */
int tools_setup(struct run *r, struct err *e);

/*
 * Copies our own into the data folder, each into a folder named by its hash: QEMU's user may not be
 * allowed into the folder where they were built, and a build beside a run must not change what it
 * measures.
 */
int tools_prepare(struct run *r, struct err *e);

/*
 * The storage daemon for a cell: beside its QEMU (on the host: beside the run's first). Only a QEMU
 * that is itself looked up in PATH may have PATH's daemon: one that is named by its path is a build
 * of its own, and another's daemon would be measured in its name. NULL: there is none. Caller
 * frees.
 */
char *tools_daemon(const struct run *r, const struct cell *c);
/* The same of qemu-nbd. */
char *tools_nbd(const struct run *r, const struct cell *c);
/* Its version, borrowed; NULL: not known. */
const char *tools_daemon_version(const struct run *r, const char *path);

/* Lines for run_fingerprint. */
void tools_fingerprint(const struct run *r, FILE *f);
void tools_free(struct run *r);

#endif
