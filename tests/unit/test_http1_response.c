/* Responses: what is taken from an application, and what goes out. */
#include <check.h>

#include "protocols/http1.h"

Suite *response_suite(void);

static struct http1_response
response_of(const char *status)
{
	struct http1_response r = { 0 };

	ck_assert_int_eq(http1_response_status(&r, slice_str(status)), 0);
	return r;
}

static int
add(struct http1_response *r, const char *name, const char *value)
{
	return http1_response_field(r, slice_str(name), slice_str(value));
}

static const struct {
	const char *text;
	unsigned status;
	const char *reason;
} good_statuses[] = {
	{ "200 OK", 200, "OK" },
	{ "200", 200, "" },
	{ " 404  Not  here ", 404, "Not  here" },
	{ "599 \xc3\xa9", 599, "\xc3\xa9" },
	{ "500 ", 500, "" },
};

START_TEST(statuses_are_taken)
{
	struct http1_response r = response_of(good_statuses[_i].text);

	ck_assert_uint_eq(r.status, good_statuses[_i].status);
	ck_assert(slice_eq(r.reason, slice_str(good_statuses[_i].reason)));
	ck_assert_int_eq(r.length, -1);
	ck_assert_ptr_null(r.error);
}
END_TEST

static const char *const bad_statuses[] = { "", "OK", "20", "2000 OK", "200OK",
	"199 Early", "100 Continue", "600 Much", "2x0 OK", "-200 OK", "200 O\rK",
	"200 O\nX: y", "200 \x01", "200 \x7f", "HTTP/1.1 200 OK" };

START_TEST(statuses_are_refused)
{
	struct http1_response r = { 0 };

	ck_assert_int_eq(http1_response_status(&r, slice_str(bad_statuses[_i])), -1);
	ck_assert_ptr_nonnull(r.error);
}
END_TEST

START_TEST(a_nul_in_a_status_is_refused)
{
	struct http1_response r = { 0 };

	ck_assert_int_eq(http1_response_status(&r, SLICE("200 O\0K")), -1);
}
END_TEST

START_TEST(fields_are_kept_as_they_are)
{
	struct http1_response r = response_of("200 OK");

	ck_assert_int_eq(add(&r, "Content-Type", " text/html\t"), 0);
	ck_assert_int_eq(add(&r, "Set-Cookie", "a=b"), 0);
	ck_assert_int_eq(add(&r, "Set-Cookie", "c=\xc3\xa9\td"), 0);
	ck_assert_int_eq(add(&r, "X-Empty", ""), 0);
	ck_assert(slice_eq(buffer_slice(&r.fields),
		SLICE("Content-Type: text/html\r\nSet-Cookie: a=b\r\n"
		      "Set-Cookie: c=\xc3\xa9\td\r\nX-Empty: \r\n")));
	ck_assert(!r.has_date && !r.has_server && !r.close);
	ck_assert_int_eq(add(&r, "date", "Thu, 01 Jan 1970 00:00:00 GMT"), 0);
	ck_assert(r.has_date && !r.has_server);
	ck_assert_int_eq(add(&r, "SERVER", "x"), 0);
	ck_assert(r.has_server && r.has_date);
	ck_assert_int_eq(add(&r, "X", "y"), 0);
	ck_assert(r.has_server && r.has_date);
	http1_response_release(&r);
}
END_TEST

static const struct {
	struct slice name, value;
} bad_fields[] = {
	{ SLICE_INIT(""), SLICE_INIT("a") },
	{ SLICE_INIT("X Y"), SLICE_INIT("a") },
	{ SLICE_INIT("X:"), SLICE_INIT("a") },
	{ SLICE_INIT("X\r\nY"), SLICE_INIT("a") },
	{ SLICE_INIT("X\xc3"), SLICE_INIT("a") },
	{ SLICE_INIT("X\0"), SLICE_INIT("a") },
	{ SLICE_INIT("X"), SLICE_INIT("a\r\nY: b") },
	{ SLICE_INIT("X"), SLICE_INIT("a\rb") },
	{ SLICE_INIT("X"), SLICE_INIT("a\nb") },
	{ SLICE_INIT("X"), SLICE_INIT("a\n") },
	{ SLICE_INIT("X"), SLICE_INIT("a\0b") },
	{ SLICE_INIT("X"), SLICE_INIT("a\x1b[0m") },
	{ SLICE_INIT("X"), SLICE_INIT("\x7f") },
	{ SLICE_INIT("Connection"), SLICE_INIT("close\r\nX: y") },
	{ SLICE_INIT("Upgrade"), SLICE_INIT("a\nb") },
	{ SLICE_INIT("Content-Length"), SLICE_INIT("") },
	{ SLICE_INIT("Content-Length"), SLICE_INIT("-1") },
	{ SLICE_INIT("Content-Length"), SLICE_INIT("1x") },
	{ SLICE_INIT("Content-Length"), SLICE_INIT("1, 1") },
	{ SLICE_INIT("Content-Length"), SLICE_INIT("9223372036854775808") },
};

START_TEST(fields_are_refused)
{
	struct http1_response r = response_of("200 OK");

	ck_assert_int_eq(
		http1_response_field(&r, bad_fields[_i].name, bad_fields[_i].value),
		-1);
	ck_assert_ptr_nonnull(r.error);
	ck_assert_uint_eq(r.fields.len, 0);
	http1_response_release(&r);
}
END_TEST

START_TEST(content_length_is_understood)
{
	struct http1_response r = response_of("200 OK");

	ck_assert_int_eq(add(&r, "content-length", " 12 "), 0);
	ck_assert_int_eq(r.length, 12);
	ck_assert_int_eq(add(&r, "Content-Length", "12"), 0);
	ck_assert_int_eq(add(&r, "Content-Length", "13"), -1);
	ck_assert_str_eq(r.error, "two different Content-Lengths");
	ck_assert_int_eq(r.length, 12);
	ck_assert_uint_eq(r.fields.len, 0);
	r = response_of("200 OK");
	ck_assert_int_eq(add(&r, "Content-Length", "0"), 0);
	ck_assert_int_eq(r.length, 0);
	ck_assert_int_eq(add(&r, "Content-Length", "1"), -1);
}
END_TEST

START_TEST(hop_by_hop_fields_are_left_out)
{
	static const char *const names[] = { "Keep-Alive", "Proxy-Connection", "TE",
		"trailer", "Transfer-Encoding", "Upgrade", "Connection" };
	struct http1_response r = response_of("200 OK");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_int_eq(add(&r, names[i], "keep-alive"), 0);
	ck_assert_uint_eq(r.fields.len, 0);
	ck_assert(!r.close);
	ck_assert_int_eq(add(&r, "connection", "X-A,\tClose"), 0);
	ck_assert_int_eq(add(&r, "Connection", "X-A"), 0);
	ck_assert(r.close);
	ck_assert_uint_eq(r.fields.len, 0);
}
END_TEST

START_TEST(a_second_status_empties_the_response)
{
	struct http1_response r = response_of("200 OK");

	ck_assert_int_eq(add(&r, "X", "y"), 0);
	ck_assert_int_eq(add(&r, "Date", "y"), 0);
	ck_assert_int_eq(add(&r, "Connection", "close"), 0);
	ck_assert_int_eq(add(&r, "Content-Length", "1"), 0);
	ck_assert_int_eq(http1_response_status(&r, SLICE("404")), 0);
	ck_assert_uint_eq(r.fields.len, 0);
	ck_assert_int_eq(r.length, -1);
	ck_assert(!r.has_date && !r.close);
	http1_response_release(&r);
}
END_TEST

START_TEST(too_many_fields_are_out_of_memory)
{
	struct http1_response r = { 0 };

	buffer_init(&r.fields, 32);
	ck_assert_int_eq(http1_response_status(&r, SLICE("200")), 0);
	ck_assert_int_eq(add(&r, "X", "y"), 0);
	ck_assert_int_eq(add(&r, "X", "0123456789012345678901234567890"), -1);
	ck_assert_str_eq(r.error, "out of memory");
	http1_response_release(&r);
	ck_assert_uint_eq(r.fields.limit, 32);
}
END_TEST

/* Encodes and compares. */
static void
check_head(const struct http1_response *r, const struct http1_reply *reply,
	const char *head)
{
	struct buffer out = { 0 };

	buffer_add_str(&out, "before");
	http1_encode_head(&out, r, reply);
	ck_assert(!out.failed);
	buffer_add_char(&out, '\0');
	ck_assert_str_eq(out.ptr, head);
	buffer_release(&out);
}

START_TEST(heads_are_encoded)
{
	struct http1_response r = response_of("200");
	struct http1_reply reply = {
		.framing = HTTP1_LENGTH,
		.length = UINT64_MAX,
		.keep_alive = true,
		.server = SLICE("alicorn"),
		.date = SLICE("Thu, 01 Jan 1970 00:00:00 GMT"),
	};

	ck_assert_int_eq(add(&r, "X", "y"), 0);
	check_head(&r, &reply,
		"beforeHTTP/1.1 200 OK\r\nServer: alicorn\r\n"
		"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
		"Content-Length: 18446744073709551615\r\nX: y\r\n\r\n");
	reply.framing = HTTP1_CHUNKED;
	reply.keep_alive = false;
	reply.server = reply.date = (struct slice){ 0 };
	check_head(&r, &reply,
		"beforeHTTP/1.1 200 OK\r\nConnection: close\r\n"
		"Transfer-Encoding: chunked\r\nX: y\r\n\r\n");
	reply.framing = HTTP1_NO_BODY;
	reply.keep_alive = reply.http10 = true;
	check_head(&r, &reply,
		"beforeHTTP/1.1 200 OK\r\nConnection: keep-alive\r\nX: y\r\n\r\n");
	http1_response_release(&r);
}
END_TEST

START_TEST(what_an_application_says_wins)
{
	struct http1_response r = response_of("418 I'm a teapot");
	struct http1_reply reply = {
		.keep_alive = true, .server = SLICE("alicorn"), .date = SLICE("now")
	};

	ck_assert_int_eq(add(&r, "Server", "mine"), 0);
	ck_assert_int_eq(add(&r, "Date", "then"), 0);
	check_head(&r, &reply,
		"beforeHTTP/1.1 418 I'm a teapot\r\nServer: mine\r\nDate: "
		"then\r\n\r\n");
	http1_response_release(&r);
	r = response_of("200 Fine");
	check_head(&r, &reply,
		"beforeHTTP/1.1 200 Fine\r\nServer: alicorn\r\nDate: now\r\n\r\n");
	r = response_of("299");
	check_head(&r, &reply,
		"beforeHTTP/1.1 299 Unknown\r\nServer: alicorn\r\nDate: now\r\n\r\n");
}
END_TEST

START_TEST(a_head_that_does_not_fit_fails)
{
	struct http1_response r = response_of("200");
	struct http1_reply reply = { .keep_alive = true };
	struct buffer out;

	buffer_init(&out, 10);
	http1_encode_head(&out, &r, &reply);
	ck_assert(out.failed);
	ck_assert_uint_eq(out.len, 0);
	buffer_release(&out);
}
END_TEST

START_TEST(reasons)
{
	ck_assert_str_eq(http1_reason(200), "OK");
	ck_assert_str_eq(http1_reason(404), "Not Found");
	ck_assert_str_eq(http1_reason(511), "Network Authentication Required");
	ck_assert_str_eq(http1_reason(299), "Unknown");
	ck_assert_str_eq(http1_reason(0), "Unknown");
	ck_assert_str_eq(http1_reason(99), "Unknown");
	ck_assert_str_eq(http1_reason(600), "Unknown");
	ck_assert_str_eq(http1_reason(-1U), "Unknown");
}
END_TEST

START_TEST(responses_without_a_body)
{
	ck_assert(http1_no_body(200, true));
	ck_assert(http1_no_body(100, false));
	ck_assert(http1_no_body(204, false));
	ck_assert(http1_no_body(304, false));
	ck_assert(!http1_no_body(200, false));
	ck_assert(!http1_no_body(205, false));
	ck_assert(!http1_no_body(404, false));
}
END_TEST

START_TEST(chunk_heads)
{
	static const struct {
		uint64_t size;
		const char *text;
	} rows[] = { { 0, "0\r\n" }, { 500, "1f4\r\n" },
		{ UINT64_MAX, "ffffffffffffffff\r\n" } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[HTTP1_CHUNK_HEAD];
		size_t n = http1_chunk_head(text, rows[i].size);
		ck_assert(slice_eq(slice_of(text, n), slice_str(rows[i].text)));
	}
}
END_TEST

#define N(table) (int)(sizeof(table) / sizeof((table)[0]))

Suite *
response_suite(void)
{
	Suite *suite = suite_create("response");
	TCase *tests = tcase_create("responses");

	tcase_add_loop_test(tests, statuses_are_taken, 0, N(good_statuses));
	tcase_add_loop_test(tests, statuses_are_refused, 0, N(bad_statuses));
	tcase_add_test(tests, a_nul_in_a_status_is_refused);
	tcase_add_test(tests, fields_are_kept_as_they_are);
	tcase_add_loop_test(tests, fields_are_refused, 0, N(bad_fields));
	tcase_add_test(tests, content_length_is_understood);
	tcase_add_test(tests, hop_by_hop_fields_are_left_out);
	tcase_add_test(tests, a_second_status_empties_the_response);
	tcase_add_test(tests, too_many_fields_are_out_of_memory);
	tcase_add_test(tests, heads_are_encoded);
	tcase_add_test(tests, what_an_application_says_wins);
	tcase_add_test(tests, a_head_that_does_not_fit_fails);
	tcase_add_test(tests, reasons);
	tcase_add_test(tests, responses_without_a_body);
	tcase_add_test(tests, chunk_heads);
	suite_add_tcase(suite, tests);
	return suite;
}
