/*
 * How one of several programs leaves. Told to stop in the middle of a request, a
 * program ends and the request with it, or it finishes that one and drops the next: so
 * it is told between two requests, when it has no connection and none waits to be
 * accepted. The kernel's list of unix sockets tells that. Workers need no such care.
 */
#ifndef ARBITER_DEPARTURE_H
#define ARBITER_DEPARTURE_H

#include "gateway/arbiter/pool.h"

/* Whether the child, of which there is one too many, can be told to stop now. A program
 * is not spared for longer than graceful_timeout. */
bool departure_is_possible(struct pool *pool, const struct child *child, uint64_t now);

/* Nobody is to leave the pool. */
void departure_forget(struct pool *pool);

/* When it is asked again; UINT64_MAX: nobody is to leave. */
uint64_t departure_deadline(const struct pool *pool);

#endif
