/*
 * Listening sockets that were open before the program began: those of the service
 * manager (LISTEN_FDS), those of the arbiter that this one shall replace (ALICORN_FDS),
 * and others that fd:// names. Each keeps its number, so that it can be handed on.
 */
#ifndef ARBITER_INHERITED_H
#define ARBITER_INHERITED_H

#include <stdbool.h>

#include "gateway/config/address.h"

enum inherited_from {
	FROM_NOBODY, /* it is our own */
	FROM_ARBITER, /* which may still use it */
	FROM_MANAGER, /* never closed, and its file never removed */
};

/* The variable by which an arbiter hands its sockets to the next one. */
#define INHERITED_VARIABLE "ALICORN_FDS"

/* Takes the variables out of the environment. */
void inherited_init(void);

/* The socket that was handed over for the address, with close-on-exec and non-blocking;
 * -1: none. A socket is taken once. */
int inherited_take(const struct address *wanted, enum inherited_from *from);

/* Whether it is a socket of the manager that the address means. */
bool inherited_is_for(int fd, const struct address *wanted);

/* A socket of the manager is not needed any more; a later taker gets it again. */
void inherited_give_back(int fd);

/* All that will be taken at the start has been: warns of what was handed over for
 * nothing, and closes what only the arbiter before us needs. */
void inherited_settle(void);

/* The arbiter before us has gone: removes the files of sockets that only it used. */
void inherited_clean_up(void);

/* In a child that is about to become another arbiter: the manager's sockets and
 * variables are for it. */
void inherited_pass_on(void);

#endif
