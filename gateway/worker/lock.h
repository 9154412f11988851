/*
 * The worker's lock. Who has it may touch the loop, the connections, and all else that
 * is one for the process. The worker's own code always has it, but not
 *
 *   while the application is called: handle(), hooks, iterate() and the like,
 *   while one response waits for its client (response.c),
 *   where there are application threads, while the loop waits for events.
 *
 * So it is held for microseconds at a time by whoever is not the only one to want it,
 * and nobody waits for anything but work of the processor with it; the application's
 * own locks, such as Python's, are never asked for by who has it. A request that the
 * application has, its environ and its body, belong to the thread that called handle(),
 * and need no lock.
 *
 * There are three kinds. A worker with one thread has none to pay for. Application
 * threads have a mutex. Between the main thread and relief, which are but two, it costs
 * the main thread one atomic operation to take it and none to give it: relief does not
 * wait for it, it looks again a little later.
 */
#ifndef WORKER_LOCK_H
#define WORKER_LOCK_H

#include "gateway/worker/self.h"

enum lock_kind { LOCK_NONE, LOCK_RELIEF, LOCK_THREADS };

enum lock_owner { OWNER_NONE, OWNER_MAIN, OWNER_RELIEF };

struct lock {
	enum lock_kind kind;
	pthread_mutex_t mutex; /* of LOCK_THREADS */
	_Atomic uint32_t owner; /* of LOCK_RELIEF: enum lock_owner; a futex */
	atomic_bool is_awaited; /* by the main thread */
};

extern struct lock worker_lock;

/* Before a second thread exists. The calling thread has the lock then. */
void lock_init(enum lock_kind kind);

/* The main thread waits until relief gives it. */
void lock_await(void);

static inline void
lock_take(void)
{
	uint32_t none = OWNER_NONE;

	if (worker_lock.kind == LOCK_THREADS)
		pthread_mutex_lock(&worker_lock.mutex);
	else if (worker_lock.kind == LOCK_RELIEF &&
		!atomic_compare_exchange_strong_explicit(&worker_lock.owner, &none,
			OWNER_MAIN, memory_order_acquire, memory_order_relaxed))
		lock_await();
}

static inline void
lock_give(void)
{
	if (worker_lock.kind == LOCK_THREADS)
		pthread_mutex_unlock(&worker_lock.mutex);
	else if (worker_lock.kind == LOCK_RELIEF)
		atomic_store_explicit(
			&worker_lock.owner, OWNER_NONE, memory_order_release);
}

/* Relief's own: it is had, or not; and given back, to a main thread that may wait. */
bool lock_try_as_relief(void);
void lock_give_as_relief(void);

/* For a signal handler, which may have interrupted who has it: tries for a while. True:
 * the lock was taken; else it has to do without. */
bool lock_seize(void);

#endif
