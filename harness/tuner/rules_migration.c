// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of live migration: what stands in its way, and what can be read of it before it begins. */
#include <stdio.h>
#include <string.h>
#include "tuner/disks.h"

/* The machine is said to migrate; else the reason is added. */
static bool need_migration(const struct subject *s, struct findings *f)
{
	if (!need_vm(s, f))
		return false;
	if (!s->migration)
		found_none(f, "nothing says that this machine is to migrate (--for migration)");
	return s->migration;
}

/* Parameters of QEMU's migration live in the process, and asking takes its control channel. */
static void parameters_unknown(struct findings *f, const char *what)
{
	found_unknown(f, VM_GOT, NULL,
		      "%s is a parameter of the running QEMU, which an audit does not talk to: "
		      "virsh qemu-monitor-command DOMAIN --hmp 'info migrate_parameters'",
		      what);
}

static void capability_unknown(struct findings *f, const char *what)
{
	found_unknown(f, VM_GOT, NULL,
		      "%s is chosen when the migration begins: virsh qemu-monitor-command DOMAIN "
		      "--hmp 'info migrate_capabilities'",
		      what);
}

/* --- MIG-01, MIG-02, MIG-15: disks --------------------------------------------------------- */

/* 1: both hosts reach it; 0: this host alone; -1: not to be told. */
static int is_shared(const struct disk *d)
{
	const char *t = disk_best(d, "transport"),
		   *fs = vm_get(d->vm, VM_GOT, "disk.%u.host-fs", d->i);

	if (disk_on_nfs(d) || (t && list_has("nbd,rbd,iscsi,gluster,http", t)))
		return 1;
	if (fs && list_has("ext4,ext3,ext2,xfs,btrfs,f2fs,zfs,tmpfs,overlay", fs))
		return 0;
	return -1;
}

static void shared_of(const struct disk *d)
{
	struct said source = disk_said(d, VM_ASKED, "source");
	struct finding *bad;

	switch (is_shared(d)) {
	case 1:
		found_ok(d->f, VM_ASKED, d->part, source.where, "storage that both hosts reach");
		return;
	case 0:
		bad = found_bad(d->f, VM_GOT, d->part, source.where,
				"on a file system of this host alone: all of the disk must travel");
		finding_want(bad, "storage that both hosts reach");
		finding_change(bad, CHANGE_XML,
			       "<disk type='network'> or a path on NFS; else "
			       "virsh migrate --copy-storage-all");
		return;
	default:
		found_unknown(
			d->f, VM_ASKED, d->part,
			"whether both hosts reach its storage is not described: compare `stat "
			"-c '%%d %%i'` or the pools");
	}
}

static void check_shared(const struct subject *s, struct findings *f)
{
	if (need_migration(s, f))
		disks_each(s, f, shared_of, "no disk");
}

static void copied_of(const struct disk *d)
{
	struct finding *bad;

	if (is_shared(d) != 0)
		return;
	if (strcmp(disk_format(d), "raw")) {
		found_ok(d->f, VM_ASKED, d->part, disk_said(d, VM_ASKED, "format").where,
			 "format %s: what is allocated travels",
			 *disk_format(d) ? disk_format(d) : "not said");
		return;
	}
	bad = found_bad(d->f, VM_ASKED, d->part, disk_said(d, VM_ASKED, "format").where,
			"a raw image on local storage: holes may travel as zeroes");
	finding_want(bad, "qcow2, or detect-zeroes unmap at the destination");
	finding_change(bad, CHANGE_QEMU,
		       "qemu-img create at the destination, of equal virtual size "
		       "and format, before it begins");
}

static void check_copied(const struct subject *s, struct findings *f)
{
	if (need_migration(s, f))
		disks_each(s, f, copied_of, "no disk is known to be on local storage");
}

static void coherent_of(const struct disk *d)
{
	struct said cache = disk_said(d, VM_ASKED, "cache");
	struct finding *bad;

	if (!disk_is_local(d) || disk_readonly(d))
		return;
	if (disk_direct(d)) {
		found_ok(d->f, VM_ASKED, d->part, cache.where, "cache %s", disk_cache(d));
		return;
	}
	bad = found_bad(d->f, VM_ASKED, d->part, cache.where,
			"cache %s%s: the hosts' page caches may differ, libvirt refuses it",
			disk_cache(d), cache.value ? "" : " (not said: QEMU's default)");
	finding_want(bad, "cache none");
	finding_change(bad, CHANGE_XML, "<driver ... cache='none'/>");
	finding_change(bad, CHANGE_QEMU, "-drive ...,cache=none");
}

static void check_coherent(const struct subject *s, struct findings *f)
{
	if (need_migration(s, f))
		disks_each(s, f, coherent_of, "no disk that is written lies in a file or device");
}

/* --- MIG-16: what must be equal on both sides ----------------------------------------------- */

static void cpu_portable(const struct subject *s, struct findings *f)
{
	const char *model = vm_get(s->vm, VM_ASKED, "cpu.model"),
		   *features = vm_get(s->vm, VM_ASKED, "cpu.features");
	const char *where = fact_where(s->vm, VM_ASKED, "cpu.model");
	struct finding *bad;

	if (!model) {
		found_unknown(f, VM_ASKED, NULL, "the CPU model is not described");
	} else if (list_has("host-passthrough,host", model)) {
		bad = found_bad(f, VM_ASKED, NULL, where, "CPU model %s: only to equal hosts",
				model);
		finding_want(bad, "host-model or a named model, unless all hosts are alike");
		finding_change(bad, CHANGE_XML, "<cpu mode='host-model'/>");
		finding_change(bad, CHANGE_QEMU, "-cpu NAME, one that all hosts have");
	} else {
		found_ok(f, VM_ASKED, NULL, where, "CPU model %s", model);
	}
	if (features && list_has(features, "+invtsc")) {
		bad = found_bad(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "cpu.features"),
				"invtsc is asked for: QEMU refuses to migrate");
		finding_want(bad, "no invtsc, or a TSC frequency that is set");
		finding_change(bad, CHANGE_XML,
			       "<timer name='tsc' frequency='...'/>, or no invtsc");
		finding_change(bad, CHANGE_QEMU, "-cpu ...,tsc-frequency=HZ, or without +invtsc");
	}
}

static void machine_portable(const struct subject *s, struct findings *f)
{
	const char *type = vm_get(s->vm, VM_ASKED, "machine");
	const char *where = fact_where(s->vm, VM_ASKED, "machine");
	/* QEMU's aliases, and what the types that they stand for begin with */
	static const struct {
		const char *name, *type;
	} alias[] = {
		{"pc", "pc-i440fx"},
		{"q35", "pc-q35"},
		{"virt", "virt"},
		{"pseries", "pseries"},
		{"s390-ccw-virtio", "s390-ccw-virtio"},
	};
	struct finding *bad;
	size_t i = 0;

	if (!type) {
		found_unknown(f, VM_ASKED, NULL, "the machine type is not described");
		return;
	}
	while (i < sizeof(alias) / sizeof(alias[0]) && strcmp(alias[i].name, type))
		i++;
	if (i == sizeof(alias) / sizeof(alias[0]) && strpbrk(type, "0123456789") &&
	    strchr(type, '-')) {
		found_ok(f, VM_ASKED, NULL, where, "machine type %s, a version", type);
		return;
	}
	bad = found_bad(f, VM_ASKED, NULL, where, "machine type %s means another in each QEMU",
			type);
	finding_want(bad, "a type with its version");
	if (i == sizeof(alias) / sizeof(alias[0]))
		return;
	finding_change(bad, CHANGE_XML,
		       "<type machine='%s-7.2'>hvm</type> (or the newest that both hosts have)",
		       alias[i].type);
	finding_change(bad, CHANGE_QEMU, "-machine %s-7.2 (or the newest that both hosts have)",
		       alias[i].type);
}

static void check_portable(const struct subject *s, struct findings *f)
{
	struct finding *bad;
	uint64_t n;

	if (!need_migration(s, f))
		return;
	cpu_portable(s, f);
	machine_portable(s, f);
	if (vm_number(s->vm, VM_ASKED, &n, "hostdevs") && n) {
		bad = found_bad(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "hostdevs"),
				"%" PRIu64 " device(s) of the host are passed through", n);
		finding_want(bad, "none, or devices whose VFIO driver migrates");
	}
}

/* --- memory, and the way there ------------------------------------------------------------- */

static void check_legacy(const struct subject *s, struct findings *f)
{
	if (!need_migration(s, f))
		return;
	if (qemu_older(s->vm, 9, 1) == 0)
		found_ok(f, VM_GOT, NULL, NULL, "this QEMU has no migration of the old kind");
	else
		capability_unknown(f, "capability block (the old kind, with disks in the stream)");
}

static void check_bandwidth(const struct subject *s, struct findings *f)
{
	if (need_migration(s, f))
		parameters_unknown(
			f, "max-bandwidth (128 MiB/s by QEMU's default, no limit by libvirt's)");
}

static void check_downtime(const struct subject *s, struct findings *f)
{
	if (need_migration(s, f))
		parameters_unknown(f, "downtime-limit (300 ms by default)");
}

static void check_timeout(const struct subject *s, struct findings *f)
{
	uint64_t bytes, gib;

	if (!need_migration(s, f))
		return;
	if (!vm_number(s->vm, VM_ASKED, &bytes, "memory.size")) {
		found_unknown(f, VM_ASKED, NULL, "the memory is not described");
		return;
	}
	gib = (bytes + ((uint64_t)1 << 30) - 1) >> 30;
	found_unknown(f, VM_ASKED, NULL,
		      "the time limit is the manager's; %" PRIu64 " GiB of memory want %" PRIu64
		      " s, disks that travel 800 s a GiB more",
		      gib, 800 * (gib < 2 ? 2 : gib));
}

static void check_converge(const struct subject *s, struct findings *f)
{
	if (need_migration(s, f))
		capability_unknown(f, "auto-converge");
}

static void check_dirty_limit(const struct subject *s, struct findings *f)
{
	if (!need_migration(s, f))
		return;
	if (qemu_older(s->vm, 7, 1) == 1)
		found_none(f, "QEMU before 7.1 has no dirty limit");
	else
		found_unknown(f, VM_ASKED, NULL,
			      "it takes -accel kvm,dirty-ring-size=4096 (libvirt: <features><kvm>"
			      "<dirty-ring state='on' size='4096'/>), which is not read");
}

static void check_postcopy(const struct subject *s, struct findings *f)
{
	long long allowed;

	if (!need_migration(s, f) || !need_host(s, f))
		return;
	if (!snapshot_number(s->host, &allowed, "/proc/sys/vm/unprivileged_userfaultfd"))
		found_unknown(f, VM_GOT, NULL,
			      "whether QEMU's user may use userfaultfd is not known: sysctl "
			      "vm.unprivileged_userfaultfd (libvirt opens the way by itself)");
	else
		found_ok(f, VM_GOT, NULL, "/proc/sys/vm/unprivileged_userfaultfd",
			 "unprivileged userfaultfd %s", allowed ? "allowed" : "not allowed");
}

static void check_preempt(const struct subject *s, struct findings *f)
{
	uint64_t page;

	if (!need_migration(s, f))
		return;
	if (!vm_number(s->vm, VM_ASKED, &page, "memory.page") || page <= 4096)
		found_none(f, "no huge pages are asked for");
	else if (qemu_older(s->vm, 7, 1) == 1)
		found_none(f, "QEMU before 7.1 has no postcopy-preempt");
	else
		capability_unknown(f, "postcopy-preempt");
}

static void check_multifd(const struct subject *s, struct findings *f)
{
	if (need_migration(s, f))
		capability_unknown(f, "multifd");
}

static void check_zero_copy(const struct subject *s, struct findings *f)
{
	if (!need_migration(s, f))
		return;
	if (vm_is(s->vm, VM_ASKED, "on", "memory.locked") ||
	    vm_is(s->vm, VM_GOT, "on", "memory.locked"))
		capability_unknown(f, "zero-copy-send, for which memory is locked,");
	else
		found_none(f, "memory is not locked, which zero-copy-send would need room for");
}

static void check_compression(const struct subject *s, struct findings *f)
{
	if (need_migration(s, f))
		capability_unknown(f, "compression (xbzrle, multifd-compression)");
}

static void check_tls(const struct subject *s, struct findings *f)
{
	if (need_migration(s, f))
		found_unknown(f, VM_ASKED, NULL,
			      "how the stream is secured is the manager's choice: virsh migrate "
			      "--tls, never --tunnelled");
}

static void check_dirty_rate(const struct subject *s, struct findings *f)
{
	if (!need_migration(s, f))
		return;
	if (s->vm->running)
		found_unknown(
			f, VM_GOT, NULL,
			"an audit does not make it count: virsh domdirtyrate-calc DOMAIN, then "
			"virsh domstats --dirtyrate");
	else
		found_none(f, "the machine does not run");
}

static void check_one_at_a_time(const struct subject *s, struct findings *f)
{
	if (need_migration(s, f))
		found_none(f, "a limit of the manager, of which nothing stands in a description");
}

static void check_bytes(const struct subject *s, struct findings *f)
{
	if (need_migration(s, f))
		found_none(f, "a way to measure, of which nothing stands in a description");
}

static void check_announce(const struct subject *s, struct findings *f)
{
	if (need_migration(s, f))
		parameters_unknown(f, "announce-initial, -max, -rounds, -step (50, 550, 5, 100)");
}

/* clang-format off */
const struct rule_row rules_migration[] = {
	{"MIG-01", RULE_MAY, NULL, NULL, NULL, NULL, check_shared},
	{"MIG-02", RULE_MAY, NULL, NULL, NULL, NULL, check_copied},
	{"MIG-03", RULE_MAY, NULL, NULL, NULL, NULL, check_legacy},
	{"MIG-04", RULE_MAY, NULL, NULL, NULL, NULL, check_bandwidth},
	{"MIG-05", RULE_MAY, NULL, NULL, NULL, NULL, check_downtime},
	{"MIG-06", RULE_MAY, NULL, NULL, NULL, NULL, check_timeout},
	{"MIG-07", RULE_MAY, NULL, NULL, NULL, NULL, check_converge},
	{"MIG-08", RULE_MAY, NULL, NULL, NULL, NULL, check_dirty_limit},
	{"MIG-09", RULE_MAY, NULL, NULL, NULL, NULL, check_postcopy},
	{"MIG-10", RULE_MAY, NULL, NULL, NULL, NULL, check_preempt},
	{"MIG-11", RULE_MAY, NULL, NULL, NULL, NULL, check_multifd},
	{"MIG-12", RULE_MAY, NULL, NULL, NULL, NULL, check_zero_copy},
	{"MIG-13", RULE_MAY, NULL, NULL, NULL, NULL, check_compression},
	{"MIG-14", RULE_MAY, NULL, NULL, NULL, NULL, check_tls},
	{"MIG-15", RULE_SHOULD, NULL, NULL, NULL, NULL, check_coherent},
	{"MIG-16", RULE_SHOULD, NULL, NULL, NULL, NULL, check_portable},
	{"MIG-17", RULE_MAY, NULL, NULL, NULL, NULL, check_dirty_rate},
	{"MIG-18", RULE_MAY, NULL, NULL, NULL, NULL, check_one_at_a_time},
	{"MIG-19", RULE_MAY, NULL, NULL, NULL, NULL, check_bytes},
	{"MIG-20", RULE_MAY, NULL, NULL, NULL, NULL, check_announce},
	{NULL},
};
/* clang-format on */
