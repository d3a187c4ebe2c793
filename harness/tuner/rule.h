/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Documented practice as a table: each rule a row here and a section of tuning.md, which holds all
 * of its words (title, reasons, remedies, sources). Pure: a subject goes in, findings come out.
 */
#ifndef VB_TUNER_RULE_H
#define VB_TUNER_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "base/err.h"
#include "host/snapshot.h"
#include "vm/vm.h"

enum rule_state { RULE_FOLLOWED, RULE_BROKEN, RULE_NOT_APPLICABLE, RULE_CANT_TELL, RULE_STATES };

/* How much weight "not followed" has. Exit status 1 comes from MUST and SHOULD. */
enum rule_weight {
	RULE_MUST,   /* data is at risk, or the setting does not do what it says */
	RULE_SHOULD, /* sources agree, or it costs nothing */
	RULE_MAY,    /* depends on load: try it, measure it */
};

/* What the rules look at. Everything is borrowed and only read. */
struct subject {
	const struct vm *vm;	     /* NULL: the host alone is audited */
	const struct snapshot *host; /* never NULL */
	bool here; /* the vm is (to be) on that host, so both can be held together */
	bool latency, dense,
		realtime; /* what the user says of the load: --for latency,dense,realtime */
	bool migration;	  /* the machine is to migrate live: --for migration */
	const struct vm *const *others; /* other machines of that host, as far as known */
	size_t nothers;
};

/* What a rule found, about the machine or one of its parts. Strings are its own. */
struct finding {
	enum rule_state state;
	enum vm_side side; /* requested, or in force */
	char *part;	   /* "disk vda", "vcpu 3"; NULL: the whole machine or host */
	char *found; /* "cache writeback", with the reason when the state is not applicable or can't
			tell. Never NULL */
	char *where; /* "domain/devices/disk[1]/driver/@cache", "/sys/kernel/mm/ksm/run"; NULL:
			nowhere in particular */
	char *want;  /* "cache none"; NULL unless broken */
	/* What to change, each NULL where there is no such way. */
	char *xml, *qemu, *sysfs, *guest;
};

struct findings {
	struct finding *list;
	size_t n;
};

struct rule_row {
	const char *id; /* "BLK-12": the section of tuning.md */
	enum rule_weight weight;
	/* Which key of a profile tries it, and what the rule advises ("disk.cache", "none"); NULL:
	 * no profile can. NULL good: depends, see advise. */
	const char *key, *good, *other;
	/* The value for this subject, where it depends ("number of vCPUs"), into buf; false: none.
	 * NULL: good always. */
	bool (*advise)(const struct subject *s, char *buf, size_t size);
	/* Adds at least one finding for what was asked; and one for what is in force, where the vm
	 * runs and that can differ. */
	void (*check)(const struct subject *s, struct findings *out);
};

/* The table: parts by subject matter, each ended by a NULL id. */
extern const struct rule_row rules_cpu[], rules_numa[], rules_memory[], rules_block[],
	rules_queue[], rules_image[], rules_network[], rules_migration[], rules_clock[],
	rules_guest[], rules_host[], rules_ovirt[];

/* All of them, in the order of tuning.md; NULL at the end. */
const struct rule_row *rule_at(size_t i);
const struct rule_row *rule_find(const char *id);

/*
 * Helpers for check functions. found, want and the changes are printf'd; finding_add returns the
 * new finding (valid until the next), whose xml, qemu, sysfs, guest are set by finding_change.
 */
struct finding *finding_add(struct findings *f, enum rule_state state, enum vm_side side,
			    const char *part, const char *where, const char *found, ...)
	__attribute__((format(printf, 6, 7)));
void finding_want(struct finding *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
enum change_kind { CHANGE_XML, CHANGE_QEMU, CHANGE_SYSFS, CHANGE_GUEST };
void finding_change(struct finding *f, enum change_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void findings_free(struct findings *f);

/* What tuning.md says of a rule. Borrowed from the embedded text; NULL where a section lacks the
 * field. */
struct rule_text {
	const char *id, *title;
	const char *rule, *when, *see, *qemu, *libvirt, *sysfs, *guest, *proxmox, *size, *conflict;
	const char *sources; /* "[title](https://...), ..." */
};
const struct rule_text *rule_text(const char *id);
/* All sections, in order; n of them. */
const struct rule_text *rule_texts(size_t *n);
/* The next "[title](url)" of a Sources field, behind which *sources then stands; false: no more.
 * Borrowed, not ended by NUL. */
struct rule_source {
	const char *title;
	size_t title_len;
	const char *url;
	size_t url_len;
};
bool rule_link(const char **sources, struct rule_source *out);
/* A section as `vbench help CPU-06` shows it. */
void rule_print(const struct rule_text *t, FILE *out);
/* tuning.md as it is. */
void rule_document(FILE *out);
/* "must", "should", "may"; "broken", "followed", ... as JSON has them. */
const char *rule_weight_name(enum rule_weight w);
const char *rule_state_name(enum rule_state s);

#endif
