#include "gateway/logger/move.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

int
move_create(void)
{
	int memory = memfd_create("move", MFD_CLOEXEC);

	if (memory == -1 || ftruncate(memory, sizeof(struct move)) == 0)
		return memory;
	int saved = errno;
	close(memory);
	errno = saved;
	return -1;
}

struct move *
move_map(int memory)
{
	void *mapped = mmap(NULL, sizeof(struct move), PROT_READ | PROT_WRITE,
		MAP_SHARED, memory, 0);

	return mapped != MAP_FAILED ? mapped : NULL;
}

void
move_begin(struct move *m, uint32_t source, bool is_printed, uint64_t behind)
{
	m->source = source;
	m->is_printed = is_printed;
	m->behind = behind;
	m->n = 0;
}

void
move_add(struct move *m, uint32_t sink, uint64_t in)
{
	m->to[m->n].sink = sink;
	m->to[m->n].in = in;
	m->n++;
}

/* To do it twice changes nothing. */
void
move_do(struct move *m, struct ring *ring, struct printed *printed)
{
	atomic_store(&m->holds, 1);
	for (uint32_t i = 0; i < m->n; i++) {
		struct sink *s = sink_find(m->to[i].sink);
		if (s != NULL)
			s->stock.state->in = m->to[i].in;
	}
	if (m->is_printed)
		printed_take(printed, m->behind);
	else
		ring_take(ring, m->behind);
	atomic_store(&m->holds, 0);
}
