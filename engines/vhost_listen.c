// SPDX-License-Identifier: GPL-2.0-or-later
// A listening UNIX socket: dead ones are replaced, living ones and other files are not.

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "engines/vhost_listen.h"

static int make_way(const struct sockaddr_un *addr, struct err *e)
{
	const char *path = addr->sun_path;
	struct stat st;
	int probe, rc;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : err_input(e, "%s: %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return err_input(e, "%s exists and is no socket; name another path", path);
	if (st.st_uid != geteuid())
		return err_input(e, "%s is a socket of another user's; name another path", path);
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0)
		return err_set(e, -errno, "socket: %s", strerror(errno));
	rc = connect(probe, (const struct sockaddr *)addr, sizeof(*addr)) ? errno : 0;
	close(probe);
	if (rc != ECONNREFUSED)
		return err_input(e, "%s is a socket on which somebody listens; name another path",
				 path);
	if (unlink(path) && errno != ENOENT)
		return err_input(e, "%s cannot be replaced: %s", path, strerror(errno));
	return 0;
}

int vhost_listen_open(struct vhost_listen *l, const char *path, struct err *e)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct stat st;
	int rc;

	*l = (struct vhost_listen){.fd = -1};
	if (!*path || strlen(path) >= sizeof(addr.sun_path))
		return err_input(e, "\"%s\": the path of a socket has 1 to %zu bytes", path,
				 sizeof(addr.sun_path) - 1);
	memcpy(addr.sun_path, path, strlen(path));
	rc = make_way(&addr, e);
	if (rc)
		return rc;
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return err_set(e, -errno, "socket: %s", strerror(errno));
	if (bind(l->fd, (struct sockaddr *)&addr, sizeof(addr))) {
		rc = err_input(e, "%s: no socket can be made there: %s", path, strerror(errno));
		vhost_listen_close(l);
		return rc;
	}
	l->path = path;
	if (lstat(path, &st) || listen(l->fd, 8)) {
		rc = err_set(e, -errno, "%s: %s", path, strerror(errno));
		vhost_listen_close(l);
		return rc;
	}
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return 0;
}

int vhost_listen_accept(const struct vhost_listen *l, int stop_fd, int *sock, struct err *e)
{
	struct pollfd p[2] = {
		{.fd = l->fd, .events = POLLIN},
		{.fd = stop_fd, .events = POLLIN},
	};

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return err_set(e, -errno, "poll: %s", strerror(errno));
		if (p[1].revents)
			return -ECANCELED;
		if (!p[0].revents)
			continue;
		*sock = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
		if (*sock >= 0)
			return 0;
		/* It may have gone before it was its turn. */
		if (errno != EINTR && errno != EAGAIN && errno != ECONNABORTED)
			return err_set(e, -errno, "accept: %s", strerror(errno));
	}
}

void vhost_listen_close(struct vhost_listen *l)
{
	struct stat st;

	if (l->path && !lstat(l->path, &st) && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
	if (l->fd >= 0)
		close(l->fd);
	*l = (struct vhost_listen){.fd = -1};
}
