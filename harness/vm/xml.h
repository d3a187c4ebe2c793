/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the XML reader share: elements with their places, and values as facts. */
#ifndef VB_VM_XML_H
#define VB_VM_XML_H

#include <libxml/tree.h>
#include "vm/vm.h"

/* More of them than a host can have; what comes beyond is left aside, with a note. Facts are looked
 * up one by one, so this also bounds the time that a hostile file takes. */
enum {
	XML_CPUS = 1024,
	XML_IOTHREADS = 256,
	XML_DISKS = 512,
	XML_CONTROLLERS = 256,
	XML_NETS = 256,
	XML_CELLS = 128,
	XML_NOTES = 64,
};

enum { XML_PATH = 160 };

struct xml;

/* An element and where it is: "domain/devices/disk[2]". node NULL: there is none. */
struct el {
	struct xml *x;
	xmlNode *node;
	unsigned at;	     /* el_each: counts from 1 */
	char path[XML_PATH]; /* of an element that is not there, the path that it would have */
};

struct xml {
	struct vm *vm;
	xmlChar **strings; /* attributes and texts handed out; freed at the end */
	size_t nstrings;
	unsigned controllers[XML_CONTROLLERS]; /* libvirt's index of virtio-scsi controller.# */
	unsigned ncontrollers;
	unsigned others[XML_CONTROLLERS]; /* indices of SCSI controllers that are not virtio */
	unsigned nothers;
	unsigned nnotes;
	struct el stuck;  /* what keeps the machine from migrating */
	struct el invtsc; /* asks for an invariant TSC */
	bool tsc_rate;
};

/* The first child of that name. */
struct el el_child(const struct el *parent, const char *name);
/* The same down a path, "a/b/c". */
struct el el_down(const struct el *parent, const char *names);
/* Steps through the children of a name; *it starts as {0}. Paths have [N] behind them. */
bool el_each(const struct el *parent, const char *name, struct el *it);
/* NULL: no such attribute, or no such element. Borrowed from the reader. */
const char *el_attr(const struct el *e, const char *name);
/* The same, "default" being as good as nothing. */
const char *el_said(const struct el *e, const char *name);
/* The text within, without blanks around it; NULL: no such element, or no text. */
const char *el_text(const struct el *e);
bool el_is(const struct el *e, const char *attr, const char *value);
/* A decimal number in an attribute (NULL: in its text); false: none. */
bool el_number(const struct el *e, const char *attr, uint64_t *out);

/*
 * Facts of the asked side with their places. attr NULL: the element's text (or the element) is the
 * place. A value NULL sets nothing. on: "yes" and "on" are on, "no" and "off" off, other words
 * nothing. cpus: libvirt's list, in which ^ takes CPUs out.
 */
#define FACT_FORMAT __attribute__((format(printf, 4, 5)))
void el_fact(const struct el *e, const char *attr, const char *value, const char *key,
	     ...) FACT_FORMAT;
void el_fact_number(const struct el *e, const char *attr, uint64_t value, const char *key,
		    ...) FACT_FORMAT;
void el_fact_flag(const struct el *e, const char *attr, bool value, const char *key,
		  ...) FACT_FORMAT;
void el_fact_cpus(const struct el *e, const char *attr, const char *value, const char *key,
		  ...) FACT_FORMAT;
/* The attribute itself as the value. */
void el_take(const struct el *e, const char *attr, const char *key, ...)
	__attribute__((format(printf, 3, 4)));
void el_take_number(const struct el *e, const char *attr, const char *key, ...)
	__attribute__((format(printf, 3, 4)));
void el_take_on(const struct el *e, const char *attr, const char *key, ...)
	__attribute__((format(printf, 3, 4)));
void el_take_cpus(const struct el *e, const char *attr, const char *key, ...)
	__attribute__((format(printf, 3, 4)));
/* An amount of memory in its unit (libvirt: KiB unless it says otherwise), attribute or text. */
void el_take_bytes(const struct el *e, const char *attr, const char *key, ...)
	__attribute__((format(printf, 3, 4)));
bool el_bytes(const struct el *e, const char *attr, const char *unit_attr, const char *unit,
	      uint64_t *out);
/* A note with the place in front; not more than XML_NOTES of them. */
void el_note(const struct el *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* CPUs of libvirt's list as a canonical one (new), or NULL. */
char *xml_cpus(const char *text);
/* Notes that this keeps the machine from migrating. */
void xml_stuck(const struct el *e);
/* # of the iothread of that id; -1: none. */
int xml_iothread(const struct vm *vm, const char *id);

/* The parts of a domain. */
void xml_read_cpu(const struct el *domain);	/* xml_cpu.c */
void xml_read_tune(const struct el *domain);	/* xml_tune.c */
void xml_read_memory(const struct el *domain);	/* xml_memory.c */
void xml_read_disks(const struct el *domain);	/* xml_disk.c */
void xml_read_devices(const struct el *domain); /* xml_device.c */

#endif
