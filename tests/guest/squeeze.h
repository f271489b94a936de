/* Memory pressure for a moment, for tests of what stays in memory, what is discarded and what is paged out. */
#ifndef SQUEEZE_H
#define SQUEEZE_H

#include "guest.h"

/*
 * Writes to as many pages as can be had and an eighth more, as far as commit limit and paging files allow, and frees
 * them: what nobody has touched for a while leaves memory, if it may. Call working_set_empty() before to have this
 * process's pages leave first. Returns whether that was more than memory had. Nothing is done in a body that is run again
 * to look for leaks: pages that other processes lose would look like one.
 */
static inline bool memory_squeeze(void)
{
	struct bs_memory m = memory_now();
	uint64_t available = memory_available(&m) + m.frames_modified, own = 512;
	uint64_t room = m.commit_limit > m.commit_charge ? m.commit_limit - m.commit_charge : 0;
	uint64_t fits = available + m.paging_file_pages - m.paging_file_used;
	if (room > fits)
		room = fits;
	uint64_t want = available + available / 8;
	if (want > room - room / 16)
		want = room - room / 16;
	if (want <= own || tap.quiet)
		return false;
	want -= own;
	volatile char *p = VirtualAlloc(NULL, want * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	if (!p)
		return false;
	for (uint64_t page = 0; page < want; page++) {
		p[page * PAGE_BYTES] = (char)page;
		if (page % 1024 == 0)
			tap_alive();
	}
	VirtualFree((void *)p, 0, MEM_RELEASE);
	return want > available;
}

/* This process's pages leave its working set, and memory if it may be: what the next touch finds has been away. */
static inline bool memory_squeeze_all(void)
{
	working_set_empty();
	return memory_squeeze();
}

/*
 * A clean page that only this process has, if anybody, leaves memory, and all other pages on standby with it. Returns whether
 * it came to that.
 */
static inline bool memory_discard(const volatile void *page)
{
	ULONG purge_standby_list = 4;
	struct bs_page p;
	working_set_empty();
	return !NtSetSystemInformation(80 /* SystemMemoryListInformation */, &purge_standby_list, sizeof(purge_standby_list)) &&
	       !BsQueryBacking(GetCurrentProcess(), (void *)page, 1, &p) && !(p.flags & BS_RESIDENT);
}

#endif
