/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames in and out of a byte stream, bounded and checked. The same code on both sides. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "guest-agent/wire.h"

#define WIRE_LARGEST ((size_t)WIRE_HEADER + WIRE_MAX_PAYLOAD)
#define WIRE_FIRST_CAP 4096

static void put_le(uint8_t *p, uint32_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get_le(const uint8_t *p, unsigned bytes)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint32_t)p[i] << (8 * i);
	return v;
}

void wire_header(uint8_t out[WIRE_HEADER], uint8_t type, uint16_t seq, uint32_t len)
{
	put_le(out, WIRE_MAGIC, 4);
	out[4] = WIRE_VERSION;
	out[5] = type;
	put_le(out + 6, seq, 2);
	put_le(out + 8, len, 4);
}

size_t wire_pending(const struct wire_parser *p)
{
	return p->len - p->used;
}

/* Makes room for len more bytes behind what is pending, which moves to the front. */
static int wire_reserve(struct wire_parser *p, size_t len)
{
	size_t pending = wire_pending(p), cap = p->cap ? p->cap : WIRE_FIRST_CAP;
	uint8_t *buf;

	if (p->used) {
		memmove(p->buf, p->buf + p->used, pending);
		p->len = pending;
		p->used = 0;
	}
	while (cap < pending + len)
		cap *= 2;
	if (cap == p->cap)
		return 0;
	buf = realloc(p->buf, cap);
	if (!buf)
		return -ENOMEM;
	p->buf = buf;
	p->cap = cap;
	return 0;
}

int wire_feed(struct wire_parser *p, const void *data, size_t len)
{
	int rc;

	if (wire_pending(p) >= WIRE_LARGEST || len > WIRE_LARGEST)
		return -EMSGSIZE;
	if (!len)
		return 0;
	rc = wire_reserve(p, len);
	if (rc)
		return rc;
	memcpy(p->buf + p->len, data, len);
	p->len += len;
	return 0;
}

/*
 * How many of the first n bytes agree with a magic: the smaller of n and 4 if it may be one, else
 * -1.
 */
static int magic_fits(const uint8_t *b, size_t n)
{
	uint8_t magic[4];
	size_t m = n < sizeof(magic) ? n : sizeof(magic);

	put_le(magic, WIRE_MAGIC, 4);
	return memcmp(b, magic, m) ? -1 : (int)m;
}

int wire_next(struct wire_parser *p, struct wire_frame *f, const char **why)
{
	const uint8_t *b = p->buf + p->used;
	size_t n = wire_pending(p);
	uint32_t len;

	if (!n)
		return 0;
	/*
	 * Each field is judged as soon as it is there: a stream of rubbish must not wait for a
	 * length.
	 */
	if (magic_fits(b, n) < 0) {
		*why = "the bytes are not a vbench frame (wrong magic)";
		return -EPROTO;
	}
	if (n > 4 && b[4] != WIRE_VERSION) {
		*why = "the frame is of another version of the protocol";
		return -EPROTO;
	}
	if (n < WIRE_HEADER)
		return 0;
	len = get_le(b + 8, 4);
	if (len > WIRE_MAX_PAYLOAD) {
		*why = "the frame says that it is longer than a frame may be";
		return -EPROTO;
	}
	if (n - WIRE_HEADER < len)
		return 0;
	f->type = b[5];
	f->seq = (uint16_t)get_le(b + 6, 2);
	f->len = len;
	f->payload = (const char *)b + WIRE_HEADER;
	p->used += WIRE_HEADER + len;
	return 1;
}

size_t wire_resync(struct wire_parser *p)
{
	size_t n = wire_pending(p), skip = n ? 1 : 0;

	while (skip < n && magic_fits(p->buf + p->used + skip, n - skip) < 0)
		skip++;
	p->used += skip;
	return skip;
}

void wire_free(struct wire_parser *p)
{
	free(p->buf);
	*p = (struct wire_parser){0};
}
