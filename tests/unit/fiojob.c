/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Workloads as fio job files. Expected lines are from fio's HOWTO ("Job file parameters"), written
 * by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "profile/profile.h"

static struct profile *parse(const char *text)
{
	struct profile *p = NULL;
	struct err e = {0};

	if (profile_parse(text, strlen(text), "t.ini", NULL, 0, &p, &e))
		print_error("%s\n", e.text);
	assert_non_null(p);
	return p;
}

/* The whole line, somewhere. */
static bool has(const char *job, const char *line)
{
	size_t n = strlen(line);

	for (const char *at = strstr(job, line); at; at = strstr(at + 1, line))
		if ((at == job || at[-1] == '\n') && at[n] == '\n')
			return true;
	return false;
}

static void assert_lines(const char *job, const char *const *lines)
{
	for (; *lines; lines++) {
		if (!has(job, *lines))
			print_error("no line \"%s\" in\n%s", *lines, job);
		assert_true(has(job, *lines));
	}
}

static void a_workload_becomes_a_job(void **state)
{
	static const char *const lines[] = {
		"[global]",
		"filename=/dev/vda",
		"thread=1",
		"group_reporting=1",
		"randseed=77",
		"lat_percentiles=1",
		"percentile_list=50:99:99.9",
		"ioengine=libaio",
		"direct=1",
		"rw=randrw",
		"bs=8192",
		"iodepth=16",
		"numjobs=4",
		"time_based=1",
		"runtime=1500ms",
		"ramp_time=200us",
		"rate_iops=1000",
		"size=1048576",
		"fsync=32",
		"fdatasync=8",
		"verify=crc32c",
		"rwmixread=70",
		"[vbench-mix]",
		NULL,
	};
	struct profile *p = parse(
		"[workload mix]\nrw = randrw\nioengine = libaio\nbs = 8k\niodepth = 16\nnumjobs = 4\n"
		"runtime = 1.5s\nramp = 200us\nrate = 1000iops\nsize = 1M\nfsync = 32\nfdatasync = 8\n"
		"verify = crc32c\nfio.rwmixread = 70\n");
	char *job = workload_fio_job(&p->workloads[0], &p->cells[0], "/dev/vda", NULL, 77);

	(void)state;
	assert_non_null(job);
	assert_lines(job, lines);
	free(job);
	profile_free(p);
}

static void what_is_off_is_not_in_the_job(void **state)
{
	static const char *const words[] = {"rate",   "\nsize",	   "sync",
					    "verify", "ramp_time", "randrepeat"};
	struct profile *p =
		parse("[workload w]\nramp = 0\ndirect = off\nrate = none\nsize = all\n");
	char *job = workload_fio_job(&p->workloads[0], &p->cells[0], "/dev/sda", NULL, 1);

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_null(strstr(job, words[i]));
	assert_true(has(job, "direct=0"));
	free(job);
	profile_free(p);
}

static void a_rate_in_bytes_is_one_of_bytes(void **state)
{
	struct profile *p = parse("[workload w]\nrate = 10M\n");
	char *job = workload_fio_job(&p->workloads[0], &p->cells[0], "/dev/sda", NULL, 1);

	(void)state;
	assert_true(has(job, "rate=10485760"));
	assert_null(strstr(job, "rate_iops"));
	free(job);
	profile_free(p);
}

/*
 * fio's init.c: seeds are randseed times the number of the job, so 0 would make them all alike, and
 * it parses the number as signed. Its sections that begin with "global" are no jobs (HOWTO, "Job
 * file format").
 */
static void traps_of_fio_are_stepped_around(void **state)
{
	struct profile *p = parse("[workload global]\nrw = read\n");
	char *zero = workload_fio_job(&p->workloads[0], &p->cells[0], "/dev/sda", NULL, 0);
	char *large =
		workload_fio_job(&p->workloads[0], &p->cells[0], "/dev/sda", NULL, UINT64_MAX);

	(void)state;
	assert_true(has(zero, "randseed=1"));
	assert_true(has(large, "randseed=9223372036854775807"));
	assert_true(has(zero, "[vbench-global]"));
	free(zero);
	free(large);
	profile_free(p);
}

static void pass_through_comes_last_of_the_options(void **state)
{
	struct profile *p = parse("[workload w]\nfio.percentile_list = 90:99\n");
	char *job = workload_fio_job(&p->workloads[0], &p->cells[0], "/dev/sda", NULL, 1);
	const char *ours = strstr(job, "percentile_list=50"),
		   *theirs = strstr(job, "percentile_list=90:99");

	(void)state;
	assert_true(ours && theirs && ours < theirs);
	assert_true(theirs < strstr(job, "[vbench-w]"));
	free(job);
	profile_free(p);
}

/* fio takes the last of two: what a cell is made of is never the workload's to change. */
static void a_sites_engine_has_the_last_word(void **state)
{
	struct profile *p = parse("[workload w]\nfio.nice = 5\n");
	char *job = workload_fio_job(&p->workloads[0], &p->cells[0], NULL,
				     "ioengine=external:/x.so\nring=packed\n", 1);

	(void)state;
	assert_non_null(strstr(job, "nice=5\nioengine=external:/x.so\nring=packed\n\n[vbench-w]"));
	assert_null(strstr(job, "filename="));
	free(job);
	profile_free(p);
}

static void the_fill_job_writes_all_once(void **state)
{
	static const char *const lines[] = {
		"rw=write", "bs=1048576", "direct=1", "refill_buffers=1", "filename=/dev/nvme0n1",
		NULL};
	struct profile *p = parse("[workload w]\nrw = read\n");
	char *job = precondition_fio_job(&p->cells[0], "/dev/nvme0n1", 5);

	(void)state;
	assert_lines(job, lines);
	assert_null(strstr(job, "time_based"));
	assert_null(strstr(job, "runtime"));
	assert_null(strstr(job, "\nsize"));
	free(job);
	profile_free(p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_workload_becomes_a_job),
		cmocka_unit_test(what_is_off_is_not_in_the_job),
		cmocka_unit_test(a_rate_in_bytes_is_one_of_bytes),
		cmocka_unit_test(traps_of_fio_are_stepped_around),
		cmocka_unit_test(pass_through_comes_last_of_the_options),
		cmocka_unit_test(a_sites_engine_has_the_last_word),
		cmocka_unit_test(the_fill_job_writes_all_once),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
