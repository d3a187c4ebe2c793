// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Taking changes back. Values are compared first, so every step can be repeated: a process killed
 * here is followed by one that finds done what was done.
 */
#include "apply/undo.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"

struct teller {
	void (*told)(bool ok, const char *what, void *arg);
	void *arg;
};

static void tell(struct teller *t, bool ok, char *line)
{
	t->told(ok, line, t->arg);
	free(line);
}

/* What is not to be told one by one: QEMU's workers. */
static bool minor(const struct change *ch)
{
	return ch->what == CHANGE_THREAD && ch->tid != ch->pid && !strcmp(ch->role, "emulator");
}

/*
 * Memory goes back page by page: the record says so first, for whoever finds it half way. A disk
 * that takes no record is no reason to leave a guest's memory where we brought it.
 */
static void mark(struct change_set *c, struct change *ch)
{
	if (ch->what != CHANGE_MEMORY || ch->state == STATE_UNDOING)
		return;
	ch->state = STATE_UNDOING;
	record_save(c, NULL);
}

/* Puts the value before in place and reads it back. */
static void restore(struct change_set *c, struct change *ch, const char *name, struct teller *t)
{
	const struct change_ops *ops = change_ops_of(ch->what);
	char *want = change_value(ch, ch->before), *now = NULL, *is;
	struct err e = {0};
	int rc;

	mark(c, ch);
	rc = ops->set(ch, ch->before, &e);
	if (!rc)
		rc = ops->get(ch, &now, &e);
	if (rc == -ESRCH) {
		ch->done = true;
		if (!minor(ch))
			tell(t, true, xasprintf("%s: is gone", name));
	} else if (rc) {
		tell(t, false, xasprintf("%s: %s", name, e.text));
	} else if (ops->same(ch, now, ch->before)) {
		ch->done = true;
		if (!minor(ch))
			tell(t, true, xasprintf("%s: %s again", name, want));
	} else {
		is = change_value(ch, now);
		tell(t, false,
		     xasprintf("%s: wanted %s again, read back %s%s", name, want, is,
			       ch->what == CHANGE_KNOB ? "; in use, perhaps: try again later"
						       : ""));
		free(is);
	}
	free(want);
	free(now);
}

static bool ours(const struct change *ch, const char *now)
{
	const struct change_ops *ops = change_ops_of(ch->what);

	return ch->tried || ops->same(ch, now, ch->after) ||
	       (ch->state != STATE_MADE && ops->partly(ch, now));
}

static void undo_one(struct change_set *c, struct change *ch, enum undo_how how, struct teller *t)
{
	const struct change_ops *ops = change_ops_of(ch->what);
	char *name = change_name(ch), *now = NULL;
	struct err e = {0};
	int rc = ops->get(ch, &now, &e);

	if (rc == -ESRCH) {
		ch->done = true;
		if (!minor(ch))
			tell(t, true, xasprintf("%s: is gone, and its setting with it", name));
	} else if (rc) {
		tell(t, false, xasprintf("%s: %s", name, e.text));
	} else if (ops->same(ch, now, ch->before)) {
		ch->done = true;
		if (!minor(ch))
			tell(t, true, xasprintf("%s: is as it was before", name));
	} else if (how == UNDO_FORCE || ours(ch, now)) {
		restore(c, ch, name, t);
	} else {
		char *is = change_value(ch, now), *set = change_value(ch, ch->after),
		     *was = change_value(ch, ch->before);

		ch->done = how == UNDO_SETTLE;
		tell(t, false,
		     xasprintf(how == UNDO_SETTLE
				       ? "%s: someone changed it since, from %s to %s: that stays "
					 "(before, it was %s)"
				       : "%s: someone changed it since, from %s to %s: left alone "
					 "(--force puts back %s)",
			       name, set, is, was));
		free(is);
		free(set);
		free(was);
	}
	free(now);
	free(name);
}

/* Without what is done. */
static void shrink(struct change_set *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (c->list[i].done)
			change_clear(&c->list[i]);
		else
			c->list[n++] = c->list[i];
	}
	c->n = n;
}

int undo(struct change_set *c, enum undo_how how,
	 void (*told)(bool ok, const char *what, void *arg), void *arg, struct err *e)
{
	struct teller t = {.told = told, .arg = arg};
	struct change_set *here = set_new(c->dir);
	bool reboot = strcmp(here->boot, c->boot) != 0;
	size_t more = 0;
	int rc;

	changes_free(here);
	if (reboot) {
		tell(&t, true,
		     xasprintf("%s: the machine was started anew since: all of it is as its own "
			       "configuration says, nothing to take back",
			       c->id));
		return record_remove(c, e);
	}
	for (size_t i = c->n; i-- > 0;)
		if (!c->list[i].done && c->list[i].what != CHANGE_MEMORY)
			undo_one(c, &c->list[i], how, &t);
	/* the main thread has its old value by now, and hands that on */
	threads_left(c, &more, NULL);
	/* behind the threads, which it would follow again under automatic NUMA balancing */
	for (size_t i = c->n; i-- > 0;)
		if (!c->list[i].done && c->list[i].what == CHANGE_MEMORY)
			undo_one(c, &c->list[i], how, &t);
	if (more)
		tell(&t, true,
		     xasprintf("%zu thread%s made since: as their makers", more,
			       more == 1 ? "" : "s"));
	shrink(c);
	rc = c->n ? record_save(c, e) : record_remove(c, e);
	if (!rc && c->n)
		rc = err_set(e, -ESTALE, "record %s: %zu change%s could not be taken back", c->id,
			     c->n, c->n == 1 ? "" : "s");
	return rc;
}

/* One record; what is wrong with it is told, so that the others get their turn. */
static int revert_one(const char *dir, const char *id, enum undo_how how,
		      void (*told)(bool ok, const char *what, void *arg), void *arg, struct err *e)
{
	struct change_set *c;
	int rc = record_load(dir, id, &c, e);

	if (rc)
		return rc;
	rc = undo(c, how, told, arg, e);
	changes_free(c);
	return rc;
}

/* Every record, newest first; the lock is held. */
static int revert_all(const char *dir, enum undo_how how,
		      void (*told)(bool ok, const char *what, void *arg), void *arg, struct err *e)
{
	char **ids;
	size_t n = records_list(dir, &ids);
	int rc = 0;

	for (size_t i = n; i-- > 0;) {
		struct err why = {0};
		int one = revert_one(dir, ids[i], how, told, arg, &why);

		/* a record that cannot be read outweighs one that is left over */
		if (one && (!rc || rc == -ESTALE) && e)
			*e = why;
		if (one && one != -ESTALE)
			told(false, why.text, arg);
		if (one && (!rc || rc == -ESTALE))
			rc = one;
	}
	records_free(ids, n);
	return rc;
}

int changes_revert(const char *dir, const char *id, bool force,
		   void (*told)(bool ok, const char *what, void *arg), void *arg, struct err *e)
{
	enum undo_how how = force ? UNDO_FORCE : UNDO;
	int lock, rc = records_lock(dir, &lock, e);
	char full[20];

	if (rc)
		return rc;
	if (*id)
		rc = records_find(dir, id, full, e);
	if (!rc)
		rc = *id ? revert_one(dir, full, how, told, arg, e)
			 : revert_all(dir, how, told, arg, e);
	records_unlock(lock);
	return rc;
}

int changes_settle(const char *dir, void (*told)(bool ok, const char *what, void *arg), void *arg,
		   struct err *e)
{
	int lock, rc;

	if (!path_exists(dir))
		return 0;
	rc = records_lock(dir, &lock, e);
	if (rc)
		return rc;
	rc = revert_all(dir, UNDO_SETTLE, told, arg, e);
	records_unlock(lock);
	return rc;
}

json_t *changes_json(const char *dir)
{
	json_t *list = json_array(), *j;
	struct change_set *c, *here = set_new(dir);
	char **ids;
	size_t n = records_list(dir, &ids);

	for (size_t i = n; i-- > 0;) {
		struct err e = {0};

		j = json_object();
		json_object_set_new(j, "id", json_string(ids[i]));
		if (record_load(dir, ids[i], &c, &e)) {
			json_object_set_new(j, "error", json_string(e.text));
		} else {
			json_object_set_new(j, "target", json_string(c->target));
			json_object_set_new(j, "changes", json_integer((json_int_t)c->n));
			json_object_set_new(j, "this_boot",
					    json_boolean(!strcmp(c->boot, here->boot)));
			changes_free(c);
		}
		json_array_append_new(list, j);
	}
	records_free(ids, n);
	changes_free(here);
	return list;
}

unsigned changes_list(const char *dir, FILE *out)
{
	json_t *list = changes_json(dir), *j;
	unsigned n = (unsigned)json_array_size(list);
	size_t i;

	json_array_foreach(list, i, j)
	{
		const char *error = json_string_value(json_object_get(j, "error"));

		if (error)
			fprintf(out, "%s  cannot be read: %s\n",
				json_string_value(json_object_get(j, "id")), error);
		else
			fprintf(out, "%s  %-24s %lld changes%s\n",
				json_string_value(json_object_get(j, "id")),
				json_string_value(json_object_get(j, "target")),
				(long long)json_integer_value(json_object_get(j, "changes")),
				json_is_true(json_object_get(j, "this_boot"))
					? ""
					: ", before the last boot");
	}
	json_decref(list);
	return n;
}
