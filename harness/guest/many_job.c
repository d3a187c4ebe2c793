// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One job in several guests: sent to all, let go together, watched in one loop. When each of them
 * measured is told by its own clock, brought to the host's; what the host saw is read off for the
 * window that all have in common.
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include "base/term.h"
#include "guest/agent_decode.h"
#include "guest/many_internal.h"
#include "host/host.h"

#define MS 1000000ull
#define HOST_EVERY_NS (100 * MS)
#define CLOCK_SLACK_NS                                                            \
	(1000 * MS) /* fio's runtime is rounded, and its clock is not the agent's \
		     */

/* The host's CPUs at a moment, in ticks. */
struct host_sample {
	uint64_t ns, busy, total;
};

struct together {
	struct many *m;
	const struct job *j;
	struct job_together *out;
	uint16_t go_seq[MANY_MAX]; /* 0: not sent, or answered */
	bool gone[MANY_MAX];	   /* GO was answered */
	struct host_sample *host;
	size_t nhost, cap;
	uint64_t ticked, deadline;
};

static void host_look(struct together *t, bool now_or_never)
{
	uint64_t now = clock_mono_ns();
	struct host_noise n;

	if (!now_or_never && t->nhost && now - t->host[t->nhost - 1].ns < HOST_EVERY_NS)
		return;
	host_noise_take(&n);
	if (t->nhost == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 64;
		t->host = xrealloc(t->host, t->cap, sizeof(*t->host));
	}
	t->host[t->nhost++] = (struct host_sample){n.ns, n.busy_ticks, n.total_ticks};
}

static bool all_gated(const struct many *m)
{
	size_t i;

	/* one that has ended already will never stand there */
	for (i = 0; i < m->n; i++)
		if (!m->guest[i]->job.gated && !m->guest[i]->job.done)
			return false;
	return true;
}

/* The first guest that the others wait for, and what it has not done. */
static size_t late_one(const struct together *t, const char **what)
{
	const struct many *m = t->m;
	bool gated = !t->j->gate || all_gated(m);
	size_t i;

	for (i = 0; i < m->n; i++) {
		const struct small_job *x = &m->guest[i]->job;

		*what = !gated	     ? "its job was not ready"
			: !x->done   ? "its job did not end"
			: t->j->gate ? "its agent did not open the gate"
				     : "its job did not end";
		if (!gated ? !x->gated && !x->done : !x->done || (t->j->gate && !t->gone[i]))
			return i;
	}
	return 0;
}

static int out_of_time(struct together *t, struct err *e)
{
	const char *what = "its job did not end";
	size_t i = late_one(t, &what);

	t->m->guest[i]->vm.cause = CAUSE_TIMEOUT;
	err_set(e, -ETIMEDOUT, "%s in time", what);
	small_fail(t->m->guest[i], -ETIMEDOUT, e);
	return many_fail(t->m, i, -ETIMEDOUT, e);
}

/* All that a guest has sent. */
static int take_all(struct together *t, size_t i, struct err *e)
{
	struct small *s = t->m->guest[i];
	struct agent_msg msg;
	int rc = 0;

	while (!rc && agent_take(s->vm.agent, &msg) > 0) {
		char why[512];

		/* the answer to GO may come after the job's result; nothing else may, and a second
		 * result would take the first one's place */
		if (s->job.done && (!t->go_seq[i] || msg.seq != t->go_seq[i])) {
			agent_msg_free(&msg);
			continue;
		}
		if (!t->go_seq[i] || msg.seq != t->go_seq[i]) {
			rc = small_job_message(s, &msg, t->out->guest[i].result, e);
			continue;
		}
		t->go_seq[i] = 0;
		t->out->guest[i].go_late_ns = clock_mono_ns();
		t->gone[i] = true;
		/* a job that had ended by then has no gate */
		if (msg.type != WIRE_REPLY && !s->job.done) {
			s->vm.cause = CAUSE_AGENT;
			rc = err_set(e, -EREMOTEIO, "the guest's agent says: %s",
				     agent_decode_error(msg.body, why, sizeof(why)));
		}
		agent_msg_free(&msg);
	}
	return rc;
}

static int tick(struct together *t, struct err *e)
{
	const struct vm_env *env = t->m->first->vm.env;
	uint64_t now = clock_mono_ns();
	int rc;

	if (!env->tick || now - t->ticked < 250 * MS)
		return 0;
	t->ticked = now;
	rc = env->tick(env->tick_arg, &t->m->site.cause, e);
	return rc;
}

/* Waits for whatever any guest does next, for at most 250 ms, and handles it. */
static int turn(struct together *t, struct err *e)
{
	struct pollfd fds[MANY_MAX * VM_FDS];
	size_t n = 0, i;
	int rc = 0;

	for (i = 0; i < t->m->n; i++)
		n += vm_fds(&t->m->guest[i]->vm, fds + n);
	if (poll(fds, n, 250) < 0 && errno != EINTR) {
		t->m->site.cause = CAUSE_GUEST;
		return err_set(e, -errno, "poll: %s", strerror(errno));
	}
	for (i = 0; i < t->m->n && !rc; i++) {
		struct small *s = t->m->guest[i];

		rc = vm_turn(&s->vm, e);
		if (!rc)
			rc = take_all(t, i, e);
		if (rc) {
			rc = small_fail(s, rc, e);
			return many_fail(t->m, i, rc, e);
		}
	}
	host_look(t, false);
	if (clock_mono_ns() > t->deadline)
		return out_of_time(t, e);
	return tick(t, e);
}

static bool all_done(const struct together *t)
{
	size_t i;

	for (i = 0; i < t->m->n; i++)
		if (!t->m->guest[i]->job.done || (t->j->gate && !t->gone[i]))
			return false;
	return true;
}

/* The same word to all, one right after the other: what lies between is some writes to sockets. */
static int go(struct together *t, struct err *e)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < t->m->n && !rc; i++) {
		struct small *s = t->m->guest[i];

		t->out->guest[i].go_ns = clock_mono_ns();
		/* what ended before it was ready is told by its result, when all have one */
		t->gone[i] = s->job.done;
		if (t->gone[i])
			continue;
		s->vm.cause = CAUSE_AGENT;
		rc = agent_send(s->vm.agent, WIRE_GO, json_pack("{s:i}", "seq", s->job.seq),
				&t->go_seq[i], e);
		if (rc) {
			rc = small_fail(s, rc, e);
			return many_fail(t->m, i, rc, e);
		}
	}
	return 0;
}

static void show(struct together *t, void (*progress)(const struct job_progress *, void *),
		 void *arg)
{
	struct job_progress sum = {0};
	size_t i;

	for (i = 0; i < t->m->n; i++) {
		sum.iops += t->m->guest[i]->job.last.iops;
		sum.bw += t->m->guest[i]->job.last.bw;
		sum.ios += t->m->guest[i]->job.last.ios;
	}
	if (progress)
		progress(&sum, arg);
}

static int run_all(struct together *t, void (*progress)(const struct job_progress *, void *),
		   void *arg, struct err *e)
{
	struct many *m = t->m;
	uint64_t shown = 0, t0 = clock_mono_ns();
	size_t i;
	int rc = 0;

	for (i = 0; i < m->n && !rc; i++) {
		rc = small_job_begin(m->guest[i], t->j, t->j->each ? t->j->each[i] : t->j->fio, e);
		if (rc) {
			rc = small_fail(m->guest[i], rc, e);
			return many_fail(m, i, rc, e);
		}
		t->deadline = m->guest[i]->job.deadline;
	}
	while (!rc && t->j->gate && !all_gated(m))
		rc = turn(t, e);
	/* the time limit is the job's, not the time's until all were there */
	t->deadline += clock_mono_ns() - t0;
	if (!rc && t->j->gate)
		rc = go(t, e);
	while (!rc && !all_done(t)) {
		rc = turn(t, e);
		if (!rc && clock_mono_ns() - shown > 250 * MS) {
			shown = clock_mono_ns();
			show(t, progress, arg);
		}
	}
	return rc;
}

/* ---- when, by whose clock ---- */

/* Guests' clocks above it are lies (73 years), and sums with such would overflow. */
#define STAMP_MAX (1ll << 61)

static uint64_t stamp(const json_t *reply, const char *key)
{
	const json_t *v = json_object_get(json_object_get(reply, "gate"), key);
	json_int_t ns = json_is_integer(v) ? json_integer_value(v) : 0;

	return ns > 0 && ns < STAMP_MAX ? (uint64_t)ns : 0;
}

/* How long fio measured: of all directions of its first group, in ns; 0: it does not say. */
static uint64_t measured_ns(const json_t *fio)
{
	static const char *const dirs[] = {"read", "write", "trim"};
	const json_t *job = json_array_get(json_object_get(fio, "jobs"), 0);
	uint64_t most = 0;

	for (size_t i = 0; i < 3; i++) {
		const json_t *ms = json_object_get(json_object_get(job, dirs[i]), "runtime");

		if (json_is_integer(ms) && json_integer_value(ms) > 0 &&
		    json_integer_value(ms) < 86400000 && (uint64_t)json_integer_value(ms) > most)
			most = (uint64_t)json_integer_value(ms);
	}
	return most * MS;
}

/*
 * fio's threads begin between first and last, and measure for so long after the ramp; all of a
 * guest's do from the last one's begin to the first one's end. A guest may lie: what it says must
 * at least fit what the host saw of it, which let it go and has its result by now.
 */
static int window(struct job_guest *g, uint64_t ramp_ns, int64_t offset, uint64_t now,
		  struct err *e)
{
	const json_t *reply = g->result->reply;
	uint64_t open = stamp(reply, "open_ns"), first = stamp(reply, "first_ns");
	uint64_t last = stamp(reply, "last_ns"), length = measured_ns(g->result->fio);

	if (!open || first < open || last < first || !length)
		return err_set(
			e, -EPROTO,
			"its agent does not tell when its job began, or fio how long it ran");
	g->from_ns = last + (uint64_t)offset + ramp_ns;
	g->to_ns = first + (uint64_t)offset + ramp_ns + length;
	if (g->from_ns < g->go_ns + ramp_ns || g->to_ns <= g->from_ns ||
	    g->to_ns > now + CLOCK_SLACK_NS)
		return err_set(e, -EPROTO, "the times that its agent tells cannot be");
	return 0;
}

/*
 * Of what a guest measured the time in which not all guests were at work (from busy to idle, in
 * their ramps or behind them). Which of its threads measured is not known: the worst of them.
 */
static double alone_ns(const struct job_guest *g, uint64_t busy, uint64_t idle)
{
	uint64_t length = measured_ns(g->result->fio);
	uint64_t first = g->to_ns - length, last = g->from_ns + length;
	double lost = (busy > first ? (double)(busy - first) : 0) +
		      (last > idle ? (double)(last - idle) : 0);

	return fmin(lost, (double)length);
}

int many_windows(struct job_together *t, uint64_t ramp_ns, const int64_t *offset_ns, uint64_t now,
		 struct err *e)
{
	uint64_t first = UINT64_MAX, last = 0, idle = UINT64_MAX;
	double alone = 0, all = 0;
	size_t i;

	for (i = 0; i < t->n; i++) {
		struct job_guest *g = &t->guest[i];
		uint64_t begun;
		int rc = window(g, ramp_ns, offset_ns[i], now, e);

		if (rc) {
			err_prefix(e, "guest %zu", i + 1);
			return rc;
		}
		begun = g->from_ns - ramp_ns;
		first = begun < first ? begun : first;
		last = begun > last ? begun : last;
		idle = g->to_ns < idle ? g->to_ns : idle;
	}
	t->spread_ns = last - first;
	for (i = 0; i < t->n; i++) {
		all += (double)measured_ns(t->guest[i].result->fio);
		alone += alone_ns(&t->guest[i], last, idle);
	}
	t->overlap = 1 - alone / all;
	return 0;
}

/*
 * The host's clock less the guest's: every message shows it, too large by what it took on its way;
 * the least is nearest. Both tick alike: the guest's is the TSC, or the host's own.
 */
static int64_t clock_offset(const struct small_job *job)
{
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < job->n; i++) {
		int64_t d = (int64_t)(job->samples[i].ns - job->samples[i].guest_ns);

		if (job->samples[i].guest_ns && d < least)
			least = d;
	}
	return least == INT64_MAX ? 0 : least;
}

/* ---- what happened in it ---- */

/* A counter at a moment, between the two samples around it; ns and value are fields of a sample. */
static double at(const char *samples, size_t n, size_t size, size_t ns_at, size_t value_at,
		 uint64_t when)
{
	for (size_t i = 1; i < n; i++) {
		const char *a = samples + (i - 1) * size, *b = samples + i * size;
		uint64_t t0, t1, v0, v1;

		memcpy(&t0, a + ns_at, sizeof(t0));
		memcpy(&t1, b + ns_at, sizeof(t1));
		memcpy(&v0, a + value_at, sizeof(v0));
		memcpy(&v1, b + value_at, sizeof(v1));
		if (when < t0 || when > t1 || t1 == t0)
			continue;
		return (double)v0 +
		       (double)(int64_t)(v1 - v0) * (double)(when - t0) / (double)(t1 - t0);
	}
	return NAN;
}

#define GROWTH(samples, n, field, from, to)                                            \
	(at((const char *)(samples), n, sizeof(*(samples)),                            \
	    (size_t)((const char *)&(samples)->ns - (const char *)(samples)),          \
	    (size_t)((const char *)&(samples)->field - (const char *)(samples)), to) - \
	 at((const char *)(samples), n, sizeof(*(samples)),                            \
	    (size_t)((const char *)&(samples)->ns - (const char *)(samples)),          \
	    (size_t)((const char *)&(samples)->field - (const char *)(samples)), from))

static double share(double part, double whole)
{
	double s = part / whole;

	return !(whole > 0) || !isfinite(s) ? NAN : s < 0 ? 0 : s > 1 ? 1 : s;
}

static void shares(struct together *t)
{
	uint64_t from = 0, to = UINT64_MAX;
	size_t i;

	for (i = 0; i < t->out->n; i++) {
		struct job_guest *g = &t->out->guest[i];

		from = g->from_ns > from ? g->from_ns : from;
		to = g->to_ns < to ? g->to_ns : to;
	}
	if (to <= from)
		return;
	for (i = 0; i < t->out->n; i++) {
		const struct small *s = t->m->guest[i];
		const struct small_job *x = &s->job;
		struct job_guest *g = &t->out->guest[i];
		double all;

		if (!x->n)
			continue;
		all = GROWTH(x->samples, x->n, guest.total, from, to);
		g->cpu = share(GROWTH(x->samples, x->n, guest.busy, from, to), all);
		/* an emulated guest has no clock that would tell it of time that it was not given
		 */
		if (!strcmp(s->machine.accel, "kvm"))
			g->steal = share(GROWTH(x->samples, x->n, guest.steal, from, to), all);
		g->wait = share(GROWTH(x->samples, x->n, cpu.wait, from, to),
				(double)(to - from) * s->machine.vcpus);
	}
	if (t->nhost)
		t->out->host_cpu = share(GROWTH(t->host, t->nhost, busy, from, to),
					 GROWTH(t->host, t->nhost, total, from, to));
}

static int finish(struct together *t, struct err *e)
{
	int64_t offset[MANY_MAX];
	bool whole = true;
	size_t i;
	int rc = 0;

	for (i = 0; i < t->m->n && !rc; i++) {
		struct small *s = t->m->guest[i];

		rc = small_job_result(s, t->j, t->out->guest[i].result, e);
		if (rc) {
			rc = small_fail(s, rc, e);
			return many_fail(t->m, i, rc, e);
		}
		offset[i] = clock_offset(&s->job);
		/* fio's own failure is told by whoever reads its result */
		whole = whole && t->out->guest[i].result->fio;
	}
	if (!t->j->gate || !whole)
		return 0;
	host_look(t, true);
	rc = many_windows(t->out, t->j->ramp_ns, offset, clock_mono_ns(), e);
	if (rc)
		t->m->site.cause = CAUSE_AGENT;
	else
		shares(t);
	return rc;
}

int many_work(struct site *site, const struct job *j,
	      void (*progress)(const struct job_progress *, void *), void *arg,
	      struct job_result *out, struct err *e)
{
	struct many *m = (struct many *)site;
	struct together t = {.m = m, .j = j};
	size_t i;
	int rc;

	*out = (struct job_result){.together = xcalloc(1, sizeof(*out->together))};
	t.out = out->together;
	t.out->n = m->n;
	t.out->host_cpu = NAN;
	t.out->guest = xcalloc(m->n, sizeof(*t.out->guest));
	for (i = 0; i < m->n; i++)
		t.out->guest[i] =
			(struct job_guest){.result = xcalloc(1, sizeof(struct job_result)),
					   .cpu = NAN,
					   .steal = NAN,
					   .wait = NAN};
	t.ticked = clock_mono_ns();
	rc = run_all(&t, progress, arg, e);
	if (!rc)
		rc = finish(&t, e);
	for (i = 0; i < m->n; i++)
		small_job_end(m->guest[i]);
	free(t.host);
	if (rc)
		job_result_free(out);
	return rc;
}
