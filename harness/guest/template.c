// SPDX-License-Identifier: GPL-2.0-or-later
/* Saving and restoring go through file descriptors: `exec:` dies under the sandbox, `file:` needs
 * QEMU 8.2. */
#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/term.h"
#include "guest/agent_decode.h"
#include "guest/template.h"

#define MS 1000000ull
#define SAVE_MS 120000
#define RESTORE_MS 120000
#define HELLO_MS 20000
#define ANSWER_MS 60000 /* of QMP: while it loads or saves hundreds of devices, QEMU does not hear */

void machine_hash(const struct machine *m, char out[17])
{
	char *key = machine_key(m), hex[SHA256_DIGEST_STRING_LENGTH];

	SHA256Data((const uint8_t *)key, strlen(key), hex);
	snprintf(out, 17, "%.16s", hex);
	free(key);
}

/* After a restore the guest's clock is the template's and its entropy pool everybody's: the first
 * message mends both. */
static int vm_hello(struct vm *v, struct err *e)
{
	unsigned char seed[32];
	char hex[65];
	size_t i;
	int rc;

	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return err_set(e, -errno, "getrandom: %s", strerror(errno));
	for (i = 0; i < sizeof(seed); i++)
		snprintf(hex + 2 * i, 3, "%02x", seed[i]);
	rc = vm_ask(v, WIRE_HELLO,
		    json_pack("{s:I, s:s}", "time_ns", (json_int_t)clock_real_ns(), "entropy", hex),
		    site_patience(v->boot_ns, HELLO_MS), NULL, e);
	return rc ? err_prefix(e, "hello to the guest's agent") : 0;
}

static int vm_ready(struct vm *v, int boot_ms, struct err *e)
{
	uint64_t deadline = clock_mono_ns() + (uint64_t)boot_ms * MS;
	struct agent_msg msg;
	int rc;

	for (;;) {
		bool ready;

		rc = vm_next(v, deadline, &msg, e);
		if (rc)
			break;
		ready = msg.type == WIRE_READY;
		if (ready) {
			rc = agent_decode_version(msg.body, e);
			if (rc)
				v->cause = CAUSE_AGENT;
		}
		agent_msg_free(&msg);
		if (ready)
			return rc;
	}
	if (rc == -ETIMEDOUT) {
		char *tail;

		sink_drain(&v->console);
		tail = sink_tail(&v->console, 500);
		v->cause = CAUSE_GUEST;
		err_set(e, rc, "the guest was not up in %d s%s%s", boot_ms / 1000,
			*tail ? "; its console ends: " : "", tail);
		free(tail);
	}
	return rc;
}

int vm_boot(struct vm *v, const struct vm_env *env, const struct machine *m, const char *folder,
	    int boot_ms, struct err *e)
{
	uint64_t t0 = clock_mono_ns();
	int rc = vm_start(v, env, m, -1, folder, e);

	if (rc)
		return rc;
	rc = vm_ready(v, boot_ms, e);
	v->boot_ns = clock_mono_ns() - t0;
	if (!rc)
		rc = vm_hello(v, e);
	if (rc)
		vm_end(v, false);
	return rc;
}

static int vm_save(struct vm *v, int fd, struct err *e)
{
	uint64_t deadline = clock_mono_ns() + SAVE_MS * MS;
	int rc = vm_qmp(v, "stop", NULL, NULL, ANSWER_MS, e);

	/* the default of 128 MiB/s would make the save the slowest part of a block */
	if (!rc)
		rc = vm_qmp(v, "migrate-set-parameters",
			    json_pack("{s:I}", "max-bandwidth", (json_int_t)(1ll << 40)), NULL,
			    ANSWER_MS, e);
	if (!rc)
		rc = qmp_call(&v->qmp, "getfd", json_pack("{s:s}", "fdname", "state"), fd, deadline,
			      NULL, e);
	if (!rc)
		rc = vm_qmp(v, "migrate", json_pack("{s:s}", "uri", "fd:state"), NULL, ANSWER_MS, e);
	while (!rc) {
		json_t *r = NULL;
		const char *st;

		rc = vm_qmp(v, "query-migrate", NULL, &r, ANSWER_MS, e);
		if (rc)
			break;
		st = json_string_value(json_object_get(r, "status"));
		if (st && !strcmp(st, "completed")) {
			json_decref(r);
			return 0;
		}
		if (st && (!strcmp(st, "failed") || !strcmp(st, "cancelled"))) {
			const char *why = json_string_value(json_object_get(r, "error-desc"));

			rc = err_set(e, -EIO, "saving the template failed: %s",
				     why ? why : "QEMU gives no reason; is the disk full?");
			v->cause = CAUSE_QEMU;
		}
		json_decref(r);
		if (!rc && clock_mono_ns() > deadline) {
			v->cause = CAUSE_TIMEOUT;
			rc = err_set(e, -ETIMEDOUT, "saving the template took more than %d s",
				     SAVE_MS / 1000);
		}
		if (!rc)
			rc = vm_idle(v, 5, e);
	}
	return rc;
}

int template_make(const struct vm_env *env, const struct machine *m, unsigned block,
		  const char *folder, int boot_ms, struct template *out, struct err *e)
{
	uint64_t t0 = clock_mono_ns(), t1;
	struct err why = {0};
	unsigned nonce = 0;
	struct stat st;
	struct vm v;
	int fd = -1, rc;

	*out = (struct template){0};
	if (getrandom(&nonce, sizeof(nonce), 0) < 0)
		nonce = (unsigned)t0;
	machine_hash(m, out->machine);
	snprintf(out->id, sizeof(out->id), "b%02u-%.8s-%08x", block, out->machine, nonce);
	out->path = xasprintf("%s/%s.state", folder, out->id);
	rc = dir_make(folder, 0755, &why);
	if (rc) {
		out->cause = CAUSE_PLAN;
		goto out;
	}
	fd = open(out->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		out->cause = CAUSE_PLAN;
		rc = err_set(&why, -errno, "%s: %s", out->path, strerror(errno));
		goto out;
	}
	rc = vm_start(&v, env, m, -1, folder, &why);
	if (!rc) {
		rc = vm_ready(&v, boot_ms, &why);
		t1 = clock_mono_ns();
		out->boot_ns = t1 - t0;
		if (!rc)
			rc = vm_save(&v, fd, &why);
		out->save_ns = clock_mono_ns() - t1;
		vm_end(&v, false);
	}
	out->cause = rc ? v.cause : CAUSE_NONE;
	if (!rc && !fstat(fd, &st))
		out->bytes = (uint64_t)st.st_size;
out:
	if (fd >= 0)
		close(fd);
	out->rc = rc;
	if (rc) {
		out->why = xstrdup(why.text);
		err_set(e, rc, "%s", why.text);
	}
	return rc;
}

void template_drop(struct template *t)
{
	if (t->path)
		unlink(t->path);
	free(t->path);
	free(t->why);
	*t = (struct template){0};
}

/* `cont` sent while the state is still coming in is lost, and the guest stays paused for ever: wait
 * first. */
static int vm_resume(struct vm *v, struct err *e)
{
	uint64_t deadline = clock_mono_ns() + RESTORE_MS * MS;
	int rc;

	for (;;) {
		json_t *r = NULL;
		const char *st;
		bool in, running;

		rc = vm_qmp(v, "query-status", NULL, &r, ANSWER_MS, e);
		if (rc)
			return rc;
		st = json_string_value(json_object_get(r, "status"));
		in = st && !strcmp(st, "inmigrate");
		running = st && !strcmp(st, "running");
		json_decref(r);
		if (running)
			return 0;
		if (!in)
			return vm_qmp(v, "cont", NULL, NULL, ANSWER_MS, e);
		if (clock_mono_ns() > deadline) {
			v->cause = CAUSE_TIMEOUT;
			return err_set(e, -ETIMEDOUT, "restoring the template took more than %d s",
				       RESTORE_MS / 1000);
		}
		rc = vm_idle(v, 2, e);
		if (rc)
			return rc;
	}
}

int template_restore(struct vm *v, const struct vm_env *env, const struct machine *m,
		     const struct template *t, const char *folder, struct err *e)
{
	int fd, rc;

	*v = (struct vm){
		.env = env, .child = {.pidfd = -1}, .qmp = {.fd = -1}, .cause = CAUSE_PLAN};
	fd = open(t->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, -errno, "%s: %s", t->path, strerror(errno));
	rc = vm_start(v, env, m, fd, folder, e);
	close(fd);
	if (rc)
		return rc;
	v->boot_ns = t->boot_ns;
	rc = vm_resume(v, e);
	if (!rc)
		rc = vm_hello(v, e);
	if (rc)
		vm_end(v, false);
	return rc;
}
