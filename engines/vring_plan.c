// SPDX-License-Identifier: GPL-2.0-or-later
/* Which job of fio gets which queue and which part of the shared memory, and whether it may run. */
#include "engines/vring.h"

#define SECTOR 512u
/* Bytes of a request at most, so that it has less than 4 GiB with all that comes on top. */
#define MOST_BYTES (UINT32_MAX - 0xffffu)

static size_t pages(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) & ~(page - 1);
}

static bool same_text(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

bool vring_same(const struct vring_options *a, const struct vring_options *b)
{
	return a->transport == b->transport && same_text(a->path, b->path);
}

/* The first option in which jobs of one device differ, or NULL. Waiting, time-outs and trims may.
 */
static const char *plan_differs(const struct vring_options *a, const struct vring_options *b)
{
	if (a->packed != b->packed)
		return "ring";
	if (a->queue_size != b->queue_size)
		return "queue_size";
	if (a->event_idx != b->event_idx)
		return "event_idx";
	if (a->indirect != b->indirect)
		return "indirect";
	if (a->hugepages != b->hugepages)
		return "hugepages";
	if (a->rewrite != b->rewrite)
		return "rewrite";
	if (a->transport != VRING_LOOP)
		return NULL;
	if (a->serves != b->serves)
		return "serves";
	if (!same_text(a->serve_path, b->serve_path))
		return "serve_path";
	if (a->serve_size != b->serve_size)
		return "serve_size";
	if (a->latency_ns != b->latency_ns)
		return "latency_ns";
	return NULL;
}

size_t vring_buffer_bytes(struct thread_data *td)
{
	size_t bytes = (size_t)td_max_bs(td) * td->o.iodepth;

	if (!td_read(td) && !td_write(td))
		return 0;
	/* init_io_u_buffers() and allocate_io_mem() of fio each add a page and an alignment. */
	return pages(bytes) + pages(1) * 2 + 2ul * td->o.mem_align;
}

/* --- what a job may do on this device --- */

static int plan_check_blocks(struct thread_data *td, const struct vring_conn *c, struct err *e)
{
	for (int ddir = DDIR_READ; ddir < DDIR_RWDIR_CNT; ddir++) {
		if ((ddir == DDIR_READ && !td_read(td)) || (ddir == DDIR_WRITE && !td_write(td)) ||
		    (ddir == DDIR_TRIM && !td_trim(td)))
			continue;
		if (td->o.min_bs[ddir] % c->blk.block_size || td->o.bs_unaligned)
			return err_input(e, "%s: bs: the device has blocks of %u bytes", td->o.name,
					 c->blk.block_size);
		if (td->o.max_bs[ddir] > MOST_BYTES)
			return err_input(e, "%s: bs: a request has less than 4 GiB", td->o.name);
	}
	if (td_write(td) && c->offered >> VIRTIO_BLK_F_RO & 1)
		return err_input(e, "%s: the device is read-only: rw=read, rw=randread",
				 td->o.name);
	return 0;
}

static int plan_check_trim(struct thread_data *td, const struct vring_conn *c, struct err *e)
{
	const struct vring_options *o = td->eo;
	bool discard = o->trim == VRING_DISCARD;
	unsigned bit = discard ? VIRTIO_BLK_F_DISCARD : VIRTIO_BLK_F_WRITE_ZEROES;
	uint64_t most = discard ? c->blk.max_discard_sectors : c->blk.max_write_zeroes_sectors;
	uint64_t align = discard ? c->blk.discard_alignment : 0;
	bool other = c->offered >> (discard ? VIRTIO_BLK_F_WRITE_ZEROES : VIRTIO_BLK_F_DISCARD) & 1;

	if (!td_trim(td))
		return 0;
	if (!(c->offered >> bit & 1))
		return err_input(e, "%s: the device offers no %s%s", td->o.name,
				 discard ? "discard" : "write zeroes",
				 !other	   ? ", so that nothing can be trimmed"
				 : discard ? ": trim=write_zeroes"
					   : ": trim=discard");
	if (td->o.max_bs[DDIR_TRIM] > most * SECTOR)
		return err_input(e, "%s: bs: the device trims at most %llu bytes at a time",
				 td->o.name, (unsigned long long)most * SECTOR);
	if (align && td->o.min_bs[DDIR_TRIM] % (align * SECTOR))
		return err_input(e, "%s: bs: the device discards multiples of %llu bytes",
				 td->o.name, (unsigned long long)align * SECTOR);
	return 0;
}

/* What fio's options ask for and no one here would do. */
static int plan_check_ignored(struct thread_data *td, const struct vring_conn *c, struct err *e)
{
	uint64_t bytes = c->blk.capacity * SECTOR;
	uint64_t start = td->o.start_offset + (uint64_t)td->subjob_number * td->o.offset_increment;

	if (td->o.sync_io)
		return err_input(e,
				 "%s: sync: the ring has no O_SYNC: fsync=1 flushes after each "
				 "write",
				 td->o.name);
	if (td->o.pre_read)
		return err_input(e, "%s: pre_read: fio can read a file's pages, not a device's",
				 td->o.name);
	if (td->o.zone_mode == ZONE_MODE_ZBD)
		return err_input(e, "%s: zonemode=zbd: the device has no zones", td->o.name);
	if (!td->o.start_offset_percent && start >= bytes)
		return err_input(e, "%s: offset: %llu, but the device has %llu bytes", td->o.name,
				 (unsigned long long)start, (unsigned long long)bytes);
	return 0;
}

/* The first of our own options that this transport does not look at, or NULL. */
static const char *plan_foreign(const struct vring_options *o)
{
	if (o->serves != BLK_NULL)
		return "serves";
	if (o->serve_path && *o->serve_path)
		return "serve_path";
	if (o->serve_size)
		return "serve_size";
	if (o->latency_ns)
		return "latency_ns";
	if (o->device_wait != WAIT_POLL)
		return "device_wait";
	if (o->device_poll_ns != VRING_DEVICE_POLL_NS)
		return "device_poll_ns";
	if (o->device_cpu != -1)
		return "device_cpu";
	return NULL;
}

int vring_plan_options(const struct vring_options *o, struct err *e)
{
	const char *foreign = plan_foreign(o);

	if (o->transport != VRING_LOOP)
		return foreign ? err_input(e,
					   "%s: only transport=loop has its device here; tell the "
					   "program behind the socket",
					   foreign)
			       : 0;
	if (o->serve_path && *o->serve_path && o->serves != BLK_FILE)
		return err_input(e, "serve_path=%s: nothing is read from there without serves=file",
				 o->serve_path);
	return 0;
}

static int plan_check_job(struct thread_data *td, const struct vring_conn *c, struct err *e)
{
	uint64_t bytes = c->blk.capacity * SECTOR;
	int rc;

	if (td->o.nr_files > 1)
		return err_input(e, "%s: nrfiles, filename: a device is one file", td->o.name);
	if (fio_option_is_set(&td->o, mem_type))
		return err_input(
			e,
			"%s: mem: buffers come from the memory shared with the device; huge "
			"pages are hugepages=1",
			td->o.name);
	if (td->o.size && td->o.size != -1ULL && td->o.size > bytes)
		return err_input(e, "%s: size: the device has %llu bytes", td->o.name,
				 (unsigned long long)bytes);
	rc = plan_check_ignored(td, c, e);
	if (!rc)
		rc = plan_check_blocks(td, c, e);
	return rc ? rc : plan_check_trim(td, c, e);
}

/* --- segments and memory of one job --- */

/* How requests are cut into segments: 5.2.4 (size_max, seg_max), 2.7.5.3.1 and 2.8.5 (no chain
 * longer than the queue). */
static int plan_segments(struct vring_place *p, struct thread_data *td, const struct vring_conn *c,
			 struct err *e)
{
	unsigned size = c->ring.size;
	uint64_t most = c->blk.seg_max ? c->blk.seg_max : UINT32_MAX;
	uint64_t data, all;

	p->max_bs = td_read(td) || td_write(td) ? td_max_bs(td) : 0;
	p->seg_size = c->blk.size_max ? c->blk.size_max & ~(SECTOR - 1) : MOST_BYTES;
	data = (p->max_bs + p->seg_size - 1) / p->seg_size;
	if (data > most)
		return err_input(
			e,
			"%s: bs: requests of the device have at most %llu segments of %u bytes: "
			"bs of %llu bytes at most",
			td->o.name, (unsigned long long)most, p->seg_size,
			(unsigned long long)(most * p->seg_size));
	all = (data ? data : 1) + 2;
	if (all <= size) {
		p->segs = (unsigned)all;
		return 0;
	}
	/* Two descriptors do for any request that fits into one segment: 2.7.4.1, no framing is
	 * fixed. The longer one holds the data and the header (writes) or the status (reads). */
	if (size < 2)
		return err_input(e, "%s: queue_size=%u: a request takes two descriptors",
				 td->o.name, size);
	if (c->blk.size_max && p->max_bs + sizeof(struct virtio_blk_outhdr) > c->blk.size_max)
		return err_input(e, "%s: bs: %u entries hold no request of more than %u bytes",
				 td->o.name, size, c->blk.size_max & ~(SECTOR - 1));
	p->copies = true;
	p->segs = 2;
	return 0;
}

static void plan_memory(struct vring_place *p, struct thread_data *td, const struct vring_conn *c,
			size_t at)
{
	p->ring = at;
	at += pages(drv_bytes(&c->ring, p->segs));
	p->slots = at;
	at += pages(p->depth * sizeof(struct vring_slot));
	p->bounce = at;
	if (p->copies) {
		size_t most = p->max_bs > SECTOR ? (size_t)p->max_bs : SECTOR;

		p->stride = (sizeof(struct virtio_blk_outhdr) + most + 1 + 63) & ~63ul;
		at += pages(p->depth * p->stride);
	}
	p->buffers = at;
	p->buffers_size = vring_buffer_bytes(td);
	p->end = at + pages(p->buffers_size);
}

/* --- all jobs of a connection --- */

static bool plan_is_ours(struct thread_data *td, struct thread_data *job)
{
	return job->io_ops && job->eo && job->io_ops->setup == td->io_ops->setup &&
	       vring_same(job->eo, td->eo);
}

static int plan_add(struct vring_plan *p, struct thread_data *job, unsigned number, unsigned queue,
		    size_t at, const struct vring_conn *c, struct err *e)
{
	struct vring_place *place;
	int rc = vring_plan_options(job->eo, e);

	if (!rc)
		rc = plan_check_job(job, c, e);
	if (rc)
		return rc;
	if (queue >= c->device_queues)
		return err_input(
			e,
			"%s: job %u of those that run at the same time on %s, which has %u "
			"queue%s: fewer jobs (numjobs), or a device with more queues (only stonewall "
			"keeps jobs apart; those that wait_for= another count)",
			job->o.name, queue + 1, c->name, c->device_queues,
			c->device_queues == 1 ? "" : "s");
	p->place = xrealloc(p->place, p->n + 1, sizeof(*p->place));
	place = &p->place[p->n];
	*place = (struct vring_place){.job = number, .queue = queue, .depth = job->o.iodepth};
	rc = plan_segments(place, job, c, e);
	if (rc)
		return rc;
	plan_memory(place, job, c, at);
	p->n++;
	if (place->end > p->size)
		p->size = place->end;
	if (queue >= p->queues)
		p->queues = queue + 1;
	return 0;
}

/* Whether job, the queue-th of those that run at the same time, may share the device. */
static int plan_check_sharing(struct thread_data *td, struct thread_data *job, unsigned queue,
			      bool forks, bool forked, const struct vring_conn *c, struct err *e)
{
	const struct vring_options *o = td->eo;
	const char *option = plan_differs(o, job->eo);

	if (option)
		return err_input(e, "%s and %s: %s differs on the same device", td->o.name,
				 job->o.name, option);
	if (queue && forks)
		return err_input(e,
				 "%s: several jobs on %s at the same time share a connection: "
				 "thread=1",
				 job->o.name, c->name);
	/* A process has a copy of its own of what another one wrote. */
	if (c->plan.n && forked && o->transport == VRING_LOOP && o->serves == BLK_MEMORY)
		return err_input(e, "%s: several jobs on one device of memory: thread=1",
				 job->o.name);
	return 0;
}

int vring_plan_make(struct vring_plan *p, struct thread_data *td, const struct vring_conn *c,
		    struct err *e)
{
	bool forks = false, forked = false; /* some job of those at the same time; some job */
	struct thread_data *job;
	unsigned queue = 0;
	size_t at = 0;
	int i, rc;

	for_each_td (job, i) {
		/* A stonewall waits for all jobs before it. */
		if (job->o.stonewall) {
			forks = false;
			queue = 0;
			at = 0;
		}
		if (!plan_is_ours(td, job))
			continue;
		forks |= !job->o.use_thread;
		forked |= forks;
		rc = plan_check_sharing(td, job, queue, forks, forked, c, e);
		if (!rc)
			rc = plan_add(p, job, (unsigned)i, queue++, at, c, e);
		if (rc)
			return rc;
		at = p->place[p->n - 1].end;
	}
	return 0;
}
