// SPDX-License-Identifier: GPL-2.0-or-later
/* Sets of rules that can be asked for by name. */
#include "tuner/audit.h"

/* oVirt's list, in the order of its page; what the catalogue has already is asked in its words. */
static const char *const ovirt_hp[] = {
	"OVH-01", "OVH-02", "OVH-03", "OVH-04",	 "OVH-05", "OVH-06", "OVH-07", "OVH-08",
	"OVH-09", "OVH-10", "OVH-11", "OVH-12",	 "OVH-13", "OVH-14", "OVH-15", "CPU-03",
	"CPU-07", "CPU-10", "CPU-11", "NUMA-02", "MEM-01", "BLK-05", NULL,
};

/* What costs data, or does not do what it says. */
static const char *const safety[] = {
	"BLK-18", "BLK-19", "BLK-20", "BLK-21", "BLK-27", "BLK-30",
	"IMG-01", "IMG-11", "IMG-15", "IMG-20", NULL,
};

static const char *const disks[] = {
	"BLK-01", "BLK-02", "BLK-03", "BLK-04", "BLK-05", "BLK-06", "BLK-07", "BLK-08", "BLK-09",
	"BLK-10", "BLK-11", "BLK-12", "BLK-13", "BLK-14", "BLK-15", "BLK-16", "BLK-17", "BLK-18",
	"BLK-19", "BLK-20", "BLK-21", "BLK-22", "BLK-23", "BLK-24", "BLK-25", "BLK-26", "BLK-27",
	"BLK-28", "BLK-29", "BLK-30", "BLK-31", "BLK-32", "BLK-33", "BLK-34", "BLK-35", "BLK-36",
	"IMG-01", "IMG-02", "IMG-03", "IMG-04", "IMG-05", "IMG-06", "IMG-07", "IMG-08", "IMG-09",
	"IMG-10", "IMG-11", "IMG-12", "IMG-13", "IMG-14", "IMG-15", "IMG-16", "IMG-17", "IMG-18",
	"IMG-19", "IMG-20", NULL,
};

static const char *const migration[] = {
	"NET-04", "MIG-01", "MIG-02", "MIG-03", "MIG-04", "MIG-05", "MIG-06", "MIG-07",
	"MIG-08", "MIG-09", "MIG-10", "MIG-11", "MIG-12", "MIG-13", "MIG-14", "MIG-15",
	"MIG-16", "MIG-17", "MIG-18", "MIG-19", "MIG-20", NULL,
};

const struct rule_set rule_sets[] = {
	{"all", "every rule but those of a set of their own (OVH)", NULL, NULL},
	{"ovirt-hp", "what oVirt sets and asks for in a high-performance VM",
	 "https://www.ovirt.org/develop/release-management/features/virt/high-performance-vm.html",
	 ovirt_hp},
	{"safety", "what costs data or does not do what it says", NULL, safety},
	{"disks", "block devices and images", NULL, disks},
	{"migration", "live migration; say --for migration beside it", NULL, migration},
	{NULL, NULL, NULL, NULL},
};
