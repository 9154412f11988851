/* The FastCGI codec: what one side encodes the other decodes, cut anywhere. */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#include "protocols/buffer.h"
#include "protocols/fastcgi.h"

Suite *fastcgi_suite(void);

/* A slice of a literal that may hold NUL bytes. */
#define BYTES(literal) slice_of("" literal, sizeof(literal) - 1)

static const char *const event_names[] = {
	[FASTCGI_BEGIN] = "begin",
	[FASTCGI_ABORT] = "abort",
	[FASTCGI_PARAMS] = "params",
	[FASTCGI_STDIN] = "stdin",
	[FASTCGI_STDOUT] = "stdout",
	[FASTCGI_STDERR] = "stderr",
	[FASTCGI_END] = "end",
	[FASTCGI_VALUES] = "values",
	[FASTCGI_IGNORED] = "ignored",
};

/* ---- What a decoder says, as text ---- */

struct transcript {
	struct buffer text;
	enum fastcgi_event stream; /* whose contents are being joined */
};

/* Contents of one stream that follow each other are joined, so that the transcript does
 * not depend on where the input was cut. */
static void
note(struct transcript *t, enum fastcgi_event event, const struct fastcgi_record *r)
{
	bool joins = event == t->stream && r->data.len != 0;

	t->stream = r->data.len != 0 ? event : FASTCGI_NEED_MORE;
	if (!joins)
		buffer_addf(&t->text, "%s%s", t->text.len != 0 ? " " : "",
			event_names[event]);
	if (event == FASTCGI_BEGIN)
		buffer_addf(&t->text, "(%u,%u,%u)", r->id, r->role, r->flags);
	else if (event == FASTCGI_END)
		buffer_addf(&t->text, "(%u,%u)", r->app_status, r->protocol_status);
	else if (r->data.len != 0)
		buffer_addf(&t->text, "%s%" SLICE_FMT, joins ? "" : "=",
			SLICE_ARG(r->data));
}

static bool
decode(struct transcript *t, struct fastcgi_decoder *d, struct slice in)
{
	const char *from = in.ptr, *to = in.ptr + in.len;

	for (;;) {
		enum fastcgi_event event = fastcgi_next(d, &in);

		if (event == FASTCGI_NEED_MORE) {
			ck_assert_uint_eq(in.len, 0);
			return true;
		}
		if (event == FASTCGI_ERROR) {
			buffer_addf(&t->text, "%serror: %s", t->text.len ? " " : "",
				d->error);
			return false;
		}
		if (d->record.data.len != 0) {
			ck_assert(d->record.data.ptr >= from);
			ck_assert(d->record.data.ptr + d->record.data.len <= to);
		}
		note(t, event, &d->record);
	}
}

/* Decodes copies of the parts in memory of their own, so that a sanitizer sees a byte
 * too much that is read. */
static void
expect_cut(enum fastcgi_side side, struct slice in, size_t first, size_t step,
	const char *expected)
{
	struct transcript t = { 0 };
	struct fastcgi_decoder d;
	bool more = true;

	fastcgi_decoder_init(&d, side, side == FASTCGI_CLIENT ? 1 : 0);
	for (size_t n = first; more && in.len != 0; n = step) {
		n = n < in.len ? n : in.len;
		char *part = malloc(n != 0 ? n : 1);
		memcpy(part, in.ptr, n);
		more = decode(&t, &d, slice_of(part, n));
		free(part);
		slice_advance(&in, n);
	}
	buffer_add_char(&t.text, '\0');
	ck_assert_str_eq(t.text.ptr, expected);
	buffer_release(&t.text);
}

static void
expect(enum fastcgi_side side, struct slice in, const char *expected)
{
	for (size_t first = 0; first <= in.len; first++)
		expect_cut(side, in, first, in.len, expected);
	expect_cut(side, in, 1, 1, expected);
	expect_cut(side, in, 3, 3, expected);
}

/* ---- Vectors ---- */

#define STDOUT_HI "\1\6\0\1\0\2\0\0hi"
#define END_OK "\1\3\0\1\0\x8\0\0\0\0\0\0\0\0\0\0"
#define BEGIN_1 "\1\1\0\1\0\x8\0\0\0\1\0\0\0\0\0\0"

static const struct vector {
	enum fastcgi_side side;
	struct slice in;
	const char *expected;
} vectors[] = {
	{ FASTCGI_CLIENT, SLICE_INIT(STDOUT_HI END_OK), "stdout=hi end(0,0)" },
	{ FASTCGI_CLIENT, SLICE_INIT("\1\6\0\1\0\2\3\0hixxx" END_OK),
		"stdout=hi end(0,0)" },
	{ FASTCGI_CLIENT, SLICE_INIT("\1\6\0\1\0\0\3\0xxx" END_OK), "stdout end(0,0)" },
	{ FASTCGI_CLIENT, SLICE_INIT(STDOUT_HI STDOUT_HI "\1\6\0\1\0\0\0\0" END_OK),
		"stdout=hihi stdout end(0,0)" },
	{ FASTCGI_CLIENT, SLICE_INIT(STDOUT_HI "\1\7\0\1\0\3\5\0badxxxxx" STDOUT_HI),
		"stdout=hi stderr=bad stdout=hi" },
	/* The reserved bytes carry anything; status and protocol status are kept. */
	{ FASTCGI_CLIENT, SLICE_INIT("\1\3\0\1\0\x8\1\xff\1\2\3\4\2xyzp"),
		"end(16909060,2)" },
	{ FASTCGI_CLIENT, SLICE_INIT("\1\xa\0\0\0\3\1\0abcx\1\xb\0\0\0\0\0\0" END_OK),
		"ignored ignored end(0,0)" },
	{ FASTCGI_CLIENT, SLICE_INIT("\1\x63\0\0\0\3\1\0abcx" END_OK),
		"ignored end(0,0)" },
	{ FASTCGI_CLIENT, SLICE_INIT("\1\x63\0\1\0\0\0\0"),
		"error: unknown record type" },
	{ FASTCGI_CLIENT, SLICE_INIT("\2\6\0\1\0\2\0\0hi"),
		"error: wrong protocol version" },
	{ FASTCGI_CLIENT, SLICE_INIT(STDOUT_HI "HTTP/1.1 200 OK\r\n\r\n"),
		"stdout=hi error: wrong protocol version" },
	{ FASTCGI_CLIENT, SLICE_INIT("\1\6\0\2\0\2\0\0hi"), "error: wrong request id" },
	{ FASTCGI_CLIENT, SLICE_INIT("\1\6\1\1\0\2\0\0hi"), "error: wrong request id" },
	{ FASTCGI_CLIENT, SLICE_INIT("\1\6\0\0\0\2\0\0hi"), "error: wrong request id" },
	{ FASTCGI_CLIENT, SLICE_INIT(BEGIN_1), "error: unexpected record type" },
	{ FASTCGI_CLIENT, SLICE_INIT("\1\5\0\1\0\0\0\0"),
		"error: unexpected record type" },
	{ FASTCGI_CLIENT, SLICE_INIT("\1\x9\0\0\0\0\0\0"),
		"error: unexpected record type" },
	{ FASTCGI_CLIENT, SLICE_INIT("\1\0\0\1\0\0\0\0"),
		"error: unexpected record type" },
	{ FASTCGI_CLIENT, SLICE_INIT("\1\3\0\1\0\7\0\0"),
		"error: record of a wrong length" },
	{ FASTCGI_CLIENT, SLICE_INIT("\1\3\0\1\xff\xff\0\0"),
		"error: record of a wrong length" },
	{ FASTCGI_CLIENT, SLICE_INIT("\1\3\0\1\0\0\0\0"),
		"error: record of a wrong length" },

	{ FASTCGI_RESPONDER,
		SLICE_INIT(BEGIN_1 "\1\4\0\1\0\4\0\0\1\1ab\1\4\0\1\0\0\0\0"
				   "\1\5\0\1\0\4\2\0bodyxx\1\5\0\1\0\0\0\0"),
		"begin(1,1,0) params=\1\1ab params stdin=body stdin" },
	{ FASTCGI_RESPONDER,
		SLICE_INIT("\1\1\x12\x34\0\x8\0\0\0\3\1\0\0\0\0\0\1\2\x12\x34\0\0\0\0"),
		"begin(4660,3,1) abort" },
	/* A second request while one is active, and its records. */
	{ FASTCGI_RESPONDER,
		SLICE_INIT(BEGIN_1 "\1\1\0\2\0\x8\0\0\0\1\1\0\0\0\0\0"
				   "\1\5\0\2\0\1\0\0x\1\5\0\1\0\1\0\0y"),
		"begin(1,1,0) begin(2,1,1) ignored stdin=y" },
	{ FASTCGI_RESPONDER, SLICE_INIT("\1\5\0\1\0\1\0\0x" BEGIN_1),
		"ignored begin(1,1,0)" },
	{ FASTCGI_RESPONDER, SLICE_INIT("\1\x9\0\0\0\1\0\0x" BEGIN_1),
		"values=x begin(1,1,0)" },
	{ FASTCGI_RESPONDER, SLICE_INIT("\1\1\0\0\0\x8\0\0\0\1\0\0\0\0\0\0"),
		"error: request without an id" },
	{ FASTCGI_RESPONDER, SLICE_INIT("\1\1\0\1\0\x9\0\0"),
		"error: record of a wrong length" },
	{ FASTCGI_RESPONDER, SLICE_INIT(STDOUT_HI), "error: unexpected record type" },
	{ FASTCGI_RESPONDER, SLICE_INIT("GET / HTTP/1.1\r\n"),
		"error: wrong protocol version" },
};

START_TEST(vector)
{
	const struct vector *v = &vectors[_i];

	expect(v->side, v->in, v->expected);
}
END_TEST

START_TEST(errors_stay)
{
	struct fastcgi_decoder d;
	struct slice bad = BYTES("\2\6\0\1\0\2\0\0"), good = BYTES(END_OK);

	fastcgi_decoder_init(&d, FASTCGI_CLIENT, 1);
	ck_assert_int_eq(fastcgi_next(&d, &bad), FASTCGI_ERROR);
	ck_assert_int_eq(fastcgi_next(&d, &good), FASTCGI_ERROR);
}
END_TEST

/* The next request of a kept connection may have another id. */
START_TEST(responder_is_used_again)
{
	struct fastcgi_decoder d;
	struct slice in = BYTES(BEGIN_1 "\1\1\0\7\0\x8\0\0\0\1\0\0\0\0\0\0");

	fastcgi_decoder_init(&d, FASTCGI_RESPONDER, 0);
	ck_assert_int_eq(fastcgi_next(&d, &in), FASTCGI_BEGIN);
	ck_assert_uint_eq(d.id, 1);
	d.id = 0;
	ck_assert_int_eq(fastcgi_next(&d, &in), FASTCGI_BEGIN);
	ck_assert_uint_eq(d.id, 7);
}
END_TEST

/* ---- Encoding ---- */

START_TEST(records_are_encoded)
{
	struct buffer out = { 0 };

	fastcgi_begin(&out, 0x102, FCGI_RESPONDER, FCGI_KEEP_CONN);
	fastcgi_stream(&out, FCGI_STDIN, 1, SLICE("hi"));
	fastcgi_stream_end(&out, FCGI_STDIN, 1);
	fastcgi_end(&out, 1, 0x01020304, FCGI_OVERLOADED);
	ck_assert(slice_eq(buffer_slice(&out),
		BYTES("\1\1\1\2\0\x8\0\0\0\1\1\0\0\0\0\0"
		      "\1\5\0\1\0\2\0\0hi"
		      "\1\5\0\1\0\0\0\0"
		      "\1\3\0\1\0\x8\0\0\1\2\3\4\2\0\0\0")));
	buffer_release(&out);
}
END_TEST

/* 65,535 bytes fit in a record, one more makes a second one; nothing is no record. */
START_TEST(streams_are_cut_into_records)
{
	struct buffer out = { 0 };
	char *content = calloc(1, 65536);

	fastcgi_stream(&out, FCGI_STDOUT, 1, slice_of(content, 0));
	ck_assert_uint_eq(out.len, 0);
	fastcgi_stream(&out, FCGI_STDOUT, 1, slice_of(content, 65535));
	ck_assert_uint_eq(out.len, 8 + 65535);
	fastcgi_stream(&out, FCGI_STDOUT, 1, slice_of(content, 65536));
	ck_assert_uint_eq(out.len, 2 * (8 + 65535) + 8 + 1);
	ck_assert_mem_eq(out.ptr + out.len - 9, "\1\6\0\1\0\1\0\0\0", 9);
	free(content);
	buffer_release(&out);
}
END_TEST

START_TEST(params_are_encoded)
{
	struct buffer out = { 0 };
	struct fastcgi_params p;

	fastcgi_params_init(&p, &out, 1);
	ck_assert_int_eq(fastcgi_params_add(&p, SLICE("A"), SLICE("bc")), 0);
	ck_assert_int_eq(fastcgi_params_add(&p, SLICE("E"), SLICE("")), 0);
	fastcgi_params_end(&p);
	ck_assert(slice_eq(buffer_slice(&out),
		BYTES("\1\4\0\1\0\x8\0\0\1\2Abc\1\0E\1\4\0\1\0\0\0\0")));
	buffer_reset(&out);
	fastcgi_params_init(&p, &out, 1);
	fastcgi_params_end(&p);
	ck_assert(slice_eq(buffer_slice(&out), BYTES("\1\4\0\1\0\0\0\0")));
	buffer_release(&out);
}
END_TEST

/* The longest pair: 65,535 bytes with its lengths. */
START_TEST(pair_of_a_whole_record)
{
	struct buffer out = { 0 };
	struct fastcgi_params p;
	char *text = calloc(1, 70000);

	fastcgi_params_init(&p, &out, 1);
	ck_assert_int_eq(
		fastcgi_params_add(&p, SLICE("N"), slice_of(text, 65535 - 5 - 1)), 0);
	ck_assert_int_eq(fastcgi_params_add(&p, SLICE("N"), slice_of(text, 65530)), -1);
	ck_assert_int_eq(fastcgi_params_add(&p, SLICE("N"), slice_of(text, 70000)), -1);
	ck_assert_int_eq(
		fastcgi_params_add(&p, slice_of(text, SIZE_MAX), SLICE("v")), -1);
	ck_assert_int_eq(fastcgi_params_add(&p, SLICE("M"), SLICE("v")), 0);
	fastcgi_params_end(&p);
	ck_assert_mem_eq(out.ptr, "\1\4\0\1\xff\xff\0\0", 8);
	ck_assert(slice_eq(
		slice_of(out.ptr + 8 + 65535, 12), BYTES("\1\4\0\1\0\4\0\0\1\1Mv")));
	ck_assert(!out.failed);
	free(text);
	buffer_release(&out);
}
END_TEST

START_TEST(out_of_room_is_sticky)
{
	struct buffer out;
	struct fastcgi_params p;

	for (size_t limit = 1; limit < 60; limit++) {
		buffer_init(&out, limit);
		fastcgi_begin(&out, 1, FCGI_RESPONDER, 0);
		fastcgi_params_init(&p, &out, 1);
		ck_assert_int_eq(
			fastcgi_params_add(&p, SLICE("NAME"), SLICE("0123456789")), 0);
		ck_assert_int_eq(
			fastcgi_params_add(&p, SLICE("NAME"), SLICE("0123456789")), 0);
		fastcgi_params_end(&p);
		ck_assert(out.failed);
		buffer_release(&out);
	}
}
END_TEST

/* Every record holds whole pairs only, and the pairs come back in their order. */
START_TEST(params_travel)
{
	struct buffer out = { 0 };
	struct fastcgi_params p;
	struct fastcgi_decoder d;
	struct slice name, value;
	char text[900] = { 0 };
	size_t n = 0;

	fastcgi_begin(&out, 1, FCGI_RESPONDER, 0);
	fastcgi_params_init(&p, &out, 1);
	for (size_t i = 0; i < sizeof(text); i++)
		ck_assert_int_eq(fastcgi_params_add(&p, slice_of(text, i % 300),
					 slice_of(text, i)),
			0);
	fastcgi_params_end(&p);
	fastcgi_decoder_init(&d, FASTCGI_RESPONDER, 0);
	struct slice in = buffer_slice(&out);
	ck_assert_int_eq(fastcgi_next(&d, &in), FASTCGI_BEGIN);
	while (fastcgi_next(&d, &in) == FASTCGI_PARAMS) {
		struct slice pairs = d.record.data;
		for (; fastcgi_pair_next(&pairs, &name, &value) == 1; n++) {
			ck_assert_uint_eq(name.len, n % 300);
			ck_assert_uint_eq(value.len, n);
		}
		ck_assert_uint_eq(pairs.len, 0);
	}
	ck_assert_uint_eq(n, sizeof(text));
	buffer_release(&out);
}
END_TEST

static const struct {
	struct slice in;
	int result; /* of the first pair */
	struct slice name, value;
} pairs[] = {
	{ SLICE_INIT(""), 0, SLICE_INIT(""), SLICE_INIT("") },
	{ SLICE_INIT("\0\0"), 1, SLICE_INIT(""), SLICE_INIT("") },
	{ SLICE_INIT("\1\2abc"), 1, SLICE_INIT("a"), SLICE_INIT("bc") },
	{ SLICE_INIT("\x80\0\0\1\x80\0\0\2abc"), 1, SLICE_INIT("a"), SLICE_INIT("bc") },
	{ SLICE_INIT("\1"), -1, SLICE_INIT(""), SLICE_INIT("") },
	{ SLICE_INIT("\1\1a"), -1, SLICE_INIT(""), SLICE_INIT("") },
	{ SLICE_INIT("\2\0a"), -1, SLICE_INIT(""), SLICE_INIT("") },
	{ SLICE_INIT("\x80"), -1, SLICE_INIT(""), SLICE_INIT("") },
	{ SLICE_INIT("\x80\0\0"), -1, SLICE_INIT(""), SLICE_INIT("") },
	{ SLICE_INIT("\1\x80\0\0a"), -1, SLICE_INIT(""), SLICE_INIT("") },
	{ SLICE_INIT("\xff\xff\xff\xff\1ab"), -1, SLICE_INIT(""), SLICE_INIT("") },
	{ SLICE_INIT("\xff\xff\xff\xff\xff\xff\xff\xff"), -1, SLICE_INIT(""),
		SLICE_INIT("") },
	{ SLICE_INIT("\1\xff\xff\xff\xff"
		     "ab"),
		-1, SLICE_INIT(""), SLICE_INIT("") },
};

START_TEST(pair)
{
	struct slice name, value;
	char *copy = malloc(pairs[_i].in.len + 1);

	memcpy(copy, pairs[_i].in.ptr, pairs[_i].in.len);
	copy = realloc(copy, pairs[_i].in.len != 0 ? pairs[_i].in.len : 1);
	struct slice in = slice_of(copy, pairs[_i].in.len);
	ck_assert_int_eq(fastcgi_pair_next(&in, &name, &value), pairs[_i].result);
	if (pairs[_i].result == 1) {
		ck_assert(slice_eq(name, pairs[_i].name));
		ck_assert(slice_eq(value, pairs[_i].value));
		ck_assert_int_eq(fastcgi_pair_next(&in, &name, &value), 0);
	}
	free(copy);
}
END_TEST

Suite *
fastcgi_suite(void)
{
	Suite *suite = suite_create("fastcgi");
	TCase *decoding = tcase_create("decoding");
	TCase *encoding = tcase_create("encoding");

	tcase_add_loop_test(decoding, vector, 0, sizeof(vectors) / sizeof(vectors[0]));
	tcase_add_loop_test(decoding, pair, 0, sizeof(pairs) / sizeof(pairs[0]));
	tcase_add_test(decoding, errors_stay);
	tcase_add_test(decoding, responder_is_used_again);
	suite_add_tcase(suite, decoding);
	tcase_add_test(encoding, records_are_encoded);
	tcase_add_test(encoding, streams_are_cut_into_records);
	tcase_add_test(encoding, params_are_encoded);
	tcase_add_test(encoding, pair_of_a_whole_record);
	tcase_add_test(encoding, out_of_room_is_sticky);
	tcase_add_test(encoding, params_travel);
	suite_add_tcase(suite, encoding);
	return suite;
}
