/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a machine's threads run, as shell commands: QEMU has no options for it. */
#include <ctype.h>
#include <string.h>
#include "vm/internal.h"

bool write_qemu_has_pins(const struct vm *vm)
{
	for (size_t i = 0; i < vm->nfacts; i++) {
		const struct vm_fact *f = &vm->facts[i];
		const char *tail = strrchr(f->key, '.');

		if (f->side == VM_ASKED &&
		    (!strcmp(f->key, "cpuset") ||
		     (tail && (!strcmp(tail, ".pin") || !strcmp(tail, ".sched")))))
			return true;
	}
	return false;
}

static void pin_write(FILE *out, const char *name, const char *cpus, const char *sched)
{
	if (cpus) {
		fputs("pin ", out);
		vm_put_word(out, name);
		fprintf(out, " taskset -p -c %s\n", cpus);
	}
	if (sched && (!strncmp(sched, "fifo:", 5) || !strncmp(sched, "rr:", 3))) {
		fputs("pin ", out);
		vm_put_word(out, name);
		fprintf(out, " chrt %s -p %s\n", *sched == 'f' ? "-f" : "-r",
			strchr(sched, ':') + 1);
	}
}

void write_qemu_pins(FILE *out, const struct vm *vm)
{
	const char *all = vm_get(vm, VM_ASKED, "emulator.pin");
	unsigned vcpus = vm_count(vm, "vcpu");
	char name[160], id[128];

	if (!write_qemu_has_pins(vm))
		return;
	fputs("\n# QEMU has no options for where its threads run. Once it does, by their names:\n"
	      "qemu_pid=$(pgrep -n -f '[g]uest=",
	      out);
	/* As text within a pattern within quotes: what is special in either becomes any character,
	 * a comma two, as it stands in the option. */
	for (const char *p = vm->name; *p; p++) {
		bool plain = isalnum((unsigned char)*p) || *p == '-' || *p == '_';

		fputs(*p == ',' ? "." : "", out);
		fputc(plain ? *p : '.', out);
	}
	/* web-1 is not what web-10 begins with; vCPUs are "CPU 0/KVM" or "CPU 0/TCG", as it turns
	 * out */
	fputs("([, ]|$)')\n"
	      "pin() { name=$1; shift; for t in /proc/$qemu_pid/task/*; do\n"
	      "  case $(cat \"$t/comm\") in \"$name\"|\"$name\"/*) \"$@\" \"${t##*/}\";; esac; done; }\n",
	      out);
	all = all ? all : vm_get(vm, VM_ASKED, "cpuset");
	if (all)
		fprintf(out, "taskset -a -p -c %s $qemu_pid\n", all);
	for (unsigned i = 0; i < vcpus; i++) {
		snprintf(name, sizeof(name), "CPU %u", i);
		pin_write(out, name, vm_get(vm, VM_ASKED, "vcpu.%u.pin", i),
			  vm_get(vm, VM_ASKED, "vcpu.%u.sched", i));
	}
	for (unsigned i = 0; i < write_qemu_iothreads(vm); i++) {
		write_qemu_iothread_name(vm, i, id, sizeof(id));
		/* The kernel keeps 15 characters of a thread's name. */
		snprintf(name, sizeof(name), "IO %.12s", id);
		pin_write(out, name, vm_get(vm, VM_ASKED, "iothread.%u.pin", i),
			  vm_get(vm, VM_ASKED, "iothread.%u.sched", i));
	}
}
