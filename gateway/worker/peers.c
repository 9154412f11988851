#include "gateway/worker/peers.h"

#include <stdint.h>

#include "gateway/worker/self.h"

enum { BELIEVED_MS = 100, POOLS = 64 };

/* The next serving worker of a pool, from the slot *i on; NULL: there is none. */
static const struct slot *
next_of(uint32_t pool, size_t *i)
{
	const struct slots *all = self.heritage->slots;

	for (size_t n = *all->used; *i < n; (*i)++) {
		const struct slot *s = &all->rows[*i];
		if (atomic_load_explicit(&s->pool, memory_order_relaxed) == pool &&
			atomic_load_explicit(&s->state, memory_order_relaxed) ==
				SLOT_SERVING)
			return &all->rows[(*i)++];
	}
	return NULL;
}

/* The next one of our own. */
static const struct slot *
next_peer(size_t *i)
{
	return next_of(atomic_load_explicit(&self.slot->pool, memory_order_relaxed), i);
}

bool
peers_serve(uint32_t queue)
{
	static struct {
		uint32_t queue;
		uint64_t seen; /* of the loop's clock: when it was found to serve */
	} known[POOLS];
	size_t at = queue % POOLS, i = 0;

	if (known[at].queue == queue && self.loop.now < known[at].seen + BELIEVED_MS)
		return true;
	if (next_of(queue, &i) == NULL)
		return false;
	known[at].queue = queue;
	known[at].seen = self.loop.now;
	return true;
}

bool
peers_exist(void)
{
	size_t i = 0;
	const struct slot *s = next_peer(&i);

	return s != NULL && (s != self.slot || next_peer(&i) != NULL);
}

bool
peers_one_waits(void)
{
	const struct slot *s;

	for (size_t i = 0; (s = next_peer(&i)) != NULL;)
		if (s != self.slot &&
			atomic_load_explicit(&s->waits, memory_order_relaxed) &&
			atomic_load_explicit(&s->connections, memory_order_relaxed) +
					1 <
				self.n_conns)
			return true;
	return false;
}

unsigned
peers_busy(void)
{
	const struct slot *s;
	unsigned n = 0;

	if (self.slot == NULL) /* a prototype */
		return 0;
	for (size_t i = 0; (s = next_peer(&i)) != NULL;)
		n += atomic_load_explicit(&s->pending, memory_order_relaxed) > 0;
	return n;
}
