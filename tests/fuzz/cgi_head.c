/* The head of a CGI response: byte by byte it is the same as whole, and holds no line
 * end. */
#include "protocols/cgi.h"
#include "protocols/http1_guard.h"
#include "tests/fuzz/fuzz.h"

enum { FIELDS = 20 };

static bool
is_text(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == '\r' || s.ptr[i] == '\n' || s.ptr[i] == '\0')
			return false;
	return true;
}

static void
check_head(const struct cgi_head *head, struct slice whole)
{
	assert(head->n_fields + head->status.len > 0);
	assert(is_text(head->status) && fuzz_within(head->status, whole));
	assert(is_text(head->location) && fuzz_within(head->location, whole));
	for (size_t i = 0; i < head->n_fields; i++) {
		struct http1_field f = head->fields[i];
		assert(f.name.len > 0 && http1_token(f.name) == f.name.len);
		assert(!slice_caseeq(f.name, SLICE("Status")));
		assert(is_text(f.value) && fuzz_within(f.value, whole));
	}
}

void
fuzz_cgi_head(struct slice in)
{
	struct http1_field fields[FIELDS], others[FIELDS];
	struct cgi_head head = { .fields = fields, .max_fields = FIELDS };
	struct cgi_head other = { .fields = others, .max_fields = FIELDS };
	size_t scanned = 0, n = 0;
	int length = cgi_decode_head(&head, in, &scanned), dripped;

	assert(length <= (int)in.len && scanned <= in.len);
	if (length > 0)
		check_head(&head, slice_of(in.ptr, (size_t)length));
	assert(length >= 0 || head.error != NULL);
	scanned = 0;
	while ((dripped = cgi_decode_head(&other, slice_of(in.ptr, n), &scanned)) ==
			0 &&
		n < in.len)
		n++;
	assert(dripped == length && (length <= 0 || n == (size_t)length));
	if (length <= 0)
		return;
	assert(slice_eq(head.status, other.status) && head.n_fields == other.n_fields);
	for (size_t i = 0; i < head.n_fields; i++)
		assert(slice_eq(fields[i].value, others[i].value));
}
