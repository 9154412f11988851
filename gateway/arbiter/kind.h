/* The kinds of children, and what is different between them. */
#ifndef ARBITER_KIND_H
#define ARBITER_KIND_H

#include <stdbool.h>

#include "gateway/common/heritage.h"

struct family;
struct pool;

struct child_kind {
	const char *name; /* in titles and in the log */
	bool has_slot;
	bool leads_group; /* signals are for its whole process group */
	/* What it has at the moment is lost when it is told to stop. */
	bool drops_requests;
	int quick_signal; /* tells it to stop without finishing its work */
	/* 0: it says itself when it is ready. Else it is ready when it has lived so
	 * long after its channel was closed, which exec() does. */
	unsigned settle_ms;
	/* In the child; returns the exit status. */
	int (*run)(const struct family *f, const struct pool *pool,
		const struct heritage *heritage);
};

extern const struct child_kind kind_worker;
extern const struct child_kind kind_prototype;
extern const struct child_kind kind_program;

#endif
