/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What place.h promises, over random machines and wishes. The judge knows nothing of how plans are
 * made: it counts CPUs and bytes, and finds out by trying all assignments whether guests fit nodes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "place/place.h"

enum { CASES = 3000, CPUS = 256, NODES = 4, GUESTS = 5 };

/* xorshift64*, so that a failing case can be had again by its number. */
struct dice {
	uint64_t s;
};

static unsigned roll(struct dice *d, unsigned n)
{
	d->s ^= d->s >> 12;
	d->s ^= d->s << 25;
	d->s ^= d->s >> 27;
	return (unsigned)((d->s * 0x2545f4914f6cdd1du >> 33) % n);
}

struct world {
	struct place_host h;
	struct place_cpu cpus[CPUS];
	struct place_node nodes[NODES];
	unsigned distance[NODES][NODES];
	struct place_guest g[GUESTS];
	char names[GUESTS][24], reserved[32];
	size_t n;
	struct place_opts o;
	bool alike; /* all cores of a node have the same CPUs to give */
	unsigned threads;
};

static void make_cpus(struct dice *d, struct world *w)
{
	unsigned core = 0, llc = 0, total = 0, shape = roll(d, 10), odd = roll(d, 3);
	unsigned per_node = 2 + roll(d, 10), llcs = 1 + roll(d, 3);
	unsigned small = shape == 1 ? 1 + roll(d, 3) : 0;

	w->threads = roll(d, 3) ? 2 : roll(d, 4) ? 1 : 4;
	w->alike = shape > 2;
	for (unsigned node = 0; node < w->h.nnodes; node++, llc++) {
		unsigned cores = odd ? per_node : 1 + roll(d, 10);

		for (unsigned c = 0; c < cores; c++, core++) {
			llc += c && c % ((cores + llcs - 1) / llcs) == 0;
			for (unsigned t = 0; t < w->threads; t++) {
				struct place_cpu *p = &w->cpus[w->h.ncpus++];

				*p = (struct place_cpu){.core = core,
							.package = node / 2,
							.llc = llc,
							.node = node,
							.usable = true};
				p->kind = small && c % 4 >= 4 - small;
				p->usable = shape || roll(d, 4);
				p->taken = shape == 2 && !roll(d, 6);
				p->isolated = shape == 3 && c > 1;
				/* Linux numbers first threads first; any numbers must do */
				p->os = odd == 1 ? t * 64 + core : total;
				total++;
			}
		}
	}
}

static void make_host(struct dice *d, struct world *w)
{
	w->h = (struct place_host){.cpus = w->cpus, .nodes = w->nodes, .numa = true, .dies = true};
	w->h.nnodes = 1 + roll(d, NODES);
	for (unsigned i = 0; i < w->h.nnodes; i++) {
		uint64_t gib = 4 + roll(d, 13);
		bool none = w->h.nnodes > 1 && i && !roll(d, 8);

		w->nodes[i] = (struct place_node){
			.os = i, .memory = none ? 0 : gib << 30, .free = UINT64_MAX};
		if (!none && !roll(d, 3)) {
			w->nodes[i].huge_2m = roll(d, 1024);
			w->nodes[i].pool = w->nodes[i].huge_2m << 21;
		}
		w->nodes[i].distance = w->distance[i];
		for (unsigned k = 0; k < w->h.nnodes; k++)
			w->distance[i][k] = i == k ? 10 : i / 2 == k / 2 ? 12 : 21;
	}
	make_cpus(d, w);
	for (unsigned i = 0, last = UINT32_MAX; i < w->h.ncpus; i++)
		if (w->cpus[i].usable && w->cpus[i].core != last) {
			last = w->cpus[i].core;
			w->h.cores++;
		}
}

static void make_wishes(struct dice *d, struct world *w)
{
	w->n = 1 + roll(d, GUESTS);
	for (size_t i = 0; i < w->n; i++) {
		snprintf(w->names[i], sizeof(w->names[i]), "g%zu", i);
		w->g[i] = (struct place_guest){
			.name = w->names[i],
			.vcpus = 1 + roll(d, roll(d, 6) ? 4 : 20),
			.memory = (uint64_t)(1 + roll(d, roll(d, 6) ? 14 : 96)) << 28,
			.iothreads = roll(d, 3),
			.disk_node = roll(d, 2) ? (int)roll(d, NODES) : -1,
			.floating = !roll(d, 30)};
		if (!roll(d, 8))
			w->g[i].page = 1u << 21;
	}
	place_opts_default(&w->o);
	w->o.smt = (enum place_smt)roll(d, 3);
	w->o.small_cores = roll(d, 2);
	if (!roll(d, 3)) {
		w->o.keep_default = false;
		w->o.keep_cores = roll(d, 3);
	}
	if (!roll(d, 8)) {
		snprintf(w->reserved, sizeof(w->reserved), "%u", roll(d, 8));
		w->o.reserved = w->reserved;
		w->alike = false;
	}
}

/* --- the judge -----------------------------------------------------------------------------------
 */

struct judge {
	const struct world *w;
	const struct place_plan *p;
	int owner[CPUS]; /* guest whose vCPU or iothread has this CPU, -1: none */
	bool vcpu[CPUS], pool[CPUS];
	unsigned number;
};

static void broken(const struct judge *j, const char *what, const char *who)
{
	char *text = json_dumps(place_json(j->p), JSON_INDENT(1));

	fail_msg("case %u: %s: %s\n%s", j->number, who, what, text);
}

static int cpu_by_os(const struct judge *j, unsigned long os)
{
	for (size_t i = 0; i < j->w->h.ncpus; i++)
		if (j->w->cpus[i].os == os)
			return (int)i;
	return -1;
}

/* Indices of the CPUs of a list; how many. */
static size_t list_read(const struct judge *j, const char *list, int *out, const char *who)
{
	char *at = (char *)list;
	size_t n = 0;

	while (*at) {
		unsigned long from = strtoul(at, &at, 10), to = from;

		if (*at == '-')
			to = strtoul(at + 1, &at, 10);
		for (; from <= to; from++) {
			int cpu = cpu_by_os(j, from);

			if (cpu < 0 || !j->w->cpus[cpu].usable || j->w->cpus[cpu].taken ||
			    (j->w->o.reserved && from == strtoul(j->w->o.reserved, NULL, 10)))
				broken(j, "has a CPU that may not be used", who);
			out[n++] = cpu;
		}
		if (*at == ',')
			at++;
		else if (*at)
			broken(j, "a list is broken", who);
	}
	return n;
}

static bool same_core(const struct judge *j, int a, int b)
{
	return j->w->cpus[a].core == j->w->cpus[b].core;
}

static void claim(struct judge *j, int guest, const char *list, bool vcpu, const char *who)
{
	int cpu[CPUS];

	if (list_read(j, list, cpu, who) != 1)
		broken(j, "is pinned to more or less than one CPU", who);
	if (j->owner[cpu[0]] >= 0)
		broken(j, "has a CPU that is given twice", who);
	for (size_t i = 0; i < j->w->h.ncpus; i++) {
		if (j->owner[i] >= 0 && j->owner[i] != guest && same_core(j, (int)i, cpu[0]))
			broken(j, "shares a core with another guest", who);
		if (same_core(j, (int)i, cpu[0]) && j->w->cpus[i].taken)
			broken(j, "is beside a CPU that is taken", who);
	}
	j->owner[cpu[0]] = guest;
	j->vcpu[cpu[0]] = vcpu;
}

static int one(const struct judge *j, const char *list)
{
	return cpu_by_os(j, strtoul(list, NULL, 10));
}

static unsigned cell_of(const struct placed_guest *g, unsigned vcpu)
{
	for (unsigned i = 0; i < g->ncells; i++) {
		char *dash;
		unsigned long from = strtoul(g->cells[i].vcpus, &dash, 10),
			      to = *dash ? strtoul(dash + 1, NULL, 10) : from;

		if (vcpu >= from && vcpu <= to)
			return i;
	}
	return UINT32_MAX;
}

/* CPU-09: neighbours on siblings, ids in order; what is told of threads and dies is true. */
static void judge_smt(const struct judge *j, const struct placed_guest *g)
{
	unsigned per_die = g->dies && g->sockets ? g->vcpus / g->dies / g->sockets : 0;

	if (g->sockets * g->dies * g->cores * g->threads != g->vcpus)
		broken(j, "the topology does not make its vCPUs", g->name);
	for (unsigned a = 0; a < g->vcpus; a++)
		for (unsigned b = 0; b < a; b++) {
			int x = one(j, g->vcpu[a]), y = one(j, g->vcpu[b]);

			if (j->w->o.smt == PLACE_ISOLATE && same_core(j, x, y))
				broken(j, "two vCPUs on a core in spite of isolate", g->name);
			if (g->threads > 1 &&
			    (a / g->threads == b / g->threads) != same_core(j, x, y))
				broken(j, "is told of threads that are not there", g->name);
			if (g->dies > 1 && (a / per_die == b / per_die) !=
						   (j->w->cpus[x].llc == j->w->cpus[y].llc))
				broken(j, "is told of dies that are not there", g->name);
			if (j->w->o.smt == PLACE_SIBLINGS && j->w->alike && a == b + 1 &&
			    cell_of(g, a) == cell_of(g, b)) {
				unsigned first = b;

				while (first && cell_of(g, first - 1) == cell_of(g, b))
					first--;
				if (((a - first) % j->w->threads != 0) != same_core(j, x, y))
					broken(j, "neighbours are not on siblings", g->name);
			}
		}
	for (unsigned a = 0; a < g->iothreads && j->w->o.smt == PLACE_ISOLATE; a++)
		for (unsigned b = 0; b < g->vcpus; b++)
			if (same_core(j, one(j, g->iothread[a]), one(j, g->vcpu[b])))
				broken(j, "an iothread beside a vCPU in spite of isolate", g->name);
}

/* The nearest node with memory. */
static unsigned memory_node(const struct world *w, unsigned node)
{
	unsigned best = UINT32_MAX;

	if (w->nodes[node].memory)
		return node;
	for (unsigned i = 0; i < w->h.nnodes; i++)
		if (w->nodes[i].memory &&
		    (best == UINT32_MAX || w->distance[node][i] < w->distance[node][best]))
			best = i;
	return best;
}

static bool said(char *const *list, size_t n, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (!strncmp(list[i], name, len) && list[i][len] == ':')
			return true;
	return false;
}

static void judge_memory(const struct judge *j, const struct placed_guest *g)
{
	uint64_t sum = 0;
	unsigned covered = 0;

	for (unsigned i = 0; i < g->vcpus && g->ncells; i++) {
		unsigned cell = cell_of(g, i);
		const struct place_cpu *c = &j->w->cpus[one(j, g->vcpu[i])];

		if (cell == UINT32_MAX)
			broken(j, "has a vCPU that is in no cell", g->name);
		if (j->w->nodes[memory_node(j->w, c->node)].os != g->cells[cell].node)
			broken(j, "has a cell that is not where its memory is", g->name);
		covered++;
	}
	for (size_t i = 0; i < g->ncells; i++)
		sum += g->cells[i].memory;
	if (g->ncells && (sum != g->memory || covered != g->vcpus))
		broken(j, "its cells don't make its memory", g->name);
	if (!g->ncells && !strcmp(g->mode, "strict")) {
		int first = one(j, g->vcpu[0]);

		if (strpbrk(g->nodes, ",-"))
			broken(j, "is bound strictly to several nodes without cells", g->name);
		if (!g->floating && !said(j->p->unmet, j->p->nunmet, g->name) &&
		    strtoul(g->nodes, NULL, 10) !=
			    j->w->nodes[memory_node(j->w, j->w->cpus[first].node)].os)
			broken(j, "its memory is not near its vCPUs", g->name);
	}
}

static bool one_node(const struct judge *j, const struct placed_guest *g)
{
	for (unsigned i = 1; i < g->vcpus; i++)
		if (j->w->cpus[one(j, g->vcpu[i])].node != j->w->cpus[one(j, g->vcpu[0])].node)
			return false;
	return !g->ncells && !strpbrk(g->nodes, ",-");
}

static void judge_pinned(struct judge *j, int guest)
{
	const struct placed_guest *g = &j->p->guests[guest];

	for (unsigned i = 0; i < g->vcpus; i++)
		claim(j, guest, g->vcpu[i], true, g->name);
	for (unsigned i = 0; i < g->iothreads; i++)
		claim(j, guest, g->iothread[i], false, g->name);
	for (unsigned i = 0; i < g->iothreads; i++) {
		bool near = false;

		for (unsigned k = 0; k < g->vcpus; k++)
			near |= j->w->cpus[one(j, g->iothread[i])].node ==
				j->w->cpus[one(j, g->vcpu[k])].node;
		if (!near)
			broken(j, "has an iothread in another node", g->name);
	}
	judge_smt(j, g);
}

static void judge_float(struct judge *j, const struct placed_guest *g,
			const struct place_guest *wish)
{
	int cpu[CPUS];
	size_t n = list_read(j, g->vcpu[0], cpu, g->name);

	if (!n)
		broken(j, "floats nowhere", g->name);
	for (size_t i = 0; i < n; i++) {
		j->pool[cpu[i]] = true;
		for (size_t k = 0; k < j->w->h.ncpus; k++)
			if (j->owner[k] >= 0 && same_core(j, (int)k, cpu[i]))
				broken(j, "floats on a pinned guest's core", g->name);
	}
	if (!wish->floating && !said(j->p->unmet, j->p->nunmet, g->name))
		broken(j, "floats without a reason", g->name);
}

static void judge_rest(struct judge *j)
{
	int cpu[CPUS];
	size_t n = list_read(j, j->p->housekeeping, cpu, "the host");

	for (size_t i = 0; i < n; i++)
		if (j->owner[cpu[i]] >= 0 || j->pool[cpu[i]])
			broken(j, "has a guest's CPU", "the host");
	for (size_t g = 0; g < j->p->nguests; g++) {
		if (!j->p->guests[g].placed)
			continue;
		n = list_read(j, j->p->guests[g].emulator, cpu, j->p->guests[g].name);
		if (!n)
			broken(j, "its emulator threads are nowhere", j->p->guests[g].name);
		for (size_t i = 0; i < n; i++)
			if (j->vcpu[cpu[i]])
				broken(j, "emulator threads on a vCPU's CPU", j->p->guests[g].name);
	}
}

/* --- whether there is a way to have all guests within nodes
 * --------------------------------------- */

struct left {
	unsigned cores;
	uint64_t normal, pages;
};

static unsigned cores_of(const struct world *w, const struct place_guest *g)
{
	unsigned t = w->threads;

	return w->o.smt == PLACE_ISOLATE ? g->vcpus + (g->iothreads + t - 1) / t
					 : (g->vcpus + g->iothreads + t - 1) / t;
}

static bool try_node(const struct world *w, struct left *l, unsigned node,
		     const struct place_guest *g, int sign)
{
	struct left *m = &l[memory_node(w, node)];
	uint64_t *bytes = g->page ? &m->pages : &m->normal;

	if (sign > 0) {
		l[node].cores += cores_of(w, g);
		*bytes += g->memory;
		return true;
	}
	if (l[node].cores < cores_of(w, g) || *bytes < g->memory)
		return false;
	l[node].cores -= cores_of(w, g);
	*bytes -= g->memory;
	return true;
}

static bool all_fit(const struct world *w, struct left *l, size_t i)
{
	if (i == w->n)
		return true;
	for (unsigned node = 0; node < w->h.nnodes; node++) {
		bool fits;

		if (!try_node(w, l, node, &w->g[i], -1))
			continue;
		fits = all_fit(w, l, i + 1);
		try_node(w, l, node, &w->g[i], 1);
		if (fits)
			return true;
	}
	return false;
}

/* The cases in which the promise is exact, and some core is kept for emulator threads. */
static bool must_fit(const struct world *w)
{
	struct left l[NODES] = {0};
	bool kept = false;

	for (size_t i = 0; i < w->n; i++)
		if (w->g[i].floating)
			return false;
	if (!w->alike)
		return false;
	for (size_t i = 0; i < w->h.ncpus; i++)
		l[w->cpus[i].node].cores += i % w->threads == 0;
	for (unsigned i = 0; i < w->h.nnodes; i++) {
		unsigned keep = w->o.keep_default ? l[i].cores >= 4 : w->o.keep_cores;
		uint64_t open = w->nodes[i].memory - w->nodes[i].pool;

		kept |= keep && l[i].cores;
		l[i].cores -= keep < l[i].cores ? keep : l[i].cores;
		l[i].normal = open - open / 20;
		l[i].pages = w->nodes[i].huge_2m << 21;
	}
	return kept && all_fit(w, l, 0);
}

/* --- cases ---------------------------------------------------------------------------------------
 */

static void judge_plan(struct judge *j, unsigned *within)
{
	const struct world *w = j->w;

	memset(j->owner, -1, sizeof(j->owner));
	for (size_t i = 0; i < j->p->nguests; i++)
		if (j->p->guests[i].placed && !j->p->guests[i].floating)
			judge_pinned(j, (int)i);
	for (size_t i = 0; i < j->p->nguests; i++) {
		const struct placed_guest *g = &j->p->guests[i];

		if (!g->placed && !said(j->p->unmet, j->p->nunmet, g->name))
			broken(j, "is not placed, without a reason", g->name);
		if (g->placed && g->floating)
			judge_float(j, g, &w->g[i]);
		if (g->placed)
			judge_memory(j, g);
		if (w->g[i].floating && g->placed && !g->floating)
			broken(j, "is pinned against its wish", g->name);
	}
	judge_rest(j);
	if (!must_fit(w))
		return;
	++*within;
	for (size_t i = 0; i < j->p->nguests; i++)
		if (!j->p->guests[i].placed || j->p->guests[i].floating ||
		    !one_node(j, &j->p->guests[i]))
			broken(j, "is not within one node, and could be", j->p->guests[i].name);
}

/* Bytes of a node that guests have strictly. */
static void judge_bytes(const struct judge *j)
{
	for (unsigned node = 0; node < j->w->h.nnodes; node++) {
		const struct place_node *n = &j->w->nodes[node];
		uint64_t sum = 0;

		for (size_t i = 0; i < j->p->nguests; i++) {
			const struct placed_guest *g = &j->p->guests[i];

			for (size_t k = 0; k < g->ncells; k++)
				sum += g->cells[k].node == n->os ? g->cells[k].memory : 0;
			if (g->placed && !g->ncells && !strcmp(g->mode, "strict") &&
			    strtoul(g->nodes, NULL, 10) == n->os)
				sum += g->memory;
		}
		if (sum > n->memory)
			broken(j, "more memory is promised than it has", "a node");
	}
}

static void same_again(const struct world *w, const struct place_plan *p, unsigned number)
{
	struct place_plan again, parsed;
	json_t *a = place_json(p), *b, *c;
	struct err e = {0};
	char *text = json_dumps(a, 0);

	assert_int_equal(place_make(&w->h, w->g, w->n, &w->o, &again, &e), 0);
	b = place_json(&again);
	if (!json_equal(a, b))
		fail_msg("case %u: the same input gives another plan", number);
	if (place_parse(text, strlen(text), "text", &parsed, &e))
		fail_msg("case %u: a plan is not read back: %s", number, e.text);
	c = place_json(&parsed);
	if (!json_equal(a, c))
		fail_msg("case %u: a plan is another one when read back", number);
	place_plan_free(&again);
	place_plan_free(&parsed);
	json_decref(a);
	json_decref(b);
	json_decref(c);
	free(text);
}

static bool passes_limits(const struct world *w)
{
	double v = 0, cpus = 0;

	for (size_t i = 0; i < w->h.ncpus; i++)
		cpus += w->cpus[i].usable;
	for (size_t i = 0; i < w->n; i++) {
		if (w->g[i].vcpus > w->h.cores)
			return true;
		v += w->g[i].vcpus;
	}
	return v > 2 * cpus;
}

static void random_plans(void **state)
{
	unsigned within = 0, pinned = 0, floating = 0, none = 0, spread = 0, refused = 0;

	(void)state;
	for (unsigned number = 0; number < CASES; number++) {
		struct dice d = {0x9e3779b97f4a7c15u * (number + 1)};
		struct world *w = calloc(1, sizeof(*w));
		struct place_plan p;
		struct err e = {0};
		struct judge j = {.w = w, .p = &p, .number = number};
		int rc;

		make_host(&d, w);
		make_wishes(&d, w);
		w->o.enforce = true;
		rc = place_make(&w->h, w->g, w->n, &w->o, &p, &e);
		if (w->h.cores && (rc == -ENOSPC) != passes_limits(w))
			fail_msg("case %u: enforce: %d %s", number, rc, e.text);
		refused += rc == -ENOSPC;
		if (!rc)
			place_plan_free(&p);
		w->o.enforce = false;
		rc = place_make(&w->h, w->g, w->n, &w->o, &p, &e);
		/* a machine without a CPU to use */
		assert_true(rc == 0 || (rc == -EINVAL && !w->h.cores));
		if (!rc) {
			judge_plan(&j, &within);
			judge_bytes(&j);
			if (number % 8 == 0)
				same_again(w, &p, number);
			for (size_t i = 0; i < p.nguests; i++) {
				const struct placed_guest *g = &p.guests[i];

				none += !g->placed;
				floating += g->floating;
				spread += g->ncells > 0;
				pinned += g->placed && !g->floating;
			}
			place_plan_free(&p);
		}
		free(w);
	}
	print_message("# within a node for certain: %u cases; pinned %u, spread %u, floating %u, "
		      "nowhere %u, refused %u\n",
		      within, pinned, spread, floating, none, refused);
	/* the dice must show all sides */
	assert_true(within > CASES / 10 && pinned > CASES / 2 && spread > CASES / 50 &&
		    floating > CASES / 10 && none > CASES / 50 && refused > CASES / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_plans)};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
