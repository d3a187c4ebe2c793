/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest or QEMU prints, kept in a file of bounded size, with the tail in memory for
 * messages. */
#ifndef VB_GUEST_SINK_H
#define VB_GUEST_SINK_H

#include <stddef.h>
#include "base/err.h"

#define SINK_FILE_MAX (1u << 20) /* a guest that floods its console fills no disk */
#define SINK_TAIL 2048

struct sink {
	int fd;	  /* read end, non-blocking; -1: closed */
	int file; /* -1: none */
	size_t written;
	char tail[SINK_TAIL];
	size_t tail_len;
	char line[160]; /* the one that is being written */
	size_t line_len;
	char alarm[160]; /* the first in which a kernel says that it gives up */
};

/* Takes over fd; path may be NULL. */
int sink_open(struct sink *s, int fd, const char *path, struct err *e);

/* Reads what is there without waiting. */
void sink_drain(struct sink *s);

/* The last lines, without control characters, at most max bytes; caller frees. "" if nothing came.
 */
char *sink_tail(const struct sink *s, size_t max);

/* The line that names the reason of a kernel's end, without control characters; "" if none came.
 * The trace behind it fills the tail. */
const char *sink_alarm(const struct sink *s);

void sink_close(struct sink *s);

#endif
