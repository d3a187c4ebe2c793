// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts as virsh commands, for a domain that is defined or runs. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "vm/internal.h"
#include "vm/write_told.h"
#include "vm/write_xml.h"

/* What a running domain can be told at once is; "--live" fails for one that is off. */
#define NOW "$LIVE --config\n"
#define NEXT "--config\n"

/* "virsh COMMAND NAME ARGUMENTS WHEN". args are numbers, lists of them, and words of ours. */
static void put(struct told *t, const char *command, const char *when, const char *args, ...)
	__attribute__((format(printf, 4, 5)));

static void put(struct told *t, const char *command, const char *when, const char *args, ...)
{
	va_list ap;

	fprintf(t->out, "virsh %s ", command);
	vm_put_word(t->out, t->vm->name);
	putc(' ', t->out);
	va_start(ap, args);
	vfprintf(t->out, args, ap);
	va_end(ap);
	fprintf(t->out, " %s", when);
}

static void write_sizes(struct told *t)
{
	static const struct {
		const char *key, *command;
	} sizes[] = {{"memory.size", "setmaxmem"}, {"memory.current", "setmem"}};
	uint64_t bytes;
	const char *v;

	if ((v = told_get(t, "vcpus.max")))
		put(t, "setvcpus", NEXT, "%s --maximum", v);
	if ((v = told_get(t, "vcpus")))
		put(t, "setvcpus", NEXT, "%s", v);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (told_number(t, &bytes, "%s", sizes[i].key))
			put(t, sizes[i].command, NEXT, "%lluKiB", (unsigned long long)bytes >> 10);
	if (told_number(t, &bytes, "memory.hard-limit"))
		put(t, "memtune", NOW, "--hard-limit %lluKiB", (unsigned long long)bytes >> 10);
}

static void write_iothreads(struct told *t)
{
	unsigned n = vm_count(t->vm, "iothread");
	const char *v;

	told_get(t, "iothreads");
	if (n)
		fputs("# an error here says that the iothread is there already\n", t->out);
	for (unsigned i = 0; i < n; i++) {
		const char *id = told_get(t, "iothread.%u.id", i);

		put(t, "iothreadadd", NOW, "%u", id ? xml_thread_number(t->vm, id) : i + 1);
	}
	for (unsigned i = 0; i < n; i++) {
		const char *id = told_get(t, "iothread.%u.id", i);
		unsigned number = id ? xml_thread_number(t->vm, id) : i + 1;

		if ((v = told_get(t, "iothread.%u.pin", i)))
			put(t, "iothreadpin", NOW, "%u %s", number, v);
		if ((v = told_get(t, "iothread.%u.poll-max-ns", i))) {
			fputs("# of a running domain only; for the next start write <poll max=''/> by virsh edit\n",
			      t->out);
			put(t, "iothreadset", "$LIVE\n", "%u --poll-max-ns %s", number, v);
		}
	}
}

static void write_pins(struct told *t)
{
	unsigned n = vm_count(t->vm, "vcpu");
	const char *v;

	for (unsigned i = 0; i < n; i++)
		if ((v = told_get(t, "vcpu.%u.pin", i)))
			put(t, "vcpupin", NOW, "%u %s", i, v);
	if ((v = told_get(t, "emulator.pin")))
		put(t, "emulatorpin", NOW, "%s", v);
}

/* A running domain's mode cannot be changed, and its nodes only while that is strict or
 * restrictive: memory that is there already may stay where it is. */
static void write_numatune(struct told *t)
{
	const char *mode = told_get(t, "numatune.mode"), *set = told_get(t, "numatune.nodeset");

	if (mode && set)
		put(t, "numatune", NEXT, "--mode %s --nodeset %s", mode, set);
	else if (mode)
		put(t, "numatune", NEXT, "--mode %s", mode);
	else if (set)
		put(t, "numatune", NEXT, "--nodeset %s", set);
}

static void write_shares(struct told *t)
{
	static const char *const params[][2] = {{"cpu.shares", "cpu_shares"},
						{"cpu.period-us", "vcpu_period"},
						{"cpu.quota-us", "vcpu_quota"},
						{"cpu.global-quota-us", "global_quota"},
						{"emulator.quota-us", "emulator_quota"},
						{"iothread.quota-us", "iothread_quota"}};

	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
		const char *v = told_get(t, "%s", params[i][0]);

		if (v)
			put(t, "schedinfo", NOW, "--set %s=%s", params[i][1],
			    i > 1 && !strcmp(v, "0") ? "-1" : v);
	}
}

static void write_disk(struct told *t, unsigned n)
{
	const char *name = told_get(t, "disk.%u.name", n), *iops, *bps, *weight;

	if ((weight = told_get(t, "disk.%u.weight", n)) && !n)
		put(t, "blkiotune", NOW, "--weight %s", weight);
	iops = vm_get(t->vm, VM_ASKED, "disk.%u.iops-limit", n);
	bps = vm_get(t->vm, VM_ASKED, "disk.%u.bps-limit", n);
	if (!name || (!iops && !bps))
		return;
	told_get(t, "disk.%u.iops-limit", n);
	told_get(t, "disk.%u.bps-limit", n);
	fputs("virsh blkdeviotune ", t->out);
	vm_put_word(t->out, t->vm->name);
	putc(' ', t->out);
	vm_put_word(t->out, name);
	fprintf(t->out, "%s%s%s%s " NOW, iops ? " --total-iops-sec " : "", iops ? iops : "",
		bps ? " --total-bytes-sec " : "", bps ? bps : "");
}

static void say_left(FILE *out, const struct vm_fact *f)
{
	fputs("#   ", out);
	vm_put_comment(out, f->key);
	fputs(" = ", out);
	vm_put_comment(out, f->value);
	putc('\n', out);
}

int vm_write_virsh(FILE *out, const struct vm *vm, struct err *e)
{
	static const char *const given[] = {"uuid",	"os",	      "qemu.*",	 "accel",
					    "headless", "migratable", "sandbox", "debug-threads",
					    "placement"};
	struct told t;

	told_begin(&t, out, vm);
	fputs("# of a running domain what can be changed at once is; the rest from its next start\n"
	      "LIVE=$(virsh domstate ",
	      out);
	vm_put_word(out, vm->name);
	fputs(" | grep -q running && echo --live)\n", out);
	write_sizes(&t);
	write_iothreads(&t);
	write_pins(&t);
	write_numatune(&t);
	write_shares(&t);
	for (unsigned i = 0; i < vm_count(vm, "disk"); i++)
		write_disk(&t, i);
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		told_skip(&t, given[i]);
	fputs("# virsh has no command for the following; they are in the XML, for virsh edit:\n",
	      out);
	told_skip_absent(&t);
	told_left(&t, say_left);
	return told_end(&t, e);
}
