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
	unsigned ok, failed;
};

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
		*(w->trials[i].ok ? &w->ok : &w->failed) += 1;
	return rc;
}

static void whole_free(struct whole *w)
{
	store_run_free(&w->run);
	store_cells_free(w->cells, w->ncells);
	store_workloads_free(w->workloads, w->nworkloads);
	store_trials_free(w->trials, w->ntrials);
}

static void count_cell(const struct whole *w, const struct store_cell *c, unsigned *ok,
		       unsigned *failed)
{
	*ok = *failed = 0;
	for (size_t i = 0; i < w->ntrials; i++)
		if (!strcmp(w->trials[i].cell, c->id))
			*(w->trials[i].ok ? ok : failed) += 1;
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
	json_t *j = runs_run_json(&w->run, w->ok, w->failed), *cells = json_array(),
	       *work = json_array(), *failures = json_array(), *x;
	unsigned ok, failed;
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
		count_cell(w, &w->cells[i], &ok, &failed);
		x = json_object();
		json_object_set_new(x, "id", json_string(w->cells[i].id));
		json_object_set_new(x, "label", runs_text_json(w->cells[i].label));
		json_object_set_new(x, "keys", json_of(w->cells[i].keys_json));
		json_object_set_new(x, "trials_ok", json_integer(ok));
		json_object_set_new(x, "trials_failed", json_integer(failed));
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
			json_array_append_new(failures, failure_json(&w->trials[i]));
	json_object_set_new(j, "cells", cells);
	json_object_set_new(j, "workloads", work);
	json_object_set_new(j, "failures", failures);
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
	printf("%-10s%u ok, %u failed, %u planned in %u blocks\n", "trials", w->ok, w->failed,
	       r->trials, r->blocks);
	free(accel);
}

static void show_text(const struct whole *w)
{
	unsigned ok, failed;
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
		count_cell(w, &w->cells[i], &ok, &failed);
		printf("  %-16s  %3u ok  %3u failed  ", w->cells[i].id, ok, failed);
		runs_put_line(stdout, w->cells[i].label);
		putchar('\n');
	}
	if (w->failed)
		printf("\nfailed trials\n");
	for (i = 0; i < w->ntrials; i++) {
		if (w->trials[i].ok)
			continue;
		printf("  %u, cell %s, ", w->trials[i].seq, w->trials[i].cell);
		runs_put_line(stdout, w->trials[i].workload);
		printf(": ");
		runs_put_line(stdout, w->trials[i].cause);
		if (w->trials[i].detail) {
			printf(": ");
			/* The console's tail follows the sentence on lines of its own; --json has
			 * it. */
			w->trials[i].detail[strcspn(w->trials[i].detail, "\n")] = 0;
			runs_put_line(stdout, w->trials[i].detail);
		}
		putchar('\n');
	}
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
