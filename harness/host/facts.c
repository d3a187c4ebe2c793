/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything about this machine that a number measured on it may hang on, as one JSON object. */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "host/host.h"
#include "host/id.h"
#include "host/noise.h"
#include "host/program.h"
#include "host/read.h"
#include "host/uring.h"

/* How the first line of a file becomes a value. */
enum how {
	LINE,	/* as it is */
	NUMBER, /* decimal */
	CHOSEN, /* the word in brackets */
	YES,	/* 1, Y -> true; 0, N -> false */
	NO,	/* the other way round */
};

struct fact_row {
	const char *group; /* object it stands in; NULL: the top */
	const char *key;
	enum how how;
	const char *path;
};

#define CPU_DIR "/sys/devices/system/cpu"
#define THP_DIR "/sys/kernel/mm/transparent_hugepage"

/* In the order in which they are shown. A key that comes twice: the first file that can be read
 * counts. */
static const struct fact_row rows[] = {
	{NULL, "kernel", LINE, "/proc/sys/kernel/osrelease"},
	{NULL, "kernel_version", LINE, "/proc/sys/kernel/version"},
	{NULL, "cmdline", LINE, "/proc/cmdline"},
	{NULL, "boot_id", LINE, "/proc/sys/kernel/random/boot_id"},
	{NULL, "clocksource", LINE,
	 "/sys/devices/system/clocksource/clocksource0/current_clocksource"},
	{NULL, "smt", LINE, CPU_DIR "/smt/control"},
	{NULL, "turbo", NO, CPU_DIR "/intel_pstate/no_turbo"},
	{NULL, "turbo", YES, CPU_DIR "/cpufreq/boost"},
	{NULL, "isolated_cpus", LINE, CPU_DIR "/isolated"},
	{NULL, "nohz_full", LINE, CPU_DIR "/nohz_full"},
	{"cpuidle", "driver", LINE, CPU_DIR "/cpuidle/current_driver"},
	{"cpuidle", "governor", LINE, CPU_DIR "/cpuidle/current_governor"},
	{"cpuidle", "governor", LINE, CPU_DIR "/cpuidle/current_governor_ro"},
	{NULL, "tuned", LINE, "/etc/tuned/active_profile"},
	{"thp", "enabled", CHOSEN, THP_DIR "/enabled"},
	{"thp", "defrag", CHOSEN, THP_DIR "/defrag"},
	{"thp", "shmem", CHOSEN, THP_DIR "/shmem_enabled"},
	{"ksm", "run", NUMBER, "/sys/kernel/mm/ksm/run"},
	{"ksm", "pages_to_scan", NUMBER, "/sys/kernel/mm/ksm/pages_to_scan"},
	{"ksm", "sleep_millisecs", NUMBER, "/sys/kernel/mm/ksm/sleep_millisecs"},
	{"ksm", "merge_across_nodes", NUMBER, "/sys/kernel/mm/ksm/merge_across_nodes"},
	{"ksm", "pages_sharing", NUMBER, "/sys/kernel/mm/ksm/pages_sharing"},
	{NULL, "numa_balancing", NUMBER, "/proc/sys/kernel/numa_balancing"},
	{"vm", "swappiness", NUMBER, "/proc/sys/vm/swappiness"},
	{"vm", "dirty_ratio", NUMBER, "/proc/sys/vm/dirty_ratio"},
	{"vm", "dirty_background_ratio", NUMBER, "/proc/sys/vm/dirty_background_ratio"},
	{"vm", "dirty_bytes", NUMBER, "/proc/sys/vm/dirty_bytes"},
	{"vm", "dirty_background_bytes", NUMBER, "/proc/sys/vm/dirty_background_bytes"},
	{"vm", "dirty_expire_centisecs", NUMBER, "/proc/sys/vm/dirty_expire_centisecs"},
	{"vm", "dirty_writeback_centisecs", NUMBER, "/proc/sys/vm/dirty_writeback_centisecs"},
	{"vm", "overcommit_memory", NUMBER, "/proc/sys/vm/overcommit_memory"},
	{"vm", "zone_reclaim_mode", NUMBER, "/proc/sys/vm/zone_reclaim_mode"},
	{"vm", "unprivileged_userfaultfd", NUMBER, "/proc/sys/vm/unprivileged_userfaultfd"},
	{"aio", "max_nr", NUMBER, "/proc/sys/fs/aio-max-nr"},
	{"aio", "nr", NUMBER, "/proc/sys/fs/aio-nr"},
	{NULL, "nested", YES, "/sys/module/kvm_intel/parameters/nested"},
	{NULL, "nested", YES, "/sys/module/kvm_amd/parameters/nested"},
	{NULL, "nested", YES, "/sys/module/kvm/parameters/nested"},
	{NULL, "halt_poll_ns", NUMBER, "/sys/module/kvm/parameters/halt_poll_ns"},
};

static json_t *fact_value(const char *root, const struct fact_row *r)
{
	char line[4096];
	int64_t n;

	switch (r->how) {
	case NUMBER:
		return host_number(&n, root, "%s", r->path) ? json_integer(n) : json_null();
	case LINE:
		return host_json_line(root, "%s", r->path);
	default:
		break;
	}
	if (!host_line(line, sizeof(line), root, "%s", r->path))
		return json_null();
	if (r->how == CHOSEN)
		return host_json_string(host_chosen(line));
	if (strchr("1Yy", *line) && *line)
		return json_boolean(r->how == YES);
	if (strchr("0Nn", *line) && *line)
		return json_boolean(r->how == NO);
	return json_null();
}

static void put_rows(const char *root, json_t *facts)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *into = facts, *old;

		if (rows[i].group) {
			into = json_object_get(facts, rows[i].group);
			if (!into) {
				into = json_object();
				json_object_set_new(facts, rows[i].group, into);
			}
		}
		old = json_object_get(into, rows[i].key);
		if (!old || json_is_null(old))
			json_object_set_new(into, rows[i].key, fact_value(root, &rows[i]));
	}
}

/* os-release(5): shell-like KEY="value". */
static json_t *distro(const char *root)
{
	char *text = host_text(root, "/etc/os-release");
	char buf[256], *v = buf;
	json_t *j = json_null();
	size_t n;

	if (!text)
		text = host_text(root, "/usr/lib/os-release");
	if (text && (host_field(text, "PRETTY_NAME", '=', buf, sizeof(buf)) ||
		     host_field(text, "NAME", '=', buf, sizeof(buf)))) {
		n = strlen(v);
		if (n >= 2 && (*v == '"' || *v == '\'') && v[n - 1] == *v) {
			v[n - 1] = '\0';
			v++;
		}
		j = host_json_string(v);
	}
	free(text);
	return j;
}

static json_t *microcode(const char *root)
{
	char *text = host_text(root, "/proc/cpuinfo");
	char buf[64];
	json_t *j;

	if (text && host_field(text, "microcode", ':', buf, sizeof(buf)))
		j = host_json_string(buf);
	else
		j = host_json_line(root, CPU_DIR "/cpu0/microcode/version");
	free(text);
	return j;
}

static json_t *mitigations(const char *root)
{
	char **names;
	size_t n = host_names(&names, root, CPU_DIR "/vulnerabilities");
	json_t *o = n ? json_object() : json_null();

	for (size_t i = 0; i < n; i++)
		json_object_set_new(o, names[i],
				    host_json_line(root, CPU_DIR "/vulnerabilities/%s", names[i]));
	host_names_free(names, n);
	return o;
}

/* Whether word is one of the words in a list such as "performance, powersave". */
static bool listed(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += n)
		if ((p == list || p[-1] == ' ') && (p[n] == ',' || !p[n]))
			return true;
	return false;
}

/* What all frequency policies say: "performance", or "performance, powersave" where they differ;
 * null without. */
static json_t *all_policies(const char *root, const char *file)
{
	char **names, line[128], all[512] = "";
	size_t n = host_names(&names, root, CPU_DIR "/cpufreq");

	for (size_t i = 0; i < n; i++) {
		if (strncmp(names[i], "policy", 6) != 0 ||
		    !host_line(line, sizeof(line), root, CPU_DIR "/cpufreq/%s/%s", names[i], file))
			continue;
		if (!*line || listed(all, line))
			continue;
		if (strlen(all) + strlen(line) + 3 > sizeof(all))
			break;
		if (*all)
			strcat(all, ", ");
		strcat(all, line);
	}
	host_names_free(names, n);
	return host_json_string(*all ? all : NULL);
}

static json_t *meminfo_bytes(const char *text, const char *key)
{
	char buf[64];

	if (!text || !host_field(text, key, ':', buf, sizeof(buf)))
		return json_null();
	return json_integer(strtoll(buf, NULL, 10) * 1024);
}

static json_t *hugepages(const char *root)
{
	char **names;
	size_t n = host_names(&names, root, "/sys/kernel/mm/hugepages");
	json_t *list = n ? json_array() : json_null();

	for (size_t i = 0; i < n; i++) {
		const char *dir = "/sys/kernel/mm/hugepages";
		long long kib;
		json_t *o;

		if (sscanf(names[i], "hugepages-%lldkB", &kib) != 1)
			continue;
		o = json_object();
		json_object_set_new(o, "bytes", json_integer(kib * 1024));
		json_object_set_new(o, "total",
				    host_json_number(root, "%s/%s/nr_hugepages", dir, names[i]));
		json_object_set_new(o, "free",
				    host_json_number(root, "%s/%s/free_hugepages", dir, names[i]));
		json_array_append_new(list, o);
	}
	host_names_free(names, n);
	return list;
}

static json_t *memory(const char *root)
{
	char *text = host_text(root, "/proc/meminfo");
	json_t *o = json_object();

	json_object_set_new(o, "total_bytes", meminfo_bytes(text, "MemTotal"));
	json_object_set_new(o, "available_bytes", meminfo_bytes(text, "MemAvailable"));
	json_object_set_new(o, "swap_total_bytes", meminfo_bytes(text, "SwapTotal"));
	json_object_set_new(o, "swap_free_bytes", meminfo_bytes(text, "SwapFree"));
	json_object_set_new(o, "hugepages", hugepages(root));
	free(text);
	return o;
}

static json_t *module_parameters(const char *root, const char *module)
{
	char **names;
	size_t n = host_names(&names, root, "/sys/module/%s/parameters", module);
	json_t *o = json_object();

	for (size_t i = 0; i < n; i++)
		json_object_set_new(
			o, names[i],
			host_json_line(root, "/sys/module/%s/parameters/%s", module, names[i]));
	host_names_free(names, n);
	return o;
}

/* Only what can be told without using it: that a KVM works is shown by booting a guest, and by
 * nothing less. */
static json_t *kvm(const char *root)
{
	char **names;
	size_t n = host_names(&names, root, "/sys/module");
	json_t *o = json_object(), *modules = json_object();
	char *device = xasprintf("%s/dev/kvm", root);

	json_object_set_new(o, "device",
			    access(device, F_OK) == 0 ? json_string("/dev/kvm") : json_null());
	json_object_set_new(o, "readable",
			    *root ? json_null() : json_boolean(access(device, R_OK | W_OK) == 0));
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], "kvm") == 0 || strncmp(names[i], "kvm_", 4) == 0)
			json_object_set_new(modules, names[i], module_parameters(root, names[i]));
	json_object_set_new(o, "modules", modules);
	host_names_free(names, n);
	free(device);
	return o;
}

int host_uring_probe(void)
{
	struct io_uring_params p = {0};
	long fd = syscall(SYS_io_uring_setup, 1, &p);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static json_t *uring(const char *root)
{
	json_t *o = json_object();
	int rc = *root ? 0 : host_uring_probe();

	json_object_set_new(o, "disabled",
			    host_json_number(root, "/proc/sys/kernel/io_uring_disabled"));
	json_object_set_new(o, "group", host_json_number(root, "/proc/sys/kernel/io_uring_group"));
	json_object_set_new(o, "works", *root ? json_null() : json_boolean(rc == 0));
	json_object_set_new(o, "error", rc ? json_string(strerrorname_np(-rc)) : json_null());
	return o;
}

static json_t *storage(const char *root, const char *const *dirs)
{
	json_t *list = json_array();

	for (; dirs && *dirs; dirs++)
		json_array_append_new(list, host_storage_at(root, *dirs));
	return list;
}

static void put_programs(json_t *facts, const char *root, const char *qemu)
{
	bool live = !*root;

	json_object_set_new(facts, "qemu",
			    live ? host_program_facts(qemu ? qemu : host_qemu_name())
				 : json_null());
	json_object_set_new(facts, "qemu_img", live ? host_program_facts("qemu-img") : json_null());
	json_object_set_new(facts, "fio", live ? host_program_facts("fio") : json_null());
}

json_t *host_facts_at(const char *root, const char *qemu, const char *const *image_dirs)
{
	json_t *facts = json_object();
	struct utsname u = {0};
	char id[65];

	host_id_at(root, id);
	json_object_set_new(facts, "host_id", json_string(id));
	json_object_set_new(facts, "architecture",
			    !*root && uname(&u) == 0
				    ? host_json_string(u.machine)
				    : host_json_line(root, "/proc/sys/kernel/arch"));
	json_object_set_new(facts, "cpu", host_cpu_at(root));
	json_object_set_new(facts, "topology", host_topology_at(root));
	host_hypervisor_at(root, facts);
	json_object_set_new(facts, "distro", distro(root));
	json_object_set_new(facts, "microcode", microcode(root));
	json_object_set_new(facts, "mitigations", mitigations(root));
	json_object_set_new(facts, "frequency_driver", all_policies(root, "scaling_driver"));
	json_object_set_new(facts, "governor", all_policies(root, "scaling_governor"));
	json_object_set_new(facts, "energy_preference",
			    all_policies(root, "energy_performance_preference"));
	put_rows(root, facts);
	json_object_set_new(facts, "memory", memory(root));
	json_object_set_new(facts, "io_uring", uring(root));
	json_object_set_new(facts, "kvm", kvm(root));
	json_object_set_new(facts, "uid", *root ? json_null() : json_integer(geteuid()));
	json_object_set_new(facts, "other_guests",
			    json_integer(host_other_guests_at(root, getpid())));
	put_programs(facts, root, qemu);
	json_object_set_new(facts, "storage", storage(root, image_dirs));
	return facts;
}

json_t *host_facts(const char *qemu, const char *const *image_dirs)
{
	return host_facts_at("", qemu, image_dirs);
}
