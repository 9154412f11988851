/*
 * Those who follow requests as they end. Workers are asked for records by a flag in
 * their slots, so that one whom nobody follows does nothing for it; they send them over
 * their channels, as many as these take at once. What a follower does not read in time
 * is dropped, and counted.
 */
#ifndef ARBITER_CONTROL_TRACE_H
#define ARBITER_CONTROL_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocols/slice.h"

struct arbiter;
struct child;
struct control_peer;

/* Which requests are wanted; all zero: all of them. */
struct trace_filter {
	char app[64];
	char path[256]; /* a pattern, as of a shell */
	unsigned status_least, status_most; /* 0, 0: any */
	uint64_t slower_us;
	bool colours; /* are wanted in the lines */
	uint64_t dropped; /* not shown, and not told of yet */
};

/* From the words of the command. NULL, or what is wrong with them. */
const char *trace_filter_parse(struct trace_filter *f, char *const *words, size_t n);

/* Tells the workers whose requests are followed; once a round. */
void control_trace_mark(struct arbiter *a);

/* A worker has sent a record. */
void control_trace(struct arbiter *a, const struct child *child, struct slice payload);

#endif
