/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a reader must know before believing the figures. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"

/* From here on a t interval is at most 1.23 times the ideal one, and forecasts begin to mean
 * something (parts 2, 4). */
#define BLOCKS_WANTED 6
#define LABELS_SHOWN 4
#define COUNT_MAX 100000ul /* of threads: what says more is no run of ours */

void model_warn(struct model *m, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	for (size_t i = 0; s && i < m->nwarnings; i++)
		if (!strcmp(m->warnings[i], s)) { /* once is enough */
			free(s);
			return;
		}
	if (!s)
		return;
	m->warnings = xrealloc(m->warnings, m->nwarnings + 1, sizeof(*m->warnings));
	m->warnings[m->nwarnings++] = s;
}

/* Shares of time above which the host counts as noisy; a trial's own QEMU is part of psi_cpu, hence
 * its height. */
static const struct {
	const char *key;
	double median, max;
	const char *what;
} noisy[] = {
	{"steal", 0.01, 0.05, "CPU time was stolen from this host by its hypervisor"},
	{"psi_cpu", 0.25, 0.75, "tasks waited for a CPU"},
	{"psi_io", 0.50, 0.95, "tasks waited for I/O"},
	{"psi_mem", 0.01, 0.10, "tasks waited for memory"},
};

static void warn_noise(struct model *m)
{
	for (size_t i = 0; i < sizeof(noisy) / sizeof(*noisy); i++) {
		json_t *o = json_object_get(m->noise, noisy[i].key);
		double mid = json_number_value(json_object_get(o, "median"));
		double max = json_number_value(json_object_get(o, "max"));

		if (mid > noisy[i].median || max > noisy[i].max)
			model_warn(
				m,
				"The host was not quiet: %s during %.0f %% of a trial in the median, %.0f %% at worst.",
				noisy[i].what, 100 * mid, 100 * max);
	}
}

static void warn_guests(struct build *b)
{
	json_t *host = b->run.host_json ? json_loads(b->run.host_json, 0, NULL) : NULL;
	double n = json_number_value(json_object_get(b->meta, "other_guests"));

	n = fmax(n, json_number_value(json_object_get(host, "other_guests")));
	n = fmax(n, json_number_value(
			    json_object_get(json_object_get(b->m->noise, "other_guests"), "max")));
	if (n >= 1)
		model_warn(b->m, "%.0f other guest%s ran on this host.", n, n >= 2 ? "s" : "");
	json_decref(host);
}

static bool polls(const struct model_cell *c, const char *key)
{
	return cell_value_is(c, key, "poll") || cell_value_is(c, key, "adaptive");
}

static unsigned long value_count(const struct model_cell *c, const char *key)
{
	const char *v = cell_value(c, key);
	unsigned long n = v ? strtoul(v, NULL, 10) : 0;

	return n < COUNT_MAX ? n : COUNT_MAX;
}

/*
 * Threads of a cell that keep a CPU busy without work, or that stand for a CPU: those of fio and of
 * the server that poll, vCPUs, and QEMU's iothread, which polls by default. An export of
 * qemu-storage-daemon does not, whatever its iothread is told: its kick has no poll handler.
 */
static unsigned long threads_of(const struct model_cell *c, unsigned long jobs)
{
	bool host = cell_value_is(c, "guest.site", "host"),
	     loop = cell_value_is(c, "disk.server", "loop");
	unsigned long n = 0;

	if (host)
		n += polls(c, "disk.wait") ? jobs : 0;
	else
		n += value_count(c, "guest.vcpus") + cell_value_is(c, "disk.iothread", "on");
	if (polls(c, "disk.server-wait") && !cell_value_is(c, "disk.server", "storage-daemon"))
		n += loop ? jobs : value_count(c, "disk.queues");
	return n;
}

/* The most jobs that any workload has. */
static unsigned long most_jobs(const struct build *b)
{
	unsigned long most = 1;

	for (size_t i = 0; i < b->nworks; i++) {
		const char *text = b->works[i].keys_json;
		json_t *w = text ? json_loads(text, 0, NULL) : NULL;
		char buf[32];
		const char *v = json_text(json_object_get(w, "workload.numjobs"), buf, sizeof(buf));
		unsigned long n = v ? strtoul(v, NULL, 10) : 1;

		most = n > most && n < COUNT_MAX ? n : most;
		json_decref(w);
	}
	return most;
}

static void warn_crowded(struct build *b)
{
	json_t *host = b->run.host_json ? json_loads(b->run.host_json, 0, NULL) : NULL;
	json_t *pus = json_object_get(json_object_get(host, "topology"), "allowed_pus");
	unsigned long cpus = json_integer_value(pus) > 0 ? json_integer_value(pus) : 0;
	unsigned long jobs = most_jobs(b);
	char *labels = NULL;
	size_t n = 0;

	for (size_t i = 0; cpus && i < b->m->ncells; i++) {
		const struct model_cell *c = &b->m->cells[i];
		unsigned long threads = threads_of(c, jobs);

		if (threads > cpus && ++n <= LABELS_SHOWN)
			text_add(&labels, "%s%s: %lu", labels ? "; " : "", c->label, threads);
	}
	if (n)
		model_warn(b->m,
			   "More threads poll or run vCPUs than the host's %lu CPU%s in %zu of %zu "
			   "cells (%s%s): they take CPU time from each other, and such figures are "
			   "the scheduler's, too.",
			   cpus, cpus == 1 ? "" : "s", n, b->m->ncells, labels,
			   n > LABELS_SHOWN ? "; ..." : "");
	free(labels);
	json_decref(host);
}

/* A run that ended by itself, and what that does to its figures (part 6). */
static void warn_early(struct model *m)
{
	if (m->seq_max)
		model_warn(
			m,
			"Stopped early, after %u of at most %u blocks, since all was decided: intervals are those that allow a look after each block, wider than Student's; an estimate after an early stop is a little too large.",
			m->blocks_done, m->blocks_planned);
	else
		model_warn(
			m,
			"Stopped early, after %u of at most %u blocks, when the intervals were as narrow as was asked for.",
			m->blocks_done, m->blocks_planned);
}

static void warn_state(struct build *b)
{
	struct model *m = b->m;
	unsigned all = m->trials_ok + m->trials_failed + m->trials_limit;

	if (m->nrungs)
		ladder_warn(m);
	else if (m->relative_only)
		model_warn(
			m,
			"Measured under TCG (QEMU's emulation): compare cells with each other, but take no figure for what "
			"guests under KVM get.");
	if (strcmp(m->status, "complete"))
		model_warn(
			m,
			"The run is not complete (%s, %u of %u trials, %u of %u blocks): vbench run --resume %s goes on with it.",
			m->status, all, m->trials_planned, m->blocks_done, m->blocks_planned,
			m->uuid);
	else if (m->search)
		; /* its blocks are rounds, of those cells that are still in */
	else if (m->stopped_early)
		warn_early(m);
	else if (m->blocks_done < m->blocks_planned)
		model_warn(m, "Stopped after %u of %u blocks, when the time asked for was used up.",
			   m->blocks_done, m->blocks_planned);
	if (!m->trials_ok)
		model_warn(m, "No trial succeeded: there is nothing to compare.");
	else if (!m->search && m->blocks_done < BLOCKS_WANTED)
		model_warn(
			m,
			"Only %u whole block%s: intervals are wide, and below %d blocks their width itself is uncertain.",
			m->blocks_done, m->blocks_done == 1 ? "" : "s", BLOCKS_WANTED);
}

static void warn_failed(struct model *m)
{
	if (m->trials_failed)
		model_warn(
			m,
			"%u of %u trials failed; their blocks are left out of the comparisons that need them.",
			m->trials_failed, m->trials_ok + m->trials_failed + m->trials_limit);
	/* A ladder says so of each layer, and has no first cell. */
	for (size_t i = 0; !m->nrungs && i < m->nworkloads; i++) {
		const struct model_workload *w = &m->workloads[i];
		char *labels = NULL;
		unsigned n = 0;

		for (size_t r = 0; r < w->nrows; r++)
			if (w->rows[r].too_many_failed && ++n <= LABELS_SHOWN)
				text_add(&labels, "%s%s", labels ? "; " : "", m->cells[r].label);
		if (n)
			model_warn(
				m,
				"%s: no verdict on %u of %zu cells (%s%s), since more than 5 %% of their trials failed: missing is not random then%s.",
				w->name, n, w->nrows, labels, n > LABELS_SHOWN ? "; ..." : "",
				w->rows[0].too_many_failed
					? ". The first cell is among them, so there are no ratios either"
					: "");
		free(labels);
	}
}

/* "fill" and "random" write everything beforehand. */
static bool fills(const char *precondition)
{
	return precondition && (!strcmp(precondition, "fill") || !strcmp(precondition, "random") ||
				!strcmp(precondition, "steady"));
}

/* An image of a cell of which much was never written; own: the workload's precondition, or NULL. */
static bool unwritten(const struct model_cell *c, const char *own)
{
	bool by_disk = !own || !strcmp(own, "disk");

	bool nbd = cell_value_is(c, "disk.backend", "nbd") &&
		   (cell_value_is(c, "disk.nbd", "qemu-nbd") ||
		    cell_value_is(c, "disk.nbdkit", "file"));
	bool served = cell_value_is(c, "disk.backend", "vhost-user") &&
		      cell_value_is(c, "disk.serves", "file");

	if ((!cell_value_is(c, "disk.backend", "file") && !nbd && !served) || fills(own))
		return false;
	/* full wrote every byte of the image already, and data came with it */
	return !(by_disk && fills(cell_value(c, "disk.precondition"))) &&
	       !cell_value_is(c, "disk.mode", "full") &&
	       (!cell_value(c, "disk.content") || cell_value_is(c, "disk.content", "empty"));
}

/*
 * Reads of what was never written are answered from metadata (a hole, an unallocated cluster, an
 * unwritten extent): the disk takes no part in them, and the format that knows soonest "wins".
 */
static void warn_unwritten(struct build *b)
{
	for (size_t i = 0; i < b->nworks; i++) {
		json_t *w =
			b->works[i].keys_json ? json_loads(b->works[i].keys_json, 0, NULL) : NULL;
		const char *rw = json_string_value(json_object_get(w, "workload.rw"));
		const char *own = json_string_value(json_object_get(w, "workload.precondition"));
		bool reads = rw && (strstr(rw, "read") || strstr(rw, "rw"));
		size_t n = 0;

		for (size_t c = 0; reads && c < b->m->ncells; c++)
			n += unwritten(&b->m->cells[c], own);
		if (n)
			model_warn(
				b->m,
				"%s reads images that nobody has written (%zu of %zu cells): much of that is answered from metadata, without the disk. Set precondition = fill.",
				b->works[i].name, n, b->m->ncells);
		json_decref(w);
	}
}

static void warn_checks(struct model *m)
{
	unsigned unknown = 0, all = 0;
	char *keys = NULL;

	for (size_t i = 0; i < m->nchecks; i++) {
		all += m->checks[i].match + m->checks[i].differ + m->checks[i].unknown;
		unknown += m->checks[i].unknown;
		if (m->checks[i].unknown)
			text_add(&keys, "%s%s", keys ? ", " : "", m->checks[i].key);
	}
	if (unknown)
		model_warn(
			m,
			"%u of %u settings asked for could not be read back (%s): whether they were in force is not known.",
			unknown, all, keys);
	if (!all && m->trials_ok)
		model_warn(
			m,
			"Nothing was read back: whether what was asked for was in force is not known.");
	free(keys);
}

/* A percentile is stored only with at least 100 I/Os above it. */
static void warn_percentiles(struct model *m)
{
	for (size_t i = 0; i < m->nworkloads; i++) {
		const struct model_workload *w = &m->workloads[i];

		for (size_t j = 0; w->nrows && j < w->rows[0].nvalues; j++) {
			unsigned missing = 0, ok = 0;

			for (size_t r = 0; r < w->nrows; r++) {
				ok += w->rows[r].ok;
				for (size_t k = 0; k < m->blocks_planned; k++)
					missing += !isnan(w->rows[r].values[j].points[k]);
			}
			missing = ok > missing ? ok - missing : 0;
			if (missing && w->rows[0].values[j].metric->percentile)
				model_warn(
					m,
					"%s: %s is missing from %u of %u trials, which had too few I/Os for it: longer runtime.",
					w->name, w->rows[0].values[j].metric->title, missing, ok);
		}
	}
}

/* Comparisons on one template hold for that template only (statistics.md, part 1). */
static bool templates_shared(const struct build *b)
{
	const struct store_trial **first =
		xcalloc(b->ntrials + 1, sizeof(const struct store_trial *));
	size_t n = 0;
	bool shared = false;

	for (size_t i = 0; i < b->ntrials && !shared; i++) {
		const struct store_trial *t = &b->trials[i];
		size_t j = n; /* trials of one template come together, so look from the end */

		if (!t->ok || !t->template_id[0])
			continue;
		while (j && strcmp(first[j - 1]->template_id, t->template_id))
			j--;
		if (!j)
			first[n++] = t;
		else
			shared = first[j - 1]->block != t->block;
	}
	free(first);
	return shared;
}

/* Did the trial have a guest? */
static bool with_guest(const struct build *b, size_t trial)
{
	long c = b->cell_of[trial];
	const char *site = c < 0 ? NULL : cell_value(&b->m->cells[c], "guest.site");

	return !site || strcmp(site, "host");
}

static void warn_start(struct build *b)
{
	bool with = false, without = false, stale = false;

	for (size_t i = 0; i < b->ntrials; i++) {
		const struct store_trial *t = &b->trials[i];

		with |= t->ok && t->template_id[0];
		without |= t->ok && !t->template_id[0] && with_guest(b, i);
		stale |= t->ok && !t->fresh;
	}
	if (templates_shared(b))
		model_warn(
			b->m,
			"Blocks share a template: intervals hold for that one draw of memory layout only.");
	if (with && without)
		model_warn(
			b->m,
			"Some trials booted cold and some started from a template: their difference holds the start, too.");
	if (stale)
		model_warn(b->m, "Some trials ran on a guest that was not fresh.");
}

static void warn_disagree(struct model *m)
{
	for (size_t i = 0; i < m->nworkloads; i++) {
		const struct model_workload *w = &m->workloads[i];

		for (size_t r = 1; r < w->nrows; r++)
			for (size_t j = 0; j < w->rows[r].nvalues; j++)
				if (w->rows[r].values[j].disagree &&
				    w->rows[r].values[j].metric == w->primary)
					model_warn(
						m,
						"%s, %s: mean and median of the pairs tell different stories; look for outliers among the points.",
						w->name, m->cells[r].label);
	}
	for (size_t i = 0; i < m->nvs; i++)
		if (m->vs[i].disagree)
			model_warn(
				m,
				"%s, %s, change against base: mean and median of the pairs tell different stories; look for outliers among the points.",
				m->workloads[m->vs[i].workload].name, m->vs[i].label);
}

/* Their share is part of what a reader buys: the estimates speak of the typical trial. */
static void warn_slow(struct model *m)
{
	for (size_t i = 0; !m->nrungs && i < m->nworkloads; i++) {
		const struct model_workload *w = &m->workloads[i];
		char *by, *cells = NULL;
		unsigned n = 0;

		if (!w->spread.slow)
			continue;
		by = text_signed(w->spread.slow_by);
		for (size_t r = 0; r < w->nrows; r++)
			if (w->rows[r].slow && ++n <= LABELS_SHOWN)
				text_add(&cells, "%s%s: %u of %u", cells ? "; " : "",
					 m->cells[r].label, w->rows[r].slow, w->rows[r].ok);
		model_warn(
			m,
			"%s: %zu of %zu trials (%.1f %%) were far off the typical one, to the bad side: %s in the median (%s%s). They are in the means.",
			w->name, w->spread.slow, w->spread.judged,
			100.0 * w->spread.slow / w->spread.judged, by, cells,
			n > LABELS_SHOWN ? "; ..." : "");
		free(by);
		free(cells);
	}
}

void build_warnings(struct build *b)
{
	char **odd = b->m->warnings; /* about the store itself: said last, and seldom */
	size_t nodd = b->m->nwarnings;

	b->m->warnings = NULL;
	b->m->nwarnings = 0;
	warn_state(b);
	warn_failed(b->m);
	warn_unwritten(b);
	warn_used_up(b);
	warn_checks(b->m);
	warn_noise(b->m);
	warn_guests(b);
	warn_crowded(b);
	warn_together(b);
	warn_percentiles(b->m);
	warn_start(b);
	warn_disagree(b->m);
	warn_slow(b->m);
	for (size_t i = 0; i < nodd; i++) {
		model_warn(b->m, "%s", odd[i]);
		free(odd[i]);
	}
	free(odd);
}
