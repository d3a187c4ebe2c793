/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rules of disks, images and networks share: a machine's disks one by one, and what is
 * said of them. */
#ifndef VB_TUNER_DISKS_H
#define VB_TUNER_DISKS_H

#include "tuner/internal.h"

/* A value and its place; both NULL where nothing is said. Borrowed from the machine. */
struct said {
	const char *value, *where;
};

/* One disk under check; borrowed. */
struct disk {
	const struct subject *s;
	const struct vm *vm;
	unsigned i;
	const char *part; /* "disk vda" */
	struct findings *f;
};

/*
 * Calls check for every disk of the subject's machine. Without a machine or a disk, or when no call
 * adds a finding, one is added that says "not applicable": none is the reason ("no disk is qcow2").
 */
void disks_each(const struct subject *s, struct findings *f, void (*check)(const struct disk *d),
		const char *none);

/* disk.#.WHAT. */
struct said disk_said(const struct disk *d, enum vm_side side, const char *what);
/* The same of its virtqueues: of the disk, else of its virtio-scsi controller. */
struct said ring_said(const struct disk *d, enum vm_side side, const char *what);
/* Whether disk.#.WHAT is there and equal. */
bool disk_is(const struct disk *d, enum vm_side side, const char *what, const char *value);
bool disk_number(const struct disk *d, enum vm_side side, const char *what, uint64_t *out);
/* As in force, else as asked for. */
const char *disk_best(const struct disk *d, const char *what);

/* The bus, "" when nothing is said; whether virtqueues are QEMU's own (virtio-blk, virtio-scsi). */
const char *disk_bus(const struct disk *d);
bool disk_is_virtio(const struct disk *d);
/* Its image is a file or a block device of the host, so that the host's page cache is a question.
 */
bool disk_is_local(const struct disk *d);
bool disk_is_file(const struct disk *d);
bool disk_on_nfs(const struct disk *d);
bool disk_readonly(const struct disk *d);
/* cache= as asked for; "writeback", QEMU's default, where nothing is said. */
const char *disk_cache(const struct disk *d);
/* cache= bypasses the host's page cache. */
bool disk_direct(const struct disk *d);
/* Format in force, else as asked for; "" when nothing is said. */
const char *disk_format(const struct disk *d);
bool disk_is_qcow2(const struct disk *d);
/* Requests go through an iothread (its own, its controller's, or several by mapping). */
bool disk_has_iothread(const struct disk *d);
/* How many iothreads share its queues; 0: no mapping. */
unsigned disk_mapping(const struct disk *d);
/* Whether every block of the image is allocated on the host: 1, 0, or -1: cannot be told. */
int disk_allocated(const struct disk *d);

/* "virtio-blk-pci,...,OPTION" or "virtio-scsi-pci,OPTION" as a change of QEMU's command line. */
void change_device(const struct disk *d, struct finding *f, const char *blk, const char *scsi);

/* Words in a list with commas; 0 for NULL. */
unsigned list_count(const char *list);
/* Whether a word is in such a list. */
bool list_has(const char *list, const char *word);

/* Whether the machine type, or QEMU, is older than MAJOR.MINOR: 1, 0, or -1: it has no version, or
 * nothing is said. */
int machine_older(const struct vm *vm, unsigned major, unsigned minor);
int qemu_older(const struct vm *vm, unsigned major, unsigned minor);

/* Checks of the table in rules_block.c that live in rules_cache.c and rules_backend.c. */
void blk_cache_none(const struct subject *s, struct findings *f);
void blk_cache_through(const struct subject *s, struct findings *f);
void blk_cache_unsafe(const struct subject *s, struct findings *f);
void blk_aio(const struct subject *s, struct findings *f);
void blk_aio_threads(const struct subject *s, struct findings *f);
void blk_discard(const struct subject *s, struct findings *f);
void blk_detect_zeroes(const struct subject *s, struct findings *f);
void blk_flush(const struct subject *s, struct findings *f);
void blk_host_scheduler(const struct subject *s, struct findings *f);
void blk_throttle(const struct subject *s, struct findings *f);
void blk_weight(const struct subject *s, struct findings *f);
void blk_block_size(const struct subject *s, struct findings *f);
void blk_device(const struct subject *s, struct findings *f);
void blk_filesystem(const struct subject *s, struct findings *f);
void blk_nfs(const struct subject *s, struct findings *f);
void blk_batch(const struct subject *s, struct findings *f);
void blk_bypass(const struct subject *s, struct findings *f);
void blk_readahead(const struct subject *s, struct findings *f);
void blk_guest_scheduler(const struct subject *s, struct findings *f);

/* The same of rules_image.c, in rules_qcow2.c. */
void img_l2_cache(const struct subject *s, struct findings *f);
bool img_advise_l2_cache(const struct subject *s, char *buf, size_t size);
void img_l2_entry(const struct subject *s, struct findings *f);
void img_cache_clean(const struct subject *s, struct findings *f);
void img_refcount_cache(const struct subject *s, struct findings *f);

#endif
