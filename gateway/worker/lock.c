#include "gateway/worker/lock.h"

#include <sched.h>

bool
lock_seize(void)
{
	enum { ATTEMPTS = 1000 };

	for (int i = 0; self.has_threads && i < ATTEMPTS; i++) {
		if (pthread_mutex_trylock(&self.lock) == 0)
			return true;
		sched_yield();
	}
	return false;
}
