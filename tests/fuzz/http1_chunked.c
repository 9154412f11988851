/* A chunked body: however it is cut, it is the same body and ends at the same byte. */
#include "protocols/http1.h"
#include "tests/fuzz/fuzz.h"

enum { LIMIT = 1000 };

struct decoded {
	int status;
	const char *reason;
	size_t taken;
	struct buffer body;
};

static void
decode(struct slice in, size_t first, size_t step, struct decoded *out)
{
	struct http1_chunked c;
	size_t begin = 0, end = first;
	struct slice rest, data;

	*out = (struct decoded){ 0 };
	http1_chunked_init(&c, LIMIT);
	for (;;) {
		rest = slice_of(in.ptr + begin, end - begin);
		while ((out->status = http1_chunked_next(&c, &rest, &data)) ==
			HTTP1_DATA) {
			assert(data.len > 0 && fuzz_within(data, in));
			buffer_add_slice(&out->body, data);
		}
		if (out->status != HTTP1_NEED_MORE || end == in.len)
			break;
		assert(rest.len == 0);
		begin = end;
		end = in.len - end < step ? in.len : end + step;
	}
	out->taken = (size_t)(rest.ptr - in.ptr);
	out->reason = c.reason;
	assert(out->taken <= in.len);
	assert(c.total <= LIMIT || out->status < 0);
}

static void
check_same(struct decoded *a, struct decoded *b)
{
	assert(a->status == b->status && a->reason == b->reason);
	assert(slice_eq(buffer_slice(&a->body), buffer_slice(&b->body)));
	assert(a->status < 0 || a->taken == b->taken);
	buffer_release(&b->body);
}

void
fuzz_http1_chunked(struct slice in)
{
	struct decoded whole, other;

	decode(in, in.len, 1, &whole);
	assert(whole.body.len <= LIMIT);
	assert((whole.status < 0) == (whole.reason != NULL));
	decode(in, fuzz_choice(in) % (in.len + 1), in.len, &other);
	check_same(&whole, &other);
	decode(in, 0, 1, &other);
	check_same(&whole, &other);
	buffer_release(&whole.body);
}
