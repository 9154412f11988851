/*
 * A buffer owns bytes and grows, up to a limit. Failure is sticky: after an append that
 * did not fit (or found no memory) every later append does nothing and `failed` stays
 * set, so a builder checks once, at its end.
 *
 * All zero is a valid empty buffer without a limit.
 */
#ifndef PROTOCOLS_BUFFER_H
#define PROTOCOLS_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "protocols/slice.h"

struct buffer {
	char *ptr;
	size_t len;
	size_t cap;
	size_t limit; /* bytes; 0 = none */
	bool failed;
};

void buffer_init(struct buffer *b, size_t limit);

/* Frees the contents and leaves the empty buffer, with its limit. */
void buffer_release(struct buffer *b);

/* Empties it and keeps the memory; clears a failure. */
void buffer_reset(struct buffer *b);

/* Room for n more bytes, at the end; NULL when there is none to be had. The caller
 * writes there and then adds what it wrote to len. */
char *buffer_reserve(struct buffer *b, size_t n);

void buffer_add(struct buffer *b, const void *ptr, size_t len);
void buffer_addf(struct buffer *b, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Removes n bytes from the front, moving the rest. */
void buffer_consume(struct buffer *b, size_t n);

static inline void
buffer_add_slice(struct buffer *b, struct slice s)
{
	buffer_add(b, s.ptr, s.len);
}

static inline void
buffer_add_str(struct buffer *b, const char *string)
{
	buffer_add(b, string, strlen(string));
}

static inline void
buffer_add_char(struct buffer *b, char c)
{
	buffer_add(b, &c, 1);
}

static inline struct slice
buffer_slice(const struct buffer *b)
{
	return slice_of(b->ptr, b->len);
}

#endif
