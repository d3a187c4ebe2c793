// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An audit as a whole: which rules it asks, what it counts, its exit status and its formats.
 * Expected values: by hand from the contract in tuner/audit.h.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/unit/rules_made.h"

static struct snapshot *plain(void)
{
	return host_made("pack:1 l3:1 core:2 pu:1", NULL);
}

static void sets(void **state)
{
	struct audit a;
	struct err e = {0};

	(void)state;
	assert_int_equal(audit_select("blk-18,MEM-01", &a, &e),
			 0); /* any case, the document's order */
	assert_int_equal(a.n, 2);
	assert_string_equal(a.list[0].rule->id, "MEM-01");
	assert_string_equal(a.list[1].rule->id, "BLK-18");
	audit_free(&a);
	assert_int_equal(audit_select("BLK-18,BLK-999", &a, &e), -EINVAL);
	assert_non_null(strstr(e.text, "BLK-999"));
	assert_non_null(strstr(e.text, "ovirt-hp"));
	audit_free(&a);
	assert_int_equal(audit_select(",", &a, &e), -EINVAL);
	audit_free(&a);
	for (const struct rule_set *s = rule_sets; s->name; s++) {
		assert_int_equal(audit_select(s->name, &a, &e), 0);
		assert_true(a.n > 0);
		for (size_t i = 0; s->ids && s->ids[i]; i++)
			if (!rule_find(s->ids[i]))
				fail_msg("set %s: no rule %s", s->name, s->ids[i]);
		audit_free(&a);
	}
	assert_int_equal(audit_select("all", &a, &e), 0);
	for (size_t i = 0; i < a.n; i++)
		assert_true(strncmp(a.list[i].rule->id, "OVH-", 4) != 0);
	audit_free(&a);
}

static void counts(void **state)
{
	struct snapshot *host = plain();
	/* shared memory lacks: must. no KVM: should. quota: may. no Windows. PID of numad: unknown
	 */
	struct vm *vm = rule_vm(
		"disk.0.bus=vhost-user-blk accel=tcg vcpus=2 cpu.quota-us=1000 rng=on", false);
	struct subject s = {.vm = vm, .host = host};
	struct audit a;
	struct err e = {0};

	(void)state;
	assert_int_equal(audit_run(&s, "MEM-14,CPU-01,CPU-18,GST-05,GST-07,CPU-03", &a, &e), 0);
	assert_int_equal(a.n, 6);
	assert_int_equal(a.broken_must, 1);
	assert_int_equal(a.broken_should, 1);
	assert_int_equal(a.broken_may, 1);
	assert_int_equal(a.count[RULE_BROKEN], 3);
	assert_int_equal(a.count[RULE_FOLLOWED], 1);
	assert_int_equal(a.count[RULE_NOT_APPLICABLE], 1);
	assert_int_equal(a.count[RULE_CANT_TELL], 1);
	audit_free(&a);
	assert_int_equal(audit_run(&s, "CPU-18", &a, &e), 0);
	assert_int_equal(audit_status(&a, false), 0); /* a may fails only strictly */
	assert_int_equal(audit_status(&a, true), 1);
	audit_free(&a);
	assert_int_equal(audit_run(&s, "CPU-01", &a, &e), 0);
	assert_int_equal(audit_status(&a, false), 1);
	audit_free(&a);
	assert_int_equal(audit_run(&s, "GST-05,CPU-03", &a, &e), 0);
	assert_int_equal(audit_status(&a, true), 0); /* what cannot be told is no breach */
	audit_free(&a);
	vm_free(vm);
	snapshot_free(host);
}

/* Every rule says something of machines that say next to nothing, in any state, and of none. */
static void never_silent(void **state)
{
	static const char *const facts[] = {
		NULL,
		"uuid=x",
		"vcpus=4",
		"vcpus=0",
		"vcpus=4096 vcpu.0.pin=0",
		"disk.0.name=a",
		"disk.255.name=a net.9.model=virtio iothreads=18446744073709551615 memory.size=18446744073709551615 vcpus=18446744073709551615",
		"memory.page=18446744073709551615 memory.size=1",
		"numa.7.cpus=0-4095 numatune.nodeset=4095 cpuset=4095",
		"os=windows",
		"machine=---",
		"cpu.features=,,+, hyperv=,",
		"smp.threads=0 smp.sockets=0 smp.dies=0 vcpus=2 vcpu.0.pin=0 vcpu.1.pin=1"};
	static const char *const hosts[] = {"pu:1", "pack:2 [numa(memory=0)] core:2 pu:2"};

	(void)state;
	for (size_t h = 0; h < sizeof(hosts) / sizeof(hosts[0]); h++) {
		struct snapshot *host = host_made(hosts[h], NULL);

		for (size_t i = 0; i < 8 * sizeof(facts) / sizeof(facts[0]); i++) {
			const char *f = facts[i / 8];
			struct vm *vm = f ? rule_vm(f, i & 1) : NULL;
			struct subject s = {.vm = vm,
					    .host = host,
					    .here = i & 2,
					    .latency = i & 4,
					    .realtime = i & 4,
					    .dense = i & 4,
					    .migration = i & 4};
			struct audit a;
			struct err e = {0};

			assert_int_equal(audit_run(&s, "all", &a, &e), 0);
			for (size_t k = 0; k < a.n; k++)
				for (size_t m = 0; m < a.list[k].findings.n; m++)
					assert_true(a.list[k].findings.list[m].found[0] != '\0');
			audit_free(&a);
			vm_free(vm);
		}
		snapshot_free(host);
	}
}

static char *as_text(const struct audit *a, void (*put)(const struct audit *, FILE *))
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	put(a, f);
	fclose(f);
	return text;
}

static void put_all(const struct audit *a, FILE *f)
{
	audit_text(a, true, f);
}

/* Names come from files: neither a terminal nor TAP takes orders from them. */
static void formats_are_inert(void **state)
{
	struct snapshot *host = plain();
	struct vm *vm =
		rule_vm("accel=kvm vcpus=2 graphics=vnc\033[31m#TODO machine=\033[31m\nok", false);
	struct subject s = {.vm = vm, .host = host, .latency = true};
	struct audit a;
	struct err e = {0};
	char *text;
	size_t lines = 0;

	(void)state;
	vm_note(vm, "odd \033]0;title\007 thing");
	assert_int_equal(audit_run(&s, "GST-03,GST-04,CPU-01", &a, &e), 0);
	text = as_text(&a, put_all);
	assert_null(strchr(text, '\033'));
	assert_null(strchr(text, '\007'));
	free(text);
	text = as_text(&a, audit_tap);
	assert_null(strchr(text, '\033'));
	assert_non_null(strstr(text, "1..3\n"));
	assert_non_null(strstr(text, "vnc?[31m")); /* so it was there to be shown */
	for (const char *p = text; (p = strstr(p, "\nok ")); p++)
		lines++;
	for (const char *p = text; (p = strstr(p, "\nnot ok ")); p++)
		lines++;
	assert_int_equal(lines, 3);
	free(text);
	audit_free(&a);
	vm_free(vm);
	snapshot_free(host);
}

static unsigned times(const char *text, const char *word)
{
	unsigned n = 0;

	for (; (text = strstr(text, word)); text++)
		n++;
	return n;
}

/* Forty disks of which the same is to be said: once, with their names. */
static void said_once(void **state)
{
	struct snapshot *host = plain();
	char facts[4000] = "accel=kvm", want[400] = "  disk ";
	struct subject s = {.host = host};
	struct audit a;
	struct err e = {0};
	struct vm *vm;
	char *text;
	size_t alike;

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		size_t n = strlen(facts), w = strlen(want);

		/* disk 7 alone is unsafe */
		snprintf(facts + n, sizeof(facts) - n,
			 " disk.%u.name=d%u disk.%u.bus=virtio-blk disk.%u.transport=file "
			 "disk.%u.cache=%s",
			 i, i, i, i, i, i == 7 ? "none" : "writeback");
		if (i < 3)
			snprintf(want + w, sizeof(want) - w, "d%u, ", i);
	}
	vm = rule_vm(facts, false);
	s.vm = vm;
	assert_int_equal(audit_run(&s, "BLK-18", &a, &e), 0);
	assert_int_equal(a.list[0].findings.n, 40);
	text = as_text(&a, put_all);
	assert_int_equal(times(text, "cache writeback"), 1);
	assert_non_null(strstr(text, want));
	assert_non_null(strstr(text, ", d39,"));
	assert_null(strstr(text, "d7,"));
	assert_non_null(strstr(text, "(there, and 38 like it)"));
	free(text);
	text = audit_parts(&a.list[0].findings, 0, RULE_BROKEN, &alike);
	assert_int_equal(alike, 39);
	free(text);
	assert_null(audit_parts(&a.list[0].findings, 1, RULE_BROKEN, &alike));
	assert_null(audit_parts(&a.list[0].findings, 7, RULE_BROKEN, &alike));
	text = audit_parts(&a.list[0].findings, 7, RULE_FOLLOWED, &alike);
	assert_string_equal(text, "disk d7");
	free(text);
	audit_free(&a);
	vm_free(vm);
	snapshot_free(host);
}

static void json_has_it_all(void **state)
{
	struct snapshot *host = plain();
	struct vm *vm = rule_vm("accel=tcg", false);
	struct subject s = {.vm = vm, .host = host, .here = true, .latency = true};
	struct audit a;
	struct err e = {0};
	json_t *o, *rule, *found;

	(void)state;
	assert_int_equal(audit_run(&s, "CPU-01", &a, &e), 0);
	o = audit_json(&a);
	assert_string_equal(json_string_value(json_object_get(o, "format")), "vbench-audit-1");
	assert_string_equal(json_string_value(json_array_get(json_object_get(o, "for"), 0)),
			    "latency");
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(o, "counts"), "broken_should")),
		1);
	rule = json_array_get(json_object_get(o, "rules"), 0);
	assert_string_equal(json_string_value(json_object_get(rule, "id")), "CPU-01");
	assert_string_equal(json_string_value(json_object_get(rule, "state")), "broken");
	assert_true(json_array_size(json_object_get(rule, "sources")) > 0);
	found = json_array_get(json_object_get(rule, "findings"), 0);
	assert_string_equal(json_string_value(json_object_get(found, "where")), "there");
	assert_string_equal(json_string_value(json_object_get(found, "want")), "KVM");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(found, "change"), "qemu")),
		"-accel kvm");
	json_decref(o);
	audit_free(&a);
	vm_free(vm);
	snapshot_free(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets),		cmocka_unit_test(counts),
		cmocka_unit_test(never_silent), cmocka_unit_test(formats_are_inert),
		cmocka_unit_test(said_once),	cmocka_unit_test(json_has_it_all),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
