// SPDX-License-Identifier: GPL-2.0-or-later
/* An audit as JSON: "vbench-audit-1". */
#include "tuner/internal.h"

/* A member only where there is a text; what is not UTF-8 becomes a mark. */
static void set_text(json_t *o, const char *key, const char *text)
{
	json_t *value = text ? json_string(text) : NULL;

	if (text && !value)
		value = json_string("(not UTF-8)");
	if (value)
		json_object_set_new(o, key, value);
}

static json_t *finding_json(const struct finding *x)
{
	json_t *o = json_object(), *change = json_object();

	set_text(o, "state", rule_state_name(x->state));
	set_text(o, "side", x->side == VM_ASKED ? "requested" : "in force");
	set_text(o, "part", x->part);
	set_text(o, "found", x->found);
	set_text(o, "where", x->where);
	set_text(o, "want", x->want);
	set_text(change, "libvirt", x->xml);
	set_text(change, "qemu", x->qemu);
	set_text(change, "sysfs", x->sysfs);
	set_text(change, "guest", x->guest);
	if (json_object_size(change))
		json_object_set(o, "change", change);
	json_decref(change);
	return o;
}

static json_t *sources_json(const struct rule_text *t)
{
	json_t *list = json_array();
	const char *p = t && t->sources ? t->sources : "";
	struct rule_source s;

	while (rule_link(&p, &s))
		json_array_append_new(list, json_pack("{s:s%, s:s%}", "title", s.title, s.title_len,
						      "url", s.url, s.url_len));
	return list;
}

static json_t *audited_json(const struct audited *x)
{
	json_t *o = json_object(), *findings = json_array();

	set_text(o, "id", x->rule->id);
	set_text(o, "title", x->text ? x->text->title : NULL);
	set_text(o, "weight", rule_weight_name(x->rule->weight));
	set_text(o, "state", rule_state_name(x->state));
	for (size_t i = 0; i < x->findings.n; i++)
		json_array_append_new(findings, finding_json(&x->findings.list[i]));
	json_object_set_new(o, "findings", findings);
	json_object_set_new(o, "sources", sources_json(x->text));
	return o;
}

static json_t *load_json(const struct subject *s)
{
	json_t *list = json_array();

	if (s->latency)
		json_array_append_new(list, json_string("latency"));
	if (s->dense)
		json_array_append_new(list, json_string("dense"));
	if (s->realtime)
		json_array_append_new(list, json_string("realtime"));
	if (s->migration)
		json_array_append_new(list, json_string("migration"));
	return list;
}

static json_t *counts_json(const struct audit *a)
{
	return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "rules", (int)a->n, "broken",
			 (int)a->count[RULE_BROKEN], "broken_must", (int)a->broken_must,
			 "broken_should", (int)a->broken_should, "broken_may", (int)a->broken_may,
			 "followed", (int)a->count[RULE_FOLLOWED], "not_applicable",
			 (int)a->count[RULE_NOT_APPLICABLE], "cant_tell",
			 (int)a->count[RULE_CANT_TELL]);
}

json_t *audit_json(const struct audit *a)
{
	const struct subject *s = a->subject;
	json_t *o = json_object(), *rules = json_array(), *notes = json_array();

	set_text(o, "format", "vbench-audit-1");
	set_text(o, "name", s->vm ? s->vm->name : "host");
	set_text(o, "from", s->vm ? s->vm->from : snapshot_name(s->host));
	json_object_set_new(o, "running", json_boolean(is_running(s)));
	set_text(o, "host", snapshot_name(s->host));
	json_object_set_new(o, "here", json_boolean(s->here));
	json_object_set_new(o, "for", load_json(s));
	set_text(o, "set", a->set);
	json_object_set_new(o, "counts", counts_json(a));
	for (size_t i = 0; i < a->n; i++)
		json_array_append_new(rules, audited_json(&a->list[i]));
	json_object_set_new(o, "rules", rules);
	for (size_t i = 0; s->vm && i < s->vm->nnotes; i++) {
		json_t *note = json_string(s->vm->notes[i]);

		json_array_append_new(notes, note ? note : json_string("(not UTF-8)"));
	}
	json_object_set_new(o, "notes", notes);
	return o;
}
