// SPDX-License-Identifier: GPL-2.0-or-later
/* What a night ran on and with, and how that differs from the night before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "history/internal.h"

/* Facts of the host that numbers hang on and that stay from boot to boot. */
static const struct {
	const char *name, *in, *key;
} facts[] = {
	{"host kernel", NULL, "kernel"},
	{"kernel build", NULL, "kernel_version"},
	{"microcode", NULL, "microcode"},
	{"CPU", "cpu", "brand"},
	{"mitigations", NULL, "mitigations"},
	{"governor", NULL, "governor"},
	{"turbo", NULL, "turbo"},
	{"SMT", NULL, "smt"},
	{"QEMU", "qemu", "version"},
	{"QEMU's package", "qemu", "package"},
};

static json_t *object_of(const char *text)
{
	json_t *j = text ? json_loads(text, 0, NULL) : NULL;

	return j ? j : json_object();
}

static char *word(const json_t *j)
{
	char *text;

	if (json_is_string(j))
		return xstrdup(json_string_value(j));
	text = j && !json_is_object(j) ? json_dumps(j, JSON_ENCODE_ANY) : NULL;
	return text ? text : xstrdup(j ? "other" : "not known");
}

static void differs(FILE *f, size_t *n, const char *name, const json_t *a, const json_t *b)
{
	char *x, *y;

	if (a == b || (a && b && json_equal(a, b)))
		return;
	fputs((*n)++ ? "; " : "", f);
	if (json_is_object(a) || json_is_object(b)) {
		fprintf(f, "%s differ", name);
		return;
	}
	x = word(a);
	y = word(b);
	fprintf(f, "%s %s -> %s", name, x, y);
	free(x);
	free(y);
}

char *history_build_of(const struct store_run *r)
{
	json_t *meta = object_of(r->meta_json);
	const char *text = json_string_value(json_object_get(meta, "fingerprint"));
	char *out = xstrdup(text ? text : "");

	json_decref(meta);
	return out;
}

char *history_surroundings(const struct store_run *then, const struct store_run *now)
{
	json_t *a = object_of(then->host_json), *b = object_of(now->host_json), *x, *y;
	char *was = history_build_of(then), *is = history_build_of(now), *out = NULL;
	size_t len, n = 0, i;
	FILE *f = open_memstream(&out, &len);

	for (i = 0; f && i < sizeof(facts) / sizeof(facts[0]); i++) {
		x = facts[i].in ? json_object_get(a, facts[i].in) : a;
		y = facts[i].in ? json_object_get(b, facts[i].in) : b;
		differs(f, &n, facts[i].name, json_object_get(x, facts[i].key),
			json_object_get(y, facts[i].key));
	}
	if (f && strcmp(was, is))
		fprintf(f, "%sQEMU, guest kernel or tools differ in their hashes", n++ ? "; " : "");
	if (f)
		fclose(f);
	json_decref(a);
	json_decref(b);
	free(was);
	free(is);
	if (!n) {
		free(out);
		return NULL;
	}
	return out;
}
