/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of QEMU's command line: which take an argument, and how it reads. */
#include <stdlib.h>
#include <string.h>
#include "vm/internal.h"

#define FLAG(name)                                \
	{                                         \
		name, ARGV_FLAG, NULL, NULL, true \
	}
#define TEXT(name)                                \
	{                                         \
		name, ARGV_TEXT, NULL, NULL, true \
	}
#define KEYS(name)                              \
	{                                       \
		name, ARGV_KEYS, "", NULL, true \
	}

/* clang-format off */
static const struct argv_option options[] = {
	/* what a machine's facts come from */
	{"machine", ARGV_KEYS, "type", NULL, false},
	{"M", ARGV_KEYS, "type", "machine", false},
	{"cpu", ARGV_CPU, "model", NULL, false},
	{"accel", ARGV_KEYS, "accel", NULL, false},
	{"enable-kvm", ARGV_FLAG, NULL, NULL, false},
	{"smp", ARGV_KEYS, "cpus", NULL, false},
	{"m", ARGV_KEYS, "size", NULL, false},
	{"numa", ARGV_KEYS, "type", NULL, false},
	{"object", ARGV_KEYS, "qom-type", NULL, false},
	{"mem-path", ARGV_TEXT, NULL, NULL, false},
	{"mem-prealloc", ARGV_FLAG, NULL, NULL, false},
	{"overcommit", ARGV_KEYS, "", NULL, false},
	{"realtime", ARGV_KEYS, "", NULL, false},
	{"global", ARGV_KEYS, "", NULL, false},
	{"set", ARGV_TEXT, NULL, NULL, false},
	{"device", ARGV_KEYS, "driver", NULL, false},
	{"drive", ARGV_KEYS, "file", NULL, false},
	{"blockdev", ARGV_KEYS, "driver", NULL, false},
	{"hda", ARGV_TEXT, NULL, NULL, false},
	{"hdb", ARGV_TEXT, NULL, "hda", false},
	{"hdc", ARGV_TEXT, NULL, "hda", false},
	{"hdd", ARGV_TEXT, NULL, "hda", false},
	{"snapshot", ARGV_FLAG, NULL, NULL, false},
	{"chardev", ARGV_KEYS, "backend", NULL, false},
	{"netdev", ARGV_KEYS, "type", NULL, false},
	{"nic", ARGV_KEYS, "type", NULL, false},
	{"net", ARGV_KEYS, "type", NULL, false},
	{"name", ARGV_KEYS, "guest", NULL, false},
	{"id", ARGV_TEXT, NULL, NULL, false}, /* Proxmox's */
	{"uuid", ARGV_TEXT, NULL, NULL, false},
	{"rtc", ARGV_KEYS, "", NULL, false},
	{"localtime", ARGV_FLAG, NULL, NULL, false},
	{"no-hpet", ARGV_FLAG, NULL, NULL, false},
	{"sandbox", ARGV_KEYS, "enable", NULL, false},
	{"bios", ARGV_TEXT, NULL, NULL, false},
	{"pflash", ARGV_TEXT, NULL, NULL, false},
	{"vga", ARGV_TEXT, NULL, NULL, false},
	{"display", ARGV_KEYS, "type", NULL, false},
	{"nographic", ARGV_FLAG, NULL, NULL, false},
	{"curses", ARGV_FLAG, NULL, NULL, false},
	{"sdl", ARGV_FLAG, NULL, NULL, false},
	{"vnc", ARGV_KEYS, "vnc", NULL, false},
	{"spice", ARGV_KEYS, "", NULL, false},
	{"usb", ARGV_FLAG, NULL, NULL, false},
	{"usbdevice", ARGV_TEXT, NULL, NULL, false},
	{"soundhw", ARGV_TEXT, NULL, NULL, false},
	{"audio", ARGV_KEYS, "driver", NULL, false},
	{"watchdog", ARGV_TEXT, NULL, NULL, false},
	{"balloon", ARGV_TEXT, NULL, NULL, false},
	{"tpmdev", ARGV_KEYS, "type", NULL, true},
	{"nodefaults", ARGV_FLAG, NULL, NULL, false},
	{"readconfig", ARGV_TEXT, NULL, NULL, false},
	{"add-fd", ARGV_KEYS, "", NULL, false},
	{"only-migratable", ARGV_FLAG, NULL, NULL, true},
	/* a positional argument is a disk */
	{"", ARGV_TEXT, NULL, "hda", false},

	/* what says nothing of them, but must be stepped over */
	FLAG("help"), FLAG("h"), FLAG("version"), FLAG("S"), FLAG("s"), FLAG("no-user-config"),
	FLAG("nodefconfig"), FLAG("nouserconfig"), FLAG("no-acpi"), FLAG("no-shutdown"),
	FLAG("no-reboot"), FLAG("daemonize"), FLAG("full-screen"), FLAG("no-fd-bootchk"),
	FLAG("singlestep"), FLAG("one-insn-per-tb"), FLAG("preconfig"), FLAG("old-param"),
	FLAG("semihosting"), FLAG("win2k-hack"), FLAG("rtc-td-hack"), FLAG("no-quit"), FLAG("no-frame"),
	FLAG("alt-grab"), FLAG("ctrl-grab"), FLAG("portrait"), FLAG("enable-fips"), FLAG("xen-attach"),
	FLAG("xen-domid-restrict"), FLAG("no-kvm"), FLAG("no-kvm-irqchip"), FLAG("no-kvm-pit"),
	FLAG("no-kvm-pit-reinjection"), FLAG("tdf"), FLAG("enable-sync-profile"), FLAG("audio-help"),
	KEYS("boot"), KEYS("smbios"), KEYS("mon"), KEYS("audiodev"), KEYS("msg"), KEYS("action"),
	KEYS("icount"), KEYS("acpitable"), KEYS("fsdev"), KEYS("virtfs"), KEYS("iscsi"), KEYS("fw_cfg"),
	KEYS("trace"), KEYS("plugin"), KEYS("run-with"), KEYS("semihosting-config"), KEYS("compat"),
	KEYS("option-rom"),
	TEXT("fda"), TEXT("fdb"), TEXT("cdrom"), TEXT("mtdblock"), TEXT("sd"), TEXT("kernel"),
	TEXT("append"), TEXT("initrd"), TEXT("dtb"), TEXT("shim"), TEXT("pidfile"), TEXT("runas"),
	TEXT("chroot"), TEXT("monitor"), TEXT("qmp"), TEXT("qmp-pretty"), TEXT("serial"),
	TEXT("parallel"), TEXT("debugcon"), TEXT("g"), TEXT("k"), TEXT("L"), TEXT("D"), TEXT("d"),
	TEXT("dfilter"), TEXT("seed"), TEXT("echr"), TEXT("loadvm"), TEXT("incoming"), TEXT("gdb"),
	TEXT("watchdog-action"), TEXT("writeconfig"), TEXT("virtioconsole"), TEXT("prom-env"),
	TEXT("tb-size"), TEXT("tftp"), TEXT("bootp"), TEXT("redir"), TEXT("smb"), TEXT("xen-domid"),
	TEXT("perfmap"), TEXT("jitdump"), TEXT("startdate"), TEXT("clock"),
};
/* clang-format on */

const struct argv_option *argv_option_find(const char *name)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (!strcmp(options[i].name, name))
			return &options[i];
	return NULL;
}
