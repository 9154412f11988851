/*
 * A response as an application describes it: checked, since what an application was fed
 * by a client must not become a line of its own (RFC 9110 section 5.5), and without
 * what is the gateway's business (section 7.6.1).
 */
#include "protocols/http1.h"

#include "protocols/http1_guard.h"

static int
refuse(struct http1_response *r, const char *error)
{
	r->error = error;
	return -1;
}

int
http1_response_status(struct http1_response *r, struct slice status)
{
	struct buffer fields = r->fields;
	uint64_t code = 0;

	buffer_reset(&fields);
	*r = (struct http1_response){ .fields = fields, .length = -1 };
	status = slice_trim(status);
	if (status.len < 3 || !http1_number(slice_of(status.ptr, 3), &code) ||
		code < 200 || code > 599 || (status.len > 3 && status.ptr[3] != ' '))
		return refuse(r, "the status is not one from 200 to 599");
	slice_advance(&status, 3);
	if (!http1_is_value(status))
		return refuse(r, "control byte in the status");
	r->status = (unsigned)code;
	r->reason = slice_trim(status);
	return 0;
}

static int
take_length(struct http1_response *r, struct slice value)
{
	uint64_t length = 0;

	if (!http1_number(value, &length))
		return refuse(r, "Content-Length is not a number");
	if (r->length >= 0 && r->length != (int64_t)length)
		return refuse(r, "two different Content-Lengths");
	r->length = (int64_t)length;
	return 0;
}

static int
take_connection(struct http1_response *r, struct slice value)
{
	r->close |= http1_list_has(value, SLICE("close"));
	return 0;
}

static int
take_nothing(struct http1_response *r, struct slice value)
{
	(void)r;
	(void)value;
	return 0;
}

/* Fields that are understood, or only left out: they do not go out as they came. */
static const struct own_field {
	struct slice name;
	int (*take)(struct http1_response *r, struct slice value);
} own_fields[] = {
	{ SLICE_INIT("Content-Length"), take_length },
	{ SLICE_INIT("Connection"), take_connection },
	{ SLICE_INIT("Transfer-Encoding"), take_nothing },
	{ SLICE_INIT("Keep-Alive"), take_nothing },
	{ SLICE_INIT("Proxy-Connection"), take_nothing },
	{ SLICE_INIT("TE"), take_nothing },
	{ SLICE_INIT("Trailer"), take_nothing },
	{ SLICE_INIT("Upgrade"), take_nothing },
};

static const struct own_field *
find_own(struct slice name)
{
	for (size_t i = 0; i < sizeof(own_fields) / sizeof(own_fields[0]); i++) {
		if (slice_caseeq(name, own_fields[i].name))
			return &own_fields[i];
	}
	return NULL;
}

static int
add_line(struct http1_response *r, struct slice name, struct slice value)
{
	size_t len = name.len + value.len + HTTP1_LINE;
	char *line = buffer_reserve(&r->fields, len);

	if (line == NULL)
		return refuse(r, "out of memory");
	http1_put_line(line, name, value);
	r->fields.len += len;
	return 0;
}

int
http1_response_field(struct http1_response *r, struct slice name, struct slice value)
{
	const struct own_field *own = find_own(name);

	value = slice_trim(value);
	if (own == NULL && (name.len == 0 || http1_token(name) != name.len))
		return refuse(r, "the name of a field is not a token");
	if (!http1_is_value(value))
		return refuse(r, "control byte in the value of a field");
	if (own != NULL)
		return own->take(r, value);
	r->has_date |= slice_caseeq(name, SLICE("Date"));
	r->has_server |= slice_caseeq(name, SLICE("Server"));
	return add_line(r, name, value);
}

void
http1_response_release(struct http1_response *r)
{
	buffer_release(&r->fields);
	*r = (struct http1_response){ .fields = r->fields, .length = -1 };
}
