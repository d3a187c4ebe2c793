// SPDX-License-Identifier: GPL-2.0-or-later
/* Sockets, dies, cores and threads that a pinned guest is told, so that its map is the true one
 * (CPU-09, CPU-10, CPU-11). */
#include "place/internal.h"

/* Whether vCPUs come in stretches of `each` that share a number of their CPU, a new one each. */
static unsigned stretches(const struct place_host *h, const unsigned *vcpu, unsigned n,
			  unsigned (*number)(const struct place_cpu *))
{
	unsigned count = 1, each = 0, run = 1;

	for (unsigned i = 1; i <= n; i++) {
		if (i < n && number(&h->cpus[vcpu[i]]) == number(&h->cpus[vcpu[i - 1]])) {
			run++;
			continue;
		}
		if (each && run != each)
			return 0;
		each = run;
		run = 1;
		for (unsigned k = 0; i < n && k < i; k++)
			if (number(&h->cpus[vcpu[k]]) == number(&h->cpus[vcpu[i]]))
				return 0;
		count += i < n;
	}
	return count;
}

static unsigned package_of(const struct place_cpu *c)
{
	return c->package;
}

static unsigned llc_of(const struct place_cpu *c)
{
	return c->llc;
}

static unsigned core_of(const struct place_cpu *c)
{
	return c->core;
}

void topology_tell(const struct room *r, size_t guest, struct placed_guest *out)
{
	const unsigned *vcpu = r->seats[guest].vcpu, n = r->g[guest].vcpus;
	unsigned cores = stretches(r->h, vcpu, n, core_of);
	unsigned packages = stretches(r->h, vcpu, n, package_of);
	unsigned llcs = stretches(r->h, vcpu, n, llc_of);

	/* unequal parts cannot be told: then they are left out */
	out->threads = cores ? n / cores : 1;
	cores = n / out->threads;
	out->sockets = packages && cores % packages == 0 ? packages : 1;
	out->dies = r->h->dies && llcs && llcs % out->sockets == 0 && cores % llcs == 0
			    ? llcs / out->sockets
			    : 1;
	out->cores = cores / out->sockets / out->dies;
}
