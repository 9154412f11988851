/*
 * FastCGI, both sides of a connection: the same events and streams however the bytes
 * are cut; and pairs of a PARAMS stream are the same when they are encoded again.
 */
#include "protocols/fastcgi.h"
#include "tests/fuzz/fuzz.h"

/* What came of the bytes. A stream's content may come in any number of parts. */
struct trace {
	struct buffer events;
	struct buffer streams[FASTCGI_IGNORED + 1];
	const char *error;
};

static void
note(struct trace *t, enum fastcgi_event event, const struct fastcgi_record *r)
{
	if (r->data.len > 0) {
		buffer_add_slice(&t->streams[event], r->data);
		return;
	}
	buffer_addf(&t->events, "%d %u %u %u %u %u %u %zu\n", event, r->type, r->id,
		r->role, r->flags, r->app_status, r->protocol_status,
		t->streams[event].len);
}

static void
decode(struct slice in, enum fastcgi_side side, size_t first, size_t step,
	struct trace *t)
{
	struct fastcgi_decoder d;
	enum fastcgi_event event;

	*t = (struct trace){ 0 };
	fastcgi_decoder_init(&d, side, side == FASTCGI_CLIENT ? 1 : 0);
	for (size_t begin = 0, end = first;;) {
		struct slice rest = slice_of(in.ptr + begin, end - begin);
		while ((event = fastcgi_next(&d, &rest)) > FASTCGI_NEED_MORE) {
			assert(fuzz_within(d.record.data, in));
			note(t, event, &d.record);
		}
		if (event == FASTCGI_ERROR || end == in.len)
			break;
		assert(rest.len == 0);
		begin = end;
		end = in.len - end < step ? in.len : end + step;
	}
	assert((event == FASTCGI_ERROR) == (d.error != NULL));
	t->error = d.error;
}

static void
trace_release(struct trace *t)
{
	buffer_release(&t->events);
	for (size_t i = 0; i <= FASTCGI_IGNORED; i++)
		buffer_release(&t->streams[i]);
}

static void
check_same(const struct trace *a, struct trace *b)
{
	assert(a->error == b->error);
	assert(slice_eq(buffer_slice(&a->events), buffer_slice(&b->events)));
	for (size_t i = 0; i <= FASTCGI_IGNORED; i++)
		assert(slice_eq(
			buffer_slice(&a->streams[i]), buffer_slice(&b->streams[i])));
	trace_release(b);
}

/* Encodes the pairs of a stream, decodes what came out, and finds them again. */
static void
check_pairs(struct slice stream)
{
	struct slice again, name, value, same_name, same_value, rest = stream;
	struct buffer out = { 0 };
	struct fastcgi_params p;
	struct trace t;

	fastcgi_begin(&out, 1, FCGI_RESPONDER, 0);
	fastcgi_params_init(&p, &out, 1);
	while (fastcgi_pair_next(&rest, &name, &value) == 1)
		if (fastcgi_params_add(&p, name, value) != 0)
			assert(name.len + value.len + 8 > FCGI_MAX_LENGTH);
	fastcgi_params_end(&p);
	assert(!out.failed);
	decode(buffer_slice(&out), FASTCGI_RESPONDER, out.len, 1, &t);
	assert(t.error == NULL);
	again = buffer_slice(&t.streams[FASTCGI_PARAMS]);
	while (fastcgi_pair_next(&again, &same_name, &same_value) == 1) {
		do
			assert(fastcgi_pair_next(&stream, &name, &value) == 1);
		while (name.len + value.len + 8 > FCGI_MAX_LENGTH);
		assert(slice_eq(name, same_name) && slice_eq(value, same_value));
	}
	assert(again.len == 0);
	trace_release(&t);
	buffer_release(&out);
}

void
fuzz_fastcgi(struct slice in)
{
	for (enum fastcgi_side side = FASTCGI_CLIENT; side <= FASTCGI_RESPONDER;
		side++) {
		struct trace whole, other;
		decode(in, side, in.len, 1, &whole);
		decode(in, side, fuzz_choice(in) % (in.len + 1), in.len, &other);
		check_same(&whole, &other);
		decode(in, side, 0, 1, &other);
		check_same(&whole, &other);
		check_pairs(buffer_slice(&whole.streams[FASTCGI_PARAMS]));
		trace_release(&whole);
	}
	check_pairs(in);
}
