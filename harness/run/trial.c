// SPDX-License-Identifier: GPL-2.0-or-later
/* One trial: image, site, disk, asked/got, workload, asked/got, samples. What goes wrong costs
 * this trial alone. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "run/context.h"
#include "run/guests.h"
#include "run/knobs.h"
#include "run/pins.h"
#include "run/space.h"
#include "run/trial.h"

void trial_phase(struct trial *x, const char *name, uint64_t since)
{
	json_object_set_new(x->phases, name, json_integer((json_int_t)(clock_mono_ns() - since)));
}

void trial_artefact(struct trial *x, const char *name, const char *text, size_t len)
{
	char *path = xasprintf("%s/%s", x->folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

	/* an artefact that cannot be written is no reason to lose the measurement */
	if (fd >= 0) {
		while (len) {
			ssize_t n = write(fd, text, len);

			if (n <= 0)
				break;
			text += n;
			len -= (size_t)n;
		}
		close(fd);
	}
	free(path);
}

void trial_artefact_json(struct trial *x, const char *name, const json_t *v)
{
	char *text = v ? json_dumps(v, JSON_INDENT(1) | JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;

	if (text)
		trial_artefact(x, name, text, strlen(text));
	free(text);
}

void trial_sample(struct trial *x, const char *metric, double value)
{
	struct store_sample *s;

	x->t->samples = xrealloc(x->t->samples, x->t->nsamples + 1, sizeof(*s));
	s = &x->t->samples[x->t->nsamples++];
	*s = (struct store_sample){.value = value};
	snprintf(s->metric, sizeof(s->metric), "%s", metric);
}

int trial_fail(struct trial *x, enum cause cause, int rc)
{
	if (!x->cause)
		x->cause = cause ? cause : CAUSE_PLAN;
	return rc;
}

static int ask_site(struct trial *x, bool after, struct err *e)
{
	struct site *site = x->r->site;
	json_t *ev = NULL;
	int rc = site->ops->ask(site, &ev, e);
	size_t g;

	if (rc)
		return trial_fail(x, site->cause, rc);
	if (after) {
		/* on the host fio has the image in its hands, and could have made it larger */
		if (workload_fills(x->work, x->cell) || cell_on_host(x->cell))
			for (g = 0; g < x->nplans; g++)
				json_object_set_new(trial_evidence(x, ev, g), "image",
						    image_evidence(x->r, x->cell, &x->plan[g]));
		x->after = ev;
	} else {
		for (g = 0; g < x->nplans; g++)
			json_object_update(trial_evidence(x, ev, g),
					   trial_evidence(x, x->before, g));
		json_decref(x->before);
		x->before = ev;
	}
	trial_artefact_json(x, after ? "after.json" : "before.json", ev);
	trial_agree(x);
	return trial_judge(x, e);
}

void run_show(const struct job_progress *p, void *arg)
{
	struct run *r = arg;
	char what[240];
	uint64_t elapsed = clock_mono_ns() - r->begun_ns;
	/* what this session has seen, templates included; before that the estimate */
	uint64_t each = r->session_trials ? elapsed / r->session_trials : r->ns_per_trial;
	uint64_t left = each * (r->total - r->done);

	if (p && p->iops > 0)
		snprintf(what, sizeof(what), "%s  %.0f IOPS", r->now, p->iops);
	else
		snprintf(what, sizeof(what), "%s", r->now);
	term_bar(&r->term, r->done, r->total, elapsed, left, what, false);
}

/* Bytes the images take on the host, once QEMU has closed them. */
static void measure_image(struct trial *x)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < x->nplans; i++)
		sum += image_bytes(&x->plan[i]);
	if (x->plan->image && !x->plan->device)
		trial_sample(x, "image.bytes", (double)sum);
}

/* The images of one guest; what making them takes is added up. */
static int make_images(struct trial *x, size_t guest, struct err *e)
{
	struct image_time times[IMAGE_TIMES];
	enum cause cause;
	int rc = image_make(x->r, x->cell, &x->plan[guest], times, &cause, e);

	if (rc && x->nplans > 1)
		err_prefix(e, "guest %zu", guest + 1);
	if (rc)
		return trial_fail(x, cause, rc);
	for (size_t i = 0; i < IMAGE_TIMES; i++) {
		x->times[i].metric = times[i].metric;
		x->times[i].ns += times[i].ns;
	}
	x->plan[guest].device_number = device_number(x->r, x->cell);
	return 0;
}

static int make_image(struct trial *x, struct err *e)
{
	uint64_t t0 = clock_mono_ns(), peak = 0;
	bool many = x->r->site == x->r->many;
	json_t *all = json_array();
	size_t i;
	int rc = run_plans(x->r, x->cell, true, &x->plan, &x->nplans, e);

	if (rc)
		rc = trial_fail(x, CAUSE_PLAN, rc);
	for (i = 0; i < x->nplans; i++)
		peak += x->plan[i].peak_bytes;
	/* an image that is thin takes its room later, beside the next one's */
	if (!rc && x->nplans > 1 && x->plan->image) {
		rc = space_check(run_image_dir(x->r, x->cell), peak, x->r->keep_free, e);
		if (rc)
			trial_fail(x, CAUSE_DISK_FULL, rc);
	}
	for (i = 0; i < x->nplans && !rc; i++) {
		rc = make_images(x, i, e);
		if (!rc)
			json_array_append_new(
				all, json_pack("{s:o}", "image",
					       image_evidence(x->r, x->cell, &x->plan[i])));
	}
	if (!rc)
		x->before = many ? json_pack("{s:O}", "guests", all)
				 : json_incref(json_array_get(all, 0));
	json_decref(all);
	trial_phase(x, "image_ns", t0);
	return rc;
}

static int trial_steps(struct trial *x, struct err *e)
{
	struct site *site = x->r->site;
	uint64_t t0;
	int rc = run_knobs_set(x->r, x->cell, e);

	if (rc)
		return trial_fail(x, CAUSE_PLAN, rc);
	rc = make_image(x, e);
	if (!rc && (rc = run_pins(x->r, x->cell, (unsigned)x->nplans, &site->pins, e)))
		rc = trial_fail(x, CAUSE_PLAN, rc);
	if (rc)
		return rc;
	t0 = clock_mono_ns();
	site->guests = site == x->r->many ? x->nplans : 0;
	rc = site->ops->open(site, x->cell, x->plan, x->t->template_id, e);
	trial_phase(x, "open_ns", t0);
	if (rc)
		return trial_fail(x, site->cause, rc);
	t0 = clock_mono_ns();
	rc = site->ops->plug(site, x->plan, e);
	trial_phase(x, "plug_ns", t0);
	if (rc)
		return trial_fail(x, site->cause, rc);
	t0 = clock_mono_ns();
	image_dropped(x->r);
	trial_phase(x, "drop_ns", t0);
	t0 = clock_mono_ns();
	rc = ask_site(x, false, e);
	trial_phase(x, "check_ns", t0);
	if (!rc)
		rc = trial_precondition(x, e);
	if (!rc)
		rc = trial_measure(x, e);
	if (rc)
		return rc;
	t0 = clock_mono_ns();
	rc = ask_site(x, true, e);
	trial_phase(x, "recheck_ns", t0);
	return rc;
}

static void keep_checks(struct trial *x)
{
	struct store_trial *t = x->t;
	size_t i;

	t->checks = xcalloc(x->nchecks + 1, sizeof(*t->checks));
	for (i = 0; i < x->nchecks; i++) {
		t->checks[i] = (struct store_check){
			.key = xstrdup(x->checks[i].key),
			.asked = xstrdup(x->checks[i].asked),
			.got = xstrdup(x->checks[i].got),
			.from = xstrdup(x->checks[i].from),
			.state = (int)x->checks[i].state,
		};
	}
	t->nchecks = x->nchecks;
}

static void keep_facts(struct trial *x)
{
	json_t *ev = trial_evidence(x, x->after ? x->after : x->before, 0);
	json_t *guest = json_object_get(ev, "guest"), *facts;

	if (!guest)
		return;
	if (cell_on_host(x->cell))
		facts = json_pack("{s:n, s:n, s:O?, s:O?, s:O?}", "guest", "disk", "host",
				  json_object_get(ev, "host"), "server",
				  json_object_get(ev, "server"), "engine",
				  json_object_get(ev, "engine"));
	else
		facts = json_pack("{s:O?, s:O?, s:o?}", "guest", json_object_get(guest, "facts"),
				  "disk", json_object_get(guest, "disk"), "side",
				  disk_side_facts(ev));
	if (facts && x->together)
		json_object_set(facts, "guests", x->together);
	if (facts)
		x->t->facts_json = json_dumps(facts, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(facts);
}

static void describe(struct trial *x, const struct order *o)
{
	struct store_trial *t = x->t;

	*t = (struct store_trial){.seq = o->seq,
				  .block = o->block,
				  .place = o->place,
				  .workload = xstrdup(x->work->name),
				  .site = xstrdup(x->r->site->ops->name),
				  .fresh = x->r->site->ops->fresh,
				  .randseed = o->randseed};
	snprintf(t->cell, sizeof(t->cell), "%s", x->cell->id);
	t->folder = xasprintf("trials/%05u", o->seq);
	t->begun = (int64_t)clock_real_ns();
	snprintf(x->r->now, sizeof(x->r->now), "block %u/%u  %s, %s", o->block + 1, x->r->blocks,
		 x->work->name, x->cell->label);
}

/* Whether what filled the disk was the trial's own image, and is gone with it: then the run goes
 * on. */
static bool room_again(struct trial *x)
{
	struct run *r = x->r;
	uint64_t peak = 0;

	if (!x->nplans || !r->watch_dir)
		return false;
	image_dropped(r);
	for (size_t i = 0; i < x->nplans; i++)
		peak += x->plan[i].peak_bytes;
	return !space_check(r->watch_dir, peak, r->keep_free, NULL) &&
	       !space_check(r->folder, 0, r->keep_free, NULL);
}

int run_trial(struct run *r, const struct order *o, struct store_trial *t, struct err *e)
{
	struct trial x = {.r = r,
			  .cell = &r->profile->cells[o->cell],
			  .work = &r->profile->workloads[o->workload],
			  .order = o,
			  .t = t,
			  .phases = json_object()};
	struct err why = {0};
	uint64_t t0 = clock_mono_ns(), t1;
	bool full;
	int rc;

	r->site = cell_on_host(x.cell) ? r->host : r->many ? r->many : r->guests;
	describe(&x, o);
	x.folder = xasprintf("%s/%s", r->folder, t->folder);
	r->site->folder = x.folder;
	r->site->block = o->block;
	run_show(NULL, r);
	/* what a killed run left of the same trial */
	rc = dir_remove(x.folder, &why);
	if (!rc)
		rc = dir_make(x.folder, 0755, &why);
	rc = rc ? trial_fail(&x, rc == -ENOSPC ? CAUSE_DISK_FULL : CAUSE_PLAN, rc)
		: trial_steps(&x, &why);
	t1 = clock_mono_ns();
	/* an I/O that will never end must not be waited for */
	r->site->ops->close(r->site, !rc);
	trial_phase(&x, "close_ns", t1);
	if (!rc)
		measure_image(&x);
	if (!x.nplans)
		image_dropped(r);
	for (size_t i = 0; i < x.nplans; i++)
		image_drop(r, &x.plan[i]);
	full = x.cause == CAUSE_DISK_FULL && !room_again(&x);
	trial_phase(&x, "all_ns", t0);
	t->ended = (int64_t)clock_real_ns();
	t->ok = !rc;
	if (rc) {
		t->cause = xstrdup(cause_name(x.cause));
		t->detail = xstrdup(why.text);
	}
	keep_checks(&x);
	keep_facts(&x);
	t->phases_json = json_dumps(x.phases, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(x.phases);
	json_decref(x.before);
	json_decref(x.after);
	json_decref(x.together);
	run_plans_free(x.plan, x.nplans);
	free(x.folder);
	r->site->folder = NULL;
	r->watch_dir = NULL;
	if (x.cause == CAUSE_INTERRUPTED)
		return err_set(e, -EINTR, "interrupted");
	if (full)
		return err_set(e, -ENOSPC, "%s", why.text);
	return 0;
}

void run_trial_free(struct store_trial *t)
{
	size_t i;

	free(t->workload);
	free(t->site);
	free(t->cause);
	free(t->detail);
	free(t->phases_json);
	free(t->noise_json);
	free(t->facts_json);
	free(t->folder);
	free(t->samples);
	for (i = 0; i < t->nchecks; i++) {
		free(t->checks[i].key);
		free(t->checks[i].asked);
		free(t->checks[i].got);
		free(t->checks[i].from);
	}
	free(t->checks);
	*t = (struct store_trial){0};
}
