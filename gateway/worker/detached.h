/*
 * Connections that an application has taken over (AL_ALREADY_HANDLED). They have no
 * time limits and no place in the epoll set, but they count: a graceful stop waits for
 * them, and their end is logged. Those with an al_proc are asked how they are, and told
 * to end. The application is called in the main thread, between two rounds.
 */
#ifndef WORKER_DETACHED_H
#define WORKER_DETACHED_H

#include "gateway/worker/request.h"
#include "gateway/worker/steps.h"

/* handle() has returned AL_ALREADY_HANDLED. */
enum want detached_begin(struct conn *c);

/* al_finish() for a request whose socket was taken; in any thread. */
void detached_give_back(struct al_request *req);

/* Its connection ends: the application hears of it. */
void detached_end(struct al_request *req);

/* The request object is to be used for another. */
void detached_release(struct al_request *req);

/* The main thread, after each round. */
void detached_attend(void);

#endif
