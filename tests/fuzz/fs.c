/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzer of what a hostile guest can say about file systems: any JSON, to all decoders. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "guest/fs_decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What later goes into requests and onto a terminal. */
static void scan_check(const struct fs_scan *s)
{
	for (size_t i = 0; i < s->nvolumes; i++) {
		const struct fs_volume *v = &s->volumes[i];

		if (strncmp(v->path, "/dev/vda", 8) || strchr(v->path + 5, '/') ||
		    (!v->type[0] && !v->refused) || strpbrk(v->label, "\033\n\r"))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *body =
		json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	struct fs_progress progress;
	struct fs_scan scan;
	struct fs_free given;
	struct fs_sum sum;
	struct err e = {0};

	if (!fs_decode_scan(body, "/dev/vda", &scan, &e)) {
		scan_check(&scan);
		fs_scan_free(&scan);
	} else if (!e.text[0]) {
		abort();
	}
	if (!fs_decode_sum(body, &sum, &e) && strlen(sum.sha256) != 64)
		abort();
	if (!fs_decode_free(body, &given, &e) && !(given.seconds >= 0))
		abort();
	fs_decode_progress(body, &progress, &e);
	json_decref(body);
	return 0;
}
