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

static int module_load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, "", 0))
		rc = -errno;
	close(fd);
	return rc == -EEXIST ? 0 : rc;
}

void boot_modules(const char *dir)
{
	char path[PATH_MAX], *list, *name, *save = NULL;
	size_t len;

	snprintf(path, sizeof(path), "%s/order", dir);
	list = sys_slurp(path, 1 << 16, &len);
	if (!list)
		sys_fatal("%s: %s", path, strerror(errno));
	for (name = strtok_r(list, "\n", &save); name; name = strtok_r(NULL, "\n", &save)) {
		int rc;

		snprintf(path, sizeof(path), "%s/%s", dir, name);
		rc = module_load(path);
		/*
		 * Go on: a module may refuse because this machine lacks its device. If it was one
		 * that matters, the port or the disk will not appear, and the line below says why.
		 */
		if (rc)
			sys_say("module %s: %s", name, strerror(-rc));
	}
	free(list);
}
