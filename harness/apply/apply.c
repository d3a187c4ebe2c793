// SPDX-License-Identifier: GPL-2.0-or-later
/* Making the changes of a set: each is on disk with its value before, made, read back, marked; the
 * first that fails has those before it taken back. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include "apply/undo.h"

enum { PASSES = 20 };

int stop_asked(int fd, struct err *e)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (fd <= 0 || poll(&p, 1, 0) < 1)
		return 0;
	err_set(e, -EINTR, "interrupted");
	if (e)
		e->status = VB_INTERRUPTED;
	return -EINTR;
}

/* A thread that only works for others comes and goes. */
static bool may_end(const struct change *ch)
{
	return ch->what == CHANGE_THREAD && ch->tid != ch->pid && !strcmp(ch->role, "emulator");
}

static int not_taken(const struct change *ch, const char *now, struct err *e)
{
	char *name = change_name(ch), *is = change_value(ch, now),
	     *want = change_value(ch, ch->after);
	const char *why = "";

	if (ch->what == CHANGE_THREAD)
		why = "; its cpuset does not have all of them";
	else if (ch->what == CHANGE_MEMORY)
		why = "; the rest does not move: is there room on the node (huge pages, for such a guest), "
		      "and is the memory not locked by a device?";
	else if (ch->what == CHANGE_KNOB && !strcmp(ch->knob->name, "nr-hugepages"))
		why = "; there is no more unbroken memory: set it early after boot, or on the kernel's "
		      "command line";
	err_set(e, -EIO, "%s: wanted %s, read back %s%s", name, want, is, why);
	free(name);
	free(is);
	free(want);
	return -EIO;
}

/* One change. Its value before is read again, since the record must have what is restored. */
static int step(struct change_set *c, struct change *ch, struct err *e)
{
	const struct change_ops *ops = change_ops_of(ch->what);
	char *now = NULL;
	int rc = ops->get(ch, &now, e);

	if (rc == -ESRCH && may_end(ch)) {
		ch->done = true;
		return 0;
	}
	if (rc)
		return rc;
	if (!ops->same(ch, now, ch->before)) {
		free(ch->before);
		ch->before = xstrdup(now);
		rc = record_save(c, e);
	}
	if (!rc && !ops->same(ch, now, ch->after)) {
		free(now);
		now = NULL;
		ch->tried = true;
		ch->stop = c->stop;
		rc = ops->set(ch, ch->after, e);
		ch->stop = 0;
		if (!rc)
			rc = ops->get(ch, &now, e);
		if (rc == -ESRCH && may_end(ch)) {
			ch->done = true;
			rc = 0;
		} else if (!rc && !ops->same(ch, now, ch->after)) {
			rc = not_taken(ch, now, e);
		}
	}
	free(now);
	if (rc)
		return rc;
	ch->state = STATE_MADE;
	return record_save(c, e);
}

static int steps(struct change_set *c, struct err *e)
{
	size_t more;
	int pass = 0, rc = 0;

	for (size_t i = 0; !rc; i++) {
		if (i == c->n) {
			/* The threads that were started while the others were pinned */
			if (pass++ == PASSES)
				return err_set(e, -EAGAIN,
					       "the process starts threads faster than they "
					       "can be pinned");
			rc = threads_new(c, &more, e);
			if (rc || !more)
				return rc;
			rc = record_save(c, e);
			if (rc)
				return rc;
		}
		rc = stop_asked(c->stop, e);
		if (!rc)
			rc = step(c, &c->list[i], e);
	}
	return rc;
}

struct tally {
	unsigned bad;
};

static void count_bad(bool ok, const char *what, void *arg)
{
	(void)what;
	((struct tally *)arg)->bad += !ok;
}

int changes_apply(struct change_set *c, char id[20], struct err *e)
{
	struct tally t = {0};
	int lock, rc = records_lock(c->dir, &lock, e);

	*id = '\0';
	if (rc)
		return rc;
	rc = record_save(c, e);
	if (!rc) {
		rc = steps(c, e);
		if (rc && undo(c, UNDO, count_bad, &t, NULL) && e) {
			size_t len = strlen(e->text);

			snprintf(
				e->text + len, sizeof(e->text) - len,
				"; not all of what was done before could be taken back: vbench revert %s",
				c->id);
		}
	}
	if (!rc)
		snprintf(id, 20, "%s", c->id);
	records_unlock(lock);
	return rc;
}

/* --- reading back --- */

struct teller {
	void (*told)(bool ok, const char *what, void *arg);
	void *arg;
	bool bad;
};

static void tell(struct teller *t, bool ok, char *line)
{
	t->bad |= !ok;
	t->told(ok, line, t->arg);
	free(line);
}

static void verify_page(const struct change *ch, struct teller *t)
{
	struct memory *m;

	if (ch->what != CHANGE_MEMORY || !ch->page)
		return;
	m = xcalloc(1, sizeof(*m));
	if (!memory_read(ch->pid, NULL, m, NULL))
		tell(t, m->page == ch->page,
		     m->page == ch->page
			     ? xasprintf("memory of process %d: pages of %llu KiB", (int)ch->pid,
					 (unsigned long long)m->page >> 10)
			     : xasprintf(
				       "memory of process %d: pages of %llu KiB, not %llu KiB; that takes "
				       "a new start of the guest",
				       (int)ch->pid, (unsigned long long)m->page >> 10,
				       (unsigned long long)ch->page >> 10));
	free(m);
}

static void verify_one(const struct change *ch, struct teller *t)
{
	const struct change_ops *ops = change_ops_of(ch->what);
	char *name = change_name(ch), *now = NULL, *is, *want;
	struct err e = {0};
	int rc = ops->get(ch, &now, &e);

	if (rc) {
		/* the kernel's and libvirt's sentences name the thing themselves */
		if (rc != -ESRCH || !may_end(ch))
			tell(t, false, xstrdup(e.text));
		free(name);
		return;
	}
	is = change_value(ch, now);
	want = change_value(ch, ch->after);
	if (ops->same(ch, now, ch->after))
		tell(t, true, xasprintf("%s: %s", name, is));
	else
		tell(t, false, xasprintf("%s: %s, not %s", name, is, want));
	verify_page(ch, t);
	free(is);
	free(want);
	free(now);
	free(name);
}

int changes_verify(const char *dir, const char *id,
		   void (*told)(bool ok, const char *what, void *arg), void *arg, struct err *e)
{
	struct teller t = {.told = told, .arg = arg};
	struct change_set *c = NULL, *here;
	int lock, rc = records_lock(dir, &lock, e);
	char full[20];

	if (rc)
		return rc;
	rc = records_find(dir, id, full, e);
	if (!rc)
		rc = record_load(dir, full, &c, e);
	records_unlock(lock);
	if (rc)
		return rc;
	here = set_new(dir);
	if (strcmp(here->boot, c->boot)) {
		tell(&t, false,
		     xasprintf("%s: the machine was started anew since: nothing of it is in force",
			       full));
	} else {
		for (size_t i = 0; i < c->n; i++)
			verify_one(&c->list[i], &t);
		t.bad |= !threads_verify(c, told, arg);
	}
	changes_free(here);
	changes_free(c);
	return t.bad ? err_set(e, -ESTALE, "record %s: not all is as it was applied", full) : 0;
}
