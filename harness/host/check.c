/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of the doctor: collected, printed, as JSON; and what of the machine's set-up bends numbers.
 */
#include "host/check.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/err.h"
#include "base/units.h"
#include "host/read.h"

static const struct {
	const char *name, *colour;
} states[] = {
	[CHECK_PASS] = {"PASS", "\033[32m"},
	[CHECK_WARN] = {"WARN", "\033[33m"},
	[CHECK_FAIL] = {"FAIL", "\033[31m"},
};

void host_checks_add(struct host_checks *c, enum check_state state, const char *what,
		     const char *remedy, const char *fmt, ...)
{
	struct host_check *k;
	va_list ap;

	c->list = xrealloc(c->list, c->n + 1, sizeof(*c->list));
	k = &c->list[c->n++];
	k->state = state;
	snprintf(k->what, sizeof(k->what), "%s", what);
	snprintf(k->remedy, sizeof(k->remedy), "%s", remedy);
	va_start(ap, fmt);
	vsnprintf(k->detail, sizeof(k->detail), fmt, ap);
	va_end(ap);
}

void host_checks_free(struct host_checks *c)
{
	free(c->list);
	*c = (struct host_checks){0};
}

unsigned host_checks_count(const struct host_checks *c, enum check_state state)
{
	unsigned n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += c->list[i].state == state;
	return n;
}

/* Paths and what QEMU prints may hold anything; a terminal gets no escapes and one line. */
static void print_plain(FILE *out, const char *s)
{
	for (; *s; s++)
		fputc((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s, out);
}

void host_checks_print(const struct host_checks *c, FILE *out, bool colour)
{
	unsigned warn = host_checks_count(c, CHECK_WARN), fail = host_checks_count(c, CHECK_FAIL);

	for (size_t i = 0; i < c->n; i++) {
		const struct host_check *k = &c->list[i];

		fprintf(out, "%s%s%s  ", colour ? states[k->state].colour : "",
			states[k->state].name, colour ? "\033[0m" : "");
		print_plain(out, k->what);
		fputs(": ", out);
		print_plain(out, k->detail);
		if (*k->remedy) {
			fputs(" -> ", out);
			print_plain(out, k->remedy);
		}
		fputc('\n', out);
	}
	fprintf(out, "%zu checks: %u failed, %u warning%s; %s\n", c->n, fail, warn,
		warn == 1 ? "" : "s",
		fail   ? "what failed must be mended before anything can be measured"
		: warn ? "ready to measure, mind the warnings"
		       : "ready to measure");
}

json_t *host_checks_json(const struct host_checks *c)
{
	json_t *o = json_object(), *list = json_array();

	for (size_t i = 0; i < c->n; i++) {
		const struct host_check *k = &c->list[i];
		json_t *j = json_object();

		json_object_set_new(j, "state", json_string(states[k->state].name));
		json_object_set_new(j, "what", host_json_string(k->what));
		json_object_set_new(j, "detail", host_json_string(k->detail));
		json_object_set_new(j, "remedy", host_json_string(k->remedy));
		json_array_append_new(list, j);
	}
	json_object_set_new(o, "checks", list);
	json_object_set_new(o, "pass", json_integer(host_checks_count(c, CHECK_PASS)));
	json_object_set_new(o, "warn", json_integer(host_checks_count(c, CHECK_WARN)));
	json_object_set_new(o, "fail", json_integer(host_checks_count(c, CHECK_FAIL)));
	return o;
}

static void check_governor(struct host_checks *c, const json_t *facts)
{
	const char *g = json_string_value(json_object_get(facts, "governor"));

	if (!g)
		host_checks_add(c, CHECK_PASS, "frequency governor", "",
				"none: frequencies are not this kernel's to choose");
	else if (strcmp(g, "performance") == 0)
		host_checks_add(c, CHECK_PASS, "frequency governor", "", "performance");
	else
		host_checks_add(c, CHECK_WARN, "frequency governor",
				"cpupower frequency-set -g performance",
				"%s: clocks change while something is measured", g);
}

static void check_ksm(struct host_checks *c, const json_t *facts)
{
	const json_t *run = json_object_get(json_object_get(facts, "ksm"), "run");

	if (json_integer_value(run) == 1)
		host_checks_add(c, CHECK_WARN, "KSM", "echo 0 > /sys/kernel/mm/ksm/run",
				"on: ksmd burns CPU time and guests pay for pages that it merged");
	else
		host_checks_add(c, CHECK_PASS, "KSM", "", "%s",
				json_is_integer(run) ? "off" : "not in this kernel");
}

static void check_swap(struct host_checks *c, const json_t *facts)
{
	const json_t *m = json_object_get(facts, "memory");
	json_int_t total = json_integer_value(json_object_get(m, "swap_total_bytes"));
	json_int_t used = total - json_integer_value(json_object_get(m, "swap_free_bytes"));
	json_int_t left = json_integer_value(json_object_get(m, "available_bytes"));
	char a[32], b[32];

	units_size_text(used > 0 ? used : 0, a, sizeof(a));
	units_size_text(left > 0 ? left : 0, b, sizeof(b));
	/* A few pages that nobody wants back do no harm. */
	if (used > total / 20)
		host_checks_add(
			c, CHECK_WARN, "swap", "free memory, then swapoff -a && swapon -a",
			"%s in use, %s of memory available: guests may be paged in while measured",
			a, b);
	else
		host_checks_add(c, CHECK_PASS, "swap", "", "%s; %s of memory available",
				total > 0 ? "hardly used" : "none", b);
}

static void check_numa(struct host_checks *c, const json_t *facts)
{
	json_int_t nodes =
		json_integer_value(json_object_get(json_object_get(facts, "topology"), "numa"));

	if (nodes < 2)
		return;
	if (json_integer_value(json_object_get(facts, "numa_balancing")) > 0)
		host_checks_add(c, CHECK_WARN, "NUMA balancing", "sysctl kernel.numa_balancing=0",
				"on, with %" JSON_INTEGER_FORMAT
				" nodes: guest memory moves while something is measured",
				nodes);
	else
		host_checks_add(c, CHECK_PASS, "NUMA balancing", "", "off");
}

static void check_virtual(struct host_checks *c, const json_t *facts)
{
	const json_t *v = json_object_get(facts, "virtualised");
	const char *by = json_string_value(json_object_get(facts, "hypervisor"));

	if (json_is_true(v))
		host_checks_add(
			c, CHECK_WARN, "bare metal",
			"measure on the host itself if its disks are meant",
			"this host is a guest itself%s%s: others share its CPUs and disks, and KVM in it is "
			"nested",
			by ? ", under " : "", by ? by : "");
	else
		host_checks_add(c, CHECK_PASS, "bare metal", "", "%s",
				json_is_false(v) ? "yes" : "nothing here says otherwise");
}

void host_check_setup(struct host_checks *c, const json_t *facts)
{
	check_virtual(c, facts);
	check_governor(c, facts);
	check_ksm(c, facts);
	check_numa(c, facts);
	check_swap(c, facts);
}

void host_check_quiet(struct host_checks *c)
{
	const struct timespec fifth = {.tv_nsec = 200000000};
	unsigned guests = host_other_guests();
	struct host_noise a, b;
	double busy, steal;
	json_t *d;

	if (guests)
		host_checks_add(
			c, CHECK_WARN, "other guests",
			"stop or move them, or measure at another time",
			"%u running on this host: they disturb the measurement, and it them",
			guests);
	else
		host_checks_add(c, CHECK_PASS, "other guests", "", "none");
	host_noise_take(&a);
	nanosleep(&fifth, NULL);
	host_noise_take(&b);
	d = host_noise_diff(&a, &b);
	busy = json_number_value(json_object_get(d, "busy"));
	steal = json_number_value(json_object_get(d, "steal"));
	if (busy > 0.25 || steal > 0.05)
		host_checks_add(c, CHECK_WARN, "quiet host",
				"find what runs (top), or measure at another time",
				"CPUs %.0f %% busy and %.0f %% stolen, load %.1f", busy * 100,
				steal * 100, b.load1);
	else
		host_checks_add(c, CHECK_PASS, "quiet host", "", "CPUs %.0f %% busy, load %.1f",
				busy * 100, b.load1);
	json_decref(d);
}
