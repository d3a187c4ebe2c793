// SPDX-License-Identifier: GPL-2.0-or-later
/* The user's word for a device that is going to be overwritten. */
#include "run/device.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "base/units.h"
#include "host/blockdev.h"
#include "run/context.h"

static const char *device_of(const struct cell *c)
{
	return cell_on_device(c) ? cell_get(c, K_DEVICE) : NULL;
}

/* The first cell with the same device. */
static const struct cell *first_on(const struct run *r, const char *path)
{
	size_t i;

	for (i = 0; i < r->profile->ncells; i++)
		if (device_of(&r->profile->cells[i]) &&
		    !strcmp(device_of(&r->profile->cells[i]), path))
			return &r->profile->cells[i];
	return NULL;
}

static int agreed(const struct run *r, const char *path, const struct blockdev *b, struct err *e)
{
	unsigned times = blockdev_consents(path, r->opts->consents, r->opts->nconsents);

	if (!times)
		return err_input(e,
				 "disk.device = %s would be overwritten, all of it%s%s; if that is "
				 "meant, add %s--consent %s (%s)",
				 path, *b->found ? "; it holds " : "", b->found,
				 *b->found ? "twice " : "", path, blockdev_unseen(geteuid()));
	if (*b->found && times < 2)
		return err_input(
			e,
			"disk.device = %s holds %s; to overwrite even that, give --consent "
			"%s twice",
			path, b->found, path);
	return 0;
}

static int large_enough(const struct cell *c, const struct blockdev *b, struct err *e)
{
	char has[32], needs[32];

	if (b->bytes >= cell_u64(c, K_SIZE))
		return 0;
	return err_input(e, "disk.device = %s has %s, less than disk.size = %s; lower disk.size",
			 device_of(c), units_size_text(b->bytes, has, sizeof(has)),
			 units_size_spell(cell_u64(c, K_SIZE), needs, sizeof(needs)));
}

/* What the path means must not change under way: names such as sdb move when disks come and go. */
static int same(struct run *r, const char *path, const struct blockdev *b, bool first,
		struct err *e)
{
	struct run_device *d;
	size_t i;

	for (i = 0; i < r->ndevices; i++)
		if (!strcmp(r->devices[i].path, path))
			break;
	if (i < r->ndevices)
		return r->devices[i].dev == b->dev
			       ? 0
			       : err_input(
					 e,
					 "%s is another device now (%s) than when the run was begun",
					 path, b->name);
	if (!first)
		return err_input(e, "%s was not looked at when the run was begun", path);
	r->devices = xrealloc(r->devices, r->ndevices + 1, sizeof(*r->devices));
	d = &r->devices[r->ndevices++];
	*d = (struct run_device){path, b->dev};
	return 0;
}

int device_check(struct run *r, const struct cell *c, bool first, struct err *e)
{
	const char *path = device_of(c);
	struct blockdev b;
	int rc;

	if (!path)
		return 0;
	rc = blockdev_look(path, &b, e);
	if (!rc)
		rc = agreed(r, path, &b, e);
	if (!rc)
		rc = large_enough(c, &b, e);
	return rc ? rc : same(r, path, &b, first, e);
}

uint64_t device_number(const struct run *r, const struct cell *c)
{
	const char *path = device_of(c);
	size_t i;

	for (i = 0; path && i < r->ndevices; i++)
		if (!strcmp(r->devices[i].path, path))
			return r->devices[i].dev;
	return 0;
}

static int check_words(const struct run *r, struct err *e)
{
	size_t i, k;

	for (i = 0; i < r->opts->nconsents; i++) {
		const char *word = r->opts->consents[i];
		bool used = false;

		for (k = 0; k < r->profile->ncells && !used; k++) {
			const char *path = device_of(&r->profile->cells[k]);

			used = (path && blockdev_consents(path, &word, 1)) ||
			       (!strcmp(word, "host") && cell_turns_knobs(&r->profile->cells[k]));
		}
		if (!used)
			return err_input(e,
					 "--consent %s: that is no block device that this profile "
					 "writes to (disk.device)",
					 word);
	}
	return 0;
}

int device_check_all(struct run *r, struct err *e)
{
	int rc = check_words(r, e);
	size_t i;

	for (i = 0; i < r->profile->ncells && !rc; i++)
		rc = device_check(r, &r->profile->cells[i], true, e);
	return rc;
}

void device_print(struct run *r, FILE *out)
{
	size_t i;

	for (i = 0; i < r->profile->ncells; i++) {
		const struct cell *c = &r->profile->cells[i];
		const char *path = device_of(c);
		struct blockdev b;
		struct err e = {0};
		char size[32];

		if (!path || first_on(r, path) != c)
			continue;
		if (blockdev_look(path, &b, &e))
			fprintf(out, "device %s: %s\n", path, e.text);
		else if (agreed(r, path, &b, &e) || large_enough(c, &b, &e))
			fprintf(out, "device %s (%s, %s): %s\n", path, b.name,
				units_size_text(b.bytes, size, sizeof(size)), e.text);
		else
			fprintf(out, "device %s (%s, %s): will be overwritten%s%s\n", path, b.name,
				units_size_text(b.bytes, size, sizeof(size)),
				*b.found ? ", and with it " : "", b.found);
	}
}
