/*
 * Views in place of placeholders, physical pages in a window, and a copy of the process. Source: Windows documentation of
 * MapViewOfFile3, UnmapViewOfFile2, AllocateUserPhysicalPages; abi/backstore.h for BsCloneProcess.
 */
#include "random.h"

/* ---- views in place of placeholders ---- */

static void map_replacing(struct worker *w, struct arena *a)
{
	static const uint32_t protects[] = { PAGE_READWRITE, PAGE_READONLY, PAGE_WRITECOPY };
	unsigned int number = (unsigned int)below(&w->chance, SECTIONS_MAX), start, count;
	struct view *p = view_any(w, a, KIND_PLACEHOLDER);
	struct section_model *s = &w->sections[number];
	uint32_t protect = PICK(&w->chance, protects);
	struct expected e = { .count = 0 };
	uint64_t base, size, offset;
	if (!p || !s->handle)
		return;
	start = p->start;
	count = p->count;
	if (one_in(&w->chance, 6) && count > 1)
		count--;
	offset = below(&w->chance, 3) * PAGE_SIZE;
	base = page_address(a, start);
	size = count * PAGE_SIZE;
	if (count != p->count)
		expect(&e, STATUS_CONFLICTING_ADDRESSES);
	if (offset / PAGE_SIZE >= s->pages || size > s->pages * PAGE_SIZE - offset)
		expect(&e, STATUS_INVALID_VIEW_SIZE);
	if (protect == PAGE_READWRITE && !protect_writes(s->protect))
		expect(&e, STATUS_SECTION_PROTECTION);
	about(w, "section %u in place of a placeholder: base 0x%llx, offset 0x%llx, size 0x%llx", number, (unsigned long long)base,
	      (unsigned long long)offset, (unsigned long long)size);
	if (!as_expected(w, &e, CALL(w, NtMapViewOfSectionEx, U(s->handle), U(a->process), U(&base), U(&offset), U(&size), 0x4000,
				     protect, 0, 0)))
		return;
	p->used = false;
	p = view_add(a, KIND_SECTION, start, count, protect);
	p->section = number;
	p->first = (unsigned int)(offset / PAGE_SIZE);
	p->replaced = p->inherited = true;
	s->views++;
}

static void unmap_preserving(struct worker *w, struct arena *a)
{
	struct view *v = view_any(w, a, one_in(&w->chance, 8) ? -1 : KIND_SECTION);
	uint32_t flags = one_in(&w->chance, 4) ? 0 : 2;
	struct expected e = { .count = 0 };
	unsigned int start, count;
	bool replaced;
	if (!v)
		return;
	start = v->start;
	count = v->count;
	replaced = v->replaced;
	if (v->kind != KIND_SECTION)
		expect(&e, STATUS_NOT_MAPPED_VIEW);
	else if (flags && !replaced)
		expect(&e, STATUS_CONFLICTING_ADDRESSES);
	about(w, "page %u, flags %u", start, flags);
	if (!as_expected(w, &e, CALL(w, NtUnmapViewOfSectionEx, U(a->process), page_address(a, start), flags)))
		return;
	view_cut(w, a, v, start, count);
	if (flags)
		view_add(a, KIND_PLACEHOLDER, start, count, PAGE_NOACCESS);
}

/* ---- physical pages: given, shown in a window in one order and in another, taken back ---- */

#define WINDOW_PAGES 6

static bool window_map(struct worker *w, uint64_t window, const uint64_t *pages, uint64_t count)
{
	struct expected e = { .count = 0 };
	about(w, "%llu physical pages at 0x%llx", (unsigned long long)count, (unsigned long long)window);
	return as_expected(w, &e, CALL(w, NtMapUserPhysicalPages, window, count, U(pages)));
}

static void physical(struct worker *w)
{
	uint64_t window = 0, size = WINDOW_PAGES * PAGE_SIZE, count = WINDOW_PAGES, pages[WINDOW_PAGES], turned[WINDOW_PAGES], value;
	struct expected none = { .count = 0 };
	about(w, "a window");
	if (!as_expected(w, &none, CALL(w, NtAllocateVirtualMemory, OWN_PROCESS, U(&window), 0, U(&size), MEM_RESERVE | MEM_PHYSICAL,
					PAGE_READWRITE)))
		return;
	if (as_expected(w, &none, CALL(w, NtAllocateUserPhysicalPages, OWN_PROCESS, U(&count), U(pages)))) {
		if (window_map(w, window, pages, count)) {
			for (uint64_t i = 0; i < count; i++) {
				if (touch_load((void *)(window + i * PAGE_SIZE), &value) || value)
					failure(w, "physical page %llu does not begin as zeros", (unsigned long long)i);
				touch_store((void *)(window + i * PAGE_SIZE), pages[i] * 3 + 1);
				turned[count - 1 - i] = pages[i];
			}
			/* A page is in one place at most: so none, and then the other way round. */
			if (window_map(w, window, NULL, count) && touch_load((void *)window, &value) != (uint32_t)STATUS_ACCESS_VIOLATION)
				failure(w, "a window without pages can be read");
			if (!w->failed && window_map(w, window, turned, count))
				for (uint64_t i = 0; i < count; i++)
					if (touch_load((void *)(window + i * PAGE_SIZE), &value) || value != turned[i] * 3 + 1)
						failure(w, "physical page %llu holds 0x%llx", (unsigned long long)i,
							(unsigned long long)value);
		}
		value = count;
		about(w, "%llu physical pages go", (unsigned long long)count);
		if (as_expected(w, &none, CALL(w, NtFreeUserPhysicalPages, OWN_PROCESS, U(&count), U(pages))) && count != value)
			failure(w, "%llu pages went, expected %llu", (unsigned long long)count, (unsigned long long)value);
	}
	size = 0;
	as_expected(w, &none, CALL(w, NtFreeVirtualMemory, OWN_PROCESS, U(&window), U(&size), MEM_RELEASE));
}

void more_operation(struct worker *w, struct arena *a)
{
	switch (below(&w->chance, 8)) {
	case 0 ... 3:
		map_replacing(w, a);
		break;
	case 4 ... 6:
		unmap_preserving(w, a);
		break;
	default:
		if (one_in(&w->chance, 4))
			physical(w);
	}
}

/* ---- a copy of the process ---- */

/* The copy: this thread alone, so no locks of the libraries'. Looks at all pages, writes to some; returns how many were wrong. */
static uint64_t copy_lives(struct worker *w, struct arena *a)
{
	uint64_t wrong = 0, value;
	for (unsigned int p = 0; p < ARENA_PAGES; p++) {
		struct view *v = page_view(a, p);
		if (!v || (v->kind == KIND_SECTION && !v->inherited))
			continue;
		wrong += !page_holds(w, a, p);
		if (v->kind == KIND_PRIVATE && page_holds(w, a, p) && page_committed(w, a, p) && !a->pages[p].offered &&
		    protect_writes(a->pages[p].protect) && !(a->pages[p].protect & PAGE_GUARD) && p % 2) {
			wrong += touch_store((void *)(page_address(a, p) + 8), 12345) != 0;
			wrong += touch_load((void *)(page_address(a, p) + 8), &value) || value != 12345;
		}
	}
	return wrong;
}

void clone_operation(struct worker *w, struct arena *a)
{
	uint64_t process = 0, thread = 0, buffer[6] = { 0 };
	struct expected e = { .count = 0 };
	uint32_t ids[2] = { 0 }, status;
	if (a->remote)
		return;
	about(w, "a copy of the process");
	status = CALL(w, BsCloneProcess, 0, U(&process), U(&thread), U(ids));
	if (status == (uint32_t)STATUS_PROCESS_CLONED) {
		uint64_t wrong = copy_lives(w, a);
		CALL(w, NtTerminateProcess, OWN_PROCESS, 1000 + wrong);
	}
	if (!as_expected(w, &e, status))
		return;
	/* Both write meanwhile, each to its own. */
	private_write(w, a);
	if (!w->failed && (CALL(w, NtWaitForSingleObject, process, 0, 0) || CALL(w, NtQueryInformationProcess, process, 0, U(buffer), 48, 0) ||
			   (uint32_t)buffer[0] != 1000))
		failure(w, "the copy ended with %d: 1000 and the number of pages that were wrong was expected", (int)buffer[0]);
	CALL(w, NtClose, process);
	CALL(w, NtClose, thread);
}
