/* The format of the access log, taken apart, and values made fit for its lines. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocols/access_format.h"
#include "protocols/buffer.h"

Suite *access_format_suite(void);

/* Parts as "text", "<h>" or "<i:Name>", one behind the other. */
static const struct {
	const char *format, *parts, *reason;
} formats[] = {
	{ "", "", NULL },
	{ "plain", "plain", NULL },
	{ "%(h)s", "<h>", NULL },
	{ "%(h)s %(l)s \"%(r)s\"", "<h> <l> \"<r>\"", NULL },
	{ "%(D)d", "<D>", NULL },
	{ "100%%", "100%", NULL },
	{ "%%(h)s", "%(h)s", NULL },
	{ "%({User-Agent}i)s", "<i:User-Agent>", NULL },
	{ "%({X}o)s%({wsgi.version}e)s", "<o:X><e:wsgi.version>", NULL },
	{ "%(zz)s", "<?>", NULL },
	{ "%(id)s %(Id)s", "<#> <?>", NULL },
	{ "%()s", "<?>", NULL },
	{ "%({}i)s", "<?>", NULL },
	{ "%({X)s", "<?>", NULL },
	{ "%({X})s", "<?>", NULL },
	{ "%({X}ii)s", "<?>", NULL },
	{ "%({)s", "<{>", NULL },
	{ "%", NULL, "% is followed by neither ( nor %" },
	{ "%h", NULL, "% is followed by neither ( nor %" },
	{ "a %", NULL, "% is followed by neither ( nor %" },
	{ "%%%", NULL, "% is followed by neither ( nor %" },
	{ "%(", NULL, "%( is not closed" },
	{ "%(h", NULL, "%( is not closed" },
	{ "%(h)s %({X}i", NULL, "%( is not closed" },
	{ "%(h)", NULL, "%(…) is not followed by s" },
	{ "%(h) ", NULL, "%(…) is not followed by s" },
};

static void
show(struct buffer *out, const struct access_part *part)
{
	if (part->atom == 0)
		buffer_add_slice(out, part->text);
	else if (part->text.len > 0)
		buffer_addf(
			out, "<%c:%" SLICE_FMT ">", part->atom, SLICE_ARG(part->text));
	else
		buffer_addf(out, "<%c>", part->atom);
}

START_TEST(formats_are_taken_apart)
{
	/* In memory of its own: nothing behind the end is looked at. */
	size_t len = strlen(formats[_i].format);
	char *copy = malloc(len + 1);
	struct slice rest = slice_of(memcpy(copy, formats[_i].format, len), len);
	struct buffer parts = { 0 };
	struct access_part part;
	const char *reason = NULL;
	int got;

	copy = realloc(copy, len > 0 ? len : 1);
	rest.ptr = copy;
	while ((got = access_format_next(&rest, &part, &reason)) == 1)
		show(&parts, &part);
	buffer_add_char(&parts, '\0');
	ck_assert_int_eq(got, formats[_i].reason != NULL ? -1 : 0);
	ck_assert_pstr_eq(reason, formats[_i].reason);
	ck_assert_pstr_eq(access_format_check(formats[_i].format), formats[_i].reason);
	if (formats[_i].parts != NULL)
		ck_assert_str_eq(parts.ptr, formats[_i].parts);
	buffer_release(&parts);
	free(copy);
}
END_TEST

static const struct {
	struct slice value;
	size_t room;
	const char *escaped;
} values[] = {
	{ SLICE_INIT(""), 99, "" },
	{ SLICE_INIT("/a?b=c d~'"), 99, "/a?b=c d~'" },
	{ SLICE_INIT("a\"b"), 99, "a\\x22b" },
	{ SLICE_INIT("a\\b"), 99, "a\\x5cb" },
	{ SLICE_INIT("\r\n\t\x1b[31m"), 99, "\\x0d\\x0a\\x09\\x1b[31m" },
	{ SLICE_INIT("\0\x7f\x80\xff"), 99, "\\x00\\x7f\\x80\\xff" },
	{ SLICE_INIT("\xc3\xa4"), 99, "\\xc3\\xa4" },
	{ SLICE_INIT("abc"), 2, "ab" },
	{ SLICE_INIT("abc"), 0, "" },
	{ SLICE_INIT("a\n"), 5, "a\\x0a" },
	{ SLICE_INIT("a\n"), 4, "a" },
	{ SLICE_INIT("\n"), 3, "" },
};

START_TEST(values_are_escaped)
{
	char *out = calloc(1, values[_i].room + 1);
	char *end = access_escape(out, out + values[_i].room, values[_i].value);

	ck_assert_uint_le((size_t)(end - out), values[_i].room);
	*end = '\0';
	ck_assert_str_eq(out, values[_i].escaped);
	free(out);
}
END_TEST

START_TEST(every_byte_is_plain_or_escaped)
{
	char byte = (char)_i, out[8];
	char *end = access_escape(out, out + sizeof(out), slice_of(&byte, 1));
	bool plain = _i >= 0x20 && _i < 0x7f && _i != '"' && _i != '\\';

	*end = '\0';
	if (plain) {
		ck_assert_int_eq(out[0], byte);
		ck_assert_int_eq(out[1], '\0');
	} else {
		ck_assert_uint_eq(strlen(out), 4);
		ck_assert_int_eq(strtol(out + 2, NULL, 16), _i);
	}
}
END_TEST

static const struct {
	const char *field, *user;
} users[] = {
	{ "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin" },
	{ "basic  am9lOg==", "joe" },
	{ "Basic OnNlY3JldA==", "" },
	{ "Basic am9l", "" },
	{ "Basic ", "" },
	{ "Basic", "" },
	{ "", "" },
	{ "Bearer am9lOg==", "" },
	{ "Basic am9l!OnNlY3JldA==", "" },
	{ "Basic MDEyMzQ1Njc4OWFiY2RlZjAxMjM6eA==", "0123456789abcdef" },
};

START_TEST(users_are_decoded)
{
	char name[17];
	size_t n = access_basic_user(slice_str(users[_i].field), name, 16);

	ck_assert_uint_le(n, 16);
	name[n] = '\0';
	ck_assert_str_eq(name, users[_i].user);
}
END_TEST

#define LENGTH(table) (int)(sizeof(table) / sizeof(table[0]))

Suite *
access_format_suite(void)
{
	Suite *s = suite_create("access_format");
	TCase *t = tcase_create("access_format");

	tcase_add_loop_test(t, formats_are_taken_apart, 0, LENGTH(formats));
	tcase_add_loop_test(t, values_are_escaped, 0, LENGTH(values));
	tcase_add_loop_test(t, every_byte_is_plain_or_escaped, 0, 256);
	tcase_add_loop_test(t, users_are_decoded, 0, LENGTH(users));
	suite_add_tcase(s, t);
	return s;
}
