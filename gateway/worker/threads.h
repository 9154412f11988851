/*
 * Application threads: with `threads` = N the main thread keeps the loop, and N others
 * call the application. They take complete requests from self.ready, and go on with the
 * connection when the call returns.
 */
#ifndef WORKER_THREADS_H
#define WORKER_THREADS_H

#include <pthread.h>
#include <stdbool.h>

#include "gateway/worker/conn.h"

/* A thread of the gateway's own, with all signals blocked but those of its own faults.
 * Returns an errno. */
int thread_start(pthread_t *thread, void *(*run)(void *), size_t stack);

/* Starts them, if the settings want them. NULL, or what is wrong. */
const char *threads_start(void);

/* Ends those that are not in a call; others are left alone. */
void threads_stop(void);

/* With `threads` = N > 1, these; all with the lock. */
bool threads_are_used(void);

/* This thread may call the application with it now. */
bool threads_may_call(const struct conn *c);

/* A request has been added to self.ready. */
void threads_tell(void);

/* All have been busy for so long that others should accept. */
bool threads_are_behind(void);

/* Around a call. */
void threads_begin_call(struct conn *c);
void threads_end_call(void);

/* Shows the call that this thread is in, if it is, in the slot, as the one of a worker
 * that has no other. A signal handler may call it. */
void threads_show_call(void);

/* This thread is one of those, and is in a call. */
bool threads_are_in_call(void);

/* In a call: the time until now was not the application's. */
void threads_restart_clock(void);

#endif
