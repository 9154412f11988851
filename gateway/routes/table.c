#include "gateway/routes/table.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/routes/tree.h"

enum { EVERYWHERE = TREE_HERE | TREE_BELOW, WORD_BITS = 64 };

/* What is asked only where all else holds. */
struct conditions {
	struct text_list header;
	struct network_list source;
};

struct route_table {
	struct tree hosts, paths, endings, methods;
	size_t words; /* of each set */
	struct arena memory;
	struct conditions routes[];
};

/* ---- Making one ---- */

static int
add_host(struct route_table *t, size_t route, struct slice text)
{
	if (slice_eq(text, SLICE("*")))
		return tree_add(&t->hosts, (struct slice){ 0 }, route, EVERYWHERE);
	if (!slice_starts(text, SLICE("*.")))
		return tree_add(&t->hosts, route_host(text), route, TREE_HERE);
	slice_advance(&text, 2);
	return tree_add(&t->hosts, route_host(text), route, TREE_BELOW);
}

static int
add_path(struct route_table *t, size_t route, struct slice text)
{
	if (slice_eq(text, SLICE("*")))
		return tree_add(&t->paths, (struct slice){ 0 }, route, EVERYWHERE);
	if (text.len > 0 && text.ptr[0] == '*') {
		slice_advance(&text, 1);
		return tree_add(&t->endings, text, route, EVERYWHERE);
	}
	if (text.len < 2 ||
		!slice_eq(slice_of(text.ptr + text.len - 2, 2), SLICE("/*")))
		return tree_add(&t->paths, text, route, TREE_HERE);
	text.len -= 2;
	/* What ends at the root has no slash: the "*" of OPTIONS. */
	return tree_add(&t->paths, text, route, text.len > 0 ? EVERYWHERE : TREE_BELOW);
}

static int
add_method(struct route_table *t, size_t route, struct slice text)
{
	return tree_add(&t->methods, text, route, TREE_HERE);
}

static int
add_values(struct route_table *t, size_t route, const struct text_list *values,
	int (*add)(struct route_table *, size_t, struct slice), struct tree *tree)
{
	if (values->n == 0)
		return tree_add(tree, (struct slice){ 0 }, route, EVERYWHERE);
	for (size_t i = 0; i < values->n; i++)
		if (add(t, route, slice_str(values->items[i])) != 0)
			return -1;
	return 0;
}

static int
add_route(struct route_table *t, size_t route, const struct route_criteria *c)
{
	t->routes[route] = (struct conditions){ c->header, c->source };
	if (add_values(t, route, &c->host, add_host, &t->hosts) != 0 ||
		add_values(t, route, &c->path, add_path, &t->paths) != 0)
		return -1;
	return add_values(t, route, &c->method, add_method, &t->methods);
}

static int
init_trees(struct route_table *t, size_t n)
{
	struct arena *memory = &t->memory;
	int failed = tree_init(&t->hosts, tree_by_dot, true, n, memory);

	failed |= tree_init(&t->paths, tree_by_slash, false, n, memory);
	failed |= tree_init(&t->endings, tree_by_byte, false, n, memory);
	failed |= tree_init(&t->methods, tree_as_whole, false, n, memory);
	t->words = t->paths.words;
	return failed;
}

struct route_table *
route_table_new(const struct route_criteria *routes, size_t n)
{
	struct route_table *t = calloc(1, sizeof *t + n * sizeof t->routes[0]);

	if (t == NULL)
		return NULL;
	int failed = init_trees(t, n);
	for (size_t i = 0; i < n && failed == 0; i++)
		failed = add_route(t, i, &routes[i]);
	if (failed != 0) {
		route_table_free(t);
		return NULL;
	}
	tree_complete(&t->hosts);
	tree_complete(&t->paths);
	tree_complete(&t->endings);
	tree_complete(&t->methods);
	return t;
}

void
route_table_free(struct route_table *t)
{
	if (t == NULL)
		return;
	tree_release(&t->hosts);
	tree_release(&t->paths);
	tree_release(&t->endings);
	tree_release(&t->methods);
	arena_release(&t->memory);
	free(t);
}

/* ---- Matching ---- */

struct slice
route_host(struct slice authority)
{
	bool is_v6 = authority.len > 0 && authority.ptr[0] == '[';
	const char *end = authority.len > 0
		? memchr(authority.ptr, is_v6 ? ']' : ':', authority.len)
		: NULL;

	if (end != NULL)
		authority.len = (size_t)(end - authority.ptr) + is_v6;
	if (authority.len > 0 && authority.ptr[authority.len - 1] == '.')
		authority.len--;
	return authority;
}

static bool
has_field(const struct route_request *request, struct slice name)
{
	for (size_t i = 0; i < request->n_fields; i++)
		if (slice_caseeq(request->fields[i].name, name))
			return true;
	return false;
}

static bool
has_one_of(const struct route_request *request, const struct text_list *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (has_field(request, slice_str(names->items[i])))
			return true;
	return names->n == 0;
}

static bool
conditions_hold(const struct conditions *c, const struct route_request *request)
{
	const struct network_list *source = &c->source;

	if (source->texts.n > 0 &&
		!networks_hold(source->networks, source->texts.n, request->client))
		return false;
	return has_one_of(request, &c->header);
}

int
route_table_match(const struct route_table *t, const struct route_request *request)
{
	const uint64_t *paths = tree_find(&t->paths, request->path);
	const uint64_t *endings = tree_find(&t->endings, request->path);
	const uint64_t *hosts = tree_find(&t->hosts, route_host(request->host));
	const uint64_t *methods = tree_find(&t->methods, request->method);

	for (size_t i = 0; i < t->words; i++) {
		uint64_t set = (paths[i] | endings[i]) & hosts[i] & methods[i];
		for (; set != 0; set &= set - 1) {
			size_t route = i * WORD_BITS + (size_t)__builtin_ctzll(set);
			if (conditions_hold(&t->routes[route], request))
				return (int)route;
		}
	}
	return -1;
}
