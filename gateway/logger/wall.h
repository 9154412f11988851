/*
 * Local time, taken apart, for lines. The zone is asked from the C library, which takes
 * a lock for it: so once in a second, and in a signal handler not at all.
 */
#ifndef LOGGER_WALL_H
#define LOGGER_WALL_H

#include <time.h>

struct wall {
	time_t at; /* the second of all this */
	long offset; /* of the zone, in seconds east of UTC */
	int year;
	const char *month; /* "Nov", whatever the locale */
	int month_number; /* 1 for January */
	int day, hour, minute, second;
};

/* Belongs to this module, until the next call. */
const struct wall *wall_now(void);

enum { WALL_STAMP = 29 };

/* "2026-11-21T09:30:00.250+01:00" (RFC 3339), of now; the same length always. */
void wall_stamp(char text[WALL_STAMP]);

/* A moment in a zone, from 1970 on. Pure. */
void wall_make(struct wall *w, time_t at, long offset);

/* From now on the zone stays what it is, so that signal handlers may call wall_now. */
void wall_keep_zone(void);

#endif
