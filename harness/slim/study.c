// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What each way of making an image small is worth: a file system of our own in the states that
 * exports start from, and every recipe tried on each.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "base/file.h"
#include "base/units.h"
#include "slim/study.h"

#define TOOL_MS 600000
#define PART 16 /* files of a sixteenth of the size each */

static const char *const states[STUDY_STATES] = {"fresh", "deleted", "zeroed", "trimmed"};
static const char *const recipes[STUDY_RECIPES] = {"as it is",	    "convert",	     "convert -c",
						   "zero, convert", "trim, convert", "trim only"};

const char *slim_study_state(size_t i)
{
	return states[i];
}

const char *slim_study_recipe(size_t i)
{
	return recipes[i];
}

/* Bytes that do not compress: splitmix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t noise(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static int write_noise(const char *dir, const char *name, uint64_t bytes, uint64_t seed,
		       struct err *e)
{
	char *path = xasprintf("%s/%s", dir, name);
	FILE *f = fopen(path, "we");
	uint64_t n;
	int rc = 0;

	for (n = 0; f && n < bytes; n += sizeof(uint64_t)) {
		uint64_t x = noise(&seed);

		if (fwrite(&x, sizeof(x), 1, f) != 1)
			break;
	}
	if (!f || (fclose(f) || n < bytes))
		rc = err_set(e, errno ? -errno : -EIO, "%s: %s", path, strerror(errno));
	free(path);
	return rc;
}

/* A tool of the host, also where /sbin is not in the user's PATH. */
static int tool(const char *const *argv, struct err *e)
{
	const char *all[24] = {"env"}, *path = getenv("PATH");
	char *set = xasprintf("PATH=%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
	size_t n = 1;
	int rc;

	for (all[n++] = set; *argv && n < 23; argv++)
		all[n++] = *argv;
	rc = child_run(all, NULL, TOOL_MS, NULL, e);
	free(set);
	return rc;
}

static char *image_of(const struct study *y, const char *name)
{
	return xasprintf("%s/%s.qcow2", y->dir, name);
}

static uint64_t allocated_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint64_t)st.st_blocks * 512;
}

/* A new file system with what lies in y->files; junk: a file that is deleted again. */
static int make_state(struct study *y, const char *name, bool junk, struct err *e)
{
	char *raw = xasprintf("%s/%s.raw", y->dir, name), *out = image_of(y, name);
	char *size = xasprintf("%lluk", (unsigned long long)(y->size >> 10));
	char *extra = xasprintf("%s/deleted", y->files);
	const char *mkfs[] = {"mkfs.ext4", "-q", "-F", "-d", y->files, raw, size, NULL};
	const char *rm[] = {"debugfs", "-w", "-R", "rm /deleted", raw, NULL};
	const char *convert[] = {"qemu-img", "convert", "-O", "qcow2", raw, out, NULL};
	int rc = junk ? write_noise(y->files, "deleted", y->size / 2, 99, e) : 0;

	if (!rc)
		rc = tool(mkfs, e);
	if (!rc && junk)
		rc = tool(rm, e);
	if (!rc)
		rc = tool(convert, e);
	unlink(extra);
	unlink(raw);
	free(extra);
	free(size);
	free(out);
	free(raw);
	return rc;
}

/* A copy of another state whose free space its own guest zeroed or trimmed. */
static int make_inside(struct study *y, const char *from, const char *name, enum slim_how how,
		       struct err *e)
{
	char *a = image_of(y, from), *b = image_of(y, name);
	const char *copy[] = {"cp", "--", a, b, NULL}; /* holes stay holes */
	int rc = tool(copy, e);

	if (!rc)
		rc = slim_inside(y->o, b, how, e);
	free(a);
	free(b);
	return rc;
}

static int recipe_slim(struct study *y, const char *image, const char *out, enum slim_how how,
		       struct err *e)
{
	struct slim_opts o = *y->o;
	struct slim_result r;
	int rc;

	o.image = image;
	o.out = out;
	o.how = how;
	o.quiet = true;
	o.force = true;
	rc = slim_run(&o, &r, e);
	slim_result_free(&r);
	return rc;
}

static int recipe_run(struct study *y, size_t state, size_t recipe, uint64_t *bytes, struct err *e)
{
	char *image = image_of(y, states[state]), *out = image_of(y, "out");
	const char *convert[] = {"qemu-img", "convert", "-O", "qcow2", image, out, NULL, NULL};
	const char *packed[] = {"qemu-img", "convert", "-c", "-O", "qcow2", image, out, NULL};
	const char *result = recipe ? out : image;
	int rc = 0;

	switch (recipe) {
	case 1:
		rc = tool(convert, e);
		break;
	case 2:
		rc = tool(packed, e);
		break;
	case 3:
		rc = recipe_slim(y, image, out, SLIM_ZERO, e);
		break;
	case 4:
		rc = recipe_slim(y, image, out, SLIM_TRIM, e);
		break;
	case 5:
		rc = make_inside(y, states[state], "out", SLIM_TRIM, e);
		break;
	}
	*bytes = rc ? 0 : allocated_of(result);
	unlink(out);
	free(out);
	free(image);
	return rc;
}

static int study_files(struct study *y, struct err *e)
{
	char name[16];
	int i, rc = dir_make(y->files, 0700, e);

	for (i = 0; i < 2 && !rc; i++) {
		snprintf(name, sizeof(name), "kept%d", i);
		rc = write_noise(y->files, name, y->size / PART, (uint64_t)i + 1, e);
	}
	return rc;
}

/* Files, three images of up to the whole size, a raw one meanwhile. */
static int study_room(const struct study *y, struct err *e)
{
	struct statvfs v;
	uint64_t keep, avail;
	char a[32], b[32], c[32];

	if (statvfs(y->o->data, &v))
		return err_set(e, -errno, "%s: %s", y->o->data, strerror(errno));
	avail = (uint64_t)v.f_bavail * v.f_frsize;
	keep = y->o->keep ? y->o->keep : slim_keep((uint64_t)v.f_blocks * v.f_frsize);
	if (avail >= keep && avail - keep >= 6 * y->size)
		return 0;
	return err_set(
		e, -ENOSPC,
		"%s has %s free; the study needs %s beside the %s that stay free; make room, use "
		"a smaller --size, or lower --free",
		y->o->data, units_size_text(avail, a, sizeof(a)),
		units_size_text(6 * y->size, b, sizeof(b)), units_size_text(keep, c, sizeof(c)));
}

static int study_all(struct study *y, struct err *e)
{
	size_t i, k;
	int rc = study_files(y, e);

	if (!rc)
		rc = make_state(y, "fresh", false, e);
	if (!rc)
		rc = make_state(y, "deleted", true, e);
	if (!rc)
		rc = make_inside(y, "deleted", "zeroed", SLIM_ZERO, e);
	if (!rc)
		rc = make_inside(y, "deleted", "trimmed", SLIM_TRIM, e);
	for (i = 0; i < STUDY_STATES && !rc; i++)
		for (k = 0; k < STUDY_RECIPES && !rc; k++) {
			if (!y->o->quiet)
				fprintf(stderr, "%s: %s\n", states[i], recipes[k]);
			rc = recipe_run(y, i, k, &y->bytes[i][k], e);
		}
	return rc;
}

int slim_study(const struct slim_opts *o, uint64_t size, struct study *y, struct err *e)
{
	char *journals = xasprintf("%s/journal", o->data);
	struct journal *j = NULL;
	int rc;

	*y = (struct study){.o = o, .size = size};
	y->dir = xasprintf("%s/slim-study-%d", o->data, (int)getpid());
	y->files = xasprintf("%s/files", y->dir);
	rc = dir_make(o->data, geteuid() ? 0700 : 0755, e);
	if (!rc)
		rc = study_room(y, e);
	if (!rc)
		rc = journal_open(journals, &j, e);
	if (!rc)
		rc = journal_path(j, y->dir, e);
	if (!rc)
		rc = dir_make(y->dir, 0700, e);
	if (!rc)
		rc = study_all(y, e);
	/* removes the folder */
	journal_close(j);
	free(journals);
	free(y->files);
	free(y->dir);
	y->files = y->dir = NULL;
	return rc;
}

void slim_study_print(const struct study *y, FILE *out)
{
	char a[32];
	size_t i, k;

	fprintf(out, "%-10s", "state");
	for (k = 0; k < STUDY_RECIPES; k++)
		fprintf(out, " %18s", recipes[k]);
	for (i = 0; i < STUDY_STATES; i++) {
		fprintf(out, "\n%-10s", states[i]);
		for (k = 0; k < STUDY_RECIPES; k++) {
			double ratio = y->bytes[0][0]
					       ? (double)y->bytes[i][k] / (double)y->bytes[0][0]
					       : 0;

			fprintf(out, " %10s (%.2f)", units_size_text(y->bytes[i][k], a, sizeof(a)),
				ratio);
		}
	}
	fprintf(out, "\nin brackets: beside the fresh image as it is\n");
}

json_t *slim_study_json(const struct study *y)
{
	json_t *all = json_object();
	size_t i, k;

	for (i = 0; i < STUDY_STATES; i++) {
		json_t *row = json_object();

		for (k = 0; k < STUDY_RECIPES; k++)
			json_object_set_new(row, recipes[k],
					    json_integer((json_int_t)y->bytes[i][k]));
		json_object_set_new(all, states[i], row);
	}
	return json_pack("{s:I, s:o}", "size", (json_int_t)y->size, "allocated_bytes", all);
}
