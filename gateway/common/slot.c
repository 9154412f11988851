#include "gateway/common/slot.h"

#include <sys/mman.h>

/* The number of rows used stands behind the rows. */
static size_t
size_of(size_t n)
{
	return n * sizeof(struct slot) + sizeof(_Atomic size_t);
}

int
slots_init(struct slots *s, size_t n)
{
	/* Pages that are never touched cost nothing, so there may be many rows. */
	void *rows = mmap(NULL, size_of(n), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (rows == MAP_FAILED)
		return -1;
	*s = (struct slots){ rows, n, (_Atomic size_t *)((struct slot *)rows + n) };
	return 0;
}

void
slots_release(struct slots *s)
{
	if (s->rows != NULL)
		munmap(s->rows, size_of(s->n));
	*s = (struct slots){ 0 };
}

struct slot *
slots_take(struct slots *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct slot *slot = &s->rows[i];
		if (slot->state != SLOT_FREE)
			continue;
		slot->pid = 0;
		slot->verdict = VERDICT_NONE;
		slot->farewell = FAREWELL_STOP;
		slot->busy_since = 0;
		slot->client = -1;
		slot->has_explained = 0;
		slot->pending = 0;
		slot->detached = 0;
		slot->requests = 0;
		slot->connections = 0;
		slot->pool = 0;
		slot->waits = 0;
		slot->handed_off = 0;
		slot->queue_wait_ms = 0;
		slot->request[0] = '\0';
		slot->request_id[0] = '\0';
		slot->idle = 0;
		slot->app = 0;
		slot->generation = 0;
		slot->resident = slot->proportional = 0;
		tally_clear(&slot->tally);
		slow_clear(&slot->slow);
		slot->state = SLOT_BOOTING;
		if (*s->used < i + 1)
			*s->used = i + 1;
		return slot;
	}
	return NULL;
}

void
slot_give_back(struct slot *slot)
{
	slot->state = SLOT_FREE;
}
