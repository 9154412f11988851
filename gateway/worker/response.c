/*
 * The response's side of alicorn.h. Framing (RFC 9112 section 6) is decided as late as
 * possible: when the first bytes must leave. A response that is complete by then is
 * sent with its Content-Length, head and body in one system call.
 */
#include "gateway/worker/request.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <time.h>

#include "gateway/common/clock.h"
#include "gateway/logger/log.h"
#include "gateway/worker/fcgi.h"
#include "gateway/worker/lock.h"
#include "gateway/worker/meter.h"
#include "gateway/worker/request_id.h"
#include "gateway/worker/routing.h"
#include "gateway/worker/threads.h"
#include "protocols/http.h"

enum { GATHER_BYTES = 16 * 1024, PIECES = 6 };

/* Encoded here and sent at once, or queued as a copy: one for all connections. */
static struct buffer head_bytes;

static struct slice
date(void)
{
	time_t now = time(NULL);

	if ((uint64_t)now != self.date_at) {
		self.date_at = (uint64_t)now;
		http_date_write(self.date, now);
	}
	return slice_str(self.date);
}

static bool
sends_body(const struct al_request *req)
{
	return !http1_no_body(req->response.status, req->is_head);
}

/* Decides the framing; `length` is the body's where it is known, else -1. */
static void
begin(struct al_request *req, int64_t length)
{
	struct http1_reply *reply = &req->reply;
	struct conn *c = req->conn;
	bool cgi = c->fcgi != NULL;
	unsigned status = req->response.status;

	if (req->response.length >= 0)
		length = req->response.length;
	else if (status == 204 || status == 304 || (req->is_head && length == 0))
		length = -1; /* to HEAD an application may write nothing: that says
				nothing */
	*reply = (struct http1_reply){
		.framing = HTTP1_NO_BODY,
		.http10 = req->head.minor == 0,
		.cgi = cgi,
		.server = cgi ? SLICE("") : self.server,
		.date = cgi ? SLICE("") : date(),
	};
	if (!req->names_id)
		reply->more = request_id_field(req);
	if (length >= 0 && status != 204) {
		reply->framing = HTTP1_LENGTH;
		reply->length = (uint64_t)length;
	} else if (sends_body(req) && req->head.minor > 0 && !cgi) {
		reply->framing = HTTP1_CHUNKED;
	} else if (sends_body(req) && !cgi) {
		c->keep_alive =
			false; /* HTTP/1.0: the end of the connection ends the body */
	}
	c->keep_alive = c->keep_alive && !req->response.close && !self.leaving;
	reply->keep_alive = c->keep_alive;
	if (req->way != NULL)
		routing_add_fields(req);
	buffer_reset(&head_bytes);
	http1_encode_head(&head_bytes, &req->response, reply);
	req->begun = true;
}

/* The last answer for a stuck or crashing worker is not needed once something was sent.
 */
static void
note_sent(const struct conn *c)
{
	if (atomic_load_explicit(&self.slot->client, memory_order_relaxed) ==
		c->watch.fd)
		atomic_store_explicit(&self.slot->client, -1, memory_order_relaxed);
}

static size_t
add_piece(struct iovec *pieces, size_t n, const void *bytes, size_t len)
{
	if (len == 0)
		return n;
	pieces[n] = (struct iovec){ .iov_base = (void *)bytes, .iov_len = len };
	return n + 1;
}

/* The bytes that go out now: the head if it has not gone yet, what was gathered and the
 * data, framed, and the end of the body. Returns the number of pieces. */
static size_t
frame(struct al_request *req, struct iovec *pieces, char *chunk, const void *data,
	size_t len, bool last)
{
	size_t n = 0, total = req->gathered.len + len;
	bool chunked;

	if (!req->begun) {
		begin(req, last ? (int64_t)req->body_length : -1);
		n = add_piece(pieces, n, head_bytes.ptr, head_bytes.len);
	}
	chunked = req->reply.framing == HTTP1_CHUNKED;
	if (chunked && total > 0)
		n = add_piece(pieces, n, chunk, http1_chunk_head(chunk, total));
	n = add_piece(pieces, n, req->gathered.ptr, req->gathered.len);
	n = add_piece(pieces, n, data, len);
	/* The line end behind a chunk and the last chunk are one piece. */
	if (chunked && last)
		n = add_piece(pieces, n,
			total > 0 ? "\r\n" HTTP1_LAST_CHUNK : HTTP1_LAST_CHUNK,
			total > 0 ? 7 : 5);
	else if (chunked && total > 0)
		n = add_piece(pieces, n, "\r\n", 2);
	return n;
}

/* Waits until the client has taken so much that more may be queued. This is not the
 * application's time. */
static void
wait_for_client(struct conn *c)
{
	struct pollfd fd = { .fd = c->watch.fd, .events = POLLOUT };
	int limit_ms = (int)self.settings->write_timeout * 1000;
	uint64_t since = atomic_exchange(&self.slot->busy_since, 0);

	while (!c->broken && c->output.memory > al_queue_limit()) {
		lock_give();
		int n = poll(&fd, 1, limit_ms);
		int error = errno;
		lock_take();
		if (n == 0 || (n < 0 && error != EINTR))
			c->broken = true;
		else if (output_flush(&c->output, c->watch.fd) == OUTPUT_BROKEN)
			c->broken = true;
	}
	if (since != 0)
		atomic_store(&self.slot->busy_since, clock_ms());
	if (threads_are_used())
		threads_restart_clock();
}

/* Takes note of what became of the bytes. 0, or -1: the client has gone. */
static int
settle(struct al_request *req, enum output_result result)
{
	struct conn *c = req->conn;

	if (result == OUTPUT_BROKEN || head_bytes.failed)
		c->broken = true;
	if (c->output.sent > req->sent_before)
		note_sent(c);
	conn_progress(c);
	req->waiting |= result != OUTPUT_EMPTY;
	/* Nothing follows the last piece: there is nothing to wait for. */
	if (!app_is_event_driven(req->app) && !req->complete &&
		c->output.memory > al_queue_limit())
		wait_for_client(c);
	/* Who was told to wait is owed drained(), and no event will remind us. */
	if (req->waiting && (result == OUTPUT_TURN || c->output.first == NULL))
		loop_again(&self.loop, &c->watch);
	errno = EPIPE;
	return c->broken ? -1 : 0;
}

/* All that the head announces has been sent. */
static bool
is_whole(const struct al_request *req)
{
	return req->begun && req->conn->fcgi == NULL && req->gathered.len == 0 &&
		req->reply.framing == HTTP1_LENGTH &&
		req->body_length == req->reply.length;
}

/* The body has ended and is not as long as its head says. */
static bool
is_short(const struct al_request *req)
{
	return req->reply.framing == HTTP1_LENGTH && sends_body(req) &&
		req->body_length < req->reply.length;
}

static int
put(struct al_request *req, const void *data, size_t len, bool last)
{
	struct conn *c = req->conn;
	struct iovec pieces[PIECES];
	char chunk[HTTP1_CHUNK_HEAD];
	size_t n = frame(req, pieces, chunk, data, len, last);

	req->complete = last;
	enum output_result result = c->fcgi != NULL
		? fcgi_send(c, pieces, n, last && !is_short(req))
		: output_send(&c->output, c->watch.fd, pieces, n);
	buffer_reset(&req->gathered);
	return settle(req, result);
}

/* How many of n bytes belong to the body. */
static size_t
allowed(struct al_request *req, size_t n)
{
	int64_t length = req->response.length;
	uint64_t left = UINT64_MAX;

	if (length >= 0 && sends_body(req))
		left = (uint64_t)length - req->body_length;
	if (n > left) {
		if (!req->too_long)
			al_log(req, AL_LOG_ERROR,
				"the body is longer than Content-Length (%lld)",
				(long long)length);
		req->too_long = true;
		n = (size_t)left;
	}
	req->body_length += n;
	return sends_body(req) ? n : 0;
}

static int
check_open(const struct al_request *req)
{
	errno = !req->started || req->complete ? EINVAL : EPIPE;
	return req->started && !req->complete && !req->conn->broken ? 0 : -1;
}

/* False: one of them is not what a response may have. */
static bool
describe(struct al_request *req, const char *status, const struct al_header *headers,
	size_t n)
{
	struct http1_response *r = &req->response;
	int bad = http1_response_status(r, slice_str(status));

	req->names_id = false;
	for (size_t i = 0; i < n && bad == 0; i++) {
		const struct al_header *h = &headers[i];
		struct slice name = slice_of(
			h->name, h->name_len != 0 ? h->name_len : strlen(h->name));
		req->names_id |= slice_caseeq(name, request_id_name());
		bad = http1_response_field(r, name,
			slice_of(h->value,
				h->value_len != 0 ? h->value_len : strlen(h->value)));
	}
	return bad == 0;
}

/* Needs no lock: until the response is begun, only its thread looks at it. */
int
al_start(struct al_request *req, const char *status, const struct al_header *headers,
	size_t n)
{
	errno = EALREADY;
	if (req->begun)
		return -1;
	/* The reason phrase is used when the head is made, the caller's text may be
	 * gone by then. */
	status = arena_strz(&req->arena, slice_str(status));
	errno = ENOMEM;
	if (status == NULL)
		return -1;
	req->started = describe(req, status, headers, n);
	req->body_length = 0;
	buffer_reset(&req->gathered);
	if (req->started)
		return 0;
	al_log(req, AL_LOG_ERROR, "the application's response is refused: %s",
		req->response.error);
	errno = EINVAL;
	return -1;
}

static int
write_some(struct al_request *req, const void *data, size_t n)
{
	if (check_open(req) != 0)
		return -1;
	n = allowed(req, n);
	if (n == 0)
		return 0;
	if (req->gathered.len + n > GATHER_BYTES)
		return put(req, data, n, false);
	buffer_add(&req->gathered, data, n);
	if (!req->gathered.failed)
		return 0;
	req->conn->broken = true;
	errno = ENOMEM;
	return -1;
}

int
al_write(struct al_request *req, const void *data, size_t n)
{
	lock_take();
	int result = write_some(req, data, n);
	lock_give();
	return result;
}

int
al_write_last(struct al_request *req, const void *data, size_t n)
{
	lock_take();
	int result = check_open(req);
	if (result == 0)
		result = put(req, data, allowed(req, n), true);
	lock_give();
	return result;
}

int
al_flush(struct al_request *req)
{
	lock_take();
	int result = check_open(req);
	if (result == 0 && !(req->begun && req->gathered.len == 0))
		result = put(req, NULL, 0, false);
	lock_give();
	return result;
}

/* A web server gets the file in records. */
static int
put_file_records(struct al_request *req, int fd, off_t offset, uint64_t length)
{
	struct conn *c = req->conn;
	struct output *o = &c->output;
	struct iovec pieces[PIECES];
	char chunk[HTTP1_CHUNK_HEAD];
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (own < 0)
		return -1;
	size_t n = frame(req, pieces, chunk, NULL, 0, false);
	c->broken |= fcgi_send(c, pieces, n, false) == OUTPUT_BROKEN;
	c->broken |= output_add_records(o, own, offset, length, fcgi_id(c)) != 0;
	buffer_reset(&req->gathered);
	return settle(req, output_flush(o, c->watch.fd));
}

/* Where the length is not declared and chunks are needed, the file is one chunk. */
static int
put_file(struct al_request *req, int fd, off_t offset, uint64_t length)
{
	struct conn *c = req->conn;
	struct output *o = &c->output;
	struct iovec pieces[PIECES + 1],
		end = { .iov_base = (void *)"\r\n", .iov_len = 2 };
	int socket = c->watch.fd;
	char chunk[HTTP1_CHUNK_HEAD], file_chunk[HTTP1_CHUNK_HEAD];
	size_t n = frame(req, pieces, chunk, NULL, 0, false);
	bool chunked = req->reply.framing == HTTP1_CHUNKED;

	if (chunked)
		n = add_piece(
			pieces, n, file_chunk, http1_chunk_head(file_chunk, length));
	enum output_result result =
		output_send_file(o, socket, pieces, n, fd, offset, length);
	if (chunked && result != OUTPUT_BROKEN)
		result = output_send(o, socket, &end, 1);
	buffer_reset(&req->gathered);
	return settle(req, result);
}

static int
send_part(struct al_request *req, int fd, off_t offset, off_t length)
{
	struct stat st;

	if (check_open(req) != 0 || fstat(fd, &st) != 0)
		return -1;
	if (offset < 0 || offset > st.st_size)
		offset = st.st_size;
	if (length < 0 || length > st.st_size - offset)
		length = st.st_size - offset;
	size_t n = allowed(req, (size_t)length);
	if (n == 0)
		return 0;
	return req->conn->fcgi != NULL ? put_file_records(req, fd, offset, n)
				       : put_file(req, fd, offset, n);
}

int
al_sendfile(struct al_request *req, int fd, off_t offset, off_t length)
{
	lock_take();
	int result = send_part(req, fd, offset, length);
	lock_give();
	return result;
}

bool
al_sent(struct al_request *req)
{
	lock_take();
	bool sent = req->begun && req->conn->output.sent > req->sent_before;
	lock_give();
	return sent;
}

void
response_is_error(struct al_request *req, const struct error_page *page)
{
	req->begun = req->complete = true;
	req->sent_before = req->conn->output.sent;
	req->response.status = page->status;
	req->body_length = page->len - page->head_len;
	req->reply = (struct http1_reply){
		.framing = HTTP1_LENGTH,
		.length = req->body_length,
	};
	buffer_reset(&req->response.fields);
	buffer_reset(&req->gathered);
}

void
response_error(struct al_request *req, unsigned status)
{
	struct conn *c = req->conn;
	const struct error_page *page = error_page(status);
	struct iovec pieces[ERROR_PAGE_PIECES];

	c->keep_alive = false;
	c->linger = true;
	if (req->begun) {
		/* Where the framing cannot show that the end is missing, a reset does;
		 * web servers overlook the lack of FCGI_END_REQUEST.
		 */
		c->cut = req->reply.framing == HTTP1_NO_BODY || c->fcgi != NULL;
		return;
	}
	response_is_error(req, page);
	size_t n = error_page_pieces(
		page, c->fcgi != NULL, req->is_head, request_id_field(req), pieces);
	enum output_result result = c->fcgi != NULL
		? fcgi_send_page(c, pieces, n)
		: output_send(&c->output, c->watch.fd, pieces, n);
	c->broken |= result == OUTPUT_BROKEN;
	note_sent(c);
}

void
response_finish(struct al_request *req, enum al_result result, int error_status)
{
	struct conn *c = req->conn;

	if (req->answered_us == 0) /* an event-driven application, or a thread's */
		meter_answered(req);
	if (c->broken)
		return;
	if (result == AL_DONE && !req->started) {
		al_log(req, AL_LOG_ERROR, "the application ended without a response");
		result = AL_ERROR;
	}
	if (result != AL_DONE) {
		response_error(req, error_status != 0 ? (unsigned)error_status : 500);
		return;
	}
	req->complete |= is_whole(req);
	if (!req->complete && put(req, NULL, 0, true) != 0)
		return;
	if (is_short(req)) {
		al_log(req, AL_LOG_ERROR,
			"the body is shorter than Content-Length: %llu of %llu",
			(unsigned long long)req->body_length,
			(unsigned long long)req->reply.length);
		c->keep_alive = false;
		c->cut = c->fcgi != NULL;
	}
}

unsigned
al_status(struct al_request *req)
{
	return req->begun ? req->response.status : 0;
}
