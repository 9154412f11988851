/*
 * Relief: a thread that goes on with the worker's connections while the application,
 * which the main thread has called, takes long. It reads, flushes, times out and stops
 * gracefully; requests that become complete it hands to other workers, or leaves them
 * to the main thread.
 *
 * It learns of a long call by looking: a counter that the main thread moves at each
 * call is the same after `relief_after` milliseconds. So a short call costs the main
 * thread two additions, and no other.
 */
#ifndef WORKER_RELIEF_H
#define WORKER_RELIEF_H

#include <stdbool.h>

/* Starts the thread, if the settings want one; -1 and errno. */
int relief_start(void);

/* Ends it. No call may be on. */
void relief_stop(void);

/* The main thread calls the application, without the lock; and has it back, with it. */
void relief_begin(void);
void relief_end(void);

/* The relief thread has the loop: nobody can call the application. With the lock. */
bool relief_is_in_charge(void);

/* An application that goes on by watches and timers of its own expects them in the main
 * thread: no relief from now on. */
void relief_give_up(void);

#endif
