/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of rules over hosts made by hand: a topology in hwloc's words, files, and machines as
 * facts. */
#ifndef VB_TESTS_RULES_MADE_H
#define VB_TESTS_RULES_MADE_H

#include <hwloc.h>
#include <jansson.h>
#include "tests/unit/rules_table.h"

enum { HERE = 16, REALTIME = 32 };

/* "/path=text" each; NULL ends. */
static struct snapshot *host_made(const char *synthetic, const char *const *files)
{
	hwloc_topology_t t;
	struct snapshot *s = NULL;
	struct err e = {0};
	json_t *doc = json_object(), *list = json_object();
	char *xml, *text;
	int len;

	hwloc_topology_init(&t);
	assert_int_equal(hwloc_topology_set_synthetic(t, synthetic), 0);
	assert_int_equal(hwloc_topology_load(t), 0);
	assert_int_equal(hwloc_topology_export_xmlbuffer(t, &xml, &len, 0), 0);
	for (; files && *files; files++) {
		const char *eq = strchr(*files, '=');
		char *path = strndup(*files, (size_t)(eq - *files));

		json_object_set_new(list, path, json_string(eq + 1));
		free(path);
	}
	json_object_set_new(doc, "format", json_integer(1));
	json_object_set_new(doc, "name", json_string("made"));
	json_object_set_new(doc, "hwloc", json_string(xml));
	json_object_set_new(doc, "files", list);
	text = json_dumps(doc, 0);
	if (snapshot_parse(text, strlen(text), "made", &s, &e) < 0)
		fail_msg("%s", e.text);
	free(text);
	json_decref(doc);
	hwloc_free_xmlbuffer(t, xml);
	hwloc_topology_destroy(t);
	return s;
}

/* The state of one rule for a subject, after what holds for all findings was looked at. */
static enum rule_state state_of(const struct subject *s, const char *id)
{
	enum rule_state state;
	struct err e = {0};
	struct audit a;

	if (audit_run(s, id, &a, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(a.n, 1);
	assert_true(a.list[0].findings.n > 0);
	for (size_t i = 0; i < a.list[0].findings.n; i++)
		if ((a.list[0].findings.list[i].want != NULL) !=
		    (a.list[0].findings.list[i].state == RULE_BROKEN))
			fail_msg("%s: \"%s\" has no want, or one too many", id,
				 a.list[0].findings.list[i].found);
	state = a.list[0].state;
	audit_free(&a);
	return state;
}

/* facts NULL: the host alone. other: facts of another machine, or NULL. */
static __attribute__((unused)) void expect(const struct snapshot *host, const char *id,
					   const char *facts, const char *other, int how,
					   enum rule_state want)
{
	struct vm *vm = facts ? rule_vm(facts, how & RUNS) : NULL,
		  *second = other ? rule_vm(other, false) : NULL;
	const struct vm *others[] = {second};
	struct subject s = {.vm = vm,
			    .host = host,
			    .here = how & (HERE | RUNS),
			    .latency = how & LATENCY,
			    .dense = how & DENSE,
			    .realtime = how & REALTIME,
			    .migration = how & MIGRATES,
			    .others = others,
			    .nothers = second ? 1 : 0};
	enum rule_state is = state_of(&s, id);

	(void)rule_cases; /* the other way to write such tests, which is not used here */

	if (is != want)
		fail_msg("%s over \"%s\": %s, not %s", id, facts ? facts : "host",
			 rule_state_name(is), rule_state_name(want));
	vm_free(second);
	vm_free(vm);
}

#endif
