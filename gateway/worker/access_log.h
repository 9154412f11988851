/*
 * Access logs: a line for each request, written when it ends, for each sink of the
 * configuration that takes those of this application. Forms are taken apart once, into
 * steps that each append to the line; a request that a sink does not want costs the
 * test.
 */
#ifndef WORKER_ACCESS_LOG_H
#define WORKER_ACCESS_LOG_H

#include "gateway/alicorn.h"
#include "gateway/common/heritage.h"

/* NULL, or why there cannot be one. Without one the other calls do nothing. */
const char *access_log_open(const struct heritage *h);

/* The first byte of a request has come. */
void access_log_begin(struct al_request *req);

/* It is complete: what follows until the call is the time in the queue. */
void access_log_complete(struct al_request *req);

/* A request has ended, in whatever way; its connection still has it. */
void access_log(struct al_request *req);

/* From now on the calls do only what a signal handler may. */
void access_log_last_words(void);

#endif
