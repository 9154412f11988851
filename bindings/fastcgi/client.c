/*
 * The life of one exchange: connect, send the request while the response is received,
 * close. Nothing waits; run() goes on wherever an event, the timer or the client's
 * having taken more makes it possible.
 *
 * The backend's connection is closed at END_REQUEST, whatever the client still has to
 * take: php serves nobody else before that. And it is closed as soon as the client has
 * gone, which is how a backend learns of it: php ignores ABORT_REQUEST, and a
 * half-closed connection too.
 */
#include "bindings/fastcgi/exchange.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	STDIN_CHUNK = 32 * 1024, /* of the request's body, in one record */
	OUT_ENOUGH = 64 * 1024, /* waits to be sent: no more is read from the body */
	READS_IN_TURN = 16, /* before other connections have theirs */
	TURN_MS = 1,
	DELAY_FIRST_MS = 2,
	DELAY_MAX_MS = 100,
};

static const char *const state_names[] = {
	[EXCHANGE_CONNECT] = "connect",
	[EXCHANGE_CONNECTING] = "connecting",
	[EXCHANGE_HEAD] = "head",
	[EXCHANGE_BODY] = "body",
	[EXCHANGE_DONE] = "done",
	[EXCHANGE_FAILED] = "failed",
};

void
exchange_set(struct exchange *x, enum exchange_state state)
{
	al_log(x->req, AL_DEBUG, "%s: from %s to %s", x->backend->target,
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
	al_log(x->req, AL_LOG_ERROR, "%s: %s", x->backend->target, reason);
	x->status = status;
	exchange_set(x, EXCHANGE_FAILED);
}

static void
disconnect(struct exchange *x)
{
	if (x->watch != NULL)
		al_unwatch(x->watch);
	x->watch = NULL;
	if (x->fd != -1)
		close(x->fd);
	x->fd = -1;
	x->readable = x->writable = false;
}

static void
exchange_free(struct exchange *x)
{
	disconnect(x);
	al_timer_free(x->timer);
	answer_release(x);
	buffer_release(&x->out);
	free(x);
}

/* ---- Connecting ---- */

static void run(struct exchange *x, bool expired);

static void
on_events(struct al_watch *watch, unsigned events, void *arg)
{
	struct exchange *x = arg;

	(void)watch;
	if (events & (AL_READABLE | AL_CLOSED))
		x->readable = true;
	if (events & (AL_WRITABLE | AL_CLOSED))
		x->writable = true;
	run(x, false);
}

/* Nobody listens there, or it cannot be reached: tries the next address. */
static bool
connect_failed(struct exchange *x, int error)
{
	disconnect(x);
	x->address = x->address->ai_next;
	if (x->address != NULL)
		exchange_set(x, EXCHANGE_CONNECT);
	else
		exchange_fail(x, error == ETIMEDOUT ? 504 : 503, "cannot connect: %s",
			strerror(error));
	return true;
}

/* The backlog of a unix socket is full, and the kernel does not queue us. */
static bool
connect_later(struct exchange *x)
{
	disconnect(x);
	if (x->delayed_ms >= x->backend->connect_ms) {
		exchange_fail(x, 503, "cannot connect: its queue is full");
		return true;
	}
	x->delay_ms = x->delay_ms == 0 ? DELAY_FIRST_MS : x->delay_ms * 2;
	if (x->delay_ms > DELAY_MAX_MS)
		x->delay_ms = DELAY_MAX_MS;
	x->delayed_ms += x->delay_ms;
	al_timer_reset(x->timer, x->delay_ms);
	return false;
}

static bool
connect_backend(struct exchange *x)
{
	const struct addrinfo *to = x->address;

	x->fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (x->fd == -1) {
		exchange_fail(x, 503, "socket: %s", strerror(errno));
		return true;
	}
	if (to->ai_family != AF_UNIX)
		setsockopt(x->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	int error = connect(x->fd, to->ai_addr, to->ai_addrlen) == 0 ? 0 : errno;
	if (error == EAGAIN)
		return connect_later(x);
	if (error != 0 && error != EINPROGRESS)
		return connect_failed(x, error);
	x->writable = error == 0;
	x->watch = al_watch(x->fd, on_events, x);
	if (x->watch == NULL) {
		exchange_fail(
			x, 503, "cannot watch the connection: %s", strerror(errno));
		return true;
	}
	al_timer_reset(x->timer, x->backend->connect_ms);
	exchange_set(x, error == 0 ? EXCHANGE_HEAD : EXCHANGE_CONNECTING);
	return true;
}

static bool
finish_connecting(struct exchange *x, bool expired)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (!x->writable)
		return expired && connect_failed(x, ETIMEDOUT);
	if (getsockopt(x->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		error = errno;
	if (error != 0)
		return connect_failed(x, error);
	exchange_set(x, EXCHANGE_HEAD);
	return true;
}

/* ---- Sending ---- */

static void
stop_sending(struct exchange *x)
{
	x->stdin_ended = true;
	x->sent = 0;
	buffer_release(&x->out);
}

/* The next part of the body, from memory or from its file, as a record. */
static void
add_stdin(struct exchange *x)
{
	size_t want = x->body_left < STDIN_CHUNK ? (size_t)x->body_left : STDIN_CHUNK;

	if (want == 0) {
		fastcgi_stream_end(&x->out, FCGI_STDIN, REQUEST_ID);
		x->stdin_ended = true;
		return;
	}
	char *room = buffer_reserve(&x->out, FCGI_HEADER_LEN + want);
	errno = room == NULL ? ENOMEM : EIO;
	ssize_t n = room != NULL ? al_read(x->req, room + FCGI_HEADER_LEN, want) : -1;
	if (n <= 0) {
		stop_sending(x);
		exchange_fail(
			x, 500, "cannot read the request's body: %s", strerror(errno));
		return;
	}
	fastcgi_header(room, FCGI_STDIN, REQUEST_ID, (size_t)n);
	x->out.len += FCGI_HEADER_LEN + (size_t)n;
	x->body_left -= (size_t)n;
}

/* True when there is something to send. */
static bool
fill_out(struct exchange *x)
{
	if (x->sent == x->out.len) {
		buffer_reset(&x->out);
		x->sent = 0;
	}
	while (!x->stdin_ended && x->out.len < OUT_ENOUGH)
		add_stdin(x);
	return x->sent < x->out.len;
}

/* A backend may answer without having read everything and close: that is not an error.
 */
static void
send_request(struct exchange *x)
{
	while (x->writable && fill_out(x)) {
		ssize_t n = send(x->fd, x->out.ptr + x->sent, x->out.len - x->sent,
			MSG_NOSIGNAL);
		if (n >= 0)
			x->sent += (size_t)n;
		else if (errno == EAGAIN)
			x->writable = false;
		else if (errno != EINTR)
			stop_sending(x);
	}
}

/* ---- Receiving ---- */

static void
receive_some(struct exchange *x)
{
	char input[ANSWER_INPUT_MAX];
	ssize_t n = recv(x->fd, input, sizeof(input), 0);

	if (n > 0) {
		answer_take(x, slice_of(input, (size_t)n));
		x->paused = al_queued(x->req) > al_queue_limit();
	} else if (n == 0) {
		exchange_fail(
			x, 502, "closed the connection before the response's end");
	} else if (errno == EAGAIN) {
		x->readable = false;
	} else if (errno != EINTR) {
		exchange_fail(x, 502, "reading the response: %s", strerror(errno));
	}
}

/* What a backend has sent so far goes out: it may send an event now and then. */
static void
receive_response(struct exchange *x)
{
	unsigned reads = 0;

	while (x->readable && !x->paused && !exchange_over(x) &&
		reads++ < READS_IN_TURN)
		receive_some(x);
	x->yielding = x->readable && !x->paused;
	if (x->state == EXCHANGE_BODY && reads > 0 && al_flush(x->req) != 0)
		exchange_set(x, EXCHANGE_FAILED);
}

static bool
transfer(struct exchange *x, bool expired)
{
	unsigned limit_ms = x->backend->timeout_ms;

	if (expired && limit_ms != 0 && !x->paused && !x->yielding) {
		exchange_fail(x, 504, "no progress for %u s", limit_ms / 1000);
		return true;
	}
	send_request(x);
	receive_response(x);
	if (x->yielding)
		al_timer_reset(x->timer, TURN_MS);
	else if (limit_ms != 0)
		al_timer_reset(x->timer, limit_ms);
	return exchange_over(x);
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

/* Goes one step, `expired` when the timer has fired; returns true when the next can
 * follow at once, and false when there is something to wait for, or x is no more. */
static bool
step(struct exchange *x, bool expired)
{
	switch (x->state) {
	case EXCHANGE_CONNECT:
		return connect_backend(x);
	case EXCHANGE_CONNECTING:
		return finish_connecting(x, expired);
	case EXCHANGE_HEAD:
	case EXCHANGE_BODY:
		return transfer(x, expired);
	case EXCHANGE_DONE:
	case EXCHANGE_FAILED:
		return finish(x);
	}
	return false;
}

static void
run(struct exchange *x, bool expired)
{
	while (step(x, expired))
		expired = false;
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
	(void)req;
	exchange_free(arg);
}

int
exchange_start(const struct backend *b, struct al_request *req, struct buffer *out)
{
	static const struct al_pending calls = {
		.drained = on_drained,
		.aborted = on_aborted,
	};
	struct exchange *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return AL_ERROR;
	x->req = req;
	x->backend = b;
	x->address = b->addresses;
	x->fd = -1;
	x->timer = al_timer_new(b->connect_ms, on_timer, x);
	if (x->timer == NULL) {
		free(x);
		return AL_ERROR;
	}
	x->out = *out;
	*out = (struct buffer){ 0 };
	x->body_left = al_body_length(req);
	answer_init(x);
	al_pending(req, &calls, x);
	run(x, false);
	return AL_PENDING;
}
