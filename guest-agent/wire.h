/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire between host and agent, over a virtio-serial port: frames of a 12-byte little-endian
 * header and a UTF-8 JSON object as payload. Version, types and bounds live here and nowhere else.
 * Each side treats the other's bytes as hostile. Shared by guest-agent/ and harness/guest/; depends
 * on libc only.
 */
#ifndef VB_WIRE_H
#define VB_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define WIRE_MAGIC 0x31414256u /* "VBA1" in memory */
#define WIRE_VERSION 1
#define WIRE_HEADER 12
#define WIRE_MAX_PAYLOAD (4u << 20)
#define WIRE_PORT_NAME "org.vbench.agent.0" /* name of the virtio-serial port */

/* A header in memory: magic (4), version (1), type (1), seq (2), length of the payload (4). */

enum wire_type {
	/* host to agent; each is answered by exactly one REPLY, RESULT or ERROR with the same seq
	 */
	WIRE_HELLO =
		1,   /* {time_ns, entropy (hex, at most 128 digits)} -> {version, agent, boot_id} */
	WIRE_FACTS,  /* {} -> guest facts */
	WIRE_DISK,   /* {serial and/or pci ("0000:01:00.0"), timeout_ms, scheduler?} waits for the
			disk, sets its scheduler -> disk facts */
	WIRE_JOB,    /* {job, timeout_ms, interval_ms, threads?, gate?} -> PROGRESS*, then RESULT.
			gate:    so many threads of fio stop in exec_prerun until GO; GATED tells when all
			do, and    PROGRESS then has "cpu" and "mono_ns" */
	WIRE_CANCEL, /* {seq of the job} -> REPLY; the job's own RESULT still comes, with cancelled
			true */
	WIRE_SYNC,   /* {} -> {} after sync(2) */
	WIRE_POWEROFF, /* {} -> {} and then the machine is off */
	WIRE_DISKS, /* {serials: [...at most 1024], timeout_ms, scheduler?} waits for all of them,
		       sets their scheduler -> {disks: [{serial, path, size_bytes} | null, ...]} in
		       the order asked; null: not there when the time was over */
	/*
	 * File systems on a disk, for vbench slim. Each runs in a process of its own; one at a
	 * time; CANCEL ends it. type is what FS_SCAN said; a path is below /dev.
	 */
	WIRE_FS_SCAN, /* {path, timeout_ms} -> {table: "gpt" | "dos" | "none", volumes: [{path,
			 type: "ext4" | "swap" | ... , uuid, label, bytes, refused: null |
			 sentence}]}: everything found, recognised or not; nothing is written */
	WIRE_FS_SUM,  /* {path, type, timeout_ms} mounted read-only (its journal was replayed by an
			 earlier FS_FREE or is replayed here: the disk is an overlay) -> {files,
			 dirs,  others, bytes, sha256}: over path, type, mode, owner, mtime, link
			 target,  extended attributes and content of everything in it, in the order of
			 names */
	WIRE_FS_FREE, /* {path, type, how: "trim" | "zero", timeout_ms} -> {bytes: trimmed or
			 zeroed, free_bytes, seconds} with PROGRESS*; zero leaves no file behind,
			 swap is zeroed and made again with its uuid and label */
	WIRE_GO,      /* {seq of the job} opens its gate -> {mono_ns: of the guest} */
	/* agent to host */
	WIRE_READY = 64, /* {version, agent}, seq 0: once after boot, when all is set up */
	WIRE_REPLY,
	WIRE_RESULT, /* {exit, signal, cancelled, timed_out, fio: object|null, output: text, before:
			{}, after: {}, gate?: {open_ns, first_ns, last_ns: when it was opened, and
			the first and the last thread were seen behind it}} */
	WIRE_PROGRESS, /* {iops, bw_bytes, elapsed_ms, ios: completed by the disk since the job
			  began} with the job's seq */
	WIRE_ERROR,    /* {error: sentence} */
	WIRE_GATED,    /* {threads} with the job's seq: all stand at the gate */
	WIRE_LAST = WIRE_GATED
};

struct wire_frame {
	uint8_t type;
	uint16_t seq;
	uint32_t len;	     /* of payload */
	const char *payload; /* not NUL-terminated; valid until the next wire_feed or wire_free */
};

/* Reassembles frames from a byte stream. Zeroed = ready. */
struct wire_parser {
	uint8_t *buf;
	size_t len, cap, used;
};

/*
 * Adds bytes. 0, -ENOMEM, or -EMSGSIZE when a largest frame is pending unparsed already (call
 * wire_next until it returns 0 after each feed) or when len is more than one largest frame.
 */
int wire_feed(struct wire_parser *p, const void *data, size_t len);

/*
 * Takes the next whole frame: 1 and *f filled, 0 when more bytes are needed, -EPROTO with *why set
 * to a sentence for a wrong magic, version or length. After -EPROTO the stream is lost.
 */
int wire_next(struct wire_parser *p, struct wire_frame *f, const char **why);

/*
 * After -EPROTO, for a side that must not hang up: drops bytes up to the next place where a frame
 * may begin, at least one. Returns how many; 0 only when nothing is pending.
 */
size_t wire_resync(struct wire_parser *p);

/* Bytes that are pending: a part of a frame once wire_next has returned 0. */
size_t wire_pending(const struct wire_parser *p);

/* Drops everything pending and the memory; the parser is then as new. */
void wire_free(struct wire_parser *p);

/* Fills a header. */
void wire_header(uint8_t out[WIRE_HEADER], uint8_t type, uint16_t seq, uint32_t len);

#endif
