/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames: layout byte for byte as wire.h says it, reassembly from any pieces, refusal of what is no
 * frame.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "guest-agent/wire.h"

/* By hand from wire.h: "VBA1", version 1, type, seq and length little-endian, payload. */
static const uint8_t facts_frame[] = {'V', 'B', 'A', '1', 1, 2, 0x34, 0x12, 2, 0, 0, 0, '{', '}'};

static void test_header_layout(void **state)
{
	uint8_t h[WIRE_HEADER];

	(void)state;
	wire_header(h, WIRE_FACTS, 0x1234, 2);
	assert_memory_equal(h, facts_frame, WIRE_HEADER);
	wire_header(h, 0xff, 0xfffe, 0x04030201);
	assert_memory_equal(h, "VBA1\x01\xff\xfe\xff\x01\x02\x03\x04", WIRE_HEADER);
}

/* Every way to cut two frames into pieces of equal size gives the same two frames. */
static void test_any_pieces(void **state)
{
	uint8_t stream[2 * sizeof(facts_frame)];

	(void)state;
	memcpy(stream, facts_frame, sizeof(facts_frame));
	memcpy(stream + sizeof(facts_frame), facts_frame, sizeof(facts_frame));
	stream[sizeof(facts_frame) + 5] = WIRE_SYNC;
	for (size_t piece = 1; piece <= sizeof(stream); piece++) {
		struct wire_parser p = {0};
		struct wire_frame f;
		const char *why = NULL;
		unsigned seen = 0;

		for (size_t at = 0; at < sizeof(stream); at += piece) {
			size_t n = sizeof(stream) - at < piece ? sizeof(stream) - at : piece;

			assert_int_equal(wire_feed(&p, stream + at, n), 0);
			while (wire_next(&p, &f, &why) == 1) {
				assert_int_equal(f.type, seen ? WIRE_SYNC : WIRE_FACTS);
				assert_int_equal(f.seq, 0x1234);
				assert_int_equal(f.len, 2);
				assert_memory_equal(f.payload, "{}", 2);
				seen++;
			}
		}
		assert_null(why);
		assert_int_equal(seen, 2);
		assert_int_equal(wire_pending(&p), 0);
		wire_free(&p);
	}
}

static void test_needs_more(void **state)
{
	struct wire_parser p = {0};
	struct wire_frame f;
	const char *why = NULL;

	(void)state;
	assert_int_equal(wire_next(&p, &f, &why), 0);
	assert_int_equal(wire_feed(&p, "", 0), 0);
	assert_int_equal(wire_feed(&p, facts_frame, sizeof(facts_frame) - 1), 0);
	assert_int_equal(wire_next(&p, &f, &why), 0);
	assert_int_equal(wire_pending(&p), sizeof(facts_frame) - 1);
	assert_int_equal(wire_feed(&p, "}", 1), 0);
	assert_int_equal(wire_next(&p, &f, &why), 1);
	assert_int_equal(wire_next(&p, &f, &why), 0);
	wire_free(&p);
}

static void refused(const void *bytes, size_t len)
{
	struct wire_parser p = {0};
	struct wire_frame f;
	const char *why = NULL;

	assert_int_equal(wire_feed(&p, bytes, len), 0);
	assert_int_equal(wire_next(&p, &f, &why), -EPROTO);
	assert_non_null(why);
	wire_free(&p);
}

/* Rubbish is refused by the first byte that shows it, not when a whole header is there. */
static void test_refuses(void **state)
{
	(void)state;
	refused("G", 1);
	refused("VBA2", 4);
	refused("VBA1\x02", 5);
	refused("VBA1\x00", 5);
	refused("VBA1\x01\x02\x00\x00\xff\xff\xff\xff", 12);
	refused("VBA1\x01\x02\x00\x00\x01\x00\x40\x00", 12); /* 4 MiB + 1 */
}

static void test_largest(void **state)
{
	size_t len = WIRE_HEADER + (4u << 20);
	uint8_t *frame = calloc(1, len);
	struct wire_parser p = {0};
	struct wire_frame f;
	const char *why = NULL;

	(void)state;
	memcpy(frame, "VBA1\x01\x42\x00\x00\x00\x00\x40\x00", 12); /* 4 MiB */
	frame[len - 1] = 'z';
	assert_int_equal(wire_feed(&p, frame, len), 0);
	assert_int_equal(wire_feed(&p, "V", 1), -EMSGSIZE); /* nobody takes what is there */
	assert_int_equal(wire_next(&p, &f, &why), 1);
	assert_int_equal(f.len, 4u << 20);
	assert_int_equal(f.payload[f.len - 1], 'z');
	assert_int_equal(wire_feed(&p, "V", 1), 0);
	assert_int_equal(wire_feed(&p, frame, len + 1), -EMSGSIZE);
	wire_free(&p);
	free(frame);
}

static void test_resync(void **state)
{
	static const char rubbish[] = "VBVBAVVBA0";
	struct wire_parser p = {0};
	struct wire_frame f;
	const char *why = NULL;
	size_t dropped = 0;

	(void)state;
	assert_int_equal(wire_resync(&p), 0);
	assert_int_equal(wire_feed(&p, rubbish, strlen(rubbish)), 0);
	assert_int_equal(wire_feed(&p, facts_frame, sizeof(facts_frame)), 0);
	while (wire_next(&p, &f, &why) < 0)
		dropped += wire_resync(&p);
	assert_int_equal(dropped, strlen(rubbish));
	assert_int_equal(f.type, WIRE_FACTS);
	/* The beginning of a magic at the end is kept: the rest of it may follow. */
	assert_int_equal(wire_feed(&p, "xxVB", 4), 0);
	assert_int_equal(wire_next(&p, &f, &why), -EPROTO);
	assert_int_equal(wire_resync(&p), 2);
	assert_int_equal(wire_feed(&p, facts_frame + 2, sizeof(facts_frame) - 2), 0);
	assert_int_equal(wire_next(&p, &f, &why), 1);
	wire_free(&p);
}

/* A stream of frames does not grow the memory. */
static void test_memory_bounded(void **state)
{
	struct wire_parser p = {0};
	struct wire_frame f;
	const char *why = NULL;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		assert_int_equal(wire_feed(&p, facts_frame, sizeof(facts_frame)), 0);
		assert_int_equal(wire_next(&p, &f, &why), 1);
	}
	assert_true(p.cap <= 65536);
	wire_free(&p);
	assert_null(p.buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_layout),  cmocka_unit_test(test_any_pieces),
		cmocka_unit_test(test_needs_more),     cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_largest),	       cmocka_unit_test(test_resync),
		cmocka_unit_test(test_memory_bounded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
