// SPDX-License-Identifier: GPL-2.0-or-later
/* What fits is a finding: how many disks of a kind a machine takes is one of the questions. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/term.h"
#include "guest/agent_decode.h"
#include "guest/plug.h"

#define PLUG_MS 30000
#define FIND_MS 20000
#define AGAIN_MS 10000 /* a second look: do more come? */
#define FIND_EACH_MS \
	250 /* for each disk: a guest under TCG takes some 10 ms, on a busy host more */

bool plug_full(const char *words)
{
	/* two pieces where the words in between are the device's */
	static const struct {
		const char *first, *then;
	} full[] = {
		{"Bus '", "' not found"},
		{"Bus '", "' is full"},
		{"No '", "' bus found for device"},
		{"PCI: no slot/function available", ""},
		{"PCI: slot ", " not available for "},
		{"Can't create IDE unit ", ", bus supports only"},
		{"IDE unit ", " is in use"},
		{"bad scsi device ", ""},
		{"lun already used", ""},
		{"no free target", ""},
		{"no free lun", ""},
		{"Too many open files", ""},
	};

	for (size_t i = 0; i < sizeof(full) / sizeof(*full); i++) {
		const char *at = strstr(words, full[i].first);

		if (at && strstr(at + strlen(full[i].first), full[i].then))
			return true;
	}
	return false;
}

static const char *spec_text(const struct qspec *s, const char *key)
{
	const char *t = json_string_value(json_object_get(s->args, key));

	return t ? t : "";
}

static bool same_kind(const struct qspec *a, const struct qspec *b)
{
	return a->kind == b->kind && !strcmp(spec_text(a, "driver"), spec_text(b, "driver"));
}

/* How many of specs are of the same kind as `like`, among the first n. */
static size_t count_kind(const struct qspec *specs, size_t n, const struct qspec *like)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += same_kind(&specs[i], like);
	return found;
}

int plug_limit(const struct qspec *specs, size_t n, size_t failed, size_t fitted, const char *bus,
	       const char *words, struct err *e)
{
	const struct qspec *s = &specs[failed];
	size_t all = count_kind(specs, n, s);

	/* a controller that all disks share is none of them */
	return err_set(e, -ENOSPC, "%s: %s %zu of %zu found no place: %s; the limit is %zu", bus,
		       all > 1		     ? "disk"
		       : s->kind == Q_DEVICE ? spec_text(s, "driver")
					     : "part",
		       fitted + 1, all, words, fitted);
}

size_t plug_blamed(const struct qspec *specs, size_t n, const char *log)
{
	size_t best = n;
	const char *last = log;

	/* the option is quoted as it was given; the last one quoted is what it ended with */
	for (size_t i = 0; i < n; i++) {
		char *text = json_dumps(specs[i].args, JSON_COMPACT);
		const char *at = text ? strstr(last, text) : NULL;

		if (at) {
			best = i;
			last = at;
		}
		free(text);
	}
	return best;
}

int plug_cold_limit(const struct qspec *specs, size_t n, const char *bus, const char *log,
		    struct err *e)
{
	size_t failed = plug_blamed(specs, n, log);
	const char *words;
	char said[256];

	if (failed == n || !plug_full(log))
		return 0;
	words = strrchr(log, '}');
	words = words && words[1] == ':' ? words + 2 + (words[2] == ' ') : log;
	snprintf(said, sizeof(said), "%.*s", (int)strcspn(words, "\n"), words);
	return plug_limit(specs, n, failed, count_kind(specs, failed, &specs[failed]), bus, said,
			  e);
}

int plug_specs(struct vm *v, const struct disk_plan *p, const char *bus, struct err *e)
{
	for (size_t i = 0; i < p->nspecs; i++) {
		struct err why = {0};
		int rc = vm_qmp(v, qspec_command(p->specs[i].kind), json_incref(p->specs[i].args),
				NULL, PLUG_MS, &why);

		if (!rc)
			continue;
		if (rc == -EREMOTEIO && plug_full(why.text)) {
			const char *words = strstr(why.text, "QEMU says: ");

			v->cause = CAUSE_LIMIT;
			return plug_limit(p->specs, p->nspecs, i,
					  count_kind(p->specs, i, &p->specs[i]), bus,
					  words ? words + strlen("QEMU says: ") : why.text, e);
		}
		return err_set(e, rc, "%s", why.text);
	}
	return 0;
}

void targets_free(char **targets)
{
	for (char **t = targets; t && *t; t++)
		free(*t);
	free(targets);
}

/* Paths of the disks that are there, in the plan's order; *missing: the first that is not, nunits:
 * none. Returns how many are there. */
static size_t take_targets(const struct disk_plan *p, const json_t *disks, char **targets,
			   size_t *missing)
{
	size_t there = 0;

	*missing = p->nunits;
	for (size_t i = 0; i < p->nunits; i++) {
		const char *path =
			json_string_value(json_object_get(json_array_get(disks, i), "path"));

		if (path)
			targets[there++] = xstrdup(path);
		else if (*missing == p->nunits)
			*missing = i;
	}
	return there;
}

/* The agent's answer about all disks, when they are there or ms have passed. */
static int ask_disks(struct vm *v, const struct disk_plan *p, const char *scheduler, int ms,
		     json_t **body, struct err *e)
{
	json_t *serials = json_array();
	int rc;

	*body = NULL;
	for (size_t i = 0; i < p->nunits; i++)
		json_array_append_new(serials, json_string(p->units[i].serial));
	rc = vm_ask(v, WIRE_DISKS,
		    json_pack("{s:o, s:i, s:s}", "serials", serials, "timeout_ms", ms, "scheduler",
			      scheduler),
		    ms + 5000, body, e);
	if (!rc && (rc = agent_decode_disks(*body, p->units, p->nunits, e)))
		v->cause = CAUSE_AGENT;
	if (rc) {
		json_decref(*body);
		*body = NULL;
		err_prefix(e, "%zu disks", p->nunits);
	}
	return rc;
}

/* 1: there are more than `there` by now, the guest is slow and has not come to a limit; 0: no more
 * of them. */
static int still_coming(struct vm *v, const struct disk_plan *p, const char *scheduler,
			size_t there, struct err *e)
{
	json_t *body;
	size_t now = 0;
	int rc = ask_disks(v, p, scheduler, AGAIN_MS, &body, e);

	if (rc)
		return rc;
	for (size_t i = 0; i < p->nunits; i++)
		now += json_is_object(json_array_get(json_object_get(body, "disks"), i));
	json_decref(body);
	return now > there;
}

int plug_missing(const struct disk_plan *p, const char *bus, size_t there, size_t missing, int ms,
		 bool limit, struct err *e)
{
	char end[64] = "";

	if (limit)
		snprintf(end, sizeof(end), "; the limit is %zu", there);
	return err_set(e, limit ? -ENOSPC : -ETIMEDOUT,
		       "%s: the guest shows %zu of %zu disks after %d s; number %zu (serial %s) is "
		       "the first that is missing%s",
		       bus, there, p->nunits, ms / 1000, missing + 1, p->units[missing].serial,
		       end);
}

int plug_find(struct vm *v, const struct disk_plan *p, const char *bus, const char *scheduler,
	      char ***targets, json_t **disks, struct err *e)
{
	int ms = site_patience(v->boot_ns, FIND_MS + FIND_EACH_MS * (int)p->nunits);
	json_t *body = NULL;
	size_t there, missing;
	int rc;

	*targets = NULL;
	*disks = NULL;
	rc = ask_disks(v, p, scheduler, ms, &body, e);
	if (rc)
		return rc;
	*targets = xcalloc(p->nunits + 1, sizeof(**targets));
	there = take_targets(p, json_object_get(body, "disks"), *targets, &missing);
	if (missing == p->nunits) {
		*disks = json_incref(json_object_get(body, "disks"));
	} else {
		/* of several, some, and no more of them come: it has no more room */
		int more = there ? still_coming(v, p, scheduler, there, e) : 1;

		if (more >= 0)
			v->cause = more ? CAUSE_TIMEOUT : CAUSE_LIMIT;
		rc = more < 0 ? more
			      : plug_missing(p, bus, there, missing, ms + (there ? AGAIN_MS : 0),
					     !more, e);
		targets_free(*targets);
		*targets = NULL;
	}
	json_decref(body);
	return rc;
}
