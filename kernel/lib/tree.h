/*
 * Balanced binary tree (AVL), intrusive, of ranges that do not overlap: each node covers [start, end), keyed by start.
 * The address space's views, and whatever else is looked up by address. The caller locks.
 */
#ifndef LIB_TREE_H
#define LIB_TREE_H

#include "lib/types.h"

struct tree_node {
	struct tree_node *left, *right, *parent;
	u64 start, end; /* end > start; may be changed while in the tree if the order stays */
	int height;
};

struct tree {
	struct tree_node *root;
	size_t count;
};

/* False, and nothing inserted, if the node's range overlaps one in the tree. O(log n). */
bool tree_insert(struct tree *t, struct tree_node *n);
void tree_remove(struct tree *t, struct tree_node *n);
/* Takes out some node, of a tree that is being emptied: it is not balanced meanwhile. NULL: it is empty. */
struct tree_node *tree_leaf_take(struct tree *t);
struct tree_node *tree_find(const struct tree *t, u64 at);         /* the node that contains at, or NULL */
struct tree_node *tree_find_from(const struct tree *t, u64 at);    /* the first node with end > at, or NULL */
struct tree_node *tree_first(const struct tree *t);
struct tree_node *tree_last(const struct tree *t);
struct tree_node *tree_next(const struct tree_node *n);
struct tree_node *tree_prev(const struct tree_node *n);

/*
 * The lowest (or, top_down, the highest) address a, aligned to align (a power of two), with [a, a + size) free and
 * inside [low, high). False if there is none. O(n) in the nodes between.
 */
bool tree_find_gap(const struct tree *t, u64 low, u64 high, u64 size, u64 align, bool top_down, u64 *at);

/* Walks the whole tree and tells whether order, heights and parents are right (for invariant checks and tests). */
bool tree_valid(const struct tree *t);

#endif
