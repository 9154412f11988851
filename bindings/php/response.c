/*
 * What a script sends. Its pieces are gathered here, so that a page which fits is sent
 * with its length and its head at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "bindings/php/exchange.h"
#include "bindings/php/sendfile.h"

enum { PAGE_BYTES = 64 * 1024, STATUS_BYTES = 256, FIELDS_MOST = 256 };

static char page[PAGE_BYTES];
static size_t page_len;

/* ---- Status and fields ---- */

/* A field "name: value" as the interpreter has it. false: it has no colon. */
static bool
split(const sapi_header_struct *line, struct al_header *field)
{
	const char *colon = memchr(line->header, ':', line->header_len);

	if (colon == NULL || colon == line->header)
		return false;
	const char *value = colon + 1, *end = line->header + line->header_len;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	*field = (struct al_header){
		.name = line->header,
		.name_len = (size_t)(colon - line->header),
		.value = value < end ? value : "",
		.value_len = (size_t)(end - value),
	};
	return true;
}

static bool
is_named(const struct al_header *field, const char *name)
{
	size_t len = strlen(name);

	return field->name_len == len && strncasecmp(field->name, name, len) == 0;
}

/* As the script said: by header("HTTP/1.1 404 Gone fishing"), by the field Status that
 * CGI has, or by its number. */
static void
find_status(const sapi_headers_struct *headers, const struct al_header *cgi,
	char text[STATUS_BYTES])
{
	const char *line = headers->http_status_line;
	const char *blank = line != NULL ? strchr(line, ' ') : NULL;

	if (blank != NULL && strncasecmp(line, "HTTP/", 5) == 0)
		snprintf(text, STATUS_BYTES, "%s", blank + 1);
	else if (cgi != NULL)
		snprintf(text, STATUS_BYTES, "%.*s", (int)cgi->value_len, cgi->value);
	else
		snprintf(text, STATUS_BYTES, "%d", headers->http_response_code);
}

struct head {
	struct al_header fields[FIELDS_MOST];
	size_t n;
	struct al_header status; /* of CGI; without a name: none */
};

static void
refuse(struct exchange *x)
{
	if (!x->failed)
		al_log(x->req, AL_LOG_ERROR, "more fields than %d", FIELDS_MOST - 2);
	x->failed = true;
}

static void
take_line(struct exchange *x, struct head *head, const sapi_header_struct *line)
{
	struct al_header field;

	if (!split(line, &field))
		al_log(x->req, AL_WARNING, "left out, as it is no field: %.*s",
			(int)line->header_len, line->header);
	else if (is_named(&field, "Status"))
		head->status = field;
	else if (sendfile_take(x, &field))
		return;
	else if (head->n < FIELDS_MOST - 2)
		head->fields[head->n++] = field;
	else
		refuse(x);
}

int
response_start(struct exchange *x, sapi_headers_struct *headers)
{
	char status[STATUS_BYTES], length[24];
	zend_llist_position at;
	struct head head;

	head.n = 0;
	head.status.name = NULL;
	for (sapi_header_struct *line = zend_llist_get_first_ex(&headers->headers, &at);
		line != NULL; line = zend_llist_get_next_ex(&headers->headers, &at))
		take_line(x, &head, line);
	if (x->file != FILE_NONE)
		head.n = sendfile_measure(x, head.fields, head.n, length);
	if (x->closing)
		head.fields[head.n++] = (struct al_header){
			.name = "Connection",
			.value = "close",
		};
	if (x->file == FILE_REFUSED)
		snprintf(status, sizeof(status), "404 Not Found");
	else
		find_status(headers, head.status.name != NULL ? &head.status : NULL,
			status);
	x->failed = x->failed || al_start(x->req, status, head.fields, head.n) != 0;
	return x->failed ? -1 : 0;
}

/* ---- The body ---- */

static int
send_page(struct exchange *x)
{
	size_t n = page_len;

	page_len = 0;
	return n == 0 ? 0 : al_write(x->req, page, n);
}

int
response_write(struct exchange *x, const char *text, size_t n)
{
	if (x->finished || x->file != FILE_NONE)
		return 0;
	if (n > PAGE_BYTES - page_len && send_page(x) != 0)
		return -1;
	if (n > PAGE_BYTES)
		return al_write(x->req, text, n);
	memcpy(page + page_len, text, n);
	page_len += n;
	return 0;
}

int
response_flush(struct exchange *x)
{
	if (x->finished || x->failed)
		return 0;
	return send_page(x) == 0 ? al_flush(x->req) : -1;
}

void
response_finish(struct exchange *x)
{
	if (x->finished)
		return;
	x->finished = true;
	if (x->file >= 0)
		al_sendfile(x->req, x->file, 0, -1);
	else if (!x->failed)
		al_write_last(x->req, page, page_len);
	page_len = 0;
	sendfile_release(x);
}
