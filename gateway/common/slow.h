/*
 * The slowest requests that were seen: a few rows in shared memory. One process writes
 * a table; readers copy rows, and pass over one that is being written.
 */
#ifndef COMMON_SLOW_H
#define COMMON_SLOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SLOW_ROWS = 8, /* of a worker */
	SLOW_ROWS_ALL = 16, /* of an application */
	SLOW_LINE = 128,
	SLOW_ID = 64,
};

struct slow_request {
	uint64_t us; /* in the application */
	int64_t at; /* seconds of the wall clock, when it had ended */
	int32_t pid; /* of its worker */
	uint32_t status;
	char line[SLOW_LINE]; /* "GET /path", cut, NUL-terminated */
	char id[SLOW_ID]; /* of the request; "": it has none */
};

struct slow_row {
	_Atomic uint32_t version; /* odd: it is being written; 0: it is empty */
	struct slow_request request;
};

/* A worker's; an application's has SLOW_ROWS_ALL. */
struct slow_table {
	_Atomic uint64_t least; /* the fastest of its rows, once all are taken */
	struct slow_row rows[SLOW_ROWS];
};

/* Whether a request of that duration belongs into the table. */
static inline bool
slow_is_one(const struct slow_table *t, uint64_t us)
{
	return us > atomic_load_explicit(&t->least, memory_order_relaxed);
}

/* In place of the fastest one of n rows, if it is slower. */
void slow_put(struct slow_row *rows, size_t n, const struct slow_request *request);
void slow_note(struct slow_table *t, const struct slow_request *request);

/* False: the row is empty, or is being written. */
bool slow_read(const struct slow_row *row, struct slow_request *request);

void slow_clear(struct slow_table *t);

#endif
