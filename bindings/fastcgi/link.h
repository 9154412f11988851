/*
 * A link is one connection to a backend. It belongs to an exchange, or it is idle: kept
 * for the next one.
 *
 * A process of a backend, such as php's, serves one connection as long as it is open.
 * So idle links are few, are closed after a while, and at once when a request of ours
 * waits for a process.
 */
#ifndef FASTCGI_LINK_H
#define FASTCGI_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "bindings/fastcgi/place.h"
#include "gateway/alicorn.h"

struct backend;
struct exchange;

struct link {
	TAILQ_ENTRY(link) in_list; /* of its backend: of the idle, or of the new */
	struct backend *backend;
	struct exchange *owner; /* NULL: idle */
	struct place place; /* that it leads to */
	int fd; /* -1: not connected */
	struct al_watch *watch;
	struct al_timer *timer; /* of the idle; NULL: it never was */
	uint64_t began; /* when it was made */
	bool reused; /* an exchange had it before */
	bool answered; /* something has come of it: a process serves it */
	bool settled; /* idle, and nobody waited for a process then */
	bool readable, writable; /* as far as is known */
};

TAILQ_HEAD(links, link);

/* For comparisons, in steps of the kernel's clock tick. */
uint64_t link_clock_ms(void);

/* A new one, not connected; NULL when memory is out. */
struct link *link_new(struct backend *b, struct exchange *owner);

/* Takes an idle one that is still open, the last used first; NULL: there is none. */
struct link *link_reuse(struct backend *b, struct exchange *owner);

/* Returns 0 or the errno of connect(): EINPROGRESS, EAGAIN, ECONNREFUSED, ... */
int link_connect(struct link *l, const struct place *place);
void link_disconnect(struct link *l);

/* Something was received. */
void link_answered(struct link *l);

/* The exchange has done with it. `clean`: the next request may follow on it. */
void link_release(struct link *l, bool clean);

void link_close_idle(struct link *l);

/* Closes the one that has been idle for longest, if there is one. */
void link_close_oldest(struct backend *b);

#endif
