// SPDX-License-Identifier: GPL-2.0-or-later
/* libvirt's <vcpu>, <iothreads>, <cpu>, <features> and <clock> as facts. */
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "vm/xml.h"

enum { LIST = 1024 };

/* Adds a word to a list with commas, if there is room and it can be one of its words. */
static void list_add(char list[LIST], const char *sign, const char *word)
{
	size_t n = strlen(list);

	if (!word || !*word || strpbrk(word, ", \t\r\n") || n + strlen(word) + 3 >= LIST)
		return;
	snprintf(list + n, LIST - n, "%s%s%s", n ? "," : "", sign, word);
}

static void read_vcpus(const struct el *domain)
{
	struct el v = el_child(domain, "vcpu");

	el_take_number(&v, NULL, "vcpus.max");
	if (el_attr(&v, "current"))
		el_take_number(&v, "current", "vcpus");
	else
		el_take_number(&v, NULL, "vcpus");
	el_take(&v, "placement", "placement");
	el_take_cpus(&v, "cpuset", "cpuset");
}

static void take_iothread(const struct el *e, unsigned n)
{
	const char *id = el_attr(e, "id");
	struct el poll = el_child(e, "poll");

	el_fact(e, "id", id, "iothread.%u.id", n);
	el_take_number(&poll, "max", "iothread.%u.poll-max-ns", n);
}

/* libvirt numbers those that <iothreadids> does not name from 1, past the numbers that are taken.
 */
static void read_iothreads(const struct el *domain)
{
	struct el ids = el_child(domain, "iothreadids"), all = el_child(domain, "iothreads"),
		  it = {0};
	uint64_t said = 0;
	unsigned n = 0;

	while (it.at < XML_IOTHREADS && el_each(&ids, "iothread", &it)) {
		if (!el_attr(&it, "id") || xml_iothread(domain->x->vm, el_attr(&it, "id")) >= 0) {
			el_note(&it, "an iothread without a number of its own");
			continue;
		}
		take_iothread(&it, n++);
	}
	if (el_number(&all, NULL, &said) && said > XML_IOTHREADS)
		el_note(&all, "more than %d iothreads; the others are left aside", XML_IOTHREADS);
	for (unsigned id = 1; n < said && n < XML_IOTHREADS; id++) {
		char text[16];

		snprintf(text, sizeof(text), "%u", id);
		if (xml_iothread(domain->x->vm, text) < 0)
			el_fact(&all, NULL, text, "iothread.%u.id", n++);
	}
	if (all.node || ids.node)
		el_fact_number(all.node ? &all : &ids, NULL, n, "iothreads");
}

static void read_features_of_cpu(const struct el *cpu)
{
	struct el it = {0}, first = {0};
	char list[LIST] = "";

	while (it.at < 1024 && el_each(cpu, "feature", &it)) {
		const char *name = el_attr(&it, "name"), *policy = el_attr(&it, "policy");
		bool out = policy && (!strcmp(policy, "disable") || !strcmp(policy, "forbid"));

		if (!first.node)
			first = it;
		list_add(list, out ? "-" : "+", name);
		if (name && !out && !strcmp(name, "invtsc"))
			cpu->x->invtsc = it;
	}
	el_fact(&first, "name", list, "cpu.features");
}

static void read_cells(const struct el *cpu)
{
	struct el numa = el_child(cpu, "numa"), it = {0};
	unsigned n = 0;

	for (; n < XML_CELLS && el_each(&numa, "cell", &it); n++) {
		struct el distances = el_child(&it, "distances");
		uint64_t id = n, bytes;

		el_number(&it, "id", &id);
		if (id >= XML_CELLS) {
			el_note(&it, "a cell of that number is left aside");
			continue;
		}
		el_take_cpus(&it, "cpus", "numa.%u.cpus", (unsigned)id);
		if (el_bytes(&it, "memory", "unit", "KiB", &bytes))
			el_fact_number(&it, "memory", bytes, "numa.%u.memory", (unsigned)id);
		if (el_is(&it, "memAccess", "shared"))
			el_fact_flag(&it, "memAccess", true, "memory.shared");
		if (distances.node)
			el_fact_flag(&distances, NULL, true, "numa.distances");
	}
}

static void read_cpu_element(const struct el *domain)
{
	struct el cpu = el_child(domain, "cpu"), model = el_child(&cpu, "model"),
		  smp = el_child(&cpu, "topology"), cache = el_child(&cpu, "cache");
	const char *mode = el_attr(&cpu, "mode");

	if (mode && !strcmp(mode, "maximum"))
		el_fact(&cpu, "mode", "max", "cpu.model");
	else if (mode && strcmp(mode, "custom"))
		el_take(&cpu, "mode", "cpu.model");
	else
		el_take(&model, NULL, "cpu.model");
	el_take_on(&cpu, "migratable", "cpu.migratable");
	el_take_number(&smp, "sockets", "smp.sockets");
	el_take_number(&smp, "dies", "smp.dies");
	el_take_number(&smp, "cores", "smp.cores");
	el_take_number(&smp, "threads", "smp.threads");
	if (el_attr(&smp, "clusters") && !el_is(&smp, "clusters", "1"))
		el_note(&smp, "clusters of cores are left aside");
	if (el_is(&cache, "mode", "disable"))
		el_fact(&cache, "mode", "none", "cpu.cache");
	else
		el_take(&cache, "mode", "cpu.cache");
	read_features_of_cpu(&cpu);
	read_cells(&cpu);
}

static const xmlChar *next_element(const struct el *parent, struct el *it)
{
	xmlNode *n = it->at ? it->node->next : parent->node ? parent->node->children : NULL;

	while (n && n->type != XML_ELEMENT_NODE)
		n = n->next;
	*it = (struct el){.x = parent->x, .node = n, .at = 1};
	return n ? n->name : NULL;
}

/* <hyperv> by libvirt's names; "time", as QEMU calls it, is a timer there. */
static void read_hyperv(const struct el *domain)
{
	struct el hyperv = el_down(domain, "features/hyperv"), clock = el_child(domain, "clock"),
		  it = {0}, timer = {0};
	char list[LIST] = "";
	const xmlChar *name;

	if (el_is(&hyperv, "mode", "passthrough"))
		list_add(list, "", "passthrough");
	while ((name = next_element(&hyperv, &it))) {
		struct el direct = el_child(&it, "direct");

		if (!el_is(&it, "state", "on"))
			continue;
		list_add(list, "", (const char *)name);
		if (el_is(&direct, "state", "on"))
			list_add(list, "", "stimer-direct");
	}
	while (el_each(&clock, "timer", &timer))
		if (el_is(&timer, "name", "hypervclock") && el_is(&timer, "present", "yes"))
			list_add(list, "", "time");
	el_fact(hyperv.node ? &hyperv : &clock, NULL, list, "hyperv");
}

static void read_features(const struct el *domain)
{
	struct el f = el_child(domain, "features"), pmu = el_child(&f, "pmu"),
		  kvm = el_child(&f, "kvm"), hint = el_child(&kvm, "hint-dedicated"),
		  poll = el_child(&kvm, "poll-control");

	if (pmu.node && !el_attr(&pmu, "state")) /* libvirt: on is the default of the attribute */
		el_fact_flag(&pmu, NULL, true, "cpu.pmu");
	el_take_on(&pmu, "state", "cpu.pmu");
	el_take_on(&hint, "state", "cpu.hint-dedicated");
	el_take_on(&poll, "state", "cpu.halt-poll");
	read_hyperv(domain);
}

static void read_clock(const struct el *domain)
{
	struct el clock = el_child(domain, "clock"), it = {0};
	const char *offset = el_attr(&clock, "offset");

	if (offset && !strcmp(offset, "variable"))
		el_fact(&clock, "basis",
			el_attr(&clock, "basis") ? el_attr(&clock, "basis") : "utc", "clock.base");
	else
		el_take(&clock, "offset", "clock.base");
	while (el_each(&clock, "timer", &it)) {
		if (el_is(&it, "name", "rtc"))
			el_take(&it, "tickpolicy", "clock.rtc");
		else if (el_is(&it, "name", "pit"))
			el_take(&it, "tickpolicy", "clock.pit");
		else if (el_is(&it, "name", "hpet"))
			el_take_on(&it, "present", "clock.hpet");
		else if (el_is(&it, "name", "kvmclock"))
			el_take_on(&it, "present", "clock.kvmclock");
		else if (el_is(&it, "name", "hypervclock"))
			el_take_on(&it, "present", "clock.hypervclock");
		else if (el_is(&it, "name", "tsc"))
			el_take(&it, "mode", "clock.tsc");
		if (el_is(&it, "name", "tsc") && el_attr(&it, "frequency"))
			domain->x->tsc_rate = true;
	}
}

/* What <qemu:commandline> has of it, which libvirt has no element for. */
static void read_commandline(const struct el *domain)
{
	struct el cl = el_child(domain, "commandline"), it = {0};
	bool overcommit = false;

	while (el_each(&cl, "arg", &it)) {
		const char *v = el_attr(&it, "value");

		if (v && overcommit && strstr(v, "cpu-pm=on"))
			el_fact_flag(&it, "value", true, "cpu.cpu-pm");
		overcommit = v && !strcmp(v, "-overcommit");
	}
}

void xml_read_cpu(const struct el *domain)
{
	read_vcpus(domain);
	read_iothreads(domain);
	read_cpu_element(domain);
	read_features(domain);
	read_clock(domain);
	read_commandline(domain);
}
