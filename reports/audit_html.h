/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An audit as one page that needs nothing else. */
#ifndef VB_REPORTS_AUDIT_HTML_H
#define VB_REPORTS_AUDIT_HTML_H

#include <stdio.h>
#include "base/err.h"
#include "tuner/audit.h"

/*
 * Writes the page: what is not followed first, with place, remedy, reasons and sources; then what
 * cannot be told; all else folded away. No script, nothing fetched; everything from elsewhere is
 * escaped. 0, or -EIO when out could not be written.
 */
int audit_html(const struct audit *a, FILE *out, struct err *e);

#endif
