/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The QMP client against a peer that answers, is late, refuses, talks rubbish, floods or goes (QEMU
 * docs/interop/qmp-spec). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/term.h"
#include "guest/qmp.h"

#define MS 1000000ull
#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"

struct peer {
	struct qmp q;
	int other;
};

static void peer_open(struct peer *p)
{
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	qmp_init(&p->q, sv[0]);
	p->other = sv[1];
}

static void peer_close(struct peer *p)
{
	if (p->other >= 0)
		close(p->other);
	qmp_free(&p->q);
}

static void say(struct peer *p, const char *text)
{
	assert_int_equal(write(p->other, text, strlen(text)), (ssize_t)strlen(text));
}

/* What we have sent so far, as text. */
static const char *heard(struct peer *p, char *buf, size_t size)
{
	ssize_t n = recv(p->other, buf, size - 1, MSG_DONTWAIT);

	buf[n > 0 ? n : 0] = 0;
	return buf;
}

static void greets_and_calls(void **state)
{
	struct err e = {0};
	struct peer p;
	json_t *ret;
	char buf[512];

	(void)state;
	peer_open(&p);
	say(&p, GREETING "{\"return\": {}, \"id\": 1}\r\n");
	assert_int_equal(qmp_greet(&p.q, clock_mono_ns() + 1000 * MS, &e), 0);
	assert_non_null(strstr(heard(&p, buf, sizeof(buf)), "qmp_capabilities"));
	say(&p, "{\"return\": {\"enabled\": true}, \"id\": 2}\r\n");
	assert_int_equal(
		qmp_call(&p.q, "query-kvm", NULL, -1, clock_mono_ns() + 1000 * MS, &ret, &e), 0);
	assert_true(json_is_true(json_object_get(ret, "enabled")));
	json_decref(ret);
	peer_close(&p);
}

/* An answer that came after its call had given up must not be taken for the next call's. */
static void late_answers_are_not_mixed_up(void **state)
{
	struct err e = {0};
	struct peer p;
	json_t *ret;

	(void)state;
	peer_open(&p);
	assert_int_equal(qmp_call(&p.q, "stop", NULL, -1, clock_mono_ns() + 20 * MS, &ret, &e),
			 -ETIMEDOUT);
	assert_null(ret);
	say(&p,
	    "{\"return\": {\"first\": 1}, \"id\": 1}\r\n{\"return\": {\"second\": 2}, \"id\": 2}\r\n");
	assert_int_equal(qmp_call(&p.q, "cont", NULL, -1, clock_mono_ns() + 1000 * MS, &ret, &e),
			 0);
	assert_non_null(json_object_get(ret, "second"));
	json_decref(ret);
	peer_close(&p);
}

static void events_between_are_kept_in_order(void **state)
{
	struct err e = {0};
	struct peer p;
	json_t *ev;

	(void)state;
	peer_open(&p);
	say(&p,
	    "{\"event\": \"STOP\"}\r\n{\"event\": \"RESUME\"}\r\n{\"return\": {}, \"id\": 1}\r\n{\"event\": \"STOP\"}\r\n");
	assert_int_equal(qmp_call(&p.q, "cont", NULL, -1, clock_mono_ns() + 1000 * MS, NULL, &e),
			 0);
	assert_int_equal(qmp_input(&p.q, &e), 0);
	ev = qmp_event(&p.q, "RESUME");
	assert_non_null(ev);
	json_decref(ev);
	ev = qmp_event(&p.q, NULL);
	assert_string_equal(json_string_value(json_object_get(ev, "event")), "STOP");
	json_decref(ev);
	ev = qmp_event(&p.q, "STOP");
	assert_non_null(ev);
	json_decref(ev);
	assert_null(qmp_event(&p.q, NULL));
	peer_close(&p);
}

static void refusal_carries_the_peers_sentence(void **state)
{
	struct err e = {0};
	struct peer p;

	(void)state;
	peer_open(&p);
	say(&p,
	    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such bus rp9\"}, \"id\": 1}\r\n");
	assert_int_equal(
		qmp_call(&p.q, "device_add", NULL, -1, clock_mono_ns() + 1000 * MS, NULL, &e),
		-EREMOTEIO);
	assert_non_null(strstr(e.text, "device_add"));
	assert_non_null(strstr(e.text, "no such bus rp9"));
	peer_close(&p);
}

static void death_is_told_from_silence(void **state)
{
	struct err e = {0};
	struct peer p;

	(void)state;
	peer_open(&p);
	close(p.other);
	p.other = -1;
	assert_int_equal(qmp_call(&p.q, "stop", NULL, -1, clock_mono_ns() + 5000 * MS, NULL, &e),
			 -ECONNRESET);
	peer_close(&p);
}

static void rubbish_is_refused(void **state)
{
	static const char *const rubbish[] = {"hello\r\n", "[1]\r\n", "{\"a\":\r\n", "\xff\xfe\r\n",
					      "{}{}\r\n"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rubbish) / sizeof(*rubbish); i++) {
		struct err e = {0};
		struct peer p;

		peer_open(&p);
		say(&p, rubbish[i]);
		assert_int_equal(
			qmp_call(&p.q, "stop", NULL, -1, clock_mono_ns() + 2000 * MS, NULL, &e),
			-EPROTO);
		peer_close(&p);
	}
}

static void a_greeting_of_something_else_is_refused(void **state)
{
	struct err e = {0};
	struct peer p;

	(void)state;
	peer_open(&p);
	say(&p, "{\"return\": {}}\r\n");
	assert_int_equal(qmp_greet(&p.q, clock_mono_ns() + 1000 * MS, &e), -EPROTO);
	peer_close(&p);
}

/* 1000 events nobody takes: the newest 256 are kept, and calls still work. */
static void a_flood_of_events_is_bounded(void **state)
{
	struct err e = {0};
	static char flood[1000 * 15];
	struct peer p;
	json_t *ev;
	int i, n = 0;

	(void)state;
	peer_open(&p);
	/* one write: a socket accounts every small one with a whole buffer */
	for (i = 0; i < 1000; i++)
		memcpy(flood + i * 15, "{\"event\": \"X\"}\n", 15);
	assert_int_equal(write(p.other, flood, sizeof(flood)), sizeof(flood));
	say(&p, "{\"return\": {}, \"id\": 1}\r\n");
	assert_int_equal(qmp_call(&p.q, "stop", NULL, -1, clock_mono_ns() + 5000 * MS, NULL, &e),
			 0);
	while ((ev = qmp_event(&p.q, "X"))) {
		json_decref(ev);
		n++;
	}
	assert_int_equal(n, 256);
	peer_close(&p);
}

/* A descriptor goes along with the command (SCM_RIGHTS), once. */
static void descriptors_are_passed(void **state)
{
	char text[512], control[CMSG_SPACE(sizeof(int) * 4)];
	struct iovec iov = {text, sizeof(text)};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control)};
	struct err e = {0};
	int pipefd[2], got = -1;
	struct cmsghdr *c;
	struct peer p;
	char byte = 0;

	(void)state;
	peer_open(&p);
	assert_int_equal(pipe(pipefd), 0);
	say(&p, "{\"return\": {}, \"id\": 1}\r\n");
	assert_int_equal(qmp_call(&p.q, "getfd", json_pack("{s:s}", "fdname", "x"), pipefd[1],
				  clock_mono_ns() + 1000 * MS, NULL, &e),
			 0);
	assert_true(recvmsg(p.other, &mh, 0) > 0);
	c = CMSG_FIRSTHDR(&mh);
	assert_non_null(c);
	assert_int_equal(c->cmsg_type, SCM_RIGHTS);
	assert_int_equal(c->cmsg_len, CMSG_LEN(sizeof(int)));
	memcpy(&got, CMSG_DATA(c), sizeof(got));
	assert_int_equal(write(got, "y", 1), 1);
	assert_int_equal(read(pipefd[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	close(got);
	close(pipefd[0]);
	close(pipefd[1]);
	peer_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(greets_and_calls),
		cmocka_unit_test(late_answers_are_not_mixed_up),
		cmocka_unit_test(events_between_are_kept_in_order),
		cmocka_unit_test(refusal_carries_the_peers_sentence),
		cmocka_unit_test(death_is_told_from_silence),
		cmocka_unit_test(rubbish_is_refused),
		cmocka_unit_test(a_greeting_of_something_else_is_refused),
		cmocka_unit_test(a_flood_of_events_is_bounded),
		cmocka_unit_test(descriptors_are_passed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
