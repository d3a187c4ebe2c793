/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Axes to cells: order, labels, ids, and what is skipped or folded. Counts are by hand; ids are the
 * first 16 digits of sha256sum(1) over the lines shown, as in: printf 'disk.bus=nvme\n' | sha256sum
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "profile/profile.h"

#define WORKLOAD "[workload w]\nrw = randread\n"

static struct profile *good(const char *text)
{
	struct profile *p = NULL;
	struct err e = {0};

	if (profile_parse(text, strlen(text), "t.ini", NULL, 0, &p, &e))
		print_error("%s\n", e.text);
	assert_non_null(p);
	return p;
}

static void ids_are_sha256_of_what_differs(void **state)
{
	static const struct {
		const char *text, *id;
	} rows[] = {
		/* printf '' */
		{WORKLOAD, "e3b0c44298fc1c14"},
		/* a default that is written out changes nothing */
		{"[disk]\nbus = virtio-blk\nsize = 1024M\n" WORKLOAD, "e3b0c44298fc1c14"},
		/* nor does a key that means nothing */
		{"[disk]\nformat = raw\nmode = full\n" WORKLOAD, "e3b0c44298fc1c14"},
		/* printf 'disk.bus=nvme\n' */
		{"[disk]\nbus = nvme\n" WORKLOAD, "f90363af58940d80"},
		/* printf 'disk.format=qcow2\n' */
		{"[disk]\nformat = qcow2\n" WORKLOAD, "00f8b7cf7d35d430"},
		/* printf
		   'disk.bus=virtio-scsi\ndisk.format=qcow2\ndisk.mode=full\ndisk.ring=packed\n' */
		{"[disk]\nring = packed\nmode = prealloc\nformat = qcow2\nbus = virtio-scsi\n" WORKLOAD,
		 "f10696913058c25d"},
		/* printf 'disk.blockdev.detect-zeroes=on\ndisk.size=67108864\nguest.vcpus=4\n' */
		{"[guest]\nvcpus = 4\n[disk]\nsize = 64M\nblockdev.detect-zeroes = on\n" WORKLOAD,
		 "d36ffff7f4418af0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct profile *p = good(rows[i].text);

		assert_int_equal(p->ncells, 1);
		assert_string_equal(p->cells[0].id, rows[i].id);
		profile_free(p);
	}
}

static void workload_ids_leave_the_name_out(void **state)
{
	/* printf 'workload.bs=8192\nworkload.fio.bssplit=4k/50:8k/50\n' */
	struct profile *p =
		good("[workload a]\nbs = 8k\nfio.bssplit = 4k/50:8k/50\n"
		     "[workload b]\nfio.bssplit = 4k/50:8k/50\nbs = 8192\n[workload c]\n");

	(void)state;
	assert_string_equal(p->workloads[0].id, "cc052909d1de5f66");
	assert_string_equal(p->workloads[1].id, "cc052909d1de5f66");
	assert_string_equal(p->workloads[2].id, "e3b0c44298fc1c14");
	profile_free(p);
}

static void combinations_come_in_profile_order(void **state)
{
	static const char *const labels[] = {
		"packed virtio-scsi",
		"packed virtio-blk",
		"split virtio-scsi",
		"split virtio-blk",
	};
	struct profile *p =
		good("[disk]\nring = packed, split\nbus = virtio-scsi, virtio-blk\n" WORKLOAD);

	(void)state;
	assert_int_equal(p->naxes, 2);
	assert_string_equal(p->axes[0].key, "disk.ring");
	assert_string_equal(p->axes[1].values[1], "virtio-blk");
	assert_int_equal(p->ncells, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_string_equal(p->cells[i].label, labels[i]);
		assert_int_equal(p->cells[i].index, i);
	}
	assert_int_equal(p->nskipped, 0);
	profile_free(p);
}

/* By label or id; of an axis what is left over varies, or it is none. */
static void some_cells_only(void **state)
{
	struct profile *all =
		good("[disk]\nring = packed, split\nbus = virtio-scsi, virtio-blk\n" WORKLOAD);
	char *text = xasprintf("[disk]\nring = packed, split\nbus = virtio-scsi, virtio-blk\n"
			       "[run]\nonly = split virtio-blk , %s\n" WORKLOAD,
			       all->cells[2].id);
	struct profile *p = good(text);

	(void)state;
	assert_int_equal(p->ncells, 2);
	assert_string_equal(p->cells[0].label, "split virtio-scsi");
	assert_string_equal(p->cells[1].label, "split virtio-blk");
	assert_string_equal(p->cells[1].id, all->cells[3].id);
	assert_int_equal(p->cells[1].index, 1);
	assert_int_equal(p->naxes, 1);
	assert_string_equal(p->axes[0].key, "disk.bus");
	assert_int_equal(p->nskipped, 1);
	assert_string_equal(p->skipped[0].what, "2 cells");
	profile_free(p);
	profile_free(all);
	free(text);
}

/* 3 buses x 2 rings x 2 formats x 2 modes = 24; nvme loses the ring, raw the mode: 2*2*(1+2) +
 * 1*(1+2) = 15 */
static void what_means_nothing_is_folded_and_told(void **state)
{
	struct profile *p =
		good("[disk]\nbus = virtio-blk, virtio-scsi, nvme\nring = split, packed\n"
		     "format = raw, qcow2\nmode = thin, full\n" WORKLOAD);
	unsigned folded = 0;
	size_t told = 0;

	(void)state;
	assert_int_equal(p->ncells, 15);
	for (size_t i = 0; i < p->nskipped; i++) {
		const char *n = strchr(p->skipped[i].what, '(');

		assert_true(p->skipped[i].folded);
		assert_non_null(n);
		folded += (unsigned)atoi(n + 1);
		told += strstr(p->skipped[i].reason, "nvme has no virtio ring") != NULL;
		told += strstr(p->skipped[i].reason, "a raw image has no qcow2") != NULL;
	}
	assert_int_equal(folded, 24 - 15);
	assert_true(told >= 2);
	for (size_t i = 0; i < p->ncells; i++) {
		const struct cell *c = &p->cells[i];

		assert_true((cell_get(c, K_RING) == NULL) == !strcmp(cell_get(c, K_BUS), "nvme"));
		assert_true((cell_get(c, K_MODE) == NULL) == !strcmp(cell_get(c, K_FORMAT), "raw"));
		for (size_t k = 0; k < i; k++) {
			assert_string_not_equal(c->id, p->cells[k].id);
			assert_string_not_equal(c->label, p->cells[k].label);
		}
	}
	profile_free(p);
}

/* 2 aio x 5 caches = 10; native stands only with none and directsync: 3 of 10 cannot be */
static void what_cannot_be_is_skipped_with_its_reason(void **state)
{
	struct profile *p =
		good("[disk]\naio = io_uring, native\n"
		     "cache = none, writeback, writethrough, directsync, unsafe\n" WORKLOAD);

	(void)state;
	assert_int_equal(p->ncells, 7);
	assert_int_equal(p->nskipped, 1);
	assert_false(p->skipped[0].folded);
	assert_string_equal(p->skipped[0].what,
			    "aio=native cache=writeback|writethrough|unsafe (3 combinations)");
	assert_non_null(strstr(p->skipped[0].reason, "O_DIRECT"));
	profile_free(p);
}

static void more_queues_than_vcpus_are_skipped(void **state)
{
	struct profile *p = good("[guest]\nvcpus = 2, 4\n[disk]\nqueues = 1, 2, 4\n" WORKLOAD);

	(void)state;
	assert_int_equal(p->ncells, 5);
	assert_string_equal(p->skipped[0].what, "vcpus=2 queues=4 (1 combination)");
	assert_string_equal(p->cells[4].label, "vcpus=4 queues=4");
	profile_free(p);
}

static void one_that_was_written_for_nothing_is_told(void **state)
{
	struct profile *p = good("[disk]\nbus = nvme\nring = packed\n" WORKLOAD);

	(void)state;
	assert_int_equal(p->ncells, 1);
	assert_int_equal(p->nskipped, 1);
	assert_string_equal(p->skipped[0].what, "ring=packed");
	assert_non_null(strstr(p->skipped[0].reason, "nvme has no virtio ring"));
	profile_free(p);
}

static void a_null_back_end_has_no_image(void **state)
{
	struct profile *p = good(
		"[disk]\nbackend = file, null\nlatency = 0, 1ms\ncache = none, writeback\n" WORKLOAD);

	(void)state;
	/* file: 2 caches; null: 2 latencies */
	assert_int_equal(p->ncells, 4);
	assert_string_equal(p->cells[2].label, "backend=null latency=0s");
	assert_string_equal(p->cells[3].label, "backend=null latency=1ms");
	assert_null(cell_get(&p->cells[2], K_CACHE));
	assert_null(cell_get(&p->cells[2], K_FORMAT));
	assert_null(cell_get(&p->cells[2], K_AIO));
	assert_null(cell_get(&p->cells[0], K_LATENCY));
	profile_free(p);
}

static void pass_through_may_be_an_axis(void **state)
{
	struct profile *p =
		good("[disk]\nformat = qcow2\nblockdev.l2-cache-size = 1M, 4M\n" WORKLOAD);

	(void)state;
	assert_int_equal(p->ncells, 2);
	assert_string_equal(p->axes[0].key, "disk.blockdev.l2-cache-size");
	assert_null(p->axes[0].row);
	assert_string_equal(p->cells[1].label, "l2-cache-size=4M");
	assert_string_equal(p->cells[1].extras[0].value, "4M");
	profile_free(p);
}

static void cpu_features_stay_with_their_model(void **state)
{
	struct profile *p = good(
		"[guest]\ncpu = max,+avx2,-x2apic, qemu64, host,migratable=off\naccel = kvm\n" WORKLOAD);

	(void)state;
	assert_int_equal(p->ncells, 3);
	assert_string_equal(cell_get(&p->cells[0], K_CPU), "max,+avx2,-x2apic");
	assert_string_equal(cell_get(&p->cells[2], K_CPU), "host,migratable=off");
	profile_free(p);
}

static void too_many_cells_are_refused(void **state)
{
	/* 5000 combinations by 10 x 10 x 10 x 5 */
	static const char text[] =
		"[guest]\nvcpus = 1,2,3,4,5,6,7,8,9,10\nmemory = 128M,129M,130M,131M,132M,133M,134M,135M,136M,137M\n"
		"[disk]\nsize = 1M,2M,3M,4M,5M,6M,7M,8M,9M,10M\n"
		"cache = none, writeback, writethrough, directsync, unsafe\n" WORKLOAD;
	struct profile *p;
	struct err e = {0};

	(void)state;
	assert_int_equal(profile_parse(text, sizeof(text) - 1, "t.ini", NULL, 0, &p, &e), -EINVAL);
	assert_non_null(strstr(e.text, "more than 4096 combinations"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_sha256_of_what_differs),
		cmocka_unit_test(workload_ids_leave_the_name_out),
		cmocka_unit_test(combinations_come_in_profile_order),
		cmocka_unit_test(some_cells_only),
		cmocka_unit_test(what_means_nothing_is_folded_and_told),
		cmocka_unit_test(what_cannot_be_is_skipped_with_its_reason),
		cmocka_unit_test(more_queues_than_vcpus_are_skipped),
		cmocka_unit_test(one_that_was_written_for_nothing_is_told),
		cmocka_unit_test(a_null_back_end_has_no_image),
		cmocka_unit_test(pass_through_may_be_an_axis),
		cmocka_unit_test(cpu_features_stay_with_their_model),
		cmocka_unit_test(too_many_cells_are_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
