// SPDX-License-Identifier: GPL-2.0-or-later
/* What the guest finds on the disk: summed, freed, summed again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "guest/agent_decode.h"
#include "guest/fs_decode.h"
#include "slim/internal.h"

#define DISK_MS 60000
#define SCAN_MS 60000
#define DAY_MS 86400000 /* the agent takes no more */

static int time_for(uint64_t bytes)
{
	/* 10 minutes, and the time that it takes at 1 MiB/s: an emulated CPU sums slowly */
	uint64_t ms = 600000 + (bytes >> 20) * 1000;

	return ms > DAY_MS ? DAY_MS : (int)ms;
}

/* A frame of the guest's that belongs to our request: 1 when it is the answer. */
static int take_frame(struct slim *s, const struct agent_msg *msg, json_t **body, struct err *e)
{
	struct fs_progress p;
	char why[512];

	switch (msg->type) {
	case WIRE_PROGRESS:
		if (!fs_decode_progress(msg->body, &p, NULL) && p.total_bytes)
			slim_show(s, p.done_bytes >= p.total_bytes
					     ? 1
					     : (double)p.done_bytes / (double)p.total_bytes);
		return 0;
	case WIRE_ERROR:
		return err_set(e, -EREMOTEIO, "%s",
			       agent_decode_error(msg->body, why, sizeof(why)));
	case WIRE_REPLY:
	case WIRE_RESULT:
		*body = json_incref(msg->body);
		return 1;
	default:
		return 0;
	}
}

/* One request about a file system; bytes: of the volume, for the time limit. */
static int ask(struct slim *s, enum wire_type type, const char *name, const char *fs,
	       const char *how, uint64_t bytes, json_t **body, struct err *e)
{
	int ms = type == WIRE_FS_SCAN ? SCAN_MS : time_for(bytes);
	uint64_t deadline = clock_mono_ns() + ((uint64_t)ms + 30000) * 1000000;
	json_t *q =
		json_pack("{s:o, s:i}", "path", json_sprintf("/dev/%s", name), "timeout_ms", ms);
	uint16_t seq;
	int rc;

	if (fs)
		json_object_set_new(q, "type", json_string(fs));
	if (how)
		json_object_set_new(q, "how", json_string(how));
	rc = agent_send(s->vm.agent, type, q, &seq, e);
	while (!rc) {
		struct agent_msg msg;

		rc = vm_next(&s->vm, deadline, &msg, e);
		if (rc)
			break;
		if (msg.seq == seq)
			rc = take_frame(s, &msg, body, e);
		agent_msg_free(&msg);
	}
	return rc < 0 ? rc : 0;
}

int volumes_plug(struct slim *s, const char *node, unsigned port, char disk[64], struct err *e)
{
	char serial[16];
	json_t *facts = NULL;
	int rc;

	snprintf(serial, sizeof(serial), "slim%u", port);
	rc = source_qmp(s, "device_add",
			json_pack("{s:s, s:s, s:s, s:s, s:o}", "driver", "virtio-blk-pci", "id",
				  serial, "drive", node, "serial", serial, "bus",
				  json_sprintf("rp%u", port)),
			NULL, e);
	if (!rc)
		rc = vm_ask(&s->vm, WIRE_DISK,
			    json_pack("{s:s, s:i}", "serial", serial, "timeout_ms", DISK_MS),
			    DISK_MS + 10000, &facts, e);
	if (!rc)
		rc = agent_decode_disk(facts, serial, e);
	/* the decoder has made sure that it is /dev/ and a plain name */
	if (!rc)
		snprintf(disk, 64, "%s", json_string_value(json_object_get(facts, "path")) + 5);
	json_decref(facts);
	return rc;
}

static bool skipped(const struct slim *s, const char *name)
{
	const char *const *p;

	for (p = s->o->skip; p && *p; p++)
		if (!strcmp(*p, name))
			return true;
	return false;
}

/* A name that means nothing here was meant for something. */
static int skips_known(const struct slim *s, struct err *e)
{
	const char *const *p;
	size_t i;

	for (p = s->o->skip; p && *p; p++) {
		for (i = 0; i < s->r->nvolumes; i++)
			if (!strcmp(*p, s->r->volumes[i].name))
				break;
		if (i == s->r->nvolumes)
			return err_input(e, "--skip %s: the disk has no such volume", *p);
	}
	return 0;
}

static void take_volume(struct slim *s, const struct fs_volume *f)
{
	struct slim_result *r = s->r;
	struct slim_volume *v;

	r->volumes = xrealloc(r->volumes, r->nvolumes + 1, sizeof(*r->volumes));
	v = &r->volumes[r->nvolumes++];
	*v = (struct slim_volume){.bytes = f->bytes};
	/* the decoder has made sure that it is /dev/ and a plain name */
	snprintf(v->name, sizeof(v->name), "%.63s", f->path + 5);
	snprintf(v->type, sizeof(v->type), "%s", f->type);
	snprintf(v->uuid, sizeof(v->uuid), "%s", f->uuid);
	snprintf(v->label, sizeof(v->label), "%s", f->label);
	if (f->refused)
		v->refused = xstrdup(f->refused);
	else if (skipped(s, v->name))
		v->refused = xstrdup("as asked (--skip)");
}

/* Asks what is on a disk. Caller frees with fs_scan_free. */
static int scan_disk(struct slim *s, const char *disk, struct fs_scan *scan, struct err *e)
{
	char *path = xasprintf("/dev/%s", disk);
	json_t *body = NULL;
	int rc = ask(s, WIRE_FS_SCAN, disk, NULL, NULL, 0, &body, e);

	*scan = (struct fs_scan){0};
	if (!rc)
		rc = fs_decode_scan(body, path, scan, e);
	json_decref(body);
	free(path);
	return rc == -EREMOTEIO ? err_prefix(e, "looking for file systems") : rc;
}

int volumes_scan(struct slim *s, const char *disk, struct err *e)
{
	struct fs_scan scan;
	size_t i, known = 0;
	int rc = scan_disk(s, disk, &scan, e);

	if (rc)
		return rc;
	snprintf(s->r->table, sizeof(s->r->table), "%s", scan.table);
	for (i = 0; i < scan.nvolumes; i++)
		take_volume(s, &scan.volumes[i]);
	fs_scan_free(&scan);
	rc = skips_known(s, e);
	if (rc)
		return rc;
	/* it would go on with file systems that are not what it remembers of them */
	for (i = 0; i < s->r->nvolumes; i++)
		if (!strcmp(s->r->volumes[i].type, "swsuspend"))
			return err_input(
				e,
				"%s: a suspended system is stored in it, whose file systems "
				"must not be touched; resume its guest and shut it down",
				s->r->volumes[i].name);
	for (i = 0; i < s->r->nvolumes; i++) {
		const struct slim_volume *v = &s->r->volumes[i];

		known += !v->refused;
		if (v->refused)
			slim_note(s, "%s%s%s is left alone: %s", v->name, *v->type ? " " : "",
				  v->type, v->refused);
	}
	if (!known)
		slim_note(s,
			  "no file system that is understood was found%s: the image is only "
			  "converted",
			  s->r->nvolumes ? "" : " on the disk");
	return 0;
}

static bool has_files(const struct slim_volume *v)
{
	return !v->refused && strcmp(v->type, "swap");
}

/* Sums a volume as it is now. */
static int volume_sum(struct slim *s, const struct slim_volume *v, const char *name,
		      struct slim_volume *out, struct err *e)
{
	json_t *body = NULL;
	struct fs_sum f;
	int rc = ask(s, WIRE_FS_SUM, name, v->type, NULL, v->bytes, &body, e);

	if (!rc)
		rc = fs_decode_sum(body, &f, e);
	if (!rc) {
		out->files = f.files;
		out->dirs = f.dirs;
		out->others = f.others;
		out->file_bytes = f.bytes;
		snprintf(out->sum, sizeof(out->sum), "%s", f.sha256);
	}
	json_decref(body);
	return rc == -EREMOTEIO ? err_prefix(e, "%s (%s) cannot be read", name, v->type) : rc;
}

static int sum_equal(const struct slim_volume *a, const struct slim_volume *b, const char *name,
		     const char *when, struct err *e)
{
	if (a->files == b->files && a->dirs == b->dirs && a->others == b->others &&
	    a->file_bytes == b->file_bytes && *a->sum && !strcmp(a->sum, b->sum))
		return 0;
	return err_set(
		e, -EIO,
		"%s (%s): its content %s is not what it was (%llu files, %.16s; before: %llu "
		"files, %.16s); nothing was written",
		name, a->type, when, (unsigned long long)b->files, b->sum,
		(unsigned long long)a->files, a->sum);
}

static int volume_free_how(struct slim *s, struct slim_volume *v, const char *how, struct err *e)
{
	json_t *body = NULL;
	struct fs_free f;
	int rc = ask(s, WIRE_FS_FREE, v->name, v->type, how, v->bytes, &body, e);

	if (!rc)
		rc = fs_decode_free(body, &f, e);
	if (!rc) {
		v->freed = f.bytes;
		snprintf(v->how, sizeof(v->how), "%s", how);
	}
	json_decref(body);
	return rc;
}

static int volume_free(struct slim *s, struct slim_volume *v, struct err *e)
{
	bool swap = !strcmp(v->type, "swap");
	int rc = -EREMOTEIO;

	if (s->o->how == SLIM_KEEP)
		return 0;
	if (s->o->how != SLIM_ZERO && !swap) {
		rc = volume_free_how(s, v, "trim", e);
		if (rc == -EREMOTEIO && s->o->how == SLIM_AUTO)
			slim_note(s, "%s (%s) cannot be trimmed, its free space is zeroed: %.300s",
				  v->name, v->type, e->text);
	}
	if (rc == -EREMOTEIO && (s->o->how != SLIM_TRIM || swap))
		rc = volume_free_how(s, v, "zero", e);
	return rc == -EREMOTEIO ? err_prefix(e, "%s (%s)", v->name, v->type) : rc;
}

static int volume_do(struct slim *s, struct slim_volume *v, struct err *e)
{
	struct slim_volume now = {0};
	int rc = 0;

	if (has_files(v)) {
		slim_step(s, "summing %s (%s)", v->name, v->type);
		rc = volume_sum(s, v, v->name, v, e);
	}
	if (!rc && s->o->how != SLIM_KEEP) {
		slim_step(s, "freeing %s (%s)", v->name, v->type);
		rc = volume_free(s, v, e);
	}
	if (!rc && has_files(v) && s->o->how != SLIM_KEEP) {
		slim_step(s, "summing %s (%s) again", v->name, v->type);
		rc = volume_sum(s, v, v->name, &now, e);
		if (!rc)
			rc = sum_equal(v, &now, v->name, "after freeing its space", e);
	}
	return rc;
}

static void name_remedy(struct err *e, const char *name)
{
	char why[1000];

	snprintf(why, sizeof(why), "%.990s", e->text);
	err_set(e, -EIO, "%s; mend it in its guest, or leave it alone: --skip %s", why, name);
}

int volumes_free(struct slim *s, struct err *e)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < s->r->nvolumes; i++)
		if (!s->r->volumes[i].refused)
			s->steps += (s->o->how != SLIM_KEEP) + has_files(&s->r->volumes[i]) * 3;
	for (i = 0; i < s->r->nvolumes && !rc; i++) {
		if (s->r->volumes[i].refused)
			continue;
		rc = volume_do(s, &s->r->volumes[i], e);
		if (rc == -EREMOTEIO)
			name_remedy(e, s->r->volumes[i].name);
	}
	return rc == -EREMOTEIO ? -EIO : rc;
}

/* vda1 there, vdb1 here: the decoder has seen that it begins with the disk's name. */
static void result_name(const struct slim_volume *v, const char *disk, char name[160])
{
	snprintf(name, 160, "%s%s", disk, v->name + strcspn(v->name, "0123456789"));
}

/* The result holds the same volumes. (The guest knows its partitions once this is answered.) */
static int verify_volumes(struct slim *s, const char *disk, struct err *e)
{
	struct fs_scan scan;
	size_t i, k;
	int rc = scan_disk(s, disk, &scan, e);

	for (i = 0; i < s->r->nvolumes && !rc; i++) {
		const struct slim_volume *v = &s->r->volumes[i];
		char name[160];

		result_name(v, disk, name);
		for (k = 0; k < scan.nvolumes; k++) {
			const struct fs_volume *f = &scan.volumes[k];

			if (!strcmp(f->path + 5, name) && !strcmp(f->type, v->type) &&
			    !strcmp(f->uuid, v->uuid) && f->bytes == v->bytes)
				break;
		}
		if (k == scan.nvolumes)
			rc = err_set(e, -EIO,
				     "%s (%s) is not in the result as it was; nothing was written",
				     v->name, *v->type ? v->type : "unknown");
	}
	fs_scan_free(&scan);
	return rc;
}

int volumes_verify(struct slim *s, const char *disk, struct err *e)
{
	size_t i;
	int rc = verify_volumes(s, disk, e);

	for (i = 0; i < s->r->nvolumes && !rc; i++) {
		const struct slim_volume *v = &s->r->volumes[i];
		struct slim_volume now = {0};
		char name[160];

		if (!has_files(v))
			continue;
		result_name(v, disk, name);
		slim_step(s, "summing %s in the result", v->name);
		rc = volume_sum(s, v, name, &now, e);
		if (!rc)
			rc = sum_equal(v, &now, v->name, "in the result", e);
	}
	return rc;
}
