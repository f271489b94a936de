/*
 * The largest commitment that succeeds: one allocation, and many small ones. A scenario compares machines that differ only
 * in the size of their paging file.
 */
#include "tap.h"

#define SMALL_PAGES 16

static void *commit(uint64_t pages)
{
	return VirtualAlloc(NULL, pages * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

static uint64_t largest(void)
{
	uint64_t low = 0, high = 1ull << 32;
	while (low + 1 < high) {
		uint64_t middle = (low + high) / 2;
		void *p = commit(middle);
		if (p) {
			VirtualFree(p, 0, MEM_RELEASE);
			low = middle;
		} else {
			high = middle;
		}
	}
	return low;
}

/* Each allocation holds the address of the one before: it costs no memory to remember them. */
static uint64_t small_ones(void)
{
	void **last = NULL, **p;
	uint64_t n = 0;
	while ((p = commit(SMALL_PAGES))) {
		*p = last;
		last = p;
		n++;
	}
	while (last) {
		p = *last;
		VirtualFree(last, 0, MEM_RELEASE);
		last = p;
	}
	return n * SMALL_PAGES;
}

int main(void)
{
	uint64_t one = largest(), many = small_ones();
	struct bs_memory m = memory_now();
	printf("# grant: one %llu, many %llu pages; limit %llu, kernel %llu, charge %llu, slots %llu\n", (unsigned long long)one,
	       (unsigned long long)many, (unsigned long long)m.commit_limit, (unsigned long long)m.commit_kernel,
	       (unsigned long long)m.commit_charge, (unsigned long long)m.paging_file_pages);
	ok(one > 0 && many > 0, "commitments succeed up to the limit");
	ok(largest() + 64 >= one, "and again, but for what the kernel keeps of its own");
	memory_is_consistent();
	return tap_end();
}
