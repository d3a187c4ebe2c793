// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The front end of vhost-user against a back end of this file, which also lies. Orders, sizes and
 * values are those of QEMU's docs/interop/vhost-user.rst; offsets in the configuration space are
 * counted from virtio 1.2, 5.2.4.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "engines/vhost.h"
#include "engines/vhost_front.h"

#define BIT(n) (1ull << (n))
/* VERSION_1, PROTOCOL_FEATURES, EVENT_IDX, INDIRECT_DESC; FLUSH, BLK_SIZE, SEG_MAX, MQ */
#define OFFERED (BIT(32) | BIT(30) | BIT(29) | BIT(28) | BIT(12) | BIT(9) | BIT(6) | BIT(2))
#define PROTOCOL (BIT(0) | BIT(3) | BIT(9)) /* MQ, REPLY_ACK, CONFIG */

enum lie { HONEST, HANG_UP, SILENT, OTHER_REQUEST, NO_REPLY_FLAG, SHORTER, LONGER, REFUSED, EMPTY };

struct seen {
	uint32_t request, flags;
	uint64_t u64;
	struct vhost_vring_state state;
	struct vhost_vring_address addr;
	struct vhost_memory memory;
	unsigned nfds;
	ino_t inode; /* of the first descriptor */
};

struct back {
	int sock;
	pthread_t thread;
	uint64_t offered, protocol, queues;
	uint8_t config[60];
	uint32_t config_size; /* longer requests come back empty */
	uint32_t lie_at;      /* request */
	enum lie lie;
	unsigned base_index; /* of GET_VRING_BASE's answer, added */
	struct seen seen[64];
	unsigned nseen;
};

/* --- the back end --- */

static void back_note(struct back *b, const struct vhost_msg *m)
{
	struct seen *s;
	struct stat st;

	assert_true(b->nseen < 64);
	s = &b->seen[b->nseen++];
	*s = (struct seen){.request = m->h.request, .flags = m->h.flags, .nfds = m->nfds};
	memcpy(&s->u64, m->raw, sizeof(s->u64));
	memcpy(&s->state, m->raw, sizeof(s->state));
	memcpy(&s->addr, m->raw, sizeof(s->addr));
	memcpy(&s->memory, m->raw, sizeof(s->memory));
	if (m->nfds && !fstat(m->fds[0], &st))
		s->inode = st.st_ino;
}

/* Makes the answer in m. Whether there is one. */
static bool back_answer(struct back *b, struct vhost_msg *m)
{
	switch (m->h.request) {
	case VHOST_GET_FEATURES:
		m->u64 = b->offered;
		break;
	case VHOST_GET_PROTOCOL_FEATURES:
		m->u64 = b->protocol;
		break;
	case VHOST_GET_QUEUE_NUM:
		m->u64 = b->queues;
		break;
	case VHOST_GET_VRING_BASE:
		m->state.index += b->base_index;
		m->state.num = 77;
		m->h.size = 8;
		return true;
	case VHOST_GET_CONFIG:
		if (m->config.size > b->config_size)
			m->h.size = 0;
		else
			memcpy(m->config.data, b->config, m->config.size);
		return true;
	default:
		if (!(m->h.flags & VHOST_FLAG_NEED_REPLY))
			return false;
		m->u64 = 0;
	}
	m->h.size = 8;
	return true;
}

/* False: the connection ends. */
static bool back_turn(struct back *b, struct vhost_msg *m)
{
	enum lie lie = m->h.request == b->lie_at ? b->lie : HONEST;
	bool answer;

	if (lie == HANG_UP)
		return false;
	answer = back_answer(b, m);
	if (!answer || lie == SILENT)
		return true;
	m->h.flags = VHOST_VERSION | VHOST_FLAG_REPLY;
	switch (lie) {
	case OTHER_REQUEST:
		m->h.request = VHOST_SET_LOG_FD;
		break;
	case NO_REPLY_FLAG:
		m->h.flags = VHOST_VERSION;
		break;
	case SHORTER:
		m->h.size -= 4;
		break;
	case LONGER:
		m->h.size += 4;
		break;
	case REFUSED:
		m->u64 = 1;
		break;
	case EMPTY:
		m->h.size = 0;
		break;
	default:
		break;
	}
	return !vhost_send(b->sock, m, 5000, NULL);
}

static void *back_run(void *arg)
{
	struct back *b = arg;
	struct vhost_msg m;

	while (!vhost_recv(b->sock, &m, 20000, NULL)) {
		bool on;

		back_note(b, &m);
		vhost_msg_drop(&m);
		m.nfds = 0;
		on = back_turn(b, &m);
		if (!on)
			break;
	}
	shutdown(b->sock, SHUT_RDWR);
	return NULL;
}

static void put(uint8_t *at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static void back_init(struct back *b)
{
	*b = (struct back){.offered = OFFERED, .protocol = PROTOCOL, .queues = 4};
	/* 5.2.4: capacity 0, size_max 8, seg_max 12, geometry 16, blk_size 20, topology 24,
	 * writeback 32, num_queues 34, max_discard_sectors 36, max_discard_seg 40,
	 * discard_sector_alignment 44, max_write_zeroes_sectors 48, .._seg 52, may_unmap 56 */
	put(b->config, 2048, 8);
	put(b->config + 8, 65536, 4);
	put(b->config + 12, 126, 4);
	put(b->config + 20, 4096, 4);
	put(b->config + 34, 3, 2);
	put(b->config + 36, 1000, 4);
	put(b->config + 40, 1, 4);
	put(b->config + 44, 8, 4);
	put(b->config + 48, 2000, 4);
	put(b->config + 52, 1, 4);
	put(b->config + 56, 1, 1);
	b->config_size = sizeof(b->config);
}

static int back_open(struct back *b, struct vhost_front **f, int ms, struct err *e)
{
	char path[32];
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	b->sock = sv[0];
	assert_int_equal(pthread_create(&b->thread, NULL, back_run, b), 0);
	snprintf(path, sizeof(path), "fd:%d", sv[1]);
	return vhost_front_open(f, path, ms, e);
}

static void back_end(struct back *b, struct vhost_front *f)
{
	vhost_front_close(f);
	shutdown(b->sock, SHUT_RDWR);
	pthread_join(b->thread, NULL);
	close(b->sock);
}

/* --- configuration space --- */

static void fields_lie_where_the_spec_has_them(void **state)
{
	uint64_t all = BIT(1) | BIT(2) | BIT(6) | BIT(12) | BIT(13) | BIT(14);
	struct vhost_front_blk blk;
	struct back b;

	(void)state;
	back_init(&b);
	assert_int_equal(vhost_front_parse(b.config, 60, all, &blk, NULL), 0);
	assert_int_equal(blk.capacity, 2048);
	assert_int_equal(blk.size_max, 65536);
	assert_int_equal(blk.seg_max, 126);
	assert_int_equal(blk.block_size, 4096);
	assert_int_equal(blk.num_queues, 3);
	assert_int_equal(blk.max_discard_sectors, 1000);
	assert_int_equal(blk.max_discard_seg, 1);
	assert_int_equal(blk.discard_alignment, 8);
	assert_int_equal(blk.max_write_zeroes_sectors, 2000);
	assert_int_equal(blk.max_write_zeroes_seg, 1);
	assert_true(blk.may_unmap);
}

static void fields_without_their_feature_are_not_read(void **state)
{
	struct vhost_front_blk blk;
	struct back b;

	(void)state;
	back_init(&b);
	assert_int_equal(vhost_front_parse(b.config, 60, 0, &blk, NULL), 0);
	assert_int_equal(blk.capacity, 2048);
	assert_int_equal(blk.block_size, 512);
	assert_int_equal(blk.num_queues, 1);
	assert_int_equal(blk.size_max + blk.seg_max + blk.max_discard_sectors, 0);
	assert_int_equal(blk.max_write_zeroes_sectors, 0);
	assert_false(blk.may_unmap);
}

static void fields_that_cannot_be_are_refused(void **state)
{
	static const struct {
		unsigned at, bytes;
		uint64_t value;
		unsigned bit;
		int rc;
	} t[] = {
		{0, 8, UINT64_MAX, 0, -EPROTO},
		{0, 8, BIT(54), 0, -EPROTO},
		{0, 8, BIT(54) - 1, 0, 0},
		{8, 4, 511, 1, -EPROTO},
		{8, 4, 0, 1, 0}, /* qemu-storage-daemon: no bound */
		{8, 4, 512, 1, 0},
		{12, 4, 0, 2, -EPROTO},
		{20, 4, 0, 6, -EPROTO},
		{20, 4, 768, 6, -EPROTO},
		{20, 4, 256, 6, -EPROTO},
		{20, 4, 1u << 31, 6, -EPROTO},
		{34, 2, 0, 12, -EPROTO},
	};
	struct vhost_front_blk blk;
	struct back b;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct err e = {0};

		back_init(&b);
		put(b.config + t[i].at, t[i].value, t[i].bytes);
		assert_int_equal(vhost_front_parse(b.config, 60, BIT(t[i].bit), &blk, &e), t[i].rc);
		assert_int_equal(e.text[0] != '\0', t[i].rc != 0);
	}
	back_init(&b);
	assert_int_equal(vhost_front_parse(b.config, 7, 0, &blk, NULL), -EPROTO);
}

/* --- opening --- */

/* KICK, CALL and ERR have eight bits for the queue, and the ninth says that there is no descriptor.
 */
static void no_more_queues_than_a_message_can_name(void **state)
{
	struct vhost_front *f;
	struct err e = {0};
	struct back b;

	(void)state;
	back_init(&b);
	b.queues = 300;
	put(b.config + 34, 1000, 2);
	assert_int_equal(back_open(&b, &f, 0, &e), 0);
	assert_int_equal(vhost_front_queues(f), 256);
	back_end(&b, f);
}

static void a_connection_that_is_lost_says_nothing_more(void **state)
{
	struct vhost_front *f;
	struct err e = {0};
	struct back b;
	unsigned before;

	(void)state;
	back_init(&b);
	assert_int_equal(back_open(&b, &f, 0, &e), 0);
	vhost_front_lose(f);
	pthread_join(b.thread, NULL);
	before = b.nseen;
	assert_int_equal(vhost_front_stop(f, 0, NULL, &e), -ENOTCONN);
	assert_int_equal(b.nseen, before);
	vhost_front_close(f);
	close(b.sock);
}

static void a_connection_is_set_up_in_the_order_of_the_document(void **state)
{
	static const uint32_t order[] = {
		VHOST_GET_FEATURES,
		VHOST_GET_PROTOCOL_FEATURES,
		VHOST_SET_PROTOCOL_FEATURES,
		VHOST_GET_QUEUE_NUM,
		VHOST_SET_OWNER,
		VHOST_GET_CONFIG,
	};
	struct vhost_front *f;
	struct err e = {0};
	struct back b;

	(void)state;
	back_init(&b);
	b.protocol |= BIT(15) | BIT(16); /* which this front end does not take */
	assert_int_equal(back_open(&b, &f, 0, &e), 0);
	assert_int_equal(vhost_front_offered(f), OFFERED);
	assert_int_equal(vhost_front_queues(f), 3); /* of 4 by message, 3 by config */
	assert_int_equal(vhost_front_blk(f)->capacity, 2048);
	assert_int_equal(vhost_front_blk(f)->size_max, 0); /* SIZE_MAX is not offered */
	back_end(&b, f);
	assert_int_equal(b.nseen, 6);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(b.seen[i].request, order[i]);
	assert_int_equal(b.seen[2].u64, PROTOCOL);
	/* no acknowledgement is asked for before the feature is set, nor with an answer */
	assert_int_equal(b.seen[2].flags, VHOST_VERSION);
	assert_int_equal(b.seen[3].flags, VHOST_VERSION);
	assert_int_equal(b.seen[4].flags, VHOST_VERSION | VHOST_FLAG_NEED_REPLY);
	assert_int_equal(b.seen[5].flags, VHOST_VERSION);
}

static void an_older_configuration_space_is_asked_for_again(void **state)
{
	struct vhost_front *f;
	struct back b;

	(void)state;
	back_init(&b);
	b.config_size = 36; /* up to and with num_queues */
	assert_int_equal(back_open(&b, &f, 0, NULL), 0);
	assert_int_equal(vhost_front_queues(f), 3);
	back_end(&b, f);
	back_init(&b);
	b.config_size = 8;
	assert_int_equal(back_open(&b, &f, 0, NULL), -EPROTO);
	assert_null(f);
	back_end(&b, f);
}

static void without_mq_there_is_one_queue_and_no_question(void **state)
{
	struct vhost_front *f;
	struct back b;

	(void)state;
	back_init(&b);
	b.protocol &= ~BIT(0);
	assert_int_equal(back_open(&b, &f, 0, NULL), 0);
	assert_int_equal(vhost_front_queues(f), 1);
	back_end(&b, f);
	for (unsigned i = 0; i < b.nseen; i++)
		assert_int_not_equal(b.seen[i].request, VHOST_GET_QUEUE_NUM);
}

static void what_lacks_the_needful_is_refused(void **state)
{
	static const struct {
		uint64_t offered, protocol, queues;
		int rc;
		const char *says;
	} t[] = {
		{OFFERED & ~BIT(32), PROTOCOL, 1, -ENOTSUP, "VERSION_1"},
		{OFFERED & ~BIT(30), PROTOCOL, 1, -ENOTSUP, "CONFIG"},
		{OFFERED, PROTOCOL & ~BIT(9), 1, -ENOTSUP, "CONFIG"},
		{OFFERED, PROTOCOL, 0, -EPROTO, "0 queues"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct vhost_front *f;
		struct err e = {0};
		struct back b;

		back_init(&b);
		b.offered = t[i].offered;
		b.protocol = t[i].protocol;
		b.queues = t[i].queues;
		assert_int_equal(back_open(&b, &f, 0, &e), t[i].rc);
		assert_non_null(strstr(e.text, t[i].says));
		back_end(&b, f);
	}
}

static void a_lying_back_end_is_found_out(void **state)
{
	static const struct {
		uint32_t at;
		enum lie lie;
		int rc;
	} t[] = {
		{VHOST_GET_FEATURES, HANG_UP, -ECONNRESET},
		{VHOST_GET_FEATURES, SILENT, -ETIMEDOUT},
		{VHOST_GET_FEATURES, OTHER_REQUEST, -EPROTO},
		{VHOST_GET_FEATURES, NO_REPLY_FLAG, -EPROTO},
		{VHOST_GET_FEATURES, SHORTER, -EPROTO},
		{VHOST_GET_FEATURES, LONGER, -EPROTO},
		{VHOST_GET_FEATURES, EMPTY, -EPROTO},
		{VHOST_GET_QUEUE_NUM, OTHER_REQUEST, -EPROTO},
		{VHOST_SET_OWNER, REFUSED, -EREMOTEIO},
		{VHOST_SET_OWNER, SILENT, -ETIMEDOUT},
		{VHOST_SET_OWNER, SHORTER, -EPROTO},
		{VHOST_GET_CONFIG, SHORTER, -EPROTO},
		{VHOST_GET_CONFIG, LONGER, -EPROTO},
		{VHOST_GET_CONFIG, EMPTY, -EPROTO},
		{VHOST_GET_CONFIG, HANG_UP, -ECONNRESET},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct vhost_front *f = NULL;
		struct err e = {0};
		struct back b;

		back_init(&b);
		b.lie_at = t[i].at;
		b.lie = t[i].lie;
		assert_int_equal(back_open(&b, &f,
					   t[i].lie != SILENT		   ? 0
					   : t[i].at == VHOST_GET_FEATURES ? 50
									   : 1500,
					   &e),
				 t[i].rc);
		assert_null(f);
		/* the sentence names the message */
		assert_non_null(strstr(e.text, t[i].at == VHOST_GET_CONFIG && t[i].lie == EMPTY
						       ? "configuration space"
						       : vhost_request_name(t[i].at)));
		back_end(&b, f);
	}
}

static void paths_that_are_no_sockets_are_refused(void **state)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	struct vhost_front *f;
	struct err e = {0};
	char text[32];
	int fd;

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(vhost_front_open(&f, path, 0, NULL), -EINVAL);
	assert_int_equal(vhost_front_open(&f, "/nonexistent/socket", 0, &e), -ENOENT);
	assert_non_null(strstr(e.text, "/nonexistent/socket"));
	assert_int_equal(vhost_front_open(&f, "fd:", 0, NULL), -EINVAL);
	assert_int_equal(vhost_front_open(&f, "fd:-1", 0, NULL), -EINVAL);
	assert_int_equal(vhost_front_open(&f, "fd:3x", 0, NULL), -EINVAL);
	assert_int_equal(vhost_front_open(&f, "fd:99999", 0, NULL), -EINVAL);
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	snprintf(text, sizeof(text), "fd:%d", fd);
	assert_int_equal(vhost_front_open(&f, text, 0, NULL), -EINVAL);
	assert_null(f);
	close(fd);
}

/* --- negotiation, memory, queues --- */

static void features_that_are_not_offered_are_not_taken(void **state)
{
	struct vhost_front *f;
	unsigned before;
	struct back b;

	(void)state;
	back_init(&b);
	assert_int_equal(back_open(&b, &f, 0, NULL), 0);
	before = b.nseen;
	assert_int_equal(vhost_front_negotiate(f, BIT(32) | BIT(34), NULL), -EINVAL);
	assert_int_equal(b.nseen, before);
	assert_int_equal(vhost_front_negotiate(f, BIT(32) | BIT(29), NULL), 0);
	back_end(&b, f);
	assert_int_equal(b.nseen, before + 1);
	assert_int_equal(b.seen[before].request, VHOST_SET_FEATURES);
	assert_int_equal(b.seen[before].u64, BIT(32) | BIT(30) | BIT(29));
}

static ino_t inode(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static void memory_is_described_with_its_three_addresses(void **state)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	struct vhost_front *f;
	const struct seen *s;
	struct back b;

	(void)state;
	back_init(&b);
	assert_int_equal(back_open(&b, &f, 0, NULL), 0);
	assert_int_equal(vhost_front_share(f, fd, 8192, (void *)0x7000, 0x100000, NULL), 0);
	back_end(&b, f);
	s = &b.seen[b.nseen - 1];
	assert_int_equal(s->request, VHOST_SET_MEM_TABLE);
	assert_int_equal(s->nfds, 1);
	assert_int_equal(s->inode, inode(fd));
	assert_int_equal(s->memory.n, 1);
	assert_int_equal(s->memory.region[0].guest, 0x100000);
	assert_int_equal(s->memory.region[0].size, 8192);
	assert_int_equal(s->memory.region[0].user, 0x7000);
	assert_int_equal(s->memory.region[0].offset, 0);
	close(fd);
}

/* NUM, BASE, ADDR before the descriptors; KICK starts the ring; ENABLE as bit 30 was accepted. */
static void check_start(const struct seen *s, uint32_t index, uint32_t size, uint32_t base)
{
	static const uint32_t order[] = {
		VHOST_SET_VRING_NUM,	VHOST_SET_VRING_BASE, VHOST_SET_VRING_ADDR,
		VHOST_SET_VRING_ERR,	VHOST_SET_VRING_CALL, VHOST_SET_VRING_KICK,
		VHOST_SET_VRING_ENABLE,
	};

	for (unsigned i = 0; i < 7; i++) {
		assert_int_equal(s[i].request, order[i]);
		assert_int_equal(s[i].state.index, index);
		assert_int_equal(s[i].nfds, i >= 3 && i < 6);
	}
	assert_int_equal(s[0].state.num, size);
	assert_int_equal(s[1].state.num, base);
	assert_int_equal(s[2].addr.flags, 0);
	assert_int_equal(s[2].addr.desc, 0x1000);
	assert_int_equal(s[2].addr.avail, 0x2000);
	assert_int_equal(s[2].addr.used, 0x3000);
	assert_int_equal(s[6].state.num, 1);
}

static void a_queue_is_whole_before_it_is_kicked(void **state)
{
	struct ring_areas a = {(void *)0x1000, (void *)0x2000, (void *)0x3000};
	struct ring_opts split = {.size = 128}, packed = {.size = 1000, .packed = true};
	struct vhost_front_fds fds;
	struct vhost_front *f;
	uint32_t base = 0;
	unsigned n;
	struct back b;

	(void)state;
	back_init(&b);
	assert_int_equal(back_open(&b, &f, 0, NULL), 0);
	n = b.nseen;
	assert_int_equal(vhost_front_start(f, 2, &split, &a, &fds, NULL), 0);
	check_start(b.seen + n, 2, 128, 0);
	assert_true(fcntl(fds.kick, F_GETFL) & O_NONBLOCK);
	assert_int_equal(vhost_front_stop(f, 2, &base, NULL), 0);
	assert_int_equal(base, 77);
	vhost_front_fds_close(&fds);
	assert_int_equal(fds.kick, -1);
	n = b.nseen;
	assert_int_equal(vhost_front_start(f, 0, &packed, &a, &fds, NULL), 0);
	check_start(b.seen + n, 0, 1000, 0x80008000);
	vhost_front_fds_close(&fds);
	/* the device has queues 0 .. 2 */
	n = b.nseen;
	assert_int_equal(vhost_front_start(f, 3, &split, &a, &fds, NULL), -EINVAL);
	assert_int_equal(b.nseen, n);
	back_end(&b, f);
}

static void a_refused_queue_leaves_nothing_open(void **state)
{
	struct ring_areas a = {(void *)0x1000, (void *)0x2000, (void *)0x3000};
	struct ring_opts o = {.size = 128};
	struct vhost_front_fds fds;
	struct vhost_front *f;
	struct err e = {0};
	struct back b;

	(void)state;
	back_init(&b);
	b.lie_at = VHOST_SET_VRING_CALL;
	b.lie = REFUSED;
	assert_int_equal(back_open(&b, &f, 0, NULL), 0);
	assert_int_equal(vhost_front_start(f, 0, &o, &a, &fds, &e), -EREMOTEIO);
	assert_non_null(strstr(e.text, "SET_VRING_CALL"));
	assert_int_equal(fds.kick, -1);
	assert_int_equal(fds.call, -1);
	assert_int_equal(fds.err, -1);
	/* a refusal is an answer: the connection goes on */
	assert_int_equal(vhost_front_stop(f, 0, NULL, NULL), 0);
	back_end(&b, f);
}

static void after_a_lie_the_connection_is_given_up(void **state)
{
	struct vhost_front *f;
	struct back b;

	(void)state;
	back_init(&b);
	b.lie_at = VHOST_GET_VRING_BASE;
	b.lie = OTHER_REQUEST;
	assert_int_equal(back_open(&b, &f, 0, NULL), 0);
	assert_int_equal(vhost_front_stop(f, 0, NULL, NULL), -EPROTO);
	assert_int_equal(vhost_front_stop(f, 0, NULL, NULL), -ENOTCONN);
	back_end(&b, f);
	back_init(&b);
	b.base_index = 1;
	assert_int_equal(back_open(&b, &f, 0, NULL), 0);
	assert_int_equal(vhost_front_stop(f, 0, NULL, NULL), -EPROTO);
	back_end(&b, f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_lie_where_the_spec_has_them),
		cmocka_unit_test(fields_without_their_feature_are_not_read),
		cmocka_unit_test(fields_that_cannot_be_are_refused),
		cmocka_unit_test(no_more_queues_than_a_message_can_name),
		cmocka_unit_test(a_connection_that_is_lost_says_nothing_more),
		cmocka_unit_test(a_connection_is_set_up_in_the_order_of_the_document),
		cmocka_unit_test(an_older_configuration_space_is_asked_for_again),
		cmocka_unit_test(without_mq_there_is_one_queue_and_no_question),
		cmocka_unit_test(what_lacks_the_needful_is_refused),
		cmocka_unit_test(a_lying_back_end_is_found_out),
		cmocka_unit_test(paths_that_are_no_sockets_are_refused),
		cmocka_unit_test(features_that_are_not_offered_are_not_taken),
		cmocka_unit_test(memory_is_described_with_its_three_addresses),
		cmocka_unit_test(a_queue_is_whole_before_it_is_kicked),
		cmocka_unit_test(a_refused_queue_leaves_nothing_open),
		cmocka_unit_test(after_a_lie_the_connection_is_given_up),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
