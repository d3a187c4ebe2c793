// SPDX-License-Identifier: GPL-2.0-or-later
/* Site "small guest": one QEMU per trial, its disk plugged into a running guest. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/term.h"
#include "guest/agent_decode.h"
#include "guest/evidence.h"
#include "guest/fdset.h"
#include "guest/plug.h"
#include "guest/server.h"
#include "guest/small.h"
#include "guest/template.h"

#define PLUG_MS 30000
#define DISK_MS 20000
#define FACTS_MS 10000
#define JOB_GRACE_NS \
	10000000000ull /* beyond the agent's own limit, until we stop waiting for its RESULT */

/* One observation of the running job: how far the disk is, and what QEMU and its server have spent.
 */
struct job_sample {
	uint64_t ns, ios;
	struct vm_cpu cpu;
	uint64_t server; /* CPU time of the vhost-user server */
};

struct small {
	struct site site;
	struct small_opts o;
	struct template *templates;
	size_t ntemplates;
	struct vm vm;
	bool up;
	struct machine machine;
	const char *kernel;
	const struct disk_plan *plan;
	struct server *server; /* the plan's, NULL: none */
	char pci[32];	       /* of a disk without a serial */
	char scheduler[32], bus[24];
	json_t *facts;
	json_t *disks; /* what the agent said of several */
};

static struct small *small_of(struct site *s)
{
	return (struct small *)s;
}

/* A server that has died is the reason for whatever failed after that. */
static int small_fail(struct small *s, int rc, struct err *e)
{
	if (s->server && s->vm.cause != CAUSE_INTERRUPTED) {
		int gone = server_check(s->server, e);

		s->vm.beside_fd = server_pidfd(s->server);
		if (gone) {
			s->vm.cause = CAUSE_SERVER;
			rc = gone;
		}
	}
	s->site.cause = s->vm.cause ? s->vm.cause : CAUSE_GUEST;
	return rc;
}

/*
 * Makes a template. One whose cold disks QEMU has no room for can not be made, however often one
 * tries, and that is what there is to say.
 */
static void small_make(struct small *s, const struct machine *m, struct template *t)
{
	struct err e = {0};

	template_make(&s->o.env, m, s->site.block, s->o.templates, s->o.boot_ms, t, NULL);
	if (t->cause != CAUSE_QEMU || !m->ncold ||
	    !plug_cold_limit(m->cold, m->ncold, s->bus, t->why, &e))
		return;
	free(t->why);
	t->why = xstrdup(e.text);
	t->rc = e.rc;
	t->cause = CAUSE_LIMIT;
}

/*
 * The block's template for a machine, made if it is not there yet. A guest that was not up in time,
 * or died on the way, is booted once more: making a template measures nothing, and a block is worth
 * more than a boot. What failed is said. A second failure is remembered for the block.
 */
static struct template *small_template(struct small *s, const struct machine *m)
{
	struct template *t;
	char hash[17];
	size_t i;

	machine_hash(m, hash);
	for (i = 0; i < s->ntemplates; i++)
		if (!strcmp(s->templates[i].machine, hash))
			return &s->templates[i];
	s->templates = xrealloc(s->templates, s->ntemplates + 1, sizeof(*s->templates));
	t = &s->templates[s->ntemplates++];
	small_make(s, m, t);
	if (t->rc &&
	    (t->cause == CAUSE_GUEST || t->cause == CAUSE_QEMU || t->cause == CAUSE_TIMEOUT)) {
		if (s->o.again)
			s->o.again(s->o.arg, t->why);
		template_drop(t);
		small_make(s, m, t);
	}
	if (!t->rc && s->o.made)
		s->o.made(s->o.arg, t->id, t->boot_ns, t->save_ns, t->bytes);
	return t;
}

/* The cell's machine, with the blank disks of a cold plan in it: what its template is made of. */
static int small_machine(struct small *s, const struct cell *c, const struct disk_plan *p,
			 struct machine *m, const char **kernel, struct err *e)
{
	int rc = s->o.machine(s->o.arg, c, m, kernel, e);

	snprintf(s->bus, sizeof(s->bus), "%s", cell_get(c, K_BUS) ? cell_get(c, K_BUS) : "disk");
	if (!rc && p->cold && p->device)
		rc = err_input(e, "disk.bus: a block device needs a bus that can be hot-plugged: "
				  "virtio-blk, virtio-scsi or nvme");
	if (rc) {
		s->site.cause = CAUSE_PLAN;
		return rc;
	}
	if (p->cold) {
		m->cold = p->blank;
		m->ncold = p->nblank;
	}
	return 0;
}

/* What met a limit says itself what there is to say, as a trial that meets one after its start. */
static int small_no_template(const struct template *t, struct err *e)
{
	return err_set(e, t->rc, "%s%s", t->cause == CAUSE_LIMIT ? "" : "template: ", t->why);
}

static bool wants_boot(const struct cell *c)
{
	return cell_get(c, K_START) && !strcmp(cell_get(c, K_START), "boot");
}

static int small_prepare(struct site *site, const struct cell *c, const struct disk_plan *p,
			 struct err *e)
{
	struct small *s = small_of(site);
	struct machine m;
	const char *kernel;
	struct template *t;
	int rc = small_machine(s, c, p, &m, &kernel, e);

	if (rc)
		return rc;
	if (wants_boot(c))
		return 0;
	t = small_template(s, &m);
	site->cause = t->cause;
	return t->rc ? small_no_template(t, e) : 0;
}

/* Restores or boots. Afterwards s->machine is what QEMU was started with, and its cold disks (the
 * real ones) are there. */
static int small_up(struct small *s, const struct cell *c, const struct disk_plan *p,
		    const struct template *t, struct err *e)
{
	struct err limit = {0};
	int rc;

	if (p->cold) {
		s->machine.cold = p->specs;
		s->machine.ncold = p->nspecs;
	}
	if (wants_boot(c))
		rc = vm_boot(&s->vm, &s->o.env, &s->machine, s->site.folder, s->o.boot_ms, e);
	else
		rc = template_restore(&s->vm, &s->o.env, &s->machine, t, s->site.folder, e);
	s->up = !rc;
	if (rc && p->cold && s->vm.cause == CAUSE_QEMU && e &&
	    plug_cold_limit(p->specs, p->nspecs, s->bus, e->text, &limit)) {
		s->vm.cause = CAUSE_LIMIT;
		rc = err_set(e, limit.rc, "%s", limit.text);
	}
	return rc;
}

static int small_open(struct site *site, const struct cell *c, const struct disk_plan *p,
		      char template_id[40], struct err *e)
{
	struct small *s = small_of(site);
	struct template *t = NULL;
	int rc = small_machine(s, c, p, &s->machine, &s->kernel, e);

	template_id[0] = 0;
	if (rc)
		return rc;
	snprintf(s->scheduler, sizeof(s->scheduler), "%s",
		 cell_get(c, K_SCHEDULER) ? cell_get(c, K_SCHEDULER) : "none");
	if (!wants_boot(c)) {
		t = small_template(s, &s->machine);
		if (t->rc) {
			site->cause = t->cause;
			return small_no_template(t, e);
		}
		snprintf(template_id, 40, "%s", t->id);
	}
	rc = small_up(s, c, p, t, e);
	return rc ? small_fail(s, rc, e) : 0;
}

/* The commands as one would type them into a QMP shell, or QEMU's options for disks that stand on
 * its command line: kept beside the trial, and shown in reports. */
static void plug_artefact(struct small *s, const struct disk_plan *p)
{
	char *path = xasprintf("%s/plug.txt", s->site.folder);
	FILE *f = fopen(path, "we");
	size_t i;

	if (f && p->device && !p->cold)
		fprintf(f,
			"{\"execute\":\"add-fd\",\"arguments\":{\"fdset-id\":%d,\"opaque\":\"disk\"}}\n",
			FDSET_ID);
	if (f && p->server.argv)
		fprintf(f, "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"%s\"}}\n",
			p->sock_name);
	for (i = 0; f && i < p->nspecs; i++) {
		char *text = json_dumps(p->specs[i].args, JSON_COMPACT);

		if (p->cold)
			fprintf(f, "%s '%s'\n", qspec_option(p->specs[i].kind), text ? text : "{}");
		else
			fprintf(f, "{\"execute\":\"%s\",\"arguments\":%s}\n",
				qspec_command(p->specs[i].kind), text ? text : "{}");
		free(text);
	}
	if (f)
		fclose(f);
	free(path);
}

static int small_disk(struct small *s, bool set_scheduler, json_t **facts, struct err *e)
{
	bool serial = s->plan->serial[0];
	json_t *q = json_pack("{s:s, s:i}", serial ? "serial" : "pci",
			      serial ? s->plan->serial : s->pci, "timeout_ms", DISK_MS);
	int rc;

	if (set_scheduler)
		json_object_set_new(q, "scheduler", json_string(s->scheduler));
	rc = vm_ask(&s->vm, WIRE_DISK, q, DISK_MS + 5000, facts, e);
	if (!rc) {
		rc = agent_decode_disk(*facts, serial ? s->plan->serial : NULL, e);
		if (rc) {
			s->vm.cause = CAUSE_AGENT;
			json_decref(*facts);
			*facts = NULL;
		}
	}
	if (rc)
		err_prefix(e, "disk %s", serial ? s->plan->serial : s->pci);
	return rc;
}

static int small_beside(void *arg, struct err *e)
{
	struct small *s = arg;
	int rc = server_check(s->server, e);

	s->vm.beside_fd = server_pidfd(s->server);
	/* a clean end is none while QEMU lives, whose end is seen first */
	if (!rc && !server_alive(s->server))
		rc = err_set(e, -ECONNRESET, "%s, which serves the disk, has ended",
			     s->plan->server.what);
	return rc;
}

/* The plan's server, and its socket in QEMU's hands under the name that the chardev will ask for.
 */
static int small_serve(struct small *s, const struct disk_plan *p, struct err *e)
{
	int rc = server_start(&s->server, &p->server, s->o.env.user, s->o.env.journal,
			      s->site.folder, e);

	if (rc) {
		s->vm.cause = CAUSE_SERVER;
		return rc;
	}
	s->vm.beside = small_beside;
	s->vm.beside_arg = s;
	s->vm.beside_fd = server_pidfd(s->server);
	rc = qmp_call(&s->vm.qmp, "getfd", json_pack("{s:s}", "fdname", p->sock_name),
		      server_sock(s->server), clock_mono_ns() + PLUG_MS * 1000000ull, NULL, e);
	if (rc)
		s->vm.cause = CAUSE_QEMU;
	server_sock_given(s->server);
	return rc;
}

/* An open block device of the host into QEMU's hands, whose user may not open it. */
static int small_device(struct small *s, const struct disk_plan *p, struct err *e)
{
	int fd = fdset_open(p, e), rc = fd < 0 ? fd : 0;

	if (!rc)
		rc = fdset_add(&s->vm.qmp, fd, clock_mono_ns() + PLUG_MS * 1000000ull, e);
	if (fd >= 0)
		close(fd);
	if (rc)
		s->vm.cause = CAUSE_PLAN;
	return rc;
}

/* Waits for the disks; the first one's facts come last, when all are set up. */
static int small_find(struct small *s, const struct disk_plan *p, struct err *e)
{
	struct site *site = &s->site;
	uint64_t t0 = clock_mono_ns();
	json_t *facts = NULL;
	int rc = 0;

	if (p->nunits > 1)
		rc = plug_find(&s->vm, p, s->bus, s->scheduler, &site->targets, &s->disks, e);
	if (!rc)
		rc = small_disk(s, true, &facts, e);
	site->visible_ns = clock_mono_ns() - t0;
	/* the decoder has made sure that it is /dev/ and a plain name: it goes into a job file */
	if (!rc)
		snprintf(site->target, sizeof(site->target), "%s",
			 json_string_value(json_object_get(facts, "path")));
	json_decref(facts);
	return rc;
}

static int small_plug(struct site *site, const struct disk_plan *p, struct err *e)
{
	struct small *s = small_of(site);
	int rc = 0;

	s->plan = p;
	plug_artefact(s, p);
	if (p->server.argv)
		rc = small_serve(s, p, e);
	if (!rc && p->device)
		rc = small_device(s, p, e);
	if (!rc && !p->cold)
		rc = plug_specs(&s->vm, p, s->bus, e);
	if (!rc && !p->serial[0])
		rc = evidence_pci(&s->vm, p->device_id, s->pci, e);
	if (!rc)
		rc = small_find(s, p, e);
	if (!rc)
		site->rss_bytes = evidence_rss(s->vm.child.pid);
	return rc ? small_fail(s, rc, e) : 0;
}

/* What the server says of itself and of its peer, and what /proc shows of it. */
static void server_evidence(struct small *s, json_t *evidence)
{
	const char *version = s->plan->server.version;
	json_t *said, *process;

	if (!s->server)
		return;
	said = server_report(s->server);
	json_object_set_new(evidence, "server", said ? said : json_null());
	process = evidence_process(server_pid(s->server), s->plan->image);
	if (version)
		json_object_set_new(process, "version", json_string(version));
	json_object_set_new(evidence, "server_process", process);
}

static int small_ask(struct site *site, json_t **evidence, struct err *e)
{
	struct small *s = small_of(site);
	struct vm_threads threads;
	json_t *disk = NULL, *qmp;
	int rc = 0;

	*evidence = NULL;
	if (!s->facts) {
		rc = vm_ask(&s->vm, WIRE_FACTS, json_object(), FACTS_MS, &s->facts, e);
		if (!rc && (rc = agent_decode_facts(s->facts, e)))
			s->vm.cause = CAUSE_AGENT;
	}
	if (!rc && (rc = evidence_images(s->plan, e)))
		s->vm.cause = CAUSE_IO;
	if (!rc)
		rc = small_disk(s, false, &disk, e);
	if (!rc)
		rc = vm_threads(&s->vm, &threads, e);
	if (!rc) {
		qmp = evidence_qmp(&s->vm, s->plan, e);
		rc = qmp ? 0 : -ECONNRESET;
	}
	if (!rc)
		*evidence = json_pack("{s:{s:O, s:O}, s:o, s:o}", "guest", "facts", s->facts,
				      "disk", disk, "qmp", qmp, "host",
				      evidence_host(&s->vm, &threads, s->plan->image));
	if (!rc && s->disks)
		json_object_set(json_object_get(*evidence, "guest"), "disks", s->disks);
	if (!rc)
		server_evidence(s, *evidence);
	json_decref(disk);
	return rc ? small_fail(s, rc, e) : 0;
}

static size_t small_agreed(struct site *site, const struct cell *c, const json_t *evidence,
			   struct asked_got *out, size_t max)
{
	struct small *s = small_of(site);

	return guest_asked_got(c, &s->machine, s->kernel, evidence, out, max);
}

/*
 * CPU spent and I/Os done between the first observation after the ramp and the last but one in
 * which the disk still moved: what lies outside is fio starting and ending.
 */
static void job_window(const struct job_sample *x, size_t n, uint64_t ramp_ns,
		       struct job_result *out)
{
	size_t first = 0, last, begin;

	while (first < n && !x[first].ios)
		first++;
	for (begin = first; begin < n && x[begin].ns - x[first].ns < ramp_ns; begin++)
		;
	for (last = n ? n - 1 : 0; last > begin && x[last].ios == x[last - 1].ios; last--)
		;
	if (last > begin + 1)
		last--;
	if (begin >= n || last <= begin || x[last].ios <= x[begin].ios)
		return;
	out->cpu_ios = x[last].ios - x[begin].ios;
	out->cpu_vcpu_ns = x[last].cpu.vcpu - x[begin].cpu.vcpu;
	out->cpu_iothread_ns = x[last].cpu.iothread - x[begin].cpu.iothread;
	out->cpu_server_ns = x[last].server - x[begin].server;
	out->cpu_rest_ns =
		x[last].cpu.rest > x[begin].cpu.rest ? x[last].cpu.rest - x[begin].cpu.rest : 0;
}

/* Asks the agent to end the job and waits a little for its last word, so that the guest can be used
 * on. */
static void job_cancel(struct small *s, uint16_t seq)
{
	vm_ask(&s->vm, WIRE_CANCEL, json_pack("{s:i}", "seq", seq), 3000, NULL, NULL);
}

static int small_work(struct site *site, const struct job *j,
		      void (*progress)(const struct job_progress *, void *), void *arg,
		      struct job_result *out, struct err *e)
{
	enum { MAX_SAMPLES = 65536 };
	struct small *s = small_of(site);
	uint64_t deadline = clock_mono_ns() + j->timeout_ns + JOB_GRACE_NS;
	struct job_sample *samples = NULL;
	struct vm_threads threads;
	struct job_progress jp;
	struct agent_msg msg;
	size_t n = 0, cap = 0;
	bool done = false;
	uint16_t seq;
	int rc;

	*out = (struct job_result){0};
	s->vm.beside_fd = s->server ? server_pidfd(s->server) : -1;
	rc = vm_threads(&s->vm, &threads, e);
	if (!rc) {
		s->vm.cause = CAUSE_AGENT;
		rc = agent_send(s->vm.agent, WIRE_JOB,
				json_pack("{s:s, s:I, s:I}", "job", j->fio, "timeout_ms",
					  (json_int_t)(j->timeout_ns / 1000000), "interval_ms",
					  (json_int_t)(j->interval_ns / 1000000)),
				&seq, e);
	}
	while (!rc && !done) {
		rc = vm_next(&s->vm, deadline, &msg, e);
		if (rc == -ENOSPC || rc == -EINTR)
			job_cancel(s, seq);
		if (rc)
			break;
		if (msg.seq != seq) {
			agent_msg_free(&msg);
			continue;
		}
		if (msg.type == WIRE_PROGRESS && !agent_decode_progress(msg.body, &jp, NULL)) {
			if (n == cap && cap < MAX_SAMPLES) {
				cap = cap ? cap * 2 : 64;
				samples = xrealloc(samples, cap, sizeof(*samples));
			}
			if (n < cap) {
				samples[n].ns = clock_mono_ns();
				samples[n].ios = jp.ios;
				samples[n].server = s->server ? server_cpu(s->server) : 0;
				vm_cpu(&s->vm, &threads, &samples[n++].cpu);
			}
			if (progress)
				progress(&jp, arg);
		} else if (msg.type == WIRE_RESULT) {
			s->vm.cause = CAUSE_AGENT;
			rc = agent_decode_result(msg.body, out, e);
			done = true;
		} else if (msg.type == WIRE_ERROR) {
			char why[512];

			s->vm.cause = CAUSE_AGENT;
			rc = err_set(e, -EREMOTEIO, "the guest's agent says: %s",
				     agent_decode_error(msg.body, why, sizeof(why)));
		}
		agent_msg_free(&msg);
	}
	/* fio's own words would only be "Input/output error" */
	if (!rc && json_integer_value(json_object_get(out->reply, "exit"))) {
		rc = evidence_failed(&s->vm, s->plan, e);
		if (rc)
			job_result_free(out);
	}
	if (!rc)
		job_window(samples, n, j->ramp_ns, out);
	free(samples);
	return rc ? small_fail(s, rc, e) : 0;
}

static void small_close(struct site *site, bool clean)
{
	struct small *s = small_of(site);

	if (s->up)
		vm_end(&s->vm, clean);
	s->up = false;
	/* after its peer: a server that loses QEMU in the middle of an I/O has nothing to save */
	server_stop(s->server);
	s->server = NULL;
	s->plan = NULL;
	json_decref(s->facts);
	s->facts = NULL;
	json_decref(s->disks);
	s->disks = NULL;
	targets_free(site->targets);
	site->targets = NULL;
	site->rss_bytes = 0;
}

static void small_end_block(struct site *site)
{
	struct small *s = small_of(site);
	size_t i;

	for (i = 0; i < s->ntemplates; i++)
		template_drop(&s->templates[i]);
	free(s->templates);
	s->templates = NULL;
	s->ntemplates = 0;
}

static void small_destroy(struct site *site)
{
	small_close(site, false);
	small_end_block(site);
	free(site);
}

static const struct site_ops small_ops = {
	.name = "small guest",
	.fresh = true,
	.prepare = small_prepare,
	.open = small_open,
	.plug = small_plug,
	.ask = small_ask,
	.agreed = small_agreed,
	.work = small_work,
	.close = small_close,
	.end_block = small_end_block,
	.destroy = small_destroy,
};

struct site *site_small_new(const struct small_opts *o)
{
	struct small *s = xcalloc(1, sizeof(*s));

	s->site.ops = &small_ops;
	s->o = *o;
	return &s->site;
}
