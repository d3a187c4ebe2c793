/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direction is data: the same stored run, analysed and reported with the table of metrics as it is,
 * and with every metric's direction turned round. Each program says in WORSE and BETTER which word
 * belongs to more latency and to fewer I/Os (that is, WORSE is "worse" as the table stands), and to
 * the reverse.
 */
#ifndef VB_TESTS_DIRECTION_H
#define VB_TESTS_DIRECTION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <unistd.h>
#include "analysis/model.h"
#include "base/file.h"
#include "reports/report.h"
#include "rows.h"

#define LOW "{\"workload.rw\":\"randread\",\"workload.iodepth\":\"1\",\"workload.numjobs\":\"1\"}"
#define HIGH "{\"workload.rw\":\"randread\",\"workload.iodepth\":\"8\",\"workload.numjobs\":\"1\"}"

/* Under "lat" the change has 20 % more latency; under "iops" as much more I/Os. */
static struct model *direction_model(struct rows *r)
{
	char dir[] = "/tmp/vbench-direction-XXXXXX", *path;
	struct store *s;
	struct model *m;
	struct err e = {0};

	rows_begin(r, "[{\"key\":\"disk.ring\",\"values\":[\"split\",\"packed\"]}]", 8);
	rows_cell(r, "base", "{\"disk.ring\":\"split\",\"guest.arm\":\"base\"}");
	rows_cell(r, "change", "{\"disk.ring\":\"packed\",\"guest.arm\":\"change\"}");
	r->run.meta_json = xstrdup("{\"vs\":{\"base\":[],\"change\":[\"disk.ring=packed\"],"
				   "\"pairs\":[[\"00000000000000c0\",\"00000000000000c1\"]]}}");
	rows_work(r, "lat", LOW);
	rows_work(r, "iops", HIGH);
	for (unsigned k = 0; k < 8; k++)
		for (size_t c = 0; c < 2; c++) {
			double up = (c ? 1.2 : 1) * exp(k % 2 ? 0.005 * c : -0.005 * c);

			rows_sample(rows_trial(r, k, c, 0), "read.lat.mean", 1e5 * up);
			rows_sample(&r->trials[r->ntrials - 1], "cpu_per_io", 1e5 * up);
			rows_sample(rows_trial(r, k, c, 1), "read.iops", 1e4 * up);
			rows_sample(&r->trials[r->ntrials - 1], "image.bytes", c ? 2e9 : 1e9);
		}
	r->run.trials = r->ntrials;
	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/runs.db", dir);
	assert_int_equal(store_open(path, true, &s, &e), 0);
	assert_int_equal(store_run_begin(s, &r->run, r->cells, r->ncells, r->works, r->nworks, &e),
			 0);
	for (size_t i = 0; i < r->ntrials; i++)
		assert_int_equal(store_trial_put(s, r->run.uuid, &r->trials[i], &e), 0);
	assert_int_equal(store_run_status(s, r->run.uuid, "complete", 2, &e), 0);
	assert_int_equal(model_make(s, r->run.uuid, &m, &e), 0);
	store_close(s);
	assert_int_equal(dir_remove(dir, &e), 0);
	free(path);
	return m;
}

static const char *word_of(const struct model *m, size_t work, const char *metric)
{
	const struct model_row *r = &m->workloads[work].rows[1];

	for (size_t j = 0; j < r->nvalues; j++)
		if (!strcmp(r->values[j].metric->id, metric)) {
			assert_int_equal(r->values[j].better,
					 r->values[j].verdict == VERDICT_BETTER);
			assert_true(r->values[j].differs);
			return verdict_word(r->values[j].verdict);
		}
	fail_msg("no %s", metric);
	return NULL;
}

static void direction_in_model(void **state)
{
	struct rows r;
	struct model *m = direction_model(&r);

	(void)state;
	/* +20 % of each, by every kind of comparison: ratio, difference, exact, effect, arms */
	assert_string_equal(word_of(m, 0, "read.lat.mean"), WORSE);
	assert_string_equal(word_of(m, 0, "cpu_per_io"), WORSE);
	assert_string_equal(word_of(m, 1, "read.iops"), BETTER);
	assert_string_equal(word_of(m, 1, "image.bytes"), WORSE);
	assert_string_equal(verdict_word(m->workloads[0].effects[0].verdict), WORSE);
	assert_string_equal(verdict_word(m->workloads[1].effects[0].verdict), BETTER);
	assert_int_equal(m->nvs, 2);
	assert_string_equal(verdict_word(m->vs[0].verdict), WORSE);
	assert_string_equal(verdict_word(m->vs[1].verdict), BETTER);
	/* the cell that is among the best is the other one */
	assert_int_equal(m->workloads[0].rows[0].best_set, !strcmp(WORSE, "worse"));
	assert_int_equal(m->workloads[0].rows[1].best_set, !strcmp(WORSE, "better"));
	/* figures do not depend on the direction */
	assert_true(fabs(m->vs[0].ratio.mid - 1.2) < 1e-9 && fabs(m->vs[1].ratio.mid - 1.2) < 1e-9);
	model_free(m);
	rows_end(&r);
}

static void direction_in_json(void **state)
{
	struct rows r;
	struct model *m = direction_model(&r);
	json_t *j = model_json(m), *vs = json_object_get(j, "vs");

	(void)state;
	assert_string_equal(json_string_value(json_object_get(json_array_get(vs, 0), "verdict")),
			    WORSE);
	assert_string_equal(json_string_value(json_object_get(json_array_get(vs, 1), "verdict")),
			    BETTER);
	assert_string_equal(
		json_string_value(json_object_get(
			json_object_get(json_object_get(j, "metrics"), "read.lat.mean"), "better")),
		!strcmp(WORSE, "worse") ? "lower" : "higher");
	json_decref(j);
	model_free(m);
	rows_end(&r);
}

/* The line of the terminal's report that begins so (behind blanks); ends at its newline. New. */
static char *line_with(const char *text, const char *begin)
{
	const char *at = strstr(text, begin);

	if (!at)
		fail_msg("no line begins with %s in: %s", begin, text);
	return xasprintf("%.*s", (int)strcspn(at, "\n"), at);
}

static void direction_in_text(void **state)
{
	static const struct {
		const char *begin, *word;
	} lines[] = {{"lat, ", WORSE}, {"iops, ", BETTER}};
	struct rows r;
	struct model *m = direction_model(&r);
	char *text = NULL, *line;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	assert_int_equal(report_text(m, f, false, 120), 0);
	fclose(f);
	for (size_t i = 0; i < 2; i++) {
		line = line_with(text, lines[i].begin);
		assert_non_null(strstr(line, lines[i].word));
		assert_null(strstr(line, lines[1 - i].word));
		free(line);
	}
	/* the headline names the worse one first, and says it of the right workload */
	line = xasprintf("1 worse, 1 better. %s, the cell: ",
			 !strcmp(WORSE, "worse") ? "lat" : "iops");
	assert_non_null(strstr(m->headline, line));
	free(line);
	free(text);
	model_free(m);
	rows_end(&r);
}

static void direction_in_page(void **state)
{
	char path[] = "/tmp/vbench-page-XXXXXX", *page = NULL, *vs;
	struct err e = {0};
	struct rows r;
	struct model *m = direction_model(&r);
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(report_html(m, path, &e), 0);
	assert_int_equal(file_read(path, 16 << 20, &page, NULL), 0);
	unlink(path);
	vs = strstr(page, "<section id=\"vs\"");
	assert_non_null(vs);
	*strstr(vs, "</section>") = 0;
	/* latency's line comes first */
	assert_true(strstr(vs, "mark " WORSE) < strstr(vs, "mark " BETTER));
	free(page);
	model_free(m);
	rows_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(direction_in_model),
		cmocka_unit_test(direction_in_json),
		cmocka_unit_test(direction_in_text),
		cmocka_unit_test(direction_in_page),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
