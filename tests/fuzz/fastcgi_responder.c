/*
 * A responder's side of FastCGI: the same parts of the same requests, and the same
 * answers, however the bytes are cut; what the variables say is a head whose environ
 * keeps the promises of any; and a response that is cut into records is read as it was.
 */
#include "protocols/fastcgi_responder.h"

#include <stdlib.h>

#include "protocols/cgi_request.h"
#include "tests/fuzz/fuzz.h"

enum { FIELDS = 100 };

/* What came of the bytes. A stream's content may come in any number of parts. */
struct trace {
	struct buffer parts, params, input, answers;
	const char *error;
};

static void
note(struct trace *t, enum fastcgi_part part, const struct fastcgi_responder *r,
	struct slice data)
{
	if (part == FASTCGI_HEAD)
		buffer_add_slice(&t->params, data);
	else if (part == FASTCGI_INPUT)
		buffer_add_slice(&t->input, data);
	else
		buffer_addf(&t->parts, "%d %d %d %zu %zu\n", part, r->keep,
			r->decoder.id, t->params.len, t->input.len);
}

static void
decode(struct slice in, size_t first, size_t step, struct trace *t)
{
	struct fastcgi_responder r;
	enum fastcgi_part part;
	struct slice data;

	*t = (struct trace){ 0 };
	fastcgi_responder_init(&r, 7);
	for (size_t begin = 0, end = first;;) {
		struct slice rest = slice_of(in.ptr + begin, end - begin);
		while ((part = fastcgi_responder_next(&r, &rest, &data, &t->answers)) >
			FASTCGI_MORE) {
			assert(fuzz_within(data, in));
			note(t, part, &r, data);
			if (part == FASTCGI_INPUT_END)
				fastcgi_responder_reset(&r);
		}
		if (part == FASTCGI_BROKEN || end == in.len)
			break;
		assert(rest.len == 0);
		begin = end;
		end = in.len - end < step ? in.len : end + step;
	}
	assert((part == FASTCGI_BROKEN) == (r.error != NULL));
	t->error = r.error;
}

static void
trace_release(struct trace *t)
{
	buffer_release(&t->parts);
	buffer_release(&t->params);
	buffer_release(&t->input);
	buffer_release(&t->answers);
}

static void
check_same(const struct trace *a, struct trace *b)
{
	assert(a->error == b->error);
	assert(slice_eq(buffer_slice(&a->parts), buffer_slice(&b->parts)));
	assert(slice_eq(buffer_slice(&a->params), buffer_slice(&b->params)));
	assert(slice_eq(buffer_slice(&a->input), buffer_slice(&b->input)));
	assert(slice_eq(buffer_slice(&a->answers), buffer_slice(&b->answers)));
	trace_release(b);
}

static void
check_environ(const struct cgi_request *told, struct http1_head *head)
{
	struct cgi_var vars[CGI_OWN_VARS + FIELDS];
	struct arena memory = { 0 };
	struct cgi_source source = {
		.head = head,
		.scheme = told->is_https ? "https" : "http",
		.server_name = "a",
		.server_port = "80",
		.remote_addr = "",
		.remote_port = "",
		.software = "alicorn",
		.script_name = told->vars[CGI_SCRIPT_NAME].ptr,
		.underscores = true,
		.told = told,
	};
	size_t n = cgi_environ(&source, vars, &memory);

	assert(n > 0 && n <= CGI_OWN_VARS + head->n_fields);
	for (size_t i = 0; i < n; i++) {
		assert(strlen(vars[i].name) == vars[i].name_len);
		assert(strlen(vars[i].value) == vars[i].value_len);
		assert(strcmp(vars[i].name, "HTTP_PROXY") != 0);
		for (size_t k = 0; k < i; k++)
			assert(strcmp(vars[i].name, vars[k].name) != 0);
	}
	arena_release(&memory);
}

/* In memory of just the variables and the byte behind them. */
static void
check_variables(struct slice params)
{
	static const struct http1_limits limits = { 4094, FIELDS, 8190, 1 << 20 };
	struct http1_field fields[FIELDS];
	struct http1_head head = { .fields = fields };
	struct cgi_request told;
	char *own = malloc(params.len + 1);

	assert(own != NULL);
	if (params.len > 0)
		memcpy(own, params.ptr, params.len);
	if (cgi_read_request(&told, &head, &limits, slice_of(own, params.len)) == 0)
		check_environ(&told, &head);
	else
		assert(told.error != NULL);
	free(own);
}

/* Pieces of the input, of any lengths, some of them empty. */
static void
check_cutter(struct slice in)
{
	size_t cut = fuzz_choice(in) % (in.len + 1);
	struct iovec pieces[] = {
		{ (char *)in.ptr, cut },
		{ (char *)in.ptr, 0 },
		{ (char *)in.ptr + cut, in.len - cut },
	};
	struct iovec out[5];
	struct fastcgi_cutter c;
	struct fastcgi_decoder d;
	struct buffer wire = { 0 }, got = { 0 };
	enum fastcgi_event event;
	size_t n;

	fastcgi_cutter_init(&c, 5, pieces, 3, true);
	while ((n = fastcgi_cut(&c, out)) > 0)
		for (size_t i = 0; i < n; i++)
			buffer_add(&wire, out[i].iov_base, out[i].iov_len);
	assert(wire.len % 8 == 0);
	fastcgi_decoder_init(&d, FASTCGI_CLIENT, 5);
	struct slice rest = buffer_slice(&wire);
	while ((event = fastcgi_next(&d, &rest)) == FASTCGI_STDOUT)
		buffer_add_slice(&got, d.record.data);
	assert(event == FASTCGI_END && rest.len == 0);
	assert(slice_eq(buffer_slice(&got), in));
	buffer_release(&wire);
	buffer_release(&got);
}

void
fuzz_fastcgi_responder(struct slice in)
{
	struct trace whole, other;

	decode(in, in.len, 1, &whole);
	decode(in, fuzz_choice(in) % (in.len + 1), in.len, &other);
	check_same(&whole, &other);
	decode(in, 0, 1, &other);
	check_same(&whole, &other);
	check_variables(buffer_slice(&whole.params));
	check_variables(in);
	check_cutter(in);
	trace_release(&whole);
}
