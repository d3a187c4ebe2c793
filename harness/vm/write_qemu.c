/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine as a QEMU command line, and what QEMU has no options for as commands behind it. */
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "vm/internal.h"

/* The command line in the making: options parted by line ends that the shell joins. */
struct writer {
	FILE *out;
	const struct vm *vm;
};

static const char *asked(const struct writer *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static const char *asked(const struct writer *w, const char *fmt, ...)
{
	char key[96];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(key, sizeof(key), fmt, ap);
	va_end(ap);
	return vm_get(w->vm, VM_ASKED, "%s", key);
}

static bool on(const char *value)
{
	return value && !strcmp(value, "on");
}

/* One option and its argument, quoted for the shell. Frees argument. */
static void option(struct writer *w, const char *name, char *argument)
{
	fprintf(w->out, " \\\n  -%s", name);
	if (argument) {
		fputc(' ', w->out);
		vm_put_word(w->out, argument);
	}
	free(argument);
}

static void comment(struct writer *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void comment(struct writer *w, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fputs("# ", w->out);
	vm_put_comment(w->out, text);
	fputc('\n', w->out);
}

/* An argument that grows by ",key=value". */
struct argument {
	char *text;
	size_t len;
	FILE *f;
};

static void arg_begin(struct argument *a, const char *first)
{
	*a = (struct argument){0};
	a->f = open_memstream(&a->text, &a->len);
	if (!a->f)
		abort();
	fputs(first, a->f);
}

/* A comma within a value is written twice. Nothing for NULL. */
static void arg_add(struct argument *a, const char *key, const char *value)
{
	if (!value)
		return;
	fprintf(a->f, ",%s=", key);
	for (; *value; value++) {
		fputc(*value, a->f);
		if (*value == ',')
			fputc(',', a->f);
	}
}

static void arg_number(struct argument *a, const char *key, uint64_t value)
{
	fprintf(a->f, ",%s=%" PRIu64, key, value);
}

static char *arg_end(struct argument *a)
{
	fclose(a->f);
	return a->text;
}

/* --- machine and CPU --- */

/* Whether memory has a back end of its own: anything that -m cannot say. */
static bool has_backend(const struct writer *w)
{
	static const char *const keys[] = {"memory.source",   "memory.page",	"memory.shared",
					   "memory.prealloc", "memory.discard", "numatune.nodeset",
					   "numatune.mode"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (asked(w, "%s", keys[i]))
			return true;
	return false;
}

static unsigned cells(const struct writer *w)
{
	unsigned n = vm_count(w->vm, "numa"), i = 0;

	/* GOT has policies under the same keys. */
	while (i < n && (asked(w, "numa.%u.memory", i) || asked(w, "numa.%u.cpus", i)))
		i++;
	return i;
}

static void machine_write(struct writer *w)
{
	const char *type = asked(w, "machine"), *accel = asked(w, "accel");
	const char *hpet = asked(w, "clock.hpet"), *merge = asked(w, "memory.merge");
	bool backend = asked(w, "memory.size") && has_backend(w) && !cells(w);
	struct argument a;

	if (type || hpet || merge || backend) {
		arg_begin(&a, type ? type : "pc");
		arg_add(&a, "mem-merge", merge);
		arg_add(&a, "hpet", hpet);
		if (backend)
			arg_add(&a, "memory-backend", "ram0");
		option(w, "machine", arg_end(&a));
	}
	/* not said: it is to be KVM, as in write_xml.c; QEMU by itself emulates (CPU-01) */
	option(w, "accel", xstrdup(accel ? accel : "kvm"));
}

/* Each word of a list, to told. */
static void words_each(const char *list, void (*told)(struct argument *, const char *, size_t),
		       struct argument *a)
{
	for (const char *p = list; p && *p; p += strcspn(p, ","), p += *p == ',')
		told(a, p, strcspn(p, ","));
}

static void feature_write(struct argument *a, const char *word, size_t len)
{
	if (len > 1 && (*word == '+' || *word == '-'))
		fprintf(a->f, ",%.*s=%s", (int)len - 1, word + 1, *word == '+' ? "on" : "off");
}

static void hyperv_write(struct argument *a, const char *word, size_t len)
{
	/* The number that Windows's guides and libvirt's documentation give. */
	if (len == 9 && !strncmp(word, "spinlocks", len))
		fputs(",hv-spinlocks=0x1fff", a->f);
	else if (len == 9 && !strncmp(word, "vendor_id", len))
		fputs(",hv-vendor-id=", a->f);
	else
		fprintf(a->f, ",hv-%.*s=on", (int)len, word);
}

static bool in_features(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = list; p && *p; p += strcspn(p, ","), p += *p == ',')
		if (strcspn(p, ",") == len + 1 && !strncmp(p + 1, name, len))
			return true;
	return false;
}

static void cpu_write(struct writer *w)
{
	static const struct {
		const char *key, *name;
	} flags[] = {{"cpu.migratable", "migratable"},
		     {"cpu.pmu", "pmu"},
		     {"cpu.hint-dedicated", "kvm-hint-dedicated"},
		     {"clock.kvmclock", "kvmclock"}};
	const char *model = asked(w, "cpu.model"), *features = asked(w, "cpu.features");
	const char *cache = asked(w, "cpu.cache");
	struct argument a;

	if (!model)
		return;
	if (!strcmp(model, "host-passthrough") || !strcmp(model, "host-model"))
		model = "host";
	arg_begin(&a, model);
	words_each(features, feature_write, &a);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (!in_features(features, flags[i].name))
			arg_add(&a, flags[i].name, asked(w, "%s", flags[i].key));
	if (cache && !strcmp(cache, "passthrough") && !in_features(features, "host-cache-info"))
		arg_add(&a, "host-cache-info", "on");
	if (cache && !strcmp(cache, "emulate") && !in_features(features, "l3-cache"))
		arg_add(&a, "l3-cache", "on");
	if (on(asked(w, "cpu.halt-poll")) && strcmp(model, "host") &&
	    !in_features(features, "kvm-poll-control"))
		arg_add(&a, "kvm-poll-control", "on");
	words_each(asked(w, "hyperv"), hyperv_write, &a);
	option(w, "cpu", arg_end(&a));
}

static void smp_write(struct writer *w)
{
	static const char *const levels[] = {"sockets", "dies", "cores", "threads"};
	const char *vcpus = asked(w, "vcpus"), *pm = asked(w, "cpu.cpu-pm");
	const char *locked = asked(w, "memory.locked");
	struct argument a;

	if (vcpus) {
		arg_begin(&a, vcpus);
		arg_add(&a, "maxcpus", asked(w, "vcpus.max"));
		for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
			arg_add(&a, levels[i], asked(w, "smp.%s", levels[i]));
		option(w, "smp", arg_end(&a));
	}
	if (pm || locked) {
		arg_begin(&a, "");
		arg_add(&a, "mem-lock", locked);
		arg_add(&a, "cpu-pm", pm);
		option(w, "overcommit", xstrdup(arg_end(&a) + 1));
		free(a.text);
	}
}

/* --- memory --- */

static void policy_write(const struct writer *w, struct argument *a, const char *prefix)
{
	const char *mode = asked(w, "%s.mode", prefix), *nodes = asked(w, "%s.nodeset", prefix);

	if (!nodes)
		return;
	/* The list's parts are options of their own: host-nodes=0-1,host-nodes=4. */
	for (const char *p = nodes; *p; p += strcspn(p, ","), p += *p == ',')
		fprintf(a->f, ",host-nodes=%.*s", (int)strcspn(p, ","), p);
	arg_add(a, "policy",
		!mode || !strcmp(mode, "strict") || !strcmp(mode, "restrictive") ? "bind" : mode);
}

/* prefix: of the policy, "numa.0" or "numatune". */
static void backend_write(struct writer *w, unsigned n, uint64_t size, const char *prefix)
{
	const char *source = asked(w, "memory.source"), *page = asked(w, "memory.page");
	uint64_t bytes = page ? strtoull(page, NULL, 10) : 4096;
	bool file = source && !strcmp(source, "file"), huge = bytes > 65536;
	bool memfd = !file && (huge || (source && !strcmp(source, "memfd")));
	struct argument a;
	char id[16];

	arg_begin(&a, file    ? "memory-backend-file"
		      : memfd ? "memory-backend-memfd"
			      : "memory-backend-ram");
	snprintf(id, sizeof(id), "ram%u", n);
	arg_add(&a, "id", id);
	arg_number(&a, "size", size);
	if (file)
		arg_add(&a, "mem-path",
			bytes == 1u << 30 ? "/dev/hugepages1G"
			: huge		  ? "/dev/hugepages"
					  : "/dev/shm");
	if (memfd && huge) {
		arg_add(&a, "hugetlb", "on");
		arg_number(&a, "hugetlbsize", bytes);
	}
	arg_add(&a, "share", asked(w, "memory.shared"));
	arg_add(&a, "prealloc", asked(w, "memory.prealloc"));
	arg_add(&a, "merge", asked(w, "memory.merge"));
	if (file)
		arg_add(&a, "discard-data", asked(w, "memory.discard"));
	policy_write(w, &a, asked(w, "%s.nodeset", prefix) ? prefix : "numatune");
	option(w, "object", arg_end(&a));
}

static void cell_write(struct writer *w, unsigned i, uint64_t size)
{
	const char *cpus = asked(w, "numa.%u.cpus", i);
	char prefix[24], id[16];
	struct argument a;

	snprintf(prefix, sizeof(prefix), "numa.%u", i);
	if (size)
		backend_write(w, i, size, prefix);
	arg_begin(&a, "node");
	arg_number(&a, "nodeid", i);
	for (const char *p = cpus; p && *p; p += strcspn(p, ","), p += *p == ',')
		fprintf(a.f, ",cpus=%.*s", (int)strcspn(p, ","), p);
	snprintf(id, sizeof(id), "ram%u", i);
	if (size)
		arg_add(&a, "memdev", id);
	option(w, "numa", arg_end(&a));
}

static void memory_write(struct writer *w)
{
	const char *max = asked(w, "memory.max");
	uint64_t size = 0, cell;
	unsigned n = cells(w);
	struct argument a;

	if (!vm_number(w->vm, VM_ASKED, &size, "memory.size"))
		return;
	arg_begin(&a, "");
	fprintf(a.f, "size=%" PRIu64 "k", size >> 10);
	if (max)
		arg_add(&a, "slots", "16");
	arg_add(&a, "maxmem", max);
	option(w, "m", arg_end(&a));
	for (unsigned i = 0; i < n; i++) {
		if (!vm_number(w->vm, VM_ASKED, &cell, "numa.%u.memory", i))
			cell = 0;
		cell_write(w, i, cell);
	}
	if (!n && has_backend(w))
		backend_write(w, 0, size, "numatune");
}

/* --- iothreads --- */

void write_qemu_iothread(const struct vm *vm, const char *id, char *buf, size_t size)
{
	unsigned n = vm_count(vm, "iothread");

	snprintf(buf, size, "%s%s", isdigit((unsigned char)*id) ? "iothread" : "", id);
	/* "IO " and it must fit the 15 characters of a thread's name, to be found by that. */
	for (unsigned i = 0; strlen(buf) > 12 && i < n; i++)
		if (vm_is(vm, VM_ASKED, id, "iothread.%u.id", i))
			snprintf(buf, size, "io%u", i);
}

void write_qemu_iothread_name(const struct vm *vm, unsigned i, char *buf, size_t size)
{
	const char *id = vm_get(vm, VM_ASKED, "iothread.%u.id", i);
	char number[16];

	snprintf(number, sizeof(number), "%u", i + 1);
	write_qemu_iothread(vm, id ? id : number, buf, size);
}

unsigned write_qemu_iothreads(const struct vm *vm)
{
	uint64_t n = 0;

	return vm_number(vm, VM_ASKED, &n, "iothreads") && n <= ARGV_MANY
		       ? (unsigned)n
		       : vm_count(vm, "iothread");
}

static void iothreads_write(struct writer *w)
{
	for (unsigned i = 0; i < write_qemu_iothreads(w->vm); i++) {
		struct argument a;
		char id[128];

		write_qemu_iothread_name(w->vm, i, id, sizeof(id));
		arg_begin(&a, "iothread");
		arg_add(&a, "id", id);
		arg_add(&a, "poll-max-ns", asked(w, "iothread.%u.poll-max-ns", i));
		option(w, "object", arg_end(&a));
	}
}

/* --- the rest --- */

static void clock_write(struct writer *w)
{
	const char *base = asked(w, "clock.base"), *rtc = asked(w, "clock.rtc");
	const char *pit = asked(w, "clock.pit");
	struct argument a;

	if (base && strcmp(base, "utc") && strcmp(base, "localtime"))
		base = NULL;
	if (base || rtc) {
		arg_begin(&a, "base=");
		fputs(base ? base : "utc", a.f);
		if (rtc)
			arg_add(&a, "driftfix", !strcmp(rtc, "catchup") ? "slew" : "none");
		option(w, "rtc", arg_end(&a));
	}
	if (pit)
		option(w, "global",
		       xasprintf("kvm-pit.lost_tick_policy=%s",
				 !strcmp(pit, "catchup") ? "slew" : pit));
}

static void devices_write(struct writer *w)
{
	const char *balloon = asked(w, "balloon");
	struct argument a;

	if (balloon && !strcmp(balloon, "virtio")) {
		arg_begin(&a, "virtio-balloon-pci");
		arg_add(&a, "deflate-on-oom", asked(w, "balloon.autodeflate"));
		arg_add(&a, "free-page-reporting", asked(w, "balloon.reporting"));
		option(w, "device", arg_end(&a));
	}
	if (on(asked(w, "rng"))) {
		option(w, "object", xstrdup("rng-random,id=rng0,filename=/dev/urandom"));
		option(w, "device", xstrdup("virtio-rng-pci,rng=rng0"));
	}
	if (on(asked(w, "agent"))) {
		option(w, "chardev",
		       xasprintf("socket,id=agent0,path=/run/qemu-agent.sock,server=on,wait=off"));
		option(w, "device", xstrdup("virtio-serial-pci,id=serial0"));
		option(w, "device",
		       xstrdup("virtserialport,bus=serial0.0,chardev=agent0,"
			       "name=org.qemu.guest_agent.0"));
	}
	if (on(asked(w, "usb")) || on(asked(w, "usb.tablet")))
		option(w, "device", xstrdup("qemu-xhci,id=usb0"));
	if (on(asked(w, "usb.tablet")))
		option(w, "device", xstrdup("usb-tablet,bus=usb0.0"));
	if (on(asked(w, "watchdog")))
		option(w, "device", xstrdup("i6300esb"));
	if (asked(w, "sandbox"))
		option(w, "sandbox", xstrdup(asked(w, "sandbox")));
}

static void nets_write(struct writer *w)
{
	unsigned n = vm_count(w->vm, "net");

	for (unsigned i = 0; i < n && i < ARGV_MANY; i++) {
		const char *model = asked(w, "net.%u.model", i);
		const char *backend = asked(w, "net.%u.backend", i);
		const char *queues = asked(w, "net.%u.queues", i);
		bool virtio = !model || !strcmp(model, "virtio");
		bool user = !backend || !strcmp(backend, "user");
		struct argument a;

		if (backend && !user && strcmp(backend, "tap") && strcmp(backend, "vhost"))
			continue;
		arg_begin(&a, user ? "user" : "tap");
		fprintf(a.f, ",id=net%u", i);
		if (!user)
			arg_add(&a, "queues", queues);
		if (!user && !strcmp(backend, "vhost"))
			arg_add(&a, "vhost", "on");
		option(w, "netdev", arg_end(&a));
		arg_begin(&a, virtio ? "virtio-net-pci" : model);
		fprintf(a.f, ",netdev=net%u", i);
		if (virtio && queues && strcmp(queues, "1"))
			arg_add(&a, "mq", "on");
		arg_add(&a, "rx_queue_size", asked(w, "net.%u.rx-queue-size", i));
		arg_add(&a, "tx_queue_size", asked(w, "net.%u.tx-queue-size", i));
		if (virtio)
			arg_add(&a, "host_mtu", asked(w, "net.%u.mtu", i));
		option(w, "device", arg_end(&a));
	}
}

/* --- what there are no options for --- */

/* Facts that a command line has no words for, or that this one leaves out. */
static void rest_write(struct writer *w)
{
	static const struct {
		const char *key, *what;
	} rest[] = {{"numa.distances", "-numa dist,src=,dst=,val= of the host's distances"},
		    {"cpu.shares", "CPU weight: systemd-run --scope -p CPUWeight="},
		    {"cpu.quota-us", "CPU quota of each vCPU: its cgroup's cpu.max"},
		    {"cpu.global-quota-us", "CPU quota: systemd-run --scope -p CPUQuota="},
		    {"memory.hard-limit", "memory limit: systemd-run --scope -p MemoryMax="},
		    {"cachetune", "cache partition: resctrl"},
		    {"memorytune", "memory bandwidth: resctrl"},
		    {"tpm", "TPM: swtpm, -tpmdev emulator, -device tpm-crb"},
		    {"hostdevs", "devices of the host: -device vfio-pci,host=..."},
		    {"graphics", "graphics: -display, -vnc or -spice as it is now"},
		    {"sound", "sound card: -device intel-hda, -device hda-duplex"}};
	const char *firmware = asked(w, "firmware");

	fputc('\n', w->out);
	if (firmware && !strcmp(firmware, "efi"))
		comment(w, "firmware is UEFI: its two flash images (-drive if=pflash,...) as they "
			   "are now");
	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
		const char *value = asked(w, "%s", rest[i].key);

		if (value && strcmp(value, "off") && strcmp(value, "0"))
			comment(w, "%s = %s has no option here (%s)", rest[i].key, value,
				rest[i].what);
	}
}

int vm_write_qemu(FILE *out, const struct vm *vm, struct err *e)
{
	struct writer w = {out, vm};
	const char *program = vm_get(vm, VM_ASKED, "qemu.path");
	const char *arch = vm_get(vm, VM_ASKED, "arch");
	bool threads = write_qemu_has_pins(vm) || on(asked(&w, "debug-threads"));
	char *own =
		program ? xstrdup(program) : xasprintf("qemu-system-%s", arch ? arch : "x86_64");
	struct argument a;

	(void)e;
	vm_put_word(out, own);
	free(own);
	arg_begin(&a, "guest=");
	for (const char *p = vm->name; *p; p++)
		fprintf(a.f, "%s", (char[]){*p, *p == ',' ? ',' : '\0', '\0'});
	arg_add(&a, "debug-threads", threads ? "on" : asked(&w, "debug-threads"));
	option(&w, "name", arg_end(&a));
	if (asked(&w, "uuid"))
		option(&w, "uuid", xstrdup(asked(&w, "uuid")));
	machine_write(&w);
	cpu_write(&w);
	smp_write(&w);
	memory_write(&w);
	iothreads_write(&w);
	write_qemu_disks(out, vm);
	nets_write(&w);
	clock_write(&w);
	devices_write(&w);
	if (on(asked(&w, "headless"))) {
		option(&w, "display", xstrdup("none"));
		option(&w, "vga", xstrdup("none"));
	}
	rest_write(&w);
	write_qemu_disk_notes(out, vm);
	write_qemu_pins(out, vm);
	return 0;
}
