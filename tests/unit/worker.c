// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The thread of a queue, against a driver filled in by hand in this one: every way of waiting, with
 * notifications as virtio 1.2, 2.7.7 and 2.7.10 (flags) have them. Times are only ever bounded so
 * far that what fails hangs.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "engines/worker.h"
#include "handring.h"

#define HEADER 0x10000
#define STATUS 0x11000
#define DATA 0x20000
#define FOREVER 30000000000u /* ns: nothing takes this long unless it hangs */

struct fixture {
	struct hand h;
	struct blkdev *b;
	struct worker *w;
	struct worker_opts o;
	unsigned kicks, interrupts;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fixture_open_event(struct fixture *f, enum blk_kind kind, uint64_t latency,
			       enum ring_wait wait, uint64_t poll_ns, bool event_idx)
{
	struct blkdev_opts o = {.kind = kind,
				.size = 1 << 20,
				.latency_ns = latency,
				.block_size = 512,
				.queues = 1};
	struct err e = {0};
	char path[] = "/var/tmp/vbench-worker-XXXXXX";

	memset(f, 0, sizeof(*f));
	hand_make(&f->h, event_idx);
	if (kind == BLK_FILE) {
		int fd = mkstemp(path);

		assert_true(fd >= 0);
		assert_int_equal(ftruncate(fd, 1 << 20), 0);
		close(fd);
		o.path = path;
	}
	assert_int_equal(blkdev_open(&f->b, &o, &e), 0);
	if (kind == BLK_FILE)
		unlink(path);
	f->o = (struct worker_opts){
		.wait = wait,
		.poll_ns = poll_ns,
		.kick = eventfd(0, EFD_CLOEXEC),
		.call = eventfd(0, EFD_CLOEXEC),
		.cpu = -1,
	};
	if (worker_start(&f->w, f->b, f->h.vq, &f->o, &e))
		fail_msg("%s", e.text);
}

static void fixture_open(struct fixture *f, enum blk_kind kind, uint64_t latency,
			 enum ring_wait wait, uint64_t poll_ns)
{
	fixture_open_event(f, kind, latency, wait, poll_ns, false);
}

static void fixture_close(struct fixture *f)
{
	worker_stop(f->w);
	close(f->o.kick);
	close(f->o.call);
	blkdev_close(f->b);
	hand_free(&f->h);
}

/* Kicks unless the device does not want it (2.7.10.1: NO_NOTIFY is read after idx is written). */
static void kick(struct fixture *f)
{
	uint64_t one = 1;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (le16toh(__atomic_load_n(&f->h.used->flags, __ATOMIC_RELAXED)) & VRING_USED_F_NO_NOTIFY)
		return;
	f->kicks++;
	assert_int_equal(write(f->o.kick, &one, sizeof(one)), sizeof(one));
}

/* Sleeps on the call descriptor until n chains are back. */
static void await(struct fixture *f, unsigned n)
{
	uint64_t end = now_ns() + FOREVER;
	uint32_t id, len;

	for (;;) {
		struct pollfd p = {.fd = f->o.call, .events = POLLIN};
		uint64_t count;

		while (n && hand_take(&f->h, &id, &len))
			n--;
		if (!n)
			return;
		if (now_ns() > end)
			fail_msg("%u chains do not come back", n);
		if (poll(&p, 1, 1000) > 0 && read(f->o.call, &count, sizeof(count)) > 0)
			f->interrupts++;
	}
}

/* Chain i of those in flight: a header, a sector and a status of its own. */
static void add(struct fixture *f, unsigned i, uint32_t type, uint64_t sector)
{
	struct hand_seg s[] = {{HEADER + 16 * i, 16, false},
			       {DATA + 512 * i, 512, type == VIRTIO_BLK_T_IN},
			       {STATUS + i, 1, true}};

	hand_header(&f->h, HEADER + 16 * i, type, sector);
	f->h.at[STATUS + i] = (char)0xee;
	hand_add(&f->h, s, 3);
}

static const struct {
	const char *name;
	enum ring_wait wait;
	uint64_t poll_ns;
} waits[] = {
	{"poll", WAIT_POLL, 0},
	{"eventfd", WAIT_EVENTFD, 0},
	{"adaptive 0", WAIT_ADAPTIVE, 0},
	{"adaptive 20 us", WAIT_ADAPTIVE, 20000},
};

/* Write and read back, 1 to 40 requests at a time, over every back end. No lost wake-up: await()
 * would wait for ever. */
static void every_way_of_waiting_serves(void **state)
{
	static const enum blk_kind kinds[] = {BLK_NULL, BLK_MEMORY, BLK_FILE};

	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		for (unsigned i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
			struct fixture f;

			fixture_open(&f, kinds[k], 0, waits[i].wait, waits[i].poll_ns);
			for (unsigned round = 0; round < 200; round++) {
				unsigned n = 1 + round * 7 % 40;
				bool reads = round & 1;

				if (reads)
					n = 1 + (round - 1) * 7 % 40;
				for (unsigned j = 0; j < n; j++) {
					memset(f.h.at + DATA + 512 * j,
					       reads ? 0 : (char)(round + j + 1), 512);
					add(&f, j, reads ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT,
					    j * 3);
				}
				kick(&f);
				await(&f, n);
				for (unsigned j = 0; j < n; j++) {
					char want = (char)(round - 1 + j + 1);

					assert_int_equal(f.h.at[STATUS + j], 0);
					if (reads && kinds[k] != BLK_NULL) {
						assert_int_equal(f.h.at[DATA + 512 * j], want);
						assert_int_equal(f.h.at[DATA + 512 * j + 511],
								 want);
					}
				}
			}
			assert_null(worker_broken(f.w));
			/* Polling asks for nothing, from before the first chain on... almost: the
			 * thread may still have been starting. */
			if (waits[i].wait == WAIT_POLL)
				assert_true(f.kicks <= 1);
			fixture_close(&f);
		}
	}
}

/* A thread that sleeps has asked for a kick; one that polls has not. */
static void notifications_are_wanted_when_asleep(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
		uint64_t end = now_ns() + FOREVER;
		bool polls = waits[i].wait == WAIT_POLL, no_notify;
		struct fixture f;

		fixture_open(&f, BLK_NULL, 0, waits[i].wait, waits[i].poll_ns);
		add(&f, 0, VIRTIO_BLK_T_IN, 0);
		kick(&f);
		await(&f, 1);
		do {
			no_notify = le16toh(__atomic_load_n(&f.h.used->flags, __ATOMIC_RELAXED)) &
				    VRING_USED_F_NO_NOTIFY;
			assert_true(now_ns() < end);
			sched_yield();
		} while (no_notify != polls);
		fixture_close(&f);
	}
}

static void no_kick_descriptor_means_polling(void **state)
{
	struct worker_opts o = {.wait = WAIT_EVENTFD, .kick = -1, .call = -1, .cpu = -1};
	struct fixture f;
	uint32_t id, len;
	uint64_t end = now_ns() + FOREVER;

	(void)state;
	fixture_open(&f, BLK_NULL, 0, WAIT_POLL, 0);
	worker_stop(f.w);
	assert_int_equal(worker_start(&f.w, f.b, f.h.vq, &o, NULL), 0);
	add(&f, 0, VIRTIO_BLK_T_IN, 0);
	while (!hand_take(&f.h, &id, &len)) {
		assert_true(now_ns() < end);
		sched_yield();
	}
	fixture_close(&f);
}

/*
 * 30 requests of 300 ms, and the end when all are taken: they are answered, and no earlier than
 * they may be. With the event index, a device that has taken them and sleeps shows it: it asks for
 * a kick at the chain after them (2.7.10.2).
 */
static void stopping_waits_for_what_is_in_flight(void **state)
{
	(void)state;
	for (unsigned i = 1; i < sizeof(waits) / sizeof(*waits); i++) {
		uint64_t start, end = now_ns() + FOREVER, one = 1;
		struct fixture f;

		fixture_open_event(&f, BLK_NULL, 300000000, waits[i].wait, waits[i].poll_ns, true);
		start = now_ns();
		for (unsigned j = 0; j < 30; j++)
			add(&f, j, VIRTIO_BLK_T_IN, 0);
		assert_int_equal(write(f.o.kick, &one, sizeof(one)), sizeof(one));
		while (hand_avail_event(&f.h) != 30) {
			assert_true(now_ns() < end);
			sched_yield();
		}
		worker_stop(f.w);
		f.w = NULL;
		assert_true(now_ns() - start >= 300000000);
		assert_int_equal(le16toh(f.h.used->idx), 30);
		assert_int_equal(dev_base(f.h.vq), 30);
		for (unsigned j = 0; j < 30; j++)
			assert_int_equal(f.h.at[STATUS + j], 0);
		fixture_close(&f);
	}
}

/* Whenever it is stopped, nothing is taken that is not given back. */
static void stopping_at_any_moment_loses_nothing(void **state)
{
	static const enum blk_kind kinds[] = {BLK_NULL, BLK_MEMORY, BLK_FILE};

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		struct fixture f;

		fixture_open(&f, kinds[i % 3], i & 1 && !(i % 3) ? 100000 : 0,
			     waits[i / 3 % 4].wait, waits[i / 3 % 4].poll_ns);
		for (unsigned j = 0; j < 40; j++) {
			add(&f, j, VIRTIO_BLK_T_OUT, j);
			if (j % 10 == 0)
				kick(&f);
		}
		if (i & 2)
			sched_yield();
		worker_stop(f.w);
		f.w = NULL;
		assert_int_equal(dev_counters(f.h.vq)->popped, le16toh(f.h.used->idx));
		assert_int_equal(dev_base(f.h.vq), le16toh(f.h.used->idx));
		fixture_close(&f);
	}
}

/* Asleep with requests in flight: it is the time that wakes it, nothing else. */
static void a_due_time_wakes_the_sleeper(void **state)
{
	(void)state;
	for (unsigned i = 1; i < sizeof(waits) / sizeof(*waits); i++) {
		struct fixture f;
		uint64_t start;

		fixture_open(&f, BLK_NULL, 20000000, waits[i].wait, waits[i].poll_ns);
		for (unsigned j = 0; j < 3; j++) {
			start = now_ns();
			add(&f, 0, VIRTIO_BLK_T_IN, 0);
			kick(&f);
			await(&f, 1);
			assert_true(now_ns() - start >= 20000000);
		}
		fixture_close(&f);
	}
}

static const char *await_broken(struct fixture *f)
{
	uint64_t end = now_ns() + FOREVER;

	while (!worker_broken(f->w)) {
		assert_true(now_ns() < end);
		sched_yield();
	}
	return worker_broken(f->w);
}

static void a_broken_ring_is_told(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
		struct hand_seg bad[] = {{HAND_BYTES - 8, 16, false}, {STATUS, 1, true}};
		struct fixture f;
		char why[256];

		fixture_open(&f, BLK_NULL, 0, waits[i].wait, waits[i].poll_ns);
		assert_null(worker_broken(f.w));
		hand_add(&f.h, bad, 2);
		kick(&f);
		snprintf(why, sizeof(why), "%s", await_broken(&f));
		worker_stop(f.w);
		f.w = NULL;
		assert_string_equal(why, dev_why(f.h.vq));
		fixture_close(&f);
	}
}

/* A peer may give anything as its kick: what is readable for ever must not be waited on. */
static void a_kick_that_is_no_eventfd_breaks_the_queue(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct worker_opts o = {.wait = WAIT_EVENTFD, .call = -1, .cpu = -1};
		struct fixture f;
		int p[2];

		fixture_open(&f, BLK_NULL, 0, WAIT_POLL, 0);
		worker_stop(f.w);
		assert_int_equal(pipe(p), 0);
		if (i == 0)
			close(p[1]); /* its other end is gone */
		else if (i == 1)
			dup2(open("/dev/null", O_RDONLY), p[0]); /* nothing, at once */
		else
			dup2(open("/dev/null", O_WRONLY), p[0]);
		o.kick = p[0];
		assert_int_equal(worker_start(&f.w, f.b, f.h.vq, &o, NULL), 0);
		assert_non_null(strstr(await_broken(&f), "kick"));
		fixture_close(&f);
		close(p[0]);
		if (i)
			close(p[1]);
	}
}

/* A call that nobody reads, full: no write to it may block. */
static void a_full_call_does_not_block(void **state)
{
	uint64_t most = UINT64_MAX - 1;
	struct fixture f;
	uint32_t id, len;

	(void)state;
	fixture_open(&f, BLK_NULL, 0, WAIT_EVENTFD, 0);
	assert_int_equal(write(f.o.call, &most, sizeof(most)), sizeof(most));
	for (unsigned i = 0; i < 3; i++) {
		uint64_t end = now_ns() + FOREVER;

		add(&f, 0, VIRTIO_BLK_T_IN, 0);
		kick(&f);
		while (!hand_take(&f.h, &id, &len)) {
			assert_true(now_ns() < end);
			sched_yield();
		}
	}
	fixture_close(&f);
}

/*
 * O_NONBLOCK belongs to the open file description, which the peer shares: it takes it away and
 * fills the counter. What was served before the interrupt is there, and the end comes all the same.
 */
static void a_call_that_was_made_to_block_does_not_hold_up_the_end(void **state)
{
	uint64_t most = UINT64_MAX - 1;

	(void)state;
	for (unsigned i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
		uint64_t end = now_ns() + FOREVER;
		struct fixture f;
		uint32_t id, len;

		fixture_open(&f, BLK_NULL, 0, waits[i].wait, waits[i].poll_ns);
		assert_int_equal(fcntl(f.o.call, F_SETFL, 0), 0);
		assert_int_equal(write(f.o.call, &most, sizeof(most)), sizeof(most));
		add(&f, 0, VIRTIO_BLK_T_IN, 0);
		kick(&f);
		while (!hand_take(&f.h, &id, &len)) {
			assert_true(now_ns() < end);
			sched_yield();
		}
		fixture_close(&f);
	}
}

/* worker_ask alone has it drained: several that were asked wait at the same time. It shows in the
 * event index: a device that has taken the chain and sleeps asks for a kick at the next (2.7.10.2),
 * one that drains does not take that one any more. */
static void what_was_asked_to_end_ends_by_itself(void **state)
{
	uint64_t end = now_ns() + FOREVER, one = 1;
	struct fixture f;
	uint32_t id, len;

	(void)state;
	fixture_open_event(&f, BLK_NULL, 300000000, WAIT_EVENTFD, 0, true);
	add(&f, 0, VIRTIO_BLK_T_IN, 0);
	assert_int_equal(write(f.o.kick, &one, sizeof(one)), sizeof(one));
	while (hand_avail_event(&f.h) != 1) {
		assert_true(now_ns() < end);
		sched_yield();
	}
	worker_ask(f.w);
	worker_ask(f.w);
	add(&f, 1, VIRTIO_BLK_T_IN, 0);
	assert_int_equal(write(f.o.kick, &one, sizeof(one)), sizeof(one));
	while (!hand_take(&f.h, &id, &len)) {
		assert_true(now_ns() < end);
		sched_yield();
	}
	worker_stop(f.w);
	f.w = NULL;
	assert_false(hand_take(&f.h, &id, &len));
	assert_int_equal(dev_base(f.h.vq), 1);
	fixture_close(&f);
}

static atomic_uint yields; /* of threads other than the first */

/* In the place of libc's. */
int sched_yield(void)
{
	if (gettid() != getpid())
		atomic_fetch_add(&yields, 1);
	return (int)syscall(SYS_sched_yield);
}

/* A driver on the poller's CPU would else wait for the end of its time slice. */
static void an_idle_poller_yields(void **state)
{
	uint64_t end = now_ns() + FOREVER;
	struct fixture f;

	(void)state;
	fixture_open(&f, BLK_NULL, 0, WAIT_POLL, 0);
	atomic_store(&yields, 0);
	while (!atomic_load(&yields))
		assert_true(now_ns() < end);
	fixture_close(&f);
}

static void what_cannot_start_says_why(void **state)
{
	struct worker_opts o = {.wait = WAIT_POLL, .kick = -1, .call = -1, .cpu = CPU_SETSIZE - 1};
	struct fixture f;
	struct worker *w;
	struct err e = {0};

	(void)state;
	fixture_open(&f, BLK_NULL, 0, WAIT_POLL, 0);
	worker_stop(f.w);
	f.w = NULL;
	assert_int_equal(worker_start(&w, f.b, f.h.vq, &o, &e), -EINVAL);
	assert_null(w);
	assert_non_null(strstr(e.text, "CPU 1023"));
	o.cpu = INT32_MAX;
	assert_int_equal(worker_start(&w, f.b, f.h.vq, &o, NULL), -EINVAL);
	o.cpu = -1;
	o.kick = 1 << 20; /* no such descriptor */
	assert_int_equal(worker_start(&w, f.b, f.h.vq, &o, &e), -EBADF);
	assert_int_equal(worker_start(&w, f.b, f.h.vq, &o, NULL), -EBADF);
	assert_non_null(strstr(e.text, "kick"));
	worker_stop(NULL);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_of_waiting_serves),
		cmocka_unit_test(notifications_are_wanted_when_asleep),
		cmocka_unit_test(no_kick_descriptor_means_polling),
		cmocka_unit_test(stopping_waits_for_what_is_in_flight),
		cmocka_unit_test(stopping_at_any_moment_loses_nothing),
		cmocka_unit_test(a_due_time_wakes_the_sleeper),
		cmocka_unit_test(a_broken_ring_is_told),
		cmocka_unit_test(a_kick_that_is_no_eventfd_breaks_the_queue),
		cmocka_unit_test(a_full_call_does_not_block),
		cmocka_unit_test(a_call_that_was_made_to_block_does_not_hold_up_the_end),
		cmocka_unit_test(what_was_asked_to_end_ends_by_itself),
		cmocka_unit_test(an_idle_poller_yields),
		cmocka_unit_test(what_cannot_start_says_why),
	};

	/* A thread that hangs shall not take the test with it for ever. */
	alarm(300);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
