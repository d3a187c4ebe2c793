// SPDX-License-Identifier: GPL-2.0-or-later
/* A trial's workload: fio's jobs written and run, in one guest or several, and what came of them as
 * samples. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/term.h"
#include "run/context.h"
#include "run/extract.h"
#include "run/guests.h"
#include "run/pool.h"
#include "run/trial.h"

#define NS_PER_S 1000000000ull
/* beyond what it was asked to run: start, layout and end of fio */
#define JOB_SLACK_MS 30000

static json_int_t counter(const json_t *reply, const char *when, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(reply, when), key));
}

/* What became of fio itself; guest: its number from 1, 0: there is one. */
static int fio_ended(struct trial *x, const struct job_result *res, uint64_t timeout_ns,
		     size_t guest, struct err *e)
{
	json_int_t status = json_integer_value(json_object_get(res->reply, "exit"));
	json_int_t sig = json_integer_value(json_object_get(res->reply, "signal"));
	const char *where = cell_on_host(x->cell) ? "" : " in the guest";
	const char *said = res->output ? res->output : "";
	const char *so = *said ? ": " : "; it said nothing";
	int rc = 0;

	if (json_is_true(json_object_get(res->reply, "timed_out")))
		rc = trial_fail(x, CAUSE_TIMEOUT,
				err_set(e, -ETIMEDOUT, "fio did not end in %.0f s",
					(double)timeout_ns / 1e9));
	else if (status || sig)
		rc = trial_fail(x, CAUSE_FIO,
				err_set(e, -EIO, "fio%s ended with %s %d%s%.600s", where,
					sig ? "signal" : "status", (int)(sig ? sig : status), so,
					said));
	else if (!res->fio)
		rc = trial_fail(x, CAUSE_FIO,
				err_set(e, -EIO, "fio%s ended without a result (status 0)%s%.600s",
					where, so, said));
	if (rc && guest)
		err_prefix(e, "guest %zu", guest);
	return rc;
}

/* Both clocks are slewed by NTP, and steps of the host's scheduler lie on either side of a stamp.
 */
#define CLOCK_SLACK_NS (20 * NS_PER_S / 1000)

bool trial_clock_wrong(uint64_t guest_ns, uint64_t host_ns)
{
	return guest_ns > host_ns + host_ns / 100 + CLOCK_SLACK_NS;
}

static int clock_right(struct trial *x, const json_t *reply, uint64_t host_ns, size_t guest,
		       struct err *e)
{
	json_int_t from = counter(reply, "before", "mono_ns"),
		   to = counter(reply, "after", "mono_ns");
	int rc;

	if (from <= 0 || to <= from || !trial_clock_wrong((uint64_t)(to - from), host_ns))
		return 0;
	rc = trial_fail(x, CAUSE_GUEST,
			err_set(e, -ERANGE,
				"the guest's clock went %.2f s while the host's went %.2f s: it is "
				"wrong, and so is all that was measured by it",
				(double)(to - from) / 1e9, (double)host_ns / 1e9));
	if (guest)
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
			.timeout_ns =
				ns + ns / 2 +
				1000000ull * (uint64_t)site_patience(site->boot_ns, JOB_SLACK_MS)};
	uint64_t t0 = clock_mono_ns();
	int rc = site->ops->work(site, &j, run_show, x->r, res, e);
	uint64_t took = clock_mono_ns() - t0;
	size_t i;

	if (rc)
		return trial_fail(x, site->cause, rc);
	/* before what fio says: a clock that is too fast makes it late, too */
	if (!res->together)
		rc = clock_right(x, res->reply, took, 0, e);
	for (i = 0; res->together && i < res->together->n && !rc; i++)
		rc = clock_right(x, res->together->guest[i].result->reply, took, i + 1, e);
	if (rc)
		return rc;
	if (!res->together)
		return fio_ended(x, res, j.timeout_ns, 0, e);
	for (i = 0; i < res->together->n && !rc; i++)
		rc = fio_ended(x, res->together->guest[i].result, j.timeout_ns, i + 1, e);
	return rc;
}

/* What several disks are about; with one they would only repeat what is there. */
static void add_disks(struct trial *x, const struct store_sample *s, int n)
{
	size_t disks = x->plan->nunits * x->nplans;
	json_t *ns = json_object_get(x->phases, "plug_ns");
	int i;

	for (i = 0; disks > 1 && i < n; i++)
		if (!strcmp(s[i].metric, "iops"))
			trial_sample(x, "iops.per_disk", s[i].value / (double)disks);
	/* cold disks are in the template already: only the search for them is left */
	if (disks > 1 && ns && !x->plan->cold)
		trial_sample(x, "plug.time", (double)json_integer_value(ns));
	if (disks > 1 && x->r->site->rss_bytes)
		trial_sample(x, "host.rss", (double)x->r->site->rss_bytes);
}

static void keep_samples(struct trial *x, const struct store_sample *s, int n)
{
	int i;

	for (i = 0; i < n; i++)
		trial_sample(x, s[i].metric, s[i].value);
	add_disks(x, s, n);
	for (i = 0; i < IMAGE_TIMES && x->times[i].metric; i++)
		trial_sample(x, x->times[i].metric, (double)x->times[i].ns);
}

/*
 * Of the time that the job took: what the profile asked fio to run, and what its process lived
 * beyond that (start, layout, reaping), by the guest's clock. Both for the record of where the time
 * goes only.
 */
static void phase_fio(struct trial *x, const json_t *reply, uint64_t ns)
{
	json_int_t t0 = counter(reply, "before", "mono_ns"),
		   t1 = counter(reply, "after", "mono_ns");

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
		trial_artefact_json(x, name, res->together->guest[i].result->fio);
	}
	rc = pool_results(res, e);
	if (rc)
		return trial_fail(x, CAUSE_FIO, rc);
	x->together =
		pool_together(res->together, (unsigned)cell_u64(x->cell, K_VCPUS), run_cpus());
	trial_artefact_json(x, "guests.json", x->together);
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

int trial_measure(struct trial *x, struct err *e)
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
		trial_artefact_json(x, "fio.json", res.fio);
	if (res.engine)
		trial_artefact_json(x, "engine.json", res.engine);
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
