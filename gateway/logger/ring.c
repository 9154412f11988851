#include "gateway/logger/ring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STATE_BYTES = 4096, ALIGNMENT = 8 };

/* What stands before a line. */
struct mark {
	uint32_t len;
	uint16_t sink;
	uint8_t level;
	uint8_t is_access;
};

static_assert(sizeof(struct ring_state) <= STATE_BYTES, "it is a page");
static_assert(sizeof(struct mark) % ALIGNMENT == 0, "lines are aligned");

/* ---- Memory ---- */

int
ring_create(void)
{
	int memory = memfd_create("log", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (memory == -1)
		return -1;
	/* Sealed, lest the process shrinks what the logger reads. */
	if (ftruncate(memory, STATE_BYTES + RING_BYTES + RING_SPARE) == 0 &&
		fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) ==
			0)
		return memory;
	int saved = errno;
	close(memory);
	errno = saved;
	return -1;
}

static char *
map(void *at, size_t size, int memory, off_t offset)
{
	int how = at != NULL ? MAP_SHARED | MAP_FIXED : MAP_SHARED;
	void *mapped = mmap(at, size, PROT_READ | PROT_WRITE, how, memory, offset);

	return mapped != MAP_FAILED ? mapped : NULL;
}

int
ring_map(struct ring *r, int memory)
{
	static const size_t all = STATE_BYTES + 2 * RING_BYTES + 2 * RING_SPARE;
	char *room = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*r = (struct ring){ 0 };
	if (room == MAP_FAILED)
		return -1;
	char *lines = room + STATE_BYTES, *spare = lines + 2 * RING_BYTES;
	if (map(room, STATE_BYTES + RING_BYTES, memory, 0) == NULL ||
		map(lines + RING_BYTES, RING_BYTES, memory, STATE_BYTES) == NULL ||
		map(spare, RING_SPARE, memory, STATE_BYTES + RING_BYTES) == NULL ||
		map(spare + RING_SPARE, RING_SPARE, memory, STATE_BYTES + RING_BYTES) ==
			NULL) {
		int saved = errno;
		munmap(room, all);
		errno = saved;
		return -1;
	}
	/* What the process forks has nothing to put in here. */
	madvise(room, all, MADV_DONTFORK);
	r->state = (struct ring_state *)room;
	r->lines = lines;
	r->spare = spare;
	r->at = atomic_load(&r->state->tail);
	return 0;
}

void
ring_unmap(struct ring *r)
{
	if (r->state != NULL)
		munmap(r->state, STATE_BYTES + 2 * RING_BYTES + 2 * RING_SPARE);
	*r = (struct ring){ 0 };
}

static uint64_t
size_of(size_t len)
{
	return (sizeof(struct mark) + len + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
}

/* ---- The process ---- */

bool
ring_put(struct ring *r, const struct ring_line *line)
{
	struct ring_state *s = r->state;
	uint64_t head = atomic_load_explicit(&s->head, memory_order_relaxed);
	uint64_t used = head - atomic_load_explicit(&s->tail, memory_order_acquire);
	size_t len = line->text.len < RING_LINE_MAX ? line->text.len : RING_LINE_MAX;
	struct mark mark = { (uint32_t)len, (uint16_t)line->sink, (uint8_t)line->level,
		line->is_access };

	if (used > RING_BYTES || size_of(len) > RING_BYTES - used)
		return false;
	char *at = r->lines + head % RING_BYTES;
	memcpy(at, &mark, sizeof(mark));
	memcpy(at + sizeof(mark), line->text.ptr, len);
	/* In one order with the look at `asleep`: either side sees the other. */
	atomic_store(&s->head, head + size_of(len));
	return true;
}

void
ring_drop(struct ring *r)
{
	atomic_fetch_add(&r->state->dropped, 1);
}

bool
ring_wakes(struct ring *r)
{
	return atomic_load(&r->state->asleep) != 0 &&
		atomic_exchange(&r->state->asleep, 0) != 0;
}

/* ---- The logger ---- */

uint64_t
ring_end(const struct ring *r)
{
	return atomic_load(&r->state->head);
}

static int
throw_away(struct ring *r, uint64_t end)
{
	ring_take(r, end);
	return -1;
}

int
ring_next(struct ring *r, uint64_t end, struct ring_line *line, uint64_t *behind)
{
	struct mark mark;
	const char *at = r->lines + r->at % RING_BYTES;

	if (end == r->at)
		return 0;
	if (end - r->at > RING_BYTES || end - r->at < sizeof(mark) ||
		r->at % ALIGNMENT != 0)
		return throw_away(r, end);
	memcpy(&mark, at, sizeof(mark));
	if (mark.len > RING_LINE_MAX || size_of(mark.len) > end - r->at)
		return throw_away(r, end);
	*line = (struct ring_line){
		.sink = mark.sink,
		.level = mark.level,
		.is_access = mark.is_access != 0,
		.text = slice_of(at + sizeof(mark), mark.len),
	};
	*behind = r->at + size_of(mark.len);
	return 1;
}

void
ring_take(struct ring *r, uint64_t behind)
{
	r->at = behind;
	atomic_store_explicit(&r->state->tail, behind, memory_order_release);
}

uint64_t
ring_losses(struct ring *r)
{
	uint64_t all =
		atomic_load(&r->state->dropped) + atomic_load(&r->state->refused);
	uint64_t told = atomic_exchange(&r->state->told, all);

	return all - told;
}

void
ring_refuse(struct ring *r)
{
	atomic_fetch_add(&r->state->refused, 1);
}

bool
ring_sleep(struct ring *r, bool sleeps)
{
	atomic_store(&r->state->asleep, sleeps);
	return sleeps && atomic_load(&r->state->head) == r->at;
}
