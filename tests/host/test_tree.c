/* The tree of ranges, against a model: an array that says for each address whose it is. */
#include <string.h>

#include "lib/tree.h"
#include "tap.h"

#define SPACE 1024 /* addresses in the model */
#define NODES 150
#define STEPS 10000
#define PHASE 1000 /* steps in which it grows, then as many in which it shrinks */

static struct tree tree;
static struct tree_node nodes[NODES];
static bool used[NODES];
static int owner[SPACE]; /* index of the node, or -1 */
static u64 base;	 /* of the model's space in the 64 bits */
static u64 gap_mask;

static void model_reset(u64 at)
{
	tree = (struct tree){ .gap_mask = gap_mask };
	memset(nodes, 0, sizeof(nodes));
	memset(used, 0, sizeof(used));
	for (int i = 0; i < SPACE; i++)
		owner[i] = -1;
	base = at;
}

static void model_fill(const struct tree_node *n, int who)
{
	for (u64 at = n->start; at < n->end; at++)
		owner[at - base] = who;
}

static bool model_free(u64 start, u64 end)
{
	for (u64 at = start; at < end; at++) {
		if (owner[at - base] >= 0)
			return false;
	}
	return true;
}

static void step_insert(int i)
{
	struct tree_node *n = &nodes[i];
	u64 size = tap_between(1, tap_one_in(4) ? 60 : 8);
	bool room;

	memset(n, 0x77, sizeof(*n)); /* what was in it is nothing to rely on */
	n->start = base + tap_below(SPACE - size + 1);
	n->end = n->start + size;
	room = model_free(n->start, n->end);
	expect_equal(tree_insert(&tree, n), room);
	if (room) {
		used[i] = true;
		model_fill(n, i);
	}
}

static void step_remove(int i)
{
	model_fill(&nodes[i], -1);
	tree_remove(&tree, &nodes[i]);
	used[i] = false;
}

/* Moves an edge of a node that is in the tree, as far as its neighbours allow. */
static void step_resize(int i)
{
	struct tree_node *n = &nodes[i], *before = tree_prev(n), *after = tree_next(n);
	u64 low = before ? before->end : base, high = after ? after->start : base + SPACE;

	model_fill(n, -1);
	low = tap_between(MAX(low, n->start - MIN(n->start, 8)), n->end - 1);
	tree_resize(&tree, n, low, low + tap_between(1, MIN(high - low, 8)));
	model_fill(n, i);
}

static void compare_find(void)
{
	u64 at = tap_below(SPACE);
	u64 from = at;
	struct tree_node *expected = owner[at] < 0 ? NULL : &nodes[owner[at]];

	expect(tree_find(&tree, base + at) == expected);
	while (from < SPACE && owner[from] < 0)
		from++;
	expected = from < SPACE ? &nodes[owner[from]] : NULL;
	expect(tree_find_from(&tree, base + at) == expected);
}

static bool model_gap(u64 low, u64 high, u64 size, u64 align, bool top_down, u64 *at)
{
	bool found = false;

	for (u64 a = low; a <= high && high - a >= size; a++) {
		if (!IS_ALIGNED(a, align) || !model_free(a, a + size))
			continue;
		*at = a;
		found = true;
		if (!top_down)
			break;
	}
	return found;
}

static void compare_gap(void)
{
	u64 low = base + tap_below(SPACE), high = base + tap_below(SPACE + 1);
	u64 size = tap_between(1, 40), align = (gap_mask + 1) << tap_below(6), at = 0, expected = 0;
	bool top_down = tap_one_in(2);
	bool found = model_gap(low, high, size, align, top_down, &expected);

	expect_equal(tree_find_gap(&tree, low, high, size, align, top_down, &at), found);
	if (found)
		expect_equal(at, expected);
}

static void compare_walk(void)
{
	struct tree_node *n = tree_first(&tree), *last = NULL;
	size_t count = 0, expected = 0;

	for (; n; last = n, n = tree_next(n), count++)
		expect(tree_prev(n) == last);
	expect(tree_last(&tree) == last);
	for (int i = 0; i < NODES; i++)
		expected += used[i];
	expect_equal(count, expected);
	expect_equal(tree.count, expected);
}

static void random_steps(u64 at)
{
	size_t most = 0;

	model_reset(at);
	for (int step = 0; step < STEPS; step++) {
		int i = (int)tap_below(NODES);
		bool grow = step / PHASE % 2 == 0;

		if (used[i] && tap_one_in(4))
			step_resize(i);
		else if (!used[i] && (grow || tap_one_in(8)))
			step_insert(i);
		else if (used[i] && (!grow || tap_one_in(8)))
			step_remove(i);
		expect(tree_valid(&tree));
		compare_find();
		for (int gaps = 0; gaps < 5; gaps++)
			compare_gap();
		compare_walk();
		most = MAX(most, tree.count);
	}
	expect(most > NODES / 2);
}

static void agrees_with_model(void)
{
	random_steps(0x10000);
}

static void agrees_with_model_when_gaps_are_aligned(void)
{
	for (gap_mask = 1; gap_mask < 16; gap_mask = gap_mask * 2 + 1)
		random_steps(0x10000);
	gap_mask = 0;
}

static void agrees_with_model_at_zero(void)
{
	random_steps(0);
}

static void agrees_with_model_at_the_end_of_64_bits(void)
{
	random_steps(~0ull - SPACE);
}

extern u64 tree_gap_looks;

/* A page at each 64 KiB, as small allocations are: between them there is room for nothing, and nobody looks there. */
static void finds_gaps_without_walking(void)
{
	enum { COUNT = 10000 };
	struct tree_node *many = calloc(COUNT, sizeof(*many));
	struct tree t = { .gap_mask = 0xffff };
	u64 at;

	for (u64 i = 0; i < COUNT; i++) {
		tree_gap_looks = 0;
		expect(tree_find_gap(&t, 0x10000, 1ull << 47, 0x1000, 0x10000, false, &at));
		expect_equal(at, 0x10000 * (i + 1));
		expect(tree_gap_looks <= 2 * 20);
		many[i].start = at;
		many[i].end = at + 0x1000;
		expect(tree_insert(&t, &many[i]));
	}
	for (u64 i = 1; i < COUNT; i += 7) {
		tree_remove(&t, &many[i]);
		for (int top_down = 0; top_down < 2; top_down++) {
			tree_gap_looks = 0;
			expect(tree_find_gap(&t, 0x10000, 0x10000 * (COUNT + 1), 0x10000, 0x10000, top_down, &at));
			expect_equal(at, top_down ? many[i].start : many[1].start);
			expect(tree_gap_looks <= 2 * 20);
		}
	}
	expect(tree_valid(&t));
	free(many);
}

/* The height of 1.44 log2(n) is what makes it a balanced tree. */
static void stays_low_when_filled_in_order(void)
{
	enum { COUNT = 4096 };
	struct tree_node *many = calloc(COUNT, sizeof(*many));
	struct tree t = { 0 };

	for (int i = 0; i < COUNT; i++) {
		many[i].start = (u64)i;
		many[i].end = (u64)i + 1;
		expect(tree_insert(&t, &many[i]));
	}
	expect(tree_valid(&t));
	expect(t.root->height <= 13);
	for (int i = 0; i < COUNT; i += 2) {
		tree_remove(&t, &many[i]);
		expect(!many[i].left && !many[i].right && !many[i].parent);
	}
	expect(tree_valid(&t));
	expect_equal(t.count, COUNT / 2);
	free(many);
}

static void refuses_overlap(void)
{
	struct tree_node a = { .start = 10, .end = 20 }, b = { .start = 19, .end = 21 }, c = { .start = 20, .end = 21 };
	struct tree_node d = { .start = 0, .end = ~0ull };
	struct tree t = { 0 };

	expect(tree_insert(&t, &a));
	expect(!tree_insert(&t, &a));
	expect(!tree_insert(&t, &b));
	expect(!tree_insert(&t, &d));
	expect(tree_insert(&t, &c));
	expect_equal(t.count, 2);
	a.end = a.start;
	expect_panic(tree_insert(&(struct tree){ 0 }, &a));
}

static void gap_does_not_overflow(void)
{
	struct tree_node a = { .start = 0x1000, .end = ~0ull };
	struct tree t = { 0 };
	u64 at = 77;

	for (int top_down = 0; top_down < 2; top_down++) {
		expect(!tree_find_gap(&t, ~0ull - 10, ~0ull, 5, 4096, top_down, &at));
		expect(!tree_find_gap(&t, 0, ~0ull, 0, 1, top_down, &at));
		expect(!tree_find_gap(&t, 10, 10, 1, 1, top_down, &at));
		expect(!tree_find_gap(&t, 10, 5, 1, 1, top_down, &at));
		expect(!tree_find_gap(&t, 0, 0, 1, 1, top_down, &at));
		expect(tree_find_gap(&t, 0, ~0ull, ~0ull, 1, top_down, &at));
		expect_equal(at, 0);
		expect(!tree_find_gap(&t, 1, ~0ull, ~0ull, 1, top_down, &at));
	}
	expect(tree_insert(&t, &a));
	for (int top_down = 0; top_down < 2; top_down++) {
		expect(!tree_find_gap(&t, 0x1000, ~0ull, 1, 0x1000, top_down, &at));
		expect(!tree_find_gap(&t, 0, ~0ull, 0x1001, 1, top_down, &at));
		expect(tree_find_gap(&t, 0, ~0ull, 0x1000, 0x1000, top_down, &at));
		expect_equal(at, 0);
	}
}

static void tree_valid_sees_damage(void)
{
	struct tree_node n[7];
	struct tree t = { 0 };

	for (int i = 0; i < 7; i++) {
		n[i] = (struct tree_node){ .start = (u64)i * 10, .end = (u64)i * 10 + 10 };
		expect(tree_insert(&t, &n[i]));
	}
	expect(tree_valid(&t));
	n[2].end = n[2].start;
	expect(!tree_valid(&t));
	n[2].end = n[2].start + 11;
	expect(!tree_valid(&t));
	n[2].end--;
	n[1].height++;
	expect(!tree_valid(&t));
	n[1].height--;
	n[3].gap = 1;
	expect(!tree_valid(&t));
	n[3].gap = 0;
	n[3].gap = n[3].before = 1;
	expect(!tree_valid(&t));
	n[3].gap = n[3].before = 0;
	n[4].parent = &n[1];
	expect(!tree_valid(&t));
	n[4].parent = &n[5];
	t.count++;
	expect(!tree_valid(&t));
	t.count--;
	n[6].left = t.root; /* a cycle */
	expect(!tree_valid(&t));
	n[6].left = NULL;
	expect(tree_valid(&t));
	t.root->left = NULL; /* heights that are right, but out of balance */
	t.root->height = 3;
	t.count = 4;
	expect(!tree_valid(&t));
}

int main(int argc, char **argv)
{
	tap_begin(argc, argv);
	tap_run(refuses_overlap);
	tap_run(stays_low_when_filled_in_order);
	tap_run(gap_does_not_overflow);
	tap_run(tree_valid_sees_damage);
	tap_run(finds_gaps_without_walking);
	tap_run(agrees_with_model);
	tap_run(agrees_with_model_when_gaps_are_aligned);
	tap_run(agrees_with_model_at_zero);
	tap_run(agrees_with_model_at_the_end_of_64_bits);
	return tap_end();
}
