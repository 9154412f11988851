/*
 * The request goes out while the response comes in, as a backend may answer before it
 * has read everything.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bindings/fastcgi/exchange.h"

enum {
	STDIN_CHUNK = 32 * 1024, /* of the request's body, in one record */
	OUT_ENOUGH = 64 * 1024, /* waits to be sent: no more is read from the body */
	READS_IN_TURN = 16, /* before other connections have theirs */
	TURN_MS = 1,
};

void
transfer_begin(struct exchange *x)
{
	x->sent = 0;
	x->out.len = x->head_len;
	x->body_at = 0;
	x->stdin_ended = x->refused = false;
	exchange_set(x, EXCHANGE_HEAD);
}

/* ---- Sending ---- */

/* The next n bytes of the body, from memory or from its file; returns how many there
 * were, or -1 and errno. */
static ssize_t
read_body(struct exchange *x, char *room, size_t n)
{
	const char *memory = al_body_memory(x->req);

	if (memory == NULL)
		return pread(al_body_fd(x->req), room, n, (off_t)x->body_at);
	memcpy(room, memory + x->body_at, n);
	return (ssize_t)n;
}

/* The next part of the body as a record, or the record that ends it. */
static void
add_stdin(struct exchange *x)
{
	uint64_t left = al_body_length(x->req) - x->body_at;
	size_t want = left < STDIN_CHUNK ? (size_t)left : STDIN_CHUNK;
	char *room = buffer_reserve(&x->out, FCGI_HEADER_LEN + want);

	errno = room == NULL ? ENOMEM : EIO;
	ssize_t n = room == NULL ? -1 : 0;
	if (room != NULL && want != 0)
		n = read_body(x, room + FCGI_HEADER_LEN, want);
	x->stdin_ended = want == 0 || n <= 0;
	if (n < 0 || (n == 0 && want != 0)) {
		exchange_fail(
			x, 500, "cannot read the request's body: %s", strerror(errno));
		return;
	}
	fastcgi_header(room, FCGI_STDIN, REQUEST_ID, (size_t)n);
	x->out.len += FCGI_HEADER_LEN + (size_t)n;
	x->body_at += (size_t)n;
}

/* True when there is something to send. */
static bool
fill_out(struct exchange *x)
{
	if (x->sent == x->out.len && x->sent > x->head_len)
		x->sent = x->out.len = x->head_len;
	while (!x->stdin_ended && x->out.len < x->head_len + OUT_ENOUGH)
		add_stdin(x);
	return x->sent < x->out.len && !exchange_over(x);
}

/* A backend may answer without having read everything and close: what it sent before
 * decides. */
static void
send_request(struct exchange *x)
{
	struct link *l = x->link;

	while (l->writable && !x->refused && fill_out(x)) {
		ssize_t n = send(l->fd, x->out.ptr + x->sent, x->out.len - x->sent,
			MSG_NOSIGNAL);
		if (n >= 0)
			x->sent += (size_t)n;
		else if (errno == EAGAIN)
			l->writable = false;
		else if (errno != EINTR)
			x->refused = l->readable = true;
	}
}

/* ---- Receiving ---- */

/*
 * Nothing has come: the backend has closed a link that was used before while the
 * request was on its way; or one of our own programs was told to leave, or was killed,
 * as it got the request. Another one can have it, once, if it may be done twice.
 */
static bool
may_be_repeated(const struct exchange *x)
{
	return !x->answered && !x->repeated && x->repeatable &&
		(x->link->reused || x->app->pool.managed);
}

static void
try_again(struct exchange *x)
{
	link_release(x->link, false);
	x->link = NULL;
	x->fresh = x->repeated = true;
	exchange_set(x, EXCHANGE_WAIT);
}

static void
take(struct exchange *x, struct slice in)
{
	x->answered = true;
	link_answered(x->link);
	answer_take(x, in);
	x->paused = al_queued(x->req) > al_queue_limit();
}

static void
receive_some(struct exchange *x)
{
	char input[ANSWER_INPUT_MAX];
	ssize_t n = recv(x->link->fd, input, sizeof(input), 0);

	if (n > 0)
		take(x, slice_of(input, (size_t)n));
	else if (n < 0 && errno == EAGAIN)
		x->link->readable = false;
	else if (n < 0 && errno == EINTR)
		return;
	else if (may_be_repeated(x))
		try_again(x);
	else if (n == 0)
		exchange_fail(
			x, 502, "closed the connection before the response's end");
	else
		exchange_fail(x, 502, "reading the response: %s", strerror(errno));
}

static bool
is_transferring(const struct exchange *x)
{
	return x->state == EXCHANGE_HEAD || x->state == EXCHANGE_BODY;
}

/* What a backend has sent so far goes out: it may send an event now and then. */
static void
receive_response(struct exchange *x)
{
	unsigned reads = 0;

	while (is_transferring(x) && x->link->readable && !x->paused &&
		reads++ < READS_IN_TURN)
		receive_some(x);
	if (x->state == EXCHANGE_BODY && reads > 0 && al_flush(x->req) != 0)
		exchange_set(x, EXCHANGE_FAILED);
}

/* ---- Time ---- */

static bool
is_sent(const struct exchange *x)
{
	return x->refused || (x->stdin_ended && x->sent == x->out.len);
}

static void
fail_expired(struct exchange *x)
{
	const struct pool *p = &x->app->pool;

	if (is_sent(x))
		exchange_fail(x, 504, "has sent nothing for %u s", p->read_ms / 1000);
	else
		exchange_fail(x, 504, "has taken nothing of the request for %u s",
			p->send_ms / 1000);
}

static unsigned
wait_ms(const struct exchange *x)
{
	if (x->yielding)
		return TURN_MS;
	return is_sent(x) ? x->app->pool.read_ms : x->app->pool.send_ms;
}

bool
transfer_step(struct exchange *x, bool expired)
{
	if (expired && !x->paused && !x->yielding) {
		fail_expired(x);
		return true;
	}
	send_request(x);
	receive_response(x);
	if (!is_transferring(x))
		return true;
	x->yielding = x->link->readable && !x->paused;
	al_timer_reset(x->timer, wait_ms(x));
	return false;
}
