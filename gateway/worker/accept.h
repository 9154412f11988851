/*
 * Accepting: the listening sockets are shared by all workers of a pool; the kernel
 * wakes one that waits (EPOLLEXCLUSIVE), so a worker that is in an application is not
 * woken.
 */
#ifndef WORKER_ACCEPT_H
#define WORKER_ACCEPT_H

/* The sockets of the heritage, and the queue of the pool. -1: memory is out. */
int accept_init(void);

/* Once in a round of the loop: begins, pauses and goes on with accepting, as the number
 * of connections and the state of the worker say. */
void accept_adjust(void);

/* Stops for good. What waits in the backlog is accepted first: this worker may have
 * been the one that was woken for it. */
void accept_stop(void);

/* The arbiter has committed the generation: clients may come. */
void accept_start(void);

#endif
