/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Units at the edges: inside, lengths are bytes and times nanoseconds. */
#ifndef VB_BASE_UNITS_H
#define VB_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

/*
 * "4k", "1G", "512", "1.5M" -> bytes. Suffixes k, M, G, T (any case, optionally followed by iB or
 * B) are powers of 1024, as in QEMU and fio. Returns 0, or -EINVAL (not a size), -ERANGE (over
 * 2^63-1).
 */
int units_size(const char *text, uint64_t *bytes);

/* "200ms", "1.5s", "30m", "2h", "100us", "50ns"; a bare number is seconds. 0, -EINVAL or -ERANGE.
 */
int units_time(const char *text, uint64_t *ns);

/*
 * For people. Each writes into buf and returns it: "4 KiB" style sizes with at most 3 significant
 * digits ("1.5 GiB"), "850 ms" / "1.2 s" / "3 min 20 s" times, and the exact shortest spelling that
 * parses back ("4k", "700ms") for profile values.
 */
char *units_size_text(uint64_t bytes, char *buf, size_t size);
char *units_time_text(uint64_t ns, char *buf, size_t size);
char *units_size_spell(uint64_t bytes, char *buf, size_t size);
char *units_time_spell(uint64_t ns, char *buf, size_t size);

#endif
