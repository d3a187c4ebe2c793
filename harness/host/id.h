/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of host_id, for its tests. */
#ifndef VB_HOST_ID_H
#define VB_HOST_ID_H

/* host_id of the machine that root is a snapshot of ("" is this one). */
int host_id_at(const char *root, char out[65]);

#endif
