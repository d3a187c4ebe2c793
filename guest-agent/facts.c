/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest is, and its counters around a job. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "guest-agent/agent.h"

#define STAT_MAX                                                                                 \
	(1 << 17) /* /proc/stat: its "intr" line has a number for every interrupt there could be \
		   */
#define DISK_STAT_FIELDS 17 /* Documentation/block/stat.rst */

json_t *facts_guest(const char *root, const char *fio_version)
{
	struct utsname u = {0};
	struct sysinfo si = {0};
	json_t *j = json_object();

	uname(&u);
	sysinfo(&si);
	json_object_set_new(j, "kernel", json_sprintf("%s %s", u.release, u.version));
	json_object_set_new(j, "cmdline", sys_json_text("%s/proc/cmdline", root));
	json_object_set_new(j, "cpus", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	json_object_set_new(
		j, "clocksource",
		sys_json_text("%s/sys/devices/system/clocksource/clocksource0/current_clocksource",
			      root));
	json_object_set_new(j, "memory_bytes",
			    json_integer((json_int_t)si.totalram * (json_int_t)si.mem_unit));
	json_object_set_new(j, "boot_id", sys_json_text("%s/proc/sys/kernel/random/boot_id", root));
	json_object_set_new(j, "agent", json_string(AGENT_NAME));
	json_object_set_new(j, "fio", json_string(fio_version));
	return j;
}

/* The "cpu" line in ticks, by proc(5): user nice system idle iowait irq softirq steal. */
static json_t *cpu_line(const char *text)
{
	static const char *const names[] = {"user",   "nice", "system",	 "idle",
					    "iowait", "irq",  "softirq", "steal"};
	json_t *j = json_object();
	char *at = (char *)text + strlen("cpu");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		json_object_set_new(j, names[i], json_integer((json_int_t)strtoull(at, &at, 10)));
	return j;
}

/* The number behind "\nname " of /proc/stat. */
static json_t *stat_number(const char *text, const char *name)
{
	char key[32];
	const char *at;

	snprintf(key, sizeof(key), "\n%s ", name);
	at = strstr(text, key);
	return at ? json_integer((json_int_t)strtoull(at + strlen(key), NULL, 10)) : json_null();
}

/* Adds the numbers of a line to v; how many there were. */
static int stat_add(const char *at, uint64_t v[DISK_STAT_FIELDS])
{
	char *end;
	int n = 0;

	for (; n < DISK_STAT_FIELDS; n++, at = end) {
		uint64_t x = strtoull(at, &end, 10);

		if (end == at)
			break;
		v[n] += x;
	}
	return n;
}

/*
 * Counters of many disks in one file instead of one each: "major minor name" and then the same
 * fields (Documentation/admin-guide/iostats.rst). The least number of fields that any of them has;
 * 0 when one is missing.
 */
static int disk_stats_all(const char *root, const struct disk_set *disks,
			  uint64_t v[DISK_STAT_FIELDS])
{
	char path[PATH_MAX], line[1024], name[DISK_NAME_MAX];
	int least = DISK_STAT_FIELDS, at;
	size_t found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/diskstats", root);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		int n;

		if (sscanf(line, "%*u %*u %63s%n", name, &at) != 1 || !disk_set_has(disks, name))
			continue;
		n = stat_add(line + at, v);
		least = n < least ? n : least;
		found++;
	}
	if (f)
		fclose(f);
	return found == disks->n ? least : 0;
}

/* Fields of /sys/block/DISK/stat, summed; how many there are. */
static int disk_stat(const char *root, const struct disk_set *disks, uint64_t v[DISK_STAT_FIELDS])
{
	char buf[512];

	memset(v, 0, DISK_STAT_FIELDS * sizeof(*v));
	if (!disks->n)
		return 0;
	if (disks->n > 1)
		return disk_stats_all(root, disks, v);
	if (sys_read(buf, sizeof(buf), "%s/sys/block/%s/stat", root, disks->names[0]) <= 0)
		return 0;
	return stat_add(buf, v);
}

bool facts_disks_done(const char *root, const struct disk_set *disks, uint64_t *ios,
		      uint64_t *bytes)
{
	uint64_t v[DISK_STAT_FIELDS];

	if (disk_stat(root, disks, v) < 7)
		return false;
	*ios = v[0] + v[4];
	*bytes = (v[2] + v[6]) * 512;
	return true;
}

json_t *facts_counters(const char *root, const struct disk_set *disks)
{
	uint64_t v[DISK_STAT_FIELDS];
	char *text = malloc(STAT_MAX);
	json_t *j = json_object();
	int n;

	if (text && sys_read(text, STAT_MAX, "%s/proc/stat", root) > 0) {
		json_object_set_new(j, "cpu", cpu_line(text));
		json_object_set_new(j, "ctxt", stat_number(text, "ctxt"));
		json_object_set_new(j, "intr", stat_number(text, "intr"));
	}
	free(text);
	json_object_set_new(j, "hz", json_integer(sysconf(_SC_CLK_TCK)));
	json_object_set_new(j, "mono_ns", json_integer((json_int_t)sys_mono_ns()));
	n = disk_stat(root, disks, v);
	if (n) {
		json_t *a = json_array();

		for (int i = 0; i < n; i++)
			json_array_append_new(a, json_integer((json_int_t)v[i]));
		json_object_set_new(j, "disk_stat", a);
	}
	return j;
}
