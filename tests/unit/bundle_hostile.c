/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Importing a hostile or damaged bundle is refused with a sentence and changes nothing. */
#include <errno.h>
#include <fcntl.h>
#include "tests/unit/bundle_place.h"

/* A bundle made by hand. */
struct craft {
	struct archive *a;
};

static void craft_put(struct craft *c, const char *name, int type, const char *link,
		      const void *data, size_t len)
{
	struct archive_entry *en = archive_entry_new();

	archive_entry_set_pathname(en, name);
	archive_entry_set_perm(en, 0777);
	archive_entry_set_filetype(en, type ? (unsigned)type : AE_IFREG);
	archive_entry_set_size(en, (la_int64_t)len);
	if (type == AE_IFLNK)
		archive_entry_set_symlink(en, link);
	else if (link)
		archive_entry_set_hardlink(en, link);
	archive_write_header(c->a, en);
	if (len && !link)
		archive_write_data(c->a, data, len);
	archive_entry_free(en);
}

static struct craft craft_begin(const char *file, const char *manifest, const void *db, size_t len)
{
	struct craft c = {archive_write_new()};

	archive_write_set_format_pax_restricted(c.a);
	archive_write_add_filter_zstd(c.a);
	assert_int_equal(archive_write_open_filename(c.a, file), ARCHIVE_OK);
	if (manifest)
		craft_put(&c, "manifest.json", 0, NULL, manifest, strlen(manifest));
	if (db)
		craft_put(&c, "run.db", 0, NULL, db, len);
	return c;
}

static void craft_end(struct craft *c)
{
	assert_int_equal(archive_write_close(c->a), ARCHIVE_OK);
	archive_write_free(c->a);
}

#define MANIFEST "{\"kind\":\"vbench run\",\"format\":1,\"uuid\":\"" UUID_A "\"}"

/* The bundle must be refused with a sentence that holds say, and leave store and folders as they
 * are. */
static void refused(struct place *p, const char *file, const char *say)
{
	char uuid[37] = "x";
	struct err e = {0};
	int rc = store_import(p->to, file, p->runs, uuid, &e);

	if (rc >= 0)
		fail_msg("taken, though it should be refused: %s", say);
	if (!strstr(e.text, say) || !strstr(e.text, file))
		fail_msg("\"%s\" does not say \"%s\"", e.text, say);
	assert_int_equal(e.status, VB_BAD_INPUT);
	assert_string_equal(uuid, "");
	assert_int_equal(count_runs(p->to), 0);
	assert_int_equal(names_in(p->runs), 0);
}

static void hostile_names_are_refused(void **state)
{
	static const struct {
		const char *name;
		int type;
		const char *link, *say;
	} cases[] = {
		{"artefacts/../../escaped", 0, NULL, "leaves its folder"},
		{"artefacts/..", AE_IFDIR, NULL, "leaves its folder"},
		{"artefacts/a/./b", 0, NULL, "leaves its folder"},
		{"artefacts//etc", 0, NULL, "leaves its folder"},
		{"artefacts/new\nline", 0, NULL, "leaves its folder"},
		{"../escaped", 0, NULL, "not part of a bundle"},
		{"/tmp/vbench-escaped", 0, NULL, "not part of a bundle"},
		{"artefact", 0, NULL, "not part of a bundle"},
		{"artefacts", 0, NULL, "not part of a bundle"},
		{"run.db", 0, NULL, "not part of a bundle"},
		{"artefacts/link", AE_IFLNK, "/etc/passwd", "link, a device"},
		{"artefacts/hard", 0, "run.db", "link, a device"},
		{"artefacts/hard", 0, "/etc/passwd", "link, a device"},
		{"artefacts/fifo", AE_IFIFO, NULL, "link, a device"},
		{"artefacts/dev", AE_IFCHR, NULL, "link, a device"},
		{"artefacts/disk", AE_IFBLK, NULL, "link, a device"},
		{"artefacts/good/below", 0, NULL, "file as a folder"},
		{"artefacts/good", 0, NULL, "one name twice"},
	};
	struct place p = place_make(state, "b.tar");
	char *file = in_folder(state, "evil.tar.zst"), *escaped = in_folder(state, "escaped"), *db,
	     uuid[37];
	struct err e = {0};
	struct craft c;
	size_t len = 0, i;

	expect_rc(store_export(p.from, UUID_A, p.bundle, &e), 0, &e);
	db = entry_of(p.bundle, "run.db", &len);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c = craft_begin(file, MANIFEST, db, len);
		craft_put(&c, "artefacts/good", 0, NULL, "x", 1);
		craft_put(&c, cases[i].name, cases[i].type, cases[i].link, "x",
			  cases[i].type || cases[i].link ? 0 : 1);
		craft_end(&c);
		refused(&p, file, cases[i].say);
		assert_false(path_exists(escaped));
	}
	/* The same without the hostile entry is taken: it is that which was refused. */
	c = craft_begin(file, MANIFEST, db, len);
	craft_put(&c, "artefacts/good", 0, NULL, "x", 1);
	craft_put(&c, "artefacts/folder/", AE_IFDIR, NULL, NULL, 0);
	craft_put(&c, "artefacts/deep/er/file", 0, NULL, "y", 1);
	craft_end(&c);
	expect_rc(store_import(p.to, file, p.runs, uuid, &e), 0, &e);
	free(db);
	free(file);
	free(escaped);
	place_end(&p);
}

static void bombs_are_refused(void **state)
{
	struct place p = place_make(state, "b.tar");
	char *file = in_folder(state, "evil.tar.zst"), *db,
	     *zeros = xcalloc(1, BUNDLE_MAX_FILE + 1), *deep = xcalloc(1, 200);
	struct err e = {0};
	struct craft c;
	size_t len = 0, i;

	expect_rc(store_export(p.from, UUID_A, p.bundle, &e), 0, &e);
	db = entry_of(p.bundle, "run.db", &len);
	/* 64 MiB of zeros are a few KiB here. */
	c = craft_begin(file, MANIFEST, db, len);
	craft_put(&c, "artefacts/zeros", 0, NULL, zeros, BUNDLE_MAX_FILE + 1);
	craft_end(&c);
	refused(&p, file, "far larger");
	c = craft_begin(file, NULL, NULL, 0);
	craft_put(&c, "manifest.json", 0, NULL, zeros, BUNDLE_MAX_MANIFEST + 1);
	craft_end(&c);
	refused(&p, file, "far larger");
	strcpy(deep, "artefacts");
	for (i = 0; i < BUNDLE_MAX_DEPTH + 1; i++)
		strcat(deep, "/d");
	c = craft_begin(file, MANIFEST, db, len);
	craft_put(&c, deep, 0, NULL, "x", 1);
	craft_end(&c);
	refused(&p, file, "leaves its folder");
	free(deep);
	free(zeros);
	free(db);
	free(file);
	place_end(&p);
}

static void odd_manifests_are_refused(void **state)
{
	static const struct {
		const char *manifest, *say;
	} cases[] = {
		{"", "manifest is not one"},
		{"[]", "manifest is not one"},
		{"{\"kind\":\"vbench run\"", "manifest is not one"},
		{"{\"kind\":\"holiday\",\"format\":1,\"uuid\":\"" UUID_A "\"}",
		 "manifest is not one"},
		{"{\"kind\":\"vbench run\",\"format\":2,\"uuid\":\"" UUID_A "\"}", "newer vbench"},
		{"{\"kind\":\"vbench run\",\"format\":0,\"uuid\":\"" UUID_A "\"}", "names no run"},
		{"{\"kind\":\"vbench run\",\"format\":1,\"uuid\":\"../../../../../../../../../../etc/pas\"}",
		 "names no run"},
		{"{\"kind\":\"vbench run\",\"format\":1,\"uuid\":\"" UUID_B "\"}", "another run"},
	};
	struct place p = place_make(state, "b.tar");
	char *file = in_folder(state, "evil.tar.zst"), *db;
	struct err e = {0};
	struct craft c;
	size_t len = 0, i;

	expect_rc(store_export(p.from, UUID_A, p.bundle, &e), 0, &e);
	db = entry_of(p.bundle, "run.db", &len);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c = craft_begin(file, cases[i].manifest, db, len);
		craft_end(&c);
		refused(&p, file, cases[i].say);
	}
	c = craft_begin(file, NULL, db, len);
	craft_end(&c);
	refused(&p, file, "does not begin with a manifest");
	c = craft_begin(file, MANIFEST, NULL, 0);
	craft_end(&c);
	refused(&p, file, "lacks a manifest or a database");
	free(db);
	free(file);
	place_end(&p);
}

static void hostile_databases_are_refused(void **state)
{
	static const struct {
		const char *sql, *say;
	} cases[] = {
		{"CREATE TRIGGER t AFTER INSERT ON run BEGIN DELETE FROM run; END",
		 "schema is not that"},
		{"CREATE VIEW v AS SELECT * FROM run", "schema is not that"},
		{"CREATE TABLE extra (x)", "schema is not that"},
		{"CREATE INDEX i ON trial (block)", "schema is not that"},
		{"DROP INDEX run_by_label", "schema is not that"},
		{"ALTER TABLE trial ADD COLUMN x TEXT", "schema is not that"},
		{"PRAGMA user_version = 3", "newer vbench"},
		{"PRAGMA application_id = 1", "not a store of vbench"},
		{"PRAGMA journal_mode = WAL", "damaged"},
		{"DELETE FROM sample; DELETE FROM asked_got; DELETE FROM trial; DELETE FROM cell; "
		 "DELETE FROM workload; DELETE FROM metric; DELETE FROM run",
		 "exactly one run"},
		{"INSERT INTO run (uuid, host, seed, blocks, trials, begun, ended, status) VALUES ('" UUID_B
		 "', 'h', 1, 1, 1, 1, 1, 'complete')",
		 "exactly one run"},
		{"UPDATE run SET uuid = '" UUID_B "'", "another run"},
		{"UPDATE trial SET folder = '../../../etc'", "outside the run's"},
		{"UPDATE trial SET folder = '/etc'", "outside the run's"},
		{"UPDATE run SET axes = '[{'", "damaged JSON"},
		{"UPDATE cell SET keys = 'x'", "damaged JSON"},
		{"UPDATE trial SET facts = '{\"a\":}' WHERE seq = 3", "damaged JSON"},
		{"UPDATE run SET label = CAST(x'41ff' AS TEXT)", "not UTF-8"},
		{"UPDATE trial SET detail = 'a' || char(0) || 'b' WHERE seq = 3", "not UTF-8"},
		{"PRAGMA foreign_keys = OFF; DELETE FROM trial WHERE seq = 1", "belong to nothing"},
		{"PRAGMA ignore_check_constraints = ON; UPDATE trial SET ok = 7 WHERE seq = 1",
		 "damaged"},
		{"PRAGMA ignore_check_constraints = ON; UPDATE cell SET id = 'an id of far more than 16'"
		 " WHERE idx = 1; UPDATE trial SET cell = 'an id of far more than 16' WHERE seq % 2",
		 "damaged"},
	};
	struct place p = place_make(state, "b.tar");
	char *file = in_folder(state, "evil.tar.zst"), *path = in_folder(state, "run.db"), *good,
	     *db = NULL;
	struct err e = {0};
	char uuid[37];
	struct craft c;
	sqlite3 *raw;
	size_t len = 0, n = 0, i;

	expect_rc(store_export(p.from, UUID_A, p.bundle, &e), 0, &e);
	good = entry_of(p.bundle, "run.db", &len);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(file_write(path, good, len, 0600, NULL), 0);
		assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
		if (sqlite3_exec(raw, cases[i].sql, NULL, NULL, NULL) != SQLITE_OK)
			fail_msg("%s: %s", cases[i].sql, sqlite3_errmsg(raw));
		sqlite3_close(raw);
		assert_int_equal(file_read(path, 1 << 24, &db, &n), 0);
		c = craft_begin(file, MANIFEST, db, n);
		craft_end(&c);
		refused(&p, file, cases[i].say);
		free(db);
	}
	c = craft_begin(file, MANIFEST, "not a database at all", 21);
	craft_end(&c);
	refused(&p, file, "damaged");
	c = craft_begin(file, MANIFEST, good, len / 2);
	craft_end(&c);
	refused(&p, file, "damaged");
	c = craft_begin(file, MANIFEST, "", 0);
	craft_end(&c);
	refused(&p, file, "empty");
	/* The untouched one is taken. */
	c = craft_begin(file, MANIFEST, good, len);
	craft_end(&c);
	expect_rc(store_import(p.to, file, p.runs, uuid, &e), 0, &e);
	free(good);
	free(path);
	free(file);
	place_end(&p);
}

/* Every length of a compressed bundle is refused; flipped bytes of a plain one are refused or
 * taken, never a crash. */
static void damaged_bundles_are_survived(void **state)
{
	struct place p = place_make(state, "b.tar.zst");
	char *file = in_folder(state, "cut.tar.zst"), *plain = in_folder(state, "plain.tar"),
	     *bytes = NULL;
	unsigned random = 4711, i, k;
	struct err e = {0};
	char uuid[37];
	size_t len = 0, cut;

	expect_rc(store_export(p.from, UUID_A, p.bundle, &e), 0, &e);
	expect_rc(store_export(p.from, UUID_A, plain, &e), 0, &e);
	assert_int_equal(file_read(p.bundle, 1 << 24, &bytes, &len), 0);
	for (cut = 0; cut < len - 16; cut += 1 + len / 60) {
		assert_int_equal(file_write(file, bytes, cut, 0600, NULL), 0);
		refused(&p, file, file);
	}
	free(bytes);
	assert_int_equal(file_read(plain, 1 << 24, &bytes, &len), 0);
	for (i = 0; i < 150; i++) {
		char *copy = xcalloc(len, 1);

		memcpy(copy, bytes, len);
		for (k = 0; k < 4; k++) {
			random = random * 1103515245 + 12345;
			copy[random / 16 % len] ^= (char)(1u << (random & 7));
		}
		assert_int_equal(file_write(file, copy, len, 0600, NULL), 0);
		free(copy);
		store_close(p.to);
		unlink(p.to_path);
		p.to = open_store(p.to_path);
		if (store_import(p.to, file, p.runs, uuid, &e) < 0) {
			assert_int_equal(count_runs(p.to), 0);
			assert_true(e.text[0]);
		} else {
			assert_int_equal(count_runs(p.to), 1);
		}
	}
	free(bytes);
	free(plain);
	free(file);
	place_end(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_setup, folder_teardown)
		TEST(hostile_names_are_refused),    TEST(bombs_are_refused),
		TEST(odd_manifests_are_refused),    TEST(hostile_databases_are_refused),
		TEST(damaged_bundles_are_survived),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
