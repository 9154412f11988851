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

static const struct {
	const char *path, *clean;
	enum path_kind kind;
} paths[] = {
	{ "", "", PATH_CLEAN },
	{ "/", "", PATH_CLEAN },
	{ "//", "", PATH_CLEAN },
	{ "/a", "a", PATH_CLEAN },
	{ "/a/", "a/", PATH_CLEAN },
	{ "//a//b///", "a/b/", PATH_CLEAN },
	{ "a/b", "a/b", PATH_CLEAN },
	{ "/a b/\xc3\xa4", "a b/\xc3\xa4", PATH_CLEAN },
	{ "/a\\..\\b", "a\\..\\b", PATH_CLEAN },
	{ "/a..", "a..", PATH_CLEAN },
	{ "/a./b.", "a./b.", PATH_CLEAN },
	{ "/%2e%2e/a", "%2e%2e/a", PATH_CLEAN },
	{ "/.well-known/acme", ".well-known/acme", PATH_CLEAN },
	{ "//.well-known/", ".well-known/", PATH_CLEAN },
	{ "/..", NULL, PATH_BAD },
	{ "/../a", NULL, PATH_BAD },
	{ "/a/..", NULL, PATH_BAD },
	{ "/a/../b", NULL, PATH_BAD },
	{ "/a//..//", NULL, PATH_BAD },
	{ "..", NULL, PATH_BAD },
	{ "/.well-known/../a", NULL, PATH_BAD },
	{ "/a\nb", NULL, PATH_BAD },
	{ "/a\x7f", NULL, PATH_BAD },
	{ "/.", NULL, PATH_HIDDEN },
	{ "/./a", NULL, PATH_HIDDEN },
	{ "/a/./b", NULL, PATH_HIDDEN },
	{ "/...", NULL, PATH_HIDDEN },
	{ "/.git/config", NULL, PATH_HIDDEN },
	{ "/a/.htaccess", NULL, PATH_HIDDEN },
	{ "/a/.well-known/b", NULL, PATH_HIDDEN },
	{ "/.well-known2", NULL, PATH_HIDDEN },
	{ "/.well-known/.b", NULL, PATH_HIDDEN },
};

START_TEST(paths_are_cleaned)
{
	char out[64];
	enum path_kind kind = path_clean(out, paths[_i].path);

	ck_assert_int_eq(kind, paths[_i].kind);
	if (kind == PATH_CLEAN)
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
