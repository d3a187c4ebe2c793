// SPDX-License-Identifier: GPL-2.0-or-later
/* guest.pin: the text, threads of a real process, what is read back of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest/pin.h"
#include "guest/vm.h"

static void text_parts(void **state)
{
	struct pin p;
	char *text;

	(void)state;
	assert_null(pin_parse("4-6+9/2+3/0-1+12", &p));
	assert_int_equal(p.nvcpu, 4);
	assert_string_equal(p.vcpu[0], "4");
	assert_string_equal(p.vcpu[2], "6");
	assert_string_equal(p.vcpu[3], "9");
	assert_int_equal(p.niothread, 2);
	assert_string_equal(p.iothread[1], "3");
	assert_string_equal(p.emulator, "0-1,12");
	/* more threads than CPUs: dealt out in turn */
	text = pin_text(&p, 5, 1);
	assert_string_equal(text, "vcpus 4 5 6 9 4, iothreads 2, emulator 0-1,12");
	free(text);
	/* a server has all of the iothreads' part */
	p.server = pin_iothreads(&p);
	assert_string_equal(p.server, "2-3");
	text = pin_text(&p, 1, 0);
	assert_string_equal(text, "vcpus 4, emulator 0-1,12, server 2-3");
	free(text);
	pin_free(&p);
	assert_null(pin_parse("0", &p));
	assert_int_equal(p.niothread, 0);
	assert_null(p.emulator);
	assert_null(pin_iothreads(&p));
	text = pin_text(&p, 2, 1);
	assert_string_equal(text, "vcpus 0 0");
	free(text);
	pin_free(&p);
}

static void text_refused(void **state)
{
	static const char *const wrong[] = {"",	   "-1",   "1-", "3-1",	    "1++2",
					    "1,2", "1/",   "/1", "1/2/3/4", "1/2/",
					    "a",   "4096", "1 ", "1+",	    "99999999999999999999"};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_non_null(pin_parse(wrong[i], NULL));
}

static void nodes_text(void **state)
{
	char *t;

	(void)state;
	t = pin_nodes("0+1+3");
	assert_string_equal(t, "0-1,3");
	free(t);
	t = pin_nodes("2");
	assert_string_equal(t, "2");
	free(t);
	assert_null(pin_nodes("x"));
}

/* A child with three threads, whose ids come through a pipe. */
static void *sleeper(void *fd)
{
	pid_t tid = (pid_t)gettid();

	if (write(*(int *)fd, &tid, sizeof(tid)) != sizeof(tid))
		_exit(1);
	for (;;)
		pause();
	return NULL;
}

static pid_t threads_start(struct vm_threads *t)
{
	int fd[2];
	pid_t pid, tid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		pthread_t th[2];

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 0; i < 2; i++)
			pthread_create(&th[i], NULL, sleeper, &fd[1]);
		for (;;)
			pause();
	}
	*t = (struct vm_threads){.nvcpu = 1, .niothread = 1};
	assert_int_equal(read(fd[0], &tid, sizeof(tid)), sizeof(tid));
	t->vcpu[0] = tid;
	assert_int_equal(read(fd[0], &tid, sizeof(tid)), sizeof(tid));
	t->iothread[0] = tid;
	close(fd[0]);
	close(fd[1]);
	return pid;
}

static unsigned first_cpu(void)
{
	cpu_set_t set;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	for (unsigned i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			return i;
	return 0;
}

static int affinity_only(pid_t tid, unsigned cpu)
{
	cpu_set_t set;

	return sched_getaffinity(tid, sizeof(set), &set) == 0 && CPU_COUNT(&set) == 1 &&
	       CPU_ISSET(cpu, &set);
}

/* sched_getaffinity, not our own reading, says where the threads are; the main thread is QEMU's
 * "rest". */
static void threads_pinned(void **state)
{
	unsigned cpu = first_cpu();
	struct vm_threads t;
	pid_t pid = threads_start(&t);
	struct err e = {0};
	struct pin p;
	char text[64], cpu_text[16];
	json_t *ev;

	(void)state;
	snprintf(text, sizeof(text), "%u", cpu);
	assert_null(pin_parse(text, &p));
	assert_int_equal(pin_threads(pid, &t, &p, &e), 0);
	pin_free(&p);
	assert_true(affinity_only(t.vcpu[0], cpu));
	ev = pin_evidence(pid, &t);
	snprintf(cpu_text, sizeof(cpu_text), "%u", cpu);
	assert_string_equal(json_string_value(json_array_get(json_object_get(ev, "vcpu"), 0)),
			    cpu_text);
	/* no word about the others: they keep what we have */
	assert_true(json_equal(json_array_get(json_object_get(ev, "iothread"), 0),
			       json_object_get(ev, "own")));
	assert_true(json_equal(json_array_get(json_object_get(ev, "emulator"), 0),
			       json_object_get(ev, "own")));
	json_decref(ev);
	snprintf(text, sizeof(text), "%u/%u/%u", cpu, cpu, cpu);
	assert_null(pin_parse(text, &p));
	assert_int_equal(pin_threads(pid, &t, &p, &e), 0);
	pin_free(&p);
	assert_true(affinity_only(t.iothread[0], cpu));
	assert_true(affinity_only(pid, cpu));
	/* a CPU that no machine of ours has */
	assert_null(pin_parse("4095", &p));
	assert_true(pin_threads(pid, &t, &p, &e) < 0);
	assert_non_null(strstr(e.text, "4095"));
	pin_free(&p);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* 16 MiB that are touched are the largest mapping of this process, in pages of 4 KiB or more. */
static void memory_found(void **state)
{
	size_t size = 16u << 20;
	char *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	json_int_t sum = 0;
	const char *node;
	json_t *ev, *v;

	(void)state;
	assert_true(m != MAP_FAILED);
	memset(m, 1, size);
	ev = pin_memory(getpid());
	munmap(m, size);
	if (json_is_null(ev)) {
		json_decref(ev);
		print_message("# no numa_maps on this kernel\n");
		skip();
	}
	assert_true(json_integer_value(json_object_get(ev, "page")) >= 4096);
	json_object_foreach(json_object_get(ev, "nodes"), node, v) sum += json_integer_value(v);
	assert_true(sum >= (json_int_t)size);
	assert_true(sum < (json_int_t)size * 4);
	json_decref(ev);
}

/* Linux 5.15 and later write "prefer (many)" (mm/mempolicy.c, policy_modes). */
static void test_prefer_many(void **state)
{
	json_t *m = pin_memory_text(
		"7f0000000000 prefer (many):0-1 anon=64 dirty=64 N0=60 N1=4 kernelpagesize_kB=4\n"
		"7f1000000000 default anon=1 N0=1 kernelpagesize_kB=4\n");

	(void)state;
	assert_string_equal(json_string_value(json_object_get(m, "policy")), "prefer:0-1");
	json_decref(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefer_many), cmocka_unit_test(text_parts),
		cmocka_unit_test(text_refused),	    cmocka_unit_test(nodes_text),
		cmocka_unit_test(threads_pinned),   cmocka_unit_test(memory_found),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
