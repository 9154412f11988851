/*
 * The steps that answer: the application is called, and the client takes the response.
 */
#include "gateway/worker/steps.h"

#include <sys/socket.h>

#include "gateway/worker/access_log.h"
#include "gateway/worker/detached.h"
#include "gateway/worker/ended.h"
#include "gateway/worker/fcgi.h"
#include "gateway/worker/lock.h"
#include "gateway/worker/meter.h"
#include "gateway/worker/passing.h"
#include "gateway/worker/queue.h"
#include "gateway/worker/relief.h"
#include "gateway/worker/request.h"
#include "gateway/worker/request_id.h"
#include "gateway/worker/routing.h"
#include "gateway/worker/threads.h"

/* ---- The call ---- */

/* The slot shows the request to the arbiter while the application has it. */
static void
enter_slot(const struct conn *c)
{
	struct slot *slot = self.slot;

	request_show(c->req);
	/* What the arbiter would answer is HTTP. */
	atomic_store_explicit(&slot->client, c->fcgi == NULL ? c->watch.fd : -1,
		memory_order_relaxed);
	atomic_store_explicit(&slot->pending, 1, memory_order_relaxed);
	atomic_store_explicit(&slot->busy_since, self.loop.now, memory_order_release);
}

static void
leave_slot(struct al_request *req)
{
	atomic_store_explicit(&self.slot->busy_since, 0, memory_order_release);
	atomic_store_explicit(&self.slot->pending, 0, memory_order_relaxed);
	atomic_store_explicit(&self.slot->client, -1, memory_order_relaxed);
	self.loop.now = meter_answered(req) / 1000; /* the call may have taken long */
}

static void
count_request(void)
{
	atomic_store_explicit(&self.slot->requests,
		atomic_load_explicit(&self.slot->requests, memory_order_relaxed) + 1,
		memory_order_relaxed);
}

/* Between these the application is called, in this thread and without the lock. An
 * event-driven one returns soon. */
static void
begin_call(struct conn *c)
{
	if (app_is_event_driven(c->req->app)) {
		request_show(c->req);
		lock_give();
	} else if (threads_are_used()) {
		threads_begin_call(c);
		lock_give();
	} else {
		enter_slot(c);
		relief_begin();
	}
}

static void
end_call(const struct conn *c)
{
	if (app_is_event_driven(c->req->app)) {
		lock_take();
	} else if (threads_are_used()) {
		lock_take();
		threads_end_call();
	} else {
		relief_end();
		leave_slot(c->req);
	}
}

/* A function that the settings name may hang as any other of the application. */
static void
tell_answered(struct conn *c)
{
	bool is_watched = self.settings->post_request != NULL;

	c->req->in_handle = true; /* it still has the request */
	if (is_watched)
		begin_call(c);
	else
		lock_give();
	app_hook(c->req->app, AL_POST_REQUEST, c->req);
	if (is_watched)
		end_call(c);
	else
		lock_take();
	c->req->in_handle = false;
}

static enum want
finish(struct conn *c, enum al_result result, int error_status)
{
	response_finish(c->req, result, error_status);
	if (!c->req->told_answered)
		tell_answered(c);
	c->req->pending = NULL;
	return c->broken ? WANT_CLOSE : conn_move(c, CONN_FLUSH);
}

static int
call(struct conn *c)
{
	struct al_request *req = c->req;

	req->sent_before = c->output.sent;
	req->in_handle = true;
	request_id_give(req);
	if (req->called_us == 0) /* by nobody before, who has declined it */
		count_request();
	meter_called(req);
	begin_call(c);
	app_hook(req->app, AL_PRE_REQUEST, req);
	int result = req->app->binding->handle(req->app->instance, req);
	/* Mostly there is nothing left to do but this: then it is done here. */
	req->told_answered = result == AL_DONE && req->complete;
	if (req->told_answered)
		app_hook(req->app, AL_POST_REQUEST, req);
	end_call(c);
	req->in_handle = false;
	return result;
}

/* It goes on by itself, or has done so already. */
static enum want
keep_pending(struct conn *c)
{
	struct al_request *req = c->req;

	if (req->finished)
		return finish(c, req->result, req->error_status);
	if (req->pending != NULL) {
		conn_progress(c);
		return WANT_EVENT;
	}
	al_log(req, AL_LOG_ERROR, "AL_PENDING was returned without al_pending()");
	return finish(c, AL_ERROR, 0);
}

/* The next one that the route names: here, or of another pool. */
static enum want
ask_next(struct conn *c)
{
	conn_move(c, CONN_READY);
	routing_go_on(c->req);
	return c->req->away != NULL ? passing_begin(c) : conn_is_ready(c);
}

static enum want
call_application(struct conn *c)
{
	int result = call(c);

	if (result == AL_PENDING)
		return keep_pending(c);
	if (result == AL_ALREADY_HANDLED && c->req->taken != 0)
		return detached_begin(c);
	if (result == AL_DECLINED && c->req->has_next)
		return ask_next(c);
	if (result == AL_ALREADY_HANDLED) {
		al_log(c->req, AL_LOG_ERROR,
			"AL_ALREADY_HANDLED was returned without al_socket()");
		result = AL_ERROR;
	}
	return finish(c, (enum al_result)result, 0);
}

/* ---- Before the call ---- */

/* This thread may call the application with it now. */
static bool
may_call(const struct conn *c)
{
	return threads_are_used() ? threads_may_call(c) : !relief_is_in_charge();
}

/* At once where nobody here could call for long, and where others have nothing to do.
 */
static bool
may_leave(const struct conn *c)
{
	if (threads_are_used())
		return false;
	return relief_is_in_charge() || queue_should_balance(c);
}

enum want
conn_is_ready(struct conn *c)
{
	access_log_complete(c->req);
	if (may_leave(c) && queue_send(c))
		return WANT_LEAVE;
	if (may_call(c))
		return conn_move(c, CONN_APP);
	conn_move(c, CONN_READY);
	if (threads_are_used())
		threads_tell();
	return WANT_EVENT;
}

enum want
conn_step_ready(struct conn *c)
{
	if (c->req->away != NULL)
		return passing_step(c);
	if (c->broken)
		return WANT_CLOSE;
	return may_call(c) ? conn_move(c, CONN_APP) : WANT_EVENT;
}

/* ---- While the application has it ---- */

/* The client takes what is there, while the call goes on. */
static enum want
attend_call(struct conn *c)
{
	enum output_result result = output_flush(&c->output, c->watch.fd);

	c->broken |= result == OUTPUT_BROKEN;
	return result == OUTPUT_TURN ? WANT_TURN : WANT_EVENT;
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
	if (req->waiting || req->pending->drained == NULL)
		return WANT_EVENT;
	lock_give();
	req->pending->drained(req, req->pending_arg);
	lock_take();
	return WANT_EVENT;
}

enum want
conn_step_app(struct conn *c)
{
	if (c->req->in_handle)
		return attend_call(c);
	return c->req->pending == NULL ? call_application(c) : attend_pending(c);
}

/* ---- After it ---- */

/* What the client asks next may be for an application of another user, and is not for
 * this process to read. */
static bool
is_lent(const struct conn *c)
{
	return c->routing != NULL && c->routing->front != NULL && c->routing->isolated;
}

/* A close with unread bytes would take from the client what it has not got yet of the
 * response. */
static enum want
linger(struct conn *c)
{
	shutdown(c->watch.fd, SHUT_WR);
	conn_move(c, CONN_LINGER);
	return self.settings->linger_timeout > 0 ? WANT_STEP : WANT_CLOSE;
}

static enum want
give_back(struct conn *c)
{
	return !request_has_input(c->req) && passing_return(c) ? WANT_LEAVE : linger(c);
}

static enum want
next_request(struct conn *c)
{
	if (c->keep_alive) {
		request_ended(c->req);
		request_reset(c->req);
		if (c->fcgi != NULL)
			fcgi_end(c);
		return is_lent(c) ? give_back(c) : conn_move(c, CONN_IDLE);
	}
	/* A client may have sent more before it saw that this is the last response. */
	if (!c->linger && !c->last && !self.leaving && !request_has_input(c->req))
		return WANT_CLOSE;
	request_ended(c->req);
	return linger(c);
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
