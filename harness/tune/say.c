// SPDX-License-Identifier: GPL-2.0-or-later
/* A tuning in sentences: the plan before, the result after. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "base/units.h"
#include "profile/profile.h"
#include "tune/tune.h"

/* Of a file that somebody may have edited: never NULL. */
static const char *text(const json_t *o, const char *key)
{
	const char *s = tune_str(o, key);

	return s ? s : "?";
}

static const char *plain(const json_t *v)
{
	return json_is_string(v) ? json_string_value(v) : "?";
}

static long long integer(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void print_axes(const json_t *state, FILE *out)
{
	const json_t *a, *v;
	size_t i, k;

	json_array_foreach(json_object_get(state, "axes"), i, a)
	{
		fprintf(out, "  %-22s ", tune_str(a, "key"));
		json_array_foreach(json_object_get(a, "values"), k, v)
			fprintf(out, "%s%s", k ? ", " : "", plain(v));
		fprintf(out, "   (%s)\n", tune_str(a, "from"));
	}
}

static void print_skipped(const json_t *list, FILE *out)
{
	size_t n;
	struct skipped *all = skipped_of(list, &n);

	skipped_print_all(all, n, "  ", out);
	free(all);
}

static void print_left_out(const json_t *state, FILE *out)
{
	const json_t *x;
	size_t i;

	json_array_foreach(json_object_get(state, "left_out"), i, x)
		fprintf(out, "  not tried: %s%s%s: %s\n", tune_str(x, "key"),
			tune_str(x, "value") ? "=" : "",
			tune_str(x, "value") ? tune_str(x, "value") : "", tune_str(x, "why"));
	print_skipped(json_object_get(state, "skipped"), out);
}

static void print_audit(const json_t *a, const char *of, bool all, FILE *out)
{
	const json_t *r;
	size_t i;

	if (!a)
		return;
	fprintf(out,
		"Audit of %s: %lld rules followed, %lld not (must %lld, should %lld, may %lld), %lld "
		"cannot be told, %lld do not apply\n",
		of, integer(a, "followed"), integer(a, "broken"), integer(a, "must"),
		integer(a, "should"), integer(a, "may"), integer(a, "cant_tell"),
		integer(a, "not_applicable"));
	json_array_foreach(json_object_get(a, "rules"), i, r) if (all) fprintf(
		out, "  %-8s %-6s %s%s%s%s\n", tune_str(r, "id"), tune_str(r, "weight"),
		tune_str(r, "title"), tune_str(r, "key") ? " (" : "",
		tune_str(r, "key") ? tune_str(r, "key") : "", tune_str(r, "key") ? ")" : "");
}

/* What is optimised: of the record of the search, or of the plan. */
static const json_t *objective_of(const json_t *state)
{
	const json_t *by = json_object_get(json_object_get(state, "search"), "primary");

	return json_object_size(by) ? by : json_object_get(state, "objective");
}

static void print_objective(const json_t *state, FILE *out)
{
	json_t *by = (json_t *)objective_of(state), *m;
	size_t n = json_object_size(by), i = 0;
	const char *name;

	if (!n)
		return;
	fprintf(out, "What counts: %s", n > 1 ? "the geometric mean of " : "");
	json_object_foreach(by, name, m)
	{
		fprintf(out, "%s%s of %s", !i ? "" : i + 1 == n ? " and " : ", ", plain(m), name);
		i++;
	}
	fprintf(out, ", as speed: more is better\n");
}

void tune_plan_text(const json_t *state, FILE *out)
{
	const json_t *price = json_object_get(state, "price");
	long long visits = integer(state, "visits"), blocks = integer(state, "blocks");
	char t[32], b[32], f[32];
	uint64_t per = (uint64_t)integer(price, "visit_ns");
	size_t axes = json_array_size(json_object_get(state, "axes"));
	const json_t *note;
	size_t i;
	uint64_t most = (uint64_t)(blocks ? blocks : integer(state, "max_blocks"));

	fprintf(out,
		"The space: %lld cells; the start (values that stand first) is the profile as it is\n",
		integer(state, "cells"));
	print_axes(state, out);
	print_objective(state, out);
	json_array_foreach(json_object_get(state, "notes"), i, note)
		fprintf(out, "  note: %s\n", plain(note));
	print_audit(json_object_get(state, "audit"), "the start", true, out);
	print_left_out(state, out);
	fprintf(out,
		"Search: %lld visits, %lld trials, about %s, %s written to images; exhaustive search would "
		"be %lld trials\n",
		visits, integer(price, "search_trials"),
		units_time_text((uint64_t)integer(price, "search_ns"), t, sizeof(t)),
		units_size_text((uint64_t)integer(price, "search_bytes"), b, sizeof(b)),
		integer(price, "exhaustive_trials"));
	fprintf(out,
		"Proof: start, winner, and the winner with each setting undone, up to %zu cells, %s%llu "
		"blocks, at most %s; where settings are not worth having, start, winner and what is "
		"left once more, at most %s\n",
		axes + 2, blocks ? "" : "until decided, at most ", (unsigned long long)most,
		units_time_text(most * (axes + 2) * per, f, sizeof(f)),
		units_time_text(most * 3 * per, t, sizeof(t)));
}

static double percent(const json_t *pair, const char *key)
{
	const json_t *v = json_object_get(pair, key);

	return json_is_number(v) ? 100 * (json_number_value(v) - 1) : NAN;
}

static void print_pair(const json_t *p, FILE *out)
{
	const char *v = tune_str(p, "verdict");

	if (v && !strcmp(v, "failed")) {
		const json_t *f = json_object_get(p, "failed");

		fprintf(out, "%lld of %lld trials failed", integer(f, "failed"), integer(f, "of"));
	} else if (!isfinite(percent(p, "speed"))) {
		fprintf(out, "not measured");
	} else if (!isfinite(percent(p, "lo"))) {
		fprintf(out, "%+.1f %%, without an interval (%lld blocks)", percent(p, "speed"),
			integer(p, "blocks"));
	} else {
		fprintf(out, "%+.1f %% (95 %% interval %+.1f to %+.1f %%, %lld blocks)",
			percent(p, "speed"), percent(p, "lo"), percent(p, "hi"),
			integer(p, "blocks"));
	}
}

/* A pair with its verdict, and what the mean over several workloads hides. */
static void print_judged(const char *what, const json_t *p, FILE *out)
{
	const json_t *w;
	size_t i;

	fprintf(out, "%s: ", what);
	print_pair(p, out);
	fprintf(out, ": %s\n", text(p, "verdict"));
	json_array_foreach(json_object_get(p, "workloads"), i, w)
	{
		fprintf(out, "  %s, %s: ", text(w, "workload"), text(w, "metric"));
		if (json_is_number(json_object_get(w, "speed"))) {
			print_pair(w, out);
			fprintf(out, ": ");
		}
		fprintf(out, "%s\n", text(w, "verdict"));
	}
}

static const json_t *first_pair(const json_t *judged)
{
	return json_array_get(json_object_get(judged, "pairs"), 0);
}

static void print_ids(const json_t *ids, const char *lead, FILE *out)
{
	const json_t *id;
	size_t i;

	json_array_foreach(ids, i, id) fprintf(out, "%s%s", i ? ", " : lead, plain(id));
}

static void print_settings(const json_t *state, FILE *out)
{
	const json_t *s;
	size_t i;

	json_array_foreach(json_object_get(state, "settings"), i, s)
	{
		const json_t *worth = json_object_get(s, "worth");

		fprintf(out, "  %-10s %s: %s -> %s",
			tune_str(s, "word") ? tune_str(s, "word") : "?", tune_str(s, "key"),
			tune_str(s, "from"), tune_str(s, "to"));
		print_ids(json_object_get(s, "advised"), ", advised by ", out);
		print_ids(json_object_get(s, "against"), ", against ", out);
		if (worth) {
			fprintf(out, "; worth ");
			print_pair(worth, out);
			fprintf(out, ": %s", tune_str(worth, "verdict"));
		}
		if (tune_str(s, "alone"))
			fprintf(out, "; cannot be undone alone: %s", tune_str(s, "alone"));
		fprintf(out, "\n");
	}
}

static void print_final_values(const json_t *state, FILE *out)
{
	const char **values = tune_recommended(state);
	const json_t *a;
	size_t i;

	json_array_foreach(json_object_get(state, "axes"), i,
			   a) if (values[i] && json_array_size(json_object_get(a, "values")) > 1)
		fprintf(out, "  %s = %s\n", tune_str(a, "key"), values[i]);
	free(values);
}

/* The proof that what is recommended was measured by. */
static const json_t *proof_of(const json_t *state)
{
	const char *which = tune_str(state, "recommended");

	return json_object_get(state, which && !strcmp(which, "lean") ? "confirm" : "final");
}

static void print_kept(const json_t *kept, FILE *out)
{
	const char *name;
	const json_t *v;

	if (!kept)
		return;
	if (!*tune_str(kept, "record")) {
		fprintf(out,
			"Kept in force on this host: nothing, since nothing of it is recommended\n");
		return;
	}
	fprintf(out, "Kept in force on this host:");
	json_object_foreach((json_t *)json_object_get(kept, "settings"), name, v)
		fprintf(out, " %s=%s", name, plain(v));
	fprintf(out, "; vbench revert %s takes it back\n", tune_str(kept, "record"));
}

/* Rules of safety that the recommendation breaks: the start's own, since none is broken anew. */
static void print_unsafe(const json_t *state, FILE *out)
{
	const json_t *r;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(state, "audit_end"), "rules"), i, r)
	{
		if (strcmp(text(r, "weight"), "must"))
			continue;
		fprintf(out,
			"UNSAFE, as the start is: %s, %s%s%s. No speed is worth it; mend that first.\n",
			text(r, "id"), text(r, "title"), tune_str(r, "key") ? ": " : "",
			tune_str(r, "key") ? tune_str(r, "key") : "");
	}
}

static void print_spent(const json_t *state, FILE *out)
{
	const json_t *search = json_object_get(state, "search"),
		     *gone = json_object_get(search, "failed"), *name;
	size_t works = json_object_size(objective_of(state)), i;
	long long visits = integer(search, "visits"),
		  seen = visits * (long long)(works ? works : 1),
		  proof = integer(json_object_get(state, "final"), "trials"),
		  confirm = integer(json_object_get(state, "confirm"), "trials");

	fprintf(out,
		"Trials: search %lld (%lld visits, in a space of %lld cells), proof %lld, confirmation "
		"%lld: %lld in all; exhaustive search would have been %lld, and a proof after it\n",
		seen, visits, integer(search, "cells"), proof, confirm, seen + proof + confirm,
		integer(json_object_get(state, "price"), "exhaustive_trials"));
	if (!json_array_size(gone))
		return;
	fprintf(out, "Cells that left the search because a trial failed or met a limit: ");
	json_array_foreach(gone, i, name) fprintf(out, "%s%s", i ? "; " : "", plain(name));
	fprintf(out, "\n");
}

/* How sure the words are. */
static void print_method(const json_t *state, FILE *out)
{
	const json_t *final = json_object_get(state, "final");
	size_t n = json_array_size(json_object_get(final, "pairs"));
	long long max = integer(final, "max_blocks");

	if (n && max)
		fprintf(out,
			"The proof was looked at after each block, of at most %lld: its intervals hold "
			"at every look; a gain that was shown early looks larger than it is, by a "
			"tenth or so.\n",
			max);
	if (n > 1)
		fprintf(out,
			"Better and worse are words of %zu comparisons together (Holm, 5 %%): an interval "
			"of a single one may exclude 0 where its word is undecided.\n",
			n);
	fprintf(out, "Safety was not traded: what a flush promises is as in the start.\n");
}

/* Of all cells measured: how near what is recommended came to the best. */
static void print_near(const json_t *all, FILE *out)
{
	fprintf(out, "All %lld cells measured 5 times", integer(all, "cells"));
	if (integer(all, "failed"))
		fprintf(out, " (%lld of %lld trials failed)", integer(all, "failed"),
			integer(all, "trials"));
	if (integer(all, "rank") == 1) {
		fprintf(out, ": this is the best of them\n");
		return;
	}
	fprintf(out,
		": this is number %lld; against the best there (%s, selected by the same trials): ",
		integer(all, "rank"), tune_str(all, "best"));
	print_pair(all, out);
	fprintf(out, "\n");
}

void tune_text(const json_t *state, FILE *out)
{
	const json_t *all = json_object_get(state, "all");
	const json_t *gain = first_pair(proof_of(state));
	const json_t *confirm = json_object_get(json_object_get(state, "confirm"), "pairs"),
		     *again = json_object_get(json_object_get(state, "confirm"), "again");
	const char *which = tune_str(state, "recommended");

	if (!which) {
		fprintf(out, "The tuning has not come to its end.\n");
		return;
	}
	if (!strcmp(which, "start"))
		fprintf(out, "Nothing better than the start was shown: %s.\n",
			tune_str(state, "because"));
	else
		fprintf(out, "Recommended: %s.\n", tune_str(state, "because"));
	print_final_values(state, out);
	print_unsafe(state, out);
	print_objective(state, out);
	if (gain)
		print_judged(strcmp(which, "lean")
				     ? "The search's winner against the start, in fresh blocks"
				     : "This against the start, in fresh blocks",
			     gain, out);
	if (confirm && !strcmp(which, "lean") && json_array_get(confirm, 1))
		print_judged("This against the search's winner, in the same blocks",
			     json_array_get(confirm, 1), out);
	else if (confirm)
		print_judged("Without what was not shown to be worth having, against the start",
			     json_array_get(confirm, 0), out);
	if (again)
		print_judged("The search's winner against the start, measured again beside it",
			     again, out);
	if (json_array_size(json_object_get(state, "settings"))) {
		fprintf(out, "Settings of the search's winner, each undone in turn:\n");
		print_settings(state, out);
	}
	print_audit(json_object_get(state, "audit"), "the start", false, out);
	print_audit(json_object_get(state, "audit_end"), "what is recommended", false, out);
	print_kept(json_object_get(state, "kept"), out);
	print_spent(state, out);
	if (all)
		print_near(all, out);
	print_method(state, out);
}

int tune_status(const json_t *state)
{
	const json_t *gain = first_pair(proof_of(state));
	const char *which = tune_str(state, "recommended"),
		   *v = gain ? tune_str(gain, "verdict") : "";

	if (!which || (!gain && tune_blind(state)))
		return VB_NOT_MEASURED;
	/* better in the proof, and not in the confirmation: neither is shown */
	if (!strcmp(which, "start") && (!strcmp(v, "undecided") || !strcmp(v, "better")))
		return VB_UNDECIDED;
	return !strcmp(v, "none") || !strcmp(v, "failed") ? VB_NOT_MEASURED : VB_OK;
}
