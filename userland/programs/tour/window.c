/* Step 8: physical memory, seen through a window (Address Windowing Extensions). */
#include "tour.h"

#define PAGES 16ull

static uint64_t count_why(const char *window, enum bs_why why)
{
	uint64_t count = 0;
	for (uint64_t page = 0; page < PAGES; page++)
		count += look_page(window + page * PAGE_BYTES).why == why;
	return count;
}

/* Writes into each page which one it is in the window. */
static void mark(char *window)
{
	for (uint64_t page = 0; page < PAGES; page++)
		*(volatile uint64_t *)(window + page * PAGE_BYTES) = page + 1;
}

static uint64_t count_marked(const char *window, bool reversed)
{
	uint64_t count = 0;
	for (uint64_t page = 0; page < PAGES; page++)
		count += *(const volatile uint64_t *)(window + page * PAGE_BYTES) ==
			 (reversed ? PAGES - page : page + 1);
	return count;
}

void step_window(void)
{
	ULONG_PTR list[PAGES], reversed[PAGES], count = PAGES;
	struct bs_memory before = memory_now(), now;

	say_title("Step 8. Physical memory, seen through a window (AWE)");
	if (!AllocateUserPhysicalPages(GetCurrentProcess(), &count, list) || count != PAGES)
		give_up("AllocateUserPhysicalPages", GetLastError());
	now = memory_now();
	statement(now.frames_physical - before.frames_physical == PAGES &&
			  now.commit_physical - before.commit_physical == PAGES,
		  "tour took %s physical pages (AllocateUserPhysicalPages). They are charged, and have their frames, "
		  "from now on: %s frames are of that kind.",
		  tool_number(PAGES), tool_number(now.frames_physical));
	char *window = VirtualAlloc(NULL, PAGES * PAGE_BYTES, MEM_RESERVE | MEM_PHYSICAL, PAGE_READWRITE);
	if (!window || !MapUserPhysicalPages(window, PAGES, list))
		give_up("MapUserPhysicalPages", GetLastError());
	uint64_t physical = count_why(window, BS_WHY_PHYSICAL);
	struct backing_text text;
	struct bs_page page = look_page(window);
	backing_explain(&page, &text);
	statement(physical == PAGES, "Seen through a window at %p, the first page is %s: %s.", (void *)window,
		  text.place, text.why);
	mark(window);
	for (uint64_t i = 0; i < PAGES; i++)
		reversed[i] = list[PAGES - 1 - i];
	uint64_t faults = memory_now().faults;
	if (!MapUserPhysicalPages(window, PAGES, NULL) || !MapUserPhysicalPages(window, PAGES, reversed))
		give_up("MapUserPhysicalPages", GetLastError());
	statement(count_marked(window, true) == PAGES,
		  "Mapped the other way round, the first page is the last: nothing was copied, only the page table "
		  "changed.");
	say("That and reading them took %s page faults.", tool_number(memory_now().faults - faults));
	count = PAGES;
	bool freed = FreeUserPhysicalPages(GetCurrentProcess(), &count, list);
	VirtualFree(window, 0, MEM_RELEASE);
	now = memory_now();
	statement(freed && count == PAGES && now.frames_physical == before.frames_physical &&
			  now.commit_physical == before.commit_physical,
		  "Freed: %s frames of that kind are left.", tool_number(now.frames_physical));
}
