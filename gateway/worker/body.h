/*
 * The body of a request: kept in memory while it is small, then in a file that has no
 * name. It is written by the loop and read by the application, never both at once.
 */
#ifndef WORKER_BODY_H
#define WORKER_BODY_H

#include <stdint.h>
#include <sys/types.h>

#include "protocols/buffer.h"

struct body {
	struct buffer memory; /* all of it, or what is next to be read from the file */
	int fd; /* of the spool file, -1: in memory */
	uint64_t length;
	uint64_t position; /* of the next byte that body_read gives */
	size_t window; /* how much of memory was read, with a file */
};

void body_init(struct body *b);
void body_release(struct body *b);

/* Adds to the end; goes over to a file in `folder` when more than `memory_max` bytes
 * would be in memory. -1 and errno (ENOSPC, ENOENT, …). */
int body_add(struct body *b, struct slice data, size_t memory_max, const char *folder);

/* Bytes that are in the file. */
static inline uint64_t
body_spooled(const struct body *b)
{
	return b->fd >= 0 ? b->length : 0;
}

/* Up to n bytes, 0 at the end; -1 and errno when the file cannot be read. */
ssize_t body_read(struct body *b, void *to, size_t n);

/* The same up to and with the next LF. */
ssize_t body_readline(struct body *b, void *to, size_t n);

#endif
