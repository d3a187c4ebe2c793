// SPDX-License-Identifier: GPL-2.0-or-later
/* What a person declares: this build, this environment, these nights are what others are held
 * against. */
#include <errno.h>
#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/term.h"
#include "gate/night.h"
#include "gate/reference.h"

/* Who it was, as far as the machine knows. */
static char *who_is_it(void)
{
	const char *sudo = getenv("SUDO_USER");
	struct passwd *pw = getpwuid(getuid());

	if (pw && sudo && *sudo && strcmp(sudo, pw->pw_name))
		return xasprintf("%s (as %s)", sudo, pw->pw_name);
	return pw ? xstrdup(pw->pw_name) : xasprintf("uid %u", (unsigned)getuid());
}

/* Of a night that is named by the beginning of its uuid, or as "last": its build must still be
 * here. */
static int same_as_night(const struct gate_place *p, const struct gate_build *b, const char *from,
			 struct err *e)
{
	const struct store_gate *found = NULL;
	bool last = !strcmp(from, "last");
	size_t i;

	for (i = 0; i < p->nrecords; i++) {
		const struct store_gate *g = &p->records[i];

		if (strcmp(g->kind, GATE_NIGHT) || (!last && strncmp(g->uuid, from, strlen(from))))
			continue;
		if (found && !last)
			return err_input(e,
					 "--from: \"%s\" is the beginning of several nights; give "
					 "more digits",
					 from);
		found = g;
	}
	if (!found || !*from)
		return err_input(
			e,
			"--from: no night \"%s\" of this profile and host; `vbench gate show` "
			"lists them",
			from);
	if (strcmp(found->build, b->fingerprint))
		return err_input(
			e,
			"--from: the build of night %.8s is no longer here (it was %.12s, and "
			"now there is %s); bring it back, or accept the present one: --from now",
			found->uuid, found->build, b->text);
	return 0;
}

/* The series that the profile has now: what nights must bring. */
static int list_series(const struct gate_opts *o, const char *folder, struct store_gate *g,
		       struct err *e)
{
	struct profile *arms = NULL;
	struct gate_series *x = NULL;
	size_t n = 0, i;
	struct gate_opts plain = *o;
	int rc;

	plain.ninject = 0;
	rc = gate_load_arms(&plain, folder, 4, &arms, e);
	if (!rc)
		rc = gate_series_make(&plain, arms, &x, &n, e);
	g->series = xcalloc(n + 1, sizeof(*g->series));
	for (i = 0; i < n; i++) {
		g->series[i] = (struct store_gate_series){.key = xstrdup(x[i].key),
							  .name = xstrdup(x[i].name),
							  .metric = xstrdup(x[i].metric->id),
							  .state = xstrdup("accepted"),
							  .ratio = NAN,
							  .lo = NAN,
							  .hi = NAN,
							  .sd = NAN,
							  .p = NAN,
							  .seen = NAN};
		gate_series_free(&x[i]);
	}
	g->nseries = n;
	free(x);
	profile_free(arms);
	return rc;
}

/* Begins where the 20th night before now began; the reference stays. */
static int anchor_from(const struct gate_place *p, int64_t *from, struct err *e)
{
	const struct store_gate *a = gate_accepted(p->records, p->nrecords);
	size_t i, k = 0;

	for (i = p->nrecords; i-- && k < GATE_ANCHOR;) {
		const struct store_gate *g = &p->records[i];

		if (strcmp(g->kind, GATE_NIGHT) || strcmp(g->state, "green") || !g->reference ||
		    !a->reference || strcmp(g->reference, a->reference) || gate_record_injected(g))
			continue;
		*from = g->begun;
		k++;
	}
	if (k < GATE_ANCHOR)
		return err_input(
			e,
			"--anchor: an anchor is %d green nights against the same reference "
			"build, and there are %zu",
			GATE_ANCHOR, k);
	return 0;
}

static json_t *new_doc(const struct gate_build *b, const char *folder, int64_t begun)
{
	return json_pack("{s:s, s:s, s:o, s:I}", "folder", folder, "text", b->text, "environment",
			 gate_environment(), "anchor_from", (json_int_t)begun);
}

/* The build as it is becomes the reference. */
static int take_reference(const struct gate_opts *o, const struct gate_place *p, const char *from,
			  struct store_gate *g, json_t **doc, char **said, struct err *e)
{
	struct gate_build b;
	char *folder = NULL;
	int rc = gate_build_of(p->plain, p->data, &b, e);

	if (rc)
		return rc;
	if (from && strcmp(from, "now"))
		rc = same_as_night(p, &b, from, e);
	if (!rc)
		rc = reference_keep(&b, p->data, p->host, p->plain->name, g->uuid, &folder, e);
	if (!rc) {
		*doc = new_doc(&b, folder, g->begun);
		g->build = xstrdup(b.fingerprint);
		g->reference = xstrdup(g->uuid);
		*said = xasprintf("profile %s: the reference build is now %s, kept in %s",
				  p->plain->name, b.text, folder);
		rc = list_series(o, folder, g, e);
		if (rc)
			dir_remove(folder, NULL);
	}
	free(folder);
	gate_build_free(&b);
	return rc;
}

/* The reference build stays; environment and series, or the anchor, move. */
static int take_rest(const struct gate_opts *o, const struct gate_place *p, bool anchor,
		     struct store_gate *g, json_t **doc, char **said, struct err *e)
{
	const struct store_gate *a = gate_accepted(p->records, p->nrecords);
	int64_t from = 0;
	const char *folder;
	int rc = 0;

	if (!a)
		return err_input(
			e,
			"profile %s has no reference build on this host yet; keep the present "
			"one with: vbench gate accept %s --why TEXT",
			p->plain->name, o->path);
	*doc = gate_doc(a);
	g->build = xstrdup(a->build);
	g->reference = xstrdup(a->reference);
	folder = json_string_value(json_object_get(*doc, "folder"));
	if (!folder)
		return err_set(e, -EIO, "record %s of the gate is damaged; accept a build anew",
			       a->uuid);
	if (anchor) {
		rc = anchor_from(p, &from, e);
		if (!rc)
			json_object_set_new(*doc, "anchor_from", json_integer(from));
		*said = xasprintf("profile %s: the last %d nights are the anchor", p->plain->name,
				  GATE_ANCHOR);
	} else {
		json_object_set_new(*doc, "environment", gate_environment());
		*said = xasprintf("profile %s: today's environment and series are accepted; the "
				  "reference build stays %s",
				  p->plain->name, json_string_value(json_object_get(*doc, "text")));
	}
	return rc ? rc : list_series(o, folder, g, e);
}

int gate_accept(const struct gate_opts *o, enum gate_accept what, const char *from, const char *why,
		char **said, struct err *e)
{
	static const char *const states[] = {"reference", "environment", "anchor"};
	struct gate_place p;
	struct store_gate g = {.begun = (int64_t)clock_real_ns()};
	json_t *doc = NULL;
	int rc;

	*said = NULL;
	if (!why || !*why)
		return err_input(e, "gate accept: say why, for those who come after: --why TEXT");
	rc = gate_place_open(o, &p, e);
	if (rc)
		return rc;
	gate_uuid(g.uuid);
	memcpy(g.host_id, p.host, sizeof(g.host_id));
	rc = what == ACCEPT_REFERENCE ? take_reference(o, &p, from, &g, &doc, said, e)
				      : take_rest(o, &p, what == ACCEPT_ANCHOR, &g, &doc, said, e);
	if (!rc) {
		g.ended = (int64_t)clock_real_ns();
		g.profile = xstrdup(p.plain->name);
		g.kind = xstrdup(GATE_ACCEPT);
		g.state = xstrdup(states[what]);
		g.label = xstrdup(o->label);
		g.who = who_is_it();
		g.why = xstrdup(why);
		g.doc_json = json_dumps(doc, JSON_COMPACT);
		rc = store_gate_put(p.store, &g, e);
		/* nobody will ever ask for what no record names */
		if (rc && what == ACCEPT_REFERENCE)
			dir_remove(json_string_value(json_object_get(doc, "folder")), NULL);
	}
	json_decref(doc);
	store_gate_free(&g);
	gate_place_close(&p);
	return rc;
}
