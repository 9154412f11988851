/*
 * The binding of FastCGI applications: a client of responders that run elsewhere, or
 * that the arbiter runs and supervises. The target names one or more of them:
 * "HOST:PORT", "[V6]:PORT" or "unix:PATH", with commas between them.
 */
#include <stdlib.h>
#include <string.h>

#include "bindings/fastcgi/app.h"
#include "bindings/fastcgi/exchange.h"

/* ---- Loading ---- */

static void
unload(void *instance)
{
	struct app *app = instance;

	pool_release(&app->pool);
	folder_close(&app->root);
	for (size_t i = 0; i < app->n_sendfile_roots; i++)
		folder_close(&app->sendfile_roots[i]);
	arena_release(&app->memory);
	free(app);
}

static bool
is_managed(void)
{
	const char *target = al_option("target", 0);

	return target != NULL && strncmp(target, "fcgi-exec:", 10) == 0;
}

static const char *
load(const char *target, void **instance)
{
	struct app *app = calloc(1, sizeof(*app));

	if (app == NULL)
		return "out of memory";
	app->root = (struct folder)FOLDER_CLOSED;
	const char *error = pool_load(&app->pool, target, is_managed(), &app->memory);
	if (error == NULL)
		error = script_load(app);
	if (error == NULL)
		error = params_load(app);
	if (error == NULL)
		error = sendfile_load(app);
	if (error != NULL)
		unload(app);
	else
		*instance = app;
	return error;
}

static const char *
begin(void *instance)
{
	struct app *app = instance;

	return pool_start(&app->pool);
}

/* ---- Requests ---- */

/* An answer of our own; the connection of the client stays. */
static int
refuse(struct al_request *req, unsigned status, const char *location)
{
	const struct al_header field = { .name = "Location", .value = location };
	int error = location != NULL ? al_start(req, "301", &field, 1)
				     : al_error(req, status, NULL, 0);

	return error == 0 ? AL_DONE : AL_ERROR;
}

static int
handle(void *instance, struct al_request *req)
{
	struct app *app = instance;
	struct arena memory = { 0 };
	struct buffer out = { 0 };
	struct script script;
	int result;

	unsigned refusal = script_find(&script, app, req, &memory);
	if (refusal == 0)
		refusal = params_encode(&out, app, req, &script);
	if (refusal == 0)
		result = exchange_start(app, req, &out);
	else
		result = refuse(req, refusal, script.location);
	buffer_release(&out);
	arena_release(&memory);
	return result;
}

const struct al_binding al_binding = {
	.abi = AL_ABI,
	.flags = AL_EVENT_DRIVEN,
	.name = "fastcgi",
	.load = load,
	.start = begin,
	.handle = handle,
	.unload = unload,
};
