/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host makes of a guest's answers about file systems: honest ones are read, others
 * refused. Shapes from wire.h. `fs_decode build OUT AGENT FIO MODULES` makes the initramfs of
 * vbench slim, for tests that boot it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "disk/disk.h"
#include "guest/fs_decode.h"
#include "guest/initramfs.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define VOL(path, type, uuid, label, bytes, refused)                              \
	"{\"path\":" path ",\"type\":" type ",\"uuid\":" uuid ",\"label\":" label \
	",\"bytes\":" bytes ",\"refused\":" refused "}"
#define GOOD VOL("\"/dev/vda1\"", "\"ext4\"", "\"u-1\"", "\"root\"", "1048576", "null")
#define SCAN(table, volumes) "{\"table\":" table ",\"volumes\":" volumes "}"

static json_t *parse(const char *text)
{
	json_t *j = json_loads(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

	if (!j)
		fail_msg("the test's own JSON: %s", text);
	return j;
}

static int scan(const char *text, struct fs_scan *out, struct err *e)
{
	json_t *j = parse(text);
	int rc = fs_decode_scan(j, "/dev/vda", out, e);

	json_decref(j);
	return rc;
}

static void test_scan(void **state)
{
	struct fs_scan s;
	struct err e = {0};

	(void)state;
	assert_int_equal(
		scan(SCAN("\"gpt\"",
			  "[" GOOD
			  "," VOL("\"/dev/vda2\"", "\"crypto_LUKS\"", "\"\"", "\"a\\u001b[2Jb\"",
				  "5", "\"it is\\u0007 encrypted\"") "," VOL("\"/dev/vda3\"",
									     "\"\"", "\"\"", "\"\"",
									     "0",
									     "\"unknown\"") "]"),
		     &s, &e),
		0);
	assert_string_equal(s.table, "gpt");
	assert_int_equal(s.nvolumes, 3);
	assert_string_equal(s.volumes[0].path, "/dev/vda1");
	assert_string_equal(s.volumes[0].type, "ext4");
	assert_string_equal(s.volumes[0].uuid, "u-1");
	assert_string_equal(s.volumes[0].label, "root");
	assert_int_equal(s.volumes[0].bytes, 1048576);
	assert_null(s.volumes[0].refused);
	/* nothing that moves a terminal's cursor */
	assert_string_equal(s.volumes[1].label, "a?[2Jb");
	assert_string_equal(s.volumes[1].refused, "it is? encrypted");
	assert_string_equal(s.volumes[2].type, "");
	fs_scan_free(&s);
	assert_int_equal(scan(SCAN("\"none\"", "[]"), &s, &e), 0);
	assert_int_equal(s.nvolumes, 0);
	fs_scan_free(&s);
}

static void test_scan_refused(void **state)
{
	static const char *const bad[] = {
		"{}",
		SCAN("7", "[]"),
		SCAN("\"\"", "[]"),
		SCAN("\"g\\u0000pt\"", "[]"),
		SCAN("\"a table of too many letters\"", "[]"),
		SCAN("\"gpt\"", "{}"),
		SCAN("\"gpt\"", "[7]"),
		SCAN("\"gpt\"", "[" GOOD "," GOOD "]"),
		/* paths that are not of the disk, or leave /dev */
		SCAN("\"gpt\"",
		     "[" VOL("\"/dev/vdb1\"", "\"ext4\"", "\"\"", "\"\"", "1", "null") "]"),
		SCAN("\"gpt\"",
		     "[" VOL("\"/dev/vda/../sda\"", "\"ext4\"", "\"\"", "\"\"", "1", "null") "]"),
		SCAN("\"gpt\"",
		     "[" VOL("\"/dev/vda 1\"", "\"ext4\"", "\"\"", "\"\"", "1", "null") "]"),
		SCAN("\"gpt\"", "[" VOL("\"vda1\"", "\"ext4\"", "\"\"", "\"\"", "1", "null") "]"),
		SCAN("\"gpt\"", "[" VOL("null", "\"ext4\"", "\"\"", "\"\"", "1", "null") "]"),
		SCAN("\"gpt\"",
		     "[" VOL("\"/dev/vda1\"", "\"e t\"", "\"\"", "\"\"", "1", "null") "]"),
		SCAN("\"gpt\"", "[" VOL("\"/dev/vda1\"", "7", "\"\"", "\"\"", "1", "null") "]"),
		SCAN("\"gpt\"", "[" VOL("\"/dev/vda1\"", "\"ext4\"", "7", "\"\"", "1", "null") "]"),
		SCAN("\"gpt\"",
		     "[" VOL("\"/dev/vda1\"", "\"ext4\"", "\"\"", "null", "1", "null") "]"),
		SCAN("\"gpt\"",
		     "[" VOL("\"/dev/vda1\"", "\"ext4\"", "\"\"", "\"\"", "-1", "null") "]"),
		SCAN("\"gpt\"",
		     "[" VOL("\"/dev/vda1\"", "\"ext4\"", "\"\"", "\"\"", "1.5", "null") "]"),
		SCAN("\"gpt\"", "[" VOL("\"/dev/vda1\"", "\"ext4\"", "\"\"", "\"\"", "1", "7") "]"),
		/* without a type there is nothing to work on */
		SCAN("\"gpt\"", "[" VOL("\"/dev/vda1\"", "\"\"", "\"\"", "\"\"", "1", "null") "]"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct fs_scan s = {.nvolumes = 77};
		struct err e = {0};

		if (scan(bad[i], &s, &e) != -EPROTO)
			fail_msg("was taken: %s", bad[i]);
		assert_true(e.text[0]);
		assert_int_equal(s.nvolumes, 77); /* as it was */
		assert_int_equal(scan(bad[i], &s, NULL), -EPROTO);
	}
}

/* One label more than fits, and one that just fits; too many volumes. */
static void test_scan_bounds(void **state)
{
	char label[130] = "", text[600];
	struct fs_scan s;
	json_t *list = json_array(), *body;

	(void)state;
	memset(label, 'l', 127);
	snprintf(text, sizeof(text),
		 SCAN("\"gpt\"",
		      "[" VOL("\"/dev/vda\"", "\"xfs\"", "\"\"", "\"%s\"", "1", "null") "]"),
		 label);
	assert_int_equal(scan(text, &s, NULL), 0);
	assert_string_equal(s.volumes[0].label, label);
	fs_scan_free(&s);
	memset(label, 'l', 128);
	snprintf(text, sizeof(text),
		 SCAN("\"gpt\"",
		      "[" VOL("\"/dev/vda\"", "\"xfs\"", "\"\"", "\"%s\"", "1", "null") "]"),
		 label);
	assert_int_equal(scan(text, &s, NULL), -EPROTO);
	for (int i = 0; i <= FS_VOLUMES_MAX; i++)
		json_array_append_new(list,
				      json_pack("{s:o, s:s, s:s, s:s, s:i, s:n}", "path",
						json_sprintf("/dev/vda%d", i), "type", "xfs",
						"uuid", "", "label", "", "bytes", 1, "refused"));
	body = json_pack("{s:s, s:o}", "table", "gpt", "volumes", list);
	assert_int_equal(fs_decode_scan(body, "/dev/vda", &s, NULL), -EPROTO);
	json_array_remove(list, 0);
	assert_int_equal(fs_decode_scan(body, "/dev/vda", &s, NULL), 0);
	assert_int_equal(s.nvolumes, FS_VOLUMES_MAX);
	fs_scan_free(&s);
	json_decref(body);
}

static void test_summed(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} table[] = {
		{"{\"files\":1,\"dirs\":2,\"others\":3,\"bytes\":4,\"sha256\":\"" HEX64 "\"}", 0},
		{"{\"files\":-1,\"dirs\":2,\"others\":3,\"bytes\":4,\"sha256\":\"" HEX64 "\"}",
		 -EPROTO},
		{"{\"files\":1,\"dirs\":2.5,\"others\":3,\"bytes\":4,\"sha256\":\"" HEX64 "\"}",
		 -EPROTO},
		{"{\"files\":1,\"dirs\":2,\"others\":null,\"bytes\":4,\"sha256\":\"" HEX64 "\"}",
		 -EPROTO},
		{"{\"files\":1,\"dirs\":2,\"others\":3,\"sha256\":\"" HEX64 "\"}", -EPROTO},
		{"{\"files\":1,\"dirs\":2,\"others\":3,\"bytes\":4,\"sha256\":\"" HEX64 "0\"}",
		 -EPROTO},
		{"{\"files\":1,\"dirs\":2,\"others\":3,\"bytes\":4,\"sha256\":\"\"}", -EPROTO},
		{"{\"files\":1,\"dirs\":2,\"others\":3,\"bytes\":4,\"sha256\":"
		 "\"ABCDEF6789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}",
		 -EPROTO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		json_t *j = parse(table[i].text);
		struct fs_sum s = {.files = 77};

		assert_int_equal(fs_decode_sum(j, &s, NULL), table[i].rc);
		assert_int_equal(s.files, table[i].rc ? 77 : 1);
		if (!table[i].rc) {
			assert_int_equal(s.dirs, 2);
			assert_int_equal(s.others, 3);
			assert_int_equal(s.bytes, 4);
			assert_string_equal(s.sha256, HEX64);
		}
		json_decref(j);
	}
}

static void test_freed(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"bytes\":-1,\"free_bytes\":0,\"seconds\":1}",
		"{\"bytes\":1,\"free_bytes\":\"1\",\"seconds\":1}",
		"{\"bytes\":1,\"free_bytes\":1}",
		"{\"bytes\":1,\"free_bytes\":1,\"seconds\":-0.5}",
		"{\"bytes\":1,\"free_bytes\":1,\"seconds\":1e30}",
	};
	json_t *j = parse("{\"bytes\":4096,\"free_bytes\":8192,\"seconds\":0.25}");
	struct fs_free f = {0};

	(void)state;
	assert_int_equal(fs_decode_free(j, &f, NULL), 0);
	assert_int_equal(f.bytes, 4096);
	assert_int_equal(f.free_bytes, 8192);
	assert_true(f.seconds == 0.25);
	json_decref(j);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = {0};

		j = parse(bad[i]);
		assert_int_equal(fs_decode_free(j, &f, &e), -EPROTO);
		assert_true(e.text[0]);
		assert_int_equal(f.bytes, 4096); /* as it was */
		json_decref(j);
	}
}

static void test_progress(void **state)
{
	static const char *const bad[] = {
		"{\"done_bytes\":-1,\"total_bytes\":2,\"elapsed_ms\":3}",
		"{\"done_bytes\":1,\"total_bytes\":1e9,\"elapsed_ms\":3}",
		"{\"done_bytes\":1,\"total_bytes\":2,\"elapsed_ms\":9000000000000000000}",
		"{\"done_bytes\":1,\"total_bytes\":2}",
	};
	json_t *j = parse("{\"done_bytes\":5,\"total_bytes\":2,\"elapsed_ms\":3}");
	struct fs_progress p;

	(void)state;
	assert_int_equal(fs_decode_progress(j, &p, NULL), 0);
	assert_int_equal(p.done_bytes, 5);
	assert_int_equal(p.total_bytes, 2);
	assert_int_equal(p.elapsed_ns, 3000000);
	json_decref(j);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		j = parse(bad[i]);
		assert_int_equal(fs_decode_progress(j, &p, NULL), -EPROTO);
		json_decref(j);
	}
}

static int build(char **argv)
{
	size_t a = 0, b = 0;
	static const char *const none[] = {NULL};
	const char **all;
	struct initramfs_spec spec = {
		.agent = argv[1], .fio = argv[2], .modules = argv[3], .wanted = none};
	struct err e = {0};
	char hash[65];
	int rc;

	while (disk_guest_modules[a])
		a++;
	while (slim_guest_modules[b])
		b++;
	all = xcalloc(a + b + 1, sizeof(*all));
	memcpy(all, disk_guest_modules, a * sizeof(*all));
	memcpy(all + a, slim_guest_modules, b * sizeof(*all));
	spec.optional = all;
	rc = initramfs_build(&spec, argv[0], hash, &e);
	if (rc)
		fprintf(stderr, "%s\n", e.text);
	free(all);
	return rc ? 1 : 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scan),	    cmocka_unit_test(test_scan_refused),
		cmocka_unit_test(test_scan_bounds), cmocka_unit_test(test_summed),
		cmocka_unit_test(test_freed),	    cmocka_unit_test(test_progress),
	};

	if (argc == 6 && !strcmp(argv[1], "build"))
		return build(argv + 2);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
