// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds the small guest's kernel, modules, fio and agent, and the host's fio, engine and device. */
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "guest/assets.h"

#ifndef VB_PREFIX_LIB
#define VB_PREFIX_LIB "/usr/local/lib/vbench"
#endif
#ifndef VB_PREFIX_SHARE
#define VB_PREFIX_SHARE "/usr/local/share/vbench"
#endif

/* Folder of the running program, NULL if /proc cannot tell. */
static char *exe_dir(void)
{
	char buf[4096];
	ssize_t n = readlink("/proc/self/exe", buf, sizeof(buf) - 1);

	if (n <= 0)
		return NULL;
	buf[n] = 0;
	return xstrdup(dirname(buf));
}

/* A folder beside the program if `probe` exists in it, else the installed one. */
static char *beside_or(const char *sub, const char *probe, const char *installed)
{
	char *exe = exe_dir(), *dir = NULL, *p;

	if (exe) {
		dir = xasprintf("%s%s", exe, sub);
		p = xasprintf("%s/%s", dir, probe);
		if (!path_exists(p)) {
			free(dir);
			dir = NULL;
		}
		free(p);
	}
	free(exe);
	return dir ? dir : xstrdup(installed);
}

char *assets_share_dir(void)
{
	return beside_or("", "profiles/quick.ini", VB_PREFIX_SHARE);
}

static int assets_kernel(struct assets *a, const char *dir, const char *kernel, struct err *e)
{
	char version[128];

	if (kernel && strcmp(kernel, "auto") && strcmp(kernel, "full")) {
		const char *base = strrchr(kernel, '/');

		base = base ? base + 1 : kernel;
		if (access(kernel, R_OK))
			return err_input(e, "guest.kernel: %s: %s", kernel, strerror(errno));
		if (strncmp(base, "vmlinuz-", 8) || !base[8])
			return err_input(
				e,
				"guest.kernel: %s: the name must be vmlinuz-VERSION, so that "
				"its modules are found in /lib/modules/VERSION",
				kernel);
		a->vmlinuz = xstrdup(kernel);
		a->kernel = xstrdup(base + 8);
		a->modules = xasprintf("/lib/modules/%s", a->kernel);
	} else {
		const char *sub = kernel && !strcmp(kernel, "full") ? "/full" : "";
		char *p = xasprintf("%s%s/KERNEL", dir, sub);
		int rc = file_line(p, version, sizeof(version));

		free(p);
		if (rc)
			return err_input(e,
					 "the small guest's %skernel is not in %s%s; build it with "
					 "`make guest`",
					 *sub ? "full " : "", dir, sub);
		a->kernel = xstrdup(version);
		a->vmlinuz = xasprintf("%s%s/vmlinuz", dir, sub);
		a->modules = xasprintf("%s%s/modules/lib/modules/%s", dir, sub, version);
	}
	if (!path_exists(a->modules))
		return err_input(e, "no modules for guest kernel %s in %s", a->kernel, a->modules);
	return 0;
}

int assets_find(struct assets *a, const char *kernel, struct err *e)
{
	const char *env = getenv("VBENCH_GUEST");
	char *dir = env ? xstrdup(env)
			: beside_or("/build/guest", "vbench-agent", VB_PREFIX_LIB "/guest");
	const char *missing = NULL;
	int rc;

	*a = (struct assets){0};
	rc = assets_kernel(a, dir, kernel, e);
	if (!rc) {
		a->fio = xasprintf("%s/fio", dir);
		a->agent = xasprintf("%s/vbench-agent", dir);
		if (access(a->vmlinuz, R_OK))
			missing = a->vmlinuz;
		else if (access(a->fio, R_OK))
			missing = a->fio;
		else if (access(a->agent, R_OK))
			missing = a->agent;
		if (missing)
			rc = err_input(e, "%s: %s; build the small guest with `make`", missing,
				       strerror(errno));
	}
	free(dir);
	if (rc)
		assets_free(a);
	return rc;
}

void assets_free(struct assets *a)
{
	free(a->vmlinuz);
	free(a->modules);
	free(a->kernel);
	free(a->fio);
	free(a->agent);
	*a = (struct assets){0};
}

/* The file's absolute path if it can be used in that way, else NULL; path is taken over. */
static char *usable(char *path, int how)
{
	char *real = access(path, how) ? NULL : realpath(path, NULL);

	free(path);
	return real;
}

void assets_host(struct host_assets *a)
{
	const char *env = getenv("VBENCH_ENGINES");
	char *base;

	*a = (struct host_assets){0};
	if (env && *env)
		a->dir = xstrdup(env);
	else
		a->dir = beside_or("/build/engines", "vring.so", VB_PREFIX_LIB "/engines");
	a->vring = usable(xasprintf("%s/vring.so", a->dir), R_OK);
	a->vhost_blk = usable(xasprintf("%s/vbench-vhost-blk", a->dir), X_OK);
	a->fio = usable(xasprintf("%s/../fio/fio", a->dir), X_OK);
	if (a->fio || (env && *env))
		return;
	/* fio can be there before the engine is */
	base = beside_or("/build/fio", "fio", VB_PREFIX_LIB "/fio");
	a->fio = usable(xasprintf("%s/fio", base), X_OK);
	free(base);
}

void assets_host_free(struct host_assets *a)
{
	free(a->fio);
	free(a->vring);
	free(a->vhost_blk);
	free(a->dir);
	*a = (struct host_assets){0};
}
