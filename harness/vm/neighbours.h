/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The QEMUs that run on this host, as far as whoever plans for others must know of them. */
#ifndef VB_VM_NEIGHBOURS_H
#define VB_VM_NEIGHBOURS_H

#include <stddef.h>

struct vm_neighbour {
	char *name; /* -name, or "pid N" */
	int pid;
	unsigned vcpus;
	char *pinned; /* CPUs that a thread of it has alone among what it may use: CPU list, "" none
		       */
};

/*
 * Reads /proc: of each QEMU its command line, and of its vCPUs and iothreads names and affinities.
 * Where threads carry no names (no debug-threads=on), any but the first counts. Nothing is asked of
 * QEMU, and its memory is not looked at. What ends meanwhile, or may not be seen, is left out.
 * Returns how many; caller frees with vm_neighbours_free.
 */
size_t vm_neighbours(struct vm_neighbour **out);
void vm_neighbours_free(struct vm_neighbour *list, size_t n);

#endif
