/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of noise and guests, for their tests: the same from a snapshot of a machine. */
#ifndef VB_HOST_NOISE_H
#define VB_HOST_NOISE_H

#include <sys/types.h>
#include "host/host.h"

/* As host_noise_take, below root; ns is CLOCK_MONOTONIC all the same. */
void host_noise_take_at(const char *root, struct host_noise *n);

/* As host_other_guests, below root; self and its descendants do not count. */
unsigned host_other_guests_at(const char *root, pid_t self);

#endif
