// SPDX-License-Identifier: GPL-2.0-or-later
/* What vring says of itself: the line about what was negotiated, counters at the end, report=. */
#include <sys/mman.h>
#include "engines/vring.h"

/*
 * A place, and its queue at the end. Lies in memory that forked jobs share, so that each report has
 * them all, and that a job which was killed is known to have left its queue running.
 */
struct vring_record {
	atomic_bool held; /* from before the device was started on it until it had stopped */
	unsigned valid, queue;
	char job[128];
	struct drv_counters n;
	uint64_t interrupts, sleeps;
};

struct vring_record *vring_records_make(unsigned n)
{
	void *p = mmap(NULL, n * sizeof(struct vring_record), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void vring_records_free(struct vring_record *r, unsigned n)
{
	if (r)
		munmap(r, n * sizeof(*r));
}

void vring_record_hold(struct vring_conn *c, const struct vring_place *p, bool held)
{
	atomic_store(&c->records[p - c->plan.place].held, held);
}

bool vring_record_is_held(const struct vring_conn *c, const struct vring_place *p)
{
	for (unsigned i = 0; i < c->plan.n; i++) {
		const struct vring_place *o = &c->plan.place[i];

		if (atomic_load(&c->records[i].held) &&
		    (o->queue == p->queue || (o->ring < p->end && p->ring < o->end)))
			return true;
	}
	return false;
}

static void record_take(struct vring_record *r, const struct vring_queue *q,
			const struct thread_data *td)
{
	r->queue = q->place->queue;
	r->n = *drv_counters(q->vq);
	r->interrupts = q->interrupts;
	r->sleeps = q->sleeps;
	snprintf(r->job, sizeof(r->job), "%s", td->o.name ? td->o.name : "");
	r->valid = 1;
}

/* --- the line --- */

/* fio puts what it logs into the file of its results, where machine-readable ones have no place for
 * it. */
void vring_say(const char *line)
{
	if (output_format & FIO_OUTPUT_NORMAL)
		log_info("vring: %s\n", line);
	else
		fprintf(stderr, "vring: %s\n", line);
}

static const char *report_size(uint64_t bytes, char *text, size_t size)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned u = 0;

	while (u < 6 && bytes && !(bytes & 1023)) {
		bytes >>= 10;
		u++;
	}
	snprintf(text, size, "%llu %s", (unsigned long long)bytes, units[u]);
	return text;
}

static void report_offers(const struct vring_conn *c, char *text, size_t size)
{
	static const struct {
		unsigned bit;
		const char *name;
	} kinds[] = {
		{VIRTIO_BLK_F_FLUSH, "flush"},
		{VIRTIO_BLK_F_DISCARD, "discard"},
		{VIRTIO_BLK_F_WRITE_ZEROES, "write zeroes"},
		{VIRTIO_BLK_F_RO, "read-only"},
	};
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && n < size; i++)
		if (c->features >> kinds[i].bit & 1)
			n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "",
					      kinds[i].name);
	if (!n)
		snprintf(text, size, "no flush, nothing to trim");
}

void vring_describe(const struct vring_conn *c, char *text, size_t size)
{
	char bytes[32], offers[128];

	report_offers(c, offers, sizeof(offers));
	snprintf(text, size, "%s: %s, %u entries%s%s, %u queue%s of %u; %s, blocks of %u; %s%s",
		 c->name, c->ring.packed ? "packed" : "split", c->ring.size,
		 c->ring.event_idx ? ", event_idx" : "", c->ring.indirect ? ", indirect" : "",
		 c->plan.queues, c->plan.queues == 1 ? "" : "s", c->device_queues,
		 report_size(c->blk.capacity << 9, bytes, sizeof(bytes)), c->blk.block_size, offers,
		 c->copies ? "; copies data: two descriptors a request" : "");
}

/* --- JSON --- */

static void json_text(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		unsigned char ch = (unsigned char)*s;

		if (ch == '"' || ch == '\\')
			fprintf(f, "\\%c", ch);
		else if (ch < 0x20)
			fprintf(f, "\\u%04x", ch);
		else
			fputc(ch, f);
	}
	fputc('"', f);
}

/* Feature bits as the guest's sysfs shows them: bit i is character i. */
static void json_bits(FILE *f, const char *name, uint64_t bits)
{
	fprintf(f, "  \"%s\": \"", name);
	for (unsigned i = 0; i < 64; i++)
		fputc('0' + (int)(bits >> i & 1), f);
	fputs("\",\n", f);
}

static void json_queue(FILE *f, const struct vring_record *r)
{
	const struct {
		const char *name;
		uint64_t value;
	} n[] = {
		{"kicks", r->n.kicks},
		{"interrupts", r->interrupts},
		{"publishes", r->n.publishes},
		{"harvests", r->n.harvests},
		{"added", r->n.added},
		{"done", r->n.done},
		{"descs", r->n.descs},
		{"empty", r->n.empty},
		{"arms", r->n.arms},
		{"lines_written", r->n.lines_written},
		{"lines_read", r->n.lines_read},
		{"sleeps", r->sleeps},
	};

	fprintf(f, "    {\"index\": %u, \"job\": ", r->queue);
	json_text(f, r->job);
	for (size_t i = 0; i < sizeof(n) / sizeof(n[0]); i++)
		fprintf(f, ", \"%s\": %llu", n[i].name, (unsigned long long)n[i].value);
	fputc('}', f);
}

static const char *const wait_names[] = {
	[WAIT_POLL] = "poll", [WAIT_EVENTFD] = "eventfd", [WAIT_ADAPTIVE] = "adaptive"};

/* The device, where it is in this process: any other's server tells of itself. */
static void json_device(FILE *f, const struct vring_options *o)
{
	static const char *const kinds[] = {
		[BLK_NULL] = "null", [BLK_MEMORY] = "memory", [BLK_FILE] = "file"};

	fprintf(f, "  \"serves\": \"%s\",\n  \"latency_ns\": %llu,\n", kinds[o->serves],
		o->latency_ns);
	fprintf(f, "  \"device_wait\": \"%s\",\n  \"device_poll_ns\": %llu,\n",
		wait_names[o->device_wait], o->device_poll_ns);
}

static void json_report(FILE *f, const struct vring_conn *c, const struct vring_options *o)
{
	const char *comma = "\n";

	fprintf(f, "{\n  \"engine\": \"vring\",\n  \"transport\": \"%s\",\n",
		c->transport == VRING_LOOP ? "loop" : "vhost-user");
	fprintf(f, "  \"ring\": \"%s\",\n  \"queue_size\": %u,\n",
		c->ring.packed ? "packed" : "split", c->ring.size);
	fprintf(f, "  \"event_idx\": %s,\n  \"indirect\": %s,\n",
		c->ring.event_idx ? "true" : "false", c->ring.indirect ? "true" : "false");
	fprintf(f, "  \"wait\": \"%s\",\n  \"poll_ns\": %llu,\n", wait_names[o->wait], o->poll_ns);
	fprintf(f, "  \"rewrite\": %s,\n", o->rewrite ? "true" : "false");
	if (c->transport == VRING_LOOP)
		json_device(f, o);
	json_bits(f, "features", c->features);
	json_bits(f, "offered", c->offered);
	fprintf(f, "  \"capacity\": %llu,\n  \"block_size\": %u,\n  \"device_queues\": %u,\n",
		(unsigned long long)c->blk.capacity << 9, c->blk.block_size, c->device_queues);
	fprintf(f, "  \"copies\": %s,\n  \"queues\": [", c->copies ? "true" : "false");
	for (unsigned i = 0; i < c->plan.n; i++) {
		if (!c->records[i].valid)
			continue;
		fputs(comma, f);
		json_queue(f, &c->records[i]);
		comma = ",\n";
	}
	fputs("\n  ]\n}\n", f);
}

/* Beside the file and then in its place, so that nobody reads half of it. */
static int report_write(const struct vring_conn *c, const struct vring_options *o)
{
	char *new = xasprintf("%s.new.%ld", o->report, (long)gettid());
	FILE *f = fopen(new, "we");
	int bad = !f;

	if (f) {
		json_report(f, c, o);
		bad = ferror(f);
		bad |= fclose(f);
		bad = bad || rename(new, o->report);
		if (bad)
			unlink(new);
	}
	free(new);
	return bad ? -errno : 0;
}

static void report_summary(const struct vring_queue *q, const struct thread_data *td)
{
	const struct drv_counters *n = drv_counters(q->vq);
	char text[512];

	snprintf(
		text, sizeof(text),
		"%s: queue %u: %llu requests, %llu kicks, %llu interrupts, batches of %.1f out and "
		"%.1f back, %.1f lines written and %.1f read per request",
		td->o.name, q->place->queue, (unsigned long long)n->done,
		(unsigned long long)n->kicks, (unsigned long long)q->interrupts,
		n->publishes ? (double)n->added / (double)n->publishes : 0,
		n->harvests ? (double)n->done / (double)n->harvests : 0,
		n->done ? (double)n->lines_written / (double)n->done : 0,
		n->done ? (double)n->lines_read / (double)n->done : 0);
	vring_say(text);
}

/* Jobs that are threads end at the same time. */
static pthread_mutex_t report_lock = PTHREAD_MUTEX_INITIALIZER;

/* fio forks jobs while others that are threads end: the child must not find the lock taken by a
 * thread that it does not have. */
static void report_fork_prepare(void)
{
	pthread_mutex_lock(&report_lock);
}

static void report_fork_done(void)
{
	pthread_mutex_unlock(&report_lock);
}

__attribute__((constructor)) static void report_fork_guard(void)
{
	pthread_atfork(report_fork_prepare, report_fork_done, report_fork_done);
}

void vring_report(struct vring_queue *q, struct thread_data *td)
{
	struct vring_conn *c = q->conn;
	int rc = 0;

	pthread_mutex_lock(&report_lock);
	record_take(&c->records[q->place - c->plan.place], q, td);
	if (q->o->report && *q->o->report)
		rc = report_write(c, q->o);
	else
		report_summary(q, td);
	pthread_mutex_unlock(&report_lock);
	if (rc)
		log_err("vring: report=%s: %s\n", q->o->report, strerror(-rc));
}
