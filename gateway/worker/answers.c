#include "gateway/worker/answers.h"

#include <stdio.h>
#include <string.h>

#include "gateway/routes/path.h"
#include "gateway/routes/redirect.h"
#include "gateway/worker/request.h"
#include "gateway/worker/routing.h"

/* ---- A redirect ---- */

/* Where the client is sent; NUL-terminated. */
static void
add_location(struct buffer *out, const struct route *route, struct al_request *req)
{
	struct slice path = req->head.path;
	char *room = arena_bytes(&req->arena, path.len + 1);

	if (room == NULL) {
		out->failed = true;
		return;
	}
	struct redirect_facts facts = {
		.scheme = slice_str(al_scheme(req)),
		.host = req->head.authority,
		.raw_path = path,
		.query = req->head.query,
		.path = route_path(path, room),
	};
	facts.rest = redirect_rest(&route->path, facts.path);
	redirect_expand(out, slice_str(route->redirect), &facts);
	buffer_add(out, "", 1);
}

static int
redirect(const struct route *route, struct al_request *req)
{
	unsigned status = route->status != 0 ? (unsigned)route->status : 302;
	struct buffer location = { 0 };
	int result = -1;

	add_location(&location, route, req);
	if (!location.failed)
		result = al_error(req, status,
			&(struct al_header){
				.name = "Location", .value = location.ptr },
			1);
	buffer_release(&location);
	return result == 0 ? AL_DONE : AL_ERROR;
}

/* ---- A status ---- */

static int
say(const struct route *route, struct al_request *req)
{
	const char *type = route->body[0] == '<' ? "text/html; charset=utf-8"
						 : "text/plain; charset=utf-8";
	const struct al_header field = { .name = "Content-Type", .value = type };
	char status[16];

	snprintf(status, sizeof(status), "%u", (unsigned)route->status);
	return al_start(req, status, &field, 1) == 0 &&
			al_write_last(req, route->body, strlen(route->body)) == 0
		? AL_DONE
		: AL_ERROR;
}

static int
handle(void *app, struct al_request *req)
{
	const struct route *route = app;

	if (route == NULL)
		return al_error(req, 404, NULL, 0) == 0 ? AL_DONE : AL_ERROR;
	if (route->redirect != NULL)
		return redirect(route, req);
	if (route->body != NULL)
		return say(route, req);
	return al_error(req, (unsigned)route->status, NULL, 0) == 0 ? AL_DONE
								    : AL_ERROR;
}

static const char *
load(const char *target, void **app)
{
	(void)target;
	*app = NULL;
	return NULL;
}

const struct al_binding answers_binding = {
	.abi = AL_ABI,
	.flags = AL_EVENT_DRIVEN,
	.name = "front",
	.load = load,
	.handle = handle,
};

struct app
answers_app(const struct route *route)
{
	return (struct app){ &answers_binding, (void *)(uintptr_t)route };
}
