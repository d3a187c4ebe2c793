/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TARGET: from what users write to the reader for it. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "vm/internal.h"

static const char targets[] =
	"a target is libvirt:NAME, pid:N, qm:ID, a file (libvirt domain XML, a "
	"profile, or a QEMU command line), or - for standard input";

/* --- text --- */

static int text_read(int fd, const char *from, char **out, size_t *len, struct err *e)
{
	size_t room = 1 << 16, n = 0;
	char *text = xcalloc(1, room + 1);

	for (;;) {
		ssize_t got = read(fd, text + n, room - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int saved = errno;

			free(text);
			err_input(e, "%s cannot be read: %s", from, strerror(saved));
			return -saved;
		}
		if (!got)
			break;
		n += (size_t)got;
		if (n > VM_TEXT_MAX) {
			free(text);
			return err_input(e,
					 "%s: longer than %u MiB; no description of a machine is",
					 from, VM_TEXT_MAX >> 20);
		}
		if (n == room) {
			room *= 2;
			text = xrealloc(text, room + 1, 1);
		}
	}
	text[n] = '\0';
	*out = text;
	*len = n;
	return 0;
}

/* Opened without waiting, so that a FIFO without a writer is refused and not waited for. */
static int file_open(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const char *what = NULL;
	struct stat st;

	if (fd < 0) {
		int saved = errno;

		err_input(e, "%s: %s; %s", path, strerror(saved), targets);
		if (e)
			e->rc = -saved;
		return -saved;
	}
	if (fstat(fd, &st))
		what = "something that cannot be looked at";
	else if (S_ISDIR(st.st_mode))
		what = "a folder";
	else if (S_ISBLK(st.st_mode))
		what = "a block device";
	else if (S_ISCHR(st.st_mode))
		what = "a character device";
	else if (S_ISFIFO(st.st_mode))
		what = "a FIFO (give it to standard input, with - as the target)";
	else if (S_ISSOCK(st.st_mode))
		what = "a socket";
	if (!what)
		return fd;
	close(fd);
	return err_input(e, "%s is %s; %s", path, what, targets);
}

/* --- what it is --- */

/* Beginnings of disk images, which are a likely slip of the hand. */
static const char *image_kind(const char *text, size_t len)
{
	static const struct {
		const char *magic;
		size_t len;
		const char *kind;
	} of[] = {{"QFI\xfb", 4, "qcow2"},
		  {"KDMV", 4, "VMDK"},
		  {"vhdxfile", 8, "VHDX"},
		  {"conectix", 8, "VHD"},
		  {"LUKS\xba\xbe", 6, "LUKS"},
		  {"QED\0", 4, "QED"},
		  {"<<< Oracle VM VirtualBox", 24, "VDI"},
		  {"<<< QEMU VM Virtual Disk", 24, "VDI"}};

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
		if (len >= of[i].len && !memcmp(text, of[i].magic, of[i].len))
			return of[i].kind;
	/* A boot record's signature. */
	if (len >= 512 && (unsigned char)text[510] == 0x55 && (unsigned char)text[511] == 0xaa)
		return "raw";
	return NULL;
}

static const char *first_text(const char *text, size_t len)
{
	const char *p = text, *end = text + len;

	if (len >= 3 && !memcmp(p, "\xef\xbb\xbf", 3))
		p += 3;
	while (p < end) {
		while (p < end && isspace((unsigned char)*p))
			p++;
		if (p == end || (*p != '#' && *p != ';'))
			break;
		while (p < end && *p != '\n')
			p++;
	}
	return p;
}

/* UTF-16, as libxml2 takes it too. */
static bool is_utf16(const char *text, size_t len)
{
	return len >= 2 && (!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2));
}

static size_t cell_find(const struct profile *p, const char *want)
{
	for (size_t i = 0; i < p->ncells; i++)
		if (!strcmp(p->cells[i].id, want) || !strcmp(p->cells[i].label, want))
			return i;
	return p->ncells;
}

static int profile_read(const char *text, size_t len, const char *from, const char *cell,
			struct vm **out, struct err *e)
{
	struct profile *p;
	size_t at = 0;
	int rc = profile_parse(text, len, from, NULL, 0, &p, e);

	if (rc)
		return rc;
	if (cell)
		at = cell_find(p, cell);
	if (!p->ncells)
		rc = err_input(e, "%s has no cell that can be", from);
	else if (at == p->ncells)
		rc = err_input(
			e,
			"%s has no cell \"%.80s\"; `vbench run --dry-run` lists them by id and "
			"label (the first is \"%s\")",
			from, cell, p->cells[0].label);
	else
		rc = vm_read_cell(p, &p->cells[at], out, e);
	if (!rc && !cell && p->ncells > 1)
		vm_note(*out,
			"%s has %zu cells; this is the first, \"%s\" (%s#LABEL picks another)",
			from, p->ncells, p->cells[0].label, from);
	profile_free(p);
	return rc;
}

static int text_dispatch(const char *text, size_t len, const char *from, const char *cell,
			 struct vm **out, struct err *e)
{
	const char *first = first_text(text, len), *kind = image_kind(text, len);
	size_t name = strlen(from);

	if (kind)
		return err_input(e, "%s is a disk image (%s), not a description of a machine; %s",
				 from, kind, targets);
	if (is_utf16(text, len) || (first < text + len && *first == '<'))
		return vm_read_xml(text, len, from, out, e);
	if (first == text + len)
		return err_input(e, "%s is empty; %s", from, targets);
	if (cell || *first == '[' || (name > 4 && !strcmp(from + name - 4, ".ini")))
		return profile_read(text, len, from, cell, out, e);
	return vm_read_command(text, len, from, out, e);
}

/* --- targets --- */

/* "FILE.ini#CELL": unless there is a file of that very name. New strings. */
static void name_part(const char *target, char **file, char **cell)
{
	const char *hash = strstr(target, ".ini#");

	*cell = NULL;
	if (!hash || !access(target, F_OK)) {
		*file = xstrdup(target);
		return;
	}
	*file = xasprintf("%.*s", (int)(hash + 4 - target), target);
	*cell = xstrdup(hash + 5);
}

static int file_target(const char *target, struct vm **out, struct err *e)
{
	char *file, *cell, *text = NULL;
	bool standard = !strcmp(target, "-");
	size_t len = 0;
	int fd, rc;

	name_part(target, &file, &cell);
	fd = standard ? STDIN_FILENO : file_open(file, e);
	rc = fd < 0 ? fd : text_read(fd, standard ? "standard input" : file, &text, &len, e);
	if (!standard && fd >= 0)
		close(fd);
	if (!rc)
		rc = text_dispatch(text, len, standard ? "standard input" : file, cell, out, e);
	free(text);
	free(file);
	free(cell);
	return rc;
}

static int pid_target(const char *number, struct vm **out, struct err *e)
{
	if (!*number || strlen(number) > 9 || number[strspn(number, "0123456789")])
		return err_input(e, "pid:%.40s: a process has a number; `pgrep -a qemu` shows them",
				 number);
	return vm_read_pid(atoi(number), out, e);
}

/* "libvirt:NAME" or "libvirt:URI#NAME". */
static int libvirt_target(const char *rest, struct vm **out, struct err *e)
{
	const char *hash = strrchr(rest, '#');
	char *uri = hash ? xasprintf("%.*s", (int)(hash - rest), rest) : NULL;
	const char *name = hash ? hash + 1 : rest;
	int rc;

	if (!*name)
		rc = err_input(e, "libvirt:%.80s names no domain; `virsh list --all` shows them",
			       rest);
	else
		rc = vm_read_libvirt(uri && *uri ? uri : NULL, name, out, e);
	free(uri);
	return rc;
}

int vm_open(const char *target, struct vm **out, struct err *e)
{
	int rc;

	*out = NULL;
	if (!strncmp(target, "pid:", 4))
		rc = pid_target(target + 4, out, e);
	else if (!strncmp(target, "qm:", 3))
		rc = vm_read_qm(target + 3, out, e);
	else if (!strncmp(target, "libvirt:", 8))
		rc = libvirt_target(target + 8, out, e);
	else
		rc = file_target(target, out, e);
	if (!rc && (*out)->running)
		vm_read_images(*out);
	return rc;
}
