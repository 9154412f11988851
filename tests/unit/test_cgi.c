/* The environ of a request and the head of a CGI response. */
#include <check.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/alicorn.h"
#include "protocols/cgi.h"

Suite *cgi_suite(void);

/* The gateway hands these on as those. */
#define SAME(member) \
	_Static_assert( \
		offsetof(struct cgi_var, member) == offsetof(struct al_var, member) && \
			sizeof(((struct cgi_var *)0)->member) == \
				sizeof(((struct al_var *)0)->member), \
		"struct cgi_var differs from struct al_var")
SAME(name);
SAME(value);
SAME(name_len);
SAME(value_len);
SAME(id);
_Static_assert(sizeof(struct cgi_var) == sizeof(struct al_var), "another size");
_Static_assert((int)CGI_VAR_IDS == AL_VAR_IDS, "another number of ids");

enum { FIELDS = 40000 };

/* A request and its environ; the bytes are an allocation of just their size. */
struct play {
	char *bytes;
	struct http1_field *fields;
	struct http1_head head;
	struct cgi_source source;
	struct cgi_var *vars;
	size_t n;
	struct arena memory;
};

static const struct cgi_source usual_source = {
	.scheme = "http",
	.server_name = "server",
	.server_port = "8000",
	.remote_addr = "192.0.2.1",
	.remote_port = "1234",
	.software = "alicorn/1",
};

static void
play_source(struct play *p, struct slice request, const struct cgi_source *source)
{
	static const struct http1_limits limits = { 65536, FIELDS, 65536, INT64_MAX };
	struct http1_decoder d;

	*p = (struct play){ .source = *source };
	p->bytes = malloc(request.len);
	p->fields = p->head.fields = calloc(FIELDS, sizeof(*p->fields));
	p->vars = calloc(FIELDS + CGI_OWN_VARS, sizeof(*p->vars));
	memcpy(p->bytes, request.ptr, request.len);
	http1_decoder_init(&d, &limits);
	int length = http1_decode_head(&d, slice_of(p->bytes, request.len), &p->head);
	ck_assert_msg(length > 0, "%s", d.reason);
	p->source.head = &p->head;
	p->n = cgi_environ(&p->source, p->vars, &p->memory);
	ck_assert_uint_gt(p->n, 0);
}

static void
play(struct play *p, const char *request)
{
	play_source(p, slice_str(request), &usual_source);
}

static void
stop(struct play *p)
{
	arena_release(&p->memory);
	free(p->vars);
	free(p->fields);
	free(p->bytes);
}

/* The value of a variable that is there at most once; NULL: it is not there. */
static const char *
value(const struct play *p, const char *name)
{
	const char *found = NULL;

	for (size_t i = 0; i < p->n; i++) {
		const struct cgi_var *var = &p->vars[i];
		ck_assert_uint_eq(strlen(var->name), var->name_len);
		ck_assert_uint_eq(strlen(var->value), var->value_len);
		ck_assert_uint_lt(var->id, CGI_VAR_IDS);
		if (strcmp(var->name, name) != 0)
			continue;
		ck_assert_ptr_null(found);
		found = var->value;
	}
	return found;
}

#define IS(name, text) ck_assert_str_eq(value(&p, name), text)
#define ABSENT(name) ck_assert_ptr_null(value(&p, name))

START_TEST(own_variables)
{
	struct play p;

	play(&p,
		"GET /a%20b/%2F?c=d%20e HTTP/1.1\r\nHost: h:80\r\n"
		"Content-Type: text/plain\r\n\r\n");
	IS("REQUEST_METHOD", "GET");
	IS("SCRIPT_NAME", "");
	IS("PATH_INFO", "/a b//");
	IS("QUERY_STRING", "c=d%20e");
	IS("REQUEST_URI", "/a%20b/%2F?c=d%20e");
	IS("RAW_URI", "/a%20b/%2F?c=d%20e");
	IS("SERVER_PROTOCOL", "HTTP/1.1");
	IS("SERVER_NAME", "server");
	IS("SERVER_PORT", "8000");
	IS("SERVER_SOFTWARE", "alicorn/1");
	IS("GATEWAY_INTERFACE", "CGI/1.1");
	IS("REMOTE_ADDR", "192.0.2.1");
	IS("REMOTE_PORT", "1234");
	IS("REQUEST_SCHEME", "http");
	IS("HTTP_HOST", "h:80");
	IS("CONTENT_TYPE", "text/plain");
	ABSENT("HTTP_CONTENT_TYPE");
	ABSENT("CONTENT_LENGTH");
	ABSENT("HTTPS");
	ck_assert_uint_le(p.n, CGI_OWN_VARS);
	stop(&p);
}
END_TEST

START_TEST(http10_without_anything)
{
	struct play p;

	play(&p, "HEAD / HTTP/1.0\r\n\r\n");
	IS("SERVER_PROTOCOL", "HTTP/1.0");
	IS("REQUEST_METHOD", "HEAD");
	IS("RAW_URI", "/");
	IS("PATH_INFO", "/");
	IS("QUERY_STRING", "");
	ABSENT("HTTP_HOST");
	ABSENT("CONTENT_TYPE");
	stop(&p);
}
END_TEST

START_TEST(the_target_of_a_proxy)
{
	struct play p;

	play(&p, "GET http://b:81/p%41?q HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n");
	IS("REQUEST_URI", "http://b:81/p%41?q");
	IS("RAW_URI", "http://b:81/p%41?q");
	IS("PATH_INFO", "/pA");
	IS("QUERY_STRING", "q");
	IS("HTTP_HOST", "b:81");
	IS("HTTP_X", "y");
	stop(&p);
	play(&p, "GET http://b HTTP/1.1\r\nHost:\r\n\r\n");
	IS("RAW_URI", "http://b");
	IS("PATH_INFO", "/");
	IS("HTTP_HOST", "b");
	stop(&p);
	play(&p, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
	IS("RAW_URI", "*");
	IS("PATH_INFO", "*");
	IS("HTTP_HOST", "a");
	stop(&p);
}
END_TEST

/* The slices of the head are used afterwards, for the log and the routes. */
START_TEST(the_head_stays_valid)
{
	struct play p;

	play(&p, "GET /p?q HTTP/1.1\r\nHost: a\r\nX-Y:b\r\n\r\n");
	ck_assert(slice_eq(p.head.method, SLICE("GET")));
	ck_assert(slice_eq(p.head.target, SLICE("/p?q")));
	ck_assert(slice_eq(p.head.path, SLICE("/p")));
	ck_assert(slice_eq(p.head.query, SLICE("q")));
	ck_assert(slice_eq(p.head.authority, SLICE("a")));
	ck_assert(slice_eq(p.head.fields[1].name, SLICE("X-Y")));
	ck_assert(slice_eq(p.head.fields[1].value, SLICE("b")));
	stop(&p);
}
END_TEST

START_TEST(content_length_is_what_was_received)
{
	struct cgi_source source = usual_source;
	struct play p;

	source.has_body = true;
	source.body_length = UINT64_MAX;
	play_source(&p,
		SLICE("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
		      "chunked\r\n\r\n"),
		&source);
	IS("CONTENT_LENGTH", "18446744073709551615");
	ABSENT("HTTP_TRANSFER_ENCODING");
	stop(&p);
	source.body_length = 0;
	play_source(&p, SLICE("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n"),
		&source);
	IS("CONTENT_LENGTH", "0");
	ABSENT("HTTP_CONTENT_LENGTH");
	stop(&p);
	source.has_body = false;
	play_source(&p, SLICE("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), &source);
	ABSENT("CONTENT_LENGTH");
	stop(&p);
}
END_TEST

START_TEST(https_and_unix_sockets)
{
	struct cgi_source source = usual_source;
	struct play p;

	source.scheme = "https";
	source.remote_addr = source.remote_port = "";
	play_source(&p, SLICE("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), &source);
	IS("HTTPS", "on");
	IS("REQUEST_SCHEME", "https");
	IS("REMOTE_ADDR", "");
	IS("REMOTE_PORT", "");
	stop(&p);
}
END_TEST

START_TEST(fields_become_variables)
{
	struct play p;

	play(&p,
		"GET / HTTP/1.1\r\nHost: a\r\nuser-AGENT:  curl "
		"\t\r\nX-One.two!:\t1\r\n"
		"Accept:\r\nConnection: close, x\r\nUpgrade: h2c\r\nx: \t \r\n"
		"Expect: 100-continue\r\nX-Forwarded-For: 1.2.3.4\r\naz-AZ: 2\r\n\r\n");
	IS("HTTP_USER_AGENT", "curl");
	IS("HTTP_X_ONE.TWO!", "1");
	IS("HTTP_ACCEPT", "");
	IS("HTTP_CONNECTION", "close, x");
	IS("HTTP_UPGRADE", "h2c");
	IS("HTTP_X", "");
	IS("HTTP_EXPECT", "100-continue");
	IS("HTTP_X_FORWARDED_FOR", "1.2.3.4");
	IS("HTTP_AZ_AZ", "2");
	stop(&p);
}
END_TEST

START_TEST(fields_that_are_left_out)
{
	struct play p;

	play(&p,
		"GET / HTTP/1.1\r\nHost: a\r\nProxy: http://evil\r\nX_Y: "
		"1\r\nUser_Agent: 1\r\n"
		"Content_Length: 9\r\nContent_Type: 1\r\nKeep-Alive: 1\r\nTE: "
		"trailers\r\n"
		"Proxy-Connection: close\r\nTrailer: X\r\n_: 1\r\nX-: 1\r\n\r\n");
	ABSENT("HTTP_PROXY");
	ABSENT("HTTP_X_Y");
	ABSENT("HTTP_USER_AGENT");
	ABSENT("CONTENT_LENGTH");
	ABSENT("CONTENT_TYPE");
	ABSENT("HTTP_CONTENT_LENGTH");
	ABSENT("HTTP_CONTENT_TYPE");
	ABSENT("HTTP_KEEP_ALIVE");
	ABSENT("HTTP_TE");
	ABSENT("HTTP_PROXY_CONNECTION");
	ABSENT("HTTP_TRAILER");
	ABSENT("HTTP__");
	IS("HTTP_X_", "1");
	stop(&p);
}
END_TEST

START_TEST(repeated_fields_are_joined)
{
	struct play p;

	play(&p,
		"GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nAccept: b\r\nCookie: "
		"c=1\r\nx-a:\r\n"
		"accept: d , e\r\nX-B: 9\r\ncookie: f=2\r\nX-a: 3\r\nCOOKIE: "
		"g\r\n\r\n");
	IS("HTTP_X_A", "1, , 3");
	IS("HTTP_ACCEPT", "b, d , e");
	IS("HTTP_COOKIE", "c=1; f=2; g");
	IS("HTTP_X_B", "9");
	IS("REQUEST_METHOD", "GET");
	stop(&p);
	play(&p, "GET / HTTP/1.1\r\nHost: a\r\nX:\r\nX:\r\n\r\n");
	IS("HTTP_X", ", ");
	stop(&p);
}
END_TEST

/* Every row of the table is found by its name, in any case, and has an id of its own.
 */
START_TEST(known_names_have_ids)
{
	static const char *const names[] = {
#define OWN(id)
#define FIELD(id, name, field) field,
#define DROP(id, field)
#define LENGTH(n)
#include "protocols/cgi_names.def"
	};
	size_t n = sizeof(names) / sizeof(names[0]);
	const struct cgi_var *by_id[CGI_VAR_IDS] = { NULL };
	struct buffer text = { 0 };
	struct play p;

	buffer_add_str(&text, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (size_t i = 0; i < n; i++) {
		bool own = strcmp(names[i], "expect") == 0;
		buffer_addf(&text, "%c%s: %s\r\n", names[i][0] - 'a' + 'A',
			names[i] + 1, own ? "100-continue" : "v");
	}
	buffer_add_str(&text, "X-Unknown: x\r\n\r\n");
	play_source(&p, buffer_slice(&text), &usual_source);
	for (size_t i = 0; i < p.n; i++) {
		if (strcmp(p.vars[i].name, "HTTP_X_UNKNOWN") == 0) {
			ck_assert_uint_eq(p.vars[i].id, 0);
			continue;
		}
		ck_assert_msg(p.vars[i].id != 0, "%s", p.vars[i].name);
		ck_assert_ptr_null(by_id[p.vars[i].id]);
		by_id[p.vars[i].id] = &p.vars[i];
	}
	stop(&p);
	buffer_release(&text);
}
END_TEST

static double
seconds_of_environ(struct play *p)
{
	clock_t start = clock();

	arena_reset(&p->memory);
	p->n = cgi_environ(&p->source, p->vars, &p->memory);
	return (double)(clock() - start) / CLOCKS_PER_SEC;
}

/* Four times the fields may take four times as long; the square would be sixteen. Times
 * of less than a few milliseconds say nothing. */
static void
check_linear(const char *name, bool numbered)
{
	double seconds[2];

	for (int i = 0; i < 2; i++) {
		struct buffer text = { 0 };
		struct play p;
		buffer_add_str(&text, "GET / HTTP/1.1\r\nHost: a\r\n");
		for (int k = 0; k < (i == 0 ? 8192 : 32768); k++) {
			if (numbered)
				buffer_addf(&text, "%s%08d: v\r\n", name, k);
			else
				buffer_addf(&text, "%s: v\r\n", name);
		}
		buffer_add_str(&text, "\r\n");
		play_source(&p, buffer_slice(&text), &usual_source);
		seconds[i] = seconds_of_environ(&p);
		stop(&p);
		buffer_release(&text);
	}
	ck_assert(seconds[1] < 0.05 || seconds[1] < seconds[0] * 10);
}

START_TEST(many_fields_take_linear_time)
{
	check_linear("X-", true);
	check_linear("X-", false);
	check_linear("Cookie", false);
}
END_TEST

START_TEST(paths_are_decoded_once)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "/a%2520b", "/a%20b" },
		{ "/%e2%82%AC", "/\xe2\x82\xac" },
		{ "/+", "/+" },
		{ "/%", "/%" },
		{ "/%4", "/%4" },
		{ "/%zz%41", "/%zzA" },
		{ "%41", "A" },
		{ "%0a%01%F0", "\n\x01\xf0" },
		{ "", "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[32];
		size_t n = cgi_decode_path(out, slice_str(rows[i].in));
		ck_assert(slice_eq(slice_of(out, n), slice_str(rows[i].out)));
	}
	/* What stands behind the path is not a part of it. */
	char out[8];
	ck_assert_uint_eq(cgi_decode_path(out, slice_of("a%41", 3)), 3);
	ck_assert_mem_eq(out, "a%4", 3);
}
END_TEST

/* ---- Heads of CGI responses ---- */

static const struct {
	struct slice head;
	const char *status, *location;
	size_t n;
} good_heads[] = {
	{ SLICE_INIT("Content-Type: a\n\n"), "", "", 1 },
	{ SLICE_INIT("Content-Type: a\r\n\r\n"), "", "", 1 },
	{ SLICE_INIT("Content-Type: a\r\nX: y\n\r\n"), "", "", 2 },
	{ SLICE_INIT("X: y\r\n\n"), "", "", 1 },
	{ SLICE_INIT("Status: 404 Not Found\r\nX:\r\n\r\n"), "404 Not Found", "", 1 },
	{ SLICE_INIT("X: y\nstatus:404 \n\n"), "404", "", 1 },
	{ SLICE_INIT("Status: 204\n\n"), "204", "", 0 },
	{ SLICE_INIT("Location: /x\n\n"), "", "/x", 1 },
	{ SLICE_INIT("LOCATION:\thttp://a/\t\nX: y\n\n"), "", "http://a/", 2 },
	{ SLICE_INIT("A: 1\nB: 2\nC: \x01\xff:\n\n"), "", "", 3 },
};

/* Cut at every place, and with bytes behind it. */
START_TEST(heads_of_responses)
{
	struct slice text = good_heads[_i].head;

	for (size_t cut = 0; cut <= text.len; cut++) {
		struct http1_field fields[3];
		struct cgi_head head = { .fields = fields, .max_fields = 3 };
		struct buffer input = { 0 };
		size_t scanned = 0;
		if (cut < text.len) {
			struct slice part = slice_of(text.ptr, cut);
			ck_assert_int_eq(cgi_decode_head(&head, part, &scanned), 0);
			ck_assert_uint_le(scanned, cut);
			ck_assert_uint_le(cut - scanned, 2);
		}
		buffer_add_slice(&input, text);
		buffer_add_str(&input, "\r\nbody\n\n");
		ck_assert_int_eq(cgi_decode_head(&head, buffer_slice(&input), &scanned),
			(int)text.len);
		ck_assert(slice_eq(head.status, slice_str(good_heads[_i].status)));
		ck_assert(slice_eq(head.location, slice_str(good_heads[_i].location)));
		ck_assert_uint_eq(head.n_fields, good_heads[_i].n);
		buffer_release(&input);
	}
}
END_TEST

START_TEST(fields_of_responses)
{
	static const char text[] =
		"X-A:  b c \t\r\nStatus: 200\nset-cookie: d=\"e:f\"\n\n";
	struct http1_field fields[2];
	struct cgi_head head = { .fields = fields, .max_fields = 2 };
	size_t scanned = 0;

	ck_assert_int_gt(cgi_decode_head(&head, slice_str(text), &scanned), 0);
	ck_assert(slice_eq(fields[0].name, SLICE("X-A")));
	ck_assert(slice_eq(fields[0].value, SLICE("b c")));
	ck_assert(slice_eq(fields[1].name, SLICE("set-cookie")));
	ck_assert(slice_eq(fields[1].value, SLICE("d=\"e:f\"")));
}
END_TEST

static const struct {
	struct slice head;
	const char *error;
} bad_heads[] = {
	{ SLICE_INIT("\n"), "no field at all" },
	{ SLICE_INIT("\r\n"), "no field at all" },
	{ SLICE_INIT("\nX: y\n\n"), "no field at all" },
	{ SLICE_INIT("<html>\n\n"), "a line is not a field" },
	{ SLICE_INIT("X: y\n<html>\n\n"), "a line is not a field" },
	{ SLICE_INIT("HTTP/1.1 200 OK\r\nX: y\r\n\r\n"), "a line is not a field" },
	{ SLICE_INIT(": y\n\n"), "a line is not a field" },
	{ SLICE_INIT("X : y\n\n"), "a line is not a field" },
	{ SLICE_INIT("X: y\n z\n\n"), "a line is not a field" },
	{ SLICE_INIT("X\r: y\n\n"), "a line is not a field" },
	{ SLICE_INIT("X: y\rZ: a\n\n"), "CR or NUL in a field" },
	{ SLICE_INIT("X: y\r\r\n\r\n"), "CR or NUL in a field" },
	{ SLICE_INIT("X: y\0z\n\n"), "CR or NUL in a field" },
	{ SLICE_INIT("Status: 200\nStatus: 200\n\n"), "two Status fields" },
	{ SLICE_INIT("Status:\n\n"), "empty Status field" },
	{ SLICE_INIT("A: 1\nB: 2\nC: 3\nD: 4\n\n"), "too many fields" },
};

START_TEST(what_is_no_head)
{
	struct slice text = bad_heads[_i].head;

	for (size_t cut = 0; cut < text.len; cut++) {
		struct http1_field fields[3];
		struct cgi_head head = { .fields = fields, .max_fields = 3 };
		size_t scanned = 0;
		int n = cgi_decode_head(&head, slice_of(text.ptr, cut), &scanned);
		if (n == 0)
			n = cgi_decode_head(&head, text, &scanned);
		ck_assert_int_eq(n, -1);
		ck_assert_str_eq(head.error, bad_heads[_i].error);
	}
}
END_TEST

#define N(table) (int)(sizeof(table) / sizeof((table)[0]))

Suite *
cgi_suite(void)
{
	Suite *suite = suite_create("cgi");
	TCase *environ = tcase_create("environ");
	TCase *heads = tcase_create("heads");

	tcase_add_test(environ, own_variables);
	tcase_add_test(environ, http10_without_anything);
	tcase_add_test(environ, the_target_of_a_proxy);
	tcase_add_test(environ, the_head_stays_valid);
	tcase_add_test(environ, content_length_is_what_was_received);
	tcase_add_test(environ, https_and_unix_sockets);
	tcase_add_test(environ, fields_become_variables);
	tcase_add_test(environ, fields_that_are_left_out);
	tcase_add_test(environ, repeated_fields_are_joined);
	tcase_add_test(environ, known_names_have_ids);
	tcase_add_test(environ, many_fields_take_linear_time);
	tcase_add_test(environ, paths_are_decoded_once);
	tcase_add_loop_test(heads, heads_of_responses, 0, N(good_heads));
	tcase_add_test(heads, fields_of_responses);
	tcase_add_loop_test(heads, what_is_no_head, 0, N(bad_heads));
	suite_add_tcase(suite, environ);
	suite_add_tcase(suite, heads);
	return suite;
}
