// SPDX-License-Identifier: GPL-2.0-or-later
/* What a job on the host came to: fio's document, and the CPU time of its steady part. */
#include <stdlib.h>
#include <string.h>
#include "guest/host.h"

static double measured_ns(const json_t *job)
{
	static const char *const dirs[] = {"read", "write", "trim"};
	double ms = 0;
	size_t i;

	for (i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
		double d = json_number_value(
			json_object_get(json_object_get(job, dirs[i]), "runtime"));

		if (d > ms)
			ms = d;
	}
	return ms * 1e6;
}

static double rate(const json_t *job)
{
	return json_number_value(json_object_get(json_object_get(job, "read"), "iops")) +
	       json_number_value(json_object_get(json_object_get(job, "write"), "iops")) +
	       json_number_value(json_object_get(json_object_get(job, "trim"), "iops"));
}

void host_window(const struct host_sample *x, size_t n, const json_t *fio, struct job_result *out)
{
	const json_t *job = json_array_get(json_object_get(fio, "jobs"), 0);
	double runtime = measured_ns(job);
	size_t last = n, first;
	double ns;

	while (last && x[last - 1].threads <= HOST_OTHER_THREADS)
		last--;
	if (last < 2 || last == n)
		return;
	/* measuring ended before x[last], the first look without them, and began runtime earlier */
	for (first = 0; first < last; first++)
		if ((double)(x[last].ns - x[first].ns) <= runtime &&
		    x[first].threads > HOST_OTHER_THREADS)
			break;
	/* the look before that may have met the engine's closing: one earlier is within the I/O */
	last -= 2;
	if (last <= first)
		return;
	ns = (double)(x[last].ns - x[first].ns);
	if (ns < 50e6)
		return;
	out->cpu_fio_ns = x[last].fio - x[first].fio;
	out->cpu_server_ns = x[last].server - x[first].server;
	out->cpu_ios = (uint64_t)(rate(job) * ns / 1e9 + 0.5);
}

json_t *host_fio_document(const char *text, size_t len, char **notes)
{
	const char *at = text, *end = text + len;
	json_t *last = NULL;
	size_t size;
	FILE *f = open_memstream(notes, &size);

	while (f && at < end) {
		const char *eol = memchr(at, '\n', (size_t)(end - at));
		json_error_t err;
		json_t *doc = NULL;

		/* an option given twice stands twice in "job options": duplicates are fine */
		if (*at == '{')
			doc = json_loadb(at, (size_t)(end - at), JSON_DISABLE_EOF_CHECK, &err);
		if (doc) {
			json_decref(last);
			last = doc;
			at += err.position;
			continue;
		}
		if (*at == '{') {
			fprintf(f, "fio's JSON, line %d: %s\n", err.line, err.text);
			json_decref(last);
			last = NULL;
			break;
		}
		eol = eol ? eol + 1 : end;
		if (eol - at > 1)
			fwrite(at, 1, (size_t)(eol - at), f);
		at = eol;
	}
	if (f)
		fclose(f);
	return last;
}
