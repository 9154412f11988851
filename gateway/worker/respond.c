/*
 * The steps that answer: the application is called, and the client takes the response.
 */
#include "gateway/worker/steps.h"

#include <sys/socket.h>

#include "gateway/common/clock.h"
#include "gateway/worker/access_log.h"
#include "gateway/worker/request.h"
#include "gateway/worker/self.h"

/* The slot shows the request to the arbiter while the application has it. */
static void
enter_slot(const struct conn *c)
{
	struct slot *slot = self.slot;

	request_line(c->req, slot->request, sizeof(slot->request));
	atomic_store_explicit(&slot->requests,
		atomic_load_explicit(&slot->requests, memory_order_relaxed) + 1,
		memory_order_relaxed);
	if (app_is_event_driven(&self.app))
		return;
	atomic_store_explicit(&slot->client, c->watch.fd, memory_order_relaxed);
	atomic_store_explicit(&slot->busy_since, self.loop.now, memory_order_release);
}

static void
leave_slot(void)
{
	if (app_is_event_driven(&self.app))
		return;
	atomic_store_explicit(&self.slot->busy_since, 0, memory_order_release);
	atomic_store_explicit(&self.slot->client, -1, memory_order_relaxed);
	self.loop.now = clock_ms(); /* the call may have taken long */
}

/* A function that the settings name may hang as any other of the application. */
static void
tell_answered(struct al_request *req)
{
	bool is_watched =
		self.settings->post_request != NULL && !app_is_event_driven(&self.app);

	if (is_watched)
		atomic_store_explicit(
			&self.slot->busy_since, clock_ms(), memory_order_release);
	app_hook(&self.app, AL_POST_REQUEST, req);
	if (is_watched)
		leave_slot();
}

static enum want
finish(struct conn *c, enum al_result result, int error_status)
{
	response_finish(c->req, result, error_status);
	tell_answered(c->req);
	c->req->pending = NULL;
	return c->broken ? WANT_CLOSE : conn_move(c, CONN_FLUSH);
}

/* The application runs here, inline, in the loop's own thread. */
static enum want
call_application(struct conn *c)
{
	struct al_request *req = c->req;
	int result;

	req->sent_before = c->output.sent;
	enter_slot(c);
	app_hook(&self.app, AL_PRE_REQUEST, req);
	req->in_handle = true;
	result = self.app.binding->handle(self.app.instance, req);
	req->in_handle = false;
	leave_slot();
	if (result == AL_PENDING && !req->finished && req->pending != NULL)
		return WANT_EVENT;
	if (result == AL_PENDING && req->finished)
		return finish(c, req->result, req->error_status);
	if (result == AL_PENDING) {
		al_log(req, AL_LOG_ERROR,
			"AL_PENDING was returned without al_pending()");
		result = AL_ERROR;
	}
	return finish(c, (enum al_result)result, 0);
}

/* The application goes on by itself; the loop sends what it has written. */
static enum want
attend_pending(struct conn *c)
{
	struct al_request *req = c->req;

	if (c->broken)
		return WANT_CLOSE;
	if (!req->waiting)
		return WANT_EVENT;
	uint64_t sent = c->output.sent;
	enum output_result result = output_flush(&c->output, c->watch.fd);
	if (c->output.sent != sent)
		conn_progress(c);
	if (result == OUTPUT_BROKEN)
		return WANT_CLOSE;
	if (result == OUTPUT_TURN)
		return WANT_TURN;
	req->waiting = result == OUTPUT_WAITING;
	if (!req->waiting && req->pending->drained != NULL)
		req->pending->drained(req, req->pending_arg);
	return WANT_EVENT;
}

enum want
conn_step_app(struct conn *c)
{
	return c->req->pending == NULL ? call_application(c) : attend_pending(c);
}

static enum want
next_request(struct conn *c)
{
	if (c->keep_alive) {
		access_log(c->req);
		request_reset(c->req);
		return conn_move(c, CONN_IDLE);
	}
	/* A client may have sent more before it saw that this is the last response. */
	bool linger = c->linger || self.leaving || request_has_input(c->req);
	if (!linger || self.settings->linger_timeout == 0)
		return WANT_CLOSE;
	access_log(c->req);
	shutdown(c->watch.fd, SHUT_WR);
	return conn_move(c, CONN_LINGER);
}

enum want
conn_step_flush(struct conn *c)
{
	uint64_t sent = c->output.sent;
	enum output_result result = output_flush(&c->output, c->watch.fd);

	if (c->output.sent != sent)
		conn_progress(c);
	switch (result) {
	case OUTPUT_EMPTY:
		return c->cut ? WANT_CLOSE : next_request(c);
	case OUTPUT_WAITING:
		return c->broken ? WANT_CLOSE : WANT_EVENT;
	case OUTPUT_TURN:
		return WANT_TURN;
	case OUTPUT_BROKEN:
		return WANT_CLOSE;
	}
	return WANT_CLOSE;
}
