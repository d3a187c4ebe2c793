/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Store -> model, through a real store, with values whose means, ratios and intervals can be worked
 * out by hand: log differences of x - s, x, x + s over three blocks have mean x and sd s, and
 * t(2, 97.5 %) is 4.302652729749464. The two-sided p of t with 2 degrees of freedom is 1 - t /
 * sqrt(2 + t^2).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <unistd.h>
#include "analysis/model.h"
#include "base/file.h"
#include "rows.h"

#define T2 4.302652729749464
#define RING "[{\"key\":\"disk.ring\",\"values\":[\"split\",\"packed\"]}]"
#define SPLIT "{\"disk.ring\":\"split\"}"
#define PACKED "{\"disk.ring\":\"packed\"}"
#define DEEP "{\"workload.rw\":\"randread\",\"workload.iodepth\":\"8\",\"workload.numjobs\":\"1\"}"
#define SHALLOW \
	"{\"workload.rw\":\"randread\",\"workload.iodepth\":\"1\",\"workload.numjobs\":\"1\"}"

static void near(double got, double want)
{
	if (!(fabs(got - want) <= 1e-9 * fmax(1, fabs(want))))
		fail_msg("%.15g, should be %.15g", got, want);
}

static struct model *model_of(const struct rows *r)
{
	char dir[] = "/tmp/vbench-model-XXXXXX", *path;
	struct store *s;
	struct model *m;
	struct err e = {0};

	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/runs.db", dir);
	assert_int_equal(store_open(path, true, &s, &e), 0);
	if (store_run_begin(s, &r->run, r->cells, r->ncells, r->works, r->nworks, &e))
		fail_msg("%s", e.text);
	for (size_t i = 0; i < r->ntrials; i++)
		if (store_trial_put(s, r->run.uuid, &r->trials[i], &e))
			fail_msg("%s", e.text);
	if (store_run_status(s, r->run.uuid, r->run.status, r->run.ended, &e))
		fail_msg("%s", e.text);
	if (model_make(s, r->run.uuid, &m, &e))
		fail_msg("%s", e.text);
	store_close(s);
	assert_int_equal(dir_remove(dir, &e), 0);
	free(path);
	return m;
}

static const struct model_value *value_of(const struct model *m, size_t work, size_t row,
					  const char *metric)
{
	const struct model_row *r = &m->workloads[work].rows[row];

	for (size_t j = 0; j < r->nvalues; j++)
		if (!strcmp(r->values[j].metric->id, metric))
			return &r->values[j];
	fail_msg("no %s", metric);
	return NULL;
}

static bool warned(const struct model *m, const char *part)
{
	for (size_t i = 0; i < m->nwarnings; i++)
		if (strstr(m->warnings[i], part))
			return true;
	return false;
}

/* split at 1000 * 2^block, packed `ratio` times that, times exp(-s), 1, exp(s). */
static void two_cells(struct rows *r, const char *work, const char *metric, double ratio, double s)
{
	rows_begin(r, RING, 3);
	rows_cell(r, "split", SPLIT);
	rows_cell(r, "packed", PACKED);
	rows_work(r, "w", work);
	for (unsigned k = 0; k < 3; k++) {
		rows_sample(rows_trial(r, k, 0, 0), metric, 1000 << k);
		rows_sample(rows_trial(r, k, 1, 0), metric,
			    (1000 << k) * ratio * exp(s * ((int)k - 1)));
	}
	r->run.trials = r->ntrials;
}

static void ratio_by_hand(void **state)
{
	struct rows r;
	struct model *m;
	const struct model_value *v;
	const struct model_effect *f;
	double half = exp(T2 * 0.01 / sqrt(3)), t = log(1.1) / (0.01 / sqrt(3)),
	       p = 1 - t / sqrt(2 + t * t);

	(void)state;
	two_cells(&r, DEEP, "read.iops", 1.1, 0.01);
	m = model_of(&r);
	assert_string_equal(m->workloads[0].primary->id, "read.iops");
	v = value_of(m, 0, 0, "read.iops");
	near(v->abs.mid, 2000); /* of 1000, 2000, 4000 */
	near(v->abs.hi, 2000 * exp(T2 * log(2) / sqrt(3)));
	assert_true(isnan(v->ratio.mid) && isnan(v->p) && !v->differs);
	v = value_of(m, 0, 1, "read.iops");
	near(v->ratio.mid, 1.1);
	near(v->ratio.lo, 1.1 / half);
	near(v->ratio.hi, 1.1 * half);
	assert_int_equal(v->ratio.n, 3);
	near(v->p, p);
	assert_true(v->differs && v->better && !v->same);
	near(v->points[2], 4400 * exp(0.01));
	assert_true(isnan(v->robust.mid)); /* below 6 blocks */
	assert_int_equal(m->workloads[0].neffects, 1);
	f = &m->workloads[0].effects[0];
	near(f->ratio.mid, 1.1);
	near(f->ratio.hi, 1.1 * half);
	near(f->p, p);
	assert_true(f->differs && f->better && f->combos == 1 && f->left_out == 0);
	assert_string_equal(f->axis, "disk.ring");
	assert_string_equal(f->from, "split");
	assert_string_equal(f->to, "packed");
	assert_int_equal(m->blocks_done, 3);
	assert_int_equal(m->trials_ok, 6);
	model_free(m);
	rows_end(&r);
}

/* The same numbers of a metric where lower is better: all the same, but worse. */
static void direction_is_data(void **state)
{
	struct rows r;
	struct model *m;

	(void)state;
	two_cells(&r, SHALLOW, "read.lat.mean", 1.1, 0.01);
	m = model_of(&r);
	assert_string_equal(m->workloads[0].primary->id, "read.lat.mean");
	near(value_of(m, 0, 1, "read.lat.mean")->ratio.mid, 1.1);
	assert_true(value_of(m, 0, 1, "read.lat.mean")->differs);
	assert_false(value_of(m, 0, 1, "read.lat.mean")->better);
	assert_true(m->workloads[0].effects[0].differs && !m->workloads[0].effects[0].better);
	/* 1 - 1/1.1 = 9.1 % lower; of the limits 1.073 and 1.128 6.8 and 11.3 % */
	assert_string_equal(m->workloads[0].headline,
			    "w, judged by read latency, mean: split beat packed: 9.1 % lower "
			    "(95 % interval 6.8 % to 11 %, 3 blocks).");
	assert_true(m->workloads[0].rows[0].best_set && !m->workloads[0].rows[1].best_set);
	assert_string_equal(
		m->headline,
		"w: packed 10 % higher latency than split (95 % interval 7.3 to 13 %). "
		"Not shown worse than the best: split (1 of 2 cells; the others were).");
	model_free(m);
	rows_end(&r);
}

/* Higher is better: 10 % higher, limits 7.3 and 12.8 %. */
static void headline_of_higher(void **state)
{
	struct rows r;
	struct model *m;

	(void)state;
	two_cells(&r, DEEP, "read.iops", 1.1, 0.01);
	m = model_of(&r);
	assert_string_equal(m->workloads[0].headline,
			    "w, judged by reads per second: packed beat split: 10 % higher "
			    "(95 % interval 7.3 % to 13 %, 3 blocks).");
	model_free(m);
	rows_end(&r);
}

/* sd 0.1: the interval is 1.1 times exp(+-0.25), so nothing was shown, and nothing is marked. */
static void undecided_is_not_marked(void **state)
{
	struct rows r;
	struct model *m;
	const struct model_value *v;

	(void)state;
	two_cells(&r, DEEP, "read.iops", 1.1, 0.1);
	m = model_of(&r);
	v = value_of(m, 0, 1, "read.iops");
	assert_true(v->ratio.lo < 1 && v->ratio.hi > 1);
	assert_true(!v->differs && !v->better && !v->same);
	assert_true(!m->workloads[0].effects[0].differs);
	assert_true(m->workloads[0].rows[0].best_set && m->workloads[0].rows[1].best_set);
	assert_non_null(strstr(m->workloads[0].headline,
			       "no difference shown between split and packed (-14 % to +41 %)"));
	/* split is the first cell, so the bound is that of the table: 1.1 * exp(0.2484) is 1.410 */
	assert_string_equal(
		m->headline,
		"Undecided cell by cell: none of the 2 was shown worse than the best, "
		"but differences of up to 41 % are not ruled out. Measure more blocks.");
	model_free(m);
	rows_end(&r);
}

/* +1 % with an interval of +-0.25 %: it differs, but by less than IOPS' min_effect of 2 %, which
 * comes first (part 4). */
static void small_is_the_same(void **state)
{
	struct rows r;
	struct model *m;
	const struct model_value *v;

	(void)state;
	two_cells(&r, DEEP, "read.iops", 1.01, 0.001);
	m = model_of(&r);
	v = value_of(m, 0, 1, "read.iops");
	assert_true(v->p < 0.05 && v->same && !v->differs);
	assert_non_null(strstr(m->workloads[0].headline, "are the same within 2 %"));
	assert_string_equal(m->headline,
			    "All 2 cells compared are the same within 2 %: choose freely.");
	model_free(m);
	rows_end(&r);
}

/* Cells "1", "2", ... of an axis of queues under one workload, factor[c] * exp(s[c] * (k - 1)). */
static struct model *levels(struct rows *r, size_t n, const double *factor, const double *s)
{
	rows_begin(r, "[{\"key\":\"disk.queues\",\"values\":[\"1\",\"2\",\"3\",\"4\",\"5\"]}]", 3);
	for (size_t c = 0; c < n; c++) {
		char keys[64], label[8];

		snprintf(keys, sizeof(keys), "{\"disk.queues\":\"%zu\"}", c + 1);
		snprintf(label, sizeof(label), "%zu", c + 1);
		rows_cell(r, label, keys);
	}
	rows_work(r, "w", DEEP);
	for (unsigned k = 0; k < 3; k++)
		for (size_t c = 0; c < n; c++)
			rows_sample(rows_trial(r, k, c, 0), "read.iops",
				    100 * factor[c] * exp(s[c] * ((int)k - 1)));
	return model_of(r);
}

/*
 * Half-width factor exp(4.3027 * 0.01 / sqrt(3)) = 1.02515: 4.5 has 4.39 to 4.61, 1.3 has 1.268 to
 * 1.333, 0.8 has 0.7804 to 0.8201. By |ln|: 1.50, 0.26, 0.22, and 0.10 for the 1.1 that is left.
 */
static void findings_lead(void **state)
{
	static const double factor[] = {1, 1.1, 0.8, 4.5, 1.3}, s[] = {0, 0.01, 0.01, 0.01, 0.01};
	struct rows r;
	struct model *m = levels(&r, 5, factor, s);

	(void)state;
	assert_string_equal(
		m->headline,
		"w: queues=4 4.5 times as fast as queues=1 (95 % interval 4.4 to 4.6 times); "
		"w: queues=5 30 % faster than queues=1 (95 % interval 27 to 33 %); "
		"w: queues=3 20 % slower than queues=1 (95 % interval 18 to 22 %); 1 more below. "
		"Not shown worse than the best: 4 (1 of 5 cells; the others were).");
	model_free(m);
	rows_end(&r);
}

/*
 * The first cell is out, so the set is held against its best. 3 is the best by 1 %: 2 against it is
 * 1 / 1.01 times exp(-+0.2484), 0.772 to 1.269. With s = 0.001 it is 0.9965 to 1.0015 instead.
 */
static void best_set_without_the_first(void **state)
{
	static const double factor[] = {1, 2, 2.02}, s[] = {0, 0, 0.1};
	static const double near_factor[] = {1, 2, 2.002}, near_s[] = {0, 0, 0.001};
	struct rows r;
	struct model *m = levels(&r, 3, factor, s);

	(void)state;
	assert_non_null(
		strstr(m->headline,
		       " Not shown worse than the best: 2, 3 (2 of 3 cells; the others were). "
		       "Undecided between these: differences of up to 27 % are not ruled out. "
		       "Measure more blocks."));
	near(m->workloads[0].rows[1].to_best.mid, 1 / 1.01);
	assert_true(isnan(m->workloads[0].rows[2].to_best.mid) &&
		    m->workloads[0].rows[2].same_as_best && !m->workloads[0].rows[1].same_as_best);
	model_free(m);
	rows_end(&r);
	m = levels(&r, 3, near_factor, near_s);
	assert_non_null(strstr(m->headline,
			       " Not shown worse than the best: 2, 3 (2 of 3 cells; the "
			       "others were). These are the same within 2 %: choose "
			       "freely among them."));
	model_free(m);
	rows_end(&r);
}

/* What the guest says of its disk beside the axes; by hand from the facts given to each cell. */
static void side_facts(void **state)
{
	static const char *const keys[] = {"{\"disk.bus\":\"virtio-blk\",\"disk.queues\":\"1\"}",
					   "{\"disk.bus\":\"virtio-blk\",\"disk.queues\":\"2\"}",
					   "{\"disk.bus\":\"virtio-scsi\",\"disk.queues\":\"1\"}",
					   "{\"disk.bus\":\"virtio-scsi\",\"disk.queues\":\"2\"}"};
	static const char *const own[] = {
		"\"max_segments\":254,\"queues\":1,\"scheduler\":\"mq-deadline\",\"odd\":\"x\"",
		"\"max_segments\":254,\"queues\":2,\"scheduler\":\"none\",\"odd\":\"y\"",
		"\"max_segments\":126,\"queues\":1,\"scheduler\":\"mq-deadline\",\"odd\":\"y\",\"via\":\"virtio_scsi\"",
		"\"max_segments\":126,\"queues\":2,\"scheduler\":\"none\",\"odd\":\"x\",\"via\":\"virtio_scsi\""};
	static const char *const want[][2] = {
		{"max_segments", "254 (virtio-blk), 126 (virtio-scsi)"},
		{"scheduler", "mq-deadline (queues=1), none (queues=2)"},
		{"odd", "x (a, d), y (b, c)"},
		{"wobbly", "differs from trial to trial (a, b, c and 1 more)"},
		{"liar", "\"1 (b), \x1b<b>2\" (queues=1), none (queues=2)"},
		{"via", "none (virtio-blk), virtio_scsi (virtio-scsi)"}};
	struct rows r;
	struct model *m;
	json_t *j;

	(void)state;
	rows_begin(&r,
		   "[{\"key\":\"disk.bus\",\"values\":[\"virtio-blk\",\"virtio-scsi\"]},"
		   "{\"key\":\"disk.queues\",\"values\":[\"1\",\"2\"]}]",
		   2);
	for (size_t c = 0; c < 4; c++)
		rows_cell(&r, (const char *[]){"a", "b", "c", "d"}[c], keys[c]);
	rows_work(&r, "w", DEEP);
	for (unsigned k = 0; k < 2; k++)
		for (size_t c = 0; c < 4; c++) {
			struct store_trial *t = rows_trial(&r, k, c, 0);

			rows_sample(t, "read.iops", 100 + k);
			t->facts_json = xasprintf(
				"{\"disk\":{},\"side\":{%s,\"wobbly\":%u,\"same\":7%s}}", own[c], k,
				c % 2 ? "" : ",\"liar\":\"1 (b), \\u001b<b>2\"");
		}
	m = model_of(&r);
	assert_int_equal(m->nside, 6);
	for (size_t i = 0; i < 6; i++) {
		size_t at = 0;

		while (at < m->nside && strcmp(m->side[at].name, want[i][0]))
			at++;
		if (at == m->nside)
			fail_msg("no %s", want[i][0]);
		assert_string_equal(m->side[at].values, want[i][1]);
	}
	j = model_json(m);
	assert_int_equal(json_array_size(json_object_get(j, "side")), 6);
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(json_object_get(j, "side"), 0), "name")),
			    m->side[0].name);
	json_decref(j);
	model_free(m);
	rows_end(&r);
}

/* Complete, but of fewer blocks than planned: only a budget of time ends a run so. */
static void time_used_up(void **state)
{
	struct rows r;
	struct model *m;

	(void)state;
	two_cells(&r, DEEP, "read.iops", 1.1, 0.01);
	m = model_of(&r);
	assert_false(warned(m, "Stopped after"));
	model_free(m);
	r.run.blocks = 8;
	m = model_of(&r);
	assert_true(warned(m, "Stopped after 3 of 8 blocks, when the time asked for was used up."));
	assert_false(warned(m, "not complete"));
	model_free(m);
	rows_end(&r);
}

/* 21 blocks, one trial failed: the pair loses that block and no other. Of 8 blocks one failed is
 * over 5 %: no verdict. */
static void failed_block(void **state)
{
	(void)state;
	for (int few = 0; few < 2; few++) {
		unsigned n = few ? 8 : 21;
		struct rows r;
		struct model *m;
		const struct model_value *v;

		rows_begin(&r, RING, n);
		rows_cell(&r, "split", SPLIT);
		rows_cell(&r, "packed", PACKED);
		rows_work(&r, "w", DEEP);
		for (unsigned k = 0; k < n; k++) {
			struct store_trial *t;

			rows_sample(rows_trial(&r, k, 0, 0), "read.iops", k == 4 ? 1e6 : 100);
			t = rows_trial(&r, k, 1, 0);
			if (k == 4)
				rows_fail(t, "fio");
			else
				rows_sample(t, "read.iops", k % 2 ? 150 * 1.1 : 150 / 1.1);
		}
		m = model_of(&r);
		v = value_of(m, 0, 1, "read.iops");
		assert_int_equal(m->workloads[0].rows[1].failed, 1);
		assert_int_equal(m->workloads[0].rows[1].too_many_failed, few);
		assert_true(isnan(v->points[4]));
		if (few) {
			assert_true(isnan(v->ratio.mid) && !v->differs && isnan(v->p));
			assert_int_equal(m->workloads[0].effects[0].left_out, 1);
			assert_int_equal(m->workloads[0].effects[0].combos, 0);
			assert_true(isnan(m->workloads[0].effects[0].ratio.mid));
			assert_true(warned(m, "more than 5 %"));
			assert_false(m->workloads[0].rows[1].best_set);
		} else {
			assert_int_equal(v->ratio.n, 20);
			near(v->ratio.mid, 1.5); /* 10 blocks up, 10 down */
			near(v->robust.mid, 1.5);
			assert_true(v->differs && v->better && !v->disagree);
		}
		assert_int_equal(m->nfailures, 1);
		assert_string_equal(m->failures[0].cause, "fio");
		assert_string_equal(m->failures[0].cell_label, "packed");
		assert_int_equal(m->blocks_done, n);
		model_free(m);
		rows_end(&r);
	}
}

/*
 * raw has no mode. format: raw against the mean of qcow2's modes, so sqrt(0.8 * 0.9) here; mode:
 * qcow2's cells alone, 0.9 / 0.8. Three blocks that differ by a factor, no noise.
 */
static void folded_cells(void **state)
{
	static const double factor[] = {1, 0.8, 0.9};
	struct rows r;
	struct model *m;
	const struct model_workload *w;

	(void)state;
	rows_begin(&r,
		   "[{\"key\":\"disk.format\",\"values\":[\"raw\",\"qcow2\"]},"
		   "{\"key\":\"disk.mode\",\"values\":[\"thin\",\"full\"]}]",
		   3);
	rows_cell(&r, "raw", "{\"disk.format\":\"raw\",\"disk.mode\":null}");
	rows_cell(&r, "qcow2 thin", "{\"disk.format\":\"qcow2\",\"disk.mode\":\"thin\"}");
	rows_cell(&r, "qcow2 full", "{\"disk.format\":\"qcow2\",\"disk.mode\":\"full\"}");
	rows_work(&r, "w", DEEP);
	for (unsigned k = 0; k < 3; k++)
		for (size_t c = 0; c < 3; c++)
			rows_sample(rows_trial(&r, k, c, 0), "read.iops",
				    100 * (k + 1) * factor[c]);
	m = model_of(&r);
	w = &m->workloads[0];
	assert_int_equal(w->neffects, 2);
	assert_string_equal(w->effects[0].axis, "disk.format");
	near(w->effects[0].ratio.mid, sqrt(0.8 * 0.9));
	assert_int_equal(w->effects[0].combos, 1);
	assert_string_equal(w->effects[1].axis, "disk.mode");
	near(w->effects[1].ratio.mid, 0.9 / 0.8);
	assert_int_equal(w->effects[1].combos, 1);
	assert_int_equal(w->ninteractions, 0);
	assert_string_equal(m->cells[0].keys_text, "format=raw");
	assert_string_equal(m->cells[2].keys_text, "format=qcow2 mode=full");
	assert_string_equal(
		m->cells[0].repeat,
		"vbench run profiles/made-up.ini --set disk.format=raw --set run.seed=7");
	model_free(m);
	rows_end(&r);
}

/*
 * 2 x 2: ring does +50 % under virtio-blk and -40 % under virtio-scsi. Main effect sqrt(1.5 * 0.6),
 * interaction 0.6 / 1.5. Noise exp(+-0.01) on one cell, so that t is finite: the interaction's
 * contrasts are -0.01, 0, 0.01.
 */
static void interaction(void **state)
{
	static const double factor[] = {1, 1.5, 1, 0.6};
	struct rows r;
	struct model *m;
	const struct model_workload *w;

	(void)state;
	rows_begin(&r,
		   "[{\"key\":\"disk.bus\",\"values\":[\"virtio-blk\",\"virtio-scsi\"]},"
		   "{\"key\":\"disk.ring\",\"values\":[\"split\",\"packed\"]}]",
		   3);
	rows_cell(&r, "a", "{\"disk.bus\":\"virtio-blk\",\"disk.ring\":\"split\"}");
	rows_cell(&r, "b", "{\"disk.bus\":\"virtio-blk\",\"disk.ring\":\"packed\"}");
	rows_cell(&r, "c", "{\"disk.bus\":\"virtio-scsi\",\"disk.ring\":\"split\"}");
	rows_cell(&r, "d", "{\"disk.bus\":\"virtio-scsi\",\"disk.ring\":\"packed\"}");
	rows_work(&r, "w", DEEP);
	for (unsigned k = 0; k < 3; k++)
		for (size_t c = 0; c < 4; c++)
			rows_sample(rows_trial(&r, k, c, 0), "read.iops",
				    100 * factor[c] * (c == 3 ? exp(0.01 * ((int)k - 1)) : 1));
	m = model_of(&r);
	w = &m->workloads[0];
	assert_int_equal(w->neffects, 2);
	near(w->effects[1].ratio.mid, sqrt(1.5 * 0.6));
	assert_int_equal(w->effects[1].combos, 2);
	near(w->effects[1].ratio.sd, 0.005);
	assert_int_equal(w->ninteractions, 1);
	assert_string_equal(w->interactions[0].axis, "disk.bus");
	assert_string_equal(w->interactions[0].by, "disk.ring");
	near(w->interactions[0].at_from.mid, 1);
	near(w->interactions[0].at_to.mid, 0.4);
	near(w->interactions[0].ratio.mid, 0.6 / 1.5);
	near(w->interactions[0].ratio.hi, 0.4 * exp(T2 * 0.01 / sqrt(3)));
	/* it stands before the effects that it qualifies */
	assert_non_null(strstr(
		w->headline,
		"reads per second: what virtio-scsi does against virtio-blk depends on ring: "
		"+0.0 % with split, -60 % with packed; "));
	/* exp(4.3027 * 0.005 / sqrt(3)) is 1.0125; sqrt(0.4) is 0.6325, sqrt(0.9) 0.9487 */
	assert_non_null(
		strstr(m->headline,
		       "w: virtio-scsi 37 % slower than virtio-blk (95 % interval 36 to 38 %; "
		       "on average, it depends on ring); w: packed 5.1 % slower than split "
		       "(95 % interval 3.9 to 6.3 %; on average, it depends on bus). "));
	assert_ptr_equal(strstr(m->headline, "w: virtio-scsi"), m->headline);
	model_free(m);
	rows_end(&r);
}

/*
 * Four cells against the first in 3 blocks. t = 6 gives p = 1 - 6/sqrt(38) = 0.0267 for each alone,
 * so each interval excludes 1; Holm makes 4 * 0.0267 = 0.107 of it, so no cell is marked.
 * The interval is exp(0.1732 -+ 4.3027 * 0.02887), 1.0502 to 1.3464.
 */
static void holm_guards_the_marks(void **state)
{
	struct rows r;
	struct model *m;

	(void)state;
	rows_begin(&r, "[{\"key\":\"disk.queues\",\"values\":[\"1\",\"2\",\"3\",\"4\",\"5\"]}]", 3);
	for (int c = 0; c < 5; c++) {
		char keys[64];

		snprintf(keys, sizeof(keys), "{\"disk.queues\":\"%d\"}", c + 1);
		rows_cell(&r, "q", keys);
	}
	rows_work(&r, "w", DEEP);
	for (unsigned k = 0; k < 3; k++)
		for (size_t c = 0; c < 5; c++)
			rows_sample(rows_trial(&r, k, c, 0), "read.iops",
				    100 * (c ? exp(6 * 0.05 / sqrt(3) + 0.05 * ((int)k - 1)) : 1));
	m = model_of(&r);
	for (size_t c = 1; c < 5; c++) {
		const struct model_value *v = value_of(m, 0, c, "read.iops");

		assert_true(v->ratio.lo > 1);
		near(v->p, 4 * (1 - 6 / sqrt(38)));
		assert_false(v->differs);
		assert_false(m->workloads[0].effects[c - 1].differs);
	}
	assert_string_equal(m->workloads[0].effects[0].to, "2");
	assert_non_null(strstr(
		m->workloads[0].headline,
		"no difference shown between queues=1 and queues=2 (+5.0 % to +35 %, too little among so many comparisons)"));
	model_free(m);
	rows_end(&r);
}

/* One interaction with t = 6 has p = 0.0267 and is said; of three such each has 3 times that, and
 * none is. */
static void holm_guards_interactions(void **state)
{
	(void)state;
	for (int levels = 2; levels <= 4; levels += 2) {
		struct rows r;
		struct model *m;

		rows_begin(&r,
			   "[{\"key\":\"disk.ring\",\"values\":[\"split\",\"packed\"]},"
			   "{\"key\":\"disk.queues\",\"values\":[\"1\",\"2\",\"3\",\"4\"]}]",
			   3);
		for (int c = 0; c < 2 * levels; c++) {
			char keys[64];

			snprintf(keys, sizeof(keys),
				 "{\"disk.ring\":\"%s\",\"disk.queues\":\"%d\"}",
				 c % 2 ? "packed" : "split", c / 2 + 1);
			rows_cell(&r, "c", keys);
		}
		rows_work(&r, "w", DEEP);
		for (int k = 0; k < 3; k++)
			for (int c = 0; c < 2 * levels; c++)
				rows_sample(rows_trial(&r, k, c, 0), "read.iops",
					    c % 2 && c > 1
						    ? exp(6 * 0.05 / sqrt(3) + 0.05 * (k - 1))
						    : 1);
		m = model_of(&r);
		assert_int_equal(m->workloads[0].ninteractions, levels == 2);
		model_free(m);
		rows_end(&r);
	}
}

/* CPU time by difference (1, 2, 3 us: mean 2, sd 1), image bytes exactly, another metric by
 * Benjamini-Hochberg. */
static void other_scales(void **state)
{
	struct rows r;
	struct model *m;
	const struct model_value *v;

	(void)state;
	two_cells(&r, DEEP, "read.iops", 1.5, 0.01);
	for (size_t i = 0; i < r.ntrials; i++) {
		struct store_trial *t = &r.trials[i];
		bool packed = i % 2;

		rows_sample(t, "cpu_per_io", 5000 + (packed ? 1e6 * (t->block + 1) : 0));
		rows_sample(t, "image.bytes", packed ? 4096 : 8192);
	}
	m = model_of(&r);
	v = value_of(m, 0, 1, "cpu_per_io");
	near(v->ratio.mid, 2e6);
	near(v->ratio.hi, 2e6 + 1e6 * T2 / sqrt(3));
	assert_false(v->differs); /* t = 2 sqrt(3), p = 0.074 */
	near(value_of(m, 0, 0, "cpu_per_io")->abs.mid, 5000);
	v = value_of(m, 0, 1, "image.bytes");
	near(v->ratio.lo, 0.5);
	near(v->ratio.hi, 0.5);
	assert_true(v->differs && v->better);
	near(value_of(m, 0, 0, "image.bytes")->abs.lo, 8192);
	model_free(m);
	rows_end(&r);
}

/*
 * Two other metrics beside the primary, each with t = 6 and so p = 1 - 6/sqrt(38) = 0.0267:
 * Benjamini-Hochberg leaves the larger of two equal p as it is, so both are marked. A third with p
 * = 1 makes 1.5 times that of it, 0.040; a fourth twice, 0.053.
 */
static void others_explore(void **state)
{
	static const char *const quiet[] = {"read.clat.mean", "read.slat.mean"};
	double p = 1 - 6 / sqrt(38);

	(void)state;
	for (size_t more = 0; more <= 2; more++) {
		struct rows r;
		struct model *m;

		two_cells(&r, DEEP, "read.iops", 1, 0.01);
		for (size_t i = 0; i < r.ntrials; i++) {
			double step = (int)r.trials[i].block - 1; /* -1, 0, 1 */
			double x = i % 2 ? exp(6 * 0.05 / sqrt(3) + 0.05 * step) : 1;

			rows_sample(&r.trials[i], "read.bw", x);
			rows_sample(&r.trials[i], "read.lat.mean", x);
			for (size_t j = 0; j < more; j++)
				rows_sample(&r.trials[i], quiet[j], i % 2 ? exp(0.1 * step) : 1);
		}
		m = model_of(&r);
		near(value_of(m, 0, 1, "read.bw")->p, p * (2 + more) / 2);
		assert_int_equal(value_of(m, 0, 1, "read.bw")->differs, more < 2);
		assert_int_equal(value_of(m, 0, 1, "read.lat.mean")->differs, more < 2);
		assert_false(value_of(m, 0, 1, "read.iops")->differs);
		model_free(m);
		rows_end(&r);
	}
}

/* A median that moved by 1 % in every block, without noise: less than a bin of fio's histogram
 * (1/64), so not judged. */
static void median_within_a_bin(void **state)
{
	(void)state;
	for (int wide = 0; wide < 2; wide++) {
		struct rows r;
		struct model *m;
		const struct model_value *v;

		two_cells(&r, DEEP, "read.lat.p50", wide ? 1.5 : 1.015, 0);
		m = model_of(&r);
		v = value_of(m, 0, 1, "read.lat.p50");
		/* no pair sd: the floor of a bin / sqrt(12) stands in for it */
		near(v->ratio.sd, 1 / 64.0 / sqrt(12));
		assert_int_equal(v->differs, wide);
		model_free(m);
		rows_end(&r);
	}
}

static void primary_is_chosen(void **state)
{
	static const struct {
		const char *keys, *primary;
	} rows[] = {
		{DEEP, "read.iops"},
		{SHALLOW, "read.lat.mean"},
		{"{\"rw\":\"write\",\"iodepth\":1,\"numjobs\":1}", "write.lat.mean"},
		{"{\"rw\":\"randwrite\",\"iodepth\":\"1\",\"numjobs\":\"1\",\"fdatasync\":\"1\"}",
		 "write.lat.mean"},
		{"{\"rw\":\"randwrite\",\"iodepth\":\"1\",\"numjobs\":\"4\"}", "write.iops"},
		{"{\"rw\":\"randrw\",\"iodepth\":\"4\",\"numjobs\":\"1\"}", "iops"},
		{"{\"rw\":\"randrw\",\"iodepth\":\"1\",\"numjobs\":\"1\"}", "read.lat.mean"},
		{"{}", "read.lat.mean"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		for (int named = 0; named < 2; named++) {
			struct rows r;
			struct model *m;

			two_cells(&r, rows[i].keys, "read.iops", 1.5, 0.01);
			for (size_t t = 0; t < r.ntrials; t++) {
				rows_sample(&r.trials[t], "write.iops", 5);
				rows_sample(&r.trials[t], "iops", 10);
				rows_sample(&r.trials[t], "read.lat.mean", 2);
				rows_sample(&r.trials[t], "write.lat.mean", 2);
			}
			r.run.primary_json = xstrdup(named ? "{\"w\":\"write.iops\"}"
							   : "{\"w\":\"sync.lat.mean\"}");
			m = model_of(&r);
			assert_string_equal(m->workloads[0].primary->id,
					    named ? "write.iops" : rows[i].primary);
			assert_int_equal(warned(m, "sync.lat.mean has no samples"), !named);
			model_free(m);
			rows_end(&r);
		}
	}
}

/* Log values of block k: cell effect + block effect; between the blocks only what blocks add is
 * left. */
static void variance_of_blocks(void **state)
{
	static const double x[2][3] = {{1, 2, 6}, {3, 4, 5}}; /* worked out in effects.c */
	struct rows r;
	struct model *m;

	(void)state;
	rows_begin(&r, RING, 3);
	rows_cell(&r, "split", SPLIT);
	rows_cell(&r, "packed", PACKED);
	rows_work(&r, "w", DEEP);
	for (unsigned k = 0; k < 3; k++)
		for (size_t c = 0; c < 2; c++)
			rows_sample(rows_trial(&r, k, c, 0), "read.iops", exp(x[c][k]));
	m = model_of(&r);
	near(m->workloads[0].trial_sd, sqrt(1.5));
	near(m->workloads[0].template_var.between, 2.5);
	assert_int_equal(m->workloads[0].template_var.groups, 3);
	model_free(m);
	for (size_t i = 0; i < r.ntrials; i++)
		r.trials[i].template_id[0] = 0; /* cold boots say nothing about templates */
	m = model_of(&r);
	near(m->workloads[0].trial_sd, sqrt(1.5));
	assert_int_equal(m->workloads[0].template_var.groups, 0);
	model_free(m);
	rows_end(&r);
}

static void checks_and_accelerator(void **state)
{
	struct rows r;
	struct model *m;

	(void)state;
	two_cells(&r, DEEP, "read.iops", 1.1, 0.01);
	for (size_t i = 0; i < r.ntrials; i++) {
		rows_check(&r.trials[i], "guest.accel", "auto", "tcg", 0);
		rows_check(&r.trials[i], "disk.aio", "native", "needs rights", i == 2 ? 2 : 0);
		rows_check(&r.trials[i], "disk.ring", i == 4 ? "packed" : "split", "split", i == 4);
	}
	r.trials[0].noise_json = xstrdup("{\"steal\":0.5,\"load1\":3,\"freq_khz\":null}");
	r.trials[1].noise_json = xstrdup("{\"steal\":0.1,\"load1\":1}");
	r.trials[0].phases_json = xstrdup("{\"open_ns\":100,\"work_ns\":5}");
	r.trials[1].phases_json = xstrdup("{\"open_ns\":300,\"work_ns\":5}");
	/* How long a failed one took says nothing about trials that work. */
	rows_fail(rows_trial(&r, 2, 1, 0), "timeout");
	r.trials[6].phases_json = xstrdup("{\"open_ns\":1e12}");
	m = model_of(&r);
	assert_string_equal(m->accel, "tcg");
	assert_true(m->relative_only && warned(m, "Measured under TCG"));
	assert_non_null(strstr(m->headline, "Relative only"));
	assert_int_equal(m->nchecks, 3);
	assert_string_equal(m->checks[1].key, "disk.aio");
	assert_int_equal(m->checks[1].match, 5);
	assert_int_equal(m->checks[1].unknown, 1);
	assert_int_equal(m->checks[2].differ, 1);
	assert_string_equal(m->checks[2].asked, "packed");
	assert_string_equal(m->checks[2].cell_label, "split");
	assert_true(warned(m, "1 of 18 settings") && warned(m, "disk.aio"));
	assert_true(warned(m, "stolen") && warned(m, "Only 3 whole blocks"));
	near(json_real_value(json_object_get(json_object_get(m->phases, "open_ns"), "median")),
	     200);
	near(json_real_value(json_object_get(json_object_get(m->phases, "open_ns"), "p90")), 280);
	near(json_real_value(json_object_get(json_object_get(m->noise, "steal"), "max")), 0.5);
	assert_null(json_object_get(m->noise, "freq_khz"));
	model_free(m);
	rows_end(&r);
}

/* The start of a guest is part of what is compared: one template for two blocks, or two ways to
 * start, is named. */
static void starts_are_watched(void **state)
{
	struct rows r;
	struct model *m;

	(void)state;
	two_cells(&r, DEEP, "read.iops", 1.1, 0.01);
	m = model_of(&r);
	assert_false(warned(m, "share a template") || warned(m, "booted cold") ||
		     warned(m, "not fresh"));
	model_free(m);
	strcpy(r.trials[5].template_id, r.trials[0].template_id);
	r.trials[4].fresh = false;
	m = model_of(&r);
	assert_true(warned(m, "share a template") && !warned(m, "booted cold") &&
		    warned(m, "not fresh"));
	model_free(m);
	r.trials[5].template_id[0] = 0;
	m = model_of(&r);
	assert_true(!warned(m, "share a template") && warned(m, "booted cold"));
	model_free(m);
	rows_end(&r);
}

/* A rung is none of values of axes: it is repeated by its name. */
static void a_rung_is_repeated_by_name(void **state)
{
	struct rows r;
	struct model *m;

	(void)state;
	rows_begin(&r, "[]", 1);
	rows_cell(&r, "a", "{}");
	rows_cell(&r, "b", "{}");
	rows_work(&r, "w", DEEP);
	rows_sample(rows_trial(&r, 0, 0, 0), "read.iops", 1);
	free(r.cells[1].label);
	r.cells[1].label = xstrdup("guest-b");
	free(r.run.profile_text);
	r.run.profile_text = xstrdup("[rung a]\n[rung guest-b]\ndisk.bus = nvme\n[workload w]\n");
	r.run.sets_json = xstrdup("[\"workload.bs=8k\",\"run.only=a,guest-b\"]");
	m = model_of(&r);
	assert_string_equal(m->cells[1].repeat,
			    "vbench run profiles/made-up.ini --set workload.bs=8k "
			    "--set run.only=guest-b --set run.seed=7");
	model_free(m);
	rows_end(&r);
}

static void artefacts_and_repeat(void **state)
{
	char dir[] = "/tmp/vbench-model-XXXXXX", *path;
	struct rows r;
	struct model *m;
	struct err e = {0};

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/trials/0003", dir);
	assert_int_equal(dir_make(path, 0755, &e), 0);
	free(path);
	path = xasprintf("%s/trials/0003/qemu.txt", dir);
	assert_int_equal(file_write(path, "qemu-system-x86_64 -M q35\n", 26, 0644, &e), 0);
	rows_begin(
		&r,
		"[{\"key\":\"disk.dir\",\"values\":[\"/a\",\"/it's here\"]},{\"key\":\"disk.size\",\"values\":[\"67108864\"]}]",
		1);
	rows_cell(&r, "a", "{\"disk.dir\":\"/a\",\"disk.size\":\"67108864\"}");
	rows_cell(&r, "b", "{\"disk.dir\":\"/it's here\",\"disk.size\":\"67108864\"}");
	rows_work(&r, "w", DEEP);
	rows_sample(rows_trial(&r, 0, 0, 0), "read.iops", 1);
	rows_fail(rows_trial(&r, 0, 0, 0), "qemu");
	rows_fail(rows_trial(&r, 0, 1, 0), "qemu");
	rows_sample(rows_trial(&r, 0, 1, 0), "read.iops", 1);
	for (size_t i = 0; i < 4; i++)
		r.trials[i].folder = xasprintf("trials/%04zu", i);
	r.run.folder = xstrdup(dir);
	r.run.sets_json = xstrdup("[\"workload.bs=8k\",\"disk.dir=/a,/it's here\",\"run.seed=1\"]");
	m = model_of(&r);
	assert_null(m->cells[0].qemu);
	assert_string_equal(m->cells[1].qemu,
			    "qemu-system-x86_64 -M q35"); /* of its first good trial */
	assert_null(m->cells[1].plug);
	assert_string_equal(
		m->cells[1].repeat,
		"vbench run profiles/made-up.ini --set workload.bs=8k --set 'disk.dir=/it'\\''s here' "
		"--set disk.size=64M --set run.seed=7");
	assert_string_equal(m->cells[1].keys_text, "dir=/it's here size=64M");
	model_free(m);
	free(r.trials[3].folder);
	/* An imported row shall not lead out of its folder, wherever it leads. */
	r.trials[3].folder = xstrdup("../trials/0003");
	free(r.run.folder);
	r.run.folder = xasprintf("%s/trials", dir);
	m = model_of(&r);
	assert_null(m->cells[1].qemu);
	model_free(m);
	strcpy(r.trials[3].folder, "0003"); /* the same file by a way that stays inside */
	m = model_of(&r);
	assert_non_null(m->cells[1].qemu);
	model_free(m);
	rows_end(&r);
	assert_int_equal(dir_remove(dir, &e), 0);
	free(path);
}

static void facts_in_order(void **state)
{
	struct rows r;
	struct model *m;

	(void)state;
	two_cells(&r, DEEP, "read.iops", 1.1, 0.01);
	r.run.host_json = xstrdup(
		"{\"zebra\":{\"a\":[1,2]},\"kernel\":\"6.1\",\"microcode\":null,\"memory\":{\"total_bytes\":1073741824},"
		"\"cpu\":{\"brand\":\"X\",\"flags\":[\"a\",\"b\"]},\"storage\":[{\"dir\":\"/x\"},{\"dir\":\"/y\",\"q\":{\"nocow\":true}}]}");
	r.trials[0].facts_json = xstrdup(
		"{\"guest\":{\"kernel\":\"6.2\",\"boot_id\":\"u\"},\"disk\":{\"driver\":\"virtio_blk\"}}");
	m = model_of(&r);
	static const char *const want[][3] = {
		{"Host CPU", "brand", "X"},	   {"Host CPU", "flags", "a, b"},
		{"Memory", "total", "1 GiB"},	   {"Kernel", "release", "6.1"},
		{"Storage", "/x: dir", "/x"},	   {"Storage", "/y: dir", "/y"},
		{"Storage", "/y: q nocow", "yes"}, {"Other", "zebra a", "1, 2"},
		{"Guest", "kernel", "6.2"},
	};
	assert_int_equal(m->nfacts, sizeof(want) / sizeof(*want));
	for (size_t i = 0; i < m->nfacts; i++) {
		assert_string_equal(m->facts[i].group, want[i][0]);
		assert_string_equal(m->facts[i].name, want[i][1]);
		assert_string_equal(m->facts[i].value, want[i][2]);
	}
	assert_string_equal(json_string_value(json_object_get(m->cells[0].facts, "driver")),
			    "virtio_blk");
	assert_null(m->cells[1].facts);
	model_free(m);
	rows_end(&r);
}

static void json_is_stable(void **state)
{
	struct rows r;
	struct model *m;
	char *text[2];
	json_t *j, *row;

	(void)state;
	two_cells(&r, DEEP, "read.iops", 1.1, 0.01);
	for (int i = 0; i < 2; i++) {
		m = model_of(&r);
		j = model_json(m);
		text[i] = json_dumps(j, JSON_INDENT(1));
		assert_non_null(text[i]);
		json_decref(j);
		model_free(m);
	}
	assert_string_equal(text[0], text[1]);
	j = json_loads(text[0], 0, NULL);
	assert_non_null(j);
	row = json_array_get(
		json_object_get(json_array_get(json_object_get(j, "workloads"), 0), "rows"), 0);
	row = json_array_get(json_object_get(row, "values"), 0);
	assert_true(json_is_null(json_object_get(json_object_get(row, "ratio"), "mid"))); /* NAN */
	assert_true(json_is_null(json_object_get(row, "p")));
	assert_true(json_is_null(
		json_object_get(row, "better"))); /* undecided is neither true nor false */
	assert_int_equal(json_array_size(json_object_get(row, "points")), 3);
	json_decref(j);
	free(text[0]);
	free(text[1]);
	rows_end(&r);
}

static void incomplete_run(void **state)
{
	struct rows r;
	struct model *m;

	(void)state;
	two_cells(&r, DEEP, "read.iops", 1.1, 0.01);
	r.run.blocks = 8;
	r.run.trials = 16;
	free(r.run.status);
	r.run.status = xstrdup("interrupted");
	r.ntrials--; /* the last trial of block 2 was not reached */
	m = model_of(&r);
	rows_trial_end(&r.trials[r.ntrials]);
	assert_int_equal(m->blocks_planned, 8);
	assert_int_equal(m->blocks_done, 2);
	assert_true(warned(m, "interrupted, 5 of 16 trials, 2 of 8 blocks") &&
		    warned(m, "--resume " ROWS_UUID));
	assert_int_equal(value_of(m, 0, 1, "read.iops")->ratio.n, 2);
	assert_int_equal(value_of(m, 0, 0, "read.iops")->abs.n, 3);
	assert_true(isnan(value_of(m, 0, 0, "read.iops")->points[7]));
	model_free(m);
	rows_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ratio_by_hand),
		cmocka_unit_test(direction_is_data),
		cmocka_unit_test(headline_of_higher),
		cmocka_unit_test(undecided_is_not_marked),
		cmocka_unit_test(small_is_the_same),
		cmocka_unit_test(failed_block),
		cmocka_unit_test(folded_cells),
		cmocka_unit_test(interaction),
		cmocka_unit_test(holm_guards_the_marks),
		cmocka_unit_test(holm_guards_interactions),
		cmocka_unit_test(other_scales),
		cmocka_unit_test(others_explore),
		cmocka_unit_test(median_within_a_bin),
		cmocka_unit_test(primary_is_chosen),
		cmocka_unit_test(variance_of_blocks),
		cmocka_unit_test(checks_and_accelerator),
		cmocka_unit_test(starts_are_watched),
		cmocka_unit_test(a_rung_is_repeated_by_name),
		cmocka_unit_test(artefacts_and_repeat),
		cmocka_unit_test(facts_in_order),
		cmocka_unit_test(json_is_stable),
		cmocka_unit_test(incomplete_run),
		cmocka_unit_test(findings_lead),
		cmocka_unit_test(best_set_without_the_first),
		cmocka_unit_test(side_facts),
		cmocka_unit_test(time_used_up),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
