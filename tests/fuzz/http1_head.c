/* A request's head: whole, in two parts and byte by byte it is the same head. */
#include "protocols/http1.h"
#include "protocols/http1_guard.h"
#include "tests/fuzz/fuzz.h"

enum { FIELDS = 100 };

struct decoded {
	int n;
	const char *reason;
	struct http1_head head;
	struct http1_field fields[FIELDS];
};

/* Some inputs meet limits that are small enough to be reached. */
static struct http1_limits
choose_limits(struct slice in)
{
	static const struct http1_limits usual = { 4094, FIELDS, 8190, 1 << 20 };
	static const struct http1_limits small = { 40, 4, 30, 100 };

	return (fuzz_choice(in) & 3) == 0 ? small : usual;
}

static void
decode(struct slice in, size_t first, size_t step, struct decoded *out)
{
	struct http1_limits limits = choose_limits(in);
	struct http1_decoder d;

	*out = (struct decoded){ 0 };
	out->head.fields = out->fields;
	http1_decoder_init(&d, &limits);
	for (size_t n = first;; n += in.len - n < step ? in.len - n : step) {
		out->n = http1_decode_head(&d, slice_of(in.ptr, n), &out->head);
		if (out->n != 0 || n == in.len)
			break;
	}
	out->reason = d.reason;
}

static void
check_same(const struct decoded *a, const struct decoded *b)
{
	assert(a->n == b->n && a->reason == b->reason);
	if (a->n <= 0)
		return;
	assert(slice_eq(a->head.method, b->head.method));
	assert(slice_eq(a->head.target, b->head.target));
	assert(slice_eq(a->head.path, b->head.path));
	assert(slice_eq(a->head.query, b->head.query));
	assert(slice_eq(a->head.authority, b->head.authority));
	assert(a->head.framing == b->head.framing && a->head.length == b->head.length);
	assert(a->head.minor == b->head.minor);
	assert(a->head.keep_alive == b->head.keep_alive);
	assert(a->head.n_fields == b->head.n_fields);
	for (size_t i = 0; i < a->head.n_fields; i++) {
		assert(slice_eq(a->fields[i].name, b->fields[i].name));
		assert(slice_eq(a->fields[i].value, b->fields[i].value));
	}
}

static void
check_head(const struct decoded *d, struct slice in)
{
	const struct http1_head *h = &d->head;
	struct http1_limits limits = choose_limits(in);
	struct slice whole = slice_of(in.ptr, (size_t)d->n);

	assert((size_t)d->n <= in.len);
	assert(h->method.len > 0 && http1_token(h->method) == h->method.len);
	assert(h->path.len == 0 || h->path.ptr[0] == '/' ||
		slice_eq(h->path, SLICE("*")));
	assert((http1_classes(h->target) & HTTP1_NOT_TARGET) == 0);
	assert(fuzz_within(h->target, whole));
	assert(fuzz_within(h->path, whole) || slice_eq(h->path, SLICE("/")) ||
		slice_eq(h->path, SLICE("*")));
	assert(fuzz_within(h->query, whole) && fuzz_within(h->authority, whole));
	assert(h->minor <= 1 && (h->minor == 0 || h->authority.len > 0));
	assert(h->framing != HTTP1_LENGTH || h->length <= limits.body);
	assert(h->framing != HTTP1_CHUNKED || h->minor == 1);
	assert(h->n_fields <= limits.fields);
	for (size_t i = 0; i < h->n_fields; i++) {
		struct http1_field f = h->fields[i];
		assert(f.name.len > 0 && http1_token(f.name) == f.name.len);
		assert((http1_classes(f.value) & HTTP1_NOT_VALUE) == 0);
		assert(slice_trim(f.value).len == f.value.len);
		assert(fuzz_within(f.name, whole) && fuzz_within(f.value, whole));
		assert(f.name.len + 1 + f.value.len <= limits.field_size);
	}
}

void
fuzz_http1_head(struct slice in)
{
	static struct decoded whole, other;

	decode(in, in.len, 1, &whole);
	assert((whole.n < 0) == (whole.reason != NULL));
	assert(whole.n >= 0 || (whole.n <= -400 && whole.n > -600));
	if (whole.n > 0)
		check_head(&whole, in);
	decode(in, fuzz_choice(in) % (in.len + 1), in.len, &other);
	check_same(&whole, &other);
	decode(in, 0, 1, &other);
	check_same(&whole, &other);
}
