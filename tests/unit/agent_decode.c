/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host makes of a guest's messages: honest ones are read, others refused. Shapes from
 * wire.h and HACKING.md.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "guest/agent.h"
#include "guest/agent_decode.h"

#define COUNTERS(ns)                                                                      \
	"{\"cpu\":{\"user\":1,\"nice\":0,\"system\":2,\"idle\":3,\"iowait\":0,\"irq\":0," \
	"\"softirq\":0,\"steal\":4},\"ctxt\":10,\"intr\":20,\"mono_ns\":" ns "}"
#define RESULT_WITH(exit, fio, output, before, after)                                         \
	"{\"exit\":" exit ",\"signal\":0,\"cancelled\":false,\"timed_out\":true,\"fio\":" fio \
	",\"output\":" output ",\"before\":" before ",\"after\":" after "}"
#define GOOD_RESULT                                                                             \
	RESULT_WITH("0", "{\"jobs\":[{\"jobname\":\"j\"}]}", "\"a\\u001bb\\n\"", COUNTERS("5"), \
		    COUNTERS("9"))
#define GOOD_DISK                                                                            \
	"{\"name\":\"vda\",\"path\":\"/dev/vda\",\"driver\":\"virtio_blk\","                 \
	"\"transport_driver\":null,\"pci\":\"0000:01:00.0\",\"serial\":\"vb-1\","            \
	"\"size_bytes\":1048576,\"features\":\"0110\",\"queues\":2,\"scheduler\":\"none\","  \
	"\"schedulers\":\"[none] mq-deadline\",\"write_cache\":\"write back\","              \
	"\"logical_block_size\":512,\"physical_block_size\":512,\"discard_max_bytes\":0,"    \
	"\"nr_requests\":256,\"max_segments\":254,\"max_sectors_kb\":1280,\"rotational\":0," \
	"\"wbt_lat_usec\":null,\"msix_vectors\":3}"

static json_t *parse(const char *text)
{
	json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	if (!j)
		fail_msg("the test's own JSON: %s", text);
	return j;
}

static void test_version(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} table[] = {
		{"{\"version\":1,\"agent\":\"a\"}", 0},
		{"{\"version\":2,\"agent\":\"a\"}", -EPROTO},
		{"{\"version\":\"1\",\"agent\":\"a\"}", -EPROTO},
		{"{\"version\":1.0,\"agent\":\"a\"}", -EPROTO},
		{"{\"version\":1}", -EPROTO},
		{"{}", -EPROTO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		json_t *j = parse(table[i].text);
		struct err e = {0};

		assert_int_equal(agent_decode_version(j, &e), table[i].rc);
		assert_int_equal(!!e.text[0], table[i].rc != 0);
		assert_int_equal(agent_decode_version(j, NULL), table[i].rc);
		json_decref(j);
	}
}

static void test_progress(void **state)
{
	static const char *const bad[] = {
		"{\"iops\":-1,\"bw_bytes\":0,\"elapsed_ms\":0,\"ios\":0}",
		"{\"iops\":1e300,\"bw_bytes\":0,\"elapsed_ms\":0,\"ios\":0}",
		"{\"iops\":\"1\",\"bw_bytes\":0,\"elapsed_ms\":0,\"ios\":0}",
		"{\"iops\":1,\"bw_bytes\":null,\"elapsed_ms\":0,\"ios\":0}",
		"{\"iops\":1,\"bw_bytes\":0,\"elapsed_ms\":-1,\"ios\":0}",
		"{\"iops\":1,\"bw_bytes\":0,\"elapsed_ms\":1.5,\"ios\":0}",
		"{\"iops\":1,\"bw_bytes\":0,\"elapsed_ms\":9223372036854775807,\"ios\":0}",
		"{\"iops\":1,\"bw_bytes\":0,\"elapsed_ms\":0,\"ios\":-5}",
		"{\"iops\":1,\"bw_bytes\":0,\"elapsed_ms\":0}",
	};
	struct job_progress p = {.iops = 7};
	struct err e = {0};
	json_t *j;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		j = parse(bad[i]);
		assert_int_equal(agent_decode_progress(j, &p, &e), -EPROTO);
		assert_true(p.iops == 7);
		json_decref(j);
	}
	j = parse("{\"iops\":12.5,\"bw_bytes\":4096,\"elapsed_ms\":250,\"ios\":3}");
	assert_int_equal(agent_decode_progress(j, &p, &e), 0);
	assert_true(p.iops == 12.5 && p.bw == 4096);
	assert_int_equal(p.elapsed_ns, 250000000);
	assert_int_equal(p.ios, 3);
	json_decref(j);
}

#define PROGRESS_WITH(more) "{\"iops\":1,\"bw_bytes\":0,\"elapsed_ms\":0,\"ios\":0," more "}"
#define CPU_WITH(user, steal)                                                                   \
	"\"cpu\":{\"user\":" user ",\"nice\":1,\"system\":2,\"idle\":3,\"iowait\":4,\"irq\":5," \
	"\"softirq\":6,\"steal\":" steal "}"

/* Of a gated job: the guest's CPUs and clock. By proc(5): busy is 10 + 1 + 2 + 5 + 6, all of it
 * with idle 3, iowait 4 and steal 7. */
static void test_gated_progress(void **state)
{
	static const char *const bad[] = {
		PROGRESS_WITH(CPU_WITH("-1", "0") ",\"mono_ns\":5"),
		PROGRESS_WITH(CPU_WITH("\"x\"", "0") ",\"mono_ns\":5"),
		PROGRESS_WITH(CPU_WITH("1.5", "0") ",\"mono_ns\":5"),
		/* sums of such would overflow */
		PROGRESS_WITH(CPU_WITH("9223372036854775807", "0") ",\"mono_ns\":5"),
		PROGRESS_WITH(CPU_WITH("1", "281474976710657") ",\"mono_ns\":5"),
		PROGRESS_WITH(CPU_WITH("1", "null") ",\"mono_ns\":5"),
		PROGRESS_WITH(CPU_WITH("1", "0")),
		PROGRESS_WITH(CPU_WITH("1", "0") ",\"mono_ns\":-5"),
		PROGRESS_WITH(CPU_WITH("1", "0") ",\"mono_ns\":\"now\""),
		PROGRESS_WITH("\"cpu\":7,\"mono_ns\":5"),
		PROGRESS_WITH("\"cpu\":{},\"mono_ns\":5"),
		PROGRESS_WITH("\"cpu\":[],\"mono_ns\":5"),
	};
	struct job_progress p = {.mono_ns = 7};
	struct err e = {0};
	json_t *j;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		j = parse(bad[i]);
		assert_int_equal(agent_decode_progress(j, &p, &e), -EPROTO);
		assert_int_equal(p.mono_ns, 7);
		json_decref(j);
	}
	j = parse(PROGRESS_WITH(CPU_WITH("10", "7") ",\"mono_ns\":12345"));
	assert_int_equal(agent_decode_progress(j, &p, &e), 0);
	assert_true(p.cpu.known);
	assert_int_equal(p.cpu.busy, 24);
	assert_int_equal(p.cpu.steal, 7);
	assert_int_equal(p.cpu.total, 38);
	assert_int_equal(p.mono_ns, 12345);
	json_decref(j);
}

static void test_result(void **state)
{
	struct agent_outcome how;
	struct job_result r = {0};
	struct err e = {0};
	json_t *j = parse(GOOD_RESULT);

	(void)state;
	assert_int_equal(agent_decode_outcome(j, &how, &e), 0);
	assert_int_equal(how.exit, 0);
	assert_int_equal(how.signal, 0);
	assert_false(how.cancelled);
	assert_true(how.timed_out);
	assert_int_equal(agent_decode_result(j, &r, &e), 0);
	assert_ptr_equal(r.reply, j);
	assert_ptr_equal(r.fio, json_object_get(j, "fio"));
	assert_string_equal(r.output, "a?b\n"); /* no escape sequence reaches a terminal */
	json_decref(r.fio);
	json_decref(r.reply);
	free(r.output);
	json_decref(j);
}

static void test_result_refused(void **state)
{
	static const char *const bad[] = {
		"{}",
		RESULT_WITH("\"0\"", "null", "\"\"", COUNTERS("5"), COUNTERS("9")),
		RESULT_WITH("256", "null", "\"\"", COUNTERS("5"), COUNTERS("9")),
		RESULT_WITH("0", "[]", "\"\"", COUNTERS("5"), COUNTERS("9")),
		RESULT_WITH("0", "{}", "\"\"", COUNTERS("5"), COUNTERS("9")),
		RESULT_WITH("0", "{\"jobs\":[]}", "\"\"", COUNTERS("5"), COUNTERS("9")),
		RESULT_WITH("0", "{\"jobs\":[7]}", "\"\"", COUNTERS("5"), COUNTERS("9")),
		RESULT_WITH("0", "null", "null", COUNTERS("5"), COUNTERS("9")),
		RESULT_WITH("0", "null", "\"\"", "{}", COUNTERS("9")),
		RESULT_WITH("0", "null", "\"\"", COUNTERS("-5"), COUNTERS("9")),
		RESULT_WITH("0", "null", "\"\"", COUNTERS("9"), COUNTERS("5")), /* time ran back */
		RESULT_WITH("0", "null", "\"\"", COUNTERS("5"), "7"),
		RESULT_WITH("0", "null", "\"\"", COUNTERS("5"), "{\"mono_ns\":9,\"cpu\":{}}"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct job_result r = {0};
		struct err e = {0};
		json_t *j = parse(bad[i]);

		if (agent_decode_result(j, &r, &e) != -EPROTO)
			fail_msg("taken: %s", bad[i]);
		assert_true(e.text[0]);
		assert_null(r.fio);
		assert_null(r.reply);
		assert_null(r.output);
		json_decref(j);
	}
}

static void test_result_too_much_output(void **state)
{
	char *text = malloc((64 << 10) + 1000);
	struct job_result r = {0};
	struct err e = {0};
	json_t *j = parse(GOOD_RESULT);

	(void)state;
	memset(text, 'x', (64 << 10) + 1);
	text[(64 << 10) + 1] = 0;
	json_object_set_new(j, "output", json_string(text));
	assert_int_equal(agent_decode_result(j, &r, &e), -EPROTO);
	json_decref(j);
	free(text);
}

/* One field at a time is made wrong. */
static void test_disk(void **state)
{
	static const struct {
		const char *key, *value;
	} bad[] = {
		{"name", "\"../vda\""},
		{"name", "\"\""},
		{"name", "\"vda\\nexec=x\""},
		{"path", "\"/dev/vda:/dev/vdb\""},
		{"path", "\"/dev/vdb\""},
		{"path", "null"},
		{"features", "\"012\""},
		{"features", "5"},
		{"queues", "-1"},
		{"queues", "\"2\""},
		{"size_bytes", "-1"},
		{"size_bytes", "null"},
		{"serial", "\"vb-2\""},
		{"nr_requests", "1.5"},
		{"driver", "[]"},
		{"scheduler", "{}"},
	};
	struct err e = {0};
	json_t *j = parse(GOOD_DISK);

	(void)state;
	assert_int_equal(agent_decode_disk(j, "vb-1", &e), 0);
	assert_int_equal(agent_decode_disk(j, NULL, &e), 0);
	json_decref(j);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *value = json_loads(bad[i].value, JSON_DECODE_ANY, NULL);

		assert_non_null(value);
		j = parse(GOOD_DISK);
		json_object_set_new(j, bad[i].key, value);
		e = (struct err){0};
		if (agent_decode_disk(j, "vb-1", &e) != -EPROTO)
			fail_msg("taken: %s = %s", bad[i].key, bad[i].value);
		assert_non_null(strstr(e.text, bad[i].key));
		json_decref(j);
	}
}

static void test_facts(void **state)
{
	json_t *j =
		parse("{\"kernel\":\"6.1\",\"cmdline\":\"\",\"clocksource\":null,\"boot_id\":\"x\","
		      "\"agent\":\"a\",\"fio\":\"f\",\"cpus\":2,\"memory_bytes\":1}");
	struct err e = {0};

	(void)state;
	assert_int_equal(agent_decode_facts(j, &e), 0);
	json_object_set_new(j, "cpus", json_integer(0));
	assert_int_equal(agent_decode_facts(j, &e), -EPROTO);
	json_object_set_new(j, "cpus", json_integer(2));
	json_object_set_new(j, "kernel", json_integer(6));
	assert_int_equal(agent_decode_facts(j, &e), -EPROTO);
	json_decref(j);
}

#define DISKS(a, b) "{\"disks\":[" a "," b "]}"
#define ONE(serial, path, size) \
	"{\"serial\":\"" serial "\",\"path\":\"" path "\",\"size_bytes\":" size "}"

static void test_disks(void **state)
{
	static const char *const good[] = {
		DISKS(ONE("s0", "/dev/vda", "512"), ONE("s1", "/dev/vdb", "0")),
		DISKS(ONE("s0", "/dev/nvme0n1", "512"), "null"),
		DISKS("null", "null"),
	};
	static const char *const bad[] = {
		"{}",
		"{\"disks\":{}}",
		"{\"disks\":[null]}",
		"{\"disks\":[null,null,null]}",
		DISKS(ONE("s1", "/dev/vda", "512"), "null"),
		DISKS(ONE("s0", "/dev/vda", "512"),
		      ONE("s1", "/dev/vda", "512")), /* one for both */
		DISKS(ONE("s0", "/dev/../etc/passwd", "512"), "null"),
		DISKS(ONE("s0", "/dev/", "512"), "null"),
		DISKS(ONE("s0", "/dev/vda:vdb", "512"), "null"),
		DISKS(ONE("s0", "vda", "512"), "null"),
		DISKS(ONE("s0", "/dev/vda\\nexec_prerun=x", "512"), "null"),
		DISKS(ONE("s0", "/dev/vda", "-1"), "null"),
		DISKS(ONE("s0", "/dev/vda", "\"1\""), "null"),
		DISKS("7", "null"),
		DISKS("{\"serial\":\"s0\",\"size_bytes\":1}", "null"),
	};
	struct disk_unit units[2] = {{.serial = "s0"}, {.serial = "s1"}};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		json_t *j = parse(good[i]);

		if (agent_decode_disks(j, units, 2, NULL))
			fail_msg("refused: %s", good[i]);
		json_decref(j);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = {0};
		json_t *j = parse(bad[i]);

		if (agent_decode_disks(j, units, 2, &e) != -EPROTO)
			fail_msg("taken: %s", bad[i]);
		assert_true(e.text[0]);
		json_decref(j);
	}
}

static void test_error_text(void **state)
{
	json_t *j = parse("{\"error\":\"\\u001b[2Jno such disk\"}");
	char buf[16];

	(void)state;
	assert_string_equal(agent_decode_error(j, buf, sizeof(buf)), "?[2Jno such dis");
	json_object_set_new(j, "error", json_null());
	agent_decode_error(j, buf, sizeof(buf));
	assert_true(buf[0]);
	json_decref(j);
}

/* --- the channel --- */

struct channel {
	struct agent *a;
	int peer;
};

static int channel_open(void **state)
{
	struct channel *c = calloc(1, sizeof(*c));
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
		return -1;
	c->a = agent_new(sv[0]);
	c->peer = sv[1];
	*state = c;
	return 0;
}

static int channel_close(void **state)
{
	struct channel *c = *state;

	agent_free(c->a);
	if (c->peer >= 0)
		close(c->peer);
	free(c);
	return 0;
}

static void say(struct channel *c, uint8_t type, uint16_t seq, const char *payload)
{
	uint8_t frame[16384];
	size_t len = strlen(payload);

	assert_true(WIRE_HEADER + len <= sizeof(frame));
	wire_header(frame, type, seq, (uint32_t)len);
	memcpy(frame + WIRE_HEADER, payload, len);
	assert_int_equal(write(c->peer, frame, WIRE_HEADER + len), WIRE_HEADER + len);
}

static void test_channel_both_ways(void **state)
{
	struct channel *c = *state;
	struct agent_msg m;
	struct err e = {0};
	uint16_t first, second;
	char buf[200];

	assert_int_equal(agent_take(c->a, &m), 0);
	assert_int_equal(agent_input(c->a, &e), 0);
	assert_int_equal(agent_send(c->a, WIRE_FACTS, NULL, &first, &e), 0);
	assert_int_equal(read(c->peer, buf, sizeof(buf)), WIRE_HEADER + 2);
	assert_memory_equal(buf, "VBA1\x01\x02", 6);
	assert_memory_equal(buf + 8, "\x02\0\0\0{}", 6);
	assert_int_equal(agent_send(c->a, WIRE_SYNC, json_object(), &second, &e), 0);
	assert_int_not_equal(first, 0);
	assert_int_not_equal(second, first);
	say(c, WIRE_PROGRESS, first, "{\"iops\":1}");
	say(c, WIRE_REPLY, second, "{}");
	assert_int_equal(agent_input(c->a, &e), 0);
	assert_int_equal(agent_take(c->a, &m), 1);
	assert_int_equal(m.type, WIRE_PROGRESS);
	assert_int_equal(m.seq, first);
	assert_int_equal(json_integer_value(json_object_get(m.body, "iops")), 1);
	agent_msg_free(&m);
	assert_int_equal(agent_take(c->a, &m), 1);
	assert_int_equal(m.type, WIRE_REPLY);
	assert_int_equal(m.seq, second);
	agent_msg_free(&m);
	assert_int_equal(agent_take(c->a, &m), 0);
}

static void test_channel_end(void **state)
{
	struct channel *c = *state;
	struct agent_msg m;
	struct err e = {0};

	say(c, WIRE_REPLY, 1, "{}");
	close(c->peer);
	c->peer = -1;
	assert_int_equal(agent_input(c->a, &e), -ECONNRESET);
	assert_int_equal(agent_take(c->a, &m), 1); /* what was whole is not lost */
	agent_msg_free(&m);
	assert_int_equal(agent_input(c->a, &e), -ECONNRESET);
	assert_int_equal(agent_send(c->a, WIRE_SYNC, NULL, NULL, &e), -ECONNRESET);
}

static void channel_refuses(void **state, uint8_t type, const char *payload)
{
	struct channel *c = *state;
	struct agent_msg m;
	struct err e = {0};

	say(c, type, 1, payload);
	assert_int_equal(agent_input(c->a, &e), -EPROTO);
	assert_true(e.text[0]);
	assert_int_equal(agent_take(c->a, &m), 0);
	assert_int_equal(agent_input(c->a, NULL), -EPROTO);
}

static void test_channel_request_type(void **state)
{
	channel_refuses(state, WIRE_JOB, "{}");
}

static void test_channel_no_json(void **state)
{
	channel_refuses(state, WIRE_REPLY, "{\"a\":nan}");
}

static void test_channel_no_object(void **state)
{
	channel_refuses(state, WIRE_REPLY, "[]");
}

static void test_channel_key_twice(void **state)
{
	channel_refuses(state, WIRE_REPLY, "{\"a\":1,\"a\":2}");
}

static void test_channel_nul(void **state)
{
	channel_refuses(state, WIRE_REPLY, "{\"a\":\"\\u0000\"}");
}

static void test_channel_deep(void **state)
{
	char deep[3 * 4000 + 20] = "{\"a\":";

	for (int i = 0; i < 4000; i++)
		strcat(deep, "[");
	for (int i = 0; i < 4000; i++)
		strcat(deep, "]");
	strcat(deep, "}");
	channel_refuses(state, WIRE_REPLY, deep);
}

/*
 * 64 wait at most: more progress is dropped, and makes room for what matters; a flood of the rest
 * is the end.
 */
static void test_channel_flood(void **state)
{
	struct channel *c = *state;
	struct agent_msg m;
	struct err e = {0};
	unsigned n = 0;

	for (int i = 0; i < 100; i++)
		say(c, WIRE_PROGRESS, 1, "{}");
	say(c, WIRE_RESULT, 1, "{}");
	assert_int_equal(agent_input(c->a, &e), 0);
	while (agent_take(c->a, &m)) {
		n++;
		agent_msg_free(&m);
	}
	assert_int_equal(n, 64);
	assert_int_equal(m.type, WIRE_RESULT);
	for (int i = 0; i < 65; i++)
		say(c, WIRE_REPLY, 1, "{}");
	assert_int_equal(agent_input(c->a, &e), -EPROTO);
}

#define CHANNEL_TEST(fn) cmocka_unit_test_setup_teardown(fn, channel_open, channel_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_gated_progress),
		cmocka_unit_test(test_result),
		cmocka_unit_test(test_result_refused),
		cmocka_unit_test(test_result_too_much_output),
		cmocka_unit_test(test_disk),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_disks),
		cmocka_unit_test(test_error_text),
		CHANNEL_TEST(test_channel_both_ways),
		CHANNEL_TEST(test_channel_end),
		CHANNEL_TEST(test_channel_request_type),
		CHANNEL_TEST(test_channel_no_json),
		CHANNEL_TEST(test_channel_no_object),
		CHANNEL_TEST(test_channel_key_twice),
		CHANNEL_TEST(test_channel_nul),
		CHANNEL_TEST(test_channel_deep),
		CHANNEL_TEST(test_channel_flood),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
