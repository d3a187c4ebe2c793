/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether this process may use io_uring. */
#ifndef VB_HOST_URING_H
#define VB_HOST_URING_H

/* Makes a ring and closes it again. 0, or -EPERM (kernel.io_uring_disabled, seccomp), -ENOSYS,
 * -ENOMEM, ... */
int host_uring_probe(void);

#endif
