#include "gateway/arbiter/generation.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway/arbiter/logger.h"
#include "gateway/arbiter/privileges.h"
#include "gateway/arbiter/queues.h"
#include "gateway/arbiter/socket_file.h"
#include "gateway/logger/log.h"

static void
init_pool(struct pool *pool, struct generation *g, const struct app_settings *app,
	const struct child_kind *kind, unsigned processes)
{
	*pool = (struct pool){
		.app = app,
		.kind = kind,
		.socket = -1,
		.configured = processes,
		.level = processes,
		.target = processes,
		.hold = true,
	};
	pool->heritage.server = &g->config->server;
	pool->heritage.app = app;
	pool->heritage.target = app->what.spec;
	pool->heritage.generation = g->number;
	pool->heritage.neighbours = &g->neighbours;
}

/* One pool of workers, after that of their prototype, if they have one; or, for a
 * managed program, one of its processes after one with a single worker that talks to
 * them: that worker is event-driven. */
static void
add_pools(struct generation *g, const struct app_settings *app)
{
	struct pool *first = &g->pools[g->n_pools++];
	struct pool *second = first + 1;
	unsigned processes = (unsigned)app->workers;
	bool preloads = app->preload_app || app->what.preloaded;

	if (app->what.command == NULL && !preloads) {
		init_pool(first, g, app, &kind_worker, processes);
		return;
	}
	g->n_pools++;
	if (app->what.command == NULL) {
		init_pool(first, g, app, &kind_prototype, 1);
		init_pool(second, g, app, &kind_worker, processes);
		first->front = second;
		second->prototypes = first;
	} else {
		init_pool(first, g, app, &kind_worker, 1);
		init_pool(second, g, app, &kind_program, processes);
		second->front = first;
	}
}

/* Of the last pool of an application, the one that is sized. */
static void
set_bounds(struct pool *pool)
{
	pool->min = (unsigned)pool->app->workers_min;
	pool->max = (unsigned)pool->app->workers_max;
}

struct generation *
generation_new(struct config *config, unsigned number)
{
	struct generation *g = calloc(1, sizeof(*g));
	size_t n_addresses = 0;

	if (g == NULL)
		return NULL;
	for (size_t i = 0; i < config->n_apps; i++)
		n_addresses += config->apps[i].bind.n;
	g->pools = calloc(2 * config->n_apps, sizeof(*g->pools));
	g->neighbours.all = calloc(config->n_apps, sizeof(*g->neighbours.all));
	g->sockets = calloc(config->n_apps, sizeof(*g->sockets));
	g->listeners = calloc(n_addresses + 1, sizeof(struct listener *));
	if (g->pools == NULL || g->sockets == NULL || g->listeners == NULL ||
		g->neighbours.all == NULL) {
		generation_free(g, NULL);
		return NULL;
	}
	g->number = number;
	g->config = config;
	g->neighbours.sites = config->sites;
	g->neighbours.n_sites = config->n_sites;
	for (size_t i = 0; i < config->n_apps; i++) {
		add_pools(g, &config->apps[i]);
		set_bounds(&g->pools[g->n_pools - 1]);
	}
	return g;
}

void
generation_free(struct generation *g, struct listeners *all)
{
	for (size_t i = 0; i < g->n_listeners; i++)
		listener_close(all, g->listeners[i]);
	for (size_t i = 0; i < g->n_sockets; i++)
		program_socket_close(&g->sockets[i]);
	for (size_t i = 0; i < g->n_pools; i++)
		queues_close(g->pools[i].heritage.queue);
	sinks_close(g->sinks);
	free(g->listeners);
	free(g->neighbours.all);
	free(g->sockets);
	free(g->pools);
	if (g->config != NULL)
		config_free(g->config);
	free(g);
}

const char *
generation_open_logs(struct generation *g)
{
	const char *reason;

	g->sinks = sinks_open(&g->config->server, &reason);
	for (size_t i = 0; i < g->n_pools && g->sinks != NULL; i++) {
		struct pool *pool = &g->pools[i];
		pool->sinks = g->sinks;
		pool->heritage.log.sinks = g->sinks->ids;
		pool->heritage.log.bell = logger_bell();
	}
	return reason;
}

static const struct pool *
find_same(const struct generation *g, const struct pool *like)
{
	for (size_t i = 0; i < g->n_pools; i++) {
		const struct pool *pool = &g->pools[i];
		if (pool->kind == like->kind &&
			strcmp(pool->app->name, like->app->name) == 0)
			return pool;
	}
	return NULL;
}

void
generation_inherit(struct generation *g, const struct generation *older)
{
	for (size_t i = 0; i < g->n_pools; i++) {
		const struct pool *old = find_same(older, &g->pools[i]);
		if (old != NULL)
			pool_inherit(&g->pools[i], old);
	}
}

/* Whether it is the one of its application whose size is configured: see add_pools. */
static bool
is_sized(const struct generation *g, const struct pool *pool)
{
	const struct pool *next = pool + 1;

	return next == g->pools + g->n_pools || next->app != pool->app;
}

void
generation_tell_sizes(
	const struct generation *g, const struct generation *older, struct hooks *hooks)
{
	for (size_t i = 0; i < g->n_pools; i++) {
		const struct pool *pool = &g->pools[i];
		const struct pool *old = older != NULL ? find_same(older, pool) : NULL;
		if (is_sized(g, pool))
			hooks_scaled(hooks, pool, old != NULL ? old->target : 0);
	}
}

/* ---- Sockets ---- */

static const char *
open_listeners(struct generation *g, struct pool *pool, struct listeners *all,
	unsigned attempts)
{
	const char *reason = NULL;

	pool->heritage.listeners = &g->listeners[g->n_listeners];
	for (size_t i = 0; i < pool->app->bind.n; i++) {
		const struct listener *l = listener_open(all, &pool->app->addresses[i],
			pool->app->reuse_port, g->number, attempts, &reason);
		if (l == NULL)
			return reason;
		g->listeners[g->n_listeners++] = l;
		pool->heritage.n_listeners++;
		if (listener_owns_file(l) && listener_is_new(l))
			reason = socket_file_set(l->address.host, pool->app);
		if (reason != NULL)
			return reason;
	}
	return NULL;
}

static const char *
open_program(struct generation *g, struct pool *programs)
{
	struct program_socket *s = &g->sockets[g->n_sockets];
	const char *reason = program_socket_open(s, &programs->app->identity);

	if (reason != NULL)
		return reason;
	g->n_sockets++;
	programs->front->heritage.target = s->target;
	programs->socket = s->fd;
	return NULL;
}

/* What the pool has open, or gets from the one before it: see add_pools. */
static const char *
open_pool(struct generation *g, struct pool *pool, struct listeners *all,
	unsigned attempts)
{
	if (pool->kind == &kind_program)
		return open_program(g, pool);
	pool->heritage.queue = queues_open(pool->app->name);
	if (pool->heritage.queue == NULL)
		return strerror(errno);
	if (pool->prototypes == NULL)
		return open_listeners(g, pool, all, attempts);
	pool->heritage.listeners = pool->prototypes->heritage.listeners;
	pool->heritage.n_listeners = pool->prototypes->heritage.n_listeners;
	return NULL;
}

/* What is open of an application, its workers' pool has. */
static void
introduce(struct generation *g)
{
	for (size_t i = 0; i < g->n_pools; i++) {
		const struct heritage *h = &g->pools[i].heritage;
		if (g->pools[i].kind == &kind_worker)
			g->neighbours.all[g->neighbours.n++] = (struct neighbour){
				.app = h->app,
				.queue = h->queue,
				.listeners = h->listeners,
				.n_listeners = h->n_listeners,
			};
	}
}

const char *
generation_open(struct generation *g, struct listeners *all, unsigned attempts)
{
	const char *reason = NULL;

	for (size_t i = 0; i < g->n_pools && reason == NULL; i++) {
		struct pool *pool = &g->pools[i];
		reason = privileges_check(pool->app);
		if (reason != NULL)
			continue;
		reason = open_pool(g, pool, all, attempts);
	}
	if (reason == NULL)
		introduce(g);
	return reason;
}

/* ---- What is asked of it ---- */

struct pool *
generation_primary(const struct generation *g)
{
	const struct app_settings *primary = &g->config->apps[0];
	struct pool *pool = NULL;

	for (size_t i = g->config->n_apps; i-- > 0;) {
		if (g->config->apps[i].primary)
			primary = &g->config->apps[i];
	}
	/* The last one is the one whose size is the configured one: see add_pools. */
	for (size_t i = 0; i < g->n_pools; i++) {
		if (g->pools[i].app == primary)
			pool = &g->pools[i];
	}
	return pool;
}

bool
generation_has(const struct generation *g, const struct pool *pool)
{
	return pool >= g->pools && pool < g->pools + g->n_pools;
}

bool
generation_is_ready(const struct generation *g)
{
	for (size_t i = 0; i < g->n_pools; i++) {
		if (!pool_is_ready(&g->pools[i]))
			return false;
	}
	return true;
}

bool
generation_was_ready(const struct generation *g)
{
	for (size_t i = 0; i < g->n_pools; i++) {
		if (!g->pools[i].was_ready)
			return false;
	}
	return true;
}

bool
generation_has_failed(const struct generation *g)
{
	for (size_t i = 0; i < g->n_pools; i++) {
		if (g->pools[i].failed_at != 0)
			return true;
	}
	return false;
}

unsigned
generation_present(const struct generation *g)
{
	unsigned n = 0;

	for (size_t i = 0; i < g->n_pools; i++)
		n += pool_present(&g->pools[i]);
	return n;
}

uint64_t
generation_deadline(const struct generation *g)
{
	uint64_t deadline = UINT64_MAX;

	for (size_t i = 0; i < g->n_pools; i++) {
		uint64_t next = pool_deadline(&g->pools[i]);
		if (next < deadline)
			deadline = next;
	}
	return deadline;
}

/* ---- What is done with it ---- */

static void
update_file(const struct listener *l, const struct app_settings *app)
{
	const char *reason =
		listener_owns_file(l) ? socket_file_set(l->address.host, app) : NULL;

	if (reason != NULL)
		log_error("%s", reason);
}

/* A socket that was kept may have another backlog, owner and mode from now on. */
static void
announce_listeners(const struct pool *pool)
{
	if (pool->prototypes != NULL) /* which has the same */
		return;
	for (size_t i = 0; i < pool->heritage.n_listeners; i++) {
		const struct listener *l = pool->heritage.listeners[i];
		listen(l->fd, (int)pool->app->backlog);
		if (listener_is_new(l))
			log_info("listening on %s for %s", listener_text(l),
				pool->app->name);
		else
			update_file(l, pool->app);
	}
}

void
generation_commit(struct generation *g, struct family *f)
{
	struct child *child;

	for (size_t i = 0; i < g->n_pools; i++) {
		g->pools[i].hold = false;
		announce_listeners(&g->pools[i]);
	}
	TAILQ_FOREACH (child, &f->children, next) {
		if (child->state == CHILD_READY && generation_has(g, child->pool))
			child_serve(child);
	}
}

void
generation_stop(struct generation *g, enum stop how)
{
	for (size_t i = 0; i < g->n_pools; i++) {
		struct pool *pool = &g->pools[i];
		if (pool->stop < how)
			pool->stop = how;
		pool->batch = UINT_MAX;
	}
}

void
generation_retire(struct generation *g)
{
	generation_stop(g, STOP_GRACEFUL);
	for (size_t i = 0; i < g->n_pools; i++) {
		struct pool *pool = &g->pools[i];
		unsigned wanted = (unsigned)pool->app->reload_batch;
		pool->farewell = FAREWELL_RELOAD;
		if (pool->front == NULL)
			pool->batch = wanted != 0 ? wanted : (pool->target + 3) / 4;
	}
}

static bool
is_front(const struct pool *pool)
{
	return pool->app->site != NULL && !pool->app->site->direct;
}

static bool
has_fronts(const struct generation *g)
{
	for (size_t i = 0; i < g->n_pools; i++)
		if (is_front(&g->pools[i]) && pool_present(&g->pools[i]) > 0)
			return true;
	return false;
}

void
generation_keep(struct generation *g, struct family *f, uint64_t now)
{
	bool fronts = has_fronts(g);

	for (size_t i = 0; i < g->n_pools; i++) {
		struct pool *pool = &g->pools[i];
		pool->waits = fronts && !is_front(pool) && pool->app->routed;
		pool_keep(pool, f, now);
	}
}
