/* Views: ranges of an address space, each private memory or a window on a section. Mapping and unmapping. */
#include "io/file.h"
#include "lib/string.h"
#include "mm/pool.h"
#include "mm/vspace.h"

u64 view_committed_end(const struct view *w)
{
	u64 pages = w->section->pages > w->first ? w->section->pages - w->first : 0;

	return MIN(w->node.end, w->node.start + (pages << PAGE_SHIFT));
}

u32 view_create(struct vspace *v, u64 *base, u64 size, const struct address_limits *where, bool top_down,
		const struct view *like, struct view **out)
{
	struct view *w;
	u64 at = *base;

	assert(mutex_held(&v->lock) && IS_ALIGNED(size, PAGE_SIZE));
	if (v->dying)
		return STATUS_PROCESS_IS_TERMINATING;
	if (!at && !tree_find_gap(&v->views, where->low, where->high, size, where->align, top_down, &at))
		return STATUS_NO_MEMORY;
	if (at < USER_LOW || at >= USER_HIGH || size > USER_HIGH - at)
		return STATUS_INVALID_PARAMETER;
	w = kmalloc(sizeof(*w));
	if (!w)
		return STATUS_INSUFFICIENT_RESOURCES;
	memcpy(&w->kind, &like->kind, sizeof(*w) - offsetof(struct view, kind)); /* the node is filled here, and by the tree */
	w->node.start = at;
	w->node.end = at + size;
	w->charge = w->used_low = w->used_high = 0;
	if (!tree_insert(&v->views, &w->node)) {
		kfree(w);
		return STATUS_CONFLICTING_ADDRESSES;
	}
	*base = at;
	*out = w;
	return STATUS_SUCCESS;
}

void view_clear(struct vspace *v, struct view *w)
{
	struct tree_node *prev = tree_prev(&w->node), *next = tree_next(&w->node);
	u64 start = w->node.start, end = w->node.end;

	if (w->flags & VIEW_LARGE)
		large_unmap(v, w);
	else if (w->flags & VIEW_AWE)
		physical_unmap(v, start, end);
	else
		pages_remove(v, MAX(start, w->used_low), MIN(end, w->used_high)); /* a part of a view may have been used elsewhere */
	tree_remove(&v->views, &w->node);
	pt_prune(v, start, end, prev ? prev->end : 0, next ? next->start : 1ull << 47);
	commit_release(COMMIT_PRIVATE, w->charge);
	v->private_charge -= w->charge;
	w->charge = w->used_low = w->used_high = 0;
}

struct section *view_remove(struct vspace *v, struct view *w)
{
	struct section *s = w->section;

	view_clear(v, w);
	kfree(w);
	return s;
}

u64 view_words(struct vspace *v, u64 start, u64 end)
{
	u64 n = 0, count;
	word_t *word;

	for (u64 va = start; (word = pt_next(v, &va, end, &count)); va += count << PAGE_SHIFT)
		for (u64 i = 0; (i = words_skip(word, i, count)) < count; i++)
			n += word_charged(word[i]);
	return n;
}

void view_split(struct vspace *v, struct view *w, u64 at, struct view *upper)
{
	assert(mutex_held(&v->lock) && !w->section && at > w->node.start && at < w->node.end);
	*upper = *w;
	upper->charge = view_words(v, at, w->node.end);
	w->charge -= upper->charge;
	tree_resize(&v->views, &w->node, w->node.start, at);
	upper->node.start = at;
	check(tree_insert(&v->views, &upper->node));
}

u32 view_isolate(struct vspace *v, struct view *w, u64 start, u64 end, struct view **out)
{
	u32 need = (start > w->node.start) + (end < w->node.end), n = 0;
	struct view *parts[2] = { NULL, NULL };

	while (n < need && (parts[n] = kmalloc(sizeof(struct view))))
		n++;
	if (n < need) {
		kfree(parts[0]);
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	if (start > w->node.start) {
		view_split(v, w, start, parts[--n]);
		w = parts[n];
	}
	if (end < w->node.end)
		view_split(v, w, end, parts[--n]);
	*out = w;
	return STATUS_SUCCESS;
}

void view_page_state(struct vspace *v, struct view *w, u64 va, word_t word, struct page_state *out)
{
	enum word_kind kind = word_kind(word);
	struct section *s = w->section;

	out->prot = word_own_prot(word);
	out->private_copy = false;
	out->clone = word_is_clone(word);
	if (w->flags & VIEW_LARGE) {
		out->committed = true;
		out->prot = large_prot(v, va);
		return;
	}
	if (!s) {
		out->committed = word != 0;
		return;
	}
	if (out->clone || kind == WORD_TRANSITION || kind == WORD_SWAP || (kind == WORD_VALID && !(word & PTE_SECTION))) {
		out->private_copy = out->committed = true;
		return;
	}
	if (kind == WORD_NONE)
		out->prot = s->backing->prot ? s->backing->prot(s, view_index(w, va)) : w->prot;
	out->committed = view_index(w, va) < s->pages; /* a view may be larger than a file */
	if (kind == WORD_NONE && out->prot == PROT_NONE && w->kind == VIEW_IMAGE)
		out->committed = section_image_has(s, view_index(w, va));
	if (s->attributes & SEC_RESERVE) {
		word_t *p;

		mutex_lock(&s->lock);
		p = section_word(s, view_index(w, va));
		out->committed = p && *p;
		mutex_unlock(&s->lock);
	}
}

/* ---- mapping ---- */

/* May a section of protection section_page be seen with view_prot? Source: Windows documentation of MapViewOfFile and CreateFileMapping. */
static bool view_prot_allowed(u32 section_page, u32 view_prot)
{
	u32 section_prot;

	if (!prot_from_page(section_page & 0xff, &section_prot))
		return false;
	if (view_prot & PROT_WRITE && !(view_prot & PROT_COPY) &&
	    ((section_prot & (PROT_WRITE | PROT_COPY)) != PROT_WRITE))
		return false;
	return !(view_prot & (PROT_READ | PROT_EXECUTE) & ~section_prot);
}

/* Pages of a view of s that will be write-copy: each may become private, and is charged now, but under lazy-writecopy. */
static u64 copy_pages(struct section *s, u64 first, u64 pages, u32 prot)
{
	u64 n = 0;

	if (!s->backing->prot)
		return prot & PROT_COPY ? pages : 0;
	if (pages == s->pages)
		return s->copy_pages;
	for (u64 i = first, end, low; i < first + pages; i = end) {
		s->backing->alike(s, i, &low, &end);
		end = MIN(end, first + pages);
		if (s->backing->prot(s, i) & PROT_COPY)
			n += end - i;
	}
	return n;
}

static u32 map_locked(struct vspace *v, struct section *s, u64 *base, u64 first, u64 size,
		      const struct address_limits *where, u32 type, u32 protect, u32 prot, bool inherit)
{
	bool image = s->attributes & SEC_IMAGE;
	/* An image's sections say which protections it has, not who maps it. */
	struct view like = { .kind = image ? VIEW_IMAGE : VIEW_SECTION, .prot = prot, .section = s,
			     .protect = image ? PAGE_EXECUTE_WRITECOPY : protect,
			     .copy = image || prot & PROT_COPY, .first = first,
			     .flags = (inherit ? 0 : VIEW_NOT_INHERITED) | (type & MEM_LARGE_PAGES ? VIEW_LARGE : 0) |
				      (type & SEC_NO_CHANGE ? VIEW_NO_CHANGE : 0) };
	u64 charge = commit_totals.lazy_writecopy ? 0 : copy_pages(s, first, size >> PAGE_SHIFT, prot);
	bool elsewhere = false;
	struct view *w;
	u32 status;

	if (type & MEM_REPLACE_PLACEHOLDER) {
		status = placeholder_replace(v, *base, size, &like, &w);
		elsewhere = image && *base != section_image_base(s);
	} else if (image && !*base) {
		u64 at = section_image_base(s);

		status = view_create(v, &at, size, where, false, &like, &w);
		if (status == STATUS_CONFLICTING_ADDRESSES || status == STATUS_INVALID_PARAMETER) {
			at = 0;
			elsewhere = true;
			status = view_create(v, &at, size, where, true, &like, &w);
		}
		*base = at;
	} else {
		status = view_create(v, base, size, where, type & MEM_TOP_DOWN, &like, &w);
		elsewhere = image && *base != section_image_base(s);
	}
	if (status)
		return status;
	section_ref(s);
	if (s->backing != &backing_file && !commit_possible(size >> PAGE_SHIFT) && !(s->attributes & SEC_RESERVE)) {
		status = STATUS_COMMITMENT_LIMIT;
	} else if (!commit_charge(COMMIT_PRIVATE, charge)) {
		status = STATUS_COMMITMENT_LIMIT;
	} else {
		w->charge = charge;
		v->private_charge += charge;
		/* Tables for what can be touched at once; those of a reserved section come with its pages. */
		status = type & MEM_LARGE_PAGES		? large_map(v, w)
			 : s->attributes & SEC_RESERVE	? STATUS_SUCCESS
							: pt_make_range(v, w->node.start, view_committed_end(w));
	}
	if (status) {
		if (type & MEM_REPLACE_PLACEHOLDER)
			placeholder_restore(v, w);
		else
			view_remove(v, w);
		section_unref(s); /* not the last: the caller has one */
		return status;
	}
	if (image)
		image_map_around(v, w);
	return elsewhere ? STATUS_IMAGE_NOT_AT_BASE : STATUS_SUCCESS;
}

/* May a view of s, seen with prot, be larger than s? What lies behind the file's end is there when the section is extended. */
static bool view_may_exceed(struct section *s, u32 prot, u32 type)
{
	if (!s->data || !(type & MEM_RESERVE) || (prot & (PROT_WRITE | PROT_COPY)) != PROT_WRITE)
		return false;
	mutex_lock(&s->file->lock);
	s->data->mapped_bytes = ~0ull; /* the file must not get shorter: nobody knows what of it is seen */
	mutex_unlock(&s->file->lock);
	return true;
}

u32 view_map_section(struct vspace *v, struct section *s, u64 *base, u64 offset, u64 *size,
		     const struct address_limits *where, u32 type, u32 protect, bool inherit)
{
	struct address_limits place = where ? *where : ANYWHERE;
	u64 total = section_size(s), want = *size, at = *base;
	struct section *shown = s->data ? s->data : s;
	u32 prot, status;

	if (!prot_from_page(protect, &prot) || prot & PROT_GUARD)
		return STATUS_INVALID_PAGE_PROTECTION;
	if (section_caching(s) && prot) {
		prot = (prot & ~PROT_CACHING) | section_caching(s);
		protect = prot_to_page(prot);
	}
	/* A placeholder may begin at any page. */
	if (!IS_ALIGNED(offset | at, type & MEM_REPLACE_PLACEHOLDER ? PAGE_SIZE : GRANULARITY))
		return STATUS_MAPPED_ALIGNMENT;
	if (offset >= total || (want > total - offset && !view_may_exceed(s, prot, type)))
		return STATUS_INVALID_VIEW_SIZE;
	if (want > USER_HIGH)
		return STATUS_INVALID_VIEW_SIZE;
	if (!want)
		want = total - offset;
	want = ALIGN_UP(want, PAGE_SIZE);
	if (!(s->attributes & SEC_IMAGE) && !view_prot_allowed(s->protect, prot))
		return STATUS_SECTION_PROTECTION;
	if (type & MEM_LARGE_PAGES) {
		status = large_view_check(shown, at, offset, want, prot);
		if (status)
			return status;
		place.align = MAX(place.align, LARGE_PAGE);
	}
	do {
		*base = at;
		mutex_lock(&v->lock);
		status = map_locked(v, shown, base, offset >> PAGE_SHIFT, want, &place, type, protect, prot, inherit);
		mutex_unlock(&v->lock);
	} while (memory_wait_again(v, &status));
	if (NT_SUCCESS(status))
		*size = want;
	else
		*base = at;
	return status;
}

u32 view_unmap(struct vspace *v, u64 address, bool preserve_placeholder)
{
	struct section *s;
	struct view *w;

	mutex_lock(&v->lock);
	w = view_find(v, address);
	if (!w || !w->section || (preserve_placeholder && !(w->flags & VIEW_REPLACED))) {
		u32 status = w && w->section ? STATUS_CONFLICTING_ADDRESSES : STATUS_NOT_MAPPED_VIEW;

		mutex_unlock(&v->lock);
		return status;
	}
	s = preserve_placeholder ? placeholder_restore(v, w) : view_remove(v, w);
	mutex_unlock(&v->lock);
	section_unref(s);
	return STATUS_SUCCESS;
}
