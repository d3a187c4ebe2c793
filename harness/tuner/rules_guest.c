// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules of the guest, its devices and its machine type. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tuner/internal.h"

/* --- GST-03: devices that nobody needs --- */

static void check_gst_03(const struct subject *s, struct findings *f)
{
	static const struct {
		const char *key, *what, *xml, *qemu;
		bool speed_only; /* someone who looks at the screen needs it */
	} devices[] = {
		{"sound", "a sound card", "no <sound>", "no -device of a sound card, no -audiodev",
		 false},
		{"smartcard", "a smartcard reader", "no <smartcard>", "no -device usb-ccid", false},
		{"usb.tablet", "a USB tablet, which is polled",
		 "no <input type='tablet' bus='usb'/> (bus='virtio' where a screen is needed)",
		 "no -device usb-tablet", true},
		{"watchdog", "a watchdog", "no <watchdog>", "no -device of a watchdog", true},
		{"graphics", "a screen", "no <graphics>, <channel type='spicevmc'> nor <redirdev>",
		 "-display none", true},
		{"video", "a video card", "<video><model type='none'/></video>", "-vga none", true},
	};

	if (!need_vm(s, f))
		return;
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		const char *value = vm_get(s->vm, VM_ASKED, "%s", devices[i].key);
		struct finding *x;

		if (!value || !strcmp(value, "off") || !strcmp(value, "none") ||
		    (devices[i].speed_only && !wants_speed(s)))
			continue;
		x = found_bad(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "%s", devices[i].key),
			      "%s%s%s%s", devices[i].what, strcmp(value, "on") ? " (" : "",
			      strcmp(value, "on") ? value : "", strcmp(value, "on") ? ")" : "");
		finding_want(x, "only what the machine uses");
		finding_change(x, CHANGE_XML, "%s", devices[i].xml);
		finding_change(x, CHANGE_QEMU, "%s", devices[i].qemu);
	}
	if (!f->n)
		found_ok(f, VM_ASKED, NULL, NULL, "no device that stands out as unused");
}

/* --- GST-04: machine type --- */

/* The version in "pc-q35-7.2", as 702; 0: none (an alias, which is the newest), -1: a vendor's own.
 */
static int machine_version(const char *machine)
{
	const char *p = strrchr(machine, '-');
	unsigned major, minor;

	if (!p)
		return 0;
	if (sscanf(p + 1, "%u.%u", &major, &minor) == 2 && major < 1000 && minor < 100)
		return (int)(major * 100 + minor);
	return -1;
}

static int qemu_version(const char *text)
{
	unsigned major, minor;

	return text && sscanf(text, "%u.%u", &major, &minor) == 2 && major < 1000 && minor < 100
		       ? (int)(major * 100 + minor)
		       : 0;
}

static void check_gst_04(const struct subject *s, struct findings *f)
{
	enum { QUEUES = 502 }; /* from 5.2 on, disks have a queue for each vCPU and rings of 256 */
	const char *machine, *where, *running;
	struct finding *x;
	int version, qemu;

	if (!need_vm(s, f))
		return;
	machine = vm_get(s->vm, VM_ASKED, "machine");
	where = fact_where(s->vm, VM_ASKED, "machine");
	running = vm_get(s->vm, VM_GOT, "qemu.version");
	qemu = qemu_version(running ? running : vm_get(s->vm, VM_ASKED, "qemu.version"));
	version = machine ? machine_version(machine) : 0;
	if (!machine) {
		found_ok(f, VM_ASKED, NULL, where,
			 "no machine type is named: QEMU takes its newest of the default kind");
	} else if (version < 0) {
		found_unknown(f, VM_ASKED, NULL, "%s is a vendor's own: its age cannot be told",
			      machine);
	} else if (version && version < QUEUES) {
		x = found_bad(
			f, VM_ASKED, NULL, where,
			"%s: older than 5.2, so disks have one queue and short rings by default",
			machine);
		finding_want(
			x, qemu ? "the newest of this QEMU, q35 where the guest can boot it"
				: "the newest that its QEMU has, q35 where the guest can boot it");
		finding_change(
			x, CHANGE_XML,
			"<os><type machine='q35'>hvm</type></os> (libvirt writes the newest)");
		finding_change(x, CHANGE_QEMU, "-machine q35");
	} else {
		found_ok(f, VM_ASKED, NULL, where, "%s%s%s", machine,
			 version && qemu && version < qemu ? ", older than QEMU " : "",
			 version && qemu && version < qemu
				 ? (running ? running : vm_get(s->vm, VM_ASKED, "qemu.version"))
				 : "");
	}
}

/* --- GST-05, GST-06 --- */

static void check_gst_05(const struct subject *s, struct findings *f)
{
	struct finding *x;

	if (!need_own_devices(s, f) || may_say(s, f, "rng"))
		return;
	if (vm_is(s->vm, VM_ASKED, "on", "rng")) {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "rng"),
			 "it has virtio-rng");
		return;
	}
	x = found_bad(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "rng"),
		      "it has no virtio-rng");
	finding_want(x, "a source of random numbers");
	finding_change(x, CHANGE_XML,
		       "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>");
	finding_change(
		x, CHANGE_QEMU,
		"-object rng-random,id=rng0,filename=/dev/urandom -device virtio-rng-pci,rng=rng0");
	if (is_windows(s->vm))
		finding_change(x, CHANGE_GUEST, "virtio-win's viorng");
}

static void check_gst_06(const struct subject *s, struct findings *f)
{
	struct finding *x;

	if (!need_own_devices(s, f) || may_say(s, f, "agent"))
		return;
	if (vm_is(s->vm, VM_ASKED, "on", "agent")) {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "agent"),
			 "it has a channel for the guest agent");
		return;
	}
	x = found_bad(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "agent"),
		      "it has no channel for the guest agent");
	finding_want(x, "the guest agent: time after a pause, fsfreeze, fstrim");
	finding_change(
		x, CHANGE_XML,
		"<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>");
	finding_change(
		x, CHANGE_QEMU,
		"-chardev socket,id=qga0,path=PATH,server=on,wait=off -device virtio-serial -device virtserialport,chardev=qga0,name=org.qemu.guest_agent.0");
	finding_change(x, CHANGE_GUEST, "%s",
		       is_windows(s->vm) ? "install qemu-ga and vioserial of virtio-win"
					 : "install qemu-guest-agent");
}

/* --- GST-07: Windows --- */

/* A name in a list with commas. */
static bool listed(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = list; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (!strncmp(p, name, len) && (p[len] == ',' || !p[len]))
			return true;
	return false;
}

static void check_gst_07(const struct subject *s, struct findings *f)
{
	/* without those for debugging, for nested Hyper-V on Intel, and those that need pins or
	 * AVIC; time and stimer are CLK-04's */
	static const char *const wanted[] = {
		"relaxed", "vapic",	  "spinlocks", "vpindex",	  "runtime", "synic",
		"reset",   "frequencies", "tlbflush",  "reenlightenment", "ipi"};
	char missing[256] = "", qemu[400] = "", xml[600] = "";
	const char *list;
	struct finding *x;

	if (!need_vm(s, f))
		return;
	if (!is_windows(s->vm)) {
		found_none(f, "nothing says that Windows runs in it");
		return;
	}
	list = vm_get(s->vm, VM_ASKED, "hyperv");
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		size_t used = strlen(missing), args = strlen(qemu), put = strlen(xml);

		if (list && listed(list, wanted[i]))
			continue;
		snprintf(missing + used, sizeof(missing) - used, "%s%s", used ? ", " : "",
			 wanted[i]);
		snprintf(qemu + args, sizeof(qemu) - args, ",hv-%s%s", wanted[i],
			 strcmp(wanted[i], "spinlocks") ? ""
			 : s->dense			? "=0xfff"
							: "=0xffffffff");
		snprintf(xml + put, sizeof(xml) - put, "<%s state='on'%s/>", wanted[i],
			 strcmp(wanted[i], "spinlocks") ? ""
			 : s->dense			? " retries='4095'"
							: " retries='4294967295'");
	}
	if (!*missing) {
		found_ok(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "hyperv"),
			 "enlightenments: %s", list);
		return;
	}
	x = found_bad(f, VM_ASKED, NULL, fact_where(s->vm, VM_ASKED, "hyperv"),
		      "Windows without the enlightenments %s", missing);
	finding_want(x, "all but those for debugging; each is off by default");
	finding_change(x, CHANGE_XML, "<features><hyperv mode='custom'>%s</hyperv></features>%s",
		       xml, list ? ", beside those that are there" : "");
	finding_change(x, CHANGE_QEMU, "-cpu %s,...%s", cpu_option(s->vm), qemu);
}

/* --- GST-08, GST-09 --- */

static void check_gst_08(const struct subject *s, struct findings *f)
{
	const char *machine;

	if (!need_vm(s, f))
		return;
	machine = vm_get(s->vm, VM_ASKED, "machine");
	if (machine && !strncmp(machine, "microvm", 7))
		found_none(f, "%s: its disks are on virtio-mmio; say so beside each figure",
			   machine);
	else
		found_none(f, "not a microvm");
}

static void check_gst_09(const struct subject *s, struct findings *f)
{
	bool scsi = false;

	if (!need_vm(s, f))
		return;
	for (unsigned i = 0, n = vm_count(s->vm, "disk"); i < n && i < 4096; i++)
		scsi |= vm_is(s->vm, VM_ASKED, "virtio-scsi", "disk.%u.bus", i);
	if (!is_windows(s->vm) || !scsi)
		found_none(f, "about Windows on virtio-scsi");
	else
		found_unknown(
			f, VM_GOT, NULL,
			"the version of vioscsi and its PhysicalBreaks show only in the guest's registry");
}

const struct rule_row rules_guest[] = {
	{"GST-03", RULE_MAY, NULL, NULL, NULL, NULL, check_gst_03},
	{"GST-04", RULE_SHOULD, "guest.machine", "q35", "pc", NULL, check_gst_04},
	{"GST-05", RULE_SHOULD, NULL, NULL, NULL, NULL, check_gst_05},
	{"GST-06", RULE_SHOULD, NULL, NULL, NULL, NULL, check_gst_06},
	{"GST-07", RULE_SHOULD, NULL, NULL, NULL, NULL, check_gst_07},
	{"GST-08", RULE_MAY, NULL, NULL, NULL, NULL, check_gst_08},
	{"GST-09", RULE_MAY, NULL, NULL, NULL, NULL, check_gst_09},
	{.id = NULL},
};
