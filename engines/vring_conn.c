// SPDX-License-Identifier: GPL-2.0-or-later
/* The connection that the jobs of one device share: device, features, memory, and queues on it. */
#include <linux/virtio_config.h>
#include <sys/mman.h>
#include "engines/vhost.h"
#include "engines/vring.h"

#define GIB (1ull << 30)
/* Where the memory lies for descriptors: any place does, but one that is nowhere in this process
 * shows a back end that takes the one address for the other. */
#define GUEST_BASE GIB

/* Jobs that are threads come here at the same time. */
static pthread_mutex_t conn_lock = PTHREAD_MUTEX_INITIALIZER;

/* While one of them holds it, fio may fork a job, which would then wait for ever. */
static void conn_fork_prepare(void)
{
	pthread_mutex_lock(&conn_lock);
}

static void conn_fork_done(void)
{
	pthread_mutex_unlock(&conn_lock);
}

__attribute__((constructor)) static void conn_fork_guard(void)
{
	pthread_atfork(conn_fork_prepare, conn_fork_done, conn_fork_done);
}

static bool has(uint64_t bits, unsigned bit)
{
	return bits >> bit & 1;
}

/* --- the device --- */

/* Asked is got: what a job asks for and the device does not offer is an error. */
static int conn_choose(struct vring_conn *c, const struct vring_options *o, struct err *e)
{
	/* What is used when it is there: the size of requests, flush, trims, more than one queue.
	 */
	static const unsigned welcome[] = {
		VIRTIO_BLK_F_SIZE_MAX, VIRTIO_BLK_F_SEG_MAX,	  VIRTIO_BLK_F_RO,
		VIRTIO_BLK_F_BLK_SIZE, VIRTIO_BLK_F_FLUSH,	  VIRTIO_BLK_F_MQ,
		VIRTIO_BLK_F_DISCARD,  VIRTIO_BLK_F_WRITE_ZEROES,
	};
	uint64_t want = 1ull << VIRTIO_F_VERSION_1;

	if (o->packed && !has(c->offered, VIRTIO_F_RING_PACKED))
		return err_input(
			e,
			"%s offers no packed ring (feature bit %d): ring=split, or another "
			"device",
			c->name, VIRTIO_F_RING_PACKED);
	if (o->event_idx && !has(c->offered, VIRTIO_RING_F_EVENT_IDX))
		return err_input(e, "%s offers no event index (feature bit %d): event_idx=0",
				 c->name, VIRTIO_RING_F_EVENT_IDX);
	if (o->indirect && !has(c->offered, VIRTIO_RING_F_INDIRECT_DESC))
		return err_input(e,
				 "%s offers no indirect descriptors (feature bit %d): indirect=0",
				 c->name, VIRTIO_RING_F_INDIRECT_DESC);
	if (o->packed)
		want |= 1ull << VIRTIO_F_RING_PACKED;
	if (o->event_idx)
		want |= 1ull << VIRTIO_RING_F_EVENT_IDX;
	if (o->indirect)
		want |= 1ull << VIRTIO_RING_F_INDIRECT_DESC;
	for (size_t i = 0; i < sizeof(welcome) / sizeof(welcome[0]); i++)
		want |= c->offered & 1ull << welcome[i];
	/* Taken along by vhost_front_negotiate: what is reported is what is accepted. */
	want |= c->offered & 1ull << VHOST_F_PROTOCOL_FEATURES;
	c->features = want;
	return 0;
}

static int conn_open_socket(struct vring_conn *c, const struct vring_options *o, struct err *e)
{
	int rc;

	if (!o->path || !*o->path)
		return err_input(e, "path= names the socket of the device (or transport=loop)");
	rc = vhost_front_open(&c->front, o->path, 0, e);
	if (rc)
		return rc;
	c->offered = vhost_front_offered(c->front);
	c->blk = *vhost_front_blk(c->front);
	c->device_queues = vhost_front_queues(c->front);
	return 0;
}

static int conn_open_loop(struct vring_conn *c, const struct vring_options *o, unsigned jobs,
			  struct err *e)
{
	struct blkdev_opts b = {
		.kind = o->serves,
		.path = o->serve_path,
		.size = o->serve_size,
		.latency_ns = o->latency_ns,
		.block_size = 512,
		.queues = jobs < 256 ? jobs : 256,
		.packed = true,
		.event_idx = true,
		.indirect = true,
	};
	struct virtio_blk_config config;
	int rc;

	if (b.kind == BLK_FILE && (!b.path || !*b.path))
		return err_input(e, "serve_path= names the file that serves=file is made of");
	if (!b.size && b.kind != BLK_FILE)
		b.size = GIB;
	rc = blkdev_open(&c->dev, &b, e);
	if (rc)
		return rc;
	c->offered = blkdev_features(c->dev);
	blkdev_config(c->dev, &config);
	rc = vhost_front_parse(&config, sizeof(config), c->offered, &c->blk, e);
	c->device_queues = c->blk.num_queues;
	return rc;
}

static unsigned conn_jobs(struct thread_data *td)
{
	struct thread_data *job;
	unsigned n = 0;
	int i;

	for_each_td (job, i)
		n += job->io_ops && job->eo && job->io_ops->setup == td->io_ops->setup &&
		     vring_same(job->eo, td->eo);
	return n;
}

/* --- memory --- */

static size_t conn_huge_page(void)
{
	unsigned long kib = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Hugepagesize: %lu kB", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib ? kib << 10 : 2ul << 20;
}

/* One sealed piece of memory for everything: nobody can cut it short under the other. Its pages
 * come with the jobs that use them (vring_queue.c), by their affinity and memory policy. */
static int conn_memory(struct vring_conn *c, bool huge, struct err *e)
{
	size_t page = huge ? conn_huge_page() : (size_t)sysconf(_SC_PAGESIZE);
	const char *remedy =
		huge ? ": huge pages are missing: more in /proc/sys/vm/nr_hugepages" : "";
	int rc;

	c->size = (c->plan.size + page - 1) / page * page;
	c->guest = GUEST_BASE;
	c->memfd =
		memfd_create("vring", MFD_CLOEXEC | MFD_ALLOW_SEALING | (huge ? MFD_HUGETLB : 0));
	if (c->memfd < 0 || ftruncate(c->memfd, (off_t)c->size))
		goto fail;
	if (fcntl(c->memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		goto fail;
	c->memory = mmap(NULL, c->size, PROT_READ | PROT_WRITE, MAP_SHARED, c->memfd, 0);
	if (c->memory != MAP_FAILED)
		return 0;
	c->memory = NULL;
fail:
	rc = -errno;
	return err_set(e, rc, "%zu bytes of shared memory: %s%s", c->size, strerror(-rc), remedy);
}

static int conn_share(struct vring_conn *c, struct err *e)
{
	int rc;

	if (c->front) {
		rc = vhost_front_negotiate(c->front, c->features, e);
		return rc ? rc
			  : vhost_front_share(c->front, c->memfd, c->size, c->memory, c->guest, e);
	}
	blkdev_negotiated(c->dev, c->features);
	return mem_add_local(&c->mem, c->memory, c->guest, c->size, e);
}

/* --- life --- */

static void conn_free(struct vring_conn *c)
{
	if (!c)
		return;
	vhost_front_close(c->front);
	if (c->dev)
		blkdev_close(c->dev);
	mem_clear(&c->mem);
	if (c->memory)
		munmap(c->memory, c->size);
	if (c->memfd >= 0)
		close(c->memfd);
	vring_records_free(c->records, c->plan.n);
	free(c->plan.place);
	free(c->name);
	free(c);
}

static int conn_make(struct vring_conn **out, struct thread_data *td, struct err *e)
{
	const struct vring_options *o = td->eo;
	struct vring_conn *c = xcalloc(1, sizeof(*c));
	const char *path = o->path ? o->path : "";
	const char *why;
	int rc;

	*out = c;
	c->memfd = -1;
	c->transport = o->transport;
	c->ring = (struct ring_opts){o->queue_size, o->packed, o->event_idx, o->indirect};
	c->name = xasprintf("%s%s%s", o->transport == VRING_LOOP ? "loop" : "vhost-user",
			    *path ? " " : "", path);
	why = ring_why_not(&c->ring);
	if (why)
		return err_input(e, "queue_size=%u: %s", o->queue_size, why);
	rc = vring_plan_options(o, e);
	if (rc)
		return rc;
	rc = o->transport == VRING_LOOP ? conn_open_loop(c, o, conn_jobs(td), e)
					: conn_open_socket(c, o, e);
	if (!rc)
		rc = conn_choose(c, o, e);
	if (!rc)
		rc = vring_plan_make(&c->plan, td, c, e);
	if (!rc)
		rc = conn_memory(c, o->hugepages, e);
	if (!rc)
		rc = conn_share(c, e);
	if (rc)
		return rc;
	c->left = c->plan.n;
	for (unsigned i = 0; i < c->plan.n; i++)
		c->copies |= c->plan.place[i].copies;
	/* The main thread's: a job's own may be bound already (create_serialize=0). */
	c->has_cpus = !sched_getaffinity(getpid(), sizeof(c->cpus), &c->cpus);
	c->records = vring_records_make(c->plan.n);
	return c->records ? 0 : err_set(e, -errno, "memory for counters: %s", strerror(errno));
}

/* All jobs of the connection get it, or are refused together. */
static void conn_tell(struct thread_data *td, struct vring_conn *c)
{
	struct thread_data *job;
	int i;

	for_each_td (job, i) {
		struct vring_options *o = job->eo;

		if (!job->io_ops || !o || job->io_ops->setup != td->io_ops->setup ||
		    !vring_same(o, td->eo))
			continue;
		o->refused = !c;
		o->conn = c;
		for (unsigned k = 0; c && k < c->plan.n; k++)
			if (c->plan.place[k].job == (unsigned)i)
				o->place = &c->plan.place[k];
	}
}

int vring_conn_get(struct thread_data *td)
{
	struct vring_options *o = td->eo;
	struct vring_conn *c = NULL;
	struct err e = {0};
	char text[1024];
	int rc = 0;

	pthread_mutex_lock(&conn_lock);
	if (o->refused) {
		rc = -EINVAL;
	} else if (!o->conn) {
		rc = conn_make(&c, td, &e);
		if (rc) {
			conn_free(c);
			c = NULL;
			log_err("vring: %s\n", e.text);
		} else {
			vring_describe(c, text, sizeof(text));
			vring_say(text);
		}
		conn_tell(td, c);
	}
	pthread_mutex_unlock(&conn_lock);
	return rc;
}

void vring_conn_put(struct thread_data *td)
{
	struct vring_options *o = td->eo;
	struct vring_conn *c = o->conn;

	if (!c)
		return;
	o->conn = NULL;
	o->place = NULL;
	pthread_mutex_lock(&conn_lock);
	/* A job that is a process lets go of its own copy, and ends. */
	if (!--c->left || !td->o.use_thread)
		conn_free(c);
	pthread_mutex_unlock(&conn_lock);
}
