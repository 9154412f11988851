/*
 * The worker's side of its pool's queue (common/queue.h): connections with a request
 * that this worker cannot serve now go into it, and workers that wait for events take
 * them out.
 */
#ifndef WORKER_QUEUE_H
#define WORKER_QUEUE_H

#include <stdbool.h>

#include "gateway/worker/conn.h"

void queue_open(void);

/* The queue is in the epoll set, or out of it. */
void queue_adjust(bool receives);

/* Takes out all that lies in it. */
void queue_empty(void);

/* Puts the connection, whose request is complete, into the queue. True: the caller ends
 * it by conn_leave(). False: it stays here, as the queue is full, or the worker stops,
 * or there is no other, or the request is too large for a message. */
bool queue_send(struct conn *c);

/* This worker has a backlog, and another of the pool waits with fewer connections. */
bool queue_should_balance(const struct conn *c);

#endif
