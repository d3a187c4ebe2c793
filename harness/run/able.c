// SPDX-License-Identifier: GPL-2.0-or-later
/* Cells that this QEMU cannot do are left out and listed: a comparison of the others is worth more
 * than an error. */
#include "run/able.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "guest/qmp.h"
#include "run/context.h"
#include "run/guests.h"

#define NS_PER_S 1000000000ull

static bool has(const json_t *list, const char *word)
{
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (!strcmp(json_string_value(json_array_get(list, i)), word))
			return true;
	return false;
}

/* The names in an array of objects. */
static json_t *names_of(const json_t *rows, const char *key)
{
	json_t *out = json_array();
	size_t i;

	for (i = 0; i < json_array_size(rows); i++) {
		json_t *name = json_object_get(json_array_get(rows, i), key);

		if (json_is_string(name))
			json_array_append(out, name);
	}
	return out;
}

/*
 * The enumeration in query-qmp-schema that has all of these words: types have no names there. Its
 * "values" are deprecated in favour of "members".
 */
static json_t *schema_enum(const json_t *schema, const char *a, const char *b)
{
	size_t i, k;

	for (i = 0; i < json_array_size(schema); i++) {
		const json_t *type = json_array_get(schema, i);
		const char *meta = json_string_value(json_object_get(type, "meta-type"));
		const json_t *values = json_object_get(type, "values");
		json_t *words;

		if (!meta || strcmp(meta, "enum"))
			continue;
		words = names_of(json_object_get(type, "members"), "name");
		for (k = 0; !json_array_size(words) && k < json_array_size(values); k++)
			if (json_is_string(json_array_get(values, k)))
				json_array_append(words, json_array_get(values, k));
		if (has(words, a) && has(words, b))
			return words;
		json_decref(words);
	}
	return json_array();
}

static int ask(struct qmp *q, struct qemu_able *out, struct err *e)
{
	static const char *const mappers[] = {"virtio-blk-pci", "virtio-blk-device",
					      "virtio-scsi-pci"};
	size_t i;
	uint64_t deadline = clock_mono_ns() + 20 * NS_PER_S;
	json_t *r = NULL;
	int rc = qmp_greet(q, deadline, e);

	if (!rc)
		rc = qmp_call(q, "qom-list-types",
			      json_pack("{s:s, s:b}", "implements", "device", "abstract", 0), -1,
			      deadline, &r, e);
	if (rc)
		return rc;
	out->devices = names_of(r, "name");
	json_decref(r);
	rc = qmp_call(q, "query-qmp-schema", NULL, -1, deadline, &r, e);
	if (rc)
		return rc;
	out->drivers = schema_enum(r, "null-co", "raw");
	out->aio = schema_enum(r, "threads", "native");
	json_decref(r);
	out->mapping = json_array();
	for (i = 0; !rc && i < sizeof(mappers) / sizeof(*mappers); i++) {
		json_t *names;

		if (!has(out->devices, mappers[i]))
			continue;
		rc = qmp_call(q, "device-list-properties",
			      json_pack("{s:s}", "typename", mappers[i]), -1, deadline, &r, e);
		if (rc)
			break;
		names = names_of(r, "name");
		if (has(names, "iothread-vq-mapping"))
			json_array_append_new(out->mapping, json_string(mappers[i]));
		json_decref(names);
		json_decref(r);
	}
	return rc;
}

/* "Supported formats: blkdebug ... qcow2 raw ..." of qemu-img --help. */
static void ask_img(const char *img, struct qemu_able *out)
{
	const char *argv[] = {img, "--help", NULL};
	char *text = NULL, *word, *save = NULL, *at;

	out->img = json_array();
	if (child_run(argv, NULL, 20000, &text, NULL) || !text)
		return;
	at = strstr(text, "Supported formats:");
	if (at) {
		at[strcspn(at, "\n")] = 0;
		for (word = strtok_r(at + strlen("Supported formats:"), " ", &save); word;
		     word = strtok_r(NULL, " ", &save))
			json_array_append_new(out->img, json_string(word));
	}
	free(text);
}

static int able_talk(struct qmp *q, pid_t pid, void *arg, struct err *e)
{
	(void)pid;
	return ask(q, arg, e);
}

int qemu_able_get(const struct qemu_info *info, struct qemu_able *out, struct err *e)
{
	int rc;

	*out = (struct qemu_able){0};
	rc = qemu_talk(info->path, able_talk, out, e);
	if (rc) {
		qemu_able_free(out);
		return rc;
	}
	ask_img(info->img, out);
	return 0;
}

void qemu_able_free(struct qemu_able *a)
{
	json_decref(a->devices);
	json_decref(a->drivers);
	json_decref(a->aio);
	json_decref(a->mapping);
	json_decref(a->img);
	*a = (struct qemu_able){0};
}

/* The device that a bus is made of. */
static const char *device_of(const struct cell *c)
{
	static const char *const buses[][2] = {
		{"virtio-blk", "virtio-blk-pci"},
		{"virtio-scsi", "virtio-scsi-pci"},
		{"nvme", "nvme"},
		{"ide", "piix3-ide"},
		{"ahci", "ich9-ahci"},
		{"virtio-mmio", "virtio-blk-device"},
	};
	size_t i;

	if (cell_uses_vhost(c))
		return "vhost-user-blk-pci";
	for (i = 0; i < sizeof(buses) / sizeof(*buses); i++)
		if (cell_is(c, K_BUS, buses[i][0]))
			return buses[i][1];
	return NULL;
}

static const char *driver_of(const struct cell *c)
{
	if (cell_uses_nbd(c))
		return "nbd";
	return cell_on_device(c) ? "host_device" : NULL;
}

/* Why this QEMU cannot do a cell; NULL: it can. Caller frees. What it did not answer is no reason.
 */
static char *unable(const struct cell *c, const struct qemu_info *q, const struct qemu_able *a)
{
	const char *device = device_of(c), *driver = driver_of(c), *format = cell_get(c, K_FORMAT);
	bool served = cell_uses_vhost(c);

	if (json_array_size(a->devices) && device && !has(a->devices, device))
		return xasprintf("QEMU %s (%s) has no device %s", q->version, q->path, device);
	if (json_array_size(a->drivers) && driver && !has(a->drivers, driver))
		return xasprintf("QEMU %s (%s) was built without its block driver %s", q->version,
				 q->path, driver);
	if (json_array_size(a->drivers) && !served && format && !has(a->drivers, format))
		return xasprintf("QEMU %s (%s) was built without the format %s", q->version,
				 q->path, format);
	if (json_array_size(a->img) && format && !has(a->img, format))
		return xasprintf("%s was built without the format %s", q->img, format);
	if (json_array_size(a->aio) && !served && cell_get(c, K_AIO) &&
	    !has(a->aio, cell_get(c, K_AIO)))
		return xasprintf("QEMU %s (%s) was built without aio=%s", q->version, q->path,
				 cell_get(c, K_AIO));
	if (cell_is(c, K_MAPPING, "queues") && device && !has(a->mapping, device))
		return xasprintf(
			"iothread-mapping=queues needs the property iothread-vq-mapping, "
			"which QEMU has from 9.0 on (virtio-scsi: 10.0); the %s of %s, QEMU "
			"%s, has none",
			device, q->path, q->version);
	return NULL;
}

/* A cell of this run; NULL: none of its cells asks for more than every QEMU has. */
static struct qemu_able *able_of(struct run *r, const struct cell *c, struct err *e, int *rc)
{
	struct run_qemu *q = run_qemu_of(r, c);

	*rc = 0;
	if (!q)
		return NULL;
	if (!q->asked) {
		*rc = qemu_able_get(&q->info, &q->able, e);
		q->asked = !*rc;
	}
	return *rc ? NULL : &q->able;
}

/* A cell whose other self cannot be had is not measured alone. */
static size_t leave_out_partners(const struct profile *p, char **reasons)
{
	size_t n = 0;

	for (size_t i = 0; i < p->ncells; i++) {
		bool paired = !p->npairs;

		for (size_t k = 0; k < p->npairs && !paired && !reasons[i]; k++)
			paired = (p->pairs[k].base == i && !reasons[p->pairs[k].change]) ||
				 (p->pairs[k].change == i && !reasons[p->pairs[k].base]);
		if (!paired && !reasons[i]) {
			reasons[i] = xstrdup("its counterpart in the other arm cannot be had here");
			n++;
		}
	}
	return n;
}

static void keep_pairs(struct profile *kept, const struct profile *p, const size_t *now)
{
	kept->pairs = xcalloc(p->npairs + 1, sizeof(*kept->pairs));
	kept->npairs = 0;
	for (size_t i = 0; i < p->npairs; i++) {
		struct profile_pair k = {now[p->pairs[i].base], now[p->pairs[i].change]};

		if (k.base != SIZE_MAX && k.change != SIZE_MAX)
			kept->pairs[kept->npairs++] = k;
	}
}

static void leave_out(struct run *r, char **reasons)
{
	const struct profile *p = r->profile;
	struct profile *kept = xcalloc(1, sizeof(*kept));
	size_t *now = xcalloc(p->ncells + 1, sizeof(*now)), i;

	/* strings and axes stay the original's */
	*kept = *p;
	kept->shared = profile_shared_memory(p);
	kept->cells = xcalloc(p->ncells + 1, sizeof(*kept->cells));
	kept->rungs = xcalloc(p->nrungs + 1, sizeof(*kept->rungs));
	kept->skipped = xcalloc(p->nskipped + p->ncells + 1, sizeof(*kept->skipped));
	kept->ncells = 0;
	memcpy(kept->rungs, p->rungs, p->nrungs * sizeof(*p->rungs));
	memcpy(kept->skipped, p->skipped, p->nskipped * sizeof(*p->skipped));
	for (i = 0; i < p->ncells; i++) {
		now[i] = reasons[i] ? SIZE_MAX : kept->ncells;
		if (reasons[i]) {
			kept->skipped[kept->nskipped++] =
				(struct skipped){p->cells[i].label, reasons[i], false};
			continue;
		}
		kept->cells[kept->ncells] = p->cells[i];
		kept->cells[kept->ncells].index = (unsigned)kept->ncells;
		kept->ncells++;
	}
	for (i = 0; i < p->nrungs; i++)
		if (p->rungs[i].cell != SIZE_MAX)
			kept->rungs[i].cell = now[p->rungs[i].cell];
	keep_pairs(kept, p, now);
	free(now);
	r->kept = kept;
	r->whole = p;
	r->profile = kept;
}

int able_setup(struct run *r, struct err *e)
{
	const struct profile *p = r->profile;
	char **reasons = xcalloc(p->ncells + 1, sizeof(*reasons));
	uint64_t avail = run_memory_available();
	unsigned cpus = run_cpus();
	size_t i, n = 0, first = 0;
	int rc = 0;

	for (i = 0; i < p->ncells && !rc; i++) {
		const struct qemu_able *a = able_of(r, &p->cells[i], e, &rc);

		reasons[i] =
			a ? unable(&p->cells[i], &run_qemu_of(r, &p->cells[i])->info, a) : NULL;
		if (!reasons[i])
			reasons[i] = guests_unable(&p->cells[i], cpus, avail);
		if (!rc && !reasons[i])
			reasons[i] = able_host(r, &p->cells[i], run_guests(&p->cells[i]));
		first = reasons[i] && !n ? i : first;
		n += reasons[i] != NULL;
	}
	if (!rc && n && n < p->ncells)
		n += leave_out_partners(p, reasons);
	if (!rc && n && n == p->ncells)
		rc = err_input(e, "%s: %s", p->cells[first].label, reasons[first]);
	if (!rc && n) {
		leave_out(r, reasons);
		free(reasons);
		return 0;
	}
	for (i = 0; i < p->ncells; i++)
		free(reasons[i]);
	free(reasons);
	return rc;
}

void able_print(const struct run *r, FILE *out)
{
	if (!r->kept)
		return;
	skipped_print(r->kept->skipped + r->whole->nskipped, r->kept->nskipped - r->whole->nskipped,
		      "left out: ", out);
}

json_t *able_json(const struct run *r)
{
	size_t whole = r->kept ? r->whole->nskipped : 0;

	return r->kept ? skipped_json(r->kept->skipped + whole, r->kept->nskipped - whole)
		       : json_array();
}

void able_free(struct run *r)
{
	size_t i;

	if (!r->kept)
		return;
	for (i = r->whole->nskipped; i < r->kept->nskipped; i++)
		free(r->kept->skipped[i].reason);
	free(r->kept->cells);
	free(r->kept->rungs);
	free(r->kept->pairs);
	free(r->kept->skipped);
	free(r->kept);
	r->kept = NULL;
	r->profile = r->whole;
}
