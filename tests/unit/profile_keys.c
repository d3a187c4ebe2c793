/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disks of the tables against each other: which cells cannot be and why, which keys fold, which
 * words get an answer of their own. Expected by hand, from QEMU's documentation (qemu-img(1),
 * docs/interop/qcow2.txt, docs/throttle.txt, docs/qcow2-cache.txt), VIRTIO 1.2 and nbdkit(1); the
 * limits of formats were seen with qemu-img 7.2.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "profile/profile.h"

static struct profile *parse(const char *disk, const char *workload, struct err *e)
{
	struct profile *p = NULL;
	char *text = xasprintf("%s\n[workload w]\n%s", disk, workload);

	profile_parse(text, strlen(text), "t.ini", NULL, 0, &p, e);
	free(text);
	return p;
}

static void refused_with(const char *disk, const char *workload, const char *part)
{
	struct err e = {0};
	struct profile *p = parse(disk, workload, &e);

	if (p || !strstr(e.text, part))
		print_error("%s\ngot: %s\nwant: %s\n", disk, e.text, part);
	assert_null(p);
	assert_int_equal(e.status, VB_BAD_INPUT);
	assert_non_null(strstr(e.text, part));
	assert_null(strchr(e.text, '\n'));
}

static void refused(const char *disk, const char *part)
{
	refused_with(disk, "", part);
}

/* Of n cells. */
static struct profile *good_with(const char *disk, const char *workload, size_t n)
{
	struct err e = {0};
	struct profile *p = parse(disk, workload, &e);

	if (!p || p->ncells != n)
		print_error("%s\n%zu cells, not %zu: %s\n", disk, p ? p->ncells : 0, n, e.text);
	assert_non_null(p);
	assert_int_equal(p->ncells, n);
	return p;
}

static void good(const char *disk)
{
	profile_free(good_with(disk, "", 1));
}

static void assert_told(const struct profile *p, bool folded, const char *what, const char *part)
{
	for (size_t i = 0; i < p->nskipped; i++)
		if (p->skipped[i].folded == folded && !strcmp(p->skipped[i].what, what) &&
		    strstr(p->skipped[i].reason, part))
			return;
	for (size_t i = 0; i < p->nskipped; i++)
		print_error("%s: %s\n", p->skipped[i].what, p->skipped[i].reason);
	fail_msg("not told: %s: %s", what, part);
}

#define QCOW2 "[disk]\nformat = qcow2\n"
#define DATA QCOW2 "content = data\n"

static void qcow2_options_hold_together(void **state)
{
	(void)state;
	refused(QCOW2 "cluster-size = 48k\n",
		"t.ini:3: cluster-size: \"48k\" must be a power of two");
	refused(QCOW2 "cluster-size = 256\n", "from 512 to 2M");
	refused(QCOW2 "cluster-size = 8k\nextended-l2 = on\n", "cluster-size=16k");
	good(QCOW2 "cluster-size = 16k\nextended-l2 = on\n");
	/* 32 MiB of L1 entries of 8 bytes, each for an L2 table of 512/8 clusters of 512: 128 GiB
	 */
	good(QCOW2 "cluster-size = 512\nsize = 128G\n");
	refused(QCOW2 "cluster-size = 512\nsize = 129G\n", "raise cluster-size");
	/* entries of 16 bytes: half of 4 M x 2048 x 16 KiB, 64 TiB; so 16k are enough for all */
	good(QCOW2 "cluster-size = 16k\nextended-l2 = on\nsize = 16T\n");
	refused(QCOW2 "l2-cache-size = 8191\n", "two slices");
	good(QCOW2 "l2-cache-size = 8k\n");
	/* a slice is no larger than a cluster */
	good(QCOW2 "cluster-size = 1k\nl2-cache-size = 2k\n");
	refused(QCOW2 "cluster-size = 1k\nl2-cache-size = 1k\n", "two slices");
	refused(QCOW2 "compression = zlib\n", "use content=data");
	refused(DATA "compression = zlib\nmode = metadata\n", "use mode=thin");
	refused(DATA "compression = zlib\ndata-file = on\n", "data-file=off");
	refused(DATA "compression = zstd\ncompat = 0.10\n", "compat=1.1");
	good(DATA "compression = zlib\ncompat = 0.10\n");
	good(DATA "compression = zstd\n");
	good(DATA "mode = falloc\n");
	refused(QCOW2 "backing = 1\n", "use content=data");
	refused(DATA "backing = 1\ndata-file = on\n", "data-file=off");
	good(DATA "backing = 64\ncompression = zstd\nextended-l2 = on\ncluster-size = 128k\n");
	refused(DATA "backing = 65\n", "from 0 to 64");
}

static void formats_have_their_limits(void **state)
{
	(void)state;
	good("[disk]\nformat = vpc\nsize = 2040G\n");
	refused("[disk]\nformat = vhd\nsize = 2041G\n", "2040G");
	good("[disk]\nformat = vhdx\nsize = 16T\n");
	for (size_t i = 0; i < 7; i++) {
		static const char *const formats[] = {"qcow", "qed",  "vmdk", "vdi",
						      "vpc",  "vhdx", "luks"};
		char *text = xasprintf("[disk]\nformat = %s\n"
				       "cache = none, writeback, writethrough, directsync, unsafe\n"
				       "aio = io_uring, native, threads\n",
				       formats[i]);

		/* as raw: native with O_DIRECT only, 2 + 5 + 5 */
		profile_free(good_with(text, "", 12));
		free(text);
	}
	refused("[guest]\nsite = host\n[disk]\nbackend = vhost-user\nserves = file\nformat = luks\n",
		"raw images only");
}

static void words_get_an_answer(void **state)
{
	(void)state;
	refused("[disk]\nformat = zvhd\n",
		"t.ini:2: format: \"zvhd\": Huawei's own format, no QEMU driver; convert it with "
		"the vendor's tool to one of the list first (there are raw, qcow2, qcow");
	refused("[disk]\nformat = raw, zvhd2\n", "\"zvhd2\": Huawei's own format, no QEMU driver");
	/* a slip of the finger gets a hint, as ever */
	refused("[disk]\nformat = qcow3\n", "did you mean \"qcow2\"?");
	refused("[disk]\nformat = zvhd3\n", "is not one of raw");
	refused("[disk]\nbus = vhost-user-blk\n", "disk.backend = vhost-user");
	refused("[disk]\nbackend = tmpfs\n", "disk.dir in a tmpfs");
	good("[disk]\nbus = sata\n");
}

static void limits_and_bursts(void **state)
{
	struct profile *p;

	(void)state;
	refused("[disk]\nthrottle-iops = 100\nthrottle-iops-max = 99\n",
		"throttle-iops-max is below");
	refused("[disk]\nthrottle-bps = 2M\nthrottle-bps-max = 1M\n", "throttle-bps-max is below");
	good("[disk]\nthrottle-iops = 100\nthrottle-iops-max = 100\nthrottle-burst = 60s\n");
	refused("[disk]\nthrottle-iops = 1\nthrottle-iops-max = 2\nthrottle-burst = 1500ms\n",
		"must be a multiple of 1s");
	/* 10^15 in all: 1 TiB a second for 900 s are 0.99 x 10^15, for 1000 s 1.1 x 10^15 */
	good("[disk]\nthrottle-bps = 1M\nthrottle-bps-max = 1T\nthrottle-burst = 900s\n");
	refused("[disk]\nthrottle-bps = 1M\nthrottle-bps-max = 1T\nthrottle-burst = 1000s\n",
		"lower throttle-burst");
	/* a burst over no limit is none, and neither has it a length */
	p = good_with("[disk]\nthrottle-iops-max = 5\nthrottle-burst = 9s\n", "", 1);
	assert_null(cell_get(&p->cells[0], K_THROTTLE_IOPS_MAX));
	assert_null(cell_get(&p->cells[0], K_THROTTLE_BURST));
	profile_free(p);
	p = good_with("[disk]\nbus = ide\nthrottle-iops = 0, 500\nthrottle-iops-max = 0, 1000\n"
		      "throttle-burst = 1s, 5s\n",
		      "", 4);
	/* no limit; 500; and 500 with bursts of either length */
	assert_told(p, true, "throttle-iops=0 (3 combinations)", "only throttle-iops has a burst");
	profile_free(p);
}

static void zeroes_and_discards(void **state)
{
	(void)state;
	refused("[disk]\ndetect-zeroes = unmap\n", "needs discard=unmap");
	good("[disk]\ndetect-zeroes = unmap\ndiscard = unmap\n");
	good("[disk]\ndetect-zeroes = unmap\nblockdev.discard = unmap\n");
	refused("[disk]\ndetect-zeroes = unmap\nblockdev.discard = ignore\n",
		"needs discard=unmap");
	good("[disk]\ndetect-zeroes = on\n");
}

/* An option of -blockdev that has become a key may still be handed through, but not both. */
static void nothing_is_said_twice(void **state)
{
	(void)state;
	refused("[disk]\ndiscard = unmap\nblockdev.discard = unmap\n", "keep one");
	refused("[disk]\ndetect-zeroes = on\nblockdev.detect-zeroes = off\n", "keep one");
	refused(QCOW2 "l2-cache-size = 1M\nblockdev.l2-cache-size = 1M\n", "keep one");
	refused(QCOW2 "lazy-refcounts = on\nblockdev.lazy-refcounts = on\n", "keep one");
	good(QCOW2 "blockdev.discard = unmap\nblockdev.detect-zeroes = on\n"
		   "blockdev.l2-cache-size = 1M\nblockdev.lazy-refcounts = on\n");
	refused(QCOW2 "blockdev.backing.driver = raw\n", "use disk.backing");
	refused(QCOW2 "blockdev.data-file = x\n", "use disk.data-file");
	refused_with("", "fio.file_service_type = random\n", "use the key disks");
	refused_with("", "fio.new_group = 1\n", "one result a workload");
}

static void machines_and_buses_go_together(void **state)
{
	struct profile *p;

	(void)state;
	refused("[disk]\nbus = virtio-mmio\n", "needs guest.machine=microvm");
	refused("[guest]\nmachine = microvm\n", "a microvm has no PCI; use bus=virtio-mmio");
	refused("[guest]\nmachine = microvm\n[disk]\nbus = nvme\n", "a microvm has no PCI");
	refused("[guest]\nmachine = pc\n", "guest.machine=q35");
	refused("[guest]\nmachine = pc-i440fx-7.2\n", "guest.machine=q35");
	good("[guest]\nmachine = pc-q35-7.2\n");
	good("[guest]\nmachine = q35,hmat=on\n");
	good("[guest]\nmachine = microvm\naccel = tcg\n[disk]\nbus = virtio-mmio\n");
	refused("[guest]\nmachine = microvm\n[disk]\nbus = virtio-mmio\nbackend = vhost-user\n",
		"use bus=virtio-blk");
	p = good_with("[guest]\nmachine = q35, microvm\n[disk]\nbus = virtio-blk, virtio-mmio\n",
		      "", 2);
	assert_string_equal(p->cells[0].label, "machine=q35 virtio-blk");
	assert_string_equal(p->cells[1].label, "machine=microvm virtio-mmio");
	/* QEMU: "ioeventfd is required for iothread", which virtio-mmio has under KVM */
	assert_null(cell_get(&p->cells[1], K_IOTHREAD));
	profile_free(p);
	good("[guest]\nkernel = full\n[disk]\nbus = ahci\n");
	refused("[guest]\nkernel = fully\n", "an absolute path (or auto, or full)");
}

static void disks_are_counted(void **state)
{
	struct profile *p;

	(void)state;
	good("[disk]\nbus = ide\ncount = 4\n");
	refused("[disk]\nbus = ide\ncount = 5\n", "count=4 or less, or bus=ahci");
	good("[disk]\nbus = ahci\ncount = 7\n"); /* more controllers */
	good("[disk]\nbus = virtio-blk\nslots = direct\ncount = 256\n");
	refused("[disk]\nbackend = vhost-user\ncount = 2\n", "one disk; use count=1");
	refused("[disk]\nbackend = nbd\ncount = 2\n", "one disk; use count=1");
	refused("[disk]\nbackend = block\ndevice = /dev/sdz\ncount = 2\n", "one disk; use count=1");
	refused("[disk]\nbackend = vhost-user\nslots = direct\n", "use slots=ports");
	refused("[disk]\nbus = nvme\nslots = direct\n", "use guest.start=boot");
	good("[guest]\nstart = boot\n[disk]\nbus = nvme\nslots = direct\n");
	good("[disk]\nbus = nvme\nslots = ports\n");
	/* 1 and 8 disks: ports and direct; functions of a port for 8 disks with controllers of
	 * their own, not for one disk or one controller */
	p = good_with("[disk]\nbus = virtio-blk\ncount = 1, 8\n"
		      "slots = ports, direct, multifunction\n",
		      "", 5);
	assert_told(p, true, "count=1 slots=multifunction (1 combination)", "nothing to share");
	assert_null(cell_get(&p->cells[4], K_CONTROLLERS));
	profile_free(p);
	p = good_with("[disk]\nbus = virtio-scsi\ncount = 1, 8\ncontrollers = shared, each\n"
		      "slots = ports, multifunction\n",
		      "", 4);
	assert_string_equal(p->cells[0].label, "count=1 slots=ports");
	assert_string_equal(p->cells[1].label, "count=8 controllers=shared slots=ports");
	assert_string_equal(p->cells[2].label, "count=8 controllers=each slots=ports");
	assert_string_equal(p->cells[3].label, "count=8 controllers=each slots=multifunction");
	profile_free(p);
	p = good_with("[disk]\nbus = ahci\nslots = direct\n", "", 1);
	assert_told(p, true, "slots=direct", "a controller of its own");
	profile_free(p);
}

static void iothreads_have_something_to_do(void **state)
{
	struct profile *p;

	(void)state;
	refused("[disk]\niothreads = 2\n", "more iothreads than disks");
	good("[disk]\niothreads = 1\n");
	good("[disk]\niothreads = 8\ncount = 8\n");
	refused("[disk]\nbus = virtio-scsi\niothreads = 2\ncount = 8\n", "controllers");
	good("[disk]\nbus = virtio-scsi\niothreads = 8\ncount = 8\ncontrollers = each\n");
	refused("[disk]\niothread-mapping = queues\n", "needs a number of iothreads");
	refused("[disk]\niothread-mapping = queues\niothreads = 2\n", "raise disk.queues");
	good("[disk]\niothread-mapping = queues\niothreads = 2\nqueues = 2\n");
	refused("[disk]\nioeventfd = off\n", "ioeventfd=off needs iothread=off");
	good("[disk]\nioeventfd = off\niothread = off\n");
	p = good_with(
		"[disk]\niothread = on, off\ncount = 2\niothreads = 1, 2\npoll-max = 0s, 1ms\n", "",
		5);
	assert_told(p, true, "iothread=off (3 combinations)", "without an iothread");
	profile_free(p);
	p = good_with("[disk]\nbackend = vhost-user\npoll-max = 0s\n", "", 1);
	assert_null(cell_get(&p->cells[0], K_POLL_MAX));
	profile_free(p);
}

static void polled_queues_are_some_of_the_queues(void **state)
{
	(void)state;
	refused("[guest]\npoll-queues = 1\n", "raise disk.queues");
	good("[guest]\npoll-queues = 1\n[disk]\nqueues = 2\n");
	good("[guest]\npoll-queues = 1\n[disk]\nqueues = 2\nbackend = vhost-user\n");
	profile_free(good_with("[guest]\npoll-queues = 0, 1\n[disk]\nbus = nvme\n", "", 1));
}

static void servers_of_nbd(void **state)
{
	(void)state;
	refused("[disk]\nbackend = nbd\nnbd = nbdkit\n", "cache=writeback");
	good("[disk]\nbackend = nbd\nnbd = nbdkit\ncache = writeback\n");
	good("[disk]\nbackend = nbd\ncache = directsync\naio = native\n");
	refused("[disk]\nbackend = nbd\ncache = unsafe\naio = native\n", "O_DIRECT");
	good("[disk]\nbackend = nbd\nformat = qcow2\nmode = full\n");
	refused("[disk]\nbackend = nbd\nformat = qcow2\ncontent = data\nbacking = 1\n",
		"an NBD server has one image");
	refused("[disk]\nbackend = nbd\nformat = qcow2\ndata-file = on\n",
		"an NBD server has one file");
#define KIT "[disk]\nbackend = nbd\nnbd = nbdkit\nnbdkit = "
	good(KIT "memory 1G\n");
	good(KIT "--filter=delay memory 1G rdelay=1ms\n");
	refused(KIT "memory 1G --run /bin/sh\n", "no other option");
	refused(KIT "-U /x memory 1G\n", "no other option");
	refused(KIT "--filter=delay\n", "must begin with the name of a plugin");
	refused(KIT "memory $(id)\n", "with blanks between");
	refused(KIT "memory {sock}\n", "with blanks between");
	refused(KIT "file /etc/passwd\n", "would serve files of the host");
	refused(KIT "--filter=cow split /etc/passwd\n", "would serve files of the host");
	refused(KIT "linuxdisk dir=/dev/sda\n", "backend = block");
	refused(KIT "linuxdisk dir=/./dev/sda\n", "backend = block");
	refused(KIT "/usr/lib/nbdkit/plugins/nbdkit-file-plugin.so /x\n",
		"would serve files of the host");
	refused(KIT "nbdkit-split-plugin.so /x\n", "would serve files of the host");
	good(KIT "/x/nbdkit-files-plugin.so 1G\n");
	refused(KIT "--filter=log memory 1G logfile=/x\n", "may not write files");
}

static void block_devices_are_named(void **state)
{
	struct profile *p;

	(void)state;
	refused("[disk]\nbackend = block\n", "needs disk.device");
	refused("[disk]\nbackend = block\ndevice = /etc/passwd\n", "must be a block device");
	refused("[disk]\nbackend = block\ndevice = /dev/../etc/passwd\n", "must be a block device");
	refused("[disk]\nbackend = block\ndevice = /dev/\n", "must be a block device");
	refused("[disk]\nbackend = block\ndevice = /dev/sdz\nformat = qcow2\n", "use format=raw");
	p = good_with(
		"[disk]\nbackend = block\ndevice = /dev/sdz, /dev/sdy\ncache = none, writeback\n",
		"precondition = steady\n", 4);
	assert_true(cell_on_device(&p->cells[0]));
	assert_false(cell_has_image(&p->cells[0]));
	assert_true(workload_fills(&p->workloads[0], &p->cells[0]));
	profile_free(p);
	p = good_with("[disk]\ndevice = /dev/sdz\n", "", 1);
	assert_told(p, true, "device=/dev/sdz", "only backend = block");
	profile_free(p);
}

/* 256 MiB, of which fio may take a quarter. */
static void memory_is_for_all_disks(void **state)
{
	(void)state;
	/* 16 disks x 64 x 64 KiB are 64 MiB */
	profile_free(good_with("[disk]\ncount = 16\n", "bs = 64k\niodepth = 64\n", 1));
	refused_with("[disk]\ncount = 17\n", "bs = 64k\niodepth = 64\n", "write disks = round");
	profile_free(
		good_with("[disk]\ncount = 256\n", "bs = 64k\niodepth = 64\ndisks = round\n", 1));
	/* a job's own 256 KiB: 256 of them, and no more */
	profile_free(good_with("[disk]\ncount = 256\n", "", 1));
	refused_with("[disk]\ncount = 257\n", "", "257 jobs of fio");
	refused_with("[guest]\nmemory = 64G\n[disk]\ncount = 1024\n", "numjobs = 5\n",
		     "5120 jobs, and fio takes 4096");
	profile_free(good_with("[guest]\nmemory = 64G\n[disk]\ncount = 250\n",
			       "numjobs = 4\ndisks = round\n", 1));
	refused_with("[guest]\nmemory = 64G\n[disk]\ncount = 250\n", "numjobs = 5\ndisks = round\n",
		     "1250 files open");
	refused_with("[disk]\ncount = 1024\n", "disks = round\n", "1024 files open");
}

static void verify_wants_what_keeps_data(void **state)
{
	(void)state;
#define VERIFY "rw = randwrite\nverify = crc32c\n"
	profile_free(good_with("[disk]\ncount = 8\n", VERIFY, 1));
	profile_free(good_with("[disk]\ncount = 8\n", VERIFY "disks = round\n", 1));
	profile_free(good_with("[disk]\nbackend = block\ndevice = /dev/sdz\n", VERIFY, 1));
	profile_free(good_with(KIT "memory 1G\n", VERIFY, 1));
	refused_with(KIT "--filter=delay null 1G\n", VERIFY,
		     "disk.nbdkit = --filter=delay null 1G");
	refused_with("[disk]\nbackend = null\n", VERIFY, "disk.backend = null keeps nothing");
	/* jobs of one disk write over what the others verify, unless each has a part of its own */
	refused_with("", VERIFY "numjobs = 2\n", "fio.offset_increment");
	profile_free(
		good_with("", VERIFY "numjobs = 2\nsize = 1M\nfio.offset_increment = 1M\n", 1));
}

/* Nothing that is new has a word in the id of a cell that does without it. */
static void ids_stay(void **state)
{
	static const struct {
		const char *disk, *id;
	} rows[] = {
		/* printf '' | sha256sum */
		{"", "e3b0c44298fc1c14"},
		/* printf 'disk.format=qcow2\n' | sha256sum */
		{QCOW2 "cluster-size = 64k\nbacking = 0\n", "00f8b7cf7d35d430"},
		/* printf 'disk.bus=nvme\n' | sha256sum */
		{"[disk]\nbus = nvme\ncount = 1\niothreads = each\n", "f90363af58940d80"},
		/* printf 'disk.bus=nvme\n' | sha256sum: a port of its own by either name */
		{"[disk]\nbus = nvme\nslots = multifunction\n", "f90363af58940d80"},
		/* printf 'disk.count=8\ndisk.slots=direct\n' | sha256sum */
		{"[disk]\ncount = 8\nslots = direct\ncontrollers = each\n", "917a904feb9ebee7"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct profile *p = good_with(rows[i].disk, "", 1);

		assert_string_equal(p->cells[0].id, rows[i].id);
		profile_free(p);
	}
}

/* One of a key's values, any. */
static char *any_value(const struct key_row *row, unsigned (*draw)(unsigned))
{
	static const char *const numbers[] = {"0", "1", "2", "4", "8", "512", "4096", "65536"};
	const char *v = row->values ? row->values : "on,off";
	char *text;

	if (row->id == K_MACHINE)
		return xstrdup(draw(2) ? "microvm" : "q35");
	if (row->id == K_NBDKIT)
		return xstrdup(draw(2) ? "memory 1G" : draw(2) ? "null 1G" : "file");
	if (row->id == K_DEVICE)
		return xstrdup("/dev/sdz");
	if (row->type == KT_STRING || row->type == KT_PATH)
		return NULL;
	if (row->type == KT_TIME)
		return xstrdup(draw(2) ? "1s" : "2s");
	if (row->words && draw(3))
		return xstrdup(row->words);
	if (row->type != KT_ENUM && row->type != KT_BOOL)
		return xasprintf("%s%s", numbers[draw(8)],
				 row->id == K_SIZE || row->id == K_MEMORY ? "M" : "");
	for (unsigned skip = draw(9); skip; skip--) {
		v += strcspn(v, ",");
		v = *v ? v + 1 : row->values ? row->values : "on,off";
	}
	text = xstrdup(v);
	text[strcspn(text, ",")] = 0;
	return text;
}

/* xorshift32 [Marsaglia 2003]: the same cases each time. */
static unsigned draw_below(unsigned n)
{
	static unsigned x = 2463534242u;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x % n;
}

/*
 * A cell is one point of what can be measured, whatever was written down: each key that has a value
 * still applies once the others have lost theirs, and each that has lost it can say why.
 */
static void assert_settled(const struct cell *c, const char *text)
{
	for (size_t i = 0; i < K_COUNT; i++) {
		const struct key_row *row = &profile_keys[i];
		const char *why = row->applies ? row->applies(c) : NULL;
		bool of_cell = row->section == SEC_GUEST || row->section == SEC_DISK;

		if (!of_cell || (c->val[i] != NULL) == !why)
			continue;
		print_error("%s%s.%s=%s: %s\n", text, section_names[row->section], row->name,
			    c->val[i] ? c->val[i] : "(none)", why ? why : "applies");
		assert_true((c->val[i] != NULL) == !why);
	}
}

static void what_is_left_of_a_cell_applies(void **state)
{
	unsigned cells = 0;

	(void)state;
	for (unsigned n = 0; n < 4000; n++) {
		char *said[SEC_COUNT] = {0}, *text;
		struct profile *p = NULL;
		struct err e = {0};

		for (unsigned k = 0; k < K_COUNT; k++) {
			const struct key_row *row = &profile_keys[k];
			bool of_cell = row->section == SEC_GUEST || row->section == SEC_DISK;
			char *v = of_cell && !draw_below(6) ? any_value(row, draw_below) : NULL;
			char *more;

			if (!v)
				continue;
			more = xasprintf("%s%s = %s\n",
					 said[row->section] ? said[row->section] : "", row->name,
					 v);
			free(said[row->section]);
			said[row->section] = more;
			free(v);
		}
		text = xasprintf("[guest]\n%s[disk]\n%s[workload w]\n",
				 said[SEC_GUEST] ? said[SEC_GUEST] : "",
				 said[SEC_DISK] ? said[SEC_DISK] : "");
		if (!profile_parse(text, strlen(text), "t.ini", NULL, 0, &p, &e)) {
			assert_int_equal(p->ncells, 1);
			assert_settled(&p->cells[0], text);
			cells++;
		} else {
			assert_int_equal(strncmp(e.text, "t.ini:", 6), 0);
		}
		profile_free(p);
		free(text);
		free(said[SEC_GUEST]);
		free(said[SEC_DISK]);
	}
	assert_true(cells > 100);
}

static void help_tells_of_refused_words(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	profile_help(out);
	fclose(out);
	assert_non_null(strstr(text,
			       "\n        not zvhd, zvhd2: Huawei's own format, no QEMU driver; "
			       "convert it"));
	assert_non_null(strstr(text, "\n        not tmpfs: write backend = file"));
	assert_non_null(strstr(text, "kernel = PATH, or auto, or full (default auto)"));
	assert_non_null(strstr(text, "throttle-burst = TIME from 1s to 1h in steps of 1s"));
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(qcow2_options_hold_together),
		cmocka_unit_test(formats_have_their_limits),
		cmocka_unit_test(words_get_an_answer),
		cmocka_unit_test(limits_and_bursts),
		cmocka_unit_test(zeroes_and_discards),
		cmocka_unit_test(nothing_is_said_twice),
		cmocka_unit_test(machines_and_buses_go_together),
		cmocka_unit_test(disks_are_counted),
		cmocka_unit_test(iothreads_have_something_to_do),
		cmocka_unit_test(polled_queues_are_some_of_the_queues),
		cmocka_unit_test(servers_of_nbd),
		cmocka_unit_test(block_devices_are_named),
		cmocka_unit_test(memory_is_for_all_disks),
		cmocka_unit_test(verify_wants_what_keeps_data),
		cmocka_unit_test(ids_stay),
		cmocka_unit_test(what_is_left_of_a_cell_applies),
		cmocka_unit_test(help_tells_of_refused_words),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
