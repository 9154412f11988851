/* What the slots of the other workers of the pool show. */
#ifndef WORKER_PEERS_H
#define WORKER_PEERS_H

#include <stdbool.h>
#include <stdint.h>

/* There is one that serves. */
bool peers_exist(void);

/* Some worker of the pool with that queue serves; as it was up to 100 ms ago. */
bool peers_serve(uint32_t queue);

/* One of them waits for events, and has fewer connections, by two at least. */
bool peers_one_waits(void);

/* Workers of the pool that are in the application now, this one included. */
unsigned peers_busy(void);

#endif
