// SPDX-License-Identifier: GPL-2.0-or-later
/* A topology from a text that may be anything. hwloc's XML reader recurses as deep as its input
 * does, makes bitmaps as long as a CPU's number says, and takes attributes that are missing for
 * there. */
#include <errno.h>
#include <fcntl.h>
#include <hwloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "host/gather.h"

/* hwloc's export of the largest machines stays far below: some 30 levels, a few thousand CPUs, and
 * two or three objects for each. */
enum { DEPTH_MAX = 128, TAGS_MAX = 1 << 18, NUMBER_MAX = 1 << 14, VALUE_MAX = 1 << 14 };

static const char *const broken = "is not well-formed";

/* What hwloc writes, and no entity that would have to be defined. */
static bool is_plain(const char *p, const char *end)
{
	static const char *const known[] = {"&amp;",  "&lt;", "&gt;",  "&quot;",
					    "&apos;", "&#9;", "&#10;", "&#13;"};

	for (; p < end; p++) {
		bool plain = *p != '&';

		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && !plain; i++)
			plain = !strncmp(p, known[i], strlen(known[i]));
		if (!plain)
			return false;
	}
	return true;
}

static bool is_word(const char *p, const char *end, const char *word)
{
	return (size_t)(end - p) == strlen(word) && !strncmp(p, word, (size_t)(end - p));
}

/* What a tag says of itself. */
struct tag {
	bool big;   /* a number above all */
	bool bits;  /* of that kind which has its bit in sets: CPUs and nodes */
	bool index; /* the number of one */
};

/* As hwloc's reader takes it: "pu" and "numa" are types, too. */
static bool has_bits(const char *value, size_t len)
{
	hwloc_obj_type_t type;
	char name[32];

	if (len >= sizeof(name))
		return false;
	memcpy(name, value, len);
	name[len] = '\0';
	return !hwloc_type_sscanf(name, &type, NULL, 0) &&
	       (type == HWLOC_OBJ_PU || type == HWLOC_OBJ_NUMANODE);
}

/* One name="value"; *at moves behind it. */
static const char *attribute_check(const char **at, struct tag *t)
{
	const char *name = *at, *end = name + strcspn(name, "= \t\r\n<>/\"'"), *p, *close;
	size_t len;

	p = end + strspn(end, " \t\r\n");
	if (end == name || *p != '=')
		return broken;
	p += 1 + strspn(p + 1, " \t\r\n");
	close = *p == '"' || *p == '\'' ? strchr(p + 1, *p) : NULL;
	if (!close)
		return broken;
	*at = close + 1;
	len = (size_t)(close - ++p);
	if (len > VALUE_MAX)
		return "has a value that is longer than any of a machine";
	if (memchr(p, '<', len) || !is_plain(p, close))
		return "has entities, of which hwloc writes none";
	if (is_word(name, end, "type"))
		t->bits |= has_bits(p, len);
	t->index |= is_word(name, end, "os_index");
	if (is_word(name, end, "os_index") && strtoull(p, NULL, 10) >= NUMBER_MAX)
		t->big = true;
	if (is_word(name, end, "nbobjs") && strtoull(p, NULL, 10) >= NUMBER_MAX)
		t->big = t->bits = true;
	return NULL;
}

/* A tag from behind its "<"; *at moves behind its ">". */
static const char *tag_check(const char **at, int *depth)
{
	bool closes = **at == '/';
	const char *name = *at + closes, *p = name + strcspn(name, " \t\r\n<>/\"'"), *why;
	bool object = is_word(name, p, "object");
	struct tag t = {0};

	for (;;) {
		p += strspn(p, " \t\r\n");
		if (*p == '>' || (*p == '/' && p[1] == '>'))
			break;
		why = attribute_check(&p, &t);
		if (why)
			return why;
	}
	if (t.big && t.bits)
		return "numbers CPUs or nodes higher than any machine does";
	/* to hwloc, no number is the highest */
	if (object && t.bits && !t.index)
		return "has CPUs or nodes without a number";
	*depth += closes ? -1 : *p == '>';
	*at = p + 1 + (*p == '/');
	return *depth < 0	    ? broken
	       : *depth > DEPTH_MAX ? "is nested deeper than any machine is"
				    : NULL;
}

/* The two lines that hwloc begins with; anything else there, such as an encoding of its own or a
 * DTD, is not skipped, and found wrong later. */
static const char *head_skip(const char *p)
{
	static const char *const heads[] = {"<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
					    "<?xml version=\"1.0\"?>",
					    "<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">",
					    "<!DOCTYPE topology SYSTEM \"hwloc.dtd\">"};

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		p += strspn(p, " \t\r\n");
		if (!strncmp(p, heads[i], strlen(heads[i])))
			p += strlen(heads[i]);
	}
	return p;
}

const char *host_topology_odd(const char *xml)
{
	const char *newer = strstr(xml, "<topology version=\""), *p = head_skip(xml), *why = NULL;
	unsigned tags = 0;
	int depth = 0;

	/* its own version is the first number: 2.0, 3.0 */
	if (newer && strtoul(newer + 19, NULL, 10) > HWLOC_API_VERSION >> 16)
		return "is of a newer hwloc than this program has";
	while (!why) {
		const char *open = p + strcspn(p, "<");

		if (!is_plain(p, open))
			return "has entities, of which hwloc writes none";
		if (!*open)
			return depth || !tags ? broken : NULL;
		p = open + 1;
		if (*p == '!' || *p == '?')
			return "has declarations or comments, of which hwloc writes none";
		if (tags++ > TAGS_MAX)
			return "has more objects than any machine";
		why = tag_check(&p, &depth);
	}
	return why;
}

int host_topology_load(const char *xml, struct hwloc_topology **out)
{
	hwloc_topology_t t;

	if (hwloc_topology_init(&t) < 0)
		return -ENOMEM;
	if (hwloc_topology_set_xmlbuffer(t, xml, (int)strlen(xml) + 1) < 0 ||
	    hwloc_topology_set_flags(t, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED) < 0 ||
	    hwloc_topology_set_io_types_filter(t, HWLOC_TYPE_FILTER_KEEP_IMPORTANT) < 0 ||
	    hwloc_topology_load(t) < 0) {
		hwloc_topology_destroy(t);
		return -EINVAL;
	}
	*out = t;
	return 0;
}

/* The child: whatever happens to it, its parent sees only how it ended. */
static void try_load(const char *xml)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU, SIGALRM};
	const struct rlimit none = {0, 0}, seconds = {20, 20};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct hwloc_topology *t;

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_DFL);
	setrlimit(RLIMIT_CORE, &none);
	setrlimit(RLIMIT_CPU, &seconds);
	alarm(60);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	if (host_topology_load(xml, &t))
		_exit(1);
	/* aborts where objects, sets and levels do not fit each other */
	hwloc_topology_check(t);
	_exit(0);
}

int host_topology_try(const char *xml)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid)
		try_load(xml);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status ? -EINVAL : 0;
}
