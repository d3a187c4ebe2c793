// SPDX-License-Identifier: GPL-2.0-or-later
/* XML that is broken, hostile, or no domain: one sentence with the line and a remedy, at once. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "vm/read.h"

/* Reads it; nothing may come out, not even on stderr. */
static void refused(const char *text, size_t len, const char *part)
{
	struct vm *vm = NULL;
	struct err e = {0};
	FILE *f = tmpfile();
	int old = dup(STDERR_FILENO), rc;

	assert_non_null(f);
	dup2(fileno(f), STDERR_FILENO);
	rc = vm_read_xml(text, len, "bad.xml", &vm, &e);
	dup2(old, STDERR_FILENO);
	close(old);
	assert_int_equal(lseek(fileno(f), 0, SEEK_END), 0);
	fclose(f);
	assert_int_equal(rc, -EINVAL);
	assert_int_equal(e.status, VB_BAD_INPUT);
	assert_null(vm);
	if (!strstr(e.text, part))
		fail_msg("\"%s\" has no \"%s\"", e.text, part);
	/* the remedy */
	assert_true(strstr(e.text, "virsh dumpxml") || strstr(e.text, "iconv"));
	assert_null(strchr(e.text, '\n'));
}

static void not_a_domain(void **state)
{
	static const struct {
		const char *text, *part;
	} table[] = {
		{"<network>\n<name>default</name></network>",
		 "bad.xml:1: <network>, a libvirt network"},
		{"\n\n<pool type='dir'/>", "bad.xml:3: <pool>, a libvirt storage pool"},
		{"<html><body>404</body></html>", "bad.xml:1: <html>, a web page"},
		{"<!DOCTYPE html>\n<html><body><br></body></html>", "bad.xml:1: a document type"},
		{"<capabilities/>", "virsh capabilities"},
		{"<domstatus><nothing/></domstatus>", "<domstatus>, where a <domain> was expected"},
		{"<svg xmlns='http://www.w3.org/2000/svg'/>", "<svg>"},
		{"", "empty"},
		{" \n\t", "empty"},
		{"\xef\xbb\xbf", "empty"},
		{"not XML", "not well-formed"},
		{"<domain>\n<name>x</name>\n", "bad.xml:3: not well-formed"},
		{"<domain>\n<name>x</nome></domain>", "bad.xml:2: not well-formed"},
		{"<domain a='1' a='2'/>", "not well-formed"},
		{"<domain a=1/>", "not well-formed"},
		{"<domain/><domain/>", "not well-formed"},
		{"<domain>\n&undefined;</domain>", "bad.xml:2: not well-formed"},
		{"<domain>&#0;</domain>", "bad.xml:1"},
		{"<domain>&#xffffffff;</domain>", "bad.xml:1"},
		{"<domain><name>\x01</name></domain>", "bad.xml:1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		refused(table[i].text, strlen(table[i].text), table[i].part);
}

/* Entities are declared in a document type: no such thing is followed, whatever is in it. */
static void entities(void **state)
{
	static const char *const table[] = {
		"<?xml version='1.0'?>\n<!DOCTYPE lolz [\n<!ENTITY a 'ha'>\n<!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>\n"
		"<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'>\n<!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;'>\n"
		"<!ENTITY e '&d;&d;&d;&d;&d;&d;&d;&d;'>\n<!ENTITY f '&e;&e;&e;&e;&e;&e;&e;&e;'>\n"
		"<!ENTITY g '&f;&f;&f;&f;&f;&f;&f;&f;'>\n<!ENTITY h '&g;&g;&g;&g;&g;&g;&g;&g;'>\n]>\n"
		"<domain><name>&h;</name></domain>",
		"<?xml version='1.0'?>\n<!DOCTYPE domain [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>\n"
		"<domain><name>&x;</name></domain>",
		"<?xml version='1.0'?>\n<!DOCTYPE domain SYSTEM 'http://192.0.2.1/x.dtd'>\n<domain/>",
		"<?xml version='1.0'?>\n<!DOCTYPE domain [<!ENTITY % p SYSTEM '/etc/passwd'> %p;]>\n<domain/>",
		"<?xml version='1.0'?>\n<!DOCTYPE domain [<!ATTLIST domain type CDATA 'kvm'>]>\n<domain/>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		refused(table[i], strlen(table[i]), "bad.xml:2: a document type");
}

static void encodings(void **state)
{
	/* "<domain/>" in UTF-16, either end first, with and without a mark; RFC 3629 forbids the
	 * rest */
	static const char le[] = "\xff\xfe<\0d\0o\0m\0a\0i\0n\0/\0>\0",
			  be[] = "\0<\0d\0o\0m\0a\0i\0n\0/\0>";

	(void)state;
	refused(le, sizeof(le) - 1, "UTF-16");
	refused(be, sizeof(be) - 1, "UTF-16");
#define REFUSED(text, part) refused(text, strlen(text), part)
	REFUSED("<?xml version='1.0' encoding='UTF-16'?><domain/>", "iconv -f UTF-16 -t UTF-8");
	REFUSED("<?xml version='1.0' encoding=\"ISO-8859-1\"?><domain/>",
		"bad.xml:1: the text says it is in ISO-8859-1");
	REFUSED("<?xml version='1.0' encoding='UTF-7'?><domain/>", "UTF-7");
	REFUSED("<?xml version='1.0' encoding='EBCDIC-US'?><domain/>", "EBCDIC-US");
	REFUSED("<domain>\n<name>\xe9t\xe9</name></domain>", "bad.xml:2: a byte that is not UTF-8");
	REFUSED("<domain><name>\xc0\xaf</name></domain>", "not UTF-8");
	REFUSED("<domain><name>\xed\xa0\x80</name></domain>", "bad.xml:1");
	REFUSED("<domain><name>\xf4\x90\x80\x80</name></domain>", "bad.xml:1");
}

static char *repeat(const char *head, const char *part, size_t n, const char *tail, size_t *len)
{
	size_t h = strlen(head), p = strlen(part), t = strlen(tail);
	char *text = malloc(h + n * p + t + 1), *at = text;

	assert_non_null(text);
	memcpy(at, head, h);
	at += h;
	for (size_t i = 0; i < n; i++, at += p)
		memcpy(at, part, p);
	memcpy(at, tail, t + 1);
	*len = h + n * p + t;
	return text;
}

static void too_much(void **state)
{
	size_t len;
	char *text = repeat("<domain><name>", "x", 100u << 20, "</name></domain>", &len);

	(void)state;
	refused(text, len, "over 8 MiB");
	free(text);
	/* each attribute is held against all others of its tag: that many would take minutes */
	text = repeat("<domain>\n<x ", "a='' ", 1u << 20, "/></domain>", &len);
	refused(text, len, "bad.xml:2: a tag of over 16384 bytes");
	free(text);
	text = repeat("<domain>\n<x a='", "y", 20000, "'/></domain>", &len);
	refused(text, len, "bad.xml:2: a tag of over 16384 bytes");
	free(text);
	text = repeat("<domain>", "<a>", 100000, "", &len);
	refused(text, len, "bad.xml:1");
	free(text);
	text = repeat("<domain>", "<a>", 230, "", &len);
	for (unsigned i = 0; i < 230; i++) { /* well-formed and deep */
		text = realloc(text, len + 5);
		assert_non_null(text);
		memcpy(text + len, "</a>", 5);
		len += 4;
	}
	text = realloc(text, len + 10);
	assert_non_null(text);
	memcpy(text + len, "</domain>", 10);
	refused(text, len + 9, "over 200 deep");
	free(text);
}

/* Numbers of things that no host has are cut, with a note, in little time. */
static void too_many(void **state)
{
	static const struct {
		const char *head, *part, *tail, *what;
		unsigned most;
	} table[] = {
		{"<domain><devices>", "<disk><target dev='vda' bus='virtio'/></disk>",
		 "</devices></domain>", "disk", 512},
		{"<domain><devices>", "<interface type='user'/>", "</devices></domain>", "net",
		 256},
		{"<domain><iothreadids>", "<iothread id='1'/>", "</iothreadids></domain>",
		 "iothread", 1},
		{"<domain><iothreads>4294967295</iothreads>", " ", "</domain>", "iothread", 256},
		{"<domain><cpu><numa>", "<cell cpus='0' memory='1'/>", "</numa></cpu></domain>",
		 "numa", 128},
		{"<domain><cputune>", "<vcpupin vcpu='1023' cpuset='0'/>", "</cputune></domain>",
		 "vcpu", 1024},
		{"<domain><cputune>", "<vcpusched vcpus='0-4095' scheduler='fifo'/>",
		 "</cputune></domain>", "vcpu", 1024},
	};

	(void)state;
	alarm(300); /* not a measure: it ends a hang */
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct vm *vm = NULL;
		struct err e = {0};
		size_t len;
		char *text = repeat(table[i].head, table[i].part, 20000, table[i].tail, &len);

		assert_int_equal(vm_read_xml(text, len, "many.xml", &vm, &e), 0);
		assert_int_equal(vm_count(vm, table[i].what), table[i].most);
		assert_true(vm->nnotes < 1000);
		vm_free(vm);
		free(text);
	}
	alarm(0);
}

/* Values that fit nothing are notes, and the rest is read. */
static void odd_values(void **state)
{
	static const char text[] =
		"<domain type='&lt;kvm&gt;'><name>a\nb</name><vcpu current='x' placement='maybe'>many</vcpu>"
		"<iothreads>-3</iothreads><memory unit=''>x</memory>"
		"<cputune><vcpupin vcpu='-1' cpuset='0'/><vcpupin vcpu='99999999999999999999' cpuset='0'/>"
		"<vcpupin cpuset='0'/><vcpupin vcpu='1' cpuset='0-99999999'/><iothreadpin iothread='7' cpuset='1'/>"
		"<quota>lots</quota></cputune><numatune><memory mode='guess' nodeset='x'/>"
		"<memnode cellid='-1'/></numatune><cpu mode=''><cache mode='some'/>"
		"<feature name='a,b'/><feature/><numa><cell id='99999999999' cpus='0'/></numa></cpu>"
		"<devices><disk><driver cache='fast' io='magic' queues='-1' iothread=''/>"
		"<target dev='' bus='warp'/></disk>"
		"<disk type='network'><source/><target dev='sdzzzzzzzzzzzzzzzzzzzzzzzzzz' bus='scsi'/></disk>"
		"<controller type='scsi' index='-1' model='virtio-scsi'/><interface/><memballoon/></devices></domain>";
	struct vm *vm = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(vm_read_xml(text, sizeof(text) - 1, "odd.xml", &vm, &e), 0);
	assert_null(vm_get(vm, VM_ASKED, "vcpus"));
	assert_null(vm_get(vm, VM_ASKED, "placement"));
	assert_null(vm_get(vm, VM_ASKED, "disk.0.cache"));
	assert_null(vm_get(vm, VM_ASKED, "disk.0.aio"));
	assert_null(vm_get(vm, VM_ASKED, "disk.0.bus"));
	assert_null(vm_get(vm, VM_ASKED, "vcpu.1.pin"));
	assert_null(vm_get(vm, VM_ASKED, "numatune.mode"));
	assert_true(vm_is(vm, VM_ASKED, "disk", "disk.0.kind"));
	assert_true(vm->nnotes >= 10);
	vm_free(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(not_a_domain), cmocka_unit_test(entities),
		cmocka_unit_test(encodings),	cmocka_unit_test(too_much),
		cmocka_unit_test(too_many),	cmocka_unit_test(odd_values),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
