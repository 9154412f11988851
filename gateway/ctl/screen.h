/*
 * A terminal as a screen: taken over, drawn on, and given back as it was, whatever ends
 * the program but a kill.
 */
#ifndef CTL_SCREEN_H
#define CTL_SCREEN_H

#include <stdbool.h>

#include "protocols/slice.h"

/* The terminal on standard output; its size is 0, 0 when it is none. */
struct screen_size {
	unsigned rows, columns;
};

struct screen_size screen_size(void);

/* Whether it wants colours: it is a terminal, and NO_COLOR does not say otherwise. */
bool screen_has_colours(void);

/* False: standard input or output is no terminal. */
bool screen_begin(void);
void screen_end(void);

/* Draws these lines, and `last` at the bottom; lines beyond the screen are not seen. */
void screen_draw(struct slice lines, const char *last);

enum screen_event {
	SCREEN_TIME, /* nothing has happened in that time */
	SCREEN_RESIZED,
	SCREEN_QUIT, /* by a key or a signal */
};

enum screen_event screen_wait(int ms);

#endif
