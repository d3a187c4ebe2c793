// SPDX-License-Identifier: GPL-2.0-or-later
/* PID 1 of a guest that means harm, for tests: loads the modules as the real agent does, then
 * misbehaves as -DROGUE=n says. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EXITS, GARBAGE, OVERSIZE, NO_JSON, FLOODS, FALLS_SILENT };

/* The header of guest-agent/wire.h, written anew: magic, version, type, seq, length. */
static void frame(int fd, uint8_t type, uint16_t seq, const char *payload, uint32_t len)
{
	uint8_t h[12] = {'V', 'B', 'A', '1', 1, type};

	memcpy(h + 6, &seq, 2);
	memcpy(h + 8, &len, 4);
	if (write(fd, h, sizeof(h)) < 0 || write(fd, payload, strlen(payload)) < 0)
		sleep(1);
}

static void modules(void)
{
	FILE *f = fopen("/modules/order", "r");
	char name[128], path[160];

	while (f && fgets(name, sizeof(name), f)) {
		int fd;

		name[strcspn(name, "\n")] = 0;
		snprintf(path, sizeof(path), "/modules/%s", name);
		fd = open(path, O_RDONLY);
		syscall(SYS_finit_module, fd, "", 0);
		close(fd);
	}
}

static int port(void)
{
	for (;; usleep(2000)) {
		DIR *dir = opendir("/sys/class/virtio-ports");
		struct dirent *d;
		char path[300];

		while (dir && (d = readdir(dir))) {
			if (d->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "/dev/%s", d->d_name);
			return open(path, O_RDWR);
		}
		if (dir)
			closedir(dir);
	}
}

int main(void)
{
	static const char ready[] = "{\"version\":1,\"agent\":\"rogue\"}";
	int fd;

	mkdir("/dev", 0755);
	mkdir("/sys", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	modules();
	fd = port();
	if (ROGUE == EXITS)
		return 3;
	if (ROGUE == GARBAGE)
		while (write(fd, "GET / HTTP/1.1\r\n\r\n", 18) >= 0)
			;
	if (ROGUE == OVERSIZE)
		frame(fd, 64, 0, ready, 0xfffffff0u);
	if (ROGUE == NO_JSON)
		frame(fd, 64, 0, "{\"version\":1,", 13);
	if (ROGUE == FALLS_SILENT || ROGUE == FLOODS)
		frame(fd, 64, 0, ready, sizeof(ready) - 1);
	if (ROGUE == FLOODS)
		for (uint16_t seq = 0;; seq++)
			frame(fd, 65, seq, "{}", 2);
	for (;;)
		pause();
}
