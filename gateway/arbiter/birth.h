/*
 * Births: workers that the prototype of their pool forks. The arbiter makes the channel
 * and takes the slot, as for other children, and asks; the worker becomes the arbiter's
 * own child (see common/offspring.h) and says its pid over its channel before all else.
 * Until then it is unborn: it has no pid, and whatever is to be signalled waits.
 */
#ifndef ARBITER_BIRTH_H
#define ARBITER_BIRTH_H

#include "gateway/arbiter/child.h"
#include "protocols/slice.h"

/* Whether a child can be started for the pool now. */
bool birth_is_possible(const struct pool *pool);

/* Asks the prototype; `channel` is the worker's end, of which it is sent a copy. NULL,
 * or what failed; errno says why. */
const char *birth_ask(struct family *f, struct child *child, int channel);

/* The payload of MESSAGE_BORN. False: no child of the arbiter has that pid, or it is
 * another's; then nothing has changed. */
bool birth_heard(const struct family *f, struct child *child, struct slice payload);

/* It ends unborn. */
void birth_end(struct child *child);

#endif
