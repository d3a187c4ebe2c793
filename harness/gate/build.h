/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a build is to the gate: QEMU with modules and firmware, guest kernel, initramfs. */
#ifndef VB_GATE_BUILD_H
#define VB_GATE_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "profile/profile.h"

/* A file of a build: where it is, and the name under which it is kept (relative). */
struct gate_file {
	char *from, *name;
	char hash[65]; /* SHA-256, hex */
	unsigned long long size;
	bool executable;
};

struct journal;

struct gate_build {
	char *qemu;	      /* what the cells name */
	char *exe;	      /* what then runs */
	char *version;	      /* of QEMU */
	char *kernel;	      /* guest kernel's version */
	bool wrapper;	      /* qemu is a script or the like that runs exe */
	char *text;	      /* all of it in a line, for people */
	char fingerprint[65]; /* SHA-256 over the hashes of all files: equal builds have equal ones
			       */
	char *initramfs;      /* built in a folder of its own, removed by gate_build_free... */
	struct journal *journal; /* ...which knows of the folder, against SIGKILL */
	struct gate_file *files;
	size_t nfiles;
};

/*
 * The build that the profile's guests run: it must be one, so cells on the host, and lists of
 * guest.qemu or guest.kernel, are refused. data: the data folder, for a temporary initramfs. The
 * caller frees. Runs QEMU twice, 0.2 s, and hashes 60 MB.
 */
int gate_build_of(const struct profile *p, const char *data, struct gate_build *out, struct err *e);
void gate_build_free(struct gate_build *b);

/* SHA-256 of a file in hex; 0 or -errno with a sentence. */
int gate_hash(const char *path, char hash[65], struct err *e);

#endif
