// SPDX-License-Identifier: GPL-2.0-or-later
/* An audit as text for people: what is broken first, with its remedies; then what cannot be told;
 * then counts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tuner/internal.h"

enum { COLUMNS = 100, LABEL = 10, INDENT = 4 };

/* One character as it goes to a terminal: names come from files that may be hostile. */
static void put_char(FILE *out, unsigned char c)
{
	fputc(c < 0x20 || c == 0x7f ? '?' : c, out);
}

static void put_word(FILE *out, const char *word, size_t len)
{
	for (size_t i = 0; i < len; i++)
		put_char(out, (unsigned char)word[i]);
}

/* Columns that a word takes: UTF-8's continuation bytes take none. */
static int word_width(const char *word, size_t len)
{
	int n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)word[i] & 0xc0) != 0x80;
	return n;
}

/* Text behind a left edge of `edge` columns, of which the first line has used them. */
static void put_wrapped(FILE *out, int edge, const char *text)
{
	int column = edge;

	for (const char *p = text; *p;) {
		size_t len = strcspn(p, " \n");
		int width = word_width(p, len);

		if (column > edge && column + 1 + width > COLUMNS) {
			fprintf(out, "\n%*s", edge, "");
			column = edge;
		} else if (column > edge) {
			fputc(' ', out);
			column++;
		}
		put_word(out, p, len);
		column += width;
		p += len;
		p += strspn(p, " \n");
	}
	fputc('\n', out);
}

static void put_line(FILE *out, int indent, const char *label, const char *text)
{
	fprintf(out, "%*s%-*s", indent, "", LABEL, label);
	put_wrapped(out, indent + LABEL, text);
}

void text_put(FILE *out, const char *label, const char *text)
{
	put_line(out, 2, label, text);
}

static const char *side_name(enum vm_side side)
{
	return side == VM_ASKED ? "requested" : "in force";
}

/* Commands and snippets are not broken into lines: they are copied. */
static void put_change(FILE *out, const char *label, const char *text)
{
	if (!text)
		return;
	fprintf(out, "%*s%-*s", INDENT, "", LABEL, label);
	for (const char *p = text; *p; p++)
		if (*p == '\n')
			fprintf(out, "\n%*s", INDENT + LABEL, "");
		else
			put_char(out, (unsigned char)*p);
	fputc('\n', out);
}

static void put_found(FILE *out, const struct finding *x, const char *parts, size_t alike)
{
	char *more = alike > 1 ? xasprintf(", and %zu like it", alike - 1) : xstrdup("");
	char *text = xasprintf("%s%s%s%s%s", x->found, x->where ? " (" : "",
			       x->where ? x->where : "", x->where ? more : "", x->where ? ")" : "");
	char *who = xasprintf("%s%s%s:", parts, *parts ? ", " : "", side_name(x->side));

	fputs("  ", out);
	put_wrapped(out, 2, who);
	put_line(out, INDENT, "found", text);
	free(who);
	free(text);
	free(more);
}

static void put_broken(FILE *out, const struct finding *x, const char *parts, size_t alike)
{
	put_found(out, x, parts, alike);
	if (x->want)
		put_line(out, INDENT, "want", x->want);
	put_change(out, "libvirt", x->xml);
	put_change(out, "QEMU", x->qemu);
	put_change(out, "host", x->sysfs);
	put_change(out, "guest", x->guest);
}

static void put_sources(FILE *out, const struct audited *x)
{
	struct rule_source s;
	const char *p = x->text && x->text->sources ? x->text->sources : "";

	for (const char *label = "source"; rule_link(&p, &s); label = "") {
		fprintf(out, "%*s%-*s", 2, "", LABEL + 2, label);
		fprintf(out, "%.*s: %.*s\n", (int)s.title_len, s.title, (int)s.url_len, s.url);
	}
}

static void put_title(FILE *out, const struct audited *x)
{
	fprintf(out, "\n%s  %s\n", x->rule->id, x->text ? x->text->title : "");
}

static void put_all_broken(const struct audited *x, FILE *out)
{
	for (size_t k = 0; k < x->findings.n; k++) {
		size_t alike;
		char *parts = audit_parts(&x->findings, k, RULE_BROKEN, &alike);

		if (parts)
			put_broken(out, &x->findings.list[k], parts, alike);
		free(parts);
	}
}

/* The change in the tongue of whoever wrote the machine down: Proxmox's, or a profile's. */
static void put_elsewhere(const struct vm *vm, const struct audited *x, FILE *out)
{
	char *text;

	if (vm && is_proxmox(vm) && x->text && x->text->proxmox) {
		put_line(out, 2, "Proxmox", x->text->proxmox);
	} else if (vm && is_profile(vm) && x->rule->key && x->rule->good) {
		text = xasprintf("%s = %s", x->rule->key, x->rule->good);
		put_line(out, 2, "profile", text);
		free(text);
	}
}

static void put_weight(const struct audit *a, enum rule_weight w, const char *heading, FILE *out)
{
	bool begun = false;

	for (size_t i = 0; i < a->n; i++) {
		const struct audited *x = &a->list[i];

		if (x->state != RULE_BROKEN || x->rule->weight != w)
			continue;
		if (!begun)
			fprintf(out, "\n%s\n", heading);
		begun = true;
		put_title(out, x);
		put_all_broken(x, out);
		put_elsewhere(a->subject->vm, x, out);
		put_sources(out, x);
	}
}

/* The only reason for a rule's state, of the whole machine; NULL: there are more, or it is a
 * part's. */
static const char *sole_reason(const struct audited *x, enum rule_state state)
{
	const char *only = NULL;

	if (x->state != state)
		return NULL;
	for (size_t k = 0; k < x->findings.n; k++) {
		const struct finding *f = &x->findings.list[k];

		if (f->state != state)
			continue;
		if (only || f->part)
			return NULL;
		only = f->found;
	}
	return only;
}

/*
 * A reason that many rules have is said once, with their ids: that a machine's host is not known is
 * the reason of a dozen. Returns whether rule i is said by that, at its place or further up.
 */
static bool put_common(const struct audit *a, size_t i, enum rule_state state, FILE *out)
{
	enum { COMMON = 3 };
	const char *why = sole_reason(&a->list[i], state), *other;
	size_t n = 0, first = a->n;
	char *ids = xstrdup(""), *more;

	for (size_t k = 0; why && k < a->n; k++) {
		other = sole_reason(&a->list[k], state);
		if (!other || strcmp(why, other))
			continue;
		first = n++ ? first : k;
		more = xasprintf("%s%s%s", ids, n > 1 ? ", " : "", a->list[k].rule->id);
		free(ids);
		ids = more;
	}
	if (n >= COMMON && first == i) {
		put_wrapped(out, 0, ids);
		fprintf(out, "%*s", LABEL, "");
		put_wrapped(out, LABEL, why);
	}
	free(ids);
	return n >= COMMON;
}

/* One line a rule, with the first reason of that state. */
static void put_short(const struct audit *a, enum rule_state state, const char *heading, FILE *out)
{
	if (!a->count[state])
		return;
	fprintf(out, "\n%s\n\n", heading);
	for (size_t i = 0; i < a->n; i++) {
		const struct audited *x = &a->list[i];

		if (x->state != state || put_common(a, i, state, out))
			continue;
		fprintf(out, "%-8s  %s\n", x->rule->id, x->text ? x->text->title : "");
		for (size_t k = 0; k < x->findings.n; k++) {
			size_t alike;
			char *parts = audit_parts(&x->findings, k, state, &alike), *text;

			if (!parts)
				continue;
			text = xasprintf("%s%s%s", parts, *parts ? ": " : "",
					 x->findings.list[k].found);
			fprintf(out, "%*s", LABEL, "");
			put_wrapped(out, LABEL, text);
			free(text);
			free(parts);
		}
	}
}

static const char *load_words(const struct subject *s, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s%s", s->latency ? ", for latency" : "",
		 s->dense ? ", for density" : "", s->realtime ? ", for real time" : "",
		 s->migration ? ", to migrate" : "");
	return buf;
}

static void put_head(const struct audit *a, FILE *out)
{
	const struct subject *s = a->subject;
	char load[80];
	char *line;

	if (!s->vm)
		line = xasprintf("%s: rules \"%s\"%s", snapshot_name(s->host), a->set,
				 load_words(s, load, sizeof(load)));
	else
		line = xasprintf("%s (%s%s), %s %s: rules \"%s\"%s", s->vm->name, s->vm->from,
				 s->vm->running ? ", running" : "",
				 s->here ? "on" : "not held against", snapshot_name(s->host),
				 a->set, load_words(s, load, sizeof(load)));
	put_wrapped(out, 0, line);
	free(line);
}

static void put_counts(const struct audit *a, FILE *out)
{
	fprintf(out,
		"\n%zu rules: %u not followed (%u must, %u should, %u may), %u followed, %u not applicable, %u can't tell\n",
		a->n, a->count[RULE_BROKEN], a->broken_must, a->broken_should, a->broken_may,
		a->count[RULE_FOLLOWED], a->count[RULE_NOT_APPLICABLE], a->count[RULE_CANT_TELL]);
}

static void put_notes(const struct vm *vm, FILE *out)
{
	if (!vm || !vm->nnotes)
		return;
	fputs("\nWhat was left aside in reading it\n\n", out);
	for (size_t i = 0; i < vm->nnotes; i++) {
		fputs("  ", out);
		put_wrapped(out, 2, vm->notes[i]);
	}
}

void audit_text(const struct audit *a, bool all, FILE *out)
{
	put_head(a, out);
	put_weight(a, RULE_MUST,
		   "NOT FOLLOWED: must (data is at risk, or a setting does not do what it says)",
		   out);
	put_weight(a, RULE_SHOULD, "NOT FOLLOWED: should (sources agree, or it costs nothing)",
		   out);
	put_weight(a, RULE_MAY, "NOT FOLLOWED: may (depends on the load: try it, and measure)",
		   out);
	put_short(a, RULE_CANT_TELL, "CAN'T TELL", out);
	if (all) {
		put_short(a, RULE_FOLLOWED, "FOLLOWED", out);
		put_short(a, RULE_NOT_APPLICABLE, "NOT APPLICABLE", out);
	}
	put_notes(a->subject->vm, out);
	put_counts(a, out);
	if (a->count[RULE_BROKEN])
		fputs("More on a rule: vbench help ID. Whether it pays here: vbench tune.\n", out);
}
