// SPDX-License-Identifier: GPL-2.0-or-later
/* What a job on the host came to: fio's document, and the CPU time of its steady part. */
#include <stdio.h>
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

struct reword {
	const char *engine, *profile;
};

/* Longest first where one begins like another. */
static const struct reword words[] = {
	{"queue_size=", "disk.queue-size="},  {"event_idx=0", "disk.event-idx=off"},
	{"event_idx=1", "disk.event-idx=on"}, {"indirect=0", "disk.indirect=off"},
	{"indirect=1", "disk.indirect=on"},   {"ring=split", "disk.ring=split"},
	{"ring=packed", "disk.ring=packed"},
};

/* Letters, digits and _ around a word make it another word. */
static bool in_word(char c)
{
	return c == '_' || c == '.' || c == '-' || (c >= '0' && c <= '9') ||
	       (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool at_socket(const char *at, const char *fd)
{
	size_t n = strlen(fd);

	return n && !strncmp(at, fd, n) && !(at[n] >= '0' && at[n] <= '9');
}

char *host_words(const char *text, int sock, const char *what)
{
	char *out = NULL, fd[24] = "";
	const char *at = text;
	size_t len, i;
	FILE *f = open_memstream(&out, &len);

	if (what)
		snprintf(fd, sizeof(fd), "fd:%d", sock);
	while (f && *at) {
		bool begins = at == text || !in_word(at[-1]);

		if (begins && at_socket(at, fd)) {
			fputs(what, f);
			at += strlen(fd);
			continue;
		}
		for (i = 0; begins && i < sizeof(words) / sizeof(*words); i++)
			if (!strncmp(at, words[i].engine, strlen(words[i].engine)))
				break;
		if (begins && i < sizeof(words) / sizeof(*words)) {
			fputs(words[i].profile, f);
			at += strlen(words[i].engine);
		} else {
			fputc(*at++, f);
		}
	}
	return !f || fclose(f) ? xstrdup(text) : out;
}
