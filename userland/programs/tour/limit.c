/* Step 5: the commit limit refuses what is asked for, so that what was given can always be touched. */
#include "tour.h"

#define TOUCH_SECONDS_MAX 10.0

static bool touching; /* a fault that is not resolved now breaks the promise */

static LONG WINAPI broken_promise(EXCEPTION_POINTERS *e)
{
	if (!touching)
		return EXCEPTION_CONTINUE_SEARCH;
	touching = false;
	statement(false, "Touching committed memory failed: %s at address 0x%llx.",
		  tool_exit_text(e->ExceptionRecord->ExceptionCode),
		  (unsigned long long)e->ExceptionRecord->ExceptionInformation[1]);
	give_up("memory that had been committed", ERROR_NOT_ENOUGH_MEMORY);
}

/* The charge of reserving size bytes, in pages. They are released again. */
static uint64_t reserve_cost(uint64_t size)
{
	struct bs_memory before = memory_now(), after;
	void *p = VirtualAlloc(NULL, size, MEM_RESERVE, PAGE_READWRITE);
	if (!p)
		give_up("VirtualAlloc(MEM_RESERVE)", GetLastError());
	after = memory_now();
	VirtualFree(p, 0, MEM_RELEASE);
	return after.commit_charge - before.commit_charge;
}

static void show_reserve(void)
{
	reserve_cost(1ull << 40);
	uint64_t small = reserve_cost(64 << 10), large = reserve_cost(1ull << 40);
	statement(small == large,
		  "Addresses are free of charge: reserving 64 KiB cost %s pages of commit, reserving 1 TiB %s.",
		  tool_number(small), tool_number(large));
}

static void show_refusal(void)
{
	struct bs_memory before = memory_now(), after;
	uint64_t room = before.commit_limit - before.commit_charge, ask = room + MIB_PAGES;
	say("The limit is %s = %s of memory + %s of paging files%s; %s are charged, %s are left.",
	    tool_pages(before.commit_limit), tool_pages(before.commit_limit - before.paging_file_pages),
	    tool_pages(before.paging_file_pages), tour.overcommit ? " (commit=overcommit: it is only shown)" : "",
	    tool_pages(before.commit_charge), tool_pages(room));
	SetLastError(0);
	void *p = VirtualAlloc(NULL, ask * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	DWORD error = p ? 0 : GetLastError();
	after = memory_now();
	if (tour.overcommit) {
		statement(p != NULL,
			  "Committing %s, more than is left, is granted: nothing is refused under this policy.",
			  tool_pages(ask));
		VirtualFree(p, 0, MEM_RELEASE);
		return;
	}
	statement(!p && error == ERROR_COMMITMENT_LIMIT,
		  "Committing %s, more than is left, is refused when it is asked for: error %lu "
		  "(ERROR_COMMITMENT_LIMIT is %ld).",
		  tool_pages(ask), error, ERROR_COMMITMENT_LIMIT);
	statement(after.commit_charge == before.commit_charge && after.commit_refused == before.commit_refused + 1,
		  "The refusal left no trace but in the count of refusals: %s -> %s, charge %s -> %s pages.",
		  tool_number(before.commit_refused), tool_number(after.commit_refused),
		  tool_number(before.commit_charge), tool_number(after.commit_charge));
	if (p)
		VirtualFree(p, 0, MEM_RELEASE);
}

/* Writes count pages, or, if that would take too long, as many of them, evenly spread, as do not. */
static uint64_t touch(char *base, uint64_t count, uint64_t *step)
{
	double seconds = tour.page_seconds > 0 ? tour.page_seconds : 10e-6;
	uint64_t touched = 0;
	*step = (uint64_t)(seconds * (double)count / TOUCH_SECONDS_MAX) + 1;
	progress("touching", 0, count);
	for (uint64_t page = 0; page < count; page += *step, touched++) {
		pattern_fill(base, page, OWNER_BLOCK);
		if (touched % 1024 == 1023)
			progress("touching", page, count);
	}
	return touched;
}

static void show_promise(void)
{
	struct bs_memory now = memory_now();
	/* Page tables are charged too, and what tour itself needs to go on. */
	uint64_t room = now.commit_limit - now.commit_charge, pages = room - room / 128;
	char *block = NULL;
	for (; pages > MIB_PAGES; pages -= pages / 64 + 1) {
		block = VirtualAlloc(NULL, pages * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
		if (block)
			break;
	}
	if (!block) {
		statement_skipped("Too little is left below the limit to show the promise: %s.", tool_pages(room));
		return;
	}
	now = memory_now();
	uint64_t left = now.commit_limit - now.commit_charge;
	void *more = VirtualAlloc(NULL, (left + 1) * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	DWORD error = more ? 0 : GetLastError();
	statement(!more && error == ERROR_COMMITMENT_LIMIT,
		  "%s are committed in one piece, %s are left. %s more: refused, error %lu.", tool_pages(pages),
		  tool_pages(left), tool_pages(left + 1), error);
	if (more)
		VirtualFree(more, 0, MEM_RELEASE);
	uint64_t step, wrong = 0;
	touching = true;
	uint64_t touched = touch(block, pages, &step);
	for (uint64_t page = 0; page < pages; page += step * 16)
		wrong += !pattern_holds(block, page, OWNER_BLOCK);
	touching = false;
	statement(wrong == 0,
		  "What was granted can be touched, to the last page: %s of %s pages were written%s, none failed.",
		  tool_number(touched), tool_number(pages), step > 1 ? " (a sample, to save time)" : "");
	VirtualFree(block, 0, MEM_RELEASE);
	now = memory_now();
	say("Given back: the charge is %s again.", tool_pages(now.commit_charge));
}

void step_limit(void)
{
	say_title("Step 5. The commit limit");
	void *handler = AddVectoredExceptionHandler(1, broken_promise);
	show_reserve();
	show_refusal();
	if (!tour.overcommit)
		show_promise();
	RemoveVectoredExceptionHandler(handler);
}
