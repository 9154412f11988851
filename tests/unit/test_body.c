/* Request bodies: in memory and in a file, read as bytes and as lines. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/worker/body.h"

Suite *body_suite(void);

enum { LINES = 20000 };

static struct body body;
static struct buffer text; /* what the body should be */

static void
set_up(void)
{
	body_init(&body);
	for (unsigned i = 0; i < LINES; i++)
		buffer_addf(&text, "%u:%.*s\n", i, (int)(i % 40),
			"........................................");
	buffer_add_str(&text, "no line end");
}

static void
tear_down(void)
{
	body_release(&body);
	buffer_release(&body.memory);
	buffer_release(&text);
}

/* The first: all in memory; the others go over to a file at once, or in the middle. */
static const size_t memory_max[] = { SIZE_MAX, 0, 5000, 65536 };

static void
fill(size_t limit, size_t piece)
{
	for (size_t at = 0; at < text.len; at += piece) {
		size_t n = text.len - at < piece ? text.len - at : piece;
		ck_assert_int_eq(
			body_add(&body, slice_of(text.ptr + at, n), limit, "/tmp"), 0);
	}
	ck_assert_uint_eq(body.length, text.len);
	ck_assert_int_eq(body.fd >= 0, limit < text.len);
}

START_TEST(bytes_come_back)
{
	static char got[1 << 20];
	size_t len = 0;
	ssize_t n;

	fill(memory_max[_i], 1000);
	while ((n = body_read(&body, got + len, 7777)) > 0)
		len += (size_t)n;
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(len, text.len);
	ck_assert_mem_eq(got, text.ptr, len);
}
END_TEST

START_TEST(lines_come_back)
{
	char line[64];
	size_t at = 0, lines = 0;
	ssize_t n;

	fill(memory_max[_i], 4096);
	while ((n = body_readline(&body, line, sizeof(line))) > 0) {
		ck_assert_mem_eq(line, text.ptr + at, (size_t)n);
		at += (size_t)n;
		lines++;
		ck_assert(line[n - 1] == '\n' || at == text.len);
	}
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(at, text.len);
	ck_assert_uint_eq(lines, LINES + 1);
}
END_TEST

START_TEST(a_long_line_comes_in_parts)
{
	char part[8];

	body_add(&body, SLICE("0123456789\nx"), 100, "/tmp");
	ck_assert_int_eq(body_readline(&body, part, 8), 8);
	ck_assert_int_eq(body_readline(&body, part, 8), 3);
	ck_assert_mem_eq(part, "89\n", 3);
	ck_assert_int_eq(body_read(&body, part, 8), 1);
	ck_assert_int_eq(body_read(&body, part, 8), 0);
}
END_TEST

START_TEST(a_missing_folder_is_an_error)
{
	ck_assert_int_eq(body_add(&body, SLICE("abc"), 2, "/nonexistent"), -1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(a_released_body_is_empty)
{
	char byte;

	fill(0, 100000);
	body_release(&body);
	ck_assert_int_eq(body.fd, -1);
	ck_assert_int_eq(body_read(&body, &byte, 1), 0);
	body_add(&body, SLICE("b"), 10, "/tmp");
	ck_assert_int_eq(body_read(&body, &byte, 1), 1);
	ck_assert_int_eq(byte, 'b');
}
END_TEST

Suite *
body_suite(void)
{
	Suite *suite = suite_create("body");
	TCase *tc = tcase_create("body");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, bytes_come_back, 0, 4);
	tcase_add_loop_test(tc, lines_come_back, 0, 4);
	tcase_add_test(tc, a_long_line_comes_in_parts);
	tcase_add_test(tc, a_missing_folder_is_an_error);
	tcase_add_test(tc, a_released_body_is_empty);
	suite_add_tcase(suite, tc);
	return suite;
}
