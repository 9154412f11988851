/*
 * A generation: a configuration, and what runs by it: pools, listeners, the sockets of
 * managed programs. A reload makes a new one; the old one is freed when its last child
 * has gone.
 */
#ifndef ARBITER_GENERATION_H
#define ARBITER_GENERATION_H

#include <sys/queue.h>

#include "gateway/arbiter/listener.h"
#include "gateway/arbiter/pool.h"
#include "gateway/arbiter/program.h"
#include "gateway/config/config.h"

struct generation {
	unsigned number; /* 1, 2, … */
	struct config *config;
	struct sink_table *sinks; /* NULL before generation_open_logs() */
	struct pool *pools;
	size_t n_pools;
	const struct listener *
		*listeners; /* of all applications, one after the other */
	size_t n_listeners;
	struct neighbours neighbours;
	struct program_socket *sockets;
	size_t n_sockets;
	TAILQ_ENTRY(generation) next;
};

TAILQ_HEAD(generations, generation);

/* Takes the configuration over. NULL when memory is out: then it did not. */
struct generation *generation_new(struct config *config, unsigned number);

/* Closes what it opened, which others may go on using, and frees the configuration. */
void generation_free(struct generation *g, struct listeners *all);

/* The processes that were added or taken away are kept, as pool_inherit() says. */
void generation_inherit(struct generation *g, const struct generation *older);

/* Runs nworkers_changed for each application; NULL: there is no older one. */
void generation_tell_sizes(const struct generation *g, const struct generation *older,
	struct hooks *hooks);

/* Opens where lines go. As generation_open(). */
const char *generation_open_logs(struct generation *g);

/* Opens the sockets. NULL, or why one cannot be opened; the text lives until the next
 * call. Nobody serves before the commit. */
const char *generation_open(
	struct generation *g, struct listeners *all, unsigned attempts);

/* The pool that TTIN and TTOU mean. */
struct pool *generation_primary(const struct generation *g);

/* Whether the pool is one of its own. */
bool generation_has(const struct generation *g, const struct pool *pool);

/* All wanted children are ready. */
bool generation_is_ready(const struct generation *g);

/* Each of its pools had a child that was ready. */
bool generation_was_ready(const struct generation *g);

/* A child could not be started. */
bool generation_has_failed(const struct generation *g);

/* From now on it serves. */
void generation_commit(struct generation *g, struct family *f);

/* Its children shall stop, at least so strongly; all at once. */
void generation_stop(struct generation *g, enum stop how);

/* Another generation serves in its place: its children shall stop, a few at a time. */
void generation_retire(struct generation *g);

void generation_keep(struct generation *g, struct family *f, uint64_t now);
uint64_t generation_deadline(const struct generation *g);

/* Children that have not died yet. */
unsigned generation_present(const struct generation *g);

#endif
