// SPDX-License-Identifier: GPL-2.0-or-later
/* The small guest's machine: asking QEMU what it is, under whose rights it runs, what a cell wants
 * of it. */
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

/* The host's TSC beside its clock, as close to each other as it gets in a few tries. */
struct tsc_pair {
	uint64_t ticks, ns;
};

static struct tsc_pair tsc_now(void)
{
	struct tsc_pair best = {0};
#ifdef __x86_64__
	uint64_t gap = UINT64_MAX;
	int i;

	for (i = 0; i < 20; i++) {
		uint64_t before = clock_mono_ns(), ticks = __builtin_ia32_rdtsc();
		uint64_t after = clock_mono_ns();

		if (after - before < gap) {
			gap = after - before;
			best = (struct tsc_pair){ticks, before + gap / 2};
		}
	}
#endif
	return best;
}

/* Ticks in a millisecond. What lies between is the start of a QEMU, 0.1 s: a few millionths. */
static unsigned tsc_khz(struct tsc_pair from, struct tsc_pair to)
{
	uint64_t ns = to.ns - from.ns, ticks = to.ticks - from.ticks;

	return !to.ticks || ns < 10000000 ? 0 : (unsigned)(ticks * 1000 / (ns / 1000));
}

int qemu_talk(const char *path, qemu_talk_fn *talk, void *arg, struct err *e)
{
	struct qmp q = {.fd = -1};
	struct child child = {.pidfd = -1};
	char chardev[64];
	int sv[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		return err_set(e, -errno, "socketpair: %s", strerror(errno));
	snprintf(chardev, sizeof(chardev), "socket,id=qmp,fd=%d", sv[1]);
	{
		const char *argv[] = {path,
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
		rc = talk(&q, child.pid, arg, e);
		if (rc)
			err_prefix(e, "%s", path);
	}
	child_end(&child, 0, NULL);
	qmp_free(&q);
	return rc;
}

struct info_ask {
	const char *machine;
	struct qemu_info *out;
};

static int info_talk(struct qmp *q, pid_t pid, void *arg, struct err *e)
{
	struct info_ask *a = arg;
	int rc = qemu_ask(q, a->machine, a->out, e);

	if (!rc)
		qemu_binary(pid, a->out);
	return rc;
}

int qemu_info_get(const char *qemu, const char *machine, struct qemu_info *out, struct err *e)
{
	struct info_ask ask = {machine, out};
	struct tsc_pair began = tsc_now();
	char *slash;
	int rc;

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
	rc = qemu_talk(out->path, info_talk, &ask, e);
	out->tsc_khz = tsc_khz(began, tsc_now());
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

/* Machines without PCI have their virtio devices on the board. */
static bool is_microvm(const char *machine)
{
	return !strncmp(machine, "microvm", 7);
}

void machine_make(struct machine *m, const struct cell *c, const struct qemu_info *info,
		  const char *accel, const char *vmlinuz, const char *initramfs)
{
	const char *cpu = cell_get(c, K_CPU), *arm = cell_get(c, K_ARM),
		   *nodes = cell_get(c, K_NODES);

	*m = (struct machine){
		.qemu = *info, .accel = accel, .vmlinuz = vmlinuz, .initramfs = initramfs};
	m->cpu = cpu && strcmp(cpu, "auto") ? cpu : !strcmp(accel, "kvm") ? "host" : "max";
	m->vcpus = (unsigned)cell_u64(c, K_VCPUS);
	m->memory = cell_u64(c, K_MEMORY);
	m->sandbox = cell_on(c, K_SANDBOX);
	m->mmio = is_microvm(info->machine ? info->machine : "");
	m->ports = m->mmio ? 0 : disk_root_ports(c);
	if (m->ports > MACHINE_PORTS_MAX)
		m->ports = MACHINE_PORTS_MAX;
	m->poll_queues = (unsigned)cell_u64(c, K_POLL_QUEUES);
	m->page = cell_page(c);
	if (nodes && strcmp(nodes, "any") && strcmp(nodes, "plan"))
		m->nodes = nodes;
	m->policy = cell_get(c, K_MEMORY_MODE) ? cell_get(c, K_MEMORY_MODE) : "bind";
	m->arm = arm && strcmp(arm, "none") ? arm : NULL;
	m->no_ioeventfd = m->mmio && cell_get(c, K_IOEVENTFD) && !cell_on(c, K_IOEVENTFD);
}
