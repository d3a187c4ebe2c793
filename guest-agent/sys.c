/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small files of /sys and /proc, time, and the console, for the agent. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "guest-agent/agent.h"

static ssize_t read_all(int fd, char *buf, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, buf + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static ssize_t read_path(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	buf[0] = 0;
	if (fd < 0)
		return -errno;
	n = read_all(fd, buf, size - 1);
	close(fd);
	if (n < 0) {
		buf[0] = 0;
		return n;
	}
	while (n && (buf[n - 1] == '\n' || buf[n - 1] == ' '))
		n--;
	buf[n] = 0;
	return n;
}

/* va_list -> path; too long a path becomes one that does not exist. */
static const char *path_of(char path[PATH_MAX], const char *fmt, va_list ap)
{
	if (vsnprintf(path, PATH_MAX, fmt, ap) >= PATH_MAX)
		path[0] = 0;
	return path;
}

ssize_t sys_read(char *buf, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	path_of(path, fmt, ap);
	va_end(ap);
	return read_path(path, buf, size);
}

json_t *sys_json_text(const char *fmt, ...)
{
	char path[PATH_MAX], buf[4096];
	va_list ap;
	ssize_t n;

	va_start(ap, fmt);
	path_of(path, fmt, ap);
	va_end(ap);
	n = read_path(path, buf, sizeof(buf));
	return n < 0 ? json_null() : sys_clean_text(buf, (size_t)n);
}

json_t *sys_json_int(const char *fmt, ...)
{
	char path[PATH_MAX], buf[64], *end;
	va_list ap;
	long long v;

	va_start(ap, fmt);
	path_of(path, fmt, ap);
	va_end(ap);
	if (read_path(path, buf, sizeof(buf)) <= 0)
		return json_null();
	errno = 0;
	v = strtoll(buf, &end, 10);
	return end == buf || errno ? json_null() : json_integer(v);
}

int sys_count(const char *fmt, ...)
{
	char path[PATH_MAX];
	struct dirent *d;
	va_list ap;
	DIR *dir;
	int n = 0;

	va_start(ap, fmt);
	path_of(path, fmt, ap);
	va_end(ap);
	dir = opendir(path);
	if (!dir)
		return -1;
	while ((d = readdir(dir)))
		n += d->d_name[0] != '.';
	closedir(dir);
	return n;
}

int sys_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

char *sys_slurp(const char *path, size_t max, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t size;
	ssize_t n;
	char *buf;

	if (fd < 0)
		return NULL;
	size = lseek(fd, 0, SEEK_END);
	if (size < 0 || (size_t)size > max || lseek(fd, 0, SEEK_SET)) {
		errno = EFBIG;
		goto fail;
	}
	buf = malloc((size_t)size + 1);
	if (!buf)
		goto fail;
	n = read_all(fd, buf, (size_t)size);
	close(fd);
	if (n < 0) {
		free(buf);
		errno = (int)-n;
		return NULL;
	}
	buf[n] = 0;
	*len = (size_t)n;
	return buf;
fail:
	close(fd);
	return NULL;
}

uint64_t sys_mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

json_t *sys_clean_text(const char *bytes, size_t len)
{
	char *text = malloc(len + 1);
	json_t *j;

	if (!text)
		return json_null();
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)bytes[i];

		text[i] = (c >= ' ' && c < 127) || c == '\n' || c == '\t' ? (char)c : '?';
	}
	j = json_stringn(text, len);
	free(text);
	return j ? j : json_null();
}

void sys_say(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	n = snprintf(line, sizeof(line), "vbench-agent: ");
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	/* One write a line: the kernel's own messages go to the same console. */
	strcat(line, "\n");
	if (write(STDOUT_FILENO, line, strlen(line)) < 0)
		return; /* no console: nobody to tell */
}

/* sync(2) can hang on a broken disk: a child does it, and we wait for it with a bound. */
static void sync_bounded(void)
{
	struct timespec step = {.tv_nsec = 10 * (long)MS_NS};
	pid_t pid = fork();

	if (!pid) {
		sync();
		_exit(0);
	}
	for (int i = 0; pid > 0 && i < 200; i++) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return;
		nanosleep(&step, NULL);
	}
}

void sys_fatal(const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sys_say("fatal: %s", text);
	if (getpid() != 1)
		exit(1);
	sync_bounded();
	reboot(RB_POWER_OFF);
	/* PID 1 must not return: the kernel would panic and hide the sentence above. */
	for (;;)
		pause();
}
