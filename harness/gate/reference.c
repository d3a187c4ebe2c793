// SPDX-License-Identifier: GPL-2.0-or-later
/* The reference build: kept, verified, named to the profile. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/child.h"
#include "base/file.h"
#include "base/journal.h"
#include "gate/reference.h"

#define MANIFEST "manifest.json"
#define MANIFEST_MAX (1u << 20)
#define FORMAT 1

/* Relative to itself, so that a data folder may move. */
static const char script[] =
	"#!/bin/sh\n"
	"# A build that `vbench gate` keeps, with its own modules and firmware.\n"
	"dir=${0%%/*}\n"
	"QEMU_MODULE_DIR=$dir/modules\n"
	"export QEMU_MODULE_DIR\n"
	"exec \"$dir/bin/%s\" %s\"$@\"\n";

static char *file_part(const char *text)
{
	char *out = xstrdup(text && *text ? text : "_");
	size_t i;

	for (i = 0; out[i]; i++)
		if (!isalnum((unsigned char)out[i]) && !strchr("-_+.", out[i]))
			out[i] = '_';
	if (*out == '.')
		*out = '_';
	return out;
}

static int keep_file(const char *dir, const char *name, const void *data, size_t len, mode_t mode,
		     struct err *e)
{
	char *path = xasprintf("%s/%s", dir, name);
	int rc = file_write(path, data, len, mode, e);

	free(path);
	return rc;
}

/* QEMU itself gets its firmware, too; its companions have no use for it. */
static int keep_script(const char *dir, const char *program, const char *as, bool machine,
		       struct err *e)
{
	char *text = xasprintf(script, program, machine ? "-L \"$dir/firmware\" " : "");
	int rc = keep_file(dir, as, text, strlen(text), 0755, e);

	free(text);
	return rc;
}

static int keep_scripts(const struct gate_build *b, const char *dir, struct err *e)
{
	const char *qemu = strrchr(b->files[0].name, '/') + 1;
	int rc = keep_script(dir, qemu, "qemu-system", true, e);
	size_t i;

	for (i = 1; !rc && i < b->nfiles; i++)
		if (!strncmp(b->files[i].name, "bin/", 4))
			rc = keep_script(dir, b->files[i].name + 4, b->files[i].name + 4, false, e);
	return rc;
}

static int keep_copies(const struct gate_build *b, const char *dir, struct err *e)
{
	static const char *const subs[] = {"bin", "modules", "firmware", "guest"};
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < sizeof(subs) / sizeof(*subs); i++) {
		char *path = xasprintf("%s/%s", dir, subs[i]);

		rc = dir_make(path, 0755, e);
		free(path);
	}
	for (i = 0; !rc && i < b->nfiles; i++) {
		const struct gate_file *f = &b->files[i];
		char *to = xasprintf("%s/%s", dir, f->name), hash[65];

		rc = file_copy(f->from, to, f->executable ? 0755 : 0644, e);
		if (!rc)
			rc = gate_hash(to, hash, e);
		if (!rc && strcmp(hash, f->hash))
			rc = err_set(e, -EIO, "%s changed while it was copied; try again", f->from);
		free(to);
	}
	return rc;
}

/* What vbench wrote itself lies beside the copies, and decides as much what runs. */
static int add_own(json_t *files, const char *dir, const char *name, struct err *e)
{
	char *path = xasprintf("%s/%s", dir, name), hash[65];
	int rc = gate_hash(path, hash, e);

	if (!rc)
		json_array_append_new(files, json_pack("{s:s, s:s}", "name", name, "sha256", hash));
	free(path);
	return rc;
}

static int add_all_own(const struct gate_build *b, const char *dir, json_t *manifest, struct err *e)
{
	json_t *files = json_object_get(manifest, "files");
	int rc = add_own(files, dir, "qemu-system", e);
	size_t i;

	for (i = 1; !rc && i < b->nfiles; i++)
		if (!strncmp(b->files[i].name, "bin/", 4))
			rc = add_own(files, dir, b->files[i].name + 4, e);
	return rc ? rc : add_own(files, dir, "guest/KERNEL", e);
}

/* The record of the accept is on disk at once; the files that it speaks of must be, too. */
static int make_durable(const char *dir, struct err *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0 || syncfs(fd))
		rc = err_set(e, -errno, "%s: %s", dir, strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

static json_t *manifest_of(const struct gate_build *b)
{
	json_t *files = json_array();
	size_t i;

	for (i = 0; i < b->nfiles; i++)
		json_array_append_new(files, json_pack("{s:s, s:s, s:s, s:I}", "name",
						       b->files[i].name, "from", b->files[i].from,
						       "sha256", b->files[i].hash, "bytes",
						       (json_int_t)b->files[i].size));
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:o}", "format", FORMAT, "build",
			 b->fingerprint, "qemu", b->version, "kernel", b->kernel, "text", b->text,
			 "files", files);
}

/* The same list of accelerators and devices, or modules were not found or not taken. */
static int same_answers(const char *a, const char *b, struct err *e)
{
	static const char *const asks[] = {"-accel", "-device"};
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < sizeof(asks) / sizeof(*asks); i++) {
		const char *one[] = {a, asks[i], "help", NULL}, *two[] = {b, asks[i], "help", NULL};
		char *x = NULL, *y = NULL;

		rc = child_run(one, NULL, 30000, &x, e);
		if (!rc)
			rc = child_run(two, NULL, 30000, &y, e);
		if (!rc && strcmp(x, y))
			rc = err_input(
				e,
				"the kept copy of %s answers `%s help` otherwise than the original: "
				"its modules were not found; set QEMU_MODULE_DIR to their folder",
				a, asks[i]);
		free(x);
		free(y);
	}
	return rc;
}

static int keep_all(const struct gate_build *b, const char *dir, struct err *e)
{
	json_t *manifest = manifest_of(b);
	char *text = NULL, *kernel = xasprintf("%s\n", b->kernel);
	char *qemu = xasprintf("%s/qemu-system", dir);
	int rc = keep_copies(b, dir, e);

	if (!rc)
		rc = keep_scripts(b, dir, e);
	if (!rc)
		rc = keep_file(dir, "guest/KERNEL", kernel, strlen(kernel), 0644, e);
	if (!rc)
		rc = add_all_own(b, dir, manifest, e);
	text = json_dumps(manifest, JSON_INDENT(1));
	if (!rc)
		rc = keep_file(dir, MANIFEST, text, strlen(text), 0644, e);
	if (!rc)
		rc = same_answers(b->exe, qemu, e);
	json_decref(manifest);
	free(text);
	free(kernel);
	free(qemu);
	return rc;
}

int reference_keep(const struct gate_build *b, const char *data, const char *host,
		   const char *profile, const char *uuid, char **folder, struct err *e)
{
	char *name = file_part(profile), *journals = xasprintf("%s/journal", data);
	char *above = xasprintf("%s/ref/%.16s/%s", data, host, name);
	char *to = xasprintf("%s/%s", above, uuid), *tmp = xasprintf("%s/.%s.tmp", above, uuid);
	struct journal *j = NULL;
	mode_t mask = umask(022); /* QEMU's user must get at its programs, too */
	int rc = 0;

	*folder = NULL;
	if (b->wrapper)
		rc = err_input(e,
			       "guest.qemu: %s is a wrapper around %s, whose effect no copy would "
			       "keep; name the program itself",
			       b->qemu, b->exe);
	if (!rc)
		rc = dir_make(above, 0755, e);
	if (!rc)
		rc = journal_open(journals, &j, e);
	if (!rc)
		rc = journal_path(j, tmp, e);
	if (!rc)
		rc = keep_all(b, tmp, e);
	if (!rc)
		rc = make_durable(tmp, e);
	if (!rc && rename(tmp, to))
		rc = err_set(e, -errno, "%s: %s", to, strerror(errno));
	if (!rc)
		rc = make_durable(above, e);
	if (!rc)
		journal_done_path(j, tmp);
	if (j)
		journal_close(j); /* takes away what is not whole */
	umask(mask);
	if (!rc) {
		*folder = to;
		to = NULL;
	}
	free(name);
	free(journals);
	free(above);
	free(to);
	free(tmp);
	return rc;
}

static int verify_file(const char *folder, const json_t *file, struct err *e)
{
	const char *name = json_string_value(json_object_get(file, "name"));
	const char *want = json_string_value(json_object_get(file, "sha256"));
	char *path, hash[65];
	int rc;

	if (!name || !want || *name == '/' || strstr(name, ".."))
		return err_set(e, -EIO, "%s/" MANIFEST " is damaged", folder);
	path = xasprintf("%s/%s", folder, name);
	rc = gate_hash(path, hash, e);
	if (!rc && strcmp(hash, want))
		rc = err_set(e, -EIO, "%s is not the file that was kept (its SHA-256 differs)",
			     path);
	free(path);
	return rc;
}

int reference_verify(const char *folder, struct err *e)
{
	char *path = xasprintf("%s/" MANIFEST, folder), *text = NULL;
	json_t *manifest = NULL, *files;
	size_t i, n = 0;
	int rc = file_read(path, MANIFEST_MAX, &text, &n);

	if (rc)
		rc = err_set(e, rc, "%s: %s", path, strerror(-rc));
	else
		manifest = json_loadb(text, n, 0, NULL);
	files = json_object_get(manifest, "files");
	if (!rc && !json_array_size(files))
		rc = err_set(e, -EIO, "%s is damaged", path);
	for (i = 0; !rc && i < json_array_size(files); i++)
		rc = verify_file(folder, json_array_get(files, i), e);
	json_decref(manifest);
	free(text);
	free(path);
	return rc;
}

void reference_sets(const char *folder, char *sets[2])
{
	sets[0] = xasprintf("guest.qemu=%s/qemu-system", folder);
	sets[1] = xasprintf("guest.kernel=%s/guest", folder);
}
