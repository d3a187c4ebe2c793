// SPDX-License-Identifier: GPL-2.0-or-later
/* The space of a tuning, and cells that are listed by name. Expected values: by hand from the keys'
 * table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "tune/tune.h"

static const char text[] = "[disk]\nbus = virtio-blk, nvme\nring = split\npoll-max = 32768ns\n"
			   "[workload r]\nrw = randread\n[run]\ndecide = 5%\n";

static json_t *state_of(const char *profile)
{
	return json_pack("{s:s, s:s, s:s, s:[]}", "text", profile, "path", "p.ini", "label", "p",
			 "sets");
}

static int space(json_t *state, const char *const *spaces, size_t n, struct err *e)
{
	struct tune_opts o = {.spaces = spaces, .nspaces = n, .no_rules = true, .stop_fd = -1};

	return tune_space(state, &o, e);
}

static const char *value(const json_t *state, size_t axis, size_t i)
{
	return json_string_value(json_array_get(
		json_object_get(json_array_get(json_object_get(state, "axes"), axis), "values"),
		i));
}

static void start_first_and_folded(void **state)
{
	static const char *const spaces[] = {"disk.ring=packed", "disk.poll-max=0s"};
	json_t *s = state_of(text);
	struct err e = {0};

	(void)state;
	assert_int_equal(space(s, spaces, 2, &e), 0);
	assert_string_equal(value(s, 0, 0), "virtio-blk");
	assert_string_equal(value(s, 0, 1), "nvme");
	assert_string_equal(value(s, 1, 0), "split"); /* not named, but the start's */
	assert_string_equal(value(s, 1, 1), "packed");
	/* virtio-blk: 2 x 2; nvme has neither ring nor iothread: 1 */
	assert_int_equal(json_integer_value(json_object_get(s, "cells")), 5);
	json_decref(s);
}

static void safety_is_not_in_it(void **state)
{
	static const char *const spaces[] = {"disk.cache=unsafe,writeback,directsync"};
	static const char through[] =
		"[disk]\ncache = writethrough\n[workload r]\nrw = randwrite\n";
	json_t *s = state_of(through);
	struct err e = {0};

	(void)state;
	assert_int_equal(space(s, spaces, 1, &e), 0);
	assert_string_equal(value(s, 0, 0), "writethrough");
	assert_string_equal(value(s, 0, 1), "directsync");
	assert_null(value(s, 0, 2));
	assert_int_equal(json_array_size(json_object_get(s, "left_out")), 2);
	json_decref(s);
}

static void refused(void **state)
{
	static const char *const bad[] = {"disk.rnig=packed"}, *const none[] = {"disk.ring"};
	static const char ladder[] = "[rung a]\ndisk.ring = split\n[workload r]\nrw = randread\n";
	json_t *s = state_of(text);
	struct err e = {0};

	(void)state;
	assert_int_equal(space(s, bad, 1, &e), -EINVAL);
	assert_int_equal(space(s, none, 1, &e), -EINVAL);
	json_decref(s);
	s = state_of(ladder);
	assert_int_equal(space(s, NULL, 0, &e), -EINVAL);
	json_decref(s);
}

static int list(const struct profile_listed *c, size_t n, const struct profile_pair *pairs,
		size_t npairs, struct profile **p, struct err *e)
{
	static const char *const sets[] = {"run.decide=3%"};

	return profile_parse_cells(text, strlen(text), "p.ini", sets, 1, c, n, pairs, npairs, p, e);
}

static void listed_cells(void **state)
{
	char *a[] = {"disk.bus=virtio-blk"}, *b[] = {"disk.bus=virtio-blk", "disk.ring=packed"};
	const struct profile_listed cells[] = {{"start", a, 1}, {"winner", b, 2}};
	const struct profile_pair pairs[] = {{0, 1}}, wrong[] = {{0, 2}};
	const struct profile_listed twice[] = {{"start", a, 1}, {"again", a, 1}};
	struct profile *p = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(list(cells, 2, pairs, 1, &p, &e), 0);
	assert_int_equal(p->ncells, 2);
	assert_int_equal(p->naxes, 0);
	assert_string_equal(p->cells[1].label, "winner");
	assert_int_equal(p->cells[1].index, 1);
	assert_true(cell_is(&p->cells[1], K_RING, "packed"));
	assert_int_equal(p->npairs, 1);
	assert_int_equal(p->nsets, 1);			       /* the cells' own are theirs */
	assert_string_equal(profile_get(p, K_DECIDE), "0.03"); /* of the sets, not of the text */
	profile_free(p);
	assert_int_equal(list(twice, 2, pairs, 1, &p, &e), -EINVAL);
	assert_null(p);
	assert_int_equal(list(cells, 2, wrong, 1, &p, &e), -EINVAL);
	a[0] = "disk.ring=split"; /* the bus still has two values */
	assert_int_equal(list(cells, 2, pairs, 1, &p, &e), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_first_and_folded),
		cmocka_unit_test(safety_is_not_in_it),
		cmocka_unit_test(refused),
		cmocka_unit_test(listed_cells),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
