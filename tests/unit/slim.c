/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What vbench slim computes by itself. Expected values: docs/interop/qcow2.txt of QEMU and the
 * other formats' specifications, arithmetic by hand. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include "slim/slim.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define GIB (1ull << 30)

static void l2_cache_covers_the_disk(void **state)
{
	(void)state;
	/* 8 GiB / 64 KiB = 131072 clusters, 8 bytes each: 1 MiB, as in QEMU's docs/qcow2-cache.txt
	 */
	assert_int_equal(slim_l2_cache(8 * GIB, 65536, false), 1 << 20);
	/* 16 bytes with extended L2 entries */
	assert_int_equal(slim_l2_cache(8 * GIB, 65536, true), 2 << 20);
	/* 1 TiB with clusters of 2 MiB: 524288 * 8 */
	assert_int_equal(slim_l2_cache(1024 * GIB, 2 << 20, false), 4 << 20);
	/* tables are whole clusters: 1 GiB / 64 KiB * 8 = 128 KiB, two tables; a byte more needs
	 * three */
	assert_int_equal(slim_l2_cache(GIB, 65536, false), 131072);
	assert_int_equal(slim_l2_cache(GIB + 1, 65536, false), 196608);
	assert_int_equal(slim_l2_cache(1, 512, false), 512);
	assert_int_equal(slim_l2_cache(0, 65536, false), 0);
	assert_int_equal(slim_l2_cache(GIB, 0, false), 0);
}

static void keep_is_a_tenth_or_ten_gib(void **state)
{
	(void)state;
	assert_int_equal(slim_keep(0), 10 * GIB);
	assert_int_equal(slim_keep(100 * GIB), 10 * GIB);
	assert_int_equal(slim_keep(101 * GIB), 101 * GIB / 10);
	assert_int_equal(slim_keep(2000 * GIB), 200 * GIB);
}

/* Puts bytes at an offset of a file of that size, and asks what it is. */
static const char *probed(uint64_t size, uint64_t at, const char *bytes, size_t len,
			  bool *descriptor)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	const char *format = NULL;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	if (len)
		assert_int_equal(pwrite(fd, bytes, len, (off_t)at), len);
	assert_int_equal(slim_probe(fd, size, &format, descriptor), 0);
	close(fd);
	return format;
}

/* VMDK4Header of QEMU's block/vmdk.c: capacity at 12, desc_offset at 28. */
static void a_vmdk_that_names_files_is_told(void **state)
{
	char head[512] = "KDMV\1";
	bool descriptor;

	(void)state;
	head[28] = 1;
	assert_string_equal(probed(4096, 0, head, sizeof(head), &descriptor), "vmdk");
	assert_true(descriptor);
	head[13] = 8; /* it has a size: its own extent holds the data */
	assert_string_equal(probed(4096, 0, head, sizeof(head), &descriptor), "vmdk");
	assert_false(descriptor);
}

static void formats_are_told_by_their_bytes(void **state)
{
	static const struct {
		const char *format, *bytes;
		size_t len;
		uint64_t at;
	} rows[] = {
		{"qcow2", "QFI\xfb\0\0\0\3", 8, 0},
		{"qcow2", "QFI\xfb\0\0\0\2", 8, 0},
		{"qcow", "QFI\xfb\0\0\0\1", 8, 0},
		/* no such version */
		{"raw", "QFI\xfb\0\0\0\4", 8, 0},
		{"raw", "QFI\xfb\0\0\0\0", 8, 0},
		{"qed", "QED\0", 4, 0},
		{"vmdk", "KDMV", 4, 0},
		/* u32_magic 0xbeda107f, little-endian, at 0x40 */
		{"vdi", "\x7f\x10\xda\xbe", 4, 64},
		{"vpc", "conectix", 8, 0},
		/* a fixed VHD has its footer alone: the last 512 bytes */
		{"vpc", "conectix", 8, (1 << 20) - 512},
		{"raw", "conectix", 8, 4096},
		{"vhdx", "vhdxfile", 8, 0},
		{"luks", "LUKS\xba\xbe", 6, 0},
		{"raw", "\x55\xaa", 2, 510},
		{"raw", "", 0, 0},
	};
	bool descriptor;
	size_t i;

	(void)state;
	for (i = 0; i < N(rows); i++) {
		assert_string_equal(
			probed(1 << 20, rows[i].at, rows[i].bytes, rows[i].len, &descriptor),
			rows[i].format);
		assert_false(descriptor);
	}
	assert_string_equal(probed(100, 0, "# Disk DescriptorFile\nversion=1\n", 32, &descriptor),
			    "vmdk");
	assert_true(descriptor);
}

static void short_files_are_raw(void **state)
{
	bool descriptor;
	uint64_t size;

	(void)state;
	assert_string_equal(probed(1, 0, "Q", 1, &descriptor), "raw");
	assert_string_equal(probed(7, 0, "QFI\xfb\0\0\0", 7, &descriptor), "raw");
	assert_string_equal(probed(67, 64, "\x7f\x10\xda", 3, &descriptor), "raw");
	for (size = 0; size < 1200; size += 100)
		assert_string_equal(probed(size, 0, "", 0, &descriptor), "raw");
}

static void unreadable_is_an_error(void **state)
{
	const char *format;
	bool descriptor;

	(void)state;
	assert_int_equal(slim_probe(-1, 512, &format, &descriptor), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(l2_cache_covers_the_disk),
		cmocka_unit_test(keep_is_a_tenth_or_ten_gib),
		cmocka_unit_test(formats_are_told_by_their_bytes),
		cmocka_unit_test(a_vmdk_that_names_files_is_told),
		cmocka_unit_test(short_files_are_raw),
		cmocka_unit_test(unreadable_is_an_error),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
