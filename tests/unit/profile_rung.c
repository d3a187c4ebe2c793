/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ladders: what [rung NAME] sections make. Expected values by hand from each profile's text. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "profile/profile.h"

#define WORKLOAD "[workload w]\nrw = randread\n"

static struct profile *good(const char *text, const char *const *sets, size_t n)
{
	struct profile *p = NULL;
	struct err e = {0};

	if (profile_parse(text, strlen(text), "t.ini", sets, n, &p, &e))
		print_error("%s\n", e.text);
	assert_non_null(p);
	return p;
}

static void bad(const char *text, const char *const *sets, size_t n, const char *start,
		const char *part)
{
	struct profile *p = NULL;
	struct err e = {0};

	assert_int_equal(profile_parse(text, strlen(text), "t.ini", sets, n, &p, &e), -EINVAL);
	if (strncmp(e.text, start, strlen(start)) || !strstr(e.text, part))
		print_error("got: %s\nwant: %s ... %s\n", e.text, start, part);
	assert_int_equal(strncmp(e.text, start, strlen(start)), 0);
	assert_non_null(strstr(e.text, part));
	assert_null(p);
}

#define LADDER                                                               \
	"[disk]\nbackend = null\nsize = 64M\n"                               \
	"[rung ground]\nguest.site = host\ndisk.driver = none\n"             \
	"[rung ring]\nover = ground\nadds = a ring, and a thread\n"          \
	"guest.site = host\ndisk.backend = vhost-user\ndisk.server = loop\n" \
	"[rung guest.1]\nover = ring\nadds = a guest\ndisk.bus = nvme\n"

static void rungs_are_cells_in_the_files_order(void **state)
{
	struct profile *p = good(LADDER WORKLOAD, NULL, 0);

	(void)state;
	assert_int_equal(p->nrungs, 3);
	assert_int_equal(p->ncells, 3);
	assert_int_equal(p->naxes, 0);
	assert_int_equal(p->nskipped, 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(p->rungs[i].cell, i);
		assert_int_equal(p->cells[i].index, i);
		assert_string_equal(p->cells[i].label, p->rungs[i].name);
	}
	assert_null(p->rungs[0].over);
	assert_null(p->rungs[0].adds);
	assert_string_equal(p->rungs[1].over, "ground");
	assert_string_equal(p->rungs[1].adds, "a ring, and a thread");
	assert_string_equal(p->rungs[2].name, "guest.1");
	assert_int_equal(p->rungs[1].line, 7);
	assert_string_equal(cell_get(&p->cells[1], K_SERVER), "loop");
	assert_null(cell_get(&p->cells[1], K_BUS));
	assert_string_equal(cell_get(&p->cells[2], K_BUS), "nvme");
	assert_string_equal(cell_get(&p->cells[2], K_BACKEND), "null");
	assert_int_equal(cell_u64(&p->cells[0], K_SIZE), 64 << 20);
	profile_free(p);
}

/* A rung is the cell that the same values make without a ladder: one history. */
static void a_rungs_id_is_its_values(void **state)
{
	struct profile *ladder = good(LADDER WORKLOAD, NULL, 0);
	struct profile *plain =
		good("[disk]\nbackend = null\nsize = 64M\nbus = nvme\n" WORKLOAD, NULL, 0);

	(void)state;
	assert_string_equal(ladder->cells[2].id, plain->cells[0].id);
	assert_string_not_equal(ladder->cells[0].id, ladder->cells[1].id);
	profile_free(ladder);
	profile_free(plain);
}

static void a_rung_that_cannot_be_is_skipped(void **state)
{
	struct profile *p = good("[rung a]\n[rung b]\nover = a\nadds = x\nguest.site = host\n"
				 "[rung c]\nover = b\nadds = y\ndisk.bus = nvme\n" WORKLOAD,
				 NULL, 0);

	(void)state;
	assert_int_equal(p->ncells, 2);
	assert_true(p->rungs[1].cell == SIZE_MAX);
	assert_int_equal(p->rungs[2].cell, 1);
	assert_int_equal(p->nskipped, 1);
	assert_string_equal(p->skipped[0].what, "rung b");
	assert_string_equal(p->skipped[0].reason, "driver=vring needs backend=vhost-user");
	assert_false(p->skipped[0].folded);
	profile_free(p);
	bad("[rung b]\nguest.site = host\n" WORKLOAD, NULL, 0, "t.ini:1: no rung makes sense",
	    "vhost-user");
}

static void what_means_nothing_in_a_rung_is_told(void **state)
{
	struct profile *p =
		good("[rung a]\ndisk.bus = nvme\ndisk.ring = packed\n" WORKLOAD, NULL, 0);

	(void)state;
	assert_int_equal(p->nskipped, 1);
	assert_string_equal(p->skipped[0].what, "rung a: disk.ring=packed");
	assert_string_equal(p->skipped[0].reason, "nvme has no virtio ring");
	assert_true(p->skipped[0].folded);
	profile_free(p);
}

static void sets_reach_the_base_and_one_rung(void **state)
{
	static const char *const sets[] = {"disk.size=128M", "rung guest.1.disk.bus=virtio-scsi",
					   "rung guest.1.adds=two layers"};
	static const char *const none[] = {"rung x.disk.bus=nvme"};
	static const char *const lists[] = {"disk.bus=nvme,virtio-blk"};
	struct profile *p = good(LADDER WORKLOAD, sets, 3);

	(void)state;
	assert_int_equal(cell_u64(&p->cells[0], K_SIZE), 128 << 20);
	assert_string_equal(cell_get(&p->cells[2], K_BUS), "virtio-scsi");
	assert_string_equal(p->rungs[2].adds, "two layers");
	profile_free(p);
	bad(LADDER WORKLOAD, none, 1, "--set rung x.disk.bus: there is no rung", "t.ini");
	bad(LADDER WORKLOAD, lists, 1, "--set disk.bus: a profile with rungs takes no lists", "");
}

static void rungs_are_checked(void **state)
{
	(void)state;
	bad("[rung a]\n[rung b]\nover = a\n" WORKLOAD, NULL, 0, "t.ini:2: [rung b] is over a",
	    "adds = ");
	bad("[rung a]\nadds = x\n" WORKLOAD, NULL, 0, "t.ini:1: [rung a] adds something", "over");
	bad("[rung a]\nover = a\nadds = x\n" WORKLOAD, NULL, 0, "t.ini:2: over: \"a\"", "earlier");
	bad("[rung a]\nadds =\n" WORKLOAD, NULL, 0, "t.ini:2: adds: there is no value", "");
	bad("[rung a]\nrun.blocks = 3\n" WORKLOAD, NULL, 0, "t.ini:2: \"run.blocks\" is no key",
	    "guest.KEY");
	bad("[rung a]\nvcpus = 3\n" WORKLOAD, NULL, 0, "t.ini:2: a rung names its keys in full",
	    "\"guest.vcpus\"");
	bad("[rung a]\ndisk.bus = nvm\n" WORKLOAD, NULL, 0,
	    "t.ini:2: disk.bus: \"nvm\" is not one of", "did you mean \"nvme\"?");
	bad("[rung a]\ndisk.blockdev.file.filename = /dev/sda\n" WORKLOAD, NULL, 0,
	    "t.ini:2: disk.blockdev.file.filename:", "vbench makes");
	bad("[rung a/b]\n" WORKLOAD, NULL, 0, "t.ini:1: \"a/b\" will not do as the name of a rung",
	    "");
	bad("[rugn a]\n" WORKLOAD, NULL, 0, "t.ini:1: [rugn a]", "did you mean [rung NAME]?");
}

static void only_guests_with_vhost_disks_need_shared_memory(void **state)
{
	struct profile *p = good(LADDER WORKLOAD, NULL, 0);

	(void)state;
	assert_false(profile_shared_memory(p)); /* the ring rung is on the host */
	profile_free(p);
	p = good(LADDER "[rung v]\ndisk.backend = vhost-user\n" WORKLOAD, NULL, 0);
	assert_true(profile_shared_memory(p));
	profile_free(p);
}

/* In the file a slip, by --set a wish: the ladder goes on without the second of the two. */
static void sets_may_fold_rungs(void **state)
{
	static const char text[] = "[rung a]\n[rung b]\nover = a\nadds = x\ndisk.ring = packed\n"
				   "[rung c]\nover = b\nadds = y\ndisk.bus = nvme\n" WORKLOAD;
	static const char *const sets[] = {"disk.ring=packed"};
	struct profile *p = good(text, sets, 1);

	(void)state;
	assert_int_equal(p->ncells, 2);
	assert_true(p->rungs[1].cell == SIZE_MAX);
	assert_int_equal(p->rungs[2].cell, 1);
	assert_int_equal(p->nskipped, 1);
	assert_string_equal(p->skipped[0].what, "rung b");
	assert_string_equal(p->skipped[0].reason, "--set disk.ring makes it the same as rung a");
	assert_true(p->skipped[0].folded);
	profile_free(p);
	bad("[rung a]\n[rung b]\nover = a\nadds = x\ndisk.ring = split\n" WORKLOAD, NULL, 0,
	    "t.ini:2: [rung b] is the same as [rung a]", "take one");
}

/* ground and ring do not pass through QEMU. */
static void block_options_go_to_the_rungs_of_qemu(void **state)
{
	static const char *const sets[] = {"disk.blockdev.detect-zeroes=on"};
	struct profile *p = good(LADDER WORKLOAD, sets, 1);

	(void)state;
	assert_int_equal(p->ncells, 3);
	assert_int_equal(p->cells[0].nextras, 0);
	assert_int_equal(p->cells[1].nextras, 0);
	assert_int_equal(p->cells[2].nextras, 1);
	assert_string_equal(p->cells[2].extras[0].value, "on");
	assert_int_equal(p->nskipped, 1);
	assert_non_null(strstr(p->skipped[0].what, "on 2 rungs"));
	profile_free(p);
	/* what a rung says itself is a slip */
	p = good(LADDER "[rung x]\nguest.site = host\ndisk.driver = file\n"
			"disk.blockdev.discard = unmap\n" WORKLOAD,
		 NULL, 0);
	assert_true(p->rungs[3].cell == SIZE_MAX);
	assert_non_null(strstr(p->skipped[0].reason, "block layer"));
	profile_free(p);
}

static void some_rungs_only(void **state)
{
	static const char *const sets[] = {"run.only=guest.1, ground"};
	static const char *const wrong[] = {"run.only=guest.1,grund"};
	static const char *const hole[] = {"run.only=guest.1,,ground"};
	struct profile *all =
		good(LADDER "[rung v]\ndisk.backend = vhost-user\n" WORKLOAD, NULL, 0);
	struct profile *p = good(LADDER "[rung v]\ndisk.backend = vhost-user\n" WORKLOAD, sets, 1);

	(void)state;
	assert_int_equal(p->nrungs, 4);
	assert_int_equal(p->ncells, 2);
	assert_int_equal(p->rungs[0].cell, 0);
	assert_true(p->rungs[1].cell == SIZE_MAX);
	assert_int_equal(p->rungs[2].cell, 1);
	assert_int_equal(p->cells[1].index, 1);
	assert_string_equal(p->cells[1].label, "guest.1");
	assert_string_equal(p->cells[1].id, all->cells[2].id);
	/* the guest has the memory that it has in the whole ladder */
	assert_true(profile_shared_memory(p));
	profile_free(p);
	profile_free(all);
	bad(LADDER WORKLOAD, wrong, 1, "--set run.only: there is no cell \"grund\"",
	    "did you mean \"ground\"?; there are: ground, ring, guest.1");
	bad(LADDER WORKLOAD, hole, 1, "--set run.only: a name of the list is empty", "");
	bad(LADDER WORKLOAD "[run]\nonly = x\n", NULL, 0, "t.ini:", "there is no cell \"x\"");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rungs_are_cells_in_the_files_order),
		cmocka_unit_test(a_rungs_id_is_its_values),
		cmocka_unit_test(a_rung_that_cannot_be_is_skipped),
		cmocka_unit_test(what_means_nothing_in_a_rung_is_told),
		cmocka_unit_test(sets_reach_the_base_and_one_rung),
		cmocka_unit_test(rungs_are_checked),
		cmocka_unit_test(sets_may_fold_rungs),
		cmocka_unit_test(block_options_go_to_the_rungs_of_qemu),
		cmocka_unit_test(some_rungs_only),
		cmocka_unit_test(only_guests_with_vhost_disks_need_shared_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
