/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the agent's messages mean, checked: types, ranges, lengths. Each function returns 0, or
 * -EPROTO and a sentence that names the field. Bodies stay the caller's. A body passed here may
 * still be a lie, but has the shape it should.
 */
#ifndef VB_GUEST_AGENT_DECODE_H
#define VB_GUEST_AGENT_DECODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "guest/site.h"

/* READY and the answer to HELLO: is it our version of the protocol. */
int agent_decode_version(const json_t *body, struct err *e);

/* Answer to FACTS: shape as in HACKING.md, "Evidence". */
int agent_decode_facts(const json_t *body, struct err *e);

/*
 * Answer to DISK; serial (may be NULL) is the one asked for. Afterwards "path" is /dev/ and a plain
 * name.
 */
int agent_decode_disk(const json_t *body, const char *serial, struct err *e);

/*
 * Answer to DISKS: n entries in the order of units, each null or of that serial, with a plain path
 * that no other has.
 */
int agent_decode_disks(const json_t *body, const struct disk_unit *units, size_t n, struct err *e);

int agent_decode_progress(const json_t *body, struct job_progress *out, struct err *e);

/* The CPUs and the clock in "before" or "after" of a RESULT, into cpu and mono_ns of *out alone. */
int agent_decode_counters(const json_t *counters, struct job_progress *out, struct err *e);

/* How a job ended. */
struct agent_outcome {
	int exit;   /* status, -1 if it did not exit by itself */
	int signal; /* that ended it, 0: none */
	bool cancelled, timed_out;
};

/* RESULT. Fills fio, reply (new references) and output of *out; nothing on failure. */
int agent_decode_result(json_t *body, struct job_result *out, struct err *e);
int agent_decode_outcome(const json_t *body, struct agent_outcome *out, struct err *e);

/* The sentence of an ERROR, into buf, printable whatever the guest wrote. Returns buf. */
const char *agent_decode_error(const json_t *body, char *buf, size_t size);

#endif
