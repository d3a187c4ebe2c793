/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vbench runs`: which runs the store holds, one of them in full, and moving them between machines.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "cmd/cmd.h"
#include "base/err.h"
#include "store/store.h"
#include "cmd/runs.h"

static const char help[] =
	"Usage: vbench runs                    list the runs, newest first\n"
	"       vbench runs show RUN           one run: cells, workloads, failed trials\n"
	"       vbench runs export RUN         write it, with its artefacts, to one file\n"
	"       vbench runs import FILE...     add runs that were exported elsewhere\n"
	"\n"
	"RUN is last, last~1, a label (its newest run), or the first digits of an id.\n"
	"\n"
	"      --db FILE     use this store instead of your own\n"
	"  -o, --out FILE    export: the bundle's name; .tar.zst, .tar.gz, .tar.xz or .tar\n"
	"                    (default: vbench-ID.tar.zst in this folder)\n"
	"      --json        print JSON\n"
	"  -h, --help        this text\n"
	"\n"
	"An imported run can be reported on and compared like one made here. Importing what is there\n"
	"already changes nothing.\n";

/* Labels, sentences and consoles come from elsewhere: a terminal gets no control characters from
 * them. */
static void put_clean(FILE *f, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	for (; *p; p++) {
		/* C1 controls are U+0080 to U+009F: C2 80 to C2 9F. */
		if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f) {
			fputc('?', f);
			p++;
		} else if ((*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7f) {
			fputc('?', f);
		} else {
			fputc(*p, f);
		}
	}
}

/* The same on one line. */
void runs_put_line(FILE *f, const char *text)
{
	char *copy = xstrdup(text ? text : ""), *p;

	for (p = copy; *p; p++)
		if (*p == '\n' || *p == '\t')
			*p = ' ';
	put_clean(f, copy);
	free(copy);
}

int runs_say(const struct err *e)
{
	fputs("vbench: ", stderr);
	put_clean(stderr, e->text);
	fputc('\n', stderr);
	return e->status ? e->status : VB_NOT_MEASURED;
}

int runs_usage(const char *why)
{
	fprintf(stderr, "vbench: runs: %s; see `vbench runs --help`\n", why);
	return VB_BAD_INPUT;
}

int runs_put_json(json_t *j)
{
	int rc = json_dumpf(j, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);

	putchar('\n');
	json_decref(j);
	return rc ? VB_NOT_MEASURED : VB_OK;
}

void runs_when_text(int64_t ns, char *buf, size_t size)
{
	time_t t = (time_t)(ns / 1000000000);
	struct tm tm;

	snprintf(buf, size, "-");
	if (ns > 0 && localtime_r(&t, &tm))
		strftime(buf, size, "%Y-%m-%d %H:%M", &tm);
}

/* What the run's meta says about the accelerator, caller frees; NULL: nothing. */
char *runs_accel(const struct store_run *r)
{
	json_t *meta = r->meta_json ? json_loads(r->meta_json, 0, NULL) : NULL, *one;
	char *all = xstrdup(json_string_value(json_object_get(meta, "accel"))), *longer;
	bool single = all != NULL;
	const char *name;
	size_t i;

	/* One for each QEMU and kernel of the run; each kind is named once. */
	json_array_foreach(json_object_get(meta, "accels"), i, one)
	{
		name = json_string_value(json_object_get(one, "accel"));
		if (single || !name || (all && strstr(all, name)))
			continue;
		longer = all ? xasprintf("%s, %s", all, name) : xstrdup(name);
		free(all);
		all = longer;
	}
	json_decref(meta);
	return all;
}

json_t *runs_text_json(const char *text)
{
	return text ? json_string(text) : json_null();
}

json_t *runs_run_json(const struct store_run *r, const struct run_counts *n)
{
	char *accel = runs_accel(r);
	json_t *j = json_object();

	json_object_set_new(j, "uuid", json_string(r->uuid));
	json_object_set_new(j, "label", runs_text_json(r->label));
	json_object_set_new(j, "profile", runs_text_json(r->profile_name));
	json_object_set_new(j, "status", runs_text_json(r->status));
	json_object_set_new(j, "accel", runs_text_json(accel));
	json_object_set_new(j, "begun_ns", json_integer(r->begun));
	json_object_set_new(j, "ended_ns", r->ended ? json_integer(r->ended) : json_null());
	json_object_set_new(j, "trials_planned", json_integer(r->trials));
	json_object_set_new(j, "trials_ok", json_integer(n->ok));
	json_object_set_new(j, "trials_failed", json_integer(n->failed));
	json_object_set_new(j, "trials_limit", json_integer(n->limited));
	json_object_set_new(j, "host", json_string(r->host_id));
	free(accel);
	return j;
}

/* A table: cells of text, columns as wide as their longest. */
#define COLUMNS 9
struct table {
	char *(*rows)[COLUMNS];
	size_t n;
};

/* Columns a text takes: characters, which here are never wider than one. */
static int width_of(const char *text)
{
	int w = 0;

	for (; *text; text++)
		w += ((unsigned char)*text & 0xc0) != 0x80;
	return w;
}

static void table_print(const struct table *t)
{
	int width[COLUMNS] = {0}, c, w;
	size_t i;

	for (i = 0; i < t->n; i++)
		for (c = 0; c < COLUMNS; c++)
			if ((w = width_of(t->rows[i][c])) > width[c])
				width[c] = w;
	for (i = 0; i < t->n; i++) {
		for (c = 0; c < COLUMNS; c++) {
			bool number = c >= 4 && c <= 7;
			int pad = width[c] - width_of(t->rows[i][c]);

			printf("%*s", c ? 2 : 0, "");
			if (number)
				printf("%*s", pad, "");
			runs_put_line(stdout, t->rows[i][c]);
			if (!number && c < COLUMNS - 1)
				printf("%*s", pad, "");
		}
		putchar('\n');
	}
}

static void table_free(struct table *t)
{
	size_t i;
	int c;

	for (i = 0; i < t->n; i++)
		for (c = 0; c < COLUMNS; c++)
			free(t->rows[i][c]);
	free(t->rows);
}

/* Digits of an id that tell all listed runs apart, at least 8. */
static int id_digits(const struct store_run *runs, size_t n)
{
	int digits = 8;
	size_t i, k;

	for (i = 0; i < n; i++)
		for (k = i + 1; k < n; k++)
			while (digits < 36 && !strncmp(runs[i].uuid, runs[k].uuid, (size_t)digits))
				digits++;
	return digits;
}

static void table_run(struct table *t, const struct store_run *r, int digits,
		      const struct run_counts *n)
{
	char **row = t->rows[t->n++], when[32];
	char *accel = runs_accel(r);

	runs_when_text(r->begun, when, sizeof(when));
	row[0] = xasprintf("%.*s", digits, r->uuid);
	row[1] = xstrdup(r->label && *r->label ? r->label : "-");
	row[2] = xstrdup(r->profile_name ? r->profile_name : "-");
	row[3] = xstrdup(when);
	row[4] = xasprintf("%u", n->ok);
	row[5] = xasprintf("%u", n->failed);
	row[6] = xasprintf("%u", n->limited);
	row[7] = xasprintf("%u", r->trials);
	row[8] = xasprintf("%s%s%s", r->status ? r->status : "-", accel ? ", " : "",
			   accel ? accel : "");
	free(accel);
}

static int list_none(const struct ask *a)
{
	if (a->json)
		return runs_put_json(json_array());
	fprintf(stderr,
		"No runs yet in %s. `vbench run` makes the first, --db FILE names another store.\n",
		a->db);
	return VB_OK;
}

static int list_print(const struct ask *a, struct store *s, const struct store_run *runs, size_t n,
		      struct err *e)
{
	static const char *const head[COLUMNS] = {"RUN",    "LABEL", "PROFILE", "BEGUN", "OK",
						  "FAILED", "LIMIT", "PLANNED", "STATUS"};
	struct table t = {.rows = xcalloc(n + 1, sizeof(*t.rows)), .n = 1};
	int digits = id_digits(runs, n), rc = 0;
	json_t *all = json_array();
	struct run_counts c;
	size_t i;

	for (i = 0; i < COLUMNS; i++)
		t.rows[0][i] = xstrdup(head[i]);
	for (i = 0; !rc && i < n; i++) {
		rc = store_trial_counts(s, runs[i].uuid, &c.ok, &c.failed, &c.limited, e);
		if (rc)
			break;
		table_run(&t, &runs[i], digits, &c);
		json_array_append_new(all, runs_run_json(&runs[i], &c));
	}
	if (rc)
		rc = runs_say(e);
	else if (a->json)
		rc = runs_put_json(json_incref(all));
	else
		table_print(&t);
	json_decref(all);
	table_free(&t);
	return rc;
}

static int runs_list(const struct ask *a)
{
	struct store_run *runs = NULL;
	struct store *s = NULL;
	struct err e = {0};
	size_t n = 0;
	int rc;

	rc = store_open(a->db, false, &s, &e);
	if (rc == -ENOENT)
		return list_none(a);
	if (!rc)
		rc = store_runs(s, &runs, &n, &e);
	if (rc)
		rc = runs_say(&e);
	else if (!n)
		rc = list_none(a);
	else
		rc = list_print(a, s, runs, n, &e);
	store_runs_free(runs, n);
	store_close(s);
	return rc;
}

static int runs_export(const struct ask *a)
{
	struct store_run run = {0};
	struct store *s = NULL;
	struct err e = {0};
	char *file = NULL;
	int rc;

	if (a->nargs != 1)
		return runs_usage("export needs one run, as in `vbench runs export last`");
	rc = store_open(a->db, false, &s, &e);
	if (!rc)
		rc = store_run_find(s, a->args[0], &run, &e);
	if (!rc) {
		file = a->out ? xstrdup(a->out) : xasprintf("vbench-%.8s.tar.zst", run.uuid);
		rc = store_export(s, run.uuid, file, &e);
	}
	if (rc)
		rc = runs_say(&e);
	else if (a->json)
		rc = runs_put_json(json_pack("{s:s, s:s}", "uuid", run.uuid, "file", file));
	else
		printf("%s\n", file);
	free(file);
	store_run_free(&run);
	store_close(s);
	return rc;
}

static int import_one(const struct ask *a, struct store *s, const char *file, const char *runs_dir,
		      json_t *all)
{
	struct err e = {0};
	char uuid[37];
	int rc = store_import(s, file, runs_dir, uuid, &e);

	if (rc < 0)
		return runs_say(&e);
	json_array_append_new(
		all, json_pack("{s:s, s:s, s:b}", "uuid", uuid, "file", file, "imported", !rc));
	if (!a->json)
		printf(rc ? "%s: run %s is there already, and equal; nothing changed\n"
			  : "%s: imported run %s\n",
		       file, uuid);
	return VB_OK;
}

static int runs_import(const struct ask *a)
{
	char *runs_dir = store_runs_dir(a->db);
	json_t *all = json_array();
	struct store *s = NULL;
	struct err e = {0};
	int rc, one, i;

	if (!a->nargs) {
		rc = runs_usage(
			"import needs the file of a bundle, as in `vbench runs import FILE`");
	} else {
		rc = store_open(a->db, true, &s, &e);
		if (rc)
			rc = runs_say(&e);
	}
	/* One bad bundle does not keep the others out. */
	for (i = 0; s && i < a->nargs; i++) {
		one = import_one(a, s, a->args[i], runs_dir, all);
		if (!rc)
			rc = one;
	}
	if (s && a->json)
		runs_put_json(json_incref(all));
	json_decref(all);
	store_close(s);
	free(runs_dir);
	return rc;
}

static const struct verb {
	const char *name;
	int (*fn)(const struct ask *a);
} verbs[] = {{"show", runs_show}, {"export", runs_export}, {"import", runs_import}};

static int dispatch(struct ask *a)
{
	const char *verb;
	size_t i;

	if (!a->nargs)
		return a->out ? runs_usage("--out belongs to export") : runs_list(a);
	verb = *a->args++;
	a->nargs--;
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].name, verb))
			continue;
		if (a->out && verbs[i].fn != runs_export)
			return runs_usage("--out belongs to export");
		return verbs[i].fn(a);
	}
	fputs("vbench: runs: \"", stderr);
	runs_put_line(stderr, verb);
	fputs("\" is not one of show, export, import; see `vbench runs --help`\n", stderr);
	return VB_BAD_INPUT;
}

int cmd_runs(int argc, char **argv)
{
	static const struct option options[] = {{"db", required_argument, NULL, 'd'},
						{"out", required_argument, NULL, 'o'},
						{"json", no_argument, NULL, 'j'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	struct ask a = {0};
	int c, rc;

	optind = 0; /* main may have used getopt before */
	while ((c = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		switch (c) {
		case 'd':
			free(a.db);
			a.db = xstrdup(optarg);
			break;
		case 'o':
			a.out = optarg;
			break;
		case 'j':
			a.json = true;
			break;
		case 'h':
			free(a.db);
			return fputs(help, stdout) < 0 ? VB_NOT_MEASURED : VB_OK;
		default:
			free(a.db);
			return runs_usage("that option cannot be used so");
		}
	}
	if (!a.db)
		a.db = store_default_db();
	a.args = argv + optind;
	a.nargs = argc - optind;
	rc = dispatch(&a);
	free(a.db);
	if (fflush(stdout) && rc == VB_OK) {
		fprintf(stderr, "vbench: runs: standard output: %s\n", strerror(errno));
		rc = VB_NOT_MEASURED;
	}
	return rc;
}
