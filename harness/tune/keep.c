// SPDX-License-Identifier: GPL-2.0-or-later
/* --keep: the host's settings of the recommendation, put in force by a record as `vbench apply`
 * makes them, so that `vbench revert` takes them back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "apply/apply.h"
#include "base/file.h"
#include "store/store.h"
#include "tune/tune.h"

static const char *host_key(const json_t *axis)
{
	const char *key = tune_str(axis, "key");

	return strncmp(key, "knob.", 5) ? NULL : key + 5;
}

static int add_all(const json_t *state, struct change_set *set, json_t *made, struct err *e)
{
	const char **values = tune_recommended(state);
	const json_t *axes = json_object_get(state, "axes");
	int rc = 0;

	for (size_t i = 0; !rc && i < json_array_size(axes); i++) {
		const char *name = host_key(json_array_get(axes, i));

		if (!name || !values[i] || !strcmp(values[i], "keep"))
			continue;
		rc = changes_add_knob(set, name, values[i], e);
		if (!rc)
			json_object_set_new(made, name, json_string(values[i]));
	}
	free(values);
	return rc;
}

static int put_in_force(json_t *state, struct err *e)
{
	char *data = store_data_dir(), *dir = xasprintf("%s/changes", data), id[20] = "";
	json_t *made = json_object();
	struct change_set *set = NULL;
	int rc = changes_new(dir, &set, e);

	if (!rc)
		rc = add_all(state, set, made, e);
	if (!rc && json_object_size(made))
		rc = changes_apply(set, id, e);
	if (!rc)
		json_object_set_new(state, "kept",
				    json_pack("{s:s, s:O}", "record", id, "settings", made));
	changes_free(set);
	json_decref(made);
	free(dir);
	free(data);
	return rc;
}

int tune_keep(json_t *state, const struct tune_opts *o, struct err *e)
{
	bool keep = o->keep || json_is_true(json_object_get(state, "keep"));
	int rc = 0;

	if (keep && !json_object_get(state, "kept")) {
		if (!tune_may_change_host(o))
			rc = err_input(e, "--keep changes settings of the whole host for good: say "
					  "--consent host");
		if (!rc)
			rc = put_in_force(state, e);
	}
	if (rc)
		return rc;
	json_object_set_new(state, "phase", json_string("done"));
	rc = tune_save(state, e);
	return rc ? rc : tune_record(state, o, e);
}

/* --- the record of the tuning beside its runs --- */

/* Without the profile's text, which each run has itself. */
static char *record_text(const json_t *state)
{
	static const char *const parts[] = {
		"format",    "id",	    "label",	     "phase",	"axes",	   "left_out",
		"cells",     "start",	    "min_effect",    "visits",	"price",   "search",
		"winner",    "lean",	    "settings",	     "final",	"confirm", "all",
		"audit",     "audit_end",   "recommended",   "because", "kept",	   "search_run",
		"final_run", "confirm_run", "exhaustive_run"};
	json_t *out = json_object();
	char *text;

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (json_object_get(state, parts[i]))
			json_object_set(out, parts[i], json_object_get(state, parts[i]));
	text = json_dumps(out, JSON_INDENT(1));
	json_decref(out);
	return text;
}

int tune_record(const json_t *state, const struct tune_opts *o, struct err *e)
{
	static const char *const runs[] = {"search_run", "final_run", "confirm_run",
					   "exhaustive_run"};
	struct store *s = NULL;
	char *text = record_text(state);
	int rc = store_open(o->db, false, &s, e);

	for (size_t i = 0; !rc && i < sizeof(runs) / sizeof(*runs); i++) {
		struct store_run r = {0};
		const char *uuid = tune_str(state, runs[i]);

		if (uuid && !store_run_find(s, uuid, &r, NULL) && !strcmp(r.uuid, uuid) &&
		    r.folder) {
			char *path = xasprintf("%s/tuning.json", r.folder);

			rc = file_write(path, text, strlen(text), 0644, e);
			free(path);
		}
		store_run_free(&r);
	}
	store_close(s);
	free(text);
	return rc;
}
