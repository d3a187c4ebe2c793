// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Changes to a running guest: made, read back, taken back. The guest is a child of ours that has
 * threads with QEMU's names, so nothing but the kernel's own view (sched_getaffinity) is trusted,
 * and what is expected follows from the plan by hand.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "apply/internal.h"
#include "base/child.h"
#include "base/file.h"

enum { VCPU0, VCPU1, IO, MAIN, WORKER, NAMED };

struct guest {
	pid_t pid;
	int order,
		answer; /* pipes: a byte makes it start one more thread, which answers its number */
	pid_t tid[NAMED];
};

struct world {
	char *dir, *records;
	struct guest g;
	cpu_set_t all;
	int first, last; /* CPUs we may use; the same where there is but one */
	char one[16], other[16];
};

/* --- the child --- */

struct post {
	const char *name;
	int answer;
};

static void *thread_main(void *arg)
{
	const struct post *p = arg;
	pid_t tid = (pid_t)syscall(SYS_gettid);

	prctl(PR_SET_NAME, p->name);
	if (write(p->answer, &tid, sizeof(tid)) != sizeof(tid))
		_exit(1);
	for (;;)
		pause();
}

static void guest_main(int order, int answer)
{
	static const char *const names[] = {"CPU 0/KVM", "CPU 1/KVM", "IO io0"};
	static struct post posts[16];
	pthread_t t;
	char byte;
	int n = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (; n < 3; n++) {
		posts[n] = (struct post){names[n], answer};
		pthread_create(&t, NULL, thread_main, &posts[n]);
	}
	while (n < 16 && read(order, &byte, 1) == 1) {
		posts[n] = (struct post){"worker", answer};
		pthread_create(&t, NULL, thread_main, &posts[n++]);
	}
	for (;;)
		pause();
}

static pid_t guest_answer(struct guest *g)
{
	pid_t tid;

	assert_int_equal(read(g->answer, &tid, sizeof(tid)), sizeof(tid));
	return tid;
}

static pid_t guest_more(struct guest *g)
{
	assert_int_equal(write(g->order, "x", 1), 1);
	return guest_answer(g);
}

/* Threads say their numbers in any order; the kernel says their names. */
static void guest_start(struct guest *g)
{
	static const char *const names[] = {"CPU 0/KVM", "CPU 1/KVM", "IO io0"};
	int order[2], answer[2];

	assert_int_equal(pipe(order) | pipe(answer), 0);
	g->pid = fork();
	assert_true(g->pid >= 0);
	if (!g->pid) {
		close(order[1]);
		close(answer[0]);
		guest_main(order[0], answer[1]);
	}
	close(order[0]);
	close(answer[1]);
	g->order = order[1];
	g->answer = answer[0];
	for (int i = 0; i < 3; i++) {
		pid_t tid = guest_answer(g);
		char path[64], name[32];

		snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", (int)g->pid, (int)tid);
		assert_int_equal(file_line(path, name, sizeof(name)), 0);
		for (int k = 0; k < 3; k++)
			if (!strcmp(name, names[k]))
				g->tid[k] = tid;
	}
	g->tid[MAIN] = g->pid;
	g->tid[WORKER] = guest_more(g);
}

static void guest_end(struct guest *g)
{
	if (g->pid > 0) {
		kill(g->pid, SIGKILL);
		waitpid(g->pid, NULL, 0);
		close(g->order);
		close(g->answer);
	}
	g->pid = 0;
}

/* --- the world --- */

static int setup(void **state)
{
	char template[] = "/tmp/vbench-apply-XXXXXX";
	struct world *w = xcalloc(1, sizeof(*w));

	assert_non_null(mkdtemp(template));
	w->dir = xstrdup(template);
	w->records = xasprintf("%s/changes", template);
	assert_int_equal(sched_getaffinity(0, sizeof(w->all), &w->all), 0);
	w->first = -1;
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &w->all))
			continue;
		if (w->first < 0)
			w->first = i;
		w->last = i;
	}
	snprintf(w->one, sizeof(w->one), "%d", w->first);
	snprintf(w->other, sizeof(w->other), "%d", w->last);
	guest_start(&w->g);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	guest_end(&w->g);
	dir_remove(w->dir, NULL);
	free(w->dir);
	free(w->records);
	free(w);
	return 0;
}

/* vCPUs on the first and the last CPU, the iothread on the last, the rest on the first. */
static void plan(struct world *w, struct placed_guest *g, char **vcpu, char **iothread)
{
	memset(g, 0, sizeof(*g));
	vcpu[0] = w->one;
	vcpu[1] = w->other;
	iothread[0] = w->other;
	g->name = (char *)"g";
	g->vcpus = 2;
	g->iothreads = 1;
	g->vcpu = vcpu;
	g->iothread = iothread;
	g->emulator = w->one;
	g->placed = true;
}

static bool on(pid_t tid, int cpu)
{
	cpu_set_t s;

	return !sched_getaffinity(tid, sizeof(s), &s) && CPU_COUNT(&s) == 1 && CPU_ISSET(cpu, &s);
}

static bool everywhere(const struct world *w, pid_t tid)
{
	cpu_set_t s;

	return !sched_getaffinity(tid, sizeof(s), &s) && CPU_EQUAL(&s, &w->all);
}

static void assert_before(const struct world *w)
{
	for (int i = 0; i < NAMED; i++)
		assert_true(everywhere(w, w->g.tid[i]));
}

struct heard {
	int good, bad;
	char last_bad[512], all[8192];
};

static void hear(bool ok, const char *what, void *arg)
{
	struct heard *h = arg;
	size_t len = strlen(h->all);

	if (ok)
		h->good++;
	else
		h->bad++;
	if (!ok)
		snprintf(h->last_bad, sizeof(h->last_bad), "%s", what);
	snprintf(h->all + len, sizeof(h->all) - len, "%s\n", what);
}

static void apply(struct world *w, char id[20])
{
	char *vcpu[2], *iothread[1];
	struct placed_guest g;
	struct change_set *c;
	struct err e = {0};

	plan(w, &g, vcpu, iothread);
	assert_int_equal(changes_new(w->records, &c, &e), 0);
	if (changes_add_pid(c, w->g.pid, &g, &e) || changes_apply(c, id, &e))
		fail_msg("%s", e.text);
	changes_free(c);
}

static size_t records(const struct world *w)
{
	char **ids;
	size_t n = records_list(w->records, &ids);

	records_free(ids, n);
	return n;
}

/* --- threads --- */

static void test_apply_and_revert(void **state)
{
	struct world *w = *state;
	struct heard h = {0};
	struct err e = {0};
	char id[20];

	apply(w, id);
	assert_true(on(w->g.tid[VCPU0], w->first));
	assert_true(on(w->g.tid[VCPU1], w->last));
	assert_true(on(w->g.tid[IO], w->last));
	assert_true(on(w->g.tid[MAIN], w->first));
	assert_true(on(w->g.tid[WORKER], w->first));
	assert_int_equal(changes_verify(w->records, "", hear, &h, &e), 0);
	assert_int_equal(h.bad, 0);
	assert_int_equal(h.good, NAMED);
	assert_int_equal(records(w), 1);
	assert_int_equal(changes_revert(w->records, id, false, hear, &h, &e), 0);
	assert_before(w);
	assert_int_equal(records(w), 0);
}

static void test_threads_made_since(void **state)
{
	struct world *w = *state;
	struct heard h = {0};
	struct err e = {0};
	cpu_set_t s;
	pid_t more;
	char id[20];

	if (w->first == w->last)
		skip();
	apply(w, id);
	more = guest_more(&w->g);
	assert_true(on(more, w->first)); /* from the main thread, by inheritance */
	assert_int_equal(changes_verify(w->records, id, hear, &h, &e), 0);
	/* somewhere that nobody planned */
	assert_int_equal(sched_setaffinity(more, sizeof(w->all), &w->all), 0);
	assert_int_equal(changes_verify(w->records, id, hear, &h, &e), -ESTALE);
	assert_non_null(strstr(h.last_bad, "made since"));
	/* as it was born; taken back with its maker */
	CPU_ZERO(&s);
	CPU_SET(w->first, &s);
	assert_int_equal(sched_setaffinity(more, sizeof(s), &s), 0);
	assert_int_equal(changes_revert(w->records, "", false, hear, &h, &e), 0);
	assert_before(w);
	assert_true(everywhere(w, more));
}

static void test_someone_else(void **state)
{
	struct world *w = *state;
	struct heard h = {0};
	struct err e = {0};
	cpu_set_t s;
	char id[20];

	if (w->first == w->last)
		skip();
	apply(w, id);
	CPU_ZERO(&s);
	CPU_SET(w->last, &s);
	assert_int_equal(sched_setaffinity(w->g.tid[VCPU0], sizeof(s), &s), 0);
	assert_int_equal(changes_verify(w->records, id, hear, &h, &e), -ESTALE);
	assert_int_equal(h.bad, 1);
	assert_non_null(strstr(h.last_bad, "vCPU 0"));
	h = (struct heard){0};
	assert_int_equal(changes_revert(w->records, id, false, hear, &h, &e), -ESTALE);
	assert_int_equal(h.bad, 1);
	assert_non_null(strstr(h.last_bad, "someone changed it since"));
	assert_true(on(w->g.tid[VCPU0], w->last));
	assert_true(everywhere(w, w->g.tid[VCPU1]));
	assert_int_equal(records(w), 1);
	assert_int_equal(changes_revert(w->records, id, true, hear, &h, &e), 0);
	assert_before(w);
	assert_int_equal(records(w), 0);
}

/* Two sets over each other: newest first, each finds what it left. */
static void test_two_records(void **state)
{
	struct world *w = *state;
	struct heard h = {0};
	struct err e = {0};
	char a[20], b[20];

	apply(w, a);
	apply(w, b);
	assert_true(strcmp(a, b) < 0);
	assert_int_equal(records(w), 2);
	assert_int_equal(changes_revert(w->records, "", false, hear, &h, &e), 0);
	assert_before(w);
	assert_int_equal(records(w), 0);
}

static void test_process_gone(void **state)
{
	struct world *w = *state;
	struct heard h = {0};
	struct err e = {0};
	char id[20];

	apply(w, id);
	guest_end(&w->g);
	assert_int_equal(changes_verify(w->records, id, hear, &h, &e), -ESTALE);
	h = (struct heard){0};
	assert_int_equal(changes_revert(w->records, id, false, hear, &h, &e), 0);
	assert_non_null(strstr(h.all, "gone"));
	assert_int_equal(records(w), 0);
}

/* A CPU that no machine has: all as before, and no record. */
static void test_all_or_nothing(void **state)
{
	struct world *w = *state;
	char *vcpu[2], *iothread[1], id[20];
	struct placed_guest g;
	struct change_set *c;
	struct err e = {0};

	plan(w, &g, vcpu, iothread);
	assert_int_equal(changes_new(w->records, &c, &e), 0);
	iothread[0] = (char *)"4095";
	assert_int_equal(changes_add_pid(c, w->g.pid, &g, &e), -EINVAL);
	changes_free(c);
	/* the same, gone offline between planning and doing; the vCPUs are before it */
	iothread[0] = w->other;
	assert_int_equal(changes_new(w->records, &c, &e), 0);
	assert_int_equal(changes_add_pid(c, w->g.pid, &g, &e), 0);
	assert_string_equal(c->list[2].role, "iothread 0");
	free(c->list[2].after);
	c->list[2].after = xstrdup("4095");
	assert_int_equal(changes_apply(c, id, &e), -EINVAL);
	assert_string_equal(id, "");
	assert_non_null(strstr(e.text, "4095"));
	changes_free(c);
	assert_before(w);
	assert_int_equal(records(w), 0);
}

static void test_not_the_plans_machine(void **state)
{
	struct world *w = *state;
	char *vcpu[2], *iothread[1];
	struct placed_guest g;
	struct change_set *c;
	struct err e = {0};

	plan(w, &g, vcpu, iothread);
	assert_int_equal(changes_new(w->records, &c, &e), 0);
	g.vcpus = 1;
	assert_int_equal(changes_add_pid(c, w->g.pid, &g, &e), -EINVAL);
	assert_non_null(strstr(e.text, "2 vCPUs"));
	g.vcpus = 2;
	g.iothreads = 0;
	assert_int_equal(changes_add_pid(c, w->g.pid, &g, &e), -EINVAL);
	g.iothreads = 1;
	assert_int_equal(changes_add_pid(c, getpid(), &g, &e), -EINVAL); /* no QEMU */
	assert_int_equal(changes_add_pid(c, 1 << 30, &g, &e), -EINVAL);	 /* no process */
	g.placed = false;
	assert_int_equal(changes_add_pid(c, w->g.pid, &g, &e), -EINVAL);
	changes_free(c);
	assert_before(w);
}

/* --- records that somebody edited --- */

static char *record_path(const struct world *w, const char *id)
{
	return xasprintf("%s/%s.json", w->records, id);
}

/* The record with the first FROM turned into TO. */
static void edit(const struct world *w, const char *id, const char *from, const char *to)
{
	char *path = record_path(w, id), *text, *at, *out;
	size_t len;

	assert_int_equal(file_read(path, 1 << 20, &text, &len), 0);
	at = strstr(text, from);
	assert_non_null(at);
	out = xasprintf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	assert_int_equal(file_write(path, out, strlen(out), 0600, NULL), 0);
	free(out);
	free(text);
	free(path);
}

static void test_hostile_records(void **state)
{
	static const struct {
		const char *from, *to;
	} edits[] = {
		{"vbench-changes-1", "vbench-changes-2"},
		{"\"what\": \"thread\"", "\"what\": \"file\""},
		{"\"what\": \"thread\"",
		 "\"what\": \"knob\", \"knob\": \"../../etc/passwd\", \"instance\": null"},
		{"\"what\": \"thread\"",
		 "\"what\": \"knob\", \"knob\": \"scheduler\", \"instance\": \"../x\""},
		{"\"state\": \"made\"", "\"state\": \"done\""},
		{"\"role\": \"vcpu 0\"", "\"role\": \"vcpu 0\\u001b[31m\""},
		{"\"role\": \"vcpu 0\"", "\"role\": \"boss\""},
		{"\"before\": \"", "\"before\": \"x"},
		{"\"after\": \"", "\"after\": \"99999,"},
		{"\"pid\": ", "\"pid\": -"},
		{"\"tid\": ", "\"tid\": 99999999999"},
		{"\"start\": ", "\"start\": 0, \"x\": "},
		{"\"target\": \"", "\"target\": \"\\u0007"},
		{"\"boot\": \"", "\"boot\": \"x"},
		{"\"changes\": [", "\"changes\": [7, "},
		{"{", "{{"},
		{"\"id\": \"2", "\"id\": \"3"},
		{"\"pid\": ", "\"pid\": 1, \"pid\": "},
	};
	struct world *w = *state;
	char id[20], *path, *saved;
	struct heard h = {0};
	struct err e = {0};
	json_t *list;
	size_t len;

	apply(w, id);
	path = record_path(w, id);
	assert_int_equal(file_read(path, 1 << 20, &saved, &len), 0);
	for (size_t i = 0; i < sizeof(edits) / sizeof(*edits); i++) {
		e = (struct err){0};
		edit(w, id, edits[i].from, edits[i].to);
		if (changes_revert(w->records, id, true, hear, &h, &e) != -EINVAL)
			fail_msg("edit %zu was taken: %s", i, edits[i].to);
		assert_true(strlen(e.text) > 20);
		assert_true(on(w->g.tid[VCPU0], w->first));
		/* whole file, so the list says so too, and does not fall over it */
		list = changes_json(w->records);
		assert_int_equal(json_array_size(list), 1);
		assert_non_null(json_object_get(json_array_get(list, 0), "error"));
		json_decref(list);
		assert_int_equal(file_write(path, saved, len, 0600, NULL), 0);
	}
	assert_int_equal(changes_revert(w->records, id, false, hear, &h, &e), 0);
	assert_before(w);
	free(saved);
	free(path);
}

/* Cut off anywhere, or with any byte flipped: refused or carried out, never a crash. */
static void test_broken_records(void **state)
{
	struct world *w = *state;
	char id[20], *path, *saved;
	struct heard h = {0};
	size_t len;

	apply(w, id);
	path = record_path(w, id);
	assert_int_equal(file_read(path, 1 << 20, &saved, &len), 0);
	for (size_t i = 0; i < len; i += 37) {
		struct change_set *c;
		char old = saved[i];

		assert_int_equal(file_write(path, saved, i, 0600, NULL), 0);
		assert_int_equal(record_load(w->records, id, &c, NULL), -EINVAL);
		saved[i] ^= 0x55;
		assert_int_equal(file_write(path, saved, len, 0600, NULL), 0);
		if (!record_load(w->records, id, &c, NULL))
			changes_free(c);
		saved[i] = old;
	}
	assert_int_equal(file_write(path, saved, len, 0600, NULL), 0);
	assert_int_equal(changes_revert(w->records, id, false, hear, &h, NULL), 0);
	assert_before(w);
	free(saved);
	free(path);
}

static void test_foreign_files(void **state)
{
	struct world *w = *state;
	struct heard h = {0};
	struct err e = {0};
	char id[20], *path, *other;

	apply(w, id);
	path = record_path(w, id);
	other = xasprintf("%s/elsewhere", w->dir);
	assert_int_equal(chmod(path, 0622), 0); /* others may write */
	assert_int_equal(changes_revert(w->records, id, false, hear, &h, &e), -EINVAL);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(symlink(other, path), 0);
	assert_true(changes_revert(w->records, id, false, hear, &h, &e) < 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(link(other, path), 0); /* two names */
	assert_int_equal(changes_revert(w->records, id, false, hear, &h, &e), -EINVAL);
	assert_int_equal(unlink(other), 0);
	assert_int_equal(chmod(w->records, 0777), 0);
	assert_int_equal(changes_revert(w->records, id, false, hear, &h, &e), -EINVAL);
	assert_int_equal(chmod(w->records, 0700), 0);
	assert_true(on(w->g.tid[VCPU0], w->first));
	assert_int_equal(changes_revert(w->records, id, false, hear, &h, &e), 0);
	assert_before(w);
	free(path);
	free(other);
}

static void test_reboot(void **state)
{
	struct world *w = *state;
	char id[20], boot[40], *text;
	struct heard h = {0};
	struct err e = {0};

	apply(w, id);
	assert_int_equal(file_line("/proc/sys/kernel/random/boot_id", boot, sizeof(boot)), 0);
	edit(w, id, boot, "00000000-1111-2222-3333-444444444444");
	assert_int_equal(changes_verify(w->records, id, hear, &h, &e), -ESTALE);
	h = (struct heard){0};
	assert_int_equal(changes_revert(w->records, id, false, hear, &h, &e), 0);
	assert_non_null(strstr(h.all, "started anew"));
	assert_int_equal(records(w), 0);
	assert_true(on(w->g.tid[VCPU0], w->first)); /* not ours to touch: another boot's numbers */
	/* numbers used again: another process under the same number */
	apply(w, id);
	text = xasprintf("\"start\": %llu", (unsigned long long)child_start_time(w->g.pid));
	for (int i = 0; i < NAMED; i++)
		edit(w, id, text, "\"start\": 1");
	free(text);
	assert_int_equal(changes_revert(w->records, id, true, hear, &h, &e), 0);
	assert_true(on(w->g.tid[VCPU0], w->first));
	assert_int_equal(records(w), 0);
}

/* --- settings of the host: nothing is written here --- */

static void test_knob_names(void **state)
{
	static const char *const bad[] = {"nothing",
					  "thp:x",
					  "scheduler",
					  "scheduler:",
					  "scheduler:../../x",
					  "scheduler:a/b",
					  "nr-hugepages:7x",
					  "nr-hugepages:2M:cpu1",
					  "nr-hugepages:2M:node1/../x",
					  "swappiness:1",
					  "governor:..",
					  ""};
	static const struct {
		const char *name, *value;
	} values[] = {{"thp", "sometimes"},	      {"thp", ""},
		      {"thp", "always,madvise"},      {"swappiness", "-1"},
		      {"swappiness", "1;2"},	      {"ksm", "9"},
		      {"halt-poll-ns", "99999999999"}};
	struct world *w = *state;
	struct change_set *c;
	struct err e = {0};
	char *now;

	assert_int_equal(changes_new(w->records, &c, &e), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(changes_add_knob(c, bad[i], "1", &e), -EINVAL);
		assert_int_equal(changes_knob_read(bad[i], &now, &e), -EINVAL);
	}
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		assert_int_equal(changes_add_knob(c, values[i].name, values[i].value, &e), -EINVAL);
	assert_int_equal(changes_add_knob(c, "scheduler:no-such-disk", "none", &e), -ENOENT);
	assert_int_equal(c->n, 0);
	changes_free(c);
}

/* --- memory values --- */

static void test_memory_values(void **state)
{
	const uint64_t mib = 1 << 20;
	struct change c = {.what = CHANGE_MEMORY};
	char now[64];

	(void)state;
	/* 1 % of 1000 MiB is 10 MiB: what may stay behind */
	snprintf(now, sizeof(now), "0=%llu,1=%llu", (unsigned long long)(9 * mib),
		 (unsigned long long)(991 * mib));
	assert_true(memory_ops.same(&c, now, "1"));
	assert_true(memory_ops.same(&c, now, "0-1"));
	assert_false(memory_ops.same(&c, now, "0"));
	snprintf(now, sizeof(now), "0=%llu,1=%llu", (unsigned long long)(11 * mib),
		 (unsigned long long)(989 * mib));
	assert_false(memory_ops.same(&c, now, "1"));
	/* shares count, not bytes: half and half, also after it grew fourfold */
	assert_true(memory_ops.same(&c, "0=400000000,1=400000000", "0=100000000,1=100000000"));
	assert_false(memory_ops.same(&c, "0=500000000,1=300000000", "0=100000000,1=100000000"));
	assert_false(memory_ops.same(&c, "0=1,", "0"));
	assert_false(memory_ops.same(&c, "0=100000000", "1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_values),
		cmocka_unit_test_setup_teardown(test_apply_and_revert, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads_made_since, setup, teardown),
		cmocka_unit_test_setup_teardown(test_someone_else, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_records, setup, teardown),
		cmocka_unit_test_setup_teardown(test_process_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_or_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_the_plans_machine, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_records, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken_records, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reboot, setup, teardown),
		cmocka_unit_test_setup_teardown(test_knob_names, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
