/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What cgroups (v2) allow a running QEMU. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "vm/internal.h"

#define ROOT "/sys/fs/cgroup"

/* The process's place in the unified hierarchy, new; NULL: none, or outside of what we see. */
static char *group_path(const struct proc *p)
{
	char *text = proc_text(p, 1 << 16, "cgroup"), *path = NULL;
	const char *at = text ? strstr(text, "0::/") : NULL;

	if (at && (at == text || at[-1] == '\n')) {
		path = xasprintf("%.*s", (int)strcspn(at + 3, "\n"), at + 3);
		if (strstr(path, "..")) {
			free(path);
			path = NULL;
		}
	}
	free(text);
	return path;
}

/* "max 100000" or "50000 100000" of a group's cpu.max. */
static bool quota_read(const char *path, uint64_t *quota, uint64_t *period)
{
	char name[4200], line[64];

	snprintf(name, sizeof(name), ROOT "%s/cpu.max", path);
	if (file_line(name, line, sizeof(line)))
		return false;
	*quota = 0;
	return sscanf(line, "max %" SCNu64, period) == 1 ||
	       sscanf(line, "%" SCNu64 " %" SCNu64, quota, period) == 2;
}

/* libvirt keeps each vCPU, iothread and the emulator in a group of its own, below the machine's. */
static void libvirt_parts(struct vm *vm, char *path)
{
	char *tail = strstr(path, "/libvirt/");
	uint64_t quota, period;

	if (!tail)
		return;
	if (quota_read(path, &quota, &period) && strstr(tail, "emulator"))
		vm_set_number(vm, VM_GOT, quota, path, "emulator.quota-us");
	*tail = '\0';
}

void proc_cgroup(struct vm *vm, const struct proc *p)
{
	char *path = group_path(p), name[4200], *slash;
	uint64_t quota = 0, period = 0, least = 0, least_period = 0, number;
	bool weighed = false, counted = false, limited = false;

	if (!path) {
		vm_note(vm, "/proc/%d/cgroup: no group of cgroup v2; its limits are left out",
			p->pid);
		return;
	}
	libvirt_parts(vm, path);
	/* What holds is the tightest of all groups above; the weight is that of the nearest. */
	for (; *path && strcmp(path, "/"); *slash = '\0') {
		char text[32];

		snprintf(name, sizeof(name), ROOT "%s/cpu.weight", path);
		if (!weighed && !file_u64(name, &number)) {
			weighed = true;
			vm_set_number(vm, VM_GOT, number, name, "cpu.shares");
		}
		if (quota_read(path, &quota, &period)) {
			limited = true;
			if (quota && period && (!least || quota * least_period < least * period)) {
				least = quota;
				least_period = period;
			}
		}
		snprintf(name, sizeof(name), ROOT "%s/cpu.stat", path);
		if (!counted) {
			char *stat = NULL;

			if (!file_read(name, 1 << 14, &stat, NULL)) {
				const char *at = strstr(stat, "nr_throttled ");

				counted = at != NULL;
				if (at && sscanf(at + 13, "%20[0-9]", text) == 1)
					vm_set(vm, VM_GOT, text, name, "cpu.throttled");
			}
			free(stat);
		}
		slash = strrchr(path, '/');
		if (!slash)
			break;
	}
	if (limited) {
		snprintf(name, sizeof(name), "/proc/%d/cgroup", p->pid);
		vm_set_number(vm, VM_GOT, least, name, "cpu.global-quota-us");
		if (least)
			vm_set_number(vm, VM_GOT, least_period, name, "cpu.period-us");
	}
	free(path);
}
