/*
 * Placeholders: addresses that a process holds for views and allocations to come, so that nobody else gets them between
 * the end of one and the beginning of the next. A placeholder is a view of private memory without pages. Source: Windows
 * documentation of VirtualAlloc2, MapViewOfFile3 and VirtualFree.
 */
#include "mm/pool.h"
#include "mm/vspace.h"

u32 placeholder_replace(struct vspace *v, u64 at, u64 size, const struct view *like, struct view **out)
{
	struct view *w = view_find(v, at);
	struct tree_node node;

	assert(mutex_held(&v->lock));
	if (!w || !(w->flags & VIEW_PLACEHOLDER) || w->node.start != at || w->node.end != at + size)
		return STATUS_CONFLICTING_ADDRESSES;
	if (v->dying)
		return STATUS_PROCESS_IS_TERMINATING;
	node = w->node;
	*w = *like;
	w->node = node;
	w->charge = 0;
	w->flags |= VIEW_REPLACED;
	*out = w;
	return STATUS_SUCCESS;
}

struct section *placeholder_restore(struct vspace *v, struct view *w)
{
	struct section *s = w->section;
	struct tree_node node;

	view_clear(v, w); /* it is out of the tree now, as pruning the tables needs it */
	node = w->node;
	*w = (struct view){ .kind = VIEW_PRIVATE, .prot = PROT_NONE, .protect = PAGE_NOACCESS, .flags = VIEW_PLACEHOLDER };
	w->node = node;
	check(tree_insert(&v->views, &w->node));
	return s;
}

u32 placeholder_split(struct vspace *v, u64 start, u64 end)
{
	struct view *w = view_find(v, start);
	u32 status;

	if (!w)
		return STATUS_MEMORY_NOT_ALLOCATED;
	if (w->section)
		return STATUS_UNABLE_TO_DELETE_SECTION;
	if (end > w->node.end)
		return STATUS_UNABLE_TO_FREE_VM;
	/* All of a placeholder: there is nothing to split. */
	if (!(w->flags & (VIEW_PLACEHOLDER | VIEW_REPLACED)) ||
	    (w->flags & VIEW_PLACEHOLDER && start == w->node.start && end == w->node.end))
		return STATUS_CONFLICTING_ADDRESSES;
	status = view_isolate(v, w, start, end, &w);
	if (!status && !(w->flags & VIEW_PLACEHOLDER))
		placeholder_restore(v, w);
	return status;
}

u32 placeholders_coalesce(struct vspace *v, u64 start, u64 end)
{
	struct view *first = view_find(v, start), *w = first;
	struct tree_node *n;

	if (!first)
		return STATUS_MEMORY_NOT_ALLOCATED;
	if (first->node.start != start)
		return STATUS_CONFLICTING_ADDRESSES;
	while (w->flags & VIEW_PLACEHOLDER && w->node.end < end) {
		n = tree_next(&w->node);
		if (!n || n->start != w->node.end)
			return STATUS_CONFLICTING_ADDRESSES;
		w = view_of(n);
	}
	if (!(w->flags & VIEW_PLACEHOLDER) || w->node.end != end || w == first)
		return STATUS_CONFLICTING_ADDRESSES;
	while ((n = tree_next(&first->node)) && n->start < end) {
		tree_remove(&v->views, n);
		tree_resize(&v->views, &first->node, start, n->end);
		kfree(view_of(n));
	}
	return STATUS_SUCCESS;
}
