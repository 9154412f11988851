/*
 * What a backend answers: STDOUT is a CGI response (RFC 3875 section 6), STDERR goes to
 * the log, END_REQUEST is the end. A broken answer is a 502; when a part of the
 * response has left already, the gateway cuts the connection so that the client can see
 * it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bindings/fastcgi/exchange.h"

enum {
	HEAD_MAX = 32 * 1024, /* bytes */
	FIELDS_MAX = 128, /* of a head */
	LINE_MAX_BYTES = 1024, /* of STDERR; longer ones are broken */
	STDERR_MAX = 64 * 1024, /* bytes that are logged of one request */
};

void
answer_init(struct exchange *x)
{
	fastcgi_decoder_init(&x->decoder, FASTCGI_CLIENT, REQUEST_ID);
	buffer_init(&x->head, HEAD_MAX + ANSWER_INPUT_MAX);
	buffer_init(&x->line, LINE_MAX_BYTES);
}

/* ---- STDOUT ---- */

static void
write_body(struct exchange *x, struct slice data)
{
	/* The client has gone, which is nothing to complain about. */
	if (data.len != 0 && !x->discards && al_write(x->req, data.ptr, data.len) != 0)
		exchange_set(x, EXCHANGE_FAILED);
}

/* Location without a status is a redirect. To a local path RFC 3875 would have the
 * server answer with that page itself, as if it had been asked for; we send the client
 * there, which php and everybody's scripts expect, and which cannot go in circles. */
static struct slice
status_of(const struct cgi_head *head)
{
	if (head->status.len != 0)
		return head->status;
	return head->location.len != 0 ? SLICE("302 Found") : SLICE("200 OK");
}

/* The fields that are passed on; of a response that is a file in truth, those that
 * still hold. */
static size_t
copy_fields(struct al_header *headers, const struct cgi_head *head, bool is_file)
{
	size_t n = 0;

	for (size_t i = 0; i < head->n_fields; i++) {
		const struct http1_field *f = &head->fields[i];
		if (is_file &&
			(sendfile_is_order(f->name) ||
				slice_caseeq(f->name, SLICE("Content-Length"))))
			continue;
		headers[n++] = (struct al_header){
			.name = f->name.ptr,
			.name_len = f->name.len,
			/* To al_start a length of 0 means that it has to count. */
			.value = f->value.len != 0 ? f->value.ptr : "",
			.value_len = f->value.len,
		};
	}
	return n;
}

static void
start(struct exchange *x, const struct cgi_head *head, const struct al_header *headers,
	size_t n)
{
	struct slice status = status_of(head);
	char text[128];

	if (status.len >= sizeof(text)) {
		exchange_fail(x, 502, "the response's status is too long");
		return;
	}
	snprintf(text, sizeof(text), "%" SLICE_FMT, SLICE_ARG(status));
	if (al_start(x->req, text, headers, n) != 0)
		exchange_fail(x, 502, "the response is not valid");
	else
		exchange_set(x, EXCHANGE_BODY);
}

/* The file that the application names is the body; its own one is not. */
static void
start_file(struct exchange *x, const struct cgi_head *head,
	const struct http1_field *order)
{
	struct al_header headers[FIELDS_MAX + 1];
	char length[24];
	off_t size;
	int fd = sendfile_open(x->app, order, &size);

	if (fd == -1) {
		exchange_fail(x, 502, "%" SLICE_FMT ": %" SLICE_FMT ": %s",
			SLICE_ARG(order->name), SLICE_ARG(order->value),
			strerror(errno));
		return;
	}
	size_t n = copy_fields(headers, head, true);
	snprintf(length, sizeof(length), "%lld", (long long)size);
	headers[n++] = (struct al_header){ .name = "Content-Length", .value = length };
	start(x, head, headers, n);
	x->discards = true;
	if (x->state == EXCHANGE_BODY && al_sendfile(x->req, fd, 0, size) != 0)
		exchange_set(x, EXCHANGE_FAILED);
	close(fd);
}

static void
start_response(struct exchange *x, const struct cgi_head *head)
{
	const struct http1_field *order = sendfile_order(x->app, head);
	struct al_header headers[FIELDS_MAX];

	if (order != NULL)
		start_file(x, head, order);
	else
		start(x, head, headers, copy_fields(headers, head, false));
}

/* The head mostly comes in one piece and is then read where it stands. */
static void
take_head(struct exchange *x, struct slice data)
{
	struct http1_field fields[FIELDS_MAX];
	struct cgi_head head = { .fields = fields, .max_fields = FIELDS_MAX };
	bool gathered = x->head.len != 0;

	if (gathered)
		buffer_add_slice(&x->head, data);
	struct slice have = gathered ? buffer_slice(&x->head) : data;
	int len = cgi_decode_head(&head, have, &x->scanned);
	if (len == 0 && !gathered)
		buffer_add_slice(&x->head, data);
	if (len < 0)
		exchange_fail(x, 502, "the response's head is refused: %s", head.error);
	else if (len > HEAD_MAX || (len == 0 && have.len > HEAD_MAX))
		exchange_fail(x, 502, "the response's head is too long");
	else if (x->head.failed)
		exchange_fail(x, 502, "out of memory");
	else if (len > 0)
		start_response(x, &head);
	if (x->state != EXCHANGE_BODY)
		return;
	slice_advance(&have, (size_t)len);
	write_body(x, have);
	buffer_release(&x->head);
}

/* ---- STDERR ---- */

static void
log_line(struct exchange *x)
{
	if (x->line.len != 0)
		al_log(x->req, AL_WARNING, "%s: %" SLICE_FMT, exchange_peer(x),
			SLICE_ARG(x->line));
	buffer_reset(&x->line);
}

/* Records are not lines: a line may come in several, and several in one. */
static void
take_stderr(struct exchange *x, struct slice data)
{
	for (; data.len != 0 && x->logged < STDERR_MAX; slice_advance(&data, 1)) {
		bool ends = *data.ptr == '\n' || *data.ptr == '\0';

		if (ends || x->line.len == LINE_MAX_BYTES)
			log_line(x);
		if (!ends)
			buffer_add_char(&x->line, *data.ptr);
		if (++x->logged == STDERR_MAX) {
			log_line(x);
			al_log(x->req, AL_WARNING,
				"%s: the rest of STDERR is not logged",
				exchange_peer(x));
		}
	}
}

/* ---- The end ---- */

/* The application's own status says nothing: php's is 0 after a fatal error too. */
static void
take_end(struct exchange *x)
{
	unsigned status = x->decoder.record.protocol_status;
	bool busy = status == FCGI_OVERLOADED || status == FCGI_CANT_MPX_CONN;

	if (status != FCGI_REQUEST_COMPLETE)
		exchange_fail(x, busy ? 503 : 502, "refused the request (%u)", status);
	else if (x->state != EXCHANGE_BODY)
		exchange_fail(x, 502, "ended the request without a response");
	else
		exchange_set(x, EXCHANGE_DONE);
}

/* Whether the record that ended the request was the last of what came, and came whole.
 * What follows it must not be taken for the next answer. */
static bool
ends_clean(struct fastcgi_decoder *d, struct slice rest)
{
	return fastcgi_next(d, &rest) == FASTCGI_NEED_MORE && d->n_fixed == 0 &&
		d->left == 0 && d->padding == 0;
}

void
answer_take(struct exchange *x, struct slice in)
{
	enum fastcgi_event event = FASTCGI_IGNORED;

	while (!exchange_over(x) && event != FASTCGI_NEED_MORE) {
		event = fastcgi_next(&x->decoder, &in);
		switch (event) {
		case FASTCGI_STDOUT:
			if (x->state == EXCHANGE_BODY)
				write_body(x, x->decoder.record.data);
			else if (x->decoder.record.data.len != 0)
				take_head(x, x->decoder.record.data);
			break;
		case FASTCGI_STDERR:
			take_stderr(x, x->decoder.record.data);
			break;
		case FASTCGI_END:
			take_end(x);
			x->clean = ends_clean(&x->decoder, in);
			break;
		case FASTCGI_ERROR:
			exchange_fail(x, 502, "broken FastCGI: %s", x->decoder.error);
			break;
		case FASTCGI_NEED_MORE:
		case FASTCGI_IGNORED:
		case FASTCGI_BEGIN:
		case FASTCGI_ABORT:
		case FASTCGI_PARAMS:
		case FASTCGI_STDIN:
		case FASTCGI_VALUES:
			break;
		}
	}
}

void
answer_release(struct exchange *x)
{
	log_line(x);
	buffer_release(&x->line);
	buffer_release(&x->head);
}
