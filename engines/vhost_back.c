// SPDX-License-Identifier: GPL-2.0-or-later
// What each vhost-user message does to a back end's session, after it was checked.

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engines/event.h"
#include "engines/vhost_back_internal.h"

#define PROTOCOL_FEATURES                                                    \
	(BIT(VHOST_PF_MQ) | BIT(VHOST_PF_REPLY_ACK) | BIT(VHOST_PF_CONFIG) | \
	 BIT(VHOST_PF_CONFIGURE_MEM_SLOTS))

/* --- what the peer sent -------------------------------------------------------------------- */

static int wrong(const struct vhost_msg *m, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int wrong(const struct vhost_msg *m, struct err *e, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(e, -EPROTO, "%s: %s", vhost_request_name(m->h.request), text);
}

/* NULL, with a sentence, when the device has no such queue. */
static struct back_ring *queue_of(struct back *b, const struct vhost_msg *m, uint32_t index,
				  struct err *e)
{
	if (index < b->nqueues)
		return &b->queue[index];
	wrong(m, e, "queue %u; the device has %u", index, b->nqueues);
	return NULL;
}

/* Takes the first descriptor out of the message. */
static int take_fd(struct vhost_msg *m)
{
	int fd = m->fds[0];

	m->fds[0] = -1;
	return fd;
}

static void fd_set_to(int *slot, int fd)
{
	if (*slot >= 0)
		close(*slot);
	*slot = fd;
}

/*
 * Kick, call and error descriptors are eventfds on Linux. Anything else (a pipe that is full, a
 * file on a dead server) could block the thread that writes to it. /proc may not be there: then the
 * flag below has to do.
 */
static bool fd_is_event(int fd)
{
	static const char kind[] = "anon_inode:[eventfd]";
	char path[40], target[sizeof(kind) + 1];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target));
	return n < 0 || ((size_t)n == sizeof(kind) - 1 && !memcmp(target, kind, sizeof(kind) - 1));
}

/* KICK, CALL and ERR: which queue, and its new descriptor or -1 for none. */
static int vring_fd(struct back *b, struct vhost_msg *m, unsigned *index, int *fd, struct err *e)
{
	int flags;

	if (m->u64 & ~(uint64_t)(VHOST_NOFD | 0xff))
		return wrong(m, e, "unknown flags in 0x%llx", (unsigned long long)m->u64);
	*index = m->u64 & 0xff;
	if (!queue_of(b, m, *index, e))
		return -EPROTO;
	if (m->nfds != (m->u64 & VHOST_NOFD ? 0 : 1))
		return wrong(m, e, "%u descriptors came with it for 0x%llx", m->nfds,
			     (unsigned long long)m->u64);
	*fd = -1;
	if (!m->nfds)
		return 0;
	if (!fd_is_event(m->fds[0]))
		return wrong(m, e, "its descriptor is no eventfd");
	flags = fcntl(m->fds[0], F_GETFL);
	if (flags < 0 || fcntl(m->fds[0], F_SETFL, flags | O_NONBLOCK) < 0)
		return wrong(m, e, "its descriptor cannot be made non-blocking: %s",
			     strerror(errno));
	*fd = take_fd(m);
	return 0;
}

/* --- one function per request -------------------------------------------------------------- */

static int on_set_features(struct back *b, struct vhost_msg *m, struct err *e)
{
	uint64_t beyond = m->u64 & ~back_offered(b);

	if (beyond)
		return wrong(m, e, "features 0x%llx were not offered", (unsigned long long)beyond);
	if (b->has_features && m->u64 == b->features)
		return 0;
	for (unsigned i = 0; i < b->nqueues; i++)
		if (back_queue_runs(&b->queue[i]))
			return wrong(m, e, "queue %u runs with others", i);
	b->features = m->u64;
	b->has_features = true;
	b->dirty = true;
	b->ops->negotiated(b->arg, m->u64 & ~BIT(VHOST_F_PROTOCOL_FEATURES));
	return 0;
}

static int on_set_protocol_features(struct back *b, struct vhost_msg *m, struct err *e)
{
	uint64_t beyond = m->u64 & ~PROTOCOL_FEATURES;

	if (beyond)
		return wrong(m, e, "protocol features 0x%llx were not offered",
			     (unsigned long long)beyond);
	b->protocol_features = m->u64;
	b->dirty = true;
	return 0;
}

/* "Back-ends either ignore this message, or use it to disable all rings." */
static int on_reset_owner(struct back *b, struct vhost_msg *m, struct err *e)
{
	(void)m;
	(void)e;
	back_pause(b);
	for (unsigned i = 0; i < b->nqueues; i++)
		b->queue[i].enabled = false;
	return 0;
}

static int region_add(struct mem *mem, const struct vhost_msg *m, const struct vhost_region *r,
		      int fd, struct err *e)
{
	int rc = mem_add(mem, fd, r->offset, r->guest, r->user, r->size, e);

	return rc ? err_prefix(e, "%s", vhost_request_name(m->h.request)) : 0;
}

static int on_set_mem_table(struct back *b, struct vhost_msg *m, struct err *e)
{
	const struct vhost_memory *t = &m->memory;
	struct mem mem = {.n = 0};
	int rc = 0;

	if (m->h.size < offsetof(struct vhost_memory, region))
		return wrong(m, e, "a payload of %u bytes", m->h.size);
	if (t->n > VHOST_MAX_REGIONS)
		return wrong(m, e, "%u regions; at most %d fit", t->n, VHOST_MAX_REGIONS);
	if (m->h.size != offsetof(struct vhost_memory, region) + t->n * sizeof(struct vhost_region))
		return wrong(m, e, "a payload of %u bytes for %u regions", m->h.size, t->n);
	if (m->nfds != t->n)
		return wrong(m, e, "%u descriptors for %u regions", m->nfds, t->n);
	for (unsigned i = 0; !rc && i < t->n; i++) {
		struct vhost_region r = t->region[i];

		rc = region_add(&mem, m, &r, m->fds[i], e);
	}
	if (rc) {
		mem_clear(&mem);
		return rc;
	}
	back_pause(b);
	mem_clear(&b->mem);
	b->mem = mem;
	return back_resume(b, e);
}

static int on_add_mem_reg(struct back *b, struct vhost_msg *m, struct err *e)
{
	struct vhost_region r = m->slot.region;
	int rc;

	if (m->nfds != 1)
		return wrong(m, e, "%u descriptors came with it; it takes one", m->nfds);
	back_pause(b);
	rc = region_add(&b->mem, m, &r, m->fds[0], e);
	return rc ? rc : back_resume(b, e);
}

static int on_rem_mem_reg(struct back *b, struct vhost_msg *m, struct err *e)
{
	struct vhost_region r = m->slot.region;
	int rc;

	/* One descriptor may come from old front ends; it is closed unused. */
	if (m->nfds > 1)
		return wrong(m, e, "%u descriptors came with it; it takes none", m->nfds);
	back_pause(b);
	rc = mem_remove(&b->mem, r.guest, r.user, r.size, e);
	return rc ? err_prefix(e, "%s", vhost_request_name(m->h.request)) : back_resume(b, e);
}

static int on_set_vring_num(struct back *b, struct vhost_msg *m, struct err *e)
{
	struct back_ring *q = queue_of(b, m, m->state.index, e);

	if (!q)
		return -EPROTO;
	if (back_queue_runs(q))
		return wrong(m, e, "queue %u runs; GET_VRING_BASE stops it", m->state.index);
	if (!m->state.num || m->state.num > b->max_size)
		return wrong(m, e, "%u entries for queue %u; it takes 1 to %u", m->state.num,
			     m->state.index, b->max_size);
	q->size = m->state.num;
	return 0;
}

/* Areas are looked up when the queue runs: the memory may come later, and a packed ring's sizes are
 * others. */
static int on_set_vring_addr(struct back *b, struct vhost_msg *m, struct err *e)
{
	struct vhost_vring_address a = m->addr;
	struct back_ring *q = queue_of(b, m, a.index, e);

	if (!q)
		return -EPROTO;
	/* VHOST_VRING_F_LOG goes with the feature LOG_ALL, which is not offered. */
	if (a.flags)
		return wrong(m, e, "flags 0x%x; none is offered", a.flags);
	back_queue_stop(b, q);
	q->addr = a;
	q->has_addr = true;
	return back_queue_go(b, a.index, e);
}

static int on_set_vring_base(struct back *b, struct vhost_msg *m, struct err *e)
{
	struct back_ring *q = queue_of(b, m, m->state.index, e);

	if (!q)
		return -EPROTO;
	if (back_queue_runs(q))
		return wrong(m, e, "queue %u runs; GET_VRING_BASE stops it", m->state.index);
	q->base = m->state.num;
	q->has_base = true;
	return 0;
}

static int on_get_vring_base(struct back *b, struct vhost_msg *m, struct vhost_msg *reply,
			     struct err *e)
{
	struct back_ring *q = queue_of(b, m, m->state.index, e);

	if (!q)
		return -EPROTO;
	back_queue_stop(b, q);
	q->started = false;
	/* Its call stays: a front end need not send it again. */
	fd_set_to(&q->kick, -1);
	reply->h.size = sizeof(reply->state);
	reply->state.index = m->state.index;
	reply->state.num = q->base;
	return 0;
}

static int on_set_vring_kick(struct back *b, struct vhost_msg *m, struct err *e)
{
	unsigned index;
	int fd, rc = vring_fd(b, m, &index, &fd, e);
	struct back_ring *q;

	if (rc)
		return rc;
	q = &b->queue[index];
	back_queue_stop(b, q);
	fd_set_to(&q->kick, fd);
	q->started = true;
	if (!(b->features & BIT(VHOST_F_PROTOCOL_FEATURES)))
		q->enabled = true;
	return back_queue_go(b, index, e);
}

static int on_set_vring_call(struct back *b, struct vhost_msg *m, struct err *e)
{
	unsigned index;
	int fd, rc = vring_fd(b, m, &index, &fd, e);
	struct back_ring *q;
	bool ran;

	if (rc)
		return rc;
	q = &b->queue[index];
	ran = back_queue_runs(q);
	back_queue_stop(b, q);
	fd_set_to(&q->call, fd);
	/* An interrupt may have gone to the old one after the driver looked there: one too many
	 * does no harm, one too few hangs it. */
	if (ran && fd >= 0)
		event_signal(fd);
	return back_queue_go(b, index, e);
}

static int on_set_vring_err(struct back *b, struct vhost_msg *m, struct err *e)
{
	unsigned index;
	int fd, rc = vring_fd(b, m, &index, &fd, e);

	if (!rc)
		fd_set_to(&b->queue[index].err, fd);
	return rc;
}

static int on_set_vring_enable(struct back *b, struct vhost_msg *m, struct err *e)
{
	struct back_ring *q = queue_of(b, m, m->state.index, e);

	if (!q)
		return -EPROTO;
	if (m->state.num > 1)
		return wrong(m, e, "%u is neither 0 nor 1", m->state.num);
	q->enabled = m->state.num;
	if (!q->enabled)
		back_queue_stop(b, q);
	return back_queue_go(b, m->state.index, e);
}

/* An empty payload is the protocol's way to refuse. */
static int on_get_config(struct back *b, struct vhost_msg *m, struct vhost_msg *reply,
			 struct err *e)
{
	const struct vhost_config *c = &m->config;
	uint8_t data[VHOST_CONFIG_MAX] = {0};

	if (m->h.size < offsetof(struct vhost_config, data) || c->size > VHOST_CONFIG_MAX ||
	    m->h.size != offsetof(struct vhost_config, data) + c->size)
		return wrong(m, e, "a payload of %u bytes for %u of configuration", m->h.size,
			     c->size);
	if (c->offset > VHOST_CONFIG_MAX || c->size > VHOST_CONFIG_MAX - c->offset)
		return 0;
	b->ops->config(b->arg, data);
	reply->h.size = m->h.size;
	reply->config.offset = c->offset;
	reply->config.size = c->size;
	reply->config.flags = c->flags;
	memcpy(reply->config.data, data + c->offset, c->size);
	return 0;
}

/* --- the table ----------------------------------------------------------------------------- */

enum payload { P_NONE, P_U64, P_STATE, P_ADDR, P_SLOT, P_OTHER };
static const unsigned payload_size[] = {
	[P_NONE] = 0,
	[P_U64] = sizeof(uint64_t),
	[P_STATE] = sizeof(struct vhost_vring_state),
	[P_ADDR] = sizeof(struct vhost_vring_address),
	[P_SLOT] = sizeof(struct vhost_mem_slot),
};

struct request {
	bool known;
	enum payload payload; /* P_OTHER: the function checks */
	bool fds;	      /* descriptors may come with it; how many, the function checks */
	int (*set)(struct back *b, struct vhost_msg *m, struct err *e);
	/* Of those that have a reply of their own. */
	int (*get)(struct back *b, struct vhost_msg *m, struct vhost_msg *reply, struct err *e);
	uint64_t (*value)(const struct back *b);
};

static uint64_t value_protocol_features(const struct back *b)
{
	(void)b;
	return PROTOCOL_FEATURES;
}

static uint64_t value_queues(const struct back *b)
{
	return b->nqueues;
}

static uint64_t value_slots(const struct back *b)
{
	(void)b;
	return MEM_REGIONS;
}

/* The session begins with the connection; who owns it is clear. */
static int on_set_owner(struct back *b, struct vhost_msg *m, struct err *e)
{
	(void)b;
	(void)m;
	(void)e;
	return 0;
}

/* clang-format off */
static const struct request requests[] = {
	[VHOST_GET_FEATURES]          = {true, P_NONE, .value = back_offered},
	[VHOST_SET_FEATURES]          = {true, P_U64, .set = on_set_features},
	[VHOST_SET_OWNER]             = {true, P_NONE, .set = on_set_owner},
	[VHOST_RESET_OWNER]           = {true, P_NONE, .set = on_reset_owner},
	[VHOST_SET_MEM_TABLE]         = {true, P_OTHER, true, .set = on_set_mem_table},
	[VHOST_SET_VRING_NUM]         = {true, P_STATE, .set = on_set_vring_num},
	[VHOST_SET_VRING_ADDR]        = {true, P_ADDR, .set = on_set_vring_addr},
	[VHOST_SET_VRING_BASE]        = {true, P_STATE, .set = on_set_vring_base},
	[VHOST_GET_VRING_BASE]        = {true, P_STATE, .get = on_get_vring_base},
	[VHOST_SET_VRING_KICK]        = {true, P_U64, true, .set = on_set_vring_kick},
	[VHOST_SET_VRING_CALL]        = {true, P_U64, true, .set = on_set_vring_call},
	[VHOST_SET_VRING_ERR]         = {true, P_U64, true, .set = on_set_vring_err},
	[VHOST_GET_PROTOCOL_FEATURES] = {true, P_NONE, .value = value_protocol_features},
	[VHOST_SET_PROTOCOL_FEATURES] = {true, P_U64, .set = on_set_protocol_features},
	[VHOST_GET_QUEUE_NUM]         = {true, P_NONE, .value = value_queues},
	[VHOST_SET_VRING_ENABLE]      = {true, P_STATE, .set = on_set_vring_enable},
	[VHOST_GET_CONFIG]            = {true, P_OTHER, .get = on_get_config},
	[VHOST_GET_MAX_MEM_SLOTS]     = {true, P_NONE, .value = value_slots},
	[VHOST_ADD_MEM_REG]           = {true, P_SLOT, true, .set = on_add_mem_reg},
	[VHOST_REM_MEM_REG]           = {true, P_SLOT, true, .set = on_rem_mem_reg},
};
/* clang-format on */

static int dispatch(struct back *b, const struct request *r, struct vhost_msg *m,
		    struct vhost_msg *reply, struct err *e)
{
	if (r->payload != P_OTHER && m->h.size != payload_size[r->payload])
		return wrong(m, e, "a payload of %u bytes; it has %u", m->h.size,
			     payload_size[r->payload]);
	/* Before a queue that stopped or starts goes on with zeroes as if they were the peer's. */
	if (back_memory_check(b, e))
		return -EPROTO;
	if (!r->fds && m->nfds)
		return wrong(m, e, "%u descriptors came with it; it takes none", m->nfds);
	if (r->get)
		return r->get(b, m, reply, e);
	if (r->set)
		return r->set(b, m, e);
	reply->h.size = sizeof(reply->u64);
	reply->u64 = r->value(b);
	return 0;
}

static bool wants_ack(const struct back *b, const struct vhost_msg *m)
{
	return (m->h.flags & VHOST_FLAG_NEED_REPLY) &&
	       (b->protocol_features & BIT(VHOST_PF_REPLY_ACK));
}

/* What is not supported can be told to whom asks for an answer; another would go on as if it were
 * done. */
static int refuse(const struct back *b, const struct vhost_msg *m, struct err *e)
{
	if (wants_ack(b, m))
		return 0;
	return err_set(e, -EPROTO, "request %u (%s) is not supported", m->h.request,
		       vhost_request_name(m->h.request));
}

int back_handle(struct back *b, struct vhost_msg *m, struct vhost_msg *reply, bool *has_reply,
		struct err *e)
{
	static const struct request none;
	const struct request *r = &none;
	int rc;

	*has_reply = false;
	memset(reply, 0, sizeof(*reply));
	reply->h.request = m->h.request;
	reply->h.flags = VHOST_VERSION | VHOST_FLAG_REPLY;
	if (m->h.request < sizeof(requests) / sizeof(*requests))
		r = &requests[m->h.request];
	if (b->over)
		rc = err_set(e, -EPROTO, "the session is over");
	else if (m->h.flags & VHOST_FLAG_REPLY)
		rc = wrong(m, e, "it is marked as a reply; none was asked for");
	else if (!r->known)
		rc = refuse(b, m, e);
	else
		rc = dispatch(b, r, m, reply, e);
	vhost_msg_drop(m);
	if (!r->get && !r->value) {
		/* Looked at now: SET_PROTOCOL_FEATURES may have been what brought REPLY_ACK. */
		*has_reply = wants_ack(b, m);
		reply->h.size = sizeof(reply->u64);
		reply->u64 = rc || !r->known;
	} else {
		*has_reply = !rc;
	}
	if (rc)
		b->over = true;
	return rc;
}
