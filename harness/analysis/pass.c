// SPDX-License-Identifier: GPL-2.0-or-later
/* First writes or steady state: what a workload finds on a cell's image, and whether that lasts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"

#define LABELS_SHOWN 4
/* From so many writes on, as a share of the image's clusters, a good part of them meets a cluster
 * that an earlier one has allocated: of random ones 31 % of 0.8 (1 - (1 - exp(-0.8)) / 0.8). */
#define USED_UP 0.8

/* A number over 0 as the store has it, else NAN. */
static double number_of(const char *v)
{
	char *end;
	double x = v ? strtod(v, &end) : NAN;

	return v && end != v && !*end && x > 0 && isfinite(x) ? x : NAN;
}

enum workload_pass cell_pass(const char *precondition, const struct model_cell *c)
{
	const char *v = precondition;

	if (!v || !strcmp(v, "disk"))
		v = cell_value(c, "disk.precondition");
	if (!v)
		return PASS_NONE;
	if (strcmp(v, "none") && strcmp(v, "first-write"))
		return PASS_STEADY;
	/* a device has what the trial before left on it, and nobody made it fresh */
	if (cell_value_is(c, "disk.backend", "block"))
		return PASS_NONE;
	/* converted data are allocated, unless they lie under an overlay */
	if (cell_value_is(c, "disk.content", "data") &&
	    isnan(number_of(cell_value(c, "disk.backing"))))
		return PASS_STEADY;
	return PASS_FIRST_WRITE;
}

/* A key of a workload, whether stored as "rw" or as "workload.rw". */
static const char *work_text(const json_t *keys, const char *name, char buf[64])
{
	const char *v = json_text(json_object_get(keys, name), buf, 64);
	char full[64];

	if (v)
		return v;
	snprintf(full, sizeof(full), "workload.%s", name);
	return json_text(json_object_get(keys, full), buf, 64);
}

static double work_number(const json_t *keys, const char *name)
{
	char buf[64];

	return number_of(work_text(keys, name, buf));
}

static bool writes(const json_t *keys)
{
	char buf[64];
	const char *rw = work_text(keys, "rw", buf);

	return rw && (strstr(rw, "write") || strstr(rw, "rw"));
}

enum workload_pass workload_pass_of(const struct model *m, const json_t *keys)
{
	char buf[64];
	const char *own = work_text(keys, "precondition", buf);
	enum workload_pass pass = PASS_NONE;

	if (!own || !strcmp(own, "disk") || !writes(keys))
		return PASS_NONE;
	for (size_t i = 0; i < m->ncells; i++) {
		enum workload_pass p = cell_pass(own, &m->cells[i]);

		/* of cells that find different things no word holds */
		if (p == PASS_NONE || (i && p != pass))
			return PASS_NONE;
		pass = p;
	}
	return pass;
}

/*
 * Bytes that a first write allocates at once: a cluster of qcow2, of which subclusters are 32nds
 * [QEMU, docs/interop/qcow2.txt, "Extended L2 Entries"]; elsewhere what is written. NAN: not told.
 */
static double allocation_unit(const struct model_cell *c, double bs)
{
	double cluster = number_of(cell_value(c, "disk.cluster-size"));

	if (!cell_value_is(c, "disk.format", "qcow2"))
		return bs;
	return cell_value_is(c, "disk.extended-l2", "on") ? cluster / 32 : cluster;
}

/*
 * Writes within a trial as a share of what they can be first writes to: with ramp, during which
 * they are taken to be as many a second. NAN: these are no first writes, or it cannot be told.
 */
static double used_share(const struct model_row *r, const struct model_cell *c, const json_t *keys)
{
	const struct model_value *v = row_metric(r, "write.iops");
	double bs = work_number(keys, "bs"), part = work_number(keys, "size");
	double size = number_of(cell_value(c, "disk.size")), ramp = work_number(keys, "ramp");
	double count = number_of(cell_value(c, "disk.count")), unit = allocation_unit(c, bs);
	double seconds = (work_number(keys, "runtime") + (ramp > 0 ? ramp : 0)) / 1e9;
	char buf[64];

	/* full: all is allocated and written by QEMU beforehand */
	if (!v || cell_pass(work_text(keys, "precondition", buf), c) != PASS_FIRST_WRITE ||
	    cell_value_is(c, "disk.mode", "full"))
		return NAN;
	if (part > 0 && part < size)
		size = part;
	size *= count > 0 ? count : 1; /* write.iops is that of all disks */
	return v->abs.mid * seconds * fmax(bs, unit) / size;
}

static void warn_workload(struct build *b, size_t work, const json_t *keys)
{
	const struct model_workload *w = &b->m->workloads[work];
	char *labels = NULL;
	double most = 0;
	size_t n = 0;

	for (size_t r = 0; r < w->nrows; r++) {
		const struct model_cell *c = &b->m->cells[w->rows[r].cell];
		double share = used_share(&w->rows[r], c, keys);

		if (!(share > USED_UP))
			continue;
		most = fmax(most, share);
		if (++n <= LABELS_SHOWN)
			text_add(&labels, "%s%s", labels ? "; " : "", c->label);
	}
	if (n)
		model_warn(b->m,
			   "%s: the writes of one trial were as many as %.0f %% of the image's "
			   "clusters%s in %zu of %zu cells (%s%s): later writes were no first "
			   "writes. Raise disk.size or shorten runtime.",
			   w->name, 100 * most, n > 1 ? " at most" : "", n, w->nrows, labels,
			   n > LABELS_SHOWN ? "; ..." : "");
	free(labels);
}

void warn_used_up(struct build *b)
{
	for (size_t i = 0; i < b->nworks && i < b->m->nworkloads; i++) {
		const char *text = b->works[i].keys_json;
		json_t *keys = text ? json_loads(text, 0, NULL) : NULL;

		if (writes(keys))
			warn_workload(b, i, keys);
		json_decref(keys);
	}
}
