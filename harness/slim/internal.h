/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of vbench slim share while it goes on. Private to slim/. */
#ifndef VB_SLIM_INTERNAL_H
#define VB_SLIM_INTERNAL_H

#include <sys/stat.h>
#include "base/child.h"
#include "base/journal.h"
#include "base/term.h"
#include "guest/machine.h"
#include "guest/vm.h"
#include "profile/profile.h"
#include "slim/slim.h"

#define SLIM_CHAIN_MAX 32

/* A file that is being written: without a name where the file system can do that (O_TMPFILE), so
 * that no end of ours leaves it behind; else with one that the journal knows. */
struct slim_file {
	int fd;	    /* read and write; -1: none */
	char *name; /* NULL: it has none */
};

/* One file of the image's backing chain, the image itself first. */
struct slim_link {
	char *path;
	int fd;
	char format[16];
	struct stat st; /* when it was opened */
	char file_node[16], node[16];
};

struct slim {
	const struct slim_opts *o;
	struct slim_result *r;
	struct term term;
	uint64_t begun_ns;
	struct child_user user;
	struct journal *journal;
	struct vm_env env;

	/* boot.c */
	struct profile *profile;
	struct qemu_info qemu;
	char *vmlinuz, *initramfs;
	struct machine machine;
	struct vm vm;
	bool up;

	/* source.c */
	struct slim_link chain[SLIM_CHAIN_MAX];
	size_t nchain;
	unsigned fdsets; /* used so far */

	/* target.c */
	char *dir;   /* folder of the result */
	char *final; /* where it goes */
	int dirfd;
	struct slim_file overlay, out;

	uint64_t checked_ns; /* when room was last looked at */
	unsigned step, steps;
	char doing[96];
};

/* slim.c */
/* Something that the user should know: kept in the result, shown at once. */
void slim_note(struct slim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The bar: what goes on, part of it done in 0..1. */
void slim_show(struct slim *s, double part);
void slim_step(struct slim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* boot.c: the small guest. */
int boot_guest(struct slim *s, struct err *e);
void boot_end(struct slim *s);

/* source.c */
/* Opens the image and what it stands on; nothing is parsed here. */
int source_open(struct slim *s, struct err *e);
/* Gives QEMU the chain as read-only nodes; refuses what would be lost or is broken. */
int source_nodes(struct slim *s, struct err *e);
/* Whether all of it is still as it was opened. */
int source_unchanged(const struct slim *s, struct err *e);
void source_close(struct slim *s);
/* Hands a descriptor to QEMU: path is then what names it. */
int source_fdset(struct slim *s, int fd, char path[32], struct err *e);
/* QMP with a deadline that suits block commands. args is stolen. */
int source_qmp(struct slim *s, const char *cmd, json_t *args, json_t **ret, struct err *e);

/* target.c */
int target_check(struct slim *s, struct err *e);
int target_files(struct slim *s, struct err *e);
/* Whether what has the result's name, if anything, may lose it: never a file that the image stands
 * on. Once source_nodes has found those. */
int target_replaces(const struct slim *s, struct err *e);
/* Puts the result under its name, atomically and durably. */
int target_publish(struct slim *s, struct err *e);
void target_close(struct slim *s);
/* Room on the result's file system, and the peak; cheap. */
int target_watch(struct slim *s, struct err *e);

/* convert.c: qemu-img, which reads what QEMU has open over a socket that nobody else sees. */
int convert_overlay(struct slim *s, uint64_t size, struct err *e);
int convert_check(struct slim *s, const struct slim_link *l, struct err *e);
int convert_write(struct slim *s, struct err *e);
int convert_compare(struct slim *s, struct err *e);

/* volumes.c */
/* Plugs a node as the disk of a root port; disk receives its name in the guest ("vda"). */
int volumes_plug(struct slim *s, const char *node, unsigned port, char disk[64], struct err *e);
int volumes_scan(struct slim *s, const char *disk, struct err *e);
/* Sums, frees and sums again each volume that is understood. */
int volumes_free(struct slim *s, struct err *e);
/* The same sums over another disk, which must be equal. */
int volumes_verify(struct slim *s, const char *disk, struct err *e);

#endif
