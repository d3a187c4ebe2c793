// SPDX-License-Identifier: GPL-2.0-or-later
/* QEMU's command line for the small guest. The disk is never on it: it is plugged later. */
#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/term.h"
#include "guest-agent/wire.h"
#include "guest/machine.h"
#include "guest/qmp.h"

/*
 * libvirt's setting since 2018. spawn=deny is why templates are saved through file descriptors; see
 * qemu-options,
 * "-sandbox".
 */
#define SANDBOX "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

static const struct target_row targets[] = {
	{"x86_64", "qemu-system-x86_64", "isa-serial",
	 "console=ttyS0 8250.nr_uarts=1 i8042.noaux no_timer_check",
	 /* else Linux takes the HPET, whose every reading is an exit: it cost 30 % of the IOPS that
	    fio saw */
	 "tsc=reliable"},
};

/* panic=-1 with -no-reboot ends QEMU at once, so that a panic is seen; quiet keeps the serial line
 * out of the boot time. */
#define APPEND_COMMON "quiet panic=-1 oops=panic random.trust_cpu=on cryptomgr.notests"

/* Absolute path of a program, searched in PATH if it has no slash; NULL if there is none. */
static char *find_program(const char *name)
{
	char *path, *dir, *save = NULL, *found = NULL;

	if (strchr(name, '/'))
		return access(name, X_OK) ? NULL : realpath(name, NULL);
	path = xstrdup(getenv("PATH") ? getenv("PATH") : "/usr/local/bin:/usr/bin:/bin");
	for (dir = strtok_r(path, ":", &save); dir && !found; dir = strtok_r(NULL, ":", &save)) {
		char *p = xasprintf("%s/%s", dir, name);

		if (!access(p, X_OK))
			found = xstrdup(p);
		free(p);
	}
	free(path);
	return found;
}

static int qemu_ask(struct qmp *q, const char *machine, struct qemu_info *out, struct err *e)
{
	uint64_t deadline = clock_mono_ns() + 20000000000ull;
	json_t *r = NULL, *row;
	const char *pkg;
	size_t i;
	int rc = qmp_greet(q, deadline, e);

	if (!rc)
		rc = qmp_call(q, "query-version", NULL, -1, deadline, &r, e);
	if (rc)
		return rc;
	{
		json_t *v = json_object_get(r, "qemu");
		int major = (int)json_integer_value(json_object_get(v, "major"));
		int minor = (int)json_integer_value(json_object_get(v, "minor"));

		pkg = json_string_value(json_object_get(r, "package"));
		out->version = xasprintf("%d.%d.%d%s%s", major, minor,
					 (int)json_integer_value(json_object_get(v, "micro")),
					 pkg && *pkg ? " " : "", pkg ? pkg : "");
		if (major < 6 || (major == 6 && minor < 2))
			rc = err_input(e,
				       "%s is QEMU %d.%d; vbench needs 6.2 or later (JSON -device)",
				       out->path, major, minor);
	}
	json_decref(r);
	if (!rc)
		rc = qmp_call(q, "query-machines", NULL, -1, deadline, &r, e);
	if (rc)
		return rc;
	json_array_foreach(r, i, row)
	{
		const char *name = json_string_value(json_object_get(row, "name"));
		const char *alias = json_string_value(json_object_get(row, "alias"));

		if (name && (!strcmp(name, machine) || (alias && !strcmp(alias, machine))))
			out->machine = xstrdup(name);
	}
	json_decref(r);
	if (!out->machine)
		return err_input(e,
				 "guest.machine: %s knows no machine \"%s\" (see %s -machine help)",
				 out->path, machine, out->path);
	rc = qmp_call(q, "query-kvm", NULL, -1, deadline, &r, e);
	if (rc)
		return rc;
	out->kvm_built = json_is_true(json_object_get(r, "present"));
	json_decref(r);
	return 0;
}

/* Which file really runs: a wrapper script has executed it by the time it greets. */
static void qemu_binary(pid_t pid, struct qemu_info *out)
{
	char link[64], exe[4096];
	struct stat st = {0};
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	n = readlink(link, exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = 0;
	out->exe = n > 0 ? xstrdup(exe) : realpath(out->path, NULL);
	if (!out->exe)
		out->exe = xstrdup(out->path);
	stat(out->exe, &st);
	out->build = xasprintf("%lld bytes, mtime %lld.%09ld, inode %llu", (long long)st.st_size,
			       (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
			       (unsigned long long)st.st_ino);
}

int qemu_info_get(const char *qemu, const char *machine, struct qemu_info *out, struct err *e)
{
	struct qmp q = {.fd = -1};
	struct child child = {.pidfd = -1};
	char chardev[64], *slash;
	int sv[2], rc;

	*out = (struct qemu_info){.path = find_program(qemu)};
	if (!out->path)
		return err_input(
			e,
			"guest.qemu: no program \"%s\"; install qemu-system-x86 or name its path",
			qemu);
	slash = strrchr(out->path, '/');
	out->img = xasprintf("%.*s/qemu-img", (int)(slash - out->path), out->path);
	if (access(out->img, X_OK)) {
		free(out->img);
		out->img = find_program("qemu-img");
	}
	if (!out->img)
		return err_input(e, "no qemu-img beside %s nor in PATH; install qemu-utils",
				 out->path);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		return err_set(e, -errno, "socketpair: %s", strerror(errno));
	snprintf(chardev, sizeof(chardev), "socket,id=qmp,fd=%d", sv[1]);
	{
		const char *argv[] = {out->path,
				      "-M",
				      "none",
				      "-nodefaults",
				      "-no-user-config",
				      "-display",
				      "none",
				      "-S",
				      "-chardev",
				      chardev,
				      "-mon",
				      "chardev=qmp,mode=control",
				      NULL};
		struct child_opts o = {.argv = argv,
				       .in = -1,
				       .out = -1,
				       .err = -1,
				       .keep = &sv[1],
				       .nkeep = 1,
				       .own_group = true};

		rc = child_start(&child, &o, e);
	}
	close(sv[1]);
	qmp_init(&q, sv[0]);
	if (!rc) {
		rc = qemu_ask(&q, machine, out, e);
		if (!rc)
			qemu_binary(child.pid, out);
		if (rc)
			err_prefix(e, "%s", out->path);
	}
	child_end(&child, 0, NULL);
	qmp_free(&q);
	if (rc)
		qemu_info_free(out);
	return rc;
}

void qemu_info_free(struct qemu_info *i)
{
	free(i->path);
	free(i->exe);
	free(i->build);
	free(i->img);
	free(i->version);
	free(i->machine);
	*i = (struct qemu_info){0};
}

int qemu_user(const char *name, struct child_user *out, struct err *e)
{
	bool any = !name || !strcmp(name, "auto");
	struct passwd *pw;
	struct group *gr;
	struct stat st;

	*out = (struct child_user){.uid = (uid_t)-1, .gid = (gid_t)-1};
	if (geteuid()) {
		if (!any)
			return err_input(
				e, "host.user: only root can run QEMU as \"%s\"; leave it out",
				name);
		return 0;
	}
	pw = getpwnam(any ? "vbench" : name);
	if (!pw && any)
		pw = getpwnam("nobody");
	if (!pw)
		return err_input(e, "host.user: no user \"%s\" on this machine",
				 any ? "nobody" : name);
	if (!pw->pw_uid)
		return err_input(e, "host.user: QEMU is not run as root; name another user");
	out->uid = pw->pw_uid;
	out->gid = pw->pw_gid;
	gr = getgrnam("kvm");
	if (gr)
		out->groups[out->ngroups++] = gr->gr_gid;
	/* some distributions give the device to another group */
	if (!stat("/dev/kvm", &st) && st.st_gid && (!gr || st.st_gid != gr->gr_gid))
		out->groups[out->ngroups++] = st.st_gid;
	return 0;
}

void machine_make(struct machine *m, const struct cell *c, const struct qemu_info *info,
		  const char *accel, const char *vmlinuz, const char *initramfs)
{
	const char *cpu = cell_get(c, K_CPU);

	*m = (struct machine){
		.qemu = *info, .accel = accel, .vmlinuz = vmlinuz, .initramfs = initramfs};
	m->cpu = cpu && strcmp(cpu, "auto") ? cpu : !strcmp(accel, "kvm") ? "host" : "max";
	m->vcpus = (unsigned)cell_u64(c, K_VCPUS);
	m->memory = cell_u64(c, K_MEMORY);
	m->sandbox = cell_on(c, K_SANDBOX);
	/* under KVM the guest has kvm-clock, and the host decides how good its TSC is */
	m->append = strcmp(accel, "tcg") ? "" : targets[0].tcg_args;
}

struct args {
	char **v;
	size_t n, cap;
};

static void arg(struct args *a, char *owned)
{
	if (a->n + 2 > a->cap) {
		a->cap = a->cap ? a->cap * 2 : 64;
		a->v = xrealloc(a->v, a->cap, sizeof(*a->v));
	}
	a->v[a->n++] = owned;
	a->v[a->n] = NULL;
}

static void arg2(struct args *a, const char *opt, char *owned)
{
	arg(a, xstrdup(opt));
	arg(a, owned);
}

static char *fd_text(const char *name, int fd, bool show)
{
	return show ? xasprintf("%s-socket", name) : xasprintf("%d", fd);
}

/* A character device on an inherited socket; shown as a socket in the current folder that one can
 * listen on. */
static void arg_chardev(struct args *a, const char *id, int fd, bool show)
{
	char *t = fd_text(id, fd, show);

	if (show)
		arg2(a, "-chardev", xasprintf("socket,id=%s,path=%s,server=on,wait=off", id, t));
	else
		arg2(a, "-chardev", xasprintf("socket,id=%s,fd=%s", id, t));
	free(t);
}

char **machine_argv(const struct machine *m, const struct machine_fds *fds, bool show)
{
	struct args a = {0};
	unsigned i;

	arg(&a, xstrdup(m->qemu.path));
	arg2(&a, "-name", xstrdup("vbench,debug-threads=on"));
	arg(&a, xstrdup("-nodefaults"));
	arg(&a, xstrdup("-no-user-config"));
	arg(&a, xstrdup("-no-reboot"));
	arg2(&a, "-display", xstrdup("none"));
	arg2(&a, "-machine",
	     xasprintf("%s%s", m->qemu.machine, m->shared ? ",memory-backend=ram" : ""));
	arg2(&a, "-accel", xstrdup(m->accel));
	arg2(&a, "-cpu", xstrdup(m->cpu));
	arg2(&a, "-smp", xasprintf("%u", m->vcpus));
	arg2(&a, "-m", xasprintf("%lluM", m->memory >> 20));
	if (m->shared)
		arg2(&a, "-object",
		     xasprintf("memory-backend-memfd,id=ram,share=on,size=%lluM", m->memory >> 20));
	if (m->sandbox)
		arg2(&a, "-sandbox", xstrdup(SANDBOX));
	arg2(&a, "-kernel", xstrdup(m->vmlinuz));
	arg2(&a, "-initrd", xstrdup(m->initramfs));
	arg2(&a, "-append",
	     xasprintf("%s %s%s%s", targets[0].serial_args, APPEND_COMMON, *m->append ? " " : "",
		       m->append));
	arg_chardev(&a, "qmp", fds->qmp, show);
	arg2(&a, "-mon", xstrdup("chardev=qmp,mode=control"));
	arg_chardev(&a, "console", fds->console, show);
	arg2(&a, "-serial", xstrdup("chardev:console"));
	arg_chardev(&a, "agent", fds->agent, show);
	arg2(&a, "-device", xstrdup("virtio-serial-pci,id=vser,disable-legacy=on,max_ports=2"));
	arg2(&a, "-device",
	     xstrdup("virtserialport,bus=vser.0,chardev=agent,name=" WIRE_PORT_NAME));
	for (i = 0; i < MACHINE_ROOT_PORTS; i++)
		arg2(&a, "-device",
		     xasprintf("pcie-root-port,id=rp%u,chassis=%u,slot=%u", i, i + 1, i + 1));
	if (fds->incoming >= 0)
		arg2(&a, "-incoming", xasprintf("fd:%d", fds->incoming));
	return a.v;
}

void argv_free(char **argv)
{
	char **p;

	for (p = argv; p && *p; p++)
		free(*p);
	free(argv);
}

char *argv_shell(char *const *argv)
{
	char *out = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);
	char *const *p;

	if (!f)
		return xstrdup("");
	for (p = argv; *p; p++) {
		const char *s;

		if (p != argv)
			fputc(' ', f);
		if (**p &&
		    !(*p)[strspn(*p,
				 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "-_=+./:,@%")]) {
			fputs(*p, f);
			continue;
		}
		fputc('\'', f);
		for (s = *p; *s; s++) {
			if (*s == '\'')
				fputs("'\\''", f);
			else
				fputc(*s, f);
		}
		fputc('\'', f);
	}
	fclose(f);
	return out;
}

char *machine_key(const struct machine *m)
{
	const struct machine_fds none = {-1, -1, -1, -1};
	char **argv = machine_argv(m, &none, true);
	char *shell = argv_shell(argv), *key;

	/* the binary itself, so that a rebuilt QEMU under the same name is another machine */
	key = xasprintf("%s\n%s\n%s", shell, m->qemu.version, m->qemu.build);
	argv_free(argv);
	free(shell);
	return key;
}
