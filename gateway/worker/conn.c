/*
 * Connections. The rules: step functions do what can be done without waiting and return
 * what they want; run() acts on it; move() alone changes the state.
 */
#include "gateway/worker/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/common/clock.h"
#include "gateway/logger/log.h"
#include "gateway/worker/request.h"
#include "gateway/worker/self.h"

enum {
	HEAD_MAX = 128 * 1024, /* bytes of one request's head */
	SCRATCH_BYTES = 256 * 1024,
	STEPS_PER_TURN = 100, /* then the other connections have their turn */
	DRAIN_IDLE_MS = 1000, /* for a last request when the worker is to leave */
	FREE_CONNS = 256, /* that are kept for reuse */
};

/* What a step wants next. */
enum want {
	WANT_STEP, /* another step: the state has changed */
	WANT_EVENT, /* nothing to do until the socket or the application is ready */
	WANT_TURN, /* there is more to do, after the others had their turn */
	WANT_CLOSE,
};

static struct conn *free_conns;
static unsigned n_free;

/* Bodies whose length is known are received through this: no byte of a next request can
 * get into it. */
static char scratch[SCRATCH_BYTES];

/* ---- States and their time limits ---- */

static const char *const state_names[] = {
	[CONN_IDLE] = "idle",
	[CONN_HEAD] = "head",
	[CONN_BODY] = "body",
	[CONN_APP] = "app",
	[CONN_FLUSH] = "flush",
	[CONN_LINGER] = "linger",
};

/* Milliseconds that a connection may be in a state, or make no progress there; 0: ever.
 */
static uint64_t
state_limit(const struct conn *c)
{
	const struct app_settings *s = self.settings;
	int64_t seconds[] = {
		[CONN_IDLE] = c->requests > 0 ? s->keepalive : s->header_timeout,
		[CONN_HEAD] = s->header_timeout,
		[CONN_BODY] = s->body_timeout,
		[CONN_APP] = s->timeout,
		[CONN_FLUSH] = s->write_timeout,
		[CONN_LINGER] = s->linger_timeout,
	};

	if (c->state == CONN_IDLE && self.draining)
		return DRAIN_IDLE_MS;
	return (uint64_t)seconds[c->state] * 1000;
}

void
conn_progress(struct conn *c)
{
	uint64_t limit = state_limit(c);

	if (limit == 0)
		timer_stop(&c->timer);
	else if (timer_set(&self.loop.timers, &c->timer, self.loop.now + limit) != 0)
		c->broken = true;
}

static enum want
move(struct conn *c, enum conn_state state)
{
	if (log_enabled(LOG_LEVEL_DEBUG))
		log_debug("connection %d: %s -> %s", c->watch.fd, state_names[c->state],
			state_names[state]);
	c->state = state;
	conn_progress(c);
	return WANT_STEP;
}

/* ---- Life ---- */

static void
release(struct watch *watch)
{
	struct conn *c = (struct conn *)watch;

	if (n_free >= FREE_CONNS) {
		free(c);
		return;
	}
	c->next = free_conns;
	free_conns = c;
	n_free++;
}

static void
drop_request(struct conn *c)
{
	if (c->req != NULL)
		request_free(c->req);
	c->req = NULL;
}

/* The application has an unfinished request of a connection that ends. */
static void
abort_pending(struct conn *c)
{
	struct al_request *req = c->req;

	if (c->state != CONN_APP || req->pending == NULL)
		return;
	const struct al_pending *calls = req->pending;
	req->pending = NULL;
	calls->aborted(req, req->pending_arg);
	app_hook(&self.app, AL_POST_REQUEST, req);
}

static void
conn_close(struct conn *c)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	abort_pending(c);
	drop_request(c);
	output_release(&c->output);
	timer_remove(&self.loop.timers, &c->timer);
	loop_close(&self.loop, &c->watch, release);
	if (c->cut)
		setsockopt(c->watch.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(c->watch.fd);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		self.conns = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	self.n_conns--;
	atomic_store_explicit(
		&self.slot->connections, (uint32_t)self.n_conns, memory_order_relaxed);
}

/* ---- Reading ---- */

/* Up to n bytes. 0: none for now, or the end: c->broken tells. With edge-triggered
 * events a read that gives less than it could has emptied the socket, and the next
 * bytes will be an event; but an end that was announced already must be read. */
static size_t
receive(struct conn *c, char *to, size_t n)
{
	ssize_t got;

	if (!c->readable)
		return 0;
	do {
		got = recv(c->watch.fd, to, n, 0);
	} while (got < 0 && errno == EINTR);
	if (got > 0) {
		c->readable = (size_t)got == n || c->half_closed;
		return (size_t)got;
	}
	c->readable = false;
	c->broken = got == 0 || errno != EAGAIN;
	return 0;
}

static size_t
receive_input(struct conn *c)
{
	struct buffer *input = &c->req->input;
	size_t got = receive(c, input->ptr + input->len, input->cap - input->len);

	input->len += got;
	return got;
}

/* ---- The steps ---- */

/* Answers with an error status; nothing more is read as a request. */
static enum want
refuse(struct conn *c, unsigned status)
{
	response_error(c->req, status);
	return move(c, CONN_FLUSH);
}

static enum want
step_idle(struct conn *c)
{
	if (c->req != NULL && request_has_input(c->req))
		return move(c, CONN_HEAD);
	if (!c->readable) {
		drop_request(c);
		return WANT_EVENT;
	}
	if (c->req == NULL && (c->req = request_new(c)) == NULL)
		return WANT_CLOSE;
	if (receive_input(c) > 0)
		return move(c, CONN_HEAD);
	if (c->broken)
		return WANT_CLOSE;
	return WANT_STEP; /* readable is false now */
}

static enum want
begin_body(struct conn *c)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct al_request *req = c->req;
	struct iovec piece = { .iov_base = (void *)go_on,
		.iov_len = sizeof(go_on) - 1 };

	c->requests++;
	c->keep_alive = req->head.keep_alive && self.settings->keepalive > 0;
	c->linger = false;
	req->is_head = slice_eq(req->head.method, SLICE("HEAD"));
	req->has_body = req->head.framing != HTTP1_NO_BODY;
	if (!req->has_body)
		return move(c, CONN_APP);
	if (req->head.framing == HTTP1_CHUNKED)
		http1_chunked_init(&req->chunked, self.limits.body);
	if (req->head.expect_continue && !request_has_input(req) &&
		output_send(&c->output, c->watch.fd, &piece, 1) == OUTPUT_BROKEN)
		return WANT_CLOSE;
	return move(c, CONN_BODY);
}

/* Room for more of the head; false when it is longer than a head may be. */
static bool
has_room(struct buffer *input)
{
	if (input->len < input->cap)
		return true;
	return input->cap < HEAD_MAX && buffer_reserve(input, input->cap) != NULL;
}

static enum want
step_head(struct conn *c)
{
	struct al_request *req = c->req;
	int n = http1_decode_head(&req->decoder, buffer_slice(&req->input), &req->head);

	if (n > 0) {
		req->head_len = (size_t)n;
		return begin_body(c);
	}
	if (n < 0) {
		log_info("refused a request with %d: %s", -n, req->decoder.reason);
		return refuse(c, (unsigned)-n);
	}
	if (!has_room(&req->input))
		return refuse(c, 431);
	if (receive_input(c) > 0)
		return WANT_STEP;
	return c->broken ? WANT_CLOSE : WANT_EVENT;
}

/* Keeps a piece of the body. */
static enum want
keep(struct conn *c, struct slice data)
{
	const struct app_settings *s = self.settings;

	if (body_add(&c->req->body, data, s->body_buffer_size, s->spool_dir) == 0)
		return WANT_STEP;
	log_error(
		"cannot spool a request body in %s: %s", s->spool_dir, strerror(errno));
	return refuse(c, errno == ENOSPC || errno == EDQUOT ? 507 : 500);
}

/* What came with the head, and then exactly what is missing. */
static enum want
receive_counted(struct conn *c)
{
	struct al_request *req = c->req;
	uint64_t missing = req->head.length - req->body.length;
	struct slice data = buffer_slice(&req->input);

	if (missing == 0)
		return move(c, CONN_APP);
	slice_advance(&data, req->head_len);
	bool with_head = data.len > 0;
	size_t most = missing < SCRATCH_BYTES ? (size_t)missing : SCRATCH_BYTES;
	if (with_head)
		data.len = data.len < missing ? data.len : (size_t)missing;
	else
		data = slice_of(scratch, receive(c, scratch, most));
	if (data.len == 0)
		return c->broken ? WANT_CLOSE : WANT_EVENT;
	conn_progress(c);
	enum want want = keep(c, data);
	if (with_head) {
		size_t end = req->head_len + data.len;
		memmove(req->input.ptr + req->head_len, req->input.ptr + end,
			req->input.len - end);
		req->input.len -= data.len;
	}
	return want;
}

/* Decodes what stands behind the head; what is behind the last chunk stays there. */
static enum want
receive_chunked(struct conn *c)
{
	struct al_request *req = c->req;
	struct slice in = buffer_slice(&req->input), data;
	int got;

	slice_advance(&in, req->head_len);
	while ((got = http1_chunked_next(&req->chunked, &in, &data)) == HTTP1_DATA) {
		enum want want = keep(c, data);
		if (c->state != CONN_BODY)
			return want;
	}
	if (got < 0) {
		log_info("refused a chunked body with %d: %s", -got,
			req->chunked.reason);
		return refuse(c, (unsigned)-got);
	}
	memmove(req->input.ptr + req->head_len, in.ptr, in.len);
	req->input.len = req->head_len + in.len;
	if (got == HTTP1_END)
		return move(c, CONN_APP);
	if (receive_input(c) == 0)
		return c->broken ? WANT_CLOSE : WANT_EVENT;
	conn_progress(c);
	return WANT_STEP;
}

static enum want
step_body(struct conn *c)
{
	return c->req->head.framing == HTTP1_CHUNKED ? receive_chunked(c)
						     : receive_counted(c);
}

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

static enum want
finish(struct conn *c, enum al_result result, int error_status)
{
	response_finish(c->req, result, error_status);
	app_hook(&self.app, AL_POST_REQUEST, c->req);
	c->req->pending = NULL;
	return c->broken ? WANT_CLOSE : move(c, CONN_FLUSH);
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
	if (result == AL_PENDING && !req->finished)
		return WANT_EVENT;
	if (result == AL_PENDING)
		return finish(c, req->result, req->error_status);
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

static enum want
step_app(struct conn *c)
{
	return c->req->pending == NULL ? call_application(c) : attend_pending(c);
}

static enum want
next_request(struct conn *c)
{
	if (c->keep_alive) {
		request_reset(c->req);
		return move(c, CONN_IDLE);
	}
	/* A client may have sent more before it saw that this is the last response. */
	bool linger = c->linger || self.draining || request_has_input(c->req);
	if (!linger || self.settings->linger_timeout == 0)
		return WANT_CLOSE;
	shutdown(c->watch.fd, SHUT_WR);
	return move(c, CONN_LINGER);
}

static enum want
step_flush(struct conn *c)
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

/* A close with unread bytes would reset the connection, and the client might lose the
 * response (RFC 9112 section 9.6). */
static enum want
step_linger(struct conn *c)
{
	if (receive(c, scratch, SCRATCH_BYTES) > 0)
		return WANT_TURN;
	return c->broken ? WANT_CLOSE : WANT_EVENT;
}

/* ---- The machine ---- */

static enum want
step(struct conn *c)
{
	switch (c->state) {
	case CONN_IDLE:
		return step_idle(c);
	case CONN_HEAD:
		return step_head(c);
	case CONN_BODY:
		return step_body(c);
	case CONN_APP:
		return step_app(c);
	case CONN_FLUSH:
		return step_flush(c);
	case CONN_LINGER:
		return step_linger(c);
	}
	return WANT_CLOSE;
}

/* A connection enters the epoll set when it has to wait for the first time; one that
 * ends with its first request never does. */
static bool
await(struct conn *c)
{
	return c->watch.added ||
		loop_watch(&self.loop, &c->watch,
			EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) == 0;
}

static void
run(struct conn *c)
{
	enum want want = WANT_STEP;

	for (unsigned n = 0; want == WANT_STEP && n < STEPS_PER_TURN; n++)
		want = step(c);
	if (want == WANT_CLOSE || !await(c))
		conn_close(c);
	else if (want != WANT_EVENT)
		loop_again(&self.loop, &c->watch);
}

static void
on_event(struct watch *watch, uint32_t events)
{
	struct conn *c = (struct conn *)watch;

	c->readable |= (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	c->half_closed |= (events & EPOLLRDHUP) != 0;
	/* Both directions are closed: nobody reads a response. */
	if ((events & (EPOLLHUP | EPOLLERR)) != 0 && c->state == CONN_APP)
		c->broken = true;
	run(c);
}

static void
on_timer(struct timer *timer)
{
	struct conn *c = (struct conn *)((char *)timer - offsetof(struct conn, timer));

	switch (c->state) {
	case CONN_HEAD:
	case CONN_BODY:
		refuse(c, 408);
		break;
	case CONN_APP:
		abort_pending(c);
		refuse(c, 504);
		break;
	case CONN_FLUSH:
		c->cut = true;
		conn_close(c);
		return;
	case CONN_IDLE:
	case CONN_LINGER:
		conn_close(c);
		return;
	}
	run(c);
}

void
conn_resume(struct conn *c)
{
	app_hook(&self.app, AL_POST_REQUEST, c->req);
	c->req->pending = NULL;
	move(c, CONN_FLUSH);
	loop_again(&self.loop, &c->watch);
}

void
conn_open(int fd, const struct listener *listener, const void *peer, size_t peer_len)
{
	struct conn *c = free_conns;

	if (c != NULL) {
		free_conns = c->next;
		n_free--;
	} else if ((c = malloc(sizeof(*c))) == NULL) {
		close(fd);
		return;
	}
	*c = (struct conn){
		.timer.fn = on_timer, .listener = listener, .readable = true
	};
	watch_init(&c->watch, fd, on_event);
	memcpy(&c->peer, peer, peer_len < sizeof(c->peer) ? peer_len : sizeof(c->peer));
	c->next = self.conns;
	if (c->next != NULL)
		c->next->prev = c;
	self.conns = c;
	self.n_conns++;
	atomic_store_explicit(
		&self.slot->connections, (uint32_t)self.n_conns, memory_order_relaxed);
	move(c, CONN_IDLE);
	run(c);
}

void
conns_drain(void)
{
	for (struct conn *c = self.conns; c != NULL; c = c->next)
		if (c->state == CONN_IDLE)
			conn_progress(c);
}
