/* The path that routes are matched against, what a mount takes off, redirects. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/routes/path.h"
#include "gateway/routes/redirect.h"
#include "protocols/cgi.h"

Suite *route_path_suite(void);

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

static void
assert_slice(struct slice s, const char *expected)
{
	ck_assert_msg(slice_eq(s, slice_str(expected)), "%" SLICE_FMT ", not %s",
		SLICE_ARG(s), expected);
}

/* ---- Spellings ---- */

static const struct {
	const char *raw, *path;
} spellings[] = {
	/* Nothing to do. */
	{ "/", "/" },
	{ "*", "*" },
	{ "", "" },
	{ "/a/b.c/", "/a/b.c/" },
	{ "/a..b/c./d..", "/a..b/c./d.." },
	{ "/...", "/..." },
	{ "/.well-known/x", "/.well-known/x" },
	{ "/a/..b/.c/...", "/a/..b/.c/..." },

	/* Escapes, once. */
	{ "/%61", "/a" },
	{ "/%41%7a", "/Az" },
	{ "/%2f", "/" },
	{ "/a%2Fb", "/a/b" },
	{ "/%252e%252e/", "/%2e%2e/" },
	{ "/%25", "/%" },
	{ "/%c3%a9", "/\xc3\xa9" },
	{ "/a%3fb%23", "/a?b#" },
	{ "%2f", "/" },
	{ "%2fa/../b", "/b" },

	/* Broken ones, which no head has, stay. */
	{ "/%", "/%" },
	{ "/%4", "/%4" },
	{ "/%zz/%4g", "/%zz/%4g" },

	/* Slashes. */
	{ "//", "/" },
	{ "///a//b////", "/a/b/" },
	{ "/%2f/a", "/a" },
	{ "//a/..//b", "/b" },

	/* Dots (RFC 3986 section 5.2.4). */
	{ "/a/b/c/./../../g", "/a/g" },
	{ "/.", "/" },
	{ "/./", "/" },
	{ "/..", "/" },
	{ "/../", "/" },
	{ "/../../../a", "/a" },
	{ "/a/.", "/a/" },
	{ "/a/..", "/" },
	{ "/a/b/..", "/a/" },
	{ "/a/b/../", "/a/" },
	{ "/a/./b", "/a/b" },
	{ "/a/../../b", "/b" },
	{ "/a/../b/../c/..", "/" },
	{ "/a//../b", "/b" },
	{ "/a/b/../../..//c/./", "/c/" },

	/* Both. */
	{ "/public/%2e%2e/admin", "/admin" },
	{ "/public/%2E./admin", "/admin" },
	{ "/public/.%2e/admin", "/admin" },
	{ "/public/%2e/admin", "/public/admin" },
	{ "/public%2f..%2fadmin", "/admin" },
	{ "/public/..%2fadmin", "/admin" },
	{ "/public/..%252fadmin", "/public/..%2fadmin" },
	{ "/%2e%2e%2f%2e%2e%2fetc/passwd", "/etc/passwd" },
	{ "/a/..\\b", "/a/..\\b" },
	{ "/a;x/..;y/b", "/a;x/..;y/b" },
};

START_TEST(spellings_are_one_path)
{
	struct slice raw = slice_str(spellings[_i].raw);
	char *to = malloc(raw.len);

	struct slice path = route_path(raw, to);
	assert_slice(path, spellings[_i].path);
	ck_assert_int_eq(route_path_is_plain(raw), path.ptr == raw.ptr);
	if (route_path_is_plain(raw))
		ck_assert(slice_eq(raw, path));
	free(to);
}
END_TEST

/* What was made plain is plain, but for a '%', and for a dot that begins a name. */
START_TEST(a_path_is_its_own)
{
	struct slice raw = slice_str(spellings[_i].raw);
	char *to = malloc(raw.len);
	struct buffer encoded = { 0 };

	struct slice path = route_path(raw, to);
	route_path_encode(&encoded, path);
	ck_assert(!encoded.failed);
	char *again = malloc(encoded.len);
	ck_assert(slice_eq(route_path(buffer_slice(&encoded), again), path));
	for (size_t i = 0; i < encoded.len; i++)
		ck_assert(encoded.ptr[i] > ' ' && encoded.ptr[i] < 0x7f);
	buffer_release(&encoded);
	free(again);
	free(to);
}
END_TEST

/* All texts of some length, of the bytes that mean something. */
START_TEST(no_dots_are_left)
{
	static const char bytes[] = "/.a%2e";
	enum { LENGTH = 6, KINDS = sizeof bytes - 1 };
	unsigned total = 1;
	char raw[LENGTH + 1] = "/", to[LENGTH + 1];

	for (unsigned i = 0; i < LENGTH; i++)
		total *= KINDS;
	for (unsigned number = 0; number < total; number++) {
		unsigned rest = number;
		for (size_t i = 1; i <= LENGTH; i++, rest /= KINDS)
			raw[i] = bytes[rest % KINDS];
		struct slice path = route_path(slice_of(raw, LENGTH + 1), to);
		ck_assert_uint_gt(path.len, 0);
		ck_assert_int_eq(path.ptr[0], '/');
		ck_assert_ptr_null(memmem(path.ptr, path.len, "//", 2));
		ck_assert_ptr_null(memmem(path.ptr, path.len, "/./", 3));
		ck_assert_ptr_null(memmem(path.ptr, path.len, "/../", 4));
		struct slice end = slice_of(path.ptr + path.len - 1, 1);
		if (path.len >= 2 && slice_eq(end, SLICE(".")))
			ck_assert(path.ptr[path.len - 2] != '/');
		if (path.len >= 3 && slice_eq(end, SLICE(".")))
			ck_assert(memcmp(path.ptr + path.len - 3, "/..", 3) != 0);
	}
}
END_TEST

START_TEST(nul_is_a_byte)
{
	char to[16];
	struct slice path = route_path(SLICE("/a%00b/../c\0d"), to);

	ck_assert(slice_eq(path, SLICE("/c\0d")));
}
END_TEST

/* ---- Mounts ---- */

static const struct {
	const char *path, *mount, *rest; /* NULL: not beneath */
} mounts[] = {
	{ "/blog/x", "/blog", "/x" },
	{ "/blog/", "/blog", "/" },
	{ "/blog", "/blog", "" },
	{ "/blogs", "/blog", NULL },
	{ "/blo", "/blog", NULL },
	{ "/", "/blog", NULL },
	{ "/Blog/x", "/blog", NULL },
	{ "/a/b/c", "/a/b", "/c" },
	{ "/x", "", "/x" },
	{ "/", "", "/" },
	{ "", "", "" },
	{ "*", "", NULL },
};

START_TEST(mounts_take_off)
{
	struct slice rest;
	bool beneath = route_mount(
		slice_str(mounts[_i].path), slice_str(mounts[_i].mount), &rest);

	ck_assert_int_eq(beneath, mounts[_i].rest != NULL);
	if (beneath)
		assert_slice(rest, mounts[_i].rest);
}
END_TEST

/* ---- Redirects ---- */

static const struct {
	const char *text, *location;
} redirects[] = {
	{ "https://$host$uri", "https://shop.example:8080/old/a%2fb%20c?q=1&r=%41" },
	{ "$scheme://$host/", "http://shop.example:8080/" },
	{ "/new$rest", "/new/a/b%20c" },
	{ "/new$path", "/new/old/a/b%20c" },
	{ "/find?$query", "/find?q=1&r=%41" },
	{ "/$$5", "/$5" },
	{ "/$5 $", "/$5%20$" },
	{ "/$nothing$", "/$nothing$" },
	{ "/$hosts", "/shop.example:8080s" },
	{ "$$host", "$host" },
	{ "", "" },
	{ "/a b\r\nSet-Cookie: x=\"y\"", "/a%20b%0D%0ASet-Cookie:%20x=%22y%22" },
	{ "/\xc3\xa9<>\\^`{|}#top", "/%C3%A9%3C%3E%5C%5E%60%7B%7C%7D#top" },
	{ "/%41", "/%41" },
};

START_TEST(redirects_lead)
{
	const struct redirect_facts facts = {
		.scheme = SLICE("http"),
		.host = SLICE("shop.example:8080"),
		.raw_path = SLICE("/old/a%2fb%20c"),
		.query = SLICE("q=1&r=%41"),
		.path = SLICE("/old/a/b c"),
		.rest = SLICE("/a/b c"),
	};
	struct buffer out = { 0 };

	redirect_expand(&out, slice_str(redirects[_i].text), &facts);
	ck_assert(!out.failed);
	assert_slice(buffer_slice(&out), redirects[_i].location);
	buffer_release(&out);
}
END_TEST

/* Whatever a request says, in any place. */
START_TEST(nothing_gets_into_a_location)
{
	char all[256];

	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (char)i;
	const struct slice any = slice_of(all, sizeof all);
	const struct redirect_facts facts = { any, any, any, any, any, any };
	struct buffer out = { 0 };

	redirect_expand(&out, SLICE("$scheme$host$path$query$uri$rest"), &facts);
	ck_assert(!out.failed);
	for (size_t i = 0; i < out.len; i++) {
		ck_assert(out.ptr[i] > ' ' && out.ptr[i] < 0x7f);
		ck_assert_ptr_null(strchr("\"<>\\^`{|}", out.ptr[i]));
	}
	buffer_release(&out);
}
END_TEST

START_TEST(a_location_stays_here)
{
	const struct redirect_facts facts = {
		.raw_path = SLICE("///evil.example/%2e"),
		.path = SLICE("/evil.example/"),
	};
	struct buffer out = { 0 };

	redirect_expand(&out, SLICE("$uri"), &facts);
	assert_slice(buffer_slice(&out), "/evil.example/%2e");
	buffer_release(&out);
}
END_TEST

static const struct {
	const char *paths[3], *path, *rest;
} rests[] = {
	{ { "/old/*" }, "/old/x", "/x" },
	{ { "/old/*" }, "/old", "" },
	{ { "/old/*", "/old/a/*" }, "/old/a/b", "/b" },
	{ { "/old/a/*", "/old/*" }, "/old/a/b", "/b" },
	{ { "/old/a/*", "/old/*" }, "/old/ab", "/ab" },
	{ { "/*" }, "/x/y", "/x/y" },
	{ { "*" }, "/x/y", "/x/y" },
	{ { "*.php", "/a" }, "/x.php", "/x.php" },
	{ { "/*" }, "/", "/" },
	{ { NULL }, "/x", "/x" },
};

START_TEST(rests_are_what_the_star_was)
{
	struct text_list paths = { rests[_i].paths, 0 };

	while (paths.n < 3 && paths.items[paths.n] != NULL)
		paths.n++;
	assert_slice(redirect_rest(&paths, slice_str(rests[_i].path)), rests[_i].rest);
}
END_TEST

Suite *
route_path_suite(void)
{
	Suite *s = suite_create("route_path");
	TCase *t = tcase_create("route_path");

	tcase_add_loop_test(t, spellings_are_one_path, 0, ROWS(spellings));
	tcase_add_loop_test(t, a_path_is_its_own, 0, ROWS(spellings));
	tcase_add_test(t, no_dots_are_left);
	tcase_add_test(t, nul_is_a_byte);
	tcase_add_loop_test(t, mounts_take_off, 0, ROWS(mounts));
	tcase_add_loop_test(t, redirects_lead, 0, ROWS(redirects));
	tcase_add_test(t, nothing_gets_into_a_location);
	tcase_add_test(t, a_location_stays_here);
	tcase_add_loop_test(t, rests_are_what_the_star_was, 0, ROWS(rests));
	suite_add_tcase(s, t);
	return s;
}
