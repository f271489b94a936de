/* Where ranges are backed, asked with BsQueryBacking; and filling and checking them. */
#include "tour.h"

#define CHUNK 128 /* pages asked for at a time */

struct look look_at(const void *base, uint64_t pages)
{
	static struct bs_page found[CHUNK];
	struct look l = { .all = pages };
	for (uint64_t done = 0; done < pages; done += CHUNK) {
		uint64_t count = pages - done < CHUNK ? pages - done : CHUNK;
		char *at = (char *)base + done * PAGE_BYTES;
		long status = BsQueryBacking(GetCurrentProcess(), at, count, found);
		if (status != 0)
			give_up("BsQueryBacking", (DWORD)status);
		for (uint64_t i = 0; i < count; i++) {
			const struct bs_page *p = &found[i];
			if (p->backing <= BS_DATA_FILE)
				l.pages[p->backing]++;
			l.resident += (p->flags & BS_RESIDENT) != 0;
			if (p->backing != BS_PAGING_FILE)
				continue;
			if (!l.first_address) {
				l.first_address = (uint64_t)at + i * PAGE_BYTES;
				l.first_file = p->file;
				l.first_slot = p->offset;
			}
			l.paged_out += !(p->flags & BS_RESIDENT);
		}
	}
	return l;
}

const char *look_text(const struct look *l)
{
	static char texts[4][192];
	static unsigned int next;
	static const char *const backings[] = {
		[BS_NOTHING] = "not committed",	  [BS_ZERO] = "zero on demand",
		[BS_MEMORY] = "in memory alone",  [BS_PAGING_FILE] = "in a paging file",
		[BS_IMAGE] = "in the image file", [BS_DATA_FILE] = "in a data file",
	};
	char *text = texts[next++ % 4], *to = text;
	*to = 0;
	for (int i = 0; i <= BS_DATA_FILE; i++)
		if (l->pages[i])
			to += sprintf(to, "%s%s %s", to > text ? ", " : "", tool_number(l->pages[i]), backings[i]);
	if (l->pages[BS_PAGING_FILE])
		sprintf(to, " (%s of those not in memory)", tool_number(l->paged_out));
	return text;
}

struct bs_page look_page(const void *address)
{
	struct bs_page page = { 0 };
	BsQueryBacking(GetCurrentProcess(), (void *)address, 1, &page);
	return page;
}

bool settles(size_t counter_offset, uint64_t value)
{
	for (int i = 0; i < 100; i++) {
		struct bs_memory now = memory_now();
		if (*(uint64_t *)((char *)&now + counter_offset) == value)
			return true;
		Sleep(10);
	}
	return false;
}

void fill_pages(char *base, uint64_t count, uint64_t owner, const char *what)
{
	double start = seconds_now();
	progress(what, 0, count);
	for (uint64_t page = 0; page < count; page++) {
		pattern_fill(base, page, owner);
		if (page % 1024 == 1023)
			progress(what, page, count);
	}
	if (count >= MIB_PAGES)
		tour.page_seconds = (seconds_now() - start) / (double)count;
}

uint64_t check_pages(const char *base, uint64_t count, uint64_t owner, const char *what)
{
	uint64_t wrong = 0;
	progress(what, 0, count);
	for (uint64_t page = 0; page < count; page++) {
		wrong += !pattern_holds(base, page, owner);
		if (page % 1024 == 1023)
			progress(what, page, count);
	}
	return wrong;
}
