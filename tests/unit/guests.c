// SPDX-License-Identifier: GPL-2.0-or-later
/* Keys of several guests: what they make of cells, how many guests a ratio comes to, jobs that wait
 * at a gate and a load beside them. Expected values are arithmetic by hand, and SHA-256 of nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "profile/profile.h"
#include "run/guests.h"
#include "run/trial.h"

#define GIB (1ull << 30)

static struct profile *parse(const char *guest, const char *work)
{
	char *text = xasprintf("[guest]\n%s\n[workload w]\nrw = randread\n%s\n", guest, work);
	struct profile *p = NULL;
	struct err e = {0};

	if (profile_parse(text, strlen(text), "p.ini", NULL, 0, &p, &e))
		fail_msg("%s", e.text);
	free(text);
	return p;
}

static void refused(const char *guest, const char *disk, const char *work, const char *why)
{
	char *text = xasprintf("[guest]\n%s\n[disk]\n%s\n[workload w]\nrw = randwrite\n%s\n", guest,
			       disk, work);
	struct profile *p = NULL;
	struct err e = {0};

	assert_int_not_equal(profile_parse(text, strlen(text), "p.ini", NULL, 0, &p, &e), 0);
	if (!strstr(e.text, why))
		fail_msg("got: %s", e.text);
	free(text);
}

/* A cell of defaults is the hash of no key at all: e3b0c442... is SHA-256 of "". */
static void old_cells_keep_their_ids(void **state)
{
	struct profile *p = parse("vcpus = 2", ""), *q = parse("count = 1", "cpu-load = 0");

	(void)state;
	assert_string_equal(p->cells[0].id, "e3b0c44298fc1c14");
	assert_string_equal(q->cells[0].id, "e3b0c44298fc1c14");
	assert_string_equal(p->workloads[0].id, q->workloads[0].id);
	assert_false(cell_counts_guests(&p->cells[0]));
	assert_int_equal(run_guests(&p->cells[0]), 1);
	profile_free(p);
	profile_free(q);
}

static void an_axis_with_labels(void **state)
{
	struct profile *p = parse("count = 1, 2, 4", "");

	(void)state;
	assert_int_equal(p->ncells, 3);
	assert_string_equal(p->cells[0].label, "1 guest");
	assert_string_equal(p->cells[2].label, "4 guests");
	assert_int_equal(guests_of(&p->cells[2], 1), 4);
	assert_true(cell_counts_guests(&p->cells[2]));
	profile_free(p);
}

/* A ratio takes the place of a number, and is written as people do. */
static void a_ratio(void **state)
{
	struct profile *p = parse("overcommit = 0.5, 1.0, 2, 1.50\ncount = 3\nvcpus = 2", "");
	const struct cell *c = p->cells;

	(void)state;
	assert_int_equal(p->ncells, 4);
	assert_string_equal(c[1].label, "overcommit=1");
	assert_string_equal(c[3].label, "overcommit=1.5");
	assert_null(cell_get(&c[0], K_GUESTS));
	assert_float_equal(cell_overcommit(&c[3]), 1.5, 1e-12);
	/* of 8 CPUs and 2 vCPUs each: 0.5 is 4 vCPUs, 2 guests; 1.5 is 12 vCPUs, 6 guests */
	assert_int_equal(guests_of(&c[0], 8), 2);
	assert_int_equal(guests_of(&c[1], 8), 4);
	assert_int_equal(guests_of(&c[3], 8), 6);
	/* of 2 CPUs 0.5 is half a guest, 1.5 one and a half */
	assert_int_equal(guests_of(&c[0], 2), 0);
	assert_int_equal(guests_of(&c[3], 2), 0);
	assert_int_equal(guests_of(&c[2], 2), 2);
	profile_free(p);
}

/* On 2 CPUs the ready profile's ratios are 1, 2, 3, 4, 6 and 8 guests of one vCPU. */
static void the_ready_profile(void **state)
{
	static const unsigned want[] = {1, 2, 3, 4, 6, 8};
	struct profile *p = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(profile_load("profiles/overcommit.ini", NULL, 0, &p, &e), 0);
	assert_int_equal(p->ncells, 6);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(guests_of(&p->cells[i], 2), want[i]);
		assert_null(guests_unable(&p->cells[i], 2, 8 * GIB));
	}
	profile_free(p);
}

static void says_what_this_host_cannot_have(void **state)
{
	struct profile *p = parse("overcommit = 1\nvcpus = 2\nmemory = 1G", "");
	struct profile *q = parse("count = 1, 4\nmemory = 1G", "");
	char *why = guests_unable(&p->cells[0], 3, UINT64_MAX);

	(void)state;
	assert_non_null(strstr(why, "no whole number of guests of 2 vCPUs"));
	free(why);
	/* 200 CPUs would be 100 guests */
	why = guests_unable(&p->cells[0], 200, UINT64_MAX);
	assert_non_null(strstr(why, "100 guests at once, and at most 64"));
	free(why);
	/* four of 1 GiB and 64 MiB, and 256 MiB that stay free: 4.5 GiB */
	assert_null(guests_unable(&q->cells[1], 2, 9 * GIB / 2));
	why = guests_unable(&q->cells[1], 2, 9 * GIB / 2 - 1);
	assert_non_null(strstr(why, "lower guest.memory"));
	free(why);
	/* one guest is the run's own check */
	assert_null(guests_unable(&q->cells[0], 2, GIB / 2));
	assert_null(guests_unable(&q->cells[1], 2, UINT64_MAX));
	profile_free(p);
	profile_free(q);
}

static void what_cannot_be(void **state)
{
	(void)state;
	refused("count = 0", "", "", "out of range");
	refused("count = 65", "", "", "out of range");
	refused("overcommit = -1", "", "", "not a ratio");
	refused("overcommit = 0.001", "", "", "must be from 0.01 to 64");
	refused("overcommit = lots", "", "", "or none");
	refused("count = 2", "backend = block\ndevice = /dev/null0", "", "one guest's disk");
	refused("", "", "cpu-load = 101", "out of range");
	refused("", "", "cpu-load = 20\nverify = md5", "verifying is not for figures");
	refused("site = host", "driver = none", "cpu-load = 20", "there are none");
}

/* ---- jobs ---- */

static const char *after(const char *text, const char *section)
{
	const char *at = strstr(text, section);

	if (!at)
		fail_msg("no %s in %s", section, text);
	return at;
}

static void a_load_of_its_own_group(void **state)
{
	struct profile *p = parse("vcpus = 3", "cpu-load = 20\nrate = 100iops");
	char *job = workload_fio_job(&p->workloads[0], &p->cells[0], "/dev/vda", NULL, 1);
	const char *load = after(job, "\n[cpu-load]\n");

	(void)state;
	assert_true(load > after(job, "\n[vbench-w]\n"));
	after(load, "\nnew_group=1\n");
	after(load, "\nioengine=cpuio\n");
	after(load, "\ncpuload=20\n");
	after(load, "\nnumjobs=3\n");
	/* else it would be slowed down as the I/O is */
	after(load, "\nrate_iops=0\n");
	assert_int_equal(workload_jobs(&p->workloads[0], &p->cells[0]), 1);
	assert_int_equal(workload_threads(&p->workloads[0], &p->cells[0]), 4);
	free(job);
	profile_free(p);
}

static void no_load_no_section(void **state)
{
	struct profile *p = parse("vcpus = 3", "");
	char *job = workload_fio_job(&p->workloads[0], &p->cells[0], "/dev/vda", NULL, 1);

	(void)state;
	assert_null(strstr(job, "cpu"));
	assert_null(strstr(job, "exec_prerun"));
	free(job);
	profile_free(p);
}

/* All threads wait: it stands in [global], before anything that would name a section. */
static void a_gate_for_all(void **state)
{
	struct profile *p = parse("vcpus = 2", "cpu-load = 50");
	char *one[] = {(char *)"/dev/vda", NULL},
	     *two[] = {(char *)"/dev/vda", (char *)"/dev/vdb", NULL};
	char *job = workload_fio_job_gated(&p->workloads[0], &p->cells[0], one, 1, 1);
	char *jobs = workload_fio_job_gated(&p->workloads[0], &p->cells[0], two, 2, 1);

	(void)state;
	assert_memory_equal(job, "[global]\nexec_prerun=gate\n", 26);
	assert_memory_equal(jobs, "[global]\nexec_prerun=gate\n", 26);
	after(jobs, "\n[vbench-w-1]\n");
	assert_null(strstr(after(job, "[vbench-w]"), "[global]"));
	free(job);
	free(jobs);
	profile_free(p);
}

/* Seen: a guest whose kernel took the TSC for 30 times slower than it is counted 16.008 s in 0.486
 * s. */
static void a_clock_that_is_too_fast(void **state)
{
	(void)state;
	assert_true(trial_clock_wrong(16008000000, 486000000));
	assert_true(trial_clock_wrong(1100000000, 1000000000));
	assert_false(trial_clock_wrong(1155000000, 1252000000));
	assert_false(trial_clock_wrong(1000000000, 1000000000));
	assert_false(trial_clock_wrong(1005000000, 1000000000)); /* slewed */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_cells_keep_their_ids),
		cmocka_unit_test(an_axis_with_labels),
		cmocka_unit_test(a_ratio),
		cmocka_unit_test(the_ready_profile),
		cmocka_unit_test(says_what_this_host_cannot_have),
		cmocka_unit_test(what_cannot_be),
		cmocka_unit_test(a_load_of_its_own_group),
		cmocka_unit_test(no_load_no_section),
		cmocka_unit_test(a_gate_for_all),
		cmocka_unit_test(a_clock_that_is_too_fast),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
