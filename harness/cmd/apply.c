/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vbench apply: a plan to a running guest, settings to the host; what is in force of them. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "apply/apply.h"
#include "base/err.h"
#include "base/file.h"
#include "base/term.h"
#include "cmd/cmd.h"
#include "place/place.h"
#include "store/store.h"

enum { PLAN_MAX = 16 << 20, WORDS_MAX = 64 };

static const char usage[] =
	"usage: vbench apply TARGET --plan FILE [OPTION]...     a plan to a running guest\n"
	"       vbench apply host KNOB=VALUE... --consent host  settings of this machine\n"
	"       vbench apply --verify [ID] [--json]             is all of it still in force?\n"
	"       vbench apply --list [--json]                    what was applied and not taken back\n"
	"\n"
	"TARGET: pid:N (a QEMU), libvirt:NAME or libvirt:URI#NAME (a running domain; only its live state is\n"
	"changed). `vbench plan TARGET --json | vbench apply TARGET --plan -` does it in one go.\n"
	"\n"
	"Every value is written down before it is changed, read back after, and taken back by `vbench revert`.\n"
	"All or nothing: when one step fails, those before it are taken back.\n"
	"\n"
	"  --plan FILE    what `vbench plan --json` wrote; - is standard input\n"
	"  --guest NAME   of the plan's guests, this one (default: the only one, or the one called as TARGET)\n"
	"  --qmp SOCKET   pid:N: ask QEMU for its threads, over that socket, instead of going by their names\n"
	"                 (which need -name ...,debug-threads=on)\n"
	"  --no-memory    leave memory on the nodes where it is\n"
	"  --dry-run      say what would be done\n"
	"  --consent WORD host: yes, change settings of the whole machine\n"
	"  --json         --verify, --list, and the record that was made, as JSON\n"
	"\n"
	"Memory is moved while the guest runs; the guest may wait for pages meanwhile. Huge pages cannot be\n"
	"given to a process that runs. Exit status of --verify: 1 when something is not as it was applied.\n"
	"\n"
	"KNOB:\n";

struct args {
	const char *plan, *guest, *qmp, *consent[WORDS_MAX];
	size_t nconsent;
	bool dry, json, verify, list, help, no_memory;
	char **rest;
	int nrest;
};

static int usage_print(void)
{
	fputs(usage, stdout);
	for (size_t i = 0; i < nknobs; i++)
		printf("  %-18s %s (%s)\n", knobs[i].name, knobs[i].help,
		       knobs[i].values ? knobs[i].values : "a number");
	return VB_OK;
}

static int say(const struct err *e)
{
	fputs("vbench apply: ", stderr);
	for (const char *p = e->text; *p; p++)
		fputc((unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p, stderr);
	fputc('\n', stderr);
	return e->status ? e->status : VB_NOT_MEASURED;
}

static char *records_dir(const char *name)
{
	char *data = store_data_dir(), *dir = xasprintf("%s/%s", data, name);

	free(data);
	return dir;
}

static bool args_parse(int argc, char **argv, struct args *a)
{
	static const struct option options[] = {
		{"plan", required_argument, NULL, 'p'},
		{"guest", required_argument, NULL, 'g'},
		{"qmp", required_argument, NULL, 'q'},
		{"no-memory", no_argument, NULL, 'm'},
		{"dry-run", no_argument, NULL, 'n'},
		{"consent", required_argument, NULL, 'c'},
		{"json", no_argument, NULL, 'j'},
		{"verify", no_argument, NULL, 'v'},
		{"list", no_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'p')
			a->plan = optarg;
		else if (c == 'g')
			a->guest = optarg;
		else if (c == 'q')
			a->qmp = optarg;
		else if (c == 'm')
			a->no_memory = true;
		else if (c == 'n')
			a->dry = true;
		else if (c == 'c' && a->nconsent < WORDS_MAX)
			a->consent[a->nconsent++] = optarg;
		else if (c == 'j')
			a->json = true;
		else if (c == 'v')
			a->verify = true;
		else if (c == 'l')
			a->list = true;
		else if (c == 'h')
			a->help = true;
		else
			return false;
	}
	a->rest = argv + optind;
	a->nrest = argc - optind;
	return true;
}

/* --- the plan --- */

/* Read as it is: by its name in /dev, a socket (what sshd gives) could not be opened. */
static int input_text(char **text, size_t *len)
{
	size_t room = 64 << 10;
	ssize_t n;

	*text = xcalloc(room, 1);
	*len = 0;
	while ((n = read(STDIN_FILENO, *text + *len, room - *len - 1)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || *len + (size_t)n > PLAN_MAX) {
			n = n < 0 ? -errno : -EFBIG;
			free(*text);
			*text = NULL;
			return (int)n;
		}
		*len += (size_t)n;
		if (room - *len < 2)
			*text = xrealloc(*text, room *= 2, 1);
	}
	(*text)[*len] = '\0';
	return 0;
}

static char *plan_text(const char *file, size_t *len, struct err *e)
{
	char *text = NULL;
	int rc = strcmp(file, "-") ? file_read(file, PLAN_MAX, &text, len) : input_text(&text, len);

	if (rc)
		err_input(e, "%s: %s", strcmp(file, "-") ? file : "standard input", strerror(-rc));
	return rc ? NULL : text;
}

static struct placed_guest *guest_pick(struct place_plan *p, const char *name, const char *target,
				       struct err *e)
{
	const char *alike = strchr(target, '#') ? strchr(target, '#') + 1 : strchr(target, ':') + 1;

	for (size_t i = 0; i < p->nguests; i++)
		if (!strcmp(p->guests[i].name, name ? name : alike))
			return &p->guests[i];
	if (!name && p->nguests == 1)
		return &p->guests[0];
	if (name)
		err_input(e, "the plan has no guest %s", name);
	else
		err_input(e, "the plan has %zu guests; say which with --guest NAME", p->nguests);
	return NULL;
}

static int target_add(struct change_set *c, const char *target, const struct placed_guest *g,
		      struct err *e)
{
	char *uri, *cut, *end;
	long pid;
	int rc;

	if (!strncmp(target, "pid:", 4)) {
		pid = strtol(target + 4, &end, 10);
		if (!target[4] || *end || pid < 2 || pid > INT32_MAX)
			return err_input(e, "%s: pid:N, with the number of a QEMU process", target);
		return changes_add_pid(c, (pid_t)pid, g, e);
	}
	uri = xstrdup(target + strlen("libvirt:"));
	cut = strchr(uri, '#');
	if (cut)
		*cut = '\0';
	rc = changes_add_domain(c, cut ? uri : NULL, cut ? cut + 1 : uri, g, e);
	free(uri);
	return rc;
}

static int guest_add(struct change_set *c, const struct args *a, const char *target, struct err *e)
{
	struct place_plan plan = {0};
	struct placed_guest *g, some;
	size_t len = 0;
	char *text;
	int rc;

	if (!a->plan)
		return err_input(
			e, "say what to apply: `vbench plan %s --json | vbench apply %s --plan -`",
			target, target);
	text = plan_text(a->plan, &len, e);
	if (!text)
		return -EINVAL;
	rc = place_parse(text, len, strcmp(a->plan, "-") ? a->plan : "standard input", &plan, e);
	free(text);
	if (rc)
		return rc;
	g = guest_pick(&plan, a->guest, target, e);
	rc = g ? 0 : -EINVAL;
	if (!rc) {
		some = *g;
		if (a->no_memory)
			some.nodes = NULL;
		if (a->qmp)
			changes_set_qmp(c, a->qmp);
		rc = target_add(c, target, &some, e);
	}
	place_plan_free(&plan);
	return rc;
}

/* --- the host --- */

static int host_add(struct change_set *c, const struct args *a, struct err *e)
{
	int rc = 0;

	if (a->nrest < 2)
		return err_input(
			e, "say which setting: vbench apply host KNOB=VALUE...; --help lists them");
	for (int i = 1; !rc && i < a->nrest; i++) {
		char *name = xstrdup(a->rest[i]), *value = strchr(name, '=');

		if (value)
			*value++ = '\0';
		rc = value ? changes_add_knob(c, name, value, e)
			   : err_input(e, "%.80s: KNOB=VALUE", a->rest[i]);
		free(name);
	}
	return rc;
}

/* The whole machine's settings are everybody's: the very command that says yes is given. */
static int host_consent(const struct args *a, struct err *e)
{
	char *words = xstrdup("");

	for (size_t i = 0; i < a->nconsent; i++) {
		if (!strcmp(a->consent[i], "host")) {
			free(words);
			return 0;
		}
	}
	for (int i = 1; i < a->nrest; i++) {
		char *more = xasprintf("%s %s", words, a->rest[i]);

		free(words);
		words = more;
	}
	err_input(
		e,
		"this changes the whole machine, for everyone on it; if you want that: vbench apply "
		"host%s --consent host",
		words);
	free(words);
	return -EINVAL;
}

static int done_say(const char *id, bool json)
{
	if (json) {
		json_t *j = json_pack("{s:s}", "id", id);

		json_dumpf(j, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(j);
	} else {
		printf("applied; take it back with: vbench revert %s\n", id);
	}
	return VB_OK;
}

static int apply(const struct args *a, const char *dir)
{
	bool host = !strcmp(a->rest[0], "host");
	struct change_set *c = NULL;
	struct err e = {0};
	char id[20];
	int rc, stop;

	if (!host && strncmp(a->rest[0], "pid:", 4) && strncmp(a->rest[0], "libvirt:", 8))
		rc = err_input(&e, "%.200s: pid:N, libvirt:NAME or host", a->rest[0]);
	else if (!host && a->nrest > 1)
		rc = err_input(&e, "one target at a time; \"%.80s\" is one too many", a->rest[1]);
	else
		rc = changes_new(dir, &c, &e);
	if (!rc)
		rc = host ? host_add(c, a, &e) : guest_add(c, a, a->rest[0], &e);
	if (!rc && host && !a->dry)
		rc = host_consent(a, &e);
	if (!rc) {
		changes_print(c, a->json && !a->dry ? stderr : stdout);
		fflush(stdout);
	}
	if (!rc && !a->dry) {
		stop = term_stop_fd();
		changes_set_stop(c, stop);
		rc = changes_apply(c, id, &e);
		if (stop >= 0)
			close(stop);
		if (!rc)
			done_say(id, a->json);
	}
	changes_free(c);
	return rc ? say(&e) : VB_OK;
}

/* --- reading back --- */

struct lines {
	json_t *list; /* NULL: as text */
};

static void line(bool ok, const char *what, void *arg)
{
	struct lines *l = arg;

	if (l->list)
		json_array_append_new(l->list, json_pack("{s:b, s:s}", "ok", ok, "what", what));
	else
		printf("%s  %s\n", ok ? "ok" : "NO", what);
}

static int verify(const struct args *a, const char *dir)
{
	struct lines l = {.list = a->json ? json_array() : NULL};
	struct err e = {0};
	int rc = changes_verify(dir, a->nrest ? a->rest[0] : "", line, &l, &e);

	if (l.list) {
		json_t *j = json_pack("{s:b, s:O}", "ok", !rc, "lines", l.list);

		json_dumpf(j, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(j);
		json_decref(l.list);
	}
	if (rc == -ESTALE)
		return VB_WORSE;
	return rc ? say(&e) : VB_OK;
}

/* What runs turned and could not put back (a kill) stands beside what was applied. */
static int list(const struct args *a, const char *dir, const char *run_dir)
{
	json_t *j, *runs;

	if (!a->json) {
		if (!(changes_list(dir, stdout) + changes_list(run_dir, stdout)))
			puts("nothing is applied");
		return VB_OK;
	}
	j = changes_json(dir);
	runs = changes_json(run_dir);
	json_array_extend(j, runs);
	json_dumpf(j, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(j);
	json_decref(runs);
	return VB_OK;
}

int cmd_apply(int argc, char **argv)
{
	struct args a = {0};
	char *dir, *run_dir;
	int status;

	if (!args_parse(argc, argv, &a)) {
		fputs("see vbench apply --help\n", stderr);
		return VB_BAD_INPUT;
	}
	if (a.help)
		return usage_print();
	if (a.verify + a.list > 1 || (a.list && a.nrest) || (a.verify && a.nrest > 1) ||
	    (!a.verify && !a.list && !a.nrest)) {
		fputs("vbench apply: a TARGET, or host, or --verify [ID], or --list; see --help\n",
		      stderr);
		return VB_BAD_INPUT;
	}
	dir = records_dir("changes");
	run_dir = records_dir("knobs");
	status = a.verify ? verify(&a, dir) : a.list ? list(&a, dir, run_dir) : apply(&a, dir);
	free(dir);
	free(run_dir);
	return status;
}
