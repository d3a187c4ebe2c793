// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzer of machines in files: hwloc's XML as such, with some files beside it, or the whole JSON.
 * What is read is drawn, and guests are placed on it.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "host/gather.h"
#include "host/snapshot.h"
#include "place/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* hwloc 2.9 forgets an object when it gives up on a text. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libhwloc";
}

static void plan_one(const struct place_host *h, enum place_smt smt)
{
	const struct place_guest g[] = {
		{.name = "a", .vcpus = 3, .memory = 1 << 28, .iothreads = 1, .disk_node = 1},
		{.name = "b", .vcpus = 2, .memory = 1 << 30, .page = 1 << 21, .disk_node = -1},
	};
	struct place_opts o;
	struct place_plan p;
	struct err e = {0};
	char *words = NULL;
	size_t len;
	FILE *f = open_memstream(&words, &len);

	if (!f)
		abort();
	place_opts_default(&o);
	o.smt = smt;
	if (place_make(h, g, 2, &o, &p, &e)) {
		if (!*e.text)
			abort();
		place_draw(h, NULL, f);
	} else {
		place_draw(h, &p, f);
		place_text(&p, f);
		place_plan_free(&p);
	}
	fclose(f);
	free(words);
}

static void read_one(const char *text, size_t len)
{
	struct snapshot *s = NULL;
	struct place_host h;
	struct err e = {0};

	if (snapshot_parse(text, len, "fuzz", &s, &e)) {
		if (!*e.text || s)
			abort();
		return;
	}
	place_host_make(s, &h);
	plan_one(&h, PLACE_SIBLINGS);
	plan_one(&h, PLACE_SPREAD);
	place_host_free(&h);
	snapshot_free(s);
}

/* hwloc's own reader is not ours to test: it need not be as strict as we, but we look first. */
static void read_xml(const char *xml)
{
	json_t *doc = json_pack("{s:i, s:s, s:{s:s, s:s, s:s}}", "format", 1, "hwloc", xml, "files",
				"/sys/devices/system/node/online", "0-1",
				"/sys/devices/system/node/node0/meminfo",
				"Node 0 MemTotal: 4194304 kB\nNode 0 MemFree: 1048576 kB",
				"/sys/devices/system/cpu/isolated", "2-3");
	char *text = doc ? json_dumps(doc, 0) : NULL;

	if (text)
		read_one(text, strlen(text));
	free(text);
	json_decref(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy;

	if (!size || size > 1 << 15)
		return 0;
	copy = malloc(size + 1);
	if (!copy)
		abort();
	memcpy(copy, data, size);
	copy[size] = '\0';
	if (*copy == '{') {
		read_one(copy, size);
	} else {
		char *swaps = strdup(copy);

		host_topology_odd(copy);
		host_swaps_clean(swaps);
		host_cmdline_clean(swaps);
		free(swaps);
		read_xml(copy);
	}
	free(copy);
	return 0;
}
