/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Claims of sources, from stored rows to verdicts and reports. Figures are made so that they can be
 * worked out by hand: of three blocks with logarithms d - s, d, d + s the mean is d, the standard
 * deviation s, and the 95 % interval d -+ 4.302652729749464 * s / sqrt 3 = d -+ 2.484 s.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <unistd.h>
#include "analysis/build.h"
#include "base/file.h"
#include "reports/report.h"
#include "rows.h"

#define T2 4.302652729749464

enum { BLOCKS = 3 };

static void near(double got, double want)
{
	if (!(fabs(got - want) <= 1e-9 * fmax(1, fabs(want))))
		fail_msg("%.15g, should be %.15g", got, want);
}

static struct model *model_of(struct rows *r)
{
	char dir[] = "/tmp/vbench-claims-XXXXXX", *path;
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
	if (store_run_status(s, r->run.uuid, r->run.status, r->run.ended, &e) ||
	    model_make(s, r->run.uuid, &m, &e))
		fail_msg("%s", e.text);
	store_close(s);
	assert_int_equal(dir_remove(dir, &e), 0);
	free(path);
	rows_end(r);
	return m;
}

static void begin(struct rows *r, const char *profile)
{
	rows_begin(r, "[]", BLOCKS);
	free(r->run.profile_name);
	r->run.profile_name = xstrdup(profile);
}

/* A figure of a cell in every block: base * 2^block * exp(s * (block - 1)). The doubling is the
 * block's, so that only pairs within blocks can show the ratio. */
static void figure(struct rows *r, size_t cell, size_t work, const char *metric, double base,
		   double s)
{
	for (unsigned k = 0; k < BLOCKS; k++)
		rows_sample(rows_trial(r, k, cell, work), metric,
			    base * (1 << k) * exp(s * ((int)k - 1)));
}

static const struct model_claim *claim(const struct model *m, const char *id, size_t work)
{
	for (size_t i = 0; i < m->nclaims; i++)
		if (!strcmp(m->claims[i].id, id) && m->claims[i].workload == work)
			return &m->claims[i];
	return NULL;
}

static const struct model_claim *has(const struct model *m, const char *id, size_t work)
{
	const struct model_claim *c = claim(m, id, work);

	if (!c)
		fail_msg("no %s under workload %zu", id, work);
	return c;
}

static char *text_of(const struct model *m, int width)
{
	char *buf = NULL;
	size_t size;
	FILE *f = open_memstream(&buf, &size);

	assert_int_equal(report_text(m, f, false, width), 0);
	fclose(f);
	return buf;
}

static char *page_of(const struct model *m)
{
	char path[] = "/tmp/vbench-page-XXXXXX", *page = NULL;
	struct err e = {0};
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(report_html(m, path, &e), 0);
	assert_int_equal(file_read(path, 16 << 20, &page, NULL), 0);
	unlink(path);
	return page;
}

/* ---- verdicts ---- */

#define DEPTH(n) \
	"{\"workload.rw\":\"randread\",\"workload.bs\":\"4096\",\"workload.iodepth\":\"" n "\"}"

static struct model *chain(double ratio, double s)
{
	struct rows r;

	begin(&r, "backing-chain");
	rows_cell(&r, "0", "{\"disk.bus\":\"virtio-blk\",\"disk.backing\":\"0\"}");
	rows_cell(&r, "1", "{\"disk.bus\":\"virtio-blk\",\"disk.backing\":\"1\"}");
	rows_work(&r, "qd1", DEPTH("1"));
	figure(&r, 0, 0, "iops", 1000, 0);
	figure(&r, 1, 0, "iops", 1000 * ratio, s);
	return model_of(&r);
}

/*
 * "Less": below 1. 0.9 with s = 0.01 is [0.878, 0.923]; 1.1 so is far above; 0.99 is
 * [0.966, 1.015]; equal to the last bit is not less, though nothing shows that it is not.
 */
static void orders_have_three_verdicts(void **state)
{
	static const struct {
		double ratio, s;
		enum claim_word word;
	} cases[] = {{0.9, 0.01, CLAIM_CONFIRMED},
		     {1.1, 0.01, CLAIM_REFUTED},
		     {0.99, 0.01, CLAIM_UNDECIDED},
		     {1, 0, CLAIM_UNDECIDED}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct model *m = chain(cases[i].ratio, cases[i].s);
		const struct model_claim *c = has(m, "chain-1", 0);

		assert_int_equal(m->nclaims, 1);
		near(c->ratio.mid, cases[i].ratio);
		near(c->ratio.hi, cases[i].ratio * exp(T2 * cases[i].s / sqrt(3)));
		assert_int_equal(c->word, cases[i].word);
		assert_string_equal(c->where, "guest, virtio-blk");
		assert_string_equal(c->metric->id, "iops");
		model_free(m);
	}
}

static void one_block_decides_nothing(void **state)
{
	struct rows r;
	struct model *m;

	(void)state;
	begin(&r, "backing-chain");
	rows_cell(&r, "0", "{\"disk.backing\":\"0\"}");
	rows_cell(&r, "1", "{\"disk.backing\":\"1\"}");
	rows_work(&r, "qd1", DEPTH("1"));
	rows_sample(rows_trial(&r, 0, 0, 0), "iops", 1000);
	rows_sample(rows_trial(&r, 0, 1, 0), "iops", 100);
	m = model_of(&r);
	near(has(m, "chain-1", 0)->ratio.mid, 0.1);
	assert_int_equal(has(m, "chain-1", 0)->word, CLAIM_UNDECIDED);
	model_free(m);
}

/* ---- which cells ---- */

#define RAW "{\"disk.format\":\"raw\",\"disk.mode\":null,\"disk.cache\":\"%s\"}"
#define IMAGE "{\"disk.format\":\"qcow2\",\"disk.mode\":\"%s\",\"disk.cache\":\"%s\"}"

static void cell(struct rows *r, const char *label, const char *fmt, const char *a, const char *b)
{
	char keys[256];

	snprintf(keys, sizeof(keys), fmt, a, b);
	rows_cell(r, label, keys);
}

/*
 * Raw has no mode. Under each of two cache modes qcow2 full is held against raw: 0.90 and 0.96, and
 * their geometric mean is sqrt(0.90 * 0.96); thin, far off, has no part in it.
 */
static void keys_that_do_not_apply_are_no_difference(void **state)
{
	struct rows r;
	struct model *m;
	const struct model_claim *c;

	(void)state;
	begin(&r, "qcow2-modes");
	for (size_t i = 0; i < 2; i++) {
		const char *cache = i ? "writeback" : "none";

		cell(&r, "raw", RAW, cache, "");
		cell(&r, "full", IMAGE, "full", cache);
		cell(&r, "thin", IMAGE, "thin", cache);
	}
	rows_work(&r, "steady",
		  "{\"workload.rw\":\"randwrite\",\"workload.precondition\":\"fill\"}");
	for (size_t i = 0; i < 2; i++) {
		figure(&r, 3 * i + 0, 0, "iops", 1000, 0);
		figure(&r, 3 * i + 1, 0, "iops", i ? 960 : 900, 0.001);
		figure(&r, 3 * i + 2, 0, "iops", 100, 0);
	}
	m = model_of(&r);
	c = has(m, "garcia-full-raw", 0);
	assert_int_equal(c->pairs, 2);
	near(c->ratio.mid, sqrt(0.90 * 0.96));
	near(c->ratio.hi, sqrt(0.90 * 0.96) * exp(T2 * 0.001 / sqrt(3)));
	assert_int_equal(c->word, CLAIM_CONFIRMED); /* 0.92 ^ 1.5 = 0.88 to 0.97 ^ 0.5 = 0.985 */
	near(has(m, "garcia-steady-full", 0)->ratio.mid, 10 * sqrt(0.90 * 0.96));
	assert_null(claim(m, "garcia-full", 0)); /* that is about first writes */
	model_free(m);
}

#define BUS(bus, thread) \
	"{\"disk.bus\":\"" bus "\",\"disk.iothread\":\"" thread "\",\"disk.count\":\"8\"}"

/* Read bandwidth says 0.76 at depth 1 and 1.05 at depth 4, IOPS say something else: the claim is
 * about bandwidth. With an iothread all is different, and not asked. */
static void metrics_are_the_claims(void **state)
{
	struct rows r;
	struct model *m;

	(void)state;
	begin(&r, "blk-vs-scsi");
	rows_cell(&r, "blk", BUS("virtio-blk", "off"));
	rows_cell(&r, "scsi", BUS("virtio-scsi", "off"));
	rows_cell(&r, "scsi iothread", BUS("virtio-scsi", "on"));
	rows_work(&r, "test0", DEPTH("1"));
	rows_work(&r, "test1", DEPTH("4"));
	for (size_t w = 0; w < 2; w++)
		for (unsigned k = 0; k < BLOCKS; k++)
			for (size_t c = 0; c < 3; c++) {
				struct store_trial *t = rows_trial(&r, k, c, w);
				double noise = c ? exp(0.001 * ((int)k - 1)) : 1;

				rows_sample(t, "iops", 1000);
				rows_sample(t, "read.bw",
					    4e6 *
						    (c == 0   ? 1
						     : c == 2 ? 9
						     : w      ? 1.05
							      : 0.76) *
						    noise);
			}
	m = model_of(&r);
	near(has(m, "mpolednik-read-qd1", 0)->ratio.mid, 0.76);
	assert_int_equal(has(m, "mpolednik-read-qd1", 0)->word, CLAIM_CONFIRMED);
	assert_string_equal(has(m, "mpolednik-read-qd1", 0)->metric->id, "read.bw");
	assert_string_equal(has(m, "mpolednik-read-qd1", 0)->where, "guest");
	assert_null(claim(m, "mpolednik-read-qd1", 1));
	assert_int_equal(has(m, "mpolednik-read-qd4", 1)->word, CLAIM_CONFIRMED);
	near(has(m, "qemu-blog-qd4", 1)->ratio.mid, 1); /* IOPS, and blk over scsi */
	model_free(m);
}

/* ---- limits ---- */

#define HOSTILE "no more slots <b>\x1b[31m"

static void limit(struct rows *r, unsigned block, size_t cell_no)
{
	struct store_trial *t = rows_trial(r, block, cell_no, 0);

	t->ok = false;
	t->cause = xstrdup("limit");
	t->detail = xstrdup(HOSTILE);
}

#define MANY(bus, slots, n) \
	"{\"disk.bus\":\"" bus "\",\"disk.slots\":\"" slots "\",\"disk.count\":\"" n "\"}"

/* 8 and 24 disks are there, 32 are refused; a failed trial elsewhere stays a failure. */
static struct model *many(void)
{
	struct rows r;

	begin(&r, "many-disks");
	rows_cell(&r, "one", MANY("virtio-blk", "direct", "8"));
	rows_cell(&r, "some", MANY("virtio-blk", "direct", "24"));
	rows_cell(&r, "too many", MANY("virtio-blk", "direct", "32"));
	rows_cell(&r, "broken", MANY("virtio-blk", "ports", "8"));
	rows_work(&r, "round", DEPTH("64"));
	for (unsigned k = 0; k < BLOCKS; k++) {
		for (size_t c = 0; c < 2; c++) {
			struct store_trial *t = rows_trial(&r, k, c, 0);

			rows_sample(t, "iops", 8000 << k);
			rows_sample(t, "iops.per_disk", (c ? 1000.0 / 3 : 1000) * (1 << k));
			rows_sample(t, "plug.time", (c ? 3e9 : 1e9));
			rows_sample(t, "host.rss", 256 << 20);
		}
		limit(&r, k, 2);
		rows_fail(rows_trial(&r, k, 3, 0), "qemu");
	}
	return model_of(&r);
}

static void limits_are_no_failures(void **state)
{
	struct model *m = many();
	json_t *j = model_json(m), *row;
	const struct model_row *r = &m->workloads[0].rows[2];

	(void)state;
	assert_int_equal(m->trials_failed, 3);
	assert_int_equal(m->trials_limit, 3);
	assert_int_equal(m->trials_ok, 6);
	assert_int_equal(m->blocks_done, 3);
	assert_int_equal(m->nfailures, 3);
	for (size_t i = 0; i < m->nfailures; i++)
		assert_string_equal(m->failures[i].cause, "qemu");
	assert_int_equal(r->limits, 3);
	assert_int_equal(r->failed, 0);
	assert_false(r->too_many_failed);
	assert_string_equal(r->limit, HOSTILE);
	assert_true(m->workloads[0].rows[3].too_many_failed);
	row = json_array_get(
		json_object_get(json_array_get(json_object_get(j, "workloads"), 0), "rows"), 2);
	assert_int_equal(json_integer_value(json_object_get(row, "limits")), 3);
	assert_string_equal(json_string_value(json_object_get(row, "limit")), HOSTILE);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(j, "run"), "trials_limit")), 3);
	json_decref(j);
	model_free(m);
}

/* A limit now and then is none: those trials are missing like failed ones. */
static void limits_beside_good_trials_count_as_failed(void **state)
{
	struct rows r;
	struct model *m;

	(void)state;
	begin(&r, "many-disks");
	rows_cell(&r, "one", MANY("virtio-blk", "ports", "8"));
	rows_work(&r, "round", DEPTH("64"));
	limit(&r, 0, 0);
	rows_sample(rows_trial(&r, 1, 0, 0), "iops", 1000);
	rows_sample(rows_trial(&r, 2, 0, 0), "iops", 1000);
	m = model_of(&r);
	assert_true(m->workloads[0].rows[0].too_many_failed);
	model_free(m);
}

/* 24 were there and 32 were not, so the most is 24 to 31: within "21 to 31". */
static void numbers_of_disks_are_held_against_numbers(void **state)
{
	struct model *m = many();
	const struct model_claim *c = has(m, "slots-direct", 0);
	char *text, *page;

	(void)state;
	near(c->ratio.lo, 24);
	near(c->ratio.hi, 31);
	assert_int_equal(c->word, CLAIM_CONFIRMED);
	assert_null(claim(m, "luns", 0)); /* no virtio-scsi here */
	text = text_of(m, 250);
	page = page_of(m);
	assert_non_null(strstr(text, "virtio-blk disks on the root bus; guest: 24 (32 refused); "
				     "confirmed: 1 (21 to 28)\n"));
	assert_non_null(strstr(text, ": 21 to 28: 21 of 32 slots"));
	assert_non_null(strstr(page, "24 (32 refused)"));
	free(text);
	free(page);
	model_free(m);
}

/* 64 there and nothing refused: 64 or more, which is not within 21 to 31, and 8 to 63 says little.
 */
static void counts_have_three_verdicts(void **state)
{
	static const struct {
		bool good;
		enum claim_word word;
	} cases[] = {{true, CLAIM_REFUTED}, {false, CLAIM_UNDECIDED}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct rows r;
		struct model *m;

		begin(&r, "many-disks");
		rows_cell(&r, "few", MANY("virtio-blk", "direct", "8"));
		rows_cell(&r, "many", MANY("virtio-blk", "direct", "64"));
		rows_work(&r, "round", DEPTH("64"));
		rows_sample(rows_trial(&r, 0, 0, 0), "iops", 1000);
		if (cases[i].good)
			rows_sample(rows_trial(&r, 0, 1, 0), "iops", 1000);
		else
			limit(&r, 0, 1);
		m = model_of(&r);
		assert_int_equal(has(m, "slots-direct", 0)->word, cases[i].word);
		model_free(m);
	}
}

/* A sentence that tells the number is as good as many cells; one that is above what was asked for,
 * or no number, tells nothing. */
static void sentences_tell_the_limit(void **state)
{
	static const struct {
		const char *says;
		double lo, hi;
		enum claim_word word;
	} cases[] = {{"no slot: the limit is 27", 27, 27, CLAIM_CONFIRMED},
		     {"no slot: the limit is 40", 40, 40, CLAIM_REFUTED},
		     {"no slot: the limit is 64", 8, 63, CLAIM_UNDECIDED},
		     {"no slot: the limit is 27 or so", 8, 63, CLAIM_UNDECIDED},
		     {"no slot: the limit is nan", 8, 63, CLAIM_UNDECIDED}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rows r;
		struct model *m;
		const struct model_claim *c;

		begin(&r, "many-disks");
		rows_cell(&r, "few", MANY("virtio-blk", "direct", "8"));
		rows_cell(&r, "many", MANY("virtio-blk", "direct", "64"));
		rows_work(&r, "round", DEPTH("64"));
		rows_sample(rows_trial(&r, 0, 0, 0), "iops", 1000);
		limit(&r, 0, 1);
		free(r.trials[1].detail);
		r.trials[1].detail = xstrdup(cases[i].says);
		m = model_of(&r);
		c = has(m, "slots-direct", 0);
		near(c->ratio.lo, cases[i].lo);
		near(c->ratio.hi, cases[i].hi);
		assert_int_equal(c->word, cases[i].word);
		model_free(m);
	}
}

static void reports_name_the_limit(void **state)
{
	struct model *m = many();
	char *text = text_of(m, 100), *page = page_of(m);

	(void)state;
	assert_non_null(strstr(text, "limit\n"));
	assert_non_null(strstr(text, "  3: limit: no more slots <b>?[31m\n"));
	assert_non_null(strstr(text, "3 of 12 trials failed\n"));
	assert_non_null(strstr(text, "3 trials ended at a limit"));
	assert_non_null(strstr(page, "</span> limit</td>"));
	assert_non_null(
		strstr(page, "<td class=\"limit\">no more slots &lt;b&gt;\xef\xbf\xbd[31m</td>"));
	assert_non_null(strstr(page, "0 <small>(3 at the limit)</small>"));
	assert_non_null(strstr(page, "6 good, 3 failed, 3 at a limit, 12 planned"));
	/* the short table: geometric means of 1000, 2000, 4000 and of a third of it, 1 s and 3 s */
	assert_non_null(strstr(text, "2.00k IOPS"));
	assert_non_null(strstr(text, "667 IOPS"));
	assert_non_null(strstr(text, "IOPS/disk"));
	assert_non_null(strstr(text, "3.00 s"));
	assert_non_null(strstr(text, "256 MiB"));
	assert_non_null(strstr(page, "<h3>Disks</h3>"));
	assert_null(strstr(page, "<h3>Images</h3>"));
	free(text);
	free(page);
	model_free(m);
}

/* ---- headings ---- */

static void passes_stand_in_the_headings(void **state)
{
	struct rows r;
	struct model *m;
	char *text, *page;

	(void)state;
	begin(&r, "made-up");
	rows_cell(&r, "a", "{\"disk.format\":\"raw\"}");
	rows_work(&r, "one", "{\"workload.rw\":\"randwrite\",\"workload.precondition\":\"none\"}");
	rows_work(&r, "two", "{\"workload.rw\":\"randrw\",\"workload.precondition\":\"random\"}");
	rows_work(&r, "three", "{\"workload.rw\":\"randread\",\"workload.precondition\":\"fill\"}");
	rows_work(&r, "four", "{\"workload.rw\":\"randwrite\",\"workload.precondition\":\"disk\"}");
	for (size_t w = 0; w < 4; w++)
		figure(&r, 0, w, "iops", 1000, 0);
	m = model_of(&r);
	text = text_of(m, 100);
	page = page_of(m);
	assert_non_null(strstr(text, "one: as described, first write\n"));
	assert_non_null(strstr(text, "two: as described, steady\n"));
	assert_non_null(strstr(text, "three: as described\n"));
	assert_non_null(strstr(text, "four: as described\n"));
	assert_non_null(strstr(page, ">one <small>as described, first write</small>"));
	free(text);
	free(page);
	model_free(m);
}

/* Sizes and times of making images have a table where the run is about them. */
static void images_have_a_table(void **state)
{
	struct rows r;
	struct model *m;
	char *text, *page;

	(void)state;
	begin(&r, "formats");
	rows_cell(&r, "raw", "{\"disk.format\":\"raw\",\"disk.content\":\"data\"}");
	rows_cell(&r, "qcow2", "{\"disk.format\":\"qcow2\",\"disk.content\":\"data\"}");
	rows_work(&r, "randread", DEPTH("1"));
	for (unsigned k = 0; k < BLOCKS; k++)
		for (size_t c = 0; c < 2; c++) {
			struct store_trial *t = rows_trial(&r, k, c, 0);

			rows_sample(t, "iops", c ? 900 : 1000);
			rows_sample(t, "image.bytes", c ? 134545408 : 134217728);
			rows_sample(t, "image.convert", c ? 2.5e9 : 2e9);
		}
	m = model_of(&r);
	text = text_of(m, 200);
	page = page_of(m);
	assert_non_null(strstr(text, "convert"));
	assert_non_null(strstr(text, "size after"));
	assert_non_null(strstr(text, "2.50 s"));
	assert_non_null(strstr(page, "<h3>Images</h3>"));
	/* five clusters of 64 KiB more than 128 MiB: 0.24 % */
	near(has(m, "qcow2-size", 0)->ratio.mid, 1 + 5.0 / 2048);
	assert_int_equal(has(m, "qcow2-size", 0)->word, CLAIM_CONFIRMED);
	assert_int_equal(has(m, "convert-qcow2", 0)->word, CLAIM_REFUTED);
	assert_int_equal(has(m, "format-qcow2", 0)->word, CLAIM_CONFIRMED);
	free(text);
	free(page);
	model_free(m);
}

static void json_holds_the_verdicts(void **state)
{
	struct model *m = chain(0.9, 0.01);
	json_t *j = model_json(m), *c = json_array_get(json_object_get(j, "claims"), 0), *a;

	(void)state;
	assert_string_equal(json_string_value(json_object_get(c, "word")), "confirmed");
	assert_string_equal(json_string_value(json_object_get(c, "a")), "disk.backing=0");
	assert_string_equal(json_string_value(json_object_get(c, "b")), "disk.backing=1");
	assert_string_equal(json_string_value(json_object_get(c, "metric")), "iops");
	a = json_object_get(c, "asserts");
	assert_true(json_is_null(json_object_get(a, "low")));
	near(json_real_value(json_object_get(a, "high")), 1);
	assert_true(json_is_null(json_object_get(c, "low"))); /* nothing published */
	json_decref(j);
	model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_have_three_verdicts),
		cmocka_unit_test(one_block_decides_nothing),
		cmocka_unit_test(keys_that_do_not_apply_are_no_difference),
		cmocka_unit_test(metrics_are_the_claims),
		cmocka_unit_test(limits_are_no_failures),
		cmocka_unit_test(limits_beside_good_trials_count_as_failed),
		cmocka_unit_test(numbers_of_disks_are_held_against_numbers),
		cmocka_unit_test(counts_have_three_verdicts),
		cmocka_unit_test(sentences_tell_the_limit),
		cmocka_unit_test(reports_name_the_limit),
		cmocka_unit_test(passes_stand_in_the_headings),
		cmocka_unit_test(images_have_a_table),
		cmocka_unit_test(json_holds_the_verdicts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
