// SPDX-License-Identifier: GPL-2.0-or-later
/* The result, for people and for programs. */
#include <string.h>
#include "base/units.h"
#include "slim/slim.h"

static json_t *text_or_null(const char *s)
{
	json_t *j = s && *s ? json_string(s) : NULL;

	return j ? j : json_null();
}

static json_t *volume_json(const struct slim_volume *v)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:I, s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:I}",
			 "volume", v->name, "type", text_or_null(v->type), "uuid",
			 text_or_null(v->uuid), "label", text_or_null(v->label), "bytes",
			 (json_int_t)v->bytes, "left_alone", text_or_null(v->refused), "files",
			 (json_int_t)v->files, "dirs", (json_int_t)v->dirs, "others",
			 (json_int_t)v->others, "file_bytes", (json_int_t)v->file_bytes, "sha256",
			 text_or_null(v->sum), "how", text_or_null(v->how), "freed_bytes",
			 (json_int_t)v->freed);
}

json_t *slim_json(const struct slim_result *r)
{
	json_t *volumes = json_array(), *notes = json_array();
	size_t i;

	for (i = 0; i < r->nvolumes; i++)
		json_array_append_new(volumes, volume_json(&r->volumes[i]));
	for (i = 0; i < r->nnotes; i++)
		json_array_append_new(notes, text_or_null(r->notes[i]));
	return json_pack(
		"{s:o, s:o, s:s, s:o, s:o, s:o, s:I, s:{s:I, s:I}, s:{s:I, s:I}, s:I, s:I, s:I, "
		"s:b, s:I, s:o, s:o}",
		"image", text_or_null(r->image), "out", text_or_null(r->out), "format", r->format,
		"table", text_or_null(r->table), "compression", text_or_null(r->compress), "accel",
		text_or_null(r->accel), "virtual_size", (json_int_t)r->virtual_size, "before",
		"allocated", (json_int_t)r->before, "size", (json_int_t)r->before_size, "after",
		"allocated", (json_int_t)r->after, "size", (json_int_t)r->after_size, "peak_bytes",
		(json_int_t)r->peak, "time_ns", (json_int_t)r->ns, "cluster_size",
		(json_int_t)r->cluster_size, "extended_l2", r->extended_l2, "l2_cache_size",
		(json_int_t)r->l2_cache, "volumes", volumes, "notes", notes);
}

static void print_volume(const struct slim_volume *v, FILE *out)
{
	char a[32], b[32];

	fprintf(out, "  %-8s %-12s %10s  ", v->name, *v->type ? v->type : "-",
		units_size_text(v->bytes, a, sizeof(a)));
	if (v->refused)
		fprintf(out, "left alone: %s\n", v->refused);
	else if (!*v->sum)
		fprintf(out, "%s\n", *v->how ? "made anew, empty" : "as it was");
	else
		fprintf(out, "%llu files, %s%s%s%s; equal before, after, and in the result\n",
			(unsigned long long)v->files, units_size_text(v->file_bytes, a, sizeof(a)),
			!*v->how		  ? ""
			: !strcmp(v->how, "zero") ? "; zeroed "
						  : "; trimmed ",
			*v->how ? units_size_text(v->freed, b, sizeof(b)) : "", "");
}

void slim_print(const struct slim_result *r, FILE *out)
{
	char a[32], b[32], c[32];
	size_t i;

	fprintf(out, "%s: %s, %s disk, partition table: %s\n", r->image, r->format,
		units_size_text(r->virtual_size, a, sizeof(a)), *r->table ? r->table : "none");
	for (i = 0; i < r->nvolumes; i++)
		print_volume(&r->volumes[i], out);
	fprintf(out, "%s: %s before, %s after", r->out, units_size_text(r->before, a, sizeof(a)),
		units_size_text(r->after, b, sizeof(b)));
	if (r->before)
		fprintf(out, " (%.1f %%)", 100.0 * (double)r->after / (double)r->before);
	fprintf(out, "%s%s\n", *r->compress ? ", compressed with " : "", r->compress);
	fprintf(out, "took %s and at most %s of disk beside the image\n",
		units_time_text(r->ns, a, sizeof(a)), units_size_text(r->peak, b, sizeof(b)));
	fprintf(out,
		"l2-cache-size for the whole disk: %s (%llu bytes: %d for each cluster of %s); QEMU's "
		"default is at most 32 MiB\n",
		units_size_text(r->l2_cache, a, sizeof(a)), (unsigned long long)r->l2_cache,
		r->extended_l2 ? 16 : 8, units_size_text(r->cluster_size, c, sizeof(c)));
}
