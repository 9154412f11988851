/* How many requests this worker serves before it is to be replaced. */
#ifndef WORKER_RECYCLE_H
#define WORKER_RECYCLE_H

#include <stdbool.h>

/* Draws this worker's part of the jitter. */
void recycle_init(void);

/* It is to be replaced for another reason, which is logged the first time. */
void recycle_demand(const char *why);

/* True once for each of the two reasons. */
bool recycle_is_due(void);

#endif
