// SPDX-License-Identifier: GPL-2.0-or-later
/* libvirt's memory as facts: sizes, <memoryBacking>, <numatune>, <memtune>, the balloon. */
#include <string.h>
#include "vm/xml.h"

/* The host's default huge page where none is named: of the architecture, as Linux has it. */
static uint64_t default_huge(const struct vm *vm)
{
	return vm_is(vm, VM_ASKED, "s390x", "arch") ? 1u << 20
	       : vm_is(vm, VM_ASKED, "ppc64le", "arch") || vm_is(vm, VM_ASKED, "ppc64", "arch")
		       ? 16u << 20
		       : 2u << 20;
}

static void read_pages(const struct el *backing)
{
	struct el huge = el_child(backing, "hugepages"), it = {0}, least = {0};
	uint64_t bytes, found = 0;

	if (!huge.node)
		return;
	while (it.at < 64 && el_each(&huge, "page", &it)) {
		if (!el_bytes(&it, "size", "unit", "KiB", &bytes)) {
			el_note(&it, "no page size that can be read");
			continue;
		}
		if (found && found != bytes)
			el_note(&huge, "pages of several sizes; the smallest is taken for all");
		if (!found || bytes < found) {
			found = bytes;
			least = it;
		}
	}
	if (found) {
		el_fact_number(&least, "size", found, "memory.page");
		return;
	}
	found = default_huge(backing->x->vm);
	el_fact_number(&huge, NULL, found, "memory.page");
	el_note(&huge, "no page size is named: the host's default, taken to be %llu KiB",
		(unsigned long long)found >> 10);
}

static void read_backing(const struct el *domain)
{
	struct el b = el_child(domain, "memoryBacking"), source = el_child(&b, "source"),
		  access = el_child(&b, "access"), alloc = el_child(&b, "allocation"),
		  same = el_child(&b, "nosharepages"), locked = el_child(&b, "locked"),
		  discard = el_child(&b, "discard");

	read_pages(&b);
	if (same.node)
		el_fact_flag(&same, NULL, false, "memory.merge");
	if (locked.node)
		el_fact_flag(&locked, NULL, true, "memory.locked");
	if (discard.node)
		el_fact_flag(&discard, NULL, true, "memory.discard");
	el_take(&source, "type", "memory.source");
	if (el_attr(&access, "mode"))
		el_fact_flag(&access, "mode", el_is(&access, "mode", "shared"), "memory.shared");
	if (el_attr(&alloc, "mode"))
		el_fact_flag(&alloc, "mode", el_is(&alloc, "mode", "immediate"), "memory.prealloc");
}

static void read_numatune(const struct el *domain)
{
	struct el tune = el_child(domain, "numatune"), memory = el_child(&tune, "memory"), it = {0};
	uint64_t cell;

	el_take(&memory, "mode", "numatune.mode");
	el_take_cpus(&memory, "nodeset", "numatune.nodeset");
	el_take(&memory, "placement", "numatune.placement");
	while (it.at < XML_CELLS && el_each(&tune, "memnode", &it)) {
		if (!el_number(&it, "cellid", &cell) || cell >= XML_CELLS) {
			el_note(&it, "of no cell that can be");
			continue;
		}
		el_take(&it, "mode", "numa.%u.mode", (unsigned)cell);
		el_take_cpus(&it, "nodeset", "numa.%u.nodeset", (unsigned)cell);
	}
}

static void read_balloon(const struct el *domain)
{
	struct el b = el_down(domain, "devices/memballoon");
	const char *model = el_attr(&b, "model");

	if (model)
		el_fact(&b, "model", strncmp(model, "virtio", 6) ? "none" : "virtio", "balloon");
	el_take_on(&b, "autodeflate", "balloon.autodeflate");
	el_take_on(&b, "freePageReporting", "balloon.reporting");
}

void xml_read_memory(const struct el *domain)
{
	struct el size = el_child(domain, "memory"), now = el_child(domain, "currentMemory"),
		  max = el_child(domain, "maxMemory"),
		  limit = el_down(domain, "memtune/hard_limit");

	el_take_bytes(&size, NULL, "memory.size");
	el_take_bytes(&now, NULL, "memory.current");
	el_take_bytes(&max, NULL, "memory.max");
	el_take_bytes(&limit, NULL, "memory.hard-limit");
	read_backing(domain);
	read_numatune(domain);
	read_balloon(domain);
}
