// SPDX-License-Identifier: GPL-2.0-or-later
/* The front end of vhost-user: one connection, and what is said over it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "engines/vhost.h"
#include "engines/vhost_front.h"

/* Protocol features that this front end knows what to do with. */
#define FRONT_PROTOCOL \
	((1ULL << VHOST_PF_MQ) | (1ULL << VHOST_PF_REPLY_ACK) | (1ULL << VHOST_PF_CONFIG))

/* Configuration spaces, the newer one first: up to write zeroes, and up to num_queues. A back end
 * may refuse to show more than it has. */
#define CONFIG_LONG offsetof(struct virtio_blk_config, max_secure_erase_sectors)
#define CONFIG_SHORT offsetof(struct virtio_blk_config, max_discard_sectors)

/* What SET_VRING_KICK, _CALL and _ERR have eight bits for. */
#define FRONT_QUEUES 256u

struct vhost_front {
	int sock, ms;
	char *path;
	pthread_mutex_t lock; /* a request and its answer belong together */
	bool lost;	      /* given up; the socket stays open, since other threads watch it */
	uint64_t offered, protocol;
	unsigned queues;
	struct vhost_front_blk blk;
};

/* --- one message and its answer --- */

/* After a message that went wrong the stream has no known place any more: nothing follows on it. */
static void front_give_up(struct vhost_front *f)
{
	shutdown(f->sock, SHUT_RDWR);
	f->lost = true;
}

static int front_blame(struct vhost_front *f, uint32_t request, int rc, struct err *e)
{
	if (rc == -ETIMEDOUT)
		return err_set(
			e, rc,
			"%s: no answer to %s within %g s: the back end hangs, or it serves "
			"somebody else (a storage daemon's export has one client at a time): "
			"end the other client, or use another socket",
			f->path, vhost_request_name(request), f->ms / 1000.0);
	if (rc == -ECONNRESET || rc == -EPIPE)
		return err_set(e, rc,
			       "%s: the back end hung up at %s: its own log says why (is it a "
			       "vhost-user-blk back end?)",
			       f->path, vhost_request_name(request));
	return err_prefix(e, "%s: %s", f->path, vhost_request_name(request));
}

/* Receives the answer to `request` into m: of that name, with size bytes and nothing else. */
static int front_answer(struct vhost_front *f, uint32_t request, uint32_t size, struct vhost_msg *m,
			struct err *e)
{
	int rc = vhost_recv(f->sock, m, f->ms, e);

	if (rc)
		return front_blame(f, request, rc, e);
	/* No answer that is awaited here carries descriptors. */
	vhost_msg_drop(m);
	if (m->h.request != request || !(m->h.flags & VHOST_FLAG_REPLY))
		return err_set(e, -EPROTO,
			       "%s: to %s came %s (%u, flags 0x%x) instead of an answer", f->path,
			       vhost_request_name(request), vhost_request_name(m->h.request),
			       m->h.request, m->h.flags);
	/* A configuration space that the back end refuses comes back empty. */
	if (m->h.size != size && !(request == VHOST_GET_CONFIG && !m->h.size))
		return err_set(e, -EPROTO, "%s: the answer to %s has %u bytes instead of %u",
			       f->path, vhost_request_name(request), m->h.size, size);
	return 0;
}

/*
 * Sends m (request, size, payload and descriptors are filled in). With answer, the message of that
 * many bytes that comes back is in m; else waits for the acknowledgement, where REPLY_ACK was
 * negotiated. A failure other than a refusal ends the connection.
 */
static int front_talk(struct vhost_front *f, struct vhost_msg *m, bool answer, uint32_t size,
		      struct err *e)
{
	uint32_t request = m->h.request;
	bool ack = !answer && f->protocol & (1ULL << VHOST_PF_REPLY_ACK);
	int rc;

	pthread_mutex_lock(&f->lock);
	if (f->lost) {
		rc = err_set(e, -ENOTCONN, "%s: %s: the connection was given up", f->path,
			     vhost_request_name(request));
		goto out;
	}
	m->h.flags = VHOST_VERSION | (ack ? VHOST_FLAG_NEED_REPLY : 0);
	rc = vhost_send(f->sock, m, f->ms, e);
	if (rc) {
		rc = front_blame(f, request, rc, e);
		front_give_up(f);
		goto out;
	}
	if (answer || ack) {
		rc = front_answer(f, request, ack ? sizeof(m->u64) : size, m, e);
		if (rc)
			front_give_up(f);
		else if (ack && m->u64)
			rc = err_set(e, -EREMOTEIO, "%s: the back end refuses %s (%" PRIu64 ")",
				     f->path, vhost_request_name(request), m->u64);
	}
out:
	pthread_mutex_unlock(&f->lock);
	return rc;
}

static int front_get_u64(struct vhost_front *f, uint32_t request, uint64_t *out, struct err *e)
{
	struct vhost_msg m = {.h.request = request};
	int rc = front_talk(f, &m, true, sizeof(m.u64), e);

	*out = rc ? 0 : m.u64;
	return rc;
}

static int front_set_u64(struct vhost_front *f, uint32_t request, uint64_t value, struct err *e)
{
	struct vhost_msg m = {.h = {.request = request, .size = sizeof(m.u64)}, .u64 = value};

	return front_talk(f, &m, false, 0, e);
}

static int front_set_state(struct vhost_front *f, uint32_t request, unsigned index, uint32_t num,
			   struct err *e)
{
	struct vhost_msg m = {
		.h = {.request = request, .size = sizeof(m.state)},
		.state = {.index = index, .num = num},
	};

	return front_talk(f, &m, false, 0, e);
}

static int front_set_fd(struct vhost_front *f, uint32_t request, unsigned index, int fd,
			struct err *e)
{
	struct vhost_msg m = {
		.h = {.request = request, .size = sizeof(m.u64)},
		.u64 = index,
		.fds = {fd},
		.nfds = 1,
	};

	return front_talk(f, &m, false, 0, e);
}

/* --- opening --- */

static int front_inherit(struct vhost_front *f, const char *number, struct err *e)
{
	int type = 0, fd;
	socklen_t len = sizeof(type);
	char *end;
	long n;

	errno = 0;
	n = strtol(number, &end, 10);
	if (errno || end == number || *end || n < 0 || n > INT32_MAX)
		return err_input(e, "path=%s: after fd: comes the number of an open socket",
				 f->path);
	fd = (int)n;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) || type != SOCK_STREAM)
		return err_input(
			e,
			"path=%s: descriptor %d is no open stream socket: have it inherited "
			"(without close-on-exec) from the process that starts this one",
			f->path, fd);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC))
		return err_set(e, -errno, "path=%s: %s", f->path, strerror(errno));
	f->sock = fd;
	return 0;
}

static int front_connect(struct vhost_front *f, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd, flags;

	if (!strncmp(f->path, "fd:", 3))
		return front_inherit(f, f->path + 3, e);
	if (strlen(f->path) >= sizeof(a.sun_path))
		return err_input(e, "path=%s: a socket's path has at most %zu bytes", f->path,
				 sizeof(a.sun_path) - 1);
	memcpy(a.sun_path, f->path, strlen(f->path) + 1);
	/* Non-blocking: with its backlog full, a listener that never accepts would hold us for
	 * ever. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(e, -errno, "socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		int rc = -errno;

		close(fd);
		if (rc == -EAGAIN)
			return err_set(
				e, -EBUSY,
				"%s: others are waiting for this back end already: a storage "
				"daemon's export serves one client at a time",
				f->path);
		return err_set(e, rc, "%s: %s: is a vhost-user-blk back end listening there?",
			       f->path, strerror(-rc));
	}
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK)) {
		int rc = -errno;

		close(fd);
		return err_set(e, rc, "%s: fcntl: %s", f->path, strerror(-rc));
	}
	f->sock = fd;
	return 0;
}

static bool has(uint64_t bits, unsigned bit)
{
	return bits >> bit & 1;
}

static int front_features(struct vhost_front *f, struct err *e)
{
	uint64_t offered, n;
	int rc;

	rc = front_get_u64(f, VHOST_GET_FEATURES, &f->offered, e);
	if (rc)
		return rc;
	if (!has(f->offered, VIRTIO_F_VERSION_1))
		return err_set(
			e, -ENOTSUP,
			"%s: the back end is a legacy one (no VIRTIO_F_VERSION_1): use one of "
			"virtio 1.0 or later",
			f->path);
	if (!has(f->offered, VHOST_F_PROTOCOL_FEATURES)) {
		offered = 0;
	} else {
		rc = front_get_u64(f, VHOST_GET_PROTOCOL_FEATURES, &offered, e);
		if (rc)
			return rc;
	}
	if (!has(offered, VHOST_PF_CONFIG))
		return err_set(
			e, -ENOTSUP,
			"%s: the back end has no configuration space (protocol feature CONFIG), "
			"so that the disk's size is not known: is it a vhost-user-blk one?",
			f->path);
	rc = front_set_u64(f, VHOST_SET_PROTOCOL_FEATURES, offered & FRONT_PROTOCOL, e);
	if (rc)
		return rc;
	/* From here on acknowledgements are asked for. */
	f->protocol = offered & FRONT_PROTOCOL;
	f->queues = 1;
	if (has(f->protocol, VHOST_PF_MQ)) {
		rc = front_get_u64(f, VHOST_GET_QUEUE_NUM, &n, e);
		if (rc)
			return rc;
		if (!n)
			return err_set(e, -EPROTO, "%s: the back end says that it has 0 queues",
				       f->path);
		f->queues = n > FRONT_QUEUES ? FRONT_QUEUES : (unsigned)n;
	}
	return 0;
}

static int front_config(struct vhost_front *f, struct err *e)
{
	static const uint32_t sizes[] = {CONFIG_LONG, CONFIG_SHORT};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint32_t size = (uint32_t)offsetof(struct vhost_config, data) + sizes[i];
		struct vhost_msg m = {.h = {.request = VHOST_GET_CONFIG, .size = size}};
		int rc;

		m.config.size = sizes[i];
		rc = front_talk(f, &m, true, size, e);
		if (rc)
			return rc;
		if (!m.h.size)
			continue;
		if (m.config.offset || m.config.size != sizes[i])
			return err_set(e, -EPROTO,
				       "%s: GET_CONFIG: asked for %u bytes from 0, got %u from %u",
				       f->path, sizes[i], m.config.size, m.config.offset);
		if (vhost_front_parse(m.config.data, sizes[i], f->offered, &f->blk, e))
			return err_prefix(e, "%s", f->path);
		if (f->blk.num_queues < f->queues)
			f->queues = f->blk.num_queues;
		return 0;
	}
	return err_set(e, -EPROTO, "%s: the back end refuses to show its configuration space",
		       f->path);
}

int vhost_front_open(struct vhost_front **out, const char *path, int ms, struct err *e)
{
	struct vhost_front *f = xcalloc(1, sizeof(*f));
	int rc;

	f->path = xstrdup(path);
	f->ms = ms > 0 ? ms : VHOST_FRONT_MS;
	f->sock = -1;
	pthread_mutex_init(&f->lock, NULL);
	rc = front_connect(f, e);
	if (!rc)
		rc = front_features(f, e);
	if (!rc) {
		struct vhost_msg owner = {.h.request = VHOST_SET_OWNER};

		rc = front_talk(f, &owner, false, 0, e);
	}
	if (!rc)
		rc = front_config(f, e);
	if (rc) {
		vhost_front_close(f);
		f = NULL;
	}
	*out = f;
	return rc;
}

void vhost_front_close(struct vhost_front *f)
{
	if (!f)
		return;
	if (f->sock >= 0)
		close(f->sock);
	pthread_mutex_destroy(&f->lock);
	free(f->path);
	free(f);
}

void vhost_front_lose(struct vhost_front *f)
{
	pthread_mutex_lock(&f->lock);
	front_give_up(f);
	pthread_mutex_unlock(&f->lock);
}

uint64_t vhost_front_offered(const struct vhost_front *f)
{
	return f->offered;
}

const struct vhost_front_blk *vhost_front_blk(const struct vhost_front *f)
{
	return &f->blk;
}

unsigned vhost_front_queues(const struct vhost_front *f)
{
	return f->queues;
}

int vhost_front_fd(const struct vhost_front *f)
{
	return f->sock;
}

/* --- negotiation and memory --- */

int vhost_front_negotiate(struct vhost_front *f, uint64_t features, struct err *e)
{
	if (features & ~f->offered)
		return err_set(e, -EINVAL, "%s: feature bits 0x%" PRIx64 " are not offered",
			       f->path, features & ~f->offered);
	features |= f->offered & (1ULL << VHOST_F_PROTOCOL_FEATURES);
	return front_set_u64(f, VHOST_SET_FEATURES, features, e);
}

int vhost_front_share(struct vhost_front *f, int fd, uint64_t size, const void *user,
		      uint64_t guest, struct err *e)
{
	struct vhost_msg m = {
		.h = {.request = VHOST_SET_MEM_TABLE,
		      .size = offsetof(struct vhost_memory, region) + sizeof(struct vhost_region)},
		.fds = {fd},
		.nfds = 1,
	};

	m.memory.n = 1;
	m.memory.region[0] = (struct vhost_region){
		.guest = guest,
		.size = size,
		.user = (uintptr_t)user,
	};
	return front_talk(f, &m, false, 0, e);
}

/* --- queues --- */

int vhost_front_fds_make(struct vhost_front_fds *fds, struct err *e)
{
	int *each[] = {&fds->kick, &fds->call, &fds->err};

	*fds = (struct vhost_front_fds){-1, -1, -1};
	for (int i = 0; i < 3; i++) {
		*each[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (*each[i] < 0) {
			int rc = err_set(e, -errno, "eventfd: %s", strerror(errno));

			vhost_front_fds_close(fds);
			return rc;
		}
	}
	return 0;
}

void vhost_front_fds_close(struct vhost_front_fds *fds)
{
	int *each[] = {&fds->kick, &fds->call, &fds->err};

	for (int i = 0; i < 3; i++) {
		if (*each[i] >= 0)
			close(*each[i]);
		*each[i] = -1;
	}
}

static int front_set_addr(struct vhost_front *f, unsigned index, const struct ring_areas *a,
			  struct err *e)
{
	struct vhost_msg m = {
		.h = {.request = VHOST_SET_VRING_ADDR, .size = sizeof(m.addr)},
		.addr = {.index = index,
			 .desc = (uintptr_t)a->desc,
			 .avail = (uintptr_t)a->driver,
			 .used = (uintptr_t)a->device},
	};

	return front_talk(f, &m, false, 0, e);
}

/* The ring is whole before its kick arrives: that is what starts it. */
static int front_set_up(struct vhost_front *f, unsigned index, const struct ring_opts *o,
			const struct ring_areas *a, const struct vhost_front_fds *fds,
			struct err *e)
{
	/* Packed: both counters at 0 with their wrap counters at 1 (2.8.1), as 15 + 1 bits each. */
	uint32_t base = o->packed ? 0x80008000u : 0;
	int rc;

	rc = front_set_state(f, VHOST_SET_VRING_NUM, index, o->size, e);
	if (!rc)
		rc = front_set_state(f, VHOST_SET_VRING_BASE, index, base, e);
	if (!rc)
		rc = front_set_addr(f, index, a, e);
	if (!rc)
		rc = front_set_fd(f, VHOST_SET_VRING_ERR, index, fds->err, e);
	if (!rc)
		rc = front_set_fd(f, VHOST_SET_VRING_CALL, index, fds->call, e);
	if (!rc)
		rc = front_set_fd(f, VHOST_SET_VRING_KICK, index, fds->kick, e);
	if (!rc && has(f->offered, VHOST_F_PROTOCOL_FEATURES))
		rc = front_set_state(f, VHOST_SET_VRING_ENABLE, index, 1, e);
	return rc;
}

int vhost_front_start(struct vhost_front *f, unsigned index, const struct ring_opts *o,
		      const struct ring_areas *areas, struct vhost_front_fds *fds, struct err *e)
{
	int rc;

	if (index >= f->queues)
		return err_set(e, -EINVAL, "%s: queue %u of a device that has %u", f->path, index,
			       f->queues);
	rc = vhost_front_fds_make(fds, e);
	if (rc)
		return rc;
	rc = front_set_up(f, index, o, areas, fds, e);
	if (rc)
		vhost_front_fds_close(fds);
	return rc;
}

int vhost_front_stop(struct vhost_front *f, unsigned index, uint32_t *base, struct err *e)
{
	struct vhost_msg m = {
		.h = {.request = VHOST_GET_VRING_BASE, .size = sizeof(m.state)},
		.state.index = index,
	};
	int rc = front_talk(f, &m, true, sizeof(m.state), e);

	if (rc)
		return rc;
	if (m.state.index != index)
		return err_set(e, -EPROTO, "%s: asked queue %u to stop, queue %u answered", f->path,
			       index, m.state.index);
	if (base)
		*base = m.state.num;
	return 0;
}
