/* Private memory: allocate, commit, decommit, release, protect. Source: Windows documentation of NtAllocateVirtualMemory and its kin. */
#include "random.h"

/* ---- what the calls should give ---- */

/* The one view that holds the whole range; NULL: there is none. */
static struct view *view_of_range(struct arena *a, const struct range *r)
{
	struct view *v = page_view(a, r->start);
	return v && r->start + r->count <= v->start + v->count ? v : NULL;
}

static bool any_offered(struct arena *a, const struct range *r)
{
	for (unsigned int p = r->start; p < r->start + r->count; p++)
		if (a->pages[p].offered)
			return true;
	return false;
}

#define CACHING (PAGE_NOCACHE | PAGE_WRITECOMBINE)

/* Reading, executing, writing, and writing what can be executed; a write that copies is no write. */
static unsigned int protect_grants(uint32_t protect)
{
	if (protect_base(protect) == PAGE_NOACCESS)
		return 0;
	return 1 | (protect_executes(protect) ? 2 : 0) | (protect_writes(protect) && !protect_copies(protect) ? 4 : 0) |
	       (protect_writes(protect) && protect_executes(protect) ? 8 : 0);
}

/* May pages of a section's view be given this protection? */
static void expect_section_protect(struct expected *e, const struct view *v, uint32_t protect)
{
	unsigned int has = protect_grants(v->protect), wants = protect_grants(protect);
	if (has != wants && (!has || wants & ~has))
		expect(e, STATUS_SECTION_PROTECTION);
}

/* How the kernel keeps it: caching is the allocation's; a write to a write-copy view's page makes it private. */
static uint32_t protect_of_page(const struct view *v, const struct page *p, uint32_t protect)
{
	uint32_t base = protect_base(protect), more = protect & ~0xffu;
	if (v->kind != KIND_SECTION && base == PAGE_NOACCESS)
		return protect;
	if (v->kind != KIND_SECTION)
		return (protect & ~(uint32_t)CACHING) | (v->protect & CACHING);
	if (p->own)
		base = base == PAGE_WRITECOPY ? PAGE_READWRITE :
		       base == PAGE_EXECUTE_WRITECOPY ? PAGE_EXECUTE_READWRITE : base;
	else if (protect_copies(v->protect))
		base = base == PAGE_READWRITE ? PAGE_WRITECOPY :
		       base == PAGE_EXECUTE_READWRITE ? PAGE_EXECUTE_WRITECOPY : base;
	return base | more;
}

/* True if locked pages are not locked any more: they can't be reached now. */
static bool protect_apply(struct arena *a, const struct range *r, uint32_t protect)
{
	struct view *v = page_view(a, r->start);
	bool unlocked = false;
	for (unsigned int p = r->start; p < r->start + r->count; p++) {
		a->pages[p].protect = protect_of_page(v, &a->pages[p], protect);
		if (protect_base(protect) == PAGE_NOACCESS || protect & PAGE_GUARD) {
			unlocked |= a->pages[p].locked;
			a->pages[p].locked = false;
		}
	}
	return unlocked;
}

/* ---- calls ---- */

/* Compares what a call made of base and size with what it should have. */
static void expect_range(struct worker *w, bool done, const struct range *r, uint64_t base, uint64_t size, uint64_t done_base,
			 uint64_t done_size)
{
	if (!done) {
		done_base = r->base;
		done_size = r->size;
	}
	if (!w->failed && (base != done_base || size != done_size))
		failure(w, "gave base 0x%llx, size 0x%llx; expected 0x%llx, 0x%llx", (unsigned long long)base,
			(unsigned long long)size, (unsigned long long)done_base, (unsigned long long)done_size);
}

static void reserve(struct worker *w, struct arena *a)
{
	struct range r = range_granule(w, a);
	uint32_t type = MEM_RESERVE, protect = protect_any(w), status;
	struct expected e = { .count = 0 };
	uint64_t base, size;
	if (one_in(&w->chance, 2))
		type |= MEM_COMMIT;
	if (one_in(&w->chance, 6))
		type |= MEM_TOP_DOWN;
	if (one_in(&w->chance, 6))
		type |= MEM_WRITE_WATCH;
	if (one_in(&w->chance, 5)) {
		/* An address within 64 KiB is rounded down to a multiple; then more is allocated. */
		unsigned int skip = 1 + (unsigned int)below(&w->chance, GRANULE_PAGES - 1);
		if (r.start + r.count + skip > ARENA_PAGES)
			return;
		r.base += skip * PAGE_SIZE;
		r.count += skip;
	}
	if (!view_room(a, 1))
		return;
	if (!range_free(a, r.start, r.count))
		expect(&e, STATUS_CONFLICTING_ADDRESSES);
	if (!protect_valid(protect) || protect_copies(protect))
		expect(&e, STATUS_INVALID_PAGE_PROTECTION);
	base = r.base;
	size = r.size;
	about(w, "base 0x%llx, size 0x%llx", (unsigned long long)base, (unsigned long long)size);
	status = CALL(w, NtAllocateVirtualMemory, U(a->process), U(&base), 0, U(&size), type, protect);
	if (as_expected(w, &e, status)) {
		struct view *v = view_add(a, KIND_PRIVATE, r.start, r.count, protect);
		v->watch = type & MEM_WRITE_WATCH;
		for (unsigned int p = r.start; p < r.start + r.count; p++)
			a->pages[p].committed = type & MEM_COMMIT;
	}
	expect_range(w, succeeded(status), &r, base, size, page_address(a, r.start), r.count * PAGE_SIZE);
}

static void commit(struct worker *w, struct arena *a)
{
	struct view *v = view_any(w, a, -1);
	struct range r = v && !one_in(&w->chance, 5) ? range_in_view(w, a, v) : range_any(w, a);
	uint32_t protect = protect_any(w), status;
	struct expected e = { .count = 0 };
	uint64_t base = r.base, size = r.size;
	if (any_offered(a, &r))
		return;
	v = view_of_range(a, &r);
	if (!v || v->kind == KIND_PLACEHOLDER) {
		expect(&e, STATUS_CONFLICTING_ADDRESSES);
	} else if (v->kind == KIND_SECTION) {
		if (!w->sections[v->section].reserve)
			expect(&e, STATUS_ALREADY_COMMITTED);
		expect_section_protect(&e, v, protect);
	}
	if (!protect_valid(protect) || protect_copies(protect))
		expect(&e, STATUS_INVALID_PAGE_PROTECTION);
	about(w, "base 0x%llx, size 0x%llx", (unsigned long long)base, (unsigned long long)size);
	status = CALL(w, NtAllocateVirtualMemory, U(a->process), U(&base), 0, U(&size), MEM_COMMIT, protect);
	if (as_expected(w, &e, status)) {
		for (unsigned int p = r.start; p < r.start + r.count; p++) {
			if (v->kind == KIND_PRIVATE)
				a->pages[p].committed = true;
			else if (!a->pages[p].own)
				w->sections[v->section].page[v->first + p - v->start].committed = true;
		}
		protect_apply(a, &r, protect);
	}
	expect_range(w, succeeded(status), &r, base, size, page_address(a, r.start), r.count * PAGE_SIZE);
}

/* What is refused of a range that is to be freed in either way. Size 0: *r becomes all of the view. Returns the view, or NULL. */
static struct view *expect_free(struct expected *e, struct arena *a, struct range *r)
{
	uint64_t page = (r->base - a->base) / PAGE_SIZE, given = r->base + r->size;
	struct view *v = page < ARENA_PAGES ? page_view(a, (unsigned int)page) : NULL;
	if (!v) {
		expect(e, STATUS_MEMORY_NOT_ALLOCATED);
		return NULL;
	}
	if (v->kind == KIND_SECTION)
		expect(e, STATUS_UNABLE_TO_DELETE_SECTION);
	if (r->size && given > page_address(a, v->start + v->count))
		expect(e, STATUS_UNABLE_TO_FREE_VM);
	if (!r->size && page != v->start)
		expect(e, STATUS_FREE_VM_NOT_AT_BASE);
	if (!r->size)
		*r = (struct range){ v->start, v->count, r->base, 0 };
	return v;
}

static void decommit(struct worker *w, struct arena *a)
{
	struct view *v = view_any(w, a, one_in(&w->chance, 4) ? -1 : KIND_PRIVATE);
	struct range r = v && !one_in(&w->chance, 6) ? range_in_view(w, a, v) : range_any(w, a);
	struct expected e = { .count = 0 };
	uint64_t base, size;
	uint32_t status;
	if (v && one_in(&w->chance, 8)) {
		/* Size 0: all of the allocation, from its beginning. */
		r = (struct range){ v->start, v->count, page_address(a, v->start), 0 };
		if (one_in(&w->chance, 4))
			r.base += PAGE_SIZE;
	}
	base = r.base;
	size = r.size;
	v = expect_free(&e, a, &r);
	if (v && v->kind == KIND_PLACEHOLDER)
		expect(&e, STATUS_CONFLICTING_ADDRESSES);
	about(w, "base 0x%llx, size 0x%llx", (unsigned long long)base, (unsigned long long)size);
	status = CALL(w, NtFreeVirtualMemory, U(a->process), U(&base), U(&size), MEM_DECOMMIT);
	if (as_expected(w, &e, status))
		for (unsigned int p = r.start; p < r.start + r.count; p++) {
			page_clear(&a->pages[p]);
			a->pages[p].protect = v->protect;
		}
	expect_range(w, succeeded(status), &r, base, size, page_address(a, r.start), r.count * PAGE_SIZE);
}

/* Whole allocations or parts of them: what is left becomes one allocation or two. */
static void release(struct worker *w, struct arena *a)
{
	struct view *v = view_any(w, a, one_in(&w->chance, 4) ? -1 : KIND_PRIVATE);
	struct range r = range_any(w, a);
	struct expected e = { .count = 0 };
	uint64_t base, size;
	uint32_t status;
	if (v && one_in(&w->chance, 2)) {
		r = (struct range){ v->start, v->count, page_address(a, v->start), 0 };
		if (one_in(&w->chance, 8))
			r.base += PAGE_SIZE;
	} else if (v) {
		r = range_in_view(w, a, v);
	}
	base = r.base;
	size = r.size;
	v = expect_free(&e, a, &r);
	if (v && v->watch && size && (r.start != v->start || r.count != v->count))
		expect(&e, STATUS_FREE_VM_NOT_AT_BASE);
	if (v && r.start > v->start && r.start + r.count < v->start + v->count && !view_room(a, 1))
		return;
	about(w, "base 0x%llx, size 0x%llx", (unsigned long long)base, (unsigned long long)size);
	status = CALL(w, NtFreeVirtualMemory, U(a->process), U(&base), U(&size), MEM_RELEASE);
	if (as_expected(w, &e, status))
		view_cut(w, a, v, r.start, r.count);
	expect_range(w, succeeded(status), &r, base, size, page_address(a, r.start), r.count * PAGE_SIZE);
}

static void protect(struct worker *w, struct arena *a)
{
	struct view *v = view_any(w, a, -1);
	struct range r = v && !one_in(&w->chance, 6) ? range_in_view(w, a, v) : range_any(w, a);
	uint32_t to = protect_any(w), status, old = 0xdeadbeef, old_expected;
	struct expected e = { .count = 0 };
	uint64_t base = r.base, size = r.size;
	bool gap = false;
	if (any_offered(a, &r))
		return;
	v = view_of_range(a, &r);
	for (unsigned int p = r.start; p < r.start + r.count; p++)
		gap |= !page_committed(w, a, p);
	if (!v || v->kind == KIND_PLACEHOLDER)
		expect(&e, STATUS_CONFLICTING_ADDRESSES);
	if (gap)
		expect(&e, STATUS_NOT_COMMITTED);
	if (!protect_valid(to) || (protect_copies(to) && v && v->kind == KIND_PRIVATE))
		expect(&e, STATUS_INVALID_PAGE_PROTECTION);
	if (v && v->kind == KIND_SECTION)
		expect_section_protect(&e, v, to);
	old_expected = a->pages[r.start].protect;
	about(w, "base 0x%llx, size 0x%llx", (unsigned long long)base, (unsigned long long)size);
	status = CALL(w, NtProtectVirtualMemory, U(a->process), U(&base), U(&size), to, U(&old));
	if (as_expected(w, &e, status) && protect_apply(a, &r, to) != (status == (uint32_t)STATUS_WAS_UNLOCKED))
		failure(w, "gave 0x%08x, but STATUS_WAS_UNLOCKED is for pages that were locked and can't be now", status);
	if (succeeded(status) && !w->failed && old != old_expected)
		failure(w, "old protection 0x%x, expected 0x%x", old, old_expected);
	expect_range(w, succeeded(status), &r, base, size, page_address(a, r.start), r.count * PAGE_SIZE);
}

/* No address given: the system chooses one, outside of every arena. */
static void anywhere(struct worker *w, struct arena *a)
{
	static const uint64_t bits[] = { 0, 0, 0, 1, 5, 12, 0x7fffffff, 0xfffffffffull, 0x7fffffffffffull };
	uint64_t base = 0, size = 1 + below(&w->chance, 40 * PAGE_SIZE), wanted = size, zero_bits = PICK(&w->chance, bits);
	uint64_t limit = !zero_bits ? 1ull << 47 : zero_bits < 32 ? 1ull << (32 - zero_bits) : zero_bits + 1;
	uint32_t type = (one_in(&w->chance, 2) ? MEM_RESERVE : 0) | MEM_COMMIT | (one_in(&w->chance, 4) ? MEM_TOP_DOWN : 0);
	struct expected e = { .count = 0 };
	MEMORY_BASIC_INFORMATION info;
	uint32_t status;
	about(w, "base 0, size 0x%llx", (unsigned long long)size);
	status = CALL(w, NtAllocateVirtualMemory, U(a->process), U(&base), zero_bits, U(&size), type, PAGE_READWRITE);
	if (!as_expected(w, &e, status))
		return;
	wanted = (wanted + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
	if (!base || base % GRANULE || size != wanted || base + size > limit) {
		failure(w, "gave base 0x%llx, size 0x%llx; below 0x%llx and size 0x%llx was expected", (unsigned long long)base,
			(unsigned long long)size, (unsigned long long)limit, (unsigned long long)wanted);
		return;
	}
	status = CALL(w, NtQueryVirtualMemory, U(a->process), base, 0, U(&info), sizeof(info), 0);
	if (status || U(info.AllocationBase) != base || info.RegionSize != wanted || info.State != MEM_COMMIT)
		failure(w, "allocated 0x%llx: status 0x%08x, allocation base %p, size 0x%llx, state 0x%lx",
			(unsigned long long)base, status, info.AllocationBase, (unsigned long long)info.RegionSize, info.State);
	size = 0;
	status = CALL(w, NtFreeVirtualMemory, U(a->process), U(&base), U(&size), MEM_RELEASE);
	if (as_expected(w, &e, status) && size != wanted)
		failure(w, "released 0x%llx, expected 0x%llx", (unsigned long long)size, (unsigned long long)wanted);
}

void private_operation(struct worker *w, struct arena *a)
{
	static void (*const operations[])(struct worker *, struct arena *) = {
		reserve, reserve, reserve, commit, commit, commit, decommit, release, protect, protect, anywhere,
	};
	PICK(&w->chance, operations)(w, a);
}
