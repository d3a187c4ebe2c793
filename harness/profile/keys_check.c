/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a well-formed value of a key will not do. */
#include <stdlib.h>
#include "base/ids.h"
#include "base/units.h"
#include "profile/keys.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

/* Said as fio has it: bytes a second, or a number of I/Os with "iops" behind it. */
const char *check_rate(const char *v)
{
	size_t digits = strspn(v, "0123456789");
	uint64_t bytes;

	if (!strcmp(v, "none"))
		return NULL;
	if (digits && digits < 10 && !strcmp(v + digits, "iops"))
		return atoll(v) ? NULL : "must be over 0; write none for no limit";
	if (units_size(v, &bytes) || !bytes)
		return "is no rate; write 10M (bytes a second), 1000iops or none";
	return NULL;
}

const char *check_qemu_word(const char *v)
{
	if (v[0] == '-' || v[strspn(v, LETTERS "+=,")])
		return "may hold only letters, digits and _.+-=,";
	return NULL;
}

const char *check_name(const char *v)
{
	if (v[0] == '-' || v[strspn(v, LETTERS)])
		return "may hold only letters, digits and _.-";
	return NULL;
}

/* "4-7+9" at *s, up to what stops it. */
static bool check_list(const char **s)
{
	unsigned from, to;

	do {
		if (!ids_range(s, &from, &to))
			return false;
	} while (*(*s)++ == '+');
	(*s)--;
	return true;
}

const char *check_pin(const char *v)
{
	bool ok = check_list(&v);

	for (int parts = 1; ok && *v == '/' && parts < 3; parts++)
		ok = (v++, check_list(&v));
	return ok && !*v
		       ? NULL
		       : "must be none, plan, or VCPUS[/IOTHREADS[/EMULATOR]] with CPUs such as 4-7/2+3/0-1";
}

const char *check_nodes(const char *v)
{
	return check_list(&v) && !*v ? NULL
				     : "must be any, plan, or numbers of nodes such as 0 or 0+1";
}

const char *check_absolute(const char *v)
{
	if (v[0] != '/')
		return "must be an absolute path (or auto)";
	return NULL;
}

const char *check_kernel(const char *v)
{
	return v[0] != '/' ? "must be an absolute path (or auto, or full)" : NULL;
}

const char *check_binary(const char *v)
{
	if (v[0] == '-')
		return "must be the name or path of a program";
	if (strchr(v, '/') && v[0] != '/')
		return "must be a name looked up in PATH, or an absolute path";
	return NULL;
}

/* v: canonical, a number. */
const char *check_power(const char *v)
{
	uint64_t n = strtoull(v, NULL, 10);

	return n & (n - 1) ? "must be a power of two" : NULL;
}

const char *check_device(const char *v)
{
	if (strncmp(v, "/dev/", 5) || !v[5] || strstr(v, "/../"))
		return "must be a block device, /dev/...";
	return NULL;
}

/* Parameters of the filters log and stats: they begin these files anew, or run a script. */
static bool writes_files(const char *w, size_t n)
{
	static const char *const keys[] = {"logfile=", "logscript=", "statsfile="};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (n >= strlen(keys[i]) && !strncmp(w, keys[i], strlen(keys[i])))
			return true;
	return false;
}

/* Is the plugin that one, by its name or by the path of nbdkit-NAME-plugin.so? */
static bool plugin_is(const char *w, size_t n, const char *name)
{
	static const char head[] = "nbdkit-", tail[] = "-plugin.so";
	size_t i, len = strlen(name);

	for (i = n; i && w[i - 1] != '/'; i--)
		;
	w += i;
	n -= i;
	if (n > sizeof(head) - 1 && !strncmp(w, head, sizeof(head) - 1)) {
		w += sizeof(head) - 1;
		n -= sizeof(head) - 1;
	}
	return !strncmp(w, name, len < n ? len : n) &&
	       (n == len ||
		(n == len + sizeof(tail) - 1 && !strncmp(w + len, tail, sizeof(tail) - 1)));
}

/* One word of nbdkit's: an option would name sockets, users, files and commands. */
static const char *check_nbdkit_word(const char *w, size_t n, bool plugin)
{
	if (w[0] == '-' && (n < 10 || strncmp(w, "--filter=", 9)))
		return "may have --filter=NAME and no other option of nbdkit";
	/* consent is asked for backend = block */
	for (size_t i = 0; i + 5 <= n; i++)
		if (!strncmp(w + i, "/dev/", 5))
			return "may name no device; write disk.backend = block";
	if (writes_files(w, n))
		return "may not write files of the host (logfile, logscript, statsfile)";
	if (plugin && w[0] != '/' && strspn(w, LETTERS) < n)
		return "must begin with the name of a plugin";
	return NULL;
}

/*
 * A plugin and its arguments, handed to nbdkit as words: there is no shell. The plugins that serve
 * files by their names get vbench's image and nothing else, against slips of the hand. Against a
 * hostile profile nothing here helps: it names programs (guest.qemu, plugins that run commands).
 */
const char *check_nbdkit(const char *v)
{
	static const char *const files[] = {"file", "split", "partitioning"};
	const char *why = NULL;
	bool found = false;

	if (strpbrk(v, "'\"\\`$;|&<>{}"))
		return "must be a plugin and its arguments, with blanks between";
	if (!strcmp(v, "file"))
		return NULL;
	for (v += strspn(v, " \t"); !why && *v; v += strspn(v, " \t")) {
		size_t n = strcspn(v, " \t");
		bool plugin = !found && v[0] != '-';

		why = check_nbdkit_word(v, n, plugin);
		for (size_t i = 0; !why && plugin && i < sizeof(files) / sizeof(files[0]); i++)
			if (plugin_is(v, n, files[i]))
				why = "would serve files of the host; write file alone for the "
				      "disk's image, or another plugin";
		found = found || plugin;
		v += n;
	}
	return why || found ? why : "must begin with the name of a plugin";
}
