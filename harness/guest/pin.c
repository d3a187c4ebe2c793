/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Affinity of a guest's threads and the place of its memory: sched_setaffinity(2), /proc. */
#include "guest/pin.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/ids.h"
#include "guest/vm.h"

static void list_add(char ***list, size_t *n, char *owned)
{
	*list = xrealloc(*list, *n + 1, sizeof(**list));
	(*list)[(*n)++] = owned;
}

static void list_free(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void pin_free(struct pin *p)
{
	list_free(p->vcpu, p->nvcpu);
	list_free(p->iothread, p->niothread);
	free(p->emulator);
	free(p->server);
	free(p->nodes);
	*p = (struct pin){0};
}

/* One part of the text: each CPU an entry of its own, or (join) all of them in one. */
static bool parse_part(const char **s, bool join, char ***list, size_t *n)
{
	char *all = xstrdup("");
	unsigned from, to;

	for (;; (*s)++) {
		if (!ids_range(s, &from, &to)) {
			free(all);
			return false;
		}
		for (unsigned c = from; c <= to && !join; c++)
			list_add(list, n, xasprintf("%u", c));
		if (join) {
			char *more =
				from == to ? xasprintf("%s%s%u", all, *all ? "," : "", from)
					   : xasprintf("%s%s%u-%u", all, *all ? "," : "", from, to);

			free(all);
			all = more;
		}
		if (**s != '+')
			break;
	}
	/* as the kernel writes it, which is what it is compared with: "1+0+2-3" is 0-3 */
	if (join)
		list_add(list, n, pin_nodes(all));
	free(all);
	return true;
}

const char *pin_parse(const char *text, struct pin *out)
{
	static const char wrong[] =
		"must be none, plan, or VCPUS[/IOTHREADS[/EMULATOR]] with CPUs such as 4-7/2+3/0-1";
	struct pin p = {0};
	char **rest = NULL;
	size_t nrest = 0;
	bool ok = parse_part(&text, false, &p.vcpu, &p.nvcpu);

	if (ok && *text == '/')
		ok = (text++, parse_part(&text, false, &p.iothread, &p.niothread));
	if (ok && *text == '/')
		ok = (text++, parse_part(&text, true, &rest, &nrest));
	if (nrest)
		p.emulator = rest[0];
	free(rest);
	ok = ok && !*text;
	if (ok && out)
		*out = p;
	else
		pin_free(&p);
	return ok ? NULL : wrong;
}

static void text_class(FILE *f, const char *name, char *const *list, size_t n, size_t threads)
{
	if (!n || !threads)
		return;
	fprintf(f, "%s%s", ftell(f) > 0 ? ", " : "", name);
	for (size_t i = 0; i < threads; i++)
		fprintf(f, " %s", list[i % n]);
}

char *pin_text(const struct pin *p, size_t nvcpu, size_t niothread)
{
	char *out = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);

	if (!f)
		return xstrdup("");
	text_class(f, "vcpus", p->vcpu, p->nvcpu, nvcpu);
	fflush(f);
	text_class(f, "iothreads", p->iothread, p->niothread, niothread);
	fflush(f);
	if (p->emulator)
		fprintf(f, "%semulator %s", len ? ", " : "", p->emulator);
	fflush(f);
	if (p->server)
		fprintf(f, "%sserver %s", len ? ", " : "", p->server);
	fclose(f);
	return out;
}

char *pin_nodes(const char *text)
{
	char *commas = xstrdup(text), *out;

	for (char *p = commas; *p; p++)
		if (*p == '+')
			*p = ',';
	out = ids_canonical(commas);
	free(commas);
	return out;
}

char *pin_iothreads(const struct pin *p)
{
	char *all = p->niothread ? xstrdup(p->iothread[0]) : NULL, *out;

	for (size_t i = 1; i < p->niothread; i++) {
		char *more = xasprintf("%s,%s", all, p->iothread[i]);

		free(all);
		all = more;
	}
	out = ids_canonical(all);
	free(all);
	return out;
}

static int pin_one(int tid, const char *list, const char *who, struct err *e)
{
	struct ids set;
	int rc = 0;

	if (!ids_parse(list, &set))
		rc = err_set(e, -EINVAL, "guest.pin: \"%s\" is no CPU list", list);
	else if (sched_setaffinity(tid, sizeof(set), (cpu_set_t *)set.w) < 0 && errno != ESRCH)
		rc = errno == EINVAL
			     ? err_set(e, -EINVAL,
				       "guest.pin: this host has no CPU of %s to run %s on, or a cpuset "
				       "keeps it from us",
				       list, who)
			     : err_set(e, -errno, "guest.pin: %s cannot be put on CPU %s: %s", who,
				       list, strerror(errno));
	return rc;
}

static bool is_one_of(int tid, const int *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == tid)
			return true;
	return false;
}

static bool is_rest(int tid, const struct vm_threads *t)
{
	return !is_one_of(tid, t->vcpu, t->nvcpu) && !is_one_of(tid, t->iothread, t->niothread);
}

/* All threads of a process but vCPUs and iothreads; n of them, caller frees. */
static int *rest_threads(pid_t pid, const struct vm_threads *t, size_t *n)
{
	char path[64];
	struct dirent *d;
	int *list = NULL;
	DIR *dir;

	*n = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		int tid = atoi(d->d_name);

		if (tid <= 0 || !is_rest(tid, t))
			continue;
		list = xrealloc(list, *n + 1, sizeof(*list));
		list[(*n)++] = tid;
	}
	if (dir)
		closedir(dir);
	return list;
}

/* All threads of a process that are neither of t. */
static int pin_rest(pid_t pid, const struct vm_threads *t, const char *list, const char *who,
		    struct err *e)
{
	size_t n;
	int rc = 0, *tids = rest_threads(pid, t, &n);

	for (size_t i = 0; !rc && i < n; i++)
		rc = pin_one(tids[i], list, who, e);
	free(tids);
	return rc;
}

int pin_threads(pid_t pid, const struct vm_threads *t, const struct pin *p, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; !rc && p->nvcpu && i < t->nvcpu; i++)
		rc = pin_one(t->vcpu[i], p->vcpu[i % p->nvcpu], "a vCPU", e);
	for (size_t i = 0; !rc && p->niothread && i < t->niothread; i++)
		rc = pin_one(t->iothread[i], p->iothread[i % p->niothread], "an iothread", e);
	if (!rc && p->emulator)
		rc = pin_rest(pid, t, p->emulator, "QEMU's other threads", e);
	return rc;
}

int pin_process(pid_t pid, const char *list, const char *who, struct err *e)
{
	const struct vm_threads none = {0};
	int rc = 0;

	/* the second pass finds what an unpinned thread made during the first */
	for (int pass = 0; !rc && pass < 2; pass++)
		rc = pin_rest(pid, &none, list, who, e);
	return rc;
}

/* Cpus_allowed_list of /proc/PID/task/TID/status: new string or null. */
static json_t *allowed(pid_t pid, int tid)
{
	char path[64], *text, *at, *end;
	json_t *out = json_null();

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)pid, tid);
	if (file_read(path, 65536, &text, NULL))
		return out;
	at = strstr(text, "Cpus_allowed_list:");
	if (at) {
		at += strlen("Cpus_allowed_list:");
		at += strspn(at, " \t");
		end = strchrnul(at, '\n');
		out = json_stringn(at, (size_t)(end - at));
	}
	free(text);
	return out ? out : json_null();
}

static json_t *allowed_each(pid_t pid, const int *tids, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, allowed(pid, tids[i]));
	return list;
}

static void add_distinct(json_t *list, json_t *value)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_equal(json_array_get(list, i), value)) {
			json_decref(value);
			return;
		}
	json_array_append_new(list, value);
}

/* Each distinct affinity of the threads that are neither of t. */
static json_t *allowed_rest(pid_t pid, const struct vm_threads *t)
{
	json_t *out = json_array();
	size_t n;
	int *tids = rest_threads(pid, t, &n);

	for (size_t i = 0; i < n; i++)
		add_distinct(out, allowed(pid, tids[i]));
	free(tids);
	return out;
}

json_t *pin_process_evidence(pid_t pid)
{
	return allowed_rest(pid, &(struct vm_threads){0});
}

json_t *pin_evidence(pid_t pid, const struct vm_threads *t)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "vcpu", allowed_each(pid, t->vcpu, t->nvcpu),
			 "iothread", allowed_each(pid, t->iothread, t->niothread), "emulator",
			 allowed_rest(pid, t), "own", allowed(getpid(), (int)gettid()));
}

/* One line of numa_maps: "ADDRESS POLICY key=value ...". Pages of each node are "N0=123". */
struct mapping {
	char policy[64];
	uint64_t page, bytes;
	json_t *nodes;
};

static void mapping_read(const char *line, size_t len, struct mapping *m)
{
	char *copy = strndup(line, len), *save, *word;
	uint64_t pages[64] = {0};

	*m = (struct mapping){.page = 4096};
	word = copy ? strtok_r(copy, " ", &save) : NULL;
	word = word ? strtok_r(NULL, " ", &save) : NULL;
	snprintf(m->policy, sizeof(m->policy), "%s", word ? word : "");
	while (word && (word = strtok_r(NULL, " ", &save))) {
		unsigned node;
		uint64_t n;

		/* Linux 5.15: "prefer (many):0-1"; its nodes matter, not that there may be several
		 */
		if (!strncmp(word, "(many)", 6)) {
			size_t used = strlen(m->policy);

			snprintf(m->policy + used, sizeof(m->policy) - used, "%s", word + 6);
			continue;
		}
		if (sscanf(word, "N%u=%" SCNu64, &node, &n) == 2 && node < 64)
			pages[node] = n;
		else if (sscanf(word, "kernelpagesize_kB=%" SCNu64, &n) == 1 && n < 1u << 30)
			m->page = n << 10;
	}
	free(copy);
	m->nodes = json_object();
	for (unsigned i = 0; i < 64; i++) {
		char name[8];

		snprintf(name, sizeof(name), "%u", i);
		if (pages[i] && pages[i] < UINT64_MAX / m->page) {
			json_object_set_new(m->nodes, name,
					    json_integer((json_int_t)(pages[i] * m->page)));
			m->bytes += pages[i] * m->page;
		}
	}
}

json_t *pin_memory(pid_t pid)
{
	char path[64], *text;
	json_t *out;

	snprintf(path, sizeof(path), "/proc/%d/numa_maps", (int)pid);
	if (file_read(path, 8u << 20, &text, NULL))
		return json_null();
	out = pin_memory_text(text);
	free(text);
	return out;
}

json_t *pin_memory_text(const char *text)
{
	struct mapping best = {0}, m;
	json_t *out;

	for (const char *p = text; *p;) {
		const char *end = strchrnul(p, '\n');

		mapping_read(p, (size_t)(end - p), &m);
		if (m.bytes > best.bytes) {
			json_decref(best.nodes);
			best = m;
		} else {
			json_decref(m.nodes);
		}
		p = *end ? end + 1 : end;
	}
	if (!best.nodes)
		return json_null();
	out = json_pack("{s:I, s:o, s:s}", "page", (json_int_t)best.page, "nodes", best.nodes,
			"policy", best.policy);
	return out ? out : json_null();
}
