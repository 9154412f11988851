/*
 * The PHP binding: scripts below a folder, run by an interpreter in this process, and
 * the files beside them.
 *
 * The interpreter's modules are started in the prototype, from which the workers are
 * forked, so that they all use one opcode cache.
 */
#include <limits.h>

#include "bindings/common/request_path.h"
#include "bindings/php/exchange.h"
#include "bindings/php/site.h"
#include "bindings/php/stack.h"
#include "bindings/php/static.h"

static const char *
load(const char *target, void **app)
{
	static struct site site;
	const char *error = site_load(&site, target);

	if (error == NULL)
		error = interpreter_start();
	if (error == NULL)
		error = variables_load(&site);
	*app = &site;
	return error;
}

static int
send_to_folder(struct al_request *req, const struct facts *facts)
{
	char location[PATH_MAX];

	if (!request_path_add_slash(location, sizeof(location), facts->text[FACT_URI]))
		return static_refuse(req, "414 URI Too Long", NULL);
	return static_refuse(req, "301 Moved Permanently", location);
}

static int
handle(void *app, struct al_request *req)
{
	const struct site *site = app;
	struct place place;
	struct facts facts;

	facts_read(&facts, req);
	if (facts.text[FACT_METHOD] == NULL)
		return AL_ERROR; /* memory is out */
	const char *path = facts.text[FACT_PATH];
	switch (site_find(site, path != NULL ? path : "", &place)) {
	case FOUND_SCRIPT:
		return exchange_run(req, &facts, &place);
	case FOUND_FILE:
		return static_send(req, &facts, &place);
	case FOUND_FOLDER:
		return send_to_folder(req, &facts);
	case FOUND_NOTHING:
		return static_refuse(req, "404 Not Found", NULL);
	case FOUND_DENIED:
		return static_refuse(req, "403 Forbidden", NULL);
	case FOUND_BAD:
		return static_refuse(req, "400 Bad Request", NULL);
	}
	return AL_ERROR;
}

/* As the log of php-fpm for slow scripts does. */
static void
hook(void *app, enum al_hook moment, struct al_request *req)
{
	(void)app;
	(void)req;
	if (moment == AL_WORKER_ABORT || moment == AL_SHOW_STACK)
		stack_write(al_log_fd());
}

static void
unload(void *app)
{
	interpreter_stop();
	variables_release();
	site_release(app);
}

__attribute__((visibility("default"))) const struct al_binding al_binding = {
	.abi = AL_ABI,
	.name = "php",
	.load = load,
	.handle = handle,
	.hook = hook,
	.unload = unload,
};
