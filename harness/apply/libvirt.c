// SPDX-License-Identifier: GPL-2.0-or-later
/* libvirt's library: loaded when a domain is named, so that nothing else needs it; connected to a
 * daemon of this machine. */
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include "apply/libvirt.h"

static void silent(void *data, void *error)
{
	(void)data;
	(void)error;
}

static int lib_load(struct lib *l, struct err *e)
{
	const struct {
		const char *name;
		void *to;
	} names[] = {
		{"virConnectOpen", &l->open},
		{"virConnectClose", &l->close},
		{"virSetErrorFunc", &l->set_error_func},
		{"virGetLastErrorMessage", &l->last_error},
		{"virGetLastErrorCode", &l->last_code},
		{"virDomainLookupByName", &l->by_name},
		{"virDomainLookupByUUIDString", &l->by_uuid},
		{"virDomainFree", &l->free},
		{"virDomainIsActive", &l->active},
		{"virDomainGetID", &l->number},
		{"virDomainGetUUIDString", &l->uuid},
		{"virDomainGetName", &l->name},
		{"virDomainGetVcpusFlags", &l->vcpus},
		{"virDomainPinVcpuFlags", &l->pin_vcpu},
		{"virDomainGetVcpuPinInfo", &l->vcpu_pins},
		{"virDomainPinEmulator", &l->pin_emulator},
		{"virDomainGetEmulatorPinInfo", &l->emulator_pin},
		{"virDomainPinIOThread", &l->pin_iothread},
		{"virDomainGetIOThreadInfo", &l->iothreads},
		{"virDomainIOThreadInfoFree", &l->iothread_free},
		{"virDomainGetNumaParameters", &l->numa},
		{"virDomainSetNumaParameters", &l->set_numa},
	};

	l->handle = dlopen("libvirt.so.0", RTLD_NOW | RTLD_LOCAL);
	if (!l->handle)
		return err_input(e, "libvirt's library is not installed (Debian: libvirt0)");
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		void *sym = dlsym(l->handle, names[i].name);

		if (!sym)
			return err_input(e, "this libvirt is too old: it has no %s", names[i].name);
		memcpy(names[i].to, &sym, sizeof(sym));
	}
	l->set_error_func(NULL, silent); /* its words go into our sentences */
	return 0;
}

bool libvirt_uri_sane(const char *uri)
{
	static const char *const local[] = {"qemu:///system", "qemu:///session", "test:///default"};
	static const char *const sockets[] = {"qemu+unix:///system?socket=/",
					      "qemu+unix:///session?socket=/"};

	for (size_t i = 0; i < sizeof(local) / sizeof(*local); i++)
		if (!strcmp(uri, local[i]))
			return true;
	for (size_t i = 0; i < sizeof(sockets) / sizeof(*sockets); i++)
		if (!strncmp(uri, sockets[i], strlen(sockets[i])) && strlen(uri) < 256 &&
		    !strpbrk(uri + strlen(sockets[i]), "&?#;%\\ "))
			return true;
	return false;
}

/* Refused by libvirt; by what, is in its own words. */
int dom_refused(const struct dom *d, const char *what, struct err *e)
{
	const char *why = d->l.last_error();

	return err_set(e, -EIO, "%s: libvirt refuses: %s", what,
		       why && *why ? why : "it does not say why");
}

void dom_close(struct dom *d)
{
	if (d->dom)
		d->l.free(d->dom);
	if (d->conn)
		d->l.close(d->conn);
	/* the library stays: it has threads of its own */
	d->dom = d->conn = NULL;
}

int dom_connect(struct dom *d, const char *uri, struct err *e)
{
	int rc;

	memset(d, 0, sizeof(*d));
	if (!libvirt_uri_sane(uri))
		return err_input(e,
				 "%.200s: not a libvirt URI of this machine (qemu:///system, "
				 "qemu:///session, qemu+unix:///system?socket=/PATH)",
				 uri);
	rc = lib_load(&d->l, e);
	if (rc)
		return rc;
	d->conn = d->l.open(uri);
	if (d->conn)
		return 0;
	rc = dom_refused(d, uri, e);
	if (e)
		e->status = VB_BAD_INPUT;
	return rc;
}
