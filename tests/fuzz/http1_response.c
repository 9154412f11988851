/*
 * A response's head: whatever an application says, what goes out is a status line and
 * the fields that were taken, and no other line. The input is "status|name:value|…".
 */
#include "protocols/http1.h"
#include "protocols/http1_guard.h"
#include "tests/fuzz/fuzz.h"

static struct slice
next_part(struct slice *in, char separator)
{
	const char *at = in->len > 0 ? memchr(in->ptr, separator, in->len) : NULL;
	struct slice part =
		slice_of(in->ptr, at != NULL ? (size_t)(at - in->ptr) : in->len);

	slice_advance(in, part.len + (at != NULL));
	return part;
}

/* The lines up to the empty one, which must be the end; returns the number of fields.
 */
static size_t
check_lines(struct slice text)
{
	size_t lines = 0, lengths = 0;

	assert(slice_starts(text, SLICE("HTTP/1.1 ")));
	for (;; lines++) {
		struct slice line = next_part(&text, '\r');
		assert(text.len > 0 && text.ptr[0] == '\n');
		slice_advance(&text, 1);
		if (line.len == 0)
			break;
		assert((http1_classes(line) & HTTP1_NOT_VALUE) == 0);
		size_t n = http1_token(line);
		assert(lines == 0 || (n > 0 && n < line.len && line.ptr[n] == ':'));
		lengths += slice_caseeq(slice_of(line.ptr, n), SLICE("Content-Length"));
	}
	assert(text.len == 0 && lengths <= 1);
	return lines - 1;
}

void
fuzz_http1_response(struct slice in)
{
	struct http1_response r = { .length = -1 };
	struct buffer out = { 0 };
	uint32_t choice = fuzz_choice(in);
	struct http1_reply reply = {
		.framing = choice % 3,
		.length = choice,
		.keep_alive = (choice & 8) != 0,
		.http10 = (choice & 16) != 0,
		.server = SLICE("alicorn"),
	};
	size_t taken = 0;

	if (http1_response_status(&r, next_part(&in, '|')) != 0) {
		assert(r.error != NULL);
		goto out;
	}
	assert(r.status >= 200 && r.status < 600 && r.length == -1);
	while (in.len > 0) {
		struct slice value = next_part(&in, '|');
		struct slice name = next_part(&value, ':');
		size_t before = r.fields.len;
		bool good = http1_response_field(&r, name, value) == 0;
		assert(good || (r.error != NULL && r.fields.len == before));
		taken += r.fields.len != before;
	}
	http1_encode_head(&out, &r, &reply);
	assert(!out.failed);
	size_t own = (size_t)!r.has_server + (reply.framing != HTTP1_NO_BODY) +
		(!reply.keep_alive || reply.http10);
	assert(check_lines(buffer_slice(&out)) == taken + own);
out:
	http1_response_release(&r);
	buffer_release(&out);
}
