/*
 * What an application answers with a page of the gateway's: a response like any other
 * of its own, after which the connection goes on.
 */
#include <errno.h>
#include <stdio.h>

#include "gateway/worker/lock.h"
#include "gateway/worker/request.h"

/* What the page needs beside the fields of the application. */
static int
add_fields(struct http1_response *r, const struct error_page *page)
{
	char seconds[16];
	int n = snprintf(seconds, sizeof(seconds), "%u", page->retry_after);

	errno = ENOMEM;
	if (http1_response_field(r, SLICE("Content-Type"), slice_str(page->type)) != 0)
		return -1;
	if (page->retry_after == 0)
		return 0;
	return http1_response_field(
		r, SLICE("Retry-After"), slice_of(seconds, (size_t)n));
}

int
al_error(struct al_request *req, unsigned status, const struct al_header *headers,
	size_t n)
{
	char text[16];

	lock_take();
	const struct error_page *page = error_page(status);
	lock_give();
	snprintf(text, sizeof(text), "%u", page->status);
	if (al_start(req, text, headers, n) != 0 ||
		add_fields(&req->response, page) != 0)
		return -1;
	return al_write_last(
		req, page->text + page->head_len, page->len - page->head_len);
}
