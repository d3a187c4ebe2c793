/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzer of what a hostile guest can send: frames, JSON, decoders. The first byte of an input picks
 * the way and the size of the pieces in which the rest arrives.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "guest-agent/wire.h"
#include "guest/agent.h"
#include "guest/agent_decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void result_free(struct job_result *r)
{
	json_decref(r->fio);
	json_decref(r->reply);
	free(r->output);
}

/* Whatever its type says: all decoders must stand any body. */
static void decode_all(json_t *body)
{
	struct agent_outcome outcome;
	struct job_progress progress;
	struct job_result result = {0};
	struct err e = {0};
	char text[64];

	agent_decode_version(body, &e);
	agent_decode_facts(body, &e);
	agent_decode_outcome(body, &outcome, &e);
	if (!agent_decode_disk(body, NULL, &e) &&
	    strncmp(json_string_value(json_object_get(body, "path")), "/dev/", 5))
		abort();
	if (!agent_decode_progress(body, &progress, &e) && !(progress.iops >= 0))
		abort();
	if (!agent_decode_result(body, &result, &e))
		result_free(&result);
	agent_decode_error(body, text, sizeof(text));
}

/* The parser alone; wrong frames are skipped, as the agent in the guest does. */
static void feed_parser(const uint8_t *data, size_t size, size_t piece)
{
	struct wire_parser p = {0};
	struct wire_frame f;
	const char *why = NULL;
	int rc;

	while (size) {
		size_t n = piece < size ? piece : size;

		if (wire_feed(&p, data, n))
			break;
		data += n;
		size -= n;
		while ((rc = wire_next(&p, &f, &why))) {
			json_t *body;

			if (rc < 0) {
				if (!why || !wire_resync(&p))
					abort();
				continue;
			}
			body = json_loadb(f.payload, f.len, JSON_REJECT_DUPLICATES, NULL);
			if (json_is_object(body))
				decode_all(body);
			json_decref(body);
		}
	}
	wire_free(&p);
}

/* The channel as vbench uses it, over a socket. */
static void feed_channel(const uint8_t *data, size_t size, size_t piece)
{
	struct agent_msg msg;
	struct err e = {0};
	struct agent *a;
	int sv[2], rc = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv))
		abort();
	a = agent_new(sv[0]);
	while (size && !rc) {
		ssize_t n = write(sv[1], data, piece < size ? piece : size);

		rc = agent_input(a, &e);
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
		/* Not always taken at once: the queue must hold out. */
		if (size % 3)
			continue;
		while (agent_take(a, &msg)) {
			decode_all(msg.body);
			agent_msg_free(&msg);
		}
	}
	close(sv[1]);
	if (agent_input(a, &e) >= 0)
		abort();
	agent_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece;

	if (size < 2)
		return 0;
	piece = data[0] & 0x7f;
	piece = piece ? piece : 1 << 16;
	if (data[0] & 0x80)
		feed_channel(data + 1, size - 1, piece);
	else
		feed_parser(data + 1, size - 1, piece);
	return 0;
}
