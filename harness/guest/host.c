// SPDX-License-Identifier: GPL-2.0-or-later
/* Site "host": fio as a child process, its vhost-user server beside it, both under QEMU's user. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/file.h"
#include "base/term.h"
#include "guest/evidence.h"
#include "guest/host.h"
#include "guest/server.h"
#include "guest/sink.h"

#define MS 1000000ull
#define SAMPLE_MS 20
#define SAMPLES 4096
#define FIO_OUT_MAX (64u << 20)
#define ORPHAN_NS (10000 * MS) /* how long fio may take to notice that its server is gone */

struct host {
	struct site site;
	struct host_opts o;
	const struct disk_plan *plan;
	struct server *server;
	char *scratch; /* folder that fio may write to */
	char *report;  /* of its engine, within it */
	char *engine;
	int sock;     /* number under which fio gets the server's socket */
	json_t *seen; /* evidence of fio's process or its server's, while they worked */
	json_t *engine_said;
};

/* A running job. */
struct fio_run {
	struct child child;
	struct sink log;
	int in, out; /* memfds: job file, document */
	int status;  /* wait status */
	bool timed_out;
	uint64_t began, ended, every_ns; /* every_ns: between looks */
	struct host_sample *samples;
	size_t n, cap;
};

static struct host *host_of(struct site *s)
{
	return (struct host *)s;
}

static int host_fail(struct host *h, enum cause cause, int rc)
{
	h->site.cause = cause;
	return rc;
}

static int host_prepare(struct site *site, const struct cell *c, const struct disk_plan *p,
			struct err *e)
{
	(void)site;
	(void)c;
	(void)p;
	(void)e;
	return 0;
}

static int host_open(struct site *site, const struct cell *c, const struct disk_plan *p,
		     char template_id[40], struct err *e)
{
	(void)site;
	(void)c;
	(void)p;
	(void)e;
	template_id[0] = 0;
	return 0;
}

/* filename= takes a list with ":" between (fio's HOWTO, "filename"). */
static int host_target(struct host *h, const char *image, struct err *e)
{
	char *at = h->site.target, *end = at + sizeof(h->site.target) - 2;

	for (; image && *image && at < end; image++) {
		if (*image == ':' || *image == '\\')
			*at++ = '\\';
		*at++ = *image;
	}
	*at = 0;
	if (!image || !*image)
		return 0;
	return err_input(e, "disk.dir: the image's path is too long for fio");
}

static int host_plug(struct site *site, const struct disk_plan *p, struct err *e)
{
	struct host *h = host_of(site);
	uint64_t t0 = clock_mono_ns();
	int rc = 0;

	h->plan = p;
	h->scratch = server_scratch(site->folder, "fio", h->o.env.user, h->o.env.journal, e);
	if (!h->scratch)
		return host_fail(h, CAUSE_PLAN, -EIO);
	h->report = xasprintf("%s/engine.json", h->scratch);
	if (p->server.argv)
		rc = server_start(&h->server, &p->server, h->o.env.user, h->o.env.journal,
				  site->folder, e);
	if (rc)
		return host_fail(h, CAUSE_SERVER, rc);
	h->sock = h->server ? server_sock(h->server) : -1;
	if (p->engine)
		h->engine = server_text(p->engine, h->sock, h->report);
	site->engine = h->engine;
	site->visible_ns = clock_mono_ns() - t0;
	rc = host_target(h, p->engine ? NULL : p->image, e);
	if (!rc && !p->engine && !p->image)
		rc = err_set(e, -EINVAL, "the plan has neither an engine nor an image");
	return rc ? host_fail(h, CAUSE_PLAN, rc) : 0;
}

static json_t *or_null(json_t *v)
{
	return v ? v : json_null();
}

/*
 * "host" is of the process that has the disk open: the server, or fio as it was seen working. Our
 * device ends with its client: then it, too, as it was seen.
 */
static json_t *process(const struct host *h)
{
	if (h->server && server_alive(h->server))
		return evidence_process(server_pid(h->server), h->plan->image);
	return h->seen ? json_copy(h->seen) : json_object();
}

static int host_ask(struct site *site, json_t **evidence, struct err *e)
{
	struct host *h = host_of(site);
	json_t *host;
	int rc = h->server ? server_check(h->server, e) : 0;

	*evidence = NULL;
	if (rc)
		return host_fail(h, CAUSE_SERVER, rc);
	host = process(h);
	if (h->server && h->plan->server.version)
		json_object_set_new(host, "version", json_string(h->plan->server.version));
	json_object_set_new(host, "site", json_string("host"));
	json_object_set_new(host, "fio", json_string(h->o.fio));
	json_object_set_new(host, "fio_version",
			    h->o.fio_version ? json_string(h->o.fio_version) : json_null());
	*evidence = json_pack("{s:n, s:o, s:o, s:o}", "guest", "host", host, "server",
			      or_null(h->server ? server_report(h->server) : NULL), "engine",
			      or_null(json_incref(h->engine_said)));
	return 0;
}

static size_t host_agreed(struct site *site, const struct cell *c, const json_t *evidence,
			  struct asked_got *out, size_t max)
{
	const char *got =
		json_string_value(json_object_get(json_object_get(evidence, "host"), "site"));

	(void)site;
	if (!max || !cell_get(c, K_SITE) || !got)
		return 0;
	*out = (struct asked_got){.key = "guest.site", .from = "host"};
	snprintf(out->asked, sizeof(out->asked), "%s", cell_get(c, K_SITE));
	snprintf(out->got, sizeof(out->got), "%s", got);
	out->state = strcmp(out->asked, out->got) ? GOT_DIFFER : GOT_MATCH;
	return 1;
}

static uint64_t process_cpu(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &ts))
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* Field 20 of /proc/PID/stat; the name before it may hold blanks and parentheses. */
static unsigned process_threads(pid_t pid)
{
	char path[40], line[1024], *p;
	int field;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (file_line(path, line, sizeof(line)))
		return 0;
	p = strrchr(line, ')');
	for (field = 2; p && field < 20; field++)
		p = strchr(p + 1, ' ');
	return p ? (unsigned)strtoul(p, NULL, 10) : 0;
}

/* Of a long job every second look is forgotten, as often as need be. One place stays free for the
 * last. */
static void look_room(struct fio_run *f)
{
	size_t i;

	if (f->n + 1 < f->cap)
		return;
	if (f->cap < SAMPLES) {
		f->cap = f->cap ? f->cap * 2 : 128;
		f->samples = xrealloc(f->samples, f->cap, sizeof(*f->samples));
		return;
	}
	f->n /= 2;
	for (i = 0; i < f->n; i++)
		f->samples[i] = f->samples[2 * i];
	f->every_ns *= 2;
}

static void look(struct host *h, struct fio_run *f)
{
	struct host_sample *x;

	look_room(f);
	x = &f->samples[f->n];
	x->threads = process_threads(f->child.pid);
	x->ns = clock_mono_ns();
	x->fio = process_cpu(f->child.pid);
	x->server = h->server ? server_cpu(h->server) : 0;
	/* an ended process has no clock any more */
	if (x->fio && x->threads)
		f->n++;
}

/* The moment of its end, which no look has met. */
static void look_last(struct fio_run *f)
{
	if (!f->n || f->n == f->cap)
		return;
	f->samples[f->n] = f->samples[f->n - 1];
	f->samples[f->n].ns = f->ended;
	f->samples[f->n++].threads = 0;
}

static int memory_file(const char *name, struct err *e)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	return fd < 0 ? err_set(e, -errno, "memfd: %s", strerror(errno)) : fd;
}

/* The command as one would type it in the trial's folder. */
static void command_artefact(struct host *h)
{
	char *path = xasprintf("%s/fio.txt", h->site.folder);
	const char *const argv[] = {h->o.fio, "--output-format=json+", "job.fio", NULL};
	char *shell = argv_shell((char *const *)argv);
	FILE *f = fopen(path, "we");

	if (f) {
		fprintf(f, "%s\n", shell);
		fclose(f);
	}
	free(shell);
	free(path);
}

/*
 * Job file and document go through memory: fio's user needs no right to the trial's folder, and no
 * file system is written to beside the measurement.
 */
static int fio_start(struct host *h, struct fio_run *f, const char *job, struct err *e)
{
	bool measured = h->engine && strstr(job, h->engine);
	char output[64], *aux = xasprintf("--aux-path=%s", h->scratch);
	char *log = xasprintf("%s/fio.log", h->site.folder);
	const char *const argv[] = {h->o.fio, "--output-format=json+", output, aux, "-", NULL};
	int keep[2], pipefd[2] = {-1, -1}, rc = 0;
	size_t n = strlen(job);

	f->in = memory_file("fio-job", e);
	f->out = memory_file("fio-document", e);
	if (f->in < 0 || f->out < 0)
		rc = e && e->rc ? e->rc : -EMFILE;
	else if (write(f->in, job, n) != (ssize_t)n || lseek(f->in, 0, SEEK_SET))
		rc = err_set(e, -EIO, "fio's job file: %s", strerror(errno));
	else if (pipe2(pipefd, O_CLOEXEC))
		rc = err_set(e, -errno, "pipe: %s", strerror(errno));
	if (!rc) {
		struct child_opts o = {.argv = argv,
				       .in = f->in,
				       .out = pipefd[1],
				       .err = pipefd[1],
				       .keep = keep,
				       .nkeep = 1,
				       .user = h->o.env.user,
				       .own_group = true};

		snprintf(output, sizeof(output), "--output=/proc/self/fd/%d", f->out);
		keep[0] = f->out;
		/* a fill writes to the image itself and leaves the server to the workload */
		if (measured && h->server && server_sock(h->server) >= 0)
			keep[o.nkeep++] = server_sock(h->server);
		command_artefact(h);
		rc = sink_open(&f->log, pipefd[0], log, e);
		if (!rc)
			rc = child_start(&f->child, &o, e);
	}
	if (pipefd[1] >= 0)
		close(pipefd[1]);
	if (!rc && h->o.env.journal)
		journal_pid(h->o.env.journal, f->child.pid, NULL);
	if (!rc && measured && h->server)
		server_sock_given(h->server);
	free(log);
	free(aux);
	return rc;
}

static int fio_tick(struct host *h, struct fio_run *f, uint64_t *ticked, uint64_t *orphaned,
		    uint64_t deadline, struct err *e)
{
	uint64_t now = clock_mono_ns();
	struct pollfd stop = {.fd = h->o.env.stop_fd, .events = POLLIN};

	if (poll(&stop, 1, 0) > 0)
		return host_fail(h, CAUSE_INTERRUPTED, err_set(e, -EINTR, "interrupted"));
	if (h->o.env.tick && now - *ticked >= 250 * MS) {
		int rc = h->o.env.tick(h->o.env.tick_arg, &h->site.cause, e);

		*ticked = now;
		if (rc)
			return rc;
	}
	if (h->server && !*orphaned && !server_alive(h->server))
		*orphaned = now;
	f->timed_out = now >= deadline || (*orphaned && now - *orphaned > ORPHAN_NS);
	return f->timed_out ? 1 : 0;
}

/*
 * What fio has open, or its server, looked at while the jobs are at it: they open their files some
 * time after their threads are there.
 */
static void witness(struct host *h, struct fio_run *f)
{
	pid_t pid = h->server ? server_pid(h->server) : f->child.pid;
	size_t i, working = 0;

	if (json_array_size(json_object_get(h->seen, "image_fds")) || (h->seen && !h->plan->image))
		return;
	for (i = 0; i < f->n; i++)
		working += f->samples[i].threads > HOST_OTHER_THREADS;
	if (working < 3 || working > 500)
		return;
	json_decref(h->seen);
	h->seen = evidence_process(pid, h->plan->image);
	/* a slow host: it is only just about to open the image, and may have ended before the next
	 * look */
	if (working < 10 && h->plan->image &&
	    !json_array_size(json_object_get(h->seen, "image_fds"))) {
		json_decref(h->seen);
		h->seen = NULL;
	}
}

/* Until it has ended (0), or must be ended (negative; 1: its time is over). */
static int fio_watch(struct host *h, struct fio_run *f, const struct job *j,
		     void (*progress)(const struct job_progress *, void *), void *arg,
		     struct err *e)
{
	uint64_t ticked = 0, orphaned = 0, shown = f->began, next = f->began + f->every_ns;
	uint64_t now = f->began;
	int rc = 0, wait;

	for (;;) {
		struct pollfd p[3] = {{.fd = f->child.pidfd, .events = POLLIN},
				      {.fd = f->log.fd, .events = POLLIN},
				      {.fd = h->o.env.stop_fd, .events = POLLIN}};

		wait = now < next ? (int)((next - now) / MS) + 1 : 0;
		poll(p, 3, wait < 100 ? wait : 100);
		if (p[1].revents)
			sink_drain(&f->log);
		if (p[0].revents)
			return 0;
		now = clock_mono_ns();
		if (now >= next) {
			next = now + f->every_ns;
			look(h, f);
			witness(h, f);
		}
		rc = fio_tick(h, f, &ticked, &orphaned, f->began + j->timeout_ns, e);
		if (rc)
			return rc;
		if (progress && j->interval_ns && now - shown >= j->interval_ns) {
			struct job_progress jp = {.elapsed_ns = now - f->began};

			shown = now;
			progress(&jp, arg);
		}
	}
}

static char *read_memory(int fd, size_t *len)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = NULL;
	ssize_t n = 0;

	if (size > 0 && size <= FIO_OUT_MAX) {
		text = xcalloc(1, (size_t)size + 1);
		n = pread(fd, text, (size_t)size, 0);
	}
	*len = n > 0 ? (size_t)n : 0;
	return text;
}

static void fio_result(struct host *h, struct fio_run *f, struct job_result *out)
{
	bool exited = WIFEXITED(f->status);
	char *notes = NULL, *tail = sink_tail(&f->log, SINK_TAIL), *text, *said;
	size_t len;

	text = read_memory(f->out, &len);
	if (text)
		out->fio = host_fio_document(text, len, &notes);
	said = xasprintf("%s%s%.4000s", tail, *tail && notes && *notes ? "\n" : "",
			 notes ? notes : "");
	out->output = host_words(said, h->sock, h->server ? h->plan->server.what : NULL);
	free(said);
	out->reply = json_pack("{s:i, s:i, s:b, s:b, s:{s:I}, s:{s:I}}", "exit",
			       exited ? WEXITSTATUS(f->status) : -1, "signal",
			       WIFSIGNALED(f->status) && !f->timed_out ? WTERMSIG(f->status) : 0,
			       "cancelled", 0, "timed_out", f->timed_out, "before", "mono_ns",
			       (json_int_t)f->began, "after", "mono_ns", (json_int_t)f->ended);
	out->engine = server_json(h->report);
	json_decref(h->engine_said);
	h->engine_said = json_incref(out->engine);
	if (out->fio)
		host_window(f->samples, f->n, out->fio, out);
	free(text);
	free(notes);
	free(tail);
}

/* fio's error would be a consequence: what the server said is the cause. */
static int blame_server(struct host *h, const struct job_result *out, struct err *e)
{
	int status = (int)json_integer_value(json_object_get(out->reply, "exit"));
	struct pollfd gone;

	if (!h->server || !status)
		return 0;
	/* of two that end at the same moment either may be seen first */
	gone = (struct pollfd){.fd = server_pidfd(h->server), .events = POLLIN};
	poll(&gone, 1, 200);
	return server_check(h->server, e) ? host_fail(h, CAUSE_SERVER, -ECONNRESET) : 0;
}

static int host_work(struct site *site, const struct job *j,
		     void (*progress)(const struct job_progress *, void *), void *arg,
		     struct job_result *out, struct err *e)
{
	struct host *h = host_of(site);
	struct fio_run f = {.child = {.pidfd = -1},
			    .log = {.fd = -1, .file = -1},
			    .in = -1,
			    .out = -1,
			    .every_ns = SAMPLE_MS * MS,
			    .began = clock_mono_ns()};
	pid_t pid;
	int rc;

	*out = (struct job_result){0};
	site->cause = CAUSE_FIO;
	json_decref(h->seen); /* of the fill */
	h->seen = NULL;
	rc = fio_start(h, &f, j->fio, e);
	pid = f.child.pid;
	if (!rc) {
		rc = fio_watch(h, &f, j, progress, arg, e);
		if (!rc)
			child_wait(&f.child, 10000, &f.status);
		child_end(&f.child, 0, rc ? &f.status : NULL);
		f.ended = clock_mono_ns();
		look_last(&f);
		if (h->o.env.journal && kill(pid, 0))
			journal_done_pid(h->o.env.journal, pid);
		sink_drain(&f.log);
		if (rc >= 0) {
			fio_result(h, &f, out);
			rc = blame_server(h, out, e);
		}
	}
	if (f.in >= 0)
		close(f.in);
	if (f.out >= 0)
		close(f.out);
	sink_close(&f.log);
	free(f.samples);
	return rc;
}

static void host_close(struct site *site, bool clean)
{
	struct host *h = host_of(site);

	(void)clean;
	server_stop(h->server);
	h->server = NULL;
	server_scratch_end(h->scratch, h->o.env.journal);
	free(h->report);
	free(h->engine);
	json_decref(h->seen);
	json_decref(h->engine_said);
	h->scratch = h->report = h->engine = NULL;
	h->seen = h->engine_said = NULL;
	h->plan = NULL;
	site->engine = NULL;
	site->target[0] = 0;
}

static void host_end_block(struct site *site)
{
	(void)site;
}

static void host_destroy(struct site *site)
{
	host_close(site, false);
	free(site);
}

static const struct site_ops host_ops = {
	.name = "host",
	.fresh = true,
	.prepare = host_prepare,
	.open = host_open,
	.plug = host_plug,
	.ask = host_ask,
	.agreed = host_agreed,
	.work = host_work,
	.close = host_close,
	.end_block = host_end_block,
	.destroy = host_destroy,
};

struct site *site_host_new(const struct host_opts *o)
{
	struct host *h = xcalloc(1, sizeof(*h));

	h->site.ops = &host_ops;
	h->o = *o;
	return &h->site;
}
