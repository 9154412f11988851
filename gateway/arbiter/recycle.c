#include "gateway/arbiter/recycle.h"

#include <stdarg.h>
#include <stdio.h>

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

/* The oldest child that serves and shall be replaced. */
static struct child *
find(const struct pool *pool, const struct family *f)
{
	struct child *child;

	TAILQ_FOREACH (child, &f->children, next) {
		if (child->pool == pool && child->state == CHILD_SERVING &&
			child->recycle[0] != '\0')
			return child;
	}
	return NULL;
}

void
recycle_step(struct pool *pool, struct family *f, uint64_t now)
{
	struct child *child = find(pool, f);

	/* The next one's turn comes when nobody is leaving any more. */
	pool->spare =
		child != NULL && (pool->spare || pool->count[CHILD_STOPPING] == 0);
	if (!pool->spare || pool->count[CHILD_SERVING] <= pool->target)
		return;
	log_info("%s is recycled%s", child_text(child), child->recycle);
	child_stop(child, STOP_GRACEFUL, now);
	pool->spare = false;
}
