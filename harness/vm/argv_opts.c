/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An option's argument, key=value or JSON, as one flat list of pairs. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "vm/internal.h"

enum { KEY_MAX = 200 };

void argv_note(struct argv_reader *r, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	if (r->vm->nnotes > ARGV_NOTES)
		return;
	if (r->vm->nnotes == ARGV_NOTES) {
		vm_note(r->vm, "there is more that is not understood");
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	vm_note(r->vm, "%s", text);
}

void argv_opt_free(struct argv_opt *o)
{
	for (size_t i = 0; i < o->npairs; i++) {
		free(o->pairs[i].key);
		free(o->pairs[i].value);
	}
	free(o->pairs);
	free(o->text);
}

static void pair_add(struct argv_opt *o, char *key, char *value)
{
	/* Grown by doubling: an argument may have a million commas. */
	if (!(o->npairs & (o->npairs - 1)))
		o->pairs = xrealloc(o->pairs, o->npairs ? o->npairs * 2 : 1, sizeof(*o->pairs));
	o->pairs[o->npairs++] = (struct argv_pair){key, value};
}

void argv_opt_add(struct argv_opt *o, const char *key, const char *value)
{
	pair_add(o, xstrdup(key), xstrdup(value));
}

/* Up to the next single comma; two commas stand for one. */
static char *value_cut(const char **text)
{
	const char *p = *text;
	char *out = xcalloc(1, strlen(p) + 1);
	size_t n = 0;

	for (; *p; p++) {
		if (*p == ',' && *++p != ',')
			break;
		out[n++] = *p;
	}
	*text = p;
	return xrealloc(out, n + 1, 1);
}

/* An argument with a million parts would be a million allocations; none has a thousand. */
enum { PAIRS_MAX = 4096 };

static void keys_parse(struct argv_reader *r, struct argv_opt *o, const char *implied)
{
	const char *p = o->text;

	for (bool first = true; *p; first = false) {
		size_t len = strcspn(p, "=,");
		char *key;

		if (o->npairs >= PAIRS_MAX) {
			argv_note(r, "%s has too many parts; the rest is left aside", o->where);
			return;
		}
		if (p[len] == '=') {
			key = xcalloc(1, len + 1);
			memcpy(key, p, len);
			p += len + 1;
			pair_add(o, key, value_cut(&p));
		} else if (first && implied && *implied) {
			pair_add(o, xstrdup(implied), value_cut(&p));
		} else {
			/* QEMU's short booleans: "ipv6" is on, "noipv6" is off. */
			char *word = value_cut(&p);
			bool no = !strncmp(word, "no", 2) && word[2];

			if (no)
				pair_add(o, xstrdup(word + 2), xstrdup("off"));
			pair_add(o, word, xstrdup("on"));
		}
	}
}

static void cpu_parse(struct argv_opt *o)
{
	const char *p = o->text;

	for (bool first = true; *p && o->npairs < PAIRS_MAX; first = false) {
		char *word = value_cut(&p), *eq = strchr(word, '=');

		if (first && !eq) {
			pair_add(o, xstrdup("model"), word);
			continue;
		}
		if (word[0] == '+' || word[0] == '-') {
			pair_add(o, xstrdup(word + 1), xstrdup(word[0] == '+' ? "on" : "off"));
		} else if (eq) {
			*eq = '\0';
			pair_add(o, xstrdup(word), xstrdup(eq + 1));
		} else if (*word) {
			pair_add(o, xstrdup(word), xstrdup("on"));
		}
		free(word);
	}
}

static void json_flatten(struct argv_opt *o, const char *key, json_t *v, int depth)
{
	char path[KEY_MAX], number[32];
	const char *name;
	json_t *sub;
	size_t i;

	if (depth > ARGV_DEPTH || o->npairs >= PAIRS_MAX)
		return;
	if (json_is_object(v)) {
		json_object_foreach(v, name, sub) if (snprintf(path, sizeof(path), "%s%s%s", key,
							       *key ? "." : "", name) < KEY_MAX)
			json_flatten(o, path, sub, depth + 1);
	} else if (json_is_array(v)) {
		json_array_foreach(v, i, sub) if (snprintf(path, sizeof(path), "%s%s%zu", key,
							   *key ? "." : "", i) < KEY_MAX)
			json_flatten(o, path, sub, depth + 1);
	} else if (json_is_string(v)) {
		char *clean = vm_clean_text(json_string_value(v), strlen(json_string_value(v)));

		argv_opt_add(o, key, clean);
		free(clean);
	} else if (json_is_integer(v)) {
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		argv_opt_add(o, key, number);
	} else if (json_is_boolean(v)) {
		argv_opt_add(o, key, json_is_true(v) ? "on" : "off");
	} else if (json_is_null(v)) {
		pair_add(o, xstrdup(key), NULL);
	}
}

bool argv_opt_json(struct argv_opt *o, const char *prefix, const char *text)
{
	/* A number over 63 bits (iops-total=18446744073709551615) must not spoil the rest. */
	json_t *v = json_loads(text, JSON_DISABLE_EOF_CHECK, NULL);

	if (!v)
		v = json_loads(text, JSON_DISABLE_EOF_CHECK | JSON_DECODE_INT_AS_REAL, NULL);
	if (!json_is_object(v)) {
		json_decref(v);
		return false;
	}
	json_flatten(o, prefix, v, 0);
	json_decref(v);
	return true;
}

void argv_opt_parse(struct argv_reader *r, struct argv_opt *o, const struct argv_option *row)
{
	if (!o->text)
		return;
	switch (row->kind) {
	case ARGV_FLAG:
	case ARGV_TEXT:
		return;
	case ARGV_CPU:
		cpu_parse(o);
		return;
	case ARGV_KEYS:
		if (o->text[0] == '{') {
			if (!argv_opt_json(o, "", o->text))
				argv_note(r, "%s is not the JSON that it begins as", o->where);
			return;
		}
		keys_parse(r, o, row->implied);
		break;
	}
	/* "json:{...}" as a file name describes a whole node. */
	for (size_t i = 0; i < o->npairs; i++) {
		struct argv_pair *p = &o->pairs[i];
		char *text;

		if (strcmp(p->key, "file") || !p->value || strncmp(p->value, "json:", 5))
			continue;
		text = p->value;
		p->value = NULL;
		if (!argv_opt_json(o, "file", text + 5))
			argv_note(r, "%s: what follows json: is not JSON", o->where);
		free(text);
		return;
	}
}

const char *argv_get(const struct argv_opt *o, const char *fmt, ...)
{
	char key[KEY_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(key, sizeof(key), fmt, ap);
	va_end(ap);
	for (size_t i = o->npairs; i-- > 0;)
		if (!strcmp(o->pairs[i].key, key))
			return o->pairs[i].value;
	return NULL;
}

bool argv_has(const struct argv_opt *o, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < o->npairs; i++)
		if (!strncmp(o->pairs[i].key, key, len) &&
		    (!o->pairs[i].key[len] || o->pairs[i].key[len] == '.'))
			return true;
	return false;
}

const struct argv_opt *argv_next(const struct argv_reader *r, const char *name,
				 const struct argv_opt *prev)
{
	for (size_t i = prev ? (size_t)(prev - r->opts) + 1 : 0; i < r->nopts; i++)
		if (!strcmp(r->opts[i].name, name))
			return &r->opts[i];
	return NULL;
}

const char *argv_merged(const struct argv_reader *r, const char *name, const char *key,
			const struct argv_opt **o)
{
	const char *found = NULL, *value;
	const struct argv_opt *p = NULL;

	while ((p = argv_next(r, name, p))) {
		value = argv_get(p, "%s", key);
		if (!value)
			continue;
		found = value;
		if (o)
			*o = p;
	}
	return found;
}

const struct argv_opt *argv_by_id(struct argv_reader *r, const char *name, const char *key,
				  const char *id)
{
	const struct argv_opt *o = NULL, *found = NULL;

	while ((o = argv_next(r, name, o))) {
		const char *value = argv_get(o, "%s", key);

		r->steps += o->npairs + 1;
		if (r->steps > ARGV_STEPS)
			return NULL;
		if (value && !strcmp(value, id))
			found = o;
	}
	return found;
}

/* Property names as QEMU's older spellings had them. */
static bool same_property(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char x = a[i] == '_' ? '-' : a[i], y = b[i] == '_' ? '-' : b[i];

		if (x != y || !x)
			return false;
	}
	return !b[len];
}

/* "driver.property=value" of -global, or its three keys. */
static const char *global_value(const struct argv_opt *g, const char *driver, const char *property)
{
	size_t len = strlen(driver);

	if (argv_get(g, "driver") && argv_get(g, "property")) {
		const char *p = argv_get(g, "property");

		return !strcmp(argv_get(g, "driver"), driver) &&
				       same_property(p, property, strlen(p))
			       ? argv_get(g, "value")
			       : NULL;
	}
	for (size_t i = 0; i < g->npairs; i++) {
		const char *key = g->pairs[i].key;

		if (!strncmp(key, driver, len) && key[len] == '.' &&
		    same_property(key + len + 1, property, strlen(key + len + 1)))
			return g->pairs[i].value;
	}
	return NULL;
}

const char *argv_property(const struct argv_reader *r, const struct argv_opt *device,
			  const char *property, const char **where)
{
	const char *driver = argv_get(device, "driver"), *found = NULL, *value;
	const struct argv_opt *g = NULL;

	for (size_t i = device->npairs; i-- > 0;) {
		const char *key = device->pairs[i].key;

		if (!same_property(key, property, strlen(key)))
			continue;
		if (where)
			*where = device->where;
		return device->pairs[i].value;
	}
	while (driver && (g = argv_next(r, "global", g))) {
		value = global_value(g, driver, property);
		if (!value)
			continue;
		found = value;
		if (where)
			*where = g->where;
	}
	return found;
}

int argv_bool(const char *value)
{
	static const char *const yes[] = {"on", "yes", "true", "y", "1"};
	static const char *const no[] = {"off", "no", "false", "n", "0"};

	for (size_t i = 0; value && i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (!strcmp(value, yes[i]))
			return 1;
		if (!strcmp(value, no[i]))
			return 0;
	}
	return -1;
}

bool argv_size(const char *value, unsigned shift, uint64_t *bytes)
{
	static const char suffixes[] = "bkmgtpe";
	const char *suffix;
	uint64_t whole;
	double number;
	char *end;

	if (!isdigit((unsigned char)*value))
		return false;
	errno = 0;
	whole = strtoull(value, &end, 0);
	if (errno)
		return false;
	number = (double)whole;
	if (*end == '.' && isdigit((unsigned char)end[1]))
		number = strtod(value, &end);
	if (*end) {
		suffix = strchr(suffixes, tolower((unsigned char)*end));
		if (!suffix || end[1])
			return false;
		shift = 10 * (unsigned)(suffix - suffixes);
	}
	if (number >= (double)(1ull << 63) / (double)(1ull << shift))
		return false;
	/* Through the integer where it is one: a double has 53 bits only. */
	*bytes = number == (double)whole ? whole << shift
					 : (uint64_t)(number * (double)(1ull << shift));
	return true;
}

#define KEY(name, fmt)                                   \
	char name[KEY_MAX];                              \
	do {                                             \
		va_list ap_;                             \
		va_start(ap_, fmt);                      \
		vsnprintf(name, sizeof(name), fmt, ap_); \
		va_end(ap_);                             \
	} while (0)

void argv_set_flag(struct argv_reader *r, const char *value, const char *where, const char *fmt,
		   ...)
{
	KEY(key, fmt);
	/* "auto" is what absence means. */
	if (!value || !strcmp(value, "auto"))
		return;
	if (argv_bool(value) < 0)
		argv_note(r, "%s: \"%.60s\" is not on or off (%s)", where, value, key);
	else
		vm_set_flag(r->vm, VM_ASKED, argv_bool(value), where, "%s", key);
}

void argv_set_number(struct argv_reader *r, const char *value, const char *where, const char *fmt,
		     ...)
{
	unsigned long long number;
	char *end;

	KEY(key, fmt);
	if (!value)
		return;
	errno = 0;
	number = strtoull(value, &end, 0);
	if (!isdigit((unsigned char)*value) || *end || errno)
		argv_note(r, "%s: \"%.60s\" is not a number (%s)", where, value, key);
	else
		vm_set_number(r->vm, VM_ASKED, number, where, "%s", key);
}

void argv_set_size(struct argv_reader *r, const char *value, unsigned shift, const char *where,
		   const char *fmt, ...)
{
	uint64_t bytes;

	KEY(key, fmt);
	if (!value)
		return;
	if (!argv_size(value, shift, &bytes))
		argv_note(r, "%s: \"%.60s\" is not a size (%s)", where, value, key);
	else
		vm_set_number(r->vm, VM_ASKED, bytes, where, "%s", key);
}
