/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boundaries of sequential.h as a table, in thousandths; tests/prove/seq_table_make.c makes it.
 */
#ifndef VB_STATS_SEQ_TABLE_H
#define VB_STATS_SEQ_TABLE_H

#include <stddef.h>
#include "stats/sequential.h"

#define SEQ_TABLE_UNIT 1000.0
#define SEQ_TABLE_SIZE ((SEQ_MAX - SEQ_FIRST + 1) * (SEQ_MAX - SEQ_FIRST + 2) / 2)

/* One row for each max from SEQ_FIRST on, with its looks n = SEQ_FIRST..max. */
extern const unsigned short seq_table[SEQ_TABLE_SIZE];

static inline size_t seq_table_row(unsigned max)
{
	return (size_t)(max - SEQ_FIRST) * (max - SEQ_FIRST + 1) / 2;
}

#endif
