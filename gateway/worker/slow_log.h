/* A line in the log for each request that the application had for longer than
 * slow_request. */
#ifndef WORKER_SLOW_LOG_H
#define WORKER_SLOW_LOG_H

#include "gateway/alicorn.h"

/* It has ended. */
void slow_log(struct al_request *req);

/* From now on nothing is said: the process is in a signal handler. */
void slow_log_last_words(void);

#endif
