// SPDX-License-Identifier: GPL-2.0-or-later
/* A machine drawn in plain text: packages, nodes, caches, a box for each core, and who sits there.
 */
#include <stdlib.h>
#include <string.h>
#include "place/internal.h"

enum { PAGE_WIDTH = 100, INDENT = 6, LABEL_MAX = 24 };

struct picture {
	const struct place_host *h;
	const struct place_plan *plan;
	char (*label)[LABEL_MAX]; /* [ncpus] */
	unsigned *order;	  /* CPUs by package, node, cache, core */
	int width;		  /* of a cell */
};

/* A, B, ... Z, AA, AB, ... */
static void letters(size_t i, char out[8])
{
	char back[8];
	size_t n = 0, k = 0;

	for (i++; i && n < 7; i = (i - 1) / 26)
		back[n++] = (char)('A' + (i - 1) % 26);
	while (n)
		out[k++] = back[--n];
	out[k] = '\0';
}

static void mark(struct picture *p, unsigned long os, const char *text)
{
	for (size_t i = 0; i < p->h->ncpus; i++)
		if (p->h->cpus[i].os == os && !p->label[i][0])
			snprintf(p->label[i], LABEL_MAX, "%s", text);
}

static void mark_float(struct picture *p, unsigned long os, const char *who)
{
	for (size_t i = 0; i < p->h->ncpus; i++) {
		char *label = p->label[i];

		if (p->h->cpus[i].os != os)
			continue;
		if (!*label)
			snprintf(label, LABEL_MAX, "~%s", who);
		else if (*label == '~' && strlen(label) + strlen(who) < 6)
			strcat(label, who);
		else if (*label == '~' && label[strlen(label) - 1] != '+')
			strcat(label, "+");
	}
}

static void mark_list(struct picture *p, const char *list, const char *text, bool floats)
{
	char *at = (char *)list;

	while (at && *at) {
		unsigned long from = strtoul(at, &at, 10), to = from;

		if (*at == '-')
			to = strtoul(at + 1, &at, 10);
		for (; from <= to && from < PLACE_CPUS_MAX; from++)
			if (floats)
				mark_float(p, from, text);
			else
				mark(p, from, text);
		if (*at != ',')
			break;
		at++;
	}
}

static void mark_guest(struct picture *p, size_t i)
{
	const struct placed_guest *g = &p->plan->guests[i];
	char who[8], text[LABEL_MAX];

	letters(i, who);
	if (!g->placed)
		return;
	if (g->floating) {
		mark_list(p, g->vcpu[0], who, true);
		return;
	}
	for (unsigned k = 0; k < g->vcpus; k++) {
		snprintf(text, sizeof(text), "%s%u", who, k);
		mark_list(p, g->vcpu[k], text, false);
	}
	for (unsigned k = 0; k < g->iothreads; k++) {
		snprintf(text, sizeof(text), "%si%u", who, k);
		mark_list(p, g->iothread[k], text, false);
	}
}

static void labels_make(struct picture *p)
{
	p->label = xcalloc(p->h->ncpus, sizeof(*p->label));
	for (size_t i = 0; i < p->h->ncpus; i++)
		if (!p->h->cpus[i].usable || p->h->cpus[i].taken)
			strcpy(p->label[i], "x");
	if (p->plan) {
		for (size_t i = 0; i < p->plan->nguests; i++)
			mark_guest(p, i);
		mark_list(p, p->plan->housekeeping, "h", false);
	}
	for (size_t i = 0; i < p->h->ncpus; i++) {
		int n;

		if (p->plan && !p->label[i][0])
			strcpy(p->label[i], "-");
		n = snprintf(NULL, 0, "%u %s", p->h->cpus[i].os, p->label[i]);
		if (!p->label[i][0])
			n--;
		if (n > p->width)
			p->width = n;
	}
}

static int compare(const struct place_cpu *x, const struct place_cpu *y)
{
	const unsigned a[] = {x->package, x->node, x->llc, x->kind, x->core, x->os};
	const unsigned b[] = {y->package, y->node, y->llc, y->kind, y->core, y->os};

	for (size_t i = 0; i < sizeof(a) / sizeof(a[0]); i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

static int by_place(const void *a, const void *b, void *arg)
{
	const struct place_host *h = arg;

	return compare(&h->cpus[*(const unsigned *)a], &h->cpus[*(const unsigned *)b]);
}

static const struct place_cpu *cpu_at(const struct picture *p, size_t i)
{
	return &p->h->cpus[p->order[i]];
}

/* One past the last CPU from i on of the same core. */
static size_t core_end(const struct picture *p, size_t i)
{
	size_t k = i;

	while (k < p->h->ncpus && cpu_at(p, k)->core == cpu_at(p, i)->core)
		k++;
	return k;
}

static bool same_box(const struct place_cpu *x, const struct place_cpu *y)
{
	return x->package == y->package && x->node == y->node && x->llc == y->llc &&
	       x->kind == y->kind;
}

static void draw_rule(const struct picture *p, size_t cores, FILE *out)
{
	fprintf(out, "%*s+", INDENT, "");
	for (size_t i = 0; i < cores; i++) {
		for (int k = 0; k < p->width + 2; k++)
			putc('-', out);
		putc('+', out);
	}
	putc('\n', out);
}

/* One row of boxes: thread t of each core from CPU i on. */
static void draw_threads(const struct picture *p, size_t i, size_t cores, size_t t, FILE *out)
{
	fprintf(out, "%*s|", INDENT, "");
	for (size_t c = 0; c < cores; c++) {
		size_t end = core_end(p, i);
		char text[LABEL_MAX + 16] = "";

		if (i + t < end)
			snprintf(text, sizeof(text), "%u %s", cpu_at(p, i + t)->os,
				 p->label[p->order[i + t]]);
		fprintf(out, " %-*.*s |", p->width, p->width, text);
		i = end;
	}
	putc('\n', out);
}

/* Cores that share a cache, so many a line as fit; returns one past their last CPU. */
static size_t draw_cache(const struct picture *p, size_t i, FILE *out)
{
	size_t a_line = (size_t)((PAGE_WIDTH - INDENT - 1) / (p->width + 3));

	if (!a_line)
		a_line = 1;
	for (bool first = true; i < p->h->ncpus;) {
		size_t cores = 0, threads = 0, k = i, end;

		for (; cores < a_line && k < p->h->ncpus && same_box(cpu_at(p, i), cpu_at(p, k));
		     cores++, k = end) {
			end = core_end(p, k);
			if (end - k > threads)
				threads = end - k;
		}
		if (first)
			draw_rule(p, cores, out);
		for (size_t t = 0; t < threads; t++)
			draw_threads(p, i, cores, t, out);
		draw_rule(p, cores, out);
		if (k >= p->h->ncpus || !same_box(cpu_at(p, i), cpu_at(p, k)))
			return k;
		first = false;
		i = k;
	}
	return i;
}

static void say_node(const struct place_node *n, FILE *out)
{
	char a[32];

	fprintf(out, "  node %u: ", n->os);
	if (!n->memory) {
		fputs("no memory\n", out);
		return;
	}
	fputs(size_text(n->memory, a), out);
	if (n->free != UINT64_MAX)
		fprintf(out, ", %s free", size_text(n->free, a));
	if (n->pool)
		fprintf(out, ", %s in huge pages (free: %llu of 2 MiB, %llu of 1 GiB)",
			size_text(n->pool, a), (unsigned long long)n->huge_2m,
			(unsigned long long)n->huge_1g);
	putc('\n', out);
}

static unsigned count_caches(const struct place_host *h)
{
	unsigned most = 0;

	for (size_t i = 0; i < h->ncpus; i++)
		if (h->cpus[i].llc >= most)
			most = h->cpus[i].llc + 1;
	return most;
}

static void draw_cpus(const struct picture *p, FILE *out)
{
	const struct place_cpu *last = NULL;
	bool kinds = false, caches = p->h->caches && count_caches(p->h) > 1;

	for (size_t i = 0; i < p->h->ncpus; i++)
		kinds |= p->h->cpus[i].kind > 0;
	for (size_t i = 0; i < p->h->ncpus;) {
		const struct place_cpu *c = cpu_at(p, i);

		if (!last || c->package != last->package)
			fprintf(out, "package %u\n", c->package);
		if ((!last || c->package != last->package || c->node != last->node) &&
		    c->node < p->h->nnodes)
			say_node(&p->h->nodes[c->node], out);
		if (caches || kinds) {
			fputs("    ", out);
			if (p->h->caches)
				fprintf(out, "last-level cache %u%s", c->llc, kinds ? ": " : "");
			fprintf(out, "%s\n",
				!kinds	  ? ""
				: c->kind ? "less capable cores"
					  : "capable cores");
		}
		last = c;
		i = draw_cache(p, i, out);
	}
}

static void draw_legend(const struct picture *p, FILE *out)
{
	char who[8];

	for (size_t i = 0; i < p->plan->nguests; i++) {
		const struct placed_guest *g = &p->plan->guests[i];

		letters(i, who);
		fprintf(out, "%s%s = %s%s", i ? ", " : "", who, g->name,
			!g->placed    ? " (not placed)"
			: g->floating ? " (floating)"
				      : "");
	}
	fputs("\nA0: vCPU 0 of A; Ai0: its iothread 0; ~A: A floats there; h: the host's; -: left empty; "
	      "x: not ours\n",
	      out);
}

void place_draw(const struct place_host *h, const struct place_plan *plan, FILE *out)
{
	struct picture p = {.h = h, .plan = plan};

	labels_make(&p);
	p.order = xcalloc(h->ncpus, sizeof(*p.order));
	for (unsigned i = 0; i < h->ncpus; i++)
		p.order[i] = i;
	qsort_r(p.order, h->ncpus, sizeof(*p.order), by_place, (void *)h);
	draw_cpus(&p, out);
	for (size_t n = 0; n < h->nnodes; n++) {
		bool has = false;

		for (size_t i = 0; i < h->ncpus && !has; i++)
			has = h->cpus[i].node == n;
		if (!has) {
			fputs("no CPUs in\n", out);
			say_node(&h->nodes[n], out);
		}
	}
	if (h->offline && *h->offline)
		fprintf(out, "offline: CPU%s %s\n", strpbrk(h->offline, ",-") ? "s" : "",
			h->offline);
	if (plan)
		draw_legend(&p, out);
	free(p.order);
	free(p.label);
}
