/*
 * A name is looked up without waiting: a thread waits for the name servers and ends,
 * the loop hears of it.
 */
#ifndef FASTCGI_LOOKUP_H
#define FASTCGI_LOOKUP_H

#include "bindings/fastcgi/place.h"

struct lookup;

/* Called in the loop, and then the lookup is no more. `error` is getaddrinfo()'s; the
 * places may be taken, by leaving none. */
typedef void lookup_fn(void *arg, int error, struct places *found);

/* NULL and errno when it cannot begin. */
struct lookup *lookup_start(const struct host *host, lookup_fn *fn, void *arg);

/* The function is not called any more. */
void lookup_cancel(struct lookup *l);

#endif
