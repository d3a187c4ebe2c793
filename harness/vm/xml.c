// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libvirt domain XML -> facts: what is refused before and while it is parsed, and the order of its
 * parts. The elements and their defaults are those of libvirt's "Domain XML format".
 */
#include <ctype.h>
#include <errno.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <stdlib.h>
#include <string.h>
#include "vm/read.h"
#include "vm/xml.h"

enum {
	TAG_MAX = 16384, /* libxml2 holds each attribute of a tag against all others */
	NAME_MAX_SHOWN = 255,
	DEPTH_MAX = 200,
};

#define REMEDY "give the text that `virsh dumpxml NAME` prints"

static unsigned line_of(const char *text, const char *at)
{
	unsigned line = 1;

	for (; text < at; text++)
		line += *text == '\n';
	return line;
}

/* A tag that begins at p: where it ends; NULL: nowhere within TAG_MAX. */
static const char *tag_end(const char *p, const char *end)
{
	char quote = 0;

	if (end - p > TAG_MAX)
		end = p + TAG_MAX;
	for (; p < end; p++) {
		if (quote)
			quote = *p == quote ? 0 : quote;
		else if (*p == '"' || *p == '\'')
			quote = *p;
		else if (*p == '>')
			return p;
	}
	return NULL;
}

/* The encoding that the declaration names is UTF-8 or a part of it. */
static int check_encoding(const char *text, size_t len, const char *from, struct err *e)
{
	const char *end, *p;
	char name[32] = "";

	if (len < 5 || memcmp(text, "<?xml", 5))
		return 0;
	end = memchr(text, '>', len < 256 ? len : 256);
	p = end ? memmem(text, (size_t)(end - text), "encoding", 8) : NULL;
	if (!p)
		return 0;
	for (p += 8; p < end && (isspace((unsigned char)*p) || strchr("='\"", *p)); p++)
		;
	for (size_t i = 0;
	     p < end && i + 1 < sizeof(name) && (isalnum((unsigned char)*p) || strchr("-_.:", *p));
	     p++)
		name[i++] = *p;
	if (!*name || !strcasecmp(name, "UTF-8") || !strcasecmp(name, "UTF8") ||
	    !strcasecmp(name, "US-ASCII") || !strcasecmp(name, "ASCII"))
		return 0;
	return err_input(
		e, "%s:1: the text says it is in %s; libvirt writes UTF-8: iconv -f %s -t UTF-8",
		from, name, name);
}

/* Spaces, and the byte order mark of UTF-8. */
#define BLANK " \t\r\n\xef\xbb\xbf"

/* What the parser need not see, or should not. */
static int check_text(const char *text, size_t len, const char *from, struct err *e)
{
	const char *end = text + len, *bad;
	size_t blank;

	if (len > VM_TEXT_MAX)
		return err_input(
			e, "%s: over %u MiB; the description of one machine is smaller: " REMEDY,
			from, VM_TEXT_MAX >> 20);
	bad = memchr(text, '\0', len);
	if (bad)
		return err_input(
			e,
			"%s:%u: a zero byte: binary data, or UTF-16 (iconv -f UTF-16 -t UTF-8); " REMEDY,
			from, line_of(text, bad));
	/* the text has a length, and need not end in a zero */
	for (blank = 0; blank < len && memchr(BLANK, text[blank], sizeof(BLANK) - 1); blank++)
		;
	if (blank == len)
		return err_input(e, "%s: empty; " REMEDY, from);
	for (const char *p = text; (p = memchr(p, '<', (size_t)(end - p))) && p + 1 < end; p++) {
		if (!isalpha((unsigned char)p[1]) && p[1] != '_' && p[1] != ':')
			continue;
		if (!tag_end(p, end) && end - p > TAG_MAX)
			return err_input(e, "%s:%u: a tag of over %d bytes; " REMEDY, from,
					 line_of(text, p), TAG_MAX);
	}
	return check_encoding(text, len, from, e);
}

/* A document type: entities are declared there, and nothing that libvirt writes has one. */
static void on_doctype(void *ctx, const xmlChar *name, const xmlChar *id, const xmlChar *uri)
{
	xmlParserCtxt *p = ctx;

	(void)name, (void)id, (void)uri;
	*(unsigned *)p->_private = p->input ? (unsigned)p->input->line : 1;
	xmlStopParser(p);
}

static int explain(xmlParserCtxt *p, const char *from, struct err *e)
{
	const xmlError *last = xmlCtxtGetLastError(p);
	char said[200];
	size_t n;

	if (!last || !last->message)
		return err_input(e, "%s: no XML; " REMEDY, from);
	snprintf(said, sizeof(said), "%s", last->message);
	for (n = strlen(said); n && isspace((unsigned char)said[n - 1]);)
		said[--n] = '\0';
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)said[i] < 0x20 || (unsigned char)said[i] >= 0x7f)
			said[i] = '?';
	if (last->code == XML_ERR_INVALID_CHAR || last->code == XML_ERR_INVALID_ENCODING)
		return err_input(e, "%s:%d: a byte that is not UTF-8 text (%s); " REMEDY, from,
				 last->line, said);
	return err_input(e, "%s:%d: not well-formed XML (%s); " REMEDY, from, last->line, said);
}

static int parse(const char *text, size_t len, const char *from, xmlDoc **out, struct err *e)
{
	xmlParserCtxt *p = xmlNewParserCtxt();
	unsigned doctype = 0;
	int rc = 0;

	if (!p)
		return err_set(e, -ENOMEM, "%s: no memory for the XML parser", from);
	p->_private = &doctype;
	p->sax->internalSubset = on_doctype;
	p->sax->externalSubset = NULL;
	*out = xmlCtxtReadMemory(p, text, (int)len, NULL, "UTF-8",
				 XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
					 XML_PARSE_NOCDATA | XML_PARSE_COMPACT);
	if (doctype)
		rc = err_input(
			e,
			"%s:%u: a document type (<!DOCTYPE>), which libvirt never writes and vbench "
			"does not follow: an HTML page, or entities; " REMEDY,
			from, doctype);
	else if (!*out || !p->wellFormed)
		rc = explain(p, from, e);
	if (rc) {
		xmlFreeDoc(*out);
		*out = NULL;
	}
	xmlFreeParserCtxt(p);
	return rc;
}

/* --- elements ------------------------------------------------------------------------------------
 */

static bool named(const xmlNode *n, const char *name)
{
	return n->type == XML_ELEMENT_NODE && !strcmp((const char *)n->name, name);
}

static void path_add(char *path, const char *parent, const char *name, unsigned at)
{
	int n = snprintf(path, XML_PATH, at ? "%s/%s[%u]" : "%s/%s", parent, name, at);

	if (n >= XML_PATH)
		memcpy(path + XML_PATH - 4, "...", 4);
}

struct el el_child(const struct el *parent, const char *name)
{
	struct el c = {.x = parent->x};

	path_add(c.path, parent->path, name, 0);
	for (xmlNode *n = parent->node ? parent->node->children : NULL; n; n = n->next) {
		if (named(n, name)) {
			c.node = n;
			break;
		}
	}
	return c;
}

struct el el_down(const struct el *parent, const char *names)
{
	struct el c = *parent;

	while (*names) {
		size_t n = strcspn(names, "/");
		char name[48];

		snprintf(name, sizeof(name), "%.*s", (int)n, names);
		c = el_child(&c, name);
		names += n + (names[n] == '/');
	}
	return c;
}

bool el_each(const struct el *parent, const char *name, struct el *it)
{
	xmlNode *n = it->node		       ? it->node->next
		     : parent->node && !it->at ? parent->node->children
					       : NULL;

	while (n && !named(n, name))
		n = n->next;
	it->x = parent->x;
	it->node = n;
	it->at++;
	path_add(it->path, parent->path, name, it->at);
	return n;
}

static const char *keep(struct xml *x, xmlChar *s)
{
	if (!s)
		return NULL;
	if (!(x->nstrings & (x->nstrings + 1))) /* 0, 1, 3, 7, ...: room for twice as many */
		x->strings = xrealloc(x->strings, 2 * x->nstrings + 2, sizeof(*x->strings));
	x->strings[x->nstrings++] = s;
	return (const char *)s;
}

const char *el_attr(const struct el *e, const char *name)
{
	return e->node ? keep(e->x, xmlGetNoNsProp(e->node, (const xmlChar *)name)) : NULL;
}

const char *el_said(const struct el *e, const char *name)
{
	const char *v = el_attr(e, name);

	return v && *v && strcmp(v, "default") ? v : NULL;
}

const char *el_text(const struct el *e)
{
	char *s = e->node ? (char *)keep(e->x, xmlNodeGetContent(e->node)) : NULL;
	size_t n;

	if (!s)
		return NULL;
	s += strspn(s, " \t\r\n");
	for (n = strlen(s); n && strchr(" \t\r\n", s[n - 1]);)
		s[--n] = '\0';
	return n ? s : NULL;
}

bool el_is(const struct el *e, const char *attr, const char *value)
{
	const char *v = el_attr(e, attr);

	return v && !strcmp(v, value);
}

void el_note(const struct el *e, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	if (e->x->nnotes++ >= XML_NOTES)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (e->x->nnotes == XML_NOTES)
		snprintf(text, sizeof(text), "more notes are left out");
	vm_note(e->x->vm, "%s: %s", e->path, text);
}

/* --- the whole -----------------------------------------------------------------------------------
 */

/* What else libvirt writes has the domain within it. */
static struct el domain_of(struct xml *x, xmlNode *root)
{
	static const char *const around[] = {"domstatus", "domainsnapshot", "domaincheckpoint"};
	struct el e = {.x = x, .node = root};

	snprintf(e.path, sizeof(e.path), "%.60s", (const char *)root->name);
	if (named(root, "domain"))
		return e;
	for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++)
		if (named(root, around[i]))
			return el_child(&e, "domain");
	e.node = NULL;
	return e;
}

static int not_a_domain(const xmlNode *root, const char *from, struct err *e)
{
	const char *name = (const char *)root->name;
	const char *is = !strcasecmp(name, "html")	 ? ", a web page"
			 : !strcmp(name, "network")	 ? ", a libvirt network"
			 : !strcmp(name, "pool")	 ? ", a libvirt storage pool"
			 : !strcmp(name, "volume")	 ? ", a libvirt volume"
			 : !strcmp(name, "capabilities") ? ", what `virsh capabilities` prints"
			 : !strcmp(name, "domainCapabilities")
				 ? ", what `virsh domcapabilities` prints"
				 : "";

	return err_input(e, "%s:%u: <%.60s>%s, where a <domain> was expected; " REMEDY, from,
			 (unsigned)root->line, name, is);
}

static bool too_deep(const xmlNode *n)
{
	unsigned depth = 0;

	while (n) {
		if (n->children && n->type == XML_ELEMENT_NODE) {
			n = n->children;
			if (++depth > DEPTH_MAX)
				return true;
			continue;
		}
		while (n && !n->next) {
			n = n->parent && n->parent->type == XML_ELEMENT_NODE ? n->parent : NULL;
			depth -= depth > 0;
		}
		n = n ? n->next : NULL;
	}
	return false;
}

/* libosinfo's id is a URL of who makes the system. */
static void read_os_of_guest(const struct el *domain)
{
	static const struct {
		const char *part, *os;
	} table[] = {
		{"microsoft.com/", "windows"},
		{"debian.org/", "linux"},
		{"ubuntu.com/", "linux"},
		{"fedoraproject.org/", "linux"},
		{"redhat.com/", "linux"},
		{"centos.org/", "linux"},
		{"suse.com/", "linux"},
		{"opensuse.org/", "linux"},
		{"almalinux.org/", "linux"},
		{"rockylinux.org/", "linux"},
		{"oracle.com/ol/", "linux"},
		{"oracle.com/solaris/", "other"},
		{"archlinux.org/", "linux"},
		{"alpinelinux.org/", "linux"},
		{"libosinfo.org/linux/", "linux"},
		{"cirros-cloud.net/", "linux"},
		{"gentoo.org/", "linux"},
		{"freebsd.org/", "other"},
		{"openbsd.org/", "other"},
		{"netbsd.org/", "other"},
		{"apple.com/", "other"},
	};
	struct el os = el_down(domain, "metadata/libosinfo/os");
	const char *id = el_attr(&os, "id");

	for (size_t i = 0; id && i < sizeof(table) / sizeof(table[0]); i++) {
		if (strstr(id, table[i].part)) {
			el_fact(&os, "id", table[i].os, "os");
			return;
		}
	}
}

static void read_head(const struct el *domain)
{
	const char *type = el_attr(domain, "type");
	struct el uuid = el_child(domain, "uuid"), t = el_down(domain, "os/type"),
		  os = el_child(domain, "os"), loader = el_child(&os, "loader"), it = {0};

	if (type)
		el_fact(domain, "type", strcmp(type, "qemu") ? type : "tcg", "accel");
	el_fact(&uuid, NULL, el_text(&uuid), "uuid");
	el_take(&t, "machine", "machine");
	el_take(&t, "arch", "arch");
	el_take(&os, "firmware", "firmware");
	if (el_is(&loader, "type", "pflash"))
		el_fact(&loader, "type", "efi", "firmware");
	else if (el_is(&loader, "type", "rom"))
		el_fact(&loader, "type", "bios", "firmware");
	read_os_of_guest(domain);
	for (struct el cl = el_child(domain, "commandline"); el_each(&cl, "arg", &it);)
		el_note(&it, "\"%.120s\" is handed to QEMU behind libvirt's back",
			el_attr(&it, "value") ? el_attr(&it, "value") : "");
}

static void read_domain(const struct el *domain)
{
	read_head(domain);
	xml_read_cpu(domain);
	xml_read_tune(domain);
	xml_read_memory(domain);
	xml_read_disks(domain);
	xml_read_devices(domain);
}

int vm_read_xml(const char *text, size_t len, const char *from, struct vm **out, struct err *e)
{
	struct xml x = {0};
	struct el domain, name;
	xmlDoc *doc = NULL;
	xmlNode *root;
	int rc = check_text(text, len, from, e);

	*out = NULL;
	if (!rc)
		rc = parse(text, len, from, &doc, e);
	if (rc)
		return rc;
	root = xmlDocGetRootElement(doc);
	domain = domain_of(&x, root);
	if (!domain.node) {
		rc = not_a_domain(root, from, e);
	} else if (too_deep(root)) {
		rc = err_input(e, "%s: elements within elements, over %d deep; " REMEDY, from,
			       DEPTH_MAX);
	} else {
		char shown[NAME_MAX_SHOWN + 1];

		name = el_child(&domain, "name");
		snprintf(shown, sizeof(shown), "%s", el_text(&name) ? el_text(&name) : "unnamed");
		x.vm = vm_new(shown, from);
		read_domain(&domain);
		*out = x.vm;
	}
	for (size_t i = 0; i < x.nstrings; i++)
		xmlFree(x.strings[i]);
	free(x.strings);
	xmlFreeDoc(doc);
	return rc;
}
