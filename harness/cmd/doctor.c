/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vbench doctor: can this machine measure, and what stands in the way? Looks and tries, changes
 * nothing. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cmd/cmd.h"
#include "base/err.h"
#include "base/units.h"
#include "cmd/cmd.h"
#include "guest/accel.h"
#include "guest/assets.h"
#include "run/probe.h"
#include "guest/machine.h"
#include "host/check.h"
#include "run/lock.h"
#include "run/space.h"
#include "store/store.h"

static const char usage[] =
	"usage: vbench doctor [--json] [--dir DIR] [--qemu PATH]\n"
	"\n"
	"One line a check: PASS, WARN or FAIL, what was found, and after -> the remedy.\n"
	"Exit status 4 when something that is needed is missing, else 0.\n"
	"\n"
	"  --json       the same as JSON\n"
	"  --dir DIR    folder for disk images (default: where runs are kept)\n"
	"  --qemu PATH  the QEMU to look at\n";

/* The device alone proves nothing: where it lets us in, the small guest is booted under it, as a
 * run would. */
static void doctor_accel(struct host_checks *c, const char *qemu, const struct child_user *user)
{
	struct accel_answer a = {0};
	struct err e = {0};

	/* a guest beside a run that is measuring would disturb it */
	if (accel_device(user, a.reason, sizeof(a.reason)) || run_lock_check(&e) ||
	    run_probe_kvm(qemu, &a, &e)) {
		host_check_kvm(c, user);
		return;
	}
	if (a.kvm)
		host_checks_add(c, CHECK_PASS, "KVM", "", "a guest came up under it%s",
				a.remembered ? " (remembered since this host booted)" : "");
	else
		host_checks_add(
			c, CHECK_WARN, "KVM",
			"accel = auto takes TCG, whose figures are good for comparison only",
			"it does not work: %s%s", a.reason,
			a.remembered ? " (remembered since this host booted)" : "");
}

static int try_read(const void *arg)
{
	int fd = open(arg, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* QEMU's user opens the kernel; fio and agent are read by us when the initramfs is packed. */
static void doctor_assets(struct host_checks *c, const struct child_user *user)
{
	struct assets a = {0};
	struct err e = {0};
	char name[64];
	int rc;

	if (assets_find(&a, NULL, &e) < 0) {
		host_checks_add(c, CHECK_FAIL, "small guest", "make guest, or install vbench", "%s",
				e.text);
		assets_free(&a);
		return;
	}
	/* QEMU reads a copy in the data folder */
	rc = try_read(a.vmlinuz);
	if (rc == 0)
		host_checks_add(c, CHECK_PASS, "guest kernel", "", "%s (%s)", a.kernel, a.vmlinuz);
	else
		host_checks_add(c, CHECK_FAIL, "guest kernel",
				"chmod a+r it, and o+x the folders above it; or host.user",
				"%s cannot read %s: %s",
				host_user_name(user ? user->uid : geteuid(), name, sizeof(name)),
				a.vmlinuz, strerror(-rc));
	if (access(a.modules, R_OK | X_OK) == 0)
		host_checks_add(c, CHECK_PASS, "guest modules", "", "%s", a.modules);
	else
		host_checks_add(c, CHECK_FAIL, "guest modules", "make guest", "%s: %s", a.modules,
				strerror(errno));
	if (access(a.fio, R_OK) == 0)
		host_checks_add(c, CHECK_PASS, "guest fio", "", "%s", a.fio);
	else
		host_checks_add(c, CHECK_FAIL, "guest fio", "make fio", "%s: %s", a.fio,
				strerror(errno));
	if (access(a.agent, R_OK) == 0)
		host_checks_add(c, CHECK_PASS, "guest agent", "", "%s", a.agent);
	else
		host_checks_add(c, CHECK_FAIL, "guest agent", "make", "%s: %s", a.agent,
				strerror(errno));
	assets_free(&a);
}

static void doctor_program(struct host_checks *c, const char *name, const char *found,
			   const char *dir, const char *what, const char *remedy)
{
	if (found)
		host_checks_add(c, CHECK_PASS, name, "", "%s", found);
	else
		host_checks_add(c, CHECK_WARN, name, remedy, "not in %s; %s cannot run", dir, what);
}

/* Beside QEMU, where a run looks first; a QEMU named by its path must have one of its own build. */
static char *doctor_companion(const char *qemu, const char *name)
{
	const char *dirs = getenv("PATH") ? getenv("PATH") : "/usr/local/bin:/usr/bin:/bin";
	const char *slash = qemu ? strrchr(qemu, '/') : NULL;
	char *p;

	if (slash) {
		p = xasprintf("%.*s/%s", (int)(slash - qemu), qemu, name);
		if (!access(p, X_OK))
			return p;
		free(p);
		return NULL;
	}
	while (*dirs) {
		size_t n = strcspn(dirs, ":");

		p = xasprintf("%.*s/%s", (int)n, dirs, name);
		if (n && !access(p, X_OK))
			return p;
		free(p);
		dirs += n + (dirs[n] == ':');
	}
	return NULL;
}

/* Guests on QEMU's own disks can be measured without any of it. */
static void doctor_host(struct host_checks *c, const char *qemu)
{
	const char *where = qemu && strchr(qemu, '/') ? "the folder of that QEMU" : "PATH";
	char *daemon = doctor_companion(qemu, "qemu-storage-daemon");
	char *nbd = doctor_companion(qemu, "qemu-nbd"), *nbdkit = doctor_companion(NULL, "nbdkit");
	struct host_assets a;

	assets_host(&a);
	doctor_program(c, "host fio", a.fio, "build/fio, nor installed",
		       "cells with guest.site = host", "make fio");
	doctor_program(c, "fio engine vring", a.vring, a.dir, "cells with disk.driver = vring",
		       "make engines");
	doctor_program(c, "vhost-user device", a.vhost_blk, a.dir,
		       "cells with disk.server = vbench", "make engines");
	doctor_program(c, "qemu-storage-daemon", daemon, where,
		       "cells with disk.server = storage-daemon", "apt install qemu-system-common");
	doctor_program(c, "qemu-nbd", nbd, where, "cells with disk.nbd = qemu-nbd",
		       "apt install qemu-utils");
	doctor_program(c, "nbdkit", nbdkit, "PATH", "cells with disk.nbd = nbdkit",
		       "apt install nbdkit");
	free(daemon);
	free(nbd);
	free(nbdkit);
	assets_host_free(&a);
}

static void doctor_lock(struct host_checks *c)
{
	struct err e = {0};

	if (run_lock_check(&e) == 0)
		host_checks_add(c, CHECK_PASS, "host lock", "",
				"free: no other vbench is measuring here");
	else
		host_checks_add(c, CHECK_WARN, "host lock", "wait for it (vbench run --wait)", "%s",
				e.text);
}

static void doctor_space(struct host_checks *c, const char *dir)
{
	struct space s;
	struct err e = {0};
	char avail[32], keep[32];

	if (space_get(dir, 0, &s, &e) < 0 || space_judge(dir, &s, 0, &e) < 0) {
		host_checks_add(c, CHECK_FAIL, "free space",
				"make room, or --dir (disk.dir), or host.free", "%s", e.text);
		return;
	}
	host_checks_add(c, CHECK_PASS, "free space", "", "%s, of which %s stay free",
			units_size_text(s.avail, avail, sizeof(avail)),
			units_size_text(s.keep, keep, sizeof(keep)));
}

static const struct child_user *doctor_user(struct host_checks *c, struct child_user *user)
{
	struct err e = {0};

	if (qemu_user("auto", user, &e) == 0)
		return user;
	host_checks_add(c, CHECK_FAIL, "QEMU's user", "name one: host.user", "%s", e.text);
	return NULL;
}

static void doctor_all(struct host_checks *c, const char *qemu, const char *dir)
{
	const char *const none[] = {NULL};
	json_t *facts = host_facts(qemu, none);
	struct child_user rights = {.uid = (uid_t)-1};
	const struct child_user *user = doctor_user(c, &rights);

	host_check_rights(c, user);
	doctor_lock(c);
	doctor_accel(c, qemu, user);
	host_check_qemu(c, qemu, user);
	host_check_tools(c);
	doctor_assets(c, user);
	doctor_host(c, qemu);
	host_check_uring(c, user);
	host_check_dir(c, dir, user);
	doctor_space(c, dir);
	host_check_setup(c, facts);
	host_check_quiet(c);
	host_check_userfaultfd(c, user);
	json_decref(facts);
}

static int doctor_print(const struct host_checks *c, bool json)
{
	if (json) {
		json_t *o = host_checks_json(c);

		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(o);
	} else {
		host_checks_print(c, stdout, isatty(STDOUT_FILENO) && !getenv("NO_COLOR"));
	}
	return host_checks_count(c, CHECK_FAIL) ? VB_NOT_MEASURED : VB_OK;
}

int cmd_doctor(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"dir", required_argument, NULL, 'd'},
		{"qemu", required_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *qemu = NULL, *dir = NULL;
	struct host_checks checks = {0};
	bool json = false;
	char *db, *runs;
	int c, rc;

	optind = 0;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'j')
			json = true;
		else if (c == 'd')
			dir = optarg;
		else if (c == 'q')
			qemu = optarg;
		else if (c == 'h')
			return fputs(usage, stdout) < 0 ? VB_NOT_MEASURED : VB_OK;
		else
			return fputs(usage, stderr), VB_BAD_INPUT;
	}
	if (optind < argc || (dir && !*dir)) {
		fprintf(stderr, "vbench doctor: %s\n%s",
			optind < argc ? "takes options only" : "--dir names a folder", usage);
		return VB_BAD_INPUT;
	}
	db = store_default_db();
	runs = store_runs_dir(db);
	doctor_all(&checks, qemu, dir ? dir : runs);
	rc = doctor_print(&checks, json);
	host_checks_free(&checks);
	free(runs);
	free(db);
	return rc;
}
