/*
 * An arena is the memory of one request: taken piece by piece, given back at once.
 * Nothing from it is freed singly. Under AddressSanitizer every piece is an allocation
 * of its own, so that an overflow is seen; the meaning is the same.
 *
 * All zero is a valid empty arena.
 */
#ifndef PROTOCOLS_ARENA_H
#define PROTOCOLS_ARENA_H

#include <stddef.h>

#include "protocols/slice.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* the newest first; the first ever made is kept */
	char *next;
	size_t left;
};

/* n bytes, aligned for any type; NULL when memory is out. */
void *arena_alloc(struct arena *a, size_t n);

/* n bytes without alignment, for text. */
char *arena_bytes(struct arena *a, size_t n);

/* A NUL-terminated copy; NULL when memory is out. */
char *arena_strz(struct arena *a, struct slice s);

/* Gives everything back but the first chunk, which the next request uses. */
void arena_reset(struct arena *a);

void arena_release(struct arena *a);

#endif
