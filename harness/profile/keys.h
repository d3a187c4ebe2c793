/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions that the table of keys names: what applies, what cannot be, what will not do. */
#ifndef VB_PROFILE_KEYS_H
#define VB_PROFILE_KEYS_H

#include <string.h>
#include "profile/profile.h"

#define KIB 1024ull
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)
#define TIB (KIB * GIB)
#define MSEC 1000000ull
#define SECOND (1000 * MSEC)
#define HOUR (3600 * SECOND)

/*
 * keys_applies.c: NULL, or why a key means nothing in a cell. They are asked of a cell in which all
 * keys have values, then all at once lose them; and again of the cell that is left, for the reason.
 */
const char *applies_aio(const struct cell *c);
const char *applies_backend(const struct cell *c);
const char *applies_block_layer(const struct cell *c);
const char *applies_bus(const struct cell *c);
const char *applies_cache(const struct cell *c);
const char *applies_controllers(const struct cell *c);
const char *applies_count(const struct cell *c);
const char *applies_device(const struct cell *c);
const char *applies_driver(const struct cell *c);
const char *applies_file(const struct cell *c);
const char *applies_format(const struct cell *c);
const char *applies_guest(const struct cell *c);
const char *applies_guests(const struct cell *c);
const char *applies_ioeventfd(const struct cell *c);
const char *applies_iothread(const struct cell *c);
const char *applies_iothreads(const struct cell *c);
const char *applies_latency(const struct cell *c);
const char *applies_memory_mode(const struct cell *c);
const char *applies_mode(const struct cell *c);
const char *applies_nbd(const struct cell *c);
const char *applies_nbdkit(const struct cell *c);
const char *applies_poll(const struct cell *c);
const char *applies_poll_queues(const struct cell *c);
const char *applies_qcow2(const struct cell *c);
const char *applies_queues(const struct cell *c);
const char *applies_server_poll(const struct cell *c);
const char *applies_slots(const struct cell *c);
const char *applies_throttle_bps(const struct cell *c);
const char *applies_throttle_burst(const struct cell *c);
const char *applies_throttle_iops(const struct cell *c);
const char *applies_v3(const struct cell *c);
const char *applies_vhost(const struct cell *c);
const char *applies_virtio(const struct cell *c);
const char *applies_queue_size(const struct cell *c);
const char *applies_wait(const struct cell *c);
const char *applies_written(const struct cell *c);

/* keys_conflict.c: NULL, or why a cell cannot be, with what to do. Asked of a settled cell. */
const char *conflict_backend(const struct cell *c);
const char *conflict_bus(const struct cell *c);
const char *conflict_count(const struct cell *c);
const char *conflict_cpu(const struct cell *c);
const char *conflict_device(const struct cell *c);
const char *conflict_ioeventfd(const struct cell *c);
const char *conflict_guests(const struct cell *c);
const char *conflict_iothreads(const struct cell *c);
const char *conflict_machine(const struct cell *c);
const char *conflict_mapping(const struct cell *c);
const char *conflict_pages(const struct cell *c);
const char *conflict_poll_queues(const struct cell *c);
const char *conflict_queue_size(const struct cell *c);
const char *conflict_queues(const struct cell *c);
const char *conflict_ring(const struct cell *c);
const char *conflict_server(const struct cell *c);
const char *conflict_server_wait(const struct cell *c);
const char *conflict_serves(const struct cell *c);
const char *conflict_site(const struct cell *c);
const char *conflict_slots(const struct cell *c);

/* keys_image.c: the same, of images and of QEMU's block layer. */
const char *conflict_aio(const struct cell *c);
const char *conflict_backing(const struct cell *c);
const char *conflict_cache(const struct cell *c);
const char *conflict_cluster(const struct cell *c);
const char *conflict_compression(const struct cell *c);
const char *conflict_data_file(const struct cell *c);
const char *conflict_detect_zeroes(const struct cell *c);
const char *conflict_extended_l2(const struct cell *c);
const char *conflict_format(const struct cell *c);
const char *conflict_l2_cache(const struct cell *c);
const char *conflict_precondition(const struct cell *c);
const char *conflict_throttle_bps_max(const struct cell *c);
const char *conflict_throttle_iops_max(const struct cell *c);

/* keys_check.c: NULL, or why a well-formed value will not do. */
const char *check_absolute(const char *v);
const char *check_binary(const char *v);
const char *check_device(const char *v);
const char *check_kernel(const char *v);
const char *check_name(const char *v);
const char *check_nbdkit(const char *v);
const char *check_nodes(const char *v);
const char *check_pin(const char *v);
const char *check_power(const char *v);
const char *check_qemu_word(const char *v);
const char *check_rate(const char *v);

#endif
