/*
 * Requests that somebody follows, as alicornctl(1) does by `trace`: the arbiter gets a
 * record of each that ends. Who is not followed pays for one load.
 */
#ifndef WORKER_TRACE_H
#define WORKER_TRACE_H

#include "gateway/worker/request.h"

/* The request has ended; its connection still has it. Made with the lock. */
void trace_ended(struct al_request *req);

/* In a signal handler: there are no records any more. */
void trace_last_words(void);

#endif
