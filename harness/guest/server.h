/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vhost-user back end or an NBD server that runs beside a trial: our own device,
 * qemu-storage-daemon, qemu-nbd, nbdkit. */
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
 * this returns. Returns once it holds its end and has lived through its first moments; what it says
 * to its peer is between the two. -errno and a sentence with the tail of its log otherwise, and
 * then nothing runs.
 */
int server_start(struct server **out, const struct disk_server *plan, const struct child_user *user,
		 struct journal *journal, const char *folder, struct err *e);

/* The connected socket, for QEMU or fio to inherit. Ours until server_sock_given. */
int server_sock(const struct server *s);
/* The other side has it: our copy is closed, so that the server sees when its peer ends. */
void server_sock_given(struct server *s);

/* Readable when it has ended; -1 once that has been noticed. */
int server_pidfd(const struct server *s);
bool server_alive(const struct server *s);
pid_t server_pid(const struct server *s);
/*
 * 0 while it lives, and when it has ended well (exit status 0) after its socket was given away:
 * then its peer went first. Else -ECONNRESET and a sentence: how it ended, and the tail of its log.
 */
int server_check(struct server *s, struct err *e);
/* CPU time since it started, in ns, all threads. */
uint64_t server_cpu(const struct server *s);

/* What it last said of its peer and queues (new reference), NULL if it says nothing. For our
 * device:
 * {"features": "0101...", "protocol_features": ..., "queues": [...]}, see engines/vhost_blk.c. */
json_t *server_report(const struct server *s);

/* Ends it (SIGTERM, then by force) and frees s; NULL is fine. */
void server_stop(struct server *s);

/*
 * A copy of text in which {sock} is the number sock and {report} the path report (NULL: left as it
 * is). Caller frees.
 */
char *server_text(const char *text, int sock, const char *report);

/*
 * A folder within folder that user (NULL: ours) may write to, for the reports of one process, in
 * the journal (may be NULL) while it is there; ended by server_scratch_end. NULL with a sentence
 * when it cannot be made.
 */
char *server_scratch(const char *folder, const char *name, const struct child_user *user,
		     struct journal *journal, struct err *e);
/* Removes it, and frees path; NULL is fine. */
void server_scratch_end(char *path, struct journal *journal);

/* A JSON object that another user's process wrote to path; NULL: none, none that is whole, or over
 * 1 MiB. */
json_t *server_json(const char *path);

#endif
