// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of images: format, allocation, qcow2's caches, clusters and chains. */
#include <stdio.h>
#include <string.h>
#include "base/units.h"
#include "tuner/disks.h"

#define CLUSTER_DEFAULT ((uint64_t)64 << 10)
/* Images below the top one from which on a chain is called long. Ours, not a source's. */
enum { CHAIN_LONG = 4 };

/* --- IMG-01 to IMG-03 ---------------------------------------------------------------------- */

/* QEMU probes what it is not told, with a warning; libvirt takes raw; an rbd image has none. */
static void format_unsaid(const struct disk *d)
{
	struct finding *bad;

	if (!is_command(d->vm) || !disk_is_local(d)) {
		found_unknown(d->f, VM_ASKED, d->part, "the image's format is not said");
		return;
	}
	bad = found_bad(
		d->f, VM_ASKED, d->part, disk_said(d, VM_ASKED, "source").where,
		"no format is said: QEMU guesses it from the image's first bytes, which the "
		"guest can write");
	finding_want(bad, "the format (`qemu-img info IMAGE`)");
	finding_change(bad, CHANGE_QEMU,
		       "-drive ...,format=raw (or qcow2) in place of -hda and the like");
}

static void format_of(const struct disk *d)
{
	struct said asked = disk_said(d, VM_ASKED, "format"), got = disk_said(d, VM_GOT, "format");
	struct finding *bad;

	if (!asked.value && !got.value) {
		format_unsaid(d);
		return;
	}
	if (asked.value && list_has("raw,qcow2,luks,host_device", asked.value)) {
		found_ok(d->f, VM_ASKED, d->part, asked.where, "format %s", asked.value);
	} else if (asked.value) {
		bad = found_bad(d->f, VM_ASKED, d->part, asked.where, "format %s", asked.value);
		finding_want(bad, "raw, or qcow2 for its features: others are for conversion");
		finding_change(bad, CHANGE_QEMU, "qemu-img convert -O qcow2 IMAGE NEW");
	}
	if (!got.value)
		return;
	if (asked.value && strcmp(asked.value, got.value) && !strcmp(asked.value, "raw") &&
	    strcmp(got.value, "luks")) {
		bad = found_bad(d->f, VM_GOT, d->part, got.where,
				"said to be raw, but its content is that of a %s image", got.value);
		finding_want(bad,
			     "the true format; raw only if the guest itself wrote that header");
		finding_change(bad, CHANGE_XML, "<driver name='qemu' type='%s'/>", got.value);
		finding_change(bad, CHANGE_QEMU, "-drive ...,format=%s", got.value);
	} else {
		found_ok(d->f, VM_GOT, d->part, got.where, "format %s", got.value);
	}
}

static void check_format(const struct subject *s, struct findings *f)
{
	disks_each(s, f, format_of, "no disk");
}

static void allocation_of(const struct disk *d)
{
	struct said got = disk_said(d, VM_GOT, "allocated");
	struct finding *bad;
	uint64_t size, allocated;
	char a[32], b[32];

	if (!disk_is_file(d) || disk_readonly(d))
		return;
	if (disk_allocated(d) < 0) {
		found_unknown(
			d->f, VM_GOT, d->part,
			"how much of the image is allocated is not known here: `qemu-img info "
			"IMAGE`, disk size against virtual size");
		return;
	}
	disk_number(d, VM_GOT, "size", &size);
	disk_number(d, VM_GOT, "allocated", &allocated);
	if (disk_allocated(d)) {
		found_ok(d->f, VM_GOT, d->part, got.where, "all of %s is allocated",
			 units_size_text(size, a, sizeof(a)));
		return;
	}
	bad = found_bad(d->f, VM_GOT, d->part, got.where, "%s of %s are allocated",
			units_size_text(allocated, a, sizeof(a)),
			units_size_text(size, b, sizeof(b)));
	finding_want(bad, "full preallocation, if first writes must be fast");
	finding_change(
		bad, CHANGE_QEMU,
		"qemu-img convert -O %s -o preallocation=full IMAGE NEW, the guest being off",
		disk_is_qcow2(d) ? "qcow2" : "raw");
}

static void check_allocation(const struct subject *s, struct findings *f)
{
	disks_each(s, f, allocation_of, "no image that is written is a file");
}

/* A rule of how to do something, of which nothing stands in a machine's description. */
static void check_method(const struct subject *s, struct findings *f)
{
	(void)s;
	found_none(f, "a way to measure or to export, of which nothing stands in a description");
}

/* --- IMG-07 to IMG-11 ---------------------------------------------------------------------- */

static bool has_backing(const struct disk *d)
{
	const char *n = disk_best(d, "backing");

	return n && strcmp(n, "0");
}

static void cluster_size_of(const struct disk *d)
{
	struct said got = disk_said(d, VM_GOT, "cluster");
	bool subclusters = disk_is(d, VM_GOT, "extended-l2", "on");
	struct finding *bad;
	uint64_t n;

	if (!disk_is_qcow2(d))
		return;
	if (!disk_number(d, VM_GOT, "cluster", &n)) {
		found_unknown(d->f, VM_GOT, d->part,
			      "the cluster size is not known here: `qemu-img info IMAGE`");
		return;
	}
	if (n >= CLUSTER_DEFAULT && (n == CLUSTER_DEFAULT || !has_backing(d) || subclusters)) {
		found_ok(d->f, VM_GOT, d->part, got.where, "clusters of %" PRIu64 " KiB", n >> 10);
		return;
	}
	bad = found_bad(d->f, VM_GOT, d->part, got.where, "clusters of %" PRIu64 " bytes%s", n,
			n > CLUSTER_DEFAULT ? " above a backing file: each first write copies one"
					    : "");
	finding_want(bad, n > CLUSTER_DEFAULT ? "64 KiB above a backing file, or subclusters"
					      : "64 KiB or more");
	finding_change(bad, CHANGE_QEMU,
		       n > CLUSTER_DEFAULT
			       ? "qemu-img create -f qcow2 -o extended_l2=on,cluster_size=128k -b "
				 "IMAGE -F qcow2 NEW, as the next snapshot"
			       : "qemu-img convert -O qcow2 -o cluster_size=64k IMAGE NEW");
}

static void check_cluster(const struct subject *s, struct findings *f)
{
	disks_each(s, f, cluster_size_of, "no image is qcow2");
}

static void subclusters_of(const struct disk *d)
{
	struct said got = disk_said(d, VM_GOT, "extended-l2");
	struct finding *bad;

	if (!disk_is_qcow2(d) || !has_backing(d))
		return;
	if (!got.value) {
		found_unknown(
			d->f, VM_GOT, d->part,
			"whether it has subclusters is not known here: `qemu-img info IMAGE`");
	} else if (!strcmp(got.value, "on")) {
		found_ok(d->f, VM_GOT, d->part, got.where, "subclusters above a backing file");
	} else if (qemu_older(d->vm, 5, 2) == 1) {
		found_none(d->f, "%s: QEMU before 5.2 has no subclusters", d->part);
	} else {
		bad = found_bad(d->f, VM_GOT, d->part, got.where,
				"no subclusters: a small first write copies a whole cluster");
		finding_want(bad, "extended_l2 on, for images above a backing file");
		finding_change(
			bad, CHANGE_QEMU,
			"qemu-img create -f qcow2 -o extended_l2=on,cluster_size=128k -b BASE "
			"-F qcow2 NEW");
	}
}

static void check_subclusters(const struct subject *s, struct findings *f)
{
	disks_each(s, f, subclusters_of, "no qcow2 image has a backing file");
}

static void lazy_of(const struct disk *d)
{
	/* an option of the command line overrides what the image says */
	enum vm_side side = disk_said(d, VM_ASKED, "lazy-refcounts").value ? VM_ASKED : VM_GOT;
	struct said said = disk_said(d, side, "lazy-refcounts");
	const char *lazy = said.value;
	struct finding *bad;

	if (!disk_is_qcow2(d))
		return;
	if (!lazy || strcmp(lazy, "on") || list_has("writethrough,directsync", disk_cache(d))) {
		found_ok(d->f, lazy ? side : VM_ASKED, d->part, said.where, "lazy refcounts %s",
			 lazy ? lazy : "off (not said)");
		return;
	}
	bad = found_bad(d->f, side, d->part, said.where,
			"lazy refcounts with cache %s: nothing gained, and a repair after a crash",
			disk_cache(d));
	finding_want(bad, "lazy refcounts off");
	finding_change(bad, CHANGE_QEMU, "qemu-img amend -o lazy_refcounts=off IMAGE");
}

static void check_lazy(const struct subject *s, struct findings *f)
{
	disks_each(s, f, lazy_of, "no image is qcow2");
}

static void chain_of(const struct disk *d)
{
	enum vm_side side = disk_said(d, VM_GOT, "backing").value ? VM_GOT : VM_ASKED;
	struct said said = disk_said(d, side, "backing");
	struct finding *bad;
	uint64_t n;

	if (!disk_number(d, side, "backing", &n)) {
		if (disk_is_qcow2(d))
			found_unknown(d->f, VM_GOT, d->part,
				      "its chain is not known here: `qemu-img info --backing-chain "
				      "IMAGE`");
		return;
	}
	if (n < CHAIN_LONG) {
		found_ok(d->f, side, d->part, said.where, "%" PRIu64 " image(s) below", n);
		return;
	}
	bad = found_bad(d->f, side, d->part, said.where, "%" PRIu64 " images below", n);
	finding_want(bad, "fewer than %d", CHAIN_LONG);
	finding_change(bad, CHANGE_XML,
		       "virsh blockcommit DOMAIN vda --active --pivot, or virsh "
		       "blockpull");
	finding_change(bad, CHANGE_QEMU,
		       "QMP block-stream, or qemu-img commit, the guest being off");
}

static void check_chain(const struct subject *s, struct findings *f)
{
	disks_each(s, f, chain_of, "no image can have a backing file");
}

static void compat_of(const struct disk *d)
{
	struct said got = disk_said(d, VM_GOT, "compat");
	struct finding *bad;

	if (!disk_is_qcow2(d))
		return;
	if (!got.value) {
		found_unknown(d->f, VM_GOT, d->part,
			      "its version is not known here: `qemu-img info IMAGE`, compat");
	} else if (strcmp(got.value, "0.10")) {
		found_ok(d->f, VM_GOT, d->part, got.where, "compat %s", got.value);
	} else {
		bad = found_bad(d->f, VM_GOT, d->part, got.where, "compat 0.10, qcow2 version 2");
		finding_want(bad, "compat 1.1: zero clusters, subclusters, checks");
		finding_change(bad, CHANGE_QEMU,
			       "qemu-img amend -o compat=1.1 IMAGE, the guest being off");
	}
}

static void check_compat(const struct subject *s, struct findings *f)
{
	disks_each(s, f, compat_of, "no image is qcow2");
}

/* --- IMG-13 to IMG-20 ---------------------------------------------------------------------- */

static void compressed_of(const struct disk *d)
{
	if (disk_is_qcow2(d))
		found_unknown(
			d->f, VM_GOT, d->part,
			"`qemu-img check IMAGE` counts compressed clusters (not while it is in "
			"use)");
}

static void check_compressed(const struct subject *s, struct findings *f)
{
	disks_each(s, f, compressed_of, "no image is qcow2");
}

static void data_file_of(const struct disk *d)
{
	struct said got = disk_said(d, VM_GOT, "data-file");
	struct finding *bad;

	if (!got.value || strcmp(got.value, "on"))
		return;
	if (!has_backing(d)) {
		found_ok(d->f, VM_GOT, d->part, got.where, "data in a raw file of its own");
		return;
	}
	bad = found_bad(d->f, VM_GOT, d->part, got.where,
			"a data file of its own, and a backing file");
	finding_want(bad, "one of them: with a backing file the data file is no raw image");
	finding_change(bad, CHANGE_QEMU, "qemu-img rebase -b '' IMAGE, the guest being off");
}

static void check_data_file(const struct subject *s, struct findings *f)
{
	disks_each(s, f, data_file_of, "no image keeps its data in a file of its own");
}

static void pass_discard_of(const struct disk *d)
{
	struct said discard = disk_said(d, VM_ASKED, "discard");

	if (disk_is_qcow2(d) && discard.value && !strcmp(discard.value, "unmap"))
		found_ok(d->f, VM_ASKED, d->part, discard.where,
			 "discards of the guest go through qcow2 to the file");
}

static void check_pass_discard(const struct subject *s, struct findings *f)
{
	disks_each(s, f, pass_discard_of, "no qcow2 image with discard unmap (BLK-25)");
}

static void raw_holes_of(const struct disk *d)
{
	struct said got = disk_said(d, VM_GOT, "allocated");
	struct finding *bad;

	if (strcmp(disk_format(d), "raw") || !disk_is_file(d) || disk_readonly(d))
		return;
	if (disk_allocated(d) < 0) {
		found_unknown(
			d->f, VM_GOT, d->part,
			"whether the file has holes is not known here: `qemu-img info IMAGE`");
	} else if (disk_allocated(d)) {
		found_ok(d->f, VM_GOT, d->part, got.where, "a raw file without holes");
	} else {
		bad = found_bad(d->f, VM_GOT, d->part, got.where,
				"a raw file with holes: room may run out under the guest");
		finding_want(bad, "its room reserved");
		finding_change(bad, CHANGE_QEMU, "fallocate --length SIZE IMAGE");
	}
}

static void check_raw_holes(const struct subject *s, struct findings *f)
{
	disks_each(s, f, raw_holes_of, "no image that is written is a raw file");
}

static void check_base_raw(const struct subject *s, struct findings *f)
{
	(void)s;
	found_none(f, "a setting of a cloud's image service, of which nothing stands here");
}

static void check_old_qemu(const struct subject *s, struct findings *f)
{
	bool qcow2 = false;
	struct finding *bad;

	if (!need_vm(s, f))
		return;
	for (unsigned i = 0, n = vm_count(s->vm, "disk"); i < n; i++)
		qcow2 |= disk_is_qcow2(&(struct disk){.s = s, .vm = s->vm, .i = i});
	if (!qcow2) {
		found_none(f, "no image is qcow2");
		return;
	}
	switch (qemu_older(s->vm, 5, 2)) {
	case 0:
		found_ok(f, VM_GOT, NULL, NULL, "QEMU 5.2 or newer");
		return;
	case 1:
		bad = found_bad(f, VM_GOT, NULL, NULL,
				"QEMU before 5.2 allocates qcow2 clusters "
				"several times slower");
		finding_want(bad, "QEMU 5.2 or newer, or figures that say so");
		finding_change(bad, CHANGE_QEMU, "upgrade QEMU");
		return;
	default:
		found_unknown(f, VM_GOT, NULL, "QEMU's version is not said: `qemu-img --version`");
	}
}

static void overlap_of(const struct disk *d)
{
	struct said asked = disk_said(d, VM_ASKED, "overlap-check");
	struct finding *bad;

	if (!disk_is_qcow2(d))
		return;
	if (!asked.value || list_has("cached,constant,all", asked.value)) {
		found_ok(d->f, VM_ASKED, d->part, asked.where, "overlap-check %s",
			 asked.value ? asked.value : "cached (not said: QEMU's default)");
		return;
	}
	bad = found_bad(d->f, VM_ASKED, d->part, asked.where,
			"overlap-check %s: a wrong metadata write is not caught", asked.value);
	finding_want(bad, "overlap-check cached");
	finding_change(bad, CHANGE_QEMU, "-drive ...,overlap-check=cached");
}

static void check_overlap(const struct subject *s, struct findings *f)
{
	disks_each(s, f, overlap_of, "no image is qcow2");
}

/* clang-format off */
const struct rule_row rules_image[] = {
	{"IMG-01", RULE_SHOULD, "disk.format", "raw", "qcow2", NULL, check_format},
	{"IMG-02", RULE_MAY, "disk.mode", "full", "falloc,metadata,thin", NULL, check_allocation},
	{"IMG-03", RULE_MAY, NULL, NULL, NULL, NULL, check_method},
	{"IMG-04", RULE_SHOULD, "disk.l2-cache-size", NULL, "auto", img_advise_l2_cache, img_l2_cache},
	{"IMG-05", RULE_MAY, NULL, NULL, NULL, NULL, img_l2_entry},
	{"IMG-06", RULE_MAY, NULL, NULL, NULL, NULL, img_cache_clean},
	{"IMG-07", RULE_SHOULD, "disk.cluster-size", "64k", "1M", NULL, check_cluster},
	{"IMG-08", RULE_MAY, "disk.extended-l2", "on", "off", NULL, check_subclusters},
	{"IMG-09", RULE_SHOULD, "disk.lazy-refcounts", "off", "on", NULL, check_lazy},
	{"IMG-10", RULE_SHOULD, NULL, NULL, NULL, NULL, check_chain},
	{"IMG-11", RULE_SHOULD, "disk.compat", "1.1", NULL, NULL, check_compat},
	{"IMG-12", RULE_MAY, NULL, NULL, NULL, NULL, img_refcount_cache},
	{"IMG-13", RULE_MAY, NULL, NULL, NULL, NULL, check_compressed},
	{"IMG-14", RULE_MAY, NULL, NULL, NULL, NULL, check_method},
	{"IMG-15", RULE_MAY, NULL, NULL, NULL, NULL, check_data_file},
	{"IMG-16", RULE_MAY, NULL, NULL, NULL, NULL, check_pass_discard},
	{"IMG-17", RULE_MAY, NULL, NULL, NULL, NULL, check_raw_holes},
	{"IMG-18", RULE_MAY, NULL, NULL, NULL, NULL, check_base_raw},
	{"IMG-19", RULE_SHOULD, NULL, NULL, NULL, NULL, check_old_qemu},
	{"IMG-20", RULE_SHOULD, NULL, NULL, NULL, NULL, check_overlap},
	{NULL},
};
/* clang-format on */
