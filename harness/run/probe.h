/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Does KVM really work here? For the doctor: the same try as a run's. */
#ifndef VB_RUN_PROBE_H
#define VB_RUN_PROBE_H

#include "guest/accel.h"

/*
 * qemu NULL: the default. Needs the small guest's parts, writes its initramfs to the data folder if
 * the device lets us in. 0 and *out filled (also when KVM does not work), else -errno with a
 * sentence.
 */
int run_probe_kvm(const char *qemu, struct accel_answer *out, struct err *e);

#endif
