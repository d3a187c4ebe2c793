// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Threads of a process and their affinities. A thread is its process, its number and the start
 * times of both, so that numbers used again are never taken for the thread that was meant.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include "apply/internal.h"
#include "base/child.h"
#include "base/file.h"

/* include/linux/sched.h: PF_NO_SETAFFINITY; /proc/PID/stat shows the flags (proc(5), field 9). */
#define FLAG_FIXED 0x04000000ul

enum { STAT_MAX = 4096, STATUS_MAX = 64 << 10, PASSES = 20 };

/* Start time (field 22) and flags (field 9) of /proc/PID/task/TID/stat; false: no such thread. */
static bool thread_stat(pid_t pid, pid_t tid, struct thread *out)
{
	char path[64], *text, *p, *open;
	int field = 2;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid, (int)tid);
	if (file_read(path, STAT_MAX, &text, NULL))
		return false;
	*out = (struct thread){.tid = tid};
	open = strchr(text, '(');
	p = strrchr(text, ')'); /* a name may hold brackets and blanks */
	if (open && p > open) {
		size_t len = (size_t)(p - open - 1);

		if (len >= sizeof(out->name))
			len = sizeof(out->name) - 1;
		memcpy(out->name, open + 1, len);
		for (char *c = out->name; *c; c++)
			if (!isprint((unsigned char)*c))
				*c = '?';
		for (p++; *p; field++) {
			p += strspn(p, " ");
			if (field == 8)
				out->fixed = strtoul(p, NULL, 10) & FLAG_FIXED;
			if (field == 21)
				out->start = strtoull(p, NULL, 10);
			p += strcspn(p, " ");
		}
	}
	free(text);
	return out->start != 0;
}

static int by_tid(const void *a, const void *b)
{
	pid_t x = ((const struct thread *)a)->tid, y = ((const struct thread *)b)->tid;

	return x < y ? -1 : x > y;
}

int threads_list(pid_t pid, struct thread **out, size_t *n, struct err *e)
{
	const struct dirent *d;
	char path[64];
	DIR *dir;

	*out = NULL;
	*n = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		return err_set(e, -ESRCH, "process %d: there is none such", (int)pid);
	while ((d = readdir(dir))) {
		struct thread t;

		if (!isdigit((unsigned char)*d->d_name) || *n >= CHANGES_MAX ||
		    !thread_stat(pid, atoi(d->d_name), &t))
			continue;
		*out = xrealloc(*out, *n + 1, sizeof(**out));
		(*out)[(*n)++] = t;
	}
	closedir(dir);
	if (!*n)
		return err_set(e, -ESRCH, "process %d: it has ended", (int)pid);
	qsort(*out, *n, sizeof(**out), by_tid);
	return 0;
}

static bool thread_there(const struct change *c)
{
	struct thread t;

	return child_start_time(c->pid) == c->start && thread_stat(c->pid, c->tid, &t) &&
	       t.start == c->tstart;
}

static int thread_gone(const struct change *c, struct err *e)
{
	return err_set(e, -ESRCH, "thread %d of process %d: it has ended", (int)c->tid,
		       (int)c->pid);
}

/*
 * From /proc rather than sched_getaffinity(2), which leaves out CPUs that are offline just now:
 * these would be lost when the value is restored.
 */
static char *affinity_read(pid_t pid, pid_t tid)
{
	char path[64], *text, *p, *list = NULL;
	struct ids set;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)pid, (int)tid);
	if (file_read(path, STATUS_MAX, &text, NULL))
		return NULL;
	p = strstr(text, "\nCpus_allowed_list:");
	if (p) {
		p += strlen("\nCpus_allowed_list:");
		p += strspn(p, " \t");
		p[strcspn(p, "\n")] = '\0';
		if (ids_parse(p, &set))
			list = ids_text(&set);
	}
	free(text);
	return list;
}

static int thread_get(const struct change *c, char **value, struct err *e)
{
	if (!thread_there(c))
		return thread_gone(c, e);
	*value = affinity_read(c->pid, c->tid);
	if (*value && thread_there(c))
		return 0;
	free(*value);
	*value = NULL;
	return thread_gone(c, e);
}

/* sched_setaffinity(2) cuts the mask to the cpuset without a word: reading back shows it. */
static int affinity_write(pid_t tid, const char *value)
{
	struct ids set;

	if (!ids_parse(value, &set))
		return -EINVAL;
	return sched_setaffinity(tid, sizeof(set.w), (const cpu_set_t *)set.w) ? -errno : 0;
}

static int thread_set(const struct change *c, const char *value, struct err *e)
{
	int rc;

	if (!thread_there(c))
		return thread_gone(c, e);
	rc = affinity_write(c->tid, value);
	if (rc == -ESRCH)
		return thread_gone(c, e);
	if (rc == -EINVAL)
		return err_set(e, rc,
			       "thread %d of process %d: none of the CPUs %s is online and in the "
			       "process's cpuset",
			       (int)c->tid, (int)c->pid, value);
	if (rc)
		return err_set(e, rc, "thread %d of process %d: cannot be pinned to %s: %s%s",
			       (int)c->tid, (int)c->pid, value, strerror(-rc),
			       rc == -EPERM ? "; be the process's user, or root" : "");
	return 0;
}

/* Equal, or equal as far as CPUs are online: a cpuset of cgroup v1 takes no others. */
static bool affinity_same(const char *now, const char *want)
{
	struct ids a, b, online;

	if (!ids_parse(now, &a) || !ids_parse(want, &b))
		return false;
	if (ids_equal(&a, &b))
		return true;
	if (!ids_file("/sys/devices/system/cpu/online", &online))
		return false;
	ids_and(&a, &online);
	ids_and(&b, &online);
	return !ids_empty(&a) && ids_equal(&a, &b);
}

static bool thread_same(const struct change *c, const char *now, const char *want)
{
	(void)c;
	return affinity_same(now, want);
}

/* The kernel cuts what is asked for to the cpuset. */
static bool thread_partly(const struct change *c, const char *now)
{
	struct ids is, cut, want;

	if (!ids_parse(now, &is) || !ids_parse(c->after, &want))
		return false;
	cut = is;
	ids_and(&cut, &want);
	return ids_equal(&cut, &is);
}

static void thread_save(const struct change *c, json_t *out)
{
	json_object_set_new(out, "pid", json_integer(c->pid));
	json_object_set_new(out, "start", json_integer((json_int_t)c->start));
	json_object_set_new(out, "tid", json_integer(c->tid));
	json_object_set_new(out, "thread_start", json_integer((json_int_t)c->tstart));
	json_object_set_new(out, "role", json_string(c->role));
}

static bool role_sane(const char *role)
{
	size_t digits;

	if (!role || !strcmp(role, "emulator"))
		return role != NULL;
	if (!strncmp(role, "vcpu ", 5))
		role += 5;
	else if (!strncmp(role, "iothread ", 9))
		role += 9;
	else
		return false;
	digits = strspn(role, "0123456789");
	return digits && digits <= 5 && !role[digits];
}

static bool number_in(const json_t *in, const char *key, json_int_t from, json_int_t to,
		      json_int_t *out)
{
	const json_t *v = json_object_get(in, key);

	*out = json_integer_value(v);
	return json_is_integer(v) && *out >= from && *out <= to;
}

static bool thread_load(struct change *c, const json_t *in)
{
	const char *role = json_string_value(json_object_get(in, "role"));
	json_int_t pid, start, tid, tstart;
	struct ids set;

	if (!number_in(in, "pid", 2, INT32_MAX, &pid) ||
	    !number_in(in, "tid", 2, INT32_MAX, &tid) ||
	    !number_in(in, "start", 1, INT64_MAX, &start) ||
	    !number_in(in, "thread_start", 1, INT64_MAX, &tstart) || !role_sane(role) ||
	    !ids_parse(c->before, &set) || !ids_parse(c->after, &set))
		return false;
	c->pid = (pid_t)pid;
	c->tid = (pid_t)tid;
	c->start = (uint64_t)start;
	c->tstart = (uint64_t)tstart;
	c->role = xstrdup(role);
	return true;
}

const struct change_ops thread_ops = {
	.word = "thread",
	.get = thread_get,
	.set = thread_set,
	.same = thread_same,
	.partly = thread_partly,
	.save = thread_save,
	.load = thread_load,
};

/* The set's process: that of its first thread; NULL: it has none. */
static const struct change *set_process(const struct change_set *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->list[i].what == CHANGE_THREAD)
			return &c->list[i];
	return NULL;
}

static const struct change *set_thread(const struct change_set *c, const struct thread *t)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->list[i].what == CHANGE_THREAD && c->list[i].tid == t->tid &&
		    c->list[i].tstart == t->start)
			return &c->list[i];
	return NULL;
}

static const struct change *set_main(const struct change_set *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->list[i].what == CHANGE_THREAD && c->list[i].tid == c->list[i].pid)
			return &c->list[i];
	return NULL;
}

/*
 * The change whose value a thread has that the set does not know: the main thread's, or that of an
 * iothread, which starts workers of its own. vCPUs start none.
 */
static const struct change *set_parent(const struct change_set *c, const char *now)
{
	const struct change *first = set_main(c);

	if (first && affinity_same(now, first->after))
		return first;
	for (size_t i = 0; i < c->n; i++)
		if (c->list[i].what == CHANGE_THREAD && !strncmp(c->list[i].role, "iothread ", 9) &&
		    affinity_same(now, c->list[i].after))
			return &c->list[i];
	return NULL;
}

/* Calls fn with each thread that the set does not know and its affinity; fn returns 0 to go on. */
static int strangers(const struct change_set *c,
		     int (*fn)(const struct change *process, const struct thread *t,
			       const char *now, void *arg),
		     void *arg, struct err *e)
{
	const struct change *process = set_process(c);
	struct change p;
	struct thread *list;
	size_t n;
	int rc;

	if (!process)
		return 0;
	if (child_start_time(process->pid) != process->start)
		return -ESRCH;
	/* fn may add to the set, which moves it */
	p = *process;
	rc = threads_list(p.pid, &list, &n, e);
	for (size_t i = 0; !rc && i < n; i++) {
		char *now;

		if (list[i].fixed || set_thread(c, &list[i]))
			continue;
		now = affinity_read(p.pid, list[i].tid);
		if (now)
			rc = fn(&p, &list[i], now, arg);
		free(now);
	}
	free(list);
	return rc;
}

struct grow {
	struct change_set *c;
	size_t n;
};

static int grow_one(const struct change *process, const struct thread *t, const char *now,
		    void *arg)
{
	struct grow *g = arg;
	const struct change *first = set_main(g->c);
	struct change *ch;
	char *after;

	if (!first || set_parent(g->c, now))
		return 0;
	after = xstrdup(first->after);
	ch = set_add(g->c, CHANGE_THREAD);
	if (!ch) {
		free(after);
		return -E2BIG;
	}
	ch->pid = process->pid;
	ch->start = process->start;
	ch->tid = t->tid;
	ch->tstart = t->start;
	ch->role = xstrdup("emulator");
	ch->before = xstrdup(now);
	ch->after = after;
	g->n++;
	return 0;
}

int threads_new(struct change_set *c, size_t *n, struct err *e)
{
	struct grow g = {.c = c};
	int rc = strangers(c, grow_one, &g, e);

	*n = g.n;
	if (rc == -E2BIG)
		return err_set(e, rc, "the process starts threads faster than they can be pinned");
	return rc;
}

struct leave {
	const struct change_set *c;
	size_t n, pass;
};

static int leave_one(const struct change *process, const struct thread *t, const char *now,
		     void *arg)
{
	struct leave *l = arg;
	const struct change *from = set_parent(l->c, now);

	(void)process;
	if (!from || affinity_same(now, from->before) || affinity_write(t->tid, from->before))
		return 0;
	l->n++;
	l->pass++;
	return 0;
}

int threads_left(const struct change_set *c, size_t *n, struct err *e)
{
	struct leave l = {.c = c};
	int rc = 0;

	for (int i = 0; !rc && i < PASSES; i++) {
		l.pass = 0;
		rc = strangers(c, leave_one, &l, e);
		if (!l.pass)
			break;
	}
	*n = l.n;
	return rc;
}

struct look {
	const struct change_set *c;
	void (*told)(bool ok, const char *what, void *arg);
	void *arg;
	size_t good;
	bool ok;
};

static int look_one(const struct change *process, const struct thread *t, const char *now,
		    void *arg)
{
	struct look *l = arg;
	char *line;

	if (set_parent(l->c, now)) {
		l->good++;
		return 0;
	}
	l->ok = false;
	line = xasprintf("thread %d (%s) of process %d, made since: on %s, which the plan gives to "
			 "none of its makers",
			 (int)t->tid, t->name, (int)process->pid, now);
	l->told(false, line, l->arg);
	free(line);
	return 0;
}

bool threads_verify(const struct change_set *c, void (*told)(bool ok, const char *what, void *arg),
		    void *arg)
{
	struct look l = {.c = c, .told = told, .arg = arg, .ok = true};
	char *line;

	if (strangers(c, look_one, &l, NULL))
		return true; /* ended: the threads of the set say so */
	if (l.good) {
		line = xasprintf("%zu thread%s made since: where its maker is", l.good,
				 l.good == 1 ? "" : "s");
		told(true, line, arg);
		free(line);
	}
	return l.ok;
}
