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
#include "guest/pin.h"
#include "guest/plug.h"
#include "guest/server.h"
#include "guest/small_internal.h"

#define PLUG_MS 30000
#define DISK_MS 20000
#define FACTS_MS 10000
#define SLACK_MS 5000 /* for the answer, beyond the agent's own limit */

/* A server that has died is the reason for whatever failed after that. */
int small_fail(struct small *s, int rc, struct err *e)
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

	if (s->first)
		return small_template(s->first, m);
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
	s->machine.pin = site->pins;
	if (site->pins && cell_is(c, K_NODES, "plan"))
		s->machine.nodes = site->pins->nodes;
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
	site->boot_ns = s->vm.boot_ns;
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
	int ms = site_patience(s->vm.boot_ns, DISK_MS);
	json_t *q = json_pack("{s:s, s:i}", serial ? "serial" : "pci",
			      serial ? s->plan->serial : s->pci, "timeout_ms", ms);
	int rc;

	if (set_scheduler)
		json_object_set_new(q, "scheduler", json_string(s->scheduler));
	rc = vm_ask(&s->vm, WIRE_DISK, q, ms + SLACK_MS, facts, e);
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

/* Once all threads that a disk brings along are there. */
static int small_pin(struct small *s, struct err *e)
{
	struct vm_threads threads;
	int rc = vm_threads(&s->vm, &threads, e);

	if (!rc && (rc = pin_threads(s->vm.child.pid, &threads, s->machine.pin, e)))
		s->vm.cause = CAUSE_PLAN;
	if (!rc && s->server && s->machine.pin->server &&
	    (rc = pin_process(server_pid(s->server), s->machine.pin->server,
			      "the vhost-user server", e)))
		s->vm.cause = CAUSE_PLAN;
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
	if (!rc && s->machine.pin)
		rc = small_pin(s, e);
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
	json_object_set_new(process, "affinity", pin_process_evidence(server_pid(s->server)));
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
		rc = vm_ask(&s->vm, WIRE_FACTS, json_object(),
			    site_patience(s->vm.boot_ns, FACTS_MS), &s->facts, e);
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

static int small_work(struct site *site, const struct job *j,
		      void (*progress)(const struct job_progress *, void *), void *arg,
		      struct job_result *out, struct err *e)
{
	struct small *s = small_of(site);
	struct agent_msg msg;
	int rc = small_job_begin(s, j, j->fio, e);

	*out = (struct job_result){0};
	while (!rc && !s->job.done) {
		rc = vm_next(&s->vm, s->job.deadline, &msg, e);
		if (rc == -ENOSPC || rc == -EINTR)
			small_job_cancel(s);
		if (!rc)
			rc = small_job_message(s, &msg, out, e);
		if (!rc && s->job.moved && progress)
			progress(&s->job.last, arg);
	}
	if (!rc)
		rc = small_job_result(s, j, out, e);
	small_job_end(s);
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

struct site *site_small_peer(struct site *first)
{
	struct small *s = xcalloc(1, sizeof(*s));

	s->site.ops = &small_ops;
	s->o = small_of(first)->o;
	s->first = small_of(first);
	return &s->site;
}
