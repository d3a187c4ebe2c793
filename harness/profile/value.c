/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One value of one key: from what people write to canonical text and back, with errors that
 * suggest. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/units.h"
#include "profile/internal.h"

#define BLANKS " \t\r"

const char *show(const char *text, char buf[64])
{
	size_t n = 0;

	while (text[n] && n < 48) {
		buf[n] = (unsigned char)text[n] < 0x20 || text[n] == 0x7f ? '?' : text[n];
		n++;
	}
	while (text[n] && n && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--; /* not in the middle of a UTF-8 sequence */
	strcpy(buf + n, text[n] ? "..." : "");
	return buf;
}

/* Edit distance [Levenshtein 1966] with swapped neighbours as one step; words over 32 bytes are
 * far. */
static unsigned distance(const char *a, const char *b)
{
	unsigned d[34][34];
	size_t n = strlen(a), m = strlen(b);

	if (n > 32 || m > 32)
		return 99;
	for (size_t i = 0; i <= n; i++)
		d[i][0] = (unsigned)i;
	for (size_t k = 0; k <= m; k++)
		d[0][k] = (unsigned)k;
	for (size_t i = 1; i <= n; i++) {
		for (size_t k = 1; k <= m; k++) {
			unsigned best = d[i - 1][k - 1] + (a[i - 1] != b[k - 1]);

			if (d[i - 1][k] + 1 < best)
				best = d[i - 1][k] + 1;
			if (d[i][k - 1] + 1 < best)
				best = d[i][k - 1] + 1;
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] &&
			    d[i - 2][k - 2] + 1 < best)
				best = d[i - 2][k - 2] + 1;
			d[i][k] = best;
		}
	}
	return d[n][m];
}

/* Better than best so far, and near enough to be meant? */
static bool nearer(const char *text, const char *word, unsigned *best)
{
	size_t n = strlen(text);
	unsigned d = distance(text, word), limit = n < 3 ? 1 : n < 8 ? 2 : 3;

	/* "virtio_blk" and "Virtio-BLK" are meant even when many letters differ */
	if (n == strlen(word) && !strcasecmp(text, word))
		d = 0;
	if (d > limit || d >= *best || d >= n)
		return false;
	*best = d;
	return true;
}

const char *nearest_in_array(const char *text, const char *const *words)
{
	const char *found = NULL;
	unsigned best = 99;

	for (; *words; words++)
		if (nearer(text, *words, &best))
			found = *words;
	return found;
}

const char *nearest_in_list(const char *text, const char *list, char *buf, size_t size)
{
	unsigned best = 99;
	bool found = false;

	while (list && *list) {
		size_t n = strcspn(list, ",");
		char word[64];

		snprintf(word, sizeof(word), "%.*s", (int)n, list);
		if (nearer(text, word, &best)) {
			snprintf(buf, size, "%s", word);
			found = true;
		}
		list += n + (list[n] == ',');
	}
	return found ? buf : NULL;
}

/* Is text one of the comma-separated words? */
static bool in_list(const char *text, const char *list)
{
	size_t len = strlen(text);

	while (list && *list) {
		size_t n = strcspn(list, ",");

		if (n == len && !memcmp(text, list, n))
			return true;
		list += n + (list[n] == ',');
	}
	return false;
}

/* "a=b,c=d": what stands for text; into buf, or NULL. */
static const char *alias_of(const char *text, const char *aliases, char *buf, size_t size)
{
	size_t len = strlen(text);

	while (aliases && *aliases) {
		size_t n = strcspn(aliases, ",");

		if (n > len && aliases[len] == '=' && !memcmp(text, aliases, len)) {
			snprintf(buf, size, "%.*s", (int)(n - len - 1), aliases + len + 1);
			return buf;
		}
		aliases += n + (aliases[n] == ',');
	}
	return NULL;
}

/* "a,b,c" as "a, b, c" */
static const char *spaced(const char *list, char buf[160])
{
	size_t n = 0;

	for (; *list && n + 3 < 160; list++) {
		buf[n++] = *list;
		if (*list == ',')
			buf[n++] = ' ';
	}
	buf[n] = 0;
	return buf;
}

/* "a,b=why|c=why": the answer that text gets, into buf; NULL: none. */
static const char *refusal_of(const char *text, const char *refused, char *buf, size_t size)
{
	while (refused && *refused) {
		size_t n = strcspn(refused, "|"), names = strcspn(refused, "=");

		snprintf(buf, size, "%.*s", (int)names, refused);
		if (names < n && in_list(text, buf)) {
			snprintf(buf, size, "%.*s", (int)(n - names - 1), refused + names + 1);
			return buf;
		}
		refused += n + (refused[n] == '|');
	}
	return NULL;
}

static int parse_enum(const struct key_row *row, const char *text, const char *where, char **out,
		      struct err *e)
{
	char buf[64], word[64], list[160], reason[256];
	const char *hint, *alias = alias_of(text, row->aliases, word, sizeof(word));
	const char *why = refusal_of(text, row->refused, reason, sizeof(reason));

	if (alias || in_list(text, row->values)) {
		*out = xstrdup(alias ? alias : text);
		return 0;
	}
	if (why)
		return err_input(e, "%s: \"%s\": %s (there are %s)", where, text, why,
				 spaced(row->values, list));
	hint = nearest_in_list(text, row->values, word, sizeof(word));
	if (strstr(text, " #") || strstr(text, " ;"))
		return err_input(e,
				 "%s: \"%s\" is not one of %s; a comment needs a line of its own",
				 where, show(text, buf), spaced(row->values, list));
	return err_input(e, "%s: \"%s\" is not one of %s%s%s%s", where, show(text, buf),
			 spaced(row->values, list), hint ? "; did you mean \"" : "",
			 hint ? hint : "", hint ? "\"?" : "");
}

static int parse_bool(const char *text, const char *where, char **out, struct err *e)
{
	char buf[64];

	if (in_list(text, "on,yes,true,1"))
		*out = xstrdup("on");
	else if (in_list(text, "off,no,false,0"))
		*out = xstrdup("off");
	else
		return err_input(e, "%s: \"%s\" is not one of on, off", where, show(text, buf));
	return 0;
}

const char *bound_text(const struct key_row *row, uint64_t v, char *buf, size_t size)
{
	char num[24];

	if (row->type == KT_PERCENT)
		return percent_text(v, buf, size);
	if (row->type == KT_RATIO) {
		char *ratio = percent_canonical(v);

		snprintf(buf, size, "%s", ratio);
		free(ratio);
		return buf;
	}
	snprintf(num, sizeof(num), "%llu", (unsigned long long)v);
	return key_value_text(row, num, buf, size);
}

static int check_range(const struct key_row *row, uint64_t v, const char *text, const char *where,
		       struct err *e)
{
	char lo[32], hi[32], buf[64];

	bound_text(row, row->min, lo, sizeof(lo));
	bound_text(row, row->max, hi, sizeof(hi));
	if (row->max && (v < row->min || v > row->max))
		return err_input(e, "%s: \"%s\" is out of range; it must be from %s to %s", where,
				 show(text, buf), lo, hi);
	if (v < row->min)
		return err_input(e, "%s: \"%s\" is too small; it must be at least %s", where,
				 show(text, buf), lo);
	if (row->step && v % row->step)
		return err_input(e, "%s: \"%s\" must be a multiple of %s", where, show(text, buf),
				 bound_text(row, row->step, lo, sizeof(lo)));
	return 0;
}

static int parse_number(const struct key_row *row, const char *text, const char *where, char **out,
			struct err *e)
{
	static const char *const kinds[] = {
		[KT_INT] = "a whole number; write for instance 4",
		[KT_SIZE] =
			"a size; write a number with k, M, G or T behind it, for instance 4k or 1G",
		[KT_TIME] =
			"a time; write a number with ns, us, ms, s, m or h behind it, for instance 700ms",
		[KT_PERCENT] = "a share with at most four decimals; write for instance 5%",
		[KT_RATIO] = "a ratio with at most six decimals; write for instance 1.5",
	};
	char buf[64], *end;
	uint64_t v = 0;
	int rc;

	if (row->type == KT_SIZE) {
		rc = units_size(text, &v);
	} else if (row->type == KT_TIME) {
		rc = units_time(text, &v);
	} else if (row->type == KT_PERCENT || row->type == KT_RATIO) {
		rc = percent_parse(text, &v);
	} else {
		errno = 0;
		v = strtoull(text, &end, 10);
		rc = text[0] < '0' || text[0] > '9' || *end ? -EINVAL : -errno;
	}
	if (rc == -ERANGE)
		return err_input(e, "%s: \"%s\" is too large a number", where, show(text, buf));
	if (rc)
		return err_input(e, "%s: \"%s\" is not %s%s%s", where, show(text, buf),
				 kinds[row->type], row->words ? ", or " : "",
				 row->words ? row->words : "");
	rc = check_range(row, v, text, where, e);
	if (!rc && (row->type == KT_PERCENT || row->type == KT_RATIO))
		*out = percent_canonical(v);
	else if (!rc)
		*out = xasprintf("%llu", (unsigned long long)v);
	return rc;
}

static int parse_text(const struct key_row *row, const char *text, const char *where, char **out,
		      struct err *e)
{
	size_t limit = row->max ? row->max : row->type == KT_PATH ? 4000 : 200;

	if (strlen(text) > limit)
		return err_input(e, "%s: the text is %zu bytes long; at most %zu are taken", where,
				 strlen(text), limit);
	*out = xstrdup(text);
	return 0;
}

int value_parse(const struct key_row *row, const char *text, const char *where, char **canonical,
		struct err *e)
{
	const char *why;
	char buf[64];
	int rc;

	*canonical = NULL;
	if (row->words && in_list(text, row->words)) {
		*canonical = xstrdup(text);
		return 0;
	}
	switch (row->type) {
	case KT_ENUM:
		rc = parse_enum(row, text, where, canonical, e);
		break;
	case KT_BOOL:
		rc = parse_bool(text, where, canonical, e);
		break;
	case KT_INT:
	case KT_SIZE:
	case KT_TIME:
	case KT_PERCENT:
	case KT_RATIO:
		rc = parse_number(row, text, where, canonical, e);
		break;
	default:
		rc = parse_text(row, text, where, canonical, e);
		break;
	}
	why = !rc && row->check ? row->check(*canonical) : NULL;
	if (why) {
		rc = err_input(e, "%s: \"%s\" %s", where, show(text, buf), why);
		free(*canonical);
		*canonical = NULL;
	}
	return rc;
}

char *value_default(const struct key_row *row)
{
	char *v = NULL;

	if (row->def)
		value_parse(row, row->def, row->name, &v, NULL);
	return v;
}

/*
 * Does this element of a list go on with the one before? "host,+x2apic" and "q35,hmat=on" are one
 * value each: QEMU's own syntax separates a model from its options by commas, too.
 */
static bool continues(const struct key_row *row, const char *text)
{
	return row && (row->id == K_CPU || row->id == K_MACHINE) &&
	       (text[0] == '+' || text[0] == '-' || strchr(text, '='));
}

/* Splits at commas and trims; every element is new. */
static char **split(const struct key_row *row, const char *text, size_t *n)
{
	char **parts = NULL;

	*n = 0;
	for (;;) {
		size_t len = strcspn(text, ","), a = strspn(text, BLANKS), b = len;
		char *part;

		if (a > len)
			a = len;
		while (b > a && strchr(BLANKS, text[b - 1]))
			b--;
		part = strndup(text + a, b - a);
		if (*n && continues(row, part)) {
			char *joined = xasprintf("%s,%s", parts[*n - 1], part);

			free(parts[*n - 1]);
			free(part);
			parts[*n - 1] = joined;
		} else {
			parts = xrealloc(parts, *n + 1, sizeof(*parts));
			parts[(*n)++] = part;
		}
		if (!text[len])
			return parts;
		text += len + 1;
	}
}

static int parse_parts(const struct key_row *row, char **parts, size_t n, const char *where,
		       struct err *e)
{
	char buf[64];
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i++) {
		char *v = NULL;

		if (!parts[i][0])
			return err_input(
				e, "%s: a value of the list is empty; take the stray comma out",
				where);
		if (!row)
			v = xstrdup(parts[i]);
		else
			rc = value_parse(row, parts[i], where, &v, e);
		for (size_t k = 0; !rc && k < i; k++)
			if (!strcmp(parts[k], v))
				rc = err_input(e, "%s: \"%s\" is in the list twice; take one out",
					       where, show(parts[i], buf));
		free(parts[i]);
		parts[i] = v;
		if (!v)
			parts[i] = xstrdup("");
	}
	return rc;
}

int value_list(const struct key_row *row, bool axis, const char *text, const char *where,
	       char ***values, size_t *n, struct err *e)
{
	bool prose = row && !axis && (row->type == KT_STRING || row->type == KT_PATH);
	char buf[64], list[160];
	int rc;

	text += strspn(text, BLANKS);
	if (!*text && row && row->values)
		return err_input(e, "%s: there is no value; write one of %s, or take the line out",
				 where, spaced(row->values, list));
	if (!*text)
		return err_input(e, "%s: there is no value; write one, or take the line out",
				 where);
	if (!axis && !prose && row && strchr(text, ','))
		return err_input(e, "%s: \"%s\" is a list, but this key takes one value", where,
				 show(text, buf));
	if (prose || !axis) {
		*values = xcalloc(1, sizeof(**values));
		(*values)[0] = xstrdup(text);
		*n = 1;
	} else {
		*values = split(row, text, n);
	}
	rc = parse_parts(row, *values, *n, where, e);
	if (rc) {
		for (size_t i = 0; i < *n; i++)
			free((*values)[i]);
		free(*values);
		*values = NULL;
		*n = 0;
	}
	return rc;
}

const char *key_full_name(const struct key_row *row, char *buf, size_t size)
{
	snprintf(buf, size, "%s.%s", section_names[row->section], row->name);
	return buf;
}

const char *key_value_text(const struct key_row *row, const char *canonical, char *buf, size_t size)
{
	bool number = canonical && canonical[0] >= '0' && canonical[0] <= '9';
	uint64_t millionths;

	if (row && row->type == KT_PERCENT && number && !percent_parse(canonical, &millionths))
		return percent_text(millionths, buf, size);
	if (row && row->type == KT_SIZE && number)
		return units_size_spell(strtoull(canonical, NULL, 10), buf, size);
	if (row && row->type == KT_TIME && number)
		return units_time_spell(strtoull(canonical, NULL, 10), buf, size);
	snprintf(buf, size, "%s", canonical ? canonical : "");
	return buf;
}
