/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was published of ring layouts and indirect descriptors, in our own words. */
#include <math.h>
#include "analysis/claims.h"

#define PROFILES "ring ladder"

#define PACKED                                                                             \
	.what = "packed against split ring", .profiles = PROFILES, .a = "disk.ring=split", \
	.b = "disk.ring=packed"
#define INDIRECT                                                                        \
	.what = "indirect descriptors", .profiles = PROFILES, .a = "disk.indirect=off", \
	.b = "disk.indirect=on"

static const struct claim rows[] = {
	{.id = "packed-dpdk-2018",
	 PACKED,
	 .rule = RULE_SIZE,
	 .low = 0.96,
	 .high = 0.97,
	 .published = "3 to 4 % fewer packets (13 % without mergeable buffers)",
	 .setting = "first implementation for network packets, no disk",
	 .source = "DPDK mailing list, 2018"},
	{.id = "packed-firecracker",
	 PACKED,
	 .rule = RULE_SIZE,
	 .low = 1.02,
	 .high = 1.02,
	 .published = "about 2 % more",
	 .setting = "a software device in a virtual machine monitor",
	 .source = "Firecracker issue 2477"},
	{.id = "packed-vhost-lwn",
	 PACKED,
	 .rule = RULE_SIZE,
	 .low = 1.02,
	 .high = 1.02,
	 .published = "about 2 % more",
	 .setting = "vhost in the kernel, network packets",
	 .source = "LWN's summary of the vhost patches"},
	{.id = "packed-hardware",
	 PACKED,
	 .rule = RULE_NONE,
	 .low = NAN,
	 .high = NAN,
	 .published = "helps devices in hardware; little is expected of software",
	 .setting = "software back ends in general",
	 .source = "rust-vmm, discussion of packed rings"},
	{.id = "indirect-dpdk",
	 INDIRECT,
	 .rule = RULE_SIZE,
	 .low = 0.96,
	 .high = 0.99,
	 .published =
		 "1 to 4 % fewer packets in micro-benchmarks (50 % more before the first loss)",
	 .setting = "network packets, no disk",
	 .source = "DPDK mailing list"},
	{.id = "indirect-cloud-hypervisor",
	 INDIRECT,
	 .work = {.min_bs = 262144},
	 .rule = RULE_SIZE,
	 .low = 1.14,
	 .high = 1.14,
	 .published = "14 % more (2888 to 3293 MiB/s)",
	 .setting = "sequential writes of 256 KiB, 64 in flight",
	 .source = "cloud-hypervisor pull request"},
};

const struct claim_list claims_ring = {rows, sizeof(rows) / sizeof(rows[0])};
