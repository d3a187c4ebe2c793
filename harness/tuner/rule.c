// SPDX-License-Identifier: GPL-2.0-or-later
/* The tables of rules as one, and findings. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "tuner/internal.h"

static const struct rule_row *const tables[] = {
	rules_cpu,     rules_numa,	rules_memory, rules_block, rules_queue, rules_image,
	rules_network, rules_migration, rules_clock,  rules_guest, rules_host,	rules_ovirt,
};

const struct rule_row *rule_find(const char *id)
{
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct rule_row *r = tables[t]; r->id; r++)
			if (!strcasecmp(r->id, id))
				return r;
	return NULL;
}

/* Tables are by who looks where, tuning.md is by subject: its order is the one that people know. */
const struct rule_row *rule_at(size_t i)
{
	size_t n;
	const struct rule_text *texts = rule_texts(&n);

	for (size_t k = 0; k < n; k++) {
		const struct rule_row *r = rule_find(texts[k].id);

		if (r && !i--)
			return r;
	}
	return NULL;
}

const char *rule_weight_name(enum rule_weight w)
{
	static const char *const names[] = {
		[RULE_MUST] = "must", [RULE_SHOULD] = "should", [RULE_MAY] = "may"};

	return names[w];
}

const char *rule_state_name(enum rule_state s)
{
	static const char *const names[RULE_STATES] = {
		[RULE_FOLLOWED] = "followed",
		[RULE_BROKEN] = "broken",
		[RULE_NOT_APPLICABLE] = "not applicable",
		[RULE_CANT_TELL] = "can't tell",
	};

	return names[s];
}

static struct finding *finding_vadd(struct findings *f, enum rule_state state, enum vm_side side,
				    const char *part, const char *where, const char *found,
				    va_list ap)
{
	struct finding *new;

	f->list = xrealloc(f->list, f->n + 1, sizeof(*f->list));
	new = &f->list[f->n++];
	*new = (struct finding){
		.state = state,
		.side = side,
		.part = xstrdup(part),
		.where = where && *where ? xstrdup(where) : NULL,
		.found = xvasprintf(found, ap),
	};
	return new;
}

struct finding *finding_add(struct findings *f, enum rule_state state, enum vm_side side,
			    const char *part, const char *where, const char *found, ...)
{
	struct finding *new;
	va_list ap;

	va_start(ap, found);
	new = finding_vadd(f, state, side, part, where, found, ap);
	va_end(ap);
	return new;
}

struct finding *found_ok(struct findings *f, enum vm_side side, const char *part, const char *where,
			 const char *found, ...)
{
	struct finding *new;
	va_list ap;

	va_start(ap, found);
	new = finding_vadd(f, RULE_FOLLOWED, side, part, where, found, ap);
	va_end(ap);
	return new;
}

struct finding *found_bad(struct findings *f, enum vm_side side, const char *part,
			  const char *where, const char *found, ...)
{
	struct finding *new;
	va_list ap;

	va_start(ap, found);
	new = finding_vadd(f, RULE_BROKEN, side, part, where, found, ap);
	va_end(ap);
	return new;
}

void found_none(struct findings *f, const char *why, ...)
{
	va_list ap;

	va_start(ap, why);
	finding_vadd(f, RULE_NOT_APPLICABLE, VM_ASKED, NULL, NULL, why, ap);
	va_end(ap);
}

void found_unknown(struct findings *f, enum vm_side side, const char *part, const char *how, ...)
{
	va_list ap;

	va_start(ap, how);
	finding_vadd(f, RULE_CANT_TELL, side, part, NULL, how, ap);
	va_end(ap);
}

void finding_want(struct finding *f, const char *fmt, ...)
{
	va_list ap;

	free(f->want);
	va_start(ap, fmt);
	f->want = xvasprintf(fmt, ap);
	va_end(ap);
}

void finding_change(struct finding *f, enum change_kind kind, const char *fmt, ...)
{
	char **way = kind == CHANGE_XML	    ? &f->xml
		     : kind == CHANGE_QEMU  ? &f->qemu
		     : kind == CHANGE_SYSFS ? &f->sysfs
					    : &f->guest;
	va_list ap;

	free(*way);
	va_start(ap, fmt);
	*way = xvasprintf(fmt, ap);
	va_end(ap);
}

void findings_free(struct findings *f)
{
	for (size_t i = 0; i < f->n; i++) {
		struct finding *x = &f->list[i];
		char *strings[] = {x->part, x->found, x->where, x->want,
				   x->xml,  x->qemu,  x->sysfs, x->guest};

		for (size_t k = 0; k < sizeof(strings) / sizeof(strings[0]); k++)
			free(strings[k]);
	}
	free(f->list);
	*f = (struct findings){0};
}
