#include "gateway/arbiter/pool.h"

#include <errno.h>
#include <string.h>

#include "gateway/arbiter/birth.h"
#include "gateway/arbiter/departure.h"
#include "gateway/arbiter/recycle.h"
#include "gateway/logger/log.h"

enum { DELAY_FIRST_MS = 100, DELAY_MOST_MS = 30000, SERVED_WELL_MS = 1000 };

/* Those that were not told to stop. */
static unsigned
count_live(const struct pool *pool)
{
	return pool->count[CHILD_BOOTING] + pool->count[CHILD_READY] +
		pool->count[CHILD_SERVING];
}

unsigned
pool_present(const struct pool *pool)
{
	return count_live(pool) + pool->count[CHILD_STOPPING];
}

bool
pool_is_ready(const struct pool *pool)
{
	return pool->count[CHILD_READY] + pool->count[CHILD_SERVING] >= pool->target;
}

unsigned
pool_low(const struct pool *pool)
{
	return pool->min != 0 ? pool->min : pool->level;
}

unsigned
pool_high(const struct pool *pool)
{
	return pool->max != 0 ? pool->max : pool->level;
}

bool
pool_scales(const struct pool *pool)
{
	return pool_low(pool) < pool_high(pool);
}

static unsigned
clamp(int64_t n, unsigned low, unsigned high)
{
	if (n < low)
		return low;
	return n > high ? high : (unsigned)n;
}

bool
pool_scale(struct pool *pool, int by)
{
	int64_t level = (int64_t)pool->level + by;
	unsigned least = pool->min != 0 ? pool->min : 1;
	unsigned most = pool->max != 0 ? pool->max : UINT16_MAX;

	if (level < least || level > most)
		return false;
	pool->level = (unsigned)level;
	pool->target =
		clamp((int64_t)pool->target + by, pool_low(pool), pool_high(pool));
	return true;
}

void
pool_inherit(struct pool *pool, const struct pool *old)
{
	int64_t by_hand = (int64_t)old->level - old->configured;

	pool->level = clamp(pool->level + by_hand, pool->min != 0 ? pool->min : 1,
		pool->max != 0 ? pool->max : UINT16_MAX);
	pool->target = pool->level;
	if (pool->target < old->target)
		pool->target = clamp(old->target, pool_low(pool), pool_high(pool));
}

static unsigned
wanted(const struct pool *pool)
{
	return pool->target + (pool->spare ? 1 : 0);
}

static void
start_missing(struct pool *pool, struct family *f, uint64_t now)
{
	while (count_live(pool) < wanted(pool) && now >= pool->retry_at &&
		birth_is_possible(pool)) {
		const char *reason = child_start(f, pool);
		if (reason == NULL)
			continue;
		log_error("start of a %s for %s: %s: %s", pool->kind->name,
			pool->app->name, reason, strerror(errno));
		pool_back_off(pool, f, now, now);
	}
}

/* The oldest children of the pool. */
static void
stop_surplus(struct pool *pool, struct family *f, uint64_t now)
{
	struct child *child;

	TAILQ_FOREACH (child, &f->children, next) {
		if (count_live(pool) <= wanted(pool))
			break;
		if (child->pool == pool && child->state != CHILD_STOPPING &&
			departure_is_possible(pool, child, now))
			child_stop(child, STOP_GRACEFUL, now);
	}
	if (!pool->spare && count_live(pool) <= wanted(pool))
		departure_forget(pool);
}

/* It has to wait until one of those that stop has gone. */
static bool
is_late(const struct pool *pool, const struct child *child)
{
	return pool->stop == STOP_GRACEFUL && child->state != CHILD_STOPPING &&
		pool->count[CHILD_STOPPING] >= pool->batch;
}

static void
stop_all(struct pool *pool, struct family *f, uint64_t now)
{
	struct child *child;

	/* Who finishes requests still needs its programs, and who is about to be forked
	 * its prototype. Fronts still hand requests to applications. */
	if (pool->stop == STOP_GRACEFUL &&
		(pool->waits || (pool->front != NULL && pool_present(pool->front) > 0)))
		return;
	TAILQ_FOREACH (child, &f->children, next) {
		if (child->pool != pool || is_late(pool, child))
			continue;
		child_bid_farewell(child, pool->farewell);
		child_stop(child, pool->stop, now);
	}
}

void
pool_keep(struct pool *pool, struct family *f, uint64_t now)
{
	if (pool->stop != STOP_NO) {
		stop_all(pool, f, now);
		return;
	}
	recycle_step(pool, f, now);
	start_missing(pool, f, now);
	stop_surplus(pool, f, now);
}

/* Somebody became ready after the last failure and does well since. */
static bool
has_recovered(const struct pool *pool, const struct family *f, uint64_t now)
{
	const struct child *child;

	TAILQ_FOREACH (child, &f->children, next) {
		if (child->pool == pool && child->ready > pool->failed_at &&
			now - child->ready > SERVED_WELL_MS)
			return true;
	}
	return false;
}

void
pool_back_off(struct pool *pool, const struct family *f, uint64_t started, uint64_t now)
{
	if (has_recovered(pool, f, now))
		pool_recovered(pool);
	pool->failed_at = now;
	/* Children that were started together and fail together count once. */
	if (pool->delay_ms != 0 && started < pool->retry_at)
		return;
	pool->delay_ms = pool->delay_ms != 0 ? pool->delay_ms * 2 : DELAY_FIRST_MS;
	if (pool->delay_ms > DELAY_MOST_MS)
		pool->delay_ms = DELAY_MOST_MS;
	pool->retry_at = now + pool->delay_ms;
}

void
pool_recovered(struct pool *pool)
{
	pool->delay_ms = 0;
	pool->retry_at = 0;
}

uint64_t
pool_deadline(const struct pool *pool)
{
	if (pool->stop != STOP_NO)
		return UINT64_MAX;
	if (count_live(pool) >= wanted(pool) || !birth_is_possible(pool))
		return departure_deadline(pool);
	return pool->retry_at;
}
