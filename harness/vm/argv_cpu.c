/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -cpu and -smp of a command line. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "vm/internal.h"

/* Adds a word to a list that grows. */
static void list_add(char **list, const char *prefix, const char *word)
{
	char *longer;

	/* A blank or a comma within would break the list. */
	if (!*word || strpbrk(word, " ,\t") || (*list && strlen(*list) > 4000))
		return;
	longer = xasprintf("%s%s%s%s", *list ? *list : "", *list ? "," : "", prefix, word);
	free(*list);
	*list = longer;
}

/* libvirt's words for enlightenments, where they are not QEMU's without "hv-". */
static const char *hyperv_word(const char *name)
{
	return !strcmp(name, "vendor-id") ? "vendor_id" : name;
}

/* The name with hyphens only: hv_relaxed is hv-relaxed. */
static void hyphens(char *buf, size_t size, const char *name)
{
	snprintf(buf, size, "%s", name);
	for (char *p = buf; *p; p++)
		if (*p == '_')
			*p = '-';
}

struct features {
	char *list, *hyperv;
};

static void hyperv_take(struct argv_reader *r, struct features *f, const char *name,
			const char *value, const char *where)
{
	int on = argv_bool(value);

	/* hv-spinlocks and hv-vendor-id have values of their own. */
	if (!on || !strcmp(value, "0xffffffff"))
		return;
	if (!strcmp(name, "time"))
		vm_set_flag(r->vm, VM_ASKED, true, where, "clock.hypervclock");
	list_add(&f->hyperv, "", hyperv_word(name));
}

/* Features that have a fact of their own. */
static void feature_fact(struct argv_reader *r, const char *name, const char *value,
			 const char *where)
{
	static const struct {
		const char *name, *fact;
	} facts[] = {{"pmu", "cpu.pmu"},
		     {"migratable", "cpu.migratable"},
		     {"kvm-hint-dedicated", "cpu.hint-dedicated"},
		     {"kvm-poll-control", "cpu.halt-poll"},
		     {"kvmclock", "clock.kvmclock"}};

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		if (!strcmp(facts[i].name, name))
			argv_set_flag(r, value, where, "%s", facts[i].fact);
	if (!strcmp(name, "host-cache-info") && argv_bool(value) == 1)
		vm_set(r->vm, VM_ASKED, "passthrough", where, "cpu.cache");
	else if (!strcmp(name, "l3-cache") && argv_bool(value) == 1)
		vm_set(r->vm, VM_ASKED, "emulate", where, "cpu.cache");
	else if (!strcmp(name, "l3-cache") && !argv_bool(value) &&
		 !vm_get(r->vm, VM_ASKED, "cpu.cache"))
		vm_set(r->vm, VM_ASKED, "none", where, "cpu.cache");
}

static void feature_take(struct argv_reader *r, struct features *f, const struct argv_pair *p,
			 const char *where)
{
	char name[64];
	int on = argv_bool(p->value);

	hyphens(name, sizeof(name), p->key);
	if (!strncmp(name, "hv-", 3)) {
		hyperv_take(r, f, name + 3, p->value, where);
		return;
	}
	/* of how QEMU looks at the model, not of the model */
	if (!strcmp(name, "enforce") || !strcmp(name, "check"))
		return;
	feature_fact(r, name, p->value, where);
	if (on >= 0)
		list_add(&f->list, on ? "+" : "-", name);
	else
		argv_note(r, "%s: %.60s=%.60s is left aside", where, p->key, p->value);
}

static void model_take(struct argv_reader *r)
{
	const struct argv_opt *o = NULL, *last = NULL;
	struct features f = {0};
	const char *model, *where;

	/* A second -cpu stands in the place of the first, features and all. */
	while ((o = argv_next(r, "cpu", o)))
		last = o;
	if (!last) {
		if (vm_is(r->vm, VM_ASKED, "x86_64", "arch") && !r->incomplete)
			vm_set(r->vm, VM_ASKED, "qemu64", "QEMU's default", "cpu.model");
		return;
	}
	where = last->where;
	model = argv_get(last, "model");
	if (model && *model)
		vm_set(r->vm, VM_ASKED, !strcmp(model, "host") ? "host-passthrough" : model, where,
		       "cpu.model");
	for (size_t i = 0; i < last->npairs; i++) {
		const struct argv_pair *p = &last->pairs[i];

		if (!p->value || !strcmp(p->key, "model"))
			continue;
		feature_take(r, &f, p, where);
	}
	/* -cpu host gives what KVM can give, poll-control among it [KVM: cpuid.rst]. */
	if (model && !strcmp(model, "host") && vm_is(r->vm, VM_ASKED, "kvm", "accel") &&
	    !vm_get(r->vm, VM_ASKED, "cpu.halt-poll"))
		vm_set_flag(r->vm, VM_ASKED, true, where, "cpu.halt-poll");
	if (f.list)
		vm_set(r->vm, VM_ASKED, f.list, where, "cpu.features");
	if (f.hyperv)
		vm_set(r->vm, VM_ASKED, f.hyperv, where, "hyperv");
	free(f.list);
	free(f.hyperv);
}

/* Each level, outermost first; QEMU has "books" and "drawers" on s390 alone. */
static const char *const levels[] = {"drawers",	 "books",   "sockets", "dies",
				     "clusters", "modules", "cores",   "threads"};
enum { LEVELS = 8, SOCKETS = 2, CORES = 6, THREADS = 7 };

static bool smp_number(const struct argv_reader *r, const char *key, uint64_t *out,
		       const struct argv_opt **o)
{
	const char *value = argv_merged(r, "smp", key, o);
	char *end;

	if (!value)
		value = argv_merged(r, "machine", key, o);
	if (!value)
		return false;
	*out = strtoull(value, &end, 10);
	return !*end && *out && *out <= 65536;
}

/* What QEMU computes for levels that were left out (since 6.2: cores before sockets). */
static void smp_complete(uint64_t *n, uint64_t max)
{
	uint64_t product = 1;
	int open = n[CORES] ? n[SOCKETS] ? n[THREADS] ? -1 : THREADS : SOCKETS : CORES;

	for (int i = 0; i < LEVELS; i++)
		product *= n[i] ? n[i] : 1;
	if (open >= 0 && product && max % product == 0)
		n[open] = max / product;
	for (int i = 0; i < LEVELS; i++)
		n[i] = n[i] ? n[i] : 1;
}

static void smp_take(struct argv_reader *r)
{
	const struct argv_opt *o = NULL;
	uint64_t n[LEVELS] = {0}, cpus = 0, max = 0, product = 1;
	const char *where;
	bool some = false;

	for (int i = 0; i < LEVELS; i++) {
		smp_number(r, levels[i], &n[i], &o);
		if (n[i] > 65536)
			n[i] = 0;
		some = some || n[i];
		if (n[i] && product <= 65536)
			product *= n[i];
	}
	if (!smp_number(r, "cpus", &cpus, &o))
		cpus = 0;
	if (!smp_number(r, "maxcpus", &max, &o))
		max = 0;
	if (!cpus && !max && !some && r->incomplete)
		return;
	where = o ? o->where : "QEMU's default";
	cpus = cpus ? cpus : max ? max : product;
	vm_set_number(r->vm, VM_ASKED, cpus, where, "vcpus");
	max = max ? max : product > cpus ? product : cpus;
	if (max != cpus)
		vm_set_number(r->vm, VM_ASKED, max, where, "vcpus.max");
	if (!some)
		return;
	smp_complete(n, max);
	vm_set_number(r->vm, VM_ASKED, n[SOCKETS], where, "smp.sockets");
	vm_set_number(r->vm, VM_ASKED, n[3], where, "smp.dies");
	vm_set_number(r->vm, VM_ASKED, n[CORES], where, "smp.cores");
	vm_set_number(r->vm, VM_ASKED, n[THREADS], where, "smp.threads");
}

/* The guest halts and sleeps without an exit: its haltpoll driver has nothing to do then. */
static void overcommit_take(struct argv_reader *r)
{
	const struct argv_opt *o = NULL;
	const char *value = argv_merged(r, "overcommit", "cpu-pm", &o);

	argv_set_flag(r, value, o ? o->where : "", "cpu.cpu-pm");
	if (argv_bool(value) == 1 && vm_get(r->vm, VM_ASKED, "cpu.halt-poll"))
		vm_set_flag(r->vm, VM_ASKED, false, o->where, "cpu.halt-poll");
}

void argv_cpu(struct argv_reader *r)
{
	model_take(r);
	smp_take(r);
	overcommit_take(r);
}
