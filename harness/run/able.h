/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the QEMUs of a run were built with, and the cells that one of them cannot do. Private to
 * run/. */
#ifndef VB_RUN_ABLE_H
#define VB_RUN_ABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include "base/err.h"

struct run;
struct qemu_info;

/* Of one binary, by its own word. Arrays of strings. */
struct qemu_able {
	json_t *devices; /* types that -device takes: "nvme" */
	json_t *drivers; /* block drivers: "qcow2", "host_device" */
	json_t *aio;	 /* of file nodes: "threads", "native", "io_uring" */
	json_t *mapping; /* devices that deal their queues out to iothreads */
	json_t *img;	 /* formats of its qemu-img */
};

/* Asks a QEMU (about 0.2 s, no guest) and its qemu-img. 0 or -errno with a sentence. */
int qemu_able_get(const struct qemu_info *info, struct qemu_able *out, struct err *e);
void qemu_able_free(struct qemu_able *a);

/*
 * Takes the cells out of r->profile that their QEMU cannot do; each is listed among the skipped,
 * with the reason. The profile that the caller has stays as it is. An error when none is left.
 */
/* able_host.c: why this host cannot do a cell with so many guests; NULL: it can. Caller frees. */
struct cell;
char *able_host(struct run *r, const struct cell *c, unsigned guests);

int able_setup(struct run *r, struct err *e);
/* A line for each cell that was taken out. */
void able_print(const struct run *r, FILE *out);
/* The same as [{"what", "reason", "folded": false}], new. */
json_t *able_json(const struct run *r);
void able_free(struct run *r);

#endif
