/*
 * Interim responses (RFC 9110 section 15.2) that an application sends before its own.
 */
#include <errno.h>
#include <string.h>

#include "gateway/worker/lock.h"
#include "gateway/worker/request.h"

static struct slice
text_of(const char *text, size_t len)
{
	return slice_of(text, len != 0 ? len : strlen(text));
}

/* The whole interim response, from fields that were checked as those of a final one. */
static int
compose(struct buffer *text, struct slice status, const struct al_header *headers,
	size_t n)
{
	struct http1_response fields = { .length = -1 };
	int bad = 0;

	for (size_t i = 0; i < n && bad == 0; i++)
		bad = http1_response_field(&fields,
			text_of(headers[i].name, headers[i].name_len),
			text_of(headers[i].value, headers[i].value_len));
	if (bad == 0) {
		buffer_add_str(text, "HTTP/1.1 ");
		buffer_add_slice(text, status);
		buffer_add_str(text, "\r\n");
		buffer_add_slice(text, buffer_slice(&fields.fields));
		buffer_add_str(text, "\r\n");
	}
	http1_response_release(&fields);
	return bad == 0 && !text->failed ? 0 : -1;
}

static int
send_now(struct conn *c, const struct buffer *text)
{
	struct iovec piece = { .iov_base = text->ptr, .iov_len = text->len };

	c->broken |= output_send(&c->output, c->watch.fd, &piece, 1) == OUTPUT_BROKEN;
	errno = EPIPE;
	return c->broken ? -1 : 0;
}

int
al_inform(struct al_request *req, const char *status, const struct al_header *headers,
	size_t n)
{
	static const struct slice allowed[] = {
		SLICE_INIT("103 Early Hints"),
		SLICE_INIT("102 Processing"),
	};
	struct buffer text = { 0 };
	int result = -1;

	errno = req->begun ? EALREADY : EINVAL;
	if (req->begun)
		return -1;
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (strncmp(status, allowed[i].ptr, 3) == 0)
			result = compose(&text, allowed[i], headers, n);
	lock_take();
	/* CGI has no word for them. */
	if (result == 0 && req->head.minor > 0 && req->conn->fcgi == NULL)
		result = send_now(req->conn, &text);
	/* It is no part of the response: that has not begun yet. */
	req->sent_before = req->conn->output.sent;
	lock_give();
	buffer_release(&text);
	return result;
}
