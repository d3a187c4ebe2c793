/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What no single value shows: options of a workload against each other, workloads against cells. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/units.h"
#include "profile/internal.h"

#define FIO_FILES 1000 /* of the 1024 that Linux allows by default */
#define FIO_JOBS 4096  /* fio's REAL_MAX_JOBS */
#define FIO_JOB_BYTES                                                               \
	(256u << 10) /* seen with fio 3.33: 210 KiB for a thread and its statistics \
		      */

static bool word_of(const char *v, const char *list)
{
	size_t len = strlen(v);

	while (*list) {
		size_t n = strcspn(list, ",");

		if (n == len && !strncmp(v, list, n))
			return true;
		list += n + (list[n] == ',');
	}
	return false;
}

static bool has_extra(const struct workload *w, const char *key)
{
	for (size_t i = 0; i < w->nextras; i++)
		if (!strcmp(w->extras[i].key, key))
			return true;
	return false;
}

int workload_check(const struct workload *w, const char *where, struct err *e)
{
	const char *rw = w->val[K_RW], *engine = w->val[K_IOENGINE];
	uint64_t size = workload_u64(w, K_WSIZE);

	if (workload_u64(w, K_IODEPTH) > 1 && word_of(engine, "sync,psync,pvsync,pvsync2"))
		return err_input(
			e,
			"%s: iodepth=%s with ioengine=%s: that engine has one request in flight; use "
			"io_uring or libaio, or numjobs",
			where, w->val[K_IODEPTH], engine);
	if (strcmp(w->val[K_VERIFY], "none") && word_of(rw, "read,randread"))
		return err_input(
			e,
			"%s: verify=%s with rw=%s: there is nothing written to verify; take verify out",
			where, w->val[K_VERIFY], rw);
	/* seen with fio 3.33: "verify failed" where one job writes while another reads */
	if (strcmp(w->val[K_VERIFY], "none") && workload_u64(w, K_NUMJOBS) > 1 &&
	    !has_extra(w, "offset_increment"))
		return err_input(
			e,
			"%s: verify=%s with numjobs=%s: the jobs would overwrite what the others "
			"verify; use numjobs = 1 and more iodepth, or part them by fio.offset_increment "
			"and size",
			where, w->val[K_VERIFY], w->val[K_NUMJOBS]);
	if (strcmp(w->val[K_VERIFY], "none") && workload_u64(w, K_CPU_LOAD))
		return err_input(
			e,
			"%s: cpu-load=%s with verify=%s: verifying is not for figures, and a "
			"load beside it only slows it down; take one of them out",
			where, w->val[K_CPU_LOAD], w->val[K_VERIFY]);
	/* seen with fio 3.33: total_ios is right, but every latency has N = 0 */
	if (strcmp(w->val[K_RATE], "none") && workload_u64(w, K_RAMP) >= workload_u64(w, K_RUNTIME))
		return err_input(
			e,
			"%s: with a rate, fio records no latency unless ramp is shorter than runtime; "
			"shorten ramp or lengthen runtime",
			where);
	if (size && size < workload_u64(w, K_BS))
		return err_input(e, "%s: size is less than one request of bs; raise size", where);
	return 0;
}

/* fio's threads and buffers live in guest memory: a guest of 256 MiB dies of what is nothing on a
 * host. */
static int check_memory(const struct workload *w, const struct cell *c, const char *where,
			struct err *e)
{
	uint64_t jobs = workload_jobs(w, c);
	uint64_t buffers = workload_u64(w, K_BS) * workload_u64(w, K_IODEPTH) * jobs;
	uint64_t threads = workload_threads(w, c) * FIO_JOB_BYTES;
	uint64_t memory = cell_u64(c, K_MEMORY), disks = cell_u64(c, K_DISKS);
	bool more = disks > 1;
	char need[32], have[32];

	if (jobs > FIO_JOBS)
		return err_input(
			e,
			"%s: numjobs on each of %llu disks makes %llu jobs, and fio takes %u; "
			"lower numjobs or write disks = round",
			where, (unsigned long long)disks, (unsigned long long)jobs, FIO_JOBS);
	if (cell_on_host(c) || (buffers <= memory / 4 && threads <= memory / 4))
		return 0;
	if (buffers > memory / 4)
		return err_input(
			e,
			"%s: numjobs x iodepth x bs%s makes %s of buffers, more than a quarter of guest.memory = %s; "
			"lower them%s or raise guest.memory",
			where, more ? " x disks" : "", units_size_text(buffers, need, sizeof(need)),
			units_size_spell(memory, have, sizeof(have)),
			more ? ", write disks = round" : "");
	return err_input(
		e,
		"%s: %llu jobs of fio take about %s, more than a quarter of guest.memory = %s; lower "
		"numjobs%s or raise guest.memory",
		where, (unsigned long long)jobs, units_size_text(threads, need, sizeof(need)),
		units_size_spell(memory, have, sizeof(have)), more ? ", write disks = round" : "");
}

/* Seen with fio 3.33: a job that goes round opens all its files at once, and fails ("try
 * reducing/setting openfiles") where a process may have 1024. */
static int check_files(const struct workload *w, const struct cell *c, const char *where,
		       struct err *e)
{
	uint64_t disks = cell_u64(c, K_DISKS), files = workload_u64(w, K_NUMJOBS) * disks;

	if (strcmp(w->val[K_WDISKS], "round") || files <= FIO_FILES || disks <= 1)
		return 0;
	return err_input(
		e,
		"%s: disks=round: %s jobs on %llu disks have %llu files open, and a process "
		"may have %u; lower numjobs, or write disks = each",
		where, w->val[K_NUMJOBS], (unsigned long long)disks, (unsigned long long)files,
		FIO_FILES);
}

static int check_size(const struct workload *w, const struct cell *c, const char *where,
		      struct err *e)
{
	uint64_t size = cell_u64(c, K_SIZE), part = workload_u64(w, K_WSIZE);
	char a[32], b[32];

	if (part > size)
		return err_input(e,
				 "%s: size = %s is more than disk.size = %s; lower it or write all",
				 where, units_size_spell(part, a, sizeof(a)),
				 units_size_spell(size, b, sizeof(b)));
	if (workload_u64(w, K_BS) > size)
		return err_input(e, "%s: bs is more than disk.size = %s; lower it", where,
				 units_size_spell(size, b, sizeof(b)));
	return 0;
}

/* On the host there are no vCPUs to keep busy, and its CPUs are not ours. */
static int check_cpu_load(const struct workload *w, const struct cell *c, const char *where,
			  struct err *e)
{
	if (!workload_u64(w, K_CPU_LOAD) || !cell_on_host(c))
		return 0;
	return err_input(
		e,
		"%s: cpu-load=%s keeps the vCPUs of a guest busy, and with guest.site=host "
		"there are none; take it out",
		where, w->val[K_CPU_LOAD]);
}

/* The vring engine gives each job a queue of its own, which one thread then uses without a lock. */
static int check_queues(const struct workload *w, const struct cell *c, const char *where,
			struct err *e)
{
	if (!cell_get(c, K_QUEUES) || !cell_uses_vring(c) ||
	    workload_u64(w, K_NUMJOBS) <= cell_u64(c, K_QUEUES))
		return 0;
	return err_input(e,
			 "%s: numjobs=%s needs as many queues with driver=vring; raise disk.queues "
			 "or lower numjobs",
			 where, w->val[K_NUMJOBS]);
}

/*
 * qemu-storage-daemon's export tells the guest that there is no write cache, so the guest never
 * flushes: where its block layer does cache, a sync would be measured that did not happen.
 */
static int check_sync(const struct workload *w, const struct cell *c, const char *where,
		      struct err *e)
{
	const char *server = cell_get(c, K_SERVER), *cache = cell_get(c, K_CACHE);
	bool syncs = workload_u64(w, K_FSYNC) || workload_u64(w, K_FDATASYNC);

	if (!syncs || cell_on_host(c) || !server || strcmp(server, "storage-daemon") || !cache ||
	    !strcmp(cache, "directsync") || !strcmp(cache, "writethrough"))
		return 0;
	return err_input(
		e,
		"%s: a guest never flushes qemu-storage-daemon's export, so that fsync and fdatasync "
		"mean nothing with cache=%s; use disk.cache = directsync or another server",
		where, cache);
}

/* As the conflict of disk.precondition has it, but said by the workload. */
static int check_fill(const struct workload *w, const struct cell *c, const char *where,
		      struct err *e)
{
	const char *format = cell_get(c, K_FORMAT);

	if (!cell_on_host(c) || !format || !strcmp(format, "raw") || !workload_fills(w, c))
		return 0;
	return err_input(e,
			 "%s: precondition=%s: on the host only raw images can be filled; use "
			 "disk.format = raw",
			 where, workload_randomizes(w, c) ? "random" : "fill");
}

/* What comes back from a null device is not what was written. */
static int check_verify(const struct workload *w, const struct cell *c, const char *where,
			struct err *e)
{
	const char *serves = cell_get(c, K_SERVES), *plugin = cell_get(c, K_NBDKIT);
	bool kept = cell_can_fill(c) || (cell_uses_vhost(c) && serves && !strcmp(serves, "memory"));

	if (!strcmp(w->val[K_VERIFY], "none") || kept)
		return 0;
	if (cell_uses_vhost(c))
		return err_input(e,
				 "%s: verify=%s: disk.serves = %s keeps nothing that could be read "
				 "back; use disk.serves = file or memory, or take verify out",
				 where, w->val[K_VERIFY], serves);
	return err_input(
		e,
		"%s: verify=%s: a disk with %s%s keeps nothing that could be read back; use "
		"another, or take verify out",
		where, w->val[K_VERIFY],
		cell_on_host(c)	   ? "disk.driver = none"
		: cell_uses_nbd(c) ? "disk.nbdkit = "
				   : "disk.backend = null",
		cell_uses_nbd(c) && plugin ? plugin : "");
}

/* ioengine and direct of a workload, where cells bring an engine of their own: told, and refused
 * when no cell heeds them. */
static int check_engine(struct profile *p, const struct workload *w, const char *where,
			struct err *e)
{
	static const enum key_id ignored[] = {K_IOENGINE, K_DIRECT};
	size_t n = 0;

	for (size_t k = 0; k < p->ncells; k++)
		n += cell_has_engine(&p->cells[k]);
	for (size_t i = 0; n && i < sizeof(ignored) / sizeof(ignored[0]); i++) {
		const struct key_row *row = &profile_keys[ignored[i]];
		char *def = value_default(row), *reason;
		bool plain = !strcmp(def, w->val[ignored[i]]);

		free(def);
		if (plain)
			continue;
		if (n == p->ncells)
			return err_input(
				e,
				"%s: %s=%s: driver=vring and driver=none are fio engines of "
				"their own, and there is no other cell; take it out",
				where, row->name, w->val[ignored[i]]);
		reason = xasprintf(
			"driver=vring and driver=none are fio engines of their own: %zu of "
			"%zu cells do not heed it",
			n, p->ncells);
		profile_add_skipped(
			p, xasprintf("workload %s: %s=%s", w->name, row->name, w->val[ignored[i]]),
			reason, true);
		free(reason);
	}
	return 0;
}

static int check_pair(const struct workload *w, const struct cell *c, const char *where,
		      struct err *e)
{
	int (*const checks[])(const struct workload *, const struct cell *, const char *,
			      struct err *) = {extra_check_host, check_memory, check_files,
					       check_size,	 check_queues, check_sync,
					       check_fill,	 check_verify, check_cpu_load};
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(checks) / sizeof(checks[0]); i++)
		rc = checks[i](w, c, where, e);
	return rc;
}

int run_check(const struct profile *p, struct err *e)
{
	bool decide = strcmp(p->val[K_DECIDE], "none") != 0;
	bool precision = strcmp(p->val[K_PRECISION], "none") != 0;

	if (decide && precision)
		return err_input(e,
				 "%s: run.decide and run.precision: a run stops by one rule; take "
				 "one of them out",
				 p->path);
	if ((decide || precision) && p->ncells < 2)
		return err_input(e,
				 "%s: run.%s: there is one cell, and so nothing to compare; give a "
				 "key of it a list, or a second arm with --vs KEY=VALUE",
				 p->path, decide ? "decide" : "precision");
	if (precision && profile_u64(p, K_MAX_BLOCKS) < PRECISION_FIRST)
		return err_input(e,
				 "%s: run.max-blocks = %s: run.precision looks after block %u for "
				 "the first time; raise it",
				 p->path, p->val[K_MAX_BLOCKS], PRECISION_FIRST);
	return 0;
}

int profile_check(struct profile *p, char *const *where, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < p->nworkloads; i++) {
		for (size_t k = 0; !rc && k < p->ncells; k++)
			rc = check_pair(&p->workloads[i], &p->cells[k], where[i], e);
		if (!rc)
			rc = check_engine(p, &p->workloads[i], where[i], e);
	}
	return rc;
}
