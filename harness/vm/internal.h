/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this room share among themselves: options of a command line in one flat form,
 * and the writers. */
#ifndef VB_VM_INTERNAL_H
#define VB_VM_INTERNAL_H

#include <stdio.h>
#include "vm/read.h"
#include "vm/vm.h"

#include "vm/write.h"

/* --- writers: one for each format; vm_write picks --- */

int vm_write_libvirt(FILE *out, const struct vm *vm, struct err *e);
int vm_write_virsh(FILE *out, const struct vm *vm, struct err *e);
int vm_write_qemu(FILE *out, const struct vm *vm, struct err *e);
int vm_write_qm(FILE *out, const struct vm *vm, struct err *e);
int vm_write_ovirt(FILE *out, const struct vm *vm, struct err *e);
int vm_write_nova(FILE *out, const struct vm *vm, struct err *e);

/* A word as a shell reads it back: bare when every character of it is harmless, else in single
 * quotes. Control characters become '?'. */
void vm_put_word(FILE *out, const char *word);
/* Text for behind a "# ": without line breaks and other control characters. */
void vm_put_comment(FILE *out, const char *text);

/* write_qemu*.c. The name that QEMU is given for an iothread of this id: libvirt's number 1 is
 * iothread1, and what is too long for a thread's name is made short. */
void write_qemu_iothread(const struct vm *vm, const char *id, char *buf, size_t size);
/* The same of the i-th, and how many there are. */
void write_qemu_iothread_name(const struct vm *vm, unsigned i, char *buf, size_t size);
unsigned write_qemu_iothreads(const struct vm *vm);
bool write_qemu_has_pins(const struct vm *vm);
/* Commands that pin its threads once it runs; nothing when nothing is pinned. */
void write_qemu_pins(FILE *out, const struct vm *vm);
void write_qemu_disks(FILE *out, const struct vm *vm);
void write_qemu_disk_notes(FILE *out, const struct vm *vm);

/* --- readers of a command line --- */

/* Bounds of what a command line is taken for; far above what any has. */
enum {
	ARGV_WORDS = 20000,	/* words on it */
	ARGV_NOTES = 200,	/* notes from it */
	ARGV_MANY = 1024,	/* disks, iothreads, network devices, ... */
	ARGV_DEPTH = 32,	/* JSON within JSON, node over node */
	ARGV_STEPS = 200000000, /* parts of options looked at to find ids, in all */
};

/* How an option's argument is read. */
enum argv_kind {
	ARGV_FLAG, /* none */
	ARGV_TEXT, /* as it stands */
	ARGV_KEYS, /* key=value,...; or JSON */
	ARGV_CPU,  /* model, then +x, -x, x, x=value */
};

struct argv_option {
	const char *name; /* without dashes */
	enum argv_kind kind;
	const char *implied; /* key of a first value that has none; ARGV_TEXT: unused */
	const char *same;    /* the name that it is another word for; NULL: its own */
	bool ignored;	     /* says nothing about the facts of a machine */
};

struct argv_pair {
	char *key;   /* "cache.direct", "iothread-vq-mapping.0.iothread" */
	char *value; /* JSON's true and false as "on" and "off"; NULL: JSON's null */
};

/* One option as it stood on the command line. */
struct argv_opt {
	const char *name; /* the table's */
	char where[32];	  /* "-drive #2" */
	char *text;	  /* its argument; NULL: none */
	struct argv_pair *pairs;
	size_t npairs;
};

struct argv_reader {
	struct vm *vm;
	const char *program; /* its path as given */
	struct argv_opt *opts;
	size_t nopts;
	uint64_t steps;	 /* of ARGV_STEPS */
	unsigned ndisks; /* so far */
	unsigned nhda;	 /* of them without an option of -drive's kind */
	bool q35;	 /* its IDE buses are AHCI ports */
	bool defaults;	 /* no -nodefaults */
	bool incomplete; /* -readconfig: what is missing may be there */
};

/* argv_table.c */
const struct argv_option *argv_option_find(const char *name);

/* argv_opts.c. Splits text by kind into o->pairs; what cannot be read becomes a note. */
void argv_opt_parse(struct argv_reader *r, struct argv_opt *o, const struct argv_option *row);
void argv_opt_free(struct argv_opt *o);
void argv_opt_add(struct argv_opt *o, const char *key, const char *value);
/* Adds a JSON text's members under a prefix ("file."); false: it is not JSON. */
bool argv_opt_json(struct argv_opt *o, const char *prefix, const char *text);
/* The last value of a key; NULL: none. */
const char *argv_get(const struct argv_opt *o, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Whether there is a key, or one that begins with it and a dot. */
bool argv_has(const struct argv_opt *o, const char *key);
/* The next option of a name behind prev (NULL: the first). */
const struct argv_opt *argv_next(const struct argv_reader *r, const char *name,
				 const struct argv_opt *prev);
/* Options that QEMU merges (-machine, -m, -smp): the last value that any of them has. *o: where. */
const char *argv_merged(const struct argv_reader *r, const char *name, const char *key,
			const struct argv_opt **o);
/* The option of a name with this id (key: "id", "node-name"). */
const struct argv_opt *argv_by_id(struct argv_reader *r, const char *name, const char *key,
				  const char *id);
/* A device's property, of its -device or of a -global of its driver; hyphens and underscores are
 * one. *where: of which; may be NULL. */
const char *argv_property(const struct argv_reader *r, const struct argv_opt *device,
			  const char *property, const char **where);
/* "on", "yes", "true", "1" -> 1; their opposites -> 0; else, and NULL, -1. */
int argv_bool(const char *value);
/* "4G", "4096" in units of 1 << shift -> bytes. */
bool argv_size(const char *value, unsigned shift, uint64_t *bytes);
/* vm_note for a reader of command lines: at most ARGV_NOTES of them. */
void argv_note(struct argv_reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Sets a flag that QEMU spells in several ways; what is no flag becomes a note. NULL: nothing. */
void argv_set_flag(struct argv_reader *r, const char *value, const char *where, const char *key,
		   ...) __attribute__((format(printf, 4, 5)));
/* A number in any base that strtoull takes. NULL: nothing. */
void argv_set_number(struct argv_reader *r, const char *value, const char *where, const char *key,
		     ...) __attribute__((format(printf, 4, 5)));
void argv_set_size(struct argv_reader *r, const char *value, unsigned shift, const char *where,
		   const char *key, ...) __attribute__((format(printf, 5, 6)));

/* argv_cpu.c, argv_machine.c, argv_memory.c, argv_disk.c, argv_device.c: facts of the options. */
void argv_cpu(struct argv_reader *r);
void argv_machine(struct argv_reader *r);
void argv_memory(struct argv_reader *r);
void argv_disks(struct argv_reader *r);
void argv_devices(struct argv_reader *r);

/* argv_block.c: what lies below a disk, node by node. Strings borrowed from options. */
struct argv_block {
	const struct argv_opt *top; /* the -drive or -blockdev */
	const char *format, *transport, *source;
	char *source_own;		 /* source, where it is made of several values */
	const char *cache;		 /* -drive's word */
	int direct, no_flush, writeback; /* -1: not said */
	const char *aio, *discard, *detect_zeroes, *werror;
	int read_only;
	const char *serial;
	const char *l2_cache, *l2_entry, *refcount_cache, *clean, *overlap;
	int lazy, data_file, encrypted;
	int backing; /* -1: not said */
	const char *iops, *bps;
	const char *where, *where_protocol; /* of the top, of the lowest node */
};
/* By the name of a node or a drive; false: there is none. Free with argv_block_free. */
bool argv_block_find(struct argv_reader *r, const char *name, struct argv_block *b);
void argv_block_read(struct argv_reader *r, const struct argv_opt *o, struct argv_block *b);
void argv_block_free(struct argv_block *b);
/* "file", "nbd", ... of what -drive file= or -hda may name. */
const char *argv_transport(const char *filename);

/* Whether a program's path is one of QEMU's system emulators. */
bool argv_is_qemu(const char *path);

/* command.c: words of the first QEMU command in a text; NULL-terminated, free with words_free.
 * *before: the words in front of the program (assignments, taskset, sudo); may be NULL. */
int command_words(const char *text, size_t len, const char *from, char ***words, char ***before,
		  struct err *e);
void words_free(char **words);

/* Text that is safe to show and valid UTF-8: what is not becomes '?'. New. */
char *vm_clean_text(const char *text, size_t len);

/* qm.c: Proxmox's machine by its number. */
int vm_read_qm(const char *id, struct vm **out, struct err *e);

/*
 * A process being looked at. Everything is opened below the folder's descriptor: once the process
 * is gone that answers ESRCH, also when its number belongs to another by then.
 */
struct proc {
	int pid;
	int dir; /* /proc/PID */
};
/* A file below /proc/PID, at most max bytes of it; NULL: none. Caller frees. */
char *proc_text(const struct proc *p, size_t max, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same of a file with NULs in it; *len without the one behind them. */
char *proc_bytes(const struct proc *p, const char *name, size_t max, size_t *len);
/* The same as a stream, for files of many lines; NULL: none. */
FILE *proc_stream(const struct proc *p, const char *name);
/* proc_files.c. Whether the name space of mounts that ns names (in dir, as openat(2) has it) is
 * known to be another than ours: the same path may be another file there. */
bool proc_other_root(int dir, const char *ns);
/* Value of "Name:\tvalue" in status-like text, into buf; false: none. */
bool proc_field(const char *text, const char *name, char *buf, size_t size);

/* proc_threads.c, proc_memory.c, proc_files.c, proc_cgroup.c: parts of vm_read_proc. What cannot
 * be read is left out, with a note. */
void proc_threads(struct vm *vm, const struct proc *p);
void proc_memory(struct vm *vm, const struct proc *p);
void proc_files(struct vm *vm, const struct proc *p);
void proc_cgroup(struct vm *vm, const struct proc *p);

#endif
