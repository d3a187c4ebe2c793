// SPDX-License-Identifier: GPL-2.0-or-later
/* A night as a JUnit file, in the shape that CI systems read. */
#include <errno.h>
#include <libxml/xmlwriter.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/file.h"
#include "gate/gate.h"

/* Encoded well, and no character of XML 1.0 all the same: surrogates, U+FFFE, U+FFFF, and what lies
 * above U+10FFFF. */
static bool no_char(const unsigned char *c)
{
	return (c[0] == 0xed && c[1] >= 0xa0) || (c[0] == 0xef && c[1] == 0xbf && c[2] >= 0xbe) ||
	       c[0] > 0xf4 || (c[0] == 0xf4 && c[1] >= 0x90);
}

/* XML 1.0, 2.2: no control characters but tab and newline, whatever the escape; and only UTF-8. */
static char *xml_text(const char *text)
{
	char *out = xstrdup(text ? text : "");
	size_t i;

	for (i = 0; out[i]; i++)
		if (((unsigned char)out[i] < 0x20 && out[i] != '\n' && out[i] != '\t') ||
		    out[i] == 0x7f)
			out[i] = '?';
	if (!xmlCheckUTF8((const unsigned char *)out))
		for (i = 0; out[i]; i++)
			if ((unsigned char)out[i] >= 0x80)
				out[i] = '?';
	for (i = 0; out[i]; i++)
		if (no_char((const unsigned char *)out + i))
			do
				out[i] = '?';
			while (((unsigned char)out[i + 1] & 0xc0) == 0x80 && ++i);
	return out;
}

static void attribute(xmlTextWriter *w, const char *name, const char *text)
{
	char *clean = xml_text(text);

	xmlTextWriterWriteAttribute(w, BAD_CAST name, BAD_CAST clean);
	free(clean);
}

static void number(xmlTextWriter *w, const char *name, double v, const char *fmt)
{
	char buf[64];

	snprintf(buf, sizeof(buf), fmt, isfinite(v) ? v : 0);
	xmlTextWriterWriteAttribute(w, BAD_CAST name, BAD_CAST buf);
}

static void element(xmlTextWriter *w, const char *name, const char *text)
{
	char *clean = xml_text(text);

	xmlTextWriterWriteElement(w, BAD_CAST name, BAD_CAST clean);
	free(clean);
}

static void property(xmlTextWriter *w, const char *name, const char *value)
{
	xmlTextWriterStartElement(w, BAD_CAST "property");
	attribute(w, "name", name);
	attribute(w, "value", value);
	xmlTextWriterEndElement(w);
}

/* A failure is a harm that was found; an error is what kept one from being looked for. */
static void bad(xmlTextWriter *w, bool failure, const char *type, const char *why,
		const char *remedy)
{
	char *body = xasprintf("%s\nremedy: %s", why ? why : "", remedy ? remedy : "");
	char *clean = xml_text(body);

	xmlTextWriterStartElement(w, BAD_CAST(failure ? "failure" : "error"));
	attribute(w, "message", why);
	attribute(w, "type", type);
	xmlTextWriterWriteString(w, BAD_CAST clean);
	xmlTextWriterEndElement(w);
	free(body);
	free(clean);
}

static void begin_case(xmlTextWriter *w, const struct gate_night *n, const char *name,
		       double seconds)
{
	char *class = xasprintf("vbench.gate.%s", n->profile);

	xmlTextWriterStartElement(w, BAD_CAST "testcase");
	attribute(w, "name", name);
	attribute(w, "classname", class);
	number(w, "time", seconds, "%.3f");
	free(class);
}

static void put_series(xmlTextWriter *w, const struct gate_night *n, const struct gate_series *x)
{
	double trials = 2 * ((double)x->screened.blocks + (double)x->confirmed.blocks);
	char *figures = gate_figures(x);

	begin_case(w, n, x->name, trials * n->trial_seconds);
	if (gate_fails(x->state))
		bad(w, x->state == GATE_WORSE, gate_word(x->state), x->why, x->remedy);
	element(w, "system-out", figures);
	xmlTextWriterEndElement(w);
	free(figures);
}

static void begin_suite(xmlTextWriter *w, const struct gate_night *n)
{
	unsigned failures = 0, errors = 0;
	time_t t = (time_t)(n->begun / 1000000000);
	char when[32] = "1970-01-01T00:00:00", host[256] = "localhost";
	struct tm tm;
	size_t i;

	for (i = 0; i < n->nseries; i++) {
		failures += n->series[i].state == GATE_WORSE;
		errors += gate_fails(n->series[i].state) && n->series[i].state != GATE_WORSE;
	}
	for (i = 0; i < n->nchecks; i++) {
		failures += !n->checks[i].ok && n->checks[i].red;
		errors += !n->checks[i].ok && !n->checks[i].red;
	}
	/* the shape has no room for a zone: UTC */
	if (gmtime_r(&t, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	gethostname(host, sizeof(host) - 1);
	xmlTextWriterStartElement(w, BAD_CAST "testsuite");
	attribute(w, "name", n->profile);
	attribute(w, "package", "vbench.gate");
	attribute(w, "id", "0");
	attribute(w, "timestamp", when);
	attribute(w, "hostname", host);
	number(w, "tests", (double)(n->nseries + n->nchecks), "%.0f");
	number(w, "failures", failures, "%.0f");
	number(w, "errors", errors, "%.0f");
	number(w, "time", (double)(n->ended - n->begun) / 1e9, "%.3f");
}

static void put_night(xmlTextWriter *w, const struct gate_night *n)
{
	char *text = gate_summary(n);
	size_t i;

	xmlTextWriterStartElement(w, BAD_CAST "testsuites");
	begin_suite(w, n);
	xmlTextWriterStartElement(w, BAD_CAST "properties");
	property(w, "night", n->uuid);
	property(w, "state", gate_night_word(n));
	property(w, "label", n->label);
	property(w, "build", n->build);
	property(w, "reference", n->reference);
	property(w, "host", n->host);
	property(w, "run", n->screen_run);
	property(w, "confirmed by run", n->confirm_run);
	xmlTextWriterEndElement(w);
	for (i = 0; i < n->nchecks; i++) {
		const struct gate_check *c = &n->checks[i];

		begin_case(w, n, c->name, 0);
		if (!c->ok)
			bad(w, c->red, c->red ? c->name : "check", c->text, c->remedy);
		xmlTextWriterEndElement(w);
	}
	for (i = 0; i < n->nseries; i++)
		put_series(w, n, &n->series[i]);
	element(w, "system-out", text);
	element(w, "system-err", "");
	xmlTextWriterEndElement(w);
	xmlTextWriterEndElement(w);
	free(text);
}

int gate_junit(const struct gate_night *n, const char *path, struct err *e)
{
	xmlBuffer *buf = xmlBufferCreate();
	xmlTextWriter *w = buf ? xmlNewTextWriterMemory(buf, 0) : NULL;
	int rc = 0;

	if (!w) {
		xmlBufferFree(buf);
		return err_set(e, -ENOMEM, "%s: out of memory", path);
	}
	xmlTextWriterSetIndent(w, 1);
	xmlTextWriterStartDocument(w, NULL, "UTF-8", NULL);
	put_night(w, n);
	if (xmlTextWriterEndDocument(w) < 0)
		rc = err_set(e, -ENOMEM, "%s: out of memory", path);
	xmlFreeTextWriter(w);
	if (!rc)
		rc = file_write(path, xmlBufferContent(buf), (size_t)xmlBufferLength(buf), 0644, e);
	xmlBufferFree(buf);
	return rc;
}
