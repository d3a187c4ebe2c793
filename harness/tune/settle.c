// SPDX-License-Identifier: GPL-2.0-or-later
/* What the measured pairs of a tuning come to: a word for each setting, and what is recommended. */
#include <stdlib.h>
#include <string.h>
#include "tune/tune.h"

/* The pair of that name on the base side; NULL: none. */
static const json_t *pair_of(const json_t *judged, const char *base, const char *change)
{
	const json_t *p;
	size_t i;

	json_array_foreach(json_object_get(judged, "pairs"), i,
			   p) if (!strcmp(tune_str(p, "base"), base) &&
				  (!change || !strcmp(tune_str(p, "change"), change))) return p;
	return NULL;
}

static bool failed(const json_t *judged, const char *base, const char *change)
{
	const json_t *p = pair_of(judged, base, change);

	return p && !strcmp(tune_str(p, "verdict"), "failed");
}

/* The sentence of a setting without which trials fail; new. */
static json_t *fails_without(const json_t *pair)
{
	const json_t *f = json_object_get(pair, "failed");

	return json_sprintf("%lld of %lld trials failed without it",
			    json_integer_value(json_object_get(f, "failed")),
			    json_integer_value(json_object_get(f, "of")));
}

/*
 * kept: the winner is shown better than itself without the setting; dropped: shown worse or shown
 * the same, so that it is not worth having; bound: there is no cell without it, or none whose
 * trials succeed; else undecided.
 */
static void judge_settings(json_t *state, const json_t *judged)
{
	json_t *s;
	size_t i;

	json_array_foreach(json_object_get(state, "settings"), i, s)
	{
		const char *cell = tune_str(s, "cell");
		const json_t *p = cell ? pair_of(judged, cell, "winner") : NULL;
		const char *v = p ? tune_str(p, "verdict") : "";
		bool fails = !strcmp(v, "failed") && !failed(judged, "start", "winner");
		const char *word = !cell || fails			       ? "bound"
				   : !strcmp(v, "better")		       ? "kept"
				   : !strcmp(v, "worse") || !strcmp(v, "same") ? "dropped"
									       : "undecided";

		json_object_set_new(s, "word", json_string(word));
		if (fails)
			json_object_set_new(s, "alone", fails_without(p));
		else if (p)
			json_object_set_new(s, "worth", json_deep_copy(p));
	}
}

static bool better(const json_t *judged, const char *base, const char *change)
{
	const json_t *p = pair_of(judged, base, change);

	return p && !strcmp(tune_str(p, "verdict"), "better");
}

/* Values of the winner without what was dropped or is undecided, as "lean". How many went. */
static size_t make_lean(json_t *state)
{
	json_t *lean = json_deep_copy(json_object_get(state, "winner")), *s;
	size_t i, gone = 0;

	json_array_foreach(json_object_get(state, "settings"), i, s)
	{
		const char *w = tune_str(s, "word");

		if (strcmp(w, "dropped") && strcmp(w, "undecided"))
			continue;
		json_array_set_new(lean, (size_t)json_integer_value(json_object_get(s, "axis")),
				   json_string(tune_str(s, "from")));
		gone++;
	}
	json_object_set_new(state, "lean", lean);
	return gone;
}

void tune_recommend(json_t *state, const char *which, const char *why)
{
	json_object_set_new(state, "recommended", json_string(which));
	json_object_set_new(state, "because", json_string(why));
}

const char *tune_settle_proof(json_t *state, const json_t *judged)
{
	judge_settings(state, judged);
	if (!better(judged, "start", "winner")) {
		tune_recommend(
			state, "start",
			failed(judged, "start", "winner")
				? "too many trials of the search's winner or of the start failed in "
				  "the proof, so that nothing is shown"
				: "the winner of the search was not shown better than the start");
		return "check";
	}
	if (make_lean(state))
		return "confirm";
	tune_recommend(state, "winner", "each of its settings was shown to be worth having");
	return "check";
}

/*
 * What is left when all that was not shown to be worth having is taken out was not measured
 * together yet: fresh blocks against the start and against the winner decide. It must be shown
 * better than the start and not be shown worse than the winner; else the winner stays as it was
 * measured.
 */
void tune_settle_confirmation(json_t *state, const json_t *judged)
{
	const json_t *twice = json_object_get(judged, "again");
	const char *v = twice ? tune_str(twice, "verdict") : "";

	if (better(judged, "start", "lean") &&
	    !(pair_of(judged, "winner", "lean") &&
	      !strcmp(tune_str(pair_of(judged, "winner", "lean"), "verdict"), "worse")))
		tune_recommend(
			state, "lean",
			"settings that were not shown to be worth having are left out, and what is left "
			"was shown better than the start in fresh blocks");
	else if (!strcmp(v, "failed"))
		tune_recommend(
			state, "start",
			"too many trials of the search's winner or of the start failed in the "
			"confirmation");
	else if (!strcmp(v, "worse") || !strcmp(v, "same"))
		tune_recommend(
			state, "start",
			"what the proof showed of the winner the confirmation did not: there it is "
			"not better than the start");
	else
		tune_recommend(
			state, "winner",
			"without the settings that were not shown to be worth having the gain was not "
			"shown again, so they stay");
}
