// SPDX-License-Identifier: GPL-2.0-or-later
/* Asked against got for the keys of [guest]: pure, evidence in, rows out. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/units.h"
#include "guest/evidence.h"

struct rows {
	struct asked_got *out;
	size_t n, max;
};

/* got NULL: unknown, why says the reason. */
static void row(struct rows *r, const char *key, const char *from, const char *asked,
		const char *got, const char *why)
{
	struct asked_got *a;

	if (r->n >= r->max)
		return;
	a = &r->out[r->n++];
	memset(a, 0, sizeof(*a));
	snprintf(a->key, sizeof(a->key), "%s", key);
	snprintf(a->from, sizeof(a->from), "%s", from);
	snprintf(a->asked, sizeof(a->asked), "%s", asked);
	snprintf(a->got, sizeof(a->got), "%s", got ? got : why);
	a->state = !got ? GOT_UNKNOWN : strcmp(asked, got) ? GOT_DIFFER : GOT_MATCH;
}

static const json_t *at(const json_t *o, const char *a, const char *b)
{
	return json_object_get(json_object_get(o, a), b);
}

/* Who answers FACTS is a guest's agent. */
static void ask_site(struct rows *r, const struct cell *c, const json_t *facts)
{
	const char *site = cell_get(c, K_SITE);

	if (site)
		row(r, "guest.site", "guest", site,
		    json_string_value(json_object_get(facts, "kernel")) ? "guest" : NULL,
		    "the agent does not say");
}

static void ask_accel(struct rows *r, const struct machine *m, const json_t *qmp)
{
	const json_t *on = at(qmp, "query-kvm", "enabled");

	row(r, "guest.accel", "host", m->accel,
	    !on		       ? NULL
	    : json_is_true(on) ? "kvm"
			       : "tcg",
	    "QEMU does not answer query-kvm");
}

static void ask_vcpus(struct rows *r, const struct machine *m, const json_t *qmp,
		      const json_t *facts)
{
	const json_t *host = json_object_get(qmp, "query-cpus-fast"),
		     *guest = json_object_get(facts, "cpus");
	char asked[24], got[64];
	json_int_t h = (json_int_t)json_array_size(host), g = json_integer_value(guest);

	snprintf(asked, sizeof(asked), "%u", m->vcpus);
	if (host && guest && h == g)
		snprintf(got, sizeof(got), "%" JSON_INTEGER_FORMAT, h);
	else
		snprintf(got, sizeof(got),
			 "%" JSON_INTEGER_FORMAT " (host), %" JSON_INTEGER_FORMAT " (guest)", h, g);
	row(r, "guest.vcpus", "both", asked, host && guest ? got : NULL, "no answer");
}

static void ask_memory(struct rows *r, const struct machine *m, const json_t *qmp)
{
	const json_t *base = at(qmp, "query-memory-size-summary", "base-memory");
	char asked[32], got[32];

	units_size_text(m->memory, asked, sizeof(asked));
	units_size_text((uint64_t)json_integer_value(base), got, sizeof(got));
	row(r, "guest.memory", "host", asked, base ? got : NULL, "QEMU does not say");
}

/* The QOM type of a vCPU is "MODEL-x86_64-cpu"; features behind a comma are not in it. */
static void ask_cpu(struct rows *r, const struct machine *m, const json_t *qmp)
{
	const char *type = json_string_value(json_object_get(qmp, "cpu"));
	char asked[96], got[96];
	size_t n;

	snprintf(asked, sizeof(asked), "%.*s", (int)strcspn(m->cpu, ","), m->cpu);
	n = type ? strlen(type) : 0;
	if (n > 11 && !strcmp(type + n - 11, "-x86_64-cpu"))
		snprintf(got, sizeof(got), "%.*s", (int)(n - 11), type);
	else
		type = NULL;
	row(r, "guest.cpu", "host", asked, type ? got : NULL,
	    "QEMU does not name its vCPUs' model");
}

/* The agent's fact is release and build; the release is what names the package. */
static void ask_kernel(struct rows *r, const char *kernel, const json_t *facts)
{
	const char *k = json_string_value(json_object_get(facts, "kernel"));
	char got[128];

	snprintf(got, sizeof(got), "%.*s", k ? (int)strcspn(k, " ") : 0, k ? k : "");
	row(r, "guest.kernel", "guest", kernel, k ? got : NULL, "the agent does not say");
}

static void ask_sandbox(struct rows *r, const struct machine *m, const json_t *host)
{
	const json_t *s = json_object_get(host, "seccomp");

	row(r, "guest.sandbox", "host", m->sandbox ? "on" : "off",
	    !s				 ? NULL
	    : json_integer_value(s) == 2 ? "on"
					 : "off",
	    "/proc/PID/status has no Seccomp line");
}

/* A QEMU that was started on a saved state says so for ever: its incoming migration is "completed".
 */
static void ask_start(struct rows *r, const struct cell *c, const json_t *qmp)
{
	const json_t *m = json_object_get(qmp, "query-migrate");
	const char *status = json_string_value(json_object_get(m, "status"));

	row(r, "guest.start", "host", cell_get(c, K_START) ? cell_get(c, K_START) : "template",
	    !m					     ? NULL
	    : status && !strcmp(status, "completed") ? "template"
						     : "boot",
	    "QEMU does not answer query-migrate");
}

size_t guest_asked_got(const struct cell *c, const struct machine *m, const char *kernel,
		       const json_t *evidence, struct asked_got *out, size_t max)
{
	struct rows r = {out, 0, max};
	const json_t *qmp = json_object_get(evidence, "qmp"),
		     *host = json_object_get(evidence, "host");
	const json_t *guest = json_object_get(evidence, "guest");
	const json_t *facts = json_object_get(guest, "facts"),
		     *disk = json_object_get(guest, "disk");
	const char *sched = cell_get(c, K_SCHEDULER);

	ask_site(&r, c, facts);
	ask_accel(&r, m, qmp);
	ask_vcpus(&r, m, qmp, facts);
	ask_memory(&r, m, qmp);
	ask_cpu(&r, m, qmp);
	row(&r, "guest.machine", "host", m->qemu.machine,
	    json_string_value(json_object_get(qmp, "machine")), "QEMU does not say");
	row(&r, "guest.qemu", "host", m->qemu.exe, json_string_value(json_object_get(host, "qemu")),
	    "/proc/PID/exe cannot be read");
	ask_kernel(&r, kernel, facts);
	ask_sandbox(&r, m, host);
	if (sched)
		row(&r, "guest.scheduler", "guest", sched,
		    json_string_value(json_object_get(disk, "scheduler")),
		    "the disk has no scheduler file");
	ask_start(&r, c, qmp);
	return r.n;
}
