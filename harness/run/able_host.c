// SPDX-License-Identifier: GPL-2.0-or-later
/* Cells that this host cannot do: huge pages and nodes that it has not, and no CPUs left to pin to.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "run/able.h"
#include "run/pins.h"

static char *no_pages(const struct cell *c, unsigned guests)
{
	const char *pages = cell_get(c, K_PAGES);
	uint64_t size, have = 0, want;
	char path[96];

	if (!pages || !strcmp(pages, "any"))
		return NULL;
	size = !strcmp(pages, "1G") ? 1ull << 30 : 2ull << 20;
	snprintf(path, sizeof(path),
		 "/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB/free_hugepages", size >> 10);
	if (file_u64(path, &have))
		return xasprintf("this host has no huge pages of %s", pages);
	want = guests * cell_u64(c, K_MEMORY) / size;
	if (have >= want)
		return NULL;
	return xasprintf("needs %" PRIu64 " huge pages of %s, %" PRIu64
			 " are free; `vbench apply host "
			 "nr-hugepages:%s=%" PRIu64 " --consent host` sets them aside",
			 want, pages, have, pages, want);
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

	if (cell_on_host(c))
		return NULL;
	why = no_pages(c, guests);
	if (!why)
		why = no_node(c);
	if (!why && run_pins(r, c, guests, &pins, &e))
		why = xstrdup(e.text);
	return why;
}
