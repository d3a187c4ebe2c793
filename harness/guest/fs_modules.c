// SPDX-License-Identifier: GPL-2.0-or-later
/* Modules of the file systems that vbench slim understands. */
#include <stddef.h>
#include "guest/fs_decode.h"

/*
 * What these depend on comes along (modules.dep). ext2 to ext4 are built into Debian's kernels, or
 * come by name elsewhere. The hashes are btrfs's other checksums (a soft dependency, which is not
 * followed); the code pages are what vfat loads by name when it is mounted, and the agent mounts
 * with these.
 */
const char *const slim_guest_modules[] = {
	"ext4",
	"xfs",
	"btrfs",
	"vfat",
	"blake2b_generic",
	"xxhash_generic",
	"sha256_generic",
	"nls_cp437",
	"nls_iso8859-1",
	"nls_ascii",
	NULL,
};
