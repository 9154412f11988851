/*
 * Inside of the arbiter: what its loop (arbiter.c), the signals' actions (actions.c)
 * and what children tell (news.c) share.
 */
#ifndef ARBITER_INSIDE_H
#define ARBITER_INSIDE_H

#include <stdbool.h>

#include "gateway/arbiter/arbiter.h"
#include "gateway/arbiter/control.h"
#include "gateway/arbiter/files.h"
#include "gateway/arbiter/reload.h"

struct arbiter {
	const struct arbiter_job *job;
	struct family family;
	struct reload reload;
	struct files files;
	struct control control;
	enum stop stop; /* STOP_NO: it runs */
	uint64_t
		stop_at; /* when it begins, after stop_delay; 0: it did, or shall not */
	bool is_up; /* every pool had a child that was ready */
	enum exit_status status;
};

/* Stops everything, with these words for the log. */
void arbiter_stop(struct arbiter *a, enum stop how, const char *words);

/* When stop_delay is over. */
void arbiter_stop_if_due(struct arbiter *a, uint64_t now);

/* The stop has begun: in stop_delay all goes on as before. */
bool arbiter_has_begun_to_stop(const struct arbiter *a);

/* What some signals do, for who asks in another way. The first two return NULL, or why
 * it cannot be. */
const char *arbiter_upgrade(struct arbiter *a);
const char *arbiter_scale(struct arbiter *a, struct pool *pool, int by);
void arbiter_stop_gracefully(struct arbiter *a);
void arbiter_stop_quickly(struct arbiter *a);
void arbiter_reopen_logs(struct arbiter *a);

/* The pool of an application whose size is the configured one; NULL: there is no such
 * application. */
struct pool *arbiter_pool(const struct generation *g, const char *name);

/* Begins to handle the signals that have an action; -1 and errno. */
int actions_init(void);

/* Does what the signals say that have come. */
void actions_obey(struct arbiter *a);

/* Takes the messages that a child has sent. */
void news_hear(struct arbiter *a, struct child *child);

/* Takes note of all who have died, and of what it means. */
void news_of_deaths(struct arbiter *a);

#endif
