// SPDX-License-Identifier: GPL-2.0-or-later
/* What a tuning's record says. It is a file: nothing in it is taken to be there, or of its type. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "reports/page.h"

const char *tuning_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

long long tuning_number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static double percent(const json_t *pair, const char *key)
{
	const json_t *v = json_object_get(pair, key);

	return json_is_number(v) ? 100 * (json_number_value(v) - 1) : NAN;
}

char *tuning_speed(const json_t *pair, char *buf, size_t size)
{
	double mid = percent(pair, "speed"), lo = percent(pair, "lo"), hi = percent(pair, "hi");

	const json_t *failed = json_object_get(pair, "failed");
	int n;

	if (json_is_object(failed)) {
		snprintf(buf, size, "%lld of %lld trials failed", tuning_number(failed, "failed"),
			 tuning_number(failed, "of"));
		return buf;
	}
	if (!isfinite(mid))
		n = snprintf(buf, size, "n/a");
	else if (!isfinite(lo) || !isfinite(hi))
		n = snprintf(buf, size, "%+.1f %%", mid);
	else
		n = snprintf(buf, size, "%+.1f %% [%+.1f, %+.1f]", mid, lo, hi);
	if (isfinite(mid) && tuning_number(pair, "blocks") && n > 0 && (size_t)n < size)
		snprintf(buf + n, size - (size_t)n, ", %lld blocks", tuning_number(pair, "blocks"));
	return buf;
}

char *tuning_ids(const json_t *list)
{
	char *out = xstrdup("");
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		char *longer = xasprintf("%s%s%s", out, *out ? ", " : "",
					 json_string_value(v) ? json_string_value(v) : "?");

		free(out);
		out = longer;
	}
	return out;
}

/* The i-th setting of the values named "winner" or "lean"; "start": the first of the axis. */
const char *tuning_value(const struct model *m, const char *which, size_t axis)
{
	const json_t *a = json_array_get(json_object_get(m->tuning, "axes"), axis), *list;
	const char *v;

	list = strcmp(which, "start") ? json_object_get(m->tuning, which)
				      : json_object_get(a, "values");
	v = json_string_value(json_array_get(list, strcmp(which, "start") ? axis : 0));
	return v ? v : "";
}

char *tuning_spent(const struct model *m)
{
	const json_t *t = m->tuning, *search = json_object_get(t, "search");
	long long seen = tuning_number(search, "visits"), cells = tuning_number(t, "cells"),
		  works = json_object_size(json_object_get(search, "primary")), all;
	long long final = tuning_number(json_object_get(t, "final"), "trials"),
		  confirm = tuning_number(json_object_get(t, "confirm"), "trials");

	works = works < 1 ? 1 : works;
	all = tuning_number(json_object_get(t, "price"), "exhaustive_trials");
	return xasprintf(
		"Search %lld trials, proof %lld, confirmation %lld: %lld in all. Exhaustive "
		"search (%lld cells x 5) takes %lld, and proves as little without fresh "
		"blocks.",
		seen * works, final, confirm, seen * works + final + confirm, cells, all);
}

char *tuning_near(const struct model *m)
{
	const json_t *all = json_object_get(m->tuning, "all");
	char buf[96], failed[96] = "";

	if (!json_is_object(all))
		return NULL;
	if (tuning_number(all, "failed"))
		snprintf(failed, sizeof(failed), " (%lld of %lld trials failed)",
			 tuning_number(all, "failed"), tuning_number(all, "trials"));
	if (tuning_number(all, "rank") == 1)
		return xasprintf("All %lld cells were measured 5 times at the end%s: what is "
				 "recommended is the best of them.",
				 tuning_number(all, "cells"), failed);
	return xasprintf(
		"All %lld cells were measured 5 times at the end%s: what is recommended is "
		"number %lld, at %s in speed against the best (%s), which the same trials "
		"selected, so that it looks better than it is.",
		tuning_number(all, "cells"), failed, tuning_number(all, "rank"),
		tuning_speed(all, buf, sizeof(buf)), tuning_text(all, "best"));
}

const char *const tuning_safety =
	"Safety was not traded for speed: what a flush or a write promises the guest is as in the "
	"start; no value was tried that promises less (cache=unsafe, cache.no-flush), or that breaks "
	"a rule of weight \"must\" which the start keeps.";

const char *const search_note =
	"A search, not a measurement of gain: cells that looked good were visited more often, and the "
	"winner was chosen by the same trials, so that its figures here flatter it. No cell is judged; "
	"the gain is measured in fresh blocks, by the run of the proof.";
