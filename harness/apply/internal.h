/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the room: one shape for every kind of change, the operations behind it, records on disk.
 */
#ifndef VB_APPLY_INTERNAL_H
#define VB_APPLY_INTERNAL_H

#include <stdint.h>
#include "apply/apply.h"
#include "base/ids.h"

enum {
	NODES_MAX = 1024, /* the kernel's largest MAX_NUMNODES */
	CHANGES_MAX = 65536,
};

/* A plan's CPU list for a role, canonical (caller frees); -EINVAL when it is none, or not all of it
 * is online here. */
int plan_cpus(const char *cpus, const char *role, char **out, struct err *e);

/*
 * How far a change is. Values are read again before each step, so only two of the states need to be
 * told apart where a value can be had in part (memory).
 */
enum change_state {
	STATE_PLANNED, /* perhaps made: the process may have been killed before it could say so */
	STATE_MADE,    /* made and read back */
	STATE_UNDOING, /* being taken back */
};

struct change {
	enum change_what what;
	enum change_state state;
	char *before, *after; /* values as text; after is canonical */
	char *role; /* thread: "vcpu 0", "iothread 1", "emulator"; domain: the same, or "numatune";
		       knob: its instance ("policy0"), or NULL where there is one file only */
	/* thread, memory */
	pid_t pid, tid;
	uint64_t start,
		tstart; /* start times of process and thread, which identify them for good */
	uint64_t page;	/* memory: the plan's page size, 0: any */
	/* domain: by uuid, and by the number that libvirt gives anew with each start */
	char *uri, *uuid, *name;
	int number;
	/* knob */
	const struct knob *knob;
	int stop;	  /* while it is made: a readable fd ends a long one (-EINTR); 0: none */
	bool tried, done; /* of this process: set was called; nothing is left to take back */
};

struct change_set {
	char *dir, *qmp;
	char id[20];
	char *target; /* "pid:71", "libvirt:web", "host" */
	char boot[40];
	int stop;
	struct change *list;
	size_t n;
	char **notes;
	size_t nnotes;
};

/* What a kind of change can do. -ESRCH from get or set: the thing is gone. */
struct change_ops {
	const char *word; /* in records */
	int (*get)(const struct change *c, char **value, struct err *e);
	int (*set)(const struct change *c, const char *value, struct err *e);
	/* Whether a value read is the one wanted (before or after of a change). */
	bool (*same)(const struct change *c, const char *now, const char *want);
	/* Whether a value that is neither can be what became of our own attempt. */
	bool (*partly)(const struct change *c, const char *now);
	void (*save)(const struct change *c, json_t *out);
	/* From a record, which anybody may have edited: false where anything is out of order. */
	bool (*load)(struct change *c, const json_t *in);
};
extern const struct change_ops thread_ops, memory_ops, domain_ops, knob_ops;
const struct change_ops *change_ops_of(enum change_what what);

/* Whether to end: 0, or -EINTR when that fd (0 or less: none) is readable, with exit status 130. */
int stop_asked(int fd, struct err *e);

/* A sentence's beginning: "vCPU 0, thread 73 of process 71"; caller frees. */
char *change_name(const struct change *c);
/* A value for people; caller frees. */
char *change_value(const struct change *c, const char *value);

/* A new change at the end of the set, zeroed but for what; NULL: CHANGES_MAX. Valid until the next.
 */
struct change *set_add(struct change_set *c, enum change_what what);
void set_note(struct change_set *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void change_clear(struct change *ch);
/* An empty set, with the boot it is of. */
struct change_set *set_new(const char *dir);

/* thread.c: threads of a process, in the order of their numbers, which is that of their making. */
struct thread {
	pid_t tid;
	uint64_t start;
	bool fixed; /* the kernel lets nobody pin it (io_uring's own workers) */
	char name[64];
};
/* -ESRCH: no such process. Caller frees. */
int threads_list(pid_t pid, struct thread **out, size_t *n, struct err *e);
/*
 * Threads that came into being since the set was made up: each that is not in the set gets a change
 * to the main thread's value, unless it has that or an iothread's already, as what these start has
 * by inheritance. *n: how many were added.
 */
int threads_new(struct change_set *c, size_t *n, struct err *e);
/*
 * After the set's threads were taken back: those made in between, which still have a value of ours
 * by inheritance, get that back which the thread has it from had before. *n: how many.
 */
int threads_left(const struct change_set *c, size_t *n, struct err *e);
/* Whether all threads of the set's process that the set does not know are where they should be;
 * told a line each. */
bool threads_verify(const struct change_set *c, void (*told)(bool ok, const char *what, void *arg),
		    void *arg);
/* qmp.c: thread ids as QEMU itself says. vcpu: [nvcpus] by index. */
int threads_qmp(const char *socket, pid_t pid, pid_t *vcpu, unsigned nvcpus, pid_t *iothread,
		unsigned niothreads, struct err *e);

/* memory.c: a process's own memory (not its programs and libraries). */
struct memory {
	uint64_t node[NODES_MAX]; /* bytes */
	uint64_t total;
	uint64_t
		elsewhere; /* bytes in mappings whose policy names nodes beyond those asked about */
	uint64_t page;	   /* page size of the largest mapping */
};
int memory_read(pid_t pid, const struct ids *nodes, struct memory *out, struct err *e);
/* move.c: moves pages until each node has the share that want gives it (of want's sum). stop as in
 * struct change. */
int memory_move(pid_t pid, const uint64_t *want, int stop, struct err *e);
/* Walks the mappings of own memory; fn returns 0 to go on. */
struct mapping {
	uint64_t start, end; /* end 0: not known */
	uint64_t page;
	const char *policy;
	uint64_t bytes; /* present */
	uint64_t node[NODES_MAX];
};
int memory_each(pid_t pid, int (*fn)(const struct mapping *m, void *arg), void *arg, struct err *e);

/* knob.c */
const struct knob *knob_find(const char *name);
bool knob_takes(const struct knob *k, const char *value);

/* record.c. Folder and lock: everything that reads or writes records holds it. */
int records_lock(const char *dir, int *fd, struct err *e);
void records_unlock(int fd);
/* Ids, oldest first; caller frees each and the list. */
size_t records_list(const char *dir, char ***ids);
void records_free(char **ids, size_t n);
/* "" the newest, or the beginning of one. */
int records_find(const char *dir, const char *id, char out[20], struct err *e);
int record_load(const char *dir, const char *id, struct change_set **out, struct err *e);
/* Gives the set an id of its own when it has none. */
int record_save(struct change_set *c, struct err *e);
int record_remove(const struct change_set *c, struct err *e);

#endif
