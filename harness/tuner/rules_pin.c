// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of which thread runs on which CPU: vCPUs (CPU-06), emulator (CPU-07), iothreads (CPU-08).
 */
#include <stdlib.h>
#include <string.h>
#include "tuner/internal.h"

#define PLAN "vbench plan works them out for all threads together"

/* --- CPU-06: vCPUs -----------------------------------------------------------------------------
 */

static void pin_remedy(struct finding *x, unsigned n)
{
	finding_want(x, "each of the %u vCPUs on a CPU of its own; " PLAN, n);
	finding_change(
		x, CHANGE_XML,
		"<cputune><vcpupin vcpu='0' cpuset='CPU'/>...</cputune>; live: virsh vcpupin DOMAIN 0 CPU");
	finding_change(
		x, CHANGE_QEMU,
		"no option of QEMU's: taskset -cp CPU TID, thread ids by QMP query-cpus-fast");
}

/* vCPUs that have a pin of their own, or (cpuset) any. */
static hwloc_bitmap_t vcpus_with_pin(const struct vm *vm, enum vm_side side)
{
	hwloc_bitmap_t set = hwloc_bitmap_alloc();
	unsigned n = vcpus_of(vm);

	for (unsigned i = 0; i < n; i++) {
		hwloc_bitmap_t one = thread_cpus(vm, side, "vcpu", i);

		if (one)
			hwloc_bitmap_set(set, i);
		hwloc_bitmap_free(one);
	}
	return set;
}

/* Requested by the vCPU's own pin, else by the machine's cpuset. */
static const char *pin_where(const struct vm *vm)
{
	return fact_where(vm, VM_ASKED, "vcpu.0.pin") ? vm_where(vm, VM_ASKED, "vcpu.0.pin")
						      : fact_where(vm, VM_ASKED, "cpuset");
}

/* No pins at all: right for most machines. */
static void pins_absent(const struct subject *s, struct findings *f)
{
	if (s->dense && !s->latency && !s->realtime)
		found_none(f, "a dense fleet: the host's scheduler places vCPUs better");
	else if (is_running(s) && (is_dedicated(s, VM_GOT) || is_command(s->vm)))
		found_none(f, "no pins are requested; those in force were set otherwise");
	else if ((s->latency || s->realtime) && is_command(s->vm))
		found_unknown(f, VM_GOT, NULL,
			      "a command line has no pins: they show only while it runs (pid:N)");
	else if (s->latency || s->realtime)
		pin_remedy(found_bad(f, VM_ASKED, NULL, NULL, "no vCPU is pinned"),
			   vcpus_of(s->vm));
	else
		found_none(
			f,
			"no vCPU is pinned, and nobody says that latency matters (--for latency)");
}

static void pins_some(const struct subject *s, struct findings *f, hwloc_const_bitmap_t pinned)
{
	unsigned n = vcpus_of(s->vm);
	char *list = cpus_text(pinned);

	pin_remedy(
		found_bad(
			f, VM_ASKED, NULL, pin_where(s->vm),
			"of %u vCPUs only these are pinned: %s; the others may run on the same CPUs",
			n, list),
		n);
	free(list);
}

static void pins_all(const struct subject *s, struct findings *f, hwloc_const_bitmap_t all)
{
	unsigned n = vcpus_of(s->vm), cpus = cpus_count(all),
		 single = vcpus_pinned(s->vm, VM_ASKED);
	char *list = cpus_text(all);

	if (cpus < n)
		pin_remedy(found_bad(f, VM_ASKED, NULL, pin_where(s->vm),
				     "%u vCPUs share %u CPUs: %s", n, cpus, list),
			   n);
	else if (s->realtime && single < n)
		pin_remedy(found_bad(f, VM_ASKED, NULL, pin_where(s->vm),
				     "only %u of %u vCPUs have one CPU each (%s)", single, n, list),
			   n);
	else if (single == n)
		found_ok(f, VM_ASKED, NULL, pin_where(s->vm), "each of %u vCPUs has a CPU of %s", n,
			 list);
	else
		found_ok(f, VM_ASKED, NULL, pin_where(s->vm), "%u vCPUs are kept on CPUs %s", n,
			 list);
	free(list);
}

/* CPUs that the host does not have, or has offline. */
static void pins_exist(const struct subject *s, struct findings *f, hwloc_const_bitmap_t all)
{
	hwloc_bitmap_t online = host_cpus(s), missing = hwloc_bitmap_alloc();
	char *have = cpus_text(online), *lack;
	struct finding *x;

	hwloc_bitmap_andnot(missing, all, online);
	lack = cpus_text(missing);
	if (!hwloc_bitmap_iszero(missing)) {
		x = found_bad(f, VM_ASKED, NULL, pin_where(s->vm),
			      "pinned to CPUs %s, which %s does not have online (it has %s)", lack,
			      snapshot_name(s->host), have);
		pin_remedy(x, vcpus_of(s->vm));
	}
	free(lack);
	free(have);
	hwloc_bitmap_free(missing);
	hwloc_bitmap_free(online);
}

/* Two machines whose vCPUs are pinned one to one to the same CPUs. */
static void pins_alone(const struct subject *s, struct findings *f, enum vm_side side,
		       hwloc_const_bitmap_t all)
{
	for (size_t i = 0; i < s->nothers; i++) {
		const struct vm *other = s->others[i];
		enum vm_side theirs_side = other->running ? VM_GOT : VM_ASKED;
		hwloc_bitmap_t theirs = vcpus_cpus(other, theirs_side);

		if (theirs && vcpus_pinned(other, theirs_side) == vcpus_of(other) &&
		    hwloc_bitmap_intersects(theirs, all)) {
			hwloc_bitmap_t both = hwloc_bitmap_alloc();
			char *list;

			hwloc_bitmap_and(both, theirs, all);
			list = cpus_text(both);
			pin_remedy(found_bad(f, side, NULL, pin_where(s->vm),
					     "CPUs %s are pinned by %s too", list, other->name),
				   vcpus_of(s->vm));
			free(list);
			hwloc_bitmap_free(both);
		}
		hwloc_bitmap_free(theirs);
	}
}

static void pins_asked(const struct subject *s, struct findings *f)
{
	hwloc_bitmap_t pinned = vcpus_with_pin(s->vm, VM_ASKED), all = vcpus_cpus(s->vm, VM_ASKED);

	if (hwloc_bitmap_iszero(pinned))
		pins_absent(s, f);
	else if (!all)
		pins_some(s, f, pinned);
	else
		pins_all(s, f, all);
	if (all && s->here)
		pins_exist(s, f, all);
	if (all && is_dedicated(s, VM_ASKED))
		pins_alone(s, f, VM_ASKED, all);
	hwloc_bitmap_free(all);
	hwloc_bitmap_free(pinned);
}

/* libvirt's number or QEMU's id of an iothread. */
static void iothread_id(const struct vm *vm, unsigned i, char *buf, size_t size)
{
	const char *id = vm_get(vm, VM_ASKED, "iothread.%u.id", i);

	if (!id)
		id = vm_get(vm, VM_GOT, "iothread.%u.id", i);
	if (id)
		snprintf(buf, size, "%s", id);
	else
		snprintf(buf, size, "%u", i + 1);
}

/* A thread may be kept tighter than asked for (a cgroup, a CPU gone), never looser. */
static bool thread_strays(const struct vm *vm, const char *what, unsigned i, char **asked,
			  char **got)
{
	hwloc_bitmap_t a = thread_cpus(vm, VM_ASKED, what, i), g = thread_cpus(vm, VM_GOT, what, i);
	bool strays = a && g && !hwloc_bitmap_isincluded(g, a);

	if (strays) {
		*asked = cpus_text(a);
		*got = cpus_text(g);
	}
	hwloc_bitmap_free(a);
	hwloc_bitmap_free(g);
	return strays;
}

static void stray_add(const struct vm *vm, struct findings *f, const char *what, unsigned i,
		      const char *asked, const char *got)
{
	bool emulator = !strcmp(what, "emulator");
	const char *where = emulator ? fact_where(vm, VM_GOT, "emulator.pin")
				     : fact_where(vm, VM_GOT, "%s.%u.pin", what, i);
	char part[100], id[64];
	struct finding *x;

	if (!strcmp(what, "iothread"))
		iothread_id(vm, i, id, sizeof(id));
	else
		snprintf(id, sizeof(id), "%u", i);
	snprintf(part, sizeof(part), "%s%s%s", what, emulator ? "" : " ", emulator ? "" : id);
	x = found_bad(f, VM_GOT, part, where,
		      "may run on CPUs %s, although %s is what is asked for", got, asked);
	finding_want(x, "CPUs %s", asked);
	finding_change(x, CHANGE_XML, "virsh %spin DOMAIN %s%s%s --live", what, emulator ? "" : id,
		       emulator ? "" : " ", asked);
	finding_change(x, CHANGE_QEMU, "taskset -cp %s TID", asked);
}

/* One finding for each thread that strays; how many did. */
static unsigned strays_add(const struct vm *vm, struct findings *f, const char *what, unsigned n)
{
	unsigned strays = 0;

	for (unsigned i = 0; i < n; i++) {
		char *asked, *got;

		if (!thread_strays(vm, what, i, &asked, &got))
			continue;
		strays++;
		stray_add(vm, f, what, i, asked, got);
		free(asked);
		free(got);
	}
	return strays;
}

static void pins_got(const struct subject *s, struct findings *f)
{
	const struct vm *vm = s->vm;
	unsigned n = vcpus_of(vm);
	hwloc_bitmap_t all = vcpus_cpus(vm, VM_GOT), asked = vcpus_with_pin(vm, VM_ASKED);
	char *list = all ? cpus_text(all) : NULL;

	if (!all)
		found_unknown(f, VM_GOT, NULL,
			      "the affinities of its vCPU threads cannot be read; run as root");
	else if (!strays_add(vm, f, "vcpu", n)) {
		if (cpus_count(all) < n && cpus_count(all) < host_threads(s))
			pin_remedy(found_bad(f, VM_GOT, NULL, fact_where(vm, VM_GOT, "vcpu.0.pin"),
					     "%u vCPU threads share CPU %s", n, list),
				   n);
		else if (is_dedicated(s, VM_GOT))
			found_ok(f, VM_GOT, NULL, fact_where(vm, VM_GOT, "vcpu.0.pin"),
				 "each of %u vCPU threads has a CPU of %s", n, list);
		else if (!hwloc_bitmap_iszero(asked))
			found_ok(f, VM_GOT, NULL, fact_where(vm, VM_GOT, "vcpu.0.pin"),
				 "vCPU threads are on CPUs %s, as asked", list);
		else if (s->latency || s->realtime)
			pin_remedy(found_bad(f, VM_GOT, NULL, fact_where(vm, VM_GOT, "vcpu.0.pin"),
					     "vCPU threads may run on any CPU of %s", list),
				   n);
	}
	if (all && is_dedicated(s, VM_GOT))
		pins_alone(s, f, VM_GOT, all);
	free(list);
	hwloc_bitmap_free(asked);
	hwloc_bitmap_free(all);
}

void check_cpu_06(const struct subject *s, struct findings *f)
{
	if (!need_vm(s, f))
		return;
	if (!vcpus_of(s->vm)) {
		found_unknown(f, VM_ASKED, NULL, "nothing says how many vCPUs it has");
		return;
	}
	pins_asked(s, f);
	if (is_running(s))
		pins_got(s, f);
}

/* --- CPU-07, CPU-08: the other threads -----------------------------------------------------------
 */

/* The side's vCPUs when each has a CPU of its own; else NULL. Then the others must keep off. */
static hwloc_bitmap_t dedicated_cpus(const struct subject *s, enum vm_side side)
{
	return is_dedicated(s, side) ? vcpus_cpus(s->vm, side) : NULL;
}

static void emulator_side(const struct subject *s, struct findings *f, enum vm_side side)
{
	hwloc_bitmap_t vcpus = dedicated_cpus(s, side),
		       pin = thread_cpus(s->vm, side, "emulator", 0);
	const char *where = fact_where(s->vm, side, "emulator.pin");
	char *list = pin ? cpus_text(pin) : NULL, *theirs = vcpus ? cpus_text(vcpus) : NULL;
	struct finding *x = NULL;

	if (!vcpus)
		goto out;
	if (!pin && side == VM_GOT)
		found_unknown(f, side, "emulator",
			      "the affinity of its main thread cannot be read");
	else if (!pin)
		x = found_bad(
			f, side, "emulator", where,
			"QEMU's own threads are not pinned: they may run on the vCPUs' CPUs %s",
			theirs);
	else if (hwloc_bitmap_intersects(pin, vcpus))
		x = found_bad(f, side, "emulator", where,
			      "QEMU's own threads may run on CPUs %s, of which vCPUs have %s", list,
			      theirs);
	else
		found_ok(f, side, "emulator", where,
			 "QEMU's own threads are on CPUs %s, vCPUs on %s", list, theirs);
	if (x) {
		finding_want(x, "CPUs of the same node that no vCPU has; " PLAN);
		finding_change(
			x, CHANGE_XML,
			"<cputune><emulatorpin cpuset='CPUS'/></cputune>; live: virsh emulatorpin DOMAIN CPUS");
		finding_change(
			x, CHANGE_QEMU,
			"no option of QEMU's: taskset -cp CPUS TID for each thread that is neither vCPU nor iothread");
	}
out:
	free(list);
	free(theirs);
	hwloc_bitmap_free(pin);
	hwloc_bitmap_free(vcpus);
}

void check_cpu_07(const struct subject *s, struct findings *f)
{
	if (!need_vm(s, f))
		return;
	emulator_side(s, f, VM_ASKED);
	if (is_running(s)) {
		strays_add(s->vm, f, "emulator", 1);
		emulator_side(s, f, VM_GOT);
	}
	if (!f->n)
		found_none(f, "its vCPUs have no CPUs of their own that others could disturb");
}

static void iothread_remedy(struct finding *x, const char *id)
{
	finding_want(x, "a CPU of its own, of the disk's node, that no vCPU has; " PLAN);
	finding_change(
		x, CHANGE_XML,
		"<cputune><iothreadpin iothread='%s' cpuset='CPU'/></cputune>; live: virsh iothreadpin DOMAIN %s CPU",
		id, id);
	finding_change(
		x, CHANGE_QEMU,
		"no option of QEMU's: taskset -cp CPU TID, thread ids by QMP query-iothreads");
}

/* One iothread against the vCPUs and against the iothreads before it, which taken collects. */
static void iothread_one(const struct subject *s, struct findings *f, enum vm_side side, unsigned i,
			 hwloc_const_bitmap_t vcpus, hwloc_bitmap_t taken)
{
	hwloc_bitmap_t pin = thread_cpus(s->vm, side, "iothread", i);
	const char *where = fact_where(s->vm, side, "iothread.%u.pin", i);
	char *list = pin ? cpus_text(pin) : NULL, part[80], id[64];

	iothread_id(s->vm, i, id, sizeof(id));
	snprintf(part, sizeof(part), "iothread %s", id);
	if (!pin && side == VM_GOT)
		found_unknown(f, side, part, "its affinity cannot be read");
	else if (!pin)
		iothread_remedy(found_bad(f, side, part, where,
					  "not pinned: it may run on the vCPUs' CPUs"),
				id);
	else if (hwloc_bitmap_intersects(pin, vcpus))
		iothread_remedy(
			found_bad(f, side, part, where, "on CPUs %s, which vCPUs have too", list),
			id);
	else if (cpus_count(pin) == 1 && hwloc_bitmap_intersects(pin, taken))
		iothread_remedy(found_bad(f, side, part, where,
					  "on CPU %s together with another iothread", list),
				id);
	else
		found_ok(f, side, part, where, "on CPUs %s, which no vCPU has", list);
	if (cpus_count(pin) == 1)
		hwloc_bitmap_or(taken, taken, pin);
	free(list);
	hwloc_bitmap_free(pin);
}

static void iothreads_side(const struct subject *s, struct findings *f, enum vm_side side,
			   unsigned n)
{
	hwloc_bitmap_t vcpus = dedicated_cpus(s, side), taken = hwloc_bitmap_alloc();

	for (unsigned i = 0; vcpus && i < n; i++)
		iothread_one(s, f, side, i, vcpus, taken);
	hwloc_bitmap_free(taken);
	hwloc_bitmap_free(vcpus);
}

void check_cpu_08(const struct subject *s, struct findings *f)
{
	uint64_t n = 0;

	if (!need_vm(s, f))
		return;
	vm_number(s->vm, VM_ASKED, &n, "iothreads");
	if (!n || n > 4096) {
		found_none(f, "it has no iothreads (see BLK-05)");
		return;
	}
	iothreads_side(s, f, VM_ASKED, (unsigned)n);
	if (is_running(s)) {
		strays_add(s->vm, f, "iothread", (unsigned)n);
		iothreads_side(s, f, VM_GOT, (unsigned)n);
	}
	if (!f->n)
		found_none(f, "its vCPUs have no CPUs of their own: there is nothing to keep off");
}
