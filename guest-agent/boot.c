/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What PID 1 does once: mount the kernel's file systems, load the modules of /modules/order. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "guest-agent/agent.h"

/*
 * Without a console the kernel starts us with 0 to 2 closed; the next files opened must not land
 * there.
 */
static void stdio_fill(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

void boot_mount(void)
{
	static const struct {
		const char *type, *dir, *data;
	} table[] = {
		{"devtmpfs", "/dev", "mode=0755"},
		{"proc", "/proc", NULL},
		{"sysfs", "/sys", NULL},
		{"tmpfs", "/tmp", "mode=1777"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		mkdir(table[i].dir, 0755);
		if (mount(table[i].type, table[i].dir, table[i].type, MS_NOSUID, table[i].data))
			sys_fatal("mounting %s on %s: %s", table[i].type, table[i].dir,
				  strerror(errno));
	}
	stdio_fill();
}

/*
 * A module's parameters on the kernel's command line ("virtio_blk.poll_queues=2"): the kernel
 * leaves them to whoever loads it (Documentation/admin-guide/kernel-parameters.rst).
 */
static void module_params(const char *cmdline, const char *module, char *out, size_t size)
{
	size_t n = strlen(module), used = 0;
	const char *at = cmdline;

	out[0] = 0;
	while (*(at += strspn(at, " \n"))) {
		size_t len = strcspn(at, " \n");

		if (len > n + 1 && !strncmp(at, module, n) && at[n] == '.' && used + len - n < size)
			used += (size_t)snprintf(out + used, size - used, "%s%.*s", used ? " " : "",
						 (int)(len - n - 1), at + n + 1);
		at += len;
	}
}

/* "03-virtio_blk.ko" -> "virtio_blk" */
static void module_name(const char *file, char *out, size_t size)
{
	const char *dash = strchr(file, '-');

	snprintf(out, size, "%s", dash ? dash + 1 : file);
	out[strcspn(out, ".")] = 0;
}

static int module_load(const char *path, const char *params)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, params, 0))
		rc = -errno;
	close(fd);
	return rc == -EEXIST ? 0 : rc;
}

void boot_modules(const char *dir)
{
	char path[PATH_MAX], *list, *name, *save = NULL, module[64], params[256];
	char cmdline[4096] = "";
	size_t len;

	snprintf(path, sizeof(path), "%s/order", dir);
	list = sys_slurp(path, 1 << 16, &len);
	if (!list)
		sys_fatal("%s: %s", path, strerror(errno));
	sys_read(cmdline, sizeof(cmdline), "/proc/cmdline");
	for (name = strtok_r(list, "\n", &save); name; name = strtok_r(NULL, "\n", &save)) {
		int rc;

		snprintf(path, sizeof(path), "%s/%s", dir, name);
		module_name(name, module, sizeof(module));
		module_params(cmdline, module, params, sizeof(params));
		rc = module_load(path, params);
		/*
		 * Go on: a module may refuse because this machine lacks its device. If it was one
		 * that matters, the port or the disk will not appear, and the line below says why.
		 */
		if (rc)
			sys_say("module %s: %s", name, strerror(-rc));
	}
	free(list);
}
