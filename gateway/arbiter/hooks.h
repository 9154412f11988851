/*
 * The hooks of the server while it runs: their commands are children that nobody waits
 * for, but for that of on_reload with "!": the reload does not commit before it has
 * succeeded.
 */
#ifndef ARBITER_HOOKS_H
#define ARBITER_HOOKS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "gateway/alicorn-hooks.h"
#include "gateway/config/settings.h"

struct child;
struct generation;
struct pool;

struct hook_run;
LIST_HEAD(hook_runs, hook_run);

struct hooks {
	struct hook_runs runs; /* commands that have not ended yet */
	unsigned n;
	bool has_failed; /* one that was awaited */
};

void hooks_init(struct hooks *h);

/* Forgets those that run; they go on. */
void hooks_release(struct hooks *h);

/* What is to be told, to begin with. */
struct al_facts facts_of_generation(const struct generation *g);
struct al_facts facts_of_pool(const struct pool *pool);
struct al_facts facts_of_child(const struct child *child);

/* Runs a hook if it is set. */
void hooks_run(struct hooks *h, const struct server_settings *server,
	enum server_setting which, const struct al_facts *facts);

/* Runs nworkers_changed. */
void hooks_scaled(struct hooks *h, const struct pool *pool, unsigned before);

/* A process has ended; false: it was none of a hook. */
bool hooks_bury(struct hooks *h, pid_t pid, int status);
bool hooks_have(const struct hooks *h, pid_t pid);

/* Awaited are those that begin after hooks_begin() and must succeed: one still runs;
 * one has failed. */
void hooks_begin(struct hooks *h);
bool hooks_are_awaited(const struct hooks *h);
bool hooks_have_failed(const struct hooks *h);

/* Ends those that are awaited for too long. */
void hooks_enforce(struct hooks *h, uint64_t now);
uint64_t hooks_deadline(const struct hooks *h);

#endif
