#include "gateway/logger/logger_lock.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* How often this thread has taken it, or is about to. It says so before it takes the
 * mutex, and as long as it may still have it: a signal handler never waits for its own
 * thread. */
static _Thread_local volatile unsigned depth;

bool
logger_lock(void)
{
	bool is_first = depth++ == 0;

	if (is_first)
		pthread_mutex_lock(&lock);
	return is_first;
}

void
logger_unlock(void)
{
	if (depth == 1)
		pthread_mutex_unlock(&lock);
	depth--;
}

static void
prepare(void)
{
	logger_lock();
}

static void __attribute__((constructor)) survive_forks(void)
{
	pthread_atfork(prepare, logger_unlock, logger_unlock);
}
