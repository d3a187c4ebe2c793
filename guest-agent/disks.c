/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many disks at once: waits until all serials that were asked for are there, sets them up. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "guest-agent/agent.h"

#define DISKS_STEP_NS (10 * MS_NS) /* between two looks, from the end of one */
#define DISKS_MAX 1024
#define SERIAL_LEN_MAX 127

static void wait_end(struct disks_wait *w)
{
	json_decref(w->serials);
	free(w->names);
	*w = (struct disks_wait){0};
}

/* Those that are there become the disks whose counters are read around jobs. */
static json_t *disks_answer(struct agent *a)
{
	struct disks_wait *w = &a->disks_wait;
	json_t *body = json_object(), *list = json_array();
	size_t n = json_array_size(w->serials);

	disk_set_clear(&a->disks);
	for (size_t i = 0; i < n; i++) {
		const char *serial = json_string_value(json_array_get(w->serials, i));

		if (!w->names[i][0]) {
			json_array_append_new(list, json_null());
			continue;
		}
		disk_set_add(&a->disks, w->names[i]);
		json_array_append_new(list, disk_brief("", w->names[i], serial));
	}
	json_object_set_new(body, "disks", list);
	return body;
}

/* 0 when the scheduler of all that are there is set. */
static int schedulers_set(const struct disks_wait *w, char *buf, size_t size)
{
	size_t n = json_array_size(w->serials);
	int rc = 0;

	for (size_t i = 0; !rc && w->scheduler[0] && i < n; i++)
		if (w->names[i][0])
			rc = disk_set_scheduler("", w->names[i], w->scheduler, buf, size);
	return rc;
}

void disks_tick(struct agent *a)
{
	struct disks_wait *w = &a->disks_wait;
	size_t n = json_array_size(w->serials);
	char buf[512];
	uint64_t now;
	int rc;

	if (!w->active || sys_mono_ns() < w->next_ns)
		return;
	if (w->found < n)
		w->found = disk_index("", w->serials, w->names);
	now = sys_mono_ns();
	w->next_ns = now + DISKS_STEP_NS;
	if (w->found < n && now < w->deadline_ns)
		return;
	rc = schedulers_set(w, buf, sizeof(buf));
	/* as with one disk: a queue may not be registered yet */
	if (rc == -ENOENT && now < w->deadline_ns)
		return;
	if (rc)
		port_error(&a->port, w->seq, "%s", buf);
	else
		port_send(&a->port, WIRE_REPLY, w->seq, disks_answer(a));
	wait_end(w);
}

static bool serials_fit(const json_t *serials)
{
	size_t n = json_array_size(serials);

	for (size_t i = 0; i < n; i++) {
		const json_t *s = json_array_get(serials, i);

		if (!json_is_string(s) || !json_string_length(s) ||
		    json_string_length(s) > SERIAL_LEN_MAX)
			return false;
	}
	return n && n <= DISKS_MAX;
}

void disks_ask(struct agent *a, uint16_t seq, const json_t *args)
{
	const char *scheduler = json_string_value(json_object_get(args, "scheduler"));
	json_int_t ms = json_integer_value(json_object_get(args, "timeout_ms"));
	json_t *serials = json_object_get(args, "serials");
	struct disks_wait *w = &a->disks_wait;

	scheduler = scheduler ? scheduler : "";
	if (!serials_fit(serials) || strlen(scheduler) >= sizeof(w->scheduler)) {
		port_error(&a->port, seq,
			   "a request for disks needs 1 to %d serials (and names are short)",
			   DISKS_MAX);
		return;
	}
	if (w->active) {
		port_error(&a->port, seq, "disks are being waited for already");
		return;
	}
	*w = (struct disks_wait){
		.active = true,
		.seq = seq,
		.serials = json_incref(serials),
		.names = calloc(json_array_size(serials), sizeof(*w->names)),
		.deadline_ns = sys_mono_ns() + (ms > 0 && ms < 86400000 ? (uint64_t)ms : 0) * MS_NS,
	};
	strcpy(w->scheduler, scheduler);
	if (!w->names) {
		wait_end(w);
		port_error(&a->port, seq, "no memory for so many disks");
		return;
	}
	disks_tick(a);
}

uint64_t disks_next_ns(const struct agent *a)
{
	return a->disks_wait.active ? a->disks_wait.next_ns : UINT64_MAX;
}
