// SPDX-License-Identifier: GPL-2.0-or-later
/* Formats of images by what they begin (or end) with. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "slim/slim.h"

#define FOOTER 512 /* of a fixed VHD, which has no header */

struct magic {
	const char *format;
	unsigned at, len;
	const char *bytes;
};

/* The formats' own specifications; those that QEMU writes are in its docs/interop. */
static const struct magic magics[] = {
	{"qcow2", 0, 8, "QFI\xfb\0\0\0\2"},
	{"qcow2", 0, 8, "QFI\xfb\0\0\0\3"},
	{"qcow", 0, 8, "QFI\xfb\0\0\0\1"},
	{"qed", 0, 4, "QED\0"},
	{"vmdk", 0, 4, "KDMV"},
	{"vmdk", 0, 4, "COWD"},
	{"vdi", 64, 4, "\x7f\x10\xda\xbe"},
	{"vpc", 0, 8, "conectix"},
	{"vhdx", 0, 8, "vhdxfile"},
	{"luks", 0, 6, "LUKS\xba\xbe"},
	{"parallels", 0, 16, "WithoutFreeSpace"},
	{"parallels", 0, 16, "WithouFreSpacExt"},
};

/*
 * A sparse VMDK without capacity whose header points to a description: QEMU goes by that, and opens
 * the files that it names (VMDK4Header and vmdk_open_vmdk4 of QEMU's block/vmdk.c).
 */
static bool vmdk_describes(const char *head, size_t n)
{
	static const char none[8];

	return n >= 36 && !memcmp(head, "KDMV", 4) && !memcmp(head + 12, none, 8) &&
	       memcmp(head + 28, none, 8);
}

static ssize_t read_at(int fd, void *buf, size_t size, uint64_t at)
{
	ssize_t n;

	do {
		n = pread(fd, buf, size, (off_t)at);
	} while (n < 0 && errno == EINTR);
	return n;
}

int slim_probe(int fd, uint64_t size, const char **format, bool *descriptor)
{
	char head[1024] = {0}, foot[8] = {0};
	ssize_t n = read_at(fd, head, sizeof(head), 0);
	size_t i;

	*format = "raw";
	*descriptor = false;
	if (n < 0)
		return -errno;
	for (i = 0; i < sizeof(magics) / sizeof(*magics); i++) {
		const struct magic *m = &magics[i];

		if ((size_t)n >= m->at + m->len && !memcmp(head + m->at, m->bytes, m->len)) {
			*format = m->format;
			*descriptor = vmdk_describes(head, (size_t)n);
			return 0;
		}
	}
	if (n >= 21 && !memcmp(head, "# Disk DescriptorFile", 21)) {
		*format = "vmdk";
		*descriptor = true;
		return 0;
	}
	if (size >= 2 * FOOTER && size % FOOTER == 0) {
		if (read_at(fd, foot, sizeof(foot), size - FOOTER) < 0)
			return -errno;
		if (!memcmp(foot, "conectix", 8))
			*format = "vpc";
	}
	return 0;
}
