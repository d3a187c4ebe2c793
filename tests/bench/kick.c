// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The floor of a device that sleeps until it is kicked: one process kicks an eventfd, another one,
 * asleep in ppoll() on another CPU, reads it and answers. Nothing else is done, so no driver of such
 * a device can be faster than this at queue depth 1.
 *
 * kick poll|eventfd CPU CPU SECONDS: how the kicking side waits for the answer. Prints round trips
 * per second.
 */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		perror("kick: CPU");
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void answer(int kick, int call, bool tell, _Atomic uint64_t *answered)
{
	struct pollfd p = {.fd = kick, .events = POLLIN};
	uint64_t n, one = 1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		if (ppoll(&p, 1, NULL, NULL) != 1 || read(kick, &n, sizeof(n)) != sizeof(n))
			_exit(1);
		atomic_fetch_add_explicit(answered, 1, memory_order_release);
		if (tell && write(call, &one, sizeof(one)) != sizeof(one))
			_exit(1);
	}
}

int main(int argc, char **argv)
{
	_Atomic uint64_t *answered = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int kick = eventfd(0, 0), call = eventfd(0, 0), ep = epoll_create1(0);
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
	uint64_t sent = 0, one = 1;
	bool sleeps;
	double begin, end;
	pid_t other;

	if (argc != 5 || (strcmp(argv[1], "poll") && strcmp(argv[1], "eventfd"))) {
		fprintf(stderr, "usage: kick poll|eventfd CPU CPU SECONDS\n");
		return 2;
	}
	if (answered == MAP_FAILED || kick < 0 || call < 0 || ep < 0 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, call, &ev))
		return 1;
	sleeps = !strcmp(argv[1], "eventfd");
	other = fork();
	if (other < 0)
		return 1;
	pin(atoi(argv[other ? 2 : 3]));
	if (!other)
		answer(kick, call, sleeps, answered);
	begin = now();
	end = begin + atof(argv[4]);
	while (now() < end) {
		if (write(kick, &one, sizeof(one)) != sizeof(one))
			break;
		sent++;
		if (sleeps)
			while (atomic_load_explicit(answered, memory_order_acquire) < sent)
				epoll_wait(ep, &ev, 1, 1000);
		else
			while (atomic_load_explicit(answered, memory_order_acquire) < sent)
				__asm__ volatile("" ::: "memory");
	}
	printf("%.0f\n", (double)sent / (now() - begin));
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	return 0;
}
