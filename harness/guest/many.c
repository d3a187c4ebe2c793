// SPDX-License-Identifier: GPL-2.0-or-later
/* Site "guests": several small guests opened, plugged and asked one by one, and working at once. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/term.h"
#include "guest/many_internal.h"
#include "guest/pin.h"

static struct many *many_of(struct site *s)
{
	return (struct many *)s;
}

int many_fail(struct many *m, size_t i, int rc, struct err *e)
{
	m->site.cause = m->guest[i]->site.cause;
	if (m->site.cause != CAUSE_INTERRUPTED)
		err_prefix(e, "guest %zu", i + 1);
	return rc;
}

/* As many guests as are asked for; the first is another's. */
static void many_want(struct many *m, size_t n)
{
	m->guest = xrealloc(m->guest, n > m->made ? n : m->made, sizeof(*m->guest));
	for (; m->made < n; m->made++)
		m->guest[m->made] =
			m->made ? small_of(site_small_peer(&m->guest[0]->site)) : m->first;
	m->n = n;
}

static int many_prepare(struct site *site, const struct cell *c, const struct disk_plan *p,
			struct err *e)
{
	struct many *m = many_of(site);
	int rc;

	m->first->site.block = site->block;
	m->first->site.folder = site->folder;
	rc = m->first->site.ops->prepare(&m->first->site, c, p, e);
	site->cause = m->first->site.cause;
	return rc;
}

/* The first guest's artefacts lie where those of a single one would, the others' beside them. */
static int many_folder(struct many *m, size_t i, struct err *e)
{
	struct site *g = &m->guest[i]->site;
	int rc = 0;

	g->block = m->site.block;
	g->folder = m->site.folder;
	if (i) {
		m->folder[i] = xasprintf("%s/guest-%zu", m->site.folder, i + 1);
		rc = dir_make(m->folder[i], 0755, e);
		g->folder = m->folder[i];
	}
	if (rc)
		g->cause = CAUSE_PLAN;
	return rc;
}

static int many_open(struct site *site, const struct cell *c, const struct disk_plan *p,
		     char template_id[40], struct err *e)
{
	struct many *m = many_of(site);
	size_t n = site->guests ? site->guests : 1, i;
	int rc = 0;

	if (n > MANY_MAX) {
		site->cause = CAUSE_PLAN;
		return err_input(e, "guest.count: %zu guests, and at most %d are started", n,
				 MANY_MAX);
	}
	many_want(m, n);
	for (i = 0; i < n && !rc; i++) {
		rc = many_folder(m, i, e);
		m->guest[i]->site.pins = site->pins ? &site->pins[i] : NULL;
		if (!rc)
			rc = m->first->site.ops->open(&m->guest[i]->site, c, &p[i], template_id, e);
		if (rc)
			return many_fail(m, i, rc, e);
	}
	site->boot_ns = 0;
	for (i = 0; i < n; i++) {
		m->each[i] = &m->guest[i]->site;
		if (m->each[i]->boot_ns > site->boot_ns)
			site->boot_ns = m->each[i]->boot_ns;
	}
	site->each = m->each;
	return 0;
}

static int many_plug(struct site *site, const struct disk_plan *p, struct err *e)
{
	struct many *m = many_of(site);
	size_t i;
	int rc;

	site->rss_bytes = 0;
	site->visible_ns = 0;
	for (i = 0; i < m->n; i++) {
		struct site *g = &m->guest[i]->site;

		rc = g->ops->plug(g, &p[i], e);
		if (rc)
			return many_fail(m, i, rc, e);
		site->rss_bytes += g->rss_bytes;
		if (g->visible_ns > site->visible_ns)
			site->visible_ns = g->visible_ns;
	}
	snprintf(site->target, sizeof(site->target), "%s", m->guest[0]->site.target);
	return 0;
}

static int many_ask(struct site *site, json_t **evidence, struct err *e)
{
	struct many *m = many_of(site);
	json_t *all = json_array();
	size_t i;
	int rc = 0;

	*evidence = NULL;
	for (i = 0; i < m->n && !rc; i++) {
		struct site *g = &m->guest[i]->site;
		json_t *one = NULL;

		rc = g->ops->ask(g, &one, e);
		if (rc)
			many_fail(m, i, rc, e);
		else
			json_array_append_new(all, one);
	}
	if (rc)
		json_decref(all);
	else
		*evidence = json_pack("{s:o}", "guests", all);
	return rc;
}

/* Of one guest's evidence: their machines are equal. */
static size_t many_agreed(struct site *site, const struct cell *c, const json_t *evidence,
			  struct asked_got *out, size_t max)
{
	struct many *m = many_of(site);

	return m->first->site.ops->agreed(&m->first->site, c, evidence, out, max);
}

static void many_close(struct site *site, bool clean)
{
	struct many *m = many_of(site);
	size_t i;

	for (i = m->n; i-- > 0;) {
		struct site *g = &m->guest[i]->site;

		g->ops->close(g, clean);
		g->folder = NULL;
		free(m->folder[i]);
		m->folder[i] = NULL;
	}
	site->each = NULL;
	site->rss_bytes = 0;
	m->n = 0;
}

static void many_end_block(struct site *site)
{
	(void)site; /* the templates are the first guest's, which has an owner */
}

static void many_destroy(struct site *site)
{
	struct many *m = many_of(site);
	size_t i;

	many_close(site, false);
	for (i = 1; i < m->made; i++)
		m->guest[i]->site.ops->destroy(&m->guest[i]->site);
	free(m->guest);
	free(m);
}

static const struct site_ops many_ops = {
	.name = "small guests",
	.fresh = true,
	.prepare = many_prepare,
	.open = many_open,
	.plug = many_plug,
	.ask = many_ask,
	.agreed = many_agreed,
	.work = many_work,
	.close = many_close,
	.end_block = many_end_block,
	.destroy = many_destroy,
};

struct site *site_many_new(struct site *first)
{
	struct many *m = xcalloc(1, sizeof(*m));

	m->site.ops = &many_ops;
	m->first = small_of(first);
	return &m->site;
}
