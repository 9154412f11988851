/* What the slots of the other workers of the pool show. */
#ifndef WORKER_PEERS_H
#define WORKER_PEERS_H

#include <stdbool.h>

/* There is one that serves. */
bool peers_exist(void);

/* One of them waits for events, and has fewer connections, by two at least. */
bool peers_one_waits(void);

/* Workers of the pool that are in the application now, this one included. */
unsigned peers_busy(void);

#endif
