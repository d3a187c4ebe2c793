// SPDX-License-Identifier: GPL-2.0-or-later
/* Before the first trial: cost told, room and memory there, lock held, left-overs of the dead
 * cleaned up, accelerators known. */
#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/units.h"
#include "run/context.h"
#include "run/guests.h"
#include "run/lock.h"
#include "run/space.h"

/* The file system that a folder lies on, or will lie on. */
static dev_t device_of(const char *dir)
{
	char *path = xstrdup(dir);
	struct stat st = {0};

	while (stat(path, &st) && strcmp(path, "/") && strcmp(path, "."))
		dirname(path);
	free(path);
	return st.st_dev;
}

/* Templates and images at the same time, where they share a file system. */
static int check_space(struct run *r, const struct run_cost *c, struct err *e)
{
	dev_t data = device_of(r->data);
	size_t i;
	int rc = space_check(r->data, c->template_bytes, r->keep_free, e);

	for (i = 0; i < r->nimage_dirs && !rc; i++) {
		uint64_t need = c->image_peak;

		if (device_of(r->image_dirs[i]) == data)
			need += c->template_bytes;
		rc = space_check(r->image_dirs[i], need, r->keep_free, e);
	}
	return rc;
}

static int check_memory(const struct run *r, const struct run_cost *c, struct err *e)
{
	char need[32], have[32];
	uint64_t avail = run_memory_available();
	bool guests = run_cells_on(r, false);

	/* QEMU itself, and its translation cache under TCG, want room too */
	if (c->memory + (256ull << 20) > avail)
		return err_input(
			e, "%s: %s and 256 MiB for %s do not fit into the %s that are available",
			c->memory_keys ? c->memory_keys : "memory",
			units_size_text(c->memory, need, sizeof(need)), guests ? "QEMU" : "fio",
			units_size_text(avail, have, sizeof(have)));
	return 0;
}

/* A busy host is named; it is refused when the profile says so. */
static int check_busy(struct run *r, struct err *e)
{
	struct host_noise a, b;
	unsigned guests = host_other_guests();
	const char *busy = profile_get(r->profile, K_HOST_BUSY);
	double share;

	host_noise_take(&a);
	poll(NULL, 0, 200);
	host_noise_take(&b);
	share = b.total_ticks > a.total_ticks ? (double)(b.busy_ticks - a.busy_ticks) /
							(double)(b.total_ticks - a.total_ticks)
					      : 0;
	if (!guests && share < 0.3)
		return 0;
	if (busy && !strcmp(busy, "refuse"))
		return err_set(
			e, -EBUSY,
			"the host is busy (%.0f %% CPU, %u other guest%s) and host.busy = refuse",
			share * 100, guests, guests == 1 ? "" : "s");
	run_warn(
		r,
		"vbench: WARNING: the host is busy (%.0f %% CPU, %u other guest%s): expect wide intervals",
		share * 100, guests, guests == 1 ? "" : "s");
	return 0;
}

static bool polls(const struct cell *c, enum key_id wait)
{
	return cell_get(c, wait) && !strcmp(cell_get(c, wait), "poll");
}

/* Threads that never sleep while a cell's workload runs on the host: its drivers, its server. */
static unsigned spinning(const struct cell *c, const struct workload *w)
{
	unsigned jobs = (unsigned)workload_u64(w, K_NUMJOBS);
	unsigned queues = cell_u64(c, K_QUEUES) ? (unsigned)cell_u64(c, K_QUEUES) : jobs;

	if (!cell_uses_vring(c))
		return 0;
	return (polls(c, K_WAIT) ? jobs : 0) + (polls(c, K_SERVER_WAIT) ? queues : 0);
}

/* Two that poll on one CPU wait for the scheduler, not for each other: such a figure is its. */
static void check_spinning(struct run *r)
{
	const struct profile *p = r->profile;
	const struct cell *worst = NULL;
	unsigned most = 0;
	cpu_set_t set;
	size_t i, k;

	for (i = 0; i < p->ncells; i++)
		for (k = 0; k < p->nworkloads; k++)
			if (spinning(&p->cells[i], &p->workloads[k]) > most) {
				most = spinning(&p->cells[i], &p->workloads[k]);
				worst = &p->cells[i];
			}
	if (worst && !sched_getaffinity(0, sizeof(set), &set) && most > (unsigned)CPU_COUNT(&set))
		run_warn(r,
			 "vbench: WARNING: %s: %u threads poll on %d CPU%s and take it from each "
			 "other; use disk.wait or disk.server-wait = eventfd, or fewer jobs",
			 worst->label, most, CPU_COUNT(&set), CPU_COUNT(&set) == 1 ? "" : "s");
}

static void told_swept(const char *what, void *arg)
{
	term_line(arg, "vbench: cleaned up after an earlier run: %s", what);
}

/* Lock, clean-up after the dead, journal: before anything is made. */
static int begin_effects(struct run *r, struct err *e)
{
	char *dir = xasprintf("%s/journal", r->data);
	int rc = dir_make(r->data, geteuid() ? 0700 : 0755, e);

	if (!rc)
		rc = run_lock_take(r->opts->wait, e);
	if (!rc && journal_sweep(dir, told_swept, &r->term, e) < 0)
		rc = e ? e->rc : -EIO;
	if (!rc)
		rc = journal_open(dir, &r->journal, e);
	free(dir);
	return rc;
}

/* run.out is tried before the hours of measuring, not after them. */
static int check_page(struct run *r, struct err *e)
{
	const char *out = profile_get(r->profile, K_OUT);
	char *copy, *dir;
	int rc = 0;

	if (!out || !*out || !strcmp(out, "auto"))
		return 0;
	copy = xstrdup(out);
	dir = dirname(copy);
	if (access(dir, W_OK | X_OK) || (path_exists(out) && access(out, W_OK)))
		rc = err_input(e, "run.out: %s cannot be written: %s", out, strerror(errno));
	free(copy);
	return rc;
}

int run_preflight(struct run *r, const struct run_cost *cost, struct err *e)
{
	int rc = check_page(r, e);

	if (!rc)
		rc = device_check_all(r, e);
	if (rc)
		return rc;
	if (!r->opts->quiet) {
		able_print(r, stderr);
		run_cost_print(r, cost, stderr);
	}
	rc = check_space(r, cost, e);
	if (!rc)
		rc = check_memory(r, cost, e);
	if (!rc)
		rc = begin_effects(r, e);
	if (!rc)
		rc = check_busy(r, e);
	if (!rc)
		check_spinning(r);
	if (!rc)
		rc = run_prepare(r, e);
	if (!rc)
		rc = run_accels(r, e);
	return rc;
}
