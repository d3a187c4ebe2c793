/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A profile's history -> terminal and HTML page. Everything that comes from elsewhere is escaped.
 */
#ifndef VB_REPORTS_HISTORY_H
#define VB_REPORTS_HISTORY_H

#include <stdio.h>
#include "base/err.h"
#include "history/history.h"

/* Nights, a plot a series within width columns, and what is said of each. ASCII but for names. 0,
 * or -EIO. */
int report_history_text(const struct history *h, FILE *out, int width);

/* A sentence with text from elsewhere in it, and a newline, for a terminal. */
void report_history_line(FILE *f, const char *text);

/* One self-contained page, written atomically to path. */
int report_history_html(const struct history *h, const char *path, struct err *e);

/* What is said of a series, a sentence at a time, for both of them. Texts are raw: to be escaped.
 */
typedef void history_say(void *to, const char *sentence);
void history_sentences(const struct history *h, const struct history_series *s, history_say *say,
		       void *to);
/* The same of all series: gaps, error rates, what cannot be said. */
void history_general(const struct history *h, history_say *say, void *to);

/* "2 Jan 2026" style dates would need a locale: "2026-01-02". Into buf, which is returned. */
char *history_date(int64_t ns, char buf[16]);

#endif
