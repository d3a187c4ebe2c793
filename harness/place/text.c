// SPDX-License-Identifier: GPL-2.0-or-later
/* A plan for people: each guest's pins, then why, what it costs, what is unmet, limits. */
#include "place/internal.h"

/* "vCPUs 0-3 on 1,9,2,10": one to one in order, or all on one list. */
static void pins_text(const char *what, char *const *list, unsigned n, bool same, FILE *out)
{
	if (!n)
		return;
	fprintf(out, "  %-10s", what);
	if (same) {
		fprintf(out, "%u, each on any of %s\n", n, list[0]);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		fprintf(out, "%s%u:%s", i == 0 ? "" : i % 12 ? " " : "\n            ", i, list[i]);
	putc('\n', out);
}

static void guest_text(const struct placed_guest *g, FILE *out)
{
	char size[32], page[32];

	fprintf(out, "%s%s\n", g->name,
		!g->placed    ? ": not placed"
		: g->floating ? ": floating"
			      : "");
	if (!g->placed)
		return;
	pins_text("vCPUs", g->vcpu, g->vcpus, g->floating, out);
	pins_text("iothreads", g->iothread, g->iothreads, g->floating, out);
	fprintf(out, "  %-10s%s\n", "emulator", g->emulator);
	fprintf(out, "  %-10s%s", "memory", size_text(g->memory, size));
	if (g->page)
		fprintf(out, " in pages of %s", size_text(g->page, page));
	if (g->nodes)
		fprintf(out, ", %s, node%s %s", g->mode, g->nodes[1] ? "s" : "", g->nodes);
	putc('\n', out);
	if (g->sockets)
		fprintf(out, "  %-10ssockets=%u dies=%u cores=%u threads=%u\n", "told", g->sockets,
			g->dies, g->cores, g->threads);
	for (size_t i = 0; i < g->ncells; i++)
		fprintf(out, "  %-10s%zu: vCPUs %s, %s of node %u\n", i ? "" : "cells", i,
			g->cells[i].vcpus, size_text(g->cells[i].memory, size), g->cells[i].node);
}

static void texts(const char *title, char *const *list, size_t n, FILE *out)
{
	if (!n)
		return;
	fprintf(out, "\n%s\n", title);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "  - %s\n", list[i]);
}

void place_text(const struct place_plan *p, FILE *out)
{
	fprintf(out, "plan for %s\n\n", p->host);
	for (size_t i = 0; i < p->nguests; i++)
		guest_text(&p->guests[i], out);
	fprintf(out, "host\n  %-10s%s\n", "CPUs", *p->housekeeping ? p->housekeeping : "none kept");
	texts("why", p->why, p->nwhy, out);
	texts("what it costs", p->costs, p->ncosts, out);
	texts("not satisfied", p->unmet, p->nunmet, out);
	texts("look at", p->warnings, p->nwarnings, out);
	texts("limits", p->limits, p->nlimits, out);
}
