/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a cell cannot be: images, their formats, and QEMU's block layer. Limits are those of QEMU's
 * block drivers, which say them when an image is made or opened. */
#include "profile/keys.h"

#define L1_BYTES (32 * MIB) /* QEMU's largest L1 table of a qcow2 image */
#define VPC_MAX (2040 * GIB)
#define THROTTLE_MAX 1000000000000000ull /* of a limit times the seconds of its burst */

static bool data_in_one_file(const struct cell *c)
{
	return !cell_on(c, K_DATA_FILE);
}

const char *conflict_format(const struct cell *c)
{
	if (cell_is(c, K_FORMAT, "raw"))
		return NULL;
	if (cell_on_device(c))
		return "a block device is used as it is; use format=raw";
	if (cell_is(c, K_FORMAT, "vpc") && cell_u64(c, K_SIZE) > VPC_MAX)
		return "a vpc (VHD) image has at most 2040G; lower disk.size";
	if (cell_in_qemu(c))
		return NULL;
	return cell_uses_vhost(c) ? "vbench's device serves raw images only; use "
				    "server=storage-daemon or format=raw"
				  : "driver=file reads the image as it is; use format=raw";
}

/* Bytes of an entry of an L2 table (QEMU's docs/interop/qcow2.txt). */
static uint64_t l2_entry(const struct cell *c)
{
	return cell_on(c, K_EXTENDED_L2) ? 16 : 8;
}

/* An L2 table has one cluster, and the L1 table an entry of 8 bytes for each. */
const char *conflict_cluster(const struct cell *c)
{
	uint64_t cluster = cell_u64(c, K_CLUSTER);

	if (cell_u64(c, K_SIZE) > L1_BYTES / 8 * (cluster / l2_entry(c) * cluster))
		return "a qcow2 image of this size needs larger clusters; raise cluster-size";
	return NULL;
}

const char *conflict_extended_l2(const struct cell *c)
{
	if (cell_on(c, K_EXTENDED_L2) && cell_u64(c, K_CLUSTER) < 16 * KIB)
		return "extended-l2 needs subclusters of 512 bytes at least; use cluster-size=16k "
		       "or more";
	return NULL;
}

/* QEMU keeps slices of l2-cache-entry-size (4k, or a cluster where that is less), two at least: it
 * would take two without a word. */
const char *conflict_l2_cache(const struct cell *c)
{
	uint64_t cluster = cell_u64(c, K_CLUSTER), slice = cluster < 4 * KIB ? cluster : 4 * KIB;
	uint64_t n = cell_u64(c, K_L2_CACHE);

	if (n && n < 2 * slice)
		return "QEMU's L2 cache holds two slices of 4k (or of a smaller cluster) at least; "
		       "raise l2-cache-size to 8k";
	return NULL;
}

/* Empty layers over an empty image: nothing is read from any of them. */
const char *conflict_backing(const struct cell *c)
{
	if (!cell_u64(c, K_BACKING))
		return NULL;
	if (!cell_has_data(c))
		return "a chain of empty images has nothing to be read from below; use content=data";
	if (!data_in_one_file(c))
		return "a chain is made of images with their data inside; use data-file=off or "
		       "backing=0";
	return cell_uses_nbd(c) ? "an NBD server has one image; use backing=0 or another backend"
				: NULL;
}

const char *conflict_compression(const struct cell *c)
{
	if (cell_is(c, K_COMPRESSION, "none"))
		return NULL;
	if (!cell_has_data(c))
		return "an empty image has nothing to compress; use content=data";
	if (!cell_is(c, K_MODE, "thin"))
		return "qemu-img compresses only into an image without preallocation; use mode=thin";
	if (!data_in_one_file(c))
		return "QEMU compresses nothing into a data file; use data-file=off or "
		       "compression=none";
	if (cell_is(c, K_COMPRESSION, "zstd") && !cell_is(c, K_COMPAT, "1.1"))
		return "compression=zstd needs compat=1.1";
	return NULL;
}

const char *conflict_data_file(const struct cell *c)
{
	if (data_in_one_file(c))
		return NULL;
	return cell_uses_nbd(c) ? "an NBD server has one file; use data-file=off" : NULL;
}

/*
 * vbench's device always offers a write cache and honours flushes: that is two of QEMU's modes.
 * nbdkit's file plugin reads through the page cache (its own cache=none is advice to the kernel),
 * and it is the server that opens the file.
 */
const char *conflict_cache(const struct cell *c)
{
	if (cell_uses_nbd(c) && cell_is(c, K_NBD, "nbdkit") && !cell_is(c, K_CACHE, "writeback"))
		return "nbdkit reads its file through the page cache: cache=writeback";
	if (cell_is(c, K_SERVER, "loop") && !cell_is(c, K_CACHE, "writeback"))
		return "server=loop reads its file through the page cache: cache=writeback";
	if (!cell_in_qemu(c) && !cell_is(c, K_CACHE, "none") && !cell_is(c, K_CACHE, "writeback"))
		return "vbench's device has cache=none and cache=writeback only";
	return NULL;
}

const char *conflict_aio(const struct cell *c)
{
	if (cell_is(c, K_AIO, "native") && !cell_is(c, K_CACHE, "none") &&
	    !cell_is(c, K_CACHE, "directsync"))
		return "QEMU's aio=native needs O_DIRECT: cache=none or cache=directsync";
	return NULL;
}

/* QEMU refuses to punch holes into what may not be discarded. */
const char *conflict_detect_zeroes(const struct cell *c)
{
	bool unmap = cell_is(c, K_DISCARD, "unmap");

	for (size_t i = 0; i < c->nextras; i++)
		if (!strcmp(c->extras[i].key, "discard"))
			unmap = !strcmp(c->extras[i].value, "unmap");
	if (cell_is(c, K_DETECT_ZEROES, "unmap") && !unmap)
		return "detect-zeroes=unmap needs discard=unmap";
	return NULL;
}

/* QEMU's throttling: a burst is over the limit, and what it may do in all is bounded. */
static const char *burst(const struct cell *c, enum key_id limit, enum key_id max,
			 const char *below)
{
	uint64_t most = cell_u64(c, max), seconds = cell_u64(c, K_THROTTLE_BURST) / SECOND;

	if (most && most < cell_u64(c, limit))
		return below;
	if (most && seconds > 1 && most > THROTTLE_MAX / seconds)
		return "QEMU takes no burst of that much for so long; lower throttle-burst";
	return NULL;
}

const char *conflict_throttle_iops_max(const struct cell *c)
{
	return burst(c, K_THROTTLE_IOPS, K_THROTTLE_IOPS_MAX,
		     "throttle-iops-max is below throttle-iops; raise it, or write 0 for no burst");
}

const char *conflict_throttle_bps_max(const struct cell *c)
{
	return burst(c, K_THROTTLE_BPS, K_THROTTLE_BPS_MAX,
		     "throttle-bps-max is below throttle-bps; raise it, or write 0 for no burst");
}

/* On the host an image is filled as a file, before its server opens it. */
const char *conflict_precondition(const struct cell *c)
{
	if (cell_on_host(c) && !cell_is(c, K_PRECONDITION, "none") &&
	    !cell_is(c, K_FORMAT, "raw") && c->val[K_FORMAT])
		return "on the host only raw images can be filled; use format=raw";
	return NULL;
}
