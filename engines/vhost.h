/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-user messages, as QEMU's docs/interop/vhost-user.rst has them, and how they cross a socket.
 * Both sides use this: the fio engine as front end, the device as back end. Only what a
 * virtio-blk device needs.
 */
#ifndef VB_ENGINES_VHOST_H
#define VB_ENGINES_VHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

enum vhost_request {
	VHOST_GET_FEATURES = 1,
	VHOST_SET_FEATURES = 2,
	VHOST_SET_OWNER = 3,
	VHOST_RESET_OWNER = 4,
	VHOST_SET_MEM_TABLE = 5,
	VHOST_SET_LOG_BASE = 6,
	VHOST_SET_LOG_FD = 7,
	VHOST_SET_VRING_NUM = 8,
	VHOST_SET_VRING_ADDR = 9,
	VHOST_SET_VRING_BASE = 10,
	VHOST_GET_VRING_BASE = 11,
	VHOST_SET_VRING_KICK = 12,
	VHOST_SET_VRING_CALL = 13,
	VHOST_SET_VRING_ERR = 14,
	VHOST_GET_PROTOCOL_FEATURES = 15,
	VHOST_SET_PROTOCOL_FEATURES = 16,
	VHOST_GET_QUEUE_NUM = 17,
	VHOST_SET_VRING_ENABLE = 18,
	VHOST_SET_BACKEND_REQ_FD = 21,
	VHOST_GET_CONFIG = 24,
	VHOST_SET_CONFIG = 25,
	VHOST_GET_MAX_MEM_SLOTS = 36,
	VHOST_ADD_MEM_REG = 37,
	VHOST_REM_MEM_REG = 38,
	VHOST_SET_STATUS = 39,
	VHOST_GET_STATUS = 40,
};

#define VHOST_VERSION 1u
#define VHOST_FLAG_VERSION 3u /* bits 0-1 */
#define VHOST_FLAG_REPLY (1u << 2)
#define VHOST_FLAG_NEED_REPLY (1u << 3)

#define VHOST_F_PROTOCOL_FEATURES 30 /* feature bit */

enum vhost_protocol_feature {
	VHOST_PF_MQ = 0,
	VHOST_PF_REPLY_ACK = 3,
	VHOST_PF_CONFIG = 9,
	VHOST_PF_CONFIGURE_MEM_SLOTS = 15,
	VHOST_PF_STATUS = 16,
};

#define VHOST_NOFD (1u << 8) /* of KICK, CALL, ERR: no descriptor comes with it */
#define VHOST_MAX_FDS 8
#define VHOST_MAX_REGIONS 8
#define VHOST_CONFIG_MAX 256

struct vhost_header {
	uint32_t request, flags, size;
} __attribute__((packed));

struct vhost_vring_state {
	uint32_t index, num;
} __attribute__((packed));

struct vhost_vring_address {
	uint32_t index, flags;
	uint64_t desc, used, avail, log; /* used: device area, avail: driver area */
} __attribute__((packed));

struct vhost_region {
	uint64_t guest, size, user, offset;
} __attribute__((packed));

struct vhost_memory {
	uint32_t n, pad;
	struct vhost_region region[VHOST_MAX_REGIONS];
} __attribute__((packed));

struct vhost_mem_slot {
	uint64_t pad;
	struct vhost_region region;
} __attribute__((packed));

struct vhost_config {
	uint32_t offset, size, flags;
	uint8_t data[VHOST_CONFIG_MAX];
} __attribute__((packed));

struct vhost_msg {
	struct vhost_header h;
	union {
		uint64_t u64;
		struct vhost_vring_state state;
		struct vhost_vring_address addr;
		struct vhost_memory memory;
		struct vhost_mem_slot slot;
		struct vhost_config config;
		uint8_t raw[512];
	} __attribute__((packed));
	int fds[VHOST_MAX_FDS]; /* owned by whoever holds the message */
	unsigned nfds;
} __attribute__((aligned(8)));

/*
 * Sends header, h.size bytes and the descriptors (which stay the caller's). timeout_ms bounds the
 * whole of it. 0, -EPIPE when the peer is gone, -ETIMEDOUT, ...
 */
int vhost_send(int sock, const struct vhost_msg *m, int timeout_ms, struct err *e);

/*
 * Receives one message, its descriptors close-on-exec. Refuses other versions, sizes over the union
 * and more descriptors than VHOST_MAX_FDS (-EPROTO; none is leaked). 0; -ECONNRESET at the end of
 * the stream; -ETIMEDOUT. timeout_ms -1: for ever.
 */
int vhost_recv(int sock, struct vhost_msg *m, int timeout_ms, struct err *e);

/* Closes the descriptors that nobody took. */
void vhost_msg_drop(struct vhost_msg *m);

const char *vhost_request_name(uint32_t request);

#endif
