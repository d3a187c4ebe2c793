// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of clocks and timers. */
#include <string.h>
#include "tuner/internal.h"

static bool is_x86(const struct vm *vm)
{
	const char *arch = vm_get(vm, VM_ASKED, "arch");

	return !arch || !strcmp(arch, "x86_64") || !strcmp(arch, "i686") || !strcmp(arch, "i386");
}

/* Timers of PCs are asked about. Adds the reason when not. */
static bool need_pc(const struct subject *s, struct findings *f)
{
	const char *machine;

	if (!need_vm(s, f))
		return false;
	machine = vm_get(s->vm, VM_ASKED, "machine");
	if (is_x86(s->vm) && (!machine || strncmp(machine, "microvm", 7) != 0))
		return true;
	found_none(f, "a machine without a PC's timers");
	return false;
}

/* The host's own clock decides whether guests can read theirs without leaving the guest. */
static void host_clock(const struct subject *s, struct findings *f)
{
	static const char path[] =
		"/sys/devices/system/clocksource/clocksource0/current_clocksource";
	const char *clock;
	struct finding *x;

	if (!s->here)
		return;
	clock = snapshot_file(s->host, "%s", path);
	if (!clock)
		return;
	if (strcmp(clock, "hpet") && strcmp(clock, "acpi_pm") && strcmp(clock, "jiffies")) {
		found_ok(f, VM_GOT, NULL, path, "the host's clock is %s", clock);
		return;
	}
	x = found_bad(f, VM_GOT, NULL, path,
		      "the host's clock is %s: kvm-clock in guests has no stable TSC to build on",
		      clock);
	finding_want(x, "tsc (constant_tsc %s, nonstop_tsc %s in /proc/cpuinfo)",
		     host_cpu_flag(s, "constant_tsc") > 0 ? "is" : "is not",
		     host_cpu_flag(s, "nonstop_tsc") > 0 ? "is" : "is not");
	finding_change(x, CHANGE_SYSFS, "see why dmesg says that the TSC is unstable");
}

static void check_clk_01(const struct subject *s, struct findings *f)
{
	struct finding *x;

	if (!need_pc(s, f))
		return;
	if (is_windows(s->vm)) {
		found_none(f, "Windows has clocks of its own (CLK-04)");
		return;
	}
	if (vm_is(s->vm, VM_ASKED, "tcg", "accel")) {
		found_none(f, "kvm-clock is KVM's");
		return;
	}
	x = check_flag(s, f, VM_ASKED, true, 1, "kvm-clock", "clock.kvmclock");
	if (x) {
		finding_want(x, "kvm-clock present");
		finding_change(
			x, CHANGE_XML,
			"<clock offset='utc'><timer name='kvmclock' present='yes'/></clock>");
		finding_change(x, CHANGE_QEMU, "-cpu host,kvmclock=on");
		finding_change(
			x, CHANGE_GUEST,
			"cat /sys/devices/system/clocksource/clocksource0/current_clocksource: kvm-clock or tsc");
	}
	host_clock(s, f);
}

static void check_clk_02(const struct subject *s, struct findings *f)
{
	static const char *const daemons[] = {"chronyd", "ntpd", "systemd-timesyn", NULL};
	struct finding *x;

	if (!need_host(s, f))
		return;
	if (host_service(s, "chronyd") < 0) {
		found_unknown(f, VM_GOT, NULL, "the snapshot does not say which daemons run");
		return;
	}
	for (size_t i = 0; daemons[i]; i++)
		if (host_service(s, daemons[i]) > 0) {
			found_ok(f, VM_GOT, NULL, NULL, "%s keeps the host's time", daemons[i]);
			return;
		}
	x = found_bad(f, VM_GOT, NULL, NULL,
		      "none of chronyd, ntpd and systemd-timesyncd runs on the host");
	finding_want(x, "NTP on the host, and in guests (or ptp_kvm there)");
	finding_change(x, CHANGE_SYSFS, "systemctl enable --now chrony (or chronyd)");
	finding_change(x, CHANGE_GUEST,
		       "modprobe ptp_kvm; chrony.conf: refclock PHC /dev/ptp0 poll 2");
}

static void check_clk_03(const struct subject *s, struct findings *f)
{
	const char *rtc, *pit;
	struct finding *x;

	if (!need_own_devices(s, f) || !need_pc(s, f))
		return;
	x = check_flag(s, f, VM_ASKED, false, 1, "HPET", "clock.hpet");
	if (x) {
		finding_want(x, "no HPET");
		finding_change(x, CHANGE_XML,
			       "<clock offset='utc'><timer name='hpet' present='no'/></clock>");
		finding_change(x, CHANGE_QEMU, "-machine ...,hpet=off (before QEMU 5.2: -no-hpet)");
	}
	rtc = vm_get(s->vm, VM_ASKED, "clock.rtc");
	if (rtc && strcmp(rtc, "catchup") != 0 && strcmp(rtc, "slew") != 0) {
		x = found_bad(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "clock.rtc"),
			      "RTC ticks that were missed: %s", rtc);
		finding_want(x, "catchup");
		finding_change(x, CHANGE_XML, "<timer name='rtc' tickpolicy='catchup'/>");
		finding_change(x, CHANGE_QEMU, "-rtc base=utc,driftfix=slew");
	}
	pit = vm_get(s->vm, VM_ASKED, "clock.pit");
	if (pit && strcmp(pit, "delay") != 0 && strcmp(pit, "discard") != 0) {
		x = found_bad(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "clock.pit"),
			      "PIT ticks that were missed: %s", pit);
		finding_want(x, "delay");
		finding_change(x, CHANGE_XML, "<timer name='pit' tickpolicy='delay'/>");
		finding_change(x, CHANGE_QEMU, "-global kvm-pit.lost_tick_policy=delay");
	}
}

/* "time" in "relaxed,time,stimer". */
static bool has_enlightenment(const struct vm *vm, const char *name)
{
	const char *list = vm_get(vm, VM_ASKED, "hyperv");
	size_t len = strlen(name);

	for (const char *p = list; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (!strncmp(p, name, len) && (p[len] == ',' || !p[len]))
			return true;
	return false;
}

static void check_clk_04(const struct subject *s, struct findings *f)
{
	bool time, timer;
	struct finding *x;

	if (!need_vm(s, f))
		return;
	if (!is_windows(s->vm)) {
		found_none(f, "nothing says that Windows runs in it");
		return;
	}
	time = has_enlightenment(s->vm, "time") ||
	       vm_is(s->vm, VM_ASKED, "on", "clock.hypervclock");
	timer = has_enlightenment(s->vm, "stimer");
	if (time && timer) {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "hyperv"),
			 "Hyper-V's clock and timers");
		return;
	}
	x = found_bad(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "hyperv"),
		      "Windows without Hyper-V's %s: each reading or tick leaves the guest",
		      !time && !timer ? "clock and timers"
		      : !time	      ? "clock"
				      : "timers");
	finding_want(x, "hv-time and hv-stimer (which needs hv-vpindex and hv-synic)");
	finding_change(
		x, CHANGE_XML,
		"<clock offset='localtime'><timer name='hypervclock' present='yes'/></clock>, <features><hyperv><vpindex state='on'/><synic state='on'/><stimer state='on'/></hyperv></features>");
	finding_change(x, CHANGE_QEMU, "-cpu host,hv-time,hv-vpindex,hv-synic,hv-stimer");
}

static void check_clk_05(const struct subject *s, struct findings *f)
{
	(void)s;
	found_none(f, "a rule for whoever measures, not for a machine");
}

const struct rule_row rules_clock[] = {
	{"CLK-01", RULE_SHOULD, NULL, NULL, NULL, NULL, check_clk_01},
	{"CLK-02", RULE_SHOULD, NULL, NULL, NULL, NULL, check_clk_02},
	{"CLK-03", RULE_SHOULD, NULL, NULL, NULL, NULL, check_clk_03},
	{"CLK-04", RULE_SHOULD, NULL, NULL, NULL, NULL, check_clk_04},
	{"CLK-05", RULE_MAY, NULL, NULL, NULL, NULL, check_clk_05},
	{.id = NULL},
};
