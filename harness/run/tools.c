// SPDX-License-Identifier: GPL-2.0-or-later
/* Finding, copying and fingerprinting the host's programs. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "guest/assets.h"
#include "run/context.h"

#define PROGRAM_MAX (256ul << 20)

/* Our own, which are copied; the others belong to packages. */
static const char *const own[] = {
	[TOOL_FIO] = "fio", [TOOL_VRING] = "vring.so", [TOOL_VHOST_BLK] = "vbench-vhost-blk"};
#define OWN TOOL_DAEMON /* the first that is not */

static bool serves(const struct cell *c, const char *server)
{
	return cell_uses_vhost(c) && cell_get(c, K_SERVER) &&
	       !strcmp(cell_get(c, K_SERVER), server);
}

static bool nbd_is(const struct cell *c, const char *server)
{
	return cell_uses_nbd(c) && cell_get(c, K_NBD) && !strcmp(cell_get(c, K_NBD), server);
}

static bool needs(const struct cell *c, enum tool t)
{
	switch (t) {
	case TOOL_FIO:
		return cell_on_host(c);
	case TOOL_VRING:
		return cell_uses_vring(c);
	case TOOL_VHOST_BLK:
		return serves(c, "vbench");
	case TOOL_DAEMON:
		return serves(c, "storage-daemon");
	case TOOL_NBD:
		return nbd_is(c, "qemu-nbd");
	case TOOL_NBDKIT:
		return nbd_is(c, "nbdkit");
	case TOOL_IMG:
		return cell_on_host(c) && cell_has_image(c);
	default:
		return false;
	}
}

/* The first cell that needs it. */
static const struct cell *needed_by(const struct run *r, enum tool t)
{
	size_t i;

	for (i = 0; i < r->profile->ncells; i++)
		if (needs(&r->profile->cells[i], t))
			return &r->profile->cells[i];
	return NULL;
}

static char *in_path(const char *name)
{
	char *path = xstrdup(getenv("PATH") ? getenv("PATH") : "/usr/local/bin:/usr/bin:/bin");
	char *dir, *save = NULL, *found = NULL;

	for (dir = strtok_r(path, ":", &save); dir && !found; dir = strtok_r(NULL, ":", &save)) {
		found = xasprintf("%s/%s", dir, name);
		if (access(found, X_OK)) {
			free(found);
			found = NULL;
		}
	}
	free(path);
	return found;
}

static const struct run_qemu *qemu_beside(const struct run *r, const struct cell *c)
{
	const char *qemu = cell_get(c, K_QEMU);
	size_t i;

	for (i = 0; i < r->nqemus; i++)
		if (cell_on_host(c) || (qemu && !strcmp(r->qemus[i].qemu, qemu)))
			return &r->qemus[i];
	return NULL;
}

/* Programs that come with QEMU; a build folder has them where `built` says. */
static const struct companion {
	const char *name, *built, *package, *instead;
} companions[] = {
	[TOOL_DAEMON] = {"qemu-storage-daemon", "storage-daemon/qemu-storage-daemon",
			 "qemu-system-common", "disk.server = vbench"},
	[TOOL_NBD] = {"qemu-nbd", "qemu-nbd", "qemu-utils", "disk.nbd = nbdkit"},
};

/* The companion in the folder of a program; NULL: there is none. */
static char *beside(const char *program, const struct companion *w)
{
	const char *slash = program ? strrchr(program, '/') : NULL;
	char *p;

	if (!slash)
		return NULL;
	p = xasprintf("%.*s/%s", (int)(slash - program), program, w->name);
	if (!access(p, X_OK))
		return p;
	free(p);
	p = xasprintf("%.*s/%s", (int)(slash - program), program, w->built);
	if (!access(p, X_OK))
		return p;
	free(p);
	return NULL;
}

static char *companion_of(const struct run *r, const struct cell *c, enum tool t)
{
	const struct run_qemu *q = qemu_beside(r, c);
	char *p = q ? beside(q->info.path, &companions[t]) : NULL;

	if (!p && q)
		p = beside(q->info.exe, &companions[t]); /* the path may be a link to it */
	if (p || (q && strchr(q->qemu, '/')))
		return p;
	return in_path(companions[t].name);
}

char *tools_daemon(const struct run *r, const struct cell *c)
{
	return companion_of(r, c, TOOL_DAEMON);
}

char *tools_nbd(const struct run *r, const struct cell *c)
{
	return companion_of(r, c, TOOL_NBD);
}

const char *tools_daemon_version(const struct run *r, const char *path)
{
	size_t i;

	for (i = 0; path && i < r->ndaemons; i++)
		if (!strcmp(r->daemons[i].path, path) && r->daemons[i].version[0])
			return r->daemons[i].version;
	return NULL;
}

static int hash_file(const char *path, char hash[65], struct err *e)
{
	SHA2_CTX ctx;
	FILE *f = fopen(path, "re");
	static const size_t CHUNK = 1 << 16;
	uint8_t *buf = xcalloc(1, CHUNK), digest[SHA256_DIGEST_LENGTH];
	size_t n, all = 0, i;
	int rc = f ? 0 : -errno;

	SHA256Init(&ctx);
	while (!rc && (n = fread(buf, 1, CHUNK, f)) > 0) {
		SHA256Update(&ctx, buf, n);
		all += n;
		if (all > PROGRAM_MAX)
			rc = -EFBIG;
	}
	if (!rc && ferror(f))
		rc = -EIO;
	if (f)
		fclose(f);
	free(buf);
	SHA256Final(digest, &ctx);
	for (i = 0; i < sizeof(digest); i++)
		snprintf(hash + 2 * i, 3, "%02x", digest[i]);
	return rc ? err_set(e, rc, "%s: %s", path, strerror(-rc)) : 0;
}

/* Enough to tell builds of a package's program apart; reading it whole would only take time. */
static void stat_hash(const char *path, char hash[65])
{
	struct stat st = {0};

	stat(path, &st);
	snprintf(hash, 65, "%lld-%lld-%llu", (long long)st.st_size, (long long)st.st_mtim.tv_sec,
		 (unsigned long long)st.st_ino);
}

static int find_own(struct run *r, enum tool t, const struct host_assets *a, struct err *e)
{
	const char *const found[] = {
		[TOOL_FIO] = a->fio, [TOOL_VRING] = a->vring, [TOOL_VHOST_BLK] = a->vhost_blk};
	const struct cell *c = needed_by(r, t);
	struct run_tool *tool = &r->tools[t];

	if (!c)
		return 0;
	if (!found[t] && t == TOOL_FIO)
		return err_input(e,
				 "%s: fio for the host is not beside %s; build it with `make fio`",
				 c->label, a->dir);
	if (!found[t])
		return err_input(e, "%s: %s is not in %s; build it with `make engines`", c->label,
				 own[t], a->dir);
	tool->source = xstrdup(found[t]);
	tool->path = xstrdup(found[t]);
	return hash_file(tool->source, tool->hash, e);
}

static int find_packaged(struct run *r, enum tool t, char *found, const char *what, struct err *e)
{
	const struct cell *c = needed_by(r, t);
	struct run_tool *tool = &r->tools[t];

	if (!c) {
		free(found);
		return 0;
	}
	if (!found)
		return err_input(e, "%s: %s", c->label, what);
	tool->source = found;
	tool->path = xstrdup(found);
	stat_hash(found, tool->hash);
	return 0;
}

static int no_companion(const struct run *r, const struct cell *c, enum tool t, struct err *e)
{
	const struct run_qemu *q = qemu_beside(r, c);
	const struct companion *w = &companions[t];

	if (q && strchr(q->qemu, '/'))
		return err_input(
			e,
			"%s: there is no %s beside guest.qemu = %s, and that of another build must "
			"not be measured in its place; build it there (--enable-tools), or use %s",
			c->label, w->name, q->qemu, w->instead);
	return err_input(e, "%s: there is no %s beside QEMU nor in PATH; install %s", c->label,
			 w->name, w->package);
}

/* One for each QEMU whose cells need it. */
static int find_companions(struct run *r, enum tool t, struct err *e)
{
	size_t i, k;

	for (i = 0; i < r->profile->ncells; i++) {
		const struct cell *c = &r->profile->cells[i];
		char *path = needs(c, t) ? companion_of(r, c, t) : NULL;

		if (!needs(c, t))
			continue;
		if (!path)
			return no_companion(r, c, t, e);
		for (k = 0; k < r->ndaemons && strcmp(r->daemons[k].path, path); k++)
			;
		if (k < r->ndaemons) {
			free(path);
			continue;
		}
		r->daemons = xrealloc(r->daemons, r->ndaemons + 1, sizeof(*r->daemons));
		r->daemons[r->ndaemons] =
			(struct run_daemon){.name = companions[t].name, .path = path};
		stat_hash(path, r->daemons[r->ndaemons++].hash);
	}
	return 0;
}

/* On the host a fill goes to the image itself (run/trial.c), by a path that fio must take as one.
 */
static int check_fills(const struct run *r, struct err *e)
{
	const struct profile *p = r->profile;
	size_t i, w;

	for (i = 0; i < p->ncells; i++)
		for (w = 0; w < p->nworkloads; w++) {
			const struct cell *c = &p->cells[i];
			const char *format = cell_get(c, K_FORMAT), *dir = cell_get(c, K_DIR);

			if (!cell_on_host(c) || !workload_fills(&p->workloads[w], c))
				continue;
			if (format && strcmp(format, "raw"))
				return err_input(e,
						 "%s: precondition = fill on the host needs "
						 "disk.format = raw",
						 c->label);
			if (strpbrk(dir && strcmp(dir, "auto") ? dir : r->data, ":\\"))
				return err_input(
					e,
					"%s: precondition = fill on the host: fio cannot take "
					"a path with \":\" or \"\\\" in it; use another disk.dir",
					c->label);
		}
	return 0;
}

int tools_setup(struct run *r, struct err *e)
{
	struct host_assets a;
	enum tool t;
	int rc = check_fills(r, e);

	assets_host(&a);
	for (t = 0; t < OWN && !rc; t++)
		rc = find_own(r, t, &a, e);
	assets_host_free(&a);
	if (!rc)
		rc = find_companions(r, TOOL_DAEMON, e);
	if (!rc)
		rc = find_companions(r, TOOL_NBD, e);
	if (!rc)
		rc = find_packaged(r, TOOL_NBDKIT, in_path("nbdkit"),
				   "there is no nbdkit in PATH; install nbdkit, or use "
				   "disk.nbd = qemu-nbd",
				   e);
	if (!rc)
		rc = find_packaged(r, TOOL_IMG,
				   r->nqemus ? xstrdup(r->qemus[0].info.img) : in_path("qemu-img"),
				   "there is no qemu-img in PATH; install qemu-utils", e);
	return rc;
}

/* fio takes an engine's path up to a "," (options) or ":" (a list). */
static int check_engine_path(const char *path, struct err *e)
{
	if (!path || !strpbrk(path, ",:"))
		return 0;
	return err_input(
		e,
		"the data folder's path (%s) holds \",\" or \":\", which fio cannot take in "
		"an engine's; set XDG_DATA_HOME to another",
		path);
}

/* Each in a folder of its own, so that its name stays what people (and asked/got) know it by. */
static int copy(struct run *r, struct run_tool *tool, const char *dir, const char *name,
		struct err *e)
{
	char *home = xasprintf("%s/%.16s", dir, tool->hash);
	char *to = xasprintf("%s/%s", home, name), *tmp;
	char hash[65];
	int rc = 0;

	free(tool->path);
	tool->path = to;
	if (path_exists(to)) {
		free(home);
		return 0;
	}
	tmp = xasprintf("%s/%s.%d.tmp", dir, name, (int)getpid());
	if (r->journal)
		rc = journal_path(r->journal, tmp, e);
	if (!rc)
		rc = dir_make(home, 0755, e);
	if (!rc)
		rc = file_copy(tool->source, tmp, 0755, e);
	/* it may be built anew at this very moment */
	if (!rc)
		rc = hash_file(tmp, hash, e);
	if (!rc && strcmp(hash, tool->hash))
		rc = err_set(e, -EAGAIN, "%s changed while it was copied; begin again",
			     tool->source);
	if (!rc && (chmod(tmp, 0755) || rename(tmp, to)))
		rc = err_set(e, -errno, "%s: %s", to, strerror(errno));
	if (rc)
		unlink(tmp);
	if (r->journal)
		journal_done_path(r->journal, tmp);
	free(tmp);
	free(home);
	return rc;
}

/* Whether it is an earlier build of something that this run has a copy of. What this profile does
 * not need stays for the next one that does. */
static bool outdated(const struct run *r, int dir, const char *name)
{
	enum tool t;

	for (t = 0; t < OWN; t++) {
		char *path = xasprintf("%s/%s", name, own[t]);
		bool holds = !faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW);

		free(path);
		if (holds)
			return r->tools[t].source && strncmp(r->tools[t].hash, name, 16);
	}
	return true; /* nothing of ours: half of a copy */
}

/* Copies of earlier builds: only we, who hold the host's lock, may be using any. */
static void prune(const struct run *r, const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *x;

	while (d && (x = readdir(d)))
		if (x->d_name[0] != '.' && outdated(r, dirfd(d), x->d_name))
			dir_remove_at(dirfd(d), x->d_name, NULL);
	if (d)
		closedir(d);
}

/* "qemu-storage-daemon version 7.2.22 (Debian ...)", "qemu-nbd 7.2.22 (Debian ...)": what a probe
 * of its effects is judged by. One that does not tell serves all the same. */
static void ask_daemon(const struct run *r, struct run_daemon *d)
{
	const char *argv[] = {d->path, "--version", NULL};
	const char *at;
	char *out = NULL;

	if (!child_run(argv, &r->user, 20000, &out, NULL) && out) {
		at = out + strcspn(out, " \n");
		at += strspn(at, " ");
		if (!strncmp(at, "version ", 8))
			at += 8;
		snprintf(d->version, sizeof(d->version), "%.*s", (int)strspn(at, "0123456789."),
			 at);
	}
	free(out);
}

/* QEMU's user runs fio, and fio loads the engine: what is wrong there is said once, not per trial.
 */
static int try_fio(struct run *r, struct err *e)
{
	const char *fio = r->tools[TOOL_FIO].path, *vring = r->tools[TOOL_VRING].path;
	char *help = vring ? xasprintf("--enghelp=%s", vring) : NULL, *out = NULL;
	const char *version[] = {fio, "--version", NULL}, *enghelp[] = {fio, help, NULL};
	int rc = fio ? child_run(version, &r->user, 20000, &out, e) : 0;

	if (rc)
		err_prefix(e, "the host's fio cannot be run as its user (is the data folder on a "
			      "file system that allows programs?)");
	if (out)
		snprintf(r->fio_version, sizeof(r->fio_version), "%.*s", (int)strcspn(out, "\n"),
			 out);
	free(out);
	if (!rc && help) {
		rc = child_run(enghelp, &r->user, 20000, NULL, e);
		if (rc)
			err_prefix(e, "fio cannot load the engine (was it built for this fio? try "
				      "`make engines` again)");
	}
	free(help);
	return rc;
}

/* A plugin that is not installed is said once, not in each trial. */
static int try_plugins(struct run *r, struct err *e)
{
	const char *nbdkit = r->tools[TOOL_NBDKIT].path;
	size_t i;
	int rc = 0;

	for (i = 0; nbdkit && i < r->profile->ncells && !rc; i++) {
		const struct cell *c = &r->profile->cells[i];
		const char *words = cell_get(c, K_NBDKIT);
		char *plugin;

		/* behind its filters */
		while (words && strchr("- \t", *words) && *words)
			words += *words == '-' ? strcspn(words, " \t") : strspn(words, " \t");
		plugin = needs(c, TOOL_NBDKIT) && words
				 ? xasprintf("%.*s", (int)strcspn(words, " \t"), words)
				 : NULL;
		const char *argv[] = {nbdkit, "--dump-plugin", plugin, NULL};

		struct err why = {0};

		if (plugin && child_run(argv, &r->user, 20000, NULL, &why))
			rc = err_input(e, "%s: nbdkit cannot load its plugin %s: %.1000s", c->label,
				       plugin, why.text);
		free(plugin);
	}
	return rc;
}

int tools_prepare(struct run *r, struct err *e)
{
	char *dir = xasprintf("%s/host", r->data);
	bool any = false;
	enum tool t;
	size_t i;
	int rc = 0;

	for (t = 0; t < OWN; t++)
		any |= r->tools[t].source != NULL;
	if (any)
		rc = dir_make(dir, 0755, e);
	for (t = 0; t < OWN && !rc; t++)
		if (r->tools[t].source)
			rc = copy(r, &r->tools[t], dir, own[t], e);
	if (!rc)
		rc = check_engine_path(r->tools[TOOL_VRING].path, e);
	if (!rc)
		rc = try_fio(r, e);
	for (i = 0; i < r->ndaemons && !rc; i++)
		ask_daemon(r, &r->daemons[i]);
	if (!rc)
		rc = try_plugins(r, e);
	if (!rc && any)
		prune(r, dir);
	free(dir);
	return rc;
}

void tools_fingerprint(const struct run *r, FILE *f)
{
	static const char *const names[OWN] = {
		[TOOL_FIO] = "host fio",
		[TOOL_VRING] = "vring",
		[TOOL_VHOST_BLK] = "vbench-vhost-blk",
	};
	enum tool t;
	size_t i;

	for (t = 0; t < OWN; t++)
		if (r->tools[t].source)
			fprintf(f, "%s %s\n", names[t], r->tools[t].hash);
	for (i = 0; i < r->ndaemons; i++)
		fprintf(f, "%s %s %s\n", r->daemons[i].name, r->daemons[i].path,
			r->daemons[i].hash);
	if (r->tools[TOOL_NBDKIT].source)
		fprintf(f, "nbdkit %s %s\n", r->tools[TOOL_NBDKIT].path,
			r->tools[TOOL_NBDKIT].hash);
}

void tools_free(struct run *r)
{
	enum tool t;
	size_t i;

	for (t = 0; t < TOOL_COUNT; t++) {
		free(r->tools[t].source);
		free(r->tools[t].path);
	}
	for (i = 0; i < r->ndaemons; i++)
		free(r->daemons[i].path);
	free(r->daemons);
}
