/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which way is worse, with the direction of every metric turned round: this program has a table of
 * its own, made from the same rows, which the linker takes before the library's. All words must
 * follow.
 */
#include "store/metric.h"
#define HIGHER_IS_BETTER ((enum better)1)
#define LOWER_IS_BETTER ((enum better)0)
#include "harness/store/metric.c"
#undef HIGHER_IS_BETTER
#undef LOWER_IS_BETTER
#define WORSE "better"
#define BETTER "worse"
#include "direction.h"
