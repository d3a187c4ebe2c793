/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs fio, watches it, ends it. Progress is read from the disk's stat in sysfs, not by fio's
 * --status-interval. Neither shows in the figures (12 interleaved jobs each, under TCG), but fio's
 * counters begin anew after the ramp, and it waits for a thread that may hang with its disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest-agent/agent.h"

#define JOB_FILE "/tmp/job.fio"
#define JOB_OUT "/tmp/job.json"
#define JOB_OUT_MAX (64u << 20)
#define GATE_MAX 65536
#define JOB_KILL_NS (2000 * MS_NS) /* after SIGKILL: what lives on then is stuck in the kernel */

/* The job as fio shall read it. 0 or -errno. */
static int job_write(const char *text, bool threads)
{
	int fd = open(JOB_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), rc = 0;
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f)
		return -errno;
	/* fio merges [global] sections; this one comes first, so the job's own values win. */
	if (threads)
		fputs("[global]\nthread=1\n", f);
	fputs(text, f);
	if (ferror(f))
		rc = -EIO;
	if (fclose(f))
		rc = -errno;
	return rc;
}

static void job_exec(int out)
{
	char *const argv[] = {"fio", "--output-format=json+", "--output=" JOB_OUT, JOB_FILE, NULL};
	char *const envp[] = {"PATH=/bin", "HOME=/tmp", "LC_ALL=C", NULL};
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	if (chdir("/tmp") == 0)
		execve(AGENT_FIO, argv, envp);
	dprintf(STDERR_FILENO, "%s: %s\n", AGENT_FIO, strerror(errno));
	_exit(127);
}

static uint64_t arg_ms(const json_t *args, const char *name)
{
	json_int_t ms = json_integer_value(json_object_get(args, name));

	if (ms <= 0)
		return 0;
	/* A day bounds everything; longer is no limit that anyone waits for. */
	return (uint64_t)(ms < 86400000 ? ms : 86400000) * MS_NS;
}

static void job_begin(struct job *j, uint16_t seq, const json_t *args, const struct disk_set *disks)
{
	uint64_t timeout = arg_ms(args, "timeout_ms");

	*j = (struct job){.active = true, .seq = seq, .text_fd = -1, .gate = {.ready_fd = -1}};
	j->disks = disks;
	j->interval_ns = arg_ms(args, "interval_ms");
	if (j->interval_ns && j->interval_ns < 20 * MS_NS)
		j->interval_ns = 20 * MS_NS;
	/* reading the counters of many disks costs time that the job shall have */
	if (j->interval_ns && j->interval_ns < disks->n * MS_NS)
		j->interval_ns = disks->n * MS_NS;
	j->before = facts_counters("", disks);
	facts_disks_done("", disks, &j->last_ios, &j->last_bytes);
	j->first_ios = j->last_ios;
	j->start_ns = j->last_ns = sys_mono_ns();
	j->deadline_ns = timeout ? j->start_ns + timeout : 0;
	j->progress_ns = j->interval_ns ? j->start_ns + j->interval_ns : 0;
}

const char *job_start(struct job *j, uint16_t seq, const json_t *args, const struct disk_set *disks,
		      char *buf, size_t size)
{
	const char *text = json_string_value(json_object_get(args, "job"));
	json_int_t gate;
	int fds[2], rc;

	if (!text)
		return "a job needs the text of fio's job file as \"job\"";
	if (j->active)
		return "a job is running already";
	unlink(JOB_OUT);
	gate = json_integer_value(json_object_get(args, "gate"));
	if (gate < 0 || gate > GATE_MAX)
		return "gate must be a number of threads";
	rc = job_write(text, json_is_true(json_object_get(args, "threads")));
	if (!rc && pipe2(fds, O_CLOEXEC))
		rc = -errno;
	if (rc) {
		snprintf(buf, size, "the job can't be set up: %s", strerror(-rc));
		return buf;
	}
	job_begin(j, seq, args, disks);
	rc = gate_set(&j->gate, (unsigned)gate);
	j->pid = rc ? -1 : fork();
	if (!j->pid)
		job_exec(fds[1]);
	close(fds[1]);
	if (j->pid < 0) {
		snprintf(buf, size, rc ? "the gate: %s" : "fork: %s", strerror(rc ? -rc : errno));
		close(fds[0]);
		json_decref(j->before);
		gate_end(&j->gate);
		*j = (struct job){.text_fd = -1, .gate = {.ready_fd = -1}};
		return buf;
	}
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	j->text_fd = fds[0];
	return NULL;
}

/*
 * fio's workers call setsid(), so no group holds them all. But all that lives here beside us is the
 * job: PID 1 may kill everyone, and is spared itself (kill(2)).
 */
static void job_kill(struct job *j)
{
	if (getpid() == 1)
		kill(-1, SIGKILL);
	j->kill_ns = sys_mono_ns() + JOB_KILL_NS;
}

void job_cancel(struct job *j)
{
	if (!j->active || j->kill_ns)
		return;
	j->cancelled = true;
	job_kill(j);
}

void job_reaped(struct job *j, pid_t pid, int wstatus)
{
	if (!j->active || pid != j->pid)
		return;
	j->pid = 0;
	j->wstatus = wstatus;
	/* A fio that crashed may leave workers behind that go on with their I/O. */
	if (WIFSIGNALED(wstatus) && !j->kill_ns)
		job_kill(j);
}

/* Keeps the beginning, and of the rest the end in a ring. */
static void text_keep(struct job *j, const char *b, size_t n)
{
	size_t room = sizeof(j->head) - j->head_len, take = n < room ? n : room;

	memcpy(j->head + j->head_len, b, take);
	j->head_len += take;
	for (size_t i = take; i < n; i++)
		j->tail[j->tail_len++ % sizeof(j->tail)] = b[i];
}

void job_text(struct job *j)
{
	char buf[4096];
	ssize_t n;

	while (j->text_fd >= 0) {
		n = read(j->text_fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			close(j->text_fd);
			j->text_fd = -1;
			return;
		}
		text_keep(j, buf, (size_t)n);
	}
}

static json_t *text_json(const struct job *j)
{
	static const char gap[] = "\n...\n";
	char all[2 * JOB_TEXT_KEEP + sizeof(gap)];
	size_t n = j->head_len, from = 0;

	memcpy(all, j->head, n);
	if (j->tail_len > sizeof(j->tail)) {
		memcpy(all + n, gap, sizeof(gap) - 1);
		n += sizeof(gap) - 1;
		from = j->tail_len - sizeof(j->tail);
	}
	for (size_t i = from; i < j->tail_len; i++)
		all[n++] = j->tail[i % sizeof(j->tail)];
	return sys_clean_text(all, n);
}

/*
 * fio's document out of its output file. Notes may stand around it, on lines of their own: they
 * join the text. With several documents (someone's fio.status-interval) only the last is the
 * result.
 */
static json_t *fio_document(struct job *j, const char *at, const char *end)
{
	json_t *last = NULL;
	json_error_t err;

	while (at < end) {
		const char *eol = memchr(at, '\n', (size_t)(end - at));
		json_t *doc = NULL;

		/* Duplicates are fine: an option given twice stands twice in "job options". */
		if (*at == '{')
			doc = json_loadb(at, (size_t)(end - at), JSON_DISABLE_EOF_CHECK, &err);
		if (doc) {
			json_decref(last);
			last = doc;
			at += err.position;
			continue;
		}
		if (*at == '{') {
			char why[300];
			int n = snprintf(why, sizeof(why), "fio's JSON, line %d: %s\n", err.line,
					 err.text);

			text_keep(j, why, n < (int)sizeof(why) ? (size_t)n : sizeof(why) - 1);
			break;
		}
		eol = eol ? eol + 1 : end;
		if (eol - at > 1)
			text_keep(j, at, (size_t)(eol - at));
		at = eol;
	}
	return last;
}

static json_t *fio_result(struct job *j)
{
	char *text;
	json_t *doc;
	size_t len;

	text = sys_slurp(JOB_OUT, JOB_OUT_MAX, &len);
	if (!text)
		return NULL;
	doc = fio_document(j, text, text + len);
	free(text);
	return doc;
}

static void job_finish(struct job *j, struct port *p)
{
	json_t *body = json_object(), *fio, *after = facts_counters("", j->disks);
	static const char stuck[] = "fio's processes can't be killed: they hang in the kernel\n";

	job_text(j);
	if (j->text_fd >= 0)
		close(j->text_fd);
	if (j->stuck)
		text_keep(j, stuck, sizeof(stuck) - 1);
	fio = j->cancelled || j->timed_out ? NULL : fio_result(j);
	json_object_set_new(
		body, "exit",
		json_integer(!j->pid && WIFEXITED(j->wstatus) ? WEXITSTATUS(j->wstatus) : -1));
	json_object_set_new(
		body, "signal",
		json_integer(!j->pid && WIFSIGNALED(j->wstatus) ? WTERMSIG(j->wstatus) : 0));
	json_object_set_new(body, "cancelled", json_boolean(j->cancelled));
	json_object_set_new(body, "timed_out", json_boolean(j->timed_out));
	json_object_set_new(body, "fio", fio ? fio : json_null());
	json_object_set_new(body, "output", text_json(j));
	json_object_set_new(body, "before", j->before);
	json_object_set_new(body, "after", after);
	if (j->gate.want)
		json_object_set_new(body, "gate", gate_json(&j->gate));
	port_send(p, WIRE_RESULT, j->seq, body);
	unlink(JOB_OUT);
	gate_end(&j->gate);
	*j = (struct job){.text_fd = -1, .stuck = j->stuck, .gate = {.ready_fd = -1}};
}

void job_gate(struct job *j, struct port *p)
{
	json_t *body;

	if (!gate_count(&j->gate) || !j->active)
		return;
	body = json_object();
	json_object_set_new(body, "threads", json_integer(j->gate.come));
	port_send(p, WIRE_GATED, j->seq, body);
}

const char *job_go(struct job *j, uint16_t seq, char *buf, size_t size)
{
	int rc;

	if (!j->active || j->seq != seq || !j->gate.want)
		return "no such job waits at a gate";
	rc = gate_open(&j->gate);
	if (rc) {
		snprintf(buf, size, "the gate: %s", strerror(-rc));
		return buf;
	}
	/* the time limit is that of the work, not of the wait for others */
	if (j->deadline_ns)
		j->deadline_ns += sys_mono_ns() - j->start_ns;
	return NULL;
}

/* What the load on the vCPUs in a window is told from. */
static void progress_cpu(json_t *body, const struct disk_set *disks)
{
	json_t *counters = facts_counters("", disks);

	json_object_set(body, "cpu", json_object_get(counters, "cpu"));
	json_object_set(body, "mono_ns", json_object_get(counters, "mono_ns"));
	json_decref(counters);
}

static void job_progress(struct job *j, struct port *p, uint64_t now)
{
	uint64_t ios = j->last_ios, bytes = j->last_bytes;
	double s = (double)(now - j->last_ns) / 1e9;
	json_t *body = json_object();

	facts_disks_done("", j->disks, &ios, &bytes);
	json_object_set_new(body, "iops", json_real((double)(ios - j->last_ios) / s));
	json_object_set_new(body, "bw_bytes", json_real((double)(bytes - j->last_bytes) / s));
	json_object_set_new(body, "ios", json_integer((json_int_t)(ios - j->first_ios)));
	json_object_set_new(body, "elapsed_ms",
			    json_integer((json_int_t)((now - j->start_ns) / MS_NS)));
	if (j->gate.want)
		progress_cpu(body, j->disks);
	port_send(p, WIRE_PROGRESS, j->seq, body);
	j->last_ios = ios;
	j->last_bytes = bytes;
	j->last_ns = now;
	j->progress_ns = now + j->interval_ns;
}

void job_tick(struct job *j, struct port *p, bool children_left)
{
	uint64_t now = sys_mono_ns();

	if (!children_left)
		j->stuck = false;
	if (!j->active)
		return;
	if (!j->pid && (!children_left || !j->kill_ns)) {
		job_finish(j, p);
		return;
	}
	if (j->kill_ns) {
		if (now >= j->kill_ns) {
			j->stuck = true;
			job_finish(j, p);
		}
		return;
	}
	if (j->deadline_ns && now >= j->deadline_ns) {
		j->timed_out = true;
		job_kill(j);
		return;
	}
	if (j->progress_ns && now >= j->progress_ns && now > j->last_ns)
		job_progress(j, p, now);
}

uint64_t job_next_ns(const struct job *j)
{
	uint64_t next = UINT64_MAX;

	if (!j->active)
		return next;
	if (j->kill_ns)
		return j->kill_ns;
	if (j->deadline_ns)
		next = j->deadline_ns;
	if (j->progress_ns && j->progress_ns < next)
		next = j->progress_ns;
	return next;
}
