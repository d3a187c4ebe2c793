// SPDX-License-Identifier: GPL-2.0-or-later
/* An audit as a page: broken rules with their remedies, then what cannot be told, then the rest. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "reports/audit_html.h"
#include "reports/page.h"

static const char *machine_name(const struct audit *a)
{
	return a->subject->vm ? a->subject->vm->name : snapshot_name(a->subject->host);
}

static void put_head(FILE *f, const struct audit *a)
{
	char hash[64];

	html(f,
	     "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	     "style-src 'sha256-%s'; img-src data:; base-uri 'none'; form-action 'none'\">\n"
	     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	     "<meta name=\"color-scheme\" content=\"light dark\">\n"
	     "<meta name=\"referrer\" content=\"no-referrer\">\n"
	     "<link rel=\"icon\" href=\"data:,\">\n<title>%s: audit</title>\n<style>",
	     page_css_hash(hash), machine_name(a));
	fwrite(embed_page_css, 1, embed_page_css_len, f);
	html(f, "</style>\n</head>\n<body>\n");
}

/* Words of tuning.md: what stands between backticks is code. */
static void put_words(FILE *f, const char *text)
{
	char *copy = xstrdup(text), *p = copy;
	bool code = false;

	while (p) {
		char *end = strchr(p, '`');
		/* a backtick without a second one is a character */
		bool lone = end && !code && !strchr(end + 1, '`');
		char *next = end && !lone ? end + 1 : NULL;

		if (end && !lone)
			*end = '\0';
		html_text(f, p);
		if (next) {
			fputs(code ? "</code>" : "<code>", f);
			code = !code;
		}
		p = next;
	}
	free(copy);
}

static void put_row(FILE *f, const char *name, const char *text)
{
	if (!text)
		return;
	html(f, "<div><dt>%s</dt><dd>", name);
	put_words(f, text);
	html(f, "</dd></div>\n");
}

static void put_code(FILE *f, const char *name, const char *text)
{
	if (text)
		html(f, "<div><dt>%s</dt><dd><code>%s</code></dd></div>\n", name, text);
}

static void put_sources(FILE *f, const char *sources)
{
	const char *p = sources;
	struct rule_source s;
	unsigned n = 0;

	while (p && rule_link(&p, &s)) {
		char *title = xasprintf("%.*s", (int)s.title_len, s.title),
		     *url = xasprintf("%.*s", (int)s.url_len, s.url);

		html(f, n++ ? ", " : "<div><dt>Sources</dt><dd>");
		if (!strncmp(url, "https://", 8))
			html(f, "<a rel=\"noopener noreferrer\" href=\"%s\">%s</a>", url, title);
		else
			html(f, "%s", title);
		free(title);
		free(url);
	}
	if (n)
		html(f, "</dd></div>\n");
}

static const char *side_name(enum vm_side side)
{
	return side == VM_ASKED ? "requested" : "in force";
}

/* One finding that is broken, with its remedies. */
static void put_finding(FILE *f, const struct finding *x, const char *parts, size_t alike)
{
	html(f, "<h4>%s%s%s</h4>\n<dl class=\"table\">\n", parts, *parts ? ", " : "",
	     side_name(x->side));
	html(f, "<div><dt>Found</dt><dd><strong>%s</strong></dd></div>\n", x->found);
	if (x->where && alike > 1)
		html(f, "<div><dt>Where</dt><dd><code>%s</code>, and %zu like it</dd></div>\n",
		     x->where, alike - 1);
	else
		put_code(f, "Where", x->where);
	if (x->want)
		html(f, "<div><dt>Wanted</dt><dd>%s</dd></div>\n", x->want);
	put_code(f, "libvirt", x->xml);
	put_code(f, "QEMU", x->qemu);
	put_code(f, "Host", x->sysfs);
	put_code(f, "Guest", x->guest);
	html(f, "</dl>\n");
}

/* What tuning.md says, folded: reasons, how to see it, sizes, conflicts. */
static void put_section(FILE *f, const struct rule_text *t)
{
	if (!t)
		return;
	html(f, "<details><summary>The rule, when it holds, and how to see it</summary>\n<dl "
		"class=\"table\">\n");
	put_row(f, "Rule", t->rule);
	put_row(f, "When", t->when);
	put_row(f, "See", t->see);
	put_row(f, "QEMU", t->qemu);
	put_row(f, "libvirt", t->libvirt);
	put_row(f, "Host", t->sysfs);
	put_row(f, "Guest", t->guest);
	put_row(f, "Proxmox", t->proxmox);
	put_row(f, "Size", t->size);
	put_row(f, "Conflict", t->conflict);
	html(f, "</dl></details>\n");
}

static void put_broken(FILE *f, const struct audited *x)
{
	html(f, "<h3 id=\"%s\">%s %s</h3>\n", x->rule->id, x->rule->id,
	     x->text ? x->text->title : "");
	for (size_t i = 0; i < x->findings.n; i++) {
		size_t alike;
		char *parts = audit_parts(&x->findings, i, RULE_BROKEN, &alike);

		if (parts)
			put_finding(f, &x->findings.list[i], parts, alike);
		free(parts);
	}
	if (x->text && x->text->sources) {
		html(f, "<dl class=\"table\">\n");
		put_sources(f, x->text->sources);
		html(f, "</dl>\n");
	}
	put_section(f, x->text);
}

static bool has_broken(const struct audit *a, enum rule_weight w)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->list[i].state == RULE_BROKEN && a->list[i].rule->weight == w)
			return true;
	return false;
}

static void put_weight(FILE *f, const struct audit *a, enum rule_weight w, const char *id,
		       const char *title, const char *note)
{
	if (!has_broken(a, w))
		return;
	html(f, "<section id=\"%s\"><h2>%s</h2>\n<p class=\"note\">%s</p>\n", id, title, note);
	for (size_t i = 0; i < a->n; i++)
		if (a->list[i].state == RULE_BROKEN && a->list[i].rule->weight == w)
			put_broken(f, &a->list[i]);
	html(f, "</section>\n");
}

static void put_table_row(FILE *f, const struct audited *x, const struct finding *y,
			  const char *parts, size_t alike)
{
	html(f, "<tr><th scope=\"row\">%s <small>%s</small></th><td>%s</td><td>%s", x->rule->id,
	     x->text ? x->text->title : "", parts, y->found);
	if (y->state != RULE_NOT_APPLICABLE)
		html(f, " <small>%s</small>", side_name(y->side));
	html(f, "</td><td>");
	if (y->where)
		html(f, "<code>%s</code>", y->where);
	if (y->where && alike > 1)
		html(f, ", and %zu like it", alike - 1);
	html(f, "</td></tr>\n");
}

/* Findings of one state, a row each; of rules whose own state is that. */
static void put_table(FILE *f, const struct audit *a, enum rule_state state)
{
	html(f, "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Rules\"><table>\n"
		"<thead><tr><th scope=\"col\">Rule</th><th scope=\"col\">Of what</th>"
		"<th scope=\"col\">Found</th><th scope=\"col\">Where</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < a->n; i++) {
		const struct audited *x = &a->list[i];

		for (size_t k = 0; x->state == state && k < x->findings.n; k++) {
			size_t alike;
			char *parts =
				audit_parts(&x->findings, k, x->findings.list[k].state, &alike);

			if (parts)
				put_table_row(f, x, &x->findings.list[k], parts, alike);
			free(parts);
		}
	}
	html(f, "</tbody></table></div>\n");
}

static void put_rest(FILE *f, const struct audit *a)
{
	if (a->count[RULE_CANT_TELL]) {
		html(f,
		     "<section id=\"unknown\"><h2>What cannot be told <small>%u rules</small></h2>\n"
		     "<p class=\"note\">Each says what would tell.</p>\n",
		     a->count[RULE_CANT_TELL]);
		put_table(f, a, RULE_CANT_TELL);
		html(f, "</section>\n");
	}
	html(f, "<section id=\"rest\"><h2>All other rules</h2>\n");
	if (a->count[RULE_FOLLOWED]) {
		html(f, "<details><summary>Followed: %u rules</summary>\n",
		     a->count[RULE_FOLLOWED]);
		put_table(f, a, RULE_FOLLOWED);
		html(f, "</details>\n");
	}
	if (a->count[RULE_NOT_APPLICABLE]) {
		html(f, "<details><summary>Not applicable: %u rules</summary>\n",
		     a->count[RULE_NOT_APPLICABLE]);
		put_table(f, a, RULE_NOT_APPLICABLE);
		html(f, "</details>\n");
	}
	html(f, "</section>\n");
}

static void put_notes(FILE *f, const struct vm *vm)
{
	if (!vm || !vm->nnotes)
		return;
	html(f, "<section id=\"notes\"><h2>What was left aside in reading it</h2>\n<ul>\n");
	for (size_t i = 0; i < vm->nnotes; i++)
		html(f, "<li>%s</li>\n", vm->notes[i]);
	html(f, "</ul></section>\n");
}

static void put_summary(FILE *f, const struct audit *a)
{
	const struct subject *s = a->subject;
	unsigned broken = a->count[RULE_BROKEN];

	html(f,
	     "<header><p class=\"brand\">VBENCH</p><h1>Audit of %s</h1>\n<p class=\"question\">%s%s%s"
	     "; rules: %s</p>\n",
	     machine_name(a), s->vm ? s->vm->from : "the host alone",
	     s->vm && s->here ? ", on " : "", s->vm && s->here ? snapshot_name(s->host) : "",
	     a->set);
	if (broken)
		html(f,
		     "<p class=\"decision\">%u of %zu rules are not followed: %u of what must be, %u of "
		     "what should be, %u of what may be tried.</p>\n",
		     broken, a->n, a->broken_must, a->broken_should, a->broken_may);
	else
		html(f, "<p class=\"decision\">No rule of %zu is broken.</p>\n", a->n);
	html(f,
	     "<dl class=\"facts\"><div><dt>not followed</dt><dd>%u</dd></div><div><dt>followed</dt>"
	     "<dd>%u</dd></div><div><dt>cannot be told</dt><dd>%u</dd></div><div><dt>not "
	     "applicable</dt><dd>%u</dd></div></dl>\n</header>\n",
	     broken, a->count[RULE_FOLLOWED], a->count[RULE_CANT_TELL],
	     a->count[RULE_NOT_APPLICABLE]);
}

static void put_contents(FILE *f, const struct audit *a)
{
	html(f, "<nav aria-label=\"Contents\"><ul>\n");
	for (size_t i = 0; i < a->n; i++)
		if (a->list[i].state == RULE_BROKEN)
			html(f, "<li><a href=\"#%s\">%s</a></li>\n", a->list[i].rule->id,
			     a->list[i].rule->id);
	if (a->count[RULE_CANT_TELL])
		html(f, "<li><a href=\"#unknown\">What cannot be told</a></li>\n");
	html(f, "<li><a href=\"#rest\">All other rules</a></li>\n</ul></nav>\n");
}

int audit_html(const struct audit *a, FILE *out, struct err *e)
{
	put_head(out, a);
	put_summary(out, a);
	put_contents(out, a);
	html(out, "<main>\n");
	put_weight(out, a, RULE_MUST, "must", "Must be changed",
		   "Data is at risk, or the setting does not do what it says.");
	put_weight(out, a, RULE_SHOULD, "should", "Should be changed",
		   "Sources agree, or it costs nothing.");
	put_weight(out, a, RULE_MAY, "may", "May be tried",
		   "Depends on the load: try it, and measure it (vbench tune).");
	put_rest(out, a);
	put_notes(out, a->subject->vm);
	html(out, "</main>\n</body>\n</html>\n");
	if (fflush(out) || ferror(out))
		return err_set(e, -EIO, "the page could not be written: is the disk full?");
	return 0;
}
