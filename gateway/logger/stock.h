/*
 * A stock: the bytes that the logger has taken over for one sink, and has not written
 * yet. They are in memory that outlives it, with a note of where a write to a file
 * began: after the logger was killed in the middle of one, the next one looks how far
 * the file is, and goes on there. The arbiter makes the memory, loggers use it.
 */
#ifndef LOGGER_STOCK_H
#define LOGGER_STOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocols/slice.h"

enum { STOCK_BYTES = 1 << 20 };

/* A write of `n` bytes, from position `from` of the stock on, to what was byte `at` of
 * the file; n is 0 when there is none. */
struct stock_state {
	_Atomic uint64_t in, out; /* bytes ever */
	_Atomic uint64_t n, from, at;
	_Atomic uint32_t file; /* the number of the file that this was, or will be */
};

struct stock {
	struct stock_state *state; /* NULL: none */
	char *bytes; /* mapped twice, so that all is in one piece */
};

int stock_create(void); /* a descriptor; -1 and errno */
int stock_map(struct stock *s, int memory);
void stock_unmap(struct stock *s);

/* Room behind what is in it, and how much. What was written there is in it once `in`
 * was moved behind it. */
char *stock_room(const struct stock *s, size_t *room);

/* What is in it. */
struct slice stock_all(const struct stock *s);

/* The first n bytes are done with. */
void stock_done(struct stock *s, size_t n);

/* ---- Writes to files ---- */

/* Notes a write of all that is in it, to the end of the file, which is `at`. */
void stock_begin(struct stock *s, uint64_t at);

/* What has been begun; an empty slice: nothing has. */
struct slice stock_begun(const struct stock *s);

/* Of what has been begun so many bytes are in the file, and as little as makes whole
 * lines remains so. Returns the bytes of the line that is in the file in part. */
size_t stock_cut(struct stock *s, size_t written);

/* All that was begun is in the file. */
void stock_end(struct stock *s);

#endif
