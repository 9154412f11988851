/*
 * The access log: a line for each request, written when it ends. The format is taken
 * apart once, into steps that each append to the line. Lines are gathered and written
 * at the end of a round of the loop: a busy worker writes many at once, an idle one
 * each at once.
 */
#ifndef WORKER_ACCESS_LOG_H
#define WORKER_ACCESS_LOG_H

#include "gateway/alicorn.h"
#include "gateway/common/heritage.h"

/* NULL, or why there cannot be one. Without one the other calls do nothing. */
const char *access_log_open(const struct heritage *h);

/* The file anew, after it was renamed. */
void access_log_reopen(void);

/* The first byte of a request has come. */
void access_log_begin(struct al_request *req);

/* A request has ended, in whatever way; its connection still has it. */
void access_log(struct al_request *req);

/* Writes what was gathered. */
void access_log_flush(void);

/* From now on the calls do only what a signal handler may. */
void access_log_last_words(void);

#endif
