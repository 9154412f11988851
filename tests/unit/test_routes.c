/* The table of routes: which route a request belongs to. */
#include <arpa/inet.h>
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "gateway/routes/table.h"

Suite *routes_suite(void);

/* ---- Criteria, written as words ---- */

/* "/a/ b" is two values. The words are cut in the text. */
static struct text_list
list_of(char *words, const char **items)
{
	struct text_list list = { items, 0 };
	char *rest = words, *word;

	while ((word = strsep(&rest, " ")) != NULL)
		if (*word != '\0')
			items[list.n++] = word;
	return list;
}

enum { ITEMS = 4, TEXT = 64, FIELDS = 4 };

/* A route as it is compiled, with the memory of its texts. */
struct route_texts {
	char texts[5][TEXT];
	const char *items[5][ITEMS];
	struct network networks[ITEMS];
};

struct row {
	const char *host, *path, *method, *header, *source;
};

static struct route_criteria
criteria_of(const struct row *row, struct route_texts *r)
{
	const char *const columns[] = { row->host, row->path, row->method, row->header,
		row->source };
	struct text_list lists[5];
	struct arena memory = { 0 };

	for (size_t i = 0; i < 5; i++) {
		const char *text = columns[i] != NULL ? columns[i] : "";
		ck_assert_uint_lt(strlen(text), TEXT);
		memcpy(r->texts[i], text, strlen(text) + 1);
		lists[i] = list_of(r->texts[i], r->items[i]);
	}
	for (size_t i = 0; i < lists[4].n; i++)
		ck_assert_pstr_eq(
			network_parse(&r->networks[i], lists[4].items[i], &memory),
			NULL);
	arena_release(&memory);
	return (struct route_criteria){ lists[0], lists[1], lists[2], lists[3],
		{ lists[4], r->networks } };
}

/* ---- Requests ---- */

struct asked {
	const char *host, *path, *method, *header, *client;
};

struct asked_memory {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
	} client;
	struct http1_field fields[2];
};

static struct route_request
request_of(const struct asked *asked, struct asked_memory *m)
{
	const char *client = asked->client != NULL ? asked->client : "127.0.0.1";

	memset(m, 0, sizeof *m);
	m->fields[0] = (struct http1_field){ SLICE("Host"), SLICE("x") };
	if (asked->header != NULL)
		m->fields[1].name = slice_str(asked->header);
	if (inet_pton(AF_INET, client, &m->client.v4.sin_addr) == 1)
		m->client.any.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, client, &m->client.v6.sin6_addr) == 1)
		m->client.any.sa_family = AF_INET6;
	else
		m->client.any.sa_family = AF_UNIX;
	return (struct route_request){
		.host = slice_str(asked->host != NULL ? asked->host : "h"),
		.path = slice_str(asked->path),
		.method = slice_str(asked->method != NULL ? asked->method : "GET"),
		.fields = m->fields,
		.n_fields = asked->header != NULL ? 2 : 1,
		.client = &m->client.any,
	};
}

/* ---- One criterion at a time ---- */

static const struct {
	struct row route;
	struct asked asked;
	bool holds;
} cases[] = {
	{ { 0 }, { .path = "/" }, true },
	{ { 0 }, { .path = "*", .method = "OPTIONS" }, true },
	{ { 0 }, { .path = "/", .host = "" }, true },

	{ { .path = "*" }, { .path = "/a/b" }, true },
	{ { .path = "*" }, { .path = "*" }, true },
	{ { .path = "/*" }, { .path = "/" }, true },
	{ { .path = "/*" }, { .path = "/a/b" }, true },
	{ { .path = "/*" }, { .path = "*" }, false },
	{ { .path = "/" }, { .path = "/" }, true },
	{ { .path = "/" }, { .path = "/a" }, false },
	{ { .path = "/a" }, { .path = "/a" }, true },
	{ { .path = "/a" }, { .path = "/a/" }, false },
	{ { .path = "/a" }, { .path = "/A" }, false },
	{ { .path = "/a" }, { .path = "/a/b" }, false },
	{ { .path = "/a" }, { .path = "/b" }, false },
	{ { .path = "/a/" }, { .path = "/a/" }, true },
	{ { .path = "/a/" }, { .path = "/a" }, false },
	{ { .path = "/a/" }, { .path = "/a/b" }, false },
	{ { .path = "/a/*" }, { .path = "/a" }, true },
	{ { .path = "/a/*" }, { .path = "/a/" }, true },
	{ { .path = "/a/*" }, { .path = "/a/b" }, true },
	{ { .path = "/a/*" }, { .path = "/a/b/c/d/" }, true },
	{ { .path = "/a/*" }, { .path = "/ab" }, false },
	{ { .path = "/a/*" }, { .path = "/" }, false },
	{ { .path = "/a/*" }, { .path = "/b/a/" }, false },
	{ { .path = "/a/b/*" }, { .path = "/a" }, false },
	{ { .path = "/a/b/*" }, { .path = "/a/b" }, true },
	{ { .path = "/a/b/*" }, { .path = "/a/bc" }, false },
	{ { .path = "*.php" }, { .path = "/x.php" }, true },
	{ { .path = "*.php" }, { .path = "/a/b/x.php" }, true },
	{ { .path = "*.php" }, { .path = "/.php" }, true },
	{ { .path = "*.php" }, { .path = "/x.php/" }, false },
	{ { .path = "*.php" }, { .path = "/x.php/info" }, false },
	{ { .path = "*.php" }, { .path = "/xphp" }, false },
	{ { .path = "*.php" }, { .path = "php" }, false },
	{ { .path = "*.PHP" }, { .path = "/x.php" }, false },
	{ { .path = "*/feed" }, { .path = "/a/feed" }, true },
	{ { .path = "*/feed" }, { .path = "/a/xfeed" }, false },
	{ { .path = "/a/* *.php /b" }, { .path = "/b" }, true },
	{ { .path = "/a/* *.php /b" }, { .path = "/c.php" }, true },
	{ { .path = "/a/* *.php /b" }, { .path = "/a/x" }, true },
	{ { .path = "/a/* *.php /b" }, { .path = "/c" }, false },

	{ { .host = "h" }, { .path = "/" }, true },
	{ { .host = "*" }, { .path = "/", .host = "" }, true },
	{ { .host = "h" }, { .path = "/", .host = "" }, false },
	{ { .host = "a.example" }, { .path = "/", .host = "a.example" }, true },
	{ { .host = "a.example" }, { .path = "/", .host = "A.Example:80" }, true },
	{ { .host = "A.EXAMPLE" }, { .path = "/", .host = "a.example" }, true },
	{ { .host = "a.example" }, { .path = "/", .host = "a.example." }, true },
	{ { .host = "a.example." }, { .path = "/", .host = "a.example" }, true },
	{ { .host = "a.example" }, { .path = "/", .host = "a.example.:80" }, true },
	{ { .host = "a.example" }, { .path = "/", .host = "a.example.." }, false },
	{ { .host = "a.example" }, { .path = "/", .host = ".a.example" }, false },
	{ { .host = "a.example" }, { .path = "/", .host = "b.a.example" }, false },
	{ { .host = "a.example" }, { .path = "/", .host = "example" }, false },
	{ { .host = "*.example" }, { .path = "/", .host = "a.example" }, true },
	{ { .host = "*.example" }, { .path = "/", .host = "b.A.EXAMPLE:1" }, true },
	{ { .host = "*.example" }, { .path = "/", .host = "example" }, false },
	{ { .host = "*.example" }, { .path = "/", .host = "aexample" }, false },
	{ { .host = "*.example" }, { .path = "/", .host = "a.example.org" }, false },
	{ { .host = "a b" }, { .path = "/", .host = "b" }, true },
	{ { .host = "127.0.0.1" }, { .path = "/", .host = "127.0.0.1:8000" }, true },
	{ { .host = "[::1]" }, { .path = "/", .host = "[::1]:8000" }, true },
	{ { .host = "[::1]" }, { .path = "/", .host = "[::1]" }, true },
	{ { .host = "[::a]" }, { .path = "/", .host = "[::A]" }, true },
	{ { .host = "[::1]" }, { .path = "/", .host = "[::2]" }, false },

	{ { .method = "GET" }, { .path = "/" }, true },
	{ { .method = "GET" }, { .path = "/", .method = "get" }, false },
	{ { .method = "GET" }, { .path = "/", .method = "HEAD" }, false },
	{ { .method = "GET HEAD" }, { .path = "/", .method = "HEAD" }, true },
	{ { .method = "GET HEAD" }, { .path = "/", .method = "POST" }, false },

	{ { .header = "X-A" }, { .path = "/", .header = "x-a" }, true },
	{ { .header = "X-A" }, { .path = "/" }, false },
	{ { .header = "X-A Host" }, { .path = "/" }, true },
	{ { .header = "X-A" }, { .path = "/", .header = "X-AB" }, false },

	{ { .source = "10.0.0.0/8" }, { .path = "/", .client = "10.1.2.3" }, true },
	{ { .source = "10.0.0.0/8" }, { .path = "/", .client = "11.1.2.3" }, false },
	{ { .source = "10.0.0.0/8 ::1" }, { .path = "/", .client = "::1" }, true },
	{ { .source = "*" }, { .path = "/", .client = "::1" }, true },
	{ { .source = "*" }, { .path = "/", .client = "unix" }, false },
	{ { 0 }, { .path = "/", .client = "unix" }, true },

	{ { "h", "/a/*", "GET", "Host", "*" }, { .path = "/a/b" }, true },
	{ { "g", "/a/*", "GET", "Host", "*" }, { .path = "/a/b" }, false },
	{ { "h", "/b/*", "GET", "Host", "*" }, { .path = "/a/b" }, false },
	{ { "h", "/a/*", "PUT", "Host", "*" }, { .path = "/a/b" }, false },
	{ { "h", "/a/*", "GET", "Vary", "*" }, { .path = "/a/b" }, false },
	{ { "h", "/a/*", "GET", "Host", "::1" }, { .path = "/a/b" }, false },
};

START_TEST(criteria_hold)
{
	struct route_texts texts;
	struct asked_memory memory;
	struct route_criteria criteria = criteria_of(&cases[_i].route, &texts);
	struct route_request request = request_of(&cases[_i].asked, &memory);
	struct route_table *t = route_table_new(&criteria, 1);

	ck_assert_ptr_nonnull(t);
	ck_assert_int_eq(route_table_match(t, &request), cases[_i].holds ? 0 : -1);
	route_table_free(t);
}
END_TEST

START_TEST(nothing_matches_nothing)
{
	struct asked_memory memory;
	struct route_request request =
		request_of(&(struct asked){ .path = "/" }, &memory);
	struct route_table *t = route_table_new(NULL, 0);

	ck_assert_ptr_nonnull(t);
	ck_assert_int_eq(route_table_match(t, &request), -1);
	route_table_free(t);
	route_table_free(NULL);
}
END_TEST

/* ---- The order ---- */

static const struct row ordered[] = {
	{ .path = "/admin/*", .source = "10.0.0.0/8" },
	{ .path = "/admin/*", .header = "X-Key" },
	{ .path = "/admin/open" },
	{ .host = "*.example", .path = "/a/*" },
	{ .host = "www.example" },
	{ .path = "*.php", .method = "POST" },
	{ .path = "/a/b/*" },
	{ .path = "/a/* /c" },
	{ .method = "OPTIONS" },
};

static const struct {
	struct asked asked;
	int route;
} in_order[] = {
	{ { .path = "/admin/x", .client = "10.0.0.1" }, 0 },
	{ { .path = "/admin/x", .client = "::1", .header = "X-Key" }, 1 },
	{ { .path = "/admin/x" }, -1 },
	{ { .path = "/admin/open" }, 2 },
	{ { .path = "/a/b/c", .host = "www.example" }, 3 },
	{ { .path = "/b", .host = "www.example" }, 4 },
	{ { .path = "/a/b/x.php" }, 6 },
	{ { .path = "/a/b/x.php", .method = "POST" }, 5 },
	{ { .path = "/a/bc" }, 7 },
	{ { .path = "/c" }, 7 },
	{ { .path = "/c/d" }, -1 },
	{ { .path = "*", .method = "OPTIONS" }, 8 },
};

START_TEST(the_first_one_wins)
{
	enum { N = sizeof ordered / sizeof ordered[0] };
	struct route_texts texts[N];
	struct route_criteria criteria[N];
	struct asked_memory memory;
	struct route_request request = request_of(&in_order[_i].asked, &memory);

	for (size_t i = 0; i < N; i++)
		criteria[i] = criteria_of(&ordered[i], &texts[i]);
	struct route_table *t = route_table_new(criteria, N);
	ck_assert_ptr_nonnull(t);
	ck_assert_int_eq(route_table_match(t, &request), in_order[_i].route);
	route_table_free(t);
}
END_TEST

/* ---- Against one that is slow and plain ---- */

static bool
ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && strcmp(text + len - n, end) == 0;
}

static bool
path_holds(const char *value, const char *path)
{
	size_t n = strlen(value);

	if (strcmp(value, "*") == 0)
		return true;
	if (value[0] == '*')
		return ends_with(path, value + 1);
	if (!ends_with(value, "/*"))
		return strcmp(value, path) == 0;
	return path[0] == '/' && strncmp(value, path, n - 2) == 0 &&
		(path[n - 2] == '\0' || path[n - 2] == '/');
}

static bool
host_holds(const char *value, const char *host)
{
	if (strcmp(value, "*") == 0)
		return true;
	if (value[0] == '*')
		return strlen(host) > strlen(value + 1) && ends_with(host, value + 1);
	return strcmp(value, host) == 0;
}

static bool
same(const char *value, const char *text)
{
	return strcmp(value, text) == 0;
}

static bool
one_holds(const struct text_list *values, const char *text,
	bool (*holds)(const char *value, const char *text))
{
	for (size_t i = 0; i < values->n; i++)
		if (holds(values->items[i], text))
			return true;
	return values->n == 0;
}

static bool
source_holds(const struct network_list *source, const struct sockaddr *client)
{
	return source->texts.n == 0 ||
		networks_hold(source->networks, source->texts.n, client);
}

static int
match_plainly(const struct route_criteria *routes, size_t n, const struct asked *asked,
	const struct route_request *request)
{
	for (size_t i = 0; i < n; i++) {
		const struct route_criteria *c = &routes[i];
		if (one_holds(&c->host, asked->host, host_holds) &&
			one_holds(&c->path, asked->path, path_holds) &&
			one_holds(&c->method, asked->method, same) &&
			one_holds(&c->header,
				asked->header != NULL ? asked->header : "", same) &&
			source_holds(&c->source, request->client))
			return (int)i;
	}
	return -1;
}

/* Few different parts, so that much of what is asked is found, or nearly. */
struct dice {
	uint64_t state;
};

static unsigned
throw_dice(struct dice *d, unsigned sides)
{
	d->state = d->state * 6364136223846793005 + 1442695040888963407;
	return (unsigned)(d->state >> 33) % sides;
}

static void
add_text(char *to, const char *text)
{
	size_t len = strlen(to), n = strlen(text);

	ck_assert_uint_lt(len + n, TEXT);
	memcpy(to + len, text, n + 1);
}

static void
throw_path(struct dice *d, char *to)
{
	static const char *const parts[] = { "/a", "/b", "/ab", "/a.php", "/", "/x.a" };

	to[0] = '\0';
	for (unsigned n = 1 + throw_dice(d, 4); n > 0; n--)
		add_text(to, parts[throw_dice(d, 6)]);
}

static void
throw_host(struct dice *d, char *to)
{
	static const char *const parts[] = { "a", "b", "ab", "a-b" };

	to[0] = '\0';
	for (unsigned n = 1 + throw_dice(d, 3); n > 0; n--) {
		add_text(to, parts[throw_dice(d, 4)]);
		if (n > 1)
			add_text(to, ".");
	}
}

static const char *const all_methods[] = { "GET", "POST", "PUT", "G" };
static const char *const all_fields[] = { "X-A", "X-B" };
static const char *const all_clients[] = { "10.0.0.1", "10.9.0.1", "::1", "unix" };
static const char *const all_sources[] = { "10.0.0.0/16", "10.0.0.0/8", "::1", "*" };

static void
throw_path_value(struct dice *d, char *to)
{
	static const char *const endings[] = { "*.php", "*a", "*/b", "*b.php", "*" };
	unsigned kind = throw_dice(d, 6);

	to[0] = '\0';
	if (kind == 0)
		return add_text(to, endings[throw_dice(d, 5)]);
	throw_path(d, to);
	if (kind < 3)
		add_text(to, to[strlen(to) - 1] == '/' ? "*" : "/*");
}

static void
throw_host_value(struct dice *d, char *to)
{
	char host[TEXT];

	throw_host(d, host);
	to[0] = '\0';
	if (throw_dice(d, 3) == 0)
		add_text(to, "*.");
	add_text(to, host);
}

/* Criteria that are asked for less often leave more routes that hold. */
static void
throw_row(struct dice *d, struct row *row, char texts[2][TEXT])
{
	char word[TEXT];

	*row = (struct row){ 0 };
	for (unsigned column = 0; column < 2; column++) {
		texts[column][0] = '\0';
		for (unsigned n = throw_dice(d, 3); n > 0; n--) {
			(column == 0 ? throw_host_value : throw_path_value)(d, word);
			add_text(texts[column], word);
			add_text(texts[column], " ");
		}
	}
	row->host = throw_dice(d, 2) == 0 ? texts[0] : NULL;
	row->path = texts[1];
	row->method = throw_dice(d, 3) == 0 ? all_methods[throw_dice(d, 4)] : NULL;
	row->header = throw_dice(d, 4) == 0 ? all_fields[throw_dice(d, 2)] : NULL;
	row->source = throw_dice(d, 4) == 0 ? all_sources[throw_dice(d, 4)] : NULL;
}

enum { ROUTES = 150, TABLES = 20, REQUESTS = 500 };

static void
compare(struct dice *d, const struct route_criteria *criteria, size_t n)
{
	struct route_table *t = route_table_new(criteria, n);
	char path[TEXT], host[TEXT];
	struct asked_memory memory;

	ck_assert_ptr_nonnull(t);
	for (int i = 0; i < REQUESTS; i++) {
		throw_path(d, path);
		throw_host(d, host);
		struct asked asked = { host, path, all_methods[throw_dice(d, 4)],
			throw_dice(d, 2) == 0 ? all_fields[throw_dice(d, 2)] : NULL,
			all_clients[throw_dice(d, 4)] };
		struct route_request request = request_of(&asked, &memory);
		ck_assert_msg(route_table_match(t, &request) ==
				match_plainly(criteria, n, &asked, &request),
			"%s %s%s: %d, not %d", asked.method, host, path,
			route_table_match(t, &request),
			match_plainly(criteria, n, &asked, &request));
	}
	route_table_free(t);
}

START_TEST(a_plain_matcher_says_the_same)
{
	struct dice d = { (uint64_t)_i };
	struct route_texts *texts = calloc(ROUTES, sizeof *texts);
	struct route_criteria *criteria = calloc(ROUTES, sizeof *criteria);
	size_t n = 1 + throw_dice(&d, ROUTES);
	char columns[2][TEXT];
	struct row row;

	for (size_t i = 0; i < n; i++) {
		throw_row(&d, &row, columns);
		criteria[i] = criteria_of(&row, &texts[i]);
	}
	compare(&d, criteria, n);
	free(texts);
	free(criteria);
}
END_TEST

/* ---- What a peer can make long ---- */

START_TEST(long_texts_are_looked_at_once)
{
	enum { LONG = 1 << 20 };
	static char path[LONG], host[LONG];
	struct route_texts texts;
	struct asked_memory memory;
	struct route_criteria criteria =
		criteria_of(&(struct row){ .host = "*.a", .path = "/a/a/*" }, &texts);
	struct route_request request =
		request_of(&(struct asked){ .path = "/" }, &memory);
	struct route_table *t = route_table_new(&criteria, 1);

	ck_assert_ptr_nonnull(t);
	for (size_t i = 0; i < LONG; i += 2) {
		memcpy(path + i, "/a", 2);
		memcpy(host + i, ".a", 2);
	}
	request.path = slice_of(path, LONG);
	request.host = slice_of(host, LONG);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(route_table_match(t, &request), 0);
	route_table_free(t);
}
END_TEST

Suite *
routes_suite(void)
{
	Suite *s = suite_create("routes");
	TCase *t = tcase_create("routes");

	tcase_add_loop_test(t, criteria_hold, 0, (int)(sizeof cases / sizeof cases[0]));
	tcase_add_test(t, nothing_matches_nothing);
	tcase_add_loop_test(
		t, the_first_one_wins, 0, (int)(sizeof in_order / sizeof in_order[0]));
	tcase_add_loop_test(t, a_plain_matcher_says_the_same, 0, TABLES);
	tcase_add_test(t, long_texts_are_looked_at_once);
	suite_add_tcase(s, t);
	return s;
}
