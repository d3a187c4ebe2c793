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
#include <stdlib.h>
#include "host/snapshot.h"
#include "tune/tune.h"
#include "vm/read.h"

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

/* By hand: a start in the sandbox stays there, one that is encrypted too, and the host is left
 * alone. */
static void nor_are_these(void **state)
{
	static const char *const spaces[] = {"guest.sandbox=on,off", "disk.format=luks,raw",
					     "disk.blockdev.cache.no-flush=on"};
	static const char luks[] = "[disk]\nformat = luks\n[workload r]\nrw = randread\n";
	static const char *const knob[] = {"knob.thp=always"};
	json_t *s = state_of(text), *axis;
	struct err e = {0};
	size_t i;

	(void)state;
	assert_int_equal(space(s, spaces, 1, &e), 0);
	json_array_foreach(json_object_get(s, "axes"), i,
			   axis) if (!strcmp(tune_str(axis, "key"), "guest.sandbox"))
	{
		assert_string_equal(value(s, i, 0), "on");
		assert_null(value(s, i, 1));
	}
	assert_int_equal(json_array_size(json_object_get(s, "left_out")), 1);
	/* the profile's own keys say the cache mode, none else */
	assert_int_equal(space(s, spaces + 2, 1, &e), -EINVAL);
	json_decref(s);
	s = state_of(luks);
	assert_int_equal(space(s, spaces + 1, 1, &e), -EINVAL); /* nothing is left to vary */
	assert_int_equal(space(s, knob, 1, &e), -EINVAL);
	assert_non_null(strstr(e.text, "--consent host"));
	json_decref(s);
}

static char *file_text(const char *path)
{
	FILE *f = fopen(path, "r");
	char *t = calloc(1, 65536);

	assert_non_null(f);
	assert_true(fread(t, 1, 65535, f) > 0);
	fclose(f);
	return t;
}

static void cell_is_safe(const struct profile *p, const struct cell *c, const struct vm *start,
			 const struct snapshot *host)
{
	struct vm *vm = NULL;

	assert_false(cell_is(c, K_CACHE, "unsafe"));
	assert_true(cell_is(c, K_SANDBOX, "on"));
	assert_int_equal(c->nextras, 0);
	assert_int_equal(vm_read_cell(p, c, &vm, NULL), 0);
	assert_null(tune_breaks(vm, start, host));
	vm_free(vm);
}

/* What rules add to QEMU's bare defaults: no cell of it is less safe than those are. */
static void default_space_is_safe(void **state)
{
	char *bare = file_text("profiles/bare.ini");
	static const char *const consent[] = {"host"};
	struct tune_opts o = {.stop_fd = -1, .consents = consent, .nconsents = 1};
	json_t *s = state_of(bare);
	struct profile *all = NULL, *one = NULL;
	struct snapshot *host = NULL;
	struct vm *start = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(tune_space(s, &o, &e), 0);
	assert_int_equal(tune_search_profile(s, &all, &e), 0);
	assert_int_equal(tune_one_cell(s, NULL, &one, &e), 0);
	assert_int_equal(snapshot_take(&host, &e), 0);
	assert_int_equal(vm_read_cell(one, &one->cells[0], &start, &e), 0);
	assert_true(all->ncells > 8);
	for (size_t i = 0; i < all->ncells; i++)
		cell_is_safe(all, &all->cells[i], start, host);
	/* BLK-01 is about emulated disks, and its advice is virtio-blk (tuning.md) */
	assert_non_null(json_object_get(s, "audit"));
	assert_string_equal(value(s, 0, 0), "ide");
	assert_non_null(json_object_get(
		json_object_get(json_array_get(json_object_get(s, "axes"), 0), "advice"),
		"virtio-blk"));
	vm_free(start);
	snapshot_free(host);
	profile_free(all);
	profile_free(one);
	json_decref(s);
	free(bare);
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
		cmocka_unit_test(nor_are_these),
		cmocka_unit_test(default_space_is_safe),
		cmocka_unit_test(refused),
		cmocka_unit_test(listed_cells),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
