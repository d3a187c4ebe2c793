/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tests of bundles work with: a store with a run and its folder, an empty store, the entries
 * of a bundle. */
#ifndef VB_TESTS_BUNDLE_PLACE_H
#define VB_TESTS_BUNDLE_PLACE_H

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include "tests/unit/store_sample.h"

/* What a test works with: a store with one run and its folder, an empty store, a folder for
 * imported runs. */
struct place {
	char *dir, *run, *from_path, *to_path, *runs, *bundle;
	struct store *from, *to;
};

static inline void put_file(const char *folder, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", folder, name);

	assert_int_equal(file_write(path, text, strlen(text), 0644, NULL), 0);
	free(path);
}

static inline struct place place_make(void **state, const char *bundle)
{
	struct place p = {.dir = *state};
	struct err e = {0};
	char *trial;

	p.run = in_folder(state, "run");
	p.from_path = in_folder(state, "from.db");
	p.to_path = in_folder(state, "to.db");
	p.runs = in_folder(state, "imported/runs");
	p.bundle = in_folder(state, bundle);
	trial = in_folder(state, "run/trials/0");
	expect_rc(dir_make(trial, 0755, &e), 0, &e);
	put_file(p.run, "run.log", "a line\n");
	put_file(trial, "fio.json", "{}");
	put_file(trial, "caf\xc3\xa9", "a name beyond ASCII");
	put_file(trial, "empty", "");
	free(trial);
	p.from = open_store(p.from_path);
	p.to = open_store(p.to_path);
	begin_run(p.from, UUID_A, "build 7", BEGUN, p.run);
	for (unsigned i = 0; i < 5; i++)
		put_trial(p.from, UUID_A, i, i == 3);
	expect_rc(store_run_status(p.from, UUID_A, "complete", BEGUN + 9, &e), 0, &e);
	return p;
}

static inline void place_end(struct place *p)
{
	store_close(p->from);
	store_close(p->to);
	free(p->run);
	free(p->from_path);
	free(p->to_path);
	free(p->runs);
	free(p->bundle);
}

static inline size_t names_in(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *de;
	size_t n = 0;

	while (d && (de = readdir(d)))
		n += strcmp(de->d_name, ".") && strcmp(de->d_name, "..");
	if (d)
		closedir(d);
	return n;
}

static inline size_t count_runs(struct store *s)
{
	struct store_run *r = NULL;
	struct err e = {0};
	size_t n = 0;

	expect_rc(store_runs(s, &r, &n, &e), 0, &e);
	store_runs_free(r, n);
	return n;
}

/* Bytes of one entry of a bundle; caller frees. NULL: it has none of that name. */
static inline char *entry_of(const char *bundle, const char *name, size_t *len)
{
	struct archive *a = archive_read_new();
	struct archive_entry *en;
	char *out = NULL;

	archive_read_support_filter_all(a);
	archive_read_support_format_tar(a);
	assert_int_equal(archive_read_open_filename(a, bundle, 65536), ARCHIVE_OK);
	while (!out && archive_read_next_header(a, &en) == ARCHIVE_OK) {
		if (strcmp(archive_entry_pathname(en), name))
			continue;
		*len = (size_t)archive_entry_size(en);
		out = xcalloc(*len + 1, 1);
		assert_int_equal(archive_read_data(a, out, *len), *len);
	}
	archive_read_free(a);
	return out;
}

#endif
