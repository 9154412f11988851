/* Texts in JSON: whatever the bytes are, it is one. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "protocols/json.h"

Suite *json_suite(void);

static const struct {
	const char *text;
	size_t len; /* 0: that of the text */
	const char *escaped;
} texts[] = {
	{ "", 0, "" },
	{ "plain text /", 0, "plain text /" },
	{ "say \"a\\b\"", 0, "say \\\"a\\\\b\\\"" },
	{ "a\nb\tc\r\x1b[31m\x7f", 0, "a\\u000ab\\u0009c\\u000d\\u001b[31m\\u007f" },
	{ "a\0b", 3, "a\\u0000b" },
	{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 0,
		"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
	{ "\xc2\x80\xc2\x9f\xc2\xa0", 0, "\\u0080\\u009f\xc2\xa0" },
	{ "\xff\xfe", 0, "\\ufffd\\ufffd" },
	{ "\x80", 0, "\\ufffd" },
	{ "x\xc3", 0, "x\\ufffd" },
	{ "\xc3(", 0, "\\ufffd(" },
	{ "\xe2\x82", 0, "\\ufffd\\ufffd" },
	{ "\xc0\xaf", 0, "\\ufffd\\ufffd" }, /* longer than need be */
	{ "\xe0\x80\xaf", 0, "\\ufffd\\ufffd\\ufffd" },
	{ "\xed\xa0\x80", 0, "\\ufffd\\ufffd\\ufffd" }, /* half of a pair */
	{ "\xf4\x90\x80\x80", 0, "\\ufffd\\ufffd\\ufffd\\ufffd" },
	{ "\xf8\x88\x80\x80\x80", 0, "\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd" },
	{ "\xef\xbf\xbf", 0, "\xef\xbf\xbf" },
};

/* In memory of its own: nothing behind the end is looked at. */
static struct slice
copy_of(int i)
{
	size_t len = texts[i].len != 0 ? texts[i].len : strlen(texts[i].text);

	return slice_of(memcpy(malloc(len + 1), texts[i].text, len), len);
}

START_TEST(texts_are_escaped)
{
	struct slice text = copy_of(_i);
	char out[128] = "";
	char *end = json_escape(out, out + sizeof(out) - 1, text);

	*end = '\0';
	ck_assert_str_eq(out, texts[_i].escaped);
	free((char *)text.ptr);
}
END_TEST

/* Cut anywhere it is a beginning of the whole, and no part of a character or escape. */
START_TEST(nothing_is_cut_in_two)
{
	struct slice text = copy_of(_i);
	size_t all = strlen(texts[_i].escaped), before = 0;

	for (size_t room = 0; room <= all; room++) {
		char *out = calloc(1, room + 1);
		size_t len = (size_t)(json_escape(out, out + room, text) - out);
		ck_assert_uint_le(len, room);
		ck_assert_uint_ge(len, before);
		ck_assert_mem_eq(out, texts[_i].escaped, len);
		ck_assert(len == 0 || len == all || texts[_i].escaped[len] == '\\' ||
			(texts[_i].escaped[len] & 0xc0) != 0x80);
		before = len;
		free(out);
	}
	ck_assert_uint_eq(before, all);
	free((char *)text.ptr);
}
END_TEST

Suite *
json_suite(void)
{
	Suite *s = suite_create("json");
	TCase *t = tcase_create("json");

	tcase_add_loop_test(t, texts_are_escaped, 0, sizeof(texts) / sizeof(texts[0]));
	tcase_add_loop_test(
		t, nothing_is_cut_in_two, 0, sizeof(texts) / sizeof(texts[0]));
	suite_add_tcase(s, t);
	return s;
}
