// SPDX-License-Identifier: GPL-2.0-or-later
/* An audit as TAP, version 13: a rule a test. */
#include <string.h>
#include "tuner/internal.h"

/* In one line, and without what TAP or a terminal reads a meaning into. */
static void put_line(FILE *out, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		fputc(*p < 0x20 || *p == 0x7f ? ' ' : *p == '#' ? '.' : *p, out);
}

static const struct finding *first_of(const struct audited *x)
{
	for (size_t i = 0; i < x->findings.n; i++)
		if (x->findings.list[i].state == x->state)
			return &x->findings.list[i];
	return NULL;
}

static void put_diagnosis(FILE *out, const char *label, const char *text)
{
	if (!text)
		return;
	fprintf(out, "# %-9s", label);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if (*p == '\n')
			fputs("\n#          ", out);
		else
			fputc(*p < 0x20 || *p == 0x7f ? '?' : *p, out);
	fputc('\n', out);
}

static void put_broken(FILE *out, const struct audited *x)
{
	for (size_t i = 0; i < x->findings.n; i++) {
		const struct finding *y = &x->findings.list[i];

		if (y->state != RULE_BROKEN)
			continue;
		put_diagnosis(out, "part", y->part);
		put_diagnosis(out, y->side == VM_ASKED ? "asked" : "in force", y->found);
		put_diagnosis(out, "where", y->where);
		put_diagnosis(out, "want", y->want);
		put_diagnosis(out, "libvirt", y->xml);
		put_diagnosis(out, "QEMU", y->qemu);
		put_diagnosis(out, "host", y->sysfs);
		put_diagnosis(out, "guest", y->guest);
	}
}

/*
 * A MAY depends on the load: it is a TODO, which harnesses show and do not fail on, as the exit
 * status does not.
 */
void audit_tap(const struct audit *a, FILE *out)
{
	fprintf(out, "TAP version 13\n1..%zu\n", a->n);
	for (size_t i = 0; i < a->n; i++) {
		const struct audited *x = &a->list[i];
		const struct finding *why = first_of(x);
		bool skip = x->state == RULE_NOT_APPLICABLE || x->state == RULE_CANT_TELL;

		fprintf(out, "%sok %zu - %s ", x->state == RULE_BROKEN ? "not " : "", i + 1,
			x->rule->id);
		put_line(out, x->text ? x->text->title : "");
		if (skip)
			fprintf(out, " # SKIP %s: ", rule_state_name(x->state));
		if (skip && why)
			put_line(out, why->found);
		if (x->state == RULE_BROKEN && x->rule->weight == RULE_MAY)
			fputs(" # TODO depends on the load", out);
		fputc('\n', out);
		put_broken(out, x);
	}
	for (size_t i = 0; a->subject->vm && i < a->subject->vm->nnotes; i++)
		put_diagnosis(out, "aside", a->subject->vm->notes[i]);
}
