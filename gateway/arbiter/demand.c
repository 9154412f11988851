#include "gateway/arbiter/demand.h"

#include <stdlib.h>
#include <time.h>

#include "gateway/arbiter/recycle.h"
#include "gateway/logger/log.h"

enum { EVERY_MS = 1000, SECOND_MS = 1000, NS_A_MS = 1000000 };

/* ---- One process ---- */

/* CPU time that it has used, in nanoseconds; 0 when it has gone. */
static uint64_t
cpu_time(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) == -1)
		return 0;
	return (uint64_t)used.tv_sec * SECOND_MS * NS_A_MS + (uint64_t)used.tv_nsec;
}

/* It had a CPU nearly for itself since the last look. A worker of short requests is
 * between two of them at many looks, and yet can take no more. */
static bool
is_burning(struct child *child, uint64_t elapsed_ms)
{
	uint64_t before = child->cpu_seen;

	child->cpu_seen = cpu_time(child->pid);
	return before != 0 && child->cpu_seen > before &&
		child->cpu_seen - before >= elapsed_ms * NS_A_MS / 4 * 3;
}

/* It can take no more requests: each of its threads has one. */
static bool
is_full(const struct child *child)
{
	const struct slot *slot = child->slot;
	int64_t threads = child->pool->app->threads;

	return threads > 1 ? slot->pending >= threads : slot->busy_since != 0;
}

static bool
has_something(const struct slot *slot)
{
	return slot->pending != 0 || slot->detached != 0;
}

static void
look_at(struct child *child, struct scale_look *look, uint64_t elapsed_ms)
{
	const struct slot *slot = child->slot;
	uint64_t requests = slot->requests;
	bool is_new = requests != child->requests_seen;
	bool is_busy = is_burning(child, elapsed_ms);

	is_busy |= is_full(child);
	look->serving++;
	look->busy += is_busy;
	look->idle += !is_busy && !has_something(slot);
	if (is_busy || is_new || has_something(slot) || child->idle_since == 0)
		child->idle_since = look->now;
	child->requests_seen = requests;
}

/* ---- A pool ---- */

static void
look_at_workers(const struct pool *pool, const struct family *f,
	struct scale_look *look, uint64_t elapsed_ms)
{
	struct child *child;

	TAILQ_FOREACH (child, &f->children, next) {
		if (child->pool == pool && child->state == CHILD_SERVING)
			look_at(child, look, elapsed_ms);
	}
}

/* The worker before them, or two while it is replaced, knows what they have to do. */
static void
look_at_programs(
	const struct pool *pool, const struct family *f, struct scale_look *look)
{
	const struct child *child;
	unsigned pending = 0;

	TAILQ_FOREACH (child, &f->children, next) {
		if (child->pool == pool->front)
			pending += child->slot->pending;
	}
	look->serving = pool->count[CHILD_SERVING];
	look->busy = pending < look->serving ? pending : look->serving;
	look->idle = look->serving - look->busy;
}

static struct scale_look
look_at_pool(const struct pool *pool, const struct family *f, uint64_t now)
{
	struct scale_look look = {
		.target = pool->target,
		.low = pool_low(pool),
		.high = pool_high(pool),
		.now = now,
		.idle_ms = (uint64_t)pool->app->idle_timeout * SECOND_MS,
	};

	if (pool->kind == &kind_program)
		look_at_programs(pool, f, &look);
	else
		look_at_workers(pool, f, &look, now - f->looked_at);
	return look;
}

/* The one that has had nothing to do for longest; of several the youngest. */
static struct child *
find_idlest(const struct pool *pool, const struct family *f)
{
	struct child *child, *idlest = NULL;

	TAILQ_FOREACH (child, &f->children, next) {
		if (child->pool == pool && child->state == CHILD_SERVING &&
			(idlest == NULL || child->idle_since <= idlest->idle_since))
			idlest = child;
	}
	return idlest;
}

/* Programs are the pool's own business: it knows when one can leave. */
static void
retire(struct pool *pool, struct family *f, int n, uint64_t now)
{
	struct child *child;

	while (n-- > 0 && pool->kind != &kind_program &&
		(child = find_idlest(pool, f)) != NULL)
		child_stop(child, STOP_GRACEFUL, now);
}

static void
scale(struct pool *pool, struct family *f, uint64_t now)
{
	const struct scale_look look = look_at_pool(pool, f, now);
	int by = scale_decide(&pool->scale, &look);
	unsigned before = pool->target;

	if (by == 0)
		return;
	pool->target = (unsigned)((int)before + by);
	log_info("%s: the number of processes is now %u, as %s", pool->app->name,
		pool->target, by > 0 ? "all were busy" : "some had nothing to do");
	hooks_scaled(&f->hooks, pool, before);
	retire(pool, f, -by, now);
}

/* ---- All of them ---- */

static bool
is_watched(const struct pool *pool)
{
	return pool->stop == STOP_NO && !pool->hold &&
		(pool_scales(pool) || recycle_counts(pool));
}

void
demand_watch(struct family *f, struct generation *g, uint64_t now)
{
	if (now < f->looked_at + EVERY_MS)
		return;
	for (size_t i = 0; i < g->n_pools; i++) {
		struct pool *pool = &g->pools[i];
		if (!is_watched(pool))
			continue;
		if (pool_scales(pool))
			scale(pool, f, now);
		if (recycle_counts(pool))
			recycle_count(pool, f);
	}
	f->looked_at = now;
}

uint64_t
demand_deadline(const struct family *f, const struct generation *g)
{
	for (size_t i = 0; i < g->n_pools; i++) {
		if (is_watched(&g->pools[i]))
			return f->looked_at + EVERY_MS;
	}
	return UINT64_MAX;
}
