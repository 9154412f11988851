/*
 * A pool: the children that run one application, or one part of it, and how many of
 * them there shall be. It belongs to a generation.
 */
#ifndef ARBITER_POOL_H
#define ARBITER_POOL_H

#include "gateway/arbiter/child.h"
#include "gateway/arbiter/kind.h"

struct pool {
	const struct app_settings *app;
	const struct child_kind *kind;
	struct heritage
		heritage; /* what its children are given, without their own part */
	int socket; /* that its programs accept from; -1: none */
	/* The pool of workers that need these processes, and are stopped before them.
	 */
	struct pool *front;
	/* The pool of the one process that forks these; NULL: the arbiter does. */
	struct pool *prototypes;
	unsigned unborn; /* children that it was asked for and that have no pid yet */

	unsigned configured; /* processes, by the configuration */
	unsigned target; /* processes wanted now */
	bool spare; /* and one more: the replacement of one that is recycled */
	enum stop stop; /* STOP_NO: they are wanted */
	unsigned batch; /* that may stop gracefully at one time */
	bool hold; /* nobody serves before the generation is committed */
	unsigned count[CHILD_STATES];

	bool was_ready; /* a child was, once */
	unsigned boot_deaths; /* before that */

	/* Back-off: when and how long ago children failed. */
	uint64_t delay_ms;
	uint64_t retry_at; /* of clock_ms() */
	uint64_t failed_at;
};

/* All children that have not died yet. */
unsigned pool_present(const struct pool *pool);

/* As many are ready as are wanted. */
bool pool_is_ready(const struct pool *pool);

/* One process more or less; false when it stays as it is. */
bool pool_scale(struct pool *pool, int by);

/* Starts what is missing, stops what is too much. */
void pool_keep(struct pool *pool, struct family *f, uint64_t now);

/* A child that was started at that time failed: the next one waits a while. */
void pool_back_off(
	struct pool *pool, const struct family *f, uint64_t started, uint64_t now);

/* A child died that had served well: it is replaced at once. */
void pool_recovered(struct pool *pool);

/* When pool_keep will have something to do; UINT64_MAX: not by itself. */
uint64_t pool_deadline(const struct pool *pool);

#endif
