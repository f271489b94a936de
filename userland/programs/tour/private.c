/* Step 2: memory of VirtualAlloc and HeapAlloc is backed in the same way as a section. */
#include "tour.h"

#define PAGES_MAX 512ull

enum kind { KIND_VIRTUAL, KIND_HEAP, KIND_SECTION, KINDS };

static const char *const kind_names[] = { "VirtualAlloc", "HeapAlloc", "section" };

struct row {
	uint64_t charged;     /* pages, when it was asked for */
	uint64_t zero, memory; /* pages by backing: before the first write, and after it */
	uint64_t back;        /* pages of charge given back */
	uint64_t written;     /* to paging files */
};

static void *block_make(enum kind kind, uint64_t pages, HANDLE *section)
{
	if (kind == KIND_VIRTUAL)
		return VirtualAlloc(NULL, pages * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	if (kind == KIND_HEAP)
		return HeapAlloc(GetProcessHeap(), 0, pages * PAGE_BYTES);
	*section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, (DWORD)(pages * PAGE_BYTES), NULL);
	return *section ? MapViewOfFile(*section, FILE_MAP_WRITE, 0, 0, 0) : NULL;
}

static void block_free(enum kind kind, void *block, HANDLE section)
{
	if (kind == KIND_VIRTUAL)
		VirtualFree(block, 0, MEM_RELEASE);
	else if (kind == KIND_HEAP)
		HeapFree(GetProcessHeap(), 0, block);
	else {
		UnmapViewOfFile(block);
		CloseHandle(section);
	}
}

/* The pages that lie wholly in the block: a heap's block begins behind its header. */
static char *whole_pages(char *block)
{
	return (char *)(((uintptr_t)block + PAGE_BYTES - 1) & ~(uintptr_t)(PAGE_BYTES - 1));
}

static struct row measure(enum kind kind, uint64_t pages)
{
	struct row row;
	HANDLE section = NULL;
	struct bs_memory before = memory_now(), made, after;
	char *block = block_make(kind, pages + 1, &section);
	if (!block)
		give_up(kind_names[kind], GetLastError());
	made = memory_now();
	char *whole = whole_pages(block);
	row.charged = made.commit_charge - before.commit_charge;
	row.zero = look_at(whole, pages).pages[BS_ZERO];
	for (uint64_t page = 0; page < pages; page++)
		pattern_fill(whole, page, OWNER_BLOCK);
	row.memory = look_at(whole, pages).pages[BS_MEMORY];
	made = memory_now();
	block_free(kind, block, section);
	after = memory_now();
	row.back = made.commit_charge - after.commit_charge;
	row.written = after.pages_swapped_out - before.pages_swapped_out;
	return row;
}

void step_private(void)
{
	struct bs_memory now = memory_now();
	struct row rows[KINDS];
	uint64_t pages = memory_available(&now) / 16;
	bool zero = true, memory = true, charged = true, back = true, written = false;
	if (pages > PAGES_MAX)
		pages = PAGES_MAX;
	if (pages < 16)
		pages = 16;

	say_title("Step 2. VirtualAlloc and HeapAlloc: the same backing");
	say("The same three times: %s pages asked for, looked at, written, looked at again, freed. (One page more is "
	    "asked "
	    "for: a heap's block has a header.)",
	    tool_number(pages));
	printf("    %-12s %8s %15s %16s %11s %8s\n", "pages of", "charged", "zero on demand", "in memory alone",
	       "given back", "to disk");
	for (int kind = 0; kind < KINDS; kind++) {
		/* Once unmeasured: the heap and the page tables may grow for good the first time. */
		measure((enum kind)kind, pages);
		struct row r = rows[kind] = measure((enum kind)kind, pages);
		printf("    %-12s %8s %15s %16s %11s %8s\n", kind_names[kind], tool_number(r.charged),
		       tool_number(r.zero), tool_number(r.memory), tool_number(r.back), tool_number(r.written));
		zero &= r.zero == pages;
		memory &= r.memory == pages;
		charged &= r.charged >= pages + 1;
		back &= r.back >= pages + 1;
		written |= r.written != 0;
	}
	statement(charged, "All three were charged for when they were asked for, not when they were touched.");
	statement(zero && memory, "All three were zero on demand until written, and then in memory alone.");
	statement(back, "All three gave the charge back when they were freed.");
	statement(!written, "None of the three was written to a paging file.");
}
