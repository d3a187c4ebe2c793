// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of the host's memory and of tuned; those of its CPUs are in rules_power.c. */
#include <stdlib.h>
#include <string.h>
#include "tuner/internal.h"

#define KSM "/sys/kernel/mm/ksm/"
#define THP "/sys/kernel/mm/transparent_hugepage/"

/* --- NUMA-06: automatic balancing --- */

static void check_numa_06(const struct subject *s, struct findings *f)
{
	static const char path[] = "/proc/sys/kernel/numa_balancing";
	bool bound = s->vm && fact_where(s->vm, VM_ASKED, "numatune.nodeset") &&
		     (is_dedicated(s, VM_ASKED) || is_command(s->vm));
	struct finding *x;
	long long on;

	if (!need_host(s, f))
		return;
	if (host_nodes(s) < 2) {
		found_none(f, "the host has one NUMA node");
	} else if (!snapshot_number(s->host, &on, "%s", path)) {
		found_unknown(f, VM_GOT, NULL, "%s is not there", path);
	} else if (bound && on) {
		x = found_bad(f, VM_GOT, NULL, path,
			      "balancing scans the memory of a machine that is bound in full");
		finding_want(x, "off, if every machine here is placed by hand");
		finding_change(x, CHANGE_SYSFS, "sysctl kernel.numa_balancing=0");
	} else if (!bound && !on) {
		x = found_bad(
			f, VM_GOT, NULL, path,
			"off, and %s is not bound to nodes: its memory stays where it was touched first",
			s->vm ? s->vm->name : "a machine that");
		finding_want(x, "on, as long as machines are not placed by hand");
		finding_change(x, CHANGE_SYSFS, "sysctl kernel.numa_balancing=1");
	} else {
		found_ok(f, VM_GOT, NULL, path,
			 on ? "on, for machines that are not placed by hand"
			    : "off, for machines that are placed by hand");
	}
}

/* --- MEM-03: transparent huge pages --- */

static void check_mem_03(const struct subject *s, struct findings *f)
{
	uint64_t page = 0, thp;
	struct finding *x;
	char word[32];

	if (!need_host(s, f))
		return;
	if (s->vm)
		vm_number(s->vm, VM_ASKED, &page, "memory.page");
	if (!snapshot_chosen(s->host, word, sizeof(word), THP "enabled")) {
		found_none(f, "the host's kernel has no transparent huge pages");
	} else if (page > 4096 && matters_latency(s) && !strcmp(word, "always")) {
		x = found_bad(
			f, VM_GOT, NULL, THP "enabled",
			"always: khugepaged competes with vCPUs that have huge pages of their own");
		finding_want(x, "never (or madvise) on a host of machines with huge pages");
		finding_change(x, CHANGE_SYSFS, "echo madvise > " THP "enabled");
	} else if (page <= 4096 && !strcmp(word, "never")) {
		x = found_bad(f, VM_GOT, NULL, THP "enabled",
			      "never, and %s has no huge pages of its own",
			      s->vm ? s->vm->name : "what runs here");
		finding_want(x, "madvise or always (QEMU asks for them by madvise)");
		finding_change(x, CHANGE_SYSFS, "echo madvise > " THP "enabled");
	} else {
		found_ok(f, VM_GOT, NULL, THP "enabled", "%s", word);
	}
	if (is_running(s) && page <= 4096 && vm_number(s->vm, VM_GOT, &thp, "memory.thp"))
		found_ok(f, VM_GOT, NULL, fact_where(s->vm, VM_GOT, "memory.thp"),
			 "%" PRIu64 " MiB of its memory are in transparent huge pages", thp >> 20);
}

/* --- MEM-04 to MEM-06: same-page merging --- */

/* 1 when KSM runs; adds the reason when it does not. */
static bool ksm_runs(const struct subject *s, struct findings *f)
{
	long long run;

	if (!snapshot_number(s->host, &run, KSM "run")) {
		found_none(f, "the host's kernel has no KSM");
		return false;
	}
	if (run == 1)
		return true;
	found_none(f, "KSM does not run");
	return false;
}

static void check_mem_04(const struct subject *s, struct findings *f)
{
	long long run, sharing = 0;
	struct finding *x;

	if (!need_host(s, f))
		return;
	if (!snapshot_number(s->host, &run, KSM "run")) {
		found_none(f, "the host's kernel has no KSM");
	} else if (run != 1) {
		found_ok(f, VM_GOT, NULL, KSM "run", "KSM does not run");
	} else if (s->dense) {
		found_none(f, "memory is to be shared (--for dense)");
	} else {
		snapshot_number(s->host, &sharing, KSM "pages_sharing");
		x = found_bad(f, VM_GOT, NULL, KSM "run", "KSM runs, and saves %lld MiB at present",
			      sharing / 256);
		finding_want(x, "off, unless memory is oversubscribed (--for dense)");
		finding_change(x, CHANGE_SYSFS,
			       "systemctl disable --now ksmtuned ksm; echo 2 > " KSM
			       "run; echo 0 > " KSM "run");
	}
}

static void check_mem_05(const struct subject *s, struct findings *f)
{
	long long shared = 0, sharing = 0, scan = 0, sleep_ms = 0;
	struct finding *x;

	if (!need_host(s, f) || !ksm_runs(s, f))
		return;
	snapshot_number(s->host, &shared, KSM "pages_shared");
	snapshot_number(s->host, &sharing, KSM "pages_sharing");
	snapshot_number(s->host, &scan, KSM "pages_to_scan");
	snapshot_number(s->host, &sleep_ms, KSM "sleep_millisecs");
	if (sleep_ms < 1000) {
		x = found_bad(
			f, VM_GOT, NULL, KSM "sleep_millisecs",
			"ksmd scans %lld pages every %lld ms; each page it keeps is shared %.1f times",
			scan, sleep_ms, shared > 0 ? (double)sharing / (double)shared : 0.0);
		finding_want(
			x,
			"more than 1000 ms, from 1000 pages, and a look at pages_sharing/pages_shared");
		finding_change(x, CHANGE_SYSFS,
			       "echo 1000 > " KSM "pages_to_scan; echo 2000 > " KSM
			       "sleep_millisecs (ksmtuned sets its own: /etc/ksmtuned.conf)");
	} else {
		found_ok(f, VM_GOT, NULL, KSM "sleep_millisecs", "%lld pages every %lld ms", scan,
			 sleep_ms);
	}
}

static void check_mem_06(const struct subject *s, struct findings *f)
{
	long long across;
	struct finding *x;

	if (!need_host(s, f))
		return;
	if (host_nodes(s) < 2) {
		found_none(f, "the host has one NUMA node");
		return;
	}
	if (!ksm_runs(s, f))
		return;
	if (!snapshot_number(s->host, &across, KSM "merge_across_nodes")) {
		found_unknown(f, VM_GOT, NULL, "%smerge_across_nodes is not there", KSM);
	} else if (across) {
		x = found_bad(
			f, VM_GOT, NULL, KSM "merge_across_nodes",
			"pages of different nodes are merged: one of the two reads remote memory");
		finding_want(x, "0");
		finding_change(x, CHANGE_SYSFS,
			       "echo 2 > " KSM "run; echo 0 > " KSM
			       "merge_across_nodes; echo 1 > " KSM "run");
	} else {
		found_ok(f, VM_GOT, NULL, KSM "merge_across_nodes", "0");
	}
}

/* --- MEM-12, MEM-13: swapping and writing back --- */

static void check_mem_12(const struct subject *s, struct findings *f)
{
	enum { MOST = 35 }; /* the laxest of the sources; tuned has 10 */
	static const char path[] = "/proc/sys/vm/swappiness";
	const char *swaps;
	struct finding *x;
	long long n;

	if (!need_host(s, f))
		return;
	swaps = snapshot_file(s->host, "/proc/swaps");
	if (swaps && !strchr(swaps, '\n')) {
		found_none(f, "the host has no swap");
	} else if (!snapshot_number(s->host, &n, "%s", path)) {
		found_unknown(f, VM_GOT, NULL, "%s is not there", path);
	} else if (n <= MOST) {
		found_ok(f, VM_GOT, NULL, path, "%lld", n);
	} else {
		x = found_bad(f, VM_GOT, NULL, path,
			      "%lld: guest memory goes to swap early, in favour of the page cache",
			      n);
		finding_want(x, "10 (tuned), at most %d (SUSE)", MOST);
		finding_change(x, CHANGE_SYSFS, "sysctl vm.swappiness=10");
	}
}

/* Whether something of it goes through the host's page cache: what is written back later. */
static bool has_buffered_disk(const struct vm *vm)
{
	for (unsigned i = 0, n = vm_count(vm, "disk"); i < n && i < 4096; i++) {
		const char *cache = vm_get(vm, VM_ASKED, "disk.%u.cache", i);

		if (!cache || !strcmp(cache, "writeback") || !strcmp(cache, "unsafe"))
			return true;
	}
	return false;
}

static void check_mem_13(const struct subject *s, struct findings *f)
{
	long long bytes = 0, back_bytes = 0, dirty = 0, back = 0;
	struct finding *x;

	if (s->vm && !has_buffered_disk(s->vm)) {
		found_none(f, "no disk of it is written through the host's page cache");
		return;
	}
	if (!need_host(s, f))
		return;
	snapshot_number(s->host, &bytes, "/proc/sys/vm/dirty_bytes");
	snapshot_number(s->host, &back_bytes, "/proc/sys/vm/dirty_background_bytes");
	if (bytes > 0 || back_bytes > 0) {
		found_ok(f, VM_GOT, NULL, "/proc/sys/vm/dirty_bytes",
			 "bounded by bytes: %lld, in the background from %lld", bytes, back_bytes);
	} else if (!snapshot_number(s->host, &dirty, "/proc/sys/vm/dirty_ratio") ||
		   !snapshot_number(s->host, &back, "/proc/sys/vm/dirty_background_ratio")) {
		found_unknown(f, VM_GOT, NULL, "the host's dirty limits are not known");
	} else if (dirty > 40 || back > 5) {
		x = found_bad(
			f, VM_GOT, NULL, "/proc/sys/vm/dirty_background_ratio",
			"up to %lld %% of memory is dirty, written in the background only from %lld %% on: long stalls when it goes",
			dirty, back);
		finding_want(x, "at most 40 %% and 5 %% (tuned's virtual-host)");
		finding_change(x, CHANGE_SYSFS,
			       "sysctl vm.dirty_background_ratio=5 vm.dirty_ratio=40");
	} else {
		found_ok(f, VM_GOT, NULL, "/proc/sys/vm/dirty_background_ratio",
			 "%lld %%, in the background from %lld %%", dirty, back);
	}
}

/* --- GST-01, GST-02: tuned --- */

static void check_gst_01(const struct subject *s, struct findings *f)
{
	const char *profile;
	struct finding *x;

	if (!need_host(s, f))
		return;
	profile = tuned_profile(s);
	if (!profile) {
		found_none(
			f,
			"tuned is not in use on the host; what it would set is asked for one by one (CPU-12, MEM-12, ...)");
	} else if (!strcmp(profile, "virtual-host") || !strcmp(profile, "throughput-performance") ||
		   is_low_latency(profile)) {
		found_ok(f, VM_GOT, NULL, "/etc/tuned/active_profile", "tuned: %s", profile);
	} else {
		x = found_bad(f, VM_GOT, NULL, "/etc/tuned/active_profile", "tuned: %s", profile);
		finding_want(x, "virtual-host on the host (and virtual-guest in the guest)");
		finding_change(x, CHANGE_SYSFS, "tuned-adm profile virtual-host");
		finding_change(x, CHANGE_GUEST, "tuned-adm profile virtual-guest");
	}
}

static void check_gst_02(const struct subject *s, struct findings *f)
{
	const char *profile;
	struct finding *x;

	if (!need_latency(s, f) || !need_host(s, f))
		return;
	profile = tuned_profile(s);
	if (!profile) {
		found_none(f, "tuned is not in use on the host");
	} else if (is_low_latency(profile)) {
		found_ok(f, VM_GOT, NULL, "/etc/tuned/active_profile", "tuned: %s", profile);
	} else {
		x = found_bad(f, VM_GOT, NULL, "/etc/tuned/active_profile",
			      "tuned: %s, but latency matters", profile);
		finding_want(x, "%s",
			     s->realtime ? "realtime-virtual-host" : "latency-performance");
		finding_change(x, CHANGE_SYSFS, "tuned-adm profile %s",
			       s->realtime ? "realtime-virtual-host" : "latency-performance");
	}
}

const struct rule_row rules_host[] = {
	{"CPU-12", RULE_SHOULD, "knob.governor", "performance", "keep", NULL, check_cpu_12},
	{"CPU-13", RULE_SHOULD, NULL, NULL, NULL, NULL, check_cpu_13},
	{"CPU-14", RULE_MAY, "knob.halt-poll-ns", "200000", "0", NULL, check_cpu_14},
	{"CPU-15", RULE_MAY, NULL, NULL, NULL, NULL, check_cpu_15},
	{"CPU-16", RULE_SHOULD, NULL, NULL, NULL, NULL, check_cpu_16},
	{"CPU-17", RULE_MAY, NULL, NULL, NULL, NULL, check_cpu_17},
	{"NUMA-06", RULE_MAY, "knob.numa-balancing", "0", "1", NULL, check_numa_06},
	{"MEM-03", RULE_MAY, "knob.thp", "madvise", "always,never", NULL, check_mem_03},
	{"MEM-04", RULE_SHOULD, "knob.ksm", "0", "1", NULL, check_mem_04},
	{"MEM-05", RULE_MAY, NULL, NULL, NULL, NULL, check_mem_05},
	{"MEM-06", RULE_SHOULD, NULL, NULL, NULL, NULL, check_mem_06},
	{"MEM-12", RULE_SHOULD, "knob.swappiness", "10", "60", NULL, check_mem_12},
	{"MEM-13", RULE_MAY, NULL, NULL, NULL, NULL, check_mem_13},
	{"GST-01", RULE_SHOULD, NULL, NULL, NULL, NULL, check_gst_01},
	{"GST-02", RULE_MAY, NULL, NULL, NULL, NULL, check_gst_02},
	{.id = NULL},
};
