/* Where ranges are backed, asked with BsQueryBacking; and filling and checking them. */
#include "tour.h"

static void look_count(void *argument, uint64_t address, const struct bs_page *p)
{
	struct look *l = argument;
	if (p->backing < BACKINGS)
		l->pages[p->backing]++;
	l->resident += (p->flags & BS_RESIDENT) != 0;
	l->locked += (p->flags & BS_LOCKED) != 0;
	if (p->backing != BS_PAGING_FILE)
		return;
	if (!l->first_address) {
		l->first_address = address;
		l->first_page = *p;
	}
	l->paged_out += !(p->flags & BS_RESIDENT);
}

struct look look_at(const void *base, uint64_t pages)
{
	struct look l = { .all = pages };
	if (!backing_walk(GetCurrentProcess(), (uintptr_t)base, pages, look_count, &l))
		give_up("BsQueryBacking", ERROR_INVALID_PARAMETER);
	return l;
}

const char *look_text(const struct look *l)
{
	static char texts[4][192];
	static unsigned int next;
	char *text = texts[next++ % 4], *to = text;
	*to = 0;
	for (unsigned int i = 0; i < BACKINGS; i++)
		if (l->pages[i])
			to += sprintf(to, "%s%s %s", to > text ? ", " : "", tool_number(l->pages[i]), backing_name(i));
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
