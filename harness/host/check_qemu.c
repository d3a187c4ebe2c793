/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks of QEMU: one start without a machine, asked over QMP what it can do. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <fcntl.h>
#include "base/err.h"
#include "host/check.h"
#include "host/program.h"
#include "host/read.h"

/* A loaded host that has to read QEMU and its hundred libraries from the disk takes seconds. */
enum { ASK_TIMEOUT_MS = 10000, ANSWER_MAX = 8 << 20 };

/* As guests are run, so that a QEMU without seccomp shows here. */
static const char sandbox[] =
	"on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";

static const char questions[] =
	"{\"execute\":\"qmp_capabilities\"}\n"
	"{\"execute\":\"query-version\",\"id\":\"version\"}\n"
	"{\"execute\":\"query-qmp-schema\",\"id\":\"schema\"}\n"
	"{\"execute\":\"device-list-properties\",\"id\":\"virtio-blk-pci\","
	"\"arguments\":{\"typename\":\"virtio-blk-pci\"}}\n"
	"{\"execute\":\"device-list-properties\",\"id\":\"virtio-scsi-pci\","
	"\"arguments\":{\"typename\":\"virtio-scsi-pci\"}}\n"
	"{\"execute\":\"device-list-properties\",\"id\":\"nvme\",\"arguments\":{\"typename\":\"nvme\"}}\n"
	"{\"execute\":\"quit\"}\n";

static char *fd_text(int fd)
{
	struct stat st;
	char *text;
	ssize_t n;

	if (fstat(fd, &st) < 0 || st.st_size > ANSWER_MAX)
		return xstrdup("");
	text = xcalloc(1, st.st_size + 1);
	n = pread(fd, text, st.st_size, 0);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* A stream of JSON documents -> {id: return}; what is no JSON ends it. */
static json_t *answers(const char *text)
{
	json_t *all = json_object();
	size_t len = strlen(text), at = 0;

	while (at < len) {
		json_error_t je;
		json_t *m = json_loadb(text + at, len - at, JSON_DISABLE_EOF_CHECK, &je);
		const char *id = json_string_value(json_object_get(m, "id"));

		if (!m || je.position <= 0) {
			json_decref(m);
			break;
		}
		if (id && json_object_get(m, "return"))
			json_object_set(all, id, json_object_get(m, "return"));
		at += je.position;
		json_decref(m);
	}
	return all;
}

/* Starts QEMU with the questions on its stdin. NULL with its own words in why. */
static json_t *ask(const char *qemu, bool boxed, const struct child_user *user, char *why,
		   size_t size)
{
	const char *argv[16] = {qemu, "-no-user-config", "-nodefaults", "-M",	"none",
				"-S", "-display",	 "none",	"-qmp", "stdio",
				NULL};
	int in[2], out = memfd_create("answers", MFD_CLOEXEC),
		   err = memfd_create("words", MFD_CLOEXEC);
	struct child_opts o = {.argv = argv, .out = out, .err = err, .user = user};
	struct child c;
	struct err e = {0};
	json_t *all = NULL;
	char *text, *words;
	int status = 0, rc;

	if (boxed) {
		argv[10] = "-sandbox";
		argv[11] = sandbox;
	}
	if (out < 0 || err < 0 || pipe2(in, O_CLOEXEC) < 0) {
		snprintf(why, size, "no file descriptors for it");
		return NULL;
	}
	o.in = in[0];
	rc = child_start(&c, &o, &e);
	if (rc == 0) {
		if (write(in[1], questions, strlen(questions)) < 0)
			rc = -errno;
		if (child_wait(&c, ASK_TIMEOUT_MS, &status) < 0)
			child_end(&c, 0, &status);
		text = fd_text(out);
		all = answers(text);
		free(text);
		words = fd_text(err);
		if (!json_object_get(all, "version")) {
			char ended[64];

			words[strcspn(words, "\n")] = '\0';
			snprintf(why, size, "%s (%s)", *words ? words : "no answer",
				 child_status_text(status, ended, sizeof(ended)));
			json_decref(all);
			all = NULL;
		}
		free(words);
	} else {
		snprintf(why, size, "%.250s", e.text);
	}
	close(in[0]);
	close(in[1]);
	close(out);
	close(err);
	return all;
}

static void check_version(struct host_checks *c, const char *path, const json_t *all)
{
	const json_t *v = json_object_get(all, "version"), *q = json_object_get(v, "qemu");
	int major = (int)json_integer_value(json_object_get(q, "major"));
	int minor = (int)json_integer_value(json_object_get(q, "minor"));
	int micro = (int)json_integer_value(json_object_get(q, "micro"));
	const char *package = json_string_value(json_object_get(v, "package"));
	bool good = major > 6 || (major == 6 && minor >= 2);

	host_checks_add(c, good ? CHECK_PASS : CHECK_FAIL, "QEMU",
			good ? "" : "install QEMU 6.2 or later (its JSON -device syntax is needed)",
			"%d.%d.%d%s%s (%s)", major, minor, micro, package && *package ? ", " : "",
			package ? package : "", path);
}

static bool has_property(const json_t *all, const char *device, const char *property)
{
	const json_t *list = json_object_get(all, device), *p;
	size_t i;

	json_array_foreach(list, i, p)
	{
		const char *name = json_string_value(json_object_get(p, "name"));

		if (name && strcmp(name, property) == 0)
			return true;
	}
	return false;
}

static void check_devices(struct host_checks *c, const json_t *all)
{
	static const struct {
		const char *device, *property;
	} wanted[] = {
		{"virtio-blk-pci", "packed"},
		{"virtio-blk-pci", "num-queues"},
		{"virtio-blk-pci", "queue-size"},
		{"virtio-blk-pci", "iothread"},
		{"virtio-scsi-pci", "packed"},
		{"virtio-scsi-pci", "iothread"},
		{"nvme", "serial"},
	};
	char missing[200] = "";

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		size_t n = strlen(missing);

		if (!has_property(all, wanted[i].device, wanted[i].property))
			snprintf(missing + n, sizeof(missing) - n, "%s%s.%s", n ? ", " : "",
				 wanted[i].device, wanted[i].property);
	}
	if (*missing)
		host_checks_add(c, CHECK_WARN, "QEMU devices",
				"use a fuller build of QEMU, or leave them out",
				"not in this QEMU: %s", missing);
	else
		host_checks_add(c, CHECK_PASS, "QEMU devices", "",
				"virtio-blk and virtio-scsi (packed, queues, iothread), nvme");
}

static bool enum_has(const json_t *values, const char *word)
{
	const json_t *v;
	size_t i;

	json_array_foreach(values, i, v) if (json_is_string(v) &&
					     strcmp(json_string_value(v), word) == 0) return true;
	return false;
}

/* The schema hides the names of types, not their values: aio's is the enumeration of threads and
 * native. */
static void check_schema(struct host_checks *c, const json_t *all)
{
	const json_t *schema = json_object_get(all, "schema"), *t;
	bool uring = false, ring = false;
	size_t i;

	json_array_foreach(schema, i, t)
	{
		const json_t *values = json_object_get(t, "values");
		const char *name = json_string_value(json_object_get(t, "name"));

		if (enum_has(values, "threads") && enum_has(values, "native"))
			uring |= enum_has(values, "io_uring");
		ring |= name && strcmp(name, "x-query-virtio-queue-status") == 0;
	}
	if (uring)
		host_checks_add(c, CHECK_PASS, "QEMU io_uring", "", "aio = io_uring is built in");
	else
		host_checks_add(c, CHECK_WARN, "QEMU io_uring", "disk.aio = native or threads",
				"this QEMU was built without io_uring");
	if (ring)
		host_checks_add(c, CHECK_PASS, "QEMU ring read-back", "",
				"ring sizes can be read back");
	else
		host_checks_add(
			c, CHECK_WARN, "QEMU ring read-back", "QEMU 7.2 or later; or strict = off",
			"this QEMU has no x-query-virtio-queue-status: ring sizes stay \"unknown\"");
}

void host_check_qemu(struct host_checks *c, const char *qemu, const struct child_user *user)
{
	const char *name = qemu ? qemu : host_qemu_name();
	char *path = host_program_find(name), why[300] = "";
	bool boxed = true;
	json_t *all;

	if (!path) {
		host_checks_add(
			c, CHECK_FAIL, "QEMU",
			"install qemu-system-x86 (Debian) or qemu-kvm (Fedora), or name it: --qemu",
			"%s not found", name);
		return;
	}
	all = ask(path, true, user, why, sizeof(why));
	/* Without -sandbox only where that is what it stumbled over: one that hangs would hang
	 * again. */
	if (!all && (strcasestr(why, "sandbox") || strcasestr(why, "seccomp"))) {
		char again[300];

		boxed = false;
		all = ask(path, false, user, again, sizeof(again));
	}
	if (!all) {
		host_checks_add(c, CHECK_FAIL, "QEMU",
				"run it by hand, or name another one: --qemu",
				"%s does not start: %s", path, why);
	} else {
		check_version(c, path, all);
		if (boxed)
			host_checks_add(c, CHECK_PASS, "QEMU sandbox", "", "-sandbox on works");
		else
			host_checks_add(c, CHECK_WARN, "QEMU sandbox",
					"use a build with libseccomp, or guest.sandbox = off",
					"not with -sandbox on: %s", why);
		check_devices(c, all);
		check_schema(c, all);
	}
	json_decref(all);
	free(path);
}
