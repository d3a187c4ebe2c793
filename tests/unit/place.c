/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The planner on machines small enough to be solved by hand, and plans read from hostile text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "place/place.h"
#include "vm/vm.h"

#define GIB ((uint64_t)1 << 30)

struct machine {
	struct place_host h;
	struct place_cpu cpus[64];
	struct place_node nodes[4];
};

/* CPUs are numbered core by core; 64 GiB a node. */
static void machine(struct machine *m, unsigned nodes, unsigned cores, unsigned threads)
{
	*m = (struct machine){.h = {.cpus = m->cpus,
				    .nodes = m->nodes,
				    .nnodes = nodes,
				    .numa = true,
				    .dies = true,
				    .cores = nodes * cores}};
	for (unsigned n = 0; n < nodes; n++) {
		m->nodes[n] = (struct place_node){.os = n, .memory = 64 * GIB, .free = UINT64_MAX};
		for (unsigned c = 0; c < cores * threads; c++, m->h.ncpus++)
			m->cpus[m->h.ncpus] = (struct place_cpu){.os = (unsigned)m->h.ncpus,
								 .core = n * cores + c / threads,
								 .package = n,
								 .llc = n,
								 .node = n,
								 .usable = true};
	}
}

static struct place_guest guest(const char *name, unsigned vcpus, uint64_t gib)
{
	return (struct place_guest){
		.name = name, .vcpus = vcpus, .memory = gib * GIB, .disk_node = -1};
}

static void made(const struct machine *m, const struct place_guest *g, size_t n,
		 const struct place_opts *o, struct place_plan *p)
{
	struct err e = {0};

	if (place_make(&m->h, g, n, o, p, &e))
		fail_msg("%s", e.text);
}

/*
 * Nodes of 8 cores, core 0 of each kept. Largest first onto the emptiest: 4 to node 0 (3 left), 3
 * and 3 to node 1 (1 left), 2 to node 0 (1 left), and the last 2 find no place. The only
 * way is 4 + 3 and 3 + 2 + 2.
 */
static void needs_search(void **state)
{
	struct place_guest g[] = {guest("a", 4, 1), guest("b", 3, 1), guest("c", 3, 1),
				  guest("d", 2, 1), guest("e", 2, 1)};
	struct place_plan p;
	struct place_opts o;
	struct machine m;

	(void)state;
	machine(&m, 2, 8, 1);
	place_opts_default(&o);
	made(&m, g, 5, &o, &p);
	for (size_t i = 0; i < 5; i++) {
		assert_true(p.guests[i].placed && !p.guests[i].floating);
		assert_int_equal(p.guests[i].ncells, 0);
	}
	/* a shares its node with b or c, but not with d or e */
	assert_string_not_equal(p.guests[0].nodes, p.guests[3].nodes);
	assert_string_not_equal(p.guests[0].nodes, p.guests[4].nodes);
	assert_string_equal(p.guests[3].nodes, p.guests[4].nodes);
	assert_int_equal(p.nunmet, 0);
	place_plan_free(&p);
}

/* 60.8 GiB (95 %) of 64 can be had: 61 GiB go over two nodes, 60 do not. */
static void memory_decides(void **state)
{
	struct place_guest g = guest("a", 2, 60);
	struct place_plan p;
	struct place_opts o;
	struct machine m;

	(void)state;
	machine(&m, 2, 4, 1);
	place_opts_default(&o);
	made(&m, &g, 1, &o, &p);
	assert_int_equal(p.guests[0].ncells, 0);
	place_plan_free(&p);
	g.memory = 61 * GIB;
	made(&m, &g, 1, &o, &p);
	assert_int_equal(p.guests[0].ncells, 2);
	assert_string_equal(p.guests[0].nodes, "0-1");
	assert_true(p.guests[0].cells[0].memory + p.guests[0].cells[1].memory == 61 * GIB);
	assert_int_equal(p.guests[0].sockets, 2);
	place_plan_free(&p);
	/* one vCPU cannot have two cells */
	g.vcpus = 1;
	made(&m, &g, 1, &o, &p);
	assert_int_equal(p.guests[0].ncells, 0);
	assert_string_equal(p.guests[0].mode, "interleave");
	assert_int_equal(p.nunmet, 1);
	place_plan_free(&p);
	/* more than both nodes */
	g.memory = 122 * GIB;
	made(&m, &g, 1, &o, &p);
	assert_false(p.guests[0].placed);
	assert_null(p.guests[0].vcpu);
	assert_int_equal(p.nunmet, 1);
	place_plan_free(&p);
}

/* Three vCPUs on siblings: (0,1) on a core, 2 alone; the sibling stays empty, also for the other.
 */
static void odd_number(void **state)
{
	struct place_guest g[] = {guest("a", 3, 1), guest("b", 1, 1)};
	struct place_plan p;
	struct place_opts o;
	struct machine m;

	(void)state;
	machine(&m, 1, 4, 2);
	place_opts_default(&o);
	made(&m, g, 2, &o, &p);
	/* core 0 (CPUs 0 and 1) is kept */
	assert_string_equal(p.guests[0].vcpu[0], "2");
	assert_string_equal(p.guests[0].vcpu[1], "3");
	assert_string_equal(p.guests[0].vcpu[2], "4");
	assert_string_equal(p.guests[1].vcpu[0], "6");
	assert_string_equal(p.guests[0].emulator, "0-1");
	assert_string_equal(p.housekeeping, "0-1");
	assert_int_equal(p.guests[0].threads, 1);
	place_plan_free(&p);
}

static void last_named_floats(void **state)
{
	struct place_guest g[] = {guest("a", 4, 1), guest("b", 4, 1), guest("c", 4, 1),
				  guest("d", 4, 1)};
	struct place_plan p;
	struct place_opts o;
	struct machine m;

	(void)state;
	/* 15 CPUs beside the kept one: a, b and c pinned would leave 3 for d's 4 */
	machine(&m, 1, 16, 1);
	place_opts_default(&o);
	made(&m, g, 4, &o, &p);
	assert_false(p.guests[0].floating);
	assert_false(p.guests[1].floating);
	assert_true(p.guests[2].floating);
	assert_true(p.guests[3].floating);
	/* 7 CPUs for 8 vCPUs */
	assert_string_equal(p.guests[3].vcpu[0], "9-15");
	place_plan_free(&p);
}

static void into_vm(void **state)
{
	struct place_guest g = guest("a", 4, 61);
	struct vm *vm = vm_new("a", "test");
	struct place_plan p;
	struct place_opts o;
	struct machine m;

	(void)state;
	machine(&m, 2, 4, 1);
	place_opts_default(&o);
	g.iothreads = 1;
	made(&m, &g, 1, &o, &p);
	vm_set(vm, VM_ASKED, "0-3", "before", "numa.7.cpus");
	place_into_vm(&p.guests[0], vm);
	assert_int_equal(vm->nnotes, 0);
	assert_string_equal(vm_get(vm, VM_ASKED, "vcpu.3.pin"), p.guests[0].vcpu[3]);
	assert_string_equal(vm_get(vm, VM_ASKED, "iothread.0.pin"), p.guests[0].iothread[0]);
	assert_string_equal(vm_get(vm, VM_ASKED, "numa.1.nodeset"), "1");
	assert_string_equal(vm_get(vm, VM_ASKED, "numa.0.cpus"), "0-1");
	assert_string_equal(vm_get(vm, VM_ASKED, "numatune.nodeset"), "0-1");
	assert_null(vm_get(vm, VM_ASKED, "numa.7.cpus"));
	place_plan_free(&p);
	vm_free(vm);
}

static void senseless_wishes(void **state)
{
	const struct place_guest bad[] = {
		{.name = NULL, .vcpus = 1, .memory = GIB},
		{.name = "", .vcpus = 1, .memory = GIB},
		{.name = "a\n", .vcpus = 1, .memory = GIB},
		{.name = "\xff", .vcpus = 1, .memory = GIB},
		{.name = "a", .vcpus = 0, .memory = GIB},
		{.name = "a", .vcpus = 4097, .memory = GIB},
		{.name = "a", .vcpus = 1, .memory = 0},
		{.name = "a", .vcpus = 1, .memory = UINT64_MAX},
		{.name = "a", .vcpus = 1, .memory = GIB, .page = 4097},
		{.name = "a", .vcpus = 1, .memory = GIB, .iothreads = 257},
	};
	struct place_opts o;
	struct place_plan p;
	struct machine m;

	(void)state;
	machine(&m, 1, 4, 1);
	place_opts_default(&o);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = {0};

		assert_int_equal(place_make(&m.h, &bad[i], 1, &o, &p, &e), -EINVAL);
		assert_true(e.text[0]);
	}
	assert_int_equal(place_make(&m.h, bad, 0, &o, &p, NULL), -EINVAL);
	for (size_t i = 0; i < m.h.ncpus; i++)
		m.cpus[i].usable = false;
	assert_int_equal(place_make(&m.h,
				    &(struct place_guest){.name = "a", .vcpus = 1, .memory = GIB},
				    1, &o, &p, NULL),
			 -EINVAL);
}

#define GUEST(more)                                                                         \
	"{\"format\": \"vbench-plan-1\", \"guests\": [{\"name\": \"a\", \"placed\": true, " \
	"\"vcpus\": 2, \"iothreads\": 0, \"memory\": 1024, \"page\": 0, \"nodes\": \"0\", " \
	"\"mode\": \"strict\", \"iothread\": [], " more "}]}"

static void hostile_plans(void **state)
{
	static const char *const bad[] = {
		"",
		"[",
		"null",
		"[]",
		"{}",
		"{\"format\": 1}",
		"{\"format\": \"vbench-plan-2\", \"guests\": []}",
		"{\"format\": \"vbench-plan-1\"}",
		"{\"format\": \"vbench-plan-1\", \"guests\": [1]}",
		"{\"format\": \"vbench-plan-1\", \"guests\": [{}]}",
		"{\"format\": \"vbench-plan-1\", \"guests\": [], \"format\": \"x\"}",
		"{\"format\": \"vbench-plan-1\", \"guests\": [], \"why\": [\"\\u001b[31m\"]}",
		"{\"format\": \"vbench-plan-1\", \"guests\": [], \"housekeeping\": \"0-\"}",
		"{\"format\": \"vbench-plan-1\", \"guests\": [], \"host\": \"a\\nb\"}",
		GUEST("\"vcpu\": [\"1\"], \"emulator\": \"0\""),
		GUEST("\"vcpu\": [\"1\", 2], \"emulator\": \"0\""),
		GUEST("\"vcpu\": [\"1\", \"4096\"], \"emulator\": \"0\""),
		GUEST("\"vcpu\": [\"1\", \"2;reboot\"], \"emulator\": \"0\""),
		GUEST("\"vcpu\": [\"1\", \"\"], \"emulator\": \"0\""),
		GUEST("\"vcpu\": [\"1\", \"2\"]"),
		GUEST("\"vcpu\": [\"1\", \"2\"], \"emulator\": \"\""),
		GUEST("\"vcpu\": [\"1\", \"2\"], \"emulator\": \"0\", \"topology\": {\"sockets\": 1, "
		      "\"dies\": 1, \"cores\": 1, \"threads\": 1}"),
		GUEST("\"vcpu\": [\"1\", \"2\"], \"emulator\": \"0\", \"cells\": [{\"vcpus\": \"2\", "
		      "\"node\": 0, \"memory\": 1024}]"),
		GUEST("\"vcpu\": [\"1\", \"2\"], \"emulator\": \"0\", \"cells\": [{\"vcpus\": \"0-1\", "
		      "\"node\": 0, \"memory\": 1023}]"),
		GUEST("\"vcpu\": [\"1\", \"2\"], \"emulator\": \"0\", \"cells\": [{\"vcpus\": \"0-1\", "
		      "\"node\": -1, \"memory\": 1024}]"),
	};
	static const char good[] = GUEST("\"vcpu\": [\"3,1-2\", \"2\"], \"emulator\": \"0\"");
	struct place_plan p;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e = (struct err){0};
		if (place_parse(bad[i], strlen(bad[i]), "plan.json", &p, &e) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
		assert_non_null(strstr(e.text, "plan.json"));
		assert_null(p.guests);
	}
	/* every beginning of a good one is none */
	for (size_t len = 0; len + 1 < sizeof(good); len++)
		assert_int_equal(place_parse(good, len, "plan.json", &p, NULL), -EINVAL);
	assert_int_equal(place_parse(good, sizeof(good) - 1, "plan.json", &p, &e), 0);
	assert_string_equal(p.guests[0].vcpu[0], "1-3");
	assert_string_equal(p.guests[0].mode, "strict");
	place_plan_free(&p);
	assert_int_equal(place_parse(good, (size_t)PLACE_TEXT_MAX + 1, "plan.json", &p, NULL),
			 -EINVAL);
}

/* 200,000 brackets: a depth that no recursion may follow. */
static void deep_plan(void **state)
{
	size_t len = 200000;
	char *text = malloc(len);
	struct place_plan p;

	(void)state;
	memset(text, '[', len);
	assert_int_equal(place_parse(text, len, "plan.json", &p, NULL), -EINVAL);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(needs_search),	 cmocka_unit_test(memory_decides),
		cmocka_unit_test(odd_number),	 cmocka_unit_test(last_named_floats),
		cmocka_unit_test(into_vm),	 cmocka_unit_test(senseless_wishes),
		cmocka_unit_test(hostile_plans), cmocka_unit_test(deep_plan),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
