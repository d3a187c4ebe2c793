// SPDX-License-Identifier: GPL-2.0-or-later
/* An audit: every rule of a set asked of one subject, and what comes of it. */
#include <stdlib.h>
#include <string.h>
#include "tuner/internal.h"

/* From harmless to worst: the state of a rule is the worst of its findings. */
static int badness(enum rule_state s)
{
	static const int order[RULE_STATES] = {
		[RULE_NOT_APPLICABLE] = 0,
		[RULE_FOLLOWED] = 1,
		[RULE_CANT_TELL] = 2,
		[RULE_BROKEN] = 3,
	};

	return order[s];
}

static void audit_add(struct audit *a, const struct rule_row *r)
{
	a->list = xrealloc(a->list, a->n + 1, sizeof(*a->list));
	a->list[a->n++] =
		(struct audited){.rule = r, .text = rule_text(r->id), .state = RULE_NOT_APPLICABLE};
}

static void audit_ask(struct audit *a, struct audited *x)
{
	x->rule->check(a->subject, &x->findings);
	if (!x->findings.n)
		found_unknown(&x->findings, VM_ASKED, NULL, "nothing is known of what it is about");
	for (size_t i = 0; i < x->findings.n; i++)
		if (badness(x->findings.list[i].state) > badness(x->state))
			x->state = x->findings.list[i].state;
	a->count[x->state]++;
	if (x->state == RULE_BROKEN)
		++*(x->rule->weight == RULE_MUST     ? &a->broken_must
		    : x->rule->weight == RULE_SHOULD ? &a->broken_should
						     : &a->broken_may);
}

static const struct rule_set *set_find(const char *name)
{
	for (const struct rule_set *s = rule_sets; s->name; s++)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

/* All but what only makes sense as part of a set of its own: oVirt's list wants a machine of one
 * kind. */
static bool id_among(const char *const *ids, const char *id)
{
	if (!ids)
		return strncmp(id, "OVH-", 4) != 0;
	for (; *ids; ids++)
		if (!strcasecmp(*ids, id))
			return true;
	return false;
}

static void audit_ids(struct audit *a, const char *const *ids)
{
	const struct rule_row *r;

	for (size_t i = 0; (r = rule_at(i)); i++)
		if (id_among(ids, r->id))
			audit_add(a, r);
}

static int unknown_set(const char *word, struct err *e)
{
	char *names = xstrdup("");

	for (const struct rule_set *s = rule_sets; s->name; s++) {
		char *more = xasprintf("%s%s%s", names, *names ? ", " : "", s->name);

		free(names);
		names = more;
	}
	err_input(
		e,
		"there is no rule or set of rules \"%.60s\"; sets are %s, and `vbench audit --list` has the rules",
		word, names);
	free(names);
	return -EINVAL;
}

/* Ids with commas, of any case. */
static int audit_named(struct audit *a, const char *set, struct err *e)
{
	char *copy = xstrdup(set), *save = NULL;
	const char **ids = NULL;
	size_t n = 0;
	int rc = 0;

	for (char *w = strtok_r(copy, ", ", &save); w && !rc; w = strtok_r(NULL, ", ", &save)) {
		if (!rule_find(w))
			rc = unknown_set(w, e);
		ids = xrealloc(ids, n + 2, sizeof(*ids));
		ids[n++] = w;
		ids[n] = NULL;
	}
	if (!rc && !n)
		rc = unknown_set(set, e);
	if (!rc)
		audit_ids(a, ids);
	free(ids);
	free(copy);
	return rc;
}

int audit_select(const char *set, struct audit *out, struct err *e)
{
	const struct rule_set *known = set_find(set);

	*out = (struct audit){.set = known ? known->name : "chosen rules"};
	if (!known)
		return audit_named(out, set, e);
	audit_ids(out, known->ids);
	return 0;
}

int audit_run(const struct subject *s, const char *set, struct audit *out, struct err *e)
{
	int rc = audit_select(set, out, e);

	out->subject = s;
	for (size_t i = 0; !rc && i < out->n; i++)
		audit_ask(out, &out->list[i]);
	return rc;
}

void audit_free(struct audit *a)
{
	for (size_t i = 0; i < a->n; i++)
		findings_free(&a->list[i].findings);
	free(a->list);
	*a = (struct audit){0};
}

int audit_status(const struct audit *a, bool strict)
{
	return a->broken_must || a->broken_should || (strict && a->broken_may) ? VB_WORSE : VB_OK;
}
