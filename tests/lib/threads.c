// SPDX-License-Identifier: GPL-2.0-or-later
/* A process with a QEMU's threads, by name, that do nothing: for tests of who may run where. Ends
 * with its parent. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static void *idle(void *name)
{
	pthread_setname_np(pthread_self(), name);
	for (;;)
		pause();
	return NULL;
}

int main(void)
{
	static char *names[] = {"CPU 0/TCG", "CPU 1/TCG", "IO io0", "call_rcu"};
	pthread_t t;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (pthread_create(&t, NULL, idle, names[i]))
			return 1;
	puts("up");
	fflush(stdout);
	for (;;)
		pause();
}
