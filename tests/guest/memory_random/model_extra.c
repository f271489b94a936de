/*
 * The further calls on private memory: placeholders, reset and undo, offer and reclaim, lock and unlock, write watch,
 * prefetch. Source: Windows documentation of VirtualAlloc2, VirtualFree, VirtualAlloc (MEM_RESET), OfferVirtualMemory,
 * VirtualLock, GetWriteWatch, PrefetchVirtualMemory.
 */
#include "random.h"

static struct view *view_of_range(struct arena *a, const struct range *r)
{
	struct view *v = page_view(a, r->start);
	return v && r->start + r->count <= v->start + v->count ? v : NULL;
}

static void pages_align(struct arena *a, struct range *r)
{
	r->base = page_address(a, r->start);
	r->size = r->count * PAGE_SIZE;
}

static struct range range_pages(struct worker *w, struct arena *a, int kind)
{
	struct view *v = view_any(w, a, kind);
	struct range r = v && !one_in(&w->chance, 6) ? range_in_view(w, a, v) : range_any(w, a);
	pages_align(a, &r);
	return r;
}

static void about_range(struct worker *w, const char *what, const struct range *r)
{
	about(w, "%s: base 0x%llx, size 0x%llx", what, (unsigned long long)r->base, (unsigned long long)r->size);
}

/* ---- placeholders ---- */

static void placeholder_reserve(struct worker *w, struct arena *a)
{
	struct range r = range_granule(w, a);
	struct expected e = { .count = 0 };
	uint32_t protect = PAGE_NOACCESS;
	pages_align(a, &r);
	if (!view_room(a, 1))
		return;
	if (!range_free(a, r.start, r.count))
		expect(&e, STATUS_CONFLICTING_ADDRESSES);
	if (one_in(&w->chance, 12)) {
		protect = PAGE_READWRITE;
		expect(&e, STATUS_INVALID_PARAMETER_6);
	}
	if (one_in(&w->chance, 12)) {
		r.size -= 1 + below(&w->chance, PAGE_SIZE - 1);
		expect(&e, STATUS_INVALID_PARAMETER_4);
	}
	about_range(w, "a placeholder", &r);
	if (as_expected(w, &e, CALL(w, NtAllocateVirtualMemoryEx, U(a->process), U(&r.base), U(&r.size),
				    MEM_RESERVE | 0x40000, protect, 0, 0)))
		view_add(a, KIND_PLACEHOLDER, r.start, r.count, PAGE_NOACCESS);
}

static void placeholder_replace(struct worker *w, struct arena *a)
{
	struct view *v = view_any(w, a, KIND_PLACEHOLDER);
	uint32_t type = MEM_RESERVE | 0x4000 | (one_in(&w->chance, 2) ? MEM_COMMIT : 0), protect = protect_any(w);
	struct range r = range_pages(w, a, KIND_PLACEHOLDER);
	struct expected e = { .count = 0 };
	bool watch = one_in(&w->chance, 8);
	if (v && !one_in(&w->chance, 4)) {
		r = (struct range){ .start = v->start, .count = v->count };
		pages_align(a, &r);
	}
	v = page_view(a, r.start);
	if (!v || v->kind != KIND_PLACEHOLDER || v->start != r.start || v->count != r.count)
		expect(&e, STATUS_CONFLICTING_ADDRESSES);
	if (!protect_valid(protect) || protect_copies(protect))
		expect(&e, STATUS_INVALID_PAGE_PROTECTION);
	about_range(w, "in place of a placeholder", &r);
	if (!as_expected(w, &e, CALL(w, NtAllocateVirtualMemoryEx, U(a->process), U(&r.base), U(&r.size),
				     type | (watch ? MEM_WRITE_WATCH : 0), protect, 0, 0)))
		return;
	v->used = false;
	v = view_add(a, KIND_PRIVATE, r.start, r.count, protect);
	v->replaced = true;
	v->watch = watch;
	for (unsigned int p = r.start; p < r.start + r.count; p++)
		a->pages[p].committed = type & MEM_COMMIT;
}

/* A part of a placeholder becomes one of its own; an allocation that replaced one, or a part of it, becomes one again. */
static void placeholder_preserve(struct worker *w, struct arena *a)
{
	struct range r = range_pages(w, a, one_in(&w->chance, 2) ? KIND_PLACEHOLDER : KIND_PRIVATE);
	struct view *v = page_view(a, r.start);
	struct expected e = { .count = 0 };
	if (v && one_in(&w->chance, 3)) {
		r = (struct range){ .start = v->start, .count = v->count };
		pages_align(a, &r);
	}
	if (!view_room(a, 3))
		return;
	if (!v)
		expect(&e, STATUS_MEMORY_NOT_ALLOCATED);
	else if (v->kind == KIND_SECTION)
		expect(&e, STATUS_UNABLE_TO_DELETE_SECTION);
	else if (v->kind == KIND_PLACEHOLDER ? v->start == r.start && v->count == r.count : !v->replaced)
		expect(&e, STATUS_CONFLICTING_ADDRESSES);
	if (v && r.start + r.count > v->start + v->count)
		expect(&e, STATUS_UNABLE_TO_FREE_VM);
	about_range(w, "preserve", &r);
	if (!as_expected(w, &e, CALL(w, NtFreeVirtualMemory, U(a->process), U(&r.base), U(&r.size), MEM_RELEASE | 2)))
		return;
	view_cut(w, a, v, r.start, r.count);
	view_add(a, KIND_PLACEHOLDER, r.start, r.count, PAGE_NOACCESS);
}

static void placeholder_coalesce(struct worker *w, struct arena *a)
{
	struct view *v = view_any(w, a, KIND_PLACEHOLDER), *last = NULL;
	struct expected e = { .count = 0 };
	struct range r;
	if (!v)
		return;
	r = (struct range){ .start = v->start, .count = v->count };
	for (unsigned int more = (unsigned int)below(&w->chance, 4); more && r.start + r.count < ARENA_PAGES; more--) {
		last = page_view(a, r.start + r.count);
		if (!last)
			break;
		r.count += last->count;
	}
	if (one_in(&w->chance, 8) && r.start + r.count < ARENA_PAGES)
		r.count++;
	pages_align(a, &r);
	/* Exactly two placeholders or more, and nothing else. */
	unsigned int at = r.start, views = 0;
	while (at < r.start + r.count) {
		struct view *part = page_view(a, at);
		if (!part || part->kind != KIND_PLACEHOLDER || part->start != at)
			break;
		at += part->count;
		views++;
	}
	if (at != r.start + r.count || views < 2)
		expect(&e, STATUS_CONFLICTING_ADDRESSES);
	about_range(w, "coalesce", &r);
	if (!as_expected(w, &e, CALL(w, NtFreeVirtualMemory, U(a->process), U(&r.base), U(&r.size), MEM_RELEASE | 1)))
		return;
	for (at = r.start; at < r.start + r.count; at++)
		page_view(a, at)->used = false;
	view_add(a, KIND_PLACEHOLDER, r.start, r.count, PAGE_NOACCESS);
}

/* ---- contents that are not needed ---- */

static void reset(struct worker *w, struct arena *a, bool undo)
{
	struct range r = range_pages(w, a, -1);
	struct view *v = view_of_range(a, &r);
	struct expected e = { .count = 0 };
	uint32_t status;
	for (unsigned int p = r.start; p < r.start + r.count; p++)
		if (a->pages[p].offered)
			return;
	if (!v || v->kind == KIND_PLACEHOLDER)
		expect(&e, STATUS_CONFLICTING_ADDRESSES);
	about_range(w, undo ? "undo" : "reset", &r);
	status = CALL(w, NtAllocateVirtualMemory, U(a->process), U(&r.base), 0, U(&r.size), undo ? MEM_RESET_UNDO : MEM_RESET,
		      PAGE_READWRITE);
	if (undo && v && v->kind == KIND_PRIVATE && status == (uint32_t)STATUS_UNSUCCESSFUL) {
		/* Some were discarded: which, their contents will tell. Pages that were never given up are never lost. */
		bool given_up = false;
		for (unsigned int p = r.start; p < r.start + r.count; p++)
			given_up |= a->pages[p].reset || a->pages[p].lost;
		for (unsigned int p = r.start; p < r.start + r.count; p++)
			a->pages[p].lost = false;
		if (!given_up)
			failure(w, "pages are lost that were not reset");
		return;
	}
	if (!as_expected(w, &e, status) || v->kind != KIND_PRIVATE)
		return;
	for (unsigned int p = r.start; p < r.start + r.count; p++) {
		a->pages[p].reset = !undo && a->pages[p].committed;
		a->pages[p].lost = false;
	}
}

static void offer(struct worker *w, struct arena *a)
{
	struct range r = range_pages(w, a, KIND_PRIVATE);
	struct view *v = view_of_range(a, &r);
	struct expected e = { .count = 0 };
	bool fits = v && v->kind == KIND_PRIVATE;
	for (unsigned int p = r.start; p < r.start + r.count; p++)
		fits = fits && a->pages[p].committed && protect_writes(a->pages[p].protect) &&
		       !(a->pages[p].protect & PAGE_GUARD);
	if (!fits)
		expect(&e, STATUS_INVALID_PARAMETER);
	about_range(w, "offer", &r);
	if (as_expected(w, &e, CALL(w, BsOfferVirtualMemory, U(a->process), r.base, r.size, 1 + below(&w->chance, 4))))
		for (unsigned int p = r.start; p < r.start + r.count; p++)
			a->pages[p].offered = true, a->pages[p].locked = false;
}

static void reclaim(struct worker *w, struct arena *a)
{
	struct range r = range_pages(w, a, KIND_PRIVATE);
	struct view *v;
	struct expected e = { .count = 0 };
	bool fits;
	uint32_t status;
	/* Begin where something is on offer. */
	for (unsigned int i = 0; i < ARENA_PAGES && !a->pages[r.start].offered; i++)
		r.start = (r.start + 1) % ARENA_PAGES;
	if (!one_in(&w->chance, 8))
		for (r.count = 1; r.start + r.count < ARENA_PAGES && a->pages[r.start + r.count].offered &&
				  page_view(a, r.start + r.count) == page_view(a, r.start); r.count++)
			;
	if (r.start + r.count > ARENA_PAGES)
		r.count = 1;
	pages_align(a, &r);
	v = view_of_range(a, &r);
	fits = v && v->kind == KIND_PRIVATE;
	for (unsigned int p = r.start; p < r.start + r.count; p++)
		fits = fits && a->pages[p].offered;
	if (!fits)
		expect(&e, STATUS_INVALID_PARAMETER);
	about_range(w, "reclaim", &r);
	status = CALL(w, BsReclaimVirtualMemory, U(a->process), r.base, r.size);
	if (fits && status == (uint32_t)STATUS_UNSUCCESSFUL) {
		/* They can be used again; what they hold is the old contents or zeros. */
		for (unsigned int p = r.start; p < r.start + r.count; p++) {
			a->pages[p].offered = false;
			a->pages[p].reset = true;
		}
		return;
	}
	if (as_expected(w, &e, status))
		for (unsigned int p = r.start; p < r.start + r.count; p++)
			a->pages[p].offered = false;
}

/* ---- locked pages ---- */

static bool can_lock(struct worker *w, struct arena *a, unsigned int p)
{
	return page_committed(w, a, p) && !a->pages[p].offered && protect_base(a->pages[p].protect) != PAGE_NOACCESS &&
	       !(a->pages[p].protect & PAGE_GUARD);
}

static void lock(struct worker *w, struct arena *a)
{
	struct range r = range_pages(w, a, -1);
	struct expected e = { .count = 0 };
	unsigned int bad;
	bool was = false;
	uint32_t status;
	if (r.count > 12)
		r.count = 12;
	pages_align(a, &r);
	for (bad = r.start; bad < r.start + r.count && can_lock(w, a, bad); bad++)
		was |= a->pages[bad].locked;
	if (bad < r.start + r.count) {
		bool guard = page_committed(w, a, bad) && a->pages[bad].protect & PAGE_GUARD;
		expect(&e, guard ? STATUS_GUARD_PAGE_VIOLATION : STATUS_ACCESS_VIOLATION);
	}
	about_range(w, "lock", &r);
	status = CALL(w, NtLockVirtualMemory, U(a->process), U(&r.base), U(&r.size), 1 + below(&w->chance, 2));
	if (status == (uint32_t)STATUS_WORKING_SET_QUOTA)
		return;
	if (status == (uint32_t)STATUS_GUARD_PAGE_VIOLATION && e.count)
		a->pages[bad].protect &= ~(uint32_t)PAGE_GUARD;
	if (!as_expected(w, &e, status))
		return;
	if ((status == (uint32_t)STATUS_WAS_LOCKED) != was)
		failure(w, "gave 0x%08x; %s of the pages were locked", status, was ? "some" : "none");
	for (unsigned int p = r.start; p < r.start + r.count; p++)
		a->pages[p].locked = true;
}

static void unlock(struct worker *w, struct arena *a)
{
	struct range r = range_pages(w, a, -1);
	struct expected e = { .count = 0 };
	for (unsigned int i = 0; i < ARENA_PAGES && !a->pages[r.start].locked && !one_in(&w->chance, 64); i++)
		r.start = (r.start + 1) % ARENA_PAGES;
	if (!one_in(&w->chance, 8))
		for (r.count = 1; r.start + r.count < ARENA_PAGES && a->pages[r.start + r.count].locked; r.count++)
			;
	if (r.start + r.count > ARENA_PAGES)
		r.count = ARENA_PAGES - r.start;
	pages_align(a, &r);
	for (unsigned int p = r.start; p < r.start + r.count; p++)
		if (!a->pages[p].locked && !e.count)
			expect(&e, STATUS_NOT_LOCKED);
	about_range(w, "unlock", &r);
	if (as_expected(w, &e, CALL(w, NtUnlockVirtualMemory, U(a->process), U(&r.base), U(&r.size), 1 + below(&w->chance, 2))))
		for (unsigned int p = r.start; p < r.start + r.count; p++)
			a->pages[p].locked = false;
}

/* ---- write watch ---- */

static struct view *view_watched(struct worker *w, struct arena *a)
{
	unsigned int from = (unsigned int)below(&w->chance, VIEWS_MAX);
	for (unsigned int i = 0; i < VIEWS_MAX; i++) {
		struct view *v = &a->views[(from + i) % VIEWS_MAX];
		if (v->used && v->watch)
			return v;
	}
	return NULL;
}

static void write_watch(struct worker *w, struct arena *a)
{
	struct view *v = one_in(&w->chance, 8) ? view_any(w, a, -1) : view_watched(w, a);
	uint64_t pages[ARENA_PAGES], count, room, found = 0;
	struct expected e = { .count = 0 };
	uint32_t flags = one_in(&w->chance, 3), granularity = 0;
	struct range r;
	if (!v)
		return;
	r = range_in_view(w, a, v);
	room = count = 1 + below(&w->chance, one_in(&w->chance, 4) ? 4 : ARENA_PAGES);
	if (!v->watch)
		expect(&e, STATUS_INVALID_PARAMETER_1);
	about_range(w, "write watch", &r);
	if (!as_expected(w, &e, CALL(w, NtGetWriteWatch, U(a->process), flags, r.base, r.size, U(pages), U(&count), U(&granularity))))
		return;
	for (unsigned int p = r.start; p < r.start + r.count && found < room; p++) {
		if (!a->pages[p].written)
			continue;
		if (found >= count || pages[found] != page_address(a, p)) {
			failure(w, "page %u was written, and entry %llu of %llu is 0x%llx", p, (unsigned long long)found,
				(unsigned long long)count, (unsigned long long)(found < count ? pages[found] : 0));
			return;
		}
		found++;
		if (flags & WRITE_WATCH_FLAG_RESET)
			a->pages[p].written = false;
	}
	if (count != found || granularity != PAGE_SIZE)
		failure(w, "%llu pages were written, expected %llu; the next is 0x%llx; granularity %u", (unsigned long long)count,
			(unsigned long long)found, (unsigned long long)(found < count ? pages[found] : 0), granularity);
}

static void write_watch_reset(struct worker *w, struct arena *a)
{
	struct view *v = one_in(&w->chance, 8) ? view_any(w, a, -1) : view_watched(w, a);
	struct expected e = { .count = 0 };
	struct range r;
	if (!v)
		return;
	r = range_in_view(w, a, v);
	if (!v->watch)
		expect(&e, STATUS_INVALID_PARAMETER_1);
	about_range(w, "write watch", &r);
	if (as_expected(w, &e, CALL(w, NtResetWriteWatch, U(a->process), r.base, r.size)))
		for (unsigned int p = r.start; p < r.start + r.count; p++)
			a->pages[p].written = false;
}

static void prefetch(struct worker *w, struct arena *a)
{
	struct range first = range_any(w, a), second = range_any(w, a);
	uint64_t ranges[4] = { first.base, first.size, second.base, second.size };
	uint32_t none = 0;
	struct expected e = { .count = 0 };
	if (one_in(&w->chance, 8)) {
		ranges[3] = one_in(&w->chance, 2) ? 0 : 1ull << 60;
		expect(&e, STATUS_INVALID_PARAMETER_4);
	}
	about_range(w, "prefetch", &first);
	as_expected(w, &e, CALL(w, NtSetInformationVirtualMemory, U(a->process), 0, 2, U(ranges), U(&none), sizeof(none)));
}

void extra_operation(struct worker *w, struct arena *a)
{
	switch (below(&w->chance, 20)) {
	case 0 ... 1:
		placeholder_reserve(w, a);
		break;
	case 2 ... 3:
		placeholder_replace(w, a);
		break;
	case 4 ... 5:
		placeholder_preserve(w, a);
		break;
	case 6:
		placeholder_coalesce(w, a);
		break;
	case 7:
		reset(w, a, false);
		break;
	case 8:
		reset(w, a, true);
		break;
	case 9 ... 10:
		offer(w, a);
		break;
	case 11 ... 12:
		reclaim(w, a);
		break;
	case 13 ... 14:
		lock(w, a);
		break;
	case 15:
		unlock(w, a);
		break;
	case 16 ... 17:
		write_watch(w, a);
		break;
	case 18:
		write_watch_reset(w, a);
		break;
	default:
		prefetch(w, a);
	}
}
