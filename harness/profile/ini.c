/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * INI text -> sections and entries with their lines. libini-config reads it; before that a scan
 * refuses what the library would read over (NUL bytes, endless lines, keys in front of the first
 * section), and notes where sections begin.
 */
#include <ctype.h>
#include <errno.h>
#include <ini_configobj.h>
#include <stdlib.h>
#include <string.h>
#include "profile/internal.h"

#define MAX_SECTIONS 200
#define MAX_KEYS 1000

struct span {
	const char *at;
	size_t len;
};

static struct span trim(const char *at, size_t len)
{
	while (len && (at[0] == ' ' || at[0] == '\t')) {
		at++;
		len--;
	}
	while (len && strchr(" \t\r", at[len - 1]))
		len--;
	return (struct span){at, len};
}

/* The line of that number (from 1), trimmed; empty if there is none. */
static struct span line_at(const char *text, size_t len, unsigned line)
{
	const char *end = text + len;

	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((nl ? nl : end) - text);

		if (!--line)
			return trim(text, n);
		text += n + 1;
	}
	return (struct span){"", 0};
}

/* Length of the well-formed UTF-8 sequence at s (RFC 3629, section 4), 0 if there is none. */
static size_t utf8_len(const unsigned char *s, size_t left)
{
	static const struct {
		unsigned char from, to, lo, hi; /* first byte, bounds of the second */
		size_t len;
	} forms[] = {
		{0x01, 0x7f, 0, 0, 1},	     {0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (s[0] < forms[i].from || s[0] > forms[i].to)
			continue;
		if (forms[i].len > left)
			return 0;
		if (forms[i].len > 1 && (s[1] < forms[i].lo || s[1] > forms[i].hi))
			return 0;
		for (size_t k = 2; k < forms[i].len; k++)
			if ((s[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].len;
	}
	return 0;
}

int text_plain(const char *s, size_t n, const char *place, struct err *e)
{
	if (n > INI_MAX_LINE)
		return err_input(
			e, "%s: the line is %zu bytes long; a profile's lines have at most %u",
			place, n, INI_MAX_LINE);
	for (size_t i = 0; i < n;) {
		unsigned char c = (unsigned char)s[i];
		size_t k = utf8_len((const unsigned char *)s + i, n - i);

		if ((c < 0x20 && c != '\t' && !(c == '\r' && i + 1 == n)) || c == 0x7f)
			return err_input(
				e,
				"%s: byte %zu is the control character 0x%02x; a profile is plain text",
				place, i + 1, c);
		if (!k)
			return err_input(
				e, "%s: byte %zu (0x%02x) is not UTF-8; a profile is UTF-8 text",
				place, i + 1, c);
		i += k;
	}
	return 0;
}

/*
 * Second headings and second keys are found here and not by the library (0.6.2): it does not count
 * these errors, and then writes its messages behind the end of their list. It compares names
 * without case, so this does, too.
 */
static int section_new(const struct ini *ini, const char *name, const char *place, struct err *e)
{
	for (size_t i = 0; i < ini->n; i++) {
		if (strcasecmp(ini->sections[i].name, name))
			continue;
		if (!strncmp(name, "workload", 8) || !strncmp(name, "rung", 4))
			return err_input(e,
					 "%s: [%s] is there twice; give this %s a name of its own",
					 place, name, name[0] == 'w' ? "workload" : "rung");
		return err_input(e, "%s: [%s] is there twice; put its keys under one heading",
				 place, name);
	}
	return 0;
}

static int section_line(struct ini *out, struct span s, const char *place, unsigned line,
			struct err *e)
{
	struct span span;
	char *name;
	int rc;

	if (s.len < 2 || s.at[s.len - 1] != ']')
		return err_input(
			e,
			"%s: the section is not closed; it must end with \"]\", and a comment needs a "
			"line of its own",
			place);
	span = trim(s.at + 1, s.len - 2);
	if (!span.len)
		return err_input(e, "%s: a section needs a name; write for instance [disk]", place);
	for (size_t i = 0; i < span.len; i++)
		if ((unsigned char)span.at[i] > 0x7e || span.len > 100)
			return err_input(
				e,
				"%s: no section has such a name; there are [profile], [host], [guest], "
				"[disk], [rung NAME], [workload NAME] and [run]",
				place);
	name = strndup(span.at, span.len);
	rc = section_new(out, name, place, e);
	if (!rc && out->n == MAX_SECTIONS)
		rc = err_input(e, "%s: more than %d sections; split the profile", place,
			       MAX_SECTIONS);
	if (rc) {
		free(name);
		return rc;
	}
	out->sections = xrealloc(out->sections, out->n + 1, sizeof(*out->sections));
	out->sections[out->n++] = (struct ini_section){.line = line, .name = name};
	return 0;
}

/* Notes a key of the last section; its value is read by the library. */
static int key_line(struct ini *out, struct span s, const char *place, unsigned line, struct err *e)
{
	struct ini_section *sec = &out->sections[out->n - 1];
	const char *eq = memchr(s.at, '=', s.len);
	struct span key = trim(s.at, eq ? (size_t)(eq - s.at) : 0);
	char buf[64], *name;

	if (!key.len) /* the library's errors: no "=", no key */
		return 0;
	name = strndup(key.at, key.len);
	for (size_t i = 0; i < sec->n; i++) {
		if (strcasecmp(sec->entries[i].key, name))
			continue;
		err_input(e, "%s: %s is there twice in this section; keep one of them", place,
			  show(name, buf));
		free(name);
		return -EINVAL;
	}
	if (sec->n == MAX_KEYS) {
		free(name);
		return err_input(e, "%s: more than %d keys in one section; take some out", place,
				 MAX_KEYS);
	}
	sec->entries = xrealloc(sec->entries, sec->n + 1, sizeof(*sec->entries));
	sec->entries[sec->n++] = (struct ini_entry){.line = line, .key = name};
	return 0;
}

/* Line by line, what can be seen without an INI parser. */
static int scan(const char *text, size_t len, const char *path, struct ini *out, struct err *e)
{
	const char *end = text + len;
	unsigned line = 0;
	int rc = 0;

	while (!rc && text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((nl ? nl : end) - text);
		struct span s = trim(text, n);
		char *place = xasprintf("%s:%u", path, ++line);

		rc = text_plain(text, n, place, e);
		if (rc || !s.len || s.at[0] == '#' || s.at[0] == ';')
			; /* nothing more to see */
		else if (s.at[0] == '[')
			rc = section_line(out, s, place, line, e);
		else if (!out->n)
			rc = err_input(
				e,
				"%s: this stands before the first section; begin with one such as [profile] "
				"or [disk]",
				place);
		else
			rc = key_line(out, s, place, line, e);
		free(place);
		text += n + 1;
	}
	return rc;
}

/* A library error ("Error (10) on line 7: ...") in our words. */
static int explain(const char *text, size_t len, const char *path, unsigned code, unsigned line,
		   const char *said, struct err *e)
{
	struct span s = line_at(text, len, line);
	const char *eq = memchr(s.at, '=', s.len);
	struct span key = trim(s.at, eq ? (size_t)(eq - s.at) : s.len);
	char buf[64], word[64] = "";

	if (key.len < sizeof(word))
		memcpy(word, key.at, key.len);
	switch (code) {
	case ERR_NOEQUAL:
		return err_input(
			e,
			"%s:%u: \"%s\" is neither KEY = VALUE nor [SECTION]; put # in front of a comment",
			path, line, show(word[0] ? word : "the line", buf));
	case ERR_NOKEY:
		return err_input(e, "%s:%u: there is no key before the \"=\"; write KEY = VALUE",
				 path, line);
	default:
		return err_input(e, "%s:%u: %s; see `vbench help profile`", path, line, said);
	}
}

/* The first error by line. */
static int first_error(struct ini_cfgobj *cfg, const char *text, size_t len, const char *path,
		       struct err *e)
{
	unsigned code = 0, line = 0, count = ini_config_error_count(cfg);
	const char *said = "this is no INI file";
	char **errors = NULL;
	int rc;

	if (!count || ini_config_get_errors(cfg, &errors))
		errors = NULL;
	for (size_t i = 0; errors && i < count && errors[i]; i++) {
		unsigned c, l;
		int at = 0;

		if (sscanf(errors[i], "%*[^(](%u) on line %u: %n", &c, &l, &at) < 2 || !at)
			continue;
		if (!line || l < line) {
			code = c;
			line = l;
			said = errors[i] + at;
		}
	}
	rc = explain(text, len, path, code, line ? line : 1, said, e);
	if (errors)
		ini_config_free_errors(errors);
	return rc;
}

/* The value of each key that was noted. */
static int take_values(struct ini_cfgobj *cfg, struct ini_section *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct value_obj *vo = NULL;
		const char *v;
		int rc = ini_get_config_valueobj(s->name, s->entries[i].key, cfg,
						 INI_GET_FIRST_VALUE, &vo);

		if (rc || !vo)
			return rc ? -rc : -ENOENT;
		v = ini_get_const_string_config_value(vo, &rc);
		s->entries[i].value = xstrdup(v ? v : "");
	}
	return 0;
}

/* A copy for the library, which wants it writable, and comments in the first column. */
static char *copy_for_library(const char *text, size_t len)
{
	char *copy = xcalloc(len + 1, 1);

	memcpy(copy, text, len);
	for (size_t i = 0; i < len;) {
		size_t n = strcspn(copy + i, "\n"), blank = strspn(copy + i, " \t");

		if (blank && blank < n && strchr("#;", copy[i + blank]))
			copy[i] = '#';
		i += n + 1;
	}
	return copy;
}

static int parse(const char *text, size_t len, const char *path, struct ini *out, struct err *e)
{
	struct ini_cfgfile *file = NULL;
	struct ini_cfgobj *cfg = NULL;
	char *copy = copy_for_library(text, len);
	int rc;

	rc = ini_config_create(&cfg);
	if (!rc)
		rc = ini_config_file_from_mem(copy, (uint32_t)len, &file);
	if (rc) {
		rc = err_input(e, "%s:1: the file cannot be read as UTF-8 text (%s)", path,
			       strerror(rc));
		goto out;
	}
	rc = ini_config_parse(file, INI_STOP_ON_NONE,
			      INI_MV1S_ALLOW | INI_MV2S_ALLOW | INI_MS_MERGE,
			      INI_PARSE_NOWRAP | INI_PARSE_NO_C_COMMENTS, cfg);
	if (rc || ini_config_error_count(cfg)) {
		rc = first_error(cfg, text, len, path, e);
		goto out;
	}
	for (size_t i = 0; !rc && i < out->n; i++)
		rc = take_values(cfg, &out->sections[i]);
	if (rc)
		rc = err_set(e, rc, "%s: libini-config lost a key: %s", path, strerror(-rc));
out:
	if (file)
		ini_config_file_destroy(file);
	if (cfg)
		ini_config_destroy(cfg);
	free(copy);
	return rc;
}

int ini_read(const char *text, size_t len, const char *path, struct ini *out, struct err *e)
{
	int rc;

	*out = (struct ini){0};
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) { /* byte-order mark */
		text += 3;
		len -= 3;
	}
	rc = scan(text, len, path, out, e);
	if (!rc && len > INI_MAX_FILE)
		rc = err_input(e, "%s:1: the file has %zu bytes; a profile has at most %u", path,
			       len, INI_MAX_FILE);
	if (!rc)
		rc = parse(text, len, path, out, e);
	if (rc)
		ini_free(out);
	return rc;
}

void ini_free(struct ini *ini)
{
	for (size_t i = 0; i < ini->n; i++) {
		for (size_t k = 0; k < ini->sections[i].n; k++) {
			free(ini->sections[i].entries[k].key);
			free(ini->sections[i].entries[k].value);
		}
		free(ini->sections[i].entries);
		free(ini->sections[i].name);
	}
	free(ini->sections);
	*ini = (struct ini){0};
}
