/*
 * The meter: what is counted of requests goes into the worker's slot, where anybody who
 * looks finds it: see common/tally.h. It costs the request a few additions, and reading
 * the clock twice. Calls are made with the lock.
 */
#ifndef WORKER_METER_H
#define WORKER_METER_H

#include "gateway/worker/request.h"

/* An application is called with it; the time of all that are is counted. */
void meter_called(struct al_request *req);

/* That is over: it has answered, or never will. Returns clock_us(). */
uint64_t meter_answered(struct al_request *req);

/* The request has ended, in whatever way; its connection still has it. Also in a signal
 * handler. */
void meter_ended(struct al_request *req);

/* A connection came out of the queue. */
void meter_queued(uint64_t waited_ms);

/* Microseconds that the application had it, until now if it still has it; 0: it never
 * had. */
uint64_t meter_application_us(const struct al_request *req);

#endif
