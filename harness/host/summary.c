/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Host facts for people: one line a subject, in words. */
#include "host/summary.h"
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include "base/units.h"

/* An aligned line in the making: "name      a; b; c". */
struct line {
	FILE *out;
	bool begun;
};

static void line_begin(struct line *l, FILE *out, const char *name)
{
	fprintf(out, "%-12s", name);
	*l = (struct line){.out = out};
}

/* Facts come from files that others write: no control character reaches the terminal. */
static void line_add(struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void line_add(struct line *l, const char *fmt, ...)
{
	char text[4200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	fprintf(l->out, "%s%s", l->begun ? "; " : "", text);
	l->begun = true;
}

static void line_end(struct line *l)
{
	fputs(l->begun ? "\n" : "not known\n", l->out);
}

/* facts.a or facts.a.b; NULL for null, so that callers need not tell it from absence. */
static const json_t *at(const json_t *o, const char *a, const char *b)
{
	const json_t *v = json_object_get(o, a);

	if (b)
		v = json_object_get(v, b);
	return json_is_null(v) ? NULL : v;
}

static const char *text_at(const json_t *o, const char *a, const char *b)
{
	const char *s = json_string_value(at(o, a, b));

	return s && *s ? s : NULL;
}

static json_int_t number_at(const json_t *o, const char *a, const char *b)
{
	return json_integer_value(at(o, a, b));
}

static const char *size_at(const json_t *o, const char *a, const char *b, char buf[32])
{
	json_int_t v = number_at(o, a, b);

	return units_size_text(v > 0 ? v : 0, buf, 32);
}

/* "2 cores", "1 core" */
static void add_count(struct line *l, const json_t *o, const char *key, const char *one,
		      const char *many)
{
	json_int_t n = number_at(o, key, NULL);

	if (n > 0)
		line_add(l, "%" JSON_INTEGER_FORMAT " %s", n, n == 1 ? one : many);
}

static void processor(FILE *out, const json_t *f)
{
	const char *brand = text_at(f, "cpu", "brand"), *vendor = text_at(f, "cpu", "vendor");
	struct line l;

	line_begin(&l, out, "Processor");
	if (brand || vendor)
		line_add(&l, "%s", brand ? brand : vendor);
	if (at(f, "cpu", "family"))
		line_add(&l,
			 "family %" JSON_INTEGER_FORMAT " model %" JSON_INTEGER_FORMAT
			 " stepping %" JSON_INTEGER_FORMAT,
			 number_at(f, "cpu", "family"), number_at(f, "cpu", "model"),
			 number_at(f, "cpu", "stepping"));
	if (text_at(f, "microcode", NULL))
		line_add(&l, "microcode %s", text_at(f, "microcode", NULL));
	line_end(&l);
}

static void topology(FILE *out, const json_t *f)
{
	static const char *const caches[][3] = {{"l2", "l2_bytes", "L2"}, {"l3", "l3_bytes", "L3"}};
	const json_t *t = at(f, "topology", NULL);
	char size[32];
	struct line l;

	line_begin(&l, out, "Topology");
	add_count(&l, t, "packages", "package", "packages");
	add_count(&l, t, "numa", "NUMA node", "NUMA nodes");
	add_count(&l, t, "cores", "core", "cores");
	add_count(&l, t, "pus", "thread", "threads");
	if (number_at(t, "allowed_pus", NULL) < number_at(t, "pus", NULL))
		line_add(&l, "%" JSON_INTEGER_FORMAT " of them allowed here",
			 number_at(t, "allowed_pus", NULL));
	for (size_t i = 0; i < 2; i++)
		if (at(t, caches[i][0], NULL))
			line_add(&l, "%s %s x %" JSON_INTEGER_FORMAT, caches[i][2],
				 size_at(t, caches[i][1], NULL, size),
				 number_at(t, caches[i][0], NULL));
	line_end(&l);
}

static void system_lines(FILE *out, const json_t *f)
{
	const json_t *v = at(f, "virtualised", NULL);
	struct line l;

	line_begin(&l, out, "Virtual");
	if (json_is_true(v) && text_at(f, "hypervisor", NULL))
		line_add(&l, "yes, under %s", text_at(f, "hypervisor", NULL));
	else if (v)
		line_add(&l, json_is_true(v) ? "yes" : "no");
	line_end(&l);
	line_begin(&l, out, "System");
	if (text_at(f, "distro", NULL))
		line_add(&l, "%s", text_at(f, "distro", NULL));
	if (text_at(f, "kernel", NULL))
		line_add(&l, "Linux %s", text_at(f, "kernel", NULL));
	if (text_at(f, "clocksource", NULL))
		line_add(&l, "clock %s", text_at(f, "clocksource", NULL));
	line_end(&l);
	line_begin(&l, out, "Booted with");
	if (text_at(f, "cmdline", NULL))
		line_add(&l, "%s", text_at(f, "cmdline", NULL));
	line_end(&l);
}

static void mitigations(FILE *out, const json_t *f)
{
	json_t *m = json_object_get(f, "mitigations"), *v;
	unsigned mitigated = 0, clear = 0;
	const char *name;
	struct line l;

	line_begin(&l, out, "Mitigations");
	json_object_foreach(m, name, v)
	{
		const char *s = json_string_value(v);

		mitigated += s && strncmp(s, "Mitigation", 10) == 0;
		clear += s && strncmp(s, "Not affected", 12) == 0;
	}
	if (json_is_object(m))
		line_add(&l, "%u on, %u not needed", mitigated, clear);
	json_object_foreach(m, name, v) if (json_is_string(v) &&
					    strncmp(json_string_value(v), "Vulnerable", 10) == 0)
		line_add(&l, "%s left open", name);
	line_end(&l);
}

static void memory(FILE *out, const json_t *f)
{
	const json_t *m = at(f, "memory", NULL), *h;
	char a[32], b[32];
	struct line l;
	size_t i;

	line_begin(&l, out, "Memory");
	if (at(m, "total_bytes", NULL))
		line_add(&l, "%s, %s available", size_at(m, "total_bytes", NULL, a),
			 size_at(m, "available_bytes", NULL, b));
	if (at(m, "swap_total_bytes", NULL))
		line_add(&l, "swap %s",
			 number_at(m, "swap_total_bytes", NULL)
				 ? size_at(m, "swap_total_bytes", NULL, a)
				 : "none");
	json_array_foreach(json_object_get(m, "hugepages"), i,
			   h) if (number_at(h, "total", NULL) > 0)
		line_add(&l, "%" JSON_INTEGER_FORMAT " huge pages of %s",
			 number_at(h, "total", NULL), size_at(h, "bytes", NULL, a));
	if (text_at(f, "thp", "enabled"))
		line_add(&l, "THP %s", text_at(f, "thp", "enabled"));
	if (at(f, "ksm", "run"))
		line_add(&l, "KSM %s", number_at(f, "ksm", "run") == 1 ? "on" : "off");
	if (number_at(f, "topology", "numa") > 1 && at(f, "numa_balancing", NULL))
		line_add(&l, "NUMA balancing %s",
			 number_at(f, "numa_balancing", NULL) ? "on" : "off");
	line_end(&l);
}

static void frequency(FILE *out, const json_t *f)
{
	const json_t *turbo = at(f, "turbo", NULL);
	struct line l;

	line_begin(&l, out, "Frequency");
	if (text_at(f, "governor", NULL))
		line_add(&l, "governor %s", text_at(f, "governor", NULL));
	if (text_at(f, "frequency_driver", NULL))
		line_add(&l, "driver %s", text_at(f, "frequency_driver", NULL));
	if (turbo)
		line_add(&l, "turbo %s", json_is_true(turbo) ? "on" : "off");
	if (text_at(f, "cpuidle", "driver"))
		line_add(&l, "idle by %s", text_at(f, "cpuidle", "driver"));
	line_end(&l);
}

static void kvm(FILE *out, const json_t *f)
{
	const json_t *k = at(f, "kvm", NULL), *nested = at(f, "nested", NULL);
	struct line l;

	line_begin(&l, out, "KVM");
	if (!at(k, "device", NULL))
		line_add(&l, "no /dev/kvm");
	else
		line_add(&l, "/dev/kvm%s",
			 json_is_false(at(k, "readable", NULL)) ? " (no right to open it)" : "");
	if (nested)
		line_add(&l, "nesting %s", json_is_true(nested) ? "on" : "off");
	if (at(f, "halt_poll_ns", NULL))
		line_add(&l, "halt_poll_ns %" JSON_INTEGER_FORMAT,
			 number_at(f, "halt_poll_ns", NULL));
	line_end(&l);
	line_begin(&l, out, "io_uring");
	if (at(f, "io_uring", "works"))
		line_add(&l, "%s",
			 json_is_true(at(f, "io_uring", "works")) ? "allowed" : "not allowed");
	if (text_at(f, "io_uring", "error"))
		line_add(&l, "%s", text_at(f, "io_uring", "error"));
	line_end(&l);
}

static void program(FILE *out, const json_t *f, const char *key, const char *name)
{
	struct line l;

	line_begin(&l, out, name);
	if (text_at(f, key, "version"))
		line_add(&l, "%s (%s)", text_at(f, key, "version"), text_at(f, key, "path"));
	else
		line_add(&l, text_at(f, key, "path") ? "does not tell its version" : "not found");
	line_end(&l);
}

static void device(struct line *l, const json_t *d)
{
	const json_t *rot = at(d, "queue", "rotational");
	const char *model = text_at(d, "model", NULL);

	if (!at(d, "queue", NULL))
		return; /* a partition: its disk says it all */
	line_add(l, "%s%s%s%s%s%s%s", text_at(d, "name", NULL), model ? " " : "",
		 model ? model : "", text_at(d, "queue", "scheduler") ? ", scheduler " : "",
		 text_at(d, "queue", "scheduler") ? text_at(d, "queue", "scheduler") : "",
		 rot ? ", " : "", rot ? json_is_true(rot) ? "rotational" : "not rotational" : "");
}

static void storage(FILE *out, const json_t *s)
{
	const json_t *d;
	char a[32], b[32];
	struct line l;
	size_t i;

	line_begin(&l, out, "Storage");
	line_add(&l, "%s", text_at(s, "dir", NULL));
	if (text_at(s, "filesystem", NULL))
		line_add(&l, "%s (%s)", text_at(s, "filesystem", NULL), text_at(s, "kind", NULL));
	if (text_at(s, "mount_options", NULL))
		line_add(&l, "%s", text_at(s, "mount_options", NULL));
	json_array_foreach(json_object_get(s, "devices"), i, d) device(&l, d);
	if (at(s, "size_bytes", NULL))
		line_add(&l, "%s of %s free", size_at(s, "free_bytes", NULL, a),
			 size_at(s, "size_bytes", NULL, b));
	line_end(&l);
}

void host_summary(FILE *out, const json_t *facts)
{
	const json_t *s;
	struct line l;
	size_t i;

	line_begin(&l, out, "Host");
	if (text_at(facts, "host_id", NULL))
		line_add(&l, "%.16s", text_at(facts, "host_id", NULL));
	line_end(&l);
	processor(out, facts);
	topology(out, facts);
	system_lines(out, facts);
	mitigations(out, facts);
	frequency(out, facts);
	memory(out, facts);
	kvm(out, facts);
	program(out, facts, "qemu", "QEMU");
	program(out, facts, "qemu_img", "qemu-img");
	json_array_foreach(json_object_get(facts, "storage"), i, s) storage(out, s);
}
