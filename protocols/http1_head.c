/*
 * The head of a request: the guard has seen its bytes, llhttp finds its parts, and what
 * they mean is decided here.
 *
 * llhttp is asked for the places of target, names and values, and nothing else. Its
 * versions differ in what they refuse, in the methods they know and in what Upgrade and
 * CONNECT do; so that this server does not, it is shown GET whatever the method, it is
 * left at the end of the head before it acts on it, and the framing is judged here.
 */
#include "protocols/http1.h"

#include <llhttp.h>

#include "protocols/http1_guard.h"

/* What the callbacks fill in. */
struct parse {
	struct http1_head *head;
	size_t max_fields;
	bool complete;
};

/* Stands in for a HTAB in a field: some versions know only SP before and behind a
 * Content-Length and a Transfer-Encoding. */
static const char blank[] = " ";

static int
on_url(llhttp_t *parser, const char *at, size_t length)
{
	struct parse *parse = parser->data;

	parse->head->target = slice_of(at, length);
	return 0;
}

static int
on_header_field(llhttp_t *parser, const char *at, size_t length)
{
	struct parse *parse = parser->data;
	struct http1_head *head = parse->head;

	if (head->n_fields == parse->max_fields)
		return -1;
	head->fields[head->n_fields++] = (struct http1_field){
		.name = slice_of(at, length),
		.value = slice_of(at + length, 0),
	};
	return 0;
}

/* Called more than once for a value with HTABs in it, whose parts lie in one row. */
static int
on_header_value(llhttp_t *parser, const char *at, size_t length)
{
	struct parse *parse = parser->data;
	struct slice *value = &parse->head->fields[parse->head->n_fields - 1].value;

	if (at == blank)
		return 0;
	if (value->len == 0)
		value->ptr = at;
	value->len = (size_t)(at + length - value->ptr);
	return 0;
}

static int
on_headers_complete(llhttp_t *parser)
{
	struct parse *parse = parser->data;

	parse->complete = true;
	return HPE_PAUSED;
}

static const llhttp_settings_t callbacks = {
	.on_url = on_url,
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_headers_complete = on_headers_complete,
};

/* A parser that has read "GET ", to be copied for each head. */
static llhttp_t fresh;

__attribute__((constructor)) static void
make_fresh(void)
{
	llhttp_init(&fresh, HTTP_REQUEST, &callbacks);
	llhttp_set_lenient_chunked_length(&fresh, 1);
	llhttp_set_lenient_transfer_encoding(&fresh, 1);
	llhttp_execute(&fresh, "GET ", 4);
}

/* The text begins behind the method. */
static int
parse_head(struct http1_decoder *d, struct http1_head *head, struct slice text)
{
	struct parse parse = { .head = head, .max_fields = d->limits.fields };
	llhttp_t parser = fresh;
	const char *tab;

	head->n_fields = 0;
	parser.data = &parse;
	while ((tab = memchr(text.ptr, '\t', text.len)) != NULL) {
		llhttp_execute(&parser, text.ptr, (size_t)(tab - text.ptr));
		llhttp_execute(&parser, blank, 1);
		slice_advance(&text, (size_t)(tab - text.ptr) + 1);
	}
	llhttp_errno_t error = llhttp_execute(&parser, text.ptr, text.len);
	if (error != HPE_PAUSED && error != HPE_OK)
		return http1_refuse(d, 400, llhttp_get_error_reason(&parser));
	if (!parse.complete || llhttp_get_error_pos(&parser) != text.ptr + text.len)
		return http1_refuse(d, 400, "the head ends where it should not");
	head->minor = parser.http_minor;
	return 0;
}

/* The fields that mean something here. */
struct meaning {
	unsigned hosts, lengths, codings;
	struct slice host, length, coding;
	bool close, keep_alive;
	bool expect, expect_other;
};

static bool
is(const struct http1_field *field, struct slice name)
{
	return slice_caseeq(field->name, name);
}

static void
read_field(struct meaning *m, const struct http1_field *field)
{
	switch (field->name.len) {
	case 4:
		if (is(field, SLICE("Host"))) {
			m->hosts++;
			m->host = field->value;
		}
		break;
	case 6:
		if (is(field, SLICE("Expect"))) {
			bool known = slice_caseeq(field->value, SLICE("100-continue"));
			*(known ? &m->expect : &m->expect_other) = true;
		}
		break;
	case 10:
		if (is(field, SLICE("Connection"))) {
			m->close |= http1_list_has(field->value, SLICE("close"));
			m->keep_alive |=
				http1_list_has(field->value, SLICE("keep-alive"));
		}
		break;
	case 14:
		if (is(field, SLICE("Content-Length"))) {
			m->lengths++;
			m->length = field->value;
		}
		break;
	case 17:
		if (is(field, SLICE("Transfer-Encoding"))) {
			m->codings++;
			m->coding = field->value;
		}
		break;
	}
}

/*
 * RFC 9112 section 3.2: exactly one Host, at most one in HTTP/1.0. An empty one says
 * that the target has no authority, which a URI of http cannot lack (RFC 9110
 * section 4.2.1): it is let pass where it is not needed, beside a target that names an
 * authority, and in HTTP/1.0, which does without.
 */
static int
check_host(struct http1_decoder *d, struct http1_head *head, const struct meaning *m)
{
	bool from_target = head->authority.len > 0;

	if (m->hosts > 1 || (m->hosts == 0 && head->minor > 0))
		return http1_refuse(d, 400, m->hosts > 1 ? "two Hosts" : "no Host");
	if (m->host.len > 0 && !http1_is_authority(m->host))
		return http1_refuse(d, 400, "bad Host");
	if (m->host.len == 0 && head->minor > 0 && !from_target)
		return http1_refuse(d, 400, "empty Host");
	if (!from_target)
		head->authority = m->host;
	return 0;
}

/* RFC 9112 sections 6.1 to 6.3. */
static int
check_framing(struct http1_decoder *d, struct http1_head *head, const struct meaning *m)
{
	head->framing = HTTP1_NO_BODY;
	head->length = 0;
	if (m->codings > 0) {
		if (m->lengths > 0)
			return http1_refuse(
				d, 400, "Content-Length and Transfer-Encoding");
		if (head->minor == 0)
			return http1_refuse(d, 400, "Transfer-Encoding in HTTP/1.0");
		if (m->codings > 1 || !slice_caseeq(m->coding, SLICE("chunked")))
			return http1_refuse(d, 501, "Transfer-Encoding is not chunked");
		head->framing = HTTP1_CHUNKED;
	} else if (m->lengths > 0) {
		if (m->lengths > 1 || !http1_number(m->length, &head->length))
			return http1_refuse(d, 400, "bad Content-Length");
		if (head->length > d->limits.body)
			return http1_refuse(d, 413, "Content-Length above the limit");
		head->framing = HTTP1_LENGTH;
	}
	return 0;
}

/* RFC 9110 section 10.1.1: HTTP/1.0 knows no 100, and without a body none is needed. */
static int
check_expect(struct http1_decoder *d, struct http1_head *head, const struct meaning *m)
{
	if (m->expect_other)
		return http1_refuse(d, 417, "unknown expectation");
	head->expect_continue =
		m->expect && head->minor > 0 && head->framing != HTTP1_NO_BODY;
	return 0;
}

static int
check_fields(struct http1_decoder *d, struct http1_head *head)
{
	struct meaning m = { 0 };
	int status;

	for (size_t i = 0; i < head->n_fields; i++) {
		head->fields[i].value = slice_trim(head->fields[i].value);
		read_field(&m, &head->fields[i]);
	}
	head->keep_alive = !m.close && (head->minor > 0 || m.keep_alive);
	if ((status = check_host(d, head, &m)) != 0)
		return status;
	if ((status = check_framing(d, head, &m)) != 0)
		return status;
	return check_expect(d, head, &m);
}

void
http1_decoder_init(struct http1_decoder *d, const struct http1_limits *limits)
{
	*d = (struct http1_decoder){ .limits = *limits };
}

int
http1_decode_head(struct http1_decoder *d, struct slice input, struct http1_head *head)
{
	int length = http1_guard_head(d, input);
	int status;

	if (length <= 0)
		return length;
	struct slice text = slice_of(input.ptr, (size_t)length);
	while (text.ptr[0] == '\r')
		slice_advance(&text, 2);
	head->method = slice_of(text.ptr, http1_token(text));
	if ((status = http1_check_method(d, head)) != 0)
		return status;
	slice_advance(&text, head->method.len + 1);
	if ((status = parse_head(d, head, text)) != 0)
		return status;
	if ((status = http1_split_target(d, head)) != 0)
		return status;
	if ((status = check_fields(d, head)) != 0)
		return status;
	http1_decoder_init(d, &d->limits);
	return length;
}
