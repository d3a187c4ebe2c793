/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * File systems on a disk, for vbench slim: what is there, a sum over all of it, its free space
 * given back. Each request is a process of its own, since a broken image can make the kernel hang:
 * fs.c watches it from PID 1, the rest runs in it.
 */
#ifndef VB_GUEST_FS_H
#define VB_GUEST_FS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct port;

#define FS_NAME_MAX 64 /* of a device below /dev */

/* fs.c, in PID 1: one request. Zeroed but for fd = -1: none. */
struct fs {
	bool active;
	pid_t pid; /* 0 once it is reaped */
	int wstatus;
	uint8_t type;
	uint16_t seq;
	int fd; /* lines of JSON from the process; -1: closed */
	char *text;
	size_t len, cap;
	uint64_t total; /* bytes that there are to do, 0: not known */
	char name[FS_NAME_MAX];
	bool zero; /* zeroes are written: progress is what is written */
	bool cancelled, timed_out;
	uint64_t start_ns, deadline_ns, kill_ns, progress_ns;
	uint64_t first[4], last_ns, last_done; /* counters of the disk, see fs.c */
};

/* Starts a FS_* request. NULL, or a sentence in buf. */
const char *fs_start(struct fs *f, uint8_t type, uint16_t seq, const json_t *args, char *buf,
		     size_t size);
void fs_cancel(struct fs *f);
void fs_reaped(struct fs *f, pid_t pid, int wstatus);
void fs_text(struct fs *f); /* fd is readable */
/* Lets time pass: time-out, progress, end. Called on every turn. */
void fs_tick(struct fs *f, struct port *p);
/* When fs_tick wants to be called next; UINT64_MAX: no wish. */
uint64_t fs_next_ns(const struct fs *f);

/* What runs in the process: the answer's body, or NULL and a sentence in why. */
struct fs_request {
	char path[FS_NAME_MAX + 8], type[32];
	bool zero;
	int out; /* for fs_total */
};
#define FS_WHY 1000
json_t *fs_scan(const struct fs_request *r, char why[FS_WHY]);
json_t *fs_sum(const struct fs_request *r, char why[FS_WHY]);
json_t *fs_free(const struct fs_request *r, char why[FS_WHY]);
/* Tells PID 1 how many bytes there are to do. */
void fs_total(const struct fs_request *r, uint64_t bytes);

/* fs_mount.c */
enum fs_how {
	FS_LOOK,  /* the kernel understands it: nothing is written, not even the journal replayed */
	FS_READ,  /* read-only; the journal is replayed where the disk can be written */
	FS_WRITE, /* for FITRIM and the like: nothing else of the kernel's writes in it */
};
/* The folder it is mounted on, as a descriptor; or -1 and why. */
int fs_mount(const char *path, const char *type, enum fs_how how, char why[FS_WHY]);
/* Takes dir (may be -1) back; all is then on the disk. False and why if that failed. */
bool fs_unmount(int dir, const char *path, char why[FS_WHY]);
/* Is this a type that fs_mount knows. */
bool fs_known(const char *type);
/* A sentence; what follows a ": " at the end of fmt is strerror(err) if err is not 0. */
void fs_why(char why[FS_WHY], int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
