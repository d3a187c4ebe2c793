// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of a machine's memory: page size, sharing, allocation, locking, amount. Those of the host's
 * knobs are in rules_host.c. */
#include <stdlib.h>
#include <string.h>
#include "base/units.h"
#include "tuner/internal.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

enum { TEXT = 32 };

static uint64_t bytes_of(const struct vm *vm, enum vm_side side, const char *key)
{
	const uint64_t most = (uint64_t)1
			      << 50; /* so that sums of what a file claims do not wrap */
	uint64_t n = 0;

	vm_number(vm, side, &n, "%s", key);
	return n < most ? n : most;
}

static uint64_t size_of(const struct vm *vm)
{
	return bytes_of(vm, VM_ASKED, "memory.size");
}

/* Whether it came from libvirt's XML: there some things follow from others. */
static bool from_xml(const struct vm *vm, const char *key)
{
	return !strncmp(vm_where(vm, VM_ASKED, "%s", key), "domain", 6);
}

/* --- MEM-01, MEM-02: huge pages --- */

/* How the host sets them aside. */
static void pool_remedy(struct finding *x, uint64_t page, uint64_t size)
{
	if (page >= GIB)
		finding_change(x, CHANGE_SYSFS,
			       "kernel command line: hugepagesz=1G hugepages=%" PRIu64,
			       (size + GIB - 1) / GIB);
	else
		finding_change(
			x, CHANGE_SYSFS,
			"echo %" PRIu64
			" > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages (more, if others use them too)",
			(size + 2 * MIB - 1) / (2 * MIB));
}

static void huge_remedy(struct finding *x, uint64_t page, uint64_t size)
{
	bool giga = page >= GIB;

	finding_want(x, "%s huge pages", giga ? "1 GiB" : "2 MiB");
	finding_change(
		x, CHANGE_XML,
		"<memoryBacking><hugepages><page size='%c' unit='%c'/></hugepages></memoryBacking>",
		giga ? '1' : '2', giga ? 'G' : 'M');
	finding_change(x, CHANGE_QEMU,
		       "-object memory-backend-memfd,id=m0,size=%" PRIu64
		       "M,hugetlb=on,hugetlbsize=%s,prealloc=on -machine memory-backend=m0",
		       size / MIB, giga ? "1G" : "2M");
	pool_remedy(x, page, size);
}

/* Enough free pages of that size for a machine that is to start. */
static void huge_room(const struct subject *s, struct findings *f, uint64_t page)
{
	long long have, all;
	uint64_t need = (size_of(s->vm) + page - 1) / page;
	unsigned long kib = (unsigned long)(page / 1024);
	struct finding *x;

	if (!s->here || is_running(s) || !need)
		return;
	if (!snapshot_number(s->host, &have,
			     "/sys/kernel/mm/hugepages/hugepages-%lukB/free_hugepages", kib)) {
		x = found_bad(f, VM_GOT, NULL, "/sys/kernel/mm/hugepages",
			      "the host has no huge pages of %lu KiB", kib);
	} else if (have < 0 || (uint64_t)have < need) {
		if (!snapshot_number(s->host, &all,
				     "/sys/kernel/mm/hugepages/hugepages-%lukB/nr_hugepages", kib))
			all = have;
		x = found_bad(f, VM_GOT, NULL, "/sys/kernel/mm/hugepages",
			      "it needs %" PRIu64
			      " pages of %lu KiB, %lld of %lld are free: it will not start",
			      need, kib, have, all);
	} else {
		found_ok(f, VM_GOT, NULL, "/sys/kernel/mm/hugepages",
			 "%lld pages of %lu KiB are free, it needs %" PRIu64, have, kib, need);
		return;
	}
	finding_want(x, "%" PRIu64 " free pages of %lu KiB before it starts", need, kib);
	pool_remedy(x, page, size_of(s->vm));
}

static void huge_got(const struct subject *s, struct findings *f, uint64_t page)
{
	uint64_t huge, resident, size = size_of(s->vm);
	char a[TEXT], b[TEXT];
	const char *where = fact_where(s->vm, VM_GOT, "memory.huge");

	if (!vm_number(s->vm, VM_GOT, &huge, "memory.huge")) {
		found_unknown(f, VM_GOT, NULL,
			      "its page sizes cannot be read (as root: /proc/PID/smaps)");
		return;
	}
	/* what was not touched yet has no pages of any size */
	resident = bytes_of(s->vm, VM_GOT, "memory.resident");
	if (!resident || resident > size)
		resident = size;
	units_size_text(huge, a, sizeof(a));
	units_size_text(resident, b, sizeof(b));
	if (huge >= resident - resident / 20)
		found_ok(f, VM_GOT, NULL, where, "%s of %s in huge pages", a, b);
	else
		huge_remedy(found_bad(f, VM_GOT, NULL, where,
				      "huge pages are asked for, but only %s of %s are in them", a,
				      b),
			    page, size);
}

static void check_mem_01(const struct subject *s, struct findings *f)
{
	uint64_t page = s->vm ? bytes_of(s->vm, VM_ASKED, "memory.page") : 0;
	const char *where = s->vm ? fact_where(s->vm, VM_ASKED, "memory.page") : NULL;
	char text[TEXT];

	if (page >= 2 * MIB) {
		found_ok(f, VM_ASKED, NULL, where, "pages of %s are asked for",
			 units_size_text(page, text, sizeof(text)));
		huge_room(s, f, page);
		if (is_running(s))
			huge_got(s, f, page);
	} else if (need_speed(s, f)) {
		huge_remedy(found_bad(f, VM_ASKED, NULL, where, "normal pages"), 2 * MIB,
			    size_of(s->vm));
	}
}

static void check_mem_02(const struct subject *s, struct findings *f)
{
	const uint64_t large = 64 * GIB;
	uint64_t page, size;
	const char *where;

	if (!need_vm(s, f))
		return;
	page = bytes_of(s->vm, VM_ASKED, "memory.page");
	size = size_of(s->vm);
	where = fact_where(s->vm, VM_ASKED, "memory.page");
	if (page >= GIB && size % GIB)
		finding_want(found_bad(f, VM_ASKED, NULL,
				       fact_where(s->vm, VM_ASKED, "memory.size"),
				       "pages of 1 GiB for %" PRIu64 " MiB", size / MIB),
			     "an amount of memory in whole GiB");
	else if (page >= GIB)
		found_ok(f, VM_ASKED, NULL, where, "pages of 1 GiB");
	else if (size < large)
		found_none(f, "it has less than 64 GiB (our own mark for \"very large\")");
	else if (s->here && host_cpu_flag(s, "pdpe1gb") == 0)
		found_none(f, "the host's CPU has no pages of 1 GiB");
	else if (need_speed(s, f))
		huge_remedy(found_bad(f, VM_ASKED, NULL, where, "%" PRIu64 " GiB in smaller pages",
				      size / GIB),
			    GIB, size);
}

/* --- MEM-07, MEM-08, MEM-09 --- */

static void check_mem_07(const struct subject *s, struct findings *f)
{
	struct finding *x;
	long long run;

	if (!need_speed(s, f))
		return;
	if (bytes_of(s->vm, VM_ASKED, "memory.page") >= 2 * MIB) {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "memory.page"),
			 "huge pages are never merged");
	} else if (vm_is(s->vm, VM_ASKED, "off", "memory.merge")) {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "memory.merge"),
			 "its pages are not offered for merging");
	} else if (need_host(s, f)) {
		if (!snapshot_number(s->host, &run, "/sys/kernel/mm/ksm/run") || run != 1) {
			found_ok(f, VM_GOT, NULL, "/sys/kernel/mm/ksm/run",
				 "KSM does not run here");
			return;
		}
		x = found_bad(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "memory.merge"),
			      "KSM runs on the host, and may merge its pages");
		finding_want(x, "pages that are not shared");
		finding_change(x, CHANGE_XML, "<memoryBacking><nosharepages/></memoryBacking>");
		finding_change(x, CHANGE_QEMU, "-machine mem-merge=off");
	}
}

static void prealloc_remedy(struct finding *x)
{
	finding_want(x, "all of its memory there before it starts");
	finding_change(x, CHANGE_XML,
		       "<memoryBacking><allocation mode='immediate' threads='4'/></memoryBacking>");
	finding_change(
		x, CHANGE_QEMU,
		"-object memory-backend-ram,...,prealloc=on,prealloc-threads=4; or -mem-prealloc with -mem-path");
}

static void prealloc_got(const struct subject *s, struct findings *f)
{
	uint64_t resident, size = size_of(s->vm);
	char a[TEXT], b[TEXT];

	if (!size || !vm_number(s->vm, VM_GOT, &resident, "memory.resident")) {
		found_unknown(f, VM_GOT, NULL, "how much of its memory is there cannot be read");
		return;
	}
	units_size_text(resident, a, sizeof(a));
	units_size_text(size, b, sizeof(b));
	if (resident >= size - size / 20)
		found_ok(f, VM_GOT, NULL, fact_where(s->vm, VM_GOT, "memory.resident"),
			 "%s of %s are there", a, b);
	else
		prealloc_remedy(
			found_bad(f, VM_GOT, NULL, fact_where(s->vm, VM_GOT, "memory.resident"),
				  "%s of %s are there; the rest is made when it is touched", a, b));
}

static void check_mem_08(const struct subject *s, struct findings *f)
{
	const char *where;
	bool huge;

	if (!need_speed(s, f))
		return;
	where = fact_where(s->vm, VM_ASKED, "memory.prealloc");
	huge = bytes_of(s->vm, VM_ASKED, "memory.page") >= 2 * MIB;
	if (vm_is(s->vm, VM_ASKED, "on", "memory.prealloc"))
		found_ok(f, VM_ASKED, NULL, where, "allocated at start");
	else if (!where && huge && from_xml(s->vm, "memory.page"))
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "memory.page"),
			 "libvirt allocates huge pages at start");
	else
		prealloc_remedy(
			found_bad(f, VM_ASKED, NULL, where, "allocated when it is touched"));
	if (is_running(s))
		prealloc_got(s, f);
}

static void locked_asked(const struct subject *s, struct findings *f, bool locked, uint64_t limit)
{
	uint64_t size = size_of(s->vm);
	const char *where = fact_where(s->vm, VM_ASKED, "memory.hard-limit");
	struct finding *x = NULL;

	if (limit && limit < size + size / 64) {
		x = found_bad(f, VM_ASKED, NULL, where,
			      "a hard limit of %" PRIu64 " MiB for a machine of %" PRIu64
			      " MiB: QEMU's own needs come on top, and at the limit it is killed",
			      limit / MIB, size / MIB);
		finding_want(x, "no hard limit; with locked memory, one that is far above");
	} else if (limit && !locked) {
		x = found_bad(
			f, VM_ASKED, NULL, where,
			"a hard limit without need: QEMU's own memory cannot be foreseen, and at the limit it is killed");
		finding_want(x, "no hard limit, unless memory is locked");
	}
	if (x) {
		finding_change(x, CHANGE_XML,
			       "no <memtune><hard_limit> (or one well above the memory)");
	} else if (locked && !limit && from_xml(s->vm, "memory.locked")) {
		x = found_bad(
			f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "memory.locked"),
			"locked without a hard limit: what QEMU can take from the host has no bound");
		finding_want(
			x,
			"a hard limit well above its memory, as libvirt's documentation demands");
		finding_change(x, CHANGE_XML,
			       "<memtune><hard_limit unit='MiB'>%" PRIu64 "</hard_limit></memtune>",
			       (size + size / 4) / MIB + 1024);
	} else if (locked) {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "memory.locked"), "locked");
	} else if (s->realtime) {
		x = found_bad(f, VM_ASKED, NULL, NULL,
			      "not locked: its pages may be written to swap");
		finding_want(x, "locked memory, for real time");
		finding_change(x, CHANGE_XML, "<memoryBacking><locked/></memoryBacking>");
		finding_change(x, CHANGE_QEMU, "-overcommit mem-lock=on");
	}
}

static void check_mem_09(const struct subject *s, struct findings *f)
{
	bool locked;
	struct finding *x;

	if (!need_vm(s, f))
		return;
	locked = vm_is(s->vm, VM_ASKED, "on", "memory.locked");
	locked_asked(s, f, locked, bytes_of(s->vm, VM_ASKED, "memory.hard-limit"));
	if (locked && is_running(s)) {
		const char *where = fact_where(s->vm, VM_GOT, "memory.locked");

		if (!where) {
			found_unknown(f, VM_GOT, NULL,
				      "whether its memory is locked cannot be read");
		} else if (vm_is(s->vm, VM_GOT, "on", "memory.locked")) {
			found_ok(f, VM_GOT, NULL, where, "locked");
		} else {
			x = found_bad(f, VM_GOT, NULL, where,
				      "asked for, but its memory is not locked");
			finding_want(x, "RLIMIT_MEMLOCK of QEMU high enough");
		}
	}
	if (!f->n)
		found_none(f, "nothing is locked and nothing limited, as it should be for most");
}

/* --- MEM-10, MEM-11, MEM-14 --- */

/* Memory of machines that have normal pages: huge ones were set aside before. */
static uint64_t normal_memory(const struct vm *vm)
{
	return bytes_of(vm, VM_ASKED, "memory.page") >= 2 * MIB ? 0 : size_of(vm);
}

/* What the pools of huge pages hold, used or not. */
static uint64_t huge_pools(const struct subject *s)
{
	static const uint64_t sizes[] = {2 * MIB, GIB};
	uint64_t sum = 0;
	long long n;

	for (size_t i = 0; i < 2; i++)
		if (snapshot_number(s->host, &n,
				    "/sys/kernel/mm/hugepages/hugepages-%lukB/nr_hugepages",
				    (unsigned long)(sizes[i] / 1024)) &&
		    n > 0)
			sum += (uint64_t)n * sizes[i];
	return sum;
}

static void check_mem_10(const struct subject *s, struct findings *f)
{
	uint64_t all, pools, reserve, sum = s->vm ? normal_memory(s->vm) : 0;
	char a[TEXT], b[TEXT], c[TEXT];
	struct finding *x;

	if (!need_host(s, f))
		return;
	all = host_memory(s);
	pools = huge_pools(s);
	for (size_t i = 0; i < s->nothers; i++)
		sum += normal_memory(s->others[i]);
	/* Proxmox leaves at least 1 GiB to the host, SUSE's paper 5 to 10 % */
	reserve = all / 20 > GIB ? all / 20 : GIB;
	if (!all) {
		found_unknown(f, VM_GOT, NULL, "nothing says how much memory the host has");
		return;
	}
	if (s->vm ? !size_of(s->vm) : !s->nothers) {
		found_none(f, "no machine with a known amount of memory");
		return;
	}
	units_size_text(sum, a, sizeof(a));
	units_size_text(all - (pools < all ? pools : all), b, sizeof(b));
	units_size_text(reserve, c, sizeof(c));
	if (sum + pools + reserve <= all) {
		found_ok(f, VM_ASKED, NULL,
			 s->vm ? fact_where(s->vm, VM_ASKED, "memory.size") : NULL,
			 "machines in normal pages have %s of %s%s", a, b,
			 s->nothers ? "" : " (others: --others)");
	} else if (s->dense) {
		found_none(f, "memory may be overcommitted here (--for dense): %s of %s", a, b);
	} else {
		x = found_bad(
			f, VM_ASKED, NULL,
			s->vm ? fact_where(s->vm, VM_ASKED, "memory.size") : "/proc/meminfo",
			"machines in normal pages have %s, the host has %s beside its huge pages",
			a, b);
		finding_want(x, "at least %s left to the host", c);
		finding_change(x, CHANGE_XML, "<memory> of less, or fewer machines");
	}
}

static void balloon_remedy(struct finding *x)
{
	finding_want(x, "all of its memory: current memory = memory");
	finding_change(x, CHANGE_XML, "<currentMemory> as <memory>, or <memballoon model='none'/>");
	finding_change(x, CHANGE_QEMU,
		       "no virtio-balloon device, or QMP balloon with its full size");
}

static void check_mem_11(const struct subject *s, struct findings *f)
{
	enum vm_side side;

	if (!need_speed(s, f))
		return;
	for (side = VM_ASKED; side <= (is_running(s) ? VM_GOT : VM_ASKED); side++) {
		uint64_t current = bytes_of(s->vm, side, "memory.current"), size = size_of(s->vm);
		const char *where = fact_where(s->vm, side, "memory.current");

		if (current && current < size)
			balloon_remedy(found_bad(f, side, NULL, where,
						 "the balloon holds %" PRIu64 " of its %" PRIu64
						 " MiB",
						 (size - current) / MIB, size / MIB));
	}
	if (f->n)
		return;
	if (vm_is(s->vm, VM_ASKED, "none", "balloon"))
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "balloon"), "no balloon");
	else
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "memory.current"),
			 "the balloon holds nothing");
}

static bool has_vhost_user(const struct vm *vm, char *part, size_t size)
{
	for (unsigned i = 0, n = vm_count(vm, "disk"); i < n && i < 4096; i++)
		if (vm_is(vm, VM_ASKED, "vhost-user-blk", "disk.%u.bus", i) ||
		    vm_is(vm, VM_ASKED, "vhost-user", "disk.%u.transport", i))
			return snprintf(part, size, "disk %u", i) > 0;
	for (unsigned i = 0, n = vm_count(vm, "net"); i < n && i < 4096; i++)
		if (vm_is(vm, VM_ASKED, "vhost-user", "net.%u.backend", i))
			return snprintf(part, size, "net %u", i) > 0;
	return false;
}

static void check_mem_14(const struct subject *s, struct findings *f)
{
	struct finding *x;
	char part[32];

	if (!need_vm(s, f))
		return;
	if (!has_vhost_user(s->vm, part, sizeof(part))) {
		found_none(f, "no device of it is served by another process");
		return;
	}
	x = check_flag(s, f, VM_ASKED, true, 0, "shared memory", "memory.shared");
	if (!x)
		return;
	x->part = xstrdup(part);
	finding_want(
		x, "memory that the vhost-user process can map: without, the device does not work");
	finding_change(
		x, CHANGE_XML,
		"<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>");
	finding_change(x, CHANGE_QEMU,
		       "-object memory-backend-memfd,id=m0,size=%" PRIu64
		       "M,share=on -machine memory-backend=m0",
		       size_of(s->vm) / MIB);
}

const struct rule_row rules_memory[] = {
	{"MEM-01", RULE_SHOULD, "guest.pages", "2M", "any", NULL, check_mem_01},
	{"MEM-02", RULE_MAY, "guest.pages", "1G", "2M", NULL, check_mem_02},
	{"MEM-07", RULE_SHOULD, NULL, NULL, NULL, NULL, check_mem_07},
	{"MEM-08", RULE_SHOULD, NULL, NULL, NULL, NULL, check_mem_08},
	{"MEM-09", RULE_SHOULD, NULL, NULL, NULL, NULL, check_mem_09},
	{"MEM-10", RULE_SHOULD, NULL, NULL, NULL, NULL, check_mem_10},
	{"MEM-11", RULE_SHOULD, NULL, NULL, NULL, NULL, check_mem_11},
	{"MEM-14", RULE_MUST, NULL, NULL, NULL, NULL, check_mem_14},
	{.id = NULL},
};
