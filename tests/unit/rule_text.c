// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tuning.md and the table of rules cannot drift apart: each section has a row and each row a
 * section, with what a reader needs; what a row says can be tried is a key and a value of profiles.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "profile/profile.h"
#include "profile/internal.h"
#include "tuner/internal.h"

static const struct rule_row *const tables[] = {
	rules_cpu,     rules_numa,	rules_memory, rules_block, rules_queue, rules_image,
	rules_network, rules_migration, rules_clock,  rules_guest, rules_host,	rules_ovirt,
};
enum { TABLES = sizeof(tables) / sizeof(tables[0]) };

static void sections_have_rows(void **state)
{
	size_t n;
	const struct rule_text *t = rule_texts(&n);

	(void)state;
	assert_true(n >= 80);
	for (size_t i = 0; i < n; i++)
		if (!rule_find(t[i].id))
			fail_msg("tuning.md: %s has no row", t[i].id);
}

static void rows_have_sections(void **state)
{
	size_t n, rows = 0;

	(void)state;
	rule_texts(&n);
	for (size_t i = 0; i < TABLES; i++)
		for (const struct rule_row *r = tables[i]; r->id; r++, rows++) {
			const struct rule_text *t = rule_text(r->id);

			if (!t)
				fail_msg("%s has no section in tuning.md", r->id);
			assert_string_equal(t->id, r->id); /* in the same case, too */
			assert_non_null(r->check);
		}
	/* with the test above: one to one, so no row and no section is there twice */
	assert_int_equal(rows, n);
	for (size_t i = 0; i < n; i++)
		assert_non_null(rule_at(i));
	assert_null(rule_at(n));
}

static void order_is_the_documents(void **state)
{
	size_t n;
	const struct rule_text *t = rule_texts(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(rule_at(i)->id, t[i].id);
		for (size_t k = 0; k < i; k++)
			if (!strcmp(t[i].id, t[k].id))
				fail_msg("tuning.md: %s is there twice", t[i].id);
	}
}

static void fields_are_there(void **state)
{
	size_t n;
	const struct rule_text *t = rule_texts(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		if (!*t[i].title || !t[i].rule || !t[i].see || !t[i].sources)
			fail_msg("tuning.md: %s lacks its title, Rule, See or Sources", t[i].id);
		if (!*t[i].rule || !*t[i].see || !*t[i].sources)
			fail_msg("tuning.md: %s: an empty field", t[i].id);
		if (t[i].conflict &&
		    (!strchr(t[i].conflict, ';') || !strstr(t[i].conflict, "decide")))
			fail_msg(
				"tuning.md: %s: Conflict shows sides with ; between, and what decides",
				t[i].id);
	}
}

static void links_are_https(void **state)
{
	size_t n;
	const struct rule_text *t = rule_texts(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const char *p = t[i].sources;
		struct rule_source s;
		size_t links = 0, brackets = 0;

		while (rule_link(&p, &s)) {
			links++;
			if (!s.title_len || strncmp(s.url, "https://", 8) || s.url_len < 12 ||
			    memchr(s.url, ' ', s.url_len))
				fail_msg("tuning.md: %s: %.*s is no link", t[i].id, (int)s.url_len,
					 s.url);
		}
		for (p = t[i].sources; (p = strstr(p, "](")); p++)
			brackets++;
		if (!links || links != brackets || strstr(t[i].sources, "http://"))
			fail_msg("tuning.md: %s: Sources are links, [title](https://...)", t[i].id);
	}
}

/* The row of profiles that "disk.cache" names. */
static const struct key_row *key_named(const char *name)
{
	for (int k = 0; k < K_COUNT; k++) {
		const char *section = section_names[profile_keys[k].section];
		size_t len = strlen(section);

		if (!strncmp(name, section, len) && name[len] == '.' &&
		    !strcmp(name + len + 1, profile_keys[k].name))
			return &profile_keys[k];
	}
	return NULL;
}

/* Each of "a,b" is a value of the key. */
static void values_fit(const char *id, const struct key_row *key, const char *values)
{
	char *copy = strdup(values ? values : ""), *save = NULL;

	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		char *canonical = NULL;
		struct err e = {0};

		if (value_parse(key, w, id, &canonical, &e) < 0)
			fail_msg("%s: %s", id, e.text);
		free(canonical);
	}
	free(copy);
}

static void keys_are_those_of_profiles(void **state)
{
	const struct rule_row *r;
	size_t keys = 0;

	(void)state;
	for (size_t i = 0; (r = rule_at(i)); i++) {
		const struct key_row *key;

		if (!r->key) {
			if (r->good || r->other)
				fail_msg("%s: a value without a key", r->id);
			continue;
		}
		keys++;
		key = key_named(r->key);
		if (!key)
			fail_msg("%s: no key %s in profiles", r->id, r->key);
		if (!r->good && !r->advise)
			fail_msg("%s: %s without a value", r->id, r->key);
		values_fit(r->id, key, r->good);
		values_fit(r->id, key, r->other);
	}
	assert_true(keys > 0);
}

/* Rules whose weight is "must" guard data: nothing trades them for speed. */
static void safety_has_no_key(void **state)
{
	const struct rule_row *r;

	(void)state;
	for (size_t i = 0; (r = rule_at(i)); i++) {
		if (r->good && (strstr(r->good, "unsafe") || strstr(r->good, "ignore")))
			fail_msg("%s advises %s", r->id, r->good);
		if (r->other && strstr(r->other, "unsafe"))
			fail_msg("%s lets %s be tried", r->id, r->other);
	}
}

/* By hand: two sections, a field over three lines, prose that is no field, an id that is none. */
static void form(void **state)
{
	char text[] =
		"# Part\n\nprose\n\n## AB-01 A title\n\n- Rule: one\n  two\n  three\n- See: four\n\n"
		"- Sources: [x](https://a.example/b)\n\nprose\n  indented\n\n## Not an id\n\n- Rule: no\n\n"
		"## CD-12 Another\n\n- Size: 5 %\n- Rubbish: six\n";
	struct rule_texts_list list = {0};

	(void)state;
	rule_texts_parse(text, &list);
	assert_int_equal(list.n, 2);
	assert_string_equal(list.text[0].id, "AB-01");
	assert_string_equal(list.text[0].title, "A title");
	assert_string_equal(list.text[0].rule, "one two three");
	assert_string_equal(list.text[0].see, "four");
	assert_string_equal(list.text[0].sources, "[x](https://a.example/b)");
	assert_null(list.text[0].size);
	assert_string_equal(list.text[1].id, "CD-12");
	assert_string_equal(list.text[1].size, "5 %");
	assert_null(list.text[1].rule);
	free(list.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_have_rows),
		cmocka_unit_test(rows_have_sections),
		cmocka_unit_test(order_is_the_documents),
		cmocka_unit_test(fields_are_there),
		cmocka_unit_test(links_are_https),
		cmocka_unit_test(keys_are_those_of_profiles),
		cmocka_unit_test(safety_has_no_key),
		cmocka_unit_test(form),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
