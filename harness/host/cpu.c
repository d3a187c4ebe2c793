/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processor this is, and whether a hypervisor stands under it: libcpuid on amd64, else
 * /proc/cpuinfo. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <libcpuid/libcpuid.h>
#endif
#include "base/err.h"
#include "base/file.h"
#include "host/gather.h"
#include "host/read.h"

/* What a guest's block I/O can feel: virtualisation, timers, mitigations' levers, copies and
 * checksums. */
static const char *const flags_of_interest[] = {
	"aes",
	"avx2",
	"avx512f",
	"constant_tsc",
	"ept",
	"erms",
	"flexpriority",
	"fsrm",
	"hypervisor",
	"ibrs",
	"ibrs_enhanced",
	"invpcid",
	"la57",
	"nonstop_tsc",
	"npt",
	"pcid",
	"pclmulqdq",
	"posted_intr",
	"sha_ni",
	"svm",
	"tsc_adjust",
	"avic",
	"tsc_deadline_timer",
	"vmx",
	"vpid",
	"x2apic",
};

/* /proc/cpuinfo's names differ by architecture: the first that is there counts. */
static const struct {
	const char *key;
	const char *names[4];
	bool number;
} cpuinfo_rows[] = {
	{"vendor", {"vendor_id", "CPU implementer", "vendor", "mvendorid"}, false},
	{"brand", {"model name", "Model Name", "cpu", "uarch"}, false},
	{"family", {"cpu family", "CPU architecture", NULL}, true},
	{"model", {"model", "CPU part", NULL}, true},
	{"stepping", {"stepping", "CPU revision", NULL}, true},
};

static void from_cpuinfo(const char *text, json_t *cpu)
{
	char buf[256];

	json_object_set_new(cpu, "source", json_string("proc"));
	for (size_t i = 0; i < sizeof(cpuinfo_rows) / sizeof(cpuinfo_rows[0]); i++) {
		json_t *v = NULL;

		for (size_t k = 0; k < 4 && cpuinfo_rows[i].names[k] && !v; k++) {
			char *end;
			long n;

			if (!text ||
			    !host_field(text, cpuinfo_rows[i].names[k], ':', buf, sizeof(buf)))
				continue;
			n = strtol(buf, &end, 0);
			if (!cpuinfo_rows[i].number)
				v = host_json_string(buf);
			else if (end != buf && !*end)
				v = json_integer(n);
		}
		json_object_set_new(cpu, cpuinfo_rows[i].key, v ? v : json_null());
	}
	json_object_set_new(cpu, "codename", json_null());
}

/* The flags of flags_of_interest that the kernel lists, in the table's order; null if it lists
 * none. */
static json_t *flags_in(const char *text)
{
	size_t size = 16384;
	char *line = xcalloc(1, size);
	json_t *list = json_null();

	if (text && (host_field(text, "flags", ':', line + 1, size - 2) ||
		     host_field(text, "Features", ':', line + 1, size - 2))) {
		line[0] = ' ';
		strcat(line, " ");
		list = json_array();
		for (size_t i = 0; i < sizeof(flags_of_interest) / sizeof(flags_of_interest[0]);
		     i++) {
			char word[64];

			snprintf(word, sizeof(word), " %s ", flags_of_interest[i]);
			if (strstr(line, word))
				json_array_append_new(list, json_string(flags_of_interest[i]));
		}
	}
	free(line);
	return list;
}

#if defined(__x86_64__)
static bool identify(struct cpu_raw_data_t *raw, struct cpu_id_t *id)
{
	return cpuid_present() && cpuid_get_raw_data(raw) == 0 && cpu_identify(raw, id) == 0;
}

static bool from_libcpuid(json_t *cpu)
{
	struct cpu_raw_data_t *raw = xcalloc(1, sizeof(*raw));
	struct cpu_id_t *id = xcalloc(1, sizeof(*id));
	bool ok = identify(raw, id);

	if (ok) {
		json_object_set_new(cpu, "source", json_string("libcpuid"));
		json_object_set_new(cpu, "vendor", host_json_string(id->vendor_str));
		json_object_set_new(cpu, "brand", host_json_string(id->brand_str));
		/* The display family and model, which is what the kernel prints, too. */
		json_object_set_new(cpu, "family", json_integer(id->ext_family));
		json_object_set_new(cpu, "model", json_integer(id->ext_model));
		json_object_set_new(cpu, "stepping", json_integer(id->stepping));
		json_object_set_new(cpu, "codename", host_json_string(id->cpu_codename));
	}
	free(id);
	free(raw);
	return ok;
}

static const char *hypervisor_asked(void)
{
	static const char *const names[NUM_HYPERVISOR_VENDORS] = {
		[HYPERVISOR_BHYVE] = "bhyve",	[HYPERVISOR_HYPERV] = "hyper-v",
		[HYPERVISOR_KVM] = "kvm",	[HYPERVISOR_PARALLELS] = "parallels",
		[HYPERVISOR_QEMU] = "qemu-tcg", [HYPERVISOR_VIRTUALBOX] = "virtualbox",
		[HYPERVISOR_VMWARE] = "vmware", [HYPERVISOR_XEN] = "xen",
	};
	struct cpu_raw_data_t *raw = xcalloc(1, sizeof(*raw));
	struct cpu_id_t *id = xcalloc(1, sizeof(*id));
	int v = identify(raw, id) ? (int)cpuid_get_hypervisor(raw, id) : -1;

	free(id);
	free(raw);
	return v >= 0 && v < NUM_HYPERVISOR_VENDORS ? names[v] : NULL;
}

/* Serialised into a file without a name: libcpuid writes to paths only. */
char *host_cpuid_dump(void)
{
	struct cpu_raw_data_t *raw = xcalloc(1, sizeof(*raw));
	int fd = memfd_create("cpuid", MFD_CLOEXEC);
	char path[40], *text = NULL;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || !cpuid_present() || cpuid_get_raw_data(raw) != 0 ||
	    cpuid_serialize_raw_data(raw, path) != 0 || file_read(path, 1u << 20, &text, NULL) < 0)
		text = NULL;
	if (fd >= 0)
		close(fd);
	free(raw);
	return text;
}
#else
char *host_cpuid_dump(void)
{
	return NULL;
}

static bool from_libcpuid(json_t *cpu)
{
	(void)cpu;
	return false;
}

static const char *hypervisor_asked(void)
{
	return NULL;
}
#endif

json_t *host_cpu_at(const char *root)
{
	char *text = host_text(root, "/proc/cpuinfo");
	json_t *cpu = json_object();

	if (*root || !from_libcpuid(cpu))
		from_cpuinfo(text, cpu);
	json_object_set_new(cpu, "flags", flags_in(text));
	json_object_set_new(
		cpu, "max_khz",
		host_json_number(root, "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"));
	free(text);
	return cpu;
}

/* Firmware that hypervisors sign with their own name. */
static const char *hypervisor_by_dmi(const char *root)
{
	static const struct {
		const char *file, *prefix, *name;
	} rows[] = {
		{"sys_vendor", "QEMU", "qemu"},
		{"product_name", "KVM", "kvm"},
		{"product_name", "OpenStack", "kvm"},
		{"sys_vendor", "VMware", "vmware"},
		{"product_name", "VirtualBox", "virtualbox"},
		{"product_name", "Virtual Machine", "hyper-v"},
		{"sys_vendor", "Xen", "xen"},
		{"sys_vendor", "Parallels", "parallels"},
		{"product_name", "Google Compute Engine", "kvm"},
		{"bios_vendor", "BHYVE", "bhyve"},
	};
	char buf[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (host_line(buf, sizeof(buf), root, "/sys/class/dmi/id/%s", rows[i].file) &&
		    strncmp(buf, rows[i].prefix, strlen(rows[i].prefix)) == 0)
			return rows[i].name;
	return NULL;
}

/* x86 has a CPUID bit for it; elsewhere only a name in the firmware can say so, and its absence
 * says nothing. */
void host_hypervisor_at(const char *root, json_t *facts)
{
	char *text = host_text(root, "/proc/cpuinfo");
	json_t *flags = flags_in(text), *f;
	const char *name = NULL;
	bool told = false, flag = false;
	size_t i;

	if (json_is_array(flags)) {
		told = host_field(text, "flags", ':', (char[8]){0}, 8);
		json_array_foreach(flags, i, f) flag |=
			strcmp(json_string_value(f), "hypervisor") == 0;
	}
	if (!told || flag) {
		name = *root ? NULL : hypervisor_asked();
		if (!name)
			name = hypervisor_by_dmi(root);
	}
	json_object_set_new(facts, "virtualised",
			    told   ? json_boolean(flag)
			    : name ? json_true()
				   : json_null());
	json_object_set_new(facts, "hypervisor", name ? json_string(name) : json_null());
	json_decref(flags);
	free(text);
}
