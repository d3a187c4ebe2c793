/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs this machine has: where they lie and which version they say they are. */
#include "host/program.h"
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/child.h"
#include "base/err.h"
#include "host/read.h"

enum { VERSION_TIMEOUT_MS = 10000 }; /* as check_qemu.c */

const char *host_qemu_name(void)
{
#if defined(__x86_64__)
	return "qemu-system-x86_64";
#elif defined(__aarch64__)
	return "qemu-system-aarch64";
#elif defined(__powerpc64__)
	return "qemu-system-ppc64";
#elif defined(__s390x__)
	return "qemu-system-s390x";
#elif defined(__riscv)
	return "qemu-system-riscv64";
#else
	return "qemu-system";
#endif
}

static bool runnable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

char *host_program_find(const char *name)
{
	const char *path = getenv("PATH");
	char *all, *save = NULL, *found = NULL;

	if (strchr(name, '/'))
		return runnable(name) ? xstrdup(name) : NULL;
	all = xasprintf("%s:/usr/bin:/bin:/usr/sbin:/sbin:/usr/libexec", path ? path : "");
	for (char *dir = strtok_r(all, ":", &save); dir && !found;
	     dir = strtok_r(NULL, ":", &save)) {
		char *full = xasprintf("%s/%s", dir, name);

		if (runnable(full))
			found = full;
		else
			free(full);
	}
	free(all);
	return found;
}

void host_version_parse(const char *line, char *version, size_t vsize, char *package, size_t psize)
{
	const char *eol = line + strcspn(line, "\r\n"), *p = line, *open;

	*version = *package = '\0';
	for (; p < eol; p++) {
		size_t digits = strspn(p, "0123456789");

		if (digits && p[digits] == '.' && isdigit((unsigned char)p[digits + 1])) {
			size_t n = strcspn(p, " \t(,;\r\n");

			snprintf(version, vsize, "%.*s", (int)n, p);
			break;
		}
		if (digits)
			p += digits - 1;
	}
	open = p < eol ? memchr(p, '(', eol - p) : NULL;
	if (open) {
		const char *end = memchr(open, ')', eol - open);

		if (end)
			snprintf(package, psize, "%.*s", (int)(end - open - 1), open + 1);
	}
}

json_t *host_program_facts(const char *name)
{
	char *path = host_program_find(name), *out = NULL;
	char version[64] = "", package[128] = "";
	json_t *o = json_object();

	if (path) {
		const char *const argv[] = {path, "--version", NULL};

		if (child_run(argv, NULL, VERSION_TIMEOUT_MS, &out, NULL) == 0 && out)
			host_version_parse(out, version, sizeof(version), package, sizeof(package));
	}
	json_object_set_new(o, "path", host_json_string(path));
	json_object_set_new(o, "version", host_json_string(*version ? version : NULL));
	json_object_set_new(o, "package", host_json_string(*package ? package : NULL));
	free(out);
	free(path);
	return o;
}
