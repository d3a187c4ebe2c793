// SPDX-License-Identifier: GPL-2.0-or-later
/* The host site: its CPU window on looks written down by hand, fio's document among notes, and
 * whole jobs with shell scripts in fio's place. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/file.h"
#include "base/term.h"
#include "guest/host.h"

#define MS 1000000ull

/* --- the window --- */

/*
 * Looks every 20 ms: fio alone for 100 ms (3 threads from 60 ms on: the job is being set up), I/O
 * of 400 ms from 100 ms to 500 ms, and fio's end. fio burns 10 ms in each 20 ms while there is I/O,
 * the server 5 ms.
 */
static size_t looks(struct host_sample *x, size_t max)
{
	uint64_t fio = 0, server = 0;
	size_t n;

	for (n = 0; n < max && n * 20 <= 560; n++) {
		uint64_t ms = n * 20;
		bool io = ms > 100 && ms <= 500;

		fio += io ? 10 * MS : MS / 10;
		server += io ? 5 * MS : 0;
		x[n] = (struct host_sample){.ns = 7000 * MS + ms * MS,
					    .threads = ms < 60	   ? 1
						       : ms <= 500 ? 3
								   : 2,
					    .fio = fio,
					    .server = server};
	}
	return n;
}

static json_t *document(double iops, int runtime_ms)
{
	return json_pack("{s:[{s:{s:f, s:i}, s:{s:f, s:i}}]}", "jobs", "read", "iops", iops,
			 "runtime", runtime_ms, "write", "iops", 0.0, "runtime", 0);
}

/*
 * The last look with threads is at 500 ms; the one before it is within the I/O for sure: 480 ms.
 * The first without is at 520 ms; less 400 ms of runtime: measuring had begun by 120 ms. In these
 * 360 ms are 18 looks: 180 ms of fio, 90 ms of the server, and 1000 a second makes 360 I/Os.
 */
static void window_lies_within_the_io(void **state)
{
	struct host_sample x[64];
	size_t n = looks(x, 64);
	struct job_result r = {0};
	json_t *doc = document(1000, 400);

	(void)state;
	host_window(x, n, doc, &r);
	assert_int_equal(r.cpu_fio_ns, 180 * MS);
	assert_int_equal(r.cpu_server_ns, 90 * MS);
	assert_int_equal(r.cpu_ios, 360);
	assert_int_equal(r.cpu_vcpu_ns + r.cpu_iothread_ns + r.cpu_rest_ns, 0);
	json_decref(doc);
}

/* With 100 ms of ramp only the last 300 ms were measured: 220 to 480 ms, 13 looks. */
static void ramp_is_left_out(void **state)
{
	struct host_sample x[64];
	size_t n = looks(x, 64);
	struct job_result r = {0};
	json_t *doc = document(500, 300);

	(void)state;
	host_window(x, n, doc, &r);
	assert_int_equal(r.cpu_fio_ns, 130 * MS);
	assert_int_equal(r.cpu_ios, 130);
	json_decref(doc);
}

/*
 * A busy host: nobody looked between 440 and 600 ms, when the job was over. It may have ended right
 * after the look at 440 ms, or at 600 ms: so it measured from 200 ms on for certain, and till 420
 * ms.
 */
static void window_with_a_gap(void **state)
{
	struct host_sample x[64];
	size_t n = looks(x, 64), i = 0;
	struct job_result r = {0};
	json_t *doc = document(1000, 400);

	(void)state;
	while (i < n && x[i].ns <= 7440 * MS)
		i++;
	x[i] = x[i - 1];
	x[i].ns = 7600 * MS;
	x[i].threads = 0;
	host_window(x, i + 1, doc, &r);
	assert_int_equal(r.cpu_ios, 220);
	assert_int_equal(r.cpu_fio_ns, 110 * MS);
	json_decref(doc);
}

static void short_jobs_have_no_window(void **state)
{
	struct host_sample x[64];
	size_t n = looks(x, 64), i;
	struct job_result r = {0};
	json_t *doc = document(1000, 60), *odd = json_object();

	(void)state;
	host_window(x, n, doc, &r); /* 60 ms less the doubt */
	assert_int_equal(r.cpu_ios, 0);
	host_window(x, n, odd, &r); /* no job in it */
	assert_int_equal(r.cpu_ios, 0);
	for (i = 0; i < 4; i++) /* hardly any looks */
		host_window(x, i, doc, &r);
	host_window(x, 0, NULL, &r);
	assert_int_equal(r.cpu_fio_ns, 0);
	json_decref(doc);
	json_decref(odd);
}

/* --- fio's document --- */

static void document_among_notes(void **state)
{
	static const char text[] =
		"note: first\n{\"a\": 1}\n{\n \"b\": {\"c\": 2, \"c\": 3}\n}\nlast";
	char *notes = NULL;
	json_t *v = host_fio_document(text, strlen(text), &notes);

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(json_object_get(v, "b"), "c")), 3);
	assert_string_equal(notes, "note: first\nlast");
	json_decref(v);
	free(notes);
}

static void broken_documents(void **state)
{
	static const char *const texts[] = {
		"", "\n", "{", "{\"a\": 1}\n{\"b\": ", "no JSON", "[1]"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		char *notes = NULL;

		assert_null(host_fio_document(texts[i], strlen(texts[i]), &notes));
		free(notes);
	}
}

/* People have written a profile, and know no descriptors. */
static void the_engines_words_become_the_profiles(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"fd:12 offers no packed ring (feature bit 34): ring=split, or another device",
		 "the daemon offers no packed ring (feature bit 34): disk.ring=split, or another device"},
		{"fd:12 offers no event index: event_idx=0",
		 "the daemon offers no event index: disk.event-idx=off"},
		{"fd:123 fd:1 xfd:12 string=split", "fd:123 fd:1 xfd:12 string=split"},
		{"queue_size=3: x", "disk.queue-size=3: x"},
		{"disk.ring=split fd:12", "disk.ring=split the daemon"},
		{"", ""},
	};
	char *got;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		got = host_words(cases[i].text, 12, "the daemon");
		assert_string_equal(got, cases[i].want);
		free(got);
	}
	got = host_words("fd:-1", -1, NULL);
	assert_string_equal(got, "fd:-1");
	free(got);
}

/* --- whole jobs --- */

struct place {
	char folder[32];
	char *fio;
	struct journal *journal;
	struct site *site;
	struct disk_plan plan;
	int stop;
};

static int setup(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));
	char *dir;

	strcpy(p->folder, "/tmp/host-XXXXXX");
	if (!mkdtemp(p->folder))
		return -1;
	dir = xasprintf("%s/journal", p->folder);
	p->fio = xasprintf("%s/stand-in", p->folder);
	p->stop = eventfd(0, EFD_CLOEXEC);
	*state = p;
	if (journal_open(dir, &p->journal, NULL))
		return -1;
	free(dir);
	p->site = site_host_new(&(struct host_opts){
		.env = {.journal = p->journal, .stop_fd = p->stop}, .fio = p->fio});
	p->site->folder = p->folder;
	p->plan.engine = xstrdup("ioengine=null\nreport={report}\n");
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	p->site->ops->destroy(p->site);
	journal_close(p->journal);
	dir_remove(p->folder, NULL);
	close(p->stop);
	free(p->plan.engine);
	free(p->fio);
	free(p);
	return 0;
}

/* script stands in fio's place; it finds its output file in $out. */
static int work(struct place *p, const char *script, uint64_t timeout_ms, struct job_result *out,
		struct err *e)
{
	char template_id[40];
	char *text = xasprintf("#!/bin/bash\nout=${2#--output=}\n%s\n", script), *job;
	struct job j = {.timeout_ns = timeout_ms * MS, .interval_ns = 100 * MS};
	int rc = file_write(p->fio, text, strlen(text), 0755, e);

	free(text);
	if (!rc)
		rc = p->site->ops->open(p->site, NULL, &p->plan, template_id, e);
	if (!rc)
		rc = p->site->ops->plug(p->site, &p->plan, e);
	if (rc)
		return rc;
	job = xasprintf("[global]\n%s[x]\n", p->site->engine ? p->site->engine : "");
	j.fio = job;
	rc = p->site->ops->work(p->site, &j, NULL, NULL, out, e);
	free(job);
	return rc;
}

static json_int_t said(const struct job_result *r, const char *key)
{
	return json_integer_value(json_object_get(r->reply, key));
}

/* The job comes as it is, the document and the engine's report go out. */
static void a_job_that_works(void **state)
{
	struct place *p = *state;
	struct job_result r;
	struct err e = {0};
	json_t *ev = NULL;

	assert_int_equal(work(p,
			      "job=$(cat); r=$(sed -n 's/^report=//p' <<<\"$job\")\n"
			      "echo 'word beside it' >&2\n"
			      "echo '{\"queues\": [{\"done\": 5}]}' >$r\n"
			      "echo \"{\\\"lines\\\": $(wc -l <<<\"$job\")}\" >$out",
			      60000, &r, &e),
			 0);
	assert_int_equal(said(&r, "exit"), 0);
	assert_int_equal(said(&r, "signal"), 0);
	/* [global], two lines of the engine, [x] */
	assert_int_equal(json_integer_value(json_object_get(r.fio, "lines")), 4);
	assert_int_equal(json_array_size(json_object_get(r.engine, "queues")), 1);
	assert_non_null(strstr(r.output, "word beside it"));
	assert_int_equal(p->site->ops->ask(p->site, &ev, &e), 0);
	assert_true(json_is_object(json_object_get(ev, "engine")));
	assert_true(json_is_null(json_object_get(ev, "server")));
	json_decref(ev);
	job_result_free(&r);
	p->site->ops->close(p->site, true);
	assert_null(p->site->engine);
}

static void a_job_that_fails(void **state)
{
	struct place *p = *state;
	struct job_result r;
	struct err e = {0};

	assert_int_equal(work(p, "echo 'no such engine' >&2; exit 3", 60000, &r, &e), 0);
	assert_int_equal(said(&r, "exit"), 3);
	assert_null(r.fio);
	assert_non_null(strstr(r.output, "no such engine"));
	job_result_free(&r);
	p->site->ops->close(p->site, false);
	assert_int_equal(work(p, "kill -SEGV $$", 60000, &r, &e), 0);
	assert_int_equal(said(&r, "signal"), SIGSEGV);
	job_result_free(&r);
}

static void a_job_that_hangs(void **state)
{
	struct place *p = *state;
	uint64_t t0 = clock_mono_ns();
	struct job_result r;
	struct err e = {0};

	assert_int_equal(
		work(p, "trap '' TERM INT; echo $$ >&2; while :; do sleep 1; done", 300, &r, &e),
		0);
	assert_true(json_is_true(json_object_get(r.reply, "timed_out")));
	assert_int_equal(kill(atoi(r.output), 0), -1);
	assert_true(clock_mono_ns() - t0 < 60000 * MS);
	job_result_free(&r);
}

static void stopped_by_the_user(void **state)
{
	struct place *p = *state;
	struct job_result r;
	struct err e = {0};

	eventfd_write(p->stop, 1);
	assert_int_equal(work(p, "exec sleep 60", 60000, &r, &e), -EINTR);
	assert_int_equal(p->site->cause, CAUSE_INTERRUPTED);
	job_result_free(&r);
}

/* fio alone would say that its socket is closed: the server's own words come first. */
static void a_server_that_dies_is_blamed(void **state)
{
	struct place *p = *state;
	char *argv[] = {"bash", "-c",	  "read -u $1 x; echo 'out of luck'; exit 9",
			"s",	"{sock}", NULL};
	struct job_result r;
	struct err e = {0};
	char *old = p->plan.engine;

	p->plan.server = (struct disk_server){.argv = argv, .what = "the test's server"};
	p->plan.engine = xstrdup("path=fd:{sock}\n");
	assert_int_equal(work(p, "fd=$(sed -n 's/^path=fd://p'); echo go >&$fd; cat <&$fd; exit 1",
			      60000, &r, &e),
			 -ECONNRESET);
	assert_non_null(strstr(e.text, "the test's server"));
	assert_non_null(strstr(e.text, "exit status 9"));
	assert_non_null(strstr(e.text, "out of luck"));
	job_result_free(&r);
	free(p->plan.engine);
	p->plan.engine = old;
}

/* fio reads ":" as the end of a file's name. */
static void target_is_escaped(void **state)
{
	struct place *p = *state;
	char *old = p->plan.engine, *image;
	struct err e = {0};

	p->plan.engine = NULL;
	p->plan.image = "/a:b/c\\d";
	assert_int_equal(p->site->ops->plug(p->site, &p->plan, &e), 0);
	assert_string_equal(p->site->target, "/a\\:b/c\\\\d");
	p->site->ops->close(p->site, true);
	image = xcalloc(1, 400);
	memset(image, 'x', 399);
	p->plan.image = image;
	assert_int_equal(p->site->ops->plug(p->site, &p->plan, &e), -EINVAL);
	free(image);
	p->plan.image = NULL;
	p->plan.engine = old;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(window_lies_within_the_io),
		cmocka_unit_test(ramp_is_left_out),
		cmocka_unit_test(window_with_a_gap),
		cmocka_unit_test(short_jobs_have_no_window),
		cmocka_unit_test(document_among_notes),
		cmocka_unit_test(broken_documents),
		cmocka_unit_test(the_engines_words_become_the_profiles),
		cmocka_unit_test_setup_teardown(a_job_that_works, setup, teardown),
		cmocka_unit_test_setup_teardown(a_job_that_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(a_job_that_hangs, setup, teardown),
		cmocka_unit_test_setup_teardown(stopped_by_the_user, setup, teardown),
		cmocka_unit_test_setup_teardown(a_server_that_dies_is_blamed, setup, teardown),
		cmocka_unit_test_setup_teardown(target_is_escaped, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
