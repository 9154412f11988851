/* What each signal does, as alicorn(8) tells it. */
#include "gateway/arbiter/inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gateway/arbiter/limits.h"
#include "gateway/arbiter/logger.h"
#include "gateway/arbiter/notify.h"
#include "gateway/arbiter/signals.h"
#include "gateway/arbiter/upgrade.h"
#include "gateway/common/clock.h"
#include "gateway/logger/log.h"

struct pool *
arbiter_pool(const struct generation *g, const char *name)
{
	struct pool *pool = NULL;

	/* The last one is the one whose size is the configured one. */
	for (size_t i = 0; i < g->n_pools; i++) {
		if (strcmp(g->pools[i].app->name, name) == 0)
			pool = &g->pools[i];
	}
	return pool;
}

const char *
arbiter_scale(struct arbiter *a, struct pool *pool, int by)
{
	static char reason[256];
	const char *name = pool->app->name;
	unsigned before = pool->target;
	struct pool *coming =
		a->reload.coming != NULL ? arbiter_pool(a->reload.coming, name) : NULL;

	if (!pool_scale(pool, by)) {
		snprintf(reason, sizeof(reason),
			"%s: the number of processes stays %u: it can be %u to %u",
			name, before, pool->min != 0 ? pool->min : 1,
			pool->max != 0 ? pool->max : UINT16_MAX);
		return reason;
	}
	if (by > 0)
		limits_raise_by((unsigned)by);
	log_info("%s: the number of processes is now %u", name, pool->target);
	if (pool->target != before)
		hooks_scaled(&a->family.hooks, pool, before);
	if (coming != NULL)
		pool_scale(coming, by);
	return NULL;
}

static void
scale(struct arbiter *a, int by)
{
	const char *reason =
		arbiter_scale(a, generation_primary(a->reload.current), by);

	if (reason != NULL)
		log_warning("%s", reason);
}

static void
add_process(struct arbiter *a)
{
	scale(a, +1);
}

static void
remove_process(struct arbiter *a)
{
	scale(a, -1);
}

static void
reload_configuration(struct arbiter *a)
{
	if (a->stop == STOP_NO)
		reload_ask(&a->reload);
}

void
arbiter_reopen_logs(struct arbiter *a)
{
	(void)a;
	sinks_reopen();
	/* It is told of the files before the line comes. */
	logger_step(clock_ms());
	log_info("log reopened");
}

const char *
arbiter_upgrade(struct arbiter *a)
{
	const struct generation *g = a->reload.current;
	const struct al_facts facts = facts_of_generation(g);
	const char *reason = a->stop != STOP_NO
		? "the server stops"
		: upgrade_begin(&a->reload.listeners, &g->config->server, &facts);

	if (reason == NULL)
		log_info("arbiter %d starts beside this one", (int)upgrade_pid());
	return reason;
}

static void
upgrade(struct arbiter *a)
{
	const char *reason = arbiter_upgrade(a);

	if (reason != NULL)
		log_warning("USR2: %s", reason);
}

static void
stop_workers(struct arbiter *a)
{
	log_info("the workers stop, the arbiter stays");
	notify_paused();
	reload_stop(&a->reload, STOP_GRACEFUL);
}

void
arbiter_stop(struct arbiter *a, enum stop how, const char *words)
{
	log_info("%s", words);
	if (upgrade_pid() != 0)
		notify_succession(upgrade_pid());
	else
		notify_stopping();
	a->stop = how;
	a->stop_at = 0;
	reload_stop(&a->reload, how);
}

void
arbiter_stop_if_due(struct arbiter *a, uint64_t now)
{
	if (a->stop_at != 0 && now >= a->stop_at)
		arbiter_stop(a, STOP_GRACEFUL, "stop: requests are finished first");
}

bool
arbiter_has_begun_to_stop(const struct arbiter *a)
{
	return a->stop != STOP_NO && a->stop_at == 0;
}

/* Load balancers are told first, and have time to go elsewhere. With an arbiter that
 * takes over there is no need to. */
static void
begin_to_stop(struct arbiter *a)
{
	int64_t delay = a->reload.current->config->server.stop_delay;

	a->stop = STOP_GRACEFUL;
	a->stop_at = clock_ms();
	if (delay == 0 || upgrade_pid() != 0)
		return;
	a->stop_at += (uint64_t)delay * 1000;
	notify_stopping();
	log_info("stop in %" PRId64 " s: the server is not ready any more", delay);
}

static void
force_stop(struct arbiter *a)
{
	arbiter_stop(a, STOP_FORCED, "told to stop again: all are killed");
}

void
arbiter_stop_gracefully(struct arbiter *a)
{
	if (a->stop != STOP_NO)
		force_stop(a);
	else
		begin_to_stop(a);
}

void
arbiter_stop_quickly(struct arbiter *a)
{
	if (a->stop != STOP_NO)
		force_stop(a);
	else
		arbiter_stop(a, STOP_QUICK, "quick stop");
}

static void
wake_up(struct arbiter *a)
{
	(void)a; /* the dead are looked for in every round */
}

static const struct action {
	int number;
	void (*run)(struct arbiter *a);
	const char *name;
	const char *help;
} actions[] = {
	{ SIGTTIN, add_process, "TTIN", "one process more in the primary pool" },
	{ SIGTTOU, remove_process, "TTOU", "one less, the oldest; never below one" },
	{ SIGHUP, reload_configuration, "HUP",
		"reload, if everything new can be started" },
	{ SIGUSR1, arbiter_reopen_logs, "USR1", "reopen the logs" },
	{ SIGUSR2, upgrade, "USR2", "start the program anew, beside this one" },
	{ SIGWINCH, stop_workers, "WINCH", "stop the workers, until the next HUP" },
	{ SIGTERM, arbiter_stop_gracefully, "TERM",
		"graceful stop; a second signal forces it" },
	{ SIGQUIT, arbiter_stop_quickly, "QUIT", "quick stop" },
	{ SIGINT, arbiter_stop_quickly, "INT", "quick stop" },
	{ SIGCHLD, wake_up, "CHLD", "a child has died" },
};

enum { ACTIONS = sizeof(actions) / sizeof(actions[0]) };

void
actions_obey(struct arbiter *a)
{
	int number;

	while ((number = signals_next()) != 0) {
		for (size_t i = 0; i < ACTIONS; i++) {
			if (actions[i].number != number)
				continue;
			log_debug("%s: %s", actions[i].name, actions[i].help);
			actions[i].run(a);
		}
	}
}

int
actions_init(void)
{
	for (size_t i = 0; i < ACTIONS; i++) {
		if (signals_handle(actions[i].number) == -1)
			return -1;
	}
	return 0;
}
