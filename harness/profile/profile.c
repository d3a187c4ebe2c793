/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A profile from its text and --set overrides: every key to its place, with the line in every
 * error. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "profile/internal.h"

struct builder {
	struct profile *p;
	struct settings said;	/* of [guest] and [disk] */
	struct settings *rungs; /* of each rung */
	char **where;		/* of each workload: "PATH:12: [workload x]" */
	char *only;		/* where run.only was said */
	struct arms *arms;	/* NULL: none */
	struct err *e;
};

/* A place that a key can go to. */
struct target {
	enum section sec;
	size_t workload; /* index, for SEC_WORKLOAD */
	bool rung;	 /* a rung, whatever sec says */
	size_t index;	 /* of the rung */
};

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-"

static const char *section_shown(enum section sec)
{
	static const char *const shown[SEC_COUNT] = {
		[SEC_PROFILE] = "[profile]",
		[SEC_HOST] = "[host]",
		[SEC_GUEST] = "[guest]",
		[SEC_DISK] = "[disk]",
		[SEC_KNOB] = "[knob]",
		[SEC_WORKLOAD] = "[workload NAME]",
		[SEC_RUN] = "[run]",
		[SEC_GATE] = "[gate]",
	};

	return shown[sec];
}

const struct key_row *key_find(enum section sec, const char *name)
{
	for (size_t i = 0; i < K_COUNT; i++)
		if (profile_keys[i].section == sec && !strcmp(profile_keys[i].name, name))
			return &profile_keys[i];
	return NULL;
}

int key_unknown(enum section sec, const char *key, const char *place, struct err *e)
{
	const char *words[K_COUNT + 1] = {0}, *hint;
	size_t n = 0;
	char buf[64];

	for (size_t i = 0; i < K_COUNT; i++)
		if (profile_keys[i].section == sec)
			words[n++] = profile_keys[i].name;
	hint = nearest_in_array(key, words);
	if (hint)
		return err_input(e, "%s: \"%s\" is no key of %s; did you mean \"%s\"?", place,
				 show(key, buf), section_shown(sec), hint);
	for (int s = 0; s < SEC_COUNT; s++)
		if (key_find((enum section)s, key))
			return err_input(e, "%s: \"%s\" is no key of %s; it belongs into %s", place,
					 show(key, buf), section_shown(sec),
					 section_shown((enum section)s));
	return err_input(e, "%s: \"%s\" is no key of %s; `vbench help profile` lists them", place,
			 show(key, buf), section_shown(sec));
}

static void put_extra(struct extra **list, size_t *n, const char *key, const char *value)
{
	for (size_t i = 0; i < *n; i++) {
		if (!strcmp((*list)[i].key, key)) {
			free((*list)[i].value);
			(*list)[i].value = xstrdup(value);
			return;
		}
	}
	*list = xrealloc(*list, *n + 1, sizeof(**list));
	(*list)[(*n)++] = (struct extra){.key = xstrdup(key), .value = xstrdup(value)};
}

/* blockdev.KEY and fio.KEY: handed through, once it is seen that they cannot undo what vbench sets.
 */
static int take_extra(struct builder *b, struct target t, const char *key, const char *text,
		      const char *where)
{
	const char *name = strchr(key, '.') + 1, *why = NULL;
	char **values, *full;
	size_t n;
	int rc = value_list(NULL, t.sec == SEC_DISK, text, where, &values, &n, b->e);

	if (rc)
		return rc;
	for (size_t i = 0; !why && i < n; i++)
		why = extra_refused(t.sec, name, values[i]);
	if (why)
		rc = err_input(b->e, "%s: %s", where, why);
	if (!rc && t.sec == SEC_DISK) {
		full = xasprintf("disk.%s", key);
		settings_say(&b->said, NULL, full, where, values, n);
		free(full);
		return 0;
	}
	if (!rc) {
		struct workload *w = &b->p->workloads[t.workload];

		put_extra(&w->extras, &w->nextras, name, values[0]);
	}
	text_list_free(values, n);
	return rc;
}

/* One KEY = VALUE. place: "PATH:12" or "--set disk.bus"; where adds the key. */
static int take_key(struct builder *b, struct target t, const char *key, const char *text,
		    const char *place, const char *where)
{
	const struct key_row *row = key_find(t.sec, key);
	char **values, name[64], **slot;
	size_t n;
	int rc;

	if (t.rung)
		return rung_take_key(b->p, t.index, &b->rungs[t.index], key, text, place, where,
				     b->e);
	if ((t.sec == SEC_DISK && !strncmp(key, "blockdev.", 9)) ||
	    (t.sec == SEC_WORKLOAD && !strncmp(key, "fio.", 4)))
		return take_extra(b, t, key, text, where);
	if (!row)
		return key_unknown(t.sec, key, place, b->e);
	rc = value_list(row, row->axis, text, where, &values, &n, b->e);
	if (rc)
		return rc;
	if (section_of_cells(t.sec)) {
		settings_say(&b->said, row, key_full_name(row, name, sizeof(name)), where, values,
			     n);
		return 0;
	}
	if (row->id == K_ONLY) {
		free(b->only);
		b->only = xstrdup(where);
	}
	slot = t.sec == SEC_WORKLOAD ? &b->p->workloads[t.workload].val[row->id]
				     : &b->p->val[row->id];
	free(*slot);
	*slot = values[0];
	free(values);
	return 0;
}

int name_check(const char *kind, const char *name, const char *place, struct err *e)
{
	char buf[64];

	if (strlen(name) <= 40 && !name[strspn(name, NAME_CHARS)] && !strchr(".+-", name[0]))
		return 0;
	return err_input(e,
			 "%s: \"%s\" will not do as the name of a %s; take at most 40 letters, "
			 "digits and _.+-",
			 place, show(name, buf), kind);
}

static int add_workload(struct builder *b, const char *name, const char *place)
{
	struct profile *p = b->p;

	if (!*name)
		return err_input(
			b->e, "%s: a workload needs a name; write for instance [workload randread]",
			place);
	if (name_check("workload", name, place, b->e))
		return -EINVAL;
	for (size_t i = 0; i < p->nworkloads; i++)
		if (!strcmp(p->workloads[i].name, name))
			return err_input(
				b->e,
				"%s: [workload %s] is there twice; give this workload a name of its own",
				place, name);
	if (p->nworkloads == PROFILE_MAX_WORKLOADS)
		return err_input(b->e, "%s: more than %u workloads; split the profile", place,
				 PROFILE_MAX_WORKLOADS);
	p->workloads = xrealloc(p->workloads, p->nworkloads + 1, sizeof(*p->workloads));
	b->where = xrealloc(b->where, p->nworkloads + 1, sizeof(*b->where));
	p->workloads[p->nworkloads] = (struct workload){.name = xstrdup(name)};
	b->where[p->nworkloads++] = xasprintf("%s: [workload %s]", place, name);
	return 0;
}

/* Which section a heading means; for a workload it is made. */
static int find_target(struct builder *b, const char *name, const char *place, unsigned line,
		       struct target *t)
{
	const char *hint;
	char buf[64], word[64];
	size_t n = strcspn(name, " \t");
	int rc;

	if (n == strlen("workload") && !strncmp(name, "workload", n)) {
		rc = add_workload(b, name + n + strspn(name + n, " \t"), place);
		*t = (struct target){.sec = SEC_WORKLOAD, .workload = b->p->nworkloads - 1};
		return rc;
	}
	if (n == strlen("rung") && !strncmp(name, "rung", n)) {
		rc = rung_add(b->p, &b->rungs, name + n + strspn(name + n, " \t"), place, line,
			      b->e);
		*t = (struct target){.rung = true, .index = b->p->nrungs - 1};
		return rc;
	}
	for (int s = 0; s < SEC_COUNT; s++) {
		if (s != SEC_WORKLOAD && !strcmp(section_names[s], name)) {
			*t = (struct target){.sec = (enum section)s};
			return 0;
		}
	}
	hint = nearest_in_list(name, "profile,host,guest,disk,run,gate", word, sizeof(word));
	if (!hint && n < 32) {
		snprintf(buf, sizeof(buf), "%.*s", (int)n, name);
		hint = nearest_in_list(buf, "workload", word, sizeof(word)) ? "workload NAME"
		       : nearest_in_list(buf, "rung", word, sizeof(word))   ? "rung NAME"
									    : NULL;
	}
	if (hint)
		return err_input(b->e, "%s: [%s] is no section; did you mean [%s]?", place,
				 show(name, buf), hint);
	return err_input(
		b->e,
		"%s: [%s] is no section; there are [profile], [host], [guest], [disk], [rung NAME], "
		"[workload NAME], [run] and [gate]",
		place, show(name, buf));
}

static int take_ini(struct builder *b, const struct ini *ini)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < ini->n; i++) {
		const struct ini_section *s = &ini->sections[i];
		char *place = xasprintf("%s:%u", b->p->path, s->line);
		struct target t = {0};

		rc = find_target(b, s->name, place, s->line, &t);
		free(place);
		for (size_t k = 0; !rc && k < s->n; k++) {
			const struct ini_entry *n = &s->entries[k];
			char buf[64], *where;

			place = xasprintf("%s:%u", b->p->path, n->line);
			where = xasprintf("%s: %s", place, show(n->key, buf));
			rc = take_key(b, t, n->key, n->value, place, where);
			free(where);
			free(place);
		}
	}
	return rc;
}

/* "workload NAME.key=...": the longest name that fits (names may hold dots). Returns its length or
 * 0. */
static size_t match_workload(const struct builder *b, const char *text, size_t *index)
{
	size_t best = 0;

	for (size_t i = 0; i < b->p->nworkloads; i++) {
		size_t n = strlen(b->p->workloads[i].name);

		if (n > best && !strncmp(text, b->p->workloads[i].name, n) && text[n] == '.') {
			best = n;
			*index = i;
		}
	}
	return best;
}

static int set_workload(struct builder *b, const char *text, const char *value, const char *place)
{
	size_t index = 0, n = match_workload(b, text, &index);
	char buf[64];

	if (!n)
		return err_input(b->e, "%s: there is no workload \"%s\" in %s; the first is \"%s\"",
				 place, show(text, buf), b->p->path, b->p->workloads[0].name);
	return take_key(b, (struct target){.sec = SEC_WORKLOAD, .workload = index}, text + n + 1,
			value, place, place);
}

/* The longest name that fits: they may hold dots. */
static int set_rung(struct builder *b, const char *text, const char *value, const char *place)
{
	size_t best = 0, index = 0;
	char buf[64];

	for (size_t i = 0; i < b->p->nrungs; i++) {
		size_t n = strlen(b->p->rungs[i].name);

		if (n > best && !strncmp(text, b->p->rungs[i].name, n) && text[n] == '.') {
			best = n;
			index = i;
		}
	}
	if (!best)
		return err_input(b->e, "%s: there is no rung \"%s\" in %s", place, show(text, buf),
				 b->p->path);
	return take_key(b, (struct target){.rung = true, .index = index}, text + best + 1, value,
			place, place);
}

static int set_one(struct builder *b, const char *name, const char *value, const char *place)
{
	size_t n = strcspn(name, ".");
	char word[64], buf[64];
	const char *hint;
	int rc = 0;

	if (!strncmp(name, "workload ", 9))
		return set_workload(b, name + 9 + strspn(name + 9, " "), value, place);
	if (!strncmp(name, "rung ", 5))
		return set_rung(b, name + 5 + strspn(name + 5, " "), value, place);
	if (!name[n])
		return err_input(b->e, "%s: write SECTION.KEY=VALUE, for instance disk.bus=nvme",
				 place);
	if (!strncmp(name, "workload.", 9)) {
		for (size_t i = 0; !rc && i < b->p->nworkloads; i++)
			rc = take_key(b, (struct target){.sec = SEC_WORKLOAD, .workload = i},
				      name + n + 1, value, place, place);
		return rc;
	}
	for (int s = 0; s < SEC_COUNT; s++)
		if (strlen(section_names[s]) == n && !strncmp(name, section_names[s], n))
			return take_key(b, (struct target){.sec = (enum section)s}, name + n + 1,
					value, place, place);
	snprintf(word, sizeof(word), "%.*s", (int)n, name);
	hint = nearest_in_list(word, "profile,host,guest,disk,workload,run,gate", buf, sizeof(buf));
	return err_input(b->e, "%s: \"%s\" is no section%s%s%s", place, word,
			 hint ? "; did you mean \"" : "", hint ? hint : "",
			 hint ? "\"?" : "; `vbench help profile` lists them");
}

static int take_sets(struct builder *b, const char *const *sets, size_t n)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i++) {
		size_t at = strcspn(sets[i], "=");
		char *name = strndup(sets[i], at), *place, buf[64];

		while (at && name[at - 1] == ' ')
			name[--at] = 0;
		place = xasprintf("--set %s", show(name, buf));
		rc = text_plain(sets[i], strlen(sets[i]), place, b->e);
		if (rc)
			; /* told */
		else if (!strchr(sets[i], '='))
			rc = err_input(b->e,
				       "%s: write SECTION.KEY=VALUE, for instance disk.bus=nvme",
				       place);
		else
			rc = set_one(b, name, strchr(sets[i], '=') + 1, place);
		free(place);
		free(name);
		b->p->sets = xrealloc(b->p->sets, b->p->nsets + 1, sizeof(*b->p->sets));
		b->p->sets[b->p->nsets++] = xstrdup(sets[i]);
	}
	return rc;
}

static void fill_defaults(struct profile *p)
{
	for (size_t i = 0; i < K_COUNT; i++) {
		enum section sec = profile_keys[i].section;

		if (sec == SEC_PROFILE || sec == SEC_HOST || sec == SEC_RUN || sec == SEC_GATE) {
			if (!p->val[i])
				p->val[i] = value_default(&profile_keys[i]);
		} else if (sec == SEC_WORKLOAD) {
			for (size_t k = 0; k < p->nworkloads; k++)
				if (!p->workloads[k].val[i])
					p->workloads[k].val[i] = value_default(&profile_keys[i]);
		}
	}
}

static int finish(struct builder *b)
{
	struct profile *p = b->p;
	int rc = 0;

	fill_defaults(p);
	for (size_t i = 0; !rc && i < p->nworkloads; i++) {
		size_t n;
		char **lines = workload_lines(&p->workloads[i], &n);

		id_hash(lines, n, p->workloads[i].id);
		text_list_free(lines, n);
		rc = workload_check(&p->workloads[i], b->where[i], b->e);
	}
	if (!rc && b->arms)
		rc = arms_take(p, b->arms, &b->said, b->e);
	if (!rc)
		rc = p->nrungs ? ladder_expand(p, &b->said, b->rungs, b->e)
			       : profile_expand(p, &b->said, b->arms, b->e);
	if (!rc && b->only)
		rc = profile_only(p, b->only, b->e);
	if (!rc)
		rc = profile_check(p, b->where, b->e);
	if (!rc)
		rc = run_check(p, b->e);
	return rc;
}

static char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	size_t n = strlen(base);

	if (n > 4 && !strcmp(base + n - 4, ".ini"))
		n -= 4;
	return strndup(base, n);
}

static int parse(const char *text, size_t len, const char *path, const char *const *sets,
		 size_t nsets, struct arms *arms, struct profile **out, struct err *e)
{
	struct builder b = {.p = xcalloc(1, sizeof(*b.p)), .arms = arms, .e = e};
	struct ini ini = {0};
	int rc;

	*out = NULL;
	b.p->path = xstrdup(path);
	b.p->name = name_of(path);
	b.p->text = xcalloc(len + 1, 1);
	memcpy(b.p->text, text, len);
	b.p->text_len = len;
	rc = ini_read(text, len, path, &ini, e);
	if (!rc)
		rc = take_ini(&b, &ini);
	if (!rc && !b.p->nworkloads)
		rc = err_input(
			e, "%s:1: there is no workload; add a section such as [workload randread]",
			path);
	if (!rc)
		rc = take_sets(&b, sets, nsets);
	if (!rc)
		rc = finish(&b);
	settings_free(&b.said);
	for (size_t i = 0; i < b.p->nrungs; i++)
		settings_free(&b.rungs[i]);
	free(b.rungs);
	free(b.only);
	text_list_free(b.where, b.p->nworkloads);
	ini_free(&ini);
	if (rc)
		profile_free(b.p);
	else
		*out = b.p;
	return rc;
}

int profile_parse(const char *text, size_t len, const char *path, const char *const *sets,
		  size_t nsets, struct profile **out, struct err *e)
{
	return parse(text, len, path, sets, nsets, NULL, out, e);
}

int profile_parse_arms(const char *text, size_t len, const char *path, const char *const *sets,
		       size_t nsets, const char *const *base, size_t nbase,
		       const char *const *change, size_t nchange, struct profile **out,
		       struct err *e)
{
	struct arms arms = {.text = {base, change}, .n = {nbase, nchange}};
	int rc = parse(text, len, path, sets, nsets, &arms, out, e);

	settings_free(&arms.said[0]);
	settings_free(&arms.said[1]);
	return rc;
}

/* "-": what a pipe or a redirection brings. It is not opened anew: a pipe may be another user's. */
static int read_standard(char **text, size_t *len, struct err *e)
{
	size_t max = 16 * (size_t)INI_MAX_FILE, room = 0, n = 0;
	struct stat st;
	ssize_t got;

	if (fstat(STDIN_FILENO, &st) || S_ISCHR(st.st_mode) || S_ISDIR(st.st_mode))
		return err_input(
			e, "-: standard input is neither a pipe nor a file; give the path of an "
			   "INI profile, or: vbench profile TARGET | vbench run -");
	do {
		if (n + 1 >= room)
			*text = xrealloc(*text, room = room ? 2 * room : 1 << 16, 1);
		got = read(STDIN_FILENO, *text + n, room - n - 1);
		n += got > 0 ? (size_t)got : 0;
	} while ((got > 0 && n <= max) || (got < 0 && errno == EINTR));
	(*text)[n] = '\0';
	*len = n;
	if (got < 0)
		return err_input(e, "-: standard input cannot be read: %s", strerror(errno));
	if (n > max)
		return err_input(
			e,
			"-:1: standard input is over %u MiB long; a profile has at most %u bytes",
			16 * INI_MAX_FILE >> 20, INI_MAX_FILE);
	return n ? 0
		 : err_input(
			   e,
			   "-: standard input is empty; what was to write a profile there failed");
}

/* What messages and reports call it. */
static const char *path_shown(const char *path)
{
	return strcmp(path, "-") ? path : "standard input";
}

static int read_text(const char *path, char **text, size_t *len, struct err *e)
{
	struct stat st;
	int rc;

	if (!strcmp(path, "-"))
		return read_standard(text, len, e);
	if (stat(path, &st))
		return err_input(e, "%s: %s; `vbench run` lists the ready profiles", path,
				 strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return err_input(e, "%s: this is no file; give the path of an INI profile", path);
	rc = file_read(path, 16 * (size_t)INI_MAX_FILE, text, len);
	if (rc == -EFBIG)
		return err_input(
			e, "%s:1: the file is over %u MiB large; a profile has at most %u bytes",
			path, 16 * INI_MAX_FILE >> 20, INI_MAX_FILE);
	if (rc)
		return err_input(e, "%s: cannot be read: %s", path, strerror(-rc));
	return 0;
}

int profile_load(const char *path, const char *const *sets, size_t nsets, struct profile **out,
		 struct err *e)
{
	char *text = NULL;
	size_t len = 0;
	int rc = read_text(path, &text, &len, e);

	*out = NULL;
	if (!rc)
		rc = profile_parse(text, len, path_shown(path), sets, nsets, out, e);
	free(text);
	return rc;
}

int profile_load_arms(const char *path, const char *const *sets, size_t nsets,
		      const char *const *base, size_t nbase, const char *const *change,
		      size_t nchange, struct profile **out, struct err *e)
{
	char *text = NULL;
	size_t len = 0;
	int rc = read_text(path, &text, &len, e);

	*out = NULL;
	if (!rc)
		rc = profile_parse_arms(text, len, path_shown(path), sets, nsets, base, nbase,
					change, nchange, out, e);
	free(text);
	return rc;
}
