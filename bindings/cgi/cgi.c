/*
 * The binding of CGI programs (RFC 3875): a program, or a folder of them. Each request
 * runs a process, and the worker waits for none: it reads what programs write as it
 * comes, for many requests at once.
 */
#include "bindings/cgi/cgi.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "bindings/cgi/exchange.h"
#include "bindings/cgi/program.h"
#include "bindings/common/option.h"

/* ---- Loading ---- */

/* Who waits makes no progress, and after `timeout` would be told that the program took
 * too long; so the wait ends a little before that. */
static void
load_limits(struct cgi *app)
{
	app->timeout_ms = option_milliseconds("timeout");
	app->wait_ms = option_milliseconds("queue_timeout");
	if (app->timeout_ms != 0 && app->wait_ms >= app->timeout_ms)
		app->wait_ms = app->timeout_ms - app->timeout_ms / 10;
	app->processes = option_number("cgi_processes");
	app->nph = option_is_true("cgi_nph");
	app->authorization = option_is_true("cgi_authorization");
}

static void
unload(void *state)
{
	struct cgi *app = state;

	programs_end(app);
	if (app->null != -1)
		close(app->null);
	arena_release(&app->memory);
	free(app);
}

static const char *
load(const char *target, void **state)
{
	struct cgi *app = calloc(1, sizeof(*app));

	if (app == NULL)
		return "out of memory";
	LIST_INIT(&app->programs);
	TAILQ_INIT(&app->waiting);
	app->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	load_limits(app);
	const char *error = app->null != -1 ? NULL : "/dev/null cannot be opened";
	if (error == NULL)
		error = script_load(app, target);
	if (error == NULL)
		error = environ_load(app);
	if (error == NULL)
		error = sendfile_load(app);
	if (error != NULL)
		unload(app);
	else
		*state = app;
	return error;
}

/* ---- Requests ---- */

static int
handle(void *state, struct al_request *req)
{
	struct cgi *app = state;
	struct arena memory = { 0 };
	const char *path = al_env(req, "PATH_INFO");
	struct ask ask = { .path = path != NULL ? path : "" };
	struct script script;
	int result;

	unsigned refusal = script_find(&script, app, req, &ask, &memory);
	if (refusal == 0)
		result = exchange_start(app, req, &ask, &script, &memory);
	else
		result = exchange_refuse(req, refusal, script.location);
	arena_release(&memory);
	return result;
}

static void
hook(void *state, enum al_hook moment, struct al_request *req)
{
	(void)req;
	if (state != NULL && (moment == AL_WORKER_INT || moment == AL_WORKER_ABORT))
		programs_kill_now(state);
}

__attribute__((visibility("default"))) const struct al_binding al_binding = {
	.abi = AL_ABI,
	.flags = AL_EVENT_DRIVEN,
	.name = "cgi",
	.load = load,
	.handle = handle,
	.hook = hook,
	.unload = unload,
};
