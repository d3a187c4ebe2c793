/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An audit: every rule asked of one machine. */
#ifndef VB_TUNER_AUDIT_H
#define VB_TUNER_AUDIT_H

#include <jansson.h>
#include <stdio.h>
#include "tuner/rule.h"

struct audited {
	const struct rule_row *rule;
	const struct rule_text *text;
	enum rule_state
		state; /* the worst of its findings: broken, can't tell, followed, not applicable */
	struct findings findings;
};

struct audit {
	const struct subject *subject;
	struct audited *list;
	size_t n;
	unsigned count[RULE_STATES];
	unsigned broken_must, broken_should, broken_may;
	const char *set; /* name of the set of rules */
};

/* Sets of rules: "all", "ovirt-hp", ...; what they are for, and their ids; ends with a NULL name.
 */
struct rule_set {
	const char *name, *help, *source;
	const char *const *ids; /* NULL: all */
};
extern const struct rule_set rule_sets[];

/* set: a name of rule_sets, or ids with commas ("BLK-18,MEM-01"). -EINVAL names what there is. Free
 * with audit_free. */
int audit_run(const struct subject *s, const char *set, struct audit *out, struct err *e);
/* The same without a subject: its rules are listed, none is asked. */
int audit_select(const char *set, struct audit *out, struct err *e);
void audit_free(struct audit *a);

/* Exit status: 0 nothing broken; 1 a MUST or SHOULD (strict: or a MAY) is. */
int audit_status(const struct audit *a, bool strict);

/*
 * For people: finding k of a rule, together with those after it that say the same of other parts:
 * "disk sda, sdb, sdc", or "" where no part is named. NULL when an earlier one has said it, and
 * for those of another state than state. *alike: how many were taken together. Caller frees.
 */
char *audit_parts(const struct findings *f, size_t k, enum rule_state state, size_t *alike);

/* Formats. text: what is broken first, each with place, remedy and source; then counts. all:
 * followed and not applicable rules too. */
void audit_text(const struct audit *a, bool all, FILE *out);
json_t *audit_json(const struct audit *a);
/* TAP: a rule a test; not applicable and can't tell are "ok # SKIP reason". */
void audit_tap(const struct audit *a, FILE *out);

#endif
