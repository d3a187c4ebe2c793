/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What no single value shows: options against each other, workloads against cells, pass-through
 * against what vbench sets. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/units.h"
#include "profile/internal.h"

/* Pass-through keys that are taken already, with what to do instead. The first component of a
 * dotted key counts. */
struct taken {
	const char *key, *instead;
};

static const struct taken taken_disk[] = {
	{"driver", "disk.format and disk.backend say it"},
	{"file", "vbench makes the image itself; see disk.dir"},
	{"filename", "vbench makes the image itself; see disk.dir"},
	{"data-file", "vbench makes the image itself; see disk.dir"},
	{"backing", "vbench makes the image itself; see disk.dir"},
	{"node-name", "vbench names the nodes"},
	{"cache", "disk.cache says it"},
	{"read-only", "a disk under test is written"},
	{"auto-read-only", "a disk under test is written"},
	{NULL, NULL},
};

static const struct taken taken_fio[] = {
	{"rw", "use the key rw"},
	{"readwrite", "use the key rw"},
	{"bs", "use the key bs"},
	{"blocksize", "use the key bs"},
	{"iodepth", "use the key iodepth"},
	{"numjobs", "use the key numjobs"},
	{"runtime", "use the key runtime"},
	{"timeout", "use the key runtime"},
	{"ramp_time", "use the key ramp"},
	{"rate", "use the key rate"},
	{"rate_iops", "use the key rate"},
	{"size", "use the key size"},
	{"fsync", "use the key fsync"},
	{"fdatasync", "use the key fdatasync"},
	{"direct", "use the key direct"},
	{"buffered", "use the key direct"},
	{"verify", "use the key verify"},
	{"ioengine", "use the key ioengine"},
	{"filename", "vbench aims fio at the disk under test"},
	{"filename_format", "vbench aims fio at the disk under test"},
	{"directory", "vbench aims fio at the disk under test"},
	{"opendir", "vbench aims fio at the disk under test"},
	{"name", "the section's name says it"},
	{"include", "a profile is one file"},
	{"exec_prerun", "the guest has no programs"},
	{"exec_postrun", "the guest has no programs"},
	{"group_reporting", "vbench reads one result a workload"},
	{"time_based", "every workload runs for its runtime"},
	{"lat_percentiles", "total latency is always measured"},
	{"randseed", "run.seed says it"},
	{"randrepeat", "run.seed says it"},
	{"allrandrepeat", "run.seed says it"},
	{NULL, NULL},
};

/*
 * On the host a workload hands to fio what shapes its I/O and nothing else: fio's other options
 * name files, commands, users and devices, and new ones come with each version. A list of what is
 * taken, then. None of these makes the file larger than the disk (filesize, offset and file_append
 * would).
 */
static const char *const host_fio[] = {
	"ba",
	"blockalign",
	"bs_is_seq_rand",
	"bs_unaligned",
	"bssplit",
	"buffer_compress_chunk",
	"buffer_compress_percentage",
	"buffer_pattern",
	"clocksource",
	"continue_on_error",
	"cpus_allowed",
	"cpus_allowed_policy",
	"dedupe_mode",
	"dedupe_percentage",
	"dedupe_working_set_percentage",
	"do_verify",
	"end_fsync",
	"fixedbufs",
	"force_async",
	"fsync_on_close",
	"hipri",
	"invalidate",
	"io_size",
	"io_submit_mode",
	"iodepth_batch",
	"iodepth_batch_complete",
	"iodepth_batch_complete_max",
	"iodepth_batch_complete_min",
	"iodepth_batch_submit",
	"iodepth_low",
	"latency_percentile",
	"latency_run",
	"latency_target",
	"latency_window",
	"max_latency",
	"nice",
	"nonvectored",
	"norandommap",
	"number_ios",
	"numa_cpu_nodes",
	"numa_mem_policy",
	"percentage_random",
	"percentile_list",
	"prio",
	"prioclass",
	"random_distribution",
	"random_generator",
	"rate_cycle",
	"rate_ignore_thinktime",
	"rate_iops_min",
	"rate_min",
	"rate_process",
	"refill_buffers",
	"registerfiles",
	"rw_sequencer",
	"rwmixread",
	"rwmixwrite",
	"scramble_buffers",
	"serialize_overlap",
	"significant_figures",
	"softrandommap",
	"sqthread_poll",
	"startdelay",
	"sync",
	"thinktime",
	"thinktime_blocks",
	"thinktime_blocks_type",
	"thinktime_iotime",
	"thinktime_spin",
	"uncached",
	"verify_async",
	"verify_backlog",
	"verify_backlog_batch",
	"verify_dump",
	"verify_fatal",
	"verify_interval",
	"verify_offset",
	"verify_pattern",
	"write_hint",
	"zero_buffers",
	NULL,
};

/* Options of fio's engine vring: what they say is a key, which is held against what is in force. */
static const struct taken vring_fio[] = {
	{"transport", "disk.server says it"},
	{"path", "disk.server says it"},
	{"ring", "use disk.ring"},
	{"queue_size", "use disk.queue-size"},
	{"event_idx", "use disk.event-idx"},
	{"indirect", "use disk.indirect"},
	{"wait", "use disk.wait"},
	{"poll_ns", "use disk.poll"},
	{"serves", "use disk.serves"},
	{"serve_path", "vbench makes the image itself; see disk.dir"},
	{"serve_size", "use disk.size"},
	{"latency_ns", "use disk.latency"},
	{"device_wait", "use disk.server-wait"},
	{"device_poll_ns", "use disk.server-poll"},
	{"report", "vbench reads the report itself"},
	{"rewrite", "vbench says it itself"},
	{"io_timeout", "it stays at its default"},
	{"hugepages", "it stays at its default"},
	{"trim", "it stays at its default"},
	{"device_cpu", "it stays at its default"},
	{"offset", "use the key size"},
	{"filesize", "use disk.size"},
	{NULL, NULL},
};

static const char *taken_why(const struct taken *t, const char *key)
{
	size_t n = strcspn(key, ".");

	for (; t->key; t++)
		if (strlen(t->key) == n && !strncmp(t->key, key, n))
			return t->instead;
	return NULL;
}

const char *extra_refused(enum section sec, const char *key, const char *value)
{
	const char *letters = sec == SEC_DISK ? "abcdefghijklmnopqrstuvwxyz0123456789-_."
					      : "abcdefghijklmnopqrstuvwxyz0123456789_";

	if (!*key || key[strspn(key, letters)] || key[0] == '.' || key[strlen(key) - 1] == '.' ||
	    strstr(key, ".."))
		return sec == SEC_DISK
			       ? "after blockdev. comes the name of a QEMU block option, such as discard"
			       : "after fio. comes the name of a fio option, such as bssplit";
	if (strlen(key) > 64 || strlen(value) > 400)
		return "the option is too long; at most 64 bytes of name and 400 of value are taken";
	if (sec == SEC_DISK)
		return taken_why(taken_disk, key);
	/* $ and ` are expanded by fio, the others could end the option or begin another section */
	if (value[strcspn(value, "[];#$`")])
		return "a value for fio may not hold any of [ ] ; # $ `";
	return taken_why(taken_fio, key);
}

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

/* fio's buffers live in guest memory: a guest of 256 MiB dies of what is nothing on a host. */
static int check_memory(const struct workload *w, const struct cell *c, const char *where,
			struct err *e)
{
	uint64_t bs = workload_u64(w, K_BS),
		 in_flight = workload_u64(w, K_IODEPTH) * workload_u64(w, K_NUMJOBS);
	uint64_t memory = cell_u64(c, K_MEMORY);
	char need[32], have[32];

	if (cell_on_host(c) || bs * in_flight <= memory / 4)
		return 0;
	return err_input(
		e,
		"%s: numjobs x iodepth x bs makes %s of buffers, more than a quarter of guest.memory = %s; "
		"lower them or raise guest.memory",
		where, units_size_text(bs * in_flight, need, sizeof(need)),
		units_size_spell(memory, have, sizeof(have)));
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
			 "%s: precondition=fill: on the host only raw images can be filled; use "
			 "disk.format = raw",
			 where);
}

/* In a guest a pass-through option hurts nobody; on the host it has the disk and nothing else. */
static int check_host_extras(const struct workload *w, const struct cell *c, const char *where,
			     struct err *e)
{
	if (!cell_on_host(c))
		return 0;
	for (size_t i = 0; i < w->nextras; i++) {
		const char *key = w->extras[i].key, *why = taken_why(vring_fio, key);
		const char *const *known = host_fio;

		if (why)
			return err_input(e, "%s: fio.%s is not taken on the host: %s", where, key,
					 why);
		while (*known && strcmp(*known, key))
			known++;
		if (!*known)
			return err_input(
				e,
				"%s: fio.%s is taken in guests only: on the host fio gets what shapes "
				"its I/O, and this may reach beyond the disk; leave it out",
				where, key);
	}
	return 0;
}

/* What comes back from a null device is not what was written. */
static int check_verify(const struct workload *w, const struct cell *c, const char *where,
			struct err *e)
{
	const char *serves = cell_get(c, K_SERVES), *backend = cell_get(c, K_BACKEND);
	bool kept =
		cell_has_image(c) || (cell_uses_vhost(c) && serves && !strcmp(serves, "memory"));

	if (!strcmp(w->val[K_VERIFY], "none") || kept)
		return 0;
	if (cell_uses_vhost(c))
		return err_input(e,
				 "%s: verify=%s: disk.serves = %s keeps nothing that could be read "
				 "back; use disk.serves = file or memory, or take verify out",
				 where, w->val[K_VERIFY], serves);
	return err_input(e,
			 "%s: verify=%s: a disk with %s keeps nothing that could be read back; use "
			 "another, or take verify out",
			 where, w->val[K_VERIFY],
			 backend ? "disk.backend = null" : "disk.driver = none");
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
			      struct err *) = {check_host_extras, check_memory, check_size,
					       check_queues,	  check_sync,	check_fill,
					       check_verify};
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(checks) / sizeof(checks[0]); i++)
		rc = checks[i](w, c, where, e);
	return rc;
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
