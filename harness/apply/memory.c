// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * On which nodes a process's memory lies, from /proc/PID/numa_maps (proc(5), numa(7)).
 *
 * Own memory is what the process has written to: guest RAM, heap, stacks. Programs and libraries
 * are shared with everyone else on the machine and stay where they are.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "apply/internal.h"
#include "base/child.h"
#include "base/file.h"
#include "base/units.h"

enum { MAPS_MAX = 64 << 20 };

/* Start and end of each mapping, ascending as /proc/PID/maps has them. */
struct ranges {
	uint64_t (*list)[2];
	size_t n;
};

static int ranges_read(pid_t pid, struct ranges *out)
{
	char path[64], *text, *p;
	size_t room = 0;
	int rc;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	rc = file_read(path, MAPS_MAX, &text, NULL);
	for (p = rc ? NULL : text; p && *p; p += strcspn(p, "\n"), p += *p == '\n') {
		char *end;
		uint64_t from = strtoull(p, &end, 16),
			 to = *end == '-' ? strtoull(end + 1, NULL, 16) : 0;

		if (to <= from)
			continue;
		if (out->n == room) {
			room = room ? room * 2 : 256;
			out->list = xrealloc(out->list, room, sizeof(*out->list));
		}
		out->list[out->n][0] = from;
		out->list[out->n++][1] = to;
	}
	if (!rc)
		free(text);
	return rc;
}

static uint64_t ranges_end(const struct ranges *r, uint64_t start)
{
	size_t lo = 0, hi = r->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (r->list[mid][0] < start)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < r->n && r->list[lo][0] == start ? r->list[lo][1] : 0;
}

/* "key=123" -> 123; false: another word. */
static bool word_number(const char *word, const char *key, uint64_t *out)
{
	size_t len = strlen(key);

	if (strncmp(word, key, len) || word[len] != '=' || !isdigit((unsigned char)word[len + 1]))
		return false;
	*out = strtoull(word + len + 1, NULL, 10);
	return true;
}

/*
 * One line: "7f00 bind:0 file=/memfd:ram\040(deleted) huge dirty=4 N0=4 kernelpagesize_kB=2048".
 * Counts are in pages of the size at its end. Blanks in names are escaped, so no name makes a word.
 * False: not own memory, or none present.
 */
static bool mapping_parse(char *line, struct mapping *m)
{
	char *save = NULL, *word = strtok_r(line, " ", &save);
	uint64_t n, kib = 0;
	bool own = true, written = false;

	memset(m, 0, sizeof(*m));
	m->start = word ? strtoull(word, NULL, 16) : 0;
	m->policy = strtok_r(NULL, " ", &save);
	if (!m->policy)
		return false;
	while ((word = strtok_r(NULL, " ", &save))) {
		/* "prefer (many):0-1", "weighted interleave:0-1": what stands behind is the list */
		if (!strncmp(word, "(many)", 6) || !strncmp(word, "interleave:", 11))
			m->policy = word;
		else if (!strncmp(word, "file=", 5))
			own = false;
		else if (!strcmp(word, "huge"))
			written = true;
		else if (word_number(word, "anon", &n) || word_number(word, "dirty", &n))
			written |= n > 0;
		else if (word_number(word, "kernelpagesize_kB", &n))
			kib = n;
		else if (*word == 'N' && isdigit((unsigned char)word[1])) {
			char *end;
			unsigned long node = strtoul(word + 1, &end, 10);

			if (*end == '=' && node < NODES_MAX)
				m->node[node] = strtoull(end + 1, NULL, 10);
		}
	}
	if ((!own && !written) || !kib || kib > 1ull << 32)
		return false;
	m->page = kib << 10;
	for (unsigned i = 0; i < NODES_MAX; i++) {
		if (m->node[i] > UINT64_MAX / m->page / NODES_MAX)
			return false;
		m->node[i] *= m->page;
		m->bytes += m->node[i];
	}
	return m->bytes > 0;
}

int memory_each(pid_t pid, int (*fn)(const struct mapping *m, void *arg), void *arg, struct err *e)
{
	struct ranges r = {0};
	char path[64], *text = NULL, *p, *next;
	struct mapping *m;
	int rc;

	snprintf(path, sizeof(path), "/proc/%d/numa_maps", (int)pid);
	rc = ranges_read(pid, &r);
	if (!rc)
		rc = file_read(path, MAPS_MAX, &text, NULL);
	if (rc) {
		free(r.list);
		if (!child_start_time(pid))
			return err_set(e, -ESRCH, "process %d: it has ended", (int)pid);
		return err_set(e, rc, "%s: %s%s", path, strerror(-rc),
			       rc == -ENOENT   ? ": this kernel is built without NUMA"
			       : rc == -EACCES ? "; be the process's user, or root"
					       : "");
	}
	m = xcalloc(1, sizeof(*m));
	for (p = text; !rc && *p; p = next) {
		next = p + strcspn(p, "\n");
		if (*next)
			*next++ = '\0';
		if (!mapping_parse(p, m))
			continue;
		m->end = ranges_end(&r, m->start);
		rc = fn(m, arg);
	}
	free(m);
	free(text);
	free(r.list);
	return rc;
}

/* Whether a policy ("bind:0", "prefer:1", "interleave:0-1", "default", "local") names other nodes.
 */
static bool policy_elsewhere(const char *policy, const struct ids *nodes)
{
	const char *list = strrchr(policy, ':');
	struct ids set;

	if (!nodes || !list || !ids_parse(list + 1, &set))
		return false;
	for (unsigned i = 0; i < NODES_MAX; i++)
		if (ids_has(&set, i) && !ids_has(nodes, i))
			return true;
	return false;
}

struct sum {
	struct memory *m;
	const struct ids *nodes;
	uint64_t largest;
};

static int sum_one(const struct mapping *map, void *arg)
{
	struct sum *s = arg;

	for (unsigned i = 0; i < NODES_MAX; i++)
		s->m->node[i] += map->node[i];
	s->m->total += map->bytes;
	if (policy_elsewhere(map->policy, s->nodes))
		s->m->elsewhere += map->bytes;
	if (map->bytes > s->largest) {
		s->largest = map->bytes;
		s->m->page = map->page;
	}
	return 0;
}

int memory_read(pid_t pid, const struct ids *nodes, struct memory *out, struct err *e)
{
	struct sum s = {.m = out, .nodes = nodes};

	memset(out, 0, sizeof(*out));
	return memory_each(pid, sum_one, &s, e);
}

/*
 * Values of a memory change: before, and what is read, "0=1048576,1=0" (bytes by node); after, the
 * nodes as a list ("0-1").
 */
static char *amounts_text(const struct memory *m)
{
	char *out = xstrdup("");

	for (unsigned i = 0; i < NODES_MAX; i++) {
		char *more;

		if (!m->node[i])
			continue;
		more = xasprintf("%s%s%u=%" PRIu64, out, *out ? "," : "", i, m->node[i]);
		free(out);
		out = more;
	}
	return out;
}

/* False: no such text, or nothing in it. */
static bool amounts_parse(const char *text, struct memory *out)
{
	memset(out, 0, sizeof(*out));
	while (text && isdigit((unsigned char)*text)) {
		char *end;
		unsigned long node = strtoul(text, &end, 10);
		uint64_t bytes;

		if (*end != '=' || !isdigit((unsigned char)end[1]) || node >= NODES_MAX ||
		    out->node[node])
			return false;
		bytes = strtoull(end + 1, &end, 10);
		if (!bytes || bytes > 1ull << 60 || out->total > 1ull << 60)
			return false;
		out->node[node] = bytes;
		out->total += bytes;
		if (!*end)
			return true;
		if (*end != ',')
			return false;
		text = end + 1;
	}
	return false;
}

/* What may lie elsewhere without anybody's doing: 1 %, at least 1 MiB (pages shared with others, or
 * locked by a device, do not move). */
static uint64_t slack(uint64_t total)
{
	return total / 100 > 1 << 20 ? total / 100 : 1 << 20;
}

static uint64_t outside(const struct memory *m, const struct ids *nodes)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < NODES_MAX; i++)
		if (!ids_has(nodes, i))
			n += m->node[i];
	return n;
}

static int memory_gone(const struct change *c, struct err *e)
{
	return err_set(e, -ESRCH, "process %d: it has ended", (int)c->pid);
}

static int memory_get(const struct change *c, char **value, struct err *e)
{
	struct memory *m = xcalloc(1, sizeof(*m));
	int rc = child_start_time(c->pid) == c->start ? memory_read(c->pid, NULL, m, e)
						      : memory_gone(c, e);

	if (!rc && child_start_time(c->pid) != c->start)
		rc = memory_gone(c, e);
	if (!rc)
		*value = amounts_text(m);
	free(m);
	return rc;
}

/* The shares that a move to nodes leads to: what lies there stays, the rest is dealt out evenly. */
static void deal(struct memory *m, const struct ids *nodes)
{
	uint64_t rest = outside(m, nodes), each;
	unsigned n = 0;

	for (unsigned i = 0; i < NODES_MAX; i++)
		n += ids_has(nodes, i);
	each = n ? rest / n : 0;
	for (unsigned i = 0; i < NODES_MAX; i++) {
		if (!ids_has(nodes, i)) {
			m->node[i] = 0;
		} else {
			m->node[i] += n == 1 ? rest : each;
			rest -= each;
			n--;
		}
	}
}

static int memory_set(const struct change *c, const char *value, struct err *e)
{
	struct memory *want = xcalloc(1, sizeof(*want));
	struct ids nodes;
	int rc = 0;

	if (child_start_time(c->pid) != c->start) {
		rc = memory_gone(c, e);
	} else if (!amounts_parse(value, want)) {
		rc = ids_parse(value, &nodes)
			     ? memory_read(c->pid, NULL, want, e)
			     : err_set(e, -EINVAL, "\"%.80s\" is no list of nodes", value);
		if (!rc)
			deal(want, &nodes);
	}
	if (!rc && want->total)
		rc = memory_move(c->pid, want->node, c->stop, e);
	free(want);
	return rc;
}

static bool memory_same(const struct change *c, const char *now, const char *want)
{
	struct memory *a = xcalloc(2, sizeof(*a)), *b = a + 1;
	struct ids nodes;
	bool same = true;

	(void)c;
	if (!amounts_parse(now, a)) {
		same = !*now; /* a process without memory of its own is wherever one likes */
	} else if (!amounts_parse(want, b)) {
		same = ids_parse(want, &nodes) && outside(a, &nodes) <= slack(a->total);
	} else {
		/* by shares: the process may have grown */
		for (unsigned i = 0; i < NODES_MAX; i++) {
			double is = (double)a->node[i],
			       was = (double)b->node[i] * (double)a->total / (double)b->total;

			if (is - was > 2 * (double)slack(a->total) ||
			    was - is > 2 * (double)slack(a->total))
				same = false;
		}
	}
	free(a);
	return same;
}

/* A move goes page by page. */
static bool memory_partly(const struct change *c, const char *now)
{
	(void)c;
	(void)now;
	return true;
}

static void memory_save(const struct change *c, json_t *out)
{
	json_object_set_new(out, "pid", json_integer(c->pid));
	json_object_set_new(out, "start", json_integer((json_int_t)c->start));
	json_object_set_new(out, "page", json_integer((json_int_t)c->page));
}

static bool memory_load(struct change *c, const json_t *in)
{
	const json_t *pid = json_object_get(in, "pid"), *start = json_object_get(in, "start"),
		     *page = json_object_get(in, "page");
	struct memory *m = xcalloc(1, sizeof(*m));
	struct ids nodes;
	bool ok = json_is_integer(pid) && json_integer_value(pid) > 1 &&
		  json_integer_value(pid) <= INT32_MAX && json_is_integer(start) &&
		  json_integer_value(start) > 0 && json_is_integer(page) &&
		  json_integer_value(page) >= 0 && (amounts_parse(c->before, m) || !*c->before) &&
		  ids_parse(c->after, &nodes);

	free(m);
	c->pid = (pid_t)json_integer_value(pid);
	c->start = (uint64_t)json_integer_value(start);
	c->page = (uint64_t)json_integer_value(page);
	return ok;
}

const struct change_ops memory_ops = {
	.word = "memory",
	.get = memory_get,
	.set = memory_set,
	.same = memory_same,
	.partly = memory_partly,
	.save = memory_save,
	.load = memory_load,
};
