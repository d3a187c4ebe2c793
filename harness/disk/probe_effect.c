/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What only shows by its effect during the workload: the way of submission and the iothread. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "disk/internal.h"

/* Submissions to the ring of that fd, -1 if it is not listed. */
static int64_t tail_of(const json_t *rings, json_int_t fd)
{
	for (size_t i = 0; i < json_array_size(rings); i++) {
		const json_t *ring = json_array_get(rings, i);

		if (json_is_integer(json_object_get(ring, "fd")) &&
		    json_integer_value(json_object_get(ring, "fd")) == fd)
			return (int64_t)json_integer_value(json_object_get(ring, "sq_tail"));
	}
	return -1;
}

/* How many rings took submissions between the two; -1 without both lists. */
static int rings_used(const struct evidence *ev)
{
	char path[96];
	const json_t *a = json_at(ev->before, disk_process(ev, "uring", path)),
		     *b = json_at(ev->after, disk_process(ev, "uring", path));
	int n = 0;

	if (!json_is_array(a) || !json_is_array(b))
		return -1;
	for (size_t i = 0; i < json_array_size(b); i++) {
		json_int_t fd = json_integer_value(json_object_get(json_array_get(b, i), "fd"));
		int64_t was = tail_of(a, fd), is = tail_of(b, fd);

		n += is != (was < 0 ? 0 : was); /* SqTail wraps at 32 bits */
	}
	return n;
}

static int64_t number(const json_t *evidence, const char *path)
{
	const json_t *v = json_at(evidence, path);

	return json_is_integer(v) ? (int64_t)json_integer_value(v) : -1;
}

/* Of the program that has the image open: the storage daemon's, "7.2.22", where there is one, for
 * it need not be of the guest's QEMU. 0, 0: it does not tell. */
static void block_version(const struct evidence *ev, json_int_t *major, json_int_t *minor)
{
	const json_t *v = ev_get(ev, "qmp/query-version/qemu");
	char path[96];
	const char *own = ev->plan->vhost
				  ? json_string_value(ev_get(ev, disk_process(ev, "version", path)))
				  : NULL;
	unsigned a = 0, b = 0;

	if (own && sscanf(own, "%5u.%5u", &a, &b) != 2)
		a = b = 0;
	*major = own ? a : json_integer_value(json_object_get(v, "major"));
	*minor = own ? b : json_integer_value(json_object_get(v, "minor"));
}

/* From 10.2 on QEMU's event loops and its block layer share their rings: growth says nothing any
 * more. */
static bool own_rings(const struct evidence *ev)
{
	json_int_t major, minor;

	block_version(ev, &major, &minor);
	return major > 0 && (major < 10 || (major == 10 && minor < 2));
}

enum use { USE_NO, USE_YES, USE_MAYBE, USE_UNTOLD };

/* Threads of the process that has the image open whose event loop may be a ring. The export of
 * qemu-storage-daemon always has an iothread, qemu-nbd none. */
static int event_loops(const struct evidence *ev)
{
	int listed = (int)json_array_size(ev_get(ev, "qmp/query-iothreads"));

	if (cell_uses_nbd(ev->cell))
		return 0;
	if (!ev->plan->iothread[0] || ev->plan->vhost)
		return ev->plan->vhost;
	return listed > 1 ? listed : 1;
}

/*
 * Was the ring of aio=io_uring in use? An iothread's event loop may be a ring, too (not in every
 * build), and then takes submissions of its own; aio=io_uring adds rings to that one. The main loop
 * has none.
 */
static enum use uring_use(const struct evidence *ev)
{
	char path[96];
	int used = rings_used(ev), loops = event_loops(ev);
	int rings = (int)json_array_size(json_at(ev->after, disk_process(ev, "uring", path)));

	if (used <= 0)
		return used < 0 ? USE_UNTOLD : USE_NO;
	return own_rings(ev) && rings > loops ? USE_YES : USE_MAYBE;
}

/*
 * Contexts of native aio: of this QEMU where the evidence has them ("aio_rings", mappings of
 * /[aio]), else of the whole host, whose absence proves something and whose presence does not. QEMU
 * sets 1024 events aside for each of at most two contexts a disk; with no more than these on the
 * host they are ours, and the kernel cannot have run out of them (of which QEMU would fall back to
 * threads).
 */
static enum use native_use(const struct evidence *ev)
{
	char a[96], b[96];
	int64_t own = number(ev->after, disk_process(ev, "aio_rings", a)),
		all = number(ev->after, disk_process(ev, "aio_nr", b));

	if (own >= 0)
		return own ? USE_YES : USE_NO;
	if (all < 0)
		return USE_UNTOLD;
	return !all ? USE_NO : USE_MAYBE;
}

/*
 * Reads of what an image does not hold never reach its file, by whatever way: without worker
 * threads or aio contexts, too, nothing was submitted that could show the way. Formats know that by
 * their tables, an NBD server by asking the file system for the holes of the file.
 */
static bool untouched(const struct evidence *ev, enum use native, bool more)
{
	const char *format = cell_get(ev->cell, K_FORMAT);
	bool tables = format && strcmp(format, "raw") && strcmp(format, "luks");

	return (tables || cell_uses_nbd(ev->cell)) && native == USE_NO && !more;
}

/*
 * Compressed clusters lie anywhere in the file. Opened without the page cache, it takes aligned
 * requests only, and QEMU gives all others to its worker threads (block/file-posix.c,
 * raw_co_prw, 6.2 to 10): the way that was asked for is not the one that they take.
 */
static bool misaligned(const struct evidence *ev)
{
	const char *squeezed = cell_get(ev->cell, K_COMPRESSION);

	return squeezed && strcmp(squeezed, "none") && cell_cache(ev->cell)->direct;
}

static void asked_uring(enum use uring, enum use native, bool idle, struct asked_got *r)
{
	if (uring == USE_YES)
		got_set(r, GOT_MATCH, "host", "io_uring");
	else if (uring == USE_NO && idle)
		got_set(r, GOT_UNKNOWN, "host", "no I/O of the guest reached the image's file");
	else if (uring == USE_NO)
		got_set(r, GOT_DIFFER, "host", "%s (no io_uring took a submission)",
			native == USE_YES ? "native" : "not io_uring");
	else
		got_set(r, GOT_UNKNOWN, "host", "the ring in use may be the event loop's");
}

/* more: worker threads were added during the workload. few: no more aio events on the host than
 * this disk's. */
static void asked_native(enum use uring, enum use native, bool more, bool few, bool idle,
			 struct asked_got *r)
{
	if (uring == USE_YES)
		got_set(r, GOT_DIFFER, "host", "io_uring");
	else if (native == USE_NO && idle)
		got_set(r, GOT_UNKNOWN, "host", "no I/O of the guest reached the image's file");
	else if (native == USE_NO)
		got_set(r, GOT_DIFFER, "host", "not native (there is no aio context)");
	else if (native == USE_YES || (native == USE_MAYBE && few && !more && uring == USE_NO))
		got_set(r, GOT_MATCH, "host", "native");
	else
		got_set(r, GOT_UNKNOWN, "host",
			"there are aio contexts on this host, maybe of other processes");
}

static void asked_threads(enum use uring, enum use native, bool more, struct asked_got *r)
{
	if (uring == USE_YES)
		got_set(r, GOT_DIFFER, "host", "io_uring");
	else if (native == USE_YES)
		got_set(r, GOT_DIFFER, "host", "native");
	else if ((uring == USE_NO && native == USE_NO) || more)
		got_set(r, GOT_MATCH, "host",
			"threads"); /* there is no fourth way; or they were seen to come */
	else
		got_set(r, GOT_UNKNOWN, "host", "%s",
			uring == USE_MAYBE
				? "the ring in use may be the event loop's"
				: "there are aio contexts on this host, maybe of this QEMU");
}

/* QMP has no word on aio: it shows by what grows while the guest works. */
void probe_aio(const struct evidence *ev, struct asked_got *r)
{
	const char *asked = cell_get(ev->cell, K_AIO);
	enum use uring = uring_use(ev), native = native_use(ev);
	char path[96];
	bool more = number(ev->after, disk_process(ev, "workers", path)) >
		    number(ev->before, disk_process(ev, "workers", path));
	bool idle = untouched(ev, native, more);
	bool few =
		number(ev->after, disk_process(ev, "aio_nr", path)) <= 1024 * (1 + event_loops(ev));

	if (!ev->before || !ev->after)
		got_set(r, GOT_UNKNOWN, "host", "shows only by its effect during the workload");
	else if (uring == USE_UNTOLD)
		got_set(r, GOT_UNKNOWN, "host", "QEMU's rings cannot be read here");
	else if (strcmp(asked, "threads") && misaligned(ev) && uring == USE_NO && native == USE_NO)
		got_set(r, GOT_UNKNOWN, "host",
			"compressed clusters are not aligned: QEMU reads them by its worker threads");
	else if (!strcmp(asked, "io_uring"))
		asked_uring(uring, native, idle, r);
	else if (!strcmp(asked, "native"))
		asked_native(uring, native, more, few, idle, r);
	else
		asked_threads(uring, native, more, r);
}

/* Is there an iothread of that id? -1: QEMU does not say. */
static int iothread_there(const struct evidence *ev, const char *id)
{
	const json_t *list = ev_get(ev, "qmp/query-iothreads");

	if (!json_is_array(list))
		return -1;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name =
			json_string_value(json_object_get(json_array_get(list, i), "id"));

		if (name && (!id[0] || !strcmp(name, id)))
			return 1;
	}
	return 0;
}

void probe_iothread(const struct evidence *ev, struct asked_got *r)
{
	bool asked = cell_on(ev->cell, K_IOTHREAD);
	int there = iothread_there(ev, asked ? ev->plan->iothread : "");
	int64_t before = number(ev->before, "host/cpu_ns/iothread"),
		after = number(ev->after, "host/cpu_ns/iothread");

	if (there < 0)
		got_set(r, GOT_UNKNOWN, "host", "QEMU does not list its iothreads");
	else if (!asked)
		got_set(r, there ? GOT_DIFFER : GOT_MATCH, "host", "%s",
			there ? "there is an iothread" : "off");
	else if (!there)
		got_set(r, GOT_DIFFER, "host", "there is no iothread %s", ev->plan->iothread);
	else if (before < 0 || after < 0)
		got_set(r, GOT_UNKNOWN, "host",
			"that it is used shows only by its CPU time during the workload");
	else if (after <= before)
		got_set(r, GOT_DIFFER, "host",
			"it is there, but used no CPU time during the workload");
	else
		got_set(r, GOT_MATCH, "host", "on");
}
