// SPDX-License-Identifier: GPL-2.0-or-later
/* The small guest that looks into the image: the machine of a default profile, with the modules of
 * file systems. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/file.h"
#include "disk/disk.h"
#include "guest/accel.h"
#include "guest/assets.h"
#include "guest/fs_decode.h"
#include "guest/initramfs.h"
#include "guest/template.h"
#include "slim/internal.h"

#define BOOT_MS 120000 /* a loaded host under TCG takes long */
#define STALE_S (24 * 3600)

/*
 * Guests' parts of earlier builds. Not those that were in use today: another slim may be about to
 * boot one.
 */
static void boot_prune(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *x;

	while (d && (x = readdir(d))) {
		struct stat st;

		if (!strncmp(x->d_name, "slim-", 5) &&
		    !fstatat(dirfd(d), x->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
		    st.st_mtime + STALE_S < time(NULL))
			unlinkat(dirfd(d), x->d_name, 0);
	}
	if (d)
		closedir(d);
}

/* The disks' modules and the file systems'; only the array is the caller's. */
static const char **boot_modules(void)
{
	size_t a = 0, b = 0;
	const char **all;

	while (disk_guest_modules[a])
		a++;
	while (slim_guest_modules[b])
		b++;
	all = xcalloc(a + b + 1, sizeof(*all));
	memcpy(all, disk_guest_modules, a * sizeof(*all));
	memcpy(all + a, slim_guest_modules, b * sizeof(*all));
	return all;
}

/* Moves tmp to a name of its own, which is as good as its content; in use from now on. */
static int boot_keep(struct slim *s, const char *tmp, const char *path, struct err *e)
{
	if (chmod(tmp, 0644) || rename(tmp, path))
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	journal_done_path(s->journal, tmp);
	return 0;
}

static int boot_initramfs(struct slim *s, const struct assets *a, const char *dir, struct err *e)
{
	char *tmp = xasprintf("%s/slim-initramfs.%d.tmp", dir, (int)getpid()), hash[65];
	/* none is a must: a file system that the kernel cannot mount is named and kept as it is */
	static const char *const none[] = {NULL};
	const char **modules = boot_modules();
	struct initramfs_spec spec = {.agent = a->agent,
				      .fio = a->fio,
				      .modules = a->modules,
				      .wanted = none,
				      .optional = modules};
	int rc = journal_path(s->journal, tmp, e);

	if (!rc)
		rc = initramfs_build(&spec, tmp, hash, e);
	if (!rc) {
		s->initramfs = xasprintf("%s/slim-initramfs-%.16s.cpio", dir, hash);
		rc = boot_keep(s, tmp, s->initramfs, e);
	}
	free(modules);
	free(tmp);
	return rc;
}

static int boot_kernel(struct slim *s, const struct assets *a, const char *dir, struct err *e)
{
	struct stat st;
	char *tmp;
	int rc;

	if (stat(a->vmlinuz, &st))
		return err_set(e, -errno, "%s: %s", a->vmlinuz, strerror(errno));
	s->vmlinuz = xasprintf("%s/slim-vmlinuz-%s-%llx-%llx", dir, a->kernel,
			       (unsigned long long)st.st_mtime, (unsigned long long)st.st_size);
	if (!utimensat(AT_FDCWD, s->vmlinuz, NULL, 0))
		return 0;
	tmp = xasprintf("%s.%d.tmp", s->vmlinuz, (int)getpid());
	rc = journal_path(s->journal, tmp, e);
	if (!rc)
		rc = file_copy(a->vmlinuz, tmp, 0644, e);
	if (!rc)
		rc = boot_keep(s, tmp, s->vmlinuz, e);
	free(tmp);
	return rc;
}

static int boot_parts(struct slim *s, struct err *e)
{
	char *dir = xasprintf("%s/guest", s->o->data);
	struct assets a;
	int rc = assets_find(&a, NULL, e);

	if (!rc)
		rc = dir_make(dir, 0755, e);
	if (!rc) {
		boot_prune(dir);
		rc = boot_initramfs(s, &a, dir, e);
	}
	if (!rc)
		rc = boot_kernel(s, &a, dir, e);
	free(dir);
	assets_free(&a);
	return rc;
}

/* The accelerator as `vbench run` finds it: KVM if a guest really came up under it. */
static int boot_accel(struct slim *s, const struct cell *c, const char **accel, struct err *e)
{
	char *memory = xasprintf("%s/accel.json", s->o->data);
	const char *asked = s->o->accel ? s->o->accel : "auto";
	struct accel_answer a = {0};
	int rc = 0;

	*accel = "tcg";
	if (strcmp(asked, "tcg")) {
		struct vm_env quiet = s->env;
		struct machine m;

		quiet.tick = NULL;
		machine_make(&m, c, &s->qemu, "kvm", s->vmlinuz, s->initramfs);
		rc = accel_probe(&quiet, &m, strcmp(asked, "kvm") ? memory : NULL, &a, e);
		if (!rc && a.kvm)
			*accel = "kvm";
		else if (!rc && !strcmp(asked, "kvm"))
			rc = err_set(e, -ENODEV, "--accel kvm, but KVM does not work here: %s",
				     a.reason);
		else if (!rc)
			slim_note(s, "KVM does not work here, TCG is slower: %.600s", a.reason);
	}
	free(memory);
	return rc;
}

int boot_guest(struct slim *s, struct err *e)
{
	static const char text[] = "[workload slim]\nrw = read\n";
	char *set = s->o->qemu ? xasprintf("guest.qemu=%s", s->o->qemu) : NULL;
	const char *sets[] = {set}, *accel;
	const struct cell *c = NULL;
	int rc;

	slim_step(s, "booting the small guest");
	rc = profile_parse(text, strlen(text), "slim", sets, set ? 1 : 0, &s->profile, e);
	free(set);
	if (!rc) {
		c = &s->profile->cells[0];
		rc = qemu_info_get(cell_get(c, K_QEMU), cell_get(c, K_MACHINE), &s->qemu, e);
	}
	if (!rc)
		rc = boot_parts(s, e);
	if (!rc)
		rc = boot_accel(s, c, &accel, e);
	if (rc)
		return rc;
	machine_make(&s->machine, c, &s->qemu, accel, s->vmlinuz, s->initramfs);
	snprintf(s->r->accel, sizeof(s->r->accel), "%s", accel);
	rc = vm_boot(&s->vm, &s->env, &s->machine, NULL, BOOT_MS, e);
	s->up = !rc;
	return rc;
}

void boot_end(struct slim *s)
{
	if (s->up)
		vm_end(&s->vm, false);
	s->up = false;
	qemu_info_free(&s->qemu);
	profile_free(s->profile);
	free(s->vmlinuz);
	free(s->initramfs);
}
