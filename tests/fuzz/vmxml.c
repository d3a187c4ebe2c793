// SPDX-License-Identifier: GPL-2.0-or-later
/* Fuzzes the reader of libvirt's XML, and with what it understood the writers and a profile of it.
 */
#include <stdint.h>
#include <stdlib.h>
#include "vm/read.h"
#include "vm/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is written of a machine has to be read again. */
static void there_and_back(const struct vm *vm)
{
	struct vm *back = NULL;
	struct err e = {0};
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f || vm_write(f, VM_LIBVIRT, vm, &e))
		abort();
	fclose(f);
	if (vm_read_xml(text, len, "again", &back, &e))
		abort();
	vm_free(back);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vm *vm = NULL;
	struct err e = {0};
	char *text = NULL;
	size_t len = 0;
	FILE *f;

	if (vm_read_xml((const char *)data, size, "fuzz", &vm, &e)) {
		if (!e.text[0] || vm)
			abort();
		return 0;
	}
	there_and_back(vm);
	f = open_memstream(&text, &len);
	if (!f)
		abort();
	for (enum vm_format format = VM_VIRSH; format < VM_FORMATS; format++)
		if (vm_write(f, format, vm, &e))
			abort();
	vm_write_profile(vm, f, &e);
	fclose(f);
	free(text);
	vm_free(vm);
	return 0;
}
