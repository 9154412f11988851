/*
 * The watch over queues that nobody takes from: the workers of an application have
 * died, and new ones do not start. Who lies there for queue_timeout is answered, as a
 * worker would, rather than left to wait for as long as it cares to.
 */
#ifndef ARBITER_DESERTED_H
#define ARBITER_DESERTED_H

#include "gateway/arbiter/generation.h"

/* The answer is a whole response. */
void deserted_watch(struct generation *g, struct slice answer, uint64_t now);

/* When it looks again; UINT64_MAX: nothing is deserted. */
uint64_t deserted_deadline(const struct generation *g);

#endif
