/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which build made it slower (or faster)? The ends are held against each other first; then each
 * build against the good end, interleaved block by block, by Wald's test (statistics.md part 14).
 */
#ifndef VB_BISECT_BISECT_H
#define VB_BISECT_BISECT_H

#include <stdio.h>
#include "base/err.h"
#include "bisect/wald.h"
#include "gate/prove_arms.h"

#define BISECT_SKIP 125	  /* exit status: git bisect run skips the commit */
#define BISECT_ENDS 20	  /* pairs of the ends */
#define BISECT_CAP 64	  /* pairs of a step */
#define BISECT_ERROR 0.05 /* of the whole bisection */
#define BISECT_AMONG 256  /* builds, where nobody says */
#define BISECT_LABEL "bisect"

struct bisect_opts {
	struct arms_opts arms;
	unsigned end_pairs, cap;
	double error;	    /* of the whole bisection */
	double min_effect;  /* share; NAN: the metric's own */
	size_t among;	    /* builds, the ends among them */
	const char *series; /* "workload, cell" as the ends' check prints it; NULL: where they
			       differ most */
	bool again;	    /* measure the ends although there is a record of them */
	FILE *say;	    /* progress in sentences; NULL: none */
};

/* What the ends' check found of the series that the steps go by. */
struct bisect_ends {
	bool shown;    /* a difference of at least the smallest effect that matters */
	bool recorded; /* an earlier check, read from its record */
	char *workload, *label, *metric; /* NULL without a series */
	char cell[17];			 /* id of the good end's cell: the same in every step */
	bool difference;		 /* the metric is compared by difference, not by ratio */
	double delta, lo,
		hi; /* harm of the bad end: log ratio or difference, worse positive; 95 % */
	double sd;  /* of one pair */
	unsigned pairs;
	size_t cells; /* pairs of cells in the profile: more than one, and a step measures its own
			 alone */
	char uuid[37];
	char *why; /* not shown: the reason, and what could be done */
};

/*
 * The ends' record, from an earlier call with the same profile, settings and files on this host, or
 * measured now and recorded. 0, -EINTR, else -errno. Free with bisect_ends_free.
 */
int bisect_ends(const struct bisect_opts *o, const struct set_list *good,
		const struct set_list *bad, struct bisect_ends *out, struct err *e);
void bisect_ends_free(struct bisect_ends *x);

/* What a step found. */
struct bisect_step {
	enum wald_answer answer;
	unsigned pairs, runs, failed; /* failed trials */
	double harm, sd;	      /* mean to the good end, as delta; NAN */
	char *why;		      /* undecided: the reason */
};

/*
 * One build against the good end. A build that cannot be measured is undecided, not an error. 0,
 * -EINTR, or what would keep any build from being measured: -EBUSY (another run measures), -ENOSPC.
 */
int bisect_step(const struct bisect_opts *o, const struct bisect_ends *ends,
		const struct set_list *good, const struct set_list *candidate,
		struct bisect_step *out, struct err *e);
void bisect_step_free(struct bisect_step *x);

/* "+5.1 %" of a harm on the ends' scale; a metric compared by difference has its unit. New. */
char *bisect_harm_text(const struct bisect_ends *x, double harm);

/*
 * Drives itself over a list of builds, good end first: each is one value of `key`
 * ("guest.qemu"). lo, hi: the change came with one of the builds lo + 1 .. hi.
 */
struct bisect_list {
	char **build;
	size_t n;
};

/*
 * A file of values, one a line (# begins a remark), or a folder: its executables in the order of
 * their version numbers. programs: each must be one that can be executed.
 */
int bisect_list_read(const char *path, bool programs, struct bisect_list *out, struct err *e);
void bisect_list_free(struct bisect_list *l);

int bisect_builds(const struct bisect_opts *o, const char *key, const struct bisect_list *l,
		  struct bisect_ends *ends, size_t *lo, size_t *hi, struct err *e);

#endif
