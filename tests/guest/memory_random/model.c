/* What a thread believes of its memory: pages, views, sections; and random places in it. */
#include "random.h"

#include <string.h>

void arena_init(struct arena *a, HANDLE process, bool remote, uint64_t base)
{
	memset(a, 0, sizeof(*a));
	a->process = process;
	a->remote = remote;
	a->base = base;
	for (unsigned int i = 0; i < ARENA_PAGES; i++)
		a->pages[i].view = -1;
}

/* ---- protections ---- */

bool protect_valid(uint32_t protect)
{
	uint32_t base = protect & 0xff, more = protect & ~0xffu;
	if (!base || base & (base - 1) || more & ~(uint32_t)(PAGE_GUARD | PAGE_NOCACHE | PAGE_WRITECOMBINE))
		return false;
	return !more || (base != PAGE_NOACCESS && !(more & (more - 1)));
}

bool protect_writes(uint32_t protect)
{
	return protect & (PAGE_READWRITE | PAGE_WRITECOPY | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY);
}

bool protect_executes(uint32_t protect)
{
	return protect & (PAGE_EXECUTE | PAGE_EXECUTE_READ | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY);
}

bool protect_copies(uint32_t protect)
{
	return protect & (PAGE_WRITECOPY | PAGE_EXECUTE_WRITECOPY);
}

/* ---- views and pages ---- */

struct view *page_view(struct arena *a, unsigned int page)
{
	return a->pages[page].view < 0 ? NULL : &a->views[a->pages[page].view];
}

static struct section_model *view_section(struct worker *w, const struct view *v)
{
	return &w->sections[v->section];
}

bool page_committed(struct worker *w, struct arena *a, unsigned int page)
{
	struct view *v = page_view(a, page);
	if (!v || v->kind == KIND_PLACEHOLDER)
		return false;
	if (v->kind == KIND_PRIVATE || a->pages[page].own)
		return a->pages[page].committed;
	return view_section(w, v)->page[v->first + page - v->start].committed;
}

uint64_t *page_stamp(struct worker *w, struct arena *a, unsigned int page)
{
	struct view *v = page_view(a, page);
	if (v->kind == KIND_SECTION && !a->pages[page].own)
		return &view_section(w, v)->page[v->first + page - v->start].stamp;
	return &a->pages[page].stamp;
}

void page_clear(struct page *p)
{
	p->committed = p->own = p->locked = p->written = p->reset = p->lost = p->offered = false;
	p->stamp = 0;
}

bool view_room(struct arena *a, unsigned int more)
{
	for (unsigned int i = 0; i < VIEWS_MAX; i++)
		if (!a->views[i].used && --more == 0)
			return true;
	return false;
}

struct view *view_add(struct arena *a, enum view_kind kind, unsigned int start, unsigned int count, uint32_t protect)
{
	for (int i = 0; i < VIEWS_MAX; i++) {
		if (a->views[i].used)
			continue;
		a->views[i] = (struct view){
			.used = true, .kind = kind, .protect = protect, .start = start, .count = count,
		};
		for (unsigned int p = start; p < start + count; p++) {
			page_clear(&a->pages[p]);
			a->pages[p].view = i;
			a->pages[p].protect = protect;
		}
		return &a->views[i];
	}
	return NULL;
}

void section_unused(struct section_model *s)
{
	if (!s->handle && !s->views)
		memset(s, 0, sizeof(*s));
}

void view_cut(struct worker *w, struct arena *a, struct view *v, unsigned int start, unsigned int count)
{
	unsigned int end = start + count, view_end = v->start + v->count;
	struct view *right = NULL;
	for (unsigned int p = start; p < end; p++) {
		page_clear(&a->pages[p]);
		a->pages[p].view = -1;
	}
	if (start > v->start && end < view_end) {
		for (right = a->views; right->used; right++)
			;
		*right = *v;
	} else if (end < view_end) {
		right = v;
	}
	if (right) {
		right->start = end;
		right->count = view_end - end;
		for (unsigned int p = end; p < view_end; p++)
			a->pages[p].view = (int)(right - a->views);
	}
	if (start > v->start)
		v->count = start - v->start;
	if (start == v->start && end == view_end) {
		v->used = false;
		if (v->kind == KIND_SECTION) {
			view_section(w, v)->views--;
			section_unused(view_section(w, v));
		}
	}
}

bool range_free(struct arena *a, unsigned int start, unsigned int count)
{
	for (unsigned int p = start; p < start + count; p++)
		if (a->pages[p].view >= 0)
			return false;
	return true;
}

/* ---- random places ---- */

/* Callers need not round: base and size are anywhere in the first and the last page. */
static void range_blur(struct worker *w, struct arena *a, struct range *r)
{
	r->base = page_address(a, r->start);
	r->size = r->count * PAGE_SIZE;
	if (one_in(&w->chance, 4)) {
		uint64_t skip = below(&w->chance, PAGE_SIZE);
		r->base += skip;
		r->size -= skip;
	}
	if (one_in(&w->chance, 4)) {
		uint64_t less = below(&w->chance, PAGE_SIZE);
		if (less < r->size)
			r->size -= r->count > 1 || r->base % PAGE_SIZE == 0 ? less : 0;
	}
	/* What was cut may have left the last page out altogether. */
	r->count = (unsigned int)((r->base + r->size + PAGE_SIZE - 1 - a->base) / PAGE_SIZE) - r->start;
}

struct range range_any(struct worker *w, struct arena *a)
{
	struct range r;
	r.start = (unsigned int)below(&w->chance, ARENA_PAGES);
	r.count = 1 + (unsigned int)below(&w->chance, one_in(&w->chance, 4) ? 48 : 6);
	if (r.count > ARENA_PAGES - r.start)
		r.count = ARENA_PAGES - r.start;
	range_blur(w, a, &r);
	return r;
}

struct range range_granule(struct worker *w, struct arena *a)
{
	struct range r;
	r.start = (unsigned int)below(&w->chance, ARENA_PAGES / GRANULE_PAGES) * GRANULE_PAGES;
	r.count = 1 + (unsigned int)below(&w->chance, one_in(&w->chance, 3) ? 64 : 16);
	if (r.count > ARENA_PAGES - r.start)
		r.count = ARENA_PAGES - r.start;
	range_blur(w, a, &r);
	return r;
}

struct range range_in_view(struct worker *w, struct arena *a, struct view *v)
{
	struct range r;
	r.start = v->start + (unsigned int)below(&w->chance, v->count);
	r.count = 1 + (unsigned int)below(&w->chance, v->start + v->count - r.start);
	if (one_in(&w->chance, 6)) {
		r.start = v->start;
		r.count = v->count;
	}
	range_blur(w, a, &r);
	return r;
}

struct view *view_any(struct worker *w, struct arena *a, int kind)
{
	unsigned int from = (unsigned int)below(&w->chance, VIEWS_MAX);
	for (unsigned int i = 0; i < VIEWS_MAX; i++) {
		struct view *v = &a->views[(from + i) % VIEWS_MAX];
		if (v->used && (kind < 0 || v->kind == (enum view_kind)kind))
			return v;
	}
	return NULL;
}

uint32_t protect_any(struct worker *w)
{
	static const uint32_t usual[] = {
		PAGE_READWRITE, PAGE_READWRITE, PAGE_READWRITE, PAGE_READWRITE, PAGE_READONLY, PAGE_NOACCESS,
		PAGE_EXECUTE_READ, PAGE_EXECUTE_READWRITE, PAGE_EXECUTE, PAGE_READWRITE | PAGE_GUARD,
		PAGE_READONLY | PAGE_GUARD, PAGE_READWRITE | PAGE_NOCACHE, PAGE_READWRITE | PAGE_WRITECOMBINE,
	};
	static const uint32_t rare[] = {
		PAGE_WRITECOPY, PAGE_EXECUTE_WRITECOPY, 0, 0x3, 0xff, 0x1000, PAGE_NOACCESS | PAGE_GUARD,
		PAGE_READWRITE | PAGE_NOCACHE | PAGE_GUARD, 0x80000000u, PAGE_GUARD, PAGE_WRITECOPY | PAGE_GUARD,
	};
	return one_in(&w->chance, 10) ? PICK(&w->chance, rare) : PICK(&w->chance, usual);
}
