// SPDX-License-Identifier: GPL-2.0-or-later
/* What a run needs before its first trial: machines, kernels, programs, folders, rights. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "guest/initramfs.h"
#include "run/context.h"
#include "run/image.h"
#include "run/knobs.h"
#include "run/pins.h"

unsigned run_cells_on(const struct run *r, bool host)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < r->profile->ncells; i++)
		n += cell_on_host(&r->profile->cells[i]) == host;
	return n;
}

struct run_qemu *run_qemu_of(struct run *r, const struct cell *c)
{
	size_t i;

	if (cell_on_host(c))
		return NULL;
	for (i = 0; i < r->nqemus; i++)
		if (!strcmp(r->qemus[i].qemu, cell_get(c, K_QEMU)) &&
		    !strcmp(r->qemus[i].machine, cell_get(c, K_MACHINE)))
			return &r->qemus[i];
	return NULL;
}

/* The kernel of clouds has no driver of AHCI. */
static const char *asked_kernel(const struct cell *c)
{
	const char *kernel = cell_get(c, K_KERNEL), *bus = cell_get(c, K_BUS);

	if (kernel && strcmp(kernel, "auto"))
		return kernel;
	return bus && !strcmp(bus, "ahci") ? "full" : "auto";
}

struct run_kernel *run_kernel_of(struct run *r, const struct cell *c)
{
	size_t i;

	if (cell_on_host(c))
		return NULL;
	for (i = 0; i < r->nkernels; i++)
		if (!strcmp(r->kernels[i].asked, asked_kernel(c)))
			return &r->kernels[i];
	return NULL;
}

static int setup_qemus(struct run *r, struct err *e)
{
	size_t i;
	int rc;

	for (i = 0; i < r->profile->ncells; i++) {
		const struct cell *c = &r->profile->cells[i];
		struct run_qemu *q;

		if (cell_on_host(c) || run_qemu_of(r, c))
			continue;
		r->qemus = xrealloc(r->qemus, r->nqemus + 1, sizeof(*r->qemus));
		q = &r->qemus[r->nqemus];
		*q = (struct run_qemu){.qemu = cell_get(c, K_QEMU),
				       .machine = cell_get(c, K_MACHINE)};
		rc = qemu_info_get(q->qemu, q->machine, &q->info, e);
		if (rc)
			return rc;
		r->nqemus++;
	}
	return 0;
}

/* guest.kernel = FOLDER: a guest that was kept whole, as vmlinuz, initramfs.cpio and KERNEL. */
static bool kept_guest(const char *asked)
{
	struct stat st;

	return *asked == '/' && !stat(asked, &st) && S_ISDIR(st.st_mode);
}

static int kept_kernel(struct run_kernel *k, const char *dir, struct err *e)
{
	char *path = xasprintf("%s/KERNEL", dir), version[128];
	int rc = file_line(path, version, sizeof(version));

	*k = (struct run_kernel){0};
	free(path);
	if (rc || !*version || strchr(version, '/'))
		return err_input(
			e,
			"guest.kernel: %s is no kept guest: its file KERNEL has no version; "
			"name a kernel image, or a folder with KERNEL, vmlinuz and "
			"initramfs.cpio",
			dir);
	*k = (struct run_kernel){.asked = xstrdup(dir),
				 .version = xstrdup(version),
				 .vmlinuz = xasprintf("%s/vmlinuz", dir),
				 .initramfs = xasprintf("%s/initramfs.cpio", dir)};
	if (access(k->vmlinuz, R_OK) || access(k->initramfs, R_OK))
		return err_input(e, "guest.kernel: %s: vmlinuz or initramfs.cpio: %s", dir,
				 strerror(errno));
	return 0;
}

/* A copy in the data folder under that name, unless it is there; path becomes the copy's. */
static int copy_kept(struct run *r, const char *name, char **path, struct err *e)
{
	char *to = xasprintf("%s/guest/%s", r->data, name), *tmp;
	int rc = 0;

	tmp = xasprintf("%s.%d.tmp", to, (int)getpid());
	if (!path_exists(to)) {
		if (r->journal)
			rc = journal_path(r->journal, tmp, e);
		if (!rc)
			rc = file_copy(*path, tmp, 0644, e);
		if (!rc && rename(tmp, to))
			rc = err_set(e, -errno, "%s: %s", to, strerror(errno));
		if (!rc && r->journal)
			journal_done_path(r->journal, tmp);
	}
	free(tmp);
	free(*path);
	*path = to;
	return rc;
}

/* The copies' names hold the content's hash: QEMU's user may not be allowed into the folder. */
static int prepare_kept(struct run *r, struct run_kernel *k, struct err *e)
{
	char *dir = xasprintf("%s/guest", r->data), *name, hash[65];
	int rc = dir_make(dir, 0755, e);

	free(dir);
	if (!rc && (!SHA256File(k->initramfs, k->hash) || !SHA256File(k->vmlinuz, hash)))
		rc = err_set(e, -errno, "guest.kernel: %s: %s", k->asked, strerror(errno));
	if (rc)
		return rc;
	name = xasprintf("initramfs-%.16s.cpio", k->hash);
	rc = copy_kept(r, name, &k->initramfs, e);
	free(name);
	if (rc)
		return rc;
	name = xasprintf("vmlinuz-%s-%.16s", k->version, hash);
	rc = copy_kept(r, name, &k->vmlinuz, e);
	free(name);
	return rc;
}

/*
 * Kernel and initramfs in the data folder, under names that hold their content's hash: QEMU's user
 * may not be allowed into the folder where the program was built.
 */
static int prepare_kernel(struct run *r, struct run_kernel *k, struct err *e)
{
	char *dir = xasprintf("%s/guest", r->data), *tmp = NULL;
	struct assets a;
	struct stat st;
	int rc = assets_find(&a, k->asked, e);

	if (!rc)
		rc = dir_make(dir, 0755, e);
	if (rc)
		goto out;
	tmp = xasprintf("%s/initramfs.%d.tmp", dir, (int)getpid());
	if (r->journal)
		rc = journal_path(r->journal, tmp, e);
	if (rc)
		goto out;
	{
		/* a kernel need not have the drivers of buses that no cell of its has */
		static const char *const none[] = {NULL};
		struct initramfs_spec spec = {.agent = a.agent,
					      .fio = a.fio,
					      .modules = a.modules,
					      .wanted = none,
					      .optional = disk_guest_modules};

		rc = initramfs_build(&spec, tmp, k->hash, e);
	}
	if (rc)
		goto out;
	free(k->initramfs);
	k->initramfs = xasprintf("%s/initramfs-%.16s.cpio", dir, k->hash);
	if (chmod(tmp, 0644) || rename(tmp, k->initramfs)) {
		rc = err_set(e, -errno, "%s: %s", k->initramfs, strerror(errno));
		goto out;
	}
	if (r->journal)
		journal_done_path(r->journal, tmp);
	if (stat(a.vmlinuz, &st)) {
		rc = err_set(e, -errno, "%s: %s", a.vmlinuz, strerror(errno));
		goto out;
	}
	free(k->vmlinuz);
	k->vmlinuz = xasprintf("%s/vmlinuz-%s-%llx-%llx", dir, a.kernel,
			       (unsigned long long)st.st_mtime, (unsigned long long)st.st_size);
	if (!path_exists(k->vmlinuz)) {
		char *copy = xasprintf("%s.%d.tmp", k->vmlinuz, (int)getpid());

		if (r->journal)
			rc = journal_path(r->journal, copy, e);
		if (!rc)
			rc = file_copy(a.vmlinuz, copy, 0644, e);
		if (!rc && rename(copy, k->vmlinuz))
			rc = err_set(e, -errno, "%s: %s", k->vmlinuz, strerror(errno));
		if (!rc && r->journal)
			journal_done_path(r->journal, copy);
		free(copy);
	}
out:
	free(tmp);
	free(dir);
	assets_free(&a);
	return rc;
}

static int setup_kernels(struct run *r, struct err *e)
{
	size_t i;

	for (i = 0; i < r->profile->ncells; i++) {
		const struct cell *c = &r->profile->cells[i];
		struct run_kernel *k;
		struct assets a;
		int rc;

		if (cell_on_host(c) || run_kernel_of(r, c))
			continue;
		if (kept_guest(asked_kernel(c))) {
			r->kernels = xrealloc(r->kernels, r->nkernels + 1, sizeof(*r->kernels));
			rc = kept_kernel(&r->kernels[r->nkernels++], asked_kernel(c), e);
			if (rc)
				return rc;
			continue;
		}
		rc = assets_find(&a, asked_kernel(c), e);
		if (rc)
			return rc;
		r->kernels = xrealloc(r->kernels, r->nkernels + 1, sizeof(*r->kernels));
		k = &r->kernels[r->nkernels++];
		*k = (struct run_kernel){.asked = xstrdup(asked_kernel(c)),
					 .version = xstrdup(a.kernel),
					 .vmlinuz = xstrdup(a.vmlinuz),
					 .initramfs =
						 xasprintf("%s/guest/initramfs.cpio", r->data)};
		assets_free(&a);
	}
	return 0;
}

/* May QEMU's user write there? Only a process with its rights can tell (ACLs, root squash,
 * read-only mounts). */
static int image_dir_usable(struct run *r, const char *dir, struct err *e)
{
	const char *argv[] = {"test", "-w", dir, NULL};
	struct err why = {0};

	if (!child_run(argv, &r->user, 10000, NULL, &why))
		return 0;
	return err_input(
		e,
		"disk.dir: %s cannot be written by the user as whom QEMU runs (uid %u); give it search "
		"permission on every folder above, or name another folder or host.user",
		dir, r->user.uid == (uid_t)-1 ? geteuid() : r->user.uid);
}

static int setup_image_dir(struct run *r, const char *name, struct err *e)
{
	struct stat st;

	if (r->nimage_dirs == sizeof(r->image_dirs) / sizeof(*r->image_dirs))
		return err_input(e, "disk.dir: more than %zu folders", r->nimage_dirs);
	if (strcmp(name, "auto") && (stat(name, &st) || !S_ISDIR(st.st_mode)))
		return err_input(e, "disk.dir: %s is not a folder; make it, or name another", name);
	r->image_dir_names[r->nimage_dirs] = name;
	r->image_dirs[r->nimage_dirs++] =
		!strcmp(name, "auto") ? xasprintf("%s/images/%s", r->data, r->images_sub)
				      : xasprintf("%s/%s", name, r->images_sub);
	return 0;
}

/* This run's own folder in each image folder: the only place there that is ever written to, or
 * cleaned. */
static int prepare_image_dir(struct run *r, const char *dir, struct err *e)
{
	char *base = xasprintf("%s/images", r->data);
	int rc = 0;

	if (!strncmp(dir, base, strlen(base)))
		rc = dir_make(base, 0755, e);
	free(base);
	if (!rc)
		rc = journal_path(r->journal, dir, e);
	if (!rc && mkdir(dir, 0700))
		rc = err_input(e, "disk.dir: %s: %s", dir, strerror(errno));
	if (!rc && r->user.uid != (uid_t)-1) {
		/* by descriptor: whoever else may write above must not redirect root's chown */
		int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0 || fchown(fd, r->user.uid, r->user.gid))
			rc = err_input(e, "disk.dir: %s: cannot be given to QEMU's user: %s", dir,
				       strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	return rc ? rc : image_dir_usable(r, dir, e);
}

const char *run_image_dir(const struct run *r, const struct cell *c)
{
	const char *name = cell_get(c, K_DIR);
	size_t i;

	if (!cell_has_image(c))
		return NULL;
	for (i = 0; i < r->nimage_dirs; i++)
		if (!strcmp(r->image_dir_names[i], name ? name : "auto"))
			return r->image_dirs[i];
	return NULL;
}

static int setup_image_dirs(struct run *r, struct err *e)
{
	size_t i;

	for (i = 0; i < r->profile->ncells; i++) {
		const struct cell *c = &r->profile->cells[i];
		int rc;

		if (!cell_has_image(c) || run_image_dir(r, c))
			continue;
		rc = setup_image_dir(r, cell_get(c, K_DIR) ? cell_get(c, K_DIR) : "auto", e);
		if (rc)
			return rc;
	}
	return 0;
}

int run_setup(struct run *r, const struct profile *p, const struct run_opts *o, struct err *e)
{
	int rc;

	r->profile = p;
	r->opts = o;
	if (!r->data)
		r->data = store_data_dir();
	r->keep_free = 0;
	if (profile_get(p, K_HOST_FREE) && strcmp(profile_get(p, K_HOST_FREE), "auto"))
		r->keep_free = profile_u64(p, K_HOST_FREE);
	r->strict = profile_on(p, K_STRICT);
	if (!r->images_sub)
		r->images_sub = xasprintf("vbench-%.8s", r->uuid);
	rc = qemu_user(profile_get(p, K_HOST_USER), &r->user, e);
	if (!rc)
		rc = setup_qemus(r, e);
	if (!rc)
		rc = able_setup(r, e);
	if (!rc)
		rc = run_knobs_check(r, e);
	if (!rc)
		rc = setup_kernels(r, e);
	if (!rc)
		rc = tools_setup(r, e);
	if (!rc)
		rc = setup_image_dirs(r, e);
	return rc;
}

/* Parts of guests that earlier builds made: only we, who hold the host's lock, may be using any. */
static void prune_kernels(struct run *r)
{
	char *dir = xasprintf("%s/guest", r->data);
	DIR *d = opendir(dir);
	struct dirent *x;
	size_t i;

	while (d && (x = readdir(d))) {
		char *path = xasprintf("%s/%s", dir, x->d_name);

		for (i = 0; i < r->nkernels; i++)
			if (!strcmp(path, r->kernels[i].initramfs) ||
			    !strcmp(path, r->kernels[i].vmlinuz))
				break;
		if (i == r->nkernels &&
		    (!strncmp(x->d_name, "initramfs", 9) || !strncmp(x->d_name, "vmlinuz-", 8)))
			unlink(path);
		free(path);
	}
	if (d)
		closedir(d);
	free(dir);
}

int run_prepare_kernels(struct run *r, struct err *e)
{
	int rc = dir_make(r->data, geteuid() ? 0700 : 0755, e);
	size_t i;

	for (i = 0; i < r->nkernels && !rc; i++)
		rc = kept_guest(r->kernels[i].asked) ? prepare_kept(r, &r->kernels[i], e)
						     : prepare_kernel(r, &r->kernels[i], e);
	return rc;
}

int run_prepare(struct run *r, struct err *e)
{
	size_t i;
	int rc = run_knobs_sweep(r, e);

	if (!rc)
		rc = run_prepare_kernels(r, e);
	if (!rc && r->nkernels)
		prune_kernels(r);
	if (!rc)
		rc = tools_prepare(r, e);
	for (i = 0; i < r->nimage_dirs && !rc; i++)
		rc = prepare_image_dir(r, r->image_dirs[i], e);
	return rc;
}

int run_plan(const struct run *r, const struct cell *c, struct disk_plan *out, struct err *e)
{
	return run_plan_in(r, c, run_image_dir(r, c), out, e);
}

int run_plan_in(const struct run *r, const struct cell *c, const char *dir, struct disk_plan *out,
		struct err *e)
{
	char *storage_daemon = tools_daemon(r, c), *qemu_nbd = tools_nbd(r, c);
	struct disk_env env = {.image_dir = dir,
			       .qemu_img = r->tools[TOOL_IMG].path,
			       .storage_daemon = storage_daemon,
			       .storage_daemon_version = tools_daemon_version(r, storage_daemon),
			       .vhost_blk = r->tools[TOOL_VHOST_BLK].path,
			       .engine = r->tools[TOOL_VRING].path,
			       .qemu_nbd = qemu_nbd,
			       .nbdkit = r->tools[TOOL_NBDKIT].path,
			       .source_dir = run_image_dir(r, c),
			       .vcpus = (unsigned)cell_u64(c, K_VCPUS)};
	size_t i;
	int rc;

	for (i = 0; i < r->nqemus; i++)
		if (cell_get(c, K_QEMU) && !strcmp(r->qemus[i].qemu, cell_get(c, K_QEMU)))
			env.qemu_img = r->qemus[i].info.img;
	rc = disk_plan_make(c, &env, out, e);
	if (!rc && cell_uses_nbd(c) && out->server.argv && !out->server.version) {
		const char *version = tools_daemon_version(r, out->server.argv[0]);

		out->server.version = version ? xstrdup(version) : NULL;
	}
	free(storage_daemon);
	free(qemu_nbd);
	return rc;
}

char *run_fingerprint(struct run *r)
{
	char *out = NULL;
	size_t len, i;
	FILE *f = open_memstream(&out, &len);

	for (i = 0; i < r->nqemus; i++)
		fprintf(f, "qemu %s (%s) %s %s\n", r->qemus[i].info.exe, r->qemus[i].info.build,
			r->qemus[i].info.version, r->qemus[i].info.machine);
	for (i = 0; i < r->nkernels; i++)
		fprintf(f, "guest %s %s\n", r->kernels[i].version, r->kernels[i].hash);
	for (i = 0; i < r->naccels; i++)
		fprintf(f, "accel %s\n", r->accels[i].accel);
	tools_fingerprint(r, f);
	run_pins_fingerprint(r, f);
	fclose(f);
	return out;
}

void run_teardown(struct run *r)
{
	size_t i;

	run_knobs_end(r);
	run_pins_free(r);
	if (r->many)
		r->many->ops->destroy(r->many);
	if (r->guests)
		r->guests->ops->destroy(r->guests);
	if (r->host)
		r->host->ops->destroy(r->host);
	image_dropped(r);
	if (r->policy)
		r->policy->free(r->policy);
	for (i = 0; i < r->nqemus; i++) {
		qemu_info_free(&r->qemus[i].info);
		qemu_able_free(&r->qemus[i].able);
	}
	for (i = 0; i < r->nkernels; i++) {
		free(r->kernels[i].asked);
		free(r->kernels[i].version);
		free(r->kernels[i].vmlinuz);
		free(r->kernels[i].initramfs);
	}
	for (i = 0; i < r->nimage_dirs; i++)
		free(r->image_dirs[i]);
	free(r->qemus);
	free(r->kernels);
	free(r->accels);
	free(r->devices);
	able_free(r);
	tools_free(r);
	free(r->images_sub);
	free(r->folder);
	free(r->data);
	if (r->journal)
		journal_close(r->journal);
	if (r->store)
		store_close(r->store);
	*r = (struct run){0};
}
