#include "gateway/worker/lock.h"

#include <linux/futex.h>
#include <sched.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

struct lock worker_lock;

static long
futex(int operation, uint32_t value)
{
	return syscall(SYS_futex, &worker_lock.owner, operation, value, NULL, NULL, 0);
}

void
lock_init(enum lock_kind kind)
{
	worker_lock.kind = kind;
	if (kind == LOCK_THREADS)
		pthread_mutex_init(&worker_lock.mutex, NULL);
	lock_take();
}

static bool
try_as(enum lock_owner owner)
{
	uint32_t none = OWNER_NONE;

	return atomic_compare_exchange_strong(&worker_lock.owner, &none, owner);
}

/* That it waits is said before it looks again, and relief looks for that after it has
 * given the lock: one of them sees the other. */
void
lock_await(void)
{
	atomic_store(&worker_lock.is_awaited, true);
	while (!try_as(OWNER_MAIN))
		futex(FUTEX_WAIT_PRIVATE, OWNER_RELIEF);
	atomic_store(&worker_lock.is_awaited, false);
}

bool
lock_try_as_relief(void)
{
	return try_as(OWNER_RELIEF);
}

void
lock_give_as_relief(void)
{
	atomic_store(&worker_lock.owner, OWNER_NONE);
	if (atomic_load(&worker_lock.is_awaited))
		futex(FUTEX_WAKE_PRIVATE, 1);
}

static bool
try_to_take(void)
{
	return worker_lock.kind == LOCK_THREADS
		? pthread_mutex_trylock(&worker_lock.mutex) == 0
		: try_as(OWNER_MAIN);
}

bool
lock_seize(void)
{
	enum { ATTEMPTS = 1000 };

	for (int i = 0; worker_lock.kind != LOCK_NONE && i < ATTEMPTS; i++) {
		if (try_to_take())
			return true;
		sched_yield();
	}
	return false;
}
