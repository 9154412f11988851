#include "gateway/routes/tree.h"

#include <stdlib.h>
#include <string.h>

enum { WORD_BITS = 64, FIRST_ROOM = 16 };

/* ---- Parts ---- */

/* An empty part is one too: "/a/" is not "/a". */
bool
tree_by_slash(struct slice *text, struct slice *part)
{
	if (text->len == 0 || text->ptr[0] != '/')
		return false;
	slice_advance(text, 1);
	const char *end = text->len > 0 ? memchr(text->ptr, '/', text->len) : NULL;
	*part = slice_of(
		text->ptr, end != NULL ? (size_t)(end - text->ptr) : text->len);
	slice_advance(text, part->len);
	return true;
}

bool
tree_by_dot(struct slice *text, struct slice *part)
{
	if (text->ptr == NULL)
		return false;
	const char *dot = text->len > 0 ? memrchr(text->ptr, '.', text->len) : NULL;
	if (dot == NULL)
		return tree_as_whole(text, part);
	size_t before = (size_t)(dot - text->ptr);
	*part = slice_of(dot + 1, text->len - before - 1);
	text->len = before;
	return true;
}

bool
tree_by_byte(struct slice *text, struct slice *part)
{
	if (text->len == 0)
		return false;
	text->len--;
	*part = slice_of(text->ptr + text->len, 1);
	return true;
}

bool
tree_as_whole(struct slice *text, struct slice *part)
{
	if (text->ptr == NULL)
		return false;
	*part = *text;
	*text = (struct slice){ 0 };
	return true;
}

/* ---- The hash ---- */

/* FNV-1a, for all cases of letters the same: which of them count is asked later. */
static size_t
hash_of(uint32_t parent, struct slice part)
{
	uint64_t hash = 0xcbf29ce484222325 ^ parent;

	for (size_t i = 0; i < part.len; i++)
		hash = (hash ^ ((unsigned char)part.ptr[i] | 0x20)) * 0x100000001b3;
	hash *= 0x9e3779b97f4a7c15;
	return (size_t)(hash >> 32);
}

/* Where a child is, or would be. At most half of the slots are taken. */
static size_t
find_slot(const struct tree *t, uint32_t parent, struct slice part)
{
	size_t mask = 2 * t->room - 1, at = hash_of(parent, part) & mask;

	for (; t->slots[at] != 0; at = (at + 1) & mask) {
		const struct tree_node *node = &t->nodes[t->slots[at]];
		if (node->parent == parent &&
			(t->any_case ? slice_caseeq(node->part, part)
				     : slice_eq(node->part, part)))
			break;
	}
	return at;
}

static int
grow(struct tree *t)
{
	size_t room = t->room > 0 ? 2 * t->room : FIRST_ROOM;
	struct tree_node *nodes = reallocarray(t->nodes, room, sizeof *nodes);
	uint32_t *slots = calloc(2 * room, sizeof *slots);

	if (nodes != NULL)
		t->nodes = nodes;
	if (nodes == NULL || slots == NULL) {
		free(slots);
		return -1;
	}
	free(t->slots);
	t->slots = slots;
	t->room = room;
	for (uint32_t i = 1; i < t->n; i++)
		t->slots[find_slot(t, nodes[i].parent, nodes[i].part)] = i;
	return 0;
}

/* ---- Making one ---- */

static uint64_t *
new_set(struct tree *t)
{
	uint64_t *set = arena_alloc(t->memory, t->words * sizeof *set);

	return set != NULL ? memset(set, 0, t->words * sizeof *set) : NULL;
}

int
tree_init(struct tree *t, tree_split *split, bool any_case, size_t n_routes,
	struct arena *memory)
{
	*t = (struct tree){
		.split = split,
		.any_case = any_case,
		.words = n_routes / WORD_BITS + 1,
		.memory = memory,
	};
	if (grow(t) != 0)
		return -1;
	t->nodes[t->n++] =
		(struct tree_node){ .here = new_set(t), .below = new_set(t) };
	return t->nodes[0].here != NULL && t->nodes[0].below != NULL ? 0 : -1;
}

void
tree_release(struct tree *t)
{
	free(t->nodes);
	free(t->slots);
}

/* The child of that part, made where there is none; 0 when memory is out. */
static uint32_t
descend(struct tree *t, uint32_t parent, struct slice part)
{
	if (t->n == t->room && grow(t) != 0)
		return 0;
	uint32_t *slot = &t->slots[find_slot(t, parent, part)];
	if (*slot == 0) {
		*slot = (uint32_t)t->n;
		t->nodes[t->n++] = (struct tree_node){ .part = part, .parent = parent };
		if (part.len > t->longest)
			t->longest = part.len;
	}
	return *slot;
}

static int
put(struct tree *t, uint64_t **set, size_t route)
{
	if (*set == NULL)
		*set = new_set(t);
	if (*set == NULL)
		return -1;
	(*set)[route / WORD_BITS] |= (uint64_t)1 << route % WORD_BITS;
	return 0;
}

int
tree_add(struct tree *t, struct slice text, size_t route, unsigned place)
{
	uint32_t at = 0;
	struct slice part;

	while (t->split(&text, &part))
		if ((at = descend(t, at, part)) == 0)
			return -1;
	if ((place & TREE_HERE) != 0 && put(t, &t->nodes[at].here, route) != 0)
		return -1;
	if ((place & TREE_BELOW) != 0 && put(t, &t->nodes[at].below, route) != 0)
		return -1;
	return 0;
}

/* A set that has nothing of its own is the one above it. */
static void
inherit(uint64_t **set, uint64_t *above, size_t words)
{
	if (*set == NULL)
		*set = above;
	else
		for (size_t i = 0; i < words; i++)
			(*set)[i] |= above[i];
}

void
tree_complete(struct tree *t)
{
	for (size_t i = 1; i < t->n; i++) {
		struct tree_node *node = &t->nodes[i];
		uint64_t *above = t->nodes[node->parent].below;
		inherit(&node->here, above, t->words);
		inherit(&node->below, above, t->words);
	}
}

/* ---- Looking up ---- */

const uint64_t *
tree_find(const struct tree *t, struct slice text)
{
	uint32_t at = 0, child;
	struct slice part;

	while (t->split(&text, &part)) {
		child = part.len <= t->longest ? t->slots[find_slot(t, at, part)] : 0;
		if (child == 0)
			return t->nodes[at].below;
		at = child;
	}
	return t->nodes[at].here;
}
