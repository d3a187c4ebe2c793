// SPDX-License-Identifier: GPL-2.0-or-later
/* The driver's side of a virtqueue: what split and packed have in common. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engines/drv_internal.h"

/* Areas begin on lines of their own; two, since processors fetch them in pairs. */
#define AREA_ALIGN 128

static size_t align_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

static bool has_tables(const struct ring_opts *o)
{
	return o->indirect;
}

static size_t table_stride(unsigned max_segs)
{
	return align_up(max_segs * sizeof(struct drv_table_entry), DRV_LINE);
}

/* Offsets of the areas and, last, of the tables. */
struct places {
	size_t driver, device, tables, end;
};

static struct places places_of(const struct ring_opts *o, unsigned max_segs)
{
	struct ring_bytes b = ring_bytes(o);
	struct places p;

	p.driver = align_up(b.desc, AREA_ALIGN);
	p.device = align_up(p.driver + b.driver, AREA_ALIGN);
	p.tables = align_up(p.device + b.device, AREA_ALIGN);
	p.end = p.tables + (has_tables(o) ? table_stride(max_segs) * o->size : 0);
	return p;
}

size_t drv_bytes(const struct ring_opts *o, unsigned max_segs)
{
	return places_of(o, max_segs).end;
}

int drv_make(struct drv_vq **out, const struct ring_opts *o, unsigned max_segs, void *mem,
	     uint64_t addr, struct err *e)
{
	const char *why = ring_why_not(o);
	struct places p;
	struct drv_vq *q;
	unsigned i;

	*out = NULL;
	if (why)
		return err_input(e, "virtqueue of %u entries: %s", o->size, why);
	if (!max_segs || max_segs > RING_MAX_SIZE)
		return err_input(e, "virtqueue: chains of at most %u segments cannot be", max_segs);
	p = places_of(o, max_segs);
	q = xcalloc(1, sizeof(*q));
	q->o = *o;
	q->max_segs = max_segs;
	q->areas = (struct ring_areas){mem, (char *)mem + p.driver, (char *)mem + p.device};
	q->nfree = o->size;
	q->chain = xcalloc(o->size, sizeof(*q->chain));
	q->free = xcalloc(o->size, sizeof(*q->free));
	q->place = xcalloc(o->size, sizeof(*q->place));
	/* lowest on top */
	for (i = 0; i < o->size; i++)
		drv_give(q, (uint16_t)(o->size - 1 - i));
	if (has_tables(o)) {
		q->tables = (char *)mem + p.tables;
		q->tables_addr = addr + p.tables;
		q->stride = table_stride(max_segs);
		q->table_shadow =
			xcalloc((unsigned long)o->size * max_segs, sizeof(*q->table_shadow));
	}
	q->ops = o->packed ? &drv_packed_ops : &drv_split_ops;
	q->ops->start(q);
	*out = q;
	return 0;
}

void drv_free(struct drv_vq *q)
{
	if (!q)
		return;
	if (!q->o.packed)
		free(q->split.shadow);
	free(q->table_shadow);
	free(q->chain);
	free(q->free);
	free(q->place);
	free(q);
}

void drv_areas(const struct drv_vq *q, struct ring_areas *out)
{
	*out = q->areas;
}

void drv_rewrite(struct drv_vq *q, bool all)
{
	q->rewrite = all ? DRV_REWRITE : 0;
}

int drv_add(struct drv_vq *q, const struct drv_seg *segs, unsigned out, unsigned in, uint32_t token)
{
	unsigned n = out + in, need = q->o.indirect && n > 1 ? 1 : n;

	if (!n || n > q->max_segs || n > q->o.size)
		return -EMSGSIZE;
	if (need > q->nfree)
		return -ENOSPC;
	return q->ops->add(q, segs, out, in, token);
}

unsigned drv_room(const struct drv_vq *q, unsigned nsegs)
{
	if (!nsegs || nsegs > q->max_segs || nsegs > q->o.size)
		return 0;
	return q->o.indirect && nsegs > 1 ? q->nfree : q->nfree / nsegs;
}

bool drv_publish(struct drv_vq *q)
{
	return q->ops->publish(q);
}

int drv_harvest(struct drv_vq *q, struct drv_done *done, unsigned max)
{
	if (q->why[0])
		return -EPROTO;
	return q->ops->harvest(q, done, max);
}

const char *drv_why(const struct drv_vq *q)
{
	return q->why;
}

unsigned drv_outstanding(const struct drv_vq *q)
{
	return q->outstanding;
}

void drv_suppress(struct drv_vq *q)
{
	q->ops->suppress(q);
}

bool drv_arm(struct drv_vq *q, unsigned after)
{
	if (after > q->outstanding)
		after = q->outstanding;
	if (!after)
		after = 1;
	q->n.arms++;
	if (q->ops->arm(q, after))
		return true;
	q->ops->suppress(q);
	return false;
}

const struct drv_counters *drv_counters(const struct drv_vq *q)
{
	return &q->n;
}

int drv_broken(struct drv_vq *q, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(q->why, sizeof(q->why), fmt, ap);
	va_end(ap);
	return -EPROTO;
}
