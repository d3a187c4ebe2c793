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
#include "run/extract.h"
#include "run/guests.h"
#include "run/knobs.h"
#include "run/pins.h"
#include "run/pool.h"
#include "run/space.h"
#include "run/trial.h"

#define NS_PER_S 1000000000ull
#define JOB_SLACK_NS                                                                           \
	(30 * NS_PER_S) /* beyond what it was asked to run: start, layout and end of fio, on a \
			   slow host */

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

static void artefact_json(struct trial *x, const char *name, const json_t *v)
{
	char *text = v ? json_dumps(v, JSON_INDENT(1) | JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;

	if (text)
		trial_artefact(x, name, text, strlen(text));
	free(text);
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
	artefact_json(x, after ? "after.json" : "before.json", ev);
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

/* What became of fio itself; guest: its number from 1, 0: there is one. */
static int fio_ended(struct trial *x, const struct job_result *res, uint64_t timeout_ns,
		     size_t guest, struct err *e)
{
	json_int_t status = json_integer_value(json_object_get(res->reply, "exit"));
	json_int_t sig = json_integer_value(json_object_get(res->reply, "signal"));
	int rc = 0;

	if (json_is_true(json_object_get(res->reply, "timed_out")))
		rc = trial_fail(x, CAUSE_TIMEOUT,
				err_set(e, -ETIMEDOUT, "fio did not end in %.0f s",
					(double)timeout_ns / 1e9));
	else if (status || sig || !res->fio)
		rc = trial_fail(x, CAUSE_FIO,
				err_set(e, -EIO, "fio%s ended with %s %d: %.600s",
					cell_on_host(x->cell) ? "" : " in the guest",
					sig ? "signal" : "status", (int)(sig ? sig : status),
					res->output ? res->output : ""));
	if (rc && guest)
		err_prefix(e, "guest %zu", guest);
	return rc;
}

int trial_work(struct trial *x, char *const *fio, unsigned gate, uint64_t ns, uint64_t ramp_ns,
	       struct job_result *res, struct err *e)
{
	struct site *site = x->r->site;
	struct job j = {.fio = fio[0],
			.each = fio,
			.gate = gate,
			.ramp_ns = ramp_ns,
			.interval_ns = ns < 3 * NS_PER_S ? NS_PER_S / 10 : NS_PER_S / 4,
			.timeout_ns = ns + ns / 2 + JOB_SLACK_NS};
	int rc = site->ops->work(site, &j, run_show, x->r, res, e);
	size_t i;

	if (rc)
		return trial_fail(x, site->cause, rc);
	if (!res->together)
		return fio_ended(x, res, j.timeout_ns, 0, e);
	for (i = 0; i < res->together->n && !rc; i++)
		rc = fio_ended(x, res->together->guest[i].result, j.timeout_ns, i + 1, e);
	return rc;
}

static void add_sample(struct trial *x, const char *metric, double value)
{
	struct store_sample *s;

	x->t->samples = xrealloc(x->t->samples, x->t->nsamples + 1, sizeof(*s));
	s = &x->t->samples[x->t->nsamples++];
	*s = (struct store_sample){.value = value};
	snprintf(s->metric, sizeof(s->metric), "%s", metric);
}

/* What several disks are about; with one they would only repeat what is there. */
static void add_disks(struct trial *x, const struct store_sample *s, int n)
{
	size_t disks = x->plan->nunits * x->nplans;
	json_t *ns = json_object_get(x->phases, "plug_ns");
	int i;

	for (i = 0; disks > 1 && i < n; i++)
		if (!strcmp(s[i].metric, "iops"))
			add_sample(x, "iops.per_disk", s[i].value / (double)disks);
	/* cold disks are in the template already: only the search for them is left */
	if (disks > 1 && ns && !x->plan->cold)
		add_sample(x, "plug.time", (double)json_integer_value(ns));
	if (disks > 1 && x->r->site->rss_bytes)
		add_sample(x, "host.rss", (double)x->r->site->rss_bytes);
}

static void keep_samples(struct trial *x, const struct store_sample *s, int n)
{
	int i;

	for (i = 0; i < n; i++)
		add_sample(x, s[i].metric, s[i].value);
	add_disks(x, s, n);
	for (i = 0; i < IMAGE_TIMES && x->times[i].metric; i++)
		add_sample(x, x->times[i].metric, (double)x->times[i].ns);
}

/*
 * Of the time that the job took: what the profile asked fio to run, and what its process lived
 * beyond that (start, layout, reaping), by the guest's clock. Both for the record of where the time
 * goes only.
 */
static void phase_fio(struct trial *x, const json_t *reply, uint64_t ns)
{
	json_int_t t0 =
		json_integer_value(json_object_get(json_object_get(reply, "before"), "mono_ns"));
	json_int_t t1 =
		json_integer_value(json_object_get(json_object_get(reply, "after"), "mono_ns"));

	json_object_set_new(x->phases, "fio_ns", json_integer((json_int_t)ns));
	if (t0 > 0 && t1 > t0)
		json_object_set_new(x->phases, "fio_process_ns", json_integer(t1 - t0));
}

/* Each guest has addresses of its own; the first those of a single one. */
static uint64_t guest_seed(const struct trial *x, size_t guest)
{
	return x->order->randseed + guest * 0x9e3779b97f4a7c15ull;
}

static char *render(const struct trial *x, size_t guest)
{
	const struct site *site = trial_site(x, guest);
	char *one[2] = {(char *)site->target, NULL};
	size_t n = 0;

	while (site->targets && site->targets[n])
		n++;
	if (x->r->site == x->r->many)
		return workload_fio_job_gated(x->work, x->cell, n ? site->targets : one, n ? n : 1,
					      guest_seed(x, guest));
	if (n > 1)
		return workload_fio_job_disks(x->work, x->cell, site->targets, n,
					      x->order->randseed);
	return workload_fio_job(x->work, x->cell, *site->target ? site->target : NULL, site->engine,
				x->order->randseed);
}

/* Does it read nothing but what it has written, to check it? */
static bool only_checked(const struct workload *w)
{
	const char *rw = workload_get(w, K_RW), *verify = workload_get(w, K_VERIFY);

	return verify && strcmp(verify, "none") &&
	       (!strcmp(rw, "write") || !strcmp(rw, "randwrite"));
}

/*
 * Several guests' results as one, with what each did. Where they did not measure at the same time
 * for as good as all of it, the sum is of loads that were not there together.
 */
static int pool(struct trial *x, struct job_result *res, struct err *e)
{
	int rc;

	if (!res->together)
		return 0;
	for (size_t i = 1; i < res->together->n; i++) {
		char name[48];

		snprintf(name, sizeof(name), "guest-%zu/fio.json", i + 1);
		artefact_json(x, name, res->together->guest[i].result->fio);
	}
	rc = pool_results(res, e);
	if (rc)
		return trial_fail(x, CAUSE_FIO, rc);
	x->together =
		pool_together(res->together, (unsigned)cell_u64(x->cell, K_VCPUS), run_cpus());
	artefact_json(x, "guests.json", x->together);
	if (res->together->overlap < TOGETHER_LEAST)
		return trial_fail(
			x, CAUSE_GUEST,
			err_set(e, -ETIME,
				"the guests measured together for only %.0f %% of the time (started "
				"within %.0f ms); lengthen the workload's runtime",
				100 * res->together->overlap,
				(double)res->together->spread_ns / 1e6));
	return 0;
}

static void free_jobs(char **jobs, size_t n)
{
	while (n)
		free(jobs[--n]);
	free(jobs);
}

static int measure(struct trial *x, struct err *e)
{
	struct store_sample samples[EXTRACT_MAX];
	struct job_result res = {0};
	struct host_noise n0, n1;
	uint64_t t0, ns = workload_u64(x->work, K_RUNTIME) + workload_u64(x->work, K_RAMP);
	char **jobs = xcalloc(x->nplans, sizeof(*jobs));
	bool many = x->r->site == x->r->many;
	json_t *noise;
	size_t i;
	int rc;

	for (i = 0; i < x->nplans; i++) {
		char name[48];

		jobs[i] = render(x, i);
		snprintf(name, sizeof(name), i ? "guest-%zu/job.fio" : "job.fio", i + 1);
		trial_artefact(x, name, jobs[i], strlen(jobs[i]));
	}
	host_noise_take(&n0);
	t0 = clock_mono_ns();
	rc = trial_work(x, jobs, many ? (unsigned)workload_threads(x->work, x->cell) : 0, ns,
			workload_u64(x->work, K_RAMP), &res, e);
	if (!rc)
		rc = pool(x, &res, e);
	trial_phase(x, "work_ns", t0);
	phase_fio(x, res.reply, ns);
	host_noise_take(&n1);
	noise = host_noise_diff(&n0, &n1);
	x->t->noise_json = json_dumps(noise, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(noise);
	free_jobs(jobs, x->nplans);
	if (res.fio)
		artefact_json(x, "fio.json", res.fio);
	if (res.engine)
		artefact_json(x, "engine.json", res.engine);
	if (!rc) {
		int n;

		res.reads_check = only_checked(x->work);
		n = extract_samples(&res, samples, e);
		if (n < 0)
			rc = trial_fail(x, CAUSE_FIO, n);
		else
			keep_samples(x, samples, n);
	}
	job_result_free(&res);
	return rc;
}

/* Bytes the images take on the host, once QEMU has closed them. */
static void measure_image(struct trial *x)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < x->nplans; i++)
		sum += image_bytes(&x->plan[i]);
	if (x->plan->image && !x->plan->device)
		add_sample(x, "image.bytes", (double)sum);
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
		rc = measure(x, e);
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
