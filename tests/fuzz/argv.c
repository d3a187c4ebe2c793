// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzer of what is read as a QEMU command line: text with a shell's quotes, and words that end
 * with a NUL, as /proc has them. What is read is written out again and read once more, and its JSON
 * is made.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "vm/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_all(const struct vm *vm, bool again)
{
	static const enum vm_format formats[] = {VM_QEMU, VM_QM};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct vm *back = NULL;
		char *text = NULL;
		size_t len = 0;
		FILE *f = open_memstream(&text, &len);

		if (!f)
			abort();
		if (formats[i] == VM_QEMU)
			vm_write_qemu(f, vm, NULL);
		else
			vm_write_qm(f, vm, NULL);
		fclose(f);
		/* What we write is a command line that we read, whatever the machine was called. */
		if (formats[i] == VM_QEMU && again &&
		    !vm_read_command(text, len, "back", &back, NULL)) {
			if (strcmp(back->name, vm->name))
				abort();
			vm_free(back);
		}
		free(text);
	}
}

static void read_one(const char *text, size_t len)
{
	struct err e = {0};
	struct vm *vm;
	json_t *json;

	if (vm_read_command(text, len, "fuzz", &vm, &e)) {
		if (vm || !*e.text)
			abort();
		return;
	}
	json = vm_json(vm);
	if (!json)
		abort();
	json_decref(json);
	write_all(vm, true);
	vm_free(vm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char program[] = "qemu-system-x86_64 ";
	char *text;
	bool nul;

	/* A long line says nothing that a short one does not. */
	if (!size || size > 6000)
		return 0;
	nul = data[0] & 1;
	text = malloc(sizeof(program) + size);
	if (!text)
		abort();
	memcpy(text, program, sizeof(program));
	memcpy(text + sizeof(program) - 1, data + 1, size - 1);
	if (data[0] & 2) {
		read_one((const char *)data + 1, size - 1);
	} else {
		/* So that most inputs get past the program's name. */
		if (nul)
			text[sizeof(program) - 2] = '\0';
		read_one(text, sizeof(program) - 1 + size - 1);
	}
	free(text);
	return 0;
}
