/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guests of others on this host: they disturb a measurement, and it disturbs them. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "host/noise.h"
#include "host/read.h"

/* A process with this name is a guest; names that end in '*' are prefixes. comm is cut at 15
 * characters. */
static bool name_is_vmm(const char *name)
{
	static const char *const names[] = {
		"qemu-system-*", "qemu-kvm*", "kvm",	      "cloud-hyperviso*", "firecracker*",
		"crosvm*",	 "lkvm",      "VBoxHeadless", "vmware-vmx*",	  "kvm-spice"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = strlen(names[i]);

		if (names[i][len - 1] == '*' ? strncmp(name, names[i], len - 1) == 0
					     : strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

/*
 * comm (may hold anything, also ')'), state and parent of a process, from proc_pid_stat(5).
 * Kernel threads have no exe but a comm such as "kvm-pit/1234", which no name above matches whole.
 */
static bool process_stat(const char *root, const char *pid, char comm[32], char *state, int *ppid)
{
	char line[512], *open, *end;

	if (!host_line(line, sizeof(line), root, "/proc/%s/stat", pid))
		return false;
	open = strchr(line, '(');
	end = strrchr(line, ')');
	if (!open || !end || end < open || sscanf(end + 1, " %c %d", state, ppid) != 2)
		return false;
	*end = '\0';
	snprintf(comm, 32, "%s", open + 1);
	return true;
}

static bool exe_is_vmm(const char *root, const char *pid)
{
	char path[PATH_MAX], exe[PATH_MAX];
	const char *slash;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/proc/%s/exe", root, pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n <= 0)
		return false; /* another user's: its comm has to do */
	exe[n] = '\0';
	slash = strrchr(exe, '/');
	return name_is_vmm(slash ? slash + 1 : exe);
}

/* Whether pid descends from self; the depth is bounded against loops in a snapshot. */
static bool descends(const char *root, int pid, pid_t self)
{
	for (int depth = 0; depth < 64 && pid > 1; depth++) {
		char text[16], comm[32], state;

		if (pid == self)
			return true;
		snprintf(text, sizeof(text), "%d", pid);
		if (!process_stat(root, text, comm, &state, &pid))
			return false;
	}
	return false;
}

unsigned host_other_guests_at(const char *root, pid_t self)
{
	char **names;
	size_t n = host_names(&names, root, "/proc");
	unsigned found = 0;

	for (size_t i = 0; i < n; i++) {
		char comm[32], state;
		int ppid;

		if (names[i][strspn(names[i], "0123456789")] ||
		    !process_stat(root, names[i], comm, &state, &ppid) || state == 'Z' ||
		    state == 'X')
			continue;
		if (!name_is_vmm(comm) && !exe_is_vmm(root, names[i]))
			continue;
		if (!descends(root, atoi(names[i]), self))
			found++;
	}
	host_names_free(names, n);
	return found;
}

unsigned host_other_guests(void)
{
	return host_other_guests_at("", getpid());
}
