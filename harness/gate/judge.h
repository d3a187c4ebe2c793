/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gate's two stages as arithmetic (statistics.md, part 11): all series are screened at 10 %,
 * the suspects alone are tested on fresh blocks. No I/O. Harm is the log ratio tonight / reference
 * turned so that worse is positive.
 */
#ifndef VB_GATE_JUDGE_H
#define VB_GATE_JUDGE_H

#include <stdbool.h>
#include <stddef.h>

#define GATE_SCREEN 0.10 /* one-sided level of stage 1 */
#define GATE_NIGHTS 90	 /* what the rate of false alarms is stated for */
#define GATE_FAILED_MAX                                                                \
	0.05 /* more failed trials than this share of a cell's: its missing trials are \
	    not random (part 1) */

/* What a night of one profile is judged by. */
struct gate_rule {
	unsigned blocks, confirm; /* of stage 1 and 2 */
	double must_see;	  /* share: the smallest harm that must not go by unseen */
	double rate;   /* chance of any false alarm of the profile in GATE_NIGHTS nights */
	size_t series; /* gated ones */
};

/*
 * Level of stage 2, over all suspects of a night together (Holm). A false alarm needs a false
 * suspect, which a night has with a chance of at most min(1, GATE_SCREEN * series) whatever the
 * dependence, and then a false confirmation on data of its own. So rate / (GATE_NIGHTS * that), and
 * 1 % at most.
 */
double gate_level(const struct gate_rule *r);

/* What that bounds the chance of any false alarm in GATE_NIGHTS nights by: r->rate, or less. */
double gate_rate_bound(const struct gate_rule *r);

/* Paired figures of one series in one stage. */
struct gate_stage {
	size_t n;		  /* pairs */
	double harm;		  /* mean; NAN without a pair */
	double sd;		  /* of the pairs, or the floor; NAN for n < 2 */
	double p_worse, p_better; /* one-sided, Student's; NAN for n < 2 */
};

/*
 * From values by block, NAN where missing: a pair needs both, finite and > 0. floor: of the sd of
 * pairs (part 2), 0: none.
 */
struct gate_stage gate_stage_of(const double *base, const double *change, size_t blocks,
				bool higher_is_better, double floor);

/* +1: suspected to be worse, -1: to be better, 0: neither. */
int gate_suspect(const struct gate_stage *screen);

/*
 * The verdict of stage 2 from stages of fresh blocks alone: p[i] becomes a suspect's adjusted p
 * (Holm over the suspects of its direction; NAN for others), shown[i] +1 where it is shown to be
 * worse, -1 better, else 0. A stage without a p shows nothing.
 */
void gate_confirm(const struct gate_rule *r, const struct gate_stage *confirm, const int *suspect,
		  size_t n, double *p, int *shown);

/*
 * Smallest harm, as a share (0.05: 5 %), that a night finds with that power, given the sd of one
 * trial (pairs: sqrt(2) times that): it must pass both stages, beside as many false suspects as are
 * to be expected. NAN when sd is not finite.
 */
double gate_seen(const struct gate_rule *r, double sd, double power);

/* Blocks of stage 1, those of stage 2 in proportion, with which must_see would be seen with that
 * power; 0: more than 10000. */
unsigned gate_needs(const struct gate_rule *r, double sd, double power);

/* Without a plan. */
#define GATE_BLOCKS 10
#define GATE_CONFIRM 20

/* The most that is planned. */
#define GATE_PLAN_BLOCKS 100u
#define GATE_PLAN_CONFIRM 200u

#define GATE_PLAN_DF 10 /* degrees of freedom that a spread must have to plan from it */

/*
 * Plans r->blocks (from 6), r->confirm (from 6), or both, from the sd of one trial: must_see passes
 * each stage with 90 % power, even on a night that happens to show more spread than nine in ten do.
 * Without this room every second night of a steady host would call itself blind.
 */
void gate_plan(struct gate_rule *r, double sd, bool blocks, bool confirm);

/*
 * A record of several runs of one red build: t confidence sequence over all its blocks of stage 2
 * at the level of its first night, `series` of them judged (part 6, no max_blocks). Limits of the
 * harm; infinite while it has none.
 */
struct gate_limits {
	double lo, hi;
};
struct gate_limits gate_sequence(const struct gate_stage *all, double level, size_t series);

#endif
