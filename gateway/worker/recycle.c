#include "gateway/worker/recycle.h"

#include <stdlib.h>

#include "gateway/logger/log.h"
#include "gateway/worker/self.h"

static uint64_t limit; /* 0: none, or it is told already */
static bool asked, told;

void
recycle_init(void)
{
	const struct app_settings *s = self.settings;

	limit = (uint64_t)s->max_requests;
	if (limit != 0)
		limit += arc4random_uniform((uint32_t)s->max_requests_jitter + 1);
}

void
recycle_demand(const char *why)
{
	if (!asked)
		log_warning("%s: the worker is to be replaced: %s", self.settings->name,
			why);
	asked = true;
}

bool
recycle_is_due(void)
{
	if (asked && !told)
		return told = true;
	if (limit == 0 ||
		atomic_load_explicit(&self.slot->requests, memory_order_relaxed) <
			limit)
		return false;
	limit = 0;
	return true;
}
