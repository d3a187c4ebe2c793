/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine of Proxmox: what its own tool prints, and the process of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/child.h"
#include "base/file.h"
#include "vm/internal.h"

enum { SHOW_MS = 30000 };

/* Whether a process was started as that machine: "-id", "101" among its words. */
static bool is_machine(uint64_t pid, const char *id)
{
	char path[48], *text;
	bool found = false;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%llu/cmdline", (unsigned long long)pid);
	if (file_read(path, VM_TEXT_MAX, &text, &len))
		return false;
	for (char *w = text; w < text + len && !found; w += strlen(w) + 1)
		found = !strcmp(w, "-id") && w + 4 < text + len && !strcmp(w + 4, id);
	free(text);
	return found;
}

int vm_read_qm(const char *id, struct vm **out, struct err *e)
{
	const char *const argv[] = {"qm", "showcmd", id, NULL};
	char *text = NULL, from[32], path[64];
	uint64_t pid;
	int rc;

	*out = NULL;
	if (!*id || strlen(id) > 9 || id[strspn(id, "0123456789")])
		return err_input(
			e, "qm:%.40s: Proxmox's machines have numbers; `qm list` shows them", id);
	rc = child_run(argv, NULL, SHOW_MS, &text, e);
	if (rc) {
		free(text);
		if (rc == -ENOENT)
			err_input(
				e,
				"qm:%s: there is no program qm: ask on the Proxmox host itself, or "
				"save what `qm showcmd %s --pretty` prints there, and name that file",
				id, id);
		else
			err_prefix(e, "qm:%s", id);
		if (e)
			e->status = VB_BAD_INPUT;
		return rc;
	}
	snprintf(from, sizeof(from), "qm:%s", id);
	rc = vm_read_command(text, strlen(text), from, out, e);
	free(text);
	if (rc)
		return rc;
	snprintf(path, sizeof(path), "/var/run/qemu-server/%s.pid", id);
	if (file_u64(path, &pid))
		return 0;
	if (pid == 0 || pid > 1u << 22 || !is_machine(pid, id) ||
	    vm_read_proc(*out, (int)pid, NULL))
		vm_note(*out, "%s names process %llu, which is not this machine: it does not run",
			path, (unsigned long long)pid);
	return 0;
}
