// SPDX-License-Identifier: GPL-2.0-or-later
/* The record of an ends' check in the data folder. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/file.h"
#include "bisect/record.h"
#include "host/host.h"
#include "store/store.h"

#define PROFILE_MAX (1u << 20)
#define RECORD_MAX (1u << 20)

/* A setting, and which file it means when its value is the path of one. */
static void add_sets(char **text, const char *what, const struct set_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const char *eq = strchr(l->text[i], '=');
		char *had = *text;
		struct stat st;

		if (eq && !stat(eq + 1, &st))
			*text = xasprintf("%s%s %s (%" PRId64 " bytes, %" PRId64 ".%09ld)\n", had,
					  what, l->text[i], (int64_t)st.st_size,
					  (int64_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
		else
			*text = xasprintf("%s%s %s\n", had, what, l->text[i]);
		free(had);
	}
}

char *bisect_record_of(const struct bisect_opts *o, const struct set_list *good,
		       const struct set_list *bad, struct err *e)
{
	char host[65], *profile = NULL, *text, *whole;
	int rc = host_id(host, e);

	if (rc)
		return NULL;
	rc = file_read(o->arms.profile, PROFILE_MAX, &profile, NULL);
	if (rc) {
		err_input(e, "%s: %s", o->arms.profile, strerror(-rc));
		return NULL;
	}
	text = xasprintf("host %s\npairs %u, smallest effect %g, series %s\n", host, o->end_pairs,
			 o->min_effect, o->series ? o->series : "any");
	add_sets(&text, "both", &o->arms.sets);
	add_sets(&text, "good", good);
	add_sets(&text, "bad", bad);
	whole = xasprintf("%s%s", text, profile);
	free(text);
	free(profile);
	return whole;
}

/* FNV-1a, 64 bits [Fowler, Noll & Vo]: names the file; what is in it says whether it is the one. */
static char *record_path(const char *of)
{
	uint64_t h = 0xcbf29ce484222325ull;
	char *dir = store_data_dir(), *path;

	for (const char *p = of; *p; p++)
		h = (h ^ (unsigned char)*p) * 0x100000001b3ull;
	path = xasprintf("%s/bisect/%016" PRIx64 ".json", dir, h);
	free(dir);
	return path;
}

static char *take_text(const json_t *j, const char *key)
{
	const char *t = json_string_value(json_object_get(j, key));

	return t ? xstrdup(t) : NULL;
}

static double take_real(const json_t *j, const char *key)
{
	const json_t *v = json_object_get(j, key);

	return json_is_number(v) ? json_number_value(v) : NAN;
}

static bool decode(const json_t *j, const char *of, struct bisect_ends *x)
{
	const char *whose = json_string_value(json_object_get(j, "of"));
	const char *run = json_string_value(json_object_get(j, "run"));
	const char *cell = json_string_value(json_object_get(j, "cell"));
	json_int_t pairs = json_integer_value(json_object_get(j, "pairs"));
	json_int_t cells = json_integer_value(json_object_get(j, "cells"));

	if (!whose || strcmp(whose, of) || !run || strlen(run) >= sizeof(x->uuid) || !cell ||
	    strlen(cell) >= sizeof(x->cell))
		return false;
	x->recorded = true;
	x->shown = json_is_true(json_object_get(j, "shown"));
	x->difference = json_is_true(json_object_get(j, "difference"));
	x->workload = take_text(j, "workload");
	x->label = take_text(j, "label");
	x->metric = take_text(j, "metric");
	x->why = take_text(j, "why");
	x->delta = take_real(j, "delta");
	x->lo = take_real(j, "lo");
	x->hi = take_real(j, "hi");
	x->sd = take_real(j, "sd");
	x->pairs = pairs > 0 && pairs < 100000 ? (unsigned)pairs : 0;
	x->cells = cells > 0 && cells < 100000 ? (size_t)cells : 1;
	strcpy(x->uuid, run);
	strcpy(x->cell, cell);
	return x->shown ? x->workload && x->label && x->metric && isfinite(x->delta) &&
				  isfinite(x->sd) && x->pairs > 1
			: x->why != NULL;
}

int bisect_record_read(const char *of, struct bisect_ends *out)
{
	char *path = record_path(of), *text = NULL;
	json_t *j = NULL;
	int rc = file_read(path, RECORD_MAX + PROFILE_MAX, &text, NULL);

	*out = (struct bisect_ends){0};
	if (!rc) {
		j = json_loads(text, 0, NULL);
		if (!json_is_object(j) || !decode(j, of, out)) {
			bisect_ends_free(out);
			rc = -ENOENT;
		}
	}
	json_decref(j);
	free(text);
	free(path);
	return rc ? -ENOENT : 0;
}

static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

int bisect_record_write(const char *of, const struct bisect_ends *x, struct err *e)
{
	json_t *j = json_pack(
		"{s:s, s:s, s:b, s:b, s:s?, s:s?, s:s, s:s?, s:s?, s:o, s:o, s:o, s:o, s:i, s:I}",
		"of", of, "run", x->uuid, "shown", x->shown, "difference", x->difference,
		"workload", x->workload, "label", x->label, "cell", x->cell, "metric", x->metric,
		"why", x->why, "delta", number(x->delta), "lo", number(x->lo), "hi", number(x->hi),
		"sd", number(x->sd), "pairs", (int)x->pairs, "cells", (json_int_t)x->cells);
	char *text = j ? json_dumps(j, JSON_INDENT(1)) : NULL, *path = record_path(of), *dir;
	int rc;

	json_decref(j);
	/* a profile that is not UTF-8 has no JSON: the ends are then measured for every step */
	if (!text) {
		free(path);
		return 0;
	}
	dir = path_folder(path);
	rc = dir_make(dir, 0755, e);
	if (!rc)
		rc = file_write(path, text, strlen(text), 0644, e);
	free(dir);
	free(path);
	free(text);
	return rc;
}
