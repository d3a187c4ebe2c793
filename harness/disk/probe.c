/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asked against got: the table of what can be read back, and what the probes have in common. Pure,
 * bounded, never crashing. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "disk/internal.h"

/*
 * once: the probe looks at one evidence at a time and is asked about both, since what was in force
 * before the workload may not have stayed so. The others need the two together (an effect), or just
 * the first (the image before its first write).
 */
struct probe {
	enum key_id key;
	bool once;
	void (*read)(const struct evidence *ev, struct asked_got *r);
};

static void probe_dir(const struct evidence *ev, struct asked_got *r)
{
	char path[96];
	const json_t *fds = ev_get(ev, disk_process(ev, "image_fds", path));
	const char *slash = ev->plan->image ? strrchr(ev->plan->image, '/') : NULL;

	if (!json_is_array(fds) || !slash)
		got_set(r, GOT_UNKNOWN, "host",
			"the open files of the process cannot be read here");
	else if (image_not_yet(ev, fds))
		got_set(r, GOT_UNKNOWN, "host", "the server is still starting");
	else if (json_array_size(fds))
		got_set(r, GOT_MATCH, "host", "%.*s", (int)(slash - ev->plan->image),
			ev->plan->image);
	else
		got_set(r, GOT_DIFFER, "host", "there is no file open in %.*s",
			(int)(slash - ev->plan->image), ev->plan->image);
}

static const struct probe probes[] = {
	{K_DIR, true, probe_dir},
	{K_DRIVER, true, probe_driver},
	{K_POLL_QUEUES, true, probe_poll_queues},
	{K_BUS, true, probe_bus},
	{K_DISKS, true, probe_count},
	{K_CONTROLLERS, true, probe_controllers},
	{K_SLOTS, true, probe_slots},
	{K_RING, true, probe_ring},
	{K_EVENT_IDX, true, probe_event_idx},
	{K_INDIRECT, true, probe_indirect},
	{K_FORMAT, true, probe_format},
	{K_MODE, false, probe_mode},
	{K_CLUSTER, true, probe_cluster},
	{K_EXTENDED_L2, true, probe_extended_l2},
	{K_LAZY_REFCOUNTS, true, probe_lazy_refcounts},
	{K_COMPAT, true, probe_compat},
	{K_L2_CACHE, true, probe_l2_cache},
	{K_CONTENT, false, probe_content},
	{K_BACKING, true, probe_backing},
	{K_COMPRESSION, true, probe_compression},
	{K_DATA_FILE, true, probe_data_file},
	{K_SIZE, true, probe_size},
	{K_CACHE, true, probe_cache},
	{K_AIO, false, probe_aio},
	{K_DETECT_ZEROES, true, probe_detect_zeroes},
	{K_DISCARD, true, probe_discard},
	{K_THROTTLE_IOPS, true, probe_throttle_iops},
	{K_THROTTLE_BPS, true, probe_throttle_bps},
	{K_THROTTLE_IOPS_MAX, true, probe_throttle_iops_max},
	{K_THROTTLE_BPS_MAX, true, probe_throttle_bps_max},
	{K_THROTTLE_BURST, true, probe_throttle_burst},
	{K_IOTHREAD, false, probe_iothread},
	{K_IOTHREADS, true, probe_iothreads},
	{K_MAPPING, true, probe_mapping},
	{K_POLL_MAX, true, probe_poll_max},
	{K_IOEVENTFD, true, probe_ioeventfd},
	{K_QUEUES, true, probe_queues},
	{K_QUEUE_SIZE, true, probe_queue_size},
	{K_WAIT, true, probe_wait},
	{K_POLL, true, probe_poll},
	{K_BACKEND, true, probe_backend},
	{K_DEVICE, true, probe_device},
	{K_NBD, true, probe_nbd},
	{K_NBDKIT, true, probe_nbdkit},
	{K_SERVER, true, probe_server},
	{K_SERVES, true, probe_serves},
	{K_SERVER_WAIT, true, probe_server_wait},
	{K_SERVER_POLL, true, probe_server_poll},
	{K_LATENCY, true, probe_latency},
};

/* What guest and host say is data: nothing that moves a terminal's cursor gets into a sentence. */
static void mask(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

void got_set(struct asked_got *r, enum got_state state, const char *from, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->got, sizeof(r->got), fmt, ap);
	va_end(ap);
	mask(r->got);
	snprintf(r->from, sizeof(r->from), "%s", from);
	r->state = state;
}

const json_t *json_at(const json_t *from, const char *path)
{
	while (from && *path) {
		size_t n = strcspn(path, "/");
		char word[64];

		snprintf(word, sizeof(word), "%.*s", (int)n, path);
		from = json_object_get(from, word);
		path += n + (path[n] == '/');
	}
	return json_is_null(from) ? NULL : from;
}

const json_t *ev_get(const struct evidence *ev, const char *path)
{
	const json_t *v = json_at(ev->before, path);

	return v ? v : json_at(ev->after, path);
}

/* A difference at either time counts; else a match at either; else it is unknown. */
static void read_both(const struct probe *p, const struct evidence *ev, struct asked_got *r)
{
	struct evidence first = *ev, second = *ev;
	struct asked_got later = *r;

	first.after = NULL;
	second.before = NULL;
	p->read(&first, r);
	if (!ev->after || r->state == GOT_DIFFER)
		return;
	p->read(&second, &later);
	if (later.state == GOT_DIFFER) {
		size_t n = strlen(later.got);

		*r = later;
		snprintf(r->got + n, sizeof(r->got) - n, " (after the workload)");
	} else if (r->state == GOT_UNKNOWN) {
		*r = later;
	}
}

/* Of a pass-through option only this one comes back. */
static void read_extra(const struct evidence *ev, const struct extra *x, struct asked_got *r)
{
	const json_t *list = ev_get(ev, "qmp/query-named-block-nodes"), *node;
	char format[32];
	size_t i;

	node_of_format(ev->cell, ev->plan->fmt_node, format);
	if (!strcmp(x->key, "detect-zeroes")) {
		json_array_foreach((json_t *)(uintptr_t)list, i, node)
		{
			const char *name = json_string_value(json_object_get(node, "node-name"));
			const char *got = json_string_value(json_object_get(node, "detect_zeroes"));

			if (name && got && !strcmp(name, format)) {
				got_set(r, strcmp(got, x->value) ? GOT_DIFFER : GOT_MATCH, "host",
					"%.60s", got);
				return;
			}
		}
	}
	got_set(r, GOT_UNKNOWN, "host", "QEMU took it and does not tell it again");
}

/*
 * What QEMU does when it is told nothing, where it does not tell that either: no latency is what
 * there is without one, no discard and no cache size likewise; in an empty image there is nothing
 * that could be compressed, and an allocated one is neither empty nor full. fio's null engine has
 * no disk that had a size.
 */
static bool nothing_asked(const struct cell *c, enum key_id key)
{
	switch (key) {
	case K_LATENCY:
		return !cell_u64(c, K_LATENCY);
	case K_DISCARD:
		return cell_is(c, K_DISCARD, "ignore");
	case K_L2_CACHE:
		return cell_is(c, K_L2_CACHE, "auto");
	case K_CONTENT:
		return cell_is(c, K_CONTENT, "empty") &&
		       (cell_is(c, K_MODE, "falloc") || cell_is(c, K_MODE, "full"));
	case K_COMPRESSION:
		return cell_is(c, K_COMPRESSION, "none") && !cell_has_data(c);
	case K_SIZE:
		return cell_on_host(c) && !cell_uses_vring(c) && !cell_has_image(c);
	default:
		return false;
	}
}

/* blockdev.KEY has the last word over the key of that name, and a row of its own. */
static bool overridden(const struct cell *c, enum key_id key)
{
	for (size_t i = 0; i < c->nextras; i++)
		if (!strcmp(c->extras[i].key, profile_keys[key].name))
			return true;
	return false;
}

size_t disk_asked_got(const struct cell *c, const struct disk_plan *p, const json_t *before,
		      const json_t *after, struct asked_got *out, size_t max)
{
	struct evidence ev = {.cell = c, .plan = p, .before = before, .after = after};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]) && n < max; i++) {
		const struct key_row *row = &profile_keys[probes[i].key];
		const char *asked = cell_get(c, probes[i].key);
		struct asked_got *r = &out[n];

		if (!asked || nothing_asked(c, probes[i].key) || overridden(c, probes[i].key))
			continue;
		memset(r, 0, sizeof(*r));
		key_full_name(row, r->key, sizeof(r->key));
		key_value_text(row, asked, r->asked, sizeof(r->asked));
		if (probes[i].once)
			read_both(&probes[i], &ev, r);
		else
			probes[i].read(&ev, r);
		n++;
	}
	for (size_t i = 0; i < c->nextras && n < max; i++) {
		struct asked_got *r = &out[n++];

		memset(r, 0, sizeof(*r));
		snprintf(r->key, sizeof(r->key), "disk.blockdev.%.33s", c->extras[i].key);
		snprintf(r->asked, sizeof(r->asked), "%.95s", c->extras[i].value);
		read_extra(&ev, &c->extras[i], r);
	}
	return n;
}

json_t *disk_side_facts(const json_t *evidence)
{
	static const char *const names[] = {
		"driver",
		"transport_driver",
		"queues",
		"scheduler",
		"write_cache",
		"nr_requests",
		"max_segments",
		"max_sectors_kb",
		"rotational",
		"wbt_lat_usec",
		"logical_block_size",
		"physical_block_size",
		"discard_max_bytes",
		"msix_vectors",
	};
	const json_t *disk = json_at(evidence, "guest/disk");
	json_t *out = json_object();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		json_t *v = json_object_get(disk, names[i]);

		/* the guest may send anything: only plain values are taken on */
		if (json_is_integer(v) || (json_is_string(v) && json_string_length(v) < 200))
			json_object_set(out, names[i], v);
	}
	return out;
}
