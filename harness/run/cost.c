// SPDX-License-Identifier: GPL-2.0-or-later
/* What a run will cost, before it costs it; and --dry-run, which shows all that would be done. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/units.h"
#include "guest/template.h"
#include "run/context.h"

/*
 * Until this host has a history: what a trial takes beside its job, and a template to boot and
 * save. Measured under TCG on two cores; a KVM host is faster, so a budget is kept rather than
 * broken.
 */
#define TRIAL_OVERHEAD_NS 900000000ull
#define TEMPLATE_NS 4000000000ull
#define BOOT_NS 3000000000ull
#define HOST_TRIAL_NS 600000000ull /* on the host: fio and a server started and ended */
#define FILL_START_NS 400000000ull /* fio's own start and end */
#define FILL_BYTES_PER_S (200ull << 20)

static bool writes(const struct workload *w)
{
	const char *rw = workload_get(w, K_RW);

	return rw && (strstr(rw, "write") || strstr(rw, "rw") || strstr(rw, "trim"));
}

/* qemu-img writes every byte. */
static bool full(const struct cell *c)
{
	const char *mode = cell_get(c, K_MODE);

	return mode && !strcmp(mode, "full");
}

/* What a server that has its disk in memory needs, once all of it was written. */
static uint64_t in_memory(const struct cell *c)
{
	const char *serves = cell_get(c, K_SERVES);

	return cell_uses_vhost(c) && serves && !strcmp(serves, "memory") ? cell_u64(c, K_SIZE) : 0;
}

#define RING_ENTRY 64 /* bytes of rings and requests for each entry of a queue, roughly */

/* What fio itself needs on the host: buffers of all that is in flight, and vring's queues. */
static uint64_t in_fio(const struct cell *c, const struct workload *w)
{
	uint64_t jobs = workload_u64(w, K_NUMJOBS), rings = 0;

	if (!cell_on_host(c))
		return 0;
	if (cell_uses_vring(c))
		rings = jobs * cell_u64(c, K_QUEUE_SIZE) * RING_ENTRY;
	return jobs * workload_u64(w, K_IODEPTH) * workload_u64(w, K_BS) + rings;
}

/* The largest sum of what lives at the same time, and the keys that make it. */
static void cost_memory(struct run *r, struct run_cost *out)
{
	const struct profile *p = r->profile;

	for (size_t i = 0; i < p->ncells; i++) {
		const struct cell *c = &p->cells[i];
		uint64_t guest = cell_u64(c, K_MEMORY), disk = in_memory(c);

		for (size_t k = 0; k < p->nworkloads; k++) {
			uint64_t fio = in_fio(c, &p->workloads[k]);

			if (guest + disk + fio <= out->memory)
				continue;
			out->memory = guest + disk + fio;
			out->memory_keys = guest ? disk ? "guest.memory and disk.serves = memory"
							: "guest.memory"
					   : disk > fio ? "disk.size with disk.serves = memory"
							: "workload numjobs x iodepth x bs";
		}
	}
}

/* Different machines among the cells: each needs a template a block. */
static unsigned count_templates(struct run *r, uint64_t *bytes)
{
	size_t n = r->profile->ncells, i, k, found = 0;
	char(*seen)[17] = xcalloc(n + 1, sizeof(*seen));

	*bytes = 0;
	for (i = 0; i < n; i++) {
		const struct cell *c = &r->profile->cells[i];
		struct machine m;
		char hash[17];

		if (cell_on_host(c) ||
		    (cell_get(c, K_START) && !strcmp(cell_get(c, K_START), "boot")))
			continue;
		run_machine(r, c, &m, NULL, NULL);
		machine_hash(&m, hash);
		for (k = 0; k < found && strcmp(seen[k], hash); k++)
			;
		if (k < found)
			continue;
		memcpy(seen[found++], hash, sizeof(hash));
		*bytes += m.memory;
	}
	free(seen);
	return (unsigned)found;
}

int run_cost(struct run *r, unsigned blocks, struct run_cost *out, struct err *e)
{
	const struct profile *p = r->profile;
	uint64_t job_ns = 0, per_block = 0, image = 0, fill_ns = 0, boot_ns = 0, trials_ns = 0;
	size_t i, k;

	*out = (struct run_cost){0};
	for (i = 0; i < p->nworkloads; i++) {
		uint64_t ns = workload_u64(&p->workloads[i], K_RUNTIME) +
			      workload_u64(&p->workloads[i], K_RAMP);

		job_ns += ns;
		if (writes(&p->workloads[i]))
			out->write_ns += ns * p->ncells * blocks;
	}
	for (i = 0; i < p->ncells; i++) {
		const struct cell *c = &p->cells[i];
		struct disk_plan plan;
		int rc = run_plan(r, c, &plan, e);

		if (rc)
			return rc;
		trials_ns += p->nworkloads * (cell_on_host(c) ? HOST_TRIAL_NS : TRIAL_OVERHEAD_NS);
		/* the last trial's image is still being removed while the next one is made */
		if (cell_get(c, K_START) && !strcmp(cell_get(c, K_START), "boot"))
			boot_ns += BOOT_NS * p->nworkloads;
		if (plan.image && 2 * plan.peak_bytes > out->image_peak)
			out->image_peak = 2 * plan.peak_bytes;
		for (k = 0; k < p->nworkloads; k++) {
			if (full(c))
				image += plan.size;
			if (!workload_fills(&p->workloads[k], c))
				continue;
			image += plan.size;
			fill_ns += FILL_START_NS + plan.size * 1000 / FILL_BYTES_PER_S * 1000000;
		}
		disk_plan_free(&plan);
	}
	out->templates = count_templates(r, &out->template_bytes);
	cost_memory(r, out);
	out->trials = blocks * (unsigned)(p->ncells * p->nworkloads);
	per_block =
		p->ncells * job_ns + trials_ns + fill_ns + boot_ns + out->templates * TEMPLATE_NS;
	out->ns = per_block * blocks;
	out->ns_per_trial = out->trials ? out->ns / out->trials : 0;
	out->image_bytes = image * blocks;
	return 0;
}

void run_cost_print(const struct run *r, const struct run_cost *c, FILE *out)
{
	char a[32], b[32], d[32], t[32], w[32];

	fprintf(out, "%zu cell%s x %zu workload%s x %u block%s = %u trials, about %s\n",
		r->profile->ncells, r->profile->ncells == 1 ? "" : "s", r->profile->nworkloads,
		r->profile->nworkloads == 1 ? "" : "s", r->blocks, r->blocks == 1 ? "" : "s",
		c->trials, units_time_text(c->ns, t, sizeof(t)));
	fprintf(out, "writes %s to create and fill images",
		units_size_text(c->image_bytes, a, sizeof(a)));
	if (c->write_ns)
		fprintf(out, ", and what workloads write in %s",
			units_time_text(c->write_ns, w, sizeof(w)));
	fprintf(out, "; at most %s of images and %s of templates at a time",
		units_size_text(c->image_peak, b, sizeof(b)),
		units_size_text(c->template_bytes, d, sizeof(d)));
	if (c->memory)
		fprintf(out, "; %s of memory (%s)", units_size_text(c->memory, a, sizeof(a)),
			c->memory_keys);
	fprintf(out, "\n");
}

static void print_skipped(const struct profile *p, FILE *out)
{
	size_t i;

	for (i = 0; i < p->nskipped; i++)
		fprintf(out, "%s: %s: %s\n", p->skipped[i].folded ? "folded" : "skipped",
			p->skipped[i].what, p->skipped[i].reason);
}

static void print_command(char *const *argv, FILE *out)
{
	char *line = argv_shell(argv);

	fprintf(out, "  $ %s\n", line);
	free(line);
}

static void print_guest(struct run *r, const struct cell *c, const struct disk_plan *plan,
			FILE *out)
{
	const struct machine_fds fds = {-1, -1, -1, -1};
	struct machine m;
	char **argv;
	size_t i;

	run_machine(r, c, &m, NULL, NULL);
	argv = machine_argv(&m, &fds, true);
	print_command(argv, out);
	argv_free(argv);
	for (i = 0; i < plan->nspecs; i++) {
		char *args = json_dumps(plan->specs[i].args, JSON_COMPACT);

		fprintf(out, "  {\"execute\":\"%s\",\"arguments\":%s}\n",
			qspec_command(plan->specs[i].kind), args ? args : "{}");
		free(args);
	}
}

/* fio, and the lines of its job by which it finds this disk. */
static void print_host(struct run *r, const struct disk_plan *plan, FILE *out)
{
	const char *p = plan->engine, *end;
	char *argv[] = {r->tools[TOOL_FIO].path, "--output-format=json+", "job.fio", NULL};

	print_command(argv, out);
	if (!p && plan->image)
		fprintf(out, "    filename=%s\n", plan->image);
	for (; p && *p; p = *end ? end + 1 : end) {
		end = p + strcspn(p, "\n");
		fprintf(out, "    %.*s\n", (int)(end - p), p);
	}
}

static int print_cell(struct run *r, const struct cell *c, FILE *out, struct err *e)
{
	struct disk_plan plan;
	size_t i;
	int rc = run_plan(r, c, &plan, e);

	if (rc)
		return rc;
	fprintf(out, "\ncell %u %s: %s\n", c->index + 1, c->id, c->label);
	for (i = 0; i < r->profile->nrungs; i++) {
		const struct rung *g = &r->profile->rungs[i];

		if (g->cell == c->index && g->over)
			fprintf(out, "  over %s%s%s\n", g->over, g->adds ? ": " : "",
				g->adds ? g->adds : "");
	}
	for (i = 0; i < plan.nsteps; i++)
		print_command(plan.steps[i].argv, out);
	if (plan.server.argv)
		print_command(plan.server.argv, out);
	if (cell_on_host(c))
		print_host(r, &plan, out);
	else
		print_guest(r, c, &plan, out);
	disk_plan_free(&plan);
	return 0;
}

static void print_accel(struct run *r, FILE *out)
{
	const char *why = run_accels_guess(r);

	if (why)
		fprintf(out, "accel: auto will be TCG here: %s\n", why);
}

static void print_schedule(struct run *r, FILE *out)
{
	struct policy *p = policy_fixed(r->seed, r->blocks, (unsigned)r->profile->ncells,
					(unsigned)r->profile->nworkloads);
	struct order o;
	unsigned block = ~0u;

	fprintf(out, "\nschedule (cell.workload), seed %llu:", (unsigned long long)r->seed);
	while (p->ask(p, &o)) {
		struct outcome done = {.order = o, .ok = true};

		if (o.block != block)
			fprintf(out, "\n  block %u:", o.block + 1);
		block = o.block;
		fprintf(out, " %u.%s", o.cell + 1, r->profile->workloads[o.workload].name);
		p->tell(p, &done);
	}
	fprintf(out, "\n");
	p->free(p);
}

int run_dry(const struct profile *p, const struct run_opts *o, FILE *out, struct err *e)
{
	struct run r = {0};
	struct run_cost cost;
	size_t i;
	int rc;

	snprintf(r.uuid, sizeof(r.uuid), "dry-run-");
	term_init(&r.term, true);
	rc = run_setup(&r, p, o, e);
	if (!rc)
		rc = run_seed_and_blocks(&r, &cost, e);
	if (!rc) {
		if (profile_get(p, K_TITLE))
			fprintf(out, "%s\n", profile_get(p, K_TITLE));
		run_cost_print(&r, &cost, out);
		print_accel(&r, out);
		print_skipped(p, out);
		for (i = 0; i < p->ncells && !rc; i++)
			rc = print_cell(&r, &p->cells[i], out, e);
	}
	if (!rc)
		print_schedule(&r, out);
	run_teardown(&r);
	return rc;
}
