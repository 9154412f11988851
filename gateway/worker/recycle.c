#include "gateway/worker/recycle.h"

#include <stdlib.h>

#include "gateway/worker/self.h"

static uint64_t limit; /* 0: none, or it is told already */

void
recycle_init(void)
{
	const struct app_settings *s = self.settings;

	limit = (uint64_t)s->max_requests;
	if (limit != 0)
		limit += arc4random_uniform((uint32_t)s->max_requests_jitter + 1);
}

bool
recycle_is_due(void)
{
	if (limit == 0 ||
		atomic_load_explicit(&self.slot->requests, memory_order_relaxed) <
			limit)
		return false;
	limit = 0;
	return true;
}
