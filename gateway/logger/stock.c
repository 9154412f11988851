#include "gateway/logger/stock.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STATE_BYTES = 4096 };

int
stock_create(void)
{
	int memory = memfd_create("sink", MFD_CLOEXEC);

	if (memory == -1 || ftruncate(memory, STATE_BYTES + STOCK_BYTES) == 0)
		return memory;
	int saved = errno;
	close(memory);
	errno = saved;
	return -1;
}

int
stock_map(struct stock *s, int memory)
{
	static const int access = PROT_READ | PROT_WRITE, how = MAP_SHARED | MAP_FIXED;
	char *room = mmap(NULL, STATE_BYTES + 2 * STOCK_BYTES, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*s = (struct stock){ 0 };
	if (room == MAP_FAILED)
		return -1;
	char *bytes = room + STATE_BYTES;
	if (mmap(room, STATE_BYTES + STOCK_BYTES, access, how, memory, 0) ==
			MAP_FAILED ||
		mmap(bytes + STOCK_BYTES, STOCK_BYTES, access, how, memory,
			STATE_BYTES) == MAP_FAILED) {
		int saved = errno;
		munmap(room, STATE_BYTES + 2 * STOCK_BYTES);
		errno = saved;
		return -1;
	}
	s->state = (struct stock_state *)room;
	s->bytes = bytes;
	return 0;
}

void
stock_unmap(struct stock *s)
{
	if (s->state != NULL)
		munmap(s->state, STATE_BYTES + 2 * STOCK_BYTES);
	*s = (struct stock){ 0 };
}

static char *
at(const struct stock *s, uint64_t position)
{
	return s->bytes + position % STOCK_BYTES;
}

char *
stock_room(const struct stock *s, size_t *room)
{
	*room = STOCK_BYTES - (size_t)(s->state->in - s->state->out);
	return at(s, s->state->in);
}

struct slice
stock_all(const struct stock *s)
{
	return slice_of(at(s, s->state->out), (size_t)(s->state->in - s->state->out));
}

void
stock_done(struct stock *s, size_t n)
{
	s->state->out += n;
}

/* ---- Writes to files ---- */

void
stock_begin(struct stock *s, uint64_t position)
{
	s->state->at = position;
	s->state->from = s->state->out;
	s->state->n = s->state->in - s->state->out; /* the last: now it holds */
}

struct slice
stock_begun(const struct stock *s)
{
	return slice_of(at(s, s->state->from), (size_t)s->state->n);
}

/* Each state in between says the same: bytes before `out` are done with. */
void
stock_end(struct stock *s)
{
	s->state->out = s->state->from + s->state->n;
	s->state->n = 0;
}

size_t
stock_cut(struct stock *s, size_t written)
{
	struct slice begun = stock_begun(s);
	const char *last = written > 0 ? memrchr(begun.ptr, '\n', written) : NULL;
	size_t whole = last != NULL ? (size_t)(last + 1 - begun.ptr) : 0;

	s->state->n = whole;
	stock_end(s);
	return written - whole;
}
