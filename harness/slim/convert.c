// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * qemu-img, as QEMU's user. It reads what QEMU has open through NBD, over a socket whose name is
 * gone before it is used, and writes to a descriptor of ours: no right on any folder is needed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/file.h"
#include "slim/internal.h"

#define OUT_KEEP 4096
#define SLICE_MS 50
#define NOT_SUPPORTED                                                              \
	63 /* exit status of qemu-img check for a format without one (qemu-img(1)) \
	    */

/* How a command of qemu-img ended. */
struct outcome {
	int exit; /* -1: by a signal */
	char text[OUT_KEEP];
	size_t len;
};

/* The last "(12.34/100%)" of -p, in 0..1. */
static double progress_of(const char *text)
{
	const char *p = text, *last = NULL;

	while ((p = strchr(p, '(')))
		last = ++p;
	return last ? strtod(last, NULL) / 100 : 0;
}

/* What -p prints is progress, the rest is kept. True at the end. */
static bool outcome_read(struct slim *s, int fd, bool bar, struct outcome *o)
{
	char buf[1024];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf) - 1)) > 0) {
		char *rest = buf, *p;

		buf[n] = 0;
		if (bar && strstr(buf, "/100%)"))
			slim_show(s, progress_of(buf));
		while (bar && (p = strstr(rest, "/100%)")))
			rest = p + strlen("/100%)");
		n = (ssize_t)strlen(rest);
		if (o->len + (size_t)n < sizeof(o->text)) {
			memcpy(o->text + o->len, rest, (size_t)n);
			o->len += (size_t)n;
		}
	}
	o->text[o->len] = 0;
	return !n;
}

/* Waits while the guest, room and the user are listened to. */
static int img_wait(struct slim *s, struct child *c, int fd, bool bar, uint64_t seconds,
		    struct outcome *o, struct err *e)
{
	uint64_t now = clock_mono_ns(), second = 1000000000ull;
	/* an image's size is what its header says: one of 8 EiB has no deadline */
	uint64_t deadline =
		seconds < (UINT64_MAX - now) / second ? now + seconds * second : UINT64_MAX;
	int status = 0, rc = 0;

	while (!rc && child_wait(c, 0, &status) == -ETIMEDOUT) {
		outcome_read(s, fd, bar, o);
		rc = target_watch(s, e);
		if (!rc)
			rc = vm_idle(&s->vm, SLICE_MS, e);
		if (!rc && clock_mono_ns() > deadline)
			rc = err_set(e, -ETIMEDOUT, "qemu-img took more than %llu s",
				     (unsigned long long)seconds);
	}
	if (rc) {
		child_end(c, 0, NULL);
		return rc;
	}
	outcome_read(s, fd, bar, o);
	o->exit = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return 0;
}

/*
 * Runs qemu-img with the descriptors of keep. 0 when it ended by itself: *o says how. bar: -p is
 * among its options.
 */
static int img_run(struct slim *s, const char *const *argv, const int *keep, size_t nkeep, bool bar,
		   uint64_t seconds, struct outcome *o, struct err *e)
{
	struct child c = {.pidfd = -1};
	int fd[2], rc;

	*o = (struct outcome){.exit = -1};
	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK))
		return err_set(e, -errno, "pipe: %s", strerror(errno));
	{
		struct child_opts opts = {.argv = argv,
					  .in = -1,
					  .out = fd[1],
					  .err = fd[1],
					  .keep = keep,
					  .nkeep = nkeep,
					  .user = &s->user,
					  .cwd = "/",
					  .own_group = true};

		/* its end is ours, but what it prints must not get lost */
		fcntl(fd[1], F_SETFL, 0);
		rc = child_start(&c, &opts, e);
	}
	close(fd[1]);
	if (!rc) {
		journal_pid(s->journal, c.pid, NULL);
		{
			pid_t pid = c.pid;

			rc = img_wait(s, &c, fd[0], bar, seconds, o, e);
			journal_done_pid(s->journal, pid);
		}
	}
	close(fd[0]);
	return rc;
}

/* Its failure as a sentence of ours. */
static int img_failed(const struct outcome *o, const char *what, struct err *e)
{
	bool full = strstr(o->text, "No space left") != NULL;
	const char *said = strstr(o->text, "qemu-img: ");

	return err_set(e, full ? -ENOSPC : -EIO, "%s: %s%.*s", what,
		       full ? "the disk is full: " : "", said ? (int)strcspn(said, "\r\n") : 100,
		       said ? said : "qemu-img failed without a word");
}

int convert_overlay(struct slim *s, uint64_t size, struct err *e)
{
	char *path = xasprintf("/proc/self/fd/%d", s->overlay.fd);
	char *bytes = xasprintf("%llu", (unsigned long long)size);
	const char *argv[] = {s->qemu.img, "create", "-q", "-f", "qcow2", path, bytes, NULL};
	struct outcome o;
	int rc = img_run(s, argv, &s->overlay.fd, 1, false, 60, &o, e);

	if (!rc && o.exit)
		rc = img_failed(&o, "making the overlay", e);
	free(path);
	free(bytes);
	return rc;
}

/* A connected pair over a name that is gone again: fd[0] listens, fd[1] is connected to it. */
static int nbd_pair(struct slim *s, int fd[2], struct err *e)
{
	char *prefix = xasprintf("%s/slim-", s->o->data), *dir;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int dfd = -1, rc;

	fd[0] = fd[1] = -1;
	/* only we can enter it, so that nobody else can connect while the name is there */
	rc = journal_folder(s->journal, prefix, &dir, e);
	free(prefix);
	if (rc)
		return rc;
	{
		dfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/nbd", dfd);
		fd[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		fd[1] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (dfd < 0 || fd[0] < 0 || fd[1] < 0 ||
		    bind(fd[0], (struct sockaddr *)&a, sizeof(a)) || listen(fd[0], 1) ||
		    connect(fd[1], (struct sockaddr *)&a, sizeof(a)))
			rc = err_set(e, -errno, "%s: socket: %s", dir, strerror(errno));
	}
	if (dfd >= 0) {
		unlinkat(dfd, "nbd", 0);
		close(dfd);
	}
	rmdir(dir);
	journal_done_path(s->journal, dir);
	free(dir);
	return rc;
}

/* QEMU exports a node as "x"; *sock is connected to it. Ended by nbd_stop. */
static int nbd_start(struct slim *s, const char *node, int *sock, struct err *e)
{
	int fd[2], rc = nbd_pair(s, fd, e);

	if (!rc)
		rc = qmp_call(&s->vm.qmp, "getfd", json_pack("{s:s}", "fdname", "nbd"), fd[0],
			      clock_mono_ns() + 10000000000ull, NULL, e);
	if (!rc)
		rc = source_qmp(
			s, "nbd-server-start",
			json_pack("{s:{s:s, s:{s:s}}}", "addr", "type", "fd", "data", "str", "nbd"),
			NULL, e);
	if (!rc)
		rc = source_qmp(s, "block-export-add",
				json_pack("{s:s, s:s, s:s, s:s}", "type", "nbd", "id", "x",
					  "node-name", node, "name", "x"),
				NULL, e);
	if (fd[0] >= 0)
		close(fd[0]);
	if (rc && fd[1] >= 0)
		close(fd[1]);
	*sock = rc ? -1 : fd[1];
	return rc;
}

static int nbd_stop(struct slim *s, int sock, int rc, struct err *e)
{
	int end;

	close(sock);
	if (rc == -ECONNRESET)
		return rc;
	end = source_qmp(s, "nbd-server-stop", NULL, NULL, rc ? NULL : e);
	return rc ? rc : end;
}

/* The export as QEMU's tools name it; caller frees. With driver: that format on top of it. */
static char *nbd_name(int sock, const char *driver, bool backing)
{
	char num[16], *text, *name;
	json_t *j;

	snprintf(num, sizeof(num), "%d", sock);
	j = json_pack("{s:s, s:s, s:{s:s, s:s}}", "driver", "nbd", "export", "x", "server", "type",
		      "fd", "str", num);
	if (driver)
		j = json_pack("{s:s, s:o}", "driver", driver, "file", j);
	if (driver && backing)
		json_object_set_new(j, "backing", json_null());
	text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	name = xasprintf("json:%s", text ? text : "{}");
	free(text);
	return name;
}

static uint64_t seconds_for(const struct slim *s)
{
	/* 10 minutes, and the time that the disk takes at 1 MiB/s */
	return 600 + (s->r->virtual_size >> 20);
}

static int check_verdict(const struct slim_link *l, const struct outcome *o, struct slim *s,
			 struct err *e)
{
	json_error_t je;
	const char *from = strchr(o->text, '{'); /* behind what it complained of */
	json_t *j = from ? json_loads(from, JSON_DISABLE_EOF_CHECK, &je) : NULL;
	json_int_t bad = json_integer_value(json_object_get(j, "corruptions"));
	json_int_t leaks = json_integer_value(json_object_get(j, "leaks"));
	int rc = 0;

	json_decref(j);
	if (o->exit == 0 || o->exit == NOT_SUPPORTED)
		return 0;
	/* exit statuses of qemu-img check: 2 corrupt, 3 leaked clusters, which hurt nobody */
	if (o->exit == 3)
		slim_note(s, "%s: %lld clusters had leaked: they are not in the result", l->path,
			  (long long)leaks);
	else if (o->exit == 2)
		rc = err_input(e,
			       "%s is corrupt (%lld error%s or more); see `qemu-img check %s`. "
			       "Nothing was written",
			       l->path, bad ? (long long)bad : 1, bad > 1 ? "s" : "", l->path);
	else
		rc = img_failed(o, "qemu-img check", e);
	return rc;
}

int convert_check(struct slim *s, const struct slim_link *l, struct err *e)
{
	bool backing = !strcmp(l->format, "qcow2") || !strcmp(l->format, "qed");
	const char *argv[] = {s->qemu.img, "check", "--output=json", NULL, NULL};
	struct outcome o;
	char *name;
	int sock, rc;

	if (!backing && strcmp(l->format, "vdi") && strcmp(l->format, "vhdx"))
		return 0;
	rc = nbd_start(s, l->file_node, &sock, e);
	if (rc)
		return rc;
	name = nbd_name(sock, l->format, backing);
	argv[3] = name;
	rc = img_run(s, argv, &sock, 1, false, seconds_for(s), &o, e);
	rc = nbd_stop(s, sock, rc, e);
	free(name);
	return rc ? rc : check_verdict(l, &o, s, e);
}

/* The options of the result: those of the image where they matter to whoever runs it. */
static char *out_options(const struct slim *s)
{
	return xasprintf("cluster_size=%llu%s%s%s", (unsigned long long)s->r->cluster_size,
			 s->r->extended_l2 ? ",extended_l2=on" : "",
			 s->o->compress ? ",compression_type=" : "",
			 s->o->compress ? s->o->compress : "");
}

int convert_write(struct slim *s, struct err *e)
{
	char *from, *to = xasprintf("/proc/self/fd/%d", s->out.fd), *options = out_options(s);
	const char *argv[16] = {s->qemu.img, "convert", "-p", "-O", "qcow2", "-o", options};
	struct outcome o;
	size_t n = 7;
	int sock, rc = nbd_start(s, "overlay", &sock, e);

	slim_step(s, "converting");
	if (!rc) {
		int keep[] = {sock, s->out.fd};

		from = nbd_name(sock, NULL, false);
		if (s->o->compress)
			argv[n++] = "-c";
		argv[n++] = from;
		argv[n++] = to;
		rc = img_run(s, argv, keep, 2, true, seconds_for(s), &o, e);
		rc = nbd_stop(s, sock, rc, e);
		free(from);
		if (!rc && o.exit)
			rc = img_failed(&o, "qemu-img convert", e);
	}
	if (s->o->compress)
		snprintf(s->r->compress, sizeof(s->r->compress), "%s", s->o->compress);
	free(options);
	free(to);
	return rc;
}

/* Every byte of the disk, so also what no file system accounts for; then QEMU gets the result. */
int convert_compare(struct slim *s, struct err *e)
{
	char *from, *to, path[32];
	struct outcome o;
	int sock, fd, rc = nbd_start(s, "overlay", &sock, e);

	slim_step(s, "comparing");
	if (rc)
		return rc;
	from = nbd_name(sock, NULL, false);
	to = xasprintf("json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":"
		       "\"/proc/self/fd/%d\"}}",
		       s->out.fd);
	{
		const char *argv[] = {s->qemu.img, "compare", "-p", from, to, NULL};
		int keep[] = {sock, s->out.fd};

		rc = img_run(s, argv, keep, 2, true, seconds_for(s), &o, e);
	}
	rc = nbd_stop(s, sock, rc, e);
	free(from);
	free(to);
	if (!rc && o.exit == 1)
		rc = err_set(e, -EIO, "the converted image differs from what was converted: %.200s",
			     o.text);
	else if (!rc && o.exit)
		rc = img_failed(&o, "qemu-img compare", e);
	if (rc)
		return rc;
	to = xasprintf("/proc/self/fd/%d", s->out.fd);
	fd = open(to, O_RDONLY | O_CLOEXEC);
	free(to);
	if (fd < 0)
		return err_set(e, -errno, "%s: %s", s->final, strerror(errno));
	rc = source_fdset(s, fd, path, e);
	close(fd);
	if (!rc)
		rc = source_qmp(s, "blockdev-add",
				json_pack("{s:s, s:s, s:s, s:b}", "driver", "file", "node-name",
					  "result-file", "filename", path, "read-only", 1),
				NULL, e);
	if (!rc)
		rc = source_qmp(s, "blockdev-add",
				json_pack("{s:s, s:s, s:s, s:b}", "driver", "qcow2", "node-name",
					  "result", "file", "result-file", "read-only", 1),
				NULL, e);
	return rc;
}
