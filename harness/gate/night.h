/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the gate room: what a night's steps share. */
#ifndef VB_GATE_NIGHT_H
#define VB_GATE_NIGHT_H

#include <jansson.h>
#include "gate/build.h"
#include "gate/gate.h"
#include "profile/profile.h"

/* What a night, an accept and a show begin with. */
struct gate_place {
	struct store *store;
	struct profile *plain; /* without arms */
	char *data;	       /* data folder */
	char host[65];
	struct store_gate *records; /* of this host and profile, oldest first */
	size_t nrecords;
};
int gate_place_open(const struct gate_opts *o, struct gate_place *out, struct err *e);
/* The records as they are now. */
int gate_place_read(struct gate_place *p, struct err *e);
void gate_place_close(struct gate_place *p);

/* The host as it is now (environ.h); new reference. */
json_t *gate_environment(void);

/* A member of a record's doc; new, NULL: none. */
char *gate_doc_text(const struct store_gate *g, const char *key);
json_t *gate_doc(const struct store_gate *g); /* new; an empty object when it is broken */

/* Was harm put in on purpose that night? */
bool gate_record_injected(const struct store_gate *g);

/*
 * The series of a profile with arms, named alike whatever the build: keys come from the profile
 * loaded once more with the default QEMU and kernel.
 */
int gate_series_make(const struct gate_opts *o, const struct profile *arms,
		     struct gate_series **out, size_t *n, struct err *e);
void gate_series_free(struct gate_series *x);

/* Loads the profile with the reference build against tonight's; blocks: of its run. */
int gate_load_arms(const struct gate_opts *o, const char *folder, unsigned blocks,
		   struct profile **out, struct err *e);

void gate_uuid(char out[37]);

/* The profile's section [gate]; blocks that are to be planned are 10 and 20 until they are. */
struct gate_rule gate_rule_of(const struct profile *p, size_t series);

#endif
