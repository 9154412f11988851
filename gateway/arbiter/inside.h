/*
 * Inside of the arbiter: what its loop (arbiter.c), the signals' actions (actions.c)
 * and what children tell (news.c) share.
 */
#ifndef ARBITER_INSIDE_H
#define ARBITER_INSIDE_H

#include <stdbool.h>

#include "gateway/arbiter/arbiter.h"
#include "gateway/arbiter/files.h"
#include "gateway/arbiter/reload.h"

struct arbiter {
	const struct arbiter_job *job;
	struct family family;
	struct reload reload;
	struct files files;
	enum stop stop; /* STOP_NO: it runs */
	bool is_up; /* every pool had a child that was ready */
	enum exit_status status;
};

/* Stops everything, with these words for the log. */
void arbiter_stop(struct arbiter *a, enum stop how, const char *words);

/* Begins to handle the signals that have an action; -1 and errno. */
int actions_init(void);

/* Does what the signals say that have come. */
void actions_obey(struct arbiter *a);

/* Takes the messages that a child has sent. */
void news_hear(struct arbiter *a, struct child *child);

/* Takes note of all who have died, and of what it means. */
void news_of_deaths(struct arbiter *a);

#endif
