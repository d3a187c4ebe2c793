/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine's topology and settings in memory: taken here, or read back from a file. */
#include "host/snapshot.h"
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <hwloc.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "host/gather.h"
#include "host/host.h"

struct snapshot {
	bool live;
	char *name, *xml, *cpuid;
	hwloc_topology_t topology;
	json_t *facts;
	struct host_files files;
};

void snapshot_free(struct snapshot *s)
{
	if (!s)
		return;
	if (s->topology)
		hwloc_topology_destroy(s->topology);
	json_decref(s->facts);
	host_files_free(&s->files);
	free(s->name);
	free(s->xml);
	free(s->cpuid);
	free(s);
}

/* The same for a snapshot of this machine and for one from a file, so that both give one answer. */
static int load_topology(struct snapshot *s, struct err *e)
{
	const char *odd = s->live ? NULL : host_topology_odd(s->xml);
	int rc = 0;

	if (odd)
		return err_input(e, "%s: \"hwloc\" %s; save it anew with `vbench host --save FILE`",
				 s->name, odd);
	if (!s->live)
		rc = host_topology_try(s->xml);
	if (rc == 0)
		rc = host_topology_load(s->xml, &s->topology);
	if (rc == -EINVAL)
		return err_input(
			e,
			"%s: \"hwloc\" is no topology that hwloc reads; save it anew with `vbench "
			"host --save FILE`",
			s->name);
	if (rc < 0)
		return err_set(e, rc, "%s: its topology cannot be read: %s", s->name,
			       strerror(-rc));
	return 0;
}

/* host_facts is for a store of one's own; this is made to be sent. */
static void clean_facts(json_t *facts)
{
	const char *said = json_string_value(json_object_get(facts, "cmdline"));
	char *text;

	/* which machine it is, and since when it runs */
	json_object_del(facts, "host_id");
	json_object_del(facts, "boot_id");
	if (!said)
		return;
	text = xstrdup(said);
	host_cmdline_clean(text);
	json_object_set_new(facts, "cmdline", json_string(text));
	free(text);
}

int snapshot_take(struct snapshot **out, struct err *e)
{
	struct snapshot *s = xcalloc(1, sizeof(*s));
	int rc;

	s->live = true;
	s->name = xstrdup("this host");
	s->xml = host_topology_xml(e);
	rc = s->xml ? load_topology(s, e) : -EIO;
	if (rc < 0) {
		snapshot_free(s);
		return rc;
	}
	s->cpuid = host_cpuid_dump();
	host_files_gather(&s->files, snapshot_patterns);
	host_services(&s->files);
	*out = s;
	return 0;
}

/* A string member, or NULL where it is null or absent; *bad when it is anything else. */
static const char *member(const json_t *doc, const char *key, bool *bad)
{
	const json_t *v = json_object_get(doc, key);

	if (v && !json_is_null(v) && !json_is_string(v))
		*bad = true;
	return json_string_value(v);
}

static int from_json(struct snapshot *s, const json_t *doc, struct err *e)
{
	const char *xml, *cpuid, *key;
	json_t *files = json_object_get(doc, "files"), *facts = json_object_get(doc, "facts"), *v;
	bool bad = false;

	if (!json_is_object(doc) || json_integer_value(json_object_get(doc, "format")) != 1)
		return err_input(
			e,
			"%s: not a snapshot of a machine (\"format\": 1); `vbench host --save FILE` "
			"makes one",
			s->name);
	xml = member(doc, "hwloc", &bad);
	cpuid = member(doc, "libcpuid", &bad);
	if (!xml || bad || (files && !json_is_object(files)) || (facts && !json_is_object(facts)))
		return err_input(
			e,
			"%s: \"hwloc\" and \"libcpuid\" must be texts, \"files\" and \"facts\" objects; "
			"save it anew with `vbench host --save FILE`",
			s->name);
	s->xml = xstrdup(xml);
	s->cpuid = xstrdup(cpuid);
	s->facts = facts ? json_deep_copy(facts) : json_object();
	json_object_foreach(files, key, v)
	{
		if (!json_is_string(v))
			return err_input(e, "%s: files: %.100s: must be a text", s->name, key);
		host_files_add(&s->files, key, json_string_value(v));
	}
	host_files_sort(&s->files);
	return load_topology(s, e);
}

int snapshot_parse(const char *text, size_t len, const char *name, struct snapshot **out,
		   struct err *e)
{
	json_error_t je;
	json_t *doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
	struct snapshot *s;
	int rc;

	if (!doc)
		return err_input(e,
				 "%s:%d: %s; a snapshot is what `vbench host --save FILE` writes",
				 name, je.line, je.text);
	s = xcalloc(1, sizeof(*s));
	s->name = xstrdup(name);
	rc = from_json(s, doc, e);
	json_decref(doc);
	if (rc < 0)
		snapshot_free(s);
	else
		*out = s;
	return rc;
}

int snapshot_load(const char *file, struct snapshot **out, struct err *e)
{
	char *text;
	size_t len;
	int rc = file_read(file, SNAPSHOT_MAX, &text, &len);

	if (rc < 0)
		return err_input(e, "%s: %s", file,
				 rc == -EFBIG ? "larger than any snapshot of a machine"
					      : strerror(-rc));
	rc = snapshot_parse(text, len, file, out, e);
	free(text);
	return rc;
}

int snapshot_save(const struct snapshot *s, const char *file, struct err *e)
{
	json_t *files = json_object(), *doc;
	char *text;
	int fd, rc = 0;

	for (size_t i = 0; i < s->files.n; i++)
		json_object_set_new(files, s->files.list[i].path,
				    json_string(s->files.list[i].text));
	doc = json_pack("{s:i, s:s?, s:O, s:o}", "format", 1, "libcpuid", s->cpuid, "facts",
			(json_t *)snapshot_facts(s), "files", files);
	json_object_set_new(doc, "hwloc", json_string(s->xml));
	text = json_dumps(doc, JSON_INDENT(1) | JSON_SORT_KEYS);
	json_decref(doc);
	if (!text)
		return err_set(e, -ENOMEM, "%s: no memory", file);
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0) {
		rc = -errno;
		err_input(e, "%s: %s", file,
			  rc == -EEXIST ? "there already; remove it first, or name another file"
					: strerror(-rc));
	} else {
		rc = file_put(fd, text, strlen(text));
		if (rc == 0)
			rc = file_put(fd, "\n", 1);
		if (close(fd) < 0 && rc == 0)
			rc = -errno;
		if (rc < 0) {
			unlink(file);
			err_set(e, rc, "%s: %s", file, strerror(-rc));
		}
	}
	free(text);
	return rc;
}

bool snapshot_is_live(const struct snapshot *s)
{
	return s->live;
}

const char *snapshot_name(const struct snapshot *s)
{
	return s->name;
}

struct hwloc_topology *snapshot_topology(const struct snapshot *s)
{
	return s->topology;
}

const char *snapshot_xml(const struct snapshot *s)
{
	return s->xml;
}

/* Of this machine only when somebody asks: they start programs (QEMU, fio) to hear their versions.
 */
const json_t *snapshot_facts(const struct snapshot *s)
{
	static const char *const no_dirs[] = {NULL};
	struct snapshot *own = (struct snapshot *)s;

	if (!s->facts) {
		own->facts = host_facts(NULL, no_dirs);
		clean_facts(own->facts);
	}
	return s->facts;
}

const char *snapshot_cpuid(const struct snapshot *s)
{
	return s->cpuid;
}

/* The path that fmt makes, into a buffer of that name. */
#define PATH(name, fmt)                                  \
	char name[512];                                  \
	do {                                             \
		va_list ap_;                             \
		va_start(ap_, fmt);                      \
		vsnprintf(name, sizeof(name), fmt, ap_); \
		va_end(ap_);                             \
	} while (0)

const char *snapshot_file(const struct snapshot *s, const char *fmt, ...)
{
	PATH(path, fmt);
	return host_files_find(&s->files, path);
}

bool snapshot_chosen(const struct snapshot *s, char *buf, size_t size, const char *fmt, ...)
{
	const char *text, *open, *close;

	PATH(path, fmt);
	text = host_files_find(&s->files, path);
	if (!text)
		return false;
	open = strchr(text, '[');
	close = open ? strchr(open, ']') : NULL;
	if (close)
		snprintf(buf, size, "%.*s", (int)(close - open - 1), open + 1);
	else
		snprintf(buf, size, "%s", text);
	return true;
}

bool snapshot_number(const struct snapshot *s, long long *out, const char *fmt, ...)
{
	const char *text;
	long long n;
	char *end;

	PATH(path, fmt);
	text = host_files_find(&s->files, path);
	if (!text)
		return false;
	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno || end == text || *end)
		return false;
	*out = n;
	return true;
}

void snapshot_each(const struct snapshot *s, const char *pattern,
		   void (*told)(const char *path, const char *text, void *arg), void *arg)
{
	for (size_t i = 0; i < s->files.n; i++)
		if (fnmatch(pattern, s->files.list[i].path, FNM_PATHNAME) == 0)
			told(s->files.list[i].path, s->files.list[i].text, arg);
}
