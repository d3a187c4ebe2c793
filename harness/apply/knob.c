// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host-wide settings: files of /sys and /proc named by a table. Records and command lines name rows
 * of it and, where a row has many files, an instance; a path never comes from outside.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "apply/internal.h"
#include "base/file.h"
#include "base/units.h"

/* A * is what stands behind the name's colon; for the governor, each there is. */
const struct knob knobs[] = {
	{"governor", "/sys/devices/system/cpu/cpufreq/*/scaling_governor",
	 "performance,powersave,schedutil,ondemand,conservative,userspace", "CPU-12",
	 "frequency governor of all CPUs"},
	{"thp", "/sys/kernel/mm/transparent_hugepage/enabled", "always,madvise,never", "MEM-03",
	 "transparent huge pages"},
	{"thp-defrag", "/sys/kernel/mm/transparent_hugepage/defrag",
	 "always,defer,defer+madvise,madvise,never", "MEM-03",
	 "how hard a page fault tries for a transparent huge page"},
	{"ksm", "/sys/kernel/mm/ksm/run", "0,1,2", "MEM-04",
	 "merging of equal pages: 0 stops, 1 runs, 2 stops and unmerges"},
	{"ksm-pages-to-scan", "/sys/kernel/mm/ksm/pages_to_scan", NULL, "MEM-04",
	 "pages that KSM looks at each time it wakes up"},
	{"halt-poll-ns", "/sys/module/kvm/parameters/halt_poll_ns", NULL, "CPU-14",
	 "how long KVM polls when a vCPU halts"},
	{"scheduler", "/sys/block/*/queue/scheduler", "none,mq-deadline,kyber,bfq", "BLK-23",
	 "I/O scheduler of a disk: scheduler:nvme0n1"},
	{"nr-hugepages", "/proc/sys/vm/nr_hugepages", NULL, "MEM-01",
	 "huge pages of the default size; nr-hugepages:2M, nr-hugepages:1G, nr-hugepages:2M:node1"},
	{"numa-balancing", "/proc/sys/kernel/numa_balancing", "0,1,2,3", "NUMA-06",
	 "automatic NUMA balancing"},
	{"swappiness", "/proc/sys/vm/swappiness", NULL, "MEM-12",
	 "how readily memory is swapped out: 0 to 200"},
};
const size_t nknobs = sizeof(knobs) / sizeof(*knobs);

enum { VALUE_MAX = 4096, INSTANCE_MAX = 64 };

const struct knob *knob_find(const char *name)
{
	for (size_t i = 0; i < nknobs; i++)
		if (!strcmp(knobs[i].name, name))
			return &knobs[i];
	return NULL;
}

/* A word of the list, or a number that a long holds. */
bool knob_takes(const struct knob *k, const char *value)
{
	size_t len = strlen(value);
	const char *p = k->values;

	if (!p)
		return len && len <= 10 && strspn(value, "0123456789") == len;
	for (; len && *p; p += strcspn(p, ","), p += *p == ',')
		if (strcspn(p, ",") == len && !memcmp(p, value, len))
			return true;
	return false;
}

/* A file name as the kernel gives to devices and policies: nothing that leaves the folder. */
static bool instance_sane(const char *s)
{
	size_t n = 0;

	for (; s[n]; n++)
		if (!isalnum((unsigned char)s[n]) && !strchr("!._:-", s[n]))
			return false;
	return n && n < INSTANCE_MAX && *s != '.';
}

/* "2M", "1G", "2M:node1" or "node1" -> a file of that size, of all nodes or one. */
static char *hugepages_path(const char *instance)
{
	char size[INSTANCE_MAX] = "2M", *cut;
	const char *node = NULL;
	uint64_t bytes;

	if (!strncmp(instance, "node", 4)) {
		node = instance;
	} else {
		snprintf(size, sizeof(size), "%s", instance);
		cut = strchr(size, ':');
		if (cut) {
			*cut = '\0';
			node = strchr(instance, ':') + 1;
		}
	}
	if (node && (strncmp(node, "node", 4) || !node[4] || strlen(node) > 8 ||
		     node[4 + strspn(node + 4, "0123456789")]))
		return NULL;
	if (units_size(size, &bytes) || bytes < 4096)
		return NULL;
	return node ? xasprintf(
			      "/sys/devices/system/node/%s/hugepages/hugepages-%llukB/nr_hugepages",
			      node, (unsigned long long)bytes >> 10)
		    : xasprintf("/sys/kernel/mm/hugepages/hugepages-%llukB/nr_hugepages",
				(unsigned long long)bytes >> 10);
}

/* Caller frees; NULL: no such instance can be. */
static char *knob_path(const struct knob *k, const char *instance)
{
	const char *star = strchr(k->path, '*');

	if (instance && !instance_sane(instance))
		return NULL;
	if (!strcmp(k->name, "nr-hugepages") && instance)
		return hugepages_path(instance);
	if (!star != !instance)
		return NULL;
	return star ? xasprintf("%.*s%s%s", (int)(star - k->path), k->path, instance, star + 1)
		    : xstrdup(k->path);
}

static char *change_path(const struct change *c)
{
	return knob_path(c->knob, c->role);
}

/* Text of a file, "always [madvise] never" as "madvise". */
static int value_read(const char *path, char **out)
{
	char *text, *open, *close_;
	int rc = file_read(path, VALUE_MAX, &text, NULL);

	if (rc)
		return rc;
	text[strcspn(text, "\n")] = '\0';
	open = strchr(text, '[');
	close_ = open ? strchr(open, ']') : NULL;
	if (close_) {
		*close_ = '\0';
		*out = xstrdup(open + 1);
	} else {
		while (*text && isspace((unsigned char)text[strlen(text) - 1]))
			text[strlen(text) - 1] = '\0';
		*out = xstrdup(text);
	}
	free(text);
	return 0;
}

static int knob_get(const struct change *c, char **value, struct err *e)
{
	char *path = change_path(c);
	int rc = path ? value_read(path, value) : -EINVAL;

	if (rc == -ENOENT || rc == -ENODEV || rc == -ENXIO)
		rc = err_set(e, -ESRCH, "%s: there is none such on this machine", path);
	else if (rc)
		err_set(e, rc, "%s: %s", path ? path : c->knob->name, strerror(-rc));
	free(path);
	return rc;
}

static int knob_set(const struct change *c, const char *value, struct err *e)
{
	char *path = change_path(c);
	int fd, rc = 0;

	if (!path)
		return err_set(e, -EINVAL, "%s: no such instance", c->knob->name);
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0)
		rc = -errno;
	else if (write(fd, value, strlen(value)) < 0)
		rc = -errno;
	if (fd >= 0)
		close(fd);
	if (rc == -ENOENT || rc == -ENODEV)
		rc = err_set(e, -ESRCH, "%s: there is none such on this machine", path);
	else if (rc)
		err_set(e, rc, "%s: \"%s\" cannot be written: %s%s", path, value, strerror(-rc),
			rc == -EACCES || rc == -EPERM ? "; be root"
			: rc == -EINVAL		      ? ": the kernel does not take it"
						      : "");
	free(path);
	return rc;
}

static bool knob_same(const struct change *c, const char *now, const char *want)
{
	(void)c;
	return !strcmp(now, want);
}

/* Huge pages: as many as there is unbroken memory for. */
static bool knob_partly(const struct change *c, const char *now)
{
	unsigned long long is = strtoull(now, NULL, 10), from = strtoull(c->before, NULL, 10),
			   to = strtoull(c->after, NULL, 10);

	return !strcmp(c->knob->name, "nr-hugepages") &&
	       (from < to ? is > from && is < to : is > to && is < from);
}

static void knob_save(const struct change *c, json_t *out)
{
	json_object_set_new(out, "knob", json_string(c->knob->name));
	json_object_set_new(out, "instance", c->role ? json_string(c->role) : json_null());
}

/* before was read from the kernel: where a word that the table lacks stood (a governor or scheduler
 * of a later kernel), a word of that kind is fine too. */
static bool value_sane(const struct knob *k, const char *value)
{
	size_t n = 0;

	if (!k->values)
		return knob_takes(k, value);
	for (; value[n]; n++)
		if (!isalnum((unsigned char)value[n]) && !strchr("_+-", value[n]))
			return false;
	return n && n < INSTANCE_MAX;
}

static bool knob_load(struct change *c, const json_t *in)
{
	const char *name = json_string_value(json_object_get(in, "knob"));
	const json_t *instance = json_object_get(in, "instance");
	char *path = NULL;

	c->knob = name ? knob_find(name) : NULL;
	if (!c->knob || !instance || (!json_is_null(instance) && !json_is_string(instance)))
		return false;
	c->role = xstrdup(json_string_value(instance));
	path = change_path(c);
	free(path);
	return path && value_sane(c->knob, c->before) && knob_takes(c->knob, c->after);
}

const struct change_ops knob_ops = {
	.word = "knob",
	.get = knob_get,
	.set = knob_set,
	.same = knob_same,
	.partly = knob_partly,
	.save = knob_save,
	.load = knob_load,
};

/* One file of a knob, whose value before is read now. */
static int knob_add(struct change_set *c, const struct knob *k, const char *instance,
		    const char *value, struct err *e)
{
	struct change *ch = set_add(c, CHANGE_KNOB);
	int rc;

	if (!ch)
		return err_set(e, -E2BIG, "too many changes at once");
	ch->knob = k;
	ch->role = xstrdup(instance);
	ch->after = xstrdup(value);
	rc = knob_get(ch, &ch->before, e);
	if (!rc && !value_sane(k, ch->before))
		rc = err_set(e, -EINVAL, "%s stands at \"%.40s\", which could not be restored",
			     k->name, ch->before);
	if (rc) {
		change_clear(ch);
		c->n--;
	}
	return rc;
}

/* Every file that the pattern of a knob names. */
static int knob_add_all(struct change_set *c, const struct knob *k, const char *value,
			struct err *e)
{
	const char *star = strchr(k->path, '*');
	glob_t g = {0};
	int rc = 0;

	if (glob(k->path, 0, NULL, &g) || !g.gl_pathc)
		rc = err_set(e, -ENOENT, "%s: this machine has no %s", k->name, k->path);
	for (size_t i = 0; !rc && i < g.gl_pathc; i++) {
		char *instance = xstrdup(g.gl_pathv[i] + (star - k->path));

		instance[strcspn(instance, "/")] = '\0';
		rc = knob_add(c, k, instance, value, e);
		free(instance);
	}
	globfree(&g);
	return rc;
}

static int knob_unknown(const char *name, struct err *e)
{
	char *all = xstrdup("");
	int rc;

	for (size_t i = 0; i < nknobs; i++) {
		char *more = xasprintf("%s%s%s", all, i ? ", " : "", knobs[i].name);

		free(all);
		all = more;
	}
	rc = err_input(e, "%.80s: no such setting; there are %s", name, all);
	free(all);
	return rc;
}

/* Row and instance of a name such as "scheduler:sda"; instance NULL: none said. */
static int knob_split(const char *name, const struct knob **k, const char **instance, struct err *e)
{
	size_t len = strcspn(name, ":");
	char *word = xasprintf("%.*s", (int)len, name), *path;

	*k = knob_find(word);
	free(word);
	if (!*k)
		return knob_unknown(name, e);
	*instance = name[len] ? name + len + 1 : NULL;
	if (!*instance && !strcmp((*k)->name, "governor"))
		return 0;
	path = knob_path(*k, *instance);
	free(path);
	if (!path)
		return err_input(e, "%.80s: %s; %s", name,
				 *instance ? "there is no such one" : "say of which", (*k)->help);
	return 0;
}

int changes_add_knob(struct change_set *c, const char *name, const char *value, struct err *e)
{
	const char *instance;
	const struct knob *k;
	int rc = knob_split(name, &k, &instance, e);

	if (rc)
		return rc;
	if (!c->target)
		c->target = xstrdup("host");
	if (!knob_takes(k, value))
		return err_input(e, "%s: \"%.80s\" is not a value; it takes %s", name, value,
				 k->values ? k->values : "a number");
	if (!instance && strchr(k->path, '*'))
		return knob_add_all(c, k, value, e);
	rc = knob_add(c, k, instance, value, e);
	if (rc == -ESRCH) {
		rc = -ENOENT;
		if (e) {
			e->rc = rc;
			e->status = VB_BAD_INPUT; /* what the user named is not there */
		}
	}
	return rc;
}

/* Adds a word to a list of words with blanks between, unless it is there. */
static void word_add(char **list, const char *word)
{
	size_t len = strlen(word);
	char *more;

	for (const char *p = *list; p && *p; p += strcspn(p, " "), p += *p == ' ')
		if (strcspn(p, " ") == len && !memcmp(p, word, len))
			return;
	more = *list ? xasprintf("%s %s", *list, word) : xstrdup(word);
	free(*list);
	*list = more;
}

int changes_knob_read(const char *name, char **value, struct err *e)
{
	const char *instance;
	const struct knob *k;
	int rc = knob_split(name, &k, &instance, e);
	char *path, *one;
	glob_t g = {0};

	*value = NULL;
	if (rc)
		return rc;
	path = !instance && strchr(k->path, '*') ? xstrdup(k->path) : knob_path(k, instance);
	/* a path without a pattern in it gives itself, if it is there */
	if (glob(path, 0, NULL, &g) || !g.gl_pathc)
		rc = -ENOENT;
	for (size_t i = 0; !rc && i < g.gl_pathc; i++) {
		rc = value_read(g.gl_pathv[i], &one);
		if (!rc) {
			word_add(value, one);
			free(one);
		}
	}
	globfree(&g);
	if (rc) {
		free(*value);
		*value = NULL;
		rc = rc == -ENODEV || rc == -ENXIO ? -ENOENT : rc;
		err_set(e, rc, "%s: %s: %s", name, path, strerror(-rc));
	}
	free(path);
	return rc;
}
