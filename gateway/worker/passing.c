#include "gateway/worker/passing.h"

#include "gateway/worker/envelope.h"
#include "gateway/worker/introductions.h"
#include "gateway/worker/peers.h"
#include "gateway/worker/request.h"
#include "gateway/worker/routing.h"
#include "gateway/worker/self.h"
#include "protocols/http1.h"

enum { RETRY_MS = 5 };

static struct timer retry;

/* ---- Whether there is room ---- */

/* As many may wait there as in the backlog of a listening socket, which it stands for.
 */
static bool
has_room(const struct neighbour *to)
{
	return atomic_load_explicit(&to->queue->state->depth, memory_order_relaxed) <
		(uint32_t)to->app->backlog;
}

static void
on_retry(struct timer *timer)
{
	struct conn *c;

	(void)timer;
	TAILQ_FOREACH (c, &self.ready, in_state)
		if (c->req->away != NULL)
			loop_again(&self.loop, &c->watch);
}

static enum want
wait_for_room(struct conn *c)
{
	/* At a stop fronts go first: nobody is there to give it back to. */
	if (self.draining && atomic_load(&self.slot->farewell) == FAREWELL_STOP &&
		!routing_is_front())
		return conn_refuse(c, 503);
	if (c->state != CONN_READY)
		conn_move(c, CONN_READY);
	retry.fn = on_retry;
	if (retry.at == 0)
		(void)timer_set(&self.loop.timers, &retry, self.loop.now + RETRY_MS);
	return WANT_EVENT;
}

/* ---- What goes along ---- */

static const char *
received(const struct al_request *req)
{
	return req->received != NULL ? req->received : req->input.ptr;
}

/* Where the request ends, as far as that can be told; the whole input, where it cannot.
 * What follows may be for another application. */
static size_t
request_end(const struct al_request *req)
{
	struct slice rest = slice_of(received(req), req->input.len), data;
	struct http1_chunked chunked;
	int got = HTTP1_END;

	slice_advance(&rest, req->head_len);
	if (req->head.framing == HTTP1_CHUNKED) {
		http1_chunked_init(&chunked, INT64_MAX);
		while ((got = http1_chunked_next(&chunked, &rest, &data)) == HTTP1_DATA)
			;
	} else if (req->head.framing == HTTP1_LENGTH) {
		slice_advance(&rest,
			req->head.length < rest.len ? (size_t)req->head.length
						    : rest.len);
	}
	return got == HTTP1_END ? req->input.len - rest.len : req->input.len;
}

/* Of two applications whose users differ, neither is given what may be for the other.
 */
static size_t
bytes_for(const struct al_request *req, bool *last)
{
	const struct routing *r = req->conn->routing;
	size_t n = req->input.len;

	if (r->front == NULL && r->isolated)
		n = request_end(req);
	*last = n < req->input.len;
	return n;
}

static bool
send_to(const struct queue *to, struct conn *c, struct envelope *e, size_t n)
{
	struct iovec pieces[ENVELOPE_PIECES + 1];

	if (n > 0)
		pieces[1] = (struct iovec){ (void *)(uintptr_t)received(c->req), n };
	return envelope_send(to, e, pieces, n > 0 ? 2 : 1, c->watch.fd);
}

/* What this worker has decided, if it is a front. */
static void
assign(struct envelope *e, const struct al_request *req)
{
	const struct routing *r = req->conn->routing;

	if (r->front != NULL)
		return;
	e->assigned = true;
	e->route = (uint32_t)(req->way - r->ways);
	e->mount = (uint32_t)req->mount;
	if (req->conn->introduced && strcmp(self.settings->proxy_protocol, "off") != 0)
		introductions_note(req->conn);
}

static bool
try_to_send(struct conn *c)
{
	const struct neighbour *to = c->req->away;
	struct envelope e = envelope_of(c);

	if (to->queue == NULL || !has_room(to) || !peers_serve(to->queue->id))
		return false;
	size_t n = bytes_for(c->req, &e.last);
	e.requests--; /* the receiver counts this one */
	assign(&e, c->req);
	return send_to(to->queue, c, &e, n);
}

/* ---- The calls ---- */

enum want
passing_begin(struct conn *c)
{
	if (c->req->input.len > ENVELOPE_BYTES)
		return conn_refuse(c, 431);
	return passing_step(c);
}

enum want
passing_step(struct conn *c)
{
	if (c->broken)
		return WANT_CLOSE;
	/* What the client is still owed, such as the end of the response before. */
	if (c->output.first == NULL && try_to_send(c))
		return WANT_LEAVE;
	return wait_for_room(c);
}

bool
passing_return(struct conn *c)
{
	const struct neighbour *to = c->routing->front;
	struct envelope e = envelope_of(c);

	return to->queue != NULL && has_room(to) && peers_serve(to->queue->id) &&
		send_to(to->queue, c, &e, 0);
}

bool
passing_yield(struct conn *c)
{
	const struct queue *own = self.heritage->queue;
	struct envelope e = envelope_of(c);

	if (c->fcgi != NULL || atomic_load(&self.slot->farewell) == FAREWELL_STOP)
		return false;
	if (c->routing != NULL && c->routing->front != NULL)
		return passing_return(c);
	return own != NULL && peers_serve(own->id) &&
		atomic_load_explicit(&own->state->depth, memory_order_relaxed) <
		(uint32_t)self.settings->limit_queue &&
		send_to(own, c, &e, 0);
}
