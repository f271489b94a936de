/*
 * Reading an address space. VirtualQueryEx gives the ranges and BsQueryBacking their pages. Which private memory is a
 * stack, a TEB or the heap nobody says; but the PEB knows the heap, a TEB points to itself and to the PEB, and it knows
 * its thread's stack.
 */
#include "vmmap.h"

#define TEB_ALLOCATION_MAX 0x40000 /* bytes; what is larger is not looked at */

const char *range_kind_text(enum range_kind kind)
{
	static const char *const texts[] = {
		[RANGE_IMAGE] = "image",	[RANGE_MAPPED] = "mapped", [RANGE_SECTION] = "section",
		[RANGE_HEAP] = "heap",		[RANGE_STACK] = "stack",   [RANGE_TEB] = "TEB/PEB",
		[RANGE_PHYSICAL] = "AWE",	[RANGE_LARGE] = "large",   [RANGE_PRIVATE] = "private",
		[RANGE_FREE] = "free",
	};
	return texts[kind];
}

void range_counts_add(struct range_counts *to, const struct range_counts *from)
{
	/* Nothing but counters. */
	for (size_t i = 0; i < sizeof(*to) / sizeof(uint64_t); i++)
		((uint64_t *)to)[i] += ((const uint64_t *)from)[i];
}

struct page_counter {
	struct range *range;
	bool copy_charged; /* write-copy pages are charged for when they are mapped, not when they are copied */
};

static void page_count(void *argument, uint64_t address, const struct bs_page *p)
{
	const struct page_counter *counter = argument;
	struct range_counts *c = &counter->range->counts;
	bool shared = p->flags & BS_SHARED;
	(void)address;
	if (p->backing < BACKINGS)
		c->backing[p->backing]++;
	if (p->backing == BS_NOTHING)
		return;
	c->committed++;
	c->charged += !shared || (p->flags & BS_WRITE_COPY && counter->copy_charged);
	c->locked += (p->flags & BS_LOCKED) != 0;
	if (p->flags & BS_VALID) {
		c->working_set++;
		c->set_private += !shared;
		c->set_shareable += shared;
		c->set_shared += shared && p->shares > 1;
	}
	if (counter->range->kind == RANGE_PRIVATE && p->why == BS_WHY_PHYSICAL)
		counter->range->kind = RANGE_PHYSICAL;
	if (counter->range->kind == RANGE_PRIVATE && p->flags & BS_LARGE)
		counter->range->kind = RANGE_LARGE;
}

static bool process_read(HANDLE process, uint64_t address, void *to, size_t size)
{
	SIZE_T done = 0;
	return ReadProcessMemory(process, (void *)address, to, size, &done) && done == size;
}

/* All ranges of the allocations that meet [low, high) are of this kind. */
static void map_mark(struct map *map, uint64_t low, uint64_t high, enum range_kind kind)
{
	uint64_t allocation = 0;
	for (size_t i = 0; i < map->count; i++) {
		struct range *r = &map->ranges[i];
		if (r->base < high && low < r->base + r->size)
			allocation = r->allocation;
		if (r->allocation == allocation && r->kind == RANGE_PRIVATE)
			r->kind = kind;
	}
}

/* If a TEB is at this address: marks it and its thread's stack. */
static void mark_teb(HANDLE process, struct map *map, uint64_t address, uint64_t peb)
{
	struct teb teb;
	if (!process_read(process, address, &teb, sizeof(teb)) || (uint64_t)teb.self != address ||
	    (uint64_t)teb.peb != peb)
		return;
	map_mark(map, address, address + sizeof(teb), RANGE_TEB);
	uint64_t low = (uint64_t)(teb.deallocation_stack ? (BYTE *)teb.deallocation_stack : teb.stack_limit);
	map_mark(map, low, (uint64_t)teb.stack_base, RANGE_STACK);
}

static void mark_special(HANDLE process, struct map *map)
{
	PROCESS_BASIC_INFORMATION basic;
	struct peb peb;
	if (NtQueryInformationProcess(process, ProcessBasicInformation, &basic, sizeof(basic), NULL) != 0)
		return;
	uint64_t peb_address = (uint64_t)basic.PebBaseAddress;
	for (size_t i = 0; i < map->count; i++) {
		const struct range r = map->ranges[i];
		/* Pages that were never written hold no TEB: reading them would only make them active. */
		if (r.kind != RANGE_PRIVATE || r.state != MEM_COMMIT || r.protect != PAGE_READWRITE ||
		    r.size > TEB_ALLOCATION_MAX)
			continue;
		for (uint64_t page = r.base; page < r.base + r.size; page += PAGE_BYTES) {
			struct bs_page p;
			if (BsQueryBacking(process, (void *)page, 1, &p) == 0 &&
			    (p.backing == BS_MEMORY || p.backing == BS_PAGING_FILE))
				mark_teb(process, map, page, peb_address);
		}
	}
	map_mark(map, peb_address, peb_address + sizeof(peb), RANGE_TEB);
	if (process_read(process, peb_address, &peb, sizeof(peb)) && peb.process_heap)
		map_mark(map, (uint64_t)peb.process_heap, (uint64_t)peb.process_heap + 1, RANGE_HEAP);
}

static enum range_kind range_kind(HANDLE process, const MEMORY_BASIC_INFORMATION *info)
{
	char name[MAX_PATH];
	if (info->State == MEM_FREE)
		return RANGE_FREE;
	if (info->Type == MEM_IMAGE)
		return RANGE_IMAGE;
	if (info->Type == MEM_MAPPED)
		return process_file_name(process, (uint64_t)info->BaseAddress, name, sizeof(name)) ? RANGE_MAPPED
											       : RANGE_SECTION;
	return RANGE_PRIVATE;
}

bool map_read(HANDLE process, struct map *map)
{
	size_t room = 0;
	uint64_t address = 0;
	MEMORY_BASIC_INFORMATION info;
	map->ranges = NULL;
	map->count = 0;
	while (VirtualQueryEx(process, (void *)address, &info, sizeof(info)) == sizeof(info)) {
		address = (uint64_t)info.BaseAddress + info.RegionSize;
		if (map->count == room) {
			room = room ? room * 2 : 256;
			struct range *more = realloc(map->ranges, room * sizeof(more[0]));
			if (!more) {
				SetLastError(ERROR_NOT_ENOUGH_MEMORY);
				return false;
			}
			map->ranges = more;
		}
		map->ranges[map->count++] = (struct range){
			.base = (uint64_t)info.BaseAddress,
			.size = info.RegionSize,
			.allocation = (uint64_t)info.AllocationBase,
			.state = info.State,
			.protect = info.State == MEM_COMMIT ? info.Protect : 0,
			.kind = range_kind(process, &info),
		};
	}
	if (map->count == 0)
		return false;
	mark_special(process, map);
	struct page_counter counter = { .copy_charged = memory_now().commit_policy != BS_COMMIT_LAZY_WRITECOPY };
	for (size_t i = 0; i < map->count; i++) {
		counter.range = &map->ranges[i];
		/* Reserved ranges can be of terabytes, and nothing backs them. */
		if (counter.range->state == MEM_COMMIT)
			backing_walk(process, counter.range->base, counter.range->size / PAGE_BYTES, page_count,
				     &counter);
	}
	return true;
}
