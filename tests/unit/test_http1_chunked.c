/* Chunked bodies: what the vectors of requests, which are cut anywhere, do not show. */
#include <check.h>

#include "protocols/http1.h"

Suite *chunked_suite(void);

START_TEST(data_is_handed_out_where_it_stands)
{
	static const char text[] = "5\r\nhello\r\n2;a=b\r\n, \r\n0\r\nX: y\r\n\r\nGET";
	struct slice in = slice_str(text), data;
	struct http1_chunked c;

	http1_chunked_init(&c, 100);
	ck_assert_int_eq(http1_chunked_next(&c, &in, &data), HTTP1_DATA);
	ck_assert_ptr_eq(data.ptr, text + 3);
	ck_assert_uint_eq(data.len, 5);
	ck_assert_int_eq(http1_chunked_next(&c, &in, &data), HTTP1_DATA);
	ck_assert(slice_eq(data, SLICE(", ")));
	ck_assert_int_eq(http1_chunked_next(&c, &in, &data), HTTP1_END);
	ck_assert(slice_eq(in, SLICE("GET")));
	ck_assert_uint_eq(c.total, 7);
	/* The end stays the end. */
	ck_assert_int_eq(http1_chunked_next(&c, &in, &data), HTTP1_END);
	ck_assert_uint_eq(in.len, 3);
}
END_TEST

START_TEST(parts_of_a_chunk_come_as_they_arrive)
{
	struct slice first = SLICE("ff\r\nabc"), second = SLICE("def"),
		     none = SLICE(""), data;
	struct http1_chunked c;

	http1_chunked_init(&c, 1000);
	ck_assert_int_eq(http1_chunked_next(&c, &first, &data), HTTP1_DATA);
	ck_assert(slice_eq(data, SLICE("abc")));
	ck_assert_int_eq(http1_chunked_next(&c, &first, &data), HTTP1_NEED_MORE);
	ck_assert_int_eq(http1_chunked_next(&c, &none, &data), HTTP1_NEED_MORE);
	ck_assert_int_eq(http1_chunked_next(&c, &second, &data), HTTP1_DATA);
	ck_assert(slice_eq(data, SLICE("def")));
	ck_assert_uint_eq(c.left, 0xff - 6);
}
END_TEST

START_TEST(an_error_is_for_good)
{
	struct slice in = SLICE("5\r\nhelloX"), more = SLICE("\r\n0\r\n\r\n"), data;
	struct http1_chunked c;

	http1_chunked_init(&c, 1000);
	ck_assert_int_eq(http1_chunked_next(&c, &in, &data), HTTP1_DATA);
	ck_assert_int_eq(http1_chunked_next(&c, &in, &data), -400);
	ck_assert_str_eq(c.reason, "no CRLF after chunk data");
	ck_assert_int_eq(http1_chunked_next(&c, &more, &data), -400);
	ck_assert_uint_eq(more.len, 7);
}
END_TEST

START_TEST(the_limit_is_of_the_sum)
{
	for (uint64_t limit = 0; limit < 6; limit++) {
		struct slice in = SLICE("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), data;
		struct http1_chunked c;
		int n;

		http1_chunked_init(&c, limit);
		while ((n = http1_chunked_next(&c, &in, &data)) == HTTP1_DATA)
			ck_assert_uint_le(c.total, limit);
		ck_assert_int_eq(n, limit < 5 ? -413 : HTTP1_END);
	}
}
END_TEST

/* The number of chunks of that size that are taken, before there are too many. */
static unsigned
count_chunks(const char *chunk, unsigned most)
{
	struct http1_chunked c;
	struct slice data;

	http1_chunked_init(&c, UINT32_MAX);
	for (unsigned n = 0; n < most; n++) {
		struct slice in = slice_str(chunk);
		if (http1_chunked_next(&c, &in, &data) != HTTP1_DATA)
			return n;
		ck_assert_int_eq(http1_chunked_next(&c, &in, &data), HTTP1_NEED_MORE);
	}
	return most;
}

START_TEST(small_chunks_are_limited)
{
	ck_assert_uint_eq(count_chunks("10\r\n0123456789abcdef\r\n", 100000), 100000);
	ck_assert_uint_eq(count_chunks("1\r\nx\r\n", 10000), 10000);
	unsigned n = count_chunks("1\r\nx\r\n", 100000);
	ck_assert_uint_gt(n, 16384);
	ck_assert_uint_lt(n, 18000);
}
END_TEST

Suite *
chunked_suite(void)
{
	Suite *suite = suite_create("chunked");
	TCase *tests = tcase_create("bodies");

	tcase_add_test(tests, data_is_handed_out_where_it_stands);
	tcase_add_test(tests, parts_of_a_chunk_come_as_they_arrive);
	tcase_add_test(tests, an_error_is_for_good);
	tcase_add_test(tests, the_limit_is_of_the_sum);
	tcase_add_test(tests, small_chunks_are_limited);
	suite_add_tcase(suite, tests);
	return suite;
}
