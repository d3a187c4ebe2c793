// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of how QEMU opens an image: cache mode, AIO, discard, zeroes, flushes. */
#include <string.h>
#include "tuner/disks.h"

/* "cache none", or that nothing was said. */
static const char *said_cache(const struct disk *d)
{
	return disk_said(d, VM_ASKED, "cache").value ? "" : " (not said: QEMU's default)";
}

static void want_none(struct finding *bad)
{
	finding_want(bad, "cache none");
	finding_change(bad, CHANGE_XML, "<driver name='qemu' ... cache='none'/>");
	finding_change(bad, CHANGE_QEMU,
		       "-drive ...,cache=none, or -blockdev ...,cache.direct=on "
		       "in every node down to the file");
}

/* Whether the descriptor that the running QEMU has open agrees with what was asked. */
static void direct_in_force(const struct disk *d)
{
	struct said got = disk_said(d, VM_GOT, "direct");
	bool asked = disk_direct(d), is = got.value && !strcmp(got.value, "on");
	struct finding *bad;

	if (!is_running(d->s))
		return;
	if (!got.value) {
		found_unknown(
			d->f, VM_GOT, d->part,
			"its open file could not be looked at: run as root, or as QEMU's user");
	} else if (is == asked) {
		found_ok(d->f, VM_GOT, d->part, got.where, "the open file %s O_DIRECT",
			 is ? "has" : "is without");
	} else {
		bad = found_bad(d->f, VM_GOT, d->part, got.where,
				"cache %s was asked for, but the open file %s O_DIRECT",
				disk_cache(d), is ? "has" : "is without");
		want_none(bad);
	}
}

/* Modes of rules of their own are left to those, so that one mistake is told once. */
static void cache_none_of(const struct disk *d)
{
	struct said cache = disk_said(d, VM_ASKED, "cache");
	const char *mode = disk_cache(d);
	struct finding *bad;

	if (!disk_is_local(d) || disk_on_nfs(d) || !strcmp(disk_bus(d), "vhost-user-blk"))
		return;
	if (disk_readonly(d))
		return;
	if (disk_direct(d)) {
		found_ok(d->f, VM_ASKED, d->part, cache.where, "cache %s", mode);
	} else if (!strcmp(mode, "writeback")) {
		bad = found_bad(d->f, VM_ASKED, d->part, cache.where, "cache writeback%s",
				said_cache(d));
		want_none(bad);
		return; /* what is in force follows from it */
	} else {
		return; /* BLK-19, BLK-20 */
	}
	direct_in_force(d);
}

void blk_cache_none(const struct subject *s, struct findings *f)
{
	disks_each(
		s, f, cache_none_of,
		"no disk that is written lies in a file or device of the host with cache none or "
		"writeback (see BLK-19, BLK-20; BLK-33 for NFS)");
}

static void cache_through_of(const struct disk *d)
{
	struct said cache = disk_said(d, VM_ASKED, "cache");
	const char *mode = disk_cache(d);
	struct finding *bad;

	if (disk_readonly(d) || !strcmp(mode, "unsafe"))
		return;
	if (strcmp(mode, "writethrough") && strcmp(mode, "directsync")) {
		found_ok(d->f, VM_ASKED, d->part, cache.where, "cache %s: write-back%s", mode,
			 said_cache(d));
		return;
	}
	bad = found_bad(d->f, VM_ASKED, d->part, cache.where, "cache %s: a flush with every write",
			mode);
	finding_want(bad, "%s, unless the guest is one that never flushes",
		     strcmp(mode, "directsync") ? "cache none or writeback" : "cache none");
	finding_change(bad, CHANGE_XML, "<driver name='qemu' ... cache='none'/>");
	finding_change(bad, CHANGE_QEMU, "-drive ...,cache=none");
}

void blk_cache_through(const struct subject *s, struct findings *f)
{
	disks_each(s, f, cache_through_of, "no disk that is written and has its flushes honoured");
}

static void cache_unsafe_of(const struct disk *d)
{
	struct said cache = disk_said(d, VM_ASKED, "cache");
	struct finding *bad;

	if (strcmp(disk_cache(d), "unsafe")) {
		found_ok(d->f, VM_ASKED, d->part, cache.where, "cache %s%s", disk_cache(d),
			 said_cache(d));
		return;
	}
	if (disk_readonly(d))
		return;
	bad = found_bad(d->f, VM_ASKED, d->part, cache.where,
			"cache unsafe: the guest's flushes are thrown away");
	finding_want(bad, "cache none; unsafe is for disks that may be lost");
	finding_change(bad, CHANGE_XML, "<driver name='qemu' ... cache='none'/>");
	finding_change(bad, CHANGE_QEMU, "-drive ...,cache=none; no cache.no-flush=on");
}

void blk_cache_unsafe(const struct subject *s, struct findings *f)
{
	disks_each(s, f, cache_unsafe_of, "no disk that is written");
}

/* --- BLK-21, BLK-22 ------------------------------------------------------------------------ */

static void aio_of(const struct disk *d)
{
	struct said aio = disk_said(d, VM_ASKED, "aio");
	const char *mode = aio.value ? aio.value : "threads";
	bool block = disk_is(d, VM_ASKED, "transport", "block");
	struct finding *bad;

	if (!disk_is_local(d) || !strcmp(disk_bus(d), "vhost-user-blk"))
		return;
	if (!strcmp(mode, "native") && !disk_direct(d)) {
		bad = found_bad(d->f, VM_ASKED, d->part, aio.where,
				"aio native with cache %s: QEMU refuses it, it takes O_DIRECT",
				disk_cache(d));
		finding_want(bad, "cache none beside aio native, or aio io_uring");
		finding_change(bad, CHANGE_XML, "<driver ... cache='none' io='native'/>");
		finding_change(bad, CHANGE_QEMU, "-drive ...,cache=none,aio=native");
	} else if (!strcmp(mode, "threads") && block && disk_direct(d)) {
		bad = found_bad(d->f, VM_ASKED, d->part, aio.where,
				"aio threads%s on a block device with cache %s",
				aio.value ? "" : " (not said: QEMU's default)", disk_cache(d));
		finding_want(bad, "aio native; io_uring is to be measured against it");
		finding_change(bad, CHANGE_XML, "<driver ... cache='none' io='native'/>");
		finding_change(bad, CHANGE_QEMU, "-blockdev host_device,...,aio=native");
	} else {
		found_ok(d->f, VM_ASKED, d->part, aio.where, "aio %s%s with cache %s", mode,
			 aio.value ? "" : " (not said: QEMU's default)", disk_cache(d));
	}
}

void blk_aio(const struct subject *s, struct findings *f)
{
	disks_each(s, f, aio_of, "no disk lies in a file or device of the host");
}

static void aio_threads_of(const struct disk *d)
{
	struct said aio = disk_said(d, VM_ASKED, "aio");
	unsigned mapped = disk_mapping(d);
	struct finding *bad;

	if (!disk_is_local(d) || !disk_has_iothread(d))
		return;
	if (mapped < 2 || (aio.value && strcmp(aio.value, "threads"))) {
		found_ok(d->f, VM_ASKED, d->part, aio.where, "aio %s, %u iothread(s)",
			 aio.value ? aio.value : "threads", mapped ? mapped : 1);
		return;
	}
	bad = found_bad(d->f, VM_ASKED, d->part, aio.where,
			"aio threads%s, and %u iothreads with a pool of workers each",
			aio.value ? "" : " (not said: QEMU's default)", mapped);
	finding_want(bad, "aio native or io_uring with several iothreads");
	finding_change(bad, CHANGE_XML, "<driver ... cache='none' io='native'/>");
	finding_change(bad, CHANGE_QEMU,
		       "-blockdev ...,aio=native; or -object iothread,...,thread-pool-max=N");
}

void blk_aio_threads(const struct subject *s, struct findings *f)
{
	disks_each(s, f, aio_threads_of, "no disk of the host's storage has an iothread");
}

/* --- BLK-25, BLK-26 ------------------------------------------------------------------------ */

static void discard_of(const struct disk *d)
{
	struct said discard = disk_said(d, VM_ASKED, "discard");
	struct finding *bad;

	if (disk_readonly(d) || !disk_is_local(d) || !strcmp(disk_bus(d), "vhost-user-blk"))
		return;
	if (discard.value && !strcmp(discard.value, "unmap")) {
		found_ok(d->f, VM_ASKED, d->part, discard.where, "discard unmap");
		return;
	}
	if (disk_allocated(d) == 1 && !disk_is_qcow2(d)) {
		found_none(d->f,
			   "%s: a raw image that is wholly allocated would lose that by discards",
			   d->part);
		return;
	}
	bad = found_bad(d->f, VM_ASKED, d->part, discard.where, "discard ignore%s",
			discard.value ? "" : " (not said: QEMU's default)");
	finding_want(bad, "discard unmap for a thin image, and fstrim in the guest");
	finding_change(bad, CHANGE_XML, "<driver ... discard='unmap'/>");
	finding_change(bad, CHANGE_QEMU, "discard=unmap in the format's and the file's node");
	finding_change(bad, CHANGE_GUEST, "%s",
		       is_windows(d->vm) ? "Optimize-Volume -DriveLetter C -ReTrim (Windows does "
					   "so by itself, by schedule)"
					 : "systemctl enable --now fstrim.timer");
}

void blk_discard(const struct subject *s, struct findings *f)
{
	disks_each(s, f, discard_of, "no disk that is written lies in storage of the host");
}

static void zeroes_of(const struct disk *d)
{
	struct said z = disk_said(d, VM_ASKED, "detect-zeroes");
	bool unmap = disk_is(d, VM_ASKED, "discard", "unmap");
	struct finding *bad;

	if (!z.value || !strcmp(z.value, "off")) {
		found_ok(d->f, VM_ASKED, d->part, z.where, "detect-zeroes off%s",
			 z.value ? "" : " (not said: QEMU's default)");
		return;
	}
	if (!strcmp(z.value, "unmap") && !unmap)
		bad = found_bad(d->f, VM_ASKED, d->part, z.where,
				"detect-zeroes unmap without discard unmap: acts as \"on\"");
	else
		bad = found_bad(d->f, VM_ASKED, d->part, z.where,
				"detect-zeroes %s: every write is scanned", z.value);
	finding_want(bad, "detect-zeroes off where the guest can discard");
	finding_change(bad, CHANGE_XML, "no detect_zeroes attribute, discard='unmap' instead");
	finding_change(bad, CHANGE_QEMU, "detect-zeroes=off,discard=unmap");
}

void blk_detect_zeroes(const struct subject *s, struct findings *f)
{
	disks_each(s, f, zeroes_of, "no disk");
}

/* --- BLK-30 -------------------------------------------------------------------------------- */

static void flush_of(const struct disk *d)
{
	struct said policy = disk_said(d, VM_ASKED, "error-policy");
	struct finding *bad;

	if (disk_readonly(d) || !strcmp(disk_cache(d), "unsafe"))
		return; /* BLK-20 */
	if (policy.value && !strcmp(policy.value, "ignore")) {
		bad = found_bad(d->f, VM_ASKED, d->part, policy.where,
				"write errors are ignored: the guest takes as written what is not");
		finding_want(bad, "an error policy of stop, enospace or report");
		finding_change(bad, CHANGE_XML, "<driver ... error_policy='stop'/>");
		finding_change(bad, CHANGE_QEMU, "-device ...,werror=stop");
		return;
	}
	found_ok(d->f, VM_ASKED, d->part, disk_said(d, VM_ASKED, "cache").where,
		 "cache %s honours flushes, write errors %s", disk_cache(d),
		 policy.value ? policy.value : "as QEMU does by itself (enospace)");
}

void blk_flush(const struct subject *s, struct findings *f)
{
	disks_each(s, f, flush_of, "no disk that is written (cache unsafe: BLK-20)");
}
