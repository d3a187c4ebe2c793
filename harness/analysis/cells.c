/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each cell for a reader: its values in words, how it was started, and the command that repeats it.
 */
#include <stdlib.h>
#include <string.h>
#include "analysis/build.h"
#include "base/file.h"

/* A command line or a handful of QMP commands; more than this is no such thing. */
#define ARTEFACT_MAX (256 << 10)

static const struct store_trial *first_good(const struct build *b, size_t cell)
{
	for (size_t i = 0; i < b->ntrials; i++)
		if (b->cell_of[i] == (long)cell && b->trials[i].ok)
			return &b->trials[i];
	return NULL;
}

/* An imported run's rows come from elsewhere: a folder that leads out of the run's is not followed.
 */
static bool folder_inside(const char *f)
{
	return *f != '/' && strncmp(f, "../", 3) && strcmp(f, "..") && !strstr(f, "/../") &&
	       !(strlen(f) >= 3 && !strcmp(f + strlen(f) - 3, "/.."));
}

char *build_artefact(const struct build *b, const struct store_trial *t, const char *name,
		     size_t max)
{
	char *path, *text = NULL;
	size_t len = 0;

	if (!t || !b->run.folder || !*b->run.folder)
		return NULL;
	if (t->folder && *t->folder) {
		if (!folder_inside(t->folder))
			return NULL;
		path = xasprintf("%s/%s/%s", b->run.folder, t->folder, name);
	} else {
		path = xasprintf("%s/trials/%04u/%s", b->run.folder, t->seq, name);
	}
	if (file_read(path, max, &text, &len))
		text = NULL;
	free(path);
	while (text && len && (text[len - 1] == '\n' || text[len - 1] == ' '))
		text[--len] = 0;
	if (text && !*text) {
		free(text);
		text = NULL;
	}
	return text;
}

static char *keys_text(const struct model *m, const struct model_cell *c)
{
	char *s = NULL;

	for (size_t i = 0; i < json_array_size(m->axes); i++) {
		const char *key = axis_key(m, i), *v = key ? cell_value(c, key) : NULL;
		char *text;

		if (!v)
			continue;
		text = level_text(key, v);
		text_add(&s, "%s%s=%s", s ? " " : "", key_short(key), text);
		free(text);
	}
	return s ? s : xstrdup("default");
}

/* The profile as it was typed, if the command tells (a word that ends in NAME or NAME.ini); else
 * its name. */
static char *profile_word(const struct build *b)
{
	const char *name = b->run.profile_name ? b->run.profile_name : "PROFILE";
	char *copy = xstrdup(b->run.command ? b->run.command : ""), *save = NULL, *found = NULL;

	for (char *w = strtok_r(copy, " \t\n", &save); w && !found;
	     w = strtok_r(NULL, " \t\n", &save)) {
		const char *base = strrchr(w, '/') ? strrchr(w, '/') + 1 : w;
		size_t n = strlen(name);

		if (*w != '-' && !strchr(w, '=') && !strncmp(base, name, n) &&
		    (!base[n] || !strcmp(base + n, ".ini")))
			found = w;
	}
	found = xstrdup(found ? found : name);
	free(copy);
	return found;
}

/* Is "SECTION.KEY=VALUE" about something that the cell or the seed says anyway? */
static bool set_is_ours(const struct model *m, const char *set)
{
	size_t n = strcspn(set, "=");

	while (n && (set[n - 1] == ' ' || set[n - 1] == '\t'))
		n--;
	if (n == 8 && (!strncmp(set, "run.seed", 8) || !strncmp(set, "run.only", 8)))
		return true;
	for (size_t i = 0; i < json_array_size(m->axes); i++) {
		const char *key = axis_key(m, i);

		if (key && strlen(key) == n && !strncmp(key, set, n))
			return true;
	}
	return false;
}

static void add_set(char **s, const char *set)
{
	char *q = text_shell(set);

	text_add(s, " --set %s", q);
	free(q);
}

/* What this cell's arm was given beside the profile (vbench run --vs). */
static void add_arm(char **s, const struct build *b, const struct model_cell *c)
{
	const char *arm = cell_value(c, "guest.arm");
	json_t *sets = arm ? json_object_get(json_object_get(b->meta, "vs"), arm) : NULL;

	for (size_t i = 0; i < json_array_size(sets); i++)
		if (json_is_string(json_array_get(sets, i)))
			add_set(s, json_string_value(json_array_get(sets, i)));
}

/* Its cells are rungs (build_ladder has not run yet). */
static bool is_ladder(const struct build *b)
{
	return b->run.profile_text && strstr(b->run.profile_text, "[rung") &&
	       !json_array_size(b->m->axes);
}

/* A cell that was listed by name has settings of its own, and no axes (vbench tune). */
static void add_listed(char **s, const struct build *b, const struct model_cell *c)
{
	const json_t *one, *v;
	size_t i, k;

	json_array_foreach(json_object_get(b->meta, "listed"), i, one)
	{
		const char *name = json_string_value(json_object_get(one, "name"));

		if (!name || !c->label || strcmp(name, c->label))
			continue;
		json_array_foreach(json_object_get(one, "sets"), k, v) if (json_is_string(v))
			add_set(s, json_string_value(v));
	}
}

static char *repeat(const struct build *b, const struct model_cell *c, const json_t *sets)
{
	char *word = profile_word(b), *q = text_shell(word), *s = xasprintf("vbench run %s", q),
	     *set;

	for (size_t i = 0; i < json_array_size(sets); i++) {
		const char *old = json_string_value(json_array_get(sets, i));

		if (old && !set_is_ours(b->m, old))
			add_set(&s, old);
	}
	add_arm(&s, b, c);
	add_listed(&s, b, c);
	for (size_t i = 0; i < json_array_size(b->m->axes); i++) {
		const char *key = axis_key(b->m, i), *v = key ? cell_value(c, key) : NULL;
		char *text;

		if (!v)
			continue; /* does not apply here: its values fold into this one cell */
		text = level_text(key, v);
		set = xasprintf("%s=%s", key, text);
		add_set(&s, set);
		free(set);
		free(text);
	}
	/* a rung has no values of axes: it is named; names of rungs hold no comma */
	if (c->label && is_ladder(b)) {
		set = xasprintf("run.only=%s", c->label);
		add_set(&s, set);
		free(set);
	}
	set = xasprintf("run.seed=%llu", (unsigned long long)b->run.seed);
	add_set(&s, set);
	free(set);
	free(q);
	free(word);
	return s;
}

static json_t *disk_facts(struct build *b, const struct store_trial *t)
{
	json_t *all, *disk;

	if (!t || !t->facts_json)
		return NULL;
	all = json_read(b->m, "facts of a trial", t->facts_json, JSON_OBJECT);
	disk = json_object_get(all, "disk");
	disk = json_incref(json_is_object(disk) ? disk : all);
	json_decref(all);
	return disk;
}

void build_cells(struct build *b)
{
	struct model *m = b->m;
	json_t *sets = json_read(m, "--set arguments", b->run.sets_json, JSON_ARRAY);

	m->cells = xcalloc(b->ncells + 1, sizeof(*m->cells));
	m->ncells = b->ncells;
	for (size_t i = 0; i < b->ncells; i++) {
		struct model_cell *c = &m->cells[i];
		const struct store_trial *t = first_good(b, i);

		memcpy(c->id, b->cells[i].id, sizeof(c->id));
		c->id[sizeof(c->id) - 1] = 0;
		c->index = b->cells[i].index;
		c->label = xstrdup(b->cells[i].label ? b->cells[i].label : c->id);
		c->keys = json_read(m, "keys of a cell", b->cells[i].keys_json, JSON_OBJECT);
		c->keys_text = keys_text(m, c);
		c->qemu = build_artefact(b, t, "qemu.txt", ARTEFACT_MAX);
		c->plug = build_artefact(b, t, "plug.txt", ARTEFACT_MAX);
		c->repeat = repeat(b, c, sets);
		c->facts = disk_facts(b, t);
	}
	json_decref(sets);
}
