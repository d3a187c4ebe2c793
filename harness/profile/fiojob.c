/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A workload as a fio job file (fio's HOWTO, "Job file format"). Fixed on purpose: lat_percentiles
 * (total latency is primary, since the kick of a virtqueue sits in slat), thread (jobs share one
 * process, so the guest needs less memory), group_reporting (one result a workload) and a seed that
 * is the block's, so that all cells of a block see the same addresses. With randseed given fio
 * drops randrepeat, and gives every job of numjobs its own sequence.
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

static void put_common(FILE *f, const char *target, uint64_t randseed)
{
	fprintf(f, "[global]\n");
	if (target)
		fprintf(f, "filename=%s\n", target);
	fprintf(f,
		"thread=1\n"
		"group_reporting=1\n"
		"randseed=%llu\n"
		"lat_percentiles=1\n"
		"clat_percentiles=1\n"
		"slat_percentiles=1\n"
		"percentile_list=50:99:99.9\n",
		seed_of(randseed));
}

char *workload_fio_job(const struct workload *w, const struct cell *c, const char *target,
		       const char *engine, uint64_t randseed)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	(void)c; /* every cell of a comparison runs the same job */
	if (!f)
		return NULL;
	put_common(f, target, randseed);
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
	put_nonzero(f, "size", workload_u64(w, K_WSIZE));
	put_nonzero(f, "fsync", workload_u64(w, K_FSYNC));
	put_nonzero(f, "fdatasync", workload_u64(w, K_FDATASYNC));
	if (strcmp(w->val[K_VERIFY], "none")) {
		fprintf(f, "verify=%s\n", w->val[K_VERIFY]);
		/* a time-based job ends before fio's verify phase: read back as it goes */
		fprintf(f, "verify_backlog=64\nverify_fatal=1\n");
	}
	for (size_t i = 0; i < w->nextras; i++)
		fprintf(f, "%s=%s\n", w->extras[i].key, w->extras[i].value);
	/* what a host site's disk is made of has the last word: it is held against what was asked
	 */
	if (engine)
		fputs(engine, f);
	/* fio takes a section that begins with "global" for another [global] */
	fprintf(f, "\n[vbench-%s]\n", w->name);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

bool workload_fills(const struct workload *w, const struct cell *c)
{
	const char *how = workload_get(w, K_WPRECONDITION);

	if (!cell_has_image(c))
		return false;
	if (!how || !strcmp(how, "disk"))
		how = cell_get(c, K_PRECONDITION);
	return how && !strcmp(how, "fill");
}

char *precondition_fio_job(const struct cell *c, const char *target, uint64_t randseed)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	(void)c;
	if (!f)
		return NULL;
	put_common(f, target, randseed);
	/* refill_buffers: data that neither a file system nor a device can compress or share */
	fprintf(f, "ioengine=io_uring\n"
		   "direct=1\n"
		   "rw=write\n"
		   "bs=1048576\n"
		   "iodepth=8\n"
		   "refill_buffers=1\n"
		   "end_fsync=1\n"
		   "\n[vbench-fill]\n");
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}
