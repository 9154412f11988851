/* What the heads of CGI programs mean: bindings/cgi/head.h. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "bindings/cgi/head.h"

Suite *cgi_answer_suite(void);

enum { FIELDS = 8 };

/* ---- Redirects ---- */

static const struct redirect {
	const char *status, *location, *mount;
	const char *path, *query; /* path is NULL: it is not a local one */
} redirects[] = {
	{ "", "/a", "", "/a", "" },
	{ "", "/", "", "/", "" },
	{ "", "/a?", "", "/a", "" },
	{ "", "/a?b=c?d%20", "", "/a", "b=c?d%20" },
	{ "", "/a%20b/%2F%41", "", "/a b//A", "" },
	{ "", "/a%2", "", "/a%2", "" },
	{ "", "/m/a?b", "/m", "/a", "b" },
	{ "", "/m", "/m", "", "" },
	{ "", "/%6d/a", "/m", "/a", "" },
	{ "", "/mm/a", "/m", NULL, NULL },
	{ "", "/a", "/m", NULL, NULL },
	{ "", "//host/a", "", NULL, NULL },
	{ "", "/a#b", "", NULL, NULL },
	{ "", "http://host/a", "", NULL, NULL },
	{ "", "a/b", "", NULL, NULL },
	{ "", "?b", "", NULL, NULL },
	{ "", "", "", NULL, NULL },
	{ "302 Found", "/a", "", NULL, NULL },
	{ "200 OK", "/a", "", NULL, NULL },
};

START_TEST(redirect)
{
	const struct redirect *row = &redirects[_i];
	struct cgi_head head = {
		.status = slice_str(row->status),
		.location = slice_str(row->location),
	};
	struct arena memory = { 0 };
	struct local local = { 0 };
	bool is_local = head_is_local(&local, &head, row->mount, &memory);

	ck_assert_msg(is_local == (row->path != NULL), "%s", row->location);
	ck_assert((local.uri != NULL) == is_local);
	if (is_local) {
		ck_assert_str_eq(local.uri, row->location);
		ck_assert_str_eq(local.path, row->path);
		ck_assert_str_eq(local.query, row->query);
	}
	arena_release(&memory);
}
END_TEST

START_TEST(status)
{
	struct cgi_head head = { 0 };

	ck_assert(slice_eq(head_status(&head), SLICE("200 OK")));
	head.location = SLICE("http://host/");
	ck_assert(slice_eq(head_status(&head), SLICE("302 Found")));
	head.status = SLICE("303 See Other");
	ck_assert(slice_eq(head_status(&head), SLICE("303 See Other")));
}
END_TEST

/* ---- Whole responses ---- */

static const struct whole {
	const char *text;
	const char *status; /* NULL: it is refused */
	size_t body; /* bytes at the end of the text */
} wholes[] = {
	{ "HTTP/1.0 200 OK\r\nA: b\r\n\r\nbody", "200 OK", 4 },
	{ "HTTP/1.1 404\nA: b\nC: d\n\n", "404", 0 },
	{ "HTTP/1.1 200 \nA: b\r\n\nb", "200 ", 1 },
	{ "HTTP/1.0 200 OK\r\n\r\n", NULL, 0 },
	{ "HTTP/1.0 200 OK\r\nStatus: 404\r\n\r\n", NULL, 0 },
	{ "HTTP/1.0 200 OK\r\nno field\r\n\r\n", NULL, 0 },
	{ "HTTP/1.0\r\nA: b\r\n\r\n", NULL, 0 },
	{ "HTTP/1.0 \r\nA: b\r\n\r\n", NULL, 0 },
	{ "HTTP/10 200 OK\r\nA: b\r\n\r\n", NULL, 0 },
	{ "http/1.0 200 OK\r\nA: b\r\n\r\n", NULL, 0 },
	{ "Content-Type: a/b\r\n\r\n", NULL, 0 },
	{ "\r\n\r\n", NULL, 0 },
};

/* In two parts, with the border at every byte; each look is at an allocation of just
 * the size. */
START_TEST(whole_response)
{
	const struct whole *row = &wholes[_i];
	size_t len = strlen(row->text);

	for (size_t split = 0; split <= len; split++) {
		struct http1_field fields[FIELDS];
		struct cgi_head head = { .fields = fields, .max_fields = FIELDS };
		size_t scanned = 0;
		int got = 0;

		for (size_t end = split; got == 0 && end <= len; end += len - split) {
			char *bytes = malloc(end + 1);
			memcpy(bytes, row->text, end);
			got = nph_decode_head(&head, slice_of(bytes, end), &scanned);
			if (got > 0)
				ck_assert(
					slice_eq(head.status, slice_str(row->status)));
			free(bytes);
			if (end == len)
				break;
		}
		if (row->status == NULL)
			ck_assert_int_eq(got, -1);
		else
			ck_assert_int_eq(got, (int)(len - row->body));
	}
}
END_TEST

Suite *
cgi_answer_suite(void)
{
	Suite *suite = suite_create("cgi_answer");
	TCase *tcase = tcase_create("head");

	tcase_add_loop_test(
		tcase, redirect, 0, sizeof(redirects) / sizeof(redirects[0]));
	tcase_add_test(tcase, status);
	tcase_add_loop_test(
		tcase, whole_response, 0, sizeof(wholes) / sizeof(wholes[0]));
	suite_add_tcase(suite, tcase);
	return suite;
}
