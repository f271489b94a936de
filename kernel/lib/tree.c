/*
 * AVL tree of ranges. Every node's two subtrees differ in height by at most one; after an insertion or removal the path
 * up to the root is repaired with rotations. Each node knows the largest gap below it, so that the search for a free
 * place leaves out all subtrees that have none.
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

	return first >= from && first < to ? to - first : 0;
}

/* What n says of itself and of what is below it. */
static void node_update(const struct tree *t, struct tree_node *n)
{
	const struct tree_node *l = n->left, *r = n->right;
	u64 gap = 0;

	n->height = MAX(height(l), height(r)) + 1;
	n->low = n->start;
	n->high = n->end;
	if (l) {
		n->low = l->low;
		gap = MAX(l->gap, gap_between(t, l->high, n->start));
	}
	if (r) {
		n->high = r->high;
		gap = MAX(gap, MAX(r->gap, gap_between(t, n->end, r->low)));
	}
	n->gap = gap;
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
	node_update(t, n);
	node_update(t, up);
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
	node_update(t, n);
	node_update(t, up);
	return up;
}

/* Repairs what nodes say, and the balance, from n up to the root, or to where nothing changes for those above. */
static void path_repair(struct tree *t, struct tree_node *n)
{
	while (n) {
		struct tree_node before = *n;

		node_update(t, n);
		if (balance(n) > 1) {
			if (balance(n->left) < 0)
				rotate_left(t, n->left);
			n = rotate_right(t, n);
		} else if (balance(n) < -1) {
			if (balance(n->right) > 0)
				rotate_right(t, n->right);
			n = rotate_left(t, n);
		}
		if (n->height == before.height && n->gap == before.gap && n->low == before.low && n->high == before.high)
			return;
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

		/* Where it leaves, the lowest address changes for all up to its new place: the repair gets there. */
		repair = next->parent == n ? next : next->parent;
		node_replace(t, next, next->right);
		node_replace(t, n, next);
		next->left = n->left;
		next->right = n->right;
		next->height = n->height; /* as those above have seen it until now */
		next->low = n->low;
		next->high = n->high;
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
}

void tree_resize(struct tree *t, struct tree_node *n, u64 start, u64 end)
{
	assert(start < end);
	n->start = start;
	n->end = end;
	path_repair(t, n);
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

/* ---- free places ---- */

struct wanted {
	u64 low, high, size, align;
	bool top_down;
	u64 at; /* the answer */
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

/* The first gap between two of n and what is below it that has room. The tree's height bounds the recursion. */
static bool gap_below(struct wanted *w, const struct tree_node *n)
{
	const struct tree_node *l, *r;

#ifdef HOST_TEST
	tree_gap_looks += !!n;
#endif
	if (!n || n->gap < w->size || n->high <= w->low || n->low >= w->high)
		return false;
	l = n->left;
	r = n->right;
	if (w->top_down)
		return gap_below(w, r) || (r && gap_fits(w, n->end, r->low)) || (l && gap_fits(w, l->high, n->start)) ||
		       gap_below(w, l);
	return gap_below(w, l) || (l && gap_fits(w, l->high, n->start)) || (r && gap_fits(w, n->end, r->low)) ||
	       gap_below(w, r);
}

bool tree_find_gap(const struct tree *t, u64 low, u64 high, u64 size, u64 align, bool top_down, u64 *at)
{
	struct wanted w = { low, high, size, align, top_down, 0 };
	const struct tree_node *n = t->root;
	bool found;

	assert(align > t->gap_mask && !(align & (align - 1)));
	if (!size)
		return false;
	if (!n)
		found = gap_fits(&w, 0, ~0ull);
	else if (top_down)
		found = gap_fits(&w, n->high, ~0ull) || gap_below(&w, n) || gap_fits(&w, 0, n->low);
	else
		found = gap_fits(&w, 0, n->low) || gap_below(&w, n) || gap_fits(&w, n->high, ~0ull);
	if (found)
		*at = w.at;
	return found;
}

/* ---- checking ---- */

/* The heights fall on the way down, which bounds the recursion even if the links are damaged. */
static bool subtree_valid(const struct tree *t, const struct tree_node *n, const struct tree_node *parent, int height_max)
{
	struct tree_node right;

	if (!n)
		return true;
	if (n->parent != parent || n->height > height_max || n->start >= n->end)
		return false;
	if (!subtree_valid(t, n->left, n, n->height - 1) || !subtree_valid(t, n->right, n, n->height - 1))
		return false;
	right = *n;
	node_update(t, &right);
	return n->height == right.height && n->low == right.low && n->high == right.high && n->gap == right.gap &&
	       balance(n) >= -1 && balance(n) <= 1;
}

bool tree_valid(const struct tree *t)
{
	const struct tree_node *n, *last = NULL;
	size_t count = 0;

	if (!subtree_valid(t, t->root, NULL, HEIGHT_MAX))
		return false;
	for (n = tree_first(t); n; last = n, n = tree_next(n)) {
		if (last && last->end > n->start)
			return false;
		count++;
	}
	return count == t->count;
}
