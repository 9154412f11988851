/*
 * The steps that read: a request's head, then its body, into the request object.
 */
#include "gateway/worker/steps.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway/logger/log.h"
#include "gateway/worker/passing.h"
#include "gateway/worker/request.h"
#include "gateway/worker/routing.h"
#include "gateway/worker/self.h"
#include "gateway/worker/spool.h"
#include "gateway/worker/trust.h"
#include "gateway/worker/turn_away.h"

enum {
	SCRATCH_BYTES = 256 * 1024,
	/* Left free behind a head: the chunks of a body are received there, while the
	 * bytes of the head have to stay where they are. */
	SPARE_BYTES = 1024,
};

/* Bodies whose length is known are received through this: no byte of a next request can
 * get into it. */
static char scratch[SCRATCH_BYTES];

/* Up to n bytes. 0: none for now, or the end: c->broken tells. With edge-triggered
 * events a read that gives less than it could has emptied the socket, and the next
 * bytes will be an event; but an end that was announced already must be read. Whether
 * the socket would wait is also up to others who have it, such as an application that
 * it was handed to: here nobody waits. */
static size_t
receive(struct conn *c, char *to, size_t n)
{
	ssize_t got;

	if (!c->readable)
		return 0;
	do {
		got = recv(c->watch.fd, to, n, MSG_DONTWAIT);
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
receive_input(struct conn *c, size_t spare)
{
	struct buffer *input = &c->req->input;
	size_t got =
		receive(c, input->ptr + input->len, input->cap - input->len - spare);

	input->len += got;
	return got;
}

size_t
conn_receive(struct conn *c)
{
	return receive_input(c, 0);
}

enum want
conn_step_idle(struct conn *c)
{
	if (c->req != NULL && request_has_input(c->req))
		return conn_move(c, CONN_HEAD);
	if (!c->readable) {
		conn_drop_request(c);
		return WANT_EVENT;
	}
	if (c->req == NULL && (c->req = request_new(c)) == NULL) {
		turn_away(c->watch.fd, strerror(ENOMEM));
		return WANT_CLOSE;
	}
	if (receive_input(c, SPARE_BYTES) > 0)
		return conn_move(c, CONN_HEAD);
	if (c->broken)
		return WANT_CLOSE;
	return WANT_STEP; /* readable is false now */
}

static bool
is_too_long(const struct al_request *req)
{
	return req->head.framing == HTTP1_LENGTH && req->head.length > req->body_limit;
}

static enum want
begin_body(struct conn *c)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct al_request *req = c->req;
	struct iovec piece = { .iov_base = (void *)go_on,
		.iov_len = sizeof(go_on) - 1 };

	c->requests++;
	c->keep_alive = req->head.keep_alive && c->settings->keepalive > 0 && !c->last;
	c->linger = false;
	req->is_head = slice_eq(req->head.method, SLICE("HEAD"));
	req->has_body = req->head.framing != HTTP1_NO_BODY;
	unsigned status = c->routing != NULL ? routing_decide(req) : 0;
	if (status != 0)
		return conn_refuse(c, status);
	if (req->away != NULL)
		return passing_begin(c);
	if (is_too_long(req)) {
		log_info("refused a request with 413: Content-Length above the limit");
		return conn_refuse(c, 413);
	}
	if (!req->has_body)
		return conn_is_ready(c);
	if (req->head.framing == HTTP1_CHUNKED)
		http1_chunked_init(&req->chunked, req->body_limit);
	if (req->head.expect_continue && !request_has_input(req) &&
		output_send(&c->output, c->watch.fd, &piece, 1) == OUTPUT_BROKEN)
		return WANT_CLOSE;
	return conn_move(c, CONN_BODY);
}

/* Room for more of the head; false when it is longer than a head may be. */
static bool
has_room(struct buffer *input)
{
	if (input->len >= self.settings->limit_request_head)
		return false;
	return input->len + SPARE_BYTES < input->cap ||
		buffer_reserve(input, input->cap) != NULL;
}

/* What is needed next when the head, or what a proxy puts before it, is not complete.
 */
static enum want
receive_head(struct conn *c)
{
	if (!has_room(&c->req->input))
		return conn_refuse(c, 431);
	if (receive_input(c, SPARE_BYTES) > 0)
		return WANT_STEP;
	return c->broken ? WANT_CLOSE : WANT_EVENT;
}

enum want
conn_step_head(struct conn *c)
{
	struct al_request *req = c->req;
	unsigned refused;

	if (!c->introduced && !trust_introduction(c, &refused))
		return refused != 0 ? conn_refuse(c, refused) : receive_head(c);
	int n = http1_decode_head(&req->decoder, buffer_slice(&req->input), &req->head);

	if (n > (int)self.settings->limit_request_head)
		return conn_refuse(c, 431);
	if (n > 0) {
		req->head_len = (size_t)n;
		unsigned status = trust_request(req);
		return status == 0 ? begin_body(c) : conn_refuse(c, status);
	}
	if (n < 0) {
		log_info("refused a request with %d: %s", -n, req->decoder.reason);
		return conn_refuse(c, (unsigned)-n);
	}
	return receive_head(c);
}

enum want
conn_keep(struct conn *c, struct slice data)
{
	const struct app_settings *s = self.settings;
	struct al_request *req = c->req;

	if (body_add(&req->body, data, s->body_buffer_size, s->spool_dir) != 0) {
		log_error("cannot spool a request body in %s: %s", s->spool_dir,
			strerror(errno));
		return conn_refuse(c, errno == ENOSPC || errno == EDQUOT ? 507 : 500);
	}
	uint64_t spooled = body_spooled(&req->body);
	if (spool_take(spooled - req->spooled)) {
		req->spooled = spooled;
		return WANT_STEP;
	}
	log_warning(
		"%s: refused a request body with 503: limit_spool is reached", s->name);
	return conn_refuse(c, 503);
}

/* What came with the head, and then exactly what is missing. */
static enum want
receive_counted(struct conn *c)
{
	struct al_request *req = c->req;
	uint64_t missing = req->head.length - req->body.length;
	struct slice data = buffer_slice(&req->input);

	if (missing == 0)
		return conn_is_ready(c);
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
	enum want want = conn_keep(c, data);
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
		enum want want = conn_keep(c, data);
		if (c->state != CONN_BODY)
			return want;
	}
	if (got < 0) {
		log_info("refused a chunked body with %d: %s", -got,
			req->chunked.reason);
		return conn_refuse(c, (unsigned)-got);
	}
	memmove(req->input.ptr + req->head_len, in.ptr, in.len);
	req->input.len = req->head_len + in.len;
	if (got == HTTP1_END)
		return conn_is_ready(c);
	if (conn_receive(c) == 0)
		return c->broken ? WANT_CLOSE : WANT_EVENT;
	conn_progress(c);
	return WANT_STEP;
}

enum want
conn_step_body(struct conn *c)
{
	return c->req->head.framing == HTTP1_CHUNKED ? receive_chunked(c)
						     : receive_counted(c);
}

/* A close with unread bytes would reset the connection, and the client might lose the
 * response (RFC 9112 section 9.6). */
enum want
conn_step_linger(struct conn *c)
{
	if (receive(c, scratch, SCRATCH_BYTES) > 0)
		return WANT_TURN;
	return c->broken ? WANT_CLOSE : WANT_EVENT;
}
