/*
 * Routes: a path of any spelling becomes one without dots and double slashes, nothing
 * gets into a Location that may not stand there, and a table with many routes says what
 * tables with one of them each say.
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "gateway/routes/path.h"
#include "gateway/routes/redirect.h"
#include "gateway/routes/table.h"
#include "tests/fuzz/fuzz.h"

enum { LINES = 8, LINE = 256 };

/* Each line of the input is a value, and what a request asks for. */
struct lines {
	char texts[LINES][LINE];
	const char *items[LINES];
	size_t n;
};

static void
split(struct lines *lines, struct slice in)
{
	lines->n = 0;
	while (in.len > 0 && lines->n < LINES) {
		const char *end = memchr(in.ptr, '\n', in.len);
		size_t n = end != NULL ? (size_t)(end - in.ptr) : in.len;
		size_t kept = n < LINE ? n : LINE - 1;
		char *text = lines->texts[lines->n];
		memcpy(text, in.ptr, kept);
		text[kept] = '\0';
		lines->items[lines->n++] = text;
		slice_advance(&in, end != NULL ? n + 1 : n);
	}
}

/* ---- Paths ---- */

static bool
has(struct slice path, const char *text)
{
	return path.len > 0 && memmem(path.ptr, path.len, text, strlen(text)) != NULL;
}

static bool
ends(struct slice path, const char *text)
{
	size_t n = strlen(text);

	return path.len >= n && memcmp(path.ptr + path.len - n, text, n) == 0;
}

static void
check_path(struct slice raw)
{
	char *room = malloc(raw.len), *again = NULL;
	struct buffer encoded = { 0 };
	struct slice path = route_path(raw, room);

	assert(fuzz_within(path, raw) || fuzz_within(path, slice_of(room, raw.len)));
	if (path.len > 0 && path.ptr[0] == '/')
		assert(!has(path, "//") && !has(path, "/./") && !has(path, "/../") &&
			!ends(path, "/.") && !ends(path, "/.."));
	route_path_encode(&encoded, path);
	again = malloc(encoded.len);
	assert(slice_eq(route_path(buffer_slice(&encoded), again), path));
	buffer_release(&encoded);
	free(again);
	free(room);
}

static void
check_redirect(struct slice in)
{
	const struct redirect_facts facts = { in, in, in, in, in, in };
	struct buffer out = { 0 };

	redirect_expand(&out, in, &facts);
	redirect_expand(&out, SLICE("$scheme://$host$path?$query$uri$rest"), &facts);
	for (size_t i = 0; i < out.len; i++)
		assert(out.ptr[i] > ' ' && out.ptr[i] < 0x7f && out.ptr[i] != '"');
	buffer_release(&out);
}

/* ---- Tables ---- */

static int
match(const struct route_criteria *c, size_t n, const struct route_request *request)
{
	struct route_table *t = route_table_new(c, n);
	assert(t != NULL);
	int route = route_table_match(t, request);

	route_table_free(t);
	return route;
}

/* Each route has one line as its path and the one before as its host, or neither. */
static void
check_table(const struct lines *lines, uint32_t choice)
{
	struct route_criteria routes[LINES] = { 0 };
	const struct sockaddr_in client = { .sin_family = AF_INET };
	struct route_request request = { .method = SLICE("GET"),
		.client = (const struct sockaddr *)&client };

	for (size_t i = 0; i < lines->n; i++) {
		const char *const *host = &lines->items[i > 0 ? i - 1 : 0];
		if ((choice >> 2 * i & 1) == 0)
			routes[i].path = (struct text_list){ &lines->items[i], 1 };
		if ((choice >> (2 * i + 1) & 3) == 0)
			routes[i].host = (struct text_list){ host, 1 };
	}
	for (size_t k = 0; k < lines->n; k++) {
		int expected = -1;
		request.path = slice_str(lines->items[k]);
		request.host = slice_str(lines->items[(k + 1) % lines->n]);
		for (size_t i = lines->n; i-- > 0;)
			if (match(&routes[i], 1, &request) == 0)
				expected = (int)i;
		assert(match(routes, lines->n, &request) == expected);
	}
}

void
fuzz_routes(struct slice in)
{
	struct lines lines;

	check_path(in);
	check_redirect(in);
	split(&lines, in);
	check_table(&lines, fuzz_choice(in));
}
