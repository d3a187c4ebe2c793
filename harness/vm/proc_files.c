/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Open images of a running QEMU: with which flags, and by which interface requests go. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "vm/internal.h"

enum { FDS_MAX = 65536, SECTOR = 512 /* no image is shorter; pid files are */ };

struct open_file {
	int fd;
	char *path;
	struct stat st;
	bool known; /* st */
	bool named; /* it is the image of a disk that has a path */
};

struct open_files {
	struct open_file *list;
	size_t n;
	bool uring, laio;
};

static void file_take(const struct proc *p, struct open_files *o, const char *number)
{
	char link[32], path[4096];
	struct open_file *f;
	ssize_t n;

	snprintf(link, sizeof(link), "fd/%.16s", number);
	n = readlinkat(p->dir, link, path, sizeof(path) - 1);
	if (n < 0)
		return;
	path[n] = '\0';
	if (strstr(path, "[io_uring]"))
		o->uring = true;
	if (path[0] != '/')
		return;
	if (!(o->n & (o->n - 1)))
		o->list = xrealloc(o->list, o->n ? o->n * 2 : 1, sizeof(*o->list));
	f = &o->list[o->n++];
	*f = (struct open_file){.fd = atoi(number), .path = xstrdup(path)};
	/* The link leads to the open file itself: no path is walked. */
	f->known = !fstatat(p->dir, link, &f->st, 0);
}

/* False: the folder may not be listed. */
static bool files_list(const struct proc *p, struct open_files *o)
{
	int fd = openat(p->dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	size_t seen = 0;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (seen++ < FDS_MAX && (entry = readdir(d)))
		if (entry->d_name[0] != '.')
			file_take(p, o, entry->d_name);
	closedir(d);
	return true;
}

/* Linux's native AIO shows as mappings of its rings. */
static bool has_aio_ring(const struct proc *p)
{
	FILE *f = proc_stream(p, "maps");
	char line[512];
	bool found = false;

	for (size_t i = 0; f && !found && i < 1000000 && fgets(line, sizeof(line), f); i++)
		found = strstr(line, " /[aio]") != NULL;
	if (f)
		fclose(f);
	return found;
}

static bool is_fdset(const char *source)
{
	return !strncmp(source, "/dev/fdset/", 11);
}

/* A descriptor that QEMU was started with, as it names it. */
static bool is_own(const char *source)
{
	return !strncmp(source, "/proc/self/", strlen("/proc/self/"));
}

/* The image's path as this process sees it: relative ones from its folder. New. */
static char *source_path(const struct proc *p, const char *source)
{
	char folder[4096];
	ssize_t n;

	if (!strncmp(source, "file:", 5))
		source += 5;
	if (is_own(source))
		return xasprintf("/proc/%d/%s", p->pid, source + strlen("/proc/self/"));
	if (*source == '/')
		return xstrdup(source);
	n = readlinkat(p->dir, "cwd", folder, sizeof(folder) - 1);
	if (n < 0)
		return xstrdup(source);
	folder[n] = '\0';
	return xasprintf("%s/%s", folder, source);
}

static const struct open_file *file_find(const struct proc *p, const struct open_files *o,
					 const char *source)
{
	char *path = source_path(p, source), *there = xasprintf("/proc/%d/root%s", p->pid, path);
	const struct open_file *found = NULL;
	struct stat st;
	/* by its own root: in a container the path is another file's here, or none's */
	bool known = !stat(is_own(source) ? path : there, &st) || !stat(path, &st);

	for (size_t i = 0; i < o->n && !found; i++) {
		const struct open_file *f = &o->list[i];

		if (!strcmp(f->path, path) ||
		    (known && f->known && f->st.st_dev == st.st_dev && f->st.st_ino == st.st_ino))
			found = f;
	}
	free(there);
	free(path);
	return found;
}

/* Marks all descriptors of f's file. */
static void file_mark(struct open_files *o, const struct open_file *f)
{
	for (size_t k = 0; f && k < o->n; k++)
		o->list[k].named |= f == &o->list[k] || (f->known && o->list[k].known &&
							 f->st.st_dev == o->list[k].st.st_dev &&
							 f->st.st_ino == o->list[k].st.st_ino);
}

/* Marks the files that disks have by their paths. */
static void files_mark(const struct proc *p, struct open_files *o, const struct vm *vm)
{
	for (unsigned i = 0, n = vm_count(vm, "disk"); i < n; i++) {
		const char *source = vm_get(vm, VM_ASKED, "disk.%u.source", i);

		if (source && !is_fdset(source))
			file_mark(o, file_find(p, o, source));
	}
}

/* Marks what any word of the command line names: firmware, logs, disks. Words are cut where options
 * and JSON cut them; a comma is doubled within a value. */
static void argv_mark(const struct proc *p, struct open_files *o)
{
	enum { PARTS_MAX = 20000 };
	size_t len = 0, parts = 0, n = 0;
	char *text = proc_bytes(p, "cmdline", VM_TEXT_MAX, &len), part[4096];

	for (size_t i = 0; text && i <= len && parts < PARTS_MAX; i++) {
		bool comma = text[i] == ',' && text[i + 1] == ',';

		if (comma || (text[i] && !strchr(",=\"", text[i]))) {
			if (n < sizeof(part) - 1)
				part[n++] = text[i];
			i += comma;
			continue;
		}
		part[n] = '\0';
		if (n > 1) {
			parts++;
			file_mark(o, file_find(p, o, part));
		}
		n = 0;
	}
	free(text);
}

static bool is_writable(const struct proc *p, const struct open_file *f)
{
	char *text = proc_text(p, 4096, "fdinfo/%d", f->fd), value[32];
	bool rw = text && proc_field(text, "flags", value, sizeof(value)) &&
		  (strtoul(value, NULL, 8) & O_ACCMODE) == O_RDWR;

	free(text);
	return rw;
}

/*
 * Says of images that no argument names: disks that were plugged in, or snapshots that were taken,
 * while it ran. They are open for reading and writing; logs are not, nor is what lies below a
 * snapshot. Files without a name are memory, or -snapshot's.
 */
static void late_note(struct vm *vm, const struct proc *p, struct open_files *o)
{
	uint64_t n = 0;
	char where[48];

	for (size_t i = 0; i < o->n; i++) {
		const struct open_file *f = &o->list[i];
		bool image = f->known && f->st.st_nlink &&
			     (S_ISBLK(f->st.st_mode) ||
			      (S_ISREG(f->st.st_mode) && f->st.st_size >= SECTOR));
		char *path;

		if (!image || f->named || !is_writable(p, f))
			continue;
		path = vm_clean_text(f->path, strlen(f->path));
		vm_note(vm,
			"%s (/proc/%d/fd/%d) is open for writing, and nothing names it: a disk that was "
			"plugged in, or a snapshot that was taken, since it started. No rule has looked "
			"at it; its monitor knows it (query-block), and libvirt its own: audit "
			"libvirt:NAME",
			path, p->pid, f->fd);
		free(path);
		file_mark(o, f);
		n++;
	}
	snprintf(where, sizeof(where), "/proc/%d/fd", p->pid);
	if (n)
		vm_set_number(vm, VM_GOT, n, where, "images.late");
}

/*
 * The image behind /dev/fdset/N. Which descriptors are of a set only the monitor tells; but where
 * one such disk meets one open file that can be an image, it is that one. NULL: cannot be told.
 */
static const struct open_file *fdset_find(const struct proc *p, struct open_files *o,
					  const struct vm *vm)
{
	const struct open_file *found = NULL;
	unsigned sets = 0;

	for (unsigned i = 0, n = vm_count(vm, "disk"); i < n; i++) {
		const char *source = vm_get(vm, VM_ASKED, "disk.%u.source", i);

		sets += source && is_fdset(source);
	}
	if (sets == 1)
		files_mark(p, o, vm);
	for (size_t i = 0; sets == 1 && i < o->n; i++) {
		const struct open_file *f = &o->list[i];
		bool file = f->known && S_ISREG(f->st.st_mode) && f->st.st_size >= SECTOR &&
			    strncmp(f->path, "/memfd:", 7) != 0;

		if ((!file && !(f->known && S_ISBLK(f->st.st_mode))) || f->named)
			continue;
		if (found && (found->st.st_dev != f->st.st_dev || found->st.st_ino != f->st.st_ino))
			return NULL;
		/* the node's own descriptor was opened last, with the flags in force */
		if (!found || f->fd > found->fd)
			found = f;
	}
	return found;
}

/* What the disk's source is in this process; a note where that cannot be told. */
static const struct open_file *disk_file(struct vm *vm, const struct proc *p, struct open_files *o,
					 unsigned disk, const char *source)
{
	const struct open_file *f =
		is_fdset(source) ? fdset_find(p, o, vm) : file_find(p, o, source);
	char where[48];

	if (!f && is_fdset(source)) {
		vm_note(vm,
			"process %d: which of its files disk %u is (%.40s), only its monitor tells",
			p->pid, disk, source);
	} else if (!f) {
		vm_note(vm,
			"process %d: no descriptor of it is open on \"%.200s\", disk %u when it "
			"started: unplugged since, or below a snapshot",
			p->pid, source, disk);
	} else if (is_fdset(source) || is_own(source)) {
		snprintf(where, sizeof(where), "/proc/%d/fd/%d", p->pid, f->fd);
		vm_set(vm, VM_GOT, f->path, where, "disk.%u.source", disk);
		file_mark(o, f);
	}
	return f;
}

static void flags_set(struct vm *vm, const struct proc *p, const struct open_file *f, unsigned disk)
{
	char *text = proc_text(p, 4096, "fdinfo/%d", f->fd), value[32], where[48];
	unsigned long flags;

	snprintf(where, sizeof(where), "/proc/%d/fdinfo/%d", p->pid, f->fd);
	if (text && proc_field(text, "flags", value, sizeof(value))) {
		flags = strtoul(value, NULL, 8);
		vm_set_flag(vm, VM_GOT, flags & O_DIRECT, where, "disk.%u.direct", disk);
		vm_set_flag(vm, VM_GOT, (flags & O_ACCMODE) == O_RDONLY, where, "disk.%u.readonly",
			    disk);
	}
	free(text);
	if (f->known)
		vm_set(vm, VM_GOT, S_ISBLK(f->st.st_mode) ? "block" : "file", where,
		       "disk.%u.transport", disk);
}

/* What was asked for is in force when the process has what that needs. */
static void aio_set(struct vm *vm, const struct proc *p, const struct open_files *o, unsigned disk)
{
	const char *asked = vm_get(vm, VM_ASKED, "disk.%u.aio", disk);
	bool uring = asked && !strcmp(asked, "io_uring"),
	     native = asked && !strcmp(asked, "native");
	char where[48];

	snprintf(where, sizeof(where), "/proc/%d/%s", p->pid, native ? "maps" : "fd");
	if ((uring && o->uring) || (native && o->laio))
		vm_set(vm, VM_GOT, uring ? "io_uring" : "native", where, "disk.%u.aio", disk);
	else if (uring || native)
		vm_note(vm, "%s: disk %u was asked to use %s, of which the process shows nothing",
			where, disk, asked);
}

/* Whether some open file is of a disk that only the monitor could tell. */
static bool sets_unknown(const struct vm *vm)
{
	for (unsigned i = 0, n = vm_count(vm, "disk"); i < n; i++) {
		const char *source = vm_get(vm, VM_ASKED, "disk.%u.source", i);

		if (source && is_fdset(source) && !vm_get(vm, VM_GOT, "disk.%u.source", i))
			return true;
	}
	return false;
}

bool proc_other_root(int dir, const char *ns)
{
	char theirs[64], ours[64];
	ssize_t n = readlinkat(dir, ns, theirs, sizeof(theirs));
	ssize_t m = readlink("/proc/self/ns/mnt", ours, sizeof(ours));

	return n > 0 && m > 0 && (n != m || memcmp(theirs, ours, (size_t)n));
}

void proc_files(struct vm *vm, const struct proc *p)
{
	unsigned disks = vm_count(vm, "disk");
	struct open_files o = {0};

	if (!files_list(p, &o)) {
		vm_note(vm, "/proc/%d/fd cannot be listed: how its images are open is left out",
			p->pid);
		return;
	}
	if (proc_other_root(p->dir, "ns/mnt"))
		vm_note(vm,
			"process %d has a mount namespace of its own: paths on its command line may "
			"mean other files there than here",
			p->pid);
	o.laio = has_aio_ring(p);
	for (unsigned i = 0; i < disks; i++) {
		const char *source = vm_get(vm, VM_ASKED, "disk.%u.source", i);
		const char *transport = vm_get(vm, VM_ASKED, "disk.%u.transport", i);
		const struct open_file *f;

		if (!source || !transport ||
		    (strcmp(transport, "file") && strcmp(transport, "block")))
			continue;
		f = disk_file(vm, p, &o, i, source);
		if (!f)
			continue;
		flags_set(vm, p, f, i);
		aio_set(vm, p, &o, i);
	}
	if (!sets_unknown(vm)) {
		files_mark(p, &o, vm);
		argv_mark(p, &o);
		late_note(vm, p, &o);
	}
	for (size_t i = 0; i < o.n; i++)
		free(o.list[i].path);
	free(o.list);
}
