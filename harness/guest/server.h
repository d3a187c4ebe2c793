/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vhost-user back end that runs beside a trial: our own device, or qemu-storage-daemon. */
#ifndef VB_GUEST_SERVER_H
#define VB_GUEST_SERVER_H

#include <jansson.h>
#include "base/child.h"
#include "base/err.h"
#include "base/journal.h"
#include "disk/disk.h"

struct server;

/*
 * Starts plan's server under user's rights (NULL: ours), its output into folder/server.log, its
 * command line into folder/server.txt. Every socket is anonymous, or gone from the file system when
 * this returns. Returns once it answers on its socket; -errno and a sentence with the tail of its
 * log otherwise, and then nothing runs.
 */
int server_start(struct server **out, const struct disk_server *plan, const struct child_user *user,
		 struct journal *journal, const char *folder, struct err *e);

/* The connected socket, for QEMU or fio to inherit. Ours until server_sock_given. */
int server_sock(const struct server *s);
/* The other side has it: our copy is closed, so that the server sees when its peer ends. */
void server_sock_given(struct server *s);

/* Readable when it has ended. */
int server_pidfd(const struct server *s);
bool server_alive(const struct server *s);
/* CPU time since it started, in ns, all threads. */
uint64_t server_cpu(const struct server *s);

/* What it last said of its peer and queues (new reference), NULL if it says nothing. For our
 * device:
 * {"features": "0101...", "protocol_features": ..., "queues": [...]}, see engines/vhost_blk.c. */
json_t *server_report(const struct server *s);

/* Ends it (SIGTERM, then by force) and frees s; NULL is fine. */
void server_stop(struct server *s);

#endif
