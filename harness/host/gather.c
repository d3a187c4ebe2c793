/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which files of /proc and /sys tell how a machine is set up, and reading them. */
#include "host/gather.h"
#include <ctype.h>
#include <glob.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "base/file.h"
#include "host/read.h"
#include "host/snapshot.h"

/* clang-format off */
const char *const snapshot_patterns[] = {
	/* boot and memory */
	"/proc/cmdline", "/proc/meminfo", "/proc/swaps", "/proc/loadavg", "/proc/cpuinfo",
	"/proc/pressure/cpu", "/proc/pressure/io", "/proc/pressure/memory",
	"/proc/sys/kernel/osrelease", "/proc/sys/kernel/numa_balancing", "/proc/sys/kernel/io_uring_disabled",
	"/proc/sys/kernel/nmi_watchdog", "/proc/sys/kernel/timer_migration", "/proc/sys/kernel/sched_rt_runtime_us",
	"/proc/sys/vm/swappiness", "/proc/sys/vm/dirty_ratio", "/proc/sys/vm/dirty_background_ratio",
	"/proc/sys/vm/dirty_bytes", "/proc/sys/vm/dirty_background_bytes", "/proc/sys/vm/overcommit_memory",
	"/proc/sys/vm/nr_hugepages", "/proc/sys/vm/nr_overcommit_hugepages", "/proc/sys/vm/unprivileged_userfaultfd", "/proc/sys/vm/zone_reclaim_mode",
	"/proc/sys/net/core/busy_poll", "/proc/sys/net/core/busy_read", "/proc/sys/net/core/somaxconn",
	"/proc/sys/fs/aio-max-nr", "/proc/sys/fs/aio-nr",
	"/etc/tuned/active_profile",
	/* CPUs */
	"/sys/devices/system/cpu/online", "/sys/devices/system/cpu/offline", "/sys/devices/system/cpu/possible",
	"/sys/devices/system/cpu/isolated", "/sys/devices/system/cpu/nohz_full",
	"/sys/devices/system/cpu/smt/active", "/sys/devices/system/cpu/smt/control",
	"/sys/devices/system/cpu/vulnerabilities/*",
	"/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor",
	"/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_driver",
	"/sys/devices/system/cpu/cpu0/cpufreq/scaling_available_governors",
	"/sys/devices/system/cpu/cpu[0-9]*/cpufreq/energy_performance_preference",
	"/sys/devices/system/cpu/cpu[0-9]*/power/energy_perf_bias",
	"/sys/devices/system/cpu/intel_pstate/*", "/sys/devices/system/cpu/amd_pstate/status",
	"/sys/devices/system/cpu/cpufreq/boost",
	"/sys/devices/system/cpu/cpuidle/current_driver", "/sys/devices/system/cpu/cpuidle/current_governor",
	"/sys/devices/system/cpu/cpu0/cpuidle/state*/name", "/sys/devices/system/cpu/cpu0/cpuidle/state*/latency",
	"/sys/devices/system/cpu/cpu0/cpuidle/state*/disable",
	"/sys/devices/system/clocksource/clocksource0/current_clocksource",
	"/sys/devices/system/clocksource/clocksource0/available_clocksource",
	/* NUMA and pages */
	"/sys/devices/system/node/online", "/sys/devices/system/node/has_memory",
	"/sys/devices/system/node/node[0-9]*/meminfo", "/sys/devices/system/node/node[0-9]*/distance",
	"/sys/devices/system/node/node[0-9]*/cpulist",
	"/sys/devices/system/node/node[0-9]*/hugepages/hugepages-*/*",
	"/sys/kernel/mm/hugepages/hugepages-*/*",
	"/sys/kernel/mm/ksm/*", "/sys/kernel/mm/lru_gen/enabled",
	"/sys/kernel/mm/transparent_hugepage/enabled", "/sys/kernel/mm/transparent_hugepage/defrag",
	"/sys/kernel/mm/transparent_hugepage/shmem_enabled", "/sys/kernel/mm/transparent_hugepage/khugepaged/*",
	/* virtualisation */
	"/sys/module/kvm/parameters/*", "/sys/module/kvm_intel/parameters/*", "/sys/module/kvm_amd/parameters/*",
	"/sys/module/haltpoll/parameters/*", "/sys/fs/resctrl/schemata", "/sys/fs/resctrl/info/L3/num_closids",
	/* devices */
	"/sys/block/*/queue/scheduler", "/sys/block/*/queue/rotational", "/sys/block/*/queue/read_ahead_kb",
	"/sys/block/*/queue/nr_requests", "/sys/block/*/queue/wbt_lat_usec", "/sys/block/*/queue/nomerges",
	"/sys/block/*/queue/rq_affinity", "/sys/block/*/queue/io_poll", "/sys/block/*/queue/write_cache",
	"/sys/block/*/queue/logical_block_size", "/sys/block/*/queue/physical_block_size", "/sys/block/*/queue/discard_max_bytes",
	"/sys/block/*/device/numa_node", "/sys/class/nvme/*/numa_node", "/sys/class/nvme/*/device/numa_node",
	"/sys/class/net/*/device/numa_node", "/sys/class/net/*/mtu",
	NULL,
};
/* clang-format on */

void host_files_free(struct host_files *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->list[i].path);
		free(f->list[i].text);
	}
	free(f->list);
	*f = (struct host_files){0};
}

void host_files_add(struct host_files *f, const char *path, const char *text)
{
	json_t *clean = host_json_string(text);
	char *copy = xstrdup(json_string_value(clean));
	size_t len = strlen(copy);

	json_decref(clean);
	if (len && copy[len - 1] == '\n')
		copy[len - 1] = '\0';
	f->list = xrealloc(f->list, f->n + 1, sizeof(*f->list));
	f->list[f->n++] = (struct host_file){xstrdup(path), copy};
}

static int by_path(const void *a, const void *b)
{
	return strverscmp(((const struct host_file *)a)->path, ((const struct host_file *)b)->path);
}

void host_files_sort(struct host_files *f)
{
	if (f->n)
		qsort(f->list, f->n, sizeof(*f->list), by_path);
}

const char *host_files_find(const struct host_files *f, const char *path)
{
	struct host_file key = {(char *)path, NULL}, *found;

	found = f->n ? bsearch(&key, f->list, f->n, sizeof(*f->list), by_path) : NULL;
	return found ? found->text : NULL;
}

/* All processors say the same of flags and model: the first one is enough. */
static void cut_cpuinfo(char *text)
{
	char *end = strstr(text, "\n\n");

	if (end)
		end[1] = '\0';
}

/* Kernel parameters that are about speed. Others may name disks, hosts and secrets, and a snapshot
 * is made to be sent to others. */
static const char *const parameters[] = {
	"amd_iommu",
	"amd_pstate",
	"clocksource",
	"cpufreq",
	"cpuidle",
	"default_hugepagesz",
	"elevator",
	"haltpoll",
	"hugepages",
	"hugepagesz",
	"idle",
	"intel_idle",
	"intel_iommu",
	"intel_pstate",
	"iommu",
	"irqaffinity",
	"isolcpus",
	"kthread_cpus",
	"kvm",
	"kvm_amd",
	"kvm_intel",
	"l1tf",
	"maxcpus",
	"mce",
	"mds",
	"mem",
	"mitigations",
	"nmi_watchdog",
	"nohz",
	"nohz_full",
	"nosmt",
	"nr_cpus",
	"numa",
	"numa_balancing",
	"nvme",
	"nvme_core",
	"pci",
	"pcie_aspm",
	"preempt",
	"processor",
	"psi",
	"rcu_nocb_poll",
	"rcu_nocbs",
	"retbleed",
	"scsi_mod",
	"skew_tick",
	"spec_store_bypass_disable",
	"spectre_v2",
	"swiotlb",
	"threadirqs",
	"transparent_hugepage",
	"tsc",
	"tsx",
	NULL,
};

void host_cmdline_clean(char *text)
{
	char *out = text, *save, *copy = xstrdup(text);

	for (char *word = strtok_r(copy, " \t\n", &save); word;
	     word = strtok_r(NULL, " \t\n", &save)) {
		size_t len = strcspn(word, "=.");

		for (size_t i = 0; parameters[i]; i++)
			if (strlen(parameters[i]) == len && !strncmp(parameters[i], word, len))
				out += sprintf(out, "%s%s", out > text ? " " : "", word);
	}
	*out = '\0';
	free(copy);
}

void host_swaps_clean(char *text)
{
	char *in = strchr(text, '\n'), *out;

	if (!in)
		return;
	for (out = ++in; *in;) {
		size_t name = strcspn(in, " \t\n");

		in += name;
		if (name)
			*out++ = '-';
		while (*in && *in != '\n')
			*out++ = *in++;
		if (*in)
			*out++ = *in++;
	}
	*out = '\0';
}

/* enx525400123456: udev names interfaces by their address where it knows no slot. */
bool host_name_is_address(const char *name)
{
	size_t run = 0;

	for (; *name && run < 12; name++)
		run = isxdigit((unsigned char)*name) ? run + 1 : 0;
	return run >= 12;
}

static void gather_file(struct host_files *f, const char *path)
{
	char *text, *cut;

	if (!strncmp(path, "/sys/block/loop", 15) || !strncmp(path, "/sys/block/ram", 14) ||
	    (!strncmp(path, "/sys/class/net/", 15) && host_name_is_address(path)) ||
	    file_read(path, 4u << 20, &text, NULL) < 0)
		return;
	if (!strcmp(path, "/proc/cpuinfo"))
		cut_cpuinfo(text);
	if (!strcmp(path, "/proc/cmdline"))
		host_cmdline_clean(text);
	if (!strcmp(path, "/proc/swaps"))
		host_swaps_clean(text);
	if (strlen(text) > HOST_FILE_MAX) {
		text[HOST_FILE_MAX] = '\0';
		cut = strrchr(text, '\n');
		if (cut)
			*cut = '\0';
	}
	host_files_add(f, path, text);
	free(text);
}

void host_files_gather(struct host_files *f, const char *const *patterns)
{
	for (; *patterns; patterns++) {
		glob_t g;

		if (glob(*patterns, GLOB_NOSORT, NULL, &g) == 0)
			for (size_t i = 0; i < g.gl_pathc; i++)
				gather_file(f, g.gl_pathv[i]);
		globfree(&g);
	}
	host_files_sort(f);
}

void host_services(struct host_files *f)
{
	static const char *const known[] = {
		"irqbalance", "numad", "ksmtuned",	  "ksmd-tuned", "tuned",
		"chronyd",    "ntpd",  "systemd-timesyn", "libvirtd",	"virtqemud",
		"pvedaemon",  "vdsmd", "nova-compute",	  NULL};
	bool runs[sizeof(known) / sizeof(known[0])] = {false};
	char text[400] = "", name[64];
	size_t n, len = 0;
	char **pids;

	n = host_names(&pids, "", "/proc");
	for (size_t i = 0; i < n; i++) {
		if (!isdigit((unsigned char)pids[i][0]) ||
		    !host_line(name, sizeof(name), "", "/proc/%s/comm", pids[i]))
			continue;
		for (size_t k = 0; known[k]; k++)
			runs[k] |= !strcmp(known[k], name);
	}
	host_names_free(pids, n);
	for (size_t k = 0; known[k]; k++)
		if (runs[k])
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
						len ? "\n" : "", known[k]);
	host_files_add(f, "services", text);
	host_files_sort(f);
}
