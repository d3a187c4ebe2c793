/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP over a connected socket: one call at a time, each with a deadline; events are kept for
 * whoever asks. */
#ifndef VB_GUEST_QMP_H
#define VB_GUEST_QMP_H

#include <jansson.h>
#include <stdint.h>
#include "base/err.h"

struct qmp {
	int fd; /* -1: none */
	char *buf;
	size_t len, cap;
	unsigned long next_id;
	json_t *events; /* array of not yet taken events, bounded */
};

/* Takes over fd (non-blocking from then on). */
void qmp_init(struct qmp *q, int fd);
void qmp_free(struct qmp *q);

/* Reads the greeting and enters command mode. deadline is CLOCK_MONOTONIC in ns. */
int qmp_greet(struct qmp *q, uint64_t deadline, struct err *e);

/*
 * Runs one command. args is stolen and may be NULL; pass_fd >= 0 goes along as SCM_RIGHTS. *ret (if
 * asked for) receives "return" as a new reference. -ECONNRESET when QEMU has gone, -ETIMEDOUT at
 * the deadline, -EREMOTEIO with QEMU's own sentence when it refuses.
 */
int qmp_call(struct qmp *q, const char *cmd, json_t *args, int pass_fd, uint64_t deadline,
	     json_t **ret, struct err *e);

/* Reads what is there without waiting; only events may come. 0, -ECONNRESET, -EPROTO. */
int qmp_input(struct qmp *q, struct err *e);

/* Takes the oldest event of that name (NULL: of any); new reference or NULL. */
json_t *qmp_event(struct qmp *q, const char *name);

#endif
