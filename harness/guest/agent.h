/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's end of the agent channel: requests out, messages in. Whatever comes from the guest is
 * hostile until a decoder (guest/agent_decode.h) has passed it: bounded in size and number, checked
 * for types and ranges.
 */
#ifndef VB_GUEST_AGENT_CHANNEL_H
#define VB_GUEST_AGENT_CHANNEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "guest-agent/wire.h"

struct agent;

struct agent_msg {
	uint8_t type; /* WIRE_READY to WIRE_LAST, no other */
	uint16_t seq;
	json_t *body; /* an object; the taker's */
};

/*
 * Takes over a connected socket, makes it nonblocking. The agent_free that ends it closes the
 * socket.
 */
struct agent *agent_new(int fd);
void agent_free(struct agent *a);

/* For poll: call agent_input when it is readable or hung up. */
int agent_fd(const struct agent *a);

/*
 * Sends a request; takes payload over (NULL is {}). *seq (may be NULL) is what the answer will
 * carry: never 0, and other for each request. A guest that does not read for 5 s is -ETIMEDOUT; a
 * channel that is gone -ECONNRESET.
 */
int agent_send(struct agent *a, enum wire_type type, json_t *payload, uint16_t *seq, struct err *e);

/*
 * Reads what is there, without waiting, and queues the messages in it (at most 64 and 8 MiB).
 * Progress that finds no room is dropped. 0; -EPROTO when the guest talks rubbish or floods us,
 * -ECONNRESET when the channel has ended: messages that were whole can still be taken, but nothing
 * more will come, and every further call says the same.
 */
int agent_input(struct agent *a, struct err *e);

/* Takes the oldest message: 1, or 0 when there is none. */
int agent_take(struct agent *a, struct agent_msg *out);

void agent_msg_free(struct agent_msg *m);

#endif
