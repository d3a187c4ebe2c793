/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reference build: copies of everything that a build is made of, kept in the data folder under
 * ref/HOST/PROFILE/UUID with a manifest of hashes, and run through a script that gives QEMU its own
 * modules and firmware.
 */
#ifndef VB_GATE_REFERENCE_H
#define VB_GATE_REFERENCE_H

#include "base/err.h"
#include "gate/build.h"

/*
 * Keeps a build: all of it, or nothing (a folder is filled beside its place and renamed; a journal
 * knows of it meanwhile). A build behind a wrapper cannot be kept faithfully and is refused. What
 * is kept is run once, and must list the same devices and accelerators as the original. *folder:
 * new.
 */
int reference_keep(const struct gate_build *b, const char *data, const char *host,
		   const char *profile, const char *uuid, char **folder, struct err *e);

/*
 * Holds every file against the manifest: -EIO and which one is missing or differs. Files are
 * hashed, 0.3 s.
 */
int reference_verify(const char *folder, struct err *e);

/* What arm "base" says: "guest.qemu=..." and "guest.kernel=..."; caller frees both. */
void reference_sets(const char *folder, char *sets[2]);

#endif
