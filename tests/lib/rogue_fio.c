// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * In the place of the guest's fio, for tests: does what the workload's name says, as root of the
 * guest, or runs the real fio, which follows this program in its file (with its length in the last
 * 8 bytes).
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

/* The agent's own end of the channel, taken out of PID 1. */
static int channel(void)
{
	int pid1 = (int)syscall(SYS_pidfd_open, 1, 0);
	DIR *dir = opendir("/proc/1/fd");
	struct dirent *d;
	char path[300], to[300];

	while (dir && (d = readdir(dir))) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/1/fd/%s", d->d_name);
		n = readlink(path, to, sizeof(to) - 1);
		if (n > 0 && (to[n] = 0, strstr(to, "vport")))
			return (int)syscall(SYS_pidfd_getfd, pid1, atoi(d->d_name), 0);
	}
	return -1;
}

static void say_all(int fd, const void *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0)
			usleep(1000);
		else
			data = (const char *)data + n, len -= (size_t)n;
	}
}

static void misbehave(const char *how, const char *out)
{
	static const uint8_t frame[14] = {'V', 'B', 'A', '1', 1, 67, 9, 9, 2, 0, 0, 0, '{', '}'};
	static char talk[65536];
	int fd;

	if (!strcmp(how, "panic"))
		put("/proc/sysrq-trigger", "c");
	if (!strcmp(how, "poweroff"))
		reboot(RB_POWER_OFF);
	if (!strcmp(how, "rubbish"))
		put(out, "fio: everything is fine\n"), exit(0);
	if (!strcmp(how, "nonsense"))
		put(out, "{\"jobs\": {\"iops\": \"many\"}, \"fio version\": 7}\n"), exit(0);
	if (!strcmp(how, "nothing"))
		exit(0);
	if (!strcmp(how, "crash"))
		abort();
	if (!strcmp(how, "hang"))
		for (signal(SIGTERM, SIG_IGN);;)
			pause();
	if (!strcmp(how, "chatter")) {
		memset(talk, '\033', sizeof(talk));
		for (int i = 0; i < 500; i++)
			say_all(1, talk, sizeof(talk));
		exit(1);
	}
	if (!strcmp(how, "garbage")) {
		fd = channel();
		for (int i = 0; fd >= 0 && i < 1000; i++)
			say_all(fd, "GET / HTTP/1.1\r\n\r\n", 18);
		sleep(5);
		exit(1);
	}
	if (!strcmp(how, "flood"))
		for (fd = channel(); fd >= 0;)
			say_all(fd, frame, sizeof(frame));
}

static void real(char **argv, char **envp)
{
	int self = open("/proc/self/exe", O_RDONLY), mem = memfd_create("fio", 0);
	struct stat st;
	uint64_t size;
	off_t at;

	if (self < 0 || mem < 0 || fstat(self, &st) || pread(self, &size, 8, st.st_size - 8) != 8)
		_exit(125);
	at = st.st_size - 8 - (off_t)size;
	while (size) {
		ssize_t n = sendfile(mem, self, &at, size);

		if (n <= 0)
			_exit(124);
		size -= (uint64_t)n;
	}
	fexecve(mem, argv, envp);
	_exit(123);
}

int main(int argc, char **argv, char **envp)
{
	const char *out = "/tmp/none";
	char job[8192] = "", *name;
	FILE *f = argc > 1 ? fopen(argv[argc - 1], "r") : NULL;

	for (int i = 1; i < argc; i++)
		if (!strncmp(argv[i], "--output=", 9))
			out = argv[i] + 9;
	if (f && fread(job, 1, sizeof(job) - 1, f) && (name = strstr(job, "[vbench-"))) {
		name += 8;
		name[strcspn(name, "]")] = 0;
		misbehave(name, out);
	}
	real(argv, envp);
}
