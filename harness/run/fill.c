// SPDX-License-Identifier: GPL-2.0-or-later
/* Disks written before the measurement, and what the host shows of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "run/trial.h"

#define NS_PER_S 1000000000ull
#define FILL_BUFFERS (8ull << 20) /* of one disk's fill in the guest: bs x iodepth of its job */
#define FILLS_MAX 32		  /* at the same time */

/* Evidence of the file that holds the first disk's data. */
static const json_t *data_of(const struct trial *x, size_t guest)
{
	const json_t *image = json_object_get(trial_evidence(x, x->after, guest), "image");

	return cell_on(x->cell, K_DATA_FILE) ? json_object_get(image, "data") : image;
}

/* Whether the other disks' images take less than their disks have. */
static bool others_short(const struct trial *x, const struct disk_plan *p)
{
	struct stat st;
	size_t i;

	if (p->nunits > 1 && cell_on(x->cell, K_DATA_FILE))
		return image_bytes(p) < p->size * p->nunits;
	for (i = 1; i < p->nunits; i++)
		if (!p->units[i].image || stat(p->units[i].image, &st) ||
		    (uint64_t)st.st_blocks * 512 < p->size)
			return true;
	return false;
}

/*
 * What a fill has left: every byte of the image there and written. A sparse or merely allocated
 * range would be read without the disk (qemu-fio-facts: unwritten extents). The first disk's image
 * is read extent by extent, the others' by what they take. On a device nothing can be told.
 */
void trial_agree_fill(struct trial *x, size_t guest)
{
	const struct disk_plan *p = &x->plan[guest];
	const json_t *image = data_of(x, guest);
	json_int_t mapped = json_integer_value(json_object_get(image, "mapped_bytes"));
	json_int_t unwritten = json_integer_value(json_object_get(image, "unwritten_bytes"));
	const char *asked = workload_randomizes(x->work, x->cell) ? "random" : "fill";
	struct asked_got *a;

	if (!x->after || x->nchecks == MAX_CHECKS || !workload_fills(x->work, x->cell))
		return;
	x->guest_of[x->nchecks] = guest;
	a = &x->checks[x->nchecks++];
	*a = (struct asked_got){.key = "disk.precondition", .from = "host"};
	snprintf(a->asked, sizeof(a->asked), "%s", asked);
	if (p->device) {
		snprintf(a->got, sizeof(a->got), "a device does not tell what was written");
		a->state = GOT_UNKNOWN;
	} else if (!json_is_integer(json_object_get(image, "mapped_bytes"))) {
		snprintf(a->got, sizeof(a->got), "this file system does not tell (no FIEMAP)");
		a->state = GOT_UNKNOWN;
	} else if (unwritten > 0 || (uint64_t)mapped < p->size) {
		snprintf(a->got, sizeof(a->got),
			 "%lld of %llu bytes written, %lld allocated but unwritten",
			 (long long)mapped, (unsigned long long)p->size, (long long)unwritten);
		a->state = GOT_DIFFER;
	} else if (others_short(x, p)) {
		snprintf(a->got, sizeof(a->got), "another disk's image takes less than %llu bytes",
			 (unsigned long long)p->size);
		a->state = GOT_DIFFER;
	} else {
		snprintf(a->got, sizeof(a->got), "%s", asked);
	}
}

/* The disks of the trial; one without a name of its own is in target. */
static size_t targets_of(const struct trial *x, size_t guest, const char *one[1],
			 const char *const **out)
{
	const struct site *site = trial_site(x, guest);
	size_t n = 0;

	while (site->targets && site->targets[n])
		n++;
	*out = n ? (const char *const *)site->targets : one;
	one[0] = *site->target ? site->target : x->plan[guest].image;
	return n ? n : 1;
}

/*
 * fio takes several [global] sections, each for the jobs behind it: so the jobs of some disks make
 * one file, and run beside each other as far as the guest's memory goes. NULL: no memory.
 */
static char *fill_job(const struct trial *x, size_t guest, size_t at, size_t n, bool randomly)
{
	char *(*render)(const struct cell *, const char *, uint64_t) =
		randomly ? precondition_random_fio_job : precondition_fio_job;
	const char *one[1], *const *targets;
	char *text = NULL;
	size_t len = 0, i;
	FILE *f = open_memstream(&text, &len);

	targets_of(x, guest, one, &targets);
	for (i = 0; f && i < n; i++) {
		char *job = render(x->cell, targets[at + i], x->order->randseed);

		fprintf(f, "%s%s", i ? "\n" : "", job ? job : "");
		free(job);
	}
	if (f && !fclose(f))
		return text;
	free(text);
	return NULL;
}

/* Some disks of every guest. */
static int fill_some(struct trial *x, size_t at, size_t n, bool randomly, const char *name,
		     struct err *e)
{
	char **jobs = xcalloc(x->nplans, sizeof(*jobs));
	struct job_result res = {0};
	size_t i;
	int rc = 0;

	for (i = 0; i < x->nplans; i++) {
		jobs[i] = fill_job(x, i, at, n, randomly);
		if (!jobs[i])
			rc = trial_fail(x, CAUSE_PLAN, err_set(e, -ENOMEM, "no memory for a job"));
	}
	if (!rc) {
		trial_artefact(x, name, jobs[0], strlen(jobs[0]));
		/* at 4 MiB/s even the slowest disk of interest has filled */
		rc = trial_work(x, jobs, 0, x->nplans * n * (x->plan->size / (4u << 20)) * NS_PER_S,
				0, &res, e);
	}
	for (i = 0; i < x->nplans; i++)
		free(jobs[i]);
	free(jobs);
	job_result_free(&res);
	return rc;
}

/*
 * Fills the disks from within the guest, as a guest's own history would have. On the host fio
 * writes to the image itself: a server takes one client only, which shall be the workload.
 */
static int fill_all(struct trial *x, bool randomly, struct err *e)
{
	const char *one[1], *const *targets;
	size_t n = targets_of(x, 0, one, &targets), at, most, k;
	uint64_t memory = cell_u64(x->cell, K_MEMORY);
	int rc = 0;

	most = memory / 8 / FILL_BUFFERS;
	most = most < 1 ? 1 : most > FILLS_MAX ? FILLS_MAX : most;
	for (at = 0; at < n && !rc; at += k) {
		char name[40];

		k = n - at < most ? n - at : most;
		snprintf(name, sizeof(name), at ? "%s-%zu.fio" : "%s.fio",
			 randomly ? "random" : "fill", at);
		rc = fill_some(x, at, k, randomly, name, e);
	}
	return rc ? err_prefix(e, "precondition = %s", randomly ? "random" : "fill") : 0;
}

int trial_precondition(struct trial *x, struct err *e)
{
	uint64_t t0 = clock_mono_ns();
	int rc;

	if (!workload_fills(x->work, x->cell))
		return 0;
	rc = fill_all(x, false, e);
	if (!rc && workload_randomizes(x->work, x->cell))
		rc = fill_all(x, true, e);
	trial_phase(x, "fill_ns", t0);
	return rc;
}
