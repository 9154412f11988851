/* Addresses and targets. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/config/address.h"
#include "gateway/config/target.h"

Suite *address_suite(void);

#define LONG_PATH \
	"/012345678901234567890123456789012345678901234567890123456789012345678901234" \
	"5" \
	"6789012345678901234567890123456789"

static const struct {
	const char *text;
	enum address_kind kind;
	const char *host, *port, *reason;
} addresses[] = {
	{ "127.0.0.1:8080", ADDRESS_TCP, "127.0.0.1", "8080", NULL },
	{ "localhost", ADDRESS_TCP, "localhost", "8000", NULL },
	{ ":80", ADDRESS_TCP, "0.0.0.0", "80", NULL },
	{ "a:0", ADDRESS_TCP, "a", "0", NULL },
	{ "a:00080", ADDRESS_TCP, "a", "80", NULL },
	{ "a:65535", ADDRESS_TCP, "a", "65535", NULL },
	{ "[::1]:8080", ADDRESS_TCP, "::1", "8080", NULL },
	{ "[::]", ADDRESS_TCP, "::", "8000", NULL },
	{ "[fe80::1%eth0]:1", ADDRESS_TCP, "fe80::1%eth0", "1", NULL },
	{ "tcp://www.example.org:81", ADDRESS_TCP, "www.example.org", "81", NULL },
	{ "tcp://[::1]", ADDRESS_TCP, "::1", "8000", NULL },
	{ "unix:/run/a.sock", ADDRESS_UNIX, "/run/a.sock", "", NULL },
	{ "unix:///run/a.sock", ADDRESS_UNIX, "/run/a.sock", "", NULL },
	{ "unix://a.sock", ADDRESS_UNIX, "a.sock", "", NULL },
	{ "UNIX:a.sock", ADDRESS_UNIX, "a.sock", "", NULL },
	{ "fd://3", ADDRESS_FD, "3", "", NULL },
	{ "FD://web.socket", ADDRESS_FD, "web.socket", "", NULL },

	{ "", 0, NULL, NULL, "the address is missing" },
	{ "tcp://", 0, NULL, NULL, "the address is missing" },
	{ "a:", 0, NULL, NULL, "\"\" is not a port from 0 to 65535" },
	{ "a:65536", 0, NULL, NULL, "\"65536\" is not a port from 0 to 65535" },
	{ "a:-1", 0, NULL, NULL, "\"-1\" is not a port from 0 to 65535" },
	{ "a:http", 0, NULL, NULL, "\"http\" is not a port from 0 to 65535" },
	{ "a b", 0, NULL, NULL, "\"a b\" is not a host" },
	{ "/run/a.sock", 0, NULL, NULL, "\"/run/a.sock\" is not a host" },
	{ "::1", 0, NULL, NULL, "an IPv6 address is written in brackets: [::1]:8000" },
	{ "[::1", 0, NULL, NULL, "the bracket is not closed" },
	{ "[a]:1", 0, NULL, NULL, "\"a\" is not an IPv6 address" },
	{ "[]:1", 0, NULL, NULL, "\"\" is not an IPv6 address" },
	{ "[::1]8000", 0, NULL, NULL, "after the bracket comes :PORT or nothing" },
	{ "unix:", 0, NULL, NULL, "the path is missing" },
	{ "unix:" LONG_PATH, 0, NULL, NULL,
		"the path is longer than a socket's may be (107 bytes)" },
	{ "fd://", 0, NULL, NULL,
		"\"\" is neither the number nor the name of a descriptor" },
	{ "fd://3:80", 0, NULL, NULL,
		"\"3:80\" is neither the number nor the name of a descriptor" },
};

START_TEST(addresses_are_parsed)
{
	struct arena memory = { 0 };
	struct address a;
	const char *reason = address_parse(&a, addresses[_i].text, &memory);

	ck_assert_pstr_eq(reason, addresses[_i].reason);
	if (reason == NULL) {
		ck_assert_int_eq(a.kind, addresses[_i].kind);
		ck_assert_str_eq(a.text, addresses[_i].text);
		ck_assert_str_eq(a.host, addresses[_i].host);
		ck_assert_str_eq(a.port, addresses[_i].port);
	}
	arena_release(&memory);
}
END_TEST

/* HERE stands for the folder that the paths are relative to. */
static const struct {
	const char *text, *binding, *spec, *absolute;
} targets[] = {
	{ "shop.wsgi:app", "python", "shop.wsgi:app", "shop.wsgi:app" },
	{ "shop.wsgi", "python", "shop.wsgi", "shop.wsgi" },
	{ "python:shop:app", "python", "shop:app", "python:shop:app" },
	{ "_a1:make(\"x\", 2)", "python", "_a1:make(\"x\", 2)", "_a1:make(\"x\", 2)" },
	{ "app.py", "python", "HERE/app.py", "HERE/app.py" },
	{ "./app.py:app", "python", "HERE/app.py:app", "HERE/app.py:app" },
	{ "python:app.py:a", "python", "HERE/app.py:a", "python:HERE/app.py:a" },
	{ ".//a.so", "c", "HERE/a.so", "HERE/a.so" },
	{ "a.so:f", "c", "HERE/a.so:f", "HERE/a.so:f" },
	{ "c:a.so", "c", "HERE/a.so", "c:HERE/a.so" },
	{ "fcgi://localhost:9000", "fastcgi", "localhost:9000",
		"fcgi://localhost:9000" },
	{ "fcgi://[::1]:9000", "fastcgi", "[::1]:9000", "fcgi://[::1]:9000" },
	{ "fcgi:unix:/run/x", "fastcgi", "unix:/run/x", "fcgi:unix:/run/x" },
	{ "fcgi:unix:x", "fastcgi", "unix:HERE/x", "fcgi:unix:HERE/x" },
	{ "app.lua", "lua", "HERE/app.lua", "HERE/app.lua" },
	{ "lua:app.lua", "lua", "HERE/app.lua", "lua:HERE/app.lua" },
	{ "lua:wiki.ws", "lua", "HERE/wiki.ws", "lua:HERE/wiki.ws" },
	{ "lua:shop", "lua", "shop", "lua:shop" },
	{ "luajit:shop.web", "luajit", "shop.web", "luajit:shop.web" },
	{ "luajit:app.lua", "luajit", "HERE/app.lua", "luajit:HERE/app.lua" },
	{ "fcgi://a:1,[::1]:2,c:3", "fastcgi", "a:1,[::1]:2,c:3",
		"fcgi://a:1,[::1]:2,c:3" },
	{ "fcgi:unix:x,unix:/y", "fastcgi", "unix:HERE/x,unix:/y",
		"fcgi:unix:HERE/x,unix:/y" },
	{ "files:.", "files", "HERE", "files:HERE" },
	{ "files:/", "files", "/", "files:/" },
	{ "binding:a.so:x:y", "HERE/a.so", "x:y", "binding:HERE/a.so:x:y" },
};

#define FORMS \
	"not a target: MODULE:CALLABLE, FILE.py, FILE.lua, FILE.php, FILE.so, " \
	"php:FOLDER, lua:FILE, lua:MODULE, luajit:FILE, luajit:MODULE, " \
	"fcgi://HOST:PORT, fcgi:unix:PATH, fcgi-exec:PROGRAM, cgi:PATH, " \
	"files:FOLDER, status: or binding:FILE.so:WHAT"

static const struct {
	const char *text, *reason;
} bad_targets[] = {
	{ "none.so", "HERE/none.so: No such file or directory" },
	{ "sub/none.py:app", "HERE/sub/none.py: No such file or directory" },
	{ "app.py:", "\"\" is not a callable" },
	{ "app.py:1", "\"1\" is not a callable" },
	{ "a.so:", "nothing behind the colon" },
	{ "c:hello", "not of the form c:FILE.so or c:FILE.so:FUNCTION" },
	{ "python:", "not of the form MODULE, MODULE:CALLABLE or FILE.py:CALLABLE" },
	{ "python:a..b",
		"not of the form MODULE, MODULE:CALLABLE or FILE.py:CALLABLE" },
	{ "python:a:b(",
		"not of the form MODULE, MODULE:CALLABLE or FILE.py:CALLABLE" },
	{ "fcgi://localhost", "not of the form fcgi://HOST:PORT" },
	{ "fcgi://:9000", "not of the form fcgi://HOST:PORT" },
	{ "fcgi://[::1]", "not of the form fcgi://HOST:PORT" },
	{ "fcgi://a:b", "\"b\" is not a port from 0 to 65535" },
	{ "fcgi://a:1,b", "not of the form fcgi://HOST:PORT" },
	{ "fcgi://a:1,b:c", "\"c\" is not a port from 0 to 65535" },
	{ "fcgi://a:1,unix:/x", "not of the form fcgi://HOST:PORT" },
	{ "fcgi:unix:", "not of the form fcgi://HOST:PORT or fcgi:unix:PATH" },
	{ "fcgi:unix:/x,", "not of the form fcgi://HOST:PORT or fcgi:unix:PATH" },
	{ "fcgi:unix:/x,/y", "not of the form fcgi://HOST:PORT or fcgi:unix:PATH" },
	{ "fcgi:a:1", "not of the form fcgi://HOST:PORT or fcgi:unix:PATH" },
	{ "fcgi-exec:", "not of the form fcgi-exec:PROGRAM ARGUMENT ..." },
	{ "fcgi-exec:x 'a", "a quote or a backslash has no end" },
	{ "fcgi-exec:bin/x",
		"bin/x: a program is given by its absolute path, or by its name "
		"alone" },
	{ "fcgi-exec:/none/x", "/none/x: No such file or directory" },
	{ "php:/none/blog", "/none/blog: No such file or directory" },
	{ "php:", "no path is given" },
	{ "index.php", "HERE/index.php: No such file or directory" },
	{ "none.lua", "HERE/none.lua: No such file or directory" },
	{ "lua:none.lua", "HERE/none.lua: No such file or directory" },
	{ "luajit:./shop", "HERE/shop: No such file or directory" },
	{ "lua:a..b", "HERE/a..b: No such file or directory" },
	{ "lua:", "no path is given" },
	{ "cgi:/none/x", "/none/x: No such file or directory" },
	{ "files:", "no path is given" },
	{ "binding:a.so", "not of the form binding:FILE.so:WHAT" },
	{ "binding:a.so:", "not of the form binding:FILE.so:WHAT" },
	{ "binding:none.so:x", "HERE/none.so: No such file or directory" },
	{ "files:none", "HERE/none: No such file or directory" },
	{ "files:app.py", "HERE/app.py: not a folder" },
	{ "pythonn:app:app", "not a target; did you mean python:app:app?" },
	{ "fcgi-exe:x", "not a target; did you mean fcgi-exec:x?" },
	{ "pkg/wsgi:app", "not a target; did you mean pkg.wsgi:app?" },
	{ "app:app:app", FORMS },
	{ "/srv/blog", FORMS },
	{ "", FORMS },
};

static char folder[] = "/tmp/alicorn-XXXXXX";

static const char *const files[] = { "app.py", "a.so", "app.lua", "wiki.ws" };

enum { FILES = sizeof(files) / sizeof(files[0]) };

static void
make_folder(void)
{
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	int at = open(folder, O_DIRECTORY | O_RDONLY);
	for (size_t i = 0; i < FILES; i++)
		close(openat(at, files[i], O_CREAT | O_WRONLY, 0600));
	close(at);
}

static void
remove_folder(void)
{
	int at = open(folder, O_DIRECTORY | O_RDONLY);

	for (size_t i = 0; i < FILES; i++)
		unlinkat(at, files[i], 0);
	close(at);
	rmdir(folder);
}

static void
assert_text(const char *text, const char *expected, struct arena *memory)
{
	const char *at = strstr(expected, "HERE");

	if (at != NULL) {
		char *whole =
			arena_bytes(memory, strlen(folder) + strlen(expected) + 1);
		snprintf(whole, strlen(folder) + strlen(expected) + 1, "%.*s%s%s",
			(int)(at - expected), expected, folder, at + strlen("HERE"));
		expected = whole;
	}
	ck_assert_pstr_eq(text, expected);
}

START_TEST(targets_are_told_by_shape)
{
	struct arena memory = { 0 };
	struct target t;

	ck_assert_pstr_eq(target_parse(&t, targets[_i].text, folder, &memory), NULL);
	assert_text(t.binding, targets[_i].binding, &memory);
	assert_text(t.spec, targets[_i].spec, &memory);
	assert_text(t.text, targets[_i].absolute, &memory);
	ck_assert_ptr_null(t.command);
	arena_release(&memory);
}
END_TEST

START_TEST(bad_targets_are_refused)
{
	struct arena memory = { 0 };
	struct target t;
	const char *reason = target_parse(&t, bad_targets[_i].text, folder, &memory);

	assert_text(reason, bad_targets[_i].reason, &memory);
	arena_release(&memory);
}
END_TEST

START_TEST(programs_are_split_into_words)
{
	static const char *const words[] = { "/bin/sh", "-c", "a  b\"c", "", "d e",
		"'" };
	struct arena memory = { 0 };
	struct target t;

	ck_assert_pstr_eq(
		target_parse(&t, "fcgi-exec: /bin/sh -c 'a  b\"'c \"\" d\\ e \"'\" ",
			folder, &memory),
		NULL);
	ck_assert_str_eq(t.binding, "fastcgi");
	for (size_t i = 0; i < 6; i++)
		ck_assert_str_eq(t.command[i], words[i]);
	ck_assert_ptr_null(t.command[6]);
	arena_release(&memory);
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof(table)[0])

Suite *
address_suite(void)
{
	Suite *s = suite_create("address");
	TCase *t = tcase_create("address");

	tcase_add_checked_fixture(t, make_folder, remove_folder);
	tcase_add_loop_test(t, addresses_are_parsed, 0, ROWS(addresses));
	tcase_add_loop_test(t, targets_are_told_by_shape, 0, ROWS(targets));
	tcase_add_loop_test(t, bad_targets_are_refused, 0, ROWS(bad_targets));
	tcase_add_test(t, programs_are_split_into_words);
	suite_add_tcase(s, t);
	return s;
}
