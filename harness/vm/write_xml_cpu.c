// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts of CPUs, threads, pins, nodes and clock as libvirt's XML. */
#include <stdlib.h>
#include <string.h>
#include "vm/write_xml.h"

/* --- vCPUs, iothreads, pins ----------------------------------------------------------------------
 */

static void write_vcpus(struct told *t)
{
	const char *now = told_get(t, "vcpus"), *max = told_get(t, "vcpus.max"),
		   *placement = told_get(t, "placement"), *cpuset = told_get(t, "cpuset");

	if (!now && !max)
		return;
	fputs("  <vcpu", t->out);
	xml_put_attr(t->out, "placement", placement);
	xml_put_attr(t->out, "cpuset", cpuset);
	if (now && max && strcmp(now, max))
		xml_put_attr(t->out, "current", now);
	fprintf(t->out, ">%s</vcpu>\n", max ? max : now);
}

static void write_iothreads(struct told *t)
{
	unsigned n = vm_count(t->vm, "iothread");
	uint64_t said;

	if (!told_number(t, &said, "iothreads"))
		said = n;
	if (said)
		fprintf(t->out, "  <iothreads>%llu</iothreads>\n", (unsigned long long)said);
	if (!n)
		return;
	fputs("  <iothreadids>\n", t->out);
	for (unsigned i = 0; i < n; i++) {
		const char *id = told_get(t, "iothread.%u.id", i),
			   *poll = told_get(t, "iothread.%u.poll-max-ns", i);
		unsigned number = id ? xml_thread_number(t->vm, id) : i + 1;

		if (poll)
			fprintf(t->out,
				"    <iothread id='%u'>\n      <poll max='%s'/>\n    </iothread>\n",
				number, poll);
		else
			fprintf(t->out, "    <iothread id='%u'/>\n", number);
	}
	fputs("  </iothreadids>\n", t->out);
}

/* "fifo:1" as two attributes. */
static void put_sched(FILE *out, const char *sched)
{
	size_t n = strcspn(sched, ":");
	char name[24];

	snprintf(name, sizeof(name), "%.*s", (int)(n < 20 ? n : 20), sched);
	xml_put_attr(out, "scheduler", name);
	if (sched[n])
		xml_put_attr(out, "priority", sched + n + 1);
	fputs("/>\n", out);
}

/* libvirt has no word for the kernel's ordinary scheduler. */
static const char *sched_of(const char *sched)
{
	return sched && strcmp(sched, "other") ? sched : NULL;
}

static void write_threads(struct told *t, FILE *f)
{
	unsigned vcpus = vm_count(t->vm, "vcpu"), threads = vm_count(t->vm, "iothread");
	const char *v;

	for (unsigned i = 0; i < vcpus; i++)
		if ((v = told_get(t, "vcpu.%u.pin", i)))
			fprintf(f, "    <vcpupin vcpu='%u' cpuset='%s'/>\n", i, v);
	if ((v = told_get(t, "emulator.pin")))
		fprintf(f, "    <emulatorpin cpuset='%s'/>\n", v);
	for (unsigned i = 0; i < threads; i++) {
		const char *id = told_get(t, "iothread.%u.id", i);

		if ((v = told_get(t, "iothread.%u.pin", i)))
			fprintf(f, "    <iothreadpin iothread='%u' cpuset='%s'/>\n",
				id ? xml_thread_number(t->vm, id) : i + 1, v);
	}
	if ((v = sched_of(told_get(t, "emulator.sched")))) {
		fputs("    <emulatorsched", f);
		put_sched(f, v);
	}
	for (unsigned i = 0; i < vcpus; i++) {
		if (!(v = sched_of(told_get(t, "vcpu.%u.sched", i))))
			continue;
		fprintf(f, "    <vcpusched vcpus='%u'", i);
		put_sched(f, v);
	}
	for (unsigned i = 0; i < threads; i++) {
		const char *id = told_get(t, "iothread.%u.id", i);

		if (!(v = sched_of(told_get(t, "iothread.%u.sched", i))))
			continue;
		fprintf(f, "    <iothreadsched iothreads='%u'",
			id ? xml_thread_number(t->vm, id) : i + 1);
		put_sched(f, v);
	}
}

/* libvirt has a period for each quota; a quota of 0 is none, which it writes as -1. */
static void write_quotas(struct told *t, FILE *f)
{
	static const char *const quotas[][3] = {
		{"cpu.quota-us", "period", "quota"},
		{"cpu.global-quota-us", "global_period", "global_quota"},
		{"emulator.quota-us", "emulator_period", "emulator_quota"},
		{"iothread.quota-us", "iothread_period", "iothread_quota"}};
	const char *shares = told_get(t, "cpu.shares"), *period = told_get(t, "cpu.period-us"), *v;

	if (shares)
		fprintf(f, "    <shares>%s</shares>\n", shares);
	for (size_t i = 0; i < sizeof(quotas) / sizeof(quotas[0]); i++) {
		v = told_get(t, "%s", quotas[i][0]);
		if (period && (v || !i))
			fprintf(f, "    <%s>%s</%s>\n", quotas[i][1], period, quotas[i][1]);
		if (v)
			fprintf(f, "    <%s>%s</%s>\n", quotas[i][2], strcmp(v, "0") ? v : "-1",
				quotas[i][2]);
	}
}

static void write_tune(struct told *t)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	write_quotas(t, f);
	write_threads(t, f);
	fclose(f);
	if (len)
		fprintf(t->out, "  <cputune>\n%s  </cputune>\n", text);
	free(text);
}

/* --- NUMA ----------------------------------------------------------------------------------------
 */

static void write_numatune(struct told *t)
{
	const char *mode = told_get(t, "numatune.mode"), *set = told_get(t, "numatune.nodeset"),
		   *placement = told_get(t, "numatune.placement");
	unsigned cells = vm_count(t->vm, "numa");
	bool bound = mode || set || placement;

	for (unsigned i = 0; i < cells; i++)
		bound = bound || vm_get(t->vm, VM_ASKED, "numa.%u.nodeset", i);
	if (!bound)
		return;
	fputs("  <numatune>\n", t->out);
	if (mode || set || placement) {
		fputs("    <memory", t->out);
		xml_put_attr(t->out, "mode", mode);
		xml_put_attr(t->out, "nodeset", set);
		xml_put_attr(t->out, "placement", placement);
		fputs("/>\n", t->out);
	}
	for (unsigned i = 0; i < cells; i++) {
		const char *nodes = told_get(t, "numa.%u.nodeset", i);

		if (!nodes)
			continue;
		fprintf(t->out, "    <memnode cellid='%u'", i);
		xml_put_attr(t->out, "mode", told_get(t, "numa.%u.mode", i));
		xml_put_attr(t->out, "nodeset", nodes);
		fputs("/>\n", t->out);
	}
	fputs("  </numatune>\n", t->out);
}

static void write_cells(struct told *t, FILE *f)
{
	unsigned cells = vm_count(t->vm, "numa"), n = 0;

	for (unsigned i = 0; i < cells; i++) {
		const char *cpus = told_get(t, "numa.%u.cpus", i);
		uint64_t bytes;

		/* without memory it is no cell to libvirt */
		if (!told_number(t, &bytes, "numa.%u.memory", i))
			continue;
		if (!n++)
			fputs("    <numa>\n", f);
		fprintf(f, "      <cell id='%u'", i);
		xml_put_attr(f, "cpus", cpus);
		fprintf(f, " memory='%llu' unit='%s'/>\n",
			(unsigned long long)(bytes & 1023 ? bytes : bytes >> 10),
			bytes & 1023 ? "bytes" : "KiB");
	}
	if (n)
		fputs("    </numa>\n", f);
}

/* --- CPU -----------------------------------------------------------------------------------------
 */

static uint64_t or_one(struct told *t, const char *key, bool *said)
{
	uint64_t n;

	if (!told_number(t, &n, "%s", key) || !n)
		return 1;
	*said = true;
	return n;
}

/* libvirt wants all of them; sockets, where not said, are what makes up the vCPUs. */
static void write_topology(struct told *t, FILE *f)
{
	bool said = false;
	uint64_t dies = or_one(t, "smp.dies", &said), cores = or_one(t, "smp.cores", &said),
		 threads = or_one(t, "smp.threads", &said),
		 sockets = or_one(t, "smp.sockets", &said), all, one;

	if (!said)
		return;
	if (!vm_get(t->vm, VM_ASKED, "smp.sockets") &&
	    (vm_number(t->vm, VM_ASKED, &all, "vcpus.max") ||
	     vm_number(t->vm, VM_ASKED, &all, "vcpus")) &&
	    !__builtin_mul_overflow(dies, cores, &one) &&
	    !__builtin_mul_overflow(one, threads, &one) && one && all % one == 0)
		sockets = all / one;
	fprintf(f, "    <topology sockets='%llu'", (unsigned long long)sockets);
	if (vm_get(t->vm, VM_ASKED, "smp.dies"))
		fprintf(f, " dies='%llu'", (unsigned long long)dies);
	fprintf(f, " cores='%llu' threads='%llu'/>\n", (unsigned long long)cores,
		(unsigned long long)threads);
}

static void write_cpu_features(struct told *t, FILE *f, bool model)
{
	const char *list;
	char word[80];

	if (!model) /* libvirt takes no features without one; they stay among what is left */
		return;
	list = told_get(t, "cpu.features");
	for (unsigned i = 0; told_word(list, i, word, sizeof(word)); i++) {
		if (*word != '+' && *word != '-')
			continue;
		fprintf(f, "    <feature policy='%s'", *word == '-' ? "disable" : "require");
		xml_put_attr(f, "name", word + 1);
		fputs("/>\n", f);
	}
}

static void put_cpu(FILE *out, const char *model, int migratable)
{
	bool mode = true;

	fputs("  <cpu", out);
	if (!model)
		mode = false;
	else if (!strcmp(model, "host-passthrough") || !strcmp(model, "host"))
		xml_put_attr(out, "mode", "host-passthrough");
	else if (!strcmp(model, "host-model"))
		xml_put_attr(out, "mode", "host-model");
	else if (!strcmp(model, "max"))
		xml_put_attr(out, "mode", "maximum");
	else
		mode = false;
	if (model && !mode)
		fputs(" mode='custom' match='exact'", out);
	if (migratable >= 0 && mode)
		xml_put_attr(out, "migratable", migratable ? "on" : "off");
	fputs(">\n", out);
	if (model && !mode) {
		fputs("    <model fallback='forbid'>", out);
		xml_put(out, model);
		fputs("</model>\n", out);
	}
}

static void write_cpu_element(struct told *t)
{
	const char *model = told_get(t, "cpu.model"), *cache = told_get(t, "cpu.cache");
	int migratable = told_flag(t, "cpu.migratable");
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	write_topology(t, f);
	if (cache)
		fprintf(f, "    <cache%s mode='%s'/>\n",
			strcmp(cache, "emulate") ? "" : " level='3'",
			strcmp(cache, "none") ? cache : "disable");
	write_cpu_features(t, f, model);
	write_cells(t, f);
	fclose(f);
	if (model || len) {
		put_cpu(t->out, model, migratable);
		fprintf(t->out, "%s  </cpu>\n", text);
	}
	free(text);
}

/* --- features and clock --------------------------------------------------------------------------
 */

static bool listed(const char *list, const char *what)
{
	char word[40];

	for (unsigned i = 0; told_word(list, i, word, sizeof(word)); i++)
		if (!strcmp(word, what))
			return true;
	return false;
}

static void write_hyperv(FILE *f, const char *list)
{
	bool passthrough = listed(list, "passthrough");
	char word[40];

	fprintf(f, "    <hyperv mode='%s'>\n", passthrough ? "passthrough" : "custom");
	for (unsigned i = 0; !passthrough && told_word(list, i, word, sizeof(word)); i++) {
		/* a timer; a part of stimer; the vendor's name is not among the facts */
		if (!strcmp(word, "time") || !strcmp(word, "stimer-direct") ||
		    strstr(word, "vendor") || word[strspn(word, "abcdefghijklmnopqrstuvwxyz_")])
			continue;
		if (!strcmp(word, "spinlocks"))
			fputs("      <spinlocks state='on' retries='8191'/>\n", f);
		else if (!strcmp(word, "stimer") && listed(list, "stimer-direct"))
			fputs("      <stimer state='on'>\n        <direct state='on'/>\n      </stimer>\n",
			      f);
		else
			fprintf(f, "      <%s state='on'/>\n", word);
	}
	fputs("    </hyperv>\n", f);
}

static void write_features(struct told *t)
{
	int pmu = told_flag(t, "cpu.pmu"), hint = told_flag(t, "cpu.hint-dedicated"),
	    poll = told_flag(t, "cpu.halt-poll");
	const char *hyperv = told_get(t, "hyperv");
	bool efi = vm_is(t->vm, VM_ASKED, "efi", "firmware");

	if (pmu < 0 && hint < 0 && poll < 0 && !hyperv && !efi)
		return;
	fputs("  <features>\n", t->out);
	if (efi) /* libvirt has no UEFI without it */
		fputs("    <acpi/>\n", t->out);
	if (hyperv)
		write_hyperv(t->out, hyperv);
	if (hint >= 0 || poll >= 0) {
		fputs("    <kvm>\n", t->out);
		if (hint >= 0)
			fprintf(t->out, "      <hint-dedicated state='%s'/>\n",
				hint ? "on" : "off");
		if (poll >= 0)
			fprintf(t->out, "      <poll-control state='%s'/>\n", poll ? "on" : "off");
		fputs("    </kvm>\n", t->out);
	}
	if (pmu >= 0)
		fprintf(t->out, "    <pmu state='%s'/>\n", pmu ? "on" : "off");
	fputs("  </features>\n", t->out);
}

static void put_timer(FILE *f, const char *name, const char *attr, const char *value)
{
	if (!value)
		return;
	fprintf(f, "    <timer name='%s'", name);
	if (!strcmp(attr, "present"))
		value = strcmp(value, "on") ? "no" : "yes";
	xml_put_attr(f, attr, value);
	fputs("/>\n", f);
}

static void write_clock(struct told *t)
{
	static const char *const timers[][3] = {{"clock.rtc", "rtc", "tickpolicy"},
						{"clock.pit", "pit", "tickpolicy"},
						{"clock.hpet", "hpet", "present"},
						{"clock.kvmclock", "kvmclock", "present"},
						{"clock.hypervclock", "hypervclock", "present"},
						{"clock.tsc", "tsc", "mode"}};
	const char *base = told_get(t, "clock.base"), *hyperv = vm_get(t->vm, VM_ASKED, "hyperv");
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
		const char *value = told_get(t, "%s", timers[i][0]);

		if (!value && !strcmp(timers[i][1], "hypervclock") && hyperv &&
		    listed(hyperv, "time"))
			value = "on";
		put_timer(f, timers[i][1], timers[i][2], value);
	}
	fclose(f);
	if (base || len) {
		fputs("  <clock", t->out);
		xml_put_attr(t->out, "offset", base ? base : "utc");
		fprintf(t->out, ">\n%s  </clock>\n", text);
	}
	free(text);
}

void xml_write_cpu(struct told *t)
{
	write_vcpus(t);
	write_iothreads(t);
	write_tune(t);
	write_numatune(t);
	write_cpu_element(t);
	write_features(t);
	write_clock(t);
}
