// SPDX-License-Identifier: GPL-2.0-or-later
/* libvirt's <cputune> as facts: pins, schedulers, shares and quotas. */
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "vm/xml.h"

/* "fifo:1"; batch and idle have no priority. */
static const char *scheduler(const struct el *e, char *buf, size_t size)
{
	const char *name = el_attr(e, "scheduler"), *priority = el_attr(e, "priority");

	if (!name)
		return NULL;
	snprintf(buf, size, "%.16s%s%.8s", name, priority ? ":" : "", priority ? priority : "");
	return buf;
}

static void read_vcpu_pins(const struct el *tune)
{
	struct el it = {0};
	uint64_t n;

	while (it.at < 4 * XML_CPUS && el_each(tune, "vcpupin", &it)) {
		if (el_number(&it, "vcpu", &n) && n < XML_CPUS)
			el_take_cpus(&it, "cpuset", "vcpu.%u.pin", (unsigned)n);
		else
			el_note(&it, "of no vCPU that can be");
	}
}

/* Calls set for each number of a list such as "0-3,5". */
static void each_number(const struct el *e, const char *attr,
			void (*set)(const struct el *e, unsigned n, const char *value),
			const char *value)
{
	char *list = el_attr(e, attr) ? xml_cpus(el_attr(e, attr)) : NULL;

	for (char *p = list; p && *p; p += *p == ',') {
		unsigned long from = strtoul(p, &p, 10),
			      to = *p == '-' ? strtoul(p + 1, &p, 10) : from;

		for (; from <= to && from < XML_CPUS; from++)
			set(e, (unsigned)from, value);
	}
	free(list);
}

static void set_vcpu_sched(const struct el *e, unsigned n, const char *value)
{
	el_fact(e, "scheduler", value, "vcpu.%u.sched", n);
}

static void set_iothread_sched(const struct el *e, unsigned id, const char *value)
{
	char text[16];
	int n;

	snprintf(text, sizeof(text), "%u", id);
	n = xml_iothread(e->x->vm, text);
	if (n >= 0)
		el_fact(e, "scheduler", value, "iothread.%d.sched", n);
}

static void read_schedulers(const struct el *tune)
{
	struct el it = {0};
	char buf[40];

	/* each list may name a thousand: a few elements say it all */
	while (it.at < 64 && el_each(tune, "vcpusched", &it))
		each_number(&it, "vcpus", set_vcpu_sched, scheduler(&it, buf, sizeof(buf)));
	it = (struct el){0};
	while (it.at < 64 && el_each(tune, "iothreadsched", &it))
		each_number(&it, "iothreads", set_iothread_sched, scheduler(&it, buf, sizeof(buf)));
	it = el_child(tune, "emulatorsched");
	el_fact(&it, "scheduler", scheduler(&it, buf, sizeof(buf)), "emulator.sched");
}

static void read_iothread_pins(const struct el *tune)
{
	struct el it = {0};

	while (it.at < 4 * XML_IOTHREADS && el_each(tune, "iothreadpin", &it)) {
		int n = xml_iothread(tune->x->vm, el_attr(&it, "iothread"));

		if (n >= 0)
			el_take_cpus(&it, "cpuset", "iothread.%d.pin", n);
		else
			el_note(&it, "there is no such iothread");
	}
}

/* A quota; what is negative is none. */
static void take_quota(const struct el *tune, const char *name, const char *key)
{
	struct el q = el_child(tune, name);
	const char *text = el_text(&q);

	if (text && *text == '-')
		el_fact_number(&q, NULL, 0, "%s", key);
	else
		el_take_number(&q, NULL, "%s", key);
}

static void read_quotas(const struct el *tune)
{
	static const char *const periods[] = {"period", "global_period", "emulator_period",
					      "iothread_period"};
	const struct vm *vm = tune->x->vm;
	struct el shares = el_child(tune, "shares");

	el_take_number(&shares, NULL, "cpu.shares");
	take_quota(tune, "quota", "cpu.quota-us");
	take_quota(tune, "global_quota", "cpu.global-quota-us");
	take_quota(tune, "emulator_quota", "emulator.quota-us");
	take_quota(tune, "iothread_quota", "iothread.quota-us");
	for (size_t i = 0; i < sizeof(periods) / sizeof(periods[0]); i++) {
		struct el p = el_child(tune, periods[i]);
		const char *known = vm_get(vm, VM_ASKED, "cpu.period-us");

		if (!known)
			el_take_number(&p, NULL, "cpu.period-us");
		else if (p.node && !(el_text(&p) && !strcmp(el_text(&p), known)))
			el_note(&p, "another period than %s is left aside", known);
	}
}

void xml_read_tune(const struct el *domain)
{
	struct el tune = el_child(domain, "cputune"), emulator = el_child(&tune, "emulatorpin"),
		  cache = el_child(&tune, "cachetune"), memory = el_child(&tune, "memorytune");

	read_vcpu_pins(&tune);
	el_take_cpus(&emulator, "cpuset", "emulator.pin");
	read_iothread_pins(&tune);
	read_schedulers(&tune);
	read_quotas(&tune);
	if (cache.node)
		el_fact_flag(&cache, NULL, true, "cachetune");
	if (memory.node)
		el_fact_flag(&memory, NULL, true, "memorytune");
}
