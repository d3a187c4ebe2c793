/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtual machine in neutral words, whoever described it: libvirt, a QEMU command line, Proxmox,
 * a profile, or /proc. Readers make one, writers (write.h) put one into another tongue, rules look
 * at it.
 *
 * It is a set of facts: a key of the table in keys.c with its numbers filled in ("disk.0.cache"), a
 * value as text, and where that was found. What was asked for (a description, a command line) and
 * what is in force (read from the running process and its host) are two sides, kept apart.
 */
#ifndef VB_VM_VM_H
#define VB_VM_VM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

enum vm_side { VM_ASKED, VM_GOT };

enum vm_type {
	VM_TEXT,   /* one word or name */
	VM_FLAG,   /* "on" or "off" */
	VM_NUMBER, /* decimal */
	VM_BYTES,  /* decimal number of bytes */
	VM_CPUS,   /* CPU list as the kernel writes it: "0-3,8" */
	VM_LIST,   /* words with a comma and no blank between */
};

struct vm_key {
	const char *key; /* "disk.#.cache": # stands for a number from 0 */
	enum vm_type type;
	const char *values; /* VM_TEXT with a closed set: "a,b,c"; else NULL */
	const char *help;
};
extern const struct vm_key vm_keys[];
extern const size_t nvm_keys;

struct vm_fact {
	enum vm_side side;
	char *key, *value, *where; /* where: "domain/devices/disk[1]/driver/@cache", "-drive #2",
				      "/proc/71/numa_maps" */
};

struct vm {
	char *name;	       /* of the machine, "vm101"; never NULL */
	char *from;	       /* what it was read from, "file web.xml"; never NULL */
	bool running;	       /* there is a process, and VM_GOT has what could be read of it */
	int pid;	       /* its QEMU, 0: none */
	struct vm_fact *facts; /* to be read; vm_set changes them */
	size_t nfacts;
	size_t *index; /* where a key is among the facts, by its hash; vm.c's own */
	size_t nindex;
	char **notes; /* what the reader left aside or did not understand, for people */
	size_t nnotes;
};

struct vm *vm_new(const char *name, const char *from);
void vm_free(struct vm *vm);

/*
 * Sets a fact; the last one wins. value is checked against the table's type. A key that the table
 * lacks or a value that does not fit is a mistake of a reader: it becomes a note, and -EINVAL.
 * NULL as value takes a fact away. VM_CPUS, VM_FLAG and VM_BYTES take canonical text only; see
 * vm_set_number, vm_set_flag.
 */
int vm_set(struct vm *vm, enum vm_side side, const char *value, const char *where, const char *key,
	   ...) __attribute__((format(printf, 5, 6)));
int vm_set_number(struct vm *vm, enum vm_side side, uint64_t value, const char *where,
		  const char *key, ...) __attribute__((format(printf, 5, 6)));
int vm_set_flag(struct vm *vm, enum vm_side side, bool value, const char *where, const char *key,
		...) __attribute__((format(printf, 5, 6)));
/* Takes all facts of a side away. */
void vm_drop_side(struct vm *vm, enum vm_side side);
void vm_note(struct vm *vm, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A fact's value, or NULL: not said, or cannot be told. Borrowed. */
const char *vm_get(const struct vm *vm, enum vm_side side, const char *key, ...)
	__attribute__((format(printf, 3, 4)));
/* Where it was found; "" when there is no such fact. */
const char *vm_where(const struct vm *vm, enum vm_side side, const char *key, ...)
	__attribute__((format(printf, 3, 4)));
/* As a number; false: there is none. */
bool vm_number(const struct vm *vm, enum vm_side side, uint64_t *out, const char *key, ...)
	__attribute__((format(printf, 4, 5)));
/* Whether the fact is there and equal. */
bool vm_is(const struct vm *vm, enum vm_side side, const char *value, const char *key, ...)
	__attribute__((format(printf, 4, 5)));
/* How many there are of "disk", "iothread", "vcpu", "numa", "controller", "net": one more than the
 * greatest number in the keys that begin with it, on either side. */
unsigned vm_count(const struct vm *vm, const char *what);

/* {"name", "from", "running", "pid", "asked": {key: {"value", "where"}}, "got": {...}, "notes":
 * [...]}; new reference. */
json_t *vm_json(const struct vm *vm);

/* The table's row for a key with numbers in it; NULL: none. */
const struct vm_key *vm_key_find(const char *key);

/* CPU lists: canonical text ("0-3,8") of what people write ("3,0-2,8"); NULL: not one, or a CPU
 * above 4095. Caller frees. */
char *vm_cpus(const char *text);

#endif
