/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's end of the virtio-serial port: never blocks, and outlives the hosts beyond it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "guest-agent/agent.h"

#define PORT_CLASS "/sys/class/virtio-ports"
#define PORT_WAIT_NS (10000 * MS_NS)
#define PORT_CHUNK 65536
#define PORT_BACKLOG \
	(1u << 20) /* unread bytes from which on the host has to read before it may ask more */

/* Device of the port with our name, or -1 while there is none. */
static int port_find(void)
{
	char name[128], path[300];
	struct dirent *d;
	int fd = -1;
	DIR *dir = opendir(PORT_CLASS);

	if (!dir)
		return -1;
	while (fd < 0 && (d = readdir(dir))) {
		if (d->d_name[0] == '.' ||
		    sys_read(name, sizeof(name), PORT_CLASS "/%s/name", d->d_name) <= 0 ||
		    strcmp(name, WIRE_PORT_NAME))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", d->d_name);
		fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
	closedir(dir);
	return fd;
}

void port_open(struct port *p)
{
	struct timespec step = {.tv_nsec = 2 * (long)MS_NS};
	uint64_t end = sys_mono_ns() + PORT_WAIT_NS;

	*p = (struct port){.fd = -1};
	/*
	 * The driver learns a port's name from a message of the host, some time after it was
	 * loaded.
	 */
	while ((p->fd = port_find()) < 0 && sys_mono_ns() < end)
		nanosleep(&step, NULL);
	if (p->fd < 0)
		sys_fatal("no virtio-serial port named " WIRE_PORT_NAME " within 10 s");
}

bool port_full(const struct port *p)
{
	return p->out_len - p->out_done > PORT_BACKLOG;
}

static bool out_append(struct port *p, const void *data, size_t len)
{
	if (p->out_len + len > p->out_cap) {
		size_t cap = p->out_cap ? p->out_cap : 4096;
		uint8_t *out;

		while (cap < p->out_len + len)
			cap *= 2;
		out = realloc(p->out, cap);
		if (!out)
			return false;
		p->out = out;
		p->out_cap = cap;
	}
	memcpy(p->out + p->out_len, data, len);
	p->out_len += len;
	return true;
}

static void frame_append(struct port *p, uint8_t type, uint16_t seq, const char *text, size_t len)
{
	uint8_t header[WIRE_HEADER];
	size_t was = p->out_len;

	wire_header(header, type, seq, (uint32_t)len);
	if (!out_append(p, header, sizeof(header)) || !out_append(p, text, len)) {
		p->out_len = was;
		sys_say("no memory for an answer of %zu bytes", len);
	}
}

void port_send(struct port *p, uint8_t type, uint16_t seq, json_t *body)
{
	char *text;
	size_t len;

	/* Progress is worth nothing late. */
	if (type == WIRE_PROGRESS && (p->hup || port_full(p))) {
		json_decref(body);
		return;
	}
	text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	len = text ? strlen(text) : 0;
	if (text && len <= WIRE_MAX_PAYLOAD)
		frame_append(p, type, seq, text, len);
	else
		port_error(p, seq, text ? "the answer is too long to be sent" : "no memory");
	free(text);
}

void port_error(struct port *p, uint16_t seq, const char *fmt, ...)
{
	json_t *body = json_object();
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_object_set_new(body, "error", sys_clean_text(text, strlen(text)));
	port_send(p, WIRE_ERROR, seq, body);
}

/* Moves out_frame to the frame that out_done lies in now. */
static void frames_skip(struct port *p)
{
	while (p->out_frame < p->out_done) {
		const uint8_t *len = p->out + p->out_frame + 8;
		size_t next = p->out_frame + WIRE_HEADER +
			      ((size_t)len[0] | (size_t)len[1] << 8 | (size_t)len[2] << 16 |
			       (size_t)len[3] << 24);

		if (next > p->out_done)
			return;
		p->out_frame = next;
	}
}

void port_flush(struct port *p)
{
	while (!p->hup && p->out_done < p->out_len) {
		ssize_t n = write(p->fd, p->out + p->out_done, p->out_len - p->out_done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break; /* EAGAIN: full; anything else shows itself as a hang-up */
		p->out_done += (size_t)n;
	}
	frames_skip(p);
	if (p->out_done == p->out_len) {
		p->out_len = p->out_done = p->out_frame = 0;
	} else if (p->out_frame > PORT_BACKLOG) {
		memmove(p->out, p->out + p->out_frame, p->out_len - p->out_frame);
		p->out_len -= p->out_frame;
		p->out_done -= p->out_frame;
		p->out_frame = 0;
	}
}

bool port_read(struct port *p)
{
	uint8_t buf[PORT_CHUNK];
	ssize_t n = read(p->fd, buf, sizeof(buf));

	if (n <= 0)
		return false; /* 0: the host has gone; poll says so too */
	p->in_ns = sys_mono_ns();
	if (wire_feed(&p->in, buf, (size_t)n)) {
		port_error(p, 0, "no room for what the host sends");
		wire_free(&p->in);
	}
	return true;
}

void port_hangup(struct port *p)
{
	p->hup = true;
	p->lost = false;
	wire_free(&p->in);
	p->out_done = p->out_frame;
}
