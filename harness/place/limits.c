// SPDX-License-Identifier: GPL-2.0-or-later
/* How many vCPUs one guest and all guests may have: each source's limit, and what it says of a plan
 * (CPU-03, CPU-04). */
#include <errno.h>
#include "place/internal.h"

static unsigned usable_cpus(const struct place_host *h)
{
	unsigned n = 0;

	for (size_t i = 0; i < h->ncpus; i++)
		n += h->cpus[i].usable;
	return n;
}

static const char *verdict(bool kept)
{
	return kept ? "kept" : "PASSED";
}

/* Whole vCPUs against a ratio such as 2.05, which no binary fraction is equal to. */
static bool within(double v, double ratio, double cpus)
{
	return v <= ratio * cpus * (1 + 1e-9);
}

static int single_check(const struct place_host *h, const struct place_guest *g, unsigned cpus,
			const struct place_opts *o, struct place_plan *out, struct err *e)
{
	if (g->vcpus <= h->cores)
		return 0;
	if (o->enforce)
		return err_set(e, -ENOSPC,
			       "%s: %u vCPUs are more than the %u physical cores of this machine "
			       "(CPU-03); give it %u, or leave out --enforce",
			       g->name, g->vcpus, h->cores, h->cores);
	say(&out->warnings, &out->nwarnings,
	    "%s has %u vCPUs, more than the machine's %u physical cores: no guest should (CPU-03)%s",
	    g->name, g->vcpus, h->cores,
	    g->vcpus > cpus
		    ? "; more even than its logical CPUs, which Proxmox VE refuses to start "
		      "and AMD's EPYC guide calls a misconfiguration"
		    : "; AMD's EPYC guide draws the line at logical CPUs");
	return 0;
}

static void say_limits(const struct place_host *h, double v, double cpus, unsigned most,
		       const struct place_opts *o, struct place_plan *out)
{
	double each = v / cpus;
	char among[80] = "";
	unsigned long theirs = 0;

	for (size_t i = 0; i < h->nothers; i++)
		theirs += h->others[i].vcpus;
	if (h->nothers)
		snprintf(among, sizeof(among), " (%lu vCPUs of %zu that run here among them)",
			 theirs, h->nothers);
	say(&out->limits, &out->nlimits,
	    "largest guest: %u vCPU%s on %u physical core%s: CPU-03 (Sangfor: no more than cores) %s",
	    most, most == 1 ? "" : "s", h->cores, h->cores == 1 ? "" : "s",
	    verdict(most <= h->cores));
	say(&out->limits, &out->nlimits,
	    "all guests%s: %.2f vCPUs for each of %.0f logical CPU%s: this plan's limit of %.6g "
	    "(CPU-04, Sangfor: 2) %s",
	    among, each, cpus, cpus > 1 ? "s" : "", o->total_ratio,
	    verdict(within(v, o->total_ratio, cpus)));
	say(&out->limits, &out->nlimits,
	    "RHEL: 5 for each CPU while every guest stays below full load, %s; 10 for each core, %s",
	    verdict(within(v, 5, cpus)), verdict(h->cores && v <= 10.0 * h->cores));
	say(&out->limits, &out->nlimits,
	    "Nova: 4 for each CPU by default, %s; guests that are pinned are never overcommitted",
	    verdict(within(v, 4, cpus)));
	say(&out->limits, &out->nlimits, "SUSE: no overcommitment, %s",
	    verdict(within(v, 1, cpus)));
	say(&out->limits, &out->nlimits,
	    "AMD's EPYC guide: 2 for each CPU while every vCPU is below 50 %% load, %s; at full load not "
	    "one more than CPUs, %s",
	    verdict(within(v, 2, cpus)), verdict(within(v, 1, cpus)));
}

int limits_check(const struct place_host *h, const struct place_guest *g, size_t n,
		 const struct place_opts *o, struct place_plan *out, struct err *e)
{
	unsigned cpus = usable_cpus(h), most = 0;
	double v = 0;

	for (size_t i = 0; i < n; i++) {
		int rc = single_check(h, &g[i], cpus, o, out, e);

		if (rc < 0)
			return rc;
		v += g[i].vcpus;
		if (g[i].vcpus > most)
			most = g[i].vcpus;
	}
	for (size_t i = 0; i < h->nothers; i++)
		v += h->others[i].vcpus;
	if (!within(v, o->total_ratio, cpus)) {
		if (o->enforce)
			return err_set(
				e, -ENOSPC,
				"%.0f vCPUs on %u logical CPUs are %.2f each, more than %.6g "
				"(CPU-04); plan fewer, raise --ratio, or leave out --enforce",
				v, cpus, v / cpus, o->total_ratio);
		say(&out->warnings, &out->nwarnings,
		    "%.0f vCPUs on %u logical CPUs are %.2f each, more than %.6g (CPU-04): what counts "
		    "in the end is steal and waiting, so measure it (CPU-19)",
		    v, cpus, v / cpus, o->total_ratio);
	}
	if (cpus)
		say_limits(h, v, cpus, most, o, out);
	return 0;
}
