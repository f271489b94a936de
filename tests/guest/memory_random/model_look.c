/* Contents, and what the system says of pages: compared with the model. */
#include "random.h"
#include "pattern.h"

#include <string.h>

/* Words of a page that a stamp writes; the rest of the page stays zeros, or as an earlier stamp had it: the same words. */
#define STAMP_WORDS (512 / PATTERN_STEP)

static uint64_t stamp_word(uint64_t stamp, unsigned int i)
{
	return stamp ? pattern_word(1, stamp, i * PATTERN_STEP) : 0;
}

enum access { ACCESS_FINE, ACCESS_VIOLATION, ACCESS_GUARD };

static enum access page_access(struct worker *w, struct arena *a, unsigned int page, bool write)
{
	struct page *p = &a->pages[page];
	if (!page_committed(w, a, page))
		return ACCESS_VIOLATION;
	if (p->protect & PAGE_GUARD)
		return ACCESS_GUARD;
	if (p->offered || protect_base(p->protect) == PAGE_NOACCESS)
		return ACCESS_VIOLATION;
	return !write || protect_writes(p->protect) ? ACCESS_FINE : ACCESS_VIOLATION;
}

/* A write to a write-copy page makes it the view's own. */
static void write_done(struct worker *w, struct arena *a, unsigned int page, uint64_t stamp)
{
	struct page *p = &a->pages[page];
	struct view *v = page_view(a, page);
	if (v->kind == KIND_SECTION && !p->own && protect_copies(p->protect)) {
		p->own = p->committed = true;
		p->protect = (p->protect & ~0xffu) |
			     (protect_base(p->protect) == PAGE_WRITECOPY ? PAGE_READWRITE : PAGE_EXECUTE_READWRITE);
	}
	p->written = true;
	p->reset = false;
	*page_stamp(w, a, page) = stamp;
}

/* One word, in the way that the arena has. Returns 0, or an exception's code or a status. */
static uint32_t word_move(struct worker *w, struct arena *a, uint64_t address, uint64_t *word, bool write, bool call)
{
	uint64_t done = 0;
	if (!call)
		return write ? touch_store((void *)address, *word) : touch_load((void *)address, word);
	return write ? CALL(w, NtWriteVirtualMemory, U(a->process), address, U(word), 8, U(&done))
		     : CALL(w, NtReadVirtualMemory, U(a->process), address, U(word), 8, U(&done));
}

static bool is_violation(uint32_t status, bool call)
{
	return status == (uint32_t)STATUS_ACCESS_VIOLATION || (call && status == (uint32_t)STATUS_PARTIAL_COPY);
}

/* The first touch of a page, which may fault: true if it can be gone on with. */
static bool first_touch(struct worker *w, struct arena *a, unsigned int page, bool write, bool call, uint64_t *word)
{
	enum access access = page_access(w, a, page, write);
	uint32_t status = word_move(w, a, page_address(a, page), word, write, call);
	bool so = access == ACCESS_FINE ? status == 0 :
		  access == ACCESS_GUARD ? status == (uint32_t)STATUS_GUARD_PAGE_VIOLATION || (call && is_violation(status, call)) :
		  is_violation(status, call);
	if (access == ACCESS_GUARD)
		a->pages[page].protect &= ~(uint32_t)PAGE_GUARD;
	if (!so)
		failure(w, "page %u, %s %s: 0x%08x, expected %s", page, write ? "write" : "read", call ? "by call" : "itself", status,
			access == ACCESS_FINE ? "success" : access == ACCESS_GUARD ? "a guard-page violation" : "a violation");
	return so && access == ACCESS_FINE;
}

static void write_page(struct worker *w, struct arena *a, unsigned int page)
{
	uint64_t stamp = ++w->stamp, word = stamp_word(stamp, 0);
	bool call = a->remote || one_in(&w->chance, 4);
	about(w, "write page %u at 0x%llx", page, (unsigned long long)page_address(a, page));
	if (!first_touch(w, a, page, true, call, &word))
		return;
	for (unsigned int i = 1; i < STAMP_WORDS; i++) {
		word = stamp_word(stamp, i);
		uint32_t status = word_move(w, a, page_address(a, page) + i * PATTERN_STEP * 8, &word, true, call);
		if (status) {
			failure(w, "page %u: the first word can be written, word %u gives 0x%08x", page, i, status);
			return;
		}
	}
	write_done(w, a, page, stamp);
}

/* Reads what a stamp writes; then compares. Contents that may have been discarded are zeros from then on, if they are. */
static void compare(struct worker *w, struct arena *a, unsigned int page, const uint64_t *words)
{
	uint64_t *stamp = page_stamp(w, a, page);
	struct page *p = &a->pages[page];
	bool zeros = true, same = true;
	unsigned int wrong = 0;
	for (unsigned int i = 0; i < STAMP_WORDS; i++) {
		zeros &= !words[i];
		if (words[i] != stamp_word(*stamp, i)) {
			same = false;
			wrong = i;
		}
	}
	if (same)
		return;
	if (zeros && (p->reset || p->offered)) {
		p->lost = *stamp;
		*stamp = 0;
	} else {
		failure(w, "page %u at 0x%llx: word %u is 0x%llx, expected 0x%llx (stamp %llu)%s", page,
			(unsigned long long)page_address(a, page), wrong * PATTERN_STEP, (unsigned long long)words[wrong],
			(unsigned long long)stamp_word(*stamp, wrong), (unsigned long long)*stamp,
			zeros ? "; all are zeros" : "");
	}
}

static void read_page(struct worker *w, struct arena *a, unsigned int page)
{
	bool call = a->remote || one_in(&w->chance, 4);
	uint64_t words[STAMP_WORDS];
	about(w, "read page %u at 0x%llx", page, (unsigned long long)page_address(a, page));
	if (!first_touch(w, a, page, false, call, &words[0]))
		return;
	for (unsigned int i = 1; i < STAMP_WORDS; i++) {
		uint32_t status = word_move(w, a, page_address(a, page) + i * PATTERN_STEP * 8, &words[i], false, call);
		if (status) {
			failure(w, "page %u: the first word can be read, word %u gives 0x%08x", page, i, status);
			return;
		}
	}
	compare(w, a, page, words);
}

bool page_holds(struct worker *w, struct arena *a, unsigned int page)
{
	uint64_t stamp, word;
	if (page_access(w, a, page, false) != ACCESS_FINE)
		return true;
	stamp = *page_stamp(w, a, page);
	for (unsigned int i = 0; i < STAMP_WORDS; i++)
		if (touch_load((void *)(page_address(a, page) + i * PATTERN_STEP * 8), &word) ||
		    (word != stamp_word(stamp, i) && !(word == 0 && a->pages[page].reset)))
			return false;
	return true;
}

/* A copy over several pages, from one arena to a buffer: as much as can be read, and how much that was. */
static void read_range(struct worker *w, struct arena *a)
{
	char *buffer = w->buffer;
	struct range r = range_any(w, a);
	struct expected e = { .count = 0 };
	uint64_t done = 12345, readable;
	unsigned int p;
	uint32_t status;
	for (p = r.start; p < r.start + r.count && page_access(w, a, p, false) == ACCESS_FINE; p++)
		;
	readable = p == r.start + r.count ? r.size : p == r.start ? 0 : page_address(a, p) - r.base;
	if (readable < r.size) {
		expect(&e, STATUS_PARTIAL_COPY);
		if (a->pages[p].protect & PAGE_GUARD && page_committed(w, a, p)) {
			expect(&e, STATUS_GUARD_PAGE_VIOLATION);
			a->pages[p].protect &= ~(uint32_t)PAGE_GUARD;
		}
		if (!readable)
			expect(&e, STATUS_ACCESS_VIOLATION);
	}
	about(w, "base 0x%llx, size 0x%llx, readable 0x%llx", (unsigned long long)r.base, (unsigned long long)r.size,
	      (unsigned long long)readable);
	status = CALL(w, NtReadVirtualMemory, U(a->process), r.base, U(buffer), r.size, U(&done));
	as_expected(w, &e, status);
	if (!w->failed && done != readable)
		failure(w, "%llu bytes were read, expected %llu", (unsigned long long)done, (unsigned long long)readable);
	for (unsigned int i = r.start; i < p && !w->failed; i++) {
		uint64_t from = page_address(a, i), words[STAMP_WORDS];
		if (from < r.base || from + PAGE_SIZE > r.base + r.size)
			continue;
		for (unsigned int k = 0; k < STAMP_WORDS; k++)
			memcpy(&words[k], buffer + (from - r.base) + k * PATTERN_STEP * 8, 8);
		compare(w, a, i, words);
	}
}

void private_write(struct worker *w, struct arena *a)
{
	struct view *v = view_any(w, a, KIND_PRIVATE);
	for (unsigned int i = 0; v && i < v->count && i < 16 && !w->failed; i++)
		write_page(w, a, v->start + i);
}

void contents_operation(struct worker *w, struct arena *a)
{
	struct view *v = view_any(w, a, -1);
	unsigned int page = v && !one_in(&w->chance, 8) ? v->start + (unsigned int)below(&w->chance, v->count)
							: (unsigned int)below(&w->chance, ARENA_PAGES);
	switch (below(&w->chance, 8)) {
	case 0 ... 4:
		for (unsigned int i = page; i < page + 8 && i < ARENA_PAGES && !w->failed; i++)
			write_page(w, a, i);
		break;
	case 5 ... 6:
		for (unsigned int i = page; i < page + 8 && i < ARENA_PAGES && !w->failed; i++)
			read_page(w, a, i);
		break;
	default:
		read_range(w, a);
	}
}

/* ---- what the system says ---- */

static void page_state(struct worker *w, struct arena *a, unsigned int page, uint32_t *state, uint32_t *protect)
{
	struct view *v = page_view(a, page);
	bool committed = page_committed(w, a, page);
	*state = !v ? MEM_FREE : committed ? MEM_COMMIT : MEM_RESERVE;
	*protect = !v ? PAGE_NOACCESS : committed ? a->pages[page].protect : 0;
}

static void query(struct worker *w, struct arena *a, unsigned int page)
{
	struct expected e = { .count = 0 };
	MEMORY_BASIC_INFORMATION info;
	uint32_t state, protect, s, p, type;
	uint64_t returned = 0, size;
	unsigned int end;
	struct view *v = page_view(a, page);
	page_state(w, a, page, &state, &protect);
	for (end = page + 1; end < ARENA_PAGES; end++) {
		page_state(w, a, end, &s, &p);
		if (page_view(a, end) != v || s != state || p != protect)
			break;
	}
	size = (end - page) * PAGE_SIZE;
	type = !v ? 0 : v->kind == KIND_SECTION ? MEM_MAPPED : MEM_PRIVATE;
	about(w, "page %u", page);
	if (!as_expected(w, &e, CALL(w, NtQueryVirtualMemory, U(a->process), page_address(a, page) + below(&w->chance, PAGE_SIZE),
				     0, U(&info), sizeof(info), U(&returned))))
		return;
	/* Behind the arena's last page there may be more free space. */
	bool same_size = info.RegionSize == size || (!v && end == ARENA_PAGES && info.RegionSize > size);
	if (U(info.BaseAddress) != page_address(a, page) || !same_size || info.State != state || info.Protect != protect ||
	    info.Type != type || (v && U(info.AllocationBase) != page_address(a, v->start)) ||
	    (v && info.AllocationProtect != v->protect) || returned != sizeof(info))
		failure(w, "base %p, allocation %p 0x%lx, size 0x%llx, state 0x%lx, protect 0x%lx, type 0x%lx; expected allocation "
			"0x%llx 0x%x, size 0x%llx, state 0x%x, protect 0x%x, type 0x%x",
			info.BaseAddress, info.AllocationBase, info.AllocationProtect, (unsigned long long)info.RegionSize, info.State,
			info.Protect, info.Type, (unsigned long long)(v ? page_address(a, v->start) : 0), v ? v->protect : 0,
			(unsigned long long)size, state, protect, type);
}

static void backing(struct worker *w, struct arena *a, unsigned int first, unsigned int count)
{
	struct bs_page pages[32];
	struct expected e = { .count = 0 };
	if (count > ARENA_PAGES - first)
		count = ARENA_PAGES - first;
	about(w, "pages %u to %u", first, first + count - 1);
	if (!as_expected(w, &e, CALL(w, BsQueryBacking, U(a->process), page_address(a, first), count, U(pages))))
		return;
	for (unsigned int i = 0; i < count && !w->failed; i++) {
		const struct bs_page *b = &pages[i];
		struct page *p = &a->pages[first + i];
		bool committed = page_committed(w, a, first + i), shared = committed && page_view(a, first + i)->kind == KIND_SECTION && !p->own;
		uint32_t protect = committed ? p->protect : 0;
		uint64_t stamp = committed ? *page_stamp(w, a, first + i) : 0;
		if (b->protect != protect || (b->backing == BS_NOTHING) != !committed)
			failure(w, "page %u: backing %u, protect 0x%x; expected %s, protect 0x%x", first + i, b->backing, b->protect,
				committed ? "something" : "nothing", protect);
		else if (!(b->flags & BS_SHARED) != !shared || (!(b->flags & BS_WRITE_COPY) != !protect_copies(protect) &&
								   !(b->flags & BS_CLONE)))
			failure(w, "page %u: flags 0x%x; shared should be %d, write-copy %d", first + i, b->flags, shared,
				protect_copies(protect));
		else if (stamp && !shared && !p->reset && !p->offered && b->backing != BS_MEMORY && b->backing != BS_PAGING_FILE)
			failure(w, "page %u was written (stamp %llu), and is backed by %u", first + i, (unsigned long long)stamp,
				b->backing);
		else if (b->backing > BS_PAGING_FILE)
			failure(w, "page %u: backing %u for memory without a file", first + i, b->backing);
		else if (!(b->flags & BS_LOCKED) != !p->locked)
			failure(w, "page %u: flags 0x%x; locked should be %d", first + i, b->flags, p->locked);
		else if (b->flags & BS_VALID && !(b->flags & BS_RESIDENT))
			failure(w, "page %u: flags 0x%x: valid, but not resident", first + i, b->flags);
	}
}

void look_operation(struct worker *w, struct arena *a)
{
	struct view *v = view_any(w, a, -1);
	unsigned int page = v && one_in(&w->chance, 2) ? v->start + (unsigned int)below(&w->chance, v->count)
						       : (unsigned int)below(&w->chance, ARENA_PAGES);
	QUOTA_LIMITS limits = { .MinimumWorkingSetSize = ~(SIZE_T)0, .MaximumWorkingSetSize = ~(SIZE_T)0 };
	struct expected e = { .count = 0 };
	switch (below(&w->chance, 4)) {
	case 0:
		backing(w, a, page, 32);
		break;
	case 1:
		/* Everything leaves the working set. */
		if (!one_in(&w->chance, 4))
			break;
		about(w, "empty the working set");
		as_expected(w, &e, CALL(w, NtSetInformationProcess, U(a->process), 1, U(&limits), sizeof(limits)));
		break;
	default:
		query(w, a, page);
	}
}

void arena_verify(struct worker *w, struct arena *a)
{
	for (unsigned int page = 0; page < ARENA_PAGES && !w->failed; page += 1 + (unsigned int)below(&w->chance, 3))
		query(w, a, page);
	for (unsigned int page = 0; page < ARENA_PAGES && !w->failed; page += 32)
		backing(w, a, page, 32);
	for (unsigned int page = 0; page < ARENA_PAGES && !w->failed; page++)
		if (page_view(a, page))
			read_page(w, a, page);
}
