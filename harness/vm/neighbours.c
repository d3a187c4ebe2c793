// SPDX-License-Identifier: GPL-2.0-or-later
/* Other QEMUs of this host: who they are, how many vCPUs, and which CPUs they are pinned to. */
#include "vm/neighbours.h"
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "vm/internal.h"

enum { THREADS_MAX = 65536, COMMAND_MAX = 1 << 20 };

/* Its arguments' strings, each with its NUL; NULL: none. *n: how many. */
static char **words_split(char *text, size_t len, size_t *n)
{
	char **words;
	size_t count = 0, i = 0;

	for (size_t k = 0; k < len; k++)
		count += !text[k];
	words = xcalloc(count + 2, sizeof(*words));
	for (char *w = text; w < text + len && i < count; w += strlen(w) + 1)
		words[i++] = w;
	*n = i;
	return words;
}

static char *command_text(const struct proc *p, size_t *len)
{
	int fd = openat(p->dir, "cmdline", O_RDONLY | O_CLOEXEC);
	char *text = xcalloc(1, COMMAND_MAX + 1);
	ssize_t got = 1;

	*len = 0;
	while (fd >= 0 && *len < COMMAND_MAX && got > 0) {
		got = read(fd, text + *len, COMMAND_MAX - *len);
		*len += got > 0 ? (size_t)got : 0;
	}
	if (fd >= 0)
		close(fd);
	return text;
}

/* What its command line says; NULL: it is no QEMU. */
static struct vm *command_vm(const struct proc *p)
{
	char exe[4096], **words, *text, from[32];
	ssize_t link = readlinkat(p->dir, "exe", exe, sizeof(exe) - 1);
	struct vm *vm = NULL;
	size_t len, n;

	exe[link > 0 ? link : 0] = '\0';
	/* not every process's command line: it is in that process's memory */
	if (link > 0 && !argv_is_qemu(exe))
		return NULL;
	text = command_text(p, &len);
	words = words_split(text, len, &n);
	snprintf(from, sizeof(from), "pid %d", p->pid);
	if (n && (link > 0 || argv_is_qemu(words[0]))) {
		if (!argv_is_qemu(words[0]))
			words[0] = (char *)"qemu";
		if (vm_read_argv(words, from, &vm, NULL))
			vm = NULL;
	}
	free(words);
	free(text);
	return vm;
}

struct threads {
	unsigned vcpus;
	char *named, *any; /* CPU lists, as they come */
};

static void list_add(char **list, const char *cpu)
{
	char *longer = xasprintf("%s%s%s", *list ? *list : "", *list ? "," : "", cpu);

	free(*list);
	*list = longer;
}

static void thread_look(const struct proc *p, int tid, struct threads *t)
{
	char *comm = proc_text(p, 64, "task/%d/comm", tid), cpus[64] = "";
	char *status = proc_text(p, 1 << 16, "task/%d/status", tid);
	bool vcpu = comm && !strncmp(comm, "CPU ", 4) && isdigit((unsigned char)comm[4]);
	bool io = comm && !strncmp(comm, "IO ", 3) && strncmp(comm, "IO mon_iothread", 15) != 0;

	t->vcpus += vcpu;
	if (status && proc_field(status, "Cpus_allowed_list", cpus, sizeof(cpus)) && *cpus &&
	    !cpus[strspn(cpus, "0123456789")]) {
		if (vcpu || io)
			list_add(&t->named, cpus);
		if (tid != p->pid)
			list_add(&t->any, cpus);
	}
	free(status);
	free(comm);
}

static void threads_look(const struct proc *p, struct threads *t)
{
	int fd = openat(p->dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	unsigned n = 0;

	if (!d && fd >= 0)
		close(fd);
	while (d && n++ < THREADS_MAX && (entry = readdir(d)))
		if (atoi(entry->d_name) > 0)
			thread_look(p, atoi(entry->d_name), t);
	if (d)
		closedir(d);
}

static bool neighbour_read(const struct proc *p, struct vm_neighbour *out)
{
	struct vm *vm = command_vm(p);
	struct threads t = {0};
	uint64_t asked = 1;

	if (!vm)
		return false;
	threads_look(p, &t);
	vm_number(vm, VM_ASKED, &asked, "vcpus");
	*out = (struct vm_neighbour){
		.name = xstrdup(vm->name),
		.pid = p->pid,
		.vcpus = t.vcpus ? t.vcpus : (unsigned)(asked < 4096 ? asked : 4096),
	};
	out->pinned = vm_cpus(t.vcpus ? (t.named ? t.named : "") : (t.any ? t.any : ""));
	if (!out->pinned)
		out->pinned = xstrdup("");
	free(t.named);
	free(t.any);
	vm_free(vm);
	return true;
}

static int by_pid(const void *a, const void *b)
{
	const struct vm_neighbour *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

size_t vm_neighbours(struct vm_neighbour **out)
{
	DIR *d = opendir("/proc");
	struct dirent *entry;
	size_t n = 0;

	*out = NULL;
	while (d && (entry = readdir(d))) {
		struct proc p = {.pid = atoi(entry->d_name)};
		struct vm_neighbour one;

		if (p.pid <= 0)
			continue;
		p.dir = openat(dirfd(d), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (p.dir < 0)
			continue;
		if (neighbour_read(&p, &one)) {
			*out = xrealloc(*out, n + 1, sizeof(**out));
			(*out)[n++] = one;
		}
		close(p.dir);
	}
	if (d)
		closedir(d);
	if (n)
		qsort(*out, n, sizeof(**out), by_pid);
	return n;
}

void vm_neighbours_free(struct vm_neighbour *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(list[i].name);
		free(list[i].pinned);
	}
	free(list);
}
