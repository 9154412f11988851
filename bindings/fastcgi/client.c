/*
 * The life of one exchange: find a link, send the request while the response is
 * received, give the link back. Nothing waits; run() goes on wherever an event, the
 * timer or the client's having taken more makes it possible.
 *
 * The link is given back at END_REQUEST, whatever the client still has to take: php
 * serves nobody else before that. And it is closed as soon as the client has gone,
 * which is how a backend learns of it: php ignores ABORT_REQUEST, and a half-closed
 * connection too.
 */
#include "bindings/fastcgi/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const state_names[] = {
	[EXCHANGE_WAIT] = "wait",
	[EXCHANGE_CONNECT] = "connect",
	[EXCHANGE_CONNECTING] = "connecting",
	[EXCHANGE_HEAD] = "head",
	[EXCHANGE_BODY] = "body",
	[EXCHANGE_DONE] = "done",
	[EXCHANGE_FAILED] = "failed",
};

const char *
exchange_peer(const struct exchange *x)
{
	return x->link != NULL ? x->link->backend->name : "FastCGI";
}

void
exchange_set(struct exchange *x, enum exchange_state state)
{
	al_log(x->req, AL_DEBUG, "%s: from %s to %s", exchange_peer(x),
		state_names[x->state], state_names[state]);
	x->state = state;
}

void
exchange_fail(struct exchange *x, int status, const char *format, ...)
{
	char reason[256];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	al_log(x->req, AL_LOG_ERROR, "%s: %s", exchange_peer(x), reason);
	x->status = status;
	exchange_set(x, EXCHANGE_FAILED);
}

/* A backend that has answered without having read everything cannot be asked anew. */
static bool
link_is_clean(const struct exchange *x)
{
	return x->state == EXCHANGE_DONE && x->clean && x->stdin_ended &&
		x->sent == x->out.len && !x->refused;
}

static void
exchange_free(struct exchange *x)
{
	pool_dequeue(&x->app->pool, x);
	al_timer_free(x->timer);
	answer_release(x);
	if (x->link != NULL)
		link_release(x->link, link_is_clean(x));
	buffer_release(&x->out);
	free(x);
}

/* ---- The machine ---- */

static bool
finish(struct exchange *x)
{
	struct al_request *req = x->req;
	enum al_result result = x->state == EXCHANGE_DONE ? AL_DONE : AL_ERROR;
	int status = x->status;

	exchange_free(x);
	al_finish(req, result, status);
	return false;
}

static bool
step(struct exchange *x, bool expired)
{
	switch (x->state) {
	case EXCHANGE_WAIT:
		return connect_wait(x, expired);
	case EXCHANGE_CONNECT:
		return connect_begin(x);
	case EXCHANGE_CONNECTING:
		return connect_finish(x, expired);
	case EXCHANGE_HEAD:
	case EXCHANGE_BODY:
		return transfer_step(x, expired);
	case EXCHANGE_DONE:
	case EXCHANGE_FAILED:
		return finish(x);
	}
	return false;
}

/* What a link's having become free lets others do follows. */
static void
run(struct exchange *x, bool expired)
{
	struct pool *pool = &x->app->pool;

	while (step(x, expired))
		expired = false;
	pool_serve(pool);
}

void
exchange_run(struct exchange *x)
{
	run(x, false);
}

static void
on_timer(void *arg)
{
	run(arg, true);
}

static void
on_drained(struct al_request *req, void *arg)
{
	struct exchange *x = arg;

	(void)req;
	if (!x->paused)
		return;
	x->paused = false;
	run(x, false);
}

static void
on_aborted(struct al_request *req, void *arg)
{
	struct exchange *x = arg;
	struct pool *pool = &x->app->pool;

	(void)req;
	exchange_free(x);
	pool_serve(pool);
}

/* ---- Begin ---- */

/* Doing it twice is the same as doing it once (RFC 9110 section 9.2.2). */
static bool
is_idempotent(struct al_request *req)
{
	static const char *const methods[] = { "GET", "HEAD", "OPTIONS", "PUT",
		"DELETE", "TRACE" };
	const char *method = al_env(req, "REQUEST_METHOD");

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (method != NULL && strcmp(method, methods[i]) == 0)
			return true;
	return false;
}

int
exchange_start(struct app *app, struct al_request *req, struct buffer *out)
{
	static const struct al_pending calls = {
		.drained = on_drained,
		.aborted = on_aborted,
	};
	struct exchange *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return AL_ERROR;
	x->req = req;
	x->app = app;
	x->timer = al_timer_new(app->pool.queue_ms, on_timer, x);
	if (x->timer == NULL) {
		free(x);
		return AL_ERROR;
	}
	x->out = *out;
	x->head_len = out->len;
	*out = (struct buffer){ 0 };
	x->repeatable = is_idempotent(req);
	x->fresh = app->pool.max_idle == 0 || !x->repeatable;
	answer_init(x);
	al_pending(req, &calls, x);
	run(x, false);
	return AL_PENDING;
}
