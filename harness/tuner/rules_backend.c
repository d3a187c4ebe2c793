// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of what is below a disk on the host, and beside it in the guest: schedulers, limits, sizes,
 * file systems. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tuner/disks.h"

/* Red Hat's lower bound for a limit: below it requests of guests run into time-outs. */
#define LIMIT_MIN ((uint64_t)2000000)
/* Weights of <blkiotune> that libvirt takes. */
enum { WEIGHT_MIN = 100, WEIGHT_MAX = 1000 };
#define READAHEAD_MIN ((uint64_t)4 << 20)

/* --- BLK-23 -------------------------------------------------------------------------------- */

/* "sda" of a disk's image, NULL when it is not known. */
static const char *host_device(const struct disk *d)
{
	return vm_get(d->vm, VM_GOT, "disk.%u.host-device", d->i);
}

static bool is_rotational(const struct subject *s, const char *dev)
{
	long long n;

	return s->here && snapshot_number(s->host, &n, "/sys/block/%s/queue/rotational", dev) && n;
}

static void scheduler_judge(const struct subject *s, struct findings *f, const char *part,
			    const char *dev, const char *scheduler, const char *where)
{
	bool spins = is_rotational(s, dev),
	     good = list_has("none,mq-deadline,deadline,noop", scheduler);
	struct finding *bad;

	if (good || (spins && !strcmp(scheduler, "bfq"))) {
		found_ok(f, VM_GOT, part, where, "scheduler %s", scheduler);
		return;
	}
	bad = found_bad(f, VM_GOT, part, where, "scheduler %s on the host's %s", scheduler, dev);
	finding_want(bad, "%s", spins ? "mq-deadline" : "none or mq-deadline");
	finding_change(bad, CHANGE_SYSFS, "echo %s > /sys/block/%s/queue/scheduler",
		       spins ? "mq-deadline" : "none", dev);
}

static void scheduler_of(const struct disk *d)
{
	struct said got = disk_said(d, VM_GOT, "host-scheduler");
	const char *dev = host_device(d);

	if (!disk_is_local(d) || disk_on_nfs(d))
		return;
	if (!got.value)
		found_unknown(d->f, VM_GOT, d->part,
			      "the host's device below its image is not known: audit it where it "
			      "runs (libvirt:NAME or pid:N)");
	else
		scheduler_judge(d->s, d->f, d->part, dev ? dev : "DEVICE", got.value, got.where);
}

struct host_walk {
	const struct subject *s;
	struct findings *f;
};

/* A device with its queue, not one that stands on others. */
static bool is_real(const char *dev)
{
	static const char *const made[] = {"loop", "ram", "zram", "dm-", "md", "nbd", "sr", "fd"};

	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
		if (!strncmp(dev, made[i], strlen(made[i])))
			return false;
	return true;
}

static void host_scheduler(const char *path, const char *text, void *arg)
{
	struct host_walk *w = arg;
	char dev[64], chosen[64];

	(void)text;
	if (sscanf(path, "/sys/block/%63[^/]/queue/scheduler", dev) != 1 || !is_real(dev) ||
	    !snapshot_chosen(w->s->host, chosen, sizeof(chosen), "%s", path))
		return;
	scheduler_judge(w->s, w->f, dev, dev, chosen, path);
}

void blk_host_scheduler(const struct subject *s, struct findings *f)
{
	struct host_walk w = {s, f};
	size_t before = f->n;

	if (s->vm) {
		disks_each(s, f, scheduler_of, "no disk lies in local storage of the host");
		return;
	}
	snapshot_each(s->host, "/sys/block/*/queue/scheduler", host_scheduler, &w);
	if (f->n == before)
		found_none(f, "no block device of the host has a scheduler");
}

/* --- BLK-24 -------------------------------------------------------------------------------- */

static void guest_scheduler_of(const struct disk *d)
{
	if (!disk_is_virtio(d) || is_windows(d->vm))
		return;
	found_unknown(d->f, VM_GOT, d->part,
		      "only the guest knows: cat /sys/block/%s/queue/scheduler there; with one "
		      "queue Linux takes mq-deadline, with two or more none",
		      strcmp(disk_bus(d), "virtio-scsi") ? "vd*" : "sd*");
}

void blk_guest_scheduler(const struct subject *s, struct findings *f)
{
	disks_each(s, f, guest_scheduler_of, "no virtio disk of a Linux guest");
}

/* --- BLK-27, BLK-28 ------------------------------------------------------------------------ */

static void throttle_of(const struct disk *d)
{
	struct said limit = disk_said(d, VM_ASKED, "bps-limit");
	struct finding *bad;
	uint64_t bps;

	if (!disk_number(d, VM_ASKED, "bps-limit", &bps) || !bps)
		return;
	if (bps >= LIMIT_MIN) {
		found_ok(d->f, VM_ASKED, d->part, limit.where, "limited to %" PRIu64 " bytes/s",
			 bps);
		return;
	}
	bad = found_bad(d->f, VM_ASKED, d->part, limit.where, "limited to %" PRIu64 " bytes/s",
			bps);
	finding_want(bad, "no limit below 2 MB/s: the guest's requests run into time-outs");
	finding_change(bad, CHANGE_XML,
		       "<iotune><total_bytes_sec>2000000</total_bytes_sec></iotune>, or more");
	finding_change(bad, CHANGE_QEMU, "-drive ...,throttling.bps-total=2000000, or more");
}

void blk_throttle(const struct subject *s, struct findings *f)
{
	disks_each(s, f, throttle_of,
		   "no disk has a limit of bytes; how noisy it is, only "
		   "measurement tells");
}

static void weight_of(const struct disk *d)
{
	struct said w = disk_said(d, VM_ASKED, "weight"),
		    scheduler = disk_said(d, VM_GOT, "host-scheduler");
	struct finding *bad;
	uint64_t n;

	if (!disk_number(d, VM_ASKED, "weight", &n))
		return;
	if (n < WEIGHT_MIN || n > WEIGHT_MAX) {
		bad = found_bad(d->f, VM_ASKED, d->part, w.where, "weight %" PRIu64, n);
		finding_want(bad, "a weight of %d to %d", WEIGHT_MIN, WEIGHT_MAX);
	} else {
		found_ok(d->f, VM_ASKED, d->part, w.where, "weight %" PRIu64, n);
	}
	if (!scheduler.value) {
		found_unknown(d->f, VM_GOT, d->part,
			      "a weight takes bfq (or io.cost) on the host's device, which is not "
			      "known here");
		return;
	}
	if (!strcmp(scheduler.value, "bfq")) {
		found_ok(d->f, VM_GOT, d->part, scheduler.where, "scheduler bfq heeds weights");
		return;
	}
	bad = found_bad(d->f, VM_GOT, d->part, scheduler.where,
			"a weight is asked for, but scheduler %s heeds none", scheduler.value);
	finding_want(bad, "scheduler bfq, or limits (BLK-27) instead of weights");
	if (host_device(d))
		finding_change(bad, CHANGE_SYSFS, "echo bfq > /sys/block/%s/queue/scheduler",
			       host_device(d));
}

void blk_weight(const struct subject *s, struct findings *f)
{
	disks_each(s, f, weight_of, "no disk has a weight");
}

/* --- BLK-29 -------------------------------------------------------------------------------- */

static void block_size_of(const struct disk *d)
{
	struct said phys = disk_said(d, VM_ASKED, "physical-block");
	uint64_t logical = 512, physical = 0;
	const char *dev = host_device(d);
	long long host = 0;
	struct finding *bad;

	disk_number(d, VM_ASKED, "logical-block", &logical);
	if (!disk_number(d, VM_ASKED, "physical-block", &physical))
		physical = logical;
	if (physical < logical) {
		bad = found_bad(d->f, VM_ASKED, d->part, phys.where,
				"physical blocks of %" PRIu64 " bytes, logical ones of %" PRIu64,
				physical, logical);
		finding_want(bad, "physical blocks at least as large as logical ones");
		return;
	}
	if (!dev || !d->s->here ||
	    !snapshot_number(d->s->host, &host, "/sys/block/%s/queue/physical_block_size", dev)) {
		found_unknown(d->f, VM_GOT, d->part,
			      "the guest sees blocks of %" PRIu64
			      "; those of the host's device are "
			      "not known here: /sys/block/DEVICE/queue/physical_block_size",
			      physical);
		return;
	}
	if ((uint64_t)host <= physical) {
		found_ok(d->f, VM_GOT, d->part, phys.where,
			 "blocks of %" PRIu64 " on the host's %lld", physical, host);
		return;
	}
	bad = found_bad(d->f, VM_GOT, d->part, phys.where,
			"the guest sees physical blocks of %" PRIu64 ", the host's %s has %lld",
			physical, dev, host);
	finding_want(bad, "physical blocks of %lld, so that the guest aligns", host);
	finding_change(bad, CHANGE_XML, "<blockio physical_block_size='%lld'/>", host);
	finding_change(bad, CHANGE_QEMU, "-device ...,physical_block_size=%lld", host);
}

void blk_block_size(const struct subject *s, struct findings *f)
{
	disks_each(s, f, block_size_of, "no disk");
}

/* --- BLK-31 to BLK-33, BLK-36 -------------------------------------------------------------- */

static void device_of(const struct disk *d)
{
	struct said t = disk_said(d, VM_ASKED, "transport");
	int allocated = disk_allocated(d);
	struct finding *bad;

	if (!t.value || !disk_is_local(d))
		return;
	if (!strcmp(t.value, "block")) {
		found_ok(d->f, VM_ASKED, d->part, t.where, "a block device");
	} else if (allocated == 1) {
		found_ok(d->f, VM_GOT, d->part, t.where, "a file, wholly allocated");
	} else if (allocated < 0) {
		found_unknown(d->f, VM_GOT, d->part,
			      "a file; whether it is wholly allocated says `qemu-img info`");
	} else {
		bad = found_bad(d->f, VM_GOT, d->part, t.where, "a file with holes");
		finding_want(bad, "a logical volume, or a file that is wholly allocated");
		finding_change(bad, CHANGE_XML, "<disk type='block'><source dev='/dev/VG/LV'/>");
		finding_change(bad, CHANGE_QEMU,
			       "qemu-img convert -n -O raw IMAGE /dev/VG/LV, then -blockdev "
			       "host_device,filename=/dev/VG/LV,...");
	}
}

void blk_device(const struct subject *s, struct findings *f)
{
	disks_each(s, f, device_of, "no disk lies in local storage of the host");
}

static void filesystem_of(const struct disk *d)
{
	struct said fs = disk_said(d, VM_GOT, "host-fs"), nocow = disk_said(d, VM_GOT, "nocow");
	struct finding *bad;

	if (!disk_is_file(d) || disk_on_nfs(d))
		return;
	if (!fs.value) {
		found_unknown(d->f, VM_GOT, d->part,
			      "the image's file system is not known: audit it where it runs, or "
			      "`stat -f -c %%T IMAGE`");
	} else if (strcmp(fs.value, "btrfs")) {
		found_ok(d->f, VM_GOT, d->part, fs.where, "image on %s", fs.value);
	} else if (!nocow.value) {
		found_unknown(d->f, VM_GOT, d->part,
			      "image on btrfs; whether it is No_COW says `lsattr IMAGE`");
	} else if (!strcmp(nocow.value, "on")) {
		found_ok(d->f, VM_GOT, d->part, nocow.where, "image on btrfs, No_COW");
	} else {
		bad = found_bad(d->f, VM_GOT, d->part, nocow.where,
				"image on btrfs with copy on write");
		finding_want(bad, "the attribute No_COW, which an image must have from its start");
		finding_change(bad, CHANGE_QEMU,
			       "qemu-img convert -O qcow2 -o nocow=on IMAGE NEW; mind that No_COW "
			       "also means no checksums");
	}
}

void blk_filesystem(const struct subject *s, struct findings *f)
{
	disks_each(s, f, filesystem_of, "no image is a local file");
}

static void nfs_of(const struct disk *d)
{
	struct said cache = disk_said(d, VM_ASKED, "cache");
	const char *mode = disk_cache(d);
	struct finding *bad;

	if (!disk_on_nfs(d) || disk_readonly(d))
		return;
	if (disk_direct(d) || strcmp(mode, "writeback")) {
		found_ok(d->f, VM_ASKED, d->part, cache.where, "image on NFS, cache %s", mode);
		return;
	}
	bad = found_bad(d->f, VM_ASKED, d->part, cache.where, "image on NFS, cache writeback%s",
			cache.value ? "" : " (not said: QEMU's default)");
	finding_want(bad, "cache none on NFS");
	finding_change(bad, CHANGE_XML, "<driver ... cache='none'/>");
	finding_change(bad, CHANGE_QEMU, "-drive ...,cache=none");
}

void blk_nfs(const struct subject *s, struct findings *f)
{
	disks_each(s, f, nfs_of, "no image that is written is on NFS");
}

static void readahead_of(const struct disk *d)
{
	struct said ra = disk_said(d, VM_GOT, "host-readahead");
	const char *dev = host_device(d);
	struct finding *bad;
	uint64_t bytes;

	if (!disk_is_local(d) || disk_direct(d))
		return;
	if (!disk_number(d, VM_GOT, "host-readahead", &bytes)) {
		found_unknown(
			d->f, VM_GOT, d->part,
			"the host's device is not known: /sys/block/DEVICE/queue/read_ahead_kb");
		return;
	}
	if (bytes >= READAHEAD_MIN) {
		found_ok(d->f, VM_GOT, d->part, ra.where, "read-ahead of %" PRIu64 " KiB",
			 bytes >> 10);
		return;
	}
	bad = found_bad(d->f, VM_GOT, d->part, ra.where, "read-ahead of %" PRIu64 " KiB",
			bytes >> 10);
	finding_want(bad, "4096 KiB or more, if the guest streams through the page cache");
	finding_change(bad, CHANGE_SYSFS, "echo 4096 > /sys/block/%s/queue/read_ahead_kb",
		       dev ? dev : "DEVICE");
}

void blk_readahead(const struct subject *s, struct findings *f)
{
	disks_each(s, f, readahead_of, "every disk bypasses the page cache, and its read-ahead");
}

/* --- BLK-34, BLK-35: nothing to be read from a description ---------------------------------- */

static void batch_of(const struct disk *d)
{
	const char *aio = vm_get(d->vm, VM_ASKED, "disk.%u.aio", d->i);

	/* QEMU's network drivers have no aio= */
	if (aio && strcmp(aio, "threads") && disk_is_local(d))
		found_ok(d->f, VM_ASKED, d->part, disk_said(d, VM_ASKED, "aio").where,
			 "aio %s: requests are submitted in batches", aio);
}

void blk_batch(const struct subject *s, struct findings *f)
{
	disks_each(s, f, batch_of, "no disk has aio native or io_uring, which take batches");
}

static void bypass_of(const struct disk *d)
{
	if (!strcmp(disk_bus(d), "vhost-user-blk") || disk_is(d, VM_ASKED, "transport", "nvme"))
		found_ok(d->f, VM_ASKED, d->part, disk_said(d, VM_ASKED, "bus").where,
			 "QEMU's block layer or the host's kernel is bypassed");
}

void blk_bypass(const struct subject *s, struct findings *f)
{
	disks_each(s, f, bypass_of, "a yardstick to measure against, not a setting");
}
