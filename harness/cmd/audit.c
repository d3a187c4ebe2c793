// SPDX-License-Identifier: GPL-2.0-or-later
/* vbench audit: a virtual machine, or the host, held against documented practice. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/err.h"
#include "cmd/cmd.h"
#include "reports/audit_html.h"
#include "tuner/audit.h"
#include "vm/read.h"

enum { OTHERS_MAX = 256 };

static const char usage[] =
	"usage: vbench audit TARGET|host [OPTION...]\n"
	"       vbench audit --list\n"
	"\n"
	"Holds a virtual machine and its host against documented practice (vbench help rules), and says of each\n"
	"rule whether it is followed, what was found where, and what to change. Nothing is changed or disturbed.\n"
	"\n"
	"TARGET: libvirt:NAME, libvirt:URI#NAME, pid:N, qm:ID, a file with a libvirt domain, a QEMU command line or\n"
	"a profile, - for standard input; host: this host alone\n"
	"\n"
	"  --snapshot FILE   the host that it is to run on, as `vbench host --save` wrote it\n"
	"  --here            it is to run on this host (so it is anyway for what runs here, and for profiles)\n"
	"  --others TARGET   another machine of that host (again for more); without it, those that run here are found\n"
	"  --for WORDS       what matters: latency, dense, realtime, migration (with commas)\n"
	"  --rules WHICH     a set (all, ovirt-hp, ...) or ids with commas; default: all\n"
	"  --all             show rules that are followed, and that do not apply, too\n"
	"  --strict          exit with 1 for rules of weight \"may\" too\n"
	"  --format FORMAT   text, json, html or tap; --json: the same as --format json\n"
	"  -o FILE           write there\n"
	"  --list            the rules, their weights and titles (with --rules: of that set); --json\n"
	"\n"
	"Exit status: 0 nothing is broken; 1 a rule of weight \"must\" or \"should\" is; 2 bad input; 4 could not look.\n";

struct audit_cmd {
	const char *target, *snapshot, *rules, *format, *out;
	const char *others[OTHERS_MAX];
	size_t nothers;
	bool here, all, strict, list, help;
	struct subject subject; /* its words of --for */
};

static int read_for(struct subject *s, const char *words, struct err *e)
{
	char *copy = xstrdup(words), *save = NULL;
	int rc = 0;

	for (char *w = strtok_r(copy, ", ", &save); w && !rc; w = strtok_r(NULL, ", ", &save)) {
		bool *known = !strcmp(w, "latency")	? &s->latency
			      : !strcmp(w, "dense")	? &s->dense
			      : !strcmp(w, "realtime")	? &s->realtime
			      : !strcmp(w, "migration") ? &s->migration
							: NULL;

		if (known)
			*known = true;
		else
			rc = err_input(
				e, "--for %.40s: takes latency, dense, realtime and migration", w);
	}
	free(copy);
	return rc;
}

static int read_options(int argc, char **argv, struct audit_cmd *a, struct err *e)
{
	static const struct option options[] = {
		{"snapshot", required_argument, NULL, 's'},
		{"here", no_argument, NULL, 'H'},
		{"others", required_argument, NULL, 'O'},
		{"for", required_argument, NULL, 'f'},
		{"rules", required_argument, NULL, 'r'},
		{"all", no_argument, NULL, 'a'},
		{"strict", no_argument, NULL, 'S'},
		{"format", required_argument, NULL, 'F'},
		{"json", no_argument, NULL, 'j'},
		{"output", required_argument, NULL, 'o'},
		{"list", no_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c, rc = 0;

	optind = 0;
	while (!rc && (c = getopt_long(argc, argv, "ho:", options, NULL)) != -1) {
		if (c == 's')
			a->snapshot = optarg;
		else if (c == 'H')
			a->here = true;
		else if (c == 'O' && a->nothers < OTHERS_MAX)
			a->others[a->nothers++] = optarg;
		else if (c == 'f')
			rc = read_for(&a->subject, optarg, e);
		else if (c == 'r')
			a->rules = optarg;
		else if (c == 'a')
			a->all = true;
		else if (c == 'S')
			a->strict = true;
		else if (c == 'F')
			a->format = optarg;
		else if (c == 'j')
			a->format = "json";
		else if (c == 'o')
			a->out = optarg;
		else if (c == 'l')
			a->list = true;
		else if (c == 'h')
			a->help = true;
		else
			rc = err_input(e, "see `vbench audit --help`");
	}
	if (!rc && optind < argc)
		a->target = argv[optind++];
	if (!rc && optind < argc)
		rc = err_input(
			e,
			"one TARGET at a time, \"%.60s\" is one too many; other machines of the "
			"same host go to --others",
			argv[optind]);
	return rc;
}

static int check_options(const struct audit_cmd *a, struct err *e)
{
	static const char *const formats[] = {"text", "json", "html", "tap"};
	bool known = false;

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		known |= !strcmp(a->format, formats[i]);
	if (!known)
		return err_input(e, "--format %.40s: takes text, json, html and tap", a->format);
	if (a->list && a->target)
		return err_input(e, "--list goes without a TARGET");
	if (!a->list && !a->target)
		return err_input(e,
				 "which machine? A TARGET, or \"host\"; see `vbench audit --help`");
	return 0;
}

/* --- --list --- */

static json_t *list_json(const struct audit *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < a->n; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:s*}", "id", a->list[i].rule->id,
					"weight", rule_weight_name(a->list[i].rule->weight),
					"title", a->list[i].text ? a->list[i].text->title : "",
					"key", a->list[i].rule->key));
	return list;
}

static void list_text(const struct audit *a, FILE *out)
{
	for (size_t i = 0; i < a->n; i++)
		fprintf(out, "%-8s %-7s %s\n", a->list[i].rule->id,
			rule_weight_name(a->list[i].rule->weight),
			a->list[i].text ? a->list[i].text->title : "");
	fprintf(out, "\n%zu rules; vbench help ID prints one. Sets for --rules:\n", a->n);
	for (const struct rule_set *s = rule_sets; s->name; s++)
		fprintf(out, "  %-12s %s\n", s->name, s->help);
}

/* --- what is looked at --- */

/* The machines that the subject points to. */
struct machines {
	struct vm *list[OTHERS_MAX];
	size_t n;
};

static void machines_free(struct machines *m)
{
	for (size_t i = 0; i < m->n; i++)
		vm_free(m->list[i]);
	m->n = 0;
}

static int machines_named(const struct audit_cmd *a, struct machines *m, struct err *e)
{
	for (size_t i = 0; i < a->nothers; i++) {
		int rc = vm_open(a->others[i], &m->list[m->n], e);

		if (rc < 0)
			return err_prefix(e, "--others");
		m->n++;
	}
	return 0;
}

static bool is_qemu(const char *pid)
{
	char path[64], comm[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(comm, sizeof(comm), f))
		comm[0] = '\0';
	fclose(f);
	return !strncmp(comm, "qemu-system-", 12) || !strncmp(comm, "qemu-kvm", 8) ||
	       !strcmp(comm, "kvm\n");
}

/* A description and the process that was made of it are one machine. */
static bool is_same(const struct vm *a, const struct vm *b)
{
	const char *ua = vm_get(a, VM_ASKED, "uuid"), *ub = vm_get(b, VM_ASKED, "uuid");

	return ua && ub ? !strcasecmp(ua, ub) : !strcmp(a->name, b->name);
}

/* The other machines that run here, as far as they can be read. */
static void machines_here(const struct vm *vm, struct machines *m)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;

	while (proc && m->n < OTHERS_MAX && (d = readdir(proc))) {
		int pid = isdigit((unsigned char)d->d_name[0]) ? atoi(d->d_name) : 0;

		if (pid <= 0 || (vm && pid == vm->pid) || !is_qemu(d->d_name) ||
		    vm_read_pid(pid, &m->list[m->n], NULL) < 0)
			continue;
		if (vm && is_same(vm, m->list[m->n]))
			vm_free(m->list[m->n]);
		else
			m->n++;
	}
	if (proc)
		closedir(proc);
}

static bool is_profile(const char *target)
{
	size_t len = strcspn(target, "#"); /* FILE.ini#CELL */

	return len > 4 && !strncmp(target + len - 4, ".ini", 4);
}

static int open_subject(const struct audit_cmd *a, struct subject *s, struct vm **vm,
			struct snapshot **host, struct err *e)
{
	int rc = a->snapshot ? snapshot_load(a->snapshot, host, e) : snapshot_take(host, e);

	if (!rc && strcmp(a->target, "host") != 0)
		rc = vm_open(a->target, vm, e);
	if (rc < 0)
		return rc;
	*s = a->subject;
	s->vm = *vm;
	s->host = *host;
	s->here = !*vm || a->here || a->snapshot || (*vm)->running || is_profile(a->target);
	return 0;
}

/* --- output --- */

static int put_audit(const struct audit_cmd *cmd, const struct audit *a, FILE *out, struct err *e)
{
	json_t *json;
	int rc = 0;

	if (!strcmp(cmd->format, "html"))
		return audit_html(a, out, e);
	if (!strcmp(cmd->format, "tap")) {
		audit_tap(a, out);
	} else if (!strcmp(cmd->format, "json")) {
		json = cmd->list ? list_json(a) : audit_json(a);
		rc = json_dumpf(json, out, JSON_INDENT(2));
		fputc('\n', out);
		json_decref(json);
	} else if (cmd->list) {
		list_text(a, out);
	} else {
		audit_text(a, cmd->all, out);
	}
	return rc ? err_set(e, -EIO, "the result could not be written") : 0;
}

/* To standard output, or to a file that is not there in part. */
static int write_audit(const struct audit_cmd *cmd, const struct audit *a, struct err *e)
{
	FILE *out = cmd->out ? fopen(cmd->out, "we") : stdout;
	int rc;

	if (!out)
		return err_input(e, "%s: %s", cmd->out, strerror(errno));
	rc = put_audit(cmd, a, out, e);
	if (cmd->out && ((ferror(out) != 0) | (fclose(out) != 0)) && !rc)
		rc = err_set(e, -EIO, "%s: could not be written: %s", cmd->out, strerror(errno));
	if (cmd->out && rc)
		unlink(cmd->out);
	return rc;
}

static int audit_target(const struct audit_cmd *cmd, struct err *e)
{
	struct snapshot *host = NULL;
	struct machines m = {.n = 0};
	struct audit a = {0};
	struct vm *vm = NULL;
	struct subject s;
	int status = VB_OK, rc = open_subject(cmd, &s, &vm, &host, e);

	if (!rc)
		rc = machines_named(cmd, &m, e);
	if (!rc && s.here && !cmd->snapshot && !cmd->nothers)
		machines_here(vm, &m);
	if (!rc) {
		s.others = (const struct vm *const *)m.list;
		s.nothers = m.n;
		rc = audit_run(&s, cmd->rules, &a, e);
	}
	if (!rc)
		rc = write_audit(cmd, &a, e);
	if (!rc)
		status = audit_status(&a, cmd->strict);
	audit_free(&a);
	machines_free(&m);
	vm_free(vm);
	if (host)
		snapshot_free(host);
	return rc < 0 ? err_exit(e) : status;
}

static int list_rules(const struct audit_cmd *cmd, struct err *e)
{
	struct audit a = {0};
	int rc = audit_select(cmd->rules, &a, e);

	if (!rc)
		rc = write_audit(cmd, &a, e);
	audit_free(&a);
	return rc < 0 ? err_exit(e) : VB_OK;
}

int cmd_audit(int argc, char **argv)
{
	struct audit_cmd a = {.rules = "all", .format = "text"};
	struct err e = {0};

	if (read_options(argc, argv, &a, &e) < 0)
		return err_exit(&e);
	if (a.help)
		return fputs(usage, stdout) < 0 ? VB_NOT_MEASURED : VB_OK;
	if (check_options(&a, &e) < 0)
		return err_exit(&e);
	return a.list ? list_rules(&a, &e) : audit_target(&a, &e);
}
