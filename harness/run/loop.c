// SPDX-License-Identifier: GPL-2.0-or-later
/* The loop: ask the policy, run the trial, store it, tell the policy. Resume is the same loop after
 * a replay. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <uuid.h>
#include "base/file.h"
#include "base/units.h"
#include "guest/host.h"
#include "guest/many.h"
#include "run/context.h"
#include "run/decide.h"
#include "run/lock.h"
#include "run/record.h"
#include "run/space.h"

/* Emulation inside an emulated machine boots in a minute or two; a guest that is up ends the wait
 * at once. */
#define BOOT_MS 240000

int run_seed_and_blocks(struct run *r, struct run_cost *cost, struct err *e)
{
	const char *seed = profile_get(r->profile, K_SEED);
	unsigned most = 1000;
	int rc;

	if (!r->seed) {
		if (seed && strcmp(seed, "random"))
			r->seed = profile_u64(r->profile, K_SEED);
		else if (getrandom(&r->seed, sizeof(r->seed), 0) != (ssize_t)sizeof(r->seed))
			return err_set(e, -errno, "getrandom: %s", strerror(errno));
		/* SQLite's integers have a sign, and people type seeds */
		r->seed &= 0x7fffffffffffull;
	}
	if (r->search.visits) {
		rc = run_search_check(r, e);
		if (rc)
			return rc;
		r->blocks = run_search_blocks(r);
	}
	if (!r->blocks) {
		r->blocks = (unsigned)profile_u64(r->profile,
						  run_is_sequential(r) ? K_MAX_BLOCKS : K_BLOCKS);
		most = run_is_sequential(r) ? r->blocks : 1000;
	}
	if (r->opts->budget_ns) {
		rc = run_cost(r, 1, cost, e);
		if (rc)
			return rc;
		r->blocks = cost->ns ? (unsigned)(r->opts->budget_ns / cost->ns) : 1;
		if (r->blocks > most)
			r->blocks = most;
		if (r->blocks < run_first_look(r) && run_is_sequential(r))
			return err_input(
				e,
				"--for: about %u blocks fit, and the first look comes after "
				"%u; give it more time or fewer cells",
				r->blocks, run_first_look(r));
		if (!r->blocks)
			r->blocks = 1;
	}
	rc = run_cost(r, r->blocks, cost, e);
	r->ns_per_trial = cost->ns_per_trial;
	return rc;
}

static bool stopped(const struct run *r)
{
	struct pollfd p = {.fd = r->opts->stop_fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

static int watch(void *arg, enum cause *cause, struct err *e)
{
	struct run *r = arg;
	int rc = r->watch_dir ? space_check(r->watch_dir, 0, r->keep_free, e) : 0;

	if (!rc)
		rc = space_check(r->folder, 0, r->keep_free, e);
	if (rc)
		*cause = CAUSE_DISK_FULL;
	return rc;
}

/* The block's templates, for all its cells, before its first trial: no trial pays for them. */
static int begin_block(struct run *r, unsigned block)
{
	char *folder;
	size_t i;

	if (r->host)
		r->host->block = block;
	if (!r->guests)
		return stopped(r) ? -EINTR : 0;
	folder = xasprintf("%s/templates/boot", r->folder);
	r->guests->block = block;
	r->guests->folder = folder;
	snprintf(r->now, sizeof(r->now), "block %u/%u  making templates", block + 1, r->blocks);
	run_show(NULL, r);
	for (i = 0; i < r->profile->ncells; i++) {
		const struct cell *c = &r->profile->cells[i];
		struct disk_plan plan;
		struct err why = {0};
		int rc;

		if (cell_on_host(c) || !r->policy->takes_part(r->policy, (unsigned)i))
			continue;
		r->guests->cause = CAUSE_PLAN;
		rc = run_plan(r, c, &plan, &why);
		if (!rc) {
			rc = r->guests->ops->prepare(r->guests, c, &plan, &why);
			disk_plan_free(&plan);
		}
		/* a template that cannot be made fails its trials one by one, with the cause; those
		   of one that meets a limit say it all */
		if (rc && r->guests->cause != CAUSE_INTERRUPTED && r->guests->cause != CAUSE_LIMIT)
			term_line(&r->term, "vbench: block %u: %s: %s", block + 1,
				  r->profile->cells[i].label, why.text);
		if (stopped(r))
			break;
	}
	r->guests->folder = NULL;
	free(folder);
	return stopped(r) ? -EINTR : 0;
}

static void end_block(struct run *r)
{
	if (r->guests)
		r->guests->ops->end_block(r->guests);
	if (r->host)
		r->host->ops->end_block(r->host);
}

/* QEMU or the guest takes no more disks: what a profile of many disks asks, not a failure. */
static bool is_limit(const struct store_trial *t)
{
	return !t->ok && t->cause && !strcmp(t->cause, cause_name(CAUSE_LIMIT));
}

static void count_trial(struct run *r, const struct store_trial *t)
{
	r->done++;
	if (t->ok)
		r->ok++;
	else if (is_limit(t))
		r->limited++;
	else
		r->failed++;
}

/* "17/60": of how many, where that is known before the end. */
static const char *trial_count(const struct run *r, const struct order *o, char *buf, size_t size)
{
	snprintf(buf, size, run_is_sequential(r) ? "%u of at most %u" : "%u/%u", o->seq + 1,
		 r->total);
	return buf;
}

static void say_trial(struct run *r, const struct store_trial *t, const struct order *o)
{
	const struct cell *c = &r->profile->cells[o->cell];
	char count[48];
	size_t i;

	trial_count(r, o, count, sizeof(count));
	if (is_limit(t)) {
		term_line(&r->term, "trial %s  block %u  %s, %s: limit: %.*s", count, o->block + 1,
			  t->workload, c->label, (int)strcspn(t->detail, "\n"), t->detail);
		return;
	}
	if (!t->ok) {
		/* a console's tail, behind the first line, is for the store */
		term_line(&r->term, "trial %s  block %u  %s, %s: FAILED (%s) %.*s", count,
			  o->block + 1, t->workload, c->label, t->cause,
			  (int)strcspn(t->detail, "\n"), t->detail);
		return;
	}
	if (r->term.tty)
		return;
	for (i = 0; i < t->nsamples; i++)
		if (!strcmp(t->samples[i].metric, "iops"))
			break;
	term_line(&r->term, "trial %s  block %u  %s, %s: %.0f IOPS", count, o->block + 1,
		  t->workload, c->label, i < t->nsamples ? t->samples[i].value : 0.0);
}

/* One pass: 0, or negative when the run is over early. */
static int one_trial(struct run *r, const struct order *o, struct err *e)
{
	struct outcome told = {.order = *o};
	struct store_trial t;
	int rc = run_trial(r, o, &t, e), put = 0;

	/* a trial that the user cut short is no result: it will be run again */
	if (rc != -EINTR) {
		struct err lost = {0};

		put = store_trial_put(r->store, r->uuid, &t, &lost);
		if (put)
			rc = err_set(e, put, "trial %u could not be stored: %s", o->seq + 1,
				     lost.text);
		told.ok = t.ok;
		told.primary = run_primary_value(r, o->workload, t.samples, t.nsamples);
		if (!put) {
			count_trial(r, &t);
			say_trial(r, &t, o);
			r->policy->tell(r->policy, &told);
			r->total = r->policy->total(r->policy);
		}
	}
	run_trial_free(&t);
	r->session_trials++;
	return rc;
}

static int loop(struct run *r, struct err *e)
{
	unsigned block = ~0u, block_ok = 0, block_done = 0;
	struct order o;
	int rc = 0;

	r->begun_ns = clock_mono_ns();
	r->total = r->policy->total(r->policy);
	while (!rc && r->policy->ask(r->policy, &o)) {
		if (stopped(r)) {
			rc = err_set(e, -EINTR, "interrupted");
			break;
		}
		if (o.block != block) {
			end_block(r);
			if (block_done && !block_ok) {
				rc = err_set(
					e, -EIO,
					"no trial of block %u could be measured; see the reasons above",
					block + 1);
				break;
			}
			if (r->opts->budget_ns && block_done &&
			    clock_mono_ns() - r->begun_ns +
					    (clock_mono_ns() - r->begun_ns) /
						    (r->session_trials ? r->session_trials : 1) *
						    block_done >
				    r->opts->budget_ns) {
				term_line(&r->term,
					  "vbench: the time is used up after %u of %u blocks",
					  o.block, r->blocks);
				break;
			}
			block = o.block;
			block_ok = block_done = 0;
			if (begin_block(r, block)) {
				rc = err_set(e, -EINTR, "interrupted");
				break;
			}
		}
		{
			unsigned before = r->ok + r->limited;

			rc = one_trial(r, &o, e);
			block_ok += r->ok + r->limited - before;
			block_done++;
		}
	}
	end_block(r);
	if (!rc && block_done && !r->ok && !r->limited)
		rc = err_set(e, -EIO, "no trial could be measured; see the reasons above");
	term_end(&r->term);
	return rc;
}

/* Why a run that was left to its comparisons ended. */
static void say_end(struct run *r)
{
	unsigned open = r->policy->open(r->policy);
	struct order left;

	if (!run_is_sequential(r) || r->opts->quiet || r->policy->ask(r->policy, &left))
		return;
	if (open)
		term_line(
			&r->term,
			"vbench: %u comparison%s still open after %u blocks, the most there were to be",
			open, open == 1 ? " is" : "s are", r->blocks);
	else if (r->done < r->blocks * (unsigned)(r->profile->ncells * r->profile->nworkloads))
		term_line(
			&r->term,
			"vbench: stopped early: all comparisons are closed, after %u of at most %u trials",
			r->done,
			r->blocks * (unsigned)(r->profile->ncells * r->profile->nworkloads));
}

static void template_again(void *arg, const char *why)
{
	struct run *r = arg;

	term_line(&r->term, "vbench: making a template failed, trying once more: %s", why);
}

static void new_sites(struct run *r, const char *templates)
{
	struct vm_env env = {.user = &r->user,
			     .journal = r->journal,
			     .stop_fd = r->opts->stop_fd,
			     .tick = watch,
			     .tick_arg = r};
	struct small_opts so = {.env = env,
				.boot_ms = BOOT_MS,
				.machine = run_machine,
				.arg = r,
				.again = template_again,
				.templates = templates};
	struct host_opts ho = {
		.env = env, .fio = r->tools[TOOL_FIO].path, .fio_version = r->fio_version};

	if (run_cells_on(r, false))
		r->guests = site_small_new(&so);
	for (size_t i = 0; i < r->profile->ncells && !r->many; i++)
		if (cell_counts_guests(&r->profile->cells[i]))
			r->many = site_many_new(r->guests);
	if (run_cells_on(r, true))
		r->host = site_host_new(&ho);
}

/* Everything between "the run is in the store" and its last word there. */
static int run_go(struct run *r, struct run_outcome *out, struct err *e)
{
	struct err late = {0};
	const char *status, *page = profile_get(r->profile, K_OUT);
	struct order left;
	char *templates;
	int rc;

	run_lock_note(r->uuid);
	templates = xasprintf("%s/templates", r->folder);
	new_sites(r, templates);
	rc = journal_path(r->journal, templates, e);
	if (!rc)
		rc = loop(r, e);
	say_end(r);
	if (!rc && r->search.visits)
		rc = run_search_save(r, e);
	dir_remove(templates, NULL);
	journal_done_path(r->journal, templates);
	/* a run whose every trial has had its turn is complete, whatever became of them */
	status = !rc || !r->policy->ask(r->policy, &left) ? "complete" : "interrupted";
	if (store_run_status(r->store, r->uuid, status, (int64_t)clock_real_ns(), &late) && !rc)
		rc = err_set(e, late.rc, "%s", late.text);
	free(templates);
	snprintf(out->uuid, sizeof(out->uuid), "%s", r->uuid);
	out->ok = r->ok;
	out->failed = r->failed;
	out->limited = r->limited;
	out->interrupted = rc == -EINTR;
	out->folder = xstrdup(r->folder);
	out->page = page && *page && strcmp(page, "auto") ? xstrdup(page)
							  : xasprintf("%s/report.html", r->folder);
	if (rc == -ENOSPC)
		err_prefix(e, "stopped, resume with `vbench run --resume` once there is room");
	return rc;
}

static void new_uuid(char out[37])
{
	uuid_t u;

	uuid_generate_random(u);
	uuid_unparse_lower(u, out);
}

int run_profile(const struct profile *p, const struct run_opts *o, struct run_outcome *out,
		struct err *e)
{
	struct run r = {0};
	struct run_cost cost;
	int rc;

	*out = (struct run_outcome){0};
	new_uuid(r.uuid);
	if (o->uuid)
		snprintf(r.uuid, sizeof(r.uuid), "%s", o->uuid);
	if (o->search)
		run_search_take(&r, o->search);
	term_init(&r.term, o->quiet);
	rc = run_setup(&r, p, o, e);
	if (!rc)
		rc = run_seed_and_blocks(&r, &cost, e);
	if (!rc)
		rc = run_decide_check(&r, e);
	if (rc)
		goto out;
	rc = run_preflight(&r, &cost, e);
	if (rc)
		goto out;
	r.folder = xasprintf("%s/runs/%s", r.data, r.uuid);
	rc = record_begin(&r, e);
	if (rc)
		goto out;
	r.policy = run_policy(&r);
	rc = run_go(&r, out, e);
out:
	run_teardown(&r);
	free(r.search_workload);
	run_lock_release();
	return rc;
}

/* Tells the stored trials again; the schedule must give each of them back. */
static int replay(struct run *r, struct err *e)
{
	struct store_trial *t = NULL;
	size_t n = 0, i;
	int rc = store_trials(r->store, r->uuid, &t, &n, e);

	for (i = 0; i < n && !rc; i++) {
		struct outcome told = {.ok = t[i].ok};

		if (!r->policy->ask(r->policy, &told.order) || told.order.seq != t[i].seq ||
		    told.order.block != t[i].block || told.order.randseed != t[i].randseed ||
		    strcmp(r->profile->cells[told.order.cell].id, t[i].cell) ||
		    strcmp(r->profile->workloads[told.order.workload].name, t[i].workload)) {
			rc = err_input(
				e,
				"run %.8s cannot be resumed: its trial %u is not the one that its "
				"profile and seed give (was it made by another version?)",
				r->uuid, t[i].seq);
			break;
		}
		told.primary =
			run_primary_value(r, told.order.workload, t[i].samples, t[i].nsamples);
		r->policy->tell(r->policy, &told);
		count_trial(r, &t[i]);
	}
	if (!rc)
		store_trials_free(t, n);
	return rc;
}

int run_resume(const char *what, const struct run_opts *o, struct run_outcome *out, struct err *e)
{
	struct run r = {0};
	struct store_run row = {0};
	struct profile *p = NULL;
	struct run_cost cost;
	int rc;

	*out = (struct run_outcome){0};
	term_init(&r.term, o->quiet);
	rc = record_reopen(&r, o, what, &row, &p, e);
	if (!rc)
		rc = run_setup(&r, p, o, e);
	if (!rc)
		rc = run_seed_and_blocks(&r, &cost, e);
	if (!rc)
		rc = run_preflight(&r, &cost, e);
	if (!rc)
		rc = record_same(&r, &row, e);
	if (rc)
		goto out;
	r.policy = run_policy(&r);
	rc = replay(&r, e);
	if (rc)
		goto out;
	if (!o->quiet)
		fprintf(stderr, "resuming run %.8s: %u of %s%u trials are stored\n", r.uuid, r.done,
			run_is_sequential(&r) ? "at most " : "", r.policy->total(r.policy));
	rc = store_run_status(r.store, r.uuid, "running", 0, e);
	if (!rc)
		rc = run_go(&r, out, e);
out:
	run_teardown(&r);
	free(r.search_workload);
	run_lock_release();
	profile_free(p);
	store_run_free(&row);
	return rc;
}
