/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small files, whole: read with a bound, written atomically, folders made and removed. */
#ifndef VB_BASE_FILE_H
#define VB_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"

/*
 * Reads at most max bytes of path into a new NUL-terminated buffer (caller frees). *len, if asked
 * for, excludes the NUL. Returns 0, or -errno; -EFBIG when the file is larger than max. Works on
 * /proc and /sys files, whose size is not known beforehand.
 */
int file_read(const char *path, size_t max, char **out, size_t *len);

/* First line of path without its newline and trailing blanks, cut to size; 0 or -errno. */
int file_line(const char *path, char *buf, size_t size);

/* The same for a decimal number. */
int file_u64(const char *path, uint64_t *out);

/* Writes path through a temporary file, fsync and rename. mode as in open(2). */
int file_write(const char *path, const void *data, size_t len, mode_t mode, struct err *e);

/* write(2) until all of it is written; 0 or -errno. */
int file_put(int fd, const void *bytes, size_t len);

/* mkdir -p; existing folders keep their mode. */
int dir_make(const char *path, mode_t mode, struct err *e);

/* rm -r, never following symbolic links nor crossing mount points. A missing path is fine. */
int dir_remove(const char *path, struct err *e);

/* The same for one name in an open folder. */
int dir_remove_at(int dirfd, const char *name, struct err *e);

/* Copies a regular file (copy_file_range, then read/write); 0 or -errno. */
int file_copy(const char *from, const char *to, mode_t mode, struct err *e);

bool path_exists(const char *path);

/* The folder that path lies in, by its text alone: "." without a slash; caller frees. */
char *path_folder(const char *path);

#endif
