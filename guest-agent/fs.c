/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests about file systems, as PID 1 sees them: a process each, in mounts of its own, ended by
 * its answer, a time-out or CANCEL. However it ends, the kernel takes its mounts back with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest-agent/agent.h"
#include "guest-agent/fs.h"

#define FS_TEXT_MAX (2u << 20)	     /* an answer is shorter */
#define FS_KILL_NS (30000 * MS_NS)   /* after SIGKILL: unmounting may have much to write */
#define FS_STEP_NS (500 * MS_NS)     /* between progress messages */
#define FS_DEADLINE_MS (3600 * 1000) /* where none is given */
#define FS_DAY_MS 86400000

/* --- in the process --------------------------------------------------------------------------- */

static bool write_all(int fd, const char *s, size_t n)
{
	while (n) {
		ssize_t did = write(fd, s, n);

		if (did < 0 && errno == EINTR)
			continue;
		if (did <= 0)
			return false;
		s += did;
		n -= (size_t)did;
	}
	return true;
}

/* One line; takes j over. */
static bool line_send(int fd, json_t *j)
{
	char *text = json_dumps(j, JSON_COMPACT);
	bool ok = text && write_all(fd, text, strlen(text)) && write_all(fd, "\n", 1);

	free(text);
	json_decref(j);
	return ok;
}

void fs_total(const struct fs_request *r, uint64_t bytes)
{
	line_send(r->out, json_pack("{s:I}", "total", (json_int_t)bytes));
}

/* Mounts that nobody else sees and that end with us. NULL or why not. */
static const char *child_own_mounts(void)
{
	if (unshare(CLONE_NEWNS))
		return "unshare";
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return "making mounts private";
	return NULL;
}

static _Noreturn void child_run(uint8_t type, const struct fs_request *r)
{
	struct rlimit many = {65536, 65536}; /* a folder open for each level of the deepest tree */
	json_t *answer = NULL;
	char why[FS_WHY] = "";
	const char *what;
	sigset_t none;
	bool ok;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	umask(022); /* vfat takes its modes from it */
	setrlimit(RLIMIT_NOFILE, &many);
	what = child_own_mounts();
	if (what)
		fs_why(why, errno, "%s", what);
	else if (type == WIRE_FS_SCAN)
		answer = fs_scan(r, why);
	else if (type == WIRE_FS_SUM)
		answer = fs_sum(r, why);
	else
		answer = fs_free(r, why);
	ok = line_send(r->out,
		       answer ? json_pack("{s:o}", "answer", answer)
			      : json_pack("{s:o}", "error", sys_clean_text(why, strlen(why))));
	_exit(ok ? 0 : 1);
}

/* --- in PID 1 --------------------------------------------------------------------------------- */

/* /dev/ and a plain name of a block device; the name, or NULL. */
static const char *path_name(const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
	const char *name;
	struct stat st;

	if (!path || strncmp(path, "/dev/", 5))
		return NULL;
	name = path + 5;
	if (!name[0] || strlen(name) >= FS_NAME_MAX || name[strspn(name, plain)])
		return NULL;
	return !stat(path, &st) && S_ISBLK(st.st_mode) ? name : NULL;
}

/* Bytes read, written and discarded since boot (Documentation/ABI, /sys/block/DISK/stat: fields 3,
 * 7 and 14, in sectors of 512), and requests of all three. */
static void disk_counters(const char *name, uint64_t c[4])
{
	unsigned long long v[15] = {0};
	char buf[512];

	memset(c, 0, 4 * sizeof(*c));
	if (sys_read(buf, sizeof(buf), "/sys/class/block/%s/stat", name) <= 0)
		return;
	sscanf(buf, "%llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0],
	       &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7], &v[8], &v[9], &v[10], &v[11],
	       &v[12], &v[13]);
	c[0] = v[2] * 512;
	c[1] = v[6] * 512;
	c[2] = v[13] * 512;
	c[3] = v[0] + v[4] + v[11];
}

/* Takes a request apart. NULL or why not. */
static const char *request_read(uint8_t type, const json_t *args, struct fs_request *r)
{
	const char *path = json_string_value(json_object_get(args, "path"));
	const char *fs = json_string_value(json_object_get(args, "type"));
	const char *how = json_string_value(json_object_get(args, "how"));
	const char *name = path_name(path);

	*r = (struct fs_request){.out = -1};
	if (!name)
		return "\"path\" must be a block device right below /dev";
	snprintf(r->path, sizeof(r->path), "/dev/%s", name);
	if (type == WIRE_FS_SCAN)
		return NULL;
	if (!fs || (!fs_known(fs) && strcmp(fs, "swap")) || strlen(fs) >= sizeof(r->type))
		return "\"type\" must be a file system that is understood (ext2, ext3, ext4, xfs, "
		       "btrfs, vfat), or swap";
	strcpy(r->type, fs);
	if (type == WIRE_FS_SUM)
		return strcmp(fs, "swap") ? NULL : "swap has no files";
	if (!how || (strcmp(how, "trim") && strcmp(how, "zero")))
		return "\"how\" must be trim or zero";
	r->zero = !strcmp(how, "zero");
	return NULL;
}

static void fs_begin(struct fs *f, uint8_t type, uint16_t seq, const json_t *args,
		     const struct fs_request *r)
{
	json_int_t ms = json_integer_value(json_object_get(args, "timeout_ms"));

	*f = (struct fs){.active = true, .type = type, .seq = seq, .fd = -1, .zero = r->zero};
	snprintf(f->name, sizeof(f->name), "%s", r->path + strlen("/dev/"));
	if (ms <= 0)
		ms = FS_DEADLINE_MS;
	f->start_ns = f->last_ns = sys_mono_ns();
	f->deadline_ns = f->start_ns + (uint64_t)(ms < FS_DAY_MS ? ms : FS_DAY_MS) * MS_NS;
	f->progress_ns = type == WIRE_FS_SCAN ? 0 : f->start_ns + FS_STEP_NS;
	disk_counters(f->name, f->first);
}

const char *fs_start(struct fs *f, uint8_t type, uint16_t seq, const json_t *args, char *buf,
		     size_t size)
{
	struct fs_request r;
	const char *why;
	int fds[2];

	if (f->active)
		return "another request about file systems is under way, or hangs in the kernel";
	why = request_read(type, args, &r);
	if (why)
		return why;
	if (pipe2(fds, O_CLOEXEC)) {
		snprintf(buf, size, "pipe: %s", strerror(errno));
		return buf;
	}
	fs_begin(f, type, seq, args, &r);
	r.out = fds[1];
	f->pid = fork();
	if (!f->pid) {
		close(fds[0]);
		child_run(type, &r);
	}
	close(fds[1]);
	if (f->pid < 0) {
		snprintf(buf, size, "fork: %s", strerror(errno));
		close(fds[0]);
		*f = (struct fs){.fd = -1};
		return buf;
	}
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	f->fd = fds[0];
	return NULL;
}

static void fs_kill(struct fs *f)
{
	if (f->pid > 0)
		kill(f->pid, SIGKILL);
	f->kill_ns = sys_mono_ns() + FS_KILL_NS;
}

void fs_cancel(struct fs *f)
{
	if (!f->active || f->kill_ns)
		return;
	f->cancelled = true;
	fs_kill(f);
}

void fs_reaped(struct fs *f, pid_t pid, int wstatus)
{
	if (!f->active || pid != f->pid)
		return;
	f->pid = 0;
	f->wstatus = wstatus;
}

/* Takes lines that say how much there is to do out of the text; what is left is the answer. */
static void text_totals(struct fs *f)
{
	char *eol;

	while (f->len && (eol = memchr(f->text, '\n', f->len))) {
		size_t n = (size_t)(eol - f->text) + 1;
		json_t *j = json_loadb(f->text, n, 0, NULL);
		json_t *total = json_object_get(j, "total");
		bool is_total = json_is_integer(total);

		/* 0 is one, too: that of an empty file system */
		if (is_total && json_integer_value(total) >= 0)
			f->total = (uint64_t)json_integer_value(total);
		json_decref(j);
		if (!is_total)
			return;
		memmove(f->text, f->text + n, f->len - n);
		f->len -= n;
	}
}

void fs_text(struct fs *f)
{
	while (f->fd >= 0) {
		ssize_t n;

		if (f->cap - f->len < 4096) {
			char *text = f->cap < FS_TEXT_MAX ? realloc(f->text, f->cap + 65536) : NULL;

			if (!text) {
				close(f->fd);
				f->fd = -1;
				return;
			}
			f->text = text;
			f->cap += 65536;
		}
		n = read(f->fd, f->text + f->len, f->cap - f->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			close(f->fd);
			f->fd = -1;
			break;
		}
		f->len += (size_t)n;
	}
	text_totals(f);
}

static const char *const type_names[] = {
	[WIRE_FS_SCAN] = "looking for file systems on",
	[WIRE_FS_SUM] = "reading the files of",
	[WIRE_FS_FREE] = "giving back the free space of",
};

/* The process has ended: what it said goes to the host. */
static void fs_finish(struct fs *f, struct port *p)
{
	const char *what = type_names[f->type], *said;
	json_t *j, *answer;

	fs_text(f);
	if (f->fd >= 0)
		close(f->fd);
	j = f->len ? json_loadb(f->text, f->len, 0, NULL) : NULL;
	answer = json_object_get(j, "answer");
	said = json_string_value(json_object_get(j, "error"));
	if (f->cancelled || f->timed_out)
		port_error(p, f->seq, "%s %s %s", what, f->name,
			   f->cancelled ? "was cancelled" : "took too long");
	else if (answer)
		port_send(p, WIRE_REPLY, f->seq, json_incref(answer));
	else if (said)
		port_error(p, f->seq, "%s", said);
	else if (WIFSIGNALED(f->wstatus))
		port_error(p, f->seq, "%s %s: the process was ended by signal %d", what, f->name,
			   WTERMSIG(f->wstatus));
	else
		port_error(p, f->seq, "%s %s: the process ended without an answer", what, f->name);
	json_decref(j);
	free(f->text);
	*f = (struct fs){.fd = -1};
}

/* It was killed and lives on: it hangs in the kernel. The host is told, the next request refused.
 */
static void fs_stuck(struct fs *f, struct port *p)
{
	port_error(p, f->seq, "%s %s: the process can't be ended, it hangs in the kernel",
		   type_names[f->type], f->name);
	f->kill_ns = UINT64_MAX;
}

static void fs_progress(struct fs *f, struct port *p, uint64_t now)
{
	double s = (double)(now - f->last_ns) / 1e9;
	uint64_t c[4], done;
	json_t *body = json_object();

	disk_counters(f->name, c);
	done = f->type == WIRE_FS_SUM ? c[0] - f->first[0]
				      : c[2] - f->first[2] + (f->zero ? c[1] - f->first[1] : 0);
	/* also what every PROGRESS has */
	json_object_set_new(body, "iops", json_real(0));
	json_object_set_new(body, "bw_bytes",
			    json_real(done > f->last_done ? (double)(done - f->last_done) / s : 0));
	json_object_set_new(body, "ios", json_integer((json_int_t)(c[3] - f->first[3])));
	json_object_set_new(body, "done_bytes", json_integer((json_int_t)done));
	json_object_set_new(body, "total_bytes", json_integer((json_int_t)f->total));
	json_object_set_new(body, "elapsed_ms",
			    json_integer((json_int_t)((now - f->start_ns) / MS_NS)));
	port_send(p, WIRE_PROGRESS, f->seq, body);
	f->last_done = done;
	f->last_ns = now;
	f->progress_ns = now + FS_STEP_NS;
}

void fs_tick(struct fs *f, struct port *p)
{
	uint64_t now = sys_mono_ns();

	if (!f->active)
		return;
	if (!f->pid && f->kill_ns == UINT64_MAX) {
		/* stuck, told and now gone after all */
		if (f->fd >= 0)
			close(f->fd);
		free(f->text);
		*f = (struct fs){.fd = -1};
	} else if (!f->pid) {
		fs_finish(f, p);
	} else if (f->kill_ns) {
		if (f->kill_ns != UINT64_MAX && now >= f->kill_ns)
			fs_stuck(f, p);
	} else if (now >= f->deadline_ns) {
		f->timed_out = true;
		fs_kill(f);
	} else if (f->progress_ns && now >= f->progress_ns && now > f->last_ns) {
		fs_progress(f, p, now);
	}
}

uint64_t fs_next_ns(const struct fs *f)
{
	if (!f->active)
		return UINT64_MAX;
	if (f->kill_ns)
		return f->kill_ns;
	return f->progress_ns && f->progress_ns < f->deadline_ns ? f->progress_ns : f->deadline_ns;
}
