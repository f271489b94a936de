/*
 * The memory calls that bad_arguments.c breaks, with good arguments, and what they are about.
 */
#ifndef BAD_ARGUMENTS_H
#define BAD_ARGUMENTS_H

#include "guest.h"
#include "call_raw.h"

#define U(x) ((uint64_t)(uintptr_t)(x))
#define TARGET_PAGES 16ull

/*
 * What stands in each place: h, s, t: the handle of a process, of a section, of a trace; p, i, o: a pointer to what is read and written,
 * read, written; P, I, O: the same, and 0 is good as well; -: a value.
 */
struct sample {
	unsigned int number;
	const char *name, *places;
	void (*make)(uint64_t *a); /* good arguments, beside the process's handle */
	uint32_t good;             /* the status of the call as it is */
};

/* ---- what the calls are about; made anew for each of them ---- */

static char *target, *watched, *view, *window;
static HANDLE section, trace_handle;
static struct {
	void *base;
	SIZE_T size;
	uint64_t offset, count, done, pages[8];
	ULONG old;
	uint32_t flags;
	UNICODE_STRING name;
	OBJECT_ATTRIBUTES attributes;
	IO_STATUS_BLOCK io;
	MEMORY_BASIC_INFORMATION info;
	struct nt_memory_range { uint64_t address, bytes; } range;
	struct { uint64_t lowest, highest, alignment; } requirements;
	struct { uint64_t type, value; } parameter;
	struct bs_page page;
	struct bs_memory memory;
	struct bs_paging_file file;
	struct bs_paging_file_removal removal;
	struct bs_frame frame;
	char buffer[256];
} v;
static bool physical_pages; /* v.pages are this process's */

static void targets_make(void)
{
	LARGE_INTEGER section_size = { .QuadPart = 65536 };
	memset(&v, 0, sizeof(v));
	target = VirtualAlloc(NULL, TARGET_PAGES * PAGE_BYTES, MEM_RESERVE, PAGE_READWRITE);
	VirtualAlloc(target, TARGET_PAGES / 2 * PAGE_BYTES, MEM_COMMIT, PAGE_READWRITE);
	for (uint64_t page = 0; page < TARGET_PAGES / 2; page++)
		pattern_fill(target, page, 1);
	watched = VirtualAlloc(NULL, 4 * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT | MEM_WRITE_WATCH, PAGE_READWRITE);
	window = VirtualAlloc(NULL, 4 * PAGE_BYTES, MEM_RESERVE | MEM_PHYSICAL, PAGE_READWRITE);
	NtCreateSection(&section, SECTION_ALL_ACCESS, NULL, &section_size, PAGE_READWRITE, SEC_COMMIT, NULL);
	view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
}

static void targets_end(void)
{
	uint64_t count = v.count, a[SYSCALL_ARGUMENTS_MAX] = { ~0ull, U(&count), U(v.pages) };
	if (physical_pages)
		call_raw(88, a);
	physical_pages = false;
	VirtualFree(target, 0, MEM_RELEASE);
	VirtualFree(watched, 0, MEM_RELEASE);
	VirtualFree(window, 0, MEM_RELEASE);
	UnmapViewOfFile(view);
	CloseHandle(section);
}

/* ---- good calls ---- */

static void base_size(void *base, SIZE_T size)
{
	v.base = base;
	v.size = size;
}

static void allocate(uint64_t *a)
{
	base_size(target + 10 * PAGE_BYTES, PAGE_BYTES);
	a[1] = U(&v.base), a[3] = U(&v.size), a[4] = MEM_COMMIT, a[5] = PAGE_READWRITE;
}

static void allocate_anywhere(uint64_t *a)
{
	base_size(NULL, PAGE_BYTES);
	a[1] = U(&v.base), a[3] = U(&v.size), a[4] = MEM_RESERVE | MEM_COMMIT, a[5] = PAGE_READWRITE;
}

static void reset(uint64_t *a)
{
	base_size(target, PAGE_BYTES);
	a[1] = U(&v.base), a[3] = U(&v.size), a[4] = MEM_RESET, a[5] = PAGE_READWRITE;
}

static void decommit(uint64_t *a)
{
	base_size(target, PAGE_BYTES);
	a[1] = U(&v.base), a[2] = U(&v.size), a[3] = MEM_DECOMMIT;
}

static void release(uint64_t *a)
{
	base_size(target, 0);
	a[1] = U(&v.base), a[2] = U(&v.size), a[3] = MEM_RELEASE;
}

static void protect(uint64_t *a)
{
	base_size(target, PAGE_BYTES);
	a[1] = U(&v.base), a[2] = U(&v.size), a[3] = PAGE_READONLY, a[4] = U(&v.old);
}

static void query_memory(uint64_t *a)
{
	a[1] = U(target), a[3] = U(&v.info), a[4] = sizeof(v.info), a[5] = U(&v.done);
}

static void read_memory(uint64_t *a)
{
	a[1] = U(target), a[2] = U(v.buffer), a[3] = 64, a[4] = U(&v.done);
}

static void create_section(uint64_t *a)
{
	v.offset = 65536;
	RtlInitUnicodeString(&v.name, L"\\BaseNamedObjects\\bad_arguments_2");
	InitializeObjectAttributes(&v.attributes, &v.name, 0, NULL, NULL);
	a[0] = U(&v.base), a[1] = SECTION_ALL_ACCESS, a[2] = U(&v.attributes), a[3] = U(&v.offset), a[4] = PAGE_READWRITE;
	a[5] = SEC_COMMIT;
}

static void create_section_without_name(uint64_t *a)
{
	create_section(a);
	a[2] = 0;
}

static void map_section(uint64_t *a)
{
	a[0] = U(section);
	a[2] = U(&v.base), a[5] = U(&v.offset), a[6] = U(&v.size), a[7] = 2, a[9] = PAGE_READWRITE;
}

static void unmap(uint64_t *a)
{
	a[1] = U(view);
}

static void query_section(uint64_t *a)
{
	a[0] = U(section), a[2] = U(v.buffer), a[3] = 24, a[4] = U(&v.done);
}

static void query_backing(uint64_t *a)
{
	a[1] = U(target), a[2] = 1, a[3] = U(&v.page);
}

static void query_all(uint64_t *a)
{
	a[0] = U(&v.memory);
}

static void query_paging_file(uint64_t *a)
{
	a[1] = U(&v.file);
}

/* Names of nothing: what these calls do otherwise, and names that can't be read, is in paging_files. */
static void add_paging_file(uint64_t *a)
{
	a[0] = U("nowhere"), a[2] = (uint64_t)BS_PRIORITY_NONE;
}

static void remove_paging_file(uint64_t *a)
{
	a[0] = U("nowhere"), a[2] = U(&v.removal);
}

static void query_frames(uint64_t *a)
{
	a[0] = 256, a[1] = 1, a[2] = U(&v.frame);
}

static void allocate_extended(uint64_t *a)
{
	base_size(NULL, PAGE_BYTES);
	v.requirements.highest = 0xffffffff;
	v.parameter.type = 1;
	v.parameter.value = U(&v.requirements);
	a[1] = U(&v.base), a[2] = U(&v.size), a[3] = MEM_RESERVE, a[4] = PAGE_READWRITE, a[5] = U(&v.parameter), a[6] = 1;
}

static void map_extended(uint64_t *a)
{
	a[0] = U(section);
	v.requirements.highest = 0xffffffff;
	v.parameter.type = 1;
	v.parameter.value = U(&v.requirements);
	a[2] = U(&v.base), a[3] = U(&v.offset), a[4] = U(&v.size), a[6] = PAGE_READWRITE, a[7] = U(&v.parameter), a[8] = 1;
}

static void extend(uint64_t *a)
{
	v.offset = 1 << 20;
	a[0] = U(section), a[1] = U(&v.offset);
}

static void lock(uint64_t *a)
{
	base_size(target, PAGE_BYTES);
	a[1] = U(&v.base), a[2] = U(&v.size), a[3] = 1;
}

static void unlock(uint64_t *a)
{
	lock(a);
	a[0] = ~0ull;
	call_raw(83, a);
}

static void write_watch(uint64_t *a)
{
	v.count = 4;
	a[2] = U(watched), a[3] = 4 * PAGE_BYTES, a[4] = U(v.pages), a[5] = U(&v.count), a[6] = U(&v.old);
}

static void write_watch_reset(uint64_t *a)
{
	a[1] = U(watched), a[2] = 4 * PAGE_BYTES;
}

static void physical_allocate(uint64_t *a)
{
	v.count = 4;
	a[1] = U(&v.count), a[2] = U(v.pages);
}

/* Four pages that this process has. */
static void physical_have(void)
{
	uint64_t a[SYSCALL_ARGUMENTS_MAX] = { ~0ull };
	physical_allocate(a);
	physical_pages = call_raw(87, a) == 0;
}

static void physical_free(uint64_t *a)
{
	physical_have();
	a[1] = U(&v.count), a[2] = U(v.pages);
}

static void physical_map(uint64_t *a)
{
	physical_have();
	a[0] = U(window), a[1] = 4, a[2] = U(v.pages);
}

static void physical_scatter(uint64_t *a)
{
	physical_have();
	for (int i = 0; i < 4; i++)
		((uint64_t *)v.buffer)[i] = U(window) + (uint64_t)i * PAGE_BYTES;
	a[0] = U(v.buffer), a[1] = 4, a[2] = U(v.pages);
}

static void prefetch(uint64_t *a)
{
	v.range.address = U(target);
	v.range.bytes = PAGE_BYTES;
	a[2] = 1, a[3] = U(&v.range), a[4] = U(&v.flags), a[5] = sizeof(v.flags);
}

static void offer(uint64_t *a)
{
	a[1] = U(target), a[2] = PAGE_BYTES, a[3] = 1;
}

static void reclaim(uint64_t *a)
{
	uint64_t b[SYSCALL_ARGUMENTS_MAX] = { ~0ull };
	offer(b);
	call_raw(94, b);
	a[1] = U(target), a[2] = PAGE_BYTES;
}

static void trace_open(uint64_t *a)
{
	a[0] = BS_EVENT_ALL, a[3] = U(&v.base);
}

static void trace_read(uint64_t *a)
{
	a[0] = U(trace_handle), a[1] = U(v.buffer), a[2] = 1, a[3] = U(&v.pages[0]), a[4] = U(&v.pages[1]), a[5] = U(&v.pages[2]);
}

static const struct sample samples[] = {
	{ 64, "NtAllocateVirtualMemory", "hp-p--", allocate, 0 },
	{ 64, "NtAllocateVirtualMemory, no address", "hp-p--", allocate_anywhere, 0 },
	{ 64, "NtAllocateVirtualMemory, MEM_RESET", "hp-p--", reset, 0 },
	{ 65, "NtFreeVirtualMemory, decommit", "hpp-", decommit, 0 },
	{ 65, "NtFreeVirtualMemory, release", "hpp-", release, 0 },
	{ 66, "NtProtectVirtualMemory", "hpp-o", protect, 0 },
	{ 67, "NtQueryVirtualMemory", "h--o-O", query_memory, 0 },
	{ 68, "NtReadVirtualMemory", "h-o-O", read_memory, 0 },
	{ 69, "NtWriteVirtualMemory", "h-i-O", read_memory, 0 },
	{ 70, "NtCreateSection", "o-II---", create_section, 0 },
	{ 70, "NtCreateSection, no name", "o--I---", create_section_without_name, 0 },
	{ 72, "NtMapViewOfSection", "shp--Ip---", map_section, 0 },
	{ 73, "NtUnmapViewOfSection", "h-", unmap, 0 },
	{ 74, "NtQuerySection", "s-o-O", query_section, 0 },
	{ 75, "BsQueryBacking", "h--o", query_backing, 0 },
	{ 76, "BsQueryMemory", "o", query_all, 0 },
	{ 77, "BsQueryPagingFile", "-o", query_paging_file, 0 },
	{ 79, "NtAllocateVirtualMemoryEx", "hpp--I-", allocate_extended, 0 },
	{ 80, "NtMapViewOfSectionEx", "shpIp--I-", map_extended, 0 },
	{ 81, "NtUnmapViewOfSectionEx", "h--", unmap, 0 },
	{ 82, "NtExtendSection", "sp", extend, STATUS_SECTION_NOT_EXTENDED },
	{ 83, "NtLockVirtualMemory", "hpp-", lock, 0 },
	{ 84, "NtUnlockVirtualMemory", "hpp-", unlock, 0 },
	{ 85, "NtGetWriteWatch", "h---opo", write_watch, 0 },
	{ 86, "NtResetWriteWatch", "h--", write_watch_reset, 0 },
	{ 87, "NtAllocateUserPhysicalPages", "hpo", physical_allocate, 0 },
	{ 88, "NtFreeUserPhysicalPages", "hpi", physical_free, 0 },
	{ 89, "NtMapUserPhysicalPages", "--I", physical_map, 0 },
	{ 90, "NtMapUserPhysicalPagesScatter", "i-I", physical_scatter, 0 },
	{ 92, "NtSetInformationVirtualMemory", "h--ii-", prefetch, 0 },
	{ 94, "BsOfferVirtualMemory", "h---", offer, 0 },
	{ 95, "BsReclaimVirtualMemory", "h--", reclaim, 0 },
	{ 96, "BsQueryFrames", "--o", query_frames, 0 },
	{ 97, "BsAddPagingFile", "---", add_paging_file, STATUS_OBJECT_NAME_NOT_FOUND },
	{ 98, "BsRemovePagingFile", "--o", remove_paging_file, STATUS_OBJECT_NAME_NOT_FOUND },
	{ 102, "BsTraceOpen", "---o", trace_open, 0 },
	{ 103, "BsTraceRead", "to-ooI", trace_read, STATUS_TIMEOUT },
};

#endif
