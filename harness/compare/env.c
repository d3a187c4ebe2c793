// SPDX-License-Identifier: GPL-2.0-or-later
/* What stood around a run, and in what two runs differ there. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include "compare/compare.h"

#define LINE_MAX_LEN (32 << 10) /* a command line that is longer is none of ours */

/* Change from minute to minute, and are no part of how a host is set up. */
static const char *const volatile_names[] = {
	"*available", "*free", "*free size", "KSM pages sharing",
	"aio nr",     "uid",   "host id",    "*used",
};

/* Worth a line, but runs around it stay comparable. */
static const char *const loose_names[] = {"boot id", "other guests", "nodes memory",
					  "nodes *: memory"};

static bool named(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!fnmatch(names[i], name, 0))
			return true;
	return false;
}

/* A copy in which what belongs to this one run is gone: the digits of its id in paths, numbers of
 * descriptors, and the inode of a program (a package put in place again). */
static char *plain(const char *text, const char *uuid)
{
	static const char *const counted[] = {"fd:", "fd=", ", inode ", "fdset/"};
	char *out = xcalloc(strlen(text) + 1, 1), *o = out;

	for (const char *s = text; *s;) {
		size_t k, i;

		if (!strncmp(s, uuid, 8)) {
			for (k = 8; uuid[k] && s[k] == uuid[k]; k++)
				;
			memcpy(o, "RUN", 3);
			o += 3;
			s += k;
			continue;
		}
		for (i = 0; i < sizeof(counted) / sizeof(*counted); i++) {
			k = strlen(counted[i]);
			if (strncmp(s, counted[i], k))
				continue;
			if (!strspn(s + k, "0123456789"))
				continue;
			if (counted[i][0] != ',') {
				memcpy(o, counted[i], k);
				o += k;
				*o++ = 'N';
			}
			s += k;
			s += strspn(s, "0123456789");
			break;
		}
		if (i == sizeof(counted) / sizeof(*counted))
			*o++ = *s++;
	}
	*o = 0;
	return out;
}

static void env_add(struct compare_run *r, const char *group, const char *name, const char *value)
{
	struct compare_env *v;
	char *shown;

	if (!value || named(volatile_names, sizeof(volatile_names) / sizeof(*volatile_names), name))
		return;
	r->env = compare_add(r->env, &r->nenv, sizeof(*r->env));
	v = &r->env[r->nenv - 1];
	shown = plain(name, r->row.uuid);
	v->group = xstrdup(group);
	v->name = shown;
	v->value = plain(value, r->row.uuid);
	v->state = !named(loose_names, sizeof(loose_names) / sizeof(*loose_names), name);
}

/* Lines "qemu ...", "guest ...": what the run kept of the programs that it was made with. */
static void fingerprint_read(struct compare_run *r)
{
	json_t *meta = json_loads(r->row.meta_json ? r->row.meta_json : "{}", 0, NULL);
	const char *text = json_string_value(json_object_get(meta, "fingerprint"));
	char *copy = xstrdup(text ? text : ""), *save = NULL;
	unsigned nth = 0;

	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *rest = strchr(line, ' '), *name;

		if (rest)
			*rest++ = 0;
		if (!strcmp(line, "accel"))
			continue; /* the one in force has a row of its own */
		/* several QEMUs: a line each */
		name = xasprintf("%s%s", line, strcmp(line, "qemu") || !nth++ ? "" : " (further)");
		env_add(r, "Programs", name, rest ? rest : "");
		free(name);
	}
	free(copy);
	json_decref(meta);
}

void compare_env_read(struct compare_run *r)
{
	const struct model *m = r->model;
	size_t size = 1, at = 0;

	env_add(r, "Programs", "vbench", r->row.version);
	fingerprint_read(r);
	env_add(r, "Programs", "accelerator", m->accel);
	for (size_t i = 0; i < m->nfacts; i++)
		env_add(r, m->facts[i].group, m->facts[i].name, m->facts[i].value);
	for (size_t i = 0; i < r->nenv; i++)
		size += strlen(r->env[i].group) + strlen(r->env[i].name) + strlen(r->env[i].value) +
			3;
	r->state = xcalloc(size, 1);
	for (size_t i = 0; i < r->nenv; i++) {
		const struct compare_env *v = &r->env[i];

		if (v->state)
			at += (size_t)snprintf(r->state + at, size - at, "%s\t%s\t%s\n", v->group,
					       v->name, v->value);
	}
}

void compare_env_free(struct compare_run *r)
{
	for (size_t i = 0; i < r->nenv; i++) {
		free(r->env[i].group);
		free(r->env[i].name);
		free(r->env[i].value);
	}
	free(r->env);
	free(r->state);
}

static void diff_add(struct compare *c, const char *group, const char *name, const char *a,
		     const char *b, unsigned cells)
{
	struct compare_diff *d;

	/* The same difference in another cell is one difference. */
	for (size_t i = 0; cells && i < c->ndiffs; i++) {
		d = &c->diffs[i];
		if (d->cells && !strcmp(d->group, group) && !strcmp(d->name, name) &&
		    !strcmp(d->a ? d->a : "", a ? a : "") &&
		    !strcmp(d->b ? d->b : "", b ? b : "")) {
			d->cells += cells;
			return;
		}
	}
	c->diffs = compare_add(c->diffs, &c->ndiffs, sizeof(*c->diffs));
	d = &c->diffs[c->ndiffs - 1];
	*d = (struct compare_diff){xstrdup(group), xstrdup(name), xstrdup(a), xstrdup(b), cells};
}

/* The nth row of that name; names repeat where a list has several members. */
static const struct compare_env *env_find(const struct compare_run *r,
					  const struct compare_env *like, size_t nth)
{
	for (size_t i = 0; i < r->nenv; i++)
		if (!strcmp(r->env[i].name, like->name) && !strcmp(r->env[i].group, like->group) &&
		    !nth--)
			return &r->env[i];
	return NULL;
}

static size_t env_nth(const struct compare_run *r, size_t at)
{
	size_t n = 0;

	for (size_t i = 0; i < at; i++)
		n += !strcmp(r->env[i].name, r->env[at].name) &&
		     !strcmp(r->env[i].group, r->env[at].group);
	return n;
}

static void diff_runs(struct compare *c, const struct compare_run *a, const struct compare_run *b)
{
	for (size_t i = 0; i < a->nenv; i++) {
		const struct compare_env *v = &a->env[i], *w = env_find(b, v, env_nth(a, i));

		if (w && !strcmp(v->value, w->value))
			c->nsame++;
		else
			diff_add(c, v->group, v->name, v->value, w ? w->value : NULL, 0);
	}
	for (size_t i = 0; i < b->nenv; i++)
		if (!env_find(a, &b->env[i], env_nth(b, i)))
			diff_add(c, b->env[i].group, b->env[i].name, NULL, b->env[i].value, 0);
}

/* Words of x that y lacks, each as often as it is too many; NULL: none. */
static char *words_only(const char *x, const char *y)
{
	char *rest = xasprintf(" %s ", y), *copy = xstrdup(x), *save = NULL, *out = NULL;

	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char *padded = xasprintf(" %s ", w), *at = strstr(rest, padded), *more;

		if (at) {
			memset(at + 1, '\1', strlen(w)); /* used up */
		} else {
			more = xasprintf("%s%s%s", out ? out : "", out ? " " : "", w);
			free(out);
			out = more;
		}
		free(padded);
	}
	free(copy);
	free(rest);
	return out;
}

static void diff_line(struct compare *c, const char *name, const char *a, const char *b)
{
	char *x, *y, *only_a, *only_b;

	/* an imported run may be without its artefacts */
	if (!a || !b || strlen(a) > LINE_MAX_LEN || strlen(b) > LINE_MAX_LEN)
		return;
	x = plain(a, c->a.runs[0].row.uuid);
	y = plain(b, c->b.runs[0].row.uuid);
	for (char *p = x; *p; p++)
		*p = *p == '\n' ? ' ' : *p;
	for (char *p = y; *p; p++)
		*p = *p == '\n' ? ' ' : *p;
	only_a = words_only(x, y);
	only_b = words_only(y, x);
	if (only_a || only_b)
		diff_add(c, "Cells", name, only_a, only_b, 1);
	else
		c->nsame++;
	free(only_a);
	free(only_b);
	free(x);
	free(y);
}

static void diff_facts(struct compare *c, json_t *a, json_t *b)
{
	const char *key;
	json_t *v, *w;

	json_object_foreach(a, key, v)
	{
		char *x, *y;

		w = json_object_get(b, key);
		if (!w || json_equal(v, w) || !strcmp(key, "serial") || !strcmp(key, "name") ||
		    !strcmp(key, "path"))
			continue;
		x = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
		y = json_dumps(w, JSON_ENCODE_ANY | JSON_COMPACT);
		diff_add(c, "Disk in the guest", key, x ? x : "", y ? y : "", 1);
		free(x);
		free(y);
	}
}

void compare_env_diff(struct compare *c)
{
	const struct compare_run *a = &c->a.runs[0], *b = &c->b.runs[0];
	size_t last_a = (size_t)-1;

	diff_runs(c, a, b);
	for (size_t i = 0; i < c->nkeys; i++)
		diff_add(c, "Cells", c->keys[i], c->key_a[i], c->key_b[i],
			 (unsigned)a->model->ncells);
	for (size_t i = 0; i < c->nrows; i++) {
		const struct model_cell *x, *y;

		if (c->rows[i].a == last_a)
			continue; /* another workload of the same cell */
		last_a = c->rows[i].a;
		x = &a->model->cells[c->rows[i].a];
		y = &b->model->cells[c->rows[i].b];
		diff_line(c, "QEMU's command line", x->qemu, y->qemu);
		diff_facts(c, x->facts, y->facts);
	}
}
