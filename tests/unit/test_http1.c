/* Requests: every vector of tests/vectors/http1, cut at every place. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocols/http1.h"
#include "protocols/http1_guard.h"
#include "tests/unit/vectors.h"

Suite *http1_suite(void);

enum {
	ALL_CUTS = 2000, /* a longer vector is cut near its ends and here and there */
	NEAR_ENDS = 80,
	FIELDS_MAX = 2000,
	MORE = 1, /* beside 0 and negative statuses: the input ends too early */
};

static const struct http1_limits usual_limits = {
	.line = 4094,
	.fields = 100,
	.field_size = 8190,
	.body = 1 << 20,
};

/* What became of a vector. */
struct outcome {
	int status; /* 0: complete */
	const char *reason;
	struct http1_head head;
	struct buffer body, rest;
};

/* A request that arrives in two parts. Each step sees an allocation of just the bytes
 * that are there, so that a sanitizer sees each look beyond them. */
struct play {
	struct slice raw;
	struct http1_decoder decoder;
	struct http1_chunked chunked;
	size_t head_length;
	size_t taken;
	char *bytes;
	struct outcome *out;
};

static int
play_head(struct play *p, size_t received)
{
	struct outcome *out = p->out;

	free(p->bytes);
	p->bytes = malloc(received != 0 ? received : 1);
	memcpy(p->bytes, p->raw.ptr, received);
	int n = http1_decode_head(
		&p->decoder, slice_of(p->bytes, received), &out->head);
	out->reason = p->decoder.reason;
	if (n <= 0)
		return n < 0 ? n : MORE;
	ck_assert_uint_eq(p->decoder.scanned + p->decoder.line + p->decoder.lines, 0);
	p->head_length = p->taken = (size_t)n;
	if (out->head.framing == HTTP1_CHUNKED)
		http1_chunked_init(&p->chunked, p->decoder.limits.body);
	return 0;
}

static int
play_chunked(struct play *p, struct slice *in)
{
	struct slice data;
	int n;

	while ((n = http1_chunked_next(&p->chunked, in, &data)) == HTTP1_DATA)
		buffer_add_slice(&p->out->body, data);
	p->out->reason = p->chunked.reason;
	if (n == HTTP1_NEED_MORE)
		ck_assert_uint_eq(in->len, 0);
	return n == HTTP1_END ? 0 : n < 0 ? n : MORE;
}

static int
play_body(struct play *p, size_t received)
{
	struct slice in = slice_of(p->raw.ptr + p->taken, received - p->taken);
	struct outcome *out = p->out;
	int status = 0;

	if (out->head.framing == HTTP1_CHUNKED) {
		status = play_chunked(p, &in);
	} else if (out->head.framing == HTTP1_LENGTH) {
		uint64_t left = out->head.length - out->body.len;
		size_t n = left < in.len ? (size_t)left : in.len;
		buffer_add(&out->body, in.ptr, n);
		slice_advance(&in, n);
		status = out->body.len == out->head.length ? 0 : MORE;
	}
	p->taken = received - in.len;
	return status;
}

static int
play_to(struct play *p, size_t received)
{
	int status = p->head_length == 0 ? play_head(p, received) : 0;

	if (status == 0)
		status = play_body(p, received);
	return status;
}

static void
limit(struct http1_limits *limits, const char *text)
{
	unsigned long n;

	if (sscanf(text, "limit line %lu", &n) == 1)
		limits->line = n;
	else if (sscanf(text, "limit fields %lu", &n) == 1)
		limits->fields = n;
	else if (sscanf(text, "limit field_size %lu", &n) == 1)
		limits->field_size = n;
	else if (sscanf(text, "limit body %lu", &n) == 1)
		limits->body = n;
}

/* One expectation against the outcome. What it says stands in `got` in the same words.
 */
static bool
meets(const struct outcome *out, const char *expect)
{
	const struct http1_head *h = &out->head;
	const struct {
		const char *word;
		struct slice value;
	} parts[] = {
		{ "method ", h->method },
		{ "target ", h->target },
		{ "path ", h->path },
		{ "query ", h->query },
		{ "authority ", h->authority },
		{ "body ", buffer_slice(&out->body) },
		{ "rest ", buffer_slice(&out->rest) },
		{ "version ", h->minor == 0 ? SLICE("1.0") : SLICE("1.1") },
		{ "keep-alive ", h->keep_alive ? SLICE("yes") : SLICE("no") },
		{ "continue ", h->expect_continue ? SLICE("yes") : SLICE("no") },
		{ "framing ",
			h->framing == HTTP1_NO_BODY	     ? SLICE("none")
				: h->framing == HTTP1_LENGTH ? SLICE("length")
							     : SLICE("chunked") },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t n = strlen(parts[i].word);
		if (strncmp(expect, parts[i].word, n) == 0)
			return slice_eq(parts[i].value, slice_str(expect + n));
	}
	unsigned long number;
	if (sscanf(expect, "fields %lu", &number) == 1)
		return h->n_fields == number;
	if (sscanf(expect, "bytes %lu", &number) == 1)
		return out->body.len == number;
	for (size_t i = 0; strncmp(expect, "field ", 6) == 0 && i < h->n_fields; i++) {
		struct slice text = slice_str(expect + 6), name = h->fields[i].name;
		if (!slice_starts(text, name) || text.ptr[name.len] != ':')
			continue;
		slice_advance(&text, name.len + 1);
		if (slice_eq(slice_trim(text), h->fields[i].value))
			return true;
	}
	return false;
}

static bool
status_meets(const struct outcome *out, const char *expect)
{
	int status = 0, read = 0;

	if (strcmp(expect, "ok") == 0)
		return out->status == 0 && out->reason == NULL;
	if (strcmp(expect, "more") == 0)
		return out->status == MORE && out->reason == NULL;
	if (sscanf(expect, "%d %n", &status, &read) != 1 || out->reason == NULL)
		return false;
	return out->status == -status &&
		(expect[read] == '\0' || strcmp(out->reason, expect + read) == 0);
}

/* The first expectation that is not met, or NULL. */
static const char *
unmet(const struct vector *v, const struct outcome *out)
{
	if (!status_meets(out, v->expects[0]))
		return v->expects[0];
	for (size_t i = 1; i < v->n_expects; i++) {
		if (strncmp(v->expects[i], "limit ", 6) != 0 &&
			!meets(out, v->expects[i]))
			return v->expects[i];
	}
	return NULL;
}

/* Plays the vector with `step` bytes first, and then always as many more, or all. */
static const char *
play(const struct vector *v, size_t first, size_t step)
{
	static struct http1_field fields[FIELDS_MAX];
	struct outcome out = { .head.fields = fields };
	struct play p = { .raw = v->raw, .out = &out };
	struct http1_limits limits = usual_limits;
	size_t received = first;

	for (size_t i = 0; i < v->n_expects; i++)
		limit(&limits, v->expects[i]);
	http1_decoder_init(&p.decoder, &limits);
	while ((out.status = play_to(&p, received)) == MORE && received < v->raw.len)
		received = v->raw.len - received < step ? v->raw.len : received + step;
	if (out.status == 0)
		buffer_add(&out.rest, v->raw.ptr + p.taken, v->raw.len - p.taken);
	const char *fault = unmet(v, &out);
	free(p.bytes);
	buffer_release(&out.body);
	buffer_release(&out.rest);
	return fault;
}

static const char *
play_all_cuts(const struct vector *v, size_t *cut)
{
	size_t n = v->raw.len;
	const char *fault = NULL;

	for (*cut = 0; *cut <= n; ++*cut) {
		if (n > ALL_CUTS && *cut > NEAR_ENDS && *cut < n - NEAR_ENDS &&
			*cut % (n / 16) != 0)
			continue;
		if ((fault = play(v, *cut, n)) != NULL)
			return fault;
	}
	return n <= ALL_CUTS ? play(v, 0, 1) : NULL;
}

static void
count_faults(const struct vector *v, void *arg)
{
	size_t *faults = arg, cut = 0;

	*faults += play_all_cuts(v, &cut) != NULL;
}

static void
report_faults(const struct vector *v, void *arg)
{
	size_t *faults = arg, cut = 0;
	const char *fault = play_all_cuts(v, &cut);

	if (fault == NULL)
		return;
	fprintf(stderr, "%s: not \"%s\" when cut at %zu of %zu\n", v->name, fault, cut,
		v->raw.len);
	++*faults;
}

START_TEST(vectors_are_decoded_at_every_cut)
{
	size_t faults = 0;

	ck_assert_uint_ge(vectors_each("http1", report_faults, &faults), 300);
	ck_assert_uint_eq(faults, 0);
}
END_TEST

/* A vector that cannot fail shows nothing: each of these says one wrong thing. */
START_TEST(a_wrong_expectation_is_found)
{
	static const char *const wrong[] = { "400", "more", "501 x", "ok\n> method get",
		"ok\n> target /a", "ok\n> path /a?b", "ok\n> query ",
		"ok\n> authority b", "ok\n> version 1.0", "ok\n> keep-alive no",
		"ok\n> continue yes", "ok\n> framing none", "ok\n> framing chunked",
		"ok\n> fields 1", "ok\n> fields 3", "ok\n> field Host: b",
		"ok\n> field X: a", "ok\n> body hell", "ok\n> bytes 4", "ok\n> rest ",
		"ok\n> no such word", "ok\n> limit body 4", "ok\n> limit line 1",
		"ok\n> limit fields 1", "ok\n> limit field_size 8" };
	static const char request[] =
		"GET /a?b HTTP/1.1\\r\\n\n"
		"Host: a\\r\\n\nContent-Length: 5\\r\\n\n\\r\\n\nhelloX\n";
	struct buffer text = { 0 };
	size_t n = sizeof(wrong) / sizeof(wrong[0]), faults = 0;

	buffer_addf(
		&text, "=== right\n> ok\n> fields 2\n> bytes 5\n> rest X\n%s", request);
	for (size_t i = 0; i < n; i++)
		buffer_addf(&text, "=== %zu\n> %s\n%s", i, wrong[i], request);
	buffer_add_char(&text, '\0');
	ck_assert_uint_eq(vectors_in(text.ptr, count_faults, &faults), n + 1);
	ck_assert_uint_eq(faults, n);
	buffer_release(&text);
}
END_TEST

/* What was looked at once is not looked at again: the next call begins at `scanned`. */
START_TEST(a_dripped_head_is_scanned_once)
{
	static const char text[] =
		"\r\nGET / HTTP/1.1\r\nHost: a\r\nX: bbbbbbbbbb\r\n\r\n";
	struct http1_field fields[100];
	struct http1_head head = { .fields = fields };
	struct http1_decoder d;

	http1_decoder_init(&d, &usual_limits);
	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		ck_assert_int_eq(http1_decode_head(&d, slice_of(text, n), &head), 0);
		ck_assert_uint_eq(d.scanned, n);
		ck_assert_uint_le(d.line, n);
		ck_assert(d.line == 0 || text[d.line - 1] == '\n');
	}
	ck_assert_int_eq(http1_decode_head(&d, slice_of(text, sizeof(text) - 1), &head),
		sizeof(text) - 1);
}
END_TEST

START_TEST(one_decoder_reads_many_requests)
{
	static const char text[] = "GET /1 HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"
				   "GET /2 HTTP/1.0\r\n\r\n"
				   "GET /3 HTTP/1.1\r\nHost: c\r\nX: y\r\nZ: z\r\n\r\n";
	struct http1_limits limits = { .line = 20, .fields = 2, .field_size = 20 };
	struct http1_field fields[2];
	struct http1_head head = { .fields = fields };
	struct slice in = slice_str(text);
	struct http1_decoder d;

	http1_decoder_init(&d, &limits);
	slice_advance(&in, (size_t)http1_decode_head(&d, in, &head));
	ck_assert(slice_eq(head.target, SLICE("/1")) && head.n_fields == 2);
	slice_advance(&in, (size_t)http1_decode_head(&d, in, &head));
	ck_assert(slice_eq(head.target, SLICE("/2")) && head.n_fields == 0);
	ck_assert_uint_eq(head.authority.len, 0);
	ck_assert_int_eq(http1_decode_head(&d, in, &head), -431);
	ck_assert_str_eq(d.reason, "too many fields");
}
END_TEST

static int
decode_text(const char *text, size_t n)
{
	struct http1_field fields[100];
	struct http1_head head = { .fields = fields };
	struct http1_decoder d;

	http1_decoder_init(&d, &usual_limits);
	return http1_decode_head(&d, slice_of(text, n), &head);
}

/* Every byte, in the middle of the method, the target, a name, a value and a host. */
START_TEST(bytes_are_allowed_where_they_are)
{
	static const char tchar[] =
		"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char host[] = "!$&'()*+,;=-._~0123456789abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char text[] = "G_T /a_b HTTP/1.1\r\nHost: a_b\r\nX_Y: a_b\r\n\r\n";
	enum { METHOD = 1, TARGET = 6, HOST = 26, NAME = 31, VALUE = 36 };
	const size_t n = sizeof(text) - 1;

	for (int c = 0; c < 256; c++) {
		bool token = c != 0 && strchr(tchar, c) != NULL;
		bool visible = c > ' ' && c < 0x7f && c != '#' && c != '%';
		bool in_host = c != 0 && strchr(host, c) != NULL;
		bool in_value = c == '\t' || (c >= ' ' && c != 0x7f);
		text[METHOD] = (char)c;
		int status = c == 'E' ? (int)n : token ? -501 : -400;
		ck_assert_int_eq(decode_text(text, n), status);
		text[METHOD] = 'E';
		text[TARGET] = (char)c;
		ck_assert_int_eq(decode_text(text, n), visible ? (int)n : -400);
		text[TARGET] = '_';
		text[HOST] = (char)c;
		ck_assert_int_eq(decode_text(text, n), in_host ? (int)n : -400);
		text[HOST] = '_';
		text[NAME] = (char)c;
		ck_assert_int_eq(
			decode_text(text, n), token || c == ':' ? (int)n : -400);
		text[NAME] = '_';
		text[VALUE] = (char)c;
		ck_assert_int_eq(decode_text(text, n), in_value ? (int)n : -400);
		text[VALUE] = '_';
	}
}
END_TEST

/* Every byte, at every place of values that take one word and more to look at. */
START_TEST(values_are_looked_at_whole)
{
	char text[40];

	for (size_t len = 1; len < sizeof(text); len++)
		for (size_t at = 0; at < len; at++)
			for (int c = 0; c < 256; c++) {
				bool good = c == '\t' || (c >= ' ' && c != 0x7f);
				memset(text, at % 2 == 0 ? '\t' : 0x80, sizeof(text));
				text[at] = (char)c;
				ck_assert(http1_is_value(slice_of(text, len)) == good);
			}
}
END_TEST

START_TEST(numbers_end_at_the_largest)
{
	static const struct {
		const char *text;
		uint64_t number; /* 0: refused */
	} rows[] = {
		{ "1", 1 },
		{ "00042", 42 },
		{ "9223372036854775807", INT64_MAX },
		{ "9223372036854775808", 0 },
		{ "9223372036854775810", 0 },
		{ "18446744073709551617", 0 },
		{ "92233720368547758071", 0 },
		{ "", 0 },
		{ "1a", 0 },
		{ "-1", 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t number = 0;
		bool good = http1_number(slice_str(rows[i].text), &number);
		ck_assert(good == (rows[i].number != 0));
		ck_assert_uint_eq(number, rows[i].number);
	}
}
END_TEST

/* What the worker keeps are places in its own buffer, so that they can be ended there.
 */
START_TEST(all_slices_lie_in_the_input)
{
	static const char text[] =
		"GET http://b/p?q HTTP/1.1\r\nHost: a\r\nX:\r\nY: \t\r\n\r\n";
	struct http1_field fields[100];
	struct http1_head head = { .fields = fields };
	struct http1_decoder d;

	http1_decoder_init(&d, &usual_limits);
	ck_assert_int_gt(http1_decode_head(&d, slice_str(text), &head), 0);
	const struct slice parts[] = { head.method, head.target, head.path, head.query,
		head.authority, fields[0].name, fields[0].value, fields[1].value,
		fields[2].value };
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		ck_assert(parts[i].ptr >= text && parts[i].ptr < text + sizeof(text));
	ck_assert_ptr_eq(head.authority.ptr, text + 11);
}
END_TEST

Suite *
http1_suite(void)
{
	Suite *suite = suite_create("http1");
	TCase *tests = tcase_create("requests");

	tcase_add_test(tests, vectors_are_decoded_at_every_cut);
	tcase_add_test(tests, a_wrong_expectation_is_found);
	tcase_add_test(tests, a_dripped_head_is_scanned_once);
	tcase_add_test(tests, one_decoder_reads_many_requests);
	tcase_add_test(tests, bytes_are_allowed_where_they_are);
	tcase_add_test(tests, values_are_looked_at_whole);
	tcase_add_test(tests, numbers_end_at_the_largest);
	tcase_add_test(tests, all_slices_lie_in_the_input);
	suite_add_tcase(suite, tests);
	return suite;
}
