/*
 * What is the most that is granted? As one commitment, and as many of 64 KiB as there can be. largest_grant [touch]: with
 * "touch" each page of both is written and read back. tests/scenarios/test_grant.py compares machines.
 */
#include "guest.h"

#define PIECE_PAGES 16
#define PIECES_MAX 32768

static char *commit(uint64_t pages)
{
	return VirtualAlloc(NULL, pages * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

static void touch(char *p, uint64_t pages, uint64_t owner)
{
	for (uint64_t page = 0; page < pages; page++) {
		pattern_fill(p, page, owner);
		if (page % 256 == 0)
			tap_alive();
	}
}

static bool is_granted(uint64_t pages)
{
	char *p = commit(pages);
	if (p)
		VirtualFree(p, 0, MEM_RELEASE);
	return p;
}

static uint64_t single_most(void)
{
	uint64_t low = 0, high = memory_now().commit_limit + 1;
	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;
		if (is_granted(middle))
			low = middle;
		else
			high = middle;
	}
	return low;
}

int main(int argc, char **argv)
{
	static char *pieces[PIECES_MAX];
	bool touches = argc > 1 && !strcmp(argv[1], "touch");
	volatile char deep[48 << 10];
	uint64_t count = 0, wrong = 0, single;
	struct bs_memory m;
	for (size_t i = sizeof(deep); i > 0; i -= 4096)
		deep[i - 1] = 1; /* the stack grows before it is measured */
	single = single_most();
	if (touches) {
		char *p = commit(single);
		ok(p != NULL, "the largest commitment is granted again");
		touch(p, single, 1);
		is(pattern_wrong(p, 0, single, 1), 0, "and each of its %llu pages can be touched", (unsigned long long)single);
		VirtualFree(p, 0, MEM_RELEASE);
	}
	while (count < PIECES_MAX && (pieces[count] = commit(PIECE_PAGES))) {
		count++;
		if (count % 256 == 0)
			tap_alive();
	}
	m = memory_now();
	if (touches) {
		for (uint64_t i = 0; i < count; i++)
			touch(pieces[i], PIECE_PAGES, i + 1);
		for (uint64_t i = 0; i < count; i++)
			wrong += pattern_wrong(pieces[i], 0, PIECE_PAGES, i + 1);
		is(wrong, 0, "all of %llu pieces can be touched", (unsigned long long)count);
	}
	for (uint64_t i = 0; i < count; i++)
		VirtualFree(pieces[i], 0, MEM_RELEASE);
	note("single=%llu pieces=%llu limit=%llu memory=%llu paging_files=%llu", (unsigned long long)single,
	     (unsigned long long)(count * PIECE_PAGES), (unsigned long long)m.commit_limit, (unsigned long long)m.frames_total,
	     (unsigned long long)m.paging_file_pages);
	ok(single > 0 && count > 0 && count < PIECES_MAX, "something is granted, and not everything");
	memory_is_consistent();
	return tap_end();
}
