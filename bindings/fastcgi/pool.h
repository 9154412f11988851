/*
 * The pool: an application's backends, and the requests that wait for a link to one.
 *
 * Who is least busy gets the next request. Who did not take a connection is left out
 * for a while; then one request tries it, and the others follow when it succeeds. The
 * limits are those of one worker.
 */
#ifndef FASTCGI_POOL_H
#define FASTCGI_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "bindings/fastcgi/backend.h"
#include "protocols/arena.h"

/* A bit of exchange->tried for each. */
enum { BACKENDS_MAX = 64 };

TAILQ_HEAD(exchanges, exchange);

struct pool {
	struct backend *backends;
	size_t n;
	size_t next; /* where the search begins, so that equals have their turns */
	struct exchanges waiting; /* who came first is first */
	unsigned n_waiting;
	bool serving;
	bool managed; /* the one backend is programs that the arbiter runs */

	/* settings */
	unsigned max_links, max_idle; /* of one backend */
	unsigned max_waiting;
	unsigned queue_ms, connect_ms, send_ms, read_ms, fail_ms, resolve_ms;
};

/* `text` names backends, with commas between them; `managed`: it is the socket of
 * programs that the arbiter runs. Returns NULL, or what is wrong. */
const char *pool_load(
	struct pool *p, const char *text, bool managed, struct arena *memory);
const char *pool_start(struct pool *p);
void pool_release(struct pool *p);

enum pool_answer {
	POOL_TAKEN, /* x->link is set */
	POOL_WAIT, /* all links are busy, or others were first */
	POOL_NONE, /* no backend is left to try */
};

/* Finds a link for an exchange, at a backend whose bit is not in `avoid`. */
enum pool_answer pool_take(struct pool *p, struct exchange *x, uint64_t avoid);

/* Into the queue; false: it is full. Who was in it before is its first. */
bool pool_enqueue(struct pool *p, struct exchange *x);
void pool_dequeue(struct pool *p, struct exchange *x);

/* Runs those in the queue for whom there is a link now. */
void pool_serve(struct pool *p);

/* The backend's bit. */
uint64_t pool_bit(const struct pool *p, const struct backend *b);

#endif
