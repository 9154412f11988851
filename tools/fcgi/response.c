/*
 * The response's side of alicorn.h: a CGI response (RFC 3875 section 6) on STDOUT. How
 * it is framed for the client is the web server's business.
 */
#include "tools/fcgi/request.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int
al_start(struct al_request *req, const char *status, const struct al_header *headers,
	size_t n)
{
	struct http1_response *r = &req->response;

	if (req->begun) {
		errno = EALREADY;
		return -1;
	}
	/* The reason is used when the head is made; the caller's text may be gone then.
	 */
	status = arena_strz(&req->memory, slice_str(status));
	if (status == NULL) {
		errno = ENOMEM;
		return -1;
	}
	int bad = http1_response_status(r, slice_str(status));
	for (size_t i = 0; i < n && bad == 0; i++) {
		const struct al_header *h = &headers[i];
		bad = http1_response_field(r,
			slice_of(h->name,
				h->name_len != 0 ? h->name_len : strlen(h->name)),
			slice_of(h->value,
				h->value_len != 0 ? h->value_len : strlen(h->value)));
	}
	req->started = bad == 0;
	req->length = 0;
	if (bad == 0)
		return 0;
	al_log(req, AL_LOG_ERROR, "the application's response is refused: %s",
		r->error);
	errno = EINVAL;
	return -1;
}

/* ---- Bytes ---- */

static void
put(struct al_request *req, const char *data, size_t n)
{
	while (n > 0 && !req->broken) {
		int piece = n < INT_MAX ? (int)n : INT_MAX;
		req->broken = FCGX_PutStr(data, piece, req->fcgi.out) != piece;
		data += piece;
		n -= (size_t)piece;
	}
}

static void
put_head(struct al_request *req)
{
	struct http1_response *r = &req->response;
	struct slice reason = r->reason;

	req->begun = true;
	if (reason.len == 0)
		reason = slice_str(http1_reason(r->status));
	FCGX_FPrintF(req->fcgi.out, "Status: %u ", r->status);
	put(req, reason.ptr, reason.len);
	put(req, "\r\n", 2);
	put(req, r->fields.ptr, r->fields.len);
	if (r->length >= 0 && r->status != 204)
		FCGX_FPrintF(req->fcgi.out, "Content-Length: %llu\r\n",
			(unsigned long long)r->length);
	put(req, "\r\n", 2);
}

/* How many of n bytes belong to the body, and are sent. */
static size_t
allowed(struct al_request *req, size_t n)
{
	const struct http1_response *r = &req->response;
	bool has_body = !http1_no_body(r->status, req->is_head);
	uint64_t left = UINT64_MAX;

	if (r->length >= 0 && has_body)
		left = (uint64_t)r->length - req->length;
	if (n > left && !req->too_long) {
		al_log(req, AL_LOG_ERROR,
			"the body is longer than Content-Length (%lld)",
			(long long)r->length);
		req->too_long = true;
	}
	if (n > left)
		n = (size_t)left;
	req->length += n;
	return has_body ? n : 0;
}

static int
check_open(const struct al_request *req)
{
	errno = !req->started || req->complete ? EINVAL : EPIPE;
	return req->started && !req->complete && !req->broken ? 0 : -1;
}

static int
settle(const struct al_request *req)
{
	errno = EPIPE;
	return req->broken ? -1 : 0;
}

int
al_write(struct al_request *req, const void *data, size_t n)
{
	if (check_open(req) != 0)
		return -1;
	n = allowed(req, n);
	if (n > 0 && !req->begun)
		put_head(req);
	put(req, data, n);
	return settle(req);
}

int
al_write_last(struct al_request *req, const void *data, size_t n)
{
	if (check_open(req) != 0)
		return -1;
	if (!req->begun && req->response.length < 0)
		req->response.length = (int64_t)(req->length + n);
	n = allowed(req, n);
	if (!req->begun)
		put_head(req);
	put(req, data, n);
	req->complete = true;
	return settle(req);
}

int
al_flush(struct al_request *req)
{
	if (check_open(req) != 0)
		return -1;
	if (!req->begun)
		put_head(req);
	req->broken |= FCGX_FFlush(req->fcgi.out) != 0;
	return settle(req);
}

int
al_sendfile(struct al_request *req, int fd, off_t offset, off_t length)
{
	char data[64 * 1024];
	struct stat st;

	if (check_open(req) != 0 || fstat(fd, &st) != 0)
		return -1;
	if (offset < 0 || offset > st.st_size)
		offset = st.st_size;
	if (length < 0 || length > st.st_size - offset)
		length = st.st_size - offset;
	while (length > 0) {
		size_t want =
			length < (off_t)sizeof(data) ? (size_t)length : sizeof(data);
		ssize_t n = pread(fd, data, want, offset);
		if (n <= 0 || al_write(req, data, (size_t)n) != 0)
			return -1;
		offset += n;
		length -= n;
	}
	return 0;
}

bool
al_sent(struct al_request *req)
{
	return req->begun;
}

unsigned
al_status(struct al_request *req)
{
	return req->begun ? req->response.status : 0;
}

/* FastCGI has none of these: they are left out, as for HTTP/1.0 clients. */
int
al_inform(struct al_request *req, const char *status, const struct al_header *headers,
	size_t n)
{
	(void)req;
	(void)status;
	(void)headers;
	(void)n;
	return 0;
}

/* ---- Errors ---- */

int
al_error(struct al_request *req, unsigned status, const struct al_header *headers,
	size_t n)
{
	struct http1_response *r = &req->response;
	char text[64];

	if (status < 400 || status > 599)
		status = 500;
	int len = snprintf(text, sizeof(text), "%u %s", status, http1_reason(status));
	if (al_start(req, text, headers, n) != 0)
		return -1;
	errno = ENOMEM;
	if (http1_response_field(r, SLICE("Content-Type"), SLICE("text/plain")) != 0 ||
		(status == 503 &&
			http1_response_field(r, SLICE("Retry-After"), SLICE("1")) != 0))
		return -1;
	return al_write_last(req, text, (size_t)len);
}

/* ---- The end ---- */

void
response_error(struct al_request *req, unsigned status)
{
	req->complete = false;
	al_error(req, status, NULL, 0);
}

static bool
is_short(const struct al_request *req)
{
	const struct http1_response *r = &req->response;

	return r->length >= 0 && !http1_no_body(r->status, req->is_head) &&
		req->length < (uint64_t)r->length;
}

bool
response_finish(struct al_request *req, int result)
{
	if (req->broken)
		return false;
	if (result == AL_PENDING || result == AL_ALREADY_HANDLED)
		al_log(req, AL_LOG_ERROR,
			"the application wants to go on by itself, which it cannot do "
			"over FastCGI (AL_PENDING, AL_ALREADY_HANDLED)");
	if (result == AL_DONE && !req->started)
		al_log(req, AL_LOG_ERROR, "the application ended without a response");
	if (result != AL_DONE || !req->started) {
		if (!req->begun)
			response_error(req, 500);
		else
			return false;
	}
	if (is_short(req)) {
		al_log(req, AL_LOG_ERROR,
			"the body is shorter than Content-Length: %llu of %lld",
			(unsigned long long)req->length,
			(long long)req->response.length);
		return false;
	}
	if (!req->begun)
		put_head(req);
	return !req->broken;
}
