/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A workload as a fio job file (fio's HOWTO, "Job file format"). Fixed on purpose: lat_percentiles
 * (total latency is primary, since the kick of a virtqueue sits in slat), thread (jobs share one
 * process, so the guest needs less memory), group_reporting (one result a workload) and a seed that
 * is the block's, so that all cells of a block see the same addresses. With randseed given fio
 * drops randrepeat, and gives every job of numjobs (and of each disk) its own sequence. iopsavgtime
 * makes fio's own windows 100 ms long, for what a trial varies by within itself: its default of 500
 * ms leaves one or two of them in a trial.
 */
#include <stdlib.h>
#include <string.h>
#include "base/units.h"
#include "profile/internal.h"

/* fio multiplies the seed by the job's number: 0 would give all jobs the same addresses. It reads
 * it signed. */
static unsigned long long seed_of(uint64_t randseed)
{
	uint64_t seed = randseed & INT64_MAX;

	return seed ? seed : 1;
}

static void put_time(FILE *f, const char *name, uint64_t ns)
{
	if (ns % 1000000 == 0)
		fprintf(f, "%s=%llums\n", name, (unsigned long long)(ns / 1000000));
	else
		fprintf(f, "%s=%lluus\n", name, (unsigned long long)(ns / 1000));
}

static void put_rate(FILE *f, const char *rate)
{
	size_t digits = strspn(rate, "0123456789");
	uint64_t bytes;

	if (!strcmp(rate + digits, "iops"))
		fprintf(f, "rate_iops=%.*s\n", (int)digits, rate);
	else if (!units_size(rate, &bytes))
		fprintf(f, "rate=%llu\n", (unsigned long long)bytes);
}

static void put_nonzero(FILE *f, const char *name, uint64_t n)
{
	if (n)
		fprintf(f, "%s=%llu\n", name, (unsigned long long)n);
}

/* A line each: fio adds them up, and its lines are at most 8191 bytes long (OPT_LEN_MAX). In them a
 * colon parts two files (HOWTO, "filename"). */
static void put_target(FILE *f, const char *target)
{
	fputs("filename=", f);
	for (; *target; target++)
		fprintf(f, *target == ':' ? "\\:" : "%c", *target);
	fputc('\n', f);
}

static void put_common(FILE *f, const char *target, uint64_t randseed)
{
	fprintf(f, "[global]\n");
	if (target)
		put_target(f, target);
	fprintf(f,
		"thread=1\n"
		"group_reporting=1\n"
		"randseed=%llu\n"
		"lat_percentiles=1\n"
		"clat_percentiles=1\n"
		"slat_percentiles=1\n"
		"percentile_list=50:99:99.9\n"
		"iopsavgtime=100\n",
		seed_of(randseed));
}

/* What is the workload's own; files: that one job's size is spread over. */
static void put_workload(FILE *f, const struct workload *w, const char *engine, size_t files)
{
	if (!engine)
		fprintf(f, "ioengine=%s\n", w->val[K_IOENGINE]);
	fprintf(f, "direct=%d\n", !strcmp(w->val[K_DIRECT], "on"));
	fprintf(f, "rw=%s\n", w->val[K_RW]);
	fprintf(f, "bs=%s\n", w->val[K_BS]);
	fprintf(f, "iodepth=%s\n", w->val[K_IODEPTH]);
	fprintf(f, "numjobs=%s\n", w->val[K_NUMJOBS]);
	fprintf(f, "time_based=1\n");
	put_time(f, "runtime", workload_u64(w, K_RUNTIME));
	if (workload_u64(w, K_RAMP))
		put_time(f, "ramp_time", workload_u64(w, K_RAMP));
	put_rate(f, w->val[K_RATE]);
	put_nonzero(f, "size", workload_u64(w, K_WSIZE) * files);
	put_nonzero(f, "fsync", workload_u64(w, K_FSYNC));
	put_nonzero(f, "fdatasync", workload_u64(w, K_FDATASYNC));
	if (strcmp(w->val[K_VERIFY], "none")) {
		fprintf(f, "verify=%s\n", w->val[K_VERIFY]);
		/* a time-based job ends before fio's verify phase: read back as it goes */
		fprintf(f, "verify_backlog=64\nverify_fatal=1\n");
		/* a job that is ended early would leave its state in the working folder */
		fprintf(f, "verify_state_save=0\n");
	}
	for (size_t i = 0; i < w->nextras; i++)
		fprintf(f, "%s=%s\n", w->extras[i].key, w->extras[i].value);
	/* what a host site's disk is made of has the last word: it is held against what was asked
	 */
	if (engine)
		fputs(engine, f);
}

/* Of a memory stream: its text is whole, or there is none. */
static char *finish(FILE *f, char **text)
{
	if (!fclose(f))
		return *text;
	free(*text);
	return NULL;
}

/*
 * A load on every vCPU beside the I/O (fio's cpuio: a burst of 50 ms, then thinktime), in a group
 * of its own, so that what it counts is in no figure. It runs as long as the I/O does.
 */
static void put_cpu_load(FILE *f, const struct workload *w, const struct cell *c)
{
	if (!workload_u64(w, K_CPU_LOAD) || !cell_get(c, K_VCPUS))
		return;
	fprintf(f,
		"\n[" CPU_LOAD_JOB "]\n"
		"new_group=1\n"
		"ioengine=cpuio\n"
		"cpuload=%s\n"
		"numjobs=%s\n"
		"exit_on_io_done=1\n"
		"rate=0\n"
		"rate_iops=0\n"
		"rw=read\n"
		"iodepth=1\n",
		w->val[K_CPU_LOAD], cell_get(c, K_VCPUS));
}

char *workload_fio_job(const struct workload *w, const struct cell *c, const char *target,
		       const char *engine, uint64_t randseed)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	put_common(f, target, randseed);
	put_workload(f, w, engine, 1);
	/* fio takes a section that begins with "global" for another [global] */
	fprintf(f, "\n[vbench-%s]\n", w->name);
	put_cpu_load(f, w, c);
	return finish(f, &text);
}

static bool goes_round(const struct workload *w)
{
	const char *how = workload_get(w, K_WDISKS);

	return how && !strcmp(how, "round");
}

char *workload_fio_job_disks(const struct workload *w, const struct cell *c, char *const *targets,
			     size_t ntargets, uint64_t randseed)
{
	bool round = goes_round(w);
	char *text = NULL;
	size_t len = 0;
	FILE *f;

	if (ntargets <= 1)
		return ntargets ? workload_fio_job(w, c, targets[0], NULL, randseed) : NULL;
	f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	put_common(f, NULL, randseed);
	/* fio's own statistics of 256 disks take it half a minute under emulation, and nobody reads
	 * them */
	fprintf(f, "disk_util=0\n");
	put_workload(f, w, NULL, round ? ntargets : 1);
	if (round)
		fprintf(f, "file_service_type=roundrobin\n\n[vbench-%s]\n", w->name);
	for (size_t i = 0; i < ntargets; i++) {
		if (!round)
			fprintf(f, "\n[vbench-%s-%zu]\n", w->name, i);
		put_target(f, targets[i]);
	}
	put_cpu_load(f, w, c);
	return finish(f, &text);
}

/* Before a thread's clock begins, fio runs its exec_prerun (backend.c, thread_main): there it waits
 * for the gate to be opened. The one command that the guest has is the agent's, which knows. */
char *workload_fio_job_gated(const struct workload *w, const struct cell *c, char *const *targets,
			     size_t ntargets, uint64_t randseed)
{
	static const char head[] = "[global]\n", gate[] = "exec_prerun=gate\n";
	char *job = workload_fio_job_disks(w, c, targets, ntargets, randseed), *gated;

	if (!job)
		return NULL;
	gated = xasprintf("%s%s%s", head, gate, job + strlen(head));
	free(job);
	return gated;
}

uint64_t workload_jobs(const struct workload *w, const struct cell *c)
{
	uint64_t disks = cell_u64(c, K_DISKS);

	return workload_u64(w, K_NUMJOBS) * (disks && !goes_round(w) ? disks : 1);
}

uint64_t workload_threads(const struct workload *w, const struct cell *c)
{
	return workload_jobs(w, c) + (workload_u64(w, K_CPU_LOAD) ? cell_u64(c, K_VCPUS) : 0);
}

/* The workload's word on precondition, else the disk's; NULL: there is nothing to be filled. */
static const char *precondition_of(const struct workload *w, const struct cell *c)
{
	const char *how = workload_get(w, K_WPRECONDITION);

	if (!cell_can_fill(c))
		return NULL;
	return !how || !strcmp(how, "disk") ? cell_get(c, K_PRECONDITION) : how;
}

bool workload_fills(const struct workload *w, const struct cell *c)
{
	const char *how = precondition_of(w, c);

	return how && (!strcmp(how, "fill") || !strcmp(how, "random"));
}

bool workload_randomizes(const struct workload *w, const struct cell *c)
{
	const char *how = precondition_of(w, c);

	return how && !strcmp(how, "random");
}

/*
 * Written with what neither a file system nor a device can compress or share (refill_buffers), once
 * and to the end: the device's size is fio's default, and no runtime ends it.
 */
static char *precondition_job(const char *target, uint64_t randseed, const char *how)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	put_common(f, target, randseed);
	fprintf(f,
		"ioengine=io_uring\n"
		"direct=1\n"
		"refill_buffers=1\n"
		"end_fsync=1\n"
		"%s",
		how);
	return finish(f, &text);
}

char *precondition_fio_job(const struct cell *c, const char *target, uint64_t randseed)
{
	(void)c;
	return precondition_job(target, randseed,
				"rw=write\n"
				"bs=1048576\n"
				"iodepth=8\n"
				"\n[vbench-fill]\n");
}

/*
 * With fio's map of blocks done (norandommap=0) random means each block once, in random order, not
 * with gaps and repetitions; so the pass ends by itself, and as much is written as by the fill.
 *
 * 64 KiB: the order of the writes is what leaves its mark (on flash translation layers, on host
 * file systems that copy on write), and a disk takes 16 times fewer of them than of 4 KiB: minutes
 * become seconds where every request costs an exit. It is qcow2's default cluster, too: a cluster
 * is written whole or not at all. Every disk size is a multiple of it (disk.size: of 1 MiB).
 *
 * Its seed is another than the workload's, which would else follow in this pass' steps.
 */
char *precondition_random_fio_job(const struct cell *c, const char *target, uint64_t randseed)
{
	(void)c;
	return precondition_job(target, randseed ^ 0x5bd1e995,
				"rw=randwrite\n"
				"norandommap=0\n"
				"bs=65536\n"
				"iodepth=16\n"
				"size=100%\n"
				"\n[vbench-random]\n");
}
