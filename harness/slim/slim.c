// SPDX-License-Identifier: GPL-2.0-or-later
/* vbench slim from beginning to end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/units.h"
#include "slim/internal.h"
#include "slim/study.h"

void slim_note(struct slim *s, const char *fmt, ...)
{
	struct slim_result *r = s->r;
	char text[1024], *p;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* labels and file names come from the image, and this goes to a terminal */
	for (p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	r->notes = xrealloc(r->notes, r->nnotes + 1, sizeof(*r->notes));
	r->notes[r->nnotes++] = xstrdup(text);
	term_end(&s->term);
	/* what --quiet does not silence */
	fprintf(stderr, "vbench: %s\n", text);
}

void slim_show(struct slim *s, double part)
{
	uint64_t now = clock_mono_ns() - s->begun_ns;
	unsigned all = s->steps ? s->steps : 1;
	unsigned done = (unsigned)(1000 * ((s->step ? s->step - 1 : 0) + part) / all);

	term_bar(&s->term, done > 1000 ? 1000 : done, 1000, now, 0, s->doing, false);
}

void slim_step(struct slim *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->doing, sizeof(s->doing), fmt, ap);
	va_end(ap);
	if (s->step < s->steps)
		s->step++;
	if (!s->term.tty)
		term_line(&s->term, "%s", s->doing);
	slim_show(s, 0);
}

/* While the guest or qemu-img works. */
static int slim_tick(void *arg, enum cause *cause, struct err *e)
{
	struct slim *s = arg;
	int rc = target_watch(s, e);

	if (rc)
		*cause = CAUSE_DISK_FULL;
	slim_show(s, 0);
	return rc;
}

static void told_swept(const char *what, void *arg)
{
	term_line(arg, "vbench: cleaned up after an earlier run: %s", what);
}

static int slim_begin(struct slim *s, struct err *e)
{
	char *dir = xasprintf("%s/journal", s->o->data);
	int rc = qemu_user(NULL, &s->user, e);

	if (!rc)
		rc = dir_make(s->o->data, geteuid() ? 0700 : 0755, e);
	if (!rc && journal_sweep(dir, told_swept, &s->term, e) < 0)
		rc = e ? e->rc : -EIO;
	if (!rc)
		rc = journal_open(dir, &s->journal, e);
	free(dir);
	s->env = (struct vm_env){.user = &s->user,
				 .journal = s->journal,
				 .stop_fd = s->o->stop_fd,
				 .tick = slim_tick,
				 .tick_arg = s};
	return rc;
}

/* The guest looks into a node's disk, and what is free there is given back. */
static int slim_free_space(struct slim *s, const char *node, struct err *e)
{
	char disk[64];
	int rc;

	slim_step(s, "looking for file systems");
	rc = volumes_plug(s, node, 0, disk, e);
	if (!rc)
		rc = volumes_scan(s, disk, e);
	if (!rc)
		rc = volumes_free(s, e);
	/* Nothing changes any more: what is converted is what is compared. */
	if (!rc)
		rc = source_qmp(s, "stop", NULL, NULL, e);
	return rc;
}

static int slim_verify(struct slim *s, struct err *e)
{
	char disk[64];
	int rc = convert_compare(s, e);

	if (!rc)
		rc = source_qmp(s, "cont", NULL, NULL, e);
	if (!rc)
		rc = volumes_plug(s, "result", 1, disk, e);
	if (!rc)
		rc = volumes_verify(s, disk, e);
	return rc;
}

static int slim_overlay_node(struct slim *s, struct err *e)
{
	char path[32];
	int rc = convert_overlay(s, s->r->virtual_size, e);

	if (!rc)
		rc = source_fdset(s, s->overlay.fd, path, e);
	if (!rc)
		rc = source_qmp(s, "blockdev-add",
				json_pack("{s:s, s:s, s:s, s:s}", "driver", "file", "node-name",
					  "overlay-file", "filename", path, "discard", "unmap"),
				NULL, e);
	if (!rc)
		rc = source_qmp(s, "blockdev-add",
				json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "driver", "qcow2",
					  "node-name", "overlay", "file", "overlay-file", "backing",
					  s->chain[0].node, "discard", "unmap", "detect-zeroes",
					  "unmap"),
				NULL, e);
	return rc;
}

static int slim_all(struct slim *s, struct err *e)
{
	int rc = source_open(s, e);

	if (!rc)
		rc = target_check(s, e);
	if (!rc)
		rc = slim_begin(s, e);
	if (!rc)
		rc = target_files(s, e);
	if (!rc)
		rc = target_watch(s, e);
	if (!rc)
		rc = boot_guest(s, e);
	if (!rc)
		rc = source_nodes(s, e);
	if (!rc)
		rc = target_replaces(s, e);
	if (!rc) {
		s->r->l2_cache =
			slim_l2_cache(s->r->virtual_size, s->r->cluster_size, s->r->extended_l2);
		rc = slim_overlay_node(s, e);
	}
	if (!rc)
		rc = slim_free_space(s, "overlay", e);
	if (!rc)
		rc = convert_write(s, e);
	if (!rc)
		rc = slim_verify(s, e);
	if (!rc)
		rc = source_unchanged(s, e);
	/* While QEMU holds its locks on the image, so that nobody can have begun to use it. */
	if (!rc)
		rc = target_publish(s, e);
	return rc;
}

/* QEMU's and qemu-img's words for a full disk do not say which, nor what to do. */
static void slim_full(const struct slim *s, struct err *e)
{
	char why[600];

	if (!e || strstr(e->text, "--free"))
		return;
	snprintf(why, sizeof(why), "%.590s", e->text);
	err_set(e, -ENOSPC,
		"%s is full; make room, or write the result elsewhere (-o). Nothing was written (%s)",
		s->dir, why);
}

static void slim_init(struct slim *s, const struct slim_opts *o, struct slim_result *r)
{
	*r = (struct slim_result){0};
	*s = (struct slim){.o = o,
			   .r = r,
			   .begun_ns = clock_mono_ns(),
			   .vm = {.qmp = {.fd = -1}, .child = {.pidfd = -1}},
			   .overlay = {.fd = -1},
			   .out = {.fd = -1},
			   .steps = 5,
			   .dirfd = -1};
	term_init(&s->term, o->quiet);
}

static int inside_all(struct slim *s, const char *image, struct err *e)
{
	char path[32];
	int fd, rc = slim_begin(s, e);

	if (!rc)
		rc = boot_guest(s, e);
	if (rc)
		return rc;
	fd = open(image, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, -errno, "%s: %s", image, strerror(errno));
	rc = source_fdset(s, fd, path, e);
	close(fd);
	if (!rc)
		rc = source_qmp(s, "blockdev-add",
				json_pack("{s:s, s:s, s:s, s:{s:s, s:s, s:s}}", "driver", "qcow2",
					  "node-name", "disk", "discard", "unmap", "file", "driver",
					  "file", "filename", path, "discard", "unmap"),
				NULL, e);
	if (!rc)
		rc = slim_free_space(s, "disk", e);
	return rc;
}

int slim_inside(const struct slim_opts *o, const char *image, enum slim_how how, struct err *e)
{
	struct slim_opts own = *o;
	struct slim_result r;
	struct slim s;
	int rc;

	own.how = how;
	own.quiet = true;
	slim_init(&s, &own, &r);
	rc = inside_all(&s, image, e);
	/* QEMU closes the image properly: it stays */
	if (s.up && !rc) {
		vm_end(&s.vm, true);
		s.up = false;
	}
	boot_end(&s);
	journal_close(s.journal);
	slim_result_free(&r);
	return rc;
}

int slim_run(const struct slim_opts *o, struct slim_result *r, struct err *e)
{
	struct slim s;
	int rc;

	slim_init(&s, o, r);
	rc = slim_all(&s, e);
	if (rc == -ENOSPC && s.dir)
		slim_full(&s, e);
	r->ns = clock_mono_ns() - s.begun_ns;
	term_end(&s.term);
	boot_end(&s);
	source_close(&s);
	target_close(&s);
	journal_close(s.journal);
	return rc;
}

void slim_result_free(struct slim_result *r)
{
	size_t i;

	for (i = 0; i < r->nvolumes; i++)
		free(r->volumes[i].refused);
	for (i = 0; i < r->nnotes; i++)
		free(r->notes[i]);
	free(r->volumes);
	free(r->notes);
	free(r->image);
	free(r->out);
	*r = (struct slim_result){0};
}

uint64_t slim_l2_cache(uint64_t virtual_size, uint64_t cluster_size, bool extended_l2)
{
	uint64_t clusters, entry = extended_l2 ? 16 : 8, bytes;

	if (!cluster_size)
		return 0;
	clusters = virtual_size / cluster_size + !!(virtual_size % cluster_size);
	bytes = clusters * entry;
	return (bytes + cluster_size - 1) / cluster_size * cluster_size;
}
