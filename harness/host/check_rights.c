/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks of what the kernel lets us, and the user whom QEMU runs as, do. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/kvm.h>
#include <linux/userfaultfd.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "host/check.h"
#include "host/program.h"
#include "host/read.h"
#include "host/uring.h"

enum { AS_USER_SECONDS = 5, KVM_API = 12 };

const char *host_user_name(uid_t uid, char *buf, size_t size)
{
	const struct passwd *pw = getpwuid(uid);

	if (pw)
		snprintf(buf, size, "%s", pw->pw_name);
	else
		snprintf(buf, size, "uid %u", (unsigned)uid);
	return buf;
}

static bool is_other(const struct child_user *user)
{
	return user && user->uid != (uid_t)-1 && user->uid != geteuid();
}

static int become(const struct child_user *user)
{
	if (setgroups(user->ngroups, user->groups) < 0 || setgid(user->gid) < 0 ||
	    setuid(user->uid) < 0)
		return -errno;
	return 0;
}

int host_as_user(const struct child_user *user, int (*fn)(const void *arg), const void *arg)
{
	int status, rc;
	pid_t pid;

	if (!is_other(user))
		return fn(arg);
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		alarm(AS_USER_SECONDS);
		rc = become(user);
		if (rc == 0)
			rc = fn(arg);
		_exit(-rc > 0 && -rc < 256 ? -rc : rc ? EIO : 0);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGALRM ? -ETIMEDOUT : -EIO;
	return -WEXITSTATUS(status);
}

void host_check_rights(struct host_checks *c, const struct child_user *user)
{
	char me[64], them[64];

	host_user_name(geteuid(), me, sizeof(me));
	if (geteuid() != 0)
		host_checks_add(
			c, CHECK_PASS, "rights", "",
			"%s, unprivileged: QEMU runs as the same user; host settings can only be looked at",
			me);
	else if (is_other(user))
		host_checks_add(c, CHECK_PASS, "rights", "", "root; QEMU will run as %s",
				host_user_name(user->uid, them, sizeof(them)));
	else
		host_checks_add(c, CHECK_WARN, "rights",
				"create a user for it: adduser --system vbench",
				"root, and no other user for QEMU to run as");
}

static int try_uring(const void *arg)
{
	(void)arg;
	return host_uring_probe();
}

static const char *uring_remedy(int rc)
{
	int64_t disabled;

	if (rc == -EPERM && host_number(&disabled, "", "/proc/sys/kernel/io_uring_disabled") &&
	    disabled)
		return "sysctl kernel.io_uring_disabled=0 (1: only for the group kernel.io_uring_group), or "
		       "disk.aio = native or threads";
	if (rc == -EPERM)
		return "lift the seccomp filter of this container or service, or disk.aio = native or threads";
	if (rc == -ENOMEM)
		return "raise ulimit -l, or disk.aio = native or threads";
	return "use a kernel with io_uring (5.1), or disk.aio = native or threads";
}

void host_check_uring(struct host_checks *c, const struct child_user *user)
{
	char name[64];
	int rc = host_uring_probe();

	host_user_name(geteuid(), name, sizeof(name));
	if (rc == 0)
		host_checks_add(c, CHECK_PASS, "io_uring", "", "allowed for %s", name);
	else
		host_checks_add(c, CHECK_WARN, "io_uring", uring_remedy(rc), "not for %s: %s", name,
				strerror(-rc));
	if (!is_other(user))
		return;
	rc = host_as_user(user, try_uring, NULL);
	host_user_name(user->uid, name, sizeof(name));
	if (rc == 0)
		host_checks_add(c, CHECK_PASS, "io_uring for QEMU", "", "allowed for %s", name);
	else
		host_checks_add(c, CHECK_WARN, "io_uring for QEMU", uring_remedy(rc),
				"not for %s: %s", name, strerror(-rc));
}

/* Post-copy also serves faults taken inside the kernel (vhost, KVM): without UFFD_USER_MODE_ONLY.
 */
static int try_userfaultfd(const void *arg)
{
	long fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	(void)arg;
	if (fd < 0 && errno == EPERM) {
		int dev = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);

		if (dev >= 0) {
#ifdef USERFAULTFD_IOC_NEW
			fd = ioctl(dev, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
#else
			fd = ioctl(dev, _IO(0xAA, 0x00), O_CLOEXEC | O_NONBLOCK);
#endif
			if (fd < 0)
				fd = -1;
			close(dev);
		} else {
			errno = EPERM;
		}
	}
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

void host_check_userfaultfd(struct host_checks *c, const struct child_user *user)
{
	int rc = host_as_user(user, try_userfaultfd, NULL);

	if (rc == 0)
		host_checks_add(c, CHECK_PASS, "userfaultfd", "", "allowed (post-copy migration)");
	else
		host_checks_add(c, CHECK_WARN, "userfaultfd",
				"sysctl vm.unprivileged_userfaultfd=1, if post-copy is wanted",
				"%s; only post-copy migration needs it", strerror(-rc));
}

static int try_kvm(const void *arg)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, rc = 0;

	(void)arg;
	if (fd < 0)
		return -errno;
	if (ioctl(fd, KVM_GET_API_VERSION, 0) != KVM_API) {
		rc = -EPROTO;
	} else {
		vm = ioctl(fd, KVM_CREATE_VM, 0);
		if (vm < 0)
			rc = -errno;
		else
			close(vm);
	}
	close(fd);
	return rc;
}

static const char *kvm_remedy(int rc)
{
	switch (-rc) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return "load kvm_intel or kvm_amd and switch virtualisation on in the firmware, or live with TCG";
	case EACCES:
	case EPERM:
		return "put that user into the group kvm, or live with TCG";
	case EBUSY:
		return "another hypervisor (VirtualBox, VMware) holds the CPU's virtualisation: stop it";
	default:
		return "look into dmesg, or live with TCG";
	}
}

void host_check_kvm(struct host_checks *c, const struct child_user *user)
{
	int rc = host_as_user(user, try_kvm, NULL);
	char name[64];

	host_user_name(is_other(user) ? user->uid : geteuid(), name, sizeof(name));
	if (rc == 0)
		host_checks_add(
			c, CHECK_PASS, "KVM device", "",
			"%s can open /dev/kvm and make a VM (only a booted guest proves that it works)",
			name);
	else
		host_checks_add(
			c, CHECK_WARN, "KVM device", kvm_remedy(rc),
			"%s cannot use /dev/kvm: %s; accel = auto takes TCG, whose numbers are relative only",
			name, strerror(-rc));
}

static void check_program(struct host_checks *c, const char *name, enum check_state missing,
			  const char *remedy, const char *without)
{
	json_t *f = host_program_facts(name);
	const char *path = json_string_value(json_object_get(f, "path"));
	const char *version = json_string_value(json_object_get(f, "version"));

	if (path && version)
		host_checks_add(c, CHECK_PASS, name, "", "%s (%s)", version, path);
	else if (path)
		host_checks_add(c, missing, name, remedy, "%s does not tell its version: %s", path,
				without);
	else
		host_checks_add(c, missing, name, remedy, "not found: %s", without);
	json_decref(f);
}

void host_check_tools(struct host_checks *c)
{
	check_program(c, "qemu-img", CHECK_FAIL, "install qemu-utils (Debian) or qemu-img (Fedora)",
		      "images cannot be made");
	check_program(c, "gnuplot", CHECK_WARN,
		      "install gnuplot-nox (Debian) or gnuplot-minimal (Fedora)",
		      "reports come without plots");
}
