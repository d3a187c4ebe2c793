/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libvirt's library, as far as changes to running domains need it. Names, numbers and layouts are
 * those of its public interface, which it keeps compatible (libvirt-host.h, libvirt-domain.h,
 * libvirt-common.h).
 */
#ifndef VB_APPLY_LIBVIRT_H
#define VB_APPLY_LIBVIRT_H

#include "apply/internal.h"

enum {
	LIVE = 1,	 /* VIR_DOMAIN_AFFECT_LIVE */
	STRINGS = 4,	 /* VIR_TYPED_PARAM_STRING_OKAY */
	TYPE_STRING = 7, /* VIR_TYPED_PARAM_STRING */
	MAP_BYTES = IDS_MAX / 8,
	PARAMS_MAX = 16,
	IOTHREADS_MAX = 1024,
	UUID_TEXT = 37, /* VIR_UUID_STRING_BUFLEN */
};

/* virTypedParameter */
struct param {
	char field[80];
	int type;
	union {
		int i;
		double d; /* gives size and alignment */
		char *s;
	} value;
};

/* virDomainIOThreadInfo */
struct iothread_info {
	unsigned id;
	unsigned char *map;
	int len;
};

struct lib {
	void *handle;
	void *(*open)(const char *uri);
	int (*close)(void *conn);
	void (*set_error_func)(void *data, void (*handler)(void *data, void *error));
	const char *(*last_error)(void);
	int (*last_code)(void);
	void *(*by_name)(void *conn, const char *name);
	void *(*by_uuid)(void *conn, const char *uuid);
	int (*free)(void *dom);
	int (*active)(void *dom);
	unsigned (*number)(void *dom);
	int (*uuid)(void *dom, char *buf);
	const char *(*name)(void *dom);
	int (*vcpus)(void *dom, unsigned flags);
	int (*pin_vcpu)(void *dom, unsigned vcpu, unsigned char *map, int len, unsigned flags);
	int (*vcpu_pins)(void *dom, int n, unsigned char *maps, int len, unsigned flags);
	int (*pin_emulator)(void *dom, unsigned char *map, int len, unsigned flags);
	int (*emulator_pin)(void *dom, unsigned char *map, int len, unsigned flags);
	int (*pin_iothread)(void *dom, unsigned id, unsigned char *map, int len, unsigned flags);
	int (*iothreads)(void *dom, struct iothread_info ***list, unsigned flags);
	void (*iothread_free)(struct iothread_info *one);
	int (*numa)(void *dom, struct param *list, int *n, unsigned flags);
	int (*set_numa)(void *dom, struct param *list, int n, unsigned flags);
};

/* A domain that is open. */
struct dom {
	struct lib l;
	void *conn, *dom;
};

/* Loads the library and connects. uri: of this machine only; see libvirt_uri_sane. Ends with
 * dom_close, which can be called after a failure too. */
int dom_connect(struct dom *d, const char *uri, struct err *e);
void dom_close(struct dom *d);
/* -EIO, with what libvirt said last. */
int dom_refused(const struct dom *d, const char *what, struct err *e);
/*
 * Records name a URI, and some of libvirt's run programs (ext, ssh, command=): only a local
 * daemon's socket, and the driver for tests, which changes nothing.
 */
bool libvirt_uri_sane(const char *uri);

#endif
