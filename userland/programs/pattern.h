/*
 * Contents that tell where they belong: each word is made from the owner (a number that the program chooses), the
 * page's number in its range and the word's place in the page. A page that comes back as another page, or half of
 * another, is noticed. Two words in each 512 bytes are written and checked: every sector of a disk has its own.
 */
#ifndef PATTERN_H
#define PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#define PATTERN_STEP 32 /* words */

static inline uint64_t pattern_word(uint64_t owner, uint64_t page, uint64_t word)
{
	uint64_t x = (owner << 48) ^ (page << 9) ^ word ^ 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static inline void pattern_fill(void *base, uint64_t page, uint64_t owner)
{
	volatile uint64_t *words = (volatile uint64_t *)((char *)base + page * 4096);
	for (unsigned int i = 0; i < 512; i += PATTERN_STEP)
		words[i] = pattern_word(owner, page, i);
}

static inline bool pattern_holds(const void *base, uint64_t page, uint64_t owner)
{
	const volatile uint64_t *words = (const volatile uint64_t *)((const char *)base + page * 4096);
	for (unsigned int i = 0; i < 512; i += PATTERN_STEP)
		if (words[i] != pattern_word(owner, page, i))
			return false;
	return true;
}

/* How many of the pages first to first + count - 1 do not hold their pattern. */
static inline uint64_t pattern_wrong(const void *base, uint64_t first, uint64_t count, uint64_t owner)
{
	uint64_t wrong = 0;
	for (uint64_t page = first; page < first + count; page++)
		wrong += !pattern_holds(base, page, owner);
	return wrong;
}

#endif
