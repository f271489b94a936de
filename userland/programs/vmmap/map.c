/*
 * Reading an address space. VirtualQueryEx gives the ranges and BsQueryBacking their pages. Which private memory is a
 * stack, a TEB or the heap nobody says; but the PEB knows the heap, a TEB points to itself and to the PEB, and it knows
 * its thread's stack.
 */
#include "vmmap.h"

#define BACKING_CHUNK 256         /* pages asked for at a time */
#define TEB_ALLOCATION_MAX 0x40000 /* bytes; what is larger is not looked at */

const char *range_kind_text(enum range_kind kind)
{
	static const char *const texts[] = {
		[RANGE_PRIVATE] = "private", [RANGE_HEAP] = "heap", [RANGE_STACK] = "stack",
		[RANGE_TEB] = "TEB/PEB", [RANGE_MAPPED] = "mapped", [RANGE_IMAGE] = "image",
	};
	return texts[kind];
}

bool backing_count(HANDLE process, uint64_t base, uint64_t size, struct backing_counts *counts)
{
	static struct bs_page pages[BACKING_CHUNK];
	for (uint64_t done = 0; done < size / PAGE_BYTES; done += BACKING_CHUNK) {
		uint64_t count = size / PAGE_BYTES - done;
		if (count > BACKING_CHUNK)
			count = BACKING_CHUNK;
		if (BsQueryBacking(process, (void *)(base + done * PAGE_BYTES), count, pages) != 0)
			return false;
		for (uint64_t i = 0; i < count; i++) {
			if (pages[i].backing <= BS_DATA_FILE)
				counts->pages[pages[i].backing]++;
			counts->resident += (pages[i].flags & BS_RESIDENT) != 0;
		}
	}
	return true;
}

bool map_file_name(HANDLE process, uint64_t address, char *name, size_t size)
{
	static union {
		UNICODE_STRING string;
		char bytes[2048];
	} file;
	const ULONG mapped_file_name = 2; /* MemoryMappedFilenameInformation */
	if (NtQueryVirtualMemory(process, (void *)address, mapped_file_name, &file, sizeof(file), NULL) != 0 ||
	    file.string.Length == 0)
		return false;
	int units = file.string.Length / (int)sizeof(WCHAR), start = units;
	while (start > 0 && file.string.Buffer[start - 1] != '\\')
		start--;
	int length = WideCharToMultiByte(CP_UTF8, 0, file.string.Buffer + start, units - start, name, (int)size - 1,
					 NULL, NULL);
	name[length > 0 ? length : 0] = 0;
	return length > 0;
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

bool map_read(HANDLE process, struct map *map)
{
	size_t room = 0;
	uint64_t address = 0;
	MEMORY_BASIC_INFORMATION info;
	map->ranges = NULL;
	map->count = 0;
	while (VirtualQueryEx(process, (void *)address, &info, sizeof(info)) == sizeof(info)) {
		address = (uint64_t)info.BaseAddress + info.RegionSize;
		if (info.State == MEM_FREE)
			continue;
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
			.kind = info.Type == MEM_IMAGE	  ? RANGE_IMAGE
				: info.Type == MEM_MAPPED ? RANGE_MAPPED
							  : RANGE_PRIVATE,
		};
	}
	if (map->count == 0)
		return false;
	mark_special(process, map);
	for (size_t i = 0; i < map->count; i++) {
		struct range *r = &map->ranges[i];
		/* Reserved ranges can be of terabytes, and nothing backs them. */
		if (r->state == MEM_COMMIT)
			backing_count(process, r->base, r->size, &r->counts);
	}
	return true;
}
