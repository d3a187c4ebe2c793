/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ready profiles: where they lie, which there are, and the question that each answers. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "profile/internal.h"

#define FOLDERS 3

/* ".", $XDG_CONFIG_HOME/vbench/profiles, SHARE/profiles; new, NULL where there is none. */
static void folders(const char *share_dir, char *dir[FOLDERS])
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	dir[0] = xstrdup(".");
	dir[1] = NULL;
	if (xdg && xdg[0] == '/') /* the XDG Base Directory Specification ignores relative ones */
		dir[1] = xasprintf("%s/vbench/profiles", xdg);
	else if (home && home[0] == '/')
		dir[1] = xasprintf("%s/.config/vbench/profiles", home);
	dir[2] = share_dir ? xasprintf("%s/profiles", share_dir) : NULL;
}

static bool is_file(const char *path)
{
	struct stat st;

	return !stat(path, &st) && (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode));
}

/* DIR/NAMEend if there is such a file, else NULL. */
static char *file_in(const char *dir, const char *name, const char *end)
{
	char *path = xasprintf("%s%s%s%s", dir, dir[0] ? "/" : "", name, end);

	if (is_file(path))
		return path;
	free(path);
	return NULL;
}

char *profile_find(const char *name, const char *share_dir)
{
	char *dir[FOLDERS], *found = NULL;

	if (is_file(name))
		return xstrdup(name);
	if (strchr(name, '/'))
		return file_in(name[0] == '/' ? "" : ".", name, ".ini");
	folders(share_dir, dir);
	for (size_t i = 0; i < FOLDERS; i++) {
		found = found || !dir[i] ? found : file_in(dir[i], name, ".ini");
		found = found || !dir[i] ? found : file_in(dir[i], name, "");
		free(dir[i]);
	}
	return found;
}

static int is_ini(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 4 && !strcmp(d->d_name + n - 4, ".ini");
}

/* One line: name and question. Files in "." that are no profiles are none of our business. */
static void list_one(FILE *out, const char *dir, const char *file, bool here)
{
	char *path = xasprintf("%s/%s", dir, file);
	struct profile *p = NULL;
	struct err e = {0};

	if (!profile_load(path, NULL, 0, &p, &e)) {
		const char *what = p->val[K_QUESTION] ? p->val[K_QUESTION] : p->val[K_TITLE];

		fprintf(out, "%-16s %s\n", p->name, what ? what : "(asks no question)");
	} else if (!here) {
		fprintf(out, "%-16.*s (broken: %s)\n", (int)(strlen(file) - 4), file, e.text);
	}
	profile_free(p);
	free(path);
}

/* Is it in an earlier folder, which profile_find would take? */
static bool shadowed(char *const *dir, size_t before, const char *file)
{
	bool found = false;

	for (size_t i = 0; i < before; i++) {
		char *path = dir[i] ? xasprintf("%s/%s", dir[i], file) : NULL;

		found = found || (path && is_file(path));
		free(path);
	}
	return found;
}

void profile_list(FILE *out, const char *share_dir)
{
	char *dir[FOLDERS];

	folders(share_dir, dir);
	for (size_t i = 0; i < FOLDERS; i++) {
		struct dirent **names = NULL;
		int n = dir[i] ? scandir(dir[i], &names, is_ini, alphasort) : 0;

		for (int k = 0; k < n; k++) {
			if (!shadowed(dir, i, names[k]->d_name))
				list_one(out, dir[i], names[k]->d_name, i == 0);
			free(names[k]);
		}
		free(names);
	}
	for (size_t i = 0; i < FOLDERS; i++)
		free(dir[i]);
}
