/* The head of a CGI response: RFC 3875 section 6. */
#include "protocols/cgi.h"

#include "protocols/http1_guard.h"

/*
 * The length of the head with the empty line that ends it; 0: it is not there yet.
 * *scanned stops at the LF behind which more is needed to tell.
 */
static size_t
find_end(struct slice input, size_t *scanned)
{
	const char *lf;

	if (slice_starts(input, SLICE("\n")))
		return 1;
	if (slice_starts(input, SLICE("\r\n")))
		return 2;
	while (*scanned < input.len &&
		(lf = memchr(input.ptr + *scanned, '\n', input.len - *scanned)) !=
			NULL) {
		size_t at = (size_t)(lf - input.ptr);
		struct slice rest = slice_of(lf + 1, input.len - at - 1);
		if (slice_starts(rest, SLICE("\n")))
			return at + 2;
		if (slice_starts(rest, SLICE("\r\n")))
			return at + 3;
		*scanned = at;
		if (rest.len == 0 || slice_eq(rest, SLICE("\r")))
			return 0;
		*scanned = at + 1;
	}
	*scanned = input.len;
	return 0;
}

static int
refuse(struct cgi_head *head, const char *error)
{
	head->error = error;
	return -1;
}

static int
take_field(struct cgi_head *head, struct slice name, struct slice value)
{
	if (slice_caseeq(name, SLICE("Status"))) {
		if (head->status.len > 0)
			return refuse(head, "two Status fields");
		if (value.len == 0)
			return refuse(head, "empty Status field");
		head->status = value;
		return 0;
	}
	if (slice_caseeq(name, SLICE("Location")))
		head->location = value;
	if (head->n_fields == head->max_fields)
		return refuse(head, "too many fields");
	head->fields[head->n_fields++] = (struct http1_field){ name, value };
	return 0;
}

/* A line without its LF. */
static int
take_line(struct cgi_head *head, struct slice line)
{
	size_t n = http1_token(line);

	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	if (n == 0 || n == line.len || line.ptr[n] != ':')
		return refuse(head, "a line is not a field");
	struct slice name = slice_of(line.ptr, n);
	slice_advance(&line, n + 1);
	if (memchr(line.ptr, '\r', line.len) != NULL ||
		memchr(line.ptr, '\0', line.len) != NULL)
		return refuse(head, "CR or NUL in a field");
	return take_field(head, name, slice_trim(line));
}

int
cgi_decode_head(struct cgi_head *head, struct slice input, size_t *scanned)
{
	size_t length = find_end(input, scanned);

	if (length == 0)
		return 0;
	head->status = head->location = (struct slice){ 0 };
	head->n_fields = 0;
	head->error = NULL;
	if (length <= 2)
		return refuse(head, "no field at all");
	struct slice rest = slice_of(input.ptr, length);
	for (;;) {
		const char *lf = memchr(rest.ptr, '\n', rest.len);
		struct slice line = slice_of(rest.ptr, (size_t)(lf - rest.ptr));
		slice_advance(&rest, line.len + 1);
		if (take_line(head, line) != 0)
			return -1;
		if (rest.ptr[0] == '\n' || slice_starts(rest, SLICE("\r\n")))
			return (int)length;
	}
}
