// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Records: a JSON file a set, replaced as a whole, so that it is the old or the new one whenever
 *the machine stops. Whoever reads or writes them holds the folder's lock.
 *
 *	{"format": "vbench-changes-1", "id": "20240229-120000-000", "boot": ..., "target": "pid:71",
 *	 "changes": [{"what": "thread", "state": "made", "before": "0-3", "after": "1", ...}, ...]}
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "apply/internal.h"
#include "base/file.h"
#include "base/term.h"

#define FORMAT "vbench-changes-1"
#define SUFFIX ".json"

enum { RECORD_MAX = 32 << 20, TEXT_MAX = 64 << 10, LOCK_TRIES = 600, LOCK_MS = 50 };

static const char *const states[] = {
	[STATE_PLANNED] = "planned", [STATE_MADE] = "made", [STATE_UNDOING] = "undoing"};

/* "20240229-120000-0a1": digits in the places of a date, a time and a count. */
static bool id_sane(const char *id)
{
	static const char form[] = "dddddddd-dddddd-xxx";

	if (strlen(id) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; form[i]; i++) {
		if (form[i] == 'd' ? !isdigit((unsigned char)id[i])
		    : form[i] == 'x'
			    ? !isxdigit((unsigned char)id[i]) || isupper((unsigned char)id[i])
			    : id[i] != form[i])
			return false;
	}
	return true;
}

/*
 * What a killed writer left: a file whose rename never came. The lock is held, so nobody writes one
 * now.
 */
static void sweep(const char *dir)
{
	const struct dirent *d;
	DIR *list = opendir(dir);

	while (list && (d = readdir(list))) {
		char id[20];
		size_t len = strlen(d->d_name);

		/* "20240229-120000-000.json.71.0.tmp" (file_write) */
		snprintf(id, sizeof(id), "%.19s", d->d_name);
		if (id_sane(id) && !strncmp(d->d_name + strlen(id), SUFFIX ".", sizeof(SUFFIX)) &&
		    !strcmp(d->d_name + len - 4, ".tmp"))
			unlinkat(dirfd(list), d->d_name, 0);
	}
	if (list)
		closedir(list);
}

int records_lock(const char *dir, int *out, struct err *e)
{
	char *above = path_folder(dir);
	/* root's folder is QEMU's too, which runs as another user (as run/setup.c makes it) */
	int fd, rc = dir_make(above, geteuid() ? 0700 : 0755, e), folder;
	struct stat st;

	free(above);
	*out = -1;
	if (!rc)
		rc = dir_make(dir, 0700, e);
	if (rc)
		return rc;
	folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* others could put records there, which we would carry out */
	if (folder < 0 || fstat(folder, &st) || st.st_uid != geteuid() || st.st_mode & 022) {
		if (folder >= 0)
			close(folder);
		return err_input(e, "%s: must be a folder of yours that nobody else may write to",
				 dir);
	}
	fd = openat(folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	rc = fd < 0 ? -errno : 0;
	close(folder);
	if (rc)
		return err_set(e, rc, "%s/lock: %s", dir, strerror(-rc));
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB); i++) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || i >= LOCK_TRIES) {
			close(fd);
			return err_set(
				e, -EBUSY,
				"another vbench is making or taking back changes (%s/lock); try "
				"again when it is done",
				dir);
		}
		nanosleep(&(struct timespec){.tv_nsec = LOCK_MS * 1000000l}, NULL);
	}
	sweep(dir);
	*out = fd;
	return 0;
}

void records_unlock(int fd)
{
	if (fd >= 0)
		close(fd);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

size_t records_list(const char *dir, char ***ids)
{
	const struct dirent *d;
	DIR *list = opendir(dir);
	size_t n = 0;

	*ids = NULL;
	while (list && (d = readdir(list))) {
		char *id = xstrdup(d->d_name), *dot = strrchr(id, '.');

		if (dot && !strcmp(dot, SUFFIX)) {
			*dot = '\0';
			if (id_sane(id)) {
				*ids = xrealloc(*ids, n + 1, sizeof(**ids));
				(*ids)[n++] = id;
				continue;
			}
		}
		free(id);
	}
	if (list)
		closedir(list);
	if (n)
		qsort(*ids, n, sizeof(**ids), by_name);
	return n;
}

void records_free(char **ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(ids[i]);
	free(ids);
}

int records_find(const char *dir, const char *id, char out[20], struct err *e)
{
	char **ids;
	size_t n = records_list(dir, &ids), hits = 0, hit = 0;

	for (size_t i = 0; i < n; i++) {
		if (!strncmp(ids[i], id, strlen(id))) {
			hits++;
			hit = i;
		}
	}
	if (hits == 1 || (hits && !*id))
		snprintf(out, 20, "%s", ids[hit]);
	records_free(ids, n);
	if (!n)
		return err_input(e, "%s: there is no record of changes", dir);
	if (!hits)
		return err_input(e, "%.40s: no such record; `vbench apply --list` shows them", id);
	if (hits > 1 && *id)
		return err_input(e, "%.40s: %zu records begin so; say more of it", id, hits);
	return 0;
}

/* Time of now; above all there are, also when the clock went back, since order is by name. */
static void id_make(struct change_set *c)
{
	char **ids, stamp[16] = "20000101-000000";
	size_t n = records_list(c->dir, &ids);
	time_t now = time(NULL);
	unsigned count = 0;
	struct tm tm;

	if (gmtime_r(&now, &tm) && tm.tm_year >= 0 && tm.tm_year < 8000)
		strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm);
	if (n && strncmp(ids[n - 1], stamp, sizeof(stamp) - 1) >= 0) {
		memcpy(stamp, ids[n - 1], sizeof(stamp) - 1);
		count = (unsigned)strtoul(ids[n - 1] + sizeof(stamp), NULL, 16) + 1;
	}
	snprintf(c->id, sizeof(c->id), "%s-%03x", stamp, count & 0xfff);
	records_free(ids, n);
}

static json_t *change_json(const struct change *ch)
{
	const struct change_ops *ops = change_ops_of(ch->what);
	json_t *j = json_object();

	json_object_set_new(j, "what", json_string(ops->word));
	json_object_set_new(j, "state", json_string(states[ch->state]));
	json_object_set_new(j, "before", json_string(ch->before));
	json_object_set_new(j, "after", json_string(ch->after));
	ops->save(ch, j);
	return j;
}

int record_save(struct change_set *c, struct err *e)
{
	json_t *j = json_object(), *list = json_array();
	char *path, *text;
	int rc;

	if (!*c->id)
		id_make(c);
	json_object_set_new(j, "format", json_string(FORMAT));
	json_object_set_new(j, "id", json_string(c->id));
	json_object_set_new(j, "boot", json_string(c->boot));
	json_object_set_new(j, "target", json_string(c->target ? c->target : ""));
	for (size_t i = 0; i < c->n; i++)
		json_array_append_new(list, change_json(&c->list[i]));
	json_object_set_new(j, "changes", list);
	text = json_dumps(j, JSON_INDENT(1));
	json_decref(j);
	path = xasprintf("%s/%s" SUFFIX, c->dir, c->id);
	/* through a new file, fsync, rename, fsync of the folder */
	rc = text ? file_write(path, text, strlen(text), 0600, e)
		  : err_set(e, -EINVAL, "%s: text that is no UTF-8", path);
	free(path);
	free(text);
	return rc;
}

int record_remove(const struct change_set *c, struct err *e)
{
	char *path = xasprintf("%s/%s" SUFFIX, c->dir, c->id);
	int rc = unlink(path) && errno != ENOENT ? -errno : 0, fd;

	if (rc)
		err_set(e, rc, "%s: cannot be removed: %s", path, strerror(-rc));
	free(path);
	/* else a power cut would bring it back; harmless, since values are compared first */
	fd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	return rc;
}

/* The file's text, if it is ours alone: else somebody else says what we do to the machine. */
static int record_text(const char *path, char **out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), rc = 0;
	struct stat st;
	size_t len = 0;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st)) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return err_set(e, rc, "%s: %s", path, strerror(-rc));
	}
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != geteuid() ||
	    st.st_mode & 022 || st.st_size > RECORD_MAX) {
		close(fd);
		return err_input(
			e, "%s: is not a record that vbench wrote (owner, mode, size or links)",
			path);
	}
	*out = xcalloc((size_t)st.st_size + 1, 1);
	while (len < (size_t)st.st_size && (n = read(fd, *out + len, (size_t)st.st_size - len)) > 0)
		len += (size_t)n;
	close(fd);
	(*out)[len] = '\0';
	return 0;
}

static bool text_in(const json_t *j, const char *key, const char **out)
{
	*out = json_string_value(json_object_get(j, key));
	if (!*out || strlen(*out) >= TEXT_MAX)
		return false;
	for (const char *p = *out; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	return true;
}

/* False where anything is out of order: nothing of a record is then carried out. */
static bool change_read(struct change_set *c, const json_t *j)
{
	static const enum change_what kinds[] = {CHANGE_THREAD, CHANGE_MEMORY, CHANGE_DOMAIN,
						 CHANGE_KNOB};
	const char *what, *state, *before, *after;
	struct change *ch;

	if (!text_in(j, "what", &what) || !text_in(j, "state", &state) ||
	    !text_in(j, "before", &before) || !text_in(j, "after", &after))
		return false;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
		if (strcmp(what, change_ops_of(kinds[k])->word))
			continue;
		ch = set_add(c, kinds[k]);
		if (!ch)
			return false;
		ch->before = xstrdup(before);
		ch->after = xstrdup(after);
		for (unsigned s = 0; s < sizeof(states) / sizeof(*states); s++) {
			ch->state = (enum change_state)s;
			if (!strcmp(state, states[s]))
				return change_ops_of(kinds[k])->load(ch, j);
		}
	}
	return false;
}

static bool boot_sane(const char *boot)
{
	return strlen(boot) == 36 && strspn(boot, "0123456789abcdef-") == 36;
}

static int record_parse(const json_t *j, struct change_set *c, const char *path, struct err *e)
{
	const char *format, *id, *boot, *target;
	const json_t *list = json_object_get(j, "changes"), *one;
	size_t i;

	if (!text_in(j, "format", &format) || strcmp(format, FORMAT))
		return err_input(e, "%s: is not a record of this vbench's (format)", path);
	if (!text_in(j, "id", &id) || strcmp(id, c->id) || !text_in(j, "boot", &boot) ||
	    !boot_sane(boot) || !text_in(j, "target", &target) || !json_is_array(list))
		return err_input(e,
				 "%s: was changed by someone: its head is not as vbench writes it; "
				 "nothing of it is carried out",
				 path);
	snprintf(c->boot, sizeof(c->boot), "%s", boot);
	c->target = xstrdup(target);
	json_array_foreach(list, i, one)
	{
		if (!change_read(c, one))
			return err_input(
				e,
				"%s: was changed by someone: change %zu is not one that vbench "
				"makes; nothing of it is carried out",
				path, i + 1);
	}
	return 0;
}

int record_load(const char *dir, const char *id, struct change_set **out, struct err *e)
{
	struct change_set *c = set_new(dir);
	char *path = xasprintf("%s/%s" SUFFIX, dir, id), *text = NULL;
	json_error_t why;
	json_t *j = NULL;
	int rc = record_text(path, &text, e);

	snprintf(c->id, sizeof(c->id), "%s", id);
	if (!rc) {
		j = json_loads(text, JSON_REJECT_DUPLICATES, &why);
		rc = j ? record_parse(j, c, path, e)
		       : err_input(e,
				   "%s: line %d: not JSON (%.100s); nothing of it is carried out",
				   path, why.line, why.text);
	}
	json_decref(j);
	free(text);
	free(path);
	if (rc)
		changes_free(c);
	else
		*out = c;
	return rc;
}
