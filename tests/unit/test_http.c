/* Dates, conditional requests, ranges and content codings: protocols/http.h. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "protocols/http.h"

Suite *http_suite(void);

/* Sat, 21 Nov 2026 12:00:00 GMT, the present of these tests. */
enum { NOW = 1795262400 };

#define ROWS(table) (int)(sizeof(table) / sizeof(table)[0])

static struct slice
field(const char *text)
{
	return text != NULL ? slice_str(text) : (struct slice){ 0 };
}

/* ---- Dates ---- */

static const struct {
	const char *text;
	time_t at; /* -1: it is no date */
} dates[] = {
	{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
	{ "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
	{ "Sun Nov  6 08:49:37 1994", 784111777 },
	{ "Sun Nov 06 08:49:37 1994", 784111777 },
	{ "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
	{ "Thu, 29 Feb 2024 23:59:59 GMT", 1709251199 },
	{ "Fri, 31 Dec 9999 23:59:59 GMT", 253402300799 },
	/* 2076 is 50 years from now, 2077 more. */
	{ "Wednesday, 01-Jan-76 00:00:00 GMT", 3345062400 },
	{ "Saturday, 01-Jan-77 00:00:00 GMT", 220924800 },
	{ "", -1 },
	{ "0", -1 },
	{ "Sun, 06 Nov 1994 08:49:37", -1 },
	{ "Sun, 06 Nov 1994 08:49:37 UTC", -1 },
	{ "Sun, 06 Nov 1994 08:49:37 +0000", -1 },
	{ "Sun, 6 Nov 1994 08:49:37 GMT", -1 },
	{ "Sun, 06 Nov 94 08:49:37 GMT", -1 },
	{ "Sun,  06 Nov 1994 08:49:37 GMT", -1 },
	{ "Sun, 06 Nov 1994 08:49:37 GMT ", -1 },
	{ "Sun, 06 Nov 1994 24:49:37 GMT", -1 },
	{ "Sun, 06 Nov 1994 08:60:37 GMT", -1 },
	{ "Sun, 06 Now 1994 08:49:37 GMT", -1 },
	{ "Wed, 30 Feb 2022 00:00:00 GMT", -1 },
	{ "Wed, 29 Feb 2023 00:00:00 GMT", -1 },
	{ "Wed, 00 Mar 2022 00:00:00 GMT", -1 },
	{ "06 Nov 1994 08:49:37 GMT", -1 },
	{ "Sun Nov 6 08:49:37 1994", -1 },
	{ "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", -1 },
};

START_TEST(date_is_read)
{
	time_t at = -1;
	bool is_date = http_date_read(slice_str(dates[_i].text), NOW, &at);

	ck_assert_msg(is_date == (dates[_i].at != -1), "%s", dates[_i].text);
	if (is_date)
		ck_assert_msg(
			at == dates[_i].at, "%s: %lld", dates[_i].text, (long long)at);
}
END_TEST

START_TEST(date_is_written)
{
	char text[HTTP_DATE];
	time_t back;

	http_date_write(text, 784111777);
	ck_assert_str_eq(text, "Sun, 06 Nov 1994 08:49:37 GMT");
	for (time_t at = 0; at < (time_t)NOW * 2; at += 86400 * 9 + 3607) {
		http_date_write(text, at);
		ck_assert(http_date_read(slice_str(text), NOW, &back) && back == at);
	}
}
END_TEST

/* ---- Conditions ---- */

#define ETAG "\"a-1\""
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define THEN "Sun, 06 Nov 1994 08:49:37 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"

static const struct {
	const char *if_match, *if_none_match, *if_modified_since, *if_unmodified_since;
	unsigned status, of_changes; /* of GET, and of other methods */
} conditions[] = {
	{ NULL, NULL, NULL, NULL, 0, 0 },
	/* If-Match compares strongly, and its syntax is that of a list. */
	{ ETAG, NULL, NULL, NULL, 0, 0 },
	{ "*", NULL, NULL, NULL, 0, 0 },
	{ "\"b\", " ETAG, NULL, NULL, NULL, 0, 0 },
	{ ",, \"b\" ,\t" ETAG ",", NULL, NULL, NULL, 0, 0 },
	{ "\"b,\", " ETAG, NULL, NULL, NULL, 0, 0 },
	{ "W/" ETAG, NULL, NULL, NULL, 412, 412 },
	{ "\"b\"", NULL, NULL, NULL, 412, 412 },
	{ "", NULL, NULL, NULL, 412, 412 },
	{ "a-1", NULL, NULL, NULL, 412, 412 },
	{ "\"a-1", NULL, NULL, NULL, 412, 412 },
	{ "\"b\" " ETAG, NULL, NULL, NULL, 412, 412 },
	{ "x, " ETAG, NULL, NULL, NULL, 412, 412 },
	{ "\"\"", NULL, NULL, NULL, 412, 412 },
	/* If-None-Match compares weakly. */
	{ NULL, ETAG, NULL, NULL, 304, 412 },
	{ NULL, "W/" ETAG, NULL, NULL, 304, 412 },
	{ NULL, "*", NULL, NULL, 304, 412 },
	{ NULL, " * ", NULL, NULL, 304, 412 },
	{ NULL, "\"b\", W/\"c\", W/" ETAG, NULL, NULL, 304, 412 },
	{ NULL, "\"b\"", NULL, NULL, 0, 0 },
	{ NULL, "w/" ETAG, NULL, NULL, 0, 0 },
	{ NULL, "a-1", NULL, NULL, 0, 0 },
	{ NULL, "", NULL, NULL, 0, 0 },
	/* Dates; what is none is ignored. */
	{ NULL, NULL, BEFORE, NULL, 0, 0 },
	{ NULL, NULL, THEN, NULL, 304, 0 },
	{ NULL, NULL, AFTER, NULL, 304, 0 },
	{ NULL, NULL, "Sunday, 06-Nov-94 08:49:37 GMT", NULL, 304, 0 },
	{ NULL, NULL, "yesterday", NULL, 0, 0 },
	{ NULL, NULL, THEN ", " THEN, NULL, 0, 0 },
	{ NULL, NULL, NULL, BEFORE, 412, 412 },
	{ NULL, NULL, NULL, THEN, 0, 0 },
	{ NULL, NULL, NULL, AFTER, 0, 0 },
	{ NULL, NULL, NULL, "yesterday", 0, 0 },
	/* A tag counts more than a date (section 13.2.2). */
	{ NULL, "\"b\"", AFTER, NULL, 0, 0 },
	{ NULL, ETAG, BEFORE, NULL, 304, 412 },
	{ ETAG, NULL, NULL, BEFORE, 0, 0 },
	{ "\"b\"", NULL, NULL, AFTER, 412, 412 },
	/* Those that must hold come before those about news. */
	{ "\"b\"", ETAG, NULL, NULL, 412, 412 },
	{ ETAG, ETAG, NULL, NULL, 304, 412 },
	{ ETAG, "\"b\"", NULL, NULL, 0, 0 },
	{ NULL, ETAG, NULL, BEFORE, 412, 412 },
	{ NULL, NULL, THEN, THEN, 304, 0 },
	{ NULL, NULL, THEN, BEFORE, 412, 412 },
};

static const struct http_validators validators = {
	.etag = SLICE_INIT(ETAG),
	.modified = 784111777,
	.now = NOW,
};

START_TEST(conditions_have_a_precedence)
{
	const struct http_conditions c = {
		.if_match = field(conditions[_i].if_match),
		.if_none_match = field(conditions[_i].if_none_match),
		.if_modified_since = field(conditions[_i].if_modified_since),
		.if_unmodified_since = field(conditions[_i].if_unmodified_since),
	};

	ck_assert_uint_eq(
		http_conditions_check(&c, &validators, true), conditions[_i].status);
	ck_assert_uint_eq(http_conditions_check(&c, &validators, false),
		conditions[_i].of_changes);
}
END_TEST

static const struct {
	const char *if_range;
	bool applies;
} if_ranges[] = {
	{ NULL, true },
	{ ETAG, true },
	{ " " ETAG " ", true },
	{ THEN, true },
	{ "W/" ETAG, false },
	{ "\"b\"", false },
	{ ETAG ", \"b\"", false },
	{ "*", false },
	{ "", false },
	{ BEFORE, false },
	{ AFTER, false },
};

START_TEST(if_range_is_strong)
{
	const struct http_conditions c = { .if_range = field(if_ranges[_i].if_range) };
	struct http_validators fresh = validators;

	ck_assert(http_conditions_range(&c, &validators) == if_ranges[_i].applies);
	/* It may yet change within the second that the date names. */
	fresh.now = fresh.modified;
	ck_assert(http_conditions_range(&c, &fresh) ==
		(if_ranges[_i].applies &&
			(c.if_range.ptr == NULL || c.if_range.ptr[0] != 'S')));
}
END_TEST

/* ---- Ranges ---- */

#define MANY \
	"0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26,"

static const struct {
	const char *range;
	uint64_t size;
	const char *meaning; /* "" is all, "416" none */
} ranges[] = {
	{ NULL, 100, "" },
	{ "bytes=0-0", 100, "0+1" },
	{ "bytes=0-99", 100, "0+100" },
	{ "bytes=0-100", 100, "0+100" },
	{ "bytes=0-", 100, "0+100" },
	{ "bytes=99-", 100, "99+1" },
	{ "bytes=10-19", 100, "10+10" },
	{ "bytes=-1", 100, "99+1" },
	{ "bytes=-100", 100, "0+100" },
	{ "bytes=-1000", 100, "0+100" },
	{ "BYTES=1-2", 100, "1+2" },
	{ " bytes=1-2 ", 100, "1+2" },
	{ "bytes=007-0008", 100, "7+2" },
	{ "bytes=5-18446744073709551616", 100, "5+95" },
	{ "bytes=5-99999999999999999999999999999", 100, "5+95" },
	{ "bytes=-99999999999999999999999999999", 100, "0+100" },
	{ "bytes=18446744073709551614-18446744073709551615", UINT64_MAX,
		"18446744073709551614+1" },
	{ "bytes=3221225471-3221225472", 3221225473, "3221225471+2" },
	{ "bytes=0-1,3-4", 100, "0+2 3+2" },
	{ "bytes= 0-1 ,\t3-4,,", 100, "0+2 3+2" },
	{ "bytes=50-,-50", 100, "50+50 50+50" },
	{ "bytes=3-4,0-1", 100, "3+2 0+2" },
	{ "bytes=0-1,200-300", 100, "0+2" },
	{ "bytes=0-1,-0", 100, "0+2" },
	{ "bytes=" MANY "28-28,30-30", 100,
		"0+1 2+1 4+1 6+1 8+1 10+1 12+1 14+1 16+1 18+1 20+1 22+1 24+1 26+1 28+1 "
		"30+1" },
	/* None of them is in it. */
	{ "bytes=100-", 100, "416" },
	{ "bytes=100-200,300-", 100, "416" },
	{ "bytes=-0", 100, "416" },
	{ "bytes=0-0", 0, "416" },
	{ "bytes=99999999999999999999999999999-", 100, "416" },
	/* To be ignored: no ranges of bytes. */
	{ "", 100, "" },
	{ "bytes", 100, "" },
	{ "bytes=", 100, "" },
	{ "bytes=,", 100, "" },
	{ "bytes=-", 100, "" },
	{ "bytes=a-b", 100, "" },
	{ "bytes=1", 100, "" },
	{ "bytes=2-1", 100, "" },
	{ "bytes=0-1-2", 100, "" },
	{ "bytes=--1", 100, "" },
	{ "bytes=0 - 1", 100, "" },
	{ "bytes=+0-1", 100, "" },
	{ "bytes =0-1", 100, "" },
	{ "bytes=0-1;2-3", 100, "" },
	{ "bytes=0-1,x", 100, "" },
	{ "bytes=200-,x", 100, "" },
	{ "lines=0-1", 100, "" },
	/* More than the whole, or too many. */
	{ "bytes=0-,0-0", 100, "" },
	{ "bytes=0-60,40-", 100, "" },
	{ "bytes=0-,0-,0-,0-", 100, "" },
	{ "bytes=" MANY "28-28,30-30,32-32", 100, "" },
	/* Nothing cannot be told in a Content-Range. */
	{ "bytes=-5", 0, "" },
	{ "bytes=5-4", 0, "" },
};

START_TEST(ranges_are_read)
{
	struct http_range found[HTTP_RANGES];
	char text[512] = "";
	size_t len = 0;
	int n = http_ranges(field(ranges[_i].range), ranges[_i].size, found);

	for (int i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%llu+%llu",
			i > 0 ? " " : "", (unsigned long long)found[i].offset,
			(unsigned long long)found[i].length);
	ck_assert_msg(strcmp(n < 0 ? "416" : text, ranges[_i].meaning) == 0,
		"%s: %s, not %s", ranges[_i].range, n < 0 ? "416" : text,
		ranges[_i].meaning);
}
END_TEST

START_TEST(content_range_is_written)
{
	const struct http_range range = { .offset = UINT64_MAX - 2, .length = 2 };
	char text[HTTP_CONTENT_RANGE];

	http_content_range(text, &range, UINT64_MAX);
	ck_assert_str_eq(text,
		"bytes 18446744073709551613-18446744073709551614/18446744073709551615");
	http_content_range(text, NULL, 5);
	ck_assert_str_eq(text, "bytes */5");
}
END_TEST

/* ---- Codings ---- */

static const struct {
	const char *accepted;
	unsigned gzip, identity;
} codings[] = {
	{ NULL, 0, 1 },
	{ "", 0, 1 },
	{ "gzip", 1000, 1 },
	{ "GZip", 1000, 1 },
	{ "deflate, gzip;q=0.5, br", 500, 1 },
	{ "br ; q=0.1 , gzip ; q=0.25", 250, 1 },
	{ "gzip;Q=0.125", 125, 1 },
	{ "gzip;q=1", 1000, 1 },
	{ "gzip;q=1.000", 1000, 1 },
	{ "gzip;q=0.", 0, 1 },
	{ "gzip;q=0", 0, 1 },
	{ "gzip;q=0.000", 0, 1 },
	{ "*", 1000, 1 },
	{ "*;q=0.3", 300, 1 },
	{ "*;q=0", 0, 0 },
	{ "gzip;q=0, *", 0, 1 },
	{ "*;q=0, gzip", 1000, 0 },
	{ "*;q=0, identity;q=0.2", 0, 200 },
	{ "identity;q=0", 0, 0 },
	{ "identity, gzip;q=0.5", 500, 1000 },
	{ "gzipped, x-gzip", 0, 1 },
	/* What is no weight. */
	{ "gzip;q=2", 0, 1 },
	{ "gzip;q=1.5", 0, 1 },
	{ "gzip;q=0.1234", 0, 1 },
	{ "gzip;q=-1", 0, 1 },
	{ "gzip;q=", 0, 1 },
	{ "gzip;q=0,5", 0, 1 },
	{ "gzip;level=9", 0, 1 },
	{ ",,;,gzip,", 1000, 1 },
};

START_TEST(codings_have_qualities)
{
	struct slice accepted = field(codings[_i].accepted);

	ck_assert_uint_eq(
		http_coding_quality(accepted, SLICE("gzip")), codings[_i].gzip);
	ck_assert_uint_eq(
		http_coding_quality(accepted, SLICE("identity")), codings[_i].identity);
}
END_TEST

Suite *
http_suite(void)
{
	Suite *suite = suite_create("http");
	TCase *tcase = tcase_create("semantics");

	tcase_add_loop_test(tcase, date_is_read, 0, ROWS(dates));
	tcase_add_test(tcase, date_is_written);
	tcase_add_loop_test(tcase, conditions_have_a_precedence, 0, ROWS(conditions));
	tcase_add_loop_test(tcase, if_range_is_strong, 0, ROWS(if_ranges));
	tcase_add_loop_test(tcase, ranges_are_read, 0, ROWS(ranges));
	tcase_add_test(tcase, content_range_is_written);
	tcase_add_loop_test(tcase, codings_have_qualities, 0, ROWS(codings));
	suite_add_tcase(suite, tcase);
	return suite;
}
