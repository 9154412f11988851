/*
 * Why an address cannot be listened on, in words that say what to do: the system knows
 * who has it, and what it takes.
 */
#ifndef ARBITER_OBSTACLE_H
#define ARBITER_OBSTACLE_H

#include <sys/socket.h>

/* What is said of the error that bind() to this address ended with; NULL: that of a
 * unix socket. The text lives until the next call. */
const char *obstacle_text(int error, const struct sockaddr *address);

#endif
