/*
 * The generations, and how one follows another, in two phases. First everything new is
 * read, opened and started, and nobody of it serves; when all are ready it is
 * committed: the new generation serves and the old one is told to stop. Whatever fails
 * before that ends the new generation, and the old one goes on. Nothing here waits.
 */
#ifndef ARBITER_RELOAD_H
#define ARBITER_RELOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/arbiter/arbiter.h"
#include "gateway/arbiter/generation.h"

struct reload {
	const struct arbiter_job *job;
	struct family *family;
	struct listeners listeners;
	struct generation *current; /* serves, or has been told to stop */
	struct generation *coming; /* boots; NULL: no reload is going on */
	struct generations retired; /* their last children are leaving */
	unsigned last_number;
	char *pidfile; /* the one that was written */
	bool asked; /* a reload is to be begun */
	char failure[512]; /* why the coming one cannot be; "": nothing yet */

	/* Reloads that have begun, and that have ended, and of the last one of these
	 * what there is to say. */
	unsigned begun, ended;
	bool has_committed;
	struct buffer said;

	unsigned done, failed; /* how many of them */
	char last_failure[512]; /* "": the last one was done */
};

void reload_init(struct reload *r, struct family *f, const struct arbiter_job *job);

/* The arbiter before this one has gone: the pidfile gets its name. */
void reload_promote(struct reload *r);

/* All children must have gone. Closes the sockets and removes the pidfile. */
void reload_release(struct reload *r);

/* The first generation, which serves from its start. Takes the configuration over.
 * NULL, or why it cannot be; the text lives until the next call. */
const char *reload_first(struct reload *r, struct config *config);

/* Shall be done as soon as none is going on; asked any number of times it is done once.
 * Returns its number: r->ended will be that. */
unsigned reload_ask(struct reload *r);

/* The coming generation has failed; the first reason is the one that is told. */
void reload_fail(struct reload *r, const char *reason);

/* Whether the pool is one of the coming generation. */
bool reload_is_coming(const struct reload *r, const struct pool *pool);

/* The workers were told to stop, and none come. */
bool reload_is_paused(const struct reload *r);

/* Begins, commits or gives up what is to be; frees generations that have ended. */
void reload_step(struct reload *r);

/* All children of the current generation shall stop; a coming one is given up. */
void reload_stop(struct reload *r, enum stop how);

/* The pools of all generations: what is missing is started, what is too much stopped.
 */
void reload_keep(struct reload *r, uint64_t now);
uint64_t reload_deadline(const struct reload *r);

#endif
