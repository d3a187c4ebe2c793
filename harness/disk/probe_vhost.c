/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a vhost-user server, and the driver within fio on a host site, say of themselves. */
#include <stdio.h>
#include <string.h>
#include "base/units.h"
#include "disk/internal.h"

const char *disk_process(const struct evidence *ev, const char *path, char buf[96])
{
	bool beside = cell_uses_nbd(ev->cell) || (ev->plan->vhost && !cell_on_host(ev->cell));

	snprintf(buf, 96, "%s/%s", beside ? "server_process" : "host", path);
	return buf;
}

bool image_not_yet(const struct evidence *ev, const json_t *fds)
{
	return ev->plan->vhost && !ev->after && !json_array_size(fds);
}

static const char *word_at(const struct evidence *ev, const char *path)
{
	return json_string_value(ev_get(ev, path));
}

void probe_driver(const struct evidence *ev, struct asked_got *r)
{
	const char *asked = cell_get(ev->cell, K_DRIVER), *engine = word_at(ev, "engine/engine");
	const json_t *fds = ev_get(ev, "host/image_fds");

	if (cell_uses_vring(ev->cell))
		compare_word(r, "host", asked, engine, "fio's engine has not reported");
	else if (engine)
		got_set(r, GOT_DIFFER, "host", "%.60s", engine);
	else if (ev->plan->image && json_array_size(fds))
		got_set(r, GOT_MATCH, "host", "file");
	else
		got_set(r, GOT_UNKNOWN, "host", "%s",
			ev->plan->image ? "the open files of fio cannot be read here"
					: "fio does not tell its engine");
}

void probe_wait(const struct evidence *ev, struct asked_got *r)
{
	compare_word(r, "host", cell_get(ev->cell, K_WAIT), word_at(ev, "engine/wait"),
		     "the driver does not tell how it waits");
}

static bool ends_with(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	return !strcmp(slash ? slash + 1 : path, name);
}

/* Which program really has the other end: its /proc/PID/exe. */
void probe_server(const struct evidence *ev, struct asked_got *r)
{
	const char *transport = word_at(ev, "engine/transport");
	char path[96];
	const char *program = word_at(ev, disk_process(ev, "program", path)), *slash;

	if (transport && !strcmp(transport, "loop"))
		program = "loop";
	else if (!strcmp(cell_get(ev->cell, K_SERVER), "loop"))
		program = transport;
	else if (program && ends_with(program, "vbench-vhost-blk"))
		program = "vbench";
	else if (program && ends_with(program, "qemu-storage-daemon"))
		program = "storage-daemon";
	slash = program ? strrchr(program, '/') : NULL;
	compare_word(r, "host", cell_get(ev->cell, K_SERVER), slash ? slash + 1 : program,
		     "the server's program cannot be read here");
}

void probe_serves(const struct evidence *ev, struct asked_got *r)
{
	bool loop = !strcmp(cell_get(ev->cell, K_SERVER), "loop");
	const char *asked = cell_get(ev->cell, K_SERVES);
	const char *said = word_at(ev, loop ? "engine/serves" : "server/serves");
	char path[96];
	const json_t *fds = ev_get(ev, disk_process(ev, "image_fds", path));

	if (said)
		compare_word(r, "host", asked, said, "");
	else if (!ev->plan->image)
		got_set(r, GOT_UNKNOWN, "host", "the server does not tell what it serves");
	else if (!json_is_array(fds))
		got_set(r, GOT_UNKNOWN, "host", "the server's open files cannot be read here");
	else if (image_not_yet(ev, fds))
		got_set(r, GOT_UNKNOWN, "host", "the server is still starting");
	else
		got_set(r, json_array_size(fds) ? GOT_MATCH : GOT_DIFFER, "host", "%s",
			json_array_size(fds) ? "file" : "the server has not opened the image");
}

/* Each queue has a thread that waits; all must agree. */
void probe_server_wait(const struct evidence *ev, struct asked_got *r)
{
	const json_t *queues = ev_get(ev, "server/queues");
	const char *asked = cell_get(ev->cell, K_SERVER_WAIT);
	const char *got = word_at(ev, "engine/device_wait");

	for (size_t i = 0; i < json_array_size(queues); i++) {
		const char *wait =
			json_string_value(json_object_get(json_array_get(queues, i), "wait"));

		if (wait && (!got || strcmp(wait, asked)))
			got = wait;
	}
	compare_word(r, "host", asked, got, "the server does not tell how it waits");
}

/* A time in ns at path against the one that was asked for. */
static void compare_time(const struct evidence *ev, struct asked_got *r, enum key_id key,
			 const char *path, const char *unknown)
{
	const json_t *v = ev_get(ev, path);
	char buf[32];

	compare_number(ev, r, path, "host", cell_u64(ev->cell, key), unknown);
	if (r->state != GOT_UNKNOWN)
		got_set(r, r->state, "host", "%s",
			units_time_spell((uint64_t)json_integer_value(v), buf, sizeof(buf)));
}

void probe_poll(const struct evidence *ev, struct asked_got *r)
{
	compare_time(ev, r, K_POLL, "engine/poll_ns", "the driver does not tell how long it polls");
}

/* A device within fio is told of by fio's engine, any other by its server. */
static bool in_loop(const struct evidence *ev)
{
	return !strcmp(cell_get(ev->cell, K_SERVER), "loop");
}

void probe_server_poll(const struct evidence *ev, struct asked_got *r)
{
	compare_time(ev, r, K_SERVER_POLL, in_loop(ev) ? "engine/device_poll_ns" : "server/poll_ns",
		     "the server does not tell how long it polls");
}

void probe_server_latency(const struct evidence *ev, struct asked_got *r)
{
	compare_time(ev, r, K_LATENCY, in_loop(ev) ? "engine/latency_ns" : "server/latency_ns",
		     "the server does not tell it; see the measured latency");
}
