// SPDX-License-Identifier: GPL-2.0-or-later
/* vring, a fio engine: a virtio-blk driver in user space. What fio calls, and the jobs' lives. */
#include "engines/vring.h"

/* In the parent of all jobs (unless create_serialize=0): the device's size is wanted here. */
static int engine_setup(struct thread_data *td)
{
	const struct vring_options *o = td->eo;
	struct fio_file *f;
	unsigned int i;
	int rc = vring_conn_get(td);

	if (rc) {
		td_verror(td, -rc, "vring");
		return 1;
	}
	for_each_file (td, f, i) {
		f->filetype = FIO_TYPE_BLOCK;
		f->real_file_size = o->conn->blk.capacity << 9;
		fio_file_set_size_known(f);
	}
	return 0;
}

/* In the job's own process or thread. */
static int engine_init(struct thread_data *td)
{
	struct vring_queue *q;
	int rc = vring_conn_get(td);

	if (rc)
		return -rc;
	q = xcalloc(1, sizeof(*q));
	td->io_ops_data = q;
	rc = vring_queue_start(q, td);
	return -rc;
}

static void engine_cleanup(struct thread_data *td)
{
	struct vring_queue *q = td->io_ops_data;

	if (!q)
		return;
	td->io_ops_data = NULL;
	if (q->started)
		vring_report(q, td);
	if (q->place)
		vring_queue_stop(q);
	free(q);
	vring_conn_put(td);
}

static int engine_io_u_init(struct thread_data *td, struct io_u *io_u)
{
	struct vring_queue *q = td->io_ops_data;

	if (io_u->index >= q->place->depth)
		return EINVAL;
	memset(&q->slots[io_u->index], 0, sizeof(q->slots[0]));
	q->ios[io_u->index] = io_u;
	return 0;
}

static int engine_iomem_alloc(struct thread_data *td, size_t size)
{
	struct vring_queue *q = td->io_ops_data;

	if (size > q->place->buffers_size) {
		log_err("vring: %s: fio wants %zu bytes of buffers, %zu were planned for\n",
			td->o.name, size, q->place->buffers_size);
		return 1;
	}
	td->orig_buffer = q->memory + q->place->buffers;
	q->data = (uintptr_t)td->orig_buffer;
	q->data_size = size;
	return 0;
}

static void engine_iomem_free(struct thread_data *td)
{
	/* The connection's memory goes with the connection. */
	td->orig_buffer = NULL;
}

static int engine_open_file(struct thread_data *td, struct fio_file *f)
{
	(void)td;
	(void)f;
	return 0;
}

static int engine_close_file(struct thread_data *td, struct fio_file *f)
{
	(void)td;
	(void)f;
	return 0;
}

/* fio looks this symbol up. */
__attribute__((visibility("default"))) struct ioengine_ops ioengine = {
	.name = "vring",
	.version = FIO_IOOPS_VERSION,
	.flags = FIO_DISKLESSIO | FIO_NOEXTEND | FIO_NO_OFFLOAD | FIO_MEMALIGN |
		 FIO_ASYNCIO_SETS_ISSUE_TIME,
	.setup = engine_setup,
	.init = engine_init,
	.cleanup = engine_cleanup,
	.io_u_init = engine_io_u_init,
	.iomem_alloc = engine_iomem_alloc,
	.iomem_free = engine_iomem_free,
	.queue = vring_submit,
	.commit = vring_commit,
	.getevents = vring_getevents,
	.event = vring_event,
	.open_file = engine_open_file,
	.close_file = engine_close_file,
	.options = vring_fio_options,
	.option_struct_size = sizeof(struct vring_options),
};
