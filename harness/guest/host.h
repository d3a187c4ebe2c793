/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host as a site: a fio process of its own for each trial, and beside it the vhost-user server
 * that the plan names. Fresh is what a new process makes so: address space, threads, rings and
 * their memory. The host's kernel, its page cache and where it puts pages stay as they are; cells
 * with an image are written and read around the page cache when the workload says direct.
 */
#ifndef VB_GUEST_HOST_H
#define VB_GUEST_HOST_H

#include "guest/site.h"
#include "guest/vm.h"

struct host_opts {
	struct vm_env env;
	const char *fio;	 /* program, as user may execute it */
	const char *fio_version; /* "fio-3.33", for the evidence; may be NULL */
};

/* Destroy with its own operation; strings of o are borrowed. */
struct site *site_host_new(const struct host_opts *o);

/* fio's threads beside its jobs': the one that starts them, and the one for timers and status. */
#define HOST_OTHER_THREADS 2

/* One look at the working processes: CPU time in ns since each began; the last one, when fio has
 * ended, has no threads. */
struct host_sample {
	uint64_t ns; /* CLOCK_MONOTONIC */
	unsigned threads;
	uint64_t fio, server;
};

/*
 * CPU time within a window of steady I/O, from looks at the processes while the job ran: fio's job
 * threads vanish at its end, and its own runtime (that of its document, without the ramp) says how
 * long before that it measured. cpu_ios is fio's rate times the window. Nothing is filled in when
 * the job was too short for a window of 50 ms.
 */
void host_window(const struct host_sample *x, size_t n, const json_t *fio, struct job_result *out);

/*
 * fio's document out of what it wrote: notes may stand around it, on lines of their own; of several
 * documents the last is the result. New reference, NULL if there is none that is whole. *notes
 * receives what stands around it (caller frees).
 */
json_t *host_fio_document(const char *text, size_t len, char **notes);

/*
 * What fio said, in the profile's words: its engine knows the server as fd:SOCK and names options
 * of its own as remedies. what: the server's name; NULL: there was none, and sock does not matter.
 * New.
 */
char *host_words(const char *text, int sock, const char *what);

#endif
