// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of machines that have CPUs to themselves: real time (CPU-23), what the guest is told
 * (CPU-24). */
#include <stdlib.h>
#include <string.h>
#include "tuner/internal.h"

/* --- CPU-23, CPU-24: real time, hints --- */

static bool is_rt(const char *sched)
{
	return sched && (!strncmp(sched, "fifo", 4) || !strncmp(sched, "rr", 2));
}

/* vCPUs with and without a real-time class. vCPU 0 may do without: it does the guest's
 * housekeeping. */
static hwloc_bitmap_t not_rt(const struct vm *vm, enum vm_side side, unsigned *known)
{
	hwloc_bitmap_t set = hwloc_bitmap_alloc();

	*known = 0;
	for (unsigned i = 0, n = vcpus_of(vm); i < n; i++) {
		const char *sched = vm_get(vm, side, "vcpu.%u.sched", i);

		*known += sched != NULL;
		if (!is_rt(sched) && (i || n == 1))
			hwloc_bitmap_set(set, i);
	}
	return set;
}

static void rt_remedy(struct finding *x, unsigned n)
{
	finding_want(x, "SCHED_FIFO for the vCPUs that must keep their time");
	finding_change(x, CHANGE_XML,
		       "<cputune><vcpusched vcpus='%s%u' scheduler='fifo' priority='1'/></cputune>",
		       n > 2 ? "1-" : "", n - 1);
	finding_change(x, CHANGE_QEMU, "no option of QEMU's: chrt -f -p 1 TID");
}

void check_cpu_23(const struct subject *s, struct findings *f)
{
	hwloc_bitmap_t asked, got;
	unsigned n, known;
	char *list;

	if (!need_vm(s, f))
		return;
	n = vcpus_of(s->vm);
	asked = not_rt(s->vm, VM_ASKED, &known);
	if (!n || (!known && !s->realtime)) {
		found_none(f, "only for worst-case latency (--for realtime)");
		hwloc_bitmap_free(asked);
		return;
	}
	list = cpus_text(asked);
	if (s->realtime && !hwloc_bitmap_iszero(asked))
		rt_remedy(found_bad(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "vcpu.0.sched"),
				    "vCPUs %s have no real-time scheduler", list),
			  n);
	else
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "vcpu.%u.sched", n - 1),
			 "a real-time scheduler is asked for");
	free(list);
	got = is_running(s) ? not_rt(s->vm, VM_GOT, &known) : hwloc_bitmap_alloc();
	hwloc_bitmap_andnot(got, got, asked);
	list = cpus_text(got);
	if (known && !hwloc_bitmap_iszero(got))
		rt_remedy(found_bad(f, VM_GOT, NULL, fact_where(s->vm, VM_GOT, "vcpu.0.sched"),
				    "vCPUs %s are to have a real-time scheduler, and have none",
				    list),
			  n);
	free(list);
	hwloc_bitmap_free(got);
	hwloc_bitmap_free(asked);
}

/* A promise that is made to the guest, or power that is given to it, with or without its due. */
static void promise(const struct subject *s, struct findings *f, const char *key, const char *what,
		    const char *xml, const char *qemu)
{
	bool on = vm_is(s->vm, VM_ASKED, "on", "%s", key),
	     own = is_dedicated(s, VM_ASKED) || (is_running(s) && is_dedicated(s, VM_GOT));
	const char *where = fact_where(s->vm, VM_ASKED, "%s", key);
	struct finding *x;

	if (on && own) {
		found_ok(f, VM_ASKED, NULL, where, "%s, and every vCPU has a CPU of its own", what);
	} else if (on && !is_running(s) && is_command(s->vm)) {
		found_unknown(f, VM_GOT, NULL,
			      "%s; whether its vCPUs are pinned shows only while it runs (pid:N)",
			      what);
	} else if (on) {
		x = found_bad(f, VM_ASKED, NULL, where,
			      "%s, but its vCPUs have no CPUs of their own", what);
		finding_want(x, "off, or each vCPU pinned to a CPU of its own (CPU-06)");
		finding_change(x, CHANGE_XML, xml, "off");
		finding_change(x, CHANGE_QEMU, qemu, "off");
	}
}

void check_cpu_24(const struct subject *s, struct findings *f)
{
	struct finding *x;

	if (!need_vm(s, f))
		return;
	promise(s, f, "cpu.hint-dedicated", "the guest is told that its vCPUs are never preempted",
		"<features><kvm><hint-dedicated state='%s'/></kvm></features>",
		"-cpu host,kvm-hint-dedicated=%s");
	promise(s, f, "cpu.cpu-pm", "the guest drives the CPU's idle states itself",
		"<qemu:commandline> without -overcommit cpu-pm (%s)", "-overcommit cpu-pm=%s");
	if (f->n)
		return;
	if ((s->latency || s->realtime) &&
	    (is_dedicated(s, VM_ASKED) || (is_running(s) && is_dedicated(s, VM_GOT)))) {
		x = found_bad(f, VM_ASKED, NULL, NULL,
			      "its vCPUs have CPUs of their own, and the guest does not know it");
		finding_want(x, "kvm-hint-dedicated=on: native spin locks and TLB flushes");
		finding_change(
			x, CHANGE_XML,
			"<features><kvm><hint-dedicated state='on'/></kvm></features>, with host-passthrough");
		finding_change(x, CHANGE_QEMU, "-cpu host,kvm-hint-dedicated=on");
	} else {
		found_none(
			f,
			"no promise is made; it pays where each vCPU has a CPU and latency matters (--for latency)");
	}
}
