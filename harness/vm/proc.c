/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A running QEMU as /proc shows it; nothing is asked of it, nothing written. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "vm/internal.h"

static int proc_open(const struct proc *p, const char *name)
{
	return openat(p->dir, name, O_RDONLY | O_CLOEXEC);
}

/* Reads up to max bytes; *len without the NUL behind them. */
static char *fd_text(int fd, size_t max, size_t *len)
{
	size_t room = 4096, n = 0;
	char *text = xcalloc(1, room + 1);
	ssize_t got = 0;

	while (n < max) {
		size_t want = room - n < max - n ? room - n : max - n;

		do
			got = read(fd, text + n, want);
		while (got < 0 && errno == EINTR);
		if (got <= 0)
			break;
		n += (size_t)got;
		if (n == room) {
			room *= 2;
			text = xrealloc(text, room + 1, 1);
		}
	}
	if (got < 0) {
		free(text);
		return NULL;
	}
	text[n] = '\0';
	*len = n;
	return text;
}

char *proc_bytes(const struct proc *p, const char *name, size_t max, size_t *len)
{
	int fd = proc_open(p, name);
	char *text = fd >= 0 ? fd_text(fd, max, len) : NULL;

	if (fd >= 0)
		close(fd);
	return text;
}

char *proc_text(const struct proc *p, size_t max, const char *fmt, ...)
{
	char name[64], *text;
	va_list ap;
	size_t len;
	int fd;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	fd = proc_open(p, name);
	if (fd < 0)
		return NULL;
	text = fd_text(fd, max, &len);
	close(fd);
	return text;
}

FILE *proc_stream(const struct proc *p, const char *name)
{
	int fd = proc_open(p, name);
	FILE *f = fd >= 0 ? fdopen(fd, "re") : NULL;

	if (!f && fd >= 0)
		close(fd);
	return f;
}

bool proc_field(const char *text, const char *name, char *buf, size_t size)
{
	size_t len = strlen(name);

	for (const char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		if (strncmp(p, name, len) || p[len] != ':')
			continue;
		p += len + 1;
		p += strspn(p, " \t");
		snprintf(buf, size, "%.*s", (int)strcspn(p, "\n"), p);
		return true;
	}
	return false;
}

/* --- the process --- */

static int gone(int pid, struct err *e)
{
	struct err ignored;

	err_input(e ? e : &ignored,
		  "process %d ended while it was read; look its number up anew (pgrep -a qemu)",
		  pid);
	if (e)
		e->rc = -ESRCH;
	return -ESRCH;
}

static int proc_begin(int pid, struct proc *p, struct err *e)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	*p = (struct proc){.pid = pid, .dir = -1};
	if (pid > 0)
		p->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->dir >= 0)
		return 0;
	err_input(e, "there is no process %d; `pgrep -a qemu` lists those of QEMU", pid);
	if (e)
		e->rc = -ESRCH;
	return -ESRCH;
}

/* Whether it still runs: a process that has ended, but is not reaped, has no command line. */
static bool proc_alive(const struct proc *p)
{
	char *stat = proc_text(p, 4096, "stat"), *after = stat ? strrchr(stat, ')') : NULL;
	bool alive = after && after[1] == ' ' && !strchr("ZXx", after[2]);

	free(stat);
	return alive;
}

static void got_drop(struct vm *vm)
{
	vm_drop_side(vm, VM_GOT);
	vm->running = false;
	vm->pid = 0;
}

static void sandbox_take(struct vm *vm, const struct proc *p)
{
	char *status = proc_text(p, 1 << 16, "status"), value[32], where[48];

	snprintf(where, sizeof(where), "/proc/%d/status", p->pid);
	/* 2: a filter is in force [proc(5)]. */
	if (status && proc_field(status, "Seccomp", value, sizeof(value)))
		vm_set_flag(vm, VM_GOT, !strcmp(value, "2"), where, "sandbox");
	free(status);
}

static int proc_take(struct vm *vm, const struct proc *p, struct err *e)
{
	vm->running = true;
	vm->pid = p->pid;
	sandbox_take(vm, p);
	proc_threads(vm, p);
	proc_memory(vm, p);
	proc_files(vm, p);
	proc_cgroup(vm, p);
	if (proc_alive(p))
		return 0;
	got_drop(vm);
	return gone(p->pid, e);
}

int vm_read_proc(struct vm *vm, int pid, struct err *e)
{
	struct proc p;
	int rc = proc_begin(pid, &p, e);

	if (rc)
		return rc;
	rc = proc_take(vm, &p, e);
	close(p.dir);
	return rc;
}

/* Whether the program is QEMU's, whatever it calls itself in argv[0]. */
static bool exe_is_qemu(const struct proc *p)
{
	char path[4096];
	ssize_t n = readlinkat(p->dir, "exe", path, sizeof(path) - 1);

	if (n < 0)
		return false;
	path[n] = '\0';
	return argv_is_qemu(path);
}

static int pid_argv(const struct proc *p, const char *text, size_t len, struct vm **out,
		    struct err *e)
{
	size_t words = 0, i = 0;
	char **argv, from[32];
	int rc;

	for (size_t k = 0; k < len; k++)
		words += !text[k];
	argv = xcalloc(words + 2, sizeof(*argv));
	for (const char *w = text; w < text + len; w += strlen(w) + 1)
		argv[i++] = (char *)w;
	snprintf(from, sizeof(from), "pid %d", p->pid);
	if (argv[0] && !argv_is_qemu(argv[0]) && exe_is_qemu(p))
		argv[0] = "qemu";
	if (!argv[0] || !argv_is_qemu(argv[0]))
		rc = err_input(
			e, "process %d is no QEMU (%.80s); `pgrep -a qemu` lists those that are",
			p->pid, argv[0] ? argv[0] : "a thread of the kernel");
	else
		rc = vm_read_argv(argv, from, out, e);
	free(argv);
	return rc;
}

int vm_read_pid(int pid, struct vm **out, struct err *e)
{
	size_t len = 0;
	struct proc p;
	char *text;
	int rc;

	*out = NULL;
	rc = proc_begin(pid, &p, e);
	if (rc)
		return rc;
	text = proc_bytes(&p, "cmdline", VM_TEXT_MAX, &len);
	if (!text || (!len && !proc_alive(&p)))
		rc = gone(pid, e);
	else
		rc = pid_argv(&p, text, len, out, e);
	free(text);
	if (!rc)
		rc = proc_take(*out, &p, e);
	if (rc) {
		vm_free(*out);
		*out = NULL;
	}
	close(p.dir);
	return rc;
}
