// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A running process as /proc shows it: a child that has threads of QEMU's names, RAM of a known
 * size and an image open with known flags. Expected values: what the child was told to do.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "vm/read.h"

enum { RAM = 24 << 20, TOUCHED = 5 << 20 };

struct child {
	pid_t pid;
	char path[64];
	int cpu; /* that its vCPU 1 is bound to */
	bool named;
};

static void *thread_main(void *name)
{
	prctl(PR_SET_NAME, name);
	for (;;)
		pause();
	return NULL;
}

static void thread_start(const char *name, int cpu)
{
	pthread_t thread;
	cpu_set_t set;

	pthread_create(&thread, NULL, thread_main, (void *)name);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (cpu >= 0)
		pthread_setaffinity_np(thread, sizeof(set), &set);
}

/* What the child is: nothing of the test framework runs in it. */
static void child_main(const struct child *c, int ready)
{
	/* As QEMU does it: memory that nobody may touch, and RAM in its midst. */
	char *hole = mmap(NULL, RAM + (4 << 20), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *ram = hole + (2 << 20);
	int fd = open(c->path, O_RDWR | O_CREAT, 0600);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	mprotect(ram, RAM, PROT_READ | PROT_WRITE);
	madvise(ram, RAM, MADV_NOHUGEPAGE);
	memset(ram, 1, TOUCHED);
	if (fd >= 0)
		fcntl(fd, F_SETFL, O_DIRECT);
	if (c->named) {
		thread_start("CPU 0/TCG", -1);
		thread_start("CPU 1/TCG", c->cpu);
		thread_start("IO io1", c->cpu);
		thread_start("IO mon_iothread", -1);
		thread_start("worker", -1);
	}
	usleep(100000); /* names are set by the threads themselves */
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void child_begin(struct child *c, bool named)
{
	cpu_set_t set;
	int ends[2];
	char byte;

	*c = (struct child){.named = named};
	snprintf(c->path, sizeof(c->path), "/var/tmp/vbench-proc-%d.img", (int)getpid());
	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	while (!CPU_ISSET(c->cpu, &set))
		c->cpu++;
	assert_int_equal(pipe(ends), 0);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (!c->pid)
		child_main(c, ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	close(ends[1]);
}

static void child_finish(struct child *c)
{
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	unlink(c->path);
}

static struct vm *described(const struct child *c)
{
	struct vm *vm = vm_new("t", "test");

	vm_set_number(vm, VM_ASKED, RAM, "", "memory.size");
	vm_set(vm, VM_ASKED, "io0", "", "iothread.0.id");
	vm_set(vm, VM_ASKED, "io1", "", "iothread.1.id");
	vm_set(vm, VM_ASKED, c->path, "", "disk.0.source");
	vm_set(vm, VM_ASKED, "file", "", "disk.0.transport");
	return vm;
}

static bool has_note(const struct vm *vm, const char *part)
{
	for (size_t i = 0; i < vm->nnotes; i++)
		if (strstr(vm->notes[i], part))
			return true;
	return false;
}

static void test_reads(void **state)
{
	struct child c;
	struct vm *vm;
	struct err e = {0};
	uint64_t number, sum = 0;
	char text[16];

	(void)state;
	child_begin(&c, true);
	vm = described(&c);
	assert_int_equal(vm_read_proc(vm, c.pid, &e), 0);
	assert_true(vm->running);
	assert_int_equal(vm->pid, c.pid);
	snprintf(text, sizeof(text), "%d", c.cpu);
	assert_true(vm_is(vm, VM_GOT, text, "vcpu.1.pin"));
	assert_true(vm_is(vm, VM_GOT, text, "iothread.1.pin"));
	assert_true(vm_is(vm, VM_GOT, "other", "vcpu.0.sched"));
	assert_true(vm_is(vm, VM_GOT, "2", "vcpus"));
	assert_non_null(vm_get(vm, VM_GOT, "vcpu.0.wait-ns"));
	/* io0 was asked for and is not there; so nothing is said of how many there are */
	assert_null(vm_get(vm, VM_GOT, "iothread.0.tid"));
	assert_null(vm_get(vm, VM_GOT, "iothreads"));
	assert_true(has_note(vm, "1 of its iothreads cannot be told"));
	assert_true(vm_is(vm, VM_GOT, "on", "disk.0.direct"));
	assert_true(vm_is(vm, VM_GOT, "off", "disk.0.readonly"));
	assert_true(vm_number(vm, VM_GOT, &number, "memory.size"));
	assert_int_equal(number, RAM);
	assert_true(vm_number(vm, VM_GOT, &number, "memory.resident"));
	assert_true(vm_number(vm, VM_GOT, &sum, "memory.swapped"));
	assert_int_equal(number + sum, TOUCHED);
	assert_true(vm_is(vm, VM_GOT, "4096", "memory.page"));
	assert_true(vm_is(vm, VM_GOT, "anonymous", "memory.source"));
	assert_true(vm_is(vm, VM_GOT, "off", "memory.shared"));
	assert_true(vm_is(vm, VM_GOT, "off", "memory.locked"));
	vm_free(vm);
	child_finish(&c);
}

static void test_no_names(void **state)
{
	struct child c;
	struct vm *vm;

	(void)state;
	child_begin(&c, false);
	vm = described(&c);
	assert_int_equal(vm_read_proc(vm, c.pid, NULL), 0);
	assert_null(vm_get(vm, VM_GOT, "vcpus"));
	assert_true(vm_is(vm, VM_GOT, "off", "debug-threads"));
	assert_true(has_note(vm, "threads carry no names"));
	assert_non_null(vm_get(vm, VM_GOT, "emulator.pin"));
	vm_free(vm);
	child_finish(&c);
}

/* Ended, but not reaped; then reaped. Neither leaves anything in force. */
static void test_gone(void **state)
{
	struct err e = {0};
	siginfo_t info;
	struct child c;
	struct vm *vm;

	(void)state;
	child_begin(&c, true);
	vm = described(&c);
	kill(c.pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)c.pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(vm_read_proc(vm, c.pid, &e), -ESRCH);
	assert_int_equal(e.rc, -ESRCH);
	assert_int_equal(e.status, VB_BAD_INPUT);
	assert_non_null(strstr(e.text, "ended while it was read"));
	assert_false(vm->running);
	for (size_t i = 0; i < vm->nfacts; i++)
		assert_int_equal(vm->facts[i].side, VM_ASKED);
	child_finish(&c);
	assert_int_equal(vm_read_proc(vm, c.pid, &e), -ESRCH);
	assert_non_null(strstr(e.text, "there is no process"));
	vm_free(vm);
}

static void test_not_qemu(void **state)
{
	struct err e = {0};
	struct vm *vm;

	(void)state;
	assert_int_equal(vm_read_pid(getpid(), &vm, &e), -EINVAL);
	assert_null(vm);
	assert_non_null(strstr(e.text, "is no QEMU"));
	assert_int_equal(vm_read_pid(-1, &vm, &e), -ESRCH);
	assert_int_equal(vm_read_pid(0, &vm, &e), -ESRCH);
}

/* Read again and again while it is killed: either all of it, or one sentence. */
static void test_vanishes(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		struct err e = {0};
		struct child c;
		struct vm *vm;
		pid_t killer;
		int rc;

		child_begin(&c, true);
		killer = fork();
		assert_true(killer >= 0);
		if (!killer) {
			usleep((useconds_t)i * 300);
			kill(c.pid, SIGKILL);
			_exit(0);
		}
		vm = described(&c);
		rc = vm_read_proc(vm, c.pid, &e);
		assert_true(rc == 0 || rc == -ESRCH);
		assert_int_equal(vm->running, rc == 0);
		waitpid(killer, NULL, 0);
		vm_free(vm);
		child_finish(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),	 cmocka_unit_test(test_no_names),
		cmocka_unit_test(test_gone),	 cmocka_unit_test(test_not_qemu),
		cmocka_unit_test(test_vanishes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
