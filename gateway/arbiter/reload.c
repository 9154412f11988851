#include "gateway/arbiter/reload.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/arbiter/hook.h"
#include "gateway/arbiter/limits.h"
#include "gateway/arbiter/logger.h"
#include "gateway/arbiter/notify.h"
#include "gateway/arbiter/pidfile.h"
#include "gateway/arbiter/upgrade.h"
#include "gateway/common/title.h"
#include "gateway/logger/log.h"

/* Attempts to bind an address that is in use: at start the server before us may just be
 * leaving; at a reload there is one that serves. */
enum { ATTEMPTS_FIRST = 5, ATTEMPTS_RELOAD = 1 };

void
reload_init(struct reload *r, struct family *f, const struct arbiter_job *job)
{
	*r = (struct reload){ .family = f, .job = job };
	TAILQ_INIT(&r->listeners);
	TAILQ_INIT(&r->retired);
}

/* The hooks that are about the whole server. */
static void
run_hook(struct reload *r, enum server_setting which, const struct generation *g)
{
	struct al_facts facts = facts_of_generation(g);

	hooks_run(&r->family->hooks, &g->config->server, which, &facts);
}

/* False: it must succeed, and does not. */
static bool
complete_hook(enum server_setting which, const struct generation *g, int limit_ms)
{
	struct al_facts facts = facts_of_generation(g);

	return hook_complete(&g->config->server, which, &facts, limit_ms);
}

static void
remove_pidfile(struct reload *r)
{
	if (r->pidfile != NULL)
		pidfile_remove(r->pidfile);
	free(r->pidfile);
	r->pidfile = NULL;
}

void
reload_release(struct reload *r)
{
	struct generation *g;

	while ((g = TAILQ_FIRST(&r->retired)) != NULL) {
		TAILQ_REMOVE(&r->retired, g, next);
		generation_free(g, &r->listeners);
	}
	remove_pidfile(r);
	if (r->current != NULL) {
		complete_hook(SERVER_on_exit, r->current, HOOK_EXIT_LIMIT_MS);
		logger_close();
		generation_free(r->current, &r->listeners);
	}
	r->current = NULL;
	buffer_release(&r->said);
}

/* ---- What is of the whole server ---- */

static const char *
use_log(const struct generation *g)
{
	return logger_use(&g->config->server, g->sinks) == 0 ? NULL : strerror(errno);
}

static void
use_title(const struct server_settings *server)
{
	title_name(server->proc_name);
	title_set(upgrade_is_second() ? "arbiter 2" : "arbiter");
}

/* Beside the arbiter before us, whose file it is, ours is another one. NULL: there is
 * none, or no memory. */
static char *
name_pidfile(const struct server_settings *server)
{
	char *name = NULL;

	if (server->pidfile != NULL &&
		asprintf(&name, "%s%s", server->pidfile,
			upgrade_is_second() ? ".2" : "") == -1)
		return NULL;
	return name;
}

/* Writes the pidfile of the configuration, if it is another one than before, whose file
 * is then removed. */
static const char *
use_pidfile(struct reload *r, const struct server_settings *server)
{
	char *path = name_pidfile(server);
	const char *reason = NULL;

	if (path != NULL && r->pidfile != NULL && strcmp(path, r->pidfile) == 0) {
		free(path);
		return NULL;
	}
	if (path != NULL)
		reason = pidfile_write(path);
	if (reason != NULL) {
		free(path);
		return reason;
	}
	remove_pidfile(r);
	r->pidfile = path;
	return NULL;
}

void
reload_promote(struct reload *r)
{
	const struct server_settings *server = &r->current->config->server;
	char *path = name_pidfile(server);

	use_title(server);
	if (path == NULL || r->pidfile == NULL) {
		free(path);
		return;
	}
	if (rename(r->pidfile, path) == -1)
		log_error("rename %s to %s: %s", r->pidfile, path, strerror(errno));
	free(r->pidfile);
	r->pidfile = path;
}

/* ---- The first phase ---- */

/* What comes before all else at the first start. NULL, or why it cannot be. */
static const char *
start(struct reload *r, const struct generation *g)
{
	const char *reason = use_pidfile(r, &g->config->server);

	if (reason != NULL)
		return reason;
	generation_tell_sizes(g, NULL, &r->family->hooks);
	return complete_hook(SERVER_on_starting, g, HOOK_LIMIT_MS)
		? NULL
		: "the hook on_starting failed";
}

/* A generation whose sockets are open. Takes the configuration over. NULL and why not.
 */
static struct generation *
prepare(struct reload *r, struct config *config, unsigned attempts, const char **reason)
{
	struct generation *g = generation_new(config, ++r->last_number);

	if (g == NULL) {
		*reason = strerror(ENOMEM);
		config_free(config);
		return NULL;
	}
	if (r->current != NULL)
		generation_inherit(g, r->current);
	*reason = limits_raise(config);
	/* The new children shall have the new log from their start. */
	if (*reason == NULL)
		*reason = generation_open_logs(g);
	if (*reason == NULL)
		*reason = use_log(g);
	if (*reason == NULL && r->current != NULL)
		sinks_reopen();
	if (*reason == NULL && r->current == NULL)
		*reason = start(r, g);
	if (*reason == NULL)
		*reason = generation_open(g, &r->listeners, attempts);
	if (*reason == NULL)
		return g;
	/* What was the first to use it was also the only one. */
	if (r->current == NULL)
		logger_close();
	generation_free(g, &r->listeners);
	return NULL;
}

const char *
reload_first(struct reload *r, struct config *config)
{
	const char *reason;

	r->current = prepare(r, config, ATTEMPTS_FIRST, &reason);
	if (r->current == NULL)
		return reason;
	use_title(&r->current->config->server);
	generation_commit(r->current, r->family);
	run_hook(r, SERVER_when_ready, r->current);
	return NULL;
}

/* For those who have asked for it. */
static void __attribute__((format(printf, 2, 3)))
end(struct reload *r, const char *format, ...)
{
	char text[768];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	buffer_addf(&r->said, "%s\n", text);
	r->ended = r->begun;
}

/* The old generation goes on, with its log. */
static void
log_failure(struct reload *r, const char *reason)
{
	r->has_committed = false;
	r->failed++;
	snprintf(r->last_failure, sizeof(r->last_failure), "%s", reason);
	end(r, "%s; generation %u goes on", reason, r->current->number);
	use_log(r->current);
	notify_reloaded(generation_present(r->current));
	log_error(
		"reload failed: %s; generation %u goes on", reason, r->current->number);
}

static void
tell_reload(struct reload *r)
{
	hooks_begin(&r->family->hooks);
	generation_tell_sizes(r->coming, r->current, &r->family->hooks);
	run_hook(r, SERVER_on_reload, r->coming);
}

/* What is wrong with the configuration, of all that is. */
static void
note_first(struct reload *r, struct slice errors)
{
	const char *end = errors.len > 0 ? memchr(errors.ptr, '\n', errors.len) : NULL;

	if (end != NULL)
		errors.len = (size_t)(end - errors.ptr);
	if (errors.len > 0)
		snprintf(r->last_failure, sizeof(r->last_failure), "%" SLICE_FMT,
			SLICE_ARG(errors));
}

static void
begin(struct reload *r)
{
	struct buffer errors = { .limit = 65536 };
	const char *reason = "the configuration is not valid";

	r->asked = false;
	r->failure[0] = '\0';
	r->begun++;
	buffer_reset(&r->said);
	notify_reloading();
	struct config *config =
		r->job->reload(r->job->arg, r->current->config, &errors);
	if (config != NULL)
		r->coming = prepare(r, config, ATTEMPTS_RELOAD, &reason);
	log_lines(LOG_LEVEL_ERROR, buffer_slice(&errors));
	buffer_add_slice(&r->said, buffer_slice(&errors));
	if (r->coming == NULL)
		log_failure(r, reason);
	else
		tell_reload(r);
	if (config == NULL)
		note_first(r, buffer_slice(&errors));
	buffer_release(&errors);
}

/* ---- The second phase ---- */

static void
commit(struct reload *r)
{
	struct generation *old = r->current, *new = r->coming;

	r->current = new;
	r->coming = NULL;
	use_title(&new->config->server);
	const char *reason = use_pidfile(r, &new->config->server);
	if (reason != NULL)
		log_error("%s", reason);
	generation_commit(new, r->family);
	log_info("reload done: generation %u serves with %u processes, generation %u "
		 "stops",
		new->number, generation_present(new), old->number);
	notify_reloaded(generation_present(new));
	r->has_committed = true;
	r->done++;
	r->last_failure[0] = '\0';
	end(r, "generation %u serves with %u processes", new->number,
		generation_present(new));
	generation_retire(old);
	TAILQ_INSERT_TAIL(&r->retired, old, next);
}

static void
give_up(struct reload *r, const char *reason)
{
	struct generation *failed = r->coming;

	r->coming = NULL;
	log_failure(r, reason);
	generation_stop(failed, STOP_FORCED);
	TAILQ_INSERT_TAIL(&r->retired, failed, next);
}

/* ---- From outside ---- */

unsigned
reload_ask(struct reload *r)
{
	r->asked = true;
	return r->begun + 1;
}

void
reload_fail(struct reload *r, const char *reason)
{
	if (r->failure[0] == '\0')
		snprintf(r->failure, sizeof(r->failure), "%s", reason);
}

bool
reload_is_coming(const struct reload *r, const struct pool *pool)
{
	return r->coming != NULL && generation_has(r->coming, pool);
}

bool
reload_is_paused(const struct reload *r)
{
	return r->coming == NULL && generation_primary(r->current)->stop != STOP_NO;
}

static void
free_ended(struct reload *r)
{
	struct generation *g = TAILQ_FIRST(&r->retired);

	while (g != NULL) {
		struct generation *next = TAILQ_NEXT(g, next);
		if (generation_present(g) == 0) {
			TAILQ_REMOVE(&r->retired, g, next);
			generation_free(g, &r->listeners);
		}
		g = next;
	}
}

void
reload_step(struct reload *r)
{
	if (r->coming == NULL) {
		if (r->asked)
			begin(r);
	} else if (r->failure[0] != '\0') {
		give_up(r, r->failure);
	} else if (hooks_have_failed(&r->family->hooks)) {
		give_up(r, "the hook on_reload failed");
	} else if (generation_has_failed(r->coming)) {
		give_up(r, "a process could not be started");
	} else if (generation_is_ready(r->coming) &&
		!hooks_are_awaited(&r->family->hooks)) {
		commit(r);
	}
	free_ended(r);
}

void
reload_stop(struct reload *r, enum stop how)
{
	static const char reason[] = "the workers were told to stop";
	struct generation *g;

	if (r->coming != NULL)
		give_up(r, reason);
	if (r->asked) {
		r->asked = false;
		r->begun++;
		buffer_reset(&r->said);
		r->has_committed = false;
		end(r, "%s", reason);
	}
	generation_stop(r->current, how);
	TAILQ_FOREACH (g, &r->retired, next) {
		generation_stop(g, how);
	}
}

void
reload_keep(struct reload *r, uint64_t now)
{
	struct generation *g;

	TAILQ_FOREACH (g, &r->retired, next) {
		generation_keep(g, r->family, now);
	}
	generation_keep(r->current, r->family, now);
	if (r->coming != NULL)
		generation_keep(r->coming, r->family, now);
}

uint64_t
reload_deadline(const struct reload *r)
{
	uint64_t current = generation_deadline(r->current);
	uint64_t coming =
		r->coming != NULL ? generation_deadline(r->coming) : UINT64_MAX;

	return current < coming ? current : coming;
}
