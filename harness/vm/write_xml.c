// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts as libvirt's domain XML: for `virsh edit`, or `virsh define` where they are complete. */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "vm/internal.h"
#include "vm/write_xml.h"

void xml_put(FILE *out, const char *text)
{
	char *clean = vm_clean_text(text, strlen(text));
	/* line breaks and tabs are for attributes, where they would become blanks */
	const char *odd = strpbrk(text, "\t\n\r");
	const char *s = odd ? text : clean;

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '&')
			fputs("&amp;", out);
		else if (c == '<')
			fputs("&lt;", out);
		else if (c == '>')
			fputs("&gt;", out);
		else if (c == '\'')
			fputs("&apos;", out);
		else if (c == '"')
			fputs("&quot;", out);
		else if (c == '\t' || c == '\n' || c == '\r')
			fprintf(out, "&#%d;", c);
		else if (c < 0x20 || c == 0x7f || (odd && c >= 0x80))
			putc('?', out);
		else
			putc(c, out);
	}
	free(clean);
}

void xml_put_attr(FILE *out, const char *name, const char *value)
{
	if (!value)
		return;
	fprintf(out, " %s='", name);
	xml_put(out, value);
	putc('\'', out);
}

void xml_put_bytes(FILE *out, uint64_t bytes)
{
	bool whole = !(bytes & 1023);

	fprintf(out, " unit='%s'>%llu", whole ? "KiB" : "bytes",
		(unsigned long long)(whole ? bytes >> 10 : bytes));
}

void xml_put_comment(FILE *out, const char *fmt, ...)
{
	char *text, *clean;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	clean = vm_clean_text(text, strlen(text));
	fputs("  <!-- ", out);
	for (const char *s = clean; *s; s++) {
		putc(iscntrl((unsigned char)*s) ? ' ' : *s, out);
		if (*s == '-' && s[1] == '-')
			putc(' ', out);
	}
	fputs(" -->\n", out);
	free(clean);
	free(text);
}

/* libvirt's ids are numbers from 1. */
static bool is_id(const char *s)
{
	return *s >= '1' && *s <= '9' && strlen(s) < 9 && !s[strspn(s, "0123456789")];
}

unsigned xml_thread_number(const struct vm *vm, const char *id)
{
	unsigned n = vm_count(vm, "iothread"), found = 0;
	bool numbers = true;

	for (unsigned i = 0; i < n; i++) {
		const char *known = vm_get(vm, VM_ASKED, "iothread.%u.id", i);

		if (known && !strcmp(known, id))
			found = i + 1;
		numbers = numbers && known && is_id(known);
	}
	if (numbers && is_id(id))
		return (unsigned)strtoul(id, NULL, 10);
	return found;
}

static void write_memory(struct told *t)
{
	static const struct {
		const char *key, *name;
	} sizes[] = {{"memory.max", "maxMemory slots='16'"},
		     {"memory.size", "memory"},
		     {"memory.current", "currentMemory"}};
	uint64_t bytes;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (!told_number(t, &bytes, "%s", sizes[i].key))
			continue;
		fprintf(t->out, "  <%s", sizes[i].name);
		xml_put_bytes(t->out, bytes);
		fprintf(t->out, "</%.*s>\n", (int)strcspn(sizes[i].name, " "), sizes[i].name);
	}
	if (told_number(t, &bytes, "memory.hard-limit")) {
		fputs("  <memtune>\n    <hard_limit", t->out);
		xml_put_bytes(t->out, bytes);
		fputs("</hard_limit>\n  </memtune>\n", t->out);
	}
}

/* The machine's weight is the first disk's; others of another weight are named by their devices. */
static void write_weights(struct told *t)
{
	unsigned disks = vm_count(t->vm, "disk"), n = 0;
	const char *all = NULL;

	for (unsigned i = 0; i < disks; i++) {
		const char *weight = told_get(t, "disk.%u.weight", i),
			   *source = vm_get(t->vm, VM_ASKED, "disk.%u.source", i);

		if (!weight || (all && (!strcmp(weight, all) || !source)))
			continue;
		if (!n++)
			fputs("  <blkiotune>\n", t->out);
		if (!all) {
			all = weight;
			fprintf(t->out, "    <weight>%s</weight>\n", weight);
			continue;
		}
		fputs("    <device>\n      <path>", t->out);
		xml_put(t->out, source);
		fprintf(t->out, "</path>\n      <weight>%s</weight>\n    </device>\n", weight);
	}
	if (n)
		fputs("  </blkiotune>\n", t->out);
}

static void write_backing(struct told *t)
{
	int merge = told_flag(t, "memory.merge"), locked = told_flag(t, "memory.locked"),
	    shared = told_flag(t, "memory.shared"), prealloc = told_flag(t, "memory.prealloc"),
	    discard = told_flag(t, "memory.discard");
	const char *source = told_get(t, "memory.source");
	uint64_t page = 0;
	bool huge = told_number(t, &page, "memory.page") && page > 65536;

	if (!huge && merge && locked <= 0 && shared < 0 && prealloc < 0 && discard <= 0 && !source)
		return;
	fputs("  <memoryBacking>\n", t->out);
	if (huge) {
		bool whole = !(page & 1023);

		fprintf(t->out,
			"    <hugepages>\n      <page size='%llu' unit='%s'/>\n    </hugepages>\n",
			(unsigned long long)(whole ? page >> 10 : page), whole ? "KiB" : "bytes");
	}
	if (!merge)
		fputs("    <nosharepages/>\n", t->out);
	if (locked > 0)
		fputs("    <locked/>\n", t->out);
	if (source) {
		fputs("    <source", t->out);
		xml_put_attr(t->out, "type", source);
		fputs("/>\n", t->out);
	}
	if (shared >= 0)
		fprintf(t->out, "    <access mode='%s'/>\n", shared ? "shared" : "private");
	if (prealloc >= 0)
		fprintf(t->out, "    <allocation mode='%s'/>\n",
			prealloc ? "immediate" : "ondemand");
	if (discard > 0)
		fputs("    <discard/>\n", t->out);
	fputs("  </memoryBacking>\n", t->out);
}

static void write_head(struct told *t)
{
	const char *accel = told_get(t, "accel"), *uuid = told_get(t, "uuid");
	bool commandline = vm_is(t->vm, VM_ASKED, "on", "cpu.cpu-pm");

	fputs("<domain", t->out);
	xml_put_attr(t->out, "type", !accel ? "kvm" : strcmp(accel, "tcg") ? accel : "qemu");
	if (commandline)
		fputs(" xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'", t->out);
	fputs(">\n  <name>", t->out);
	xml_put(t->out, t->vm->name);
	fputs("</name>\n", t->out);
	if (uuid) {
		fputs("  <uuid>", t->out);
		xml_put(t->out, uuid);
		fputs("</uuid>\n", t->out);
	}
}

static void write_os(struct told *t)
{
	const char *machine = told_get(t, "machine"), *arch = told_get(t, "arch"),
		   *firmware = told_get(t, "firmware");
	bool efi = firmware && !strcmp(firmware, "efi"); /* bios is what libvirt takes otherwise */

	if (!machine && !arch && !efi)
		return;
	fprintf(t->out, "  <os%s>\n    <type", efi ? " firmware='efi'" : "");
	xml_put_attr(t->out, "arch", arch);
	xml_put_attr(t->out, "machine", machine);
	fputs(">hvm</type>\n  </os>\n", t->out);
}

static void write_end(struct told *t)
{
	if (told_flag(t, "cpu.cpu-pm") > 0)
		fputs("  <qemu:commandline>\n    <qemu:arg value='-overcommit'/>\n"
		      "    <qemu:arg value='cpu-pm=on'/>\n  </qemu:commandline>\n",
		      t->out);
	fputs("</domain>\n", t->out);
}

static void say_left(FILE *out, const struct vm_fact *f)
{
	xml_put_comment(out, "no element: %s = %.200s", f->key, f->value);
}

int vm_write_libvirt(FILE *out, const struct vm *vm, struct err *e)
{
	struct told t;

	told_begin(&t, out, vm);
	write_head(&t);
	write_memory(&t);
	write_weights(&t);
	write_backing(&t);
	write_os(&t);
	xml_write_cpu(&t);
	fputs("  <devices>\n", out);
	xml_write_disks(&t);
	xml_write_devices(&t);
	fputs("  </devices>\n", out);
	/* what follows from the rest, or what libvirt does by itself */
	told_skip(&t, "headless");
	told_skip(&t, "migratable");
	told_skip(&t, "qemu.version");
	told_skip(&t, "sandbox");
	told_skip(&t, "debug-threads");
	told_skip_absent(&t);
	told_left(&t, say_left);
	write_end(&t);
	return told_end(&t, e);
}
