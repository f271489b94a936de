/*
 * Pages of an image that were written go to the paging file, whatever protection they have by then; those that were not are
 * read again from the image. That the paging file holds the one and not the other is seen from outside (test_swap_witness.py).
 */
#include "guest.h"
#include "pattern.h"
#include "squeeze.h"

#define OWNER 5
#define PAGES 32
#define CLEAN 0xc5

/* The first half is written, the second is not. */
static const __attribute__((aligned(4096))) unsigned char constants[PAGES][PAGE_BYTES] = { [0 ... PAGES - 1] = { [0 ... PAGE_BYTES - 1] = CLEAN } };

static uint64_t *words_of(unsigned int page)
{
	return (uint64_t *)(uintptr_t)constants[page];
}

static bool page_holds(unsigned int page)
{
	const volatile uint64_t *words = words_of(page);

	for (unsigned int i = 0; i < PAGE_BYTES / 8; i++)
		if (words[i] != (page < PAGES / 2 ? pattern_word(OWNER, page, i) : 0x0101010101010101ull * CLEAN))
			return false;
	return true;
}

static unsigned int backed_by(unsigned int backing, unsigned int from, unsigned int to)
{
	unsigned int n = 0;

	for (unsigned int page = from; page < to; page++)
		n += page_at(words_of(page)).backing == backing;
	return n;
}

static void test_written_and_not(void)
{
	unsigned int right = 0;
	DWORD old;

	for (unsigned int page = 0; page < PAGES; page++)
		right += page < PAGES / 2 || page_holds(page);
	is(right, PAGES, "constants are what the image says");
	ok(VirtualProtect(words_of(0), PAGES / 2 * PAGE_BYTES, PAGE_WRITECOPY, &old), "half of them are made writable");
	is(old, PAGE_READONLY, "they were read-only");
	for (unsigned int page = 0; page < PAGES / 2; page++)
		for (unsigned int i = 0; i < PAGE_BYTES / 8; i++)
			words_of(page)[i] = pattern_word(OWNER, page, i);
	ok(VirtualProtect(words_of(0), PAGES / 2 * PAGE_BYTES, PAGE_READONLY, &old), "and, written, read-only again");
	ok(VirtualProtect(words_of(PAGES / 2), PAGES / 2 * PAGE_BYTES, PAGE_WRITECOPY, &old), "the others become writable");
	is(backed_by(BS_MEMORY, 0, PAGES / 2), PAGES / 2, "what was written is in memory alone");
	is(backed_by(BS_IMAGE, PAGES / 2, PAGES), PAGES / 2, "what could be written, and was not, is backed by the image");

	struct bs_memory before = memory_now();
	bool squeezed = before.paging_file_pages && memory_squeeze_all();

	if (squeezed)
		is(backed_by(BS_PAGING_FILE, 0, PAGES / 2), PAGES / 2, "memory being short, read-only pages that were written are "
									"in the paging file");
	is(backed_by(BS_IMAGE, PAGES / 2, PAGES), PAGES / 2, "the others still have the image alone");
	right = 0;
	for (unsigned int page = 0; page < PAGES; page++)
		right += page_holds(page);
	is(right, PAGES, "all have the right contents");
	if (squeezed)
		ok(memory_now().pages_image_read > before.pages_image_read, "pages were read from images again");
	VirtualProtect(words_of(PAGES / 2), PAGES / 2 * PAGE_BYTES, PAGE_READONLY, &old);
}

int main(void)
{
	test_written_and_not();
	return tap_end();
}
