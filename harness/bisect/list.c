// SPDX-License-Identifier: GPL-2.0-or-later
/* A list of builds, and the bisection that drives itself over it. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "bisect/bisect.h"
#include "bisect/search.h"

#define LIST_MAX_BYTES (1u << 20)
#define LIST_MAX 4096

static int add(struct bisect_list *l, char *build, bool program, const char *where, struct err *e)
{
	if (l->n == LIST_MAX) {
		free(build);
		return err_input(e, "%s: more than %d builds", where, LIST_MAX);
	}
	if (program && access(build, X_OK)) {
		err_input(e, "%s: build %zu, \"%s\": %s", where, l->n + 1, build, strerror(errno));
		free(build);
		return -EINVAL;
	}
	l->build = xrealloc(l->build, l->n + 1, sizeof(*l->build));
	l->build[l->n++] = build;
	return 0;
}

static int read_file(const char *path, bool programs, struct bisect_list *l, struct err *e)
{
	char *text = NULL, *save = NULL;
	int rc = file_read(path, LIST_MAX_BYTES, &text, NULL);

	if (rc)
		return err_input(e, "%s: %s", path, strerror(-rc));
	for (char *line = strtok_r(text, "\n", &save); !rc && line;
	     line = strtok_r(NULL, "\n", &save)) {
		size_t n;

		line += strspn(line, " \t\r");
		for (n = strlen(line); n && strchr(" \t\r", line[n - 1]);)
			line[--n] = 0;
		if (n && *line != '#')
			rc = add(l, xstrdup(line), programs, path, e);
	}
	free(text);
	return rc;
}

static int visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int read_folder(const char *path, struct bisect_list *l, struct err *e)
{
	struct dirent **names = NULL;
	int n = scandir(path, &names, visible, versionsort), rc = 0;

	if (n < 0)
		return err_input(e, "%s: %s", path, strerror(errno));
	for (int i = 0; i < n; i++) {
		char *file = xasprintf("%s/%s", path, names[i]->d_name);
		struct stat st;

		if (!rc && !stat(file, &st) && S_ISREG(st.st_mode) && !access(file, X_OK)) {
			rc = add(l, file, true, path, e);
			file = NULL;
		}
		free(file);
		free(names[i]);
	}
	free(names);
	return rc;
}

int bisect_list_read(const char *path, bool programs, struct bisect_list *out, struct err *e)
{
	struct stat st;
	int rc;

	*out = (struct bisect_list){0};
	if (stat(path, &st))
		return err_input(e, "%s: %s", path, strerror(errno));
	rc = S_ISDIR(st.st_mode) ? read_folder(path, out, e) : read_file(path, programs, out, e);
	if (!rc && out->n < 2)
		rc = err_input(e, "%s: %zu build%s; it takes two at least, the good end first",
			       path, out->n, out->n == 1 ? "" : "s");
	if (rc)
		bisect_list_free(out);
	return rc;
}

void bisect_list_free(struct bisect_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->build[i]);
	free(l->build);
	*l = (struct bisect_list){0};
}

static char *setting(const char *key, const char *build)
{
	return xasprintf("%s=%s", key, build);
}

static int test_build(const struct bisect_opts *o, const char *key, const struct bisect_list *l,
		      const struct bisect_ends *ends, size_t build, bool again,
		      enum wald_answer *answer, struct err *e)
{
	char *a = setting(key, l->build[0]), *b = setting(key, l->build[build]);
	struct set_list good = {0}, candidate = {0};
	struct bisect_step step;
	int rc;

	set_list_add(&good, a);
	set_list_add(&candidate, b);
	rc = bisect_step(o, ends, &good, &candidate, &step, e);
	*answer = step.answer;
	if (!rc && o->say) {
		char *harm = bisect_harm_text(ends, step.harm);

		fprintf(o->say, "build %zu of %zu%s: %s (%s in %u pairs) %s%s%s\n", build + 1, l->n,
			again ? ", once more" : "", wald_word(step.answer), harm, step.pairs,
			l->build[build], step.why ? ": " : "", step.why ? step.why : "");
		fflush(o->say);
		free(harm);
	}
	bisect_step_free(&step);
	set_list_free(&good);
	set_list_free(&candidate);
	free(a);
	free(b);
	return rc;
}

static int check_ends(const struct bisect_opts *o, const char *key, const struct bisect_list *l,
		      struct bisect_ends *ends, struct err *e)
{
	char *a = setting(key, l->build[0]), *b = setting(key, l->build[l->n - 1]);
	struct set_list good = {0}, bad = {0};
	int rc;

	set_list_add(&good, a);
	set_list_add(&bad, b);
	rc = bisect_ends(o, &good, &bad, ends, e);
	set_list_free(&good);
	set_list_free(&bad);
	free(a);
	free(b);
	return rc;
}

int bisect_builds(const struct bisect_opts *o, const char *key, const struct bisect_list *l,
		  struct bisect_ends *ends, size_t *lo, size_t *hi, struct err *e)
{
	struct bisect_opts mine = *o;
	enum wald_answer answer;
	struct search s;
	size_t build;
	bool again;
	int rc;

	mine.among = l->n;
	rc = check_ends(&mine, key, l, ends, e);
	if (rc)
		return rc;
	if (!ends->shown)
		return 0;
	search_begin(&s, l->n);
	while (!rc && search_next(&s, &build, &again)) {
		rc = test_build(&mine, key, l, ends, build, again, &answer, e);
		if (!rc)
			search_tell(&s, build, answer);
	}
	search_range(&s, lo, hi);
	search_free(&s);
	return rc;
}
