// SPDX-License-Identifier: GPL-2.0-or-later
/* Slow-downs injected into real runs, and read back. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "gate/prove_inject.h"
#include "gate/prove_night.h"

/* The gate's floor of a percentile's spread (part 2). */
#define BIN_WIDTH (1.0 / 64)

int inject_check(const struct profile *p, struct err *e)
{
	for (size_t i = 0; i < p->naxes; i++)
		if (!strcmp(p->axes[i].key, "disk.latency"))
			return err_input(e,
					 "disk.latency is an axis of %s; a step is added to one "
					 "value of it: add --set disk.latency=300us",
					 p->path);
	for (size_t i = 0; i < p->ncells; i++) {
		const struct cell *c = &p->cells[i];

		if (!cell_get(c, K_LATENCY))
			return err_input(e,
					 "%s: the back end of cell \"%s\" has no latency to raise; "
					 "add --set disk.backend=null (with disk.iothread=on), or "
					 "disk.backend=vhost-user with disk.serves=null",
					 p->path, c->label);
		if (!cell_uses_vhost(c) && !cell_on(c, K_IOTHREAD))
			return err_input(e,
					 "%s: in cell \"%s\" QEMU's main loop serves the disk, and "
					 "wakes in whole milliseconds only; add --set "
					 "disk.iothread=on",
					 p->path, c->label);
	}
	return 0;
}

/* Mean latency of a cell under a workload, ns; NAN. fio's own mean: reads where there are any. */
static double latency_of(const struct model *m, size_t workload, size_t cell)
{
	const struct model_row *row = &m->workloads[workload].rows[cell];
	double writes = NAN;

	for (size_t i = 0; i < row->nvalues; i++) {
		const struct model_value *v = &row->values[i];

		if (!strcmp(v->metric->id, "read.lat.mean") && isfinite(v->abs.mid))
			return v->abs.mid;
		if (!strcmp(v->metric->id, "write.lat.mean"))
			writes = v->abs.mid;
	}
	return writes;
}

/* The points of that metric, by block; NULL: none. */
static const double *latency_points(const struct model *m, size_t workload, size_t cell)
{
	const struct model_row *row = &m->workloads[workload].rows[cell];
	const double *writes = NULL;

	for (size_t i = 0; i < row->nvalues; i++) {
		if (!strcmp(row->values[i].metric->id, "read.lat.mean"))
			return row->values[i].points;
		if (!strcmp(row->values[i].metric->id, "write.lat.mean"))
			writes = row->values[i].points;
	}
	return writes;
}

int inject_calibrate(const struct arms_opts *o, const struct profile *p, uint64_t *base_ns,
		     double *latency_ns, struct err *e)
{
	uint64_t own = p->ncells ? cell_u64(&p->cells[0], K_LATENCY) : 0;
	struct set_list arm = {0};
	struct arms_run run;
	double sum = 0;
	char *set;
	size_t n = 0;
	int rc;

	*base_ns = own ? own : INJECT_BASE_NS;
	set = xasprintf("disk.latency=%" PRIu64 "ns", *base_ns);
	set_list_add(&arm, set);
	rc = arms_measure(o, INJECT_LABEL, INJECT_CALIBRATE, &arm, &arm, &run, e);
	for (size_t i = 0; !rc && run.model && i < run.model->nvs; i++) {
		const struct model_vs *v = &run.model->vs[i];
		double ns = latency_of(run.model, v->workload, v->base);

		if (!isfinite(ns))
			continue;
		sum += log(ns);
		n++;
	}
	if (!rc && !n)
		rc = err_set(e, -EIO, "no latency could be measured; see `vbench report`");
	*latency_ns = n ? exp(sum / (double)n) : NAN;
	arms_free(&run);
	set_list_free(&arm);
	free(set);
	return rc;
}

static double share(double log_ratio)
{
	return expm1(log_ratio);
}

/* The gate's own word on blocks 0 .. first + second of all series. */
static void judge_night(const struct model *m, const struct gate_rule *rule,
			struct inject_step *out)
{
	struct gate_stage *confirm = xcalloc(m->nvs + 1, sizeof(*confirm));
	int *suspect = xcalloc(m->nvs + 1, sizeof(*suspect));
	int *shown = xcalloc(m->nvs + 1, sizeof(*shown));
	double *p = xcalloc(m->nvs + 1, sizeof(*p));

	for (size_t i = 0; i < m->nvs; i++) {
		const struct model_vs *v = &m->vs[i];
		bool higher = v->metric && v->metric->better == HIGHER_IS_BETTER;
		double floor = v->metric && v->metric->percentile ? BIN_WIDTH / sqrt(12) : 0;
		struct gate_stage screen = gate_stage_of(v->base_points, v->change_points,
							 rule->blocks, higher, floor);

		confirm[i] = gate_stage_of(v->base_points + rule->blocks,
					   v->change_points + rule->blocks, rule->confirm, higher,
					   floor);
		suspect[i] = gate_suspect(&screen);
		out->series[i].suspect = suspect[i] > 0;
		out->series[i].night = share(suspect[i] ? confirm[i].harm : screen.harm);
		out->series[i].metric = v->metric ? v->metric->id : "";
	}
	gate_confirm(rule, confirm, suspect, m->nvs, p, shown);
	for (size_t i = 0; i < m->nvs; i++)
		out->series[i].red = shown[i] > 0;
	free(confirm);
	free(suspect);
	free(shown);
	free(p);
}

/* asked and got, from the blocks behind the night. */
static void read_back(const struct model *m, size_t from, struct inject_step *out)
{
	for (size_t i = 0; i < m->nvs; i++) {
		const struct model_vs *v = &m->vs[i];
		struct injected *x = &out->series[i];
		const double *a = latency_points(m, v->workload, v->base);
		const double *b = latency_points(m, v->workload, v->change);
		struct interval r = {NAN, NAN, NAN, 0, NAN}, base = r;

		if (a && b && m->blocks_planned > from) {
			r = ratio_interval(a + from, b + from, m->blocks_planned - from, 0.95, 0);
			base = gmean_interval(a + from, m->blocks_planned - from, 0.95);
		}
		x->name = arms_name(m, v);
		x->asked = (double)out->step_ns / base.mid;
		x->got = r.mid - 1;
		x->got_lo = r.lo - 1;
		x->got_hi = r.hi - 1;
		x->long_blocks = r.n;
	}
}

int inject_run(const struct arms_opts *o, const struct gate_rule *rule, double effect,
	       uint64_t base_ns, double latency_ns, struct inject_step *out, struct err *e)
{
	unsigned night = rule->blocks + rule->confirm;
	struct set_list base = {0}, change = {0};
	struct arms_run run;
	char *a, *b;
	int rc;

	*out = (struct inject_step){.effect = effect, .base_ns = base_ns};
	out->step_ns = (uint64_t)llround(effect * latency_ns);
	a = xasprintf("disk.latency=%" PRIu64 "ns", base_ns);
	b = xasprintf("disk.latency=%" PRIu64 "ns", base_ns + out->step_ns);
	set_list_add(&base, a);
	set_list_add(&change, b);
	rc = arms_measure(o, INJECT_LABEL, 2 * night, &base, &change, &run, e);
	memcpy(out->uuid, run.uuid, sizeof(out->uuid));
	out->failed = run.failed;
	if (!rc && run.model && run.model->nvs && run.model->blocks_planned >= 2 * night) {
		out->nseries = run.model->nvs;
		out->series = xcalloc(out->nseries, sizeof(*out->series));
		judge_night(run.model, rule, out);
		read_back(run.model, night, out);
	} else if (!rc) {
		rc = err_set(e, -EIO, "run %.8s has no pairs to judge", run.uuid);
	}
	arms_free(&run);
	set_list_free(&base);
	set_list_free(&change);
	free(a);
	free(b);
	return rc;
}

void inject_free(struct inject_step *s)
{
	for (size_t i = 0; i < s->nseries; i++)
		free(s->series[i].name);
	free(s->series);
	*s = (struct inject_step){0};
}
