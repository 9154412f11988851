#include "gateway/worker/iterating.h"

#include <stdio.h>
#include <string.h>

#include "gateway/alicorn.h"
#include "gateway/common/clock.h"
#include "gateway/worker/relief.h"
#include "gateway/worker/self.h"

static bool
is_iterating(void)
{
	return strcmp(self.settings->worker_class, "iterating") == 0;
}

const char *
iterating_check(void)
{
	if (!is_iterating())
		return NULL;
	if (self.app.binding->iterate == NULL)
		return "worker_class iterating: this kind of application has no "
		       "iterate()";
	if (self.settings->threads > 1)
		return "worker_class iterating: it works between requests, in one "
		       "thread; leave threads out";
	return NULL;
}

/* The arbiter sees one that hangs, as it sees a request. */
static int
iterate(void)
{
	struct slot *slot = self.slot;

	snprintf(slot->request, sizeof(slot->request), "an iteration");
	slot->request_id[0] = '\0';
	atomic_store(&slot->busy_since, self.loop.now);
	relief_begin();
	int result = self.app.binding->iterate(self.app.instance);
	relief_end();
	atomic_store(&slot->busy_since, 0);
	self.loop.now = clock_ms();
	return result;
}

int
iterating_step(void)
{
	static uint64_t requests_then, again_at;
	uint64_t requests =
		atomic_load_explicit(&self.slot->requests, memory_order_relaxed);

	if (!is_iterating() || self.draining)
		return -1;
	if (requests == requests_then && self.loop.now < again_at)
		return (int)(again_at - self.loop.now);
	requests_then = requests;
	again_at = 0;
	if (iterate() != AL_AGAIN)
		again_at = self.loop.now + (uint64_t)self.settings->iterate_interval;
	/* Relief may have been in charge meanwhile: what it has left comes first. */
	return 0;
}
