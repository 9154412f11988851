/*
 * The watch over requests: one that is longer in the application than `timeout` is
 * ended together with its worker, and its client gets an answer.
 */
#ifndef ARBITER_WATCH_H
#define ARBITER_WATCH_H

#include <stdint.h>

#include "gateway/arbiter/child.h"
#include "gateway/logger/log.h"
#include "protocols/buffer.h"
#include "protocols/slice.h"

/* Looks at all children; `answer` is for the clients of those too stuck to answer. */
void watch_requests(struct family *f, struct slice answer, uint64_t now);

/* When there will be something to see; UINT64_MAX: never. */
uint64_t watch_deadline(const struct family *f, uint64_t now);

/* Appends the request that the child is in, if it is, or the last one of several, and
 * says the same for the log; the slices live as long as the child. */
void watch_describe(struct buffer *text, struct log_about *about,
	const struct child *child, uint64_t now);

#endif
