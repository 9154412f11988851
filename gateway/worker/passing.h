/*
 * Connections that go to another pool: from a front to the application that a route
 * names, and back. One that its queue has no room for, or whose pool has no worker at
 * the moment, waits in CONN_READY, until queue_timeout.
 */
#ifndef WORKER_PASSING_H
#define WORKER_PASSING_H

#include "gateway/worker/steps.h"

/* The head of a request is complete, and req->away says whose it is. */
enum want passing_begin(struct conn *c);

/* Another attempt of one that waits. */
enum want passing_step(struct conn *c);

/* Between two requests, back to the front that it came from; false: it cannot go. */
bool passing_return(struct conn *c);

/* The same of a worker that is replaced: to those that go on, whoever they are. */
bool passing_yield(struct conn *c);

#endif
