/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this machine is and how it is set up: hwloc, libcpuid, /proc and /sys. Reads only. */
#ifndef VB_HOST_HOST_H
#define VB_HOST_HOST_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include "base/err.h"

/*
 * Stable, the same for every user, not reversible to a name: a keyed SHA-256 of the machine-id, in
 * hex (of the DMI UUID where there is no machine-id). Always succeeds.
 */
int host_id(char out[65], struct err *e);

/*
 * Facts as one JSON object (new reference): cpu {vendor, model, brand, family, ..., source:
 * libcpuid|proc}, topology {packages, numa, cores, pus, l3...}, kernel, cmdline, distro,
 * mitigations {..}, microcode, virtualised, governor, thp, ksm, numa_balancing, nested,
 * halt_poll_ns, memory, io_uring, qemu {path, version}, fio {version}, kvm {device, readable,
 * modules}, .... A fact that cannot be read is null. image_dirs: NULL-terminated folders whose file
 * system, mount options, device, scheduler and rotational flag are wanted ("storage": [...]).
 */
json_t *host_facts(const char *qemu, const char *const *image_dirs);

/* hwloc's own XML of this machine; caller frees with free(). NULL with a sentence if it cannot be
 * had. */
char *host_topology_xml(struct err *e);

/* Counters for noise: taken twice around a trial, the difference is kept. */
struct host_noise {
	uint64_t ns;				       /* monotonic */
	uint64_t steal_ticks, busy_ticks, total_ticks; /* all CPUs */
	uint64_t psi_cpu_us, psi_io_us, psi_mem_us;    /* "some" totals; 0 where absent */
	uint64_t nr_running;			       /* now */
	double load1;
	uint64_t freq_khz; /* mean of cpufreq scaling_cur_freq, 0 where absent */
};
void host_noise_take(struct host_noise *n);
json_t *host_noise_diff(const struct host_noise *a,
			const struct host_noise *b); /* shares 0..1, new reference */

/* One line a check. */
enum check_state { CHECK_PASS, CHECK_WARN, CHECK_FAIL };
struct host_check {
	enum check_state state;
	char what[64];
	char detail[400];
	char remedy[400];
};

/* Other QEMU processes on this host (not ours): how many, and how many vCPU threads were running.
 */
unsigned host_other_guests(void);

#endif
