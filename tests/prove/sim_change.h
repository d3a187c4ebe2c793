/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The change-point figures of part 12: simulated nights, read by the product's own code. */
#ifndef VB_PROVE_SIM_CHANGE_H
#define VB_PROVE_SIM_CHANGE_H

/* All figures named part12.*; prove_reps() decides how many series. */
void sim_change_prove(void);

#endif
