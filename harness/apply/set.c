// SPDX-License-Identifier: GPL-2.0-or-later
/* Sets of changes: made up from a plan, said, freed. Nothing is touched here. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "apply/internal.h"
#include "base/child.h"
#include "base/file.h"
#include "base/units.h"

const struct change_ops *change_ops_of(enum change_what what)
{
	switch (what) {
	case CHANGE_THREAD:
		return &thread_ops;
	case CHANGE_MEMORY:
		return &memory_ops;
	case CHANGE_DOMAIN:
		return &domain_ops;
	case CHANGE_KNOB:
		return &knob_ops;
	}
	return NULL;
}

struct change_set *set_new(const char *dir)
{
	struct change_set *c = xcalloc(1, sizeof(*c));

	c->dir = xstrdup(dir);
	c->stop = -1;
	if (file_line("/proc/sys/kernel/random/boot_id", c->boot, sizeof(c->boot)))
		snprintf(c->boot, sizeof(c->boot), "00000000-0000-0000-0000-000000000000");
	return c;
}

int changes_new(const char *dir, struct change_set **out, struct err *e)
{
	(void)e;
	*out = set_new(dir);
	return 0;
}

void change_clear(struct change *ch)
{
	free(ch->before);
	free(ch->after);
	free(ch->role);
	free(ch->uri);
	free(ch->uuid);
	free(ch->name);
	memset(ch, 0, sizeof(*ch));
}

void changes_free(struct change_set *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++)
		change_clear(&c->list[i]);
	for (size_t i = 0; i < c->nnotes; i++)
		free(c->notes[i]);
	free(c->list);
	free(c->notes);
	free(c->dir);
	free(c->qmp);
	free(c->target);
	free(c);
}

void changes_set_qmp(struct change_set *c, const char *socket)
{
	free(c->qmp);
	c->qmp = xstrdup(socket);
}

void changes_set_stop(struct change_set *c, int fd)
{
	c->stop = fd;
}

struct change *set_add(struct change_set *c, enum change_what what)
{
	struct change *ch;

	if (c->n >= CHANGES_MAX)
		return NULL;
	c->list = xrealloc(c->list, c->n + 1, sizeof(*c->list));
	ch = &c->list[c->n++];
	memset(ch, 0, sizeof(*ch));
	ch->what = what;
	return ch;
}

void set_note(struct change_set *c, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->notes = xrealloc(c->notes, c->nnotes + 1, sizeof(*c->notes));
	c->notes[c->nnotes++] = xstrdup(text);
}

/* "vcpu 0" as people write it. */
static char *role_name(const char *role)
{
	if (!strncmp(role, "vcpu ", 5))
		return xasprintf("vCPU %s", role + 5);
	if (!strcmp(role, "numatune"))
		return xstrdup("memory");
	return xstrdup(role);
}

char *change_name(const struct change *c)
{
	char *role, *name = NULL;

	switch (c->what) {
	case CHANGE_THREAD:
		role = role_name(c->role);
		name = xasprintf("%s, thread %d of process %d", role, (int)c->tid, (int)c->pid);
		free(role);
		break;
	case CHANGE_MEMORY:
		name = xasprintf("memory of process %d", (int)c->pid);
		break;
	case CHANGE_DOMAIN:
		role = role_name(c->role);
		name = xasprintf("%s of domain %s", role, c->name);
		free(role);
		break;
	case CHANGE_KNOB:
		name = xasprintf("%s%s%s", c->knob->name, c->role ? ":" : "",
				 c->role ? c->role : "");
		break;
	}
	return name;
}

/* "0=1048576,1=4096" -> "1 MiB on node 0, 4 KiB on node 1" */
static char *amounts_say(const char *value)
{
	char *out = xstrdup(*value ? "" : "nowhere");
	char size[32];

	while (*value) {
		char *end, *more;
		unsigned long node = strtoul(value, &end, 10);
		uint64_t bytes = *end == '=' ? strtoull(end + 1, &end, 10) : 0;

		more = xasprintf("%s%s%s on node %lu", out, *out ? ", " : "",
				 units_size_text(bytes, size, sizeof(size)), node);
		free(out);
		out = more;
		value = *end ? end + 1 : end;
	}
	return out;
}

char *change_value(const struct change *c, const char *value)
{
	if (c->what == CHANGE_KNOB)
		return xstrdup(value);
	if (c->what == CHANGE_MEMORY && (!*value || strchr(value, '=')))
		return amounts_say(value);
	if (c->what == CHANGE_MEMORY || !strcmp(c->role, "numatune"))
		return !*value ? xstrdup("any node")
			       : xasprintf("node%s %s", strpbrk(value, ",-") ? "s" : "", value);
	return xasprintf("CPU%s %s", strpbrk(value, ",-") ? "s" : "", value);
}

void changes_print(const struct change_set *c, FILE *out)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct change *ch = &c->list[i];
		char *name = change_name(ch), *from = change_value(ch, ch->before),
		     *to = change_value(ch, ch->after);

		if (change_ops_of(ch->what)->same(ch, ch->before, ch->after))
			fprintf(out, "%s: %s, as it is\n", name, to);
		else
			fprintf(out, "%s: %s -> %s\n", name, from, to);
		free(name);
		free(from);
		free(to);
	}
	for (size_t i = 0; i < c->nnotes; i++)
		fprintf(out, "note: %s\n", c->notes[i]);
}

/* --- a running QEMU --- */

struct roles {
	pid_t *vcpu, *iothread;
	unsigned vcpus, iothreads; /* found */
	bool tcg_shared;
};

/* By the names that QEMU gives with -name ...,debug-threads=on: "CPU 0/KVM", "IO NAME". */
static void roles_by_name(const struct thread *list, size_t n, const struct placed_guest *g,
			  struct roles *r)
{
	for (size_t i = 0; i < n; i++) {
		unsigned at;
		char slash;

		if (sscanf(list[i].name, "CPU %u%c", &at, &slash) == 2 && slash == '/') {
			if (at < g->vcpus && !r->vcpu[at])
				r->vcpu[at] = list[i].tid;
			r->vcpus++;
		} else if (!strncmp(list[i].name, "ALL CPUs", 8)) {
			r->tcg_shared = true;
		} else if (!strncmp(list[i].name, "IO ", 3) &&
			   strcmp(list[i].name,
				  "IO mon_iothread")) { /* the monitor's is no disk's */
			if (r->iothreads < g->iothreads)
				r->iothread[r->iothreads] = list[i].tid;
			r->iothreads++;
		}
	}
}

static int roles_check(const struct roles *r, pid_t pid, const struct placed_guest *g,
		       struct err *e)
{
	if (r->tcg_shared)
		return err_input(
			e,
			"process %d: one thread runs all its vCPUs (-accel tcg,thread=single); "
			"they cannot be pinned one by one",
			(int)pid);
	if (!r->vcpus)
		return err_input(
			e,
			"process %d: no threads named \"CPU 0/KVM\" and so on, as QEMU names them "
			"with -name ...,debug-threads=on; give --qmp SOCKET, or name a QEMU",
			(int)pid);
	if (r->vcpus != g->vcpus)
		return err_input(e, "process %d has %u vCPUs, the plan %u: it is another machine's",
				 (int)pid, r->vcpus, g->vcpus);
	if (r->iothreads != g->iothreads)
		return err_input(
			e, "process %d has %u iothreads, the plan %u: it is another machine's",
			(int)pid, r->iothreads, g->iothreads);
	return 0;
}

int plan_cpus(const char *cpus, const char *role, char **out, struct err *e)
{
	struct ids set, there, online;

	if (!ids_parse(cpus, &set))
		return err_input(e, "the plan has no CPUs for %s", role);
	there = set;
	if (ids_file("/sys/devices/system/cpu/online", &online))
		ids_and(&there, &online);
	if (!ids_equal(&there, &set))
		return err_input(
			e, "the plan wants CPUs %.80s for %s; not all of them are online here",
			cpus, role);
	*out = ids_text(&set);
	return 0;
}

static int thread_add(struct change_set *c, pid_t pid, uint64_t start, const struct thread *t,
		      char *role, const char *cpus, struct err *e)
{
	struct change *ch = set_add(c, CHANGE_THREAD);
	int rc;

	if (!ch) {
		free(role);
		return err_set(e, -E2BIG, "process %d: too many threads", (int)pid);
	}
	ch->pid = pid;
	ch->start = start;
	ch->tid = t->tid;
	ch->tstart = t->start;
	ch->role = role;
	rc = plan_cpus(cpus, role, &ch->after, e);
	if (!rc)
		rc = thread_ops.get(ch, &ch->before, e);
	if (rc) {
		change_clear(ch);
		c->n--;
	}
	return rc;
}

static const struct thread *thread_find(const struct thread *list, size_t n, pid_t tid)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].tid == tid)
			return &list[i];
	return NULL;
}

/* One role's thread; it must be one of the process's, whoever named it. */
static int role_add(struct change_set *c, pid_t pid, uint64_t start, const struct thread *list,
		    size_t n, pid_t tid, char *role, const char *cpus, struct err *e)
{
	const struct thread *t = thread_find(list, n, tid);
	int rc = 0;

	if (!t || tid == pid)
		rc = err_input(e,
			       "process %d: %s is said to be thread %d, which is none of its own",
			       (int)pid, role, (int)tid);
	for (size_t i = 0; !rc && i < c->n; i++)
		if (c->list[i].what == CHANGE_THREAD && c->list[i].tid == tid)
			rc = err_input(e, "process %d: thread %d is said to be both %s and %s",
				       (int)pid, (int)tid, c->list[i].role, role);
	if (rc) {
		free(role);
		return rc;
	}
	return thread_add(c, pid, start, t, role, cpus, e);
}

static int threads_plan(struct change_set *c, pid_t pid, uint64_t start,
			const struct placed_guest *g, const struct roles *r,
			const struct thread *list, size_t n, struct err *e)
{
	size_t first = c->n;
	int rc = 0;

	for (unsigned i = 0; !rc && i < g->vcpus; i++)
		rc = role_add(c, pid, start, list, n, r->vcpu[i], xasprintf("vcpu %u", i),
			      g->vcpu[i], e);
	for (unsigned i = 0; !rc && i < g->iothreads; i++)
		rc = role_add(c, pid, start, list, n, r->iothread[i], xasprintf("iothread %u", i),
			      g->iothread[i], e);
	/* by number: the main thread is the first, so what it starts later is born in the right
	 * place */
	for (size_t i = 0; !rc && i < n; i++) {
		bool known = false;

		for (size_t k = first; k < c->n; k++)
			known |= c->list[k].tid == list[i].tid;
		if (known)
			continue;
		if (list[i].fixed) {
			set_note(c,
				 "thread %d (%s): io_uring's own, which the kernel lets nobody pin",
				 (int)list[i].tid, list[i].name);
			continue;
		}
		rc = thread_add(c, pid, start, &list[i], xstrdup("emulator"), g->emulator, e);
		/* a worker that ended meanwhile needs no place */
		if (rc == -ESRCH && list[i].tid != pid)
			rc = 0;
	}
	return rc;
}

static void memory_notes(struct change_set *c, const struct memory *m, const struct placed_guest *g)
{
	char size[32], other[32];

	if (g->page && m->page && m->page != g->page)
		set_note(
			c,
			"page size: %s is planned and %s in use; it cannot be changed while the guest "
			"runs: set it in its description and start it anew",
			units_size_text(g->page, size, sizeof(size)),
			units_size_text(m->page, other, sizeof(other)));
	if (m->elsewhere)
		set_note(
			c,
			"%s lie in mappings that QEMU bound to other nodes: what is there is moved, what "
			"the guest touches later comes from those nodes again",
			units_size_text(m->elsewhere, size, sizeof(size)));
	if (g->ncells)
		set_note(
			c,
			"memory is brought to the guest's nodes as a whole: which page belongs to which "
			"of its cells cannot be told");
}

static int memory_plan(struct change_set *c, pid_t pid, uint64_t start,
		       const struct placed_guest *g, struct err *e)
{
	struct memory *m = xcalloc(1, sizeof(*m));
	struct ids nodes, online;
	struct change *ch;
	int rc = 0;

	if (!ids_parse(g->nodes, &nodes))
		rc = err_input(e, "the plan's nodes \"%.80s\" are no list", g->nodes);
	if (!rc && ids_file("/sys/devices/system/node/has_memory", &online)) {
		struct ids there = nodes;

		ids_and(&there, &online);
		if (!ids_equal(&there, &nodes))
			rc = err_input(
				e,
				"the plan wants memory of nodes %s; not all of them have any here: "
				"it is another machine's",
				g->nodes);
	}
	if (!rc)
		rc = memory_read(pid, &nodes, m, e);
	if (!rc) {
		ch = set_add(c, CHANGE_MEMORY);
		if (!ch) {
			free(m);
			return err_set(e, -E2BIG, "too many changes at once");
		}
		ch->pid = pid;
		ch->start = start;
		ch->page = g->page;
		ch->after = ids_text(&nodes);
		rc = memory_ops.get(ch, &ch->before, e);
		memory_notes(c, m, g);
	}
	free(m);
	return rc;
}

int changes_add_pid(struct change_set *c, pid_t pid, const struct placed_guest *g, struct err *e)
{
	uint64_t start = child_start_time(pid);
	struct thread *list = NULL;
	struct roles r = {0};
	size_t n = 0;
	int rc;

	if (pid < 2 || !start)
		return err_input(e, "process %d: there is none such", (int)pid);
	if (!g->placed || !g->vcpus)
		return err_input(e, "the plan has no place for guest %s", g->name ? g->name : "?");
	if (!c->target)
		c->target = xasprintf("pid:%d", (int)pid);
	r.vcpu = xcalloc(g->vcpus, sizeof(*r.vcpu));
	r.iothread = xcalloc(g->iothreads + 1, sizeof(*r.iothread));
	if (c->qmp)
		rc = threads_qmp(c->qmp, pid, r.vcpu, g->vcpus, r.iothread, g->iothreads, e);
	else
		rc = 0;
	if (!rc)
		rc = threads_list(pid, &list, &n, e);
	if (!rc && !c->qmp) {
		roles_by_name(list, n, g, &r);
		rc = roles_check(&r, pid, g, e);
	}
	if (!rc)
		rc = threads_plan(c, pid, start, g, &r, list, n, e);
	if (!rc && g->nodes && *g->nodes)
		rc = memory_plan(c, pid, start, g, e);
	free(list);
	free(r.vcpu);
	free(r.iothread);
	if (rc == -ESRCH && e)
		e->status = VB_BAD_INPUT;
	return rc;
}
