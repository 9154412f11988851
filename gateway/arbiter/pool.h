/*
 * A pool: the children that run one application, or one part of it, and how many of
 * them there shall be. It belongs to a generation.
 */
#ifndef ARBITER_POOL_H
#define ARBITER_POOL_H

#include "gateway/arbiter/child.h"
#include "gateway/arbiter/kind.h"
#include "gateway/arbiter/scale.h"
#include "gateway/arbiter/sinks.h"

struct pool {
	const struct app_settings *app;
	const struct child_kind *kind;
	struct heritage
		heritage; /* what its children are given, without their own part */
	struct sink_table *sinks; /* of its generation */
	int socket; /* that its programs accept from; -1: none */
	/* The pool of workers that need these processes, and are stopped before them.
	 */
	struct pool *front;
	bool waits; /* to be stopped, as long as there are fronts */
	/* The pool of the one process that forks these; NULL: the arbiter does. */
	struct pool *prototypes;
	unsigned unborn; /* children that it was asked for and that have no pid yet */

	unsigned configured; /* processes, by the configuration */
	unsigned min, max; /* that there may be, by the configuration; 0: not said */
	unsigned level; /* configured, and what TTIN and TTOU have changed */
	unsigned target; /* processes wanted now: the level, unless the pool scales */
	struct scale scale;
	bool spare; /* and one more: the replacement of one that is recycled */
	enum stop stop; /* STOP_NO: they are wanted */
	enum slot_farewell farewell; /* why, when they are not */
	unsigned batch; /* that may stop gracefully at one time */
	bool hold; /* nobody serves before the generation is committed */
	unsigned count[CHILD_STATES];

	bool was_ready; /* a child was, once */
	unsigned boot_deaths; /* before that */

	/* Programs that are to leave: since when, and when they were last looked at; 0:
	 * none is, or never. See departure.h. */
	uint64_t leaving_since;
	uint64_t looked_at;

	/* Requests that were answered since a program was last told to leave for them,
	 * and how many shall be. See recycle.h. */
	uint64_t answered, lot;

	uint64_t deserted_since; /* of clock_ms(); 0: it is not. See deserted.h */

	/* Back-off: when and how long ago children failed. */
	uint64_t delay_ms;
	uint64_t retry_at; /* of clock_ms() */
	uint64_t failed_at;
};

/* All children that have not died yet. */
unsigned pool_present(const struct pool *pool);

/* As many are ready as are wanted. */
bool pool_is_ready(const struct pool *pool);

/* How many processes there may be; a pool whose two numbers differ scales by itself,
 * between them. */
unsigned pool_low(const struct pool *pool);
unsigned pool_high(const struct pool *pool);
bool pool_scales(const struct pool *pool);

/* Moves the level; false when it would leave its bounds, and stays as it is. */
bool pool_scale(struct pool *pool, int by);

/* Begins where the pool of the generation before it stands: with what was added or
 * taken away by hand, and, if it scales, with no fewer processes. */
void pool_inherit(struct pool *pool, const struct pool *old);

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
