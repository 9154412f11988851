#include "gateway/arbiter/departure.h"

#include "gateway/arbiter/links.h"
#include "gateway/arbiter/program.h"

enum { EVERY_MS = 50, SECOND_MS = 1000 };

static bool
is_engaged(const struct pool *pool, const struct child *child)
{
	struct links links;

	links_find(&links, child->pid, program_path(pool->front->heritage.target));
	return links.n > 0 || links.one_waits;
}

bool
departure_is_possible(struct pool *pool, const struct child *child, uint64_t now)
{
	uint64_t limit = (uint64_t)pool->app->graceful_timeout * SECOND_MS;

	if (!pool->kind->drops_requests)
		return true;
	/* All of a pool are looked at in one round, and then none for a while. */
	if (now != pool->looked_at && now < pool->looked_at + EVERY_MS)
		return false;
	pool->looked_at = now;
	if (pool->leaving_since == 0)
		pool->leaving_since = now;
	if (now < pool->leaving_since + limit && is_engaged(pool, child))
		return false;
	departure_forget(pool);
	return true;
}

void
departure_forget(struct pool *pool)
{
	pool->leaving_since = 0;
}

uint64_t
departure_deadline(const struct pool *pool)
{
	return pool->leaving_since != 0 ? pool->looked_at + EVERY_MS : UINT64_MAX;
}
