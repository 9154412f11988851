#include "gateway/worker/errands.h"

#include <pthread.h>
#include <stddef.h>

#include "gateway/worker/self.h"

/* Own lock: threads of an application ask that know nothing of the worker's. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct errand *first, **last = &first;
static atomic_bool any;

void
errand_ask(struct errand *errand)
{
	errand->next = NULL;
	pthread_mutex_lock(&lock);
	*last = errand;
	last = &errand->next;
	pthread_mutex_unlock(&lock);
	if (!atomic_exchange(&any, true))
		loop_kick(&self.loop);
}

void
errands_run(void)
{
	if (!atomic_load_explicit(&any, memory_order_relaxed))
		return;
	atomic_store(&any, false);
	pthread_mutex_lock(&lock);
	struct errand *errand = first;
	first = NULL;
	last = &first;
	pthread_mutex_unlock(&lock);
	while (errand != NULL) {
		struct errand *next = errand->next;
		errand->run(errand);
		errand = next;
	}
}
