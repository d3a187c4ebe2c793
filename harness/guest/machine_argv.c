// SPDX-License-Identifier: GPL-2.0-or-later
/* QEMU's command line for the small guest. Disks that can be plugged are never on it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "guest-agent/wire.h"
#include "guest/machine.h"

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

/*
 * q35's root bus has 32 slots: 0 and 31 are the chipset's, 1 the agent's port's. Two root ports
 * have a slot each, as few disks need no more; further ones share slots from PORT_SLOT on.
 */
#define PORT_SINGLE 2
#define PORT_SLOT 4
#define PORT_FUNCTIONS 8

/*
 * A vCPU has some 200 interrupt vectors. Each root port would take one for events that never come
 * here (PME, AER), each virtio disk takes two: of 200 ports, the guest's console found none left.
 */
#define PORT_NO_MSI " pcie_pme=nomsi"

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

/* text and more in one; text is freed. */
static char *append(char *text, const char *more)
{
	char *both = xasprintf("%s%s", text, more);

	free(text);
	return both;
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

/*
 * A root port reserves a window of I/O ports for what may be plugged into it, and the firmware
 * stops where 64 KiB are given away: our disks need none, and 16 ports would be the end.
 */
static void arg_port(struct args *a, unsigned i)
{
	unsigned n = i - PORT_SINGLE;

	if (i < PORT_SINGLE)
		arg2(a, "-device",
		     xasprintf("pcie-root-port,id=rp%u,chassis=%u,slot=%u", i, i + 1, i + 1));
	else
		arg2(a, "-device",
		     xasprintf(
			     "pcie-root-port,id=rp%u,chassis=%u,slot=%u,addr=%x.%x%s,io-reserve=0",
			     i, i + 1, i + 1, PORT_SLOT + n / PORT_FUNCTIONS, n % PORT_FUNCTIONS,
			     n % PORT_FUNCTIONS ? "" : ",multifunction=on"));
}

/* Disks that stand on the command line: each as the JSON that QMP would have been given. */
static void arg_cold(struct args *a, const struct machine *m)
{
	size_t i;

	for (i = 0; i < m->ncold; i++) {
		char *text = json_dumps(m->cold[i].args, JSON_COMPACT);

		if (text)
			arg2(a, qspec_option(m->cold[i].kind), text);
	}
}

/* The guest's end of the agent's channel. VIRTIO 1.2, 4.2: legacy MMIO has no VERSION_1, and so
 * neither packed rings. */
static void arg_agent(struct args *a, const struct machine *m)
{
	if (m->mmio) {
		arg2(a, "-global", xstrdup("virtio-mmio.force-legacy=false"));
		if (m->no_ioeventfd)
			arg2(a, "-global", xstrdup("virtio-mmio.ioeventfd=off"));
		arg2(a, "-device", xstrdup("virtio-serial-device,id=vser,max_ports=2"));
	} else {
		arg2(a, "-device",
		     xstrdup("virtio-serial-pci,id=vser,disable-legacy=on,max_ports=2"));
	}
	arg2(a, "-device", xstrdup("virtserialport,bus=vser.0,chardev=agent,name=" WIRE_PORT_NAME));
}

/*
 * QEMU's emulated TSC is the host's, so its frequency is told and not left to the kernel to
 * measure: on a busy host a template's kernel found a thirtieth of it, and all trials from that
 * template had a clock that ran 30 times too fast. A board without PCI has nothing to measure it by
 * at all. The kernel still refines it where it has a HPET, by less than 1 %
 * (arch/x86/kernel/tsc.c).
 */
static char *tcg_text(const struct machine *m)
{
	/* under KVM the guest has kvm-clock, and the host decides how good its TSC is */
	if (strcmp(m->accel, "tcg"))
		return xstrdup("");
	if (m->qemu.tsc_khz)
		return xasprintf(" %s tsc_early_khz=%u", targets[0].tcg_args, m->qemu.tsc_khz);
	return xasprintf(" %s", targets[0].tcg_args);
}

static char *append_text(const struct machine *m)
{
	char *poll = m->poll_queues ? xasprintf(" virtio_blk.poll_queues=%u", m->poll_queues)
				    : xstrdup("");
	char *tcg = tcg_text(m), *text;

	text = xasprintf("%s %s%s%s%s", targets[0].serial_args, APPEND_COMMON,
			 m->ports > PORT_SINGLE ? PORT_NO_MSI : "", tcg, poll);
	free(tcg);
	free(poll);
	return text;
}

static bool has_backend(const struct machine *m)
{
	return m->shared || m->page || m->nodes;
}

/*
 * Guest memory as an object of its own, where it is to be more than QEMU's anonymous pages. Huge
 * pages are taken at once (prealloc): a lack of them is then QEMU's error, and no SIGBUS in the
 * middle of a trial.
 */
static void arg_memory(struct args *a, const struct machine *m)
{
	char *text = xasprintf("memory-backend-%s,id=ram%s,size=%lluM",
			       m->shared || m->page ? "memfd" : "ram", m->shared ? ",share=on" : "",
			       m->memory >> 20);

	if (m->page)
		text = append(text, m->page >> 30 ? ",hugetlb=on,hugetlbsize=1G,prealloc=on"
						  : ",hugetlb=on,hugetlbsize=2M,prealloc=on");
	for (const char *p = m->nodes; p && *p;) {
		size_t n = strcspn(p, ",+");
		char *one = xasprintf(",host-nodes=%.*s", (int)n, p);

		text = append(text, one);
		free(one);
		p += p[n] ? n + 1 : n;
	}
	if (m->nodes) {
		text = append(text, ",policy=");
		text = append(text, m->policy);
	}
	arg2(a, "-object", text);
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
	     xasprintf("%s%s", m->qemu.machine, has_backend(m) ? ",memory-backend=ram" : ""));
	arg2(&a, "-accel", xstrdup(m->accel));
	arg2(&a, "-cpu", xstrdup(m->cpu));
	arg2(&a, "-smp", xasprintf("%u", m->vcpus));
	arg2(&a, "-m", xasprintf("%lluM", m->memory >> 20));
	if (has_backend(m))
		arg_memory(&a, m);
	if (m->sandbox)
		arg2(&a, "-sandbox", xstrdup(SANDBOX));
	arg2(&a, "-kernel", xstrdup(m->vmlinuz));
	arg2(&a, "-initrd", xstrdup(m->initramfs));
	arg2(&a, "-append", append_text(m));
	arg_chardev(&a, "qmp", fds->qmp, show);
	arg2(&a, "-mon", xstrdup("chardev=qmp,mode=control"));
	arg_chardev(&a, "console", fds->console, show);
	arg2(&a, "-serial", xstrdup("chardev:console"));
	arg_chardev(&a, "agent", fds->agent, show);
	arg_agent(&a, m);
	for (i = 0; i < m->ports; i++)
		arg_port(&a, i);
	arg_cold(&a, m);
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

char *argv_command(const char *program, char *const *argv)
{
	char *words = argv_shell(argv), *out = xasprintf("%s %s", program, words);

	free(words);
	return out;
}

char *machine_key(const struct machine *m)
{
	const struct machine_fds none = {-1, -1, -1, -1};
	struct machine any = *m;
	char **argv, *shell, *key;

	/* where its memory lies is no part of a guest's state: all of them are restored from one */
	if (any.nodes)
		any.nodes = "any";
	argv = machine_argv(&any, &none, true);
	shell = argv_shell(argv);

	/* the binary itself, so that a rebuilt QEMU under the same name is another machine */
	key = xasprintf("%s\n%s\n%s%s%s", shell, m->qemu.version, m->qemu.build,
			m->arm ? "\narm " : "", m->arm ? m->arm : "");
	argv_free(argv);
	free(shell);
	return key;
}
