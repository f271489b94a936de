/*
 * Copies of a process that has threads, whose pages are in transition or in a paging file, that are as large as memory; and
 * what they are charged.
 */
#include "fork_memory.h"

/* ---- threads of the original ---- */

static volatile LONG threads_stop;
static char *counted;

/* Counts in each of its pages: the two words differ by at most one. */
static DWORD WINAPI counting_thread(void *argument)
{
	uint64_t first = (uint64_t)(ULONG_PTR)argument;
	for (uint64_t n = 1; !threads_stop; n++) {
		for (uint64_t page = first; page < first + 16; page++) {
			volatile uint64_t *words = (volatile uint64_t *)(counted + page * PAGE_BYTES);
			words[0] = n;
			words[511] = n;
		}
		if (n % 64 == 0)
			Sleep(1); /* so that others run too */
	}
	return 0;
}

static DWORD child_frozen(void *argument)
{
	uint64_t seen[64], wrong = 0;
	(void)argument;
	for (int page = 0; page < 64; page++) {
		volatile uint64_t *words = (volatile uint64_t *)(counted + page * PAGE_BYTES);
		seen[page] = words[0];
		wrong += words[0] - words[511] > 1;
	}
	Sleep(10);
	for (int page = 0; page < 64; page++) {
		volatile uint64_t *words = (volatile uint64_t *)(counted + page * PAGE_BYTES);
		wrong += words[0] != seen[page] || words[0] - words[511] > 1;
		words[0] = words[511] = 0;
	}
	return (DWORD)wrong;
}

static void test_threads(void)
{
	HANDLE threads[4];
	uint64_t wrong = 0;
	begin();
	counted = commit(64);
	threads_stop = 0;
	for (int i = 0; i < 4; i++)
		threads[i] = CreateThread(NULL, 0, counting_thread, (void *)(ULONG_PTR)(i * 16), 0, NULL);
	for (int i = 0; i < 6; i++) {
		wrong += fork_run(child_frozen, NULL);
		tap_alive();
	}
	threads_stop = 1;
	WaitForMultipleObjects(4, threads, TRUE, INFINITE);
	is(wrong, 0, "while threads write, the copy's memory stands still from one moment on");
	for (int i = 0; i < 4; i++)
		CloseHandle(threads[i]);
	uint64_t apart = 0;
	for (int page = 0; page < 64; page++) {
		uint64_t *words = (uint64_t *)(counted + page * PAGE_BYTES);
		apart += words[0] != words[511] || !words[0];
	}
	is(apart, 0, "and the threads lose nothing");
	VirtualFree(counted, 0, MEM_RELEASE);
	end();
}

/* ---- where pages are ---- */

static DWORD child_reads_writes(void *argument)
{
	uint64_t pages = (uint64_t)(ULONG_PTR)argument, wrong = pattern_wrong(memory, 0, pages, PARENT);
	for (uint64_t page = 0; page < pages; page += 3)
		pattern_fill(memory, page, CHILD);
	for (uint64_t page = 0; page < pages; page++)
		wrong += !pattern_holds(memory, page, page % 3 ? PARENT : CHILD);
	tap_alive();
	return (DWORD)wrong;
}

static void test_out_of_working_set(void)
{
	begin();
	working_set_empty();
	is(fork_run(child_reads_writes, (void *)PAGES), 0, "pages in transition are copied");
	working_set_empty();
	is(pattern_wrong(memory, 0, PAGES, PARENT), 0, "and are the original's still");
	is(fork_run(child_reads_writes, (void *)PAGES), 0, "once more, now that they have been shared");
	end();
}

/* Two copies of more than fits into memory together, if there is a paging file. */
static void test_pressure(void)
{
	RTL_USER_PROCESS_INFORMATION copies[2];
	struct bs_memory m = memory_now();
	uint64_t room = m.commit_limit - m.commit_charge, free = memory_available(&m);
	uint64_t swap = m.paging_file_pages - m.paging_file_used, pages = free * 6 / 10, wrong = 0;
	NTSTATUS status;
	int made = 0;
	begin();
	VirtualFree(memory, 0, MEM_RELEASE);
	/* All three may be charged for all; nothing may be written that fits nowhere. */
	if (pages > room / 4)
		pages = room / 4;
	if (pages > (free + swap) / 3)
		pages = (free + swap) / 3;
	memory = commit(pages);
	for (uint64_t page = 0; page < pages; page++) {
		pattern_fill(memory, page, PARENT);
		if (page % 256 == 0)
			tap_alive();
	}
	note("%llu pages in each of three processes, %llu frames available, %llu slots", (unsigned long long)pages,
	     (unsigned long long)free, (unsigned long long)swap);
	while (made < 2 && fork_start(child_reads_writes, (void *)(ULONG_PTR)pages, 0, &copies[made], &status))
		made++;
	is(made, 2, "two copies under pressure");
	for (uint64_t page = 0; page < pages; page += 2) {
		wrong += !pattern_holds(memory, page, PARENT);
		pattern_fill(memory, page, LATER);
	}
	for (int i = 0; i < made; i++)
		wrong += fork_end(&copies[i]);
	for (uint64_t page = 0; page < pages; page++)
		wrong += !pattern_holds(memory, page, page % 2 ? PARENT : LATER);
	is(wrong, 0, "each has its own contents");
	/* Most of it is in the paging file now, if there is one. */
	if (fork_start(child_reads_writes, (void *)0, 0, &copies[0], &status))
		is(fork_end(&copies[0]), 0, "a process that was partly paged out is copied");
	wrong = 0;
	for (uint64_t page = 0; page < pages; page++)
		wrong += !pattern_holds(memory, page, page % 2 ? PARENT : LATER);
	is(wrong, 0, "and loses nothing");
	end();
}

static uint64_t paged; /* pages */
static volatile LONG paged_wrong;

/* Reads at random, so that pages come from the paging file while copies are made. */
static DWORD WINAPI reading_thread(void *argument)
{
	uint64_t state = (uint64_t)(ULONG_PTR)argument + 1;
	for (unsigned int n = 1; !threads_stop; n++) {
		state = state * 6364136223846793005ull + 1442695040888963407ull;
		uint64_t page = (state >> 33) % paged;
		if (!pattern_holds(memory, page, PARENT))
			InterlockedIncrement(&paged_wrong);
		if (n % 64 == 0)
			Sleep(1);
	}
	return 0;
}

static DWORD child_pages(void *argument)
{
	uint64_t first = (uint64_t)(ULONG_PTR)argument, wrong = 0;
	for (uint64_t page = first; page < paged; page += 4)
		pattern_fill(memory, page, CHILD);
	for (uint64_t page = 0; page < paged; page++)
		wrong += !pattern_holds(memory, page, page % 4 == first ? CHILD : PARENT);
	return (DWORD)wrong;
}

static void test_paging_meanwhile(void)
{
	struct bs_memory m = memory_now();
	uint64_t room = m.commit_limit - m.commit_charge, frames = memory_available(&m);
	HANDLE threads[3];
	uint64_t wrong = 0;
	if (m.paging_file_pages < frames / 2) {
		skip("copies while pages come from the paging file", "there is none, or a small one");
		return;
	}
	begin();
	VirtualFree(memory, 0, MEM_RELEASE);
	paged = frames < room * 4 / 10 ? frames : room * 4 / 10;
	memory = commit(paged);
	for (uint64_t page = 0; page < paged; page++)
		pattern_fill(memory, page, PARENT);
	threads_stop = 0;
	paged_wrong = 0;
	for (int i = 0; i < 3; i++)
		threads[i] = CreateThread(NULL, 0, reading_thread, (void *)(ULONG_PTR)i, 0, NULL);
	for (int i = 0; i < 4; i++) {
		wrong += fork_run(child_pages, (void *)(ULONG_PTR)i);
		tap_alive();
	}
	threads_stop = 1;
	WaitForMultipleObjects(3, threads, TRUE, INFINITE);
	for (int i = 0; i < 3; i++)
		CloseHandle(threads[i]);
	is(wrong, 0, "copies made while pages come from the paging file are right");
	is(paged_wrong, 0, "and so is what the original reads");
	is(pattern_wrong(memory, 0, paged, PARENT), 0, "which has all its contents in the end");
	end();
}

/* ---- charge ---- */

static void test_charge(void)
{
	RTL_USER_PROCESS_INFORMATION copy;
	bool strict = option_is("commit", "strict");
	NTSTATUS status;
	begin();
	char *fresh = commit(10);
	struct bs_memory before = memory_now();
	ok(fork_start(child_waits, NULL, 0, &copy, &status), "a process is copied");
	stage_wait(1);
	struct bs_memory during = memory_now();
	struct bs_process child = { 0 };
	for (uint64_t i = 0; BsQueryProcess(i, &child) == 0 && child.id != (ULONG_PTR)copy.ClientId.UniqueProcess; i++)
		;
	if (option_is("commit", "lazy-writecopy")) {
		is_within(during.commit_clones, PAGES, before.commit_private, "shared pages are charged once");
		is_within(during.commit_private + during.commit_clones, before.commit_private + 10, before.commit_private + 100,
			  "the copy is charged for what it has alone");
	} else {
		is(during.commit_clones, 0, "shared pages are charged to each");
		is(during.commit_private - before.commit_private, child.private_commit, "the charge is the copy's");
		is_within(child.private_commit, PAGES + 10, before.commit_private, "for all of its committed pages");
	}
	is_within(during.commit_page_tables - before.commit_page_tables, 4, 60, "and for its page tables");
	board->stage = 2;
	is(fork_end(&copy), 0, "it ends");
	for (int i = 0; i < 100 && memory_now().commit_page_tables > before.commit_page_tables; i++)
		Sleep(10);
	/* Under lazy-writecopy what was written to meanwhile for the first time is charged since. */
	is_within(memory_now().commit_private + memory_now().commit_clones, before.commit_private,
		  before.commit_private + before.commit_clones + (option_is("commit", "lazy-writecopy") ? 32 : 0),
		  "and all is given back");
	VirtualFree(fresh, 0, MEM_RELEASE);

	/* More than half of what is left: two of it do not fit. */
	uint64_t room = memory_now().commit_limit - memory_now().commit_charge;
	char *large = commit(room * 6 / 10);
	ok(large != NULL, "more than half of the commit that is left");
	if (large && strict) {
		before = memory_now();
		ok(!fork_start(child_waits, NULL, 0, &copy, &status), "can't be there twice");
		is((uint32_t)status, (uint32_t)STATUS_COMMITMENT_LIMIT, "the copy is refused for the commit limit");
		is(memory_now().commit_private, before.commit_private, "and nothing stays charged");
		is(pattern_wrong(memory, 0, PAGES, PARENT), 0, "the original is unharmed");
		pattern_fill(large, 1, CHILD);
		ok(pattern_holds(large, 1, CHILD), "and can write");
	}
	VirtualFree(large, 0, MEM_RELEASE);
	board->stage = 2;
	is(fork_run(child_waits, NULL), 0, "after that it is copied");
	end();
}

static void small(void)
{
	test_threads();
	test_out_of_working_set();
}

int main(void)
{
	wait_event_make();
	small();
	test_charge();
	test_pressure();
	test_paging_meanwhile();
	return leaks_none_and_end(small, STACKS_KEPT);
}
