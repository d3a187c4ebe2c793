/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest.pin = plan: the planner's word for a cell's guests on this host. */
#include "run/pins.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "place/place.h"
#include "run/guests.h"

struct run_pins {
	char cell[17]; /* its id */
	unsigned guests;
	struct pin *pins; /* [guests] */
};

void run_pins_free(struct run *r)
{
	for (size_t i = 0; i < r->npins; i++) {
		for (unsigned g = 0; g < r->pins[i].guests; g++)
			pin_free(&r->pins[i].pins[g]);
		free(r->pins[i].pins);
	}
	free(r->pins);
	r->pins = NULL;
	r->npins = 0;
	if (r->place)
		place_host_free(r->place);
	free(r->place);
	r->place = NULL;
}

static char **lists_copy(char *const *list, size_t n)
{
	char **out = n ? xcalloc(n, sizeof(*out)) : NULL;

	for (size_t i = 0; i < n; i++)
		out[i] = xstrdup(list[i]);
	return out;
}

/* What of a placed guest the cell asks for: CPUs, memory, or both. A vhost-user server does an
 * iothread's work, and has the place of the last one. */
static void from_placed(const struct cell *c, const struct placed_guest *g, bool cpus, bool nodes,
			struct pin *out)
{
	unsigned servers = cell_uses_vhost(c);

	if (cpus) {
		out->vcpu = lists_copy(g->vcpu, g->vcpus);
		out->nvcpu = g->vcpus;
		out->niothread = g->iothreads - servers;
		out->iothread = lists_copy(g->iothread, out->niothread);
		if (servers)
			out->server = xstrdup(g->iothread[g->iothreads - 1]);
		out->emulator = xstrdup(g->emulator);
	}
	if (nodes)
		out->nodes = xstrdup(g->nodes);
}

static int placed(const struct place_plan *plan, struct err *e)
{
	for (size_t i = 0; i < plan->nguests; i++)
		if (!plan->guests[i].placed)
			return err_input(
				e,
				"guest.pin = plan: no place for %s on this host: %s; `vbench plan` shows "
				"what there is, guest.pin = none measures it unpinned",
				plan->guests[i].name,
				plan->nunmet ? plan->unmet[0]
					     : "too many vCPUs or too much memory");
	return 0;
}

/* This host as the planner sees it: taken once, so that all cells of a run have one plan. */
static int planner_host(struct run *r, struct err *e)
{
	struct snapshot *s;
	int rc = r->place ? 0 : snapshot_take(&s, e);

	if (rc || r->place)
		return rc;
	r->place = xcalloc(1, sizeof(*r->place));
	place_host_make(s, r->place);
	snapshot_free(s);
	return 0;
}

static int from_planner(struct run *r, const struct cell *c, unsigned guests, bool cpus, bool nodes,
			struct pin *out, struct err *e)
{
	struct place_guest *wishes = xcalloc(guests, sizeof(*wishes));
	struct place_plan plan = {0};
	struct place_opts opts;
	int rc = planner_host(r, e);

	if (!rc) {
		for (unsigned i = 0; i < guests; i++)
			wishes[i] = (struct place_guest){
				.name = xasprintf("guest %u", i + 1),
				.vcpus = (unsigned)cell_u64(c, K_VCPUS),
				.memory = cell_u64(c, K_MEMORY),
				.page = cell_page(c),
				.iothreads = disk_iothreads(c) + cell_uses_vhost(c),
				.disk_node = -1,
			};
		place_opts_default(&opts);
		rc = place_make(r->place, wishes, guests, &opts, &plan, e);
		if (!rc)
			rc = placed(&plan, e);
		for (unsigned i = 0; !rc && i < guests; i++)
			from_placed(c, &plan.guests[i], cpus, nodes, &out[i]);
		place_plan_free(&plan);
	}
	for (unsigned i = 0; i < guests; i++)
		free((char *)wishes[i].name);
	free(wishes);
	return rc;
}

static int pins_make(struct run *r, const struct cell *c, unsigned guests, struct pin *out,
		     struct err *e)
{
	const char *pin = cell_get(c, K_PIN), *why;
	bool plan_cpus = cell_is(c, K_PIN, "plan"), plan_nodes = cell_is(c, K_NODES, "plan");
	int rc = plan_cpus || plan_nodes ? from_planner(r, c, guests, plan_cpus, plan_nodes, out, e)
					 : 0;

	if (rc || plan_cpus || !pin || !strcmp(pin, "none"))
		return rc;
	for (unsigned i = 0; i < guests; i++) {
		struct pin own;

		why = pin_parse(pin, &own);
		if (why)
			return err_input(e, "guest.pin: %s", why);
		own.nodes = out[i].nodes;
		if (cell_uses_vhost(c))
			own.server = pin_iothreads(&own);
		out[i] = own;
	}
	return 0;
}

int run_pins(struct run *r, const struct cell *c, unsigned guests, const struct pin **out,
	     struct err *e)
{
	struct run_pins made = {.guests = guests};
	int rc;

	*out = NULL;
	if (cell_on_host(c) ||
	    ((!cell_get(c, K_PIN) || cell_is(c, K_PIN, "none")) && !cell_is(c, K_NODES, "plan")))
		return 0;
	for (size_t i = 0; i < r->npins; i++)
		if (!strcmp(r->pins[i].cell, c->id) && r->pins[i].guests == guests) {
			*out = r->pins[i].pins;
			return 0;
		}
	snprintf(made.cell, sizeof(made.cell), "%s", c->id);
	made.pins = xcalloc(guests, sizeof(*made.pins));
	rc = pins_make(r, c, guests, made.pins, e);
	r->pins = xrealloc(r->pins, r->npins + 1, sizeof(*r->pins));
	r->pins[r->npins++] = made;
	if (rc) {
		/* no other cell shall be given what is half made */
		r->pins[r->npins - 1].cell[0] = 0;
		return rc;
	}
	*out = made.pins;
	return 0;
}

static char *pin_line(const struct cell *c, const struct pin *p)
{
	char *threads = pin_text(p, cell_u64(c, K_VCPUS), disk_iothreads(c)), *line;

	line = xasprintf("%s%s%s%s", threads, p->nodes && *threads ? ", " : "",
			 p->nodes ? "memory on node " : "", p->nodes ? p->nodes : "");
	free(threads);
	return line;
}

void run_pins_print(struct run *r, const struct cell *c, FILE *out)
{
	unsigned n = run_guests(c);
	const struct pin *pins;
	struct err e = {0};

	if (run_pins(r, c, n, &pins, &e) || !pins)
		return;
	for (unsigned i = 0; i < n; i++) {
		char *line = pin_line(c, &pins[i]);

		if (n > 1)
			fprintf(out, "  # guest %u: %s\n", i + 1, line);
		else
			fprintf(out, "  # pinned: %s\n", line);
		free(line);
	}
	if (n > 1 && pins[0].nvcpu && !cell_is(c, K_PIN, "plan"))
		fprintf(out,
			"  # all %u guests on the same CPUs: guest.pin = %s is every guest's; plan gives "
			"each its own\n",
			n, cell_get(c, K_PIN));
}

static bool planned(const struct cell *c)
{
	return !cell_on_host(c) && (cell_is(c, K_PIN, "plan") || cell_is(c, K_NODES, "plan"));
}

void run_pins_fingerprint(struct run *r, FILE *out)
{
	char *last = NULL;

	for (size_t i = 0; i < r->profile->ncells; i++) {
		const struct cell *c = &r->profile->cells[i];
		const struct pin *pins;
		struct err e = {0};
		unsigned n = run_guests(c);

		if (!planned(c) || run_pins(r, c, n, &pins, &e) || !pins)
			continue;
		for (unsigned g = 0; g < n; g++) {
			char *line = pin_line(c, &pins[g]);

			if (!last || strcmp(last, line))
				fprintf(out, "pinned %s\n", line);
			free(last);
			last = line;
		}
	}
	free(last);
}
