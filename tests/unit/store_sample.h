/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A run with known content, and a folder of its own for each store test. Values are arbitrary, but
 * chosen by hand. */
#ifndef VB_TESTS_STORE_SAMPLE_H
#define VB_TESTS_STORE_SAMPLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/file.h"
#include "store/db.h"

#define UUID_A "aaaa1111-0000-4000-8000-000000000001"
#define UUID_B "aaaa2222-0000-4000-8000-000000000002"
#define UUID_C "bbbb3333-0000-4000-8000-000000000003"
#define BEGUN 1700000000000000000ll /* 2023-11-14 22:13:20 UTC, in ns */
#define CELL_1 "00000000000000c1"
#define CELL_2 "00000000000000c2"

/* Aborts the test with the sentence when rc is not what is wanted. */
#define expect_rc(call, want, e)                                                              \
	do {                                                                                  \
		int got_ = (call);                                                            \
		if (got_ != (want))                                                           \
			fail_msg("%s: %d instead of %d: %s", #call, got_, (want), (e)->text); \
	} while (0)

static inline int folder_setup(void **state)
{
	char *dir = strdup("/tmp/vbench-store-XXXXXX");

	*state = dir;
	return mkdtemp(dir) ? 0 : -1;
}

static inline int folder_teardown(void **state)
{
	int rc = dir_remove(*state, NULL);

	free(*state);
	return rc;
}

static inline char *in_folder(void **state, const char *name)
{
	return xasprintf("%s/%s", (char *)*state, name);
}

static inline struct store_run sample_run(const char *uuid, const char *label, int64_t begun)
{
	struct store_run r = {
		.host_id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		.label = (char *)label,
		.profile_name = (char *)"quick",
		.profile_text = (char *)"[disk]\nbus = virtio-blk, nvme\n# \xff stays\n",
		.sets_json = (char *)"[\"disk.bus=nvme\"]",
		.command = (char *)"vbench run quick",
		.version = (char *)"0.1",
		.host_json = (char *)"{\"kernel\":\"6.1\"}",
		.axes_json =
			(char *)"[{\"key\":\"disk.bus\",\"values\":[\"virtio-blk\",\"nvme\"]}]",
		.skipped_json = (char *)"[]",
		.primary_json = (char *)"{\"randread\":\"read.iops\"}",
		.meta_json =
			(char *)"{\"title\":\"Quick\",\"accels\":[{\"accel\":\"tcg\",\"reason\":\"\"},{\"accel\":\"tcg\"}]}",
		.seed = 0xfedcba9876543210ull,
		.blocks = 3,
		.trials = 6,
		.begun = begun,
		.status = (char *)"running",
	};

	snprintf(r.uuid, sizeof(r.uuid), "%s", uuid);
	return r;
}

static const struct store_cell sample_cells[2] = {
	{CELL_1, 0, (char *)"virtio-blk",
	 (char *)"{\"disk.bus\":\"virtio-blk\",\"disk.mode\":null}"},
	{CELL_2, 1, (char *)"nvme", (char *)"{\"disk.bus\":\"nvme\",\"disk.mode\":null}"},
};

static const struct store_workload sample_workloads[1] = {
	{(char *)"randread", "00000000000000w1", 0, (char *)"{\"workload.rw\":\"randread\"}",
	 (char *)"randread 4k, QD 8, 700 ms"},
};

static inline void begin_run(struct store *s, const char *uuid, const char *label, int64_t begun,
			     const char *folder)
{
	struct store_run r = sample_run(uuid, label, begun);
	struct err e = {0};

	r.folder = (char *)folder;
	expect_rc(store_run_begin(s, &r, sample_cells, 2, sample_workloads, 1, &e), 0, &e);
}

/* Good when seq is even or fail is false; two samples and two checks each. */
static inline int put_trial_rc(struct store *s, const char *uuid, unsigned seq, bool fail,
			       struct err *e)
{
	struct store_sample samples[2] = {{"read.iops", 1000.5 + seq}, {"read.lat.p99", 2e6 + seq}};
	struct store_check checks[2] = {
		{(char *)"disk.ring", (char *)"packed", (char *)"packed", (char *)"guest features",
		 0},
		{(char *)"disk.aio", (char *)"native", NULL, (char *)"aio-nr", 2},
	};
	char folder[32];
	struct store_trial t = {
		.seq = seq,
		.block = seq / 2,
		.place = seq % 2,
		.workload = (char *)"randread",
		.site = (char *)"small guest",
		.fresh = true,
		.template_id = "template-7",
		.randseed = 0xffffffffffffffffull - seq,
		.ok = !fail,
		.cause = fail ? (char *)"qemu" : NULL,
		.detail = fail ? (char *)"QEMU was killed by SIGSEGV\nconsole: \x1b[31mbye" : NULL,
		.begun = BEGUN + seq,
		.ended = BEGUN + seq + 700000000,
		.phases_json = (char *)"{\"open_ns\":200000000}",
		.noise_json = (char *)"{\"steal\":0.01}",
		.facts_json = (char *)"{\"disk\":{\"queues\":2}}",
		.folder = folder,
		.samples = samples,
		.nsamples = 2,
		.checks = checks,
		.nchecks = 2,
	};

	snprintf(folder, sizeof(folder), "trials/%u", seq);
	snprintf(t.cell, sizeof(t.cell), "%s", seq % 2 ? CELL_2 : CELL_1);
	return store_trial_put(s, uuid, &t, e);
}

static inline void put_trial(struct store *s, const char *uuid, unsigned seq, bool fail)
{
	struct err e = {0};

	expect_rc(put_trial_rc(s, uuid, seq, fail, &e), 0, &e);
}

static inline struct store *open_store(const char *path)
{
	struct store *s = NULL;
	struct err e = {0};

	expect_rc(store_open(path, true, &s, &e), 0, &e);
	return s;
}

static inline size_t count_trials(struct store *s, const char *uuid)
{
	struct store_trial *t = NULL;
	struct err e = {0};
	size_t n = 0;

	expect_rc(store_trials(s, uuid, &t, &n, &e), 0, &e);
	store_trials_free(t, n);
	return n;
}

#endif
