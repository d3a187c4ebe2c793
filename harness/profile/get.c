/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of a parsed profile, and its end. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "profile/internal.h"

static uint64_t number(const char *v)
{
	return v && v[0] >= '0' && v[0] <= '9' ? strtoull(v, NULL, 10) : 0;
}

const char *cell_get(const struct cell *c, enum key_id k)
{
	return c->val[k];
}

uint64_t cell_u64(const struct cell *c, enum key_id k)
{
	return number(c->val[k]);
}

bool cell_is(const struct cell *c, enum key_id k, const char *canonical)
{
	return c->val[k] && !strcmp(c->val[k], canonical);
}

bool cell_on(const struct cell *c, enum key_id k)
{
	return c->val[k] && !strcmp(c->val[k], "on");
}

const char *workload_get(const struct workload *w, enum key_id k)
{
	return w->val[k];
}

uint64_t workload_u64(const struct workload *w, enum key_id k)
{
	return number(w->val[k]);
}

const char *profile_get(const struct profile *p, enum key_id k)
{
	return p->val[k];
}

uint64_t profile_u64(const struct profile *p, enum key_id k)
{
	return number(p->val[k]);
}

bool profile_on(const struct profile *p, enum key_id k)
{
	return p->val[k] && !strcmp(p->val[k], "on");
}

double profile_share(const struct profile *p, enum key_id k)
{
	uint64_t millionths;

	if (!p->val[k] || percent_parse(p->val[k], &millionths))
		return NAN;
	return (double)millionths / 1e6;
}

double cell_overcommit(const struct cell *c)
{
	uint64_t millionths;

	/* "none" is no number */
	if (!c->val[K_OVERCOMMIT] || percent_parse(c->val[K_OVERCOMMIT], &millionths))
		return 0;
	return (double)millionths / 1e6;
}

bool cell_counts_guests(const struct cell *c)
{
	return cell_u64(c, K_GUESTS) > 1 || cell_overcommit(c) > 0;
}

bool cell_on_host(const struct cell *c)
{
	return cell_is(c, K_SITE, "host");
}

bool cell_uses_vring(const struct cell *c)
{
	return cell_on_host(c) && cell_is(c, K_DRIVER, "vring");
}

bool cell_uses_vhost(const struct cell *c)
{
	return cell_is(c, K_BACKEND, "vhost-user") &&
	       (!cell_on_host(c) || cell_is(c, K_DRIVER, "vring"));
}

bool cell_has_image(const struct cell *c)
{
	if (cell_uses_vhost(c))
		return cell_is(c, K_SERVES, "file");
	if (cell_uses_nbd(c))
		return !cell_is(c, K_NBD, "nbdkit") || cell_is(c, K_NBDKIT, "file");
	return cell_on_host(c) ? cell_is(c, K_DRIVER, "file") : cell_is(c, K_BACKEND, "file");
}

bool cell_on_device(const struct cell *c)
{
	return !cell_on_host(c) && cell_is(c, K_BACKEND, "block");
}

bool cell_uses_nbd(const struct cell *c)
{
	return !cell_on_host(c) && cell_is(c, K_BACKEND, "nbd");
}

/* Plugins of nbdkit that forget what is written, or refuse it (nbdkit(1), "Plugins"). */
static bool nbdkit_keeps(const char *plugin)
{
	static const char *const forget[] = {"full",	"info",	  "null",	   "ones",
					     "pattern", "random", "sparse-random", "zero"};
	size_t n;

	while (plugin[0] == '-' || plugin[0] == ' ') /* filters */
		plugin += plugin[0] == ' ' ? 1 : strcspn(plugin, " ");
	n = strcspn(plugin, " ");
	for (size_t i = 0; i < sizeof(forget) / sizeof(forget[0]); i++)
		if (strlen(forget[i]) == n && !strncmp(plugin, forget[i], n))
			return false;
	return true;
}

bool cell_can_fill(const struct cell *c)
{
	if (cell_uses_nbd(c) && cell_is(c, K_NBD, "nbdkit") && c->val[K_NBDKIT])
		return nbdkit_keeps(c->val[K_NBDKIT]);
	return cell_has_image(c) || cell_on_device(c);
}

bool cell_has_data(const struct cell *c)
{
	return cell_get(c, K_CONTENT) && !cell_is(c, K_CONTENT, "empty");
}

double cell_data_share(const struct cell *c)
{
	if (!cell_has_data(c))
		return 0;
	return cell_is(c, K_CONTENT, "data") ? 1 : cell_is(c, K_CONTENT, "deleted") ? 0.75 : 0.25;
}

uint64_t cell_page(const struct cell *c)
{
	return cell_is(c, K_PAGES, "2M") ? 2ull << 20 : cell_is(c, K_PAGES, "1G") ? 1ull << 30 : 0;
}

bool cell_turns_knobs(const struct cell *c)
{
	for (int k = K_KNOB_GOVERNOR; k <= K_KNOB_SWAPPINESS; k++)
		if (c->val[k] && strcmp(c->val[k], "keep"))
			return true;
	return false;
}

bool cell_is_cold(const struct cell *c)
{
	if (cell_on_host(c))
		return false;
	return cell_is(c, K_BUS, "ide") || cell_is(c, K_BUS, "ahci") ||
	       cell_is(c, K_BUS, "virtio-mmio") || cell_is(c, K_SLOTS, "direct");
}

bool cell_has_engine(const struct cell *c)
{
	return cell_on_host(c) && !cell_is(c, K_DRIVER, "file");
}

bool cell_in_qemu(const struct cell *c)
{
	if (cell_uses_vhost(c))
		return cell_is(c, K_SERVER, "storage-daemon");
	return !cell_on_host(c);
}

bool profile_shared_memory(const struct profile *p)
{
	for (size_t i = 0; i < p->ncells; i++)
		if (!cell_on_host(&p->cells[i]) && cell_uses_vhost(&p->cells[i]))
			return true;
	return p->shared;
}

static void values_free(char **val, struct extra *extras, size_t nextras)
{
	for (size_t i = 0; i < K_COUNT; i++)
		free(val[i]);
	for (size_t i = 0; i < nextras; i++) {
		free(extras[i].key);
		free(extras[i].value);
	}
	free(extras);
}

void profile_free(struct profile *p)
{
	if (!p)
		return;
	profile_listed_free(p);
	for (size_t i = 0; i < K_COUNT; i++)
		free(p->val[i]);
	for (size_t i = 0; i < p->nsets; i++)
		free(p->sets[i]);
	for (size_t i = 0; i < p->naxes; i++) {
		for (size_t k = 0; k < p->axes[i].nvalues; k++)
			free(p->axes[i].values[k]);
		free(p->axes[i].values);
		free(p->axes[i].key);
	}
	for (size_t i = 0; i < p->ncells; i++) {
		values_free(p->cells[i].val, p->cells[i].extras, p->cells[i].nextras);
		free(p->cells[i].label);
	}
	for (size_t i = 0; i < p->nworkloads; i++) {
		values_free(p->workloads[i].val, p->workloads[i].extras, p->workloads[i].nextras);
		free(p->workloads[i].name);
	}
	for (size_t i = 0; i < p->nrungs; i++) {
		free(p->rungs[i].name);
		free(p->rungs[i].over);
		free(p->rungs[i].adds);
	}
	for (size_t i = 0; i < p->nskipped; i++) {
		free(p->skipped[i].what);
		free(p->skipped[i].reason);
	}
	text_list_free(p->vs_base, p->nvs_base);
	text_list_free(p->vs_change, p->nvs_change);
	free(p->pairs);
	free(p->sets);
	free(p->axes);
	free(p->cells);
	free(p->workloads);
	free(p->rungs);
	free(p->skipped);
	free(p->path);
	free(p->name);
	free(p->text);
	free(p);
}
