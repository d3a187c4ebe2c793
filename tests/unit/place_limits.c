/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits of vCPUs at their very borders, guests that run beside a plan, and texts that may not
 * reach hwloc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "host/gather.h"
#include "place/place.h"

#define GIB ((uint64_t)1 << 30)

struct machine {
	struct place_host h;
	struct place_cpu cpus[128];
	struct place_node node;
};

/* One node; CPUs are numbered core by core. */
static void machine(struct machine *m, unsigned cores, unsigned threads)
{
	*m = (struct machine){.h = {.cpus = m->cpus,
				    .ncpus = cores * threads,
				    .nodes = &m->node,
				    .nnodes = 1,
				    .numa = true,
				    .dies = true,
				    .cores = cores},
			      .node = {.memory = 1024 * GIB, .free = UINT64_MAX}};
	for (unsigned i = 0; i < cores * threads; i++)
		m->cpus[i] = (struct place_cpu){.os = i, .core = i / threads, .usable = true};
}

/* A plan for so many vCPUs: guests of 8, and one of the rest. -ENOSPC: refused. */
static int plan(const struct machine *m, unsigned vcpus, double ratio, bool enforce,
		struct place_plan *out)
{
	static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k",
					    "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v"};
	struct place_guest g[22];
	struct place_opts o;
	struct err e = {0};
	size_t n = 0;

	place_opts_default(&o);
	o.total_ratio = ratio;
	o.enforce = enforce;
	for (; vcpus; vcpus -= g[n++].vcpus)
		g[n] = (struct place_guest){.name = names[n],
					    .vcpus = vcpus < 8 ? vcpus : 8,
					    .memory = GIB,
					    .disk_node = -1};
	return place_make(&m->h, g, n, &o, out, &e);
}

/* What follows a text in the limits, up to the next comma, semicolon or end. */
static void says(const struct place_plan *p, const char *begin, const char *verdict)
{
	for (size_t i = 0; i < p->nlimits; i++) {
		const char *at = strstr(p->limits[i], begin), *end;

		if (!at)
			continue;
		at += strlen(begin);
		end = at + strcspn(at, ",;");
		if ((size_t)(end - at) == strlen(verdict) && !strncmp(at, verdict, strlen(verdict)))
			return;
		fail_msg("%s: \"%s\" is not followed by %s", p->limits[i], begin, verdict);
	}
	fail_msg("no limit says %s", begin);
}

/* The limit that holds for this many vCPUs, and not for one more. */
static void border(const struct machine *m, unsigned most, const char *begin)
{
	struct place_plan p;

	assert_int_equal(plan(m, most, 2, false, &p), 0);
	says(&p, begin, "kept");
	place_plan_free(&p);
	assert_int_equal(plan(m, most + 1, 2, false, &p), 0);
	says(&p, begin, "PASSED");
	place_plan_free(&p);
}

/* 8 cores, 16 logical CPUs. RHEL 10: 5 each, and 10 a core; Nova: 4.0 each; SUSE: none; AMD: 2 each
 * below half load, else none (best practice CPU-04). */
static void total_borders(void **state)
{
	struct machine m;

	(void)state;
	machine(&m, 8, 2);
	border(&m, 32, "(CPU-04, Sangfor: 2) ");
	border(&m, 80, "stays below full load, ");
	border(&m, 80, "10 for each core, ");
	border(&m, 64, "for each CPU by default, ");
	border(&m, 16, "SUSE: no overcommitment, ");
	border(&m, 32, "below 50 % load, ");
	border(&m, 16, "not one more than CPUs, ");
	/* without SMT, cores are CPUs: 5 each is passed long before 10 a core */
	machine(&m, 8, 1);
	border(&m, 40, "stays below full load, ");
	border(&m, 80, "10 for each core, ");
	border(&m, 32, "for each CPU by default, ");
	border(&m, 16, "(CPU-04, Sangfor: 2) ");
	/* the second threads are offline, or not ours: no logical CPUs of ours */
	machine(&m, 8, 2);
	for (unsigned i = 1; i < 16; i += 2)
		m.cpus[i].usable = false;
	border(&m, 16, "(CPU-04, Sangfor: 2) ");
	border(&m, 8, "SUSE: no overcommitment, ");
}

/* 2.05 x 60 is 122.99999999999999 in binary; 123 vCPUs are not more than 2.05 for each of 60. */
static void ratio_of_no_binary_fraction(void **state)
{
	struct place_plan p;
	struct machine m;

	(void)state;
	assert_true(2.05 * 60 < 123);
	machine(&m, 60, 1);
	assert_int_equal(plan(&m, 123, 2.05, true, &p), 0);
	says(&p, "(CPU-04, Sangfor: 2) ", "kept");
	place_plan_free(&p);
	assert_true(plan(&m, 124, 2.05, true, &p) < 0);
}

/* CPU-03: as many vCPUs as cores are usable, and not one more. */
static void single_border(void **state)
{
	struct place_guest g = {.name = "a", .memory = GIB, .disk_node = -1};
	struct place_opts o;
	struct place_plan p;
	struct err e = {0};
	struct machine m;

	(void)state;
	machine(&m, 8, 2);
	place_opts_default(&o);
	for (unsigned v = 8; v <= 17; v++) {
		g.vcpus = v;
		assert_int_equal(place_make(&m.h, &g, 1, &o, &p, &e), 0);
		says(&p, "CPU-03 (Sangfor: no more than cores) ", v <= 8 ? "kept" : "PASSED");
		assert_int_equal(p.nwarnings, v > 8);
		/* 17: more than logical CPUs, which has words of its own */
		if (v > 8)
			assert_true(!strstr(p.warnings[0], "Proxmox VE refuses") == (v < 17));
		place_plan_free(&p);
		o.enforce = true;
		if (v > 8)
			assert_true(place_make(&m.h, &g, 1, &o, &p, &e) < 0);
		else
			assert_int_equal(place_make(&m.h, &g, 1, &o, &p, &e), 0);
		if (v <= 8)
			place_plan_free(&p);
		o.enforce = false;
	}
}

static bool lists(const struct place_plan *p, const char *cpu)
{
	for (unsigned i = 0; i < p->guests[0].vcpus; i++)
		if (!strcmp(p->guests[0].vcpu[i], cpu))
			return true;
	return false;
}

/* 4 cores of 2; a guest beside is pinned to CPU 2 and has 30 vCPUs: its core (2, 3) stays as it is,
 * and 2 more vCPUs are 32 on 8 CPUs. */
static void others(void **state)
{
	struct place_guest g = {.name = "a", .vcpus = 2, .memory = GIB, .disk_node = -1};
	struct place_opts o;
	struct place_plan p;
	struct err e = {0};
	struct machine m;

	(void)state;
	machine(&m, 4, 2);
	place_opts_default(&o);
	assert_int_equal(place_make(&m.h, &g, 1, &o, &p, &e), 0);
	assert_true(lists(&p, "2") && lists(&p, "3"));
	place_plan_free(&p);
	place_host_other(&m.h, "beside", 30, "2");
	assert_int_equal(place_make(&m.h, &g, 1, &o, &p, &e), 0);
	assert_false(lists(&p, "2") || lists(&p, "3"));
	assert_true(p.guests[0].placed && !p.guests[0].floating);
	assert_string_equal(p.why[1],
			    "CPU 2: threads of beside, which runs here, are pinned to it: "
			    "it stays untouched, with its core");
	says(&p, "for each CPU by default, ", "kept");
	says(&p, "(CPU-04, Sangfor: 2) ", "PASSED");
	place_plan_free(&p);
	place_host_other(&m.h, "float", 1, NULL);
	assert_int_equal(place_make(&m.h, &g, 1, &o, &p, &e), 0);
	says(&p, "for each CPU by default, ", "PASSED");
	place_plan_free(&p);
	for (size_t i = 0; i < m.h.nothers; i++) {
		free(m.h.others[i].name);
		free(m.h.others[i].cpus);
	}
	free(m.h.others);
}

/* What hwloc 2 writes passes; what would make its reader recurse, expand or allocate without end
 * does not. */
static void topology_texts(void **state)
{
	static const char *const good[] = {
		"<topology version=\"2.0\"/>",
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n"
		"<topology version='2.0'>\n <object type=\"PU\" os_index=\"16383\" name=\"a &amp; b &gt;\"/>\n"
		"</topology>\n",
		/* a package may have any number */
		"<topology><object type=\"Package\" os_index=\"4294967295\"></object></topology>",
	};
	static const char *const bad[] = {
		"",
		"text",
		"<topology>",
		"</topology>",
		"<topology",
		"<topology version></topology>",
		"<topology version=2></topology>",
		"<topology version=\"2></topology>",
		"<!DOCTYPE t [<!ENTITY a \"b\">]><t>&a;</t>",
		"<?xml version=\"1.0\" encoding=\"UTF-7\"?><topology/>",
		"<topology>&a;</topology>",
		"<topology name=\"&a;\"/>",
		"<topology name=\"&#65;\"/>",
		"<topology><!-- <object> --></topology>",
		"<topology><![CDATA[<object>]]></topology>",
		"<topology><object type=\"PU\" os_index=\"16384\"/></topology>",
		"<topology><object os_index=\"99999999999999999999\" type='NUMANode'/></topology>",
		"<topology><object type=\"pu\" os_index=\"16384\"/></topology>",
		"<topology><object type=\"numa\" os_index=\"16384\"/></topology>",
		"<topology><object type=\"PU\"/></topology>",
		"<topology><object type=\"NUMANode\" logical_index=\"0\"/></topology>",
		"<!DOCTYPE topology SYSTEM \"hwloc3.dtd\">\n<topology version=\"3.0\"/>",
		"<topology><distances2 nbobjs=\"4294967295\"/></topology>",
	};
	char *deep = calloc(1, 4096), *wide = calloc(1, 20000);

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (host_topology_odd(good[i]))
			fail_msg("%s: %s", good[i], host_topology_odd(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!host_topology_odd(bad[i]))
			fail_msg("taken: %s", bad[i]);
	for (int i = 0; i < 200; i++)
		strcat(deep, "<object>");
	for (int i = 0; i < 200; i++)
		strcat(deep, "</object>");
	assert_string_equal(host_topology_odd(deep), "is nested deeper than any machine is");
	sprintf(wide, "<topology cpuset=\"%*s\"/>", 17000, "0x1");
	assert_non_null(host_topology_odd(wide));
	free(deep);
	free(wide);
}

/* Lines of proc_swaps(5): the first column goes. */
static void swaps(void **state)
{
	static const char *const texts[][2] = {
		{"Filename\tType\n/dev/mapper/acme-swap partition\t1024\t0\t-2\n/swap file\t9\n",
		 "Filename\tType\n- partition\t1024\t0\t-2\n- file\t9\n"},
		{"Filename\tType", "Filename\tType"},
		{"Filename\n", "Filename\n"},
		{"Filename\n\n x\ny", "Filename\n\n x\n-"},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char *text = strdup(texts[i][0]);

		host_swaps_clean(text);
		assert_string_equal(text, texts[i][1]);
		free(text);
	}
	assert_true(host_name_is_address("enx525400123456"));
	assert_true(host_name_is_address("/sys/class/net/wlx0022334455aa/mtu"));
	assert_false(host_name_is_address("enp129s0f1np1"));
	assert_false(host_name_is_address("/sys/class/net/eth0/mtu"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(total_borders),  cmocka_unit_test(ratio_of_no_binary_fraction),
		cmocka_unit_test(single_border),  cmocka_unit_test(others),
		cmocka_unit_test(topology_texts), cmocka_unit_test(swaps),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
