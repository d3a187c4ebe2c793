/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Model -> text table and HTML page. Everything that comes from elsewhere is escaped. */
#ifndef VB_REPORTS_REPORT_H
#define VB_REPORTS_REPORT_H

#include <stdbool.h>
#include <stdio.h>
#include "analysis/model.h"

/* Table per workload for a terminal (colour only on a tty and only where something was shown to
 * differ). */
int report_text(const struct model *m, FILE *out, bool colour, int width);

/*
 * One self-contained HTML file, with gnuplot SVG plots inside (without gnuplot: the page says so in
 * place of the plots). Written atomically to path.
 */
int report_html(const struct model *m, const char *path, struct err *e);

/* The page that explains every method (methods.md), as it is. 0 or -EIO. */
int report_methods(FILE *out);

#endif
