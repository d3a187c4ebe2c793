// SPDX-License-Identifier: GPL-2.0-or-later
/* What the agent says about file systems. All of it comes from an untrusted guest. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "guest/fs_decode.h"

#define REFUSED_MAX 1024
#define SECONDS_MAX (7 * 86400.0)

static int field_error(struct err *e, const char *what, const char *key, const char *must)
{
	return err_set(e, -EPROTO, "the guest's %s is not to be believed: \"%s\" must be %s", what,
		       key, must);
}

static int field_count(const json_t *body, const char *what, const char *key, uint64_t *out,
		       struct err *e)
{
	const json_t *v = json_object_get(body, key);

	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return field_error(e, what, key, "a whole number from 0");
	*out = (uint64_t)json_integer_value(v);
	return 0;
}

/* Copies a text that fits into size with its NUL; what would reach a terminal becomes '?'. */
static int field_text(const json_t *body, const char *what, const char *key, char *out, size_t size,
		      struct err *e)
{
	const json_t *v = json_object_get(body, key);
	size_t n = json_string_length(v);

	/* a NUL inside (JSON's \u0000) would hide what follows */
	if (!json_is_string(v) || n >= size || memchr(json_string_value(v), 0, n))
		return field_error(e, what, key, "a text of bounded length");
	for (size_t i = 0; i <= n; i++) {
		unsigned char c = (unsigned char)json_string_value(v)[i];

		out[i] = (c && c < ' ') || c == 127 ? '?' : (char)c;
	}
	return 0;
}

/* Is path the disk, or a partition of it: /dev/ and a plain name that begins with the disk's. */
static bool path_is_of(const char *path, const char *disk)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
	size_t n = strlen(disk);

	return !strncmp(path, "/dev/", 5) && path[5] && !path[5 + strspn(path + 5, plain)] &&
	       !strncmp(path, disk, n);
}

static int volume_decode(const json_t *body, const char *disk, struct fs_volume *v, struct err *e)
{
	static const char what[] = "list of volumes",
			  name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				   "_-";
	const json_t *refused = json_object_get(body, "refused");
	char why[REFUSED_MAX];
	int rc = field_text(body, what, "path", v->path, sizeof(v->path), e);

	if (!rc && !path_is_of(v->path, disk))
		rc = field_error(e, what, "path", "the disk or a partition of it");
	if (!rc)
		rc = field_text(body, what, "type", v->type, sizeof(v->type), e);
	if (!rc && v->type[strspn(v->type, name)])
		rc = field_error(e, what, "type", "a plain name");
	if (!rc)
		rc = field_text(body, what, "uuid", v->uuid, sizeof(v->uuid), e);
	if (!rc)
		rc = field_text(body, what, "label", v->label, sizeof(v->label), e);
	if (!rc)
		rc = field_count(body, what, "bytes", &v->bytes, e);
	if (rc)
		return rc;
	if (json_is_null(refused)) {
		/* What has no type cannot be worked on. */
		return v->type[0] ? 0
				  : field_error(e, what, "refused", "given where no type is known");
	}
	rc = field_text(body, what, "refused", why, sizeof(why), e);
	if (!rc)
		v->refused = xstrdup(why);
	return rc;
}

static bool volume_twice(const struct fs_scan *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(s->volumes[i].path, s->volumes[n].path))
			return true;
	return false;
}

int fs_decode_scan(const json_t *body, const char *disk, struct fs_scan *out, struct err *e)
{
	static const char what[] = "answer to FS_SCAN";
	const json_t *volumes = json_object_get(body, "volumes");
	size_t n = json_array_size(volumes);
	struct fs_scan s = {0};
	int rc = field_text(body, what, "table", s.table, sizeof(s.table), e);

	if (!rc &&
	    (!s.table[0] || s.table[strspn(s.table, "abcdefghijklmnopqrstuvwxyz0123456789")]))
		rc = field_error(e, what, "table", "a plain name");
	if (!rc && (!json_is_array(volumes) || n > FS_VOLUMES_MAX))
		rc = field_error(e, what, "volumes", "a list of bounded length");
	if (rc)
		return rc;
	s.volumes = xcalloc(n ? n : 1, sizeof(*s.volumes));
	for (size_t i = 0; !rc && i < n; i++) {
		s.nvolumes = i + 1;
		rc = volume_decode(json_array_get(volumes, i), disk, &s.volumes[i], e);
		if (!rc && volume_twice(&s, i))
			rc = field_error(e, what, "path", "another for each volume");
	}
	if (rc)
		fs_scan_free(&s);
	else
		*out = s;
	return rc;
}

void fs_scan_free(struct fs_scan *s)
{
	for (size_t i = 0; i < s->nvolumes; i++)
		free(s->volumes[i].refused);
	free(s->volumes);
	*s = (struct fs_scan){0};
}

int fs_decode_sum(const json_t *body, struct fs_sum *out, struct err *e)
{
	static const char what[] = "answer to FS_SUM";
	struct fs_sum s = {0};
	int rc = field_count(body, what, "files", &s.files, e);

	if (!rc)
		rc = field_count(body, what, "dirs", &s.dirs, e);
	if (!rc)
		rc = field_count(body, what, "others", &s.others, e);
	if (!rc)
		rc = field_count(body, what, "bytes", &s.bytes, e);
	if (!rc)
		rc = field_text(body, what, "sha256", s.sha256, sizeof(s.sha256), e);
	if (!rc && (strlen(s.sha256) != 64 || s.sha256[strspn(s.sha256, "0123456789abcdef")]))
		rc = field_error(e, what, "sha256", "64 lower-case hex digits");
	if (!rc)
		*out = s;
	return rc;
}

int fs_decode_free(const json_t *body, struct fs_free *out, struct err *e)
{
	static const char what[] = "answer to FS_FREE";
	const json_t *v = json_object_get(body, "seconds");
	struct fs_free f = {.seconds = json_number_value(v)};
	int rc = field_count(body, what, "bytes", &f.bytes, e);

	if (!rc)
		rc = field_count(body, what, "free_bytes", &f.free_bytes, e);
	if (!rc && (!json_is_number(v) || !isfinite(f.seconds) || f.seconds < 0 ||
		    f.seconds > SECONDS_MAX))
		rc = field_error(e, what, "seconds", "a number in range");
	if (!rc)
		*out = f;
	return rc;
}

int fs_decode_progress(const json_t *body, struct fs_progress *out, struct err *e)
{
	static const char what[] = "progress";
	struct fs_progress p = {0};
	uint64_t ms = 0;
	int rc = field_count(body, what, "done_bytes", &p.done_bytes, e);

	if (!rc)
		rc = field_count(body, what, "total_bytes", &p.total_bytes, e);
	if (!rc)
		rc = field_count(body, what, "elapsed_ms", &ms, e);
	if (!rc && (double)ms > SECONDS_MAX * 1000)
		rc = field_error(e, what, "elapsed_ms", "a whole number in range");
	if (rc)
		return rc;
	p.elapsed_ns = ms * 1000000;
	*out = p;
	return 0;
}
