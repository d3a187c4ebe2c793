// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of CPUs: accelerator, model, how many, shares. Those of pins are in rules_pin.c and
 * rules_smt.c. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include "tuner/internal.h"

/* --- CPU-01, CPU-02, CPU-22: accelerator and model --- */

static void accel_side(const struct subject *s, struct findings *f, enum vm_side side)
{
	const char *accel = vm_get(s->vm, side, "accel"), *where = fact_where(s->vm, side, "accel");
	struct finding *x;

	if (!accel && side == VM_ASKED && is_profile(s->vm)) {
		found_unknown(
			f, side, NULL,
			"guest.accel = auto: KVM where a guest boots under it, else emulation, which "
			"each report then says (vbench doctor tells now)");
		return;
	}
	if (side == VM_ASKED && may_say(s, f, "accel"))
		return;
	if (!accel && side == VM_ASKED)
		accel = "tcg (not said: QEMU's default)";
	if (!accel)
		return;
	if (!strncmp(accel, "kvm", 3)) {
		found_ok(f, side, NULL, where, "accelerator %s", accel);
		return;
	}
	if (strncmp(accel, "tcg", 3)) {
		found_none(f, "it runs under %s, not under QEMU's own emulation", accel);
		return;
	}
	x = found_bad(f, side, NULL, where, "accelerator %s: every instruction is emulated", accel);
	finding_want(x, "KVM");
	finding_change(x, CHANGE_XML, "<domain type='kvm'>");
	finding_change(x, CHANGE_QEMU, "-accel kvm");
}

static void check_cpu_01(const struct subject *s, struct findings *f)
{
	if (!need_vm(s, f))
		return;
	accel_side(s, f, VM_ASKED);
	if (is_running(s))
		accel_side(s, f, VM_GOT);
}

static bool is_emulated(const struct subject *s)
{
	const char *accel = vm_get(s->vm, VM_ASKED, "accel");

	return accel && !strcmp(accel, "tcg");
}

static bool is_passthrough(const char *model)
{
	return !strcmp(model, "host-passthrough") || !strcmp(model, "host") ||
	       !strcmp(model, "maximum") || !strcmp(model, "max");
}

/* Models from before what software of today is compiled for. */
static bool is_generic(const char *model)
{
	static const char *const generic[] = {
		"qemu32*",   "qemu64*", "kvm32*",  "kvm64*",  "486*", "pentium*", "coreduo*",
		"core2duo*", "n270*",	"athlon*", "phenom*", "base", NULL};

	for (size_t i = 0; generic[i]; i++)
		if (!fnmatch(generic[i], model, 0))
			return true;
	return false;
}

static void check_cpu_02(const struct subject *s, struct findings *f)
{
	const char *model = s->vm ? vm_get(s->vm, VM_ASKED, "cpu.model") : NULL,
		   *arch = s->vm ? vm_get(s->vm, VM_ASKED, "arch") : NULL,
		   *where = s->vm ? fact_where(s->vm, VM_ASKED, "cpu.model") : NULL,
		   *features = s->vm ? vm_get(s->vm, VM_ASKED, "cpu.features") : NULL;
	struct finding *x;

	if (!need_vm(s, f) || may_say(s, f, "cpu.model"))
		return;
	if (is_emulated(s)) {
		found_none(f, "an emulated CPU has no host's features to pass on");
	} else if (arch && strcmp(arch, "x86_64") && strcmp(arch, "i686") && !model) {
		found_unknown(f, VM_ASKED, NULL, "nothing says which CPU model it has");
	} else if (!model || is_generic(model)) {
		x = found_bad(f, VM_ASKED, NULL, where,
			      "CPU model %s%s%s: lacks much of what the host's CPU can do",
			      model ? model : "qemu64 (not said: QEMU's default)",
			      features ? " with " : "", features ? features : "");
		finding_want(x, s->migration
					? "host-model, or a named model that all hosts have"
					: "host-passthrough among like hosts, else host-model");
		finding_change(x, CHANGE_XML,
			       s->migration ? "<cpu mode='host-model'/>"
					    : "<cpu mode='host-passthrough' migratable='on'/>");
		finding_change(x, CHANGE_QEMU, "-cpu host");
	} else if (is_passthrough(model)) {
		found_ok(f, VM_ASKED, NULL, where, "%s%s", model,
			 s->migration ? ": it can migrate only to hosts with the same CPU" : "");
	} else {
		found_ok(f, VM_ASKED, NULL, where, "%s", model);
	}
}

/* A feature in "+pcid,-pmu": 1 asked for, -1 ruled out, 0 not said. */
static int feature(const struct vm *vm, const char *name)
{
	const char *list = vm_get(vm, VM_ASKED, "cpu.features");
	size_t len = strlen(name);

	for (const char *p = list; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if ((*p == '+' || *p == '-') && !strncmp(p + 1, name, len) &&
		    (p[len + 1] == ',' || !p[len + 1]))
			return *p == '+' ? 1 : -1;
	return 0;
}

/* Intel's models from before Haswell have PCID in silicon, but not in QEMU's definition. */
static bool lacks_pcid(const char *model)
{
	static const char *const old[] = {"Westmere*", "SandyBridge*", "IvyBridge*", NULL};

	for (size_t i = 0; old[i]; i++)
		if (!fnmatch(old[i], model, 0))
			return true;
	return false;
}

static void check_cpu_22(const struct subject *s, struct findings *f)
{
	const char *model = s->vm ? vm_get(s->vm, VM_ASKED, "cpu.model") : NULL, *meltdown;
	struct finding *x;
	int pcid;

	if (!need_vm(s, f))
		return;
	pcid = feature(s->vm, "pcid");
	meltdown =
		s->here ? snapshot_file(s->host, "/sys/devices/system/cpu/vulnerabilities/meltdown")
			: NULL;
	if (meltdown && !strncmp(meltdown, "Not affected", 12)) {
		found_none(f, "the host's CPU needs no page-table isolation (%s)", meltdown);
	} else if (is_emulated(s) || (model && is_generic(model)) || !model) {
		found_none(f, "no CPU model of a real processor (see CPU-02)");
	} else if (pcid < 0 || (!pcid && lacks_pcid(model))) {
		x = found_bad(
			f, VM_ASKED, NULL,
			fact_where(s->vm, VM_ASKED, pcid ? "cpu.features" : "cpu.model"),
			"CPU model %s %s PCID: page-table isolation flushes the TLB on every system call",
			model, pcid < 0 ? "with the feature switched off:" : "without");
		finding_want(x, "PCID in the guest");
		finding_change(x, CHANGE_XML,
			       "<cpu>...<feature policy='require' name='pcid'/></cpu>");
		finding_change(x, CHANGE_QEMU, "-cpu %s,+pcid", model);
	} else {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "cpu.model"),
			 "CPU model %s%s", model, pcid > 0 ? " with pcid" : "");
	}
}

/* --- CPU-03, CPU-04, CPU-05, CPU-19: how many --- */

/* libvirt and QEMU refuse a topology of another size. */
static void fewer_vcpus(const struct vm *vm, struct finding *x, unsigned n)
{
	if (vm_get(vm, VM_ASKED, "smp.sockets")) {
		finding_change(
			x, CHANGE_XML,
			"<vcpu>%u</vcpu>, and in <cpu> <topology sockets='1' cores='%u' threads='1'/>",
			n, n);
		finding_change(x, CHANGE_QEMU, "-smp %u,sockets=1,cores=%u,threads=1", n, n);
	} else {
		finding_change(x, CHANGE_XML, "<vcpu>%u</vcpu>", n);
		finding_change(x, CHANGE_QEMU, "-smp %u", n);
	}
}

static void check_cpu_03(const struct subject *s, struct findings *f)
{
	unsigned n, cores, threads;
	const char *where;
	struct finding *x;
	uint64_t told = 1;

	if (!need_vm(s, f) || !need_host(s, f))
		return;
	n = vcpus_of(s->vm);
	cores = host_cores(s);
	threads = host_threads(s);
	where = fact_where(s->vm, VM_ASKED, "vcpus");
	vm_number(s->vm, VM_ASKED, &told, "smp.threads");
	if (!n) {
		found_unknown(f, VM_ASKED, NULL, "nothing says how many vCPUs it has");
	} else if (n <= cores) {
		found_ok(f, VM_ASKED, NULL, where, "%u vCPUs on %u physical cores", n, cores);
	} else if (n <= threads && told > 1 && is_dedicated(s, VM_ASKED)) {
		found_ok(
			f, VM_ASKED, NULL, where,
			"%u vCPUs on %u cores: more than one a core, but each is pinned to a thread and the guest is told so",
			n, cores);
	} else {
		x = found_bad(f, VM_ASKED, NULL, where,
			      "%u vCPUs, the host has %u physical cores (%u threads)", n, cores,
			      threads);
		finding_want(x, "at most %u vCPUs", cores);
		fewer_vcpus(s->vm, x, cores);
	}
}

static unsigned vcpus_in_all(const struct subject *s)
{
	unsigned sum = s->vm ? vcpus_of(s->vm) : 0;

	for (size_t i = 0; i < s->nothers; i++)
		sum += vcpus_of(s->others[i]);
	return sum;
}

static void check_cpu_04(const struct subject *s, struct findings *f)
{
	unsigned sum = vcpus_in_all(s), threads, machines = (s->vm ? 1 : 0) + (unsigned)s->nothers;
	struct finding *x;
	double ratio;

	if (!need_host(s, f))
		return;
	if (!sum) {
		found_none(f, "no machine with a known number of vCPUs (name them with --others)");
		return;
	}
	threads = host_threads(s);
	ratio = (double)sum / threads;
	if (ratio > 2) {
		x = found_bad(
			f, VM_ASKED, NULL, s->vm ? fact_where(s->vm, VM_ASKED, "vcpus") : NULL,
			"%u vCPUs of %u machine%s on %u CPUs: %.1f to 1. SUSE: 1; Sangfor: 2; Nova's default: 4; Red Hat: 5 "
			"and 10 a core, if each stays below full load",
			sum, machines, machines == 1 ? "" : "s", threads, ratio);
		finding_want(
			x,
			"at most %u vCPUs in all, or proof by run-queue wait (CPU-19) that more is well",
			2 * threads);
	} else if (s->nothers) {
		found_ok(f, VM_ASKED, NULL, NULL, "%u vCPUs of %u machines on %u CPUs: %.1f to 1",
			 sum, machines, threads, ratio);
	} else {
		found_ok(f, VM_ASKED, NULL, NULL,
			 "%u vCPUs on %u CPUs: %.1f to 1 by this machine alone (others: --others)",
			 sum, threads, ratio);
	}
}

/* vCPUs that ran for less than a hundredth of the time that the busiest ran, as a set. */
static hwloc_bitmap_t idle_vcpus(const struct vm *vm, uint64_t *busiest, bool *known)
{
	hwloc_bitmap_t idle = hwloc_bitmap_alloc();
	unsigned n = vcpus_of(vm);
	uint64_t ran;

	*busiest = 0;
	*known = n > 0;
	for (unsigned i = 0; i < n; i++)
		if (!vm_number(vm, VM_GOT, &ran, "vcpu.%u.run-ns", i))
			*known = false;
		else if (ran > *busiest)
			*busiest = ran;
	for (unsigned i = 0; *known && i < n; i++)
		if (vm_number(vm, VM_GOT, &ran, "vcpu.%u.run-ns", i) && ran < *busiest / 100)
			hwloc_bitmap_set(idle, i);
	return idle;
}

static void check_cpu_05(const struct subject *s, struct findings *f)
{
	const uint64_t enough = 60ull * 1000 * 1000 * 1000; /* ns; less says nothing of its load */
	hwloc_bitmap_t idle;
	uint64_t busiest;
	char *list;
	bool known;

	if (!need_vm(s, f))
		return;
	if (vcpus_of(s->vm) == 1) {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "vcpus"), "one vCPU");
		return;
	}
	if (!is_running(s)) {
		found_unknown(
			f, VM_ASKED, NULL,
			"how busy its vCPUs are shows only while it runs (pid:N, libvirt:NAME)");
		return;
	}
	idle = idle_vcpus(s->vm, &busiest, &known);
	list = cpus_text(idle);
	if (!known || busiest < enough)
		found_unknown(f, VM_GOT, NULL, "its vCPUs have not run for a minute yet");
	else if (hwloc_bitmap_iszero(idle))
		found_ok(f, VM_GOT, NULL, NULL, "all of its vCPUs have run");
	else
		finding_want(
			found_bad(f, VM_GOT, NULL, fact_where(s->vm, VM_GOT, "vcpu.0.run-ns"),
				  "vCPUs %s ran for less than 1 %% of the time of the busiest one",
				  list),
			"as many vCPUs as its load uses (a hundredth is our own mark, not a source's)");
	free(list);
	hwloc_bitmap_free(idle);
}

static void check_cpu_19(const struct subject *s, struct findings *f)
{
	uint64_t ran = 0, waited = 0;
	const char *psi = snapshot_file(s->host, "/proc/pressure/cpu");
	double share;

	if (!need_vm(s, f))
		return;
	for (unsigned i = 0, n = vcpus_of(s->vm); i < n; i++) {
		uint64_t r, w;

		if (!vm_number(s->vm, VM_GOT, &r, "vcpu.%u.run-ns", i) ||
		    !vm_number(s->vm, VM_GOT, &w, "vcpu.%u.wait-ns", i))
			continue;
		ran += r;
		waited += w;
	}
	if (!is_running(s)) {
		found_none(f, "it does not run: nothing waits for a CPU");
		return;
	}
	if (ran + waited < 1000 * 1000 * 1000ull) {
		found_unknown(
			f, VM_GOT, NULL,
			"the run times of its vCPUs cannot be read, or are less than a second");
		return;
	}
	share = 100.0 * (double)waited / (double)(ran + waited);
	if (share <= 5)
		found_ok(f, VM_GOT, NULL, fact_where(s->vm, VM_GOT, "vcpu.0.wait-ns"),
			 "its vCPUs waited for a CPU for %.1f %% of the time that they wanted one",
			 share);
	else
		finding_want(
			found_bad(
				f, VM_GOT, NULL, fact_where(s->vm, VM_GOT, "vcpu.0.wait-ns"),
				"its vCPUs waited for a CPU for %.1f %% of the time that they wanted one%s%.*s",
				share, s->here && psi ? "; pressure of the host: " : "",
				s->here && psi ? (int)strcspn(psi, "\n") : 0, psi ? psi : ""),
			"5 %% at most (a mark that no source has proven): fewer vCPUs on this host, or CPUs of its own");
}

/* --- CPU-18, CPU-20, CPU-21: shares, PMU, caches --- */

static void quota(const struct subject *s, struct findings *f, enum vm_side side, const char *key,
		  const char *element)
{
	uint64_t us;
	struct finding *x;

	if (!vm_number(s->vm, side, &us, "%s", key) || !us)
		return;
	x = found_bad(f, side, NULL, fact_where(s->vm, side, "%s", key),
		      "%s %" PRIu64
		      " us a period: when it is used up, threads stand still until the next",
		      element, us);
	finding_want(x, "weights (shares) for fairness; a quota only as a hard cap");
	/* libvirt hands shares to cpu.weight as they are [Linux, cgroup-v2.rst: 100 by default] */
	finding_change(x, CHANGE_XML,
		       "<cputune><shares>200</shares></cputune> (twice the share of others, with "
		       "cgroup v2) without <%s>",
		       element);
	finding_change(x, CHANGE_SYSFS, "cpu.weight of its cgroup, with \"max\" in cpu.max");
}

static void check_cpu_18(const struct subject *s, struct findings *f)
{
	uint64_t throttled;

	if (!need_vm(s, f))
		return;
	quota(s, f, VM_ASKED, "cpu.quota-us", "quota");
	quota(s, f, VM_ASKED, "cpu.global-quota-us", "global_quota");
	quota(s, f, VM_ASKED, "emulator.quota-us", "emulator_quota");
	quota(s, f, VM_ASKED, "iothread.quota-us", "iothread_quota");
	if (is_running(s) && vm_number(s->vm, VM_GOT, &throttled, "cpu.throttled") && throttled)
		finding_want(found_bad(f, VM_GOT, NULL, fact_where(s->vm, VM_GOT, "cpu.throttled"),
				       "it was throttled in %" PRIu64 " periods", throttled),
			     "no throttling: it looks like slow I/O in the guest");
	if (!f->n)
		found_ok(f, VM_ASKED, NULL, NULL, "no quota cuts it off");
}

static void check_cpu_20(const struct subject *s, struct findings *f)
{
	const char *model = s->vm ? vm_get(s->vm, VM_ASKED, "cpu.model") : NULL;
	struct finding *x;

	if (!need_vm(s, f) || !need_latency(s, f))
		return;
	/* QEMU gives a PMU with passthrough; named models have none */
	x = check_flag(s, f, VM_ASKED, false,
		       !model		       ? -1
		       : is_passthrough(model) ? 1
					       : 0,
		       "virtual PMU", "cpu.pmu");
	if (!x)
		return;
	finding_want(x, "off, unless someone profiles in the guest");
	finding_change(x, CHANGE_XML, "<features><pmu state='off'/></features>");
	finding_change(x, CHANGE_QEMU, "-cpu %s,pmu=off", cpu_option(s->vm));
}

static void check_cpu_21(const struct subject *s, struct findings *f)
{
	struct finding *x;

	if (!need_vm(s, f) || !need_latency(s, f))
		return;
	if (vm_is(s->vm, VM_ASKED, "on", "cachetune") ||
	    vm_is(s->vm, VM_ASKED, "on", "memorytune")) {
		found_ok(f, VM_ASKED, NULL,
			 fact_where(s->vm, VM_ASKED,
				    vm_is(s->vm, VM_ASKED, "on", "cachetune") ? "cachetune"
									      : "memorytune"),
			 "it has a part of the last-level cache or of the memory bandwidth");
		return;
	}
	if (!need_host(s, f))
		return;
	if (!snapshot_file(s->host, "/sys/fs/resctrl/schemata")) {
		found_none(f, "the host cannot partition its caches, or resctrl is not mounted");
		return;
	}
	x = found_bad(
		f, VM_ASKED, NULL, NULL,
		"any neighbour can drive it out of the last-level cache, which this host could prevent");
	finding_want(x, "a part of the cache of its own, where neighbours stream");
	finding_change(
		x, CHANGE_XML,
		"<cputune><cachetune vcpus='0-%u'><cache id='0' level='3' type='both' size='3' unit='MiB'/></cachetune></cputune>",
		vcpus_of(s->vm) ? vcpus_of(s->vm) - 1 : 0);
}

/* As many vCPUs as cores: what CPU-03 allows. */
static bool advise_vcpus(const struct subject *s, char *buf, size_t size)
{
	unsigned cores = host_cores(s);

	if (!s->here || !cores)
		return false;
	snprintf(buf, size, "%u", cores < 255 ? cores : 255);
	return true;
}

const struct rule_row rules_cpu[] = {
	{"CPU-01", RULE_SHOULD, "guest.accel", "kvm", "tcg", NULL, check_cpu_01},
	{"CPU-02", RULE_SHOULD, "guest.cpu", "host", "qemu64", NULL, check_cpu_02},
	{"CPU-03", RULE_SHOULD, "guest.vcpus", NULL, NULL, advise_vcpus, check_cpu_03},
	{"CPU-04", RULE_SHOULD, NULL, NULL, NULL, NULL, check_cpu_04},
	{"CPU-05", RULE_MAY, "guest.vcpus", "1", NULL, NULL, check_cpu_05},
	{"CPU-06", RULE_SHOULD, "guest.pin", "plan", "none", NULL, check_cpu_06},
	{"CPU-07", RULE_SHOULD, NULL, NULL, NULL, NULL, check_cpu_07},
	{"CPU-08", RULE_SHOULD, NULL, NULL, NULL, NULL, check_cpu_08},
	{"CPU-09", RULE_SHOULD, NULL, NULL, NULL, NULL, check_cpu_09},
	{"CPU-10", RULE_MAY, NULL, NULL, NULL, NULL, check_cpu_10},
	{"CPU-11", RULE_SHOULD, NULL, NULL, NULL, NULL, check_cpu_11},
	{"CPU-18", RULE_MAY, NULL, NULL, NULL, NULL, check_cpu_18},
	{"CPU-19", RULE_MAY, NULL, NULL, NULL, NULL, check_cpu_19},
	{"CPU-20", RULE_MAY, NULL, NULL, NULL, NULL, check_cpu_20},
	{"CPU-21", RULE_MAY, NULL, NULL, NULL, NULL, check_cpu_21},
	{"CPU-22", RULE_SHOULD, NULL, NULL, NULL, NULL, check_cpu_22},
	{"CPU-23", RULE_SHOULD, NULL, NULL, NULL, NULL, check_cpu_23},
	{"CPU-24", RULE_SHOULD, NULL, NULL, NULL, NULL, check_cpu_24},
	{"CPU-25", RULE_SHOULD, NULL, NULL, NULL, NULL, check_cpu_25},
	{.id = NULL},
};
