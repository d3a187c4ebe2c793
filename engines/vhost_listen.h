/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A listening UNIX socket under a path that is ours alone. */
#ifndef VB_ENGINES_VHOST_LISTEN_H
#define VB_ENGINES_VHOST_LISTEN_H

#include <sys/types.h>
#include "base/err.h"

struct vhost_listen {
	int fd;		  /* -1: none */
	const char *path; /* borrowed; NULL: there is none to be removed */
	dev_t dev;
	ino_t ino;
};

/*
 * Binds and listens. A path that exists is only replaced if it is a socket of this user's to which
 * nobody listens any more; else -EINVAL with a sentence.
 */
int vhost_listen_open(struct vhost_listen *l, const char *path, struct err *e);

/* The next client, close-on-exec; -ECANCELED once stop_fd is readable. */
int vhost_listen_accept(const struct vhost_listen *l, int stop_fd, int *sock, struct err *e);

/* Closes it, and removes the path if it still is the socket that was bound. */
void vhost_listen_close(struct vhost_listen *l);

#endif
