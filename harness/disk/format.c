// SPDX-License-Identifier: GPL-2.0-or-later
/* Formats of images: what qemu-img is told for each, and how much it adds to the data. */
#include <string.h>
#include "disk/internal.h"

#define M (1024ull * 1024)

/*
 * Where the figures of the last two columns come from. 4 MiB of slack stand for headers, first
 * tables and the rounding of the file system.
 *
 * qcow2   8 bytes of L2 table (16 with extended-l2) and 2 of refcount for each cluster (QEMU's
 *         docs/interop/qcow2.txt); see image_overhead, which knows the cluster's size.
 * qcow    8 bytes of L2 table for each cluster of 4 KiB (block/qcow.c has no document: as qcow2's
 *         document says of version 1): 1/512.
 * qed     8 bytes of L2 table for each cluster of 64 KiB, tables of 4 clusters
 *         (docs/interop/qed_spec.txt).
 * vmdk    two grain tables of 4 bytes for each grain of 64 KiB ("Virtual Disk Format 5.0", hosted
 *         sparse extents).
 * vdi     4 bytes of map for each block of 1 MiB; the last block may be a part.
 * vpc     a bitmap of 512 bytes before each block of 2 MiB, 4 bytes of block table (Microsoft's
 *         "Virtual Hard Disk Image Format Specification"). force_size: else the size is rounded to
 *         a geometry of cylinders, and the guest would see another disk than with other formats.
 * vhdx    8 bytes for each block; header section, log, metadata of 1 MiB each; the last block,
 *         of up to 64 MiB, is whole ([MS-VHDX]).
 * luks    eight key slots of 4000 stripes of the key's 64 bytes (LUKS On-Disk Format Specification
 *         1.2.3; aes-256 in XTS mode): 2 MiB. What a passphrase costs on opening is no matter of
 *         the disk's speed: iter-time is 10 ms instead of 2 s. Creating takes seconds all the same,
 *         for qemu-img first measures how fast the hash is; with sha256 a fast host is too fast
 *         for kernels that count CPU time by ticks ("Unable to get accurate CPU usage").
 *
 * Most formats put new data at the end of the file, wherever that is. qcow2 knows what is free by
 * its reference counts, and raw and luks have their size from the beginning.
 */
static const struct format_row formats[] = {
	{"raw", true, false, true, NULL, 0, 0},
	{"qcow2", true, false, true, NULL, 4096, 4 * M},
	{"qcow", false, false, false, NULL, 256, 4 * M},
	{"qed", false, false, false, NULL, 4096, 4 * M},
	{"vmdk", false, false, false, NULL, 4096, 4 * M},
	{"vdi", false, false, false, NULL, 4096, 4 * M},
	{"vpc", false, false, false, "force_size=on", 2048, 6 * M},
	{"vhdx", false, false, false, NULL, 4096, 72 * M},
	{"luks", true, true, true, "hash-alg=sha512,iter-time=10", 0, 4 * M},
};

const struct format_row *format_find(const char *name)
{
	for (size_t i = 0; name && i < sizeof(formats) / sizeof(formats[0]); i++)
		if (!strcmp(formats[i].name, name))
			return &formats[i];
	return NULL;
}
