/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was published of image formats: most of it is an order, with raw at its head. */
#include <math.h>
#include "analysis/claims.h"

#define FORMAT(format)                                                                             \
	{                                                                                          \
		.id = "format-" format, .what = format " against raw", .profiles = "formats",      \
		.a = "disk.format=raw", .b = "disk.format=" format, .rule = RULE_LESS, .low = NAN, \
		.high = NAN, .published = "raw is the fastest format",                             \
		.setting = "documentation, no measurement",                                        \
		.source = "SUSE and Proxmox guides; qemu-img(1)"                                   \
	}

static const struct claim rows[] = {
	FORMAT("qcow2"),
	FORMAT("qcow"),
	FORMAT("qed"),
	FORMAT("vmdk"),
	FORMAT("vdi"),
	FORMAT("vpc"),
	FORMAT("vhdx"),
	FORMAT("luks"),
	{.id = "qcow2-price",
	 .what = "qcow2 against raw",
	 .profiles = "formats",
	 .a = "disk.format=raw",
	 .b = "disk.format=qcow2",
	 .rule = RULE_BETWEEN, /* "up to" */
	 .low = 0.91,
	 .high = 1,
	 .from = 0.9,
	 .to = 1,
	 .published = "raw is up to about 10 % faster",
	 .setting = "advice in general",
	 .source = "Proxmox VE guide"},
	{.id = "qcow2-equal",
	 .what = "qcow2 against raw",
	 .profiles = "formats",
	 .a = "disk.format=raw",
	 .b = "disk.format=qcow2",
	 .rule = RULE_SAME,
	 .low = NAN,
	 .high = NAN,
	 .published = "equal in random I/O when the L2 cache is large enough",
	 .setting = "advice in general",
	 .source = "SUSE, Virtualization Best Practices"},
	{.id = "qcow2-size",
	 .what = "qcow2 against raw, size on the host's disk",
	 .profiles = "formats",
	 .a = "disk.format=raw",
	 .b = "disk.format=qcow2",
	 .work = {.rw = "randread"},
	 .metric = "image.bytes",
	 /* 8 + 2 bytes for a cluster of 64 KiB, and five clusters at least: header, L1 and L2
	  * table, reference counts and their table; 0.24 % of 128 MiB */
	 .rule = RULE_BETWEEN,
	 .low = NAN,
	 .high = NAN,
	 .from = 1,
	 .to = 1.005,
	 .published = "the tables of a full image take some hundredths of a per cent",
	 .setting = "large images; the fixed part shows in small ones",
	 .source = "QEMU docs/interop/qcow2.txt"},
	{.id = "convert-qcow2",
	 .what = "qcow2 against raw, time to convert",
	 .profiles = "formats",
	 .a = "disk.format=raw",
	 .b = "disk.format=qcow2",
	 .work = {.rw = "randread"},
	 .metric = "image.convert",
	 .rule = RULE_SAME,
	 .low = 1,
	 .high = 1.05,
	 .published = "about equal (2:36 to 2:38 against 2:36 to 2:44 min)",
	 .setting = "installing a guest into either, 2013",
	 .source = "kparal, comparison of raw and qcow2, 2013"},
};

const struct claim_list claims_formats = {rows, sizeof(rows) / sizeof(rows[0])};
