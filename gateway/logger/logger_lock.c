#include "gateway/logger/logger_lock.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* How often this thread has taken it. */
static _Thread_local unsigned depth;

void
logger_lock(void)
{
	if (depth++ == 0)
		pthread_mutex_lock(&lock);
}

void
logger_unlock(void)
{
	if (--depth == 0)
		pthread_mutex_unlock(&lock);
}

static void __attribute__((constructor)) survive_forks(void)
{
	pthread_atfork(logger_lock, logger_unlock, logger_unlock);
}
