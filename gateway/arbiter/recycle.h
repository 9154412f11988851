/*
 * Recycling: a process that has served enough requests, or has grown too large, is
 * replaced. Its replacement serves before it is told to stop, and one process of a pool
 * is replaced at a time, so that the pool never serves with less than it should.
 */
#ifndef ARBITER_RECYCLE_H
#define ARBITER_RECYCLE_H

#include "gateway/arbiter/pool.h"

/*
 * Programs do not count their requests, so they are counted together, by the worker
 * before them: each time that it was asked for max_requests more, the oldest program
 * is replaced. So each serves as many as that, on average.
 */
bool recycle_counts(const struct pool *pool);
void recycle_count(struct pool *programs, const struct family *f);

/* The child shall be replaced; the first reason is the one that is told. */
void recycle_ask(struct child *child, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Begins a replacement, by the pool's spare, or ends it. */
void recycle_step(struct pool *pool, struct family *f, uint64_t now);

#endif
