// SPDX-License-Identifier: GPL-2.0-or-later
/* Several guests at once: how many, whether there is room, whose image lies where. */
#include "run/guests.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/units.h"
#include "guest/many.h"

unsigned run_cpus(void)
{
	cpu_set_t set;
	long n;

	if (!sched_getaffinity(0, sizeof(set), &set) && CPU_COUNT(&set) > 0)
		return (unsigned)CPU_COUNT(&set);
	n = sysconf(_SC_NPROCESSORS_ONLN); /* more than fit into the set */
	return n > 0 ? (unsigned)n : 1;
}

unsigned guests_of(const struct cell *c, unsigned cpus)
{
	double ratio = cell_overcommit(c), n;

	if (cell_on_host(c))
		return 1;
	if (!(ratio > 0))
		return cell_u64(c, K_GUESTS) ? (unsigned)cell_u64(c, K_GUESTS) : 1;
	n = ratio * cpus / (double)cell_u64(c, K_VCPUS);
	return n < 0.5 || fabs(n - round(n)) > 1e-5 ? 0 : (unsigned)lround(n);
}

unsigned run_guests(const struct cell *c)
{
	unsigned n = guests_of(c, run_cpus());

	return n ? n : 1;
}

uint64_t run_memory_available(void)
{
	uint64_t avail = UINT64_MAX;
	char *text = NULL, *p;

	if (!file_read("/proc/meminfo", 65536, &text, NULL)) {
		p = strstr(text, "MemAvailable:");
		if (p)
			avail = strtoull(p + 13, NULL, 10) << 10;
	}
	free(text);
	return avail;
}

char *guests_unable(const struct cell *c, unsigned cpus, uint64_t avail)
{
	unsigned n = guests_of(c, cpus);
	char need[32], have[32], reserve[32];
	uint64_t memory;

	if (!n)
		return xasprintf(
			"guest.overcommit=%s of %u CPU%s is no whole number of guests of %s "
			"vCPU%s; choose guest.vcpus or ratios that make one",
			cell_get(c, K_OVERCOMMIT), cpus, cpus == 1 ? "" : "s", cell_get(c, K_VCPUS),
			cell_u64(c, K_VCPUS) == 1 ? "" : "s");
	if (n > MANY_MAX)
		return xasprintf("%u guests at once, and at most %d are started; raise guest.vcpus "
				 "or lower guest.overcommit",
				 n, MANY_MAX);
	memory = n * (cell_u64(c, K_MEMORY) + GUEST_EXTRA);
	if (n == 1 || avail == UINT64_MAX || memory + GUESTS_RESERVE <= avail)
		return NULL;
	return xasprintf(
		"%u guests take %s of memory, and %s are available, of which %s stay free; "
		"lower guest.memory or the number of guests",
		n, units_size_text(memory, need, sizeof(need)),
		units_size_text(avail, have, sizeof(have)),
		units_size_text(GUESTS_RESERVE, reserve, sizeof(reserve)));
}

/* As the run's own image folder, which it is in and is removed with. */
static int make_dir(const struct run *r, const char *dir, struct err *e)
{
	int fd, rc = 0;

	if (mkdir(dir, 0700) && errno != EEXIST)
		return err_set(e, -errno, "disk.dir: %s: %s", dir, strerror(errno));
	if (r->user.uid == (uid_t)-1)
		return 0;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchown(fd, r->user.uid, r->user.gid))
		rc = err_set(e, -errno, "disk.dir: %s: cannot be given to QEMU's user: %s", dir,
			     strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

int run_plans(const struct run *r, const struct cell *c, bool make, struct disk_plan **out,
	      size_t *n, struct err *e)
{
	const char *dir = run_image_dir(r, c);
	unsigned want = run_guests(c), i;
	int rc = 0;

	*out = xcalloc(want, sizeof(**out));
	*n = 0;
	for (i = 0; i < want && !rc; i++) {
		char *own = i && dir ? xasprintf("%s/guest-%u", dir, i + 1) : NULL;

		if (own && make)
			rc = make_dir(r, own, e);
		if (!rc)
			rc = run_plan_in(r, c, own ? own : dir, &(*out)[i], e);
		if (!rc)
			(*n)++;
		free(own);
	}
	if (rc) {
		run_plans_free(*out, *n);
		*out = NULL;
		*n = 0;
	}
	return rc;
}

void run_plans_free(struct disk_plan *plans, size_t n)
{
	while (n)
		disk_plan_free(&plans[--n]);
	free(plans);
}
