/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The writers' names, and what they share. */
#include <errno.h>
#include <string.h>
#include "vm/internal.h"

const char *const vm_format_names[VM_FORMATS] = {
	[VM_LIBVIRT] = "libvirt", [VM_VIRSH] = "virsh", [VM_QEMU] = "qemu",
	[VM_QM] = "qm",		  [VM_OVIRT] = "ovirt", [VM_NOVA] = "nova",
};

int vm_write(FILE *out, enum vm_format format, const struct vm *vm, struct err *e)
{
	static int (*const writers[VM_FORMATS])(FILE *, const struct vm *, struct err *) = {
		[VM_LIBVIRT] = vm_write_libvirt, [VM_VIRSH] = vm_write_virsh,
		[VM_QEMU] = vm_write_qemu,	 [VM_QM] = vm_write_qm,
		[VM_OVIRT] = vm_write_ovirt,	 [VM_NOVA] = vm_write_nova,
	};
	int rc = writers[format](out, vm, e);

	if (!rc && (fflush(out) || ferror(out)))
		return err_set(e, -EIO, "the text of format %s cannot be written: %s",
			       vm_format_names[format], strerror(errno));
	return rc;
}

static char shown(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f ? '?' : c;
}

void vm_put_word(FILE *out, const char *word)
{
	static const char harmless[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789_@%+=:,./-";

	if (*word && word[strspn(word, harmless)] == '\0') {
		fputs(word, out);
		return;
	}
	fputc('\'', out);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", out);
		else
			fputc(shown(*word), out);
	}
	fputc('\'', out);
}

void vm_put_comment(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc(shown(*text), out);
}
