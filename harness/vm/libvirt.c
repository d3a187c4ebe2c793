// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A domain of libvirt, by its library, which is loaded only now. The connection is read-only, and
 * of the API only what looks things up is called: nothing of the monitor, which would taint the
 * domain.
 */
#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "vm/internal.h"

/* From libvirt's API reference: https://libvirt.org/html/index.html */
enum {
	XML_LIVE = 0,	  /* virDomainXMLFlags: the domain as it is now */
	XML_INACTIVE = 2, /* VIR_DOMAIN_XML_INACTIVE: as it will be started next */
	NO_DOMAIN = 42,	  /* VIR_ERR_NO_DOMAIN */
	UUID_SIZE = 37,	  /* VIR_UUID_STRING_BUFLEN */
	NAMES = 12,	  /* in an error */
	CHANGES = 20,	  /* in notes */
};

struct lib {
	void *handle;
	void *(*open_read_only)(const char *uri);
	int (*close)(void *conn);
	char *(*get_uri)(void *conn);
	void *(*lookup)(void *conn, const char *name);
	int (*list)(void *conn, void ***domains, unsigned flags);
	const char *(*name)(void *domain);
	int (*uuid)(void *domain, char *buf);
	int (*is_active)(void *domain);
	char *(*xml)(void *domain, unsigned flags);
	int (*free_domain)(void *domain);
	void (*set_handler)(void *arg, void (*handler)(void *arg, void *error));
	const char *(*message)(void);
	int (*code)(void);
};

static const struct {
	const char *name;
	size_t at;
} symbols[] = {
	{"virConnectOpenReadOnly", offsetof(struct lib, open_read_only)},
	{"virConnectClose", offsetof(struct lib, close)},
	{"virConnectGetURI", offsetof(struct lib, get_uri)},
	{"virDomainLookupByName", offsetof(struct lib, lookup)},
	{"virConnectListAllDomains", offsetof(struct lib, list)},
	{"virDomainGetName", offsetof(struct lib, name)},
	{"virDomainGetUUIDString", offsetof(struct lib, uuid)},
	{"virDomainIsActive", offsetof(struct lib, is_active)},
	{"virDomainGetXMLDesc", offsetof(struct lib, xml)},
	{"virDomainFree", offsetof(struct lib, free_domain)},
	{"virSetErrorFunc", offsetof(struct lib, set_handler)},
	{"virGetLastErrorMessage", offsetof(struct lib, message)},
	{"virGetLastErrorCode", offsetof(struct lib, code)},
};

/* Without a handler of its own libvirt prints its errors to stderr. */
static void say_nothing(void *arg, void *error)
{
	(void)arg, (void)error;
}

static int load(struct lib *l, struct err *e)
{
	l->handle = dlopen("libvirt.so.0", RTLD_NOW | RTLD_LOCAL);
	if (!l->handle) {
		err_input(
			e,
			"libvirt's library (libvirt.so.0) is not here; install it (Debian: libvirt0), or "
			"give the text of `virsh dumpxml NAME` as a file");
		if (e)
			e->rc = -ENOENT;
		return -ENOENT;
	}
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		void *f = dlsym(l->handle, symbols[i].name);

		if (!f)
			return err_input(
				e, "libvirt's library is too old: it has no %s (of libvirt 4.5)",
				symbols[i].name);
		memcpy((char *)l + symbols[i].at, &f, sizeof(f));
	}
	l->set_handler(NULL, say_nothing);
	return 0;
}

/* libvirt's words, on one line. */
static char *said(const struct lib *l)
{
	const char *text = l->message();

	return vm_clean_text(text ? text : "no reason given", text ? strlen(text) : 15);
}

static int cannot_connect(const struct lib *l, const char *uri, struct err *e)
{
	char *why = said(l);
	bool permission = strstr(why, "ermission denied");
	int rc = permission ? -EPERM : -ECONNREFUSED;

	err_input(e, "libvirt%s%s cannot be reached (%.300s); %s", uri ? " at " : "",
		  uri ? uri : "", why,
		  permission ? "ask for the right to its read-only socket, or run this as root"
			     : "start libvirtd (systemctl start libvirtd), or name another: "
			       "libvirt:qemu:///system#NAME");
	if (e)
		e->rc = rc;
	free(why);
	return rc;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "a, b, c" of the domains there are; new. */
static char *domain_names(const struct lib *l, void *conn)
{
	void **domains = NULL;
	int n = l->list(conn, &domains, 0);
	char **names = n > 0 ? xcalloc((size_t)n, sizeof(*names)) : NULL, *text = xstrdup("");

	for (int i = 0; i < n; i++) {
		const char *name = l->name(domains[i]);

		names[i] = vm_clean_text(name ? name : "?", name ? strlen(name) : 1);
		l->free_domain(domains[i]);
	}
	if (n > 0)
		qsort(names, (size_t)n, sizeof(*names), by_name);
	for (int i = 0; i < n; i++) {
		if (i <= NAMES) {
			char *more = xasprintf("%s%s%.60s", text, i ? ", " : "",
					       i < NAMES ? names[i] : "...");

			free(text);
			text = more;
		}
		free(names[i]);
	}
	free(names);
	free(domains);
	return text;
}

static int no_domain(const struct lib *l, void *conn, const char *name, struct err *e)
{
	char *why = said(l), *names;
	int rc = -EIO;

	if (l->code() != NO_DOMAIN) {
		err_set(e, rc, "libvirt's domain \"%.100s\" cannot be looked up: %.300s", name,
			why);
	} else {
		rc = -ENOENT;
		names = domain_names(l, conn);
		err_input(e, "libvirt has no domain \"%.100s\"; %s%s", name,
			  *names ? "there are: " : "it has none at all", names);
		if (e)
			e->rc = rc;
		free(names);
	}
	free(why);
	return rc;
}

/* --- the process ---------------------------------------------------------------------------------
 */

/* Whether a process was started with -uuid UUID by a program named like QEMU. */
static bool is_process(int pid, const char *uuid)
{
	char path[40], *text;
	size_t len;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	if (pid <= 0 || file_read(path, 1 << 20, &text, &len))
		return false;
	if (strstr(text, "qemu") || strstr(text, "kvm")) /* argv[0] */
		for (size_t i = 0; !found && i < len; i += strlen(text + i) + 1)
			found = !strcmp(text + i, "-uuid") && i + 6 < len &&
				!strcmp(text + i + 6, uuid);
	free(text);
	return found;
}

/* By libvirt's own file, else by its UUID among all processes; 0: it cannot be told. */
static int process_of(const char *name, const char *uuid)
{
	char *path = xasprintf("/run/libvirt/qemu/%s.pid", name);
	uint64_t n = 0;
	struct dirent *d;
	int pid = 0;
	DIR *proc;

	if (!strchr(name, '/') && !file_u64(path, &n) && n < INT32_MAX && is_process((int)n, uuid))
		pid = (int)n;
	free(path);
	proc = pid ? NULL : opendir("/proc");
	while (proc && !pid && (d = readdir(proc)))
		if (isdigit((unsigned char)*d->d_name) && is_process(atoi(d->d_name), uuid))
			pid = atoi(d->d_name);
	if (proc)
		closedir(proc);
	return pid;
}

/* The host is this one: its URI names none ("qemu:///system", "qemu+unix:///system"). */
static bool is_local(const struct lib *l, void *conn)
{
	char *uri = l->get_uri(conn);
	const char *at = uri ? strstr(uri, "://") : NULL;
	bool local = at && at[3] == '/' && !strncmp(uri, "qemu", 4);

	free(uri);
	return local;
}

static void read_process(struct vm *vm, const char *uuid)
{
	struct err e = {0};
	int pid = process_of(vm->name, uuid);

	if (!pid)
		vm_note(vm, "libvirt says that it runs, but its process is not to be seen");
	else if (vm_read_proc(vm, pid, &e))
		vm_note(vm, "its process (%d): %s", pid, e.text);
}

/* --- the domain ----------------------------------------------------------------------------------
 */

/* What will be otherwise at its next start. libvirt shows a running host-model by the model that it
 * found, so that one is taken from there. */
static void hold_against_config(const struct lib *l, void *domain, struct vm *vm)
{
	char *text = l->xml(domain, XML_INACTIVE);
	struct vm *next = NULL;
	unsigned shown = 0;

	if (!text || vm_read_xml(text, strlen(text), vm->from, &next, NULL)) {
		free(text);
		return;
	}
	free(text);
	if (vm_is(next, VM_ASKED, "host-model", "cpu.model")) {
		vm_set(vm, VM_ASKED, "host-model", vm_where(next, VM_ASKED, "cpu.model"),
		       "cpu.model");
		vm_set(vm, VM_ASKED, vm_get(next, VM_ASKED, "cpu.features"),
		       vm_where(next, VM_ASKED, "cpu.features"), "cpu.features");
	}
	for (size_t i = 0; i < next->nfacts && shown < CHANGES; i++) {
		const struct vm_fact *f = &next->facts[i];
		const char *now = vm_get(vm, VM_ASKED, "%s", f->key);

		if ((now && !strcmp(now, f->value)) || !strcmp(f->key, "cpu.features") ||
		    strstr(f->key, ".backing"))
			continue;
		vm_note(vm, "at its next start: %s = %.100s (%s)", f->key, f->value, f->where);
		shown++;
	}
	vm_free(next);
}

static int read_domain(const struct lib *l, void *conn, void *domain, const char *from,
		       struct vm **out, struct err *e)
{
	char uuid[UUID_SIZE] = "", *text = l->xml(domain, XML_LIVE), *why;
	bool active = l->is_active(domain) == 1, local = is_local(l, conn);
	int rc;

	if (!text) {
		why = said(l);
		rc = err_set(e, -EIO, "%s: libvirt gives no description: %.300s", from, why);
		free(why);
		return rc;
	}
	rc = vm_read_xml(text, strlen(text), from, out, e);
	free(text);
	if (rc)
		return rc;
	if (active) {
		hold_against_config(l, domain, *out);
		if (local && !l->uuid(domain, uuid))
			read_process(*out, uuid);
	} else if (local) {
		vm_read_images(*out);
	}
	return 0;
}

int vm_read_libvirt(const char *uri, const char *name, struct vm **out, struct err *e)
{
	struct lib l = {0};
	void *conn, *domain;
	char *from;
	int rc = load(&l, e);

	*out = NULL;
	if (rc)
		return rc; /* the library stays loaded: it is not made to be unloaded */
	/* for other users libvirt's own choice would be a daemon of theirs, which that would start
	 */
	if (!uri && geteuid() && !getenv("LIBVIRT_DEFAULT_URI"))
		uri = "qemu:///system";
	conn = l.open_read_only(uri);
	if (!conn)
		return cannot_connect(&l, uri, e);
	domain = l.lookup(conn, name);
	if (!domain) {
		rc = no_domain(&l, conn, name, e);
	} else {
		from = xasprintf("libvirt:%s%s%s", uri ? uri : "", uri ? "#" : "", name);
		rc = read_domain(&l, conn, domain, from, out, e);
		free(from);
		l.free_domain(domain);
	}
	l.close(conn);
	return rc;
}
