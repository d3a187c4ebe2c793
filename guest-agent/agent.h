/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the agent: PID 1 of the small guest. One event loop, no threads; everything it knows hangs
 * off struct agent. Files take the root folder of their tree ("" in the guest), so that tests can
 * hand them a made-up /sys and /proc.
 */
#ifndef VB_GUEST_AGENT_H
#define VB_GUEST_AGENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "guest-agent/fs.h"
#include "guest-agent/wire.h"

#ifndef VB_VERSION
#define VB_VERSION "1"
#endif
#define AGENT_NAME "vbench-agent " VB_VERSION
#define AGENT_FIO "/bin/fio"

#define MS_NS 1000000ull
#define DISK_NAME_MAX 64

/* sys.c: small files of /sys and /proc, time, console. */

/* Reads at most size - 1 bytes, ends them with a NUL, cuts trailing blanks. Length or -errno. */
ssize_t sys_read(char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/*
 * The file as a string, integer (leading digits of it); null where there is none such. New
 * reference.
 */
json_t *sys_json_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
json_t *sys_json_int(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Number of entries of a folder, -1 if it can't be read. */
int sys_count(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Writes text to an existing file; 0 or -errno. */
int sys_write(const char *path, const char *text);
/* The whole file, NUL-terminated, caller frees; NULL with errno when unreadable or over max. */
char *sys_slurp(const char *path, size_t max, size_t *len);
uint64_t sys_mono_ns(void);
/* A JSON string of bytes that need not be text: what isn't printable ASCII becomes '?'. */
json_t *sys_clean_text(const char *bytes, size_t len);
/* One line on the console. */
void sys_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Says why, tries to sync, powers the machine off. */
void sys_fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* boot.c: what happens once, before READY. */
void boot_mount(void);
void boot_modules(const char *dir);

/* gate.c: where the threads of a job wait for the host's word. */
struct gate {
	unsigned want, come, passed; /* threads; want 0: the job has no gate */
	uint64_t open_ns, first_ns,
		last_ns;     /* opened; the first and the last thread seen behind it */
	int ready_fd, go_fd; /* -1: closed */
	bool told;	     /* GATED was sent */
};
/* What the program does as fio's shell: says that it stands there, and waits. */
int gate_wait(void);
/* 0 or -errno; ready_fd is for poll. */
int gate_set(struct gate *g, unsigned want);
/* ready_fd is readable. True: all have come, now. */
bool gate_count(struct gate *g);
/* 0 or -errno. */
int gate_open(struct gate *g);
void gate_end(struct gate *g);
json_t *gate_json(const struct gate *g); /* as RESULT has it */

/* The disks that a job works on, by name and sorted. */
struct disk_set {
	char (*names)[DISK_NAME_MAX];
	size_t n;
};

/* facts.c */
json_t *facts_guest(const char *root, const char *fio_version);
/* Of several disks the sum of their counters. */
json_t *facts_counters(const char *root, const struct disk_set *disks);
/* Requests and bytes done by the disks since boot; false if there are none, or one does not say. */
bool facts_disks_done(const char *root, const struct disk_set *disks, uint64_t *ios,
		      uint64_t *bytes);

/* disk.c */
/* Finds the disk with this serial and on this PCI function ("0000:01:00.0"), "" standing for any;
 * true and its name. */
bool disk_find(const char *root, const char *serial, const char *pci, char name[DISK_NAME_MAX]);
/* 0, or -errno and why the scheduler could not be set, in buf; -ENOENT: the queue is not registered
 * yet. */
int disk_set_scheduler(const char *root, const char *name, const char *want, char *buf,
		       size_t size);
json_t *disk_facts(const char *root, const char *name, const char *serial);
json_t *disk_brief(const char *root, const char *name, const char *serial); /* as DISKS has it */
/*
 * One look at all disks: names[i] becomes the one with serial i of the array (of strings), where it
 * is still "". Returns how many are known now.
 */
size_t disk_index(const char *root, const json_t *serials, char (*names)[DISK_NAME_MAX]);
bool disk_any(const char *root); /* is there a disk at all */
void disk_set_clear(struct disk_set *s);
void disk_set_add(struct disk_set *s, const char *name);
bool disk_set_has(const struct disk_set *s, const char *name);

/* disks.c: a DISKS request; disks_next_ns: when it wants to look again, UINT64_MAX: no wish. */
struct agent;
void disks_ask(struct agent *a, uint16_t seq, const json_t *args);
void disks_tick(struct agent *a);
uint64_t disks_next_ns(const struct agent *a);

/* port.c: the virtio-serial port. */
struct port {
	int fd;
	bool hup;  /* no host at the other end */
	bool lost; /* what came last made no sense, and the host was told */
	struct wire_parser in;
	uint64_t in_ns; /* when bytes last came */
	uint8_t *out;
	size_t out_len, out_cap;
	size_t out_done;  /* bytes written */
	size_t out_frame; /* start of the frame that out_done is in */
};
void port_open(struct port *p);
bool port_full(const struct port *p); /* the host does not read: take no more from it */
/* Queues a frame; takes body over. One too long to be sent becomes a WIRE_ERROR with its seq. */
void port_send(struct port *p, uint8_t type, uint16_t seq, json_t *body);
void port_error(struct port *p, uint16_t seq, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void port_flush(struct port *p);
/* Reads what is there; true if anything came. */
bool port_read(struct port *p);
/* The host has gone: forget half a request, begin half an answer anew for the next one. */
void port_hangup(struct port *p);

/* job.c: fio. */
#define JOB_TEXT_KEEP 8192 /* of fio's output: this much of its beginning and of its end */
struct job {
	bool active;
	bool stuck; /* processes of the last job can't be killed */
	pid_t pid;  /* of fio; 0 once it is reaped */
	int wstatus;
	uint16_t seq;
	int text_fd; /* what fio prints, -1 when closed */
	char head[JOB_TEXT_KEEP], tail[JOB_TEXT_KEEP];
	size_t head_len, tail_len; /* tail_len counts all bytes that ever went into the ring */
	bool cancelled, timed_out;
	uint64_t start_ns, deadline_ns, interval_ns, progress_ns, kill_ns; /* 0: none */
	uint64_t last_ns, last_ios, last_bytes, first_ios;		   /* of the disk */
	const struct disk_set *disks;					   /* the agent's */
	json_t *before;
	struct gate gate;
};
/* Starts it. NULL, or a sentence in buf. disks: whose counters are read; must stay. */
const char *job_start(struct job *j, uint16_t seq, const json_t *args, const struct disk_set *disks,
		      char *buf, size_t size);
void job_cancel(struct job *j);
void job_reaped(struct job *j, pid_t pid, int wstatus);
void job_text(struct job *j);		      /* text_fd is readable */
void job_gate(struct job *j, struct port *p); /* gate.ready_fd is readable */
/* Opens the gate; NULL, or why not, in buf. */
const char *job_go(struct job *j, uint16_t seq, char *buf, size_t size);
/* Lets time pass: time-out, progress, end. Called on every turn. */
void job_tick(struct job *j, struct port *p, bool children_left);
/* When job_tick wants to be called next; UINT64_MAX: no wish. */
uint64_t job_next_ns(const struct job *j);

struct disks_wait {
	bool active;
	uint16_t seq;
	uint64_t deadline_ns, next_ns;
	json_t *serials;
	char (*names)[DISK_NAME_MAX]; /* "": not there yet */
	size_t found;
	char scheduler[32];
};

struct agent {
	struct port port;
	struct job job;
	struct fs fs;
	int sig_fd; /* SIGCHLD */
	bool ready_sent;
	bool children_left;
	char fio_version[64];
	struct disk_set disks; /* last asked for */
	struct {
		bool active;
		uint16_t seq;
		uint64_t deadline_ns, next_ns;
		char serial[128], pci[32], scheduler[32];
	} wait; /* a DISK request whose disk has not come yet */
	struct disks_wait disks_wait;
	pid_t sync_pid;
	uint16_t sync_seq;
	bool poweroff;
};

#endif
