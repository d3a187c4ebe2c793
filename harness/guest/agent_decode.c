/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent's messages mean. All of it comes from an untrusted guest. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "guest-agent/wire.h"
#include "guest/agent_decode.h"

#define TEXT_MAX_BYTES 8192
#define OUTPUT_MAX_BYTES (64u << 10)
#define IOPS_MAX 1e12
#define BW_MAX 1e15
#define TICKS_MAX (1ll << 48)
#define ELAPSED_MAX_MS (7 * 86400000ll)

static int field_error(struct err *e, const char *what, const char *key, const char *must)
{
	return err_set(e, -EPROTO, "the guest's %s is not to be believed: \"%s\" must be %s", what,
		       key, must);
}

/* Field key of body: an integer from lo to hi. */
static int field_int(const json_t *body, const char *what, const char *key, json_int_t lo,
		     json_int_t hi, json_int_t *out, struct err *e)
{
	const json_t *v = json_object_get(body, key);

	if (!json_is_integer(v) || json_integer_value(v) < lo || json_integer_value(v) > hi)
		return field_error(e, what, key, "a whole number in range");
	if (out)
		*out = json_integer_value(v);
	return 0;
}

static int field_number(const json_t *body, const char *what, const char *key, double hi,
			double *out, struct err *e)
{
	const json_t *v = json_object_get(body, key);
	double d = json_number_value(v);

	if (!json_is_number(v) || !isfinite(d) || d < 0 || d > hi)
		return field_error(e, what, key, "a number in range");
	*out = d;
	return 0;
}

static int field_bool(const json_t *body, const char *what, const char *key, bool *out,
		      struct err *e)
{
	const json_t *v = json_object_get(body, key);

	if (!json_is_boolean(v))
		return field_error(e, what, key, "true or false");
	*out = json_is_true(v);
	return 0;
}

/* A text of at most max bytes; null is fine if it may be absent. */
static int field_text(const json_t *body, const char *what, const char *key, size_t max,
		      bool may_null, struct err *e)
{
	const json_t *v = json_object_get(body, key);

	if (may_null && json_is_null(v))
		return 0;
	if (!json_is_string(v) || json_string_length(v) > max)
		return field_error(e, what, key, "a text of bounded length");
	return 0;
}

/* Each of the fields: a whole number that is not negative, or null. */
static int fields_counts(const json_t *body, const char *what, const char *const *keys, size_t n,
			 struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_object_get(body, keys[i]);

		if (!json_is_null(v) && (!json_is_integer(v) || json_integer_value(v) < 0))
			return field_error(e, what, keys[i], "a number from 0, or null");
	}
	return 0;
}

/* What a person will see: control characters would reach a terminal. */
static char *text_clean(const char *s)
{
	char *out = xstrdup(s);

	for (char *p = out; *p; p++)
		if (((unsigned char)*p < ' ' && *p != '\n' && *p != '\t') || *p == 127)
			*p = '?';
	return out;
}

int agent_decode_version(const json_t *body, struct err *e)
{
	json_int_t version;
	int rc;

	rc = field_int(body, "greeting", "version", 0, INT32_MAX, &version, e);
	if (rc)
		return rc;
	if (version != WIRE_VERSION)
		return err_set(
			e, -EPROTO,
			"the guest's agent speaks version %d of the protocol, this vbench %d: "
			"build both from one source",
			(int)version, WIRE_VERSION);
	return field_text(body, "greeting", "agent", 256, false, e);
}

int agent_decode_facts(const json_t *body, struct err *e)
{
	static const char what[] = "answer to FACTS";
	static const char *const texts[] = {"kernel",  "cmdline", "clocksource",
					    "boot_id", "agent",	  "fio"};
	int rc;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		rc = field_text(body, what, texts[i], TEXT_MAX_BYTES, true, e);
		if (rc)
			return rc;
	}
	rc = field_int(body, what, "cpus", 1, 65536, NULL, e);
	if (!rc)
		rc = field_int(body, what, "memory_bytes", 1, INT64_MAX, NULL, e);
	return rc;
}

/* A path goes into a fio job: nothing but a plain name may stand in it. */
static bool plain_name(const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";

	return name && name[0] && strlen(name) <= 63 && !name[strspn(name, plain)];
}

static int disk_path(const json_t *body, const char *what, struct err *e)
{
	const char *name = json_string_value(json_object_get(body, "name"));
	const char *path = json_string_value(json_object_get(body, "path"));

	if (!plain_name(name))
		return field_error(e, what, "name", "a plain name");
	if (!path || strncmp(path, "/dev/", 5) || strcmp(path + 5, name))
		return field_error(e, what, "path", "/dev/ and the name");
	return 0;
}

int agent_decode_disk(const json_t *body, const char *serial, struct err *e)
{
	static const char what[] = "answer to DISK";
	static const char *const texts[] = {"driver",	  "transport_driver", "pci",
					    "features",	  "scheduler",	      "schedulers",
					    "write_cache"};
	static const char *const counts[] = {
		"queues",      "logical_block_size", "physical_block_size", "discard_max_bytes",
		"nr_requests", "max_segments",	     "max_sectors_kb",	    "rotational",
		"msix_vectors"};
	static const char *const newer[] = {"poll_queues", "io_poll"};
	const char *features, *got;
	int rc;

	rc = disk_path(body, what, e);
	for (size_t i = 0; !rc && i < sizeof(texts) / sizeof(texts[0]); i++)
		rc = field_text(body, what, texts[i], 256, true, e);
	if (!rc)
		rc = fields_counts(body, what, counts, sizeof(counts) / sizeof(counts[0]), e);
	if (!rc)
		rc = field_int(body, what, "size_bytes", 0, INT64_MAX, NULL, e);
	/* what an agent of another build may not say */
	for (size_t i = 0; !rc && i < sizeof(newer) / sizeof(newer[0]); i++)
		if (json_object_get(body, newer[i]))
			rc = fields_counts(body, what, &newer[i], 1, e);
	if (rc)
		return rc;
	features = json_string_value(json_object_get(body, "features"));
	if (features && features[strspn(features, "01")])
		return field_error(e, what, "features", "made of 0 and 1");
	got = json_string_value(json_object_get(body, "serial"));
	if (!got || strlen(got) > 255 || (serial && strcmp(got, serial)))
		return field_error(e, what, "serial", "the one asked for");
	return 0;
}

static int paths_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Two disks under one path would be measured twice, and the other not at all. */
static bool paths_differ(const char **paths, size_t n)
{
	qsort(paths, n, sizeof(*paths), paths_compare);
	for (size_t i = 1; i < n; i++)
		if (!strcmp(paths[i - 1], paths[i]))
			return false;
	return true;
}

int agent_decode_disks(const json_t *body, const struct disk_unit *units, size_t n, struct err *e)
{
	static const char what[] = "answer to DISKS";
	const json_t *disks = json_object_get(body, "disks");
	const char **paths;
	size_t there = 0;
	int rc = 0;

	if (!json_is_array(disks) || json_array_size(disks) != n)
		return field_error(e, what, "disks", "a list as long as the one of serials");
	paths = xcalloc(n + 1, sizeof(*paths));
	for (size_t i = 0; !rc && i < n; i++) {
		const json_t *d = json_array_get(disks, i);
		const char *path = json_string_value(json_object_get(d, "path"));
		const char *serial = json_string_value(json_object_get(d, "serial"));

		if (json_is_null(d))
			continue;
		if (!serial || strcmp(serial, units[i].serial))
			rc = field_error(e, what, "serial", "the one asked for");
		else if (!path || strncmp(path, "/dev/", 5) || !plain_name(path + 5))
			rc = field_error(e, what, "path", "/dev/ and a plain name");
		else
			rc = field_int(d, what, "size_bytes", 0, INT64_MAX, NULL, e);
		paths[there++] = path;
	}
	if (!rc && !paths_differ(paths, there))
		rc = field_error(e, what, "path", "another for each disk");
	free(paths);
	return rc;
}

/* Of a gated job only; a guest without it leaves *out unknown. In ticks, by proc(5). */
static int decode_cpu(const json_t *body, struct guest_cpu *out, struct err *e)
{
	static const char *const keys[] = {"user",   "nice", "system",	"idle",
					   "iowait", "irq",  "softirq", "steal"};
	const json_t *cpu = json_object_get(body, "cpu");
	json_int_t v[8] = {0};
	int rc = 0;

	*out = (struct guest_cpu){0};
	if (!cpu || json_is_null(cpu))
		return 0;
	for (size_t i = 0; !rc && i < 8; i++)
		rc = field_int(cpu, "progress", keys[i], 0, TICKS_MAX, &v[i], e);
	if (rc)
		return rc;
	out->known = true;
	out->steal = (uint64_t)v[7];
	out->busy = (uint64_t)(v[0] + v[1] + v[2] + v[5] + v[6]);
	out->total = out->busy + (uint64_t)(v[3] + v[4] + v[7]);
	return 0;
}

int agent_decode_progress(const json_t *body, struct job_progress *out, struct err *e)
{
	static const char what[] = "progress";
	struct job_progress p = {0};
	json_int_t ms = 0, ios = 0, mono = 0;
	int rc;

	rc = field_number(body, what, "iops", IOPS_MAX, &p.iops, e);
	if (!rc)
		rc = field_number(body, what, "bw_bytes", BW_MAX, &p.bw, e);
	if (!rc)
		rc = field_int(body, what, "elapsed_ms", 0, ELAPSED_MAX_MS, &ms, e);
	if (!rc)
		rc = field_int(body, what, "ios", 0, INT64_MAX, &ios, e);
	if (!rc)
		rc = decode_cpu(body, &p.cpu, e);
	if (!rc && p.cpu.known)
		rc = field_int(body, what, "mono_ns", 0, INT64_MAX, &mono, e);
	if (rc)
		return rc;
	p.mono_ns = (uint64_t)mono;
	p.elapsed_ns = (uint64_t)ms * 1000000u;
	p.ios = (uint64_t)ios;
	*out = p;
	return 0;
}

int agent_decode_counters(const json_t *counters, struct job_progress *out, struct err *e)
{
	struct guest_cpu cpu;
	json_int_t mono = 0;
	int rc = decode_cpu(counters, &cpu, e);

	if (!rc)
		rc = field_int(counters, "result", "mono_ns", 0, INT64_MAX, &mono, e);
	if (rc)
		return rc;
	out->cpu = cpu;
	out->mono_ns = (uint64_t)mono;
	return 0;
}

int agent_decode_outcome(const json_t *body, struct agent_outcome *out, struct err *e)
{
	static const char what[] = "result";
	json_int_t status = 0, sig = 0;
	struct agent_outcome o = {0};
	int rc;

	rc = field_int(body, what, "exit", -1, 255, &status, e);
	if (!rc)
		rc = field_int(body, what, "signal", 0, 127, &sig, e);
	if (!rc)
		rc = field_bool(body, what, "cancelled", &o.cancelled, e);
	if (!rc)
		rc = field_bool(body, what, "timed_out", &o.timed_out, e);
	if (rc)
		return rc;
	o.exit = (int)status;
	o.signal = (int)sig;
	*out = o;
	return 0;
}

/* Counters before or after a job; when must be known to tell the time between. */
static int counters_check(const json_t *body, const char *key, json_int_t *mono, struct err *e)
{
	static const char *const counts[] = {"ctxt", "intr"};
	static const char *const ticks[] = {"user",   "nice", "system",	 "idle",
					    "iowait", "irq",  "softirq", "steal"};
	const json_t *c = json_object_get(body, key);
	int rc;

	if (!json_is_object(c))
		return field_error(e, "result", key, "an object of counters");
	rc = field_int(c, "result", "mono_ns", 0, INT64_MAX, mono, e);
	if (!rc)
		rc = fields_counts(c, "result", counts, 2, e);
	if (!rc)
		rc = fields_counts(json_object_get(c, "cpu"), "result", ticks,
				   sizeof(ticks) / sizeof(ticks[0]), e);
	return rc;
}

/* Shape of fio's document as far as every reader of it relies on it. */
static int fio_check(const json_t *fio, struct err *e)
{
	const json_t *jobs = json_object_get(fio, "jobs");

	if (!json_is_object(fio) || !json_is_array(jobs) || !json_array_size(jobs))
		return field_error(e, "result", "fio", "fio's document with its jobs, or null");
	for (size_t i = 0; i < json_array_size(jobs); i++)
		if (!json_is_object(json_array_get(jobs, i)))
			return field_error(e, "result", "fio.jobs", "a list of objects");
	return 0;
}

int agent_decode_result(json_t *body, struct job_result *out, struct err *e)
{
	json_t *fio = json_object_get(body, "fio");
	struct agent_outcome outcome;
	json_int_t from = 0, to = 0;
	int rc;

	rc = agent_decode_outcome(body, &outcome, e);
	if (!rc)
		rc = field_text(body, "result", "output", OUTPUT_MAX_BYTES, false, e);
	if (!rc)
		rc = counters_check(body, "before", &from, e);
	if (!rc)
		rc = counters_check(body, "after", &to, e);
	if (!rc && to < from)
		rc = field_error(e, "result", "after", "later than \"before\"");
	if (!rc && !json_is_null(fio))
		rc = fio_check(fio, e);
	if (rc)
		return rc;
	out->fio = json_is_null(fio) ? NULL : json_incref(fio);
	out->reply = json_incref(body);
	out->output = text_clean(json_string_value(json_object_get(body, "output")));
	return 0;
}

const char *agent_decode_error(const json_t *body, char *buf, size_t size)
{
	const char *text = json_string_value(json_object_get(body, "error"));
	char *clean = text_clean(text ? text : "(the guest gave no reason)");

	strncpy(buf, clean, size - 1);
	buf[size - 1] = 0;
	free(clean);
	return buf;
}
