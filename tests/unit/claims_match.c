/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a published figure is about: which ratios its author would accept, which cells, workloads
 * and profiles; and the tables themselves against the table of keys and the ready profiles.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analysis/claims.h"
#include "profile/profile.h"

static void near(double got, double want)
{
	if (!(fabs(got - want) <= 1e-9 * fmax(1, fabs(want))))
		fail_msg("%.15g, should be %.15g", got, want);
}

/* ---- what is asserted ---- */

static void range(enum claim_rule rule, double low, double high, double from, double to)
{
	struct claim c = {.rule = rule, .low = low, .high = high, .from = low, .to = high};
	double a, b;

	claim_range(&c, &a, &b);
	if (isnan(from))
		assert_true(isnan(a) && isnan(b));
	else
		near(a, from);
	if (isinf(to))
		assert_true(isinf(b));
	else if (!isnan(to))
		near(b, to);
}

/* Square roots and powers of 1.5 by hand; 12.5 and 1 / 8 are capped by the factor of 2. */
static void ranges_by_hand(void **state)
{
	(void)state;
	range(RULE_SIZE, 1.44, 1.44, 1.2, 1.728);
	range(RULE_SIZE, 0.81, 0.81, 0.729, 0.9);
	range(RULE_SIZE, 1.21, 1.44, 1.1, 1.728);
	range(RULE_SIZE, 12.5, 12.5, 6.25, 25);
	range(RULE_SIZE, 0.125, 0.125, 0.0625, 0.25);
	range(RULE_SAME, NAN, NAN, 1 / 1.05, 1.05);
	range(RULE_SAME, 1, 1.09, 1 / 1.05, 1.09);
	range(RULE_SAME, 0.9, 1.01, 0.9, 1.05);
	range(RULE_MORE, NAN, NAN, 1, INFINITY);
	range(RULE_LESS, NAN, NAN, 0, 1);
	range(RULE_BETWEEN, 1.2, INFINITY, 1.2, INFINITY);
	range(RULE_NONE, NAN, NAN, NAN, NAN);
}

static void other_profiles_are_not_asked(void **state)
{
	struct claim c = {.profiles = "ring ladder"};

	(void)state;
	assert_true(claim_wanted(&c, "ring") && claim_wanted(&c, "rings"));
	assert_true(claim_wanted(&c, "ladder"));
	assert_false(claim_wanted(&c, "quick") || claim_wanted(&c, "rin"));
	assert_false(claim_wanted(&c, NULL) || claim_wanted(&c, ""));
}

/* ---- which cells ---- */

static struct model_cell *cell_of(struct model_cell *c, const char *keys)
{
	*c = (struct model_cell){.keys = json_loads(keys, 0, NULL)};
	assert_non_null(c->keys);
	return c;
}

static bool matches(const char *pattern, const char *keys)
{
	struct model_cell c;
	bool is = claim_cell(pattern, cell_of(&c, keys));

	json_decref(c.keys);
	return is;
}

static void patterns_name_cells(void **state)
{
	(void)state;
	assert_true(matches("k=a", "{\"k\":\"a\"}"));
	assert_true(matches("k=b|a l=1", "{\"k\":\"a\",\"l\":\"1\"}"));
	assert_true(matches("k=a|-", "{\"k\":null}") && matches("k=a|-", "{}"));
	assert_false(matches("k=a", "{\"k\":\"ab\"}") || matches("k=ab", "{\"k\":\"a\"}"));
	assert_false(matches("k=a", "{\"k\":null}") || matches("k=a", "{\"kk\":\"a\"}"));
	assert_false(matches("k=a l=1", "{\"k\":\"a\",\"l\":\"2\"}"));
	assert_true(matches(NULL, "{}") && matches("", "{}"));
}

/* 20 GiB in clusters of 64 KiB: 20 * 16384 clusters of 8 bytes are 2.5 MiB of tables, 1 MiB is 40 %
 * of them; with subclusters 16 bytes, 20 %. More than all is all. */
static void coverage_by_hand(void **state)
{
#define TABLES(cache, sub)                                                \
	"{\"disk.size\":\"21474836480\",\"disk.cluster-size\":\"65536\"," \
	"\"disk.l2-cache-size\":\"" cache "\",\"disk.extended-l2\":\"" sub "\"}"
	(void)state;
	assert_true(matches("l2-coverage=40", TABLES("1048576", "off")));
	assert_true(matches("l2-coverage=20", TABLES("1048576", "on")));
	assert_true(matches("l2-coverage=100", TABLES("2621440", "off")));
	assert_true(matches("l2-coverage=100", TABLES("33554432", "off")));
	assert_false(matches("l2-coverage=40", TABLES("auto", "off")));
	assert_true(matches("l2-coverage=-", TABLES("auto", "off")));
}

static bool pair(const char *a, const char *b, const char *x, const char *y)
{
	struct claim c = {.a = a, .b = b};
	struct model_cell m, n;
	bool is = claim_pair(&c, cell_of(&m, x), cell_of(&n, y));

	json_decref(m.keys);
	json_decref(n.keys);
	return is;
}

static void cells_differ_in_what_is_named_only(void **state)
{
	(void)state;
	assert_true(pair("k=a", "k=b", "{\"k\":\"a\",\"l\":\"1\"}", "{\"k\":\"b\",\"l\":\"1\"}"));
	assert_false(pair("k=a", "k=b", "{\"k\":\"a\",\"l\":\"1\"}", "{\"k\":\"b\",\"l\":\"2\"}"));
	assert_true(pair("k=a", "k=b", "{\"k\":\"a\",\"l\":null}", "{\"k\":\"b\",\"l\":\"2\"}"));
	/* one side names a further key: cells may differ in it */
	assert_true(
		pair("k=a", "k=b l=2", "{\"k\":\"a\",\"l\":\"1\"}", "{\"k\":\"b\",\"l\":\"2\"}"));
	/* both name the same values of it: they must not */
	assert_false(pair("k=a l=1|2", "k=b l=1|2", "{\"k\":\"a\",\"l\":\"1\"}",
			  "{\"k\":\"b\",\"l\":\"2\"}"));
	/* what is handed through to QEMU is set or it is not */
	assert_false(
		pair("k=a", "k=b", "{\"k\":\"a\",\"disk.blockdev.x\":\"1\"}", "{\"k\":\"b\"}"));
	assert_false(
		pair("k=a", "k=b", "{\"k\":\"a\"}", "{\"k\":\"b\",\"disk.blockdev.x\":\"1\"}"));
	assert_true(pair("l2-coverage=40", "l2-coverage=60", "{\"disk.l2-cache-size\":\"1\"}",
			 "{\"disk.l2-cache-size\":\"2\"}"));
}

/* ---- which workloads ---- */

static bool about(struct claim_work want, const char *keys)
{
	json_t *k = json_loads(keys, 0, NULL);
	bool is = claim_workload(&want, k);

	json_decref(k);
	return is;
}

static void workloads_by_what_they_do(void **state)
{
	static const char mix[] =
		"{\"workload.rw\":\"randrw\",\"workload.bs\":\"4096\",\"workload.iodepth\":\"8\","
		"\"workload.numjobs\":\"2\",\"workload.ioengine\":\"libaio\",\"workload.fio.rwmixread\":\"25\"}";

	(void)state;
	assert_true(about((struct claim_work){0}, mix) && about((struct claim_work){0}, "{}"));
	assert_true(about((struct claim_work){.rw = "randrw", .reads = 25, .depth = 8, .jobs = 2},
			  mix));
	assert_false(about((struct claim_work){.rw = "randread"}, mix));
	assert_false(about((struct claim_work){.reads = 50}, mix));
	assert_true(about((struct claim_work){.reads = 50}, "{\"workload.rw\":\"randrw\"}"));
	assert_false(about((struct claim_work){.depth = 4}, mix));
	assert_true(about((struct claim_work){.min_depth = 8}, mix));
	assert_false(about((struct claim_work){.min_depth = 9}, mix));
	assert_true(about((struct claim_work){.max_depth = 8}, mix));
	assert_false(about((struct claim_work){.max_depth = 7}, mix));
	assert_true(about((struct claim_work){.engine = "libaio"}, mix));
	assert_false(about((struct claim_work){.engine = "io_uring"}, mix));
	assert_false(about((struct claim_work){.engine = "libaio"}, "{}"));
	assert_false(about((struct claim_work){.jobs = 4}, mix));
	assert_false(about((struct claim_work){.min_bs = 8192}, mix));
	assert_false(about((struct claim_work){.max_bs = 512}, mix));
	assert_true(about((struct claim_work){.min_bs = 4096, .max_bs = 4096}, mix));
}

static void passes_are_the_workloads_else_the_disks(void **state)
{
	static const struct {
		const char *work, *disk, *pass;
	} cases[] = {
		{"none", "fill", "first-write"}, {"fill", "none", "steady"},
		{"random", "none", "steady"},	 {"disk", "none", "first-write"},
		{"disk", "fill", "steady"},	 {"disk", "random", "steady"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *k = json_pack("{s:s}", "workload.precondition", cases[i].work);
		struct model_cell c = {
			.keys = json_pack("{s:s}", "disk.precondition", cases[i].disk)};

		assert_string_equal(claim_pass(k, &c), cases[i].pass);
		json_decref(c.keys);
		c.keys = json_object();
		if (!strcmp(cases[i].work, "disk"))
			assert_null(claim_pass(k, &c)); /* null back ends have no image */
		json_decref(c.keys);
		json_decref(k);
	}
}

static const struct claim *claim_of(const char *id)
{
	for (size_t i = 0; i < claims_bus.n; i++)
		if (!strcmp(claims_bus.rows[i].id, id))
			return &claims_bus.rows[i];
	fail_msg("no claim %s", id);
	return NULL;
}

static bool asked_of(const char *id, const char *rw, const char *engine, int depth, int reads)
{
	json_t *k = json_pack("{s:s, s:s, s:s}", "workload.rw", rw, "workload.bs", "4096",
			      "workload.ioengine", engine);
	bool is;

	json_object_set_new(k, "workload.iodepth", json_sprintf("%d", depth));
	if (reads)
		json_object_set_new(k, "workload.fio.rwmixread", json_sprintf("%d", reads));
	is = claim_workload(&claim_of(id)->work, k);
	json_decref(k);
	return is;
}

/*
 * Of M. Polednik's tests, which are of libaio at depth 1, 4 and 8, a claim is about those whose
 * figures it publishes: 70.0 / 66.1 and 82.3 / 76.0 MB/s at depth 4 and 8 (43.1 / 41.8 at 1 is
 * another figure); and about those that bear it out: 7.8 / 8.2 and 16.1 / 19.0 are below 1 / 1.05,
 * 25.0 / 25.8 is not. The depths 2 and 16 with io_uring are the other source's.
 */
static void depths_are_the_published_ones(void **state)
{
	static const char blk[] = "mpolednik-blk-iothread", mix[] = "mpolednik-mix75-read";
	double from, to;

	(void)state;
	assert_false(asked_of(blk, "randread", "libaio", 1, 0));
	assert_true(asked_of(blk, "randread", "libaio", 4, 0));
	assert_true(asked_of(blk, "randread", "libaio", 8, 0));
	assert_false(asked_of(blk, "randread", "libaio", 16, 0));
	assert_false(asked_of(blk, "randread", "io_uring", 8, 0));
	assert_true(asked_of(mix, "randrw", "libaio", 1, 25));
	assert_true(asked_of(mix, "randrw", "libaio", 4, 25));
	assert_false(asked_of(mix, "randrw", "libaio", 8, 25));
	claim_range(claim_of(mix), &from, &to);
	assert_true(7.8 / 8.2 < to && 16.1 / 19.0 < to && from <= 16.1 / 19.0);
}

/* The second source names no iothread: cells with one are not what it is about. */
static void sweep_without_iothreads(void **state)
{
	static const char off[] = "{\"disk.bus\":\"virtio-blk\",\"disk.iothread\":\"off\"}";
	static const char on[] = "{\"disk.bus\":\"virtio-blk\",\"disk.iothread\":\"on\"}";
	const struct claim *c = claim_of("qemu-blog-qd8");
	struct model_cell m;

	(void)state;
	assert_true(claim_cell(c->b, cell_of(&m, off)));
	json_decref(m.keys);
	assert_false(claim_cell(c->b, cell_of(&m, on)));
	json_decref(m.keys);
}

/* ---- the tables ---- */

static const struct claim_list *const lists[] = {&claims_ring, &claims_bus, &claims_threads,
						 &claims_qcow2, &claims_formats};
enum { LISTS = sizeof(lists) / sizeof(lists[0]) };

static const struct key_row *row_of(const char *name)
{
	char full[64];

	for (int k = 0; k < K_COUNT; k++)
		if (profile_keys[k].name &&
		    !strcmp(key_full_name(&profile_keys[k], full, sizeof(full)), name))
			return &profile_keys[k];
	return NULL;
}

/* Is v one of the comma-separated words? */
static bool one_of(const char *words, const char *v)
{
	size_t n = strlen(v);

	for (const char *p = words; p && *p; p += strcspn(p, ","), p += *p == ',')
		if (strcspn(p, ",") == n && !memcmp(p, v, n))
			return true;
	return false;
}

/* Every key of a pattern is one of the profile's, every value one that the key can have. */
static void check_pattern(const char *id, const char *pattern)
{
	char *copy = xstrdup(pattern), *save = NULL, *inner = NULL;

	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char *eq = strchr(w, '=');
		const struct key_row *row;

		assert_non_null(eq);
		*eq = 0;
		if (!strcmp(w, "l2-coverage"))
			continue;
		row = row_of(w);
		if (!row)
			fail_msg("%s: no key %s", id, w);
		for (char *v = strtok_r(eq + 1, "|", &inner); v; v = strtok_r(NULL, "|", &inner)) {
			bool good =
				!strcmp(v, "-") ||
				(row->type == KT_ENUM	  ? one_of(row->values, v)
				 : row->type == KT_BOOL	  ? one_of("on,off", v)
				 : row->type == KT_STRING ? true
							  : strspn(v, "0123456789") == strlen(v));

			if (!good)
				fail_msg("%s: %s cannot be %s", id, w, v);
		}
	}
	free(copy);
}

static void tables_are_sound(void **state)
{
	const struct claim *seen[256];
	size_t n = 0;

	(void)state;
	for (size_t l = 0; l < LISTS; l++)
		for (size_t i = 0; i < lists[l]->n; i++) {
			const struct claim *c = &lists[l]->rows[i];
			double from, to;

			assert_true(c->id && *c->id && c->what && c->profiles && c->published);
			assert_true(c->setting && c->source && c->b);
			if (c->count ? c->a != NULL : c->a == NULL)
				fail_msg("%s: sides", c->id);
			if (c->metric && !metric_find(c->metric))
				fail_msg("%s: no metric %s", c->id, c->metric);
			if (c->a)
				check_pattern(c->id, c->a);
			check_pattern(c->id, c->b);
			claim_range(c, &from, &to);
			if (c->rule == RULE_NONE ? !isnan(from) : !(from < to))
				fail_msg("%s: asserts %g to %g", c->id, from, to);
			/* A figure is a finding: no difference at all must not do as well. */
			if (c->rule == RULE_SIZE && from <= 1 && to >= 1)
				fail_msg("%s: asserts %g to %g", c->id, from, to);
			if (c->rule == RULE_SIZE && !(c->low >= from && c->high <= to))
				fail_msg("%s: contradicts itself", c->id);
			for (size_t k = 0; k < n; k++) {
				if (!strcmp(seen[k]->id, c->id))
					fail_msg("%s twice", c->id);
				/* Reports print figures of one name once. */
				if (!strcmp(seen[k]->what, c->what) &&
				    (strcmp(seen[k]->a ? seen[k]->a : "", c->a ? c->a : "") ||
				     strcmp(seen[k]->b, c->b)))
					fail_msg("%s and %s: one name", seen[k]->id, c->id);
			}
			assert_true(n < 256);
			seen[n++] = c;
		}
}

/* The ready profile of that name as cells and workloads of a model: keys only. */
static void keys_of(char *const *val, enum section a, enum section b, json_t *out)
{
	char name[64];

	for (int k = 0; k < K_COUNT; k++)
		if ((profile_keys[k].section == a || profile_keys[k].section == b) && val[k])
			json_object_set_new(out,
					    key_full_name(&profile_keys[k], name, sizeof(name)),
					    json_string(val[k]));
}

static bool profile_answers(const struct profile *p, const struct claim *c)
{
	struct model_cell *cells = xcalloc(p->ncells + 1, sizeof(*cells));
	bool found = false;

	for (size_t i = 0; i < p->ncells; i++) {
		cells[i].keys = json_object();
		keys_of(p->cells[i].val, SEC_GUEST, SEC_DISK, cells[i].keys);
	}
	for (size_t w = 0; w < p->nworkloads && !found; w++) {
		json_t *keys = json_object();
		const struct workload *work = &p->workloads[w];
		char name[64];

		keys_of(work->val, SEC_WORKLOAD, SEC_WORKLOAD, keys);
		for (size_t i = 0; i < work->nextras; i++) {
			snprintf(name, sizeof(name), "workload.fio.%s", work->extras[i].key);
			json_object_set_new(keys, name, json_string(work->extras[i].value));
		}
		for (size_t a = 0; a < p->ncells && claim_workload(&c->work, keys); a++) {
			const char *pass = claim_pass(keys, &cells[a]);

			if (c->work.pass && (!pass || strcmp(pass, c->work.pass)))
				continue;
			if (c->count)
				found |= claim_cell(c->b, &cells[a]);
			for (size_t b = 0; b < p->ncells && !found && !c->count; b++)
				found = a != b && claim_cell(c->a, &cells[a]) &&
					claim_cell(c->b, &cells[b]) &&
					claim_pair(c, &cells[a], &cells[b]);
		}
		json_decref(keys);
	}
	for (size_t i = 0; i < p->ncells; i++)
		json_decref(cells[i].keys);
	free(cells);
	return found;
}

/* Each claim can be held against something in a ready profile that asks. */
static void ready_profiles_answer(void **state)
{
	unsigned missing = 0;
	glob_t all;

	(void)state;
	assert_int_equal(glob("profiles/*.ini", 0, NULL, &all), 0);
	for (size_t l = 0; l < LISTS; l++)
		for (size_t i = 0; i < lists[l]->n; i++) {
			const struct claim *c = &lists[l]->rows[i];
			bool answered = false;

			for (size_t k = 0; k < all.gl_pathc && !answered; k++) {
				struct profile *p;
				struct err e = {0};

				if (!claim_wanted(c, all.gl_pathv[k] + strlen("profiles/")))
					continue;
				if (profile_load(all.gl_pathv[k], NULL, 0, &p, &e)) {
					print_message("%s\n", e.text);
					continue;
				}
				answered = profile_answers(p, c);
				profile_free(p);
			}
			if (!answered)
				print_message("no cells or no workload of %s for %s\n", c->profiles,
					      c->id);
			missing += !answered;
		}
	globfree(&all);
	assert_int_equal(missing, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_by_hand),
		cmocka_unit_test(other_profiles_are_not_asked),
		cmocka_unit_test(patterns_name_cells),
		cmocka_unit_test(coverage_by_hand),
		cmocka_unit_test(cells_differ_in_what_is_named_only),
		cmocka_unit_test(workloads_by_what_they_do),
		cmocka_unit_test(passes_are_the_workloads_else_the_disks),
		cmocka_unit_test(depths_are_the_published_ones),
		cmocka_unit_test(sweep_without_iothreads),
		cmocka_unit_test(tables_are_sound),
		cmocka_unit_test(ready_profiles_answer),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
