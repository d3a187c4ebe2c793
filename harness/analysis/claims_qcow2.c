/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was published of qcow2: allocation modes, L2 cache, clusters and subclusters, chains. */
#include <math.h>
#include "analysis/claims.h"

#define QCOW2(mode) "disk.format=qcow2 disk.mode=" mode

#define SANGFOR_SETTING "aSV on aSAN; first writes and steady ones not told apart"
#define SANGFOR_SOURCE "Sangfor, aSV white paper, as quoted"
#define SANGFOR(name, text, from_mode, to_mode)                                               \
	{                                                                                     \
		.id = "sangfor-" name, .what = text, .profiles = "qcow2-modes",               \
		.a = QCOW2(from_mode), .b = QCOW2(to_mode), .rule = RULE_MORE, .low = NAN,    \
		.high = NAN,                                                                  \
		.published = "thin is slower than dynamic, dynamic slower than preallocated", \
		.setting = SANGFOR_SETTING, .source = SANGFOR_SOURCE                          \
	}

#define GARCIA_SOURCE "A. Garcia, qemu-devel, August 2020"
#define GARCIA(name, text, from, to, when, how, lo, hi, said)                                      \
	{                                                                                          \
		.id = "garcia-" name, .what = text, .profiles = "qcow2-modes", .a = from, .b = to, \
		.work = {.rw = "randwrite", .pass = when}, .rule = how, .low = lo, .high = hi,     \
		.published = said,                                                                 \
		.setting = "QEMU 5.1, first writes, 4 KiB at depth 32, images on xfs and ext4 "    \
			   "on an SSD",                                                            \
		.source = GARCIA_SOURCE                                                            \
	}
#define CONVERGE "the modes differ in first writes only"

#define CREATE(name, mode, how, x, said)                                                          \
	{                                                                                         \
		.id = "create-" name,                                                             \
		.what = "time to create an image, mode " mode " against thin",                    \
		.profiles = "qcow2-modes", .a = QCOW2("thin"), .b = QCOW2(mode),                  \
		.work = {.pass = "first-write"}, .metric = "image.create", .rule = how, .low = x, \
		.high = x, .published = said, .setting = "4 GiB on a hard disk, one run each",    \
		.source = "jamescoyle.net, on qcow2 preallocation"                                \
	}

#define CACHE(share, x, said)                                                                      \
	{                                                                                          \
		.id = "l2-cache-" #share,                                                          \
		.what = "L2 cache for " #share " % of the image against 40 %",                     \
		.profiles = "qcow2-cache", .a = "l2-coverage=40", .b = "l2-coverage=" #share,      \
		.work = {.rw = "randread"}, .rule = RULE_SIZE, .low = x, .high = x,                \
		.published = said, .setting = "20 GB, clusters of 64 KiB, SSD",                    \
		.source =                                                                          \
			"A. Garcia, Improving disk I/O performance in QEMU 2.5 with the qcow2 L2 " \
			"cache, 2015"                                                              \
	}

#define WITH "disk.backing=1 disk.content=data "
#define WITHOUT "disk.backing=0 disk.content=empty "
#define SUBC_SOURCE "A. Garcia, Add subcluster allocation to qcow2, 2019"
#define SUBC(name, base, text, bytes, words, how, x, said)                                        \
	{                                                                                         \
		.id = "subclusters-" name,                                                        \
		.what = "subclusters (extended-l2), clusters of " words ", " text                 \
			" a backing file",                                                        \
		.profiles = "qcow2-cluster",                                                      \
		.a = base "disk.cluster-size=" bytes " disk.extended-l2=off",                     \
		.b = base "disk.cluster-size=" bytes " disk.extended-l2=on",                      \
		.work = {.rw = "randwrite", .pass = "first-write"}, .rule = how, .low = x,        \
		.high = x, .published = said, .setting = "40 GiB on an SSD, 4 KiB random writes", \
		.source = SUBC_SOURCE                                                             \
	}
#define CLUSTER(name, base, from, to, text, x, said)                                              \
	{                                                                                         \
		.id = "cluster-" name, .what = text, .profiles = "qcow2-cluster",                 \
		.a = base "disk.extended-l2=off disk.cluster-size=" from,                         \
		.b = base "disk.extended-l2=off disk.cluster-size=" to,                           \
		.work = {.rw = "randwrite", .pass = "first-write"}, .rule = RULE_SIZE, .low = x,  \
		.high = x, .published = said, .setting = "40 GiB on an SSD, 4 KiB random writes", \
		.source = SUBC_SOURCE                                                             \
	}

#define CHAIN(name, from, to)                                                                        \
	{                                                                                            \
		.id = "chain-" name, .what = "chain of " to " overlays against " from,               \
		.profiles = "backing-chain", .a = "disk.backing=" from, .b = "disk.backing=" to,     \
		.rule = RULE_LESS, .low = NAN, .high = NAN,                                          \
		.published =                                                                         \
			"each layer is one more look-up with a cache of its own: keep chains short", \
		.setting = "advice, no measurement",                                                 \
		.source = "QEMU docs/interop/live-block-operations.rst and advice in general"        \
	}

static const struct claim rows[] = {
	SANGFOR("thin-metadata", "qcow2: metadata (dynamic) against thin", "thin", "metadata"),
	SANGFOR("thin-falloc", "qcow2: falloc (dynamic) against thin", "thin", "falloc"),
	SANGFOR("metadata-full", "qcow2: full (preallocated) against metadata", "metadata", "full"),
	SANGFOR("falloc-full", "qcow2: full (preallocated) against falloc", "falloc", "full"),
	{.id = "sangfor-full-raw",
	 .what = "qcow2 full (preallocated) against raw",
	 .profiles = "qcow2-modes",
	 .a = "disk.format=raw",
	 .b = QCOW2("full"),
	 .rule = RULE_BETWEEN, /* "close": what others call the price of qcow2 (Proxmox VE) */
	 .low = NAN,
	 .high = NAN,
	 .from = 0.9,
	 .to = 1.1,
	 .published = "preallocated comes close to raw",
	 .setting = SANGFOR_SETTING,
	 .source = SANGFOR_SOURCE},
	GARCIA("metadata", "qcow2: metadata (dynamic) against thin", QCOW2("thin"),
	       QCOW2("metadata"), "first-write", RULE_SIZE, 0.78, 0.95,
	       "5 % less on xfs, 22 % less on ext4 (7.8k / 8.1k, 9.1k / 11.7k IOPS)"),
	GARCIA("falloc", "qcow2: falloc (dynamic) against thin", QCOW2("thin"), QCOW2("falloc"),
	       "first-write", RULE_SAME, 0.95, 1.12,
	       "about equal: 5 % less on xfs, 12 % more on ext4 (7.7k / 8.1k, 13.1k / 11.7k IOPS)"),
	GARCIA("full", "qcow2: full (preallocated) against thin", QCOW2("thin"), QCOW2("full"),
	       "first-write", RULE_SIZE, 1.40, 5.09,
	       "five times on xfs, 40 % more on ext4 (41.4k / 8.1k, 16.4k / 11.7k IOPS)"),
	GARCIA("full-raw", "qcow2 full (preallocated) against raw, both written", "disk.format=raw",
	       QCOW2("full"), "steady", RULE_SIZE, 0.92, 0.97,
	       "3 to 8 % less (41.4k / 45.2k, 56.7k / 58.6k IOPS)"),
	GARCIA("steady-metadata", "qcow2: metadata (dynamic) against thin", QCOW2("thin"),
	       QCOW2("metadata"), "steady", RULE_SAME, NAN, NAN, CONVERGE),
	GARCIA("steady-falloc", "qcow2: falloc (dynamic) against thin", QCOW2("thin"),
	       QCOW2("falloc"), "steady", RULE_SAME, NAN, NAN, CONVERGE),
	GARCIA("steady-full", "qcow2: full (preallocated) against thin", QCOW2("thin"),
	       QCOW2("full"), "steady", RULE_SAME, NAN, NAN, CONVERGE),
	CREATE("metadata", "metadata", RULE_SIZE, 1.63, "0.51 s against 0.31 s"),
	CREATE("falloc", "falloc", RULE_LESS, 0.048, "0.015 s against 0.31 s"),
	CREATE("full", "full", RULE_SIZE, 126, "39.4 s against 0.31 s"),

	CACHE(60, 1.43, "43 % more (7.3k against 5.1k IOPS)"),
	CACHE(80, 2.49, "2.5 times (12.7k against 5.1k IOPS)"),
	CACHE(100, 12.5, "12.5 times (63.6k against 5.1k IOPS)"),
	{.id = "l2-slices-100",
	 .what = "L2 cache for 100 % of the image against 60 %",
	 .profiles = "qcow2-cache",
	 .a = "l2-coverage=60",
	 .b = "l2-coverage=100",
	 .work = {.rw = "randread"},
	 .rule = RULE_SIZE,
	 .low = 4.62,
	 .high = 4.62,
	 .published = "4.6 times (55.7k against 12.0k IOPS)",
	 .setting = "40 GiB, slices of 4 KiB, as they are now",
	 .source = "QEMU commit af39bd0d"},

	SUBC("with-16k", WITH, "with", "16384", "16k", RULE_SIZE, 1.15,
	     "15 % more (4129 against 3597 IOPS)"),
	SUBC("with-64k", WITH, "with", "65536", "64k", RULE_SIZE, 7.98,
	     "8 times (13341 against 1671 IOPS)"),
	SUBC("with-256k", WITH, "with", "262144", "256k", RULE_SIZE, 17.0,
	     "17 times (9645 against 566 IOPS)"),
	SUBC("with-2M", WITH, "with", "2097152", "2M", RULE_SIZE, 7.6,
	     "7.6 times (1630 against 214 IOPS)"),
	SUBC("without-16k", WITHOUT, "without", "16384", "16k", RULE_SIZE, 0.55,
	     "45 % less (4174 against 7598 IOPS)"),
	SUBC("without-64k", WITHOUT, "without", "65536", "64k", RULE_SAME, 1.01,
	     "equal (13516 against 13375 IOPS)"),
	SUBC("without-256k", WITHOUT, "without", "262144", "256k", RULE_SIZE, 0.85,
	     "15 % less (12071 against 14174 IOPS)"),
	SUBC("without-2M", WITHOUT, "without", "2097152", "2M", RULE_SIZE, 0.88,
	     "12 % less (12784 against 14574 IOPS)"),
	CLUSTER("with-16k", WITH, "65536", "16384",
		"clusters of 16k against 64k, with a backing file", 2.15,
		"2.2 times (3597 against 1671 IOPS)"),
	CLUSTER("with-2M", WITH, "65536", "2097152",
		"clusters of 2M against 64k, with a backing file", 0.128,
		"an eighth (214 against 1671 IOPS)"),
	CLUSTER("without-16k", WITHOUT, "65536", "16384",
		"clusters of 16k against 64k, without a backing file", 0.57,
		"43 % less (7598 against 13375 IOPS)"),
	CLUSTER("without-2M", WITHOUT, "65536", "2097152",
		"clusters of 2M against 64k, without a backing file", 1.09,
		"9 % more (14574 against 13375 IOPS)"),

	CHAIN("1", "0", "1"),
	CHAIN("4", "0", "4"),
	CHAIN("16", "0", "16"),
	CHAIN("4-16", "4", "16"),
};

const struct claim_list claims_qcow2 = {rows, sizeof(rows) / sizeof(rows[0])};
