/*
 * A ring: the lines of one process on their way to the logger, in memory that only
 * these two share and that outlives both. The process puts lines in, the logger takes
 * them out; neither waits for the other, and neither makes a system call for it. A line
 * is in the ring once its last byte is: what a process was killed over is not seen.
 *
 * The logger believes nothing that stands here but the bytes of lines: a process can
 * spoil its own lines only.
 */
#ifndef LOGGER_RING_H
#define LOGGER_RING_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocols/slice.h"

enum {
	RING_BYTES = 256 * 1024, /* of lines that may wait */
	RING_LINE_MAX = 8192 + 256, /* the longest one */
	RING_SPARE = 32 * 1024, /* bytes behind them, for the logger: see printed.h */
};

/* Each side writes to cache lines of its own. */
struct ring_state {
	/* The process. */
	alignas(64) _Atomic uint64_t head; /* bytes that were ever put in */
	_Atomic uint64_t dropped; /* lines that had no room */
	/* The logger. */
	alignas(64) _Atomic uint64_t tail; /* bytes that were ever taken out */
	_Atomic uint64_t refused; /* lines that no sink had room for */
	_Atomic uint64_t told; /* of both, those that the log told of */
	_Atomic uint32_t asleep; /* it wants to be woken */
	alignas(64) char spare[64]; /* of printed.h */
};

struct ring {
	struct ring_state *state; /* NULL: none */
	char *lines; /* mapped twice, so that every line is in one piece */
	char *spare;
	uint64_t at; /* where this side stands: never read back from the memory */
};

struct ring_line {
	uint32_t sink; /* as the process calls it */
	uint32_t level;
	bool is_access; /* of a request; else a message */
	struct slice text; /* in the ring: may change while it is read */
};

/* The memory of a new ring: a descriptor; -1 and errno. Nobody can resize it. */
int ring_create(void);

/* Maps it. The descriptor is not needed any more then. -1 and errno. */
int ring_map(struct ring *r, int memory);
void ring_unmap(struct ring *r);

/* ---- The process ---- */

/* False: there is no room. */
bool ring_put(struct ring *r, const struct ring_line *line);

/* Counts a line that was given up. */
void ring_drop(struct ring *r);

/* Whether the logger sleeps, and is to be woken by who asks; true once. */
bool ring_wakes(struct ring *r);

/* ---- The logger ---- */

/* Up to where the lines are that are in it now. */
uint64_t ring_end(const struct ring *r);

/* The next line before `end`: 1; 0: there is none; -1: what stands there is none, and
 * all up to `end` was thrown away. */
int ring_next(struct ring *r, uint64_t end, struct ring_line *line, uint64_t *behind);

/* Everything before that position was taken. */
void ring_take(struct ring *r, uint64_t behind);

/* Lines that were lost and not told of yet; they count as told of. */
uint64_t ring_losses(struct ring *r);
void ring_refuse(struct ring *r);

/* From now on it wants to be woken. False: there are lines, or it was not asked to. */
bool ring_sleep(struct ring *r, bool sleeps);

#endif
