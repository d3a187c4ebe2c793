// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of qcow2's caches: L2 tables, their slices, refcounts. */
#include <stdio.h>
#include <string.h>
#include "base/units.h"
#include "tuner/disks.h"

#define CLUSTER_DEFAULT ((uint64_t)64 << 10)
#define L2_CACHE_MAX ((uint64_t)32 << 20) /* QEMU's default at most, on Linux since 3.1 */
#define L2_CACHE_OLD ((uint64_t)1 << 20)
#define L2_ENTRY_DEFAULT ((uint64_t)4096)
/* Refcount cache: 4 clusters at least, QEMU's default. */
enum { REFCOUNT_CLUSTERS = 4 };

static uint64_t cluster_of(const struct disk *d)
{
	uint64_t n;

	return disk_number(d, VM_GOT, "cluster", &n) && n >= 512 ? n : CLUSTER_DEFAULT;
}

/* Bytes of L2 tables for the whole disk: 8 a cluster, 16 with subclusters [QEMU, qcow2-cache]. */
static bool l2_needed(const struct disk *d, uint64_t *out)
{
	uint64_t size, cluster = cluster_of(d);

	if (!disk_number(d, VM_GOT, "size", &size) || size > (uint64_t)1 << 60)
		return false;
	*out = (size + cluster - 1) / cluster * (disk_is(d, VM_GOT, "extended-l2", "on") ? 16 : 8);
	return true;
}

/* Bytes of cache that there are; *said: asked for. */
static uint64_t l2_have(const struct disk *d, uint64_t needed, bool *said)
{
	uint64_t n, most = qemu_older(d->vm, 3, 1) == 1 ? L2_CACHE_OLD : L2_CACHE_MAX;

	*said = disk_number(d, VM_ASKED, "l2-cache", &n);
	if (*said)
		return n;
	return needed < most ? needed : most;
}

static void l2_change(struct finding *bad, uint64_t bytes)
{
	finding_change(bad, CHANGE_XML,
		       "<driver ...><metadata_cache><max_size unit='bytes'>%" PRIu64
		       "</max_size></metadata_cache></driver>",
		       bytes);
	finding_change(bad, CHANGE_QEMU, "-drive ...,l2-cache-size=%" PRIu64, bytes);
}

static void l2_cache_of(const struct disk *d)
{
	struct said asked = disk_said(d, VM_ASKED, "l2-cache");
	uint64_t needed, have;
	struct finding *bad;
	char a[32], b[32];
	bool said;

	if (!disk_is_qcow2(d))
		return;
	if (!l2_needed(d, &needed)) {
		found_unknown(
			d->f, VM_ASKED, d->part,
			"the disk's size is not known here; its cache should be size / cluster "
			"size x 8 bytes: `qemu-img info IMAGE`");
		return;
	}
	have = l2_have(d, needed, &said);
	units_size_text(have, a, sizeof(a));
	units_size_text(needed, b, sizeof(b));
	if (have >= needed) {
		found_ok(d->f, VM_ASKED, d->part, asked.where,
			 "L2 cache %s%s, the whole disk takes %s", a,
			 said ? "" : " (QEMU's default)", b);
	} else if (said || have < L2_CACHE_MAX) {
		bad = found_bad(d->f, VM_ASKED, d->part, asked.where,
				"L2 cache %s%s, the whole disk takes %s", a,
				said ? "" : ", the default of QEMU before 3.1", b);
		finding_want(bad, "%s, or what the area in use takes", b);
		l2_change(bad, needed);
	} else {
		found_unknown(
			d->f, VM_ASKED, d->part,
			"L2 cache %s (QEMU's default) covers a part, the whole disk takes %s: "
			"enough if the area in random use is smaller in proportion",
			a, b);
	}
}

void img_l2_cache(const struct subject *s, struct findings *f)
{
	disks_each(s, f, l2_cache_of, "no image is qcow2");
}

bool img_advise_l2_cache(const struct subject *s, char *buf, size_t size)
{
	struct disk d = {.s = s, .vm = s->vm};
	uint64_t needed;

	if (!s->vm || !disk_is_qcow2(&d) || !l2_needed(&d, &needed) || !needed)
		return false;
	snprintf(buf, size, "%" PRIu64, needed);
	return true;
}

static void l2_entry_of(const struct disk *d)
{
	struct said asked = disk_said(d, VM_ASKED, "l2-cache-entry");
	uint64_t entry = L2_ENTRY_DEFAULT, needed;
	struct finding *bad;
	bool said;

	if (!disk_is_qcow2(d))
		return;
	disk_number(d, VM_ASKED, "l2-cache-entry", &entry);
	if (entry <= L2_ENTRY_DEFAULT ||
	    (l2_needed(d, &needed) && l2_have(d, needed, &said) >= needed)) {
		found_ok(d->f, VM_ASKED, d->part, asked.where, "L2 slices of %" PRIu64 " bytes%s",
			 entry, asked.value ? "" : " (not said: QEMU's default)");
		return;
	}
	bad = found_bad(d->f, VM_ASKED, d->part, asked.where, "L2 slices of %" PRIu64 " bytes",
			entry);
	finding_want(bad, "4096, unless the cache covers the whole disk");
	finding_change(bad, CHANGE_QEMU, "-drive ...,l2-cache-entry-size=4096");
}

void img_l2_entry(const struct subject *s, struct findings *f)
{
	disks_each(s, f, l2_entry_of, "no image is qcow2");
}

static void cache_clean_of(const struct disk *d)
{
	struct said asked = disk_said(d, VM_ASKED, "cache-clean");
	struct finding *bad;
	uint64_t seconds = 600;

	if (!disk_is_qcow2(d))
		return;
	disk_number(d, VM_ASKED, "cache-clean", &seconds);
	if (seconds || !d->s->dense) {
		found_ok(d->f, VM_ASKED, d->part, asked.where,
			 seconds ? "unused cache is freed after %" PRIu64 " s%s"
				 : "unused cache is kept (%" PRIu64 ")%s",
			 seconds, asked.value ? "" : " (not said: QEMU's default)");
		return;
	}
	bad = found_bad(d->f, VM_ASKED, d->part, asked.where,
			"unused cache is never freed, on a crowded host");
	finding_want(bad, "600 seconds, QEMU's default, or less");
	finding_change(bad, CHANGE_QEMU, "-drive ...,cache-clean-interval=600");
}

void img_cache_clean(const struct subject *s, struct findings *f)
{
	disks_each(s, f, cache_clean_of, "no image is qcow2");
}

static void refcount_cache_of(const struct disk *d)
{
	struct said asked = disk_said(d, VM_ASKED, "refcount-cache");
	uint64_t n, least = REFCOUNT_CLUSTERS * cluster_of(d);
	struct finding *bad;

	if (!disk_is_qcow2(d) || !disk_number(d, VM_ASKED, "refcount-cache", &n))
		return;
	if (n >= least && n <= L2_CACHE_MAX) {
		found_ok(d->f, VM_ASKED, d->part, asked.where,
			 "refcount cache of %" PRIu64 " bytes", n);
		return;
	}
	bad = found_bad(d->f, VM_ASKED, d->part, asked.where, "refcount cache of %" PRIu64 " bytes",
			n);
	finding_want(bad, "QEMU's default of 4 clusters: memory serves better as L2 cache");
	finding_change(bad, CHANGE_QEMU, "no refcount-cache-size");
}

void img_refcount_cache(const struct subject *s, struct findings *f)
{
	disks_each(s, f, refcount_cache_of, "no refcount cache is asked for: QEMU's default");
}
