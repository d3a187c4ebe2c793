// SPDX-License-Identifier: GPL-2.0-or-later
/* Whether a state read from a file is one that this room wrote: somebody may have edited it. */
#include <math.h>
#include <string.h>
#include <uuid.h>
#include "tune/tune.h"

#define AXES_MAX 256
#define VALUES_MAX 254

static bool is_uuid(const json_t *s, const char *key)
{
	const char *t = tune_str(s, key);
	uuid_t u;

	return t && strlen(t) == 36 && !uuid_parse(t, u);
}

/* n strings; SIZE_MAX: any number. */
static bool texts(const json_t *list, size_t n)
{
	size_t i;
	const json_t *v;

	if (!json_is_array(list) || (n != SIZE_MAX && json_array_size(list) != n))
		return false;
	json_array_foreach(list, i, v) if (!json_is_string(v)) return false;
	return true;
}

static bool number(const json_t *s, const char *key, double lo, double hi)
{
	const json_t *v = json_object_get(s, key);

	return json_is_number(v) && json_number_value(v) >= lo && json_number_value(v) <= hi;
}

static const char *axes(const json_t *s)
{
	const json_t *list = json_object_get(s, "axes"), *a;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > AXES_MAX)
		return "axes";
	json_array_foreach(list, i, a)
	{
		const json_t *values = json_object_get(a, "values");

		if (!tune_str(a, "key") || !strchr(tune_str(a, "key"), '.') ||
		    !tune_str(a, "from") || !texts(values, SIZE_MAX) || !json_array_size(values) ||
		    json_array_size(values) > VALUES_MAX)
			return "axes";
	}
	return NULL;
}

static bool pair(const json_t *p)
{
	return tune_str(p, "base") && tune_str(p, "change") && tune_str(p, "verdict");
}

static bool judged(const json_t *j)
{
	const json_t *p;
	size_t i;

	if (!j)
		return true;
	if (!json_is_array(json_object_get(j, "pairs")))
		return false;
	json_array_foreach(json_object_get(j, "pairs"), i, p) if (!pair(p)) return false;
	return true;
}

static const char *settings(const json_t *s, size_t naxes, bool need_words)
{
	const json_t *list = json_object_get(s, "settings"), *x;
	size_t i;

	if (list && !json_is_array(list))
		return "settings";
	json_array_foreach(list, i, x)
	{
		const json_t *axis = json_object_get(x, "axis"),
			     *worth = json_object_get(x, "worth");

		if (!tune_str(x, "key") || !tune_str(x, "from") || !tune_str(x, "to") ||
		    !json_is_integer(axis) || json_integer_value(axis) < 0 ||
		    (size_t)json_integer_value(axis) >= naxes || (worth && !pair(worth)) ||
		    (need_words && !tune_str(x, "word")))
			return "settings";
	}
	return NULL;
}

static bool kept(const json_t *k)
{
	json_t *set = json_object_get(k, "settings");
	const json_t *v;
	const char *name;

	if (!k)
		return true;
	if (!tune_str(k, "record") || !json_is_object(set))
		return false;
	json_object_foreach(set, name, v) if (!json_is_string(v)) return false;
	return true;
}

static bool search(const json_t *s)
{
	const json_t *found = json_object_get(s, "search"), *m;
	json_t *primary = json_object_get(found, "primary");
	const char *name;

	if (!tune_str(found, "winner") || !json_is_object(primary) || !json_object_size(primary))
		return false;
	json_object_foreach(primary, name, m) if (!json_is_string(m)) return false;
	return true;
}

/* How far it says it is, and what must be there by then. */
static const char *by_phase(const json_t *s, size_t naxes)
{
	static const char *const phases[] = {"search", "final", "confirm", "check", "keep", "done"};
	const char *which = tune_str(s, "recommended");
	size_t at = 0;

	while (at < 6 && strcmp(phases[at], tune_str(s, "phase")))
		at++;
	if (at == 6)
		return "phase";
	if (at >= 1 && (!search(s) || !texts(json_object_get(s, "winner"), naxes)))
		return "winner";
	if (at == 2 && !texts(json_object_get(s, "lean"), naxes))
		return "lean";
	if (at < 3)
		return NULL;
	if (!which || !tune_str(s, "because") ||
	    (strcmp(which, "start") && strcmp(which, "winner") && strcmp(which, "lean")) ||
	    (!strcmp(which, "lean") && !texts(json_object_get(s, "lean"), naxes)))
		return "recommended";
	return NULL;
}

const char *tune_invalid(const json_t *s)
{
	static const char *const needed[] = {"path", "text", "label", "start", "phase"};
	static const char *const ids[] = {"id", "search_run", "final_run", "confirm_run",
					  "exhaustive_run"};
	const json_t *all = json_object_get(s, "all");
	size_t naxes = json_array_size(json_object_get(s, "axes"));
	const char *phase = tune_str(s, "phase"), *why;

	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
		if (!tune_str(s, needed[i]))
			return needed[i];
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++)
		if (!is_uuid(s, ids[i]))
			return ids[i];
	if (strlen(tune_str(s, "start")) != 16)
		return "start";
	if (!texts(json_object_get(s, "sets"), SIZE_MAX))
		return "sets";
	if (!number(s, "visits", 1, 100000))
		return "visits";
	if (!number(s, "blocks", 0, 10000))
		return "blocks";
	if (!number(s, "max_blocks", 1, 100))
		return "max_blocks";
	if (!number(s, "min_effect", 0.001, 0.5))
		return "min_effect";
	if (!judged(json_object_get(s, "final")))
		return "final";
	if (!judged(json_object_get(s, "confirm")))
		return "confirm";
	if (all && !tune_str(all, "best"))
		return "all";
	if (!kept(json_object_get(s, "kept")))
		return "kept";
	why = axes(s);
	if (!why)
		why = by_phase(s, naxes);
	if (!why)
		why = settings(s, naxes, strcmp(phase, "search") && strcmp(phase, "final"));
	return why;
}
