/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside `vbench runs` only: what its verbs share. */
#ifndef VB_CMD_RUNS_H
#define VB_CMD_RUNS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/err.h"
#include "store/store.h"

struct ask {
	char *db;
	const char *out;
	bool json;
	char **args; /* after the verb */
	int nargs;
};

/* Trials of a run or a cell. */
struct run_counts {
	unsigned ok, failed, limited; /* limited: at a limit of QEMU or the guest, no failure */
};

int runs_show(const struct ask *a);

/* Text that comes from elsewhere, on one line and without control characters. NULL prints nothing.
 */
void runs_put_line(FILE *f, const char *text);

/* Print what failed; return the exit status. */
int runs_say(const struct err *e);
int runs_usage(const char *why);

/* Prints and releases j; returns the exit status. */
int runs_put_json(json_t *j);

/* Local time to the minute, "-" for none. */
void runs_when_text(int64_t ns, char *buf, size_t size);

/* What the run's meta says about the accelerator, caller frees; NULL: nothing. */
char *runs_accel(const struct store_run *r);

/* New references: a text or null; what list and show say of a run alike. */
json_t *runs_text_json(const char *text);
json_t *runs_run_json(const struct store_run *r, const struct run_counts *n);

#endif
