/* Routes and listeners: what may be written, who accepts, what a folder does without.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config/config.h"
#include "gateway/config/text.h"

Suite *routes_config_suite(void);

/* ---- A folder of its own for each test, which is also the working one ---- */

static char folder[] = "/tmp/alicorn-XXXXXX";
static int before = -1;

static void
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static void
enter_folder(void)
{
	static const char *const variables[] = { "ALICORN_CMD_ARGS",
		"FORWARDED_ALLOW_IPS", "PORT", "PWD", "TMPDIR", "WEB_CONCURRENCY" };

	for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
		unsetenv(variables[i]);
	before = open(".", O_DIRECTORY | O_RDONLY);
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	ck_assert_int_eq(mkdir("d", 0700), 0);
	ck_assert_int_eq(mkdir("d/www", 0700), 0);
}

static void
leave_folder(void)
{
	static const char *const files[] = { "x.conf", "printed.conf", "d/x.conf",
		"d/y.conf", "d/z.conf" };

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		unlink(files[i]);
	rmdir("d/www");
	rmdir("d");
	rmdir(folder);
	ck_assert_int_eq(fchdir(before), 0);
	close(before);
}

/* ---- Loading ---- */

/* Loads what a shell would make of the line; errors end with a NUL. */
static struct config *
load(const char *line, const struct config *previous, struct buffer *errors)
{
	struct arena memory = { 0 };
	char **words;
	size_t n;

	ck_assert_pstr_eq(text_split(line, &words, &n, &memory), NULL);
	struct config *c = config_load((int)n, words, previous, errors, NULL);
	buffer_add_char(errors, '\0');
	arena_release(&memory);
	return c;
}

static struct config *
load_with(const char *line, const struct config *previous, const char *expected)
{
	struct buffer errors = { 0 };
	struct config *c = load(line, previous, &errors);

	ck_assert_str_eq(errors.ptr, expected);
	buffer_release(&errors);
	return c;
}

static struct config *
load_text(const char *text)
{
	write_file("x.conf", text);
	struct config *c = load_with("alicorn -c x.conf", NULL, "");
	ck_assert_ptr_nonnull(c);
	return c;
}

static void
assert_faults(const char *text, const char *expected)
{
	write_file("x.conf", text);
	ck_assert_ptr_null(load_with("alicorn -c x.conf", NULL, expected));
}

static const char *
printed(const struct config *c, struct buffer *text)
{
	config_print(c, text);
	buffer_add_char(text, '\0');
	return text->ptr;
}

/* ---- Routes that are refused ---- */

#define PATH_FORMS \
	"not a path: /a for this one, /a/* for it and all beneath, *.php for all " \
	"with this end, or *"
#define HOST_FORMS \
	"not a host: www.example.org, *.example.org, 10.0.0.1, [::1] or *; letters " \
	"beyond ASCII as the DNS has them, xn--..."
#define LOCATION_FORMS \
	"not a path, nor a URL with http://, https:// or $scheme:// and a host; what " \
	"begins with // or /$ could name another one"
#define VARIABLES \
	", but $scheme, $host, $path, $query, $uri, $rest, and $$ for a dollar"
#define ONE_ACTION \
	": a route has one of app, files, fastcgi, redirect and status; only files " \
	"and app go together"

/* What stands in the one route, in line 3, and what is wrong with it. */
static const struct {
	const char *route, *fault;
} bad_routes[] = {
	{ "status = 403; host = \"a:80\";",
		"host: \"a:80\": a host has no port here, and an IPv6 address has "
		"brackets: [::1]" },
	{ "status = 403; host = \"::1\";",
		"host: \"::1\": a host has no port here, and an IPv6 address has "
		"brackets: [::1]" },
	{ "status = 403; host = \"[::g]\";",
		"host: \"[::g]\": a host has no port here, and an IPv6 address has "
		"brackets: [::1]" },
	{ "status = 403; host = [\"a.b\", \"www.*\"];",
		"host: \"www.*\": " HOST_FORMS },
	{ "status = 403; host = \"*.*\";", "host: \"*.*\": " HOST_FORMS },
	{ "status = 403; host = \"*.\";", "host: \"*.\": " HOST_FORMS },
	{ "status = 403; host = \"\";", "host: \"\": " HOST_FORMS },
	{ "status = 403; host = \"b\xc3\xbc.de\";",
		"host: \"b\xc3\xbc.de\": " HOST_FORMS },
	{ "status = 403; path = \"a\";", "path: \"a\": " PATH_FORMS },
	{ "status = 403; path = \"\";", "path: \"\": " PATH_FORMS },
	{ "status = 403; path = \"/a*\";", "path: \"/a*\": " PATH_FORMS },
	{ "status = 403; path = \"/*/a\";", "path: \"/*/a\": " PATH_FORMS },
	{ "status = 403; path = \"/*/a/*\";", "path: \"/*/a/*\": " PATH_FORMS },
	{ "status = 403; path = \"*.p*\";", "path: \"*.p*\": " PATH_FORMS },
	{ "status = 403; path = \"/a?b\";",
		"path: \"/a?b\": the query is no part of a path" },
	{ "status = 403; path = \"/a%20b\";",
		"path: \"/a%20b\": a path is written as it is meant, without "
		"%-encoding" },
	{ "status = 403; path = \"/a//*\";",
		"path: \"/a//*\": no path has //, /./ or /../ when routes are looked "
		"at" },
	{ "status = 403; path = \"/a/..\";",
		"path: \"/a/..\": no path has //, /./ or /../ when routes are looked "
		"at" },
	{ "status = 403; path = \"/./a\";",
		"path: \"/./a\": no path has //, /./ or /../ when routes are looked "
		"at" },
	{ "status = 403; method = \"get\";",
		"method: \"get\": methods are written in capitals, such as GET" },
	{ "status = 403; method = [\"GET\", \"P T\"];",
		"method: \"P T\": not a method, such as GET" },
	{ "status = 403; header = \"X:\";",
		"header: \"X:\": not the name of a header field, such as X-Canary" },
	{ "status = 403; source = \"10.0.0.1/8\";",
		"source: \"10.0.0.1/8\" is not a network: it has bits behind the first "
		"8" },
	{ "status = 403; response_headers = \"X\";",
		"response_headers: \"X\" is not of the form NAME=VALUE" },
	{ "status = 403; response_headers = \"X Y=1\";",
		"response_headers: \"X Y=1\": the name of a field is not a token" },
	{ "status = 403; response_headers = { X = \"a\"; Y = \"a\\x01\"; };",
		"response_headers: \"Y=a\x01\": control byte in the value of a field" },
	{ "status = 403; response_headers = { Content-Length = 5; };",
		"response_headers: \"Content-Length=5\": this field belongs to the "
		"server, which knows the length and the connection" },
	{ "status = 403; response_headers = { Transfer-Encoding = \"x\"; };",
		"response_headers: \"Transfer-Encoding=x\": this field belongs to the "
		"server, which knows the length and the connection" },

	{ "path = \"/a\";",
		"a route says what becomes of a request: app, files, fastcgi, redirect "
		"or status" },
	{ "app = \"shop\"; status = 403;", "status beside app" ONE_ACTION },
	{ "app = \"shop\"; redirect = \"/\";", "redirect beside app" ONE_ACTION },
	{ "files = \"d\"; fastcgi = \":1\";", "fastcgi beside files" ONE_ACTION },
	{ "files = \"d\"; app = \"shop\"; status = 404;",
		"status beside app" ONE_ACTION },
	{ "status = 600;", "status: \"600\" is not a whole number from 200 to 599" },
	{ "status = 101;", "status: \"101\" is not a whole number from 200 to 599" },
	{ "status = 204; body = \"x\";", "body: a response of status 204 has none" },
	{ "app = \"shop\"; body = \"x\";",
		"body has no effect in a route that is no status alone" },
	{ "redirect = \"/\"; status = 301; body = \"x\";",
		"body has no effect in a route that is no status alone" },
	{ "files = \"none\";", "files: \"~/none\": ~/none: No such file or directory" },
	{ "files = \"x.conf\";", "files: \"~/x.conf\": ~/x.conf: not a folder" },
	{ "fastcgi = \"host\";",
		"fastcgi: \"host\": not of the form fcgi://HOST:PORT" },
	{ "fastcgi = \"unix:\";",
		"fastcgi: \"unix:\": not of the form fcgi://HOST:PORT or "
		"fcgi:unix:PATH" },
	{ "fastcgi = \"host:x\";",
		"fastcgi: \"host:x\": \"x\" is not a port from 0 to 65535" },
	{ "fastcgi = \"host:1\"; root = \"none\";",
		"root: ~/none: No such file or directory" },
	{ "app = \"shp\";", "app: there is no application shp; did you mean shop?" },
	{ "app = \"another\";", "app: there is no application another" },

	{ "status = 403; mount = \"/a\"; path = \"/a\";",
		"mount has no effect in a route without app, files or fastcgi" },
	{ "app = \"shop\"; mount = \"/\"; path = \"/a\";",
		"mount: \"/\" is what there is without one" },
	{ "app = \"shop\"; mount = \"/a/\"; path = \"/a/*\";",
		"mount: \"/a/\" is not the beginning of a path, such as /blog" },
	{ "app = \"shop\"; mount = \"a\"; path = \"/a/*\";",
		"mount: \"a\" is not the beginning of a path, such as /blog" },
	{ "app = \"shop\"; mount = \"/a/*\"; path = \"/a/*\";",
		"mount: \"/a/*\" is not the beginning of a path, such as /blog" },
	{ "app = \"shop\"; mount = \"/a\";",
		"mount: the route has no path, such as /a/*" },
	{ "app = \"shop\"; mount = \"/a\"; path = [\"/a/b\", \"/ab/*\"];",
		"mount: \"/a\" is not the beginning of the path /ab/*" },
	{ "app = \"shop\"; mount = \"/a\"; path = \"*.php\";",
		"mount: \"/a\" is not the beginning of the path *.php" },

	{ "redirect = \"new\";", "redirect: \"new\": " LOCATION_FORMS },
	{ "redirect = \"\";", "redirect: \"\": " LOCATION_FORMS },
	{ "redirect = \"https://\";", "redirect: \"https://\": " LOCATION_FORMS },
	{ "redirect = \"https://$path\";",
		"redirect: \"https://$path\": " LOCATION_FORMS },
	{ "redirect = \"http:///a\";", "redirect: \"http:///a\": " LOCATION_FORMS },
	{ "redirect = \"//host/a\";", "redirect: \"//host/a\": " LOCATION_FORMS },
	{ "redirect = \"/$path\";", "redirect: \"/$path\": " LOCATION_FORMS },
	{ "redirect = \"ftp://host/\";", "redirect: \"ftp://host/\": " LOCATION_FORMS },
	{ "redirect = \"/a b\";", "redirect: \"/a b\": it has a byte that no URL has" },
	{ "redirect = \"/a$pth\";",
		"redirect: \"/a$pth\": there is no variable $pth" VARIABLES },
	{ "redirect = \"/a$\";",
		"redirect: \"/a$\": there is no variable $" VARIABLES },
	{ "redirect = \"/a$rest\";",
		"redirect: \"/a$rest\": $rest needs a path such as /old/*" },
	{ "redirect = \"/a$rest\"; path = [\"/b/*\", \"*.php\"];",
		"redirect: \"/a$rest\": $rest needs a path such as /old/*" },
	{ "redirect = \"/a\"; status = 304;",
		"status: 304 is not one of 301, 302, 303, 307 and 308, which are those "
		"of a redirect" },

	{ "app = \"shop\"; cache_control = \"x\";",
		"cache_control has no effect in a route without files or fastcgi" },
	{ "files = \"d\"; root = \"d\";", "root has no effect in a route with files" },
	{ "files = \"d\"; workers = 2;",
		"workers has no effect in a route with files" },
	{ "fastcgi = \"a:1\"; listing = true;",
		"listing has no effect in a route with fastcgi" },
	{ "app = \"shop\"; pidfile = \"x\";",
		"pidfile is of the whole server: it stands outside of routes" },
	{ "app = \"shop\"; mout = \"/a\";",
		"unknown setting mout; did you mean mount?" },
	{ "files = \"d\"; lsting = true;",
		"unknown setting lsting; did you mean listing?" },
	{ "status = \"403\";",
		"status: \"403\" is not a whole number from 200 to 599" },
	{ "status = 403; limit_request_body = 0;",
		"limit_request_body: \"0\" is not a size from 1 to 9223372036854775807 "
		"bytes, such as 20M" },
};

/* The text with the folder of the test for each "~". */
static void
add_here(struct buffer *to, const char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '~')
			buffer_add_str(to, folder);
		else
			buffer_add_char(to, *text);
}

START_TEST(bad_route_is_refused_with_its_line)
{
	struct buffer expected = { 0 };
	char text[1024];

	snprintf(text, sizeof text,
		"applications: { shop: { target = \"a:b\"; bind = \":1\"; }; };\n"
		"routes = (\n{ %s } );\n",
		bad_routes[_i].route);
	buffer_add_str(&expected, "x.conf:3: ");
	add_here(&expected, bad_routes[_i].fault);
	buffer_add_str(&expected, "\n");
	buffer_add_char(&expected, '\0');
	assert_faults(text, expected.ptr);
	buffer_release(&expected);
}
END_TEST

/* ---- Files that are refused ---- */

#define SHOP "applications: { shop: { target = \"a:b\"; }; };\n"

static const struct {
	const char *text, *faults;
} bad_files[] = {
	{ SHOP "routes = { app = \"shop\"; };\n",
		"x.conf:2: routes is not a list of groups: routes = ( { ... }, { ... } "
		");\n" },
	{ SHOP "routes = ();\n",
		"x.conf:2: routes is not a list of groups: routes = ( { ... }, { ... } "
		");\n" },
	{ SHOP "routes = ( { app = \"shop\"; }, 5 );\n",
		"x.conf:2: routes is not a list of groups: routes = ( { ... }, { ... } "
		");\n" },
	{ SHOP "listeners = \":80\";\nroutes = ( { app = \"shop\"; } );",
		"x.conf:2: listeners is not a list of groups: listeners = ( { ... }, { "
		"... } );\n" },
	{ SHOP "route = ( { app = \"shop\"; } );\n",
		"x.conf:2: unknown setting route; did you mean routes?\n" },
	{ SHOP "listener = ( { bind = \":80\"; } );\n",
		"x.conf:2: unknown setting listener; did you mean listeners?\n" },
	{ SHOP "routes = ( { app = \"shop\"; },\n);\n",
		"x.conf:2: a comma stands before the )\n" },
	{ SHOP "routes = ( { app = \"shop\"; method = [ \"GET\", /* ) */ ]; } );\n",
		"x.conf:2: a comma stands before the ]\n" },
	{ SHOP "routes = ( { app = \"shop\"; },\n{ path = \"/a\"; status = 403; },\n"
	       "{ path = \"/b\"; status = 403; } );\n",
		"x.conf:3: this route can never be reached: that of x.conf:2 matches "
		"everything\n" },
	{ SHOP "routes = ( { path = \"/*\"; host = [ \"a\", \"*\" ]; app = \"shop\"; },"
	       "\n{ path = \"/a\"; status = 403; } );\n",
		"x.conf:3: this route can never be reached: that of x.conf:2 matches "
		"everything\n" },
	{ "applications: { shop: { target = \"a:b\"; };\nblog: { target = \"c.d\"; };\n"
	  "};\nroutes = ( { app = \"shop\"; } );\n",
		"x.conf:2: application blog has neither a bind of its own nor a "
		"route\n" },
	{ "protocol = \"fastcgi\";\n" SHOP "routes = ( { app = \"shop\"; } );\n",
		"x.conf:1: protocol: a listener with routes speaks http, not "
		"fastcgi\n" },
	{ "applications: { shop: { target = \"a:b\"; bind = \":80\"; }; };\n"
	  "bind = \":80\";\nroutes = ( { app = \"shop\"; } );\n",
		"x.conf:2: bind: :80 is the address of application shop and of a "
		"listener\n" },
	{ "target = \"front:\";\n",
		"x.conf:1: target: \"front:\": front: is made of listeners and "
		"routes\n" },

	{ SHOP "listeners = ( { bind = \":80\"; } );\n",
		"x.conf:2: a listener has no routes, of its own or at the top of a "
		"file\n"
		"x.conf:1: application shop has neither a bind of its own nor a "
		"route\n" },
	{ SHOP "routes = ( { app = \"shop\"; } );\nlisteners = ( { workers = 2; } );\n",
		"x.conf:3: a listener has no bind\n" },
	{ SHOP "routes = ( { app = \"shop\"; } );\nlisteners = ( { bind = []; } );\n",
		"x.conf:3: bind: a listener has no address\n" },
	{ SHOP "routes = ( { app = \"shop\"; } );\nlisteners = ( { bind = \":80\"; },\n"
	       "{ bind = \":80\"; } );\n",
		"x.conf:4: bind: :80 is the address of a listener and of a "
		"listener\n" },
	{ SHOP "routes = ( { app = \"shop\"; } );\nbind = \":1\";\n"
	       "listeners = ( { bind = \":80\"; } );\n",
		"x.conf:3: bind has no effect beside listeners: each has one of its "
		"own\n" },
	{ SHOP "routes = ( { app = \"shop\"; } );\n"
	       "listeners = ( { bind = \":80\"; threads = 2; chdir = \"d\"; } );\n",
		"x.conf:3: threads has no effect in a listener: it is of applications\n"
		"x.conf:3: chdir has no effect in a listener: it is of "
		"applications\n" },
	{ SHOP "routes = ( { app = \"shop\"; } );\n"
	       "listeners = ( { bind = \":80\"; loglevel = \"info\";\nworkrs = 1; } "
	       ");\n",
		"x.conf:3: loglevel is of the whole server: it stands outside of "
		"listeners\n"
		"x.conf:4: unknown setting workrs; did you mean workers?\n" },
	{ SHOP "routes = ( { app = \"shop\"; } );\n"
	       "listeners = ( { bind = \":80\"; name = \"a b\"; } );\n",
		"x.conf:3: name: not a name of letters, digits, - and _ that begins "
		"with a letter\n" },
	{ SHOP "routes = ( { app = \"shop\"; } );\n"
	       "listeners = ( { bind = \":80\"; name = \"shop\"; } );\n",
		"x.conf:3: name: shop is the name of the application in x.conf "
		"already\n" },
	{ SHOP "routes = ( { app = \"shop\"; } );\n"
	       "listeners = ( { bind = \":80\"; name = \"a\"; },\n"
	       "{ bind = \":81\"; name = \"a\"; } );\n",
		"x.conf:4: name: a is the name of the listener in x.conf already\n" },
	{ SHOP "routes = (\n{ app = \"shop\"; } );\n"
	       "listeners = ( { bind = \":80\"; routes = ( { app = \"shop\"; } ); } "
	       ");\n",
		"x.conf:3: no listener has these routes: each has others of its "
		"own\n" },
	{ SHOP "routes = ( { app = \"shop\"; } );\n"
	       "listeners = ( { bind = \":80\"; workers = 1; workers_min = 2;\n"
	       "protocol = \"fastcgi\"; } );\n",
		"x.conf:3: workers_min: 2 is more than workers, 1\n"
		"x.conf:4: protocol: a listener with routes speaks http, not "
		"fastcgi\n" },
};

START_TEST(bad_file_is_refused)
{
	assert_faults(bad_files[_i].text, bad_files[_i].faults);
}
END_TEST

/* ---- Routes that are good ---- */

static const char *const good_routes[] = {
	"app = \"shop\";",
	"app = \"shop\"; host = [ \"*\", \"*.a.b\", \"A.b\", \"1.2.3.4\", \"[::1]\" ];",
	"app = \"shop\"; path = [ \"/\", \"/*\", \"/a b\", \"/..a/*\", \"*.php\", "
	"\"*/x\", "
	"\"*\", \"/100%\" ];",
	"app = \"shop\"; method = \"GET\"; header = \"X-Canary\"; source = \"::1\";",
	"app = \"shop\"; mount = \"/a\"; path = [ \"/a\", \"/a/*\", \"/a/b\" ];",
	"files = \"d/www\"; mount = \"/a\"; path = \"/a/*\"; listing = true;",
	"files = \"d\"; app = \"shop\"; index = \"i.html\"; limit_request_body = "
	"\"1M\";",
	"fastcgi = \"a:1,b:2\"; root = \"d\"; params = \"A=b\"; fcgi_queue = 5;",
	"fastcgi = \"unix:d/sock\"; mount = \"/a/b\"; path = \"/a/b/*\";",
	"redirect = \"/new\";",
	"redirect = \"$uri\"; path = \"/old\"; status = 308;",
	"redirect = \"$scheme://$host$path?q=$$&$query\";",
	"redirect = \"https://host/new$rest\"; path = [ \"/a/*\", \"/*\" ]; status = "
	"303;",
	"status = 404;",
	"status = 200; body = \"ok\"; response_headers = { X-A = \"1\"; };",
};

START_TEST(good_route_reads_back_as_printed)
{
	struct buffer first = { 0 }, second = { 0 };
	char text[1024];

	/* Elsewhere a relative path would be another one. */
	snprintf(text, sizeof text,
		"applications: { shop: { target = \"a:b\"; bind = \":1\"; }; };\n"
		"routes = ( { %s } );\n",
		good_routes[_i]);
	struct config *c = load_text(text);
	printed(c, &first);
	config_free(c);
	write_file("printed.conf", first.ptr);
	c = load_with("alicorn -c printed.conf", NULL, "");
	ck_assert_ptr_nonnull(c);
	printed(c, &second);
	config_free(c);
	for (const char *a = first.ptr, *b = second.ptr; *a != '\0';
		a += strcspn(a, "\n") + 1, b += strcspn(b, "\n") + 1) {
		const char *comment = strstr(a, "; /*");
		ck_assert_int_eq(
			strncmp(a, b, comment != NULL ? (size_t)(comment - a) : 1), 0);
	}
	buffer_release(&first);
	buffer_release(&second);
}
END_TEST

START_TEST(inner_settings_are_the_top_and_the_route)
{
	struct config *c = load_text(
		"index = \"top.html\"; listing = true; cache_control = \"no-cache\";\n"
		"routes = ( { path = \"/a/*\"; files = \"d\"; listing = false; },\n"
		"{ fastcgi = \"unix:d/sock\"; index = \"i.php\"; } );\n");
	const struct route *routes = c->sites[0].routes;
	char expected[64];

	ck_assert_uint_eq(c->sites[0].n_routes, 2);
	snprintf(expected, sizeof expected, "files:%s/d", folder);
	ck_assert_str_eq(routes[0].inner->target, expected);
	ck_assert_str_eq(routes[0].inner->name, "route 1");
	ck_assert_str_eq(routes[0].inner->what.binding, "files");
	ck_assert_str_eq(routes[0].inner->index, "top.html");
	ck_assert_str_eq(routes[0].inner->cache_control, "no-cache");
	ck_assert(!routes[0].inner->listing);
	ck_assert_uint_eq(routes[0].inner->bind.n, 0);
	snprintf(expected, sizeof expected, "fcgi:unix:%s/d/sock", folder);
	ck_assert_str_eq(routes[1].inner->target, expected);
	ck_assert_str_eq(routes[1].inner->index, "i.php");
	ck_assert_ptr_null(routes[1].inner->cache_control);
	ck_assert_ptr_null(routes[1].to);
	ck_assert_str_eq(routes[1].origin.source, "x.conf");
	ck_assert_uint_eq(routes[1].origin.line, 3);
	config_free(c);
}
END_TEST

/* ---- Who accepts ---- */

static const struct {
	const char *text;
	const char *front; /* its name */
	bool direct;
} sites[] = {
	{ SHOP "routes = ( { app = \"shop\"; } );", "shop", true },
	{ SHOP "routes = ( { path = \"/a/*\"; files = \"d\"; },\n"
	       "{ path = \"/b\"; status = 403; }, { app = \"shop\"; } );",
		"shop", true },
	{ "target = \"a:b\"; routes = ( { app = \"default\"; } );", "default", true },
	{ "target = \"a:b\"; threads = 2; routes = ( { app = \"default\"; } );",
		"front", false },
	{ "target = \"cgi:d\"; routes = ( { app = \"default\"; } );", "front", false },
	{ "target = \"fcgi://a:1\"; routes = ( { app = \"default\"; } );", "front",
		false },
	{ "target = \"fcgi-exec:a\"; routes = ( { app = \"default\"; } );", "front",
		false },
	{ "target = \"files:d\"; routes = ( { app = \"default\"; } );", "front",
		false },
	{ "applications: { a: { target = \"a:b\"; protocol = \"fastcgi\"; }; };\n"
	  "routes = ( { app = \"a\"; } );",
		"front", false },
	{ "applications: { a: { target = \"a:b\"; }; front: { target = \"c.d\"; }; };\n"
	  "routes = ( { host = \"a\"; app = \"a\"; }, { app = \"front\"; } );",
		"front2", false },
	{ "applications: { a: { target = \"a:b\"; bind = \":1\"; }; };\n"
	  "routes = ( { app = \"a\"; } );",
		"front", false },
	{ SHOP "routes = ( { path = \"*.php\"; fastcgi = \"a:1\"; }, { app = \"shop\"; "
	       "} );",
		"front", false },
	{ "routes = ( { files = \"d\"; } );", "front", false },
	{ SHOP "routes = ( { app = \"shop\"; } ); listeners = ( { bind = \":1\"; } );",
		"shop", true },
	{ SHOP "listeners = ( { bind = \":1\"; routes = ( { app = \"shop\"; } ); } );",
		"shop", true },
	{ SHOP "routes = ( { app = \"shop\"; } );\n"
	       "listeners = ( { bind = \":1\"; keepalive = 9; } );",
		"front", false },
	{ SHOP "routes = ( { app = \"shop\"; } );\n"
	       "listeners = ( { bind = \":1\"; name = \"web\"; } );",
		"web", false },
};

START_TEST(front_is_made_where_it_is_needed)
{
	struct config *c = load_text(sites[_i].text);
	const struct site *site = &c->sites[0];
	const struct app_settings *front = site->front;

	ck_assert_uint_eq(c->n_sites, 1);
	ck_assert_str_eq(site->name, sites[_i].front);
	ck_assert_str_eq(front->name, site->name);
	ck_assert_int_eq(site->direct, sites[_i].direct);
	ck_assert_ptr_eq(front->site, site);
	ck_assert_uint_eq(front->bind.n, 1);
	ck_assert(front >= c->apps && front < c->apps + c->n_apps);
	if (!site->direct) {
		ck_assert_ptr_eq(front, &c->apps[c->n_apps - 1]);
		ck_assert_str_eq(front->what.binding, "front");
		ck_assert_str_eq(front->target, "front:");
		ck_assert(!front->routed);
	}
	for (size_t i = 0; i < site->n_routes; i++) {
		const struct route *route = &site->routes[i];
		ck_assert_int_eq(route->to != NULL, route->app != NULL);
		if (route->to != NULL) {
			ck_assert_str_eq(route->to->name, route->app);
			ck_assert(route->to->routed);
		}
	}
	config_free(c);
}
END_TEST

START_TEST(front_has_the_settings_of_top_and_listener)
{
	setenv("WEB_CONCURRENCY", "7", 1);
	struct config *c = load_text(
		"keepalive = 3; workers = 9; timeout = 5; threads = 4; chdir = \"d\";\n"
		"applications: { shop: { target = \"a:b\"; keepalive = 8; }; };\n"
		"routes = ( { app = \"shop\"; } );\n"
		"listeners = ( { bind = [ \":1\", \"unix:s\" ]; keepalive = 4; } );\n");
	const struct app_settings *front = c->sites[0].front;

	ck_assert_uint_eq(front->bind.n, 2);
	ck_assert_uint_eq(c->sites[0].bind.n, 2);
	ck_assert_int_eq(front->keepalive, 4);
	ck_assert_int_eq(front->timeout, 5);
	ck_assert_int_eq(front->threads, 1);
	ck_assert_ptr_null(front->chdir);
	ck_assert_int_ge(front->workers, 1);
	ck_assert_int_le(front->workers, 8);
	ck_assert_str_eq(front->origins[APP_workers].source, "default");
	ck_assert_uint_eq(front->origin.line, 4);
	ck_assert_int_eq(c->apps[0].keepalive, 8);
	ck_assert_uint_eq(c->apps[0].bind.n, 0);
	config_free(c);

	c = load_with("alicorn -c x.conf -w 3 -b :5 -t 6", NULL, "");
	front = c->sites[0].front;
	ck_assert_str_eq(front->bind.items[0], ":5");
	ck_assert_int_eq(front->timeout, 6);
	ck_assert_str_eq(front->origins[APP_workers].source, "default");
	ck_assert_int_eq(c->apps[0].workers, 3);
	ck_assert_uint_eq(c->apps[0].bind.n, 0);
	config_free(c);
}
END_TEST

START_TEST(listeners_may_have_routes_of_their_own)
{
	struct buffer text = { 0 };
	struct config *c = load_text(
		"applications: { a: { target = \"a:b\"; }; b: { target = \"c.d\"; "
		"bind = \":9\"; }; };\n"
		"routes = ( { host = \"a\"; app = \"a\"; }, { app = \"b\"; } );\n"
		"listeners = ( { bind = \":1\"; }, { bind = \":2\"; }, { bind = \":3\";"
		"\nroutes = ( { app = \"a\"; } ); } );\n");

	ck_assert_uint_eq(c->n_sites, 3);
	ck_assert_uint_eq(c->n_apps, 4);
	ck_assert_str_eq(c->sites[0].name, "front");
	ck_assert_str_eq(c->sites[1].name, "front2");
	ck_assert_ptr_eq(c->sites[0].routes, c->sites[1].routes);
	ck_assert_ptr_eq(c->sites[0].routes, c->routes);
	ck_assert(c->sites[2].direct);
	ck_assert_ptr_eq(c->sites[2].front, &c->apps[0]);
	ck_assert_str_eq(c->apps[0].bind.items[0], ":3");
	ck_assert_str_eq(c->apps[0].addresses[0].port, "3");
	ck_assert_str_eq(c->apps[1].bind.items[0], ":9");
	ck_assert_ptr_null(c->apps[1].site);

	write_file("printed.conf", printed(c, &text));
	config_free(c);
	c = load_with("alicorn -c printed.conf", NULL, "");
	ck_assert_uint_eq(c->n_sites, 3);
	ck_assert(!c->sites[0].direct && !c->sites[1].direct && c->sites[2].direct);
	ck_assert_str_eq(c->sites[1].name, "front2");
	ck_assert_str_eq(c->apps[0].bind.items[0], ":3");
	ck_assert_str_eq(c->apps[1].bind.items[0], ":9");
	config_free(c);
	buffer_release(&text);
}
END_TEST

/* With routes of both, an address could not tell whose are meant. */
START_TEST(application_is_the_front_of_one_list)
{
	struct config *c = load_text(
		SHOP "routes = ( { app = \"shop\"; } );\n"
		     "listeners = ( { bind = \":1\"; }, { bind = \":2\"; },\n"
		     "{ bind = \":3\"; routes = ( { app = \"shop\"; } ); } );\n");

	ck_assert_uint_eq(c->n_apps, 2);
	ck_assert(c->sites[0].direct && c->sites[1].direct && !c->sites[2].direct);
	ck_assert_uint_eq(c->apps[0].bind.n, 2);
	ck_assert_uint_eq(c->sites[1].bind.n, 1);
	ck_assert_ptr_eq(c->apps[0].site, &c->sites[0]);
	config_free(c);
}
END_TEST

START_TEST(target_of_the_line_goes_with_routes)
{
	write_file("x.conf", "timeout = 7; routes = ( { app = \"default\"; } );\n");
	struct config *c = load_with("alicorn -c x.conf -b :3 a:b", NULL, "");

	ck_assert_uint_eq(c->n_apps, 1);
	ck_assert_int_eq(c->apps[0].timeout, 7);
	ck_assert_str_eq(c->apps[0].bind.items[0], ":3");
	ck_assert(c->sites[0].direct);
	config_free(c);
}
END_TEST

/* ---- Folders ---- */

static void
write_folder(const char *x, const char *y, const char *z)
{
	write_file("d/x.conf", x);
	write_file("d/y.conf", y);
	if (z != NULL)
		write_file("d/z.conf", z);
}

START_TEST(top_with_a_target_is_no_listener_s)
{
	write_folder("target = \"a:b\"; bind = \":1\"; keepalive = 9;\n"
		     "routes = ( { app = \"x\"; } );\n",
		"target = \"c.d\"; bind = \":2\"; keepalive = 8;\n"
		"listeners = ( { bind = \":3\"; timeout = 5; } );\n",
		NULL);
	struct config *c = load_with("alicorn -c d", NULL, "");

	ck_assert_uint_eq(c->n_apps, 3);
	ck_assert_str_eq(c->apps[0].bind.items[0], ":1");
	ck_assert_str_eq(c->apps[1].bind.items[0], ":2");
	ck_assert_str_eq(c->apps[2].bind.items[0], ":3");
	ck_assert_int_eq(c->apps[2].keepalive, 2);
	config_free(c);
}
END_TEST

START_TEST(routes_of_a_folder_are_one_list)
{
	write_folder("keepalive = 7; bind = \":1\"; workers = 3;\n",
		"target = \"a:b\"; keepalive = 9; bind = \":2\";\n",
		"target = \"c.d\"; keepalive = 8; timeout = 99;\n"
		"routes = ( { host = \"z\"; app = \"z\"; }, { app = \"y\"; } );\n");
	struct config *c = load_with("alicorn -c d", NULL, "");

	ck_assert_uint_eq(c->n_sites, 1);
	ck_assert_uint_eq(c->n_apps, 3);
	ck_assert_str_eq(c->apps[0].name, "y");
	ck_assert_str_eq(c->apps[0].bind.items[0], ":2");
	ck_assert_uint_eq(c->apps[1].bind.n, 0);
	ck_assert_str_eq(c->apps[2].bind.items[0], ":1");
	ck_assert_int_eq(c->apps[2].keepalive, 7);
	ck_assert_int_eq(c->apps[2].timeout, 30);
	ck_assert_uint_eq(c->sites[0].n_routes, 2);
	config_free(c);
}
END_TEST

static const struct {
	const char *x, *y, *z, *faults;
	size_t n_apps, n_routes, n_broken;
} folders[] = {
	{ "target = \"a:b\";", "target = \"c.d\"; routes = ( { app = \"y\"; } );",
		"\nroutes = ( { app = \"x\"; } );",
		"d/z.conf:2: this route can never be reached: that of d/y.conf:1 "
		"matches everything\n"
		"alicorn: d/z.conf is left out\n"
		"d/x.conf:1: application x has neither a bind of its own nor a route\n",
		1, 1, 2 },
	{ "target = \"a:b\"; bind = \":1\";",
		"routes = ( { host = \"a\"; app = \"x\"; },\n"
		"{ host = \"b\"; app = \"z\"; mount = \"/a\"; path = \"/a\"; },\n"
		"{ files = \"www\"; app = \"z\"; } );",
		"target = \"c.d\"; wrkers = 1;",
		"d/z.conf:1: unknown setting wrkers; did you mean workers?\n"
		"alicorn: d/z.conf is left out\n"
		"d/y.conf:2: app: there is no application z\n"
		"d/y.conf:3: app: there is no application z\n",
		2, 3, 3 },
	{ "target = \"a:b\"; bind = \":1\";",
		"routes = ( { app = \"x\"; } );\nbind = \":2\";", "bind = \":3\";",
		"d/z.conf:1: bind is another value in d/y.conf:2\n"
		"alicorn: d/z.conf is left out\n",
		2, 1, 1 },
	{ "listeners = ( { bind = \":1\"; routes = ( { files = \"www\"; } ); },\n"
	  "{ bind = \":2\"; } );",
		"target = \"a:b\"; bind = \":3\";", "target = \"c.d\"; bind = \":1\";",
		"d/z.conf:1: bind: :1 is the address of a listener and of application "
		"z\n"
		"alicorn: d/z.conf is left out\n"
		"d/x.conf:2: a listener has no routes, of its own or at the top of a "
		"file\n",
		2, 1, 2 },
};

START_TEST(rest_of_a_folder_serves)
{
	write_folder(folders[_i].x, folders[_i].y, folders[_i].z);
	struct config *c = load_with("alicorn -c d", NULL, folders[_i].faults);

	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(c->n_sites, 1);
	ck_assert_uint_eq(c->n_apps, folders[_i].n_apps);
	ck_assert_uint_eq(c->sites[0].n_routes, folders[_i].n_routes);
	ck_assert_uint_eq(c->n_broken, folders[_i].n_broken);
	config_free(c);
}
END_TEST

START_TEST(route_to_nobody_answers_503)
{
	write_folder("routes = ( { path = \"/a/*\"; mount = \"/a\"; app = \"gone\"; "
		     "files = \"www\"; }, { files = \"www\"; } );",
		"listeners = ( { bind = \":1\"; } );", NULL);
	struct buffer text = { 0 };
	struct config *c = load_with("alicorn -c d", NULL,
		"d/x.conf:1: app: there is no application gone\n");
	const struct route *route = &c->sites[0].routes[0];

	ck_assert_int_eq(route->status, 503);
	ck_assert_ptr_null(route->app);
	ck_assert_ptr_null(route->to);
	ck_assert_ptr_null(route->files);
	ck_assert_ptr_null(route->mount);
	ck_assert_ptr_null(route->inner);
	ck_assert_uint_eq(c->n_broken, 1);
	write_file("printed.conf", printed(c, &text));
	config_free(c);
	c = load_with("alicorn -c printed.conf", NULL, "");
	ck_assert_int_eq(c->sites[0].routes[0].status, 503);
	config_free(c);
	buffer_release(&text);
}
END_TEST

/* The routes of a broken file go on, too; what is gone from memory a sanitizer sees. */
START_TEST(broken_routes_go_on_as_they_were)
{
	write_folder("target = \"a:b\";",
		"routes = ( { files = \"www\"; app = \"x\"; } );", NULL);
	struct config *c = load_with("alicorn -c d", NULL, "");

	write_file("d/y.conf", "routes = ( { app = \"x\"; } \n");
	for (int i = 0; i < 3; i++) {
		struct config *next = load_with("alicorn -c d", c,
			"d/y.conf:1: this ( is not closed\n"
			"alicorn: d/y.conf: what it said before goes on\n");
		config_free(c);
		c = next;
		ck_assert_uint_eq(c->n_sites, 1);
		ck_assert_ptr_eq(c->sites[0].routes[0].to, &c->apps[0]);
		ck_assert_str_eq(c->sites[0].routes[0].inner->what.binding, "files");
	}
	config_free(c);
}
END_TEST

START_TEST(nothing_to_serve_is_a_fault)
{
	write_folder("listeners = ( { bind = \":1\"; } );", "target = \"a:b\";", NULL);
	ck_assert_ptr_null(load_with("alicorn -c d", NULL,
		"d/x.conf:1: a listener has no routes, of its own or at the top of a "
		"file\n"
		"d/y.conf:1: application y has neither a bind of its own nor a "
		"route\n"
		"alicorn: d: there is nothing to serve\n"));
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof(table)[0])

Suite *
routes_config_suite(void)
{
	Suite *s = suite_create("routes_config");
	TCase *t = tcase_create("routes_config");

	tcase_add_checked_fixture(t, enter_folder, leave_folder);
	tcase_add_loop_test(t, bad_route_is_refused_with_its_line, 0, ROWS(bad_routes));
	tcase_add_loop_test(t, bad_file_is_refused, 0, ROWS(bad_files));
	tcase_add_loop_test(t, good_route_reads_back_as_printed, 0, ROWS(good_routes));
	tcase_add_test(t, inner_settings_are_the_top_and_the_route);
	tcase_add_loop_test(t, front_is_made_where_it_is_needed, 0, ROWS(sites));
	tcase_add_test(t, front_has_the_settings_of_top_and_listener);
	tcase_add_test(t, listeners_may_have_routes_of_their_own);
	tcase_add_test(t, application_is_the_front_of_one_list);
	tcase_add_test(t, target_of_the_line_goes_with_routes);
	tcase_add_test(t, top_with_a_target_is_no_listener_s);
	tcase_add_test(t, routes_of_a_folder_are_one_list);
	tcase_add_loop_test(t, rest_of_a_folder_serves, 0, ROWS(folders));
	tcase_add_test(t, route_to_nobody_answers_503);
	tcase_add_test(t, broken_routes_go_on_as_they_were);
	tcase_add_test(t, nothing_to_serve_is_a_fault);
	suite_add_tcase(s, t);
	return s;
}
