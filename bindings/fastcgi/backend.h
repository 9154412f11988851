/*
 * One FastCGI backend: where it is, how it fares, and the links to it.
 */
#ifndef FASTCGI_BACKEND_H
#define FASTCGI_BACKEND_H

#include <stdint.h>

#include "bindings/fastcgi/link.h"
#include "bindings/fastcgi/lookup.h"
#include "bindings/fastcgi/place.h"

struct pool;

struct backend {
	struct pool *pool;
	const char *name; /* "127.0.0.1:9000", "unix:/run/x", for the log */

	struct host host; /* without a name: its places do not change */
	struct places places;
	size_t place; /* that was connected to last */
	struct lookup *lookup; /* NULL: none is under way */
	struct al_timer *timer; /* until the next one */

	unsigned n_busy; /* links that exchanges have */
	unsigned n_idle;
	struct links idle; /* the last used at the end */
	struct links unanswered; /* busy and new, the oldest first */

	/* 0: it takes connections; else it did not, and is left out until then while
	 * there are others. */
	uint64_t failed_until;
};

/* Looks the name up, for the first time. Returns NULL, or why it cannot be. The name is
 * not copied. */
const char *backend_load(struct backend *b, struct pool *p, const char *name);

/* In the process that is to use it: the name is looked up again from now on. */
const char *backend_start(struct backend *b);

void backend_release(struct backend *b);

void backend_failed(struct backend *b);
void backend_works(struct backend *b);

/* A request of ours has been waiting for one of its processes for a while. */
bool backend_is_awaited(const struct backend *b);

#endif
