/*
 * Looks up the address of a host, in a thread: a name server may take its time, and
 * other sinks shall not wait for it.
 */
#ifndef LOGGER_RESOLVER_H
#define LOGGER_RESOLVER_H

#include <sys/socket.h>

#include "protocols/slice.h"

struct resolver;

/* NULL: no thread can be started. */
struct resolver *resolver_begin(struct slice host, struct slice port, int type);

/* 1: the address; 0: not yet; -1: there is none, and *why says why not. */
int resolver_ask(const struct resolver *r, struct sockaddr_storage *address,
	socklen_t *len, const char **why);

/* NULL is none. */
void resolver_end(struct resolver *r);

#endif
