/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host beside the build: what must not change between nights unnoticed. */
#ifndef VB_GATE_ENVIRON_H
#define VB_GATE_ENVIRON_H

#include <jansson.h>
#include <stddef.h>

/*
 * Of host facts (host/host.h) those that numbers hang on and that stay as they are from boot to
 * boot: kernel, microcode, mitigations, CPU, governor, memory policies. A flat object {"cpu.brand":
 * text}, new; a fact that cannot be read is left out.
 */
json_t *environ_of(const json_t *facts);

/* "kernel: 6.1.0-40 -> 6.1.0-41", one a line, into a new string; NULL: nothing differs. */
char *environ_diff(const json_t *then, const json_t *now);

#endif
