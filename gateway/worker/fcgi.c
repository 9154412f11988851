#include "gateway/worker/fcgi.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway/logger/log.h"
#include "gateway/worker/request.h"
#include "gateway/worker/request_id.h"
#include "gateway/worker/self.h"
#include "protocols/cgi_request.h"
#include "protocols/fastcgi_responder.h"
#include "protocols/forwarded.h"
#include "protocols/http1_guard.h"

enum {
	ROOM = 16 * 1024, /* to receive into */
	PIECES = 8, /* of a response at most, and two more of a record */
	ANSWERS_MAX = 64 * 1024, /* that a web server may leave unread */
	TELL_MS = 1000,
};

/* ---- Connections ---- */

bool
fcgi_is_spoken(void)
{
	return strcmp(self.settings->protocol, "fastcgi") == 0;
}

/* Who is not believed could say that he is anybody. */
static void
tell_refused(const struct conn *c)
{
	static uint64_t told;

	if (told != 0 && self.loop.now - told < TELL_MS)
		return;
	log_warning("%s: refused a FastCGI connection on %s: its peer is not in "
		    "forwarded_allow_ips",
		self.settings->name, c->listener->address.text);
	told = self.loop.now;
}

int
fcgi_open(struct conn *c)
{
	if (!c->trusted) {
		tell_refused(c);
		return -1;
	}
	c->fcgi = malloc(sizeof(*c->fcgi));
	if (c->fcgi == NULL)
		return -1;
	fastcgi_responder_init(c->fcgi, (uint64_t)self.settings->worker_connections);
	return 0;
}

void
fcgi_close(struct conn *c)
{
	free(c->fcgi);
	c->fcgi = NULL;
}

uint16_t
fcgi_id(const struct conn *c)
{
	return c->fcgi->decoder.id;
}

void
fcgi_end(struct conn *c)
{
	fastcgi_responder_reset(c->fcgi);
}

/* ---- A request ---- */

/* What is received of the variables is gathered where a head stands: at the front of
 * the input, over the records that it came in. */
static enum want
add_params(struct conn *c, struct slice data)
{
	struct al_request *req = c->req;

	memmove(req->input.ptr + req->params_len, data.ptr, data.len);
	req->params_len += data.len;
	if (req->params_len > self.settings->limit_request_head)
		return conn_refuse(c, 431);
	return WANT_STEP;
}

/* The web server says who its client is, and in which words. */
static void
read_client(struct al_request *req)
{
	const struct slice *vars = req->told->vars;
	uint64_t port = 0;

	if (!forwarded_address(vars[CGI_REMOTE_ADDR], &req->client)) {
		req->client.any.sa_family = AF_UNIX;
		return;
	}
	if (http1_number(vars[CGI_REMOTE_PORT], &port) && port <= UINT16_MAX)
		req->client.v4.sin_port = htons((uint16_t)port);
}

/* 0, or the status to answer. */
static unsigned
read_head(struct al_request *req)
{
	struct cgi_request *told = arena_alloc(&req->arena, sizeof(*told));
	struct slice params = slice_of(req->input.ptr, req->params_len - 1);
	struct http1_limits limits = self.limits;

	if (told == NULL)
		return 500;
	limits.body = self.body_limit;
	int status = cgi_read_request(told, &req->head, &limits, params);
	if (status != 0) {
		log_info("refused a request with %d: %s", -status, told->error);
		return (unsigned)-status;
	}
	req->told = told;
	req->head_len = req->params_len;
	req->is_https = told->is_https;
	read_client(req);
	return 0;
}

/* From here on the bytes of the head stay where they are, so there must be room for the
 * records of the body behind them. */
static enum want
begin_body(struct conn *c)
{
	struct al_request *req = c->req;

	if (buffer_reserve(&req->input, ROOM) == NULL)
		return WANT_CLOSE;
	unsigned status = read_head(req);
	if (status != 0)
		return conn_refuse(c, status);
	c->requests++;
	c->keep_alive = c->fcgi->keep && self.settings->keepalive > 0;
	c->linger = false;
	req->is_head = slice_eq(req->head.method, SLICE("HEAD"));
	req->has_body = req->head.framing == HTTP1_LENGTH;
	return conn_move(c, CONN_BODY);
}

static enum want
add_body(struct conn *c, struct slice data)
{
	struct al_request *req = c->req;
	uint64_t most = req->has_body ? req->head.length : self.body_limit;

	if (data.len > most - req->body.length) {
		log_info("refused a request with a body %s",
			req->has_body ? "longer than its CONTENT_LENGTH"
				      : "above limit_request_body");
		return conn_refuse(c, req->has_body ? 400 : 413);
	}
	return conn_keep(c, data);
}

/* A web server that has not all of a body when it passes the request on tells no
 * length.
 */
static enum want
end_body(struct conn *c)
{
	struct al_request *req = c->req;

	if (req->has_body && req->body.length != req->head.length) {
		log_info("refused a request with a body shorter than its "
			 "CONTENT_LENGTH");
		return conn_refuse(c, 400);
	}
	req->has_body |= req->body.length > 0;
	return conn_is_ready(c);
}

/* The answer has gone to the output already. */
static enum want
drop(struct conn *c)
{
	c->keep_alive = c->fcgi->keep && !self.leaving && self.settings->keepalive > 0;
	c->linger = false;
	if (c->state == CONN_HEAD) {
		buffer_consume(&c->req->input, c->req->params_len);
		c->req->params_len = 0;
	}
	return conn_move(c, CONN_FLUSH);
}

/* ---- Its records ---- */

/* Those that came; returns the part of a request that is to be acted on, of which *want
 * is WANT_STEP until it was refused. */
static enum fastcgi_part
take_records(struct conn *c, struct buffer *answers, enum want *want)
{
	struct al_request *req = c->req;
	struct slice in = buffer_slice(&req->input), data;
	enum fastcgi_part part = FASTCGI_MORE;
	enum conn_state state = c->state;

	slice_advance(&in, req->params_len);
	do {
		part = fastcgi_responder_next(c->fcgi, &in, &data, answers);
		if (part == FASTCGI_HEAD)
			*want = add_params(c, data);
		else if (part == FASTCGI_INPUT)
			*want = add_body(c, data);
	} while ((part == FASTCGI_HEAD || part == FASTCGI_INPUT) && c->state == state);
	/* A byte behind the variables is theirs, to end the last one. */
	if (part == FASTCGI_HEAD_END)
		req->params_len++;
	memmove(req->input.ptr + req->params_len, in.ptr, in.len);
	req->input.len = req->params_len + in.len;
	return part;
}

/* A connection that asks nothing any more, not even for a part of a record, is idle. */
static enum want
receive_more(struct conn *c)
{
	struct al_request *req = c->req;

	if (c->state == CONN_HEAD && fastcgi_responder_is_idle(c->fcgi))
		return conn_move(c, CONN_IDLE);
	if (c->state == CONN_HEAD && buffer_reserve(&req->input, ROOM) == NULL)
		return WANT_CLOSE;
	if (conn_receive(c) == 0)
		return c->broken ? WANT_CLOSE : WANT_EVENT;
	if (c->state == CONN_BODY)
		conn_progress(c);
	return WANT_STEP;
}

static bool
send_answers(struct conn *c, struct buffer *answers)
{
	struct iovec piece = { answers->ptr, answers->len };

	return !answers->failed &&
		output_send(&c->output, c->watch.fd, &piece, 1) != OUTPUT_BROKEN &&
		c->output.memory <= ANSWERS_MAX;
}

enum want
fcgi_step(struct conn *c)
{
	struct buffer answers = { 0 };
	enum want want = WANT_STEP;
	enum conn_state state = c->state;
	enum fastcgi_part part = take_records(c, &answers, &want);
	bool sent = send_answers(c, &answers);

	buffer_release(&answers);
	if (!sent)
		return WANT_CLOSE;
	if (c->state != state)
		return want;
	switch (part) {
	case FASTCGI_BROKEN:
		log_info("%s: closed a FastCGI connection: %s", self.settings->name,
			c->fcgi->error);
		return WANT_CLOSE;
	case FASTCGI_MORE:
	case FASTCGI_HEAD:
	case FASTCGI_INPUT:
		return receive_more(c);
	case FASTCGI_HEAD_END:
		return begin_body(c);
	case FASTCGI_INPUT_END:
		return end_body(c);
	case FASTCGI_DROPPED:
		return drop(c);
	}
	return WANT_CLOSE;
}

/* ---- The response ---- */

enum output_result
fcgi_send(struct conn *c, const struct iovec *pieces, size_t n, bool ends)
{
	enum output_result result = OUTPUT_EMPTY;
	struct fastcgi_cutter cutter;
	struct iovec record[PIECES + 2];
	size_t k;

	fastcgi_cutter_init(&cutter, fcgi_id(c), pieces, n, ends);
	while ((k = fastcgi_cut(&cutter, record)) > 0 && result != OUTPUT_BROKEN)
		result = output_send(&c->output, c->watch.fd, record, k);
	return result;
}

enum output_result
fcgi_send_page(struct conn *c, const struct iovec *pieces, size_t n)
{
	if (!fastcgi_responder_is_asked(c->fcgi))
		return OUTPUT_EMPTY;
	return fcgi_send(c, pieces, n, true);
}

void
fcgi_last_words(const struct conn *c, const struct error_page *page)
{
	struct iovec pieces[ERROR_PAGE_PIECES], record[ERROR_PAGE_PIECES + 2];
	struct msghdr message = { .msg_iov = record };
	struct fastcgi_cutter cutter;

	if (!fastcgi_responder_is_asked(c->fcgi))
		return;
	size_t n = error_page_pieces(
		page, true, c->req->is_head, request_id_field(c->req), pieces);
	fastcgi_cutter_init(&cutter, fcgi_id(c), pieces, n, true);
	while ((message.msg_iovlen = fastcgi_cut(&cutter, record)) > 0)
		(void)sendmsg(c->watch.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}
