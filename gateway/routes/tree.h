/*
 * A tree finds the routes whose texts hold for a text of a request, by one walk: a text
 * is taken apart (a path at its slashes from the left, a host at its dots from the
 * right), and each part is a step down, found by its hash. A walk ends at the first
 * part that no route knows, so what a peer sends costs no more than its length, and no
 * choice of it makes a look-up longer: the keys are all the operator's.
 *
 * Texts belong to the caller and live as long as the tree.
 */
#ifndef ROUTES_TREE_H
#define ROUTES_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocols/arena.h"
#include "protocols/slice.h"

/* Takes the next part off a text; false: it has ended. */
typedef bool tree_split(struct slice *text, struct slice *part);

tree_split tree_by_slash; /* "/a/b" from the left; other texts have no parts */
tree_split tree_by_dot; /* "a.b" from the right */
tree_split tree_by_byte; /* from the right */
tree_split tree_as_whole;

/* Which texts a route holds for: one that ends at its node, one that goes on, both. */
enum tree_place { TREE_HERE = 1, TREE_BELOW = 2 };

struct tree_node {
	struct slice part;
	uint32_t parent;
	/* Sets, a bit for each route. Once the tree is complete they hold what the
	 * nodes above hold for all below them, too. */
	uint64_t *here, *below;
};

struct tree {
	tree_split *split;
	bool any_case; /* of letters */
	size_t words; /* of a set */
	struct tree_node *nodes; /* the first is the root; parents before children */
	size_t n, room;
	uint32_t *slots; /* of the hash: numbers of nodes, 0 is none; 2 * room */
	size_t longest; /* bytes of a part */
	struct arena *memory; /* of the sets */
};

/* 0, or -1 when memory is out; then and later tree_release() is owed. */
int tree_init(struct tree *t, tree_split *split, bool any_case, size_t n_routes,
	struct arena *memory);
void tree_release(struct tree *t);

/* Adds a route; `place` is a set of enum tree_place. 0, or -1 when memory is out. */
int tree_add(struct tree *t, struct slice text, size_t route, unsigned place);

/* To be called once, before the first look-up. */
void tree_complete(struct tree *t);

/* The set of the routes that hold for the text. */
const uint64_t *tree_find(const struct tree *t, struct slice text);

#endif
