/* Anonymous sections and their views, several of each, in both processes. */
#include "random.h"

static void create(struct worker *w)
{
	static const uint32_t protects[] = {
		PAGE_READWRITE, PAGE_READWRITE, PAGE_READWRITE, PAGE_READONLY, PAGE_EXECUTE_READWRITE, PAGE_EXECUTE_READ,
	};
	static const uint32_t bad_protects[] = { 0, 3, PAGE_NOACCESS, PAGE_READWRITE | PAGE_GUARD, 0x80 | 0x40 };
	static const uint32_t bad_kinds[] = { 0, SEC_COMMIT | SEC_RESERVE, SEC_COMMIT | 0x1, SEC_IMAGE | SEC_COMMIT };
	uint32_t protect = PICK(&w->chance, protects), kind = one_in(&w->chance, 3) ? SEC_RESERVE : SEC_COMMIT, status;
	unsigned int number = (unsigned int)below(&w->chance, SECTIONS_MAX);
	uint64_t size = 1 + below(&w->chance, SECTION_PAGES * PAGE_SIZE), handle = 0;
	struct section_model *s = &w->sections[number];
	struct expected e = { .count = 0 };
	if (s->pages)
		return;
	if (one_in(&w->chance, 12)) {
		protect = PICK(&w->chance, bad_protects);
		expect(&e, STATUS_INVALID_PAGE_PROTECTION);
	}
	if (one_in(&w->chance, 12)) {
		kind = PICK(&w->chance, bad_kinds);
		expect(&e, STATUS_INVALID_PARAMETER_6);
		if (kind & SEC_IMAGE)
			expect(&e, STATUS_INVALID_FILE_FOR_SECTION);
	}
	if (one_in(&w->chance, 12)) {
		size = one_in(&w->chance, 2) ? 0 : 1ull << 60;
		expect(&e, size ? STATUS_SECTION_TOO_BIG : STATUS_INVALID_PARAMETER_4);
	}
	about(w, "size 0x%llx", (unsigned long long)size);
	status = CALL(w, NtCreateSection, U(&handle), SECTION_ALL_ACCESS, 0, U(&size), protect, kind, 0);
	if (!as_expected(w, &e, status))
		return;
	s->handle = (HANDLE)handle;
	s->pages = (unsigned int)((size + PAGE_SIZE - 1) / PAGE_SIZE);
	s->protect = protect;
	s->reserve = kind == SEC_RESERVE;
	for (unsigned int i = 0; i < s->pages; i++)
		s->page[i].committed = !s->reserve;
}

static struct section_model *section_any(struct worker *w, unsigned int *number)
{
	*number = (unsigned int)below(&w->chance, SECTIONS_MAX);
	for (unsigned int i = 0; i < SECTIONS_MAX; i++, *number = (*number + 1) % SECTIONS_MAX)
		if (w->sections[*number].handle)
			return &w->sections[*number];
	return NULL;
}

/* Views keep the section when its last handle goes. */
static void close(struct worker *w)
{
	struct expected e = { .count = 0 };
	unsigned int number;
	struct section_model *s = section_any(w, &number);
	if (!s)
		return;
	about(w, "section %u", number);
	if (as_expected(w, &e, CALL(w, NtClose, U(s->handle)))) {
		s->handle = NULL;
		section_unused(s);
	}
}

/* Protections of views, by the section's. */
static void expect_view_protect(struct expected *e, uint32_t section, uint32_t view)
{
	if (!protect_valid(view) || view & PAGE_GUARD) {
		expect(e, STATUS_INVALID_PAGE_PROTECTION);
		return;
	}
	if ((protect_writes(view) && !protect_copies(view) && (!protect_writes(section) || protect_copies(section))) ||
	    (protect_executes(view) && !protect_executes(section)))
		expect(e, STATUS_SECTION_PROTECTION);
}

static void map(struct worker *w, struct arena *a)
{
	static const uint32_t protects[] = {
		PAGE_READWRITE, PAGE_READWRITE, PAGE_WRITECOPY, PAGE_WRITECOPY, PAGE_READONLY, PAGE_NOACCESS,
		PAGE_EXECUTE_READWRITE, PAGE_EXECUTE_WRITECOPY, PAGE_EXECUTE_READ,
	};
	uint32_t protect = one_in(&w->chance, 10) ? protect_any(w) : PICK(&w->chance, protects), status;
	unsigned int number, pages, start = (unsigned int)below(&w->chance, ARENA_PAGES / GRANULE_PAGES) * GRANULE_PAGES;
	struct section_model *s = section_any(w, &number);
	struct expected e = { .count = 0 };
	uint64_t base = page_address(a, start), offset = 0, size = 0, given, at;
	uint32_t inherit = 1 + (uint32_t)below(&w->chance, 2);
	if (!s || !view_room(a, 1))
		return;
	if (one_in(&w->chance, 3))
		offset = below(&w->chance, SECTION_PAGES / GRANULE_PAGES) * GRANULE;
	if (one_in(&w->chance, 3))
		size = 1 + below(&w->chance, s->pages * PAGE_SIZE);
	if (one_in(&w->chance, 16)) {
		if (one_in(&w->chance, 2))
			offset += PAGE_SIZE;
		else
			base += PAGE_SIZE;
		expect(&e, STATUS_MAPPED_ALIGNMENT);
	}
	if (one_in(&w->chance, 16)) {
		inherit = 3;
		expect(&e, STATUS_INVALID_PARAMETER_8);
	}
	if (offset >= s->pages * PAGE_SIZE || size > s->pages * PAGE_SIZE - offset) {
		expect(&e, STATUS_INVALID_VIEW_SIZE);
		pages = 1;
	} else {
		pages = size ? (unsigned int)((size + PAGE_SIZE - 1) / PAGE_SIZE) : s->pages - (unsigned int)(offset / PAGE_SIZE);
	}
	if (start + pages > ARENA_PAGES)
		return;
	if (!range_free(a, start, pages))
		expect(&e, STATUS_CONFLICTING_ADDRESSES);
	expect_view_protect(&e, s->protect, protect);
	given = size;
	at = base;
	about(w, "section %u, base 0x%llx, offset 0x%llx, size 0x%llx", number, (unsigned long long)base,
	      (unsigned long long)offset, (unsigned long long)size);
	status = CALL(w, NtMapViewOfSection, U(s->handle), U(a->process), U(&base), 0, 0, U(&offset), U(&size), inherit, 0,
		      protect);
	if (as_expected(w, &e, status)) {
		struct view *v = view_add(a, KIND_SECTION, start, pages, protect);
		v->section = number;
		v->first = (unsigned int)(offset / PAGE_SIZE);
		v->inherited = inherit == 1;
		s->views++;
		given = pages * PAGE_SIZE;
	}
	if (!w->failed && (base != at || size != given))
		failure(w, "gave base 0x%llx, size 0x%llx; expected 0x%llx, 0x%llx", (unsigned long long)base,
			(unsigned long long)size, (unsigned long long)at, (unsigned long long)given);
}

static void unmap(struct worker *w, struct arena *a)
{
	struct view *v = view_any(w, a, one_in(&w->chance, 8) ? -1 : KIND_SECTION);
	unsigned int page = v ? v->start + (unsigned int)below(&w->chance, v->count) : (unsigned int)below(&w->chance, ARENA_PAGES);
	struct expected e = { .count = 0 };
	v = page_view(a, page);
	if (!v || v->kind != KIND_SECTION)
		expect(&e, STATUS_NOT_MAPPED_VIEW);
	about(w, "page %u", page);
	if (as_expected(w, &e, CALL(w, NtUnmapViewOfSection, U(a->process), page_address(a, page) + below(&w->chance, PAGE_SIZE))))
		view_cut(w, a, v, v->start, v->count);
}

/* Mapped where the system likes, looked at, unmapped. */
static void map_anywhere(struct worker *w, struct arena *a)
{
	struct expected e = { .count = 0 };
	uint64_t base = 0, size = 0, word = 0, done = 0;
	unsigned int number;
	struct section_model *s = section_any(w, &number);
	uint32_t status;
	if (!s)
		return;
	about(w, "section %u, anywhere", number);
	status = CALL(w, NtMapViewOfSection, U(s->handle), U(a->process), U(&base), 0, 0, 0, U(&size), 2, 0, PAGE_READONLY);
	if (!as_expected(w, &e, status))
		return;
	if (!base || base % GRANULE || size != s->pages * PAGE_SIZE)
		failure(w, "gave base 0x%llx, size 0x%llx", (unsigned long long)base, (unsigned long long)size);
	unsigned int page = (unsigned int)below(&w->chance, s->pages);
	if (!s->page[page].committed)
		expect(&e, STATUS_PARTIAL_COPY);
	status = CALL(w, NtReadVirtualMemory, U(a->process), base + page * PAGE_SIZE, U(&word), 8, U(&done));
	if (as_expected(w, &e, status) && (!word) != (!s->page[page].stamp))
		failure(w, "page %u of section %u begins with 0x%llx, stamp %llu", page, number, (unsigned long long)word,
			(unsigned long long)s->page[page].stamp);
	e.count = 0;
	as_expected(w, &e, CALL(w, NtUnmapViewOfSection, U(a->process), base + size - 1));
}

static void query_section(struct worker *w)
{
	struct { uint64_t base; uint32_t attributes, padding; uint64_t size; } info = { .size = 0 };
	struct expected e = { .count = 0 };
	unsigned int number;
	struct section_model *s = section_any(w, &number);
	uint64_t returned = 0, attributes;
	if (!s)
		return;
	about(w, "section %u", number);
	attributes = s->reserve ? SEC_RESERVE : SEC_COMMIT;
	if (as_expected(w, &e, CALL(w, NtQuerySection, U(s->handle), 0, U(&info), sizeof(info), U(&returned))) &&
	    ((info.attributes & attributes) != attributes || info.size != s->pages * PAGE_SIZE || returned != sizeof(info)))
		failure(w, "attributes 0x%x, size 0x%llx, returned %llu; expected 0x%llx, 0x%llx", info.attributes,
			(unsigned long long)info.size, (unsigned long long)returned, (unsigned long long)attributes,
			(unsigned long long)(s->pages * PAGE_SIZE));
}

void section_operation(struct worker *w, struct arena *a)
{
	switch (below(&w->chance, 16)) {
	case 0 ... 3:
		create(w);
		break;
	case 4:
		close(w);
		break;
	case 5 ... 9:
		map(w, a);
		break;
	case 10 ... 12:
		unmap(w, a);
		break;
	case 13 ... 14:
		map_anywhere(w, a);
		break;
	default:
		query_section(w);
	}
}
