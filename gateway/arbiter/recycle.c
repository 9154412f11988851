#include "gateway/arbiter/recycle.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/arbiter/departure.h"
#include "gateway/logger/log.h"

void
recycle_ask(struct child *child, const char *format, ...)
{
	va_list args;

	if (child->recycle[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(child->recycle, sizeof(child->recycle), format, args);
	va_end(args);
}

/* The oldest child that serves and shall be replaced, or shall not. */
static struct child *
find(const struct pool *pool, const struct family *f, bool is_asked)
{
	struct child *child;

	TAILQ_FOREACH (child, &f->children, next) {
		if (child->pool == pool && child->state == CHILD_SERVING &&
			(child->recycle[0] != '\0') == is_asked)
			return child;
	}
	return NULL;
}

bool
recycle_counts(const struct pool *pool)
{
	return pool->kind == &kind_program && pool->app->max_requests != 0;
}

/* Of the worker before the programs, or of two while it is replaced. */
static uint64_t
count_new_requests(const struct pool *front, const struct family *f)
{
	struct child *child;
	uint64_t n = 0;

	TAILQ_FOREACH (child, &f->children, next) {
		if (child->pool != front)
			continue;
		uint64_t requests = child->slot->requests;
		n += requests - child->counted;
		child->counted = requests;
	}
	return n;
}

static uint64_t
choose_lot(const struct app_settings *app)
{
	return (uint64_t)app->max_requests +
		arc4random_uniform((uint32_t)app->max_requests_jitter + 1);
}

void
recycle_count(struct pool *programs, const struct family *f)
{
	struct child *oldest;

	if (programs->lot == 0)
		programs->lot = choose_lot(programs->app);
	programs->answered += count_new_requests(programs->front, f);
	while (programs->answered >= programs->lot &&
		(oldest = find(programs, f, false)) != NULL) {
		recycle_ask(oldest, ", the next one after %" PRIu64 " requests",
			programs->lot);
		programs->answered -= programs->lot;
		programs->lot = choose_lot(programs->app);
	}
	/* All of them are to be replaced already: nothing is saved up for later. */
	if (programs->answered > programs->lot)
		programs->answered = programs->lot;
}

void
recycle_step(struct pool *pool, struct family *f, uint64_t now)
{
	struct child *child = find(pool, f, true);

	/* The next one's turn comes when nobody is leaving any more. */
	pool->spare =
		child != NULL && (pool->spare || pool->count[CHILD_STOPPING] == 0);
	if (!pool->spare)
		return;
	if (pool->count[CHILD_SERVING] <= pool->target) {
		departure_forget(pool);
		return;
	}
	if (!departure_is_possible(pool, child, now))
		return;
	log_info("%s is recycled%s", child_text(child), child->recycle);
	child_bid_farewell(child, FAREWELL_RECYCLE);
	child_stop(child, STOP_GRACEFUL, now);
	pool->spare = false;
}
