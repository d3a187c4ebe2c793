/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What vbench-vhost-blk was asked for on its command line. */
#ifndef VB_ENGINES_VHOST_BLK_H
#define VB_ENGINES_VHOST_BLK_H

#include <sched.h>
#include "engines/worker.h"

#define VHOST_BLK "vbench-vhost-blk"

struct args {
	const char *socket, *report;
	int fd, listen_fd;
	unsigned places; /* how many of the three were named */
	bool once, help, version, kind_given;
	unsigned max_size;
	struct blkdev_opts disk;
	enum ring_wait wait;
	uint64_t poll_ns;
	int cpus[CPU_SETSIZE];
	unsigned ncpus;
};

extern const char args_usage[];
/* Names of enum ring_wait and of enum blk_kind, NULL at the end. */
extern const char *const args_waits[], *const args_kinds[];

/* 0, with help or version set when that is all that is wanted; or -EINVAL with a sentence. Strings
 * stay argv's. */
int args_parse(int argc, char **argv, struct args *a, struct err *e);

#endif
