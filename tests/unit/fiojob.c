/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Workloads as fio job files. Expected lines are from fio's HOWTO ("Job file parameters"), written
 * by hand; what comes of them is told by fio itself, where it has been built. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "profile/profile.h"

#define FIO "build/fio/fio"
#define MIB (1u << 20)

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
		"iopsavgtime=100",
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
		"verify = crc32c\nfio.rwmixread = 70\nfio.offset_increment = 1M\n");
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

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	for (text = strstr(text, word); text; text = strstr(text + 1, word))
		n++;
	return n;
}

#define TWO "[disk]\ncount = 2\n"

static void each_disk_has_a_section(void **state)
{
	static const char *const lines[] = {
		"numjobs=3",	     "iodepth=4",	  "size=65536",
		"[vbench-a-0]",	     "[vbench-a-1]",	  "filename=/dev/vda",
		"group_reporting=1", "filename=/dev/vdb", NULL};
	char *disks[] = {"/dev/vda", "/dev/vdb"};
	struct profile *p = parse(TWO "[workload a]\nnumjobs = 3\niodepth = 4\nsize = 64k\n");
	char *job = workload_fio_job_disks(&p->workloads[0], &p->cells[0], disks, 2, 9);

	(void)state;
	assert_lines(job, lines);
	assert_non_null(strstr(job, "[vbench-a-0]\nfilename=/dev/vda\n"));
	assert_non_null(strstr(job, "[vbench-a-1]\nfilename=/dev/vdb\n"));
	assert_null(strstr(job, "file_service_type"));
	assert_int_equal(workload_jobs(&p->workloads[0], &p->cells[0]), 6);
	free(job);
	profile_free(p);
}

/* HOWTO, "size": of all files of a job together. */
static void a_round_is_one_section(void **state)
{
	static const char *const lines[] = {"numjobs=3",
					    "size=131072",
					    "file_service_type=roundrobin",
					    "filename=/dev/vda",
					    "filename=/dev/vdb",
					    "[vbench-a]",
					    NULL};
	char *disks[] = {"/dev/vda", "/dev/vdb"};
	struct profile *p = parse(TWO "[workload a]\nnumjobs = 3\nsize = 64k\ndisks = round\n");
	char *job = workload_fio_job_disks(&p->workloads[0], &p->cells[0], disks, 2, 9);

	(void)state;
	assert_lines(job, lines);
	assert_int_equal(count(job, "\n["), 1);
	assert_int_equal(workload_jobs(&p->workloads[0], &p->cells[0]), 3);
	free(job);
	profile_free(p);
}

static void one_disk_has_the_job_of_one(void **state)
{
	char *disks[] = {"/dev/vda", NULL};
	struct profile *p = parse("[workload a]\ndisks = round\nsize = 64k\n");
	char *job = workload_fio_job_disks(&p->workloads[0], &p->cells[0], disks, 1, 9);
	char *plain = workload_fio_job(&p->workloads[0], &p->cells[0], "/dev/vda", NULL, 9);

	(void)state;
	assert_string_equal(job, plain);
	assert_null(workload_fio_job_disks(&p->workloads[0], &p->cells[0], disks, 0, 9));
	free(plain);
	free(job);
	profile_free(p);
}

static void the_random_pass_writes_each_block_once(void **state)
{
	static const char *const lines[] = {
		"rw=randwrite",	    "bs=65536",	 "direct=1",	      "norandommap=0",
		"refill_buffers=1", "size=100%", "filename=/dev/vda", NULL};
	struct profile *p = parse("[workload w]\nrw = read\n");
	char *job = precondition_random_fio_job(&p->cells[0], "/dev/vda", 5);
	char *fill = precondition_fio_job(&p->cells[0], "/dev/vda", 5);

	(void)state;
	assert_lines(job, lines);
	assert_null(strstr(job, "time_based"));
	assert_null(strstr(job, "runtime"));
	/* not the addresses of the workload over again */
	assert_true(has(fill, "randseed=5"));
	assert_false(has(job, "randseed=5"));
	free(fill);
	free(job);
	profile_free(p);
}

static void preconditions_are_of_disk_or_workload(void **state)
{
	static const struct {
		const char *disk, *workload;
		bool fills, randomizes;
	} rows[] = {
		{"none", "disk", false, false},	 {"fill", "disk", true, false},
		{"random", "disk", true, true},	 {"random", "none", false, false},
		{"none", "random", true, true},	 {"random", "fill", true, false},
		{"none", "steady", true, false}, {"fill", "first-write", false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text =
			xasprintf("[disk]\nprecondition = %s\n[workload w]\nprecondition = %s\n",
				  rows[i].disk, rows[i].workload);
		struct profile *p = parse(text);

		assert_int_equal(workload_fills(&p->workloads[0], &p->cells[0]), rows[i].fills);
		assert_int_equal(workload_randomizes(&p->workloads[0], &p->cells[0]),
				 rows[i].randomizes);
		profile_free(p);
		free(text);
	}
}

/* --- what fio makes of them --- */

struct place {
	char dir[64];
	char *file[3]; /* of 1 MiB, zeroes */
};

/* Below build/, which is on a disk: not every tmpfs knows O_DIRECT. */
static int open_place(void **state)
{
	struct place *x = xcalloc(1, sizeof(*x));

	*state = x;
	strcpy(x->dir, "build/fiojob-XXXXXX");
	if (access(FIO, X_OK) || !mkdtemp(x->dir)) {
		x->dir[0] = 0;
		return 0;
	}
	for (size_t i = 0; i < 3; i++) {
		int fd;

		/* a colon parts two files, where it is not told */
		x->file[i] = xasprintf("%s/disk:%zu", x->dir, i);
		fd = open(x->file[i], O_CREAT | O_WRONLY, 0600);
		if (fd < 0 || ftruncate(fd, MIB) || close(fd))
			return -1;
	}
	return 0;
}

static int close_place(void **state)
{
	struct place *x = *state;

	for (size_t i = 0; i < 3; i++) {
		if (x->file[i])
			unlink(x->file[i]);
		free(x->file[i]);
	}
	if (x->dir[0])
		rmdir(x->dir);
	free(x);
	return 0;
}

/* The only entry of fio's result. Takes job. */
static json_t *run_fio(const struct place *x, char *job)
{
	char *path = xasprintf("%s/job.fio", x->dir), *out = xasprintf("%s/out.json", x->dir);
	char *command = xasprintf(FIO " --output-format=json --output=%s %s", out, path);
	FILE *f = fopen(path, "w");
	json_t *all, *jobs, *first;

	assert_non_null(job);
	assert_non_null(f);
	fputs(job, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(system(command), 0);
	all = json_load_file(out, 0, NULL);
	jobs = json_object_get(all, "jobs");
	assert_int_equal(json_array_size(jobs), 1);
	first = json_incref(json_array_get(jobs, 0));
	assert_int_equal(json_integer_value(json_object_get(first, "error")), 0);
	json_decref(all);
	unlink(path);
	unlink(out);
	free(command);
	free(path);
	free(out);
	free(job);
	return first;
}

static json_int_t written(const json_t *result, const char *what)
{
	return json_integer_value(json_object_get(json_object_get(result, "write"), what));
}

/* How many of a file's pieces of that size hold something. */
static size_t pieces(const char *path, size_t size)
{
	char *data = xcalloc(1, MIB), *zero = xcalloc(1, size);
	FILE *f = fopen(path, "r");
	size_t n = 0;

	assert_non_null(f);
	assert_int_equal(fread(data, 1, MIB, f), MIB);
	assert_int_equal(fgetc(f), EOF);
	fclose(f);
	for (size_t at = 0; at < MIB; at += size)
		n += memcmp(data + at, zero, size) != 0;
	free(data);
	free(zero);
	return n;
}

#define RUN                                                                                       \
	"rw = randwrite\nverify = crc32c\nruntime = 100ms\nramp = 0\nioengine = psync\ndirect = " \
	"off\nsize = 64k\n"

/* Writes and verifies on all three, in the first 64 KiB; one result. */
static void drive(const struct place *x, const char *more)
{
	char *text = xasprintf("[disk]\ncount = 3\n[workload w]\n" RUN "%s\n", more);
	struct profile *p = parse(text);
	json_t *result;

	if (!x->dir[0]) {
		profile_free(p);
		free(text);
		skip();
	}
	result = run_fio(x, workload_fio_job_disks(&p->workloads[0], &p->cells[0],
						   (char *const *)x->file, 3, 7));
	assert_true(written(result, "total_ios") >= 3);
	for (size_t i = 0; i < 3; i++) {
		size_t n = pieces(x->file[i], 4096);

		assert_true(n >= 1 && n <= 16);
	}
	json_decref(result);
	profile_free(p);
	free(text);
}

static void fio_drives_each_disk_and_verifies(void **state)
{
	drive(*state, "");
}

static void fio_goes_round_all_disks_and_verifies(void **state)
{
	drive(*state, "disks = round");
}

/* 1 MiB is 16 blocks of 64 KiB, and none twice. */
static void fio_fills_and_randomizes(void **state)
{
	struct place *x = *state;
	struct profile *p;
	json_t *result;

	if (!x->dir[0])
		skip();
	p = parse("[workload w]\n");
	result = run_fio(x, precondition_random_fio_job(&p->cells[0], x->file[0], 3));
	assert_int_equal(written(result, "total_ios"), 16);
	assert_int_equal(written(result, "io_bytes"), MIB);
	assert_int_equal(pieces(x->file[0], 65536), 16);
	json_decref(result);
	result = run_fio(x, precondition_fio_job(&p->cells[0], x->file[1], 3));
	assert_int_equal(written(result, "io_bytes"), MIB);
	assert_int_equal(pieces(x->file[1], 4096), 256);
	assert_int_equal(pieces(x->file[2], 4096), 0);
	json_decref(result);
	profile_free(p);
}

/* As many disks as one job can open, with names of sd and four letters: more than one line of fio
 * holds. */
static void fio_takes_a_thousand_disks(void **state)
{
	struct place *x = *state;
	struct profile *p = parse("[guest]\nmemory = 4G\n[disk]\ncount = 1000\n"
				  "[workload w]\ndisks = round\n[workload x]\n");
	char *disks[1000] = {0};

	for (size_t i = 0; i < 1000; i++)
		disks[i] =
			xasprintf("/dev/sdaa%c%c", (char)('a' + i / 26 % 26), (char)('a' + i % 26));
	for (size_t i = 0; i < 2; i++) {
		char *job = workload_fio_job_disks(&p->workloads[i], &p->cells[0], disks, 1000, 3);
		char *path = xasprintf("%s/job.fio", x->dir), *command;
		FILE *f;

		assert_int_equal(count(job, "filename=/dev/sd"), 1000);
		assert_true(strlen(job) < 64u << 10);
		if (x->dir[0]) {
			f = fopen(path, "w");
			fputs(job, f);
			fclose(f);
			command = xasprintf(FIO " --parse-only %s", path);
			assert_int_equal(system(command), 0);
			free(command);
			unlink(path);
		}
		free(path);
		free(job);
	}
	for (size_t i = 0; i < 1000; i++)
		free(disks[i]);
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
		cmocka_unit_test(each_disk_has_a_section),
		cmocka_unit_test(a_round_is_one_section),
		cmocka_unit_test(one_disk_has_the_job_of_one),
		cmocka_unit_test(the_random_pass_writes_each_block_once),
		cmocka_unit_test(preconditions_are_of_disk_or_workload),
		cmocka_unit_test_setup_teardown(fio_drives_each_disk_and_verifies, open_place,
						close_place),
		cmocka_unit_test_setup_teardown(fio_goes_round_all_disks_and_verifies, open_place,
						close_place),
		cmocka_unit_test_setup_teardown(fio_fills_and_randomizes, open_place, close_place),
		cmocka_unit_test_setup_teardown(fio_takes_a_thousand_disks, open_place,
						close_place),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
