// SPDX-License-Identifier: GPL-2.0-or-later
/* What a build is made of, found and hashed. */
#include <dirent.h>
#include <errno.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "base/child.h"
#include "base/file.h"
#include "base/journal.h"
#include "disk/disk.h"
#include "gate/build.h"
#include "guest/assets.h"
#include "guest/initramfs.h"
#include "guest/machine.h"

#define FIRMWARE_MAX (8u << 20) /* pc-bios of other machines is larger, and not ours */

int gate_hash(const char *path, char hash[65], struct err *e)
{
	if (!SHA256File(path, hash))
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

static int add_file(struct gate_build *b, const char *from, char *name, struct err *e)
{
	struct gate_file *f;
	struct stat st;
	int rc;

	b->files = xrealloc(b->files, b->nfiles + 1, sizeof(*b->files));
	f = &b->files[b->nfiles++];
	*f = (struct gate_file){.from = xstrdup(from), .name = name};
	if (stat(from, &st))
		return err_set(e, -errno, "%s: %s", from, strerror(errno));
	f->size = (unsigned long long)st.st_size;
	f->executable = st.st_mode & 0111;
	rc = gate_hash(from, f->hash, e);
	return rc;
}

static bool has_file(const struct gate_build *b, const char *name)
{
	size_t i;

	for (i = 0; i < b->nfiles; i++)
		if (!strcmp(b->files[i].name, name))
			return true;
	return false;
}

static bool ends(const char *name, const char *tail)
{
	size_t n = strlen(name), t = strlen(tail);

	return n > t && !strcmp(name + n - t, tail);
}

/* A folder of programs has shared objects of others, too. */
static bool module_file(const char *name)
{
	static const char *const kinds[] = {"accel-", "audio-", "block-", "chardev-",
					    "hw-",    "ui-",	"util-"};
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strncmp(name, kinds[i], strlen(kinds[i])))
			return ends(name, ".so");
	return false;
}

static bool firmware_file(const char *name)
{
	return ends(name, ".bin") || ends(name, ".rom");
}

/* Files of a folder of that kind, under `into`; a name that is there already stays. A
 * folder that is not there holds none. */
static int add_folder(struct gate_build *b, const char *dir, const char *into,
		      bool (*wanted)(const char *name), struct err *e)
{
	struct dirent **names = NULL;
	int n = scandir(dir, &names, NULL, alphasort), i, rc = 0;

	for (i = 0; i < n; i++) {
		char *path = xasprintf("%s/%s", dir, names[i]->d_name);
		char *name = xasprintf("%s/%s", into, names[i]->d_name);
		struct stat st;

		if (!rc && wanted(names[i]->d_name) && !has_file(b, name) && !stat(path, &st) &&
		    S_ISREG(st.st_mode) && st.st_size <= FIRMWARE_MAX) {
			rc = add_file(b, path, name, e);
			name = NULL;
		}
		free(path);
		free(name);
		free(names[i]);
	}
	free(names);
	return rc;
}

/* QEMU names the folders of its firmware itself. */
static int add_firmware(struct gate_build *b, struct err *e)
{
	const char *argv[] = {b->qemu, "-L", "help", NULL};
	char *text = NULL, *line, *save = NULL;
	int rc = child_run(argv, NULL, 20000, &text, e);

	for (line = rc ? NULL : strtok_r(text, "\n", &save); line && !rc;
	     line = strtok_r(NULL, "\n", &save))
		if (*line == '/')
			rc = add_folder(b, line, "firmware", firmware_file, e);
	free(text);
	return rc;
}

/*
 * Modules lie in a folder fixed when QEMU was built, or beside the program in a build folder; the
 * build's stamp in them keeps a QEMU from loading those of another. The first folder with some
 * counts.
 */
static int add_modules(struct gate_build *b, struct err *e)
{
	static const char *const places[] = {"", "/../lib/%s-linux-gnu/qemu", "/../lib/qemu",
					     "/../lib64/qemu"};
	const char *env = getenv("QEMU_MODULE_DIR");
	char *dir = path_folder(b->exe);
	size_t before = b->nfiles, i;
	struct utsname u;
	int rc = 0;

	uname(&u);
	if (env && *env)
		rc = add_folder(b, env, "modules", module_file, e);
	for (i = 0; !rc && b->nfiles == before && i < sizeof(places) / sizeof(*places); i++) {
		char *path = strstr(places[i], "%s-")
				     ? xasprintf("%s/../lib/%s-linux-gnu/qemu", dir, u.machine)
				     : xasprintf("%s%s", dir, places[i]);

		rc = add_folder(b, path, "modules", module_file, e);
		free(path);
	}
	free(dir);
	return rc;
}

/* Programs of the same build that trials use. */
static int add_companions(struct gate_build *b, struct err *e)
{
	static const char *const names[][2] = {
		{"qemu-img", "qemu-img"},
		{"qemu-nbd", "qemu-nbd"},
		{"qemu-storage-daemon", "qemu-storage-daemon"},
		{"qemu-storage-daemon", "storage-daemon/qemu-storage-daemon"},
	};
	char *dir = path_folder(b->exe);
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < sizeof(names) / sizeof(*names); i++) {
		char *path = xasprintf("%s/%s", dir, names[i][1]);
		char *name = xasprintf("bin/%s", names[i][0]);

		if (!access(path, X_OK) && !has_file(b, name)) {
			rc = add_file(b, path, name, e);
			name = NULL;
		}
		free(path);
		free(name);
	}
	free(dir);
	return rc;
}

static int find_qemu(struct gate_build *b, const struct cell *c, struct err *e)
{
	struct qemu_info info;
	char *slash, *real;
	int rc = qemu_info_get(cell_get(c, K_QEMU), cell_get(c, K_MACHINE), &info, e);

	if (rc)
		return rc;
	b->qemu = xstrdup(info.path);
	b->exe = xstrdup(info.exe);
	b->version = xstrdup(info.version);
	real = realpath(info.path, NULL);
	b->wrapper = !real || strcmp(real, info.exe);
	free(real);
	qemu_info_free(&info);
	slash = strrchr(b->exe, '/');
	rc = add_file(b, b->exe, xasprintf("bin/%s", slash ? slash + 1 : b->exe), e);
	if (!rc && b->wrapper)
		rc = add_file(b, b->qemu, xstrdup("wrapper"), e);
	if (!rc)
		rc = add_companions(b, e);
	if (!rc)
		rc = add_modules(b, e);
	if (!rc)
		rc = add_firmware(b, e);
	return rc;
}

/* A folder with a kept guest has its initramfs already. */
static int find_kept_guest(struct gate_build *b, const char *dir, struct err *e)
{
	char *path = xasprintf("%s/KERNEL", dir), version[128];
	int rc = file_line(path, version, sizeof(version));

	free(path);
	if (rc)
		return err_input(
			e, "guest.kernel: %s holds no file KERNEL; name a kept guest's folder",
			dir);
	b->kernel = xstrdup(version);
	path = xasprintf("%s/vmlinuz", dir);
	rc = add_file(b, path, xstrdup("guest/vmlinuz"), e);
	free(path);
	path = xasprintf("%s/initramfs.cpio", dir);
	if (!rc)
		rc = add_file(b, path, xstrdup("guest/initramfs.cpio"), e);
	free(path);
	return rc;
}

static int find_guest(struct gate_build *b, const char *kernel, const char *data, struct err *e)
{
	static const char *const none[] = {NULL};
	struct assets a;
	struct stat st;
	char hash[65], *dir = NULL, *prefix, *journals;
	int rc;

	if (!stat(kernel, &st) && S_ISDIR(st.st_mode))
		return find_kept_guest(b, kernel, e);
	rc = assets_find(&a, kernel, e);
	if (rc)
		return rc;
	b->kernel = xstrdup(a.kernel);
	rc = add_file(b, a.vmlinuz, xstrdup("guest/vmlinuz"), e);
	prefix = xasprintf("%s/gate-", data);
	journals = xasprintf("%s/journal", data);
	/* what a killed accept left; what cannot be taken away now is for the next run to name */
	if (!rc)
		journal_sweep(journals, NULL, NULL, NULL);
	if (!rc)
		rc = journal_open(journals, &b->journal, e);
	if (!rc)
		rc = journal_folder(b->journal, prefix, &dir, e);
	free(journals);
	free(prefix);
	if (!rc) {
		struct initramfs_spec spec = {.agent = a.agent,
					      .fio = a.fio,
					      .modules = a.modules,
					      .wanted = none,
					      .optional = disk_guest_modules};

		b->initramfs = xasprintf("%s/initramfs.cpio", dir);
		rc = initramfs_build(&spec, b->initramfs, hash, e);
	}
	if (!rc)
		rc = add_file(b, b->initramfs, xstrdup("guest/initramfs.cpio"), e);
	free(dir);
	assets_free(&a);
	return rc;
}

/* The kernel that a cell boots (run/setup.c has the same rule). */
static const char *kernel_of(const struct cell *c)
{
	const char *kernel = cell_get(c, K_KERNEL), *bus = cell_get(c, K_BUS);

	if (kernel && strcmp(kernel, "auto"))
		return kernel;
	return bus && !strcmp(bus, "ahci") ? "full" : "auto";
}

static int one_build(const struct profile *p, struct err *e)
{
	const struct cell *a = &p->cells[0];
	size_t i;

	for (i = 0; i < p->ncells; i++) {
		const struct cell *c = &p->cells[i];

		if (cell_on_host(c))
			return err_input(
				e,
				"%s: cell %s runs on the host, without QEMU or a guest: the gate keeps "
				"and compares builds of those alone, so take guest.site = host out (for "
				"cells on the host there are `vbench run --vs`, and `vbench gate prove` "
				"for what a gate could see)",
				p->path, c->label);
		if (strcmp(cell_get(c, K_QEMU), cell_get(a, K_QEMU)))
			return err_input(
				e,
				"%s: guest.qemu has several values; the gate compares tonight's build "
				"with the kept one, so name one",
				p->path);
		if (strcmp(kernel_of(c), kernel_of(a)))
			return err_input(
				e,
				"%s: cells boot guest kernels \"%s\" and \"%s\"; the gate keeps one, so "
				"set guest.kernel = full for all",
				p->path, kernel_of(a), kernel_of(c));
	}
	return 0;
}

static void sum_up(struct gate_build *b)
{
	SHA2_CTX c;
	size_t i;

	SHA256Init(&c);
	for (i = 0; i < b->nfiles; i++) {
		SHA256Update(&c, (const uint8_t *)b->files[i].name, strlen(b->files[i].name) + 1);
		SHA256Update(&c, (const uint8_t *)b->files[i].hash, 64);
	}
	SHA256End(&c, b->fingerprint);
	b->text = xasprintf("QEMU %s%s (%.12s), guest kernel %s, build %.12s", b->version,
			    b->wrapper ? " behind a wrapper" : "", b->files[0].hash, b->kernel,
			    b->fingerprint);
}

int gate_build_of(const struct profile *p, const char *data, struct gate_build *out, struct err *e)
{
	int rc;

	*out = (struct gate_build){0};
	rc = one_build(p, e);
	if (!rc)
		rc = dir_make(data, geteuid() ? 0700 : 0755, e);
	if (!rc)
		rc = find_qemu(out, &p->cells[0], e);
	if (!rc)
		rc = find_guest(out, kernel_of(&p->cells[0]), data, e);
	if (rc)
		gate_build_free(out);
	else
		sum_up(out);
	return rc;
}

void gate_build_free(struct gate_build *b)
{
	size_t i;

	if (b->journal)
		journal_close(b->journal); /* takes the initramfs's folder away */
	for (i = 0; i < b->nfiles; i++) {
		free(b->files[i].from);
		free(b->files[i].name);
	}
	free(b->files);
	free(b->qemu);
	free(b->exe);
	free(b->version);
	free(b->kernel);
	free(b->text);
	free(b->initramfs);
	*b = (struct gate_build){0};
}
