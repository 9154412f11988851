/* Iterating workers: the application also works between requests. */
#ifndef WORKER_ITERATING_H
#define WORKER_ITERATING_H

/* NULL, or why the application cannot be run by such a worker, if it is one. */
const char *iterating_check(void);

/* The main thread, before each round: a piece of work, if its time has come. Returns
 * how long the loop may wait for events then, in milliseconds; -1: for ever. */
int iterating_step(void);

#endif
