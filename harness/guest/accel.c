// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A KVM that only looks usable exists: the device opens and creates machines, and then QEMU aborts
 * or the guest crawls for ever. So the template is booted under it, within a limit.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/term.h"
#include "guest/accel.h"
#include "guest/template.h"

#define DEVICE "/dev/kvm"

/* Would this user be let in? The mode bits are what open(2) goes by; ACLs are found by the boot
 * itself. */
int accel_device(const struct child_user *user, char *reason, size_t size)
{
	struct stat st;
	size_t i;

	if (stat(DEVICE, &st)) {
		snprintf(reason, size,
			 "no device: " DEVICE
			 ": %s (is KVM loaded, and virtualisation on in the firmware?)",
			 strerror(errno));
		return -ENODEV;
	}
	if (!S_ISCHR(st.st_mode)) {
		snprintf(reason, size, DEVICE " is not a character device");
		return -ENODEV;
	}
	if (!user || user->uid == (uid_t)-1) {
		if (!access(DEVICE, R_OK | W_OK))
			return 0;
	} else {
		if ((st.st_mode & 06) == 06 ||
		    (st.st_uid == user->uid && (st.st_mode & 0600) == 0600) ||
		    (st.st_gid == user->gid && (st.st_mode & 060) == 060))
			return 0;
		for (i = 0; i < user->ngroups; i++)
			if (st.st_gid == user->groups[i] && (st.st_mode & 060) == 060)
				return 0;
	}
	snprintf(reason, size,
		 "no permission: " DEVICE
		 " cannot be opened%s (add the user to its group, usually kvm)",
		 user && user->uid != (uid_t)-1 ? " by the user as whom QEMU runs" : "");
	return -EACCES;
}

static char *memory_key(const struct vm_env *env, const struct machine *m)
{
	char hash[17];

	machine_hash(m, hash);
	return xasprintf("%u:%s",
			 env->user && env->user->uid != (uid_t)-1 ? env->user->uid : geteuid(),
			 hash);
}

static json_t *memory_load(const char *file)
{
	char boot[64], *text = NULL;
	json_t *root = NULL;

	if (file && !file_read(file, 1 << 20, &text, NULL))
		root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	if (file_line("/proc/sys/kernel/random/boot_id", boot, sizeof(boot)))
		snprintf(boot, sizeof(boot), "?");
	/* another boot may have another kernel, firmware setting or module option */
	if (!json_is_object(root) ||
	    strcmp(json_string_value(json_object_get(root, "boot_id")) ?: "", boot)) {
		json_decref(root);
		root = json_pack("{s:s, s:{}}", "boot_id", boot, "outcomes");
	}
	return root;
}

static bool memory_get(const char *file, const char *key, struct accel_answer *out)
{
	json_t *root = memory_load(file),
	       *o = json_object_get(json_object_get(root, "outcomes"), key);
	bool found = json_is_object(o);

	if (found) {
		const char *why = json_string_value(json_object_get(o, "reason"));

		out->kvm = json_is_true(json_object_get(o, "kvm"));
		out->remembered = true;
		snprintf(out->reason, sizeof(out->reason), "%s", why ? why : "");
	}
	json_decref(root);
	return found;
}

static void memory_put(const char *file, const char *key, const struct accel_answer *a)
{
	json_t *root;
	char *text;

	if (!file)
		return;
	root = memory_load(file);
	json_object_set_new(json_object_get(root, "outcomes"), key,
			    json_pack("{s:b, s:s}", "kvm", a->kvm, "reason", a->reason));
	text = json_dumps(root, JSON_INDENT(1));
	/* failing to remember only costs the next run its time */
	if (text)
		file_write(file, text, strlen(text), 0644, NULL);
	free(text);
	json_decref(root);
}

int accel_probe(const struct vm_env *env, const struct machine *m, const char *memory_file,
		struct accel_answer *out, struct err *e)
{
	struct err why = {0};
	bool lasting = false;
	struct vm v;
	char *key;
	int rc;

	*out = (struct accel_answer){0};
	if (!m->qemu.kvm_built) {
		snprintf(out->reason, sizeof(out->reason), "%s was built without KVM",
			 m->qemu.path);
		return 0;
	}
	if (accel_device(env->user, out->reason, sizeof(out->reason)))
		return 0;
	key = memory_key(env, m);
	if (memory_get(memory_file, key, out)) {
		free(key);
		return 0;
	}
	rc = vm_boot(&v, env, m, NULL, ACCEL_BOOT_MS, &why);
	if (!rc) {
		json_t *r = NULL;

		/* QEMU given a list of accelerators falls back by itself: hear it from its own
		 * mouth */
		rc = vm_qmp(&v, "query-kvm", NULL, &r, 10000, &why);
		out->kvm = !rc && json_is_true(json_object_get(r, "enabled"));
		json_decref(r);
		vm_end(&v, false);
		if (!out->kvm)
			snprintf(out->reason, sizeof(out->reason),
				 "QEMU runs, but says that KVM is off");
	} else if (rc == -EINTR) {
		free(key);
		return err_set(e, rc, "%s", why.text);
	} else {
		char *p;

		/* QEMU gave up, or the guest never came: that will be so again. Anything else (no
		 * memory, a full disk) may be over by the next run. */
		lasting = v.cause == CAUSE_QEMU || v.cause == CAUSE_GUEST;
		snprintf(out->reason, sizeof(out->reason), "%.690s", why.text);
		for (p = out->reason; *p; p++)
			if (*p == '\n')
				*p = ' ';
	}
	if (out->kvm || lasting)
		memory_put(memory_file, key, out);
	free(key);
	return 0;
}
