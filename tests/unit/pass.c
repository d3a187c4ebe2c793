/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * First writes, and when they stop being any. Shares are worked out by hand: writes a second times
 * seconds (ramp and runtime) times bytes allocated by one, over the bytes of all disks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>
#include "analysis/build.h"
#include "base/file.h"
#include "rows.h"

enum { BLOCKS = 2 };

#define WORK(own)                                                                             \
	"{\"workload.rw\":\"randwrite\",\"workload.bs\":\"4096\",\"workload.iodepth\":\"8\"," \
	"\"workload.ramp\":\"200000000\",\"workload.runtime\":\"800000000\","                 \
	"\"workload.size\":\"all\",\"workload.precondition\":\"" own "\"}"

/* 64 MiB: 1024 clusters of 64 KiB. */
#define CELL(more)                                                                                  \
	"{\"disk.backend\":\"file\",\"disk.size\":\"67108864\",\"disk.precondition\":\"none\"" more \
	"}"
#define QCOW2 ",\"disk.format\":\"qcow2\",\"disk.cluster-size\":\"65536\""

static struct model *model_of(struct rows *r)
{
	char dir[] = "/tmp/vbench-pass-XXXXXX", *path;
	struct store *s;
	struct model *m;
	struct err e = {0};

	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/runs.db", dir);
	r->run.trials = r->ntrials;
	if (store_open(path, true, &s, &e) ||
	    store_run_begin(s, &r->run, r->cells, r->ncells, r->works, r->nworks, &e))
		fail_msg("%s", e.text);
	for (size_t i = 0; i < r->ntrials; i++)
		if (store_trial_put(s, r->run.uuid, &r->trials[i], &e))
			fail_msg("%s", e.text);
	if (model_make(s, r->run.uuid, &m, &e))
		fail_msg("%s", e.text);
	store_close(s);
	assert_int_equal(dir_remove(dir, &e), 0);
	free(path);
	rows_end(r);
	return m;
}

/* One cell, one workload, so many writes a second. */
static struct model *one(const char *cell, const char *work, double iops)
{
	struct rows r;

	rows_begin(&r, "[]", BLOCKS);
	rows_cell(&r, "the cell", cell);
	rows_work(&r, "w", work);
	for (unsigned k = 0; k < BLOCKS; k++)
		rows_sample(rows_trial(&r, k, 0, 0), "write.iops", iops);
	return model_of(&r);
}

static const char *warned(const struct model *m)
{
	for (size_t i = 0; i < m->nwarnings; i++)
		if (strstr(m->warnings[i], "were no first writes"))
			return m->warnings[i];
	return NULL;
}

static void warns(const char *cell, const char *work, double iops, const char *share)
{
	struct model *m = one(cell, work, iops);
	const char *said = warned(m);

	if (share ? !said || !strstr(said, share) : said != NULL)
		fail_msg("%s at %g/s: %s", cell, iops, said ? said : "no warning");
	model_free(m);
}

static void shares_by_hand(void **state)
{
	(void)state;
	/* 1000 writes in a second, a cluster each: 1000 / 1024 */
	warns(CELL(QCOW2), WORK("none"), 1000, "as many as 98 % of the image's clusters in 1 of 1");
	/* 819 / 1024 is just below 80 %, 820 / 1024 just above */
	warns(CELL(QCOW2), WORK("none"), 819, NULL);
	warns(CELL(QCOW2), WORK("none"), 820, " 80 % ");
	/* subclusters of 2 KiB are smaller than a write of 4 KiB: 1000 of 16384 */
	warns(CELL(QCOW2 ",\"disk.extended-l2\":\"on\""), WORK("none"), 1000, NULL);
	warns(CELL(QCOW2 ",\"disk.extended-l2\":\"on\""), WORK("none"), 16384, " 100 % ");
	/* two disks have twice the clusters: 1000 / 2048 */
	warns(CELL(QCOW2 ",\"disk.count\":\"2\""), WORK("none"), 1000, NULL);
	/* raw: what is written, 4 KiB of 64 MiB */
	warns(CELL(",\"disk.format\":\"raw\""), WORK("none"), 1000, NULL);
	warns(CELL(",\"disk.format\":\"raw\""), WORK("none"), 32768, " 200 % ");
	/* the disk says that it is fresh, the workload leaves it to it */
	warns(CELL(QCOW2), WORK("disk"), 1000, " 98 % ");
}

static void others_are_not_warned_of(void **state)
{
	(void)state;
	warns(CELL(QCOW2), WORK("fill"), 1000, NULL);
	warns(CELL(QCOW2 ",\"disk.mode\":\"full\""), WORK("none"), 1000, NULL);
	warns(CELL(QCOW2 ",\"disk.content\":\"data\""), WORK("none"), 1000, NULL);
	warns(CELL(QCOW2 ",\"disk.content\":\"data\",\"disk.backing\":\"1\""), WORK("none"), 1000,
	      " 98 % ");
	warns("{\"disk.size\":\"67108864\"}", WORK("disk"), 1000, NULL);
	/* nothing can be told */
	warns("{}", WORK("none"), 1000, NULL);
	warns(CELL(",\"disk.format\":\"qcow2\",\"disk.cluster-size\":\"x\""), WORK("none"), 1000,
	      NULL);
}

static enum workload_pass pass_of_two(const char *a, const char *b, const char *work)
{
	enum workload_pass pass;
	struct rows r;
	struct model *m;

	rows_begin(&r, "[]", BLOCKS);
	rows_cell(&r, "a", a);
	rows_cell(&r, "b", b);
	rows_work(&r, "w", work);
	for (unsigned k = 0; k < BLOCKS; k++)
		for (size_t c = 0; c < 2; c++)
			rows_sample(rows_trial(&r, k, c, 0), "write.iops", 1);
	m = model_of(&r);
	pass = m->workloads[0].pass;
	model_free(m);
	return pass;
}

/* As a workload's head in reports has it: a word that does not hold for each cell is left out. */
static void a_word_for_all_cells(void **state)
{
	static const char data[] = CELL(",\"disk.content\":\"data\"");
	static const char overlay[] = CELL(",\"disk.content\":\"data\",\"disk.backing\":\"1\"");
	static const char device[] = "{\"disk.backend\":\"block\",\"disk.precondition\":\"none\"}";

	(void)state;
	assert_int_equal(pass_of_two(CELL(""), CELL(""), WORK("none")), PASS_FIRST_WRITE);
	assert_int_equal(pass_of_two(CELL(""), overlay, WORK("none")), PASS_FIRST_WRITE);
	assert_int_equal(pass_of_two(CELL(""), CELL(""), WORK("fill")), PASS_STEADY);
	assert_int_equal(pass_of_two(device, data, WORK("fill")), PASS_STEADY);
	assert_int_equal(pass_of_two(data, data, WORK("none")), PASS_STEADY);
	assert_int_equal(pass_of_two(CELL(""), data, WORK("none")), PASS_NONE);
	assert_int_equal(pass_of_two(device, device, WORK("none")), PASS_NONE);
	assert_int_equal(pass_of_two(CELL(""), device, WORK("none")), PASS_NONE);
	/* it says nothing itself, or does not write */
	assert_int_equal(pass_of_two(CELL(""), CELL(""), WORK("disk")), PASS_NONE);
	assert_int_equal(pass_of_two(CELL(""), CELL(""),
				     "{\"workload.rw\":\"randread\","
				     "\"workload.precondition\":\"fill\"}"),
			 PASS_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_by_hand),
		cmocka_unit_test(others_are_not_warned_of),
		cmocka_unit_test(a_word_for_all_cells),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
