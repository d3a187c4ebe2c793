// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of the host's CPUs: frequency, sleep, polling, isolation, interrupts (CPU-12 to CPU-17). */
#include <stdlib.h>
#include <string.h>
#include "tuner/internal.h"

#define CPU "/sys/devices/system/cpu"

/* --- CPU-12: governor --- */

struct governors {
	unsigned n, other;
	char word[32]; /* one that is not "performance" */
};

static void governor_count(const char *path, const char *text, void *arg)
{
	struct governors *g = arg;

	(void)path;
	g->n++;
	if (!strcmp(text, "performance"))
		return;
	g->other++;
	snprintf(g->word, sizeof(g->word), "%s", text);
}

void check_cpu_12(const struct subject *s, struct findings *f)
{
	struct governors g = {0};
	struct finding *x;

	if (!need_host(s, f))
		return;
	snapshot_each(s->host, CPU "/cpu[0-9]*/cpufreq/scaling_governor", governor_count, &g);
	if (!g.n) {
		found_none(f, "the host does not let its frequency be governed");
	} else if (!g.other) {
		found_ok(f, VM_GOT, NULL, CPU "/cpu*/cpufreq/scaling_governor",
			 "performance on %u CPUs", g.n);
	} else {
		x = found_bad(f, VM_GOT, NULL, CPU "/cpu*/cpufreq/scaling_governor",
			      "%s on %u of %u CPUs", g.word, g.other, g.n);
		finding_want(x, "performance");
		finding_change(x, CHANGE_SYSFS,
			       "echo performance | tee " CPU
			       "/cpu*/cpufreq/scaling_governor, or tuned-adm profile virtual-host");
	}
}

/* --- CPU-13: sleep states --- */

struct deepest {
	const struct snapshot *host;
	long long us;
	char name[32];
};

static void state_look(const char *path, const char *text, void *arg)
{
	const char *p = strstr(path, "/cpuidle/state"), *name;
	struct deepest *d = arg;
	long long us, disabled = 0;
	unsigned i;
	char *end;

	us = strtoll(text, &end, 10);
	if (end == text || !p || sscanf(p, "/cpuidle/state%u/", &i) != 1)
		return;
	snapshot_number(d->host, &disabled, CPU "/cpu0/cpuidle/state%u/disable", i);
	if (disabled || us <= d->us)
		return;
	d->us = us;
	name = snapshot_file(d->host, CPU "/cpu0/cpuidle/state%u/name", i);
	snprintf(d->name, sizeof(d->name), "%s", name ? name : "?");
}

void check_cpu_13(const struct subject *s, struct findings *f)
{
	enum { LIMIT = 70 }; /* us: what tuned's virtual-host allows */
	struct deepest d = {.host = s->host, .us = -1};
	const char *cmdline, *profile;
	struct finding *x;

	if (!need_latency(s, f) || !need_host(s, f))
		return;
	snapshot_each(s->host, CPU "/cpu0/cpuidle/state*/latency", state_look, &d);
	cmdline = snapshot_file(s->host, "/proc/cmdline");
	profile = tuned_profile(s);
	if (d.us < 0) {
		found_none(
			f,
			"the host does not manage sleep states (a guest itself, or switched off)");
	} else if (d.us <= LIMIT) {
		found_ok(f, VM_GOT, NULL, CPU "/cpu0/cpuidle", "deepest state %s: %lld us to wake",
			 d.name, d.us);
	} else if (is_low_latency(profile) || (profile && !strcmp(profile, "virtual-host"))) {
		found_ok(f, VM_GOT, NULL, "/etc/tuned/active_profile",
			 "tuned's %s holds /dev/cpu_dma_latency open", profile);
	} else if (cmdline && strstr(cmdline, "max_cstate=")) {
		found_ok(f, VM_GOT, NULL, "/proc/cmdline", "limited on the kernel's command line");
	} else {
		x = found_bad(
			f, VM_GOT, NULL, CPU "/cpu0/cpuidle",
			"CPUs may sleep as deep as %s: %lld us to wake, unless a process holds /dev/cpu_dma_latency",
			d.name, d.us);
		finding_want(x, "at most %d us", LIMIT);
		finding_change(
			x, CHANGE_SYSFS,
			"tuned-adm profile virtual-host, or hold /dev/cpu_dma_latency open with the bound in us");
	}
}

/* --- CPU-14, CPU-15: polling instead of sleeping --- */

void check_cpu_14(const struct subject *s, struct findings *f)
{
	static const char path[] = "/sys/module/kvm/parameters/halt_poll_ns";
	struct finding *x;
	long long ns;

	if (!need_host(s, f))
		return;
	if (!snapshot_number(s->host, &ns, "%s", path)) {
		found_none(f, "the module kvm is not loaded on the host");
	} else if (s->dense && !matters_latency(s) && ns > 0) {
		x = found_bad(f, VM_GOT, NULL, path,
			      "CPUs poll for up to %lld ns before a vCPU sleeps", ns);
		finding_want(x, "0 or little, where guests are many");
		finding_change(x, CHANGE_SYSFS, "echo 0 > %s", path);
	} else if (matters_latency(s) && ns == 0) {
		x = found_bad(f, VM_GOT, NULL, path,
			      "vCPUs sleep at once, and each wake-up costs a switch");
		finding_want(x, "200000 (the kernel's default)");
		finding_change(x, CHANGE_SYSFS, "echo 200000 > %s", path);
	} else {
		found_ok(f, VM_GOT, NULL, path, "%lld ns", ns);
	}
}

void check_cpu_15(const struct subject *s, struct findings *f)
{
	struct finding *x;

	if (!need_vm(s, f) || !need_latency(s, f))
		return;
	if (s->dense) {
		found_none(f, "a guest that polls takes CPU time from others on a crowded host");
	} else if (vm_is(s->vm, VM_ASKED, "off", "cpu.halt-poll")) {
		x = found_bad(
			f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "cpu.halt-poll"),
			"the guest cannot switch the host's polling off, so its own would come on top");
		finding_want(x, "kvm-poll-control=on, cpu-pm off");
		finding_change(x, CHANGE_XML,
			       "<features><kvm><poll-control state='on'/></kvm></features>");
		finding_change(x, CHANGE_QEMU, "-cpu host,kvm-poll-control=on");
		finding_change(x, CHANGE_GUEST, "modprobe cpuidle-haltpoll");
	} else {
		found_unknown(
			f, VM_GOT, NULL,
			"only the guest knows: cat /sys/devices/system/cpu/cpuidle/current_driver there (haltpoll)");
	}
}

/* --- CPU-16, CPU-17: host tasks and interrupts --- */

void check_cpu_16(const struct subject *s, struct findings *f)
{
	hwloc_bitmap_t vcpus, isolated;
	const char *text;
	char *list;
	struct finding *x;

	if (!need_vm(s, f))
		return;
	if (!s->realtime) {
		found_none(f, "only for worst-case latency (--for realtime)");
		return;
	}
	vcpus = is_dedicated(s, VM_ASKED) ? vcpus_cpus(s->vm, VM_ASKED)
		: is_running(s)		  ? vcpus_cpus(s->vm, VM_GOT)
					  : NULL;
	if (!vcpus) {
		found_none(f, "its vCPUs have no CPUs of their own yet (CPU-06)");
		return;
	}
	if (!need_host(s, f)) {
		hwloc_bitmap_free(vcpus);
		return;
	}
	text = snapshot_file(s->host, CPU "/isolated");
	isolated = cpus_parse(text && *text ? text : NULL);
	list = cpus_text(vcpus);
	if (isolated && hwloc_bitmap_isincluded(vcpus, isolated)) {
		found_ok(f, VM_GOT, NULL, CPU "/isolated", "CPUs %s are isolated", list);
	} else {
		x = found_bad(f, VM_GOT, NULL, CPU "/isolated",
			      "its vCPUs run on CPUs %s, isolated are %s", list,
			      isolated ? text : "none");
		finding_want(x, "its CPUs free of the host's tasks and ticks");
		finding_change(
			x, CHANGE_SYSFS,
			"kernel command line: isolcpus=%s nohz_full=%s rcu_nocbs=%s (tuned: cpu-partitioning, realtime-virtual-host)",
			list, list, list);
	}
	free(list);
	hwloc_bitmap_free(isolated);
	hwloc_bitmap_free(vcpus);
}

void check_cpu_17(const struct subject *s, struct findings *f)
{
	struct finding *x;
	int runs;

	if (!need_latency(s, f) || !need_host(s, f))
		return;
	runs = host_service(s, "irqbalance");
	if (runs < 0) {
		found_unknown(f, VM_GOT, NULL, "the snapshot does not say whether irqbalance runs");
	} else if (!runs) {
		found_ok(
			f, VM_GOT, NULL, NULL,
			"irqbalance does not run; where interrupts go: /proc/irq/*/effective_affinity_list");
	} else {
		x = found_bad(f, VM_GOT, NULL, NULL,
			      "irqbalance runs: it moves interrupts, also onto the CPUs of vCPUs");
		finding_want(
			x,
			"interrupts of the storage device beside its iothreads, and off the vCPUs' CPUs");
		finding_change(
			x, CHANGE_SYSFS,
			"systemctl disable --now irqbalance (or its banned CPUs), then /proc/irq/N/smp_affinity_list");
	}
}
