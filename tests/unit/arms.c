// SPDX-License-Identifier: GPL-2.0-or-later
/* Profiles with two arms: which cells there are, how they pair, what is refused; shares and the
 * keys that hold them. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "guest/template.h"
#include "profile/profile.h"

#define WORK "[workload w]\n"

static struct profile *parse_arms(const char *text, const char *const *base, size_t nbase,
				  const char *const *change, size_t nchange, struct err *e)
{
	struct profile *p = NULL;
	int rc = profile_parse_arms(text, strlen(text), "t.ini", NULL, 0, base, nbase, change,
				    nchange, &p, e);

	assert_true(rc ? !p : p != NULL);
	return p;
}

/* One --vs. */
static struct profile *vs(const char *text, const char *set)
{
	struct err e = {0};
	struct profile *p = parse_arms(text, NULL, 0, &set, 1, &e);

	if (!p)
		print_error("%s\n", e.text);
	assert_non_null(p);
	return p;
}

static void refused(const char *text, const char *set, const char *part)
{
	struct err e = {0};
	struct profile *p = parse_arms(text, NULL, 0, &set, set != NULL, &e);

	if (p || !strstr(e.text, part))
		print_error("got: %s\nwant: %s\n", e.text, part);
	assert_null(p);
	assert_non_null(strstr(e.text, part));
	assert_int_equal(e.rc, -EINVAL);
}

static void each_cell_has_another_self(void **state)
{
	struct profile *p =
		vs("[disk]\nformat = qcow2\nmode = metadata, full\n" WORK, "disk.cache=writeback");
	static const char *const labels[] = {"base metadata", "base full", "change metadata",
					     "change full"};

	(void)state;
	assert_int_equal(p->ncells, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_string_equal(p->cells[i].label, labels[i]);
		assert_int_equal(p->cells[i].index, i);
		assert_string_equal(cell_get(&p->cells[i], K_ARM), i < 2 ? "base" : "change");
		assert_string_equal(cell_get(&p->cells[i], K_CACHE), i < 2 ? "none" : "writeback");
	}
	assert_int_equal(p->npairs, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(p->pairs[i].base, i);
		assert_int_equal(p->pairs[i].change, i + 2);
	}
	/* the arm is an axis like another, the slowest one */
	assert_int_equal(p->naxes, 2);
	assert_string_equal(p->axes[0].key, "guest.arm");
	assert_string_equal(p->axes[0].values[0], "base");
	assert_string_equal(p->axes[0].values[1], "change");
	assert_int_equal(p->nvs_base, 0);
	assert_int_equal(p->nvs_change, 1);
	assert_string_equal(p->vs_change[0], "disk.cache=writeback");
	profile_free(p);
}

/* sha256 of the line(s) that differ from the defaults, as in profile_keys.c */
static void ids_are_of_what_differs(void **state)
{
	struct profile *p = vs(WORK, "disk.ring=packed");
	struct profile *plain = NULL;

	(void)state;
	/* printf 'guest.arm=base\n' | sha256sum */
	assert_string_equal(p->cells[0].id, "3b581bf0738e5e06");
	/* printf 'disk.ring=packed\nguest.arm=change\n' | sha256sum */
	assert_string_equal(p->cells[1].id, "66ebf207d8df5ace");
	profile_free(p);
	/* without arms, ids are what they were: printf '' | sha256sum */
	assert_int_equal(profile_parse(WORK, strlen(WORK), "t.ini", NULL, 0, &plain, NULL), 0);
	assert_string_equal(plain->cells[0].id, "e3b0c44298fc1c14");
	assert_int_equal(plain->npairs, 0);
	profile_free(plain);
}

static void both_arms_may_say_something(void **state)
{
	const char *const base[] = {"guest.qemu=/opt/ref/qemu", "guest.kernel=/opt/ref/vmlinuz"};
	const char *const change[] = {"disk.ring=packed", "disk.cache=writeback"};
	struct err e = {0};
	struct profile *p = parse_arms(WORK, base, 2, change, 2, &e);

	(void)state;
	assert_non_null(p);
	assert_string_equal(cell_get(&p->cells[0], K_QEMU), "/opt/ref/qemu");
	assert_string_equal(cell_get(&p->cells[0], K_KERNEL), "/opt/ref/vmlinuz");
	assert_string_equal(cell_get(&p->cells[0], K_RING), "split");
	assert_string_equal(cell_get(&p->cells[1], K_QEMU), "qemu-system-x86_64");
	assert_string_equal(cell_get(&p->cells[1], K_RING), "packed");
	assert_string_equal(cell_get(&p->cells[1], K_CACHE), "writeback");
	assert_int_equal(p->nvs_base, 2);
	assert_int_equal(p->nvs_change, 2);
	profile_free(p);
}

static char *machine_of(const struct cell *c)
{
	const struct qemu_info info = {.path = (char *)"/usr/bin/qemu",
				       .version = (char *)"9.9",
				       .build = (char *)"b",
				       .machine = (char *)"pc-q35-9.9"};
	struct machine m;
	char *hash = calloc(1, 17);

	machine_make(&m, c, &info, "tcg", "/vmlinuz", "/initramfs");
	machine_hash(&m, hash);
	return hash;
}

/* Equal cells of an A/A run differ in id and template; nothing else of the machine changes. */
static void equal_arms_have_templates_of_their_own(void **state)
{
	const struct machine_fds fds = {-1, -1, -1, -1};
	struct err e = {0};
	struct profile *p = parse_arms(WORK, NULL, 0, NULL, 0, &e), *same;
	const struct qemu_info info = {.path = (char *)"/q", .machine = (char *)"pc"};
	struct machine a, b;
	char **x, **y, *s, *t, *h0, *h1;

	(void)state;
	assert_non_null(p);
	assert_int_equal(p->npairs, 1);
	assert_false(profile_cells_differ(&p->cells[0], &p->cells[1]));
	assert_string_not_equal(p->cells[0].id, p->cells[1].id);
	h0 = machine_of(&p->cells[0]);
	h1 = machine_of(&p->cells[1]);
	assert_string_not_equal(h0, h1);
	free(h0);
	free(h1);
	machine_make(&a, &p->cells[0], &info, "tcg", "/v", "/i");
	machine_make(&b, &p->cells[1], &info, "tcg", "/v", "/i");
	x = machine_argv(&a, &fds, true);
	y = machine_argv(&b, &fds, true);
	s = argv_shell(x);
	t = argv_shell(y);
	assert_string_equal(s, t);
	argv_free(x);
	argv_free(y);
	free(s);
	free(t);
	profile_free(p);
	/* a value that is there already is an A/A run, too */
	same = vs(WORK, "disk.ring=split");
	assert_int_equal(same->npairs, 1);
	assert_false(profile_cells_differ(&same->cells[0], &same->cells[1]));
	profile_free(same);
}

static const char *why_skipped(const struct profile *p, const char *what)
{
	for (size_t i = 0; i < p->nskipped; i++)
		if (!strcmp(p->skipped[i].what, what))
			return p->skipped[i].reason;
	return "";
}

/* nvme has no ring: its cells would only be measured twice. */
static void what_cannot_differ_is_left_out(void **state)
{
	struct profile *p = vs("[disk]\nbus = virtio-blk, nvme\n" WORK, "disk.ring=packed");

	(void)state;
	assert_int_equal(p->ncells, 2);
	assert_string_equal(p->cells[1].label, "change virtio-blk");
	assert_int_equal(p->npairs, 1);
	assert_string_equal(why_skipped(p, "change nvme"),
			    "what the arms differ in means nothing here");
	/* virtio-blk alone is left of the axis */
	assert_int_equal(p->naxes, 1);
	profile_free(p);
}

/* QEMU's native AIO wants O_DIRECT: with aio = native the change cannot be. */
static void what_has_no_partner_is_left_out(void **state)
{
	struct profile *p = vs("[disk]\naio = native, threads\n" WORK, "disk.cache=writeback");

	(void)state;
	assert_int_equal(p->ncells, 2);
	assert_string_equal(p->cells[0].label, "base threads");
	assert_string_equal(p->cells[1].label, "change threads");
	assert_string_equal(why_skipped(p, "base native"),
			    "its counterpart in the other arm cannot be");
	profile_free(p);
	refused("[disk]\naio = native\n" WORK, "disk.cache=writeback",
		"no cell can be in both arms");
}

/* Raw images have no mode: three cells of one arm stand against one of the other. */
static void one_cell_may_have_several_partners(void **state)
{
	struct profile *p =
		vs("[disk]\nformat = qcow2\nmode = thin, metadata, full\n" WORK, "disk.format=raw");

	(void)state;
	assert_int_equal(p->ncells, 4);
	assert_int_equal(p->npairs, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(p->pairs[i].base, i);
		assert_int_equal(p->pairs[i].change, 3);
	}
	profile_free(p);
}

static void only_keeps_partners(void **state)
{
	static const char *const names[] = {"metadata", "base metadata", "change metadata"};
	const char *const change = "disk.cache=writeback";

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char *text = xasprintf("[disk]\nformat = qcow2\nmode = thin, metadata, full\n" WORK
				       "[run]\nonly = %s\n",
				       names[i]);
		struct profile *p = vs(text, change);

		assert_int_equal(p->ncells, 2);
		assert_string_equal(p->cells[0].label, "base metadata");
		assert_string_equal(p->cells[1].label, "change metadata");
		assert_int_equal(p->npairs, 1);
		assert_int_equal(p->pairs[0].base, 0);
		assert_int_equal(p->pairs[0].change, 1);
		profile_free(p);
		free(text);
	}
}

static void what_is_no_arm_is_refused(void **state)
{
	(void)state;
	refused("[disk]\nring = split, packed\n" WORK, "disk.ring=packed",
		"--vs disk.ring: disk.ring is an axis of t.ini, so its values are compared already; "
		"give it one value first, for instance --set disk.ring=split");
	refused("[disk]\nbus = nvme\n" WORK, "disk.ring=packed",
		"--vs disk.ring: means nothing in any cell of t.ini: nvme");
	refused(WORK, "disk.rinng=packed", "did you mean \"ring\"?");
	refused(WORK, "disk.ring", "write SECTION.KEY=VALUE");
	refused(WORK, "ring=packed", "write SECTION.KEY=VALUE");
	refused(WORK, "", "write SECTION.KEY=VALUE");
	refused(WORK, "=", "write SECTION.KEY=VALUE");
	refused(WORK, ".=x", "arms differ in keys of [guest], [disk] and [knob]");
	refused(WORK, "disk.=x", "is no key of [disk]");
	refused(WORK, "disk.ring=split,packed", "takes one value");
	refused(WORK, "disk.ring=", "there is no value");
	refused(WORK, "disk.blockdev.driver=qcow2", "disk.format and disk.backend say it");
	refused(WORK, "workload.bs=8k", "give the profile a second [workload NAME]");
	refused(WORK, "workload w.bs=8k", "give the profile a second [workload NAME]");
	refused(WORK, "run.blocks=8", "goes into the profile, or --set");
	refused(WORK, "guest.arm=x", "tells the arms apart already");
	refused("[guest]\narm = a, b\n" WORK, NULL, "guest.arm: with two arms it is given already");
	refused("[rung one]\n[rung two]\nover = one\nadds = a bus\ndisk.bus = nvme\n" WORK, NULL,
		"a ladder has no second arm");
}

/* QEMU's own options are an arm as good as any. */
static void arms_may_hand_options_through(void **state)
{
	struct profile *p = vs(WORK, "disk.blockdev.discard=unmap");

	(void)state;
	assert_int_equal(p->cells[0].nextras, 0);
	assert_int_equal(p->cells[1].nextras, 1);
	assert_string_equal(p->cells[1].extras[0].value, "unmap");
	profile_free(p);
}

/* "5%" and "0.05" are one value; by hand. */
static void shares_are_canonical(void **state)
{
	static const struct {
		const char *text, *canonical, *shown;
		double value;
	} rows[] = {
		{"5%", "0.05", "5%", 0.05},
		{"0.05", "0.05", "5%", 0.05},
		{"0.5%", "0.005", "0.5%", 0.005},
		{"12.5%", "0.125", "12.5%", 0.125},
		{"0.1%", "0.001", "0.1%", 0.001},
		{"50%", "0.5", "50%", 0.5},
		{"0.500000", "0.5", "50%", 0.5},
		{"00.02", "0.02", "2%", 0.02},
		{"1.2345%", "0.012345", "1.2345%", 0.012345},
	};
	static const char *const bad[] = {
		"5",   "0",	 "51%",	      "-5%",  "5 %",  "5%%",
		".5%", "5.%",	 "%",	      "0x5%", "1e-2", "5.00001%",
		"nan", "99999%", "0.0500000", "0,05", "five", "18446744073709551617%"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = xasprintf("[disk]\nring = split, packed\n" WORK "[run]\ndecide = %s\n",
				       rows[i].text);
		struct profile *p = NULL;
		struct err e = {0};
		char buf[32];

		assert_int_equal(profile_parse(text, strlen(text), "t.ini", NULL, 0, &p, &e), 0);
		assert_string_equal(profile_get(p, K_DECIDE), rows[i].canonical);
		assert_string_equal(key_value_text(&profile_keys[K_DECIDE], rows[i].canonical, buf,
						   sizeof(buf)),
				    rows[i].shown);
		assert_true(fabs(profile_share(p, K_DECIDE) - rows[i].value) < 1e-12);
		assert_true(isnan(profile_share(p, K_PRECISION)));
		profile_free(p);
		free(text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *text = xasprintf("[disk]\nring = split, packed\n" WORK "[run]\ndecide = %s\n",
				       bad[i]);
		struct profile *p = NULL;
		struct err e = {0};

		assert_int_equal(profile_parse(text, strlen(text), "t.ini", NULL, 0, &p, &e),
				 -EINVAL);
		assert_non_null(strstr(e.text, "t.ini:5: decide"));
		free(text);
	}
}

static void gate_has_defaults(void **state)
{
	struct profile *p = NULL;

	(void)state;
	assert_int_equal(profile_parse(WORK, strlen(WORK), "t.ini", NULL, 0, &p, NULL), 0);
	assert_string_equal(profile_get(p, K_GATE_BLOCKS), "auto");
	assert_string_equal(profile_get(p, K_GATE_CONFIRM), "auto");
	assert_int_equal(profile_u64(p, K_MAX_BLOCKS), 40);
	assert_true(fabs(profile_share(p, K_GATE_SEE) - 0.05) < 1e-12);
	assert_true(fabs(profile_share(p, K_GATE_RATE) - 0.01) < 1e-12);
	assert_true(isnan(profile_share(p, K_DECIDE)));
	profile_free(p);
}

static void rules_hold_together(void **state)
{
	(void)state;
	refused(WORK "[run]\ndecide = 5%\nprecision = 5%\n", NULL, "take one of them out");
	refused(WORK "[run]\nprecision = 5%\nmax-blocks = 9\n", NULL, "after block 10");
	{
		struct profile *p = NULL;
		struct err e = {0};
		static const char one[] = WORK "[run]\ndecide = 5%\n";

		assert_int_equal(profile_parse(one, strlen(one), "t.ini", NULL, 0, &p, &e),
				 -EINVAL);
		assert_non_null(strstr(e.text, "there is one cell"));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_cell_has_another_self),
		cmocka_unit_test(ids_are_of_what_differs),
		cmocka_unit_test(both_arms_may_say_something),
		cmocka_unit_test(equal_arms_have_templates_of_their_own),
		cmocka_unit_test(what_cannot_differ_is_left_out),
		cmocka_unit_test(what_has_no_partner_is_left_out),
		cmocka_unit_test(one_cell_may_have_several_partners),
		cmocka_unit_test(only_keeps_partners),
		cmocka_unit_test(what_is_no_arm_is_refused),
		cmocka_unit_test(arms_may_hand_options_through),
		cmocka_unit_test(shares_are_canonical),
		cmocka_unit_test(gate_has_defaults),
		cmocka_unit_test(rules_hold_together),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
