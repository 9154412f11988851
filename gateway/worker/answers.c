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

/* The phrase of the status may be missing (RFC 9112 section 4). */
static int
answer(struct al_request *req, int64_t status, const struct al_header *field,
	const char *body)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)status);
	return al_start(req, text, field, field != NULL) == 0 &&
			al_write_last(req, body, strlen(body)) == 0
		? AL_DONE
		: AL_ERROR;
}

static int
redirect(const struct route *route, struct al_request *req)
{
	struct buffer location = { 0 };
	int result = AL_ERROR;

	add_location(&location, route, req);
	struct al_header field = { .name = "Location", .value = location.ptr };
	if (!location.failed)
		result = answer(
			req, route->status != 0 ? route->status : 302, &field, "");
	buffer_release(&location);
	return result;
}

/* ---- A status ---- */

static int
say(const struct route *route, struct al_request *req)
{
	const char *body = route->body != NULL ? route->body : "";
	const struct al_header field = {
		.name = "Content-Type",
		.value = *body == '<' ? "text/html; charset=utf-8"
				      : "text/plain; charset=utf-8",
	};

	return answer(req, route->status, *body != '\0' ? &field : NULL, body);
}

enum { FIRST_ERROR = 400 };

static int
handle(void *app, struct al_request *req)
{
	const struct route *route = app;
	int64_t status = route != NULL ? route->status : 404;

	if (route != NULL && route->redirect != NULL)
		return redirect(route, req);
	if (route != NULL && (route->body != NULL || status < FIRST_ERROR))
		return say(route, req);
	return al_error(req, (unsigned)status, NULL, 0) == 0 ? AL_DONE : AL_ERROR;
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
