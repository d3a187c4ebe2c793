/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which way is worse, with the table of metrics as it is: +20 % latency is never a gain. */
#define WORSE "worse"
#define BETTER "better"
#include "direction.h"
