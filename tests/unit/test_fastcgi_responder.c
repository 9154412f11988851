/* A responder's side of FastCGI: requests cut anywhere, variables, records. */
#include <check.h>
#include <stdlib.h>

#include "protocols/cgi_request.h"
#include "protocols/fastcgi_responder.h"

Suite *fastcgi_responder_suite(void);

/* ---- Records ---- */

#define BEGIN(id, role, flags) \
	"\1\1\0" id "\0\x8\0\0" \
	"\0" role flags "\0\0\0\0\0"
#define STREAM_END(type, id) "\1" type "\0" id "\0\0\0\0"
#define HEAD(id) "\1\4\0" id "\0\2\3\0abXXX"
#define WHOLE(id, flags) \
	BEGIN(id, "\1", flags) \
	HEAD(id) \
	HEAD(id) STREAM_END("\4", id) "\1\5\0" id "\0\1\0\0x" STREAM_END("\5", id)
#define VALUES "\1\x9\0\0\0\x12\0\0\xf\1FCGI_MPXS_CONNS?"

static const struct vector {
	struct slice in;
	const char *parts, *answers; /* the latter: type, id, and protocol status */
} vectors[] = {
	{ SLICE_INIT(WHOLE("\1", "\0")), "head=abab end input=x complete", "" },
	{ SLICE_INIT(WHOLE("\1", "\1") WHOLE("\2", "\0")),
		"head=abab end input=x complete head=abab end input=x complete", "" },
	{ SLICE_INIT(VALUES WHOLE("\1", "\0")), "head=abab end input=x complete",
		"10:0 " },
	{ SLICE_INIT("\1\x4d\0\0\0\3\1\0abcX"), "", "11:0 " },
	{ SLICE_INIT(BEGIN("\1", "\2", "\1") WHOLE("\2", "\0")),
		"dropped head=abab end input=x complete", "3:1=3 " },
	{ SLICE_INIT(BEGIN("\1", "\1", "\0") BEGIN("\2", "\1", "\0") HEAD("\2")
			  HEAD("\1")),
		"head=ab", "3:2=1 " },
	{ SLICE_INIT(BEGIN("\1", "\1", "\0") HEAD("\1") "\1\2\0\1\0\0\0\0"),
		"head=ab dropped", "3:1=0 " },
	{ SLICE_INIT(STREAM_END("\5", "\1") "\1\2\0\1\0\0\0\0"), "", "" },
	{ SLICE_INIT(BEGIN("\1", "\1", "\0") BEGIN("\1", "\1", "\0")),
		"broken: a request begins twice", "" },
	{ SLICE_INIT(BEGIN("\1", "\1", "\0") STREAM_END("\5", "\1")),
		"broken: a stream out of its place", "" },
	{ SLICE_INIT(BEGIN("\1", "\1", "\0") STREAM_END("\4", "\1")
			  STREAM_END("\4", "\1")),
		"end broken: a stream out of its place", "" },
	{ SLICE_INIT("\1\x9\0\1\0\0\0\0"), "broken: management record with an id", "" },
	{ SLICE_INIT(BEGIN("\1", "\1", "\0") "\1\2\0\1\0\1\0\0x"),
		"broken: record of a wrong length", "" },
	{ SLICE_INIT("GET / HT"), "broken: wrong protocol version", "" },
};

struct transcript {
	struct buffer text, answers;
	enum fastcgi_part last;
};

static void
say(struct transcript *t, const char *text)
{
	buffer_addf(&t->text, "%s%s", t->text.len > 0 ? " " : "", text);
}

static void
note(struct transcript *t, enum fastcgi_part part, const char *error, struct slice data)
{
	static const char *const names[] = {
		[FASTCGI_HEAD] = "head=",
		[FASTCGI_HEAD_END] = "end",
		[FASTCGI_INPUT] = "input=",
		[FASTCGI_INPUT_END] = "complete",
		[FASTCGI_DROPPED] = "dropped",
	};

	if (part == FASTCGI_BROKEN) {
		say(t, "broken: ");
		buffer_add_str(&t->text, error);
	} else if (part != t->last || data.len == 0) {
		say(t, names[part]);
	}
	buffer_add_slice(&t->text, data);
	t->last = part;
}

/* The answers, as a client reads them. */
static void
expect_answers(struct slice in, const char *expected)
{
	struct buffer text = { 0 };

	while (in.len >= FCGI_HEADER_LEN) {
		const unsigned char *h = (const unsigned char *)in.ptr;
		buffer_addf(&text, "%d:%d", h[1], h[3]);
		if (h[1] == FCGI_END_REQUEST)
			buffer_addf(&text, "=%d", h[FCGI_HEADER_LEN + 4]);
		buffer_add_str(&text, " ");
		slice_advance(&in, (size_t)FCGI_HEADER_LEN + h[5] + h[6]);
	}
	ck_assert_uint_eq(in.len, 0);
	buffer_add_char(&text, '\0');
	ck_assert_str_eq(text.ptr, expected);
	buffer_release(&text);
}

static void
read_part(struct transcript *t, struct fastcgi_responder *r, struct slice in)
{
	enum fastcgi_part part;
	struct slice data;

	while ((part = fastcgi_responder_next(r, &in, &data, &t->answers)) !=
		FASTCGI_MORE) {
		if (part != FASTCGI_BROKEN || t->last != FASTCGI_BROKEN)
			note(t, part, r->error, data);
		if (part == FASTCGI_BROKEN)
			return;
		if (part == FASTCGI_INPUT_END)
			fastcgi_responder_reset(r);
	}
	ck_assert_uint_eq(in.len, 0);
}

/* Parts in memory of their own, so that a sanitizer sees a byte too much that is read.
 */
static void
expect_cut(const struct vector *v, size_t first, size_t step)
{
	struct transcript t = { 0 };
	struct fastcgi_responder r;
	struct slice in = v->in;

	fastcgi_responder_init(&r, 50);
	for (size_t n = first; in.len > 0; n = step) {
		n = n < in.len ? n : in.len;
		char *part = malloc(n > 0 ? n : 1);
		memcpy(part, in.ptr, n);
		read_part(&t, &r, slice_of(part, n));
		free(part);
		slice_advance(&in, n);
	}
	buffer_add_char(&t.text, '\0');
	ck_assert_str_eq(t.text.ptr, v->parts);
	expect_answers(buffer_slice(&t.answers), v->answers);
	buffer_release(&t.text);
	buffer_release(&t.answers);
}

START_TEST(requests_are_read_however_they_are_cut)
{
	const struct vector *v = &vectors[_i];

	for (size_t first = 0; first <= v->in.len; first++)
		expect_cut(v, first, v->in.len);
	expect_cut(v, 1, 1);
	expect_cut(v, 3, 3);
}
END_TEST

START_TEST(a_connection_is_idle_between_requests)
{
	struct slice in = SLICE(WHOLE("\1", "\1")), data;
	struct fastcgi_responder r;
	struct buffer answers = { 0 };

	fastcgi_responder_init(&r, 1);
	ck_assert(fastcgi_responder_is_idle(&r));
	while (fastcgi_responder_next(&r, &in, &data, &answers) != FASTCGI_INPUT_END)
		ck_assert(!fastcgi_responder_is_idle(&r));
	ck_assert(fastcgi_responder_is_asked(&r) && r.keep);
	fastcgi_responder_reset(&r);
	ck_assert(fastcgi_responder_is_idle(&r));
	in = slice_of("\1", 1);
	fastcgi_responder_next(&r, &in, &data, &answers);
	ck_assert(!fastcgi_responder_is_idle(&r));
}
END_TEST

/* ---- Responses ---- */

static void
expect_records(size_t a, size_t b, bool ends, size_t records)
{
	char *bytes = calloc(1, a + b + 1);
	struct iovec pieces[] = { { bytes, a }, { bytes, b } }, out[4];
	struct fastcgi_cutter c;
	size_t n, length = 0, count = 0;

	fastcgi_cutter_init(&c, 1, pieces, 2, ends);
	for (; (n = fastcgi_cut(&c, out)) > 0; count++) {
		ck_assert_uint_le(n, 4);
		for (size_t i = 0; i < n; i++)
			length += out[i].iov_len;
		ck_assert_uint_eq(length % 8, 0);
	}
	ck_assert_uint_eq(count, records);
	size_t padded = (a + b + 7) / 8 * 8;
	size_t heads = records - (a + b == 0 && ends ? 1 : 0);
	ck_assert_uint_eq(length, padded + heads * 8 + (ends ? 24 : 0));
	free(bytes);
}

START_TEST(responses_are_cut_into_records)
{
	expect_records(0, 0, false, 0);
	expect_records(0, 0, true, 1);
	expect_records(3, 0, true, 1);
	expect_records(0, 8, false, 1);
	expect_records(65520, 8, true, 1);
	expect_records(65521, 8, true, 2);
	expect_records(1, 200000, false, 4);
}
END_TEST

/* ---- Variables ---- */

#define GET "\xe\3REQUEST_METHODGET"
#define URI "\xb\6REQUEST_URI/a%20b"

static const struct variables {
	struct slice params;
	int status;
	const char *expected; /* script, path, query, host, fields */
} variables[] = {
	{ SLICE_INIT(GET URI), 0, "||||" },
	{ SLICE_INIT(GET URI "\xb\4SCRIPT_NAME/a b"), 0, "|/a b|||" },
	{ SLICE_INIT(GET URI "\xb\2SCRIPT_NAME/a\x9\2PATH_INFO/b"), 0, "/a|/b|||" },
	{ SLICE_INIT(GET URI "\xb\1SCRIPT_NAME/\x9\0PATH_INFO"), 0, "||||" },
	{ SLICE_INIT(GET URI "\xc\3QUERY_STRINGc=d\x9\1HTTP_HOSTh"), 0,
		"||c=d|h|HOST=h " },
	{ SLICE_INIT(GET URI "\xa\3HTTP_X_Y_Z a \xc\1CONTENT_TYPEt"), 0,
		"||||X-Y-Z=a Content-Type=t " },
	{ SLICE_INIT(GET URI "\x6\1HTTP_x1\5\1HTTP_1\7\1HTTP.AB1\5\1OTHER1"), 0,
		"||||" },
	{ SLICE_INIT(GET URI "\x11\1HTTP_CONTENT_TYPE1"), 0, "||||" },
	{ SLICE_INIT(GET), -400, "no REQUEST_URI" },
	{ SLICE_INIT(URI), -501, "method is not implemented" },
	{ SLICE_INIT(GET URI "\x9\2HTTP_HOSTa/"), -400, "bad HTTP_HOST" },
	{ SLICE_INIT(GET URI "\x9\1PATH_INFOa"), -400,
		"SCRIPT_NAME or PATH_INFO is no path" },
	{ SLICE_INIT(GET URI "\xb\1REMOTE_USER\0"), -400, "NUL in a variable" },
	{ SLICE_INIT(GET URI "\xb\1REMOTE_USER\n"), -400,
		"control byte in a variable" },
	{ SLICE_INIT(GET URI "\6\1HTTP_X\n"), -400, "control byte in a field" },
	{ SLICE_INIT(GET URI "\6\xdHTTP_X1234567890abc"), -431, "field too long" },
	{ SLICE_INIT(GET URI "\6\0HTTP_X\6\0HTTP_Y\6\0HTTP_Z"), -431,
		"too many fields" },
	{ SLICE_INIT(GET "\xb\x9REQUEST_URI/12345678"), -414, "REQUEST_URI too long" },
	{ SLICE_INIT(GET "\xb\4REQUEST_URI/%00"), -400, "bad byte in REQUEST_URI" },
	{ SLICE_INIT(GET URI "\xe\2CONTENT_LENGTH1x"), -400, "bad CONTENT_LENGTH" },
	{ SLICE_INIT(GET URI "\xe\2CONTENT_LENGTH11"), -413,
		"CONTENT_LENGTH above the limit" },
	{ SLICE_INIT(GET URI "\5\2HTTPSo"), -400, "a variable is cut" },
};

static void
describe(
	struct buffer *text, const struct cgi_request *r, const struct http1_head *head)
{
	const struct slice parts[] = { r->vars[CGI_SCRIPT_NAME], r->vars[CGI_PATH_INFO],
		head->query, head->authority };

	for (size_t i = 0; i < 4; i++)
		buffer_addf(text, "%" SLICE_FMT "|", SLICE_ARG(parts[i]));
	for (size_t i = 0; i < head->n_fields; i++)
		buffer_addf(text, "%" SLICE_FMT "=%" SLICE_FMT " ",
			SLICE_ARG(head->fields[i].name),
			SLICE_ARG(head->fields[i].value));
}

START_TEST(variables_become_a_head)
{
	static const struct http1_limits limits = { 8, 2, 15, 10 };
	const struct variables *v = &variables[_i];
	struct http1_field fields[2];
	struct http1_head head = { .fields = fields };
	struct cgi_request r;
	struct buffer text = { 0 };
	char *own = malloc(v->params.len + 1);

	memcpy(own, v->params.ptr, v->params.len);
	struct slice params = slice_of(own, v->params.len);
	ck_assert_int_eq(cgi_read_request(&r, &head, &limits, params), v->status);
	if (v->status == 0)
		describe(&text, &r, &head);
	else
		buffer_add_str(&text, r.error);
	buffer_add_char(&text, '\0');
	ck_assert_str_eq(text.ptr, v->expected);
	buffer_release(&text);
	free(own);
}
END_TEST

Suite *
fastcgi_responder_suite(void)
{
	Suite *s = suite_create("fastcgi_responder");
	TCase *t = tcase_create("requests");

	tcase_add_loop_test(t, requests_are_read_however_they_are_cut, 0,
		sizeof(vectors) / sizeof(vectors[0]));
	tcase_add_test(t, a_connection_is_idle_between_requests);
	tcase_add_test(t, responses_are_cut_into_records);
	tcase_add_loop_test(t, variables_become_a_head, 0,
		sizeof(variables) / sizeof(variables[0]));
	suite_add_tcase(s, t);
	return s;
}
