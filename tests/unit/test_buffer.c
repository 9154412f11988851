/* Slices, buffers and arenas. */
#include <check.h>
#include <stdalign.h>
#include <stdint.h>

#include "protocols/arena.h"
#include "protocols/buffer.h"
#include "protocols/slice.h"

Suite *buffer_suite(void);

START_TEST(slices_compare)
{
	ck_assert(slice_eq(SLICE("abc"), slice_str("abc")));
	ck_assert(!slice_eq(SLICE("abc"), SLICE("abC")));
	ck_assert(!slice_eq(SLICE("abc"), SLICE("abcd")));
	ck_assert(slice_eq((struct slice){ 0 }, SLICE("")));
	ck_assert(slice_caseeq(SLICE("Content-Length"), SLICE("content-LENGTH")));
	ck_assert(!slice_caseeq(SLICE("Content-Length"), SLICE("content_length")));
	ck_assert(slice_starts(SLICE("http://a"), SLICE("http://")));
	ck_assert(!slice_starts(SLICE("http"), SLICE("http://")));
	ck_assert(slice_starts(SLICE("x"), SLICE("")));
}
END_TEST

START_TEST(slices_are_trimmed)
{
	ck_assert(slice_eq(slice_trim(SLICE(" \t a b\t ")), SLICE("a b")));
	ck_assert(slice_eq(slice_trim(SLICE("a")), SLICE("a")));
	ck_assert_uint_eq(slice_trim(SLICE(" \t ")).len, 0);
	ck_assert_uint_eq(slice_trim((struct slice){ 0 }).len, 0);
	/* Only SP and HTAB are OWS. */
	ck_assert(slice_eq(slice_trim(SLICE("\r\na\v")), SLICE("\r\na\v")));
}
END_TEST

START_TEST(buffer_grows)
{
	struct buffer b = { 0 };

	for (unsigned i = 0; i < 1000; i++)
		buffer_addf(&b, "%04u", i);
	buffer_add_str(&b, "");
	buffer_add(&b, NULL, 0);
	buffer_add_char(&b, '.');
	ck_assert(!b.failed);
	ck_assert_uint_eq(b.len, 4001);
	ck_assert_mem_eq(b.ptr, "00000001", 8);
	ck_assert_mem_eq(b.ptr + 3996, "0999.", 5);
	buffer_release(&b);
	ck_assert_ptr_null(b.ptr);
}
END_TEST

START_TEST(buffer_failure_is_sticky)
{
	struct buffer b;

	buffer_init(&b, 10);
	buffer_add_str(&b, "12345678");
	ck_assert(!b.failed);
	buffer_add_str(&b, "901");
	ck_assert(b.failed);
	ck_assert_uint_eq(b.len, 8);
	buffer_add_str(&b, "9");
	ck_assert_uint_eq(b.len, 8);
	buffer_reset(&b);
	buffer_add_str(&b, "1234567890");
	ck_assert(!b.failed);
	ck_assert(slice_eq(buffer_slice(&b), SLICE("1234567890")));
	buffer_release(&b);
	ck_assert_uint_eq(b.limit, 10);
}
END_TEST

START_TEST(buffer_never_wraps)
{
	struct buffer b = { 0 };

	buffer_add_str(&b, "x");
	ck_assert_ptr_null(buffer_reserve(&b, SIZE_MAX));
	ck_assert(b.failed);
	buffer_release(&b);
}
END_TEST

START_TEST(buffer_is_consumed_from_the_front)
{
	struct buffer b = { 0 };

	buffer_add_str(&b, "GET POST ");
	buffer_consume(&b, 4);
	ck_assert(slice_eq(buffer_slice(&b), SLICE("POST ")));
	buffer_consume(&b, 5);
	ck_assert_uint_eq(b.len, 0);
	buffer_add_str(&b, "x");
	ck_assert(slice_eq(buffer_slice(&b), SLICE("x")));
	buffer_release(&b);
}
END_TEST

START_TEST(arena_pieces_are_apart_and_aligned)
{
	struct arena a = { 0 };
	unsigned char *pieces[200];

	for (size_t i = 0; i < 200; i++) {
		(void)arena_bytes(&a, i % 7);
		pieces[i] = arena_alloc(&a, i + 1);
		ck_assert_ptr_nonnull(pieces[i]);
		ck_assert_uint_eq((uintptr_t)pieces[i] % alignof(max_align_t), 0);
		memset(pieces[i], (int)i, i + 1);
	}
	for (size_t i = 0; i < 200; i++) {
		for (size_t at = 0; at <= i; at++)
			ck_assert_uint_eq(pieces[i][at], i);
	}
	arena_release(&a);
	ck_assert_ptr_null(a.chunks);
}
END_TEST

START_TEST(arena_gives_large_pieces)
{
	struct arena a = { 0 };

	memset(arena_bytes(&a, 100000), 'x', 100000);
	memset(arena_alloc(&a, 50000), 'y', 50000);
	arena_reset(&a);
	memset(arena_bytes(&a, 8000), 'z', 8000);
	arena_release(&a);
}
END_TEST

START_TEST(arena_texts_end_with_nul)
{
	struct arena a = { 0 };

	ck_assert_str_eq(arena_strz(&a, SLICE("hello")), "hello");
	ck_assert_str_eq(arena_strz(&a, (struct slice){ 0 }), "");
	arena_release(&a);
}
END_TEST

Suite *
buffer_suite(void)
{
	Suite *suite = suite_create("buffer");
	TCase *tests = tcase_create("memory");

	tcase_add_test(tests, slices_compare);
	tcase_add_test(tests, slices_are_trimmed);
	tcase_add_test(tests, buffer_grows);
	tcase_add_test(tests, buffer_failure_is_sticky);
	tcase_add_test(tests, buffer_never_wraps);
	tcase_add_test(tests, buffer_is_consumed_from_the_front);
	tcase_add_test(tests, arena_pieces_are_apart_and_aligned);
	tcase_add_test(tests, arena_gives_large_pieces);
	tcase_add_test(tests, arena_texts_end_with_nul);
	suite_add_tcase(suite, tests);
	return suite;
}
