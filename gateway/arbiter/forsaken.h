/*
 * The watch over programs that go on with a request which nobody waits for any more: it
 * took longer than a time limit, and was answered, or its client has left. Who does so
 * for `timeout` seconds is killed, and another one takes its place, as with workers.
 */
#ifndef ARBITER_FORSAKEN_H
#define ARBITER_FORSAKEN_H

#include "gateway/arbiter/child.h"

/* Looks at all programs that have such a limit, twice in its time. */
void forsaken_watch(struct family *f, uint64_t now);

/* When it looks again; UINT64_MAX: nobody has a limit. */
uint64_t forsaken_deadline(const struct family *f);

#endif
