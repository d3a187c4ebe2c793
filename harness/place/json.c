// SPDX-License-Identifier: GPL-2.0-or-later
/* A plan as JSON, and back from text of any kind. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "place/internal.h"
#include "vm/vm.h"

#define FORMAT "vbench-plan-1"
enum { SENTENCES_MAX = 1 << 16, CELLS_MAX = 1024 };

static const char *const modes[] = {"strict", "preferred", "interleave"};

static json_t *texts_json(char *const *list, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; list && i < n; i++)
		json_array_append_new(a, json_string(list[i]));
	return a;
}

static json_t *text_or_null(const char *s)
{
	return s ? json_string(s) : json_null();
}

static json_t *guest_json(const struct placed_guest *g)
{
	json_t *o = json_pack("{s:s, s:b, s:b, s:I, s:I, s:I, s:I}", "name", g->name, "placed",
			      g->placed, "floating", g->floating, "vcpus", (json_int_t)g->vcpus,
			      "iothreads", (json_int_t)g->iothreads, "memory",
			      (json_int_t)g->memory, "page", (json_int_t)g->page);
	json_t *cells = json_array();

	json_object_set_new(o, "vcpu", texts_json(g->vcpu, g->vcpus));
	json_object_set_new(o, "iothread", texts_json(g->iothread, g->iothreads));
	json_object_set_new(o, "emulator", text_or_null(g->emulator));
	json_object_set_new(o, "nodes", text_or_null(g->nodes));
	json_object_set_new(o, "mode", text_or_null(g->mode));
	json_object_set_new(o, "topology",
			    json_pack("{s:i, s:i, s:i, s:i}", "sockets", (int)g->sockets, "dies",
				      (int)g->dies, "cores", (int)g->cores, "threads",
				      (int)g->threads));
	for (size_t i = 0; i < g->ncells; i++)
		json_array_append_new(cells,
				      json_pack("{s:s, s:i, s:I}", "vcpus", g->cells[i].vcpus,
						"node", (int)g->cells[i].node, "memory",
						(json_int_t)g->cells[i].memory));
	json_object_set_new(o, "cells", cells);
	return o;
}

json_t *place_json(const struct place_plan *p)
{
	json_t *o = json_pack("{s:s, s:s, s:s}", "format", FORMAT, "host", p->host ? p->host : "",
			      "housekeeping", p->housekeeping ? p->housekeeping : "");
	json_t *guests = json_array();

	for (size_t i = 0; i < p->nguests; i++)
		json_array_append_new(guests, guest_json(&p->guests[i]));
	json_object_set_new(o, "guests", guests);
	json_object_set_new(o, "why", texts_json(p->why, p->nwhy));
	json_object_set_new(o, "costs", texts_json(p->costs, p->ncosts));
	json_object_set_new(o, "unmet", texts_json(p->unmet, p->nunmet));
	json_object_set_new(o, "limits", texts_json(p->limits, p->nlimits));
	json_object_set_new(o, "warnings", texts_json(p->warnings, p->nwarnings));
	return o;
}

/* Where in the text one is, and what was wrong there first. */
struct reader {
	const char *file;
	struct err *e;
	char at[64];
	int rc;
};

__attribute__((format(printf, 2, 3))) static bool wrong(struct reader *r, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!r->rc)
		r->rc = err_input(r->e, "%s: %s%s%s; `vbench plan --json` writes plans", r->file,
				  r->at, *r->at ? ": " : "", text);
	return false;
}

/* It may be shown on a terminal. */
static bool is_plain(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			return false;
	return true;
}

static bool read_number(struct reader *r, const json_t *o, const char *key, uint64_t most,
			uint64_t *out)
{
	const json_t *v = json_object_get(o, key);
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || n < 0 || (uint64_t)n > most)
		return wrong(r, "\"%s\" must be a whole number from 0 to %" PRIu64, key, most);
	*out = (uint64_t)n;
	return true;
}

static bool read_unsigned(struct reader *r, const json_t *o, const char *key, unsigned most,
			  unsigned *out)
{
	uint64_t n;

	if (!read_number(r, o, key, most, &n))
		return false;
	*out = (unsigned)n;
	return true;
}

/* A list of CPUs or nodes, made canonical; new text. */
static char *read_list(struct reader *r, const json_t *v, const char *what)
{
	const char *text = json_string_value(v);
	char *list = text && strlen(text) < 1 << 16 ? vm_cpus(text) : NULL;

	if (!list)
		wrong(r, "%s must be a list like \"0-3,8\"", what);
	return list;
}

static bool read_lists(struct reader *r, const json_t *o, const char *key, unsigned n, char ***out)
{
	const json_t *a = json_object_get(o, key);
	char what[64];

	if (!json_is_array(a) || json_array_size(a) != n)
		return wrong(r, "\"%s\" must be an array of %u lists of CPUs", key, n);
	*out = xcalloc(n, sizeof(**out));
	for (unsigned i = 0; i < n; i++) {
		snprintf(what, sizeof(what), "\"%s\"[%u]", key, i);
		(*out)[i] = read_list(r, json_array_get(a, i), what);
		if (!(*out)[i])
			return false;
	}
	return true;
}

static bool read_memory(struct reader *r, const json_t *o, struct placed_guest *g)
{
	const json_t *nodes = json_object_get(o, "nodes"), *mode = json_object_get(o, "mode");
	const char *word = json_string_value(mode);

	if (json_is_null(nodes) && json_is_null(mode))
		return true;
	g->nodes = read_list(r, nodes, "\"nodes\"");
	for (size_t i = 0; word && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(word, modes[i]))
			g->mode = modes[i];
	if (!g->mode)
		return wrong(r, "\"mode\" must be strict, preferred or interleave");
	return g->nodes != NULL;
}

static bool read_topology(struct reader *r, const json_t *o, struct placed_guest *g)
{
	const json_t *t = json_object_get(o, "topology");
	uint64_t all;

	if (!t)
		return true;
	if (!json_is_object(t))
		return wrong(r, "\"topology\" must be an object");
	if (!read_unsigned(r, t, "sockets", PLACE_VCPUS_MAX, &g->sockets) ||
	    !read_unsigned(r, t, "dies", PLACE_VCPUS_MAX, &g->dies) ||
	    !read_unsigned(r, t, "cores", PLACE_VCPUS_MAX, &g->cores) ||
	    !read_unsigned(r, t, "threads", PLACE_VCPUS_MAX, &g->threads))
		return false;
	all = (uint64_t)g->sockets * g->dies * g->cores * g->threads;
	if (all ? all != g->vcpus : g->sockets || g->dies || g->cores || g->threads)
		return wrong(r, "\"topology\" makes %" PRIu64 " CPUs of %u vCPUs", all, g->vcpus);
	return true;
}

/* Highest number of a canonical list. */
static unsigned last_of(const char *list)
{
	const char *p = list + strlen(list);

	while (p > list && p[-1] >= '0' && p[-1] <= '9')
		p--;
	return (unsigned)strtoul(p, NULL, 10);
}

static bool read_cells(struct reader *r, const json_t *o, struct placed_guest *g)
{
	const json_t *a = json_object_get(o, "cells");
	uint64_t sum = 0;

	if (!a)
		return true;
	if (!json_is_array(a) || json_array_size(a) > CELLS_MAX)
		return wrong(r, "\"cells\" must be an array of %d at most", CELLS_MAX);
	g->cells = xcalloc(json_array_size(a), sizeof(*g->cells));
	for (size_t i = 0; i < json_array_size(a); i++) {
		const json_t *c = json_array_get(a, i);
		struct place_cell *cell = &g->cells[g->ncells];

		cell->vcpus = read_list(r, json_object_get(c, "vcpus"), "\"vcpus\" of a cell");
		if (!cell->vcpus)
			return false;
		g->ncells++;
		if (last_of(cell->vcpus) >= g->vcpus)
			return wrong(r, "cell %zu has vCPUs %s of %u", i, cell->vcpus, g->vcpus);
		if (!read_unsigned(r, c, "node", PLACE_CPUS_MAX - 1, &cell->node) ||
		    !read_number(r, c, "memory", (uint64_t)1 << 51, &cell->memory))
			return false;
		sum += cell->memory;
	}
	if (g->ncells && sum != g->memory)
		return wrong(r, "the cells have %" PRIu64 " bytes, the guest %" PRIu64, sum,
			     g->memory);
	return true;
}

static bool read_guest(struct reader *r, const json_t *o, struct placed_guest *g)
{
	const char *name = json_string_value(json_object_get(o, "name"));
	const json_t *placed = json_object_get(o, "placed");

	if (!name || !*name || strlen(name) > NAME_BYTES_MAX || !is_plain(name))
		return wrong(r, "\"name\" must be a text without control characters");
	g->name = xstrdup(name);
	if (!json_is_boolean(placed))
		return wrong(r, "\"placed\" must be true or false");
	g->placed = json_is_true(placed);
	g->floating = json_is_true(json_object_get(o, "floating"));
	if (!read_unsigned(r, o, "vcpus", PLACE_VCPUS_MAX, &g->vcpus) ||
	    !read_unsigned(r, o, "iothreads", PLACE_IOTHREADS_MAX, &g->iothreads) ||
	    !read_number(r, o, "memory", (uint64_t)1 << 51, &g->memory) ||
	    !read_number(r, o, "page", 1u << 30, &g->page))
		return false;
	if (g->page && g->page != 1u << 21 && g->page != 1u << 30)
		return wrong(r, "\"page\" must be 0, 2097152 or 1073741824");
	if (!g->vcpus)
		return wrong(r, "\"vcpus\" must be 1 at least");
	if (!g->placed)
		return true;
	if (!read_lists(r, o, "vcpu", g->vcpus, &g->vcpu) ||
	    !read_lists(r, o, "iothread", g->iothreads, &g->iothread))
		return false;
	g->emulator = read_list(r, json_object_get(o, "emulator"), "\"emulator\"");
	return g->emulator && read_memory(r, o, g) && read_topology(r, o, g) && read_cells(r, o, g);
}

static bool read_guests(struct reader *r, const json_t *doc, struct place_plan *out)
{
	const json_t *a = json_object_get(doc, "guests");
	size_t n = json_array_size(a);

	if (!json_is_array(a) || n > PLACE_GUESTS_MAX)
		return wrong(r, "\"guests\" must be an array of %d at most", PLACE_GUESTS_MAX);
	out->guests = xcalloc(n, sizeof(*out->guests));
	for (size_t i = 0; i < n; i++) {
		snprintf(r->at, sizeof(r->at), "guest %zu", i);
		out->nguests++;
		if (!read_guest(r, json_array_get(a, i), &out->guests[i]))
			return false;
		for (size_t k = 0; k < i; k++)
			if (!strcmp(out->guests[k].name, out->guests[i].name))
				return wrong(r, "its name is that of guest %zu", k);
	}
	r->at[0] = '\0';
	return true;
}

static bool read_texts(struct reader *r, const json_t *doc, const char *key, char ***out, size_t *n)
{
	const json_t *a = json_object_get(doc, key);

	if (!a)
		return true;
	if (!json_is_array(a) || json_array_size(a) > SENTENCES_MAX)
		return wrong(r, "\"%s\" must be an array of %d at most", key, SENTENCES_MAX);
	for (size_t i = 0; i < json_array_size(a); i++) {
		const char *text = json_string_value(json_array_get(a, i));

		if (!text || !is_plain(text))
			return wrong(r, "\"%s\"[%zu] must be a text without control characters",
				     key, i);
		say(out, n, "%s", text);
	}
	return true;
}

static bool read_plan(struct reader *r, const json_t *doc, struct place_plan *out)
{
	const char *format = json_string_value(json_object_get(doc, "format"));
	const char *host = json_string_value(json_object_get(doc, "host"));
	const json_t *keep = json_object_get(doc, "housekeeping");

	if (!format || strcmp(format, FORMAT))
		return wrong(r, "not a plan (\"format\": \"" FORMAT "\")");
	if (json_object_get(doc, "host") && (!host || !is_plain(host)))
		return wrong(r, "\"host\" must be a text without control characters");
	out->host = xstrdup(host ? host : "");
	if (!keep || (json_is_string(keep) && !*json_string_value(keep)))
		out->housekeeping = xstrdup("");
	else
		out->housekeeping = read_list(r, keep, "\"housekeeping\"");
	return out->housekeeping && read_guests(r, doc, out) &&
	       read_texts(r, doc, "why", &out->why, &out->nwhy) &&
	       read_texts(r, doc, "costs", &out->costs, &out->ncosts) &&
	       read_texts(r, doc, "unmet", &out->unmet, &out->nunmet) &&
	       read_texts(r, doc, "limits", &out->limits, &out->nlimits) &&
	       read_texts(r, doc, "warnings", &out->warnings, &out->nwarnings);
}

int place_parse(const char *text, size_t len, const char *name, struct place_plan *out,
		struct err *e)
{
	struct reader r = {.file = name, .e = e};
	json_error_t je;
	json_t *doc;

	*out = (struct place_plan){0};
	if (len > PLACE_TEXT_MAX)
		return err_input(e, "%s: more than %d MiB are no plan", name, PLACE_TEXT_MAX >> 20);
	doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
	if (!doc)
		return err_input(e, "%s:%d: not JSON (%s); `vbench plan --json` writes plans", name,
				 je.line, je.text);
	if (!read_plan(&r, doc, out))
		place_plan_free(out);
	json_decref(doc);
	return r.rc;
}
