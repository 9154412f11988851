/*
 * What pools are asked to do: once a second those that may grow and shrink are looked
 * at, by the slots of their workers, and get as many processes as they need (scale.h).
 * Where nothing scales nothing is looked at.
 */
#ifndef ARBITER_DEMAND_H
#define ARBITER_DEMAND_H

#include <stdint.h>

#include "gateway/arbiter/generation.h"

/* Looks at the pools of the generation that serves, when it is time. */
void demand_watch(struct family *f, struct generation *g, uint64_t now);

/* When it looks again; UINT64_MAX: there is nothing to look at. */
uint64_t demand_deadline(const struct family *f, const struct generation *g);

#endif
