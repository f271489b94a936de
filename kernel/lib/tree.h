/*
 * Balanced binary tree (AVL), intrusive, of ranges that do not overlap: each node covers [start, end), keyed by start.
 * The address space's views, and whatever else is looked up by address. The caller locks.
 */
#ifndef LIB_TREE_H
#define LIB_TREE_H

#include "lib/types.h"

struct tree_node {
	struct tree_node *left, *right, *parent;
	u64 start, end; /* end > start; tree_resize changes them while the node is in the tree */
	u64 before;     /* the gap before the range, from a multiple of gap_mask + 1 on; TREE_GAP_MAX: that or more */
	u64 gap;        /* the largest such gap of the node and all below it */
	int height;
};

/* Of larger gaps there are few, and what happens in one of them concerns no other node. */
#define TREE_GAP_MAX (1ull << 40)

struct tree {
	struct tree_node *root;
	struct tree_node *found; /* by the last tree_find: the next one is often for the same range */
	size_t count;
	u64 gap_mask; /* gaps begin at a multiple of this + 1, a power of two: what is free below that is of no use */
};

/* False, and nothing inserted, if the node's range overlaps one in the tree. O(log n). */
bool tree_insert(struct tree *t, struct tree_node *n);
void tree_remove(struct tree *t, struct tree_node *n);
void tree_resize(struct tree *t, struct tree_node *n, u64 start, u64 end); /* the order must stay */
/* Takes out some node, of a tree that is being emptied: it is not balanced meanwhile. NULL: it is empty. */
struct tree_node *tree_leaf_take(struct tree *t);
struct tree_node *tree_find_from(const struct tree *t, u64 at);    /* the first node with end > at, or NULL */
struct tree_node *tree_first(const struct tree *t);
struct tree_node *tree_last(const struct tree *t);
struct tree_node *tree_next(const struct tree_node *n);
struct tree_node *tree_prev(const struct tree_node *n);

/* The node that contains at, or NULL. */
static inline struct tree_node *tree_find(struct tree *t, u64 at)
{
	struct tree_node *n = t->found;

	if (n && at - n->start < n->end - n->start)
		return n;
	n = tree_find_from(t, at);
	if (!n || n->start > at)
		return NULL;
	t->found = n;
	return n;
}

/*
 * The lowest (or, top_down, the highest) address a, aligned to align (a power of two), with [a, a + size) free and
 * inside [low, high). align is not less than gap_mask + 1. False if there is none. O(log n) if it is equal; if it is more,
 * gaps that are large enough, but not where they are, cost a look each, and so do those of TREE_GAP_MAX if size is more.
 */
bool tree_find_gap(const struct tree *t, u64 low, u64 high, u64 size, u64 align, bool top_down, u64 *at);

/* Walks the whole tree and tells whether order, heights, gaps and parents are right (for invariant checks and tests). */
bool tree_valid(const struct tree *t);

#endif
