/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pass-through options: which are taken, and which would undo what vbench sets. */
#include <stdlib.h>
#include <string.h>
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
	{"data-file", "use disk.data-file"},
	{"backing", "use disk.backing"},
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
	{"nrfiles", "vbench aims fio at the disk under test"},
	{"file_service_type", "use the key disks"},
	{"name", "the section's name says it"},
	{"include", "a profile is one file"},
	{"exec_prerun", "the guest has no programs"},
	{"exec_postrun", "the guest has no programs"},
	{"group_reporting", "vbench reads one result a workload"},
	{"new_group", "vbench reads one result a workload"},
	{"stonewall", "the jobs of a workload run at once"},
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

/* In a guest a pass-through option hurts nobody; on the host it has the disk and nothing else. */
int extra_check_host(const struct workload *w, const struct cell *c, const char *where,
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
