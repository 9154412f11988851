/*
 * A client that there is no place for: connections, descriptors or memory are out. It
 * is told so at once, 503 with Retry-After, rather than left to wait.
 */
#ifndef WORKER_TURN_AWAY_H
#define WORKER_TURN_AWAY_H

/* `why` is for the log, which has a line a second at most. The descriptor is the
 * caller's to close. */
void turn_away(int fd, const char *why);

#endif
