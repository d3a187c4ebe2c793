// SPDX-License-Identifier: GPL-2.0-or-later
/* place_make: what is tried, in which order, and what is given up first. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "place/internal.h"
#include "vm/vm.h"

/* Steps of one search, of all searches of a plan, and of one that is too large to be exhausted. */
enum { STEPS_MAX = 100000, STEPS_ALL = 400000, STEPS_GREEDY = 4000 };

void place_opts_default(struct place_opts *o)
{
	*o = (struct place_opts){.smt = PLACE_SIBLINGS, .total_ratio = 2, .keep_default = true};
}

/* It goes to terminals and into JSON. */
static bool name_is_plain(const char *name)
{
	json_t *text = json_string(name);
	bool plain = text && strlen(name) <= NAME_BYTES_MAX;

	json_decref(text);
	for (; *name && plain; name++)
		plain = (unsigned char)*name >= ' ' && *name != 127;
	return plain;
}

static int check_guest(const struct place_guest *g, const struct place_guest *all, size_t i,
		       struct err *e)
{
	const char *name = g->name && *g->name ? g->name : NULL;

	if (!name)
		return err_input(e, "guest %zu has no name", i + 1);
	if (!name_is_plain(name))
		return err_input(e,
				 "guest %zu: a name is UTF-8 of %d bytes at most, without control "
				 "characters",
				 i + 1, NAME_BYTES_MAX);
	for (size_t k = 0; k < i; k++)
		if (!strcmp(all[k].name, name))
			return err_input(e, "two guests are named %s", name);
	if (!g->vcpus || g->vcpus > PLACE_VCPUS_MAX)
		return err_input(e, "%s: %u vCPUs; a guest has 1 to %d", name, g->vcpus,
				 PLACE_VCPUS_MAX);
	if (g->iothreads > PLACE_IOTHREADS_MAX)
		return err_input(e, "%s: %u iothreads; a guest has %d at most", name, g->iothreads,
				 PLACE_IOTHREADS_MAX);
	if (!g->memory || g->memory > (uint64_t)1 << 50)
		return err_input(e, "%s: %llu bytes of memory; a guest has some, and 1 PiB at most",
				 name, (unsigned long long)g->memory);
	if (g->page && g->page != 1u << 21 && g->page != 1u << 30)
		return err_input(e, "%s: pages of %llu bytes; there are normal ones, 2M and 1G",
				 name, (unsigned long long)g->page);
	return 0;
}

static int check_wishes(const struct place_host *h, const struct place_guest *g, size_t n,
			const struct place_opts *o, struct err *e)
{
	bool usable = false;

	if (!n || n > PLACE_GUESTS_MAX)
		return err_input(e, "%zu guests; a plan has 1 to %d", n, PLACE_GUESTS_MAX);
	if (!(o->total_ratio > 0 && o->total_ratio <= 1000))
		return err_input(e, "a ratio of %g vCPUs on a CPU; it is above 0, 1000 at most",
				 o->total_ratio);
	for (size_t i = 0; i < n; i++) {
		int rc = check_guest(&g[i], g, i, e);

		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; i < h->ncpus; i++)
		usable |= h->cpus[i].usable;
	if (!usable)
		return err_input(e, "%s has no CPU that may be used",
				 h->name ? h->name : "this host");
	return 0;
}

static int reserved_read(const char *list, bool *reserved, struct err *e)
{
	char *text;

	if (!list || !*list)
		return 0;
	text = vm_cpus(list);
	if (!text)
		return err_input(e, "\"%.80s\" is no list of CPUs; write it like 0-3,8", list);
	for (char *p = text; *p;) {
		unsigned long from = strtoul(p, &p, 10), to = from;

		if (*p == '-')
			to = strtoul(p + 1, &p, 10);
		for (; from <= to && from < PLACE_CPUS_MAX; from++)
			reserved[from] = true;
		if (*p == ',')
			p++;
	}
	free(text);
	return 0;
}

/* Whose memory is nowhere, the last named first (MEM-10: no overcommitment of memory). */
static void drop_for_memory(const struct room *r, bool *dropped)
{
	uint64_t left[POOLS] = {0};

	for (int p = 0; p < POOLS; p++)
		for (size_t i = 0; i < r->h->nnodes; i++)
			left[p] += r->left[p][i];
	for (size_t i = 0; i < r->n; i++) {
		uint64_t want = guest_memory(&r->g[i]);
		int pool = r->g[i].page == 1u << 21 ? POOL_2M
			   : r->g[i].page	    ? POOL_1G
						    : POOL_NORMAL;

		if (left[pool] < want)
			pool = POOL_NORMAL;
		dropped[i] = left[pool] < want;
		if (!dropped[i])
			left[pool] -= want;
	}
}

/* Emulator threads are never on vCPUs' CPUs: the host's cores, a free one, or with iothreads. */
static bool emulators_fit(const struct room *r)
{
	bool free_core = r->any_kept || r->lone;

	for (size_t i = 0; i < r->ncores; i++)
		free_core |= r->cores[i].owner == NOBODY && !r->cores[i].shut;
	for (size_t i = 0; i < r->n && !free_core; i++)
		if (r->seats[i].kind == SEAT_PINNED && !r->g[i].iothreads)
			return false;
	return true;
}

/* Fewer CPUs than threads: no need to search. */
static bool cpus_suffice(const struct room *r)
{
	unsigned long want = 0, have = 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->seats[i].may_pin)
			want += r->g[i].vcpus + r->g[i].iothreads;
	for (size_t i = 0; i < r->ncores; i++)
		have += r->cores[i].kept || r->cores[i].shut ? 0 : r->cores[i].n;
	return want <= have;
}

struct attempt {
	bool lone, soft, spread, scatter;
};

/* What a search alone says does not change: it is kept for each way of the first two. */
struct alone {
	bool known, *node, *any;
};

static void alone_fill(struct room *r, struct alone *a)
{
	if (!a->known) {
		search_alone(r);
		a->node = xcalloc(r->n, sizeof(bool));
		a->any = xcalloc(r->n, sizeof(bool));
		for (size_t i = 0; i < r->n; i++) {
			a->node[i] = r->seats[i].fits_node;
			a->any[i] = r->seats[i].fits;
		}
		a->known = true;
	}
	for (size_t i = 0; i < r->n; i++) {
		r->seats[i].fits_node = a->node[i];
		r->seats[i].fits = a->any[i];
	}
}

/* Sets the room up for an attempt; false: there is no such way here. */
static bool attempt_open(struct room *r, struct attempt a, struct alone *alone)
{
	room_clear(r);
	if (a.lone && (r->any_kept || !room_keep_one(r)))
		return false;
	r->soft_pages = a.soft;
	r->may_spread = a.spread;
	r->may_scatter = a.scatter;
	alone_fill(r, &alone[a.lone * 2 + a.soft]);
	return true;
}

static bool attempt_run(struct room *r, unsigned long *steps, double ratio, const bool *dropped)
{
	double ways = 1;
	unsigned long most;
	bool done;

	for (size_t i = 0; i < r->n; i++)
		ways *= r->seats[i].may_pin ? (double)r->h->nnodes : 1;
	most = ways <= 65536 ? STEPS_MAX : STEPS_GREEDY;
	r->steps = most = most < *steps ? most : *steps;
	done = cpus_suffice(r) && search_pinned(r) && emulators_fit(r);
	*steps -= most - r->steps;
	if (*steps < STEPS_GREEDY)
		*steps = STEPS_GREEDY;
	return done && float_seat(r, ratio, dropped);
}

/* All ways with this many guests floating. */
static bool attempt_all(struct room *r, struct alone *alone, unsigned long *steps, double ratio,
			const bool *dropped)
{
	bool pages = false, pins = false;

	for (size_t i = 0; i < r->n; i++) {
		pages |= r->g[i].page > 0;
		pins |= r->seats[i].may_pin;
	}
	/* where no vCPU has a CPU of its own, emulator threads need none, either */
	for (int lone = pins && !r->any_kept; lone >= 0; lone--)
		for (int way = 0; way < 8; way++) {
			/* what is given up: pages that are there first, memory near the CPUs last
			 */
			struct attempt a = {lone, way & 2, way & 1, way & 4};

			if ((a.soft && !pages) || ((a.spread || a.scatter) && r->h->nnodes < 2))
				continue;
			if (attempt_open(r, a, alone) && attempt_run(r, steps, ratio, dropped))
				return true;
		}
	return false;
}

/* Who may be pinned at all: whoever fits the empty machine in some way. */
static void may_pin_fill(struct room *r, struct alone *alone, const bool *dropped, bool *may)
{
	memset(may, 0, r->n * sizeof(*may));
	for (int lone = !r->any_kept; lone >= 0; lone--)
		for (int soft = 0; soft <= 1; soft++)
			if (attempt_open(r, (struct attempt){lone, soft, true, true}, alone))
				for (size_t i = 0; i < r->n; i++)
					may[i] |= r->seats[i].fits && !r->g[i].floating &&
						  !dropped[i];
	room_clear(r);
}

/* The fewest that float, the last named first. */
static bool float_fewest(struct room *r, struct alone *alone, const bool *dropped)
{
	bool *may = xcalloc(r->n, sizeof(*may)), done = false;
	unsigned long steps = STEPS_ALL;
	size_t pinned = 0, end = r->n;

	may_pin_fill(r, alone, dropped, may);
	for (size_t i = 0; i < r->n; i++) {
		r->seats[i].may_pin = may[i];
		pinned += may[i];
	}
	for (;;) {
		done = attempt_all(r, alone, &steps, pinned ? r->o->total_ratio : 0, dropped);
		if (done || !pinned)
			break;
		while (!r->seats[--end].may_pin)
			;
		r->seats[end].may_pin = false;
		pinned--;
	}
	free(may);
	return done;
}

static void drop_last(const struct room *r, bool *dropped)
{
	size_t i = r->n;

	while (i && dropped[i - 1])
		i--;
	if (i)
		dropped[i - 1] = true;
}

static bool all_dropped(const struct room *r, const bool *dropped)
{
	for (size_t i = 0; i < r->n; i++)
		if (!dropped[i])
			return false;
	return true;
}

int place_make(const struct place_host *h, const struct place_guest *g, size_t n,
	       const struct place_opts *o, struct place_plan *out, struct err *e)
{
	bool reserved[PLACE_CPUS_MAX] = {false}, *dropped;
	struct alone alone[4] = {0};
	struct room r;
	int rc;

	*out = (struct place_plan){0};
	rc = check_wishes(h, g, n, o, e);
	if (rc == 0)
		rc = reserved_read(o->reserved, reserved, e);
	if (rc == 0)
		rc = limits_check(h, g, n, o, out, e);
	if (rc < 0) {
		place_plan_free(out);
		return rc;
	}
	dropped = xcalloc(n, sizeof(*dropped));
	room_open(&r, h, g, n, o, reserved);
	search_order(&r);
	drop_for_memory(&r, dropped);
	while (!all_dropped(&r, dropped) && !float_fewest(&r, alone, dropped)) {
		drop_last(&r, dropped);
		room_clear(&r);
	}
	result_fill(&r, out);
	result_say(&r, out);
	room_close(&r);
	for (size_t i = 0; i < sizeof(alone) / sizeof(alone[0]); i++) {
		free(alone[i].node);
		free(alone[i].any);
	}
	free(dropped);
	return 0;
}
