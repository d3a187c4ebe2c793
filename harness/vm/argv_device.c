/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network, graphics and the other devices of a command line, and its iothreads. */
#include <stdlib.h>
#include <string.h>
#include "vm/internal.h"

/* --- iothreads --- */

static void iothreads_take(struct argv_reader *r)
{
	const struct argv_opt *o = NULL;
	unsigned n = 0;

	while ((o = argv_next(r, "object", o)) && n < ARGV_MANY) {
		const char *type = argv_get(o, "qom-type"), *id = argv_get(o, "id");

		if (!type || strcmp(type, "iothread"))
			continue;
		if (id && *id)
			vm_set(r->vm, VM_ASKED, id, o->where, "iothread.%u.id", n);
		argv_set_number(r, argv_get(o, "poll-max-ns"), o->where, "iothread.%u.poll-max-ns",
				n);
		n++;
	}
	vm_set_number(r->vm, VM_ASKED, n, "-object", "iothreads");
}

/* --- network --- */

/* "33:34:35" of fds=, vhostfds=: so many. */
static unsigned fds_count(const char *fds)
{
	unsigned n = fds && *fds;

	for (; fds && *fds; fds++)
		n += *fds == ':';
	return n;
}

static const char *net_backend(const struct argv_opt *o)
{
	const char *type = argv_get(o, "type"), *vhost = argv_get(o, "vhost");

	if (!type)
		return "other";
	if (!strcmp(type, "tap") || !strcmp(type, "bridge")) {
		bool on = argv_bool(vhost) == 1 || argv_get(o, "vhostfd") ||
			  argv_get(o, "vhostfds") || argv_bool(argv_get(o, "vhostforce")) == 1;

		/* A descriptor does not turn vhost on, but nobody hands one over for another end.
		 */
		return on && argv_bool(vhost) != 0 ? "vhost" : "tap";
	}
	return !strcmp(type, "vhost-user")   ? "vhost-user"
	       : !strcmp(type, "vhost-vdpa") ? "vdpa"
	       : !strcmp(type, "user")	     ? "user"
					     : "other";
}

static void backend_set(struct argv_reader *r, const struct argv_opt *o, unsigned net)
{
	unsigned fds = fds_count(argv_get(o, "fds"));

	vm_set(r->vm, VM_ASKED, net_backend(o), o->where, "net.%u.backend", net);
	if (fds)
		vm_set_number(r->vm, VM_ASKED, fds, o->where, "net.%u.queues", net);
	argv_set_number(r, argv_get(o, "queues"), o->where, "net.%u.queues", net);
}

/* A model's name without how it is attached. */
static void model_set(struct argv_reader *r, const char *driver, const char *where, unsigned net)
{
	char model[64];

	if (!strncmp(driver, "virtio", 6)) {
		vm_set(r->vm, VM_ASKED, "virtio", where, "net.%u.model", net);
		return;
	}
	snprintf(model, sizeof(model), "%s", driver);
	if (*model)
		vm_set(r->vm, VM_ASKED, model, where, "net.%u.model", net);
}

static bool is_net(const char *driver)
{
	static const char *const models[] = {"virtio-net", "e1000",  "rtl8139", "vmxnet3",
					     "ne2k",	   "pcnet",  "i825",	"igb",
					     "tulip",	   "usb-net"};

	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		if (!strncmp(driver, models[i], strlen(models[i])))
			return true;
	return false;
}

static void device_net(struct argv_reader *r, const struct argv_opt *o, unsigned net)
{
	static const struct {
		const char *property, *key;
	} numbers[] = {{"rx_queue_size", "rx-queue-size"},
		       {"tx_queue_size", "tx-queue-size"},
		       {"host_mtu", "mtu"}};
	const char *id = argv_get(o, "netdev"), *where = o->where, *value;
	const struct argv_opt *b = id ? argv_by_id(r, "netdev", "id", id) : NULL;

	model_set(r, argv_get(o, "driver"), o->where, net);
	if (b)
		backend_set(r, b, net);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		value = argv_property(r, o, numbers[i].property, &where);
		argv_set_number(r, value, where, "net.%u.%s", net, numbers[i].key);
	}
}

/* -nic and -net: device and back end in one, or in two without names. */
static unsigned short_nets(struct argv_reader *r, unsigned net)
{
	const struct argv_opt *o = NULL, *b = NULL;

	while ((o = argv_next(r, "nic", o)) && net < ARGV_MANY) {
		const char *type = argv_get(o, "type"), *model = argv_get(o, "model");

		if (type && !strcmp(type, "none"))
			continue;
		if (model)
			model_set(r, model, o->where, net);
		backend_set(r, o, net++);
	}
	while ((o = argv_next(r, "net", o)) && net < ARGV_MANY) {
		const char *type = argv_get(o, "type"), *model = argv_get(o, "model");

		if (!type || strcmp(type, "nic"))
			continue;
		if (model)
			model_set(r, model, o->where, net);
		for (b = NULL; (b = argv_next(r, "net", b));)
			if (argv_get(b, "type") && strcmp(argv_get(b, "type"), "nic"))
				backend_set(r, b, net);
		net++;
	}
	return net;
}

/* --- the rest --- */

/* Devices that are one fact by being there. */
static const struct device_fact {
	const char *driver; /* a name that begins with it */
	const char *flag;
} device_facts[] = {
	{"virtio-rng", "rng"},
	{"i6300esb", "watchdog"},
	{"ib700", "watchdog"},
	{"diag288", "watchdog"},
	{"tpm-", "tpm"},
	{"usb-tablet", "usb.tablet"},
	{"usb-", "usb"},
	{"qemu-xhci", "usb"},
	{"nec-usb-xhci", "usb"},
	{"piix3-usb", "usb"},
	{"piix4-usb", "usb"},
	{"ich9-usb", "usb"},
	{"pci-ohci", "usb"},
	{"ccid-card", "smartcard"},
	{"usb-ccid", "smartcard"},
	{"intel-hda", "sound"},
	{"ich9-intel-hda", "sound"},
	{"AC97", "sound"},
	{"ES1370", "sound"},
	{"sb16", "sound"},
	{"virtio-sound", "sound"},
	{"virtio-snd", "sound"},
	{"usb-audio", "sound"},
	{"gus", "sound"},
	{"cs4231a", "sound"},
	{"adlib", "sound"},
	{"hda-", "sound"},
};

/* Video devices: the name that libvirt and -vga have. */
static const struct {
	const char *driver, *word;
} videos[] = {{"VGA", "vga"},
	      {"secondary-vga", "vga"},
	      {"qxl", "qxl"},
	      {"virtio-vga", "virtio"},
	      {"virtio-gpu", "virtio"},
	      {"cirrus-vga", "cirrus"},
	      {"bochs-display", "bochs"},
	      {"ramfb", "ramfb"},
	      {"vmware-svga", "vmvga"},
	      {"vhost-user-vga", "virtio"},
	      {"vhost-user-gpu", "virtio"},
	      {"isa-vga", "vga"}};

/* Devices that are known and are no fact. */
static const char *const plain[] = {
	"pci",
	"pcie",
	"ioh3420",
	"x3130",
	"xio3130",
	"i82801",
	"isa-",
	"virtio-serial",
	"virtserialport",
	"virtconsole",
	"virtio-keyboard",
	"virtio-mouse",
	"virtio-tablet",
	"virtio-input",
	"pvpanic",
	"vmgenid",
	"ide-cd",
	"scsi-cd",
	"lsi",
	"megasas",
	"mptsas",
	"pvscsi",
	"ahci",
	"ich9-ahci",
	"piix3-ide",
	"piix4-ide",
	"floppy",
	"edu",
	"vhost-vsock",
	"vhost-user-fs",
	"virtio-9p",
	"virtio-crypto",
	"virtio-iommu",
	"intel-iommu",
	"amd-iommu",
	"pxb",
	"ivshmem",
	"pc-dimm",
	"virtio-mem",
	"virtio-pmem",
	"nvdimm",
	"nvme-subsys",
	"virtio-scsi",
	"spapr",
	"generic-sdhci",
	"sdhci-pci",
	"loader",
	"guest-loader",
	"sclpconsole",
	"kvaser",
	"am53c974",
	"dc390",
	"amd-",
	"pcm",
	"ps2",
	"ich9",
	"virtio-mmio",
	"vhost-scsi",
	"vhost-user-scsi",
	"i8042",
	"mch",
	"pvrdma",
	"qemu64",
	"virtio-blk",
	"vhost-user-blk",
	"scsi-",
	"ide-",
	"nvme",
	"sd-card",
	"vmcoreinfo",
	"iommufd",
};

struct devices {
	char *video, *graphics;
	unsigned nets, hostdevs;
	bool fixed; /* something keeps it from migrating */
	const char *why;
};

static void words_add(char **list, const char *word)
{
	char *longer;

	if (*list && strlen(*list) > 2000)
		return;
	longer = xasprintf("%s%s%s", *list ? *list : "", *list ? "," : "", word);
	free(*list);
	*list = longer;
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static void balloon_take(struct argv_reader *r, const struct argv_opt *o)
{
	vm_set(r->vm, VM_ASKED, "virtio", o->where, "balloon");
	argv_set_flag(r, argv_get(o, "deflate-on-oom"), o->where, "balloon.autodeflate");
	argv_set_flag(r, argv_get(o, "free-page-reporting"), o->where, "balloon.reporting");
}

static bool device_known(struct argv_reader *r, const struct argv_opt *o, struct devices *d)
{
	const char *driver = argv_get(o, "driver"), *name = argv_get(o, "name");
	bool known = false;

	for (size_t i = 0; i < sizeof(device_facts) / sizeof(device_facts[0]); i++)
		if (begins(driver, device_facts[i].driver)) {
			vm_set_flag(r->vm, VM_ASKED, true, o->where, "%s", device_facts[i].flag);
			known = true;
		}
	for (size_t i = 0; i < sizeof(videos) / sizeof(videos[0]); i++)
		if (begins(driver, videos[i].driver)) {
			words_add(&d->video, videos[i].word);
			return true;
		}
	if (begins(driver, "virtio-balloon"))
		balloon_take(r, o);
	else if (begins(driver, "vfio-"))
		d->hostdevs++;
	else if (begins(driver, "virtserialport") && name &&
		 !strcmp(name, "org.qemu.guest_agent.0"))
		vm_set_flag(r->vm, VM_ASKED, true, o->where, "agent");
	else
		return known;
	return true;
}

/* What QEMU 7.2 refuses to migrate with. */
static void migration_take(const char *driver, const struct argv_opt *o, struct devices *d)
{
	if (!begins(driver, "vfio-") && strcmp(driver, "nvme") && !begins(driver, "usb-host") &&
	    !begins(driver, "ivshmem"))
		return;
	d->fixed = true;
	d->why = o->where;
}

static void device_each(struct argv_reader *r, struct devices *d)
{
	const struct argv_opt *o = NULL;

	while ((o = argv_next(r, "device", o))) {
		const char *driver = argv_get(o, "driver");
		bool known;

		if (!driver || !*driver) {
			argv_note(r, "%s has no driver", o->where);
			continue;
		}
		migration_take(driver, o, d);
		if (is_net(driver)) {
			if (d->nets < ARGV_MANY)
				device_net(r, o, d->nets++);
			continue;
		}
		known = device_known(r, o, d);
		for (size_t i = 0; !known && i < sizeof(plain) / sizeof(plain[0]); i++)
			known = begins(driver, plain[i]);
		if (!known)
			argv_note(r, "%s: device \"%.60s\" is not known", o->where, driver);
	}
}

/* --- graphics --- */

static void graphics_take(struct argv_reader *r, struct devices *d)
{
	const struct argv_opt *o;
	bool said = false;

	o = argv_next(r, "vnc", NULL);
	if (o) {
		said = true;
		if (argv_get(o, "vnc") ? strcmp(argv_get(o, "vnc"), "none") : o->text != NULL)
			words_add(&d->graphics, "vnc");
	}
	o = argv_next(r, "spice", NULL);
	if (o) {
		said = true;
		words_add(&d->graphics, "spice");
	}
	for (o = NULL; (o = argv_next(r, "display", o));) {
		const char *type = argv_get(o, "type");

		said = true;
		if (type && strcmp(type, "none") && strcmp(type, "egl-headless") &&
		    !strpbrk(type, " ,"))
			words_add(&d->graphics, type);
	}
	if (argv_next(r, "nographic", NULL))
		said = true;
	else if (argv_next(r, "curses", NULL))
		words_add(&d->graphics, "curses");
	else if (argv_next(r, "sdl", NULL))
		words_add(&d->graphics, "sdl");
	else if (!said)
		words_add(&d->graphics, "default");
	if (d->graphics)
		vm_set(r->vm, VM_ASKED, d->graphics, "the display options", "graphics");
}

static void video_take(struct argv_reader *r, struct devices *d)
{
	const struct argv_opt *o = argv_next(r, "vga", NULL);
	const char *arch = vm_get(r->vm, VM_ASKED, "arch");
	bool x86 = arch && (!strcmp(arch, "x86_64") || !strcmp(arch, "i386"));
	bool microvm = vm_is(r->vm, VM_ASKED, "microvm", "machine");

	if (o && strcmp(o->text, "none"))
		words_add(&d->video, !strcmp(o->text, "std")  ? "vga"
				     : strpbrk(o->text, " ,") ? "other"
							      : o->text);
	/* A PC gets one unless it is told otherwise, also with -display none and -nographic. */
	else if (!o && !d->video && r->defaults && x86 && !microvm)
		words_add(&d->video, "vga");
	if (d->video)
		vm_set(r->vm, VM_ASKED, d->video, o ? o->where : "-device", "video");
	if (!r->incomplete)
		vm_set_flag(r->vm, VM_ASKED, !d->video && !d->graphics, "the display options",
			    "headless");
}

/* What is not on a complete command line is not in the machine. */
static void absent_take(struct argv_reader *r)
{
	static const char *const flags[] = {"rng",	  "agent",     "sound",	   "usb",
					    "usb.tablet", "smartcard", "watchdog", "tpm"};
	struct vm *vm = r->vm;

	if (r->incomplete)
		return;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (!vm_get(vm, VM_ASKED, "%s", flags[i]))
			vm_set_flag(vm, VM_ASKED, false, "no such device", "%s", flags[i]);
	if (!vm_get(vm, VM_ASKED, "balloon"))
		vm_set(vm, VM_ASKED, "none", "no such device", "balloon");
}

static void old_words_take(struct argv_reader *r)
{
	static const struct {
		const char *option, *flag;
	} flags[] = {{"usb", "usb"}, {"watchdog", "watchdog"}, {"soundhw", "sound"}};
	const struct argv_opt *o = NULL;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		o = argv_next(r, flags[i].option, NULL);
		if (o)
			vm_set_flag(r->vm, VM_ASKED, true, o->where, "%s", flags[i].flag);
	}
	for (o = NULL; (o = argv_next(r, "usbdevice", o));) {
		vm_set_flag(r->vm, VM_ASKED, true, o->where, "usb");
		if (!strcmp(o->text, "tablet"))
			vm_set_flag(r->vm, VM_ASKED, true, o->where, "usb.tablet");
	}
	o = argv_next(r, "balloon", NULL);
	if (o && !strncmp(o->text, "virtio", 6))
		vm_set(r->vm, VM_ASKED, "virtio", o->where, "balloon");
	o = argv_next(r, "audio", NULL);
	if (o && argv_get(o, "model"))
		vm_set_flag(r->vm, VM_ASKED, true, o->where, "sound");
}

void argv_devices(struct argv_reader *r)
{
	const char *features = vm_get(r->vm, VM_ASKED, "cpu.features");
	struct devices d = {0};

	iothreads_take(r);
	device_each(r, &d);
	d.nets = short_nets(r, d.nets);
	old_words_take(r);
	graphics_take(r, &d);
	video_take(r, &d);
	absent_take(r);
	vm_set_number(r->vm, VM_ASKED, d.hostdevs, "-device", "hostdevs");
	if (!d.fixed && features && strstr(features, "+invtsc")) {
		d.fixed = true;
		d.why = "-cpu";
	}
	if (!r->incomplete || d.fixed)
		vm_set_flag(r->vm, VM_ASKED, !d.fixed, d.fixed ? d.why : "the devices",
			    "migratable");
	free(d.video);
	free(d.graphics);
}
