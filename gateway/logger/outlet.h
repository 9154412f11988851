/*
 * The outlet: where the lines of this process leave it. With a ring, that is the ring,
 * and the descriptor is a pipe for all that is no line of ours: what is printed, what
 * the processes say that an application forks. Without one, lines go to the descriptor.
 */
#ifndef LOGGER_OUTLET_H
#define LOGGER_OUTLET_H

#include "gateway/logger/ring.h"

/* What the arbiter gives. */
struct outlet_gift {
	int ring; /* its memory; -1: there is none */
	int output; /* the end of the pipe to write to */
	int bell; /* an eventfd that wakes the logger */
	bool is_patient; /* lines wait for room; else they are dropped */
};

/* From now on lines of this process go by this ring. Its memory's descriptor is closed.
 * -1 and errno. A process that is forked has none. */
int outlet_open(const struct outlet_gift *gift);
void outlet_close(void);

/* This process has a ring. */
bool outlet_is_open(void);

/* To the ring; may wait, if it is full. */
void outlet_put(const struct ring_line *line);

/* From now on nothing waits: this process is about to end. */
void outlet_hurry(void);

#endif
