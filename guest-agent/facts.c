/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest is, and its counters around a job. */
#include <inttypes.h>
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

/* Fields of /sys/block/DISK/stat; how many there are. */
static int disk_stat(const char *root, const char *disk, uint64_t v[DISK_STAT_FIELDS])
{
	char buf[512], *at = buf, *end;
	int n = 0;

	if (!disk[0] || sys_read(buf, sizeof(buf), "%s/sys/block/%s/stat", root, disk) <= 0)
		return 0;
	for (; n < DISK_STAT_FIELDS; n++, at = end) {
		v[n] = strtoull(at, &end, 10);
		if (end == at)
			break;
	}
	return n;
}

bool facts_disk_done(const char *root, const char *disk, uint64_t *ios, uint64_t *bytes)
{
	uint64_t v[DISK_STAT_FIELDS];

	if (disk_stat(root, disk, v) < 7)
		return false;
	*ios = v[0] + v[4];
	*bytes = (v[2] + v[6]) * 512;
	return true;
}

json_t *facts_counters(const char *root, const char *disk)
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
	n = disk_stat(root, disk, v);
	if (n) {
		json_t *a = json_array();

		for (int i = 0; i < n; i++)
			json_array_append_new(a, json_integer((json_int_t)v[i]));
		json_object_set_new(j, "disk_stat", a);
	}
	return j;
}
