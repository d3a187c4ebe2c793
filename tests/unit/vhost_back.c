// SPDX-License-Identifier: GPL-2.0-or-later
// A vhost-user back end's session without threads: what messages do, and what hostile ones do not.
// Expected values are those of QEMU's docs/interop/vhost-user.rst and virtio 1.2.

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engines/event.h"
#include "engines/vhost_back.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (UINT64_C(1) << (n))

/* Offered by the stub (virtio 1.2, 6): indirect 28, event index 29, VERSION_1 32, packed 34. */
#define OFFERED (BIT(28) | BIT(29) | BIT(32) | BIT(34))
#define PROTOCOL_OFFERED (BIT(0) | BIT(3) | BIT(9) | BIT(15)) /* MQ REPLY_ACK CONFIG MEM_SLOTS */

#define QUEUES 4
#define USER UINT64_C(0x7f0000000000)
#define GUEST UINT64_C(0x10000)
#define SIZE 0x10000u
#define DESC 0x0000u
#define AVAIL 0x4000u
#define USED 0x8000u

/* --- what the session serves --------------------------------------------------------------- */

struct stub {
	struct dev_vq *vq[QUEUES]; /* of those that run */
	int kick[QUEUES], call[QUEUES];
	unsigned starts, stops, negotiations, asked;
	uint64_t negotiated;
	const char *broken;
	bool refuse;
	unsigned asked_features; /* each takes 5 ms once `slow` */
	bool slow;
	int cut; /* a file that is cut short while a queue stops, or 0 */
};

static uint64_t stub_features(void *arg)
{
	struct stub *s = arg;

	s->asked_features++;
	if (s->slow)
		usleep(5000);
	return OFFERED;
}

static void stub_negotiated(void *arg, uint64_t features)
{
	struct stub *s = arg;

	for (unsigned i = 0; i < QUEUES; i++)
		assert_null(s->vq[i]);
	s->negotiations++;
	s->negotiated = features;
}

static size_t stub_config(void *arg, uint8_t data[VHOST_CONFIG_MAX])
{
	(void)arg;
	for (unsigned i = 0; i < 60; i++)
		data[i] = (uint8_t)(i + 1);
	return 60;
}

static int stub_start(void *arg, unsigned index, struct dev_vq *vq, int kick, int call,
		      void **worker, struct err *e)
{
	struct stub *s = arg;

	if (s->refuse)
		return err_set(e, -EAGAIN, "no thread");
	assert_in_range(index, 0, QUEUES - 1);
	assert_null(s->vq[index]);
	assert_true(kick < 0 || fcntl(kick, F_GETFL) & O_NONBLOCK);
	assert_true(call < 0 || fcntl(call, F_GETFL) & O_NONBLOCK);
	s->vq[index] = vq;
	s->kick[index] = kick;
	s->call[index] = call;
	s->starts++;
	*worker = &s->vq[index];
	return 0;
}

static void stub_ask(void *arg, void *worker)
{
	struct dev_vq **vq = worker;

	assert_non_null(*vq);
	((struct stub *)arg)->asked++;
}

static void stub_stop(void *arg, void *worker)
{
	struct stub *s = arg;
	struct dev_vq **vq = worker;

	assert_non_null(*vq);
	if (s->cut) {
		struct dev_chain c;

		assert_int_equal(ftruncate(s->cut, 0), 0);
		assert_int_equal(dev_pop(*vq, &c), 0);
	}
	*vq = NULL;
	s->stops++;
}

static const char *stub_broken(void *arg, void *worker)
{
	(void)worker;
	return ((struct stub *)arg)->broken;
}

static const struct back_ops stub_ops = {
	.features = stub_features,
	.negotiated = stub_negotiated,
	.config = stub_config,
	.start = stub_start,
	.ask = stub_ask,
	.stop = stub_stop,
	.broken = stub_broken,
};

/* --- a front end that says one thing at a time --------------------------------------------- */

struct bench {
	struct stub stub;
	struct back *back;
	struct vhost_msg reply;
	bool has_reply;
	struct err e;
	int memfd;
	char *mem;
	unsigned before;
};

static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int setup(void **state)
{
	struct bench *t = calloc(1, sizeof(*t));

	t->before = open_fds();
	t->memfd = memfd_create("guest", MFD_CLOEXEC);
	if (ftruncate(t->memfd, SIZE))
		return -1;
	t->mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, t->memfd, 0);
	t->back = back_make(&stub_ops, &t->stub, QUEUES, RING_MAX_SIZE);
	*state = t;
	return 0;
}

/* Whatever was said: all that ran was stopped, and no descriptor is left. */
static int teardown(void **state)
{
	struct bench *t = *state;

	back_free(t->back);
	assert_int_equal(t->stub.starts, t->stub.stops);
	munmap(t->mem, SIZE);
	close(t->memfd);
	assert_int_equal(open_fds(), t->before);
	free(t);
	return 0;
}

static struct vhost_msg msg(uint32_t request, uint32_t size)
{
	struct vhost_msg m = {.h = {.request = request, .flags = 1, .size = size}};

	for (unsigned i = 0; i < VHOST_MAX_FDS; i++)
		m.fds[i] = -1;
	return m;
}

static int say(struct bench *t, struct vhost_msg m)
{
	memset(&t->e, 0, sizeof(t->e));
	return back_handle(t->back, &m, &t->reply, &t->has_reply, &t->e);
}

static struct vhost_msg msg_u64(uint32_t request, uint64_t value)
{
	struct vhost_msg m = msg(request, 8);

	m.u64 = value;
	return m;
}

static struct vhost_msg msg_state(uint32_t request, uint32_t index, uint32_t num)
{
	struct vhost_msg m = msg(request, 8);

	m.state.index = index;
	m.state.num = num;
	return m;
}

static struct vhost_msg msg_addr(uint32_t index, uint64_t desc, uint64_t avail, uint64_t used)
{
	struct vhost_msg m = msg(VHOST_SET_VRING_ADDR, 40);

	m.addr.index = index;
	m.addr.desc = desc;
	m.addr.avail = avail;
	m.addr.used = used;
	return m;
}

/* With a new eventfd. */
static struct vhost_msg msg_fd(uint32_t request, uint64_t value)
{
	struct vhost_msg m = msg_u64(request, value);

	m.nfds = 1;
	m.fds[0] = eventfd(0, EFD_CLOEXEC);
	return m;
}

static struct vhost_msg msg_table(struct bench *t, unsigned n)
{
	struct vhost_msg m = msg(VHOST_SET_MEM_TABLE, 8 + 32 * n);

	m.memory.n = n;
	m.nfds = n;
	for (unsigned i = 0; i < n; i++) {
		m.memory.region[i].guest = GUEST + i * SIZE;
		m.memory.region[i].user = USER + i * SIZE;
		m.memory.region[i].size = SIZE;
		m.fds[i] = fcntl(t->memfd, F_DUPFD_CLOEXEC, 0);
	}
	return m;
}

static struct vhost_msg msg_slot(struct bench *t, uint32_t request, uint64_t guest, uint64_t user)
{
	struct vhost_msg m = msg(request, 40);

	m.slot.region.guest = guest;
	m.slot.region.user = user;
	m.slot.region.size = SIZE;
	if (request == VHOST_ADD_MEM_REG) {
		m.nfds = 1;
		m.fds[0] = fcntl(t->memfd, F_DUPFD_CLOEXEC, 0);
	}
	return m;
}

static struct vhost_msg msg_config(uint32_t offset, uint32_t size)
{
	struct vhost_msg m = msg(VHOST_GET_CONFIG, 12 + size);

	m.config.offset = offset;
	m.config.size = size;
	return m;
}

#define SAY(m) assert_int_equal(say(t, m), 0)

/* A message that ends the session, with these words. */
#define BREAKS(m, words)                                                     \
	do {                                                                 \
		assert_true(say(t, m) < 0);                                  \
		if (!strstr(t->e.text, words))                               \
			fail_msg("\"%s\" without \"%s\"", t->e.text, words); \
		assert_true(say(t, msg(VHOST_GET_FEATURES, 0)) < 0);         \
	} while (0)

static void negotiate(struct bench *t, uint64_t features)
{
	SAY(msg_u64(VHOST_SET_PROTOCOL_FEATURES, PROTOCOL_OFFERED));
	SAY(msg(VHOST_SET_OWNER, 0));
	SAY(msg_u64(VHOST_SET_FEATURES, features));
}

static void prepare(struct bench *t, uint64_t features, unsigned index, unsigned size)
{
	negotiate(t, features);
	SAY(msg_table(t, 1));
	SAY(msg_state(VHOST_SET_VRING_NUM, index, size));
	SAY(msg_addr(index, USER + DESC, USER + AVAIL, USER + USED));
}

/* Brings queue 0 to run with 4 entries. */
static void run0(struct bench *t, uint64_t features)
{
	prepare(t, features | BIT(30), 0, 4);
	SAY(msg_fd(VHOST_SET_VRING_KICK, 0));
	SAY(msg_fd(VHOST_SET_VRING_CALL, 0));
	SAY(msg_state(VHOST_SET_VRING_ENABLE, 0, 1));
	assert_non_null(t->stub.vq[0]);
}

/* A split chain of one 16-byte buffer that the device may read; slot: of the available ring. */
static void offer(struct bench *t, unsigned slot)
{
	struct vring_desc *desc = (void *)(t->mem + DESC);
	struct vring_avail *avail = (void *)(t->mem + AVAIL);

	desc[0] = (struct vring_desc){.addr = GUEST + 0xc000, .len = 16};
	avail->ring[slot % 4] = 0;
	__atomic_store_n(&avail->idx, (uint16_t)(slot + 1), __ATOMIC_RELEASE);
}

/* --- tests --------------------------------------------------------------------------------- */

static void test_questions_before_anything(void **state)
{
	struct bench *t = *state;

	SAY(msg(VHOST_GET_FEATURES, 0));
	assert_true(t->has_reply);
	assert_int_equal(t->reply.h.request, 1);
	assert_int_equal(t->reply.h.flags, 5); /* version 1, reply */
	assert_int_equal(t->reply.h.size, 8);
	assert_true(t->reply.u64 == (OFFERED | BIT(30)));
	SAY(msg(VHOST_GET_PROTOCOL_FEATURES, 0));
	assert_true(t->reply.u64 == PROTOCOL_OFFERED);
	SAY(msg(VHOST_GET_QUEUE_NUM, 0));
	assert_true(t->has_reply && t->reply.u64 == QUEUES);
	SAY(msg(VHOST_GET_MAX_MEM_SLOTS, 0));
	assert_true(t->has_reply && t->reply.u64 == MEM_REGIONS);
	SAY(msg(VHOST_SET_OWNER, 0));
	assert_false(t->has_reply);
}

static void test_config_space(void **state)
{
	struct bench *t = *state;
	uint8_t expected[VHOST_CONFIG_MAX] = {0};

	stub_config(NULL, expected);
	SAY(msg_config(0, 60));
	assert_true(t->has_reply);
	assert_int_equal(t->reply.h.size, 72);
	assert_memory_equal(t->reply.config.data, expected, 60);
	/* a front end of other headers knows more fields, or asks for some in the middle */
	SAY(msg_config(0, 256));
	assert_int_equal(t->reply.h.size, 268);
	assert_memory_equal(t->reply.config.data, expected, 256);
	SAY(msg_config(20, 4));
	assert_int_equal(t->reply.config.offset, 20);
	assert_memory_equal(t->reply.config.data, expected + 20, 4);
	/* "zero length of payload to indicate an error" */
	SAY(msg_config(200, 57));
	assert_true(t->has_reply);
	assert_int_equal(t->reply.h.size, 0);
	SAY(msg_config(0xffffffff, 2));
	assert_int_equal(t->reply.h.size, 0);
}

static void test_config_sizes(void **state)
{
	struct bench *t = *state;
	struct vhost_msg m = msg_config(0, 60);

	m.config.size = 61;
	BREAKS(m, "GET_CONFIG");
}

static void test_features_that_were_not_offered(void **state)
{
	struct bench *t = *state;

	BREAKS(msg_u64(VHOST_SET_FEATURES, BIT(32) | BIT(26)), "0x4000000 were not offered");
}

static void test_protocol_features_that_were_not_offered(void **state)
{
	struct bench *t = *state;

	BREAKS(msg_u64(VHOST_SET_PROTOCOL_FEATURES, BIT(16)), "0x10000 were not offered");
}

/* "If VHOST_USER_F_PROTOCOL_FEATURES has been negotiated, the ring is initialized in a disabled
 * state." */
static void test_ring_waits_for_enable(void **state)
{
	struct bench *t = *state;

	prepare(t, BIT(30) | BIT(32), 0, 4);
	SAY(msg_fd(VHOST_SET_VRING_KICK, 0));
	assert_null(t->stub.vq[0]);
	SAY(msg_state(VHOST_SET_VRING_ENABLE, 0, 1));
	assert_non_null(t->stub.vq[0]);
	assert_true(t->stub.negotiated == BIT(32));
	SAY(msg_state(VHOST_SET_VRING_ENABLE, 0, 0));
	assert_null(t->stub.vq[0]);
	SAY(msg_state(VHOST_SET_VRING_ENABLE, 0, 1));
	assert_non_null(t->stub.vq[0]);
}

/* The other order. */
static void test_enable_waits_for_kick(void **state)
{
	struct bench *t = *state;

	prepare(t, BIT(30) | BIT(32), 3, 4);
	SAY(msg_state(VHOST_SET_VRING_ENABLE, 3, 1));
	assert_null(t->stub.vq[3]);
	SAY(msg_fd(VHOST_SET_VRING_KICK, 3));
	assert_non_null(t->stub.vq[3]);
}

/* "If it has not been negotiated, the ring starts directly in the enabled state." */
static void test_ring_starts_without_bit_30(void **state)
{
	struct bench *t = *state;

	prepare(t, BIT(32), 0, 4);
	SAY(msg_fd(VHOST_SET_VRING_CALL, 0));
	assert_null(t->stub.vq[0]);
	SAY(msg_fd(VHOST_SET_VRING_KICK, 0));
	assert_non_null(t->stub.vq[0]);
	assert_true(t->stub.kick[0] >= 0 && t->stub.call[0] >= 0);
}

/* Bit 8: no descriptor, both sides poll. */
static void test_ring_without_descriptors(void **state)
{
	struct bench *t = *state;
	struct back_queue q;

	prepare(t, BIT(32), 1, 4);
	SAY(msg_u64(VHOST_SET_VRING_CALL, 0x101));
	SAY(msg_u64(VHOST_SET_VRING_KICK, 0x101));
	assert_non_null(t->stub.vq[1]);
	assert_int_equal(t->stub.kick[1], -1);
	assert_int_equal(t->stub.call[1], -1);
	assert_true(back_queue(t->back, 1, &q));
	assert_true(q.running && !q.kicks && !q.interrupts);
	assert_false(back_queue(t->back, 0, &q));
}

static void test_base_of_a_split_ring(void **state)
{
	struct bench *t = *state;
	struct dev_chain c;

	run0(t, BIT(32));
	offer(t, 0);
	assert_int_equal(dev_pop(t->stub.vq[0], &c), 1);
	assert_true((char *)c.iov[0].iov_base != t->mem + 0xc000); /* a mapping of its own */
	dev_push(t->stub.vq[0], c.id, c.ndescs, 0);
	dev_flush(t->stub.vq[0]);
	SAY(msg_state(VHOST_GET_VRING_BASE, 0, 0));
	assert_null(t->stub.vq[0]);
	assert_true(t->has_reply);
	assert_int_equal(t->reply.h.size, 8);
	assert_int_equal(t->reply.state.index, 0);
	assert_int_equal(t->reply.state.num, 1);
	/* and again, now that it is stopped */
	SAY(msg_state(VHOST_GET_VRING_BASE, 0, 0));
	assert_int_equal(t->reply.state.num, 1);
	/* a new kick goes on there */
	SAY(msg_fd(VHOST_SET_VRING_KICK, 0));
	assert_non_null(t->stub.vq[0]);
	assert_int_equal(dev_base(t->stub.vq[0]), 1);
	assert_int_equal(dev_pop(t->stub.vq[0], &c), 0);
}

/* 2.8.1: wrap counters start at 1; the base holds available index and counter, then used ones. */
static void test_base_of_a_packed_ring(void **state)
{
	struct bench *t = *state;

	prepare(t, BIT(30) | BIT(32) | BIT(34), 0, 3); /* 3: no power of two */
	SAY(msg_fd(VHOST_SET_VRING_KICK, 0));
	SAY(msg_state(VHOST_SET_VRING_ENABLE, 0, 1));
	SAY(msg_state(VHOST_GET_VRING_BASE, 0, 0));
	assert_int_equal(t->reply.state.num, 0x80008000);
	SAY(msg_state(VHOST_SET_VRING_BASE, 0, 0x80028002));
	SAY(msg_fd(VHOST_SET_VRING_KICK, 0));
	SAY(msg_state(VHOST_GET_VRING_BASE, 0, 0));
	assert_int_equal(t->reply.state.num, 0x80028002);
}

static void test_what_was_negotiated(void **state)
{
	struct bench *t = *state;
	struct back_queue q;
	uint64_t features;

	assert_false(back_features(t->back, &features));
	run0(t, BIT(28) | BIT(32) | BIT(34));
	assert_true(back_features(t->back, &features));
	assert_true(features == (BIT(28) | BIT(30) | BIT(32) | BIT(34)));
	assert_true(back_protocol_features(t->back) == PROTOCOL_OFFERED);
	assert_true(back_queue(t->back, 0, &q));
	assert_true(q.running && q.opts.packed && q.opts.indirect && !q.opts.event_idx);
	assert_int_equal(q.opts.size, 4);
}

/* The memory is another: rings go on in it where they were. */
static void test_memory_changes_under_a_ring(void **state)
{
	struct bench *t = *state;
	struct dev_chain c;
	struct back_queue q;

	run0(t, BIT(32));
	offer(t, 0);
	assert_int_equal(dev_pop(t->stub.vq[0], &c), 1);
	dev_push(t->stub.vq[0], c.id, c.ndescs, 0);
	dev_flush(t->stub.vq[0]);
	SAY(msg_table(t, 2));
	assert_non_null(t->stub.vq[0]);
	assert_int_equal(t->stub.starts, 2);
	assert_int_equal(dev_base(t->stub.vq[0]), 1);
	offer(t, 1);
	assert_int_equal(dev_pop(t->stub.vq[0], &c), 1);
	dev_push(t->stub.vq[0], c.id, c.ndescs, 0);
	dev_flush(t->stub.vq[0]);
	back_stop(t->back);
	assert_true(back_queue(t->back, 0, &q));
	assert_false(q.running);
	assert_int_equal(q.sum.popped, 2); /* one of each run */
	assert_int_equal(q.sum.pushed, 2);
}

static void test_memory_goes_under_a_ring(void **state)
{
	struct bench *t = *state;

	run0(t, BIT(32));
	BREAKS(msg_table(t, 0), "SET_MEM_TABLE");
}

static void test_memory_slots(void **state)
{
	struct bench *t = *state;
	struct vhost_msg m;

	run0(t, BIT(32));
	SAY(msg_slot(t, VHOST_ADD_MEM_REG, GUEST + SIZE, USER + SIZE));
	assert_non_null(t->stub.vq[0]);
	/* "the back-end MAY accept messages with one file descriptor" */
	m = msg_slot(t, VHOST_REM_MEM_REG, GUEST + SIZE, USER + SIZE);
	m.nfds = 1;
	m.fds[0] = eventfd(0, EFD_CLOEXEC);
	SAY(m);
	assert_non_null(t->stub.vq[0]);
	BREAKS(msg_slot(t, VHOST_REM_MEM_REG, GUEST + SIZE, USER + SIZE), "REM_MEM_REG");
}

static void test_slot_overlaps(void **state)
{
	struct bench *t = *state;

	run0(t, BIT(32));
	BREAKS(msg_slot(t, VHOST_ADD_MEM_REG, GUEST + SIZE - 1, USER + SIZE), "ADD_MEM_REG");
}

static void test_slot_with_the_ring_goes(void **state)
{
	struct bench *t = *state;

	run0(t, BIT(32));
	SAY(msg_slot(t, VHOST_ADD_MEM_REG, GUEST + SIZE, USER + SIZE));
	BREAKS(msg_slot(t, VHOST_REM_MEM_REG, GUEST, USER), "outside the memory regions");
}

/* An interrupt may have gone to the old descriptor after the driver looked there last. */
static void test_call_changes_under_a_ring(void **state)
{
	struct bench *t = *state;
	struct vhost_msg m;
	eventfd_t n = 0;
	int fd;

	run0(t, BIT(32));
	m = msg_fd(VHOST_SET_VRING_CALL, 0);
	fd = fcntl(m.fds[0], F_DUPFD_CLOEXEC, 0);
	SAY(m);
	assert_int_equal(t->stub.starts, 2);
	assert_non_null(t->stub.vq[0]);
	assert_int_equal(eventfd_read(fd, &n), 0);
	assert_int_equal(n, 1);
	close(fd);
	SAY(msg_u64(VHOST_SET_VRING_CALL, 0x100));
	assert_int_equal(t->stub.call[0], -1);
}

static void test_acknowledgements(void **state)
{
	struct bench *t = *state;
	struct vhost_msg m = msg(VHOST_SET_OWNER, 0);

	/* REPLY_ACK is not negotiated yet: the flag means nothing */
	m.h.flags |= 8;
	SAY(m);
	assert_false(t->has_reply);
	m = msg_u64(VHOST_SET_PROTOCOL_FEATURES, BIT(3));
	m.h.flags |= 8;
	SAY(m);
	assert_true(t->has_reply);
	assert_int_equal(t->reply.h.flags, 5);
	assert_int_equal(t->reply.h.size, 8);
	assert_true(t->reply.u64 == 0);
	m = msg_table(t, 1);
	m.h.flags |= 8;
	SAY(m);
	assert_true(t->has_reply && t->reply.u64 == 0 && t->reply.h.request == 5);
	/* what has a reply of its own gets no second one */
	m = msg(VHOST_GET_QUEUE_NUM, 0);
	m.h.flags |= 8;
	SAY(m);
	assert_true(t->has_reply && t->reply.u64 == QUEUES);
	/* what is not supported is told, and the session goes on */
	m = msg(1000, 8);
	m.h.flags |= 8;
	m.nfds = 1;
	m.fds[0] = eventfd(0, EFD_CLOEXEC);
	SAY(m);
	assert_true(t->has_reply && t->reply.u64 != 0 && t->reply.h.request == 1000);
	m = msg(VHOST_SET_CONFIG, 13); /* no field can be written: CONFIG_WCE is not offered */
	m.h.flags |= 8;
	SAY(m);
	assert_true(t->has_reply && t->reply.u64 != 0);
	/* what is wrong is told, and the session ends */
	m = msg_state(VHOST_SET_VRING_NUM, QUEUES, 4);
	m.h.flags |= 8;
	assert_int_equal(say(t, m), -EPROTO);
	assert_true(t->has_reply && t->reply.u64 != 0);
}

/* "Back-ends either ignore this message, or use it to disable all rings." */
static void test_reset_owner(void **state)
{
	struct bench *t = *state;

	run0(t, BIT(32));
	SAY(msg(VHOST_RESET_OWNER, 0));
	assert_null(t->stub.vq[0]);
	SAY(msg_state(VHOST_SET_VRING_ENABLE, 0, 1));
	assert_non_null(t->stub.vq[0]);
}

static void test_features_while_a_ring_runs(void **state)
{
	struct bench *t = *state;

	run0(t, BIT(32));
	SAY(msg_u64(VHOST_SET_FEATURES, BIT(30) | BIT(32))); /* the same */
	assert_int_equal(t->stub.negotiations, 1);
	BREAKS(msg_u64(VHOST_SET_FEATURES, BIT(30) | BIT(32) | BIT(34)), "runs");
}

static void test_a_thread_that_does_not_start(void **state)
{
	struct bench *t = *state;

	prepare(t, BIT(32), 0, 4);
	t->stub.refuse = true;
	BREAKS(msg_fd(VHOST_SET_VRING_KICK, 0), "no thread");
}

/* A running ring's size and base belong to the device. */
static void test_size_while_a_ring_runs(void **state)
{
	struct bench *t = *state;

	run0(t, BIT(32));
	BREAKS(msg_state(VHOST_SET_VRING_NUM, 0, 8), "GET_VRING_BASE stops it");
}

static void test_base_while_a_ring_runs(void **state)
{
	struct bench *t = *state;

	run0(t, BIT(32));
	BREAKS(msg_state(VHOST_SET_VRING_BASE, 0, 0), "GET_VRING_BASE stops it");
}

static struct vhost_msg with_fds(struct vhost_msg m, unsigned n)
{
	while (m.nfds < n)
		m.fds[m.nfds++] = eventfd(0, EFD_CLOEXEC);
	return m;
}

static struct vhost_msg with_size(struct vhost_msg m, uint32_t size)
{
	m.h.size = size;
	return m;
}

static struct vhost_msg with_regions(struct vhost_msg m, uint32_t n)
{
	m.memory.n = n;
	return m;
}

static struct vhost_msg with_bits(struct vhost_msg m, uint64_t bits)
{
	m.u64 |= bits;
	return m;
}

static struct vhost_msg with_pipe(struct vhost_msg m)
{
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	close(p[0]);
	m.nfds = 1;
	m.fds[0] = p[1];
	return m;
}

/* Each of these in a session of its own, in which features and memory are set. */
static void test_malformed(void **state)
{
	struct bench *t = *state;
	struct vhost_msg flags = msg_addr(0, USER, USER, USER), reply = msg(VHOST_SET_OWNER, 0);
	struct vhost_msg huge = msg_table(t, 1), wraps = msg_table(t, 1), none = msg_table(t, 1);
	struct vhost_msg twice = msg_table(t, 2), file = msg_table(t, 1);

	flags.addr.flags = 1;
	reply.h.flags |= 4;
	huge.memory.region[0].size = SIZE + 1;
	wraps.memory.region[0].offset = UINT64_MAX - 0xfff;
	none.memory.region[0].size = 0;
	twice.memory.region[1].guest = GUEST;
	close(file.fds[0]);
	file.fds[0] = eventfd(0, EFD_CLOEXEC);
	const struct vhost_msg bad[] = {
		/* sizes */
		with_size(msg(VHOST_GET_FEATURES, 0), 8),
		with_size(msg_u64(VHOST_SET_FEATURES, BIT(32)), 4),
		with_size(msg_state(VHOST_SET_VRING_NUM, 0, 4), 16),
		with_size(msg_state(VHOST_GET_VRING_BASE, 0, 0), 0),
		with_size(msg_addr(0, USER, USER, USER), 39),
		with_size(msg_state(VHOST_SET_VRING_ENABLE, 0, 0), 7),
		with_size(msg(VHOST_GET_CONFIG, 0), 11),
		with_size(msg(VHOST_SET_MEM_TABLE, 0), 7),
		with_size(msg_slot(t, VHOST_ADD_MEM_REG, GUEST + SIZE, USER + SIZE), 32),
		/* numbers of regions */
		with_regions(msg_table(t, 1), 2),
		with_regions(msg_table(t, 2), 1),
		with_regions(msg_table(t, 1), 0xffffffff),
		with_regions(msg_table(t, 1), 9),
		/* regions */
		huge,
		wraps,
		none,
		twice,
		file,
		/* descriptors */
		with_fds(msg(VHOST_GET_FEATURES, 0), 1),
		with_fds(msg_table(t, 1), 2),
		with_fds(msg_u64(VHOST_SET_VRING_KICK, 0), 2),
		with_fds(msg_u64(VHOST_SET_VRING_KICK, 0), 8),
		msg_u64(VHOST_SET_VRING_KICK, 0),
		msg_u64(VHOST_SET_VRING_CALL, 0),
		with_fds(msg_u64(VHOST_SET_VRING_CALL, 0x100), 1),
		with_fds(msg_slot(t, VHOST_ADD_MEM_REG, GUEST + SIZE, USER + SIZE), 2),
		with_pipe(msg_u64(VHOST_SET_VRING_CALL, 0)),
		with_pipe(msg_u64(VHOST_SET_VRING_ERR, 0)),
		/* indices and flags */
		with_bits(msg_fd(VHOST_SET_VRING_KICK, 0), 0x200),
		with_bits(msg_fd(VHOST_SET_VRING_CALL, 0), BIT(63)),
		msg_fd(VHOST_SET_VRING_KICK, QUEUES),
		msg_fd(VHOST_SET_VRING_ERR, 255),
		msg_state(VHOST_SET_VRING_NUM, QUEUES, 4),
		msg_state(VHOST_SET_VRING_BASE, 0x80000000, 0),
		msg_state(VHOST_GET_VRING_BASE, 0xffffffff, 0),
		msg_state(VHOST_SET_VRING_ENABLE, QUEUES, 1),
		msg_state(VHOST_SET_VRING_ENABLE, 0, 2),
		msg_addr(QUEUES, USER, USER, USER),
		flags,
		reply,
		/* ring sizes */
		msg_state(VHOST_SET_VRING_NUM, 0, 0),
		msg_state(VHOST_SET_VRING_NUM, 0, 32769),
		msg_state(VHOST_SET_VRING_NUM, 0, 0x10004),
		/* requests */
		msg(0, 0),
		msg(VHOST_SET_LOG_BASE, 16),
		msg(VHOST_SET_BACKEND_REQ_FD, 0),
		msg(VHOST_SET_CONFIG, 13),
		msg(VHOST_SET_STATUS, 8),
		msg(0xffffffff, 0),
	};

	for (size_t i = 0; i < N(bad); i++) {
		struct vhost_msg m = bad[i];
		const char *name = vhost_request_name(m.h.request);
		int rc;

		back_free(t->back);
		t->back = back_make(&stub_ops, &t->stub, QUEUES, RING_MAX_SIZE);
		negotiate(t, BIT(30) | BIT(32));
		SAY(msg_table(t, 1));
		rc = say(t, m);
		if (rc >= 0)
			fail_msg("message %zu (%s) was taken", i, name);
		if (!strstr(t->e.text, name))
			fail_msg("message %zu: \"%s\" does not say %s", i, t->e.text, name);
		assert_false(t->has_reply);
		assert_true(say(t, msg(VHOST_GET_FEATURES, 0)) < 0);
	}
}

/* Rings that cannot be, each started in a session of its own. */
static void test_impossible_rings(void **state)
{
	struct bench *t = *state;
	static const struct {
		uint64_t features;
		unsigned size;
		uint64_t desc, avail, used;
		uint32_t base;
		const char *words;
	} bad[] = {
		/* each area outside, or over the end; with 4 entries: 64, 14 and 38 bytes (2.7) */
		{BIT(32), 4, USER + SIZE, USER + AVAIL, USER + USED, 0, "descriptor area"},
		{BIT(32), 4, USER + SIZE - 48, USER + AVAIL, USER + USED, 0, "descriptor area"},
		{BIT(32), 4, USER + DESC, USER - 2, USER + USED, 0, "driver area"},
		{BIT(32), 4, USER + DESC, USER + SIZE - 12, USER + USED, 0, "driver area"},
		{BIT(32), 4, USER + DESC, USER + AVAIL, USER + SIZE - 36, 0, "device area"},
		{BIT(32), 4, UINT64_MAX - 15, USER + AVAIL, USER + USED, 0, "descriptor area"},
		/* guest addresses are no user addresses */
		{BIT(32), 4, GUEST + DESC, GUEST + AVAIL, GUEST + USED, 0, "descriptor area"},
		/* more than the region */
		{BIT(32), 32768, USER + DESC, USER + AVAIL, USER + USED, 0, "descriptor area"},
		/* alignment: 16, 2, 4 */
		{BIT(32), 4, USER + 8, USER + AVAIL, USER + USED, 0, "queue 0"},
		{BIT(32), 4, USER + DESC, USER + AVAIL + 1, USER + USED, 0, "queue 0"},
		{BIT(32), 4, USER + DESC, USER + AVAIL, USER + USED + 2, 0, "queue 0"},
		/* a split ring has a power of two of entries (2.7) */
		{BIT(32), 3, USER + DESC, USER + AVAIL, USER + USED, 0, "queue 0"},
		/* indices beyond the ring */
		{BIT(32), 4, USER + DESC, USER + AVAIL, USER + USED, 0x10000, "queue 0"},
		{BIT(32) | BIT(34), 3, USER + DESC, USER + AVAIL, USER + USED, 0x80038003,
		 "queue 0"},
		/* a legacy driver: the byte order is anybody's guess */
		{0, 4, USER + DESC, USER + AVAIL, USER + USED, 0, "VERSION_1"},
	};

	for (size_t i = 0; i < N(bad); i++) {
		back_free(t->back);
		t->back = back_make(&stub_ops, &t->stub, QUEUES, RING_MAX_SIZE);
		negotiate(t, bad[i].features);
		SAY(msg_table(t, 1));
		SAY(msg_state(VHOST_SET_VRING_NUM, 0, bad[i].size));
		SAY(msg_state(VHOST_SET_VRING_BASE, 0, bad[i].base));
		SAY(msg_addr(0, bad[i].desc, bad[i].avail, bad[i].used));
		BREAKS(msg_fd(VHOST_SET_VRING_KICK, 0), bad[i].words);
		assert_int_equal(t->stub.starts, t->stub.stops);
	}
}

static void test_start_without_all(void **state)
{
	struct bench *t = *state;

	for (unsigned lacks = 0; lacks < 4; lacks++) {
		static const char *const words[] = {"SET_FEATURES", "SET_MEM_TABLE",
						    "SET_VRING_NUM", "SET_VRING_ADDR"};

		back_free(t->back);
		t->back = back_make(&stub_ops, &t->stub, QUEUES, RING_MAX_SIZE);
		if (lacks != 0)
			SAY(msg_u64(VHOST_SET_FEATURES, BIT(32)));
		if (lacks != 1)
			SAY(msg_table(t, 1));
		if (lacks != 2)
			SAY(msg_state(VHOST_SET_VRING_NUM, 0, 4));
		if (lacks != 3)
			SAY(msg_addr(0, USER + DESC, USER + AVAIL, USER + USED));
		BREAKS(msg_fd(VHOST_SET_VRING_KICK, 0), words[lacks]);
	}
}

static void test_largest_ring_that_is_taken(void **state)
{
	struct bench *t = *state;

	back_free(t->back);
	t->back = back_make(&stub_ops, &t->stub, QUEUES, 256);
	SAY(msg_state(VHOST_SET_VRING_NUM, 0, 256));
	BREAKS(msg_state(VHOST_SET_VRING_NUM, 0, 257), "1 to 256");
}

/* --- over a socket ------------------------------------------------------------------------- */

struct served {
	struct bench *t;
	int sock, stop, rc;
	struct err e;
	pthread_t thread;
};

static void *serve(void *arg)
{
	struct served *s = arg;

	s->rc = back_serve(s->t->back, s->sock, s->stop, &s->e);
	return NULL;
}

static int serve_begin(struct served *s, struct bench *t)
{
	int sv[2];

	*s = (struct served){.t = t};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	s->sock = sv[0];
	s->stop = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
	return sv[1];
}

static void serve_end(struct served *s)
{
	pthread_join(s->thread, NULL);
	close(s->sock);
	close(s->stop);
}

static uint64_t ask(int sock, struct vhost_msg m)
{
	struct vhost_msg r;

	assert_int_equal(vhost_send(sock, &m, 60000, NULL), 0);
	assert_int_equal(vhost_recv(sock, &r, 60000, NULL), 0);
	return r.u64;
}

static void test_served_until_the_peer_goes(void **state)
{
	struct served s;
	int sock = serve_begin(&s, *state);

	assert_true(ask(sock, msg(VHOST_GET_FEATURES, 0)) == (OFFERED | BIT(30)));
	assert_true(ask(sock, msg(VHOST_GET_QUEUE_NUM, 0)) == QUEUES);
	close(sock);
	serve_end(&s);
	assert_int_equal(s.rc, 0);
}

static void test_served_until_told(void **state)
{
	struct served s;
	int sock = serve_begin(&s, *state);

	assert_true(ask(sock, msg(VHOST_GET_QUEUE_NUM, 0)) == QUEUES);
	eventfd_write(s.stop, 1);
	serve_end(&s);
	assert_int_equal(s.rc, 0);
	close(sock);
}

/* A peer that breaks off amid a message, and one that speaks another protocol. */
static void test_served_until_it_breaks(void **state)
{
	static const char http[] = "GET / HTTP/1.1\r\n\r\n";
	struct served s;
	int sock = serve_begin(&s, *state);

	assert_int_equal(send(sock, http, sizeof(http), 0), sizeof(http));
	serve_end(&s);
	assert_int_equal(s.rc, -EPROTO);
	assert_non_null(strstr(s.e.text, "version"));
	close(sock);
}

/* A ring that broke: its error descriptor is told, and the session ends with its sentence. */
static void test_served_until_a_ring_breaks(void **state)
{
	struct bench *t = *state;
	struct vhost_msg m;
	struct served s;
	eventfd_t n = 0;
	int sock, fd;

	run0(t, BIT(32));
	m = msg_fd(VHOST_SET_VRING_ERR, 0);
	fd = fcntl(m.fds[0], F_DUPFD_CLOEXEC, 0);
	SAY(m);
	t->stub.broken = "descriptor 3 points at itself";
	sock = serve_begin(&s, t);
	serve_end(&s);
	assert_int_equal(s.rc, -EPROTO);
	assert_string_equal(s.e.text, "queue 0: descriptor 3 points at itself");
	assert_int_equal(eventfd_read(fd, &n), 0);
	assert_int_equal(n, 1);
	close(fd);
	close(sock);
}

/* Stopping and starting queues does not forget that memory went: GET_VRING_BASE must not tell the
 * peer that all is well, nor a ring start anew on zeroes. */
static void memory_is_lost_and_then(struct bench *t, struct vhost_msg m)
{
	struct dev_chain c;

	back_free(t->back);
	t->back = back_make(&stub_ops, &t->stub, QUEUES, RING_MAX_SIZE);
	assert_int_equal(ftruncate(t->memfd, SIZE), 0);
	run0(t, BIT(32));
	assert_int_equal(ftruncate(t->memfd, 0), 0);
	assert_int_equal(dev_pop(t->stub.vq[0], &c), 0);
	assert_int_equal(ftruncate(t->memfd, SIZE), 0);
	BREAKS(m, "cut its memory short");
}

/* The peer cuts its file short under a running ring: no signal ends us, and the session ends. */
static void test_served_until_memory_is_lost(void **state)
{
	struct bench *t = *state;
	struct dev_chain c;
	struct served s;
	int sock;

	mem_guard();
	run0(t, BIT(32));
	assert_int_equal(ftruncate(t->memfd, 0), 0);
	assert_int_equal(dev_pop(t->stub.vq[0], &c), 0); /* zeroes came in its place */
	sock = serve_begin(&s, t);
	serve_end(&s);
	assert_int_equal(s.rc, -EPROTO);
	assert_non_null(strstr(s.e.text, "cut its memory short"));
	close(sock);
	/* the next session is not blamed for it */
	back_free(t->back);
	t->back = back_make(&stub_ops, &t->stub, QUEUES, RING_MAX_SIZE);
	sock = serve_begin(&s, t);
	assert_true(ask(sock, msg(VHOST_GET_QUEUE_NUM, 0)) == QUEUES);
	close(sock);
	serve_end(&s);
	assert_int_equal(s.rc, 0);
	/* (In one test: cmocka has its own handler back at the start of each.) */
	memory_is_lost_and_then(t, msg_state(VHOST_GET_VRING_BASE, 0, 0));
	memory_is_lost_and_then(t, msg_fd(VHOST_SET_VRING_CALL, 0));
	memory_is_lost_and_then(t, msg_table(t, 1));
	/* And what goes in the middle of the stop. */
	back_free(t->back);
	t->back = back_make(&stub_ops, &t->stub, QUEUES, RING_MAX_SIZE);
	run0(t, BIT(32));
	t->stub.cut = t->memfd;
	SAY(msg_state(VHOST_GET_VRING_BASE, 0, 0));
	t->stub.cut = 0;
	BREAKS(msg(VHOST_GET_FEATURES, 0), "cut its memory short");
}

/* O_NONBLOCK is the peer's to take away, and the counter its to fill: the session ends all the
 * same, and so the next client is served. */
static void test_error_descriptor_that_blocks(void **state)
{
	struct bench *t = *state;
	struct vhost_msg m;
	struct served s;
	eventfd_t n = 0;
	int sock, fd;

	run0(t, BIT(32));
	m = msg_fd(VHOST_SET_VRING_ERR, 0);
	fd = fcntl(m.fds[0], F_DUPFD_CLOEXEC, 0);
	SAY(m);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	assert_int_equal(eventfd_write(fd, UINT64_MAX - 1), 0);
	t->stub.broken = "descriptor 3 points at itself";
	sock = serve_begin(&s, t);
	serve_end(&s);
	assert_int_equal(s.rc, -EPROTO);
	assert_int_equal(eventfd_read(fd, &n), 0);
	assert_true(n == UINT64_MAX - 1);
	close(fd);
	close(sock);
}

/* It adds one, and where there is no room for that, it does not wait for it. */
static void test_event_signal(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	eventfd_t n = 0;

	(void)state;
	event_signal(fd);
	event_signal(fd);
	assert_int_equal(eventfd_read(fd, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(eventfd_write(fd, UINT64_MAX - 1), 0);
	event_signal(fd);
	assert_int_equal(eventfd_read(fd, &n), 0);
	assert_true(n == UINT64_MAX - 1);
	close(fd);
}

/* All are asked before the first is waited for. */
static void test_rings_stop_together(void **state)
{
	struct bench *t = *state;

	prepare(t, BIT(32), 0, 4);
	SAY(msg_state(VHOST_SET_VRING_NUM, 2, 4));
	SAY(msg_addr(2, USER + DESC, USER + AVAIL, USER + USED));
	SAY(msg_fd(VHOST_SET_VRING_KICK, 0));
	SAY(msg_fd(VHOST_SET_VRING_KICK, 2));
	assert_int_equal(t->stub.starts, 2);
	assert_int_equal(t->stub.asked, 0);
	back_stop(t->back);
	assert_int_equal(t->stub.asked, 2);
	assert_int_equal(t->stub.stops, 2);
}

/* A peer that always has one more to say: the ring that broke is found before all is said. */
static void test_a_chatty_peer_hides_nothing(void **state)
{
	struct bench *t = *state;
	struct vhost_msg m = msg(VHOST_GET_FEATURES, 0);
	struct served s = {.t = t};
	int sv[2];

	run0(t, BIT(32));
	t->stub.broken = "descriptor 3 points at itself";
	t->stub.slow = true;
	t->stub.asked_features = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(vhost_send(sv[1], &m, 60000, NULL), 0);
	assert_int_equal(back_serve(t->back, sv[0], -1, &s.e), -EPROTO);
	assert_string_equal(s.e.text, "queue 0: descriptor 3 points at itself");
	/* 100 of 5 ms are more than twice 200 ms. */
	assert_in_range(t->stub.asked_features, 1, 99);
	close(sv[0]);
	close(sv[1]);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_questions_before_anything),
		T(test_config_space),
		T(test_config_sizes),
		T(test_features_that_were_not_offered),
		T(test_protocol_features_that_were_not_offered),
		T(test_ring_waits_for_enable),
		T(test_enable_waits_for_kick),
		T(test_ring_starts_without_bit_30),
		T(test_ring_without_descriptors),
		T(test_base_of_a_split_ring),
		T(test_base_of_a_packed_ring),
		T(test_what_was_negotiated),
		T(test_memory_changes_under_a_ring),
		T(test_memory_goes_under_a_ring),
		T(test_memory_slots),
		T(test_slot_overlaps),
		T(test_slot_with_the_ring_goes),
		T(test_call_changes_under_a_ring),
		T(test_acknowledgements),
		T(test_reset_owner),
		T(test_features_while_a_ring_runs),
		T(test_a_thread_that_does_not_start),
		T(test_size_while_a_ring_runs),
		T(test_base_while_a_ring_runs),
		T(test_malformed),
		T(test_impossible_rings),
		T(test_start_without_all),
		T(test_largest_ring_that_is_taken),
		T(test_served_until_the_peer_goes),
		T(test_served_until_told),
		T(test_served_until_it_breaks),
		T(test_served_until_a_ring_breaks),
		T(test_served_until_memory_is_lost),
		T(test_error_descriptor_that_blocks),
		T(test_event_signal),
		T(test_rings_stop_together),
		T(test_a_chatty_peer_hides_nothing),
	};

	/* What hangs shall not take the test with it for ever. */
	alarm(300);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
