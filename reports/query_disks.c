/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which runs are about images or numbers of disks, and which figures tell of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "reports/page.h"

static const char *key_of(const struct model_cell *c, const char *key)
{
	return json_string_value(json_object_get(c->keys, key));
}

/* Made of data, or held against what was published of making images. */
static bool about_images(const struct model *m)
{
	for (size_t i = 0; i < m->ncells; i++) {
		const char *content = key_of(&m->cells[i], "disk.content");

		if (content && strcmp(content, "data") == 0)
			return true;
	}
	for (size_t i = 0; i < m->nclaims; i++)
		if (m->claims[i].metric && strncmp(m->claims[i].metric->id, "image.", 6) == 0)
			return true;
	return false;
}

static bool about_disks(const struct model *m)
{
	for (size_t i = 0; i < m->ncells; i++) {
		const char *n = key_of(&m->cells[i], "disk.count");

		if (n && strtoul(n, NULL, 10) > 1)
			return true;
	}
	return false;
}

static bool any_value(const struct model_workload *w, const struct metric_row *metric)
{
	for (size_t i = 0; i < w->nrows; i++) {
		const struct model_value *v = row_value(&w->rows[i], metric);

		if (v && isfinite(v->abs.mid))
			return true;
	}
	return false;
}

bool workload_aside(const struct model *m, const struct model_workload *w, enum aside_kind kind,
		    struct aside *a)
{
	static const struct {
		const char *title;
		struct {
			const char *id, *name;
		} of[ASIDE_MAX];
	} kinds[ASIDE_KINDS] = {
		[ASIDE_IMAGE] = {"image",
				 {{"image.create", "create"},
				  {"image.convert", "convert"},
				  {"image.bytes", "size after"}}},
		[ASIDE_DISKS] = {"disks",
				 {{"iops.per_disk", "IOPS/disk"},
				  {"plug.time", "plugging"},
				  {"host.rss", "QEMU's memory"}}},
	};

	*a = (struct aside){.title = kinds[kind].title};
	if (!(kind == ASIDE_IMAGE ? about_images(m) : about_disks(m)))
		return false;
	for (size_t i = 0; i < ASIDE_MAX; i++) {
		const struct metric_row *row = metric_find(kinds[kind].of[i].id);

		if (!row || !any_value(w, row))
			continue;
		a->metric[a->n] = row;
		a->name[a->n++] = kinds[kind].of[i].name;
	}
	/* a size alone stands among the further metrics already */
	return a->n > 1 || (a->n == 1 && strcmp(a->metric[0]->id, "image.bytes") != 0);
}
