#include "gateway/routes/redirect.h"

#include <string.h>

#include "gateway/routes/escape.h"
#include "gateway/routes/path.h"

/* ---- The variables ---- */

static void
add_scheme(struct buffer *out, const struct redirect_facts *facts)
{
	escape(out, facts->scheme, ESCAPE_URI);
}

static void
add_host(struct buffer *out, const struct redirect_facts *facts)
{
	escape(out, facts->host, ESCAPE_URI);
}

static void
add_path(struct buffer *out, const struct redirect_facts *facts)
{
	escape(out, facts->path, ESCAPE_PATH);
}

static void
add_query(struct buffer *out, const struct redirect_facts *facts)
{
	escape(out, facts->query, ESCAPE_URI);
}

/* Two slashes at the beginning would name another host, where nothing stands before. */
static void
add_uri(struct buffer *out, const struct redirect_facts *facts)
{
	struct slice path = facts->raw_path;

	while (slice_starts(path, SLICE("//")))
		slice_advance(&path, 1);
	escape(out, path, ESCAPE_URI);
	if (facts->query.len > 0)
		buffer_add_char(out, '?');
	add_query(out, facts);
}

static void
add_rest(struct buffer *out, const struct redirect_facts *facts)
{
	escape(out, facts->rest, ESCAPE_PATH);
}

static void
add_dollar(struct buffer *out, const struct redirect_facts *facts)
{
	(void)facts;
	buffer_add_char(out, '$');
}

static const struct variable {
	struct slice name;
	void (*add)(struct buffer *out, const struct redirect_facts *facts);
} variables[] = {
	{ SLICE_INIT("$scheme"), add_scheme },
	{ SLICE_INIT("$host"), add_host },
	{ SLICE_INIT("$path"), add_path },
	{ SLICE_INIT("$query"), add_query },
	{ SLICE_INIT("$uri"), add_uri },
	{ SLICE_INIT("$rest"), add_rest },
	{ SLICE_INIT("$$"), add_dollar },
};

/* The one that a text begins with; NULL: none. */
static const struct variable *
find_variable(struct slice text)
{
	for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
		if (slice_starts(text, variables[i].name))
			return &variables[i];
	return NULL;
}

/* ---- The text ---- */

void
redirect_expand(
	struct buffer *out, struct slice text, const struct redirect_facts *facts)
{
	while (text.len > 0) {
		const char *dollar = memchr(text.ptr, '$', text.len);
		size_t plain = dollar != NULL ? (size_t)(dollar - text.ptr) : text.len;
		escape(out, slice_of(text.ptr, plain), ESCAPE_URI);
		slice_advance(&text, plain);
		const struct variable *found = find_variable(text);
		if (found != NULL) {
			found->add(out, facts);
			slice_advance(&text, found->name.len);
		} else if (text.len > 0) {
			buffer_add_char(out, '$');
			slice_advance(&text, 1);
		}
	}
}

struct slice
redirect_rest(const struct text_list *paths, struct slice path)
{
	struct slice rest = path, behind;

	for (size_t i = 0; i < paths->n; i++) {
		struct slice prefix = slice_str(paths->items[i]);
		if (prefix.len < 2 || strcmp(prefix.ptr + prefix.len - 2, "/*") != 0)
			continue;
		prefix.len -= 2;
		if (route_mount(path, prefix, &behind) && behind.len < rest.len)
			rest = behind;
	}
	return rest;
}
