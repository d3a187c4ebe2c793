// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts of all other devices as libvirt's XML. */
#include <string.h>
#include "vm/write_xml.h"

/* A tap's other end is not among the facts. */
static const char *interface_of(const char *backend)
{
	if (!strcmp(backend, "user"))
		return "    <interface type='user'>\n";
	if (!strcmp(backend, "tap") || !strcmp(backend, "vhost"))
		return "    <interface type='network'>\n      <source network='default'/>\n";
	return NULL;
}

static void write_net(struct told *t, unsigned n)
{
	const char *model = told_get(t, "net.%u.model", n),
		   *backend = told_get(t, "net.%u.backend", n),
		   *head = backend ? interface_of(backend) : NULL,
		   *queues = told_get(t, "net.%u.queues", n),
		   *rx = told_get(t, "net.%u.rx-queue-size", n),
		   *tx = told_get(t, "net.%u.tx-queue-size", n),
		   *mtu = told_get(t, "net.%u.mtu", n);

	if (!head) {
		xml_put_comment(
			t->out,
			"interface %u (%s): its source is not known here, so it is left out", n,
			backend ? backend : "unknown");
		return;
	}
	if (strcmp(backend, "user"))
		xml_put_comment(t->out, "interface %u: put its own source here", n);
	fputs(head, t->out);
	if (model) {
		fputs("      <model", t->out);
		xml_put_attr(t->out, "type", model);
		fputs("/>\n", t->out);
	}
	if (model && !strcmp(model, "virtio") && strcmp(backend, "user")) {
		fprintf(t->out, "      <driver name='%s'",
			strcmp(backend, "vhost") ? "qemu" : "vhost");
		xml_put_attr(t->out, "queues", queues);
		xml_put_attr(t->out, "rx_queue_size", rx);
		xml_put_attr(t->out, "tx_queue_size", tx);
		fputs("/>\n", t->out);
	}
	if (mtu) {
		fputs("      <mtu", t->out);
		xml_put_attr(t->out, "size", mtu);
		fputs("/>\n", t->out);
	}
	fputs("    </interface>\n", t->out);
}

static void write_balloon(struct told *t)
{
	const char *model = told_get(t, "balloon");
	int deflate = told_flag(t, "balloon.autodeflate"),
	    report = told_flag(t, "balloon.reporting");

	if (!model)
		return;
	fputs("    <memballoon", t->out);
	xml_put_attr(t->out, "model", model);
	if (deflate >= 0 && strcmp(model, "none"))
		xml_put_attr(t->out, "autodeflate", deflate ? "on" : "off");
	if (report >= 0 && strcmp(model, "none"))
		xml_put_attr(t->out, "freePageReporting", report ? "on" : "off");
	fputs("/>\n", t->out);
}

static void write_screens(struct told *t)
{
	const char *graphics = told_get(t, "graphics"), *video = told_get(t, "video");
	char word[40];

	for (unsigned i = 0; told_word(graphics, i, word, sizeof(word)); i++) {
		fputs("    <graphics", t->out);
		xml_put_attr(t->out, "type", word);
		fputs("/>\n", t->out);
	}
	for (unsigned i = 0; told_word(video, i, word, sizeof(word)); i++) {
		fputs("    <video>\n      <model", t->out);
		xml_put_attr(t->out, "type", word);
		fputs("/>\n    </video>\n", t->out);
	}
}

void xml_write_devices(struct told *t)
{
	static const struct {
		const char *key, *element;
	} simple[] = {
		{"sound", "    <sound model='ich9'/>\n"},
		{"rng",
		 "    <rng model='virtio'>\n      <backend model='random'>/dev/urandom</backend>\n"
		 "    </rng>\n"},
		{"agent",
		 "    <channel type='unix'>\n"
		 "      <target type='virtio' name='org.qemu.guest_agent.0'/>\n    </channel>\n"},
		{"usb.tablet", "    <input type='tablet' bus='usb'/>\n"},
		{"watchdog", "    <watchdog model='i6300esb' action='none'/>\n"},
		{"tpm",
		 "    <tpm model='tpm-crb'>\n      <backend type='emulator' version='2.0'/>\n"
		 "    </tpm>\n"},
		{"smartcard", "    <smartcard mode='passthrough' type='spicevmc'/>\n"},
	};
	unsigned nets = vm_count(t->vm, "net");
	const char *path = told_get(t, "qemu.path"), *hostdevs = told_get(t, "hostdevs");
	int usb = told_flag(t, "usb");

	if (path) {
		fputs("    <emulator>", t->out);
		xml_put(t->out, path);
		fputs("</emulator>\n", t->out);
	}
	if (usb >= 0)
		fprintf(t->out, "    <controller type='usb' model='%s'/>\n",
			usb ? "qemu-xhci" : "none");
	for (unsigned i = 0; i < nets; i++)
		write_net(t, i);
	for (size_t i = 0; i < sizeof(simple) / sizeof(simple[0]); i++)
		if (told_flag(t, "%s", simple[i].key) > 0)
			fputs(simple[i].element, t->out);
	write_screens(t);
	write_balloon(t);
	if (hostdevs && strcmp(hostdevs, "0"))
		xml_put_comment(t->out,
				"%s host devices are passed through: which ones is not known here",
				hostdevs);
}
