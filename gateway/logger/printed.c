#include "gateway/logger/printed.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

static_assert(sizeof(struct printed_state) <= sizeof(((struct ring_state *)0)->spare),
	"it has its place there");

static char *
at(const struct printed *p, uint64_t position)
{
	return p->text + position % RING_SPARE;
}

/* What was read ends with a byte that is not 0, as far as anybody can tell. */
static void
find_end(struct printed *p)
{
	size_t room = RING_SPARE - (size_t)(p->end - p->clean);
	const char *begin = at(p, p->end), *end = begin + room;

	while (end > begin && end[-1] == '\0')
		end--;
	p->end += (uint64_t)(end - begin);
	p->state->end = p->end;
}

void
printed_init(struct printed *p, struct ring *ring)
{
	struct printed_state *s = (struct printed_state *)(void *)ring->state->spare;

	*p = (struct printed){
		.state = s,
		.text = ring->spare,
		.clean = s->clean,
		.begin = s->begin,
		.end = s->end,
	};
	/* The process could write there. */
	if (p->clean > p->begin || p->begin > p->end || p->end - p->clean > RING_SPARE)
		p->clean = p->begin = p->end = 0;
	find_end(p);
	printed_take(p, p->begin);
}

ssize_t
printed_read(struct printed *p, int fd)
{
	size_t room = RING_SPARE - (size_t)(p->end - p->clean);
	ssize_t n;

	errno = ENOBUFS;
	if (room == 0)
		return -1;
	do
		n = read(fd, at(p, p->end), room);
	while (n == -1 && errno == EINTR);
	if (n > 0) {
		p->end += (uint64_t)n;
		p->state->end = p->end;
	}
	return n;
}

bool
printed_next(const struct printed *p, bool ended, struct slice *line, uint64_t *behind)
{
	size_t len = (size_t)(p->end - p->begin);
	const char *begin = at(p, p->begin);
	size_t longest = len < PRINTED_LINE_MAX ? len : PRINTED_LINE_MAX;
	const char *lf = len > 0 ? memchr(begin, '\n', longest) : NULL;

	if (len == 0 || (lf == NULL && len < PRINTED_LINE_MAX && !ended))
		return false;
	*line = slice_of(begin, lf != NULL ? (size_t)(lf - begin) : longest);
	/* What ends where it is cut is one line, too. */
	bool ends = lf != NULL || (longest < len && begin[longest] == '\n');
	*behind = p->begin + line->len + ends;
	return true;
}

void
printed_take(struct printed *p, uint64_t behind)
{
	p->begin = behind;
	p->state->begin = behind;
	memset(at(p, p->clean), 0, (size_t)(behind - p->clean));
	p->clean = behind;
	p->state->clean = behind;
}
