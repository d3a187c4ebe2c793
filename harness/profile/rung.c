/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ladders: [rung NAME] sections, each of which makes one named cell of the plain values below it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "profile/internal.h"

int rung_add(struct profile *p, struct settings **said, const char *name, const char *place,
	     unsigned line, struct err *e)
{
	if (!*name)
		return err_input(e, "%s: a rung needs a name; write for instance [rung guest-nvme]",
				 place);
	if (name_check("rung", name, place, e))
		return -EINVAL;
	for (size_t i = 0; i < p->nrungs; i++)
		if (!strcmp(p->rungs[i].name, name))
			return err_input(
				e, "%s: [rung %s] is there twice; give this rung a name of its own",
				place, name);
	if (p->nrungs == PROFILE_MAX_RUNGS)
		return err_input(e, "%s: more than %u rungs; split the profile", place,
				 PROFILE_MAX_RUNGS);
	p->rungs = xrealloc(p->rungs, p->nrungs + 1, sizeof(*p->rungs));
	*said = xrealloc(*said, p->nrungs + 1, sizeof(**said));
	(*said)[p->nrungs] = (struct settings){0};
	p->rungs[p->nrungs++] =
		(struct rung){.name = xstrdup(name), .cell = SIZE_MAX, .line = line};
	return 0;
}

/* The rung below stands above in the file, so that there is no circle. */
static int take_over(struct profile *p, size_t rung, const char *text, const char *where,
		     struct err *e)
{
	const char *names[PROFILE_MAX_RUNGS + 1] = {0}, *hint;
	char buf[64];

	for (size_t i = 0; i < p->nrungs; i++) {
		if (i < rung)
			names[i] = p->rungs[i].name;
		if (strcmp(p->rungs[i].name, text))
			continue;
		if (i >= rung)
			return err_input(
				e,
				"%s: \"%s\" does not stand above [rung %s]; a rung is over an earlier one",
				where, show(text, buf), p->rungs[rung].name);
		free(p->rungs[rung].over);
		p->rungs[rung].over = xstrdup(text);
		return 0;
	}
	hint = nearest_in_array(text, names);
	return err_input(e, "%s: there is no rung \"%s\" above%s%s%s", where, show(text, buf),
			 hint ? "; did you mean \"" : "; name an earlier one, or take the line out",
			 hint ? hint : "", hint ? "\"?" : "");
}

static int take_adds(struct rung *r, const char *text, const char *where, struct err *e)
{
	if (!*text)
		return err_input(
			e, "%s: there is no value; say what this layer is, or take the line out",
			where);
	if (strlen(text) > 200)
		return err_input(e, "%s: the text is %zu bytes long; at most 200 are taken", where,
				 strlen(text));
	free(r->adds);
	r->adds = xstrdup(text);
	return 0;
}

/* disk.blockdev.KEY: as in [disk], but one value. */
static int take_extra(struct settings *said, const char *key, const char *text, const char *where,
		      struct err *e)
{
	const char *why;
	char **values;
	size_t n;
	int rc = value_list(NULL, false, text, where, &values, &n, e);

	if (rc)
		return rc;
	why = extra_refused(SEC_DISK, key + strlen("disk.blockdev."), values[0]);
	if (!why) {
		settings_say(said, NULL, key, where, values, n);
		return 0;
	}
	free(values[0]);
	free(values);
	return err_input(e, "%s: %s", where, why);
}

int rung_take_key(struct profile *p, size_t rung, struct settings *said, const char *key,
		  const char *text, const char *place, const char *where, struct err *e)
{
	const char *dot = strchr(key, '.');
	const struct key_row *row;
	enum section sec;
	char buf[64], **values;
	size_t n;
	int rc;

	if (!strcmp(key, "over"))
		return take_over(p, rung, text, where, e);
	if (!strcmp(key, "adds"))
		return take_adds(&p->rungs[rung], text, where, e);
	if (!strncmp(key, "disk.blockdev.", strlen("disk.blockdev.")))
		return take_extra(said, key, text, where, e);
	if (dot && !strncmp(key, "guest.", 6)) {
		sec = SEC_GUEST;
	} else if (dot && !strncmp(key, "disk.", 5)) {
		sec = SEC_DISK;
	} else if (dot && !strncmp(key, "knob.", 5)) {
		sec = SEC_KNOB;
	} else {
		bool disk = key_find(SEC_DISK, key) != NULL;

		if (disk || key_find(SEC_GUEST, key))
			return err_input(
				e, "%s: a rung names its keys in full; did you mean \"%s.%s\"?",
				place, disk ? "disk" : "guest", key);
		return err_input(
			e,
			"%s: \"%s\" is no key of [rung NAME]; it has over, adds, guest.KEY and "
			"disk.KEY",
			place, show(key, buf));
	}
	row = key_find(sec, dot + 1);
	if (!row)
		return key_unknown(sec, dot + 1, place, e);
	rc = value_list(row, false, text, where, &values, &n, e);
	if (!rc)
		settings_say(said, row, key, where, values, n);
	return rc;
}

/* A ladder has no axes: each rung is one cell. */
static int check_plain(const struct settings *said, struct err *e)
{
	for (size_t i = 0; i < said->n; i++)
		if (said->s[i].n > 1)
			return err_input(
				e,
				"%s: a profile with rungs takes no lists; write one value, and the others "
				"into [rung NAME] sections",
				said->s[i].where);
	return 0;
}

static int check_words(const struct profile *p, const struct rung *r, struct err *e)
{
	if (r->adds && !r->over)
		return err_input(
			e,
			"%s:%u: [rung %s] adds something to no rung; say over which, or take adds out",
			p->path, r->line, r->name);
	if (r->over && !r->adds)
		return err_input(
			e,
			"%s:%u: [rung %s] is over %s, but does not say what it adds; write "
			"adds = ...",
			p->path, r->line, r->name, r->over);
	return 0;
}

/* The --set arguments about cells, "--set disk.ring"; NULL: none. New. */
static char *sets_of(const struct settings *said)
{
	char *text = NULL;

	for (size_t i = 0; i < said->n; i++)
		if (!strncmp(said->s[i].where, "--set ", 6))
			text_append(&text, ", ", said->s[i].where);
	return text;
}

/*
 * No rung twice. In the file that is a slip; where --set has made two of them equal (disk.ring =
 * packed in a ladder with a rung for it), the later one is folded: *folded.
 */
static int check_new(struct profile *p, const struct rung *r, const struct settings *said,
		     const char *identity, bool *folded, struct err *e)
{
	char *sets, *why;

	*folded = false;
	for (size_t i = 0; i < p->nrungs; i++) {
		char *other;
		bool same;

		if (p->rungs[i].cell == SIZE_MAX)
			continue;
		other = cell_identity(&p->cells[p->rungs[i].cell]);
		same = !strcmp(identity, other);
		free(other);
		if (!same)
			continue;
		sets = sets_of(said);
		if (!sets)
			return err_input(
				e,
				"%s:%u: [rung %s] is the same as [rung %s]; take one of them out",
				p->path, r->line, r->name, p->rungs[i].name);
		why = xasprintf("%s makes it the same as rung %s", sets, p->rungs[i].name);
		profile_add_skipped(p, xasprintf("rung %s", r->name), why, true);
		free(why);
		free(sets);
		*folded = true;
		return 0;
	}
	return 0;
}

/* Of what the rung itself says, that which means nothing in its cell. */
static void list_idle(struct profile *p, const struct rung *r, const struct settings *own)
{
	char buf[4096];

	for (size_t i = 0; i < own->n; i++) {
		const struct setting *s = &own->s[i];

		if (!s->row || !s->row->applies || p->cells[r->cell].val[s->row->id])
			continue;
		profile_add_skipped(
			p,
			xasprintf("rung %s: %s=%s", r->name, s->key,
				  key_value_text(s->row, s->values[0], buf, sizeof(buf))),
			s->row->applies(&p->cells[r->cell]), true);
	}
}

/*
 * Keys first: they say whether there is a block layer of QEMU in this rung's path. What the rungs
 * share goes to those that have one; what a rung says itself is put in any case.
 */
static void make_cell(struct cell *c, const struct settings *said, const struct settings *own)
{
	cell_start(c);
	for (size_t i = 0; i < said->n; i++)
		if (said->s[i].row)
			cell_put(c, &said->s[i], 0);
	for (size_t i = 0; i < own->n; i++)
		if (own->s[i].row)
			cell_put(c, &own->s[i], 0);
	cell_settle(c);
	for (size_t i = 0; i < said->n; i++)
		if (!said->s[i].row && cell_in_qemu(c))
			cell_put(c, &said->s[i], 0);
	for (size_t i = 0; i < own->n; i++)
		if (!own->s[i].row)
			cell_put(c, &own->s[i], 0);
}

/* Pass-through options that some rungs have no use for are told once each. */
static void list_idle_extras(struct profile *p, const struct settings *said)
{
	size_t n = 0;

	for (size_t i = 0; i < p->ncells; i++)
		n += !cell_in_qemu(&p->cells[i]);
	for (size_t i = 0; n && i < said->n; i++)
		if (!said->s[i].row)
			profile_add_skipped(p,
					    xasprintf("%s=%s on %zu rung%s", said->s[i].key,
						      said->s[i].values[0], n, n == 1 ? "" : "s"),
					    "QEMU's block layer is not in their path", true);
}

static int take_rung(struct profile *p, struct rung *r, const struct settings *said,
		     const struct settings *own, struct err *e)
{
	struct cell c;
	const char *why;
	char *identity;
	bool folded;
	int rc;

	make_cell(&c, said, own);
	why = cell_conflict(&c);
	if (why) {
		profile_add_skipped(p, xasprintf("rung %s", r->name), why, false);
		cell_clear(&c);
		return 0;
	}
	identity = cell_identity(&c);
	rc = check_new(p, r, said, identity, &folded, e);
	free(identity);
	if (rc || folded) {
		cell_clear(&c);
		return rc;
	}
	c.label = xstrdup(r->name);
	r->cell = p->ncells;
	profile_take_cell(p, &c);
	list_idle(p, r, own);
	return 0;
}

int ladder_expand(struct profile *p, const struct settings *said, const struct settings *own,
		  struct err *e)
{
	int rc = check_plain(said, e);

	for (size_t i = 0; !rc && i < p->nrungs; i++) {
		rc = check_words(p, &p->rungs[i], e);
		if (!rc)
			rc = take_rung(p, &p->rungs[i], said, &own[i], e);
	}
	if (rc)
		return rc;
	profile_list_idle(p, said);
	list_idle_extras(p, said);
	if (!p->ncells)
		return err_input(e, "%s:%u: no rung makes sense: %s", p->path, p->rungs[0].line,
				 p->nskipped ? p->skipped[0].reason : "there is none");
	return 0;
}
