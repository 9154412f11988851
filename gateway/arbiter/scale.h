/*
 * How many processes a pool should have, judged by looks at it, one about every second:
 * one more when all were busy at several looks in a row, then twice as many at each
 * look that finds it still so; fewer when some had nothing to do at all looks of a
 * while. Numbers in, a number out.
 */
#ifndef ARBITER_SCALE_H
#define ARBITER_SCALE_H

#include <stdint.h>

/* What is remembered of earlier looks. All zero: nothing. */
struct scale {
	unsigned busy_looks; /* in a row, at which it was saturated */
	unsigned step; /* processes that were started last; 0: none in this row */
	unsigned spare; /* the fewest that were idle at all looks since then */
	uint64_t since; /* the first of these looks */
};

/* What one look has found. */
struct scale_look {
	unsigned target; /* processes wanted now */
	unsigned low, high; /* that may be wanted */
	unsigned serving; /* those that could have something to do */
	unsigned busy; /* of these, those that can take no more */
	unsigned idle; /* those that have nothing to do */
	uint64_t now; /* of clock_ms() */
	uint64_t idle_ms; /* time after which idle ones are too many */
};

/* What is to be added to the target, so that it stays within its bounds. */
int scale_decide(struct scale *s, const struct scale_look *look);

#endif
