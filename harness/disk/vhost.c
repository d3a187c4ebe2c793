/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Disks that a process of its own serves through vhost-user, and fio's lines for a host site. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "disk/internal.h"

static void option(struct words *w, const char *name, const char *value)
{
	word(w, xstrdup(name));
	word(w, xstrdup(value));
}

static void option_u64(struct words *w, const char *name, uint64_t value)
{
	word(w, xstrdup(name));
	word(w, xasprintf("%llu", (unsigned long long)value));
}

/* -EINVAL: it is no JSON, since a path in it is not UTF-8. */
static int option_json(struct words *w, const char *name, json_t *value)
{
	char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;

	json_decref(value);
	if (!text)
		return -EINVAL;
	word(w, xstrdup(name));
	word(w, text);
	return 0;
}

/* engines/vhost_blk.c. */
static int plan_own(const struct cell *c, const struct disk_env *env, struct disk_plan *p,
		    struct err *e)
{
	struct words w = {0};

	if (!env->vhost_blk)
		return err_input(
			e,
			"disk.server: vbench's device vbench-vhost-blk is not there; build it with "
			"`make engines`, or use server = storage-daemon");
	word(&w, xstrdup(env->vhost_blk));
	option(&w, "--fd", "{sock}");
	option(&w, "--serves", cell_get(c, K_SERVES));
	if (p->image) {
		option(&w, "--file", p->image);
		option(&w, "--direct", cell_cache(c)->direct ? "on" : "off");
	} else {
		option_u64(&w, "--size", p->size);
	}
	if (cell_u64(c, K_LATENCY)) {
		word(&w, xstrdup("--latency"));
		word(&w, xasprintf("%sns", cell_get(c, K_LATENCY)));
	}
	if (p->serial[0])
		option(&w, "--id", p->serial);
	option_u64(&w, "--queues", cell_u64(c, K_QUEUES));
	option_u64(&w, "--queue-size", cell_u64(c, K_QUEUE_SIZE));
	option(&w, "--wait", cell_get(c, K_SERVER_WAIT));
	if (cell_get(c, K_SERVER_POLL))
		option_u64(&w, "--poll-ns", cell_u64(c, K_SERVER_POLL));
	option(&w, "--report", "{report}");
	p->server = (struct disk_server){.argv = w.v, .what = "vbench-vhost-blk", .reports = true};
	return 0;
}

/* How long its event loop polls (QAPI, IothreadProperties): 0 is no polling at all. */
static json_t *daemon_iothread(const struct cell *c, const char *id)
{
	return json_pack("{s:s, s:s, s:I}", "qom-type", "iothread", "id", id, "poll-max-ns",
			 (json_int_t)cell_u64(c, K_SERVER_POLL));
}

/* QAPI, BlockExportOptionsVhostUserBlk. Without a write cache every write is made safe at once. */
static json_t *daemon_export(const struct cell *c, const struct disk_plan *p, const char *iothread)
{
	json_t *x = json_pack("{s:s, s:s, s:s, s:{s:s, s:s}, s:b, s:I, s:s}", "type",
			      "vhost-user-blk", "id", "export0", "node-name", p->fmt_node, "addr",
			      "type", "fd", "str", "{sock}", "writable", 1, "num-queues",
			      (json_int_t)cell_u64(c, K_QUEUES), "iothread", iothread);

	if (!cell_cache(c)->write_cache)
		json_object_set_new(x, "writethrough", json_true());
	return x;
}

/* The disk's block nodes, as options: the JSON is that of QMP. */
static int daemon_nodes(const struct cell *c, const struct disk_plan *p, struct words *w)
{
	struct qspec *specs = NULL;
	size_t n = 0;
	int rc = 0;

	image_specs(c, p, &p->units[0], false, &specs, &n);
	for (size_t i = 0; i < n; i++)
		rc = option_json(w, specs[i].kind == Q_OBJECT ? "--object" : "--blockdev",
				 specs[i].args)
			     ?: rc;
	free(specs);
	return rc;
}

static int plan_daemon(const struct cell *c, const struct disk_env *env, struct disk_plan *p,
		       struct err *e)
{
	struct words w = {0};
	int rc;

	if (!env->storage_daemon)
		return err_input(e, "disk.server: there is no qemu-storage-daemon; install it "
				    "(Debian: qemu-system-common), or use server = vbench");
	word(&w, xstrdup(env->storage_daemon));
	rc = option_json(&w, "--object", daemon_iothread(c, "io0"));
	rc = daemon_nodes(c, p, &w) ?: rc;
	rc = option_json(&w, "--export", daemon_export(c, p, "io0")) ?: rc;
	p->server =
		(struct disk_server){.argv = w.v, .what = "qemu-storage-daemon", .listens = true};
	if (env->storage_daemon_version)
		p->server.version = xstrdup(env->storage_daemon_version);
	return rc ? err_input(e, "disk.dir: the path of the image folder is not UTF-8, which "
				 "qemu-storage-daemon needs")
		  : 0;
}

int server_plan(const struct cell *c, const struct disk_env *env, struct disk_plan *p,
		struct err *e)
{
	if (cell_is(c, K_SERVER, "loop"))
		return 0;
	return cell_is(c, K_SERVER, "vbench") ? plan_own(c, env, p, e) : plan_daemon(c, env, p, e);
}

void plug_vhost(const struct cell *c, const struct disk_env *env, struct disk_plan *p)
{
	json_t *d;

	/* getfd's name in "str" (QAPI, SocketAddress); no reconnect: a dead server ends the trial
	 */
	plan_add(p, Q_CHARDEV,
		 json_pack("{s:s, s:{s:s, s:{s:{s:s, s:{s:s}}, s:b}}}", "id", p->sock_name,
			   "backend", "type", "socket", "data", "addr", "type", "fd", "data", "str",
			   p->sock_name, "server", 0));
	d = json_pack("{s:s, s:s, s:s}", "driver", "vhost-user-blk-pci", "id", p->device_id,
		      "chardev", p->sock_name);
	virtio_common(c, env->index, d);
	json_object_set_new(d, "num-queues", json_integer((json_int_t)cell_u64(c, K_QUEUES)));
	json_object_set_new(d, "queue-size", json_integer((json_int_t)cell_u64(c, K_QUEUE_SIZE)));
	plan_add(p, Q_DEVICE, d);
}

/* What the device's thread within fio shall serve. */
static void put_loop(FILE *f, const struct cell *c, const struct disk_plan *p)
{
	fprintf(f, "transport=loop\nserves=%s\n", cell_get(c, K_SERVES));
	if (p->image)
		fprintf(f, "serve_path=%s\n", p->image);
	else
		fprintf(f, "serve_size=%llu\n", (unsigned long long)p->size);
	if (cell_u64(c, K_LATENCY))
		fprintf(f, "latency_ns=%llu\n", (unsigned long long)cell_u64(c, K_LATENCY));
	fprintf(f, "device_wait=%s\n", cell_get(c, K_SERVER_WAIT));
	if (cell_get(c, K_SERVER_POLL))
		fprintf(f, "device_poll_ns=%llu\n", (unsigned long long)cell_u64(c, K_SERVER_POLL));
}

static void put_vring(FILE *f, const struct cell *c, const struct disk_env *env,
		      const struct disk_plan *p)
{
	fprintf(f, "ioengine=external:%s\n", env->engine);
	if (cell_is(c, K_SERVER, "loop"))
		put_loop(f, c, p);
	else
		fprintf(f, "transport=vhost-user\npath=fd:{sock}\n");
	/* Descriptors are written each time, as drivers of kernels do it: else a split ring would
	 * be spared what a packed one cannot be. */
	fprintf(f, "rewrite=1\nring=%s\nqueue_size=%s\nevent_idx=%d\nindirect=%d\nwait=%s\n",
		cell_get(c, K_RING), cell_get(c, K_QUEUE_SIZE), cell_on(c, K_EVENT_IDX),
		cell_on(c, K_INDIRECT), cell_get(c, K_WAIT));
	if (cell_get(c, K_POLL))
		fprintf(f, "poll_ns=%s\n", cell_get(c, K_POLL));
	fprintf(f, "report={report}\n");
}

/* fio splits an engine's path at these, and expands the others wherever it reads them. */
static int check_paths(const struct cell *c, const struct disk_env *env, const struct disk_plan *p,
		       struct err *e)
{
	if (cell_uses_vring(c) && !env->engine)
		return err_input(e, "disk.driver: fio's engine vring.so is not there; build it "
				    "with `make engines`");
	if (cell_uses_vring(c) && (!strchr(env->engine, '/') || strpbrk(env->engine, ",:$`\n")))
		return err_input(e,
				 "disk.driver: fio cannot load an engine from %s: the path must "
				 "hold a / and none of , : $ `; install vbench elsewhere",
				 env->engine);
	if (p->image && strpbrk(p->image, "$`\n"))
		return err_input(e,
				 "disk.dir: fio would expand the $ or ` in %s; use another folder",
				 p->image);
	return 0;
}

int engine_plan(const struct cell *c, const struct disk_env *env, struct disk_plan *p,
		struct err *e)
{
	size_t len = 0;
	FILE *f;
	int rc = check_paths(c, env, p, e);

	if (rc || cell_is(c, K_DRIVER, "file"))
		return rc;
	f = open_memstream(&p->engine, &len);
	if (!f)
		return err_set(e, -errno, "memory: %s", strerror(errno));
	if (cell_is(c, K_DRIVER, "none"))
		fprintf(f, "ioengine=null\nsize=%llu\n", (unsigned long long)p->size);
	else
		put_vring(f, c, env, p);
	return fclose(f) ? err_set(e, -ENOMEM, "out of memory") : 0;
}
