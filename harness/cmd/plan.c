/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vbench plan: CPUs and memory for guests, on this machine or a snapshot of one. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "base/units.h"
#include "cmd/cmd.h"
#include "host/snapshot.h"
#include "place/place.h"
#include "vm/neighbours.h"
#include "vm/read.h"
#include "vm/write.h"

static const char usage[] =
	"usage: vbench plan TARGET... | --guest NAME:vcpus=N,memory=SIZE[,...]... [options]\n"
	"\n"
	"Places vCPUs, iothreads, emulator threads and memory of guests, and says why, and at what price.\n"
	"Nothing is changed; `vbench apply` takes what --json prints. Other guests that run here keep the\n"
	"CPUs that they are pinned to.\n"
	"\n"
	"  TARGET             libvirt:NAME, pid:N, qm:ID, domain XML, a QEMU command line, a profile, -\n"
	"  --guest NAME:...   a guest that is not there yet: vcpus=4,memory=8G[,iothreads=1][,disk-node=1]\n"
	"                     [,pages=2M][,floating][,count=3]\n"
	"  --snapshot FILE    another machine, as `vbench host --save FILE` wrote it\n"
	"  --smt POLICY       siblings: neighbouring vCPUs share cores (default); isolate: a core for each\n"
	"                     vCPU; spread: cores first, then siblings\n"
	"  --ratio N          vCPUs of all guests to logical CPUs (default 2)\n"
	"  --keep-cores N     cores a node that are the host's (default 1 on nodes of 4 or more)\n"
	"  --enforce          refuse what passes a limit, instead of warning\n"
	"  --small-cores      vCPUs may use less capable cores, too\n"
	"  --reserved LIST    CPUs to leave alone, with their cores\n"
	"  --export FORMAT    libvirt, virsh, qemu, qm, ovirt or nova instead of text; of the guest it has what\n"
	"                     the plan says alone: for a domain that there is, virsh's commands, not virsh define\n"
	"  --json             the plan as JSON\n"
	"\n"
	"exit status: 0 all placed, every wish met; 1 something is not satisfied, or a limit is passed;\n"
	"2 bad input, or refused by --enforce\n";

/* Memory that a running guest has on a node: it is not free, but it is its own. */
struct held {
	unsigned node;
	uint64_t bytes, page;
};

struct wishes {
	struct place_guest *guests;
	char **names;
	struct vm **targets; /* NULL: of --guest */
	size_t n;
	struct held *held;
	size_t nheld;
};

static struct place_guest *wish_new(struct wishes *w, const char *name)
{
	struct place_guest *g;

	w->guests = xrealloc(w->guests, w->n + 1, sizeof(*w->guests));
	w->names = xrealloc(w->names, w->n + 1, sizeof(*w->names));
	w->targets = xrealloc(w->targets, w->n + 1, sizeof(struct vm *));
	w->targets[w->n] = NULL;
	g = &w->guests[w->n];
	*g = (struct place_guest){.disk_node = -1};
	g->name = w->names[w->n++] = xstrdup(name);
	return g;
}

static void wishes_free(struct wishes *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->names[i]);
	for (size_t i = 0; i < w->n; i++)
		if (w->targets[i])
			vm_free(w->targets[i]);
	free(w->names);
	free(w->targets);
	free(w->guests);
	free(w->held);
}

static void held_read(const struct vm *vm, struct wishes *w)
{
	uint64_t bytes, page = 0, huge;

	if (!vm->running)
		return;
	if (vm_number(vm, VM_GOT, &huge, "memory.huge") && huge)
		vm_number(vm, VM_GOT, &page, "memory.page");
	for (unsigned i = 0, n = vm_count(vm, "memory.node"); i < n; i++)
		if (vm_number(vm, VM_GOT, &bytes, "memory.node.%u", i) && bytes < 1ull << 50) {
			w->held = xrealloc(w->held, w->nheld + 1, sizeof(*w->held));
			w->held[w->nheld++] = (struct held){i, bytes, page};
		}
}

/* A plan for a guest that runs here may use what that guest has. */
static void held_give(const struct wishes *w, struct place_host *h)
{
	for (size_t i = 0; i < w->nheld; i++)
		for (size_t k = 0; k < h->nnodes; k++) {
			struct place_node *n = &h->nodes[k];

			if (n->os != w->held[i].node)
				continue;
			if (w->held[i].page == 1u << 21)
				n->huge_2m += w->held[i].bytes >> 21;
			else if (w->held[i].page == 1u << 30)
				n->huge_1g += w->held[i].bytes >> 30;
			else if (n->free != UINT64_MAX)
				n->free += w->held[i].bytes;
		}
}

/* Whether a running QEMU is one of those that the plan is for. */
static bool is_planned(const struct wishes *w, const struct vm_neighbour *one)
{
	for (size_t i = 0; i < w->n; i++)
		if ((w->targets[i] && w->targets[i]->pid == one->pid) ||
		    !strcmp(w->names[i], one->name))
			return true;
	return false;
}

static void others_take(const struct wishes *w, struct place_host *h)
{
	struct vm_neighbour *list;
	size_t n = vm_neighbours(&list);

	for (size_t i = 0; i < n; i++)
		if (!is_planned(w, &list[i]))
			place_host_other(h, list[i].name, list[i].vcpus, list[i].pinned);
	vm_neighbours_free(list, n);
}

static int read_count(const char *what, const char *text, unsigned most, unsigned *out,
		      struct err *e)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || n > most)
		return err_input(e, "%s: \"%.60s\" is not a number from 0 to %u", what, text, most);
	*out = (unsigned)n;
	return 0;
}

static int read_page(const char *text, uint64_t *out, struct err *e)
{
	if (units_size(text, out) < 0 || (*out && *out != 1u << 21 && *out != 1u << 30))
		return err_input(e, "pages=%.60s: pages are 2M or 1G; leave it out for normal ones",
				 text);
	return 0;
}

/* One "key=value" of --guest. */
static int read_wish(struct place_guest *g, unsigned *count, const char *key, const char *value,
		     struct err *e)
{
	unsigned node;
	int rc;

	if (!strcmp(key, "floating") && !value) {
		g->floating = true;
		return 0;
	}
	if (!value)
		return err_input(e, "--guest %s: \"%.60s\" needs a value", g->name, key);
	if (!strcmp(key, "vcpus"))
		return read_count("vcpus", value, PLACE_VCPUS_MAX, &g->vcpus, e);
	if (!strcmp(key, "iothreads"))
		return read_count("iothreads", value, PLACE_IOTHREADS_MAX, &g->iothreads, e);
	if (!strcmp(key, "count"))
		return read_count("count", value, PLACE_GUESTS_MAX, count, e);
	if (!strcmp(key, "pages"))
		return read_page(value, &g->page, e);
	if (!strcmp(key, "memory"))
		return units_size(value, &g->memory) < 0
			       ? err_input(e, "memory=%.60s is no size; write it like 8G", value)
			       : 0;
	if (!strcmp(key, "disk-node")) {
		rc = read_count("disk-node", value, PLACE_CPUS_MAX, &node, e);
		g->disk_node = (int)node;
		return rc;
	}
	return err_input(
		e,
		"--guest %s: no \"%.60s\"; there are vcpus, memory, iothreads, disk-node, pages, "
		"floating, count",
		g->name, key);
}

/* "NAME:vcpus=4,memory=8G,count=3": guests NAME, or NAME-1 to NAME-3. */
static int read_guest(const char *text, struct wishes *w, struct err *e)
{
	char *copy = xstrdup(text), *colon = strrchr(copy, ':'), *save = NULL, *word;
	struct place_guest g = {.disk_node = -1};
	unsigned count = 1;
	int rc = 0;

	if (!colon || colon == copy) {
		rc = err_input(e, "--guest %.80s: write NAME:vcpus=4,memory=8G", text);
		free(copy);
		return rc;
	}
	*colon = '\0';
	g.name = copy;
	for (word = strtok_r(colon + 1, ",", &save); word && rc == 0;
	     word = strtok_r(NULL, ",", &save)) {
		char *equals = strchr(word, '=');

		if (equals)
			*equals = '\0';
		rc = read_wish(&g, &count, word, equals ? equals + 1 : NULL, e);
	}
	if (rc == 0 && (!g.vcpus || !g.memory))
		rc = err_input(e, "--guest %s: vcpus and memory must be said", copy);
	if (rc == 0 && w->n + count > PLACE_GUESTS_MAX)
		rc = err_input(e, "more than %d guests", PLACE_GUESTS_MAX);
	for (unsigned i = 1; rc == 0 && i <= count; i++) {
		char *name = count > 1 ? xasprintf("%s-%u", copy, i) : xstrdup(copy);
		struct place_guest *one = wish_new(w, name);

		g.name = one->name;
		*one = g;
		g.name = copy;
		free(name);
	}
	free(copy);
	return rc;
}

/* A number as in force, else as asked for. */
static bool fact(const struct vm *vm, const char *key, uint64_t *out)
{
	return vm_number(vm, VM_GOT, out, "%s", key) || vm_number(vm, VM_ASKED, out, "%s", key);
}

static int read_target(const char *target, struct wishes *w, struct err *e)
{
	struct place_guest *g;
	struct vm *vm;
	uint64_t n;
	int rc = vm_open(target, &vm, e);

	if (rc < 0)
		return rc;
	g = wish_new(w, vm->name);
	w->targets[w->n - 1] = vm;
	if (fact(vm, "vcpus", &n) && n <= PLACE_VCPUS_MAX)
		g->vcpus = (unsigned)n;
	if (fact(vm, "iothreads", &n) && n <= PLACE_IOTHREADS_MAX)
		g->iothreads = (unsigned)n;
	if (fact(vm, "memory.size", &n))
		g->memory = n;
	/* what is wished for, although there may have been none when it started */
	if ((vm_number(vm, VM_ASKED, &n, "memory.page") || fact(vm, "memory.page", &n)) &&
	    (n == 1u << 21 || n == 1u << 30))
		g->page = n;
	for (unsigned i = 0, disks = vm_count(vm, "disk"); i < disks && g->disk_node < 0; i++)
		if (vm_number(vm, VM_GOT, &n, "disk.%u.host-node", i) && n < PLACE_CPUS_MAX)
			g->disk_node = (int)n;
	held_read(vm, w);
	if (!g->vcpus || !g->memory)
		rc = err_input(e, "%s does not say how many vCPUs and how much memory; use --guest",
			       target);
	return rc;
}

struct plan_args {
	struct place_opts o;
	const char *snapshot;
	int format; /* enum vm_format, -1: none */
	bool json;
	struct wishes w;
};

/* What the plan's words must fit: which machine it is, and how its threads are called. */
static void target_copy(const struct vm *target, unsigned iothreads, struct vm *vm)
{
	static const char *const keys[] = {"accel", "machine", "arch"};
	uint64_t now, max;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		vm_set(vm, VM_ASKED, vm_get(target, VM_ASKED, "%s", keys[i]), "target", "%s",
		       keys[i]);
	for (unsigned i = 0; i < iothreads; i++) {
		const char *id = vm_get(target, VM_ASKED, "iothread.%u.id", i);

		if (!id)
			id = vm_get(target, VM_GOT, "iothread.%u.id", i);
		vm_set(vm, VM_ASKED, id, "target", "iothread.%u.id", i);
	}
	if (!vm_number(target, VM_ASKED, &max, "vcpus.max") ||
	    !vm_number(vm, VM_ASKED, &now, "vcpus") || max <= now)
		return;
	/* a topology says how many can be plugged, and the plan is of those that are */
	vm_set_number(vm, VM_ASKED, max, "target", "vcpus.max");
	for (size_t i = 0; i < 4; i++)
		vm_set(vm, VM_ASKED, NULL, "target", "smp.%s",
		       (const char *const[]){"sockets", "dies", "cores", "threads"}[i]);
}

/* A guest that is not there yet: libvirt takes no domain without a type of machine. */
static void machine_of_today(const struct place_host *h, struct vm *vm)
{
	if (!h->dies) /* only x86 hosts have them */
		return;
	vm_set(vm, VM_ASKED, "q35", "vbench plan", "machine");
	vm_set(vm, VM_ASKED, "x86_64", "vbench plan", "arch");
}

static int export_plan(const struct plan_args *a, const struct place_host *h,
		       const struct place_plan *p, struct err *e)
{
	bool printed = false;
	int rc = 0;

	for (size_t i = 0; i < p->nguests && rc == 0; i++) {
		struct vm *vm;

		if (!p->guests[i].placed)
			continue;
		vm = vm_new(p->guests[i].name, "vbench plan");
		place_into_vm(&p->guests[i], vm);
		if (a->w.targets[i])
			target_copy(a->w.targets[i], p->guests[i].iothreads, vm);
		else
			machine_of_today(h, vm);
		/* several in one text; qm's commands have no name of their own */
		if (p->nguests > 1 && a->format != VM_LIBVIRT && a->format != VM_OVIRT)
			printf("%s# %s\n", printed ? "\n" : "", p->guests[i].name);
		else if (printed)
			putchar('\n');
		printed = true;
		rc = vm_write(stdout, (enum vm_format)a->format, vm, e);
		vm_free(vm);
	}
	/* what the other forms have in the text */
	for (size_t i = 0; i < p->nunmet; i++)
		fprintf(stderr, "vbench: not satisfied: %s\n", p->unmet[i]);
	for (size_t i = 0; i < p->nwarnings; i++)
		fprintf(stderr, "vbench: look at: %s\n", p->warnings[i]);
	return rc;
}

static int read_smt(const char *word, enum place_smt *out, struct err *e)
{
	static const char *const names[] = {[PLACE_SIBLINGS] = "siblings",
					    [PLACE_ISOLATE] = "isolate",
					    [PLACE_SPREAD] = "spread"};

	for (int i = 0; i < 3; i++)
		if (!strcmp(word, names[i])) {
			*out = (enum place_smt)i;
			return 0;
		}
	return err_input(e, "--smt %.60s: there are siblings, isolate and spread", word);
}

static int read_format(const char *word, int *out, struct err *e)
{
	for (int i = 0; i < VM_FORMATS; i++)
		if (!strcmp(word, vm_format_names[i])) {
			*out = i;
			return 0;
		}
	return err_input(e, "--export %.60s: there are libvirt, virsh, qemu, qm, ovirt and nova",
			 word);
}

static int read_ratio(const char *text, double *out, struct err *e)
{
	char *end;

	*out = strtod(text, &end);
	if (end == text || *end || !isfinite(*out) || *out <= 0 || *out > 1000)
		return err_input(e, "--ratio %.60s: a number above 0, 1000 at most", text);
	return 0;
}

/* 1: show the usage and end with 0; 0; or -errno. */
static int read_option(int c, struct plan_args *a, struct err *e)
{
	switch (c) {
	case 'g':
		return read_guest(optarg, &a->w, e);
	case 's':
		a->snapshot = optarg;
		return 0;
	case 't':
		return read_smt(optarg, &a->o.smt, e);
	case 'r':
		return read_ratio(optarg, &a->o.total_ratio, e);
	case 'k':
		a->o.keep_default = false;
		return read_count("--keep-cores", optarg, PLACE_CPUS_MAX, &a->o.keep_cores, e);
	case 'e':
		a->o.enforce = true;
		return 0;
	case 'm':
		a->o.small_cores = true;
		return 0;
	case 'v':
		a->o.reserved = optarg;
		return 0;
	case 'x':
		return read_format(optarg, &a->format, e);
	case 'j':
		a->json = true;
		return 0;
	case 'h':
		return 1;
	}
	/* getopt has said what is wrong */
	return err_input(e, "`vbench plan --help` lists its options");
}

static int read_args(int argc, char **argv, struct plan_args *a, struct err *e)
{
	static const struct option options[] = {
		{"guest", required_argument, NULL, 'g'},
		{"snapshot", required_argument, NULL, 's'},
		{"smt", required_argument, NULL, 't'},
		{"ratio", required_argument, NULL, 'r'},
		{"keep-cores", required_argument, NULL, 'k'},
		{"enforce", no_argument, NULL, 'e'},
		{"small-cores", no_argument, NULL, 'm'},
		{"reserved", required_argument, NULL, 'v'},
		{"export", required_argument, NULL, 'x'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c, rc;

	optind = 0;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		rc = read_option(c, a, e);
		if (rc)
			return rc;
	}
	if (a->json && a->format >= 0)
		return err_input(e, "--json or --export, not both");
	for (int i = optind; i < argc; i++) {
		rc = read_target(argv[i], &a->w, e);
		if (rc < 0)
			return rc;
	}
	if (!a->w.n)
		return err_input(e, "no guest: name a TARGET or --guest; see vbench plan --help");
	return 0;
}

static int show(const struct plan_args *a, const struct place_host *h, const struct place_plan *p,
		struct err *e)
{
	json_t *doc;

	if (a->format >= 0)
		return export_plan(a, h, p, e);
	if (a->json) {
		doc = place_json(p);
		json_dumpf(doc, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(doc);
		return 0;
	}
	place_draw(h, p, stdout);
	putchar('\n');
	place_text(p, stdout);
	return 0;
}

static int plan(const struct plan_args *a, struct err *e)
{
	struct snapshot *s = NULL;
	struct place_plan p;
	struct place_host h;
	int rc = a->snapshot ? snapshot_load(a->snapshot, &s, e) : snapshot_take(&s, e);
	bool met = true;

	if (rc < 0)
		return rc;
	place_host_make(s, &h);
	if (snapshot_is_live(s)) {
		held_give(&a->w, &h);
		others_take(&a->w, &h);
	}
	rc = place_make(&h, a->w.guests, a->w.n, &a->o, &p, e);
	/* a limit that is refused is the user's to mend */
	if (rc == -ENOSPC && e)
		e->status = VB_BAD_INPUT;
	if (rc == 0) {
		met = !p.nunmet && !p.nwarnings;
		rc = show(a, &h, &p, e);
		place_plan_free(&p);
	}
	place_host_free(&h);
	snapshot_free(s);
	return rc < 0 ? rc : !met;
}

int cmd_plan(int argc, char **argv)
{
	struct plan_args a = {.format = -1};
	struct err e = {0};
	int rc;

	place_opts_default(&a.o);
	rc = read_args(argc, argv, &a, &e);
	if (rc == 1) {
		wishes_free(&a.w);
		return fputs(usage, stdout) < 0 ? VB_NOT_MEASURED : VB_OK;
	}
	if (rc == 0)
		rc = plan(&a, &e);
	wishes_free(&a.w);
	if (rc < 0)
		return err_exit(&e);
	return rc ? VB_WORSE : VB_OK;
}
