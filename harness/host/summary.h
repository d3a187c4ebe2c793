/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Host facts for people. */
#ifndef VB_HOST_SUMMARY_H
#define VB_HOST_SUMMARY_H

#include <jansson.h>
#include <stdio.h>

/* One line a subject, from host_facts. What is not known is left out or said to be unknown. */
void host_summary(FILE *out, const json_t *facts);

#endif
