/* The end of a request, in whatever way: all who take note of it do. */
#ifndef WORKER_ENDED_H
#define WORKER_ENDED_H

#include "gateway/alicorn.h"

/* Its connection still has it. Also in a signal handler, after access_log_last_words().
 */
void request_ended(struct al_request *req);

#endif
