/* How many requests this worker serves before it is to be replaced. */
#ifndef WORKER_RECYCLE_H
#define WORKER_RECYCLE_H

#include <stdbool.h>

/* Draws this worker's part of the jitter. */
void recycle_init(void);

/* True once, when it has served as many. */
bool recycle_is_due(void);

#endif
