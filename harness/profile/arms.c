/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two arms of one profile: every cell twice, once with what each arm says besides, and paired. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "profile/internal.h"

static const char *const arm_names[2] = {"base", "change"};

/* A plain value of a key of [guest] or [disk]. */
static int take_value(struct settings *said, enum section sec, const char *key, const char *text,
		      const char *place, struct err *e)
{
	const struct key_row *row = key_find(sec, key);
	bool extra = sec == SEC_DISK && !strncmp(key, "blockdev.", 9);
	char **values, *full;
	const char *why;
	size_t n;
	int rc;

	if (!row && !extra)
		return key_unknown(sec, key, place, e);
	if (row && row->id == K_ARM)
		return err_input(e, "%s: guest.arm tells the arms apart already; leave it out",
				 place);
	rc = value_list(row, false, text, place, &values, &n, e);
	if (rc)
		return rc;
	why = extra ? extra_refused(sec, key + 9, values[0]) : NULL;
	if (why) {
		text_list_free(values, n);
		return err_input(e, "%s: %s", place, why);
	}
	full = xasprintf("%s.%s", section_names[sec], key);
	settings_say(said, row, full, place, values, n);
	free(full);
	return 0;
}

static int take_set(struct settings *said, const char *set, const char *place, struct err *e)
{
	const char *eq = strchr(set, '='), *dot = strchr(set, '.');
	char *key;
	size_t n;
	int rc = text_plain(set, strlen(set), place, e), s;

	if (rc)
		return rc;
	if (!eq || !dot || dot > eq)
		return err_input(e, "%s: write SECTION.KEY=VALUE, for instance disk.ring=packed",
				 place);
	for (s = 0; s < SEC_COUNT; s++)
		if ((size_t)(dot - set) == strlen(section_names[s]) &&
		    !strncmp(set, section_names[s], (size_t)(dot - set)))
			break;
	if (!strncmp(set, "workload", 8))
		return err_input(e,
				 "%s: arms differ in keys of [guest], [disk] and [knob]; to compare "
				 "workloads, give the profile a second [workload NAME]",
				 place);
	if (s == SEC_COUNT || !section_of_cells(s))
		return err_input(
			e,
			"%s: arms differ in keys of [guest], [disk] and [knob]; what holds for both "
			"arms goes into the profile, or --set",
			place);
	for (n = (size_t)(eq - dot - 1); n && dot[n] == ' ';)
		n--;
	key = strndup(dot + 1, n);
	rc = take_value(said, (enum section)s, key, eq + 1, place, e);
	free(key);
	return rc;
}

/* What is an axis has all its values in both arms. */
static int check_axes(const struct profile *p, const struct settings *arm,
		      const struct settings *said, struct err *e)
{
	char buf[64];

	for (size_t i = 0; i < arm->n; i++)
		for (size_t k = 0; k < said->n; k++)
			if (!strcmp(arm->s[i].key, said->s[k].key) && said->s[k].n > 1)
				return err_input(
					e,
					"%s: %s is an axis of %s, so its values are compared "
					"already; give it one value first, for instance --set %s=%s",
					arm->s[i].where, arm->s[i].key, p->path, arm->s[i].key,
					said->s[k].row ? key_value_text(said->s[k].row,
									said->s[k].values[0], buf,
									sizeof(buf))
						       : said->s[k].values[0]);
	return 0;
}

static int add_axis(const struct profile *p, struct settings *said, struct err *e)
{
	const struct key_row *row = &profile_keys[K_ARM];
	char **values = xcalloc(2, sizeof(*values));
	struct setting first;

	for (size_t i = 0; i < said->n; i++) {
		if (said->s[i].row == row) {
			free(values);
			return err_input(
				e,
				"%s: guest.arm: with two arms it is given already; take it "
				"out",
				p->path);
		}
	}
	values[0] = xstrdup(arm_names[0]);
	values[1] = xstrdup(arm_names[1]);
	settings_say(said, row, "guest.arm", "arms", values, 2);
	/* the slowest axis: all cells of an arm, then all of the other */
	first = said->s[said->n - 1];
	memmove(&said->s[1], &said->s[0], (said->n - 1) * sizeof(*said->s));
	said->s[0] = first;
	return 0;
}

static void keep_text(char ***list, size_t *n, const char *text)
{
	*list = xrealloc(*list, *n + 1, sizeof(**list));
	(*list)[(*n)++] = xstrdup(text);
}

int arms_take(struct profile *p, struct arms *a, struct settings *said, struct err *e)
{
	int rc = 0;

	if (p->nrungs)
		return err_input(
			e,
			"%s: a ladder has no second arm: each rung is compared with the one "
			"below; write what --vs says as a rung of its own",
			p->path);
	for (int arm = 0; !rc && arm < 2; arm++) {
		for (size_t i = 0; !rc && i < a->n[arm]; i++) {
			char buf[64],
				*name = strndup(a->text[arm][i], strcspn(a->text[arm][i], "="));
			char *place = xasprintf(arm ? "--vs %s" : "base arm: %s", show(name, buf));

			rc = take_set(&a->said[arm], a->text[arm][i], place, e);
			if (arm)
				keep_text(&p->vs_change, &p->nvs_change, a->text[arm][i]);
			else
				keep_text(&p->vs_base, &p->nvs_base, a->text[arm][i]);
			free(place);
			free(name);
		}
		if (!rc)
			rc = check_axes(p, &a->said[arm], said, e);
	}
	return rc ? rc : add_axis(p, said, e);
}

bool profile_cells_differ(const struct cell *a, const struct cell *b)
{
	struct cell x = *a, y = *b;
	char *id_x, *id_y;
	bool other;

	x.val[K_ARM] = y.val[K_ARM] = NULL;
	id_x = cell_identity(&x);
	id_y = cell_identity(&y);
	other = strcmp(id_x, id_y) != 0;
	free(id_x);
	free(id_y);
	return other;
}

/* A set that means nothing anywhere would make an A/A run of what was to be a comparison. */
static int check_idle(const struct profile *p, const struct arms *a, struct err *e)
{
	for (int arm = 0; arm < 2; arm++) {
		for (size_t i = 0; i < a->said[arm].n; i++) {
			const struct setting *s = &a->said[arm].s[i];
			const struct cell *of = NULL;
			bool used = !s->row;

			for (size_t k = 0; !used && k < p->ncells; k++) {
				if (strcmp(p->cells[k].val[K_ARM], arm_names[arm]))
					continue;
				of = &p->cells[k];
				used = of->val[s->row->id] != NULL;
			}
			if (!used && of)
				return err_input(e, "%s: means nothing in any cell of %s: %s",
						 s->where, p->path, s->row->applies(of));
		}
	}
	return 0;
}

static void add_pair(struct profile *p, size_t base, size_t change)
{
	for (size_t i = 0; i < p->npairs; i++)
		if (p->pairs[i].base == base && p->pairs[i].change == change)
			return;
	p->pairs = xrealloc(p->pairs, p->npairs + 1, sizeof(*p->pairs));
	p->pairs[p->npairs++] = (struct profile_pair){base, change};
}

/* Where some pairs differ, those that do not have nothing to say. */
static void drop_equal(struct profile *p)
{
	bool *other = xcalloc(p->npairs + 1, sizeof(*other));
	size_t n = 0, nother = 0;

	for (size_t i = 0; i < p->npairs; i++) {
		other[i] = profile_cells_differ(&p->cells[p->pairs[i].base],
						&p->cells[p->pairs[i].change]);
		nother += other[i];
	}
	for (size_t i = 0; nother && i < p->npairs; i++) {
		if (other[i])
			p->pairs[n++] = p->pairs[i];
		else
			profile_add_skipped(p, xstrdup(p->cells[p->pairs[i].change].label),
					    "what the arms differ in means nothing here", false);
	}
	if (nother)
		p->npairs = n;
	free(other);
}

static void drop_lone(struct profile *p, const size_t *of_combo, size_t half)
{
	bool *keep = xcalloc(p->ncells + 1, sizeof(*keep));

	for (size_t i = 0; i < half; i++) {
		size_t base = of_combo[i], change = of_combo[half + i];

		if ((base == SIZE_MAX) != (change == SIZE_MAX))
			profile_add_skipped(
				p, xstrdup(p->cells[base == SIZE_MAX ? change : base].label),
				"its counterpart in the other arm cannot be", false);
	}
	for (size_t i = 0; i < p->npairs; i++)
		keep[p->pairs[i].base] = keep[p->pairs[i].change] = true;
	profile_keep(p, keep);
	free(keep);
}

int arms_pair(struct profile *p, const struct arms *a, const size_t *of_combo, size_t half,
	      struct err *e)
{
	int rc = check_idle(p, a, e);

	if (rc)
		return rc;
	for (size_t i = 0; i < half; i++)
		if (of_combo[i] != SIZE_MAX && of_combo[half + i] != SIZE_MAX)
			add_pair(p, of_combo[i], of_combo[half + i]);
	if (!p->npairs)
		return err_input(e, "%s: no cell can be in both arms: %s", p->path,
				 p->nskipped ? p->skipped[0].reason : "there is none");
	drop_equal(p);
	drop_lone(p, of_combo, half);
	return 0;
}
