/* Media types, and paths of requests as those of files: protocols/mime.h,
 * bindings/files/path.h. */
#include <check.h>
#include <string.h>

#include "bindings/files/path.h"
#include "protocols/mime.h"

Suite *files_suite(void);

#define ROWS(table) (int)(sizeof(table) / sizeof(table)[0])

/* ---- Types ---- */

static const char text[] = "# of a system\n"
			   "\n"
			   "text/plain\t\ttxt asc   TEXT # and so on\n"
			   "application/x-nothing\n"
			   "image/x-icon ico\n"
			   "  application/x-tgz tar.gz tgz\n"
			   "image/other ico\n"
			   "model/last last";

static const struct {
	const char *path, *type;
} types[] = {
	{ "a.txt", "text/plain; charset=utf-8" },
	{ "a/b.c/d.TxT", "text/plain; charset=utf-8" },
	{ "a.text", "text/plain; charset=utf-8" },
	{ "a.ico", "image/x-icon" },
	{ "a.last", "model/last" },
	{ "a.tar.gz", "application/gzip" },
	{ "a.tgz", "application/x-tgz" },
	{ "a.html", "text/html; charset=utf-8" },
	{ "a.css", "text/css; charset=utf-8" },
	{ "a.js", "text/javascript; charset=utf-8" },
	{ "a.json", "application/json" },
	{ "a.wasm", "application/wasm" },
	{ "a.svg", "image/svg+xml" },
	{ "a.so", "application/octet-stream" },
	{ "a.", "application/octet-stream" },
	{ "txt", "application/octet-stream" },
	{ "a.txt/b", "application/octet-stream" },
	{ "", "application/octet-stream" },
};

START_TEST(types_are_found)
{
	struct arena memory = { 0 };
	struct mime m = { 0 };

	ck_assert_str_eq(mime_type(&m, "a.txt"), "application/octet-stream");
	ck_assert_int_eq(mime_add(&m, slice_str(text), &memory), 0);
	ck_assert_int_eq(mime_add(&m, slice_str(mime_built_in), &memory), 0);
	mime_sort(&m);
	for (int i = 0; i < ROWS(types); i++)
		ck_assert_str_eq(mime_type(&m, types[i].path), types[i].type);
	mime_release(&m);
	arena_release(&memory);
}
END_TEST

/* ---- Paths ---- */

static const char bad[] = "400 Bad Request", hidden[] = "404 Not Found";

static const struct {
	const char *path, *clean, *refusal;
} paths[] = {
	{ "", "", NULL },
	{ "/", "", NULL },
	{ "//", "", NULL },
	{ "/a", "a", NULL },
	{ "/a/", "a/", NULL },
	{ "//a//b///", "a/b/", NULL },
	{ "a/b", "a/b", NULL },
	{ "/a b/\xc3\xa4", "a b/\xc3\xa4", NULL },
	{ "/a\\..\\b", "a\\..\\b", NULL },
	{ "/a..", "a..", NULL },
	{ "/a./b.", "a./b.", NULL },
	{ "/%2e%2e/a", "%2e%2e/a", NULL },
	{ "/.well-known/acme", ".well-known/acme", NULL },
	{ "//.well-known/", ".well-known/", NULL },
	{ "/..", NULL, bad },
	{ "/../a", NULL, bad },
	{ "/a/..", NULL, bad },
	{ "/a/../b", NULL, bad },
	{ "/a//..//", NULL, bad },
	{ "..", NULL, bad },
	{ "/.well-known/../a", NULL, bad },
	{ "/a\nb", NULL, bad },
	{ "/a\x7f", NULL, bad },
	{ "/.", NULL, hidden },
	{ "/./a", NULL, hidden },
	{ "/a/./b", NULL, hidden },
	{ "/...", NULL, hidden },
	{ "/.git/config", NULL, hidden },
	{ "/a/.htaccess", NULL, hidden },
	{ "/a/.well-known/b", NULL, hidden },
	{ "/.well-known2", NULL, hidden },
	{ "/.well-known/.b", NULL, hidden },
};

START_TEST(paths_are_cleaned)
{
	char out[64];
	const char *refusal = path_clean(out, paths[_i].path);

	ck_assert_pstr_eq(refusal, paths[_i].refusal);
	if (refusal == NULL)
		ck_assert_str_eq(out, paths[_i].clean);
}
END_TEST

Suite *
files_suite(void)
{
	Suite *suite = suite_create("files");
	TCase *tcase = tcase_create("files");

	tcase_add_test(tcase, types_are_found);
	tcase_add_loop_test(tcase, paths_are_cleaned, 0, ROWS(paths));
	suite_add_tcase(suite, tcase);
	return suite;
}
