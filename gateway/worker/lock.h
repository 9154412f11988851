/*
 * The worker's lock. Who holds it may touch the loop, the connections, and all else
 * that is one for the process. It is held whenever the worker's own code runs, but not
 *
 *   while the loop waits for events (loop_wait),
 *   while the application is called: handle(), hooks, iterate() and the like,
 *   while one response waits for its client (response.c).
 *
 * So it is held for microseconds at a time, and nobody waits for anything but work of
 * the processor while holding it; the application's own locks, such as Python's, are
 * never asked for by its holder. A request that the application has, its environ and
 * its body, belong to the thread that called handle(), and need no lock.
 *
 * A worker that has one thread has no lock to pay for.
 */
#ifndef WORKER_LOCK_H
#define WORKER_LOCK_H

#include "gateway/worker/self.h"

static inline void
lock_take(void)
{
	if (self.has_threads)
		pthread_mutex_lock(&self.lock);
}

static inline void
lock_give(void)
{
	if (self.has_threads)
		pthread_mutex_unlock(&self.lock);
}

/* For a signal handler, which may have interrupted the holder: tries for a while. True:
 * it has the lock; else it has to do without. */
bool lock_seize(void);

#endif
