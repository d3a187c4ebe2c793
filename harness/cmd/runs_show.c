/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vbench runs show RUN`: one run in full, but for its samples. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "cmd/runs.h"

/* A JSON text of the store as a value, null when there is none. */
static json_t *json_of(const char *text)
{
	json_t *j = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

	return j ? j : json_null();
}

/* All that `show` needs of a run. */
struct whole {
	struct store_run run;
	struct store_cell *cells;
	struct store_workload *workloads;
	struct store_trial *trials;
	size_t ncells, nworkloads, ntrials;
	struct run_counts count;
};

/* QEMU or the guest took no more disks: a finding, as analysis and the run itself have it. */
static bool at_limit(const struct store_trial *t)
{
	return !t->ok && t->cause && !strcmp(t->cause, "limit");
}

static void count_trial(const struct store_trial *t, struct run_counts *n)
{
	*(t->ok ? &n->ok : at_limit(t) ? &n->limited : &n->failed) += 1;
}

static int whole_read(struct store *s, const char *what, struct whole *w, struct err *e)
{
	int rc = store_run_find(s, what, &w->run, e);

	if (!rc)
		rc = store_cells(s, w->run.uuid, &w->cells, &w->ncells, e);
	if (!rc)
		rc = store_workloads(s, w->run.uuid, &w->workloads, &w->nworkloads, e);
	if (!rc)
		rc = store_trials(s, w->run.uuid, &w->trials, &w->ntrials, e);
	for (size_t i = 0; !rc && i < w->ntrials; i++)
		count_trial(&w->trials[i], &w->count);
	return rc;
}

static void whole_free(struct whole *w)
{
	store_run_free(&w->run);
	store_cells_free(w->cells, w->ncells);
	store_workloads_free(w->workloads, w->nworkloads);
	store_trials_free(w->trials, w->ntrials);
}

static struct run_counts count_cell(const struct whole *w, const struct store_cell *c)
{
	struct run_counts n = {0};

	for (size_t i = 0; i < w->ntrials; i++)
		if (!strcmp(w->trials[i].cell, c->id))
			count_trial(&w->trials[i], &n);
	return n;
}

static json_t *failure_json(const struct store_trial *t)
{
	json_t *j = json_object();

	json_object_set_new(j, "seq", json_integer(t->seq));
	json_object_set_new(j, "block", json_integer(t->block));
	json_object_set_new(j, "cell", json_string(t->cell));
	json_object_set_new(j, "workload", runs_text_json(t->workload));
	json_object_set_new(j, "cause", runs_text_json(t->cause));
	json_object_set_new(j, "detail", runs_text_json(t->detail));
	return j;
}

static json_t *whole_json(const struct whole *w)
{
	json_t *j = runs_run_json(&w->run, &w->count), *cells = json_array(), *work = json_array(),
	       *failures = json_array(), *limits = json_array(), *x;
	struct run_counts n;
	size_t i;

	json_object_set_new(j, "command", runs_text_json(w->run.command));
	json_object_set_new(j, "version", runs_text_json(w->run.version));
	json_object_set_new(j, "folder", runs_text_json(w->run.folder));
	/* Decimal text: JSON readers keep only 53 bits of a number. */
	x = json_sprintf("%llu", (unsigned long long)w->run.seed);
	json_object_set_new(j, "seed", x);
	json_object_set_new(j, "blocks", json_integer(w->run.blocks));
	json_object_set_new(j, "axes", json_of(w->run.axes_json));
	json_object_set_new(j, "skipped", json_of(w->run.skipped_json));
	json_object_set_new(j, "meta", json_of(w->run.meta_json));
	for (i = 0; i < w->ncells; i++) {
		n = count_cell(w, &w->cells[i]);
		x = json_object();
		json_object_set_new(x, "id", json_string(w->cells[i].id));
		json_object_set_new(x, "label", runs_text_json(w->cells[i].label));
		json_object_set_new(x, "keys", json_of(w->cells[i].keys_json));
		json_object_set_new(x, "trials_ok", json_integer(n.ok));
		json_object_set_new(x, "trials_failed", json_integer(n.failed));
		json_object_set_new(x, "trials_limit", json_integer(n.limited));
		json_array_append_new(cells, x);
	}
	for (i = 0; i < w->nworkloads; i++) {
		x = json_object();
		json_object_set_new(x, "name", runs_text_json(w->workloads[i].name));
		json_object_set_new(x, "describe", runs_text_json(w->workloads[i].describe));
		json_object_set_new(x, "keys", json_of(w->workloads[i].keys_json));
		json_array_append_new(work, x);
	}
	for (i = 0; i < w->ntrials; i++)
		if (!w->trials[i].ok)
			json_array_append_new(at_limit(&w->trials[i]) ? limits : failures,
					      failure_json(&w->trials[i]));
	json_object_set_new(j, "cells", cells);
	json_object_set_new(j, "workloads", work);
	json_object_set_new(j, "failures", failures);
	json_object_set_new(j, "limits", limits);
	return j;
}

static void show_line(const char *name, const char *text)
{
	if (!text || !*text)
		return;
	printf("%-10s", name);
	runs_put_line(stdout, text);
	putchar('\n');
}

static void show_head(const struct whole *w)
{
	const struct store_run *r = &w->run;
	char when[32], seed[24], *accel = runs_accel(r);

	show_line("run", r->uuid);
	show_line("label", r->label);
	show_line("profile", r->profile_name);
	show_line("status", r->status);
	runs_when_text(r->begun, when, sizeof(when));
	show_line("begun", when);
	runs_when_text(r->ended, when, sizeof(when));
	show_line("ended", when);
	show_line("host", r->host_id);
	show_line("accel", accel);
	show_line("command", r->command);
	show_line("version", r->version);
	show_line("folder", r->folder);
	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)r->seed);
	show_line("seed", seed);
	printf("%-10s%u ok, %u failed, ", "trials", w->count.ok, w->count.failed);
	if (w->count.limited)
		printf("%u at a limit, ", w->count.limited);
	printf("%u planned in %u blocks\n", r->trials, r->blocks);
	free(accel);
}

/* Those that failed, or that ended at a limit. */
static void show_trials(const struct whole *w, const char *title, bool limits)
{
	bool any = false;

	for (size_t i = 0; i < w->ntrials; i++) {
		struct store_trial *t = &w->trials[i];

		if (t->ok || at_limit(t) != limits)
			continue;
		if (!any)
			printf("\n%s\n", title);
		any = true;
		printf("  %u, cell %s, ", t->seq, t->cell);
		runs_put_line(stdout, t->workload);
		printf(": ");
		runs_put_line(stdout, t->cause);
		if (t->detail) {
			printf(": ");
			/* The console's tail follows the sentence on lines of its own; --json has
			 * it. */
			t->detail[strcspn(t->detail, "\n")] = 0;
			runs_put_line(stdout, t->detail);
		}
		putchar('\n');
	}
}

static void show_text(const struct whole *w)
{
	size_t i;

	show_head(w);
	printf("\nworkloads\n");
	for (i = 0; i < w->nworkloads; i++) {
		printf("  ");
		runs_put_line(stdout, w->workloads[i].name);
		printf(": ");
		runs_put_line(stdout, w->workloads[i].describe);
		putchar('\n');
	}
	printf("\ncells\n");
	for (i = 0; i < w->ncells; i++) {
		struct run_counts n = count_cell(w, &w->cells[i]);

		printf("  %-16s  %3u ok  %3u failed  ", w->cells[i].id, n.ok, n.failed);
		if (n.limited)
			printf("%3u at a limit  ", n.limited);
		runs_put_line(stdout, w->cells[i].label);
		putchar('\n');
	}
	show_trials(w, "failed trials", false);
	show_trials(w, "trials at a limit of QEMU or the guest", true);
}

int runs_show(const struct ask *a)
{
	struct whole w = {0};
	struct store *s = NULL;
	struct err e = {0};
	int rc;

	if (a->nargs != 1)
		return runs_usage("show needs one run, as in `vbench runs show last`");
	rc = store_open(a->db, false, &s, &e);
	if (!rc)
		rc = whole_read(s, a->args[0], &w, &e);
	if (rc)
		rc = runs_say(&e);
	else if (a->json)
		rc = runs_put_json(whole_json(&w));
	else
		show_text(&w);
	whole_free(&w);
	store_close(s);
	return rc;
}
