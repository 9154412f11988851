/*
 * What a process prints: text that comes by a pipe, taken apart into lines. It waits in
 * the spare part of the ring of that process, so that it outlives the logger. All bytes
 * there are 0 that nothing was read into: so what was read shows even when the logger
 * was killed before it could note how much that was.
 */
#ifndef LOGGER_PRINTED_H
#define LOGGER_PRINTED_H

#include <stdint.h>
#include <sys/types.h>

#include "gateway/logger/ring.h"

enum { PRINTED_LINE_MAX = 8192 }; /* longer ones are cut into several */

/* Positions in the text, bytes ever: what lies between the first two is to become 0,
 * and what between the last two was read. */
struct printed_state {
	_Atomic uint64_t clean, begin, end;
};

struct printed {
	struct printed_state *state;
	char *text; /* mapped twice */
	uint64_t clean, begin, end; /* the logger believes its own numbers */
};

/* In the spare part of that ring; what a logger has left there is found. */
void printed_init(struct printed *p, struct ring *ring);

/* Reads once, without waiting: the bytes; 0: the pipe has ended; -1 and errno, EAGAIN
 * when there is nothing, ENOBUFS when there is no room. */
ssize_t printed_read(struct printed *p, int fd);

/* The next line, without its LF, and where the text goes on behind it; at the end of
 * the pipe, a last one that has none. False: there is none. */
bool printed_next(
	const struct printed *p, bool ended, struct slice *line, uint64_t *behind);

/* Everything before that position was taken. */
void printed_take(struct printed *p, uint64_t behind);

#endif
