#include "gateway/common/slot.h"

#include <sys/mman.h>

int
slots_init(struct slots *s, size_t n)
{
	/* Pages that are never touched cost nothing, so there may be many rows. */
	void *rows = mmap(NULL, n * sizeof(struct slot), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (rows == MAP_FAILED)
		return -1;
	*s = (struct slots){ rows, n };
	return 0;
}

void
slots_release(struct slots *s)
{
	if (s->rows != NULL)
		munmap(s->rows, s->n * sizeof(struct slot));
	*s = (struct slots){ NULL, 0 };
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
		slot->busy_since = 0;
		slot->client = -1;
		slot->pending = 0;
		slot->detached = 0;
		slot->requests = 0;
		slot->connections = 0;
		slot->request[0] = '\0';
		slot->state = SLOT_BOOTING;
		return slot;
	}
	return NULL;
}

void
slot_give_back(struct slot *slot)
{
	slot->state = SLOT_FREE;
}
