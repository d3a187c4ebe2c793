/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of rules as tables: facts of a machine in one line, and the state that is expected. */
#ifndef VB_TESTS_RULES_TABLE_H
#define VB_TESTS_RULES_TABLE_H

#include "tuner/audit.h"
#include "tuner/rule.h"

enum { RUNS = 1, LATENCY = 2, DENSE = 4, MIGRATES = 8 };

struct rule_case {
	const char *id;
	const char *facts; /* "disk.0.cache=none got:disk.0.direct=on" */
	enum rule_state want;
	int how;
};

static struct snapshot *rule_host(void)
{
	struct snapshot *host = NULL;
	struct err e = {0};

	if (snapshot_load("tests/fixtures/audit/host.json", &host, &e) < 0)
		fail_msg("%s", e.text);
	return host;
}

/* A machine of such facts; to be freed. A fact that the table of keys refuses is a mistake of the
 * test. */
static struct vm *rule_vm(const char *facts, bool runs)
{
	struct vm *vm = vm_new("test", "facts");
	char *copy = strdup(facts), *save = NULL;

	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		bool got = !strncmp(w, "got:", 4);
		char *key = got ? w + 4 : w, *value = strchr(key, '=');

		assert_non_null(value);
		*value++ = '\0';
		if (vm_set(vm, got ? VM_GOT : VM_ASKED, value, "there", "%s", key) < 0)
			fail_msg("%s = %s is no fact", key, value);
	}
	vm->running = runs;
	free(copy);
	return vm;
}

static enum rule_state rule_judge(const struct rule_case *c, const struct snapshot *host)
{
	struct vm *vm = rule_vm(c->facts, c->how & RUNS);
	struct subject s = {.vm = vm,
			    .host = host,
			    .here = c->how & RUNS,
			    .latency = c->how & LATENCY,
			    .dense = c->how & DENSE,
			    .migration = c->how & MIGRATES};
	struct audit a;
	enum rule_state state;
	struct err e = {0};

	if (audit_run(&s, c->id, &a, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(a.n, 1);
	assert_true(a.list[0].findings.n > 0);
	for (size_t i = 0; i < a.list[0].findings.n; i++) {
		const struct finding *f = &a.list[0].findings.list[i];

		/* what is broken says what is wanted; what is not, does not */
		assert_int_equal(f->want != NULL, f->state == RULE_BROKEN);
		assert_non_null(f->found);
	}
	state = a.list[0].state;
	audit_free(&a);
	vm_free(vm);
	return state;
}

static void rule_cases(const struct rule_case *list, size_t n)
{
	struct snapshot *host = rule_host();

	for (size_t i = 0; i < n; i++) {
		enum rule_state is = rule_judge(&list[i], host);

		if (is != list[i].want)
			fail_msg("%s over \"%s\": %s, not %s", list[i].id, list[i].facts,
				 rule_state_name(is), rule_state_name(list[i].want));
	}
	snapshot_free(host);
}

#endif
