/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What else the host did while a trial ran: stolen and busy time, pressure, load, frequency. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/term.h"
#include "host/noise.h"
#include "host/read.h"

/* proc_stat(5): "cpu user nice system idle iowait irq softirq steal guest guest_nice"; guest is
 * part of user. */
static void take_stat(const char *root, struct host_noise *n)
{
	uint64_t v[8] = {0};
	char *text = host_text(root, "/proc/stat");
	const char *running;

	if (!text)
		return;
	if (strncmp(text, "cpu ", 4) == 0) {
		sscanf(text + 4,
		       "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		       " %" SCNu64 " %" SCNu64,
		       &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]);
		n->steal_ticks = v[7];
		n->busy_ticks = v[0] + v[1] + v[2] + v[5] + v[6];
		n->total_ticks = n->busy_ticks + v[3] + v[4] + v[7];
	}
	running = strstr(text, "\nprocs_running ");
	if (running)
		n->nr_running = strtoull(running + strlen("\nprocs_running "), NULL, 10);
	free(text);
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=12345", in microseconds
 * (Documentation/accounting/psi.rst). */
static uint64_t pressure_us(const char *root, const char *what)
{
	char line[256];
	const char *total;

	if (!host_line(line, sizeof(line), root, "/proc/pressure/%s", what) ||
	    strncmp(line, "some ", 5) != 0)
		return 0;
	total = strstr(line, "total=");
	return total ? strtoull(total + 6, NULL, 10) : 0;
}

static uint64_t mean_khz(const char *root)
{
	char **names;
	size_t n = host_names(&names, root, "/sys/devices/system/cpu"), found = 0;
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		int64_t khz;

		if (strncmp(names[i], "cpu", 3) != 0 || strspn(names[i] + 3, "0123456789") == 0)
			continue;
		if (!host_number(&khz, root, "/sys/devices/system/cpu/%s/cpufreq/scaling_cur_freq",
				 names[i])) {
			/* Without cpufreq no CPU has it: a big host should not pay for hundreds of
			 * looks. */
			if (!found)
				break;
			continue;
		}
		sum += khz > 0 ? (uint64_t)khz : 0;
		found++;
	}
	host_names_free(names, n);
	return found ? sum / found : 0;
}

void host_noise_take_at(const char *root, struct host_noise *n)
{
	char line[128];

	*n = (struct host_noise){.ns = clock_mono_ns()};
	take_stat(root, n);
	n->psi_cpu_us = pressure_us(root, "cpu");
	n->psi_io_us = pressure_us(root, "io");
	n->psi_mem_us = pressure_us(root, "memory");
	if (host_line(line, sizeof(line), root, "/proc/loadavg"))
		n->load1 = strtod(line, NULL);
	n->freq_khz = mean_khz(root);
}

void host_noise_take(struct host_noise *n)
{
	host_noise_take_at("", n);
}

/*
 * part / whole, within 0..1; null where it can't be told. Counters of /proc/stat can step back a
 * little (idle and iowait are estimates), and clocks of PSI and ours differ by microseconds: hence
 * the clamp.
 */
static json_t *share(uint64_t a, uint64_t b, double whole)
{
	double s;

	if (!(whole > 0))
		return json_null();
	s = b > a ? (double)(b - a) / whole : 0;
	return json_real(s > 1 ? 1 : s);
}

json_t *host_noise_diff(const struct host_noise *a, const struct host_noise *b)
{
	double ticks =
		b->total_ticks > a->total_ticks ? (double)(b->total_ticks - a->total_ticks) : 0;
	double us = b->ns > a->ns ? (double)(b->ns - a->ns) / 1e3 : 0;
	json_t *o = json_object();

	json_object_set_new(o, "steal", share(a->steal_ticks, b->steal_ticks, ticks));
	json_object_set_new(o, "busy", share(a->busy_ticks, b->busy_ticks, ticks));
	/* A total of 0 at the end: no PSI in this kernel (or nothing stalled since boot, which
	 * comes to the same). */
	json_object_set_new(o, "psi_cpu",
			    share(a->psi_cpu_us, b->psi_cpu_us, b->psi_cpu_us ? us : 0));
	json_object_set_new(o, "psi_io", share(a->psi_io_us, b->psi_io_us, b->psi_io_us ? us : 0));
	json_object_set_new(o, "psi_mem",
			    share(a->psi_mem_us, b->psi_mem_us, b->psi_mem_us ? us : 0));
	json_object_set_new(o, "load1", json_real(b->load1));
	json_object_set_new(o, "nr_running", json_integer(b->nr_running));
	json_object_set_new(o, "freq_khz", b->freq_khz ? json_integer(b->freq_khz) : json_null());
	return o;
}
