/*
 * AVL tree of ranges. Every node's two subtrees differ in height by at most one; after an insertion or removal the path
 * up to the root is repaired with rotations. Each node knows the largest gap before it and those below it, so that the
 * search for a free place leaves out all subtrees that have none.
 */
#include "lib/debug.h"
#include "lib/tree.h"

#define HEIGHT_MAX 96 /* 1.44 * log2(2^64) is 92 */

static int height(const struct tree_node *n)
{
	return n ? n->height : 0;
}

/* What of [from, to), which is free, can be used. */
static u64 gap_between(const struct tree *t, u64 from, u64 to)
{
	u64 first = (from + t->gap_mask) & ~t->gap_mask;

	return first >= from && first < to ? MIN(to - first, TREE_GAP_MAX) : 0;
}

static u64 gap_of(const struct tree_node *n)
{
	u64 gap = n->before;

	if (n->left)
		gap = MAX(gap, n->left->gap);
	if (n->right)
		gap = MAX(gap, n->right->gap);
	return gap;
}

static void node_update(struct tree_node *n)
{
	n->height = MAX(height(n->left), height(n->right)) + 1;
	n->gap = gap_of(n);
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
	node_update(n);
	node_update(up);
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
	node_update(n);
	node_update(up);
	return up;
}

/* Repairs heights, gaps and balance from n up to the root, or to where nothing changes for those above. */
static void path_repair(struct tree *t, struct tree_node *n)
{
	while (n) {
		int height_before = n->height;
		u64 gap_before = n->gap;

		node_update(n);
		if (balance(n) > 1) {
			if (balance(n->left) < 0)
				rotate_left(t, n->left);
			n = rotate_right(t, n);
		} else if (balance(n) < -1) {
			if (balance(n->right) > 0)
				rotate_right(t, n->right);
			n = rotate_left(t, n);
		}
		if (n->height == height_before && n->gap == gap_before)
			return;
		n = n->parent;
	}
}

/* What is before n (NULL: nobody) ends at end now. */
static void gap_repair(const struct tree *t, struct tree_node *n, u64 end)
{
	if (n)
		n->before = gap_between(t, end, n->start);
	for (; n; n = n->parent) {
		u64 gap = gap_of(n);

		if (gap == n->gap)
			return;
		n->gap = gap;
	}
}

bool tree_insert(struct tree *t, struct tree_node *n)
{
	struct tree_node **link = &t->root, *parent = NULL, *prev = NULL, *next = NULL;

	assert(n->start < n->end);
	while (*link) {
		parent = *link;
		if (n->end <= parent->start) {
			next = parent;
			link = &parent->left;
		} else if (n->start >= parent->end) {
			prev = parent;
			link = &parent->right;
		} else {
			return false;
		}
	}
	n->left = n->right = NULL;
	n->parent = parent;
	n->before = gap_between(t, prev ? prev->end : 0, n->start);
	n->height = 0; /* not 1: path_repair has to see a change */
	*link = n;
	t->count++;
	path_repair(t, n);
	gap_repair(t, next, n->end);
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
	struct tree_node *repair, *prev = tree_prev(n), *after = tree_next(n);

	if (t->found == n)
		t->found = NULL;
	if (n->left && n->right) {
		/* The next node has no left child: it leaves its place and takes n's. */
		struct tree_node *next = after;

		repair = next->parent == n ? next : next->parent;
		node_replace(t, next, next->right);
		node_replace(t, n, next);
		next->left = n->left;
		next->right = n->right;
		next->height = n->height; /* as those above have seen it until now */
		next->gap = n->gap;
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
	gap_repair(t, after, prev ? prev->end : 0);
}

void tree_resize(struct tree *t, struct tree_node *n, u64 start, u64 end)
{
	struct tree_node *prev = tree_prev(n);

	assert(start < end);
	n->start = start;
	n->end = end;
	gap_repair(t, n, prev ? prev->end : 0);
	gap_repair(t, tree_next(n), end);
}

struct tree_node *tree_leaf_take(struct tree *t)
{
	struct tree_node *n = t->root;

	if (!n)
		return NULL;
	while (n->left || n->right)
		n = n->left ? n->left : n->right;
	node_replace(t, n, NULL);
	if (t->found == n)
		t->found = NULL;
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

/* ---- free places ---- */

struct wanted {
	u64 low, high, size, align;
	u64 least; /* what a gap must have to be looked at */
	bool top_down;
	u64 at;    /* the answer */
};

#ifdef HOST_TEST
u64 tree_gap_looks; /* nodes that searches have looked at */
#endif

/* Is there room in [from, to), which is free? */
static bool gap_fits(struct wanted *w, u64 from, u64 to)
{
	from = MAX(from, w->low);
	to = MIN(to, w->high);
	if (to < from || to - from < w->size)
		return false;
	if (w->top_down)
		w->at = ALIGN_DOWN(to - w->size, w->align);
	else if (__builtin_add_overflow(from, w->align - 1, &w->at))
		return false;
	else
		w->at = ALIGN_DOWN(w->at, w->align);
	return w->at >= from && w->at <= to - w->size;
}

/* The gap before n. */
static bool gap_before_fits(struct wanted *w, const struct tree_node *n)
{
	const struct tree_node *prev;

	if (n->before < w->least)
		return false;
	if (n->before < TREE_GAP_MAX)
		return gap_fits(w, n->start - n->before, n->start);
	prev = tree_prev(n);
	return gap_fits(w, prev ? prev->end : 0, n->start);
}

/* The child of n whose gaps come before the one before n in the order of the search, or after; NULL: none that helps. */
static const struct tree_node *gap_child(const struct wanted *w, const struct tree_node *n, bool after)
{
	bool right = after != w->top_down;
	const struct tree_node *child = right ? n->right : n->left;

	return child && child->gap >= w->least && (right ? n->end < w->high : n->start > w->low) ? child : NULL;
}

/* The first gap before a node of the tree that has room. */
static bool gap_search(struct wanted *w, const struct tree_node *n)
{
	const struct tree_node *child;

	if (!n || n->gap < w->least)
		return false;
	for (;;) {
		while ((child = gap_child(w, n, false)))
			n = child;
		for (;;) {
#ifdef HOST_TEST
			tree_gap_looks++;
#endif
			if (gap_before_fits(w, n))
				return true;
			child = gap_child(w, n, true);
			if (child)
				break;
			/* Up to the next node in order. */
			while (n->parent && n == (w->top_down ? n->parent->left : n->parent->right))
				n = n->parent;
			n = n->parent;
			if (!n)
				return false;
		}
		n = child;
	}
}

bool tree_find_gap(const struct tree *t, u64 low, u64 high, u64 size, u64 align, bool top_down, u64 *at)
{
	struct wanted w = { low, high, size, align, MIN(size, TREE_GAP_MAX), top_down, 0 };
	const struct tree_node *last;
	bool found;

	assert(align > t->gap_mask && !(align & (align - 1)));
	if (!size)
		return false;
	found = !top_down && gap_search(&w, t->root);
	if (!found) {
		last = tree_last(t);
		found = gap_fits(&w, last ? last->end : 0, ~0ull) || (top_down && gap_search(&w, t->root));
	}
	if (found)
		*at = w.at;
	return found;
}

/* ---- checking ---- */

/* The heights fall on the way down, which bounds the recursion even if the links are damaged. */
static bool subtree_valid(const struct tree_node *n, const struct tree_node *parent, int height_max)
{
	if (!n)
		return true;
	if (n->parent != parent || n->height > height_max || n->start >= n->end)
		return false;
	if (!subtree_valid(n->left, n, n->height - 1) || !subtree_valid(n->right, n, n->height - 1))
		return false;
	return n->height == MAX(height(n->left), height(n->right)) + 1 && balance(n) >= -1 && balance(n) <= 1 &&
	       n->gap == gap_of(n);
}

bool tree_valid(const struct tree *t)
{
	const struct tree_node *n, *last = NULL;
	size_t count = 0;

	if (!subtree_valid(t->root, NULL, HEIGHT_MAX))
		return false;
	for (n = tree_first(t); n; last = n, n = tree_next(n)) {
		if ((last && last->end > n->start) || n->before != gap_between(t, last ? last->end : 0, n->start))
			return false;
		count++;
	}
	return count == t->count;
}
