// SPDX-License-Identifier: GPL-2.0-or-later
// vbench-vhost-blk: a virtio-blk device as a process of its own, for QEMU or the fio engine.

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "engines/vhost_back.h"
#include "engines/vhost_blk.h"
#include "engines/vhost_listen.h"

/* From SIGTERM until it ends whatever holds it up: the queues end at the same time, and have
 * WORKER_DRAIN_S and a latency of 1 s at most. */
#define GRACE_S (WORKER_DRAIN_S + 5)

struct program {
	const struct args *args;
	struct blkdev *dev;
	struct back *back; /* the session, NULL between two */
	unsigned clients;
	char *broken;	/* why the last session ended, NULL: it did not break */
	json_t *queues; /* of the last session */
	json_t *features;
	uint64_t protocol_features;
	bool connected;
	bool told_unwritten;
};

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
	va_list ap;

	flockfile(stderr);
	fputs(VHOST_BLK ": ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	funlockfile(stderr);
}

/* --- the report ---------------------------------------------------------------------------- */

/* Bit i is character i. */
static json_t *report_features(uint64_t features)
{
	char text[65];

	for (unsigned i = 0; i < 64; i++)
		text[i] = features >> i & 1 ? '1' : '0';
	text[64] = '\0';
	return json_string(text);
}

static json_t *report_queue(const struct args *a, unsigned index, const struct back_queue *q)
{
	const struct dev_counters *c = &q->sum;

	return json_pack("{s:i, s:i, s:s, s:b, s:b, s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "index", (int)index, "size", (int)q->opts.size, "ring",
			 q->opts.packed ? "packed" : "split", "event_idx", q->opts.event_idx,
			 "indirect", q->opts.indirect, "wait",
			 args_waits[q->kicks ? a->wait : WAIT_POLL], "interrupts_wanted",
			 q->interrupts, "running", q->running, "popped", (json_int_t)c->popped,
			 "pushed", (json_int_t)c->pushed, "flushes", (json_int_t)c->flushes,
			 "interrupts", (json_int_t)c->interrupts, "arms", (json_int_t)c->arms,
			 "empty", (json_int_t)c->empty);
}

/* What there is to say of the session, or of the last one, is kept in p. */
static void report_session(struct program *p)
{
	struct back_queue q;
	uint64_t features;

	json_decref(p->features);
	json_decref(p->queues);
	p->features = back_features(p->back, &features) ? report_features(features) : json_null();
	p->protocol_features = back_protocol_features(p->back);
	p->queues = json_array();
	for (unsigned i = 0; i < p->args->disk.queues; i++)
		if (back_queue(p->back, i, &q))
			json_array_append_new(p->queues, report_queue(p->args, i, &q));
}

static int write_whole(int fd, const char *text, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Through a rename, and without fsync: it is for those who read it now, and must not disturb the
 * disk that is measured. In a folder where we may not write, in place. */
static int report_store(const char *path, const char *text)
{
	char *tmp = xasprintf("%s.%d.tmp", path, (int)getpid());
	bool in_place = false;
	int rc = 0, fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0 && (errno == EACCES || errno == EPERM)) {
		in_place = true;
		fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0) {
		rc = -errno;
		free(tmp);
		return rc;
	}
	rc = write_whole(fd, text, strlen(text));
	if (!rc && in_place && ftruncate(fd, (off_t)strlen(text)))
		rc = -errno;
	if (close(fd) && !rc)
		rc = -errno;
	if (!in_place && !rc && rename(tmp, path))
		rc = -errno;
	if (!in_place && rc)
		unlink(tmp);
	free(tmp);
	return rc;
}

static int report_write(struct program *p, struct err *e)
{
	json_t *report;
	char *text;
	int rc;

	if (!p->args->report)
		return 0;
	if (p->back)
		report_session(p);
	report = json_pack(
		"{s:s, s:s, s:s, s:I, s:I, s:o, s:O, s:I, s:O, s:i, s:b, s:s?}", "device",
		VHOST_BLK, "version", VB_VERSION, "serves", args_kinds[p->args->disk.kind],
		"latency_ns", (json_int_t)blkdev_latency(p->dev), "poll_ns",
		(json_int_t)p->args->poll_ns, "features_offered",
		report_features(blkdev_features(p->dev) | UINT64_C(1) << VHOST_F_PROTOCOL_FEATURES),
		"features", p->features, "protocol_features", (json_int_t)p->protocol_features,
		"queues", p->queues, "clients", (int)p->clients, "connected", p->connected,
		"broken", p->broken);
	text = json_dumps(report, JSON_INDENT(1));
	json_decref(report);
	rc = text ? report_store(p->args->report, text) : -ENOMEM;
	free(text);
	if (rc)
		return err_input(e, "--report: %s cannot be written: %s", p->args->report,
				 strerror(-rc));
	return 0;
}

/* --- what the session serves --------------------------------------------------------------- */

static uint64_t disk_features(void *arg)
{
	return blkdev_features(((struct program *)arg)->dev);
}

static void disk_negotiated(void *arg, uint64_t features)
{
	blkdev_negotiated(((struct program *)arg)->dev, features);
}

static size_t disk_config(void *arg, uint8_t data[VHOST_CONFIG_MAX])
{
	struct virtio_blk_config c;

	blkdev_config(((struct program *)arg)->dev, &c);
	memcpy(data, &c, sizeof(c));
	return sizeof(c);
}

static int disk_start(void *arg, unsigned index, struct dev_vq *vq, int kick, int call,
		      void **worker, struct err *e)
{
	struct program *p = arg;
	const struct args *a = p->args;
	struct worker_opts o = {
		.wait = a->wait,
		.poll_ns = a->poll_ns,
		.kick = kick,
		.call = call,
		.cpu = a->ncpus ? a->cpus[index % a->ncpus] : -1,
	};
	struct worker *w = NULL;
	int rc = worker_start(&w, p->dev, vq, &o, e);

	*worker = w;
	return rc;
}

static void disk_ask(void *arg, void *worker)
{
	(void)arg;
	worker_ask(worker);
}

static void disk_stop(void *arg, void *worker)
{
	(void)arg;
	worker_stop(worker);
}

static const char *disk_broken(void *arg, void *worker)
{
	(void)arg;
	return worker_broken(worker);
}

static void disk_changed(void *arg)
{
	struct program *p = arg;
	struct err e = {0};

	if (report_write(p, &e) && !p->told_unwritten) {
		p->told_unwritten = true;
		say("%s", e.text);
	}
}

static const struct back_ops disk_ops = {
	.features = disk_features,
	.negotiated = disk_negotiated,
	.config = disk_config,
	.start = disk_start,
	.ask = disk_ask,
	.stop = disk_stop,
	.broken = disk_broken,
	.changed = disk_changed,
};

/* --- clients ------------------------------------------------------------------------------- */

static int serve_client(struct program *p, int sock, int stop_fd)
{
	struct err e = {0};
	int rc;

	p->back = back_make(&disk_ops, p, p->args->disk.queues, p->args->max_size);
	p->clients++;
	p->connected = true;
	free(p->broken);
	p->broken = NULL;
	rc = back_serve(p->back, sock, stop_fd, &e);
	back_stop(p->back);
	p->connected = false;
	if (rc) {
		p->broken = xstrdup(e.text);
		say("%s", e.text);
	}
	disk_changed(p);
	back_free(p->back);
	p->back = NULL;
	return rc;
}

static int serve_listening(struct program *p, const struct vhost_listen *l, int stop_fd)
{
	struct err e = {0};
	int sock, rc;

	for (;;) {
		rc = vhost_listen_accept(l, stop_fd, &sock, &e);
		if (rc == -ECANCELED)
			return VB_OK;
		if (rc) {
			say("%s", e.text);
			return VB_NOT_MEASURED;
		}
		rc = serve_client(p, sock, stop_fd);
		close(sock);
		if (p->args->once)
			return rc ? VB_NOT_MEASURED : VB_OK;
	}
}

static int serve(struct program *p, struct vhost_listen *l, int stop_fd)
{
	struct err e = {0};
	int status;

	if (p->args->fd >= 0)
		return serve_client(p, p->args->fd, stop_fd) ? VB_NOT_MEASURED : VB_OK;
	if (p->args->socket && vhost_listen_open(l, p->args->socket, &e)) {
		say("%s", e.text);
		return e.status;
	}
	status = serve_listening(p, l, stop_fd);
	vhost_listen_close(l);
	return status;
}

/* --- the process --------------------------------------------------------------------------- */

struct ending {
	int stop_fd;
	struct vhost_listen *listen;
};

/* Waits for the signal that ends us, and sees to it that the end comes. */
static void *wait_for_end(void *arg)
{
	const struct ending *end = arg;
	const struct timespec grace = {.tv_sec = GRACE_S};
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigwait(&set, &sig);
	eventfd_write(end->stop_fd, 1);
	nanosleep(&grace, NULL);
	say("could not end within %d s: something that is in flight does not come back", GRACE_S);
	vhost_listen_close(end->listen);
	_exit(VB_NOT_MEASURED);
}

/* How many descriptors 256 queues take is more than most are given at first. */
static void raise_limit(void)
{
	struct rlimit r;

	if (!getrlimit(RLIMIT_NOFILE, &r) && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static int start_signals(struct ending *end, struct err *e)
{
	pthread_t thread;
	sigset_t set;
	int rc;

	signal(SIGPIPE, SIG_IGN);
	end->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (end->stop_fd < 0)
		return err_set(e, -errno, "eventfd: %s", strerror(errno));
	/* Blocked here, so that all threads to come have them blocked. */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	rc = pthread_create(&thread, NULL, wait_for_end, end);
	if (rc)
		return err_set(e, -rc, "pthread_create: %s", strerror(rc));
	pthread_detach(thread);
	return 0;
}

static int run(const struct args *a)
{
	struct program p = {.args = a, .features = json_null(), .queues = json_array()};
	struct vhost_listen listen = {.fd = a->listen_fd};
	struct ending end = {.listen = &listen};
	struct err e = {0};
	int status;

	mem_guard();
	raise_limit();
	if (start_signals(&end, &e)) {
		say("%s", e.text);
		status = e.status;
	} else if (blkdev_open(&p.dev, &a->disk, &e) || report_write(&p, &e)) {
		/* what it cannot have was named on the command line */
		say("%s", e.text);
		status = VB_BAD_INPUT;
	} else {
		status = serve(&p, &listen, end.stop_fd);
	}
	blkdev_close(p.dev);
	free(p.broken);
	json_decref(p.queues);
	json_decref(p.features);
	return status;
}

/* A closed 0, 1 or 2 would be taken by the next file that is opened. */
static void fill_standard_fds(void)
{
	int fd;

	while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
		;
	if (fd > STDERR_FILENO)
		close(fd);
}

int main(int argc, char **argv)
{
	struct err e = {0};
	struct args a;

	fill_standard_fds();
	if (args_parse(argc, argv, &a, &e)) {
		say("%s", e.text);
		return e.status;
	}
	if (a.help || a.version) {
		if (a.help)
			fputs(args_usage, stdout);
		else
			printf(VHOST_BLK " %s\n", VB_VERSION);
		return fflush(stdout) ? VB_NOT_MEASURED : VB_OK;
	}
	return run(&a);
}
