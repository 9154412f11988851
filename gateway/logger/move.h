/*
 * A move: of one line from the process that made it into the stocks of sinks. It
 * happens as a whole or not at all, also when the logger is killed meanwhile: first it
 * is noted where everything will stand, then that is done, and the next logger does
 * again what is noted. The note is in memory that outlives loggers.
 */
#ifndef LOGGER_MOVE_H
#define LOGGER_MOVE_H

#include "gateway/logger/printed.h"
#include "gateway/logger/sink.h"

struct move {
	_Atomic uint32_t holds; /* last of all: the rest is complete */
	uint32_t source;
	uint32_t is_printed; /* else it is from the ring */
	uint32_t n;
	uint64_t behind; /* the line, in the ring or in what was printed */
	struct {
		uint32_t sink;
		uint64_t in;
	} to[SINK_IDS];
};

int move_create(void); /* a descriptor; -1 and errno */
struct move *move_map(int memory); /* NULL and errno */

void move_begin(struct move *m, uint32_t source, bool is_printed, uint64_t behind);
void move_add(struct move *m, uint32_t sink, uint64_t in);

/* All is noted: does it. */
void move_do(struct move *m, struct ring *ring, struct printed *printed);

#endif
