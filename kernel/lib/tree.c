/*
 * AVL tree of ranges. Every node's two subtrees differ in height by at most one; after an insertion or removal the path
 * up to the root is repaired with rotations.
 */
#include "lib/debug.h"
#include "lib/tree.h"

#define HEIGHT_MAX 96 /* 1.44 * log2(2^64) is 92 */

static int height(const struct tree_node *n)
{
	return n ? n->height : 0;
}

static void height_update(struct tree_node *n)
{
	n->height = MAX(height(n->left), height(n->right)) + 1;
}

/* > 0: the left side is higher. */
static int balance(const struct tree_node *n)
{
	return height(n->left) - height(n->right);
}

/* Makes by (may be NULL) take the place of n below n's parent. */
static void node_replace(struct tree *t, struct tree_node *n, struct tree_node *by)
{
	if (!n->parent)
		t->root = by;
	else if (n->parent->left == n)
		n->parent->left = by;
	else
		n->parent->right = by;
	if (by)
		by->parent = n->parent;
}

/* n's right child becomes the parent of n. */
static struct tree_node *rotate_left(struct tree *t, struct tree_node *n)
{
	struct tree_node *up = n->right;

	node_replace(t, n, up);
	n->right = up->left;
	if (n->right)
		n->right->parent = n;
	up->left = n;
	n->parent = up;
	height_update(n);
	height_update(up);
	return up;
}

/* n's left child becomes the parent of n. */
static struct tree_node *rotate_right(struct tree *t, struct tree_node *n)
{
	struct tree_node *up = n->left;

	node_replace(t, n, up);
	n->left = up->right;
	if (n->left)
		n->left->parent = n;
	up->right = n;
	n->parent = up;
	height_update(n);
	height_update(up);
	return up;
}

/* Repairs heights and balance from n up to the root. */
static void path_repair(struct tree *t, struct tree_node *n)
{
	while (n) {
		int before = n->height;

		height_update(n);
		if (balance(n) > 1) {
			if (balance(n->left) < 0)
				rotate_left(t, n->left);
			n = rotate_right(t, n);
		} else if (balance(n) < -1) {
			if (balance(n->right) > 0)
				rotate_right(t, n->right);
			n = rotate_left(t, n);
		}
		if (n->height == before)
			return; /* nothing changed for those above */
		n = n->parent;
	}
}

bool tree_insert(struct tree *t, struct tree_node *n)
{
	struct tree_node **link = &t->root, *parent = NULL;

	assert(n->start < n->end);
	while (*link) {
		parent = *link;
		if (n->end <= parent->start)
			link = &parent->left;
		else if (n->start >= parent->end)
			link = &parent->right;
		else
			return false;
	}
	n->left = n->right = NULL;
	n->parent = parent;
	n->height = 0; /* not 1: path_repair has to see a change */
	*link = n;
	t->count++;
	path_repair(t, n);
	return true;
}

static struct tree_node *leftmost(struct tree_node *n)
{
	while (n && n->left)
		n = n->left;
	return n;
}

static struct tree_node *rightmost(struct tree_node *n)
{
	while (n && n->right)
		n = n->right;
	return n;
}

void tree_remove(struct tree *t, struct tree_node *n)
{
	struct tree_node *repair;

	if (n->left && n->right) {
		/* The next node has no left child: it leaves its place and takes n's. */
		struct tree_node *next = leftmost(n->right);

		repair = next->parent == n ? next : next->parent;
		node_replace(t, next, next->right);
		node_replace(t, n, next);
		next->left = n->left;
		next->right = n->right;
		next->height = n->height;
		next->left->parent = next;
		if (next->right)
			next->right->parent = next;
	} else {
		repair = n->parent;
		node_replace(t, n, n->left ? n->left : n->right);
	}
	n->left = n->right = n->parent = NULL;
	n->height = 0;
	t->count--;
	path_repair(t, repair);
}

struct tree_node *tree_leaf_take(struct tree *t)
{
	struct tree_node *n = t->root;

	if (!n)
		return NULL;
	while (n->left || n->right)
		n = n->left ? n->left : n->right;
	node_replace(t, n, NULL);
	n->parent = NULL;
	n->height = 0;
	t->count--;
	return n;
}

struct tree_node *tree_find_from(const struct tree *t, u64 at)
{
	struct tree_node *n = t->root, *best = NULL;

	while (n) {
		if (n->end > at) {
			best = n;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

struct tree_node *tree_find(const struct tree *t, u64 at)
{
	struct tree_node *n = tree_find_from(t, at);

	return n && n->start <= at ? n : NULL;
}

struct tree_node *tree_first(const struct tree *t)
{
	return leftmost(t->root);
}

struct tree_node *tree_last(const struct tree *t)
{
	return rightmost(t->root);
}

struct tree_node *tree_next(const struct tree_node *n)
{
	if (n->right)
		return leftmost(n->right);
	while (n->parent && n->parent->right == n)
		n = n->parent;
	return n->parent;
}

struct tree_node *tree_prev(const struct tree_node *n)
{
	if (n->left)
		return rightmost(n->left);
	while (n->parent && n->parent->left == n)
		n = n->parent;
	return n->parent;
}

/* Rounds *at up; false if that leaves the 64 bits. */
static bool align_up(u64 *at, u64 align)
{
	if (__builtin_add_overflow(*at, align - 1, at))
		return false;
	*at = ALIGN_DOWN(*at, align);
	return true;
}

static bool gap_lowest(const struct tree *t, u64 low, u64 high, u64 size, u64 align, u64 *at)
{
	struct tree_node *n = tree_find_from(t, low);

	for (;;) {
		if (!align_up(&low, align) || low > high || high - low < size)
			return false;
		/* Aligning may have jumped over whole nodes. */
		while (n && n->end <= low)
			n = tree_next(n);
		if (!n || (n->start >= low && n->start - low >= size)) {
			*at = low;
			return true;
		}
		low = n->end;
	}
}

static bool gap_highest(const struct tree *t, u64 low, u64 high, u64 size, u64 align, u64 *at)
{
	struct tree_node *n = tree_find_from(t, high - 1);

	/* From the node that contains high - 1 or follows it: only those that begin below high count. */
	if (!n)
		n = tree_last(t);
	for (;;) {
		u64 top;

		if (high < low || high - low < size)
			return false;
		top = ALIGN_DOWN(high - size, align);
		if (top < low)
			return false;
		while (n && n->start >= top + size)
			n = tree_prev(n);
		if (!n || n->end <= top) {
			*at = top;
			return true;
		}
		high = n->start;
	}
}

bool tree_find_gap(const struct tree *t, u64 low, u64 high, u64 size, u64 align, bool top_down, u64 *at)
{
	assert(align && !(align & (align - 1)));
	if (size == 0 || high <= low)
		return false;
	if (top_down)
		return gap_highest(t, low, high, size, align, at);
	return gap_lowest(t, low, high, size, align, at);
}

/* The heights fall on the way down, which bounds the recursion even if the links are damaged. */
static bool subtree_valid(const struct tree_node *n, const struct tree_node *parent, int height_max)
{
	if (!n)
		return true;
	if (n->parent != parent || n->height > height_max || n->start >= n->end)
		return false;
	if (!subtree_valid(n->left, n, n->height - 1) || !subtree_valid(n->right, n, n->height - 1))
		return false;
	return n->height == MAX(height(n->left), height(n->right)) + 1 && balance(n) >= -1 && balance(n) <= 1;
}

bool tree_valid(const struct tree *t)
{
	const struct tree_node *n, *last = NULL;
	size_t count = 0;

	if (!subtree_valid(t->root, NULL, HEIGHT_MAX))
		return false;
	for (n = tree_first(t); n; last = n, n = tree_next(n)) {
		if (last && last->end > n->start)
			return false;
		count++;
	}
	return count == t->count;
}
