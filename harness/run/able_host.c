// SPDX-License-Identifier: GPL-2.0-or-later
/* Cells that this host cannot do: huge pages and nodes that it has not, and no CPUs left to pin to.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "run/able.h"
#include "run/knobs.h"
#include "run/pins.h"

/*
 * Huge pages that a guest could have: free ones, without those that are promised to mappings which
 * have not touched them yet (Documentation/admin-guide/mm/hugetlbpage.rst). The kernel counts
 * promises for all nodes together.
 */
static bool pages_free(const char *where, uint64_t size, uint64_t *out)
{
	char *free_pages = xasprintf("%s/hugepages/hugepages-%" PRIu64 "kB/free_hugepages", where,
				     size >> 10),
	     *promised = xasprintf("%s/hugepages/hugepages-%" PRIu64 "kB/resv_hugepages", where,
				   size >> 10);
	uint64_t resv = 0;
	bool ok = !file_u64(free_pages, out);

	if (ok && !file_u64(promised, &resv))
		*out -= resv < *out ? resv : *out;
	free(free_pages);
	free(promised);
	return ok;
}

/* The same of the nodes of a list such as "0+2-3"; false: one of them does not tell. */
static bool pages_of_nodes(const char *nodes, uint64_t size, uint64_t *out)
{
	*out = 0;
	for (const char *p = nodes; *p;) {
		char *end;
		unsigned long from = strtoul(p, &end, 10),
			      to = *end == '-' ? strtoul(end + 1, &end, 10) : from;

		for (; from <= to; from++) {
			char *where = xasprintf("/sys/devices/system/node/node%lu", from);
			uint64_t n = 0;
			bool ok = pages_free(where, size, &n);

			free(where);
			if (!ok)
				return false;
			*out += n;
		}
		p = *end ? end + 1 : end;
	}
	return true;
}

static char *no_pages(const struct cell *c, unsigned guests)
{
	const char *pages = cell_get(c, K_PAGES), *nodes = cell_get(c, K_NODES);
	bool bound = nodes && strcmp(nodes, "any") && strcmp(nodes, "plan") &&
		     (!cell_get(c, K_MEMORY_MODE) || !cell_is(c, K_MEMORY_MODE, "preferred"));
	uint64_t size, have = 0, want;

	if (!pages || !strcmp(pages, "any"))
		return NULL;
	size = cell_page(c);
	if (!pages_free("/sys/kernel/mm", size, &have))
		return xasprintf("this host has no huge pages of %s", pages);
	want = guests * ((cell_u64(c, K_MEMORY) + size - 1) / size);
	if (have < want)
		return xasprintf("needs %" PRIu64 " huge pages of %s, %" PRIu64
				 " are free; `vbench apply host "
				 "nr-hugepages:%s=%" PRIu64 " --consent host` sets them aside",
				 want, pages, have, pages, want);
	if (bound && pages_of_nodes(nodes, size, &have) && have < want)
		return xasprintf("needs %" PRIu64 " huge pages of %s on node %s, %" PRIu64
				 " are free there; `vbench apply host "
				 "nr-hugepages:%s:nodeN=%" PRIu64
				 " --consent host` sets them aside",
				 want, pages, nodes, have, pages, want);
	return NULL;
}

static char *no_node(const struct cell *c)
{
	const char *nodes = cell_get(c, K_NODES);
	char path[64];

	if (!nodes || !strcmp(nodes, "any") || !strcmp(nodes, "plan"))
		return NULL;
	for (const char *p = nodes; *p; p += strcspn(p, "+-"), p += *p != 0) {
		unsigned n = (unsigned)strtoul(p, NULL, 10);

		snprintf(path, sizeof(path), "/sys/devices/system/node/node%u", n);
		if (!path_exists(path))
			return xasprintf("this host has no NUMA node %u", n);
	}
	return NULL;
}

char *able_host(struct run *r, const struct cell *c, unsigned guests)
{
	const struct pin *pins;
	struct err e = {0};
	char *why;

	why = run_knobs_lacking(c);
	if (why || cell_on_host(c))
		return why;
	why = no_node(c);
	if (!why)
		why = no_pages(c, guests);
	if (!why && run_pins(r, c, guests, &pins, &e))
		why = xstrdup(e.text);
	return why;
}
