#include "gateway/worker/status_app.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/status/render.h"
#include "gateway/worker/self.h"
#include "gateway/worker/status_parts.h"
#include "gateway/worker/worker.h"

enum {
	FIRST_MS = 1, /* until it is looked whether the arbiter has; then twice that */
	LOOK_MS = 500, /* then the answer is what is known */
	BEAT_MS = 2000, /* then the arbiter hangs */
};

/* ---- What there is ---- */

/* What a resource is made of: how things are, and whether the arbiter has looked. */
struct view {
	struct status status;
	bool looked;
	char nonce[STATUS_NONCE]; /* of the page */
};

/* Returns the status line. */
typedef const char *make_fn(struct buffer *out, struct view *v);

static const char *
make_page(struct buffer *out, struct view *v)
{
	status_page(out, &v->status, v->nonce);
	return "200 OK";
}

static const char *
make_metrics(struct buffer *out, struct view *v)
{
	status_prometheus(out, &v->status);
	return "200 OK";
}

static const char *
make_json(struct buffer *out, struct view *v)
{
	status_json(out, &v->status, NULL);
	buffer_add_char(out, '\n');
	return "200 OK";
}

static const char *
make_ready(struct buffer *out, struct view *v)
{
	(void)v;
	if (status_is_ready(self.heritage->board)) {
		buffer_add_str(out, "ready\n");
		return "200 OK";
	}
	buffer_add_str(out, "not ready\n");
	return "503 Service Unavailable";
}

static const char *
make_healthy(struct buffer *out, struct view *v)
{
	if (v->looked) {
		buffer_add_str(out, "healthy\n");
		return "200 OK";
	}
	buffer_add_str(out, "the arbiter does not answer\n");
	return "503 Service Unavailable";
}

/* What has to be known for it. */
enum need { NEED_NOTHING, NEED_BEAT, NEED_ALL };

static const struct resource {
	const char *path;
	enum need need;
	unsigned wait_ms; /* for the arbiter, at most */
	const char *type;
	make_fn *make; /* NULL: the stream of events */
} resources[] = {
	{ "/", NEED_ALL, LOOK_MS, "text/html; charset=utf-8", make_page },
	{ "/metrics", NEED_ALL, LOOK_MS, "text/plain; version=0.0.4; charset=utf-8",
		make_metrics },
	{ "/status.json", NEED_ALL, LOOK_MS, "application/json", make_json },
	{ "/events", NEED_NOTHING, 0, NULL, NULL },
	{ "/ready", NEED_NOTHING, 0, "text/plain; charset=utf-8", make_ready },
	{ "/healthy", NEED_BEAT, BEAT_MS, "text/plain; charset=utf-8", make_healthy },
};

/* All paths may begin with "/-". */
static const char *
without_prefix(const char *path)
{
	return strncmp(path, "/-/", 3) == 0 ? path + 2 : path;
}

static const struct resource *
find_resource(const char *path)
{
	for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++)
		if (strcmp(resources[i].path, path) == 0)
			return &resources[i];
	return NULL;
}

/* ---- Answers ---- */

static int
answer(struct al_request *req, const char *status, const struct al_header *headers,
	size_t n, struct slice body)
{
	if (al_start(req, status, headers, n) != 0)
		return AL_ERROR;
	return al_write_last(req, body.ptr, body.len) == 0 ? AL_DONE : AL_ERROR;
}

static int
answer_with(struct al_request *req, const struct resource *r, bool looked)
{
	static const char policy[] =
		"default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; "
		"img-src data:; connect-src 'self'; base-uri 'none'; "
		"form-action 'none'; frame-ancestors 'none'";
	struct view view = { .looked = looked };
	struct buffer body = { 0 };
	char allowed[sizeof(policy) + 2 * STATUS_NONCE];
	struct al_header headers[] = {
		{ .name = "Content-Type", .value = r->type },
		{ .name = "Cache-Control", .value = "no-store" },
		{ .name = "X-Content-Type-Options", .value = "nosniff" },
		{ .name = "Content-Security-Policy", .value = allowed },
	};
	size_t n = sizeof(headers) / sizeof(headers[0]);
	int result = AL_ERROR;

	if (r->need == NEED_ALL && status_look(&view.status) != 0)
		return AL_ERROR;
	const char *status = r->make(&body, &view);
	snprintf(allowed, sizeof(allowed), policy, view.nonce, view.nonce);
	if (!body.failed)
		result = answer(req, status, headers, view.nonce[0] != '\0' ? n : n - 1,
			buffer_slice(&body));
	buffer_release(&body);
	status_release(&view.status);
	return result;
}

static int
answer_text(struct al_request *req, const char *status, const char *name,
	const char *value, const char *text)
{
	struct al_header headers[] = {
		{ .name = "Content-Type", .value = "text/plain; charset=utf-8" },
		{ .name = name, .value = value },
	};

	return answer(req, status, headers, name != NULL ? 2 : 1, slice_str(text));
}

/* The page names what it needs by relative paths: its own ends with a slash. */
static int
add_slash(struct al_request *req, const char *path)
{
	const char *mount = al_env(req, "SCRIPT_NAME");
	char where[1024];
	int n = snprintf(
		where, sizeof(where), "%s%s/", mount != NULL ? mount : "", path);

	if (n < 0 || (size_t)n >= sizeof(where) || strncmp(where, "//", 2) == 0)
		return answer_text(req, "404 Not Found", NULL, NULL, "not found\n");
	return answer_text(req, "308 Permanent Redirect", "Location", where, "");
}

/* ---- To wait until the arbiter has looked ---- */

struct wait {
	struct al_request *req;
	const struct resource *resource;
	struct al_timer *timer;
	uint64_t looks; /* before */
	unsigned waited_ms, next_ms;
};

static void
wait_end(struct wait *w)
{
	al_timer_free(w->timer);
	free(w);
}

static void
on_aborted(struct al_request *req, void *arg)
{
	(void)req;
	wait_end(arg);
}

static const struct al_pending calls = { .aborted = on_aborted };

static void
on_timer(void *arg)
{
	struct wait *w = arg;
	struct al_request *req = w->req;
	bool looked = self.heritage->board->looks != w->looks;

	w->waited_ms += w->next_ms;
	if (!looked && w->waited_ms < w->resource->wait_ms) {
		w->next_ms *= 2;
		al_timer_reset(w->timer, w->next_ms);
		return;
	}
	const struct resource *r = w->resource;
	wait_end(w);
	al_finish(req, (enum al_result)answer_with(req, r, looked), 0);
}

static int
wait_for_look(struct al_request *req, const struct resource *r)
{
	struct wait *w = malloc(sizeof(*w));

	if (w == NULL)
		return AL_ERROR;
	*w = (struct wait){
		.req = req,
		.resource = r,
		.looks = self.heritage->board->looks,
		.next_ms = FIRST_MS,
	};
	w->timer = al_timer_new(FIRST_MS, on_timer, w);
	if (w->timer == NULL) {
		free(w);
		return AL_ERROR;
	}
	status_ask(r->need == NEED_ALL);
	al_pending(req, &calls, w);
	return AL_PENDING;
}

/* ---- The binding ---- */

void
status_ask(bool memory)
{
	worker_tell(MESSAGE_LOOK, memory ? SLICE("m") : SLICE(""), -1);
}

int
status_look(struct status *s)
{
	return status_take(s, self.heritage->board, self.heritage->slots);
}

static int
handle(void *app, struct al_request *req)
{
	const char *path = al_env(req, "PATH_INFO");
	const char *method = al_env(req, "REQUEST_METHOD");

	(void)app;
	if (path == NULL || method == NULL)
		return AL_ERROR;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return answer_text(req, "405 Method Not Allowed", "Allow", "GET, HEAD",
			"only GET and HEAD\n");
	if (strcmp(path, "") == 0 || strcmp(path, "/-") == 0)
		return add_slash(req, path);
	const struct resource *r = find_resource(without_prefix(path));
	if (r == NULL)
		return answer_text(req, "404 Not Found", NULL, NULL, "not found\n");
	if (r->make == NULL)
		return status_stream(req);
	return r->need == NEED_NOTHING ? answer_with(req, r, false)
				       : wait_for_look(req, r);
}

static const char *
load(const char *target, void **app)
{
	(void)target;
	*app = NULL;
	return NULL;
}

const struct al_binding status_binding = {
	.abi = AL_ABI,
	.flags = AL_EVENT_DRIVEN,
	.name = "status",
	.load = load,
	.handle = handle,
};
