// SPDX-License-Identifier: GPL-2.0-or-later
/* What a run will cost, before it costs it; and --dry-run, which shows all that would be done. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/units.h"
#include "guest/fdset.h"
#include "guest/template.h"
#include "run/context.h"
#include "run/decide.h"
#include "run/guests.h"
#include "run/knobs.h"
#include "run/pins.h"

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
#define RANDOM_BYTES_PER_S (50ull << 20)
#define CONVERT_BYTES_PER_S (100ull << 20) /* compressed */
#define DISK_NS 20000000ull		   /* a further disk plugged and found */
#define DISK_BYTES (1ull << 20)
#define L2_MOST (32ull << 20)

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

/*
 * What QEMU holds for each disk beside the guest's memory, at most: an iothread's stack and pools,
 * queues and requests in flight (DISK_BYTES, seen with 256 LUNs), and qcow2's L2 tables, of which
 * one MiB serves 8 GiB with clusters of 64 KiB and 32 MiB is the most that it takes by itself.
 */
static uint64_t in_qemu(const struct cell *c)
{
	uint64_t disks = run_disks(c), cluster = cell_u64(c, K_CLUSTER), tables;

	if (cell_on_host(c))
		return 0;
	tables = cell_u64(c, K_L2_CACHE);
	if (!tables && cluster)
		tables = cell_u64(c, K_SIZE) / cluster * 8;
	if (tables > L2_MOST)
		tables = L2_MOST;
	return disks > 1 ? disks * (DISK_BYTES + tables) : 0;
}

/* The largest sum of what lives at the same time, and the keys that make it. */
static void cost_memory(struct run *r, struct run_cost *out)
{
	const struct profile *p = r->profile;

	for (size_t i = 0; i < p->ncells; i++) {
		const struct cell *c = &p->cells[i];
		unsigned n = run_guests(c);
		uint64_t guest = n * (cell_u64(c, K_MEMORY) + (n > 1 ? GUEST_EXTRA : 0));
		uint64_t disk = n * in_memory(c), disks = n * in_qemu(c);

		for (size_t k = 0; k < p->nworkloads; k++) {
			uint64_t fio = in_fio(c, &p->workloads[k]);

			if (guest + disk + disks + fio <= out->memory)
				continue;
			out->memory = guest + disk + disks + fio;
			out->memory_keys = n > 1   ? "guest.memory of all guests"
					   : disks ? "guest.memory and disk.count"
					   : guest ? disk ? "guest.memory and disk.serves = memory"
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
		struct disk_plan plan = {0};
		struct machine m;
		char hash[17];

		if (cell_on_host(c) ||
		    (cell_get(c, K_START) && !strcmp(cell_get(c, K_START), "boot")))
			continue;
		run_machine(r, c, &m, NULL, NULL);
		if (cell_is_cold(c) && !run_plan(r, c, &plan, NULL)) {
			m.cold = plan.blank;
			m.ncold = plan.nblank;
		}
		machine_hash(&m, hash);
		disk_plan_free(&plan);
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

unsigned run_disks(const struct cell *c)
{
	return cell_u64(c, K_DISKS) ? (unsigned)cell_u64(c, K_DISKS) : 1;
}

/* Sources that the steps of all plans share: each once. */
struct sources {
	char **path;
	size_t n;
	uint64_t bytes;
};

static void sources_add(struct sources *s, const struct disk_plan *p)
{
	size_t i, k;

	for (i = 0; i < p->nsteps; i++) {
		if (p->steps[i].argv || !p->steps[i].source)
			continue;
		for (k = 0; k < s->n && strcmp(s->path[k], p->steps[i].source); k++)
			;
		if (k < s->n)
			continue;
		s->path = xrealloc(s->path, s->n + 1, sizeof(*s->path));
		s->path[s->n++] = xstrdup(p->steps[i].source);
		s->bytes += p->steps[i].source_bytes;
	}
}

static void sources_free(struct sources *s)
{
	while (s->n)
		free(s->path[--s->n]);
	free(s->path);
}

/* Of one cell, in one trial: bytes that making and filling its images writes, and the time. */
static void image_cost(const struct cell *c, const struct disk_plan *p, const struct workload *w,
		       uint64_t *bytes, uint64_t *ns)
{
	uint64_t all = p->size * run_disks(c) * run_guests(c);
	bool data = cell_has_data(c);

	if (full(c))
		*bytes += all;
	else if (data)
		*bytes += (uint64_t)((double)all * cell_data_share(c));
	if (data)
		*ns += all * 1000 / CONVERT_BYTES_PER_S * 1000000;
	if (!workload_fills(w, c))
		return;
	*bytes += all;
	*ns += FILL_START_NS * run_disks(c) + all * 1000 / FILL_BYTES_PER_S * 1000000;
	if (!workload_randomizes(w, c))
		return;
	*bytes += all;
	*ns += FILL_START_NS * run_disks(c) + all * 1000 / RANDOM_BYTES_PER_S * 1000000;
}

int run_cost(struct run *r, unsigned blocks, struct run_cost *out, struct err *e)
{
	const struct profile *p = r->profile;
	uint64_t job_ns = 0, per_block = 0, image = 0, fill_ns = 0, boot_ns = 0, trials_ns = 0;
	struct sources sources = {0};
	size_t i, k;

	*out = (struct run_cost){.disks = 1};
	for (i = 0; i < p->nworkloads; i++) {
		uint64_t ns = workload_u64(&p->workloads[i], K_RUNTIME) +
			      workload_u64(&p->workloads[i], K_RAMP);

		job_ns += ns;
		if (writes(&p->workloads[i]))
			out->write_ns += ns * p->ncells * blocks;
	}
	for (i = 0; i < p->ncells; i++) {
		const struct cell *c = &p->cells[i];
		unsigned guests = run_guests(c);
		struct disk_plan plan;
		int rc = run_plan(r, c, &plan, e);

		if (rc) {
			sources_free(&sources);
			return rc;
		}
		trials_ns +=
			p->nworkloads * (cell_on_host(c) ? HOST_TRIAL_NS
							 : guests * (TRIAL_OVERHEAD_NS +
								     DISK_NS * (run_disks(c) - 1)));
		if (cell_get(c, K_START) && !strcmp(cell_get(c, K_START), "boot"))
			boot_ns += guests * BOOT_NS * p->nworkloads;
		if (run_disks(c) > out->disks)
			out->disks = run_disks(c);
		if (guests > out->guests)
			out->guests = guests;
		/* the last trial's images are still being removed while the next ones are made */
		if (plan.image && !plan.device && 2 * guests * plan.peak_bytes > out->image_peak)
			out->image_peak = 2 * guests * plan.peak_bytes;
		sources_add(&sources, &plan);
		for (k = 0; k < p->nworkloads; k++)
			image_cost(c, &plan, &p->workloads[k], &image, &fill_ns);
		disk_plan_free(&plan);
	}
	out->templates = count_templates(r, &out->template_bytes);
	cost_memory(r, out);
	out->trials = blocks * (unsigned)(p->ncells * p->nworkloads);
	per_block =
		p->ncells * job_ns + trials_ns + fill_ns + boot_ns + out->templates * TEMPLATE_NS;
	out->ns = per_block * blocks;
	image *= blocks;
	if (r->search.visits) { /* no block has all cells */
		unsigned all = out->trials;
		double share;

		out->trials = run_search_trials(r);
		share = all ? (double)out->trials / all : 0;
		out->ns = (uint64_t)((double)out->ns * share);
		image = (uint64_t)((double)image * share);
		out->write_ns = (uint64_t)((double)out->write_ns * share);
	}
	out->ns_per_trial = out->trials ? out->ns / out->trials : 0;
	out->image_bytes = image + sources.bytes;
	out->image_peak += sources.bytes;
	sources_free(&sources);
	return 0;
}

void run_cost_print(const struct run *r, const struct run_cost *c, FILE *out)
{
	char a[32], b[32], d[32], t[32], w[32];

	const char *most = run_is_sequential(r) ? "at most " : "";

	fprintf(out, "%zu cell%s x %zu workload%s x %s%u block%s = %s%u trials, %s %s\n",
		r->profile->ncells, r->profile->ncells == 1 ? "" : "s", r->profile->nworkloads,
		r->profile->nworkloads == 1 ? "" : "s", most, r->blocks, r->blocks == 1 ? "" : "s",
		most, c->trials, *most ? "at most" : "about", units_time_text(c->ns, t, sizeof(t)));
	fprintf(out, "writes %s to create and fill images",
		units_size_text(c->image_bytes, a, sizeof(a)));
	if (c->write_ns)
		fprintf(out, ", and what workloads write in %s",
			units_time_text(c->write_ns, w, sizeof(w)));
	fprintf(out, "; at most %s of images and %s of templates at a time",
		units_size_text(c->image_peak, b, sizeof(b)),
		units_size_text(c->template_bytes, d, sizeof(d)));
	if (c->disks > 1)
		fprintf(out, "; up to %u disks in a guest", c->disks);
	if (c->guests > 1)
		fprintf(out, "; up to %u guests at once", c->guests);
	if (c->memory)
		fprintf(out, "; %s of memory (%s)", units_size_text(c->memory, a, sizeof(a)),
			c->memory_keys);
	fprintf(out, "\n");
}

static void print_arm(const char *name, char *const *says, size_t n, FILE *out)
{
	fprintf(out, "arm %s: the profile", name);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s%s", i ? ", " : " with ", says[i]);
	fputc('\n', out);
}

static void print_arms(const struct profile *p, FILE *out)
{
	if (!p->npairs)
		return;
	print_arm("base", p->vs_base, p->nvs_base, out);
	print_arm("change", p->vs_change, p->nvs_change, out);
	for (size_t i = 0; i < p->npairs; i++) {
		const struct cell *a = &p->cells[p->pairs[i].base];
		const struct cell *b = &p->cells[p->pairs[i].change];

		fprintf(out, "  cell %u against cell %u%s\n", b->index + 1, a->index + 1,
			profile_cells_differ(a, b)
				? ""
				: ", which are equal: what differs is noise (an A/A run)");
	}
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
	if (plan->cold) {
		m.cold = plan->specs;
		m.ncold = plan->nspecs;
	}
	argv = machine_argv(&m, &fds, true);
	print_command(argv, out);
	argv_free(argv);
	if (plan->device)
		fprintf(out, "  {\"execute\":\"add-fd\",\"arguments\":{\"fdset-id\":%d}}\n",
			FDSET_ID);
	if (plan->server.argv)
		fprintf(out, "  {\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"%s\"}}\n",
			plan->sock_name);
	for (i = 0; i < plan->nspecs && !plan->cold; i++) {
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
	if (cell_counts_guests(c))
		fprintf(out, "  # %u guest%s: %llu vCPUs on %u CPUs, a ratio of %.3g\n",
			run_guests(c), run_guests(c) == 1 ? "" : "s",
			(unsigned long long)(run_guests(c) * cell_u64(c, K_VCPUS)), run_cpus(),
			(double)(run_guests(c) * cell_u64(c, K_VCPUS)) / run_cpus());
	run_pins_print(r, c, out);
	run_knobs_print(c, out);
	for (i = 0; i < plan.nsteps; i++) {
		char size[32];

		if (plan.steps[i].argv)
			print_command(plan.steps[i].argv, out);
		else
			fprintf(out, "  # once a run: %s of data in %s\n",
				units_size_text(plan.steps[i].source_bytes, size, sizeof(size)),
				plan.steps[i].source);
	}
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
	struct policy *p = run_policy(r);
	struct order o;
	unsigned block = ~0u;

	fprintf(out, "\nschedule (cell.workload), seed %llu%s:", (unsigned long long)r->seed,
		run_is_sequential(r) ? ", as long as nothing is decided" : "");
	while (p->ask(p, &o)) {
		struct outcome done = {.order = o, .ok = true, .primary = NAN};

		if (o.block != block)
			fprintf(out, "\n  block %u:", o.block + 1);
		block = o.block;
		fprintf(out, " %u.%s", o.cell + 1, r->profile->workloads[o.workload].name);
		p->tell(p, &done);
	}
	fprintf(out, "\n");
	p->free(p);
}

int run_price(const struct profile *p, const struct run_opts *o, struct run_price *out,
	      struct err *e)
{
	struct run r = {0};
	struct run_cost cost = {0};
	int rc;

	snprintf(r.uuid, sizeof(r.uuid), "dry-run-");
	term_init(&r.term, true);
	if (o->search)
		run_search_take(&r, o->search);
	rc = run_setup(&r, p, o, e);
	if (!rc)
		rc = run_seed_and_blocks(&r, &cost, e);
	*out = (struct run_price){.ns = cost.ns,
				  .bytes = cost.image_bytes,
				  .trials = cost.trials,
				  .blocks = r.blocks,
				  .cells = rc ? 0 : r.profile->ncells,
				  .unable = rc ? NULL : able_json(&r)};
	run_teardown(&r);
	free(r.search_workload);
	return rc;
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
	if (!rc)
		rc = run_decide_check(&r, e);
	if (!rc) {
		if (profile_get(p, K_TITLE))
			fprintf(out, "%s\n", profile_get(p, K_TITLE));
		run_cost_print(&r, &cost, out);
		print_accel(&r, out);
		print_arms(r.profile, out);
		skipped_print_all(r.profile->skipped, r.profile->nskipped, "", out);
		device_print(&r, out);
		for (i = 0; i < r.profile->ncells && !rc; i++)
			rc = print_cell(&r, &r.profile->cells[i], out, e);
	}
	if (!rc)
		print_schedule(&r, out);
	run_teardown(&r);
	return rc;
}
