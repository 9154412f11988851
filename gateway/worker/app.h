/*
 * An application: its binding, opened, and what the binding loaded. A worker has one,
 * and where it serves a site perhaps inner ones (routing.h).
 */
#ifndef WORKER_APP_H
#define WORKER_APP_H

#include <stdbool.h>

#include "gateway/alicorn.h"

struct app {
	const struct al_binding *binding;
	void *instance;
};

/* Opens the binding, which is a part of this program, or beside it, or in
 * ../lib/alicorn, and loads the target.
 * Returns NULL, or why not, in one line. */
const char *app_load(struct app *app, const char *binding, const char *target);

/* The same for one beside the worker's own, of which it sees nothing. */
const char *app_load_inner(struct app *app, const char *binding, const char *target);

/* Prepares what was loaded, in the process that is to run it. Returns as app_load. */
const char *app_start(struct app *app);

void app_unload(struct app *app);

/* Calls a hook of the binding, if it has any. */
void app_hook(const struct app *app, enum al_hook hook, struct al_request *req);

static inline bool
app_is_event_driven(const struct app *app)
{
	return (app->binding->flags & AL_EVENT_DRIVEN) != 0;
}

#endif
